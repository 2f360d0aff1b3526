/*
 * tests/unit/policy/check_exempt.c - exemptions in their four levels, defaults, and clear packets
 * that a rule which protects lets in.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "rowtext.h"

/* One rule that drops everything, both ways. */
static const char block_all[] =
	"+ rule block Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
	"+ contents g,0 ComponentName=block\n"
	"+ endpoint 1,2 Name=g\n"
	"+ endpoint 2,2 Name=g";

/* What passes at the levels 0 to 3, from the left. */
static const struct {
	const char *name, *src, *dst;
	uint8_t proto;
	uint32_t sport, dport;
	const char *passes;
} traffic[] = {
	{ "multicast", "192.0.2.1", "224.0.0.1", 17, 1, 2, "yyn" "n" },
	{ "the last multicast address", "192.0.2.1", "239.255.255.255", 2, IPSP_PORT_NONE,
	  IPSP_PORT_NONE, "yyn" "n" },
	{ "behind multicast", "192.0.2.1", "240.0.0.1", 17, 1, 2, "nnn" "n" },
	{ "multicast of IPv6", "2001:db8::1", "ff02::1", 17, 1, 2, "yyn" "n" },
	{ "broadcast", "192.0.2.1", "255.255.255.255", 17, 68, 67, "yyn" "n" },
	{ "RSVP", "192.0.2.1", "10.0.0.1", 46, IPSP_PORT_NONE, IPSP_PORT_NONE, "yny" "n" },
	{ "Kerberos", "192.0.2.1", "10.0.0.1", 17, 4000, 88, "yny" "n" },
	{ "Kerberos answers", "192.0.2.1", "10.0.0.1", 6, 88, 4000, "yny" "n" },
	{ "Kerberos of IPv6", "2001:db8::1", "2001:db8::2", 6, 4000, 88, "yny" "n" },
	{ "port 88 of SCTP", "192.0.2.1", "10.0.0.1", 132, 4000, 88, "nnn" "n" },
	{ "ISAKMP", "192.0.2.1", "10.0.0.1", 17, 500, 500, "yyy" "n" },
	{ "port 500 at one end", "192.0.2.1", "10.0.0.1", 17, 4000, 500, "nnn" "n" },
	{ "ISAKMP behind a NAT", "192.0.2.1", "10.0.0.1", 17, 61000, 4500, "yyy" "n" },
	{ "ISAKMP of IPv6", "2001:db8::1", "2001:db8::2", 17, 500, 500, "yyy" "n" },
	{ "anything else", "192.0.2.1", "10.0.0.1", 6, 4000, 80, "nnn" "n" },
};

START_TEST(test_a_level_passes_what_it_says_before_any_rule)
{
	struct mib_store *s = store_new();
	const struct packet p = packet(traffic[_i].src, traffic[_i].dst, traffic[_i].proto,
				       traffic[_i].sport, traffic[_i].dport);

	rows_put(s, block_all);
	for (unsigned level = 0; level < 4; level++) {
		struct pol_generation *g;
		char line[64];

		snprintf(line, sizeof(line), "= exempt 0 Level=%u", level);
		rows_put(s, line);
		g = compile(s);
		for (int dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++)
			ck_assert_msg(verdict(list_of(g, 2, (enum ipsp_dir)dir), &p) ==
					      (traffic[_i].passes[level] == 'y' ? IPSP_BYPASS :
										 IPSP_DISCARD),
				      "%s at level %u", traffic[_i].name, level);
		pol_generation_free(g);
	}
	mib_store_free(s);
}
END_TEST

