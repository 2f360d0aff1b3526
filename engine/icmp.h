/*
 * engine/icmp.h - ICMP errors: read, and written in place of the packet they are about. RFC 792,
 * 1191, 1812 4.3.2, 4443, 8201; RFC 4301 6, 8.2. Private to engine/.
 */
#ifndef ENGINE_ICMP_H
#define ENGINE_ICMP_H

#include "ipsp/engine.h"

/** Octets of a quoted packet that are looked at: its headers, and some behind them. */
#define IPSP_QUOTE_MAX 256u

enum { IPSP_PROTO_ICMP = 1, IPSP_PROTO_ICMPV6 = 58 };

/** An ICMP error. */
struct ipsp_icmp {
	bool too_big;		/* fragmentation needed, packet too big */
	uint32_t mtu;		/* too_big: as the message says; 0: an old router says nothing */
	uint32_t quoted_len;	/* of the packet it is about, by its own header */
	struct ipsp_flow flow;	/* that packet's headers, as far as they were quoted */
	uint32_t l4_len;	/* octets quoted from its next layer protocol on, and the first of them: */
	uint8_t l4[16];
};

/** ICMP or ICMPv6, whole? */
static inline bool ipsp_flow_is_icmp(const struct ipsp_flow *f)
{
	return f->proto_known && f->frag == IPSP_FRAG_NONE &&
	       f->proto == (f->family == 4 ? IPSP_PROTO_ICMP : IPSP_PROTO_ICMPV6);
}

/**
 * Reads the ICMP error in a packet, with its checksum.
 * @param flow  the packet's: ICMP or ICMPv6, no fragment
 * @return false: no error, or what it quotes is not to be understood
 */
bool ipsp_icmp_read(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
		    struct ipsp_icmp *out);

/** Source for destination and back: the flow of the traffic that goes the other way. */
void ipsp_flow_reverse(struct ipsp_flow *flow);

enum ipsp_icmp_error {
	IPSP_ICMP_TOO_BIG,		/* with the largest packet that will fit */
	IPSP_ICMP_TIME_EXCEEDED,	/* in transit */
};

/**
 * Makes of a packet the error that tells its sender; it keeps as much of the packet as it may
 * quote. In the packet's own room.
 * @param flow    the packet's
 * @param source  of the packet's family; NULL: the packet's own destination
 * @return false: none is to be sent about such a packet (RFC 1122 3.2.2, RFC 4443 2.4), or there is
 *	   no room; nothing changed
 */
bool ipsp_icmp_write(struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     enum ipsp_icmp_error error, uint32_t mtu, const struct ipsp_addr *source);

#endif
