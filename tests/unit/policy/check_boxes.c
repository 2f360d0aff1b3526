/* tests/unit/policy/check_boxes.c - box sets against membership, point by point. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "boxset.h"

#define ROUNDS 300
#define POINTS 400

static void random_set(struct dice *d, struct pol_boxes *out, uint32_t most)
{
	struct pol_budget budget = POL_BUDGET_INIT;

	for (uint32_t n = dice_roll(d, most + 1); n > 0; n--) {
		struct ipsp_selector s;
		struct pol_box box;

		dice_selector(d, &s);
		pol_box_from_selector(&s, &box);
		ck_assert_int_eq(pol_boxes_add(out, &box, &budget), POL_CALC_OK);
	}
}

START_TEST(test_a_selector_survives_the_way_to_a_box_and_back)
{
	struct dice d = { 11 };

	for (int i = 0; i < ROUNDS; i++) {
		struct ipsp_selector s, back;
		struct pol_box box;

		dice_selector(&d, &s);
		pol_box_from_selector(&s, &box);
		pol_box_to_selector(&box, &back);
		ck_assert(back.family == s.family && back.proto_lo == s.proto_lo &&
			  back.proto_hi == s.proto_hi && back.dscp_lo == s.dscp_lo &&
			  back.dscp_hi == s.dscp_hi && back.flow_lo == s.flow_lo &&
			  back.flow_hi == s.flow_hi && back.sport_lo == s.sport_lo &&
			  back.sport_hi == s.sport_hi && back.dport_lo == s.dport_lo &&
			  back.dport_hi == s.dport_hi);
		ck_assert(ipsp_addr_cmp(&back.src_lo, &s.src_lo) == 0 &&
			  ipsp_addr_cmp(&back.src_hi, &s.src_hi) == 0 &&
			  ipsp_addr_cmp(&back.dst_lo, &s.dst_lo) == 0 &&
			  ipsp_addr_cmp(&back.dst_hi, &s.dst_hi) == 0);
	}
}
END_TEST

START_TEST(test_operations_agree_with_membership)
{
	struct dice d = { 4301 };

	for (int i = 0; i < ROUNDS; i++) {
		struct pol_boxes a = { 0 }, b = { 0 }, either = { 0 }, both = { 0 }, not_a = { 0 };
		struct pol_budget budget = POL_BUDGET_INIT;

		random_set(&d, &a, 3);
		random_set(&d, &b, 3);
		ck_assert_int_eq(pol_boxes_union(&a, &b, &either, &budget), POL_CALC_OK);
		ck_assert_int_eq(pol_boxes_intersect(&a, &b, &both, &budget), POL_CALC_OK);
		ck_assert_int_eq(pol_boxes_complement(&a, &not_a, &budget), POL_CALC_OK);
		for (int j = 0; j < POINTS; j++) {
			struct packet p;
			bool in_a, in_b;

			dice_packet(&d, &p);
			in_a = boxes_have(&a, &p);
			in_b = boxes_have(&b, &p);
			ck_assert_int_eq(boxes_have(&either, &p), in_a || in_b);
			ck_assert_int_eq(boxes_have(&both, &p), in_a && in_b);
			ck_assert_int_eq(boxes_have(&not_a, &p), !in_a);
		}
		pol_boxes_fini(&a);
		pol_boxes_fini(&b);
		pol_boxes_fini(&either);
		pol_boxes_fini(&both);
		pol_boxes_fini(&not_a);
	}
}
END_TEST

START_TEST(test_every_box_is_a_valid_selector)
{
	struct dice d = { 77 };

	for (int i = 0; i < ROUNDS; i++) {
		struct pol_boxes a = { 0 }, not_a = { 0 };
		struct pol_budget budget = POL_BUDGET_INIT;

		random_set(&d, &a, 3);
		ck_assert_int_eq(pol_boxes_complement(&a, &not_a, &budget), POL_CALC_OK);
		for (size_t j = 0; j < not_a.n; j++) {
			struct ipsp_selector s;

			pol_box_to_selector(&not_a.v[j], &s);
			ck_assert(ipsp_selector_valid(&s));
		}
		pol_boxes_fini(&a);
		pol_boxes_fini(&not_a);
	}
}
END_TEST

START_TEST(test_a_complement_has_at_most_two_boxes_a_dimension)
{
	struct dice d = { 5 };

	for (int i = 0; i < ROUNDS; i++) {
		struct pol_boxes a = { 0 }, not_a = { 0 };
		struct pol_budget budget = POL_BUDGET_INIT;
		struct ipsp_selector s;
		struct pol_box box;

		dice_selector(&d, &s);
		pol_box_from_selector(&s, &box);
		ck_assert_int_eq(pol_boxes_add(&a, &box, &budget), POL_CALC_OK);
		ck_assert_int_eq(pol_boxes_complement(&a, &not_a, &budget), POL_CALC_OK);
		/* The other family is one box more. */
		ck_assert_uint_le(not_a.n, 2 * POL_DIMS + 1);
		pol_boxes_fini(&a);
		pol_boxes_fini(&not_a);
	}
}
END_TEST

