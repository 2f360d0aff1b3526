/*
 * tests/unit/crypto/check_hosted_memory.c - memory of the hosted platform: zeroed, apart, aligned, and
 * given out again.
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted_memory.h"

#define PIECES 84

static const size_t sizes[] = { 0, 1, 63, 64, 65, 500, 4128, 8191, 8192, 8193, 100000,
				(2u << 20) - 1, 2u << 20, (2u << 20) + 1 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static bool all_are(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

START_TEST(test_pieces_are_zeroed_also_when_they_were_used_before)
{
	const size_t size = sizes[_i];

	for (int turn = 0; turn < 3; turn++) {
		uint8_t *const p = hosted_memory_get(size);

		ck_assert_ptr_nonnull(p);
		ck_assert(all_are(p, size, 0));
		memset(p, 0xa5, size);
		hosted_memory_put(p, size);
	}
}
END_TEST

START_TEST(test_pieces_do_not_overlap)
{
	static uint8_t *pieces[PIECES];

	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < PIECES; i++) {
			pieces[i] = hosted_memory_get(sizes[i % SIZES]);
			ck_assert_ptr_nonnull(pieces[i]);
			ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
			memset(pieces[i], i & 0xff, sizes[i % SIZES]);
		}
		for (int i = 0; i < PIECES; i++)
			ck_assert(all_are(pieces[i], sizes[i % SIZES], i & 0xff));
		for (int i = 0; i < PIECES; i++)
			hosted_memory_put(pieces[i], sizes[i % SIZES]);
	}
}
END_TEST

START_TEST(test_what_is_given_out_is_counted)
{
	const size_t before = hosted_memory_used();
	void *const small = hosted_memory_get(100), *const large = hosted_memory_get(100000);

	ck_assert_uint_ge(hosted_memory_used(), before + 100);
	hosted_memory_put(small, 100);
	hosted_memory_put(large, 100000);
	hosted_memory_put(NULL, 5);
	ck_assert_uint_eq(hosted_memory_used(), before);
}
END_TEST

START_TEST(test_what_cannot_be_had_is_refused)
{
	const size_t before = hosted_memory_used();

	ck_assert_ptr_null(hosted_memory_get(SIZE_MAX / 2));
	ck_assert_ptr_null(hosted_memory_get(SIZE_MAX));
	ck_assert_uint_eq(hosted_memory_used(), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/crypto/hosted_memory");
	TCase *tc = tcase_create("hosted_memory");

	tcase_add_loop_test(tc, test_pieces_are_zeroed_also_when_they_were_used_before, 0, SIZES);
	tcase_add_test(tc, test_pieces_do_not_overlap);
	tcase_add_test(tc, test_what_is_given_out_is_counted);
	tcase_add_test(tc, test_what_cannot_be_had_is_refused);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_NORMAL);
	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
