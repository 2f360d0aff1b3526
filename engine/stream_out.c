/*
 * engine/stream_out.c - clear packets of streams: see stream.h. RFC 4301 5.1; RFC 4303 3.3.
 *
 * A run is looked at, numbered, laid out, sealed and counted in one step each, over all of its
 * packets: what a step needs stays in registers, and memory of one packet is fetched while another is
 * worked on. Nothing of a packet is changed before it has its number, so that those for which there
 * is none can still go the ordinary way.
 */
#include "engine/bundle.h"
#include "engine/nat.h"
#include "engine/pmtu.h"
#include "engine/stream.h"
#include "engine/tunnel.h"

struct member {
	struct ipsp_packet *packet;
	const struct ipsp_stream_out *stream;
	uint32_t clear_len, text_len;
};

struct run {
	struct ipsp_worker *worker;
	uint64_t now_s;
	const struct ipsp_sa *sa;	/* of all its packets; NULL: there are none */
	/* Of the packet before: those that follow mostly are like it. */
	const struct ipsp_stream_out *stream;
	uint32_t mtu;			/* of its path */
	uint32_t total_max;		/* what its ESP packets may come to */
	uint32_t n;
	uint64_t text_len;
	struct member members[IPSP_BATCH];
	struct ipsp_crypto_op ops[IPSP_BATCH];
	uint8_t ivs[IPSP_BATCH][IPSP_IV_MAX];
};

static struct ipsp_stream_out *place_of(struct ipsp_worker *worker, const uint8_t *p, uint32_t len)
{
	return &worker->streams->out[ipsp_like_hash(p, len) % IPSP_STREAMS];
}

/* Is the packet one of the stream? */
static inline bool is_of(const struct ipsp_stream_out *s, const struct ipsp_worker *worker,
		  const struct ipsp_packet *packet, uint32_t *clear_len)
{
	return s->epoch == worker->epoch && s->ifindex == packet->ifindex &&
	       s->flags == packet->flags && packet->segment_size == 0 &&
	       ipsp_is_like(&s->like, packet->data, packet->len, clear_len);
}

/* Does what all packets of the SA depend on hold now? */
static bool sa_goes(const struct run *r, const struct ipsp_sa *sa)
{
	return ipsp_sa_usable(sa, r->now_s) == IPSP_REASON_NONE &&
	       (!r->worker->engine->config.events.passed ||
		atomic_load_explicit(&sa->packet_log, memory_order_relaxed) == 0);
}

/* Are both ends of the tunnel where they were? */
static bool ends_hold(const struct run *r, const struct ipsp_stream_out *s)
{
	const struct ipsp_platform *const platform = r->worker->engine->config.platform;
	const struct ipsp_sa *const sa = s->sa;
	struct ipsp_addr at = s->dst;
	uint16_t dport = sa->encap.dport;

	if (!sa->local.family &&
	    (!platform->local_addr || platform->local_addr(platform->ctx, &s->dst, &at) != IPSP_OK ||
	     ipsp_addr_cmp(&at, &s->src) != 0))
		return false;
	if (!ipsp_sa_in_udp(sa))
		return true;
	at = s->dst;
	(void)ipsp_peer_get(&sa->peer, at.family, &at, &dport);
	return dport == s->dport && ipsp_addr_cmp(&at, &s->dst) == 0;
}

/* Goes over to another stream. False: its packets cannot be in this run, or go the ordinary way. */
static bool enter(struct run *r, const struct ipsp_stream_out *s)
{
	uint32_t most = ipsp_packet_max(s->pattern.family);

	if ((r->sa && r->sa != s->sa) || (!r->sa && !sa_goes(r, s->sa)) || !ends_hold(r, s))
		return false;
	r->sa = s->sa;
	r->stream = s;
	r->mtu = ipsp_path_mtu(r->worker->engine, s->sa, &s->dst, r->now_s);
	r->total_max = r->mtu < most ? r->mtu : most;
	return true;
}

