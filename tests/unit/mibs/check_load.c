/*
 * tests/unit/mibs/check_load.c - filling a store from disk: what fits, what does not, what is in force.
 */
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

static struct mib_store *store;
static char reports[2048];

static void setup(void)
{
	fx_now_cs = 100000;
	store = fx_store();
	reports[0] = '\0';
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

static void report(void *arg, const struct mib_diag *d)
{
	ck_assert_ptr_eq(arg, reports);
	strncat(reports, d->object, sizeof(reports) - strlen(reports) - 1);
	strncat(reports, ";", sizeof(reports) - strlen(reports) - 1);
}

/* One row as the disk has it: all of its cells, read back from text. */
static void load_row(const struct fx_row *row, int status)
{
	const struct mib_table *t = mib_table_by_name(row->table);
	const struct mib_value v = mib_value_integer(status);
	struct mib_oid at;
	char copy[512], *save = NULL;

	ck_assert_int_eq(mib_index_parse(t, row->index, &at, NULL), MIB_OK);
	snprintf(copy, sizeof(copy), "%s", row->columns);
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		_Alignas(8) uint8_t space[512];
		char *eq = strchr(word, '=');
		struct mib_value cell;

		*eq = '\0';
		ck_assert_int_eq(mib_value_parse(mib_column_by_name(word), eq + 1, false, space,
						 sizeof(space), &cell, NULL), MIB_OK);
		ck_assert_int_eq(mib_store_load_cell(store, mib_column_by_name(word), at.ids, at.len,
						     &cell, NULL), MIB_OK);
	}
	if (status != 0)
		ck_assert_int_eq(mib_store_load_cell(store, mib_table_column_tc(t, MIB_TC_ROW_STATUS),
						     at.ids, at.len, &v, NULL), MIB_OK);
}

START_TEST(test_a_whole_policy_comes_back_in_force_whatever_the_order)
{
	struct mib_store *other = fx_store();
	char *expected, *got;
	size_t n = 0;

	mib_store_set_master_start(other, UINT64_MAX);
	fx_make_policy(other, NULL);
	expected = fx_dump(other);
	mib_store_free(other);
	while (fx_policy[n].table != NULL)
		n++;
	/* Backwards, so that every reference comes before its target. */
	while (n-- > 0)
		load_row(&fx_policy[n], strcmp(fx_policy[n].index, "long") != 0 ? MIB_RS_ACTIVE :
					MIB_RS_NOT_IN_SERVICE);
	mib_store_load_end(store, 77, report, reports);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(mib_store_generation(store), 77);
	/* Restored rows have not changed since the system started: LastChanged is zero. */
	got = fx_dump(store);
	fx_expect_same(got, expected);
	free(expected);
	free(got);
}
END_TEST

START_TEST(test_rows_whose_targets_are_gone_are_out_of_force_and_reported)
{
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=spdTimeFiltPeriod.\"gone\" spdRuleDefAction=spdDropAction.0" };
	const struct fx_row contents = { "spdGroupContentsTable", "g,1",
		"spdGroupContComponentName=a" };
	const struct fx_row endpoint = { "spdEndpointToGroupTable", "inbound,2",
		"spdEndGroupName=g" };
	const struct fx_row good = { "spdTimeFilterTable", "w", "" };

	load_row(&endpoint, MIB_RS_ACTIVE);
	load_row(&contents, MIB_RS_ACTIVE);
	load_row(&rule, MIB_RS_ACTIVE);
	load_row(&good, MIB_RS_ACTIVE);
	mib_store_load_end(store, 1, report, reports);
	/* The rule's own target is gone; the others follow, one after the other. */
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdGroupContentsTable", "g,1"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdEndpointToGroupTable", "inbound,2"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdTimeFilterTable", "w"), MIB_RS_ACTIVE);
	ck_assert(strstr(reports, "spdRuleDefFilter.\"a\";") != NULL);
	ck_assert(strstr(reports, "spdGroupContComponentName.\"g\",1;") != NULL);
	ck_assert(strstr(reports, "spdEndGroupName.inbound,2;") != NULL);
	ck_assert_uint_eq(mib_store_rows_not_ready(store), 3);
}
END_TEST

