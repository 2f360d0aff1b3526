/*
 * policy/group.c - groups to ordered SPD entries: see group.h.
 *
 * Nested groups are walked with a stack of POL_DEPTH_MAX frames. What a frame's guards let in is
 * kept as a match set, so a rule's boxes are those of its filter and of all guards above it. A
 * subgroup in which nothing runs leads on to the next row of the outer group, which first match in
 * one flat list does by itself.
 *
 * Rows that are lost keep their places: a contents row that is lost discards what it, or
 * anything that it leads to, might have matched.
 */
#include "policy/group.h"

#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/action.h"
#include "policy/filter.h"

enum { COMPONENT_GROUP = 1, COMPONENT_RULE = 2 };

/* One group of the nest. */
struct frame {
	struct mib_oid prefix;
	struct pol_walk walk;
	struct pol_match guard;
	const struct mib_row *lost;	/* the lost contents row that led here; NULL: none */
};

/* What making one group's list takes along. */
struct flatten {
	struct pol_build *b;
	struct pol_entries *to;
	enum ipsp_dir dir;
	struct frame frames[POL_DEPTH_MAX];
	unsigned depth;
	unsigned steps;
};

/* How a step of the walk ended. */
enum step {
	STEP_OK,
	STEP_FULL,
	STEP_NO_MEMORY,
};

static enum step from_calc(enum pol_calc rc)
{
	return rc == POL_CALC_OK ? STEP_OK : STEP_NO_MEMORY;
}

static enum step put(struct flatten *f, const struct pol_origin *origin,
		     const struct pol_decision *d, const struct pol_match *m)
{
	const struct ipsp_spd_entry entry = {
		.id = origin->id, .action = (uint8_t)d->action, .log = d->log,
		.action_id = d->action_id, .sa_id = d->sa_id, .n_steps = d->n_steps,
		.steps = d->steps,
	};

	if (pol_boxes_none(&m->may))
		return STEP_OK;
	switch (pol_build_add_entry(f->b, f->to, &entry, &m->may)) {
	case POL_PUT_OK:
		return STEP_OK;
	case POL_PUT_FULL:
		return STEP_FULL;
	case POL_PUT_NO_MEMORY:
		break;
	}
	return STEP_NO_MEMORY;
}

/* A contents row that cannot be followed discards what it might let in. */
static enum step unusable(struct flatten *f, const struct mib_row *contents,
			  const struct pol_match *guard, const char *why)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_origin *origin = pol_build_origin(f->b, contents);

	if (!origin ||
	    !pol_build_problem(f->b, contents, "%s: its packets are dropped", why))
		return STEP_NO_MEMORY;
	return put(f, origin, &drop, guard);
}

/* Opens a nested group. Takes guard. */
static enum step enter(struct flatten *f, const struct mib_oid *prefix, struct pol_match *guard,
		       const struct mib_row *lost)
{
	struct frame *fr = &f->frames[f->depth++];

	fr->prefix = *prefix;
	fr->walk = (struct pol_walk){ .view = pol_build_view(f->b), .prefix = &fr->prefix,
				      .table = &mib_t_spdGroupContentsTable, .with_lost = true };
	fr->lost = lost;
	fr->guard = (struct pol_match){ 0 };
	pol_match_move(&fr->guard, guard);
	return STEP_OK;
}

static enum step subgroup(struct flatten *f, const struct mib_row *contents,
			  struct pol_match *guard, const struct mib_row *lost)
{
	struct mib_oid prefix;

	if (!pol_index_by_name(contents, MIB_COL(spdGroupContentsTable, spdGroupContComponentName),
			       &mib_t_spdGroupContentsTable, &prefix) ||
	    !pol_first_meant(pol_build_view(f->b), &mib_t_spdGroupContentsTable, &prefix))
		return unusable(f, contents, guard, "names a group without active rows");
	if (f->depth == POL_DEPTH_MAX)
		return unusable(f, contents, guard, "nests groups too deep");
	return enter(f, &prefix, guard, lost);
}

/* The rule's own filter, after negation. */
static enum pol_calc rule_match(struct flatten *f, const struct mib_row *rule,
				const struct pol_match *guard, struct pol_match *out)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	enum pol_calc rc;

	rc = pol_filter_of(pol_build_view(f->b), rule,
			   MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter), &budget, out);
	if (rc == POL_CALC_OK &&
	    pol_row_truth(rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilterNegated), false))
		rc = pol_match_negate(out, &budget);
	if (rc == POL_CALC_OK)
		rc = pol_match_and(out, guard, &budget);
	return rc;
}

/* The rule, or what leads to it, is lost. */
static enum step lost_entry(struct flatten *f, const struct mib_row *rule,
			    const struct pol_match *m, const struct mib_row *lost)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_origin *origin = pol_build_origin(f->b, rule);
	char name[POL_ROW_TEXT];
	bool noted;

	if (mib_row_lost(rule))
		noted = pol_build_lost(f->b, rule);
	else
		noted = pol_build_problem(f->b, rule, "is in its group by %s, which is lost: "
					  "its packets are dropped",
					  pol_row_name(lost, name));
	return origin && noted ? put(f, origin, &drop, m) : STEP_NO_MEMORY;
}

