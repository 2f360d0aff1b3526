/*
 * ipsp/udp_encap.h - ESP in UDP: the header put in and taken out. RFC 3948 2, 3.4, 3.5.
 *
 * Only headers: which ports and which SA is the caller's business. No I/O, no allocation.
 */
#ifndef IPSP_UDP_ENCAP_H
#define IPSP_UDP_ENCAP_H

#include "ipsp/engine.h"

#define IPSP_UDP_HEADER 8u
#define IPSP_UDP_PORT 4500u	/* both sides, unless a NAT changes one */

/** What a datagram from or to such a port carries, RFC 3948 2. */
enum ipsp_udp_kind {
	IPSP_UDP_OTHER,		/* too short for anything, or UDP's length is wrong */
	IPSP_UDP_KEEPALIVE,	/* one octet 0xff, 2.3 */
	IPSP_UDP_IKE,		/* four zero octets, then IKE: 2.2 */
	IPSP_UDP_ESP,		/* anything else of eight octets or more: 2.1 */
};

/**
 * Looks at a datagram; changes nothing. The UDP checksum is not looked at: 2.1 and 3.4 leave it
 * to ESP's ICV.
 * @param packet  begins with the IP header
 * @param flow    what ipsp_flow_parse said of it: UDP, no fragment
 */
enum ipsp_udp_kind ipsp_udp_kind(struct ipsp_span packet, const struct ipsp_flow *flow);

/**
 * Takes the UDP header out of a packet for which ipsp_udp_kind said ESP: what is left is plain ESP
 * of the same addresses. data moves on by IPSP_UDP_HEADER, len shrinks by at least as much.
 */
void ipsp_udp_strip(struct ipsp_packet *packet, const struct ipsp_flow *flow);

/**
 * Puts a UDP header before the ESP header. The checksum is 0 in IPv4 (2.1) and right in IPv6 (RFC
 * 8200 8.1).
 * @param packet  an ESP packet; data moves back by IPSP_UDP_HEADER
 * @param flow    what ipsp_flow_parse says of it: ESP, no fragment
 * @return IPSP_REASON_NONE; NO_ROOM, TOO_BIG: nothing changed
 */
IPSP_MUST_CHECK enum ipsp_reason ipsp_udp_wrap(struct ipsp_packet *packet,
					       const struct ipsp_flow *flow, uint16_t sport,
					       uint16_t dport);

#endif
