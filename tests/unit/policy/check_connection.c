/* tests/unit/policy/check_connection.c - which connections the rows make, and what is wrong with them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "policy/connection.h"
#include "rowtext.h"

/* Example (d) of the IKE action MIB: two gateways with a pre-shared key. */
static const char rows[] =
	"+ cred psk Type=sharedSecret Credential=0x61*20 AdminStatus=enabled\n"
	"+ cred cert Type=x509 Credential=0x30023000 AdminStatus=enabled\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401 CredentialName=psk\n"
	"+ peer gw,1 Type=2 Value=other.example AddressType=ipv4 Address=0xc6336402 CredentialName=psk\n"
	"+ param std MinLifetimeSecs=300 RefreshThreshSecs=80 IdleDurationSecs=60\n"
	"+ esp aes CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5 MaxLifetimeSec=3600\n"
	"+ esp gcm CipherTransformId=20 CipherKeyLength=128 IntegrityAlgorithmId=0\n"
	"+ ah sha Algorithm=5\n"
	"+ transform 3,esp-std,5 TransformName=gcm\n"
	"+ transform 3,esp-std,9 TransformName=aes\n"
	"+ transform 2,ah-std,0 TransformName=sha\n"
	"+ proposal p2,0,3 TransformsName=esp-std\n"
	"+ ipsec ipsec-b ParametersName=std ProposalsName=p2 UsePfs=true GroupId=14 PeerGatewayIdName=gw "
	"Granularity=address Mode=tunnel DFHandling=set\n"
	"+ ikeprop p1 CipherAlgorithm=7 CipherKeyLength=256 HashAlgorithm=4 DhGroup=14 "
	"AuthenticationMethod=1\n"
	"+ ikeprop p1b CipherAlgorithm=65120 CipherKeyLength=256 HashAlgorithm=5 DhGroup=31 "
	"AuthenticationMethod=1 MaxLifetimeSecs=600\n"
	"+ ikeprop p1c CipherAlgorithm=7 CipherKeyLength=128 HashAlgorithm=4 DhGroup=14 "
	"AuthenticationMethod=3\n"
	"+ ikeident 2,1,default\n"
	"+ ikeident 2,2,gw-a.example CredentialName=psk\n"
	"+ ikeident 2,9,cert CredentialName=cert\n"
	"+ ike ike-b ParametersName=std IdentityType=1 IdentityContext=default PeerName=gw\n"
	"+ ikemember ike-b,0 PropName=p1\n"
	"+ ikemember ike-b,7 PropName=p1b\n"
	"+ action vpn ExecutionStrategy=doUntilFailure\n"
	"+ subaction vpn,0 SubActionName=ipiaIkeActParametersName.\"ike-b\"\n"
	"+ subaction vpn,1 SubActionName=ipiaIpsecActParametersName.\"ipsec-b\"\n"
	"+ clfr 30 AddrType=ipv4 SrcAddr=0x0a010000 SrcPrefixLength=16 DstAddr=0x0a020000 "
	"DstPrefixLength=16\n"
	"+ clfr 31 AddrType=ipv4 SrcAddr=0x0a020000 SrcPrefixLength=16 DstAddr=0x0a010000 "
	"DstPrefixLength=16\n"
	"+ rule out Filter=diffServMultiFieldClfrAddrType.30 Action=spdCompActExecutionStrategy.\"vpn\"\n"
	"+ rule in Filter=diffServMultiFieldClfrAddrType.31 Action=spdCompActExecutionStrategy.\"vpn\"\n"
	"+ rule plain Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ contents out,1 ComponentName=out\n"
	"+ contents in,1 ComponentName=in\n"
	"+ contents in,2 ComponentName=plain\n"
	"+ endpoint 2,2 Name=out\n"
	"+ endpoint 1,2 Name=in";

static struct mib_store *store;
static struct pol_conn_set set;
static struct pol_connection *conn;

static void find(void)
{
	pol_conn_set_fini(&set);
	ck_assert(pol_conn_set_make(mib_store_view(store), &set));
}

