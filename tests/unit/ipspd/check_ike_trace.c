/*
 * tests/unit/ipspd/check_ike_trace.c - messages as the ike process shows them to the agent: when, in which words, and
 * what becomes of those that the agent does not take in time. ipspd/ike_trace.c
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>
#include <unistd.h>

#include <event2/event.h>

#include "ipspd/ike.h"
#include "ipspd/messages.h"

static struct ike_role role;
static struct event_base *base;
static struct chan *agent;	/* the other end */
static unsigned n_told;
static uint64_t n_lost;
static char last[CHAN_PAYLOAD_MAX + 1];

static const struct ike_path path = {
	.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 198, 51, 100, 1 } },
	.local_port = 500, .remote_port = 4500,
};
/* An INFORMATIONAL request of the initiator with a DELETE of the IKE SA, and one with an AUTH payload. */
static uint8_t header[IKE_HEADER_LEN] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, IKE_PAYLOAD_SK, 0x20,
	IKE_EXCHANGE_INFORMATIONAL, IKE_FLAG_INITIATOR, 0, 0, 0, 5, 0, 0, 1, 0,
};
static const uint8_t delete[] = { 0, 0, 0, 8, 1, 0, 0, 0 };
static const uint8_t proof[] = { 0, 0, 0, 16, 2, 0, 0, 0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8 };

static void on_told(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	ck_assert_uint_eq(m->type, MSG_IKE_TRACED);
	n_lost += chan_get_u32(&r);
	ck_assert(chan_get_text(&r, last, sizeof(last)) && chan_reader_done(&r));
	n_told++;
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void setup(void)
{
	const struct chan_handler ours = { on_told, on_closed, NULL };
	int fds[2];

	base = event_base_new();
	role = (struct ike_role){ .base = base };
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(base, fds[0], &ours, &role.agent), 0);
	ck_assert_int_eq(chan_new(base, fds[1], &ours, &agent), 0);
	n_told = 0;
	n_lost = 0;
	last[0] = '\0';
}

static void teardown(void)
{
	chan_free(agent);
	chan_free(role.agent);
	event_base_free(base);
}

/* Until all that waits has come, though it may be more than a socket holds. */
static void settle(void)
{
	unsigned before;

	do {
		before = n_told;
		for (int i = 0; i < 4; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
	} while (n_told > before || chan_queued(role.agent) > 0);
}

static bool want(const void *data, size_t len)
{
	const struct chan_msg m = { .type = MSG_IKE_TRACE, .data = data, .len = len };

	return ike_trace_wanted(&role, &m);
}

static void on(bool look)
{
	const uint8_t octet = look;

	ck_assert(want(&octet, 1));
}

static void show(bool sent, bool sealed, uint8_t first, const uint8_t *chain, size_t len)
{
	const struct ike_trace t = {
		.path = &path, .sent = sent, .sealed = sealed, .first = first,
		.header = { header, sizeof(header) }, .chain = { chain, len },
	};

	ike_trace_message(&role, &t);
}

START_TEST(test_nothing_is_told_before_somebody_looks_or_after)
{
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_told, 0);
	on(true);
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_told, 1);
	on(false);
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_told, 1);
}
END_TEST

START_TEST(test_a_message_is_told_with_its_way_and_as_if_it_were_clear)
{
	on(true);
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_ptr_nonnull(strstr(last, " sent 192.0.2.1 port 500 -> 198.51.100.1 port 4500, encrypted, 36 octets\n"));
	ck_assert_ptr_nonnull(strstr(last, "Next Payload: 42 (D)"));
	ck_assert_ptr_nonnull(strstr(last, "Length: 36\n"));
	ck_assert_ptr_nonnull(strstr(last, "Payload D\n"));
	header[16] = IKE_PAYLOAD_D;
	be32enc(header + 24, IKE_HEADER_LEN + sizeof(delete));
	show(false, false, 0, delete, sizeof(delete));
	settle();
	ck_assert_ptr_nonnull(strstr(last, " received 192.0.2.1 port 500 <- 198.51.100.1 port 4500, 36 octets\n"));
	ck_assert_ptr_nonnull(strstr(last, "Payload D\n"));
}
END_TEST

START_TEST(test_no_octet_of_a_proof_is_told)
{
	on(true);
	show(true, true, IKE_PAYLOAD_AUTH, proof, sizeof(proof));
	settle();
	ck_assert_ptr_nonnull(strstr(last, "Payload AUTH\n"));
	ck_assert_ptr_nonnull(strstr(last, "12 octets, not shown\n"));
	ck_assert_ptr_null(strstr(last, "a1"));
}
END_TEST

START_TEST(test_messages_that_the_agent_does_not_take_are_counted)
{
	on(true);
	for (unsigned i = 0; i < 20000; i++)
		show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	ck_assert_uint_gt(role.trace_lost, 0);
	settle();
	ck_assert_uint_eq(n_lost, 0);
	show(false, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_gt(n_lost, 0);
	ck_assert_uint_eq(n_told + n_lost, 20001);
	ck_assert_ptr_nonnull(strstr(last, " received "));
	show(false, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_told + n_lost, 20002);
}
END_TEST

START_TEST(test_a_message_of_many_lines_is_cut_and_says_so)
{
	static uint8_t long_one[40000] = { 0, 0, 40000 >> 8, 40000 & 0xff };

	on(true);
	show(true, true, IKE_PAYLOAD_V, long_one, sizeof(long_one));
	settle();
	ck_assert_uint_eq(n_told, 1);
	ck_assert_ptr_nonnull(strstr(last, "\n(and more)\n"));
}
END_TEST

START_TEST(test_a_message_longer_than_any_is_counted_alone)
{
	static uint8_t too_long[65536];

	on(true);
	show(true, true, IKE_PAYLOAD_V, too_long, sizeof(too_long));
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_told, 1);
	ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(test_what_was_lost_for_one_who_went_is_not_told_to_the_next)
{
	on(true);
	role.trace_lost = 9;
	on(false);
	on(true);
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	settle();
	ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(test_an_agent_that_speaks_otherwise_is_refused_and_changes_nothing)
{
	static const struct {
		uint8_t octets[2];
		size_t len;
	} wrong[] = { { { 2, 0 }, 1 }, { { 0xff, 0 }, 1 }, { { 0, 0 }, 0 }, { { 0, 0 }, 2 } };

	on(true);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert(!want(wrong[i].octets, wrong[i].len));
	ck_assert(role.traces);
}
END_TEST

START_TEST(test_without_an_agent_nothing_is_told)
{
	on(true);
	chan_free(role.agent);
	role.agent = NULL;
	show(true, true, IKE_PAYLOAD_D, delete, sizeof(delete));
	ck_assert_uint_eq(role.trace_lost, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_trace");
	TCase *c = tcase_create("trace");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_nothing_is_told_before_somebody_looks_or_after);
	tcase_add_test(c, test_a_message_is_told_with_its_way_and_as_if_it_were_clear);
	tcase_add_test(c, test_no_octet_of_a_proof_is_told);
	tcase_add_test(c, test_messages_that_the_agent_does_not_take_are_counted);
	tcase_add_test(c, test_a_message_of_many_lines_is_cut_and_says_so);
	tcase_add_test(c, test_a_message_longer_than_any_is_counted_alone);
	tcase_add_test(c, test_what_was_lost_for_one_who_went_is_not_told_to_the_next);
	tcase_add_test(c, test_an_agent_that_speaks_otherwise_is_refused_and_changes_nothing);
	tcase_add_test(c, test_without_an_agent_nothing_is_told);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
