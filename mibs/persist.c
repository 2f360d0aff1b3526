/*
 * mibs/persist.c - rows to cells and back: the journal that the store's commits go through, and
 * loading. Secrets leave this file sealed only.
 *
 * The database holds exactly the rows of memory that are not volatile. A changed row is written
 * whole, so that what an earlier load left out cannot come back beside newer values.
 */
#include "config.h"

#include "mibs/persist_db.h"

#include <stdlib.h>
#include <string.h>

/** An OID as it is stored: octets that compare as the OID does. */
struct db_oid {
	uint8_t octets[4 * MIB_OID_MAX];
	int len;
};

static bool oid_to_octets(const uint32_t *ids, size_t len, struct db_oid *out)
{
	if (len > MIB_OID_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		out->octets[4 * i] = (uint8_t)(ids[i] >> 24);
		out->octets[4 * i + 1] = (uint8_t)(ids[i] >> 16);
		out->octets[4 * i + 2] = (uint8_t)(ids[i] >> 8);
		out->octets[4 * i + 3] = (uint8_t)ids[i];
	}
	out->len = (int)(4 * len);
	return true;
}

static bool oid_from_octets(const uint8_t *octets, size_t len, struct mib_oid *out)
{
	if (len % 4 || len > 4 * MIB_OID_MAX)
		return false;
	out->len = len / 4;
	for (size_t i = 0; i < out->len; i++, octets += 4)
		out->ids[i] = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
			      (uint32_t)octets[2] << 8 | octets[3];
	return true;
}

/* ---- writing ---- */

/** One row on its way into the database. */
struct row_write {
	struct mib_db *db;
	const struct db_table *table;
	const struct mib_row *row;
	const uint32_t *index;
	size_t index_len;
	struct db_oid key;
	struct {
		const struct db_column *column;
		struct mib_value value;		/* borrows from the row */
	} cells[DB_CELLS_MAX];
	size_t n_cells;
};

static bool row_is_kept(const struct mib_row *r, const struct mib_table *t)
{
	const struct mib_column *storage = mib_table_column_tc(t, MIB_TC_STORAGE_TYPE);

	if (!r)
		return false;
	return !storage || mib_row_number(r, storage, MIB_ST_NON_VOLATILE) != MIB_ST_VOLATILE;
}

/**
 * What is kept of a column: what was set. RowStatus is never set but has a state: active,
 * notInService, or destroy when that waits for the last pointer. What else a row lacks is found out
 * again at load: a lost row stays active here. One that lost values would be active with defaults
 * in their place, once it is written without them; so it is kept as notReady.
 */
static bool row_value(const struct mib_row *r, const struct mib_column *col, struct mib_value *out)
{
	if (col->tc != MIB_TC_ROW_STATUS)
		return mib_row_is_set(r, col) && mib_row_get(r, col, out);
	if (!mib_row_get(r, col, out))
		return false;
	if (mib_row_lost_values(r))
		*out = mib_value_integer(MIB_RS_NOT_READY);
	else if (mib_row_lost(r) && out->number != MIB_RS_DESTROY)
		*out = mib_value_integer(MIB_RS_ACTIVE);
	return true;
}

/** The octets are borrowed until the statement has run. */
static int bind_octets(sqlite3_stmt *st, int pos, const uint8_t *data, size_t len)
{
	/* SQLite takes a null pointer as NULL, which is no value at all. */
	return sqlite3_bind_blob64(st, pos, len ? data : (const uint8_t *)"", len, SQLITE_STATIC);
}

/** @param oid  where an OID's octets stand until the statement has run */
static int bind_value(sqlite3_stmt *st, int pos, const struct mib_value *v, struct db_oid *oid)
{
	switch (v->syntax) {
	case MIB_SYN_INTEGER:
	case MIB_SYN_UNSIGNED:
	case MIB_SYN_COUNTER32:
	case MIB_SYN_TIMETICKS:
		return sqlite3_bind_int64(st, pos, v->number);
	case MIB_SYN_COUNTER64:
		return sqlite3_bind_int64(st, pos, (int64_t)v->counter64);
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		return bind_octets(st, pos, v->octets.data, v->octets.len);
	case MIB_SYN_OID:
		if (!oid_to_octets(v->oid.ids, v->oid.len, oid))
			return SQLITE_TOOBIG;
		return bind_octets(st, pos, oid->octets, (size_t)oid->len);
	}
	return SQLITE_MISMATCH;
}

