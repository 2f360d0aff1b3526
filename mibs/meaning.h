/*
 * mibs/meaning.h - what a column means beyond its module's formal clauses; internal to mibs/.
 *
 * Mandatory columns, defaults where a module has no DEFVAL, values that are wrong under all
 * circumstances, and secrets: one entry a column, so that no code names columns one by one.
 */
#ifndef MIBS_MEANING_H
#define MIBS_MEANING_H

#include "mibs/store.h"

/** Names a column of the generated schema in a constant table. */
struct mib_at {
	const struct mib_table *table;
	size_t pos;
};

#define MIB_AT(t, c) { &mib_t_##t, MIB_C_##c }

static inline const struct mib_column *mib_at(const struct mib_at *at)
{
	return &at->table->columns[at->pos];
}

struct mib_meaning {
	struct mib_at at;
	bool mandatory;			/* without it the row is notReady */
	struct mib_default def;		/* our decision where the module has no DEFVAL */
	/** wrongValue or wrongLength for what the column can never hold. */
	enum mib_err (*value)(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d);
	/** Set: the column can hold a secret; tells whether it does in that row. */
	bool (*is_secret)(const struct mib_view *v, const struct mib_row *r);
};

extern const struct mib_meaning mib_meanings[];
extern const size_t mib_n_meanings;

static inline bool mib_meaning_may_be_secret(const struct mib_meaning *m)
{
	return m != NULL && m->is_secret != NULL;
}

/** Is the index part one the module's text allows? noCreation with *d otherwise. */
MIB_MUST_CHECK enum mib_err mib_meaning_index(const struct mib_table *t,
					      const struct mib_value *parts, struct mib_diag *d);

#endif
