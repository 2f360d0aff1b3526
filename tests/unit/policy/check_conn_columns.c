/*
 * tests/unit/policy/check_conn_columns.c - no column of the IKE and IPsec modules is merely stored.
 *
 * Every writable column of the two modules, and of the tables that augment them, has a case: a change of it
 * must be seen in what the connection says of itself, or be refused. What acts elsewhere is listed with the place
 * that tests it. A new column without either fails.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/connection.h"
#include "rowtext.h"

/* The beginning of an X.509 certificate with serial number 0x1234 (RFC 5280 4.1). */
#define CERTIFICATE "0x300e3009a00302010202021234010100"

static const char rows[] =
	"+ cred cert Type=x509 Credential=" CERTIFICATE " AdminStatus=enabled\n"
	"+ cred root Type=x509 Credential=" CERTIFICATE " AdminStatus=enabled\n"
	"+ cred psk Type=sharedSecret Credential=0x61*20 AdminStatus=enabled\n"
	"+ ca ca DistinguishedName=CN=one\n"
	"+ ca ca2 DistinguishedName=CN=two\n"
	"+ crl ca,crl1\n"
	"= cred cert MngName=ca\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401\n"
	"+ peer gw2,0 Type=1 Value=198.51.100.2 AddressType=ipv4 Address=0xc6336402\n"
	"+ param std\n"
	"+ param other\n"
	"+ esp aes CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ esp gcm CipherTransformId=20 CipherKeyLength=128 IntegrityAlgorithmId=0\n"
	"+ ah sha Algorithm=5\n"
	"+ ipcomp lzs PrivateAlgorithm=7\n"
	"+ transform 3,esp-std,9 TransformName=aes\n"
	"+ transform 3,esp-gcm,9 TransformName=gcm\n"
	"+ transform 2,ah-std,0 TransformName=sha\n"
	"+ transform 4,comp,0 TransformName=lzs\n"
	"+ proposal p2,0,3 TransformsName=esp-std\n"
	"+ proposal p3,0,3 TransformsName=esp-gcm\n"
	"+ ipsec ipsec-b ParametersName=std ProposalsName=p2 UsePfs=true GroupId=14 PeerGatewayIdName=gw "
	"VendorId=0x01\n"
	"+ ikeprop p1 CipherAlgorithm=7 CipherKeyLength=256 HashAlgorithm=4 DhGroup=14 "
	"AuthenticationMethod=3\n"
	"+ ikeprop p1b CipherAlgorithm=7 CipherKeyLength=128 HashAlgorithm=4 DhGroup=14 "
	"AuthenticationMethod=3\n"
	"+ ikeident 2,9,default CredentialName=cert\n"
	"+ ikeident 2,1,default CredentialName=cert\n"
	"+ ikeident 2,9,second CredentialName=root\n"
	"+ ike ike-b ParametersName=std IdentityType=9 IdentityContext=default PeerName=gw\n"
	"+ ikemember ike-b,0 PropName=p1\n"
	"+ action vpn ExecutionStrategy=doUntilFailure\n"
	"+ subaction vpn,0 SubActionName=ipiaIkeActParametersName.\"ike-b\"\n"
	"+ subaction vpn,1 SubActionName=ipiaIpsecActParametersName.\"ipsec-b\"\n"
	"+ clfr 30 AddrType=ipv4 SrcAddr=0x0a010000 SrcPrefixLength=16 DstAddr=0x0a020000 "
	"DstPrefixLength=16\n"
	"+ rule out Filter=diffServMultiFieldClfrAddrType.30 Action=spdCompActExecutionStrategy.\"vpn\"\n"
	"+ contents out,1 ComponentName=out\n"
	"+ endpoint 2,2 Name=out";

/* Rows that not all cases need, to keep texts short. */
#define WITH_AH_FIRST "+ proposal p2,0,2 TransformsName=ah-std\n- proposal p2,0,3"
#define WITH_IPCOMP_FIRST "+ proposal p2,0,4 TransformsName=comp\n- proposal p2,0,3"
#define START "+ autostart 3 Action=ipiaIpsecActParametersName.\"ipsec-b\" AddressType=ipv4 " \
	      "SourceAddress=0x0a090001 DestAddress=0x0a090002 Protocol=6"
