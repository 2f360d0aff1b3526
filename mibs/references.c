/*
 * mibs/references.c - every reference between rows, as one table, and how to follow one.
 *
 * RFC 4807, draft-ietf-ipsp-ipsecaction-mib, draft-ietf-ipsp-ikeaction-mib. What follows from a
 * reference is in references_check.c and references_nest.c.
 */
#include "mibs/references.h"

#include <string.h>

#include "mibs/rows.h"
#include "mibs/schema_gen.h"

enum {
	LIST_GROUP,
	LIST_PEERS,
	LIST_IPSEC_PROPOSALS,
	LIST_IPSEC_TRANSFORMS,
	LIST_IDENTITIES,
	LIST_CRL,
	LIST_SUBFILTERS,
	LIST_SUBACTIONS,
	LIST_IKE_PROPOSALS,
	LIST_SEGMENTS,
};

const struct mib_list mib_lists[] = {
	[LIST_GROUP] = { &mib_t_spdGroupContentsTable, 0, 1, NULL },
	[LIST_PEERS] = { &mib_t_ipsaPeerIdentityTable, 0, 1, NULL },
	[LIST_IPSEC_PROPOSALS] = { &mib_t_ipiaIpsecProposalsTable, 0, 1, NULL },
	[LIST_IPSEC_TRANSFORMS] = { &mib_t_ipiaIpsecTransformsTable, 0, 2, NULL },
	/* An IKE action says type and context; the interface is that of the rule. */
	[LIST_IDENTITIES] = { &mib_t_ipiaIkeIdentityTable, 1, 2, NULL },
	/* A revoked certificate names its CRL, but not the CRL's CA. */
	[LIST_CRL] = { &mib_t_ipiaCredMngCRLTable, 1, 1, NULL },
	[LIST_SUBFILTERS] = { &mib_t_spdSubfiltersTable, 0, 1, &mib_t_spdCompoundFilterTable },
	[LIST_SUBACTIONS] = { &mib_t_spdSubactionsTable, 0, 1, &mib_t_spdCompoundActionTable },
	[LIST_IKE_PROPOSALS] = { &mib_t_ipiaIkeActionProposalsTable, 0, 1,
				 &mib_t_ipiaIkeActionTable },
	[LIST_SEGMENTS] = { &mib_t_ipsaCredentialSegmentTable, 0, 1, NULL },
};

const size_t mib_n_lists = sizeof(mib_lists) / sizeof(mib_lists[0]);

/* Two SAs must not share an SPI, however many there are: RFC 4301 4.1. */
const struct mib_at mib_found_by[] = {
	MIB_AT(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHSPI),
	MIB_AT(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPSPI),
	MIB_AT(ipsaSaPreconfiguredActionTable, ipsaSaPreActIPCompSPI),
};

const size_t mib_n_found_by = sizeof(mib_found_by) / sizeof(mib_found_by[0]);

static const struct mib_aim filter_aims[] = {
	{ &mib_t_diffServMultiFieldClfrTable, 0 },
	{ &mib_t_spdCompoundFilterTable, 0 },
	{ &mib_t_spdStaticFilters, MIB_C_spdTrueFilter },
	{ &mib_t_spdIpOffsetFilterTable, 0 },
	{ &mib_t_spdTimeFilterTable, 0 },
	{ &mib_t_spdIpsoHeaderFilterTable, 0 },
	{ &mib_t_ipiaStaticFilters, MIB_C_ipiaIkePhase1Filter },
	{ &mib_t_ipiaStaticFilters, MIB_C_ipiaIkePhase2Filter },
	{ &mib_t_ipiaCredentialFilterTable, 0 },
	{ &mib_t_ipiaPeerIdentityFilterTable, 0 },
};

static const struct mib_aim action_aims[] = {
	{ &mib_t_spdCompoundActionTable, 0 },
	{ &mib_t_spdStaticActions, MIB_C_spdDropAction },
	{ &mib_t_spdStaticActions, MIB_C_spdDropActionLog },
	{ &mib_t_spdStaticActions, MIB_C_spdAcceptAction },
	{ &mib_t_spdStaticActions, MIB_C_spdAcceptActionLog },
	{ &mib_t_ipsaSaPreconfiguredActionTable, 0 },
	{ &mib_t_ipiaStaticActions, MIB_C_ipiaRejectIKEAction },
	{ &mib_t_ipiaStaticActions, MIB_C_ipiaRejectIKEActionLog },
	{ &mib_t_ipiaIkeActionTable, 0 },
	{ &mib_t_ipiaIpsecActionTable, 0 },
};

