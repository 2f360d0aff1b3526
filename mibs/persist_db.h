/*
 * mibs/persist_db.h - what the parts of mibs/persist.h share: the connection, its statements, its
 * transactions, and which ids the names of the schema have in this database. For persist*.c only.
 *
 *     meta     generation (of the last commit that wrote), reserved (none above it was given),
 *              key_check, settled, file_salt
 *     module   the highest revision of each MIB module that wrote here
 *     tbl, col names <-> ids; a col is also told apart by how its values are stored (kind)
 *     cell     one value: (row's base table, index, col) -> value, sealed or not
 *     reserve  sequence number reservations
 *
 * An index is stored as its sub-identifiers of 4 octets, highest first, so SQLite's order of blobs
 * is the order of OIDs.
 */
#ifndef MIBS_PERSIST_DB_H
#define MIBS_PERSIST_DB_H

#include <sqlite3.h>

#include "mibs/persist.h"

/** The cached statements; their text is in persist_db.c. */
enum db_stmt {
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_CELL_DROP,
	DB_ROW_DROP,
	DB_GENERATION_PUT,
	DB_GENERATION_RESERVE,
	DB_SETTLE,
	DB_RESERVE_GET,
	DB_RESERVE_PUT,
	DB_RESERVE_ALL,
	DB_RESERVE_DROP,
	DB_N_STMTS
};

/** One statement writes so many cells of a row: each statement costs as much as a cell. */
#define DB_CELLS_MAX 8

/* Its parameters: table, index, then three for each cell. */
enum { DB_CELLS_TBL = 1, DB_CELLS_IDX, DB_CELLS_FIRST, DB_CELLS_EACH = 3 };

/** A column whose values are kept, with its id here. */
struct db_column {
	const struct mib_column *col;
	int64_t id;
};

/** A table with rows of its own, and all columns kept with them: its own and augmenting ones. */
struct db_table {
	const struct mib_table *table;
	int64_t id;
	struct db_column *columns;
	size_t n_columns;
};

struct mib_db {
	char *path;
	struct mib_seal *seal;
	sqlite3 *sql;
	sqlite3_stmt *stmts[DB_N_STMTS];
	sqlite3_stmt *cells_put[DB_CELLS_MAX];	/* of one cell, of two, .. */
	struct mib_journal journal;
	struct db_table *tables;	/* in the order of mib_tables, without augmenting ones */
	size_t n_tables;
	uint64_t generation;		/* the last one given */
	uint64_t on_disk;		/* the last one that came with rows */
	uint64_t reserved;		/* none above it was given without being written */
	bool has_strays;		/* cells may be there that no row of memory has */
	int wal_pages;
	/*
	 * A commit failed after its end may have reached the log. Memory says it did not happen;
	 * were we to crash now, recovery could say it did. What is written next takes its place.
	 */
	bool is_doubtful;
};

/** Fills *d with the file and a reason. @return err */
enum mib_err db_fail(const struct mib_db *db, enum mib_err err, struct mib_diag *d,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** The same, adding what SQLite says of its last error. */
enum mib_err db_fail_sql(const struct mib_db *db, enum mib_err err, struct mib_diag *d,
			 const char *doing);

/** Runs SQL text without results. @return SQLite's code */
int db_exec(struct mib_db *db, const char *sql);

/** Steps a statement that gives no row, and resets it. @return SQLITE_OK or SQLite's code */
int db_run(sqlite3_stmt *st);

/** Begins a write transaction. @return SQLite's code */
int db_begin(struct mib_db *db);

/** Ends it; durable on SQLITE_OK. Anything else: call db_abort. */
int db_commit(struct mib_db *db);

/** After any failure: takes the transaction back, on disk as well as the disk allows. */
void db_abort(struct mib_db *db);

/** Writes an empty transaction over what a failed commit may have left. @return SQLite's code */
int db_settle(struct mib_db *db);

/* ---- persist_generation.c ---- */

/** Reads which generations were given. */
enum mib_err db_generation_load(struct mib_db *db, struct mib_diag *d);

/** Within a transaction: its rows make that generation. */
enum mib_err db_generation_write(struct mib_db *db, uint64_t generation, struct mib_diag *d);

/** A commit that writes no rows takes that generation; durable when it returns. */
enum mib_err db_generation_take(struct mib_db *db, uint64_t generation, struct mib_diag *d);

/** At an orderly end: what is reserved and was not used is free again. */
void db_generation_give_back(struct mib_db *db);

/* ---- persist_names.c ---- */

/** Integer, octets or oid: how values of that syntax are stored. */
const char *db_kind(enum mib_syntax syntax);

/** Gives every name of the schema its id, within a transaction. */
enum mib_err db_names_sync(struct mib_db *db, struct mib_diag *d);
void db_names_fini(struct mib_db *db);

/** Reports modules whose revision in the database is newer than ours. */
enum mib_err db_modules_report(struct mib_db *db,
			       void (*report)(void *arg, const struct mib_diag *d), void *arg,
			       struct mib_diag *d);

/** The table with rows of its own that t's rows are in. */
const struct mib_table *db_base_table(const struct mib_table *t);
/** @return the entry of that table's rows; NULL: nothing of it is kept. */
const struct db_table *db_table_of(const struct mib_db *db, const struct mib_table *t);
const struct db_table *db_table_by_id(const struct mib_db *db, int64_t id);
/** @return the column of t with that id; NULL: the schema does not have it. */
const struct mib_column *db_column_by_id(const struct db_table *t, int64_t id);

#endif
