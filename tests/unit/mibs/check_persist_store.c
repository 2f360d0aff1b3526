/*
 * check_persist_store.c - mibs/persist.c under the real store and schema: a row in every table,
 * through transactions, death and loading again.
 */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "mibs/persist.h"
#include "mibs/schema_gen.h"

static char dir[64];
static char path[96];
static struct mib_seal *seal;
static struct mib_db *db;
static struct mib_store *store;

static void print_report(void *arg, const struct mib_diag *d)
{
	unsigned int *reports = arg;

	(*reports)++;
	fprintf(stderr, "%s: %s\n", d->object, d->text);
}

/** Opens the database and loads a new store from it. @return how many things were reported */
static unsigned int start(void)
{
	struct mib_diag d = { .varbind = 0 };
	unsigned int reports = 0;

	ck_assert_msg(mib_seal_open(dir, NULL, &seal, &d) == MIB_OK, "%s", d.text);
	ck_assert_msg(mib_db_open(path, seal, &db, &d) == MIB_OK, "%s", d.text);
	ck_assert_int_eq(mib_store_new(mib_db_journal(db), fx_clock, &store), MIB_OK);
	ck_assert_msg(mib_db_load(db, store, print_report, &reports, &d) == MIB_OK, "%s", d.text);
	return reports;
}

static void stop(void)
{
	mib_store_free(store);
	mib_db_close(db);
	mib_seal_close(seal);
	store = NULL;
	db = NULL;
	seal = NULL;
}

static void setup(void)
{
	struct mib_diag d;

	ck_assert_int_eq(mib_secmem_init(MIB_SECMEM_MAY_SWAP, &d), MIB_OK);
	snprintf(dir, sizeof(dir), "/tmp/check_persist.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state.db", dir);
	ck_assert_uint_eq(start(), 0);
}

static void teardown(void)
{
	stop();

	DIR *d = opendir(dir);

	for (struct dirent *e = readdir(d); e; e = readdir(d))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(dir);
}

/** LastChanged of restored rows is zero, so all dumps are for a master younger than all rows. */
static char *dump(void)
{
	mib_store_set_master_start(store, fx_now_cs + 1);

	char *text = fx_dump(store);

	ck_assert_ptr_nonnull(text);
	return text;
}

/** Fails with the first line that differs; whole dumps are too long for Check. */
static void assert_same(const char *a, const char *b)
{
	size_t line = 0, i;

	for (i = 0; a[i] && a[i] == b[i]; i++) {
		if (a[i] == '\n')
			line = i + 1;
	}
	ck_assert_msg(a[i] == b[i], "%.*s\nbut then\n%.*s", (int)strcspn(a + line, "\n"), a + line,
		      (int)strcspn(b + line, "\n"), b + line);
}

START_TEST(test_a_row_in_every_table_comes_back_as_it_was)
{
	fx_make_policy(store, NULL);

	uint64_t generation = mib_store_generation(store);
	char *before = dump();

	stop();
	ck_assert_uint_eq(start(), 0);
	fx_check_invariants(store);

	char *after = dump();

	ck_assert_uint_gt(strlen(before), 1000);
	assert_same(before, after);
	ck_assert_uint_gt(generation, 0);
	ck_assert_uint_eq(mib_store_generation(store), generation);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_what_was_answered_survives_sigkill)
{
	int ends[2], status;
	uint64_t generation = 0;

	stop();
	ck_assert_int_eq(pipe(ends), 0);

	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		start();
		fx_make_policy(store, NULL);
		generation = mib_store_generation(store);
		if (write(ends[1], &generation, sizeof(generation)) != sizeof(generation))
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &generation, sizeof(generation)), sizeof(generation));
	close(ends[0]);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);

	ck_assert_uint_eq(start(), 0);
	ck_assert_uint_eq(mib_store_generation(store), generation);

	/* As the same policy made here would be. */
	char *loaded = dump();
	struct mib_store *kept = store;

	store = fx_store();
	fx_make_policy(store, NULL);

	char *made = dump();

	mib_store_free(store);
	store = kept;
	/* The generation is not the policy's alone, but both were made by the same commits. */
	assert_same(loaded, made);
	free(loaded);
	free(made);
}
END_TEST

