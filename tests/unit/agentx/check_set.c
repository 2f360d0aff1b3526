/*
 * tests/unit/agentx/check_set.c - SET phases: the grid of RFC 2741 7.3.1, repeated and misplaced
 * phases, waiting for the store, and giving up.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/error.h"
#include "agentx/set.h"
#include "tests/unit/agentx/fake_store.h"

#define NO_ANSWER 0xffff

static struct event_base *base;
static struct mib_store store;
static struct ax_sets *sets;
static struct ax_log no_log;
static struct {
	unsigned n;
	uint8_t type;
	uint32_t transaction_id;
	uint32_t packet_id;
	uint16_t error;
	uint16_t index;
} answers;

static void on_answer(void *arg, const struct ax_header *request, uint16_t error, uint16_t index)
{
	(void)arg;
	answers.n++;
	answers.type = request->type;
	answers.transaction_id = request->transaction_id;
	answers.packet_id = request->packet_id;
	answers.error = error;
	answers.index = index;
}

static const struct ax_sets_ops ops = { on_answer };

static void start(unsigned wait_ms, unsigned hold_ms)
{
	memset(&store, 0, sizeof(store));
	memset(&answers, 0, sizeof(answers));
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(ax_sets_new(base, &store, wait_ms, hold_ms, &ops, NULL, &no_log, &sets),
			 MIB_OK);
}

static void setup(void)
{
	start(60000, 60000);
}

static void teardown(void)
{
	ax_sets_free(sets);
	ck_assert_ptr_null(store.open);
	ck_assert_ptr_null(store.line);
	event_base_free(base);
}

static uint32_t next_packet_id;

/** A phase of SET id; a TestSet carries n VarBinds of that type. */
static void ask_with(uint8_t type, uint32_t id, size_t n, enum ax_value_type vtype)
{
	/* spdIngressPolicyGroupName.0, RFC 4807: a string */
	static const uint32_t name[] = { 1, 3, 6, 1, 2, 1, 153, 1, 1, 1, 0 };
	const struct ax_header h = { .type = type,
				     .flags = AX_NETWORK_BYTE_ORDER,
				     .session_id = 7,
				     .transaction_id = id,
				     .packet_id = ++next_packet_id };
	const struct mib_value integer = mib_value_integer(1);
	const struct mib_value octets = mib_value_octets("\300\0\2\1", 4);
	struct ax_header got;
	struct ax_pdu p;
	struct ax_buf b;

	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	for (size_t i = 0; type == AX_TEST_SET && i < n; i++)
		ax_put_varbind(&b, vtype, name, 11, vtype == AX_INTEGER ? &integer : &octets);
	ck_assert(ax_pdu_end(&b, 0));
	ck_assert_int_eq(ax_frame_next(b.data, b.len, &got), AX_FRAME_PDU);
	ck_assert(ax_pdu_parse(&got, b.data + AX_HEADER_SIZE, &p));
	ax_sets_request(sets, &p);
	ax_buf_fini(&b);
}

static void ask(uint8_t type, uint32_t id)
{
	ask_with(type, id, 3, AX_INTEGER);
}

/** Asks and expects that answer at once; NO_ANSWER: none. */
static void ask_expect(uint8_t type, uint32_t id, uint16_t error, uint16_t index)
{
	const unsigned before = answers.n;

	ask(type, id);
	if (error == NO_ANSWER) {
		ck_assert_uint_eq(answers.n, before);
		return;
	}
	ck_assert_uint_eq(answers.n, before + 1);
	ck_assert_uint_eq(answers.type, type);
	ck_assert_uint_eq(answers.transaction_id, id);
	ck_assert_uint_eq(answers.packet_id, next_packet_id);
	ck_assert_uint_eq(answers.error, error);
	ck_assert_uint_eq(answers.index, index);
}

START_TEST(test_a_set_goes_through_test_commit_cleanup)
{
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	ask_expect(AX_CLEANUP_SET, 1, NO_ANSWER, 0);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit done");
	ck_assert_str_eq(store.who, "SNMP session 7");
	ck_assert_uint_eq(ax_sets_stats(sets)->committed, 1);
}
END_TEST

START_TEST(test_a_tested_set_is_dropped_by_cleanup)
{
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_CLEANUP_SET, 1, NO_ANSWER, 0);
	ck_assert_str_eq(store.calls, "begin set set set prepare done");
}
END_TEST

START_TEST(test_a_committed_set_is_taken_back_by_undo)
{
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	ask_expect(AX_UNDO_SET, 1, 0, 0);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit undo done");
}
END_TEST

START_TEST(test_a_refused_varbind_is_named_by_its_index)
{
	store.set = MIB_WRONG_LENGTH;
	store.set_fails_at = 2;
	ask_expect(AX_TEST_SET, 1, 8, 2);
	ask_expect(AX_CLEANUP_SET, 1, NO_ANSWER, 0);
	ck_assert_str_eq(store.calls, "begin set set done");
}
END_TEST

