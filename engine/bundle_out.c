/*
 * engine/bundle_out.c - packets through bundles of SAs, and through nested ones: see bundle.h. RFC
 * 4301 5.1, appendix E.
 *
 * What a bundle made is looked up once more, as the packet it is now. If the first entry that matches
 * protects it by a tunnel towards another gateway than the one it goes to, it goes through that too;
 * anything else such an entry says is about packets that were not protected yet. An SA is never
 * applied twice, and IPSP_NEST_MAX bundles are the most.
 */
#include <string.h>

#include "engine/ah.h"
#include "engine/bundle.h"
#include "engine/esp.h"
#include "engine/header.h"
#include "engine/ipcomp.h"
#include "engine/large.h"
#include "engine/nat.h"
#include "engine/tunnel.h"

/* One packet on its way out. */
struct way {
	const struct ipsp_bundle_job *job;
	bool fixed_len;			/* it is a segment: its length must follow from its headers */
	bool counts_nested;		/* entries around it count it: the first of its segments */
	uint32_t n_applied;
	uint64_t applied[IPSP_NEST_MAX * IPSP_BUNDLE_MAX];	/* ids */
	const struct ipsp_sa *at;	/* that refused */
};

static enum ipsp_reason take_number(const struct ipsp_sa *sa, uint64_t *seq)
{
	uint64_t ceiling = atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed);
	enum ipsp_seq_limit limit;

	if (ipsp_counter_take(sa->counter, 1, sa->seq_floor, ceiling, ipsp_sa_counts_64(sa),
			      seq, &limit) == 1)
		return IPSP_REASON_NONE;
	return limit == IPSP_SEQ_END ? IPSP_REASON_SEQ_EXHAUSTED : IPSP_REASON_SEQ_RESERVATION;
}

static bool make_iv(const struct ipsp_platform *p, const struct ipsp_sa *sa,
		    uint8_t iv[IPSP_IV_MAX])
{
	return sa->shape.iv_len == 0 || sa->shape.iv_is_counter ||
	       p->random(p->ctx, iv, IPSP_IV_MAX) == IPSP_OK;
}

enum ipsp_reason ipsp_esp_seal_one(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				   struct ipsp_packet *packet, const struct ipsp_flow *flow,
				   const struct ipsp_esp_plan *plan)
{
	const struct ipsp_platform *p = worker->engine->config.platform;
	struct ipsp_crypto_op op;
	uint8_t iv[IPSP_IV_MAX];
	enum ipsp_reason reason;
	uint64_t seq;

	if (!make_iv(p, sa, iv))
		return IPSP_REASON_CRYPTO;
	reason = take_number(sa, &seq);
	if (reason != IPSP_REASON_NONE)
		return reason;
	ipsp_esp_layout(worker, sa, flow, plan, seq, iv, packet, &op);
	p->crypto->seal(sa->crypto, worker->thread, &op, 1);
	if (op.err != IPSP_OK)
		return IPSP_REASON_CRYPTO;
	ipsp_nat_finish(sa, packet);
	return IPSP_REASON_NONE;
}

static enum ipsp_reason esp_seal(const struct way *way, const struct ipsp_sa *sa,
				 struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	struct ipsp_worker *worker = way->job->worker;
	const struct ipsp_platform *p = worker->engine->config.platform;
	struct ipsp_esp_plan plan;
	enum ipsp_reason reason = ipsp_esp_plan(p, sa, packet->data, flow, &plan);

	if (reason == IPSP_REASON_NONE && sa->tfc_random && !way->fixed_len)
		ipsp_esp_pad_at_random(p, sa, packet, flow, &plan);
	if (reason == IPSP_REASON_NONE && !ipsp_esp_fits(sa, packet, flow, &plan))
		reason = IPSP_REASON_NO_ROOM;
	if (reason == IPSP_REASON_NONE)
		reason = ipsp_esp_seal_one(worker, sa, packet, flow, &plan);
	if (reason == IPSP_REASON_NONE)
		ipsp_sa_count_use(sa, 1, plan.text_len, way->job->now_s);
	return reason;
}

