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

enum { COMPONENT_GROUP = 1, COMPONENT_RULE = 2 };

/* What judging one row takes along. */
struct place_work {
	struct pol_build *b;
	const struct pol_outcome *in;
	unsigned depth;
	enum ipsp_dir dir;
	struct pol_outcome *out;
};

static void entry_fini(struct ipsp_spd_entry *e)
{
	struct pol_pred pred = { 0 };

	if (e->predicate)
		pred.p = *e->predicate;
	pol_pred_fini(&pred);
	free((void *)(uintptr_t)e->predicate);
	free((void *)(uintptr_t)e->selectors);
	free((void *)(uintptr_t)e->steps);
	free((void *)(uintptr_t)e->templates);
}

void pol_outcome_fini(struct pol_outcome *o)
{
	while (o->n_entries > 0)
		entry_fini(&o->entries[--o->n_entries]);
	pol_timed_fini(&o->guard);
}

void pol_outcome_move(struct pol_outcome *to, struct pol_outcome *from)
{
	*to = *from;
	from->n_entries = 0;
	from->guard = (struct pol_timed){ 0 };
}

bool pol_outcome_same_group(const struct pol_outcome *a, const struct pol_outcome *b)
{
	return a->kind == POL_OUTCOME_GROUP && b->kind == POL_OUTCOME_GROUP &&
	       mib_oid_cmp(a->group.ids, a->group.len, b->group.ids, b->group.len) == 0 &&
	       strcmp(a->lost, b->lost) == 0 && pol_timed_same(&a->guard, &b->guard);
}

/* A copy on the heap; of none as well. @return NULL: no memory */
static void *copy(const void *from, size_t n, size_t size)
{
	void *v = calloc(n + 1, size);

	if (v && n > 0)
		memcpy(v, from, n * size);
	return v;
}

static struct ipsp_predicate *copy_predicate(const struct pol_pred *from)
{
	struct ipsp_predicate *p = calloc(1, sizeof(*p));
	struct pol_pred pred = { 0 };

	if (p && pol_pred_append(&pred, from) == POL_CALC_OK) {
		*p = pred.p;
		return p;
	}
	pol_pred_fini(&pred);
	free(p);
	return NULL;
}

/* One entry, in the list from from_s until until_s; 0: no end on that side. */
static bool put_within(struct place_work *p, const struct pol_origin *origin,
		       const struct pol_decision *d, const struct pol_match *m, int64_t from_s,
		       int64_t until_s)
{
	const bool residual = !m->unsure && !pol_pred_none(&m->pred);
	struct ipsp_selector *selectors;
	struct ipsp_spd_entry e = {
		.id = origin->id, .action = (uint8_t)d->action, .log = d->log,
		.action_id = d->action_id, .sa_id = d->sa_id, .n_steps = d->n_steps,
		.n_templates = d->negotiated.n, .clear_s = d->clear_s,
		.accept_clear = d->accept_clear, .no_frag_state = d->no_frag_state,
		.from_s = (uint64_t)from_s, .until_s = (uint64_t)until_s,
		.n_selectors = (uint32_t)m->may.n,
	};

	if (pol_boxes_none(&m->may))
		return true;
	e.selectors = selectors = calloc(m->may.n, sizeof(*selectors));
	e.steps = copy(d->steps, d->n_steps, sizeof(*d->steps));
	e.templates = copy(d->negotiated.templates, d->negotiated.n, sizeof(*e.templates));
	e.predicate = residual ? copy_predicate(&m->pred) : NULL;
	if (!selectors || !e.steps || !e.templates || (residual && !e.predicate)) {
		entry_fini(&e);
		return false;
	}
	for (size_t i = 0; i < m->may.n; i++)
		pol_box_to_selector(&m->may.v[i], &selectors[i]);
	p->out->kind = POL_OUTCOME_ENTRY;
	p->out->entries[p->out->n_entries++] = e;
	return true;
}

/* What is not known, or is out of sight, is discarded. */
static bool put(struct place_work *p, const struct pol_origin *origin,
		const struct pol_decision *d, const struct pol_timed *m)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_time *last = &m->times[m->n > 0 ? m->n - 1 : 0];

	if (m->n == 0)
		return put_within(p, origin, m->ever.unsure ? &drop : d, &m->ever, 0, 0);
	if (m->times[0].from_s > 0 &&
	    !put_within(p, origin, &drop, &m->ever, 0, m->times[0].from_s))
		return false;
	for (unsigned i = 0; i < m->n; i++) {
		const struct pol_time *t = &m->times[i];

		if (!put_within(p, origin, t->match.unsure ? &drop : d, &t->match,
				t->from_s > 0 ? t->from_s : 0,
				t->until_s == POL_NEVER ? 0 : t->until_s))
			return false;
	}
	return last->until_s == POL_NEVER ||
	       put_within(p, origin, &drop, &m->ever, last->until_s, 0);
}

static bool lets_nothing_in(const struct pol_timed *m)
{
	bool none = pol_boxes_none(&m->ever.may);

	for (unsigned i = 0; i < m->n; i++)
		none = none && pol_boxes_none(&m->times[i].match.may);
	return none;
}

