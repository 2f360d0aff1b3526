/*
 * policy/action.c - actions of rules, and manual SAs of a generation: see action.h.
 *
 * A compound action is written down as a program, by a walk with a stack of POL_DEPTH_MAX levels.
 */
#include "policy/action.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipsp/program.h"
#include "mibs/schema_gen.h"
#include "policy/ids.h"
#include "policy/program.h"
#include "policy/sa.h"

enum { FALLBACK_CLEAR = 2 };

#define CLEAR_DEFAULT_S 300

#define IPSEC(column) MIB_COL(ipiaIpsecActionTable, column)
#define OPT(column) MIB_COL(ipspdRuleOptTable, column)

#define PRE(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)

/* Gives the SAs of a row their ids and chains them. False: no memory */
static bool name_sas(const struct mib_row *r, uint64_t id, struct pol_sa_bundle *b)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	for (uint32_t i = 0; i < b->n; i++) {
		struct ipsp_sa_config *sa = &b->sas[i];

		sa->id = i == 0 ? id : pol_id_of_member(id, sa->proto);
		sa->counter_id = pol_id_of_counters(mib_row_table(r), index, len, sa);
		if (sa->id == 0 || sa->counter_id == 0)
			return false;
		if (b->n > 1)
			sa->bundle_id = id;
		if (i > 0)
			b->sas[i - 1].next_id = sa->id;
	}
	return true;
}

bool pol_action_sas(struct pol_build *b, const struct mib_row *r,
		    struct pol_sa *out[IPSP_BUNDLE_MAX])
{
	struct pol_origin *origin = pol_build_origin(b, r);
	struct pol_sa_bundle sas;
	char why[POL_SA_TEXT];
	bool good = origin != NULL;

	memset(out, 0, IPSP_BUNDLE_MAX * sizeof(*out));
	if (pol_sa_make(pol_build_view(b), r, &sas, why) != POL_SA_READY) {
		good = good && pol_build_problem(b, r, "%s", why);
	} else if (good) {
		good = name_sas(r, origin->id, &sas);
		for (uint32_t i = 0; i < sas.n && good; i++) {
			out[i] = pol_sa_new(&sas.sas[i]);
			good = out[i] != NULL;
		}
		origin->sa_id = origin->id;
	}
	pol_sa_bundle_wipe(&sas);
	return good;
}

/* ---- one action ---- */

/* An action as a step, and why it cannot be done. */
struct act {
	struct ipsp_step step;
	bool may_fail;		/* by what happens, not by how it is written */
	const struct mib_row *ipsec;	/* a negotiated one; NULL: it is not */
	bool ike;		/* an IKE action */
	struct pol_negotiated negotiated;
	char reason[180];
};