/* The connection of the first key of that IPsec action. */
static const struct pol_connection *make(const char *ipsec)
{
	size_t at;

	find();
	at = pol_conn_seek(&set, ipsec, "", false);
	ck_assert_uint_lt(at, set.n_keys);
	ck_assert_str_eq(set.keys[at].ipsec, ipsec);
	pol_connection_free(conn);
	conn = NULL;
	ck_assert(pol_connection_make(mib_store_view(store), &set.keys[at], &conn));
	return conn;
}

static void setup(void)
{
	store = store_new();
	rows_put(store, rows);
}

static void teardown(void)
{
	pol_connection_free(conn);
	conn = NULL;
	pol_conn_set_fini(&set);
	mib_store_free(store);
}

START_TEST(test_a_pair_of_actions_is_one_connection_of_all_its_rules)
{
	const struct pol_connection *c = make("ipsec-b");
	char buf[POL_CONN_COLUMN];

	ck_assert_uint_eq(set.n_keys, 1);
	ck_assert_str_eq(set.keys[0].ike, "ike-b");
	ck_assert_str_eq(c->fault, "");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], c, POL_CONN_RULES, buf),
			 "in inbound 2, out outbound 2");
	/* Both rules say the same, from either end. */
	ck_assert_str_eq(pol_conn_text(&set.keys[0], c, POL_CONN_SELECTORS, buf),
			 "10.1.0.0/16 -> 10.2.0.0/16");
}
END_TEST

START_TEST(test_proposals_stand_in_order_with_the_numbers_of_both_versions)
{
	const struct pol_connection *c = make("ipsec-b");
	const struct pol_ike_proposal *p = c->proposals;

	ck_assert_uint_eq(c->n_proposals, 2);
	ck_assert_str_eq(p[0].name, "p1");
	ck_assert(p[0].v1 && p[0].v2);
	ck_assert_uint_eq(p[0].encr, 12);
	ck_assert_uint_eq(p[0].prf, 5);
	ck_assert_uint_eq(p[0].integ, 12);
	ck_assert_uint_eq(p[0].auth, 2);
	ck_assert_uint_eq(p[0].life_s, 28800);
	ck_assert_uint_eq(p[1].priority, 7);
	ck_assert(!p[1].v1 && p[1].v2);
	ck_assert_uint_eq(p[1].encr, 20);
	ck_assert_uint_eq(p[1].integ, 0);
	ck_assert_uint_eq(c->n_transforms, 2);
	ck_assert_str_eq(c->transforms[0].name, "gcm");
	ck_assert_uint_eq(c->transforms[0].v2_encr, 20);
	ck_assert_uint_eq(c->transforms[1].v2_integ, 12);
	ck_assert_uint_eq(c->transforms[1].life_s, 3600);
}
END_TEST

START_TEST(test_peers_stand_in_order_with_their_identities)
{
	const struct pol_connection *c = make("ipsec-b");
	char buf[POL_CONN_COLUMN];

	ck_assert_uint_eq(c->n_peers, 2);
	ck_assert_uint_eq(c->peers[0].address.octets[3], 1);
	ck_assert_str_eq(pol_conn_text(&set.keys[0], c, POL_CONN_PEER_IDENTITY, buf),
			 "ipv4:198.51.100.1; fqdn:other.example");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], c, POL_CONN_LOCAL_IDENTITY, buf),
			 "ipv4 of interface 2");
}
END_TEST

