/*
 * check_persist_open.c - mibs/persist_db.c: a database that cannot be used is refused by name and
 * reason and left as it is; the log has its bounds; a full disk loses nothing.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mibs/persist_db.h"
#include "persist_fake.h"

static struct fake_db fix;
static struct mib_diag diag;

static void setup(void)
{
	fake_db_init(&fix);
}

static void teardown(void)
{
	fake_db_fini(&fix);
}

static void open_ok(void)
{
	ck_assert_msg(fake_db_open(&fix, &diag) == MIB_OK, "%s", diag.text);
}

/** Opening must fail, name the file and say that. */
static void open_refused(const char *says)
{
	ck_assert_int_eq(fake_db_open(&fix, &diag), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_null(fix.db);
	ck_assert_msg(strstr(diag.text, fix.path) && strstr(diag.text, says), "%s", diag.text);
	fake_db_close(&fix);
}

/** Rows with a secret and enough text to fill some pages; closed again. */
static void fill(void)
{
	struct mib_store *s = fake_store_new();
	char text[3000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_ok();
	for (uint32_t i = 1; i <= 20; i++) {
		struct mib_row *r = fake_row1(s, i);

		fake_set_text(r, FAKE_OCTETS, text);
		fake_set_text(r, FAKE_SECRET, "secret");
		ck_assert_int_eq(fake_write(&fix, i, NULL, r, &diag), MIB_OK);
	}
	fake_store_free(s);
	fake_db_close(&fix);
}

static void put_octets(const char *name, long at, const void *data, size_t len)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fix.dir, name);

	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
}

/* ---- first start ---- */

START_TEST(test_a_new_database_is_private_and_in_the_right_mode)
{
	static const struct {
		const char *sql;
		const char *expect;
	} pragmas[] = {
		{ "PRAGMA journal_mode", "wal" },
		{ "PRAGMA synchronous", "2" },
		{ "PRAGMA trusted_schema", "0" },
		{ "PRAGMA locking_mode", "exclusive" },
		{ "PRAGMA user_version", "1" },
	};
	struct stat st;

	umask(0);
	open_ok();
	ck_assert_int_eq(stat(fix.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);

	char wal[128];

	snprintf(wal, sizeof(wal), "%s-wal", fix.path);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		sqlite3_stmt *stmt;

		ck_assert_int_eq(sqlite3_prepare_v2(fix.db->sql, pragmas[i].sql, -1, &stmt, NULL),
				 SQLITE_OK);
		ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
		ck_assert_msg(!strcmp((const char *)sqlite3_column_text(stmt, 0),
				      pragmas[i].expect), "%s", pragmas[i].sql);
		sqlite3_finalize(stmt);
	}

	int defensive = 0;

	sqlite3_db_config(fix.db->sql, SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive);
	ck_assert_int_eq(defensive, 1);
}
END_TEST

START_TEST(test_opening_again_writes_nothing)
{
	size_t len, len2;

	fill();

	unsigned char *before = fake_slurp(&fix, "state.db", &len);

	open_ok();

	char wal[128];
	struct stat st;

	snprintf(wal, sizeof(wal), "%s-wal", fix.path);
	ck_assert(stat(wal, &st) < 0 || st.st_size == 0);
	fake_db_close(&fix);

	unsigned char *after = fake_slurp(&fix, "state.db", &len2);

	ck_assert_uint_eq(len, len2);
	ck_assert_int_eq(memcmp(before, after, len), 0);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_an_empty_file_is_a_new_database)
{
	put_octets("state.db", 0, "", 0);
	open_ok();
	fake_db_close(&fix);
	open_ok();
}
END_TEST

START_TEST(test_a_failed_first_start_leaves_no_database)
{
	/* A directory stands where the log should be. */
	char wal[128];

	snprintf(wal, sizeof(wal), "%s-wal", fix.path);
	ck_assert_int_eq(mkdir(wal, 0700), 0);
	open_refused("");
	ck_assert_int_ne(access(fix.path, F_OK), 0);
	ck_assert_int_eq(rmdir(wal), 0);
	open_ok();
}
END_TEST

