/* tests/unit/engine/check_frag.c - what first fragments show, for those that follow. RFC 4301 7.4. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/frag.h"
#include "tests/unit/engine_io/packets.h"

#define TIMEOUT_S 30u
#define NOW 1000u

static struct ipsp_frag_table table;
static uint8_t packet[2048];

static void setup(void)
{
	memset(&table, 0, sizeof(table));
	for (unsigned i = 0; i < sizeof(table.key); i++)
		table.key[i] = (uint8_t)i;
}

/* A fragment of UDP between the usual two, 64 octets of data from offset on, ports 5000 to dport. */
static struct ipsp_flow fragment(int family, uint32_t id, uint32_t offset, uint16_t dport)
{
	const uint32_t at = family == 4 ? 20 : 48;
	struct ipsp_flow flow;

	memset(packet, 0, sizeof(packet));
	packets_header(packet, family, family == 4 ? 17 : 44, at + 64);
	if (family == 4) {
		packet[4] = (uint8_t)(id >> 8);
		packet[5] = (uint8_t)id;
		packet[6] = (uint8_t)(0x20 | offset / 8 >> 8);
		packet[7] = (uint8_t)(offset / 8);
	} else {
		packet[40] = 17;
		packet[42] = (uint8_t)(offset >> 8);
		packet[43] = (uint8_t)(offset | 1);
		packet[46] = (uint8_t)(id >> 8);
		packet[47] = (uint8_t)id;
	}
	packet[at] = 5000 >> 8;
	packet[at + 1] = 5000 & 255;
	packet[at + 2] = (uint8_t)(dport >> 8);
	packet[at + 3] = (uint8_t)dport;
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ packet, at + 64 }, &flow),
			 IPSP_REASON_NONE);
	ck_assert_uint_eq(flow.frag_id, id);
	ck_assert_uint_eq(flow.frag_offset, offset);
	ck_assert_uint_eq(flow.frag_at, at);
	ck_assert(flow.frag_more);
	return flow;
}

static bool first_at(const struct ipsp_flow *flow, uint64_t now_s)
{
	return ipsp_frag_first(&table, flow, IPSP_OUTBOUND, 3, 0, now_s, TIMEOUT_S);
}

static enum ipsp_frag_state follow_at(struct ipsp_flow *flow, uint64_t now_s)
{
	return ipsp_frag_follow(&table, flow, IPSP_OUTBOUND, 3, 0, now_s, TIMEOUT_S);
}

START_TEST(test_later_fragments_show_what_the_first_one_did)
{
	const int family = _i ? 6 : 4;
	const struct ipsp_flow first = fragment(family, 7, 0, 53);
	struct ipsp_flow later = fragment(family, 7, 64, 9);

	ck_assert(!later.ports_known);
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
	ck_assert(!later.ports_known);
	ck_assert(first_at(&first, NOW));
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_KNOWN);
	ck_assert(later.ports_known && later.proto_known);
	ck_assert_uint_eq(later.proto, 17);
	ck_assert_uint_eq(later.sport, 5000);
	ck_assert_uint_eq(later.dport, 53);
}
END_TEST

START_TEST(test_fragments_of_other_datagrams_are_not_known)
{
	const int family = _i ? 6 : 4;
	const struct ipsp_flow first = fragment(family, 7, 0, 53);
	struct ipsp_flow later;

	ck_assert(first_at(&first, NOW));
	later = fragment(family, 8, 64, 9);
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
	later = fragment(family, 7, 64, 9);
	later.src.octets[0]++;
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
	later = fragment(family, 7, 64, 9);
	later.dst.octets[0]++;
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
	later = fragment(family, 7, 64, 9);
	ck_assert_int_eq(ipsp_frag_follow(&table, &later, IPSP_INBOUND, 3, 0, NOW, TIMEOUT_S),
			 IPSP_FRAG_UNKNOWN);
	ck_assert_int_eq(ipsp_frag_follow(&table, &later, IPSP_OUTBOUND, 4, 0, NOW, TIMEOUT_S),
			 IPSP_FRAG_UNKNOWN);
	ck_assert_int_eq(ipsp_frag_follow(&table, &later, IPSP_OUTBOUND, 3, 99, NOW, TIMEOUT_S),
			 IPSP_FRAG_UNKNOWN);
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_KNOWN);
}
END_TEST

START_TEST(test_ipv4_ids_are_of_a_protocol)
{
	const struct ipsp_flow first = fragment(4, 7, 0, 53);
	struct ipsp_flow later = fragment(4, 7, 64, 9);

	ck_assert(first_at(&first, NOW));
	later.proto = 6;
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
}
END_TEST

START_TEST(test_state_ends_after_its_time)
{
	const struct ipsp_flow first = fragment(4, 7, 0, 53);
	struct ipsp_flow later = fragment(4, 7, 64, 9);

	ck_assert(first_at(&first, 0));
	ck_assert_int_eq(follow_at(&later, TIMEOUT_S - 1), IPSP_FRAG_KNOWN);
	ck_assert_int_eq(follow_at(&later, TIMEOUT_S), IPSP_FRAG_KNOWN);
	ck_assert_int_eq(follow_at(&later, TIMEOUT_S + 1), IPSP_FRAG_UNKNOWN);
}
END_TEST

