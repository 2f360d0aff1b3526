/*
 * mibs/persist_db.c - the database file: opening and judging it, transactions, the log. What rows
 * mean is not known here.
 *
 * SQLite's promises used: a commit in WAL mode with synchronous=FULL is on disk when it returns;
 * recovery takes over whole transactions only.
 */
#include "config.h"

#include "mibs/persist_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB_TEXT2(x) #x
#define DB_TEXT(x) DB_TEXT2(x)

/* "ipsp": what file(1) and we know our databases by. */
#define DB_APPLICATION_ID 1769173872

/* Longest text or blob; OCTET STRING ends at 65535 octets (RFC 2578 7.1.2). */
#define DB_VALUE_MAX (1 << 20)

static const char db_layout[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE module(name TEXT PRIMARY KEY NOT NULL, revision TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tbl(id INTEGER PRIMARY KEY, module TEXT NOT NULL, name TEXT NOT NULL,"
	" UNIQUE(module, name));"
	"CREATE TABLE col(id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL REFERENCES tbl(id),"
	" name TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE(tbl, name, kind));"
	"CREATE TABLE cell(tbl INTEGER NOT NULL REFERENCES tbl(id), idx BLOB NOT NULL,"
	" col INTEGER NOT NULL REFERENCES col(id), sealed INTEGER NOT NULL, value NOT NULL,"
	" PRIMARY KEY(tbl, idx, col)) WITHOUT ROWID;"
	"CREATE TABLE reserve(id BLOB PRIMARY KEY NOT NULL, reserved BLOB NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('generation', 0), ('settled', 0);"
	"PRAGMA application_id = " DB_TEXT(DB_APPLICATION_ID) ";"
	"PRAGMA user_version = " DB_TEXT(MIB_DB_VERSION) ";";

/*
 * Exclusive: no second daemon on the same state, and no shared memory file. It has to stand before
 * the first access.
 */
static const char db_before_access[] =
	"PRAGMA locking_mode = EXCLUSIVE;"
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;"
	"PRAGMA mmap_size = 0;"
	"PRAGMA temp_store = MEMORY;";

static const char db_after_wal[] =
	"PRAGMA synchronous = FULL;"
	"PRAGMA journal_size_limit = 4194304;";

static const char *const db_stmt_text[DB_N_STMTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_CELL_DROP] = "DELETE FROM cell WHERE tbl = ?1 AND idx = ?2 AND col = ?3",
	[DB_ROW_DROP] = "DELETE FROM cell WHERE tbl = ?1 AND idx = ?2",
	[DB_GENERATION_PUT] = "UPDATE meta SET value = ?1 WHERE key = 'generation'",
	[DB_GENERATION_RESERVE] = "INSERT INTO meta VALUES('reserved', ?1)"
				  " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
	[DB_SETTLE] = "UPDATE meta SET value = value + 1 WHERE key = 'settled'",
	[DB_RESERVE_GET] = "SELECT reserved FROM reserve WHERE id = ?1",
	[DB_RESERVE_PUT] = ("INSERT INTO reserve(id, reserved) VALUES(?1, ?2)"
			    " ON CONFLICT(id) DO UPDATE SET reserved = excluded.reserved"),
	[DB_RESERVE_ALL] = "SELECT id FROM reserve WHERE id > ?1 ORDER BY id LIMIT 1",
	[DB_RESERVE_DROP] = "DELETE FROM reserve WHERE id = ?1",
};

/* ---- errors and statements ---- */

enum mib_err db_fail(const struct mib_db *db, enum mib_err err, struct mib_diag *d,
		     const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	mib_diag_set(d, NULL, NULL, 0, "%s: %s", db->path, why);
	return err;
}

enum mib_err db_fail_sql(const struct mib_db *db, enum mib_err err, struct mib_diag *d,
			 const char *doing)
{
	int os = sqlite3_system_errno(db->sql);
	int code = sqlite3_errcode(db->sql) & 0xff;

	/* Not SQLite's: an allocation of ours failed in between. */
	if (code == SQLITE_OK)
		return db_fail(db, err, d, "%s: out of memory", doing);
	if (code == SQLITE_BUSY)
		return db_fail(db, err, d, "%s: in use by another process", doing);
	if (os && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL))
		return db_fail(db, err, d, "%s: %s (%s)", doing, sqlite3_errmsg(db->sql),
			       strerror(os));
	return db_fail(db, err, d, "%s: %s", doing, sqlite3_errmsg(db->sql));
}

int db_exec(struct mib_db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
}

int db_run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	/* sqlite3_reset repeats the error of the step, or gives the one that step could not. */
	int reset = sqlite3_reset(st);

	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? reset : rc;
}

/** The number that a one-row query gives. @return SQLite's code */
static int db_number(struct mib_db *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, &st, NULL);

	if (rc)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

