/* tests/unit/policy/check_match.c - three-valued match sets never err to the unsafe side. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "boxset.h"
#include "policy/match.h"

#define ROUNDS 200
#define POINTS 200
#define UNKNOWNS 2	/* leaves whose truth is not known, each one free to be yes or no */
#define NODES 7

enum kind { LEAF_BOX, LEAF_UNKNOWN, NODE_AND, NODE_OR };

/* An expression in postfix order: each node takes the two results before it. */
struct node {
	enum kind kind;
	bool negated;
	unsigned unknown;
	struct ipsp_selector box;
};

static size_t random_expression(struct dice *d, struct node *out)
{
	size_t n = 0, depth = 0;

	while (n < NODES || depth != 1) {
		struct node *x = &out[n++];

		x->negated = dice_roll(d, 2);
		if (depth >= 2 && (n > NODES || dice_roll(d, 2))) {
			x->kind = dice_roll(d, 2) ? NODE_AND : NODE_OR;
			depth--;
			continue;
		}
		depth++;
		x->kind = dice_roll(d, 4) == 0 ? LEAF_UNKNOWN : LEAF_BOX;
		x->unknown = dice_roll(d, UNKNOWNS);
		dice_selector(d, &x->box);
	}
	return n;
}

/* What the expression says of a packet when the unknown leaves are as `truth` has them. */
static bool evaluate(const struct node *v, size_t n, const struct packet *p, unsigned truth)
{
	bool stack[2 * NODES + 2];
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		bool r;

		if (v[i].kind == LEAF_BOX) {
			r = selector_has(&v[i].box, p);
		} else if (v[i].kind == LEAF_UNKNOWN) {
			r = truth >> v[i].unknown & 1;
		} else {
			depth -= 2;
			r = v[i].kind == NODE_AND ? stack[depth] && stack[depth + 1]
						  : stack[depth] || stack[depth + 1];
		}
		stack[depth++] = r != v[i].negated;
	}
	return stack[0];
}

static void calculate(const struct node *v, size_t n, struct pol_match *out)
{
	struct pol_match stack[2 * NODES + 2] = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		struct pol_match *top;

		if (v[i].kind == LEAF_BOX) {
			struct pol_box box;

			top = &stack[depth++];
			pol_box_from_selector(&v[i].box, &box);
			ck_assert_int_eq(pol_boxes_add(&top->may, &box, &budget), POL_CALC_OK);
		} else if (v[i].kind == LEAF_UNKNOWN) {
			top = &stack[depth++];
			ck_assert_int_eq(pol_match_unknown(top, "leaf"), POL_CALC_OK);
		} else {
			depth--;
			top = &stack[depth - 1];
			ck_assert_int_eq(v[i].kind == NODE_AND
						 ? pol_match_and(top, &stack[depth], &budget)
						 : pol_match_or(top, &stack[depth], &budget),
					 POL_CALC_OK);
			pol_match_fini(&stack[depth]);
		}
		if (v[i].negated)
			ck_assert_int_eq(pol_match_negate(top, &budget), POL_CALC_OK);
	}
	ck_assert_uint_eq(depth, 1);
	*out = stack[0];
}

START_TEST(test_bounds_hold_whatever_the_unknown_is)
{
	struct dice d = { 4807 };
	unsigned exact = 0, unsure = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct node v[4 * NODES];
		size_t n = random_expression(&d, v);
		struct pol_match m;

		calculate(v, n, &m);
		*(m.unsure ? &unsure : &exact) += 1;
		for (int j = 0; j < POINTS; j++) {
			struct packet p;
			bool may, must;

			dice_packet(&d, &p);
			may = boxes_have(&m.may, &p);
			must = boxes_have(m.unsure ? &m.must : &m.may, &p);
			for (unsigned truth = 0; truth < 1u << UNKNOWNS; truth++) {
				bool is = evaluate(v, n, &p, truth);

				ck_assert(may || !is);
				ck_assert(!must || is);
			}
		}
		pol_match_fini(&m);
	}
	ck_assert_uint_gt(exact, ROUNDS / 10);
	ck_assert_uint_gt(unsure, ROUNDS / 10);
}
END_TEST

