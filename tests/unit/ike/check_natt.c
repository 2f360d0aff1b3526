/* tests/unit/ike/check_natt.c - NATs that are looked for, or not, or made up: ike/natt.c. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

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

static void be_host(struct ike_selectors *s, const char *text)
{
	s->n = 1;
	ck_assert_int_eq(inet_pton(AF_INET, text, s->s[0].lo.octets), 1);
	s->s[0].hi = s->s[0].lo;
}

/* Each end's rows have the addresses that it sees. _i: who begins the second one. */
START_TEST(test_transport_mode_over_a_nat_is_between_the_ends_as_each_sees_them)
{
	struct ike_child_config *const behind = &pair.ends[0].conn->child, *const before = &pair.ends[1].conn->child;

	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[1].conn->peers[0].address.family = 0;
	behind->transport = before->transport = true;
	be_host(&behind->ours, "192.0.2.1");
	be_host(&behind->theirs, "198.51.100.1");
	be_host(&before->ours, "198.51.100.1");
	be_host(&before->theirs, "203.0.113.9");
	pair_establish(&pair);
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, (unsigned)_i), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	for (unsigned i = 0; i < 2; i++) {
		const struct ike_child_config *const c = i ? before : behind;

		ck_assert_uint_eq(pair_count(&pair, i), 2);
		for (unsigned k = 0; k < 2; k++) {
			const struct pair_child *const child = &pair.ends[i].children[k];

			ck_assert(child->transport && child->udp);
			ck_assert(ike_selectors_within(&child->ours, &c->ours) &&
				  ike_selectors_within(&child->theirs, &c->theirs));
		}
	}
}
END_TEST

/* AH alone, with HMAC-SHA-256 and numbers of 32 bits. */
static void offer_ah(unsigned end)
{
	struct ike_offer *const o = &pair.ends[end].conn->child.offers.offers[0];

	*o = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_AH };
	ck_assert(ike_offer_add(o, IKE_TRANSFORM_INTEG, 12, 0));
	ck_assert(ike_offer_add(o, IKE_TRANSFORM_ESN, 0, 0));
}

START_TEST(test_ah_is_not_asked_for_over_a_nat)
{
	const char *const why = "IKE_AUTH fails: AH does not pass the NAT";

	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[1].conn->peers[0].address.family = 0;
	offer_ah(0);
	offer_ah(1);
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, why));
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
	ck_assert_int_eq(pair.ends[0].events[0].kind, IKE_EVENT_FAILED);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

/* One that asks all the same: it took the two for neighbours. */
START_TEST(test_ah_is_refused_over_a_nat)
{
	pair_establish(&pair);
	offer_ah(0);
	offer_ah(1);
	pair_sa(&pair, 1)->nat = true;
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs,
				     "we answer NO_PROPOSAL_CHOSEN: AH does not pass the NAT"));
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_sa(&pair, 0)->nat = true;
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_ENOTSUP);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "no Child SA: AH does not pass the NAT"));
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
	tcase_add_loop_test(tc, test_transport_mode_over_a_nat_is_between_the_ends_as_each_sees_them, 0, 2);
	tcase_add_test(tc, test_ah_is_not_asked_for_over_a_nat);
	tcase_add_test(tc, test_ah_is_refused_over_a_nat);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
