/* tests/unit/engine/check_reassemble.c - fragments, put together. RFC 791, 8200, 5722, 3168 5.3. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/fragment.h"
#include "ipsp/reassemble.h"
#include "tests/unit/engine_io/packets.h"
#include "tests/unit/spd/memory.h"

#define TIMEOUT_S 60u
#define NOW 1000u
#define PIECES 40u

static struct memory memory;
static struct ipsp_reassembly *r;
static uint8_t whole[70000], room[70000];
static struct piece {
	uint8_t data[2048];
	uint32_t len;
} pieces[PIECES];
static unsigned n_pieces;

static void setup(void)
{
	memory_init(&memory, NULL);
	ck_assert_int_eq(ipsp_reassembly_new(&memory.platform, 8, TIMEOUT_S, &r), IPSP_OK);
}

static void teardown(void)
{
	ipsp_reassembly_free(&memory.platform, r);
	ck_assert_uint_eq(memory.octets, 0);
}

/* A packet and its fragments. */
static void make(int family, uint32_t len, uint32_t mtu, uint16_t id)
{
	struct ipsp_flow flow;
	struct ipsp_cutter c;

	for (uint32_t i = 0; i < len; i++)
		whole[i] = (uint8_t)(i * 7 + i / 251);
	packets_header(whole, family, 50, len);
	if (family == 4) {
		whole[4] = (uint8_t)(id >> 8);
		whole[5] = (uint8_t)id;
		whole[10] = whole[11] = 0;
		const uint16_t sum = (uint16_t)~packets_sum(0, whole, 20);

		whole[10] = (uint8_t)(sum >> 8);
		whole[11] = (uint8_t)sum;
	}
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ whole, len }, &flow),
			 IPSP_REASON_NONE);
	ck_assert(ipsp_cut_begin(&c, whole, &flow, mtu, id));
	n_pieces = 0;
	while ((pieces[n_pieces].len = ipsp_cut_next(&c, pieces[n_pieces].data)) > 0)
		n_pieces++;
}

static struct ipsp_packet out;
static enum ipsp_reason why;

static enum ipsp_reassembly_result take_at(const uint8_t *data, uint32_t len, uint64_t now_s)
{
	struct ipsp_flow flow;

	out = (struct ipsp_packet){
		.room = room, .room_len = sizeof(room), .data = room + 64, .len = len,
	};
	memcpy(out.data, data, len);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ data, len }, &flow),
			 IPSP_REASON_NONE);
	ck_assert_int_ne(flow.frag, IPSP_FRAG_NONE);
	return ipsp_reassemble(r, &out, &flow, now_s, &why);
}

static enum ipsp_reassembly_result take(unsigned i)
{
	return take_at(pieces[i].data, pieces[i].len, NOW);
}

static void expect_whole(uint32_t len)
{
	ck_assert_uint_eq(out.len, len);
	ck_assert_mem_eq(out.data, whole, len);
}

static const struct {
	int family;
	uint32_t len, mtu;
} sizes[] = {
	{ 4, 3000, 1500 }, { 6, 3000, 1500 }, { 4, 1501, 1500 }, { 4, 1400, 68 }, { 6, 2000, 1280 },
	{ 4, 65535, 2000 }, { 6, 65535, 2000 },
};

START_TEST(test_fragments_in_order_make_the_packet)
{
	make(sizes[_i].family, sizes[_i].len, sizes[_i].mtu, 7);
	for (unsigned i = 0; i + 1 < n_pieces; i++)
		ck_assert_int_eq(take(i), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take(n_pieces - 1), IPSP_REASSEMBLY_WHOLE);
	expect_whole(sizes[_i].len);
}
END_TEST

START_TEST(test_fragments_backwards_and_twice_make_the_packet)
{
	make(sizes[_i].family, sizes[_i].len, sizes[_i].mtu, 7);
	for (unsigned i = n_pieces - 1; i > 0; i--) {
		ck_assert_int_eq(take(i), IPSP_REASSEMBLY_HELD);
		ck_assert_int_eq(take(i), IPSP_REASSEMBLY_HELD);
	}
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_WHOLE);
	expect_whole(sizes[_i].len);
}
END_TEST

START_TEST(test_two_packets_at_once_do_not_mix)
{
	static struct piece kept[2];

	make(4, 2000, 1500, 1);
	memcpy(kept, pieces, sizeof(kept));
	make(4, 2000, 1500, 2);
	ck_assert_int_eq(take_at(kept[0].data, kept[0].len, NOW), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take(1), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_WHOLE);
	expect_whole(2000);
	ck_assert_int_eq(take_at(kept[1].data, kept[1].len, NOW), IPSP_REASSEMBLY_WHOLE);
	ck_assert_uint_eq(out.data[5], 1);
}
END_TEST

static void put_frag(uint8_t *p, int family, uint32_t offset, bool more)
{
	if (family == 4) {
		p[6] = (uint8_t)((more ? 0x20 : 0) | offset / 8 >> 8);
		p[7] = (uint8_t)(offset / 8);
	} else {
		p[42] = (uint8_t)(offset >> 8);
		p[43] = (uint8_t)(offset | more);
	}
}

START_TEST(test_an_overlap_ends_the_datagram)
{
	const int family = _i ? 6 : 4;
	struct piece over;

	make(family, 3000, 1000, 7);
	over = pieces[1];
	put_frag(over.data, family, (family == 4 ? 976 : 952) - 8, true);
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take_at(over.data, over.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_OVERLAP);
	/* What follows finds no first fragment any more. */
	for (unsigned i = 1; i < n_pieces; i++)
		ck_assert_int_eq(take(i), IPSP_REASSEMBLY_HELD);
}
END_TEST

