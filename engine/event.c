/*
 * engine/event.c - outcomes: counted always, reported when policy or RFC ask for it, at a rate.
 */
#include "engine/esp.h"
#include "engine/neighbour.h"

#define EVENTS_PER_S 20u

/* is_first: nothing of its kind from this entry in this second, so that it is not kept unseen by others */
static bool limiter_allows(const struct ipsp_engine *engine, struct ipsp_limiter *l,
			   bool is_first, uint64_t now_s)
{
	uint32_t most = engine->config.events_per_s ? engine->config.events_per_s : EVENTS_PER_S;

	if (is_first)
		most *= 2;
	if (l->second != now_s) {
		l->second = now_s;
		l->used = 0;
	}
	if (l->used >= most) {
		l->suppressed++;
		return false;
	}
	l->used++;
	return true;
}

static uint64_t sa_id_of(const struct ipsp_packet *packet)
{
	return packet->sa ? packet->sa->id : 0;
}

void ipsp_packet_done(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
		      enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	packet->verdict = (uint8_t)verdict;
	packet->reason = (uint8_t)reason;
	ipsp_count_own(&worker->verdicts[dir - 1][verdict], packet->pieces);
	if (reason != IPSP_REASON_NONE)
		ipsp_count_own(&worker->reasons[dir - 1][reason], 1);
}

void ipsp_packet_unruled(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
			 const struct ipsp_flow *flow, const struct ipsp_spd_match *match)
{
	switch (match->result) {
	case IPSP_SPD_NO_POLICY:
		ipsp_packet_done(worker, dir, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		break;
	case IPSP_SPD_FRAGMENT:
		packet->entry_id = match->rule->id;
		ipsp_packet_done(worker, dir, packet, IPSP_VERDICT_DROP,
				 IPSP_REASON_POLICY_FRAGMENT);
		break;
	default:
		if ((packet->flags & IPSP_PKT_PASSING) && ipsp_is_neighbour_discovery(packet, flow)) {
			ipsp_packet_done(worker, dir, packet, IPSP_VERDICT_BYPASS,
					 IPSP_REASON_NONE);
			break;
		}
		ipsp_packet_done(worker, dir, packet, IPSP_VERDICT_DROP,
				 IPSP_REASON_POLICY_DEFAULT);
		ipsp_hit(worker, match->end, 1, flow->total_len);
		break;
	}
}

static void report(struct ipsp_worker *worker, enum ipsp_dir dir, const struct ipsp_packet *packet,
		   const struct ipsp_spd_rule *rule, uint64_t action_id,
		   const struct ipsp_flow *flow, uint64_t now_s)
{
	const struct ipsp_engine_events *events = &worker->engine->config.events;

	/* Kept is one more than the second, which may be 0. */
	const bool is_first = atomic_load_explicit(&rule->hits->logged_s, memory_order_relaxed) !=
			      now_s + 1;

	if (!events->log || !limiter_allows(worker->engine, &worker->log, is_first, now_s))
		return;
	atomic_store_explicit(&rule->hits->logged_s, now_s + 1, memory_order_relaxed);
	const struct ipsp_log_event event = {
		.entry_id = rule->id,
		.action_id = action_id,
		.dir = (uint8_t)dir,
		.verdict = packet->verdict,
		.reason = packet->reason,
		.ifindex = packet->ifindex,
		.len = flow->total_len,
		.flow = flow,
		.sa_id = sa_id_of(packet),
		.suppressed = worker->log.suppressed,
	};

	worker->log.suppressed = 0;
	events->log(events->ctx, &event);
}

void ipsp_rule_hit(struct ipsp_worker *worker, enum ipsp_dir dir, const struct ipsp_packet *packet,
		   const struct ipsp_spd_rule *rule, const struct ipsp_outcome *outcome,
		   const struct ipsp_flow *flow, uint32_t clear_len, uint64_t now_s)
{
	ipsp_hit(worker, rule->hits, packet->pieces, clear_len);
	if (!rule->log)
		return;
	if (rule->n_steps == 0)
		report(worker, dir, packet, rule, rule->action_id, flow, now_s);
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		if (rule->steps[i].log && ipsp_step_ran(outcome, i))
			report(worker, dir, packet, rule, rule->steps[i].action_id, flow, now_s);
	}
}

bool ipsp_passed_wanted(struct ipsp_worker *worker, const struct ipsp_sa *sa, uint64_t now_s)
{
	/* When a packet was last reported is the part of an SA that packets do change. */
	struct ipsp_sa *s = (struct ipsp_sa *)(uintptr_t)sa;

	if (!worker->engine->config.events.passed ||
	    atomic_load_explicit(&sa->packet_log, memory_order_relaxed) == 0)
		return false;
	/* now_s may be 0 at the boot of a machine: what is kept is one more. */
	if (atomic_load_explicit(&s->packet_log_s, memory_order_relaxed) == now_s + 1) {
		worker->passed.suppressed++;
		return false;
	}
	if (!limiter_allows(worker->engine, &worker->passed, false, now_s))
		return false;
	atomic_store_explicit(&s->packet_log_s, now_s + 1, memory_order_relaxed);
	return true;
}

