/*
 * tests/unit/mibs/check_references.c - references: at SET, before active, in use, lists, nesting.
 *
 * RFC 4807 and the two action drafts, table by table; each case is one SET on the whole policy.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

static struct mib_store *store;

static void setup(void)
{
	fx_now_cs = 100000;
	store = fx_store();
	fx_make_policy(store, NULL);
	ck_assert_int_eq(fx_set(store, "ipsaCredentialTable", "long", "", MIB_RS_ACTIVE, NULL),
			 MIB_OK);
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

/* One SET of one row: what it must answer, and a word of the refusal. */
struct set_case {
	const char *table, *index, *columns;
	int status;
	enum mib_err err;
	const char *word;
};

static void expect(const struct set_case *c)
{
	struct mib_diag d = { 0 };
	char *before = fx_dump(store), *after;
	const enum mib_err err = fx_set(store, c->table, c->index, c->columns, c->status, &d);

	ck_assert_msg(err == c->err, "%s.%s %s (%d): %s, not %s (%s: %s)", c->table, c->index,
		      c->columns, c->status, mib_err_name(err), mib_err_name(c->err), d.object,
		      d.text);
	if (err != MIB_OK) {
		after = fx_dump(store);
		fx_expect_same(before, after);
		ck_assert_msg(d.varbind == 1 || d.varbind == 2, "%s %s: varbind %zu", c->table,
			      c->columns, d.varbind);
		ck_assert_msg(c->word == NULL || strstr(d.text, c->word) != NULL, "%s", d.text);
		free(after);
	}
	free(before);
}

#define RUN(cases) \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++) \
		expect(&(cases)[i])

#define IV MIB_INCONSISTENT_VALUE
#define IN MIB_INCONSISTENT_NAME

/* Every row of the policy that an active row refers to, by each kind of reference. */
static const struct set_case in_use[] = {
	{ "spdGroupContentsTable", "wan-out,100", "", MIB_RS_DESTROY, IV,
	  "refers to it by spdEndGroupName" },
	{ "spdRuleDefinitionTable", "tun-b-out", "", MIB_RS_DESTROY, IV, "spdGroupContentsTable" },
	{ "spdCompoundFilterTable", "both", "", MIB_RS_DESTROY, IV, "spdRuleDefinitionTable" },
	{ "spdSubfiltersTable", "both,1", "", MIB_RS_DESTROY, IV, "spdCompoundFilterTable" },
	{ "spdSubactionsTable", "vpn-b,0", "", MIB_RS_DESTROY, IV, "spdCompoundActionTable" },
	{ "spdCompoundActionTable", "vpn-b", "", MIB_RS_NOT_IN_SERVICE, IV, "ipiaAutostartIkeTable" },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "", MIB_RS_DESTROY, IV, "tun-b-out" },
	{ "ipsaEspTransformTable", "aes256-sha256", "", MIB_RS_DESTROY, IV, "refers to it" },
	{ "ipsaCredentialTable", "ab-enc", "", MIB_RS_DESTROY, IV, "refers to it" },
	{ "ipsaCredentialTable", "ca-cert", "", MIB_RS_DESTROY, IV, "ipiaIpsecCredMngServiceTable" },
	{ "ipsaPeerIdentityTable", "gw-b,0", "", MIB_RS_DESTROY, IV, "refers to it" },
	{ "ipiaIkeActionTable", "ike-b", "", MIB_RS_DESTROY, IV, "spdSubactionsTable" },
	{ "ipiaSaNegotiationParametersTable", "std", "", MIB_RS_DESTROY, IV, "refers to it" },
	{ "ipiaIkeActionProposalsTable", "ike-b,0", "", MIB_RS_NOT_IN_SERVICE, IV,
	  "ipiaIkeActionTable" },
	{ "ipiaIkeProposalTable", "p1-std", "", MIB_RS_DESTROY, IV, "ipiaIkeActionProposalsTable" },
	{ "ipiaIpsecProposalsTable", "p2-std,0,3", "", MIB_RS_DESTROY, IV, "ipiaIpsecActionTable" },
	{ "ipiaIpsecTransformsTable", "3,esp-std,0", "", MIB_RS_DESTROY, IV,
	  "ipiaIpsecProposalsTable" },
	{ "ipiaIkeIdentityTable", "2,1,default", "", MIB_RS_DESTROY, IV, "ipiaIkeActionTable" },
	{ "ipiaIpsecCredMngServiceTable", "ca", "", MIB_RS_DESTROY, IV, "refers to it" },
	{ "ipiaCredMngCRLTable", "ca,crl1", "", MIB_RS_DESTROY, IV, "ipiaRevokedCertificateTable" },
	/* Nothing refers to these. */
	{ "ipsaAhTransformTable", "sha256", "", MIB_RS_DESTROY, MIB_OK, NULL },
	{ "ipsaIpcompTransformTable", "deflate", "", MIB_RS_DESTROY, MIB_OK, NULL },
	{ "spdTimeFilterTable", "work", "", MIB_RS_DESTROY, MIB_OK, NULL },
	{ "ipiaAutostartIkeTable", "0", "", MIB_RS_DESTROY, MIB_OK, NULL },
	{ "spdEndpointToGroupTable", "outbound,2", "", MIB_RS_DESTROY, MIB_OK, NULL },
	/* And with the endpoint gone the rest comes off, from the top. */
	{ "spdRuleDefinitionTable", "tun-b-out", "", MIB_RS_NOT_IN_SERVICE, IV,
	  "spdGroupContentsTable" },
	{ "spdGroupContentsTable", "wan-out,100", "", MIB_RS_DESTROY, MIB_OK, NULL },
	{ "spdRuleDefinitionTable", "tun-b-out", "", MIB_RS_DESTROY, MIB_OK, NULL },
};

