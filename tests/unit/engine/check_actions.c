/*
 * tests/unit/engine/check_actions.c - entries with several actions, lifetimes in octets, and what an
 * SA says of its outer header. RFC 4807 spdCompoundActionTable; RFC 4301 4.4.2.1, 5.1.2; RFC 6040;
 * RFC 4303 2.7.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define OUTER 20u	/* octets of an outer header */

static struct world w;
static unsigned n_logs;
static uint64_t log_actions[8];

static void on_log(void *ctx, const struct ipsp_log_event *event)
{
	(void)ctx;
	if (n_logs < 8)
		log_actions[n_logs] = event->action_id;
	n_logs++;
}

static void setup(void)
{
	n_logs = 0;
	world_init(&w);
	ipsp_worker_free(w.worker);
	ipsp_engine_free(w.engine);
	w.config.events.log = on_log;
	ck_assert_int_eq(ipsp_engine_new(&w.config, &w.engine), IPSP_OK);
	ck_assert_int_eq(ipsp_worker_new(w.engine, &w.worker), IPSP_OK);
}

static void teardown(void)
{
	world_fini(&w);
}

/* One entry for all IPv4 in both directions, and these SAs. */
static void apply(const struct ipsp_step *steps, uint32_t n_steps, uint64_t sa_id,
		  const struct ipsp_sa_config *sas, uint32_t n_sas)
{
	static uint64_t generation;
	struct ipsp_selector box;
	const struct ipsp_spd_entry entry = {
		.id = 9, .action = IPSP_PROTECT, .log = true, .action_id = 90, .sa_id = sa_id,
		.n_steps = n_steps, .steps = steps, .n_selectors = 1, .selectors = &box,
	};
	struct ipsp_spd_list lists[2];
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = n_sas, .sas = sas,
	};
	enum ipsp_err results[4];

	ipsp_selector_any(4, &box);
	for (int i = 0; i < 2; i++)
		lists[i] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)(i ? IPSP_OUTBOUND : IPSP_INBOUND),
			.n_entries = 1, .entries = &entry,
		};
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, results), IPSP_OK);
	for (uint32_t i = 0; i < n_sas; i++)
		ck_assert_int_eq(results[i], IPSP_OK);
}

#define OUT_1 1
#define OUT_2 2
#define IN_1 3
#define IN_2 4

/* Two SAs each way; of one number, they have one key and SPI. */
static void make_sas(struct ipsp_sa_config sas[4])
{
	for (uint64_t id = OUT_1; id <= IN_2; id++)
		sas[id - 1] = world_sa(id, id <= OUT_2 ? IPSP_OUTBOUND : IPSP_INBOUND,
				       id % 2 ? 0x1001 : 0x1002);
}

static void kill_sa(uint64_t id)
{
	ck_assert_int_eq(ipsp_sad_set_state(ipsp_engine_sad(w.engine), id, IPSP_SA_DEAD), IPSP_OK);
}

#define PROTECT(id) { .kind = IPSP_STEP_PROTECT, .log = true, .may_decide = true, \
		      .action_id = 100 + (id), .sa_id = (id) }
#define ACCEPT { .kind = IPSP_STEP_BYPASS, .log = true, .action_id = 200 }
#define DROP { .kind = IPSP_STEP_DISCARD, .log = true, .action_id = 201 }
#define FAIL { .kind = IPSP_STEP_FAIL, .action_id = 202 }
#define TWO(strategy, a, b) { { .kind = IPSP_STEP_##strategy, .end = 3 }, a, b }

