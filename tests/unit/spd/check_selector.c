/*
 * tests/unit/spd/check_selector.c - selector boxes as values; wiped keys; texts of errors.
 */
#include <check.h>
#include <string.h>

#include "ipsp/config.h"

START_TEST(test_the_box_of_everything_is_valid_and_restricts_no_ports)
{
	static const uint8_t families[] = { 4, 6 };
	struct ipsp_selector s;

	ipsp_selector_any(families[_i], &s);
	ck_assert(ipsp_selector_valid(&s));
	ck_assert(!ipsp_selector_has_ports(&s));
	ck_assert_uint_eq(s.sport_hi, IPSP_PORT_NONE);
	ck_assert_uint_eq(s.proto_lo, 0);
	ck_assert_uint_eq(s.proto_hi, 255);
	for (size_t i = 0; i < 16; i++) {
		ck_assert_uint_eq(s.src_lo.octets[i], 0);
		ck_assert_uint_eq(s.dst_hi.octets[i], i < ipsp_addr_size(families[_i]) ? 255 : 0);
	}
}
END_TEST

static void bad_family(struct ipsp_selector *s) { s->family = 5; }
static void bad_proto(struct ipsp_selector *s) { s->proto_lo = 7; s->proto_hi = 6; }
static void bad_dscp(struct ipsp_selector *s) { s->dscp_hi = 64; }
static void bad_dscp_order(struct ipsp_selector *s) { s->dscp_lo = 2; s->dscp_hi = 1; }
static void bad_flow(struct ipsp_selector *s) { s->flow_hi = IPSP_FLOW_MAX + 1; }
static void bad_hides(struct ipsp_selector *s) { s->hides = IPSP_HIDES_NEVER + 1; }
static void bad_sport(struct ipsp_selector *s) { s->sport_hi = IPSP_PORT_NONE + 1; }
static void bad_sport_order(struct ipsp_selector *s) { s->sport_lo = 2; s->sport_hi = 1; }
static void bad_dport(struct ipsp_selector *s) { s->dport_hi = UINT32_MAX; }
static void bad_src(struct ipsp_selector *s) { s->src_hi = s->src_lo; s->src_lo.octets[3] = 1; }
static void bad_src_family(struct ipsp_selector *s) { s->src_lo.family = 10 - s->family; }
static void bad_dst_family(struct ipsp_selector *s) { s->dst_hi.family = 0; }

static const struct {
	const char *what;
	void (*spoil)(struct ipsp_selector *s);
} spoilers[] = {
	{ "family", bad_family }, { "protocol order", bad_proto }, { "dscp", bad_dscp },
	{ "dscp order", bad_dscp_order }, { "hides", bad_hides }, { "flow label", bad_flow },
	{ "source port", bad_sport }, { "source port order", bad_sport_order }, { "destination port", bad_dport },
	{ "source order", bad_src }, { "source family", bad_src_family },
	{ "destination family", bad_dst_family },
};

START_TEST(test_boxes_that_cannot_be_are_not_valid)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct ipsp_selector s;

		ipsp_selector_any((uint8_t)family, &s);
		spoilers[_i].spoil(&s);
		ck_assert_msg(!ipsp_selector_valid(&s), "%s", spoilers[_i].what);
	}
}
END_TEST

START_TEST(test_an_ipv4_box_has_no_flow_label)
{
	struct ipsp_selector s;

	ipsp_selector_any(4, &s);
	s.flow_lo = s.flow_hi = 5;
	ck_assert(!ipsp_selector_valid(&s));
	ipsp_selector_any(6, &s);
	s.flow_lo = s.flow_hi = 5;
	ck_assert(ipsp_selector_valid(&s));
}
END_TEST

START_TEST(test_each_end_of_a_port_interval_restricts)
{
	struct ipsp_selector any, s;

	ipsp_selector_any(4, &any);
	s = any, s.sport_lo = 1;
	ck_assert(ipsp_selector_has_ports(&s));
	s = any, s.sport_hi = 65535;
	ck_assert(ipsp_selector_has_ports(&s));
	s = any, s.dport_lo = 1;
	ck_assert(ipsp_selector_has_ports(&s));
	s = any, s.dport_hi = 65535;
	ck_assert(ipsp_selector_has_ports(&s));
}
END_TEST

START_TEST(test_a_wiped_key_is_zero)
{
	static const struct ipsp_key zero;
	struct ipsp_key k;

	memset(&k, 0x5a, sizeof(k));
	ipsp_key_wipe(&k);
	ck_assert_mem_eq(&k, &zero, sizeof(k));
}
END_TEST

START_TEST(test_every_error_has_its_own_text)
{
	for (int i = IPSP_OK; i <= IPSP_EIO; i++) {
		ck_assert_ptr_nonnull(ipsp_err_text((enum ipsp_err)i));
		for (int j = IPSP_OK; j < i; j++)
			ck_assert_str_ne(ipsp_err_text((enum ipsp_err)i),
					 ipsp_err_text((enum ipsp_err)j));
	}
	ck_assert_str_eq(ipsp_err_text((enum ipsp_err)(IPSP_EIO + 1)), "unknown error");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("selector");
	TCase *tc = tcase_create("selector");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_the_box_of_everything_is_valid_and_restricts_no_ports, 0, 2);
	tcase_add_loop_test(tc, test_boxes_that_cannot_be_are_not_valid, 0,
			    sizeof(spoilers) / sizeof(spoilers[0]));
	tcase_add_test(tc, test_an_ipv4_box_has_no_flow_label);
	tcase_add_test(tc, test_each_end_of_a_port_interval_restricts);
	tcase_add_test(tc, test_a_wiped_key_is_zero);
	tcase_add_test(tc, test_every_error_has_its_own_text);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
