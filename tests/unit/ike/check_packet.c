/*
 * tests/unit/ike/check_packet.c - Child SAs for packets: what is said of them first, and one for each flow where the
 * rows populate selectors from packets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

static void setup(void) { pair_init(&pair); }
static void teardown(void) { pair_fini(&pair); }

/* A datagram of UDP between two hosts of the LANs that both ends protect. */
static struct ike_pair packet_of(uint8_t host, uint16_t port)
{
	const struct ike_selectors *const ours = &pair.ends[0].conn->child.ours;
	const struct ike_selectors *const theirs = &pair.ends[0].conn->child.theirs;
	struct ike_pair p = {
		.ours = { .protocol = 17, .lo = ours->s[0].lo, .port_lo = 4807, .port_hi = 4807 },
		.theirs = { .protocol = 17, .lo = theirs->s[0].lo, .port_lo = port, .port_hi = port },
	};

	p.ours.lo.octets[3] = p.theirs.lo.octets[3] = host;
	p.ours.hi = p.ours.lo;
	p.theirs.hi = p.theirs.lo;
	return p;
}

static enum ipsp_err want(const struct ike_pair *packet)
{
	const struct ike_path path = { pair.ends[0].addr, pair.ends[1].addr, 500, 500 };

	return ike_want_child(pair.ends[0].world, pair.ends[0].conn, 0, &path, packet, pair.now_ms);
}

/* Both ends populate these, each from packets that leave it. */
static void populate(uint8_t ours, uint8_t theirs)
{
	pair.ends[0].conn->child.pfp = ours;
	pair.ends[1].conn->child.pfp = theirs;
	pair_configure(&pair);
}

static const struct pair_child *child_of(unsigned end, const struct ipsp_addr *ours)
{
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		const struct pair_child *const c = &pair.ends[end].children[i];

		if (c->there && c->ours.n == 1 && ipsp_addr_cmp(&c->ours.s[0].lo, ours) == 0 &&
		    ipsp_addr_cmp(&c->ours.s[0].hi, ours) == 0)
			return c;
	}
	return NULL;
}

/* TSi or TSr of the last message that was encrypted, sent or received. */
static struct ike_selectors traced(unsigned end, uint8_t type)
{
	const struct pair_end *const e = &pair.ends[end];
	struct ike_chain chain = { .rest = { e->traced + IKE_HEADER_LEN, e->traced_len - IKE_HEADER_LEN },
				   .next = e->traced[16] };
	struct ike_selectors out = { .n = 0 };
	struct ike_payload p;
	struct ike_fault why;

	while (ike_payload_next(&chain, &p, &why) == IKE_STEP_ITEM) {
		if (p.type == type)
			ck_assert(ike_selectors_read(p.body, &out, &why));
	}
	return out;
}

static bool is(const struct ike_selector *a, const struct ike_selector *b)
{
	return ike_selector_within(a, b) && ike_selector_within(b, a);
}

/* The request of a packet's Child SA, as it leaves, without coming anywhere. */
static void ask_in_vain(const struct ike_pair *packet)
{
	pair.fate = pair_drop_all;
	ck_assert_int_eq(want(packet), IPSP_OK);
	pair_settle(&pair);
	pair.fate = NULL;
}

START_TEST(test_the_packet_that_waits_is_said_before_all_that_may_be_carried)
{
	const struct ike_child_config *const c = &pair.ends[0].conn->child;
	const struct ike_pair packet = packet_of(7, 53);
	struct ike_selectors tsi, tsr;

	pair_establish(&pair);
	ask_in_vain(&packet);
	tsi = traced(0, IKE_PAYLOAD_TSi);
	tsr = traced(0, IKE_PAYLOAD_TSr);
	ck_assert_uint_eq(tsi.n, 2);
	ck_assert_uint_eq(tsr.n, 2);
	ck_assert(is(&tsi.s[0], &packet.ours) && is(&tsi.s[1], &c->ours.s[0]));
	ck_assert(is(&tsr.s[0], &packet.theirs) && is(&tsr.s[1], &c->theirs.s[0]));
	/* The peer takes all of it. */
	pair_pass(&pair, 20000);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	pair_agree(&pair);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(is(&pair.ends[0].children[i].ours.s[0], &c->ours.s[0]));
}
END_TEST

