/*
 * tests/unit/policy/check_sa.c - manual SAs from rows: worked example (c), a static ESP tunnel, and
 * what changes from it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/algs.h"
#include "policy/items.h"
#include "rowtext.h"

/* ifIndex 2 is the WAN; 10.1.0.0/16 behind us, 10.2.0.0/16 behind 198.51.100.1. */
static const char credentials[] =
	"+ cred ab-enc Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ cred ab-auth Type=sharedSecret Credential=0xa2*32 AdminStatus=enabled\n"
	"+ cred ba-enc Type=sharedSecret Credential=0xb1*32 AdminStatus=enabled\n"
	"+ cred ba-auth Type=sharedSecret Credential=0xb2*32 AdminStatus=enabled";
static const char shared[] =
	"+ esp aes256-sha256 MaxLifetimeSec=0 MaxLifetimeKB=0 CipherTransformId=12 "
	"CipherKeyLength=256 CipherKeyRounds=0 IntegrityAlgorithmId=5 ReplayPrevention=true "
	"ReplayWindowSize=64\n"
	"+ peer gw-b,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=198.51.100.1 "
	"CredentialName=";
static const char actions[] =
	"+ pre tun-b,2 ActionLifetimeSec=0 ActionType=1 ESPSPI=4096 "
	"ESPTransformName=aes256-sha256 ESPEncSecretName=ab-enc ESPAuthSecretName=ab-auth "
	"PeerGatewayIdName=gw-b AHSPI=0 AHTransformName= AHSharedSecretName= IPCompSPI=0 "
	"IPCompTransformName=\n"
	"+ pre tun-b,1 ActionLifetimeSec=0 ActionType=1 ESPSPI=8192 "
	"ESPTransformName=aes256-sha256 ESPEncSecretName=ba-enc ESPAuthSecretName=ba-auth "
	"PeerGatewayIdName=gw-b AHSPI=0 AHTransformName= AHSharedSecretName= IPCompSPI=0 "
	"IPCompTransformName=";
static const char policy[] =
	"+ clfr 20 AddrType=ipv4 SrcAddr=10.1.0.0 SrcPrefixLength=16 DstAddr=10.2.0.0 "
	"DstPrefixLength=16\n"
	"+ clfr 21 AddrType=ipv4 SrcAddr=10.2.0.0 SrcPrefixLength=16 DstAddr=10.1.0.0 "
	"DstPrefixLength=16\n"
	"+ rule tun-b-out Filter=diffServMultiFieldClfrAddrType.20 "
	"Action=ipsaSaPreActActionDescription.\"tun-b\",2\n"
	"+ rule tun-b-in Filter=diffServMultiFieldClfrAddrType.21 "
	"Action=ipsaSaPreActActionDescription.\"tun-b\",1\n"
	"+ contents wan-out,100 ComponentName=tun-b-out\n"
	"+ contents wan-in,100 ComponentName=tun-b-in\n"
	"+ endpoint 2,2 Name=wan-out\n"
	"+ endpoint 1,2 Name=wan-in";

static struct mib_store *tunnel_new(void)
{
	struct mib_store *s = store_new();

	rows_put(s, credentials);
	rows_put(s, shared);
	rows_put(s, actions);
	rows_put(s, policy);
	return s;
}

static const struct ipsp_sa_config *sa_of(const struct pol_generation *g, enum ipsp_dir dir)
{
	for (size_t i = 0; i < pol_map_count(&g->sas); i++)
		if (sa_at(g, i)->dir == dir)
			return sa_at(g, i);
	return NULL;
}

static const struct ipsp_spd_entry *out_entry(const struct pol_generation *g)
{
	const struct packet p = packet("10.1.2.3", "10.2.3.4", 6, 40000, 80);

	return first_match(list_of(g, 2, IPSP_OUTBOUND), &p);
}

static void check_key(const struct ipsp_key *k, uint8_t octet, size_t len)
{
	ck_assert_uint_eq(k->len, len);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(k->octets[i], octet);
}

