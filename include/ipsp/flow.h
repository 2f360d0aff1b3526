/*
 * ipsp/flow.h - what a packet's headers say: the selectors' side of RFC 4301 4.4.1.1.
 *
 * Reads a hostile packet and nothing else. IPv6: hop-by-hop options, routing, fragment and
 * destination options headers are passed over; any other next header is the next layer protocol.
 */
#ifndef IPSP_FLOW_H
#define IPSP_FLOW_H

#include "ipsp/reason.h"
#include "ipsp/types.h"

enum ipsp_frag {
	IPSP_FRAG_NONE = 0,
	IPSP_FRAG_FIRST,	/* offset 0, more to come */
	IPSP_FRAG_LATER,	/* offset above 0 */
};

/** Extension headers that a packet may have before we give up on it. */
#define IPSP_FLOW_EXTENSIONS_MAX 16

struct ipsp_flow {
	/*
	 * All that selectors look at, and nothing else: packets whose first IPSP_FLOW_KEY octets are
	 * equal meet the same SPD entry, unless a predicate or a time is asked. So no gap is here.
	 */
	struct ipsp_addr src, dst;
	uint8_t family;		/* 4 or 6 */
	uint8_t proto;		/* next layer protocol; 0 unless proto_known */
	uint8_t dscp;
	uint8_t frag;		/* enum ipsp_frag */
	bool proto_known;	/* false: IPv6 fragment that starts inside extension headers */
	bool ports_known;	/* false: the protocol has ports or messages that it does not show */
	uint32_t flow_label;	/* IPv6; else 0 */
	uint32_t sport, dport;	/* as in selectors; IPSP_PORT_NONE also: not known */

	/* what is not selected by */
	uint8_t ecn;		/* 0..3 */
	uint8_t ttl;		/* TTL or hop limit */
	bool df;		/* IPv4: don't fragment */
	uint32_t total_len;	/* octets by its own header; the rest is link padding */
	uint32_t l4_offset;	/* where the next layer protocol begins */
	uint32_t l4_nh_offset;	/* the octet that names it */
	uint32_t esp_offset;	/* where ESP goes in transport mode, RFC 4303 3.1.1 */
	uint32_t esp_nh_offset;	/* the octet that names what stands at esp_offset */

	/* Of a fragment (frag is not NONE); else 0. RFC 791 3.2, RFC 8200 4.5. */
	uint32_t frag_id;
	uint32_t frag_offset;	/* of its data in the datagram's, in octets */
	uint32_t frag_at;	/* where its data begins in the packet */
	uint32_t frag_nh_offset;	/* IPv6: the octet that names the fragment header */
	bool frag_more;		/* it is not the datagram's end */
};

#define IPSP_FLOW_KEY 52u

_Static_assert(offsetof(struct ipsp_flow, dport) + sizeof(uint32_t) == IPSP_FLOW_KEY &&
		       offsetof(struct ipsp_flow, flow_label) == 40,
	       "selectors' fields have no gap between them and come first");

/**
 * Reads the headers.
 * @param packet  begins with the IP header
 * @param out     good on IPSP_REASON_NONE only
 * @return IPSP_REASON_NONE, or why this is no packet: VERSION, TRUNCATED, MALFORMED (also: a
 *	   whole packet too short for the ports or message of its protocol), EXTENSIONS, JUMBO
 */
IPSP_MUST_CHECK enum ipsp_reason ipsp_flow_parse(struct ipsp_span packet, struct ipsp_flow *out);

/** TCP, UDP, UDP-Lite, SCTP and DCCP begin with two ports. */
bool ipsp_proto_has_ports(uint8_t proto);

/** ICMP, ICMPv6 and Mobility Headers have types, and ICMP codes. */
bool ipsp_proto_has_messages(uint8_t proto);

/** Octets at the beginning of the next layer protocol that selectors look at; 0: none. */
uint32_t ipsp_proto_selected(uint8_t proto);

#endif