static void cannot(struct act *a, enum ipsp_step_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void cannot(struct act *a, enum ipsp_step_kind kind, const char *fmt, ...)
{
	va_list ap;

	a->step = (struct ipsp_step){ .kind = (uint8_t)kind };
	va_start(ap, fmt);
	vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
}

static bool protect(struct pol_build *b, const struct mib_row *r, enum ipsp_dir dir, struct act *out)
{
	char name[POL_ROW_TEXT];
	uint64_t id, sa_id;

	if (pol_sa_dir(r) != dir) {
		cannot(out, IPSP_STEP_FAIL, "uses %s, which is an %s SA, in an %s group: its packets "
		       "are dropped", pol_row_name(r, name),
		       dir == IPSP_INBOUND ? "outbound" : "inbound",
		       dir == IPSP_INBOUND ? "inbound" : "outbound");
		return true;
	}
	if (!pol_build_sa(b, r, &id, &sa_id))
		return false;
	if (sa_id == 0)
		cannot(out, IPSP_STEP_PROTECT,
		       "uses %s, which is not in force: its packets are dropped",
		       pol_row_name(r, name));
	out->may_fail = true;
	out->step = (struct ipsp_step){
		.kind = IPSP_STEP_PROTECT, .sa_id = sa_id, .action_id = id,
		.log = pol_row_truth(r, PRE(ipsaSaPreActDoActionLogging), false),
	};
	return true;
}

/* An IPsec action. */
static bool negotiate(struct pol_build *b, const struct mib_row *r, struct act *out)
{
	const bool log = pol_row_truth(r, IPSEC(ipiaIpsecActDoActionLogging), false);
	const struct pol_origin *origin = log ? pol_build_origin(b, r) : NULL;
	char name[POL_ROW_TEXT], why[POL_NEGOTIATE_TEXT];

	if ((log && !origin) || !pol_negotiate(pol_build_view(b), r, &out->negotiated, why))
		return false;
	if (why[0]) {
		cannot(out, IPSP_STEP_FAIL, "uses %s, which %s: its packets are dropped",
		       pol_row_name(r, name), why);
		return true;
	}
	out->ipsec = r;
	out->step = (struct ipsp_step){
		.kind = IPSP_STEP_PROTECT, .negotiated = true, .log = log,
		.action_id = origin ? origin->id : 0,
	};
	return true;
}

/* The action of one pointer that is no compound action. */
static bool simple(struct pol_build *b, const struct pol_target *t, enum ipsp_dir dir,
		   struct act *out)
{
	const struct {
		const struct mib_column *scalar;
		enum ipsp_step_kind kind;
		bool log;
	} statics[] = {
		{ MIB_COL(spdStaticActions, spdDropAction), IPSP_STEP_DISCARD, false },
		{ MIB_COL(spdStaticActions, spdDropActionLog), IPSP_STEP_DISCARD, true },
		{ MIB_COL(spdStaticActions, spdAcceptAction), IPSP_STEP_BYPASS, false },
		{ MIB_COL(spdStaticActions, spdAcceptActionLog), IPSP_STEP_BYPASS, true },
		/* Refusing with an answer is IKE's; without it the packet is not taken. */
		{ MIB_COL(ipiaStaticActions, ipiaRejectIKEAction), IPSP_STEP_DISCARD, false },
		{ MIB_COL(ipiaStaticActions, ipiaRejectIKEActionLog), IPSP_STEP_DISCARD, true },
	};

	*out = (struct act){ .may_fail = t->table == &mib_t_ipiaIkeActionTable ||
					 t->table == &mib_t_ipiaIpsecActionTable };
	for (size_t i = 0; t->scalar && i < sizeof(statics) / sizeof(statics[0]); i++) {
		const struct pol_origin *origin = NULL;

		if (t->scalar != statics[i].scalar)
			continue;
		/* Its name is wanted by reports alone. */
		if (statics[i].log && !(origin = pol_build_scalar(b, t->scalar)))
			return false;
		out->step = (struct ipsp_step){ .kind = (uint8_t)statics[i].kind,
						.log = statics[i].log,
						.action_id = origin ? origin->id : 0 };
		return true;
	}
	if (out->may_fail && t->table == &mib_t_ipiaIpsecActionTable && t->row &&
	    mib_row_active(t->row))
		return negotiate(b, t->row, out);
	out->ike = t->table == &mib_t_ipiaIkeActionTable;
	if (out->may_fail)
		cannot(out, IPSP_STEP_FAIL, out->ike ?
		       "needs IKE for an IKE SA alone, which protects no packets: they are dropped" :
		       "names an IPsec action that is not active: its packets are dropped");
	else if (t->table == &mib_t_ipsaSaPreconfiguredActionTable && t->row)
		return protect(b, t->row, dir, out);
	else
		cannot(out, IPSP_STEP_DISCARD,
		       "names an action that is not there or not active: its packets are dropped");
	return true;
}

/* ---- several ---- */

/* A compound action whose subactions are being walked. */
struct level {
	struct mib_oid prefix;
	struct pol_walk walk;
	uint32_t step;
	uint32_t ike_step;		/* of its last IKE action that serves nothing yet; 0: none */
};

/* What makes a program of a compound action. */
struct assembly {
	struct pol_build *b;
	enum ipsp_dir dir;
	struct pol_decision *out;	/* its steps grow */
	struct level levels[POL_DEPTH_MAX];
	unsigned depth;
	uint32_t actions;		/* steps that are no compound */
	bool may_fail;			/* one of them */
	const struct mib_row *ipsec;	/* of them, the one that is negotiated */
	struct act last;		/* of them */
	char reason[180];		/* of the first action that cannot be done */
};

static void discard(struct pol_decision *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void discard(struct pol_decision *out, const char *fmt, ...)
{
	va_list ap;

	out->action = IPSP_DISCARD;
	out->log = false;
	out->action_id = out->sa_id = 0;
	out->n_steps = 0;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

static bool add_step(struct pol_decision *out, const struct ipsp_step *step)
{
	if (out->n_steps == IPSP_STEPS_MAX) {
		discard(out, "has a compound action with more than %d subactions: its packets are "
			"dropped", IPSP_STEPS_MAX - 1);
		return false;
	}
	out->steps[out->n_steps++] = *step;
	return true;
}

/* False: the rule discards, and says why. */
static bool enter(struct assembly *a, const struct mib_row *compound)
{
	static const enum ipsp_step_kind kinds[] = {
		[1] = IPSP_STEP_ALL, [2] = IPSP_STEP_UNTIL_SUCCESS, [3] = IPSP_STEP_UNTIL_FAILURE,
	};
	const int64_t strategy = mib_row_number(compound,
						MIB_COL(spdCompoundActionTable,
							spdCompActExecutionStrategy), 0);
	const struct ipsp_step step = {
		.kind = (uint8_t)kinds[strategy >= 1 && strategy <= 3 ? strategy : 2],
	};
	struct level *l = &a->levels[a->depth];

	if (a->depth == POL_DEPTH_MAX) {
		discard(a->out, "nests compound actions more than %d deep: its packets are dropped",
			POL_DEPTH_MAX);
		return false;
	}
	l->step = a->out->n_steps;
	l->ike_step = 0;
	if (!add_step(a->out, &step))
		return false;
	mib_row_index_copy(compound, &l->prefix);
	l->walk = (struct pol_walk){ .view = pol_build_view(a->b), .prefix = &l->prefix,
				     .table = &mib_t_spdSubactionsTable, .with_lost = true };
	a->depth++;
	return true;
}

enum step_result { STEP_OK, STEP_DISCARDS, STEP_NO_MEMORY };

/* An IKE action that serves an IPsec action is no step. */
static void forget_ike(struct assembly *a, struct level *l)
{
	struct ipsp_step *steps = a->out->steps;
	const uint32_t at = l->ike_step;

	if (at == 0)
		return;
	l->ike_step = 0;
	a->actions--;
	a->out->n_steps--;
	memmove(&steps[at], &steps[at + 1], (a->out->n_steps - at) * sizeof(*steps));
	for (uint32_t i = at; i < a->out->n_steps; i++)
		if (steps[i].end > 0)
			steps[i].end--;
	a->reason[0] = '\0';
	for (uint32_t i = 0; i < a->out->n_steps; i++)
		if (steps[i].kind == IPSP_STEP_FAIL)
			snprintf(a->reason, sizeof(a->reason), "has an action that cannot be done: "
				 "its packets are dropped");
}

/* A rule's SAs are of one IPsec action. */
static void take_negotiated(struct assembly *a, struct level *l)
{
	if (a->ipsec && a->ipsec != a->last.ipsec) {
		cannot(&a->last, IPSP_STEP_FAIL,
		       "uses more than one IPsec action: but for the first they fail");
		return;
	}
	a->ipsec = a->last.ipsec;
	a->out->negotiated = a->last.negotiated;
	if (l)
		forget_ike(a, l);
}

static enum step_result subaction(struct assembly *a, const struct mib_row *sub)
{
	char name[POL_ROW_TEXT];
	struct pol_target t;

	/* Without it, the others might decide otherwise than all of them did. */
	if (mib_row_lost(sub)) {
		discard(a->out, "uses %s, which is lost: its packets are dropped",
			pol_row_name(sub, name));
		return STEP_DISCARDS;
	}
	pol_target_of(pol_build_view(a->b), sub,
		      MIB_COL(spdSubactionsTable, spdSubActSubActionName), &t);
	if (t.table == &mib_t_spdCompoundActionTable && t.row)
		return enter(a, t.row) ? STEP_OK : STEP_DISCARDS;
	if (!simple(a->b, &t, a->dir, &a->last))
		return STEP_NO_MEMORY;
	if (a->last.ipsec)
		take_negotiated(a, &a->levels[a->depth - 1]);
	if (a->last.ike)
		a->levels[a->depth - 1].ike_step = a->out->n_steps;
	if (a->last.reason[0] != '\0' && a->reason[0] == '\0')
		memcpy(a->reason, a->last.reason, sizeof(a->reason));
	a->actions++;
	a->may_fail |= a->last.may_fail;
	return add_step(a->out, &a->last.step) ? STEP_OK : STEP_DISCARDS;
}

static enum step_result assemble(struct assembly *a, const struct mib_row *first)
{
	enum step_result rc = enter(a, first) ? STEP_OK : STEP_DISCARDS;

	while (rc == STEP_OK && a->depth > 0) {
		struct level *l = &a->levels[a->depth - 1];
		const struct mib_row *sub = pol_walk_next(&l->walk);

		if (sub) {
			rc = subaction(a, sub);
		} else {
			a->out->steps[l->step].end = (uint16_t)a->out->n_steps;
			a->depth--;
		}
	}
	return rc;
}

/* The one action there is. */
static void decide(struct pol_decision *out, const struct act *a)
{
	out->n_steps = 0;
	out->action = a->step.kind == IPSP_STEP_FAIL ? IPSP_DISCARD :
						       (enum ipsp_action)a->step.kind;
	out->log = a->step.log;
	out->action_id = a->step.log ? a->step.action_id : 0;
	out->sa_id = a->step.sa_id;
	if (!a->ipsec)
		out->negotiated.n = 0;
	memcpy(out->reason, a->reason, sizeof(out->reason));
}

static bool usable(void *arg, uint64_t sa_id)
{
	(void)arg;
	(void)sa_id;
	return true;
}

/* No SA has a say: it is run here. What several of its actions report needs them all. */
static bool decide_now(struct pol_decision *out)
{
	struct ipsp_outcome o;
	unsigned n_logs = 0;

	for (uint32_t i = 0; i < out->n_steps; i++)
		if (out->steps[i].sa_id != 0 || out->steps[i].negotiated)
			return false;
	ipsp_steps_run(out->steps, usable, NULL, &o);
	for (uint32_t i = 0; i < out->n_steps; i++)
		if (out->steps[i].log && ipsp_step_ran(&o, i)) {
			n_logs++;
			out->action_id = out->steps[i].action_id;
		}
	if (n_logs > 1)
		return false;
	out->action = (enum ipsp_action)o.action;
	out->log = n_logs > 0;
	out->n_steps = 0;
	return true;
}

/* Packets pass in clear, and are reported, when what is there so far fails. */
static bool add_fallback(struct assembly *a)
{
	const struct pol_origin *accept =
		pol_build_scalar(a->b, MIB_COL(spdStaticActions, spdAcceptActionLog));
	struct ipsp_step *steps = a->out->steps;
	const uint32_t n = a->out->n_steps;

	if (!accept)
		return false;
	if (n + 2 > IPSP_STEPS_MAX) {
		discard(a->out, "has no room for its fallback: its packets are dropped");
		return true;
	}
	memmove(&steps[1], &steps[0], n * sizeof(*steps));
	for (uint32_t i = 1; i <= n; i++)
		if (steps[i].end > 0)
			steps[i].end++;
	steps[0] = (struct ipsp_step){ .kind = IPSP_STEP_UNTIL_SUCCESS, .end = (uint16_t)(n + 2) };
	steps[n + 1] = (struct ipsp_step){ .kind = IPSP_STEP_BYPASS, .log = true,
					   .action_id = accept->id };
	a->out->n_steps = n + 2;
	return true;
}

static void explain(const struct assembly *a, bool fallback, const struct pol_prospects *may)
{
	struct pol_decision *out = a->out;

	if (a->actions == 0)
		snprintf(out->reason, sizeof(out->reason), "has a compound action without an active "
			 "subaction: its packets are dropped");
	else if (fallback && !may->protect)
		snprintf(out->reason, sizeof(out->reason), "has an action that cannot be done: its "
			 "packets pass in clear, as ipspdRuleOptFallback says");
	else if (!may->bypass && !may->protect)
		memcpy(out->reason, a->reason, sizeof(out->reason));
}

/* Compilation cannot know who is there. */
static void explain_negotiated(struct pol_decision *out)
{
	if (out->negotiated.n > 0 && out->action == IPSP_PROTECT && out->reason[0] == '\0')
		snprintf(out->reason, sizeof(out->reason), "%s", POL_NEEDS_MANAGER);
}

/* The program stands: what may it come to? r: whose action it is, for what the kernel reports. */
static bool conclude(struct assembly *a, const struct mib_row *r, bool fallback)
{
	struct pol_decision *out = a->out;
	struct pol_prospects may;

	fallback &= a->may_fail;
	if (fallback && !add_fallback(a))
		return false;
	if (!fallback)
		out->clear_s = 0;
	if (out->n_steps == 0)
		return true;
	pol_program_judge(out->steps, out->n_steps, &may);
	explain(a, fallback, &may);
	if (decide_now(out)) {
		out->negotiated.n = 0;
		return true;
	}
	out->action = pol_prospects_action(&may);
	for (uint32_t i = 0; i < out->n_steps; i++)
		out->log |= out->steps[i].log;
	if (out->log) {
		const struct pol_origin *origin = pol_build_origin(a->b, r);

		if (!origin)
			return false;
		out->action_id = origin->id;
	}
	if (!fallback)
		explain_negotiated(out);
	return true;
}

static bool action_of(struct pol_build *b, const struct mib_row *rule, enum ipsp_dir dir,
		      struct pol_decision *out)
{
	const bool fallback = mib_row_number(rule, OPT(ipspdRuleOptFallback), 0) == FALLBACK_CLEAR;
	struct assembly a = { .b = b, .dir = dir, .out = out };
	struct pol_target t;

	*out = (struct pol_decision){
		.action = IPSP_DISCARD,
		.clear_s = (uint32_t)mib_row_number(rule, OPT(ipspdRuleOptClearSeconds),
						    CLEAR_DEFAULT_S),
	};
	pol_target_of(pol_build_view(b), rule, MIB_COL(spdRuleDefinitionTable, spdRuleDefAction),
		      &t);
	if (t.table == &mib_t_spdCompoundActionTable && t.row) {
		const enum step_result rc = assemble(&a, t.row);

		if (rc != STEP_OK)
			return rc == STEP_DISCARDS;
	} else {
		if (!simple(b, &t, dir, &a.last))
			return false;
		a.actions = 1;
		a.may_fail = a.last.may_fail;
		if (a.last.ipsec)
			take_negotiated(&a, NULL);
		out->steps[out->n_steps++] = a.last.step;
	}
	/* What fails until a peer comes would pass in clear until then. */
	if (fallback && out->negotiated.n > 0 && out->negotiated.templates[0].anyone) {
		discard(out, "may pass in clear if its negotiation fails, but its peers have no address, so that "
			"nobody can be asked: its packets are dropped");
		out->negotiated.n = 0;
		out->clear_s = 0;
		return true;
	}
	/* One action, alone or in a compound of its own. */
	if (a.actions == 1 && out->n_steps <= 2 && !(fallback && a.may_fail)) {
		decide(out, &a.last);
		out->clear_s = 0;
		explain_negotiated(out);
		return true;
	}
	return conclude(&a, t.row ? t.row : rule, fallback);
}

bool pol_action_of(struct pol_build *b, const struct mib_row *rule, enum ipsp_dir dir,
		   struct pol_decision *out)
{
	if (!action_of(b, rule, dir, out))
		return false;
	if (out->negotiated.n == 0)
		out->clear_s = 0;
	return true;
}
