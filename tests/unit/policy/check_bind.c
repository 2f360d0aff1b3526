/*
 * tests/unit/policy/check_bind.c - what may not become active, and what the refusal says.
 *
 * Each case is one transaction on top of rows that are all right; after a refusal nothing may have
 * changed. Judgements of the store and of the binders are met alike, as a manager meets them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/algs.h"
#include "rowtext.h"

static const char good[] =
	"+ cred k16 Type=sharedSecret Credential=0x16*16 AdminStatus=enabled\n"
	"+ cred k20 Type=sharedSecret Credential=0x20*20 AdminStatus=enabled\n"
	"+ cred k32 Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ cred off Type=sharedSecret Credential=0x32*32\n"
	"+ cred cert Type=x509 Credential=0x30023000 AdminStatus=enabled\n"
	"+ segment chain,1 Value=0x30023000\n+ cred chain Type=x509 AdminStatus=enabled\n"
	"+ esp good CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ esp gcm CipherTransformId=20 CipherKeyLength=256 IntegrityAlgorithmId=0\n"
	"+ esp ctr CipherTransformId=13 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ esp ccm CipherTransformId=16 CipherKeyLength=128 IntegrityAlgorithmId=0\n"
	"+ esp chacha CipherTransformId=249 IntegrityAlgorithmId=0\n"
	"+ esp null CipherTransformId=11 CipherKeyLength=0 IntegrityAlgorithmId=5\n"
	"~ esp half CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ ah good Algorithm=5\n"
	"+ ah gmac Algorithm=11\n"
	"+ peer here,0 Type=1 AddressType=ipv4 Address=192.0.2.9\n"
	"+ peer there,0 Type=1 AddressType=ipv4 Address=198.51.100.9\n"
	"+ peer anywhere,0 Type=0\n"
	"+ pre one,2 ESPSPI=300 ESPTransformName=good ESPEncSecretName=k32 "
	"ESPAuthSecretName=k32 PeerGatewayIdName=there\n"
	"+ pre one,1 ESPSPI=301 ESPTransformName=good ESPEncSecretName=k32 "
	"ESPAuthSecretName=k32 PeerGatewayIdName=there";

#define PRE "+ pre two,2 ESPSPI=400 ESPTransformName=good ESPEncSecretName=k32 " \
	    "ESPAuthSecretName=k32 "
#define ESP(columns) "+ esp new " columns
#define PROP "+ ikeprop new CipherAlgorithm=7 CipherKeyLength=256 HashAlgorithm=4 DhGroup=14 " \
	     "AuthenticationMethod=1 "

static const struct {
	const char *name;
	const char *rows;
	enum mib_err err;
	const char *says;	/* part of the reason; NULL: not looked at */
} cases[] = {
	/* values that are wrong under all circumstances */
	{ "an SPI below 256", PRE "ESPSPI=255", MIB_WRONG_VALUE, "256" },
	{ "an SPI below 0", PRE "ESPSPI=-1", MIB_WRONG_VALUE, NULL },
	{ "an AH SPI below 256", PRE "AHSPI=1", MIB_WRONG_VALUE, NULL },
	{ "a CPI over 16 bits", PRE "IPCompSPI=65536", MIB_WRONG_VALUE, NULL },
	{ "an unknown mode", PRE "ActionType=3", MIB_WRONG_VALUE, "tunnel(1)" },
	{ "a window that is no power of two", ESP("ReplayWindowSize=65"), MIB_WRONG_VALUE, NULL },
	{ "a window over the most", ESP("ReplayWindowSize=8192"), MIB_WRONG_VALUE, NULL },
	{ "a window under the least", ESP("ReplayWindowSize=16"), MIB_WRONG_VALUE, "32" },
	{ "an AH window under the least", "+ ah new ReplayWindowSize=8", MIB_WRONG_VALUE, NULL },
	{ "an unknown PRF", PROP "\n= ikev2 new Prf=9", MIB_WRONG_VALUE, "RFC 8247" },
	{ "a weak integrity algorithm", PROP "\n= ikev2 new Integrity=1", MIB_WRONG_VALUE,
	  "RFC 8247" },
	{ "an additional key exchange of one octet", PROP "\n= ikev2 new AddKe=0x0e",
	  MIB_WRONG_LENGTH, NULL },
	{ "a weak additional key exchange", PROP "\n= ikev2 new AddKe=0x00230002", MIB_WRONG_VALUE,
	  "RFC 8247" },
	{ "a DSCP over 63", "= preopt one,2 Dscp=64", MIB_WRONG_VALUE, NULL },
	{ "a port that is none", "= preopt one,2 UdpPort=65536", MIB_WRONG_VALUE, NULL },
	{ "a keepalive an hour and more apart", "= preopt one,2 UdpKeepalive=3601", MIB_WRONG_VALUE,
	  NULL },
	{ "more padding than there may be", "= preopt one,2 TfcPad=9001", MIB_WRONG_VALUE, NULL },
	{ "64-bit numbers without replay protection",
	  "= esp good ReplayPrevention=false\n= preopt one,1 Esn=true", MIB_INCONSISTENT_VALUE,
	  "ipspdPreActOptEsn" },
	{ "numbers of 64 bits that go on from zero", "= preopt one,2 Esn=true SeqRollover=true",
	  MIB_INCONSISTENT_VALUE, "ipspdPreActOptSeqRollover" },
	{ "a kerberos credential", "+ cred new Type=kerberos", MIB_WRONG_VALUE, NULL },
	{ "a credential of type reserved", "+ cred new Type=0", MIB_WRONG_VALUE, NULL },
	{ "a credential of type unknown", "+ cred new Type=1", MIB_WRONG_VALUE, NULL },
	{ "a segment over 1024 octets", "+ segment off,1 Value=0xaa*1025", MIB_WRONG_LENGTH,
	  NULL },
	{ "a time period that ends before it begins",
	  "+ time t Period=20260101T000000/20250101T000000", MIB_WRONG_VALUE, NULL },
	{ "a time period that ends as it begins",
	  "+ time t Period=20260101T000000/20260101T000000", MIB_WRONG_VALUE, NULL },
	{ "a time period from the future on", "+ time t Period=THISANDFUTURE/20260101T000000",
	  MIB_WRONG_VALUE, NULL },
	{ "a time period up to the past", "+ time t Period=20260101T000000/THISANDPRIOR",
	  MIB_WRONG_VALUE, NULL },
	{ "a time period without its slash", "+ time t Period=20260101T000000", MIB_WRONG_VALUE,
	  NULL },
	{ "a 13th month", "+ time t Period=20261301T000000/THISANDFUTURE", MIB_WRONG_VALUE, NULL },
	{ "day 64 of a month", "+ time t DayOfMonthMask=0xff*8", MIB_WRONG_VALUE, NULL },
	{ "a peer with a DNS name", "+ peer new,0 Type=2 AddressType=dns", MIB_WRONG_VALUE, NULL },
	{ "messages of TCP", "+ clfr 1 AddrType=ipv4 Protocol=6\n= clfropt 1 MessageFirst=1",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "messages of any protocol", "+ clfr 1 AddrType=ipv4\n= clfropt 1 MessageLast=9",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "messages with ports", "+ clfr 1 AddrType=ipv4 Protocol=1 DstL4PortMin=1\n"
	  "= clfropt 1 MessageFirst=1", MIB_INCONSISTENT_VALUE, NULL },
	{ "messages that end before they begin", "+ clfr 1 AddrType=ipv4 Protocol=1\n"
	  "= clfropt 1 MessageFirst=2 MessageLast=1", MIB_INCONSISTENT_VALUE, NULL },
	{ "ports that are hidden", "+ clfr 1 AddrType=ipv4 DstL4PortMin=1\n"
	  "= clfropt 1 Opaque=only", MIB_INCONSISTENT_VALUE, NULL },
	{ "a classifier for DNS names", "+ clfr 1 AddrType=dns", MIB_WRONG_VALUE, NULL },
	{ "a classifier for any family", "+ clfr 1 AddrType=unknown", MIB_WRONG_VALUE, NULL },
	{ "a prefix over 128 bits", "+ clfr 1 AddrType=ipv6 DstPrefixLength=129", MIB_WRONG_VALUE,
	  NULL },
	{ "a PRF of its own", PROP "PrfAlgorithm=1", MIB_WRONG_VALUE, NULL },

	/* classifiers */
	{ "a prefix over 32 bits in IPv4",
	  "+ clfr 1 AddrType=ipv4 DstAddr=10.0.0.0 DstPrefixLength=33", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "an IPv6 address in an IPv4 classifier", "+ clfr 1 AddrType=ipv4 DstAddr=2001:db8::1",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "a prefix length without an address", "+ clfr 1 AddrType=ipv4 SrcPrefixLength=8",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "destination ports that end before they begin",
	  "+ clfr 1 AddrType=ipv4 DstL4PortMin=2 DstL4PortMax=1", MIB_INCONSISTENT_VALUE, NULL },
	{ "source ports that end before they begin",
	  "+ clfr 1 AddrType=ipv4 SrcL4PortMin=2 SrcL4PortMax=1", MIB_INCONSISTENT_VALUE, NULL },
	{ "an IPSO filter that selects nothing", "+ ipso i Type=", MIB_INCONSISTENT_VALUE, NULL },
	{ "an IPSO filter without what it selects", "+ ipso i Type=classificationLevel",
	  MIB_INCONSISTENT_VALUE, NULL },

	/* transforms */
	{ "DES", ESP("CipherTransformId=2 IntegrityAlgorithmId=5"), MIB_INCONSISTENT_VALUE,
	  "DES is too weak (RFC 8221): ipspd offers it with the option allow-weak only" },
	{ "3DES", ESP("CipherTransformId=3 IntegrityAlgorithmId=5"), MIB_INCONSISTENT_VALUE,
	  "too weak" },
	{ "an unknown cipher", ESP("CipherTransformId=99 IntegrityAlgorithmId=5"),
	  MIB_INCONSISTENT_VALUE, "cipher 99 is unknown" },
	{ "HMAC-MD5", ESP("CipherTransformId=12 CipherKeyLength=128 IntegrityAlgorithmId=1"),
	  MIB_INCONSISTENT_VALUE, "HMAC-MD5 is too weak" },
	{ "an unknown integrity algorithm",
	  ESP("CipherTransformId=12 CipherKeyLength=128 IntegrityAlgorithmId=77"),
	  MIB_INCONSISTENT_VALUE, "integrity algorithm 77 is unknown" },
	{ "AES-CBC without integrity",
	  ESP("CipherTransformId=12 CipherKeyLength=128 IntegrityAlgorithmId=0"),
	  MIB_INCONSISTENT_VALUE, "needs an integrity algorithm" },
	{ "neither encryption nor integrity", ESP("CipherTransformId=11 IntegrityAlgorithmId=0"),
	  MIB_INCONSISTENT_VALUE, "needs an integrity algorithm" },
	{ "AES-GCM with a second integrity",
	  ESP("CipherTransformId=20 CipherKeyLength=128 IntegrityAlgorithmId=5"),
	  MIB_INCONSISTENT_VALUE, "its own integrity" },
	{ "AES with a key of 160 bits",
	  ESP("CipherTransformId=12 CipherKeyLength=160 IntegrityAlgorithmId=5"),
	  MIB_INCONSISTENT_VALUE, "128, 192 or 256" },
	{ "AES without a key length", ESP("CipherTransformId=12 IntegrityAlgorithmId=5"),
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "NULL with a key length",
	  ESP("CipherTransformId=11 CipherKeyLength=128 IntegrityAlgorithmId=5"),
	  MIB_INCONSISTENT_VALUE, "0 bits" },
	{ "AES-GMAC in ESP",
	  ESP("CipherTransformId=12 CipherKeyLength=128 IntegrityAlgorithmId=11"),
	  MIB_INCONSISTENT_VALUE, "AH" },
	{ "a transform without a cipher", ESP("IntegrityAlgorithmId=5"), MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "AH with HMAC-MD5", "+ ah new Algorithm=1", MIB_INCONSISTENT_VALUE, "too weak" },
	{ "AH with nothing", "+ ah new Algorithm=0", MIB_INCONSISTENT_VALUE, "unknown" },

	/* manual SAs */
	{ "no protocol", "+ pre two,2 ESPSPI=400", MIB_INCONSISTENT_VALUE, NULL },
	{ "a transform without an SPI", "+ pre two,2 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32", MIB_INCONSISTENT_VALUE, NULL },
	{ "a transform that is not there", PRE "ESPTransformName=nobody", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "a transform that is not active", PRE "ESPTransformName=half", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "no cipher key", PRE "ESPEncSecretName=", MIB_INCONSISTENT_VALUE, "AES-CBC" },
	{ "no integrity key", PRE "ESPAuthSecretName=", MIB_INCONSISTENT_VALUE,
	  "HMAC-SHA2-256-128" },
	{ "a cipher key too short", PRE "ESPEncSecretName=k16", MIB_INCONSISTENT_VALUE,
	  "16 octets, but AES-CBC needs 32" },
	{ "an integrity key too short", PRE "ESPAuthSecretName=k20", MIB_INCONSISTENT_VALUE,
	  "20 octets, but HMAC-SHA2-256-128 needs 32" },
	{ "a certificate as a key", PRE "ESPEncSecretName=cert", MIB_INCONSISTENT_VALUE,
	  "no sharedSecret" },
	{ "a key for NULL", PRE "ESPTransformName=null", MIB_INCONSISTENT_VALUE, "has no key" },
	{ "AES-GCM with a manual key", PRE "ESPTransformName=gcm", MIB_INCONSISTENT_VALUE,
	  "counter would repeat" },
	{ "AES-CTR with a manual key", PRE "ESPTransformName=ctr", MIB_INCONSISTENT_VALUE,
	  "counter would repeat" },
	{ "AES-CCM with a manual key", PRE "ESPTransformName=ccm", MIB_INCONSISTENT_VALUE,
	  "counter would repeat" },
	{ "ChaCha20 with a manual key", PRE "ESPTransformName=chacha", MIB_INCONSISTENT_VALUE,
	  "counter would repeat" },
	{ "AES-GMAC of AH with a manual key",
	  "+ pre two,2 AHSPI=400 AHTransformName=gmac AHSharedSecretName=k20",
	  MIB_INCONSISTENT_VALUE, "counter would repeat" },
	{ "an AH key too short",
	  "+ pre two,2 AHSPI=400 AHTransformName=good AHSharedSecretName=k20",
	  MIB_INCONSISTENT_VALUE, "needs 32" },
	{ "a peer without an address", PRE "PeerGatewayIdName=anywhere", MIB_INCONSISTENT_VALUE,
	  "has no address" },
	{ "a peer that is not there", PRE "PeerGatewayIdName=nobody", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "an outbound SPI taken towards the same peer",
	  "+ pre two,2 ESPSPI=300 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32 PeerGatewayIdName=there", MIB_INCONSISTENT_VALUE,
	  "SPI 300 is taken by ipsaSaPreconfiguredActionTable.\"one\",outbound" },
	{ "an outbound SPI taken, to wherever packets go",
	  "+ pre two,2 ESPSPI=300 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32", MIB_INCONSISTENT_VALUE, "is taken" },
	{ "an inbound SPI taken, from another peer",
	  "+ pre two,1 ESPSPI=301 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32 PeerGatewayIdName=here", MIB_INCONSISTENT_VALUE, "is taken" },
	{ "two rows of one transaction with one SPI",
	  "+ pre two,1 ESPSPI=500 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32\n"
	  "+ pre three,1 ESPSPI=500 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32", MIB_INCONSISTENT_VALUE, "is taken" },
	{ "a change to an SPI that is taken",
	  "+ pre two,1 ESPSPI=500 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32\n= pre one,1 ESPSPI=500", MIB_INCONSISTENT_VALUE, "is taken" },

	/* credentials and peers */
	{ "an enabled credential with a gap in its segments",
	  "~ cred big Type=x509 AdminStatus=enabled\n+ segment big,1 Value=0xaa*1024\n"
	  "+ segment big,3 Value=0xaa*5\n= cred big RowStatus=active", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "an enabled credential with a short segment inside",
	  "~ cred big Type=x509 AdminStatus=enabled\n+ segment big,1 Value=0xaa*1000\n"
	  "+ segment big,2 Value=0xaa*5\n= cred big RowStatus=active", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "a certificate that is none", "+ cred new Type=x509 Credential=0x30*32 AdminStatus=enabled",
	  MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a certificate cut short", "+ cred new Type=x509 Credential=0x300530023000 "
	  "AdminStatus=enabled", MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a certificate with a length that is too long", "+ cred new Type=x509 "
	  "Credential=0x3081023000 AdminStatus=enabled", MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a certificate of no known length", "+ cred new Type=x509 Credential=0x308030000000 "
	  "AdminStatus=enabled", MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a certificate with a length beyond all", "+ cred new Type=x509 "
	  "Credential=0x3084ffffffff3000 AdminStatus=enabled", MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a certificate with a second one cut short", "+ cred new Type=x509 "
	  "Credential=0x30023000300230 AdminStatus=enabled", MIB_INCONSISTENT_VALUE, "behind" },
	{ "a secret in the place of a certificate", "= cred cert Credential=geheim",
	  MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a segment of a certificate in use that spoils it", "= segment chain,1 Value=0x3002",
	  MIB_INCONSISTENT_VALUE, "RFC 5280" },
	{ "a segment behind a certificate in use that is none", "+ segment chain,2 Value=0x30",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "a credential without a value", "+ cred big Type=x509 AdminStatus=enabled",
	  MIB_INCONSISTENT_VALUE, NULL },
	{ "an IPv6 address of an IPv4 peer",
	  "+ peer new,0 Type=1 AddressType=ipv4 Address=2001:db8::1", MIB_INCONSISTENT_VALUE,
	  NULL },
	{ "an address of a dynamic peer", "+ peer new,0 Type=1 AddressType=unknown "
	  "Address=192.0.2.1", MIB_INCONSISTENT_VALUE, NULL },

	/* IKE proposals */
	{ "IKE with DES", PROP "CipherAlgorithm=1", MIB_INCONSISTENT_VALUE, "DES is too weak" },
	{ "IKE with an unknown cipher", PROP "CipherAlgorithm=77", MIB_INCONSISTENT_VALUE,
	  "cipher 77 is unknown" },
	{ "IKE with MD5", PROP "HashAlgorithm=1", MIB_INCONSISTENT_VALUE, "MD5 is too weak" },
	{ "IKE with MODP-1024", PROP "DhGroup=2", MIB_INCONSISTENT_VALUE, "MODP-1024 is too weak" },
	{ "IKE without a group", PROP "DhGroup=0", MIB_INCONSISTENT_VALUE, "unknown" },
	{ "IKE with an unknown method", PROP "AuthenticationMethod=99", MIB_INCONSISTENT_VALUE,
	  "method 99 is unknown" },
	{ "IKE with AES of 40 bits", PROP "CipherKeyLength=40", MIB_INCONSISTENT_VALUE,
	  "128, 192 or 256" },
};

