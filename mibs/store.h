/*
 * mibs/store.h - the MIB state: rows in OID order, their RowStatus life, references, transactions.
 *
 * One store per agent process; single-threaded. Every change, from whichever door, is a
 * transaction: all of it is checked against the state it would produce, made durable, and only then
 * visible - or nothing changes. Each commit that changed something makes a new generation.
 *
 * RowStatus is RFC 2579 section 2. A row that is not active reads notInService when it could be
 * made active now, and notReady when something it needs is missing (a column, or what it refers
 * to). References follow one rule for all tables: a row may be active only while everything it
 * refers to is active, and what an active row refers to stays active, unless the same transaction
 * takes the referrer away too.
 */
#ifndef MIBS_STORE_H
#define MIBS_STORE_H

#include "mibs/value.h"

struct mib_store;
struct mib_row;
struct mib_txn;

/** RFC 2579 RowStatus, the values on the wire. */
enum mib_row_status {
	MIB_RS_ACTIVE = 1,
	MIB_RS_NOT_IN_SERVICE = 2,
	MIB_RS_NOT_READY = 3,
	MIB_RS_CREATE_AND_GO = 4,
	MIB_RS_CREATE_AND_WAIT = 5,
	MIB_RS_DESTROY = 6,
};

/** RFC 2579 StorageType, the values on the wire. */
enum mib_storage {
	MIB_ST_OTHER = 1,
	MIB_ST_VOLATILE = 2,
	MIB_ST_NON_VOLATILE = 3,
	MIB_ST_PERMANENT = 4,
	MIB_ST_READ_ONLY = 5,
};

/** Names a column of the generated schema: MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter). */
#define MIB_COL(table, column) (&mib_t_##table.columns[MIB_C_##column])

/* ---- rows and views ---- */

/**
 * A state to read: what is committed, or what a staged transaction would make of it. Rows handed
 * out live until the store's next commit (committed view) or the transaction's next call (staged).
 */
struct mib_view;

/** The committed state. Internal, do not free. */
const struct mib_view *mib_store_view(const struct mib_store *s);

/** What the staged transaction would produce. Internal; valid until the transaction is done. */
const struct mib_view *mib_txn_view(const struct mib_txn *t);

/** The row with that index, or NULL. Augmenting tables share the rows of their base. */
const struct mib_row *mib_view_row(const struct mib_view *v, const struct mib_table *t,
				   const uint32_t *index, size_t len);

/**
 * The first row whose index comes after `after` (NULL: from the beginning), in OID order. O(log n).
 * @param prefix  only rows whose index begins with it; NULL: all
 */
const struct mib_row *mib_view_next(const struct mib_view *v, const struct mib_table *t,
				    const struct mib_oid *prefix, const struct mib_oid *after);

/**
 * An active row in which that column was set to that number and that fits (asked of such rows only,
 * in no order), or NULL. What it costs does not depend on how many other rows there are.
 * @param col  one of mib_found_by (mibs/references.h)
 */
const struct mib_row *mib_view_find_number(const struct mib_view *v, const struct mib_column *col,
					   uint32_t number,
					   bool (*fits)(void *arg, const struct mib_row *r),
					   void *arg);

/** Hears what is read through a view. */
struct mib_reader {
	/**
	 * The row with that index, or rows whose index begins with it, there or not; len 0: any row of
	 * the table. A change of no other row of this table would have given another answer.
	 * @param t  never one that augments another
	 */
	void (*read)(void *arg, const struct mib_table *t, const uint32_t *index, size_t len);
	void *arg;
};

/**
 * A view of the same state that tells a reader what is asked of it. Columns of rows that are handed
 * out are not told of.
 * @param reader  borrowed
 * @return NULL: no memory
 */
struct mib_view *mib_view_told(const struct mib_view *v, const struct mib_reader *reader);
void mib_view_told_free(struct mib_view *v);

