/* tests/unit/ike/check_exchanges.c - IKEv2 between two daemons of this process. RFC 7296 1, 2. */
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

START_TEST(test_two_ends_with_one_secret_have_an_ike_sa_and_a_child_sa)
{
	pair_establish(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_eq(pair.ends[0].n_sent, 2);
	ck_assert_uint_eq(pair.ends[1].n_sent, 2);
}
END_TEST

START_TEST(test_another_secret_is_refused)
{
	static const char other[] = "another";

	ike_secret_unref(pair.ends[1].conn->peers[0].secret);
	pair.ends[1].conn->peers[0].secret =
		ike_secret_new((struct ipsp_span){ (const uint8_t *)other, 7 });
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "AUTHENTICATION_FAILED"));
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "the shared keys differ"));
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_whichever_message_is_lost_is_sent_again)
{
	unsigned n = (unsigned)_i;

	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 10000);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	pair_agree(&pair);
}
END_TEST

START_TEST(test_repeated_messages_make_nothing_twice)
{
	pair.fate = pair_twice;
	pair_establish(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_a_peer_without_an_answer_is_gone)
{
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	ck_assert_int_eq(ike_delete_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
	pair_pass(&pair, 600000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
}
END_TEST

START_TEST(test_a_delete_ends_both)
{
	pair_establish(&pair);
	ck_assert(ike_terminate(pair.ends[0].world, pair_sa(&pair, 0)->spi_i, pair.now_ms));
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_a_child_sa_at_its_end_is_rekeyed)
{
	uint32_t spi;

	pair_establish(&pair);
	spi = pair_sa(&pair, _i)->children->spi_in;
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, spi, false, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_ne(pair_sa(&pair, _i)->children->spi_in, spi);
}
END_TEST

START_TEST(test_a_child_sa_rekeyed_by_both_at_once_is_one_again)
{
	pair_establish(&pair);
	for (unsigned i = 0; i < 2; i++)
		ike_child_expired(pair.ends[i].world, IKE_PROTOCOL_ESP, pair_sa(&pair, i)->children->spi_in,
				  false, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_is_rekeyed_and_its_children_move)
{
	uint32_t spi;

	pair_establish(&pair);
	spi = pair_sa(&pair, 0)->children->spi_in;
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, _i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert_uint_eq(pair_sa(&pair, 0)->children->spi_in, spi);
	pair_agree(&pair);
	/* The keys of the new one work. */
	ike_child_expired(pair.ends[1].world, IKE_PROTOCOL_ESP, pair_sa(&pair, 1)->children->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_rekeyed_by_both_at_once_is_one_again)
{
	pair_establish(&pair);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_the_responder_asks_for_another_group)
{
	struct ike_offer *const a = &pair.ends[0].conn->offers.offers[0];
	struct ike_offer *const b = &pair.ends[1].conn->offers.offers[0];

	a->choices[2].id = IKE_KE_MODP_2048;
	ike_offer_add(a, IKE_TRANSFORM_KE, IKE_KE_ECP_256, 0);
	b->choices[2].id = IKE_KE_ECP_256;
	pair_establish(&pair);
	ck_assert_uint_eq(pair_view(&pair, 0).suite.ke, IKE_KE_ECP_256);
	ck_assert_uint_eq(pair.ends[0].n_sent, 3);
}
END_TEST

START_TEST(test_half_open_ones_of_one_address_are_few)
{
	struct pair_end *const a = &pair.ends[0];
	struct ike_path path = { a->addr, pair.ends[1].addr, 500, 500 };

	/* Half open ones from many ports, whose answers are lost. */
	for (unsigned i = 0; i < 100; i++) {
		path.local_port = (uint16_t)(1000 + i);
		ck_assert_int_eq(ike_initiate(a->world, a->conn, 0, &path, pair.now_ms), IPSP_OK);
	}
	pair.fate = pair_drop_all;
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[1].world->n_half_open, 32);
	pair.fate = NULL;
	pair.now_ms += 31000;
	ike_tick(pair.ends[1].world, pair.now_ms);
	ck_assert_uint_eq(pair.ends[1].world->n_half_open, 0);
}
END_TEST

/* From as many addresses as there are datagrams. */
static unsigned from_anywhere(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 0;
}

START_TEST(test_when_many_are_half_open_a_cookie_is_asked_for)
{
	struct pair_end *const a = &pair.ends[0], *const b = &pair.ends[1];
	struct ike_path path = { a->addr, b->addr, 500, 500 };
	struct pair_datagram *const first = &pair.wire[0];

	pair.ends[1].conn->peers[0].address.family = 0;
	ck_assert_int_eq(ike_initiate(a->world, a->conn, 0, &path, pair.now_ms), IPSP_OK);
	ck_assert_uint_eq(pair.n_wire, 1);
	pair.n_wire = 0;
	pair.fate = from_anywhere;
	for (unsigned i = 0; i < 64; i++) {
		first->path.remote.octets[3] = (uint8_t)(100 + i);
		ike_receive(b->world, &first->path, (struct ipsp_span){ first->octets, first->len },
			    pair.now_ms);
	}
	ck_assert_uint_eq(b->world->n_half_open, 64);
	pair.fate = NULL;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	ck_assert_uint_eq(a->n_sent, 4);	/* one lost, then with and without a cookie, IKE_AUTH */
}
END_TEST

static void fill_selectors(struct ike_selectors *s, uint8_t net)
{
	s->n = IKE_TS_MAX;
	for (uint8_t i = 0; i < s->n; i++) {
		s->s[i] = (struct ike_selector){ .port_hi = 65535, .lo.family = 4, .hi.family = 4 };
		s->s[i].lo.octets[0] = s->s[i].hi.octets[0] = 10;
		s->s[i].lo.octets[1] = s->s[i].hi.octets[1] = net;
		s->s[i].lo.octets[2] = s->s[i].hi.octets[2] = (uint8_t)(2 * i);
		s->s[i].hi.octets[3] = 255;
	}
}

static void fill_offers(struct ike_offers *o)
{
	for (; o->n < IKE_OFFERS_MAX; o->n++) {
		o->offers[o->n] = o->offers[0];
		o->offers[o->n].number = (uint8_t)(o->n + 1);
	}
}

static unsigned short_ones(struct pair *p, const struct pair_datagram *d)
{
	ck_assert_uint_le(d->len, 1280 - 20 - 8 - 4);
	return pair_drop_nth(p, d);
}

START_TEST(test_long_messages_go_in_fragments_whichever_is_lost)
{
	unsigned n = (unsigned)_i;

	for (unsigned i = 0; i < 2; i++) {
		fill_selectors(&pair.ends[i].conn->child.ours, i == 0 ? 1 : 2);
		fill_selectors(&pair.ends[i].conn->child.theirs, i == 0 ? 2 : 1);
		fill_offers(&pair.ends[i].conn->child.offers);
	}
	pair.fate = short_ones;
	pair.fate_arg = &n;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 10000);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert_uint_eq(pair.ends[1].children[0].ours.n, IKE_TS_MAX);
	pair_agree(&pair);
	ck_assert_uint_ge(pair.ends[0].n_sent, 3);
}
END_TEST

static unsigned n_open, n_open_max;

/* Requests of end 0 that have no answer yet. */
static unsigned count_open(struct pair *p, const struct pair_datagram *d)
{
	const bool response = d->octets[19] & IKE_FLAG_RESPONSE;

	(void)p;
	if (d->to == 1 && !response && ++n_open > n_open_max)
		n_open_max = n_open;
	if (d->to == 0 && response)
		n_open--;
	return 1;
}

START_TEST(test_no_more_requests_are_sent_than_the_peer_takes)
{
	pair_establish(&pair);
	pair_sa(&pair, 0)->window = 2;
	pair.fate = count_open;
	n_open = n_open_max = 0;
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(n_open_max, 2);
	ck_assert_uint_eq(pair_count(&pair, 0), 7);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_is_rekeyed_before_its_end)
{
	uint8_t spi[IKE_SPI_LEN];

	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->life = (struct ike_life){ .hard_s = 1000, .soft_percent = 90 };
	pair_establish(&pair);
	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	pair_pass(&pair, 800 * 1000);
	ck_assert_mem_eq(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	pair_pass(&pair, 100 * 1000);
	ck_assert_mem_ne(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	pair_pass(&pair, 100 * 1000 * 1000);
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	pair_agree(&pair);
}
END_TEST

/* 2.8: so that not all of a restart begin at once, nor both ends. */
START_TEST(test_rekeys_of_many_ike_sas_are_spread)
{
	uint64_t first = IKE_NEVER, last = 0;

	pair.ends[0].conn->life = (struct ike_life){ .hard_s = 1000, .soft_percent = 90 };
	pair_establish(&pair);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t ms;

		ike_life_begin(pair_sa(&pair, 0), pair.now_ms);
		ms = pair_view(&pair, 0).renew_ms - pair.now_ms;
		first = ms < first ? ms : first;
		last = ms > last ? ms : last;
	}
	ck_assert_uint_gt(first, 810 * 1000);
	ck_assert_uint_le(last, 900 * 1000);
	ck_assert_uint_ge(last - first, 45 * 1000);
}
END_TEST

/* _i: with and without a lifetime in seconds. */
START_TEST(test_an_ike_sa_that_has_made_all_its_child_sas_is_renewed)
{
	uint8_t spi[IKE_SPI_LEN];

	pair.ends[0].conn->children_max = 3;
	pair.ends[0].conn->life = (struct ike_life){ .hard_s = _i ? 1000 : 0, .soft_percent = 90 };
	pair_establish(&pair);
	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	for (unsigned n = 2; n <= 4; n++) {
		ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
		pair_pass(&pair, 1000);
		ck_assert_uint_eq(pair_count(&pair, 0), n);
		ck_assert_int_eq(memcmp(pair_view(&pair, 0).spi_i, spi, sizeof(spi)) != 0, n >= 3);
	}
	ck_assert_uint_eq(pair_sa(&pair, 0)->n_derived, 1);
	pair_agree(&pair);
	pair_pass(&pair, 100 * 1000);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
}
END_TEST

START_TEST(test_one_child_sa_each_ike_sa_is_possible)
{
	uint8_t spi[IKE_SPI_LEN];

	pair.ends[0].conn->children_max = pair.ends[1].conn->children_max = 1;
	pair_establish(&pair);
	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	pair_pass(&pair, 60 * 1000);
	ck_assert_mem_ne(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_that_may_not_be_rekeyed_ends)
{
	pair.ends[0].conn->life = (struct ike_life){ .hard_s = 1000, .soft_percent = 100 };
	pair_establish(&pair);
	pair_pass(&pair, 999 * 1000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	pair_pass(&pair, 1000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_a_silent_peer_is_asked_and_then_gone)
{
	pair.ends[0].conn->liveness_s = 30;
	pair_establish(&pair);
	pair_pass(&pair, 3600 * 1000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	ck_assert_uint_ge(pair.ends[0].n_sent, 100);
	pair.fate = pair_drop_all;
	pair_pass(&pair, 600 * 1000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "the peer is gone"));
}
END_TEST

START_TEST(test_initial_contact_ends_what_a_peer_has_forgotten)
{
	pair_establish(&pair);
	ike_sa_free(pair_sa(&pair, 0));
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 1);
	pair_establish(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_a_nat_is_found_and_its_changes_are_followed)
{
	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[1].conn->peers[0].address.family = 0;
	pair_establish(&pair);
	ck_assert(pair.ends[0].children[0].udp && pair.ends[1].children[0].udp);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local_port, 4500);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 24500);
	pair.nat_shift = 30000;
	ike_liveness_begin(pair_sa(&pair, 0), pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 34500);
	ike_child_expired(pair.ends[1].world, IKE_PROTOCOL_ESP, pair_sa(&pair, 1)->children->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_without_a_nat_none_is_found)
{
	pair_establish(&pair);
	ck_assert(!pair.ends[0].children[0].udp && !pair.ends[1].children[0].udp);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local_port, 500);
}
END_TEST

/* Both ends at once, with the peer's first datagram lost. */
START_TEST(test_a_rekey_that_meets_a_busy_peer_is_tried_again)
{
	unsigned n = 0;

	pair_establish(&pair);
	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 1), NULL, pair.now_ms), IPSP_OK);
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	pair_pass(&pair, 60 * 1000);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "TEMPORARY_FAILURE"));
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "another one has taken its Child SAs"));
	pair_agree(&pair);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike exchanges");
	TCase *const tc = tcase_create("exchanges");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_two_ends_with_one_secret_have_an_ike_sa_and_a_child_sa);
	tcase_add_test(tc, test_another_secret_is_refused);
	tcase_add_loop_test(tc, test_whichever_message_is_lost_is_sent_again, 0, 4);
	tcase_add_test(tc, test_repeated_messages_make_nothing_twice);
	tcase_add_test(tc, test_a_peer_without_an_answer_is_gone);
	tcase_add_test(tc, test_a_delete_ends_both);
	tcase_add_loop_test(tc, test_a_child_sa_at_its_end_is_rekeyed, 0, 2);
	tcase_add_test(tc, test_a_child_sa_rekeyed_by_both_at_once_is_one_again);
	tcase_add_loop_test(tc, test_an_ike_sa_is_rekeyed_and_its_children_move, 0, 2);
	tcase_add_test(tc, test_an_ike_sa_rekeyed_by_both_at_once_is_one_again);
	tcase_add_test(tc, test_the_responder_asks_for_another_group);
	tcase_add_test(tc, test_half_open_ones_of_one_address_are_few);
	tcase_add_test(tc, test_when_many_are_half_open_a_cookie_is_asked_for);
	tcase_add_loop_test(tc, test_long_messages_go_in_fragments_whichever_is_lost, 2, 7);
	tcase_add_test(tc, test_no_more_requests_are_sent_than_the_peer_takes);
	tcase_add_test(tc, test_an_ike_sa_is_rekeyed_before_its_end);
	tcase_add_test(tc, test_rekeys_of_many_ike_sas_are_spread);
	tcase_add_loop_test(tc, test_an_ike_sa_that_has_made_all_its_child_sas_is_renewed, 0, 2);
	tcase_add_test(tc, test_one_child_sa_each_ike_sa_is_possible);
	tcase_add_test(tc, test_an_ike_sa_that_may_not_be_rekeyed_ends);
	tcase_add_test(tc, test_a_silent_peer_is_asked_and_then_gone);
	tcase_add_test(tc, test_initial_contact_ends_what_a_peer_has_forgotten);
	tcase_add_test(tc, test_a_nat_is_found_and_its_changes_are_followed);
	tcase_add_test(tc, test_without_a_nat_none_is_found);
	tcase_add_test(tc, test_a_rekey_that_meets_a_busy_peer_is_tried_again);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
