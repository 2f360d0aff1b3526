/*
 * tests/unit/ike/check_answer.c - the default response: one end has no connection for what the other asks for, but one that
 * answers, for any traffic.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;
static struct ike_conn *answering;

static struct ike_selectors any(void)
{
	struct ike_selectors s = { .n = 1, .s = { { .port_hi = UINT16_MAX } } };
	struct ipsp_selector box;

	ipsp_selector_any(4, &box);
	s.s[0].lo = box.src_lo;
	s.s[0].hi = box.src_hi;
	return s;
}

static struct ike_selectors alone(const struct ipsp_addr *a)
{
	return (struct ike_selectors){ .n = 1, .s = { { .lo = *a, .hi = *a, .port_hi = UINT16_MAX } } };
}

/* At that end there are the answering connection, and perhaps the explicit one behind it. */
static void configure(bool explicit)
{
	struct ike_conn *const both[2] = { answering, pair.ends[1].conn };

	ck_assert_int_eq(ike_world_configure(pair.ends[1].world, both, explicit ? 2 : 1), IPSP_OK);
}

static void setup(void)
{
	struct ike_child_config *asks;

	pair_init(&pair);
	asks = &pair.ends[0].conn->child;
	answering = ike_conn_new();
	ck_assert_ptr_nonnull(answering);
	*answering = *pair.ends[1].conn;
	answering->refs = 1;
	answering->peers[0].secret = ike_secret_ref(answering->peers[0].secret);
	answering->child.answers = answering->child.transport = true;
	answering->child.ours = answering->child.theirs = any();
	asks->transport = true;
	asks->ours = alone(&pair.ends[0].addr);
	asks->theirs = alone(&pair.ends[1].addr);
	configure(false);
}

static void teardown(void)
{
	ike_conn_unref(answering);
	pair_fini(&pair);
}

static void begin(void)
{
	pair_initiate(&pair, 0);
	pair_settle(&pair);
}

static void refused(const char *notify)
{
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, notify));
}

static void agreed(uint16_t port)
{
	const struct pair_child *c = NULL;

	pair_agree(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, answering);
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX && !c; i++)
		c = pair.ends[1].children[i].there ? &pair.ends[1].children[i] : NULL;
	ck_assert_ptr_nonnull(c);
	ck_assert(c->transport);
	ck_assert_uint_eq(c->ours.n, 1);
	ck_assert_uint_eq(c->theirs.n, 1);
	ck_assert_int_eq(ipsp_addr_cmp(&c->ours.s[0].lo, &pair.ends[1].addr), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&c->ours.s[0].hi, &pair.ends[1].addr), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&c->theirs.s[0].lo, &pair.ends[0].addr), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&c->theirs.s[0].hi, &pair.ends[0].addr), 0);
	ck_assert_uint_eq(c->ours.s[0].port_lo, port);
}

START_TEST(test_who_asks_for_what_no_rule_is_for_is_answered)
{
	begin();
	agreed(0);
}
END_TEST

START_TEST(test_whatever_is_asked_for_only_the_two_ends_are_agreed_on)
{
	pair.ends[0].conn->child.ours = pair.ends[0].conn->child.theirs = any();
	begin();
	agreed(0);
}
END_TEST

START_TEST(test_a_part_that_is_asked_for_is_all_that_is_agreed_on)
{
	struct ike_selector *const s = &pair.ends[0].conn->child.theirs.s[0];

	s->protocol = pair.ends[0].conn->child.ours.s[0].protocol = 6;
	s->port_lo = s->port_hi = 80;
	begin();
	agreed(80);
}
END_TEST

START_TEST(test_a_range_of_ports_that_no_entry_can_say_is_refused)
{
	struct ike_selector *const s = &pair.ends[0].conn->child.theirs.s[0];

	s->protocol = pair.ends[0].conn->child.ours.s[0].protocol = 6;
	s->port_lo = 80;
	s->port_hi = 81;
	begin();
	refused("TS_UNACCEPTABLE");
}
END_TEST

START_TEST(test_who_asks_for_others_than_itself_is_refused)
{
	struct ike_selectors *const s = _i ? &pair.ends[0].conn->child.ours : &pair.ends[0].conn->child.theirs;

	s->s[0].lo.octets[3] ^= 64;
	s->s[0].hi = s->s[0].lo;
	begin();
	refused("TS_UNACCEPTABLE");
}
END_TEST

START_TEST(test_a_tunnel_is_refused)
{
	pair.ends[0].conn->child.transport = false;
	begin();
	refused("NO_PROPOSAL_CHOSEN");
}
END_TEST