const struct mib_table *mib_row_table(const struct mib_row *r);
/** Borrowed until the row goes. */
const uint32_t *mib_row_index(const struct mib_row *r, size_t *len);
void mib_row_index_copy(const struct mib_row *r, struct mib_oid *out);

/** In force as far as RowStatus goes? Rows of tables without RowStatus always are. */
bool mib_row_active(const struct mib_row *r);

/**
 * Is the row meant to be active, but cannot be: was it so on disk, and what it refers to is gone, or
 * values of its own could not be read; or was it imported without its secret? It reads notReady or
 * notInService like any other; but what acts on rows must not take it for one that a manager took
 * out, or packets that it protected pass. Ends when the row becomes active again, and when a manager sets it to notInService or destroys
 * it; outlives changes of its other columns and restarts.
 */
bool mib_row_lost(const struct mib_row *r);

/** Is it lost and are values of its own, too? What it reads as then is not what was set. */
bool mib_row_lost_values(const struct mib_row *r);

/** When the row was changed last, by the store's clock; 0: restored. */
uint64_t mib_row_changed_cs(const struct mib_row *r);

/**
 * The value of a column: as set, else its DEFVAL, else the default our decisions give it.
 * Gives secrets too: only for code that uses them; doors read through mib_get and mib_read.
 * RowStatus is given without asking what is missing: active, notInService for rows that are not, or
 * destroy for a row that is destroyed but stays, active as it was, until nothing points at it
 * (RFC 3289 classifiers).
 * @param col  a column of the row's table, of a table that augments it, or of its index
 * @return false: the column has no value
 */
bool mib_row_get(const struct mib_row *r, const struct mib_column *col, struct mib_value *out);

/** The number of an integer-like column, or fallback when it has no value. */
int64_t mib_row_number(const struct mib_row *r, const struct mib_column *col, int64_t fallback);

/**
 * The text of an octets column, NUL-terminated and cut to size.
 * @return its length, 0 also when it has no value
 */
size_t mib_row_text(const struct mib_row *r, const struct mib_column *col, char *buf, size_t size);

/** Was the column set (false: what mib_row_get gives is a default, or nothing)? */
bool mib_row_is_set(const struct mib_row *r, const struct mib_column *col);

/**
 * What the column reads as while it is not set: its DEFVAL, else the default our decisions give it.
 * @return false: it has none; once set, it cannot be taken away
 */
bool mib_column_default(const struct mib_store *s, const struct mib_column *col,
			struct mib_value *out);

/** RowStatus as read: active, notInService or notReady; *d says what is missing. May be NULL. */
enum mib_row_status mib_row_status(const struct mib_view *v, const struct mib_row *r,
				   struct mib_diag *d);

/** Is the column's value a secret in this row (reads as zero octets at every door)? */
bool mib_row_is_secret(const struct mib_row *r, const struct mib_column *col);

/** Can the column hold a secret in any row? */
bool mib_column_may_be_secret(const struct mib_store *s, const struct mib_column *col);

/* ---- reading as a door ---- */

/**
 * The value of an object instance, as SNMP GET gives it: secrets as zero octets, LastChanged in the
 * master's sysUpTime, observed objects through their source.
 * @param out  borrows until the next call that reads or changes the store
 * @return MIB_OK, MIB_NO_SUCH_OBJECT, MIB_NO_SUCH_INSTANCE, MIB_GEN_ERR
 */
MIB_MUST_CHECK enum mib_err mib_get(struct mib_store *s, const uint32_t *oid, size_t len,
				    struct mib_value *out);

/**
 * The first readable instance at or after oid and before end, as SNMP GETNEXT gives it. A column
 * without a value is skipped.
 * @param include  oid itself counts too (RFC 2741 5.2)
 * @param end      exclusive upper bound; len 0: none
 * @return MIB_OK with *name and *out; MIB_END_OF_VIEW
 */
MIB_MUST_CHECK enum mib_err mib_next(struct mib_store *s, const uint32_t *oid, size_t len,
				     bool include, const uint32_t *end, size_t end_len,
				     struct mib_oid *name, struct mib_value *out);