/* These are all right; they guard the cases above against refusing everything. */
static const struct {
	const char *name;
	const char *rows;
} fine[] = {
	{ "a second SA", PRE },
	{ "an SPI at its least", PRE "ESPSPI=256" },
	{ "an SPI at its most", PRE "ESPSPI=2147483647" },
	{ "an outbound SPI taken towards another peer",
	  "+ pre two,2 ESPSPI=300 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32 PeerGatewayIdName=here" },
	{ "an inbound SPI that is taken outbound",
	  "+ pre two,1 ESPSPI=300 ESPTransformName=good ESPEncSecretName=k32 "
	  "ESPAuthSecretName=k32" },
	{ "two SPIs change places", "= pre one,1 ESPSPI=300\n= pre one,2 ESPSPI=301" },
	{ "a disabled key", PRE "ESPEncSecretName=off" },
	{ "AH alone", "+ pre two,2 AHSPI=400 AHTransformName=good AHSharedSecretName=k32" },
	{ "an unused SPI", PRE "AHSPI=1000" },
	{ "a window of 32",
	  ESP("CipherTransformId=11 IntegrityAlgorithmId=5 ReplayWindowSize=32") },
	{ "NULL with integrity", ESP("CipherTransformId=11 IntegrityAlgorithmId=2") },
	{ "AES-GCM for IKE",
	  ESP("CipherTransformId=20 CipherKeyLength=128 IntegrityAlgorithmId=0") },
	{ "a whole year", "+ time t Period=20260101T000000/20261231T240000" },
	{ "a time of day over midnight", "+ time t TimeOfDayMask=00000000T220000/00000000T060000" },
	{ "two certificates in one", "= cred cert Credential=0x3002300030023000" },
	{ "another certificate in a segment in use", "= segment chain,1 Value=0x3002300030023000" },
	{ "what is no certificate, as long as it is disabled",
	  "+ cred new Type=x509 Credential=0x30*32" },
	{ "a dynamic peer", "+ peer new,0 Type=2 Value=*.example.com" },
	{ "an IKE proposal", PROP },
	{ "an IKE proposal with ChaCha20", PROP "CipherAlgorithm=65128 CipherKeyLength=0" },
	{ "an IKE proposal with AES-CTR", PROP "CipherAlgorithm=65113" },
	{ "an IKE proposal with AES-CCM", PROP "CipherAlgorithm=65116" },
	{ "an IKE proposal with a brainpool curve", PROP "DhGroup=29" },
	{ "an IKE proposal with XCBC", PROP "\n= ikev2 new Prf=4 Integrity=5" },
	{ "an IKE proposal with CMAC", PROP "\n= ikev2 new Prf=8 Integrity=8" },
	{ "a classifier of one address", "+ clfr 1 AddrType=ipv6 SrcAddr=2001:db8::1 "
	  "SrcPrefixLength=128" },
};