START_TEST(test_what_an_active_row_refers_to_stays)
{
	RUN(in_use);
}
END_TEST

static const struct set_case at_set[] = {
	/* Pointers: no such row, another column, not supported here, not for this column. */
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdTimeFiltPeriod.\"gone\"", 0, IN,
	  "no such row" },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdTimeFiltPeriod.\"work\"", 0,
	  MIB_OK, NULL },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdTimeFiltRowStatus.\"work\"", 0,
	  IN, "first accessible column" },
	/* Column 1 is the index: taken for the same row. */
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdTimeFiltName.\"work\"", 0,
	  MIB_OK, NULL },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=1.3.6.1.2.1.2.2.1.1.2", 0, IV,
	  "kind" },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=0.0", 0, IV, "kind" },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdDropAction.0", 0, IV, "kind" },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefAction=spdTrueFilter.0", 0, IV, "kind" },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefAction=1.3.6.1.2.1.153.1.13.1.1", 0, IN,
	  NULL },
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefAction=spdAcceptActionLog.0", 0, MIB_OK,
	  NULL },
	{ "spdRuleDefinitionTable", "tun-b-out",
	  "spdRuleDefAction=ipiaIpsecActParametersName.\"ipsec-b\"", 0, MIB_OK, NULL },
	{ "spdRuleDefinitionTable", "tun-b-out",
	  "spdRuleDefAction=spdRuleDefDescription.\"tun-b-out\"", 0, IV, "kind" },
	/* The rules for IPSO, IKE and peer filters are the same in all three columns. */
	{ "spdRuleDefinitionTable", "tun-b-out", "spdRuleDefFilter=spdIpsoHeadFiltType.\"secret\"", 0,
	  MIB_OK, NULL },
	{ "spdGroupContentsTable", "wan-out,100", "spdGroupContFilter=ipiaIkePhase1Filter.0", 0,
	  MIB_OK, NULL },
	{ "spdSubfiltersTable", "both,1", "spdSubFiltSubfilter=spdTrueFilter.0", 0, MIB_OK, NULL },
	/* Autostart answers inconsistentValue to every fault. */
	{ "ipiaAutostartIkeTable", "0", "ipiaAutoIkeAction=ipiaIkeActParametersName.\"gone\"", 0, IV,
	  "no such row" },
	{ "ipiaAutostartIkeTable", "0",
	  "ipiaAutoIkeAction=ipsaSaPreActActionDescription.\"tun-b\",outbound", 0, IV, "kind" },
	/* Names that must be known at SET, even in a row that is not active. */
	{ "ipiaIkeActionTable", "new", "ipiaIkeActParametersName=gone", MIB_RS_CREATE_AND_WAIT, IV,
	  "ipiaSaNegotiationParametersTable" },
	{ "ipiaIpsecActionTable", "new", "ipiaIpsecActProposalsName=gone", MIB_RS_CREATE_AND_WAIT, IV,
	  "ipiaIpsecProposalsTable" },
	{ "ipiaIpsecActionTable", "new", "ipiaIpsecActPeerGatewayIdName=gone",
	  MIB_RS_CREATE_AND_WAIT, IV, "ipsaPeerIdentityTable" },
	{ "ipiaIpsecActionTable", "new",
	  "ipiaIpsecActPeerGatewayIdName=a-name-of-more-than-thirty-two-octets-x",
	  MIB_RS_CREATE_AND_WAIT, IV, NULL },
	{ "ipiaIkeActionProposalsTable", "ike-b,7", "ipiaIkeActPropName=gone",
	  MIB_RS_CREATE_AND_WAIT, IV, NULL },
	{ "ipiaIpsecProposalsTable", "p2-std,0,2", "ipiaIpsecPropTransformsName=esp-std",
	  MIB_RS_CREATE_AND_WAIT, IV, "ipiaIpsecTransformsTable" },
	{ "ipiaCredentialFilterTable", "new", "ipiaCredFiltAcceptCredFrom=gone",
	  MIB_RS_CREATE_AND_WAIT, IV, NULL },
	/* Other names need only be known when the row is to be active. */
	{ "spdEndpointToGroupTable", "inbound,2", "spdEndGroupName=gone", MIB_RS_CREATE_AND_WAIT,
	  MIB_OK, NULL },
	{ "spdEndpointToGroupTable", "inbound,2", "", MIB_RS_ACTIVE, IV, "gone" },
	{ "spdEndpointToGroupTable", "inbound,3", "spdEndGroupName=gone", MIB_RS_CREATE_AND_GO, IV,
	  "does not exist" },
	{ "spdEndpointToGroupTable", "outbound,2", "spdEndGroupName=gone", 0, IV, "does not exist" },
	{ "ipsaSaPreconfiguredActionTable", "x,1",
	  "ipsaSaPreActESPSPI=300 ipsaSaPreActESPTransformName=gone", MIB_RS_CREATE_AND_GO, IV,
	  "does not exist" },
	/* Indexes that share a name with another table. */
	{ "ipsaCredentialSegmentTable", "gone,1", "ipsaCredSegValue=x", MIB_RS_CREATE_AND_GO, IV,
	  "does not exist" },
	{ "ipiaCredMngCRLTable", "gone,crl2", "", MIB_RS_CREATE_AND_GO, IV, "does not exist" },
	{ "ipiaRevokedCertificateTable", "gone,1", "", MIB_RS_CREATE_AND_GO, IV, "does not exist" },
	{ "ipiaIpsecTransformsTable", "2,ah,0", "ipiaIpsecTranTransformName=aes256-sha256",
	  MIB_RS_CREATE_AND_GO, IV, "ipsaAhTransformTable" },
	{ "ipiaIpsecTransformsTable", "2,ah,0", "ipiaIpsecTranTransformName=sha256",
	  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
	/* IKE identities look among credentials, then among credential filters. */
	{ "ipiaIkeIdentityTable", "3,1,x", "ipiaIkeIdCredentialName=gone", MIB_RS_CREATE_AND_GO, IV,
	  "does not exist" },
	{ "ipiaIkeIdentityTable", "3,1,x", "ipiaIkeIdCredentialName=certs", MIB_RS_CREATE_AND_GO,
	  MIB_OK, NULL },
	{ "ipiaCredentialFilterTable", "certs", "", MIB_RS_DESTROY, IV, "ipiaIkeIdentityTable" },
};

