/*
 * policy/items.h - what generations are made of: how it is made, counted, ordered. Inside policy/.
 */
#ifndef POLICY_ITEMS_H
#define POLICY_ITEMS_H

#include "policy/policy.h"

extern const struct pol_map_type pol_entries_type;	/* by path, then piece */
extern const struct pol_map_type pol_sas_type;		/* by id */
/** By id; of one row those with an SA come first, by its id. */
extern const struct pol_map_type pol_origins_type;
extern const struct pol_map_type pol_problems_type;	/* by table, index, reason */

/* All of these make one with one reference, or NULL: no memory. */

/** @param name  NULL: that of the row */
struct pol_origin *pol_origin_new(uint64_t id, const struct mib_table *t, const uint32_t *index,
				  size_t len, const char *name);
struct pol_problem *pol_problem_new(const struct mib_table *t, const uint32_t *index, size_t len,
				    const char *reason);
/** Copies the selectors. */
struct pol_entry *pol_entry_new(const struct ipsp_spd_entry *spd, const uint16_t *path,
				uint8_t depth, uint8_t piece);
struct pol_sa *pol_sa_new(const struct ipsp_sa_config *config);

void pol_origin_unref(void *origin);
void pol_problem_unref(void *problem);
void pol_entry_unref(void *entry);
void pol_sa_unref(void *sa);

/** An empty one with room for n lists, whose entries are to be set. NULL: no memory. */
struct pol_generation *pol_generation_new(uint64_t number, size_t n_lists);

/** Are the two SAs the same in all they say? */
bool pol_sa_same(const struct ipsp_sa_config *a, const struct ipsp_sa_config *b);

/** Are the two predicates the same in all they say? NULL: none. */
bool pol_predicate_same(const struct ipsp_predicate *a, const struct ipsp_predicate *b);

/** The first origin with that id in a set, or NULL. */
struct pol_origin *pol_origins_find(const struct pol_map *origins, uint64_t id);

bool pol_origin_is(const struct pol_origin *o, const struct mib_table *t, const uint32_t *index,
		   size_t len);

#endif