START_TEST(test_cells_that_do_not_fit_are_refused_alone)
{
	const uint32_t index[] = { 1, 'a' }, bad_index[] = { 2, 'a' };
	const struct mib_value text = mib_value_octets("x", 1), number = mib_value_integer(9);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(mib_store_load_cell(store, MIB_COL(spdRuleDefinitionTable,
							    spdRuleDefAdminStatus), index, 2, &number,
					     &d), MIB_WRONG_VALUE);
	ck_assert_int_eq(mib_store_load_cell(store, MIB_COL(spdRuleDefinitionTable,
							    spdRuleDefAdminStatus), index, 2, &text,
					     &d), MIB_WRONG_TYPE);
	ck_assert_int_eq(mib_store_load_cell(store, MIB_COL(spdRuleDefinitionTable,
							    spdRuleDefDescription), bad_index, 2, &text,
					     &d), MIB_NO_CREATION);
	ck_assert_int_eq(mib_store_load_cell(store, MIB_COL(spdRuleDefinitionTable,
							    spdRuleDefDescription), index, 2, &text,
					     &d), MIB_OK);
	mib_store_load_end(store, 1, NULL, NULL);
	ck_assert_str_eq(fx_get(store, "spdRuleDefDescription", "a"), "x");
	ck_assert_int_eq(mib_store_load_cell(store, MIB_COL(spdRuleDefinitionTable,
							    spdRuleDefDescription), index, 2, &text,
					     &d), MIB_GEN_ERR);
}
END_TEST

START_TEST(test_scalars_are_loaded_too)
{
	const struct fx_row scalars = { "spdLocalConfigObjects", "0",
		"spdIngressPolicyGroupName=g" };
	const struct fx_row contents = { "spdGroupContentsTable", "g,1",
		"spdGroupContComponentName=a" };
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0" };

	load_row(&scalars, 0);
	load_row(&contents, MIB_RS_ACTIVE);
	load_row(&rule, MIB_RS_ACTIVE);
	mib_store_load_end(store, 1, report, reports);
	ck_assert_str_eq(reports, "");
	ck_assert_str_eq(fx_get(store, "spdIngressPolicyGroupName", "0"), "g");
	/* And its reference counts. */
	ck_assert_int_eq(fx_set(store, "spdGroupContentsTable", "g,1", "", MIB_RS_DESTROY, NULL),
			 MIB_INCONSISTENT_VALUE);
}
END_TEST

START_TEST(test_a_doomed_classifier_stays_doomed_over_a_restart)
{
	const struct fx_row clfr = { "diffServMultiFieldClfrTable", "5",
		"diffServMultiFieldClfrAddrType=ipv4" };
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=diffServMultiFieldClfrAddrType.5 spdRuleDefAction=spdDropAction.0" };
	const struct fx_row left = { "diffServMultiFieldClfrTable", "6",
		"diffServMultiFieldClfrAddrType=ipv4" };

	load_row(&clfr, MIB_RS_DESTROY);
	load_row(&left, MIB_RS_DESTROY);
	load_row(&rule, MIB_RS_ACTIVE);
	mib_store_load_end(store, 1, report, reports);
	ck_assert_str_eq(reports, "");
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "5"), MIB_RS_NOT_IN_SERVICE);
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "6"), 0);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_ACTIVE);
	ck_assert_int_eq(fx_set(store, "spdRuleDefinitionTable", "a", "", MIB_RS_DESTROY, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "5"), 0);
}
END_TEST

START_TEST(test_cycles_on_disk_are_not_in_force)
{
	const struct fx_row rows[] = {
		{ "spdGroupContentsTable", "x,1",
		  "spdGroupContComponentType=group spdGroupContComponentName=y" },
		{ "spdGroupContentsTable", "y,1",
		  "spdGroupContComponentType=group spdGroupContComponentName=x" },
	};

	load_row(&rows[0], MIB_RS_ACTIVE);
	load_row(&rows[1], MIB_RS_ACTIVE);
	mib_store_load_end(store, 1, report, reports);
	ck_assert(fx_status(store, "spdGroupContentsTable", "x,1") != MIB_RS_ACTIVE);
	ck_assert(fx_status(store, "spdGroupContentsTable", "y,1") != MIB_RS_ACTIVE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load");
	TCase *tc = tcase_create("load");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_whole_policy_comes_back_in_force_whatever_the_order);
	tcase_add_test(tc, test_rows_whose_targets_are_gone_are_out_of_force_and_reported);
	tcase_add_test(tc, test_cells_that_do_not_fit_are_refused_alone);
	tcase_add_test(tc, test_scalars_are_loaded_too);
	tcase_add_test(tc, test_a_doomed_classifier_stays_doomed_over_a_restart);
	tcase_add_test(tc, test_cycles_on_disk_are_not_in_force);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
