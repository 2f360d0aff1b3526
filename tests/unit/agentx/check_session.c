/*
 * tests/unit/agentx/check_session.c - one AgentX session against a scripted master: opening,
 * registering, serving, pings, notifications, loss at every moment, and bad octets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agentx/error.h"
#include "agentx/session.h"
#include "tests/unit/agentx/fake_store.h"
#include "tests/unit/agentx/scripted.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const uint32_t name_a[] = { 1, 3, 6, 1, 2, 1, 153, 1, 1, 1, 0 };
static const uint32_t name_b[] = { 1, 3, 6, 1, 2, 1, 153, 1, 1, 2, 0 };
static const struct fake_instance instances[] = {
	{ name_a, LEN(name_a), { .syntax = MIB_SYN_INTEGER, .number = 11 }, MIB_OK },
	{ name_b, LEN(name_b), { .syntax = MIB_SYN_COUNTER64, .counter64 = 1ull << 40 }, MIB_OK },
};

static struct event_base *base;
static struct mib_store store;
static struct ax_session *session;
static struct master master;
static struct ax_log no_log;
static int our_fd = -1;
static unsigned ups, losses;
static char why_lost[128];

static void on_up(void *arg)
{
	(void)arg;
	ups++;
}

static void on_lost(void *arg, const char *why)
{
	(void)arg;
	losses++;
	snprintf(why_lost, sizeof(why_lost), "%s", why);
	close(our_fd);
	our_fd = -1;
}

static const struct ax_session_ops ops = { on_up, on_lost };
static const struct ax_timing calm = { 60000, 60000, 60000, 60000 };
static const struct ax_timing nervous = { 1, 60000, 60000, 60000 };
static const struct ax_timing impatient = { 1, 2, 60000, 60000 };

/** A fresh connection for the session. */
static void connect_session(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	our_fd = pair[0];
	master_init(&master, base, pair[1]);
	ck_assert_int_eq(ax_session_start(session, our_fd), MIB_OK);
}

static void start(const struct ax_timing *timing)
{
	memset(&store, 0, sizeof(store));
	store.instances = instances;
	store.n_instances = LEN(instances);
	ups = losses = 0;
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(ax_session_new(base, &store, timing, &ops, NULL, &no_log, &session),
			 MIB_OK);
	connect_session();
}

static void setup(void)
{
	start(&calm);
}

static void teardown(void)
{
	ax_session_free(session);
	ck_assert_ptr_null(store.open);
	if (our_fd >= 0)
		close(our_fd);
	master_fini(&master);
	event_base_free(base);
}

static struct ax_session_stats stats(void)
{
	struct ax_session_stats out;

	ax_session_stats(session, &out);
	return out;
}

static void run_until_lost(void)
{
	while (!losses)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert(!ax_session_is_up(session));
}

START_TEST(test_the_session_opens_and_registers_each_module)
{
	struct ax_pdu p;

	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_OPEN);
	ck_assert_uint_eq(p.h.flags, AX_NETWORK_BYTE_ORDER);
	ck_assert_uint_ne(p.open.descr.len, 0);
	master.session_id = 42;
	master_answer(&master, &p.h, 100, 0);
	for (size_t i = 0; i < mib_n_modules; i++) {
		ck_assert(!ax_session_is_up(session));
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_REGISTER);
		ck_assert_uint_eq(p.h.session_id, 42);
		ck_assert_uint_eq(p.region.priority, 127);
		ck_assert_uint_eq(p.region.range_subid, 0);
		ck_assert_int_eq(mib_oid_cmp(p.region.subtree.ids, p.region.subtree.len,
					     mib_modules[i].oid, mib_modules[i].oid_len), 0);
		master_answer(&master, &p.h, 100, 0);
	}
	ck_assert(master_hears_nothing(&master));
	ck_assert(ax_session_is_up(session));
	ck_assert_uint_eq(ups, 1);
}
END_TEST

START_TEST(test_the_registered_subtrees_hold_every_table)
{
	for (size_t t = 0; t < mib_n_tables; t++) {
		bool inside = false;

		for (size_t m = 0; m < mib_n_modules; m++)
			inside = inside ||
				 (mib_tables[t]->entry_oid_len >= mib_modules[m].oid_len &&
				  memcmp(mib_tables[t]->entry_oid, mib_modules[m].oid,
					 mib_modules[m].oid_len * sizeof(uint32_t)) == 0);
		ck_assert_msg(inside, "%s is outside", mib_tables[t]->name);
	}
}
END_TEST