static const struct {
	const char *change;
	const char *fault;
} faults[] = {
	{ "= cred psk AdminStatus=disabled", "credential \"psk\" is disabled" },
	{ "= peer gw,1 CredentialName=", "peer \"gw\".1 has none" },
	{ "= peer gw,0 CredentialName=cert", "peer \"gw\".0 has none" },
	{ "= ike ike-b IdentityContext=elsewhere", "no active ipiaIkeIdentityTable row for interface 2, identity type 1" },
	{ "+ ikemember ike-b,9 PropName=p1c", "wants a certificate, and our identity has none" },
	{ "- ikemember ike-b,0\n- ikemember ike-b,7\n+ ikemember ike-b,8 PropName=p1b\n"
	  "= ikeact ike-b Version=v1", "no IKE proposal can be offered in IKEv1" },
	{ "= ike ike-b ExchangeMode=agressive AgressiveModeGroupId=15",
	  "no IKE proposal has the group 15 of aggressive mode" },
	{ "= peer gw,0 AddressType=unknown Address=\n= ikeact ike-b Version=v1",
	  "main mode with a pre-shared key needs the address of peer \"gw\".0" },
	{ "+ proposal p2,0,2 TransformsName=ah-std", "IKEv2 cannot negotiate AH and ESP in one proposal" },
	{ "+ ipcomp d Algorithm=2\n+ transform 4,c,0 TransformName=d\n+ proposal p2,0,4 TransformsName=c\n- proposal p2,0,3",
	  "IPComp alone, without AH or ESP, protects nothing" },
	{ "+ ipcomp d Algorithm=3\n+ transform 4,c,0 TransformName=d\n+ proposal p2,0,4 TransformsName=c",
	  "no proposal of its IPsec action has transforms that this version can do" },
	{ "+ ipcomp d Algorithm=2 PrivateAlgorithm=7\n+ transform 4,c,0 TransformName=d\n"
	  "+ proposal p2,0,4 TransformsName=c", "no proposal of its IPsec action has transforms" },
	{ "= rule out FilterNegated=true", "rule \"out\", whose filter selectors cannot say" },
	{ "+ time t\n= rule in Filter=spdTimeFiltPeriod.\"t\"",
	  "rule \"in\", whose filter selectors cannot say" },
	{ "+ peer who,0 Type=2 Value=a.example AddressType=unknown CredentialName=psk\n"
	  "= ipsec ipsec-b PeerGatewayIdName=who\n= ike ike-b PeerName=who\n"
	  "+ autostart 3 Action=ipiaIpsecActParametersName.\"ipsec-b\" AddressType=ipv4 SourceAddress=0x0a010001 "
	  "DestAddress=0x0a020001", "autostart row 3 starts it, but none of its gateways has an address" },
	{ "- endpoint 1,2\n- endpoint 2,2", "no rule in a group that is bound" },
	{ "- subaction vpn,0\n= ike ike-b PeerName=", "none has the peer list \"gw\"" },
	{ "- subaction vpn,0\n+ ike ike-c ParametersName=std IdentityType=1 IdentityContext=default "
	  "PeerName=gw", "more than one has the peer list \"gw\"" },
};

static void answer_by(const char *rows_of_it, const char *action, bool on)
{
	char text[200];

	rows_put(store, rows_of_it);
	snprintf(text, sizeof(text), "= system 0 DefaultResponse=%s DefaultResponseAction=%s", on ? "true" : "false", action);
	rows_put(store, text);
}

#define ANSWERS "+ ipsec ipsec-c ParametersName=std ProposalsName=p2 PeerGatewayIdName=gw Mode="

START_TEST(test_the_default_response_is_a_connection_that_no_rule_uses)
{
	const struct pol_connection *c;
	char buf[POL_CONN_COLUMN];

	answer_by(ANSWERS "transport", "ipsec-c", true);
	c = make("ipsec-c");
	ck_assert_uint_eq(set.n_keys, 2);
	ck_assert_str_eq(c->fault, "");
	ck_assert(c->answers);
	ck_assert_uint_eq(c->n_selectors, 2);
	ck_assert_str_eq(pol_conn_text(&set.keys[1], c, POL_CONN_RULES, buf), "default response");
}
END_TEST

START_TEST(test_there_is_none_while_it_is_switched_off)
{
	answer_by(ANSWERS "transport", "ipsec-c", false);
	find();
	ck_assert_uint_eq(set.n_keys, 1);
}
END_TEST

START_TEST(test_the_default_response_makes_no_tunnel)
{
	/* No SET gets so far. */
	find();
	set.keys[0].answers = true;
	ck_assert(pol_connection_make(mib_store_view(store), &set.keys[0], &conn));
	ck_assert_str_eq(conn->fault, "is for the default response, but not in transport mode");
}
END_TEST

