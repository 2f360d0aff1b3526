/*
 * tests/unit/ike/check_mobike.c - IKE SAs that move (RFC 4555), and mappings of a NAT that change (RFC 7296 2.23).
 * End 0 moves from 192.0.2.1 to wherever its test says; end 1 takes a peer from anywhere, but for tests that say else.
 */
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
	pair.ends[0].conn->local.family = 0;
	pair.ends[1].conn->peers[0].address.family = 0;
}

static void teardown(void)
{
	pair_fini(&pair);
}

static void move_to(const char *text)
{
	ck_assert_int_eq(inet_pton(AF_INET, text, pair.ends[0].addr.octets), 1);
	ike_paths_changed(pair.ends[0].world, pair.now_ms);
}

/* Do both ends of it, messages and ESP, know end 0 to be there? */
static void must_be_at(const char *text)
{
	struct ipsp_addr a = { .family = 4 };
	const struct pair_child *const ours = &pair.ends[0].children[0];
	const struct pair_child *const theirs = &pair.ends[1].children[0];
	const struct ike_path from = pair_view(&pair, 0).path, to = pair_view(&pair, 1).path;

	ck_assert_int_eq(inet_pton(AF_INET, text, a.octets), 1);
	ck_assert_int_eq(ipsp_addr_cmp(&from.local, &a), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&to.remote, &a), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&ours->path.local, &a), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&theirs->path.remote, &a), 0);
	ck_assert(ours->there && theirs->there);
	pair_agree(&pair);
}

START_TEST(test_an_end_that_moves_takes_its_sas_along)
{
	pair_establish(&pair);
	ck_assert(pair_sa(&pair, 0)->mobike && pair_sa(&pair, 1)->mobike);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local_port, 4500);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 4500);
	ck_assert(!pair.ends[0].children[0].udp);
	move_to("192.0.2.77");
	pair_settle(&pair);
	must_be_at("192.0.2.77");
	/* And again, and what is asked for later is between the new ends. */
	move_to("203.0.113.5");
	pair_settle(&pair);
	must_be_at("203.0.113.5");
	/* Whichever end has made it anew. */
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 1), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	move_to("192.0.2.1");
	pair_settle(&pair);
	must_be_at("192.0.2.1");
}
END_TEST

START_TEST(test_whichever_message_of_a_move_is_lost)
{
	unsigned n = (unsigned)_i;

	pair_establish(&pair);
	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	move_to("192.0.2.77");
	pair_pass(&pair, 20 * 1000);
	must_be_at("192.0.2.77");
}
END_TEST

/* Keeps what is under way from arriving until the test lets it. */
START_TEST(test_who_moves_twice_at_once_is_where_it_is_at_last)
{
	pair_establish(&pair);
	move_to("192.0.2.77");
	move_to("203.0.113.5");
	pair_settle(&pair);
	pair_pass(&pair, 20 * 1000);
	must_be_at("203.0.113.5");
}
END_TEST

START_TEST(test_a_move_while_it_is_rekeyed_is_told_for_both)
{
	pair_establish(&pair);
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	move_to("192.0.2.77");
	pair_pass(&pair, 20 * 1000);
	must_be_at("192.0.2.77");
}
END_TEST

/* Nothing comes to where end 0 says that it is; no ESP goes there either. */
static unsigned drop_requests_to_0(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	return d->to != 0 || d->octets[19] & IKE_FLAG_RESPONSE;
}

START_TEST(test_no_esp_goes_where_the_peer_was_not_seen)
{
	pair_establish(&pair);
	pair.fate = drop_requests_to_0;
	move_to("192.0.2.77");
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[1].children[0].path.remote.octets[3], 1);
	pair.fate = NULL;
	pair_pass(&pair, 20 * 1000);
	must_be_at("192.0.2.77");
}
END_TEST

static struct pair_datagram late;

/* Keeps back the answer to whether end 0 is there. */
static unsigned keep_answers_of_0(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	if (d->to != 1 || !(d->octets[19] & IKE_FLAG_RESPONSE))
		return 1;
	late = *d;
	return 0;
}

