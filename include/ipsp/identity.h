/*
 * ipsp/identity.h - one side of a policy as text: addresses and ports. RFC 4301 4.4.1.1.
 *
 *	any, any6			every address of IPv4, of IPv6
 *	192.0.2.1			a host
 *	192.0.2.0/24			a prefix, by length
 *	192.0.2.0/255.255.255.0		by mask
 *	192.0.2.40-192.0.2.60		a range, both ends included
 *
 * each of either family (masks: IPv4), and each with ports: ",1500" or ",1500-1510" behind the
 * whole or behind the first address ("192.0.2.0,1500/24"), or "[2001:db8::1]:1500" of a host. Port
 * 0 is any port.
 */
#ifndef IPSP_IDENTITY_H
#define IPSP_IDENTITY_H

#include "ipsp/types.h"

struct ipsp_identity {
	struct ipsp_addr lo, hi;	/* same family; lo at or below hi */
	uint32_t port_lo, port_hi;	/* 0 .. IPSP_PORT_NONE: any */
};

/** What is wrong with a text. */
enum ipsp_identity_fault {
	IPSP_IDENTITY_OK = 0,
	IPSP_IDENTITY_FORM,	/* none of the forms above */
	IPSP_IDENTITY_RANGE,	/* a prefix or mask that is none, or ends of a range that do not fit */
	IPSP_IDENTITY_PORT,	/* not 0..65535, or a range that runs back */
};

/** "address form", "address range", "port number"; "none" for OK. */
const char *ipsp_identity_fault_text(enum ipsp_identity_fault fault);

/**
 * Reads such a text.
 * @param out  written only on IPSP_IDENTITY_OK
 */
IPSP_MUST_CHECK enum ipsp_identity_fault ipsp_identity_parse(const char *text,
							     struct ipsp_identity *out);

/**
 * The selector of packets from one identity to another, of a protocol.
 * @param proto  0: any
 * @return IPSP_OK; IPSP_EINVAL: families differ
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_identity_selector(const struct ipsp_identity *src,
						     const struct ipsp_identity *dst,
						     uint8_t proto, struct ipsp_selector *out);

#endif
