/*
 * ipsp/types.h - the plain values of libipsp: errors, addresses, directions.
 *
 * libipsp is freestanding: it does no I/O, reads no clock, takes no lock in the packet path and
 * allocates nothing per packet. Time, memory, randomness and crypto come in through the platform
 * table (ipsp/platform.h). All numbers are in host order but where a name ends in _be.
 */
#ifndef IPSP_TYPES_H
#define IPSP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPSP_MUST_CHECK __attribute__((warn_unused_result))

/** What a call could not do. Packets that are dropped are not errors: see ipsp/reason.h. */
enum ipsp_err {
	IPSP_OK = 0,
	IPSP_EINVAL,	/* an argument no caller should give: sizes, unknown numbers */
	IPSP_ENOMEM,	/* the platform gave no memory */
	IPSP_EEXIST,	/* such an SA or entry is there already */
	IPSP_ENOENT,	/* no such SA or entry */
	IPSP_ENOTSUP,	/* the algorithm or form is not offered here */
	IPSP_EKEYLEN,	/* the key does not fit the algorithm */
	IPSP_EREPLAY,	/* sequence number seen already, RFC 4303 3.4.3 */
	IPSP_EOLD,	/* sequence number left of the window */
	IPSP_EICV,	/* integrity check failed */
	IPSP_EOVERFLOW,	/* the sequence counter is used up, RFC 4303 3.3.3 */
	IPSP_EMALFORMED,/* octets that are not what they should be */
	IPSP_ENOSPC,	/* the caller's buffer is too small */
	IPSP_ECRYPTO,	/* the provider failed */
	IPSP_EEXPIRED,	/* the SA's lifetime is over */
	IPSP_EPOLICY,	/* policy does not allow it */
	IPSP_EAGAIN,	/* not now: it may succeed later */
	IPSP_ETOOBIG,	/* the packet is longer than its path takes */
	IPSP_EIO,	/* what carries packets has failed */
};

/** @return "key length" and so on: a short English name for logs. */
const char *ipsp_err_text(enum ipsp_err err);

/** Octets that are not ours: borrowed for the call unless said otherwise. */
struct ipsp_span {
	const uint8_t *data;
	size_t len;
};

/** Traffic leaving (outbound) or entering (inbound) the device; the numbers of IfDirection. */
enum ipsp_dir {
	IPSP_INBOUND = 1,
	IPSP_OUTBOUND = 2,
};

/** An IP address. family 4, 6, or 0: none. IPv4 uses the first four octets, the rest is zero. */
struct ipsp_addr {
	uint8_t family;
	uint8_t octets[16];	/* as on the wire */
};

/** Address octets of a family: 4, 16, or 0. */
static inline size_t ipsp_addr_size(uint8_t family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

/** -1, 0, 1; families first, then octets as one big-endian number. */
int ipsp_addr_cmp(const struct ipsp_addr *a, const struct ipsp_addr *b);

/** First and last address of a prefix. prefix_len above the family's bits is IPSP_EINVAL. */
IPSP_MUST_CHECK enum ipsp_err ipsp_addr_prefix(const struct ipsp_addr *a, unsigned prefix_len,
					       struct ipsp_addr *lo, struct ipsp_addr *hi);

#define IPSP_ADDR_TEXT 46	/* room for any printed address and its NUL */

/** Prints 192.0.2.1 or RFC 5952 form into buf[IPSP_ADDR_TEXT]; "any" for family 0. Returns buf. */
const char *ipsp_addr_print(const struct ipsp_addr *a, char buf[IPSP_ADDR_TEXT]);

/**
 * A set of packets as one box: an interval in each dimension, all ends included. RFC 4301 4.4.1.1.
 * Source and destination are the packet's own, whatever its direction.
 */
struct ipsp_selector {
	uint8_t family;			/* 4 or 6 */
	uint8_t proto_lo, proto_hi;	/* next layer protocol; 0..255: any */
	uint8_t dscp_lo, dscp_hi;	/* 0..63: any */
	uint8_t hides;			/* enum ipsp_hides */
	uint32_t flow_lo, flow_hi;	/* IPv6 flow label; 0..0xfffff: any; IPv4: always any */
	uint32_t sport_lo, sport_hi;	/* 0..IPSP_PORT_NONE: any, see below */
	uint32_t dport_lo, dport_hi;	/* 0..IPSP_PORT_NONE: any */
	struct ipsp_addr src_lo, src_hi;
	struct ipsp_addr dst_lo, dst_hi;
};

/*
 * The line of ports, so that nothing stands for two things:
 *
 *	0 .. 65535			ports, of protocols that have them
 *	IPSP_PORT_MESSAGE + 0 .. 65535	what a message is: type * 256 + code of ICMP and ICMPv6, type * 256
 *					of a Mobility Header (RFC 4301 4.4.1.1). Stands as source port, in
 *					either direction; the destination port is IPSP_PORT_NONE
 *	IPSP_PORT_NONE			protocols with neither
 *
 * Fragments that hide theirs: see ipsp/spd.h.
 */
#define IPSP_PORT_MAX 65535u
#define IPSP_PORT_MESSAGE 0x10000u
#define IPSP_PORT_MESSAGE_MAX 0x1ffffu
#define IPSP_PORT_NONE 0x20000u

/** Is a selector for packets that hide what it could ask for? RFC 4301 4.4.1.1: OPAQUE. */
enum ipsp_hides {
	IPSP_HIDES_ANY = 0,	/* it does not matter */
	IPSP_HIDES_ONLY,	/* only for fragments without ports, message or protocol to be seen */
	IPSP_HIDES_NEVER,	/* only for others */
};

#define IPSP_FLOW_MAX 0xfffffu
#define IPSP_DSCP_MAX 63u

/** The box of every packet of a family. */
void ipsp_selector_any(uint8_t family, struct ipsp_selector *out);

/** Does it restrict ports or messages (so that a fragment without them cannot be judged)? */
bool ipsp_selector_has_ports(const struct ipsp_selector *s);

/** Is it well formed: family known, each lo at or below its hi and inside its range? */
bool ipsp_selector_valid(const struct ipsp_selector *s);

#endif
