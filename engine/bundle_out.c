/*
 * engine/bundle_out.c - packets through bundles of SAs, and through nested ones: see bundle.h and nest.h.
 * RFC 4301 5.1, appendix E.
 *
 * What stands around a packet is found before anything is done to it (layers.h), so that one that its path
 * does not take is cut, or its sender told, as if it went through one SA alone.
 */
#include <string.h>

#include "engine/ah.h"
#include "engine/bundle.h"
#include "engine/errors.h"
#include "engine/esp.h"
#include "engine/header.h"
#include "engine/ipcomp.h"
#include "engine/large.h"
#include "engine/layers.h"
#include "engine/nat.h"

/* One packet on its way out. */
struct way {
	const struct ipsp_bundle_job *job;
	bool fixed_len;			/* it is a segment: its length must follow from its headers */
	bool counts_nested;		/* entries around it count it: the first of its segments */
	struct ipsp_applied applied;
	const struct ipsp_layers *layers;	/* NULL: not known */
	const struct ipsp_sa *at;	/* that refused */
	uint32_t tell_mtu;		/* PATH_MTU: what would fit */
};

/* What the path takes of an SA's packets, so that padding makes them no longer. */
static uint32_t most_of(const struct way *way, const struct ipsp_sa *sa)
{
	const uint32_t at = way->applied.n;

	return way->layers && at < way->layers->n && way->layers->of[at].sa == sa ?
		       way->layers->of[at].most : UINT32_MAX;
}

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
	const uint32_t most = most_of(way, sa);
	struct ipsp_esp_plan plan;
	enum ipsp_reason reason = ipsp_esp_plan(p, sa, packet->data, flow, most, &plan);

	if (reason == IPSP_REASON_NONE && sa->tfc_random && !way->fixed_len)
		ipsp_esp_pad_at_random(p, sa, packet, flow, most, &plan);
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
		way->applied.sas[way->applied.n++] = way->at;
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
	enum ipsp_reason reason;

	next->n = 0;
	if (job->packet->flags & IPSP_PKT_ONE_BUNDLE)
		return IPSP_REASON_NONE;
	if (match.result == IPSP_SPD_FRAGMENT)
		return match.rule->action == IPSP_PROTECT ? IPSP_REASON_POLICY_FRAGMENT :
							    IPSP_REASON_NONE;
	if (match.result != IPSP_SPD_RULE)
		return IPSP_REASON_NONE;
	reason = ipsp_nest_by(job, &match, flow, &way->applied, &outcome, next);
	if (next->n > 0 && way->counts_nested)
		ipsp_rule_hit(job->worker, IPSP_OUTBOUND, packet, match.rule, &outcome, flow,
			      flow->total_len, job->now_s);
	return reason;
}

/*
 * One packet through bundles, the first of which is given, and all that are nested around it.
 * @param from, to  how many it has behind it, and after how many it stops
 * @param bundle    in: the first; out: the next, n is 0: none
 */
static enum ipsp_reason go(struct way *way, struct ipsp_packet *packet, struct ipsp_flow *flow,
			   uint32_t from, uint32_t to, struct ipsp_bundle *bundle)
{
	enum ipsp_reason reason = IPSP_REASON_NONE;

	for (uint32_t depth = from; depth < to && bundle->n > 0; depth++) {
		if (depth == IPSP_NEST_MAX)
			return IPSP_REASON_NESTING;
		reason = bundle_seal(way, bundle, packet, flow);
		if (reason == IPSP_REASON_NONE)
			reason = nest_find(way, packet, flow, bundle);
		if (reason != IPSP_REASON_NONE)
			break;
	}
	return reason;
}

bool ipsp_packet_finish_checksum(const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	uint32_t selected = ipsp_proto_selected(flow->proto);
	uint32_t place = (uint32_t)packet->csum_start + packet->csum_offset;

	return packet->csum_start >= flow->l4_offset && place >= flow->l4_offset + selected &&
	       ipsp_checksum_finish(packet->data, flow->total_len, packet->csum_start,
				    packet->csum_offset);
}

/* Gives the clear packet its last form; segments get theirs as they are cut. */
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

