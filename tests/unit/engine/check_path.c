/*
 * tests/unit/engine/check_path.c - fragments, paths and ICMP errors in the engine. RFC 4301 6 to 8.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/icmp.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"
#include "tests/unit/engine_io/packets.h"

#define SPI_OUT 0x1001u
#define SPI_IN 0x2001u
#define NOW 1000u

static struct world w;
static uint32_t link_mtu;
static uint8_t arena[IPSP_ARENA_MIN];

static uint32_t path_mtu(void *ctx, const struct ipsp_addr *dst)
{
	(void)ctx;
	(void)dst;
	return link_mtu;
}

static void setup(void)
{
	world_init(&w);
	w.memory.platform.path_mtu = path_mtu;
	ipsp_worker_set_arena(w.worker, arena, sizeof(arena));
	link_mtu = 1500;
}

static void teardown(void)
{
	world_fini(&w);
}

static struct ipsp_sa_config tunnel(uint64_t id, enum ipsp_dir dir, uint32_t spi)
{
	struct ipsp_sa_config sa = world_sa(id, dir, spi);

	sa.mode = IPSP_MODE_TUNNEL;
	sa.df = IPSP_DF_COPY;
	return sa;
}

/* ---- the path ---- */

enum what { WHOLE, CUT_AFTER, CUT_BEFORE, TOLD };

static const struct {
	const char *name;
	enum ipsp_df df;
	bool inner_df, before;
	enum what what;
} sizes[] = {
	{ "copied, may be cut", IPSP_DF_COPY, false, false, CUT_AFTER },
	{ "copied, must not", IPSP_DF_COPY, true, false, TOLD },
	{ "set, may be cut inside", IPSP_DF_SET, false, false, CUT_BEFORE },
	{ "set, must not", IPSP_DF_SET, true, false, TOLD },
	{ "clear, may be cut", IPSP_DF_CLEAR, false, false, CUT_AFTER },
	{ "clear, must not inside", IPSP_DF_CLEAR, true, false, CUT_AFTER },
	{ "copied, cut before", IPSP_DF_COPY, false, true, CUT_BEFORE },
	{ "clear, cut before", IPSP_DF_CLEAR, false, true, CUT_BEFORE },
	{ "copied, must not be cut before", IPSP_DF_COPY, true, true, TOLD },
};

static void apply_tunnel(enum ipsp_df df, bool before)
{
	static const struct world_rule rule = { 31, IPSP_PROTECT, 1, IPSP_PORT_NONE, false };
	struct ipsp_sa_config sa = tunnel(1, IPSP_OUTBOUND, SPI_OUT);

	sa.df = (uint8_t)df;
	sa.frag_before = before;
	ck_assert_int_eq(world_apply(&w, &rule, 1, &sa, 1, NULL), IPSP_OK);
}

static void check_told(const struct ipsp_packet *p, uint32_t mtu)
{
	ck_assert_int_eq(p->verdict, IPSP_VERDICT_ERROR);
	ck_assert_int_eq(p->reason, IPSP_REASON_PATH_MTU);
	ck_assert(packets_sums_right(p->data, p->len, 20, 1));
	ck_assert_uint_eq(get_be16(p->data + 20), 3 << 8 | 4);
	ck_assert_uint_eq(get_be16(p->data + 26), mtu);
}

/* NULL and HMAC-SHA1-96: 1500 - 20 - 8 - 12 is 1460, whole words, of which 2 are the trailer. */
START_TEST(test_a_packet_beyond_its_path_does_as_df_says)
{
	struct ipsp_packet p;

	apply_tunnel(sizes[_i].df, sizes[_i].before);
	world_udp(&p, IPSP_OUTBOUND, 53, 3000 - 28);
	p.data[6] = sizes[_i].inner_df ? 0x40 : 0;
	world_pass(&w, IPSP_OUTBOUND, &p);
	switch (sizes[_i].what) {
	case TOLD:
		check_told(&p, 1458);
		break;
	case CUT_AFTER:
		/* H63: one ESP packet, for whoever sends it to cut. */
		ck_assert_msg(p.verdict == IPSP_VERDICT_ESP_OUT, "%s", sizes[_i].name);
		ck_assert_uint_eq(p.pieces, 1);
		ck_assert_uint_gt(p.len, 3000);
		ck_assert_uint_eq(p.path_mtu, 1500);
		ck_assert_uint_eq(p.data[6] & 0x40, 0);
		break;
	default:
		ck_assert_msg(p.verdict == IPSP_VERDICT_ESP_OUT, "%s", sizes[_i].name);
		ck_assert_uint_eq(p.pieces, 3);
		ck_assert_uint_le(p.piece_len, 1500);
		ck_assert_uint_gt(p.piece_len, 1490);
		for (uint32_t i = 0; i < 3; i++) {
			const uint8_t *piece = p.data + i * p.piece_len;

			ck_assert_uint_eq(piece[6] & 0x40, sizes[_i].df == IPSP_DF_SET ? 0x40 : 0);
			ck_assert_uint_eq(get_be32(piece + 24), i + 1);
			/* The inner headers, as NULL shows them. */
			ck_assert_uint_eq(get_be16(piece + 28 + 6) & 0x1fff,
					  i * 179);
			ck_assert_uint_eq(piece[28 + 6] & 0x20, i < 2 ? 0x20 : 0);
		}
		break;
	}
	world_packet_free(&p);
}
END_TEST