static enum mib_err bind_sealed(const struct row_write *w, sqlite3_stmt *st, int pos,
				const struct mib_column *col, const struct mib_value *v,
				struct mib_diag *d)
{
	if (v->syntax != MIB_SYN_OCTETS) {
		mib_diag_set(d, col, w->index, w->index_len, "only octets can be kept secret");
		return MIB_COMMIT_FAILED;
	}
	size_t len = v->octets.len + MIB_SEAL_OVERHEAD;
	uint8_t *blob = malloc(len);

	if (!blob || mib_seal_wrap(w->db->seal, col, w->index, w->index_len, v->octets.data,
				   v->octets.len, blob)) {
		free(blob);
		mib_diag_set(d, col, w->index, w->index_len, "the secret cannot be sealed: %s",
			     blob ? "libgcrypt refuses" : "out of memory");
		return MIB_COMMIT_FAILED;
	}
	return sqlite3_bind_blob64(st, pos, blob, len, free) ?
		       db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write") :
		       MIB_OK;
}

static int bind_cell_key(const struct row_write *w, sqlite3_stmt *st)
{
	int rc = sqlite3_bind_int64(st, DB_CELLS_TBL, w->table->id);

	return rc ? rc : sqlite3_bind_blob(st, DB_CELLS_IDX, w->key.octets, w->key.len,
					   SQLITE_STATIC);
}

/** Binds the ith cell of a statement. @param oid  see bind_value */
static enum mib_err cell_bind(const struct row_write *w, sqlite3_stmt *st, size_t i,
			      struct db_oid *oid, struct mib_diag *d)
{
	const struct db_column *c = w->cells[i].column;
	const struct mib_value *v = &w->cells[i].value;
	const int at = DB_CELLS_FIRST + (int)i * DB_CELLS_EACH;
	const bool is_secret = mib_row_is_secret(w->row, c->col);

	if (sqlite3_bind_int64(st, at, c->id) || sqlite3_bind_int(st, at + 1, is_secret) ||
	    (!is_secret && bind_value(st, at + 2, v, oid)))
		return db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write");
	return is_secret ? bind_sealed(w, st, at + 2, c->col, v, d) : MIB_OK;
}

/** Writes the cells that were collected. */
static enum mib_err cells_flush(struct row_write *w, struct mib_diag *d)
{
	struct db_oid oids[DB_CELLS_MAX];
	enum mib_err err = MIB_OK;

	if (w->n_cells == 0)
		return MIB_OK;

	sqlite3_stmt *st = w->db->cells_put[w->n_cells - 1];

	if (bind_cell_key(w, st))
		err = db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write");
	for (size_t i = 0; i < w->n_cells && !err; i++)
		err = cell_bind(w, st, i, &oids[i], d);
	if (err)
		sqlite3_clear_bindings(st);
	else if (db_run(st))
		err = db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write");
	w->n_cells = 0;
	return err;
}

static enum mib_err cell_drop(const struct row_write *w, const struct db_column *c,
			      struct mib_diag *d)
{
	sqlite3_stmt *st = w->db->stmts[DB_CELL_DROP];

	if (bind_cell_key(w, st) || sqlite3_bind_int64(st, 3, c->id) || db_run(st))
		return db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write");
	return MIB_OK;
}

static enum mib_err row_drop(const struct row_write *w, struct mib_diag *d)
{
	sqlite3_stmt *st = w->db->stmts[DB_ROW_DROP];

	if (bind_cell_key(w, st) || db_run(st))
		return db_fail_sql(w->db, MIB_COMMIT_FAILED, d, "cannot write");
	return MIB_OK;
}

static enum mib_err change_write(struct mib_db *db, const struct mib_change *c, struct mib_diag *d)
{
	struct row_write w = { .db = db, .table = db_table_of(db, c->table), .row = c->after };
	bool was_kept = row_is_kept(c->before, db_base_table(c->table));
	enum mib_err err = MIB_OK;

	w.index = mib_row_index(c->after ? c->after : c->before, &w.index_len);
	if (!w.table || !oid_to_octets(w.index, w.index_len, &w.key))
		return db_fail(db, MIB_COMMIT_FAILED, d, "%s: no row that can be kept",
			       c->table->name);
	if (!row_is_kept(c->after, db_base_table(c->table)))
		return row_drop(&w, d);
	/* Values that a load left out are not the new row's. */
	if (!was_kept && db->has_strays)
		err = row_drop(&w, d);
	for (size_t i = 0; i < w.table->n_columns && !err; i++) {
		const struct db_column *col = &w.table->columns[i];

		w.cells[w.n_cells].column = col;
		if (!row_value(c->after, col->col, &w.cells[w.n_cells].value)) {
			if (was_kept)
				err = cell_drop(&w, col, d);
		} else if (++w.n_cells == DB_CELLS_MAX) {
			err = cells_flush(&w, d);
		}
	}
	return err ? err : cells_flush(&w, d);
}