START_TEST(test_multicast_comes_in_alone_when_asked_to)
{
	const struct packet group = packet("192.0.2.1", "224.0.0.1", 17, 1, 2);
	const struct packet ike = packet("192.0.2.1", "10.0.0.1", 17, 500, 500);
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, block_all);
	rows_put(s, "= exempt 0 InboundMulticast=true");
	g = compile(s);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_INBOUND), &group), IPSP_BYPASS);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &group), IPSP_DISCARD);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_INBOUND), &ike), IPSP_DISCARD);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_default_passes_what_no_rule_matches_and_no_more)
{
	const struct packet http = packet("10.1.0.1", "10.2.0.1", 6, 40000, 80);
	const struct packet telnet = packet("10.1.0.1", "10.2.0.1", 6, 40000, 23);
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "+ clfr 7 AddrType=ipv4 Protocol=6 DstL4PortMin=23 DstL4PortMax=23\n"
		    "+ rule no-telnet Filter=diffServMultiFieldClfrAddrType.7 Action=spdDropAction.0\n"
		    "+ contents g,65535 ComponentName=no-telnet\n"
		    "+ endpoint 1,2 Name=g\n"
		    "+ endpoint 2,2 Name=g\n"
		    "= exempt 0 DefaultOutbound=pass");
	g = compile(s);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &http), IPSP_BYPASS);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &telnet), IPSP_DISCARD);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_INBOUND), &http), IPSP_DISCARD);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_what_is_closed_stays_closed)
{
	const struct packet ike = packet("192.0.2.1", "10.0.0.1", 17, 500, 500);
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, block_all);
	rows_put(s, "= exempt 0 Level=0 DefaultInbound=pass DefaultOutbound=pass");
	rows_put(s, "- endpoint 1,2");
	g = compile(s);
	ck_assert_uint_eq(pol_map_count(&pol_generation_list(g, 2, IPSP_INBOUND)->entries), 0);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &ike), IPSP_BYPASS);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_exemption_says_where_it_comes_from)
{
	struct mib_store *s = store_new();
	const struct pol_origin *o;
	struct pol_generation *g;

	rows_put(s, block_all);
	rows_put(s, "= exempt 0 Level=1");
	g = compile(s);
	o = pol_origin_find(g, pol_list_entry(pol_generation_list(g, 2, IPSP_INBOUND), 0)->spd.id);
	ck_assert_ptr_nonnull(o);
	ck_assert_ptr_eq(o->scalar, MIB_COL(ipspdExempt, ipspdExemptLevel));
	ck_assert_str_eq(o->name, "ipspdExemptLevel.0");
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* The next generation differs by the exemptions alone, and is as one made from nothing. */
START_TEST(test_a_change_of_level_is_compiled_into_what_is_there)
{
	struct mib_store *s = store_new();
	struct pol_compiler *c = pol_compiler_new(mib_store_view(s));
	const struct packet ike = packet("192.0.2.1", "10.0.0.1", 17, 500, 500);
	struct mib_change changes[8];
	struct pol_generation *g;

	rows_put(s, block_all);
	ck_assert_int_eq(pol_compiler_run(c, 1, 0, &g), MIB_OK);
	pol_generation_free(g);
	rows_put(s, "= exempt 0 Level=2");
	changes[0] = (struct mib_change){
		.after = mib_view_row(mib_store_view(s), &mib_t_ipspdExempt,
				      (const uint32_t[]){ 0 }, 1),
	};
	pol_compiler_changed(c, changes, 1);
	ck_assert_int_eq(pol_compiler_run(c, 2, 0, &g), MIB_OK);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &ike), IPSP_BYPASS);
	pol_generation_free(g);
	pol_compiler_free(c);
	mib_store_free(s);
}
END_TEST

/* Associations of both directions. */
static const char sas[] =
	"+ cred k Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=198.51.100.1\n"
	"+ pre a,2 ESPSPI=4096 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw DoActionLogging=true\n"
	"+ pre b,2 ESPSPI=4097 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw\n"
	"+ pre c,1 ESPSPI=4098 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw";

static const struct {
	const char *name, *rows;
	bool accepts;
} clear_cases[] = {
	{ "a rule that does not say so", "", false },
	{ "a rule that does", "= ruleopt r AcceptClear=true", true },
	{ "one that may pass in clear when its SA is over",
	  "= ruleopt r AcceptClear=true Fallback=clear", false },
	{ "one that drops", "= ruleopt r AcceptClear=true\n= rule r Action=spdDropAction.0", false },
};

START_TEST(test_a_rule_that_protects_may_accept_clear_packets_that_come_in)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, sas);
	rows_put(s, "+ rule r Filter=spdTrueFilter.0 "
		    "Action=ipsaSaPreActActionDescription.\"c\",1\n"
		    "+ contents g,1 ComponentName=r\n+ endpoint 1,2 Name=g\n+ endpoint 2,2 Name=g");
	if (clear_cases[_i].rows[0])
		rows_put(s, clear_cases[_i].rows);
	g = compile(s);
	ck_assert_msg(list_of(g, 2, IPSP_INBOUND)->entries[0].accept_clear ==
			      clear_cases[_i].accepts, "%s", clear_cases[_i].name);
	ck_assert(!list_of(g, 2, IPSP_OUTBOUND)->entries[0].accept_clear);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_rule_may_have_its_later_fragments_dropped)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "+ rule r Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
		    "+ contents g,1 ComponentName=r\n+ endpoint 1,2 Name=g\n+ endpoint 2,2 Name=g");
	g = compile(s);
	ck_assert(!list_of(g, 2, IPSP_INBOUND)->entries[0].no_frag_state);
	pol_generation_free(g);
	rows_put(s, "= ruleopt r FragState=false");
	g = compile(s);
	ck_assert(list_of(g, 2, IPSP_INBOUND)->entries[0].no_frag_state);
	ck_assert(list_of(g, 2, IPSP_OUTBOUND)->entries[0].no_frag_state);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exempt");
	TCase *c = tcase_create("exempt");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, test_a_level_passes_what_it_says_before_any_rule, 0,
			    sizeof(traffic) / sizeof(traffic[0]));
	tcase_add_test(c, test_multicast_comes_in_alone_when_asked_to);
	tcase_add_test(c, test_a_default_passes_what_no_rule_matches_and_no_more);
	tcase_add_test(c, test_what_is_closed_stays_closed);
	tcase_add_test(c, test_an_exemption_says_where_it_comes_from);
	tcase_add_test(c, test_a_change_of_level_is_compiled_into_what_is_there);
	tcase_add_test(c, test_a_rule_may_have_its_later_fragments_dropped);
	tcase_add_loop_test(c, test_a_rule_that_protects_may_accept_clear_packets_that_come_in, 0,
			    sizeof(clear_cases) / sizeof(clear_cases[0]));
	suite_add_tcase(suite, c);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
