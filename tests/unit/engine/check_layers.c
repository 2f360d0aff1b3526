/*
 * tests/unit/engine/check_layers.c - the path of packets through AH, bundles and nested SAs: what is told,
 * what is cut and where, what is learned. RFC 4301 6, 8.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/header.h"
#include "engine/layers.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"
#include "tests/unit/engine_io/packets.h"

#define NOW 1000u
#define SAS_MAX 12u
#define RULES_MAX 6u

static struct world w;
static uint32_t link_mtu;
static uint8_t arena[IPSP_ARENA_MIN];
static struct ipsp_sa_config sas[SAS_MAX];
static uint32_t n_sas, n_rules;
static struct ipsp_selector boxes[RULES_MAX];
static uint64_t rule_sas[RULES_MAX];

static const struct ipsp_addr us = { 4, { 192, 0, 2, 1 } };
static const struct ipsp_addr us6 = { 6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

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
	w.memory.platform.compress = ipsp_compress_zlib();
	world_restart(&w);
	ipsp_worker_set_arena(w.worker, arena, sizeof(arena));
	link_mtu = 1500;
	n_sas = n_rules = 0;
}

static void teardown(void)
{
	world_fini(&w);
}

static struct ipsp_addr gateway(uint8_t n)
{
	return (struct ipsp_addr){ 4, { 198, 51, 100, n } };
}

static struct ipsp_addr gateway6(uint8_t n)
{
	return (struct ipsp_addr){ 6, { 0x20, 0x01, 0x0d, 0xb8, [14] = 1, [15] = n } };
}

/* An SA of that protocol to a gateway; ids are given in turn, from 1. */
static struct ipsp_sa_config *add(uint8_t proto, enum ipsp_mode mode, struct ipsp_addr to)
{
	struct ipsp_sa_config *sa = &sas[n_sas++];

	ck_assert_uint_le(n_sas, SAS_MAX);
	*sa = world_sa(n_sas, IPSP_OUTBOUND, 0x1000 + n_sas);
	sa->proto = proto;
	sa->mode = (uint8_t)mode;
	sa->df = IPSP_DF_COPY;
	sa->local = to.family == 4 ? us : us6;
	sa->remote = to;
	if (proto == IPSP_PROTO_AH)
		sa->encr = 0;
	if (proto == IPSP_PROTO_IPCOMP) {
		sa->spi = sa->encr = IPSP_COMP_DEFLATE;
		sa->integ = 0;
		sa->integ_key.len = 0;
		sa->replay = false;
	}
	return sa;
}

/* The last n SAs, innermost first, become one bundle. */
static void chain(uint32_t n)
{
	struct ipsp_sa_config *sa = &sas[n_sas - n];

	for (uint32_t i = 0; i < n; i++) {
		sa[i].bundle_id = sa[0].id;
		sa[i].next_id = i + 1 < n ? sa[i + 1].id : 0;
	}
}

/* What goes to an address (family 0: anywhere else) goes through that SA. Call in order. */
static void rule(struct ipsp_addr dst, uint8_t family, uint64_t sa_id)
{
	ck_assert_uint_lt(n_rules, RULES_MAX);
	ipsp_selector_any(family, &boxes[n_rules]);
	if (dst.family)
		ck_assert_int_eq(ipsp_addr_prefix(&dst, family == 4 ? 32 : 128,
						  &boxes[n_rules].dst_lo,
						  &boxes[n_rules].dst_hi), IPSP_OK);
	rule_sas[n_rules++] = sa_id;
}

static const struct ipsp_addr anywhere;