/* As of old: ESP by 3DES and DES, each with SHA-1 and MD5, then AH by either. */
static const char six[] =
	"+ esp 3des-sha CipherTransformId=3 CipherKeyLength=192 IntegrityAlgorithmId=2\n"
	"+ esp 3des-md5 CipherTransformId=3 CipherKeyLength=192 IntegrityAlgorithmId=1\n"
	"+ esp des-sha CipherTransformId=2 CipherKeyLength=64 IntegrityAlgorithmId=2\n"
	"+ esp des-md5 CipherTransformId=2 CipherKeyLength=64 IntegrityAlgorithmId=1\n"
	"+ ah sha1 Algorithm=2\n"
	"+ ah md5 Algorithm=1\n"
	"+ transform 3,old,1 TransformName=3des-sha\n"
	"+ transform 3,old,2 TransformName=3des-md5\n"
	"+ transform 3,old,3 TransformName=des-sha\n"
	"+ transform 3,old,4 TransformName=des-md5\n"
	"+ transform 2,old,5 TransformName=sha1\n"
	"+ transform 2,old,6 TransformName=md5\n"
	"+ proposal six,1,3 TransformsName=old\n"
	"+ proposal six,2,2 TransformsName=old\n"
	"+ ipsec ipsec-c ParametersName=std ProposalsName=six PeerGatewayIdName=gw Mode=transport";

START_TEST(test_the_default_response_takes_ESP_and_AH_as_they_stand)
{
	static const char *const names[] = { "3des-sha", "3des-md5", "des-sha", "des-md5", "sha1", "md5" };
	const struct pol_connection *c;

	pol_algs_allow_weak(true);
	answer_by(six, "ipsec-c", true);
	c = make("ipsec-c");
	pol_algs_allow_weak(false);
	ck_assert_str_eq(c->fault, "");
	ck_assert_uint_eq(c->n_transforms, 6);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_str_eq(c->transforms[i].name, names[i]);
		ck_assert(c->transforms[i].usable);
		ck_assert(pol_child_proposal_of(c, &c->transforms[i])->offered);
	}
}
END_TEST

START_TEST(test_there_is_a_default_response_to_speak_of_while_it_has_an_action)
{
	ck_assert(!pol_conn_has_response(mib_store_view(store)));
	answer_by(ANSWERS "transport", "ipsec-c", false);
	ck_assert(pol_conn_has_response(mib_store_view(store)));
	rows_put(store, "= system 0 DefaultResponseAction=");
	ck_assert(!pol_conn_has_response(mib_store_view(store)));
}
END_TEST

START_TEST(test_an_action_of_a_rule_is_not_the_default_response_too)
{
	const struct pol_connection *c;

	answer_by("= ipsec ipsec-b Mode=transport", "ipsec-b", true);
	c = make("ipsec-b");
	ck_assert_uint_eq(set.n_keys, 1);
	ck_assert(!c->answers);
	ck_assert_str_eq(c->fault, "");
}
END_TEST

START_TEST(test_AH_alone_can_be_negotiated)
{
	const struct pol_connection *c;

	rows_put(store, "- proposal p2,0,3\n+ proposal p2,0,2 TransformsName=ah-std");
	c = make("ipsec-b");
	ck_assert_str_eq(c->fault, "");
	ck_assert_uint_eq(c->transforms[0].protocol, 2);
}
END_TEST

#define DEFLATE "+ ipcomp d Algorithm=2\n+ ipcomp l Algorithm=3\n+ transform 4,c,0 TransformName=l\n" \
		"+ transform 4,c,1 TransformName=d\n"

/* One of several alternatives is enough; and of several proposals, if it can be negotiated. */
START_TEST(test_compression_is_asked_for_where_a_proposal_has_it)
{
	static const struct {
		const char *rows;
		bool compresses;
	} cases[] = {
		{ DEFLATE, false },
		{ DEFLATE "+ proposal p2,0,4 TransformsName=c", true },
		{ DEFLATE "+ proposal p2,1,3 TransformsName=esp-std\n+ proposal p2,1,4 TransformsName=c", true },
		{ DEFLATE "+ proposal p2,1,4 TransformsName=c", false },
		{ DEFLATE "+ proposal p2,1,2 TransformsName=ah-std\n+ proposal p2,1,3 TransformsName=esp-std\n"
		  "+ proposal p2,1,4 TransformsName=c", false },
	};
	const struct pol_connection *c;

	rows_put(store, cases[_i].rows);
	c = make("ipsec-b");
	ck_assert_str_eq(c->fault, "");
	ck_assert_int_eq(pol_conn_compresses(c), cases[_i].compresses);
}
END_TEST

