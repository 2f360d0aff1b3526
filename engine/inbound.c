/*
 * engine/inbound.c - packets on their way in. RFC 4301 5.2; RFC 4303 3.4; RFC 4302 3.4.
 *
 * ESP and AH for this device: SA, replay check, ICV, window, padding, headers, and then the policy for
 * what was inside. Anything else: the policy as for any clear packet. Packets of one SA go to the
 * crypto provider together; two of one number in one batch are told apart by the window after it.
 */
#include "engine/ah.h"
#include "engine/bundle.h"
#include "engine/errors.h"
#include "engine/esp.h"
#include "engine/header.h"
#include "engine/nat.h"
#include "engine/neighbour.h"
#include "engine/resync.h"
#include "engine/stream.h"
#include "engine/tunnel.h"
#include "engine/unasked.h"
#include "spd/octets.h"

struct job {
	struct ipsp_packet *packet;
	const struct ipsp_flow *flow;	/* as received, the batch's or its stream's: without total_len */
	uint64_t seq;
	bool in_stream;
};

struct batch {
	struct ipsp_worker *worker;
	const struct ipsp_spd *spd;
	uint64_t now_s;
	const struct ipsp_sa *sa;
	uint32_t n;
	uint64_t text_len;	/* of all jobs */
	uint64_t used, used_len;	/* what the SA carried of it */
	/* Those of the packets before: what follows mostly is like it. */
	const struct ipsp_stream_in *stream;
	const struct ipsp_stream_inner *inner;
	bool is_quiet;		/* no packet that passes the SA is reported */
	/* Delivered in streams, and not counted yet. */
	struct ipsp_spd_hits *hits;
	uint64_t hit_packets, hit_bytes;
	uint32_t n_flows;
	struct ipsp_flow flows[IPSP_BATCH];	/* of the packets that are looked at together */
	struct job jobs[IPSP_BATCH];
	struct ipsp_crypto_op ops[IPSP_BATCH];
};

static void done(struct ipsp_worker *worker, struct ipsp_packet *packet,
		 enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	ipsp_packet_done(worker, IPSP_INBOUND, packet, verdict, reason);
}

/* A protected packet that goes no further. */
static void sa_drop(struct batch *b, struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     uint32_t spi, uint32_t seq, enum ipsp_reason reason)
{
	done(b->worker, packet, IPSP_VERDICT_DROP, reason);
	if (packet->sa)
		ipsp_sa_count_drop(packet->sa, reason);
	if (reason == IPSP_REASON_DUMMY)
		ipsp_dummy_came(b->worker, packet, flow, b->now_s);
	else
		ipsp_audit(b->worker, packet, flow, spi, seq, b->now_s);
}

static void job_drop(struct batch *b, const struct job *job, enum ipsp_reason reason)
{
	sa_drop(b, job->packet, job->flow, b->sa->spi, (uint32_t)job->seq, reason);
}

/*
 * RFC 4301 5.2 step 4: the entry that stands for the inner packet must ask for these very SAs.
 * @param head  by which entries name them
 * @return IPSP_REASON_NONE; SA_UNASKED: it may come in all the same; or why it is dropped
 */
static enum ipsp_reason judge_inner(const struct batch *b, const struct ipsp_spd_match *match,
				    const struct ipsp_undone *path, const struct ipsp_sa *head,
				    const struct ipsp_flow *inner,
				    struct ipsp_outcome *outcome)
{
	enum ipsp_reason reason = IPSP_REASON_POLICY_MISMATCH;
	bool is_open = false;	/* nobody says that it is to be dropped, or how it is to be protected */

	switch (match->result) {
	case IPSP_SPD_RULE:
		reason = ipsp_rule_judge_sa(b->worker, match->rule, path, head, inner, b->now_s,
					    outcome);
		is_open = reason == IPSP_REASON_POLICY_MISMATCH && outcome->action == IPSP_BYPASS;
		break;
	case IPSP_SPD_FRAGMENT:
		reason = IPSP_REASON_POLICY_FRAGMENT;
		break;
	case IPSP_SPD_DEFAULT:
		reason = IPSP_REASON_POLICY_DEFAULT;
		is_open = true;
		break;
	default:
		break;
	}
	return is_open && ipsp_unasked_passes(path, head, inner, b->now_s) ?
		       IPSP_REASON_SA_UNASKED : reason;
}