static void ask_get(const uint32_t *oid, size_t len)
{
	struct ax_buf b;

	master_begin(&master, &b, AX_GET, 5);
	ax_put_range(&b, oid, len, false, NULL, 0);
	master_send_pdu(&master, &b);
}

/* What a daemon whose store cannot be opened has to say. */
START_TEST(test_a_session_without_a_store_notifies_and_serves_nothing)
{
	static const uint32_t index[] = { 0 };
	const struct ax_note_object object = { mib_column_by_name("ipspdNotifyText"), index, 1,
					       mib_value_octets("why", 3) };
	struct ax_session *served = session;
	struct ax_pdu p;

	master_fini(&master);
	run_until_lost();
	ck_assert_int_eq(ax_session_new(base, NULL, &calm, &ops, NULL, &no_log, &session), MIB_OK);
	ck_assert_int_eq(ax_session_notify(session, &mib_notifications[0], &object, 1, 1), MIB_OK);
	connect_session();
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_OPEN);
	master.session_id = 42;
	master_answer(&master, &p.h, 100, 0);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	master_answer(&master, &p.h, 100, 0);
	ck_assert(ax_session_is_up(session));
	ask_get(name_a, LEN(name_a));
	master_expect(&master, AX_ERR_PROCESSING_ERROR, 0, &p);
	ck_assert_uint_eq(stats().notes_acknowledged, 1);
	ax_session_free(served);
}
END_TEST

START_TEST(test_a_refused_open_loses_the_session)
{
	struct ax_pdu p;

	master_receive(&master, &p);
	master_answer(&master, &p.h, 0, AX_ERR_OPEN_FAILED);
	run_until_lost();
	ck_assert_ptr_nonnull(strstr(why_lost, "256"));
}
END_TEST

START_TEST(test_a_refused_registration_is_asked_for_again)
{
	struct ax_pdu p;

	start(&nervous);
	master_receive(&master, &p);
	master.session_id = 1;
	master_answer(&master, &p.h, 100, 0);
	for (size_t i = 0; i < mib_n_modules; i++) {
		master_receive(&master, &p);
		master_answer(&master, &p.h, 100, i == 1 ? AX_ERR_DUPLICATE_REGISTRATION : 0);
	}
	do {
		master_receive(&master, &p);
		ck_assert(ax_session_is_up(session));
		if (p.h.type == AX_PING)
			master_answer(&master, &p.h, 100, 0);
	} while (p.h.type != AX_REGISTER);
	ck_assert_int_eq(mib_oid_cmp(p.region.subtree.ids, p.region.subtree.len,
				     mib_modules[1].oid, mib_modules[1].oid_len), 0);
	ck_assert_uint_eq(stats().registrations_refused, 1);
	teardown();
}
END_TEST

START_TEST(test_the_masters_clock_is_learnt)
{
	const uint64_t before = ax_boottime_cs();

	master_open(&master, 1, 4000);
	ck_assert_uint_ge(store.master_start_cs, before - 4000);
	ck_assert_uint_le(store.master_start_cs, ax_boottime_cs() - 4000);
}
END_TEST

START_TEST(test_the_masters_start_never_wavers_forward)
{
	struct ax_pdu p;

	start(&nervous);
	master_open(&master, 1, 5000);

	const uint64_t first = store.master_start_cs;

	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_PING);
	master_answer(&master, &p.h, 4990, 0);
	master_receive(&master, &p);
	ck_assert_uint_eq(store.master_start_cs, first);
	/* A clock that stood still for long is believed. */
	master_answer(&master, &p.h, 1000, 0);
	master_receive(&master, &p);
	ck_assert_uint_ge(store.master_start_cs, first + 3900);
	teardown();
}
END_TEST

START_TEST(test_an_idle_session_pings_and_an_answer_keeps_it)
{
	struct ax_pdu p;

	start(&nervous);
	master_open(&master, 9, 100);
	for (int i = 0; i < 3; i++) {
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_PING);
		ck_assert_uint_eq(p.h.session_id, 9);
		master_answer(&master, &p.h, 100, 0);
	}
	ck_assert_uint_eq(losses, 0);
	teardown();
}
END_TEST

