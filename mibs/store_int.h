/*
 * mibs/store_int.h - the store and its transactions from inside; internal to mibs/.
 */
#ifndef MIBS_STORE_INT_H
#define MIBS_STORE_INT_H

#include "mibs/edges.h"
#include "mibs/rows.h"

/** A column and its whole OID: what GETNEXT walks, in OID order. */
struct mib_walk_column {
	const struct mib_column *col;
	struct mib_oid oid;
};

struct mib_store {
	struct mib_view view;		/* what is committed */
	struct mib_shelf *shelves;
	size_t n_shelves;
	struct mib_shelf **by_table;	/* by mib_table.number */
	const struct mib_source **sources;	/* by mib_table.number; NULL: none */
	struct mib_walk_column *columns;	/* the readable ones */
	size_t n_columns;
	size_t walked_column;		/* where the last GETNEXT ended: the next one goes on there */
	struct mib_row *walked;		/* committed, or NULL */
	struct mib_edge_tree edges;
	struct mib_row_list idle;
	const struct mib_journal *journal;
	uint64_t (*boottime_cs)(void);
	uint64_t master_start_cs;
	uint64_t name_seed;		/* so that nobody chooses which names share a place */
	uint64_t generation;
	uint64_t on_disk;		/* the last generation that the journal has rows of */
	uint64_t refusals;
	struct mib_txn *txn;		/* the one that is staged */
	const struct mib_listener **listeners;
	size_t n_listeners;
	struct mib_waiter *waiters;	/* the longest waiting first */
	bool waking;
	bool loading;
};

/** Who set a column of a staged row. */
struct mib_assigned {
	uint16_t slot;
	size_t varbind;
};

/** One row that a transaction touches. */
struct mib_staged {
	RB_ENTRY(mib_staged) link;
	TAILQ_ENTRY(mib_staged) order;
	struct mib_shelf *shelf;
	struct mib_row *before;		/* committed, or NULL */
	struct mib_row *after;		/* the version to be, or NULL: there is none */
	const struct mib_rs_rule *rule;	/* what RowStatus makes of it */
	int32_t asked;			/* what RowStatus was set to; 0: was not */
	size_t asked_varbind;
	size_t first_varbind;
	struct mib_assigned *assigned;
	size_t n_assigned;
	bool anew;			/* the old row goes even when a new one comes */
	bool forced;			/* made without looking at access */
	bool settled;			/* after is as it will be, and has its edges */
	bool indexed;			/* after's edges stand in the transaction's tree */
	bool parked;			/* before's edges stand in the transaction's other tree */
	bool touched;			/* a change even when no cell differs */
	bool derived;
	bool same;			/* nothing changes; after is NULL, before counts */
	bool excused;			/* lacks its secret: counts as active until all is judged */
	size_t index_len;
	uint32_t index[];
};

RB_HEAD(mib_staged_tree, mib_staged);
TAILQ_HEAD(mib_staged_list, mib_staged);

enum mib_txn_state {
	MIB_TXN_OPEN,
	MIB_TXN_PREPARING,
	MIB_TXN_PREPARED,
	MIB_TXN_COMMITTED,
	MIB_TXN_ENDED,			/* failed or undone */
};

struct mib_txn {
	struct mib_store *store;
	struct mib_view view;
	enum mib_door door;
	char who[64];
	enum mib_txn_state state;
	bool refused;			/* counted already */
	bool may_lack_secrets;
	size_t varbinds;
	size_t deriving;		/* varbind from which follows what is staged now */
	struct mib_staged_tree staged;
	struct mib_staged *found;	/* the last one asked for: cells of a row come together */
	struct mib_staged_list order;	/* as first touched */
	struct mib_edge_tree edges;	/* of the versions to be */
	struct mib_edge_tree parked;	/* of the committed rows that they replace */
	struct mib_change *changes;
	size_t n_changes;
	struct mib_change *durable;	/* the part of them that the journal keeps */
	size_t n_durable;
	struct mib_after *afters;	/* what follows, the last one asked for first */
};

/* ---- rows.c, view.c ---- */

/** The first row of a tree at or after (strict: after) that index. */
struct mib_row *mib_rows_seek(const struct mib_row_tree *tree, const uint32_t *index, size_t len,
			      bool strict);