START_TEST(test_a_relative_path_is_refused)
{
	struct mib_db *db;

	ck_assert_int_eq(mib_seal_open(fix.dir, NULL, &fix.seal, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_open("file:state.db", fix.seal, &db, &diag),
			 MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(diag.text, "absolute"));
}
END_TEST

/* ---- what is refused ---- */

static void spoil_header(void)
{
	put_octets("state.db", 0, "no such thing", 13);
}

static void spoil_page(void)
{
	uint8_t noise[4096];

	memset(noise, 0xa5, sizeof(noise));
	/* The second page is the root of our first table. */
	put_octets("state.db", 4096, noise, sizeof(noise));
}

static void spoil_leaf(void)
{
	size_t len;
	unsigned char *data = fake_slurp(&fix, "state.db", &len);
	unsigned char *text = memmem(data, len, "aaaaaaaa", 8);

	ck_assert_ptr_nonnull(text);
	/* The head of the page that has our text. */
	put_octets("state.db", (text - data) / 4096 * 4096, "\377\377\377\377\377\377\377\377", 8);
	free(data);
}

static void spoil_cut(void)
{
	ck_assert_int_eq(truncate(fix.path, 3 * 4096), 0);
}

static void newer(void)
{
	fake_sql(&fix, "PRAGMA user_version = 2");
}

static void negative(void)
{
	fake_sql(&fix, "PRAGMA user_version = -1");
}

static void foreign(void)
{
	fake_sql(&fix, "PRAGMA application_id = 252006673");
}

static void no_table(void)
{
	fake_sql(&fix, "DROP TABLE cell");
}

static void writable_by_others(void)
{
	ck_assert_int_eq(chmod(fix.path, 0660), 0);
}

static void is_symlink(void)
{
	char other[128];

	snprintf(other, sizeof(other), "%s.real", fix.path);
	ck_assert_int_eq(rename(fix.path, other), 0);
	ck_assert_int_eq(symlink(other, fix.path), 0);
}

static void no_key(void)
{
	ck_assert_int_eq(unlink(fix.key), 0);
}

static void no_key_no_secrets(void)
{
	fake_sql(&fix, "DELETE FROM cell WHERE sealed");
	no_key();
}

static void other_key(void)
{
	put_octets("ipspd.key", 0, "0123456789abcdef0123456789abcdef", 32);
}

static void no_key_check(void)
{
	fake_sql(&fix, "DELETE FROM meta WHERE key = 'key_check'");
}

static const struct {
	const char *name;
	void (*spoil)(void);
	const char *says;
} refused[] = {
	{ "header overwritten", spoil_header, "not a database" },
	{ "page overwritten", spoil_page, "corrupt" },
	{ "leaf page overwritten", spoil_leaf, "corrupt" },
	{ "file cut", spoil_cut, "" },
	{ "newer version", newer, "version 2" },
	{ "impossible version", negative, "version -1" },
	{ "another program's database", foreign, "no database of ipspd" },
	{ "table missing", no_table, "no such table: cell" },
	{ "writable by the group", writable_by_others, "0660" },
	{ "symbolic link", is_symlink, "no regular file" },
	{ "key missing", no_key, "is missing" },
	{ "key missing, no secrets left", no_key_no_secrets, "is missing" },
	{ "another key", other_key, "key other than" },
	{ "secrets without a key check", no_key_check, "knows no key" },
};

START_TEST(test_a_database_that_cannot_be_used_is_refused_and_left_alone)
{
	size_t before_len, after_len, key_len;

	fill();
	refused[_i].spoil();

	unsigned char *before = fake_slurp(&fix, "state.db", &before_len);
	bool had_key = access(fix.key, F_OK) == 0;

	open_refused(refused[_i].says);

	unsigned char *after = fake_slurp(&fix, "state.db", &after_len);
	unsigned char *key = fake_slurp(&fix, "ipspd.key", &key_len);

	ck_assert_uint_eq(before_len, after_len);
	ck_assert_int_eq(memcmp(before, after, before_len), 0);
	ck_assert_msg((key != NULL) == had_key, "a key was made anew");
	free(before);
	free(after);
	free(key);
}
END_TEST

/** @return 0 when the child cannot open, for that reason */
static int child_refused(const char *says)
{
	struct fake_db child = fix;

	child.db = NULL;
	child.seal = NULL;
	if (fake_db_open(&child, &diag) != MIB_RESOURCE_UNAVAILABLE)
		return 1;
	return strstr(diag.text, fix.path) && strstr(diag.text, says) ? 0 : 2;
}

static void child_must_succeed(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(test_a_read_only_database_is_refused)
{
	fill();
	if (geteuid() == 0) {
		/* root may write anything, so the child becomes somebody else. */
		ck_assert_int_eq(chown(fix.dir, 65534, 65534), 0);
		ck_assert_int_eq(chown(fix.path, 65534, 65534), 0);
		ck_assert_int_eq(chown(fix.key, 65534, 65534), 0);
	}
	ck_assert_int_eq(chmod(fix.path, 0400), 0);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(3);
		_exit(child_refused("read-only"));
	}
	child_must_succeed(child);
}
END_TEST

START_TEST(test_a_database_in_use_is_refused)
{
	open_ok();

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(child_refused("in use by another process"));
	child_must_succeed(child);
}
END_TEST

START_TEST(test_a_trigger_smuggled_in_does_not_run)
{
	struct mib_store *s = fake_store_new();

	fill();
	fake_sql(&fix, "CREATE TRIGGER evil AFTER UPDATE ON meta BEGIN DELETE FROM cell; END");
	open_ok();
	ck_assert_int_eq(fake_write(&fix, 30, NULL, fake_row1(s, 30), &diag), MIB_OK);
	fake_store_free(s);
	s = fake_load(&fix, NULL, NULL);
	ck_assert_uint_eq(fake_store_rows(s), 21);
	fake_store_free(s);
}
END_TEST

/* ---- a full disk ---- */

static void set_max_pages(int64_t pages)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)pages);
	ck_assert_int_eq(sqlite3_exec(fix.db->sql, sql, NULL, NULL, NULL), SQLITE_OK);
}

