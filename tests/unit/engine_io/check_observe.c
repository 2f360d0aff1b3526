/*
 * tests/unit/engine_io/check_observe.c - the kernel's packet log as the engine reads it: messages
 * made by hand as linux/netfilter/nfnetlink_log.h lays them out, whole, cut and wrong.
 */
#include "config.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/messages.h"
#include "ipspd/report.h"
#include "tests/unit/engine_io/nflog.h"
#include "tests/unit/engine_io/role.h"

static struct engine_role role;

static void setup(void)
{
	role_setup(&role);
	nflog_clear();
}

static void teardown(void)
{
	role_teardown(&role);
}

/* UDP from 10.2.0.2 port 7 to 10.1.0.2 port 9, its length as given. */
static void udp4(uint8_t p[28], uint16_t total_len)
{
	static const uint8_t octets[28] = {
		0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 2, 0, 2, 10, 1, 0, 2,
		0, 7, 0, 9, 0, 8, 0, 0,
	};

	memcpy(p, octets, sizeof(octets));
	p[2] = (uint8_t)(total_len >> 8);
	p[3] = (uint8_t)total_len;
}

static size_t observe(void)
{
	const size_t bad = nflog_give(engine_observe_datagram, &role);

	role_settle(&role);
	return bad;
}

static struct wire_event expect_event(void)
{
	struct role_message m;
	struct wire_event e;

	role_expect(MSG_EVENT, &m);
	const struct chan_msg msg = { .type = m.type, .data = m.data, .len = m.len };

	ck_assert(report_event_read(&msg, &e));
	return e;
}

static void expect_silence(void)
{
	struct role_message m;

	ck_assert(!role_next(&m));
}

/* ---- what is good ---- */

static const struct {
	const char *prefix;
	uint8_t hook;
	uint64_t id;
	uint32_t ifindex;
	uint8_t dir, action;
	uint16_t reason;
} outcomes[] = {
	{ "1f 0", NFLOG_PRE_ROUTING, 0x1f, 3, IPSP_INBOUND, IPSP_DISCARD,
	  IPSP_REASON_POLICY_DISCARD },
	{ "1f 1", NFLOG_PRE_ROUTING, 0x1f, 3, IPSP_INBOUND, IPSP_BYPASS, IPSP_REASON_NONE },
	{ "1f 2", NFLOG_PRE_ROUTING, 0x1f, 3, IPSP_INBOUND, IPSP_DISCARD, IPSP_REASON_POLICY_CLEAR },
	{ "fedcba9876543210 0", NFLOG_POST_ROUTING, 0xfedcba9876543210, 4, IPSP_OUTBOUND,
	  IPSP_DISCARD, IPSP_REASON_POLICY_DISCARD },
	{ "1 1", NFLOG_POST_ROUTING, 1, 4, IPSP_OUTBOUND, IPSP_BYPASS, IPSP_REASON_NONE },
};

START_TEST(test_observe_reports_entry_interface_direction_and_outcome)
{
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet(outcomes[_i].prefix, outcomes[_i].hook, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 0);
	const struct wire_event e = expect_event();

	ck_assert_uint_eq(e.kind, WIRE_EVENT_PACKET);
	ck_assert_uint_eq(e.id, outcomes[_i].id);
	ck_assert_uint_eq(e.ifindex, outcomes[_i].ifindex);
	ck_assert_uint_eq(e.dir, outcomes[_i].dir);
	ck_assert_uint_eq(e.action, outcomes[_i].action);
	ck_assert_uint_eq(e.reason, outcomes[_i].reason);
}
END_TEST

/* Addresses and ports of udp4. */
static void is_udp4(const struct wire_event *e)
{
	static const uint8_t ends[12] = { 10, 2, 0, 2, 10, 1, 0, 2, 0, 7, 0, 9 };

	ck_assert_uint_eq(e->packet_len, 28);
	ck_assert_uint_eq(e->packet[0], 0x45);
	ck_assert_uint_eq(e->packet[9], 17);
	ck_assert_mem_eq(e->packet + 12, ends, sizeof(ends));
}

