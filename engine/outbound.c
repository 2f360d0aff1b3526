/*
 * engine/outbound.c - clear packets on their way out. RFC 4301 5.1; RFC 4303 3.3.
 *
 * Packets of one SA are gathered, so that they take their numbers in one step, their IVs in one
 * call, and go to the crypto provider together. A number is taken only when nothing but the crypto
 * can still refuse the packet. A large segment is one job that gives many ESP packets.
 */
#include <string.h>

#include "engine/acquire.h"
#include "engine/bundle.h"
#include "engine/errors.h"
#include "engine/header.h"
#include "engine/large.h"
#include "engine/nat.h"
#include "engine/neighbour.h"
#include "engine/pmtu.h"
#include "engine/stream.h"
#include "engine/tunnel.h"

struct job {
	struct ipsp_packet *packet;
	const struct ipsp_spd_rule *rule;
	const struct ipsp_flow *flow;	/* one of the batch's */
	struct ipsp_esp_plan plan;	/* of the packet, or of each segment but the last */
	uint32_t pieces;		/* ESP packets it gives */
	uint32_t text_len;		/* of all of them */
	uint32_t clear_len;		/* likewise, before */
	uint32_t tell_mtu;		/* PATH_MTU: what its sender is told would fit */
	bool failed;			/* the crypto did */
	struct ipsp_span sample;	/* of the worker's; data NULL: the packet is not reported */
	struct ipsp_large large;	/* if there are several pieces */
	struct ipsp_outcome outcome;	/* of a rule with steps */
};

struct batch {
	struct ipsp_worker *worker;
	const struct ipsp_spd *spd;
	uint64_t now_s;
	const struct ipsp_sa *sa;
	uint32_t n;
	uint32_t pieces;	/* of all jobs */
	uint64_t text_len;	/* likewise */
	uint64_t used_pieces, used_len;	/* what the SA carried of it */
	bool has_sample;	/* one of the jobs has */
	bool is_fixed;		/* the match of the packet that is looked at: struct ipsp_spd_match */
	uint32_t n_flows;
	struct ipsp_flow flows[IPSP_BATCH];	/* of the packets that are looked at together */
	struct job jobs[IPSP_BATCH];
	/* What goes to the provider at once. More pieces go one batch after the other. */
	uint32_t n_ops;
	bool has_ivs, ivs_used;
	struct ipsp_crypto_op ops[IPSP_BATCH];
	struct job *job_of[IPSP_BATCH];
	uint8_t ivs[IPSP_BATCH][IPSP_IV_MAX];
	struct ipsp_nest_cache nest;
};

static void done(struct ipsp_worker *worker, struct ipsp_packet *packet,
		 enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	ipsp_packet_done(worker, IPSP_OUTBOUND, packet, verdict, reason);
}

static void job_drop(struct batch *b, const struct job *job, enum ipsp_reason reason)
{
	if (reason == IPSP_REASON_PATH_MTU || reason == IPSP_REASON_TTL)
		ipsp_drop_telling(b->worker, IPSP_OUTBOUND, job->packet, job->flow, reason,
				  reason == IPSP_REASON_TTL ? IPSP_ICMP_TIME_EXCEEDED :
							      IPSP_ICMP_TOO_BIG,
				  job->tell_mtu, b->now_s);
	else
		done(b->worker, job->packet, IPSP_VERDICT_DROP, reason);
	ipsp_sa_count_drop(b->sa, reason);
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, job->packet, job->rule, &job->outcome, job->flow,
		      job->flow->total_len, b->now_s);
	if (reason == IPSP_REASON_SEQ_EXHAUSTED)
		ipsp_audit(b->worker, job->packet, job->flow, b->sa->spi, 0, b->now_s);
}

