/*
 * check_persist.c - mibs/persist.c and persist_reserve.c: what is written comes back and no more;
 * secrets are on disk sealed only; changes of the schema lose nothing silently.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/persist_db.h"
#include "persist_fake.h"

static struct fake_db fix;
static struct mib_store *store;
static struct mib_diag diag;

static void setup(void)
{
	fake_db_init(&fix);
	ck_assert_msg(fake_db_open(&fix, &diag) == MIB_OK, "%s", diag.text);
	store = fake_store_new();
}

static void teardown(void)
{
	fake_store_free(store);
	fake_db_fini(&fix);
}

static void reopen(void)
{
	fake_db_close(&fix);
	ck_assert_msg(fake_db_open(&fix, &diag) == MIB_OK, "%s", diag.text);
}

static void write_row(const struct mib_row *before, const struct mib_row *after)
{
	static uint64_t generation;

	ck_assert_msg(fake_write(&fix, ++generation, before, after, &diag) == MIB_OK, "%s",
		      diag.text);
}

/* ---- values ---- */

static const uint32_t long_oid[MIB_OID_MAX] = { 1, 3, 6, [126] = 7, [127] = 4294967295u };
static const uint8_t binary[] = { 0, 1, 0xff, 0, '\'', '"', 0 };
static uint8_t large[65535];

static const struct {
	const char *name;
	int column;
	struct mib_value v;
} values[] = {
	{ "integer minimum", FAKE_INTEGER, { MIB_SYN_INTEGER, .number = INT32_MIN } },
	{ "integer zero", FAKE_INTEGER, { MIB_SYN_INTEGER, .number = 0 } },
	{ "integer maximum", FAKE_INTEGER, { MIB_SYN_INTEGER, .number = INT32_MAX } },
	{ "unsigned maximum", FAKE_UNSIGNED, { MIB_SYN_UNSIGNED, .number = UINT32_MAX } },
	{ "counter32", FAKE_COUNTER32, { MIB_SYN_COUNTER32, .number = UINT32_MAX } },
	{ "counter64", FAKE_COUNTER64, { MIB_SYN_COUNTER64, .counter64 = 1234567890123ull } },
	{ "counter64 sign bit", FAKE_COUNTER64, { MIB_SYN_COUNTER64, .counter64 = 1ull << 63 } },
	{ "counter64 maximum", FAKE_COUNTER64, { MIB_SYN_COUNTER64, .counter64 = UINT64_MAX } },
	{ "ticks", FAKE_TICKS, { MIB_SYN_TIMETICKS, .number = UINT32_MAX } },
	{ "no octets", FAKE_OCTETS, { MIB_SYN_OCTETS, .octets = { (const uint8_t *)"", 0 } } },
	{ "binary octets", FAKE_OCTETS, { MIB_SYN_OCTETS, .octets = { binary, sizeof(binary) } } },
	{ "most octets", FAKE_OCTETS, { MIB_SYN_OCTETS, .octets = { large, sizeof(large) } } },
	{ "bits", FAKE_BITS, { MIB_SYN_BITS, .octets = { binary, 3 } } },
	{ "no bits", FAKE_BITS, { MIB_SYN_BITS, .octets = { binary, 0 } } },
	{ "oid zero", FAKE_OID, { MIB_SYN_OID, .oid = { (const uint32_t[]){ 0, 0 }, 2 } } },
	{ "longest oid", FAKE_OID, { MIB_SYN_OID, .oid = { long_oid, MIB_OID_MAX } } },
	{ "empty oid", FAKE_OID, { MIB_SYN_OID, .oid = { long_oid, 0 } } },
	{ "secret", FAKE_SECRET, { MIB_SYN_OCTETS, .octets = { binary, sizeof(binary) } } },
	{ "empty secret", FAKE_SECRET, { MIB_SYN_OCTETS, .octets = { binary, 0 } } },
	{ "large secret", FAKE_SECRET, { MIB_SYN_OCTETS, .octets = { large, sizeof(large) } } },
};

START_TEST(test_a_value_of_every_syntax_comes_back)
{
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 31 + (i >> 8));

	struct mib_row *r = fake_row1(store, 1);

	fake_set(r, &fake_columns[values[_i].column], &values[_i].v);
	write_row(NULL, r);
	reopen();

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_msg(fake_store_equal(store, again), "%s", values[_i].name);
	fake_store_free(again);
}
END_TEST

