/*
 * policy/policy.h - compiles active MIB rows into generations of SPD lists and manual SAs.
 *
 * RFC 4807 section 3 (evaluation of groups), RFC 4301 4.4.1. A rule that cannot be compiled never
 * passes traffic: every packet it might match is discarded, and its status says why. So it is with
 * a row that is lost (mib_row_lost): it is not in force, but keeps its place. No I/O, no
 * clock: ifIndexes, ids, rows and the time in; values out.
 *
 * What a generation holds is counted and never changes, and the next generation has it in common
 * with this one wherever nothing changed (policy/vmap.h).
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "ipsp/config.h"
#include "policy/rows.h"
#include "policy/vmap.h"

/** The index of a row, as long as what it stands in. */
struct pol_index {
	const uint32_t *ids;
	size_t len;
};

/**
 * Which row an SPD entry or SA came from, for people: "spdRuleDefinitionTable.\"web\"". One row has
 * one id: a rule that several groups reach gives entries of the same id in several lists, and more
 * than once in a list when nested groups reach it twice. A spdGroupContentsTable row gives an entry
 * only where what it names cannot be used. A rule that a bound group reaches has an origin even if
 * no packet can match it.
 */
struct pol_origin {
	uint32_t refs, uses;	/* internal */
	uint64_t id;		/* of the ipsp_spd_entry, ipsp_sa_config or action that logs */
	uint64_t sa_id;		/* rules that protect: the SA in force; else 0 */
	const struct mib_table *table;
	const struct mib_column *scalar;	/* a static action that logs; rows: NULL */
	struct pol_index index;
	const char *name;
};

/** Why a row is not in force, or not fully. */
struct pol_problem {
	uint32_t refs, uses;	/* internal */
	const struct mib_table *table;	/* rules, preconfigured actions, contents, endpoint rows */
	struct pol_index index;
	const char *reason;
};

/** An entry of a list. Of rows, its path, the priorities of the contents rows that lead to it, is its place. */
struct pol_entry {
	uint32_t refs;		/* internal */
	uint8_t band;		/* enum pol_band_kind (policy/band.h): those of rows come first */
	uint8_t depth;
	uint8_t piece;		/* several of one path have different times */
	uint16_t path[POL_DEPTH_MAX];
	struct ipsp_spd_entry spd;	/* with its selectors */
};

struct pol_sa {
	uint32_t refs;		/* internal */
	struct ipsp_sa_config config;
};

/** The ordered entries of one interface and direction. Its end is a discard: no entry stands for it. */
struct pol_list {
	uint32_t ifindex;	/* 0: every interface that has no list of its own */
	uint8_t dir;		/* enum ipsp_dir */
	struct pol_map entries;	/* struct pol_entry, by path; lists of one group share them */
};

#define POL_NEVER INT64_MAX

/** One compiled policy. Keys inside it are wiped when the last generation that has them is freed. */
struct pol_generation {
	uint64_t number;
	/* Entries come and go by themselves at some times; the next one after it was made, when it
	 * should be made again. POL_NEVER: none. */
	int64_t changes_at_s;
	uint64_t on_disk;		/* for who brings it into force: see mibs/store.h; 0 so far */
	uint32_t band_serial;		/* likewise: of the last change of key managers' policies in it */
	struct pol_list *lists;	/* ordered by (ifindex, dir) */
	size_t n_lists;
	struct pol_map sas;	/* struct pol_sa, by id */
	struct pol_map origins;	/* struct pol_origin, by id: see pol_origin_find */
	struct pol_map problems;	/* struct pol_problem, by row: see pol_problem_next */
};

/**
 * Compiles the view from nothing. What time filters change is in it for some changes ahead, as entries
 * with times; behind those, and more than an hour before now, their rules discard.
 * @param number  the generation the view is
 * @param now_s   seconds since 1970 UTC
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE: no memory, nothing made
 */
