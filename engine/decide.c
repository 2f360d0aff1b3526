/*
 * engine/decide.c - what an SPD entry does with a packet at this moment. RFC 4301 5.1, 5.2.
 */
#include "engine/internal.h"

/* Whose SAs, and when. */
struct question {
	const struct ipsp_sad *sad;
	enum ipsp_dir dir;
	uint64_t now_s;
};

/* A reservation that has not come yet is no failure: it delays, and another SA must not jump in. */
static bool is_usable(void *arg, uint64_t sa_id)
{
	const struct question *q = arg;
	const struct ipsp_sa *sa = ipsp_sad_find(q->sad, sa_id);

	return sa && sa->dir == q->dir && ipsp_sa_usable(sa, q->now_s) == IPSP_REASON_NONE &&
	       (sa->dir == IPSP_INBOUND ||
		ipsp_counter_left(sa->counter, sa->seq_floor, 0, sa->esn) > 0);
}

void ipsp_rule_decide(const struct ipsp_worker *worker, enum ipsp_dir dir,
		      const struct ipsp_spd_rule *rule, uint64_t now_s, struct ipsp_outcome *out)
{
	struct question q = { worker->engine->sad, dir, now_s };

	if (rule->n_steps > 0) {
		ipsp_steps_run(rule->steps, is_usable, &q, out);
		return;
	}
	out->action = rule->action;
	out->failed = false;
	out->sa_id = rule->sa_id;
}

/* The way of a packet that came out of that SA: no other action of the entry was run for it. */
static void mark_ran(const struct ipsp_spd_rule *rule, uint64_t sa_id, struct ipsp_outcome *out)
{
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		out->ran[i / 64] &= ~(UINT64_C(1) << (i % 64));
		if (rule->steps[i].kind == IPSP_STEP_PROTECT && rule->steps[i].sa_id == sa_id)
			out->ran[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

enum ipsp_reason ipsp_rule_judge_sa(const struct ipsp_worker *worker,
				    const struct ipsp_spd_rule *rule, const struct ipsp_sa *sa,
				    uint64_t now_s, struct ipsp_outcome *out)
{
	ipsp_rule_decide(worker, IPSP_INBOUND, rule, now_s, out);
	if (rule->n_steps > 0 && ipsp_steps_allow(rule->steps, rule->n_steps, sa->id)) {
		mark_ran(rule, sa->id, out);
		return IPSP_REASON_NONE;
	}
	if (out->action == IPSP_PROTECT && rule->n_steps == 0 && out->sa_id == sa->id)
		return IPSP_REASON_NONE;
	return out->action == IPSP_DISCARD ? ipsp_outcome_reason(out) :
					     IPSP_REASON_POLICY_MISMATCH;
}
