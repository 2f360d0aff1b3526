/*
 * tests/unit/policy/check_lost.c - rows that are lost keep their places: what they might
 * have protected is discarded, never handed on to a later rule.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "rowtext.h"

/* A key, an SA and a filter for TCP. */
#define SA(storage) \
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n" \
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n" \
	"+ pre p,2 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k " storage "\n"
#define TCP "+ clfr 6 AddrType=ipv4 Protocol=6\n"
#define UDP "+ clfr 17 AddrType=ipv4 Protocol=17\n"
#define VOLATILE_TCP "+ clfr 6 AddrType=ipv4 Protocol=6 Storage=volatile\n"
#define VOLATILE_UDP "+ clfr 17 AddrType=ipv4 Protocol=17 Storage=volatile\n"
#define IS_TCP "Filter=diffServMultiFieldClfrAddrType.6 "
#define IS_UDP "Filter=diffServMultiFieldClfrAddrType.17 "
#define IS_OR_AND "Filter=spdCompFiltDescription.\"f\" "
#define PROTECT "Action=ipsaSaPreActActionDescription.\"p\",2 "
#define ACCEPT "Action=spdAcceptAction.0 "

/* At priority 1000, everything may pass. */
#define PASS "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n" \
	"+ contents g,1000 ComponentName=pass\n+ endpoint 2,2 Name=g"

