/*
 * tests/unit/engine_io/check_policy.c - generations and reports of the engine process: in force in
 * one piece or not at all, whatever the agent sends; counters and events as the agent reads them.
 */
#include "config.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/messages.h"
#include "ipspd/report.h"
#include "tests/unit/engine_io/role.h"

static struct engine_role role;

static void setup(void)
{
	role_setup(&role);
}

static void teardown(void)
{
	role_teardown(&role);
}

static void expect_u64(uint16_t type, uint64_t value)
{
	struct role_message m;
	struct chan_reader r = role_expect(type, &m);

	ck_assert_uint_eq(chan_get_u64(&r), value);
}

static void in_force(uint64_t number)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_INBOUND, 0xb01);

	role_generation(&role, number, &sa, 1);
	expect_u64(MSG_GEN_APPLIED, number);
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), number);
}

static void begin(uint64_t number)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, number);
	role_policy(&role, MSG_GEN_BEGIN, buf, w.len);
}

static void commit(uint64_t number, uint32_t lists, uint32_t entries, uint32_t sas)
{
	uint8_t buf[20];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, number);
	chan_put_u32(&w, lists);
	chan_put_u32(&w, entries);
	chan_put_u32(&w, sas);
	role_policy(&role, MSG_GEN_COMMIT, buf, w.len);
}

START_TEST(test_policy_refused_generation_leaves_the_one_before_in_force)
{
	static const uint8_t junk[200] = { 0xff, 0xff };
	static const uint16_t types[] = {
		MSG_GEN_SA, MSG_GEN_LIST, MSG_GEN_ENTRY, MSG_GEN_SELECTORS,
	};

	in_force(7);
	begin(8);
	role_policy(&role, types[_i], junk, sizeof(junk));
	expect_u64(MSG_GEN_REFUSED, 8);
	/* What follows of it, its commit as well, is passed over without another word. */
	role_policy(&role, types[_i], junk, sizeof(junk));
	commit(8, 0, 0, 0);
	struct role_message m;

	ck_assert(!role_next(&m));
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), 7);
	ck_assert_ptr_nonnull(ipsp_sad_find(ipsp_engine_sad(role.engine), 1));
	in_force(9);
}
END_TEST

START_TEST(test_policy_commit_that_does_not_fit_is_refused)
{
	in_force(7);
	begin(8);
	commit(_i == 0 ? 9 : 8, _i == 1, _i == 2, _i == 3);
	expect_u64(MSG_GEN_REFUSED, 8);
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), 7);
}
END_TEST

START_TEST(test_policy_half_a_generation_is_forgotten_with_its_agent)
{
	in_force(7);
	begin(8);
	engine_policy_forget(&role);
	commit(8, 0, 0, 0);
	struct role_message m;

	ck_assert(!role_next(&m));
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), 7);
}
END_TEST

START_TEST(test_policy_empty_generation_takes_everything_out)
{
	struct wire_sa_stats last[REPORT_SAS_MAX];
	struct role_message m;
	uint32_t serial;
	size_t n;

	in_force(7);
	atomic_store(&ipsp_counters_find(&role.counters, 1001)->packets, 5);
	begin(8);
	commit(8, 0, 0, 0);
	/* What the SA that goes has carried is not lost. */
	role_expect(MSG_STATS_SAS, &m);
	ck_assert(report_sas_read(&(struct chan_msg) { .data = m.data, .len = m.len }, &serial,
				  last, &n));
	ck_assert_uint_eq(serial, REPORT_UNASKED);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(last[0].packets, 5);
	expect_u64(MSG_GEN_APPLIED, 8);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(role.engine)), 0);
}
END_TEST

static const struct {
	const char *name;
	enum ipsp_err why;
} refusals[] = {
	{ "duplicate SPI", IPSP_EEXIST },
	{ "unknown cipher", IPSP_ENOTSUP },
	{ "key of another length", IPSP_EKEYLEN },
};

START_TEST(test_policy_refused_SA_is_named_and_the_rest_applied)
{
	struct ipsp_sa_config sas[] = {
		role_sa(1, IPSP_INBOUND, 0xb01), role_sa(2, IPSP_INBOUND, _i == 0 ? 0xb01 : 0xb02),
	};
	struct role_message m;

	if (refusals[_i].why == IPSP_ENOTSUP)
		sas[1].encr = 3;	/* 3DES: not offered */
	if (refusals[_i].why == IPSP_EKEYLEN)
		sas[1].encr_key.len = 15;
	role_generation(&role, 1, sas, 2);
	struct chan_reader r = role_expect(MSG_SA_REFUSED, &m);

	ck_assert_uint_eq(chan_get_u64(&r), 1);
	ck_assert_uint_eq(chan_get_u64(&r), 2);
	ck_assert_msg(chan_get_u8(&r) == refusals[_i].why, "%s", refusals[_i].name);
	ck_assert(chan_reader_done(&r));
	expect_u64(MSG_GEN_APPLIED, 1);
	ck_assert_ptr_nonnull(ipsp_sad_find(ipsp_engine_sad(role.engine), 1));
	ck_assert_ptr_null(ipsp_sad_find(ipsp_engine_sad(role.engine), 2));
}
END_TEST

