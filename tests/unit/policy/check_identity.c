/* tests/unit/policy/check_identity.c - identities against what filters say: wildcards, case, prefixes, names. */
#include <check.h>
#include <string.h>

#include "policy/identity.h"

enum { IPV4 = 1, FQDN = 2, USER_FQDN = 3, DN = 9, KEY_ID = 11 };

static const struct {
	const char *name;
	uint32_t asked_type;
	const char *asked;
	uint32_t type;
	const char *value;
	bool fits;
} cases[] = {
	{ "the same", FQDN, "gw.example.com", FQDN, "gw.example.com", true },
	{ "another case", FQDN, "GW.example.COM", FQDN, "gw.Example.com", true },
	{ "another type", FQDN, "a@example.com", USER_FQDN, "a@example.com", false },
	{ "longer", FQDN, "gw.example.com", FQDN, "gw.example.com.", false },
	{ "any host", FQDN, "*.example.com", FQDN, "gw.example.com", true },
	{ "a star is no octets too", FQDN, "*gw.example.com", FQDN, "gw.example.com", true },
	{ "no host", FQDN, "*.example.com", FQDN, "example.com", false },
	{ "any user", USER_FQDN, "*@example.com", USER_FQDN, "alice@example.com", true },
	{ "of another domain", USER_FQDN, "*@example.com", USER_FQDN, "alice@example.org", false },
	{ "stars that must be gone back to", KEY_ID, "a*b*c", KEY_ID, "aXbYbZc", true },
	{ "... in vain", KEY_ID, "a*b*c", KEY_ID, "aXbYbZ", false },
	{ "only a star", KEY_ID, "*", KEY_ID, "", true },
	{ "nothing", KEY_ID, "", KEY_ID, "", true },
	{ "nothing of something", KEY_ID, "", KEY_ID, "a", false },
	{ "an address", IPV4, "192.0.2.1", IPV4, "192.0.2.1", true },
	{ "any last octet", IPV4, "192.0.2.*", IPV4, "192.0.2.77", true },
	{ "in a prefix", IPV4, "192.0.2.0/24", IPV4, "192.0.2.255", true },
	{ "outside of it", IPV4, "192.0.2.0/25", IPV4, "192.0.2.128", false },
	{ "any address", IPV4, "0.0.0.0/0", IPV4, "203.0.113.1", true },
	{ "one address", IPV4, "192.0.2.1/32", IPV4, "192.0.2.1", true },
	{ "no such length", IPV4, "192.0.2.0/33", IPV4, "192.0.2.1", false },
	{ "no address", IPV4, "192.0.2.0/24", IPV4, "192.0.2.1x", false },
	{ "a name", DN, "CN=gw, O=Example", DN, "cn=GW,o=Example", true },
	{ "one attribute free", DN, "CN=*,O=Example", DN, "CN=gw,O=Example", true },
	{ "a star stays in its attribute", DN, "CN=*", DN, "CN=gw,O=Example", false },
	{ "another order", DN, "O=Example,CN=gw", DN, "CN=gw,O=Example", false },
	{ "an attribute more", DN, "CN=gw,O=Example,C=X", DN, "CN=gw,O=Example", false },
	{ "a comma in a value", DN, "CN=a\\,b,O=*", DN, "CN=a\\,b,O=Example", true },
	{ "another attribute", DN, "OU=gw", DN, "CN=gw", false },
};

START_TEST(test_an_identity_fits)
{
	const struct ipsp_span asked = { (const uint8_t *)cases[_i].asked, strlen(cases[_i].asked) };
	const struct ipsp_span value = { (const uint8_t *)cases[_i].value, strlen(cases[_i].value) };

	ck_assert_msg(pol_identity_fits(cases[_i].asked_type, asked, cases[_i].type, value) ==
		      cases[_i].fits, "%s", cases[_i].name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/identity");
	TCase *tc = tcase_create("identity");
	int failed;
	SRunner *sr;

	tcase_add_loop_test(tc, test_an_identity_fits, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