static enum ipsp_reason ah_seal(const struct way *way, const struct ipsp_sa *sa,
				struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	struct ipsp_worker *worker = way->job->worker;
	const struct ipsp_platform *p = worker->engine->config.platform;
	struct ipsp_auth_op op;
	struct ipsp_ah_work work;
	struct ipsp_ah_plan plan;
	uint8_t iv[IPSP_IV_MAX];
	uint64_t seq = 0;
	enum ipsp_reason reason = ipsp_ah_plan(p, sa, packet->data, flow, &plan);

	if (reason == IPSP_REASON_NONE && plan.grow > (size_t)(packet->data - packet->room))
		reason = IPSP_REASON_NO_ROOM;
	if (reason == IPSP_REASON_NONE && !make_iv(p, sa, iv))
		reason = IPSP_REASON_CRYPTO;
	if (reason == IPSP_REASON_NONE)
		reason = take_number(sa, &seq);
	if (reason == IPSP_REASON_NONE)
		reason = ipsp_ah_layout(worker, sa, flow, &plan, seq, iv, packet, &work,
					&op);
	if (reason != IPSP_REASON_NONE)
		return reason;
	p->crypto->auth(sa->crypto, worker->thread, &op, 1);
	if (op.err != IPSP_OK)
		return IPSP_REASON_CRYPTO;
	ipsp_sa_count_use(sa, 1, plan.total_len, way->job->now_s);
	return IPSP_REASON_NONE;
}

static enum ipsp_reason sa_seal(const struct way *way, const struct ipsp_sa *sa,
				struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	enum ipsp_reason reason;

	switch (sa->proto) {
	case IPSP_PROTO_ESP:
		return esp_seal(way, sa, packet, flow);
	case IPSP_PROTO_AH:
		return ah_seal(way, sa, packet, flow);
	default:
		reason = ipsp_ipcomp_seal(way->job->worker, sa, packet, flow, way->fixed_len);
		if (reason == IPSP_REASON_NONE)
			ipsp_sa_count_use(sa, 1, flow->total_len, way->job->now_s);
		return reason;
	}
}

