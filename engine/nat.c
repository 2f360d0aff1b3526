/*
 * engine/nat.c - see nat.h. RFC 3948 2.1, 3.1.2, 3.4, 3.5; RFC 1624 for checksums put right; RFC 7296
 * 2.23 for peers that move.
 */
#include "engine/nat.h"

#include <string.h>

#include "engine/header.h"
#include "engine/sum.h"
#include "engine/tunnel.h"
#include "spd/octets.h"

enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
};

uint8_t ipsp_nat_proto(const struct ipsp_sa *sa)
{
	return ipsp_sa_in_udp(sa) ? PROTO_UDP : sa->proto;
}

void ipsp_nat_dst(const struct ipsp_sa *sa, struct ipsp_addr *dst)
{
	uint16_t port;

	if (ipsp_sa_in_udp(sa))
		(void)ipsp_peer_get(&sa->peer, dst->family, dst, &port);
}

void ipsp_nat_write(const struct ipsp_sa *sa, uint8_t *udp, uint32_t esp_len)
{
	uint16_t dport = sa->encap.dport;
	struct ipsp_addr addr;

	if (!ipsp_sa_in_udp(sa))
		return;
	(void)ipsp_peer_get(&sa->peer, 4, &addr, &dport);
	put_be16(udp, sa->encap.sport);
	put_be16(udp + 2, dport);
	put_be16(udp + 4, (uint16_t)(IPSP_UDP_HEADER + esp_len));
	put_be16(udp + 6, 0);
}

static void finish_one(uint8_t *packet, uint32_t len)
{
	struct ipsp_flow flow;

	/* Headers of our own making, which can be read. */
	if (ipsp_flow_parse((struct ipsp_span){ packet, len }, &flow) != IPSP_REASON_NONE)
		return;
	put_be16(packet + flow.l4_offset + 6,
		 ipsp_upper_checksum(&flow.src, &flow.dst, PROTO_UDP, packet + flow.l4_offset,
				     len - flow.l4_offset));
}

void ipsp_nat_finish(const struct ipsp_sa *sa, struct ipsp_packet *packet)
{
	if (!ipsp_sa_in_udp(sa) || packet->data[0] >> 4 != 6)
		return;
	/* Of one packet nobody need have set it. */
	const uint32_t piece_len = packet->pieces > 1 ? packet->piece_len : packet->len;

	for (uint32_t at = 0; at < packet->len; at += piece_len) {
		const uint32_t left = packet->len - at;

		finish_one(packet->data + at, left < piece_len ? left : piece_len);
	}
}

bool ipsp_nat_came_in_udp(const struct ipsp_packet *packet)
{
	return packet->outer && packet->outer->proto == PROTO_UDP;
}

bool ipsp_nat_is_where_it_was(const struct ipsp_sa *sa, const struct ipsp_flow *outer)
{
	struct ipsp_addr addr = sa->remote;
	uint16_t port = sa->encap.sport;

	(void)ipsp_peer_get(&sa->peer, outer->family, &addr, &port);
	return port == outer->sport && (!addr.family || ipsp_addr_cmp(&addr, &outer->src) == 0);
}

void ipsp_nat_arrived(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		      const struct ipsp_packet *packet, uint64_t now_s)
{
	/* Where the peer is, is a part of an SA that packets do change. */
	struct ipsp_sa *const s = (struct ipsp_sa *)(uintptr_t)sa;
	const struct ipsp_flow *const outer = packet->outer;
	struct ipsp_sa *out = NULL;

	if (!ipsp_nat_came_in_udp(packet) || ipsp_nat_is_where_it_was(sa, outer))
		return;
	ipsp_peer_set(&s->peer, &outer->src, (uint16_t)outer->sport);
	if (sa->encap.follow_id)
		out = ipsp_sad_find(worker->engine->sad, sa->encap.follow_id);
	if (out && (out->dir != IPSP_OUTBOUND || !ipsp_sa_in_udp(out) ||
		    (out->remote.family && out->remote.family != outer->family)))
		out = NULL;
	if (out)
		ipsp_peer_set(&out->peer, &outer->src, (uint16_t)outer->sport);
	ipsp_moved(worker, sa, outer, out, now_s);
}

