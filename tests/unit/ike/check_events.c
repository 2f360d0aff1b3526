/* tests/unit/ike/check_events.c - what who watches IKE SAs is told: struct ike_ops.event, when they are due,
 * and lines of the log. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/decode.h"
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

static const struct pair_event *last(unsigned end)
{
	ck_assert_uint_gt(pair.ends[end].n_events, 0);
	return &pair.ends[end].events[pair.ends[end].n_events - 1];
}

static unsigned count(unsigned end, enum ike_event_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pair.ends[end].n_events; i++)
		n += pair.ends[end].events[i].kind == kind;
	return n;
}

START_TEST(test_both_ends_tell_of_an_ike_sa_and_whom_it_is_with)
{
	pair_establish(&pair);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(pair.ends[i].n_events, 1);
		ck_assert_int_eq(last(i)->kind, IKE_EVENT_UP);
		ck_assert_int_eq(last(i)->initiator, i == 0);
		ck_assert(ike_identity_fits(&last(i)->remote, &pair.ends[!i].conn->local_id));
	}
}
END_TEST

static char shown[1 << 15];

static void show(void *arg, const char *line)
{
	(void)arg;
	ck_assert_uint_lt(strlen(shown) + strlen(line) + 2, sizeof(shown));
	strcat(strcat(shown, line), "\n");
}

START_TEST(test_messages_are_traced_at_both_ends_as_they_are_in_clear)
{
	pair_establish(&pair);
	for (unsigned i = 0; i < 2; i++) {
		const struct pair_end *const end = &pair.ends[i];
		const struct ipsp_span message = { end->traced, end->traced_len };
		struct ike_decoder decoder = { .line = show };

		ck_assert_uint_eq(end->n_traced[0], 2);
		ck_assert_uint_eq(end->n_traced[1], 2);
		shown[0] = '\0';
		ck_assert(ike_decode(&decoder, message));
		ck_assert_ptr_nonnull(strstr(shown, "TSr"));
		ck_assert_ptr_null(strstr(shown, "not shown"));
		decoder.hides_proofs = true;
		shown[0] = '\0';
		ck_assert(ike_decode(&decoder, message));
		ck_assert_ptr_nonnull(strstr(shown, "TSr"));
		ck_assert_ptr_nonnull(strstr(shown, "octets, not shown"));
	}
}
END_TEST

START_TEST(test_a_rekey_is_no_news_and_its_successor_s_end_is)
{
	pair_establish(&pair);
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	pair_pass(&pair, 1000);
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
	ck_assert_uint_eq(pair.ends[1].n_events, 1);
	ike_end_all(pair.ends[0].world, NULL, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[0].n_events, 2);
	ck_assert_int_eq(last(0)->kind, IKE_EVENT_DOWN);
	ck_assert_int_eq(last(0)->end, IKE_END_REMOVED);
	ck_assert_int_eq(last(1)->kind, IKE_EVENT_DOWN);
	ck_assert_int_eq(last(1)->end, IKE_END_BY_PEER);
}
END_TEST

START_TEST(test_a_peer_without_an_answer_is_unreachable)
{
	pair.fate = pair_drop_all;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 300 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
	ck_assert_int_eq(last(0)->kind, IKE_EVENT_UNREACHABLE);
}
END_TEST

START_TEST(test_a_peer_that_falls_silent_is_unreachable_and_its_ike_sa_down)
{
	pair.ends[0].conn->liveness_s = 10;
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	pair_pass(&pair, 300 * 1000);
	ck_assert_uint_eq(count(0, IKE_EVENT_UNREACHABLE), 1);
	ck_assert_int_eq(last(0)->kind, IKE_EVENT_DOWN);
	ck_assert_int_eq(last(0)->end, IKE_END_UNREACHABLE);
}
END_TEST

START_TEST(test_an_end_that_is_over_is_told_once)
{
	pair.ends[0].conn->life = (struct ike_life){ .hard_s = 100, .soft_percent = 100 };
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	pair_pass(&pair, 400 * 1000);
	ck_assert_uint_eq(count(0, IKE_EVENT_DOWN), 1);
	ck_assert_int_eq(last(0)->end, IKE_END_EXPIRED);
	ck_assert_uint_eq(count(0, IKE_EVENT_UNREACHABLE), 0);
}
END_TEST

START_TEST(test_another_secret_is_told_with_the_identity_claimed)
{
	static const char other[] = "another";

	ike_secret_unref(pair.ends[1].conn->peers[0].secret);
	pair.ends[1].conn->peers[0].secret =
		ike_secret_new((struct ipsp_span){ (const uint8_t *)other, 7 });
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(count(0, IKE_EVENT_AUTH_FAILED), 1);
	ck_assert_uint_eq(count(1, IKE_EVENT_AUTH_FAILED), 1);
	ck_assert(ike_identity_fits(&last(1)->remote, &pair.ends[0].conn->local_id));
	ck_assert_str_eq(last(1)->text, "the shared keys differ");
	ck_assert_uint_eq(count(0, IKE_EVENT_UP) + count(1, IKE_EVENT_UP), 0);
}
END_TEST

START_TEST(test_one_without_a_common_proposal_is_told_as_failed)
{
	pair.ends[1].conn->offers.offers[0].choices[0].key_bits = 256;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_int_eq(last(0)->kind, IKE_EVENT_FAILED);
	ck_assert_ptr_nonnull(strstr(last(0)->text, "NO_PROPOSAL_CHOSEN"));
}
END_TEST

START_TEST(test_the_end_of_a_world_is_nobody_s_news)
{
	pair_establish(&pair);
	ike_world_free(pair.ends[0].world);
	pair.ends[0].world = NULL;
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
}
END_TEST

START_TEST(test_it_is_seen_when_one_is_rekeyed_and_ends)
{
	const struct ike_life life = { .hard_s = 1000, .soft_percent = 80 };
	struct ike_view v;

	pair.ends[0].conn->life = life;
	pair.ends[1].conn->life = (struct ike_life){ .hard_s = 0, .soft_percent = 80 };
	pair_establish(&pair);
	v = pair_view(&pair, 0);
	ck_assert_uint_eq(v.end_ms, v.since_ms + 1000 * 1000);
	ck_assert_uint_le(v.renew_ms, v.since_ms + 800 * 1000);
	ck_assert_uint_ge(v.renew_ms, v.since_ms + 700 * 1000);
	v = pair_view(&pair, 1);
	ck_assert(v.renew_ms == IKE_NEVER && v.end_ms == IKE_NEVER);
}
END_TEST

/* ---- lines for people ---- */