static void apply(void)
{
	static uint64_t generation = 1000;
	struct ipsp_spd_entry entries[RULES_MAX] = { { 0 } };
	struct ipsp_spd_list list = {
		.ifindex = WORLD_IF, .dir = IPSP_OUTBOUND, .n_entries = n_rules, .entries = entries,
	};
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 1, .lists = &list },
		.n_sas = n_sas, .sas = sas,
	};
	enum ipsp_err results[SAS_MAX];

	for (uint32_t i = 0; i < n_rules; i++)
		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1, .action = IPSP_PROTECT, .n_selectors = 1,
			.selectors = &boxes[i], .sa_id = rule_sas[i],
		};
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, NOW, results), IPSP_OK);
	for (uint32_t i = 0; i < n_sas; i++)
		ck_assert_msg(results[i] == IPSP_OK, "SA %u: %s", i + 1, ipsp_err_text(results[i]));
}

/* UDP of len octets in all to 192.0.2.2, or 2001:db8::2, with room for as long a packet as is made here. */
static void make(struct ipsp_packet *p, int family, uint32_t len, bool df)
{
	world_udp(p, IPSP_OUTBOUND, 7, 2000 - 28);
	p->len = len;
	put_be16(p->data + 24, (uint16_t)(len - 20));
	if (family == 6) {
		packets_header(p->data, 6, 17, len);
		put_be16(p->data + 40, 1000);
		put_be16(p->data + 42, 7);
		put_be16(p->data + 44, (uint16_t)(len - 40));
		return;
	}
	p->data[6] = df ? 0x40 : 0;
	ipsp_header_update(p->data, 4, 9, 17, len);
}

/* Data that does not become smaller by compression. */
static void scramble(struct ipsp_packet *p)
{
	uint32_t x = 1;

	for (uint32_t i = p->data[0] >> 4 == 4 ? 28 : 48; i < p->len; i++) {
		x = x * 1103515245 + 12345;
		p->data[i] = (uint8_t)(x >> 16);
	}
}

static const struct ipsp_sa *sa_of(uint64_t id)
{
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(w.engine), id);

	ck_assert_ptr_nonnull(sa);
	return sa;
}

/* 0: it was sent; otherwise what the sender was told. */
static uint32_t told(int family, uint32_t len, struct ipsp_packet *sent)
{
	struct ipsp_packet p;
	uint32_t mtu = 0;

	make(&p, family, len, true);
	world_pass(&w, IPSP_OUTBOUND, &p);
	if (p.verdict == IPSP_VERDICT_ERROR) {
		ck_assert_int_eq(p.reason, IPSP_REASON_PATH_MTU);
		mtu = family == 4 ? get_be16(p.data + 26) : get_be32(p.data + 44);
		/* It is about the packet as its sender sent it. */
		ck_assert_uint_eq(p.data[family == 4 ? 28 + 9 : 48 + 6], 17);
	} else {
		ck_assert_msg(p.verdict == IPSP_VERDICT_ESP_OUT, "%s",
			      ipsp_reason_key((enum ipsp_reason)p.reason));
		ck_assert_uint_eq(p.pieces, 1);
	}
	*sent = p;
	world_packet_free(&p);
	return mtu;
}

/* ---- what is told ---- */

static void ah_tunnel(void)
{
	add(IPSP_PROTO_AH, IPSP_MODE_TUNNEL, gateway(1));
	rule(anywhere, 4, 1);
}

static void ah_tunnel_in_v6(void)
{
	add(IPSP_PROTO_AH, IPSP_MODE_TUNNEL, gateway6(1));
	rule(anywhere, 4, 1);
}

static void ah_transport(void)
{
	add(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, gateway(1))->remote = (struct ipsp_addr){ 0 };
	rule(anywhere, 4, 1);
}

static void esp_in_ah(void)
{
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(1));
	add(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, gateway(1));
	chain(2);
	rule(anywhere, 4, 1);
}

static void transport_esp_in_ah(void)
{
	add(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, gateway(1))->remote = (struct ipsp_addr){ 0 };
	add(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, gateway(1))->remote = (struct ipsp_addr){ 0 };
	chain(2);
	rule(anywhere, 4, 1);
}