START_TEST(test_a_bad_row_is_refused_with_the_reason)
{
	struct mib_store *s = store_new();
	struct mib_diag d;
	uint64_t before;
	enum mib_err err;

	rows_put(s, good);
	before = mib_store_generation(s);
	err = rows_try(s, cases[_i].rows, &d);
	ck_assert_msg(err == cases[_i].err, "%s: %s, not %s (%s: %s)", cases[_i].name,
		      mib_err_name(err), mib_err_name(cases[_i].err), d.object, d.text);
	ck_assert_msg(d.text[0] != '\0', "%s: no reason", cases[_i].name);
	if (cases[_i].says)
		ck_assert_msg(strstr(d.text, cases[_i].says), "%s: says \"%s\"", cases[_i].name,
			      d.text);
	ck_assert_uint_eq(mib_store_generation(s), before);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_good_row_is_taken)
{
	struct mib_store *s = store_new();
	struct mib_diag d;
	enum mib_err err;

	rows_put(s, good);
	err = rows_try(s, fine[_i].rows, &d);
	ck_assert_msg(err == MIB_OK, "%s: %s (%s: %s)", fine[_i].name, mib_err_name(err), d.object,
		      d.text);
	mib_store_free(s);
}
END_TEST

/* The refusal must name the object, not only the reason. */
static const char *const weak[] = {
	PROP "CipherAlgorithm=1 CipherKeyLength=0", PROP "CipherAlgorithm=5 CipherKeyLength=0",
	PROP "HashAlgorithm=1", PROP "DhGroup=1", PROP "DhGroup=2", PROP "DhGroup=5",
	PROP "\n= ikev2 new Prf=1 Integrity=1", PROP "\n= ikev2 new AddKe=0x0002",
};

