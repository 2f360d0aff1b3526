/*
 * mibs/special.c - which table has rules of its own. See special.h.
 */
#include "mibs/special.h"

#include "mibs/schema_gen.h"
#include "mibs/store_int.h"

/*
 * RFC 3289 diffServMultiFieldClfrNextFree: an index free now, 0 when there is none. Above the last
 * row while that can be; else the first gap.
 */
static uint32_t next_free_classifier(const struct mib_store *s)
{
	struct mib_shelf *shelf = mib_store_shelf(s, &mib_t_diffServMultiFieldClfrTable);
	struct mib_row *r = RB_MAX(mib_row_tree, &shelf->rows);
	uint32_t free_id = 1;

	if (r == NULL)
		return 1;
	if (r->index[0] < UINT32_MAX)
		return r->index[0] + 1;
	RB_FOREACH(r, mib_row_tree, &shelf->rows) {
		if (r->index[0] != free_id)
			return free_id;
		free_id++;
	}
	return 0;
}

static bool classifier_scalars_mirror(const struct mib_row *r, const struct mib_column *col,
				      struct mib_value *out)
{
	if (col != MIB_COL(diffServClassifier, diffServMultiFieldClfrNextFree))
		return false;
	*out = mib_value_unsigned(next_free_classifier(r->shelf->store));
	return true;
}

/* RFC 4807: an active compound action goes only when all its subactions are gone. */
static enum mib_err compound_action_judge(const struct mib_txn *t, const struct mib_change *c,
					  struct mib_diag *d)
{
	struct mib_oid name;

	if (c->after != NULL || c->before == NULL || !c->before->active)
		return MIB_OK;
	mib_row_index_copy(c->before, &name);
	if (mib_view_next(mib_txn_view(t), &mib_t_spdSubactionsTable, &name, NULL) == NULL)
		return MIB_OK;
	mib_diag_set(d, c->before->shelf->status, name.ids, name.len,
		     "it is active and has subactions; take it out of service, or destroy them too "
		     "(RFC 4807 spdCompActRowStatus)");
	return MIB_INCONSISTENT_VALUE;
}

static const struct mib_special classifier_scalars = {
	.table = &mib_t_diffServClassifier,
	.mirror = classifier_scalars_mirror,
};

static const struct mib_special classifier = {
	.table = &mib_t_diffServMultiFieldClfrTable,
	.check = mib_check_classifier,
	.delays_destroy = true,
};

static const struct mib_special compound_action = {
	.table = &mib_t_spdCompoundActionTable,
	.judge = compound_action_judge,
};

static const struct mib_special checked[] = {
	{ .table = &mib_t_spdIpsoHeaderFilterTable, .check = mib_check_ipso },
	{ .table = &mib_t_ipsaSaPreconfiguredActionTable, .check = mib_check_preconfigured },
	{ .table = &mib_t_ipsaEspTransformTable, .check = mib_check_esp_transform },
	{ .table = &mib_t_ipsaIpcompTransformTable, .check = mib_check_ipcomp_transform },
	{ .table = &mib_t_ipsaPeerIdentityTable, .check = mib_check_peer_identity },
	{ .table = &mib_t_ipiaIkeActionTable, .check = mib_check_ike_action },
	{ .table = &mib_t_ipiaIpsecActionTable, .check = mib_check_ipsec_action },
	{ .table = &mib_t_ipiaIkeProposalTable, .check = mib_check_ike_proposal },
	{ .table = &mib_t_ipiaAutostartIkeTable, .check = mib_check_autostart },
	{ .table = &mib_t_ipiaCredMngCRLTable, .check = mib_check_crl },
};

const struct mib_special *mib_special_of(const struct mib_table *t)
{
	static const struct mib_special *const others[] = {
		&classifier_scalars, &classifier, &compound_action, &mib_special_credential,
		&mib_special_segment, &mib_special_credential_filter,
		&mib_special_group_control, &mib_special_precondition,
	};

	for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++) {
		if (checked[i].table == t)
			return &checked[i];
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i]->table == t)
			return others[i];
	}
	return NULL;
}
