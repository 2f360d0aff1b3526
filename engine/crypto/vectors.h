/*
 * engine/crypto/vectors.h - published answers that every provider has to give. Private to
 * engine/crypto/ and its tests.
 */
#ifndef ENGINE_CRYPTO_VECTORS_H
#define ENGINE_CRYPTO_VECTORS_H

#include "ipsp/crypto.h"

#define CRYPTO_VECTOR_MAX 256u	/* octets of a packet with its ICV */

/** All octets are in lower case hex; NULL or not there: none. */
struct crypto_vector {
	const char *name;	/* where it is from */
	uint8_t proto;		/* enum ipsp_proto */
	uint16_t encr, encr_key_bits, integ;
	bool esn;
	uint32_t seq_hi;
	const char *encr_key, *integ_key;	/* with their salts */
	const char *header_iv;	/* ESP: header and IV; for an HMAC: how its data begins */
	const char *iv;		/* AH */
	const char *clear;	/* text: payload, padding, trailer; or the rest of the data */
	const char *sealed;	/* the text encrypted; not compared if not there */
	const char *icv;	/* not compared if not there */
};

extern const struct crypto_vector crypto_vectors[];
extern const size_t crypto_n_vectors;

/** The octets that hex stands for, of which there is room for CRYPTO_VECTOR_MAX. @return how many */
size_t crypto_unhex(const char *hex, uint8_t *out);

/** Its algorithms and keys. */
void crypto_vector_sa(const struct crypto_vector *v, struct ipsp_sa_config *out);

#endif
