/*
 * engine/pmtu.h - how large a packet an SA can carry, and what becomes of a larger one. RFC 4301 8,
 * 5.1.2.1; RFC 1191, 8201, 2473 7. Private to engine/.
 *
 * The path of an SA is what its ESP or AH packets take: the link they leave by, as the platform
 * knows it, or less, as an ICMP error said that quotes one of its packets. What was learned ends
 * after a while, so that a path that has become wider is found (RFC 1191 6.3).
 */
#ifndef ENGINE_PMTU_H
#define ENGINE_PMTU_H

#include "engine/icmp.h"
#include "engine/internal.h"

/** Numbers back from the last one sent that a quoted packet may bear. */
#define IPSP_QUOTE_WINDOW (1u << 20)

#define IPSP_PATH_V4_MIN 576u	/* what an error can bring a path down to: RFC 791 */
#define IPSP_PATH_V6_MIN 1280u	/* RFC 8200 5 */

/** What becomes of a packet. */
enum ipsp_path_fit {
	IPSP_PATH_FITS,
	IPSP_PATH_CUT,		/* its outer packet is longer than the path, and may be cut */
	IPSP_PATH_CUT_INNER,	/* it is to be cut before it goes through the SA */
	IPSP_PATH_TELL,		/* neither: drop it, and tell its sender what would fit */
};

/** What the SA's packets to dst can be long; UINT32_MAX: nothing is known. */
uint32_t ipsp_path_mtu(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		       const struct ipsp_addr *dst, uint64_t now_s);

/** The same of where a packet with these headers goes by the SA. */
uint32_t ipsp_path_mtu_of(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
			  const struct ipsp_flow *flow, uint64_t now_s);

/**
 * @param flow       the clear packet's headers
 * @param outer_len  of what it would become
 */
enum ipsp_path_fit ipsp_path_judge(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				   uint32_t outer_len, uint32_t mtu);

/**
 * The longest packet of which the SA makes one that is not longer than mtu, to the octet. Without
 * compression, and without padding that hides its length.
 * @param family       of what it makes
 * @param headers_len  that stand before ESP or AH: in tunnel mode the outer header
 * @param mtu          UINT32_MAX: not known, as is the result
 * @return 0: none
 */
uint32_t ipsp_path_inner(const struct ipsp_sa *sa, uint8_t family, uint32_t headers_len,
			 uint32_t mtu);

/** The other way: how long is what it makes of a packet of len octets? */
uint32_t ipsp_path_outer(const struct ipsp_sa *sa, uint8_t family, uint32_t headers_len,
			 uint32_t len);

enum ipsp_path_heard {
	IPSP_PATH_NOT_OURS,	/* the quoted packet came from no SA of ours */
	IPSP_PATH_LEARNED,
	IPSP_PATH_IGNORED,	/* old, impossible, nothing new, or not to be listened to */
};

/** Takes what an error says about an SA's packet. */
enum ipsp_path_heard ipsp_path_hear(struct ipsp_engine *engine, const struct ipsp_icmp *icmp,
				    uint64_t now_s);

#endif
