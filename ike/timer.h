/*
 * ike/timer.h - what is due, in order. A heap of the caller's own timers, so that starting one never
 * fails; no clock: times are what the caller says, in milliseconds.
 */
#ifndef IKE_TIMER_H
#define IKE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IKE_NEVER UINT64_MAX

/** Zeroed: not started. */
struct ike_timer {
	uint64_t due_ms;
	void (*fire)(struct ike_timer *t, uint64_t now_ms);
	/* a pairing heap: first child, next sibling, and who points here; NULL: not started */
	struct ike_timer *child, *sibling, **link;
};

struct ike_timers {
	struct ike_timer *root;
};

/** Starts it, or moves it. */
void ike_timer_start(struct ike_timers *all, struct ike_timer *t, uint64_t due_ms,
		     void (*fire)(struct ike_timer *t, uint64_t now_ms));
void ike_timer_stop(struct ike_timers *all, struct ike_timer *t);

static inline bool ike_timer_runs(const struct ike_timer *t)
{
	return t->link != NULL;
}

/** When the first one is due; IKE_NEVER: none is. */
uint64_t ike_timers_due(const struct ike_timers *all);

/** Fires those that are due, each stopped before it is called. They may start and stop any. */
void ike_timers_run(struct ike_timers *all, uint64_t now_ms);

#endif