START_TEST(test_rows_come_back_in_oid_order)
{
	static const struct mib_oid indexes[] = {
		{ 1, { 4294967295u } }, { 2, { 1, 0 } }, { 1, { 256 } }, { 1, { 2 } },
		{ 1, { 1 } }, { 3, { 1, 0, 5 } }, { 2, { 255, 7 } }, { 1, { 65536 } },
	};
	static const size_t order[] = { 4, 1, 5, 3, 6, 2, 7, 0 };
	const size_t n = sizeof(indexes) / sizeof(indexes[0]);

	for (size_t i = 0; i < n; i++)
		write_row(NULL, fake_row(store, &fake_table, indexes[i].ids, indexes[i].len));

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_rows(again), n);
	for (size_t i = 0; i < n; i++) {
		size_t len;
		const uint32_t *ids = mib_row_index(fake_store_row(again, i), &len);

		ck_assert_uint_eq(len, indexes[order[i]].len);
		ck_assert_int_eq(memcmp(ids, indexes[order[i]].ids, len * sizeof(*ids)), 0);
	}
	fake_store_free(again);
}
END_TEST

START_TEST(test_scalars_and_augmenting_columns_come_back)
{
	const uint32_t zero = 0;
	const struct mib_value more = mib_value_integer(-5), name = mib_value_octets("host", 4);
	struct mib_row *r = fake_row1(store, 3), *s = fake_row(store, &fake_scalars, &zero, 1);

	fake_set(r, &fake_more, &more);
	fake_set(s, &fake_name, &name);
	write_row(NULL, r);
	write_row(NULL, s);
	reopen();

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_rows(again), 2);
	ck_assert(fake_store_equal(store, again));
	fake_store_free(again);
}
END_TEST

START_TEST(test_row_status_comes_back)
{
	fake_set_status(fake_row1(store, 1), MIB_RS_ACTIVE);
	fake_set_status(fake_row1(store, 2), MIB_RS_NOT_IN_SERVICE);
	fake_set_status(fake_row1(store, 3), MIB_RS_DESTROY);
	for (uint32_t i = 1; i <= 3; i++)
		write_row(NULL, fake_find(store, i));

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_rows(again), 3);
	ck_assert(fake_store_equal(store, again));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_lost_row_stays_what_it_was_on_disk)
{
	struct mib_row *whole = fake_row1(store, 1), *poor = fake_row1(store, 2);
	struct mib_row *doomed = fake_row1(store, 3);

	fake_set_status(whole, MIB_RS_NOT_IN_SERVICE);
	fake_set_lost(whole, false);
	/* Without its values it must not be taken for one that may be active. */
	fake_set_status(poor, MIB_RS_NOT_IN_SERVICE);
	fake_set_lost(poor, true);
	fake_set_status(doomed, MIB_RS_DESTROY);
	fake_set_lost(doomed, false);
	for (uint32_t i = 1; i <= 3; i++)
		write_row(NULL, fake_find(store, i));

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_int_eq(fake_status(fake_find(again, 1)), MIB_RS_ACTIVE);
	ck_assert_int_eq(fake_status(fake_find(again, 2)), MIB_RS_NOT_READY);
	ck_assert_int_eq(fake_status(fake_find(again, 3)), MIB_RS_DESTROY);
	fake_store_free(again);
}
END_TEST

START_TEST(test_times_of_change_are_not_kept)
{
	struct mib_row *r = fake_row1(store, 1);

	fake_set_number(r, FAKE_LAST_CHANGED, 4711);
	write_row(NULL, r);

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert(!mib_row_is_set(fake_find(again, 1), &fake_columns[FAKE_LAST_CHANGED]));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_column_taken_back_stays_away)
{
	struct mib_row *r = fake_row1(store, 1);

	fake_set_number(r, FAKE_INTEGER, 1);
	fake_set_text(r, FAKE_OCTETS, "gone");
	write_row(NULL, r);
	fake_set(r, &fake_columns[FAKE_OCTETS], NULL);
	fake_set_number(r, FAKE_INTEGER, 2);
	write_row(r, r);

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert(fake_store_equal(store, again));
	ck_assert(!mib_row_is_set(fake_find(again, 1), &fake_columns[FAKE_OCTETS]));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_destroyed_row_stays_away)
{
	fake_set_text(fake_row1(store, 1), FAKE_OCTETS, "stays");
	fake_set_text(fake_row1(store, 2), FAKE_OCTETS, "goes");
	write_row(NULL, fake_find(store, 1));
	write_row(NULL, fake_find(store, 2));
	write_row(fake_find(store, 2), NULL);

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_rows(again), 1);
	ck_assert_ptr_nonnull(fake_find(again, 1));
	fake_store_free(again);
}
END_TEST

