/*
 * mibs/persist_names.c - which ids the names of the schema have in a database, and what it has that
 * the schema has not. Ids are given once and never change their meaning.
 */
#include "config.h"

#include "mibs/persist_db.h"

#include <stdlib.h>
#include <string.h>

const char *db_kind(enum mib_syntax syntax)
{
	switch (syntax) {
	case MIB_SYN_INTEGER:
	case MIB_SYN_UNSIGNED:
	case MIB_SYN_COUNTER32:
	case MIB_SYN_COUNTER64:
	case MIB_SYN_TIMETICKS:
		return "integer";
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		return "octets";
	case MIB_SYN_OID:
		return "oid";
	}
	return "";
}

const struct mib_table *db_base_table(const struct mib_table *t)
{
	return t->augments ? t->augments : t;
}

/** Index columns stand in the index already; a restored row's LastChanged is zero anyway. */
static bool db_column_is_kept(const struct mib_column *col)
{
	if (col->tc == MIB_TC_TIME_STAMP)
		return false;
	for (size_t i = 0; i < col->table->n_index; i++) {
		if (col->table->index[i] == col)
			return false;
	}
	return true;
}

const struct db_table *db_table_of(const struct mib_db *db, const struct mib_table *t)
{
	const struct mib_table *base = db_base_table(t);

	for (size_t lo = 0, hi = db->n_tables; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		const struct db_table *found = &db->tables[mid];

		if (found->table == base)
			return found;
		if (found->table->number < base->number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct db_table *db_table_by_id(const struct mib_db *db, int64_t id)
{
	for (size_t i = 0; i < db->n_tables; i++) {
		if (db->tables[i].id == id)
			return &db->tables[i];
	}
	return NULL;
}

const struct mib_column *db_column_by_id(const struct db_table *t, int64_t id)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].id == id)
			return t->columns[i].col;
	}
	return NULL;
}

/* ---- names to ids ---- */

/** The statements of one run. */
struct names {
	struct mib_db *db;
	sqlite3_stmt *tbl_get;
	sqlite3_stmt *tbl_put;
	sqlite3_stmt *col_get;
	sqlite3_stmt *col_put;
	sqlite3_stmt *module_put;
};

/** get with its parameters bound gives the id; else put, bound alike, makes one. */
static int names_id(struct names *n, sqlite3_stmt *get, sqlite3_stmt *put, int64_t *id)
{
	int rc = sqlite3_step(get);

	if (rc == SQLITE_ROW)
		*id = sqlite3_column_int64(get, 0);
	sqlite3_reset(get);
	if (rc == SQLITE_ROW)
		return SQLITE_OK;
	if (rc != SQLITE_DONE)
		return rc;
	rc = db_run(put);
	if (!rc)
		*id = sqlite3_last_insert_rowid(n->db->sql);
	return rc;
}

static int names_table_id(struct names *n, const struct mib_table *t, int64_t *id)
{
	sqlite3_stmt *const both[] = { n->tbl_get, n->tbl_put };
	int rc = SQLITE_OK;

	for (size_t i = 0; i < 2 && !rc; i++) {
		rc = sqlite3_bind_text(both[i], 1, t->module, -1, SQLITE_STATIC);
		if (!rc)
			rc = sqlite3_bind_text(both[i], 2, t->name, -1, SQLITE_STATIC);
	}
	return rc ? rc : names_id(n, n->tbl_get, n->tbl_put, id);
}

static int names_column_id(struct names *n, int64_t table, const struct mib_column *col,
			   int64_t *id)
{
	sqlite3_stmt *const both[] = { n->col_get, n->col_put };
	int rc = SQLITE_OK;

	for (size_t i = 0; i < 2 && !rc; i++) {
		rc = sqlite3_bind_int64(both[i], 1, table);
		if (!rc)
			rc = sqlite3_bind_text(both[i], 2, col->name, -1, SQLITE_STATIC);
		if (!rc)
			rc = sqlite3_bind_text(both[i], 3, db_kind(col->syntax), -1, SQLITE_STATIC);
	}
	return rc ? rc : names_id(n, n->col_get, n->col_put, id);
}