#define PSK "= ikeprop p1 AuthenticationMethod=1\n= ikeident 2,9,default CredentialName=psk\n" \
	    "= peer gw,0 CredentialName=psk"
#define REVOKED "+ revoked crl1,4660"

/* prepare: a transaction before, or NULL. */
struct column_case {
	const char *column;
	const char *prepare;
	const char *change;
};

static const struct column_case cases[] = {
	{ "ipsaAhTranMaxLifetimeSec", WITH_AH_FIRST, "= ah sha MaxLifetimeSec=77" },
	{ "ipsaAhTranMaxLifetimeKB", WITH_AH_FIRST, "= ah sha MaxLifetimeKB=77" },
	{ "ipsaAhTranAlgorithm", WITH_AH_FIRST, "= ah sha Algorithm=7" },
	{ "ipsaAhTranReplayProtection", WITH_AH_FIRST, "= ah sha ReplayProtection=false" },
	{ "ipsaAhTranReplayWindowSize", WITH_AH_FIRST, "= ah sha ReplayWindowSize=128" },
	{ "ipsaEspTranMaxLifetimeSec", NULL, "= esp aes MaxLifetimeSec=77" },
	{ "ipsaEspTranMaxLifetimeKB", NULL, "= esp aes MaxLifetimeKB=77" },
	{ "ipsaEspTranCipherTransformId", NULL, "= esp aes CipherTransformId=13" },
	{ "ipsaEspTranCipherKeyLength", NULL, "= esp aes CipherKeyLength=128" },
	{ "ipsaEspTranCipherKeyRounds", NULL, "= esp aes CipherKeyRounds=9" },
	{ "ipsaEspTranIntegrityAlgorithmId", NULL, "= esp aes IntegrityAlgorithmId=2" },
	{ "ipsaEspTranReplayPrevention", NULL, "= esp aes ReplayPrevention=false" },
	{ "ipsaEspTranReplayWindowSize", NULL, "= esp aes ReplayWindowSize=128" },
	{ "ipsaIpcompTranMaxLifetimeSec", WITH_IPCOMP_FIRST, "= ipcomp lzs MaxLifetimeSec=77" },
	{ "ipsaIpcompTranMaxLifetimeKB", WITH_IPCOMP_FIRST, "= ipcomp lzs MaxLifetimeKB=77" },
	{ "ipsaIpcompTranAlgorithm", WITH_IPCOMP_FIRST,
	  "= ipcomp lzs Algorithm=2 PrivateAlgorithm=0" },
	{ "ipsaIpcompTranDictionarySize", WITH_IPCOMP_FIRST, "= ipcomp lzs DictionarySize=9" },
	{ "ipsaIpcompTranPrivateAlgorithm", WITH_IPCOMP_FIRST, "= ipcomp lzs PrivateAlgorithm=8" },
	{ "ipsaCredType", PSK, "= cred psk Type=x509 Credential=" CERTIFICATE },
	{ "ipsaCredCredential", REVOKED, "= cred cert Credential="
	  "0x300e3009a00302010202021235010100" },
	{ "ipsaCredMngName", NULL, "= cred cert MngName=ca2" },
	{ "ipsaCredRemoteID", NULL, "= cred cert RemoteID=me" },
	{ "ipsaCredAdminStatus", NULL, "= cred cert AdminStatus=disabled" },
	{ "ipsaPeerIdType", NULL, "= peer gw,0 Type=2" },
	{ "ipsaPeerIdValue", NULL, "= peer gw,0 Value=198.51.100.9" },
	{ "ipsaPeerIdAddressType", NULL, "= peer gw,0 AddressType=unknown Address=" },
	{ "ipsaPeerIdAddress", NULL, "= peer gw,0 Address=0xc6336409" },
	{ "ipsaPeerIdCredentialName", NULL, "= peer gw,0 CredentialName=root" },

	{ "ipiaIkeActParametersName", NULL, "= ike ike-b ParametersName=other" },
	{ "ipiaIkeActThresholdDerivedKeys", NULL, "= ike ike-b ThresholdDerivedKeys=50" },
	{ "ipiaIkeActExchangeMode", NULL,
	  "= ike ike-b ExchangeMode=agressive AgressiveModeGroupId=14" },
	{ "ipiaIkeActAgressiveModeGroupId", "= ike ike-b ExchangeMode=agressive AgressiveModeGroupId=14",
	  "= ike ike-b AgressiveModeGroupId=15" },
	{ "ipiaIkeActIdentityType", NULL, "= ike ike-b IdentityType=1" },
	{ "ipiaIkeActIdentityContext", NULL, "= ike ike-b IdentityContext=second" },
	{ "ipiaIkeActPeerName", NULL, "= ike ike-b PeerName=gw2" },
	{ "ipiaIkeActDoActionLogging", NULL, "= ike ike-b DoActionLogging=true" },
	{ "ipiaIkeActDoPacketLogging", NULL, "= ike ike-b DoPacketLogging=9" },
	{ "ipiaIkeActVendorId", NULL, "= ike ike-b VendorId=0x0102" },
	{ "ipiaIpsecActParametersName", NULL, "= ipsec ipsec-b ParametersName=other" },
	{ "ipiaIpsecActProposalsName", NULL, "= ipsec ipsec-b ProposalsName=p3" },
	{ "ipiaIpsecActUsePfs", NULL, "= ipsec ipsec-b UsePfs=false" },
	{ "ipiaIpsecActVendorId", NULL, "= ipsec ipsec-b VendorId=0x010203" },
	{ "ipiaIpsecActGroupId", NULL, "= ipsec ipsec-b GroupId=19" },
	{ "ipiaIpsecActPeerGatewayIdName", NULL, "= ipsec ipsec-b PeerGatewayIdName=" },
	{ "ipiaIpsecActUseIkeGroup", NULL, "= ipsec ipsec-b UseIkeGroup=true" },
	{ "ipiaIpsecActGranularity", NULL, "= ipsec ipsec-b Granularity=port" },
	{ "ipiaIpsecActMode", NULL, "= ipsec ipsec-b Mode=transport" },
	{ "ipiaIpsecActDFHandling", NULL, "= ipsec ipsec-b DFHandling=clear" },
	{ "ipiaIpsecActDoActionLogging", NULL, "= ipsec ipsec-b DoActionLogging=true" },
	{ "ipiaIpsecActDoPacketLogging", NULL, "= ipsec ipsec-b DoPacketLogging=9" },
	{ "ipiaSaNegParamMinLifetimeSecs", NULL, "= param std MinLifetimeSecs=9" },
	{ "ipiaSaNegParamMinLifetimeKB", NULL, "= param std MinLifetimeKB=9" },
	{ "ipiaSaNegParamRefreshThreshSecs", NULL, "= param std RefreshThreshSecs=9" },
	{ "ipiaSaNegParamRefreshThresholdKB", NULL, "= param std RefreshThresholdKB=9" },
	{ "ipiaSaNegParamIdleDurationSecs", NULL, "= param std IdleDurationSecs=9" },
	{ "ipiaIkeActPropName", NULL, "= ikemember ike-b,0 PropName=p1b" },
	{ "ipiaIkePropLifetimeDerivedKeys", NULL, "= ikeprop p1 LifetimeDerivedKeys=9" },
	{ "ipiaIkePropCipherAlgorithm", NULL, "= ikeprop p1 CipherAlgorithm=8" },
	{ "ipiaIkePropCipherKeyLength", NULL, "= ikeprop p1 CipherKeyLength=128" },
	{ "ipiaIkePropCipherKeyRounds", NULL, "= ikeprop p1 CipherKeyRounds=9" },
	{ "ipiaIkePropHashAlgorithm", NULL, "= ikeprop p1 HashAlgorithm=5" },
	{ "ipiaIkePropPrfAlgorithm", NULL, "= ikeprop p1 PrfAlgorithm=1" },
	{ "ipiaIkePropVendorId", NULL, "= ikeprop p1 VendorId=0x01" },
	{ "ipiaIkePropDhGroup", NULL, "= ikeprop p1 DhGroup=19" },
	{ "ipiaIkePropAuthenticationMethod", NULL, "= ikeprop p1 AuthenticationMethod=9" },
	{ "ipiaIkePropMaxLifetimeSecs", NULL, "= ikeprop p1 MaxLifetimeSecs=9" },
	{ "ipiaIkePropMaxLifetimeKB", NULL, "= ikeprop p1 MaxLifetimeKB=9" },
	{ "ipiaIpsecPropTransformsName", NULL, "= proposal p2,0,3 TransformsName=esp-gcm" },
	{ "ipiaIpsecTranTransformName", NULL, "= transform 3,esp-std,9 TransformName=gcm" },
	{ "ipiaIkeIdCredentialName", NULL, "= ikeident 2,9,default CredentialName=root" },
	{ "ipiaAutoIkeAction", START,
	  "= autostart 3 Action=ipiaIkeActParametersName.\"ike-b\"" },
	{ "ipiaAutoIkeAddressType", START,
	  "= autostart 3 AddressType=ipv6 SourceAddress=0x20*16 DestAddress=0x21*16" },
	{ "ipiaAutoIkeSourceAddress", START, "= autostart 3 SourceAddress=0x0a090003" },
	{ "ipiaAutoIkeSourcePort", START, "= autostart 3 SourcePort=9" },
	{ "ipiaAutoIkeDestAddress", START, "= autostart 3 DestAddress=0x0a090003" },
	{ "ipiaAutoIkeDestPort", START, "= autostart 3 DestPort=9" },
	{ "ipiaAutoIkeProtocol", START, "= autostart 3 Protocol=17" },
	{ "ipiaIcmsDistinguishedName", NULL, "= ca ca DistinguishedName=CN=three" },
	{ "ipiaIcmsMaxChainLength", NULL, "= ca ca MaxChainLength=3" },
	{ "ipiaIcmsCredentialName", NULL, "= ca ca CredentialName=root" },
	{ "ipiaCmcDistributionPoint", NULL, "= crl ca,crl1 DistributionPoint=http://crl.test/" },
	{ "ipiaCmcThisUpdate", NULL, "= crl ca,crl1 ThisUpdate=260101000000Z" },
	{ "ipiaCmcNextUpdate", NULL, "= crl ca,crl1 NextUpdate=20270101000000Z" },
	{ "ipiaRctRevokedDate", REVOKED, "= revoked crl1,4660 RevokedDate=260101000000Z" },
	{ "ipiaRctRevokedReason", REVOKED, "= revoked crl1,4660 RevokedReason=removeFromCRL" },

	{ "ipspdIkeActVersion", NULL, "= ikeact ike-b Version=v2ThenV1" },
	{ "ipspdIkeActAggressivePsk", NULL, "= ikeact ike-b AggressivePsk=true" },
	{ "ipspdIkeActNatTraversal", NULL, "= ikeact ike-b NatTraversal=never" },
	{ "ipspdIkeActReauthentication", NULL, "= ikeact ike-b Reauthentication=86400" },
	{ "ipspdIkeActRetransmit", NULL, "= ikeact ike-b Retransmit=5" },
	{ "ipspdIkeActTries", NULL, "= ikeact ike-b Tries=3" },
	{ "ipspdIpsecActEcn", NULL, "= ipsecact ipsec-b Ecn=none" },
	{ "ipspdIpsecActDscp", NULL, "= ipsecact ipsec-b Dscp=46" },
	{ "ipspdIpsecActTfcPad", NULL, "= ipsecact ipsec-b TfcPad=1400" },
	{ "ipspdIpsecActDummyInterval", NULL, "= ipsecact ipsec-b DummyInterval=60" },
	{ "ipspdIpsecActEsn", NULL, "= ipsecact ipsec-b Esn=yes" },
	{ "ipspdIpsecActFromPacket", NULL, "= ipsecact ipsec-b FromPacket=protocol" },
	{ "ipspdIkePropPrf", NULL, "= ikev2 p1 Prf=7" },
	{ "ipspdIkePropIntegrity", NULL, "= ikev2 p1 Integrity=14" },
	{ "ipspdIkePropAddKe", NULL, "= ikev2 p1 AddKe=0x0024" },
	{ "ipspdCaCrlLevel", NULL, "= caopt ca CrlLevel=required" },
	{ "ipspdCaInRequests", NULL, "= caopt ca InRequests=false" },
	{ "ipspdPeerOptPpkName", NULL, "= peeropt gw,0 PpkName=psk" },
	{ "ipspdPeerOptPpkRequired", "= peeropt gw,0 PpkName=psk", "= peeropt gw,0 PpkRequired=false" },
	{ "ipspdIkeIdOptSecondCred", NULL, "= identopt 2,9,default SecondCred=root" },
	{ "ipspdIkeIdOptThirdCred", NULL, "= identopt 2,9,default ThirdCred=root" },
	{ "ipspdIkeIdOptFourthCred", NULL, "= identopt 2,9,default FourthCred=psk" },
	{ "ipspdCredOptRsaPss", NULL, "= credopt cert RsaPss=true" },
};

