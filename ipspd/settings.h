/*
 * ipspd/settings.h - what managers set of paths, fragments and ICMP errors, from agent to engine.
 */
#ifndef IPSPD_SETTINGS_H
#define IPSPD_SETTINGS_H

#include <stdbool.h>

#include "chan/chan.h"
#include "ipsp/engine.h"
#include "ipspd/engine_hold.h"

/** @return what chan_send says */
int settings_send(struct chan *c, const struct ipsp_engine_settings *s);

/**
 * @param s  in: what is in force; out: with what the message says
 * @return false: malformed, or no such values; nothing changed
 */
bool settings_read(const struct chan_msg *m, struct ipsp_engine_settings *s);

/** The same for packets that wait. What is read is to be asked for by engine_hold_set. */
int settings_hold_send(struct chan *c, const struct hold_settings *s);
bool settings_hold_read(const struct chan_msg *m, struct hold_settings *s);

#endif