START_TEST(test_policy_malformed_requests_change_nothing)
{
	static const uint16_t types[] = { MSG_RESERVED, MSG_STATS_GET, MSG_GEN_BEGIN,
					  MSG_SETTINGS };
	static const uint8_t junk[3];
	struct role_message m;

	in_force(7);
	role_policy(&role, types[_i], junk, sizeof(junk));
	ck_assert(!role_next(&m));
	ck_assert_uint_eq(ipsp_engine_generation(role.engine), 7);
}
END_TEST

START_TEST(test_policy_settings_are_in_force_at_once)
{
	/* Fragments 30 s, path MTUs 10 s, 100 errors, listening, unmatched, reassembly 60 s, not in
	 * the clear. */
	static const uint8_t settings[] = { 0, 0, 0, 30, 0, 0, 0, 10, 0, 0, 0, 100, 1, 1,
					    0, 0, 0, 60, 0 };
	struct role_message m;

	in_force(7);
	struct ipsp_sa *const sa = ipsp_sad_find(ipsp_engine_sad(role.engine), 1);

	atomic_store(&sa->path.learned_s, 1000);
	atomic_store(&sa->path.learned_mtu, 1300);
	ck_assert_uint_eq(ipsp_engine_path_learned(role.engine, sa, 1010), 1300);
	role_policy(&role, MSG_SETTINGS, settings, sizeof(settings));
	ck_assert(!role_next(&m));
	ck_assert_uint_eq(ipsp_engine_path_learned(role.engine, sa, 1009), 1300);
	ck_assert_uint_eq(ipsp_engine_path_learned(role.engine, sa, 1010), 0);
}
END_TEST

START_TEST(test_policy_statistics_name_SAs_and_end_with_the_generation)
{
	static const uint8_t serial_octets[] = { 0, 0, 0, 42 };
	struct role_message m;
	struct chan_msg as_received;
	struct wire_sa_stats sas[REPORT_SAS_MAX];
	uint32_t serial;
	size_t n;

	in_force(7);
	struct ipsp_counter *const c = ipsp_counters_find(&role.counters, 1001);
	struct ipsp_sa *const sa = ipsp_sad_find(ipsp_engine_sad(role.engine), 1);

	atomic_store(&c->packets, 5);
	atomic_store(&c->bytes, 500);
	c->replay.top = 9;
	atomic_store(&sa->path.learned_s, engine_now_s());
	atomic_store(&sa->path.learned_mtu, 1300);
	role_policy(&role, MSG_STATS_GET, serial_octets, sizeof(serial_octets));
	role_expect(MSG_STATS_SAS, &m);
	as_received = (struct chan_msg) { .type = m.type, .data = m.data, .len = m.len };
	ck_assert(report_sas_read(&as_received, &serial, sas, &n));
	ck_assert_uint_eq(serial, 42);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(sas[0].id, 1);
	ck_assert_uint_eq(sas[0].counter_id, 1001);
	ck_assert_uint_eq(sas[0].spi, 0xb01);
	ck_assert_uint_eq(sas[0].dir, IPSP_INBOUND);
	ck_assert_uint_eq(sas[0].state, 2);
	ck_assert_uint_eq(sas[0].packets, 5);
	ck_assert_uint_eq(sas[0].bytes, 500);
	ck_assert_uint_eq(sas[0].seq, 9);
	ck_assert_uint_eq(sas[0].idle_s, REPORT_NEVER_USED);
	ck_assert_uint_eq(sas[0].path_mtu, 1300);
	struct chan_reader r = role_expect(MSG_STATS_ICMP, &m);

	ck_assert_uint_eq(chan_get_u32(&r), 42);
	for (unsigned i = 0; i < IPSP_N_ICMP_COUNTS; i++)
		ck_assert_uint_eq(chan_get_u64(&r), 0);
	ck_assert(chan_reader_done(&r));
	r = role_expect(MSG_STATS_FAST, &m);
	ck_assert_uint_eq(chan_get_u32(&r), 42);
	ck_assert_uint_eq(chan_get_u64(&r), 0);
	ck_assert(chan_reader_done(&r));
	r = role_expect(MSG_STATS_END, &m);
	ck_assert_uint_eq(chan_get_u32(&r), 42);
	ck_assert_uint_eq(chan_get_u64(&r), 7);
	ck_assert(chan_reader_done(&r));
}
END_TEST

