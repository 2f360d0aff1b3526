/*
 * tests/unit/engine/check_large.c - large segments in, ESP packets out: what stands in the arena is
 * taken through the other end of the SA, and what comes out is judged octet by octet.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/unit/engine/world.h"
#include "tests/unit/engine_io/packets.h"

#define OUT_ID 1u
#define IN_ID 2u
#define SPI 0x1000u
#define TCP 6
#define UDP 17
#define FIN_PSH_ACK_CWR 0x99u
#define ROOM (IPSP_HEADROOM + 65536u + IPSP_TAILROOM)

static struct world w;
static uint8_t *arena, *room, *again;

static void setup(void)
{
	world_init(&w);
	arena = malloc(IPSP_ARENA_MIN);
	room = malloc(ROOM);
	again = malloc(ROOM);
	ck_assert(arena && room && again);
	ipsp_worker_set_arena(w.worker, arena, IPSP_ARENA_MIN);
}

static void teardown(void)
{
	free(arena);
	free(room);
	free(again);
	world_fini(&w);
}

static struct ipsp_sa_config sa_of(enum ipsp_dir dir, enum ipsp_mode mode, uint16_t encr)
{
	struct ipsp_sa_config sa = world_sa(dir == IPSP_OUTBOUND ? OUT_ID : IN_ID, dir, SPI);

	sa.mode = (uint8_t)mode;
	sa.df = IPSP_DF_COPY;
	sa.replay_window_pkts = 4096;
	if (mode == IPSP_MODE_TRANSPORT) {
		sa.local = sa.remote = (struct ipsp_addr){ 0 };
	} else if (dir == IPSP_INBOUND) {
		/* The other end of the same SA. */
		const struct ipsp_addr swap = sa.local;

		sa.local = sa.remote;
		sa.remote = swap;
	}
	if (encr == IPSP_ENCR_NULL)
		return sa;
	sa.encr = encr;
	sa.encr_key_bits = 128;
	sa.encr_key.len = encr == IPSP_ENCR_AES_GCM_16 ? 20 : 16;
	if (encr == IPSP_ENCR_AES_GCM_16) {
		sa.integ = IPSP_INTEG_NONE;
		sa.integ_key.len = 0;
	}
	return sa;
}

/* Both families, everything, by the two ends of one SA. */
static void protect_all(const struct ipsp_sa_config sas[2])
{
	struct ipsp_selector boxes[2];
	struct ipsp_spd_entry entries[2];
	struct ipsp_spd_list lists[2];
	enum ipsp_err results[2];
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = 2, .sas = sas,
	};

	ipsp_selector_any(4, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	for (int i = 0; i < 2; i++) {
		entries[i] = (struct ipsp_spd_entry){
			.id = 10, .action = IPSP_PROTECT, .sa_id = sas[i].id,
			.n_selectors = 2, .selectors = boxes,
		};
		lists[i] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = sas[i].dir, .n_entries = 1,
			.entries = &entries[i],
		};
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, results), IPSP_OK);
	ck_assert(results[0] == IPSP_OK && results[1] == IPSP_OK);
}

static void protect_by(enum ipsp_mode mode, uint16_t encr)
{
	const struct ipsp_sa_config sas[2] = {
		sa_of(IPSP_OUTBOUND, mode, encr), sa_of(IPSP_INBOUND, mode, encr),
	};

	protect_all(sas);
}

static uint32_t l4, header;	/* of the packet made last */

static struct ipsp_packet make(uint8_t *buffer, int family, uint8_t proto, uint32_t payload,
			       uint16_t size)
{
	struct ipsp_packet p = {
		.room = buffer, .data = buffer + IPSP_HEADROOM, .room_len = ROOM,
		.ifindex = WORLD_IF, .segment_size = size, .flags = IPSP_PKT_CSUM_PARTIAL,
	};

	header = proto == TCP ? 32 : 8;
	p.len = (family == 4 ? 20 : 40) + header + payload;
	memset(p.data, 0, p.len);
	l4 = packets_header(p.data, family, proto, p.len);
	p.csum_start = (uint16_t)l4;
	p.csum_offset = proto == TCP ? 16 : 6;
	put_be16(p.data + l4, 4000);
	put_be16(p.data + l4 + 2, 53);
	if (proto == TCP) {
		put_be32(p.data + l4 + 4, 0xfffffff0);
		p.data[l4 + 12] = 8 << 4;
		p.data[l4 + 13] = FIN_PSH_ACK_CWR;
	}
	for (uint32_t i = 0; i < payload; i++)
		p.data[l4 + header + i] = (uint8_t)(i * 7 + i / 256);
	return p;
}

