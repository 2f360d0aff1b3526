/*
 * engine/like.h - packets that are like one before them: one comparison instead of reading headers
 * again. Private to engine/.
 *
 * Two packets are alike if ipsp_flow_parse says the same of both, but for total_len. Of IPv4 without
 * options and of IPv6 without extension headers, no fragments, all that it reads stands in the first
 * octets; lengths, identification and header checksum are left out.
 *
 *	IPv4   | version .. TOS |  -  |  -  | DF, TTL, protocol |  -  | addresses | ports, message or SPI |
 *	IPv6   | version .. label |  -  | next header, hop limit | addresses | ports, message or SPI |
 */
#ifndef ENGINE_LIKE_H
#define ENGINE_LIKE_H

#include <string.h>

#include "ipsp/flow.h"
#include "spd/octets.h"

#define IPSP_LIKE_V4 24u	/* octets that are looked at */
#define IPSP_LIKE_V6 44u
#define IPSP_LIKE_WORDS 6u	/* as many as cover them; the last two of IPv6 overlap */

struct ipsp_like {
	uint32_t octets;	/* IPSP_LIKE_V4 or _V6; UINT32_MAX: no packet is like this */
	uint64_t words[IPSP_LIKE_WORDS], masks[IPSP_LIKE_WORDS];
};

static inline uint64_t ipsp_like_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/** Where the words begin in the header. */
static inline uint32_t ipsp_like_at(uint32_t word)
{
	return word == 5 ? 36 : word * 8;
}

/** Octets of a packet by its own header. len is enough for that. */
static inline uint32_t ipsp_like_total(const struct ipsp_like *like, const uint8_t *p)
{
	return like->octets == IPSP_LIKE_V4 ? get_be16(p + 2) : 40u + get_be16(p + 4);
}

/**
 * What packets like this one have in common.
 * @param packet    begins with the IP header
 * @param flow      what ipsp_flow_parse said of it
 * @param selected  octets of the next layer protocol that count, 4 at most
 * @return false: it has options, extension headers or is a fragment: none is like it
 */
bool ipsp_like_of(const uint8_t *packet, const struct ipsp_flow *flow, uint32_t selected,
		  struct ipsp_like *out);

/**
 * Is a packet like that?
 * @param total_len  out: its own, which is all that differs; no more than len
 */
static inline bool ipsp_is_like(const struct ipsp_like *like, const uint8_t *p, uint32_t len,
				uint32_t *total_len)
{
	uint64_t differs;

	if (len < like->octets)
		return false;
	differs = ((ipsp_like_word(p) ^ like->words[0]) & like->masks[0]) |
		  ((ipsp_like_word(p + 8) ^ like->words[1]) & like->masks[1]) |
		  ((ipsp_like_word(p + 16) ^ like->words[2]) & like->masks[2]);
	if (like->octets != IPSP_LIKE_V4)
		differs |= ((ipsp_like_word(p + 24) ^ like->words[3]) & like->masks[3]) |
			   ((ipsp_like_word(p + 32) ^ like->words[4]) & like->masks[4]) |
			   ((ipsp_like_word(p + 36) ^ like->words[5]) & like->masks[5]);
	*total_len = ipsp_like_total(like, p);
	return differs == 0 && *total_len >= like->octets && *total_len <= len;
}

/**
 * A hash of what tells flows apart: addresses, and what is selected of TCP and UDP. Packets that are
 * alike have the same one. len: 1 or more
 */
static inline uint32_t ipsp_like_hash(const uint8_t *p, uint32_t len)
{
	const uint8_t *l4 = p + 20;
	uint64_t h;
	uint32_t proto;

	if (p[0] >> 4 == 4 && len >= IPSP_LIKE_V4) {
		proto = p[9];
		h = ipsp_like_word(p + 12);
	} else if (p[0] >> 4 == 6 && len >= IPSP_LIKE_V6) {
		proto = p[6];
		l4 = p + 40;
		h = ipsp_like_word(p + 8) * 3 + ipsp_like_word(p + 16) * 5 +
		    ipsp_like_word(p + 24) * 7 + ipsp_like_word(p + 32);
	} else {
		return 0;
	}
	h *= 0x9e3779b97f4a7c15u;
	if (proto == 6 || proto == 17)
		h ^= (uint64_t)get_be32(l4) * 0xc2b2ae3d27d4eb4fu;
	h = (h ^ h >> 32) * 0xff51afd7ed558ccdu;
	return (uint32_t)(h >> 40);
}

#endif
