/*
 * persist_fake.c - schema, store and state directory for the persistence suites, persist_fake.h.
 * It stands in for the generated descriptors and for mibs/store.c, of which it defines what
 * mibs/persist.c calls.
 */
#include "config.h"

#include "persist_fake.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t fake_oid[] = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 1 };

#define FAKE_COLUMN(i, n, s, t)                                                                    \
	[i] = { .id = (i) + 1, .name = n, .syntax = s, .tc = t, .table = &fake_table, .pos = i }

const struct mib_column fake_columns[FAKE_N_COLUMNS] = {
	FAKE_COLUMN(FAKE_INDEX, "fakeIndex", MIB_SYN_UNSIGNED, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_INTEGER, "fakeInteger", MIB_SYN_INTEGER, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_UNSIGNED, "fakeUnsigned", MIB_SYN_UNSIGNED, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_COUNTER32, "fakeCounter32", MIB_SYN_COUNTER32, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_COUNTER64, "fakeCounter64", MIB_SYN_COUNTER64, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_TICKS, "fakeTicks", MIB_SYN_TIMETICKS, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_OCTETS, "fakeOctets", MIB_SYN_OCTETS, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_BITS, "fakeBits", MIB_SYN_BITS, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_OID, "fakeOid", MIB_SYN_OID, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_SECRET, "fakeSecret", MIB_SYN_OCTETS, MIB_TC_NONE),
	FAKE_COLUMN(FAKE_LAST_CHANGED, "fakeLastChanged", MIB_SYN_TIMETICKS, MIB_TC_TIME_STAMP),
	FAKE_COLUMN(FAKE_STORAGE, "fakeStorageType", MIB_SYN_INTEGER, MIB_TC_STORAGE_TYPE),
	FAKE_COLUMN(FAKE_STATUS, "fakeRowStatus", MIB_SYN_INTEGER, MIB_TC_ROW_STATUS),
};

static const struct mib_column *const fake_index[] = { &fake_columns[FAKE_INDEX] };

const struct mib_column fake_name = { .id = 1,
				      .name = "fakeName",
				      .syntax = MIB_SYN_OCTETS,
				      .table = &fake_scalars };
const struct mib_column fake_more = { .id = 1,
				      .name = "fakeMore",
				      .syntax = MIB_SYN_INTEGER,
				      .table = &fake_more_table };

const struct mib_table fake_scalars = { .name = "fakeObjects",
					.module = "FAKE-MIB",
					.entry_oid = fake_oid,
					.entry_oid_len = 10,
					.columns = &fake_name,
					.n_columns = 1,
					.is_scalars = true,
					.number = 0 };
const struct mib_table fake_table = { .name = "fakeTable",
				      .entry_name = "fakeEntry",
				      .module = "FAKE-MIB",
				      .entry_oid = fake_oid,
				      .entry_oid_len = 10,
				      .columns = fake_columns,
				      .n_columns = FAKE_N_COLUMNS,
				      .index = fake_index,
				      .n_index = 1,
				      .number = 1 };
const struct mib_table fake_more_table = { .name = "fakeMoreTable",
					   .entry_name = "fakeMoreEntry",
					   .module = "FAKE-MORE-MIB",
					   .entry_oid = fake_oid,
					   .entry_oid_len = 10,
					   .columns = &fake_more,
					   .n_columns = 1,
					   .index = fake_index,
					   .n_index = 1,
					   .augments = &fake_table,
					   .number = 2 };

const struct mib_table *const mib_tables[] = { &fake_scalars, &fake_table, &fake_more_table };
const size_t mib_n_tables = 3;
const struct mib_module mib_modules[] = {
	{ .name = "FAKE-MIB", .last_updated = "2026-01-02" },
	{ .name = "FAKE-MORE-MIB", .last_updated = "2026-01-03" },
};
const size_t mib_n_modules = 2;

const struct mib_column *mib_table_column_tc(const struct mib_table *t, enum mib_tc tc)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].tc == tc)
			return &t->columns[i];
	}
	return NULL;
}