static bool comes_in(enum ipsp_reason reason)
{
	return reason == IPSP_REASON_NONE || reason == IPSP_REASON_SA_UNASKED;
}

/* A packet on its way out of its SAs. */
struct unwrapped {
	struct ipsp_packet *packet;
	struct ipsp_flow flow;		/* of what it is now */
	struct ipsp_flow was;
	const struct ipsp_flow *received;	/* as it was when the last SA was undone */
	uint32_t seq;			/* of that, low half */
	struct ipsp_undone path;
	const uint8_t *text;		/* where what came out of a tunnel of ESP begins; else NULL */
};

static void unwrapped_drop(struct batch *b, const struct unwrapped *u, enum ipsp_reason reason)
{
	sa_drop(b, u->packet, u->received, u->packet->sa->spi, u->seq, reason);
}

/*
 * RFC 4301 5.1.2.1: who forwards what came out of a tunnel takes one hop from it, once the policy has let it
 * in; and tells its sender when there is none left, as any router does.
 */
static bool has_hop_left(const struct unwrapped *u)
{
	return !(u->packet->flags & IPSP_PKT_DECREMENT_TTL) ||
	       u->path.sas[u->path.n - 1]->mode != IPSP_MODE_TUNNEL ||
	       ipsp_ttl_decrement(u->packet->data, u->flow.family);
}

static void end_of_hops(struct batch *b, const struct unwrapped *u)
{
	ipsp_sa_count_drop(u->packet->sa, IPSP_REASON_TTL);
	ipsp_drop_telling(b->worker, IPSP_INBOUND, u->packet, &u->flow, IPSP_REASON_TTL,
			  IPSP_ICMP_TIME_EXCEEDED, 0, b->now_s);
}

/*
 * Policy for what came out of a whole bundle. It is delivered, or, if another bundle begins in it,
 * may go on.
 * @return false: it was dropped
 */
static bool check_inner(struct batch *b, struct unwrapped *u, bool is_last)
{
	struct ipsp_packet *packet = u->packet;
	struct ipsp_flow *inner = &u->flow;
	const struct ipsp_sa *head;
	enum ipsp_reason reason = ipsp_undone_complete(b->worker, &u->path, &head);
	enum ipsp_reason refused;
	struct ipsp_spd_match match;
	struct ipsp_outcome outcome;

	if (reason != IPSP_REASON_NONE) {
		unwrapped_drop(b, u, reason);
		return false;
	}
	packet->sa = head;
	match = ipsp_match(b->worker, b->spd, IPSP_INBOUND, packet, inner, head->id, b->now_s,
			   &refused);
	reason = judge_inner(b, &match, &u->path, head, inner, &outcome);
	if (reason == IPSP_REASON_NONE && refused == IPSP_REASON_NONE && match.fixed && is_last &&
	    u->path.n == 1 && u->path.nested == 0 && u->text && head == u->path.sas[0])
		ipsp_stream_note_inner(b->worker, packet, u->text, inner, u->received, match.rule,
				       head);
	/* RFC 4301 6.2: an ICMP error also comes under the SA of what it is about. */
	if (!comes_in(reason) && ipsp_flow_is_icmp(inner)) {
		match = ipsp_match_by_quote(b->worker, b->spd, IPSP_INBOUND, packet, inner, &match);
		reason = judge_inner(b, &match, &u->path, head, inner, &outcome);
	}
	if (refused != IPSP_REASON_NONE)
		reason = refused;
	packet->entry_id = match.rule ? match.rule->id : 0;
	if (comes_in(reason) && is_last && !has_hop_left(u)) {
		reason = IPSP_REASON_TTL;
		end_of_hops(b, u);
	} else if (!comes_in(reason)) {
		unwrapped_drop(b, u, reason);
	} else if (is_last) {
		done(b->worker, packet, IPSP_VERDICT_DELIVER, reason);
	}
	if (comes_in(reason) && ipsp_passed_wanted(b->worker, head, b->now_s))
		ipsp_passed(b->worker, packet, inner,
			    ipsp_passed_octets(head, packet->data, inner));
	if (match.result == IPSP_SPD_RULE)
		ipsp_rule_hit(b->worker, IPSP_INBOUND, packet, match.rule, &outcome, inner,
			      inner->total_len, b->now_s);
	else if (match.result == IPSP_SPD_DEFAULT)
		ipsp_hit(b->worker, match.end, 1, inner->total_len);
	return comes_in(reason);
}

