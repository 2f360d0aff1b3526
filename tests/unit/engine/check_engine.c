/*
 * tests/unit/engine/check_engine.c - verdicts by policy, generations, numbers, events, epochs.
 *
 * ESP's form is judged by scapy (tests/interop/test_esp_scapy.py); here it is the way of a packet
 * through policy and SAs. RFC 4301 5.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define ANY IPSP_PORT_NONE
#define OUT_SPI 0x1001u
#define IN_SPI 0x1002u

static struct world w;

/* One SA each way with one key: what leaves by SA 1 may come back by SA 2 once it is reflected. */
static void apply_pair(const struct world_rule *rules, uint32_t n)
{
	struct ipsp_sa_config sas[2] = {
		world_sa(1, IPSP_OUTBOUND, OUT_SPI), world_sa(2, IPSP_INBOUND, IN_SPI),
	};
	enum ipsp_err results[2];

	ck_assert_int_eq(world_apply(&w, rules, n, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(results[0], IPSP_OK);
	ck_assert_int_eq(results[1], IPSP_OK);
}

static enum ipsp_reason pass_udp(enum ipsp_dir dir, uint16_t dport, enum ipsp_verdict verdict)
{
	struct ipsp_packet p;
	enum ipsp_reason reason;

	world_udp(&p, dir, dport, 10);
	reason = world_pass(&w, dir, &p);
	ck_assert_int_eq(p.verdict, verdict);
	world_packet_free(&p);
	return reason;
}

START_TEST(test_before_the_first_generation_everything_is_dropped)
{
	ck_assert_uint_eq(ipsp_engine_generation(w.engine), 0);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 80, IPSP_VERDICT_DROP),
			 IPSP_REASON_POLICY_DEFAULT);
	ck_assert_int_eq(pass_udp(IPSP_INBOUND, 80, IPSP_VERDICT_DROP), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

/* RFC 4301 5.2 has it dropped, but the entry may let it in; it sends nothing in the clear. */
START_TEST(test_an_entry_may_accept_clear_packets_that_come_in)
{
	struct ipsp_selector any;
	struct ipsp_spd_entry entry = { .id = 31, .action = IPSP_PROTECT, .accept_clear = true,
					.n_selectors = 1, .selectors = &any };
	const struct ipsp_spd_list lists[2] = {
		{ .ifindex = WORLD_IF, .dir = IPSP_INBOUND, .n_entries = 1, .entries = &entry },
		{ .ifindex = WORLD_IF, .dir = IPSP_OUTBOUND, .n_entries = 1, .entries = &entry },
	};
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
	};

	ipsp_selector_any(4, &any);
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
	ck_assert_int_eq(pass_udp(IPSP_INBOUND, 80, IPSP_VERDICT_BYPASS), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 80, IPSP_VERDICT_DROP),
			 IPSP_REASON_POLICY_NO_SA);
	entry.accept_clear = false;
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
	ck_assert_int_eq(pass_udp(IPSP_INBOUND, 80, IPSP_VERDICT_DROP), IPSP_REASON_POLICY_CLEAR);
	entry.accept_clear = true;
	entry.action = IPSP_BYPASS;
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_EINVAL);
}
END_TEST

static const struct world_rule mixed[] = {
	{ 11, IPSP_DISCARD, 0, 1, false },
	{ 12, IPSP_BYPASS, 0, 2, false },
	{ 13, IPSP_PROTECT, 1, 3, false },
	{ 14, IPSP_PROTECT, 77, 4, false },	/* no such SA */
	{ 15, IPSP_PROTECT, 2, 5, false },	/* an inbound SA */
	{ 16, IPSP_PROTECT, 0, 6, false },	/* none in force */
};

static const struct {
	const char *name;
	enum ipsp_dir dir;
	uint16_t dport;
	enum ipsp_verdict verdict;
	enum ipsp_reason reason;
	uint64_t entry_id;
} clear_cases[] = {
	{ "out discard", IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DISCARD, 11 },
	{ "out bypass", IPSP_OUTBOUND, 2, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE, 12 },
	{ "out protect", IPSP_OUTBOUND, 3, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, 13 },
	{ "out unknown SA", IPSP_OUTBOUND, 4, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA, 14 },
	{ "out inbound SA", IPSP_OUTBOUND, 5, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA, 15 },
	{ "out no SA", IPSP_OUTBOUND, 6, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA, 16 },
	{ "out default", IPSP_OUTBOUND, 7, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT, 0 },
	{ "in discard", IPSP_INBOUND, 1, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DISCARD, 11 },
	{ "in bypass", IPSP_INBOUND, 2, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE, 12 },
	{ "in clear", IPSP_INBOUND, 3, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_CLEAR, 13 },
	{ "in default", IPSP_INBOUND, 7, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT, 0 },
};

