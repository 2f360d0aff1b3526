/* tests/unit/engine_io/check_attach.c - the names of drop reasons, one space for core and I/O. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/attach.h"

static bool known(unsigned number)
{
	return strcmp(io_reason_key(number), "unknown") != 0;
}

START_TEST(test_attach_every_reason_has_a_key_of_its_own_and_a_text)
{
	for (unsigned i = 0; i < IO_REASON_BASE + IO_N_REASONS; i++) {
		if (i >= IPSP_N_REASONS && i < IO_REASON_BASE) {
			ck_assert(!known(i));
			continue;
		}
		ck_assert_msg(known(i), "reason %u", i);
		ck_assert_msg(io_reason_text(i)[0] && strcmp(io_reason_text(i), "unknown"),
			      "reason %u", i);
		for (unsigned j = 0; j < i; j++)
			ck_assert_msg(!known(j) || strcmp(io_reason_key(i), io_reason_key(j)),
				      "%u and %u", i, j);
	}
	ck_assert(!known(IO_REASON_BASE + IO_N_REASONS));
	ck_assert_str_eq(io_reason_text(~0u), "unknown");
}
END_TEST

START_TEST(test_attach_every_fault_has_a_class_and_an_error)
{
	for (unsigned i = 0; i < IO_REASON_BASE + IO_N_REASONS; i++) {
		const enum ipsp_reason_class class = io_reason_class(i);

		ck_assert_msg(known(i) || class == IPSP_CLASS_NONE, "reason %u", i);
		ck_assert_str_ne(ipsp_reason_class_text(class), "unknown");
		ck_assert_msg((class == IPSP_CLASS_NONE) == (io_reason_err(i) == IPSP_OK) || !known(i),
			      "reason %u", i);
	}
	ck_assert_int_eq(io_reason_err(~0u), IPSP_EINVAL);
	ck_assert_str_eq(ipsp_reason_class_text(IPSP_N_CLASSES), "unknown");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/io/attach");
	TCase *t = tcase_create("reasons");

	tcase_add_test(t, test_attach_every_reason_has_a_key_of_its_own_and_a_text);
	tcase_add_test(t, test_attach_every_fault_has_a_class_and_an_error);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
