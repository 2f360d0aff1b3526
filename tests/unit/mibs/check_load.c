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

static const struct mib_row *row_of(const char *table, const char *index)
{
	const struct mib_table *t = mib_table_by_name(table);
	struct mib_oid at;

	ck_assert_int_eq(mib_index_parse(t, index, &at, NULL), MIB_OK);
	return mib_view_row(mib_store_view(store), t, at.ids, at.len);
}

static bool is_lost(const char *table, const char *index)
{
	const struct mib_row *r = row_of(table, index);

	ck_assert_ptr_nonnull(r);
	return mib_row_lost(r);
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
	ck_assert_int_eq(mib_store_load_end(store, 77, 77, report, reports), MIB_OK);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(mib_store_generation(store), 77);
	/* Restored rows have not changed since the system started: LastChanged is zero. */
	got = fx_dump(store);
	fx_expect_same(got, expected);
	for (n = 0; fx_policy[n].table != NULL; n++)
		if (row_of(fx_policy[n].table, fx_policy[n].index) != NULL)
			ck_assert_msg(!is_lost(fx_policy[n].table, fx_policy[n].index), "%s.%s",
				      fx_policy[n].table, fx_policy[n].index);
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
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
	/* The rule's own target is gone; the others follow, one after the other. */
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdGroupContentsTable", "g,1"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdEndpointToGroupTable", "inbound,2"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_status(store, "spdTimeFilterTable", "w"), MIB_RS_ACTIVE);
	ck_assert(strstr(reports, "spdRuleDefFilter.\"a\";") != NULL);
	ck_assert(strstr(reports, "spdGroupContComponentName.\"g\",1;") != NULL);
	ck_assert(strstr(reports, "spdEndGroupName.inbound,2;") != NULL);
	ck_assert_uint_eq(mib_store_rows_not_ready(store), 3);
	ck_assert(is_lost("spdRuleDefinitionTable", "a"));
	ck_assert(is_lost("spdGroupContentsTable", "g,1"));
	ck_assert(is_lost("spdEndpointToGroupTable", "inbound,2"));
	ck_assert(!is_lost("spdTimeFilterTable", "w"));
}
END_TEST

/* Loads a rule that was active, by a filter that is not there. */
static void load_lost_rule(void)
{
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=spdTimeFiltPeriod.\"gone\" spdRuleDefAction=spdDropAction.0" };

	load_row(&rule, MIB_RS_ACTIVE);
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
	ck_assert(is_lost("spdRuleDefinitionTable", "a"));
	ck_assert(!mib_row_lost_values(row_of("spdRuleDefinitionTable", "a")));
}

static enum mib_err set_status(int status)
{
	return fx_set(store, "spdRuleDefinitionTable", "a", "", status, NULL);
}

static void bring_filter_back(void)
{
	ck_assert_int_eq(fx_set(store, "spdTimeFilterTable", "gone", "", MIB_RS_CREATE_AND_GO, NULL),
			 MIB_OK);
}

START_TEST(test_a_row_that_was_not_active_is_not_lost)
{
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=spdTimeFiltPeriod.\"gone\" spdRuleDefAction=spdDropAction.0" };

	load_row(&rule, MIB_RS_NOT_IN_SERVICE);
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_NOT_READY);
	ck_assert(!is_lost("spdRuleDefinitionTable", "a"));
}
END_TEST

/* What a manager does to a lost rule whose filter is back, and whether it is lost after that. */
static const struct {
	const char *name;
	const char *columns;
	int status;
	bool lost;
	int reads;
} acts[] = {
	{ "another column", "spdRuleDefDescription=x", 0, true, MIB_RS_NOT_IN_SERVICE },
	{ "another action", "spdRuleDefAction=spdAcceptAction.0", 0, true, MIB_RS_NOT_IN_SERVICE },
	{ "into force", "", MIB_RS_ACTIVE, false, MIB_RS_ACTIVE },
	{ "out of service", "", MIB_RS_NOT_IN_SERVICE, false, MIB_RS_NOT_IN_SERVICE },
};

START_TEST(test_a_lost_row_stays_lost_until_a_manager_settles_it)
{
	load_lost_rule();
	bring_filter_back();
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_NOT_IN_SERVICE);
	ck_assert(is_lost("spdRuleDefinitionTable", "a"));
	ck_assert_int_eq(fx_set(store, "spdRuleDefinitionTable", "a", acts[_i].columns,
				acts[_i].status, NULL), MIB_OK);
	ck_assert_msg(is_lost("spdRuleDefinitionTable", "a") == acts[_i].lost, "%s", acts[_i].name);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), acts[_i].reads);
}
END_TEST

START_TEST(test_a_lost_row_that_is_destroyed_comes_back_as_a_new_one)
{
	load_lost_rule();
	ck_assert_int_eq(set_status(MIB_RS_DESTROY), MIB_OK);
	ck_assert_int_eq(set_status(MIB_RS_CREATE_AND_WAIT), MIB_OK);
	ck_assert(!is_lost("spdRuleDefinitionTable", "a"));
}
END_TEST