static enum step rule_entry(struct flatten *f, const struct mib_row *rule,
			    const struct pol_match *m)
{
	struct pol_origin *origin = pol_build_origin(f->b, rule);
	struct pol_decision d;

	if (!origin || !pol_action_of(f->b, rule, f->dir, &d))
		return STEP_NO_MEMORY;
	if (m->unsure) {
		d = (struct pol_decision){ .action = IPSP_DISCARD };
		if (!pol_build_problem(f->b, rule, "%s: its packets are dropped", m->reason))
			return STEP_NO_MEMORY;
	} else if (d.reason[0] != '\0' && !pol_build_problem(f->b, rule, "%s", d.reason)) {
		return STEP_NO_MEMORY;
	}
	if (d.action == IPSP_PROTECT && d.n_steps == 0)
		origin->sa_id = d.sa_id;
	return put(f, origin, &d, m);
}

static enum step rule(struct flatten *f, const struct mib_row *contents,
		      const struct pol_match *guard, const struct mib_row *lost)
{
	const struct mib_row *r = pol_row_by_name(pol_build_view(f->b), contents,
						  MIB_COL(spdGroupContentsTable,
							  spdGroupContComponentName),
						  &mib_t_spdRuleDefinitionTable);
	struct pol_match m = { 0 };
	enum step rc;

	if (!r || !pol_row_meant(r))
		return unusable(f, contents, guard, "names a rule that is not there or not active");
	/* Its filter, and whether it is enabled, may be among them. */
	if (mib_row_lost_values(r))
		return pol_build_lost(f->b, r) ?
		       unusable(f, contents, guard, "names a rule that lost values at start") :
		       STEP_NO_MEMORY;
	if (!pol_row_enabled(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAdminStatus)))
		return STEP_OK;
	rc = from_calc(rule_match(f, r, guard, &m));
	if (rc == STEP_OK)
		rc = lost || mib_row_lost(r) ? lost_entry(f, r, &m, lost) : rule_entry(f, r, &m);
	pol_match_fini(&m);
	return rc;
}

/* One row of the group on top of the stack, active or lost. */
static enum step contents_row(struct flatten *f, const struct mib_row *r)
{
	const struct frame *top = &f->frames[f->depth - 1];
	const struct mib_row *lost = mib_row_lost(r) ? r : top->lost;
	struct pol_budget budget = POL_BUDGET_INIT;
	struct pol_match guard = { 0 };
	enum step rc;

	if (mib_row_lost(r) && !pol_build_lost(f->b, r))
		return STEP_NO_MEMORY;
	/* Its filter may be among them, and what it leads to. */
	if (mib_row_lost_values(r))
		return unusable(f, r, &top->guard, "lost values at start");
	rc = from_calc(pol_filter_of(pol_build_view(f->b), r,
				     MIB_COL(spdGroupContentsTable, spdGroupContFilter), &budget,
				     &guard));
	if (rc == STEP_OK)
		rc = from_calc(pol_match_and(&guard, &top->guard, &budget));
	if (rc == STEP_OK && guard.unsure &&
	    !pol_build_problem(f->b, r, "%s: its packets are dropped", guard.reason))
		rc = STEP_NO_MEMORY;
	if (rc == STEP_OK && !pol_boxes_none(&guard.may)) {
		if (mib_row_number(r, MIB_COL(spdGroupContentsTable, spdGroupContComponentType),
				   COMPONENT_RULE) == COMPONENT_GROUP)
			rc = subgroup(f, r, &guard, lost);
		else
			rc = rule(f, r, &guard, lost);
	}
	pol_match_fini(&guard);
	return rc;
}

/*
 * The list became too long. It ends here, and its end discards; the rules that it does not reach
 * must not read as being in force.
 */
static enum step cut_off(struct flatten *f, const struct mib_row *at)
{
	struct pol_walk walk = { .view = pol_build_view(f->b),
				 .table = &mib_t_spdRuleDefinitionTable };
	const struct mib_row *r;

	if (!pol_build_problem(f->b, at, "makes group \"%s\" too large: what comes after it is "
			       "dropped", f->to->group))
		return STEP_NO_MEMORY;
	while ((r = pol_walk_next(&walk)))
		if (!pol_build_has_origin(f->b, r) &&
		    !pol_build_problem(f->b, r, "was not compiled, as a group is too large: its "
				       "packets are dropped"))
			return STEP_NO_MEMORY;
	return STEP_OK;
}

static enum step walk(struct flatten *f)
{
	enum step rc = STEP_OK;

	while (rc == STEP_OK && f->depth > 0) {
		struct frame *top = &f->frames[f->depth - 1];
		const struct mib_row *r = pol_walk_next(&top->walk);

		if (!r) {
			pol_match_fini(&top->guard);
			f->depth--;
			continue;
		}
		rc = f->steps++ < POL_LIST_STEPS_MAX ? contents_row(f, r) : STEP_FULL;
		if (rc == STEP_FULL)
			return cut_off(f, r);
	}
	return rc;
}

struct pol_entries *pol_group_entries(struct pol_build *b, const char *group, enum ipsp_dir dir)
{
	const struct mib_value name = mib_value_octets(group, strlen(group));
	struct pol_entries *to = pol_build_find_entries(b, group, dir);
	struct flatten f = { .b = b, .dir = dir };
	struct pol_match all = { 0 };
	struct mib_oid prefix;
	enum step rc;

	if (to)
		return to;
	to = pol_build_new_entries(b, group, dir);
	if (!to || group[0] == '\0' ||
	    !mib_index_encode(&mib_t_spdGroupContentsTable, &name, 1, &prefix))
		return to;
	f.to = to;
	rc = from_calc(pol_match_all(&all));
	if (rc == STEP_OK)
		rc = enter(&f, &prefix, &all, NULL);
	if (rc == STEP_OK)
		rc = walk(&f);
	pol_match_fini(&all);
	while (f.depth > 0)
		pol_match_fini(&f.frames[--f.depth].guard);
	return rc == STEP_OK ? to : NULL;
}