static const struct {
	const char *name;
	struct ipsp_step steps[3];
	uint64_t dead;			/* an SA that is over; 0: none */
	enum ipsp_verdict verdict;
	enum ipsp_reason reason;
	uint64_t sa;
	unsigned n_logs;
	uint64_t logs[2];
} outbound[] = {
	{ "until success: the first", TWO(UNTIL_SUCCESS, PROTECT(OUT_1), PROTECT(OUT_2)), 0,
	  IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, OUT_1, 1, { 101 } },
	{ "until success: the second takes over", TWO(UNTIL_SUCCESS, PROTECT(OUT_1), PROTECT(OUT_2)),
	  OUT_1, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, OUT_2, 1, { 102 } },
	{ "until success: clear as a last resort", TWO(UNTIL_SUCCESS, PROTECT(OUT_1), ACCEPT), OUT_1,
	  IPSP_VERDICT_BYPASS, IPSP_REASON_NONE, 0, 1, { 200 } },
	{ "an SA of the other direction fails", TWO(UNTIL_SUCCESS, PROTECT(IN_1), PROTECT(OUT_2)), 0,
	  IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, OUT_2, 1, { 102 } },
	{ "an SA that is not there fails", TWO(UNTIL_SUCCESS, PROTECT(77), DROP), 0,
	  IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DISCARD, 0, 1, { 201 } },
	{ "all: the SA, and both are reported", TWO(ALL, ACCEPT, PROTECT(OUT_1)), 0,
	  IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, OUT_1, 2, { 200, 101 } },
	{ "all: never clear for want of the SA", TWO(ALL, ACCEPT, PROTECT(OUT_1)), OUT_1,
	  IPSP_VERDICT_DROP, IPSP_REASON_ACTION_FAILED, 0, 1, { 200 } },
	{ "all: a drop", TWO(ALL, PROTECT(OUT_1), DROP), 0, IPSP_VERDICT_DROP,
	  IPSP_REASON_POLICY_DISCARD, 0, 2, { 101, 201 } },
	{ "until failure: none fails", TWO(UNTIL_FAILURE, PROTECT(OUT_2), PROTECT(OUT_1)), 0,
	  IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE, OUT_2, 2, { 102, 101 } },
	{ "until failure: one fails", TWO(UNTIL_FAILURE, PROTECT(OUT_1), FAIL), 0,
	  IPSP_VERDICT_DROP, IPSP_REASON_ACTION_FAILED, 0, 1, { 101 } },
};

START_TEST(test_outbound_packets_go_the_way_the_program_comes_to)
{
	struct ipsp_sa_config sas[4];
	struct ipsp_packet p;

	make_sas(sas);
	apply(outbound[_i].steps, 3, 0, sas, 4);
	if (outbound[_i].dead)
		kill_sa(outbound[_i].dead);
	world_udp(&p, IPSP_OUTBOUND, 80, 10);
	ck_assert_msg(world_pass(&w, IPSP_OUTBOUND, &p) == outbound[_i].reason, "%s: %s",
		      outbound[_i].name, ipsp_reason_key(p.reason));
	ck_assert_int_eq(p.verdict, outbound[_i].verdict);
	ck_assert_uint_eq(p.entry_id, 9);
	ck_assert_uint_eq(p.sa ? p.sa->id : 0, outbound[_i].sa);
	ck_assert_msg(n_logs == outbound[_i].n_logs, "%s: %u reports", outbound[_i].name, n_logs);
	for (unsigned i = 0; i < n_logs; i++)
		ck_assert_uint_eq(log_actions[i], outbound[_i].logs[i]);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_used_up_numbers_let_the_next_sa_take_over)
{
	static const struct ipsp_step steps[] =
		TWO(UNTIL_SUCCESS, PROTECT(OUT_1), PROTECT(OUT_2));
	struct ipsp_sa_config sas[4];
	struct ipsp_packet p;

	make_sas(sas);
	sas[0].seq_floor = UINT32_MAX - 1;
	apply(steps, 3, 0, sas, 4);
	for (uint64_t id = OUT_1; id <= OUT_2; id++) {
		world_udp(&p, IPSP_OUTBOUND, 80, 10);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_uint_eq(p.sa->id, id);
		world_packet_free(&p);
	}
}
END_TEST