START_TEST(test_the_complement_of_a_complement_is_the_box_itself)
{
	struct pol_boxes a = { 0 }, not_a = { 0 }, again = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;
	struct ipsp_selector s;
	struct pol_box box;

	ipsp_selector_any(6, &s);
	s.proto_lo = s.proto_hi = 17;
	s.dport_lo = s.dport_hi = 53;
	s.src_lo.octets[0] = 0x20;
	s.src_hi.octets[0] = 0x3f;
	pol_box_from_selector(&s, &box);
	ck_assert_int_eq(pol_boxes_add(&a, &box, &budget), POL_CALC_OK);
	ck_assert_int_eq(pol_boxes_complement(&a, &not_a, &budget), POL_CALC_OK);
	ck_assert_int_eq(pol_boxes_complement(&not_a, &again, &budget), POL_CALC_OK);
	ck_assert_uint_eq(again.n, 1);
	ck_assert(pol_boxes_cover(&again, &box) && pol_boxes_cover(&a, &again.v[0]));
	pol_boxes_fini(&a);
	pol_boxes_fini(&not_a);
	pol_boxes_fini(&again);
}
END_TEST

START_TEST(test_nothing_and_everything_are_each_others_complement)
{
	struct pol_boxes none = { 0 }, all = { 0 }, back = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;

	ck_assert_int_eq(pol_boxes_complement(&none, &all, &budget), POL_CALC_OK);
	ck_assert_uint_eq(all.n, 2);
	ck_assert_int_eq(pol_boxes_complement(&all, &back, &budget), POL_CALC_OK);
	ck_assert(pol_boxes_none(&back));
	pol_boxes_fini(&all);
	pol_boxes_fini(&back);
}
END_TEST

START_TEST(test_a_box_inside_another_is_not_kept)
{
	struct pol_boxes a = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;
	struct ipsp_selector s;
	struct pol_box narrow, wide;

	ipsp_selector_any(4, &s);
	pol_box_from_selector(&s, &wide);
	s.proto_lo = s.proto_hi = 6;
	pol_box_from_selector(&s, &narrow);
	ck_assert_int_eq(pol_boxes_add(&a, &narrow, &budget), POL_CALC_OK);
	ck_assert_int_eq(pol_boxes_add(&a, &wide, &budget), POL_CALC_OK);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_int_eq(pol_boxes_add(&a, &narrow, &budget), POL_CALC_OK);
	ck_assert_uint_eq(a.n, 1);
	ck_assert(pol_boxes_cover(&a, &wide));
	pol_boxes_fini(&a);
}
END_TEST

START_TEST(test_a_set_does_not_grow_over_its_bound)
{
	struct pol_boxes a = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;
	struct ipsp_selector s;
	struct pol_box box;

	ipsp_selector_any(4, &s);
	for (uint32_t i = 0; i < POL_BOXES_MAX; i++) {
		s.sport_lo = s.sport_hi = i * 2;
		pol_box_from_selector(&s, &box);
		ck_assert_int_eq(pol_boxes_add(&a, &box, &budget), POL_CALC_OK);
	}
	s.sport_lo = s.sport_hi = POL_BOXES_MAX * 2;
	pol_box_from_selector(&s, &box);
	ck_assert_int_eq(pol_boxes_add(&a, &box, &budget), POL_CALC_COMPLEX);
	ck_assert_uint_eq(a.n, POL_BOXES_MAX);
	pol_boxes_fini(&a);
}
END_TEST

START_TEST(test_a_calculation_ends_when_its_budget_does)
{
	struct pol_boxes a = { 0 }, b = { 0 }, out = { 0 };
	struct pol_budget budget = POL_BUDGET_INIT;
	struct dice d = { 3 };

	for (uint32_t i = 0; i < 100; i++) {
		struct ipsp_selector s;
		struct pol_box box;

		ipsp_selector_any(dice_roll(&d, 2) ? 4 : 6, &s);
		s.sport_lo = s.sport_hi = i * 2;
		pol_box_from_selector(&s, &box);
		ck_assert_int_eq(pol_boxes_add(i % 2 ? &a : &b, &box, &budget), POL_CALC_OK);
	}
	budget.work = 10;
	ck_assert_int_eq(pol_boxes_intersect(&a, &b, &out, &budget), POL_CALC_COMPLEX);
	ck_assert_uint_eq(budget.work, 0);
	budget.work = 10;
	ck_assert_int_eq(pol_boxes_union(&a, &b, &out, &budget), POL_CALC_COMPLEX);
	budget.work = 10;
	ck_assert_int_eq(pol_boxes_complement(&a, &out, &budget), POL_CALC_COMPLEX);
	pol_boxes_fini(&a);
	pol_boxes_fini(&b);
	pol_boxes_fini(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/boxes");
	TCase *c = tcase_create("boxes");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_a_selector_survives_the_way_to_a_box_and_back);
	tcase_add_test(c, test_operations_agree_with_membership);
	tcase_add_test(c, test_every_box_is_a_valid_selector);
	tcase_add_test(c, test_a_complement_has_at_most_two_boxes_a_dimension);
	tcase_add_test(c, test_the_complement_of_a_complement_is_the_box_itself);
	tcase_add_test(c, test_nothing_and_everything_are_each_others_complement);
	tcase_add_test(c, test_a_box_inside_another_is_not_kept);
	tcase_add_test(c, test_a_set_does_not_grow_over_its_bound);
	tcase_add_test(c, test_a_calculation_ends_when_its_budget_does);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
