/* tests/unit/engine/check_sum.c - the Internet checksum's sum, against one octet pair after the other. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sum.h"

static uint16_t one_by_one(const uint8_t *p, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = sum / 0x10000 + sum % 0x10000;
	return (uint16_t)sum;
}

START_TEST(test_sum_is_that_of_rfc_1071)
{
	/* RFC 1071 3. */
	static const uint8_t octets[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	ck_assert_uint_eq(ipsp_sum(octets, sizeof(octets)), 0xddf2);
}
END_TEST

START_TEST(test_sum_of_any_length_and_place_is_the_sum_one_by_one)
{
	static uint8_t octets[1600];
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(octets); i++) {
		state = state * 1103515245 + 12345;
		octets[i] = (uint8_t)(state >> 16);
	}
	for (uint32_t n = 0; n < 1500; n += n < 300 ? 1 : 37) {
		for (uint32_t at = 0; at < 18; at++)
			ck_assert_uint_eq(ipsp_sum(octets + at, n), one_by_one(octets + at, n));
	}
}
END_TEST

START_TEST(test_sum_of_the_largest_numbers_does_not_overflow)
{
	static uint8_t octets[65535];

	memset(octets, 0xff, sizeof(octets));
	ck_assert_uint_eq(ipsp_sum(octets, sizeof(octets)), one_by_one(octets, sizeof(octets)));
	ck_assert_uint_eq(ipsp_sum(octets, 65534), 0xffff);
}
END_TEST

START_TEST(test_sum_of_zeros_is_zero)
{
	static const uint8_t octets[200];

	ck_assert_uint_eq(ipsp_sum(octets, sizeof(octets)), 0);
	ck_assert_uint_eq(ipsp_sum(octets, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/sum");
	TCase *tc = tcase_create("sum");

	tcase_add_test(tc, test_sum_is_that_of_rfc_1071);
	tcase_add_test(tc, test_sum_of_any_length_and_place_is_the_sum_one_by_one);
	tcase_add_test(tc, test_sum_of_the_largest_numbers_does_not_overflow);
	tcase_add_test(tc, test_sum_of_zeros_is_zero);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