/* ---- its path, and pieces ---- */

/* How it goes: as many packets or one, and whether its path takes it. Changes nothing. */
static enum ipsp_reason plan(struct way *way, struct ipsp_layers *layers, struct ipsp_large *large,
			     struct ipsp_layers_fit *fit)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_packet *packet = job->packet;
	struct ipsp_flow flow = *job->flow;
	enum ipsp_reason reason;

	if (packet->segment_size > 0) {
		reason = ipsp_large_begin(packet, job->flow, large);
		if (reason != IPSP_REASON_NONE)
			return reason;
	}
	if (large->pieces > 1)
		flow.total_len = large->headers_len + large->data_len;
	ipsp_layers_find(job, flow.total_len, layers);
	/* One of its SAs will say why not. */
	if (layers->n == 0)
		return IPSP_REASON_NONE;
	const uint32_t mtu = layers->of[layers->n - 1].own;

	way->layers = layers;
	packet->path_mtu = mtu == UINT32_MAX ? 0 : mtu;
	ipsp_layers_judge(layers, &flow, fit);
	way->tell_mtu = fit->tell;
	return fit->what == IPSP_PATH_TELL ||
			       (fit->what == IPSP_PATH_CUT_INNER && large->pieces > 1) ?
		       IPSP_REASON_PATH_MTU : IPSP_REASON_NONE;
}

/* What a piece may come to beside its own octets: more than all bundles add, and padding. */
static uint32_t piece_extra(const struct way *way)
{
	uint32_t tfc = 0;

	for (uint32_t i = 0; way->layers && i < way->layers->n; i++)
		if (way->layers->of[i].sa->tfc_pad > tfc)
			tfc = way->layers->of[i].sa->tfc_pad;
	return IPSP_HEADROOM + IPSP_TAILROOM + tfc;
}

/* More than all pieces come to in the arena; 0: there will be none. */
static uint32_t pieces_max(const struct way *way, const struct ipsp_large *large,
			   const struct ipsp_layers_fit *fit)
{
	const uint32_t headers = IPSP_V6_HEADER + IPSP_V6_FRAGMENT_HEADER;
	/* Of the packet that is cut, wherever that is. */
	const uint32_t len = way->job->flow->total_len + IPSP_HEADROOM + IPSP_TAILROOM;
	uint32_t data;

	if (large->pieces > 1)
		return large->pieces * (large->headers_len + large->data_len + piece_extra(way));
	if (fit->what != IPSP_PATH_CUT_INNER)
		return 0;
	data = fit->most > headers + 8 ? (fit->most - headers) & ~7u : 8;
	return len + (len / data + 1) * (headers + piece_extra(way));
}

/*
 * Cuts, each piece in the worker's room for plain packets, and puts what becomes of it into the arena.
 * @param bundles  that the packet has behind it, and the next
 */
static enum ipsp_reason go_pieces(struct way *way, struct ipsp_large *large,
				  const struct ipsp_flow *whole, uint32_t bundles,
				  const struct ipsp_bundle *next)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_arena *arena = &job->worker->arena;
	const uint32_t room_len = IPSP_PIECE_ROOM - IPSP_HEADROOM - IPSP_TAILROOM;
	const uint32_t n_applied = way->applied.n;
	uint8_t *const to = arena->octets + arena->used;
	struct ipsp_packet *packet = job->packet;
	struct ipsp_packet piece = *packet;
	uint8_t *room = job->worker->piece;
	uint32_t total_len = 0;
	enum ipsp_reason reason;

	way->fixed_len = true;
	for (uint32_t i = 0; i < large->pieces; i++) {
		struct ipsp_bundle bundle = *next;
		struct ipsp_flow flow = *whole;

		piece.room = room;
		piece.room_len = IPSP_PIECE_ROOM;
		piece.data = room + IPSP_HEADROOM;
		piece.len = flow.total_len = ipsp_large_next(large, piece.data, room_len);
		if (piece.len == 0)
			return IPSP_REASON_SEGMENTS;
		way->counts_nested = i == 0;
		way->applied.n = n_applied;
		reason = go(way, &piece, &flow, bundles, IPSP_NEST_MAX + 1, &bundle);
		if (reason != IPSP_REASON_NONE)
			return reason;
		if (piece.len > arena->size - arena->used - total_len)
			return IPSP_REASON_NO_ROOM;
		memcpy(to + total_len, piece.data, piece.len);
		if (i == 0)
			packet->piece_len = piece.len;
		total_len += piece.len;
	}
	packet->pieces = (uint16_t)large->pieces;
	packet->data = to;
	packet->len = total_len;
	arena->used += total_len;
	return IPSP_REASON_NONE;
}

