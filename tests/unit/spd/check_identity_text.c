/* tests/unit/spd/check_identity_text.c - sides of policies as text, and the selectors they make. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/identity.h"

static struct ipsp_addr addr(const char *text)
{
	struct ipsp_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	ck_assert_int_eq(inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.octets), 1);
	return a;
}

static const struct {
	const char *text, *lo, *hi;
	uint32_t port_lo, port_hi;
} good[] = {
	{ "192.168.10.1", "192.168.10.1", "192.168.10.1", 0, IPSP_PORT_NONE },
	{ "192.168.10.0/255.255.255.0", "192.168.10.0", "192.168.10.255", 0, IPSP_PORT_NONE },
	{ "192.168.10.0/24", "192.168.10.0", "192.168.10.255", 0, IPSP_PORT_NONE },
	{ "192.168.10.40-192.168.10.60", "192.168.10.40", "192.168.10.60", 0, IPSP_PORT_NONE },
	{ "any", "0.0.0.0", "255.255.255.255", 0, IPSP_PORT_NONE },
	{ "any6", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, IPSP_PORT_NONE },
	{ "192.168.10.1,1500", "192.168.10.1", "192.168.10.1", 1500, 1500 },
	{ "192.168.10.0,1500/255.255.255.0", "192.168.10.0", "192.168.10.255", 1500, 1500 },
	{ "192.168.10.0/24,1500", "192.168.10.0", "192.168.10.255", 1500, 1500 },
	{ "192.168.10.40-192.168.10.60,1500", "192.168.10.40", "192.168.10.60", 1500, 1500 },
	{ "any,65535", "0.0.0.0", "255.255.255.255", 65535, 65535 },
	{ "any6,7-9", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 7, 9 },
	{ "192.0.2.1,0", "192.0.2.1", "192.0.2.1", 0, IPSP_PORT_NONE },
	{ "192.0.2.77/0", "0.0.0.0", "255.255.255.255", 0, IPSP_PORT_NONE },
	{ "192.0.2.77/0.0.0.0", "0.0.0.0", "255.255.255.255", 0, IPSP_PORT_NONE },
	{ "192.0.2.77/32", "192.0.2.77", "192.0.2.77", 0, IPSP_PORT_NONE },
	{ "2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 0, IPSP_PORT_NONE },
	{ "2001:DB8::1-2001:db8::ff,80", "2001:db8::1", "2001:db8::ff", 80, 80 },
	{ "fe80::1", "fe80::1", "fe80::1", 0, IPSP_PORT_NONE },
	{ "::", "::", "::", 0, IPSP_PORT_NONE },
	{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0", 0, IPSP_PORT_NONE },
	{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", 0, IPSP_PORT_NONE },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1", 0, IPSP_PORT_NONE },
	{ "64:ff9b::192.0.2.0/120", "64:ff9b::192.0.2.0", "64:ff9b::192.0.2.255", 0, IPSP_PORT_NONE },
	{ "[2001:db8::1]:500", "2001:db8::1", "2001:db8::1", 500, 500 },
	{ "[2001:db8::1]", "2001:db8::1", "2001:db8::1", 0, IPSP_PORT_NONE },
};

START_TEST(test_identity_forms_mean_what_inet_pton_says_of_their_ends)
{
	struct ipsp_identity got;
	const struct ipsp_addr lo = addr(good[_i].lo), hi = addr(good[_i].hi);

	ck_assert_msg(ipsp_identity_parse(good[_i].text, &got) == IPSP_IDENTITY_OK, "%s",
		      good[_i].text);
	ck_assert_msg(ipsp_addr_cmp(&got.lo, &lo) == 0, "%s", good[_i].text);
	ck_assert_msg(ipsp_addr_cmp(&got.hi, &hi) == 0, "%s", good[_i].text);
	ck_assert_uint_eq(got.port_lo, good[_i].port_lo);
	ck_assert_uint_eq(got.port_hi, good[_i].port_hi);
}
END_TEST

static const struct {
	const char *text;
	enum ipsp_identity_fault fault;
} bad[] = {
	{ "", IPSP_IDENTITY_FORM },
	{ "host.example", IPSP_IDENTITY_FORM },
	{ "any4", IPSP_IDENTITY_FORM },
	{ "192.0.2", IPSP_IDENTITY_FORM },
	{ "192.0.2.256", IPSP_IDENTITY_FORM },
	{ "192.0.2.01", IPSP_IDENTITY_FORM },
	{ "192.0.2.1.1", IPSP_IDENTITY_FORM },
	{ "192.0.2.1 ", IPSP_IDENTITY_FORM },
	{ "2001:db8:::1", IPSP_IDENTITY_FORM },
	{ "2001::db8::1", IPSP_IDENTITY_FORM },
	{ "1:2:3:4:5:6:7", IPSP_IDENTITY_FORM },
	{ "1:2:3:4:5:6:7:8:9", IPSP_IDENTITY_FORM },
	{ "1:2:3:4:5:6:7::8", IPSP_IDENTITY_FORM },
	{ "1:2:3:4:5:6:7:", IPSP_IDENTITY_FORM },
	{ ":1:2:3:4:5:6:7", IPSP_IDENTITY_FORM },
	{ "12345::", IPSP_IDENTITY_FORM },
	{ "::192.0.2.1:5", IPSP_IDENTITY_FORM },
	{ "[192.0.2.1]:5", IPSP_IDENTITY_FORM },
	{ "[2001:db8::1", IPSP_IDENTITY_FORM },
	{ "192.0.2.1/24/25", IPSP_IDENTITY_RANGE },
	{ "192.0.2.60-192.0.2.40", IPSP_IDENTITY_RANGE },
	{ "192.0.2.1-2001:db8::1", IPSP_IDENTITY_RANGE },
	{ "192.0.2.0/33", IPSP_IDENTITY_RANGE },
	{ "2001:db8::/129", IPSP_IDENTITY_RANGE },
	{ "192.0.2.0/255.0.255.0", IPSP_IDENTITY_RANGE },
	{ "192.0.2.0/", IPSP_IDENTITY_RANGE },
	{ "192.0.2.1,70000", IPSP_IDENTITY_PORT },
	{ "192.0.2.1,", IPSP_IDENTITY_PORT },
	{ "192.0.2.1,9-7", IPSP_IDENTITY_PORT },
	{ "192.0.2.1,0-7", IPSP_IDENTITY_PORT },
	{ "192.0.2.1,80,81", IPSP_IDENTITY_PORT },
	{ "192.0.2.1,000080", IPSP_IDENTITY_PORT },
	{ "[2001:db8::1]500", IPSP_IDENTITY_PORT },
};

START_TEST(test_identity_faults_are_named_and_write_nothing)
{
	struct ipsp_identity got, before;

	memset(&got, 0x5a, sizeof(got));
	before = got;
	ck_assert_msg(ipsp_identity_parse(bad[_i].text, &got) == bad[_i].fault, "%s", bad[_i].text);
	ck_assert_mem_eq(&got, &before, sizeof(got));
	ck_assert_str_ne(ipsp_identity_fault_text(bad[_i].fault),
			 ipsp_identity_fault_text(IPSP_IDENTITY_OK));
}
END_TEST

START_TEST(test_identity_a_text_longer_than_any_form_is_refused)
{
	char text[400];
	struct ipsp_identity got;

	memset(text, '1', sizeof(text));
	memcpy(text + 200, ",1/", 3);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(ipsp_identity_parse(text, &got), IPSP_IDENTITY_FORM);
}
END_TEST

START_TEST(test_identity_two_sides_make_a_selector)
{
	struct ipsp_identity src, dst, other;
	struct ipsp_selector s;

	ck_assert_int_eq(ipsp_identity_parse("192.0.2.0/24", &src), IPSP_IDENTITY_OK);
	ck_assert_int_eq(ipsp_identity_parse("198.51.100.1,53", &dst), IPSP_IDENTITY_OK);
	ck_assert_int_eq(ipsp_identity_parse("any6", &other), IPSP_IDENTITY_OK);
	ck_assert_int_eq(ipsp_identity_selector(&src, &dst, 17, &s), IPSP_OK);
	ck_assert_uint_eq(s.proto_lo, 17);
	ck_assert_uint_eq(s.proto_hi, 17);
	ck_assert_uint_eq(s.sport_hi, IPSP_PORT_NONE);
	ck_assert_uint_eq(s.dport_lo, 53);
	ck_assert_uint_eq(s.dport_hi, 53);
	ck_assert_int_eq(ipsp_addr_cmp(&s.src_hi, &src.hi), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&s.dst_lo, &dst.lo), 0);
	ck_assert_int_eq(ipsp_identity_selector(&src, &other, 0, &s), IPSP_EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("identity_text");
	TCase *t = tcase_create("identity");

	tcase_add_loop_test(t, test_identity_forms_mean_what_inet_pton_says_of_their_ends, 0,
			    (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(t, test_identity_faults_are_named_and_write_nothing, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, test_identity_a_text_longer_than_any_form_is_refused);
	tcase_add_test(t, test_identity_two_sides_make_a_selector);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
