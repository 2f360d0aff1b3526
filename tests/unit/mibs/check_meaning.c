/*
 * tests/unit/mibs/check_meaning.c - decided defaults, values that are always wrong, conditional
 * columns, periods. Each case is a sentence of a module or a decision where it is silent.
 */
#include <string.h>

#include "fixture.h"
#include "mibs/period.h"
#include "mibs/schema_gen.h"
#include "suite.h"

static struct mib_store *store;

static void setup(void)
{
	fx_now_cs = 100000;
	store = fx_store();
	fx_make_policy(store, NULL);
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

/* What a column reads as that was never set, in rows of the policy. */
static const struct {
	const char *column, *index, *value;
} unset[] = {
	{ "diffServMultiFieldClfrFlowId", "20", "(none)" },
	{ "diffServMultiFieldClfrDscp", "20", "-1" },
	{ "spdGroupContFilter", "wan-out,100", "spdTrueFilter.0" },
	{ "spdTimeFiltDayOfMonthMask", "work", "0xfffffffffffffffe" },
	{ "ipsaSaPreActAHSPI", "tun-b,outbound", "0" },
	{ "ipsaSaPreActAHTransformName", "tun-b,outbound", "" },
	{ "ipsaSaPreActIPCompTransformName", "tun-b,outbound", "" },
	{ "ipsaAhTranReplayProtection", "sha256", "true" },
	{ "ipsaAhTranReplayWindowSize", "sha256", "0" },
	{ "ipsaCredMngName", "ca-cert", "" },
	{ "ipiaSaNegParamRefreshThresholdKB", "std", "90" },
	{ "ipiaSaNegParamIdleDurationSecs", "std", "0" },
	{ "ipiaIpsecActUseIkeGroup", "ipsec-b", "false" },
	{ "ipiaIpsecActGranularity", "ipsec-b", "subnet" },
	{ "ipiaIpsecActVendorId", "ipsec-b", "0x" },
	{ "ipiaIkePropMaxLifetimeSecs", "p1-std", "0" },
	{ "ipiaIkePropPrfAlgorithm", "p1-std", "reserved" },
	{ "ipiaIkeActAgressiveModeGroupId", "ike-b", "(none)" },
	{ "ipiaAutoIkeSourcePort", "0", "(none)" },
	{ "ipspdIkeActVersion", "ike-b", "v2" },
};

START_TEST(test_unset_columns_read_as_decided)
{
	for (size_t i = 0; i < sizeof(unset) / sizeof(unset[0]); i++)
		ck_assert_msg(strcmp(fx_get(store, unset[i].column, unset[i].index),
				     unset[i].value) == 0, "%s: %s", unset[i].column,
			      fx_get(store, unset[i].column, unset[i].index));
}
END_TEST

/* SETs of one row of the policy that exists, or makes one. */
static const struct {
	const char *table, *index, *columns;
	int status;
	enum mib_err err;
} sets[] = {
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPSPI=256", 0, MIB_OK },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPSPI=255", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPSPI=-1", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActIPCompSPI=65535", 0,
	  MIB_OK },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActIPCompSPI=65536", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaEspTransformTable", "aes256-sha256", "ipsaEspTranReplayWindowSize=0", 0, MIB_OK },
	{ "ipsaEspTransformTable", "aes256-sha256", "ipsaEspTranReplayWindowSize=4096", 0, MIB_OK },
	{ "ipsaEspTransformTable", "aes256-sha256", "ipsaEspTranReplayWindowSize=8192", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaEspTransformTable", "aes256-sha256", "ipsaEspTranReplayWindowSize=65", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaEspTransformTable", "new",
	  "ipsaEspTranCipherTransformId=12 ipsaEspTranIntegrityAlgorithmId=5", MIB_RS_CREATE_AND_GO,
	  MIB_INCONSISTENT_VALUE },
	{ "ipsaEspTransformTable", "new",
	  "ipsaEspTranCipherTransformId=3 ipsaEspTranIntegrityAlgorithmId=2", MIB_RS_CREATE_AND_GO,
	  MIB_OK },
	{ "ipsaIpcompTransformTable", "new", "", MIB_RS_CREATE_AND_GO, MIB_INCONSISTENT_VALUE },
	{ "ipsaIpcompTransformTable", "new", "ipsaIpcompTranPrivateAlgorithm=1",
	  MIB_RS_CREATE_AND_GO, MIB_OK },
	{ "ipsaCredentialTable", "ab-enc", "ipsaCredType=kerberos", 0, MIB_WRONG_VALUE },
	{ "ipsaCredentialTable", "ab-enc", "ipsaCredType=unknown", 0, MIB_WRONG_VALUE },
	{ "ipsaCredentialTable", "new", "ipsaCredType=sharedSecret", MIB_RS_CREATE_AND_GO,
	  MIB_INCONSISTENT_VALUE },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrAddrType=dns", 0,
	  MIB_WRONG_VALUE },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrDstPrefixLength=129", 0,
	  MIB_WRONG_VALUE },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrDstPrefixLength=33", 0,
	  MIB_INCONSISTENT_VALUE },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrAddrType=ipv6", 0,
	  MIB_INCONSISTENT_VALUE },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrDstL4PortMin=80", 0, MIB_OK },
	{ "diffServMultiFieldClfrTable", "20", "diffServMultiFieldClfrDstL4PortMax=79", 0,
	  MIB_INCONSISTENT_VALUE },
	/* createAndGo with nothing but the address type: any addresses. */
	{ "diffServMultiFieldClfrTable", "21", "diffServMultiFieldClfrAddrType=ipv6",
	  MIB_RS_CREATE_AND_GO, MIB_OK },
	{ "diffServMultiFieldClfrTable", "22",
	  "diffServMultiFieldClfrAddrType=ipv4 diffServMultiFieldClfrSrcPrefixLength=8",
	  MIB_RS_CREATE_AND_GO, MIB_INCONSISTENT_VALUE },
	{ "spdIpsoHeaderFilterTable", "secret", "spdIpsoHeadFiltType=", 0, MIB_INCONSISTENT_VALUE },
	{ "spdIpsoHeaderFilterTable", "secret",
	  "spdIpsoHeadFiltType=classificationLevel,protectionAuthority", 0, MIB_INCONSISTENT_VALUE },
	{ "spdIpsoHeaderFilterTable", "secret",
	  "spdIpsoHeadFiltType=protectionAuthority spdIpsoHeadFiltProtectionAuth=genser", 0, MIB_OK },
	{ "spdTimeFilterTable", "work", "spdTimeFiltDayOfMonthMask=0xffffffffffffffff", 0,
	  MIB_WRONG_VALUE },
	{ "spdTimeFilterTable", "work", "spdTimeFiltDayOfMonthMask=0x8000000000000002", 0, MIB_OK },
	{ "spdTimeFilterTable", "work", "spdTimeFiltPeriod=THISANDFUTURE/20260101T000000", 0,
	  MIB_WRONG_VALUE },
	{ "ipsaPeerIdentityTable", "gw-b,0", "ipsaPeerIdAddressType=dns", 0, MIB_WRONG_VALUE },
	{ "ipsaPeerIdentityTable", "gw-b,0", "ipsaPeerIdAddressType=ipv6", 0,
	  MIB_INCONSISTENT_VALUE },
	{ "ipsaPeerIdentityTable", "gw-b,0", "ipsaPeerIdAddressType=unknown ipsaPeerIdAddress=", 0,
	  MIB_OK },
	{ "ipiaIkeActionTable", "ike-b", "ipiaIkeActExchangeMode=agressive", 0,
	  MIB_INCONSISTENT_VALUE },
	{ "ipiaIkeActionTable", "ike-b",
	  "ipiaIkeActExchangeMode=agressive ipiaIkeActAgressiveModeGroupId=14", 0, MIB_OK },
	{ "ipiaIpsecActionTable", "new",
	  "ipiaIpsecActParametersName=std ipiaIpsecActProposalsName=p2-std ipiaIpsecActUsePfs=true",
	  MIB_RS_CREATE_AND_GO, MIB_INCONSISTENT_VALUE },
	{ "ipiaIkeProposalTable", "new",
	  "ipiaIkePropCipherAlgorithm=7 ipiaIkePropHashAlgorithm=4 ipiaIkePropDhGroup=14 "
	  "ipiaIkePropAuthenticationMethod=1", MIB_RS_CREATE_AND_GO, MIB_INCONSISTENT_VALUE },
	{ "ipiaIkeProposalTable", "new",
	  "ipiaIkePropCipherAlgorithm=5 ipiaIkePropHashAlgorithm=2 ipiaIkePropDhGroup=14 "
	  "ipiaIkePropAuthenticationMethod=1", MIB_RS_CREATE_AND_GO, MIB_OK },
	{ "ipiaAutostartIkeTable", "0", "ipiaAutoIkeDestPort=0", 0, MIB_WRONG_VALUE },
	{ "ipiaAutostartIkeTable", "0", "ipiaAutoIkeAddressType=ipv6", 0, MIB_INCONSISTENT_VALUE },
	/* ISAKMP(1) is no protocol of transforms; no such row can ever be. */
	{ "ipiaIpsecTransformsTable", "1,x,0", "", MIB_RS_CREATE_AND_WAIT, MIB_NO_CREATION },
	{ "ipiaIpsecProposalsTable", "x,0,5", "", MIB_RS_CREATE_AND_WAIT, MIB_NO_CREATION },
};

