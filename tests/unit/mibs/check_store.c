/*
 * tests/unit/mibs/check_store.c - worked examples, reading, waiting, listening, secrets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"

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

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_whole_policy_is_made_row_by_row);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
