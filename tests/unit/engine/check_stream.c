/*
 * tests/unit/engine/check_stream.c - packets that go on in a stream come to what they would have come to
 * without: one engine that remembers against another that forgets before each packet, under random
 * policies, SAs, packets and changes of what streams depend on.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/like.h"
#include "engine/pattern.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define SAS 3u
#define OUT_ID 1u		/* and those behind it */
#define IN_ID 11u
#define SPI 0x1000u
#define ENTRIES 4u
#define PACKETS 48u
#define ROOM 2048u
#define NOW_S 1000u

/* Both see the same, but the second one remembers nothing. */
static struct world with, without;
static struct world *const worlds[2] = { &with, &without };
static uint8_t rooms[2][PACKETS][ROOM], esp_rooms[2][PACKETS][ROOM];
static struct ipsp_sa_config sas[2 * SAS];
static uint8_t local_octet;	/* of our address, where routing chooses it */
static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 33) % n;
}

static bool one_in(uint32_t n)
{
	return rnd(n) == 0;
}

static enum ipsp_err local_addr(void *ctx, const struct ipsp_addr *remote, struct ipsp_addr *local)
{
	(void)ctx;
	*local = (struct ipsp_addr){ .family = remote->family, .octets = { 10, local_octet } };
	return IPSP_OK;
}

static uint32_t path_mtu(void *ctx, const struct ipsp_addr *dst)
{
	(void)ctx;
	(void)dst;
	return 1500;
}

static void on_passed(void *ctx, const struct ipsp_passed_event *event)
{
	(void)ctx;
	(void)event;
}

static void setup(void)
{
	seed = 0x9e3779b97f4a7c15u;
	for (int i = 0; i < 2; i++) {
		world_init(worlds[i]);
		worlds[i]->memory.platform.local_addr = local_addr;
		worlds[i]->memory.platform.path_mtu = path_mtu;
		worlds[i]->config.events.passed = on_passed;
		world_restart(worlds[i]);
	}
}

static void teardown(void)
{
	for (int i = 0; i < 2; i++)
		world_fini(worlds[i]);
}

/* ---- policies and SAs ---- */

static void random_crypto(struct ipsp_sa_config *sa)
{
	if (one_in(2)) {
		sa->encr = IPSP_ENCR_AES_GCM_16;
		sa->encr_key_bits = 128;
		sa->integ = IPSP_INTEG_NONE;
		sa->encr_key = (struct ipsp_key){ .len = 20, .octets = { 4, 5, 6 } };
		sa->integ_key.len = 0;
	}
	sa->esn = one_in(2);
}

static void random_sa(uint32_t i)
{
	struct ipsp_sa_config *const out = &sas[i], *const in = &sas[SAS + i];
	const struct ipsp_addr v6[2] = { { 6, { 0x20, 1 } }, { 6, { 0x20, 2 } } };

	*out = world_sa(OUT_ID + i, IPSP_OUTBOUND, SPI + i);
	out->mode = one_in(8) ? IPSP_MODE_TRANSPORT : IPSP_MODE_TUNNEL;
	if (one_in(3)) {
		out->local = v6[0];
		out->remote = v6[1];
	}
	out->df = (uint8_t)(IPSP_DF_COPY + rnd(3));
	random_crypto(out);
	if (one_in(3))
		out->encap = (struct ipsp_encap){
			.type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4501,
		};
	*in = *out;
	in->id = in->counter_id = IN_ID + i;
	in->dir = IPSP_INBOUND;
	in->local = out->remote;
	in->remote = out->local;
	in->encap.sport = out->encap.dport;
	in->encap.dport = out->encap.sport;
	in->ecn = (uint8_t)rnd(2);
	in->replay = in->esn || one_in(2);
	in->pad_unchecked = one_in(2);
	out->ecn = (uint8_t)rnd(2);
	out->dscp_set = one_in(3);
	out->flow_label = one_in(2) ? IPSP_FLOW_COPY : 7;
	if (one_in(4))
		out->local.family = 0;
	if (one_in(6))
		out->tfc_pad = 200;
	if (one_in(6))
		out->life_packets = 100;
	if (one_in(6))
		in->life_bytes = 5000;
	if (one_in(8))
		out->seq_ceiling = 50;
}

