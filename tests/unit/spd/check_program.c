/* Tests of spd/program.c: what an entry with several actions comes to. */
#include <check.h>
#include <string.h>

#include "ipsp/program.h"

/*
 * A program in letters: D discard, B bypass, F fails, a..h protect by an SA of that letter; A( ) all,
 * S( ) until success, U( ) until failure.
 */
static uint32_t assemble(const char *text, struct ipsp_step *steps)
{
	uint32_t open[64], depth = 0, n = 0;

	for (const char *p = text; *p; p++) {
		struct ipsp_step *s = &steps[n];

		if (*p == ')') {
			ck_assert_uint_gt(depth, 0);
			steps[open[--depth]].end = (uint16_t)n;
			continue;
		}
		if (*p == '(' || *p == ' ')
			continue;
		ck_assert_uint_lt(n, IPSP_STEPS_MAX);
		*s = (struct ipsp_step){ .action_id = 100 + n };
		switch (*p) {
		case 'D':
			s->kind = IPSP_STEP_DISCARD;
			break;
		case 'B':
			s->kind = IPSP_STEP_BYPASS;
			break;
		case 'F':
			s->kind = IPSP_STEP_FAIL;
			break;
		case 'A':
			s->kind = IPSP_STEP_ALL;
			break;
		case 'S':
			s->kind = IPSP_STEP_UNTIL_SUCCESS;
			break;
		case 'U':
			s->kind = IPSP_STEP_UNTIL_FAILURE;
			break;
		default:
			s->kind = IPSP_STEP_PROTECT;
			s->sa_id = (uint64_t)*p;
			break;
		}
		if (p[1] == '(')
			open[depth++] = n;
		n++;
	}
	ck_assert_uint_eq(depth, 0);
	return n;
}

/* arg: the letters of the SAs that are usable. */
static bool usable(void *arg, uint64_t sa_id)
{
	return strchr((const char *)arg, (int)sa_id) != NULL;
}

/* D, B, the letter of an SA, or "!" when the program failed; then the steps that ran. */
static const struct {
	const char *name, *program, *usable, *outcome, *ran;
} cases[] = {
	{ "the first SA that works decides", "S(abB)", "ab", "a", "a" },
	{ "the second takes over", "S(abB)", "b", "b", "b" },
	{ "the last resort, if policy has one", "S(abB)", "", "B", "B" },
	{ "without a last resort it fails", "S(ab)", "", "!", "" },
	{ "what stands behind a success is not run", "S(BDa)", "a", "B", "B" },
	{ "a failing action is passed over", "S(FFa)", "a", "a", "a" },
	{ "empty: fails", "S()", "", "!", "" },
	{ "empty, of all: fails", "A()", "", "!", "" },
	{ "empty, until failure: fails", "U()", "", "!", "" },
	{ "all run, a drop is strictest", "A(BaD)", "a", "D", "BaD" },
	{ "all run, an SA is stricter than accept", "A(BaB)", "a", "a", "BaB" },
	{ "all run, the first of several SAs", "A(ab)", "ab", "a", "ab" },
	{ "all run, the first that works", "A(ab)", "b", "b", "b" },
	{ "all run, an SA that does not work never means clear", "A(aB)", "", "!", "B" },
	{ "all run, nor does a failed action before it", "A(FB)", "", "!", "B" },
	{ "all run, accept alone accepts", "A(BB)", "", "B", "BB" },
	{ "until failure, none fails: the strictest", "U(Bab)", "ab", "a", "Bab" },
	{ "until failure, one fails", "U(BaB)", "", "!", "B" },
	{ "until failure, what stands behind it is not run", "U(aFD)", "a", "!", "a" },
	{ "a negotiation, then its SA: the IKE example", "U(FF)", "", "!", "" },
	{ "nested: the inner one failed", "S(U(aF)b)", "ab", "b", "ab" },
	{ "nested: the inner one succeeded", "S(U(ab)B)", "ab", "a", "ab" },
	{ "nested: all succeeds whatever is in it", "U(A(F)a)", "a", "a", "a" },
	{ "nested: what failed in it still forbids accept", "U(A(F)B)", "", "!", "B" },
	{ "nested: an empty one fails", "S(A()B)", "", "B", "B" },
	{ "nested: an empty one ends until failure", "U(S()B)", "", "!", "" },
	{ "a drop is not undone by what comes after it", "S(U(DF)B)", "", "D", "DB" },
	{ "a drop is not undone by an SA either", "A(U(DF)a)", "a", "D", "Da" },
	{ "deep", "S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(a)))))))))))))))))", "a", "a", "a" },
};

static char letter_of(const struct ipsp_step *s)
{
	return s->kind == IPSP_STEP_DISCARD ? 'D' : s->kind == IPSP_STEP_BYPASS ? 'B' :
	       s->kind == IPSP_STEP_FAIL ? 'F' : (char)s->sa_id;
}