/* Undoes one SA more. @return false: it was dropped */
static bool undo(struct batch *b, struct unwrapped *u, const struct ipsp_sa *sa)
{
	enum ipsp_reason reason;

	u->was = u->flow;
	u->received = &u->was;
	u->packet->sa = sa;
	u->path.sas[u->path.n++] = sa;
	reason = ipsp_sa_undo(b->worker, sa, u->packet, &u->was, b->now_s, &u->flow,
				&u->seq);
	if (reason != IPSP_REASON_NONE) {
		unwrapped_drop(b, u, reason);
		return false;
	}
	if (sa->proto == IPSP_PROTO_IPCOMP && sa->mode != IPSP_MODE_TUNNEL)
		ipsp_nat_repair(u->path.sas[u->path.n - 2], u->packet->data, &u->flow);
	return true;
}

/* From the first SA that was undone to the policy for what is inside of the last one. */
static void unwrap_rest(struct batch *b, struct unwrapped *u)
{
	const struct ipsp_sa *sa;

	for (;;) {
		switch (ipsp_undone_next(b->worker, &u->path, u->packet, &u->flow, b->now_s, &sa)) {
		case IPSP_UNDONE_END:
			check_inner(b, u, true);
			return;
		case IPSP_UNDONE_NEST:
			if (u->packet->flags & IPSP_PKT_ONE_BUNDLE) {
				check_inner(b, u, true);
				return;
			}
			if (u->path.nested + 1 == IPSP_NEST_MAX) {
				unwrapped_drop(b, u, IPSP_REASON_NESTING);
				return;
			}
			if (!check_inner(b, u, false))
				return;
			u->path.nested++;
			u->path.n = 0;
			u->path.dst = u->flow.dst;
			break;
		default:
			break;
		}
		if (!undo(b, u, sa))
			return;
	}
}

static void count_delivered(struct batch *b)
{
	if (b->hit_packets == 0)
		return;
	ipsp_count_own(&b->worker->verdicts[IPSP_INBOUND - 1][IPSP_VERDICT_DELIVER],
		       b->hit_packets);
	ipsp_hit(b->worker, b->hits, b->hit_packets, b->hit_bytes);
	b->hit_packets = 0;
	b->hit_bytes = 0;
}

/* Delivers what came out, if it is of a stream. */
static bool deliver(struct batch *b, const struct job *job, const struct ipsp_crypto_op *op)
{
	struct ipsp_packet *const packet = job->packet;
	struct ipsp_opened o = {
		.packet = packet, .sa = b->sa, .text = op->dst,
		.next_header = op->dst[op->text_len - 1], .outer_ecn = job->flow->ecn,
	};
	const struct ipsp_stream_inner *s;
	uint32_t len;

	if (!job->in_stream || !b->is_quiet ||
	    !ipsp_esp_padding_valid(b->sa, o.text, op->text_len, &o.payload_len))
		return false;
	s = ipsp_stream_of_inner(b->worker, &o, b->inner, &len);
	if (!s)
		return false;
	b->inner = s;
	if (s->rule->hits != b->hits) {
		count_delivered(b);
		b->hits = s->rule->hits;
	}
	b->hit_packets++;
	b->hit_bytes += len;
	packet->data = o.text;
	packet->len = len;
	packet->entry_id = s->rule->id;
	packet->verdict = IPSP_VERDICT_DELIVER;
	packet->reason = IPSP_REASON_NONE;
	return true;
}

