/* Tests of ipspd/unasked.c: which SAs inbound entries ask for no more in a generation, or again. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "ipspd/unasked.h"
#include "tests/unit/policy/rowtext.h"

/* Two rules for SAs of one row, each for a port; and one that keeps the group from being empty. */
static const char rows[] =
	"+ param std\n+ esp aes CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ transform 3,esp-std,9 TransformName=aes\n"
	"+ peer gw,1 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=0xc6336401\n"
	"+ proposal p2,0,3 TransformsName=esp-std\n"
	"+ ipsec v ParametersName=std ProposalsName=p2 Mode=transport PeerGatewayIdName=\n"
	"+ clfr 1 AddrType=ipv4 Protocol=17 DstL4PortMin=80 DstL4PortMax=80\n"
	"+ clfr 2 AddrType=ipv4 Protocol=17 DstL4PortMin=81 DstL4PortMax=81\n"
	"+ rule a Filter=diffServMultiFieldClfrAddrType.1 Action=ipiaIpsecActParametersName.\"v\"\n"
	"+ rule b Filter=diffServMultiFieldClfrAddrType.2 Action=ipiaIpsecActParametersName.\"v\"\n"
	"+ clfr 3 AddrType=ipv4 Protocol=6\n"
	"+ rule z Filter=diffServMultiFieldClfrAddrType.3 Action=spdDropAction.0\n"
	"+ contents g,1 ComponentName=a\n+ contents g,2 ComponentName=b\n+ contents g,9 ComponentName=z\n"
	"+ endpoint 1,2 Name=g\n+ endpoint 2,2 Name=g";

static struct mib_store *store;
static struct pol_generation *before, *after;
static struct unasked u;

static void setup(void)
{
	store = store_new();
	rows_put(store, rows);
	before = compile(store);
	after = NULL;
	u = (struct unasked){ 0 };
}

static void teardown(void)
{
	unasked_fini(&u);
	pol_generation_free(before);
	pol_generation_free(after);
	mib_store_free(store);
}

/* What these rows change. @return how many SAs that is about */
static size_t changed(const char *text, bool again)
{
	unasked_fini(&u);
	if (after) {
		pol_generation_free(before);
		before = after;
	}
	rows_put(store, text);
	after = compile(store);
	ck_assert(unasked_find(&u, before, after, again));
	return u.n;
}

static uint32_t reqid(void)
{
	const struct pol_entry *const e =
		pol_list_entry(pol_generation_list(before, 2, IPSP_INBOUND), 0);

	return e->spd.templates[0].reqid;
}

START_TEST(test_the_last_entry_that_asks_for_sas_says_what_they_were_for)
{
	const uint32_t id = reqid();

	ck_assert_uint_eq(changed("- contents g,1", false), 0);
	ck_assert_uint_eq(changed("- contents g,2", false), 1);
	ck_assert_uint_eq(u.items[0].sa_id, 0);
	ck_assert_uint_eq(u.items[0].reqid, id);
	ck_assert_uint_eq(u.items[0].n, 1);
	ck_assert(!u.items[0].again);
	ck_assert_uint_eq(u.items[0].n_selectors, 1);
	ck_assert_uint_eq(u.items[0].selectors[0].dport_lo, 81);
	ck_assert_uint_eq(u.items[0].selectors[0].dport_hi, 81);
}
END_TEST

START_TEST(test_entries_that_go_together_add_up)
{
	ck_assert_uint_eq(changed("- contents g,1\n- contents g,2", false), 1);
	ck_assert_uint_eq(u.items[0].n_selectors, 2);
	ck_assert_uint_eq(u.items[0].selectors[0].dport_lo, 80);
	ck_assert_uint_eq(u.items[0].selectors[1].dport_lo, 81);
}
END_TEST

START_TEST(test_a_list_that_goes_takes_its_entries_along)
{
	ck_assert_uint_eq(changed("- endpoint 1,2", false), 1);
	ck_assert_uint_eq(u.items[0].n_selectors, 2);
}
END_TEST

START_TEST(test_outbound_entries_are_not_asked)
{
	ck_assert_uint_eq(changed("- endpoint 2,2", false), 0);
}
END_TEST

START_TEST(test_an_entry_that_moves_or_changes_goes_on_asking)
{
	ck_assert_uint_eq(changed("- contents g,1\n- contents g,2\n+ contents g,7 ComponentName=a", false), 0);
	ck_assert_uint_eq(changed("= clfr 1 DstL4PortMin=79", false), 0);
}
END_TEST

START_TEST(test_what_is_asked_for_again_is_told_where_it_is_wanted)
{
	const uint32_t id = reqid();

	ck_assert_uint_eq(changed("- contents g,1\n- contents g,2", true), 1);
	ck_assert_uint_eq(changed("+ contents g,1 ComponentName=a", false), 0);
	ck_assert_uint_eq(changed("- contents g,1", true), 1);
	ck_assert(!u.items[0].again);
	ck_assert_uint_eq(changed("+ contents g,2 ComponentName=b", true), 1);
	ck_assert(u.items[0].again);
	ck_assert_uint_eq(u.items[0].reqid, id);
	ck_assert_uint_eq(u.items[0].n_selectors, 0);
}
END_TEST

START_TEST(test_a_list_that_comes_asks_again)
{
	ck_assert_uint_eq(changed("- endpoint 1,2", true), 1);
	ck_assert_uint_eq(changed("+ endpoint 1,3 Name=g", true), 1);
	ck_assert(u.items[0].again);
}
END_TEST

START_TEST(test_entries_that_stand_for_some_of_the_time_let_nothing_in)
{
	changed("+ time t Period=THISANDPRIOR/20990101T000000\n"
		"= rule a Filter=spdTimeFiltPeriod.\"t\"", false);
	ck_assert_uint_eq(changed("- contents g,1\n- contents g,2", false), 1);
	ck_assert_uint_eq(u.items[0].n_selectors, 1);
	ck_assert_uint_eq(u.items[0].selectors[0].dport_lo, 81);
}
END_TEST

START_TEST(test_sas_of_policy_are_named_by_their_ids)
{
	changed("+ cred k Type=sharedSecret Credential=0xa1*32 AdminStatus=enabled\n"
		"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
		"+ pre m,1 ESPSPI=4096 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
		"+ rule m Filter=spdTrueFilter.0 Action=ipsaSaPreActActionDescription.\"m\",1\n"
		"+ contents h,1 ComponentName=m\n+ contents h,9 ComponentName=z\n+ endpoint 1,4 Name=h", false);
	ck_assert_uint_eq(changed("- contents h,1", false), 1);
	ck_assert_uint_eq(u.items[0].reqid, 0);
	ck_assert_ptr_nonnull(pol_sa_find(after, u.items[0].sa_id));
	ck_assert_uint_gt(u.items[0].n_selectors, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/unasked");
	TCase *tc = tcase_create("unasked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_the_last_entry_that_asks_for_sas_says_what_they_were_for);
	tcase_add_test(tc, test_entries_that_go_together_add_up);
	tcase_add_test(tc, test_a_list_that_goes_takes_its_entries_along);
	tcase_add_test(tc, test_outbound_entries_are_not_asked);
	tcase_add_test(tc, test_an_entry_that_moves_or_changes_goes_on_asking);
	tcase_add_test(tc, test_what_is_asked_for_again_is_told_where_it_is_wanted);
	tcase_add_test(tc, test_a_list_that_comes_asks_again);
	tcase_add_test(tc, test_entries_that_stand_for_some_of_the_time_let_nothing_in);
	tcase_add_test(tc, test_sas_of_policy_are_named_by_their_ids);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