/* Numbers for as many jobs as there are; the others are dropped. @return how many have theirs */
static uint32_t take_numbers(struct batch *b, uint64_t *first)
{
	uint64_t ceiling = atomic_load_explicit(&b->sa->seq_ceiling, memory_order_relaxed);
	enum ipsp_seq_limit limit;
	uint32_t left = ipsp_counter_take(b->sa->counter, b->pieces, b->sa->seq_floor, ceiling,
					  ipsp_sa_counts_64(b->sa), first, &limit);
	uint32_t n = 0;

	while (n < b->n && b->jobs[n].pieces <= left)
		left -= b->jobs[n++].pieces;
	for (uint32_t i = n; i < b->n; i++)
		job_drop(b, &b->jobs[i], limit == IPSP_SEQ_END ? IPSP_REASON_SEQ_EXHAUSTED :
								  IPSP_REASON_SEQ_RESERVATION);
	return n;
}

/* For as many packets as the provider gets at once. */
static void make_ivs(struct batch *b)
{
	const struct ipsp_platform *p = b->worker->engine->config.platform;
	const uint32_t n = b->pieces < IPSP_BATCH ? b->pieces : IPSP_BATCH;

	b->ivs_used = false;
	b->has_ivs = b->sa->shape.iv_len == 0 || b->sa->shape.iv_is_counter ||
		     p->random(p->ctx, b->ivs[0], (size_t)n * IPSP_IV_MAX) == IPSP_OK;
}

static void seal(struct batch *b)
{
	b->worker->engine->config.platform->crypto->seal(b->sa->crypto, b->worker->thread, b->ops,
							 b->n_ops);
	for (uint32_t i = 0; i < b->n_ops; i++)
		b->job_of[i]->failed |= b->ops[i].err != IPSP_OK;
	b->n_ops = 0;
	b->ivs_used = true;
}

/* Lays out the packets of a job, numbered from seq, and seals whenever there are enough. */
static void job_layout(struct batch *b, struct job *job, uint64_t seq)
{
	for (uint32_t i = 0; i < job->pieces; i++) {
		const uint32_t at = b->n_ops;

		if (b->ivs_used)
			make_ivs(b);
		job->failed |= !b->has_ivs;
		b->job_of[at] = job;
		if (job->pieces == 1)
			ipsp_esp_layout(b->worker, b->sa, job->flow, &job->plan, seq, b->ivs[at],
					job->packet, &b->ops[at]);
		else
			ipsp_large_layout(b->worker, b->sa, job->flow, &job->plan, &job->large,
					  seq + i, b->ivs[at], &b->ops[at]);
		if (++b->n_ops == IPSP_BATCH)
			seal(b);
	}
}

static void job_finish(struct batch *b, struct job *job)
{
	struct ipsp_packet *packet = job->packet;

	if (job->failed) {
		job_drop(b, job, IPSP_REASON_CRYPTO);
		return;
	}
	packet->pieces = (uint16_t)job->pieces;
	packet->piece_len = job->plan.total_len;
	if (job->pieces > 1) {
		packet->len = job->large.total_len;
		packet->data = job->large.next - packet->len;
	}
	ipsp_nat_finish(b->sa, packet);
	b->used_pieces += job->pieces;
	b->used_len += job->text_len;
	done(b->worker, packet, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, job->rule, &job->outcome, job->flow,
		      job->clear_len, b->now_s);
	if (job->sample.data)
		ipsp_passed(b->worker, packet, job->flow, job->sample);
}

static void batch_empty(struct batch *b)
{
	b->n = 0;
	b->pieces = 0;
	b->text_len = 0;
	b->used_pieces = 0;
	b->used_len = 0;
	b->has_sample = false;
}