/* Verdicts: P protect, B bypass, D discard; of telnet, http, dns (UDP), ping6. */
static const struct {
	const char *name;
	const char *rows;
	const char *before;
	struct loss loss;
	const char *after;
	const char *told[3];	/* table and index of a row, and why it is not in force */
} cases[] = {
	{ "the key of a rule's SA",
	  SA("") TCP "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { "cred", "k", "Credential" }, "DDBB",
	  { "rule", "r", "what it refers to is not active" } },
	{ "the contents row of that rule",
	  SA("") TCP "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { "cred", "k", "Credential" }, "DDBB",
	  { "contents", "g,10", "is lost" } },
	{ "a volatile SA", SA("StorageType=volatile") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { 0 }, "DDBB", { "rule", "r", "does not exist" } },
	{ "a negated filter is still known", SA("StorageType=volatile") TCP
	  "+ rule r " IS_TCP "FilterNegated=true " PROTECT "\n+ contents g,10 ComponentName=r\n"
	  PASS, "BBPP", { 0 }, "BBDD", { "rule", "r", "does not exist" } },
	{ "a volatile filter", SA("") VOLATILE_TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { 0 }, "DDDD", { "rule", "r", "does not exist" } },
	{ "a volatile filter, behind a guard that is known", SA("") VOLATILE_TCP UDP
	  "+ filter f LogicType=or\n+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.17\n"
	  "+ rule r " IS_TCP PROTECT "\n"
	  "+ contents g,10 ComponentName=r " IS_OR_AND "\n" PASS,
	  "BBBB", { 0 }, "BBDB", { "contents", "g,10", "is lost" } },
	{ "a volatile guard before a filter that is known", SA("") TCP VOLATILE_UDP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r " IS_UDP "\n" PASS,
	  "BBBB", { 0 }, "DDBB", { "rule", "r", "which is lost" } },
	{ "a volatile rule", SA("")
	  "+ rule r Filter=spdTrueFilter.0 " PROTECT "StorageType=volatile\n"
	  "+ contents g,10 ComponentName=r\n" PASS,
	  "PPPP", { 0 }, "DDDD", { "contents", "g,10", "is lost" } },
	{ "a rule that accepts is not run either", TCP
	  "+ action a StorageType=volatile\n+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	  "+ rule r " IS_TCP "Action=spdCompActExecutionStrategy.\"a\"\n"
	  "+ contents g,10 ComponentName=r\n" PASS,
	  "BBBB", { 0 }, "DDBB", { "rule", "r", "is lost" } },
	{ "a disabled rule protects nothing", SA("StorageType=volatile") TCP
	  "+ rule r " IS_TCP PROTECT "AdminStatus=disabled\n+ contents g,10 ComponentName=r\n" PASS,
	  "BBBB", { 0 }, "BBBB", { "contents", "g,10", "is lost" } },
	{ "a rule's own value", SA("") TCP
	  "+ rule r " IS_TCP "FilterNegated=true " PROTECT "\n+ contents g,10 ComponentName=r\n"
	  PASS, "BBPP", { "rule", "r", "FilterNegated" }, "DDDD",
	  { "rule", "r", "lost values at start" } },
	{ "a rule that may have been disabled", SA("") TCP
	  "+ rule r " IS_TCP PROTECT "AdminStatus=enabled\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { "rule", "r", "AdminStatus" }, "DDDD",
	  { "contents", "g,10", "is lost" } },
	{ "a contents row's own value", SA("") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r " IS_TCP "\n" PASS,
	  "PPBB", { "contents", "g,10", "ComponentName" }, "DDDD",
	  { "contents", "g,10", "lost values at start" } },
	{ "a classifier's own value", SA("") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { "clfr", "6", "Protocol" }, "DDDD", { "rule", "r", "not active" } },

	{ "the only rule of a nested group", SA("StorageType=volatile") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents inner,1 ComponentName=r\n"
	  "+ contents g,10 ComponentType=group ComponentName=inner\n" PASS,
	  "PPBB", { 0 }, "DDBB", { "contents", "inner,1", "is lost" } },
	{ "one of two rules of a nested group", SA("StorageType=volatile") TCP UDP
	  "+ rule r " IS_TCP PROTECT "\n+ rule udp " IS_UDP "Action=spdDropAction.0\n"
	  "+ contents inner,1 ComponentName=r\n+ contents inner,2 ComponentName=udp\n"
	  "+ contents g,10 ComponentType=group ComponentName=inner\n" PASS,
	  "PPDB", { 0 }, "DDDB", { "rule", "r", "is lost" } },
	{ "a nested group that is volatile", SA("") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents inner,1 ComponentName=r StorageType=volatile\n"
	  "+ contents g,10 ComponentType=group ComponentName=inner\n" PASS,
	  "PPBB", { 0 }, "DDDD", { "contents", "g,10", "is lost" } },

	{ "a member of an or", SA("") TCP VOLATILE_UDP
	  "+ filter f LogicType=or\n+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.6\n"
	  "+ subfilter f,2 Subfilter=diffServMultiFieldClfrAddrType.17\n"
	  "+ rule r " IS_OR_AND PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPPB", { 0 }, "DDDD", { "rule", "r", "spdSubfiltersTable.\"f\",2, which is lost" } },
	{ "a member of an and", SA("") TCP VOLATILE_UDP
	  "+ filter f LogicType=and\n+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.6\n"
	  "+ subfilter f,2 Subfilter=diffServMultiFieldClfrAddrType.17 SubfilterIsNegated=true\n"
	  "+ rule r " IS_OR_AND PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { 0 }, "DDBB", { "rule", "r", "which is lost" } },
	{ "a member of an or that is negated, of a rule that accepts", TCP VOLATILE_UDP
	  "+ filter f LogicType=or\n+ subfilter f,1 Subfilter=diffServMultiFieldClfrAddrType.6\n"
	  "+ subfilter f,2 Subfilter=diffServMultiFieldClfrAddrType.17\n"
	  "+ rule r " IS_OR_AND "FilterNegated=true " ACCEPT "\n"
	  "+ contents g,10 ComponentName=r\n" PASS,
	  "BBBB", { 0 }, "BBDD", { "rule", "r", "which is lost" } },
	{ "a subaction beside one that accepts", SA("StorageType=volatile") TCP
	  "+ action a ExecutionStrategy=doAll\n"
	  "+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	  "+ subaction a,2 SubActionName=ipsaSaPreActActionDescription.\"p\",2\n"
	  "+ rule r " IS_TCP "Action=spdCompActExecutionStrategy.\"a\"\n"
	  "+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { 0 }, "DDBB", { "rule", "r", "spdSubactionsTable.\"a\",2, which is lost" } },
	{ "the peer that comes first",
	  "+ cred c Type=x509 Credential=0x30023000 AdminStatus=enabled StorageType=volatile\n"
	  "+ peer gw,1 Type=1 AddressType=ipv4 Address=192.0.2.1 CredentialName=c\n"
	  "+ peer gw,2 Type=1 AddressType=ipv4 Address=192.0.2.2\n"
	  SA("PeerGatewayIdName=gw") TCP
	  "+ rule r " IS_TCP PROTECT "\n+ contents g,10 ComponentName=r\n" PASS,
	  "PPBB", { 0 }, "DDBB", { "rule", "r", "not active" } },

	{ "all of a group, and so the endpoint", TCP
	  "+ rule r " IS_TCP "Action=spdDropAction.0 StorageType=volatile\n"
	  "+ contents g,10 ComponentName=r\n+ endpoint 2,2 Name=g\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents h,1 ComponentName=pass\n= groups 0 spdEgressPolicyGroupName=h",
	  "DDDD", { 0 }, "DDDD", { "endpoint", "2,2", "is lost" } },
	{ "the endpoint and the closure with it",
	  "+ rule r Filter=spdTrueFilter.0 " ACCEPT "StorageType=volatile\n"
	  "+ contents g,10 ComponentName=r\n+ endpoint 2,2 Name=g",
	  "BBBB", { "closure", "2,2", "Release" }, "DDDD",
	  { "endpoint", "2,2", "is lost" } },
	{ "an endpoint's own value", PASS, "BBBB", { "endpoint", "2,2", "Name" }, "DDDD",
	  { "endpoint", "2,2", "lost values at start" } },
};