static const struct {
	const char *column;	/* or the beginning of several */
	const char *where;
} elsewhere[] = {
	{ "ipsaSaPreAct", "manual keys: check_sa.c, check_action.c" },
	{ "ipsaCredSeg", "octets of long credentials: check_sa.c, check_bind.c" },
	{ "ipiaCredFilt", "no SA with manual keys has a certificate to match: check_residual.c; our "
			  "identity: check_connection.c" },
	{ "ipiaPeerIdFilt", "filters: check_identity.c, check_residual.c" },
	{ "ipiaIcmsPolicyStatement", "a text for people" },
};

static const struct mib_table *const augments[] = {
	&mib_t_ipspdIkeActTable, &mib_t_ipspdIpsecActTable, &mib_t_ipspdIkePropTable,
	&mib_t_ipspdCaTable, &mib_t_ipspdPeerOptTable, &mib_t_ipspdIkeIdOptTable, &mib_t_ipspdCredOptTable,
};

static bool is_ours(const struct mib_table *t)
{
	for (size_t i = 0; i < sizeof(augments) / sizeof(augments[0]); i++)
		if (augments[i] == t)
			return true;
	return strncmp(t->name, "ipsa", 4) == 0 || strncmp(t->name, "ipia", 4) == 0;
}

static bool is_elsewhere(const char *column)
{
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strncmp(column, elsewhere[i].column, strlen(elsewhere[i].column)) == 0)
			return true;
	return false;
}

