/*
 * tests/fuzz/fuzz_rows.c - what a database may hold, by our hand or another's, and how it is loaded.
 *
 * The first octet chooses: '!' the rest is the database file itself; anything else lines of cells:
 *
 *	COLUMN INDEX SEALED VALUE
 *
 *	INDEX   as at the command line, or # and the octets in hexadecimal
 *	SEALED  0 or 1
 *	VALUE   n number, b octets in hexadecimal, s the same to be sealed first, t text
 *
 * Whatever is there, the load ends; what is loaded is good by the schema; and after one commit more
 * the next load finds the same again.
 */
#include "config.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "mibs/persist.h"
#include "mibs/schema_gen.h"
#include "tests/fuzz/fuzz.h"

#define DB_NAME "ipspd.db"
#define LINES_MAX 64
#define OCTETS_MAX 4096
#define DUMP_MAX (1u << 20)

static uint8_t *template;	/* an empty database */
static size_t template_len;
static struct mib_seal *seal;

static uint64_t stopped_clock(void)
{
	return 1;
}

/* ---- the database ---- */

static void remove_database(void)
{
	(void)unlink(fuzz_path(DB_NAME));
	(void)unlink(fuzz_path(DB_NAME "-wal"));
	(void)unlink(fuzz_path(DB_NAME "-journal"));
}

static enum mib_err open_database(struct mib_db **out)
{
	struct mib_diag d = { 0 };
	enum mib_err err = mib_db_open(fuzz_path(DB_NAME), seal, out, &d);

	must(err == MIB_OK || d.text[0] != '\0');
	return err;
}

static void init(void)
{
	struct mib_db *db;
	FILE *f;
	long len;

	must(mib_secmem_init(MIB_SECMEM_MAY_SWAP, NULL) == MIB_OK);
	must(mib_seal_open(fuzz_dir(), NULL, &seal, NULL) == MIB_OK);
	must(open_database(&db) == MIB_OK);
	mib_db_close(db);
	f = fopen(fuzz_path(DB_NAME), "rb");
	must(f && fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) > 0);
	template_len = (size_t)len;
	template = malloc(template_len);
	rewind(f);
	must(template && fread(template, 1, template_len, f) == template_len);
	fclose(f);
}

/* ---- cells ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t read_hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	for (; n < OCTETS_MAX && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0; text += 2)
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	return n;
}

/* The index as it is stored: four octets a number. @return its length, or -1 */
static int read_index(const struct mib_column *col, const char *text, uint8_t *out,
		      struct mib_oid *oid)
{
	*oid = (struct mib_oid){ 0 };
	if (text[0] == '#')
		return (int)read_hex(text + 1, out);
	if (mib_index_parse(col->table, text, oid, NULL) != MIB_OK)
		return -1;
	for (size_t i = 0; i < oid->len; i++) {
		out[4 * i] = (uint8_t)(oid->ids[i] >> 24);
		out[4 * i + 1] = (uint8_t)(oid->ids[i] >> 16);
		out[4 * i + 2] = (uint8_t)(oid->ids[i] >> 8);
		out[4 * i + 3] = (uint8_t)oid->ids[i];
	}
	return (int)(4 * oid->len);
}

static void bind_value(sqlite3_stmt *st, const struct mib_column *col, const struct mib_oid *index,
		       const char *text)
{
	uint8_t octets[OCTETS_MAX], blob[OCTETS_MAX + MIB_SEAL_OVERHEAD];
	const char *const rest = text + (text[0] != '\0');
	const size_t n = read_hex(rest, octets);

	if (text[0] == 'n')
		(void)sqlite3_bind_int64(st, 4, strtoll(rest, NULL, 10));
	else if (text[0] == 'b')
		(void)sqlite3_bind_blob(st, 4, octets, (int)n, SQLITE_TRANSIENT);
	else if (text[0] == 's' &&
		 mib_seal_wrap(seal, col, index->ids, index->len, octets, n, blob) == MIB_OK)
		(void)sqlite3_bind_blob(st, 4, blob, (int)(n + MIB_SEAL_OVERHEAD),
					SQLITE_TRANSIENT);
	else
		(void)sqlite3_bind_text(st, 4, rest, -1, SQLITE_TRANSIENT);
}

