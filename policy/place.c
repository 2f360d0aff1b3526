/*
 * policy/place.c - contents rows, the rules they name, and what becomes of both: see place.h.
 *
 * Rows that are lost keep their places: a contents row that is lost discards what it, or
 * anything that it leads to, might have matched.
 */
#include "policy/place.h"

#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/action.h"
#include "policy/filter.h"

enum { COMPONENT_GROUP = 1, COMPONENT_RULE = 2 };

/* What judging one row takes along. */
struct place_work {
	struct pol_build *b;
	const struct pol_outcome *in;
	unsigned depth;
	enum ipsp_dir dir;
	struct pol_outcome *out;
};

void pol_outcome_fini(struct pol_outcome *o)
{
	free((void *)(uintptr_t)o->entry.selectors);
	free((void *)(uintptr_t)o->entry.steps);
	o->entry.selectors = NULL;
	o->entry.steps = NULL;
	pol_match_fini(&o->guard);
}

void pol_outcome_move(struct pol_outcome *to, struct pol_outcome *from)
{
	*to = *from;
	from->entry.selectors = NULL;
	from->entry.steps = NULL;
	from->guard = (struct pol_match){ 0 };
}

bool pol_outcome_same_group(const struct pol_outcome *a, const struct pol_outcome *b)
{
	return a->kind == POL_OUTCOME_GROUP && b->kind == POL_OUTCOME_GROUP &&
	       mib_oid_cmp(a->group.ids, a->group.len, b->group.ids, b->group.len) == 0 &&
	       strcmp(a->lost, b->lost) == 0 && pol_match_same(&a->guard, &b->guard);
}

static bool put(struct place_work *p, const struct pol_origin *origin,
		const struct pol_decision *d, const struct pol_match *m)
{
	struct ipsp_spd_entry *e = &p->out->entry;
	struct ipsp_selector *selectors;
	struct ipsp_step *steps = NULL;
	size_t n = m->may.n;

	if (pol_boxes_none(&m->may))
		return true;
	selectors = calloc(n, sizeof(*selectors));
	if (d->n_steps > 0)
		steps = calloc(d->n_steps, sizeof(*steps));
	if (!selectors || (d->n_steps > 0 && !steps)) {
		free(selectors);
		free(steps);
		return false;
	}
	if (steps)
		memcpy(steps, d->steps, d->n_steps * sizeof(*steps));
	for (size_t i = 0; i < n; i++)
		pol_box_to_selector(&m->may.v[i], &selectors[i]);
	p->out->kind = POL_OUTCOME_ENTRY;
	*e = (struct ipsp_spd_entry){
		.id = origin->id, .action = (uint8_t)d->action, .log = d->log,
		.action_id = d->action_id, .sa_id = d->sa_id, .n_steps = d->n_steps, .steps = steps,
		.n_selectors = (uint32_t)n, .selectors = selectors,
	};
	return true;
}

/* A contents row that cannot be followed discards what it might let in. */
static bool unusable(struct place_work *p, const struct mib_row *contents,
		     const struct pol_match *guard, const char *why)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_origin *origin = pol_build_origin(p->b, contents);

	return origin && pol_build_problem(p->b, contents, "%s: its packets are dropped", why) &&
	       put(p, origin, &drop, guard);
}

/* Takes guard. */
static bool subgroup(struct place_work *p, const struct mib_row *contents,
		     struct pol_match *guard, const struct mib_row *lost)
{
	struct mib_oid *prefix = &p->out->group;

	if (!pol_index_by_name(contents, MIB_COL(spdGroupContentsTable, spdGroupContComponentName),
			       &mib_t_spdGroupContentsTable, prefix) ||
	    !pol_first_meant(pol_build_view(p->b), &mib_t_spdGroupContentsTable, prefix))
		return unusable(p, contents, guard, "names a group without active rows");
	if (p->depth == POL_DEPTH_MAX)
		return unusable(p, contents, guard, "nests groups too deep");
	p->out->kind = POL_OUTCOME_GROUP;
	pol_match_move(&p->out->guard, guard);
	if (lost)
		pol_row_name(lost, p->out->lost);
	else
		memcpy(p->out->lost, p->in->lost, sizeof(p->out->lost));
	return true;
}

/* The rule's own filter, after negation. */
static enum pol_calc rule_match(struct place_work *p, const struct mib_row *rule,
				const struct pol_match *guard, struct pol_match *out)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	enum pol_calc rc;

	rc = pol_filter_of(pol_build_view(p->b), rule,
			   MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter), &budget, out);
	if (rc == POL_CALC_OK &&
	    pol_row_truth(rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilterNegated), false))
		rc = pol_match_negate(out, &budget);
	if (rc == POL_CALC_OK)
		rc = pol_match_and(out, guard, &budget);
	return rc;
}

