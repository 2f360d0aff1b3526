/* tests/unit/ike/check_natt.c - NATs that are looked for, or not, or made up: ike/natt.c. */
#include <check.h>
#include <stdlib.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

static void setup(void)
{
	pair_init(&pair);
}

static void teardown(void)
{
	pair_fini(&pair);
}

static void must_be_in_udp(bool udp)
{
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pair.ends[i].children[0].udp, udp);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local_port, udp ? 4500 : 500);
	pair_agree(&pair);
}

/* _i: which end asks for it. */
START_TEST(test_udp_is_used_without_a_nat_where_one_end_wants_it_always)
{
	pair.ends[_i].conn->nat = IKE_NAT_ALWAYS;
	pair_establish(&pair);
	must_be_in_udp(true);
	/* Nobody is behind one: nothing is kept open by who pretends, and its peer is not followed. */
	ck_assert(!pair_sa(&pair, (unsigned)_i)->nat_found);
	ck_assert(pair_sa(&pair, !_i)->nat_found && !pair_sa(&pair, !_i)->nat_here);
}
END_TEST

START_TEST(test_two_ends_that_want_udp_always_have_it)
{
	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->nat = IKE_NAT_ALWAYS;
	pair_establish(&pair);
	must_be_in_udp(true);
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ike_child_expired(pair.ends[1].world, IKE_PROTOCOL_ESP, pair_sa(&pair, 1)->children->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	ck_assert(pair.ends[0].children[1].there && pair.ends[0].children[1].udp);
}
END_TEST

START_TEST(test_udp_always_is_what_a_nat_makes_anyhow)
{
	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[0].conn->nat = IKE_NAT_ALWAYS;
	pair.ends[1].conn->peers[0].address.family = 0;
	pair_establish(&pair);
	must_be_in_udp(true);
	ck_assert(pair_sa(&pair, 0)->nat_here);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 24500);
}
END_TEST

/* _i: which end does not look. */
START_TEST(test_no_nat_is_found_where_one_end_does_not_look)
{
	pair.ends[_i].conn->nat = IKE_NAT_NEVER;
	pair.ends[!_i].conn->nat = IKE_NAT_ALWAYS;
	pair_establish(&pair);
	must_be_in_udp(false);
	ck_assert(!pair_sa(&pair, 0)->natt && !pair_sa(&pair, 1)->natt);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ike/natt");
	TCase *tc = tcase_create("natt");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_udp_is_used_without_a_nat_where_one_end_wants_it_always, 0, 2);
	tcase_add_test(tc, test_two_ends_that_want_udp_always_have_it);
	tcase_add_test(tc, test_udp_always_is_what_a_nat_makes_anyhow);
	tcase_add_loop_test(tc, test_no_nat_is_found_where_one_end_does_not_look, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
