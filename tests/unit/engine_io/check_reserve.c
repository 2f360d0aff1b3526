/*
 * tests/unit/engine_io/check_reserve.c - reservation of sequence numbers: none is used before it is
 * durable, none twice, and the agent is asked in time, once.
 */
#include "config.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/messages.h"
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

static void grant(uint64_t counter_id, uint64_t ceiling)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, counter_id);
	chan_put_u64(&w, ceiling);
	role_policy(&role, MSG_RESERVED, buf, w.len);
}

/** The SA in force, and so many of its numbers used. */
static const struct ipsp_sa *installed(uint64_t id)
{
	const struct ipsp_sa *const sa = ipsp_sad_find(ipsp_engine_sad(role.engine), id);

	ck_assert_ptr_nonnull(sa);
	return sa;
}

static void use(uint64_t id, uint64_t last)
{
	atomic_store(&installed(id)->counter->seq, last);
}

static uint64_t ceiling_of(uint64_t id)
{
	return atomic_load(&installed(id)->seq_ceiling);
}

static void expect_reserve(uint64_t counter_id, uint64_t next)
{
	struct role_message m;
	struct chan_reader r = role_expect(MSG_RESERVE, &m);

	ck_assert_uint_eq(chan_get_u64(&r), counter_id);
	ck_assert_uint_eq(chan_get_u64(&r), next);
	ck_assert(chan_reader_done(&r));
}

static void expect_applied(uint64_t generation)
{
	struct role_message m;
	struct chan_reader r = role_expect(MSG_GEN_APPLIED, &m);

	ck_assert_uint_eq(chan_get_u64(&r), generation);
}

static void expect_silence(void)
{
	struct role_message m;

	if (role_next(&m))
		ck_abort_msg("message %u", m.type);
}

START_TEST(test_reserve_nothing_is_reserved_at_first_and_the_agent_is_asked)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	expect_reserve(1001, 1);
	expect_silence();
	ck_assert(engine_reserve_is_empty(installed(1)));
	grant(1001, RESERVE_BLOCK);
	ck_assert(!engine_reserve_is_empty(installed(1)));
	ck_assert_uint_eq(ceiling_of(1), RESERVE_BLOCK);
	expect_silence();
}
END_TEST

START_TEST(test_reserve_a_ceiling_that_came_before_the_SA_counts)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	grant(1001, RESERVE_BLOCK);
	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	expect_silence();
	ck_assert_uint_eq(ceiling_of(1), RESERVE_BLOCK);
}
END_TEST

START_TEST(test_reserve_floor_without_reservation_allows_nothing)
{
	struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	sa.seq_floor = 5000;
	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	expect_reserve(1001, 5001);
	ck_assert_uint_eq(ipsp_sa_seq_left(installed(1)), 0);
	grant(1001, 5000 + RESERVE_BLOCK);
	ck_assert_uint_eq(ipsp_sa_seq_left(installed(1)), RESERVE_BLOCK);
}
END_TEST

START_TEST(test_reserve_counter_in_memory_goes_on_without_floor)
{
	struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);
	struct ipsp_counter *counter;
	bool fresh;

	ck_assert_int_eq(ipsp_counters_get(&role.counters, 1001, &counter, &fresh), IPSP_OK);
	atomic_store(&counter->seq, 70);
	sa.seq_floor = RESERVE_BLOCK;
	grant(1001, RESERVE_BLOCK);
	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	ck_assert_uint_eq(ipsp_sa_seq_left(installed(1)), RESERVE_BLOCK - 70);
}
END_TEST

START_TEST(test_reserve_SA_that_goes_on_keeps_its_floor_and_place)
{
	struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	grant(1001, RESERVE_BLOCK);
	role_generation(&role, 1, &sa, 1);
	const struct ipsp_sa *const before = installed(1);

	use(1, 300);
	sa.seq_floor = RESERVE_BLOCK;
	role_generation(&role, 2, &sa, 1);
	ck_assert_ptr_eq(installed(1), before);
	ck_assert_uint_eq(ipsp_sa_seq_last(installed(1)), 300);
}
END_TEST

static const struct {
	const char *name;
	uint64_t last;
	bool asks;
} halves[] = {
	{ "half a block left", RESERVE_BLOCK / 2, false },
	{ "one fewer", RESERVE_BLOCK / 2 + 1, true },
	{ "none left", RESERVE_BLOCK, true },
};

START_TEST(test_reserve_asks_when_fewer_than_half_a_block_is_left)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	grant(1001, RESERVE_BLOCK);
	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	use(1, halves[_i].last);
	engine_reserve_ask_all(&role);
	role_settle(&role);
	if (halves[_i].asks)
		expect_reserve(1001, halves[_i].last + 1);
	expect_silence();
	ck_assert_uint_eq(ceiling_of(1), RESERVE_BLOCK);
}
END_TEST

START_TEST(test_reserve_asks_once_then_again_when_nobody_answers_or_the_agent_is_new)
{
	const struct ipsp_sa_config cfg = role_sa(1, IPSP_OUTBOUND, 0xa01);
	uint64_t next = 0;

	role_generation(&role, 1, &cfg, 1);
	struct engine_reserve *const r = engine_reserve_new();
	struct ipsp_sad *const sad = ipsp_engine_sad(role.engine);
	const struct ipsp_sa *const sa = installed(1);

	ck_assert(engine_reserve_check(r, sad, sa, 100, &next));
	ck_assert_uint_eq(next, 1);
	ck_assert(!engine_reserve_check(r, sad, sa, 100 + RESERVE_ASK_AGAIN_S - 1, &next));
	ck_assert(engine_reserve_check(r, sad, sa, 100 + RESERVE_ASK_AGAIN_S, &next));
	ck_assert(!engine_reserve_check(r, sad, sa, 100 + RESERVE_ASK_AGAIN_S, &next));
	engine_reserve_forget_asked(r);
	ck_assert(engine_reserve_check(r, sad, sa, 100 + RESERVE_ASK_AGAIN_S, &next));
	engine_reserve_free(r);
}
END_TEST