START_TEST(test_clear_packets_go_as_their_first_entry_says)
{
	struct ipsp_engine_stats stats;
	struct ipsp_packet p;
	unsigned dir = clear_cases[_i].dir - 1;

	apply_pair(mixed, 6);
	world_udp(&p, clear_cases[_i].dir, clear_cases[_i].dport, 10);
	ck_assert_msg(world_pass(&w, clear_cases[_i].dir, &p) == clear_cases[_i].reason, "%s",
		      clear_cases[_i].name);
	ck_assert_int_eq(p.verdict, clear_cases[_i].verdict);
	ck_assert_uint_eq(p.entry_id, clear_cases[_i].entry_id);
	if (p.verdict == IPSP_VERDICT_BYPASS)
		ck_assert_ptr_eq(p.data, p.room + IPSP_HEADROOM);
	world_packet_free(&p);
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.verdicts[dir][clear_cases[_i].verdict], 1);
	if (clear_cases[_i].reason)
		ck_assert_uint_eq(stats.reasons[dir][clear_cases[_i].reason], 1);
}
END_TEST

START_TEST(test_an_interface_without_policy_is_untouched)
{
	struct ipsp_packet p;
	uint8_t junk[4] = { 0xff };

	apply_pair(mixed, 6);
	for (int dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		world_udp(&p, (enum ipsp_dir)dir, 1, 10);
		p.ifindex = WORLD_OTHER_IF;
		ck_assert_int_eq(world_pass(&w, (enum ipsp_dir)dir, &p), IPSP_REASON_NONE);
		ck_assert_int_eq(p.verdict, IPSP_VERDICT_BYPASS);
		ck_assert_uint_eq(p.entry_id, 0);
		world_packet_free(&p);
		p = (struct ipsp_packet){ .room = junk, .data = junk, .len = 4, .room_len = 4,
					  .ifindex = WORLD_OTHER_IF };
		world_pass(&w, (enum ipsp_dir)dir, &p);
		ck_assert_int_eq(p.verdict, IPSP_VERDICT_BYPASS);
	}
}
END_TEST

/* An ESP packet for SA 2, with what SA 1 would seal. */
static void make_esp(struct ipsp_packet *p, uint16_t dport)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };

	apply_pair(&all, 1);
	world_udp(p, IPSP_OUTBOUND, dport, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, p), IPSP_REASON_NONE);
	ck_assert_int_eq(p->verdict, IPSP_VERDICT_ESP_OUT);
}

/* The ICV covers the SPI, so both SAs of these tests have one. */
static void apply_in(const struct world_rule *rules, uint32_t n)
{
	struct ipsp_sa_config sas[2] = {
		world_sa(1, IPSP_OUTBOUND, OUT_SPI), world_sa(2, IPSP_INBOUND, OUT_SPI),
	};

	sas[1].counter_id = 3;
	ck_assert_int_eq(world_apply(&w, rules, n, sas, 2, NULL), IPSP_OK);
}

static const struct {
	const char *name;
	struct world_rule rule;
	uint32_t ifindex;
	enum ipsp_verdict verdict;
	enum ipsp_reason reason;
} inner_cases[] = {
	{ "protect with this SA", { 21, IPSP_PROTECT, 2, 53, false }, WORLD_IF,
	  IPSP_VERDICT_DELIVER, IPSP_REASON_NONE },
	{ "protect with another SA", { 21, IPSP_PROTECT, 1, 53, false }, WORLD_IF,
	  IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH },
	{ "bypass", { 21, IPSP_BYPASS, 0, 53, false }, WORLD_IF, IPSP_VERDICT_DROP,
	  IPSP_REASON_POLICY_MISMATCH },
	{ "discard", { 21, IPSP_DISCARD, 0, 53, false }, WORLD_IF, IPSP_VERDICT_DROP,
	  IPSP_REASON_POLICY_DISCARD },
	{ "no entry", { 21, IPSP_PROTECT, 2, 54, false }, WORLD_IF, IPSP_VERDICT_DROP,
	  IPSP_REASON_POLICY_DEFAULT },
	{ "no policy on this interface", { 21, IPSP_PROTECT, 2, 53, false }, WORLD_OTHER_IF,
	  IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH },
};