/** mib_get by column and index. */
MIB_MUST_CHECK enum mib_err mib_read(struct mib_store *s, const struct mib_column *col,
				     const uint32_t *index, size_t index_len,
				     struct mib_value *out);

/**
 * The next index of a table after `after` (NULL: first), for stored and observed tables alike.
 * @return false: no more
 */
bool mib_next_index(struct mib_store *s, const struct mib_table *t, const struct mib_oid *after,
		    struct mib_oid *out);

/* ---- transactions ---- */

enum mib_door { MIB_DOOR_SNMP, MIB_DOOR_CONTROL, MIB_DOOR_XML, MIB_DOOR_SYSTEM };

/**
 * Opens the one transaction that can be staged.
 * @param who  for the log: "SNMP session 3", "ipspctl uid 0"; copied
 * @return MIB_OK with *out; MIB_BUSY: see mib_store_when_free; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err mib_txn_begin(struct mib_store *s, enum mib_door door,
					  const char *who, struct mib_txn **out);

/** The transaction that is staged, or NULL: whose changes a listener hears, whom others wait for. */
const struct mib_txn *mib_store_staged(const struct mib_store *s);
/** As given to mib_txn_begin. */
const char *mib_txn_who(const struct mib_txn *t);
enum mib_door mib_txn_door(const struct mib_txn *t);

/**
 * Rows that are made active here, and that lack nothing but their secret, come in lost instead of
 * being refused (mib_row_lost); so does what refers to them, and a lost row that still cannot be
 * active. For files, which may have no secrets.
 */
void mib_txn_may_lack_secrets(struct mib_txn *t);

/**
 * Stages one assignment, an SNMP varbind. Order does not matter: what needs the whole transaction is
 * judged by mib_txn_prepare. Type, size, value, access and name are judged here.
 * What is assigned twice needs one value (RFC 3416 4.2.5).
 * @return MIB_OK; notWritable, wrongType, wrongLength, wrongEncoding, wrongValue, noCreation,
 *         inconsistentName, inconsistentValue, resourceUnavailable, with *d (varbind counts the
 *         calls, from 1)
 */
MIB_MUST_CHECK enum mib_err mib_txn_set(struct mib_txn *t, const uint32_t *oid, size_t len,
					const struct mib_value *v, struct mib_diag *d);

/** The same by column and index. */
MIB_MUST_CHECK enum mib_err mib_txn_set_column(struct mib_txn *t, const struct mib_column *col,
					       const uint32_t *index, size_t index_len,
					       const struct mib_value *v, struct mib_diag *d);

/**
 * For binders' derive and for loading: assigns without looking at access; makes the row when it is
 * not there (active when its table has no RowStatus). v NULL: the row goes.
 */
MIB_MUST_CHECK enum mib_err mib_txn_force(struct mib_txn *t, const struct mib_column *col,
					  const uint32_t *index, size_t index_len,
					  const struct mib_value *v);

/** TestSet: judges the state the whole transaction would produce. Changes nothing outside t. */
MIB_MUST_CHECK enum mib_err mib_txn_prepare(struct mib_txn *t, struct mib_diag *d);

/**
 * CommitSet: makes it durable, then visible, then tells the listeners. Needs a good prepare.
 * @return MIB_OK; MIB_COMMIT_FAILED: disk refused, nothing changed
 */
MIB_MUST_CHECK enum mib_err mib_txn_commit(struct mib_txn *t, struct mib_diag *d);

/**
 * UndoSet: takes a commit back by a durable reverse transaction, with a generation of its own.
 * @return MIB_OK; MIB_UNDO_FAILED: the disk refused; memory stays as the disk is
 */
MIB_MUST_CHECK enum mib_err mib_txn_undo(struct mib_txn *t, struct mib_diag *d);

/** CleanupSet: ends t in any state and frees it; uncommitted work is forgotten. */
void mib_txn_done(struct mib_txn *t);

