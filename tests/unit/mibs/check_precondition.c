/*
 * tests/unit/mibs/check_precondition.c - SETs that hold only while nothing else has changed.
 */
#include <stdio.h>

#include "mibs/schema_gen.h"
#include "tests/unit/mibs/fixture.h"
#include "tests/unit/mibs/suite.h"

#define RULE "spdRuleDefinitionTable"
#define DROP "spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0"

static struct mib_store *store;

static void setup(void)
{
	store = fx_store();
	ck_assert_int_eq(fx_set(store, RULE, "a", DROP, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_int_eq(fx_set(store, RULE, "a", "spdRuleDefDescription=x", 0, NULL), MIB_OK);
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

/* One SET: the rule's description, then the precondition. */
static enum mib_err change(const char *text, uint32_t generation, struct mib_diag *d)
{
	struct mib_txn *t = fx_begin(store);
	char columns[64];
	enum mib_err err;

	snprintf(columns, sizeof(columns), "spdRuleDefDescription=%s", text);
	err = fx_stage_columns(t, RULE, "a", columns, d);
	snprintf(columns, sizeof(columns), "ipspdIfGeneration=%u", (unsigned int)generation);
	if (err == MIB_OK)
		err = fx_stage_columns(t, "ipspdTransactions", "0", columns, d);
	if (err == MIB_OK)
		return fx_finish(t, d);
	mib_txn_done(t);
	return err;
}

START_TEST(test_it_reads_as_the_generation)
{
	ck_assert_uint_eq(mib_store_generation(store), 2);
	ck_assert_str_eq(fx_get(store, "ipspdIfGeneration", "0"), "2");
}
END_TEST

START_TEST(test_of_two_that_read_the_same_one_may_change)
{
	struct mib_diag d = { 0 };

	ck_assert_msg(change("first", 2, &d) == MIB_OK, "%s", d.text);
	ck_assert_uint_eq(mib_store_generation(store), 3);
	ck_assert_int_eq(change("second", 2, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_uint_eq(d.varbind, 2);
	ck_assert_str_eq(fx_get(store, "spdRuleDefDescription", "a"), "first");
	ck_assert_uint_eq(mib_store_generation(store), 3);
	ck_assert_str_eq(fx_get(store, "ipspdIfGeneration", "0"), "3");
	ck_assert_msg(change("second", 3, &d) == MIB_OK, "%s", d.text);
}
END_TEST

START_TEST(test_alone_it_changes_nothing)
{
	ck_assert_int_eq(fx_set(store, "ipspdTransactions", "0", "ipspdIfGeneration=2", 0, NULL),
			 MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipspdTransactions", "0", "ipspdIfGeneration=1", 0, NULL),
			 MIB_INCONSISTENT_VALUE);
	ck_assert_uint_eq(mib_store_generation(store), 2);
}
END_TEST

START_TEST(test_two_numbers_do_not_hold_at_once)
{
	struct mib_txn *t = fx_begin(store);

	ck_assert_int_eq(fx_stage_columns(t, "ipspdTransactions", "0", "ipspdIfGeneration=1", NULL),
			 MIB_OK);
	ck_assert_int_eq(fx_stage_columns(t, "ipspdTransactions", "0", "ipspdIfGeneration=2", NULL),
			 MIB_INCONSISTENT_VALUE);
	mib_txn_done(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("precondition");
	TCase *tc = tcase_create("precondition");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_it_reads_as_the_generation);
	tcase_add_test(tc, test_of_two_that_read_the_same_one_may_change);
	tcase_add_test(tc, test_alone_it_changes_nothing);
	tcase_add_test(tc, test_two_numbers_do_not_hold_at_once);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