START_TEST(test_what_single_tables_demand)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct mib_diag d = { 0 };
		const enum mib_err err = fx_set(store, sets[i].table, sets[i].index, sets[i].columns,
						sets[i].status, &d);

		ck_assert_msg(err == sets[i].err, "%s %s: %s (%s)", sets[i].index, sets[i].columns,
			      mib_err_name(err), d.text);
		if (err != MIB_OK)
			ck_assert_msg(d.text[0] != '\0' && d.object[0] != '\0', "%s", sets[i].columns);
	}
}
END_TEST

START_TEST(test_next_free_changes_with_use_and_ends_at_zero)
{
	ck_assert_str_eq(fx_get(store, "diffServMultiFieldClfrNextFree", "0"), "21");
	ck_assert_int_eq(fx_set(store, "diffServMultiFieldClfrTable", "21", "",
				MIB_RS_CREATE_AND_WAIT, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "diffServMultiFieldClfrNextFree", "0"), "22");
	ck_assert_int_eq(fx_set(store, "diffServMultiFieldClfrTable", "4294967295", "",
				MIB_RS_CREATE_AND_WAIT, NULL), MIB_OK);
	ck_assert_str_eq(fx_get(store, "diffServMultiFieldClfrNextFree", "0"), "1");
}
END_TEST

