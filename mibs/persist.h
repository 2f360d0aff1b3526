/*
 * mibs/persist.h - the MIB state on disk: one SQLite database, which the store's commits write.
 *
 * What a call has answered survives kill -9 and power loss: write-ahead log, synced at each commit.
 * Rows are kept by the names of module, table and column, so a database outlives changes of the
 * schema: a new column takes its default; values of a column that is gone stay in the database,
 * unused and reported at load. Volatile rows are never written. Secrets are written sealed only
 * (mibs/seal.h).
 *
 * One process at a time has the database, by SQLite's exclusive lock. Single-threaded.
 */
#ifndef MIBS_PERSIST_H
#define MIBS_PERSIST_H

#include "mibs/file_seal.h"
#include "mibs/seal.h"
#include "mibs/store.h"

struct mib_db;

/** Layout of our SQL tables. A database with a higher number is refused. */
#define MIB_DB_VERSION 1

/** mib_db_idle moves the log into the database when it has so many pages of 4096 octets (1 MiB). */
#define MIB_DB_IDLE_PAGES 256
/** So many generations that leave nothing on disk cost one sync; a crash may skip as many. */
#define MIB_DB_GENERATIONS 1024
/** A commit that makes the log longer than that (16 MiB) moves it itself, however busy we are. */
#define MIB_DB_WAL_MAX_PAGES 4096

/**
 * Opens the database, making it (mode 0600) and the key of its secrets when neither is there yet.
 * @param path  absolute; the file may not be a symbolic link; copied
 * @param seal  borrowed until mib_db_close
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE with *d naming the file and the reason: it is
 *         corrupt, no database of ours, of a newer version, read-only, writable by others, in use,
 *         the disk is full, its key file is missing or not its own. Nothing is changed then.
 */
MIB_MUST_CHECK enum mib_err mib_db_open(const char *path, struct mib_seal *seal,
					struct mib_db **out, struct mib_diag *d);

/** Moves the log into the database and frees. db may be NULL. */
void mib_db_close(struct mib_db *db);

/**
 * Fills an empty store by mib_store_load_cell and ends its loading with mib_store_load_end.
 * @param report  told of everything left out: values the schema refuses or does not know, secrets
 *                that do not open in their place, rows not ready. May be NULL.
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d: unreadable or out of memory; free the store
 */
MIB_MUST_CHECK enum mib_err mib_db_load(struct mib_db *db, struct mib_store *s,
					void (*report)(void *arg, const struct mib_diag *d),
					void *arg, struct mib_diag *d);

/** For mib_store_new. Internal, do not free; good until mib_db_close. */
const struct mib_journal *mib_db_journal(struct mib_db *db);

/**
 * To be called when there is nothing else to do: moves a long log into the database (may wait for
 * the disk), and makes sure that what a failed commit left on disk can never come back.
 * @return MIB_OK, also when there was nothing to do; MIB_RESOURCE_UNAVAILABLE with *d for the log:
 *         nothing is lost, call again later
 */
MIB_MUST_CHECK enum mib_err mib_db_idle(struct mib_db *db, struct mib_diag *d);

/**
 * Moves the whole log into the database, and has SQLite check what is there then. Waits for the disk.
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d: the disk refuses, or the database is damaged
 */
MIB_MUST_CHECK enum mib_err mib_db_checkpoint(struct mib_db *db, struct mib_diag *d);

/* ---- the salt of secrets in files (mibs/file_seal.h) ---- */

/** The store's salt, made and durable now if it had none. @return MIB_OK, or why not with *d */
MIB_MUST_CHECK enum mib_err mib_db_file_salt(struct mib_db *db, uint8_t salt[MIB_FILE_SEAL_SALT],
					     struct mib_diag *d);

/** A store without a salt takes that one; one that has keeps its own. */
MIB_MUST_CHECK enum mib_err mib_db_adopt_file_salt(struct mib_db *db,
						   const uint8_t salt[MIB_FILE_SEAL_SALT],
						   struct mib_diag *d);

/* ---- sequence numbers of manual SAs ---- */

/*
 * Numbers below a reservation may have been sent under the key that counter_id stands for and must
 * never be sent again (RFC 4303 3.3.3). So a reservation can only grow.
 */
struct mib_reservation {
	uint64_t counter_id;
	uint64_t reserved;
};

/** @return MIB_OK with *reserved; MIB_NO_SUCH_INSTANCE: none; MIB_RESOURCE_UNAVAILABLE */
MIB_MUST_CHECK enum mib_err mib_db_reserve_get(struct mib_db *db, uint64_t counter_id,
					       uint64_t *reserved, struct mib_diag *d);

/**
 * Durable when it returns.
 * @return MIB_OK; MIB_INCONSISTENT_VALUE with *d: lower than what is reserved; MIB_COMMIT_FAILED
 *         with *d: the disk refuses. Nothing is changed then.
 */
MIB_MUST_CHECK enum mib_err mib_db_reserve_put(struct mib_db *db, uint64_t counter_id,
					       uint64_t reserved, struct mib_diag *d);

/** mib_db_reserve_put of all of them, or of none, at the cost of one. */
MIB_MUST_CHECK enum mib_err mib_db_reserve_put_all(struct mib_db *db,
						   const struct mib_reservation *r, size_t n,
						   struct mib_diag *d);

/**
 * Forgets all reservations but those of these ids. A forgotten id that comes back begins at zero,
 * so name every key that can come back.
 * @return MIB_OK; MIB_COMMIT_FAILED with *d
 */
MIB_MUST_CHECK enum mib_err mib_db_reserve_keep(struct mib_db *db, const uint64_t *counter_ids,
						size_t n, struct mib_diag *d);

#endif
