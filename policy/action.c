/*
 * policy/action.c - actions of rules, and manual SAs of a generation: see action.h.
 */
#include "policy/action.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/ids.h"
#include "policy/sa.h"

/* Subactions that one rule's action may have in all. */
#define SUBACTIONS_MAX 1024

static void discard(struct pol_decision *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void discard(struct pol_decision *out, const char *fmt, ...)
{
	va_list ap;

	*out = (struct pol_decision){ .action = IPSP_DISCARD };
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

static bool add_sa(struct pol_build *b, const struct mib_row *r, struct ipsp_sa_config *sa)
{
	struct pol_origin *origin = pol_build_origin(b, r);
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (!origin)
		return false;
	sa->id = origin->id;
	sa->counter_id = pol_id_of_counters(mib_row_table(r), index, len, sa);
	if (sa->counter_id == 0)
		return false;
	origin->sa_id = sa->id;
	pol_build_add_sa(b, sa);
	return true;
}

bool pol_action_sas(struct pol_build *b)
{
	const struct mib_view *v = pol_build_view(b);
	struct pol_walk count = { .view = v, .table = &mib_t_ipsaSaPreconfiguredActionTable };
	struct pol_walk walk = count;
	const struct mib_row *r;
	bool ok = true;
	size_t n = 0;

	while (pol_walk_next(&count))
		n++;
	if (!pol_build_reserve_sas(b, n))
		return false;
	while (ok && (r = pol_walk_next(&walk))) {
		struct ipsp_sa_config sa;
		char why[POL_SA_TEXT];

		if (pol_sa_make(v, r, &sa, why) == POL_SA_READY)
			ok = add_sa(b, r, &sa);
		else
			ok = pol_build_origin(b, r) && pol_build_problem(b, r, "%s", why);
		ipsp_key_wipe(&sa.encr_key);
		ipsp_key_wipe(&sa.integ_key);
	}
	return ok;
}

static bool protect(struct pol_build *b, const struct mib_row *r, enum ipsp_dir dir,
		    struct pol_decision *out)
{
	struct pol_origin *origin;
	char name[POL_ROW_TEXT];

	if (pol_sa_dir(r) != dir) {
		discard(out, "uses %s, which is an %s SA, in an %s group: its packets are dropped",
			pol_row_name(r, name), dir == IPSP_INBOUND ? "outbound" : "inbound",
			dir == IPSP_INBOUND ? "inbound" : "outbound");
		return true;
	}
	origin = pol_build_origin(b, r);
	if (!origin)
		return false;
	*out = (struct pol_decision){ .action = IPSP_PROTECT, .sa_id = origin->sa_id };
	if (origin->sa_id == 0)
		snprintf(out->reason, sizeof(out->reason),
			 "uses %s, which is not in force: its packets are dropped",
			 pol_row_name(r, name));
	return true;
}

/* The action of one pointer that is no compound action. */
static bool simple(struct pol_build *b, const struct pol_target *t, enum ipsp_dir dir,
		   struct pol_decision *out)
{
	const struct {
		const struct mib_column *scalar;
		enum ipsp_action action;
		bool log;
	} statics[] = {
		{ MIB_COL(spdStaticActions, spdDropAction), IPSP_DISCARD, false },
		{ MIB_COL(spdStaticActions, spdDropActionLog), IPSP_DISCARD, true },
		{ MIB_COL(spdStaticActions, spdAcceptAction), IPSP_BYPASS, false },
		{ MIB_COL(spdStaticActions, spdAcceptActionLog), IPSP_BYPASS, true },
	};

	for (size_t i = 0; t->scalar && i < sizeof(statics) / sizeof(statics[0]); i++)
		if (t->scalar == statics[i].scalar) {
			*out = (struct pol_decision){ .action = statics[i].action,
						      .log = statics[i].log };
			return true;
		}
	if (t->table == &mib_t_ipiaIkeActionTable || t->table == &mib_t_ipiaIpsecActionTable ||
	    t->table == &mib_t_ipiaStaticActions) {
		discard(out, "needs IKE, which this version does not do yet: its packets are "
			"dropped");
		return true;
	}
	if (t->table == &mib_t_ipsaSaPreconfiguredActionTable && t->row)
		return protect(b, t->row, dir, out);
	discard(out, "names an action that is not there or not active: its packets are dropped");
	return true;
}

/* One compound action whose subactions are being walked. */
struct level {
	struct mib_oid prefix;
	struct pol_walk walk;
};

/* Walks all subactions, depth first, until two have decided. */
static bool compound(struct pol_build *b, const struct mib_row *first, enum ipsp_dir dir,
		     struct pol_decision *out)
{
	const struct mib_view *v = pol_build_view(b);
	struct level levels[POL_DEPTH_MAX];
	const struct mib_row *enter = first;
	unsigned depth = 0, steps = 0, deciders = 0;
	char name[POL_ROW_TEXT];

	discard(out, "has a compound action without an active subaction: its packets are dropped");
	while (enter || depth > 0) {
		struct level *l = &levels[depth > 0 ? depth - 1 : 0];
		struct pol_target t;
		const struct mib_row *sub;

		if (enter) {
			if (depth == POL_DEPTH_MAX) {
				discard(out, "nests compound actions more than %d deep: its "
					"packets are dropped", POL_DEPTH_MAX);
				return true;
			}
			l = &levels[depth++];
			mib_row_index_copy(enter, &l->prefix);
			l->walk = (struct pol_walk){ .view = v, .prefix = &l->prefix,
						     .table = &mib_t_spdSubactionsTable,
						     .with_lost = true };
			enter = NULL;
		}
		sub = pol_walk_next(&l->walk);
		if (!sub) {
			depth--;
			continue;
		}
		/* Without it, the others might decide otherwise than all of them did. */
		if (mib_row_lost(sub)) {
			discard(out, "uses %s, which is lost: its packets are dropped",
				pol_row_name(sub, name));
			return true;
		}
		pol_target_of(v, sub, MIB_COL(spdSubactionsTable, spdSubActSubActionName), &t);
		if (t.table == &mib_t_spdCompoundActionTable && t.row) {
			enter = t.row;
		} else if (++deciders == 1) {
			if (!simple(b, &t, dir, out))
				return false;
		}
		if (++steps > SUBACTIONS_MAX) {
			discard(out, "has a compound action with more than %d subactions: its "
				"packets are dropped", SUBACTIONS_MAX);
			return true;
		}
		if (deciders > 1) {
			discard(out, "has a compound action with more than one subaction that "
				"decides about packets: its packets are dropped");
			return true;
		}
	}
	return true;
}

bool pol_action_of(struct pol_build *b, const struct mib_row *rule, enum ipsp_dir dir,
		   struct pol_decision *out)
{
	struct pol_target t;

	pol_target_of(pol_build_view(b), rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefAction),
		      &t);
	if (t.table == &mib_t_spdCompoundActionTable && t.row)
		return compound(b, t.row, dir, out);
	return simple(b, &t, dir, out);
}
