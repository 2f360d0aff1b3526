/*
 * engine/inbound.c - packets on their way in. RFC 4301 5.2; RFC 4303 3.4.
 *
 * ESP for this device: SA, replay check, ICV, window, padding, headers, and then the policy for
 * what was inside. Anything else: the policy as for any clear packet. Packets of one SA go to the
 * crypto provider together; two of one number in one batch are told apart by the window after it.
 */
#include "engine/errors.h"
#include "engine/esp.h"
#include "engine/nat.h"
#include "spd/octets.h"

struct job {
	struct ipsp_packet *packet;
	const struct ipsp_flow *flow;	/* as received; one of the batch's */
	uint64_t seq;
};

struct batch {
	struct ipsp_worker *worker;
	const struct ipsp_spd *spd;
	uint64_t now_s;
	const struct ipsp_sa *sa;
	uint32_t n;
	uint64_t text_len;	/* of all jobs */
	uint64_t used, used_len;	/* what the SA carried of it */
	struct ipsp_flow flows[IPSP_BATCH];	/* of the packets that are looked at together */
	enum ipsp_reason reasons[IPSP_BATCH];	/* why one has none; NONE: it has */
	struct job jobs[IPSP_BATCH];
	struct ipsp_crypto_op ops[IPSP_BATCH];
};

static void done(struct ipsp_worker *worker, struct ipsp_packet *packet,
		 enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	ipsp_packet_done(worker, IPSP_INBOUND, packet, verdict, reason);
}

/* An ESP packet that goes no further. */
static void esp_drop(struct batch *b, struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     uint32_t spi, uint32_t seq, enum ipsp_reason reason)
{
	done(b->worker, packet, IPSP_VERDICT_DROP, reason);
	if (packet->sa)
		ipsp_sa_count_drop(packet->sa, reason);
	if (reason != IPSP_REASON_DUMMY)
		ipsp_audit(b->worker, packet, flow, spi, seq, b->now_s);
}

static void job_drop(struct batch *b, const struct job *job, enum ipsp_reason reason)
{
	esp_drop(b, job->packet, job->flow, b->sa->spi, (uint32_t)job->seq, reason);
}

/* RFC 4301 5.2 step 4: the entry that stands for the inner packet must ask for this very SA. */
static enum ipsp_reason judge_inner(const struct batch *b, const struct ipsp_spd_match *match,
				    const struct ipsp_flow *inner, struct ipsp_outcome *outcome)
{
	switch (match->result) {
	case IPSP_SPD_RULE:
		return ipsp_rule_judge_sa(b->worker, match->rule, b->sa, inner, b->now_s,
					  outcome);
	case IPSP_SPD_FRAGMENT:
		return IPSP_REASON_POLICY_FRAGMENT;
	case IPSP_SPD_DEFAULT:
		return IPSP_REASON_POLICY_DEFAULT;
	default:
		return IPSP_REASON_POLICY_MISMATCH;
	}
}

static void check_inner(struct batch *b, const struct job *job, struct ipsp_flow *inner)
{
	struct ipsp_packet *packet = job->packet;
	struct ipsp_outcome outcome;
	enum ipsp_reason reason, refused;
	struct ipsp_spd_match match = ipsp_match(b->worker, b->spd, IPSP_INBOUND, packet, inner,
						 b->sa->id, b->now_s, &refused);

	reason = judge_inner(b, &match, inner, &outcome);
	/* RFC 4301 6.2: an ICMP error also comes under the SA of what it is about. */
	if (reason != IPSP_REASON_NONE && ipsp_flow_is_icmp(inner)) {
		match = ipsp_match_by_quote(b->worker, b->spd, IPSP_INBOUND, packet, inner, &match);
		reason = judge_inner(b, &match, inner, &outcome);
	}
	if (refused != IPSP_REASON_NONE)
		reason = refused;
	packet->entry_id = match.rule ? match.rule->id : 0;
	if (reason == IPSP_REASON_NONE)
		done(b->worker, packet, IPSP_VERDICT_DELIVER, IPSP_REASON_NONE);
	else
		job_drop(b, job, reason);
	if (reason == IPSP_REASON_NONE && ipsp_passed_wanted(b->worker, b->sa, b->now_s))
		ipsp_passed(b->worker, packet, inner,
			    ipsp_passed_octets(b->sa, packet->data, inner));
	if (match.result == IPSP_SPD_RULE)
		ipsp_rule_hit(b->worker, IPSP_INBOUND, packet, match.rule, &outcome, inner,
			      inner->total_len, b->now_s);
	else if (match.result == IPSP_SPD_DEFAULT)
		ipsp_hit(b->worker, match.end, 1, inner->total_len);
}