static bool has_case(const char *column)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].column, column) == 0)
			return true;
	return false;
}

START_TEST(test_every_writable_column_has_a_case_or_acts_elsewhere)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		for (size_t k = 0; is_ours(t) && k < t->n_columns; k++) {
			const struct mib_column *col = &t->columns[k];

			if (col->access < MIB_ACC_WRITE || col->tc == MIB_TC_ROW_STATUS ||
			    col->tc == MIB_TC_STORAGE_TYPE)
				continue;
			ck_assert_msg(has_case(col->name) != is_elsewhere(col->name), "%s",
				      col->name);
		}
	}
}
END_TEST

#define SEEN_MAX 8192

/* All that all connections say of themselves. */
static void look(struct mib_store *s, char seen[SEEN_MAX])
{
	struct pol_conn_set set;
	size_t at = 0;

	ck_assert(pol_conn_set_make(mib_store_view(s), &set));
	for (size_t i = 0; i < set.n_keys; i++) {
		struct pol_connection *c;

		ck_assert(pol_connection_make(mib_store_view(s), &set.keys[i], &c));
		at += (size_t)snprintf(seen + at, SEEN_MAX - at, "%s/%s\nfault %s\n",
				       set.keys[i].ipsec, set.keys[i].ike, c->fault);
		for (int col = POL_CONN_PEER_IDENTITY; col <= POL_CONN_RULES; col++) {
			char buf[POL_CONN_COLUMN];

			pol_conn_text(&set.keys[i], c, (enum pol_conn_column)col, buf);
			at += (size_t)snprintf(seen + at, SEEN_MAX - at, "%d %s\n", col, buf);
			ck_assert_uint_lt(at, SEEN_MAX);
		}
		for (size_t k = 0; k < c->n_peers; k++) {
			char text[IPSP_ADDR_TEXT] = "none";

			if (c->peers[k].address.family)
				ipsp_addr_print(&c->peers[k].address, text);
			at += (size_t)snprintf(seen + at, SEEN_MAX - at, "at %s\n", text);
			ck_assert_uint_lt(at, SEEN_MAX);
		}
		pol_connection_free(c);
	}
	pol_conn_set_fini(&set);
}

