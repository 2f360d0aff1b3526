/*
 * tests/unit/mibs/check_group_destroy.c - whole groups, destroyed in one transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/mem.h"
#include "mibs/schema_gen.h"
#include "tests/unit/mibs/fixture.h"
#include "tests/unit/mibs/suite.h"

#define RULE "spdRuleDefinitionTable"
#define CONTENTS "spdGroupContentsTable"
#define ENDPOINT "spdEndpointToGroupTable"
#define CONTROL "ipspdGroupControl"
#define DROP "spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0"

static struct mib_store *store;

static void make(const char *table, const char *index, const char *columns)
{
	struct mib_diag d = { 0 };

	ck_assert_msg(fx_set(store, table, index, columns, MIB_RS_CREATE_AND_GO, &d) == MIB_OK, "%s",
		      d.text);
}

/* Groups "big" (rules big-0 .. and one that "small" has too) and "small", which is bound. */
#define MEMBERS 12

static void setup(void)
{
	char name[32], index[32], columns[64];

	store = fx_store();
	make(RULE, "shared", DROP);
	for (int i = 0; i < MEMBERS; i++) {
		snprintf(name, sizeof(name), "big-%d", i);
		snprintf(index, sizeof(index), "big,%d", i + 1);
		snprintf(columns, sizeof(columns), "spdGroupContComponentName=%s", name);
		make(RULE, name, DROP);
		make(CONTENTS, index, columns);
	}
	/* Twice the same rule, and one that another group names too. */
	make(CONTENTS, "big,900", "spdGroupContComponentName=big-0");
	make(CONTENTS, "big,901", "spdGroupContComponentName=shared");
	make(CONTENTS, "small,1", "spdGroupContComponentName=shared");
	/* Names that begin alike are other groups. */
	make(RULE, "other", DROP);
	make(CONTENTS, "bigger,1", "spdGroupContComponentName=other");
	make(CONTENTS, "bi,1", "spdGroupContComponentName=other");
	make(ENDPOINT, "inbound,2", "spdEndGroupName=small");
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

static enum mib_err ask(const char *columns, struct mib_diag *d)
{
	return fx_set(store, CONTROL, "0", columns, 0, d);
}

static bool there(const char *table, const char *index)
{
	return fx_status(store, table, index) != 0;
}

START_TEST(test_a_group_goes_with_all_its_rows_and_no_others)
{
	const uint64_t generation = mib_store_generation(store);
	struct mib_diag d = { 0 };

	ck_assert_msg(ask("ipspdGroupDestroy=big", &d) == MIB_OK, "%s", d.text);
	ck_assert(!there(CONTENTS, "big,1") && !there(CONTENTS, "big,12") &&
		  !there(CONTENTS, "big,900") && !there(CONTENTS, "big,901"));
	ck_assert(there(CONTENTS, "bigger,1") && there(CONTENTS, "bi,1") && there(CONTENTS, "small,1"));
	ck_assert(there(RULE, "big-0") && there(RULE, "shared"));
	ck_assert_uint_eq(mib_store_generation(store), generation + 1);
	ck_assert_str_eq(fx_get(store, "ipspdGroupDestroy", "0"), "");
}
END_TEST

START_TEST(test_its_rules_go_too_but_for_those_of_other_groups)
{
	struct mib_diag d = { 0 };

	ck_assert_msg(ask("ipspdGroupDestroyWithRules=big", &d) == MIB_OK, "%s", d.text);
	ck_assert(!there(CONTENTS, "big,1") && !there(CONTENTS, "big,901"));
	ck_assert(!there(RULE, "big-0") && !there(RULE, "big-11"));
	ck_assert(there(RULE, "shared") && there(RULE, "other"));
	ck_assert_str_eq(fx_get(store, "ipspdGroupDestroyWithRules", "0"), "");
}
END_TEST

START_TEST(test_undo_brings_all_of_it_back)
{
	char *before = fx_dump(store), *after;
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(fx_stage_columns(t, CONTROL, "0", "ipspdGroupDestroyWithRules=big", &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);
	ck_assert(!there(RULE, "big-0"));
	ck_assert_int_eq(mib_txn_undo(t, &d), MIB_OK);
	mib_txn_done(t);
	ck_assert(there(RULE, "big-0") && there(CONTENTS, "big,901"));
	/* But for the generation, and the clock of the rows. */
	after = fx_dump(store);
	ck_assert_uint_eq(strlen(before), strlen(after));
	free(before);
	free(after);
}
END_TEST

START_TEST(test_a_group_in_use_stays_whole)
{
	struct mib_diag d = { 0 };
	char *before = fx_dump(store), *after;

	ck_assert_int_eq(ask("ipspdGroupDestroy=small", &d), MIB_INCONSISTENT_VALUE);
	ck_assert_uint_eq(d.varbind, 1);
	after = fx_dump(store);
	fx_expect_same(before, after);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_the_endpoint_may_leave_in_the_same_transaction)
{
	const struct fx_row gone = { ENDPOINT, "inbound,2", "" };
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(fx_stage_columns(t, CONTROL, "0", "ipspdGroupDestroy=small", &d), MIB_OK);
	ck_assert_int_eq(fx_stage(t, &gone, MIB_RS_DESTROY, &d), MIB_OK);
	ck_assert_msg(fx_finish(t, &d) == MIB_OK, "%s", d.text);
	ck_assert(!there(CONTENTS, "small,1") && !there(ENDPOINT, "inbound,2"));
	/* ... or move to another group. */
	make(ENDPOINT, "inbound,2", "spdEndGroupName=big");
	t = fx_begin(store);
	ck_assert_int_eq(fx_stage_columns(t, ENDPOINT, "inbound,2", "spdEndGroupName=bigger", &d), MIB_OK);
	ck_assert_int_eq(fx_stage_columns(t, CONTROL, "0", "ipspdGroupDestroyWithRules=big", &d), MIB_OK);
	ck_assert_msg(fx_finish(t, &d) == MIB_OK, "%s", d.text);
	ck_assert(!there(CONTENTS, "big,1") && !there(RULE, "shared"));
}
END_TEST

START_TEST(test_what_the_same_set_adds_takes_the_groups_place)
{
	const struct fx_row added = { CONTENTS, "small,2", "spdGroupContComponentName=other" };
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(fx_stage(t, &added, MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_stage_columns(t, CONTROL, "0", "ipspdGroupDestroy=small", &d), MIB_OK);
	ck_assert_msg(fx_finish(t, &d) == MIB_OK, "%s", d.text);
	ck_assert(!there(CONTENTS, "small,1") && there(CONTENTS, "small,2"));
}
END_TEST

START_TEST(test_permanent_rows_keep_their_group)
{
	static const int kinds[] = { MIB_ST_PERMANENT, MIB_ST_READ_ONLY };
	static const uint32_t index[] = { 3, 'b', 'i', 'g', 7 };

	for (size_t i = 0; i < 2; i++) {
		const struct mib_value kind = mib_value_integer(kinds[i]);
		struct mib_txn *t = fx_begin(store);
		struct mib_diag d = { 0 };

		ck_assert_int_eq(mib_txn_force(t, MIB_COL(spdGroupContentsTable, spdGroupContStorageType),
					       index, 5, &kind), MIB_OK);
		ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
		ck_assert_int_eq(ask("ipspdGroupDestroyWithRules=big", &d), MIB_INCONSISTENT_VALUE);
		ck_assert_ptr_nonnull(strstr(d.text, "permanent"));
		ck_assert(there(CONTENTS, "big,1") && there(RULE, "big-0"));
	}
}
END_TEST

/* Each allocation in turn, until there are no more. */
START_TEST(test_no_failed_allocation_destroys_a_part)
{
	char *before = fx_dump(store);
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;
	unsigned long n = 0;

	while (err != MIB_OK) {
		struct mib_txn *t = fx_begin(store);
		struct mib_diag d = { 0 };

		mib_mem_fail_at(++n);
		err = fx_stage_columns(t, CONTROL, "0", "ipspdGroupDestroyWithRules=big", &d);
		if (err == MIB_OK)
			err = fx_finish(t, &d);
		else
			mib_txn_done(t);
		mib_mem_fail_at(0);
		if (err != MIB_OK) {
			char *after = fx_dump(store);

			ck_assert_int_eq(err, MIB_RESOURCE_UNAVAILABLE);
			fx_expect_same(before, after);
			free(after);
		}
	}
	ck_assert_uint_gt(n, MEMBERS);
	ck_assert(!there(CONTENTS, "big,1") && !there(RULE, "big-0"));
	free(before);
}
END_TEST

START_TEST(test_a_name_of_no_group_changes_nothing)
{
	const uint64_t generation = mib_store_generation(store);

	ck_assert_int_eq(ask("ipspdGroupDestroy=nothing", NULL), MIB_OK);
	ck_assert_int_eq(ask("ipspdGroupDestroyWithRules=b", NULL), MIB_OK);
	ck_assert_uint_eq(mib_store_generation(store), generation);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("group_destroy");
	TCase *tc = tcase_create("group_destroy");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_group_goes_with_all_its_rows_and_no_others);
	tcase_add_test(tc, test_its_rules_go_too_but_for_those_of_other_groups);
	tcase_add_test(tc, test_undo_brings_all_of_it_back);
	tcase_add_test(tc, test_a_group_in_use_stays_whole);
	tcase_add_test(tc, test_the_endpoint_may_leave_in_the_same_transaction);
	tcase_add_test(tc, test_what_the_same_set_adds_takes_the_groups_place);
	tcase_add_test(tc, test_permanent_rows_keep_their_group);
	tcase_add_test(tc, test_no_failed_allocation_destroys_a_part);
	tcase_add_test(tc, test_a_name_of_no_group_changes_nothing);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
