/*
 * tests/unit/engine/check_ah_fields.c - which octets of the headers AH covers. RFC 4302 A1, A2.
 *
 * A field is covered if the covered form of the headers changes with it. Whole packets are judged by
 * others (tests/interop/test_ah_scapy.py, test_kernel_peer.py).
 */
#include <check.h>
#include <string.h>

#include "engine/ah_fields.h"
#include "spd/octets.h"

static uint8_t packet[2048], out[2048], other[2048];

static const uint8_t v4_header[20] = {
	0x45, 0xb9, 0, 200, 0x12, 0x34, 0x40, 0, 64, 51, 0xab, 0xcd, 192, 0, 2, 1, 198, 51, 100, 9,
};

static const uint8_t v6_header[40] = {
	0x6b, 0x9a, 0xbc, 0xde, 0, 200, 51, 64,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
};

static enum ipsp_reason fields(uint32_t len, bool final)
{
	return ipsp_ah_fields(packet, len, final, out);
}

/* ---- base headers ---- */

static void check_base(const uint8_t *header, uint32_t len, const uint8_t *zeroed)
{
	memcpy(packet, header, len);
	ck_assert_int_eq(fields(len, false), IPSP_REASON_NONE);
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		bool covered;

		/* Version and header length say what the rest is. */
		if (bit < (header[0] >> 4 == 4 ? 8 : 4))
			continue;
		packet[bit / 8] ^= mask;
		ck_assert_int_eq(ipsp_ah_fields(packet, len, false, other), IPSP_REASON_NONE);
		covered = memcmp(out, other, len) != 0;
		packet[bit / 8] ^= mask;
		ck_assert_msg(covered == !(zeroed[bit / 8] & mask), "bit %u", bit);
	}
}

START_TEST(test_ipv4_covers_what_no_router_changes)
{
	static const uint8_t zeroed[20] = { 0, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0xff, 0xff };

	check_base(v4_header, sizeof(v4_header), zeroed);
	ck_assert_uint_eq(out[0], 0x45);
}
END_TEST

START_TEST(test_ipv6_covers_all_but_class_label_and_hop_limit)
{
	static const uint8_t zeroed[40] = { 0x0f, 0xff, 0xff, 0xff, 0, 0, 0, 0xff };
	uint8_t header[40];

	memcpy(header, v6_header, sizeof(header));
	check_base(header, sizeof(header), zeroed);
	ck_assert_uint_eq(out[0], 0x60);
}
END_TEST

/* ---- IPv4 options ---- */

