/*
 * tests/unit/mibs/check_scale.c - many rows: what one row costs does not depend on how many there are.
 *
 * Counted in allocations, not in time; that nothing walks all rows for each row shows in that this
 * ends at all.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/mem.h"
#include "mibs/schema_gen.h"
#include "suite.h"

#define ROWS 20000

static const uint32_t true_filter[] = { 1, 3, 6, 1, 2, 1, 153, 1, 7, 1, 0 };
static const uint32_t drop_action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, 1, 0 };

static void stage_rule(struct mib_txn *t, uint32_t n, int status)
{
	/* Names of four octets, one of them each a digit of base 26. */
	const uint32_t index[] = { 4, 'a' + n / 17576 % 26, 'a' + n / 676 % 26, 'a' + n / 26 % 26,
				   'a' + n % 26 };
	const struct mib_value filter = mib_value_oid(true_filter, 11);
	const struct mib_value action = mib_value_oid(drop_action, 11);
	const struct mib_value rs = mib_value_integer(status);
	const struct mib_column *c = mib_t_spdRuleDefinitionTable.columns;

	if (status != MIB_RS_DESTROY) {
		ck_assert_int_eq(mib_txn_set_column(t, &c[MIB_C_spdRuleDefFilter], index, 5, &filter,
						    NULL), MIB_OK);
		ck_assert_int_eq(mib_txn_set_column(t, &c[MIB_C_spdRuleDefAction], index, 5, &action,
						    NULL), MIB_OK);
	}
	ck_assert_int_eq(mib_txn_set_column(t, &c[MIB_C_spdRuleDefRowStatus], index, 5, &rs, NULL),
			 MIB_OK);
}

