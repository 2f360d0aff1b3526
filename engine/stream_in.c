/*
 * engine/stream_in.c - ESP packets of streams, and what comes out of them: see stream.h. RFC 4301 5.2;
 * RFC 4303 3.4.
 *
 * What is under the ICV is looked at behind it only, in streams as elsewhere. Windows are asked and told
 * of each packet, as numbers are what no two have in common.
 */
#include "engine/bundle.h"
#include "engine/nat.h"
#include "engine/resync.h"
#include "engine/stream.h"
#include "engine/tunnel.h"

#define HASH 0x9e3779b1u

/* ---- ESP packets ---- */

struct ipsp_stream_in *ipsp_stream_place_in(const struct ipsp_worker *worker,
					    const struct ipsp_packet *packet)
{
	const uint8_t *const p = packet->data;
	uint32_t spi, tos;

	if (packet->outer) {
		if (packet->len < IPSP_ESP_HEADER)
			return NULL;
		spi = get_be32(p);
		tos = packet->outer->dscp << 2 | packet->outer->ecn;
	} else if (!ipsp_packet_valid(packet) || packet->len < IPSP_LIKE_V4) {
		return NULL;
	} else if (p[0] >> 4 == 4) {
		spi = get_be32(p + IPSP_LIKE_V4 - 4);
		tos = p[1];
	} else if (packet->len >= IPSP_LIKE_V6) {
		spi = get_be32(p + IPSP_LIKE_V6 - 4);
		tos = get_be16(p) >> 4 & 0xff;
	} else {
		return NULL;
	}
	return &worker->streams->in[((spi ^ tos) * HASH >> 16) % IPSP_STREAMS];
}

static bool same_outer(const struct ipsp_flow *a, const struct ipsp_flow *b)
{
	return a->ecn == b->ecn && memcmp(a, b, IPSP_FLOW_KEY) == 0;
}

bool ipsp_stream_in_has_apart(const struct ipsp_stream_in *s, const struct ipsp_packet *packet)
{
	return packet->len >= IPSP_ESP_HEADER && get_be32(packet->data) == s->spi &&
	       same_outer(packet->outer, &s->outer);
}

bool ipsp_stream_in_goes(const struct ipsp_stream_in *s, uint64_t now_s)
{
	const struct ipsp_sa *const sa = s->sa;

	return ipsp_sa_usable(sa, now_s) == IPSP_REASON_NONE && !ipsp_resync_is_due(sa) &&
	       (!ipsp_sa_in_udp(sa) || ipsp_nat_is_where_it_was(sa, &s->outer));
}

/* Numbers ahead of all that came, as most are, need no look at the ring: see ipsp_replay_check. */
static inline bool number_is_fresh(const struct ipsp_sa *sa, uint32_t low, uint64_t *seq)
{
	const struct ipsp_replay *const r = &sa->counter->replay;
	uint64_t top;

	if (sa->replay) {
		top = atomic_load_explicit(&r->top, memory_order_relaxed);
		if (low > (uint32_t)top &&
		    (sa->esn ? (uint32_t)top >= IPSP_REPLAY_MAX : top <= UINT32_MAX)) {
			*seq = (top & ~(uint64_t)UINT32_MAX) | low;
			return true;
		}
	}
	return ipsp_number_check(sa, low, seq) == IPSP_REASON_NONE;
}

bool ipsp_stream_locate(const struct ipsp_stream_in *s, const struct ipsp_packet *packet,
			uint32_t esp_len, uint64_t *seq, struct ipsp_crypto_op *op)
{
	const struct ipsp_sa *const sa = s->sa;
	const uint32_t around = ipsp_esp_front(sa) + sa->shape.icv_len;
	uint8_t *const esp = packet->data + s->outer.l4_offset;

	if (esp_len < around + IPSP_ESP_TRAILER ||
	    ((esp_len - around) & (sa->shape.block_len - 1u)) != 0 ||
	    !number_is_fresh(sa, get_be32(esp + 4), seq))
		return false;
	ipsp_esp_op(sa, esp, esp_len - around, *seq, op);
	return true;
}

void ipsp_stream_note_in(const struct ipsp_worker *worker, struct ipsp_stream_in *place,
			 const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			 const struct ipsp_sa *sa)
{
	const uint8_t block_len = sa->shape.block_len;

	place->epoch = 0;
	if (sa->next_id != 0 || packet->segment_size > 0 || flow->frag != IPSP_FRAG_NONE ||
	    !ipsp_tunnel_is_from_peer(sa, flow) || (block_len & (block_len - 1)) != 0 ||
	    (!packet->outer && !ipsp_like_of(packet->data, flow, 4, &place->like)))
		return;
	place->ifindex = packet->ifindex;
	place->flags = packet->flags;
	place->spi = sa->spi;
	place->is_apart = packet->outer != NULL;
	place->sa = sa;
	place->outer = *flow;
	place->epoch = worker->epoch;
}

/* ---- what came out ---- */

/* Is the inner ECN what it becomes under that outer one, so that nothing is to be written? RFC 6040 4.2 */
static bool ecn_stays(const struct ipsp_sa *sa, uint8_t outer, uint8_t inner)
{
	uint8_t ecn;

	return sa->ecn == IPSP_ECN_NONE || (ipsp_ecn_combine(outer, inner, &ecn) && ecn == inner);
}

void ipsp_stream_note_inner(const struct ipsp_worker *worker, const struct ipsp_packet *packet,
			    const uint8_t *text, const struct ipsp_flow *inner,
			    const struct ipsp_flow *outer, const struct ipsp_spd_rule *rule,
			    const struct ipsp_sa *sa)
{
	const struct ipsp_undone path = { .n = 1, .sas = { sa } };
	struct ipsp_stream_inner *const place =
		&worker->streams->inner[ipsp_like_hash(packet->data, packet->len) % IPSP_STREAMS];

	place->epoch = 0;
	if (packet->data != text || rule->log || (packet->flags & IPSP_PKT_DECREMENT_TTL) ||
	    !ecn_stays(sa, outer->ecn, inner->ecn) || ipsp_undone_may_go_on(&path, inner) ||
	    !ipsp_like_of(packet->data, inner, ipsp_proto_selected(inner->proto), &place->like))
		return;
	place->ifindex = packet->ifindex;
	place->flags = packet->flags;
	place->outer_ecn = outer->ecn;
	place->next_header = ipsp_tunnel_next_header(inner->family);
	place->sa = sa;
	place->rule = rule;
	place->epoch = worker->epoch;
}