START_TEST(test_a_packet_of_other_selectors_is_not_said)
{
	struct ike_pair packet = packet_of(7, 53);

	pair_establish(&pair);
	packet.theirs.lo.octets[0] = packet.theirs.hi.octets[0] = 11;
	ask_in_vain(&packet);
	ck_assert_uint_eq(traced(0, IKE_PAYLOAD_TSi).n, 1);
	ck_assert_uint_eq(traced(0, IKE_PAYLOAD_TSr).n, 1);
}
END_TEST

/* What is populated, and what a Child SA for a datagram to port 53 then has. _i: which */
static const struct {
	uint8_t pfp;
	uint8_t protocol;
	bool address, their_address, port, their_port;
} populated[] = {
	{ IPSP_PFP_SOURCE, 0, true, false, false, false },
	{ IPSP_PFP_DESTINATION, 0, false, true, false, false },
	{ IPSP_PFP_PROTOCOL, 17, false, false, false, false },
	{ IPSP_PFP_SOURCE_PORT, 17, false, false, true, false },
	{ IPSP_PFP_DESTINATION_PORT, 17, false, false, false, true },
	{ IPSP_PFP_ALL, 17, true, true, true, true },
};

START_TEST(test_what_is_populated_is_the_packets_and_the_rest_the_rows)
{
	const struct ike_child_config *const c = &pair.ends[0].conn->child;
	const struct ike_pair packet = packet_of(7, 53);
	struct ike_pair is_to_be = { c->ours.s[0], c->theirs.s[0] };

	is_to_be.ours.protocol = is_to_be.theirs.protocol = populated[_i].protocol;
	if (populated[_i].address)
		is_to_be.ours.lo = is_to_be.ours.hi = packet.ours.lo;
	if (populated[_i].their_address)
		is_to_be.theirs.lo = is_to_be.theirs.hi = packet.theirs.lo;
	if (populated[_i].port)
		is_to_be.ours.port_lo = is_to_be.ours.port_hi = 4807;
	if (populated[_i].their_port)
		is_to_be.theirs.port_lo = is_to_be.theirs.port_hi = 53;
	populate(populated[_i].pfp, 0);
	ck_assert_int_eq(want(&packet), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_eq(pair.ends[0].children[0].ours.n, 1);
	ck_assert_uint_eq(pair.ends[0].children[0].theirs.n, 1);
	ck_assert(is(&pair.ends[0].children[0].ours.s[0], &is_to_be.ours));
	ck_assert(is(&pair.ends[0].children[0].theirs.s[0], &is_to_be.theirs));
}
END_TEST

static void has_two(void)
{
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	pair_agree(&pair);
	for (uint8_t host = 7; host <= 8; host++) {
		const struct ike_pair packet = packet_of(host, 53);

		ck_assert_ptr_nonnull(child_of(0, &packet.ours.lo));
	}
}

/* _i: 0: both while the IKE SA is set up; 1: one after the other. All is asked for twice. */
START_TEST(test_each_flow_has_a_child_sa_of_its_own)
{
	populate(IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION, 0);
	for (uint8_t host = 7; host <= 8; host++) {
		const struct ike_pair packet = packet_of(host, 53), other = packet_of(host, 80);

		ck_assert_int_eq(want(&packet), IPSP_OK);
		ck_assert_int_eq(want(&other), IPSP_OK);
		if (_i)
			pair_settle(&pair);
	}
	pair_pass(&pair, 1000);
	has_two();
}
END_TEST

START_TEST(test_a_rekey_keeps_whose_it_is)
{
	uint32_t before[2];

	populate(IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION, 0);
	for (uint8_t host = 7; host <= 8; host++) {
		const struct ike_pair packet = packet_of(host, 53);

		ck_assert_int_eq(want(&packet), IPSP_OK);
		pair_settle(&pair);
		before[host - 7] = child_of(0, &packet.ours.lo)->spi_in;
	}
	for (unsigned i = 0; i < 2; i++) {
		ike_child_expired(pair.ends[0].world, IKE_PROTOCOL_ESP, before[i], false, pair.now_ms);
		pair_pass(&pair, 1000);
	}
	has_two();
	for (uint8_t host = 7; host <= 8; host++) {
		const struct ike_pair packet = packet_of(host, 53);

		ck_assert_uint_ne(child_of(0, &packet.ours.lo)->spi_in, before[host - 7]);
	}
}
END_TEST

START_TEST(test_authentication_anew_brings_all_flows_along)
{
	uint8_t spi[IKE_SPI_LEN];

	pair.ends[0].conn->reauth_s = 1000;
	populate(IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION, 0);
	for (uint8_t host = 7; host <= 8; host++) {
		const struct ike_pair packet = packet_of(host, 53);

		ck_assert_int_eq(want(&packet), IPSP_OK);
		pair_settle(&pair);
	}
	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	pair_pass(&pair, 990 * 1000);
	ck_assert_mem_ne(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	has_two();
}
END_TEST

/* The end that answers populates: it wants to know the packet. */
START_TEST(test_who_answers_takes_the_packets_selectors)
{
	const struct ike_pair packet = packet_of(7, 53);

	populate(0, IPSP_PFP_ALL);
	ck_assert_int_eq(want(&packet), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	pair_agree(&pair);
	ck_assert(is(&pair.ends[1].children[0].ours.s[0], &packet.theirs));
	ck_assert(is(&pair.ends[1].children[0].theirs.s[0], &packet.ours));
}
END_TEST

START_TEST(test_who_answers_refuses_without_a_packet)
{
	populate(0, IPSP_PFP_SOURCE);
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "SINGLE_PAIR_REQUIRED"));
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "an SA for each packet's own selectors"));
}
END_TEST