static size_t log_len(void)
{
	size_t len = 0;

	free(fake_slurp(&fix, "state.db-wal", &len));
	return len;
}

START_TEST(test_generations_without_rows_write_once_a_block)
{
	const struct mib_journal *j = mib_db_journal(fix.db);
	uint64_t generation = 0;

	for (int block = 0; block < 2; block++) {
		const size_t before = log_len();

		ck_assert_int_eq(j->write(j->arg, ++generation, NULL, 0, &diag), MIB_OK);

		const size_t after = log_len();

		ck_assert_uint_gt(after, before);
		for (int i = 1; i < MIB_DB_GENERATIONS; i++)
			ck_assert_int_eq(j->write(j->arg, ++generation, NULL, 0, &diag), MIB_OK);
		ck_assert_uint_eq(log_len(), after);
	}
}
END_TEST

START_TEST(test_the_generation_comes_back_at_any_size)
{
	static const uint64_t generations[] = { 1, 1ull << 63, UINT64_MAX };
	const struct mib_journal *j = mib_db_journal(fix.db);
	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_generation(again), 0);
	fake_store_free(again);
	for (size_t i = 0; i < 3; i++) {
		j = mib_db_journal(fix.db);
		ck_assert_int_eq(j->write(j->arg, generations[i], NULL, 0, &diag), MIB_OK);
		reopen();
		again = fake_load(&fix, NULL, NULL);
		ck_assert_uint_eq(fake_store_generation(again), generations[i]);
		fake_store_free(again);
	}
}
END_TEST

/* ---- StorageType ---- */

static const struct {
	const char *name;
	int before;	/* 0: no such row */
	int after;
	bool kept;
} storage[] = {
	{ "volatile from the start", 0, MIB_ST_VOLATILE, false },
	{ "nonVolatile turning volatile", MIB_ST_NON_VOLATILE, MIB_ST_VOLATILE, false },
	{ "volatile staying so", MIB_ST_VOLATILE, MIB_ST_VOLATILE, false },
	{ "volatile turning nonVolatile", MIB_ST_VOLATILE, MIB_ST_NON_VOLATILE, true },
	{ "nonVolatile", 0, MIB_ST_NON_VOLATILE, true },
	{ "permanent", 0, MIB_ST_PERMANENT, true },
	{ "readOnly", 0, MIB_ST_READ_ONLY, true },
	{ "other", 0, MIB_ST_OTHER, true },
};

START_TEST(test_storage_type_decides_what_is_kept)
{
	struct mib_store *old = fake_store_new();
	struct mib_row *before = storage[_i].before ? fake_row1(old, 1) : NULL;
	struct mib_row *after = fake_row1(store, 1);

	if (before) {
		fake_set_number(before, FAKE_STORAGE, storage[_i].before);
		fake_set_text(before, FAKE_OCTETS, "first words");
		write_row(NULL, before);
	}
	fake_set_number(after, FAKE_STORAGE, storage[_i].after);
	fake_set_text(after, FAKE_OCTETS, "second words");
	fake_set_text(after, FAKE_BITS, "third");
	write_row(before, after);

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	if (storage[_i].kept)
		ck_assert_msg(fake_store_equal(store, again), "%s", storage[_i].name);
	else
		ck_assert_msg(fake_store_rows(again) == 0, "%s", storage[_i].name);
	if (storage[_i].after == MIB_ST_VOLATILE)
		ck_assert(!fake_grep(&fix, "second words"));
	fake_store_free(again);
	fake_store_free(old);
}
END_TEST

/* ---- secrets ---- */

START_TEST(test_no_file_has_a_secret_in_the_clear)
{
	struct mib_row *r = fake_row1(store, 1);

	fake_set_text(r, FAKE_SECRET, "the plain shared secret");
	fake_set_text(r, FAKE_OCTETS, "words that may be seen");
	write_row(NULL, r);
	/* In the log first, then in the database. The other words show that we look where it is. */
	ck_assert(fake_grep(&fix, "words that may be seen"));
	ck_assert(!fake_grep(&fix, "plain shared"));
	fake_db_close(&fix);
	ck_assert(fake_grep(&fix, "words that may be seen"));
	ck_assert(!fake_grep(&fix, "plain shared"));
}
END_TEST

