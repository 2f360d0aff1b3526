/* Tests of ipspd/notify_limit.c: one an interval and action, so many in all, by a clock of the test's. */
#include <check.h>
#include <stdlib.h>

#include "ipspd/notify_limit.h"
#include "mibs/schema_gen.h"

#define ACTION (&mib_notifications[MIB_N_spdActionNotification])
#define PACKET (&mib_notifications[MIB_N_spdPacketNotification])

static struct notify_limit *l;
static uint64_t held;

static void setup(void)
{
	l = notify_limit_new();
	ck_assert_ptr_nonnull(l);
}

static void teardown(void)
{
	notify_limit_free(l);
}

static bool ask(const struct mib_notification *kind, uint32_t action, uint64_t now_ms)
{
	const struct mib_oid oid = { .len = 3, .ids = { 1, 3, action } };

	return notify_limit_action(l, kind, &oid, now_ms, &held);
}

START_TEST(test_one_an_interval_is_let_go_of_each_kind_and_action)
{
	notify_limit_set(l, 60, 0);
	ck_assert(ask(ACTION, 1, 1000));
	ck_assert(!ask(ACTION, 1, 1000));
	ck_assert(ask(ACTION, 2, 1000));
	ck_assert(ask(PACKET, 1, 1000));
	ck_assert(!ask(ACTION, 1, 60999));
	ck_assert(ask(ACTION, 1, 61000));
	ck_assert_uint_eq(held, 2);
	ck_assert(!ask(ACTION, 1, 61001));
}
END_TEST

START_TEST(test_an_action_with_a_longer_name_is_another_one)
{
	const struct mib_oid longer = { .len = 4, .ids = { 1, 3, 1, 0 } };

	notify_limit_set(l, 60, 0);
	ck_assert(ask(ACTION, 1, 0));
	ck_assert(notify_limit_action(l, ACTION, &longer, 0, &held));
}
END_TEST

START_TEST(test_without_an_interval_all_may_go)
{
	notify_limit_set(l, 0, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert(ask(ACTION, 1, 5));
}
END_TEST

START_TEST(test_a_shorter_interval_counts_at_once)
{
	notify_limit_set(l, 3600, 0);
	ck_assert(ask(ACTION, 1, 0));
	notify_limit_set(l, 1, 0);
	ck_assert(!ask(ACTION, 1, 999));
	ck_assert(ask(ACTION, 1, 1000));
}
END_TEST

START_TEST(test_the_rate_bounds_all_kinds_together_and_fills_with_time)
{
	unsigned went = 0;

	notify_limit_set(l, 60, 10);
	for (uint32_t i = 0; i < 500; i++)
		went += i % 2 ? ask(ACTION, i, 1000) : notify_limit_any(l, 1000);
	ck_assert_uint_eq(went, 10 * NOTIFY_BURST_S);
	ck_assert(!notify_limit_any(l, 1099));
	ck_assert(notify_limit_any(l, 1100));
	ck_assert(!notify_limit_any(l, 1100));
	/* However long the quiet time. */
	for (went = 0; notify_limit_any(l, UINT64_MAX / 2); went++)
		;
	ck_assert_uint_eq(went, 10 * NOTIFY_BURST_S);
}
END_TEST

START_TEST(test_what_the_rate_holds_back_has_not_gone)
{
	notify_limit_set(l, 60, 1);
	for (uint32_t i = 0; i < NOTIFY_BURST_S; i++)
		ck_assert(ask(ACTION, i, 1000));
	ck_assert(!ask(ACTION, 99, 1000));
	ck_assert(ask(ACTION, 99, 2000));
}
END_TEST

START_TEST(test_more_actions_than_are_remembered_are_held_back)
{
	notify_limit_set(l, 60, 0);
	for (uint32_t i = 0; i < NOTIFY_ACTIONS_MAX; i++)
		ck_assert(ask(ACTION, i, 1000));
	ck_assert(!ask(ACTION, NOTIFY_ACTIONS_MAX, 1000));
	ck_assert(ask(ACTION, NOTIFY_ACTIONS_MAX, 61000));
	ck_assert(ask(ACTION, 0, 61000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/notify_limit");
	TCase *t = tcase_create("limits");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_one_an_interval_is_let_go_of_each_kind_and_action);
	tcase_add_test(t, test_an_action_with_a_longer_name_is_another_one);
	tcase_add_test(t, test_without_an_interval_all_may_go);
	tcase_add_test(t, test_a_shorter_interval_counts_at_once);
	tcase_add_test(t, test_the_rate_bounds_all_kinds_together_and_fills_with_time);
	tcase_add_test(t, test_what_the_rate_holds_back_has_not_gone);
	tcase_add_test(t, test_more_actions_than_are_remembered_are_held_back);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
