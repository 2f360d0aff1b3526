/*
 * tests/unit/engine/check_unasked.c - SAs that no entry asks for any more: what may still come in under
 * them, for how long, and what may not. RFC 4301 5.2; engine/unasked.h.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine/world.h"

#define REQID 7u
#define SPI 0x1000u		/* of both directions, so that what leaves can come back */
#define GONE_S 1000u		/* when the entries go */

static struct world w;

/* ---- policy, and SAs of either kind ---- */

/** Whose the SAs are. */
enum { POLICY, KEY_MANAGER, KINDS };

static int kind;

static struct ipsp_template template(uint8_t proto)
{
	return (struct ipsp_template){
		.proto = proto, .mode = IPSP_MODE_TRANSPORT, .reqid = REQID,
	};
}

static struct ipsp_sa_config sa(enum ipsp_dir dir)
{
	struct ipsp_sa_config c = world_sa(dir, dir, SPI);

	if (kind == KEY_MANAGER) {
		c.id = c.counter_id = 0;
		c.origin = IPSP_ORIGIN_PFKEY;
		c.reqid = REQID;
	}
	return c;
}

static struct ipsp_selector box_of(uint32_t dport)
{
	struct ipsp_selector s;

	ipsp_selector_any(4, &s);
	if (dport != IPSP_PORT_NONE)
		s.dport_lo = s.dport_hi = dport;
	return s;
}

/* Entries for one port each, with those changes of what is asked for. */
static void apply(const struct world_rule *rules, uint32_t n_rules, const struct ipsp_unasked *unasked,
		  uint32_t n_unasked)
{
	static uint64_t generation = 100;
	const struct ipsp_template t = template(IPSP_PROTO_ESP);
	const struct ipsp_sa_config sas[] = { sa(IPSP_INBOUND), sa(IPSP_OUTBOUND) };
	struct ipsp_selector boxes[4];
	struct ipsp_spd_entry entries[2][4];
	struct ipsp_spd_list lists[2];
	enum ipsp_err results[2];
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = kind == POLICY ? 2 : 0, .sas = sas,
		.n_unasked = n_unasked, .unasked = unasked,
	};

	ck_assert_uint_le(n_rules, 4);
	for (int out = 0; out < 2; out++) {
		for (uint32_t i = 0; i < n_rules; i++) {
			const bool asks = rules[i].action == IPSP_PROTECT && kind == KEY_MANAGER &&
					  rules[i].sa_id == 0;

			boxes[i] = box_of(rules[i].dport);
			entries[out][i] = (struct ipsp_spd_entry){
				.id = rules[i].id, .action = (uint8_t)rules[i].action,
				.sa_id = rules[i].action != IPSP_PROTECT || asks ? 0 :
					 rules[i].sa_id ? rules[i].sa_id :
					 out ? IPSP_OUTBOUND : IPSP_INBOUND,
				.n_templates = asks, .templates = &t,
				.n_selectors = 1, .selectors = &boxes[i],
			};
		}
		lists[out] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = out ? IPSP_OUTBOUND : IPSP_INBOUND,
			.n_entries = n_rules, .entries = entries[out],
		};
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, GONE_S, results), IPSP_OK);
}

static const struct world_rule protects = { 5, IPSP_PROTECT, 0, IPSP_PORT_NONE, false };

static void add(const struct ipsp_sa_config *c)
{
	const struct ipsp_sa *made;

	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, c, GONE_S, &made), IPSP_OK);
}

static void begin(int whose)
{
	kind = whose;
	apply(&protects, 1, NULL, 0);
	ipsp_engine_set_key_manager(w.engine, true, GONE_S);
	if (kind == KEY_MANAGER) {
		const struct ipsp_sa_config in = sa(IPSP_INBOUND), out = sa(IPSP_OUTBOUND);

		add(&in);
		add(&out);
	}
}

/* All entries go but those, and with them what was asked for to that port. */
static struct ipsp_selector box;

static struct ipsp_unasked unasked(uint32_t dport)
{
	box = box_of(dport);
	return (struct ipsp_unasked){
		.sa_id = kind == POLICY ? IPSP_INBOUND : 0, .reqid = kind == POLICY ? 0 : REQID,
		.n = 1, .n_selectors = 1, .selectors = &box,
	};
}

static void go(const struct world_rule *rules, uint32_t n_rules, uint32_t dport)
{
	const struct ipsp_unasked u = unasked(dport);

	apply(rules, n_rules, &u, 1);
}

/* ---- packets ---- */

/* One for that port, as the peer would send it. */
static void on_its_way(struct ipsp_packet *p, uint16_t dport)
{
	world_udp(p, IPSP_OUTBOUND, dport, 40);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, p), IPSP_REASON_NONE);
	ck_assert_int_eq(p->verdict, IPSP_VERDICT_ESP_OUT);
	world_reflect(p, SPI);
}