START_TEST(test_a_refused_or_undone_act_leaves_a_row_lost)
{
	const struct fx_row service = { "spdRuleDefinitionTable", "a", "" };
	struct mib_txn *t;

	load_lost_rule();
	/* RFC 2579: a row that is notReady cannot be set to notInService, nor active. */
	ck_assert_int_eq(set_status(MIB_RS_NOT_IN_SERVICE), MIB_INCONSISTENT_VALUE);
	ck_assert_int_eq(set_status(MIB_RS_ACTIVE), MIB_INCONSISTENT_VALUE);
	ck_assert(is_lost("spdRuleDefinitionTable", "a"));
	bring_filter_back();
	t = fx_begin(store);
	ck_assert_int_eq(fx_stage(t, &service, MIB_RS_NOT_IN_SERVICE, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	/* Nothing but being lost changes, and that is a change, for the disk too. */
	ck_assert(mib_txn_is_change(t));
	ck_assert_int_eq(mib_txn_commit(t, NULL), MIB_OK);
	ck_assert(!is_lost("spdRuleDefinitionTable", "a"));
	ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_OK);
	mib_txn_done(t);
	ck_assert(is_lost("spdRuleDefinitionTable", "a"));
}
END_TEST

/* How one value of a row can be lost; the others are good and the row needs no more than them. */
enum { REFUSED_FIRST, REFUSED_LAST, UNREADABLE, STATUS_UNREADABLE, NOT_READY, REFUSED_IDLE };
static const struct {
	const char *name;
	int how;
	bool lost;
} damages[] = {
	{ "a refused value before the others", REFUSED_FIRST, true },
	{ "a refused value after the others", REFUSED_LAST, true },
	{ "a value that cannot be read", UNREADABLE, true },
	{ "a status that cannot be read", STATUS_UNREADABLE, true },
	{ "a row that lost values before", NOT_READY, true },
	{ "a refused value of a row out of service", REFUSED_IDLE, false },
};

START_TEST(test_a_row_that_lost_a_value_is_not_active_without_it)
{
	const struct fx_row rule = { "spdRuleDefinitionTable", "a",
		"spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdAcceptAction.0" };
	const struct mib_column *negated = MIB_COL(spdRuleDefinitionTable, spdRuleDefFilterNegated);
	const struct mib_column *status = MIB_COL(spdRuleDefinitionTable, spdRuleDefRowStatus);
	const struct mib_value bad = mib_value_integer(9);
	const uint32_t index[] = { 1, 'a' };
	const int how = damages[_i].how;

	if (how == REFUSED_FIRST)
		ck_assert_int_eq(mib_store_load_cell(store, negated, index, 2, &bad, NULL),
				 MIB_WRONG_VALUE);
	load_row(&rule, how == NOT_READY ? MIB_RS_NOT_READY :
			how == REFUSED_IDLE ? MIB_RS_NOT_IN_SERVICE :
			how == STATUS_UNREADABLE ? 0 : MIB_RS_ACTIVE);
	if (how == REFUSED_LAST || how == REFUSED_IDLE)
		ck_assert_int_eq(mib_store_load_cell(store, negated, index, 2, &bad, NULL),
				 MIB_WRONG_VALUE);
	if (how == UNREADABLE || how == STATUS_UNREADABLE)
		ck_assert_int_eq(mib_store_load_lost(store, how == UNREADABLE ? negated : status,
						     index, 2, NULL), MIB_OK);
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "a"), MIB_RS_NOT_IN_SERVICE);
	ck_assert_msg(is_lost("spdRuleDefinitionTable", "a") == damages[_i].lost, "%s",
		      damages[_i].name);
	ck_assert(mib_row_lost_values(row_of("spdRuleDefinitionTable", "a")) == damages[_i].lost);
	ck_assert_str_eq(reports, damages[_i].lost ? "spdRuleDefRowStatus.\"a\";" : "");
	ck_assert_int_eq(set_status(MIB_RS_ACTIVE), MIB_OK);
	ck_assert(!is_lost("spdRuleDefinitionTable", "a"));
	ck_assert(!mib_row_lost_values(row_of("spdRuleDefinitionTable", "a")));
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
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, NULL, NULL), MIB_OK);
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
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
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
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
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
	ck_assert_int_eq(mib_store_load_end(store, 1, 1, report, reports), MIB_OK);
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
	tcase_add_test(tc, test_a_row_that_was_not_active_is_not_lost);
	tcase_add_loop_test(tc, test_a_lost_row_stays_lost_until_a_manager_settles_it, 0,
			    sizeof(acts) / sizeof(acts[0]));
	tcase_add_test(tc, test_a_lost_row_that_is_destroyed_comes_back_as_a_new_one);
	tcase_add_test(tc, test_a_refused_or_undone_act_leaves_a_row_lost);
	tcase_add_loop_test(tc, test_a_row_that_lost_a_value_is_not_active_without_it, 0,
			    sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(tc, test_cells_that_do_not_fit_are_refused_alone);
	tcase_add_test(tc, test_scalars_are_loaded_too);
	tcase_add_test(tc, test_a_doomed_classifier_stays_doomed_over_a_restart);
	tcase_add_test(tc, test_cycles_on_disk_are_not_in_force);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