/**
 * What a transaction sets off when it is over, such as an action that a SET asked for. Caller's
 * memory; called once, out of the list, when the transaction is done and the store is free.
 */
struct mib_after {
	/** committed: it was, durably, and was not taken back. Only then may anything be done. */
	void (*done)(struct mib_after *a, bool committed);
	struct mib_after *next;
};
void mib_txn_after(struct mib_txn *t, struct mib_after *a);

/** A door refused the request before the store could: it counts as refused, once. */
void mib_txn_refused(struct mib_txn *t);

/** The same for a request that never became a transaction. */
void mib_store_refused(struct mib_store *s);

/** Is anything changed by it (against the state before)? After prepare. */
bool mib_txn_is_change(const struct mib_txn *t);

/** One row that a transaction changed; before or after is NULL when it did not or does not exist. */
struct mib_change {
	const struct mib_table *table;
	const struct mib_row *before;
	const struct mib_row *after;
};

/** What t changes, after prepare; internal, valid until done. For dry runs and listeners. */
const struct mib_change *mib_txn_changes(const struct mib_txn *t, size_t *n);

/** Waits in line for the store to be free. The caller's memory; removed before its call. */
struct mib_waiter {
	void (*free)(struct mib_waiter *w);
	struct mib_waiter *next;
};
/** Called back at once when the store is free; else when all that came before have had their turn. */
void mib_store_when_free(struct mib_store *s, struct mib_waiter *w);
void mib_store_forget_waiter(struct mib_store *s, struct mib_waiter *w);

/* ---- what gives rows their meaning ---- */

/** A table's meaning beyond schema and references. Any member may be NULL. */
struct mib_binder {
	const struct mib_table *table;
	/** Is one value good, beyond its syntax? MIB_WRONG_VALUE, MIB_WRONG_LENGTH or what the MIB says. */
	enum mib_err (*value)(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d);
	/**
	 * May this row be active in that view? All mandatory columns are set, all it refers to is
	 * active. MIB_INCONSISTENT_VALUE with *d. Also decides notInService against notReady.
	 */
	enum mib_err (*check)(const struct mib_view *v, const struct mib_row *r,
			      struct mib_diag *d);
	/** Stages what follows from a change (mib_txn_force); called once a changed row in prepare. */
	enum mib_err (*derive)(struct mib_txn *t, const struct mib_change *c, struct mib_diag *d);
};

/**
 * Told of every commit, in order of registration, when it is durable and visible. The transaction is
 * not done yet: a listener that wants to change something waits for the store to be free.
 */
struct mib_listener {
	void (*committed)(void *arg, uint64_t generation, const struct mib_change *changes,
			  size_t n);
	void *arg;
};

/** Where observed (read-only, not stored) objects come from. */
struct mib_source {
	const struct mib_table *table;
	/** Tables without stored rows: the next index after `after` (NULL: first); NULL otherwise. */
	bool (*next)(void *arg, const struct mib_oid *after, struct mib_oid *out);
	/**
	 * Tables without stored rows, of which columns can be written: is there that row? NULL: none
	 * can be. Such a column asks for something, and always reads as its DEFVAL.
	 */
	bool (*has)(void *arg, const uint32_t *index, size_t len);
	/**
	 * One row of such a table as it was assigned; called once in prepare, and the row is forgotten.
	 * May stage what follows (mib_txn_force), ask to be told of the end (mib_txn_after), or refuse
	 * with *d.
	 */
	enum mib_err (*asked)(void *arg, struct mib_txn *t, const struct mib_row *r,
			      struct mib_diag *d);
	/** *out may borrow from arg until the next call. MIB_OK or MIB_NO_SUCH_INSTANCE. */
	enum mib_err (*read)(void *arg, const struct mib_column *col, const uint32_t *index,
			     size_t index_len, struct mib_value *out);
	void *arg;
};

/**
 * Makes a set of changes durable, in one piece, or refuses; mibs/persist.h has the SQLite one.
 * Volatile rows are not passed, and n may be 0: that the generation was given must not be lost then.
 * @return MIB_OK or MIB_COMMIT_FAILED with *d.
 */
