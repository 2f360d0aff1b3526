/*
 * tests/unit/engine/check_header.c - checksums, hop limits, ECN. RFC 1071, RFC 6040 4.2.
 */
#include <check.h>
#include <string.h>

#include "engine/header.h"

/* A header whose checksum, 0xb861, is worked out by hand in many a textbook. */
static const uint8_t textbook[20] = {
	0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
	0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
};

START_TEST(test_the_ipv4_checksum_is_put_right)
{
	uint8_t p[20];

	memcpy(p, textbook, 20);
	p[9] = 50;
	p[2] = p[3] = p[10] = p[11] = 0xff;
	ipsp_header_update(p, 4, 9, 0x11, 0x73);
	ck_assert_mem_eq(p, textbook, 20);
}
END_TEST

START_TEST(test_an_outer_ipv4_header_is_as_rfc_791_draws_it)
{
	const struct ipsp_outer outer = {
		.proto = IPSP_PROTO_ESP,
		.src = { 4, { 192, 168, 0, 1 } }, .dst = { 4, { 192, 168, 0, 199 } },
		.total_len = 0x73, .ttl = 64, .df = true,
	};
	uint8_t want[20], p[20];

	memset(p, 0xee, sizeof(p));
	ipsp_outer_write(p, &outer);
	memcpy(want, textbook, 20);
	ipsp_header_update(want, 4, 9, 50, 0x73);
	ck_assert_mem_eq(p, want, 20);
}
END_TEST

START_TEST(test_hop_limits_go_down_to_one_and_no_further)
{
	uint8_t v4[20], v6[40] = { 0x60, [7] = 2 };

	memcpy(v4, textbook, 20);
	ck_assert(ipsp_ttl_decrement(v4, 4));
	ck_assert_uint_eq(v4[8], 63);
	/* One from the high octet of a word: the checksum goes up by 0x100. */
	ck_assert_uint_eq(v4[10], 0xb9);
	ck_assert_uint_eq(v4[11], 0x61);
	v4[8] = 1;
	ck_assert(!ipsp_ttl_decrement(v4, 4));
	ck_assert_uint_eq(v4[8], 1);
	v4[8] = 0;
	ck_assert(!ipsp_ttl_decrement(v4, 4));
	ck_assert(ipsp_ttl_decrement(v6, 6));
	ck_assert(!ipsp_ttl_decrement(v6, 6));
	ck_assert_uint_eq(v6[7], 1);
}
END_TEST

START_TEST(test_only_congestion_on_a_flow_without_ecn_is_dropped)
{
	for (unsigned outer = 0; outer < 4; outer++) {
		for (unsigned inner = 0; inner < 4; inner++) {
			uint8_t out = 0x55;
			bool kept = ipsp_ecn_combine((uint8_t)outer, (uint8_t)inner, &out);

			ck_assert_int_eq(kept, !(outer == 3 && inner == 0));
			ck_assert(kept || out == 0x55);
		}
	}
}
END_TEST

START_TEST(test_setting_ecn_leaves_its_neighbours_alone)
{
	uint8_t v4[20], v6[40] = { 0x6b, 0xa1, 0x23, 0x45 };

	memcpy(v4, textbook, 20);
	v4[1] = 0xb9;
	ipsp_ecn_set(v4, 4, 3);
	ck_assert_uint_eq(v4[1], 0xbb);
	ipsp_ecn_set(v6, 6, 3);
	ck_assert_uint_eq(v6[0], 0x6b);
	ck_assert_uint_eq(v6[1], 0xb1);
	ipsp_ecn_set(v6, 6, 1);
	ck_assert_uint_eq(v6[1], 0x91);
}
END_TEST

START_TEST(test_a_checksum_place_outside_of_the_packet_is_refused)
{
	static const struct {
		uint32_t start, offset;
		bool good;
	} places[] = {
		{ 0, 18, true }, { 0, 19, false }, { 18, 0, true }, { 19, 0, false },
		{ 65535, 65535, false }, { 20, 0, false },
	};
	uint8_t p[20];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memcpy(p, textbook, 20);
		ck_assert_int_eq(ipsp_checksum_finish(p, 20, places[i].start, places[i].offset),
				 places[i].good);
		ck_assert(places[i].good || !memcmp(p, textbook, 20));
	}
}
END_TEST

START_TEST(test_a_checksum_of_zero_is_written_as_ones)
{
	uint8_t p[4] = { 0xff, 0xff, 0, 0 };

	ck_assert(ipsp_checksum_finish(p, 4, 0, 2));
	ck_assert_uint_eq(p[2], 0xff);
	ck_assert_uint_eq(p[3], 0xff);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("header");
	TCase *tc = tcase_create("header");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_the_ipv4_checksum_is_put_right);
	tcase_add_test(tc, test_an_outer_ipv4_header_is_as_rfc_791_draws_it);
	tcase_add_test(tc, test_hop_limits_go_down_to_one_and_no_further);
	tcase_add_test(tc, test_only_congestion_on_a_flow_without_ecn_is_dropped);
	tcase_add_test(tc, test_setting_ecn_leaves_its_neighbours_alone);
	tcase_add_test(tc, test_a_checksum_place_outside_of_the_packet_is_refused);
	tcase_add_test(tc, test_a_checksum_of_zero_is_written_as_ones);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