START_TEST(test_what_was_inside_must_have_come_by_the_sa_its_policy_asks_for)
{
	struct ipsp_packet p;

	make_esp(&p, 53);
	apply_in(&inner_cases[_i].rule, 1);
	world_reflect(&p, OUT_SPI);
	p.ifindex = inner_cases[_i].ifindex;
	ck_assert_msg(world_pass(&w, IPSP_INBOUND, &p) == inner_cases[_i].reason, "%s: %s",
		      inner_cases[_i].name, ipsp_reason_key(p.reason));
	ck_assert_int_eq(p.verdict, inner_cases[_i].verdict);
	ck_assert_uint_eq(p.sa->id, 2);
	ck_assert_uint_eq(p.sa->counter->packets, 1);
	if (p.verdict == IPSP_VERDICT_DELIVER) {
		ck_assert_uint_eq(p.entry_id, 21);
		ck_assert_uint_eq(p.len, 38);
		ck_assert_uint_eq(p.data[9], 17);
	} else {
		ck_assert_uint_eq(w.audits, 1);
		ck_assert_uint_eq(w.last_audit.sa_id, 2);
	}
	world_packet_free(&p);
}
END_TEST

START_TEST(test_copies_of_a_packet_in_one_vector_pass_once)
{
	static const struct world_rule all = { 21, IPSP_PROTECT, 2, ANY, false };
	struct ipsp_packet p[3];
	unsigned delivered = 0, replayed = 0;

	make_esp(&p[0], 53);
	world_reflect(&p[0], OUT_SPI);
	for (int i = 1; i < 3; i++) {
		p[i] = p[0];
		p[i].room = malloc(p[0].room_len);
		memcpy(p[i].room, p[0].room, p[0].room_len);
		p[i].data = p[i].room + (p[0].data - p[0].room);
	}
	apply_in(&all, 1);
	ipsp_engine_inbound(w.worker, p, 3, 1000);
	for (int i = 0; i < 3; i++) {
		delivered += p[i].verdict == IPSP_VERDICT_DELIVER;
		replayed += p[i].reason == IPSP_REASON_REPLAY;
		world_packet_free(&p[i]);
	}
	ck_assert_uint_eq(delivered, 1);
	ck_assert_uint_eq(replayed, 2);
	ck_assert_uint_eq(ipsp_sad_find(ipsp_engine_sad(w.engine), 2)->drops_replay, 2);
}
END_TEST

START_TEST(test_transit_esp_is_a_protocol_like_any_other)
{
	static const struct world_rule bypass = { 31, IPSP_BYPASS, 0, ANY, false };
	struct ipsp_packet p;

	make_esp(&p, 53);
	apply_in(&bypass, 1);
	world_reflect(&p, OUT_SPI);
	p.flags = IPSP_PKT_TRANSIT;
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_BYPASS);
	world_packet_free(&p);
}
END_TEST

/* More than a batch, of two SAs and a bypass in turn. */
START_TEST(test_a_mixed_vector_is_numbered_in_order)
{
	static const struct world_rule rules[] = {
		{ 1, IPSP_PROTECT, 1, 1, false }, { 2, IPSP_PROTECT, 2, 2, false },
		{ 3, IPSP_BYPASS, 0, 3, false },
	};
	struct ipsp_sa_config sas[2] = {
		world_sa(1, IPSP_OUTBOUND, 0x1001), world_sa(2, IPSP_OUTBOUND, 0x1002),
	};
	struct ipsp_packet p[WORLD_PACKETS];
	uint32_t next[3] = { 0, 1, 1 };

	sas[1].encr = IPSP_ENCR_AES_CBC;
	sas[1].encr_key_bits = 128;
	sas[1].encr_key.len = 16;
	ck_assert_int_eq(world_apply(&w, rules, 3, sas, 2, NULL), IPSP_OK);
	for (unsigned i = 0; i < WORLD_PACKETS; i++)
		world_udp(&p[i], IPSP_OUTBOUND, i < 40 ? 1 : (uint16_t)(i % 3 + 1), i);
	ipsp_engine_outbound(w.worker, p, WORLD_PACKETS, 1000);
	for (unsigned i = 0; i < WORLD_PACKETS; i++) {
		unsigned sa = i < 40 ? 1 : i % 3 + 1;

		if (sa == 3) {
			ck_assert_int_eq(p[i].verdict, IPSP_VERDICT_BYPASS);
		} else {
			ck_assert_int_eq(p[i].verdict, IPSP_VERDICT_ESP_OUT);
			ck_assert_uint_eq(p[i].sa->id, sa);
			ck_assert_uint_eq(get_be32(p[i].data + 20), 0x1000 + sa);
			ck_assert_uint_eq(get_be32(p[i].data + 24), next[sa]++);
		}
		world_packet_free(&p[i]);
	}
}
END_TEST