/* To the octet: what is told fits, and one more does not. */
START_TEST(test_the_size_that_is_told_is_exact)
{
	for (link_mtu = 600; link_mtu <= 640; link_mtu++) {
		struct ipsp_packet p;
		uint32_t told;

		world_restart(&w);
		apply_tunnel(IPSP_DF_COPY, false);
		world_udp(&p, IPSP_OUTBOUND, 53, 800);
		world_pass(&w, IPSP_OUTBOUND, &p);
		ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
		told = get_be16(p.data + 26);
		world_packet_free(&p);
		world_udp(&p, IPSP_OUTBOUND, 53, told + 1 - 28);
		world_pass(&w, IPSP_OUTBOUND, &p);
		check_told(&p, told);
		world_packet_free(&p);
		world_udp(&p, IPSP_OUTBOUND, 53, told - 28);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_uint_le(p.len, link_mtu);
		world_packet_free(&p);
	}
}
END_TEST

START_TEST(test_bypassed_packets_are_told_of_their_link)
{
	static const struct world_rule rule = { 31, IPSP_BYPASS, 0, IPSP_PORT_NONE, false };
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, &rule, 1, NULL, 0, NULL), IPSP_OK);
	world_udp(&p, IPSP_OUTBOUND, 53, 1401 - 28);
	p.link_mtu = 1400;
	world_pass(&w, IPSP_OUTBOUND, &p);
	check_told(&p, 1400);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 53, 1401 - 28);
	p.data[6] = 0;
	p.link_mtu = 1400;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(p.path_mtu, 1400);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_errors_are_limited)
{
	struct ipsp_engine_settings s;
	struct ipsp_engine_stats stats;
	unsigned told = 0;

	apply_tunnel(IPSP_DF_COPY, false);
	ipsp_engine_settings_default(&s);
	s.icmp_per_s = 7;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_OK);
	for (unsigned i = 0; i < 20; i++) {
		struct ipsp_packet p;

		world_udp(&p, IPSP_OUTBOUND, 53, 1600);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_PATH_MTU);
		told += p.verdict == IPSP_VERDICT_ERROR;
		world_packet_free(&p);
	}
	ck_assert_uint_eq(told, 7);
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.icmp[IPSP_ICMP_SENT_TOO_BIG], 7);
	ck_assert_uint_eq(stats.icmp[IPSP_ICMP_NOT_SENT], 13);
}
END_TEST

/* H16 */
START_TEST(test_a_packet_at_its_last_hop_gives_time_exceeded_and_no_esp)
{
	struct ipsp_packet p;

	apply_tunnel(IPSP_DF_COPY, false);
	world_udp(&p, IPSP_OUTBOUND, 53, 100);
	p.data[8] = 1;
	p.flags = IPSP_PKT_DECREMENT_TTL;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TTL);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
	ck_assert_uint_eq(p.data[20], 11);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 53, 100);
	p.data[8] = 1;
	p.data[7] = 1;		/* a later fragment is not told of */
	p.data[6] = 0;
	p.flags = IPSP_PKT_DECREMENT_TTL;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TTL);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	world_packet_free(&p);
}
END_TEST

/* ---- what errors say ---- */

