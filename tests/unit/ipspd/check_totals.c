/*
 * Tests of ipspd/totals.c: whatever engines and guard begin anew, totals go on.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "ipspd/totals.h"

static struct totals *totals;
static uint64_t drops[TOTALS_N_DROPS];
static uint64_t icmp[IPSP_N_ICMP_COUNTS];

static void setup(void)
{
	totals = totals_new();
	ck_assert_ptr_nonnull(totals);
	for (size_t i = 0; i < TOTALS_N_DROPS; i++)
		drops[i] = 0;
	icmp[IPSP_ICMP_LEARNED] = 0;
}

static void teardown(void)
{
	totals_free(totals);
}

/* Entry 7 of interface 2, outbound. */
static void report_entry(uint64_t packets, uint64_t bytes, int64_t now_s)
{
	const struct wire_entry_stats e = {
		.id = 7, .ifindex = 2, .dir = IPSP_OUTBOUND, .packets = packets, .bytes = bytes,
	};
	const struct totals_report r = {
		.entries = &e, .n_entries = packets > 0, .drops = drops, .icmp = icmp,
	};

	ck_assert(totals_take(totals, &r, now_s));
}

static void report_sa(uint64_t counter_id, uint64_t packets, uint64_t errors)
{
	const struct wire_sa_stats s = {
		.id = 9, .counter_id = counter_id, .packets = packets, .bytes = packets * 10,
		.auth_errors = errors, .replay_errors = errors * 2, .other_errors = errors * 3,
		.dummies = errors * 4,
		.idle_s = packets ? 5 : REPORT_NEVER_USED,
		.path_mtu = errors ? 1300 : 0,
	};
	const struct totals_report r = { .sas = &s, .n_sas = 1, .drops = drops, .icmp = icmp };

	ck_assert(totals_take(totals, &r, 1000));
}

static void no_sa(void)
{
	const struct totals_report r = { .drops = drops, .icmp = icmp };

	ck_assert(totals_take(totals, &r, 1000));
}

static uint64_t entry_packets(void)
{
	return totals_entry(totals, 2, IPSP_OUTBOUND, 7)->packets;
}

START_TEST(test_what_was_never_counted_is_nothing)
{
	ck_assert_uint_eq(entry_packets(), 0);
	ck_assert_uint_eq(totals_row(totals, 7)->packets, 0);
	ck_assert_int_eq(totals_row(totals, 7)->last_s, 0);
	ck_assert(!totals_sa(totals, 9)->is_there);
}
END_TEST

START_TEST(test_reports_of_one_engine_are_not_added_twice)
{
	report_entry(3, 300, 100);
	report_entry(3, 300, 101);
	report_entry(5, 500, 102);
	ck_assert_uint_eq(entry_packets(), 5);
	ck_assert_uint_eq(totals_row(totals, 7)->bytes, 500);
	ck_assert_int_eq(totals_row(totals, 7)->last_s, 102);
	report_entry(5, 500, 103);
	ck_assert_int_eq(totals_row(totals, 7)->last_s, 102);
}
END_TEST

START_TEST(test_another_engine_counts_on_top)
{
	report_entry(3, 300, 100);
	totals_engine_gone(totals);
	/* More than the one before had: all of it is new. */
	report_entry(4, 400, 101);
	ck_assert_uint_eq(entry_packets(), 7);
	ck_assert_uint_eq(totals_row(totals, 7)->packets, 7);
}
END_TEST

START_TEST(test_an_entry_out_of_force_keeps_its_total_and_begins_anew)
{
	report_entry(3, 300, 100);
	report_entry(0, 0, 101);
	ck_assert_uint_eq(entry_packets(), 3);
	report_entry(4, 400, 102);
	ck_assert_uint_eq(entry_packets(), 7);
}
END_TEST

START_TEST(test_a_rule_is_the_sum_of_its_lists_and_the_kernel)
{
	report_entry(3, 300, 100);
	ck_assert(totals_kernel(totals, 2, IPSP_OUTBOUND, 7, 10, 1000, 101));
	ck_assert(totals_kernel(totals, 5, IPSP_INBOUND, 7, 20, 2000, 102));
	ck_assert(totals_kernel(totals, 5, IPSP_INBOUND, 0, 1, 1, 103));
	ck_assert_uint_eq(entry_packets(), 13);
	ck_assert_uint_eq(totals_entry(totals, 2, IPSP_OUTBOUND, 7)->kernel_packets, 10);
	ck_assert_uint_eq(totals_entry(totals, 5, IPSP_INBOUND, 7)->packets, 20);
	ck_assert_uint_eq(totals_entry(totals, 5, IPSP_INBOUND, 0)->packets, 1);
	ck_assert_uint_eq(totals_row(totals, 7)->packets, 33);
	ck_assert_uint_eq(totals_row(totals, 7)->bytes, 3300);
	ck_assert_uint_eq(totals_row(totals, 7)->kernel_packets, 30);
	ck_assert_uint_eq(totals_row(totals, 0)->packets, 0);
}
END_TEST

START_TEST(test_an_SA_goes_on_over_engines_and_new_keys)
{
	report_sa(1, 10, 1);
	/* The number space outlives the engine, the errors do not. */
	totals_engine_gone(totals);
	ck_assert(!totals_sa(totals, 9)->is_there);
	report_sa(1, 12, 1);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 12);
	ck_assert_uint_eq(totals_sa(totals, 9)->auth_errors, 2);
	report_sa(2, 30, 0);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 42);
	ck_assert_uint_eq(totals_sa(totals, 9)->bytes, 420);
	ck_assert_int_eq(totals_sa(totals, 9)->last_s, 995);
}
END_TEST

