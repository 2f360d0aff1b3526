/*
 * tests/unit/policy/check_negotiate.c - IPsec actions: what a key manager is asked for, in which entries.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/program.h"
#include "rowtext.h"

static const char base[] =
	"+ peer gw,0 Type=2 Value=gw.example.org AddressType=0\n"
	"+ peer gw,1 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401\n"
	"+ peer lost,0 Type=2 Value=gw.example.org AddressType=0\n"
	"+ param std\n"
	"+ esp aes CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ transform 3,esp-std,9 TransformName=aes\n"
	"+ proposal p2,0,3 TransformsName=esp-std\n"
	"+ ipsec v ParametersName=std ProposalsName=p2 PeerGatewayIdName=gw\n"
	"+ ipsec w ParametersName=std ProposalsName=p2 PeerGatewayIdName=gw\n"
	"+ ike i ParametersName=std IdentityType=1 IdentityContext=default\n"
	"+ rule r Filter=spdTrueFilter.0 Action=ipiaIpsecActParametersName.\"v\"\n"
	"+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g\n+ endpoint 1,2 Name=g";

#define V "ipiaIpsecActParametersName.\"v\""
#define W "ipiaIpsecActParametersName.\"w\""
#define IKE "ipiaIkeActParametersName.\"i\""
#define ACCEPT "spdAcceptAction.0"
#define COMPOUND(strategy, a, b) \
	"+ action x ExecutionStrategy=" strategy "\n+ subaction x,1 SubActionName=" a "\n" \
	"+ subaction x,2 SubActionName=" b "\n= rule r Action=spdCompActExecutionStrategy.\"x\""

static struct mib_store *s;

static void setup(void)
{
	s = store_new();
	rows_put(s, base);
}

static void teardown(void)
{
	mib_store_free(s);
}

static void put_template(FILE *f, const struct ipsp_template *t)
{
	char remote[IPSP_ADDR_TEXT];

	/* What may be done without has a question mark. */
	fprintf(f, " %s%s %s %x %s", t->proto == IPSP_PROTO_ESP ? "esp" :
		t->proto == IPSP_PROTO_AH ? "ah" : "ipcomp",
		t->level == IPSP_LEVEL_USE ? "?" : "", t->mode == IPSP_MODE_TUNNEL ? "tunnel" : "transport", t->pfp,
		t->anyone ? "anyone" : ipsp_addr_print(&t->remote, remote));
}

/* Action, "S(" and what its steps are, templates, clear_s. */
static void describe(const struct pol_generation *g, char *out, size_t size)
{
	const struct ipsp_spd_entry *e = &list_of(g, 2, IPSP_OUTBOUND)->entries[0];
	FILE *f = fmemopen(out, size, "w");

	ck_assert(e->n_steps == 0 || ipsp_steps_valid(e->steps, e->n_steps));
	fprintf(f, "%c ", "DBP"[e->action]);
	for (uint32_t i = 0; i < e->n_steps; i++)
		fputc(e->steps[i].negotiated ? (e->steps[i].may_decide ? 'N' : 'n') :
					      "dbpfASU"[e->steps[i].kind], f);
	for (uint32_t i = 0; i < e->n_templates; i++)
		put_template(f, &e->templates[i]);
	if (e->clear_s)
		fprintf(f, " clear %u s", e->clear_s);
	fclose(f);
}

#define DEFLATE "+ ipcomp d Algorithm=2\n+ transform 4,c,0 TransformName=d\n"
#define AH "+ ah sha Algorithm=5\n+ transform 2,a,0 TransformName=sha\n"
#define ONE " esp tunnel 0 198.51.100.1"