/* The rule, or what leads to it, is lost. */
static bool lost_entry(struct place_work *p, const struct mib_row *rule,
		       const struct pol_match *m, const struct mib_row *lost)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_origin *origin = pol_build_origin(p->b, rule);
	char name[POL_ROW_TEXT];
	bool noted;

	if (mib_row_lost(rule))
		noted = pol_build_lost(p->b, rule);
	else
		noted = pol_build_problem(p->b, rule, "is in its group by %s, which is lost: "
					  "its packets are dropped",
					  lost ? pol_row_name(lost, name) : p->in->lost);
	return origin && noted && put(p, origin, &drop, m);
}

static bool rule_entry(struct place_work *p, const struct mib_row *rule,
		       const struct pol_match *m)
{
	struct pol_origin *origin = pol_build_origin(p->b, rule);
	struct pol_decision d;

	if (!origin || !pol_action_of(p->b, rule, p->dir, &d))
		return false;
	if (m->unsure) {
		d = (struct pol_decision){ .action = IPSP_DISCARD };
		if (!pol_build_problem(p->b, rule, "%s: its packets are dropped", m->reason))
			return false;
	} else if (d.reason[0] != '\0' && !pol_build_problem(p->b, rule, "%s", d.reason)) {
		return false;
	}
	if (d.action == IPSP_PROTECT && d.n_steps == 0)
		origin->sa_id = d.sa_id;
	return put(p, origin, &d, m);
}

static bool rule(struct place_work *p, const struct mib_row *contents,
		 const struct pol_match *guard, const struct mib_row *lost)
{
	const struct mib_row *r = pol_row_by_name(pol_build_view(p->b), contents,
						  MIB_COL(spdGroupContentsTable,
							  spdGroupContComponentName),
						  &mib_t_spdRuleDefinitionTable);
	struct pol_match m = { 0 };
	bool good;

	if (!r || !pol_row_meant(r))
		return unusable(p, contents, guard, "names a rule that is not there or not active");
	/* Its filter, and whether it is enabled, may be among them. */
	if (mib_row_lost_values(r))
		return pol_build_lost(p->b, r) &&
		       unusable(p, contents, guard, "names a rule that lost values at start");
	if (!pol_row_enabled(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAdminStatus)))
		return true;
	good = rule_match(p, r, guard, &m) == POL_CALC_OK;
	if (good)
		good = lost || p->in->lost[0] || mib_row_lost(r) ? lost_entry(p, r, &m, lost)
								  : rule_entry(p, r, &m);
	pol_match_fini(&m);
	return good;
}

/* A contents row, active or lost. */
static bool contents_row(struct place_work *p, const struct mib_row *r)
{
	const struct mib_row *lost = mib_row_lost(r) ? r : NULL;
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_match guard = { 0 };
	bool good;

	if (lost && !pol_build_lost(p->b, r))
		return false;
	/* Its filter may be among them, and what it leads to. */
	if (mib_row_lost_values(r))
		return unusable(p, r, &p->in->guard, "lost values at start");
	good = pol_filter_of(pol_build_view(p->b), r,
			     MIB_COL(spdGroupContentsTable, spdGroupContFilter), &budget,
			     &guard) == POL_CALC_OK &&
	       pol_match_and(&guard, &p->in->guard, &budget) == POL_CALC_OK;
	if (good && guard.unsure)
		good = pol_build_problem(p->b, r, "%s: its packets are dropped", guard.reason);
	if (good && !pol_boxes_none(&guard.may)) {
		if (mib_row_number(r, MIB_COL(spdGroupContentsTable, spdGroupContComponentType),
				   COMPONENT_RULE) == COMPONENT_GROUP)
			good = subgroup(p, r, &guard, lost);
		else
			good = rule(p, r, &guard, lost);
	}
	pol_match_fini(&guard);
	return good;
}

bool pol_place_judge(struct pol_build *b, const struct pol_outcome *in, unsigned depth,
		     enum ipsp_dir dir, uint16_t priority, struct pol_outcome *out, bool *gone)
{
	struct place_work p = { .b = b, .in = in, .depth = depth, .dir = dir, .out = out };
	struct mib_oid index = in->group;
	const struct mib_row *r;

	index.ids[index.len++] = priority;
	r = mib_view_row(pol_build_view(b), &mib_t_spdGroupContentsTable, index.ids, index.len);
	*gone = !r || !pol_row_meant(r);
	return *gone || contents_row(&p, r);
}
