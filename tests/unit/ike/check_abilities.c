/*
 * tests/unit/ike/check_abilities.c - what the two ends tell each other that they can: an IKE SA without a Child SA
 * (RFC 6023), TFC padding and fragments (RFC 7296 1.3.1), redirection (RFC 5685); and what keeps a NAT's mapping
 * (RFC 3948 4).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

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

START_TEST(test_an_ike_sa_may_be_without_a_child_sa)
{
	pair.ends[0].conn->has_child = false;
	pair_establish(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
	ck_assert_uint_eq(pair_view(&pair, 0).n_children, 0);
}
END_TEST

/* Takes the notification out of the first answer, as one of a type that nobody knows. */
static unsigned hide_notify(struct pair *p, const struct pair_datagram *d)
{
	struct pair_datagram *const here = (struct pair_datagram *)(uintptr_t)d;
	const uint16_t type = *(const uint16_t *)p->fate_arg;

	for (size_t i = 0; d->octets[18] == IKE_EXCHANGE_IKE_SA_INIT && i + 2 <= d->len; i++) {
		if (be16dec(here->octets + i) == type)
			be16enc(here->octets + i, 40000);
	}
	return 1;
}

START_TEST(test_a_peer_that_wants_a_child_sa_along_is_left)
{
	uint16_t type = IKE_N_CHILDLESS_IKEV2_SUPPORTED;

	pair.ends[0].conn->has_child = false;
	pair.fate = hide_notify;
	pair.fate_arg = &type;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].last_log, "wants a Child SA along"));
}
END_TEST

START_TEST(test_no_answer_is_longer_for_what_it_can)
{
	pair_establish(&pair);
	/* Both proposals are one: the answer has no room for a notification more. */
	ck_assert(!pair_sa(&pair, 0)->childless);
	teardown();
	setup();
	ike_offer_add(&pair.ends[0].conn->offers.offers[0], IKE_TRANSFORM_KE, IKE_KE_ECP_256, 0);
	pair_establish(&pair);
	ck_assert(pair_sa(&pair, 0)->childless);
}
END_TEST

/* An answer to IKE_SA_INIT in the place of the real one. */
static unsigned redirect(struct pair *p, const struct pair_datagram *d)
{
	struct pair_datagram *const here = (struct pair_datagram *)(uintptr_t)d;
	static const uint8_t to[] = { 1, 4, 192, 0, 2, 77 };	/* RFC 5685 6.2: an IPv4 address */
	struct ike_header_fields h = { .exchange = IKE_EXCHANGE_IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE };
	uint8_t chain[64];
	struct ike_builder b;
	struct ipsp_span all;

	(void)p;
	if (d->to == 1)
		return 1;
	memcpy(h.spi_i, d->octets, IKE_SPI_LEN);
	memcpy(h.spi_r, d->octets + IKE_SPI_LEN, IKE_SPI_LEN);
	ike_build_begin(&b, chain, sizeof(chain));
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_REDIRECT,
			 (struct ipsp_span){ to, sizeof(to) });
	ck_assert(ike_build_end(&b, &all));
	here->len = IKE_HEADER_LEN + all.len;
	ike_header_write(&h, b.first, here->len, here->octets);
	memcpy(here->octets + IKE_HEADER_LEN, all.data, all.len);
	return 1;
}

START_TEST(test_a_redirect_is_not_followed)
{
	pair.fate = redirect;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair.ends[0].n_sent, 1);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].last_log, "REDIRECT"));
}
END_TEST

START_TEST(test_a_redirect_later_is_answered_and_changes_nothing)
{
	static const uint8_t to[] = { 1, 4, 192, 0, 2, 77 };
	struct ike_exchange *x;
	struct ike_builder b;

	pair_establish(&pair);
	x = ike_exchange_new(pair_sa(&pair, 1), IKE_FOR_LIVENESS, true);
	ike_build_begin(&b, pair.ends[1].world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_REDIRECT,
			 (struct ipsp_span){ to, sizeof(to) });
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_ptr_null(pair_sa(&pair, 1)->requests);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	pair_agree(&pair);
}
END_TEST

