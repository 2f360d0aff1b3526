/*
 * ipspd/notify_limit.h - may a notification go now? One about one action in an interval, and so many
 * in all.
 *
 * RFC 4807 asks for one a minute and action at most. The clock is the caller's.
 */
#ifndef IPSPD_NOTIFY_LIMIT_H
#define IPSPD_NOTIFY_LIMIT_H

#include "mibs/schema.h"
#include "mibs/value.h"

/** Actions that are remembered at a time: what would need more is held back. */
#define NOTIFY_ACTIONS_MAX 16384

/** After a quiet time so many seconds' worth may go at once. */
#define NOTIFY_BURST_S 5

struct notify_limit;

/** Limits of 0 to begin with: none. NULL: no memory. */
struct notify_limit *notify_limit_new(void);
void notify_limit_free(struct notify_limit *l);

/**
 * @param interval_s  between two of one kind about one action; 0: no limit
 * @param rate        in all, a second, over NOTIFY_BURST_S seconds; 0: no limit
 */
void notify_limit_set(struct notify_limit *l, uint32_t interval_s, uint32_t rate);

/**
 * May one of that kind, about that action, go now? If so it counts as gone.
 * @param now_ms  a clock that never runs back
 * @param held    out, when it may: how many of them were held back since the last one went
 */
bool notify_limit_action(struct notify_limit *l, const struct mib_notification *kind,
			 const struct mib_oid *action, uint64_t now_ms, uint64_t *held);

/** The same for one that is about no action: the rate alone bounds it. */
bool notify_limit_any(struct notify_limit *l, uint64_t now_ms);

#endif
