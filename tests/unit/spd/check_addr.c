/*
 * tests/unit/spd/check_addr.c - addresses: order, prefixes, text.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/types.h"

/* The C library reads; we print and compare. */
static struct ipsp_addr addr(const char *text)
{
	struct ipsp_addr a = { 0 };

	if (!strcmp(text, "any"))
		return a;
	a.family = strchr(text, ':') ? 6 : 4;
	ck_assert_int_eq(inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.octets), 1);
	return a;
}

START_TEST(test_addresses_order_by_family_then_as_numbers)
{
	static const char *const rising[] = {
		"any", "0.0.0.0", "9.255.255.255", "10.0.0.0", "128.0.0.1", "255.255.255.255",
		"::", "::1", "2001:db8::", "2001:db8::ffff", "ff02::1",
	};
	const int n = sizeof(rising) / sizeof(rising[0]);

	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			struct ipsp_addr a = addr(rising[i]), b = addr(rising[j]);

			ck_assert_msg(ipsp_addr_cmp(&a, &b) == (i > j) - (i < j), "%s %s",
				      rising[i], rising[j]);
		}
	}
}
END_TEST

static const struct {
	const char *addr;
	unsigned prefix_len;
	const char *lo, *hi;
} prefixes[] = {
	{ "192.0.2.77", 32, "192.0.2.77", "192.0.2.77" },
	{ "192.0.2.77", 25, "192.0.2.0", "192.0.2.127" },
	{ "192.0.2.77", 20, "192.0.0.0", "192.0.15.255" },
	{ "192.0.2.77", 1, "128.0.0.0", "255.255.255.255" },
	{ "192.0.2.77", 0, "0.0.0.0", "255.255.255.255" },
	{ "2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6" },
	{ "2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff" },
	{ "2001:db8:1:2:3:4:5:6", 33, "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff" },
	{ "2001:db8::", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

START_TEST(test_prefixes_have_their_first_and_last_address)
{
	struct ipsp_addr a = addr(prefixes[_i].addr), lo, hi;
	struct ipsp_addr want_lo = addr(prefixes[_i].lo), want_hi = addr(prefixes[_i].hi);

	ck_assert_int_eq(ipsp_addr_prefix(&a, prefixes[_i].prefix_len, &lo, &hi), IPSP_OK);
	ck_assert_mem_eq(&lo, &want_lo, sizeof(lo));
	ck_assert_mem_eq(&hi, &want_hi, sizeof(hi));
}
END_TEST

START_TEST(test_prefixes_longer_than_the_address_are_refused)
{
	struct ipsp_addr a4 = addr("192.0.2.1"), a6 = addr("::1"), none = { 0 };
	struct ipsp_addr lo = addr("::2"), hi = addr("::3"), was_lo = lo, was_hi = hi;

	ck_assert_int_eq(ipsp_addr_prefix(&a4, 33, &lo, &hi), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_addr_prefix(&a6, 129, &lo, &hi), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_addr_prefix(&none, 0, &lo, &hi), IPSP_EINVAL);
	ck_assert_mem_eq(&lo, &was_lo, sizeof(lo));
	ck_assert_mem_eq(&hi, &was_hi, sizeof(hi));
}
END_TEST

/* What RFC 5952 prints for each: its own examples in 4 and 5, and edges of the zero run. */
static const char *const printed[] = {
	"any", "0.0.0.0", "192.0.2.1", "255.255.255.255",
	"::", "::1", "1::", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1",
	"2001:db8::1:0:0:1", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1", "::ffff:192.0.2.128",
	"::ffff:0.0.0.0", "0:1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0", "1:2:3:4:5:6::",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::a:b:c:d",
};

START_TEST(test_addresses_print_as_rfc_5952_says)
{
	struct ipsp_addr a = addr(printed[_i]);
	char buf[IPSP_ADDR_TEXT];

	ck_assert_str_eq(ipsp_addr_print(&a, buf), printed[_i]);
}
END_TEST

START_TEST(test_printed_addresses_read_back_the_same)
{
	char buf[IPSP_ADDR_TEXT];

	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct ipsp_addr a = { .family = i & 1 ? 4 : 6 }, back;

		for (size_t j = 0; j < ipsp_addr_size(a.family); j++)
			a.octets[j] = rand() % 3 ? 0 : (uint8_t)rand();
		back = addr(ipsp_addr_print(&a, buf));
		ck_assert_msg(!ipsp_addr_cmp(&a, &back), "%s", buf);
		ck_assert_uint_lt(strlen(buf), IPSP_ADDR_TEXT);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, test_addresses_order_by_family_then_as_numbers);
	tcase_add_loop_test(tc, test_prefixes_have_their_first_and_last_address, 0,
			    sizeof(prefixes) / sizeof(prefixes[0]));
	tcase_add_test(tc, test_prefixes_longer_than_the_address_are_refused);
	tcase_add_loop_test(tc, test_addresses_print_as_rfc_5952_says, 0,
			    sizeof(printed) / sizeof(printed[0]));
	tcase_add_test(tc, test_printed_addresses_read_back_the_same);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