START_TEST(test_numbers_stop_at_the_ceiling_until_it_is_raised)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);
	struct ipsp_packet p[3];

	sa.seq_floor = 10;
	sa.seq_ceiling = 12;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	for (int i = 0; i < 3; i++)
		world_udp(&p[i], IPSP_OUTBOUND, 1, 1);
	ipsp_engine_outbound(w.worker, p, 3, 1000);
	ck_assert_uint_eq(get_be32(p[0].data + 24), 11);
	ck_assert_uint_eq(get_be32(p[1].data + 24), 12);
	ck_assert_int_eq(p[2].reason, IPSP_REASON_SEQ_RESERVATION);
	for (int i = 0; i < 3; i++)
		world_packet_free(&p[i]);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP),
			 IPSP_REASON_SEQ_RESERVATION);
	ck_assert_int_eq(ipsp_sad_raise_ceiling(ipsp_engine_sad(w.engine), 1, 13), IPSP_OK);
	world_udp(&p[0], IPSP_OUTBOUND, 1, 1);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p[0]), IPSP_REASON_NONE);
	ck_assert_uint_eq(get_be32(p[0].data + 24), 13);
	world_packet_free(&p[0]);
}
END_TEST

START_TEST(test_the_last_number_of_32_bits_is_used_and_none_after)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);

	sa.seq_floor = 0xfffffffe;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_ESP_OUT), IPSP_REASON_NONE);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_SEQ_EXHAUSTED);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_SEQ_EXHAUSTED);
	ck_assert_uint_eq(w.audits, 2);
}
END_TEST

START_TEST(test_numbers_go_on_over_a_restart_of_the_engine)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_packet p;

	apply_pair(&all, 1);
	pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_ESP_OUT);
	world_restart(&w);
	apply_pair(&all, 1);
	world_udp(&p, IPSP_OUTBOUND, 1, 1);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(get_be32(p.data + 24), 2);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_a_refused_sa_is_not_in_force_and_its_traffic_drops)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sas[2] = {
		world_sa(1, IPSP_OUTBOUND, OUT_SPI), world_sa(2, IPSP_INBOUND, IN_SPI),
	};
	enum ipsp_err results[2];

	apply_pair(&all, 1);
	sas[0].integ_key.len = 3;
	sas[0].counter_id = 9;
	ck_assert_int_eq(world_apply(&w, &all, 1, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(results[0], IPSP_EKEYLEN);
	ck_assert_int_eq(results[1], IPSP_OK);
	ck_assert_ptr_null(ipsp_sad_find(ipsp_engine_sad(w.engine), 1));
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_POLICY_NO_SA);
}
END_TEST

START_TEST(test_a_refused_update_changes_nothing)
{
	static const struct world_rule good = { 1, IPSP_PROTECT, 1, ANY, false };
	static const struct world_rule bad = { 0, IPSP_BYPASS, 0, ANY, false };
	struct ipsp_sa_config sa = world_sa(5, IPSP_OUTBOUND, OUT_SPI);
	enum ipsp_err result = IPSP_EICV;
	uint64_t generation;

	apply_pair(&good, 1);
	generation = ipsp_engine_generation(w.engine);
	ck_assert_int_eq(world_apply(&w, &bad, 1, &sa, 1, &result), IPSP_EINVAL);
	ck_assert_int_eq(result, IPSP_EICV);
	ck_assert_uint_eq(ipsp_engine_generation(w.engine), generation);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 2);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_ESP_OUT), IPSP_REASON_NONE);
	for (long n = 0; n < 3; n++) {
		w.memory.fail_at = n;
		ck_assert_int_eq(world_apply(&w, &bad, 1, &sa, 1, &result), IPSP_ENOMEM);
		ck_assert_uint_eq(ipsp_engine_generation(w.engine), generation);
	}
	w.memory.fail_at = -1;
}
END_TEST