START_TEST(test_weak_ones_are_taken_when_they_are_allowed)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, good);
	ck_assert_int_ne(rows_try(s, weak[_i], &d), MIB_OK);
	pol_algs_allow_weak(true);
	ck_assert_msg(rows_try(s, weak[_i], &d) == MIB_OK, "%s: %s", weak[_i], d.text);
	pol_algs_allow_weak(false);
	mib_store_free(s);
}
END_TEST

#define ANSWER(mode) "+ param std MinLifetimeSecs=300 RefreshThreshSecs=80\n+ transform 3,t,1 TransformName=good\n" \
		     "+ proposal p2,1,3 TransformsName=t\n+ ipsec answer ParametersName=std ProposalsName=p2 " \
		     "PeerGatewayIdName=there Mode=" mode

START_TEST(test_the_default_response_keeps_its_action_and_that_its_mode)
{
	static const char by_it[] = "= system 0 DefaultResponseAction=answer", none[] = "= system 0 DefaultResponseAction=";
	static const char tunnel[] = "= ipsec answer Mode=tunnel";
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, good);
	rows_put(s, ANSWER("tunnel"));
	ck_assert_int_eq(rows_try(s, by_it, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_str_eq(d.object, "ipspdDefaultResponseAction.0");
	ck_assert_ptr_nonnull(strstr(d.text, "tunnel mode"));
	rows_put(s, "= ipsec answer Mode=transport");
	rows_put(s, by_it);
	ck_assert_int_eq(rows_try(s, tunnel, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "tunnel mode"));
	ck_assert_int_eq(rows_try(s, "- ipsec answer", &d), MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "ipspdDefaultResponseAction"));
	rows_put(s, none);
	rows_put(s, tunnel);
	rows_put(s, "- ipsec answer");
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_refusal_names_column_and_row)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, good);
	ck_assert_int_eq(rows_try(s, ESP("CipherTransformId=2 IntegrityAlgorithmId=5"), &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert_str_eq(d.object, "ipsaEspTranCipherTransformId.\"new\"");
	mib_store_free(s);
}
END_TEST

START_TEST(test_no_refusal_tells_anything_of_a_key)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	rows_put(s, good);
	ck_assert_int_eq(rows_try(s, "+ cred new Type=sharedSecret Credential=SeCrEtSeCrEt "
				     "AdminStatus=enabled\n" PRE "ESPEncSecretName=new", &d),
			 MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_null(strstr(d.text, "SeCrEt"));
	mib_store_free(s);
}
END_TEST

static const char bound[] =
	"+ rule r Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ contents g,1 ComponentName=r\n"
	"+ endpoint 2,2 Name=g";

START_TEST(test_an_active_endpoint_leaves_a_closure)
{
	struct mib_store *s = store_new();

	rows_put(s, bound);
	ck_assert_ptr_nonnull(row_of(s, "closure", "2,2"));
	ck_assert_ptr_null(row_of(s, "closure", "1,2"));
	rows_put(s, "- endpoint 2,2");
	ck_assert_ptr_nonnull(row_of(s, "closure", "2,2"));
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_endpoint_that_becomes_active_later_leaves_a_closure)
{
	struct mib_store *s = store_new();

	rows_put(s, "~ endpoint 1,5 Name=g");
	ck_assert_ptr_null(row_of(s, "closure", "1,5"));
	rows_put(s, "+ rule r Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
		    "+ contents g,1 ComponentName=r\n"
		    "= endpoint 1,5 RowStatus=active");
	ck_assert_ptr_nonnull(row_of(s, "closure", "1,5"));
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_system_wide_group_leaves_a_closure_of_its_direction)
{
	struct mib_store *s = store_new();

	rows_put(s, "= groups 0 spdEgressPolicyGroupName=g");
	ck_assert_ptr_nonnull(row_of(s, "closure", "2,0"));
	ck_assert_ptr_null(row_of(s, "closure", "1,0"));
	mib_store_free(s);
}
END_TEST

/* Transactions that release what is bound, in what they would produce. */
static const struct {
	const char *name;
	const char *before;
	const char *rows;
	enum mib_err err;
	const char *closure;
} release_cases[] = {
	{ "bound", "", "= closure 2,2 Release=true", MIB_INCONSISTENT_VALUE, "2,2" },
	{ "unbound", "- endpoint 2,2", "= closure 2,2 Release=true", MIB_OK, "2,2" },
	{ "out of service", "= endpoint 2,2 RowStatus=notInService", "= closure 2,2 Release=true",
	  MIB_OK, "2,2" },
	{ "unbound by the same transaction", "", "- endpoint 2,2\n= closure 2,2 Release=true",
	  MIB_OK, "2,2" },
	{ "unbound by the same transaction, the other way about", "",
	  "= closure 2,2 Release=true\n- endpoint 2,2", MIB_OK, "2,2" },
	{ "bound again by the same transaction", "- endpoint 2,2",
	  "= closure 2,2 Release=true\n+ endpoint 2,2 Name=g", MIB_INCONSISTENT_VALUE, "2,2" },
	{ "bound again by the same transaction, the other way about", "- endpoint 2,2",
	  "+ endpoint 2,2 Name=g\n= closure 2,2 Release=true", MIB_INCONSISTENT_VALUE, "2,2" },
	{ "a system-wide group", "= groups 0 spdEgressPolicyGroupName=g",
	  "= closure 2,0 Release=true", MIB_INCONSISTENT_VALUE, "2,0" },
	{ "no system-wide group any more",
	  "= groups 0 spdEgressPolicyGroupName=g\n",
	  "= groups 0 spdEgressPolicyGroupName=\n= closure 2,0 Release=true", MIB_OK, "2,0" },
};

START_TEST(test_only_what_is_not_bound_is_released)
{
	struct mib_store *s = store_new();
	struct mib_diag d;
	enum mib_err err;

	rows_put(s, bound);
	rows_put(s, release_cases[_i].before);
	err = rows_try(s, release_cases[_i].rows, &d);
	ck_assert_msg(err == release_cases[_i].err, "%s: %s (%s)", release_cases[_i].name,
		      mib_err_name(err), d.text);
	ck_assert_msg((row_of(s, "closure", release_cases[_i].closure) == NULL) == (err == MIB_OK),
		      "%s", release_cases[_i].name);
	mib_store_free(s);
}
END_TEST

START_TEST(test_release_false_changes_nothing)
{
	struct mib_store *s = store_new();

	rows_put(s, bound);
	rows_put(s, "= closure 2,2 Release=false");
	ck_assert_ptr_nonnull(row_of(s, "closure", "2,2"));
	rows_put(s, "- endpoint 2,2");
	rows_put(s, "= closure 2,2 Release=false");
	ck_assert_ptr_nonnull(row_of(s, "closure", "2,2"));
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_closure_cannot_be_made_by_hand)
{
	struct mib_store *s = store_new();
	struct mib_diag d;

	ck_assert_int_eq(rows_try(s, "= closure 1,9 Release=false", &d), MIB_INCONSISTENT_NAME);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/bind");
	TCase *c = tcase_create("bind");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, test_a_bad_row_is_refused_with_the_reason, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(c, test_a_good_row_is_taken, 0, sizeof(fine) / sizeof(fine[0]));
	tcase_add_loop_test(c, test_weak_ones_are_taken_when_they_are_allowed, 0,
			    sizeof(weak) / sizeof(weak[0]));
	tcase_add_test(c, test_the_default_response_keeps_its_action_and_that_its_mode);
	tcase_add_test(c, test_a_refusal_names_column_and_row);
	tcase_add_test(c, test_no_refusal_tells_anything_of_a_key);
	tcase_add_test(c, test_an_active_endpoint_leaves_a_closure);
	tcase_add_test(c, test_an_endpoint_that_becomes_active_later_leaves_a_closure);
	tcase_add_test(c, test_a_system_wide_group_leaves_a_closure_of_its_direction);
	tcase_add_loop_test(c, test_only_what_is_not_bound_is_released, 0,
			    sizeof(release_cases) / sizeof(release_cases[0]));
	tcase_add_test(c, test_release_false_changes_nothing);
	tcase_add_test(c, test_a_closure_cannot_be_made_by_hand);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