START_TEST(test_a_sealed_blob_moved_to_another_row_is_refused)
{
	unsigned int reports;
	struct mib_diag last;

	fake_set_text(fake_row1(store, 1), FAKE_SECRET, "of the first");
	fake_set_text(fake_row1(store, 2), FAKE_SECRET, "of the second");
	write_row(NULL, fake_find(store, 1));
	write_row(NULL, fake_find(store, 2));
	fake_db_close(&fix);
	fake_sql(&fix, "UPDATE cell SET value = (SELECT value FROM cell WHERE sealed"
		       " AND idx = x'00000001') WHERE sealed AND idx = x'00000002'");
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_uint_eq(reports, 1);
	ck_assert_str_eq(last.object, "fakeSecret.2");
	ck_assert(mib_row_is_set(fake_find(again, 1), &fake_columns[FAKE_SECRET]));
	ck_assert(!mib_row_is_set(fake_find(again, 2), &fake_columns[FAKE_SECRET]));
	ck_assert(!mib_row_lost(fake_find(again, 1)));
	ck_assert(mib_row_lost_values(fake_find(again, 2)));
	fake_store_free(again);
}
END_TEST

/* ---- changes of the schema ---- */

static void fill(void)
{
	struct mib_row *r = fake_row1(store, 1);

	fake_set_text(r, FAKE_OCTETS, "text");
	fake_set_number(r, FAKE_INTEGER, 5);
	write_row(NULL, r);
	fake_db_close(&fix);
}

START_TEST(test_a_column_that_is_gone_is_reported_and_stays_in_the_database)
{
	unsigned int reports;
	struct mib_diag last;

	fill();
	fake_sql(&fix, "UPDATE col SET name = 'fakeFormer' WHERE name = 'fakeOctets'");
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_uint_eq(reports, 1);
	ck_assert_ptr_nonnull(strstr(last.text, "1 values of FAKE-MIB::fakeFormer of fakeTable"));
	ck_assert(!mib_row_is_set(fake_find(again, 1), &fake_columns[FAKE_OCTETS]));
	ck_assert(mib_row_is_set(fake_find(again, 1), &fake_columns[FAKE_INTEGER]));
	/* A change of the row does not touch it. */
	fake_set_number(fake_find(again, 1), FAKE_INTEGER, 6);
	write_row(fake_find(again, 1), fake_find(again, 1));
	fake_store_free(again);

	/* The version that knows the column comes back. */
	fake_db_close(&fix);
	fake_sql(&fix, "DELETE FROM col WHERE name = 'fakeOctets'");
	fake_sql(&fix, "UPDATE col SET name = 'fakeOctets' WHERE name = 'fakeFormer'");
	reopen();
	fake_set_number(fake_find(store, 1), FAKE_INTEGER, 6);
	again = fake_load(&fix, NULL, NULL);
	ck_assert(fake_store_equal(store, again));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_value_left_out_does_not_come_back_in_a_new_row)
{
	unsigned int reports;

	fill();
	fake_sql(&fix, "UPDATE col SET name = 'fakeFormer' WHERE name = 'fakeOctets'");
	reopen();
	write_row(NULL, fake_row1(store, 1));

	struct mib_store *again = fake_load(&fix, &reports, NULL);

	ck_assert_uint_eq(reports, 0);
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_table_that_is_gone_is_reported)
{
	unsigned int reports;
	struct mib_diag last;

	fill();
	fake_sql(&fix, "UPDATE tbl SET name = 'oldTable' WHERE name = 'fakeTable'");
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_uint_eq(fake_store_rows(again), 0);
	ck_assert_uint_eq(reports, 3);	/* two values and RowStatus */
	ck_assert_ptr_nonnull(strstr(last.text, "oldTable"));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_new_column_takes_its_default)
{
	fill();
	fake_sql(&fix, "PRAGMA foreign_keys = OFF; DELETE FROM cell WHERE col IN"
		       " (SELECT id FROM col WHERE name = 'fakeOctets');"
		       " DELETE FROM col WHERE name = 'fakeOctets'");
	reopen();

	struct mib_store *again = fake_load(&fix, NULL, NULL);
	struct mib_row *r = fake_find(again, 1);

	ck_assert(!mib_row_is_set(r, &fake_columns[FAKE_OCTETS]));
	ck_assert(mib_row_is_set(r, &fake_columns[FAKE_INTEGER]));
	/* It can be written at once. */
	fake_set_text(r, FAKE_OCTETS, "text");
	write_row(r, r);
	fake_store_free(again);
	again = fake_load(&fix, NULL, NULL);
	ck_assert(fake_store_equal(store, again));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_column_of_another_type_is_another_column)
{
	unsigned int reports;
	struct mib_diag last;

	fill();
	fake_sql(&fix, "UPDATE col SET kind = 'oid' WHERE name = 'fakeOctets'");
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_uint_eq(reports, 1);
	ck_assert_ptr_nonnull(strstr(last.text, "fakeOctets"));
	fake_store_free(again);
}
END_TEST

