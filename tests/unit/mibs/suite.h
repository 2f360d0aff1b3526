/*
 * tests/unit/mibs/suite.h - the main() that all suites of the store share.
 */
#ifndef TESTS_MIBS_SUITE_H
#define TESTS_MIBS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_run(Suite *s)
{
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