static const struct ipsp_pred_node ttl_node = {
	.op = IPSP_PRED_OCTETS, .arg = IPSP_CMP_EQUAL, .offset = 8, .first = 0, .count = 1,
};
static const uint8_t ttl_64[] = { 64 };

static void random_entries(enum ipsp_dir dir, struct ipsp_selector boxes[ENTRIES][2],
			   struct ipsp_spd_entry entries[ENTRIES])
{
	static const struct ipsp_predicate by_ttl = {
		.n_nodes = 1, .nodes = &ttl_node, .n_octets = sizeof(ttl_64), .octets = ttl_64,
	};

	for (uint32_t i = 0; i < ENTRIES; i++) {
		ipsp_selector_any(4, &boxes[i][0]);
		ipsp_selector_any(6, &boxes[i][1]);
		for (int f = 0; f < 2 && i + 1 < ENTRIES; f++)
			boxes[i][f].dport_lo = boxes[i][f].dport_hi = i;
		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1, .n_selectors = 2, .selectors = boxes[i],
			.action = one_in(8) ? IPSP_BYPASS : IPSP_PROTECT, .log = one_in(6),
		};
		if (entries[i].action == IPSP_PROTECT)
			entries[i].sa_id = (dir == IPSP_OUTBOUND ? OUT_ID : IN_ID) +
					   (one_in(8) ? rnd(SAS) : i % SAS);
		if (one_in(6))
			entries[i].predicate = &by_ttl;
	}
}

static void next_generation(void)
{
	static uint64_t generation;
	struct ipsp_selector boxes[2][ENTRIES][2];
	struct ipsp_spd_entry entries[2][ENTRIES];
	struct ipsp_spd_list lists[2];
	enum ipsp_err results[2 * SAS];
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = 2 * SAS, .sas = sas,
	};

	for (uint32_t i = 0; i < SAS; i++)
		random_sa(i);
	for (int i = 0; i < 2; i++) {
		const enum ipsp_dir dir = i ? IPSP_OUTBOUND : IPSP_INBOUND;

		random_entries(dir, boxes[i], entries[i]);
		lists[i] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)dir, .n_entries = ENTRIES,
			.entries = entries[i],
		};
	}
	for (int i = 0; i < 2; i++) {
		world_restart(worlds[i]);
		memset(worlds[i]->region, 0, worlds[i]->region_size);
		world_restart(worlds[i]);
		ck_assert_int_eq(ipsp_engine_apply(worlds[i]->engine, &update, NOW_S, results),
				 IPSP_OK);
		for (uint32_t k = 0; k < 2 * SAS; k++)
			ck_assert_int_eq(results[k], IPSP_OK);
	}
}

/* What streams depend on and no epoch tells of. */
static void random_change(void)
{
	const struct ipsp_addr elsewhere = { 4, { 203, 0, 113, (uint8_t)rnd(3) } };
	const uint64_t id = OUT_ID + rnd(SAS);
	const uint32_t mtu = 576 + rnd(200), what = rnd(8), log = rnd(2), port = 4501 + rnd(2);

	for (int i = 0; i < 2; i++) {
		struct ipsp_sa *const sa =
			ipsp_sad_find(ipsp_engine_sad(worlds[i]->engine), id);

		switch (what) {
		case 0:
			local_octet = (uint8_t)port;
			break;
		case 1:
			ipsp_peer_set(&sa->peer, &elsewhere, (uint16_t)port);
			break;
		case 2:
			atomic_store(&sa->path.learned_s, NOW_S);
			atomic_store(&sa->path.learned_mtu, mtu);
			break;
		case 3:
			atomic_store(&sa->packet_log, log);
			break;
		default:
			break;
		}
	}
}

/* ---- packets ---- */