/* @param fresh  what the window says of its number, if its ICV was right */
static void job_finish(struct batch *b, struct job *job, const struct ipsp_crypto_op *op,
		       enum ipsp_reason fresh)
{
	struct unwrapped u;
	enum ipsp_reason reason;

	ipsp_resync_note(b->sa, op->err == IPSP_EICV);
	if (op->err != IPSP_OK) {
		job_drop(b, job, op->err == IPSP_EICV ? IPSP_REASON_ICV : IPSP_REASON_CRYPTO);
		return;
	}
	if (fresh != IPSP_REASON_NONE) {
		job_drop(b, job, fresh);
		return;
	}
	b->used++;
	b->used_len += op->text_len;
	if (!job->in_stream)
		ipsp_nat_arrived(b->worker, b->sa, job->packet, b->now_s);
	if (deliver(b, job, op))
		return;
	u.text = ipsp_mode_tunnels(b->sa, op->dst[op->text_len - 1]) ? op->dst : NULL;
	reason = ipsp_esp_unwrap(b->sa, job->flow, op, job->packet, &u.flow);
	if (reason != IPSP_REASON_NONE) {
		job_drop(b, job, reason);
		return;
	}
	u.packet = job->packet;
	u.received = job->flow;
	u.seq = (uint32_t)job->seq;
	u.path.n = 1;
	u.path.sas[0] = b->sa;
	u.path.nested = 0;
	u.path.dst = job->flow->dst;
	unwrap_rest(b, &u);
}

static void batch_empty(struct batch *b)
{
	b->n = 0;
	b->text_len = 0;
	b->used = 0;
	b->used_len = 0;
}

static void batch_flush(struct batch *b)
{
	enum ipsp_reason fresh[IPSP_BATCH];
	uint64_t seqs[IPSP_BATCH];

	if (b->n == 0)
		return;
	b->worker->engine->config.platform->crypto->open(b->sa->crypto, b->worker->thread, b->ops,
							 b->n);
	for (uint32_t i = 0; i < b->n; i++)
		seqs[i] = b->ops[i].err == IPSP_OK ? b->jobs[i].seq : 0;
	ipsp_numbers_accept(b->sa, seqs, fresh, b->n);
	b->is_quiet = !b->worker->engine->config.events.passed ||
		      atomic_load_explicit(&b->sa->packet_log, memory_order_relaxed) == 0;
	for (uint32_t i = 0; i < b->n; i++)
		job_finish(b, &b->jobs[i], &b->ops[i], fresh[i]);
	count_delivered(b);
	if (b->used > 0)
		ipsp_sa_count_use(b->sa, b->used, b->used_len, b->now_s);
	batch_empty(b);
}

/*
 * RFC 4303 3.4.1: fragments are put together before anything else.
 * @param reason  why it is dropped if nobody can
 * @return false: it is held, or dropped
 */
static bool is_whole(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow,
		     enum ipsp_reason reason)
{
	struct ipsp_reassembly *const r = b->worker->reassembly;
	enum ipsp_reassembly_result result = IPSP_REASSEMBLY_DROP;

	if (flow->frag == IPSP_FRAG_NONE)
		return true;
	if (r) {
		ipsp_reassembly_set_timeout(r, b->worker->engine->settings.reassembly_timeout_s);
		result = ipsp_reassemble(r, packet, flow, b->now_s, &reason);
	}
	if (result == IPSP_REASSEMBLY_HELD) {
		done(b->worker, packet, IPSP_VERDICT_TAKEN, IPSP_REASON_NONE);
		return false;
	}
	if (result == IPSP_REASSEMBLY_WHOLE)
		reason = ipsp_flow_parse((struct ipsp_span){ packet->data, packet->len }, flow);
	if (reason == IPSP_REASON_NONE)
		return true;
	sa_drop(b, packet, flow, 0, 0, reason);
	return false;
}

/* One more waits to be opened. */
static void job_added(struct batch *b)
{
	b->text_len += b->ops[b->n++].text_len;
	if (ipsp_sa_near_end(b->sa, b->n, b->text_len))
		batch_flush(b);
}

