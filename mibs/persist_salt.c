/*
 * mibs/persist_salt.c - the salt under which this store's secrets leave in files, see
 * mibs/persist.h. One a store, for life: with the same key, the same state gives the same octets.
 */
#include "config.h"

#include "mibs/persist_db.h"
#include "mibs/seal_int.h"

#include <string.h>

/** @return MIB_OK; MIB_NO_SUCH_INSTANCE: there is none yet; MIB_RESOURCE_UNAVAILABLE with *d */
static enum mib_err salt_get(struct mib_db *db, uint8_t salt[MIB_FILE_SEAL_SALT],
			     struct mib_diag *d)
{
	enum mib_err err;
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db->sql, "SELECT value FROM meta WHERE key = 'file_salt'", -1, &st,
			       NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");

	int rc = sqlite3_step(st);
	const void *blob = rc == SQLITE_ROW ? sqlite3_column_blob(st, 0) : NULL;

	if (blob && sqlite3_column_bytes(st, 0) == MIB_FILE_SEAL_SALT) {
		memcpy(salt, blob, MIB_FILE_SEAL_SALT);
		err = MIB_OK;
	} else if (rc == SQLITE_ROW) {
		err = db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			      "the database is corrupt: its salt has no %d octets",
			      MIB_FILE_SEAL_SALT);
	} else {
		err = rc == SQLITE_DONE ? MIB_NO_SUCH_INSTANCE :
					  db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
						      "cannot read the database");
	}
	sqlite3_finalize(st);
	return err;
}

static enum mib_err salt_put(struct mib_db *db, const uint8_t salt[MIB_FILE_SEAL_SALT],
			     struct mib_diag *d)
{
	sqlite3_stmt *st = NULL;
	int rc = db_begin(db);

	if (!rc)
		rc = sqlite3_prepare_v2(db->sql, "INSERT INTO meta VALUES('file_salt', ?1)", -1,
					&st, NULL);
	if (!rc)
		rc = sqlite3_bind_blob(st, 1, salt, MIB_FILE_SEAL_SALT, SQLITE_STATIC);
	if (!rc)
		rc = db_run(st);
	sqlite3_finalize(st);
	if (!rc)
		rc = db_commit(db);
	if (!rc)
		return MIB_OK;
	enum mib_err err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write the database");
	db_abort(db);
	return err;
}

enum mib_err mib_db_file_salt(struct mib_db *db, uint8_t salt[MIB_FILE_SEAL_SALT],
			      struct mib_diag *d)
{
	uint8_t made[MIB_FILE_SEAL_SALT];
	enum mib_err err = salt_get(db, salt, d);

	if (err != MIB_NO_SUCH_INSTANCE)
		return err;
	if (!mib_seal_random(made, sizeof(made)))
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "no random numbers for a salt");
	err = salt_put(db, made, d);
	if (!err)
		memcpy(salt, made, sizeof(made));
	return err;
}

enum mib_err mib_db_adopt_file_salt(struct mib_db *db, const uint8_t salt[MIB_FILE_SEAL_SALT],
				    struct mib_diag *d)
{
	uint8_t own[MIB_FILE_SEAL_SALT];
	enum mib_err err = salt_get(db, own, d);

	return err == MIB_NO_SUCH_INSTANCE ? salt_put(db, salt, d) : err;
}