START_TEST(test_a_master_that_does_not_answer_is_lost)
{
	start(&impatient);
	run_until_lost();
	ck_assert_str_eq(why_lost, "the master does not answer");
	teardown();
}
END_TEST

START_TEST(test_a_forgotten_session_is_lost)
{
	struct ax_pdu p;

	start(&nervous);
	master_open(&master, 9, 100);
	master_receive(&master, &p);
	master_answer(&master, &p.h, 100, AX_ERR_NOT_OPEN);
	run_until_lost();
	teardown();
}
END_TEST

/** A Get is answered with the first instance's value. */
static void expect_service(void)
{
	struct ax_pdu p;
	struct ax_reader r;
	struct ax_varbind vb;

	ask_get(name_a, LEN(name_a));
	master_expect(&master, 0, 0, &p);
	ck_assert_uint_eq(p.n_items, 1);
	ax_pdu_list(&p, &r);
	ck_assert(ax_read_varbind(&r, &vb));
	ck_assert_uint_eq(vb.type, AX_INTEGER);
	ck_assert_int_eq(vb.value.number, 11);
}

START_TEST(test_requests_are_answered_in_the_byte_order_they_come_in)
{
	master_open(&master, 3, 100);
	expect_service();
	master.flags = 0;
	expect_service();
}
END_TEST

START_TEST(test_octets_may_come_one_by_one)
{
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master_begin(&master, &b, AX_GET, 5);
	ax_put_range(&b, name_b, LEN(name_b), false, NULL, 0);
	ck_assert(ax_pdu_end(&b, 0));
	for (size_t i = 0; i < b.len; i++) {
		ck_assert(master_hears_nothing(&master));
		master_send(&master, b.data + i, 1);
	}
	ax_buf_fini(&b);
	master_expect(&master, 0, 0, &p);
}
END_TEST

START_TEST(test_many_requests_in_one_piece_are_answered_in_order)
{
	struct ax_buf b;
	struct ax_pdu p;
	const struct ax_header h = { .type = AX_GET, .flags = AX_NETWORK_BYTE_ORDER,
				     .session_id = 3 };

	master_open(&master, 3, 100);
	ax_buf_init(&b, AX_PDU_MAX);
	for (uint32_t i = 1; i <= 500; i++) {
		struct ax_header one = h;
		one.packet_id = i;

		const size_t at = ax_pdu_begin(&b, &one, NULL);

		ax_put_range(&b, name_a, LEN(name_a), false, NULL, 0);
		ck_assert(ax_pdu_end(&b, at));
	}
	master_send(&master, b.data, b.len);
	ax_buf_fini(&b);
	for (uint32_t i = 1; i <= 500; i++) {
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.packet_id, i);
		ck_assert_uint_eq(p.n_items, 1);
	}
}
END_TEST

START_TEST(test_a_request_of_600_varbinds_is_answered_whole)
{
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master_begin(&master, &b, AX_GET_NEXT, 5);
	for (int i = 0; i < 600; i++)
		ax_put_range(&b, name_a, LEN(name_a) - 1, false, NULL, 0);
	master_send_pdu(&master, &b);
	master_expect(&master, 0, 0, &p);
	ck_assert_uint_eq(p.n_items, 600);
	master_begin(&master, &b, AX_TEST_SET, 6);
	for (int i = 0; i < 600; i++)
		ax_put_varbind(&b, AX_INTEGER, name_a, LEN(name_a), &instances[0].value);
	store.set = MIB_WRONG_VALUE;
	store.set_fails_at = 600;
	master_send_pdu(&master, &b);
	master_expect(&master, 10, 600, &p);
}
END_TEST