START_TEST(test_observe_reports_headers_of_whole_and_of_longer_packets)
{
	static const uint16_t lengths[] = { 28, 29, 1500, 65535 };
	uint8_t packet[28];

	udp4(packet, lengths[_i]);
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 0);
	const struct wire_event e = expect_event();

	is_udp4(&e);
}
END_TEST

START_TEST(test_observe_reads_no_more_of_a_packet_than_it_asked_for)
{
	uint8_t packet[1024] = { 0 };

	udp4(packet, 1024);
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 0);
	const struct wire_event e = expect_event();

	is_udp4(&e);
}
END_TEST

START_TEST(test_observe_names_addresses_where_the_headers_go_on_elsewhere)
{
	/* Hop-by-hop options of 2048 octets, of which eight are here. */
	uint8_t packet[48] = { 0x60, 0, 0, 0, 8, 8, 0, 64 };

	packet[8] = packet[24] = 0xfd;
	packet[23] = 2;
	packet[39] = 1;
	packet[40] = 17;
	packet[41] = 255;
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 0);
	const struct wire_event e = expect_event();

	ck_assert_uint_eq(e.packet_len, 40);
	ck_assert_mem_eq(e.packet + 8, packet + 8, 32);
}
END_TEST

START_TEST(test_observe_reports_what_is_no_packet_without_headers)
{
	static const struct {
		uint8_t octets[24];
		size_t len;
	} junk[] = {
		{ { 0 }, 0 },
		{ { 0x45 }, 1 },
		{ { 0x60, 0, 0, 0 }, 24 },
		{ { 0x45, 0, 0, 20 }, 19 },
		{ { 0x05, 0, 0, 20 }, 24 },
	};

	nflog_packet("1f 0", NFLOG_PRE_ROUTING, junk[_i].octets, junk[_i].len);
	ck_assert_uint_eq(observe(), 0);
	ck_assert_uint_eq(expect_event().packet_len, 0);
}
END_TEST