static void put_cell(sqlite3 *sql, char *line)
{
	static const char text[] = "INSERT OR REPLACE INTO cell SELECT c.tbl, ?1, c.id, ?2, ?4"
				   " FROM col c WHERE c.name = ?3";
	char *name = strsep(&line, " "), *index = line ? strsep(&line, " ") : NULL;
	char *sealed = line ? strsep(&line, " ") : NULL;
	const struct mib_column *col = mib_column_by_name(name);
	uint8_t key[OCTETS_MAX > 4 * MIB_OID_MAX ? OCTETS_MAX : 4 * MIB_OID_MAX];
	struct mib_oid oid;
	sqlite3_stmt *st;
	int len;

	if (!col || !line || (len = read_index(col, index, key, &oid)) < 0)
		return;
	must(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
	(void)sqlite3_bind_blob(st, 1, key, len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int(st, 2, sealed[0] == '1');
	(void)sqlite3_bind_text(st, 3, name, -1, SQLITE_TRANSIENT);
	bind_value(st, col, &oid, line);
	(void)sqlite3_step(st);
	sqlite3_finalize(st);
}

static void put_cells(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), *rest = text, *line;
	sqlite3 *sql;

	must(text != NULL);
	memcpy(text, data, size);
	must(sqlite3_open(fuzz_path(DB_NAME), &sql) == SQLITE_OK);
	for (int n = 0; n < LINES_MAX && (line = strsep(&rest, "\n")); n++)
		put_cell(sql, line);
	must(sqlite3_close(sql) == SQLITE_OK);
	free(text);
}

/* ---- what is loaded ---- */

struct dump {
	char *text;
	size_t len;
};

static void put(struct dump *to, const char *text)
{
	const size_t n = strlen(text);

	must(to->len + n < DUMP_MAX);
	memcpy(to->text + to->len, text, n + 1);
	to->len += n;
}

static void dump_column(struct dump *to, const struct mib_row *r, const struct mib_column *col)
{
	static char text[200000];
	struct mib_value v;

	if (col->tc == MIB_TC_TIME_STAMP || !mib_row_get(r, col, &v))
		return;
	must(mib_value_check(col, &v, NULL) == MIB_OK);
	must(mib_value_print(col, &v, true, text, sizeof(text)) < sizeof(text));
	put(to, mib_row_is_set(r, col) ? " =" : " ~");
	put(to, col->name);
	put(to, "=");
	put(to, text);
}

static void dump_row(struct dump *to, const struct mib_view *view, const struct mib_row *r)
{
	const struct mib_table *t = mib_row_table(r);
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	char text[1024];
	size_t len;
	const uint32_t *ids = mib_row_index(r, &len);

	must(t->is_scalars || mib_index_decode(t, ids, len, parts, &scratch, NULL) == MIB_OK);
	must(mib_index_print(t, ids, len, text, sizeof(text)) < sizeof(text));
	put(to, t->name);
	put(to, ".");
	put(to, text);
	if (mib_table_column_tc(t, MIB_TC_ROW_STATUS)) {
		const enum mib_row_status status = mib_row_status(view, r, NULL);

		must(status >= MIB_RS_ACTIVE && status <= MIB_RS_NOT_READY);
		must(!mib_row_lost(r) || !mib_row_active(r));
		snprintf(text, sizeof(text), " %d%d%d%d", status, mib_row_active(r),
			 mib_row_lost(r), mib_row_lost_values(r));
		put(to, text);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].access >= MIB_ACC_WRITE)
			dump_column(to, r, &t->columns[i]);
	put(to, "\n");
}

static struct dump dump_of(const struct mib_store *s)
{
	const struct mib_view *view = mib_store_view(s);
	struct dump to = { .text = malloc(DUMP_MAX) };

	must(to.text != NULL);
	to.text[0] = '\0';
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_row *r = mib_view_next(view, mib_tables[i], NULL, NULL);
		struct mib_oid at;

		for (; r; r = mib_view_next(view, mib_tables[i], NULL, &at)) {
			mib_row_index_copy(r, &at);
			dump_row(&to, view, r);
		}
	}
	return to;
}

static void must_report(void *arg, const struct mib_diag *d)
{
	(void)arg;
	must(d->text[0] != '\0');
}

static bool load(struct mib_db **db, struct mib_store **s)
{
	struct mib_diag d = { 0 };

	if (open_database(db) != MIB_OK)
		return false;
	must(mib_store_new(mib_db_journal(*db), stopped_clock, s) == MIB_OK);
	if (mib_db_load(*db, *s, must_report, NULL, &d) == MIB_OK)
		return true;
	must(d.text[0] != '\0');
	mib_store_free(*s);
	mib_db_close(*db);
	return false;
}

/* A change that every store can take. @return false: the disk refused */
static bool commit_something(struct mib_store *s)
{
	const struct mib_column *col = MIB_COL(ipspdSystem, ipspdDefaultWithoutPolicy);
	const uint32_t zero = 0;
	struct mib_value now;
	struct mib_txn *t;

	must(mib_read(s, col, &zero, 1, &now) == MIB_OK);
	now = mib_value_integer(now.number == 1 ? 2 : 1);
	must(mib_txn_begin(s, MIB_DOOR_SYSTEM, "fuzz", &t) == MIB_OK);
	must(mib_txn_set_column(t, col, &zero, 1, &now, NULL) == MIB_OK);
	must(mib_txn_prepare(t, NULL) == MIB_OK);
	const enum mib_err err = mib_txn_commit(t, NULL);

	mib_txn_done(t);
	return err == MIB_OK;
}

static void try_database(void)
{
	struct mib_db *db;
	struct mib_store *s;
	struct dump first, second;

	if (!load(&db, &s))
		return;
	const bool committed = commit_something(s);
	const uint64_t generation = mib_store_generation(s);

	first = dump_of(s);
	mib_store_free(s);
	mib_db_close(db);
	if (committed) {
		must(load(&db, &s));
		must(mib_store_generation(s) == generation);
		second = dump_of(s);
		must(strcmp(first.text, second.text) == 0);
		free(second.text);
		mib_store_free(s);
		mib_db_close(db);
	}
	free(first.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!template)
		init();
	remove_database();
	if (size > 0 && data[0] == '!') {
		fuzz_write(DB_NAME, data + 1, size - 1, 0600);
	} else {
		fuzz_write(DB_NAME, template, template_len, 0600);
		put_cells(data, size);
	}
	try_database();
	return 0;
}
