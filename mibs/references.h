/*
 * mibs/references.h - which column names which rows, as data, and the rules that follow; internal
 * to mibs/.
 *
 * A reference gives the whole index of one row, or a part of it that several rows share (a list).
 * One rule for all: a row is active only while what it refers to is active - a row, or at least one
 * member of a list - and that stays active while an active row refers to it.
 */
#ifndef MIBS_REFERENCES_H
#define MIBS_REFERENCES_H

#include "mibs/meaning.h"

/** Rows of a table that share a part of their index, as one can be named by it. */
struct mib_list {
	const struct mib_table *table;
	size_t first;			/* index columns that they share: where they begin */
	size_t parts;			/* and how many */
	/**
	 * The row that is the list's owner by having the shared part as its index; while it is
	 * active, the last active member stays. NULL: owners refer to it by name.
	 */
	const struct mib_table *owner;
};

/** What a pointer may aim at: the rows of a table, or one scalar of a group. */
struct mib_aim {
	const struct mib_table *table;
	size_t pos;			/* the scalar; unused for rows */
};

enum mib_ref_flags {
	MIB_REF_KNOWN = 1,		/* a SET of an unknown name is refused */
	MIB_REF_OPTIONAL = 2,		/* active without it; still keeps it active */
	MIB_REF_EXISTS = 4,		/* it must exist, active or not; is not kept */
	MIB_REF_EACH = 8,		/* keeps every member of the list, not only the last */
	MIB_REF_CONTENT = 16,		/* a change of the target is judged with the referrer too */
	MIB_REF_VALUE = 32,		/* pointer: every fault is inconsistentValue */
};

struct mib_ref {
	struct mib_at at;		/* the column to blame */
	struct mib_at when;		/* holds only when this column ... */
	int64_t when_number;		/* ... has this value; when.table NULL: always */
	struct mib_at from[2];		/* whose values make up the target's index */
	size_t n_from;			/* 0: a pointer */
	const struct mib_table *target;
	const struct mib_table *other;	/* the name may stand in this table instead; or NULL */
	const struct mib_list *list;	/* NULL: a whole index */
	const struct mib_aim *aims;	/* pointers */
	size_t n_aims;
	unsigned int flags;
	/** Nesting: rows of this table are containers whose members are the rows with the column. */
	const struct mib_table *nests;
	const struct mib_list *members;
	const char *nest_word;		/* "group" */
};

extern const struct mib_ref mib_refs[];
extern const size_t mib_n_refs;
extern const struct mib_list mib_lists[];
extern const size_t mib_n_lists;

/** Columns by whose numbers rows can be found: see mib_view_find_number. */
extern const struct mib_at mib_found_by[];
extern const size_t mib_n_found_by;

/** Containers in containers go at most so deep. */
#define MIB_NEST_MAX 16

/** Whether a reference holds or not, and where it aims; see mib_ref_resolve. */
enum mib_ref_state {
	MIB_REF_NONE,			/* column unset or empty, or the condition does not hold */
	MIB_REF_AIMS,			/* *out tells at what */
	MIB_REF_ALWAYS,			/* at one of our static scalars */
	MIB_REF_UNSUPPORTED,		/* a pointer at what it must not aim at */
	MIB_REF_NO_ROW,			/* a pointer at a supported table, but never at a row */
};

struct mib_ref_target {
	const struct mib_table *table[2];	/* the second: where it may stand instead */
	size_t n_tables;
	struct mib_oid key;
};

enum mib_ref_state mib_ref_resolve(const struct mib_ref *ref, const struct mib_row *r,
				   struct mib_ref_target *out);

/** Whatever column of the pointer's target was meant, the one that pointers should name. */
const struct mib_column *mib_pointer_column(const struct mib_table *t);

/** Index of the part of r's index that makes it a member of that list. */
void mib_list_key(const struct mib_list *list, const struct mib_row *r, const uint32_t **key,
		  size_t *len);

/** All that r refers to is active in v? MIB_INCONSISTENT_VALUE with *d and the column at fault. */
MIB_MUST_CHECK enum mib_err mib_refs_check(const struct mib_view *v, const struct mib_row *r,
					   const struct mib_column **at, struct mib_diag *d);

/** May that column be set to what r has now? Pointers and names that must be known at SET. */
MIB_MUST_CHECK enum mib_err mib_refs_check_set(const struct mib_view *v, const struct mib_row *before,
					       const struct mib_row *r,
					       const struct mib_column *col, struct mib_diag *d);

/** May r, active until now, stop being so in v? MIB_INCONSISTENT_VALUE with *d. */
MIB_MUST_CHECK enum mib_err mib_refs_check_leave(const struct mib_view *v, const struct mib_row *r,
						 struct mib_diag *d);

/** Does any row at all, active or not, refer to r by its whole index in v? */
bool mib_refs_is_referred(const struct mib_view *v, const struct mib_row *r);

/** Does what r nests close a cycle, or go too deep, in v? (references_nest.c) */
MIB_MUST_CHECK enum mib_err mib_refs_check_nesting(const struct mib_view *v,
						   const struct mib_row *r,
						   const struct mib_column **at,
						   struct mib_diag *d);

#endif