/* 3.7: that it was at the last address says nothing of this one. */
START_TEST(test_an_answer_from_an_address_before_does_not_count)
{
	pair_establish(&pair);
	pair.fate = keep_answers_of_0;
	move_to("192.0.2.77");
	pair_settle(&pair);
	pair.fate = drop_requests_to_0;
	move_to("203.0.113.5");
	pair_settle(&pair);
	ike_receive(pair.ends[1].world, &late.path, (struct ipsp_span){ late.octets, late.len },
		    pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[1].children[0].path.remote.octets[3], 1);
	pair.fate = NULL;
	pair_pass(&pair, 20 * 1000);
	must_be_at("203.0.113.5");
}
END_TEST

START_TEST(test_a_peer_whose_row_has_an_address_is_not_let_elsewhere)
{
	pair.ends[1].conn->peers[0].address = pair.ends[0].addr;
	pair_establish(&pair);
	move_to("192.0.2.77");
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "UNACCEPTABLE_ADDRESSES"));
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

/* _i 0: transport mode; 1: its row has its address. */
START_TEST(test_some_do_not_move)
{
	if (_i == 0)
		pair.ends[0].conn->child.transport = pair.ends[1].conn->child.transport = true;
	else
		pair.ends[0].conn->local = pair.ends[0].addr;
	pair_establish(&pair);
	ck_assert(!pair_sa(&pair, 0)->mobike && !pair_sa(&pair, 1)->mobike);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local_port, 500);
	move_to("192.0.2.77");
	pair_settle(&pair);
	ck_assert_uint_eq(pair_view(&pair, 0).path.local.octets[3], 1);
}
END_TEST

START_TEST(test_a_move_behind_a_nat_puts_esp_into_udp_and_back)
{
	pair_establish(&pair);
	pair.nat = true;
	pair.nat_shift = 20000;
	move_to("10.0.0.7");
	pair_settle(&pair);
	ck_assert(pair.ends[0].children[0].udp && pair.ends[1].children[0].udp);
	ck_assert_uint_eq(pair.ends[1].children[0].path.remote_port, 24500);
	pair_pass(&pair, 20 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives, 1);
	pair.nat = false;
	move_to("192.0.2.9");
	pair_settle(&pair);
	ck_assert(!pair.ends[0].children[0].udp && !pair.ends[1].children[0].udp);
	must_be_at("192.0.2.9");
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_keepalives, 1);
}
END_TEST

START_TEST(test_another_mapping_is_seen_by_who_asks_for_life)
{
	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[0].conn->liveness_s = 30;
	pair_establish(&pair);
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 24500);
	pair.nat_shift = 30000;
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, 34500);
	ck_assert_uint_eq(pair.ends[1].children[0].path.remote_port, 34500);
}
END_TEST

/* _i: with and without MOBIKE. */
START_TEST(test_esp_tells_of_another_mapping)
{
	const struct ipsp_addr there = { 4, { 203, 0, 113, 9 } };

	pair.nat = true;
	if (_i == 1)
		pair.ends[0].conn->local = pair.ends[0].addr;
	pair_establish(&pair);
	ck_assert_int_eq(pair_sa(&pair, 1)->mobike, _i == 0);
	ike_child_came_from(pair.ends[1].world, IKE_PROTOCOL_ESP, pair.ends[1].children[0].spi_in,
			    &there, 34500);
	ck_assert_uint_eq(pair.ends[1].children[0].path.remote_port, 34500);
	ck_assert_uint_eq(pair_view(&pair, 1).path.remote_port, _i == 0 ? 4500 : 34500);
	/* Who is behind the NAT itself believes no such thing, nor does one that knows of none. */
	ike_child_came_from(pair.ends[0].world, IKE_PROTOCOL_ESP, pair.ends[0].children[0].spi_in,
			    &there, 34500);
	ck_assert_uint_eq(pair.ends[0].children[0].path.remote_port, 4500);
}
END_TEST

/* An INFORMATIONAL of one end with one notification, from a place of its own. */
static void inform(unsigned from, const struct ike_path *path, uint16_t notify, struct ipsp_span data)
{
	struct ike_sa *const sa = pair_sa(&pair, from);
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_LIVENESS, true);
	const struct ike_path was = sa->path;
	struct ike_builder b;

	ike_build_begin(&b, pair.ends[from].world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, notify, data);
	sa->path = *path;
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, pair.now_ms), IPSP_OK);
	sa->path = was;
}

static struct ike_path answered_to;

static unsigned note_answers(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	if (d->octets[19] & IKE_FLAG_RESPONSE)
		answered_to = d->path;
	return 1;
}

