/*
 * tests/unit/policy/check_bundle.c - rows with AH, IPComp and several transforms as bundles of SAs.
 * RFC 4301 4.5; RFC 3173.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/compress.h"
#include "rowtext.h"

static const char parts[] =
	"+ cred enc Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
	"+ cred auth Type=sharedSecret Credential=0xa2*32 AdminStatus=enabled\n"
	"+ cred ah Type=sharedSecret Credential=0xa3*20 AdminStatus=enabled\n"
	"+ esp aes MaxLifetimeSec=0 CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5 "
	"ReplayPrevention=true ReplayWindowSize=128\n"
	"+ ah sha1 MaxLifetimeSec=900 Algorithm=2 ReplayProtection=true ReplayWindowSize=32\n"
	"+ ipcomp deflate MaxLifetimeKB=7 Algorithm=2\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=198.51.100.1 CredentialName=";

#define ROW "pre all,1 ActionType=1 PeerGatewayIdName=gw"
#define WITH_ESP " ESPSPI=4096 ESPTransformName=aes ESPEncSecretName=enc ESPAuthSecretName=auth"
#define WITH_AH " AHSPI=5000 AHTransformName=sha1 AHSharedSecretName=ah"
#define WITH_COMP " IPCompSPI=2 IPCompTransformName=deflate"

static struct mib_store *store_with(const char *row)
{
	struct mib_store *s = store_new();

	rows_put(s, parts);
	rows_put(s, row);
	return s;
}

static const struct ipsp_sa_config *sa_of(const struct pol_generation *g, uint8_t proto)
{
	for (size_t i = 0; i < pol_map_count(&g->sas); i++)
		if (sa_at(g, i)->proto == proto)
			return sa_at(g, i);
	return NULL;
}

START_TEST(test_a_row_with_three_transforms_is_one_chain)
{
	struct mib_store *s = store_with("+ " ROW WITH_ESP WITH_AH WITH_COMP);
	struct pol_generation *g = compile(s);
	const struct ipsp_sa_config *comp = sa_of(g, IPSP_PROTO_IPCOMP),
				    *esp = sa_of(g, IPSP_PROTO_ESP), *ah = sa_of(g, IPSP_PROTO_AH);

	ck_assert_uint_eq(pol_map_count(&g->sas), 3);
	ck_assert_uint_eq(pol_map_count(&g->problems), 0);
	ck_assert_uint_eq(comp->next_id, esp->id);
	ck_assert_uint_eq(esp->next_id, ah->id);
	ck_assert_uint_eq(ah->next_id, 0);
	ck_assert_uint_eq(comp->bundle_id, comp->id);
	ck_assert_uint_eq(esp->bundle_id, comp->id);
	ck_assert_uint_eq(ah->bundle_id, comp->id);
	ck_assert_uint_eq(pol_sa_head(g, ah->id), comp->id);
	ck_assert_str_eq(pol_origin_find(g, comp->id)->name,
			 "ipsaSaPreconfiguredActionTable.\"all\",inbound");

	/* One outer header, that of the innermost. */
	ck_assert_uint_eq(comp->mode, IPSP_MODE_TUNNEL);
	ck_assert_uint_eq(esp->mode, IPSP_MODE_TRANSPORT);
	ck_assert_uint_eq(ah->mode, IPSP_MODE_TRANSPORT);
	ck_assert_uint_eq(ah->remote.family, 4);
	ck_assert_uint_eq(ah->remote.octets[3], 1);

	ck_assert_uint_eq(comp->spi, 2);
	ck_assert_uint_eq(comp->encr, IPSP_COMP_DEFLATE);
	ck_assert(!comp->replay);
	ck_assert_uint_eq(esp->spi, 4096);
	ck_assert_uint_eq(esp->replay_window_pkts, 128);
	ck_assert_uint_eq(ah->spi, 5000);
	ck_assert_uint_eq(ah->integ, IPSP_INTEG_HMAC_SHA1_96);
	ck_assert_uint_eq(ah->integ_key.len, 20);
	ck_assert_uint_eq(ah->integ_key.octets[0], 0xa3);
	ck_assert_uint_eq(ah->encr_key.len, 0);
	ck_assert(ah->replay);
	ck_assert_uint_eq(ah->replay_window_pkts, 32);

	/* They end together. */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(sa_at(g, i)->life_s, 900);
		ck_assert_uint_eq(sa_at(g, i)->life_bytes, 7 * 1024);
	}
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_ah_alone_is_one_sa_in_the_rows_mode)
{
	struct mib_store *s = store_with("+ " ROW WITH_AH);
	struct pol_generation *g = compile(s);
	const struct ipsp_sa_config *ah = sa_of(g, IPSP_PROTO_AH);

	ck_assert_uint_eq(pol_map_count(&g->sas), 1);
	ck_assert_uint_eq(ah->mode, IPSP_MODE_TUNNEL);
	ck_assert_uint_eq(ah->next_id, 0);
	ck_assert_uint_eq(ah->bundle_id, 0);
	ck_assert_uint_eq(ah->df, IPSP_DF_COPY);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_options_are_those_of_the_sas_they_are_about)
{
	struct mib_store *s = store_with("+ " ROW WITH_ESP WITH_AH " DoPacketLogging=20");
	struct pol_generation *g;

	rows_put(s, "= preopt all,1 Esn=true Dscp=46 TfcPad=700");
	g = compile(s);
	ck_assert(sa_of(g, IPSP_PROTO_ESP)->esn && sa_of(g, IPSP_PROTO_AH)->esn);
	ck_assert(sa_of(g, IPSP_PROTO_ESP)->dscp_set && !sa_of(g, IPSP_PROTO_AH)->dscp_set);
	ck_assert_uint_eq(sa_of(g, IPSP_PROTO_ESP)->tfc_pad, 700);
	ck_assert_uint_eq(sa_of(g, IPSP_PROTO_AH)->tfc_pad, 0);
	ck_assert_uint_eq(sa_of(g, IPSP_PROTO_ESP)->packet_log, 21);
	ck_assert_uint_eq(sa_of(g, IPSP_PROTO_AH)->packet_log, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* What becomes of SAs that a row keeps, when it gets another transform or loses one. */
START_TEST(test_numbers_go_on_when_a_bundle_changes)
{
	struct mib_store *s = store_with("+ " ROW WITH_ESP);
	struct pol_generation *a = compile(s), *b, *again;

	rows_put(s, "= pre all,1" WITH_AH WITH_COMP);
	b = compile(s);
	ck_assert_uint_eq(pol_map_count(&b->sas), 3);
	/* Rows name the innermost; the number space is the key's. */
	ck_assert_uint_eq(sa_of(a, IPSP_PROTO_ESP)->id, sa_of(b, IPSP_PROTO_IPCOMP)->id);
	ck_assert_uint_eq(sa_of(a, IPSP_PROTO_ESP)->counter_id, sa_of(b, IPSP_PROTO_ESP)->counter_id);
	ck_assert_uint_ne(sa_of(b, IPSP_PROTO_AH)->counter_id, sa_of(b, IPSP_PROTO_ESP)->counter_id);
	rows_put(s, "= pre all,1 AHTransformName= IPCompTransformName=");
	again = compile(s);
	ck_assert_uint_eq(pol_map_count(&again->sas), 1);
	ck_assert_uint_eq(sa_at(again, 0)->id, sa_of(a, IPSP_PROTO_ESP)->id);
	pol_generation_free(a);
	pol_generation_free(b);
	pol_generation_free(again);
	mib_store_free(s);
}
END_TEST

static void changed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	(void)generation;
	pol_compiler_changed(arg, changes, n);
}

START_TEST(test_a_bundle_changes_by_steps_as_from_nothing)
{
	static const char *const steps[] = {
		"= pre all,1" WITH_AH, "= pre all,1" WITH_COMP, "= cred ah Credential=0xa9*20",
		"= pre all,1 AHTransformName=", "= cred enc AdminStatus=disabled",
		"= cred enc AdminStatus=enabled", "= pre all,1 IPCompTransformName=", "- pre all,1",
	};
	struct mib_store *s = store_with("+ " ROW WITH_ESP);
	struct pol_compiler *c = pol_compiler_new(mib_store_view(s));
	struct mib_listener listener = { .committed = changed, .arg = c };
	struct pol_generation *g;

	ck_assert_int_eq(mib_store_add_listener(s, &listener), MIB_OK);
	ck_assert_int_eq(pol_compiler_run(c, 1, 0, &g), MIB_OK);
	pol_generation_free(g);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct pol_generation *whole;

		rows_put(s, steps[i]);
		ck_assert_int_eq(pol_compiler_run(c, i + 2, 0, &g), MIB_OK);
		whole = compile(s);
		ck_assert_uint_eq(pol_map_count(&g->sas), pol_map_count(&whole->sas));
		for (size_t n = 0; n < pol_map_count(&g->sas); n++) {
			ck_assert_uint_eq(sa_at(g, n)->id, sa_at(whole, n)->id);
			ck_assert_uint_eq(sa_at(g, n)->next_id, sa_at(whole, n)->next_id);
			ck_assert_uint_eq(sa_at(g, n)->counter_id, sa_at(whole, n)->counter_id);
		}
		pol_generation_free(whole);
		pol_generation_free(g);
	}
	pol_compiler_free(c);
	mib_store_free(s);
}
END_TEST

