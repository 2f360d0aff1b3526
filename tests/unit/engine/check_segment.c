/* tests/unit/engine_io/check_segment.c - large segments cut: octets, headers, checksums, hostile lengths. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/segment.h"
#include "tests/unit/engine_io/packets.h"

#define FIN_PSH_ACK_CWR 0x99u
#define OPTIONS 12u

static uint8_t packet[65536], out[2048];

static const struct {
	const char *name;
	int family;
	enum ipsp_segment_kind kind;
	uint32_t payload, size;
} cases[] = {
	{ "TCP over IPv4", 4, IPSP_SEGMENT_TCP, 5000, 1448 },
	{ "TCP over IPv6", 6, IPSP_SEGMENT_TCP, 5001, 1428 },
	{ "whole segments only", 4, IPSP_SEGMENT_TCP, 3000, 1000 },
	{ "one segment", 4, IPSP_SEGMENT_TCP, 100, 1448 },
	{ "as large as can be", 4, IPSP_SEGMENT_TCP, 65535 - 52, 1448 },
	{ "UDP over IPv4", 4, IPSP_SEGMENT_UDP, 4000, 1200 },
	{ "UDP over IPv6", 6, IPSP_SEGMENT_UDP, 4001, 1200 },
};

static uint32_t l4, header, len;

static void make(int family, enum ipsp_segment_kind kind, uint32_t payload)
{
	header = kind == IPSP_SEGMENT_TCP ? 20 + OPTIONS : 8;
	memset(packet, 0, sizeof(packet));
	len = (family == 4 ? 20 : 40) + header + payload;
	l4 = packets_header(packet, family, kind == IPSP_SEGMENT_TCP ? 6 : 17, len);
	if (kind == IPSP_SEGMENT_TCP) {
		memset(packet + l4 + 4, 0xff, 4);	/* goes on past 2^32 */
		packet[l4 + 12] = (20 + OPTIONS) / 4 << 4;
		packet[l4 + 13] = FIN_PSH_ACK_CWR;
		memset(packet + l4 + 20, 1, OPTIONS);
	}
	for (uint32_t i = 0; i < payload; i++)
		packet[l4 + header + i] = (uint8_t)(i * 7 + i / 256);
}

START_TEST(test_segments_are_the_payload_in_order_under_right_headers)
{
	const bool is_tcp = cases[_i].kind == IPSP_SEGMENT_TCP;
	struct ipsp_segmenter s;
	uint32_t at = 0, n, number = 0;

	make(cases[_i].family, cases[_i].kind, cases[_i].payload);
	ck_assert_msg(ipsp_segment_begin(&s, cases[_i].kind, packet, len, l4, cases[_i].size), "%s",
		      cases[_i].name);
	while ((n = ipsp_segment_next(&s, out, sizeof(out))) > 0) {
		const uint32_t got = n - l4 - header;
		const bool last = at + got == cases[_i].payload;

		ck_assert_uint_eq(got, last ? cases[_i].payload - at : cases[_i].size);
		ck_assert_mem_eq(out + l4 + header, packet + l4 + header + at, got);
		ck_assert(packets_sums_right(out, n, l4, is_tcp ? 6 : 17));
		if (cases[_i].family == 4) {
			ck_assert_uint_eq((uint32_t)out[2] << 8 | out[3], n);
			ck_assert_uint_eq((uint32_t)out[4] << 8 | out[5], 0x1234 + number);
		} else {
			ck_assert_uint_eq((uint32_t)out[4] << 8 | out[5], n - 40);
		}
		if (is_tcp) {
			const uint32_t seq = (uint32_t)out[l4 + 4] << 24 | out[l4 + 5] << 16 |
					     out[l4 + 6] << 8 | out[l4 + 7];

			ck_assert_uint_eq(seq, 0xffffffffu + at);
			ck_assert_uint_eq(out[l4 + 13], 0x10u | (last ? 0x09u : 0) |
					  (number == 0 ? 0x80u : 0));
		} else {
			ck_assert_uint_eq((uint32_t)out[l4 + 4] << 8 | out[l4 + 5], got + 8);
		}
		at += got;
		number++;
	}
	ck_assert_uint_eq(at, cases[_i].payload);
}
END_TEST

static const struct {
	const char *name;
	uint32_t at;		/* this octet of a good packet */
	uint8_t value;		/* becomes that */
} bad_octets[] = {
	{ "another version", 0, 0x55 },
	{ "options before TCP begins", 0, 0x46 },
	{ "another length", 3, 1 },
	{ "a fragment", 6, 0x20 },
	{ "a later fragment", 7, 1 },
	{ "another protocol", 9, 17 },
	{ "a TCP header too short", 32, 0x40 },
};

START_TEST(test_what_its_headers_contradict_is_not_cut)
{
	struct ipsp_segmenter s;

	make(4, IPSP_SEGMENT_TCP, 3000);
	ck_assert(ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, l4, 1000));
	packet[bad_octets[_i].at] = bad_octets[_i].value;
	ck_assert_msg(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, l4, 1000), "%s",
		      bad_octets[_i].name);
}
END_TEST

START_TEST(test_impossible_lengths_are_refused)
{
	struct ipsp_segmenter s;

	make(4, IPSP_SEGMENT_TCP, 3000);
	ck_assert(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, l4, 0));
	ck_assert(!ipsp_segment_begin(&s, IPSP_SEGMENT_UNKNOWN, packet, len, l4, 1000));
	ck_assert(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, len, 1000));
	ck_assert(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, UINT16_MAX, 1000));
	for (uint32_t n = 0; n < 52; n++) {
		packet[2] = 0;
		packet[3] = (uint8_t)n;
		ck_assert_msg(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, n, 20, 1000), "%u octets", n);
	}
	make(4, IPSP_SEGMENT_TCP, 3000);
	packet[l4 + 12] = 0xf0;
	ck_assert(ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, l4, 1000));
	ck_assert(!ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, 20 + 60, l4, 1000));
}
END_TEST

START_TEST(test_a_segment_larger_than_the_room_is_not_written)
{
	struct ipsp_segmenter s;

	make(4, IPSP_SEGMENT_TCP, 3000);
	ck_assert(ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, packet, len, l4, 1000));
	ck_assert_uint_eq(ipsp_segment_next(&s, out, 1000 + 51), 0);
	ck_assert_uint_eq(ipsp_segment_next(&s, out, 1000 + 52), 1000 + 52);
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/segment");
	TCase *t = tcase_create("segment");

	tcase_add_loop_test(t, test_segments_are_the_payload_in_order_under_right_headers, 0,
			    N_OF(cases));
	tcase_add_loop_test(t, test_what_its_headers_contradict_is_not_cut, 0, N_OF(bad_octets));
	tcase_add_test(t, test_impossible_lengths_are_refused);
	tcase_add_test(t, test_a_segment_larger_than_the_room_is_not_written);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
