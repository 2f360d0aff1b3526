/*
 * engine/bundle_in.c - bundles of SAs undone: see bundle.h. RFC 4301 5.2; RFC 4302 3.4; RFC 3173 2.
 *
 * What is protected may stand in what was protected: more of the same bundle, or another one whose
 * packets are tunnelled. Which of both is said by the SAs, not by the packet.
 */
#include "engine/ah.h"
#include "engine/bundle.h"
#include "engine/esp.h"
#include "engine/ipcomp.h"
#include "engine/nat.h"
#include "engine/resync.h"
#include "engine/tunnel.h"
#include "spd/octets.h"

static const struct ipsp_sa *innermost(const struct ipsp_undone *path)
{
	return path->sas[path->n - 1];
}

/* SAs of key managers know of no chain: whether these are the right ones, templates say at the end. */
static bool may_follow(const struct ipsp_sa *around, const struct ipsp_sa *sa)
{
	if (sa->next_id)
		return sa->next_id == around->id;
	return sa->origin == IPSP_ORIGIN_PFKEY && around->origin == IPSP_ORIGIN_PFKEY &&
	       ipsp_bundle_fits_around(sa, around);
}

/* The IPComp SA that goes on with a path, if the path has one. */
static const struct ipsp_sa *ipcomp_of(const struct ipsp_worker *worker,
				       const struct ipsp_undone *path)
{
	const struct ipsp_sa *last = innermost(path);
	const struct ipsp_sa *sa;

	if (last->bundle_id == 0 || last->bundle_id == last->id)
		return NULL;
	sa = ipsp_sad_find(worker->engine->sad, last->bundle_id);
	return sa && sa->proto == IPSP_PROTO_IPCOMP && sa->next_id == last->id &&
	       sa->dir == IPSP_INBOUND ? sa : NULL;
}

static bool is_tunnelled(const struct ipsp_flow *flow)
{
	return flow->proto == IPSP_NH_IPV4 || flow->proto == IPSP_NH_IPV6;
}

/* What is around a tunnel of IPComp that a key manager made, if there is one. */
static bool may_be_around_tunnel(const struct ipsp_sa *sa)
{
	return sa->bundle_id != 0 ||
	       (sa->origin == IPSP_ORIGIN_PFKEY && sa->mode == IPSP_MODE_TRANSPORT);
}

bool ipsp_undone_may_go_on(const struct ipsp_undone *path, const struct ipsp_flow *flow)
{
	if (!flow->proto_known || flow->frag != IPSP_FRAG_NONE)
		return false;
	return flow->proto == IPSP_PROTO_ESP || flow->proto == IPSP_PROTO_AH ||
	       flow->proto == IPSP_PROTO_IPCOMP ||
	       (is_tunnelled(flow) && may_be_around_tunnel(innermost(path)));
}

/* That of a key manager, by its CPI. RFC 3173 3.2: behind the next header and the flags. */
static const struct ipsp_sa *negotiated_ipcomp(const struct ipsp_worker *worker,
					       const struct ipsp_undone *path,
					       const struct ipsp_packet *packet,
					       const struct ipsp_flow *flow)
{
	const struct ipsp_sa *sa;

	if (flow->total_len - flow->l4_offset < 4)
		return NULL;
	sa = ipsp_sad_find_inbound(worker->engine->sad,
				   get_be16(packet->data + flow->l4_offset + 2),
				   IPSP_PROTO_IPCOMP, &flow->dst);
	return sa && may_follow(innermost(path), sa) ? sa : NULL;
}

/* RFC 3173 2.2: what does not get smaller comes in the outer header alone, which has no CPI. */
static const struct ipsp_sa *negotiated_tunnel(const struct ipsp_worker *worker,
					       const struct ipsp_undone *path,
					       const struct ipsp_packet *packet,
					       const struct ipsp_flow *flow, uint64_t now_s)
{
	const struct ipsp_sa *const around = innermost(path), *sa;
	const struct ipsp_span inside = { packet->data + flow->l4_offset,
					  flow->total_len - flow->l4_offset };
	struct ipsp_flow inner;

	if (around->bundle_id != 0 || ipsp_flow_parse(inside, &inner) != IPSP_REASON_NONE)
		return NULL;
	sa = ipsp_sad_find_tunnel(worker->engine->sad, around->reqid, flow, &inner, now_s);
	return sa && may_follow(around, sa) ? sa : NULL;
}