START_TEST(test_example_c_gives_two_lists_and_two_sas)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g = compile(s);
	const struct ipsp_sa_config *out = sa_of(g, IPSP_OUTBOUND), *in = sa_of(g, IPSP_INBOUND);
	const struct packet there = packet("10.1.2.3", "10.2.3.4", 6, 40000, 80);
	const struct packet back = packet("10.2.3.4", "10.1.2.3", 6, 80, 40000);
	static const uint8_t peer[] = { 198, 51, 100, 1 };

	ck_assert_uint_eq(pol_map_count(&g->sas), 2);
	ck_assert_uint_eq(pol_map_count(&g->problems), 0);
	ck_assert_uint_eq(out->spi, 0x1000);
	ck_assert_uint_eq(in->spi, 0x2000);
	ck_assert_uint_eq(out->proto, IPSP_PROTO_ESP);
	ck_assert_uint_eq(out->mode, IPSP_MODE_TUNNEL);
	ck_assert_uint_eq(out->df, IPSP_DF_COPY);
	ck_assert(!out->esn && !out->replay);
	ck_assert(in->replay);
	ck_assert_uint_eq(in->replay_window_pkts, 64);
	ck_assert_uint_eq(out->life_s, 0);
	ck_assert_uint_eq(out->life_bytes, 0);
	ck_assert_uint_eq(out->remote.family, 4);
	ck_assert_mem_eq(out->remote.octets, peer, 4);
	ck_assert_mem_eq(in->remote.octets, peer, 4);
	ck_assert_uint_eq(out->local.family, 0);
	ck_assert_uint_eq(out->encr, IPSP_ENCR_AES_CBC);
	ck_assert_uint_eq(out->encr_key_bits, 256);
	ck_assert_uint_eq(out->integ, IPSP_INTEG_HMAC_SHA2_256_128);
	check_key(&out->encr_key, 0xa1, 32);
	check_key(&out->integ_key, 0xa2, 32);
	check_key(&in->encr_key, 0xb1, 32);
	check_key(&in->integ_key, 0xb2, 32);
	ck_assert(out->id != 0 && in->id != 0 && out->id != in->id);
	ck_assert(out->counter_id != 0 && out->counter_id != in->counter_id);

	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &there), IPSP_PROTECT);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &back), IPSP_DISCARD);
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_INBOUND), &back), IPSP_PROTECT);
	ck_assert_uint_eq(first_match(list_of(g, 2, IPSP_OUTBOUND), &there)->sa_id, out->id);
	ck_assert_uint_eq(first_match(list_of(g, 2, IPSP_INBOUND), &back)->sa_id, in->id);
	ck_assert_str_eq(pol_origin_find(g, out->id)->name,
			 "ipsaSaPreconfiguredActionTable.\"tun-b\",outbound");
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_row_that_no_rule_names_gives_its_sa_too)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, credentials);
	rows_put(s, shared);
	rows_put(s, actions);
	g = compile(s);
	ck_assert_uint_eq(pol_map_count(&g->sas), 2);
	ck_assert_uint_eq(g->n_lists, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* A change of the example, and what the outbound SA or its rule is after it. */
static const struct {
	const char *name;
	const char *change;
	bool new_counters;
} counter_cases[] = {
	{ "description", "= pre tun-b,2 ActionDescription=wan", false },
	{ "lifetime", "= pre tun-b,2 ActionLifetimeSec=100", false },
	{ "DF handling", "= pre tun-b,2 DFHandling=clear", false },
	{ "peer", "= peer gw-b,0 Address=198.51.100.2", false },
	{ "the same key again", "= cred ab-enc Credential=0xa1*32", false },
	{ "the same key by another name",
	  "+ cred copy Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	  "= pre tun-b,2 ESPEncSecretName=copy", false },
	{ "SPI", "= pre tun-b,2 ESPSPI=4097", true },
	{ "cipher key", "= cred ab-enc Credential=0xa3*32", true },
	{ "integrity key", "= cred ab-auth Credential=0xa3*32", true },
};

START_TEST(test_counters_begin_anew_exactly_with_a_new_key_or_spi)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *a = compile(s), *b;

	rows_put(s, counter_cases[_i].change);
	b = compile(s);
	ck_assert_uint_eq(pol_map_count(&b->sas), 2);
	ck_assert_uint_eq(sa_of(a, IPSP_OUTBOUND)->id, sa_of(b, IPSP_OUTBOUND)->id);
	ck_assert_msg((sa_of(a, IPSP_OUTBOUND)->counter_id !=
		       sa_of(b, IPSP_OUTBOUND)->counter_id) == counter_cases[_i].new_counters,
		      "%s", counter_cases[_i].name);
	ck_assert_uint_eq(sa_of(a, IPSP_INBOUND)->counter_id, sa_of(b, IPSP_INBOUND)->counter_id);
	pol_generation_free(a);
	pol_generation_free(b);
	mib_store_free(s);
}
END_TEST

static const struct {
	const char *name;
	unsigned action_s, transform_s, life_s;
	unsigned action_kb, transform_kb;
	uint64_t life_bytes;
} life_cases[] = {
	{ "none", 0, 0, 0, 0, 0, 0 },
	{ "the action's", 100, 0, 100, 5, 0, 5 * 1024 },
	{ "the transform's", 0, 200, 200, 0, 6, 6 * 1024 },
	{ "the smaller, of the action", 100, 200, 100, 5, 6, 5 * 1024 },
	{ "the smaller, of the transform", 300, 200, 200, 7, 6, 6 * 1024 },
	{ "kilobytes beyond 32 bits of octets", 0, 0, 0, 4294967295u, 0,
	  4294967295u * UINT64_C(1024) },
};

START_TEST(test_the_smaller_lifetime_counts_and_zero_is_none)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;
	char text[256];

	snprintf(text, sizeof(text),
		 "= pre tun-b,2 ActionLifetimeSec=%u ActionLifetimeKB=%u\n"
		 "= esp aes256-sha256 MaxLifetimeSec=%u MaxLifetimeKB=%u",
		 life_cases[_i].action_s, life_cases[_i].action_kb, life_cases[_i].transform_s,
		 life_cases[_i].transform_kb);
	rows_put(s, text);
	g = compile(s);
	ck_assert_msg(sa_of(g, IPSP_OUTBOUND)->life_s == life_cases[_i].life_s, "%s",
		      life_cases[_i].name);
	ck_assert_msg(sa_of(g, IPSP_OUTBOUND)->life_bytes == life_cases[_i].life_bytes, "%s",
		      life_cases[_i].name);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* Active, but not in force: the packets of the rule are dropped, and both rows say why. */
static const struct {
	const char *name;
	const char *change;
	const char *reason;
} idle_cases[] = {
	{ "a disabled credential", "= cred ab-enc AdminStatus=disabled", "is disabled" },
};

/* What a manual SA may use: every algorithm whose counter does not have to be fresh. */
static const struct {
	uint16_t encr, column_bits, encr_bits, integ, integ_octets;
	bool weak;
} algorithms[] = {
	{ IPSP_ENCR_NULL, 0, 0, IPSP_INTEG_HMAC_SHA1_96, 20, false },
	{ IPSP_ENCR_AES_CBC, 192, 192, IPSP_INTEG_HMAC_SHA2_384_192, 48, false },
	{ IPSP_ENCR_AES_CBC, 256, 256, IPSP_INTEG_HMAC_SHA2_512_256, 64, false },
	{ IPSP_ENCR_AES_CBC, 128, 128, IPSP_INTEG_AES_XCBC_96, 16, false },
	{ IPSP_ENCR_CAMELLIA_CBC, 128, 128, IPSP_INTEG_AES_CMAC_96, 16, false },
	{ IPSP_ENCR_CAMELLIA_CBC, 256, 256, IPSP_INTEG_HMAC_SHA2_256_96, 32, false },
	{ IPSP_ENCR_AES_CBC, 128, 128, IPSP_INTEG_HMAC_SHA2_384_96, 48, false },
	{ IPSP_ENCR_AES_CBC, 128, 128, IPSP_INTEG_HMAC_SHA2_512_96, 64, false },
	{ IPSP_ENCR_DES_CBC, 0, 64, IPSP_INTEG_HMAC_MD5_96, 16, true },
	{ IPSP_ENCR_3DES_CBC, 192, 192, IPSP_INTEG_HMAC_RIPEMD_160_96, 20, true },
	{ IPSP_ENCR_CAST_CBC, 128, 128, IPSP_INTEG_HMAC_SHA1_96, 20, true },
	{ IPSP_ENCR_BLOWFISH_CBC, 128, 128, IPSP_INTEG_HMAC_SHA1_96, 20, true },
};

START_TEST(test_manual_sas_may_use_what_needs_no_fresh_counter)
{
	struct mib_store *s = tunnel_new();
	const struct ipsp_sa_config *out;
	struct pol_generation *g;
	char rows[512];

	pol_algs_allow_weak(algorithms[_i].weak);
	snprintf(rows, sizeof(rows),
		 "+ cred a Type=sharedSecret Credential=0x01*%u AdminStatus=enabled\n"
		 "+ esp e CipherTransformId=%u CipherKeyLength=%u IntegrityAlgorithmId=%u\n"
		 "= pre tun-b,2 ESPTransformName=e ESPAuthSecretName=a ESPEncSecretName=%s\n",
		 algorithms[_i].integ_octets, algorithms[_i].encr, algorithms[_i].column_bits,
		 algorithms[_i].integ, algorithms[_i].encr_bits ? "e" : "");
	if (algorithms[_i].encr_bits) {
		char key[128];

		snprintf(key, sizeof(key), "+ cred e Type=sharedSecret Credential=0x02*%u "
			 "AdminStatus=enabled", algorithms[_i].encr_bits / 8u);
		rows_put(s, key);
	}
	rows_put(s, rows);
	g = compile(s);
	out = sa_of(g, IPSP_OUTBOUND);
	ck_assert_msg(out != NULL, "%s", problem_of(s, g, "pre", "tun-b,2"));
	ck_assert_uint_eq(out->encr, algorithms[_i].encr);
	ck_assert_uint_eq(out->encr_key_bits, algorithms[_i].encr_bits);
	ck_assert_uint_eq(out->integ, algorithms[_i].integ);
	check_key(&out->encr_key, 0x02, algorithms[_i].encr_bits / 8u);
	check_key(&out->integ_key, 0x01, algorithms[_i].integ_octets);
	pol_generation_free(g);
	mib_store_free(s);
	pol_algs_allow_weak(false);
}
END_TEST

START_TEST(test_an_sa_that_is_not_in_force_drops_its_packets)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, idle_cases[_i].change);
	g = compile(s);
	ck_assert_uint_eq(pol_map_count(&g->sas), 1);
	ck_assert_ptr_null(sa_of(g, IPSP_OUTBOUND));
	ck_assert_msg(strstr(problem_of(s, g, "pre", "tun-b,2"), idle_cases[_i].reason), "%s: %s",
		      idle_cases[_i].name, problem_of(s, g, "pre", "tun-b,2"));
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "tun-b-out"), "not in force"));
	ck_assert_str_eq(problem_of(s, g, "rule", "tun-b-in"), "");
	ck_assert_int_eq(out_entry(g)->action, IPSP_PROTECT);
	ck_assert_uint_eq(out_entry(g)->sa_id, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_rule_with_the_sa_of_the_other_direction_drops)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "= rule tun-b-out Action=ipsaSaPreActActionDescription.\"tun-b\",1");
	g = compile(s);
	ck_assert_int_eq(out_entry(g)->action, IPSP_DISCARD);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "tun-b-out"), "inbound SA"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_sa_inside_a_compound_action_protects)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "+ action a ExecutionStrategy=doAll\n"
		    "+ subaction a,1 SubActionName=ipsaSaPreActActionDescription.\"tun-b\",2\n"
		    "= rule tun-b-out Action=spdCompActExecutionStrategy.\"a\"");
	g = compile(s);
	ck_assert_int_eq(out_entry(g)->action, IPSP_PROTECT);
	ck_assert_uint_eq(out_entry(g)->sa_id, sa_of(g, IPSP_OUTBOUND)->id);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_options_of_ipspd_mib_reach_the_sa)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g = compile(s);
	const struct ipsp_sa_config *sa = sa_of(g, IPSP_OUTBOUND);
	const uint64_t counter_id = sa->counter_id;

	ck_assert_int_eq(sa->ecn, IPSP_ECN_NORMAL);
	ck_assert(!sa->dscp_set && !sa->esn);
	ck_assert_uint_eq(sa->outer_ttl, 0);
	ck_assert_uint_eq(sa->tfc_pad, 0);
	ck_assert(!sa->frag_before);
	pol_generation_free(g);
	rows_put(s, "= preopt tun-b,2 Ecn=none Dscp=46 OuterTtl=9 TfcPad=1280 Esn=true "
		    "FragBefore=true\n"
		    "= preopt tun-b,1 FragBefore=true");
	g = compile(s);
	sa = sa_of(g, IPSP_OUTBOUND);
	ck_assert_int_eq(sa->ecn, IPSP_ECN_NONE);
	ck_assert(sa->dscp_set && sa->esn);
	ck_assert_uint_eq(sa->dscp, 46);
	ck_assert_uint_eq(sa->outer_ttl, 9);
	ck_assert_uint_eq(sa->tfc_pad, 1280);
	/* Neither keys nor SPI changed: the numbers go on. */
	ck_assert_uint_eq(sa->counter_id, counter_id);
	ck_assert(!sa_of(g, IPSP_INBOUND)->esn);
	ck_assert(sa->frag_before && !sa_of(g, IPSP_INBOUND)->frag_before);
	pol_generation_free(g);
	rows_put(s, "= pre tun-b,2 ActionType=2 PeerGatewayIdName=");
	g = compile(s);
	ck_assert(!sa_of(g, IPSP_OUTBOUND)->frag_before);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_option_alone_makes_another_sa)
{
	struct ipsp_sa_config a = { .mode = IPSP_MODE_TUNNEL }, b = a;

	ck_assert(pol_sa_same(&a, &b));
	b.frag_before = true;
	ck_assert(!pol_sa_same(&a, &b));
}
END_TEST