START_TEST(test_AH_with_ESP_is_passed_over_where_there_is_something_else)
{
	const struct pol_connection *c;

	rows_put(store, "+ proposal p2,0,2 TransformsName=ah-std\n+ proposal p2,1,2 TransformsName=ah-std");
	c = make("ipsec-b");
	ck_assert_str_eq(c->fault, "");
	ck_assert_uint_eq(c->n_child_proposals, 2);
	ck_assert(!c->child_proposals[0].offered);
	ck_assert(c->child_proposals[1].offered);
}
END_TEST

/* Packets are to go through what the first one has. */
START_TEST(test_all_that_is_offered_is_of_one_protocol)
{
	char buf[POL_CONN_COLUMN];
	const struct pol_connection *c;

	rows_put(store, "+ proposal p2,1,2 TransformsName=ah-std\n+ proposal p2,2,3 TransformsName=esp-std");
	c = make("ipsec-b");
	ck_assert_str_eq(c->fault, "");
	ck_assert(c->child_proposals[0].offered);
	ck_assert(!c->child_proposals[1].offered);
	ck_assert(c->child_proposals[2].offered);
	rows_put(store, "- transform 3,esp-std,5");
	c = make("ipsec-b");
	pol_conn_text(&set.keys[0], c, POL_CONN_SA_ALGORITHMS, buf);
	ck_assert_msg(strstr(buf, "AH HMAC-SHA2-256") && strstr(buf, "window 64 not offered;"), "%s", buf);
}
END_TEST

/* Rows with weak algorithms that were made while they were allowed. */
START_TEST(test_what_is_weak_is_called_so)
{
	char buf[POL_CONN_COLUMN];
	const struct pol_connection *c;

	pol_algs_allow_weak(true);
	rows_put(store, "= ikeprop p1 CipherAlgorithm=5 CipherKeyLength=0 HashAlgorithm=1 DhGroup=2");
	c = make("ipsec-b");
	ck_assert_uint_eq(c->proposals[0].encr, 3);
	ck_assert_ptr_nonnull(strstr(pol_conn_text(&set.keys[0], c, POL_CONN_IKE_ALGORITHMS, buf),
				     "3DES (weak) MD5 (weak) MODP-1024 (weak)"));
	pol_algs_allow_weak(false);
}
END_TEST

START_TEST(test_a_fault_is_said_in_words)
{
	rows_put(store, faults[_i].change);
	ck_assert_msg(strstr(make("ipsec-b")->fault, faults[_i].fault) != NULL, "%s: '%s'",
		      faults[_i].change, conn->fault);
}
END_TEST

static const struct {
	const char *change;
	const char *ike;
} serving[] = {
	/* The last one before it in the compound action. */
	{ "+ ike ike-c ParametersName=std IdentityType=1 IdentityContext=default\n"
	  "= subaction vpn,0 SubActionName=ipiaIkeActParametersName.\"ike-c\"", "ike-c" },
	/* The only one with the same peers. */
	{ "- subaction vpn,0", "ike-b" },
	/* A rule for negotiations at the same interface. */
	{ "- subaction vpn,0\n"
	  "+ ike ike-c ParametersName=std IdentityType=1 IdentityContext=default PeerName=gw\n"
	  "+ rule neg Filter=ipiaIkePhase1Filter.0 Action=ipiaIkeActParametersName.\"ike-c\"\n"
	  "+ contents out,5 ComponentName=neg", "ike-c" },
};

START_TEST(test_the_ike_action_that_serves_is_found)
{
	rows_put(store, serving[_i].change);
	make("ipsec-b");
	ck_assert_uint_eq(set.n_keys, 1);
	ck_assert_str_eq(set.keys[0].ike, serving[_i].ike);
}
END_TEST

START_TEST(test_an_ike_action_without_an_ipsec_action_is_a_connection_too)
{
	rows_put(store, "- subaction vpn,1");
	find();
	ck_assert_uint_eq(set.n_keys, 1);
	ck_assert_str_eq(set.keys[0].ipsec, "");
	ck_assert_str_eq(set.keys[0].ike, "ike-b");
	ck_assert_str_eq(make("")->fault, "");
	ck_assert_uint_eq(conn->mode, 0);
}
END_TEST