/* The IPComp SA of a packet that is compressed, or is in a tunnel of such. */
static const struct ipsp_sa *find_ipcomp(const struct ipsp_worker *worker,
					 const struct ipsp_undone *path,
					 const struct ipsp_packet *packet,
					 const struct ipsp_flow *flow, uint64_t now_s)
{
	const struct ipsp_sa *const known = ipcomp_of(worker, path);

	if (known)
		return known;
	return flow->proto == IPSP_PROTO_IPCOMP ?
		       negotiated_ipcomp(worker, path, packet, flow) :
		       negotiated_tunnel(worker, path, packet, flow, now_s);
}

/* Where the SPI stands, by protocol. RFC 4303 2, RFC 4302 2. */
bool ipsp_spi_of(const struct ipsp_packet *packet, const struct ipsp_flow *flow, uint32_t *spi)
{
	const bool is_ah = flow->proto == IPSP_PROTO_AH;
	const uint32_t left = flow->total_len - flow->l4_offset;

	if (left < (is_ah ? IPSP_AH_HEADER : IPSP_ESP_HEADER))
		return false;
	*spi = get_be32(packet->data + flow->l4_offset + (is_ah ? 4 : 0));
	return true;
}

/* Is an inner packet addressed to this device, as far as can be told? */
static bool is_for_us(const struct ipsp_worker *worker, const struct ipsp_undone *path,
		      const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	const struct ipsp_platform *p = worker->engine->config.platform;
	struct ipsp_addr local;

	if (sa->local.family != 0 || ipsp_addr_cmp(&path->dst, &flow->dst) == 0)
		return true;
	return p->local_addr && p->local_addr(p->ctx, &flow->src, &local) == IPSP_OK &&
	       ipsp_addr_cmp(&local, &flow->dst) == 0;
}

enum ipsp_undone_step ipsp_undone_next(const struct ipsp_worker *worker, const struct ipsp_undone *path,
				   const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				   uint64_t now_s, const struct ipsp_sa **sa)
{
	const struct ipsp_sa *ipcomp, *found;
	uint32_t spi;

	if (!ipsp_undone_may_go_on(path, flow))
		return IPSP_UNDONE_END;
	if (flow->proto != IPSP_PROTO_ESP && flow->proto != IPSP_PROTO_AH) {
		ipcomp = find_ipcomp(worker, path, packet, flow, now_s);
		/* In a tunnel of IPComp, what was not compressed is just tunnelled. */
		if (!ipcomp || path->n == IPSP_BUNDLE_MAX ||
		    (flow->proto != IPSP_PROTO_IPCOMP && ipcomp->mode == IPSP_MODE_TRANSPORT))
			return IPSP_UNDONE_END;
		*sa = ipcomp;
		return IPSP_UNDONE_UNDO;
	}
	if (!ipsp_spi_of(packet, flow, &spi))
		return IPSP_UNDONE_END;
	found = ipsp_sad_find_inbound(worker->engine->sad, spi, flow->proto, &flow->dst);
	if (!found)
		return IPSP_UNDONE_END;
	*sa = found;
	if (may_follow(innermost(path), found) && path->n < IPSP_BUNDLE_MAX)
		return IPSP_UNDONE_UNDO;
	return is_for_us(worker, path, found, flow) ? IPSP_UNDONE_NEST : IPSP_UNDONE_END;
}

/* Both protocols: the low half of the number stands behind the SPI. */
static enum ipsp_reason esp_undo(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				 struct ipsp_packet *packet, const struct ipsp_flow *flow,
				 uint64_t now_s, struct ipsp_flow *inner, uint32_t *low)
{
	const struct ipsp_crypto *crypto = worker->engine->config.platform->crypto;
	struct ipsp_crypto_op op;
	enum ipsp_reason reason;
	uint64_t seq;

	*low = get_be32(packet->data + flow->l4_offset + 4);
	if (ipsp_sa_in_udp(sa))
		return IPSP_REASON_ENCAP;
	reason = ipsp_number_check(sa, *low, &seq);
	if (reason == IPSP_REASON_NONE && !ipsp_esp_locate(sa, flow, seq, packet, &op))
		reason = IPSP_REASON_ESP_SHORT;
	if (reason != IPSP_REASON_NONE)
		return reason;
	if (ipsp_resync_wanted(sa, now_s) &&
	    ipsp_resync_find(worker, sa, packet->data + flow->l4_offset, &op, &seq))
		op.seq_hi = (uint32_t)(seq >> 32);
	crypto->open(sa->crypto, worker->thread, &op, 1);
	ipsp_resync_note(sa, op.err == IPSP_EICV);
	if (op.err != IPSP_OK)
		return op.err == IPSP_EICV ? IPSP_REASON_ICV : IPSP_REASON_CRYPTO;
	reason = ipsp_number_accept(sa, seq);
	if (reason != IPSP_REASON_NONE)
		return reason;
	ipsp_sa_count_use(sa, 1, op.text_len, now_s);
	return ipsp_esp_unwrap(sa, flow, &op, packet, inner);
}