/* The sum of both addresses as the peer knew them, less that of those that arrived: RFC 1624 3. */
static uint16_t change_of(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	const struct ipsp_addr *const src = sa->encap.orig_src.family ? &sa->encap.orig_src :
									 &flow->src;
	const struct ipsp_addr *const dst = sa->encap.orig_dst.family ? &sa->encap.orig_dst :
									 &flow->dst;
	const uint64_t were = (uint64_t)ipsp_sum(src->octets, 16) + ipsp_sum(dst->octets, 16);
	const uint64_t are = (uint64_t)ipsp_sum(flow->src.octets, 16) +
			     ipsp_sum(flow->dst.octets, 16);

	return ipsp_sum_fold((uint16_t)~ipsp_sum_fold(were) + are);
}

static void repair_checksum(const struct ipsp_sa *sa, uint8_t *p, const struct ipsp_flow *flow)
{
	const uint32_t place = flow->proto == PROTO_TCP ? 16 : flow->proto == PROTO_UDP ? 6 : 0;
	uint8_t *const l4 = p + flow->l4_offset;
	uint16_t sum;

	if (!flow->proto_known || flow->frag != IPSP_FRAG_NONE || !place ||
	    flow->l4_offset + place + 2 > flow->total_len)
		return;
	const uint16_t was = get_be16(l4 + place);

	/* No checksum is one, in UDP. */
	if (flow->proto == PROTO_UDP && was == 0)
		return;
	if (sa->encap.orig_src.family || sa->encap.orig_dst.family) {
		sum = (uint16_t)~ipsp_sum_fold((uint64_t)(uint16_t)~was + change_of(sa, flow));
	} else {
		put_be16(l4 + place, 0);
		sum = ipsp_upper_checksum(&flow->src, &flow->dst, flow->proto, l4,
					  flow->total_len - flow->l4_offset);
	}
	put_be16(l4 + place, sum ? sum : 0xffff);
}

void ipsp_nat_repair(const struct ipsp_sa *sa, uint8_t *packet, const struct ipsp_flow *flow)
{
	if (ipsp_sa_in_udp(sa) && sa->mode != IPSP_MODE_TUNNEL)
		repair_checksum(sa, packet, flow);
}

enum ipsp_reason ipsp_nat_transport(const struct ipsp_sa *sa, const uint8_t *payload,
				    uint32_t payload_len, uint8_t next_header,
				    struct ipsp_packet *packet, struct ipsp_flow *inner)
{
	const struct ipsp_flow *const outer = packet->outer;
	const uint32_t total_len = ipsp_outer_len(outer->family) + payload_len;
	uint8_t *const p = packet->room + IPSP_HEADROOM;
	const struct ipsp_outer header = {
		.src = outer->src, .dst = outer->dst, .total_len = total_len,
		.proto = next_header, .tos = (uint8_t)(outer->dscp << 2 | outer->ecn),
		.ttl = outer->ttl, .df = true,
	};

	if (sa->remote.family && ipsp_addr_cmp(&sa->remote, &outer->src) != 0)
		return IPSP_REASON_TRANSPORT_ADDRESS;
	if (packet->room_len < IPSP_HEADROOM || total_len > packet->room_len - IPSP_HEADROOM ||
	    total_len > ipsp_packet_max(outer->family))
		return IPSP_REASON_NO_ROOM;
	/* The payload may stand in this room already. */
	memmove(p + total_len - payload_len, payload, payload_len);
	ipsp_outer_write(p, &header);
	if (ipsp_flow_parse((struct ipsp_span){ p, total_len }, inner) != IPSP_REASON_NONE)
		return IPSP_REASON_INNER;
	if (ipsp_sa_in_udp(sa))
		repair_checksum(sa, p, inner);
	packet->data = p;
	packet->len = total_len;
	packet->outer = NULL;
	return IPSP_REASON_NONE;
}