/* ---- transactions and the log ---- */

/** SQLite calls this after each commit that wrote to the log. */
static int db_on_log(void *arg, sqlite3 *sql, const char *name, int pages)
{
	struct mib_db *db = arg;

	(void)sql;
	(void)name;
	db->wal_pages = pages;
	db->is_doubtful = false;
	return SQLITE_OK;
}

static int db_checkpoint(struct mib_db *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	if (rc == SQLITE_OK)
		db->wal_pages = 0;
	return rc;
}

int db_begin(struct mib_db *db)
{
	return db_run(db->stmts[DB_BEGIN]);
}

int db_commit(struct mib_db *db)
{
	int rc = db_run(db->stmts[DB_COMMIT]);

	if (rc) {
		db->is_doubtful = true;
		return rc;
	}
	/* The commit is durable already; a log that cannot be moved now is moved another time. */
	if (db->wal_pages > MIB_DB_WAL_MAX_PAGES)
		(void)db_checkpoint(db);
	return SQLITE_OK;
}

int db_settle(struct mib_db *db)
{
	int rc = db_begin(db);

	if (!rc)
		rc = db_run(db->stmts[DB_SETTLE]);
	if (!rc)
		rc = db_commit(db);
	if (rc && !sqlite3_get_autocommit(db->sql))
		(void)db_run(db->stmts[DB_ROLLBACK]);
	return rc;
}

void db_abort(struct mib_db *db)
{
	if (!sqlite3_get_autocommit(db->sql))
		(void)db_run(db->stmts[DB_ROLLBACK]);
	/* If the disk refuses this too, is_doubtful stays and mib_db_idle tries again. */
	if (db->is_doubtful)
		(void)db_settle(db);
}

enum mib_err mib_db_idle(struct mib_db *db, struct mib_diag *d)
{
	if (db->is_doubtful && db_settle(db))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
				   "cannot take back a commit that failed");
	if (db->wal_pages >= MIB_DB_IDLE_PAGES && db_checkpoint(db))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
				   "cannot move the log into the database");
	return MIB_OK;
}

/** SQLite says "ok" in one row, else what is wrong. */
static enum mib_err db_check(struct mib_db *db, struct mib_diag *d)
{
	enum mib_err err = MIB_OK;
	const char *said;
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &st, NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot check the database");
	if (sqlite3_step(st) != SQLITE_ROW)
		err = db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot check the database");
	said = err == MIB_OK ? (const char *)sqlite3_column_text(st, 0) : NULL;
	if (err == MIB_OK && (!said || strcmp(said, "ok") != 0))
		err = db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "the database is damaged: %s",
			      said ? said : "out of memory");
	sqlite3_finalize(st);
	return err;
}

enum mib_err mib_db_checkpoint(struct mib_db *db, struct mib_diag *d)
{
	if (db->is_doubtful && db_settle(db))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
				   "cannot take back a commit that failed");
	if (db_checkpoint(db))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
				   "cannot move the log into the database");
	return db_check(db, d);
}

/* ---- opening ---- */

/** Makes the file, or looks at the one that is there. SQLite would make it readable by all. */
static enum mib_err db_file_prepare(const struct mib_db *db, bool *is_new, struct mib_diag *d)
{
	struct stat st;
	int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) {
		*is_new = true;
		close(fd);
		return MIB_OK;
	}
	if (errno != EEXIST)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot make the database: %s",
			       strerror(errno));
	if (lstat(db->path, &st) < 0)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot open the database: %s",
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the database is no regular file");
	if (st.st_mode & 022)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the database has mode %04o: others may write it, 0600 is needed",
			       st.st_mode & 07777u);
	return MIB_OK;
}

/** Takes back what a failed first start made. */
static void db_file_remove(const struct mib_db *db)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char *name;

		if (asprintf(&name, "%s%s", db->path, ends[i]) < 0)
			return;
		unlink(name);
		free(name);
	}
}

static enum mib_err db_connect(struct mib_db *db, struct mib_diag *d)
{
	/* One thread uses it, and nobody asks what it allocates. Refused once it is in use: as well. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

	int rc = sqlite3_open_v2(db->path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);

	if (!db->sql)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "out of memory");
	if (rc)
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot open the database");
	sqlite3_extended_result_codes(db->sql, 1);
	sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, DB_VALUE_MAX);
	sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);

	static const struct {
		int option;
		int value;
	} config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		/* Until it is known to be good, its log is not touched. */
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};

	for (size_t i = 0; i < sizeof(config) / sizeof(config[0]) && !rc; i++)
		rc = sqlite3_db_config(db->sql, config[i].option, config[i].value, NULL);
	if (!rc)
		rc = db_exec(db, db_before_access);
	return rc ? db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot set up the database") :
		    MIB_OK;
}