static const struct {
	const char *name;
	const char *row;
	const char *reason;
} idle_cases[] = {
	{ "IPComp alone", "+ " ROW WITH_COMP, "protects nothing" },
	{ "a vendor's compression",
	  "+ ipcomp own Algorithm=2 PrivateAlgorithm=9\n"
	  "+ " ROW WITH_ESP " IPCompSPI=300 IPCompTransformName=own", "not DEFLATE" },
	{ "LZS", "+ ipcomp lzs Algorithm=3\n+ " ROW WITH_ESP " IPCompSPI=3 IPCompTransformName=lzs",
	  "not DEFLATE" },
	{ "a CPI of another transform",
	  "+ " ROW WITH_ESP " IPCompSPI=3 IPCompTransformName=deflate", "CPI of another" },
	{ "a disabled key of AH", "= cred ah AdminStatus=disabled\n+ " ROW WITH_ESP WITH_AH,
	  "disabled" },
};

START_TEST(test_a_bundle_that_cannot_be_whole_is_not_in_force)
{
	struct mib_store *s = store_with(idle_cases[_i].row);
	struct pol_generation *g = compile(s);

	ck_assert_uint_eq(pol_map_count(&g->sas), 0);
	ck_assert_msg(strstr(problem_of(s, g, "pre", "all,1"), idle_cases[_i].reason) != NULL,
		      "%s: %s", idle_cases[_i].name, problem_of(s, g, "pre", "all,1"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_well_known_cpis_may_be_shared_and_others_not)
{
	struct mib_store *s = store_with("+ " ROW WITH_ESP WITH_COMP);
	struct mib_diag d = { 0 };

	rows_put(s, "+ pre two,1 ActionType=2" WITH_COMP
		 " ESPSPI=4097 ESPTransformName=aes ESPEncSecretName=enc ESPAuthSecretName=auth");
	rows_put(s, "= pre two,1 IPCompSPI=300");
	ck_assert_int_eq(rows_try(s, "= pre all,1 IPCompSPI=300", &d), MIB_INCONSISTENT_VALUE);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/bundle");
	TCase *c = tcase_create("bundle");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_a_row_with_three_transforms_is_one_chain);
	tcase_add_test(c, test_ah_alone_is_one_sa_in_the_rows_mode);
	tcase_add_test(c, test_options_are_those_of_the_sas_they_are_about);
	tcase_add_test(c, test_numbers_go_on_when_a_bundle_changes);
	tcase_add_test(c, test_a_bundle_changes_by_steps_as_from_nothing);
	tcase_add_loop_test(c, test_a_bundle_that_cannot_be_whole_is_not_in_force, 0,
			    sizeof(idle_cases) / sizeof(idle_cases[0]));
	tcase_add_test(c, test_well_known_cpis_may_be_shared_and_others_not);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