/* A contents row that cannot be followed discards what it might let in. */
static bool unusable(struct place_work *p, const struct mib_row *contents,
		     const struct pol_timed *guard, const char *why)
{
	static const struct pol_decision drop = { .action = IPSP_DISCARD };
	const struct pol_origin *origin = pol_build_origin(p->b, contents);

	return origin && pol_build_problem(p->b, contents, "%s: its packets are dropped", why) &&
	       put(p, origin, &drop, guard);
}

/* Takes guard. */
static bool subgroup(struct place_work *p, const struct mib_row *contents,
		     struct pol_timed *guard, const struct mib_row *lost)
{
	struct mib_oid *prefix = &p->out->group;

	if (!pol_index_by_name(contents, MIB_COL(spdGroupContentsTable, spdGroupContComponentName),
			       &mib_t_spdGroupContentsTable, prefix) ||
	    !pol_first_meant(pol_build_view(p->b), &mib_t_spdGroupContentsTable, prefix))
		return unusable(p, contents, guard, "names a group without active rows");
	if (p->depth == POL_DEPTH_MAX)
		return unusable(p, contents, guard, "nests groups too deep");
	p->out->kind = POL_OUTCOME_GROUP;
	pol_timed_move(&p->out->guard, guard);
	if (lost)
		pol_row_name(lost, p->out->lost);
	else
		memcpy(p->out->lost, p->in->lost, sizeof(p->out->lost));
	return true;
}

/* The rule, or what leads to it, is lost. */
static bool lost_entry(struct place_work *p, const struct mib_row *rule,
		       const struct pol_timed *m, const struct mib_row *lost)
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
		       const struct pol_timed *m)
{
	const struct pol_match *now = pol_timed_now(m);
	struct pol_origin *origin = pol_build_origin(p->b, rule);
	struct pol_decision d;

	if (!origin || !pol_action_of(p->b, rule, p->dir, &d))
		return false;
	if (now->unsure) {
		if (!pol_build_problem(p->b, rule, "%s: its packets are dropped", now->reason))
			return false;
	} else if (d.reason[0] != '\0' && !pol_build_problem(p->b, rule, "%s", d.reason)) {
		return false;
	}
	if (d.action == IPSP_PROTECT && d.n_steps == 0 && !now->unsure)
		origin->sa_id = d.sa_id;
	/* The guard cannot run a program, so it could not tell which of its packets may pass. */
	d.accept_clear = d.action == IPSP_PROTECT && d.n_steps == 0 && p->dir == IPSP_INBOUND &&
			 pol_row_truth(rule, MIB_COL(ipspdRuleOptTable, ipspdRuleOptAcceptClear),
				       false);
	d.no_frag_state = !pol_row_truth(rule, MIB_COL(ipspdRuleOptTable, ipspdRuleOptFragState),
					 true);
	return put(p, origin, &d, m);
}

static bool rule(struct place_work *p, const struct mib_row *contents,
		 const struct pol_timed *guard, const struct mib_row *lost)
{
	const struct mib_row *r = pol_row_by_name(pol_build_view(p->b), contents,
						  MIB_COL(spdGroupContentsTable,
							  spdGroupContComponentName),
						  &mib_t_spdRuleDefinitionTable);
	struct pol_timed m = { 0 };
	bool good;

	if (!r || !pol_row_meant(r))
		return unusable(p, contents, guard, "names a rule that is not there or not active");
	/* Its filter, and whether it is enabled, may be among them. */
	if (mib_row_lost_values(r))
		return pol_build_lost(p->b, r) &&
		       unusable(p, contents, guard, "names a rule that lost values at start");
	if (!pol_row_enabled(r, MIB_COL(spdRuleDefinitionTable, spdRuleDefAdminStatus)))
		return true;
	good = pol_timed_filter(p->b, r, MIB_COL(spdRuleDefinitionTable, spdRuleDefFilter),
				pol_row_truth(r, MIB_COL(spdRuleDefinitionTable,
							 spdRuleDefFilterNegated), false),
				guard, &m) == POL_CALC_OK;
	if (good)
		good = lost || p->in->lost[0] || mib_row_lost(r) ? lost_entry(p, r, &m, lost)
								  : rule_entry(p, r, &m);
	pol_timed_fini(&m);
	return good;
}

/* A contents row, active or lost. */
static bool contents_row(struct place_work *p, const struct mib_row *r)
{
	const struct mib_row *lost = mib_row_lost(r) ? r : NULL;
	struct pol_timed guard = { 0 };
	bool good;

	if (lost && !pol_build_lost(p->b, r))
		return false;
	/* Its filter may be among them, and what it leads to. */
	if (mib_row_lost_values(r))
		return unusable(p, r, &p->in->guard, "lost values at start");
	good = pol_timed_filter(p->b, r, MIB_COL(spdGroupContentsTable, spdGroupContFilter), false,
				&p->in->guard, &guard) == POL_CALC_OK;
	if (good && pol_timed_now(&guard)->unsure)
		good = pol_build_problem(p->b, r, "%s: its packets are dropped",
					 pol_timed_now(&guard)->reason);
	if (good && !lets_nothing_in(&guard)) {
		if (mib_row_number(r, MIB_COL(spdGroupContentsTable, spdGroupContComponentType),
				   COMPONENT_RULE) == COMPONENT_GROUP)
			good = subgroup(p, r, &guard, lost);
		else
			good = rule(p, r, &guard, lost);
	}
	pol_timed_fini(&guard);
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