/* What can be started without a packet: negotiations. */
static const struct mib_aim start_aims[] = {
	{ &mib_t_spdCompoundActionTable, 0 },
	{ &mib_t_ipiaIkeActionTable, 0 },
	{ &mib_t_ipiaIpsecActionTable, 0 },
};

#define AIMS(a) .aims = a, .n_aims = sizeof(a) / sizeof(a[0])
/* The target's index is the value of one column, or of two. */
#define BY(t, c) .at = MIB_AT(t, c), .from = { MIB_AT(t, c) }, .n_from = 1
#define BY_TWO(t, c, ta, ca, tb, cb) \
	.at = MIB_AT(t, c), .from = { MIB_AT(ta, ca), MIB_AT(tb, cb) }, .n_from = 2
#define TO(t) .target = &mib_t_##t
#define TO_LIST(t, l) .target = &mib_t_##t, .list = &mib_lists[l]

const struct mib_ref mib_refs[] = {
	/* IPSEC-SPD-MIB */
	{ BY(spdLocalConfigObjects, spdIngressPolicyGroupName),
	  TO_LIST(spdGroupContentsTable, LIST_GROUP), .flags = MIB_REF_OPTIONAL },
	{ BY(spdLocalConfigObjects, spdEgressPolicyGroupName),
	  TO_LIST(spdGroupContentsTable, LIST_GROUP), .flags = MIB_REF_OPTIONAL },
	{ BY(spdEndpointToGroupTable, spdEndGroupName),
	  TO_LIST(spdGroupContentsTable, LIST_GROUP) },
	{ .at = MIB_AT(spdGroupContentsTable, spdGroupContFilter), AIMS(filter_aims) },
	{ BY(spdGroupContentsTable, spdGroupContComponentName), TO(spdRuleDefinitionTable),
	  .when = MIB_AT(spdGroupContentsTable, spdGroupContComponentType), .when_number = 2 },
	{ BY(spdGroupContentsTable, spdGroupContComponentName),
	  TO_LIST(spdGroupContentsTable, LIST_GROUP),
	  .when = MIB_AT(spdGroupContentsTable, spdGroupContComponentType), .when_number = 1,
	  .nests = &mib_t_spdGroupContentsTable, .members = &mib_lists[LIST_GROUP],
	  .nest_word = "group" },
	{ .at = MIB_AT(spdRuleDefinitionTable, spdRuleDefFilter), AIMS(filter_aims) },
	{ .at = MIB_AT(spdRuleDefinitionTable, spdRuleDefAction), AIMS(action_aims) },
	{ .at = MIB_AT(spdSubfiltersTable, spdSubFiltSubfilter), AIMS(filter_aims),
	  .nests = &mib_t_spdCompoundFilterTable, .members = &mib_lists[LIST_SUBFILTERS],
	  .nest_word = "compound filter" },
	{ .at = MIB_AT(spdSubactionsTable, spdSubActSubActionName), AIMS(action_aims),
	  .nests = &mib_t_spdCompoundActionTable, .members = &mib_lists[LIST_SUBACTIONS],
	  .nest_word = "compound action" },

	/* IPSEC-IPSECACTION-MIB */
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHTransformName),
	  TO(ipsaAhTransformTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActAHSharedSecretName),
	  TO(ipsaCredentialTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPTransformName),
	  TO(ipsaEspTransformTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPEncSecretName),
	  TO(ipsaCredentialTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActESPAuthSecretName),
	  TO(ipsaCredentialTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActIPCompTransformName),
	  TO(ipsaIpcompTransformTable), .flags = MIB_REF_CONTENT },
	{ BY(ipsaSaPreconfiguredActionTable, ipsaSaPreActPeerGatewayIdName),
	  TO_LIST(ipsaPeerIdentityTable, LIST_PEERS), .flags = MIB_REF_CONTENT },
	{ BY(ipsaCredentialTable, ipsaCredMngName), TO(ipiaIpsecCredMngServiceTable) },
	{ .at = MIB_AT(ipsaCredentialSegmentTable, ipsaCredSegValue),
	  .from = { MIB_AT(ipsaCredentialTable, ipsaCredName) }, .n_from = 1,
	  TO(ipsaCredentialTable), .flags = MIB_REF_EXISTS },
	{ BY(ipsaPeerIdentityTable, ipsaPeerIdCredentialName), TO(ipsaCredentialTable) },

	/* IPSEC-IKEACTION-MIB */
	{ BY(ipiaCredentialFilterTable, ipiaCredFiltAcceptCredFrom),
	  TO(ipiaIpsecCredMngServiceTable), .flags = MIB_REF_KNOWN },
	{ BY(ipiaIkeActionTable, ipiaIkeActParametersName), TO(ipiaSaNegotiationParametersTable),
	  .flags = MIB_REF_KNOWN },
	{ BY_TWO(ipiaIkeActionTable, ipiaIkeActIdentityContext,
		 ipiaIkeActionTable, ipiaIkeActIdentityType,
		 ipiaIkeActionTable, ipiaIkeActIdentityContext),
	  TO_LIST(ipiaIkeIdentityTable, LIST_IDENTITIES),
	  .flags = MIB_REF_OPTIONAL | MIB_REF_EACH },
	{ BY(ipiaIkeActionTable, ipiaIkeActPeerName),
	  TO_LIST(ipsaPeerIdentityTable, LIST_PEERS) },
	{ BY(ipiaIpsecActionTable, ipiaIpsecActParametersName),
	  TO(ipiaSaNegotiationParametersTable), .flags = MIB_REF_KNOWN },
	{ BY(ipiaIpsecActionTable, ipiaIpsecActProposalsName),
	  TO_LIST(ipiaIpsecProposalsTable, LIST_IPSEC_PROPOSALS), .flags = MIB_REF_KNOWN },
	{ BY(ipiaIpsecActionTable, ipiaIpsecActPeerGatewayIdName),
	  TO_LIST(ipsaPeerIdentityTable, LIST_PEERS), .flags = MIB_REF_KNOWN },
	{ BY(ipiaIkeActionProposalsTable, ipiaIkeActPropName), TO(ipiaIkeProposalTable),
	  .flags = MIB_REF_KNOWN },
	{ BY_TWO(ipiaIpsecProposalsTable, ipiaIpsecPropTransformsName,
		 ipiaIpsecProposalsTable, ipiaIpsecPropProtocolId,
		 ipiaIpsecProposalsTable, ipiaIpsecPropTransformsName),
	  TO_LIST(ipiaIpsecTransformsTable, LIST_IPSEC_TRANSFORMS), .flags = MIB_REF_KNOWN },
	{ BY(ipiaIpsecTransformsTable, ipiaIpsecTranTransformName), TO(ipsaAhTransformTable),
	  .when = MIB_AT(ipiaIpsecTransformsTable, ipiaIpsecTranType), .when_number = 2 },
	{ BY(ipiaIpsecTransformsTable, ipiaIpsecTranTransformName), TO(ipsaEspTransformTable),
	  .when = MIB_AT(ipiaIpsecTransformsTable, ipiaIpsecTranType), .when_number = 3 },
	{ BY(ipiaIpsecTransformsTable, ipiaIpsecTranTransformName), TO(ipsaIpcompTransformTable),
	  .when = MIB_AT(ipiaIpsecTransformsTable, ipiaIpsecTranType), .when_number = 4 },
	/* Secrets are looked up among credentials; a filter row may stand in for public data. */
	{ BY(ipiaIkeIdentityTable, ipiaIkeIdCredentialName), TO(ipsaCredentialTable),
	  .other = &mib_t_ipiaCredentialFilterTable },
	{ .at = MIB_AT(ipiaAutostartIkeTable, ipiaAutoIkeAction), AIMS(start_aims),
	  .flags = MIB_REF_VALUE },
	{ BY(ipspdSystem, ipspdDefaultResponseAction), TO(ipiaIpsecActionTable),
	  .flags = MIB_REF_OPTIONAL | MIB_REF_CONTENT },
	{ BY(ipspdSystem, ipspdDefaultResponseIkeAction), TO(ipiaIkeActionTable),
	  .flags = MIB_REF_OPTIONAL },
	{ BY(ipiaIpsecCredMngServiceTable, ipiaIcmsCredentialName), TO(ipsaCredentialTable),
	  .other = &mib_t_ipiaCredentialFilterTable },
	{ .at = MIB_AT(ipiaCredMngCRLTable, ipiaCmcDistributionPoint),
	  .from = { MIB_AT(ipiaIpsecCredMngServiceTable, ipiaIcmsName) }, .n_from = 1,
	  TO(ipiaIpsecCredMngServiceTable) },
	{ .at = MIB_AT(ipiaRevokedCertificateTable, ipiaRctRevokedReason),
	  .from = { MIB_AT(ipiaCredMngCRLTable, ipiaCmcCRLName) }, .n_from = 1,
	  TO_LIST(ipiaCredMngCRLTable, LIST_CRL) },
};

