/*
 * engine/decide.c - what an SPD entry does with a packet at this moment. RFC 4301 5.1, 5.2.
 */
#include "engine/acquire.h"
#include "engine/bundle.h"
#include "engine/frag.h"
#include "engine/template.h"

/* About which packet, and when. */
struct question {
	const struct ipsp_worker *worker;
	const struct ipsp_spd_rule *rule;
	const struct ipsp_flow *flow;
	enum ipsp_dir dir;
	uint64_t now_s;

	/* what its templates came to, if they were asked */
	struct ipsp_negotiated found;
	enum ipsp_reason reason;	/* why they cannot protect; NONE: they can, or may soon */
};

/* A negotiation that goes on is no failure: packets wait, and nothing else must jump in. */
static bool ask_templates(struct question *q)
{
	const struct ipsp_engine *engine = q->worker->engine;

	q->found.n = 0;
	q->found.missing = 0;
	q->found.waits = q->found.unasked = false;
	q->reason = IPSP_REASON_NONE;
	if (q->dir == IPSP_OUTBOUND)
		ipsp_templates_find(engine->sad, q->rule->templates, q->rule->n_templates, q->flow,
				    q->now_s, &q->found);
	if (q->dir == IPSP_OUTBOUND && !q->found.waits)
		return true;
	if (ipsp_templates_clear(engine->sad, q->rule, q->dir, q->flow, q->now_s))
		q->reason = IPSP_REASON_ACQUIRE_FAILED;
	else if (q->found.unasked)
		q->reason = IPSP_REASON_POLICY_NO_SA;
	else if (!ipsp_has_key_manager(engine))
		q->reason = IPSP_REASON_NO_KEY_MANAGER;
	else if (q->dir == IPSP_OUTBOUND)
		q->reason = ipsp_need_failed(engine, ipsp_need_of(engine, q->rule, q->flow)) ?
				    IPSP_REASON_ACQUIRE_FAILED : IPSP_REASON_NONE;
	return q->reason == IPSP_REASON_NONE;
}

/* A reservation that has not come yet is no failure: it delays, and another SA must not jump in. */
static bool is_usable(void *arg, uint64_t sa_id)
{
	struct question *q = arg;
	struct ipsp_bundle bundle;

	if (sa_id == 0)
		return ask_templates(q);
	if (!ipsp_bundle_find(q->worker->engine->sad, sa_id, q->dir, &bundle) ||
	    ipsp_bundle_usable(&bundle, q->now_s) != IPSP_REASON_NONE)
		return false;
	for (uint32_t i = 0; i < bundle.n && q->dir == IPSP_OUTBOUND; i++) {
		const struct ipsp_sa *sa = bundle.sas[i];

		if (sa->proto != IPSP_PROTO_IPCOMP &&
		    ipsp_counter_left(sa->counter, sa->seq_floor, 0,
				      ipsp_sa_counts_64(sa)) == 0)
			return false;
	}
	return true;
}

/* PROTECT by templates: by which SA, or not yet. */
static void take_found(const struct question *q, struct ipsp_outcome *out)
{
	out->waits = q->found.waits;
	out->asks = q->found.missing != 0 && !q->found.waits && !q->found.unasked;
	if (q->found.n > 0 && !q->found.waits)
		out->sa_id = q->found.sas[0]->id;
	else if (q->dir == IPSP_OUTBOUND && !q->found.waits)
		out->action = IPSP_BYPASS;	/* none is there, and none is required */
}

static void decide_alone(struct question *q, struct ipsp_outcome *out)
{
	out->action = q->rule->action;
	out->failed = false;
	out->waits = out->asks = false;
	out->sa_id = q->rule->sa_id;
	if (q->rule->n_templates == 0 || out->action != IPSP_PROTECT)
		return;
	if (ask_templates(q)) {
		take_found(q, out);
	} else if (q->reason == IPSP_REASON_ACQUIRE_FAILED &&
		   ipsp_templates_clear(q->worker->engine->sad, q->rule, q->dir, q->flow,
					q->now_s)) {
		out->action = IPSP_BYPASS;
	} else {
		out->action = IPSP_DISCARD;
		out->failed = true;
		out->reason = (uint8_t)q->reason;
	}
}

