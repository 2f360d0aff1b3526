/*
 * tests/unit/engine/check_nat.c - SAs with UDP encapsulation: headers, checksums, peers that move,
 * keepalives. RFC 3948; RFC 7296 2.23.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"
#include "tests/unit/engine_io/packets.h"

#define SPI 0x1234u
#define OUT_ID 1u
#define IN_ID 2u

static struct world w;
static unsigned n_moved;
static struct ipsp_moved_event moved;
static struct ipsp_flow moved_outer;

static void on_moved(void *ctx, const struct ipsp_moved_event *event)
{
	(void)ctx;
	n_moved++;
	moved = *event;
	moved_outer = *event->outer;
}

static void setup(void)
{
	world_init(&w);
	w.config.events.moved = on_moved;
	w.memory.platform.compress = ipsp_compress_zlib();
	world_restart(&w);
	n_moved = 0;
}

static void teardown(void)
{
	world_fini(&w);
}

static const struct ipsp_addr us = { 4, { 192, 0, 2, 1 } }, peer = { 4, { 192, 0, 2, 2 } },
			      nat = { 4, { 203, 0, 113, 7 } };

static struct ipsp_sa_config sas[4];
static uint32_t n_sas;

/* An outbound SA and an inbound one of the same keys, both in UDP: what leaves may come back. */
static void protect(enum ipsp_mode mode)
{
	n_sas = 2;
	sas[0] = world_sa(OUT_ID, IPSP_OUTBOUND, SPI);
	sas[1] = world_sa(IN_ID, IPSP_INBOUND, SPI);
	for (size_t i = 0; i < 2; i++) {
		sas[i].mode = (uint8_t)mode;
		sas[i].df = IPSP_DF_COPY;
		sas[i].encap = (struct ipsp_encap){
			.type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4501,
		};
	}
	sas[1].encap.sport = 4501;
	sas[1].encap.dport = 4500;
}

/* The same with IPComp inside, in transport mode; entries name those by OUT_ID and IN_ID, and 2. */
static void protect_compressed(void)
{
	protect(IPSP_MODE_TRANSPORT);
	n_sas = 4;
	for (size_t i = 0; i < 2; i++) {
		struct ipsp_sa_config *sa = &sas[2 + i];

		*sa = sas[i];
		sa->id = sa->counter_id = sa->bundle_id = sas[i].bundle_id = sas[i].id + 2;
		sa->next_id = sas[i].id;
		sa->proto = IPSP_PROTO_IPCOMP;
		sa->spi = sa->encr = IPSP_COMP_DEFLATE;
		sa->integ = 0;
		sa->integ_key.len = 0;
		sa->replay = false;
		sa->encap = (struct ipsp_encap){ 0 };
	}
}

/* PROTECT by that SA for everything, in both directions. */
static void apply(uint64_t sa_id)
{
	const struct world_rule rule = { .id = 9, .action = IPSP_PROTECT,
					 .sa_id = sa_id + n_sas - 2, .dport = IPSP_PORT_NONE };
	enum ipsp_err results[4];

	ck_assert_int_eq(world_apply(&w, &rule, 1, sas, n_sas, results), IPSP_OK);
	for (uint32_t i = 0; i < n_sas; i++)
		ck_assert_int_eq(results[i], IPSP_OK);
}

static struct ipsp_packet sent;

/* A clear packet goes out; sent is what came of it. */
static void send_one(uint8_t proto, uint16_t checksum)
{
	world_udp(&sent, IPSP_OUTBOUND, 7, n_sas > 2 ? 400 : 60);
	sent.data[9] = proto;
	put_be16(sent.data + 20 + (proto == 6 ? 16 : 6), checksum);
	apply(OUT_ID);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &sent), IPSP_REASON_NONE);
	ck_assert_int_eq(sent.verdict, IPSP_VERDICT_ESP_OUT);
}

/* sent comes in by the other SA, in a datagram from there. */
static enum ipsp_reason receive_from(const struct ipsp_addr *src, uint16_t sport)
{
	static uint8_t payload[2048], room[2048];
	const struct ipsp_flow outer = {
		.family = 4, .proto = 17, .proto_known = true, .src = *src, .dst = us,
		.sport = sport, .dport = 4500, .ttl = 60,
	};
	struct ipsp_packet in = {
		.room = room, .room_len = sizeof(room), .data = payload, .len = sent.len - 28,
		.ifindex = WORLD_IF, .outer = &outer,
	};
	enum ipsp_reason reason;

	memcpy(payload, sent.data + 28, in.len);
	apply(IN_ID);
	reason = world_pass(&w, IPSP_INBOUND, &in);
	world_packet_free(&sent);
	sent = in;
	return reason;
}

