/*
 * tests/unit/mibs/fixture.c - see fixture.h.
 */
#include "fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

uint64_t fx_now_cs = 100000;

uint64_t fx_clock(void)
{
	return fx_now_cs;
}

const struct fx_row fx_policy[] = {
	{ "ipsaEspTransformTable", "aes256-sha256",
	  "ipsaEspTranMaxLifetimeSec=3600 ipsaEspTranMaxLifetimeKB=0 "
	  "ipsaEspTranCipherTransformId=12 ipsaEspTranCipherKeyLength=256 "
	  "ipsaEspTranCipherKeyRounds=0 ipsaEspTranIntegrityAlgorithmId=5 "
	  "ipsaEspTranReplayPrevention=true ipsaEspTranReplayWindowSize=64" },
	{ "ipsaAhTransformTable", "sha256", "ipsaAhTranAlgorithm=5" },
	{ "ipsaIpcompTransformTable", "deflate", "ipsaIpcompTranAlgorithm=2" },
	{ "ipsaCredentialTable", "ca-cert",
	  "ipsaCredType=x509 ipsaCredCredential=0x30820102 ipsaCredAdminStatus=enabled" },
	{ "ipiaIpsecCredMngServiceTable", "ca",
	  "ipiaIcmsDistinguishedName=CN=test ipiaIcmsCredentialName=ca-cert" },
	{ "ipiaCredMngCRLTable", "ca,crl1", "ipiaCmcDistributionPoint=http://crl.test/" },
	{ "ipiaRevokedCertificateTable", "crl1,4711", "ipiaRctRevokedDate=260101000000Z" },
	{ "ipsaCredentialTable", "ab-enc",
	  "ipsaCredType=sharedSecret "
	  "ipsaCredCredential=0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
	  "ipsaCredAdminStatus=enabled ipsaCredMngName=ca" },
	{ "ipsaCredentialTable", "ab-auth",
	  "ipsaCredType=sharedSecret "
	  "ipsaCredCredential=0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f "
	  "ipsaCredAdminStatus=enabled" },
	{ "ipsaPeerIdentityTable", "gw-b,0",
	  "ipsaPeerIdType=1 ipsaPeerIdValue=198.51.100.1 ipsaPeerIdAddressType=ipv4 "
	  "ipsaPeerIdAddress=198.51.100.1 ipsaPeerIdCredentialName=ab-enc" },
	{ "ipsaSaPreconfiguredActionTable", "tun-b,outbound",
	  "ipsaSaPreActActionLifetimeSec=0 ipsaSaPreActActionType=1 ipsaSaPreActESPSPI=4096 "
	  "ipsaSaPreActESPTransformName=aes256-sha256 ipsaSaPreActESPEncSecretName=ab-enc "
	  "ipsaSaPreActESPAuthSecretName=ab-auth ipsaSaPreActPeerGatewayIdName=gw-b" },
	{ "diffServMultiFieldClfrTable", "20",
	  "diffServMultiFieldClfrAddrType=ipv4 diffServMultiFieldClfrSrcAddr=10.1.0.0 "
	  "diffServMultiFieldClfrSrcPrefixLength=16 diffServMultiFieldClfrDstAddr=10.2.0.0 "
	  "diffServMultiFieldClfrDstPrefixLength=16" },
	{ "spdIpOffsetFilterTable", "proto",
	  "spdIpOffFiltOffset=9 spdIpOffFiltType=equal spdIpOffFiltValue=0x06" },
	{ "spdTimeFilterTable", "work", "spdTimeFiltDayOfWeekMask=monday,tuesday" },
	{ "spdIpsoHeaderFilterTable", "secret",
	  "spdIpsoHeadFiltType=classificationLevel spdIpsoHeadFiltClassification=secret" },
	{ "ipiaCredentialFilterTable", "certs",
	  "ipiaCredFiltMatchFieldName=issuerName ipiaCredFiltMatchFieldValue=CN=test "
	  "ipiaCredFiltAcceptCredFrom=ca" },
	{ "ipiaPeerIdentityFilterTable", "peers",
	  "ipiaPeerIdFiltIdentityType=2 ipiaPeerIdFiltIdentityValue=*.example.com" },
	{ "spdCompoundFilterTable", "both", "spdCompFiltLogicType=and" },
	{ "spdSubfiltersTable", "both,1",
	  "spdSubFiltSubfilter=diffServMultiFieldClfrAddrType.20" },
	{ "ipiaSaNegotiationParametersTable", "std",
	  "ipiaSaNegParamMinLifetimeSecs=300 ipiaSaNegParamRefreshThreshSecs=90" },
	{ "ipiaIpsecTransformsTable", "3,esp-std,0", "ipiaIpsecTranTransformName=aes256-sha256" },
	{ "ipiaIpsecProposalsTable", "p2-std,0,3", "ipiaIpsecPropTransformsName=esp-std" },
	{ "ipiaIpsecActionTable", "ipsec-b",
	  "ipiaIpsecActParametersName=std ipiaIpsecActProposalsName=p2-std ipiaIpsecActUsePfs=true "
	  "ipiaIpsecActGroupId=14 ipiaIpsecActPeerGatewayIdName=gw-b" },
	{ "ipiaIkeProposalTable", "p1-std",
	  "ipiaIkePropCipherAlgorithm=7 ipiaIkePropCipherKeyLength=256 ipiaIkePropHashAlgorithm=4 "
	  "ipiaIkePropDhGroup=14 ipiaIkePropAuthenticationMethod=1" },
	{ "ipiaIkeIdentityTable", "2,1,default", "ipiaIkeIdCredentialName=ab-enc" },
	{ "ipiaIkeActionTable", "ike-b",
	  "ipiaIkeActParametersName=std ipiaIkeActIdentityType=1 "
	  "ipiaIkeActIdentityContext=default ipiaIkeActPeerName=gw-b" },
	{ "ipiaIkeActionProposalsTable", "ike-b,0", "ipiaIkeActPropName=p1-std" },
	{ "spdCompoundActionTable", "vpn-b", "spdCompActExecutionStrategy=doUntilFailure" },
	{ "spdSubactionsTable", "vpn-b,0",
	  "spdSubActSubActionName=ipiaIkeActParametersName.\"ike-b\"" },
	{ "ipiaAutostartIkeTable", "0",
	  "ipiaAutoIkeAction=spdCompActExecutionStrategy.\"vpn-b\" ipiaAutoIkeAddressType=ipv4 "
	  "ipiaAutoIkeSourceAddress=10.1.0.1 ipiaAutoIkeDestAddress=10.2.0.1" },
	{ "spdRuleDefinitionTable", "tun-b-out",
	  "spdRuleDefFilter=spdCompFiltDescription.\"both\" "
	  "spdRuleDefAction=ipsaSaPreActActionDescription.\"tun-b\",outbound" },
	{ "spdGroupContentsTable", "wan-out,100", "spdGroupContComponentName=tun-b-out" },
	{ "spdEndpointToGroupTable", "outbound,2", "spdEndGroupName=wan-out" },
	/* The row of its own credential cannot be had without the segment, nor that without it. */
	{ "ipsaCredentialTable", "long", "ipsaCredType=x509" },
	{ "ipsaCredentialSegmentTable", "long,1", "ipsaCredSegValue=0x3082" },
	{ NULL, NULL, NULL },
};