START_TEST(test_reserve_an_answer_that_is_not_enough_has_the_agent_asked_anew)
{
	const struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	role_generation(&role, 1, &sa, 1);
	expect_applied(1);
	expect_reserve(1001, 1);
	grant(1001, RESERVE_BLOCK / 2 - 1);
	expect_reserve(1001, 1);
	grant(1001, RESERVE_BLOCK);
	expect_silence();
	ck_assert_uint_eq(ceiling_of(1), RESERVE_BLOCK);
}
END_TEST

struct waiting {
	uint64_t ids[4];
	size_t n;
	bool stays;
};

static bool note_waiting(void *arg, uint64_t sa_id)
{
	struct waiting *w = arg;

	ck_assert_uint_lt(w->n, 4);
	w->ids[w->n++] = sa_id;
	return w->stays;
}

static size_t count_waiting(struct engine_reserve *r, bool stays)
{
	struct waiting w = { .stays = stays };

	engine_reserve_each_waiting(r, note_waiting, &w);
	for (size_t i = 0; i < w.n; i++)
		ck_assert_uint_eq(w.ids[i], 1);
	return w.n;
}

START_TEST(test_reserve_those_that_wait_for_an_answer_are_known_until_it_comes)
{
	const struct ipsp_sa_config cfgs[] = {
		role_sa(1, IPSP_OUTBOUND, 0xa01), role_sa(2, IPSP_OUTBOUND, 0xa02),
	};
	uint64_t next;

	role_generation(&role, 1, cfgs, 2);
	struct engine_reserve *const r = engine_reserve_new();
	struct ipsp_sad *const sad = ipsp_engine_sad(role.engine);

	ck_assert_uint_eq(engine_reserve_asker(r, 1001), 0);
	ck_assert(engine_reserve_check(r, sad, installed(1), 100, &next));
	ck_assert_uint_eq(engine_reserve_asker(r, 1001), 1);
	ck_assert_uint_eq(count_waiting(r, true), 1);
	ck_assert_uint_eq(count_waiting(r, true), 1);
	ck_assert_int_eq(engine_reserve_grant(r, 1001, RESERVE_BLOCK), 0);
	ck_assert_uint_eq(count_waiting(r, true), 0);
	/* One whose SA is gone is asked for no more. */
	use(1, RESERVE_BLOCK);
	ck_assert(engine_reserve_check(r, sad, installed(1), 200, &next));
	ck_assert_uint_eq(count_waiting(r, false), 1);
	ck_assert_uint_eq(count_waiting(r, false), 0);
	engine_reserve_free(r);
}
END_TEST

START_TEST(test_reserve_inbound_SAs_need_none)
{
	const struct ipsp_sa_config sas[] = {
		role_sa(1, IPSP_OUTBOUND, 0xa01), role_sa(2, IPSP_INBOUND, 0xb01),
	};

	grant(1001, RESERVE_BLOCK);
	role_generation(&role, 1, sas, 2);
	expect_applied(1);
	expect_silence();
	ck_assert(!engine_reserve_is_empty(installed(2)));
}
END_TEST

START_TEST(test_reserve_spaces_are_forgotten_with_their_SAs_and_bounded)
{
	struct ipsp_sa_config sa = role_sa(1, IPSP_OUTBOUND, 0xa01);

	grant(1001, RESERVE_BLOCK);
	grant(4711, RESERVE_BLOCK);
	role_generation(&role, 1, &sa, 1);
	ck_assert_uint_eq(engine_reserve_ceiling(role.reserve, 1001), RESERVE_BLOCK);
	ck_assert_uint_eq(engine_reserve_ceiling(role.reserve, 4711), 0);
	struct engine_reserve *const r = engine_reserve_new();

	for (uint64_t i = 1; i <= RESERVE_SPACES_MAX; i++)
		ck_assert_int_eq(engine_reserve_grant(r, i, 7), 0);
	ck_assert_int_eq(engine_reserve_grant(r, RESERVE_SPACES_MAX + 1, 7), -E2BIG);
	ck_assert_int_eq(engine_reserve_grant(r, 1, 8), 0);
	ck_assert_uint_eq(engine_reserve_ceiling(r, 1), 8);
	engine_reserve_free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/engine_reserve");
	TCase *t = tcase_create("reserve");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_reserve_nothing_is_reserved_at_first_and_the_agent_is_asked);
	tcase_add_test(t, test_reserve_a_ceiling_that_came_before_the_SA_counts);
	tcase_add_test(t, test_reserve_floor_without_reservation_allows_nothing);
	tcase_add_test(t, test_reserve_counter_in_memory_goes_on_without_floor);
	tcase_add_test(t, test_reserve_SA_that_goes_on_keeps_its_floor_and_place);
	tcase_add_loop_test(t, test_reserve_asks_when_fewer_than_half_a_block_is_left, 0,
			    sizeof(halves) / sizeof(halves[0]));
	tcase_add_test(t, test_reserve_asks_once_then_again_when_nobody_answers_or_the_agent_is_new);
	tcase_add_test(t, test_reserve_an_answer_that_is_not_enough_has_the_agent_asked_anew);
	tcase_add_test(t, test_reserve_those_that_wait_for_an_answer_are_known_until_it_comes);
	tcase_add_test(t, test_reserve_inbound_SAs_need_none);
	tcase_add_test(t, test_reserve_spaces_are_forgotten_with_their_SAs_and_bounded);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