/* @param flow  in: the packet's headers; out: those of what it has become */
static enum ipsp_reason bundle_seal(struct way *way, const struct ipsp_bundle *bundle,
				    struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	enum ipsp_reason reason;

	for (uint32_t i = 0; i < bundle->n; i++) {
		way->at = bundle->sas[i];
		reason = ipsp_sa_usable(way->at, way->job->now_s);
		if (reason != IPSP_REASON_NONE)
			return reason;
	}
	for (uint32_t i = 0; i < bundle->n; i++) {
		way->at = bundle->sas[i];
		reason = sa_seal(way, way->at, packet, flow);
		if (reason == IPSP_REASON_NONE)
			reason = ipsp_flow_parse((struct ipsp_span){ packet->data, packet->len },
						 flow);
		if (reason != IPSP_REASON_NONE)
			return reason;
		way->applied[way->n_applied++] = way->at->id;
	}
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_bundle_around(struct ipsp_worker *worker, const struct ipsp_sa *inner,
				    struct ipsp_packet *packet, uint64_t now_s)
{
	const struct ipsp_bundle_job job = { .worker = worker, .now_s = now_s, .packet = packet };
	const struct way way = { .job = &job };
	enum ipsp_reason reason = IPSP_REASON_NONE;
	struct ipsp_bundle bundle;
	struct ipsp_flow flow;

	if (!ipsp_bundle_find(worker->engine->sad, inner->id, IPSP_OUTBOUND, &bundle))
		return IPSP_REASON_POLICY_NO_SA;
	for (uint32_t i = 1; reason == IPSP_REASON_NONE && i < bundle.n; i++) {
		reason = ipsp_sa_usable(bundle.sas[i], now_s);
		if (reason == IPSP_REASON_NONE)
			reason = ipsp_flow_parse((struct ipsp_span){ packet->data, packet->len },
						 &flow);
		if (reason == IPSP_REASON_NONE)
			reason = sa_seal(&way, bundle.sas[i], packet, &flow);
	}
	return reason;
}

static bool was_applied(const struct way *way, const struct ipsp_bundle *bundle)
{
	for (uint32_t i = 0; i < way->n_applied; i++)
		for (uint32_t j = 0; j < bundle->n; j++)
			if (way->applied[i] == bundle->sas[j]->id)
				return true;
	return false;
}

static bool leads_elsewhere(const struct ipsp_bundle *bundle, const struct ipsp_addr *dst)
{
	const struct ipsp_sa *sa = bundle->sas[0];

	return sa->mode == IPSP_MODE_TUNNEL && sa->remote.family != 0 &&
	       ipsp_addr_cmp(&sa->remote, dst) != 0;
}

static bool template_leads_elsewhere(const struct ipsp_spd_rule *rule, const struct ipsp_addr *dst)
{
	const struct ipsp_template *t = rule->templates;

	return rule->n_templates > 0 && t->mode == IPSP_MODE_TUNNEL && t->remote.family != 0 &&
	       ipsp_addr_cmp(&t->remote, dst) != 0;
}

/*
 * The bundle that an entry puts around a packet that is protected already.
 * @param next  out: n is 0: none
 */
static enum ipsp_reason nest_find(const struct way *way, const struct ipsp_packet *packet,
				  const struct ipsp_flow *flow, struct ipsp_bundle *next)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_spd_match match = ipsp_packet_match(job->worker, job->spd, IPSP_OUTBOUND, packet,
							flow, 0);
	struct ipsp_outcome outcome;

	next->n = 0;
	if (job->packet->flags & IPSP_PKT_ONE_BUNDLE)
		return IPSP_REASON_NONE;
	if (match.result == IPSP_SPD_FRAGMENT)
		return match.rule->action == IPSP_PROTECT ? IPSP_REASON_POLICY_FRAGMENT :
							    IPSP_REASON_NONE;
	if (match.result != IPSP_SPD_RULE)
		return IPSP_REASON_NONE;
	ipsp_rule_decide(job->worker, IPSP_OUTBOUND, match.rule, flow, job->now_s, &outcome);
	if (outcome.action != IPSP_PROTECT)
		return IPSP_REASON_NONE;
	/* It is not held for SAs that are not there: its numbers would grow old. */
	if (outcome.waits)
		return template_leads_elsewhere(match.rule, &flow->dst) ? IPSP_REASON_POLICY_NO_SA :
									  IPSP_REASON_NONE;
	if (!ipsp_bundle_of(job->worker->engine->sad, match.rule, &outcome, flow, job->now_s, next))
		return IPSP_REASON_POLICY_NO_SA;
	if (was_applied(way, next) || !leads_elsewhere(next, &flow->dst)) {
		next->n = 0;
		return IPSP_REASON_NONE;
	}
	if (way->counts_nested)
		ipsp_rule_hit(job->worker, IPSP_OUTBOUND, packet, match.rule, &outcome, flow,
			      flow->total_len, job->now_s);
	return IPSP_REASON_NONE;
}

/* One packet through its bundle and all that are nested around it. */
static enum ipsp_reason go(struct way *way, struct ipsp_packet *packet,
			   const struct ipsp_flow *clear)
{
	struct ipsp_bundle bundle = *way->job->bundle;
	struct ipsp_flow flow = *clear;
	enum ipsp_reason reason;

	way->n_applied = 0;
	for (unsigned depth = 0;; depth++) {
		if (depth == IPSP_NEST_MAX)
			return IPSP_REASON_NESTING;
		reason = bundle_seal(way, &bundle, packet, &flow);
		if (reason == IPSP_REASON_NONE)
			reason = nest_find(way, packet, &flow, &bundle);
		if (reason != IPSP_REASON_NONE || bundle.n == 0)
			return reason;
	}
}

bool ipsp_packet_finish_checksum(const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	uint32_t selected = ipsp_proto_selected(flow->proto);
	uint32_t place = (uint32_t)packet->csum_start + packet->csum_offset;

	return packet->csum_start >= flow->l4_offset && place >= flow->l4_offset + selected &&
	       ipsp_checksum_finish(packet->data, flow->total_len, packet->csum_start,
				    packet->csum_offset);
}

/* Gives the clear packet its last form. */
static enum ipsp_reason prepare(const struct ipsp_bundle_job *job, bool has_segments)
{
	struct ipsp_packet *packet = job->packet;