static void all_three(enum ipsp_mode mode)
{
	add(IPSP_PROTO_IPCOMP, mode, gateway(1));
	add(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, gateway(1));
	add(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, gateway(1));
	chain(3);
	for (uint32_t i = 0; mode == IPSP_MODE_TRANSPORT && i < 3; i++)
		sas[i].remote = (struct ipsp_addr){ 0 };
	rule(anywhere, 4, 1);
}

static void three_tunnel(void)
{
	all_three(IPSP_MODE_TUNNEL);
}

static void three_transport(void)
{
	all_three(IPSP_MODE_TRANSPORT);
}

/* SA n to gateway n, each in the next one, n deep. */
static void nested(uint32_t n)
{
	for (uint8_t i = 1; i <= n; i++) {
		add(i % 2 ? IPSP_PROTO_ESP : IPSP_PROTO_AH, IPSP_MODE_TUNNEL, gateway(i));
		if (i > 1)
			rule(gateway((uint8_t)(i - 1)), 4, i);
	}
	rule(anywhere, 4, 1);
}

static void two_deep(void)
{
	nested(2);
}

static void four_deep(void)
{
	nested(4);
}

static void in_udp_in_bundle(void)
{
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(1))->encap =
		(struct ipsp_encap){ .type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4500 };
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(2));
	add(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, gateway(2));
	chain(2);
	rule(gateway(1), 4, 2);
	rule(anywhere, 4, 1);
}

static void transport_in_tunnel(void)
{
	add(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, gateway(1))->remote = (struct ipsp_addr){ 0 };
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(2));
	rule((struct ipsp_addr){ 4, { 192, 0, 2, 2 } }, 4, 1);
	/* By protocol: what goes out of the first is ESP. */
	rule(anywhere, 4, 2);
	boxes[0].proto_lo = boxes[0].proto_hi = 17;
	boxes[1].proto_lo = boxes[1].proto_hi = IPSP_PROTO_ESP;
}

static void v6_four_deep(void)
{
	for (uint8_t i = 1; i <= 4; i++) {
		add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, i % 2 ? gateway6(i) : gateway(i));
		if (i > 1)
			rule(i % 2 ? gateway((uint8_t)(i - 1)) : gateway6((uint8_t)(i - 1)),
			     i % 2 ? 4 : 6, i);
	}
	rule(anywhere, 6, 1);
}

static const struct {
	const char *name;
	void (*build)(void);
	int family;
	uint32_t least;		/* octets that are added, with the shortest padding */
} stacks[] = {
	{ "AH, tunnel", ah_tunnel, 4, 20 + 24 },
	{ "AH, tunnel, IPv4 in IPv6", ah_tunnel_in_v6, 4, 40 + 24 },
	{ "AH, transport", ah_transport, 4, 24 },
	{ "ESP in AH, tunnel", esp_in_ah, 4, 20 + 24 + 22 },
	{ "ESP in AH, transport", transport_esp_in_ah, 4, 24 + 22 },
	{ "IPComp in ESP in AH, tunnel", three_tunnel, 4, 20 + 24 + 22 },
	{ "IPComp in ESP in AH, transport", three_transport, 4, 24 + 22 },
	{ "two tunnels", two_deep, 4, 42 + 44 },
	{ "four tunnels", four_deep, 4, 2 * (42 + 44) },
	{ "ESP in UDP, in a bundle", in_udp_in_bundle, 4, 42 + 8 + 42 + 24 },
	{ "transport in a tunnel", transport_in_tunnel, 4, 22 + 42 },
	{ "IPv6 in four tunnels of both kinds", v6_four_deep, 6, 62 + 42 + 62 + 42 },
};