START_TEST(test_what_hides_traffic_is_the_outbound_tunnels)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;
	const struct ipsp_sa_config *out, *in;

	rows_put(s, "= preopt tun-b,2 TfcRandom=255 DummyInterval=30 DummyOctets=40 FlowLabel=-1 "
		    "PadCheck=false SeqRollover=true");
	rows_put(s, "= preopt tun-b,1 TfcRandom=255 DummyInterval=30 PadCheck=false "
		    "SeqRollover=true");
	g = compile(s);
	out = sa_of(g, IPSP_OUTBOUND);
	in = sa_of(g, IPSP_INBOUND);
	ck_assert_uint_eq(out->tfc_random, 255);
	ck_assert_uint_eq(out->dummy_s, 30);
	ck_assert_uint_eq(out->dummy_len, 40);
	ck_assert_uint_eq(out->flow_label, IPSP_FLOW_COPY);
	ck_assert(out->seq_rollover && !out->pad_unchecked);
	ck_assert_uint_eq(in->tfc_random, 0);
	ck_assert_uint_eq(in->dummy_s, 0);
	ck_assert(in->pad_unchecked && !in->seq_rollover);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_udp_port_puts_the_sa_into_udp)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g = compile(s);
	const struct ipsp_sa_config *out, *in;

	ck_assert_int_eq(sa_of(g, IPSP_OUTBOUND)->encap.type, IPSP_ENCAP_NONE);
	pol_generation_free(g);
	rows_put(s, "= preopt tun-b,2 UdpPort=4501 UdpKeepalive=20 UdpFollow=true");
	rows_put(s, "= preopt tun-b,1 UdpPort=4501 UdpKeepalive=20");
	g = compile(s);
	out = sa_of(g, IPSP_OUTBOUND);
	in = sa_of(g, IPSP_INBOUND);
	ck_assert_int_eq(out->encap.type, IPSP_ENCAP_UDP);
	ck_assert_uint_eq(out->encap.sport, 4500);
	ck_assert_uint_eq(out->encap.dport, 4501);
	ck_assert_uint_eq(out->encap.keepalive_s, 20);
	ck_assert_uint_eq(out->encap.follow_id, 0);
	ck_assert_int_eq(in->encap.type, IPSP_ENCAP_UDP);
	ck_assert_uint_eq(in->encap.sport, 4501);
	ck_assert_uint_eq(in->encap.dport, 4500);
	ck_assert_uint_eq(in->encap.keepalive_s, 0);
	ck_assert_uint_eq(in->encap.follow_id, 0);
	pol_generation_free(g);
	rows_put(s, "= preopt tun-b,1 UdpFollow=true");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_INBOUND)->encap.follow_id, sa_of(g, IPSP_OUTBOUND)->id);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_the_peer_with_the_lowest_priority_number_counts)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;
	static const uint8_t second[] = { 198, 51, 100, 7 };

	rows_put(s, "+ peer gw-b,7 Type=1 AddressType=ipv4 Address=198.51.100.7");
	rows_put(s, "= peer gw-b,0 RowStatus=notInService");
	g = compile(s);
	ck_assert_mem_eq(sa_of(g, IPSP_OUTBOUND)->remote.octets, second, 4);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_without_a_peer_name_the_packet_gives_the_tunnel_end)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "= pre tun-b,2 PeerGatewayIdName=");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_OUTBOUND)->remote.family, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_transport_mode_ignores_the_peer)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "= pre tun-b,2 ActionType=2");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_OUTBOUND)->mode, IPSP_MODE_TRANSPORT);
	ck_assert_uint_eq(sa_of(g, IPSP_OUTBOUND)->remote.family, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_null_encryption_has_no_cipher_key)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "+ cred sha1 Type=sharedSecret Credential=0x0c*20 AdminStatus=enabled\n"
		    "+ esp null-sha1 CipherTransformId=11 CipherKeyLength=0 "
		    "IntegrityAlgorithmId=2 ReplayPrevention=false ReplayWindowSize=0\n"
		    "= pre tun-b,1 ESPTransformName=null-sha1 ESPEncSecretName= "
		    "ESPAuthSecretName=sha1");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_INBOUND)->encr, IPSP_ENCR_NULL);
	ck_assert_uint_eq(sa_of(g, IPSP_INBOUND)->encr_key.len, 0);
	ck_assert(!sa_of(g, IPSP_INBOUND)->replay);
	check_key(&sa_of(g, IPSP_INBOUND)->integ_key, 0x0c, 20);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_key_in_a_segment_is_a_key)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "~ cred seg Type=sharedSecret\n+ segment seg,1 Value=0x5e*32");
	rows_put(s, "= cred seg RowStatus=active AdminStatus=enabled\n"
		    "= pre tun-b,2 ESPEncSecretName=seg");
	g = compile(s);
	check_key(&sa_of(g, IPSP_OUTBOUND)->encr_key, 0x5e, 32);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* Changes of what an active action refers to. */