static enum mib_err db_quick_check(struct mib_db *db, struct mib_diag *d)
{
	sqlite3_stmt *st;
	enum mib_err err = MIB_OK;

	if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &st, NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot check the database");
	if (sqlite3_step(st) != SQLITE_ROW) {
		err = db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot check the database");
	} else {
		const char *found = (const char *)sqlite3_column_text(st, 0);
		const char *line = found ? strrchr(found, '\n') : NULL;

		/* A heading may stand above what was found. */
		if (!found || strcmp(found, "ok"))
			err = db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
				      "the database is corrupt: %s",
				      line ? line + 1 : found ? found : "no memory");
	}
	sqlite3_finalize(st);
	return err;
}

/** Is it ours, whole, writable and not newer than we are? Changes nothing. */
static enum mib_err db_judge(struct mib_db *db, bool *is_empty, struct mib_diag *d)
{
	int64_t application, version, objects;

	/* SQLite opens so what it may not write. */
	if (sqlite3_db_readonly(db->sql, "main"))
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "the database is read-only");
	if (db_number(db, "PRAGMA application_id", &application) ||
	    db_number(db, "PRAGMA user_version", &version) ||
	    db_number(db, "SELECT count(*) FROM sqlite_schema", &objects))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
	*is_empty = application == 0 && version == 0 && objects == 0;
	if (*is_empty)
		return MIB_OK;
	if (application != DB_APPLICATION_ID)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "this is no database of ipspd");
	if (version > MIB_DB_VERSION)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the database has version %lld; this ipspd knows %d: use a newer "
			       "one",
			       (long long)version, MIB_DB_VERSION);
	if (version < 1)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the database is corrupt: version %lld", (long long)version);
	return db_quick_check(db, d);
}

/**
 * Is the seal's key the one of this database? Makes one when nothing was ever sealed here.
 * @param check_missing  out: the database does not know a key yet
 */
static enum mib_err db_judge_key(struct mib_db *db, bool is_empty, bool *check_missing,
				 struct mib_diag *d)
{
	const char *key = mib_seal_path(db->seal);
	sqlite3_stmt *st;
	int64_t sealed = 0;
	bool fits = false;

	*check_missing = true;
	if (is_empty)
		return mib_seal_has_key(db->seal) ? MIB_OK : mib_seal_make_key(db->seal, d);
	if (db_number(db, "SELECT EXISTS(SELECT 1 FROM cell WHERE sealed)", &sealed) ||
	    sqlite3_prepare_v2(db->sql, "SELECT value FROM meta WHERE key = 'key_check'", -1, &st,
			       NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");

	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		const uint8_t *blob = sqlite3_column_blob(st, 0);

		*check_missing = false;
		fits = blob && mib_seal_check_fits(db->seal, blob,
						   (size_t)sqlite3_column_bytes(st, 0));
	}
	sqlite3_finalize(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
	if (*check_missing && sealed)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the database is corrupt: it has secrets but knows no key");
	if (!*check_missing && !mib_seal_has_key(db->seal))
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "the key %s of its secrets is missing: put it back (none is made "
			       "anew, that would lose them)", key);
	if (!*check_missing && !fits)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d,
			       "its secrets were sealed under a key other than %s", key);
	return mib_seal_has_key(db->seal) ? MIB_OK : mib_seal_make_key(db->seal, d);
}

static enum mib_err db_set_wal(struct mib_db *db, struct mib_diag *d)
{
	sqlite3_stmt *st;
	bool ok = false;

	if (!sqlite3_prepare_v2(db->sql, "PRAGMA journal_mode = WAL", -1, &st, NULL)) {
		ok = sqlite3_step(st) == SQLITE_ROW &&
		     !strcmp((const char *)sqlite3_column_text(st, 0), "wal");
		sqlite3_finalize(st);
	}
	if (!ok || db_exec(db, db_after_wal))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot use a write-ahead log");
	/* It takes the place of SQLite's own hook, which checkpoints whenever it likes. */
	sqlite3_wal_hook(db->sql, db_on_log, db);
	return MIB_OK;
}

static enum mib_err db_key_check_put(struct mib_db *db, struct mib_diag *d)
{
	uint8_t blob[MIB_SEAL_OVERHEAD];
	sqlite3_stmt *st;

	if (mib_seal_check_make(db->seal, blob))
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "libgcrypt cannot seal");

	int rc = sqlite3_prepare_v2(db->sql, "INSERT INTO meta VALUES('key_check', ?1)", -1, &st,
				    NULL);

	if (!rc)
		rc = sqlite3_bind_blob(st, 1, blob, sizeof(blob), SQLITE_STATIC);
	if (!rc)
		rc = db_run(st);
	sqlite3_finalize(st);
	return rc ? db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot write the database") :
		    MIB_OK;
}