/** Headers that the core reads from a packet, and again from what the event says of it. */
static const struct {
	const char *name;
	uint8_t len;
	uint8_t octets[64];
} logged[] = {
	{ "IPv4 UDP", 28, { 0x45, 0xb9, 0, 28, 1, 2, 0x40, 0, 17, 17, 0, 0, 192, 0, 2, 1,
			    198, 51, 100, 1, 0x13, 0x88, 0x01, 0xf4, 0, 8, 0, 0 } },
	{ "IPv4 ICMP", 28, { 0x45, 0, 0, 28, 1, 2, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1,
			     198, 51, 100, 1, 8, 0, 0, 0, 0, 1, 0, 1 } },
	{ "IPv4 later fragment", 28, { 0x45, 0, 0, 28, 1, 2, 0, 1, 64, 17, 0, 0, 192, 0, 2, 1,
				       198, 51, 100, 1, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "IPv6 TCP", 60, { 0x6b, 0x9a, 0xbc, 0xde, 0, 20, 6, 63,
			    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
			    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
			    0xc0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0 } },
};

START_TEST(test_policy_logged_packet_is_told_with_what_its_headers_say)
{
	const struct ipsp_span packet = { logged[_i].octets, logged[_i].len };
	struct ipsp_flow flow, told;
	struct role_message m;
	struct wire_event e;

	ck_assert_int_eq(ipsp_flow_parse(packet, &flow), IPSP_REASON_NONE);
	const struct ipsp_log_event event = {
		.entry_id = 11, .dir = IPSP_OUTBOUND, .verdict = IPSP_VERDICT_ESP_OUT, .ifindex = 3,
		.flow = &flow, .sa_id = 1, .suppressed = 6,
	};

	engine_events(&role).log(&role, &event);
	role_settle(&role);
	role_expect(MSG_EVENT, &m);
	const struct chan_msg as_received = { .type = m.type, .data = m.data, .len = m.len };

	ck_assert(report_event_read(&as_received, &e));
	ck_assert_uint_eq(e.kind, WIRE_EVENT_PACKET);
	ck_assert_uint_eq(e.id, 11);
	ck_assert_uint_eq(e.dir, IPSP_OUTBOUND);
	ck_assert_uint_eq(e.action, IPSP_PROTECT);
	ck_assert_uint_eq(e.ifindex, 3);
	ck_assert_uint_eq(e.suppressed, 6);
	ck_assert_int_eq(ipsp_addr_cmp(&e.src, &flow.src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&e.dst, &flow.dst), 0);
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span) { e.packet, e.packet_len }, &told),
			 IPSP_REASON_NONE);
	ck_assert_int_eq(ipsp_addr_cmp(&told.src, &flow.src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&told.dst, &flow.dst), 0);
	ck_assert_uint_eq(told.proto, flow.proto);
	ck_assert_uint_eq(told.dscp, flow.dscp);
	ck_assert_uint_eq(told.ecn, flow.ecn);
	ck_assert_uint_eq(told.ttl, flow.ttl);
	ck_assert_uint_eq(told.frag, flow.frag);
	ck_assert_uint_eq(told.df, flow.df);
	ck_assert_uint_eq(told.flow_label, flow.flow_label);
	ck_assert_uint_eq(told.sport, flow.sport);
	ck_assert_uint_eq(told.dport, flow.dport);
}
END_TEST

