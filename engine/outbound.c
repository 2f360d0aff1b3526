/*
 * engine/outbound.c - clear packets on their way out. RFC 4301 5.1; RFC 4303 3.3.
 *
 * Packets of one SA are gathered, so that they take their numbers in one step, their IVs in one
 * call, and go to the crypto provider together. A number is taken only when nothing but the crypto
 * can still refuse the packet.
 */
#include <string.h>

#include "engine/esp.h"
#include "engine/header.h"

struct job {
	struct ipsp_packet *packet;
	const struct ipsp_spd_rule *rule;
	struct ipsp_outcome outcome;	/* of a rule with steps */
	struct ipsp_flow flow;
	struct ipsp_esp_plan plan;
	struct ipsp_span sample;	/* of the worker's; data NULL: the packet is not reported */
};

struct batch {
	struct ipsp_worker *worker;
	uint64_t now_s;
	const struct ipsp_sa *sa;
	uint32_t n;
	bool has_sample;	/* one of the jobs has */
	struct job jobs[IPSP_BATCH];
	struct ipsp_crypto_op ops[IPSP_BATCH];
	uint8_t ivs[IPSP_BATCH][IPSP_IV_MAX];
};

static void done(struct ipsp_worker *worker, struct ipsp_packet *packet,
		 enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	ipsp_packet_done(worker, IPSP_OUTBOUND, packet, verdict, reason);
}

static void job_drop(struct batch *b, const struct job *job, enum ipsp_reason reason)
{
	done(b->worker, job->packet, IPSP_VERDICT_DROP, reason);
	ipsp_sa_count_drop(b->sa, reason);
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, job->packet, job->rule, &job->outcome, &job->flow,
		      b->now_s);
	if (reason == IPSP_REASON_SEQ_EXHAUSTED)
		ipsp_audit(b->worker, job->packet, &job->flow, b->sa->spi, 0, b->now_s);
}

/* Numbers for as many jobs as there are; the others are dropped. */
static uint32_t take_numbers(struct batch *b, uint64_t *first)
{
	uint64_t ceiling = atomic_load_explicit(&b->sa->seq_ceiling, memory_order_relaxed);
	enum ipsp_seq_limit limit;
	uint32_t n = ipsp_counter_take(b->sa->counter, b->n, b->sa->seq_floor, ceiling, b->sa->esn,
				       first, &limit);

	for (uint32_t i = n; i < b->n; i++)
		job_drop(b, &b->jobs[i], limit == IPSP_SEQ_END ? IPSP_REASON_SEQ_EXHAUSTED :
								  IPSP_REASON_SEQ_RESERVATION);
	return n;
}

static bool make_ivs(struct batch *b)
{
	const struct ipsp_platform *p = b->worker->engine->config.platform;

	if (b->sa->shape.iv_len == 0 || b->sa->shape.iv_is_counter)
		return true;
	return p->random(p->ctx, b->ivs[0], (size_t)b->n * IPSP_IV_MAX) == IPSP_OK;
}

static void batch_empty(struct batch *b)
{
	b->n = 0;
	b->has_sample = false;
}