struct mib_row *mib_rows_find(const struct mib_row_tree *tree, const uint32_t *index, size_t len);

/* ---- row_names.c ---- */

/** Room for n more rows. Before they are inserted; @return false: no memory */
MIB_MUST_CHECK bool mib_shelf_reserve(struct mib_shelf *shelf, size_t n);
/** Of a row that comes among the committed ones, or goes. */
void mib_shelf_name_add(struct mib_shelf *shelf, struct mib_row *r);
void mib_shelf_name_remove(struct mib_shelf *shelf, struct mib_row *r);
/** The committed row of that index, or NULL. Not while rows are loaded. */
struct mib_row *mib_shelf_find(const struct mib_shelf *shelf, const uint32_t *index, size_t len);

/* ---- view.c ---- */

/** The view in which this very version stands. */
const struct mib_view *mib_row_home(const struct mib_row *r);

/** The shelf that holds the rows of that table. */
static inline struct mib_shelf *mib_store_shelf(const struct mib_store *s,
						const struct mib_table *t)
{
	return s->by_table[t->number];
}

/** May this row be active in that view? Mandatory columns, references, special rules, binders. */
MIB_MUST_CHECK enum mib_err mib_row_check_active(const struct mib_view *v, const struct mib_row *r,
						 const struct mib_column **at, struct mib_diag *d);

/** Is the row to be kept on disk? volatile rows are not. */
bool mib_row_is_durable(const struct mib_row *r);

/* ---- txn.c ---- */

int mib_staged_cmp(const struct mib_staged *a, const struct mib_staged *b);
RB_PROTOTYPE(mib_staged_tree, mib_staged, link, mib_staged_cmp)

/** What t does to that row, or NULL. */
struct mib_staged *mib_txn_find(const struct mib_txn *t, const struct mib_shelf *shelf,
				const uint32_t *index, size_t len);
/** The first row of the shelf that t touches, at or after (strict: after) that index. */
struct mib_staged *mib_txn_seek(const struct mib_txn *t, const struct mib_shelf *shelf,
				const uint32_t *index, size_t len, bool strict);

/** Stages a row without assigning anything: it counts as changed. For rules that mirror others. */
MIB_MUST_CHECK enum mib_err mib_txn_touch(struct mib_txn *t, const struct mib_row *r);

/** Which varbind set that column of the row; else the one that asked for its state, or the first. */
size_t mib_staged_varbind(const struct mib_staged *st, const struct mib_column *col);

/** Puts the edges of all rows that t touches back among the store's. */
void mib_txn_unpark(struct mib_txn *t);

/** Was that column assigned by t, in that row? */
bool mib_txn_assigns(const struct mib_txn *t, const struct mib_row *r,
		     const struct mib_column *col);

/* ---- txn_prepare.c ---- */

/** Settles what was staged since the last time: what each row becomes, and its edges. */
MIB_MUST_CHECK enum mib_err mib_txn_settle(struct mib_txn *t, struct mib_diag *d);
/** Gives the new version of a row its edges, or finds that nothing changes. */
MIB_MUST_CHECK enum mib_err mib_txn_settle_edges(struct mib_txn *t, struct mib_staged *st,
						 struct mib_diag *d);

/* ---- txn_excuse.c ---- */

/** Does t make r active although it lacks its secret, and nothing else? */
bool mib_txn_excuses(const struct mib_txn *t, const struct mib_row *r);
/** May the row, which cannot be active, come in lost instead of being refused? */
bool mib_txn_may_stay_lost(const struct mib_txn *t, const struct mib_staged *st);
/** Takes the excused rows out of force, and what cannot be active without them. */
MIB_MUST_CHECK enum mib_err mib_txn_lose_excused(struct mib_txn *t, struct mib_diag *d);

/* ---- store.c ---- */

/** Puts a row in its place among the committed ones, with its edges; cannot fail. */
void mib_store_insert(struct mib_store *s, struct mib_row *r);
void mib_store_remove(struct mib_store *s, struct mib_row *r);

/** Tells those who wait that the store is free. */
void mib_store_wake(struct mib_store *s);

#endif
