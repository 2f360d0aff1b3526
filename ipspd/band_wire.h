/*
 * ipspd/band_wire.h - policies of key managers between engine and agent, in and out of octets.
 */
#ifndef IPSPD_BAND_WIRE_H
#define IPSPD_BAND_WIRE_H

#include "chan/chan.h"
#include "pfkey/band.h"

#define BAND_POLICY_MAX 512u	/* octets; four transformations of IPv6 fit */

void band_policy_put(struct chan_writer *w, const struct pfkey_band_policy *p);

/**
 * Reads one and believes nothing: its selector and direction are valid, what it does is known, and it
 * asks for as many transformations as it has.
 */
bool band_policy_get(struct chan_reader *r, struct pfkey_band_policy *out);

#endif