/* Of packets that would compress as well as of others: what is told holds for each. */
START_TEST(test_the_size_that_is_told_is_exact)
{
	const int family = stacks[_i].family;
	struct ipsp_packet sent;

	stacks[_i].build();
	apply();
	for (link_mtu = 1600; link_mtu < 1640; link_mtu++) {
		const uint64_t seq = sa_of(n_sas)->counter->seq;
		uint32_t mtu;

		/* The path is asked for once a second. */
		world_restart(&w);
		ipsp_worker_set_arena(w.worker, arena, sizeof(arena));
		apply();
		mtu = told(family, 1700, &sent);
		ck_assert_msg(mtu <= link_mtu - stacks[_i].least && mtu + 24 > link_mtu - stacks[_i].least,
			      "%s: %u of %u", stacks[_i].name, mtu, link_mtu);
		ck_assert_uint_eq(told(family, mtu + 1, &sent), mtu);
		/* What is told takes no number of any SA. */
		ck_assert_uint_eq(sa_of(n_sas)->counter->seq, seq);
		ck_assert_uint_eq(told(family, mtu, &sent), 0);
		ck_assert_uint_le(sent.len, link_mtu);
		ck_assert_uint_eq(sent.path_mtu, link_mtu);
	}
}
END_TEST

START_TEST(test_what_is_predicted_is_what_is_made)
{
	const int family = stacks[_i].family;

	stacks[_i].build();
	apply();
	link_mtu = 0;
	for (uint32_t len = 100; len < 140; len++) {
		const struct ipsp_bundle_job job = { .worker = w.worker, .now_s = NOW };
		struct ipsp_bundle_job known = job;
		struct ipsp_layers layers;
		struct ipsp_bundle bundle;
		struct ipsp_packet p;
		struct ipsp_flow flow;

		make(&p, family, len, true);
		scramble(&p);
		ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &flow),
				 IPSP_REASON_NONE);
		ck_assert(ipsp_bundle_find(ipsp_engine_sad(w.engine), 1, IPSP_OUTBOUND, &bundle));
		known.packet = &p;
		known.flow = &flow;
		known.bundle = &bundle;
		known.spd = ipsp_worker_enter(w.worker);
		ipsp_layers_find(&known, len, &layers);
		ipsp_worker_leave(w.worker);
		ck_assert_msg(layers.n == n_sas, "%s: %u layers", stacks[_i].name, layers.n);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_msg(p.len == layers.of[layers.n - 1].made_len, "%s: %u, not %u",
			      stacks[_i].name, p.len, layers.of[layers.n - 1].made_len);
		world_packet_free(&p);
	}
}
END_TEST

START_TEST(test_segments_are_judged_by_what_they_will_be)
{
	struct ipsp_packet p;

	esp_in_ah();
	apply();
	make(&p, 4, 1800, true);
	p.segment_size = 1430;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_PATH_MTU);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
	world_packet_free(&p);
	make(&p, 4, 1800, true);
	p.segment_size = 1200;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.pieces, 2);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_a_packet_at_its_last_hop_is_told_of_bundles_too)
{
	struct ipsp_packet p;

	esp_in_ah();
	apply();
	make(&p, 4, 100, true);
	p.data[8] = 1;
	p.flags = IPSP_PKT_DECREMENT_TTL;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TTL);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
	ck_assert_uint_eq(p.data[20], 11);
	world_packet_free(&p);
}
END_TEST

/* ---- what is cut ---- */

START_TEST(test_what_may_be_cut_outside_is)
{
	struct ipsp_packet p;

	stacks[_i].build();
	apply();
	/* IPv6 of no more than every link must take, else IPv4 without DF. */
	const int family = stacks[_i].family;

	link_mtu = 1300;
	make(&p, family, family == 6 ? 1280 : 1400, false);
	scramble(&p);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.path_mtu, 1300);
	if (family == 4) {
		ck_assert_msg(p.pieces == 1 && p.len > 1300, "%s", stacks[_i].name);
		ck_assert(p.data[0] >> 4 == 6 || (p.data[6] & 0x40) == 0);
	}
	world_packet_free(&p);
}
END_TEST