static void verdicts(struct mib_store *s, char out[5])
{
	const struct packet packets[] = {
		packet("10.1.0.1", "10.2.0.1", 6, 40000, 23),
		packet("10.1.0.1", "10.2.0.1", 6, 40000, 80),
		packet("10.1.0.1", "10.2.0.1", 17, 40000, 53),
		packet("2001:db8::1", "2001:db8::2", 58, IPSP_PORT_NONE, IPSP_PORT_NONE),
	};
	struct pol_generation *g = compile(s);

	for (size_t i = 0; i < 4; i++) {
		const int action = verdict(list_of(g, 2, IPSP_OUTBOUND), &packets[i]);

		out[i] = action == IPSP_PROTECT ? 'P' : action == IPSP_BYPASS ? 'B' : 'D';
	}
	out[4] = '\0';
	pol_generation_free(g);
}

static void expect(struct mib_store *s, const char *name, const char *expected)
{
	char got[5];

	verdicts(s, got);
	ck_assert_msg(strcmp(got, expected) == 0, "%s: %s, not %s", name, got, expected);
}

START_TEST(test_what_a_lost_row_might_match_is_discarded_at_its_place)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	const char *problem;

	rows_put(s, cases[_i].rows);
	expect(s, cases[_i].name, cases[_i].before);
	s = store_restart(s, &cases[_i].loss);
	expect(s, cases[_i].name, cases[_i].after);
	g = compile(s);
	problem = problem_of(s, g, cases[_i].told[0], cases[_i].told[1]);
	ck_assert_msg(strstr(problem, cases[_i].told[2]) != NULL, "%s: \"%s\"", cases[_i].name,
		      problem);
	pol_generation_free(g);
	/* It does not wear off. */
	s = store_restart(s, NULL);
	expect(s, cases[_i].name, cases[_i].after);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_restart_that_loses_nothing_changes_nothing)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_store *s = store_new();

		if (strstr(cases[i].rows, "volatile") == NULL) {
			rows_put(s, cases[i].rows);
			s = store_restart(s, NULL);
			expect(s, cases[i].name, cases[i].before);
		}
		mib_store_free(s);
	}
}
END_TEST

/* Step by step back into force; until the last step, nothing passes that did not before. */
START_TEST(test_a_lost_group_is_in_force_again_when_a_manager_says_so)
{
	struct mib_store *s = store_new();

	rows_put(s, VOLATILE_TCP "+ rule r " IS_TCP ACCEPT "\n+ contents inner,1 ComponentName=r\n"
		 "+ contents g,10 ComponentType=group ComponentName=inner\n" PASS);
	s = store_restart(s, NULL);
	expect(s, "lost", "DDDD");
	rows_put(s, TCP);
	expect(s, "the filter is back", "DDBB");
	rows_put(s, "= rule r RowStatus=active");
	expect(s, "the rule is back", "DDBB");
	rows_put(s, "= contents inner,1 RowStatus=active");
	expect(s, "the inner group is back", "DDBB");
	rows_put(s, "= contents g,10 RowStatus=active");
	expect(s, "the outer group is back", "BBBB");
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_lost_row_that_a_manager_takes_out_is_passed_over)
{
	struct mib_store *s = store_new();

	rows_put(s, SA("") VOLATILE_TCP "+ rule r " IS_TCP PROTECT "\n"
		 "+ contents g,10 ComponentName=r\n" PASS);
	s = store_restart(s, NULL);
	expect(s, "lost", "DDDD");
	rows_put(s, "= contents g,10 Filter=spdTrueFilter.0");
	expect(s, "another column", "DDDD");
	rows_put(s, "- contents g,10");
	expect(s, "destroyed", "BBBB");
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_lost_endpoint_keeps_its_interface_closed)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, "+ rule r Filter=spdTrueFilter.0 Action=spdAcceptAction.0 StorageType=volatile\n"
		 "+ contents g,10 ComponentName=r\n+ endpoint 2,2 Name=g");
	s = store_restart(s, NULL);
	expect(s, "lost", "DDDD");
	ck_assert_int_eq(rows_try(s, "= closure 2,2 Release=true", &d), MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "is lost"));
	rows_put(s, "- endpoint 2,2");
	expect(s, "destroyed", "DDDD");
	rows_put(s, "= closure 2,2 Release=true");

	struct pol_generation *g = compile(s);

	ck_assert_ptr_null(list_of(g, 2, IPSP_OUTBOUND));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/lost");
	TCase *c = tcase_create("lost");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, test_what_a_lost_row_might_match_is_discarded_at_its_place, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(c, test_a_restart_that_loses_nothing_changes_nothing);
	tcase_add_test(c, test_a_lost_group_is_in_force_again_when_a_manager_says_so);
	tcase_add_test(c, test_a_lost_row_that_a_manager_takes_out_is_passed_over);
	tcase_add_test(c, test_a_lost_endpoint_keeps_its_interface_closed);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
