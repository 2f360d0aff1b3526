/*
 * ipspd/unasked.h - SAs that inbound entries of rows ask for no more in a generation, or again: what the
 * engine is told of them (struct ipsp_unasked). No I/O.
 */
#ifndef IPSPD_UNASKED_H
#define IPSPD_UNASKED_H

#include "ipsp/config.h"
#include "policy/policy.h"

struct unasked {
	struct ipsp_unasked *items;	/* in the engine's order; at most WIRE_SAS_MAX */
	size_t n;
	struct ipsp_selector *boxes;	/* items point into it */
};

/**
 * What g changes of base. Costs what changes; and, if an entry that asked for an SA goes, a look at all
 * inbound entries, as another one may ask for the same.
 * @param again  tell also of those that are asked for anew
 * @return false: no memory; nothing to free
 */
bool unasked_find(struct unasked *u, const struct pol_generation *base,
		  const struct pol_generation *g, bool again);
void unasked_fini(struct unasked *u);

#endif