/* Is the checksum that the packet's sender left to a device where one can be? */
static bool checksum_can_be_finished(const struct ipsp_packet *packet,
				     const struct ipsp_stream_out *s, uint32_t clear_len)
{
	const uint32_t place = (uint32_t)packet->csum_start + packet->csum_offset;
	const uint32_t l4 = s->like.octets - 4;

	return packet->csum_start >= l4 && place >= l4 + ipsp_proto_selected(s->proto) &&
	       place + 2 <= clear_len;
}

/* @return false: the packet goes the ordinary way */
static bool add(struct run *r, struct ipsp_packet *packet, uint32_t clear_len)
{
	const struct ipsp_stream_out *const s = r->stream;
	const uint32_t text_len = ipsp_pattern_text(&s->pattern, clear_len);
	const uint32_t behind = text_len + s->pattern.icv_len;
	const size_t head = (size_t)(packet->data - packet->room);

	if (s->pattern.grow + behind > r->total_max || s->pattern.grow > head ||
	    behind > packet->room_len - head)
		return false;
	if ((packet->flags & IPSP_PKT_CSUM_PARTIAL) &&
	    !checksum_can_be_finished(packet, s, clear_len))
		return false;
	r->members[r->n++] = (struct member){ packet, s, clear_len, text_len };
	r->text_len += text_len;
	return true;
}

/* The packets of one SA at the beginning of a vector. */
static void gather(struct run *r, struct ipsp_packet *packets, size_t n)
{
	uint32_t clear_len;

	for (size_t i = 0; i < n && r->n < IPSP_BATCH; i++) {
		struct ipsp_packet *const packet = &packets[i];

		ipsp_prefetch_ahead(packets, i, n);
		if (!ipsp_packet_valid(packet) || packet->len == 0)
			return;
		if (!r->stream || !is_of(r->stream, r->worker, packet, &clear_len)) {
			const struct ipsp_stream_out *const s =
				place_of(r->worker, packet->data, packet->len);

			if (!is_of(s, r->worker, packet, &clear_len) || !enter(r, s))
				return;
		}
		if (!add(r, packet, clear_len) || ipsp_sa_near_end(r->sa, r->n, r->text_len))
			return;
	}
}

/* Numbers and IVs for as many as can have them. @return how many */
static uint32_t number(struct run *r, uint64_t *first)
{
	const struct ipsp_platform *const p = r->worker->engine->config.platform;
	const struct ipsp_sa *const sa = r->sa;
	enum ipsp_seq_limit limit;

	if (sa->shape.iv_len > 0 && !sa->shape.iv_is_counter &&
	    p->random(p->ctx, r->ivs[0], (size_t)r->n * IPSP_IV_MAX) != IPSP_OK)
		return 0;
	return ipsp_counter_take(sa->counter, r->n, sa->seq_floor,
				 atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed),
				 ipsp_sa_counts_64(sa), first, &limit);
}

static void lay_out(struct run *r, uint32_t i, uint64_t seq)
{
	const struct member *const m = &r->members[i];
	const struct ipsp_stream_out *const s = m->stream;
	struct ipsp_packet *const packet = m->packet;

	if (packet->flags & IPSP_PKT_CSUM_PARTIAL)
		(void)ipsp_checksum_finish(packet->data, m->clear_len, packet->csum_start,
					   packet->csum_offset);
	packet->data = ipsp_pattern_write(&s->pattern, r->worker, packet->data, m->clear_len,
					  m->text_len, seq, r->ivs[i], &r->ops[i]);
	packet->len = s->pattern.grow + m->text_len + s->pattern.icv_len;
	packet->piece_len = packet->len;
	packet->pieces = 1;
	packet->path_mtu = r->mtu == UINT32_MAX ? 0 : r->mtu;
	packet->entry_id = s->rule->id;
	packet->acquire_id = 0;
	packet->sa = s->sa;
	packet->verdict = IPSP_VERDICT_ESP_OUT;
	packet->reason = IPSP_REASON_NONE;
}

