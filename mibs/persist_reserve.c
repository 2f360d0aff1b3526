/*
 * mibs/persist_reserve.c - reservations of sequence numbers, see mibs/persist.h. RFC 4303 3.3.3: no
 * number twice under one key, over restarts too.
 *
 * Numbers are blobs of 8 octets, highest first: SQLite's integers are signed.
 */
#include "config.h"

#include "mibs/persist_db.h"

#include <stdlib.h>
#include <string.h>

#define RESERVE_LEN 8

static void reserve_put64(uint8_t out[RESERVE_LEN], uint64_t n)
{
	for (int i = 0; i < RESERVE_LEN; i++)
		out[i] = (uint8_t)(n >> (56 - 8 * i));
}

static bool reserve_column64(sqlite3_stmt *st, uint64_t *out)
{
	const uint8_t *octets = sqlite3_column_blob(st, 0);

	if (!octets || sqlite3_column_bytes(st, 0) != RESERVE_LEN)
		return false;
	*out = 0;
	for (int i = 0; i < RESERVE_LEN; i++)
		*out = *out << 8 | octets[i];
	return true;
}

/** Runs a query of one parameter and at most one 64-bit number. */
static enum mib_err reserve_query(struct mib_db *db, enum db_stmt which, const uint8_t *param,
				  int param_len, uint64_t *out, struct mib_diag *d)
{
	sqlite3_stmt *st = db->stmts[which];
	enum mib_err err;
	int rc = sqlite3_bind_blob(st, 1, param, param_len, SQLITE_STATIC);

	if (!rc)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		err = reserve_column64(st, out) ?
			      MIB_OK :
			      db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
				      "the database is corrupt: a reservation has no 8 octets");
	else if (rc == SQLITE_DONE)
		err = MIB_NO_SUCH_INSTANCE;
	else
		err = db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return err;
}

enum mib_err mib_db_reserve_get(struct mib_db *db, uint64_t counter_id, uint64_t *reserved,
				struct mib_diag *d)
{
	uint8_t id[RESERVE_LEN];

	reserve_put64(id, counter_id);
	return reserve_query(db, DB_RESERVE_GET, id, sizeof(id), reserved, d);
}

/** Within a transaction. */
static enum mib_err reserve_put(struct mib_db *db, const struct mib_reservation *r,
				struct mib_diag *d)
{
	sqlite3_stmt *st = db->stmts[DB_RESERVE_PUT];
	uint8_t id[RESERVE_LEN], number[RESERVE_LEN];
	uint64_t before;
	enum mib_err err = mib_db_reserve_get(db, r->counter_id, &before, d);

	if (!err && r->reserved < before)
		return db_fail(db, MIB_INCONSISTENT_VALUE, d,
			       "counter %016llx: %llu sequence numbers are reserved, %llu would "
			       "allow to send one twice", (unsigned long long)r->counter_id,
			       (unsigned long long)before, (unsigned long long)r->reserved);
	if (err && err != MIB_NO_SUCH_INSTANCE)
		return MIB_COMMIT_FAILED;
	reserve_put64(id, r->counter_id);
	reserve_put64(number, r->reserved);
	if (sqlite3_bind_blob(st, 1, id, sizeof(id), SQLITE_STATIC) ||
	    sqlite3_bind_blob(st, 2, number, sizeof(number), SQLITE_STATIC) || db_run(st))
		return db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	return MIB_OK;
}

enum mib_err mib_db_reserve_put_all(struct mib_db *db, const struct mib_reservation *r, size_t n,
				    struct mib_diag *d)
{
	enum mib_err err = MIB_OK;

	if (db_begin(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	for (size_t i = 0; i < n && !err; i++)
		err = reserve_put(db, &r[i], d);
	if (!err && db_commit(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	if (err)
		db_abort(db);
	return err;
}

enum mib_err mib_db_reserve_put(struct mib_db *db, uint64_t counter_id, uint64_t reserved,
				struct mib_diag *d)
{
	const struct mib_reservation r = { counter_id, reserved };

	return mib_db_reserve_put_all(db, &r, 1, d);
}

static int reserve_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/** Deletes, within a transaction, what is not among the sorted ids. */
static enum mib_err reserve_drop_others(struct mib_db *db, const uint64_t *ids, size_t n,
					struct mib_diag *d)
{
	sqlite3_stmt *drop = db->stmts[DB_RESERVE_DROP];
	uint8_t last[RESERVE_LEN];
	int last_len = 0;	/* no octets come before all others */
	uint64_t id;
	enum mib_err err;

	while (!(err = reserve_query(db, DB_RESERVE_ALL, last, last_len, &id, d))) {
		reserve_put64(last, id);
		last_len = RESERVE_LEN;
		if (n && bsearch(&id, ids, n, sizeof(*ids), reserve_compare))
			continue;
		if (sqlite3_bind_blob(drop, 1, last, RESERVE_LEN, SQLITE_STATIC) || db_run(drop))
			return db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	}
	return err == MIB_NO_SUCH_INSTANCE ? MIB_OK : MIB_COMMIT_FAILED;
}

enum mib_err mib_db_reserve_keep(struct mib_db *db, const uint64_t *counter_ids, size_t n,
				 struct mib_diag *d)
{
	uint64_t *ids = calloc(n ? n : 1, sizeof(*ids));

	if (!ids)
		return db_fail(db, MIB_COMMIT_FAILED, d, "out of memory");
	if (n)
		memcpy(ids, counter_ids, n * sizeof(*ids));
	qsort(ids, n, sizeof(*ids), reserve_compare);

	enum mib_err err = MIB_OK;

	if (db_begin(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	if (!err)
		err = reserve_drop_others(db, ids, n, d);
	if (!err && db_commit(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	if (err)
		db_abort(db);
	free(ids);
	return err;
}