START_TEST(test_references_are_judged_at_set_and_at_activation)
{
	RUN(at_set);
}
END_TEST

START_TEST(test_targets_that_are_not_active_keep_a_row_from_being_active)
{
	static const struct set_case cases[] = {
		{ "spdTimeFilterTable", "work", "", MIB_RS_NOT_IN_SERVICE, MIB_OK, NULL },
		{ "spdRuleDefinitionTable", "new",
		  "spdRuleDefFilter=spdTimeFiltPeriod.\"work\" spdRuleDefAction=spdDropAction.0",
		  MIB_RS_CREATE_AND_WAIT, MIB_OK, NULL },
		{ "spdRuleDefinitionTable", "new", "", MIB_RS_ACTIVE, IV, "not active" },
	};

	RUN(cases);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "new"), MIB_RS_NOT_READY);
	ck_assert_uint_eq(mib_store_rows_not_ready(store), 1);
	ck_assert_int_eq(fx_set(store, "spdTimeFilterTable", "work", "", MIB_RS_ACTIVE, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "new"), MIB_RS_NOT_IN_SERVICE);
	ck_assert_uint_eq(mib_store_rows_not_ready(store), 0);
	ck_assert_int_eq(fx_set(store, "spdRuleDefinitionTable", "new", "", MIB_RS_ACTIVE, NULL),
			 MIB_OK);
}
END_TEST