void mib_diag_set(struct mib_diag *d, const struct mib_column *col, const uint32_t *index,
		  size_t index_len, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "%s.%u", col ? col->name : "",
		 index_len ? index[0] : 0);
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

/* ---- rows ---- */

/* One slot a column, the augmenting one last. */
#define FAKE_SLOTS (FAKE_N_COLUMNS + 1)

struct fake_cell {
	bool is_set;
	struct mib_value v;
	void *space;
};

struct mib_row {
	const struct mib_table *table;
	struct mib_oid index;
	enum mib_row_status status;
	bool lost;
	bool lost_values;
	struct fake_cell cells[FAKE_SLOTS];
};

struct mib_store {
	struct mib_row *rows[FAKE_ROWS_MAX];
	size_t n_rows;
	uint64_t generation;
	uint64_t on_disk;
	unsigned int fail_load;
};

static size_t fake_slot(const struct mib_column *col)
{
	return col == &fake_more ? FAKE_N_COLUMNS : col == &fake_name ? FAKE_OCTETS : col->pos;
}

static struct mib_row *fake_find_oid(struct mib_store *s, const struct mib_table *t,
				     const uint32_t *index, size_t len)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		struct mib_row *r = s->rows[i];

		if (r->table == t && r->index.len == len &&
		    !memcmp(r->index.ids, index, len * sizeof(*index)))
			return r;
	}
	return NULL;
}

struct mib_row *fake_row(struct mib_store *s, const struct mib_table *t, const uint32_t *index,
			 size_t len)
{
	struct mib_row *r = fake_find_oid(s, t, index, len);

	if (r)
		return r;
	ck_assert_uint_lt(s->n_rows, FAKE_ROWS_MAX);
	r = calloc(1, sizeof(*r));
	ck_assert_ptr_nonnull(r);
	r->table = t;
	r->status = MIB_RS_NOT_IN_SERVICE;
	r->index.len = len;
	memcpy(r->index.ids, index, len * sizeof(*index));
	s->rows[s->n_rows++] = r;
	return r;
}

struct mib_row *fake_row1(struct mib_store *s, uint32_t index)
{
	return fake_row(s, &fake_table, &index, 1);
}

struct mib_row *fake_find(struct mib_store *s, uint32_t index)
{
	return fake_find_oid(s, &fake_table, &index, 1);
}

void fake_set(struct mib_row *r, const struct mib_column *col, const struct mib_value *v)
{
	struct fake_cell *c = &r->cells[fake_slot(col)];

	free(c->space);
	memset(c, 0, sizeof(*c));
	if (!v)
		return;
	c->is_set = true;
	c->v = *v;
	if (v->syntax == MIB_SYN_OCTETS || v->syntax == MIB_SYN_BITS) {
		c->space = malloc(v->octets.len + 1);
		memcpy(c->space, v->octets.data, v->octets.len);
		c->v.octets.data = c->space;
	} else if (v->syntax == MIB_SYN_OID) {
		c->space = malloc(v->oid.len * sizeof(*v->oid.ids) + 1);
		memcpy(c->space, v->oid.ids, v->oid.len * sizeof(*v->oid.ids));
		c->v.oid.ids = c->space;
	}
}

void fake_set_number(struct mib_row *r, int column, int64_t n)
{
	struct mib_value v = { .syntax = fake_columns[column].syntax, .number = n };

	fake_set(r, &fake_columns[column], &v);
}

void fake_set_text(struct mib_row *r, int column, const char *text)
{
	struct mib_value v = mib_value_octets(text, strlen(text));

	v.syntax = fake_columns[column].syntax;
	fake_set(r, &fake_columns[column], &v);
}

void fake_set_status(struct mib_row *r, enum mib_row_status status)
{
	r->status = status;
}

const uint32_t *mib_row_index(const struct mib_row *r, size_t *len)
{
	*len = r->index.len;
	return r->index.ids;
}

bool mib_row_lost(const struct mib_row *r)
{
	return r->lost;
}

