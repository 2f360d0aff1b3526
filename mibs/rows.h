/*
 * mibs/rows.h - rows as the store keeps them; internal to mibs/.
 *
 * A shelf holds the rows of one table and of all tables that augment it. A committed row never
 * changes: a transaction makes a new version and commit exchanges the two. Only cells that were set
 * cost memory. RFC 2578 7.7 (order of rows), RFC 2579 (what status, storage and stamp columns are).
 */
#ifndef MIBS_ROWS_H
#define MIBS_ROWS_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "mibs/mem.h"
#include "mibs/store.h"

struct mib_meaning;
struct mib_ref;
struct mib_list;
struct mib_special;

/** A cell that was set. Slots number the columns of a shelf: the base table's, then the others'. */
struct mib_cell {
	uint16_t slot;
	union {
		int64_t number;
		uint64_t counter64;
		struct mib_blob *blob;	/* OCTETS, BITS, OID */
	};
};

/** That a row refers to another (ref), or stands in a list (list). See mibs/edges.h. */
struct mib_edge {
	RB_ENTRY(mib_edge) link;
	uint16_t kind;			/* number of the reference or list */
	uint16_t target;		/* number of the target's table */
	uint8_t key_len;
	const uint32_t *key;		/* the target's index, or the part of it that is known */
	struct mib_row *source;
};

/** What a load could not make active again; see mib_row_lost. */
enum mib_lost {
	MIB_LOST_NOT,
	MIB_LOST_TARGET,		/* it is whole, but something it needs is missing */
	MIB_LOST_VALUES,		/* values of its own could not be read */
};

struct mib_row {
	RB_ENTRY(mib_row) link;
	LIST_ENTRY(mib_row) idle;	/* committed rows that are not active */
	struct mib_row *same_place;	/* the next name in the shelf's place for it */
	struct mib_shelf *shelf;
	uint64_t changed_cs;		/* boot-time clock of the last change; 0: restored */
	uint64_t segments_changed_cs;	/* credentials: last change of any of its segments */
	struct mib_cell *cells;		/* by rising slot */
	struct mib_edge *edges;
	uint32_t name_hash;		/* of a committed row, if its shelf has names */
	uint16_t n_cells;
	uint16_t n_edges;
	uint8_t index_len;
	uint8_t lost;			/* enum mib_lost */
	bool active;
	bool doomed;			/* destroyed, but kept while anything points at it */
	bool committed;
	uint32_t index[];		/* then the octets of the index's strings */
};

RB_HEAD(mib_row_tree, mib_row);
RB_HEAD(mib_edge_tree, mib_edge);
LIST_HEAD(mib_row_list, mib_row);

/** One of the tables on a shelf. */
struct mib_shelf_part {
	const struct mib_table *table;
	size_t offset;			/* slot of its first column */
};

struct mib_shelf {
	struct mib_store *store;
	const struct mib_table *table;	/* the base */
	struct mib_shelf_part *parts;	/* the base first */
	size_t n_parts;
	size_t n_slots;
	const struct mib_column **cols;		/* by slot */
	const struct mib_meaning **meanings;	/* by slot; NULL: nothing beyond the module */
	size_t *n_set;				/* by slot: how many committed rows have the cell */
	struct mib_row_tree rows;
	size_t n_rows;
	struct mib_row **names;			/* the same rows by their index; row_names.c */
	size_t n_names;				/* places there, a power of two; 0: none needed */
	const struct mib_column *status;	/* RowStatus, or NULL */
	const struct mib_column *storage;
	const struct mib_column *stamp;
	const struct mib_special *special;	/* rules of this table alone, or NULL */
	const struct mib_binder **binders;
	size_t n_binders;
	const struct mib_ref **refs_out;	/* references that stand in its rows */
	size_t n_refs_out;
	const struct mib_ref **refs_in;		/* references that may aim at its rows */
	size_t n_refs_in;
	const struct mib_list **lists;		/* lists its rows are members of */
	size_t n_lists;
};

struct mib_view {
	struct mib_store *store;
	struct mib_txn *txn;		/* NULL: what is committed */
	const struct mib_reader *reader;	/* NULL: nobody listens */
};

int mib_row_cmp(const struct mib_row *a, const struct mib_row *b);
RB_PROTOTYPE(mib_row_tree, mib_row, link, mib_row_cmp)

/** A new row without cells, not active. The index must decode. NULL: no memory. */
struct mib_row *mib_row_new(struct mib_shelf *shelf, const uint32_t *index, size_t len);

/** A version of r to be changed: cells shared, no edges. NULL: no memory. */
struct mib_row *mib_row_clone(const struct mib_row *r);

/** Frees a row that stands in no tree. NULL is allowed. */
void mib_row_free(struct mib_row *r);

/** Slot of a column on the shelf, or SIZE_MAX when it stands on another. */
size_t mib_shelf_slot(const struct mib_shelf *shelf, const struct mib_column *col);

/** Sets a cell, copying. @return false: no memory, r as it was */
MIB_MUST_CHECK bool mib_row_set(struct mib_row *r, size_t slot, const struct mib_value *v);

/** The cell as it was set, or NULL. */
const struct mib_cell *mib_row_cell(const struct mib_row *r, size_t slot);

/** Same cells, same state? Says nothing of clocks. */
bool mib_row_same(const struct mib_row *a, const struct mib_row *b);

/** The value that an index column has in this row; octets borrow from the row. */
bool mib_row_index_value(const struct mib_row *r, const struct mib_column *col,
			 struct mib_value *out);

#endif
