/*
 * ipsp/fragment.h - cuts a packet into fragments. RFC 791 3.2, RFC 8200 4.5.
 *
 * Judges nothing: whether a packet may be cut, and who may cut it, is the caller's business.
 * No I/O, no allocation.
 */
#ifndef IPSP_FRAGMENT_H
#define IPSP_FRAGMENT_H

#include "ipsp/flow.h"

/** Octets of a header that stand before each fragment's data: the IPv4 header with all options. */
#define IPSP_CUT_HEADERS_V4 60u

/** A packet that is being cut. */
struct ipsp_cutter {
	const uint8_t *packet;	/* IP header; borrowed until the last fragment */
	uint32_t len;
	uint32_t mtu;
	uint32_t data_at;	/* where the data that is cut begins: behind what each fragment has */
	uint32_t at;		/* octets of it that fragments have had */
	uint32_t nh_offset;	/* IPv6: the octet that will name the fragment header */
	uint32_t id;		/* IPv6 */
	uint8_t family;
};

/**
 * @param packet  stays as it is; IPv4: may be a fragment itself
 * @param flow    what ipsp_flow_parse said of it
 * @param mtu     no fragment is longer
 * @param v6_id   IPv6: identification, not to be guessed (RFC 7739), new for each packet
 * @return false: mtu is too small for any data, IPv6: a fragment already; not DF: see above
 */
IPSP_MUST_CHECK bool ipsp_cut_begin(struct ipsp_cutter *c, const uint8_t *packet,
				    const struct ipsp_flow *flow, uint32_t mtu, uint32_t v6_id);

/**
 * Writes the next fragment.
 * @param out  mtu octets, apart from the packet's
 * @return its length; 0: there is none left
 */
uint32_t ipsp_cut_next(struct ipsp_cutter *c, uint8_t *out);

#endif