START_TEST(test_a_full_database_refuses_and_changes_nothing)
{
	struct mib_store *s = fake_store_new();
	struct mib_row *r = fake_row1(s, 50);
	static char text[60001];

	fill();
	open_ok();

	struct mib_store *before = fake_load(&fix, NULL, NULL);

	memset(text, 'x', sizeof(text) - 1);
	fake_set_text(r, FAKE_OCTETS, text);
	set_max_pages(1);	/* as low as it goes: what there is now */
	ck_assert_int_eq(fake_write(&fix, 21, NULL, r, &diag), MIB_COMMIT_FAILED);
	ck_assert_msg(strstr(diag.text, fix.path) && strstr(diag.text, "full"), "%s", diag.text);

	struct mib_store *after = fake_load(&fix, NULL, NULL);

	ck_assert(fake_store_equal(before, after));
	ck_assert_uint_eq(fake_store_generation(after), 20);
	fake_store_free(after);
	fake_store_free(before);

	/* With room again, it goes on. */
	set_max_pages(100000);
	ck_assert_msg(fake_write(&fix, 21, NULL, r, &diag) == MIB_OK, "%s", diag.text);
	after = fake_load(&fix, NULL, NULL);
	ck_assert_uint_eq(fake_store_rows(after), 21);
	ck_assert_uint_eq(fake_store_generation(after), 21);
	fake_store_free(after);
	fake_store_free(s);
}
END_TEST

START_TEST(test_a_full_database_refuses_a_reservation)
{
	enum mib_err err = MIB_OK;
	uint64_t id, n;

	open_ok();
	set_max_pages(1);
	for (id = 1; id < 100000 && !err; id++)
		err = mib_db_reserve_put(fix.db, id, 5, &diag);
	ck_assert_int_eq(err, MIB_COMMIT_FAILED);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, id - 1, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, id - 2, &n, &diag), MIB_OK);
}
END_TEST

/* ---- the log ---- */

static long long wal_size(void)
{
	char wal[128];
	struct stat st;

	snprintf(wal, sizeof(wal), "%s-wal", fix.path);
	return stat(wal, &st) < 0 ? 0 : (long long)st.st_size;
}

/** Writes a row of that many octets. */
static void write_large(uint64_t generation, uint32_t index, size_t len)
{
	struct mib_store *s = fake_store_new();
	struct mib_row *r = fake_row1(s, index);
	uint8_t *data = malloc(len);
	const struct mib_value v = mib_value_octets(data, len);

	/* SQLite does not write pages again that stay the same. */
	memset(data, (int)(generation % 251), len);
	fake_set(r, &fake_columns[FAKE_OCTETS], &v);
	ck_assert_int_eq(fake_write(&fix, generation, r, r, &diag), MIB_OK);
	free(data);
	fake_store_free(s);
}

