/*
 * tests/unit/mibs/check_txn.c - transactions: binders, listeners, the journal, those who wait.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

static struct mib_store *store;
static struct fx_journal journal;

/* What the last listener call told. */
static struct {
	unsigned int calls;
	uint64_t generation;
	size_t n, made, gone;
} heard;

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	ck_assert_ptr_eq(arg, &heard);
	heard.calls++;
	heard.generation = generation;
	heard.n = n;
	heard.made = heard.gone = 0;
	for (size_t i = 0; i < n; i++) {
		heard.made += changes[i].before == NULL ? 1 : 0;
		heard.gone += changes[i].after == NULL ? 1 : 0;
		/* It is visible by now. */
		if (changes[i].after != NULL) {
			size_t len;
			const uint32_t *index = mib_row_index(changes[i].after, &len);

			ck_assert_ptr_eq(mib_view_row(mib_store_view(store), changes[i].table, index,
						      len), changes[i].after);
		}
	}
}

static const struct mib_listener listener = { committed, &heard };

static void setup(void)
{
	fx_now_cs = 100000;
	memset(&heard, 0, sizeof(heard));
	fx_journal_init(&journal);
	ck_assert_int_eq(mib_store_new(&journal.journal, fx_clock, &store), MIB_OK);
	ck_assert_int_eq(mib_store_add_listener(store, &listener), MIB_OK);
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

#define RULE "spdRuleDefinitionTable"
#define DROP "spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0"

START_TEST(test_what_changes_nothing_makes_no_generation)
{
	struct mib_txn *t;

	ck_assert_int_eq(fx_set(store, RULE, "a", DROP, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_uint_eq(mib_store_generation(store), 1);
	fx_now_cs += 500;
	t = fx_begin(store);
	ck_assert_int_eq(fx_stage_columns(t, RULE, "a", DROP, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	ck_assert(!mib_txn_is_change(t));
	ck_assert_int_eq(mib_txn_commit(t, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_OK);
	mib_txn_done(t);
	ck_assert_uint_eq(mib_store_generation(store), 1);
	ck_assert_uint_eq(journal.calls, 1);
	ck_assert_uint_eq(heard.calls, 1);
	ck_assert_str_eq(fx_get(store, "spdRuleDefLastChanged", "a"), "100000");
}
END_TEST

START_TEST(test_lastchanged_is_in_the_masters_time)
{
	mib_store_set_master_start(store, 99000);
	ck_assert_int_eq(fx_set(store, RULE, "a", DROP, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "spdRuleDefLastChanged", "a"), "1000");
	fx_now_cs += 50;
	ck_assert_int_eq(fx_set(store, RULE, "a", "spdRuleDefAdminStatus=disabled", 0, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "spdRuleDefLastChanged", "a"), "1050");
	/* The master was started anew: the row is older than it. */
	mib_store_set_master_start(store, 200000);
	ck_assert_str_eq(fx_get(store, "spdRuleDefLastChanged", "a"), "0");
}
END_TEST

START_TEST(test_listeners_hear_each_commit_and_each_undo)
{
	struct mib_txn *t = fx_begin(store);
	const struct fx_row a = { RULE, "a", DROP }, b = { RULE, "b", DROP };

	ck_assert_int_eq(fx_stage(t, &a, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_int_eq(fx_stage(t, &b, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	ck_assert_uint_eq(heard.calls, 0);
	ck_assert_int_eq(mib_txn_commit(t, NULL), MIB_OK);
	ck_assert_uint_eq(heard.generation, 1);
	ck_assert_uint_eq(heard.made, 2);
	ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_OK);
	mib_txn_done(t);
	ck_assert_uint_eq(heard.calls, 2);
	ck_assert_uint_eq(heard.generation, 2);
	ck_assert_uint_eq(heard.gone, 2);
}
END_TEST

START_TEST(test_volatile_rows_are_kept_from_the_journal)
{
	ck_assert_int_eq(fx_set(store, RULE, "a", DROP " spdRuleDefStorageType=volatile",
				MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_uint_eq(journal.calls, 1);
	ck_assert_uint_eq(journal.last_n, 0);
	/* When it becomes nonVolatile it is written; when volatile again, taken away. */
	ck_assert_int_eq(fx_set(store, RULE, "a", "spdRuleDefStorageType=nonVolatile", 0, NULL),
			 MIB_OK);
	ck_assert_uint_eq(journal.last_n, 1);
	ck_assert_int_eq(fx_set(store, RULE, "a", "spdRuleDefStorageType=volatile", 0, NULL), MIB_OK);
	ck_assert_uint_eq(journal.last_n, 1);
	ck_assert_int_eq(fx_set(store, RULE, "a", "", MIB_RS_DESTROY, NULL), MIB_OK);
	ck_assert_uint_eq(journal.last_n, 0);
}
END_TEST

START_TEST(test_storage_types_are_as_rfc_2579_says)
{
	static const struct {
		const char *columns;
		int status;
		enum mib_err permanent, read_only;
	} cases[] = {
		{ "spdRuleDefStorageType=volatile", 0, MIB_WRONG_VALUE, MIB_WRONG_VALUE },
		{ "spdRuleDefStorageType=permanent", 0, MIB_WRONG_VALUE, MIB_WRONG_VALUE },
		{ "spdRuleDefAdminStatus=disabled", 0, MIB_OK, MIB_NOT_WRITABLE },
		{ "", MIB_RS_DESTROY, MIB_INCONSISTENT_VALUE, MIB_NOT_WRITABLE },
	};
	static const int kinds[] = { MIB_ST_PERMANENT, MIB_ST_READ_ONLY };

	for (size_t k = 0; k < 2; k++) {
		const uint32_t index[] = { 1, 'a' };
		const struct mib_value kind = mib_value_integer(kinds[k]);
		struct mib_txn *t;

		fx_set(store, RULE, "a", DROP, MIB_RS_CREATE_AND_GO, NULL);
		t = fx_begin(store);
		ck_assert_int_eq(mib_txn_force(t, MIB_COL(spdRuleDefinitionTable,
							  spdRuleDefStorageType), index, 2, &kind),
				 MIB_OK);
		ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			ck_assert_msg(fx_set(store, RULE, "a", cases[i].columns, cases[i].status, NULL)
				      == (k == 0 ? cases[i].permanent : cases[i].read_only),
				      "%zu: %s", k, cases[i].columns);
	}
	/* Nor can a row be made so, or other(1). */
	ck_assert_int_eq(fx_set(store, RULE, "b", "spdRuleDefStorageType=readOnly", 0, NULL),
			 MIB_WRONG_VALUE);
	ck_assert_int_eq(fx_set(store, RULE, "b", "spdRuleDefStorageType=other", 0, NULL),
			 MIB_WRONG_VALUE);
}
END_TEST

START_TEST(test_only_one_transaction_is_staged_and_others_wait_in_line)
{
	struct mib_txn *t = fx_begin(store), *second = NULL;

	ck_assert_int_eq(mib_txn_begin(store, MIB_DOOR_XML, "second", &second), MIB_BUSY);
	ck_assert_ptr_null(second);
	ck_assert_ptr_eq(mib_store_staged(store), t);
	ck_assert_str_eq(mib_txn_who(t), "test");
	ck_assert_int_eq(mib_txn_door(t), MIB_DOOR_SYSTEM);
	mib_txn_done(t);
	ck_assert_ptr_null(mib_store_staged(store));
	ck_assert_int_eq(mib_txn_begin(store, MIB_DOOR_XML, "second", &second), MIB_OK);
	mib_txn_done(second);
}
END_TEST

static char order[16];
static struct mib_txn *taken;

static void note(char c)
{
	order[strlen(order)] = c;
}

static void wake_a(struct mib_waiter *w)
{
	(void)w;
	note('a');
	taken = fx_begin(store);
}

static void wake_b(struct mib_waiter *w)
{
	(void)w;
	note('b');
	mib_txn_done(fx_begin(store));
}

static void wake_c(struct mib_waiter *w)
{
	(void)w;
	note('c');
}

START_TEST(test_waiters_are_called_in_order_while_the_store_is_free)
{
	struct mib_waiter a = { .free = wake_a }, b = { .free = wake_b }, c = { .free = wake_c };
	struct mib_waiter forgotten = { .free = wake_c };
	struct mib_txn *t = fx_begin(store);

	memset(order, 0, sizeof(order));
	mib_store_when_free(store, &b);
	mib_store_when_free(store, &forgotten);
	mib_store_when_free(store, &a);
	mib_store_when_free(store, &c);
	mib_store_forget_waiter(store, &forgotten);
	ck_assert_str_eq(order, "");
	mib_txn_done(t);
	/* a keeps the store, so c goes on waiting. */
	ck_assert_str_eq(order, "ba");
	mib_txn_done(taken);
	ck_assert_str_eq(order, "bac");
	mib_store_when_free(store, &c);
	ck_assert_str_eq(order, "bacc");
}
END_TEST

START_TEST(test_the_varbind_at_fault_is_named)
{
	static const struct {
		const char *what, *columns;
		int status;
		enum mib_err err;
		size_t varbind;
	} cases[] = {
		{ "a column is missing", "spdRuleDefFilter=spdTrueFilter.0", MIB_RS_CREATE_AND_GO,
		  MIB_INCONSISTENT_VALUE, 2 },
		{ "the second pointer", "spdRuleDefFilter=spdTrueFilter.0 "
		  "spdRuleDefAction=spdCompActExecutionStrategy.\"x\"", MIB_RS_CREATE_AND_GO,
		  MIB_INCONSISTENT_NAME, 2 },
		{ "no row", "spdRuleDefAdminStatus=disabled", 0, MIB_INCONSISTENT_NAME, 1 },
		{ "status of no row", "spdRuleDefAdminStatus=disabled", MIB_RS_ACTIVE,
		  MIB_INCONSISTENT_VALUE, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_diag d = { 0 };

		ck_assert_msg(fx_set(store, RULE, "a", cases[i].columns, cases[i].status, &d) ==
			      cases[i].err, "%s", cases[i].what);
		ck_assert_msg(d.varbind == cases[i].varbind, "%s: %zu", cases[i].what, d.varbind);
		ck_assert_uint_eq(mib_store_refusals(store), i + 1);
	}
}
END_TEST

/* ---- binders ---- */

static bool refuse_check, refuse_derive;

/* No description may say "bad"; checked rows must not be disabled. */
static enum mib_err bind_value(const struct mib_column *col, const struct mib_value *v,
			       struct mib_diag *d)
{
	if (col != MIB_COL(spdRuleDefinitionTable, spdRuleDefDescription) ||
	    v->octets.len != 3 || memcmp(v->octets.data, "bad", 3) != 0)
		return MIB_OK;
	mib_diag_set(d, col, NULL, 0, "bad");
	return MIB_WRONG_VALUE;
}

static enum mib_err bind_check(const struct mib_view *v, const struct mib_row *r,
			       struct mib_diag *d)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	/* The row is in the view it is judged in. */
	ck_assert_ptr_eq(mib_view_row(v, mib_row_table(r), index, len), r);
	if (!refuse_check)
		return MIB_OK;
	mib_diag_set(d, MIB_COL(spdRuleDefinitionTable, spdRuleDefAction), index, len, "cannot");
	return MIB_INCONSISTENT_VALUE;
}

/* Each endpoint that becomes active is remembered as closed; as policy/ does. */
static enum mib_err bind_derive(struct mib_txn *t, const struct mib_change *c, struct mib_diag *d)
{
	const struct mib_value closed = mib_value_integer(2);
	size_t len;
	const uint32_t *index;

	if (refuse_derive) {
		mib_diag_set(d, NULL, NULL, 0, "cannot derive");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	if (c->after == NULL || !mib_row_active(c->after))
		return MIB_OK;
	index = mib_row_index(c->after, &len);
	return mib_txn_force(t, MIB_COL(ipspdClosureTable, ipspdClosureState), index, len, &closed);
}

static const struct mib_binder rule_binder = {
	.table = &mib_t_spdRuleDefinitionTable, .value = bind_value, .check = bind_check,
};
static const struct mib_binder endpoint_binder = {
	.table = &mib_t_spdEndpointToGroupTable, .derive = bind_derive,
};

START_TEST(test_binders_judge_values_and_rows)
{
	struct mib_diag d = { 0 };

	refuse_check = false;
	ck_assert_int_eq(mib_store_add_binder(store, &rule_binder), MIB_OK);
	ck_assert_int_eq(fx_set(store, RULE, "a", "spdRuleDefDescription=bad", 0, &d),
			 MIB_WRONG_VALUE);
	ck_assert_int_eq(fx_set(store, RULE, "a", DROP, MIB_RS_CREATE_AND_WAIT, &d), MIB_OK);
	ck_assert_int_eq(fx_status(store, RULE, "a"), MIB_RS_NOT_IN_SERVICE);
	refuse_check = true;
	ck_assert_int_eq(fx_status(store, RULE, "a"), MIB_RS_NOT_READY);
	ck_assert_int_eq(fx_set(store, RULE, "a", "", MIB_RS_ACTIVE, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_str_eq(d.text, "cannot");
	refuse_check = false;
	ck_assert_int_eq(fx_set(store, RULE, "a", "", MIB_RS_ACTIVE, &d), MIB_OK);
}
END_TEST

START_TEST(test_what_binders_derive_is_part_of_the_transaction)
{
	struct mib_diag d = { 0 };
	struct mib_txn *t;
	const struct fx_row rows[] = {
		{ RULE, "a", DROP },
		{ "spdGroupContentsTable", "g,1", "spdGroupContComponentName=a" },
		{ "spdEndpointToGroupTable", "inbound,2", "spdEndGroupName=g" },
	};

	refuse_derive = false;
	ck_assert_int_eq(mib_store_add_binder(store, &endpoint_binder), MIB_OK);
	/* A row of a table without RowStatus is not a manager's to make. */
	ck_assert_int_eq(fx_set(store, "ipspdClosureTable", "inbound,2", "ipspdClosureRelease=true", 0,
				&d), MIB_INCONSISTENT_NAME);
	t = fx_begin(store);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(fx_stage(t, &rows[i], MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);
	ck_assert_uint_eq(heard.n, 4);
	ck_assert_uint_eq(journal.last_n, 4);
	ck_assert_str_eq(fx_get(store, "ipspdClosureState", "inbound,2"), "closed");
	ck_assert_str_eq(fx_get(store, "ipspdClosureRelease", "inbound,2"), "false");
	ck_assert_int_eq(mib_txn_undo(t, &d), MIB_OK);
	mib_txn_done(t);
	ck_assert_str_eq(fx_get(store, "ipspdClosureState", "inbound,2"), "(none)");
	refuse_derive = true;
	t = fx_begin(store);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(fx_stage(t, &rows[i], MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_finish(t, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_str_eq(d.text, "cannot derive");
}
END_TEST

START_TEST(test_forcing_a_row_away_and_back_replaces_it)
{
	const uint32_t index[] = { 1, 'a' };
	const struct mib_column *col = MIB_COL(spdRuleDefinitionTable, spdRuleDefRowStatus);
	const struct fx_row again = { RULE, "a", DROP };
	struct mib_txn *t;

	fx_set(store, RULE, "a", DROP " spdRuleDefDescription=old", MIB_RS_CREATE_AND_GO, NULL);
	t = fx_begin(store);
	ck_assert_int_eq(mib_txn_force(t, col, index, 2, NULL), MIB_OK);
	ck_assert_int_eq(fx_stage(t, &again, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "spdRuleDefDescription", "a"), "");
	ck_assert_int_eq(fx_status(store, RULE, "a"), MIB_RS_ACTIVE);
	ck_assert_uint_eq(heard.made + heard.gone, 0);
	t = fx_begin(store);
	ck_assert_int_eq(mib_txn_force(t, col, index, 2, NULL), MIB_OK);
	ck_assert_int_eq(fx_finish(t, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, RULE, "a"), 0);
}
END_TEST

/* A user of a target is judged anew when only the target's content changes. */
static enum mib_err action_check(const struct mib_view *v, const struct mib_row *r,
				 struct mib_diag *d)
{
	const uint32_t name[] = { 4, 't', 'r', 'a', 'n' };
	const struct mib_row *t = mib_view_row(v, &mib_t_ipsaEspTransformTable, name, 5);

	(void)r;
	if (t != NULL && mib_row_number(t, MIB_COL(ipsaEspTransformTable, ipsaEspTranCipherKeyLength),
					0) == 256)
		return MIB_OK;
	mib_diag_set(d, NULL, NULL, 0, "keys of 256 bits only");
	return MIB_INCONSISTENT_VALUE;
}

static const struct mib_binder action_binder = {
	.table = &mib_t_ipsaSaPreconfiguredActionTable, .check = action_check,
};

START_TEST(test_a_change_of_content_is_judged_with_its_active_users)
{
	struct mib_diag d = { 0 };

	ck_assert_int_eq(mib_store_add_binder(store, &action_binder), MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipsaEspTransformTable", "tran",
				"ipsaEspTranCipherTransformId=12 ipsaEspTranCipherKeyLength=256 "
				"ipsaEspTranIntegrityAlgorithmId=5", MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipsaSaPreconfiguredActionTable", "x,inbound",
				"ipsaSaPreActESPSPI=300 ipsaSaPreActESPTransformName=tran",
				MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipsaEspTransformTable", "tran",
				"ipsaEspTranCipherKeyLength=128", 0, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_str_eq(d.text, "keys of 256 bits only");
	ck_assert_uint_eq(d.varbind, 1);
	ck_assert_int_eq(fx_set(store, "ipsaSaPreconfiguredActionTable", "x,inbound", "",
				MIB_RS_NOT_IN_SERVICE, &d), MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipsaEspTransformTable", "tran",
				"ipsaEspTranCipherKeyLength=128", 0, &d), MIB_OK);
}
END_TEST

START_TEST(test_staged_rows_are_seen_only_in_the_transactions_view)
{
	struct mib_txn *t = fx_begin(store);
	const struct fx_row a = { RULE, "a", DROP };
	const uint32_t index[] = { 1, 'a' };
	struct mib_oid at;

	ck_assert_int_eq(fx_stage(t, &a, MIB_RS_CREATE_AND_GO, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	ck_assert_ptr_null(mib_view_row(mib_store_view(store), &mib_t_spdRuleDefinitionTable, index,
					2));
	ck_assert_ptr_nonnull(mib_view_row(mib_txn_view(t), &mib_t_spdRuleDefinitionTable, index, 2));
	ck_assert_ptr_nonnull(mib_view_next(mib_txn_view(t), &mib_t_spdRuleDefinitionTable, NULL,
					    NULL));
	ck_assert(!mib_next_index(store, &mib_t_spdRuleDefinitionTable, NULL, &at));
	mib_txn_done(t);
	ck_assert_uint_eq(mib_store_generation(store), 0);
}
END_TEST

START_TEST(test_phases_out_of_order_are_refused)
{
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_GEN_ERR);
	ck_assert_int_eq(mib_txn_undo(t, &d), MIB_GEN_ERR);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_GEN_ERR);
	ck_assert_int_eq(fx_stage_columns(t, RULE, "a", "spdRuleDefDescription=x", &d), MIB_GEN_ERR);
	mib_txn_done(t);
}
END_TEST

START_TEST(test_what_is_set_twice_needs_one_value)
{
	static const struct {
		const char *first, *second;
		enum mib_err want;
	} cases[] = {
		{ "spdRuleDefDescription=x", "spdRuleDefDescription=x", MIB_OK },
		{ "spdRuleDefDescription=x", "spdRuleDefDescription=y", MIB_INCONSISTENT_VALUE },
		{ "spdRuleDefAdminStatus=disabled", "spdRuleDefAdminStatus=enabled",
		  MIB_INCONSISTENT_VALUE },
		{ "spdRuleDefRowStatus=createAndGo", "spdRuleDefRowStatus=createAndGo", MIB_OK },
		{ "spdRuleDefRowStatus=createAndGo", "spdRuleDefRowStatus=createAndWait",
		  MIB_INCONSISTENT_VALUE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_txn *t = fx_begin(store);
		struct mib_diag d = { 0 };

		ck_assert_int_eq(fx_stage_columns(t, RULE, "twice", DROP, &d), MIB_OK);
		ck_assert_int_eq(fx_stage_columns(t, RULE, "twice", cases[i].first, &d), MIB_OK);
		ck_assert_msg(fx_stage_columns(t, RULE, "twice", cases[i].second, &d) ==
			      cases[i].want, "%s", cases[i].second);
		if (cases[i].want != MIB_OK)
			ck_assert_uint_eq(d.varbind, 4);
		/* Another row may have another value. */
		ck_assert_int_eq(fx_stage_columns(t, RULE, "other", cases[i].second, &d), MIB_OK);
		mib_txn_done(t);
	}
}
END_TEST

/* RFC 3416 2.5. */
START_TEST(test_spare_bits_of_bits_are_ignored_on_receipt)
{
	static const struct {
		const char *column;
		const uint8_t octets[3];
		size_t len;
		enum mib_err want;
		const char *reads;
	} cases[] = {
		{ "spdTimeFiltDayOfWeekMask", { 0x81 }, 1, MIB_OK, "sunday" },
		{ "spdTimeFiltDayOfWeekMask", { 0xff }, 1, MIB_OK,
		  "sunday monday tuesday wednesday thursday friday saturday" },
		{ "spdTimeFiltDayOfWeekMask", { 0x80, 0x00 }, 2, MIB_WRONG_LENGTH, NULL },
		{ "spdTimeFiltMonthOfYearMask", { 0x80, 0x1f }, 2, MIB_OK, "january december" },
		{ "spdTimeFiltMonthOfYearMask", { 0x80 }, 1, MIB_OK, "january" },
		{ "spdTimeFiltMonthOfYearMask", { 0x80, 0x10, 0x01 }, 3, MIB_WRONG_LENGTH, NULL },
	};
	const uint32_t index[] = { 1, 't' };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mib_column *col = mib_column_by_name(cases[i].column);
		const struct mib_value v = mib_value_octets(cases[i].octets, cases[i].len);
		struct mib_txn *t = fx_begin(store);
		struct mib_diag d = { 0 };

		ck_assert_int_eq(fx_stage_columns(t, "spdTimeFilterTable", "t",
						  i == 0 ? "spdTimeFiltRowStatus=createAndWait" : "",
						  &d), MIB_OK);
		ck_assert_msg(mib_txn_set_column(t, col, index, 2, &v, &d) == cases[i].want,
			      "%zu: %s", i, d.text);
		if (cases[i].want == MIB_OK) {
			ck_assert_int_eq(fx_finish(t, &d), MIB_OK);
			ck_assert_str_eq(fx_get(store, cases[i].column, "t"), cases[i].reads);
		} else {
			mib_txn_done(t);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("txn");
	TCase *tc = tcase_create("txn");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_what_changes_nothing_makes_no_generation);
	tcase_add_test(tc, test_lastchanged_is_in_the_masters_time);
	tcase_add_test(tc, test_listeners_hear_each_commit_and_each_undo);
	tcase_add_test(tc, test_volatile_rows_are_kept_from_the_journal);
	tcase_add_test(tc, test_storage_types_are_as_rfc_2579_says);
	tcase_add_test(tc, test_only_one_transaction_is_staged_and_others_wait_in_line);
	tcase_add_test(tc, test_waiters_are_called_in_order_while_the_store_is_free);
	tcase_add_test(tc, test_the_varbind_at_fault_is_named);
	tcase_add_test(tc, test_binders_judge_values_and_rows);
	tcase_add_test(tc, test_what_binders_derive_is_part_of_the_transaction);
	tcase_add_test(tc, test_forcing_a_row_away_and_back_replaces_it);
	tcase_add_test(tc, test_a_change_of_content_is_judged_with_its_active_users);
	tcase_add_test(tc, test_staged_rows_are_seen_only_in_the_transactions_view);
	tcase_add_test(tc, test_phases_out_of_order_are_refused);
	tcase_add_test(tc, test_what_is_set_twice_needs_one_value);
	tcase_add_test(tc, test_spare_bits_of_bits_are_ignored_on_receipt);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