struct ipsp_span ipsp_passed_octets(const struct ipsp_sa *sa, const uint8_t *packet,
				    const struct ipsp_flow *flow)
{
	const uint32_t log = atomic_load_explicit(&sa->packet_log, memory_order_relaxed);
	uint32_t len = log > 0 ? log - 1 : 0;

	if (len > flow->total_len)
		len = flow->total_len;
	return (struct ipsp_span) { packet, len < IPSP_PASSED_OCTETS_MAX ? len :
							IPSP_PASSED_OCTETS_MAX };
}

void ipsp_passed(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		 const struct ipsp_flow *flow, struct ipsp_span octets)
{
	const struct ipsp_engine_events *events = &worker->engine->config.events;
	const struct ipsp_passed_event event = {
		.sa = packet->sa,
		.entry_id = packet->entry_id,
		.ifindex = packet->ifindex,
		.flow = flow,
		.octets = octets,
		.suppressed = worker->passed.suppressed,
	};

	worker->passed.suppressed = 0;
	events->passed(events->ctx, &event);
}

void ipsp_audit(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		const struct ipsp_flow *flow, uint32_t spi, uint32_t seq, uint64_t now_s)
{
	const struct ipsp_engine_events *events = &worker->engine->config.events;

	if (!events->audit || !limiter_allows(worker->engine, &worker->audit, false, now_s))
		return;
	const struct ipsp_audit_event event = {
		.reason = packet->reason,
		.proto = packet->sa ? packet->sa->proto :
			 flow->proto == IPSP_PROTO_AH ? IPSP_PROTO_AH : IPSP_PROTO_ESP,
		.ifindex = packet->ifindex,
		.spi = spi,
		.seq = seq,
		.src = flow->src,
		.dst = flow->dst,
		.sa_id = sa_id_of(packet),
		.suppressed = worker->audit.suppressed,
	};

	worker->audit.suppressed = 0;
	events->audit(events->ctx, &event);
}

void ipsp_moved(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		const struct ipsp_flow *outer, const struct ipsp_sa *follows, uint64_t now_s)
{
	const struct ipsp_engine_events *events = &worker->engine->config.events;
	const struct ipsp_moved_event event = { .sa = sa, .outer = outer, .follows = follows };

	if (events->moved && limiter_allows(worker->engine, &worker->moved, false, now_s))
		events->moved(events->ctx, &event);
}

void ipsp_dummy_came(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		     const struct ipsp_flow *flow, uint64_t now_s)
{
	const struct ipsp_engine_events *events = &worker->engine->config.events;
	const struct ipsp_sa *sa = packet->sa;
	const uint8_t *text = packet->data + flow->l4_offset + IPSP_ESP_HEADER + sa->shape.iv_len;
	const uint8_t *trailer = packet->data + flow->total_len - sa->shape.icv_len -
				 IPSP_ESP_TRAILER;
	const struct ipsp_dummy_event event = {
		.sa = sa, .octets = { text, (size_t)(trailer - text) - trailer[0] },
	};

	if (events->dummy && limiter_allows(worker->engine, &worker->dummies, false, now_s))
		events->dummy(events->ctx, &event);
}

void ipsp_sa_count_drop(const struct ipsp_sa *sa, enum ipsp_reason reason)
{
	/* Counters are the part of an SA that packets do change. */
	struct ipsp_sa *s = (struct ipsp_sa *)(uintptr_t)sa;

	switch (reason) {
	case IPSP_REASON_DUMMY:
		ipsp_count(&s->dummies, 1);
		break;
	case IPSP_REASON_ICV:
	case IPSP_REASON_AH_ICV:
		ipsp_count(&s->drops_icv, 1);
		break;
	case IPSP_REASON_REPLAY:
	case IPSP_REASON_REPLAY_OLD:
		ipsp_count(&s->drops_replay, 1);
		break;
	default:
		ipsp_count(&s->drops_other, 1);
		break;
	}
}

void ipsp_sa_count_use(const struct ipsp_sa *sa, uint64_t packets, uint64_t bytes, uint64_t now_s)
{
	struct ipsp_sa *s = (struct ipsp_sa *)(uintptr_t)sa;

	ipsp_count(&s->counter->packets, packets);
	ipsp_count(&s->counter->bytes, bytes);
	if (atomic_load_explicit(&s->last_used_s, memory_order_relaxed) != now_s)
		atomic_store_explicit(&s->last_used_s, now_s, memory_order_relaxed);
	ipsp_sa_note_use(s, now_s);
}