/* All the way, cut where the path asks for it. */
static enum ipsp_reason go_through(struct way *way, struct ipsp_large *large,
				   const struct ipsp_layers_fit *fit, uint32_t *clear_len)
{
	const struct ipsp_bundle_job *job = way->job;
	const struct ipsp_platform *p = job->worker->engine->config.platform;
	struct ipsp_bundle bundle = *job->bundle;
	struct ipsp_flow flow = *job->flow;
	enum ipsp_reason reason;
	uint32_t id = 0;

	if (fit->what == IPSP_PATH_CUT_INNER) {
		reason = go(way, job->packet, &flow, 0, fit->bundles, &bundle);
		/* What was in doubt is not around it. */
		if (reason != IPSP_REASON_NONE || bundle.n == 0)
			return reason;
		if (flow.family == 6 && p->random(p->ctx, (uint8_t *)&id, sizeof(id)) != IPSP_OK)
			return IPSP_REASON_CRYPTO;
		if (!ipsp_large_fragment(job->packet, &flow, fit->most, id, large))
			return IPSP_REASON_PATH_MTU;
	}
	if (large->pieces == 1)
		return go(way, job->packet, &flow, 0, IPSP_NEST_MAX + 1, &bundle);
	if (fit->bundles == 0)
		*clear_len += (large->pieces - 1) * large->headers_len;
	return go_pieces(way, large, &flow, fit->bundles, &bundle);
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

/* Its outcome. As long as the packet is in the clear its sender can be told. */
static void finish(const struct way *way, uint32_t clear_len, struct ipsp_span sample,
		   enum ipsp_reason reason)
{
	const struct ipsp_bundle_job *job = way->job;
	struct ipsp_packet *packet = job->packet;

	packet->sa = job->bundle->sas[0];
	if ((reason == IPSP_REASON_PATH_MTU || reason == IPSP_REASON_TTL) && way->applied.n == 0)
		ipsp_drop_telling(job->worker, IPSP_OUTBOUND, packet, job->flow, reason,
				  reason == IPSP_REASON_TTL ? IPSP_ICMP_TIME_EXCEEDED :
							      IPSP_ICMP_TOO_BIG,
				  way->tell_mtu, job->now_s);
	else
		ipsp_packet_done(job->worker, IPSP_OUTBOUND, packet,
				 reason == IPSP_REASON_NONE ? IPSP_VERDICT_ESP_OUT :
							      IPSP_VERDICT_DROP,
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
	struct ipsp_layers_fit fit = { .what = IPSP_PATH_FITS };
	const struct ipsp_arena *arena = &job->worker->arena;
	uint32_t clear_len = job->flow->total_len;
	struct ipsp_large large = { .pieces = 1 };
	struct ipsp_span sample = { NULL, 0 };
	struct ipsp_layers layers;
	enum ipsp_reason reason = plan(&way, &layers, &large, &fit);

	if (reason == IPSP_REASON_NONE &&
	    pieces_max(&way, &large, &fit) > arena->size - arena->used) {
		/* What stands in the arena is sent first. */
		if (arena->used > 0)
			return false;
		reason = IPSP_REASON_NO_ROOM;
	}
	if (reason == IPSP_REASON_NONE)
		reason = prepare(job, large.pieces > 1);
	if (reason == IPSP_REASON_NONE) {
		take_sample(job, &sample);
		reason = go_through(&way, &large, &fit, &clear_len);
	}
	finish(&way, clear_len, sample, reason);
	return true;
}