/* It is the list of gateways that says where tunnels end, whatever the IKE action's list has. */
START_TEST(test_gateways_without_an_address_may_be_anywhere)
{
	char buf[POL_CONN_COLUMN];

	ck_assert(!make("ipsec-b")->anyone);
	rows_put(store, "+ peer who,0 Type=2 Value=a.example AddressType=unknown\n"
			"= ipsec ipsec-b PeerGatewayIdName=who");
	ck_assert(make("ipsec-b")->anyone);
	ck_assert_str_eq(conn->fault, "");
	ck_assert_ptr_nonnull(strstr(pol_conn_text(&set.keys[0], conn, POL_CONN_OPTIONS, buf), "may be anywhere"));
	rows_put(store, "= ipsec ipsec-b Mode=transport");
	ck_assert(!make("ipsec-b")->anyone);
	rows_put(store, "= ipsec ipsec-b Mode=tunnel\n+ peer who,1 Type=1 Value=192.0.2.1 AddressType=ipv4 Address=0xc0000201");
	ck_assert(!make("ipsec-b")->anyone);
}
END_TEST

START_TEST(test_autostart_alone_makes_a_connection)
{
	static const char rows_of_rules[] =
		"+ rule out Filter=diffServMultiFieldClfrAddrType.30 "
		"Action=ipiaIpsecActParametersName.\"ipsec-b\"\n"
		"+ contents out,1 ComponentName=out\n+ endpoint 2,2 Name=out";
	char buf[POL_CONN_COLUMN];

	rows_put(store, "- endpoint 1,2\n- endpoint 2,2\n- contents out,1\n- contents in,1\n"
			"- rule out\n- rule in\n"
			"+ autostart 3 Action=ipiaIpsecActParametersName.\"ipsec-b\" "
			"AddressType=ipv4 SourceAddress=0x0a010001 DestAddress=0x0a020001 Protocol=1");
	make("ipsec-b");
	ck_assert_str_eq(conn->fault, "");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], conn, POL_CONN_RULES, buf),
			 "autostart 3 host to host");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], conn, POL_CONN_SELECTORS, buf),
			 "10.1.0.1/32 -> 10.2.0.1/32 proto 1");
	/* Where a rule has a filter for its packet, the SA is that rule's. */
	rows_put(store, rows_of_rules);
	make("ipsec-b");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], conn, POL_CONN_RULES, buf),
			 "out outbound 2, autostart 3 as out");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], conn, POL_CONN_SELECTORS, buf),
			 "10.1.0.0/16 -> 10.2.0.0/16");
}
END_TEST

static const struct {
	const char *change;
	const char *local;
} identities[] = {
	{ "= ike ike-b IdentityType=2 IdentityContext=gw-a.example", "fqdn:gw-a.example" },
	{ "+ credfilter psk CredentialType=sharedSecret MatchFieldName=identity MatchFieldValue=0x6d65\n"
	  "= ike ike-b IdentityType=2 IdentityContext=gw-a.example", "fqdn:me" },
	{ "= ike ike-b IdentityType=9 IdentityContext=cert", "dn of certificate \"cert\"" },
};

START_TEST(test_our_identity_is_what_its_type_makes_of_it)
{
	char buf[POL_CONN_COLUMN];

	rows_put(store, identities[_i].change);
	make("ipsec-b");
	ck_assert_str_eq(pol_conn_text(&set.keys[0], conn, POL_CONN_LOCAL_IDENTITY, buf),
			 identities[_i].local);
}
END_TEST

static const struct {
	const char *change;
	const char *credentials;	/* how they begin */
} several[] = {
	{ "+ cred more Type=x509 Credential=0x300e3009a00302010202029999010100 AdminStatus=enabled\n"
	  "= credopt more RsaPss=true\n= identopt 2,9,cert ThirdCred=more",
	  "our certificate \"cert\"; or our certificate \"more\", RSA by PSS" },
	{ "= identopt 2,9,cert SecondCred=nobody",
	  "our certificate \"cert\"; not used: credential \"nobody\" is not there, or no X.509 one" },
	{ "= identopt 2,9,cert SecondCred=psk",
	  "our certificate \"cert\"; not used: credential \"psk\" is not there, or no X.509 one" },
	{ "+ cred more Type=x509 Credential=0x300e3009a00302010202029999010100 AdminStatus=disabled\n"
	  "= identopt 2,9,cert FourthCred=more",
	  "our certificate \"cert\"; not used: credential \"more\" is disabled" },
};