static uint32_t random_v4(uint8_t *p)
{
	static const uint8_t header[28] = {
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x10, 0, 0, 0,
	};
	const uint32_t len = 28 + (one_in(8) ? rnd(1000) : rnd(80));

	memcpy(p, header, sizeof(header));
	if (one_in(8))
		p[1] = (uint8_t)rnd(256);
	put_be16(p + 2, (uint16_t)len);
	put_be16(p + 4, (uint16_t)rnd(65536));
	if (one_in(8))
		p[6] = one_in(2) ? 0x40 : 0x20;
	if (one_in(16))
		p[0] = 0x46;
	if (one_in(8))
		p[8] = (uint8_t)(63 + rnd(2));
	if (one_in(6))
		p[9] = (uint8_t)(one_in(2) ? 6 : one_in(2) ? 1 : 50);
	put_be16(p + 10, (uint16_t)rnd(65536));
	p[23] = (uint8_t)rnd(4);
	return len;
}

static uint32_t random_v6(uint8_t *p)
{
	static const uint8_t header[48] = {
		0x60, 0, 0, 0, 0, 0, 17, 64,
		0x20, 1, [23] = 1, [24] = 0x20, 2, [39] = 2, 0x10, 0, 0, 0,
	};
	const uint32_t len = 48 + (one_in(8) ? rnd(1000) + 500 : rnd(80));

	memcpy(p, header, sizeof(header));
	if (one_in(8))
		p[1] = (uint8_t)rnd(256);
	if (one_in(8))
		p[3] = (uint8_t)rnd(2);
	put_be16(p + 4, (uint16_t)(len - 40));
	if (one_in(8))
		p[6] = (uint8_t)(one_in(2) ? 6 : one_in(2) ? 58 : 60);
	p[43] = (uint8_t)rnd(4);
	return len;
}

static struct ipsp_packet random_packet(uint8_t *room)
{
	struct ipsp_packet p = {
		.room = room, .room_len = ROOM, .data = room + IPSP_HEADROOM, .ifindex = WORLD_IF,
	};

	memset(p.data, (int)rnd(256), 1600);
	p.len = one_in(4) ? random_v6(p.data) : random_v4(p.data);
	if (one_in(16))
		p.len -= rnd(20);
	if (one_in(8))
		p.len += rnd(8);
	if (one_in(16))
		p.room_len = IPSP_HEADROOM + p.len + rnd(40);
	if (one_in(16))
		p.flags |= IPSP_PKT_DECREMENT_TTL;
	if (one_in(8)) {
		p.flags |= IPSP_PKT_CSUM_PARTIAL;
		p.csum_start = p.data[0] >> 4 == 4 ? 20 : 40;
		p.csum_offset = (uint16_t)(one_in(4) ? rnd(100) : 6);
	}
	if (one_in(16))
		p.ifindex = WORLD_OTHER_IF;
	return p;
}

static struct ipsp_packet moved_to(const struct ipsp_packet *p, uint8_t *room)
{
	struct ipsp_packet copy = *p;

	memcpy(room, p->room, ROOM);
	copy.room = room;
	copy.data = room + (p->data - p->room);
	return copy;
}

/* ---- outcomes ---- */

static void assert_same(const struct ipsp_packet *a, const struct ipsp_packet *b)
{
	ck_assert_str_eq(ipsp_reason_key(a->reason), ipsp_reason_key(b->reason));
	ck_assert_uint_eq(a->verdict, b->verdict);
	ck_assert_uint_eq(a->entry_id, b->entry_id);
	ck_assert_uint_eq(a->acquire_id, b->acquire_id);
	ck_assert_uint_eq(a->path_mtu, b->path_mtu);
	ck_assert_uint_eq(a->pieces, b->pieces);
	ck_assert_uint_eq(a->sa ? a->sa->id : 0, b->sa ? b->sa->id : 0);
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_int_eq(a->data - a->room, b->data - b->room);
	if (a->verdict != IPSP_VERDICT_ESP_OUT && a->verdict != IPSP_VERDICT_DELIVER)
		return;
	if (a->verdict == IPSP_VERDICT_ESP_OUT)
		ck_assert_uint_eq(a->piece_len, b->piece_len);
	ck_assert_mem_eq(a->data, b->data, a->len);
}