struct mib_store *fx_store(void)
{
	struct mib_store *s = NULL;

	ck_assert_int_eq(mib_store_new(NULL, fx_clock, &s), MIB_OK);
	return s;
}

static enum mib_err journal_write(void *arg, uint64_t generation, const struct mib_change *changes,
				  size_t n, struct mib_diag *d)
{
	struct fx_journal *j = arg;

	(void)changes;
	j->calls++;
	if (j->refuse_at != 0 && --j->refuse_at == 0) {
		mib_diag_set(d, NULL, NULL, 0, "the test's disk is full");
		return MIB_COMMIT_FAILED;
	}
	j->last_n = n;
	j->last_generation = generation;
	return MIB_OK;
}

void fx_journal_init(struct fx_journal *j)
{
	*j = (struct fx_journal){ .journal = { journal_write, j } };
}

struct mib_txn *fx_begin(struct mib_store *s)
{
	struct mib_txn *t = NULL;

	ck_assert_int_eq(mib_txn_begin(s, MIB_DOOR_SYSTEM, "test", &t), MIB_OK);
	return t;
}

enum mib_err fx_stage_columns(struct mib_txn *t, const char *table, const char *index,
			      const char *columns, struct mib_diag *d)
{
	const struct mib_table *tab = mib_table_by_name(table);
	char copy[1024];
	char *save = NULL;
	struct mib_oid at;

	ck_assert_msg(tab != NULL, "%s", table);
	ck_assert_msg(mib_index_parse(tab, index, &at, d) == MIB_OK, "%s.%s", table, index);
	snprintf(copy, sizeof(copy), "%s", columns);
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		_Alignas(8) uint8_t space[2048];
		char *eq = strchr(word, '=');
		struct mib_diag why = { 0 };
		struct mib_value v;

		ck_assert_ptr_nonnull(eq);
		*eq = '\0';

		const struct mib_column *col = mib_column_by_name(word);

		ck_assert_msg(col != NULL, "%s", word);

		enum mib_err err = mib_value_parse(col, eq + 1, false, space, sizeof(space), &v,
						   &why);

		ck_assert_msg(err == MIB_OK, "%s=%s: %s", word, eq + 1, why.text);
		err = mib_txn_set_column(t, col, at.ids, at.len, &v, d);
		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}