START_TEST(test_a_missing_reservation_is_no_failure)
{
	static const struct ipsp_step steps[] = TWO(UNTIL_SUCCESS, PROTECT(OUT_1), ACCEPT);
	struct ipsp_sa_config sas[4];
	struct ipsp_packet p;

	make_sas(sas);
	sas[0].seq_floor = sas[0].seq_ceiling = 5;
	apply(steps, 3, 0, sas, 4);
	world_udp(&p, IPSP_OUTBOUND, 80, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_SEQ_RESERVATION);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	world_packet_free(&p);
}
END_TEST

static const struct {
	const char *name;
	struct ipsp_step steps[3];
	uint64_t dead;
	uint32_t spi;			/* 0: a clear packet */
	enum ipsp_verdict verdict;
	enum ipsp_reason reason;
} inbound[] = {
	{ "by the first SA", TWO(UNTIL_SUCCESS, PROTECT(IN_1), PROTECT(IN_2)), 0, 0x1001,
	  IPSP_VERDICT_DELIVER, IPSP_REASON_NONE },
	{ "by the second, which the peer may have chosen",
	  TWO(UNTIL_SUCCESS, PROTECT(IN_1), PROTECT(IN_2)), 0, 0x1002, IPSP_VERDICT_DELIVER,
	  IPSP_REASON_NONE },
	{ "by an SA that is none of the entry's", TWO(UNTIL_SUCCESS, PROTECT(IN_1), ACCEPT), 0,
	  0x1002, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH },
	{ "by an SA where policy drops", TWO(ALL, PROTECT(77), DROP), 0, 0x1001,
	  IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DISCARD },
	{ "by an SA that can never decide",
	  TWO(UNTIL_SUCCESS, ACCEPT, { .kind = IPSP_STEP_PROTECT }), 0, 0x1001, IPSP_VERDICT_DROP,
	  IPSP_REASON_POLICY_MISMATCH },
	{ "in clear while the SA is there", TWO(UNTIL_SUCCESS, PROTECT(IN_1), ACCEPT), 0, 0,
	  IPSP_VERDICT_DROP, IPSP_REASON_POLICY_CLEAR },
	{ "in clear when it is not", TWO(UNTIL_SUCCESS, PROTECT(IN_1), ACCEPT), IN_1, 0,
	  IPSP_VERDICT_BYPASS, IPSP_REASON_NONE },
	{ "in clear when the other SA is there", TWO(UNTIL_SUCCESS, PROTECT(IN_1), PROTECT(IN_2)),
	  IN_1, 0, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_CLEAR },
	{ "in clear when nothing could be done", TWO(UNTIL_FAILURE, ACCEPT, FAIL), 0, 0,
	  IPSP_VERDICT_DROP, IPSP_REASON_ACTION_FAILED },
};

START_TEST(test_inbound_packets_must_come_by_an_sa_of_the_program)
{
	struct ipsp_sa_config sas[4];
	struct ipsp_packet p;

	make_sas(sas);
	world_udp(&p, inbound[_i].spi ? IPSP_OUTBOUND : IPSP_INBOUND, 80, 10);
	if (inbound[_i].spi) {
		apply(NULL, 0, inbound[_i].spi == 0x1001 ? OUT_1 : OUT_2, sas, 4);
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		world_reflect(&p, inbound[_i].spi);
	}
	apply(inbound[_i].steps, 3, 0, sas, 4);
	if (inbound[_i].dead)
		kill_sa(inbound[_i].dead);
	n_logs = 0;
	ck_assert_msg(world_pass(&w, IPSP_INBOUND, &p) == inbound[_i].reason, "%s: %s",
		      inbound[_i].name, ipsp_reason_key(p.reason));
	ck_assert_int_eq(p.verdict, inbound[_i].verdict);
	if (p.verdict == IPSP_VERDICT_DELIVER) {
		ck_assert_uint_eq(n_logs, 1);
		ck_assert_uint_eq(log_actions[0], inbound[_i].spi == 0x1001 ? 100 + IN_1 :
									      100 + IN_2);
	}
	world_packet_free(&p);
}
END_TEST