START_TEST(test_outbound_packets_have_a_udp_header)
{
	protect(_i ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT);
	send_one(17, 0);
	ck_assert_uint_eq(sent.data[9], 17);
	ck_assert_uint_eq(get_be16(sent.data + 2), sent.len);
	ck_assert_uint_eq(packets_sum(0, sent.data, 20), 0xffff);
	ck_assert_uint_eq(get_be16(sent.data + 20), 4500);
	ck_assert_uint_eq(get_be16(sent.data + 22), 4501);
	ck_assert_uint_eq(get_be16(sent.data + 24), sent.len - 20);
	ck_assert_uint_eq(get_be16(sent.data + 26), 0);
	ck_assert_uint_eq(get_be32(sent.data + 28), SPI);
	world_packet_free(&sent);
}
END_TEST

START_TEST(test_udp_over_ipv6_has_a_checksum)
{
	protect(IPSP_MODE_TUNNEL);
	sas[0].local = sas[1].local = (struct ipsp_addr){ 6, { 0x20, 1, [15] = 1 } };
	sas[0].remote = sas[1].remote = (struct ipsp_addr){ 6, { 0x20, 1, [15] = 2 } };
	send_one(17, 0);
	ck_assert_uint_eq(sent.data[6], 17);
	ck_assert_uint_ne(get_be16(sent.data + 46), 0);
	ck_assert(packets_sums_right(sent.data, sent.len, 40, 17));
	world_packet_free(&sent);
}
END_TEST

START_TEST(test_what_comes_in_udp_is_delivered)
{
	protect(_i ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT);
	/* The other way round, so that addresses are the ends' own. */
	sas[1].remote = us;
	send_one(17, 0);
	ck_assert_int_eq(receive_from(&us, 4501), IPSP_REASON_NONE);
	ck_assert_int_eq(sent.verdict, IPSP_VERDICT_DELIVER);
	ck_assert_uint_eq(sent.len, 88);
	ck_assert_uint_eq(sent.data[9], 17);
	ck_assert_uint_eq(get_be16(sent.data + 22), 7);
	/* In transport mode the header is of our making. */
	if (_i == 0)
		ck_assert_uint_eq(packets_sum(0, sent.data, 20), 0xffff);
	ck_assert_uint_eq(n_moved, 0);
}
END_TEST

/* Transport mode through a NAT: the sender was 10.0.0.5, and knew us as we are. */
static const struct {
	const char *name;
	uint8_t proto;
	bool knows;		/* the original address */
	bool unsummed;
} repairs[] = {
	{ "TCP, original address known", 6, true, false },
	{ "UDP, original address known", 17, true, false },
	{ "TCP, original address not known", 6, false, false },
	{ "UDP, original address not known", 17, false, false },
	{ "UDP without a checksum", 17, true, true },
};

/* What the sender's checksum was, before the NAT, over that many octets of TCP or UDP. */
static uint16_t sum_before(const struct ipsp_addr *before, uint8_t proto, uint32_t payload)
{
	uint8_t pseudo[8];
	uint32_t sum;

	world_udp(&sent, IPSP_OUTBOUND, 7, payload);
	sent.data[9] = proto;
	memcpy(pseudo, before->octets, 4);
	memcpy(pseudo + 4, us.octets, 4);
	sum = packets_sum(packets_sum(8 + payload + proto, pseudo, 8), sent.data + 20, 8 + payload);
	world_packet_free(&sent);
	return (uint16_t)~sum;
}

START_TEST(test_checksums_are_repaired_in_transport_mode)
{
	static const struct ipsp_addr before = { 4, { 10, 0, 0, 5 } };
	const uint8_t proto = repairs[_i].proto;

	protect(IPSP_MODE_TRANSPORT);
	sas[1].remote = nat;
	if (repairs[_i].knows)
		sas[1].encap.orig_src = before;
	send_one(proto, repairs[_i].unsummed ? 0 : sum_before(&before, proto, 60));
	ck_assert_int_eq(receive_from(&nat, 4501), IPSP_REASON_NONE);
	ck_assert_mem_eq(sent.data + 12, nat.octets, 4);
	if (repairs[_i].unsummed)
		ck_assert_uint_eq(get_be16(sent.data + 26), 0);
	else
		ck_assert_msg(packets_sums_right(sent.data, sent.len, 20, proto), "%s",
			      repairs[_i].name);
}
END_TEST