const size_t mib_n_refs = sizeof(mib_refs) / sizeof(mib_refs[0]);

const struct mib_column *mib_pointer_column(const struct mib_table *t)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].access >= MIB_ACC_READ)
			return &t->columns[i];
	}
	return NULL;
}

static enum mib_ref_state resolve_pointer(const struct mib_ref *ref, const struct mib_row *r,
					  struct mib_ref_target *out)
{
	const struct mib_column *col;
	const uint32_t *index;
	size_t len;
	struct mib_value v;

	if (!mib_row_get(r, mib_at(&ref->at), &v) || v.syntax != MIB_SYN_OID)
		return MIB_REF_NONE;

	const struct mib_table *t = mib_table_by_oid(v.oid.ids, v.oid.len, &col, &index, &len);
	bool supported = false;

	if (t == NULL)
		return MIB_REF_UNSUPPORTED;
	for (size_t i = 0; i < ref->n_aims; i++) {
		if (ref->aims[i].table != t)
			continue;
		if (!t->is_scalars)
			supported = true;
		else if (col == &t->columns[ref->aims[i].pos])
			return len == 1 && index[0] == 0 ? MIB_REF_ALWAYS : MIB_REF_NO_ROW;
	}
	if (!supported)
		return MIB_REF_UNSUPPORTED;
	/* RowPointer's rule (RFC 2579); the row's first index column is taken for the same. */
	if (col == NULL || (col != mib_pointer_column(t) && col->id != 1))
		return MIB_REF_NO_ROW;
	if (len > MIB_OID_MAX)
		return MIB_REF_NO_ROW;
	out->table[0] = t;
	out->n_tables = 1;
	out->key.len = len;
	memcpy(out->key.ids, index, len * sizeof(index[0]));
	return MIB_REF_AIMS;
}