static enum ipsp_reason pass_in(struct ipsp_packet *p)
{
	ipsp_engine_inbound(w.worker, p, 1, 1000);
	return (enum ipsp_reason)p->reason;
}

static const struct {
	const char *name;
	int family;
	enum ipsp_mode mode;
	uint16_t encr;
	uint8_t proto;
	uint32_t payload;
	uint16_t size;
} cases[] = {
	{ "TCP in a tunnel", 4, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16, TCP, 9000, 1368 },
	{ "TCP over IPv6", 6, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16, TCP, 9001, 1348 },
	{ "random IVs", 4, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_CBC, TCP, 60000, 1000 },
	{ "transport mode", 4, IPSP_MODE_TRANSPORT, IPSP_ENCR_AES_CBC, TCP, 9000, 1368 },
	{ "transport mode over IPv6", 6, IPSP_MODE_TRANSPORT, IPSP_ENCR_NULL, UDP, 9000, 1200 },
	{ "UDP", 4, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16, UDP, 30, 10 },
	{ "whole segments only", 4, IPSP_MODE_TUNNEL, IPSP_ENCR_NULL, UDP, 4000, 1000 },
	{ "more than a batch", 4, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16, TCP, 65000, 100 },
};

START_TEST(test_each_piece_is_a_segment_under_its_own_number)
{
	const uint32_t size = cases[_i].size, payload = cases[_i].payload;
	const uint32_t pieces = (payload + size - 1) / size;
	uint32_t at = 0;

	protect_by(cases[_i].mode, cases[_i].encr);
	struct ipsp_packet p = make(room, cases[_i].family, cases[_i].proto, payload,
				    cases[_i].size);
	const struct ipsp_packet sent = make(again, cases[_i].family, cases[_i].proto, payload,
					     cases[_i].size);

	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, &p, 1, 1000), 1);
	ck_assert_msg(p.verdict == IPSP_VERDICT_ESP_OUT, "%s: %s", cases[_i].name,
		      ipsp_reason_key(p.reason));
	ck_assert_uint_eq(p.pieces, pieces);
	ck_assert_ptr_eq(p.data, arena);
	ck_assert_uint_gt(p.len, (pieces - 1) * p.piece_len);
	ck_assert_uint_le(p.len, pieces * p.piece_len);
	for (uint32_t i = 0; i < pieces; i++) {
		uint8_t *const esp = p.data + i * p.piece_len;
		const uint32_t left = p.len - i * p.piece_len;
		struct ipsp_packet in = {
			.room = esp, .data = esp, .ifindex = WORLD_IF,
			.room_len = left < p.piece_len ? left : p.piece_len,
		};
		struct ipsp_flow outer;

		in.len = in.room_len;
		ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ esp, in.len }, &outer),
				 IPSP_REASON_NONE);
		ck_assert_uint_eq(outer.total_len, in.len);
		ck_assert_uint_eq(get_be32(esp + outer.l4_offset), SPI);
		ck_assert_uint_eq(get_be32(esp + outer.l4_offset + 4), i + 1);
		ck_assert_msg(pass_in(&in) == IPSP_REASON_NONE, "%s: piece %u: %s",
			      cases[_i].name, i, ipsp_reason_key(in.reason));
		const uint32_t got = in.len - l4 - header;
		const bool last = i == pieces - 1;

		ck_assert_uint_eq(got, last ? payload - at : size);
		ck_assert_mem_eq(in.data + l4 + header, sent.data + l4 + header + at, got);
		ck_assert(packets_sums_right(in.data, in.len, l4, cases[_i].proto));
		if (cases[_i].proto == TCP) {
			ck_assert_uint_eq(get_be32(in.data + l4 + 4), 0xfffffff0 + at);
			ck_assert_uint_eq(in.data[l4 + 13] & 0x09u, last ? 0x09u : 0);
			ck_assert_uint_eq(in.data[l4 + 13] & 0x80u, i == 0 ? 0x80u : 0);
		}
		at += got;
	}
	ck_assert_uint_eq(at, payload);
}
END_TEST

static void find_hits(void *arg, const struct ipsp_spd_hits *hits)
{
	uint64_t *found = arg;

	if (hits->id == 10 && hits->dir == IPSP_OUTBOUND) {
		found[0] = atomic_load(&hits->packets);
		found[1] = atomic_load(&hits->bytes);
	}
}