static enum ipsp_reason ah_undo(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				struct ipsp_packet *packet, const struct ipsp_flow *flow,
				uint64_t now_s, struct ipsp_flow *inner, uint32_t *low)
{
	const struct ipsp_crypto *crypto = worker->engine->config.platform->crypto;
	struct ipsp_auth_op op;
	struct ipsp_ah_work work;
	enum ipsp_reason reason;
	uint64_t seq;

	*low = get_be32(packet->data + flow->l4_offset + 8);
	reason = ipsp_number_check(sa, *low, &seq);
	if (reason == IPSP_REASON_NONE)
		reason = ipsp_ah_locate(sa, flow, seq, packet, &work, &op);
	if (reason != IPSP_REASON_NONE)
		return reason;
	crypto->verify(sa->crypto, worker->thread, &op, 1);
	if (op.err == IPSP_EICV && ipsp_resync_wanted(sa, now_s))
		ipsp_resync_find_auth(worker, sa, &op, work.seq_hi, &seq);
	ipsp_resync_note(sa, op.err == IPSP_EICV);
	if (op.err != IPSP_OK)
		return op.err == IPSP_EICV ? IPSP_REASON_AH_ICV : IPSP_REASON_CRYPTO;
	reason = ipsp_number_accept(sa, seq);
	if (reason != IPSP_REASON_NONE)
		return reason;
	ipsp_sa_count_use(sa, 1, flow->total_len, now_s);
	return ipsp_ah_unwrap(sa, flow, packet, inner);
}

static enum ipsp_reason ipcomp_undo(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				    struct ipsp_packet *packet, const struct ipsp_flow *flow,
				    uint64_t now_s, struct ipsp_flow *inner)
{
	ipsp_sa_count_use(sa, 1, flow->total_len - flow->l4_offset, now_s);
	if (flow->proto == IPSP_PROTO_IPCOMP)
		return ipsp_ipcomp_open(worker, sa, packet, flow, inner);
	return ipsp_tunnel_unwrap(sa, flow, packet->data + flow->l4_offset,
				  flow->total_len - flow->l4_offset, flow->proto, packet, inner);
}

enum ipsp_reason ipsp_sa_undo(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				struct ipsp_packet *packet, const struct ipsp_flow *flow,
				uint64_t now_s, struct ipsp_flow *inner, uint32_t *seq)
{
	enum ipsp_reason reason = packet->segment_size > 0 ? IPSP_REASON_SEGMENTS :
							     ipsp_sa_usable(sa, now_s);

	*seq = 0;
	if (reason != IPSP_REASON_NONE)
		return reason;
	switch (sa->proto) {
	case IPSP_PROTO_ESP:
		return esp_undo(worker, sa, packet, flow, now_s, inner, seq);
	case IPSP_PROTO_AH:
		return ah_undo(worker, sa, packet, flow, now_s, inner, seq);
	default:
		return ipcomp_undo(worker, sa, packet, flow, now_s, inner);
	}
}

enum ipsp_reason ipsp_undone_missing(const struct ipsp_worker *worker, uint64_t id)
{
	const struct ipsp_sa *sa = ipsp_sad_find(worker->engine->sad, id);

	if (!sa || sa->proto == IPSP_PROTO_IPCOMP)
		return IPSP_REASON_POLICY_MISMATCH;
	return sa->proto == IPSP_PROTO_AH ? IPSP_REASON_EXPECTED_AH : IPSP_REASON_EXPECTED_ESP;
}

enum ipsp_reason ipsp_undone_complete(const struct ipsp_worker *worker, const struct ipsp_undone *path,
				    const struct ipsp_sa **head)
{
	const struct ipsp_sa *last = innermost(path);

	*head = last;
	if (path->sas[0]->next_id != 0)
		return ipsp_undone_missing(worker, path->sas[0]->next_id);
	for (uint32_t i = 1; i < path->n; i++) {
		if (!may_follow(path->sas[i - 1], path->sas[i]))
			return IPSP_REASON_POLICY_MISMATCH;
	}
	if (last->bundle_id == 0 || last->bundle_id == last->id)
		return IPSP_REASON_NONE;
	/* RFC 3173 2.2: the peer compresses only where it helps. A tunnel is there in any case. */
	const struct ipsp_sa *ipcomp = ipcomp_of(worker, path);

	if (!ipcomp || ipcomp->mode == IPSP_MODE_TUNNEL)
		return ipsp_undone_missing(worker, last->bundle_id);
	*head = ipcomp;
	return IPSP_REASON_NONE;
}