/* Pieces of the arena, of which none is longer than the path and each has a number of its own. */
static void check_pieces(const struct ipsp_packet *p, uint32_t n)
{
	ck_assert_int_eq(p->verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p->pieces, n);
	ck_assert_uint_le(p->piece_len, link_mtu);
	ck_assert_uint_gt(p->piece_len, link_mtu - 32);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *piece = p->data + i * p->piece_len;

		ck_assert_uint_eq(piece[0] >> 4, 4);
		ck_assert_uint_eq(piece[6] & 0x3f, 0);
		ck_assert_uint_eq(get_be16(piece + 2),
				  i + 1 < n ? p->piece_len : p->len - i * p->piece_len);
	}
}

static const struct {
	const char *name;
	void (*build)(void);
	uint32_t at;	/* the SA that says so, from 0 */
	bool df;	/* by its DF, else by its frag_before */
} befores[] = {
	{ "ESP in AH", esp_in_ah, 0, true },
	{ "ESP in AH, asked for", esp_in_ah, 0, false },
	{ "all three", three_tunnel, 0, true },
	{ "four tunnels, the innermost", four_deep, 0, false },
	{ "four tunnels, the outermost", four_deep, 3, false },
	{ "four tunnels, by DF of the outermost", four_deep, 3, true },
	{ "AH alone", ah_tunnel, 0, false },
};

START_TEST(test_packets_are_cut_before_they_are_protected)
{
	struct ipsp_packet p;

	befores[_i].build();
	if (befores[_i].df)
		sas[befores[_i].at].df = IPSP_DF_SET;
	else
		sas[befores[_i].at].frag_before = true;
	apply();
	make(&p, 4, 1900, false);
	ck_assert_msg(world_pass(&w, IPSP_OUTBOUND, &p) == IPSP_REASON_NONE, "%s",
		      befores[_i].name);
	check_pieces(&p, 2);
	/* Each went through the innermost SA by itself. */
	ck_assert_uint_eq(sa_of(1)->counter->packets, 2);
	ck_assert_uint_eq(sa_of(n_sas)->counter->packets, 2);
	world_packet_free(&p);
}
END_TEST

/* Transport mode takes whole packets only: what it made is cut, before the tunnel around it. */
START_TEST(test_what_transport_mode_made_is_cut_before_the_tunnel_around)
{
	struct ipsp_packet p;

	transport_in_tunnel();
	sas[1].df = IPSP_DF_SET;
	apply();
	make(&p, 4, 1900, false);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	check_pieces(&p, 2);
	ck_assert_uint_eq(sa_of(1)->counter->packets, 1);
	ck_assert_uint_eq(sa_of(2)->counter->packets, 2);
	/* Inside: two fragments of one ESP packet, as NULL shows them. */
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *inner = p.data + i * p.piece_len + 28;

		ck_assert_uint_eq(inner[9], IPSP_PROTO_ESP);
		ck_assert_uint_eq(inner[6] & 0x20, i == 0 ? 0x20 : 0);
		ck_assert_uint_eq(get_be16(inner + 6) & 0x1fff,
				  i == 0 ? 0 : (get_be16(p.data + 28 + 2) - 20) / 8);
	}
	world_packet_free(&p);
}
END_TEST

/* RFC 8200 5, RFC 2473 7.1: what every link must take crosses, cut between the tunnels. */
START_TEST(test_the_least_that_ipv6_may_ask_for_crosses_two_tunnels)
{
	struct ipsp_packet p;

	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway6(1));
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(2));
	rule(gateway6(1), 6, 2);
	rule(anywhere, 6, 1);
	apply();
	link_mtu = 1300;
	make(&p, 6, 1280, true);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	check_pieces(&p, 2);
	ck_assert_uint_eq(sa_of(1)->counter->packets, 1);
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *inner = p.data + i * p.piece_len + 28;

		ck_assert_uint_eq(inner[0] >> 4, 6);
		ck_assert_uint_eq(inner[6], 44);
		ck_assert_uint_eq(inner[40], IPSP_PROTO_ESP);
	}
	/* Both of one datagram, which nobody could guess. */
	ck_assert_mem_eq(p.data + 28 + 44, p.data + p.piece_len + 28 + 44, 4);
	world_packet_free(&p);
}
END_TEST

