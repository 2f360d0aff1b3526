/*
 * tests/unit/engine/check_cache.c - what a worker remembers of the SPD is what the SPD says: one worker
 * that keeps its memory against one that was made for this packet, while generations change.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define ENTRIES 12
#define SAS 3u
#define SPI 0x1000u
#define PACKETS 64
#define ROOM (IPSP_HEADROOM + 64u + IPSP_TAILROOM)
#define NOW_S 1000u

static struct world w;
static uint8_t rooms[2][PACKETS][ROOM];
static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 33) % n;
}

static void setup(void)
{
	world_init(&w);
	w.memory.platform.n_threads = 2;
}

static void teardown(void)
{
	world_fini(&w);
}

/* ---- policies: few addresses and ports, so that flows meet again and entries overlap ---- */

static const struct ipsp_pred_node ipv4_header_node = {
	.op = IPSP_PRED_OCTETS, .arg = IPSP_CMP_EQUAL, .offset = 8, .first = 0, .count = 1,	/* TTL 64 */
};
static const uint8_t ttl_64[] = { 64 };
static struct ipsp_predicate by_ttl;

static void random_entry(uint64_t id, struct ipsp_selector *box, struct ipsp_spd_entry *e)
{
	ipsp_selector_any(4, box);
	if (rnd(2)) {
		box->src_lo.octets[0] = box->src_hi.octets[0] = 10;
		memset(box->src_hi.octets + 1, 0xff, 3);
		box->src_lo.octets[3] = (uint8_t)rnd(4);
		memset(box->src_lo.octets + 1, 0, 2);
	}
	if (rnd(2))
		box->dport_lo = box->dport_hi = rnd(4);
	if (rnd(3) == 0)
		box->proto_lo = box->proto_hi = 17;
	*e = (struct ipsp_spd_entry){
		.id = id, .action = (uint8_t)rnd(3), .n_selectors = 1, .selectors = box,
	};
	if (e->action == IPSP_PROTECT)
		e->sa_id = 1 + rnd(SAS + 1);	/* one of them is never there */
	if (rnd(4) == 0)
		e->from_s = 1 + rnd(3);
	if (rnd(4) == 0)
		e->predicate = &by_ttl;
}

static void next_generation(bool no_policy)
{
	static uint64_t generation;
	struct ipsp_selector boxes[ENTRIES];
	struct ipsp_spd_entry entries[ENTRIES];
	struct ipsp_sa_config sas[SAS];
	enum ipsp_err results[SAS];
	struct ipsp_spd_list list = {
		.ifindex = WORLD_IF, .dir = IPSP_OUTBOUND,
		.n_entries = 1 + rnd(ENTRIES), .entries = entries,
	};
	struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = no_policy ? 0 : 1,
			 .lists = &list },
		.sas = sas,
	};

	for (uint32_t i = 0; i < list.n_entries; i++)
		random_entry(i + 1, &boxes[i], &entries[i]);
	for (uint64_t id = 1; id <= SAS; id++) {
		if (rnd(4) == 0)
			continue;
		sas[update.n_sas] = world_sa(id, IPSP_OUTBOUND, (uint32_t)(SPI + id + 8 * rnd(3)));
		sas[update.n_sas++].local.family = 0;
		sas[update.n_sas - 1].remote.family = 0;
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, NOW_S, results), IPSP_OK);
}

static void random_packet(struct ipsp_packet *p, uint8_t *room)
{
	static const uint8_t header[28] = {
		0x45, 0, 0, 40, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 9, 9, 9,
	};

	*p = (struct ipsp_packet){
		.room = room, .room_len = ROOM, .data = room + IPSP_HEADROOM, .len = 40,
		.ifindex = rnd(8) ? WORLD_IF : WORLD_OTHER_IF,
	};
	memset(p->data, 0, 40);
	memcpy(p->data, header, sizeof(header));
	p->data[8] = rnd(2) ? 64 : 63;
	p->data[9] = rnd(2) ? 17 : 6;
	p->data[12] = rnd(4) ? 10 : 11;
	p->data[15] = (uint8_t)rnd(4);
	p->data[23] = (uint8_t)rnd(4);
	if (rnd(16) == 0)
		p->data[7] = 1;		/* a later fragment: no ports */
}

/* ESP without its number, which two packets cannot have. */
static bool same_outcome(const struct ipsp_packet *a, const struct ipsp_packet *b)
{
	if (a->verdict != b->verdict || a->reason != b->reason || a->entry_id != b->entry_id ||
	    a->sa != b->sa || a->len != b->len)
		return false;
	return a->verdict != IPSP_VERDICT_ESP_OUT ||
	       get_be32(a->data + 20) == get_be32(b->data + 20);
}

static void one_vector(void)
{
	const uint64_t wall_s = rnd(4);
	struct ipsp_packet with[PACKETS], without[PACKETS];
	struct ipsp_worker *fresh;

	for (int i = 0; i < PACKETS; i++) {
		random_packet(&with[i], rooms[0][i]);
		without[i] = with[i];
		without[i].room = rooms[1][i];
		without[i].data = rooms[1][i] + IPSP_HEADROOM;
		memcpy(without[i].data, with[i].data, with[i].len);
	}
	ipsp_worker_set_wall_clock(w.worker, wall_s);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, with, PACKETS, NOW_S), PACKETS);
	for (int i = 0; i < PACKETS; i++) {
		ck_assert_int_eq(ipsp_worker_new(w.engine, &fresh), IPSP_OK);
		ipsp_worker_set_wall_clock(fresh, wall_s);
		ck_assert_uint_eq(ipsp_engine_outbound(fresh, &without[i], 1, NOW_S), 1);
		ipsp_worker_free(fresh);
		ck_assert_msg(same_outcome(&with[i], &without[i]),
			      "packet %d: %s by entry %lu, not %s by %lu", i,
			      ipsp_reason_key(with[i].reason), (unsigned long)with[i].entry_id,
			      ipsp_reason_key(without[i].reason),
			      (unsigned long)without[i].entry_id);
	}
}

START_TEST(test_what_is_remembered_is_what_lookup_says)
{
	by_ttl = (struct ipsp_predicate){
		.n_nodes = 1, .nodes = &ipv4_header_node,
		.n_octets = sizeof(ttl_64), .octets = ttl_64,
	};
	for (int round = 0; round < 60; round++) {
		next_generation(round % 10 == 9);
		for (int i = 0; i < 3; i++)
			one_vector();
	}
}
END_TEST

START_TEST(test_an_sa_that_went_is_not_used_again)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, IPSP_PORT_NONE, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, SPI);
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	for (int i = 0; i < 2; i++) {
		world_udp(&p, IPSP_OUTBOUND, 1, 10);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		world_packet_free(&p);
	}
	ck_assert_int_eq(world_apply(&w, &all, 1, NULL, 0, NULL), IPSP_OK);
	world_udp(&p, IPSP_OUTBOUND, 1, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_POLICY_NO_SA);
	world_packet_free(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/cache");
	TCase *tc = tcase_create("cache");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_what_is_remembered_is_what_lookup_says);
	tcase_add_test(tc, test_an_sa_that_went_is_not_used_again);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