static enum ipsp_reason accept_number(const struct ipsp_sa *sa, uint64_t seq)
{
	if (!sa->replay)
		return IPSP_REASON_NONE;
	switch (ipsp_replay_accept(&sa->counter->replay, seq)) {
	case IPSP_OK:
		return IPSP_REASON_NONE;
	case IPSP_EREPLAY:
		return IPSP_REASON_REPLAY;
	default:
		return IPSP_REASON_REPLAY_OLD;
	}
}

static void job_finish(struct batch *b, struct job *job, const struct ipsp_crypto_op *op)
{
	struct ipsp_flow inner;
	enum ipsp_reason reason;

	if (op->err != IPSP_OK) {
		job_drop(b, job, op->err == IPSP_EICV ? IPSP_REASON_ICV : IPSP_REASON_CRYPTO);
		return;
	}
	reason = accept_number(b->sa, job->seq);
	if (reason != IPSP_REASON_NONE) {
		job_drop(b, job, reason);
		return;
	}
	b->used++;
	b->used_len += op->text_len;
	ipsp_nat_arrived(b->worker, b->sa, job->packet, b->now_s);
	reason = ipsp_esp_unwrap(b->sa, job->flow, op, job->packet, &inner);
	if (reason == IPSP_REASON_NONE)
		check_inner(b, job, &inner);
	else
		job_drop(b, job, reason);
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
	if (b->n == 0)
		return;
	b->worker->engine->config.platform->crypto->open(b->sa->crypto, b->worker->thread, b->ops,
							 b->n);
	for (uint32_t i = 0; i < b->n; i++)
		job_finish(b, &b->jobs[i], &b->ops[i]);
	if (b->used > 0)
		ipsp_sa_count_use(b->sa, b->used, b->used_len, b->now_s);
	batch_empty(b);
}

static enum ipsp_reason check_number(const struct ipsp_sa *sa, uint32_t low, uint64_t *seq)
{
	if (!sa->replay) {
		*seq = low;
		return IPSP_REASON_NONE;
	}
	switch (ipsp_replay_check(&sa->counter->replay, low, sa->esn, seq)) {
	case IPSP_OK:
		return IPSP_REASON_NONE;
	case IPSP_EREPLAY:
		return IPSP_REASON_REPLAY;
	default:
		return IPSP_REASON_REPLAY_OLD;
	}
}

/*
 * RFC 4303 3.4.1: fragments are put together before anything else.
 * @return false: it is held, or dropped
 */
static bool is_whole(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	struct ipsp_reassembly *const r = b->worker->reassembly;
	enum ipsp_reason reason = IPSP_REASON_ESP_FRAGMENT;
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
	esp_drop(b, packet, flow, 0, 0, reason);
	return false;
}