START_TEST(test_a_lifetime_in_octets_ends_with_the_packet_that_reaches_it)
{
	struct ipsp_sa_config sa = world_sa(OUT_1, IPSP_OUTBOUND, 0x1001);
	struct ipsp_packet packets[12];
	unsigned sent = 0;

	/* 108 octets of clear UDP in transport mode, padded: 112 under the cipher. */
	sa.life_bytes = 1024;
	apply(NULL, 0, OUT_1, &sa, 1);
	for (int i = 0; i < 12; i++)
		world_udp(&packets[i], IPSP_OUTBOUND, 80, 100);
	ipsp_engine_outbound(w.worker, packets, 12, 1000);
	for (int i = 0; i < 12; i++) {
		sent += packets[i].verdict == IPSP_VERDICT_ESP_OUT;
		if (packets[i].verdict != IPSP_VERDICT_ESP_OUT)
			ck_assert_int_eq(packets[i].reason, IPSP_REASON_SA_EXPIRED);
		world_packet_free(&packets[i]);
	}
	ck_assert_uint_eq(sent, 10);
	ipsp_engine_tick(w.engine, 1000);
	ck_assert_uint_eq(w.expired, 1);
}
END_TEST

/* A tunnel packet of an SA; room for what tfc_pad adds. */
static void tunnel(struct ipsp_packet *p, const struct ipsp_sa_config *sa, uint8_t tos)
{
	apply(NULL, 0, sa->id, sa, 1);
	world_udp(p, IPSP_OUTBOUND, 80, 10);
	p->data[1] = tos;
	p->room = realloc(p->room, WORLD_ROOM);
	p->room_len = WORLD_ROOM;
	p->data = p->room + IPSP_HEADROOM;
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, p), IPSP_REASON_NONE);
	ck_assert_int_eq(p->verdict, IPSP_VERDICT_ESP_OUT);
}

static struct ipsp_sa_config tunnel_sa(void)
{
	struct ipsp_sa_config sa = world_sa(OUT_1, IPSP_OUTBOUND, 0x1001);

	sa.mode = IPSP_MODE_TUNNEL;
	sa.df = IPSP_DF_COPY;
	return sa;
}

static const struct {
	const char *name;
	uint8_t ecn;
	bool dscp_set;
	uint8_t dscp, inner, outer;
} tos[] = {
	{ "all is copied", IPSP_ECN_NORMAL, false, 0, 46 << 2 | 2, 46 << 2 | 2 },
	{ "CE is copied", IPSP_ECN_NORMAL, false, 0, 3, 3 },
	{ "compatibility clears ECN", IPSP_ECN_COMPATIBILITY, false, 0, 46 << 2 | 2, 46 << 2 },
	{ "none clears ECN", IPSP_ECN_NONE, false, 0, 46 << 2 | 1, 46 << 2 },
	{ "DSCP set", IPSP_ECN_NORMAL, true, 8, 46 << 2 | 1, 8 << 2 | 1 },
	{ "DSCP set to none", IPSP_ECN_NONE, true, 0, 46 << 2 | 1, 0 },
};

