/*
 * policy/compile.c - which interfaces and directions have a list, and with which group.
 *
 *     row or scalar                                   list
 *     active spdEndpointToGroupTable[dir, if]         (if, dir) with its group
 *     ... lost at start                               (if, dir) without entries
 *     ipspdClosureTable[dir, if], no active endpoint  (if, dir) without entries: all is discarded
 *     spdIngress/EgressPolicyGroupName not empty      (0, dir) with that group
 *     ... empty, but ipspdClosureTable[dir, 0] or
 *     ipspdDefaultWithoutPolicy = drop                (0, dir) without entries
 *
 * A closed interface does not fall back to the system-wide group: that might open what a removed
 * endpoint row had closed. Only ipspdClosureRelease does.
 */
#include "policy/policy.h"

#include "mibs/schema_gen.h"
#include "policy/action.h"
#include "policy/build.h"
#include "policy/group.h"

enum { WITHOUT_POLICY_DROP = 2 };

#define GROUP_TEXT 33

/* Both tables have the index (direction, interface). */
static void bound_to(const struct mib_row *r, enum ipsp_dir *dir, uint32_t *ifindex)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	*dir = index[0] == IPSP_OUTBOUND ? IPSP_OUTBOUND : IPSP_INBOUND;
	*ifindex = index[len - 1];
}

static bool add_list(struct pol_build *b, uint32_t ifindex, enum ipsp_dir dir, const char *group)
{
	const struct pol_entries *entries = pol_group_entries(b, group, dir);

	return entries && pol_build_add_list(b, ifindex, dir, entries);
}

static bool endpoints(struct pol_build *b)
{
	struct pol_walk walk = { .view = pol_build_view(b),
				 .table = &mib_t_spdEndpointToGroupTable, .with_lost = true };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		char group[GROUP_TEXT];
		enum ipsp_dir dir;
		uint32_t ifindex;

		bound_to(r, &dir, &ifindex);
		mib_row_text(r, MIB_COL(spdEndpointToGroupTable, spdEndGroupName), group,
			     sizeof(group));
		if (mib_row_lost(r)) {
			group[0] = '\0';
			if (!pol_build_lost(b, r))
				return false;
		}
		if (!add_list(b, ifindex, dir, group))
			return false;
	}
	return true;
}

static bool system_wide(struct pol_build *b)
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_view *v = pol_build_view(b);
	const struct mib_row *names = mib_view_row(v, &mib_t_spdLocalConfigObjects, scalar, 1);
	const struct mib_row *sys = mib_view_row(v, &mib_t_ipspdSystem, scalar, 1);
	const struct {
		enum ipsp_dir dir;
		const struct mib_column *name;
	} dirs[] = {
		{ IPSP_INBOUND, MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName) },
		{ IPSP_OUTBOUND, MIB_COL(spdLocalConfigObjects, spdEgressPolicyGroupName) },
	};
	bool drop = sys && mib_row_number(sys, MIB_COL(ipspdSystem, ipspdDefaultWithoutPolicy),
					  0) == WITHOUT_POLICY_DROP;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		const uint32_t closure[] = { dirs[i].dir, 0 };
		char group[GROUP_TEXT] = "";

		if (names)
			mib_row_text(names, dirs[i].name, group, sizeof(group));
		if (group[0] == '\0' && !drop &&
		    !mib_view_row(v, &mib_t_ipspdClosureTable, closure, 2))
			continue;
		if (!add_list(b, 0, dirs[i].dir, group))
			return false;
	}
	return true;
}

static bool closures(struct pol_build *b)
{
	struct pol_walk walk = { .view = pol_build_view(b), .table = &mib_t_ipspdClosureTable };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		const struct mib_row *endpoint;
		enum ipsp_dir dir;
		uint32_t ifindex;

		bound_to(r, &dir, &ifindex);
		endpoint = mib_view_row(pol_build_view(b), &mib_t_spdEndpointToGroupTable,
					(const uint32_t[]){ dir, ifindex }, 2);
		if (ifindex == 0 || (endpoint && pol_row_meant(endpoint)))
			continue;
		if (!add_list(b, ifindex, dir, ""))
			return false;
	}
	return true;
}

enum mib_err pol_compile(const struct mib_view *v, uint64_t number, struct pol_generation **out)
{
	struct pol_build *b = pol_build_new(v, number);
	struct pol_generation *g = NULL;

	if (b && pol_action_sas(b) && endpoints(b) && system_wide(b) && closures(b))
		g = pol_build_finish(b);
	if (!g) {
		pol_build_free(b);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	*out = g;
	return MIB_OK;
}