	if (!has_segments && (packet->flags & IPSP_PKT_CSUM_PARTIAL) &&
	    !ipsp_packet_finish_checksum(packet, job->flow))
		return IPSP_REASON_CHECKSUM;
	if ((packet->flags & IPSP_PKT_DECREMENT_TTL) &&
	    job->bundle->sas[0]->mode == IPSP_MODE_TUNNEL &&
	    !ipsp_ttl_decrement(packet->data, job->flow->family))
		return IPSP_REASON_TTL;
	return IPSP_REASON_NONE;
}

/*
 * Cuts a large segment, each piece in the worker's room for plain packets, and puts what becomes of
 * it into the arena.
 */
static enum ipsp_reason go_pieces(struct way *way, struct ipsp_large *large, uint8_t *arena,
				  uint32_t *total_len)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_packet *packet = job->packet;
	struct ipsp_packet piece = *packet;
	struct ipsp_flow flow = *job->flow;
	uint8_t *room = job->worker->piece;
	enum ipsp_reason reason;

	way->fixed_len = true;
	*total_len = 0;
	for (uint32_t i = 0; i < large->pieces; i++) {
		piece.room = room;
		piece.room_len = IPSP_PIECE_ROOM;
		piece.data = room + IPSP_HEADROOM;
		flow.total_len = ipsp_segment_next(&large->cut, piece.data,
						   IPSP_PIECE_ROOM - IPSP_HEADROOM -
						   IPSP_TAILROOM);
		piece.len = flow.total_len;
		if (piece.len == 0)
			return IPSP_REASON_SEGMENTS;
		way->counts_nested = i == 0;
		reason = go(way, &piece, &flow);
		if (reason != IPSP_REASON_NONE)
			return reason;
		memcpy(arena + *total_len, piece.data, piece.len);
		if (i == 0)
			packet->piece_len = piece.len;
		*total_len += piece.len;
	}
	return IPSP_REASON_NONE;
}

/* More than the bundle and those around it add to a piece. */
static uint32_t pieces_max(const struct ipsp_large *large)
{
	return large->pieces *
	       (large->cut.payload + large->cut.size + IPSP_HEADROOM + IPSP_TAILROOM);
}

static void take_sample(const struct ipsp_bundle_job *job, struct ipsp_span *sample)
{
	const struct ipsp_sa *sa = job->bundle->sas[0];

	*sample = (struct ipsp_span){ NULL, 0 };
	if (!ipsp_passed_wanted(job->worker, sa, job->now_s))
		return;
	*sample = ipsp_passed_octets(sa, job->packet->data, job->flow);
	memcpy(job->worker->sample, sample->data, sample->len);
	sample->data = job->worker->sample;
}

static void finish(const struct way *way, uint32_t clear_len, struct ipsp_span sample,
		   enum ipsp_reason reason)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_packet *packet = job->packet;

	packet->sa = job->bundle->sas[0];
	ipsp_packet_done(job->worker, IPSP_OUTBOUND, packet,
			 reason == IPSP_REASON_NONE ? IPSP_VERDICT_ESP_OUT : IPSP_VERDICT_DROP,
			 reason);
	if (reason != IPSP_REASON_NONE)
		ipsp_sa_count_drop(way->at, reason);
	ipsp_rule_hit(job->worker, IPSP_OUTBOUND, packet, job->rule, job->outcome, job->flow,
		      clear_len, job->now_s);
	if (reason == IPSP_REASON_SEQ_EXHAUSTED)
		ipsp_audit(job->worker, packet, job->flow, way->at->spi, 0, job->now_s);
	if (reason == IPSP_REASON_NONE && sample.data)
		ipsp_passed(job->worker, packet, job->flow, sample);
}

