/*
 * policy/timed.h - what filters match over time: now, and through the next few changes.
 *
 *	    ever      |    now    |  then  |  then  |    ever
 *	          an hour ago   a change ...      no more looked at
 *
 * A list has an entry for each of these times, so that it changes by itself. What lies out of sight is
 * not known: `ever` holds every packet that might match at any time, and its rule discards.
 */
#ifndef POLICY_TIMED_H
#define POLICY_TIMED_H

#include "policy/filter.h"
#include "policy/policy.h"

/** Times that are looked at: the one that is now, and those that come. */
#define POL_TIMES_MAX 4

/** How long a clock may be set back before what it then says is out of sight. */
#define POL_LOOK_BACK_S 3600

struct pol_time {
	int64_t from_s, until_s;	/* until_s itself is not in it */
	struct pol_match match;
};

/** Zeroed: matches nothing, at any time. */
struct pol_timed {
	unsigned n;			/* 0: it never changes; else how many times, one behind another */
	struct pol_time times[POL_TIMES_MAX];	/* the first has now in it */
	struct pol_match ever;		/* never changes: what it matches; else see above */
};

void pol_timed_fini(struct pol_timed *t);
void pol_timed_move(struct pol_timed *to, struct pol_timed *from);

/** Do both match the same at the same times? */
bool pol_timed_same(const struct pol_timed *a, const struct pol_timed *b);

/** What it matches now. */
static inline const struct pol_match *pol_timed_now(const struct pol_timed *t)
{
	return t->n > 0 ? &t->times[0].match : &t->ever;
}

/** Until when; POL_NEVER: it does not change. */
static inline int64_t pol_timed_until(const struct pol_timed *t)
{
	return t->n > 0 ? t->times[0].until_s : POL_NEVER;
}

/* Both give POL_CALC_OK or POL_CALC_NO_MEMORY. */

/** Every packet, at all times. */
enum pol_calc pol_timed_all(struct pol_timed *t);

/**
 * The filter that a pointer column of r names, and what was there before it.
 * @param guard   what gets to this filter
 * @param negate  the filter's opposite
 * @param out     held nothing
 */
enum pol_calc pol_timed_filter(struct pol_build *b, const struct mib_row *r,
			       const struct mib_column *col, bool negate,
			       const struct pol_timed *guard, struct pol_timed *out);

#endif