START_TEST(test_an_identity_may_have_several_credentials_and_one_at_fault_is_none)
{
	char buf[POL_CONN_COLUMN];

	rows_put(store, "= ike ike-b IdentityType=9 IdentityContext=cert\n= ikemember ike-b,0 PropName=p1c\n"
			"- ikemember ike-b,7");
	rows_put(store, several[_i].change);
	make("ipsec-b");
	ck_assert_str_eq(conn->fault, "");
	pol_conn_text(&set.keys[0], conn, POL_CONN_CREDENTIALS, buf);
	ck_assert_msg(!strncmp(buf, several[_i].credentials, strlen(several[_i].credentials)), "%s", buf);
}
END_TEST

START_TEST(test_only_rows_that_lead_to_ike_concern_the_set)
{
	ck_assert(!pol_conn_set_depends(row_of(store, "rule", "plain")));
	ck_assert(pol_conn_set_depends(row_of(store, "rule", "out")));
	ck_assert(pol_conn_set_depends(row_of(store, "ike", "ike-b")));
	ck_assert(!pol_conn_set_depends(row_of(store, "clfr", "30")));
}
END_TEST

START_TEST(test_texts_that_do_not_fit_end_in_two_points)
{
	char text[160], buf[POL_CONN_COLUMN];

	for (unsigned i = 10; i < 20; i++) {
		snprintf(text, sizeof(text), "+ rule a-rule-of-a-rather-long-name-%u "
			 "Filter=diffServMultiFieldClfrAddrType.30 "
			 "Action=spdCompActExecutionStrategy.\"vpn\"", i);
		rows_put(store, text);
	}
	make("ipsec-b");
	pol_conn_text(&set.keys[0], conn, POL_CONN_RULES, buf);
	ck_assert_uint_lt(strlen(buf), POL_CONN_COLUMN);
	ck_assert_str_eq(buf + strlen(buf) - 2, "..");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/connection");
	TCase *c = tcase_create("connection");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_a_pair_of_actions_is_one_connection_of_all_its_rules);
	tcase_add_test(c, test_proposals_stand_in_order_with_the_numbers_of_both_versions);
	tcase_add_test(c, test_peers_stand_in_order_with_their_identities);
	tcase_add_test(c, test_the_default_response_is_a_connection_that_no_rule_uses);
	tcase_add_test(c, test_there_is_none_while_it_is_switched_off);
	tcase_add_test(c, test_the_default_response_makes_no_tunnel);
	tcase_add_test(c, test_an_action_of_a_rule_is_not_the_default_response_too);
	tcase_add_test(c, test_the_default_response_takes_ESP_and_AH_as_they_stand);
	tcase_add_test(c, test_there_is_a_default_response_to_speak_of_while_it_has_an_action);
	tcase_add_test(c, test_AH_alone_can_be_negotiated);
	tcase_add_loop_test(c, test_compression_is_asked_for_where_a_proposal_has_it, 0, 5);
	tcase_add_test(c, test_all_that_is_offered_is_of_one_protocol);
	tcase_add_test(c, test_AH_with_ESP_is_passed_over_where_there_is_something_else);
	tcase_add_test(c, test_what_is_weak_is_called_so);
	tcase_add_loop_test(c, test_a_fault_is_said_in_words, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_loop_test(c, test_the_ike_action_that_serves_is_found, 0,
			    sizeof(serving) / sizeof(serving[0]));
	tcase_add_test(c, test_an_ike_action_without_an_ipsec_action_is_a_connection_too);
	tcase_add_test(c, test_gateways_without_an_address_may_be_anywhere);
	tcase_add_test(c, test_autostart_alone_makes_a_connection);
	tcase_add_loop_test(c, test_our_identity_is_what_its_type_makes_of_it, 0,
			    sizeof(identities) / sizeof(identities[0]));
	tcase_add_loop_test(c, test_an_identity_may_have_several_credentials_and_one_at_fault_is_none, 0, 4);
	tcase_add_test(c, test_only_rows_that_lead_to_ike_concern_the_set);
	tcase_add_test(c, test_texts_that_do_not_fit_end_in_two_points);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
