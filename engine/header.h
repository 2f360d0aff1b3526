/*
 * engine/header.h - IP headers around ESP, AH and IPComp: made, changed, checked. RFC 4301 5.1.2, RFC 6040.
 * Private to engine/. Lengths were checked by ipsp_flow_parse before.
 */
#ifndef ENGINE_HEADER_H
#define ENGINE_HEADER_H

#include "ipsp/config.h"
#include "ipsp/flow.h"

#define IPSP_V4_DF 0x4000u	/* of the octets at 6 */
#define IPSP_V4_HEADER 20u
#define IPSP_V6_HEADER 40u
#define IPSP_V6_FRAGMENT_HEADER 8u

/** Outer header of a family, without options. */
static inline uint32_t ipsp_outer_len(uint8_t family)
{
	return family == 4 ? IPSP_V4_HEADER : IPSP_V6_HEADER;
}

struct ipsp_outer {
	struct ipsp_addr src, dst;	/* of one family */
	uint32_t total_len;
	uint16_t ipv4_id;
	uint32_t flow_label;		/* IPv6 */
	uint8_t proto;			/* what follows it */
	uint8_t tos;			/* DSCP and ECN */
	uint8_t ttl;
	bool df;
};

/** Writes an outer header at p. The IPv6 flow label is 0: 5.1.2.2 (8). */
void ipsp_outer_write(uint8_t *p, const struct ipsp_outer *outer);

/** Puts a protocol and a length into a packet's own headers, and the IPv4 checksum right. */
void ipsp_header_update(uint8_t *p, uint8_t family, uint32_t nh_offset, uint8_t proto,
			uint32_t total_len);

/** Lowers TTL or hop limit by one. False: it would reach 0, nothing changed. */
bool ipsp_ttl_decrement(uint8_t *p, uint8_t family);

/**
 * What the inner ECN becomes under an outer one: RFC 6040 4.2.
 * @param out  0..3; written on true
 * @return false: the packet must be dropped
 */
bool ipsp_ecn_combine(uint8_t outer, uint8_t inner, uint8_t *out);

/** Sets the ECN field. */
void ipsp_ecn_set(uint8_t *p, uint8_t family, uint8_t ecn);

/**
 * Finishes a checksum of which only the pseudo header's part stands in its place.
 * @return false: its place is not inside of len; nothing changed
 */
bool ipsp_checksum_finish(uint8_t *p, uint32_t len, uint32_t start, uint32_t offset);

/**
 * Checksum of a next layer protocol over IPv6: RFC 8200 8.1. Never 0.
 * @param p  its header, with 0 where the checksum goes, and its data: len octets
 */
uint16_t ipsp_upper_checksum(const struct ipsp_addr *src, const struct ipsp_addr *dst,
			     uint8_t proto, const uint8_t *p, uint32_t len);

#endif