/* One port of a server, as both have it. */
static void with_port(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ike_child_config *const c = &pair.ends[i].conn->child;
		struct ike_selector *const server = i == 1 ? &c->ours.s[0] : &c->theirs.s[0];

		c->ours.s[0].protocol = c->theirs.s[0].protocol = 6;
		server->port_lo = server->port_hi = 443;
	}
}

/* _i: bit 0: transport mode; bit 1: the selectors have ports. */
START_TEST(test_fragments_are_agreed_on_where_a_tunnel_has_ports)
{
	pair.ends[0].conn->child.transport = pair.ends[1].conn->child.transport = _i & 1;
	if (_i & 2)
		with_port();
	pair_establish(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_int_eq(pair.ends[0].children[0].fragments_also, _i == 2);
	/* The same when it is rekeyed, by the other end. */
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 1), pair_sa(&pair, 1)->children, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

/* A request of end 1's for a Child SA, with one notification more. */
static void ask_with(uint16_t notify)
{
	static uint8_t chain[IKE_CLEAR_MAX];
	struct ike_sa *const sa = pair_sa(&pair, 1);
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_CHILD, true);
	struct ike_builder b;

	x->protocol = IKE_PROTOCOL_ESP;
	x->spi_in = 0x7777;
	x->nonce_i_len = IKE_NONCE_LEN;
	ike_build_begin(&b, chain, sizeof(chain));
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, notify, (struct ipsp_span){ 0 });
	ike_build_nonce(&b, x->nonce_i, x->nonce_i_len);
	/* Without a key exchange, which both have as their second choice. */
	sa->conn->child.offers.offers[0].choices[2].id = 0;
	ike_child_offer(x, &b);
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_CREATE_CHILD_SA, &b, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
}

START_TEST(test_who_takes_no_tfc_padding_is_remembered)
{
	unsigned n = 0;

	pair_establish(&pair);
	ck_assert(!pair.ends[0].children[0].no_tfc);
	ask_with(IKE_N_ESP_TFC_PADDING_NOT_SUPPORTED);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++)
		n += pair.ends[0].children[i].there && pair.ends[0].children[i].no_tfc;
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(test_who_is_behind_a_nat_keeps_its_mapping)
{
	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[1].conn->peers[0].address.family = 0;
	pair.ends[0].conn->has_child = _i == 0;
	ike_offer_add(&pair.ends[0].conn->offers.offers[0], IKE_TRANSFORM_KE, IKE_KE_ECP_256, 0);
	pair_establish(&pair);
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives, 5);
	ck_assert_uint_eq(pair.ends[0].kept.local_port, 4500);
	ck_assert_uint_eq(pair.ends[0].kept.remote_port, 4500);
	ck_assert_uint_eq(pair.ends[1].n_keepalives, 0);
	/* One that takes its place goes on with it, and it ends with the last one. */
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	pair_pass(&pair, 20 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives, 6);
	ike_end_all(pair.ends[0].world, NULL, pair.now_ms);
	pair_settle(&pair);
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives, 6);
}
END_TEST

START_TEST(test_without_a_nat_nothing_is_kept)
{
	pair_establish(&pair);
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives + pair.ends[1].n_keepalives, 0);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike abilities");
	TCase *const tc = tcase_create("abilities");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_an_ike_sa_may_be_without_a_child_sa);
	tcase_add_test(tc, test_a_peer_that_wants_a_child_sa_along_is_left);
	tcase_add_test(tc, test_no_answer_is_longer_for_what_it_can);
	tcase_add_test(tc, test_a_redirect_is_not_followed);
	tcase_add_test(tc, test_a_redirect_later_is_answered_and_changes_nothing);
	tcase_add_loop_test(tc, test_fragments_are_agreed_on_where_a_tunnel_has_ports, 0, 4);
	tcase_add_test(tc, test_who_takes_no_tfc_padding_is_remembered);
	tcase_add_loop_test(tc, test_who_is_behind_a_nat_keeps_its_mapping, 0, 2);
	tcase_add_test(tc, test_without_a_nat_nothing_is_kept);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