START_TEST(test_observe_takes_every_message_of_a_datagram)
{
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet("1 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	nflog_packet("junk", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	nflog_packet("2 0", NFLOG_POST_ROUTING, packet, sizeof(packet));
	nflog_begin(NFLOG_TYPE_DONE);
	nflog_end();
	ck_assert_uint_eq(observe(), 1);
	ck_assert_uint_eq(expect_event().id, 1);
	ck_assert_uint_eq(expect_event().id, 2);
	expect_silence();
}
END_TEST

/* ---- what is not ---- */

START_TEST(test_observe_refuses_prefixes_that_the_guard_does_not_write)
{
	static const char *const prefixes[] = {
		"", " ", "1f", "1f ", "1f 3", "1f 00", "1f 0 ", " 1f 0", "0 0", "0x1f 0", "-1 0",
		"1F 0", "1f0", "10000000000000000 0", "1f  0",
		"1111111111111111111111111111111111111111 0",
	};
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet(prefixes[_i], NFLOG_PRE_ROUTING, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 1);
	expect_silence();
}
END_TEST

START_TEST(test_observe_refuses_a_prefix_without_end)
{
	nflog_begin(NFLOG_TYPE_PACKET);
	nflog_hook(NFLOG_PRE_ROUTING);
	nflog_attr(NFLOG_PREFIX, "1f 0", 4);
	nflog_ifindex(NFLOG_INDEV, 3);
	nflog_attr(NFLOG_PAYLOAD, "", 0);
	nflog_end();
	ck_assert_uint_eq(observe(), 1);
	expect_silence();
}
END_TEST

START_TEST(test_observe_refuses_other_hooks)
{
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet("1f 0", NFLOG_LOCAL_IN, packet, sizeof(packet));
	ck_assert_uint_eq(observe(), 1);
	expect_silence();
}
END_TEST

/* Each attribute of a good message: missing, or with fewer octets than it has. */
static const struct {
	uint16_t type;
	size_t len;	/* what it has; SIZE_MAX: it is not there */
} lacks[] = {
	{ NFLOG_HDR, SIZE_MAX }, { NFLOG_HDR, 0 }, { NFLOG_HDR, 3 },
	{ NFLOG_PREFIX, SIZE_MAX }, { NFLOG_PREFIX, 0 },
	{ NFLOG_INDEV, SIZE_MAX }, { NFLOG_INDEV, 0 }, { NFLOG_INDEV, 3 },
	{ NFLOG_PAYLOAD, SIZE_MAX },
};

START_TEST(test_observe_refuses_messages_that_lack_something)
{
	static const struct {
		uint16_t type;
		const char *data;
		size_t len;
	} good[] = {
		{ NFLOG_HDR, "\x08\x00\x00\x00", 4 },
		{ NFLOG_PREFIX, "1f 0", 5 },
		{ NFLOG_INDEV, "\x00\x00\x00\x03", 4 },
		{ NFLOG_PAYLOAD, "E", 1 },
	};

	nflog_begin(NFLOG_TYPE_PACKET);
	for (size_t i = 0; i < 4; i++) {
		const bool hit = good[i].type == lacks[_i].type;

		if (hit && lacks[_i].len == SIZE_MAX)
			continue;
		nflog_attr(good[i].type, good[i].data, hit ? lacks[_i].len : good[i].len);
	}
	nflog_end();
	ck_assert_uint_eq(observe(), 1);
	expect_silence();
}
END_TEST

START_TEST(test_observe_refuses_a_datagram_cut_anywhere)
{
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	const size_t full = nflog_len;

	for (nflog_len = 1; nflog_len < full; nflog_len++) {
		ck_assert_uint_eq(observe(), 1);
		expect_silence();
	}
	ck_assert_uint_eq(observe(), 0);
	expect_event();
}
END_TEST

START_TEST(test_observe_refuses_lengths_that_go_beyond_or_too_short)
{
	static const uint32_t lengths[] = { 0, 1, 15, 16, 19, 1000, 0x7fffffff, 0x80000000, 0xffffffff };
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	memcpy(nflog_gram, &lengths[_i], 4);
	ck_assert_uint_ge(observe(), 1);
	expect_silence();
}
END_TEST

START_TEST(test_observe_refuses_attributes_longer_than_their_message)
{
	static const uint16_t lengths[] = { 0, 3, 33, 200, 0xffff };
	uint8_t packet[28];

	udp4(packet, 28);
	nflog_packet("1f 0", NFLOG_PRE_ROUTING, packet, sizeof(packet));
	/* The payload is the last attribute: its head stands 32 octets before the end. */
	memcpy(nflog_gram + nflog_len - 32, &lengths[_i], 2);
	ck_assert_uint_eq(observe(), 1);
	expect_silence();
}
END_TEST

START_TEST(test_observe_passes_over_messages_of_other_kinds)
{
	nflog_begin(0x0401);
	nflog_end();
	nflog_begin(NFLOG_TYPE_DONE);
	nflog_end();
	ck_assert_uint_eq(observe(), 0);
	expect_silence();
}
END_TEST

static Suite *observe_suite(void)
{
	Suite *s = suite_create("ipspd/engine_observe");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_observe_reports_entry_interface_direction_and_outcome, 0, 5);
	tcase_add_loop_test(tc, test_observe_reports_headers_of_whole_and_of_longer_packets, 0, 4);
	tcase_add_test(tc, test_observe_reads_no_more_of_a_packet_than_it_asked_for);
	tcase_add_test(tc, test_observe_names_addresses_where_the_headers_go_on_elsewhere);
	tcase_add_loop_test(tc, test_observe_reports_what_is_no_packet_without_headers, 0, 5);
	tcase_add_test(tc, test_observe_takes_every_message_of_a_datagram);
	tcase_add_loop_test(tc, test_observe_refuses_prefixes_that_the_guard_does_not_write, 0, 16);
	tcase_add_test(tc, test_observe_refuses_a_prefix_without_end);
	tcase_add_test(tc, test_observe_refuses_other_hooks);
	tcase_add_loop_test(tc, test_observe_refuses_messages_that_lack_something, 0,
			    sizeof(lacks) / sizeof(lacks[0]));
	tcase_add_test(tc, test_observe_refuses_a_datagram_cut_anywhere);
	tcase_add_loop_test(tc, test_observe_refuses_lengths_that_go_beyond_or_too_short, 0, 9);
	tcase_add_loop_test(tc, test_observe_refuses_attributes_longer_than_their_message, 0, 5);
	tcase_add_test(tc, test_observe_passes_over_messages_of_other_kinds);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(observe_suite());

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
