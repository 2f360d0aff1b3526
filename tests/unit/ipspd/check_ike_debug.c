/*
 * tests/unit/ipspd/check_ike_debug.c - `ike-debug` of the control socket: who sees messages of IKE, when they are asked
 * for, and what becomes of those that somebody reads too slowly for. ipspd/control_monitor.c
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "tests/unit/ipspd/control_peer.h"

#define WATCH "{\"command\": \"ike-debug\"}"

static int watch(void)
{
	const int client = dial();

	request(client, WATCH);
	settle();
	return client;
}

static void leave(int client)
{
	close(client);
	settle();
}

static void traced(uint32_t lost, const char *lines)
{
	ck_assert_ptr_nonnull(agent.tracer);
	agent.tracer->traced(agent.tracer, lost, lines);
}

START_TEST(test_messages_are_asked_for_while_somebody_looks)
{
	int first, second;

	ck_assert_ptr_null(agent.tracer);
	first = watch();
	ck_assert_ptr_nonnull(agent.tracer);
	second = watch();
	ck_assert_ptr_nonnull(agent.tracer);
	leave(first);
	ck_assert_ptr_nonnull(agent.tracer);
	leave(second);
	ck_assert_ptr_null(agent.tracer);
	first = watch();
	ck_assert_ptr_nonnull(agent.tracer);
	leave(first);
	ck_assert_ptr_null(agent.tracer);
}
END_TEST

START_TEST(test_all_who_look_see_every_line_and_nobody_else_does)
{
	const int monitor = dial();
	int clients[2];

	log_set_level(LOG_INFO);
	request(monitor, "{\"command\": \"monitor\"}");
	clients[0] = watch();
	clients[1] = watch();
	traced(0, "one message\n0000  its octets\n\n");
	ipspd_log(LOG_INFO, "ike", "a line of the log");
	for (size_t i = 0; i < 2; i++) {
		struct answer a = answer_so_far(clients[i]);

		ck_assert_uint_eq(json_object_array_length(a.items), 3);
		ck_assert_str_eq(member(item(&a, 0), "text"), "one message");
		ck_assert_str_eq(member(item(&a, 1), "text"), "0000  its octets");
		ck_assert_str_eq(member(item(&a, 2), "text"), "");
		ck_assert(!a.ended && !a.closed);
		forget(&a);
		leave(clients[i]);
	}
	struct answer a = answer_so_far(monitor);

	ck_assert_uint_eq(json_object_array_length(a.items), 1);
	ck_assert_str_eq(member(item(&a, 0), "text"), "info ike: a line of the log");
	forget(&a);
	leave(monitor);
}
END_TEST

START_TEST(test_what_the_ike_process_lost_is_said)
{
	const int client = watch();
	struct answer a;

	traced(3, "the next one\n");
	a = answer_so_far(client);
	ck_assert_uint_eq(json_object_array_length(a.items), 2);
	ck_assert_str_eq(member(item(&a, 0), "text"), "(3 messages lost)");
	ck_assert_str_eq(member(item(&a, 1), "text"), "the next one");
	forget(&a);
	leave(client);
}
END_TEST

/* Adds what a client has read: whole messages, and how many it is told were lost. */
static void add(const struct answer *a, unsigned *told, unsigned *lost)
{
	unsigned begun = 0, n;

	for (size_t i = 0; i < json_object_array_length(a->items); i++) {
		const char *const text = member(item(a, i), "text");

		if (sscanf(text, "(%u messages lost)", &n) == 1) {
			*lost += n;
			continue;
		}
		begun += strcmp(text, "first line") == 0;
		*told += strcmp(text, "last line") == 0;
	}
	ck_assert_uint_eq(begun, *told);
}

START_TEST(test_who_reads_slowly_loses_whole_messages_and_is_told_how_many)
{
	const int slow = watch(), quick = watch();
	struct answer a = { .items = json_object_new_array() };
	char text[512], *part = NULL;
	unsigned told = 0, lost = 0, seen = 0;
	size_t len = 0;

	snprintf(text, sizeof(text), "first line\n%0400d\nlast line\n", 0);
	for (unsigned i = 0; i < 10000; i++) {
		struct answer b;

		traced(0, text);
		if (i % 100 != 99)
			continue;
		b = answer_so_far(quick);
		for (size_t k = 0; k < json_object_array_length(b.items); k++)
			seen += strcmp(member(item(&b, k), "text"), "last line") == 0;
		forget(&b);
	}
	while (read_message(slow, &a, &part, &len))
		turn();
	traced(7, text);
	settle();
	while (read_message(slow, &a, &part, &len))
		turn();
	add(&a, &told, &lost);
	ck_assert_uint_gt(lost, 7);
	ck_assert_uint_eq(told + lost, 10001 + 7);
	ck_assert_uint_eq(seen, 10000);
	ck_assert(!a.closed);
	free(part);
	forget(&a);
	leave(slow);
	leave(quick);
}
END_TEST

START_TEST(test_who_looks_asks_for_nothing_else)
{
	const int client = watch();
	struct answer a;

	request(client, "{\"command\": \"status\"}");
	a = answer_of(client);
	ck_assert(a.closed);
	forget(&a);
	ck_assert_ptr_null(agent.tracer);
	leave(client);
}
END_TEST

START_TEST(test_more_words_are_refused)
{
	struct answer a = ask("{\"command\": \"ike-debug\", \"keys\": true}");

	ck_assert_ptr_nonnull(a.error);
	forget(&a);
	ck_assert_ptr_null(agent.tracer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_debug");
	TCase *c = tcase_create("ike-debug");
	SRunner *r;
	int failed;

	log_to_channel(NULL);
	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_messages_are_asked_for_while_somebody_looks);
	tcase_add_test(c, test_all_who_look_see_every_line_and_nobody_else_does);
	tcase_add_test(c, test_what_the_ike_process_lost_is_said);
	tcase_add_test(c, test_who_reads_slowly_loses_whole_messages_and_is_told_how_many);
	tcase_add_test(c, test_who_looks_asks_for_nothing_else);
	tcase_add_test(c, test_more_words_are_refused);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