static void has(unsigned end, const char *text)
{
	ck_assert_msg(strstr(pair.ends[end].logs, text), "no \"%s\" in:\n%s", text,
		      pair.ends[end].logs);
}

START_TEST(test_both_proposals_are_told_when_none_is_common)
{
	pair.ends[1].conn->offers.offers[0].choices[0].key_bits = 256;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "it proposes AES_GCM_16-128/HMAC_SHA2_256/CURVE25519");
	has(1, "takes AES_GCM_16-256/HMAC_SHA2_256/CURVE25519");
	has(0, "takes none of what we propose: AES_GCM_16-128/HMAC_SHA2_256/CURVE25519");
}
END_TEST

START_TEST(test_both_selectors_are_told_when_they_do_not_meet)
{
	pair.ends[1].conn->child.ours.s[0].lo.octets[1] = 9;
	pair.ends[1].conn->child.ours.s[0].hi.octets[1] = 9;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "TS_UNACCEPTABLE: the peer asks for 10.2.0.0-10.2.255.255 === 10.1.0.0-10.1.255.255");
	has(1, "is for 10.9.0.0-10.9.255.255 === 10.1.0.0-10.1.255.255");
	has(0, "does not take the traffic selectors 10.1.0.0-10.1.255.255 === 10.2.0.0-10.2.255.255");
}
END_TEST

START_TEST(test_both_proposals_of_a_child_sa_are_told)
{
	pair.ends[1].conn->child.offers.offers[0].choices[0].key_bits = 128;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "NO_PROPOSAL_CHOSEN: the peer proposes AES_CBC-256/");
	has(1, "takes AES_CBC-128/");
	has(0, "for a Child SA: AES_CBC-256/");
}
END_TEST

START_TEST(test_it_is_told_which_identity_is_not_expected)
{
	ck_assert(ike_identity_make(IKE_ID_FQDN, "c.example", &pair.ends[0].conn->local_id));
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "no connection is for FQDN c.example with us as FQDN b.example; "
	       "expected is FQDN a.example");
	has(1, "IKE_AUTH with FQDN c.example fails");
}
END_TEST