/*
 * Lets others like the packet go on in a stream. What waits may be of the one that stands in its place.
 */
static void begin_stream(struct batch *b, const struct ipsp_packet *packet,
			 const struct ipsp_flow *flow, const struct ipsp_sa *sa)
{
	struct ipsp_stream_in *const place = ipsp_stream_place_in(b->worker, packet);

	if (!place)
		return;
	if (place->epoch == b->worker->epoch)
		batch_flush(b);
	ipsp_stream_note_in(b->worker, place, packet, flow, sa);
}

static void esp_in(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	const uint8_t *esp;
	const struct ipsp_sa *sa;
	enum ipsp_reason reason;
	uint32_t spi, low;

	if (!is_whole(b, packet, flow, IPSP_REASON_ESP_FRAGMENT))
		return;
	esp = packet->data + flow->l4_offset;
	if (flow->total_len - flow->l4_offset < IPSP_ESP_HEADER) {
		sa_drop(b, packet, flow, 0, 0, IPSP_REASON_ESP_SHORT);
		return;
	}
	spi = get_be32(esp);
	low = get_be32(esp + 4);
	sa = ipsp_sad_find_inbound(b->worker->engine->sad, spi, IPSP_PROTO_ESP, &flow->dst);
	packet->sa = sa;
	if (!sa) {
		sa_drop(b, packet, flow, spi, low, IPSP_REASON_SA_NOT_FOUND);
		return;
	}
	if (sa != b->sa || b->n == IPSP_BATCH)
		batch_flush(b);
	begin_stream(b, packet, flow, sa);
	b->sa = sa;
	struct job *job = &b->jobs[b->n];

	reason = packet->segment_size > 0 ? IPSP_REASON_SEGMENTS : ipsp_sa_usable(sa, b->now_s);
	if (reason == IPSP_REASON_NONE && ipsp_sa_in_udp(sa) != ipsp_nat_came_in_udp(packet))
		reason = IPSP_REASON_ENCAP;
	/* Before its window: a packet that cannot be right has no number there. */
	if (reason == IPSP_REASON_NONE && sa->next_id)
		reason = ipsp_undone_missing(b->worker, sa->next_id);
	if (reason == IPSP_REASON_NONE)
		reason = ipsp_number_check(sa, low, &job->seq);
	if (reason == IPSP_REASON_NONE &&
	    !ipsp_esp_locate(sa, flow, job->seq, packet, &b->ops[b->n]))
		reason = IPSP_REASON_ESP_SHORT;
	if (reason != IPSP_REASON_NONE) {
		sa_drop(b, packet, flow, spi, low, reason);
		return;
	}
	if (ipsp_resync_wanted(sa, b->now_s) &&
	    ipsp_resync_find(b->worker, sa, esp, &b->ops[b->n], &job->seq))
		b->ops[b->n].seq_hi = (uint32_t)(job->seq >> 32);
	job->packet = packet;
	job->flow = flow;
	job->in_stream = false;
	job_added(b);
}

/* @return false: the packet is of no stream, or not to be taken in one */
static bool stream_in(struct batch *b, struct ipsp_packet *packet)
{
	uint32_t esp_len;
	const struct ipsp_stream_in *const s =
		ipsp_stream_of_in(b->worker, packet, b->stream, &esp_len);

	if (!s)
		return false;
	if (s->sa != b->sa || b->n == IPSP_BATCH)
		batch_flush(b);
	if ((s != b->stream || b->n == 0) && !ipsp_stream_in_goes(s, b->now_s))
		return false;
	struct job *const job = &b->jobs[b->n];

	b->sa = s->sa;
	b->stream = s;
	if (!ipsp_stream_locate(s, packet, esp_len, &job->seq, &b->ops[b->n]))
		return false;
	packet->entry_id = 0;
	packet->pieces = 1;
	packet->sa = s->sa;
	job->packet = packet;
	job->flow = &s->outer;
	job->in_stream = true;
	job_added(b);
	return true;
}

