/*
 * ike/proposal.h - SA payloads of IKEv2 as values: what is offered, and what both can do. RFC 7296 2.7, 3.3;
 * RFC 9370 2.2.2 for further key exchanges.
 */
#ifndef IKE_PROPOSAL_H
#define IKE_PROPOSAL_H

#include "ike/build.h"

#define IKE_OFFERS_MAX 16u	/* proposals of one payload that are looked at */
#define IKE_CHOICES_MAX 64u	/* transforms of one proposal that are looked at */
#define IKE_ADD_KE_MAX 7u

/** A transform. */
struct ike_choice {
	uint8_t type;		/* IKE_TRANSFORM_* */
	uint16_t id, key_bits;	/* key_bits 0: no such attribute */
};

/** A proposal. */
struct ike_offer {
	uint8_t number, protocol;
	uint8_t spi_len, spi[IKE_SPI_LEN];
	uint8_t n;
	struct ike_choice choices[IKE_CHOICES_MAX];	/* in the order of preference, type by type */
};

/** An SA payload. */
struct ike_offers {
	uint8_t n;
	struct ike_offer offers[IKE_OFFERS_MAX];
};

/** What was chosen: one transform a type; 0: none of it. */
struct ike_suite {
	uint8_t number;		/* of the proposal it was taken from */
	uint8_t protocol;
	uint8_t spi_len, spi[IKE_SPI_LEN];	/* of the proposal: whose payload it was */
	uint16_t encr, encr_key_bits, integ, prf, ke;
	uint16_t add_ke[IKE_ADD_KE_MAX];
	bool esn;
};

/** Adds a transform. False: there is no room. */
bool ike_offer_add(struct ike_offer *o, uint8_t type, uint16_t id, uint16_t key_bits);

/**
 * Reads the body of an SA payload. Proposals and transforms beyond what is looked at, and transforms
 * with attributes that are not known (RFC 7296 3.3.6), are left out.
 * @return false: broken, *why
 */
IPSP_MUST_CHECK bool ike_offers_read(struct ipsp_span body, struct ike_offers *out,
				     struct ike_fault *why);

/** Writes an SA payload. */
void ike_offers_write(const struct ike_offers *offers, struct ike_builder *b);

/** Writes an SA payload with what was chosen, and our SPI. RFC 7296 2.7: under the proposal's number. */
void ike_suite_write(const struct ike_suite *s, struct ipsp_span spi, struct ike_builder *b);

/**
 * The first of our proposals, in our order, of which some proposal of theirs has a transform for each type,
 * and the first such one of theirs. Both must be of one protocol. "None" counts as a transform that is
 * not there.
 * @return false: there is none
 */
IPSP_MUST_CHECK bool ike_offers_choose(const struct ike_offers *ours, const struct ike_offers *theirs,
				       struct ike_suite *out);

/**
 * Is the answer something that we offered? RFC 7296 2.7: one proposal, one transform of each type.
 * @return false: it is not; out is not good
 */
IPSP_MUST_CHECK bool ike_offers_accept(const struct ike_offers *ours, const struct ike_offers *answer,
				       struct ike_suite *out);

#define IKE_OFFER_TEXT 400
/** "AES_CBC-256/HMAC_SHA2_256_128/HMAC_SHA2_256/CURVE25519" into buf[IKE_OFFER_TEXT]; returns buf. */
const char *ike_offer_text(const struct ike_offer *o, char buf[IKE_OFFER_TEXT]);

#endif
