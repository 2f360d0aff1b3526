/*
 * engine/udp_encap.c - the UDP header before ESP. RFC 3948 2, 3.4, 3.5; RFC 768; RFC 8200 8.1.
 */
#include <string.h>

#include "engine/header.h"
#include "ipsp/udp_encap.h"
#include "spd/octets.h"

#define PROTO_UDP 17
#define ESP_MIN 8u	/* SPI and sequence number */
#define UDP_MAX 65535u

/* Of the UDP payload; false: UDP's length and the packet's do not fit. */
static bool payload_of(const uint8_t *p, const struct ipsp_flow *flow, uint32_t *len)
{
	uint32_t room = flow->total_len - flow->l4_offset;
	uint32_t udp_len = room >= IPSP_UDP_HEADER ? get_be16(p + flow->l4_offset + 4) : 0;

	if (udp_len < IPSP_UDP_HEADER || udp_len > room)
		return false;
	*len = udp_len - IPSP_UDP_HEADER;
	return true;
}

enum ipsp_udp_kind ipsp_udp_kind(struct ipsp_span packet, const struct ipsp_flow *flow)
{
	const uint8_t *payload = packet.data + flow->l4_offset + IPSP_UDP_HEADER;
	uint32_t len;

	if (!payload_of(packet.data, flow, &len))
		return IPSP_UDP_OTHER;
	if (len == 1 && payload[0] == 0xff)
		return IPSP_UDP_KEEPALIVE;
	if (len < 4)
		return IPSP_UDP_OTHER;
	if (get_be32(payload) == 0)
		return IPSP_UDP_IKE;
	return len >= ESP_MIN ? IPSP_UDP_ESP : IPSP_UDP_OTHER;
}

void ipsp_udp_strip(struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	uint8_t *p = packet->data + IPSP_UDP_HEADER;
	uint32_t len;

	if (!payload_of(packet->data, flow, &len))
		return;
	memmove(p, packet->data, flow->l4_offset);
	packet->data = p;
	packet->len = flow->l4_offset + len;
	ipsp_header_update(p, flow->family, flow->l4_nh_offset, IPSP_PROTO_ESP, packet->len);
}

enum ipsp_reason ipsp_udp_wrap(struct ipsp_packet *packet, const struct ipsp_flow *flow,
			       uint16_t sport, uint16_t dport)
{
	uint32_t udp_len = flow->total_len - flow->l4_offset + IPSP_UDP_HEADER;
	uint32_t total_len = flow->total_len + IPSP_UDP_HEADER;
	uint8_t *p = packet->data - IPSP_UDP_HEADER;
	uint8_t *udp = p + flow->l4_offset;

	if ((size_t)(packet->data - packet->room) < IPSP_UDP_HEADER)
		return IPSP_REASON_NO_ROOM;
	if (udp_len > UDP_MAX || total_len - (flow->family == 4 ? 0 : IPSP_V6_HEADER) > UDP_MAX)
		return IPSP_REASON_TOO_BIG;
	memmove(p, packet->data, flow->l4_offset);
	packet->data = p;
	packet->len = total_len;
	ipsp_header_update(p, flow->family, flow->l4_nh_offset, PROTO_UDP, total_len);
	put_be16(udp, sport);
	put_be16(udp + 2, dport);
	put_be16(udp + 4, (uint16_t)udp_len);
	put_be16(udp + 6, 0);
	if (flow->family == 6)
		put_be16(udp + 6, ipsp_upper_checksum(&flow->src, &flow->dst, PROTO_UDP, udp,
						      udp_len));
	return IPSP_REASON_NONE;
}