START_TEST(test_two_sas_may_exchange_their_spis_in_one_update)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sas[3] = {
		world_sa(1, IPSP_INBOUND, 0x1001), world_sa(2, IPSP_INBOUND, 0x1002),
		world_sa(3, IPSP_INBOUND, 0x1001),
	};
	enum ipsp_err results[3];
	const struct ipsp_addr us = { 4, { 192, 0, 2, 1 } };
	struct ipsp_sad *sad = ipsp_engine_sad(w.engine);

	ck_assert_int_eq(world_apply(&w, &all, 1, sas, 2, results), IPSP_OK);
	sas[0].spi = 0x1002;
	sas[1].spi = 0x1001;
	ck_assert_int_eq(world_apply(&w, &all, 1, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(results[0] | results[1], IPSP_OK);
	ck_assert_uint_eq(ipsp_sad_find_inbound(sad, 0x1001, 50, &us)->id, 2);
	/* A new SA may have the SPI of one that goes. */
	ck_assert_int_eq(world_apply(&w, &all, 1, &sas[2], 1, results), IPSP_OK);
	ck_assert_int_eq(results[0], IPSP_OK);
	ck_assert_uint_eq(ipsp_sad_find_inbound(sad, 0x1001, 50, &us)->id, 3);
	ck_assert_uint_eq(ipsp_sad_count(sad), 1);
}
END_TEST

START_TEST(test_a_difference_leaves_other_sas_alone)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	const uint64_t gone[] = { 2, 99 };
	struct ipsp_update update = {
		.spd = { .generation = 5 }, .n_removed_sas = 2, .removed_sas = gone,
	};

	apply_pair(&all, 1);
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
	ck_assert_uint_eq(ipsp_engine_generation(w.engine), 5);
	ck_assert_ptr_nonnull(ipsp_sad_find(ipsp_engine_sad(w.engine), 1));
	ck_assert_ptr_null(ipsp_sad_find(ipsp_engine_sad(w.engine), 2));
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_ESP_OUT), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_an_expired_sa_drops_and_is_told_once)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);
	struct ipsp_packet p;

	sa.life_s = 60;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	world_udp(&p, IPSP_OUTBOUND, 1, 1);
	ipsp_engine_outbound(w.worker, &p, 1, 1060);
	ck_assert_int_eq(p.reason, IPSP_REASON_SA_EXPIRED);
	world_packet_free(&p);
	ipsp_engine_tick(w.engine, 1059);
	ck_assert_uint_eq(w.expired, 0);
	ipsp_engine_tick(w.engine, 1060);
	ipsp_engine_tick(w.engine, 1061);
	ck_assert_uint_eq(w.expired, 1);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_SA_NOT_USABLE);
}
END_TEST

START_TEST(test_an_expired_sa_takes_nothing_in)
{
	static const struct world_rule all = { 21, IPSP_PROTECT, 2, ANY, false };
	struct ipsp_packet p;

	make_esp(&p, 53);
	apply_in(&all, 1);
	world_reflect(&p, OUT_SPI);
	ck_assert_int_eq(ipsp_sad_set_state(ipsp_engine_sad(w.engine), 2, IPSP_SA_DEAD), IPSP_OK);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_SA_NOT_USABLE);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_a_failing_random_source_sends_nothing)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);

	sa.encr = IPSP_ENCR_AES_CBC;
	sa.encr_key_bits = 128;
	sa.encr_key.len = 16;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	w.memory.random_fails = true;
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_CRYPTO);
	w.memory.random_fails = false;
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(ipsp_engine_sad(w.engine), 1)), 0);
}
END_TEST