/* Its clear octets are gone, and its number is used up. */
static void crypto_failed(struct run *r, const struct member *m)
{
	ipsp_packet_done(r->worker, IPSP_OUTBOUND, m->packet, IPSP_VERDICT_DROP,
			 IPSP_REASON_CRYPTO);
	ipsp_sa_count_drop(r->sa, IPSP_REASON_CRYPTO);
	ipsp_hit(r->worker, m->stream->rule->hits, 1, m->clear_len);
}

/* Those of one rule that follow each other are counted at once. */
static void finish(struct run *r, uint32_t n)
{
	struct ipsp_spd_hits *hits = r->members[0].stream->rule->hits;
	uint64_t packets = 0, bytes = 0, sealed = 0, text_len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct member *const m = &r->members[i];

		if (r->ops[i].err != IPSP_OK) {
			crypto_failed(r, m);
			continue;
		}
		if (m->stream->rule->hits != hits) {
			ipsp_hit(r->worker, hits, packets, bytes);
			hits = m->stream->rule->hits;
			packets = bytes = 0;
		}
		packets++;
		bytes += m->clear_len;
		sealed++;
		text_len += m->text_len;
		if (m->stream->pattern.udp_len)
			ipsp_nat_finish(r->sa, m->packet);
	}
	if (packets > 0)
		ipsp_hit(r->worker, hits, packets, bytes);
	if (sealed == 0)
		return;
	ipsp_count_own(&r->worker->verdicts[IPSP_OUTBOUND - 1][IPSP_VERDICT_ESP_OUT], sealed);
	ipsp_sa_count_use(r->sa, sealed, text_len, r->now_s);
}

bool ipsp_stream_has_out(struct ipsp_worker *worker, const struct ipsp_packet *packet)
{
	uint32_t clear_len;

	return ipsp_packet_valid(packet) && packet->len > 0 &&
	       is_of(place_of(worker, packet->data, packet->len), worker, packet, &clear_len);
}

uint32_t ipsp_stream_outbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			      uint64_t now_s)
{
	struct run r;
	uint64_t seq = 0;
	uint32_t numbered;

	r.worker = worker;
	r.now_s = now_s;
	r.sa = NULL;
	r.stream = NULL;
	r.n = 0;
	r.text_len = 0;
	gather(&r, packets, n);
	if (r.n == 0)
		return 0;
	numbered = number(&r, &seq);
	if (numbered == 0)
		return 0;
	for (uint32_t i = 0; i < numbered; i++)
		lay_out(&r, i, seq + i);
	worker->engine->config.platform->crypto->seal(r.sa->crypto, worker->thread, r.ops,
						      numbered);
	finish(&r, numbered);
	return numbered;
}

void ipsp_stream_note_out(struct ipsp_worker *worker, const struct ipsp_packet *packet,
			  const struct ipsp_flow *flow, const struct ipsp_spd_rule *rule,
			  const struct ipsp_sa *sa, const struct ipsp_esp_plan *plan)
{
	struct ipsp_stream_out *const s = place_of(worker, packet->data, packet->len);

	s->epoch = 0;
	if (rule->log || rule->n_steps > 0 || (packet->flags & IPSP_PKT_DECREMENT_TTL) ||
	    packet->segment_size > 0 ||
	    !ipsp_like_of(packet->data, flow, ipsp_proto_selected(flow->proto), &s->like) ||
	    !ipsp_pattern_of(worker->engine, sa, flow, plan, &s->pattern))
		return;
	s->ifindex = packet->ifindex;
	s->flags = packet->flags;
	s->sa = sa;
	s->rule = rule;
	s->src = plan->src;
	s->dst = plan->dst;
	s->dport = sa->encap.dport;
	if (ipsp_sa_in_udp(sa))
		s->dport = get_be16(s->pattern.head + plan->headers_len + 2);
	s->proto = flow->proto;
	s->epoch = worker->epoch;
}