static enum ipsp_reason arrives(struct ipsp_packet *p, uint64_t now_s)
{
	ipsp_engine_inbound(w.worker, p, 1, now_s);
	ck_assert_int_eq(p->verdict, p->reason == IPSP_REASON_NONE ||
				     p->reason == IPSP_REASON_SA_UNASKED ?
			 IPSP_VERDICT_DELIVER : IPSP_VERDICT_DROP);
	world_packet_free(p);
	return (enum ipsp_reason)p->reason;
}

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_fini(&w);
}

/* ---- what comes in ---- */

START_TEST(test_what_was_on_its_way_comes_in_for_a_minute_and_nothing_leaves)
{
	struct ipsp_engine_stats stats;
	struct ipsp_packet p[3], own;

	begin(_i);
	for (int i = 0; i < 3; i++)
		on_its_way(&p[i], 80);
	go(NULL, 0, IPSP_PORT_NONE);
	ck_assert_int_eq(arrives(&p[0], GONE_S), IPSP_REASON_SA_UNASKED);
	ck_assert_int_eq(arrives(&p[1], GONE_S + IPSP_UNASKED_S - 1), IPSP_REASON_SA_UNASKED);
	ck_assert_int_eq(arrives(&p[2], GONE_S + IPSP_UNASKED_S), IPSP_REASON_POLICY_DEFAULT);
	world_udp(&own, IPSP_OUTBOUND, 80, 40);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &own), IPSP_REASON_POLICY_DEFAULT);
	world_packet_free(&own);
	ipsp_engine_stats(w.engine, &stats);
	ck_assert_uint_eq(stats.reasons[IPSP_INBOUND - 1][IPSP_REASON_SA_UNASKED], 2);
}
END_TEST

START_TEST(test_what_nobody_said_is_asked_for_no_more_does_not_come_in)
{
	struct ipsp_packet p;

	begin(_i);
	on_its_way(&p, 80);
	apply(NULL, 0, NULL, 0);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

START_TEST(test_an_entry_that_discards_or_protects_decides)
{
	static const struct {
		struct world_rule rule;
		enum ipsp_reason reason;
	} cases[] = {
		{ { 6, IPSP_DISCARD, 0, 80, false }, IPSP_REASON_POLICY_DISCARD },
		/* What anybody may send. */
		{ { 6, IPSP_BYPASS, 0, 80, false }, IPSP_REASON_SA_UNASKED },
		{ { 6, IPSP_PROTECT, 99, 80, false }, IPSP_REASON_POLICY_MISMATCH },
	};

	begin(_i);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipsp_packet to, beside;

		apply(&protects, 1, NULL, 0);
		on_its_way(&to, 80);
		on_its_way(&beside, 81);
		go(&cases[i].rule, 1, IPSP_PORT_NONE);
		ck_assert_int_eq(arrives(&to, GONE_S), cases[i].reason);
		ck_assert_int_eq(arrives(&beside, GONE_S), IPSP_REASON_SA_UNASKED);
	}
}
END_TEST

START_TEST(test_only_what_the_entries_were_for_comes_in)
{
	struct ipsp_packet p, other;

	begin(_i);
	on_its_way(&p, 80);
	on_its_way(&other, 81);
	go(NULL, 0, 80);
	ck_assert_int_eq(arrives(&other, GONE_S), IPSP_REASON_POLICY_DEFAULT);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_SA_UNASKED);
}
END_TEST

START_TEST(test_nothing_comes_in_where_no_box_is_said)
{
	struct ipsp_unasked u;
	struct ipsp_packet p;

	begin(_i);
	on_its_way(&p, 80);
	u = unasked(80);
	u.n_selectors = 0;
	apply(NULL, 0, &u, 1);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

START_TEST(test_what_is_asked_for_again_is_as_it_was)
{
	static const struct world_rule narrow = { 5, IPSP_PROTECT, 0, 80, false };
	struct ipsp_packet p, other;
	struct ipsp_unasked u;

	begin(_i);
	on_its_way(&p, 80);
	on_its_way(&other, 81);
	go(NULL, 0, IPSP_PORT_NONE);
	u = unasked(80);
	u.again = true;
	apply(&narrow, 1, &u, 1);
	ck_assert_int_eq(arrives(&other, GONE_S + 1), IPSP_REASON_POLICY_DEFAULT);
	ck_assert_int_eq(arrives(&p, GONE_S + 1), IPSP_REASON_NONE);
	ipsp_engine_tick(w.engine, GONE_S + IPSP_UNASKED_S);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 2);
}
END_TEST

START_TEST(test_a_second_time_has_a_minute_of_its_own)
{
	struct ipsp_packet p;

	begin(_i);
	on_its_way(&p, 80);
	go(NULL, 0, 81);
	go(NULL, 0, 80);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_SA_UNASKED);
}
END_TEST