/** Adds the columns of from, which is into's table or augments it. */
static int names_add_columns(struct names *n, const struct mib_table *from, struct db_table *into)
{
	size_t room = into->n_columns + from->n_columns;
	int64_t table;
	struct db_column *more = reallocarray(into->columns, room, sizeof(*more));
	int rc = more ? names_table_id(n, from, &table) : SQLITE_NOMEM;

	if (more)
		into->columns = more;
	for (size_t i = 0; i < from->n_columns && !rc; i++) {
		struct db_column *c = &into->columns[into->n_columns];

		if (!db_column_is_kept(&from->columns[i]))
			continue;
		c->col = &from->columns[i];
		rc = names_column_id(n, table, c->col, &c->id);
		into->n_columns++;
	}
	if (!rc && from == into->table)
		into->id = table;
	return rc;
}

static int names_add_table(struct names *n, const struct mib_table *t)
{
	struct db_table *entry = &n->db->tables[n->db->n_tables++];
	int rc;

	entry->table = t;
	rc = names_add_columns(n, t, entry);
	for (size_t i = 0; i < mib_n_tables && !rc; i++) {
		if (mib_tables[i]->augments == t)
			rc = names_add_columns(n, mib_tables[i], entry);
	}
	return rc;
}

static int names_put_modules(struct names *n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < mib_n_modules && !rc; i++) {
		const struct mib_module *m = &mib_modules[i];

		rc = sqlite3_bind_text(n->module_put, 1, m->name, -1, SQLITE_STATIC);
		if (!rc)
			rc = sqlite3_bind_text(n->module_put, 2, m->last_updated, -1,
					       SQLITE_STATIC);
		if (!rc)
			rc = db_run(n->module_put);
	}
	return rc;
}

enum mib_err db_names_sync(struct mib_db *db, struct mib_diag *d)
{
	struct names n = { .db = db };
	const struct {
		sqlite3_stmt **st;
		const char *text;
	} stmts[] = {
		{ &n.tbl_get, "SELECT id FROM tbl WHERE module = ?1 AND name = ?2" },
		{ &n.tbl_put, "INSERT INTO tbl(module, name) VALUES(?1, ?2)" },
		{ &n.col_get, "SELECT id FROM col WHERE tbl = ?1 AND name = ?2 AND kind = ?3" },
		{ &n.col_put, "INSERT INTO col(tbl, name, kind) VALUES(?1, ?2, ?3)" },
		/* Dates as SMIv2 modules have them sort as text. */
		{ &n.module_put, "INSERT INTO module(name, revision) VALUES(?1, ?2)"
				 " ON CONFLICT(name) DO UPDATE SET revision = excluded.revision"
				 " WHERE excluded.revision > revision" },
	};
	int rc = SQLITE_OK;

	db->tables = calloc(mib_n_tables ? mib_n_tables : 1, sizeof(*db->tables));
	if (!db->tables)
		return db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "out of memory");
	for (size_t i = 0; i < sizeof(stmts) / sizeof(stmts[0]) && !rc; i++)
		rc = sqlite3_prepare_v2(db->sql, stmts[i].text, -1, stmts[i].st, NULL);
	for (size_t i = 0; i < mib_n_tables && !rc; i++) {
		if (!mib_tables[i]->augments)
			rc = names_add_table(&n, mib_tables[i]);
	}
	if (!rc)
		rc = names_put_modules(&n);

	enum mib_err err = rc ? db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d,
					    "cannot write the database") :
				MIB_OK;

	for (size_t i = 0; i < sizeof(stmts) / sizeof(stmts[0]); i++)
		sqlite3_finalize(*stmts[i].st);
	return err;
}

void db_names_fini(struct mib_db *db)
{
	for (size_t i = 0; i < db->n_tables; i++)
		free(db->tables[i].columns);
	free(db->tables);
	db->tables = NULL;
	db->n_tables = 0;
}

enum mib_err db_modules_report(struct mib_db *db,
			       void (*report)(void *arg, const struct mib_diag *d), void *arg,
			       struct mib_diag *d)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db->sql, "SELECT revision FROM module WHERE name = ?1", -1, &st,
			       NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
	for (size_t i = 0; i < mib_n_modules; i++) {
		const struct mib_module *m = &mib_modules[i];
		struct mib_diag note;

		sqlite3_bind_text(st, 1, m->name, -1, SQLITE_STATIC);

		int rc = sqlite3_step(st);
		const char *revision = rc == SQLITE_ROW ?
					       (const char *)sqlite3_column_text(st, 0) :
					       NULL;

		if (revision && strcmp(revision, m->last_updated) > 0 && report) {
			mib_diag_set(&note, NULL, NULL, 0,
				     "%s: written with %s of %s, which is newer than ours of %s",
				     db->path, m->name, revision, m->last_updated);
			report(arg, &note);
		}
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return MIB_OK;
}