bool mib_row_lost_values(const struct mib_row *r)
{
	return r->lost_values;
}

enum mib_row_status fake_status(const struct mib_row *r)
{
	return r->status;
}

void fake_set_lost(struct mib_row *r, bool values)
{
	r->lost = true;
	r->lost_values = values;
}

bool mib_row_is_set(const struct mib_row *r, const struct mib_column *col)
{
	return r->cells[fake_slot(col)].is_set;
}

bool mib_row_get(const struct mib_row *r, const struct mib_column *col, struct mib_value *out)
{
	const struct fake_cell *c = &r->cells[fake_slot(col)];

	if (col->tc == MIB_TC_ROW_STATUS) {
		*out = mib_value_integer(r->status);
		return r->table == &fake_table;
	}
	if (r->table == &fake_scalars && col != &fake_name)
		return false;
	if (c->is_set)
		*out = c->v;
	return c->is_set;
}

int64_t mib_row_number(const struct mib_row *r, const struct mib_column *col, int64_t fallback)
{
	struct mib_value v;

	return mib_row_get(r, col, &v) ? v.number : fallback;
}

bool mib_row_is_secret(const struct mib_row *r, const struct mib_column *col)
{
	(void)r;
	return col == &fake_columns[FAKE_SECRET];
}

/* ---- the store ---- */

struct mib_store *fake_store_new(void)
{
	struct mib_store *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	return s;
}

void fake_store_free(struct mib_store *s)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		for (size_t k = 0; k < FAKE_SLOTS; k++)
			free(s->rows[i]->cells[k].space);
		free(s->rows[i]);
	}
	free(s);
}

size_t fake_store_rows(const struct mib_store *s)
{
	return s->n_rows;
}

struct mib_row *fake_store_row(const struct mib_store *s, size_t i)
{
	return s->rows[i];
}

uint64_t fake_store_on_disk(const struct mib_store *s)
{
	return s->on_disk;
}

uint64_t fake_store_generation(const struct mib_store *s)
{
	return s->generation;
}

void fake_store_fail_load(struct mib_store *s, unsigned int nth)
{
	s->fail_load = nth;
}

static bool fake_cell_equal(const struct fake_cell *a, const struct fake_cell *b)
{
	if (a->is_set != b->is_set)
		return false;
	if (!a->is_set)
		return true;
	if (a->v.syntax != b->v.syntax)
		return false;
	switch (a->v.syntax) {
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		return a->v.octets.len == b->v.octets.len &&
		       !memcmp(a->v.octets.data, b->v.octets.data, a->v.octets.len);
	case MIB_SYN_OID:
		return a->v.oid.len == b->v.oid.len &&
		       !memcmp(a->v.oid.ids, b->v.oid.ids, a->v.oid.len * sizeof(uint32_t));
	case MIB_SYN_COUNTER64:
		return a->v.counter64 == b->v.counter64;
	default:
		return a->v.number == b->v.number;
	}
}

bool fake_store_equal(const struct mib_store *a, const struct mib_store *b)
{
	if (a->n_rows != b->n_rows)
		return false;
	for (size_t i = 0; i < a->n_rows; i++) {
		const struct mib_row *r = a->rows[i];
		const struct mib_row *o = fake_find_oid((struct mib_store *)b, r->table,
							r->index.ids, r->index.len);

		if (!o || r->status != o->status)
			return false;
		for (size_t k = 0; k < FAKE_SLOTS; k++) {
			if (!fake_cell_equal(&r->cells[k], &o->cells[k]))
				return false;
		}
	}
	return true;
}