static void batch_flush(struct batch *b)
{
	uint64_t seq = 0;
	uint32_t n = 0;

	if (b->n == 0)
		return;
	make_ivs(b);
	if (b->has_ivs)
		n = take_numbers(b, &seq);
	for (uint32_t i = 0; !b->has_ivs && i < b->n; i++)
		job_drop(b, &b->jobs[i], IPSP_REASON_CRYPTO);
	for (uint32_t i = 0; i < n; i++) {
		job_layout(b, &b->jobs[i], seq);
		seq += b->jobs[i].pieces;
	}
	if (b->n_ops > 0)
		seal(b);
	for (uint32_t i = 0; i < n; i++)
		job_finish(b, &b->jobs[i]);
	if (b->used_pieces > 0)
		ipsp_sa_count_use(b->sa, b->used_pieces, b->used_len, b->now_s);
	batch_empty(b);
}

/* RFC 4303 2.7: packets are not made longer than what the path takes. */
static uint32_t tfc_most(const struct batch *b, const struct ipsp_sa *sa,
			 const struct ipsp_flow *flow)
{
	return sa->tfc_pad == 0 ? UINT32_MAX :
				  ipsp_path_mtu_of(b->worker->engine, sa, flow, b->now_s);
}

/* How all of its pieces go through the SA, and whether the arena has room for them. */
static enum ipsp_reason plan_pieces(struct batch *b, const struct ipsp_sa *sa, struct job *job)
{
	const struct ipsp_arena *arena = &b->worker->arena;
	enum ipsp_reason reason;

	reason = ipsp_large_plan(b->worker->engine->config.platform, sa, job->packet, job->flow,
				 tfc_most(b, sa, job->flow), &job->large, &job->plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	job->pieces = job->large.pieces;
	job->text_len = job->large.text_len;
	job->clear_len = job->large.clear_len;
	return job->large.total_len <= arena->size - arena->used ? IPSP_REASON_NONE :
								   IPSP_REASON_NO_ROOM;
}

/*
 * How the packet, or each of its segments, goes through the SA.
 * @return NONE; those of ipsp_esp_plan; NO_ROOM: in the packet's buffer, or in the arena; SEGMENTS
 */
static enum ipsp_reason plan(struct batch *b, const struct ipsp_sa *sa, struct job *job)
{
	const struct ipsp_platform *platform = b->worker->engine->config.platform;
	struct ipsp_packet *packet = job->packet;
	enum ipsp_reason reason = IPSP_REASON_NONE;

	job->pieces = 1;
	if (packet->segment_size > 0) {
		reason = ipsp_large_begin(packet, job->flow, &job->large);
		job->pieces = job->large.pieces;
	}
	if (reason != IPSP_REASON_NONE)
		return reason;
	if (job->pieces == 1) {
		reason = ipsp_esp_plan(platform, sa, packet->data, job->flow,
				       tfc_most(b, sa, job->flow), &job->plan);
		job->text_len = job->plan.text_len;
		job->clear_len = job->flow->total_len;
		return reason != IPSP_REASON_NONE ||
		       ipsp_esp_fits(sa, packet, job->flow, &job->plan) ?
			       reason : IPSP_REASON_NO_ROOM;
	}
	return plan_pieces(b, sa, job);
}

/*
 * What the path to the SA's peer asks of the packet, or of each of its segments: RFC 4301 8.
 * @return NONE; PATH_MTU: its sender is to be told; those of plan_pieces
 */
static enum ipsp_reason fit_path(struct batch *b, const struct ipsp_sa *sa, struct job *job)
{
	const struct ipsp_addr *dst = sa->mode == IPSP_MODE_TUNNEL ? &job->plan.dst :
								     &job->flow->dst;
	const uint32_t mtu = ipsp_path_mtu(b->worker->engine, sa, dst, b->now_s);
	struct ipsp_flow piece = *job->flow;
	uint32_t inner;

