/*
 * Tests of ipspd/agent_stats.c: however many ask, engine and parent are asked once, and nobody gets an
 * answer that is older than the question. Engine and parent are this test.
 */
#include "config.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/messages.h"

#define MANY 100000

static struct agent agent;
static struct chan *parent_end, *engine_end;
static unsigned engine_asked, parent_asked;
static uint32_t engine_serial, parent_serial;

static void engine_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	ck_assert_int_eq(m->type, MSG_STATS_GET);
	engine_serial = chan_get_u32(&r);
	engine_asked++;
}

static void parent_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	ck_assert_int_eq(m->type, MSG_GUARD_COUNT);
	parent_serial = chan_get_u32(&r);
	parent_asked++;
}

static void agent_message(void *arg, struct chan_msg *m)
{
	(void)arg;
	ck_assert(m->type == MSG_GUARD_COUNTED ? stats_guard_counted(&agent, m) :
						 stats_message(&agent, m));
}

static void closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void pair(void (*at_agent)(void *, struct chan_msg *),
		 void (*at_end)(void *, struct chan_msg *), struct chan **ours, struct chan **end)
{
	const struct chan_handler agents = { at_agent, closed, NULL };
	const struct chan_handler others = { at_end, closed, NULL };
	int fds[2];

	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[0], &agents, ours), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &others, end), 0);
}

/* All that is on its way arrives. */
static void settle(void)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

static void setup(void)
{
	memset(&agent, 0, sizeof(agent));
	engine_asked = parent_asked = 0;
	agent.base = event_base_new();
	ck_assert_ptr_nonnull(agent.base);
	pair(agent_message, parent_message, &agent.parent, &parent_end);
	pair(agent_message, engine_message, &agent.engine, &engine_end);
	ck_assert_int_eq(stats_init(&agent), 0);
}

static void teardown(void)
{
	stats_fini(&agent);
	chan_free(agent.parent);
	chan_free(agent.engine);
	chan_free(parent_end);
	chan_free(engine_end);
	event_base_free(agent.base);
}

/* ---- answers ---- */

static void engine_answers(uint64_t packets)
{
	const struct wire_entry_stats e = { .id = 7, .ifindex = 2, .dir = IPSP_OUTBOUND,
					    .packets = packets, .bytes = packets * 10 };
	uint8_t buf[12];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	ck_assert_int_eq(report_entries_send(engine_end, engine_serial, &e, 1), 0);
	chan_put_u32(&w, engine_serial);
	chan_put_u64(&w, 1);
	ck_assert_int_eq(chan_send(engine_end, MSG_STATS_END, buf, w.len, NULL, 0), 0);
	settle();
}

static void parent_answers(uint64_t packets)
{
	const struct wire_guard_count counts[] = {
		{ WIRE_GUARD_DISCARDED, 8, 2, IPSP_OUTBOUND, packets, packets },
		{ WIRE_GUARD_END, 0, 2, IPSP_OUTBOUND, packets, packets },
		{ WIRE_GUARD_UNPROTECTED, 0, 2, IPSP_OUTBOUND, packets, packets },
		{ WIRE_GUARD_HIDDEN, 0, 2, IPSP_OUTBOUND, packets, packets },
	};

	ck_assert_int_eq(report_guard_send(parent_end, parent_serial, false, counts,
					   packets ? 4 : 0), 0);
	settle();
}

static unsigned answered;

static void counted(struct agent_question *q)
{
	(void)q;
	answered++;
}

static void ask(struct agent_question *q)
{
	*q = (struct agent_question){ .counted = counted };
	agent_count(&agent, q);
	settle();
}

static uint64_t entry_packets(uint64_t id)
{
	return totals_entry(agent_totals(&agent), 2, IPSP_OUTBOUND, id)->packets;
}

/* ---- tests ---- */

START_TEST(test_a_walk_of_any_length_asks_once)
{
	for (unsigned i = 0; i < MANY; i++)
		agent_totals_wanted(&agent);
	settle();
	ck_assert_uint_eq(engine_asked, 1);
	ck_assert_uint_eq(parent_asked, 1);
	engine_answers(5);
	ck_assert_uint_eq(entry_packets(7), 5);
}
END_TEST

START_TEST(test_a_question_is_answered_when_both_have)
{
	struct agent_question q;

	answered = 0;
	ask(&q);
	engine_answers(5);
	ck_assert_uint_eq(answered, 0);
	parent_answers(3);
	ck_assert_uint_eq(answered, 1);
	ck_assert_uint_eq(entry_packets(7), 5);
	ck_assert_uint_eq(entry_packets(8), 3);
}
END_TEST

START_TEST(test_no_answer_is_older_than_its_question)
{
	struct agent_question first, second;

	answered = 0;
	ask(&first);
	ask(&second);
	ck_assert_uint_eq(engine_asked, 1);
	engine_answers(5);
	parent_answers(0);
	ck_assert_uint_eq(answered, 1);
	ck_assert_uint_eq(engine_asked, 2);
	engine_answers(6);
	parent_answers(0);
	ck_assert_uint_eq(answered, 2);
	ck_assert_uint_eq(entry_packets(7), 6);
}
END_TEST