START_TEST(test_a_refusal_by_prepare_names_a_varbind)
{
	static const struct {
		size_t varbind;
		uint16_t index;
	} cases[] = { { 3, 3 }, { 0, 1 }, { 4, 1 } };

	for (uint32_t i = 0; i < 3; i++) {
		store.prepare = MIB_INCONSISTENT_VALUE;
		store.prepare_varbind = cases[i].varbind;
		ask_expect(AX_TEST_SET, i, 12, cases[i].index);
	}
}
END_TEST

/** Error-status numbers as RFC 3416 section 3 lists them. */
static const struct {
	enum mib_err err;
	uint16_t status;
} statuses[] = {
	{ MIB_GEN_ERR, 5 },
	{ MIB_NO_ACCESS, 6 },
	{ MIB_WRONG_TYPE, 7 },
	{ MIB_WRONG_LENGTH, 8 },
	{ MIB_WRONG_ENCODING, 9 },
	{ MIB_WRONG_VALUE, 10 },
	{ MIB_NO_CREATION, 11 },
	{ MIB_INCONSISTENT_VALUE, 12 },
	{ MIB_RESOURCE_UNAVAILABLE, 13 },
	{ MIB_NOT_WRITABLE, 17 },
	{ MIB_INCONSISTENT_NAME, 18 },
};

START_TEST(test_each_refusal_has_its_error_status)
{
	store.set = statuses[_i].err;
	store.set_fails_at = 1;
	ask_expect(AX_TEST_SET, 1, statuses[_i].status, 1);
}
END_TEST

START_TEST(test_a_failed_begin_is_answered)
{
	store.begin = MIB_RESOURCE_UNAVAILABLE;
	ask_expect(AX_TEST_SET, 1, 13, 1);
	ask_expect(AX_CLEANUP_SET, 1, NO_ANSWER, 0);
	ck_assert_str_eq(store.calls, "begin");
}
END_TEST

START_TEST(test_a_failed_commit_is_answered_and_undone_without_the_store)
{
	store.commit = MIB_COMMIT_FAILED;
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_COMMIT_SET, 1, 14, 1);
	ask_expect(AX_UNDO_SET, 1, 0, 0);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit done");
}
END_TEST

START_TEST(test_a_failed_undo_is_answered)
{
	store.undo = MIB_UNDO_FAILED;
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	ask_expect(AX_UNDO_SET, 1, 15, 1);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit undo done");
}
END_TEST

START_TEST(test_a_repeated_phase_gets_the_stored_answer)
{
	store.undo = MIB_UNDO_FAILED;
	for (int i = 0; i < 3; i++)
		ask_expect(AX_TEST_SET, 1, 0, 0);
	for (int i = 0; i < 3; i++)
		ask_expect(AX_COMMIT_SET, 1, 0, 0);
	for (int i = 0; i < 3; i++)
		ask_expect(AX_UNDO_SET, 1, 15, 1);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit undo done");
}
END_TEST

START_TEST(test_a_repeated_refusal_gets_the_stored_answer)
{
	store.set = MIB_WRONG_VALUE;
	store.set_fails_at = 3;
	ask_expect(AX_TEST_SET, 1, 10, 3);
	store.set = MIB_OK;
	ask_expect(AX_TEST_SET, 1, 10, 3);
	ck_assert_str_eq(store.calls, "begin set set set done");
}
END_TEST

/** The phases that lead to a state, and those that cannot come in it (X in 7.3.1). */
static const struct {
	const char *name;
	uint8_t before[3];
	uint8_t phase;
	enum mib_err test, commit;
	uint16_t error;
} misplaced[] = {
	{ "commit at first", { 0 }, AX_COMMIT_SET, MIB_OK, MIB_OK, 14 },
	{ "undo at first", { 0 }, AX_UNDO_SET, MIB_OK, MIB_OK, 15 },
	{ "cleanup at first", { 0 }, AX_CLEANUP_SET, MIB_OK, MIB_OK, NO_ANSWER },
	{ "undo after a good test", { AX_TEST_SET }, AX_UNDO_SET, MIB_OK, MIB_OK, 15 },
	{ "test after a commit", { AX_TEST_SET, AX_COMMIT_SET }, AX_TEST_SET, MIB_OK, MIB_OK, 5 },
	{ "commit after a failed test", { AX_TEST_SET }, AX_COMMIT_SET, MIB_WRONG_VALUE, MIB_OK,
	  14 },
	{ "undo after a failed test", { AX_TEST_SET }, AX_UNDO_SET, MIB_WRONG_VALUE, MIB_OK, 15 },
	{ "test after a failed commit", { AX_TEST_SET, AX_COMMIT_SET }, AX_TEST_SET, MIB_OK,
	  MIB_COMMIT_FAILED, 5 },
	{ "commit after undo", { AX_TEST_SET, AX_COMMIT_SET, AX_UNDO_SET }, AX_COMMIT_SET, MIB_OK,
	  MIB_OK, 14 },
	{ "test after undo", { AX_TEST_SET, AX_COMMIT_SET, AX_UNDO_SET }, AX_TEST_SET, MIB_OK,
	  MIB_OK, 5 },
};