	job->packet->path_mtu = mtu == UINT32_MAX ? 0 : mtu;
	if (job->plan.total_len <= mtu)
		return IPSP_REASON_NONE;
	if (job->pieces > 1)
		piece.total_len = job->large.headers_len + job->large.data_len;
	inner = ipsp_path_inner(sa, dst->family, job->plan.headers_len, mtu);
	job->tell_mtu = inner;
	switch (ipsp_path_judge(sa, &piece, job->plan.total_len, mtu)) {
	case IPSP_PATH_CUT_INNER:
		if (job->pieces > 1 ||
		    !ipsp_large_fragment(job->packet, job->flow, inner, 0, &job->large))
			return IPSP_REASON_PATH_MTU;
		return plan_pieces(b, sa, job);
	case IPSP_PATH_TELL:
		return IPSP_REASON_PATH_MTU;
	default:
		return IPSP_REASON_NONE;
	}
}

/* Everything that may refuse the packet; then its clear form is final. */
static enum ipsp_reason prepare(struct batch *b, const struct ipsp_sa *sa, struct job *job)
{
	struct ipsp_packet *packet = job->packet;
	struct ipsp_arena *arena = &b->worker->arena;
	enum ipsp_reason reason = ipsp_sa_usable(sa, b->now_s);

	if (reason == IPSP_REASON_NONE)
		reason = plan(b, sa, job);
	if (reason == IPSP_REASON_NONE)
		reason = fit_path(b, sa, job);
	if (reason != IPSP_REASON_NONE)
		return reason;
	if (sa->tfc_random && job->pieces == 1) {
		ipsp_esp_pad_at_random(b->worker->engine->config.platform, sa, packet, job->flow,
				       packet->path_mtu ? packet->path_mtu : UINT32_MAX, &job->plan);
		job->text_len = job->plan.text_len;
	}
	/* Segments get theirs as they are cut. */
	if ((job->pieces == 1 || job->large.is_frag) && (packet->flags & IPSP_PKT_CSUM_PARTIAL) &&
	    !ipsp_packet_finish_checksum(packet, job->flow))
		return IPSP_REASON_CHECKSUM;
	if ((packet->flags & IPSP_PKT_DECREMENT_TTL) && sa->mode == IPSP_MODE_TUNNEL &&
	    !ipsp_ttl_decrement(packet->data, job->flow->family))
		return IPSP_REASON_TTL;
	if (job->pieces > 1) {
		job->large.next = arena->octets + arena->used;
		arena->used += job->large.total_len;
	}
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
	const struct ipsp_span clear = ipsp_passed_octets(b->sa, job->packet->data, job->flow);

	memcpy(b->worker->sample, clear.data, clear.len);
	job->sample = (struct ipsp_span) { b->worker->sample, clear.len };
	b->has_sample = true;
}

/* The packet must wait for the next call: what stands in the arena is sent first. */
static bool arena_is_full(const struct batch *b, const struct job *job, enum ipsp_reason reason)
{
	return reason == IPSP_REASON_NO_ROOM && job->pieces > 1 && b->worker->arena.used > 0;
}

/* In the clear, if its link takes it: RFC 1812 4.2.2.7, RFC 8200 5. */
static void bypass(struct batch *b, struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	packet->path_mtu = packet->link_mtu;
	if (packet->link_mtu == 0 || flow->total_len <= packet->link_mtu ||
	    packet->segment_size > 0 || (flow->family == 4 && !flow->df))
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
	else
		ipsp_drop_telling(b->worker, IPSP_OUTBOUND, packet, flow, IPSP_REASON_PATH_MTU,
				  IPSP_ICMP_TOO_BIG, packet->link_mtu, b->now_s);
}

/* @return false: it must wait */
static bool protect(struct batch *b, struct ipsp_packet *packet, const struct ipsp_spd_rule *rule,
		    const struct ipsp_outcome *outcome, const struct ipsp_flow *flow)
{
	struct ipsp_bundle bundle;
	const struct ipsp_sa *sa;
	enum ipsp_reason reason;

	if (!ipsp_bundle_of(b->worker->engine->sad, rule, outcome, flow, b->now_s, &bundle)) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA);
		ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, rule, outcome, flow,
			      flow->total_len, b->now_s);
		return true;
	}
	sa = bundle.sas[0];
	if (bundle.n > 1 || sa->proto != IPSP_PROTO_ESP ||
	    ipsp_nest_possible(b->worker, b->spd, packet, flow, sa, &b->nest)) {
		const struct ipsp_bundle_job job = {
			.worker = b->worker, .spd = b->spd, .now_s = b->now_s, .packet = packet,
			.flow = flow, .rule = rule, .outcome = outcome, .bundle = &bundle,
		};

		batch_flush(b);
		return ipsp_bundle_outbound(&job);
	}
	if (sa != b->sa || b->n == IPSP_BATCH)
		batch_flush(b);
	packet->sa = sa;
	b->sa = sa;
	struct job *job = &b->jobs[b->n];

	job->packet = packet;
	job->rule = rule;
	job->flow = flow;
	job->failed = false;
	if (rule->n_steps > 0)
		job->outcome = *outcome;
	reason = prepare(b, sa, job);
	if (arena_is_full(b, job, reason)) {
		packet->entry_id = 0;
		packet->sa = NULL;
		return false;
	}
	if (reason != IPSP_REASON_NONE) {
		job_drop(b, job, reason);
		return true;
	}
	take_sample(b, job);
	if (b->is_fixed && !outcome->asks && job->pieces == 1)
		ipsp_stream_note_out(b->worker, packet, flow, rule, sa, &job->plan);
	b->n++;
	b->pieces += job->pieces;
	b->text_len += job->text_len;
	if (ipsp_sa_near_end(sa, b->pieces, b->text_len))
		batch_flush(b);
	return true;
}

