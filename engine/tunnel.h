/*
 * engine/tunnel.h - what ESP, AH and IPComp share: the outer header of tunnel mode, which packets
 * transport mode takes, and how an inner packet comes out of either. RFC 4301 5.1.2, 5.2; RFC 6040.
 * Private to engine/. Changes the packet's octets, never its verdict.
 */
#ifndef ENGINE_TUNNEL_H
#define ENGINE_TUNNEL_H

#include "engine/internal.h"

enum {
	IPSP_NH_IPV4 = 4,
	IPSP_NH_IPV6 = 41,
	IPSP_NH_NONE = 59,
};

/** Octets of an IP packet of that family, at most. */
static inline uint32_t ipsp_packet_max(uint8_t family)
{
	return family == 4 ? 65535u : 65535u + 40u;
}

/** The next header that names an inner packet. */
static inline uint8_t ipsp_tunnel_next_header(uint8_t inner_family)
{
	return inner_family == 4 ? IPSP_NH_IPV4 : IPSP_NH_IPV6;
}

/** The ends of an outbound SA's tunnel for a packet. @return IPSP_REASON_NONE or TUNNEL_LOCAL */
enum ipsp_reason ipsp_tunnel_ends(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				  const struct ipsp_flow *flow, struct ipsp_addr *src,
				  struct ipsp_addr *dst);

#define IPSP_V6_LINK_MIN 1280u	/* RFC 8200 5: every link takes as much */

/** May the outer packet not be cut on its way? Of IPv6 only who sends it may do so. */
bool ipsp_tunnel_df(const struct ipsp_sa *sa, const struct ipsp_flow *flow);

/** Does an outbound packet fit transport mode? IPSP_REASON_NONE, TRANSPORT_ADDRESS or _FRAGMENT */
enum ipsp_reason ipsp_transport_takes(const struct ipsp_sa *sa, const struct ipsp_flow *flow);

/** What an outer header is made of, beside its SA and the inner packet. */
struct ipsp_tunnel_outer {
	const struct ipsp_addr *src, *dst;
	uint32_t total_len;	/* of the outer packet */
	uint8_t proto;		/* what follows it: enum ipsp_proto */
	uint16_t ipv4_id;	/* ipsp_next_ipv4_id; of IPv6 not read */
};

/** Writes the outer header of a tunnel at p. */
void ipsp_tunnel_write(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		       const struct ipsp_flow *inner, const struct ipsp_tunnel_outer *outer,
		       uint8_t *p);

/** Whoever has the keys has one end only. In UDP the peer may move: engine/nat.h. */
bool ipsp_tunnel_is_from_peer(const struct ipsp_sa *sa, const struct ipsp_flow *outer);

/**
 * Takes the inner packet out of a payload of tunnel mode; data and len become its own. What follows
 * it in the payload is TFC padding: RFC 4303 2.7.
 * @param outer  the packet as received
 * @param inner  out: its headers
 * @return IPSP_REASON_NONE; TUNNEL_ADDRESS, NEXT_HEADER, INNER, ECN
 */
enum ipsp_reason ipsp_tunnel_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
				    uint8_t *payload, uint32_t payload_len, uint8_t next_header,
				    struct ipsp_packet *packet, struct ipsp_flow *inner);

/** Is a payload with that next header one of tunnel mode? */
static inline bool ipsp_mode_tunnels(const struct ipsp_sa *sa, uint8_t next_header)
{
	return sa->mode == IPSP_MODE_TUNNEL ||
	       (sa->mode == IPSP_MODE_ANY &&
		(next_header == IPSP_NH_IPV4 || next_header == IPSP_NH_IPV6));
}

/**
 * By the SA's mode; IPSP_MODE_ANY by the next header.
 * @return IPSP_REASON_NONE; those of ipsp_tunnel_unwrap; TRANSPORT_ADDRESS; NO_ROOM: headers came apart
 *	   from the packet, and have no place
 */
enum ipsp_reason ipsp_mode_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
				  uint8_t *payload, uint32_t payload_len, uint8_t next_header,
				  struct ipsp_packet *packet, struct ipsp_flow *inner);

#endif