struct mib_journal {
	enum mib_err (*write)(void *arg, uint64_t generation, const struct mib_change *changes,
			      size_t n, struct mib_diag *d);
	void *arg;
};

/**
 * An empty store: all scalars at their defaults.
 * @param journal      borrowed for life; NULL: nothing is kept (tools, tests)
 * @param boottime_cs  a clock that never goes back, in centiseconds (CLOCK_BOOTTIME)
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err mib_store_new(const struct mib_journal *journal,
					  uint64_t (*boottime_cs)(void), struct mib_store **out);
/** No transaction may be staged. NULL is allowed. */
void mib_store_free(struct mib_store *s);

/* All borrowed until the store is freed; call before the first transaction. */
MIB_MUST_CHECK enum mib_err mib_store_add_binder(struct mib_store *s, const struct mib_binder *b);
MIB_MUST_CHECK enum mib_err mib_store_add_listener(struct mib_store *s,
						   const struct mib_listener *l);
MIB_MUST_CHECK enum mib_err mib_store_add_source(struct mib_store *s, const struct mib_source *src);

/** Generation of the last commit; 0 before the first. Survives restarts through the journal. */
uint64_t mib_store_generation(const struct mib_store *s);

/**
 * Generation of the last commit that left something on disk, never above the other: what a
 * database that knows all of this policy's rows that are kept has at least.
 */
uint64_t mib_store_generation_on_disk(const struct mib_store *s);

/** Requests refused since start, for ipspdRefusedRequests. The store counts its own refusals. */
uint64_t mib_store_refusals(const struct mib_store *s);

/** Rows that are not active because something they need is missing. */
size_t mib_store_rows_not_ready(const struct mib_store *s);

/**
 * The master's clock: what boottime_cs was when its sysUpTime was zero. LastChanged is answered in
 * it; 0 for rows restored or older than the master. RFC 2579 TimeStamp, RFC 2741 sysUpTime.
 */
void mib_store_set_master_start(struct mib_store *s, uint64_t boottime_cs);

/** A moment of the store's clock as TimeStamp: in the master's sysUpTime; 0: before its start. */
uint32_t mib_store_time_stamp(const struct mib_store *s, uint64_t boottime_cs);
/** The store's clock now: boottime_cs of mib_store_new. */
uint64_t mib_store_now_cs(const struct mib_store *s);

/**
 * Loading from disk, before serving: adds a row as it was. Whatever does not fit the schema (a
 * column that is gone, a value out of range) is refused with *d and left out; a row without one of
 * its values is not made active (mib_row_lost_values). As RowStatus, notReady stands for a row that
 * was active and has lost values at an earlier load.
 */
MIB_MUST_CHECK enum mib_err mib_store_load_cell(struct mib_store *s, const struct mib_column *col,
						const uint32_t *index, size_t index_len,
						const struct mib_value *v, struct mib_diag *d);

/**
 * The disk has a value for that column which cannot be read: its row is not made active
 * (mib_row_lost_values). Rows of tables without RowStatus go by their defaults.
 * @return MIB_OK, what is wrong with the index, MIB_RESOURCE_UNAVAILABLE; with *d
 */
MIB_MUST_CHECK enum mib_err mib_store_load_lost(struct mib_store *s, const struct mib_column *col,
						const uint32_t *index, size_t index_len,
						struct mib_diag *d);

/**
 * Ends loading: settles which rows can be active. Rows whose targets are gone become notReady, and
 * are lost (mib_row_lost).
 * @param generation  the last one given
 * @param on_disk     the last one that came with rows
 * @param report      called for each such row with the reason; may be NULL
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE: no memory; free the store, it is not what was on disk
 */
MIB_MUST_CHECK enum mib_err mib_store_load_end(struct mib_store *s, uint64_t generation,
					       uint64_t on_disk,
					       void (*report)(void *arg, const struct mib_diag *d),
					       void *arg);

#endif