START_TEST(test_without_memory_nothing_comes_in)
{
	struct ipsp_packet p;
	struct ipsp_sa *in;
	struct ipsp_unasked u;

	begin(_i);
	on_its_way(&p, 80);
	apply(NULL, 0, NULL, 0);
	in = ipsp_sad_find_inbound(ipsp_engine_sad(w.engine), SPI, IPSP_PROTO_ESP,
				   &(struct ipsp_addr){ 4, { 192, 0, 2, 1 } });
	u = unasked(80);
	w.memory.fail_at = 0;
	ipsp_sa_set_unasked(in, &u, GONE_S);
	w.memory.fail_at = -1;
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

/* ---- key managers' ---- */

START_TEST(test_a_key_managers_sa_ends_with_its_minute_and_policys_stays)
{
	begin(_i);
	go(NULL, 0, IPSP_PORT_NONE);
	ipsp_engine_tick(w.engine, GONE_S + IPSP_UNASKED_S - 1);
	ck_assert_uint_eq(w.expired, 0);
	ipsp_engine_tick(w.engine, GONE_S + IPSP_UNASKED_S);
	ck_assert_uint_eq(w.expired, kind == KEY_MANAGER);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), kind == KEY_MANAGER ? 1 : 2);
}
END_TEST

START_TEST(test_what_an_sa_was_not_negotiated_for_does_not_come_in)
{
	struct ipsp_selector only = box_of(80);
	struct ipsp_sa_config in;
	struct ipsp_packet p, other;

	kind = KEY_MANAGER;
	in = sa(IPSP_INBOUND);
	in.n_boxes = 1;
	in.boxes = &only;
	apply(&protects, 1, NULL, 0);
	ipsp_engine_set_key_manager(w.engine, true, GONE_S);
	add(&in);
	in = sa(IPSP_OUTBOUND);
	add(&in);
	on_its_way(&p, 80);
	on_its_way(&other, 81);
	go(NULL, 0, IPSP_PORT_NONE);
	ck_assert_int_eq(arrives(&other, GONE_S), IPSP_REASON_POLICY_DEFAULT);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_SA_UNASKED);
}
END_TEST

START_TEST(test_one_of_two_sas_that_were_asked_for_is_not_enough)
{
	struct ipsp_unasked u;
	struct ipsp_packet p;

	begin(KEY_MANAGER);
	on_its_way(&p, 80);
	u = unasked(80);
	u.n = 2;
	apply(NULL, 0, &u, 1);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

START_TEST(test_an_sa_that_comes_later_is_not_among_them)
{
	const struct ipsp_sa_name name = { IPSP_PROTO_ESP, SPI, { 4, { 192, 0, 2, 1 } } };
	const struct ipsp_sa *made;
	struct ipsp_sa_config in;
	struct ipsp_packet p;

	begin(KEY_MANAGER);
	on_its_way(&p, 80);
	go(NULL, 0, IPSP_PORT_NONE);
	in = sa(IPSP_INBOUND);
	ck_assert_int_eq(ipsp_engine_sa_update(w.engine, &name, &in, GONE_S, &made), IPSP_OK);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

START_TEST(test_sas_of_another_reqid_are_not_meant)
{
	struct ipsp_unasked u[3];
	struct ipsp_packet p;

	begin(KEY_MANAGER);
	on_its_way(&p, 80);
	u[0] = u[1] = u[2] = unasked(80);
	u[0].reqid = REQID - 1;
	u[1].reqid = REQID + 1;
	u[2].reqid = REQID + 2;
	apply(NULL, 0, u, 3);
	ck_assert_int_eq(arrives(&p, GONE_S), IPSP_REASON_POLICY_DEFAULT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/unasked");
	TCase *tc = tcase_create("unasked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_what_was_on_its_way_comes_in_for_a_minute_and_nothing_leaves, 0, KINDS);
	tcase_add_loop_test(tc, test_what_nobody_said_is_asked_for_no_more_does_not_come_in, 0, KINDS);
	tcase_add_loop_test(tc, test_an_entry_that_discards_or_protects_decides, 0, KINDS);
	tcase_add_loop_test(tc, test_only_what_the_entries_were_for_comes_in, 0, KINDS);
	tcase_add_loop_test(tc, test_nothing_comes_in_where_no_box_is_said, 0, KINDS);
	tcase_add_loop_test(tc, test_what_is_asked_for_again_is_as_it_was, 0, KINDS);
	tcase_add_loop_test(tc, test_a_second_time_has_a_minute_of_its_own, 0, KINDS);
	tcase_add_loop_test(tc, test_without_memory_nothing_comes_in, 0, KINDS);
	tcase_add_loop_test(tc, test_a_key_managers_sa_ends_with_its_minute_and_policys_stays, 0, KINDS);
	tcase_add_test(tc, test_what_an_sa_was_not_negotiated_for_does_not_come_in);
	tcase_add_test(tc, test_one_of_two_sas_that_were_asked_for_is_not_enough);
	tcase_add_test(tc, test_an_sa_that_comes_later_is_not_among_them);
	tcase_add_test(tc, test_sas_of_another_reqid_are_not_meant);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