START_TEST(test_logged_entries_are_reported_at_a_rate)
{
	static const struct world_rule rules[] = {
		{ 1, IPSP_DISCARD, 0, 1, true }, { 2, IPSP_BYPASS, 0, ANY, false },
	};

	apply_pair(rules, 2);
	pass_udp(IPSP_OUTBOUND, 2, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(w.logs, 0);
	for (int i = 0; i < 50; i++)
		pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(w.logs, 20);
	ck_assert_uint_eq(w.last_log.entry_id, 1);
	ck_assert_uint_eq(w.last_log.reason, IPSP_REASON_POLICY_DISCARD);
	ck_assert_uint_eq(w.last_log.ifindex, WORLD_IF);
	ck_assert_uint_eq(w.last_log.suppressed, 0);

	struct ipsp_packet p;

	world_udp(&p, IPSP_OUTBOUND, 1, 1);
	ipsp_engine_outbound(w.worker, &p, 1, 1001);
	world_packet_free(&p);
	ck_assert_uint_eq(w.logs, 21);
	ck_assert_uint_eq(w.last_log.suppressed, 30);
}
END_TEST

START_TEST(test_an_entry_with_many_packets_hides_no_other_one)
{
	static const struct world_rule rules[] = {
		{ 1, IPSP_DISCARD, 0, 1, true }, { 2, IPSP_DISCARD, 0, 2, true },
		{ 3, IPSP_DISCARD, 0, ANY, true },
	};

	apply_pair(rules, 3);
	for (int i = 0; i < 50; i++)
		pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(w.logs, 20);
	for (uint16_t port = 2; port <= 3; port++) {
		pass_udp(IPSP_OUTBOUND, port, IPSP_VERDICT_DROP);
		ck_assert_uint_eq(w.last_log.entry_id, port);
		pass_udp(IPSP_OUTBOUND, port, IPSP_VERDICT_DROP);
	}
	ck_assert_uint_eq(w.logs, 22);
}
END_TEST

START_TEST(test_packets_that_cannot_be_grown_or_read_are_dropped)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_packet p;

	apply_pair(&all, 1);
	world_udp(&p, IPSP_OUTBOUND, 1, 10);
	p.room_len = IPSP_HEADROOM + p.len + 12;	/* one less than pad, trailer and ICV */
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NO_ROOM);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 1, 10);
	p.room_len -= IPSP_HEADROOM - 7;
	uint8_t *whole = p.room;

	p.room = p.data - 7;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NO_ROOM);
	p.room = whole;
	p.room_len += IPSP_HEADROOM - 7;
	p.len = p.room_len + 1;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NO_ROOM);
	p.len = 5;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TRUNCATED);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 1, 10);
	p.segment_size = 1;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_SEGMENTS);
	p.segment_size = 0;
	p.flags = IPSP_PKT_CSUM_PARTIAL;
	p.csum_start = 30;
	p.csum_offset = 7;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_CHECKSUM);
	p.csum_offset = 0;
	p.csum_start = 10;	/* the IPv4 header's own */
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_CHECKSUM);
	p.csum_start = 20;	/* a port */
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_CHECKSUM);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_an_ipv4_packet_of_full_size_is_too_big)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	/* 20 and 8 before, 12 of ICV behind: 65495 octets of text, or 65492 in whole words, with
	 * 2 of trailer. */
	static const struct {
		uint32_t len;
		enum ipsp_reason reason;
	} sizes[] = { { 65510, IPSP_REASON_NONE }, { 65511, IPSP_REASON_TOO_BIG },
		      { 65535, IPSP_REASON_TOO_BIG } };

	apply_pair(&all, 1);
	for (int i = 0; i < 3; i++) {
		struct ipsp_packet p;

		world_udp(&p, IPSP_OUTBOUND, 1, sizes[i].len - 28);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), sizes[i].reason);
		world_packet_free(&p);
	}
}
END_TEST

START_TEST(test_unfinished_checksums_are_finished_before_encryption)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_packet p;

	apply_pair(&all, 1);
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	/* Pseudo header: 192.0.2.1, 192.0.2.2, protocol 17, length 11, summed by hand. */
	put_be16(p.data + 26, (uint16_t)((0xc000u + 0x0201 + 0xc000 + 0x0202 + 17 + 11) -
					 0xffff));
	memcpy(p.data + 28, "abc", 3);
	p.flags = IPSP_PKT_CSUM_PARTIAL;
	p.csum_start = 20;
	p.csum_offset = 6;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);

	const uint8_t *udp = p.data + 28;
	uint32_t sum = 0xc000 + 0x0201 + 0xc000 + 0x0202 + 17 + 11;

	for (int i = 0; i < 10; i += 2)
		sum += get_be16(udp + i);
	sum += (uint32_t)udp[10] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ck_assert_uint_eq(sum, 0xffff);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_forwarded_packets_lose_one_hop_in_a_tunnel)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);
	struct ipsp_packet p;

	sa.mode = IPSP_MODE_TUNNEL;
	sa.df = IPSP_DF_COPY;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	p.flags = IPSP_PKT_DECREMENT_TTL;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[8], 64);
	ck_assert_uint_eq(p.data[28 + 8], 63);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	p.flags = IPSP_PKT_DECREMENT_TTL;
	p.data[8] = 1;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TTL);
	world_packet_free(&p);
}
END_TEST

