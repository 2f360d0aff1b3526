/*
 * ipspd/compiled.h - the lists of a compiled policy in the order of MIB indexes.
 */
#ifndef IPSPD_COMPILED_H
#define IPSPD_COMPILED_H

#include "policy/band.h"

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

#define COMPILED_NAME 48	/* octets of a name that no row has */

/** Where an entry comes from, for people: its row, or a key manager's policy. Good as long as buf. */
const char *compiled_entry_name(const struct pol_generation *g, const struct ipsp_spd_entry *e,
				char buf[COMPILED_NAME]);

#endif
