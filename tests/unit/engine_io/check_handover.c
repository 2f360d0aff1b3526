/*
 * tests/unit/engine_io/check_handover.c - packets that the guard hands over: judged by the whole list, sent
 * on where they were going, and counted when they are lost on the way.
 */
#include "config.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "tests/unit/engine_io/nflog.h"
#include "tests/unit/engine_io/role.h"

static struct engine_role role;
static struct engine_worker worker;	/* of this thread, and the role's loop */
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][2048];

/* What the attachment was given to do. */
static struct io_attachment io;
static unsigned n_written, n_passed;
static enum ipsp_dir written_dir;
static uint8_t written_verdict;

static void on_write(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *p, size_t n)
{
	(void)a;
	for (size_t i = 0; i < n; i++) {
		n_written++;
		n_passed += p[i].verdict == IPSP_VERDICT_DELIVER ||
			    p[i].verdict == IPSP_VERDICT_BYPASS;
		written_verdict = p[i].verdict;
	}
	written_dir = dir;
}

static const struct io_attachment_ops ops = { .name = "test", .write = on_write };

static void setup(void)
{
	role_setup(&role);
	nflog_clear();
	worker = (struct engine_worker){
		.role = &role, .base = role.base, .io = &io, .packets = packets,
	};
	ck_assert_int_eq(engine_worker_init(&worker), 0);
	io = (struct io_attachment){ .ops = &ops };
	for (size_t i = 0; i < IO_BATCH; i++)
		packets[i] = (struct ipsp_packet){ .room = rooms[i], .room_len = sizeof(rooms[i]) };
	n_written = n_passed = 0;
}

static void teardown(void)
{
	engine_worker_fini(&worker);
	role_teardown(&role);
}

/* Interface 3 inbound and 4 outbound: UDP to port 9 passes, all else is discarded. */
static void apply(void)
{
	struct ipsp_selector port;
	const struct ipsp_spd_entry entry = {
		.id = 5, .action = IPSP_BYPASS, .n_selectors = 1, .selectors = &port,
	};
	const struct ipsp_spd_list lists[2] = {
		{ .ifindex = 3, .dir = IPSP_INBOUND, .n_entries = 1, .entries = &entry },
		{ .ifindex = 4, .dir = IPSP_OUTBOUND, .n_entries = 1, .entries = &entry },
	};
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
	};

	ipsp_selector_any(4, &port);
	port.proto_lo = port.proto_hi = 17;
	port.dport_lo = port.dport_hi = 9;
	ck_assert_int_eq(ipsp_engine_apply(role.engine, &update, 0, NULL), IPSP_OK);
	role.has_policy = true;
}

/* UDP from 10.2.0.2 to 10.1.0.2, as the kernel's n-th packet of the group. */
static void hand_over(uint8_t hook, uint8_t dport, uint8_t number)
{
	const uint8_t packet[28] = {
		0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 2, 0, 2, 10, 1, 0, 2,
		0, 7, 0, dport, 0, 8, 0, 0,
	};
	const uint8_t number_be[4] = { 0, 0, 0, number };

	nflog_begin(NFLOG_TYPE_PACKET);
	nflog_hook(hook);
	nflog_attr(NFLOG_PREFIX, "judge", 6);
	nflog_ifindex(NFLOG_INDEV, 3);
	nflog_ifindex(NFLOG_OUTDEV, 4);
	nflog_attr(NFLOG_SEQ, number_be, sizeof(number_be));
	nflog_attr(NFLOG_PAYLOAD, packet, sizeof(packet));
	nflog_end();
}

static size_t read_datagram(struct engine_role *r, void *data, size_t len)
{
	(void)r;
	return engine_handover_datagram(&worker, data, len);
}

static size_t give(void)
{
	const size_t bad = nflog_give(read_datagram, &role);

	nflog_clear();
	return bad;
}

START_TEST(test_handover_what_passes_goes_on_in_its_direction)
{
	apply();
	hand_over(NFLOG_PRE_ROUTING, 9, 1);
	ck_assert_uint_eq(give(), 0);
	ck_assert_int_eq(written_dir, IPSP_INBOUND);
	ck_assert_uint_eq(written_verdict, IPSP_VERDICT_DELIVER);
	hand_over(NFLOG_POST_ROUTING, 9, 2);
	ck_assert_uint_eq(give(), 0);
	ck_assert_int_eq(written_dir, IPSP_OUTBOUND);
	ck_assert_uint_eq(written_verdict, IPSP_VERDICT_BYPASS);
	hand_over(NFLOG_PRE_ROUTING, 8, 3);
	ck_assert_uint_eq(give(), 0);
	ck_assert_uint_eq(written_verdict, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(n_written, 3);
	ck_assert_uint_eq(n_passed, 2);
	ck_assert_uint_eq(io.stats.drops[IO_REASON_HANDOVER_LOST], 0);
}
END_TEST

START_TEST(test_handover_what_is_lost_on_the_way_is_counted)
{
	apply();
	hand_over(NFLOG_PRE_ROUTING, 9, 250);
	hand_over(NFLOG_PRE_ROUTING, 9, 251);
	hand_over(NFLOG_PRE_ROUTING, 9, 254);
	ck_assert_uint_eq(give(), 0);
	ck_assert_uint_eq(n_passed, 3);
	ck_assert_uint_eq(io.stats.drops[IO_REASON_HANDOVER_LOST], 2);
}
END_TEST

START_TEST(test_handover_without_policy_nothing_passes)
{
	hand_over(NFLOG_PRE_ROUTING, 9, 1);
	ck_assert_uint_eq(give(), 0);
	ck_assert_uint_eq(n_written, 0);
	ck_assert_uint_eq(io.stats.drops[IO_REASON_NOT_READY], 1);
}
END_TEST

START_TEST(test_handover_what_the_guard_does_not_write_is_malformed)
{
	const uint8_t junk[4] = { 0x45, 0, 0, 4 };

	apply();
	nflog_packet("judge?", NFLOG_PRE_ROUTING, junk, sizeof(junk));
	ck_assert_uint_eq(give(), 1);
	ck_assert_uint_eq(n_written, 0);
	/* No packet at all is judged, as such, and dropped. */
	nflog_packet("judge", NFLOG_PRE_ROUTING, junk, sizeof(junk));
	ck_assert_uint_eq(give(), 0);
	ck_assert_uint_eq(n_written, 1);
	ck_assert_uint_eq(n_passed, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/engine_handover");
	TCase *tc = tcase_create("handover");
	SRunner *r = srunner_create(s);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_handover_what_passes_goes_on_in_its_direction);
	tcase_add_test(tc, test_handover_what_is_lost_on_the_way_is_counted);
	tcase_add_test(tc, test_handover_without_policy_nothing_passes);
	tcase_add_test(tc, test_handover_what_the_guard_does_not_write_is_malformed);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