static void collect(void *arg, const struct ipsp_spd_hits *hits)
{
	uint64_t *sum = arg;

	*sum = *sum * 31 + atomic_load(&hits->packets) * 1000003 + atomic_load(&hits->bytes);
}

static void assert_same_counts(void)
{
	struct ipsp_engine_stats stats[2];
	uint64_t hits[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		ipsp_engine_stats(worlds[i]->engine, &stats[i]);
		ipsp_spd_hits_each(ipsp_engine_spd_db(worlds[i]->engine), collect, &hits[i]);
	}
	ck_assert_mem_eq(&stats[0], &stats[1], sizeof(stats[0]));
	ck_assert_uint_eq(hits[0], hits[1]);
	for (uint32_t k = 0; k < 2 * SAS; k++) {
		const struct ipsp_sa *sa[2];

		for (int i = 0; i < 2; i++)
			sa[i] = ipsp_sad_find(ipsp_engine_sad(worlds[i]->engine), sas[k].id);
		ck_assert_uint_eq(atomic_load(&sa[0]->counter->seq),
				  atomic_load(&sa[1]->counter->seq));
		ck_assert_uint_eq(atomic_load(&sa[0]->counter->packets),
				  atomic_load(&sa[1]->counter->packets));
		ck_assert_uint_eq(atomic_load(&sa[0]->counter->bytes),
				  atomic_load(&sa[1]->counter->bytes));
		ck_assert_uint_eq(sa[0]->counter->replay.top, sa[1]->counter->replay.top);
		ck_assert_uint_eq(atomic_load(&sa[0]->drops_icv), atomic_load(&sa[1]->drops_icv));
		ck_assert_uint_eq(atomic_load(&sa[0]->drops_replay),
				  atomic_load(&sa[1]->drops_replay));
		ck_assert_uint_eq(atomic_load(&sa[0]->drops_other),
				  atomic_load(&sa[1]->drops_other));
	}
}

/* Another epoch begins. */
static void forget(struct world *w)
{
	(void)ipsp_engine_sa_flush(w->engine, IPSP_PROTO_AH);
}

static void outbound_vector(struct ipsp_packet packets[2][PACKETS])
{
	for (uint32_t i = 0; i < PACKETS; i++) {
		packets[0][i] = i > 0 && one_in(3) ? moved_to(&packets[0][i - 1], rooms[0][i]) :
						     random_packet(rooms[0][i]);
		packets[1][i] = moved_to(&packets[0][i], rooms[1][i]);
	}
	ck_assert_uint_eq(ipsp_engine_outbound(with.worker, packets[0], PACKETS, NOW_S), PACKETS);
	for (uint32_t i = 0; i < PACKETS; i++) {
		forget(&without);
		ck_assert_uint_eq(ipsp_engine_outbound(without.worker, &packets[1][i], 1, NOW_S),
				  1);
		assert_same(&packets[0][i], &packets[1][i]);
	}
	assert_same_counts();
}

/* The headers of UDP go apart, as sockets tell them. */
static void take_out_of_udp(struct ipsp_packet *p, struct ipsp_flow *outer)
{
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p->data, p->len }, outer),
			 IPSP_REASON_NONE);
	if (outer->proto != 17)
		return;
	p->data += outer->l4_offset + IPSP_UDP_HEADER;
	p->len -= outer->l4_offset + IPSP_UDP_HEADER;
	if (one_in(8))
		outer->sport++;
	p->outer = outer;
}

static void damage(struct ipsp_packet *p)
{
	if (one_in(16))
		p->data[rnd(p->len)] ^= (uint8_t)(1 + rnd(255));
	if (one_in(16))
		p->len -= rnd(p->len);
	if (one_in(16))
		p->flags |= IPSP_PKT_DECREMENT_TTL;
	if (one_in(16) && !p->outer && p->len > 20)
		p->data[1] = (uint8_t)(p->data[1] | 3);
}