static const char secret[] = "sixteen octets !";
static const char *const cred_index = "\"psk\"";

static void make_secret(void)
{
	struct mib_diag d = { .varbind = 0 };
	struct mib_txn *t = fx_begin(store);
	const struct mib_value v = mib_value_octets(secret, sizeof(secret) - 1);
	struct mib_oid index;

	ck_assert_int_eq(mib_index_parse(&mib_t_ipsaCredentialTable, cred_index, &index, &d),
			 MIB_OK);
	ck_assert_int_eq(mib_txn_set_column(t, MIB_COL(ipsaCredentialTable, ipsaCredCredential),
					    index.ids, index.len, &v, &d), MIB_OK);
	ck_assert_msg(fx_stage_columns(t, "ipsaCredentialTable", cred_index,
				       "ipsaCredType=sharedSecret ipsaCredRowStatus=createAndGo",
				       &d) == MIB_OK, "%s: %s", d.object, d.text);
	ck_assert_msg(fx_finish(t, &d) == MIB_OK, "%s: %s", d.object, d.text);
}

static bool file_has(const char *name, const char *text)
{
	char file[128], *data = malloc(1 << 22);
	int fd;
	ssize_t len = 0;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	fd = open(file, O_RDONLY);
	if (fd >= 0) {
		len = read(fd, data, 1 << 22);
		close(fd);
	}
	ck_assert_int_ge(len, 0);

	bool found = memmem(data, (size_t)len, text, strlen(text)) != NULL;

	free(data);
	return found;
}

START_TEST(test_a_secret_is_sealed_on_disk_and_usable_after_loading)
{
	struct mib_diag d = { .varbind = 0 };
	struct mib_oid index;
	struct mib_value v;

	make_secret();
	/* The type's own name of the row shows that the files are the right ones. */
	ck_assert(!file_has("state.db-wal", secret));
	ck_assert(file_has("state.db-wal", "ipsaCredCredential"));
	stop();
	ck_assert(!file_has("state.db", secret));
	ck_assert(file_has("state.db", "ipsaCredCredential"));

	ck_assert_uint_eq(start(), 0);
	ck_assert_int_eq(mib_index_parse(&mib_t_ipsaCredentialTable, cred_index, &index, &d),
			 MIB_OK);

	const struct mib_row *r = mib_view_row(mib_store_view(store), &mib_t_ipsaCredentialTable,
					       index.ids, index.len);
	const struct mib_column *col = MIB_COL(ipsaCredentialTable, ipsaCredCredential);

	ck_assert_ptr_nonnull(r);
	ck_assert(mib_row_is_secret(r, col));
	ck_assert(mib_row_get(r, col, &v));
	ck_assert_uint_eq(v.octets.len, sizeof(secret) - 1);
	ck_assert_int_eq(memcmp(v.octets.data, secret, v.octets.len), 0);
	/* At the doors it stays what it was: nothing. */
	ck_assert_int_eq(mib_read(store, col, index.ids, index.len, &v), MIB_OK);
	ck_assert_uint_eq(v.octets.len, 0);
}
END_TEST

