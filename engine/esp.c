/*
 * engine/esp.c - ESP packets laid out and taken apart. RFC 4303 2, 3.1, 3.3.2, 3.4.4.
 * Outer headers and modes are engine/tunnel.c's.
 *
 *	tunnel     [outer IP][SPI Seq][IV][ inner IP ... payload ][pad, len, next][ICV]
 *	in UDP     [outer IP][UDP][SPI Seq][IV] ...	either mode: engine/nat.h
 *	transport  [IP, ext.][SPI Seq][IV][ payload              ][pad, len, next][ICV]
 *
 * A packet stays where it is: its payload never moves, headers grow or shrink in front of it.
 */
#include <string.h>

#include "engine/esp.h"
#include "engine/header.h"
#include "engine/nat.h"
#include "engine/pmtu.h"
#include "engine/tunnel.h"
#include "spd/octets.h"

static enum ipsp_reason plan_transport(const struct ipsp_sa *sa, const uint8_t *headers,
				       const struct ipsp_flow *flow, struct ipsp_esp_plan *plan)
{
	enum ipsp_reason reason = ipsp_transport_takes(sa, flow);

	if (reason != IPSP_REASON_NONE)
		return reason;
	plan->family = flow->family;
	plan->headers_len = flow->esp_offset;
	plan->grow = ipsp_nat_len(sa) + ipsp_esp_front(sa);
	plan->next_header = headers[flow->esp_nh_offset];
	return IPSP_REASON_NONE;
}

static enum ipsp_reason plan_tunnel(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				    const struct ipsp_flow *flow, struct ipsp_esp_plan *plan)
{
	enum ipsp_reason reason = ipsp_tunnel_ends(platform, sa, flow, &plan->src, &plan->dst);

	if (reason != IPSP_REASON_NONE)
		return reason;
	ipsp_nat_dst(sa, &plan->dst);
	plan->family = plan->dst.family;
	plan->headers_len = ipsp_outer_len(plan->family);
	plan->grow = plan->headers_len + ipsp_nat_len(sa) + ipsp_esp_front(sa);
	plan->next_header = ipsp_tunnel_next_header(flow->family);
	return IPSP_REASON_NONE;
}

static void plan_lengths(const struct ipsp_sa *sa, struct ipsp_esp_plan *plan)
{
	const uint32_t block = sa->shape.block_len;

	plan->text_len = (plan->payload_len + IPSP_ESP_TRAILER + block - 1) / block * block;
	plan->total_len = plan->headers_len + ipsp_nat_len(sa) + ipsp_esp_front(sa) + plan->text_len +
			  sa->shape.icv_len;
}

void ipsp_esp_plan_resize(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
			  struct ipsp_esp_plan *plan)
{
	if (sa->mode == IPSP_MODE_TUNNEL) {
		plan->tfc_len = plan->tfc_to > flow->total_len ? plan->tfc_to - flow->total_len : 0;
		plan->payload_len = flow->total_len + plan->tfc_len;
	} else {
		plan->tfc_len = 0;
		plan->payload_len = flow->total_len - flow->esp_offset;
	}
	plan_lengths(sa, plan);
}

enum ipsp_reason ipsp_esp_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
			       const uint8_t *headers, const struct ipsp_flow *flow, uint32_t most,
			       struct ipsp_esp_plan *plan)
{
	enum ipsp_reason reason;

	if (sa->mode == IPSP_MODE_TUNNEL)
		reason = plan_tunnel(platform, sa, flow, plan);
	else
		reason = plan_transport(sa, headers, flow, plan);
	if (reason != IPSP_REASON_NONE)
		return reason;
	plan->tfc_to = sa->tfc_pad;
	if (plan->tfc_to > 0) {
		const uint32_t longest = ipsp_path_inner(sa, plan->family, plan->headers_len, most);

		plan->tfc_to = plan->tfc_to < longest ? plan->tfc_to : longest;
	}
	ipsp_esp_plan_resize(sa, flow, plan);
	return plan->total_len > ipsp_packet_max(plan->family) ? IPSP_REASON_TOO_BIG :
								 IPSP_REASON_NONE;
}

bool ipsp_esp_fits(const struct ipsp_sa *sa, const struct ipsp_packet *packet,
		   const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan)
{
	const size_t head = (size_t)(packet->data - packet->room);
	const size_t tail = packet->room_len - head - flow->total_len;

	return plan->grow <= head && plan->tfc_len + plan->text_len - plan->payload_len +
					     sa->shape.icv_len <= tail;
}