START_TEST(test_only_the_last_member_of_a_list_is_kept)
{
	static const struct set_case cases[] = {
		{ "spdGroupContentsTable", "wan-out,200", "spdGroupContComponentName=tun-b-out",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,100", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,200", "", MIB_RS_NOT_IN_SERVICE, IV,
		  "spdEndpointToGroupTable" },
		/* A member that is not active does not count. */
		{ "spdGroupContentsTable", "wan-out,300", "spdGroupContComponentName=tun-b-out",
		  MIB_RS_CREATE_AND_WAIT, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,200", "", MIB_RS_DESTROY, IV, NULL },
		{ "ipsaPeerIdentityTable", "gw-b,1", "ipsaPeerIdType=1", MIB_RS_CREATE_AND_GO, MIB_OK,
		  NULL },
		{ "ipsaPeerIdentityTable", "gw-b,0", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "ipsaPeerIdentityTable", "gw-b,1", "", MIB_RS_DESTROY, IV, NULL },
		{ "spdSubfiltersTable", "both,2", "spdSubFiltSubfilter=spdTrueFilter.0",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdSubfiltersTable", "both,1", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "spdSubfiltersTable", "both,2", "", MIB_RS_DESTROY, IV, NULL },
		/* An identity is for one interface: another interface's is no substitute. */
		{ "ipiaIkeIdentityTable", "3,1,default", "", MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "ipiaIkeIdentityTable", "2,1,default", "", MIB_RS_DESTROY, IV, NULL },
	};

	RUN(cases);
}
END_TEST

START_TEST(test_group_scalars_keep_their_group_but_may_name_none)
{
	static const struct set_case cases[] = {
		{ "spdEndpointToGroupTable", "outbound,2", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "spdLocalConfigObjects", "0", "spdIngressPolicyGroupName=gone", 0, MIB_OK, NULL },
		{ "spdLocalConfigObjects", "0", "spdEgressPolicyGroupName=wan-out", 0, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,100", "", MIB_RS_DESTROY, IV,
		  "spdEgressPolicyGroupName" },
		{ "spdLocalConfigObjects", "0", "spdEgressPolicyGroupName=", 0, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,100", "", MIB_RS_DESTROY, MIB_OK, NULL },
	};

	RUN(cases);
}
END_TEST

/* Referrer and target in one transaction, the target last: nothing depends on the order. */
START_TEST(test_one_transaction_may_bring_and_take_both_ends)
{
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };
	const struct fx_row rows[] = {
		{ "spdEndpointToGroupTable", "inbound,2", "spdEndGroupName=wan-in" },
		{ "spdGroupContentsTable", "wan-in,1", "spdGroupContComponentName=drop" },
		{ "spdRuleDefinitionTable", "drop",
		  "spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0" },
	};

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(fx_stage(t, &rows[i], MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_finish(t, &d), MIB_OK);

	t = fx_begin(store);
	for (size_t i = 3; i-- > 0;) {
		const struct fx_row gone = { rows[i].table, rows[i].index, "" };

		ck_assert_int_eq(fx_stage(t, &gone, MIB_RS_DESTROY, &d), MIB_OK);
	}
	ck_assert_int_eq(fx_finish(t, &d), MIB_OK);
	ck_assert_int_eq(fx_status(store, "spdRuleDefinitionTable", "drop"), 0);
}
END_TEST

START_TEST(test_a_classifier_goes_when_its_last_pointer_does)
{
	static const struct set_case first[] = {
		{ "diffServMultiFieldClfrTable", "20", "", MIB_RS_DESTROY, MIB_OK, NULL },
	};
	static const struct set_case second[] = {
		{ "spdSubfiltersTable", "both,2",
		  "spdSubFiltSubfilter=diffServMultiFieldClfrAddrType.20", MIB_RS_CREATE_AND_GO, IV,
		  "destroyed" },
		{ "diffServMultiFieldClfrTable", "20", "", MIB_RS_CREATE_AND_GO, IV, "exists" },
		/* The pointer that is there may be set again to what it is. */
		{ "spdSubfiltersTable", "both,1",
		  "spdSubFiltSubfilter=diffServMultiFieldClfrAddrType.20", 0, MIB_OK, NULL },
		{ "diffServMultiFieldClfrTable", "20", "", MIB_RS_DESTROY, MIB_OK, NULL },
	};

	RUN(first);
	/* It reads out of service, but goes on for those that point at it. */
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "20"),
			 MIB_RS_NOT_IN_SERVICE);

	const uint32_t id = 20;
	const struct mib_row *row = mib_view_row(mib_store_view(store),
						 &mib_t_diffServMultiFieldClfrTable, &id, 1);

	ck_assert(mib_row_active(row));
	RUN(second);
	ck_assert_int_eq(fx_set(store, "spdSubfiltersTable", "both,1",
				"spdSubFiltSubfilter=spdTrueFilter.0", 0, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "20"), 0);
}
END_TEST

START_TEST(test_a_destroyed_classifier_can_be_taken_back)
{
	ck_assert_int_eq(fx_set(store, "diffServMultiFieldClfrTable", "20", "", MIB_RS_DESTROY, NULL),
			 MIB_OK);
	ck_assert_int_eq(fx_set(store, "diffServMultiFieldClfrTable", "20", "", MIB_RS_ACTIVE, NULL),
			 MIB_OK);
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "20"), MIB_RS_ACTIVE);
	ck_assert_int_eq(fx_set(store, "spdSubfiltersTable", "both,1",
				"spdSubFiltSubfilter=spdTrueFilter.0", 0, NULL), MIB_OK);
	ck_assert_int_eq(fx_status(store, "diffServMultiFieldClfrTable", "20"), MIB_RS_ACTIVE);
}
END_TEST