START_TEST(test_an_undone_commit_is_undone_on_disk)
{
	struct mib_diag d = { .varbind = 0 };

	fx_make_policy(store, NULL);

	struct mib_txn *t = fx_begin(store);

	ck_assert_int_eq(fx_stage_columns(t, "spdRuleDefinitionTable", "\"extra\"",
					  "spdRuleDefRowStatus=createAndWait", &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);

	uint64_t generation = mib_store_generation(store);

	ck_assert_int_eq(mib_txn_undo(t, &d), MIB_OK);
	mib_txn_done(t);
	stop();
	ck_assert_uint_eq(start(), 0);
	ck_assert_uint_eq(mib_store_generation(store), generation + 1);

	struct mib_oid index;

	ck_assert_int_eq(mib_index_parse(&mib_t_spdRuleDefinitionTable, "\"extra\"", &index, &d),
			 MIB_OK);
	ck_assert_ptr_null(mib_view_row(mib_store_view(store), &mib_t_spdRuleDefinitionTable,
					index.ids, index.len));
}
END_TEST

static bool is_lost(const char *table, const char *index_text)
{
	const struct mib_table *t = mib_table_by_name(table);
	const struct mib_row *r;
	struct mib_oid index;

	ck_assert_int_eq(mib_index_parse(t, index_text, &index, NULL), MIB_OK);
	r = mib_view_row(mib_store_view(store), t, index.ids, index.len);
	ck_assert_ptr_nonnull(r);
	return mib_row_lost(r);
}

/* Restarts until a manager decides: what refers to a volatile row is lost each time. */
START_TEST(test_a_lost_row_stays_lost_over_restarts_until_a_manager_settles_it)
{
	const char *rules = "spdRuleDefinitionTable", *filters = "spdTimeFilterTable";
	const char *volatile_row = "spdTimeFiltStorageType=volatile";
	struct mib_diag d = { .varbind = 0 };

	ck_assert_int_eq(fx_set(store, filters, "\"w\"", volatile_row, MIB_RS_CREATE_AND_GO, &d),
			 MIB_OK);
	ck_assert_int_eq(fx_set(store, rules, "\"r\"", "spdRuleDefFilter=spdTimeFiltPeriod.\"w\" "
				"spdRuleDefAction=spdDropAction.0", MIB_RS_CREATE_AND_GO, &d),
			 MIB_OK);
	for (int i = 0; i < 3; i++) {
		stop();
		ck_assert_uint_eq(start(), 1);
		ck_assert(is_lost(rules, "\"r\""));
		/* Written anew, in other columns: still what it was. */
		ck_assert_int_eq(fx_set(store, rules, "\"r\"", i == 0 ? "spdRuleDefDescription=x" :
					"spdRuleDefAction=spdAcceptAction.0", 0, &d), MIB_OK);
		ck_assert(is_lost(rules, "\"r\""));
	}
	ck_assert_int_eq(fx_set(store, filters, "\"w\"", volatile_row, MIB_RS_CREATE_AND_GO, &d),
			 MIB_OK);
	ck_assert_int_eq(fx_set(store, rules, "\"r\"", "", MIB_RS_NOT_IN_SERVICE, &d), MIB_OK);
	stop();
	ck_assert_uint_eq(start(), 0);
	ck_assert(!is_lost(rules, "\"r\""));
	ck_assert_int_eq(fx_status(store, rules, "\"r\""), MIB_RS_NOT_READY);
}
END_TEST

START_TEST(test_a_volatile_row_is_gone_after_loading)
{
	struct mib_diag d = { .varbind = 0 };
	const struct {
		const char *index;
		const char *columns;
	} rows[] = {
		{ "\"kept\"", "" },
		{ "\"gone\"", "spdRuleDefStorageType=volatile" },
		{ "\"turned\"", "" },
	};

	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(fx_set(store, "spdRuleDefinitionTable", rows[i].index,
				     rows[i].columns, MIB_RS_CREATE_AND_WAIT, &d) == MIB_OK,
			      "%s: %s", d.object, d.text);
	ck_assert_int_eq(fx_set(store, "spdRuleDefinitionTable", "\"turned\"",
				"spdRuleDefStorageType=volatile", 0, &d), MIB_OK);
	stop();
	ck_assert_uint_eq(start(), 0);
	ck_assert_int_ne(fx_status(store, "spdRuleDefinitionTable", "\"kept\""), 0);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "\"gone\""), 0);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "\"turned\""), 0);
}
END_TEST

static Suite *store_suite(void)
{
	Suite *suite = suite_create("mibs/persist under the store");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, test_a_row_in_every_table_comes_back_as_it_was);
	tcase_add_test(all, test_what_was_answered_survives_sigkill);
	tcase_add_test(all, test_a_secret_is_sealed_on_disk_and_usable_after_loading);
	tcase_add_test(all, test_an_undone_commit_is_undone_on_disk);
	tcase_add_test(all, test_a_volatile_row_is_gone_after_loading);
	tcase_add_test(all, test_a_lost_row_stays_lost_over_restarts_until_a_manager_settles_it);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(store_suite());

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