START_TEST(test_an_engine_that_goes_answers_nobody_but_keeps_nobody_waiting)
{
	struct agent_question q;

	answered = 0;
	ask(&q);
	parent_answers(0);
	ck_assert_uint_eq(answered, 0);
	chan_free(agent.engine);
	agent.engine = NULL;
	stats_engine_down(&agent);
	ck_assert_uint_eq(answered, 1);
	ask(&q);
	parent_answers(0);
	ck_assert_uint_eq(answered, 2);
}
END_TEST

/* As engines send them: the ICMP counts come before the end. */
static void icmp_answers(uint64_t learned, size_t cut)
{
	uint8_t buf[4 + 8 * IPSP_N_ICMP_COUNTS];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, engine_serial);
	for (unsigned i = 0; i < IPSP_N_ICMP_COUNTS; i++)
		chan_put_u64(&w, i == IPSP_ICMP_LEARNED ? learned : 0);
	const struct chan_msg m = { .type = MSG_STATS_ICMP, .data = buf, .len = w.len - cut };

	ck_assert(stats_message(&agent, &m) == (cut == 0));
}

static void fast_answers(uint64_t packets, size_t cut)
{
	uint8_t buf[12];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, engine_serial);
	chan_put_u64(&w, packets);
	const struct chan_msg m = { .type = MSG_STATS_FAST, .data = buf, .len = w.len - cut };

	ck_assert(stats_message(&agent, &m) == (cut == 0));
}

START_TEST(test_what_engines_send_by_packet_sockets_is_added_up)
{
	static struct agent_question q = { .counted = counted };

	answered = 0;
	agent_count(&agent, &q);
	settle();
	fast_answers(9, 1);
	fast_answers(4, 0);
	engine_answers(1);
	parent_answers(0);
	ck_assert_uint_eq(answered, 1);
	ck_assert_uint_eq(totals_fast(agent_totals(&agent)), 4);
}
END_TEST

START_TEST(test_what_engines_count_of_icmp_errors_is_added_up)
{
	static struct agent_question q = { .counted = counted };

	answered = 0;
	agent_count(&agent, &q);
	settle();
	icmp_answers(9, 1);
	icmp_answers(4, 0);
	engine_answers(1);
	parent_answers(0);
	ck_assert_uint_eq(answered, 1);
	ck_assert_uint_eq(totals_icmp(agent_totals(&agent), IPSP_ICMP_LEARNED), 4);
}
END_TEST

START_TEST(test_what_the_guard_drops_has_the_engines_reasons)
{
	struct agent_question q;

	ask(&q);
	parent_answers(3);
	ck_assert_uint_eq(totals_drops(agent_totals(&agent), IPSP_REASON_POLICY_DISCARD), 3);
	ck_assert_uint_eq(totals_drops(agent_totals(&agent), IPSP_REASON_POLICY_DEFAULT), 3);
	ck_assert_uint_eq(totals_drops(agent_totals(&agent), IPSP_REASON_POLICY_CLEAR), 3);
	ck_assert_uint_eq(totals_drops(agent_totals(&agent), IPSP_REASON_EXTENSIONS), 3);
	/* A drop for several entries at once is nobody's; the end of a list is the list's. */
	ck_assert_uint_eq(entry_packets(0), 3);
	agent_forget_question(&agent, &q);
}
END_TEST

START_TEST(test_an_answer_to_another_question_changes_nothing)
{
	struct agent_question q;

	answered = 0;
	ask(&q);
	engine_serial += 7;
	engine_answers(5);
	parent_answers(0);
	ck_assert_uint_eq(answered, 0);
	ck_assert_uint_eq(entry_packets(7), 0);
	agent_forget_question(&agent, &q);
}
END_TEST

START_TEST(test_malformed_answers_are_refused)
{
	const uint8_t octets[] = { 0, 0, 0, 1, 0, 1, 9 };
	struct chan_msg m = { .data = octets };
	static const uint16_t types[] = { MSG_STATS_ENTRIES, MSG_STATS_SAS, MSG_STATS_DROP,
					  MSG_STATS_END };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (m.len = 0; m.len <= sizeof(octets); m.len++) {
			m.type = types[i];
			ck_assert(!stats_message(&agent, &m));
		}
	}
	for (m.len = 0; m.len <= sizeof(octets); m.len++)
		ck_assert(!stats_guard_counted(&agent, &m));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/agent_stats");
	TCase *c = tcase_create("counting");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_a_walk_of_any_length_asks_once);
	tcase_add_test(c, test_a_question_is_answered_when_both_have);
	tcase_add_test(c, test_no_answer_is_older_than_its_question);
	tcase_add_test(c, test_an_engine_that_goes_answers_nobody_but_keeps_nobody_waiting);
	tcase_add_test(c, test_what_the_guard_drops_has_the_engines_reasons);
	tcase_add_test(c, test_what_engines_count_of_icmp_errors_is_added_up);
	tcase_add_test(c, test_what_engines_send_by_packet_sockets_is_added_up);
	tcase_add_test(c, test_an_answer_to_another_question_changes_nothing);
	tcase_add_test(c, test_malformed_answers_are_refused);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