START_TEST(test_a_phase_out_of_its_place_changes_nothing)
{
	char before[sizeof(store.calls)];

	store.prepare = misplaced[_i].test;
	store.commit = misplaced[_i].commit;
	for (size_t i = 0; i < 3 && misplaced[_i].before[i]; i++)
		ask(misplaced[_i].before[i], 1);
	memcpy(before, store.calls, sizeof(before));
	ask_expect(misplaced[_i].phase, 1, misplaced[_i].error, 1);
	ck_assert_msg(strcmp(store.calls, before) == 0, "%s: %s", misplaced[_i].name, store.calls);
}
END_TEST

START_TEST(test_another_testset_under_an_open_number_is_refused)
{
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_with(AX_TEST_SET, 1, 2, AX_INTEGER);
	ck_assert_uint_eq(answers.error, 5);
	ck_assert_uint_eq(answers.index, 1);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
}
END_TEST

START_TEST(test_types_no_object_has_reach_the_store_as_another_syntax)
{
	static const enum ax_value_type types[] = { AX_NULL, AX_IP_ADDRESS, AX_OPAQUE,
						    AX_NO_SUCH_OBJECT, AX_END_OF_MIB_VIEW };

	ask_with(AX_TEST_SET, 1, 1, types[_i]);
	ck_assert_int_ne(store.last_syntax, MIB_SYN_OCTETS);
	ck_assert_int_ne(store.last_syntax, MIB_SYN_BITS);
}
END_TEST

START_TEST(test_a_testset_waits_its_turn_and_is_answered_then)
{
	store.is_taken = true;
	ask_expect(AX_TEST_SET, 1, NO_ANSWER, 0);
	ask_expect(AX_TEST_SET, 1, NO_ANSWER, 0);
	fake_release(&store);
	ck_assert_uint_eq(answers.n, 1);
	ck_assert_uint_eq(answers.error, 0);
	ck_assert_uint_eq(answers.packet_id, next_packet_id);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	ck_assert_str_eq(store.calls, "busy begin set set set prepare commit");
}
END_TEST

START_TEST(test_another_transaction_waits_for_the_first_to_end)
{
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_TEST_SET, 2, NO_ANSWER, 0);
	ask_expect(AX_TEST_SET, 3, NO_ANSWER, 0);
	ask_expect(AX_COMMIT_SET, 2, 14, 1);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	ask(AX_CLEANUP_SET, 1);
	ck_assert_uint_eq(answers.transaction_id, 2);
	ck_assert_uint_eq(answers.type, AX_TEST_SET);
	ck_assert_uint_eq(answers.error, 0);
	ask(AX_CLEANUP_SET, 2);
	ck_assert_uint_eq(answers.transaction_id, 3);
	ck_assert_uint_eq(answers.error, 0);
}
END_TEST

START_TEST(test_a_waiting_set_can_be_cleaned_up)
{
	store.is_taken = true;
	ask_expect(AX_TEST_SET, 1, NO_ANSWER, 0);
	ask_expect(AX_CLEANUP_SET, 1, NO_ANSWER, 0);
	ck_assert_ptr_null(store.line);
	fake_release(&store);
	ck_assert_uint_eq(answers.n, 0);
}
END_TEST

START_TEST(test_too_many_sets_are_refused)
{
	store.is_taken = true;
	for (uint32_t i = 0; i < AX_SETS_MAX; i++)
		ask_expect(AX_TEST_SET, i, NO_ANSWER, 0);
	ask_expect(AX_TEST_SET, AX_SETS_MAX, 13, 1);
}
END_TEST

START_TEST(test_sets_that_are_over_make_room)
{
	store.set = MIB_WRONG_VALUE;
	store.set_fails_at = 1;
	for (uint32_t i = 0; i < 3 * AX_SETS_MAX; i++)
		ask_expect(AX_TEST_SET, i, 10, 1);
}
END_TEST

/** A session lost after each phase: what the store is told. */
static const struct {
	uint8_t before[3];
	const char *calls;
} losses[] = {
	{ { 0 }, "" },
	{ { AX_TEST_SET }, "begin set set set prepare done" },
	{ { AX_TEST_SET, AX_COMMIT_SET }, "begin set set set prepare commit done" },
	{ { AX_TEST_SET, AX_COMMIT_SET, AX_UNDO_SET },
	  "begin set set set prepare commit undo done" },
};