static const char *const misfits[] = {
	"= cred ab-enc Credential=0xa1*16",
	"= cred ab-auth Credential=0xa1*64",
	"= esp aes256-sha256 CipherKeyLength=128",
	"= esp aes256-sha256 IntegrityAlgorithmId=2",
	"= esp aes256-sha256 CipherTransformId=20 IntegrityAlgorithmId=0",
	"= peer gw-b,0 AddressType=unknown Address=",
};

START_TEST(test_a_target_that_no_longer_fits_is_refused)
{
	struct mib_store *s = tunnel_new();
	struct mib_diag d;

	ck_assert_msg(rows_try(s, misfits[_i], &d) == MIB_INCONSISTENT_VALUE, "%s", misfits[_i]);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_window_of_zero_is_the_default)
{
	struct mib_store *s = tunnel_new();
	struct pol_generation *g;

	rows_put(s, "= esp aes256-sha256 ReplayWindowSize=0");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_INBOUND)->replay_window_pkts, 64);
	pol_generation_free(g);
	rows_put(s, "= esp aes256-sha256 ReplayWindowSize=4096");
	g = compile(s);
	ck_assert_uint_eq(sa_of(g, IPSP_INBOUND)->replay_window_pkts, 4096);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/sa");
	TCase *c = tcase_create("sa");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_example_c_gives_two_lists_and_two_sas);
	tcase_add_test(c, test_a_row_that_no_rule_names_gives_its_sa_too);
	tcase_add_loop_test(c, test_counters_begin_anew_exactly_with_a_new_key_or_spi, 0,
			    sizeof(counter_cases) / sizeof(counter_cases[0]));
	tcase_add_loop_test(c, test_the_smaller_lifetime_counts_and_zero_is_none, 0,
			    sizeof(life_cases) / sizeof(life_cases[0]));
	tcase_add_loop_test(c, test_an_sa_that_is_not_in_force_drops_its_packets, 0,
			    sizeof(idle_cases) / sizeof(idle_cases[0]));
	tcase_add_loop_test(c, test_manual_sas_may_use_what_needs_no_fresh_counter, 0,
			    sizeof(algorithms) / sizeof(algorithms[0]));
	tcase_add_test(c, test_a_rule_with_the_sa_of_the_other_direction_drops);
	tcase_add_test(c, test_an_sa_inside_a_compound_action_protects);
	tcase_add_test(c, test_options_of_ipspd_mib_reach_the_sa);
	tcase_add_test(c, test_an_option_alone_makes_another_sa);
	tcase_add_test(c, test_a_udp_port_puts_the_sa_into_udp);
	tcase_add_test(c, test_what_hides_traffic_is_the_outbound_tunnels);
	tcase_add_test(c, test_the_peer_with_the_lowest_priority_number_counts);
	tcase_add_test(c, test_without_a_peer_name_the_packet_gives_the_tunnel_end);
	tcase_add_test(c, test_transport_mode_ignores_the_peer);
	tcase_add_test(c, test_null_encryption_has_no_cipher_key);
	tcase_add_test(c, test_a_key_in_a_segment_is_a_key);
	tcase_add_loop_test(c, test_a_target_that_no_longer_fits_is_refused, 0,
			    sizeof(misfits) / sizeof(misfits[0]));
	tcase_add_test(c, test_a_window_of_zero_is_the_default);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