/* RFC 4301 5.1.2.1: who forwards it is who says so, to the sender in the tunnel. */
START_TEST(test_forwarded_packets_lose_one_hop_behind_a_tunnel)
{
	static const struct world_rule out = { 1, IPSP_PROTECT, 1, ANY, false };
	static const struct world_rule in = { 1, IPSP_PROTECT, 2, ANY, false };
	struct ipsp_sa_config sas[2] = { world_sa(1, IPSP_OUTBOUND, OUT_SPI),
					 world_sa(2, IPSP_INBOUND, OUT_SPI) };
	const uint8_t ttl = (uint8_t)(1 + _i);
	struct ipsp_packet p;

	for (int i = 0; i < 2; i++) {
		sas[i].mode = IPSP_MODE_TUNNEL;
		sas[i].df = IPSP_DF_COPY;
	}
	sas[1].local = sas[0].remote;
	sas[1].remote = sas[0].local;
	ck_assert_int_eq(world_apply(&w, &out, 1, sas, 2, NULL), IPSP_OK);
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	p.data[8] = ttl;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_int_eq(world_apply(&w, &in, 1, sas, 2, NULL), IPSP_OK);
	p.flags = IPSP_PKT_DECREMENT_TTL;
	if (ttl > 1) {
		ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
		ck_assert_int_eq(p.verdict, IPSP_VERDICT_DELIVER);
		ck_assert_uint_eq(p.data[8], 1);
	} else {
		ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_TTL);
		ck_assert_int_eq(p.verdict, IPSP_VERDICT_ERROR);
		ck_assert_uint_eq(p.data[20], 11);
		ck_assert_uint_eq(p.data[19], 1);
		ck_assert_uint_eq(p.data[28 + 9], 17);
	}
	world_packet_free(&p);
}
END_TEST

static enum ipsp_err local_addr(void *ctx, const struct ipsp_addr *remote,
				struct ipsp_addr *local)
{
	(void)ctx;
	*local = *remote;
	local->octets[3] ^= 0x80;
	return remote->octets[3] == 2 ? IPSP_OK : IPSP_ENOENT;
}

START_TEST(test_tunnel_ends_that_are_not_configured_come_from_packet_and_routing)
{
	static const struct world_rule all = { 1, IPSP_PROTECT, 1, ANY, false };
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, OUT_SPI);
	struct ipsp_packet p;

	sa.mode = IPSP_MODE_TUNNEL;
	sa.df = IPSP_DF_COPY;
	sa.local.family = sa.remote.family = 0;
	ck_assert_int_eq(world_apply(&w, &all, 1, &sa, 1, NULL), IPSP_OK);
	ck_assert_int_eq(pass_udp(IPSP_OUTBOUND, 1, IPSP_VERDICT_DROP), IPSP_REASON_TUNNEL_LOCAL);
	w.memory.platform.local_addr = local_addr;
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[15], 0x82);
	ck_assert_uint_eq(p.data[19], 2);
	world_packet_free(&p);
	world_udp(&p, IPSP_OUTBOUND, 1, 3);
	p.data[19] = 9;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_TUNNEL_LOCAL);
	world_packet_free(&p);
}
END_TEST

static struct world_rule two[2] = {
	{ 1, IPSP_PROTECT, 1, ANY, true }, { 2, IPSP_BYPASS, 0, ANY, false },
};
static size_t octets_inside;

/* A generation that comes while a packet call runs: what the call sees must stay. */
static void apply_from_inside(void *ctx, const struct ipsp_log_event *event)
{
	struct ipsp_update update = { .spd = { .generation = 99, .full = true } };

	(void)ctx;
	(void)event;
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
	ipsp_engine_tick(w.engine, 1000);
	octets_inside = w.memory.octets;
}

START_TEST(test_nothing_is_freed_while_a_packet_call_can_see_it)
{
	struct ipsp_packet p[2];

	w.config.events.log = apply_from_inside;
	world_restart(&w);
	apply_pair(two, 2);
	for (int i = 0; i < 2; i++)
		world_udp(&p[i], IPSP_OUTBOUND, 1, 1);
	/* The first packet's log event takes its own SA and list away. */
	ipsp_engine_outbound(w.worker, p, 2, 1000);
	ck_assert_int_eq(p[1].verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p[1].sa->id, 1);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 0);
	ipsp_engine_tick(w.engine, 1000);
	ck_assert_uint_lt(w.memory.octets, octets_inside);
	for (int i = 0; i < 2; i++)
		world_packet_free(&p[i]);
}
END_TEST

