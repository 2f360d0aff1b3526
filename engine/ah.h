/*
 * engine/ah.h - one packet into AH and out of it, but for the crypto between. RFC 4302 2, 3.
 * Private to engine/. Changes the packet's octets, never its verdict.
 */
#ifndef ENGINE_AH_H
#define ENGINE_AH_H

#include "engine/ah_fields.h"
#include "engine/internal.h"
#include "ipsp/crypto.h"

#define IPSP_AH_HEADER 12u	/* without the ICV */

/** IV, ICV and padding: AES-GMAC has an IV in the ICV field, RFC 4543 4; IPv6 pads to 8 octets. */
#define IPSP_AH_MAX (IPSP_AH_HEADER + IPSP_IV_MAX + IPSP_ICV_MAX + 4)

/** Octets of AH with its ICV and padding, in packets of a family. */
uint32_t ipsp_ah_size(const struct ipsp_sa *sa, uint8_t family);

/** How a clear packet will lie in its AH packet. */
struct ipsp_ah_plan {
	struct ipsp_addr src, dst;	/* tunnel mode: of the outer header */
	uint32_t headers_len;		/* octets before AH */
	uint32_t ah_len;
	uint32_t grow;			/* octets in front of the clear packet */
	uint32_t total_len;		/* of the AH packet with its headers */
	uint8_t next_header;
};

/** What one packet's ICV is made of. Spans point into it and into the packet: not to be moved. */
struct ipsp_ah_work {
	struct ipsp_span spans[4];
	uint8_t headers[IPSP_AH_HEADERS_MAX];	/* in the form that is covered */
	uint8_t ah[IPSP_AH_MAX];		/* with zeros for IV and ICV */
	uint8_t seq_hi[4];
};

/**
 * Can this packet go through this SA, and how? Changes nothing.
 * @param headers  the packet's, as long as flow says
 * @return IPSP_REASON_NONE; TRANSPORT_ADDRESS, TRANSPORT_FRAGMENT, TUNNEL_LOCAL, TOO_BIG; MALFORMED,
 *	   EXTENSIONS: headers that cannot be covered
 */
enum ipsp_reason ipsp_ah_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
			      const uint8_t *headers, const struct ipsp_flow *flow,
			      struct ipsp_ah_plan *plan);

/**
 * Lays the AH packet out by a plan. data and len become the outer packet's.
 * @param iv    shape.iv_len random octets; not read if the IV is the number
 * @param work  out: what op points to
 * @param op    out: ready for auth
 * @return IPSP_REASON_NONE; MALFORMED, EXTENSIONS: as ipsp_ah_plan, when it was not asked
 */
enum ipsp_reason ipsp_ah_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				const struct ipsp_flow *flow, const struct ipsp_ah_plan *plan,
				uint64_t seq, const uint8_t *iv, struct ipsp_packet *packet,
				struct ipsp_ah_work *work, struct ipsp_auth_op *op);

/**
 * Finds what a received AH packet's ICV covers.
 * @param flow  of the packet as received; protocol AH, no fragment, IPSP_AH_HEADER octets of it there
 * @param seq   full number, from the replay window
 * @return IPSP_REASON_NONE; AH_SHORT: its length is not that of its algorithm; MALFORMED, EXTENSIONS
 */
enum ipsp_reason ipsp_ah_locate(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				uint64_t seq, const struct ipsp_packet *packet,
				struct ipsp_ah_work *work, struct ipsp_auth_op *op);

/**
 * Takes AH, and in tunnel mode the outer header, away from a packet that was verified. On
 * IPSP_REASON_NONE data and len are the clear packet's and inner has its headers.
 * @return IPSP_REASON_NONE; NEXT_HEADER, INNER, ECN, TUNNEL_ADDRESS, TRANSPORT_ADDRESS
 */
enum ipsp_reason ipsp_ah_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				struct ipsp_packet *packet, struct ipsp_flow *inner);

#endif