/** Refuses what the schema does not allow, as the contract says; Integer32 is the limit here. */
enum mib_err mib_store_load_cell(struct mib_store *s, const struct mib_column *col,
				 const uint32_t *index, size_t index_len,
				 const struct mib_value *v, struct mib_diag *d)
{
	if (s->fail_load && --s->fail_load == 0)
		return MIB_RESOURCE_UNAVAILABLE;
	if (col->syntax == MIB_SYN_INTEGER && (v->number < INT32_MIN || v->number > INT32_MAX)) {
		mib_diag_set(d, col, index, index_len, "out of range");
		return MIB_WRONG_VALUE;
	}
	struct mib_row *r = fake_row(s, col->table->augments ? col->table->augments : col->table,
				     index, index_len);

	if (col->tc == MIB_TC_ROW_STATUS)
		r->status = (enum mib_row_status)v->number;
	else
		fake_set(r, col, v);
	return MIB_OK;
}

enum mib_err mib_store_load_lost(struct mib_store *s, const struct mib_column *col,
				 const uint32_t *index, size_t index_len, struct mib_diag *d)
{
	(void)d;
	fake_set_lost(fake_row(s, col->table->augments ? col->table->augments : col->table, index,
			       index_len), true);
	return MIB_OK;
}

enum mib_err mib_store_load_end(struct mib_store *s, uint64_t generation, uint64_t on_disk,
				void (*report)(void *arg, const struct mib_diag *d), void *arg)
{
	(void)report;
	(void)arg;
	s->generation = generation;
	s->on_disk = on_disk;
	return MIB_OK;
}

/* ---- a state directory ---- */

void fake_db_init(struct fake_db *f)
{
	struct mib_diag d;

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d), MIB_OK);
	/* In memory where there is such a place: power cuts are played above the disk. */
	snprintf(f->dir, sizeof(f->dir), "%s/check_persist.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/ipspd.key", f->dir);
}

void fake_db_fini(struct fake_db *f)
{
	fake_db_close(f);

	DIR *dir = opendir(f->dir);

	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (unlinkat(dirfd(dir), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
	rmdir(f->dir);
}

enum mib_err fake_db_open(struct fake_db *f, struct mib_diag *d)
{
	enum mib_err err = mib_seal_open(f->dir, NULL, &f->seal, d);

	if (!err)
		err = mib_db_open(f->path, f->seal, &f->db, d);
	return err;
}

void fake_db_close(struct fake_db *f)
{
	mib_db_close(f->db);
	mib_seal_close(f->seal);
	f->db = NULL;
	f->seal = NULL;
}

enum mib_err fake_write(struct fake_db *f, uint64_t generation, const struct mib_row *before,
			const struct mib_row *after, struct mib_diag *d)
{
	const struct mib_journal *j = mib_db_journal(f->db);
	const struct mib_change c = { after ? after->table : before->table, before, after };

	return j->write(j->arg, generation, &c, 1, d);
}

struct fake_reports {
	unsigned int n;
	struct mib_diag last;
};

static void fake_report(void *arg, const struct mib_diag *d)
{
	struct fake_reports *r = arg;

	r->n++;
	r->last = *d;
}

struct mib_store *fake_load(struct fake_db *f, unsigned int *reports, struct mib_diag *last)
{
	struct mib_store *s = fake_store_new();
	struct fake_reports r = { 0 };
	struct mib_diag d = { .varbind = 0 };

	ck_assert_msg(mib_db_load(f->db, s, fake_report, &r, &d) == MIB_OK, "%s", d.text);
	if (reports)
		*reports = r.n;
	else
		ck_assert_msg(r.n == 0, "%s: %s", r.last.object, r.last.text);
	if (last)
		*last = r.last;
	return s;
}

void fake_sql(const struct fake_db *f, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(f->path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
	sqlite3_close(db);
}

unsigned char *fake_slurp(const struct fake_db *f, const char *name, size_t *len)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);

	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return NULL;
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;

	unsigned char *data = malloc(*len + 1);

	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(read(fd, data, *len), st.st_size);
	close(fd);
	return data;
}

bool fake_grep(const struct fake_db *f, const char *text)
{
	static const char *const names[] = { "state.db", "state.db-wal", "ipspd.key" };
	bool found = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len;
		unsigned char *data = fake_slurp(f, names[i], &len);

		if (data && memmem(data, len, text, strlen(text)))
			found = true;
		free(data);
	}
	return found;
}
