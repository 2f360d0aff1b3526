/*
 * tests/unit/mibs/check_store.c - the whole policy, observed objects, augmenting columns, getters.
 */
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

static struct mib_store *store;

static void setup(void)
{
	fx_now_cs = 100000;
	store = fx_store();
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

START_TEST(test_whole_policy_is_made_row_by_row)
{
	fx_make_policy(store, NULL);
	for (const struct fx_row *row = fx_policy; row->table != NULL; row++)
		ck_assert_msg(fx_status(store, row->table, row->index) == MIB_RS_ACTIVE ||
			      strcmp(row->index, "long") == 0, "%s.%s", row->table, row->index);
	/* Its segment is there now, so it could be activated. */
	ck_assert_int_eq(fx_status(store, "ipsaCredentialTable", "long"), MIB_RS_NOT_IN_SERVICE);
	ck_assert_uint_eq(mib_store_generation(store), 35);
}
END_TEST

/* ---- observed objects ---- */

static const struct mib_oid observed[] = { { 1, { 3 } }, { 1, { 7 } } };

static bool drops_next(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	ck_assert_ptr_eq(arg, &observed);
	for (size_t i = 0; i < 2; i++) {
		if (after == NULL || mib_oid_cmp(observed[i].ids, 1, after->ids, after->len) > 0) {
			*out = observed[i];
			return true;
		}
	}
	return false;
}

static enum mib_err drops_read(void *arg, const struct mib_column *col, const uint32_t *index,
			       size_t len, struct mib_value *out)
{
	(void)arg;
	if (len != 1 || (index[0] != 3 && index[0] != 7))
		return MIB_NO_SUCH_INSTANCE;
	if (col->syntax == MIB_SYN_COUNTER64)
		*out = mib_value_counter64(index[0] * 100u);
	else
		*out = mib_value_octets("why", 3);
	return MIB_OK;
}

static enum mib_err rules_read(void *arg, const struct mib_column *col, const uint32_t *index,
			       size_t len, struct mib_value *out)
{
	(void)arg;
	(void)index;
	(void)len;
	if (strcmp(col->name, "ipspdRuleInForce") != 0)
		return MIB_NO_SUCH_INSTANCE;
	*out = mib_value_integer(1);
	return MIB_OK;
}

static const struct mib_source drops = { .table = &mib_t_ipspdDropTable, .next = drops_next,
					 .read = drops_read,
					 .arg = (void *)(uintptr_t)&observed };
static const struct mib_source rules = { .table = &mib_t_ipspdRuleTable, .read = rules_read };

/* A table without stored rows that hears requests: rows 1 and 3. */

static struct {
	struct mib_after after;
	unsigned heard, done, committed;
} request;

static bool requests_has(void *arg, const uint32_t *index, size_t len)
{
	(void)arg;
	return len == 1 && (index[0] == 1 || index[0] == 3);
}

static bool requests_next(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	uint32_t last = after && after->len > 0 ? after->ids[0] : 0;

	(void)arg;
	*out = (struct mib_oid){ .len = 1, .ids = { last < 1 ? 1 : 3 } };
	return last < 3;
}

static void request_done(struct mib_after *a, bool committed)
{
	ck_assert_ptr_eq(a, &request.after);
	request.done++;
	request.committed += committed;
}

static enum mib_err requests_asked(void *arg, struct mib_txn *t, const struct mib_row *r,
				   struct mib_diag *d)
{
	const struct mib_column *col = MIB_COL(ipspdOperationTable, ipspdOperationRequest);

	(void)arg;
	(void)d;
	if (mib_row_number(r, col, 0) != 2)
		return MIB_OK;
	request.heard++;
	request.after.done = request_done;
	mib_txn_after(t, &request.after);
	return MIB_OK;
}

static const struct mib_source requests = { .table = &mib_t_ipspdOperationTable,
					    .next = requests_next, .has = requests_has,
					    .asked = requests_asked };

static void expect_request(unsigned heard, unsigned done, unsigned committed)
{
	ck_assert_uint_eq(request.heard, heard);
	ck_assert_uint_eq(request.done, done);
	ck_assert_uint_eq(request.committed, committed);
	ck_assert_str_eq(fx_get(store, "ipspdOperationRequest", "save"), "idle");
	ck_assert_ptr_null(mib_view_next(mib_store_view(store), &mib_t_ipspdOperationTable, NULL,
					 NULL));
}

START_TEST(test_what_an_observed_row_is_asked_for_is_heard_and_not_kept)
{
	const uint64_t before = mib_store_generation(store);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(mib_store_add_source(store, &requests), MIB_OK);
	ck_assert_int_eq(fx_set(store, "ipspdOperationTable", "save", "ipspdOperationRequest=idle", 0,
				&d), MIB_OK);
	expect_request(0, 0, 0);
	ck_assert_int_eq(fx_set(store, "ipspdOperationTable", "save", "ipspdOperationRequest=run", 0,
				&d), MIB_OK);
	expect_request(1, 1, 1);
	ck_assert_uint_eq(mib_store_generation(store), before);
	ck_assert_str_eq(fx_get(store, "ipspdOperationRequest", "reloadOptions"), "(none)");
	ck_assert_int_eq(fx_set(store, "ipspdOperationTable", "reloadOptions",
				"ipspdOperationRequest=run", 0, &d), MIB_INCONSISTENT_NAME);
	expect_request(1, 1, 1);
}
END_TEST

START_TEST(test_a_request_that_is_refused_or_undone_comes_to_nothing)
{
	struct mib_diag d = { 0 };
	struct mib_txn *t;

	ck_assert_int_eq(mib_store_add_source(store, &requests), MIB_OK);
	/* Another assignment of the same transaction is bad, and only prepare can see it. */
	t = fx_begin(store);
	ck_assert_int_eq(fx_stage_columns(t, "ipspdOperationTable", "save",
					  "ipspdOperationRequest=run", &d), MIB_OK);
	ck_assert_int_eq(fx_stage_columns(t, "spdRuleDefinitionTable", "none",
					  "spdRuleDefDescription=x", &d), MIB_OK);
	ck_assert_int_ne(fx_finish(t, &d), MIB_OK);
	ck_assert_uint_eq(request.committed, 0);
	ck_assert_uint_eq(request.done, request.heard);
	/* It was committed, and is taken back. */
	t = fx_begin(store);
	ck_assert_int_eq(fx_stage_columns(t, "ipspdOperationTable", "save",
					  "ipspdOperationRequest=run", &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);
	ck_assert_uint_eq(request.done, request.heard - 1);
	ck_assert_int_eq(mib_txn_undo(t, &d), MIB_OK);
	mib_txn_done(t);
	ck_assert_uint_eq(request.committed, 0);
	ck_assert_uint_eq(request.done, request.heard);
}
END_TEST

START_TEST(test_observed_tables_are_walked_like_stored_ones)
{
	struct mib_oid at;

	ck_assert_int_eq(mib_store_add_source(store, &drops), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipspdDropPackets", "7"), "700");
	ck_assert_str_eq(fx_get(store, "ipspdDropPackets", "4"), "(none)");
	ck_assert(mib_next_index(store, &mib_t_ipspdDropTable, NULL, &at));
	ck_assert_uint_eq(at.ids[0], 3);
	ck_assert(mib_next_index(store, &mib_t_ipspdDropTable, &observed[0], &at));
	ck_assert_uint_eq(at.ids[0], 7);
	ck_assert(!mib_next_index(store, &mib_t_ipspdDropTable, &observed[1], &at));

	char *dump = fx_dump(store);

	ck_assert(strstr(dump, "ipspdDropName.3 = why\nipspdDropName.7 = why\n"
			 "ipspdDropPackets.3 = 300\nipspdDropPackets.7 = 700\n") != NULL);
	free(dump);
}
END_TEST

START_TEST(test_observed_columns_stand_in_the_rows_they_augment)
{
	ck_assert_int_eq(mib_store_add_source(store, &rules), MIB_OK);
	ck_assert_int_eq(mib_store_add_source(store, &rules), MIB_INCONSISTENT_NAME);
	ck_assert_str_eq(fx_get(store, "ipspdRuleInForce", "a"), "(none)");
	ck_assert_int_eq(fx_set(store, "spdRuleDefinitionTable", "a", "", MIB_RS_CREATE_AND_WAIT,
				NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipspdRuleInForce", "a"), "true");
	ck_assert_str_eq(fx_get(store, "ipspdRuleReason", "a"), "(none)");
}
END_TEST

START_TEST(test_augmenting_columns_are_set_with_their_base_row)
{
	struct mib_diag d = { 0 };

	fx_make_policy(store, "ipiaIkeActionTable");
	ck_assert_int_eq(fx_set(store, "ipspdIkeActTable", "ike-b", "ipspdIkeActVersion=v1", 0, &d),
			 MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipspdIkeActVersion", "ike-b"), "v1");
	ck_assert_int_eq(fx_set(store, "ipspdIkeActTable", "other", "ipspdIkeActVersion=v1", 0, &d),
			 MIB_INCONSISTENT_NAME);
	ck_assert_int_eq(fx_set(store, "ipiaIkeActionTable", "ike-b", "", MIB_RS_DESTROY, &d), MIB_OK);
	ck_assert_str_eq(fx_get(store, "ipspdIkeActVersion", "ike-b"), "(none)");
}
END_TEST

START_TEST(test_getters_tell_what_was_set_from_what_is_default)
{
	const struct mib_column *c = mib_t_spdRuleDefinitionTable.columns;
	const uint32_t index[] = { 1, 'a' };
	const struct mib_row *r;
	struct mib_value v;
	char text[8];

	fx_set(store, "spdRuleDefinitionTable", "a", "spdRuleDefDescription=long-words",
	       MIB_RS_CREATE_AND_WAIT, NULL);
	r = mib_view_row(mib_store_view(store), &mib_t_spdRuleDefinitionTable, index, 2);
	ck_assert(mib_row_is_set(r, &c[MIB_C_spdRuleDefDescription]));
	ck_assert(!mib_row_is_set(r, &c[MIB_C_spdRuleDefFilterNegated]));
	ck_assert_int_eq(mib_row_number(r, &c[MIB_C_spdRuleDefFilterNegated], 9), 2);
	ck_assert_int_eq(mib_row_number(r, &c[MIB_C_spdRuleDefFilter], 9), 9);
	ck_assert(!mib_row_get(r, &c[MIB_C_spdRuleDefFilter], &v));
	ck_assert_uint_eq(mib_row_text(r, &c[MIB_C_spdRuleDefDescription], text, sizeof(text)), 10);
	ck_assert_str_eq(text, "long-wo");
	/* Index columns are values of the row too. */
	ck_assert_uint_eq(mib_row_text(r, &c[MIB_C_spdRuleDefName], text, sizeof(text)), 1);
	ck_assert_str_eq(text, "a");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_whole_policy_is_made_row_by_row);
	tcase_add_test(tc, test_observed_tables_are_walked_like_stored_ones);
	tcase_add_test(tc, test_observed_columns_stand_in_the_rows_they_augment);
	tcase_add_test(tc, test_augmenting_columns_are_set_with_their_base_row);
	tcase_add_test(tc, test_what_an_observed_row_is_asked_for_is_heard_and_not_kept);
	tcase_add_test(tc, test_a_request_that_is_refused_or_undone_comes_to_nothing);
	tcase_add_test(tc, test_getters_tell_what_was_set_from_what_is_default);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
