/*
 * tests/unit/ike/check_pick.c - several connections with one peer: which of them its requests are for. The other connection
 * is for the two ends themselves, in transport mode.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;
static struct ike_conn *other[2];

static struct ike_selectors alone(const struct ipsp_addr *a)
{
	return (struct ike_selectors){ .n = 1, .s = { { .lo = *a, .hi = *a, .port_hi = 65535 } } };
}

static struct ike_conn *other_of(unsigned end)
{
	struct ike_conn *const c = ike_conn_new();

	ck_assert_ptr_nonnull(c);
	*c = *pair.ends[end].conn;
	c->refs = 1;
	c->peers[0].secret = ike_secret_ref(c->peers[0].secret);
	c->child.transport = true;
	c->child.ours = alone(&pair.ends[end].addr);
	c->child.theirs = alone(&pair.ends[!end].addr);
	return c;
}

/* That end knows both, the other connection first or last. */
static void configure(unsigned end, bool first)
{
	struct ike_conn *const both[2] = { first ? other[end] : pair.ends[end].conn,
					   first ? pair.ends[end].conn : other[end] };

	ck_assert_int_eq(ike_world_configure(pair.ends[end].world, both, 2), IPSP_OK);
}

static void setup(void)
{
	pair_init(&pair);
	for (unsigned i = 0; i < 2; i++) {
		other[i] = other_of(i);
		configure(i, false);
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < 2; i++)
		ike_conn_unref(other[i]);
	pair_fini(&pair);
}

static void begin_other(void)
{
	const struct ike_path path = { pair.ends[0].addr, pair.ends[1].addr, 500, 500 };

	ck_assert_int_eq(ike_initiate(pair.ends[0].world, other[0], 0, &path, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
}

/* One more under the IKE SA that is there. */
static void begin_other_there(void)
{
	ck_assert_int_eq(ike_child_begin_for(pair_sa(&pair, 0), other[0], NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
}

/* How many Child SAs of that end are of transport mode. */
static unsigned transports(unsigned end)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++)
		n += pair.ends[end].children[i].there && pair.ends[end].children[i].transport;
	return n;
}

static void expect(unsigned all, unsigned transport)
{
	pair_agree(&pair);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(pair_count(&pair, i), all);
		ck_assert_uint_eq(transports(i), transport);
	}
}

START_TEST(test_a_setup_is_for_the_connection_that_suits_it)
{
	configure(1, _i != 0);
	begin_other();
	expect(1, 1);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, other[1]);
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	expect(2, 1);
}
END_TEST

START_TEST(test_an_ike_sa_may_have_child_sas_of_another_connection)
{
	configure(1, _i != 0);
	pair_establish(&pair);
	begin_other_there();
	expect(2, 1);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, pair.ends[1].conn);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->children->conn, other[1]);
}
END_TEST

START_TEST(test_of_two_for_the_same_traffic_the_algorithms_decide)
{
	struct ike_offer *const esp = &other[0]->child.offers.offers[0];

	other[1]->child.ours = pair.ends[1].conn->child.ours;
	other[1]->child.theirs = pair.ends[1].conn->child.theirs;
	other[1]->child.transport = false;
	other[0]->child = other[1]->child;
	other[0]->child.ours = other[1]->child.theirs;
	other[0]->child.theirs = other[1]->child.ours;
	*esp = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_AH };
	ck_assert(ike_offer_add(esp, IKE_TRANSFORM_INTEG, 12, 0));
	ck_assert(ike_offer_add(esp, IKE_TRANSFORM_ESN, 0, 0));
	other[1]->child.offers = other[0]->child.offers;
	begin_other();
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, other[1]);
	ck_assert_uint_eq(pair_sa(&pair, 1)->children->protocol, IKE_PROTOCOL_AH);
}
END_TEST

START_TEST(test_who_has_proved_one_secret_has_not_proved_another)
{
	const struct ipsp_span secret = { (const uint8_t *)"a secret of others", 18 };

	ike_secret_unref(other[1]->peers[0].secret);
	other[1]->peers[0].secret = ike_secret_new(secret);
	pair_establish(&pair);
	begin_other_there();
	expect(1, 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "no Child SA: TS_UNACCEPTABLE"));
}
END_TEST

START_TEST(test_nor_is_it_for_who_has_another_name)
{
	ck_assert(ike_identity_make(IKE_ID_FQDN, "c.example", _i ? &other[1]->local_id : &other[1]->peers[0].id));
	pair_establish(&pair);
	begin_other_there();
	expect(1, 0);
}
END_TEST