START_TEST(test_a_program_comes_to_what_its_strategies_say)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	const uint32_t n = assemble(cases[_i].program, steps);
	char got[2] = "", ran[IPSP_STEPS_MAX + 1];
	struct ipsp_outcome o;
	size_t n_ran = 0;

	ck_assert_msg(ipsp_steps_valid(steps, n), "%s", cases[_i].name);
	ipsp_steps_run(steps, usable, (void *)(uintptr_t)cases[_i].usable, &o);
	got[0] = o.failed ? '!' : o.action == IPSP_DISCARD ? 'D' :
		 o.action == IPSP_BYPASS ? 'B' : (char)o.sa_id;
	ck_assert_msg(strcmp(got, cases[_i].outcome) == 0, "%s: %s", cases[_i].name, got);
	if (o.failed)
		ck_assert_uint_eq(o.action, IPSP_DISCARD);
	else
		ck_assert_int_eq(letter_of(&steps[o.step]), got[0]);
	for (uint32_t i = 0; i < n; i++)
		if (ipsp_step_ran(&o, i))
			ran[n_ran++] = letter_of(&steps[i]);
	ran[n_ran] = '\0';
	ck_assert_msg(strcmp(ran, cases[_i].ran) == 0, "%s: ran %s", cases[_i].name, ran);
}
END_TEST

/* One field of S(aA(B)D) set to what makes it no program. */
static const struct {
	const char *name;
	uint32_t at;
	struct ipsp_step step;
} invalid[] = {
	{ "begins with an action", 0, { .kind = IPSP_STEP_BYPASS } },
	{ "ends before its end", 0, { .kind = IPSP_STEP_ALL, .end = 4 } },
	{ "ends behind its end", 0, { .kind = IPSP_STEP_ALL, .end = 6 } },
	{ "has a part that ends behind it", 2, { .kind = IPSP_STEP_ALL, .end = 6 } },
	{ "has a part that ends at its beginning", 2, { .kind = IPSP_STEP_ALL, .end = 2 } },
	{ "has a part that ends before its beginning", 2, { .kind = IPSP_STEP_ALL, .end = 1 } },
	{ "has an unknown step", 1, { .kind = IPSP_STEP_UNTIL_FAILURE + 1 } },
	{ "has an action with an end", 3, { .kind = IPSP_STEP_BYPASS, .end = 4 } },
	{ "has an accept with an SA", 3, { .kind = IPSP_STEP_BYPASS, .sa_id = 1 } },
	{ "has a drop that decides about SAs", 4, { .kind = IPSP_STEP_DISCARD, .may_decide = true } },
	{ "has a compound that logs", 2, { .kind = IPSP_STEP_ALL, .end = 4, .log = true } },
};

START_TEST(test_what_is_no_program_is_refused)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	const uint32_t n = assemble("S(aA(B)D)", steps);

	ck_assert(ipsp_steps_valid(steps, n));
	ck_assert(!ipsp_steps_valid(steps, 0));
	ck_assert(!ipsp_steps_valid(steps, n - 1));
	steps[invalid[_i].at] = invalid[_i].step;
	ck_assert_msg(!ipsp_steps_valid(steps, n), "%s", invalid[_i].name);
}
END_TEST

START_TEST(test_a_part_that_overlaps_the_end_of_another_is_refused)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	const uint32_t n = assemble("S(A(S(B)B)B)", steps);

	steps[2].end = (uint16_t)(steps[1].end + 1);
	ck_assert(!ipsp_steps_valid(steps, n));
}
END_TEST

START_TEST(test_nesting_deeper_than_the_stack_is_refused)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	const uint32_t n = assemble("S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(S(a))))))))))))))))))", steps);

	ck_assert(!ipsp_steps_valid(steps, n));
}
END_TEST

START_TEST(test_a_program_as_long_as_allowed_runs_to_its_end)
{
	struct ipsp_step steps[IPSP_STEPS_MAX + 1] = { 0 };
	struct ipsp_outcome o;

	steps[0] = (struct ipsp_step){ .kind = IPSP_STEP_UNTIL_SUCCESS, .end = IPSP_STEPS_MAX };
	for (uint32_t i = 1; i + 1 < IPSP_STEPS_MAX; i++)
		steps[i].kind = IPSP_STEP_FAIL;
	steps[IPSP_STEPS_MAX - 1].kind = IPSP_STEP_BYPASS;
	ck_assert(ipsp_steps_valid(steps, IPSP_STEPS_MAX));
	ipsp_steps_run(steps, usable, (void *)(uintptr_t)"", &o);
	ck_assert_uint_eq(o.action, IPSP_BYPASS);
	ck_assert_uint_eq(o.step, IPSP_STEPS_MAX - 1);
	steps[0].end++;
	ck_assert(!ipsp_steps_valid(steps, IPSP_STEPS_MAX + 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("program");
	TCase *tc = tcase_create("program");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_a_program_comes_to_what_its_strategies_say, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, test_what_is_no_program_is_refused, 0,
			    sizeof(invalid) / sizeof(invalid[0]));
	tcase_add_test(tc, test_a_part_that_overlaps_the_end_of_another_is_refused);
	tcase_add_test(tc, test_nesting_deeper_than_the_stack_is_refused);
	tcase_add_test(tc, test_a_program_as_long_as_allowed_runs_to_its_end);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