START_TEST(test_a_change_of_a_column_is_seen_or_refused)
{
	const struct column_case *k = &cases[_i];
	char before[SEEN_MAX], after[SEEN_MAX];
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, rows);
	if (k->prepare)
		rows_put(s, k->prepare);
	look(s, before);
	if (rows_try(s, k->change, &d) == MIB_OK) {
		look(s, after);
		ck_assert_msg(strcmp(before, after) != 0, "%s: %s\n%s", k->column, k->change, before);
	} else {
		/* For a reason of its own. */
		ck_assert_msg(strstr(d.object, k->column), "%s: %s: %s", k->column, d.object,
			      d.text);
	}
	mib_store_free(s);
}
END_TEST

#define CERT_REVOKED "certificate \"cert\" is revoked by CRL \"crl1\""

static const struct {
	const char *change;
	const char *text;
} faults[] = {
	{ REVOKED " RevokedDate=260101000000Z RevokedReason=keyCompromise",
	  "certificate \"cert\" is revoked since 260101000000Z (key compromise) by CRL \"crl1\"" },
	{ "+ revoked crl1,4661", "" },
	/* Without a version (RFC 5280 4.1), with all 32 bits, with more, with a negative one. */
	{ REVOKED "\n= cred cert Credential=0x3009300702021234010100", CERT_REVOKED },
	{ "+ revoked crl1,2147488308\n= cred cert Credential=0x300c300a02050080001234010100",
	  CERT_REVOKED },
	{ "+ revoked crl1,2147488308\n= cred cert Credential=0x300d300b0206010080001234010100", "" },
	{ "+ revoked crl1,2147488308\n= cred cert Credential=0x300b3009020480001234010100", "" },
	{ REVOKED "\n= caopt ca CrlLevel=none", "" },
	{ "= ca ca CredentialName=psk", "CA \"ca\" has the credential \"psk\", which is no certificate" },
	{ "= ca ca CredentialName=root\n= cred root AdminStatus=disabled",
	  "CA \"ca\" has no enabled certificate \"root\"" },
	{ "= ikeprop p1 CipherAlgorithm=65120\n= ikev2 p1 Integrity=12",
	  "proposal \"p1\" has an integrity algorithm, and its cipher brings its own" },
	{ "- subaction vpn,1\n+ autostart 3 Action=ipiaIkeActParametersName.\"ike-b\" AddressType=ipv4 "
	  "SourceAddress=0x0a090001 DestAddress=0x0a090002",
	  "autostart row 3 starts it with an address that is none in peer list \"gw\"" },
};