START_TEST(test_a_master_that_reads_nothing_bounds_what_we_hold)
{
	struct ax_header h = { .type = AX_GET_NEXT, .flags = AX_NETWORK_BYTE_ORDER,
			       .session_id = 3 };
	struct ax_buf b;
	size_t at = 0;
	unsigned stuck = 0;

	master_open(&master, 3, 100);
	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	for (int i = 0; i < 1000; i++)
		ax_put_range(&b, NULL, 0, false, NULL, 0);
	ck_assert(ax_pdu_end(&b, 0));
	/* The answers are larger than the requests: our side fills, then the master's socket. */
	for (int i = 0; i < 100000 && stuck < 50; i++) {
		const ssize_t n = send(master.fd, b.data + at, b.len - at, MSG_NOSIGNAL);

		stuck = n > 0 ? 0 : stuck + 1;
		at = n > 0 ? (at + (size_t)n) % b.len : at;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ax_buf_fini(&b);
	ck_assert_uint_eq(stuck, 50);
	ck_assert_uint_eq(losses, 0);
	ck_assert_uint_lt(stats().requests, 200);
}
END_TEST

START_TEST(test_malformed_requests_are_parse_errors_and_the_session_lives)
{
	static const uint8_t cut[] = { 0, 0, 0, 1 };
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master_begin(&master, &b, AX_CLOSE, 5);
	master_send_pdu(&master, &b);
	master_expect(&master, AX_ERR_PARSE_ERROR, 0, &p);
	master_ask(&master, 99, 5);
	master_expect(&master, AX_ERR_PARSE_ERROR, 0, &p);
	/* A malformed Response is dropped (7.2.2). */
	master_begin(&master, &b, AX_RESPONSE, 0);
	ck_assert(ax_pdu_end(&b, 0));
	b.data[AX_HEADER_SIZE - 1] = sizeof(cut);
	master_send(&master, b.data, b.len);
	master_send(&master, cut, sizeof(cut));
	ax_buf_fini(&b);
	ck_assert(master_hears_nothing(&master));
	ck_assert_uint_eq(stats().parse_errors, 3);
	expect_service();
}
END_TEST

START_TEST(test_a_wrong_session_id_is_not_open)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master.session_id = 4;
	ask_get(name_a, LEN(name_a));
	master_expect(&master, AX_ERR_NOT_OPEN, 0, &p);
	master_ask(&master, AX_COMMIT_SET, 1);
	master_expect(&master, AX_ERR_NOT_OPEN, 0, &p);
	master_ask(&master, AX_CLEANUP_SET, 1);
	ck_assert(master_hears_nothing(&master));
	master.session_id = 3;
	expect_service();
}
END_TEST

START_TEST(test_requests_before_the_session_is_open_are_refused)
{
	struct ax_pdu p;

	master_receive(&master, &p);
	ask_get(name_a, LEN(name_a));
	master_expect(&master, AX_ERR_NOT_OPEN, 0, &p);
}
END_TEST

START_TEST(test_what_only_a_subagent_sends_is_a_processing_error)
{
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master_begin(&master, &b, AX_REGISTER, 0);
	ax_put_region(&b, 0, 127, name_a, LEN(name_a), 0, 0);
	master_send_pdu(&master, &b);
	master_expect(&master, AX_ERR_PROCESSING_ERROR, 0, &p);
	master_ask(&master, AX_PING, 0);
	master_expect(&master, 0, 0, &p);
}
END_TEST

START_TEST(test_octets_that_are_no_agentx_lose_the_session)
{
	static const struct {
		const char *name;
		const char *octets;
		size_t len;
	} cases[] = {
		{ "another protocol", "GET / HTTP/1.0\r\n\r\n.....", 24 },
		{ "a length that is odd",
		  "\1\5\20\0" "\0\0\0\3" "\0\0\0\0" "\0\0\0\0" "\0\0\0\7", 20 },
		{ "a length too large",
		  "\1\5\20\0" "\0\0\0\3" "\0\0\0\0" "\0\0\0\0" "\177\0\0\0", 20 },
	};

	master_open(&master, 3, 100);
	master_send(&master, cases[_i].octets, cases[_i].len);
	run_until_lost();
	ck_assert_str_eq(why_lost, "what the master sends is not AgentX");
}
END_TEST

START_TEST(test_a_close_of_the_master_is_answered_and_obeyed)
{
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	master_begin(&master, &b, AX_CLOSE, 0);
	ax_put_close(&b, AX_REASON_SHUTDOWN);
	master_send_pdu(&master, &b);
	master_expect(&master, 0, 0, &p);
	run_until_lost();
	ck_assert_str_eq(why_lost, "the master shuts down");
}
END_TEST