START_TEST(test_a_newer_module_is_reported)
{
	unsigned int reports;
	struct mib_diag last;

	fill();
	fake_sql(&fix, "UPDATE module SET revision = '2031-01-01' WHERE name = 'FAKE-MORE-MIB'");
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_uint_eq(reports, 1);
	ck_assert_ptr_nonnull(strstr(last.text, "FAKE-MORE-MIB of 2031-01-01"));
	fake_store_free(again);
}
END_TEST

static const struct {
	const char *name;
	const char *sql;
	const char *object;
} odd_cells[] = {
	{ "out of range", "UPDATE cell SET value = 5000000000 WHERE value = 5", "fakeInteger.1" },
	{ "text for a number", "UPDATE cell SET value = 'five' WHERE value = 5", "fakeInteger.1" },
	{ "a blob for a number", "UPDATE cell SET value = x'05' WHERE value = 5", "fakeInteger.1" },
	{ "a number for octets", "UPDATE cell SET value = 7 WHERE value = x'74657874'",
	  "fakeOctets.1" },
	{ "no sealed value", "UPDATE cell SET sealed = 1 WHERE value = x'74657874'",
	  "fakeOctets.1" },
	{ "a sealed number", "UPDATE cell SET sealed = 1 WHERE value = 5", "fakeInteger.1" },
	{ "half an index", "UPDATE cell SET idx = x'0001' WHERE value = 5", "fakeInteger.0" },
	{ "a huge index", "UPDATE cell SET idx = zeroblob(516) WHERE value = 5", "fakeInteger.0" },
};

START_TEST(test_a_cell_that_does_not_fit_is_left_out_and_named)
{
	unsigned int reports;
	struct mib_diag last;

	fill();
	fake_sql(&fix, odd_cells[_i].sql);
	reopen();

	struct mib_store *again = fake_load(&fix, &reports, &last);

	ck_assert_msg(reports == 1, "%s: %u reports", odd_cells[_i].name, reports);
	ck_assert_str_eq(last.object, odd_cells[_i].object);
	ck_assert_uint_eq(fake_store_rows(again), 1);
	fake_store_free(again);
}
END_TEST

START_TEST(test_running_out_of_memory_ends_a_load)
{
	fake_set_text(fake_row1(store, 1), FAKE_OCTETS, "text");
	write_row(NULL, fake_find(store, 1));

	struct mib_store *again = fake_store_new();

	fake_store_fail_load(again, 2);
	ck_assert_int_eq(mib_db_load(fix.db, again, NULL, NULL, &diag), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(diag.text, fix.path));
	fake_store_free(again);
}
END_TEST

/* ---- refusals in the middle ---- */

START_TEST(test_a_change_that_cannot_be_kept_takes_the_others_with_it)
{
	static const struct mib_table stranger = { .name = "strangeTable", .number = 9 };
	const struct mib_journal *j = mib_db_journal(fix.db);

	fake_set_text(fake_row1(store, 1), FAKE_OCTETS, "text");

	const struct mib_change changes[] = {
		{ &fake_table, NULL, fake_find(store, 1) },
		{ &stranger, NULL, fake_find(store, 1) },
	};

	ck_assert_int_eq(j->write(j->arg, 5, changes, 2, &diag), MIB_COMMIT_FAILED);
	ck_assert_ptr_nonnull(strstr(diag.text, "strangeTable"));

	struct mib_store *again = fake_load(&fix, NULL, NULL);

	ck_assert_uint_eq(fake_store_rows(again), 0);
	ck_assert_uint_eq(fake_store_generation(again), 0);
	fake_store_free(again);
	ck_assert_int_eq(j->write(j->arg, 5, changes, 1, &diag), MIB_OK);
}
END_TEST

/* ---- reservations ---- */

static const uint64_t ids[] = { 0, 1, 1ull << 63, UINT64_MAX };