/* Its SAs are to be negotiated first. It is no hit yet: it comes again. */
static void hold(struct batch *b, struct ipsp_packet *packet, const struct ipsp_spd_rule *rule,
		 const struct ipsp_outcome *outcome, const struct ipsp_flow *flow)
{
	enum ipsp_reason reason = ipsp_need_ask(b->worker, rule, packet, flow, b->now_s,
						&packet->acquire_id);

	if (reason == IPSP_REASON_NONE) {
		done(b->worker, packet, IPSP_VERDICT_HOLD, IPSP_REASON_NONE);
		return;
	}
	done(b->worker, packet, IPSP_VERDICT_DROP, reason);
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, rule, outcome, flow, flow->total_len,
		      b->now_s);
}

static bool by_rule(struct batch *b, struct ipsp_packet *packet, const struct ipsp_spd_rule *rule,
		    const struct ipsp_flow *flow)
{
	struct ipsp_outcome outcome;

	ipsp_rule_decide(b->worker, IPSP_OUTBOUND, rule, flow, b->now_s, &outcome);
	packet->entry_id = rule->id;
	if (outcome.waits && outcome.action == IPSP_PROTECT) {
		hold(b, packet, rule, &outcome, flow);
		return true;
	}
	/* SAs that are wanted, but not needed. */
	if (outcome.asks)
		(void)ipsp_need_ask(b->worker, rule, packet, flow, b->now_s, &packet->acquire_id);
	switch (outcome.action) {
	case IPSP_PROTECT:
		return protect(b, packet, rule, &outcome, flow);
	case IPSP_BYPASS:
		bypass(b, packet, flow);
		break;
	default:
		done(b->worker, packet, IPSP_VERDICT_DROP, ipsp_outcome_reason(&outcome));
		break;
	}
	ipsp_rule_hit(b->worker, IPSP_OUTBOUND, packet, rule, &outcome, flow, flow->total_len,
		      b->now_s);
	return true;
}

/* RFC 4301 6.2: an error that nothing carries goes as what would answer the packet it is about. */
static struct ipsp_spd_match by_quote(struct batch *b, const struct ipsp_spd *spd,
				      const struct ipsp_packet *packet,
				      const struct ipsp_flow *flow,
				      const struct ipsp_spd_match *own)
{
	if (own->result == IPSP_SPD_RULE && own->rule->action != IPSP_DISCARD)
		return *own;
	return ipsp_match_by_quote(b->worker, spd, IPSP_OUTBOUND, packet, flow, own);
}