START_TEST(test_stopping_says_close)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	ax_session_stop(session, AX_REASON_SHUTDOWN);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_CLOSE);
	ck_assert_uint_eq(p.close.reason, AX_REASON_SHUTDOWN);
	ck_assert_uint_eq(losses, 0);
}
END_TEST

static void test_set(uint32_t id)
{
	struct ax_buf b;

	master_begin(&master, &b, AX_TEST_SET, id);
	ax_put_varbind(&b, AX_INTEGER, name_a, LEN(name_a), &instances[0].value);
	master_send_pdu(&master, &b);
}

/** The phases of a SET before the connection breaks, and what the store is told. */
static const struct {
	unsigned phases;
	const char *calls;
} breaks[] = {
	{ 0, "" },
	{ 1, "begin set prepare done" },
	{ 2, "begin set prepare commit done" },
	{ 3, "begin set prepare commit undo done" },
};

START_TEST(test_a_connection_lost_in_any_phase_ends_the_set_and_the_next_one_serves)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	if (breaks[_i].phases > 0) {
		test_set(8);
		master_expect(&master, 0, 0, &p);
	}
	if (breaks[_i].phases > 1) {
		master_ask(&master, AX_COMMIT_SET, 8);
		master_expect(&master, 0, 0, &p);
	}
	if (breaks[_i].phases > 2) {
		master_ask(&master, AX_UNDO_SET, 8);
		master_expect(&master, 0, 0, &p);
	}
	master_fini(&master);
	run_until_lost();
	ck_assert_str_eq(store.calls, breaks[_i].calls);

	/* The descriptor's number is the same again: it is watched anew. */
	connect_session();
	master_open(&master, 4, 100);
	ck_assert_uint_eq(ups, 2);
	expect_service();
	/* A commit of the lost session's SET finds nothing. */
	master_ask(&master, AX_COMMIT_SET, 8);
	master_expect(&master, 14, 1, &p);
}
END_TEST

START_TEST(test_a_whole_set_goes_through_the_session)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	test_set(8);
	master_expect(&master, 0, 0, &p);
	ck_assert_uint_eq(p.h.transaction_id, 8);
	test_set(8);
	master_expect(&master, 0, 0, &p);
	master_ask(&master, AX_COMMIT_SET, 8);
	master_expect(&master, 0, 0, &p);
	master_ask(&master, AX_CLEANUP_SET, 8);
	ck_assert(master_hears_nothing(&master));
	ck_assert_str_eq(store.calls, "begin set prepare commit done");
}
END_TEST

START_TEST(test_a_set_in_another_context_is_refused)
{
	static const struct ax_span context = { (const uint8_t *)"blue", 4 };
	struct ax_header h = { .type = AX_TEST_SET, .flags = AX_NETWORK_BYTE_ORDER,
			       .session_id = 3 };
	struct ax_buf b;
	struct ax_pdu p;

	master_open(&master, 3, 100);
	h.packet_id = ++master.last_packet_id;
	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, &context);
	ax_put_varbind(&b, AX_INTEGER, name_a, LEN(name_a), &instances[0].value);
	master_send_pdu(&master, &b);
	master_expect(&master, AX_SNMP_NOT_WRITABLE, 1, &p);
	ck_assert_str_eq(store.calls, "");
}
END_TEST

/* ---- notifications ---- */

static void notify_of(const char *text, enum mib_err expected)
{
	static const uint32_t index[] = { 0 };
	const struct mib_column *col = mib_column_by_name("spdIngressPolicyGroupName");
	const struct ax_note_object object = { col, index, 1,
					       mib_value_octets(text, strlen(text)) };

	ck_assert_int_eq(ax_session_notify(session, &mib_notifications[0], &object, 1, 1),
			 expected);
}

/* One that is equal to no other. */
static void notify(enum mib_err expected)
{
	static unsigned number;
	char text[16];

	snprintf(text, sizeof(text), "in %u", number++);
	notify_of(text, expected);
}