/** Brings layout, names and key check up to date in one transaction; writes nothing if they are. */
static enum mib_err db_update(struct mib_db *db, bool is_empty, bool check_missing,
			      struct mib_diag *d)
{
	enum mib_err err = MIB_OK;

	if (db_exec(db, "BEGIN IMMEDIATE") || (is_empty && db_exec(db, db_layout)))
		err = db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot write the database");
	if (!err && check_missing)
		err = db_key_check_put(db, d);
	if (!err)
		err = db_names_sync(db, d);
	if (!err && db_exec(db, "COMMIT"))
		err = db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot write the database");
	if (err && !sqlite3_get_autocommit(db->sql))
		(void)db_exec(db, "ROLLBACK");
	return err;
}

/** @return SQLite's code */
static int db_prepare_cells(struct mib_db *db, int n)
{
	sqlite3_str *text = sqlite3_str_new(db->sql);

	sqlite3_str_appendall(text, "INSERT INTO cell(tbl, idx, col, sealed, value) VALUES");
	for (int i = 0; i < n; i++) {
		const int at = DB_CELLS_FIRST + i * DB_CELLS_EACH;

		sqlite3_str_appendf(text, "%s(?%d, ?%d, ?%d, ?%d, ?%d)", i ? ", " : "",
				    DB_CELLS_TBL, DB_CELLS_IDX, at, at + 1, at + 2);
	}
	sqlite3_str_appendall(text, " ON CONFLICT(tbl, idx, col) DO UPDATE"
				    " SET sealed = excluded.sealed, value = excluded.value");

	int rc = sqlite3_str_errcode(text);
	char *sql = sqlite3_str_finish(text);

	if (!rc)
		rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT,
					&db->cells_put[n - 1], NULL);
	sqlite3_free(sql);
	return rc;
}

static enum mib_err db_prepare(struct mib_db *db, struct mib_diag *d)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < DB_N_STMTS && !rc; i++)
		rc = sqlite3_prepare_v3(db->sql, db_stmt_text[i], -1, SQLITE_PREPARE_PERSISTENT,
					&db->stmts[i], NULL);
	for (int n = 1; n <= DB_CELLS_MAX && !rc; n++)
		rc = db_prepare_cells(db, n);
	return rc ? db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot use the database") :
		    MIB_OK;
}

/** SQLite syncs the directory for its log only; a new database has to be in it for good too. */
static enum mib_err db_sync_directory(const struct mib_db *db, struct mib_diag *d)
{
	char *dir = strdup(db->path);

	if (!dir)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "out of memory");
	strrchr(dir, '/')[1] = '\0';

	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int reason = errno;

	if (fd >= 0)
		close(fd);
	free(dir);
	return ok ? MIB_OK :
		    db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot sync its directory: %s",
			    strerror(reason));
}

/** sqlite3_close waits for the statements to be gone. */
static void db_free(struct mib_db *db)
{
	for (size_t i = 0; i < DB_N_STMTS; i++)
		sqlite3_finalize(db->stmts[i]);
	for (size_t i = 0; i < DB_CELLS_MAX; i++)
		sqlite3_finalize(db->cells_put[i]);
	sqlite3_close(db->sql);
	db_names_fini(db);
	free(db->path);
	free(db);
}

enum mib_err mib_db_open(const char *path, struct mib_seal *seal, struct mib_db **out,
			 struct mib_diag *d)
{
	bool is_new = false, is_empty = false, check_missing = false;
	struct mib_db *db = path[0] == '/' ? calloc(1, sizeof(*db)) : NULL;

	if (!db || !(db->path = strdup(path))) {
		free(db);
		mib_diag_set(d, NULL, NULL, 0, "%s: %s", path,
			     path[0] == '/' ? "out of memory" : "not an absolute path");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	db->seal = seal;
	db->has_strays = true;

	enum mib_err err = db_file_prepare(db, &is_new, d);

	if (!err)
		err = db_connect(db, d);
	if (!err)
		err = db_judge(db, &is_empty, d);
	if (!err)
		err = db_judge_key(db, is_empty, &check_missing, d);
	if (!err)
		err = db_set_wal(db, d);
	if (!err)
		err = db_update(db, is_empty, check_missing, d);
	if (!err)
		err = db_prepare(db, d);
	if (!err)
		err = db_generation_load(db, d);
	if (!err && is_new)
		err = db_sync_directory(db, d);
	if (err) {
		if (is_new)
			db_file_remove(db);
		db_free(db);
		return err;
	}
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	*out = db;
	return MIB_OK;
}

void mib_db_close(struct mib_db *db)
{
	if (!db)
		return;
	if (db->is_doubtful)
		(void)db_settle(db);
	db_generation_give_back(db);
	db_free(db);
}