/* RFC 3173 in RFC 3948: what was compressed hides its checksum until then. */
START_TEST(test_checksums_behind_compression_are_repaired)
{
	static const struct ipsp_addr before = { 4, { 10, 0, 0, 5 } };
	const uint8_t proto = repairs[_i].proto;

	protect_compressed();
	sas[1].remote = sas[3].remote = nat;
	if (repairs[_i].knows)
		sas[1].encap.orig_src = before;
	send_one(proto, repairs[_i].unsummed ? 0 : sum_before(&before, proto, 400));
	ck_assert_uint_lt(sent.len, 400);
	ck_assert_int_eq(receive_from(&nat, 4501), IPSP_REASON_NONE);
	ck_assert_uint_eq(sent.len, 428);
	if (repairs[_i].unsummed)
		ck_assert_uint_eq(get_be16(sent.data + 26), 0);
	else
		ck_assert_msg(packets_sums_right(sent.data, sent.len, 20, proto), "%s",
			      repairs[_i].name);
}
END_TEST

START_TEST(test_a_wrong_checksum_stays_wrong_where_addresses_are_known)
{
	protect(IPSP_MODE_TRANSPORT);
	sas[1].remote = nat;
	sas[1].encap.orig_src = us;
	send_one(17, 0x4711);
	ck_assert_int_eq(receive_from(&nat, 4501), IPSP_REASON_NONE);
	ck_assert(!packets_sums_right(sent.data, sent.len, 20, 17));
}
END_TEST

START_TEST(test_an_sa_takes_packets_in_its_own_form_only)
{
	protect(IPSP_MODE_TUNNEL);
	sas[1].encap.type = IPSP_ENCAP_NONE;
	send_one(17, 0);
	ck_assert_int_eq(receive_from(&peer, 4501), IPSP_REASON_ENCAP);

	protect(IPSP_MODE_TUNNEL);
	sas[0].encap.type = IPSP_ENCAP_NONE;
	send_one(17, 0);
	apply(IN_ID);
	world_reflect(&sent, SPI);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &sent), IPSP_REASON_ENCAP);
	world_packet_free(&sent);
}
END_TEST

START_TEST(test_a_peer_that_moved_is_told_once_and_followed_if_asked)
{
	const bool follow = _i != 0;

	protect(IPSP_MODE_TUNNEL);
	if (follow)
		sas[1].encap.follow_id = OUT_ID;
	send_one(17, 0);
	ck_assert_int_eq(receive_from(&nat, 7777), IPSP_REASON_NONE);
	ck_assert_uint_eq(n_moved, 1);
	ck_assert_uint_eq(moved.sa->id, IN_ID);
	ck_assert_int_eq(ipsp_addr_cmp(&moved_outer.src, &nat), 0);
	ck_assert_uint_eq(moved_outer.sport, 7777);
	ck_assert(follow == (moved.follows != NULL));

	send_one(17, 0);
	ck_assert_mem_eq(sent.data + 16, follow ? nat.octets : peer.octets, 4);
	ck_assert_uint_eq(get_be16(sent.data + 22), follow ? 7777 : 4501);
	ck_assert_int_eq(receive_from(&nat, 7777), IPSP_REASON_NONE);
	ck_assert_uint_eq(n_moved, 1);

	/* And back again. */
	send_one(17, 0);
	ck_assert_int_eq(receive_from(&peer, 4501), IPSP_REASON_NONE);
	ck_assert_uint_eq(n_moved, 2);
	send_one(17, 0);
	ck_assert_mem_eq(sent.data + 16, peer.octets, 4);
	world_packet_free(&sent);
}
END_TEST

START_TEST(test_a_packet_that_is_not_authentic_or_is_repeated_moves_nobody)
{
	static uint8_t copy[2048];

	protect(IPSP_MODE_TUNNEL);
	sas[1].encap.follow_id = OUT_ID;
	send_one(17, 0);
	sent.data[sent.len - 1] ^= 1;
	ck_assert_int_eq(receive_from(&nat, 7777), IPSP_REASON_ICV);

	send_one(17, 0);
	memcpy(copy, sent.data, sent.len);
	const uint32_t len = sent.len;

	ck_assert_int_eq(receive_from(&peer, 4501), IPSP_REASON_NONE);
	send_one(17, 0);
	memcpy(sent.data, copy, len);
	ck_assert_int_eq(receive_from(&nat, 7777), IPSP_REASON_REPLAY);
	ck_assert_uint_eq(n_moved, 0);
	send_one(17, 0);
	ck_assert_mem_eq(sent.data + 16, peer.octets, 4);
	world_packet_free(&sent);
}
END_TEST

static unsigned n_keepalives;
static struct ipsp_flow keepalive;