START_TEST(test_a_reservation_comes_back_and_only_grows)
{
	uint64_t n = 99;

	ck_assert_int_eq(mib_db_reserve_get(fix.db, ids[_i], &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_uint_eq(n, 99);
	ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[_i], 5, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[_i], 1ull << 63, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[_i], 6, &diag), MIB_INCONSISTENT_VALUE);
	ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[_i], 1ull << 63, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[_i], UINT64_MAX, &diag), MIB_OK);
	reopen();
	ck_assert_int_eq(mib_db_reserve_get(fix.db, ids[_i], &n, &diag), MIB_OK);
	ck_assert_uint_eq(n, UINT64_MAX);
}
END_TEST

START_TEST(test_reservations_are_put_all_or_none)
{
	const struct mib_reservation good[] = { { 1, 10 }, { 2, 20 } };
	const struct mib_reservation bad[] = { { 3, 30 }, { 2, 19 }, { 4, 40 } };
	uint64_t n;

	ck_assert_int_eq(mib_db_reserve_put_all(fix.db, good, 2, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_put_all(fix.db, bad, 3, &diag), MIB_INCONSISTENT_VALUE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 3, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 4, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 2, &n, &diag), MIB_OK);
	ck_assert_uint_eq(n, 20);
}
END_TEST

START_TEST(test_unused_reservations_are_forgotten)
{
	const uint64_t kept[] = { UINT64_MAX, 7, 1 };	/* 7 was never there; not in order */
	uint64_t n;

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(mib_db_reserve_put(fix.db, ids[i], 10 + i, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_keep(fix.db, kept, 3, &diag), MIB_OK);
	reopen();
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 0, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 1ull << 63, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 7, &n, &diag), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 1, &n, &diag), MIB_OK);
	ck_assert_uint_eq(n, 11);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, UINT64_MAX, &n, &diag), MIB_OK);
	ck_assert_uint_eq(n, 13);
	ck_assert_int_eq(mib_db_reserve_keep(fix.db, NULL, 0, &diag), MIB_OK);
	ck_assert_int_eq(mib_db_reserve_get(fix.db, 1, &n, &diag), MIB_NO_SUCH_INSTANCE);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static Suite *persist_suite(void)
{
	Suite *suite = suite_create("mibs/persist");
	TCase *rows = tcase_create("rows");

	tcase_add_checked_fixture(rows, setup, teardown);
	tcase_add_loop_test(rows, test_a_value_of_every_syntax_comes_back, 0, COUNT(values));
	tcase_add_test(rows, test_rows_come_back_in_oid_order);
	tcase_add_test(rows, test_scalars_and_augmenting_columns_come_back);
	tcase_add_test(rows, test_row_status_comes_back);
	tcase_add_test(rows, test_a_lost_row_stays_what_it_was_on_disk);
	tcase_add_test(rows, test_times_of_change_are_not_kept);
	tcase_add_test(rows, test_a_column_taken_back_stays_away);
	tcase_add_test(rows, test_a_destroyed_row_stays_away);
	tcase_add_test(rows, test_generations_without_rows_write_once_a_block);
	tcase_add_test(rows, test_the_generation_comes_back_at_any_size);
	tcase_add_loop_test(rows, test_storage_type_decides_what_is_kept, 0, COUNT(storage));
	tcase_add_test(rows, test_no_file_has_a_secret_in_the_clear);
	tcase_add_test(rows, test_a_sealed_blob_moved_to_another_row_is_refused);
	tcase_add_test(rows, test_a_column_that_is_gone_is_reported_and_stays_in_the_database);
	tcase_add_test(rows, test_a_value_left_out_does_not_come_back_in_a_new_row);
	tcase_add_test(rows, test_a_table_that_is_gone_is_reported);
	tcase_add_test(rows, test_a_new_column_takes_its_default);
	tcase_add_test(rows, test_a_column_of_another_type_is_another_column);
	tcase_add_test(rows, test_a_newer_module_is_reported);
	tcase_add_loop_test(rows, test_a_cell_that_does_not_fit_is_left_out_and_named, 0,
			    COUNT(odd_cells));
	tcase_add_test(rows, test_running_out_of_memory_ends_a_load);
	tcase_add_test(rows, test_a_change_that_cannot_be_kept_takes_the_others_with_it);
	tcase_add_loop_test(rows, test_a_reservation_comes_back_and_only_grows, 0, COUNT(ids));
	tcase_add_test(rows, test_reservations_are_put_all_or_none);
	tcase_add_test(rows, test_unused_reservations_are_forgotten);
	suite_add_tcase(suite, rows);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(persist_suite());

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
