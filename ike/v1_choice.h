/*
 * ike/v1_choice.h - what the transform of an ISAKMP SA says: attributes, by their meaning. RFC 2408 3.6, RFC 2409
 * appendix A. Needs no keys and no library.
 */
#ifndef IKE_V1_CHOICE_H
#define IKE_V1_CHOICE_H

#include "ike/message.h"

/** Numbers of the registry; 0: the transform does not say. */
struct ike_v1_choice {
	uint16_t encr;		/* IKE_V1_ENCR_* */
	uint16_t key_bits;
	uint16_t hash;		/* IKE_V1_HASH_* */
	uint16_t auth, group;
};

/**
 * Reads the attributes of one transform; those that it does not know it passes over.
 * @return false: they are broken, *why
 */
IPSP_MUST_CHECK bool ike_v1_choice_read(const struct ike_transform *t, struct ike_v1_choice *out,
					struct ike_fault *why);

/**
 * Reads the answer to a proposal: an SA payload with one transform, RFC 2408 4.2.
 * @param body  of the payload
 * @return false: it is broken, *why; or it has no transform for an ISAKMP SA, or several
 */
IPSP_MUST_CHECK bool ike_v1_choice_find(struct ipsp_span body, struct ike_v1_choice *out,
					struct ike_fault *why);

#endif
