/*
 * policy/exempt.h - entries that no row gives: exemptions before all rules, defaults behind them.
 *
 * By the scalars of ipspdExempt, for every list that has a group. They have the scalar as origin, and
 * are entries like any other from there on, so that the engine and the guard agree about them.
 */
#ifndef POLICY_EXEMPT_H
#define POLICY_EXEMPT_H

#include "policy/build.h"

#define POL_EXEMPT_MAX 8	/* of one direction */

struct pol_exempt {
	struct pol_entry *entries[2][POL_EXEMPT_MAX];	/* [enum ipsp_dir - 1]; counted */
	size_t n[2];
};

/**
 * Makes them anew, in a cell that has begun.
 * @return false: no memory; what is there is to be freed all the same
 */
bool pol_exempt_make(struct pol_build *b, struct pol_exempt *x);

/** Lets go of them; there are none then. */
void pol_exempt_fini(struct pol_exempt *x);

/** Puts those of a direction among a list's entries. @return false: no memory */
bool pol_exempt_put(const struct pol_exempt *x, enum ipsp_dir dir, struct pol_map *entries);

#endif