static void batch_flush(struct batch *b)
{
	struct ipsp_engine *engine = b->worker->engine;
	uint64_t first = 0;
	uint32_t n;

	if (b->n == 0)
		return;
	if (!make_ivs(b)) {
		for (uint32_t i = 0; i < b->n; i++)
			job_drop(b, &b->jobs[i], IPSP_REASON_CRYPTO);
		batch_empty(b);
		return;
	}
	n = take_numbers(b, &first);
	for (uint32_t i = 0; i < n; i++) {
		struct job *job = &b->jobs[i];

		ipsp_esp_layout(engine, b->sa, &job->flow, &job->plan, first + i, b->ivs[i],
				job->packet, &b->ops[i]);
	}
	engine->config.platform->crypto->seal(b->sa->crypto, b->worker->thread, b->ops, n);
	for (uint32_t i = 0; i < n; i++) {
		struct job *job = &b->jobs[i];

		if (b->ops[i].err != IPSP_OK) {
			job_drop(b, job, IPSP_REASON_CRYPTO);
			continue;
		}
		ipsp_sa_count_use(b->sa, job->plan.text_len, b->now_s);
		done(b->worker, job->packet, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
		ipsp_rule_hit(b->worker, IPSP_OUTBOUND, job->packet, job->rule, &job->outcome,
			      &job->flow, b->now_s);
		if (job->sample.data)
			ipsp_passed(b->worker, job->packet, &job->flow, job->sample);
	}
	batch_empty(b);
}

/* Only behind headers and ports, or it would change what was looked up. */
static bool finish_checksum(const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	uint32_t ports_len = ipsp_proto_has_ports(flow->proto) ? 4 : 0;
	uint32_t place = (uint32_t)packet->csum_start + packet->csum_offset;

	return packet->csum_start >= flow->l4_offset && place >= flow->l4_offset + ports_len &&
	       ipsp_checksum_finish(packet->data, flow->total_len, packet->csum_start,
				    packet->csum_offset);
}

/* Everything that may refuse the packet; then its clear form is final. */
static enum ipsp_reason prepare(struct batch *b, const struct ipsp_sa *sa, struct job *job)
{
	struct ipsp_packet *packet = job->packet;
	enum ipsp_reason reason = ipsp_sa_usable(sa, b->now_s);

	if (reason != IPSP_REASON_NONE)
		return reason;
	if (packet->segment_size > 0)
		return IPSP_REASON_SEGMENTS;
	reason = ipsp_esp_plan(b->worker->engine->config.platform, sa, packet, &job->flow,
			       &job->plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	if ((packet->flags & IPSP_PKT_CSUM_PARTIAL) && !finish_checksum(packet, &job->flow))
		return IPSP_REASON_CHECKSUM;
	if ((packet->flags & IPSP_PKT_DECREMENT_TTL) && sa->mode == IPSP_MODE_TUNNEL &&
	    !ipsp_ttl_decrement(packet->data, job->flow.family))
		return IPSP_REASON_TTL;
	return IPSP_REASON_NONE;
}

/*
 * Sealing overwrites the clear packet, so what is to be reported of it is kept aside. A worker has
 * room for one.
 */
static void take_sample(struct batch *b, struct job *job)
{
	job->sample = (struct ipsp_span) { NULL, 0 };
	if (!ipsp_passed_wanted(b->worker, b->sa, b->now_s) || b->has_sample)
		return;
	const struct ipsp_span clear = ipsp_passed_octets(b->sa, job->packet->data, &job->flow);

	memcpy(b->worker->sample, clear.data, clear.len);
	job->sample = (struct ipsp_span) { b->worker->sample, clear.len };
	b->has_sample = true;
}

static void protect(struct batch *b, struct ipsp_packet *packet, const struct ipsp_spd_rule *rule,
		    const struct ipsp_outcome *outcome, const struct ipsp_flow *flow)
{
	const struct ipsp_sa *sa = ipsp_sad_find(b->worker->engine->sad, outcome->sa_id);
	enum ipsp_reason reason;

	if (!sa || sa->dir != IPSP_OUTBOUND) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA);
		ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, rule, outcome, flow, b->now_s);
		return;
	}
	if (sa != b->sa || b->n == IPSP_BATCH)
		batch_flush(b);
	packet->sa = sa;
	b->sa = sa;
	struct job *job = &b->jobs[b->n];

	job->packet = packet;
	job->rule = rule;
	job->flow = *flow;
	if (rule->n_steps > 0)
		job->outcome = *outcome;
	reason = prepare(b, sa, job);
	if (reason != IPSP_REASON_NONE) {
		job_drop(b, job, reason);
		return;
	}
	take_sample(b, job);
	b->n++;
	if (ipsp_sa_near_end(sa))
		batch_flush(b);
}

static void by_rule(struct batch *b, struct ipsp_packet *packet, const struct ipsp_spd_rule *rule,
		    const struct ipsp_flow *flow)
{
	struct ipsp_outcome outcome;

	ipsp_rule_decide(b->worker, IPSP_OUTBOUND, rule, b->now_s, &outcome);
	packet->entry_id = rule->id;
	switch (outcome.action) {
	case IPSP_PROTECT:
		protect(b, packet, rule, &outcome, flow);
		return;
	case IPSP_BYPASS:
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		break;
	default:
		done(b->worker, packet, IPSP_VERDICT_DROP, ipsp_outcome_reason(&outcome));
		break;
	}
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, rule, &outcome, flow, b->now_s);
}

static void classify(struct batch *b, const struct ipsp_spd *spd, struct ipsp_packet *packet)
{
	const struct ipsp_span span = { packet->data, packet->len };
	struct ipsp_spd_match match;
	struct ipsp_flow flow;
	enum ipsp_reason reason;

	packet->entry_id = 0;
	packet->sa = NULL;
	if (!spd) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
		return;
	}
	if (!ipsp_spd_has_policy(spd, packet->ifindex, IPSP_OUTBOUND)) {
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		return;
	}
	reason = ipsp_packet_valid(packet) ? ipsp_flow_parse(span, &flow) : IPSP_REASON_NO_ROOM;
	if (reason != IPSP_REASON_NONE) {
		done(b->worker, packet, IPSP_VERDICT_DROP, reason);
		return;
	}
	match = ipsp_packet_match(b->worker, spd, IPSP_OUTBOUND, packet, &flow, 0);
	if (match.result == IPSP_SPD_RULE)
		by_rule(b, packet, match.rule, &flow);
	else
		ipsp_packet_unruled(b->worker, IPSP_OUTBOUND, packet, &flow, &match);
}

void ipsp_engine_outbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			  uint64_t now_s)
{
	const struct ipsp_spd *spd = ipsp_worker_enter(worker);
	struct batch b;

	b.worker = worker;
	b.now_s = now_s;
	b.sa = NULL;
	batch_empty(&b);
	for (size_t i = 0; i < n; i++)
		classify(&b, spd, &packets[i]);
	batch_flush(&b);
	ipsp_worker_leave(worker);
}
