/*
 * policy/policy.h - compiles active MIB rows into one generation of SPD lists and manual SAs.
 *
 * RFC 4807 section 3 (evaluation of groups), RFC 4301 4.4.1. A rule that cannot be compiled never
 * passes traffic: every packet it might match is discarded, and its status says why. So it is with
 * a row that is lost (mib_row_lost): it is not in force, but keeps its place. No I/O, no
 * clock: ifIndexes, ids and rows in; values out.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "ipsp/config.h"
#include "mibs/store.h"

/**
 * Which row an SPD entry or SA came from, for people: "spdRuleDefinitionTable.\"web\"". One row has
 * one id: a rule that several groups reach gives entries of the same id in several lists, and more
 * than once in a list when nested groups reach it twice. A spdGroupContentsTable row gives an entry
 * only where what it names cannot be used. A rule that a bound group reaches has an origin even if
 * no packet can match it.
 */
struct pol_origin {
	uint64_t id;		/* of the ipsp_spd_entry, ipsp_sa_config or action that logs */
	uint64_t sa_id;		/* rules that protect: the SA in force; else 0 */
	const struct mib_table *table;
	const struct mib_column *scalar;	/* a static action that logs; rows: NULL */
	struct mib_oid index;
	char name[120];
};

/** Why a row is not in force, or not fully. */
struct pol_problem {
	const struct mib_table *table;	/* rules, preconfigured actions, contents, endpoint rows */
	struct mib_oid index;
	char reason[200];
};

/**
 * One compiled policy. Owns all it points to; keys inside it are wiped when it is freed. The end of
 * a list is its implicit discard: no entry stands for it. Lists may share their entries.
 */
struct pol_generation {
	uint64_t number;
	uint64_t on_disk;		/* for who brings it into force: see mibs/store.h; 0 so far */
	struct ipsp_spd_list *lists;	/* ordered by (ifindex, dir) */
	size_t n_lists;
	struct ipsp_sa_config *sas;
	size_t n_sas;
	struct pol_origin *origins;	/* ordered by id */
	size_t n_origins;
	struct pol_problem *problems;	/* ordered by table, then index */
	size_t n_problems;
};

/**
 * Compiles the view.
 * @param number  the generation the view is
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE: no memory, nothing made
 */
MIB_MUST_CHECK enum mib_err pol_compile(const struct mib_view *v, uint64_t number,
					struct pol_generation **out);
void pol_generation_free(struct pol_generation *g);

/** The origin with that id, or NULL. */
const struct pol_origin *pol_origin_find(const struct pol_generation *g, uint64_t id);

/** The origin of that row, or NULL: it gave nothing to this generation. */
const struct pol_origin *pol_origin_of(const struct pol_generation *g, const struct mib_table *t,
				       const uint32_t *index, size_t len);

/** The problem of that row, or NULL: the row is in force as far as compilation goes. */
const struct pol_problem *pol_problem_find(const struct pol_generation *g,
					   const struct mib_table *t, const uint32_t *index,
					   size_t len);

/** Gives the store the meaning of rows (binders of all tables that need one). Before any load. */
MIB_MUST_CHECK enum mib_err pol_bind(struct mib_store *s);

#endif