/* A router's word about an ESP packet of ours, of SPI and number, that it was too long for mtu. */
static void hear(uint32_t spi, uint32_t seq, uint16_t len, uint16_t mtu, uint64_t now_s)
{
	uint8_t room[64 + 56 + 8];
	struct ipsp_packet p = {
		.room = room, .room_len = sizeof(room), .data = room + 64, .len = 56,
		.ifindex = WORLD_IF,
	};
	uint8_t *const icmp = p.data + 20, *const quote = icmp + 8;

	memset(room, 0, sizeof(room));
	packets_header(p.data, 4, 1, 56);
	icmp[0] = 3;
	icmp[1] = 4;
	put_be16(icmp + 6, mtu);
	packets_header(quote, 4, 50, len);
	put_be32(quote + 20, spi);
	put_be32(quote + 24, seq);
	put_be16(icmp + 2, (uint16_t)~packets_sum(0, icmp, 36));
	ipsp_engine_icmp(w.worker, &p, 1, now_s);
}

static const struct {
	const char *name;
	uint32_t spi, seq;
	uint16_t len, mtu;
	uint32_t learned;
} words[] = {
	{ "as it should be", SPI_OUT, 1, 1480, 1300, 1300 },
	{ "another SPI", SPI_OUT + 1, 1, 1480, 1300, 0 },
	{ "a number that was never sent", SPI_OUT, 2, 1480, 1300, 0 },
	{ "a number of long ago", SPI_OUT, 1u << 31, 1480, 1300, 0 },
	{ "more than the link takes", SPI_OUT, 1, 1700, 1600, 0 },
	{ "longer than the packet was", SPI_OUT, 1, 1200, 1300, 0 },
	{ "below what anybody may ask for", SPI_OUT, 1, 1480, 68, 576 },
	{ "an old router", SPI_OUT, 1, 1480, 0, 1006 },
};

static void send_one(void)
{
	struct ipsp_packet p;

	world_udp(&p, IPSP_OUTBOUND, 53, 64);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	world_packet_free(&p);
}

static uint32_t learned(uint64_t now_s)
{
	return ipsp_engine_path_learned(w.engine, ipsp_sad_find(ipsp_engine_sad(w.engine), 1),
					now_s);
}

START_TEST(test_a_path_is_learned_from_who_saw_a_packet)
{
	struct ipsp_engine_stats stats;

	apply_tunnel(IPSP_DF_COPY, false);
	send_one();
	hear(words[_i].spi, words[_i].seq, words[_i].len, words[_i].mtu, NOW);
	ck_assert_msg(learned(NOW) == words[_i].learned, "%s: %u", words[_i].name,
		      learned(NOW));
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.icmp[IPSP_ICMP_LEARNED], words[_i].learned != 0);
}
END_TEST

/* M151, W56: it is told inside less the overhead, and ends after its time. */
START_TEST(test_what_was_learned_is_told_and_ages)
{
	struct ipsp_engine_settings s;
	struct ipsp_packet p;

	apply_tunnel(IPSP_DF_COPY, false);
	send_one();
	hear(SPI_OUT, 1, 1480, 1300, NOW);
	world_udp(&p, IPSP_OUTBOUND, 53, 1400);
	world_pass(&w, IPSP_OUTBOUND, &p);
	check_told(&p, 1258);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 53, 1400);
	ipsp_engine_outbound(w.worker, &p, 1, NOW + 599);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
	ck_assert_uint_eq(learned(NOW + 599), 1300);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 53, 1400);
	ipsp_engine_outbound(w.worker, &p, 1, NOW + 600);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(learned(NOW + 600), 0);
	world_packet_free(&p);
	/* And nothing is learned by who shall not listen. */
	ipsp_engine_settings_default(&s);
	s.pmtu_listen = false;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_OK);
	hear(SPI_OUT, 1, 1480, 1300, NOW + 700);
	ck_assert_uint_eq(learned(NOW + 700), 0);
}
END_TEST

/* ---- errors that cross ---- */

/* An error from a router to 192.0.2.1 about a packet of that to 192.0.2.2, port dport. */
static void make_error(struct ipsp_packet *p, uint16_t dport)
{
	struct ipsp_flow flow;

	world_udp(p, IPSP_OUTBOUND, dport, 64);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p->data, p->len }, &flow),
			 IPSP_REASON_NONE);
	const struct ipsp_addr router = { 4, { 203, 0, 113, 1 } };

	ck_assert(ipsp_icmp_write(p, &flow, IPSP_ICMP_TIME_EXCEEDED, 0, &router));
}

START_TEST(test_clear_errors_about_protected_traffic_stay_outside)
{
	static const struct world_rule rules[] = {
		{ 31, IPSP_PROTECT, 1, 53, false }, { 32, IPSP_BYPASS, 0, IPSP_PORT_NONE, false },
	};
	struct ipsp_sa_config sa = tunnel(1, IPSP_OUTBOUND, SPI_OUT);
	struct ipsp_engine_settings s;
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, rules, 2, &sa, 1, NULL), IPSP_OK);
	make_error(&p, 53);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_ICMP_CLEAR);
	world_packet_free(&p);
	make_error(&p, 54);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
	world_packet_free(&p);
	ipsp_engine_settings_default(&s);
	s.icmp_clear = true;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_OK);
	make_error(&p, 53);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
	world_packet_free(&p);
}
END_TEST

