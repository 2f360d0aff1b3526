/*
 * ike/v1_cipher.h - encryption of ISAKMP messages: CBC, with IVs that nobody sends. RFC 2409 appendix B.
 *
 *	first IV of phase 1	hash(g^xi | g^xr)
 *	first IV of phase 2	hash(last block of phase 1 | message ID), an exchange each
 *	any other one		the last block that was encrypted in that exchange
 *
 * Which of them comes is the caller's to know. By libgcrypt; keys are in its locked memory.
 */
#ifndef IKE_V1_CIPHER_H
#define IKE_V1_CIPHER_H

#include "ike/registry.h"
#include "ipsp/types.h"

#define IKE_V1_BLOCK_MAX 16u

/** Octets of an IV and of a block; 0: no such cipher (IKE_V1_ENCR_*) here. */
size_t ike_v1_block_len(uint16_t encr);

/** Does one of the two (IKE_V1_ENCR_*, IKE_V1_HASH_*) need allow-weak? */
bool ike_v1_weak(uint16_t encr, uint16_t hash);

/**
 * A phase 1 or phase 2 exchange's first IV.
 * @param hash   IKE_V1_HASH_*
 * @param parts  two of them: the public values of both, or a last block and a message ID
 * @param len    of the IV, up to IKE_V1_BLOCK_MAX
 * @return IPSP_OK; IPSP_ENOTSUP: no such hash here; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_v1_iv(uint16_t hash, const struct ipsp_span parts[2], size_t len,
					uint8_t *iv);

struct ike_v1_cipher;

/**
 * @param key_bits  as negotiated; 0: it was not, and the cipher has one size, or one that is meant
 * @param key       copied
 * @return IPSP_OK; IPSP_ENOTSUP; IPSP_EKEYLEN; IPSP_ENOMEM; IPSP_ECRYPTO: the library refuses the key
 */
IPSP_MUST_CHECK enum ipsp_err ike_v1_cipher_new(uint16_t encr, uint16_t key_bits,
						struct ipsp_span key, struct ike_v1_cipher **out);
void ike_v1_cipher_free(struct ike_v1_cipher *c);

/**
 * Decrypts what stands behind a header: whole blocks, of which there is one.
 * @param clear  as many octets
 * @return IPSP_OK; IPSP_EMALFORMED: these are no blocks; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ike_v1_decrypt(const struct ike_v1_cipher *c, const uint8_t *iv,
					     struct ipsp_span sealed, uint8_t *clear);

#endif