START_TEST(test_faults_of_authorities_and_autostart_are_said_in_words)
{
	struct mib_store *s = store_new();
	struct pol_conn_set set;
	struct pol_connection *c;

	rows_put(s, rows);
	rows_put(s, faults[_i].change);
	ck_assert(pol_conn_set_make(mib_store_view(s), &set));
	ck_assert_uint_eq(set.n_keys, 1);
	ck_assert(pol_connection_make(mib_store_view(s), &set.keys[0], &c));
	ck_assert_str_eq(c->fault, faults[_i].text);
	pol_connection_free(c);
	pol_conn_set_fini(&set);
	mib_store_free(s);
}
END_TEST

static const struct {
	const char *change;
	enum mib_err err;
} refusals[] = {
	{ "= esp aes CipherKeyRounds=14", MIB_OK },
	{ "= esp aes CipherKeyLength=192 CipherKeyRounds=12", MIB_OK },
	{ "= esp aes CipherKeyRounds=10", MIB_INCONSISTENT_VALUE },
	{ "+ esp none CipherTransformId=11 IntegrityAlgorithmId=5 CipherKeyRounds=1",
	  MIB_INCONSISTENT_VALUE },
	{ "= ikeprop p1 CipherKeyRounds=14", MIB_OK },
	{ "= ikeprop p1 CipherAlgorithm=8 CipherKeyRounds=14", MIB_INCONSISTENT_VALUE },
	{ "= crl ca,crl1 ThisUpdate=260101000000Z NextUpdate=20260201000000Z", MIB_OK },
	{ "= crl ca,crl1 ThisUpdate=260101000000Z NextUpdate=20251201000000Z",
	  MIB_INCONSISTENT_VALUE },
	{ "= crl ca,crl1 ThisUpdate=tomorrow", MIB_WRONG_VALUE },
	{ "= crl ca,crl1 NextUpdate=260230000000Z", MIB_WRONG_VALUE },
	{ REVOKED " RevokedDate=2026-01-01", MIB_WRONG_VALUE },
	{ "+ crl ca2,crl1", MIB_INCONSISTENT_VALUE },
	/* Names that must be known when they are SET, also in a row that is not active yet. */
	{ "~ ike new ParametersName=none", MIB_INCONSISTENT_VALUE },
	{ "~ ipsec new ParametersName=none", MIB_INCONSISTENT_VALUE },
	{ "~ ipsec new ProposalsName=none", MIB_INCONSISTENT_VALUE },
	{ "~ ipsec new PeerGatewayIdName=none", MIB_INCONSISTENT_VALUE },
	{ "~ ikemember ike-b,9 PropName=none", MIB_INCONSISTENT_VALUE },
	{ "~ proposal new,0,3 TransformsName=none", MIB_INCONSISTENT_VALUE },
	/* It is there, but for another protocol. */
	{ "~ proposal new,0,2 TransformsName=esp-std", MIB_INCONSISTENT_VALUE },
	{ "~ credfilter new AcceptCredFrom=none", MIB_INCONSISTENT_VALUE },
	{ "~ autostart 9 Action=ipiaIkeActParametersName.\"none\"", MIB_INCONSISTENT_VALUE },
	{ "~ autostart 9 Action=spdAcceptAction.0", MIB_INCONSISTENT_VALUE },
	{ "~ transform 3,new,0 TransformName=none", MIB_OK },
	{ "+ transform 3,new,0 TransformName=none", MIB_INCONSISTENT_VALUE },
	{ "+ transform 2,new,0 TransformName=aes", MIB_INCONSISTENT_VALUE },
	{ "+ ike new ParametersName=std IdentityContext=default", MIB_INCONSISTENT_VALUE },
	{ "+ peerfilter new IdentityType=2", MIB_INCONSISTENT_VALUE },
	{ "+ autostart 9 Action=ipiaIkeActParametersName.\"ike-b\" AddressType=ipv4 "
	  "SourceAddress=0x0a090001", MIB_INCONSISTENT_VALUE },
};

START_TEST(test_what_section_4_demands_is_demanded)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, rows);
	ck_assert_msg(rows_try(s, refusals[_i].change, &d) == refusals[_i].err, "%s: %s: %s",
		      refusals[_i].change, d.object, d.text);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/connection columns");
	TCase *c = tcase_create("columns");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_every_writable_column_has_a_case_or_acts_elsewhere);
	tcase_add_loop_test(c, test_a_change_of_a_column_is_seen_or_refused, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(c, test_faults_of_authorities_and_autostart_are_said_in_words, 0,
			    sizeof(faults) / sizeof(faults[0]));
	tcase_add_loop_test(c, test_what_section_4_demands_is_demanded, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