static enum mib_err stage_status(struct mib_txn *t, const char *table, const char *index,
				 int status, struct mib_diag *d)
{
	const struct mib_table *tab = mib_table_by_name(table);
	const struct mib_column *col = mib_table_column_tc(tab, MIB_TC_ROW_STATUS);
	const struct mib_value v = mib_value_integer(status);
	struct mib_oid at;

	if (status == 0)
		return MIB_OK;
	ck_assert_int_eq(mib_index_parse(tab, index, &at, d), MIB_OK);
	return mib_txn_set_column(t, col, at.ids, at.len, &v, d);
}

enum mib_err fx_stage(struct mib_txn *t, const struct fx_row *row, int status, struct mib_diag *d)
{
	const enum mib_err err = fx_stage_columns(t, row->table, row->index, row->columns, d);

	return err == MIB_OK ? stage_status(t, row->table, row->index, status, d) : err;
}

enum mib_err fx_finish(struct mib_txn *t, struct mib_diag *d)
{
	enum mib_err err = mib_txn_prepare(t, d);

	if (err == MIB_OK)
		err = mib_txn_commit(t, d);
	mib_txn_done(t);
	return err;
}

enum mib_err fx_set(struct mib_store *s, const char *table, const char *index, const char *columns,
		    int status, struct mib_diag *d)
{
	struct mib_txn *t = fx_begin(s);
	enum mib_err err = fx_stage_columns(t, table, index, columns, d);

	if (err == MIB_OK)
		err = stage_status(t, table, index, status, d);
	if (err != MIB_OK) {
		mib_txn_done(t);
		return err;
	}
	return fx_finish(t, d);
}

enum mib_err fx_make(struct mib_store *s, const struct fx_row *row, int status, struct mib_diag *d)
{
	return fx_set(s, row->table, row->index, row->columns, status, d);
}

static bool is_whole(const struct fx_row *row)
{
	/* Its value comes in segments, which need the row first. */
	return strcmp(row->index, "long") != 0;
}

void fx_make_policy(struct mib_store *s, const char *until_table)
{
	for (const struct fx_row *row = fx_policy; row->table != NULL; row++) {
		struct mib_diag d = { 0 };
		const int status = is_whole(row) ? MIB_RS_CREATE_AND_GO : MIB_RS_CREATE_AND_WAIT;
		const enum mib_err err = fx_make(s, row, status, &d);

		ck_assert_msg(err == MIB_OK, "%s.%s: %s: %s: %s", row->table, row->index,
			      mib_err_name(err), d.object, d.text);
		if (until_table != NULL && strcmp(row->table, until_table) == 0)
			break;
	}
}