START_TEST(test_pieces_are_what_is_counted)
{
	struct ipsp_engine_stats stats;
	uint64_t hits[2] = { 0 };

	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16);
	struct ipsp_packet p = make(room, 4, TCP, 9000, 4000);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.verdicts[IPSP_OUTBOUND - 1][IPSP_VERDICT_ESP_OUT], 3);
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(w.engine), OUT_ID);

	ck_assert_uint_eq(atomic_load(&sa->counter->packets), 3);
	/* 52 octets of headers and 4000, 4000, 1000; trailer and padding to whole words. */
	ck_assert_uint_eq(atomic_load(&sa->counter->bytes), 2 * (4052 + 4) + 1052 + 4);
	ipsp_spd_hits_each(ipsp_engine_spd_db(w.engine), find_hits, hits);
	ck_assert_uint_eq(hits[0], 3);
	ck_assert_uint_eq(hits[1], 3 * 52 + 9000);
}
END_TEST

START_TEST(test_what_fits_one_segment_is_an_ordinary_packet)
{
	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_NULL);
	ipsp_worker_set_arena(w.worker, NULL, 0);
	struct ipsp_packet p = make(room, 4, UDP, 1000, 1000);

	/* The pseudo header's part, as a sender leaves it. */
	put_be16(p.data + l4 + 4, 1008);
	put_be16(p.data + l4 + 6, (uint16_t)packets_sum(1008 + UDP, p.data + 12, 8));
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, &p, 1, 1000), 1);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.pieces, 1);
	ck_assert_uint_eq(p.piece_len, p.len);
	p.segment_size = 0;
	ck_assert_int_eq(pass_in(&p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[9], UDP);
	ck_assert_uint_eq(get_be16(p.data + 2), p.len);
}
END_TEST

START_TEST(test_what_the_arena_cannot_hold_waits_for_the_next_call)
{
	struct ipsp_packet p[3];
	uint8_t *rooms[3];

	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16);
	for (int i = 0; i < 3; i++) {
		rooms[i] = malloc(ROOM);
		p[i] = make(rooms[i], 4, TCP, 60000, 1000);
	}
	ipsp_worker_set_arena(w.worker, arena, 150000);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, p, 3, 1000), 2);
	ck_assert_ptr_eq(p[1].data, p[0].data + p[0].len);
	ck_assert_ptr_eq(p[2].data, rooms[2] + IPSP_HEADROOM);
	ck_assert_uint_eq(p[2].entry_id, 0);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, p + 2, 1, 1000), 1);
	ck_assert_int_eq(p[2].verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_ptr_eq(p[2].data, arena);
	/* An arena that never can. */
	p[0] = make(rooms[0], 4, TCP, 60000, 1000);
	ipsp_worker_set_arena(w.worker, arena, 60000);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, p, 1, 1000), 1);
	ck_assert_int_eq(p[0].verdict, IPSP_VERDICT_DROP);
	ck_assert_int_eq(p[0].reason, IPSP_REASON_NO_ROOM);
	for (int i = 0; i < 3; i++)
		free(rooms[i]);
}
END_TEST

START_TEST(test_the_smallest_arena_holds_the_largest_segment)
{
	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_CBC);
	struct ipsp_packet p = make(room, 6, UDP, 65535 - 48, IPSP_SEGMENT_MIN);

	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, &p, 1, 1000), 1);
	ck_assert_msg(p.verdict == IPSP_VERDICT_ESP_OUT, "%s", ipsp_reason_key(p.reason));
	ck_assert_uint_le(p.len, IPSP_ARENA_MIN);
}
END_TEST

START_TEST(test_what_is_no_large_segment_is_refused)
{
	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16);
	struct ipsp_packet p = make(room, 4, UDP, 3000, IPSP_SEGMENT_MIN - 1);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.reason, IPSP_REASON_SEGMENTS);
	p = make(room, 4, 1, 3000, 1000);
	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.reason, IPSP_REASON_SEGMENTS);
	/* A fragment has no header to cut by. */
	p = make(room, 4, UDP, 3000, 1000);
	put_be16(p.data + 6, 0x2000);
	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.reason, IPSP_REASON_SEGMENTS);
	/* A TCP header that ends behind the packet. */
	p = make(room, 4, TCP, 10, 8);
	p.data[l4 + 12] = 0xf0;
	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.reason, IPSP_REASON_SEGMENTS);
}
END_TEST