static void esp_in(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow)
{
	const uint8_t *esp;
	const struct ipsp_sa *sa;
	enum ipsp_reason reason;
	uint32_t spi, low;

	if (!is_whole(b, packet, flow))
		return;
	esp = packet->data + flow->l4_offset;
	if (flow->total_len - flow->l4_offset < IPSP_ESP_HEADER) {
		esp_drop(b, packet, flow, 0, 0, IPSP_REASON_ESP_SHORT);
		return;
	}
	spi = get_be32(esp);
	low = get_be32(esp + 4);
	sa = ipsp_sad_find_inbound(b->worker->engine->sad, spi, IPSP_PROTO_ESP, &flow->dst);
	packet->sa = sa;
	if (!sa) {
		esp_drop(b, packet, flow, spi, low, IPSP_REASON_SA_NOT_FOUND);
		return;
	}
	if (sa != b->sa || b->n == IPSP_BATCH)
		batch_flush(b);
	b->sa = sa;
	struct job *job = &b->jobs[b->n];

	reason = packet->segment_size > 0 ? IPSP_REASON_SEGMENTS : ipsp_sa_usable(sa, b->now_s);
	if (reason == IPSP_REASON_NONE && ipsp_sa_in_udp(sa) != ipsp_nat_came_in_udp(packet))
		reason = IPSP_REASON_ENCAP;
	if (reason == IPSP_REASON_NONE)
		reason = check_number(sa, low, &job->seq);
	if (reason == IPSP_REASON_NONE &&
	    !ipsp_esp_locate(sa, flow, job->seq, packet, &b->ops[b->n]))
		reason = IPSP_REASON_ESP_SHORT;
	if (reason != IPSP_REASON_NONE) {
		esp_drop(b, packet, flow, spi, low, reason);
		return;
	}
	job->packet = packet;
	job->flow = flow;
	b->text_len += b->ops[b->n++].text_len;
	if (ipsp_sa_near_end(sa, b->n, b->text_len))
		batch_flush(b);
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

	if (refused == IPSP_REASON_NONE && ipsp_flow_is_icmp(flow))
		refused = ipsp_judge_clear_error(b->worker, b->spd, packet, flow, b->now_s);
	if (refused != IPSP_REASON_NONE)
		done(b->worker, packet, IPSP_VERDICT_DROP, refused);
	else if (match.result == IPSP_SPD_RULE)
		clear_by_rule(b, packet, match.rule, flow);
	else
		ipsp_packet_unruled(b->worker, IPSP_INBOUND, packet, flow, &match);
}

/*
 * ESP that no SA of ours is for is somebody else's, when the packet only passes. Of fragments the
 * first one shows whose they are, and those that overtake it are taken for somebody else's.
 */
static bool has_sa(const struct batch *b, const struct ipsp_packet *packet,
		   const struct ipsp_flow *flow)
{
	const struct ipsp_reassembly *const r = b->worker->reassembly;

	if (flow->frag == IPSP_FRAG_LATER)
		return r && ipsp_reassembly_has(r, flow, b->now_s);
	return (flow->frag == IPSP_FRAG_NONE || r) &&
	       flow->total_len - flow->l4_offset >= IPSP_ESP_HEADER &&
	       ipsp_sad_find_inbound(b->worker->engine->sad,
				     get_be32(packet->data + flow->l4_offset), IPSP_PROTO_ESP,
				     &flow->dst) != NULL;
}

static bool is_esp_for_us(const struct batch *b, const struct ipsp_packet *packet,
			  const struct ipsp_flow *flow)
{
	if (!flow->proto_known || flow->proto != IPSP_PROTO_ESP ||
	    (packet->flags & IPSP_PKT_TRANSIT))
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

/* Reads the headers of packets that are looked at together. */
static void read_headers(struct batch *b, const struct ipsp_packet *packets, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < IPSP_AHEAD; i++)
		ipsp_prefetch(packets[i].data);
	for (uint32_t i = 0; i < n; i++) {
		if (i + IPSP_AHEAD < n)
			ipsp_prefetch(packets[i + IPSP_AHEAD].data);
		b->reasons[i] = read_header(&packets[i], &b->flows[i]);
	}
}

static void classify(struct batch *b, struct ipsp_packet *packet, struct ipsp_flow *flow,
		     enum ipsp_reason reason)
{
	packet->entry_id = 0;
	packet->pieces = 1;
	packet->sa = NULL;
	if (!b->spd) {
		done(b->worker, packet, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
	} else if (reason == IPSP_REASON_NONE) {
		if (packet->outer || is_esp_for_us(b, packet, flow))
			esp_in(b, packet, flow);
		else
			clear_in(b, packet, flow);
	} else if (ipsp_spd_has_policy(b->spd, packet->ifindex, IPSP_INBOUND)) {
		done(b->worker, packet, IPSP_VERDICT_DROP, reason);
	} else {
		done(b->worker, packet, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
	}
}

void ipsp_engine_inbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			 uint64_t now_s)
{
	struct batch b;

	b.worker = worker;
	b.spd = ipsp_worker_enter(worker);
	b.now_s = now_s;
	b.sa = NULL;
	batch_empty(&b);
	for (size_t at = 0; at < n; at += IPSP_BATCH) {
		const uint32_t some = n - at < IPSP_BATCH ? (uint32_t)(n - at) : IPSP_BATCH;

		read_headers(&b, packets + at, some);
		for (uint32_t i = 0; i < some; i++)
			classify(&b, &packets[at + i], &b.flows[i], b.reasons[i]);
		batch_flush(&b);
	}
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