int fx_status(struct mib_store *s, const char *table, const char *index)
{
	const struct mib_table *tab = mib_table_by_name(table);
	struct mib_value v;
	struct mib_oid at;

	ck_assert_int_eq(mib_index_parse(tab, index, &at, NULL), MIB_OK);
	if (mib_read(s, mib_table_column_tc(tab, MIB_TC_ROW_STATUS), at.ids, at.len, &v) != MIB_OK)
		return 0;
	return (int)v.number;
}

const char *fx_get(struct mib_store *s, const char *column, const char *index)
{
	static char text[2100];
	const struct mib_column *col = mib_column_by_name(column);
	struct mib_value v;
	struct mib_oid at;

	ck_assert_msg(col != NULL, "%s", column);
	ck_assert_int_eq(mib_index_parse(mib_store_shelf(s, col->table)->table, index, &at, NULL),
			 MIB_OK);
	if (mib_read(s, col, at.ids, at.len, &v) != MIB_OK)
		return "(none)";
	mib_value_print(col, &v, false, text, sizeof(text));
	return text;
}

char *fx_dump(struct mib_store *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct mib_oid name = { 0 };
	struct mib_value v;

	ck_assert_ptr_nonnull(f);
	while (mib_next(s, name.ids, name.len, false, NULL, 0, &name, &v) == MIB_OK) {
		const struct mib_column *col = NULL;
		const uint32_t *index;
		char line[3000];
		size_t len;

		mib_table_by_oid(name.ids, name.len, &col, &index, &len);
		/* Generations count on when a change is taken back. */
		if (col == MIB_COL(ipspdTransactions, ipspdIfGeneration))
			continue;
		mib_oid_print(name.ids, name.len, line, sizeof(line));
		fprintf(f, "%s = ", line);
		mib_value_print(col, &v, false, line, sizeof(line));
		fprintf(f, "%s\n", line);
	}
	fclose(f);
	return text;
}

void fx_expect_same(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		const size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");

		ck_assert_msg(na == nb && memcmp(a, b, na) == 0, "'%.*s' is not '%.*s'",
			      (int)(na < 200 ? na : 200), a, (int)(nb < 200 ? nb : 200), b);
		a += na + (a[na] == '\n' ? 1 : 0);
		b += nb + (b[nb] == '\n' ? 1 : 0);
	}
}

/* The edges a row ought to have are in the tree, and no others. */
static size_t count_edges(const struct mib_store *s)
{
	struct mib_edge *e;
	size_t n = 0;

	RB_FOREACH(e, mib_edge_tree, (struct mib_edge_tree *)(uintptr_t)&s->edges)
		n++;
	return n;
}

void fx_check_invariants(struct mib_store *s)
{
	size_t edges = 0, idle = 0, listed = 0;
	const struct mib_row *in_list;

	for (size_t i = 0; i < s->n_shelves; i++) {
		struct mib_shelf *shelf = &s->shelves[i];
		size_t rows = 0;
		struct mib_row *r;

		RB_FOREACH(r, mib_row_tree, &shelf->rows) {
			const struct mib_column *at;
			struct mib_diag d = { 0 };

			rows++;
			edges += r->n_edges;
			idle += r->active ? 0 : 1;
			ck_assert(r->committed);
			if (r->active)
				ck_assert_msg(mib_row_check_active(&s->view, r, &at, &d) == MIB_OK,
					      "%s: %s", d.object, d.text);
		}
		ck_assert_uint_eq(rows, shelf->n_rows);
	}
	LIST_FOREACH(in_list, &s->idle, idle)
		listed++;
	ck_assert_uint_eq(idle, listed);
	ck_assert_uint_eq(edges, count_edges(s));
}