static enum ipsp_reason read_header(const struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	const struct ipsp_span span = { packet->data, packet->len };

	return ipsp_packet_valid(packet) ? ipsp_flow_parse(span, flow) : IPSP_REASON_NO_ROOM;
}

/* @return false: it must wait for the next call */
static bool classify(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	enum ipsp_reason reason = read_header(packet, flow);
	struct ipsp_spd_match match;

	packet->entry_id = 0;
	packet->acquire_id = 0;
	packet->path_mtu = 0;
	packet->pieces = 1;
	packet->sa = NULL;
	if (!b->spd) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
		return true;
	}
	if ((reason != IPSP_REASON_NONE || flow->frag != IPSP_FRAG_NONE) &&
	    !ipsp_spd_has_policy(b->spd, packet->ifindex, IPSP_OUTBOUND)) {
		if (reason == IPSP_REASON_NONE)
			bypass(b, packet, flow);
		else
			done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		return true;
	}
	if (reason != IPSP_REASON_NONE) {
		done(b->worker, packet, IPSP_VERDICT_DROP, reason);
		return true;
	}
	match = ipsp_match(b->worker, b->spd, IPSP_OUTBOUND, packet, flow, 0, b->now_s, &reason);
	if (reason != IPSP_REASON_NONE) {
		done(b->worker, packet, IPSP_VERDICT_DROP, reason);
		return true;
	}
	b->is_fixed = match.fixed;
	if (match.result != IPSP_SPD_NO_POLICY && ipsp_flow_is_icmp(flow)) {
		const struct ipsp_spd_rule *const own = match.rule;

		match = ipsp_neighbour_match(b->worker, b->spd, IPSP_OUTBOUND, packet, flow, &match);
		match = by_quote(b, b->spd, packet, flow, &match);
		b->is_fixed = b->is_fixed && match.rule == own;
	}
	if (match.result == IPSP_SPD_RULE)
		return by_rule(b, packet, match.rule, flow);
	if (match.result == IPSP_SPD_NO_POLICY)
		bypass(b, packet, flow);
	else
		ipsp_packet_unruled(b->worker, IPSP_OUTBOUND, packet, flow, &match);
	return true;
}

/* Those of a stream, if the first one is of one: they go behind what waits. @return how many went */
static uint32_t stream(struct batch *b, struct ipsp_packet *packets, size_t n)
{
	if (!b->spd || !ipsp_stream_has_out(b->worker, &packets[0]))
		return 0;
	batch_flush(b);
	b->n_flows = 0;
	return ipsp_stream_outbound(b->worker, packets, n, b->now_s);
}

/* @return false: it must wait for the next call */
static bool ordinary(struct batch *b, struct ipsp_packet *packet)
{
	/* Jobs point to them. */
	if (b->n_flows == IPSP_BATCH) {
		batch_flush(b);
		b->n_flows = 0;
	}
	return classify(b, packet, &b->flows[b->n_flows++]);
}

size_t ipsp_engine_outbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			    uint64_t now_s)
{
	struct batch b;
	size_t at = 0;

	worker->arena.used = 0;
	b.worker = worker;
	b.spd = ipsp_worker_enter(worker);
	b.now_s = now_s;
	b.nest.sa = NULL;
	b.sa = NULL;
	b.n_flows = 0;
	b.n_ops = 0;
	batch_empty(&b);
	ipsp_prefetch_first(packets, n);
	while (at < n) {
		const uint32_t went = stream(&b, packets + at, n - at);

		ipsp_prefetch_ahead(packets, at, n);
		if (went == 0 && !ordinary(&b, &packets[at]))
			break;
		at += went ? went : 1;
	}
	batch_flush(&b);
	ipsp_worker_leave(worker);
	return at;
}