static const struct {
	const char *name, *rows, *entry, *problem;
} cases[] = {
	{ "an IPsec action", NULL, "P " ONE, "no key manager" },
	{ "one pair of addresses", "= ipsec v Granularity=address", "P  esp tunnel 3 198.51.100.1",
	  "no key manager" },
	{ "one protocol", "= ipsec v Granularity=protocol", "P  esp tunnel 7 198.51.100.1",
	  "no key manager" },
	{ "one pair of ports", "= ipsec v Granularity=port", "P  esp tunnel 1f 198.51.100.1",
	  "no key manager" },
	{ "selectors one by one go before it",
	  "= ipsec v Granularity=port\n= ipsecact v FromPacket=destination", "P  esp tunnel 2 198.51.100.1",
	  "no key manager" },
	{ "transport mode", "= ipsec v Mode=transport", "P  esp transport 0 any", "no key manager" },
	{ "a tunnel to whoever the packet is for", "= ipsec v PeerGatewayIdName=",
	  "P  esp tunnel 0 any", "no key manager" },
	{ "no peer with an address", "= ipsec v PeerGatewayIdName=lost", "P  esp tunnel 0 anyone", "no key manager" },
	{ "... who cannot be asked first", "= ipsec v PeerGatewayIdName=lost\n= ruleopt r Fallback=clear", "D ",
	  "nobody can be asked" },
	{ "... with compression", DEFLATE "+ proposal p2,0,4 TransformsName=c\n= ipsec v PeerGatewayIdName=lost",
	  "P  ipcomp? tunnel 0 anyone esp transport 0 anyone", "no key manager" },
	{ "compression, where the peer does it", DEFLATE "+ proposal p2,0,4 TransformsName=c",
	  "P  ipcomp? tunnel 0 198.51.100.1 esp transport 0 198.51.100.1", "no key manager" },
	{ "... by a later proposal", DEFLATE "+ proposal p2,1,4 TransformsName=c\n"
	  "+ proposal p2,1,3 TransformsName=esp-std\n= ipsec v Granularity=port",
	  "P  ipcomp? tunnel 1f 198.51.100.1 esp transport 0 198.51.100.1", "no key manager" },
	{ "... in transport mode", DEFLATE "+ proposal p2,0,4 TransformsName=c\n= ipsec v Mode=transport",
	  "P  ipcomp? transport 0 any esp transport 0 any", "no key manager" },
	{ "AH with ESP, and another proposal", AH "+ proposal p2,0,2 TransformsName=a\n"
	  "+ proposal p2,1,2 TransformsName=a", "P  ah tunnel 0 198.51.100.1", "no key manager" },
	{ "AH with ESP, which a key manager of its own may do", AH "+ proposal p2,0,2 TransformsName=a",
	  "P  esp tunnel 0 198.51.100.1 ah transport 0 198.51.100.1", "no key manager" },
	{ "IKE before it is how, not what", COMPOUND("doUntilFailure", IKE, V), "P " ONE,
	  "no key manager" },
	{ "another action if it fails", COMPOUND("doUntilSuccess", V, ACCEPT), "P SNb" ONE,
	  "no key manager" },
	{ "IKE alone protects nothing", "= rule r Action=" IKE, "D ", "needs IKE" },
	{ "IKE behind it is a failure", COMPOUND("doUntilFailure", V, IKE), "D Unf" ONE,
	  "needs IKE" },
	{ "two of them", COMPOUND("doUntilSuccess", V, W), "P SNf" ONE, "no key manager" },
	{ "the same one twice", COMPOUND("doUntilSuccess", V, V), "P SNN" ONE, "no key manager" },
	{ "in clear if it fails", "= ruleopt r Fallback=clear", "P SNb" ONE " clear 300 s", "" },
	{ "for some time", "= ruleopt r Fallback=clear ClearSeconds=7", "P SNb" ONE " clear 7 s",
	  "" },
	{ "not if it does not pass in clear", "= ruleopt r ClearSeconds=7", "P " ONE,
	  "no key manager" },
	{ "never run", COMPOUND("doUntilSuccess", ACCEPT, V), "B Sbn" ONE, "" },
};

START_TEST(test_an_ipsec_action_becomes_templates)
{
	struct pol_generation *g;
	char got[128];

	if (cases[_i].rows)
		rows_put(s, cases[_i].rows);
	g = compile(s);
	describe(g, got, sizeof(got));
	ck_assert_msg(strcmp(got, cases[_i].entry) == 0, "%s: %s", cases[_i].name, got);
	ck_assert_msg(cases[_i].problem[0] ?
			      strstr(problem_of(s, g, "rule", "r"), cases[_i].problem) != NULL :
			      problem_of(s, g, "rule", "r")[0] == '\0',
		      "%s: %s", cases[_i].name, problem_of(s, g, "rule", "r"));
	pol_generation_free(g);
}
END_TEST

START_TEST(test_reqids_are_of_the_row_whatever_else_changes)
{
	struct pol_generation *g = compile(s);
	const uint32_t in = list_of(g, 2, IPSP_INBOUND)->entries[0].templates[0].reqid;
	const uint32_t out = list_of(g, 2, IPSP_OUTBOUND)->entries[0].templates[0].reqid;
	uint32_t other;

	ck_assert_uint_eq(in, out);
	ck_assert_uint_ge(in, 0x80000000u);
	pol_generation_free(g);
	rows_put(s, "= ipsec v Mode=transport Granularity=port");
	g = compile(s);
	ck_assert_uint_eq(list_of(g, 2, IPSP_OUTBOUND)->entries[0].templates[0].reqid, out);
	pol_generation_free(g);
	rows_put(s, "= rule r Action=" W);
	g = compile(s);
	other = list_of(g, 2, IPSP_OUTBOUND)->entries[0].templates[0].reqid;
	ck_assert_uint_ne(other, out);
	pol_generation_free(g);
}
END_TEST

START_TEST(test_clear_packets_are_accepted_inbound_alone_and_only_of_ipsec_actions)
{
	struct pol_generation *g;

	rows_put(s, "= ruleopt r AcceptClear=true");
	g = compile(s);
	ck_assert(list_of(g, 2, IPSP_INBOUND)->entries[0].accept_clear);
	ck_assert(!list_of(g, 2, IPSP_OUTBOUND)->entries[0].accept_clear);
	pol_generation_free(g);
	rows_put(s, "= rule r Action=spdDropAction.0");
	g = compile(s);
	ck_assert(!list_of(g, 2, IPSP_INBOUND)->entries[0].accept_clear);
	pol_generation_free(g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy/negotiate");
	TCase *tc = tcase_create("negotiate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_an_ipsec_action_becomes_templates, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, test_reqids_are_of_the_row_whatever_else_changes);
	tcase_add_test(tc, test_clear_packets_are_accepted_inbound_alone_and_only_of_ipsec_actions);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
