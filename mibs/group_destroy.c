/*
 * mibs/group_destroy.c - ipspdGroupControl: destroys a whole group in one transaction.
 *
 * A group of some thousand rows does not fit into one SET, and destroying it by several would leave
 * a group that nobody wrote in between. The rows go as if each had been destroyed by a varbind of the
 * same SET, and are judged like that. What the SET itself adds to the group stays.
 */
#include "mibs/edges.h"
#include "mibs/schema_gen.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

/* May the row be destroyed at all? RFC 2579 StorageType. */
static enum mib_err check_storage(const struct mib_row *r, struct mib_diag *d)
{
	const int64_t storage = mib_row_number(r, r->shelf->storage, MIB_ST_NON_VOLATILE);

	if (storage != MIB_ST_PERMANENT && storage != MIB_ST_READ_ONLY)
		return MIB_OK;
	mib_diag_set(d, r->shelf->storage, r->index, r->index_len,
		     "the row is permanent or readOnly and cannot be destroyed (RFC 2579 StorageType)");
	return MIB_INCONSISTENT_VALUE;
}

static enum mib_err destroy(struct mib_txn *t, const struct mib_row *r, struct mib_diag *d)
{
	enum mib_err err = check_storage(r, d);

	if (err != MIB_OK)
		return err;
	err = mib_txn_force(t, r->shelf->status, r->index, r->index_len, NULL);
	if (err != MIB_OK)
		mib_diag_set(d, r->shelf->status, r->index, r->index_len, "out of memory");
	return err;
}

static bool is_in_group(const struct mib_row *r, const struct mib_oid *group)
{
	return r->shelf->table == &mib_t_spdGroupContentsTable && r->index_len > group->len &&
	       mib_oid_cmp(r->index, group->len, group->ids, group->len) == 0;
}

/*
 * Is member the first row that refers to the rule, and are all others of the group as well? Of a
 * group's many rows that name one rule a single one says yes, so none is looked at often.
 */
static bool decides_alone(const struct mib_txn *t, const struct mib_row *rule,
			  const struct mib_row *member, const struct mib_oid *group)
{
	const struct mib_row *first = NULL;

	for (size_t i = 0; i < rule->shelf->n_refs_in; i++) {
		const struct mib_edge *e;
		struct mib_edge_walk w;

		mib_edge_walk_start(&w, &t->store->view, mib_edge_kind_ref(rule->shelf->refs_in[i]),
				    rule->shelf->table, rule->index, rule->index_len, false);
		while ((e = mib_edge_walk_next(&w)) != NULL) {
			first = first != NULL ? first : e->source;
			if (first != member || !is_in_group(e->source, group))
				return false;
		}
	}
	return first == member;
}

/* The rule that a row of the group names goes too, unless another group names it as well. */
static enum mib_err destroy_rule(struct mib_txn *t, const struct mib_row *member,
				 const struct mib_oid *group, struct mib_diag *d)
{
	for (size_t i = 0; i < member->n_edges; i++) {
		const struct mib_edge *e = &member->edges[i];
		const struct mib_row *rule;

		if (mib_tables[e->target] != &mib_t_spdRuleDefinitionTable)
			continue;
		rule = mib_view_row(&t->store->view, mib_tables[e->target], e->key, e->key_len);
		if (rule != NULL && decides_alone(t, rule, member, group))
			return destroy(t, rule, d);
	}
	return MIB_OK;
}

static enum mib_err destroy_group(struct mib_txn *t, const struct mib_value *name, bool with_rules,
				  struct mib_diag *d)
{
	const struct mib_row *r;
	struct mib_oid group, at;
	const struct mib_oid *after = NULL;
	enum mib_err err = MIB_OK;

	group.ids[0] = (uint32_t)name->octets.len;
	for (size_t i = 0; i < name->octets.len; i++)
		group.ids[1 + i] = name->octets.data[i];
	group.len = 1 + name->octets.len;
	while (err == MIB_OK && (r = mib_view_next(&t->store->view, &mib_t_spdGroupContentsTable,
						   &group, after)) != NULL) {
		mib_row_index_copy(r, &at);
		after = &at;
		err = with_rules ? destroy_rule(t, r, &group, d) : MIB_OK;
		if (err == MIB_OK)
			err = destroy(t, r, d);
	}
	return err;
}

/* Both objects always read empty: what was asked for is done, and forgotten. */
static enum mib_err control_derive(struct mib_txn *t, const struct mib_change *c,
				   struct mib_diag *d)
{
	static const size_t asks[] = { MIB_C_ipspdGroupDestroy, MIB_C_ipspdGroupDestroyWithRules };
	static const uint32_t index[] = { 0 };
	const struct mib_column *columns = mib_t_ipspdGroupControl.columns;
	enum mib_err err = MIB_OK;

	for (size_t i = 0; err == MIB_OK && i < sizeof(asks) / sizeof(asks[0]); i++) {
		struct mib_value name;

		if (mib_row_get(c->after, &columns[asks[i]], &name) && name.octets.len > 0)
			err = destroy_group(t, &name, asks[i] == MIB_C_ipspdGroupDestroyWithRules, d);
	}
	return err != MIB_OK ? err : mib_txn_force(t, &columns[0], index, 1, NULL);
}

const struct mib_special mib_special_group_control = {
	.table = &mib_t_ipspdGroupControl,
	.derive = control_derive,
};