MIB_MUST_CHECK enum mib_err pol_compile(const struct mib_view *v, uint64_t number, int64_t now_s,
					struct pol_generation **out);
void pol_generation_free(struct pol_generation *g);

/* ---- generation after generation ---- */

/** Keeps what it made of each row, and of which rows, so that a change costs what depends on it. */
struct pol_compiler;

/** @param v  the committed state; borrowed for life. NULL: no memory */
struct pol_compiler *pol_compiler_new(const struct mib_view *v);
void pol_compiler_free(struct pol_compiler *c);

/**
 * The system's own addresses, for filters that ask for them; until told they are not known.
 * @param v  n of them, in order; NULL: they are not known any more
 * @return true: what was made depends on them, so that the compiler is to be run
 */
bool pol_compiler_addresses(struct pol_compiler *c, const struct ipsp_addr *v, size_t n);

/** Rows have changed: every commit must be told of. */
void pol_compiler_changed(struct pol_compiler *c, const struct mib_change *changes, size_t n);

/**
 * Compiles what has changed since it was last asked, with time too: the same as pol_compile would give.
 * @return MIB_OK with *out, the caller's; MIB_RESOURCE_UNAVAILABLE: no memory, nothing made, ask again
 */
MIB_MUST_CHECK enum mib_err pol_compiler_run(struct pol_compiler *c, uint64_t number,
					     int64_t now_s, struct pol_generation **out);

/** How many rows in their places the last run looked at, for tests and the log. */
size_t pol_compiler_work(const struct pol_compiler *c);

/* ---- look-ups; O(log n), borrowed from the generation ---- */

/** The list of that interface and direction itself (0 is not looked at for others), or NULL. */
const struct pol_list *pol_generation_list(const struct pol_generation *g, uint32_t ifindex,
					   enum ipsp_dir dir);

/** The entry at that position of a list, from 0; NULL: beyond its end. */
static inline const struct pol_entry *pol_list_entry(const struct pol_list *l, size_t position)
{
	return (const struct pol_entry *)pol_map_at(&l->entries, position);
}

/**
 * The list as one array, whose entries borrow from the generation.
 * @param out  out: entries are the caller's to free
 * @return false: no memory
 */
bool pol_list_flat(const struct pol_list *l, struct ipsp_spd_list *out);

/** The id by which entries and rows name an SA: its own, or that of its bundle. */
uint64_t pol_sa_head(const struct pol_generation *g, uint64_t id);

/** The SA with that id, or NULL. */
const struct pol_sa *pol_sa_find(const struct pol_generation *g, uint64_t id);

/** The origin with that id, or NULL. */
const struct pol_origin *pol_origin_find(const struct pol_generation *g, uint64_t id);

/** The origin of that row, or NULL: it gave nothing to this generation. */
const struct pol_origin *pol_origin_of(const struct pol_generation *g, const struct mib_table *t,
				       const uint32_t *index, size_t len);

/** Said of rules whose SAs are negotiated, as compilation cannot know who is there. */
#define POL_NEEDS_MANAGER "has its SAs negotiated, and no key manager is registered by PF_KEY: its " \
			  "packets are dropped"

/**
 * The problem of that row, or NULL: the row is in force as far as compilation goes.
 * @param has_manager  a key manager is there, so that POL_NEEDS_MANAGER is none
 */
const struct pol_problem *pol_problem_find(const struct pol_generation *g,
					   const struct mib_table *t, const uint32_t *index,
					   size_t len, bool has_manager);

/** The next row that has a problem, ordered by table, then index; after NULL: the first. */
const struct pol_problem *pol_problem_next(const struct pol_generation *g,
					   const struct pol_problem *after);

/** Are they the same but for their paths: do they do the same to the same packets? */
bool pol_entry_same(const struct ipsp_spd_entry *a, const struct ipsp_spd_entry *b);

/** Gives the store the meaning of rows (binders of all tables that need one). Before any load. */
MIB_MUST_CHECK enum mib_err pol_bind(struct mib_store *s);

#endif