START_TEST(test_the_outer_traffic_class_is_as_the_sa_says)
{
	struct ipsp_sa_config sa = tunnel_sa();
	struct ipsp_packet p;

	sa.ecn = tos[_i].ecn;
	sa.dscp_set = tos[_i].dscp_set;
	sa.dscp = tos[_i].dscp;
	tunnel(&p, &sa, tos[_i].inner);
	ck_assert_msg(p.data[1] == tos[_i].outer, "%s: %02x", tos[_i].name, p.data[1]);
	/* Without cipher or IV the inner header can be seen behind the ESP header. */
	ck_assert_uint_eq(p.data[OUTER + 8 + 1], tos[_i].inner);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_congestion_on_the_way_is_ignored_where_there_is_no_ecn)
{
	for (uint8_t ecn = IPSP_ECN_NORMAL; ecn <= IPSP_ECN_NONE; ecn++) {
		struct ipsp_sa_config sas[4];
		struct ipsp_packet p;
		struct ipsp_sa_config out = tunnel_sa();

		tunnel(&p, &out, 0);
		make_sas(sas);
		sas[2].mode = IPSP_MODE_TUNNEL;
		sas[2].df = IPSP_DF_COPY;
		sas[2].ecn = ecn;
		sas[2].counter_id = 50 + ecn;
		apply(NULL, 0, IN_1, &sas[2], 1);
		world_reflect(&p, 0x1001);
		/* The inner packet is not ECN-capable, the outer one met congestion: RFC 6040 4.2. */
		p.data[1] |= 3;
		ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p),
				 ecn == IPSP_ECN_NONE ? IPSP_REASON_NONE : IPSP_REASON_ECN);
		world_packet_free(&p);
	}
}
END_TEST

START_TEST(test_the_outer_ttl_is_as_the_sa_says)
{
	struct ipsp_sa_config sa = tunnel_sa();
	struct ipsp_packet p;

	sa.outer_ttl = 7;
	tunnel(&p, &sa, 0);
	ck_assert_uint_eq(p.data[8], 7);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_short_packets_are_padded_to_one_length_and_come_out_as_they_were)
{
	struct ipsp_sa_config sa = tunnel_sa();
	struct ipsp_sa_config sas[4];
	struct ipsp_packet p;

	sa.tfc_pad = 1000;
	tunnel(&p, &sa, 0);
	/* ESP header, 1000 octets, padding to 4 with its trailer, ICV. */
	ck_assert_uint_eq(p.len, OUTER + 8 + 1004 + 12);
	for (uint32_t i = OUTER + 8 + 38; i < OUTER + 8 + 1000; i++)
		ck_assert_uint_eq(p.data[i], 0);
	make_sas(sas);
	sas[2].mode = IPSP_MODE_TUNNEL;
	sas[2].df = IPSP_DF_COPY;
	apply(NULL, 0, IN_1, &sas[2], 1);
	world_reflect(&p, 0x1001);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(p.len, 38);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_padding_that_does_not_fit_the_room_drops)
{
	struct ipsp_sa_config sa = tunnel_sa();
	struct ipsp_packet p;

	sa.tfc_pad = 1000;
	apply(NULL, 0, OUT_1, &sa, 1);
	world_udp(&p, IPSP_OUTBOUND, 80, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NO_ROOM);
	world_packet_free(&p);
	/* What is longer is not padded. */
	world_udp(&p, IPSP_OUTBOUND, 80, 1100);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	world_packet_free(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("actions");
	TCase *tc = tcase_create("actions");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_outbound_packets_go_the_way_the_program_comes_to, 0,
			    sizeof(outbound) / sizeof(outbound[0]));
	tcase_add_test(tc, test_used_up_numbers_let_the_next_sa_take_over);
	tcase_add_test(tc, test_a_missing_reservation_is_no_failure);
	tcase_add_loop_test(tc, test_inbound_packets_must_come_by_an_sa_of_the_program, 0,
			    sizeof(inbound) / sizeof(inbound[0]));
	tcase_add_test(tc, test_a_lifetime_in_octets_ends_with_the_packet_that_reaches_it);
	tcase_add_loop_test(tc, test_the_outer_traffic_class_is_as_the_sa_says, 0,
			    sizeof(tos) / sizeof(tos[0]));
	tcase_add_test(tc, test_congestion_on_the_way_is_ignored_where_there_is_no_ecn);
	tcase_add_test(tc, test_the_outer_ttl_is_as_the_sa_says);
	tcase_add_test(tc, test_short_packets_are_padded_to_one_length_and_come_out_as_they_were);
	tcase_add_test(tc, test_padding_that_does_not_fit_the_room_drops);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