/* A first selector that is beyond the rows does not open what stands behind it. */
START_TEST(test_a_packet_beyond_the_rows_is_refused)
{
	struct ike_pair packet = packet_of(7, 53);

	pair.ends[1].conn->child.ours.s[0].hi = pair.ends[1].conn->child.ours.s[0].lo;
	populate(0, IPSP_PFP_SOURCE);
	ck_assert_int_eq(want(&packet), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "TS_UNACCEPTABLE"));
}
END_TEST

/* _i: 0: type and code are said; 1: nothing of them is populated */
START_TEST(test_messages_are_selectors_of_the_packet)
{
	struct ike_pair packet = packet_of(7, 0);

	packet.ours.protocol = packet.theirs.protocol = 1;
	packet.ours.port_lo = packet.ours.port_hi = 8 * 256;
	packet.theirs.port_hi = UINT16_MAX;
	populate(0, _i ? IPSP_PFP_PROTOCOL : IPSP_PFP_ALL);
	ck_assert_int_eq(want(&packet), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	pair_agree(&pair);
	ck_assert_uint_eq(pair.ends[1].children[0].theirs.s[0].port_lo, _i ? 0 : 8 * 256);
	ck_assert_uint_eq(pair.ends[1].children[0].theirs.s[0].protocol, 1);
}
END_TEST

START_TEST(test_packets_that_wait_are_bounded_and_forgotten)
{
	enum ipsp_err err = IPSP_OK;
	unsigned n = 0;

	populate(IPSP_PFP_SOURCE, 0);
	while (err == IPSP_OK && n < 250) {
		const struct ike_pair packet = packet_of((uint8_t)(1 + n++), 53);

		err = want(&packet);
	}
	ck_assert_int_eq(err, IPSP_ENOSPC);
	ck_assert_uint_eq(n, 1 + 64 + 1);
	ike_end_all(pair.ends[0].world, NULL, pair.now_ms);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ike packet");
	TCase *tc = tcase_create("asked");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_the_packet_that_waits_is_said_before_all_that_may_be_carried);
	tcase_add_test(tc, test_a_packet_of_other_selectors_is_not_said);
	tcase_add_loop_test(tc, test_what_is_populated_is_the_packets_and_the_rest_the_rows, 0,
			    sizeof(populated) / sizeof(populated[0]));
	tcase_add_loop_test(tc, test_each_flow_has_a_child_sa_of_its_own, 0, 2);
	tcase_add_test(tc, test_a_rekey_keeps_whose_it_is);
	tcase_add_test(tc, test_authentication_anew_brings_all_flows_along);
	tcase_add_test(tc, test_packets_that_wait_are_bounded_and_forgotten);
	suite_add_tcase(s, tc);
	tc = tcase_create("answered");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_who_answers_takes_the_packets_selectors);
	tcase_add_test(tc, test_who_answers_refuses_without_a_packet);
	tcase_add_test(tc, test_a_packet_beyond_the_rows_is_refused);
	tcase_add_loop_test(tc, test_messages_are_selectors_of_the_packet, 0, 2);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