static void inbound_vector(const struct ipsp_packet sent[PACKETS])
{
	static struct ipsp_flow outers[PACKETS];
	struct ipsp_packet packets[2][PACKETS];
	uint32_t n = 0;

	for (uint32_t i = 0; i < PACKETS; i++) {
		if (sent[i].verdict != IPSP_VERDICT_ESP_OUT)
			continue;
		packets[0][n] = moved_to(&sent[i], esp_rooms[0][n]);
		packets[0][n].flags = 0;
		take_out_of_udp(&packets[0][n], &outers[n]);
		damage(&packets[0][n]);
		packets[1][n] = moved_to(&packets[0][n], esp_rooms[1][n]);
		n++;
		if (n < PACKETS && n > 1 && one_in(16)) {
			const uint32_t again = rnd(n - 1);

			packets[0][n] = moved_to(&packets[0][again], esp_rooms[0][n]);
			packets[1][n] = moved_to(&packets[1][again], esp_rooms[1][n]);
			n++;
		}
		if (n == PACKETS)
			break;
	}
	ipsp_engine_inbound(with.worker, packets[0], n, NOW_S);
	for (uint32_t i = 0; i < n; i++) {
		forget(&without);
		ipsp_engine_inbound(without.worker, &packets[1][i], 1, NOW_S);
		assert_same(&packets[0][i], &packets[1][i]);
	}
	assert_same_counts();
}

START_TEST(test_a_stream_changes_no_outcome)
{
	static struct ipsp_packet packets[2][PACKETS];

	for (int round = 0; round < 40; round++) {
		next_generation();
		for (int i = 0; i < 5; i++) {
			outbound_vector(packets);
			inbound_vector(packets[0]);
			random_change();
		}
	}
}
END_TEST

/* ---- likeness ---- */

START_TEST(test_headers_of_packets_that_are_alike_say_the_same)
{
	static uint8_t a[1700], b[1700];
	unsigned alike = 0;

	for (int round = 0; round < 200000; round++) {
		const uint32_t len = one_in(4) ? random_v6(a) : random_v4(a);
		const uint32_t len_b = one_in(4) ? random_v6(b) : random_v4(b);
		struct ipsp_flow flow, flow_b;
		struct ipsp_like like;
		uint32_t total_len;

		if (ipsp_flow_parse((struct ipsp_span){ a, len }, &flow) != IPSP_REASON_NONE ||
		    !ipsp_like_of(a, &flow, ipsp_proto_selected(flow.proto), &like) ||
		    !ipsp_is_like(&like, b, len_b, &total_len))
			continue;
		alike++;
		ck_assert_uint_eq(ipsp_like_hash(a, len), ipsp_like_hash(b, len_b));
		ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ b, len_b }, &flow_b),
				 IPSP_REASON_NONE);
		ck_assert_uint_eq(flow_b.total_len, total_len);
		flow.total_len = total_len;
		ck_assert_mem_eq(&flow, &flow_b, sizeof(flow));
	}
	ck_assert_uint_gt(alike, 1000);
}
END_TEST

START_TEST(test_a_packet_shorter_than_its_header_says_is_like_none)
{
	uint8_t p[128] = { 0 };
	struct ipsp_flow flow;
	struct ipsp_like like;
	uint32_t total_len;
	const uint32_t len = random_v4(p) * 0 + 28;

	p[0] = 0x45;
	p[6] = 0;
	put_be16(p + 2, 28);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p, len }, &flow), IPSP_REASON_NONE);
	ck_assert(ipsp_like_of(p, &flow, 4, &like));
	ck_assert(ipsp_is_like(&like, p, len, &total_len));
	put_be16(p + 2, 29);
	ck_assert(!ipsp_is_like(&like, p, len, &total_len));
	put_be16(p + 2, 23);
	ck_assert(!ipsp_is_like(&like, p, len, &total_len));
	put_be16(p + 2, 28);
	ck_assert(!ipsp_is_like(&like, p, 23, &total_len));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/stream");
	TCase *tc = tcase_create("stream");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_a_stream_changes_no_outcome);
	tcase_add_test(tc, test_headers_of_packets_that_are_alike_say_the_same);
	tcase_add_test(tc, test_a_packet_shorter_than_its_header_says_is_like_none);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