START_TEST(test_nor_by_weaker_algorithms_than_it_takes)
{
	other[1]->offers.offers[0].n = 0;
	ck_assert(ike_offer_add(&other[1]->offers.offers[0], IKE_TRANSFORM_ENCR, 20, 256));
	ck_assert(ike_offer_add(&other[1]->offers.offers[0], IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_512, 0));
	ck_assert(ike_offer_add(&other[1]->offers.offers[0], IKE_TRANSFORM_KE, IKE_KE_CURVE25519, 0));
	pair_establish(&pair);
	begin_other_there();
	expect(1, 0);
}
END_TEST

START_TEST(test_a_rekey_is_of_its_own_connection)
{
	pair_establish(&pair);
	begin_other_there();
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, pair_sa(&pair, (unsigned)_i)->children->spi_in,
			  false, pair.now_ms);
	pair_settle(&pair);
	expect(2, 1);
}
END_TEST

START_TEST(test_an_ike_sa_that_takes_its_place_has_those_of_both)
{
	pair_establish(&pair);
	begin_other_there();
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, (unsigned)_i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	expect(2, 1);
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, pair_sa(&pair, (unsigned)_i)->children->spi_in,
			  false, pair.now_ms);
	pair_settle(&pair);
	expect(2, 1);
}
END_TEST

START_TEST(test_a_connection_that_goes_takes_its_child_sas_along_and_no_more)
{
	pair_establish(&pair);
	begin_other_there();
	ike_end_all(pair.ends[_i].world, other[_i], pair.now_ms);
	pair_settle(&pair);
	expect(1, 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_child_sa_follows_its_connection_when_that_is_replaced)
{
	struct ike_conn *const fresh = other_of(1);

	pair_establish(&pair);
	begin_other_there();
	pair_replace(pair.ends[1].world, other[1], fresh, pair.now_ms);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->children->conn, fresh);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, pair.ends[1].conn);
	ike_conn_unref(fresh);
}
END_TEST

START_TEST(test_authentication_anew_makes_those_of_both_again)
{
	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->reauth_s = other[i]->reauth_s = 600;
	pair_establish(&pair);
	begin_other_there();
	pair_pass(&pair, 600 * 1000);
	expect(2, 1);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
}
END_TEST

/* Both would do for the peer's request, and one of them is for a peer that may be anywhere. */
START_TEST(test_of_two_alike_the_one_that_names_the_address_is_meant)
{
	other[1]->child = pair.ends[1].conn->child;
	(_i & 1 ? other[1] : pair.ends[1].conn)->peers[0].address.family = 0;
	configure(1, _i & 2);
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	expect(1, 0);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, _i & 1 ? pair.ends[1].conn : other[1]);
	ck_assert_int_eq(ike_child_begin_for(pair_sa(&pair, 0), pair.ends[0].conn, NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->children->conn, _i & 1 ? pair.ends[1].conn : other[1]);
}
END_TEST

/* RFC 4555: where the IKE SA goes a tunnel goes along. */
START_TEST(test_a_child_sa_in_transport_mode_does_not_move)
{
	pair.ends[0].conn->local.family = 0;
	pair.ends[1].conn->peers[0].address.family = 0;
	pair_establish(&pair);
	begin_other_there();
	expect(2, 1);
	pair.ends[0].addr.octets[3] = 77;
	ike_paths_changed(pair.ends[0].world, pair.now_ms);
	pair_pass(&pair, 20 * 1000);
	expect(1, 0);
	struct ike_path ours = pair_view(&pair, 0).path, theirs = pair_view(&pair, 1).path;

	ck_assert_int_eq(ipsp_addr_cmp(&ours.local, &pair.ends[0].addr), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&theirs.remote, &pair.ends[0].addr), 0);
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ike pick");
	TCase *const t = tcase_create("pick");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_a_setup_is_for_the_connection_that_suits_it, 0, 2);
	tcase_add_loop_test(t, test_an_ike_sa_may_have_child_sas_of_another_connection, 0, 2);
	tcase_add_test(t, test_of_two_for_the_same_traffic_the_algorithms_decide);
	tcase_add_test(t, test_who_has_proved_one_secret_has_not_proved_another);
	tcase_add_loop_test(t, test_nor_is_it_for_who_has_another_name, 0, 2);
	tcase_add_test(t, test_nor_by_weaker_algorithms_than_it_takes);
	tcase_add_loop_test(t, test_a_rekey_is_of_its_own_connection, 0, 2);
	tcase_add_loop_test(t, test_an_ike_sa_that_takes_its_place_has_those_of_both, 0, 2);
	tcase_add_loop_test(t, test_a_connection_that_goes_takes_its_child_sas_along_and_no_more, 0, 2);
	tcase_add_test(t, test_a_child_sa_follows_its_connection_when_that_is_replaced);
	tcase_add_test(t, test_authentication_anew_makes_those_of_both_again);
	tcase_add_loop_test(t, test_of_two_alike_the_one_that_names_the_address_is_meant, 0, 4);
	tcase_add_test(t, test_a_child_sa_in_transport_mode_does_not_move);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