START_TEST(test_a_lost_session_drops_what_was_tested_and_keeps_what_was_committed)
{
	for (size_t i = 0; i < 3 && losses[_i].before[i]; i++)
		ask(losses[_i].before[i], 1);
	ax_sets_session_lost(sets);
	ck_assert_str_eq(store.calls, losses[_i].calls);
	/* Nothing is remembered: its number is free again. */
	ask_expect(AX_COMMIT_SET, 1, 14, 1);
}
END_TEST

START_TEST(test_a_lost_session_leaves_the_line)
{
	store.is_taken = true;
	ask_expect(AX_TEST_SET, 1, NO_ANSWER, 0);
	ask_expect(AX_TEST_SET, 2, NO_ANSWER, 0);
	ax_sets_session_lost(sets);
	ck_assert_ptr_null(store.line);
}
END_TEST

START_TEST(test_waiting_ends_with_resource_unavailable)
{
	start(1, 60000);
	store.is_taken = true;
	ask_expect(AX_TEST_SET, 1, NO_ANSWER, 0);
	while (!answers.n)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(answers.error, 13);
	ck_assert_uint_eq(answers.index, 1);
	ck_assert_ptr_null(store.line);
	teardown();
}
END_TEST

START_TEST(test_a_set_without_its_commit_frees_the_store)
{
	start(60000, 1);
	ask_expect(AX_TEST_SET, 1, 0, 0);
	while (store.open)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(store.calls, "begin set set set prepare done");
	ck_assert_uint_eq(ax_sets_stats(sets)->expired, 1);
	ask_expect(AX_COMMIT_SET, 1, 14, 1);
	teardown();
}
END_TEST

START_TEST(test_a_set_without_its_cleanup_is_kept)
{
	start(60000, 1);
	ask_expect(AX_TEST_SET, 1, 0, 0);
	ask_expect(AX_COMMIT_SET, 1, 0, 0);
	while (store.open)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(store.calls, "begin set set set prepare commit done");
	ask_expect(AX_UNDO_SET, 1, 15, 1);
	teardown();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/set");
	TCase *phases = tcase_create("phases");
	TCase *late = tcase_create("late");

	tcase_add_checked_fixture(phases, setup, teardown);
	tcase_add_test(phases, test_a_set_goes_through_test_commit_cleanup);
	tcase_add_test(phases, test_a_tested_set_is_dropped_by_cleanup);
	tcase_add_test(phases, test_a_committed_set_is_taken_back_by_undo);
	tcase_add_test(phases, test_a_refused_varbind_is_named_by_its_index);
	tcase_add_test(phases, test_a_refusal_by_prepare_names_a_varbind);
	tcase_add_loop_test(phases, test_each_refusal_has_its_error_status, 0,
			    sizeof(statuses) / sizeof(statuses[0]));
	tcase_add_test(phases, test_a_failed_begin_is_answered);
	tcase_add_test(phases, test_a_failed_commit_is_answered_and_undone_without_the_store);
	tcase_add_test(phases, test_a_failed_undo_is_answered);
	tcase_add_test(phases, test_a_repeated_phase_gets_the_stored_answer);
	tcase_add_test(phases, test_a_repeated_refusal_gets_the_stored_answer);
	tcase_add_loop_test(phases, test_a_phase_out_of_its_place_changes_nothing, 0,
			    sizeof(misplaced) / sizeof(misplaced[0]));
	tcase_add_test(phases, test_another_testset_under_an_open_number_is_refused);
	tcase_add_loop_test(phases, test_types_no_object_has_reach_the_store_as_another_syntax, 0,
			    5);
	tcase_add_test(phases, test_a_testset_waits_its_turn_and_is_answered_then);
	tcase_add_test(phases, test_another_transaction_waits_for_the_first_to_end);
	tcase_add_test(phases, test_a_waiting_set_can_be_cleaned_up);
	tcase_add_test(phases, test_too_many_sets_are_refused);
	tcase_add_test(phases, test_sets_that_are_over_make_room);
	tcase_add_loop_test(
		phases, test_a_lost_session_drops_what_was_tested_and_keeps_what_was_committed, 0,
		sizeof(losses) / sizeof(losses[0]));
	tcase_add_test(phases, test_a_lost_session_leaves_the_line);
	tcase_add_test(late, test_waiting_ends_with_resource_unavailable);
	tcase_add_test(late, test_a_set_without_its_commit_frees_the_store);
	tcase_add_test(late, test_a_set_without_its_cleanup_is_kept);
	suite_add_tcase(s, phases);
	suite_add_tcase(s, late);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
