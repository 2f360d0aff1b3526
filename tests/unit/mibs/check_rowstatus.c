/*
 * tests/unit/mibs/check_rowstatus.c - the table of transitions against the diagram of RFC 2579.
 */
#include "mibs/rowstatus.h"
#include "suite.h"

#define A MIB_RS_STATE_ABSENT
#define B MIB_RS_STATE_NOT_READY
#define C MIB_RS_STATE_NOT_IN_SERVICE
#define D MIB_RS_STATE_ACTIVE

#define NO { false, 0, 0 }
#define ABSENT(n) { true, MIB_RS_TO_ABSENT, MIB_RS_NEEDS_##n }
#define IDLE(n) { true, MIB_RS_TO_IDLE, MIB_RS_NEEDS_##n }
#define ACTIVE(n) { true, MIB_RS_TO_ACTIVE, MIB_RS_NEEDS_##n }

/* The rows of the diagram; columns A, B, C, D. What may fail there is a need here. */
static const struct {
	const char *action;
	int asked;
	struct {
		bool allowed;
		int to, needs;
	} cell[4];
} diagram[] = {
	{ "createAndGo", 4, { ACTIVE(COMPLETE), NO, NO, NO } },
	{ "createAndWait", 5, { IDLE(NOTHING), NO, NO, NO } },
	{ "active", 1, { NO, ACTIVE(COMPLETE), ACTIVE(COMPLETE), ACTIVE(COMPLETE) } },
	{ "notInService", 2, { NO, IDLE(COMPLETE), IDLE(NOTHING), IDLE(UNREFERENCED) } },
	{ "destroy", 6, { ABSENT(NOTHING), ABSENT(NOTHING), ABSENT(NOTHING),
			  ABSENT(UNREFERENCED) } },
	{ "another column", 0, { NO, IDLE(NOTHING), IDLE(NOTHING), ACTIVE(COMPLETE) } },
};

START_TEST(test_every_cell_of_the_diagram)
{
	for (size_t i = 0; i < sizeof(diagram) / sizeof(diagram[0]); i++) {
		for (int state = A; state <= D; state++) {
			enum mib_err err = MIB_OK;
			const char *why = NULL;
			const struct mib_rs_rule *r = mib_rs_find(state, diagram[i].asked, &err, &why);

			ck_assert_msg((r != NULL) == diagram[i].cell[state].allowed, "%s in %d",
				      diagram[i].action, state);
			if (r == NULL) {
				ck_assert_ptr_nonnull(why);
				continue;
			}
			ck_assert_msg((int)r->to == diagram[i].cell[state].to, "%s in %d",
				      diagram[i].action, state);
			ck_assert_msg((int)r->needs == diagram[i].cell[state].needs, "%s in %d",
				      diagram[i].action, state);
		}
	}
}
END_TEST

START_TEST(test_refusals_have_the_errors_of_the_notes)
{
	enum mib_err err;
	const char *why;

	ck_assert_ptr_null(mib_rs_find(A, 0, &err, &why));
	ck_assert_int_eq(err, MIB_INCONSISTENT_NAME);
	ck_assert_ptr_null(mib_rs_find(A, MIB_RS_ACTIVE, &err, &why));
	ck_assert_int_eq(err, MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_null(mib_rs_find(D, MIB_RS_CREATE_AND_WAIT, &err, &why));
	ck_assert_int_eq(err, MIB_INCONSISTENT_VALUE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rowstatus");
	TCase *tc = tcase_create("rowstatus");

	tcase_add_test(tc, test_every_cell_of_the_diagram);
	tcase_add_test(tc, test_refusals_have_the_errors_of_the_notes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