START_TEST(test_an_active_compound_action_outlives_its_subactions)
{
	static const struct set_case cases[] = {
		{ "ipiaAutostartIkeTable", "0", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "spdCompoundActionTable", "vpn-b", "", MIB_RS_DESTROY, IV, "subactions" },
		{ "spdCompoundActionTable", "vpn-b", "", MIB_RS_NOT_IN_SERVICE, MIB_OK, NULL },
		{ "spdSubactionsTable", "vpn-b,0", "", MIB_RS_DESTROY, MIB_OK, NULL },
		{ "spdCompoundActionTable", "vpn-b", "", MIB_RS_DESTROY, MIB_OK, NULL },
	};

	RUN(cases);
}
END_TEST

START_TEST(test_cycles_are_refused_and_named)
{
	static const struct set_case cases[] = {
		{ "spdCompoundFilterTable", "a", "", MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdCompoundFilterTable", "b", "", MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdSubfiltersTable", "a,1", "spdSubFiltSubfilter=spdCompFiltDescription.\"b\"",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdSubfiltersTable", "b,1", "spdSubFiltSubfilter=spdCompFiltDescription.\"a\"",
		  MIB_RS_CREATE_AND_GO, IV, "\"a\" > \"b\" > \"a\"" },
		{ "spdSubfiltersTable", "b,1", "spdSubFiltSubfilter=spdCompFiltDescription.\"b\"",
		  MIB_RS_CREATE_AND_WAIT, IV, "\"b\" > \"b\"" },
		{ "spdCompoundActionTable", "c", "", MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdSubactionsTable", "c,1",
		  "spdSubActSubActionName=spdCompActExecutionStrategy.\"c\"", MIB_RS_CREATE_AND_GO, IV,
		  "a compound action would contain itself: \"c\" > \"c\"" },
		{ "spdGroupContentsTable", "g,1",
		  "spdGroupContComponentType=group spdGroupContComponentName=wan-out",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "spdGroupContentsTable", "wan-out,5",
		  "spdGroupContComponentType=group spdGroupContComponentName=g",
		  MIB_RS_CREATE_AND_GO, IV,
		  "a group would contain itself: \"g\" > \"wan-out\" > \"g\"" },
		/* The same name as a rule's is no cycle. */
		{ "spdGroupContentsTable", "tun-b-out,5", "spdGroupContComponentName=tun-b-out",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
	};

	RUN(cases);
}
END_TEST

START_TEST(test_a_cycle_made_at_once_is_refused_too)
{
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };
	const struct fx_row rows[] = {
		{ "spdGroupContentsTable", "x,1",
		  "spdGroupContComponentType=group spdGroupContComponentName=y" },
		{ "spdGroupContentsTable", "y,1",
		  "spdGroupContComponentType=group spdGroupContComponentName=x" },
	};

	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(fx_stage(t, &rows[i], MIB_RS_CREATE_AND_GO, &d), MIB_OK);
	ck_assert_int_eq(fx_finish(t, &d), MIB_INCONSISTENT_VALUE);
	ck_assert_uint_eq(d.varbind, 2);
}
END_TEST