void ipsp_esp_pad_at_random(const struct ipsp_platform *p, const struct ipsp_sa *sa,
			    const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			    uint32_t most, struct ipsp_esp_plan *plan)
{
	struct ipsp_esp_plan padded = *plan;
	uint8_t draw;

	if (p->random(p->ctx, &draw, sizeof(draw)) != IPSP_OK)
		return;
	const uint32_t more = draw % (sa->tfc_random + 1u);

	padded.tfc_len += more;
	padded.payload_len += more;
	plan_lengths(sa, &padded);
	if (padded.total_len <= ipsp_packet_max(padded.family) && padded.total_len <= most &&
	    ipsp_esp_fits(sa, packet, flow, &padded))
		*plan = padded;
}

void ipsp_esp_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		     const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan, uint64_t seq,
		     const uint8_t *iv, struct ipsp_packet *packet, struct ipsp_crypto_op *op)
{
	uint8_t *payload_end = packet->data + flow->total_len + plan->tfc_len;
	uint32_t pad_len = plan->text_len - plan->payload_len - IPSP_ESP_TRAILER;
	uint8_t *p = packet->data - plan->grow;
	uint8_t *udp = p + plan->headers_len;
	uint8_t *esp = udp + ipsp_nat_len(sa);

	if (sa->mode == IPSP_MODE_TUNNEL) {
		const struct ipsp_tunnel_outer outer = {
			.src = &plan->src, .dst = &plan->dst, .total_len = plan->total_len,
			.proto = ipsp_nat_proto(sa),
			.ipv4_id = plan->family == 4 ? ipsp_next_ipv4_id(worker) : 0,
		};

		ipsp_tunnel_write(worker->engine, sa, flow, &outer, p);
	} else {
		memmove(p, packet->data, plan->headers_len);
		ipsp_header_update(p, flow->family, flow->esp_nh_offset, ipsp_nat_proto(sa),
				   plan->total_len);
	}
	ipsp_nat_write(sa, udp, plan->total_len - (uint32_t)(esp - p));
	put_be32(esp, sa->spi);
	put_be32(esp + 4, (uint32_t)seq);
	if (sa->shape.iv_is_counter)
		put_be64(esp + IPSP_ESP_HEADER, seq);
	else if (sa->shape.iv_len > 0)
		memcpy(esp + IPSP_ESP_HEADER, iv, sa->shape.iv_len);
	memset(payload_end - plan->tfc_len, 0, plan->tfc_len);
	for (uint32_t i = 0; i < pad_len; i++)
		payload_end[i] = (uint8_t)(i + 1);
	payload_end[pad_len] = (uint8_t)pad_len;
	payload_end[pad_len + 1] = plan->next_header;

	packet->data = p;
	packet->len = plan->total_len;
	ipsp_esp_op(sa, esp, plan->text_len, seq, op);
}

bool ipsp_esp_locate(const struct ipsp_sa *sa, const struct ipsp_flow *flow, uint64_t seq,
		     const struct ipsp_packet *packet, struct ipsp_crypto_op *op)
{
	uint32_t esp_len = flow->total_len - flow->l4_offset;
	uint32_t around = ipsp_esp_front(sa) + sa->shape.icv_len;
	uint32_t text_len;

	if (esp_len < around + IPSP_ESP_TRAILER)
		return false;
	text_len = esp_len - around;
	if (text_len % sa->shape.block_len != 0)
		return false;
	ipsp_esp_op(sa, packet->data + flow->l4_offset, text_len, seq, op);
	return true;
}

enum ipsp_reason ipsp_esp_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				 const struct ipsp_crypto_op *op, struct ipsp_packet *packet,
				 struct ipsp_flow *inner)
{
	uint8_t *text = op->dst;
	uint8_t next_header = text[op->text_len - 1];
	uint32_t payload_len;

	if (!ipsp_esp_padding_valid(sa, text, op->text_len, &payload_len))
		return IPSP_REASON_PADDING;
	if (next_header == IPSP_NH_NONE)
		return IPSP_REASON_DUMMY;
	return ipsp_mode_unwrap(sa, flow, text, payload_len, next_header, packet, inner);
}