START_TEST(test_a_segment_without_numbers_for_all_is_dropped_whole)
{
	struct ipsp_sa_config sas[2] = {
		sa_of(IPSP_OUTBOUND, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16),
		sa_of(IPSP_INBOUND, IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16),
	};

	sas[0].seq_ceiling = 5;
	protect_all(sas);
	struct ipsp_packet p = make(room, 4, TCP, 6000, 1000);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.reason, IPSP_REASON_SEQ_RESERVATION);
	ck_assert_uint_eq(p.len, 20 + 32 + 6000);
	ck_assert_ptr_eq(p.data, room + IPSP_HEADROOM);
}
END_TEST

START_TEST(test_a_failing_random_source_drops_every_piece)
{
	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_CBC);
	w.memory.random_fails = true;
	struct ipsp_packet p = make(room, 4, TCP, 60000, 1000);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	ck_assert_int_eq(p.reason, IPSP_REASON_CRYPTO);
}
END_TEST

START_TEST(test_hop_limits_are_lowered_once_in_each_segment)
{
	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_NULL);
	struct ipsp_packet p = make(room, 4, TCP, 3000, 1000);
	const uint8_t ttl = p.data[8];

	p.flags |= IPSP_PKT_DECREMENT_TTL;
	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_uint_eq(p.pieces, 3);
	for (int i = 0; i < 3; i++) {
		const uint8_t *inner = p.data + (uint32_t)i * p.piece_len + 28;

		ck_assert_uint_eq(inner[8], ttl - 1);
		ck_assert(packets_sums_right(inner, get_be16(inner + 2), 20, TCP));
	}
}
END_TEST

START_TEST(test_pieces_may_come_in_without_their_headers)
{
	struct ipsp_packet in[3];
	struct ipsp_flow outer;

	protect_by(IPSP_MODE_TUNNEL, IPSP_ENCR_AES_GCM_16);
	struct ipsp_packet p = make(room, 4, TCP, 3000, 1000);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_uint_eq(p.pieces, 3);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p.data, p.piece_len }, &outer),
			 IPSP_REASON_NONE);
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t *const esp = p.data + i * p.piece_len + 20;
		const uint32_t len = i < 2 ? p.piece_len - 20 : p.len - 2 * p.piece_len - 20;

		/* What an unwary reader would take for a header. */
		memset(esp - 20, 0xee, 20);
		in[i] = (struct ipsp_packet){
			.room = esp, .data = esp, .len = len, .room_len = len,
			.ifindex = WORLD_IF, .outer = &outer,
		};
	}
	ipsp_engine_inbound(w.worker, in, 3, 1000);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_msg(in[i].verdict == IPSP_VERDICT_DELIVER, "%s",
			      ipsp_reason_key(in[i].reason));
		ck_assert(packets_sums_right(in[i].data, in[i].len, 20, TCP));
	}
	ipsp_engine_inbound(w.worker, in, 1, 1000);
	ck_assert_int_eq(in[0].verdict, IPSP_VERDICT_DROP);
}
END_TEST

START_TEST(test_transport_mode_gets_its_headers_again)
{
	struct ipsp_flow outer;

	protect_by(IPSP_MODE_TRANSPORT, IPSP_ENCR_NULL);
	struct ipsp_packet p = make(room, 4, UDP, 30, 0);

	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &outer),
			 IPSP_REASON_NONE);
	p.outer = &outer;
	p.data += 20;
	p.len -= 20;
	ck_assert_int_eq(pass_in(&p), IPSP_REASON_NONE);
	ck_assert_ptr_null(p.outer);
	ck_assert_uint_eq(p.data[9], UDP);
	ck_assert_uint_eq(get_be16(p.data + 2), p.len);
}
END_TEST

int main(void)
{
	const int n_cases = sizeof(cases) / sizeof(cases[0]);
	Suite *s = suite_create("engine/large");
	TCase *tc = tcase_create("large");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_each_piece_is_a_segment_under_its_own_number, 0, n_cases);
	tcase_add_test(tc, test_pieces_are_what_is_counted);
	tcase_add_test(tc, test_what_fits_one_segment_is_an_ordinary_packet);
	tcase_add_test(tc, test_what_the_arena_cannot_hold_waits_for_the_next_call);
	tcase_add_test(tc, test_the_smallest_arena_holds_the_largest_segment);
	tcase_add_test(tc, test_what_is_no_large_segment_is_refused);
	tcase_add_test(tc, test_a_segment_without_numbers_for_all_is_dropped_whole);
	tcase_add_test(tc, test_a_failing_random_source_drops_every_piece);
	tcase_add_test(tc, test_pieces_may_come_in_without_their_headers);
	tcase_add_test(tc, test_transport_mode_gets_its_headers_again);
	tcase_add_test(tc, test_hop_limits_are_lowered_once_in_each_segment);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