/* RFC 1858 4, RFC 5722: what begins inside of the first fragment would be laid over its ports. */
START_TEST(test_a_fragment_over_the_first_ends_its_datagram)
{
	const int family = _i ? 6 : 4;
	const struct ipsp_flow first = fragment(family, 7, 0, 53);
	struct ipsp_flow over = fragment(family, 7, 56, 9), good = fragment(family, 7, 64, 9);

	ck_assert(first_at(&first, NOW));
	ck_assert_int_eq(follow_at(&good, NOW), IPSP_FRAG_KNOWN);
	ck_assert_int_eq(follow_at(&over, NOW), IPSP_FRAG_REFUSED);
	ck_assert(!over.ports_known);
	good = fragment(family, 7, 128, 9);
	ck_assert_int_eq(follow_at(&good, NOW), IPSP_FRAG_REFUSED);
	ck_assert(!first_at(&first, NOW));
}
END_TEST

/* RFC 3128: two first fragments, of which the second has other ports. */
START_TEST(test_a_second_first_fragment_must_say_the_same)
{
	const int family = _i ? 6 : 4;
	const struct ipsp_flow first = fragment(family, 7, 0, 53), other = fragment(family, 7, 0, 22);
	struct ipsp_flow later = fragment(family, 7, 64, 9);

	ck_assert(first_at(&first, NOW));
	ck_assert(first_at(&first, NOW));
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_KNOWN);
	ck_assert(!first_at(&other, NOW));
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_REFUSED);
}
END_TEST

/* Ids come again: 16 bits of them are used up in seconds. */
START_TEST(test_a_datagram_that_came_whole_is_forgotten)
{
	const struct ipsp_flow first = fragment(4, 7, 0, 53), next = fragment(4, 7, 0, 22);
	struct ipsp_flow middle = fragment(4, 7, 64, 9), last = fragment(4, 7, 128, 9);

	last.frag_more = false;
	ck_assert(first_at(&first, NOW));
	ck_assert_int_eq(follow_at(&last, NOW), IPSP_FRAG_KNOWN);
	ck_assert_int_eq(follow_at(&middle, NOW), IPSP_FRAG_KNOWN);
	middle = fragment(4, 7, 64, 9);
	ck_assert_int_eq(follow_at(&middle, NOW), IPSP_FRAG_UNKNOWN);
	ck_assert(first_at(&next, NOW));
	ck_assert_int_eq(follow_at(&middle, NOW), IPSP_FRAG_KNOWN);
	ck_assert_uint_eq(middle.dport, 22);
}
END_TEST

START_TEST(test_a_first_fragment_without_ports_shows_nothing)
{
	struct ipsp_flow first = fragment(4, 7, 0, 53), later = fragment(4, 7, 64, 9);

	first.ports_known = false;
	ck_assert(first_at(&first, NOW));
	ck_assert_int_eq(follow_at(&later, NOW), IPSP_FRAG_UNKNOWN);
}
END_TEST

START_TEST(test_the_oldest_gives_way)
{
	struct ipsp_flow first = fragment(4, 1, 0, 53), later = fragment(4, 1, 64, 9);
	unsigned known = 0;

	ck_assert(first_at(&first, NOW));
	for (uint32_t id = 2; id < 20000; id++) {
		first.frag_id = id;
		ck_assert(first_at(&first, NOW + 1));
	}
	ck_assert_int_eq(follow_at(&later, NOW + 1), IPSP_FRAG_UNKNOWN);
	for (uint32_t id = 2; id < 20000; id++) {
		later = fragment(4, 1, 64, 9);
		later.frag_id = id;
		known += follow_at(&later, NOW + 1) == IPSP_FRAG_KNOWN;
	}
	ck_assert_uint_gt(known, IPSP_FRAG_SETS * IPSP_FRAG_WAYS * 9 / 10);
	ck_assert_uint_le(known, IPSP_FRAG_SETS * IPSP_FRAG_WAYS);
}
END_TEST

/* The reference implementation's own vectors: key 00 .. 0f, text of 0, 1 and 15 octets 00, 01 .. */
START_TEST(test_siphash_is_the_published_one)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31ull }, { 1, 0x74f839c593dc67fdull },
		{ 8, 0x93f5f5799a932462ull }, { 15, 0xa129ca6149be45e5ull },
	};
	uint8_t octets[16];

	for (unsigned i = 0; i < 16; i++)
		octets[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		ck_assert_uint_eq(ipsp_siphash(octets, octets, vectors[i].len), vectors[i].hash);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/frag");
	TCase *t = tcase_create("frag");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, test_later_fragments_show_what_the_first_one_did, 0, 2);
	tcase_add_loop_test(t, test_fragments_of_other_datagrams_are_not_known, 0, 2);
	tcase_add_test(t, test_ipv4_ids_are_of_a_protocol);
	tcase_add_test(t, test_state_ends_after_its_time);
	tcase_add_loop_test(t, test_a_fragment_over_the_first_ends_its_datagram, 0, 2);
	tcase_add_loop_test(t, test_a_second_first_fragment_must_say_the_same, 0, 2);
	tcase_add_test(t, test_a_datagram_that_came_whole_is_forgotten);
	tcase_add_test(t, test_a_first_fragment_without_ports_shows_nothing);
	tcase_add_test(t, test_the_oldest_gives_way);
	tcase_add_test(t, test_siphash_is_the_published_one);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