static const struct {
	const char *name;
	uint8_t option[12];	/* behind the header, padded with end-of-list */
	bool covered;
} v4_options[] = {
	{ "security", { 130, 8, 1, 2, 3, 4, 5, 6 }, true },
	{ "extended security", { 133, 8, 1, 2, 3, 4, 5, 6 }, true },
	{ "commercial security", { 134, 8, 1, 2, 3, 4, 5, 6 }, true },
	{ "router alert", { 148, 4, 7, 7 }, true },
	{ "sender directed multi-destination", { 149, 8, 1, 2, 3, 4, 5, 6 }, true },
	{ "loose source route, used up", { 131, 7, 8, 10, 0, 0, 1 }, false },
	{ "strict source route, used up", { 137, 7, 8, 10, 0, 0, 1 }, false },
	{ "time stamp", { 68, 8, 5, 0, 1, 2, 3, 4 }, false },
	{ "record route", { 7, 7, 4, 1, 2, 3, 4 }, false },
	{ "traceroute", { 82, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, false },
	{ "stream id", { 136, 4, 1, 2 }, false },
	{ "MTU probe", { 11, 4, 5, 220 }, false },
	{ "MTU reply", { 12, 4, 5, 220 }, false },
	{ "extended internet protocol", { 145, 4, 1, 2 }, false },
	{ "experimental measurement", { 10, 4, 1, 2 }, false },
	{ "experimental flow control", { 205, 4, 1, 2 }, false },
	{ "experimental access control", { 142, 4, 1, 2 }, false },
	{ "number 15", { 15, 4, 1, 2 }, false },
	{ "IMI traffic descriptor", { 144, 4, 1, 2 }, false },
	{ "address extension", { 147, 4, 1, 2 }, false },
	{ "one that nobody knows", { 222, 4, 1, 2 }, false },
	{ "no operation before router alert", { 1, 1, 1, 1, 148, 4, 7, 7 }, true },
};

START_TEST(test_ipv4_options_are_covered_whole_or_zero)
{
	const uint8_t *option = v4_options[_i].option;
	uint8_t expected[32] = { 0 };

	memcpy(packet, v4_header, 20);
	packet[0] = 0x48;
	memcpy(packet + 20, option, 12);
	ck_assert_msg(fields(32, true) == IPSP_REASON_NONE, "%s", v4_options[_i].name);
	if (v4_options[_i].covered)
		memcpy(expected + 20, option, 12);
	ck_assert_msg(memcmp(out + 20, expected + 20, 12) == 0, "%s", v4_options[_i].name);
	/* The destination stays: no station is left. */
	ck_assert_mem_eq(out + 12, v4_header + 12, 8);
}
END_TEST

START_TEST(test_what_stands_behind_the_end_of_the_options_is_covered)
{
	memcpy(packet, v4_header, 20);
	packet[0] = 0x47;
	memcpy(packet + 20, (const uint8_t[]){ 0, 68, 4, 5, 0, 7, 9, 9 }, 8);
	ck_assert_int_eq(fields(28, true), IPSP_REASON_NONE);
	ck_assert_mem_eq(out + 20, packet + 20, 8);
}
END_TEST

START_TEST(test_a_source_route_that_is_left_gives_the_last_address)
{
	static const uint8_t types[] = { 131, 137 };

	memcpy(packet, v4_header, 20);
	packet[0] = 0x48;
	memcpy(packet + 20, (const uint8_t[]){ 0, 11, 4, 10, 0, 0, 1, 10, 0, 0, 2, 0 }, 12);
	packet[20] = types[_i];
	ck_assert_int_eq(fields(32, false), IPSP_REASON_NONE);
	ck_assert_mem_eq(out + 16, ((const uint8_t[]){ 10, 0, 0, 2 }), 4);
	ck_assert_uint_eq(out[20], 0);
	/* One station is behind it, one is left. */
	packet[22] = 8;
	ck_assert_int_eq(fields(32, false), IPSP_REASON_NONE);
	ck_assert_mem_eq(out + 16, ((const uint8_t[]){ 10, 0, 0, 2 }), 4);
	/* Nobody gets it before its last station. */
	ck_assert_int_eq(fields(32, true), IPSP_REASON_MALFORMED);
}
END_TEST

static const struct {
	const char *name;
	uint8_t option[8];
} v4_bad[] = {
	{ "length 0", { 148, 0 } },
	{ "length 1", { 148, 1 } },
	{ "longer than the header", { 148, 9 } },
	{ "no length", { 1, 1, 1, 1, 1, 1, 1, 148 } },
	{ "a route without a pointer", { 131, 2 } },
	{ "a route of half an address", { 131, 5, 4, 1, 2 } },
	{ "a route's pointer in its header", { 131, 7, 3, 1, 2, 3, 4 } },
	{ "a route's pointer in an address", { 131, 7, 5, 1, 2, 3, 4 } },
};

START_TEST(test_ipv4_options_of_impossible_lengths_are_refused)
{
	memcpy(packet, v4_header, 20);
	packet[0] = 0x47;
	memcpy(packet + 20, v4_bad[_i].option, 8);
	ck_assert_msg(fields(28, false) == IPSP_REASON_MALFORMED, "%s", v4_bad[_i].name);
}
END_TEST

/* ---- IPv6 extension headers ---- */

/* An IPv6 packet with one extension header before AH. */
static uint32_t with_extension(uint8_t type, const uint8_t *header, uint32_t len)
{
	memcpy(packet, v6_header, 40);
	packet[6] = type;
	memcpy(packet + 40, header, len);
	return 40 + len;
}

START_TEST(test_ipv6_options_that_may_change_en_route_have_no_data)
{
	static const uint8_t types[] = { 0, 60 };
	/* Router alert (0x05), 0x3e and 0xfe may change, 0xc2 (jumbo payload) may not; Pad1, PadN. */
	static const uint8_t header[24] = {
		51, 2, 5, 2, 1, 2, 0x3e, 3, 1, 2, 3, 0, 0xfe, 1, 9, 0xc2, 2, 8, 8, 1, 3, 7, 7, 7,
	};
	static const uint8_t covered[24] = {
		51, 2, 5, 2, 1, 2, 0x3e, 3, 0, 0, 0, 0, 0xfe, 1, 0, 0xc2, 2, 8, 8, 1, 3, 7, 7, 7,
	};

	ck_assert_int_eq(fields(with_extension(types[_i], header, 24), true), IPSP_REASON_NONE);
	ck_assert_mem_eq(out + 40, covered, 24);
	ck_assert_mem_eq(out + 8, v6_header + 8, 32);
}
END_TEST

/* A routing header for n stations; address i is full of i + 0xa0. */
static uint32_t routing(uint8_t *p, uint8_t type, uint32_t n, uint8_t left)
{
	memset(p, 0, 8);
	p[0] = 51;
	p[1] = (uint8_t)(n * 2);
	p[2] = type;
	p[3] = left;
	for (uint32_t i = 0; i < n; i++)
		memset(p + 8 + 16 * i, (int)(0xa0 + i), 16);
	return 8 + 16 * n;
}

START_TEST(test_routing_headers_are_as_at_their_end)
{
	uint8_t header[80], end[16];
	uint32_t len = routing(header, 0, 3, (uint8_t)_i);
	uint32_t total = with_extension(43, header, len);

	ck_assert_int_eq(fields(total, false), IPSP_REASON_NONE);
	ck_assert_uint_eq(out[43], 0);
	/* What each station does, by the letter of RFC 2460 4.4. */
	for (uint32_t left = (uint32_t)_i; left > 0; left--) {
		uint8_t *next = packet + 48 + (3 - left) * 16;

		memcpy(end, next, 16);
		memcpy(next, packet + 24, 16);
		memcpy(packet + 24, end, 16);
		packet[43] = (uint8_t)(left - 1);
	}
	ck_assert_mem_eq(out + 24, packet + 24, 16);
	ck_assert_mem_eq(out + 40, packet + 40, len);
	ck_assert_int_eq(fields(total, true), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_a_home_address_is_swapped_in)
{
	uint8_t header[24];
	uint32_t total = with_extension(43, header, routing(header, 2, 1, 1));

	ck_assert_int_eq(fields(total, false), IPSP_REASON_NONE);
	ck_assert_uint_eq(out[24], 0xa0);
	ck_assert_mem_eq(out + 48, v6_header + 24, 16);
	ck_assert_int_eq(fields(total, true), IPSP_REASON_MALFORMED);
}
END_TEST

static const struct {
	const char *name;
	uint8_t nh;
	uint8_t header[24];
	uint32_t len;
	enum ipsp_reason reason;
} v6_bad[] = {
	{ "fragment header", 44, { 51 }, 8, IPSP_REASON_EXTENSIONS },
	{ "mobility header", 135, { 51 }, 8, IPSP_REASON_EXTENSIONS },
	{ "routing header of type 1", 43, { 51, 0, 1 }, 8, IPSP_REASON_EXTENSIONS },
	{ "segment routing", 43, { 51, 2, 4, 0 }, 24, IPSP_REASON_EXTENSIONS },
	{ "more segments left than addresses", 43, { 51, 2, 0, 2 }, 24, IPSP_REASON_MALFORMED },
	{ "half an address", 43, { 51, 1, 0, 0 }, 16, IPSP_REASON_MALFORMED },
	{ "home address without an address", 43, { 51, 0, 2, 0 }, 8, IPSP_REASON_MALFORMED },
	{ "option longer than its header", 60, { 51, 0, 5, 5 }, 8, IPSP_REASON_MALFORMED },
	{ "option without a length", 60, { 51, 0, 1, 3, 0, 0, 0, 5 }, 8, IPSP_REASON_MALFORMED },
	{ "header longer than what is there", 60, { 51, 2 }, 8, IPSP_REASON_EXTENSIONS },
};

START_TEST(test_ipv6_headers_of_unknown_kind_or_length_are_refused)
{
	uint32_t len = with_extension(v6_bad[_i].nh, v6_bad[_i].header, v6_bad[_i].len);

	ck_assert_msg(fields(len, false) == v6_bad[_i].reason, "%s", v6_bad[_i].name);
}
END_TEST

START_TEST(test_headers_longer_than_the_room_are_refused)
{
	ck_assert_int_eq(fields(IPSP_AH_HEADERS_MAX + 8, true), IPSP_REASON_EXTENSIONS);
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/ah_fields");
	TCase *t = tcase_create("fields");

	tcase_add_test(t, test_ipv4_covers_what_no_router_changes);
	tcase_add_test(t, test_ipv6_covers_all_but_class_label_and_hop_limit);
	tcase_add_loop_test(t, test_ipv4_options_are_covered_whole_or_zero, 0, N(v4_options));
	tcase_add_test(t, test_what_stands_behind_the_end_of_the_options_is_covered);
	tcase_add_loop_test(t, test_a_source_route_that_is_left_gives_the_last_address, 0, 2);
	tcase_add_loop_test(t, test_ipv4_options_of_impossible_lengths_are_refused, 0, N(v4_bad));
	tcase_add_loop_test(t, test_ipv6_options_that_may_change_en_route_have_no_data, 0, 2);
	tcase_add_loop_test(t, test_routing_headers_are_as_at_their_end, 0, 4);
	tcase_add_test(t, test_a_home_address_is_swapped_in);
	tcase_add_loop_test(t, test_ipv6_headers_of_unknown_kind_or_length_are_refused, 0,
			    N(v6_bad));
	tcase_add_test(t, test_headers_longer_than_the_room_are_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? 1 : 0;
}
