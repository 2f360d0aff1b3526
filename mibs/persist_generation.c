/*
 * mibs/persist_generation.c - which generations were given, so that none is given twice.
 *
 * A commit of rows that are kept writes its own generation with them. Commits that leave nothing on
 * disk must not cost a sync each, and yet their generations must not come back after a crash: they
 * are taken from a block that was reserved. What is loaded after a crash goes on above the block.
 */
#include "config.h"

#include "mibs/persist_db.h"

static enum mib_err number_load(struct mib_db *db, const char *sql, bool *found, uint64_t *out,
				struct mib_diag *d)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL);

	if (!rc)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(st, 0);
	*found = rc == SQLITE_ROW;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ?
		       MIB_OK :
		       db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
}

enum mib_err db_generation_load(struct mib_db *db, struct mib_diag *d)
{
	bool found;
	enum mib_err err = number_load(db, "SELECT value FROM meta WHERE key = 'generation'",
				       &found, &db->on_disk, d);

	if (!err && !found)
		err = db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			      "the database is corrupt: it has no generation");
	if (!err)
		err = number_load(db, "SELECT value FROM meta WHERE key = 'reserved'", &found,
				  &db->reserved, d);
	if (!err)
		db->generation = db->reserved > db->on_disk ? db->reserved : db->on_disk;
	return err;
}

enum mib_err db_generation_write(struct mib_db *db, uint64_t generation, struct mib_diag *d)
{
	sqlite3_stmt *st = db->stmts[DB_GENERATION_PUT];

	if (sqlite3_bind_int64(st, 1, (int64_t)generation) || db_run(st))
		return db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	return MIB_OK;
}

static enum mib_err reserve(struct mib_db *db, uint64_t upto, struct mib_diag *d)
{
	sqlite3_stmt *st = db->stmts[DB_GENERATION_RESERVE];
	enum mib_err err = MIB_OK;

	if (db_begin(db) || sqlite3_bind_int64(st, 1, (int64_t)upto) || db_run(st) ||
	    db_commit(db)) {
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
		db_abort(db);
	}
	if (!err)
		db->reserved = upto;
	return err;
}

enum mib_err db_generation_take(struct mib_db *db, uint64_t generation, struct mib_diag *d)
{
	enum mib_err err = MIB_OK;

	/* Nothing is written that would take the place of a commit that was refused. */
	if (db->is_doubtful && db_settle(db))
		return db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	if (generation > db->reserved)
		err = reserve(db, UINT64_MAX - generation < MIB_DB_GENERATIONS ?
					  UINT64_MAX :
					  generation + MIB_DB_GENERATIONS - 1, d);
	if (!err)
		db->generation = generation;
	return err;
}

void db_generation_give_back(struct mib_db *db)
{
	struct mib_diag d;

	/* Refused: the next start goes on above the block, as after a crash. */
	if (db->reserved > db->generation)
		(void)reserve(db, db->generation, &d);
}