static void on_keepalive(void *arg, const struct ipsp_flow *datagram)
{
	(void)arg;
	n_keepalives++;
	keepalive = *datagram;
}

static unsigned keepalives_at(uint64_t now_s)
{
	n_keepalives = 0;
	ipsp_engine_keepalives(w.engine, now_s, on_keepalive, NULL);
	return n_keepalives;
}

START_TEST(test_keepalives_are_due_when_nothing_else_was_sent)
{
	protect(IPSP_MODE_TUNNEL);
	sas[0].encap.keepalive_s = 20;
	sas[1].encap.keepalive_s = 20;	/* inbound: nothing to send */
	apply(OUT_ID);
	ck_assert_uint_eq(keepalives_at(1000), 1);
	ck_assert_int_eq(ipsp_addr_cmp(&keepalive.src, &us), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&keepalive.dst, &peer), 0);
	ck_assert_uint_eq(keepalive.sport, 4500);
	ck_assert_uint_eq(keepalive.dport, 4501);
	ck_assert_uint_eq(keepalives_at(1019), 0);
	ck_assert_uint_eq(keepalives_at(1020), 1);
	/* A packet at 1000 s counts as one that a later clock sees. */
	send_one(17, 0);
	world_packet_free(&sent);
	ck_assert_uint_eq(keepalives_at(1039), 0);
	ck_assert_uint_eq(keepalives_at(1040), 1);

	sas[0].encap.keepalive_s = 0;
	apply(OUT_ID);
	ck_assert_uint_eq(keepalives_at(5000), 0);
}
END_TEST

START_TEST(test_impossible_encapsulations_are_refused)
{
	static const struct ipsp_encap bad[] = {
		{ .type = 1, .sport = 1, .dport = 1 },
		{ .type = IPSP_ENCAP_UDP, .sport = 0, .dport = 1 },
		{ .type = IPSP_ENCAP_UDP, .sport = 1, .dport = 0 },
		{ .type = IPSP_ENCAP_UDP, .sport = 1, .dport = 1, .orig_src = { .family = 5 } },
	};
	const struct world_rule rule = { .id = 9, .action = IPSP_PROTECT, .sa_id = 1,
					 .dport = IPSP_PORT_NONE };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum ipsp_err results[2];

		protect(IPSP_MODE_TUNNEL);
		sas[0].encap = bad[i];
		ck_assert_int_eq(world_apply(&w, &rule, 1, sas, 2, results), IPSP_OK);
		ck_assert_int_eq(results[0], IPSP_EINVAL);
	}
}
END_TEST

START_TEST(test_a_peer_is_read_whole)
{
	struct ipsp_peer p = { 0 };
	struct ipsp_addr addr = us;
	uint16_t port = 5;

	ck_assert(!ipsp_peer_get(&p, 4, &addr, &port));
	ck_assert_uint_eq(port, 5);
	ipsp_peer_set(&p, &nat, 7);
	ck_assert(ipsp_peer_get(&p, 4, &addr, &port));
	ck_assert_int_eq(ipsp_addr_cmp(&addr, &nat), 0);
	ck_assert_uint_eq(port, 7);
	/* While another writes, a writer leaves it and a reader gives up in the end. */
	atomic_fetch_add(&p.turn, 1);
	ipsp_peer_set(&p, &us, 8);
	ck_assert(!ipsp_peer_get(&p, 4, &addr, &port));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/nat");
	TCase *tc = tcase_create("nat");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_outbound_packets_have_a_udp_header, 0, 2);
	tcase_add_test(tc, test_udp_over_ipv6_has_a_checksum);
	tcase_add_loop_test(tc, test_what_comes_in_udp_is_delivered, 0, 2);
	tcase_add_loop_test(tc, test_checksums_are_repaired_in_transport_mode, 0,
			    (int)(sizeof(repairs) / sizeof(repairs[0])));
	tcase_add_loop_test(tc, test_checksums_behind_compression_are_repaired, 0,
			    (int)(sizeof(repairs) / sizeof(repairs[0])));
	tcase_add_test(tc, test_a_wrong_checksum_stays_wrong_where_addresses_are_known);
	tcase_add_test(tc, test_an_sa_takes_packets_in_its_own_form_only);
	tcase_add_loop_test(tc, test_a_peer_that_moved_is_told_once_and_followed_if_asked, 0, 2);
	tcase_add_test(tc, test_a_packet_that_is_not_authentic_or_is_repeated_moves_nobody);
	tcase_add_test(tc, test_keepalives_are_due_when_nothing_else_was_sent);
	tcase_add_test(tc, test_impossible_encapsulations_are_refused);
	tcase_add_test(tc, test_a_peer_is_read_whole);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