static const struct {
	const char *text;
	bool period, day_times;
} periods[] = {
	{ "THISANDPRIOR/THISANDFUTURE", true, false },
	{ "20260101T000000/THISANDFUTURE", true, false },
	{ "THISANDPRIOR/20260101T000000", true, false },
	{ "20260101T000000/20260101T000001", true, true },
	{ "20260101T000000/20260101T000000", false, true },
	{ "20260102T000000/20260101T000000", false, true },
	{ "THISANDFUTURE/20260101T000000", false, false },
	{ "20260101T000000/THISANDPRIOR", false, false },
	{ "00000000T000000/00000000T240000", false, true },
	{ "00000000T220000/00000000T060000", false, true },
	{ "00000000T240001/00000000T250000", false, false },
	{ "20260230T000000/20260301T000000", false, true },
	{ "20240229T000000/20240301T000000", true, true },
	{ "21000229T000000/21000301T000000", false, true },
	{ "20261301T000000/20270101T000000", false, true },
	{ "20260101T006000/20270101T000000", false, false },
	{ "20260101 000000/20270101T000000", false, false },
	{ "20260101T000000", false, false },
	{ "/", false, false },
	{ "2026010xT000000/20270101T000000", false, false },
	{ "", true, true },
};

START_TEST(test_periods_are_judged_by_their_use)
{
	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		const size_t len = strlen(periods[i].text);

		struct mib_period read;

		ck_assert_msg((mib_period_read(periods[i].text, len, &read) == NULL) == periods[i].period,
			      "%s", periods[i].text);
		ck_assert_msg((mib_day_times_read(periods[i].text, len, &read) == NULL) ==
			      periods[i].day_times, "%s", periods[i].text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("meaning");
	TCase *tc = tcase_create("meaning");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_unset_columns_read_as_decided);
	tcase_add_test(tc, test_what_single_tables_demand);
	tcase_add_test(tc, test_next_free_changes_with_use_and_ends_at_zero);
	tcase_add_test(tc, test_periods_are_judged_by_their_use);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
