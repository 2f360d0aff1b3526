/*
 * engine/nat.h - SAs with UDP encapsulation: what a NAT between the ends makes necessary. RFC 3948.
 * Private to engine/.
 *
 *	inbound		data of a packet is the ESP header, and outer the datagram it came in
 *	outbound	[ IP ][ UDP ][ ESP ...	the UDP header stands where headers end
 */
#ifndef ENGINE_NAT_H
#define ENGINE_NAT_H

#include "engine/internal.h"
#include "ipsp/udp_encap.h"

static inline bool ipsp_sa_in_udp(const struct ipsp_sa *sa)
{
	return sa->encap.type == IPSP_ENCAP_UDP;
}

/** Octets between the IP headers and the ESP header. */
static inline uint32_t ipsp_nat_len(const struct ipsp_sa *sa)
{
	return ipsp_sa_in_udp(sa) ? IPSP_UDP_HEADER : 0;
}

/** What follows the IP headers of the SA's packets: enum ipsp_proto, or UDP. */
uint8_t ipsp_nat_proto(const struct ipsp_sa *sa);

/** Where an outbound tunnel goes now; dst is as it was if the peer was never seen elsewhere. */
void ipsp_nat_dst(const struct ipsp_sa *sa, struct ipsp_addr *dst);

/**
 * Writes the UDP header before the ESP header; nothing if the SA has none. The checksum is 0 (RFC
 * 3948 2.1).
 * @param esp_len  octets from the ESP header to the end of the packet
 */
void ipsp_nat_write(const struct ipsp_sa *sa, uint8_t *udp, uint32_t esp_len);

/** Puts the UDP checksums of a sealed packet's pieces right, which IPv6 needs: RFC 8200 8.1. */
void ipsp_nat_finish(const struct ipsp_sa *sa, struct ipsp_packet *packet);

/** Did it come in UDP, and its data is the ESP header? */
bool ipsp_nat_came_in_udp(const struct ipsp_packet *packet);

/**
 * Does a datagram come from where the SA's peer was last: as an authenticated packet said, or as the SA
 * was configured?
 */
bool ipsp_nat_is_where_it_was(const struct ipsp_sa *sa, const struct ipsp_flow *outer);

/**
 * A packet of an SA has been authenticated: notes where it came from, if it came in UDP and that is
 * news.
 */
void ipsp_nat_arrived(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		      const struct ipsp_packet *packet, uint64_t now_s);

/**
 * Transport mode of a packet whose headers do not stand in front of it: puts it together in its room,
 * with the datagram's addresses and right checksums (RFC 3948 3.1.2). It is one like any other then:
 * its outer is NULL.
 * @return IPSP_REASON_NONE; TRANSPORT_ADDRESS, NO_ROOM, INNER
 */
enum ipsp_reason ipsp_nat_transport(const struct ipsp_sa *sa, const uint8_t *payload,
				    uint32_t payload_len, uint8_t next_header,
				    struct ipsp_packet *packet, struct ipsp_flow *inner);

/**
 * The same for checksums alone, behind IPComp: what it hid when the SA around it was undone.
 * @param sa  that one; nothing is done if it is not in UDP and in transport mode
 */
void ipsp_nat_repair(const struct ipsp_sa *sa, uint8_t *packet, const struct ipsp_flow *flow);

#endif