/* All of them in one group, so that whatever looks at a group's members would look at all. */
static void stage_contents(struct mib_txn *t, uint32_t n, int status)
{
	const uint8_t name[] = { 'a' + n / 17576 % 26, 'a' + n / 676 % 26, 'a' + n / 26 % 26,
				 'a' + n % 26 };
	const uint32_t index[] = { 1, 'g', n % 65536 };
	const struct mib_value rule = mib_value_octets(name, 4), rs = mib_value_integer(status);
	const struct mib_column *c = mib_t_spdGroupContentsTable.columns;

	if (status != MIB_RS_DESTROY)
		ck_assert_int_eq(mib_txn_set_column(t, &c[MIB_C_spdGroupContComponentName], index, 3,
						    &rule, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_set_column(t, &c[MIB_C_spdGroupContRowStatus], index, 3, &rs, NULL),
			 MIB_OK);
}

static unsigned long cost_of_one(struct mib_store *s, uint32_t n)
{
	const unsigned long before = mib_mem_count();
	struct mib_txn *t = fx_begin(s);

	stage_rule(t, n, MIB_RS_CREATE_AND_GO);
	stage_contents(t, n, MIB_RS_CREATE_AND_GO);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	t = fx_begin(s);
	stage_contents(t, n, MIB_RS_DESTROY);
	stage_rule(t, n, MIB_RS_DESTROY);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	return mib_mem_count() - before;
}

START_TEST(test_many_rows_come_and_go_in_one_transaction)
{
	struct mib_store *s = fx_store();
	const unsigned long alone = cost_of_one(s, 7);
	struct mib_txn *t = fx_begin(s);
	struct mib_oid name = { 0 };
	struct mib_value v;
	size_t seen = 0;
	char *empty = fx_dump(s), *after;

	for (uint32_t n = 0; n < ROWS; n++) {
		stage_rule(t, n, MIB_RS_CREATE_AND_GO);
		stage_contents(t, n, MIB_RS_CREATE_AND_GO);
	}
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	ck_assert_int_eq(fx_set(s, "spdEndpointToGroupTable", "inbound,2", "spdEndGroupName=g",
				MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_uint_eq(cost_of_one(s, ROWS + 7), alone);
	while (mib_next(s, name.ids, name.len, false, NULL, 0, &name, &v) == MIB_OK)
		seen++;
	/* Rules have eight readable columns (two of ours unset), contents six. */
	ck_assert_uint_gt(seen, 14 * ROWS);

	t = fx_begin(s);
	for (uint32_t n = 0; n < ROWS; n++) {
		stage_rule(t, n, MIB_RS_DESTROY);
		stage_contents(t, n, MIB_RS_DESTROY);
	}
	/* All members of a group in use at once: refused, whichever comes last. */
	ck_assert_int_eq(fx_finish(t, NULL), MIB_INCONSISTENT_VALUE);
	ck_assert_int_eq(fx_set(s, "spdEndpointToGroupTable", "inbound,2", "", MIB_RS_DESTROY, NULL),
			 MIB_OK);
	t = fx_begin(s);
	for (uint32_t n = 0; n < ROWS; n++) {
		stage_rule(t, n, MIB_RS_DESTROY);
		stage_contents(t, n, MIB_RS_DESTROY);
	}
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	after = fx_dump(s);
	fx_expect_same(empty, after);
	fx_check_invariants(s);
	free(empty);
	free(after);
	mib_store_free(s);
}
END_TEST

/* A group of them a transaction, as a manager fills a table. */
static void create_volatile(struct mib_store *s, uint32_t from, uint32_t n)
{
	const struct mib_column *storage = MIB_COL(spdRuleDefinitionTable, spdRuleDefStorageType);
	const struct mib_value v = mib_value_integer(MIB_ST_VOLATILE);
	struct mib_txn *t = fx_begin(s);

	for (uint32_t i = from; i < from + n; i++) {
		const uint32_t index[] = { 4, 'a' + i / 17576 % 26, 'a' + i / 676 % 26,
					   'a' + i / 26 % 26, 'a' + i % 26 };

		stage_rule(t, i, MIB_RS_CREATE_AND_GO);
		ck_assert_int_eq(mib_txn_set_column(t, storage, index, 5, &v, NULL), MIB_OK);
	}
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
}

START_TEST(test_a_hundred_thousand_rows_are_no_different_from_ten)
{
	enum { MANY = 100000, GROUP = 500 };
	const struct mib_column *filter = MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter);
	struct mib_store *s = fx_store();
	struct mib_oid name = { 0 }, end = { 0 };
	struct mib_value v;
	char *empty = fx_dump(s), *after;
	unsigned long alone;
	size_t seen = 0;

	create_volatile(s, 0, 10);
	alone = cost_of_one(s, 2 * MANY);
	for (uint32_t i = 10; i < MANY; i += GROUP)
		create_volatile(s, i, i + GROUP < MANY ? GROUP : MANY - i);
	ck_assert_uint_eq(cost_of_one(s, 2 * MANY), alone);

	/* One column from row to row, each in its order and none twice. */
	ck_assert(mib_oid_append(&name, filter->table->entry_oid, filter->table->entry_oid_len) &&
		  mib_oid_append(&name, &filter->id, 1));
	end = name;
	end.ids[end.len - 1]++;
	for (;;) {
		struct mib_oid before = name;

		if (mib_next(s, before.ids, before.len, false, end.ids, end.len, &name, &v) !=
		    MIB_OK)
			break;
		ck_assert_int_lt(mib_oid_cmp(before.ids, before.len, name.ids, name.len), 0);
		seen++;
	}
	ck_assert_uint_eq(seen, MANY);
	for (uint32_t i = 0; i < MANY; i += 97) {
		const uint32_t index[] = { 4, 'a' + i / 17576 % 26, 'a' + i / 676 % 26,
					   'a' + i / 26 % 26, 'a' + i % 26 };

		ck_assert_int_eq(mib_read(s, filter, index, 5, &v), MIB_OK);
		ck_assert_int_eq(mib_read(s, filter, index, 4, &v), MIB_NO_SUCH_INSTANCE);
	}

	struct mib_txn *t = fx_begin(s);

	for (uint32_t i = 0; i < MANY; i++)
		stage_rule(t, i, MIB_RS_DESTROY);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	after = fx_dump(s);
	fx_expect_same(empty, after);
	free(empty);
	free(after);
	mib_store_free(s);
}
END_TEST

/* How often a search asked, and whether it is to find something. */
struct search {
	unsigned int asked;
	bool fits;
};

static bool count(void *arg, const struct mib_row *r)
{
	struct search *search = arg;

	(void)r;
	search->asked++;
	return search->fits;
}

static struct search search_spi(const struct mib_view *v, uint32_t spi, bool fits)
{
	struct search search = { .fits = fits };
	const struct mib_row *r;

	r = mib_view_find_number(v, MIB_COL(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPSPI),
				 spi, count, &search);
	ck_assert_int_eq(r != NULL, fits && search.asked > 0);
	return search;
}

static void make_sa(struct mib_store *s, unsigned int number, unsigned int spi)
{
	char index[24], columns[200];

	snprintf(index, sizeof(index), "sa%u,inbound", number);
	snprintf(columns, sizeof(columns), "ipsaSaPreActESPSPI=%u "
		 "ipsaSaPreActESPTransformName=aes256-sha256 ipsaSaPreActESPEncSecretName=ab-enc ipsaSaPreActESPAuthSecretName=ab-auth", spi);
	ck_assert_int_eq(fx_set(s, "ipsaSaPreconfiguredActionTable", index, columns,
				MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
}

START_TEST(test_sas_are_found_by_spi_without_looking_at_others)
{
	enum { SAS = 200, SHARED = 90000, FREE = 90001 };
	struct mib_store *s = fx_store();
	struct mib_txn *t;

	fx_make_policy(s, NULL);
	for (unsigned int i = 0; i < SAS; i++)
		make_sa(s, i, 10000 + i);
	make_sa(s, SAS, SHARED);
	make_sa(s, SAS + 1, SHARED);
	ck_assert_uint_eq(search_spi(mib_store_view(s), 10000 + SAS / 2, false).asked, 1);
	ck_assert_uint_eq(search_spi(mib_store_view(s), SHARED, false).asked, 2);
	ck_assert_uint_eq(search_spi(mib_store_view(s), SHARED, true).asked, 1);
	ck_assert_uint_eq(search_spi(mib_store_view(s), FREE, true).asked, 0);

	/* A transaction's own view: one row out of service, another with a new number. */
	t = fx_begin(s);
	ck_assert_int_eq(fx_stage_columns(t, "ipsaSaPreconfiguredActionTable", "sa200,inbound",
					  "ipsaSaPreActRowStatus=notInService", NULL), MIB_OK);
	ck_assert_int_eq(fx_stage_columns(t, "ipsaSaPreconfiguredActionTable", "sa3,inbound",
					  "ipsaSaPreActESPSPI=90001", NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	ck_assert_uint_eq(search_spi(mib_txn_view(t), SHARED, false).asked, 1);
	ck_assert_uint_eq(search_spi(mib_txn_view(t), FREE, false).asked, 1);
	ck_assert_uint_eq(search_spi(mib_txn_view(t), 10003, false).asked, 0);
	ck_assert_uint_eq(search_spi(mib_store_view(s), SHARED, false).asked, 2);
	ck_assert_uint_eq(search_spi(mib_store_view(s), 10003, false).asked, 1);
	mib_txn_done(t);
	ck_assert_uint_eq(search_spi(mib_store_view(s), SHARED, false).asked, 2);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scale");
	TCase *tc = tcase_create("scale");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_many_rows_come_and_go_in_one_transaction);
	tcase_add_test(tc, test_a_hundred_thousand_rows_are_no_different_from_ten);
	tcase_add_test(tc, test_sas_are_found_by_spi_without_looking_at_others);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