enum mib_ref_state mib_ref_resolve(const struct mib_ref *ref, const struct mib_row *r,
				   struct mib_ref_target *out)
{
	if (ref->when.table != NULL &&
	    mib_row_number(r, mib_at(&ref->when), ref->when_number - 1) != ref->when_number)
		return MIB_REF_NONE;
	if (ref->n_from == 0)
		return resolve_pointer(ref, r, out);

	const size_t first = ref->list != NULL ? ref->list->first : 0;

	out->key.len = 0;
	for (size_t i = 0; i < ref->n_from; i++) {
		struct mib_value v;

		if (!mib_row_get(r, mib_at(&ref->from[i]), &v))
			return MIB_REF_NONE;
		/* An empty name stands for: none. */
		if (v.syntax == MIB_SYN_OCTETS && v.octets.len == 0)
			return MIB_REF_NONE;
		if (!mib_index_encode_part(ref->target->index[first + i], &v, &out->key))
			return MIB_REF_NO_ROW;
	}
	out->table[0] = ref->target;
	out->table[1] = ref->other;
	out->n_tables = ref->other != NULL ? 2 : 1;
	return MIB_REF_AIMS;
}

void mib_list_key(const struct mib_list *list, const struct mib_row *r, const uint32_t **key,
		  size_t *len)
{
	const struct mib_table *t = list->table;
	size_t at = 0, begin = 0;

	for (size_t i = 0; i < list->first + list->parts; i++) {
		const struct mib_column *part = t->index[i];
		const bool wide = part->syntax == MIB_SYN_OCTETS || part->syntax == MIB_SYN_BITS ||
				  part->syntax == MIB_SYN_OID;

		if (i == list->first)
			begin = at;
		/* No list is shared by a string of fixed size. */
		at += wide ? 1 + r->index[at] : 1;
	}
	*key = &r->index[begin];
	*len = at - begin;
}