/* 16 groups in one another are allowed, 17 are not, from whichever end they grow. */
START_TEST(test_nesting_has_a_limit)
{
	const bool downwards = _i == 1;

	for (int k = 1; k <= 16; k++) {
		char index[32], columns[120];
		struct mib_diag d = { 0 };
		const int upper = downwards ? k : 16 - k, lower = upper + 1;
		enum mib_err err;

		snprintf(index, sizeof(index), "n%d,1", upper);
		snprintf(columns, sizeof(columns),
			 "spdGroupContComponentType=group spdGroupContComponentName=n%d", lower);
		err = fx_set(store, "spdGroupContentsTable", index, columns, MIB_RS_CREATE_AND_WAIT,
			     &d);
		ck_assert_msg(err == (k < 16 ? MIB_OK : MIB_INCONSISTENT_VALUE), "%d: %s", k, d.text);
	}
}
END_TEST

START_TEST(test_names_of_crls_are_unique_over_all_cas)
{
	static const struct set_case cases[] = {
		{ "ipiaIpsecCredMngServiceTable", "ca2", "ipiaIcmsDistinguishedName=CN=2",
		  MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
		{ "ipiaCredMngCRLTable", "ca2,crl1", "", MIB_RS_CREATE_AND_GO, IV, "another CA" },
		{ "ipiaCredMngCRLTable", "ca2,crl2", "", MIB_RS_CREATE_AND_GO, MIB_OK, NULL },
	};

	RUN(cases);
}
END_TEST

START_TEST(test_a_preconfigured_action_needs_a_protocol_and_its_spi)
{
	static const struct set_case cases[] = {
		{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPTransformName=",
		  0, IV, "at least one" },
		{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPSPI=0", 0, IV,
		  "SPI" },
		{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound", "ipsaSaPreActESPSPI=255", 0,
		  MIB_WRONG_VALUE, "256" },
	};

	RUN(cases);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("references");
	TCase *tc = tcase_create("policy");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_what_an_active_row_refers_to_stays);
	tcase_add_test(tc, test_references_are_judged_at_set_and_at_activation);
	tcase_add_test(tc, test_targets_that_are_not_active_keep_a_row_from_being_active);
	tcase_add_test(tc, test_only_the_last_member_of_a_list_is_kept);
	tcase_add_test(tc, test_group_scalars_keep_their_group_but_may_name_none);
	tcase_add_test(tc, test_one_transaction_may_bring_and_take_both_ends);
	tcase_add_test(tc, test_a_classifier_goes_when_its_last_pointer_does);
	tcase_add_test(tc, test_a_destroyed_classifier_can_be_taken_back);
	tcase_add_test(tc, test_an_active_compound_action_outlives_its_subactions);
	tcase_add_test(tc, test_cycles_are_refused_and_named);
	tcase_add_test(tc, test_a_cycle_made_at_once_is_refused_too);
	tcase_add_loop_test(tc, test_nesting_has_a_limit, 0, 2);
	tcase_add_test(tc, test_names_of_crls_are_unique_over_all_cas);
	tcase_add_test(tc, test_a_preconfigured_action_needs_a_protocol_and_its_spi);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
