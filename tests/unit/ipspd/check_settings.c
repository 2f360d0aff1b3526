/*
 * tests/unit/ipspd/check_settings.c - the scalars of ipspdPath and ipspdIcmp on their way to the engine.
 */
#include "config.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>

#include "ipspd/agent_int.h"
#include "ipspd/messages.h"
#include "ipspd/settings.h"
#include "mibs/schema_gen.h"
#include "tests/unit/policy/rowtext.h"

static struct agent agent;
static struct chan *engine_end;
static struct ipsp_engine_settings got;
static struct hold_settings held;
static unsigned n_got;

void agent_give_up(struct agent *a, int status)
{
	(void)a;
	ck_abort_msg("gave up with %d", status);
}

static void message(void *arg, struct chan_msg *m)
{
	(void)arg;
	if (m->type == MSG_HOLD) {
		ck_assert(settings_hold_read(m, &held));
		return;
	}
	ck_assert_int_eq(m->type, MSG_SETTINGS);
	ck_assert(settings_read(m, &got));
	n_got++;
}

static void closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void setup(void)
{
	const struct chan_handler handler = { message, closed, NULL };
	int fds[2];

	agent = (struct agent){ .base = event_base_new(), .store = store_new() };
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[0], &handler, &agent.engine), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &handler, &engine_end), 0);
	ipsp_engine_settings_default(&got);
	n_got = 0;
}

static void teardown(void)
{
	chan_free(agent.engine);
	chan_free(engine_end);
	mib_store_free(agent.store);
	event_base_free(agent.base);
}

static void settle(void)
{
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

START_TEST(test_what_nobody_set_is_the_engines_own_default)
{
	struct ipsp_engine_settings s;

	ipsp_engine_settings_default(&s);
	got = (struct ipsp_engine_settings){ .icmp_clear = true };
	settings_tell(&agent);
	settle();
	ck_assert_uint_eq(n_got, 1);
	ck_assert_uint_eq(got.frag_timeout_s, s.frag_timeout_s);
	ck_assert_uint_eq(got.pmtu_age_s, s.pmtu_age_s);
	ck_assert_uint_eq(got.icmp_per_s, s.icmp_per_s);
	ck_assert(got.pmtu_listen);
	ck_assert_uint_eq(got.icmp_by_quote, s.icmp_by_quote);
	ck_assert_uint_eq(got.reassembly_timeout_s, s.reassembly_timeout_s);
	ck_assert(!got.icmp_clear);
}
END_TEST

START_TEST(test_what_was_set_reaches_the_engine)
{
	rows_put(agent.store, "= path 0 FragTimeout=5 MtuAge=0 MtuListen=false IcmpRate=7 "
			      "IcmpByQuote=discarded\n= icmp 0 Clear=true ReassemblyTimeout=8");
	settings_tell(&agent);
	settle();
	ck_assert_uint_eq(got.frag_timeout_s, 5);
	ck_assert_uint_eq(got.pmtu_age_s, 0);
	ck_assert_uint_eq(got.icmp_per_s, 7);
	ck_assert(!got.pmtu_listen);
	ck_assert_uint_eq(got.icmp_by_quote, IPSP_ICMP_QUOTE_DISCARDED);
	ck_assert(got.icmp_clear);
	ck_assert_uint_eq(got.reassembly_timeout_s, 8);
}
END_TEST

START_TEST(test_the_engine_is_told_of_changes_and_of_nothing_else)
{
	const struct mib_change changes[2] = {
		{ .table = &mib_t_ipspdExempt }, { .table = &mib_t_ipspdPath },
	};
	const struct mib_change icmp = { .table = &mib_t_ipspdIcmp };

	settings_committed(&agent, changes, 1);
	settle();
	ck_assert_uint_eq(n_got, 0);
	settings_committed(&agent, changes, 2);
	settle();
	ck_assert_uint_eq(n_got, 1);
	settings_committed(&agent, &icmp, 1);
	settle();
	ck_assert_uint_eq(n_got, 2);
}
END_TEST

static const struct {
	const char *name;
	size_t at;
	uint8_t octet;
	size_t len;
} wrong[] = {
	{ "fragments that stand for no time", 3, 0, 19 },
	{ "listening twice", 12, 2, 19 },
	{ "an unknown choice", 13, 3, 19 },
	{ "fragments that may take no time", 17, 0, 19 },
	{ "clear twice", 18, 2, 19 },
	{ "short", 0, 0, 18 },
	{ "long", 0, 0, 20 },
};

START_TEST(test_what_cannot_be_is_refused_and_changes_nothing)
{
	uint8_t octets[20] = { [3] = 30, [7] = 60, [11] = 9, [12] = 1, [13] = 1, [17] = 60 };
	struct chan_msg m = { .data = octets, .len = 19 };

	ck_assert(settings_read(&m, &got));
	ck_assert_uint_eq(got.icmp_per_s, 9);
	octets[11] = 8;
	octets[wrong[_i].at] = wrong[_i].octet;
	m.len = wrong[_i].len;
	ck_assert_msg(!settings_read(&m, &got), "%s", wrong[_i].name);
	ck_assert_uint_eq(got.icmp_per_s, 9);
}
END_TEST

START_TEST(test_what_waits_is_told_as_managers_say)
{
	static const char rows[] = "= hold 0 Depth=5 Kbytes=8";

	settings_tell(&agent);
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(held.depth, 1);
	ck_assert_uint_eq(held.octets_max, 4u << 20);
	ck_assert_uint_eq(held.seconds, 60);
	rows_put(agent.store, rows);
	settings_tell(&agent);
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(held.depth, 5);
	ck_assert_uint_eq(held.octets_max, 8u << 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *c = tcase_create("settings");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_what_waits_is_told_as_managers_say);
	tcase_add_test(c, test_what_nobody_set_is_the_engines_own_default);
	tcase_add_test(c, test_what_was_set_reaches_the_engine);
	tcase_add_test(c, test_the_engine_is_told_of_changes_and_of_nothing_else);
	tcase_add_loop_test(c, test_what_cannot_be_is_refused_and_changes_nothing, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(suite, c);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
