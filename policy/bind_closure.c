/*
 * policy/bind_closure.c - interfaces that once had policy stay closed: ipspdClosureTable.
 *
 * A row appears when an endpoint row becomes active or a system-wide group is named, and stays
 * until ipspdClosureRelease; the compiler makes a row without a group a list that discards all.
 */
#include "policy/bind.h"
#include "mibs/schema_gen.h"
#include "policy/rows.h"

enum { TRUTH_TRUE = 1, TRUTH_FALSE = 2 };

bool pol_closure_is_bound(const struct mib_view *v, enum ipsp_dir dir, uint32_t ifindex)
{
	static const uint32_t scalar[] = { 0 };
	const uint32_t index[] = { dir, ifindex };
	const struct mib_row *r;
	const uint8_t *name;

	if (ifindex != 0) {
		r = mib_view_row(v, &mib_t_spdEndpointToGroupTable, index, 2);
		return r && mib_row_active(r);
	}
	r = mib_view_row(v, &mib_t_spdLocalConfigObjects, scalar, 1);
	if (!r)
		return false;
	return pol_row_octets(r, dir == IPSP_INBOUND
				  ? MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName)
				  : MIB_COL(spdLocalConfigObjects, spdEgressPolicyGroupName),
			      &name) > 0;
}

/* Makes the closure row, unless it is there or nothing is bound. */
static enum mib_err remember(struct mib_txn *t, enum ipsp_dir dir, uint32_t ifindex)
{
	const struct mib_value no = mib_value_integer(TRUTH_FALSE);
	const uint32_t index[] = { dir, ifindex };

	if (!pol_closure_is_bound(mib_txn_view(t), dir, ifindex) ||
	    mib_view_row(mib_txn_view(t), &mib_t_ipspdClosureTable, index, 2))
		return MIB_OK;
	return mib_txn_force(t, MIB_COL(ipspdClosureTable, ipspdClosureRelease), index, 2, &no);
}

static enum mib_err endpoint_derive(struct mib_txn *t, const struct mib_change *c,
				    struct mib_diag *d)
{
	const uint32_t *index;
	size_t len;

	(void)d;
	if (!c->after || !mib_row_active(c->after))
		return MIB_OK;
	index = mib_row_index(c->after, &len);
	return remember(t, index[0] == IPSP_OUTBOUND ? IPSP_OUTBOUND : IPSP_INBOUND,
			index[len - 1]);
}

static enum mib_err system_groups_derive(struct mib_txn *t, const struct mib_change *c,
					 struct mib_diag *d)
{
	enum mib_err err;

	(void)c;
	(void)d;
	err = remember(t, IPSP_INBOUND, 0);
	return err == MIB_OK ? remember(t, IPSP_OUTBOUND, 0) : err;
}

static enum mib_err closure_derive(struct mib_txn *t, const struct mib_change *c,
				   struct mib_diag *d)
{
	const struct mib_column *release = MIB_COL(ipspdClosureTable, ipspdClosureRelease);
	const struct mib_row *endpoint;
	const uint32_t *index;
	size_t len;

	if (!c->after || mib_row_number(c->after, release, TRUTH_FALSE) != TRUTH_TRUE)
		return MIB_OK;
	index = mib_row_index(c->after, &len);
	if (pol_closure_is_bound(mib_txn_view(t),
				 index[0] == IPSP_OUTBOUND ? IPSP_OUTBOUND : IPSP_INBOUND,
				 index[len - 1]))
		return pol_refuse(d, c->after, release,
				  "policy is bound there: take the endpoint row, or the "
				  "system-wide group, out first");
	endpoint = mib_view_row(mib_txn_view(t), &mib_t_spdEndpointToGroupTable, index, len);
	if (endpoint && mib_row_lost(endpoint))
		return pol_refuse(d, c->after, release, "the endpoint row there is lost "
				  "and keeps it closed: destroy it first");
	return mib_txn_force(t, release, index, len, NULL);
}

const struct mib_binder pol_bind_endpoint = {
	.table = &mib_t_spdEndpointToGroupTable,
	.derive = endpoint_derive,
};

const struct mib_binder pol_bind_system_groups = {
	.table = &mib_t_spdLocalConfigObjects,
	.derive = system_groups_derive,
};

const struct mib_binder pol_bind_closure = {
	.table = &mib_t_ipspdClosureTable,
	.derive = closure_derive,
};