START_TEST(test_a_notification_names_itself_first_then_its_objects)
{
	/* snmpTrapOID.0, RFC 3418; the object's instance, RFC 4807. */
	static const uint32_t trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };
	static const uint32_t group_name[] = { 1, 3, 6, 1, 2, 1, 153, 1, 1, 1, 0 };
	struct ax_pdu p;
	struct ax_reader r;
	struct ax_varbind vb;

	master_open(&master, 3, 100);
	notify(MIB_OK);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	ck_assert_uint_eq(p.h.session_id, 3);
	ck_assert_uint_eq(p.n_items, 2);
	ax_pdu_list(&p, &r);
	ck_assert(ax_read_varbind(&r, &vb));
	ck_assert_int_eq(mib_oid_cmp(vb.name.ids, vb.name.len, trap_oid, LEN(trap_oid)), 0);
	ck_assert_uint_eq(vb.type, AX_OBJECT_IDENTIFIER);
	ck_assert_int_eq(mib_oid_cmp(vb.value.oid.ids, vb.value.oid.len, mib_notifications[0].oid,
				     mib_notifications[0].oid_len), 0);
	ck_assert(ax_read_varbind(&r, &vb));
	ck_assert_int_eq(mib_oid_cmp(vb.name.ids, vb.name.len, group_name, LEN(group_name)), 0);
	ck_assert_uint_eq(vb.type, AX_OCTET_STRING);
}
END_TEST

START_TEST(test_sixteen_notifications_are_unanswered_at_most)
{
	struct ax_header sent[20];
	struct ax_pdu p;

	master_open(&master, 3, 100);
	for (int i = 0; i < 20; i++)
		notify(MIB_OK);
	for (int i = 0; i < 16; i++) {
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_NOTIFY);
		sent[i] = p.h;
	}
	ck_assert(master_hears_nothing(&master));
	for (int i = 0; i < 4; i++) {
		master_answer(&master, &sent[i], 100, 0);
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_NOTIFY);
		ck_assert(master_hears_nothing(&master));
	}
	ck_assert_uint_eq(stats().notes_sent, 20);
	ck_assert_uint_eq(stats().notes_acknowledged, 4);
	ck_assert_uint_eq(stats().notes_waiting, 0);
}
END_TEST

START_TEST(test_a_refused_notification_is_counted_and_gives_its_credit_back)
{
	struct ax_header sent[16];
	struct ax_pdu p;

	master_open(&master, 3, 100);
	for (int i = 0; i < 17; i++)
		notify(MIB_OK);
	for (int i = 0; i < 16; i++) {
		master_receive(&master, &p);
		sent[i] = p.h;
	}
	ck_assert_uint_eq(stats().notes_waiting, 1);
	master_answer(&master, &sent[7], 100, AX_ERR_PROCESSING_ERROR);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	ck_assert_uint_eq(stats().notes_refused, 1);
	ck_assert_uint_eq(stats().notes_acknowledged, 0);
	ck_assert(ax_session_is_up(session));
}
END_TEST

START_TEST(test_equal_notifications_that_wait_become_one)
{
	struct ax_pdu p;

	for (int i = 0; i < 1000; i++) {
		notify_of("a", MIB_OK);
		notify_of("b", MIB_OK);
	}
	ck_assert_uint_eq(stats().notes_waiting, 2);
	ck_assert_uint_eq(stats().notes_coalesced, 1998);
	ck_assert_uint_eq(stats().notes_dropped, 0);
	master_open(&master, 3, 100);
	for (int i = 0; i < 2; i++) {
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	}
	ck_assert(master_hears_nothing(&master));
}
END_TEST

START_TEST(test_a_master_that_answers_no_notification_is_served_all_the_same)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	for (int i = 0; i < 10000; i++)
		notify(i < 16 + AX_NOTES_MAX ? MIB_OK : MIB_RESOURCE_UNAVAILABLE);
	ck_assert_uint_eq(stats().notes_sent, 16);
	ck_assert_uint_eq(stats().notes_dropped, 10000 - 16 - AX_NOTES_MAX);
	for (int i = 0; i < 16; i++)
		master_receive(&master, &p);
	for (int i = 0; i < 100; i++) {
		ask_get(name_a, LEN(name_a));
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_RESPONSE);
		ck_assert_uint_eq(p.response.error, 0);
	}
	ck_assert(ax_session_is_up(session));
	ck_assert_uint_eq(stats().notes_sent, 16);
}
END_TEST

