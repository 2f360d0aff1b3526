/*
 * ike/ts.h - traffic selectors: TS payloads as sets of packets, and how two ends come to agree.
 * RFC 7296 2.9, 3.13; RFC 4301 4.4.1.2 for messages of ICMP and Mobility Headers, OPAQUE and ANY.
 *
 * A traffic selector is one side of a packet: an address range, a protocol, a port range. A set of a Child
 * SA's packets is every pair of one of TSi and one of TSr.
 */
#ifndef IKE_TS_H
#define IKE_TS_H

#include "ike/build.h"

#define IKE_TS_MAX 32u		/* selectors of one payload that are looked at */

/** One side. Ranges, ends included. */
struct ike_selector {
	uint8_t protocol;	/* 0: any */
	struct ipsp_addr lo, hi;	/* of one family */
	uint16_t port_lo, port_hi;	/* ports; messages as type * 256 + code; lo > hi: OPAQUE, 65535 to 0 */
};

struct ike_selectors {
	uint8_t n;
	struct ike_selector s[IKE_TS_MAX];
};

/** Both sides of a packet, or of packets. */
struct ike_pair {
	struct ike_selector ours, theirs;
};

/** Reads the body of a TS payload; types that are not known are left out. False: *why. */
IPSP_MUST_CHECK bool ike_selectors_read(struct ipsp_span body, struct ike_selectors *out,
					struct ike_fault *why);

/** Writes a TS payload, IKE_PAYLOAD_TSi or TSr. */
void ike_selectors_write(const struct ike_selectors *s, uint8_t payload, struct ike_builder *b);

/** ICMP, ICMPv6 and the Mobility Header, which have types and codes in the place of ports. */
bool ike_has_messages(uint8_t protocol);

/** What both have of a side. @return false: nothing */
bool ike_selector_meet(const struct ike_selector *a, const struct ike_selector *b,
		       struct ike_selector *out);

/** Is all of a in b? */
bool ike_selector_within(const struct ike_selector *a, const struct ike_selector *b);

/**
 * What both sets have, in the order of theirs: RFC 7296 2.9. Without what stands inside another one.
 * @return false: nothing, or a set too large to be said
 */
IPSP_MUST_CHECK bool ike_selectors_narrow(const struct ike_selectors *theirs,
					  const struct ike_selectors *ours,
					  struct ike_selectors *out);

/** Is each of a in one of b? */
bool ike_selectors_within(const struct ike_selectors *a, const struct ike_selectors *b);

/**
 * The two sides of a box of packets that leave here: ours is its source.
 * @return false: a box that no TS can say (a protocol range that is neither one nor any)
 */
IPSP_MUST_CHECK bool ike_selector_of_box(const struct ipsp_selector *box, struct ike_selector *ours,
					 struct ike_selector *theirs);

/** The box of packets that leave here between two sides of one family. False: there is none. */
IPSP_MUST_CHECK bool ike_selector_box(const struct ike_selector *ours,
				      const struct ike_selector *theirs, struct ipsp_selector *out);

#define IKE_SELECTOR_TEXT 128
/** "10.1.0.0-10.1.255.255[6/80]" into buf; returns buf. */
const char *ike_selector_text(const struct ike_selector *s, char buf[IKE_SELECTOR_TEXT]);

#endif