START_TEST(test_the_same_place_with_other_octets_ends_the_datagram)
{
	struct piece other;

	make(_i ? 6 : 4, 3000, 1000, 7);
	other = pieces[0];
	other.data[other.len - 1] ^= 1;
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take_at(other.data, other.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_OVERLAP);
}
END_TEST

START_TEST(test_lengths_that_cannot_be_end_the_datagram)
{
	struct piece odd;

	make(4, 3000, 1000, 7);
	/* Not whole blocks, and more is to come. */
	odd = pieces[0];
	odd.data[3]--;
	ck_assert_int_eq(take_at(odd.data, odd.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_LENGTH);
	/* Behind the end. */
	ck_assert_int_eq(take(n_pieces - 1), IPSP_REASSEMBLY_HELD);
	odd = pieces[0];
	put_frag(odd.data, 4, 8000, true);
	ck_assert_int_eq(take_at(odd.data, odd.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_LENGTH);
	/* Two ends. */
	ck_assert_int_eq(take(n_pieces - 1), IPSP_REASSEMBLY_HELD);
	odd = pieces[1];
	put_frag(odd.data, 4, 976, false);
	ck_assert_int_eq(take_at(odd.data, odd.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_LENGTH);
	/* An end before what is there. */
	ck_assert_int_eq(take(2), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take_at(odd.data, odd.len, NOW), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_FRAG_LENGTH);
}
END_TEST

START_TEST(test_a_datagram_has_its_time)
{
	struct ipsp_reassembly_stats stats;

	make(4, 2000, 1500, 7);
	ck_assert_int_eq(take_at(pieces[0].data, pieces[0].len, NOW), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take_at(pieces[1].data, pieces[1].len, NOW + TIMEOUT_S + 1),
			 IPSP_REASSEMBLY_HELD);
	ipsp_reassembly_stats(r, &stats);
	ck_assert_uint_eq(stats.timeouts, 1);
	ck_assert_int_eq(take_at(pieces[0].data, pieces[0].len, NOW + 2 * TIMEOUT_S),
			 IPSP_REASSEMBLY_WHOLE);
}
END_TEST

START_TEST(test_the_oldest_gives_way_and_memory_does_not_grow)
{
	struct ipsp_reassembly_stats stats;
	const size_t octets = memory.octets;

	for (uint16_t id = 1; id <= 1000; id++) {
		make(4, 2000, 1500, id);
		ck_assert_int_eq(take_at(pieces[0].data, pieces[0].len, NOW + id),
				 IPSP_REASSEMBLY_HELD);
	}
	ipsp_reassembly_stats(r, &stats);
	ck_assert_uint_ge(stats.evicted, 900);
	ck_assert_uint_eq(memory.octets, octets);
	ck_assert_int_eq(take_at(pieces[1].data, pieces[1].len, NOW + 1000), IPSP_REASSEMBLY_WHOLE);
	expect_whole(2000);
}
END_TEST

static const struct {
	uint8_t first, second, whole;
	bool good;
} marks[] = {
	{ 2, 2, 2, true }, { 2, 3, 3, true }, { 3, 2, 3, true }, { 1, 3, 3, true },
	{ 0, 0, 0, true }, { 0, 3, 0, false }, { 3, 0, 0, false },
};

START_TEST(test_a_congestion_mark_is_the_datagrams)
{
	make(4, 2000, 1500, 7);
	pieces[0].data[1] = marks[_i].first;
	pieces[1].data[1] = marks[_i].second;
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_HELD);
	ck_assert_int_eq(take(1), marks[_i].good ? IPSP_REASSEMBLY_WHOLE : IPSP_REASSEMBLY_DROP);
	if (marks[_i].good)
		ck_assert_uint_eq(out.data[1], marks[_i].whole);
	else
		ck_assert_int_eq(why, IPSP_REASON_ECN);
}
END_TEST

START_TEST(test_what_does_not_fit_the_room_is_dropped)
{
	struct ipsp_flow flow;

	make(4, 2000, 1500, 7);
	ck_assert_int_eq(take(0), IPSP_REASSEMBLY_HELD);
	out.room_len = 64 + pieces[1].len;
	memcpy(out.data, pieces[1].data, pieces[1].len);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ out.data, pieces[1].len }, &flow),
			 IPSP_REASON_NONE);
	ck_assert_int_eq(ipsp_reassemble(r, &out, &flow, NOW, &why), IPSP_REASSEMBLY_DROP);
	ck_assert_int_eq(why, IPSP_REASON_NO_ROOM);
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/reassemble");
	TCase *t = tcase_create("reassemble");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_fragments_in_order_make_the_packet, 0, N_OF(sizes));
	tcase_add_loop_test(t, test_fragments_backwards_and_twice_make_the_packet, 0, N_OF(sizes));
	tcase_add_test(t, test_two_packets_at_once_do_not_mix);
	tcase_add_loop_test(t, test_an_overlap_ends_the_datagram, 0, 2);
	tcase_add_loop_test(t, test_the_same_place_with_other_octets_ends_the_datagram, 0, 2);
	tcase_add_test(t, test_lengths_that_cannot_be_end_the_datagram);
	tcase_add_test(t, test_a_datagram_has_its_time);
	tcase_add_test(t, test_the_oldest_gives_way_and_memory_does_not_grow);
	tcase_add_loop_test(t, test_a_congestion_mark_is_the_datagrams, 0, N_OF(marks));
	tcase_add_test(t, test_what_does_not_fit_the_room_is_dropped);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