START_TEST(test_false_and_unknown_is_false)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_match no = { 0 }, m = { 0 };

	ck_assert_int_eq(pol_match_unknown(&m, "x"), POL_CALC_OK);
	ck_assert_int_eq(pol_match_and(&m, &no, &budget), POL_CALC_OK);
	ck_assert(!m.unsure);
	ck_assert(pol_boxes_none(&m.may));
	pol_match_fini(&m);
}
END_TEST

START_TEST(test_true_or_unknown_is_true)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_match yes = { 0 }, m = { 0 };

	ck_assert_int_eq(pol_match_all(&yes), POL_CALC_OK);
	ck_assert_int_eq(pol_match_unknown(&m, "x"), POL_CALC_OK);
	ck_assert_int_eq(pol_match_or(&m, &yes, &budget), POL_CALC_OK);
	ck_assert(!m.unsure);
	ck_assert_uint_eq(m.may.n, 2);
	pol_match_fini(&m);
	pol_match_fini(&yes);
}
END_TEST

START_TEST(test_not_unknown_is_unknown)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_match m = { 0 };

	ck_assert_int_eq(pol_match_unknown(&m, "uses %s", "a time filter"), POL_CALC_OK);
	ck_assert_int_eq(pol_match_negate(&m, &budget), POL_CALC_OK);
	ck_assert(m.unsure);
	ck_assert_uint_eq(m.may.n, 2);
	ck_assert(pol_boxes_none(&m.must));
	ck_assert_str_eq(m.reason, "uses a time filter");
	pol_match_fini(&m);
}
END_TEST

START_TEST(test_what_is_too_much_for_boxes_becomes_a_predicate)
{
	struct pol_budget budget = { 1, 1 };
	struct pol_match m = { 0 };
	struct pol_match other = { 0 };

	ck_assert_int_eq(pol_match_all(&m), POL_CALC_OK);
	ck_assert_int_eq(pol_match_all(&other), POL_CALC_OK);
	ck_assert_int_eq(pol_match_and(&m, &other, &budget), POL_CALC_OK);
	ck_assert(!m.unsure);
	ck_assert(ipsp_predicate_valid(&m.pred.p));
	ck_assert_uint_eq(m.may.n, 2);
	ck_assert(pol_boxes_none(&m.must));
	pol_match_fini(&m);
	pol_match_fini(&other);
}
END_TEST

START_TEST(test_what_is_too_complex_may_match_anything)
{
	struct pol_budget budget = { 1, 1 };
	struct pol_match m = { 0 };
	struct pol_match other = { 0 };

	ck_assert_int_eq(pol_match_unknown(&m, "uses a lost row"), POL_CALC_OK);
	ck_assert_int_eq(pol_match_all(&other), POL_CALC_OK);
	ck_assert_int_eq(pol_match_and(&m, &other, &budget), POL_CALC_OK);
	ck_assert(m.unsure);
	ck_assert_uint_eq(m.may.n, 2);
	ck_assert(pol_boxes_none(&m.must));
	ck_assert(strstr(m.reason, "too complex"));
	pol_match_fini(&m);
	pol_match_fini(&other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/match");
	TCase *c = tcase_create("match");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_bounds_hold_whatever_the_unknown_is);
	tcase_add_test(c, test_false_and_unknown_is_false);
	tcase_add_test(c, test_true_or_unknown_is_true);
	tcase_add_test(c, test_not_unknown_is_unknown);
	tcase_add_test(c, test_what_is_too_complex_may_match_anything);
	tcase_add_test(c, test_what_is_too_much_for_boxes_becomes_a_predicate);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
