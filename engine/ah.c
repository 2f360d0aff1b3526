/*
 * engine/ah.c - AH packets laid out and taken apart. RFC 4302 2, 3.1, 3.3.3, 3.4.4; RFC 4543 4 for
 * AES-GMAC. Outer headers and modes are engine/tunnel.c's, mutable fields engine/ah_fields.c's.
 *
 *	tunnel     [outer IP][next len 0 SPI Seq ICV pad][ inner IP ... payload ]
 *	transport  [IP, ext.][next len 0 SPI Seq ICV pad][ payload              ]
 *	           |<------------------ under the ICV ----------------------->| high half of Seq
 *
 * The ICV field may be padded to a boundary of 4 octets (IPv4) or 8 (IPv6). We pad as little as that
 * asks for, and take from others what is padded to 8 in IPv4 too, as some do.
 */
#include <string.h>

#include "engine/ah.h"
#include "engine/header.h"
#include "engine/tunnel.h"
#include "spd/octets.h"

static uint32_t round_up(uint32_t n, uint32_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* AH without the padding of its ICV. */
static uint32_t ah_used(const struct ipsp_sa *sa)
{
	return IPSP_AH_HEADER + sa->shape.iv_len + sa->shape.icv_len;
}

uint32_t ipsp_ah_size(const struct ipsp_sa *sa, uint8_t family)
{
	return round_up(ah_used(sa), family == 4 ? 4 : 8);
}

enum ipsp_reason ipsp_ah_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
			      const uint8_t *headers, const struct ipsp_flow *flow,
			      struct ipsp_ah_plan *plan)
{
	const bool tunnel = sa->mode == IPSP_MODE_TUNNEL;
	enum ipsp_reason reason = tunnel ?
		ipsp_tunnel_ends(platform, sa, flow, &plan->src, &plan->dst) :
		ipsp_transport_takes(sa, flow);
	uint8_t family;

	if (reason != IPSP_REASON_NONE)
		return reason;
	family = tunnel ? plan->dst.family : flow->family;
	plan->ah_len = ipsp_ah_size(sa, family);
	plan->headers_len = tunnel ? ipsp_outer_len(family) : flow->esp_offset;
	plan->grow = plan->ah_len + (tunnel ? plan->headers_len : 0);
	plan->total_len = flow->total_len + plan->grow;
	plan->next_header = tunnel ? ipsp_tunnel_next_header(flow->family) :
				     headers[flow->esp_nh_offset];
	return plan->total_len > ipsp_packet_max(family) ? IPSP_REASON_TOO_BIG : IPSP_REASON_NONE;
}

/* What the ICV is over. The packet stands as it is sent or was received. */
static enum ipsp_reason cover(const struct ipsp_sa *sa, uint8_t *p, uint32_t headers_len,
			      uint32_t ah_len, uint32_t total_len, uint64_t seq, bool final,
			      struct ipsp_ah_work *work, struct ipsp_auth_op *op)
{
	uint8_t *ah = p + headers_len;
	enum ipsp_reason reason = ipsp_ah_fields(p, headers_len, final, work->headers);

	if (reason != IPSP_REASON_NONE)
		return reason;
	memcpy(work->ah, ah, ah_len);
	memset(work->ah + IPSP_AH_HEADER, 0, sa->shape.iv_len + sa->shape.icv_len);
	put_be32(work->seq_hi, (uint32_t)(seq >> 32));
	work->spans[0] = (struct ipsp_span){ work->headers, headers_len };
	work->spans[1] = (struct ipsp_span){ work->ah, ah_len };
	work->spans[2] = (struct ipsp_span){ ah + ah_len, total_len - headers_len - ah_len };
	work->spans[3] = (struct ipsp_span){ work->seq_hi, sa->esn ? sizeof(work->seq_hi) : 0 };
	*op = (struct ipsp_auth_op){
		.spans = work->spans, .n_spans = 4, .iv = ah + IPSP_AH_HEADER,
		.icv = ah + IPSP_AH_HEADER + sa->shape.iv_len, .err = IPSP_ECRYPTO,
	};
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_ah_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				const struct ipsp_flow *flow, const struct ipsp_ah_plan *plan,
				uint64_t seq, const uint8_t *iv, struct ipsp_packet *packet,
				struct ipsp_ah_work *work, struct ipsp_auth_op *op)
{
	uint8_t *p = packet->data - plan->grow;
	uint8_t *ah = p + plan->headers_len;

	if (sa->mode == IPSP_MODE_TUNNEL) {
		const struct ipsp_tunnel_outer outer = {
			.src = &plan->src, .dst = &plan->dst, .total_len = plan->total_len,
			.proto = IPSP_PROTO_AH,
			.ipv4_id = plan->dst.family == 4 ? ipsp_next_ipv4_id(worker) : 0,
		};

		ipsp_tunnel_write(worker->engine, sa, flow, &outer, p);
	} else {
		memmove(p, packet->data, plan->headers_len);
		/* It is covered, and nobody must put one in for none: RFC 4302 3.3.3.1.1.1. */
		if (flow->family == 4 && get_be16(p + 4) == 0)
			put_be16(p + 4, ipsp_next_ipv4_id(worker));
		ipsp_header_update(p, flow->family, flow->esp_nh_offset, IPSP_PROTO_AH,
				   plan->total_len);
	}
	memset(ah, 0, plan->ah_len);
	ah[0] = plan->next_header;
	ah[1] = (uint8_t)(plan->ah_len / 4 - 2);
	put_be32(ah + 4, sa->spi);
	put_be32(ah + 8, (uint32_t)seq);
	if (sa->shape.iv_is_counter)
		put_be64(ah + IPSP_AH_HEADER, seq);
	else if (sa->shape.iv_len > 0)
		memcpy(ah + IPSP_AH_HEADER, iv, sa->shape.iv_len);
	packet->data = p;
	packet->len = plan->total_len;
	return cover(sa, p, plan->headers_len, plan->ah_len, plan->total_len, seq, false, work, op);
}

/* RFC 4302 2.2: the length in words of four octets, less two. */
static uint32_t ah_said_len(const uint8_t *ah)
{
	return (ah[1] + 2u) * 4;
}

enum ipsp_reason ipsp_ah_locate(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				uint64_t seq, const struct ipsp_packet *packet,
				struct ipsp_ah_work *work, struct ipsp_auth_op *op)
{
	uint32_t ah_len = ah_said_len(packet->data + flow->l4_offset);

	if (ah_len < ipsp_ah_size(sa, flow->family) || ah_len > round_up(ah_used(sa), 8) ||
	    ah_len > flow->total_len - flow->l4_offset)
		return IPSP_REASON_AH_SHORT;
	return cover(sa, packet->data, flow->l4_offset, ah_len, flow->total_len, seq, true, work,
		     op);
}

enum ipsp_reason ipsp_ah_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				struct ipsp_packet *packet, struct ipsp_flow *inner)
{
	uint8_t *ah = packet->data + flow->l4_offset;
	uint32_t ah_len = ah_said_len(ah);

	return ipsp_mode_unwrap(sa, flow, ah + ah_len, flow->total_len - flow->l4_offset - ah_len,
				ah[0], packet, inner);
}
