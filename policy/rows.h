/*
 * policy/rows.h - how rows refer to one another: by VariablePointer and by name.
 *
 * RFC 4807 (pointers hold the OID of a row's first column, or of a scalar), RFC 2578 7.7 (indexes).
 * Only reads.
 */
#ifndef POLICY_ROWS_H
#define POLICY_ROWS_H

#include "mibs/store.h"

/** Nested groups, compound filters and compound actions: levels that are followed. */
#define POL_DEPTH_MAX 16

#define POL_ROW_TEXT 120

/** What a pointer leads to. */
struct pol_target {
	const struct mib_table *table;	/* NULL: no object of ours */
	const struct mib_column *scalar;	/* the scalar it names; NULL: a row */
	const struct mib_row *row;	/* the row, if it is there and active; scalars: NULL */
};

/** Follows the pointer in that column of r. An unset pointer leads to no object. */
void pol_target_of(const struct mib_view *v, const struct mib_row *r, const struct mib_column *col,
		   struct pol_target *out);

/** Names a row as people write it: spdRuleDefinitionTable."web". Returns buf. */
const char *pol_row_text(const struct mib_table *t, const uint32_t *index, size_t len,
			 char buf[POL_ROW_TEXT]);

/** The same for a row at hand. */
const char *pol_row_name(const struct mib_row *r, char buf[POL_ROW_TEXT]);

/**
 * A pointer to that row in its canonical form: the instance of its first accessible column. RFC 4807
 * VariablePointer.
 * @return false: longer than an OID may be
 */
bool pol_row_pointer(const struct mib_table *t, const uint32_t *index, size_t len,
		     struct mib_oid *out);

/** The same for a scalar. */
bool pol_scalar_pointer(const struct mib_column *scalar, struct mib_oid *out);

/**
 * The index, or the beginning of it, that a name column of r gives in table t.
 * @return false: the column is empty or unset
 */
bool pol_index_by_name(const struct mib_row *r, const struct mib_column *col,
		       const struct mib_table *t, struct mib_oid *out);

/** The row of t that a name column of r names, whatever its status; NULL: none. */
const struct mib_row *pol_row_by_name(const struct mib_view *v, const struct mib_row *r,
				      const struct mib_column *col, const struct mib_table *t);

/**
 * Is the row meant to be in force: active, or lost? Where another row could take the place
 * of one that is lost, and let packets pass, both count.
 */
bool pol_row_meant(const struct mib_row *r);

/** Room for what pol_lost_reason says. */
#define POL_LOST_TEXT 200

/** Why a lost row is not active: a sentence without its subject. Returns buf. */
const char *pol_lost_reason(const struct mib_view *v, const struct mib_row *r,
			    char buf[POL_LOST_TEXT]);

/** The first row under a prefix that is meant to be in force, or NULL. */
const struct mib_row *pol_first_meant(const struct mib_view *v, const struct mib_table *t,
				      const struct mib_oid *prefix);

/** Walks the active rows of a table (below prefix, or all if NULL). */
struct pol_walk {
	const struct mib_view *view;
	const struct mib_table *table;
	const struct mib_oid *prefix;	/* borrowed; NULL: all */
	bool with_lost;			/* lost rows too: see pol_row_meant */
	struct mib_oid at;
	bool begun;
};

const struct mib_row *pol_walk_next(struct pol_walk *w);

/** Is a TruthValue column true? fallback when it has no value. */
bool pol_row_truth(const struct mib_row *r, const struct mib_column *col, bool fallback);

/** Is an SpdAdminStatus column enabled(1)? Without a value it is not. */
bool pol_row_enabled(const struct mib_row *r, const struct mib_column *col);

/** Length of the octets of a column; 0 also when it has no value. */
size_t pol_row_octets(const struct mib_row *r, const struct mib_column *col,
		      const uint8_t **data);

#endif