static void has_not(unsigned end, const char *text)
{
	ck_assert_msg(!strstr(pair.ends[end].logs, text), "\"%s\" is in:\n%s", text,
		      pair.ends[end].logs);
}

START_TEST(test_an_address_where_nobody_answers_is_told_early_and_at_the_end)
{
	pair.fate = pair_drop_all;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 3000);
	has_not(0, "nothing has come");
	pair_pass(&pair, 5000);
	has(0, "with 198.51.100.1: nothing has come from port 500 yet, where IKE_SA_INIT was sent 3 times: is that the "
	       "peer's address?");
	has_not(0, "no answer to");
	pair_pass(&pair, 600000);
	has(0, "no answer to IKE_SA_INIT, sent 8 times to port 500: nobody speaks IKE at that address");
}
END_TEST

static unsigned drop_auth(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	return d->octets[18] != IKE_EXCHANGE_IKE_AUTH;
}

START_TEST(test_an_IKE_AUTH_that_does_not_come_through_is_told_apart)
{
	pair.fate = drop_auth;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	pair_pass(&pair, 600000);
	has(0, "no answer to IKE_AUTH, sent 8 times to port 500, while IKE_SA_INIT had one");
	has_not(0, "nothing has come");
	has_not(0, "no answer to IKE_SA_INIT");
}
END_TEST

START_TEST(test_a_peer_that_nobody_has_configured_is_told_with_both_addresses)
{
	pair.ends[1].conn->peers[0].address.octets[3] = 99;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "192.0.2.1: no connection is configured for us at 198.51.100.1 with this peer");
	has(0, "; or it has no connection for 192.0.2.1");
}
END_TEST

START_TEST(test_whom_the_peer_does_not_take_us_for_is_told)
{
	static const uint8_t other[] = "another secret";

	ike_secret_unref(pair.ends[0].conn->peers[0].secret);
	pair.ends[0].conn->peers[0].secret = ike_secret_new((struct ipsp_span){ other, sizeof(other) });
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(0, "the peer does not take us for FQDN a.example: it has no connection for that identity, or another shared key");
	has_not(0, "another secret");
}
END_TEST

START_TEST(test_strangers_cause_few_lines)
{
	const char *at;
	unsigned n = 0;

	pair.ends[1].conn->offers.offers[0].choices[0].key_bits = 256;
	for (unsigned i = 0; i < 20; i++) {
		pair_initiate(&pair, 0);
		pair_settle(&pair);
	}
	for (at = pair.ends[1].logs; (at = strstr(at, "it proposes")); at++)
		n++;
	ck_assert_uint_eq(n, 5);
	pair.now_ms += 1000;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	has(1, "(and 15 more)");
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike events");
	TCase *const tc = tcase_create("events");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_both_ends_tell_of_an_ike_sa_and_whom_it_is_with);
	tcase_add_test(tc, test_messages_are_traced_at_both_ends_as_they_are_in_clear);
	tcase_add_test(tc, test_a_rekey_is_no_news_and_its_successor_s_end_is);
	tcase_add_test(tc, test_a_peer_without_an_answer_is_unreachable);
	tcase_add_test(tc, test_a_peer_that_falls_silent_is_unreachable_and_its_ike_sa_down);
	tcase_add_test(tc, test_an_end_that_is_over_is_told_once);
	tcase_add_test(tc, test_another_secret_is_told_with_the_identity_claimed);
	tcase_add_test(tc, test_one_without_a_common_proposal_is_told_as_failed);
	tcase_add_test(tc, test_the_end_of_a_world_is_nobody_s_news);
	tcase_add_test(tc, test_it_is_seen_when_one_is_rekeyed_and_ends);
	tcase_add_test(tc, test_both_proposals_are_told_when_none_is_common);
	tcase_add_test(tc, test_both_selectors_are_told_when_they_do_not_meet);
	tcase_add_test(tc, test_both_proposals_of_a_child_sa_are_told);
	tcase_add_test(tc, test_it_is_told_which_identity_is_not_expected);
	tcase_add_test(tc, test_an_address_where_nobody_answers_is_told_early_and_at_the_end);
	tcase_add_test(tc, test_an_IKE_AUTH_that_does_not_come_through_is_told_apart);
	tcase_add_test(tc, test_a_peer_that_nobody_has_configured_is_told_with_both_addresses);
	tcase_add_test(tc, test_whom_the_peer_does_not_take_us_for_is_told);
	tcase_add_test(tc, test_strangers_cause_few_lines);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