/* RFC 4555 3.8, 3.10: a message that does not ask for it moves nothing, and is answered where it came from. */
START_TEST(test_a_path_may_be_tried)
{
	struct ike_path path;

	pair_establish(&pair);
	path = pair_view(&pair, 0).path;
	path.local.octets[3] = 88;
	pair.fate = note_answers;
	inform(0, &path, IKE_N_COOKIE2, (struct ipsp_span){ (const uint8_t *)"12345678", 8 });
	pair_settle(&pair);
	ck_assert_uint_eq(answered_to.local.octets[3], 88);
	must_be_at("192.0.2.1");
}
END_TEST

START_TEST(test_what_allows_no_nat_is_not_changed_on_its_way)
{
	static const uint8_t elsewhere[12] = { 192, 0, 2, 99 };
	const struct ike_path path = { .local = pair.ends[0].addr, .remote = pair.ends[1].addr,
				       .local_port = 4500, .remote_port = 4500 };

	pair_establish(&pair);
	inform(0, &path, IKE_N_NO_NATS_ALLOWED, (struct ipsp_span){ elsewhere, sizeof(elsewhere) });
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "UNEXPECTED_NAT_DETECTED"));
	must_be_at("192.0.2.1");
}
END_TEST

START_TEST(test_another_cookie_ends_it)
{
	pair_establish(&pair);
	pair.keep_jobs = false;
	move_to("192.0.2.77");
	pair_sa(&pair, 0)->exchanges->cookie[0] ^= 1;
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "COOKIE2"));
}
END_TEST

/* RFC 4555 3.6: of no use here, but no fault either. */
START_TEST(test_addresses_that_the_peer_has_besides_are_heard)
{
	static const uint8_t more[4] = { 192, 0, 2, 2 };
	const struct ike_path path = { .local = pair.ends[1].addr, .remote = pair.ends[0].addr,
				       .local_port = 4500, .remote_port = 4500 };

	pair_establish(&pair);
	inform(1, &path, IKE_N_ADDITIONAL_IP4_ADDRESS, (struct ipsp_span){ more, sizeof(more) });
	inform(1, &path, IKE_N_NO_ADDITIONAL_ADDRESSES, (struct ipsp_span){ 0 });
	pair_settle(&pair);
	ck_assert_ptr_null(pair_sa(&pair, 1)->requests);
	must_be_at("192.0.2.1");
}
END_TEST

/* Only the initiator moves it: 3.5. */
START_TEST(test_a_responder_moves_nothing)
{
	struct ike_path path = { .local = pair.ends[1].addr, .remote = pair.ends[0].addr,
				 .local_port = 4500, .remote_port = 4500 };

	pair_establish(&pair);
	pair.ends[0].conn->peers[0].address.family = 0;
	path.local.octets[3] = 66;
	inform(1, &path, IKE_N_UPDATE_SA_ADDRESSES, (struct ipsp_span){ 0 });
	pair_settle(&pair);
	must_be_at("192.0.2.1");
	ck_assert_uint_eq(pair_view(&pair, 0).path.remote.octets[3], 1);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike mobike");
	TCase *const tc = tcase_create("mobike");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_an_end_that_moves_takes_its_sas_along);
	tcase_add_loop_test(tc, test_whichever_message_of_a_move_is_lost, 0, 4);
	tcase_add_test(tc, test_who_moves_twice_at_once_is_where_it_is_at_last);
	tcase_add_test(tc, test_a_move_while_it_is_rekeyed_is_told_for_both);
	tcase_add_test(tc, test_no_esp_goes_where_the_peer_was_not_seen);
	tcase_add_test(tc, test_an_answer_from_an_address_before_does_not_count);
	tcase_add_test(tc, test_a_peer_whose_row_has_an_address_is_not_let_elsewhere);
	tcase_add_loop_test(tc, test_some_do_not_move, 0, 2);
	tcase_add_test(tc, test_a_move_behind_a_nat_puts_esp_into_udp_and_back);
	tcase_add_test(tc, test_another_mapping_is_seen_by_who_asks_for_life);
	tcase_add_loop_test(tc, test_esp_tells_of_another_mapping, 0, 2);
	tcase_add_test(tc, test_a_path_may_be_tried);
	tcase_add_test(tc, test_what_allows_no_nat_is_not_changed_on_its_way);
	tcase_add_test(tc, test_another_cookie_ends_it);
	tcase_add_test(tc, test_addresses_that_the_peer_has_besides_are_heard);
	tcase_add_test(tc, test_a_responder_moves_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
