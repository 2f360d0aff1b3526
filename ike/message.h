/*
 * ike/message.h - the octets of an IKE message, taken apart. RFC 7296 3; RFC 2408 3 for IKEv1, whose
 * header, payload chain, proposals, transforms and attributes have the same form.
 *
 * Nothing is copied: every span points into the message. What follows another is taken off a rest
 * that shrinks, so that no length is believed before it was compared with what is there, and every
 * step makes the rest smaller. Meanings are the caller's.
 */
#ifndef IKE_MESSAGE_H
#define IKE_MESSAGE_H

#include "ike/registry.h"
#include "ipsp/types.h"

#define IKE_HEADER_LEN 28u
#define IKE_SPI_LEN 8u
#define IKE_PAYLOAD_HEADER_LEN 4u

/* RFC 7296 3.1: flags of the header. */
#define IKE_FLAG_INITIATOR 0x08u
#define IKE_FLAG_VERSION 0x10u
#define IKE_FLAG_RESPONSE 0x20u
/* RFC 2408 3.1 */
#define IKE_V1_FLAG_ENCRYPTION 0x01u
#define IKE_V1_FLAG_COMMIT 0x02u
#define IKE_V1_FLAG_AUTHENTICATION 0x04u

#define IKE_FLAG_CRITICAL 0x80u	/* of a payload, RFC 7296 2.5 */

/** What is wrong, and the octet where it was found (in the message, or one behind it). */
struct ike_fault {
	const char *what;	/* a static text */
	const uint8_t *where;
};

struct ike_header {
	const uint8_t *spi_i, *spi_r;	/* IKE_SPI_LEN octets each; IKEv1: cookies */
	uint8_t first_payload;
	uint8_t major, minor;
	uint8_t exchange, flags;
	uint32_t message_id;
	uint32_t length;		/* as it says: compare it with the octets that came */
};

/** @return false: shorter than a header */
IPSP_MUST_CHECK bool ike_header_read(struct ipsp_span message, struct ike_header *out,
				     struct ike_fault *why);

/** What taking the next one off a rest came to. */
enum ike_step {
	IKE_STEP_ITEM,		/* *out is it, *rest what follows */
	IKE_STEP_END,		/* there is no more */
	IKE_STEP_BROKEN,	/* *why; the rest means nothing any more */
};

/* ---- payloads ---- */

struct ike_payload {
	uint8_t type;		/* IKE_PAYLOAD_*, or IKE_V1_PAYLOAD_* */
	uint8_t next;		/* of an encrypted payload: the first one inside */
	bool critical;
	struct ipsp_span whole;	/* with its header */
	struct ipsp_span body;
};

/** A chain of payloads: whatever stands behind the header, or was encrypted. */
struct ike_chain {
	struct ipsp_span rest;
	uint8_t next;		/* type of the payload there */
	bool v1;		/* what follows the last payload is padding */
};

IPSP_MUST_CHECK enum ike_step ike_payload_next(struct ike_chain *chain, struct ike_payload *out,
					       struct ike_fault *why);

/* ---- inside an SA payload: RFC 7296 3.3; RFC 2408 3.5, 3.6 ---- */

struct ike_proposal {
	uint8_t number, protocol, n_transforms;
	struct ipsp_span spi;
	struct ipsp_span transforms;
	struct ipsp_span whole;
};

struct ike_transform {
	uint8_t type;			/* IKE_TRANSFORM_*; IKEv1: its number */
	uint8_t v1_id;			/* IKEv1 alone */
	uint16_t id;			/* IKEv2 alone */
	struct ipsp_span attributes;
	struct ipsp_span whole;
};

struct ike_attribute {
	uint16_t type;			/* without the bit for its format */
	bool is_short;			/* type and value in four octets */
	struct ipsp_span value;		/* short: two octets */
	struct ipsp_span whole;
};

IPSP_MUST_CHECK enum ike_step ike_proposal_next(struct ipsp_span *rest, struct ike_proposal *out,
						struct ike_fault *why);
IPSP_MUST_CHECK enum ike_step ike_transform_next(struct ipsp_span *rest, struct ike_transform *out,
						 struct ike_fault *why);
IPSP_MUST_CHECK enum ike_step ike_attribute_next(struct ipsp_span *rest, struct ike_attribute *out,
						 struct ike_fault *why);

/* ---- inside a TS payload, behind its count: RFC 7296 3.13 ---- */

struct ike_ts {
	uint8_t type, protocol;
	uint16_t port_lo, port_hi;
	struct ipsp_span addr_lo, addr_hi;	/* 4 or 16 octets each; other types: all of it in addr_lo */
	struct ipsp_span whole;
};

IPSP_MUST_CHECK enum ike_step ike_ts_next(struct ipsp_span *rest, struct ike_ts *out,
					  struct ike_fault *why);

/** Takes n octets off the front of *rest. @return false: fewer are there, nothing was taken */
IPSP_MUST_CHECK bool ike_take(struct ipsp_span *rest, size_t n, struct ipsp_span *out);

#endif