static void clear_by_rule(struct batch *b, struct ipsp_packet *packet,
			  const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow)
{
	struct ipsp_outcome outcome;

	ipsp_rule_decide(b->worker, IPSP_INBOUND, rule, flow, b->now_s, &outcome);
	if (outcome.action == IPSP_PROTECT && rule->accept_clear)
		outcome.action = IPSP_BYPASS;
	packet->entry_id = rule->id;
	switch (outcome.action) {
	case IPSP_BYPASS:
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		break;
	case IPSP_PROTECT:
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_CLEAR);
		break;
	default:
		done(b->worker, packet, IPSP_VERDICT_DROP, ipsp_outcome_reason(&outcome));
		break;
	}
	ipsp_rule_hit(b->worker, IPSP_INBOUND, packet, rule, &outcome, flow,
		      flow->total_len, b->now_s);
}

static void clear_in(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	enum ipsp_reason refused;
	struct ipsp_spd_match match = ipsp_match(b->worker, b->spd, IPSP_INBOUND, packet, flow, 0,
						 b->now_s, &refused);

	if (refused == IPSP_REASON_NONE && ipsp_flow_is_icmp(flow)) {
		match = ipsp_neighbour_match(b->worker, b->spd, IPSP_INBOUND, packet, flow, &match);
		refused = ipsp_judge_clear_error(b->worker, b->spd, packet, flow, b->now_s);
	}
	if (refused != IPSP_REASON_NONE)
		done(b->worker, packet, IPSP_VERDICT_DROP, refused);
	else if (match.result == IPSP_SPD_RULE)
		clear_by_rule(b, packet, match.rule, flow);
	else
		ipsp_packet_unruled(b->worker, IPSP_INBOUND, packet, flow, &match);
}

/* AH goes one by one: what stands behind it is mostly not its own end. */
static void ah_in(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	struct unwrapped u = { .packet = packet };
	const struct ipsp_sa *sa;
	uint32_t spi;

	if (!is_whole(b, packet, flow, IPSP_REASON_AH_FRAGMENT))
		return;
	if (!ipsp_spi_of(packet, flow, &spi)) {
		sa_drop(b, packet, flow, 0, 0, IPSP_REASON_AH_SHORT);
		return;
	}
	sa = ipsp_sad_find_inbound(b->worker->engine->sad, spi, IPSP_PROTO_AH, &flow->dst);
	if (!sa) {
		sa_drop(b, packet, flow, spi, get_be32(packet->data + flow->l4_offset + 8),
			 IPSP_REASON_AH_SA_NOT_FOUND);
		return;
	}
	u.flow = *flow;
	u.path.dst = flow->dst;
	if (undo(b, &u, sa))
		unwrap_rest(b, &u);
}

/*
 * What no SA of ours is for is somebody else's, when the packet only passes. Of fragments the first one
 * shows whose they are, and those that overtake it are taken for somebody else's.
 */
static bool has_sa(const struct batch *b, const struct ipsp_packet *packet,
		   const struct ipsp_flow *flow)
{
	const struct ipsp_reassembly *const r = b->worker->reassembly;
	uint32_t spi;

	if (flow->frag == IPSP_FRAG_LATER)
		return r && ipsp_reassembly_has(r, flow, b->now_s);
	return (flow->frag == IPSP_FRAG_NONE || r) && ipsp_spi_of(packet, flow, &spi) &&
	       ipsp_sad_find_inbound(b->worker->engine->sad, spi, flow->proto, &flow->dst) != NULL;
}

static bool is_ipsec_for_us(const struct batch *b, const struct ipsp_packet *packet,
			    const struct ipsp_flow *flow)
{
	if (!flow->proto_known || (packet->flags & IPSP_PKT_TRANSIT) ||
	    (flow->proto != IPSP_PROTO_ESP && flow->proto != IPSP_PROTO_AH))
		return false;
	return !(packet->flags & IPSP_PKT_PASSING) || has_sa(b, packet, flow);
}