START_TEST(test_the_log_moves_when_idle_only_and_only_when_long)
{
	size_t len, len2;

	fill();
	open_ok();
	write_large(21, 100, 60000);

	unsigned char *before = fake_slurp(&fix, "state.db", &len);

	ck_assert_int_eq(mib_db_idle(fix.db, &diag), MIB_OK);

	unsigned char *short_log = fake_slurp(&fix, "state.db", &len2);

	ck_assert_uint_eq(len, len2);
	ck_assert_int_eq(memcmp(before, short_log, len), 0);
	free(short_log);
	for (uint64_t g = 22; g < 22 + MIB_DB_IDLE_PAGES / 14; g++)
		write_large(g, 100, 60000);

	unsigned char *busy = fake_slurp(&fix, "state.db", &len2);

	ck_assert_uint_eq(len, len2);
	ck_assert_int_eq(memcmp(before, busy, len), 0);
	free(busy);
	free(before);
	ck_assert_int_ge(fix.db->wal_pages, MIB_DB_IDLE_PAGES);
	ck_assert_int_eq(mib_db_idle(fix.db, &diag), MIB_OK);
	free(fake_slurp(&fix, "state.db", &len2));
	ck_assert_uint_gt(len2, len);

	/* The log begins anew, so it does not grow. */
	long long size = wal_size();

	write_large(100, 100, 60000);
	ck_assert_int_le(wal_size(), size);
}
END_TEST

START_TEST(test_the_log_is_bounded_when_never_idle)
{
	const long long page = 4096 + 24;	/* a frame of the log has a header */
	long long most = 0;

	open_ok();
	for (uint64_t g = 1; g < 2 * MIB_DB_WAL_MAX_PAGES / 14; g++) {
		write_large(g, 1, 60000);
		if (wal_size() > most)
			most = wal_size();
	}
	ck_assert_int_gt(most, MIB_DB_WAL_MAX_PAGES * page);
	ck_assert_int_lt(most, (MIB_DB_WAL_MAX_PAGES + 50) * page);
}
END_TEST

START_TEST(test_a_refused_open_leaves_the_log_of_a_crash_alone)
{
	size_t len, len2;

	/* A process that dies leaves its log. */
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		fill();
		open_ok();
		write_large(21, 100, 60000);
		_exit(0);
	}
	child_must_succeed(child);
	no_key();

	unsigned char *before = fake_slurp(&fix, "state.db-wal", &len);

	ck_assert_uint_gt(len, 60000);
	open_refused("is missing");

	unsigned char *after = fake_slurp(&fix, "state.db-wal", &len2);

	ck_assert_uint_eq(len, len2);
	ck_assert_int_eq(memcmp(before, after, len), 0);
	free(before);
	free(after);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static Suite *open_suite(void)
{
	Suite *suite = suite_create("mibs/persist_db");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_set_timeout(files, 120);
	tcase_add_test(files, test_a_new_database_is_private_and_in_the_right_mode);
	tcase_add_test(files, test_opening_again_writes_nothing);
	tcase_add_test(files, test_an_empty_file_is_a_new_database);
	tcase_add_test(files, test_a_failed_first_start_leaves_no_database);
	tcase_add_test(files, test_a_relative_path_is_refused);
	tcase_add_loop_test(files, test_a_database_that_cannot_be_used_is_refused_and_left_alone, 0,
			    COUNT(refused));
	tcase_add_test(files, test_a_read_only_database_is_refused);
	tcase_add_test(files, test_a_database_in_use_is_refused);
	tcase_add_test(files, test_a_trigger_smuggled_in_does_not_run);
	tcase_add_test(files, test_a_full_database_refuses_and_changes_nothing);
	tcase_add_test(files, test_a_full_database_refuses_a_reservation);
	tcase_add_test(files, test_the_log_moves_when_idle_only_and_only_when_long);
	tcase_add_test(files, test_the_log_is_bounded_when_never_idle);
	tcase_add_test(files, test_a_refused_open_leaves_the_log_of_a_crash_alone);
	suite_add_tcase(suite, files);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(open_suite());

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