START_TEST(test_policy_packet_that_passed_is_told_with_its_octets)
{
	static const uint8_t octets[] = { 0x45, 0, 0, 28, 1, 2, 3 };
	const struct ipsp_span packet = { logged[0].octets, logged[0].len };
	struct ipsp_flow flow;
	struct role_message m;
	struct wire_event e;

	in_force(7);
	ck_assert_int_eq(ipsp_flow_parse(packet, &flow), IPSP_REASON_NONE);
	const struct ipsp_passed_event event = {
		.sa = ipsp_sad_find(ipsp_engine_sad(role.engine), 1), .entry_id = 11, .ifindex = 3,
		.flow = &flow, .octets = { octets, _i == 0 ? 0 : sizeof(octets) }, .suppressed = 5,
	};

	engine_events(&role).passed(&role, &event);
	role_settle(&role);
	role_expect(MSG_EVENT, &m);
	const struct chan_msg as_received = { .type = m.type, .data = m.data, .len = m.len };

	ck_assert(report_event_read(&as_received, &e));
	ck_assert_uint_eq(e.kind, WIRE_EVENT_PASSED);
	ck_assert_uint_eq(e.id, 11);
	ck_assert_uint_eq(e.action_id, 1);
	ck_assert_uint_eq(e.dir, IPSP_INBOUND);
	ck_assert_uint_eq(e.action, IPSP_PROTECT);
	ck_assert_uint_eq(e.suppressed, 5);
	ck_assert_int_eq(ipsp_addr_cmp(&e.src, &flow.src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&e.dst, &flow.dst), 0);
	ck_assert_uint_eq(e.packet_len, event.octets.len);
	ck_assert_mem_eq(e.packet, octets, e.packet_len);
}
END_TEST

START_TEST(test_policy_SAs_that_come_and_go_are_told)
{
	struct wire_event e;

	in_force(7);
	ck_assert(role_next_sa_event(&e));
	ck_assert_uint_eq(e.id, 1);
	ck_assert_uint_eq(e.reason, WIRE_SA_INSTALLED);
	ck_assert_uint_eq(e.spi, 0xb01);
	ck_assert_uint_eq(e.proto, IPSP_PROTO_ESP);
	ck_assert_uint_eq(e.dir, IPSP_INBOUND);
	ck_assert_uint_eq(e.src.octets[0], 192);
	ck_assert_uint_eq(e.dst.octets[0], 198);
	in_force(8);
	ck_assert(!role_next_sa_event(&e));
	const struct ipsp_life_event hard = {
		ipsp_sad_find(ipsp_engine_sad(role.engine), 1), IPSP_LIFE_HARD, IPSP_LIFE_SECONDS,
	};

	engine_events(&role).sa_expired(&role, &hard);
	role_settle(&role);
	ck_assert(role_next_sa_event(&e));
	ck_assert_uint_eq(e.reason, WIRE_SA_EXPIRED);
	begin(9);
	commit(9, 0, 0, 0);
	ck_assert(role_next_sa_event(&e));
	ck_assert_uint_eq(e.reason, WIRE_SA_REMOVED);
	ck_assert(!role_next_sa_event(&e));
}
END_TEST

START_TEST(test_policy_random_octets_are_never_given_out_twice)
{
	uint8_t a[ENGINE_RANDOM_POOL - 3], b[16], c[600];
	static const uint8_t zero[16];
	struct engine_random pool = { .left = 0 };

	ck_assert_int_eq(engine_random_take(&pool, a, sizeof(a)), IPSP_OK);
	ck_assert_int_eq(engine_random_take(&pool, b, sizeof(b)), IPSP_OK);
	ck_assert_int_eq(engine_random_take(&pool, c, sizeof(c)), IPSP_OK);
	ck_assert_mem_ne(a, b, sizeof(b));
	ck_assert_mem_ne(b, c, sizeof(b));
	ck_assert_mem_ne(b, zero, sizeof(b));
	ck_assert_mem_ne(c + sizeof(c) - 16, zero, 16);
	/* What has been given out stands in the pool no more. */
	for (size_t i = 0; i < ENGINE_RANDOM_POOL - pool.left; i++)
		ck_assert_uint_eq(pool.octets[i], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/engine_policy");
	TCase *t = tcase_create("policy");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_policy_refused_generation_leaves_the_one_before_in_force, 0, 4);
	tcase_add_loop_test(t, test_policy_commit_that_does_not_fit_is_refused, 0, 4);
	tcase_add_test(t, test_policy_half_a_generation_is_forgotten_with_its_agent);
	tcase_add_test(t, test_policy_empty_generation_takes_everything_out);
	tcase_add_loop_test(t, test_policy_refused_SA_is_named_and_the_rest_applied, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_loop_test(t, test_policy_malformed_requests_change_nothing, 0, 4);
	tcase_add_test(t, test_policy_settings_are_in_force_at_once);
	tcase_add_test(t, test_policy_statistics_name_SAs_and_end_with_the_generation);
	tcase_add_loop_test(t, test_policy_logged_packet_is_told_with_what_its_headers_say, 0,
			    sizeof(logged) / sizeof(logged[0]));
	tcase_add_loop_test(t, test_policy_packet_that_passed_is_told_with_its_octets, 0, 2);
	tcase_add_test(t, test_policy_SAs_that_come_and_go_are_told);
	tcase_add_test(t, test_policy_random_octets_are_never_given_out_twice);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