/** struct mib_journal's write. */
static enum mib_err journal_write(void *arg, uint64_t generation, const struct mib_change *changes,
				  size_t n, struct mib_diag *d)
{
	struct mib_db *db = arg;
	enum mib_err err = MIB_OK;

	if (n == 0)
		return db_generation_take(db, generation, d);
	if (db_begin(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	for (size_t i = 0; i < n && !err; i++)
		err = change_write(db, &changes[i], d);
	if (!err)
		err = db_generation_write(db, generation, d);
	if (!err && db_commit(db))
		err = db_fail_sql(db, MIB_COMMIT_FAILED, d, "cannot write");
	if (err)
		db_abort(db);
	else
		db->generation = db->on_disk = generation;
	return err;
}

const struct mib_journal *mib_db_journal(struct mib_db *db)
{
	db->journal = (struct mib_journal){ .write = journal_write, .arg = db };
	return &db->journal;
}

/* ---- loading ---- */

struct load {
	struct mib_db *db;
	struct mib_store *store;
	sqlite3_stmt *st;
	void (*report)(void *arg, const struct mib_diag *d);
	void *arg;
	bool found_unknown;
	bool left_out;		/* some cell has not become a row's */
};

/* Columns of load_text. */
enum { LOAD_TBL, LOAD_IDX, LOAD_COL, LOAD_SEALED, LOAD_VALUE };

/* The key's order: whole rows, tables and columns in the order they came to be known. */
static const char load_text[] = "SELECT tbl, idx, col, sealed, value FROM cell"
				" ORDER BY tbl, idx, col";

static const char unknown_text[] =
	"SELECT c.id, c.tbl, t.module, t.name, c.name, count(*)"
	" FROM cell x JOIN col c ON c.id = x.col JOIN tbl t ON t.id = c.tbl GROUP BY c.id";

static void load_report(const struct load *l, const struct mib_diag *d)
{
	if (l->report)
		l->report(l->arg, d);
}

/** @return false: it is not stored as that column's values are */
static bool load_value(const struct load *l, const struct mib_column *col, struct mib_oid *space,
		       struct mib_value *out)
{
	int type = sqlite3_column_type(l->st, LOAD_VALUE);
	const uint8_t *octets = sqlite3_column_blob(l->st, LOAD_VALUE);
	size_t len = (size_t)sqlite3_column_bytes(l->st, LOAD_VALUE);

	*out = (struct mib_value){ .syntax = col->syntax };
	switch (col->syntax) {
	case MIB_SYN_INTEGER:
	case MIB_SYN_UNSIGNED:
	case MIB_SYN_COUNTER32:
	case MIB_SYN_TIMETICKS:
		out->number = sqlite3_column_int64(l->st, LOAD_VALUE);
		return type == SQLITE_INTEGER;
	case MIB_SYN_COUNTER64:
		out->counter64 = (uint64_t)sqlite3_column_int64(l->st, LOAD_VALUE);
		return type == SQLITE_INTEGER;
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		out->octets.data = len ? octets : (const uint8_t *)"";
		out->octets.len = len;
		return type == SQLITE_BLOB;
	case MIB_SYN_OID:
		if (type != SQLITE_BLOB || !oid_from_octets(octets, len, space))
			return false;
		out->oid.ids = space->ids;
		out->oid.len = space->len;
		return true;
	}
	return false;
}

/** Only running out of memory ends a load; what does not fit is left out and reported. */
static enum mib_err load_cell(struct load *l, const struct mib_column *col,
			      const struct mib_oid *index)
{
	struct mib_secret secret = { NULL, 0 };
	struct mib_oid space;
	struct mib_value v;
	struct mib_diag d = { .varbind = 0 };
	enum mib_err err = MIB_OK;

	if (!load_value(l, col, &space, &v)) {
		mib_diag_set(&d, col, index->ids, index->len,
			     "what %s has for it is not of its type; left out", l->db->path);
		err = MIB_WRONG_TYPE;
	} else if (sqlite3_column_int(l->st, LOAD_SEALED)) {
		if (v.syntax != MIB_SYN_OCTETS) {
			mib_diag_set(&d, col, index->ids, index->len,
				     "sealed in %s, but no octets; left out", l->db->path);
			err = MIB_WRONG_TYPE;
		} else {
			err = mib_seal_unwrap(l->db->seal, col, index->ids, index->len,
					      v.octets.data, v.octets.len, &secret, &d);
			v.octets.data = secret.data;
			v.octets.len = secret.len;
		}
	}
	if (!err)
		err = mib_store_load_cell(l->store, col, index->ids, index->len, &v, &d);
	else if (mib_store_load_lost(l->store, col, index->ids, index->len, NULL) ==
		 MIB_RESOURCE_UNAVAILABLE)
		err = MIB_RESOURCE_UNAVAILABLE;
	/* A destroyed row may have lost its last pointer, and goes. */
	if (err || (col->tc == MIB_TC_ROW_STATUS && v.number == MIB_RS_DESTROY))
		l->left_out = true;
	mib_secret_fini(&secret);
	if (!err)
		return MIB_OK;
	load_report(l, &d);
	return err == MIB_RESOURCE_UNAVAILABLE ? err : MIB_OK;
}

static enum mib_err load_cells(struct load *l, struct mib_diag *d)
{
	const struct db_table *t = NULL;
	int64_t table_id = 0;
	int rc;

	while ((rc = sqlite3_step(l->st)) == SQLITE_ROW) {
		struct mib_oid index;

		if (!t || sqlite3_column_int64(l->st, LOAD_TBL) != table_id) {
			table_id = sqlite3_column_int64(l->st, LOAD_TBL);
			t = db_table_by_id(l->db, table_id);
		}
		const struct mib_column *col =
			t ? db_column_by_id(t, sqlite3_column_int64(l->st, LOAD_COL)) : NULL;

		if (!col) {
			l->found_unknown = l->left_out = true;
			continue;
		}
		if (!oid_from_octets(sqlite3_column_blob(l->st, LOAD_IDX),
				     (size_t)sqlite3_column_bytes(l->st, LOAD_IDX), &index)) {
			struct mib_diag note;

			l->left_out = true;
			mib_diag_set(&note, col, NULL, 0, "a row of %s has no index; left out",
				     l->db->path);
			load_report(l, &note);
			continue;
		}
		if (load_cell(l, col, &index))
			return db_fail(l->db, MIB_RESOURCE_UNAVAILABLE, d,
				       "out of memory while loading %s", col->name);
	}
	return rc == SQLITE_DONE ? MIB_OK :
				   db_fail_sql(l->db, MIB_RESOURCE_UNAVAILABLE, d,
					       "cannot read the database");
}

/** Does the schema have that column, in whatever table's rows? */
static bool load_knows_column(const struct mib_db *db, int64_t id)
{
	for (size_t i = 0; i < db->n_tables; i++) {
		if (db_column_by_id(&db->tables[i], id))
			return true;
	}
	return false;
}

static enum mib_err load_report_unknown(const struct load *l, struct mib_diag *d)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(l->db->sql, unknown_text, -1, &st, NULL);

	while (!rc && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct mib_diag note;

		rc = SQLITE_OK;
		if (load_knows_column(l->db, sqlite3_column_int64(st, 0)))
			continue;
		mib_diag_set(&note, NULL, NULL, 0,
			     "%s: %lld values of %s::%s of %s stay unused: this version has no "
			     "such column, or one of another type",
			     l->db->path, (long long)sqlite3_column_int64(st, 5),
			     (const char *)sqlite3_column_text(st, 2),
			     (const char *)sqlite3_column_text(st, 4),
			     (const char *)sqlite3_column_text(st, 3));
		load_report(l, &note);
	}
	enum mib_err err = rc == SQLITE_DONE ? MIB_OK :
					       db_fail_sql(l->db, MIB_RESOURCE_UNAVAILABLE, d,
							   "cannot read the database");

	sqlite3_finalize(st);
	return err;
}

enum mib_err mib_db_load(struct mib_db *db, struct mib_store *s,
			 void (*report)(void *arg, const struct mib_diag *d), void *arg,
			 struct mib_diag *d)
{
	struct load l = { .db = db, .store = s, .report = report, .arg = arg };
	enum mib_err err;

	if (sqlite3_prepare_v2(db->sql, load_text, -1, &l.st, NULL))
		return db_fail_sql(db, MIB_RESOURCE_UNAVAILABLE, d, "cannot read the database");
	err = load_cells(&l, d);
	sqlite3_finalize(l.st);
	if (!err && l.found_unknown)
		err = load_report_unknown(&l, d);
	if (!err)
		err = db_modules_report(db, report, arg, d);
	if (!err && mib_store_load_end(s, db->generation, db->on_disk, report, arg))
		err = db_fail(db, MIB_RESOURCE_UNAVAILABLE, d, "out of memory while loading");
	if (!err)
		db->has_strays = l.left_out;
	return err;
}