START_TEST(test_an_SA_that_comes_back_with_its_numbers_is_not_counted_twice)
{
	report_sa(1, 10, 0);
	no_sa();
	ck_assert(!totals_sa(totals, 9)->is_there);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 10);
	report_sa(1, 11, 4);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 11);
	ck_assert_uint_eq(totals_sa(totals, 9)->other_errors, 12);
	ck_assert_uint_eq(totals_sa(totals, 9)->dummies, 16);
}
END_TEST

START_TEST(test_what_an_SA_carried_last_before_its_keys_change_counts)
{
	const struct wire_sa_stats last = {
		.id = 9, .counter_id = 1, .packets = 15, .bytes = 150, .auth_errors = 3,
		.idle_s = 0,
	};

	report_sa(1, 10, 1);
	ck_assert(totals_take_last(totals, &last, 1001));
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 15);
	ck_assert_uint_eq(totals_sa(totals, 9)->auth_errors, 3);
	/* The one in its place has numbers and errors of its own. */
	report_sa(2, 7, 3);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 22);
	ck_assert_uint_eq(totals_sa(totals, 9)->auth_errors, 6);
}
END_TEST

START_TEST(test_the_path_of_an_SA_is_the_one_last_reported)
{
	report_sa(1, 10, 1);
	ck_assert_uint_eq(totals_sa(totals, 9)->now.path_mtu, 1300);
	report_sa(1, 11, 1);
	ck_assert_uint_eq(totals_sa(totals, 9)->now.path_mtu, 1300);
	report_sa(1, 12, 0);
	ck_assert_uint_eq(totals_sa(totals, 9)->now.path_mtu, 0);
}
END_TEST

START_TEST(test_an_SA_replaced_in_its_number_space_goes_on_with_it)
{
	const struct wire_sa_stats last = { .id = 9, .counter_id = 1, .packets = 15,
					    .auth_errors = 3, .idle_s = 0 };

	report_sa(1, 10, 1);
	ck_assert(totals_take_last(totals, &last, 1001));
	report_sa(1, 16, 1);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 16);
	ck_assert_uint_eq(totals_sa(totals, 9)->auth_errors, 4);
}
END_TEST

START_TEST(test_a_destroyed_row_is_forgotten_whole)
{
	report_entry(3, 300, 100);
	ck_assert(totals_kernel(totals, 5, IPSP_INBOUND, 7, 20, 2000, 102));
	ck_assert(totals_kernel(totals, 5, IPSP_INBOUND, 8, 20, 2000, 102));
	report_sa(1, 10, 1);
	totals_forget(totals, 7);
	totals_forget(totals, 9);
	ck_assert_uint_eq(entry_packets(), 0);
	ck_assert_uint_eq(totals_entry(totals, 5, IPSP_INBOUND, 7)->packets, 0);
	ck_assert_uint_eq(totals_row(totals, 7)->packets, 0);
	ck_assert_uint_eq(totals_sa(totals, 9)->packets, 0);
	ck_assert_uint_eq(totals_row(totals, 8)->packets, 20);
}
END_TEST

START_TEST(test_drops_go_on_over_engines)
{
	drops[4] = 5;
	no_sa();
	no_sa();
	totals_kernel_drops(totals, 4, 100);
	totals_engine_gone(totals);
	drops[4] = 6;
	no_sa();
	ck_assert_uint_eq(totals_drops(totals, 4), 111);
}
END_TEST

START_TEST(test_icmp_errors_go_on_over_engines)
{
	icmp[IPSP_ICMP_LEARNED] = 5;
	no_sa();
	no_sa();
	totals_engine_gone(totals);
	icmp[IPSP_ICMP_LEARNED] = 2;
	no_sa();
	ck_assert_uint_eq(totals_icmp(totals, IPSP_ICMP_LEARNED), 7);
	ck_assert_uint_eq(totals_icmp(totals, IPSP_ICMP_IGNORED), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/totals");
	TCase *c = tcase_create("totals");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_what_was_never_counted_is_nothing);
	tcase_add_test(c, test_reports_of_one_engine_are_not_added_twice);
	tcase_add_test(c, test_another_engine_counts_on_top);
	tcase_add_test(c, test_an_entry_out_of_force_keeps_its_total_and_begins_anew);
	tcase_add_test(c, test_a_rule_is_the_sum_of_its_lists_and_the_kernel);
	tcase_add_test(c, test_an_SA_goes_on_over_engines_and_new_keys);
	tcase_add_test(c, test_an_SA_that_comes_back_with_its_numbers_is_not_counted_twice);
	tcase_add_test(c, test_what_an_SA_carried_last_before_its_keys_change_counts);
	tcase_add_test(c, test_an_SA_replaced_in_its_number_space_goes_on_with_it);
	tcase_add_test(c, test_the_path_of_an_SA_is_the_one_last_reported);
	tcase_add_test(c, test_a_destroyed_row_is_forgotten_whole);
	tcase_add_test(c, test_drops_go_on_over_engines);
	tcase_add_test(c, test_icmp_errors_go_on_over_engines);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