/* ---- fragments ---- */

/* The fragment from octet offset on of UDP to dport. */
static void make_fragment(struct ipsp_packet *p, enum ipsp_dir dir, uint16_t dport,
			  uint32_t offset, bool more)
{
	world_udp(p, dir, dport, 72);
	put_be16(p->data + 6, (uint16_t)((more ? 0x2000 : 0) | offset / 8));
}

static enum ipsp_reason pass_fragment(enum ipsp_dir dir, uint16_t dport, uint32_t offset, bool more)
{
	struct ipsp_packet p;
	enum ipsp_reason reason;

	make_fragment(&p, dir, dport, offset, more);
	reason = world_pass(&w, dir, &p);
	world_packet_free(&p);
	return reason;
}

/* W55 */
START_TEST(test_fragments_go_as_their_first_one)
{
	static const struct world_rule rules[] = {
		{ 31, IPSP_BYPASS, 0, 53, false }, { 32, IPSP_DISCARD, 0, 22, false },
	};
	const enum ipsp_dir dir = _i ? IPSP_OUTBOUND : IPSP_INBOUND;

	ck_assert_int_eq(world_apply(&w, rules, 2, NULL, 0, NULL), IPSP_OK);
	ck_assert_int_eq(pass_fragment(dir, 53, 80, true), IPSP_REASON_POLICY_FRAGMENT);
	ck_assert_int_eq(pass_fragment(dir, 53, 0, true), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_fragment(dir, 9, 80, true), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_fragment(dir, 9, 72, true), IPSP_REASON_FRAG_OVERLAP);
	ck_assert_int_eq(pass_fragment(dir, 9, 160, false), IPSP_REASON_FRAG_OVERLAP);
	ck_assert_int_eq(pass_fragment(dir, 53, 0, true), IPSP_REASON_FRAG_OVERLAP);
}
END_TEST

/* Ports 53 and 22 pass outbound, the first of them as that says. */
static void apply_ports(bool no_frag_state)
{
	static uint64_t generation = 9000;
	struct ipsp_selector boxes[2];
	const struct ipsp_spd_entry entries[2] = {
		{ .id = 31, .action = IPSP_BYPASS, .n_selectors = 1, .selectors = &boxes[0],
		  .no_frag_state = no_frag_state },
		{ .id = 32, .action = IPSP_BYPASS, .n_selectors = 1, .selectors = &boxes[1] },
	};
	const struct ipsp_spd_list list = {
		.ifindex = WORLD_IF, .dir = IPSP_OUTBOUND, .n_entries = 2, .entries = entries,
	};
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 1, .lists = &list },
	};

	for (uint32_t i = 0; i < 2; i++) {
		ipsp_selector_any(4, &boxes[i]);
		boxes[i].dport_lo = boxes[i].dport_hi = i ? 22 : 53;
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, NOW, NULL), IPSP_OK);
}

/* RFC 4301 7.4 */
START_TEST(test_an_entry_may_have_its_later_fragments_dropped)
{
	apply_ports(true);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 53, 0, true), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 9, 80, false), IPSP_REASON_POLICY_FRAGMENT);
	/* A change of the option alone is one. */
	apply_ports(false);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 53, 0, true), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 9, 80, false), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_the_fragments_of_other_entries_follow_all_the_same)
{
	apply_ports(true);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 22, 0, true), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 9, 80, false), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_fragments_of_what_is_discarded_are_too)
{
	static const struct world_rule rules[] = {
		{ 31, IPSP_BYPASS, 0, 53, false }, { 32, IPSP_DISCARD, 0, 22, false },
	};

	ck_assert_int_eq(world_apply(&w, rules, 2, NULL, 0, NULL), IPSP_OK);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 22, 0, true), IPSP_REASON_POLICY_DISCARD);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 53, 80, false), IPSP_REASON_POLICY_DISCARD);
}
END_TEST