bool ipsp_bundle_outbound(const struct ipsp_bundle_job *job)
{
	struct way way = { .job = job, .counts_nested = true, .at = job->bundle->sas[0] };
	struct ipsp_packet *packet = job->packet;
	struct ipsp_arena *arena = &job->worker->arena;
	uint32_t clear_len = job->flow->total_len;
	struct ipsp_span sample = { NULL, 0 };
	enum ipsp_reason reason = IPSP_REASON_NONE;
	struct ipsp_large large = { .pieces = 1 };
	uint32_t total_len = 0;

	if (packet->segment_size > 0)
		reason = ipsp_large_begin(packet, job->flow, &large);
	if (reason == IPSP_REASON_NONE && large.pieces > 1) {
		if (pieces_max(&large) > arena->size - arena->used && arena->used > 0)
			return false;
		if (pieces_max(&large) > arena->size - arena->used)
			reason = IPSP_REASON_NO_ROOM;
		clear_len += (large.pieces - 1) * large.cut.payload;
	}
	if (reason == IPSP_REASON_NONE)
		reason = prepare(job, large.pieces > 1);
	if (reason == IPSP_REASON_NONE)
		take_sample(job, &sample);
	if (reason == IPSP_REASON_NONE && large.pieces == 1) {
		reason = go(&way, packet, job->flow);
	} else if (reason == IPSP_REASON_NONE) {
		uint8_t *to = arena->octets + arena->used;

		reason = go_pieces(&way, &large, to, &total_len);
		if (reason == IPSP_REASON_NONE) {
			packet->pieces = (uint16_t)large.pieces;
			packet->data = to;
			packet->len = total_len;
			arena->used += total_len;
		}
	}
	finish(&way, clear_len, sample, reason);
	return true;
}

/* ---- is there anything around? ---- */

/* The selectors' side of what an SA makes of a packet. False: it will be refused in any case. */
static bool outside_flow(const struct ipsp_worker *worker, const struct ipsp_sa *sa,
			 const struct ipsp_flow *flow, struct ipsp_flow *out)
{
	*out = *flow;
	out->proto = ipsp_nat_proto(sa);
	out->proto_known = out->ports_known = true;
	out->sport = ipsp_sa_in_udp(sa) ? sa->encap.sport : IPSP_PORT_NONE;
	out->dport = ipsp_sa_in_udp(sa) ? sa->encap.dport : IPSP_PORT_NONE;
	if (sa->mode != IPSP_MODE_TUNNEL)
		return true;
	out->flow_label = 0;
	out->dscp = sa->dscp_set ? sa->dscp : flow->dscp;
	out->frag = IPSP_FRAG_NONE;
	if (ipsp_tunnel_ends(worker->engine->config.platform, sa, flow, &out->src, &out->dst) !=
	    IPSP_REASON_NONE)
		return false;
	ipsp_nat_dst(sa, &out->dst);
	out->family = out->dst.family;
	return true;
}

static bool cache_knows(const struct ipsp_nest_cache *cache, const struct ipsp_sa *sa,
			const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	if (cache->sa != sa || cache->ifindex != packet->ifindex || cache->dscp != flow->dscp)
		return false;
	/* The ends of such a tunnel are its own. */
	if (sa->mode == IPSP_MODE_TUNNEL && sa->remote.family != 0)
		return true;
	return cache->flow_label == flow->flow_label &&
	       ipsp_addr_cmp(&cache->src, &flow->src) == 0 &&
	       ipsp_addr_cmp(&cache->dst, &flow->dst) == 0;
}

bool ipsp_nest_possible(const struct ipsp_worker *worker, const struct ipsp_spd *spd,
			const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			const struct ipsp_sa *sa, struct ipsp_nest_cache *cache)
{
	struct ipsp_spd_match match;
	struct ipsp_flow outside;

	if (packet->flags & IPSP_PKT_ONE_BUNDLE)
		return false;
	if (cache_knows(cache, sa, packet, flow))
		return cache->nested;
	if (!outside_flow(worker, sa, flow, &outside))
		return false;
	match = ipsp_spd_lookup(spd, packet->ifindex, IPSP_OUTBOUND, &outside, NULL);
	*cache = (struct ipsp_nest_cache){
		.sa = sa, .ifindex = packet->ifindex, .dscp = flow->dscp, .src = flow->src,
		.dst = flow->dst, .flow_label = flow->flow_label,
		.nested = match.result == IPSP_SPD_FRAGMENT ||
			  (match.result == IPSP_SPD_RULE &&
			   (match.rule->n_steps > 0 || (match.rule->action == IPSP_PROTECT &&
							match.rule->sa_id != sa->id))),
	};
	return cache->nested;
}
