/*
 * ike/build.h - IKEv2 messages put together. RFC 7296 3.
 *
 * A chain of payloads is written into the caller's buffer, apart from any header, since it may go out in
 * clear, sealed, or sealed in fragments. Errors stick: a builder that ran out of room writes no more,
 * and ike_build_end says so.
 */
#ifndef IKE_BUILD_H
#define IKE_BUILD_H

#include "ike/message.h"

struct ike_builder {
	uint8_t *buf;
	size_t cap, len;
	uint8_t first;		/* type of the first payload */
	size_t payload_at;	/* where the open payload begins */
	uint8_t *next;		/* the octet that is to name the payload that follows */
	bool failed;
};

void ike_build_begin(struct ike_builder *b, uint8_t *buf, size_t cap);

/** Begins a payload; it ends with the next one, or the chain. */
void ike_build_payload(struct ike_builder *b, uint8_t type);

void ike_build_u8(struct ike_builder *b, uint8_t n);
void ike_build_u16(struct ike_builder *b, uint16_t n);
void ike_build_u32(struct ike_builder *b, uint32_t n);
void ike_build_octets(struct ike_builder *b, struct ipsp_span octets);

/** Room for n octets, which the caller writes; NULL: there is none. */
uint8_t *ike_build_room(struct ike_builder *b, size_t n);

/** A whole notification. protocol 0, spi empty: of the IKE SA. RFC 7296 3.10. */
void ike_build_notify(struct ike_builder *b, uint8_t protocol, struct ipsp_span spi, uint16_t type,
		      struct ipsp_span data);

/** A notification of the IKE SA that has nothing but its type. */
void ike_build_flag(struct ike_builder *b, uint16_t type);

/**
 * The chain, whole. @return false: it did not fit
 */
IPSP_MUST_CHECK bool ike_build_end(struct ike_builder *b, struct ipsp_span *out);

/** What a header says beside the length. */
struct ike_header_fields {
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint8_t exchange, flags;
	uint32_t message_id;
};

/** Writes a header of IKEv2 into IKE_HEADER_LEN octets. length: of the whole message. */
void ike_header_write(const struct ike_header_fields *h, uint8_t first_payload, size_t length,
		      uint8_t out[IKE_HEADER_LEN]);

#endif