START_TEST(test_notifications_wait_for_a_session_and_too_many_are_dropped)
{
	struct ax_pdu p;

	for (int i = 0; i < AX_NOTES_MAX; i++)
		notify(MIB_OK);
	notify(MIB_RESOURCE_UNAVAILABLE);
	ck_assert_uint_eq(stats().notes_dropped, 1);
	master_open(&master, 3, 100);
	for (int i = 0; i < AX_NOTES_MAX; i++) {
		master_receive(&master, &p);
		ck_assert_uint_eq(p.h.type, AX_NOTIFY);
		master_answer(&master, &p.h, 100, 0);
	}
	ck_assert(master_hears_nothing(&master));
}
END_TEST

START_TEST(test_unanswered_notifications_of_a_lost_session_are_counted_and_the_others_wait)
{
	struct ax_pdu p;

	master_open(&master, 3, 100);
	for (int i = 0; i < 17; i++)
		notify(MIB_OK);
	master_fini(&master);
	run_until_lost();
	ck_assert_uint_eq(stats().notes_unanswered, 16);
	ck_assert_uint_eq(stats().notes_waiting, 1);
	connect_session();
	master_open(&master, 4, 100);
	master_receive(&master, &p);
	ck_assert_uint_eq(p.h.type, AX_NOTIFY);
	ck_assert_uint_eq(p.h.session_id, 4);
	ck_assert(master_hears_nothing(&master));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/session");
	TCase *tc = tcase_create("session");
	TCase *timed = tcase_create("timed");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_the_session_opens_and_registers_each_module);
	tcase_add_test(tc, test_the_registered_subtrees_hold_every_table);
	tcase_add_test(tc, test_a_session_without_a_store_notifies_and_serves_nothing);
	tcase_add_test(tc, test_a_refused_open_loses_the_session);
	tcase_add_test(tc, test_the_masters_clock_is_learnt);
	tcase_add_test(tc, test_requests_are_answered_in_the_byte_order_they_come_in);
	tcase_add_test(tc, test_octets_may_come_one_by_one);
	tcase_add_test(tc, test_many_requests_in_one_piece_are_answered_in_order);
	tcase_add_test(tc, test_a_request_of_600_varbinds_is_answered_whole);
	tcase_add_test(tc, test_a_master_that_reads_nothing_bounds_what_we_hold);
	tcase_add_test(tc, test_malformed_requests_are_parse_errors_and_the_session_lives);
	tcase_add_test(tc, test_a_wrong_session_id_is_not_open);
	tcase_add_test(tc, test_requests_before_the_session_is_open_are_refused);
	tcase_add_test(tc, test_what_only_a_subagent_sends_is_a_processing_error);
	tcase_add_loop_test(tc, test_octets_that_are_no_agentx_lose_the_session, 0, 3);
	tcase_add_test(tc, test_a_close_of_the_master_is_answered_and_obeyed);
	tcase_add_test(tc, test_stopping_says_close);
	tcase_add_loop_test(
		tc, test_a_connection_lost_in_any_phase_ends_the_set_and_the_next_one_serves, 0,
		LEN(breaks));
	tcase_add_test(tc, test_a_whole_set_goes_through_the_session);
	tcase_add_test(tc, test_a_set_in_another_context_is_refused);
	tcase_add_test(tc, test_a_notification_names_itself_first_then_its_objects);
	tcase_add_test(tc, test_sixteen_notifications_are_unanswered_at_most);
	tcase_add_test(tc, test_notifications_wait_for_a_session_and_too_many_are_dropped);
	tcase_add_test(tc, test_unanswered_notifications_of_a_lost_session_are_counted_and_the_others_wait);
	tcase_add_test(tc, test_a_refused_notification_is_counted_and_gives_its_credit_back);
	tcase_add_test(tc, test_equal_notifications_that_wait_become_one);
	tcase_add_test(tc, test_a_master_that_answers_no_notification_is_served_all_the_same);
	tcase_add_test(timed, test_a_refused_registration_is_asked_for_again);
	tcase_add_test(timed, test_the_masters_start_never_wavers_forward);
	tcase_add_test(timed, test_an_idle_session_pings_and_an_answer_keeps_it);
	tcase_add_test(timed, test_a_master_that_does_not_answer_is_lost);
	tcase_add_test(timed, test_a_forgotten_session_is_lost);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, timed);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
