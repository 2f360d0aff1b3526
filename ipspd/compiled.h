/*
 * ipspd/compiled.h - the lists of a compiled policy in the order of MIB indexes.
 */
#ifndef IPSPD_COMPILED_H
#define IPSPD_COMPILED_H

#include "policy/policy.h"

/** The first list that is not before (ifindex, dir), or NULL. g may be NULL. O(log n) */
const struct pol_list *compiled_list_from(const struct pol_generation *g, uint32_t ifindex,
					  uint32_t dir);

/** The list of that interface and direction itself, or NULL. g may be NULL. O(log n) */
static inline const struct pol_list *compiled_list_at(const struct pol_generation *g,
						      uint32_t ifindex, uint32_t dir)
{
	const struct pol_list *l = compiled_list_from(g, ifindex, dir);

	return l && l->ifindex == ifindex && l->dir == dir ? l : NULL;
}

/** How many entries it has. */
static inline size_t compiled_count(const struct pol_list *l)
{
	return pol_map_count(&l->entries);
}

#endif