/* Both ways: what is asked for is found behind what is not, and a rekey by whoever is of the same protocol. */
START_TEST(test_AH_is_answered_behind_ESP)
{
	static const struct ike_choice ah[] = { { IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0 },
						{ IKE_TRANSFORM_ESN, 0, 0 } };
	struct ike_offer only = { .number = 1, .protocol = IKE_PROTOCOL_AH };
	uint32_t before;

	for (size_t i = 0; i < 2; i++)
		ck_assert(ike_offer_add(&only, ah[i].type, ah[i].id, 0));
	pair.ends[0].conn->child.offers = (struct ike_offers){ .n = 1, .offers = { only } };
	only.number = (uint8_t)(answering->child.offers.n + 1);
	answering->child.offers.offers[answering->child.offers.n++] = only;
	begin();
	agreed(0);
	ck_assert_uint_eq(pair_sa(&pair, 1)->children->protocol, IKE_PROTOCOL_AH);
	before = pair_sa(&pair, (unsigned)_i)->children->spi_in;
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_AH, before, false, pair.now_ms);
	pair_settle(&pair);
	agreed(0);
	ck_assert_uint_eq(pair_sa(&pair, 1)->children->protocol, IKE_PROTOCOL_AH);
	ck_assert_uint_ne(pair_sa(&pair, (unsigned)_i)->children->spi_in, before);
}
END_TEST

/* As after the end of an ike process. */
START_TEST(test_what_it_begins_itself_is_of_one_protocol_and_for_the_two_ends)
{
	struct ike_offer *const ah = &answering->child.offers.offers[answering->child.offers.n];
	struct ike_path path = { pair.ends[1].addr, pair.ends[0].addr, 500, 500 };

	*ah = (struct ike_offer){ .number = (uint8_t)++answering->child.offers.n, .protocol = IKE_PROTOCOL_AH };
	ck_assert(ike_offer_add(ah, IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0));
	ck_assert(ike_offer_add(ah, IKE_TRANSFORM_ESN, 0, 0));
	/* Who would rather have AH. */
	pair.ends[0].conn->child.offers.offers[1] = pair.ends[0].conn->child.offers.offers[0];
	pair.ends[0].conn->child.offers.offers[0] = *ah;
	pair.ends[0].conn->child.offers.n = 2;
	ck_assert_int_eq(ike_want_child(pair.ends[1].world, answering, 0, &path, NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	agreed(0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(pair_sa(&pair, i)->children->protocol, IKE_PROTOCOL_ESP);
}
END_TEST

START_TEST(test_a_connection_of_a_rule_goes_first)
{
	struct ike_conn *const rule = pair.ends[1].conn;

	rule->child.transport = true;
	rule->child.ours = alone(&pair.ends[1].addr);
	rule->child.theirs = alone(&pair.ends[0].addr);
	configure(true);
	begin();
	pair_agree(&pair);
	ck_assert_ptr_eq(pair_sa(&pair, 1)->conn, rule);
}
END_TEST

/* A rule that is for others, or wants other algorithms, still says what becomes of its traffic. */
START_TEST(test_what_a_rule_negotiates_for_is_not_answered)
{
	struct ike_conn *const rule = pair.ends[1].conn;

	rule->child.transport = true;
	rule->child.ours = alone(&pair.ends[1].addr);
	rule->child.theirs = any();
	rule->peers[0].address = pair.ends[0].addr;
	if (_i)
		rule->offers.offers[0].n = 0;
	else
		ck_assert(ike_identity_make(IKE_ID_FQDN, "c.example", &rule->peers[0].id));
	configure(true);
	begin();
	refused("TS_UNACCEPTABLE");
}
END_TEST

START_TEST(test_what_no_rule_negotiates_for_is_answered_beside_it)
{
	configure(true);
	begin();
	agreed(0);
}
END_TEST

START_TEST(test_who_cannot_prove_itself_is_refused)
{
	const struct ipsp_span secret = { (const uint8_t *)"a secret of others", 18 };

	ike_secret_unref(answering->peers[0].secret);
	answering->peers[0].secret = ike_secret_new(secret);
	begin();
	refused("AUTHENTICATION_FAILED");
}
END_TEST

START_TEST(test_a_rekey_has_the_two_ends_again)
{
	begin();
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, pair_sa(&pair, (unsigned)_i)->children->spi_in,
			  false, pair.now_ms);
	pair_settle(&pair);
	agreed(0);
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ike answer");
	TCase *const t = tcase_create("answer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_who_asks_for_what_no_rule_is_for_is_answered);
	tcase_add_test(t, test_whatever_is_asked_for_only_the_two_ends_are_agreed_on);
	tcase_add_test(t, test_a_part_that_is_asked_for_is_all_that_is_agreed_on);
	tcase_add_test(t, test_a_range_of_ports_that_no_entry_can_say_is_refused);
	tcase_add_loop_test(t, test_who_asks_for_others_than_itself_is_refused, 0, 2);
	tcase_add_test(t, test_a_tunnel_is_refused);
	tcase_add_loop_test(t, test_AH_is_answered_behind_ESP, 0, 2);
	tcase_add_test(t, test_what_it_begins_itself_is_of_one_protocol_and_for_the_two_ends);
	tcase_add_test(t, test_a_connection_of_a_rule_goes_first);
	tcase_add_loop_test(t, test_what_a_rule_negotiates_for_is_not_answered, 0, 2);
	tcase_add_test(t, test_what_no_rule_negotiates_for_is_answered_beside_it);
	tcase_add_test(t, test_who_cannot_prove_itself_is_refused);
	tcase_add_loop_test(t, test_a_rekey_has_the_two_ends_again, 0, 2);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