void ipsp_rule_decide(const struct ipsp_worker *worker, enum ipsp_dir dir,
		      const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
		      uint64_t now_s, struct ipsp_outcome *out)
{
	struct question q = { .worker = worker, .rule = rule, .flow = flow, .dir = dir,
			      .now_s = now_s };

	if (rule->n_steps == 0) {
		decide_alone(&q, out);
		return;
	}
	ipsp_steps_run(rule->steps, is_usable, &q, out);
	if (out->action == IPSP_PROTECT && rule->steps[out->step].negotiated)
		take_found(&q, out);
	else if (out->failed)
		out->reason = (uint8_t)q.reason;
}

/* The way of a packet that came out of a step's SA: no other action of the entry was run for it. */
static void mark_ran(const struct ipsp_spd_rule *rule, uint32_t step, struct ipsp_outcome *out)
{
	for (uint32_t i = 0; i < rule->n_steps; i++)
		out->ran[i / 64] &= ~(UINT64_C(1) << (i % 64));
	out->ran[step / 64] |= UINT64_C(1) << (step % 64);
}

/* The step by which a packet may have come out of that SA; n_steps: none. */
static uint32_t step_of(const struct ipsp_spd_rule *rule, const struct ipsp_undone *path,
			const struct ipsp_sa *head)
{
	uint32_t i = 0;

	while (i < rule->n_steps &&
	       !(rule->steps[i].may_decide &&
		 (rule->steps[i].negotiated ?
			  ipsp_templates_fit(rule, path->sas, path->n) :
			  rule->steps[i].sa_id == head->id)))
		i++;
	return i;
}

enum ipsp_reason ipsp_rule_judge_sa(const struct ipsp_worker *worker,
				    const struct ipsp_spd_rule *rule, const struct ipsp_undone *path,
				    const struct ipsp_sa *head, const struct ipsp_flow *flow,
				    uint64_t now_s, struct ipsp_outcome *out)
{
	const uint32_t step = step_of(rule, path, head);
	bool is_right;

	/* Its own selectors, whatever the entry says: RFC 4301 5.2 step 4. */
	const enum ipsp_reason right =
		ipsp_sa_carries(head, flow) ? IPSP_REASON_NONE : IPSP_REASON_SA_SELECTOR;

	ipsp_rule_decide(worker, IPSP_INBOUND, rule, flow, now_s, out);
	if (rule->n_steps > 0) {
		is_right = step < rule->n_steps;
		if (is_right)
			mark_ran(rule, step, out);
	} else {
		is_right = rule->action == IPSP_PROTECT &&
			   (rule->n_templates > 0 ?
				    ipsp_templates_fit(rule, path->sas, path->n) :
				    rule->sa_id == head->id);
	}
	if (is_right)
		return right;
	return out->action == IPSP_DISCARD ? ipsp_outcome_reason(out) :
					     IPSP_REASON_POLICY_MISMATCH;
}

struct ipsp_spd_match ipsp_fragment_match(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					  enum ipsp_dir dir, const struct ipsp_packet *packet,
					  struct ipsp_flow *flow, uint64_t sa_id, uint64_t now_s,
					  enum ipsp_reason *refused)
{
	const uint32_t timeout_s = worker->engine->settings.frag_timeout_s;
	enum ipsp_frag_state state = IPSP_FRAG_UNKNOWN;
	struct ipsp_flow shown = *flow;
	struct ipsp_spd_match match;

	if (flow->frag == IPSP_FRAG_LATER)
		state = ipsp_frag_follow(worker->frags, &shown, dir, packet->ifindex, sa_id, now_s,
					 timeout_s);
	else if (!ipsp_frag_first(worker->frags, flow, dir, packet->ifindex, sa_id, now_s,
				  timeout_s))
		state = IPSP_FRAG_REFUSED;
	*refused = state == IPSP_FRAG_REFUSED ? IPSP_REASON_FRAG_OVERLAP : IPSP_REASON_NONE;
	match = ipsp_packet_match(worker, spd, dir, packet, flow, sa_id);
	/* What entries say of such fragments themselves goes first: OPAQUE, or any port. */
	if (match.result != IPSP_SPD_FRAGMENT || state != IPSP_FRAG_KNOWN)
		return match;
	const struct ipsp_spd_match first = ipsp_packet_match(worker, spd, dir, packet, &shown,
							      sa_id);

	/* RFC 4301 7.4: each entry may do without, and is in doubt then. */
	if (first.result == IPSP_SPD_RULE && first.rule->no_frag_state)
		return match;
	*flow = shown;
	return first;
}