/* The packet's own headers, or those it came under. */
static enum ipsp_reason read_header(const struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	const struct ipsp_span span = { packet->data, packet->len };

	if (!packet->outer)
		return ipsp_packet_valid(packet) ? ipsp_flow_parse(span, flow) :
						   IPSP_REASON_NO_ROOM;
	*flow = *packet->outer;
	flow->l4_offset = 0;
	flow->total_len = packet->len;
	return IPSP_REASON_NONE;
}

static void classify(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	const enum ipsp_reason reason = read_header(packet, flow);

	packet->entry_id = 0;
	packet->pieces = 1;
	packet->sa = NULL;
	if (!b->spd) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
	} else if (reason == IPSP_REASON_NONE) {
		if (packet->outer)
			esp_in(b, packet, flow);
		else if (!is_ipsec_for_us(b, packet, flow))
			clear_in(b, packet, flow);
		else if (flow->proto == IPSP_PROTO_ESP)
			esp_in(b, packet, flow);
		else
			ah_in(b, packet, flow);
	} else if (ipsp_spd_has_policy(b->spd, packet->ifindex, IPSP_INBOUND)) {
		done(b->worker, packet, IPSP_VERDICT_DROP, reason);
	} else {
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
	}
}

static void ordinary(struct batch *b, struct ipsp_packet *packet)
{
	/* Jobs point to them. */
	if (b->n_flows == IPSP_BATCH) {
		batch_flush(b);
		b->n_flows = 0;
	}
	classify(b, packet, &b->flows[b->n_flows++]);
}

void ipsp_engine_inbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			 uint64_t now_s)
{
	struct batch b;

	b.worker = worker;
	b.spd = ipsp_worker_enter(worker);
	b.now_s = now_s;
	b.sa = NULL;
	b.stream = NULL;
	b.inner = NULL;
	b.hits = NULL;
	b.hit_packets = b.hit_bytes = 0;
	b.n_flows = 0;
	batch_empty(&b);
	ipsp_prefetch_first(packets, n);
	for (size_t at = 0; at < n; at++) {
		ipsp_prefetch_ahead(packets, at, n);
		if (!stream_in(&b, &packets[at]))
			ordinary(&b, &packets[at]);
	}
	batch_flush(&b);
	ipsp_worker_leave(worker);
}

/* The first entry with a predicate that holds, or may hold; others are no explicit word. */
static void own_in(struct batch *b, struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	const struct ipsp_spd_seen seen = {
		.packet = { packet->data, packet->len }, .wall_s = b->worker->wall_s,
	};
	const struct ipsp_spd_rule *rule = NULL;
	struct ipsp_spd_iter it;
	bool sure = true;

	if (ipsp_spd_iter_init(&it, b->spd, packet->ifindex, IPSP_INBOUND, flow, &seen)) {
		do
			rule = ipsp_spd_iter_next(&it, &sure);
		while (rule && !rule->residual);
	}
	if (!rule || (sure && rule->action == IPSP_BYPASS)) {
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
		return;
	}
	packet->entry_id = rule->id;
	done(b->worker, packet, IPSP_VERDICT_DROP,
	     sure ? IPSP_REASON_POLICY_DISCARD : IPSP_REASON_POLICY_FRAGMENT);
}

void ipsp_engine_own(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
		     uint64_t now_s)
{
	struct batch b;

	b.worker = worker;
	b.spd = ipsp_worker_enter(worker);
	b.now_s = now_s;
	for (size_t i = 0; i < n; i++) {
		const struct ipsp_span span = { packets[i].data, packets[i].len };
		enum ipsp_reason reason = IPSP_REASON_POLICY_DEFAULT;
		struct ipsp_flow flow;

		packets[i].entry_id = 0;
		packets[i].pieces = 1;
		packets[i].sa = NULL;
		if (b.spd && ipsp_packet_valid(&packets[i]))
			reason = ipsp_flow_parse(span, &flow);
		if (reason == IPSP_REASON_NONE)
			own_in(&b, &packets[i], &flow);
		else
			done(worker, &packets[i], IPSP_VERDICT_DROP, reason);
	}
	ipsp_worker_leave(worker);
}