/* ---- padding that hides lengths ---- */

static void one_esp(void)
{
	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(1));
	rule(anywhere, 4, 1);
}

static const struct {
	const char *name;
	void (*build)(void);
} padded[] = { { "ESP", one_esp }, { "ESP in AH", esp_in_ah }, { "nested", four_deep } };

/* RFC 4303 2.7: as long as the path takes, and no packet is told of it. */
START_TEST(test_padding_makes_no_packet_longer_than_its_path)
{
	struct ipsp_packet p;
	uint32_t len = 0;

	padded[_i].build();
	sas[0].tfc_pad = 1900;
	apply();
	for (uint32_t clear = 100; clear <= 1300; clear += 600) {
		make(&p, 4, clear, true);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_msg(p.len <= 1500 && p.len > 1480, "%s: %u", padded[_i].name, p.len);
		ck_assert(len == 0 || len == p.len);
		len = p.len;
		world_packet_free(&p);
	}
	/* Segments, all of which are as long then. */
	make(&p, 4, 1800, true);
	p.segment_size = 300;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.pieces, 6);
	ck_assert_uint_eq(p.piece_len, len);
	ck_assert_uint_eq(p.len, 6 * len);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_padding_at_random_leaves_room_for_what_is_around)
{
	struct ipsp_packet p;

	esp_in_ah();
	sas[0].tfc_random = 255;
	apply();
	for (uint32_t i = 0; i < 200; i++) {
		make(&p, 4, 1380, true);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_uint_le(p.len, 1500);
		world_packet_free(&p);
	}
}
END_TEST

/* ---- what is learned ---- */

/* A router's word about a packet of ours with those 12 octets, quoted octets of them. */
static void hear(uint8_t proto, uint8_t to, const uint8_t l4[12], uint32_t quoted, uint16_t mtu,
		 uint64_t now_s)
{
	uint8_t room[64 + 60];
	struct ipsp_packet p = {
		.room = room, .room_len = sizeof(room), .data = room + 64, .len = 48 + quoted,
		.ifindex = WORLD_IF,
	};
	uint8_t *const icmp = p.data + 20, *const quote = icmp + 8;

	memset(room, 0, sizeof(room));
	packets_header(p.data, 4, 1, p.len);
	icmp[0] = 3;
	icmp[1] = 4;
	put_be16(icmp + 6, mtu);
	packets_header(quote, 4, proto, 1490);
	memcpy(quote + 16, gateway(to).octets, 4);
	ipsp_header_update(quote, 4, 9, proto, 1490);
	memcpy(quote + 20, l4, quoted);
	put_be16(icmp + 2, (uint16_t)~packets_sum(0, icmp, p.len - 20));
	ipsp_engine_icmp(w.worker, &p, 1, now_s);
}

static uint32_t learned(uint64_t id, uint64_t now_s)
{
	return ipsp_engine_path_learned(w.engine, sa_of(id), now_s);
}

static void send_one(void)
{
	struct ipsp_packet p;

	ck_assert_uint_eq(told(4, 100, &p), 0);
}