START_TEST(test_workers_are_limited_and_their_counts_stay)
{
	static const struct world_rule bypass = { 2, IPSP_BYPASS, 0, ANY, false };
	struct ipsp_worker *more[IPSP_WORKERS_MAX];
	struct ipsp_engine_stats stats;
	unsigned n = 0;

	apply_pair(&bypass, 1);
	ck_assert_int_eq(ipsp_worker_new(w.engine, &more[0]), IPSP_ENOSPC);
	w.memory.platform.n_threads = IPSP_WORKERS_MAX;
	while (n < IPSP_WORKERS_MAX && ipsp_worker_new(w.engine, &more[n]) == IPSP_OK)
		n++;
	ck_assert_uint_eq(n, IPSP_WORKERS_MAX - 1);
	for (unsigned i = 0; i < n; i++) {
		struct ipsp_packet p;

		world_udp(&p, IPSP_OUTBOUND, 1, 1);
		ipsp_engine_outbound(more[i], &p, 1, 1000);
		world_packet_free(&p);
		ipsp_worker_free(more[i]);
	}
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.verdicts[1][IPSP_VERDICT_BYPASS], n);
}
END_TEST

START_TEST(test_every_reason_has_its_own_key)
{
	for (int i = 0; i < IPSP_N_REASONS; i++) {
		const char *key = ipsp_reason_key((enum ipsp_reason)i);

		ck_assert_uint_eq(strspn(key, "abcdefghijklmnopqrstuvwxyz-"), strlen(key));
		ck_assert_str_ne(ipsp_reason_text((enum ipsp_reason)i), "");
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(key, ipsp_reason_key((enum ipsp_reason)j));
	}
	ck_assert_str_eq(ipsp_reason_key(IPSP_N_REASONS), "unknown");
	ck_assert_str_eq(ipsp_reason_text(IPSP_N_REASONS), "unknown");
}
END_TEST

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_fini(&w);
}

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_before_the_first_generation_everything_is_dropped);
	tcase_add_loop_test(tc, test_clear_packets_go_as_their_first_entry_says, 0,
			    sizeof(clear_cases) / sizeof(clear_cases[0]));
	tcase_add_test(tc, test_an_interface_without_policy_is_untouched);
	tcase_add_loop_test(tc, test_what_was_inside_must_have_come_by_the_sa_its_policy_asks_for,
			    0, sizeof(inner_cases) / sizeof(inner_cases[0]));
	tcase_add_test(tc, test_copies_of_a_packet_in_one_vector_pass_once);
	tcase_add_test(tc, test_transit_esp_is_a_protocol_like_any_other);
	tcase_add_test(tc, test_a_mixed_vector_is_numbered_in_order);
	tcase_add_test(tc, test_numbers_stop_at_the_ceiling_until_it_is_raised);
	tcase_add_test(tc, test_the_last_number_of_32_bits_is_used_and_none_after);
	tcase_add_test(tc, test_numbers_go_on_over_a_restart_of_the_engine);
	tcase_add_test(tc, test_a_refused_sa_is_not_in_force_and_its_traffic_drops);
	tcase_add_test(tc, test_a_refused_update_changes_nothing);
	tcase_add_test(tc, test_two_sas_may_exchange_their_spis_in_one_update);
	tcase_add_test(tc, test_a_difference_leaves_other_sas_alone);
	tcase_add_test(tc, test_an_expired_sa_drops_and_is_told_once);
	tcase_add_test(tc, test_an_expired_sa_takes_nothing_in);
	tcase_add_test(tc, test_a_failing_random_source_sends_nothing);
	tcase_add_test(tc, test_logged_entries_are_reported_at_a_rate);
	tcase_add_test(tc, test_an_entry_with_many_packets_hides_no_other_one);
	tcase_add_test(tc, test_packets_that_cannot_be_grown_or_read_are_dropped);
	tcase_add_test(tc, test_an_ipv4_packet_of_full_size_is_too_big);
	tcase_add_test(tc, test_unfinished_checksums_are_finished_before_encryption);
	tcase_add_test(tc, test_forwarded_packets_lose_one_hop_in_a_tunnel);
	tcase_add_loop_test(tc, test_forwarded_packets_lose_one_hop_behind_a_tunnel, 0, 2);
	tcase_add_test(tc, test_tunnel_ends_that_are_not_configured_come_from_packet_and_routing);
	tcase_add_test(tc, test_nothing_is_freed_while_a_packet_call_can_see_it);
	tcase_add_test(tc, test_workers_are_limited_and_their_counts_stay);
	tcase_add_test(tc, test_every_reason_has_its_own_key);
	tcase_add_test(tc, test_an_entry_may_accept_clear_packets_that_come_in);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
