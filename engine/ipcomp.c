/*
 * engine/ipcomp.c - IPComp: see ipcomp.h. RFC 3173 2, 3; RFC 2394 for DEFLATE.
 *
 *	transport  [IP, ext.][next 0 CPI][ compressed payload      ]
 *	tunnel     [outer IP][next 0 CPI][ compressed inner packet ]
 *
 * RFC 3173 2.2: what would not get smaller is sent as it is, in tunnel mode in the outer header alone;
 * short packets are not tried, and an SA whose packets do not get smaller tries fewer and fewer.
 */
#include <string.h>

#include "engine/header.h"
#include "engine/ipcomp.h"
#include "engine/tunnel.h"
#include "ipsp/compress.h"
#include "spd/octets.h"

#define HEADER 4u		/* next header, flags, CPI */
#define WORTH_MIN 90u		/* shorter payloads are not tried */
#define FAILURES_MAX 4u		/* in a row, before packets are passed over */
#define PASSED_OVER_MAX 256u

/* RFC 3173 2.2: is this one to be tried? Workers may race here: it is a guess in any case. */
static bool worth_trying(const struct ipsp_sa *sa, uint32_t payload_len)
{
	/* What an SA learns of its traffic is its only part that packets change without a counter. */
	struct ipsp_sa *learns = (struct ipsp_sa *)(uintptr_t)sa;
	uint32_t left = atomic_load_explicit(&learns->comp_pass_over, memory_order_relaxed);

	if (payload_len < WORTH_MIN)
		return false;
	if (left == 0)
		return true;
	atomic_store_explicit(&learns->comp_pass_over, left - 1, memory_order_relaxed);
	return false;
}

static void learn(const struct ipsp_sa *sa, bool smaller)
{
	struct ipsp_sa *learns = (struct ipsp_sa *)(uintptr_t)sa;
	uint32_t failures = smaller ? 0 :
		atomic_load_explicit(&learns->comp_failures, memory_order_relaxed) + 1;
	uint32_t pass_over = 0;

	if (failures >= FAILURES_MAX) {
		const uint32_t doubled = failures - FAILURES_MAX;

		pass_over = doubled < 4 ? 16u << doubled : PASSED_OVER_MAX;
	}
	atomic_store_explicit(&learns->comp_failures, failures, memory_order_relaxed);
	atomic_store_explicit(&learns->comp_pass_over, pass_over, memory_order_relaxed);
}

/* Puts the payload compressed behind an IPComp header in its place. False: it stays as it is. */
static bool compress(struct ipsp_worker *worker, const struct ipsp_sa *sa, uint8_t *payload,
		     uint32_t *payload_len, uint8_t next_header, bool fixed_len)
{
	const struct ipsp_compress *c = worker->engine->config.platform->compress;
	const struct ipsp_span in = { payload, *payload_len };
	size_t len;

	if (fixed_len || !worth_trying(sa, *payload_len))
		return false;
	len = c->compress(worker->compress, sa->encr, in, worker->plain,
			  *payload_len - HEADER - 1);
	learn(sa, len > 0);
	if (len == 0)
		return false;
	payload[0] = next_header;
	payload[1] = 0;
	put_be16(payload + 2, (uint16_t)sa->spi);
	memcpy(payload + HEADER, worker->plain, len);
	*payload_len = HEADER + (uint32_t)len;
	return true;
}

static enum ipsp_reason seal_tunnel(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				    struct ipsp_packet *packet, const struct ipsp_flow *flow,
				    bool fixed_len)
{
	struct ipsp_addr src, dst;
	enum ipsp_reason reason = ipsp_tunnel_ends(worker->engine->config.platform, sa, flow, &src,
						   &dst);
	const uint8_t next_header = ipsp_tunnel_next_header(flow->family);
	uint32_t len = flow->total_len;
	uint32_t header_len;

	if (reason != IPSP_REASON_NONE)
		return reason;
	header_len = ipsp_outer_len(dst.family);
	if ((size_t)(packet->data - packet->room) < header_len)
		return IPSP_REASON_NO_ROOM;
	if (header_len + len > ipsp_packet_max(dst.family))
		return IPSP_REASON_TOO_BIG;
	const bool smaller = compress(worker, sa, packet->data, &len, next_header, fixed_len);
	const struct ipsp_tunnel_outer outer = {
		.src = &src, .dst = &dst, .total_len = header_len + len,
		.proto = smaller ? IPSP_PROTO_IPCOMP : next_header,
		.ipv4_id = dst.family == 4 ? ipsp_next_ipv4_id(worker) : 0,
	};

	packet->data -= header_len;
	packet->len = outer.total_len;
	ipsp_tunnel_write(worker->engine, sa, flow, &outer, packet->data);
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_ipcomp_seal(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				  struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  bool fixed_len)
{
	uint32_t len = flow->total_len - flow->esp_offset;
	enum ipsp_reason reason;

	if (sa->mode == IPSP_MODE_TUNNEL)
		return seal_tunnel(worker, sa, packet, flow, fixed_len);
	reason = ipsp_transport_takes(sa, flow);
	if (reason != IPSP_REASON_NONE)
		return reason;
	packet->len = flow->total_len;
	if (!compress(worker, sa, packet->data + flow->esp_offset, &len,
		      packet->data[flow->esp_nh_offset], fixed_len))
		return IPSP_REASON_NONE;
	packet->len = flow->esp_offset + len;
	ipsp_header_update(packet->data, flow->family, flow->esp_nh_offset, IPSP_PROTO_IPCOMP,
			   packet->len);
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_ipcomp_open(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				  struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  struct ipsp_flow *inner)
{
	const struct ipsp_compress *c = worker->engine->config.platform->compress;
	uint8_t *payload = packet->data + flow->l4_offset;
	const uint32_t payload_len = flow->total_len - flow->l4_offset;
	const uint32_t most = ipsp_packet_max(flow->family) - flow->l4_offset;
	size_t room, len;
	uint8_t next_header;

	if (payload_len <= HEADER || get_be16(payload + 2) != sa->spi)
		return IPSP_REASON_IPCOMP;
	next_header = payload[0];
	len = c->decompress(worker->compress, sa->encr,
			    (struct ipsp_span){ payload + HEADER, payload_len - HEADER },
			    worker->plain, most < IPSP_PLAIN_MAX ? most : IPSP_PLAIN_MAX);
	if (len == 0)
		return IPSP_REASON_IPCOMP;
	room = packet->room_len - (size_t)(payload - packet->room);
	if (len > room)
		return IPSP_REASON_NO_ROOM;
	memcpy(payload, worker->plain, len);
	return ipsp_mode_unwrap(sa, flow, payload, (uint32_t)len, next_header, packet, inner);
}