START_TEST(test_a_path_is_learned_from_errors_that_quote_ah)
{
	uint8_t ah[12] = { IPSP_PROTO_ESP, 4, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 1 };
	struct ipsp_engine_stats stats;
	struct ipsp_packet p;

	esp_in_ah();
	apply();
	send_one();
	/* Eight octets, RFC 792's least: the number is not there, so anybody could say so. */
	hear(IPSP_PROTO_AH, 1, ah, 8, 1300, NOW);
	ck_assert_uint_eq(learned(2, NOW), 0);
	ah[11] = 9;
	hear(IPSP_PROTO_AH, 1, ah, 12, 1300, NOW);
	ck_assert_uint_eq(learned(2, NOW), 0);
	ah[11] = 1;
	hear(IPSP_PROTO_AH, 1, ah, 12, 1300, NOW);
	ck_assert_uint_eq(learned(2, NOW), 1300);
	ck_assert_uint_eq(learned(1, NOW), 0);
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.icmp[IPSP_ICMP_LEARNED], 1);
	ck_assert_uint_eq(stats.icmp[IPSP_ICMP_IGNORED], 2);
	/* 1300 - 20 - 24 - 8 - 12 is 1236, of which 2 are the trailer. */
	ck_assert_uint_eq(told(4, 1400, &p), 1234);
	make(&p, 4, 1400, true);
	ipsp_engine_outbound(w.worker, &p, 1, NOW + 600);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(learned(2, NOW + 600), 0);
	world_packet_free(&p);
}
END_TEST

/* Behind the outer tunnel's other end the inner one's packets have a path of their own. */
START_TEST(test_the_path_of_an_inner_tunnel_counts_as_well)
{
	const uint8_t esp[12] = { 0, 0, 0x10, 1, 0, 0, 0, 1 };
	struct ipsp_packet p;

	two_deep();
	apply();
	send_one();
	hear(IPSP_PROTO_ESP, 1, esp, 12, 1000, NOW);
	ck_assert_uint_eq(learned(1, NOW), 1000);
	/* 1000 - 20 - 8 - 12 is 960, of which 2 are the trailer. */
	ck_assert_uint_eq(told(4, 1100, &p), 958);
	ck_assert_uint_eq(told(4, 958, &p), 0);
	/* Without DF routers there cut it. */
	make(&p, 4, 1100, false);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	world_packet_free(&p);
}
END_TEST

/* An entry that only looks as if it led elsewhere costs nothing: such packets go together. */
START_TEST(test_a_transport_rule_between_the_gateways_is_not_in_the_way)
{
	struct ipsp_packet p;

	add(IPSP_PROTO_ESP, IPSP_MODE_TUNNEL, gateway(1));
	add(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, gateway(1));
	rule(gateway(1), 4, 2);
	rule(anywhere, 4, 1);
	apply();
	ck_assert_uint_eq(told(4, 1700, &p), 1458);
	ck_assert_uint_eq(told(4, 1458, &p), 0);
	ck_assert_uint_eq(sa_of(2)->counter->packets, 0);
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/layers");
	TCase *t = tcase_create("layers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_the_size_that_is_told_is_exact, 0, N_OF(stacks));
	tcase_add_loop_test(t, test_what_is_predicted_is_what_is_made, 0, N_OF(stacks));
	tcase_add_test(t, test_segments_are_judged_by_what_they_will_be);
	tcase_add_test(t, test_a_packet_at_its_last_hop_is_told_of_bundles_too);
	tcase_add_loop_test(t, test_what_may_be_cut_outside_is, 0, N_OF(stacks));
	tcase_add_loop_test(t, test_packets_are_cut_before_they_are_protected, 0, N_OF(befores));
	tcase_add_test(t, test_what_transport_mode_made_is_cut_before_the_tunnel_around);
	tcase_add_test(t, test_the_least_that_ipv6_may_ask_for_crosses_two_tunnels);
	tcase_add_loop_test(t, test_padding_makes_no_packet_longer_than_its_path, 0, N_OF(padded));
	tcase_add_test(t, test_padding_at_random_leaves_room_for_what_is_around);
	tcase_add_test(t, test_a_path_is_learned_from_errors_that_quote_ah);
	tcase_add_test(t, test_the_path_of_an_inner_tunnel_counts_as_well);
	tcase_add_test(t, test_a_transport_rule_between_the_gateways_is_not_in_the_way);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