/* Through the SA of their first one, and out of it again. */
START_TEST(test_fragments_pass_a_tunnel_with_their_first_one)
{
	static const struct world_rule out[] = { { 31, IPSP_PROTECT, 1, 53, false } };
	struct ipsp_sa_config sas[2] = { tunnel(1, IPSP_OUTBOUND, SPI_OUT),
					 tunnel(2, IPSP_INBOUND, SPI_IN) };
	struct ipsp_packet p[2];

	ck_assert_int_eq(world_apply(&w, out, 1, sas, 2, NULL), IPSP_OK);
	ck_assert_int_eq(pass_fragment(IPSP_OUTBOUND, 53, 80, true), IPSP_REASON_POLICY_FRAGMENT);
	for (int i = 0; i < 2; i++) {
		make_fragment(&p[i], IPSP_OUTBOUND, i ? 9 : 53, i ? 80 : 0, i == 0);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p[i]), IPSP_REASON_NONE);
		ck_assert_int_eq(p[i].verdict, IPSP_VERDICT_ESP_OUT);
		ck_assert_uint_eq(p[i].sa->id, 1);
		world_packet_free(&p[i]);
	}
}
END_TEST

/* H14: ESP in fragments is put together before it is undone. */
START_TEST(test_esp_in_fragments_is_undone_where_that_is_wanted)
{
	static const struct world_rule rule = { 31, IPSP_PROTECT, 2, IPSP_PORT_NONE, false };
	const bool wanted = _i != 0;
	struct ipsp_sa_config sa = world_sa(2, IPSP_INBOUND, SPI_IN);
	struct ipsp_packet p[2];

	w.config.reassembly = wanted ? 4 : 0;
	world_restart(&w);
	ck_assert_int_eq(world_apply(&w, &rule, 1, &sa, 1, NULL), IPSP_OK);
	for (int i = 0; i < 2; i++) {
		make_fragment(&p[i], IPSP_INBOUND, 53, i ? 80 : 0, i == 0);
		p[i].data[9] = IPSP_PROTO_ESP;
		put_be32(p[i].data + 20, SPI_IN);
		put_be32(p[i].data + 24, 1);
	}
	p[1].room = realloc(p[1].room, 4096);
	p[1].room_len = 4096;
	p[1].data = p[1].room + IPSP_HEADROOM;
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p[0]),
			 wanted ? IPSP_REASON_NONE : IPSP_REASON_ESP_FRAGMENT);
	ck_assert_int_eq(p[0].verdict, wanted ? IPSP_VERDICT_TAKEN : IPSP_VERDICT_DROP);
	/* Whole, and then of course forged. */
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p[1]),
			 wanted ? IPSP_REASON_ICV : IPSP_REASON_ESP_FRAGMENT);
	for (int i = 0; i < 2; i++)
		world_packet_free(&p[i]);
}
END_TEST

START_TEST(test_settings_that_cannot_be_change_nothing)
{
	struct ipsp_engine_settings s;

	ipsp_engine_settings_default(&s);
	s.frag_timeout_s = 0;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_EINVAL);
	ipsp_engine_settings_default(&s);
	s.reassembly_timeout_s = 0;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_EINVAL);
	ipsp_engine_settings_default(&s);
	s.icmp_by_quote = IPSP_ICMP_QUOTE_DISCARDED + 1;
	ck_assert_int_eq(ipsp_engine_set(w.engine, &s), IPSP_EINVAL);
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/path");
	TCase *t = tcase_create("path");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_a_packet_beyond_its_path_does_as_df_says, 0, N_OF(sizes));
	tcase_add_test(t, test_the_size_that_is_told_is_exact);
	tcase_add_test(t, test_bypassed_packets_are_told_of_their_link);
	tcase_add_test(t, test_errors_are_limited);
	tcase_add_test(t, test_a_packet_at_its_last_hop_gives_time_exceeded_and_no_esp);
	tcase_add_loop_test(t, test_a_path_is_learned_from_who_saw_a_packet, 0, N_OF(words));
	tcase_add_test(t, test_what_was_learned_is_told_and_ages);
	tcase_add_test(t, test_clear_errors_about_protected_traffic_stay_outside);
	tcase_add_loop_test(t, test_fragments_go_as_their_first_one, 0, 2);
	tcase_add_test(t, test_fragments_of_what_is_discarded_are_too);
	tcase_add_test(t, test_an_entry_may_have_its_later_fragments_dropped);
	tcase_add_test(t, test_the_fragments_of_other_entries_follow_all_the_same);
	tcase_add_test(t, test_fragments_pass_a_tunnel_with_their_first_one);
	tcase_add_loop_test(t, test_esp_in_fragments_is_undone_where_that_is_wanted, 0, 2);
	tcase_add_test(t, test_settings_that_cannot_be_change_nothing);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
