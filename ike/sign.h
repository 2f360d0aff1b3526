/*
 * ike/sign.h - signatures in AUTH payloads, by GnuTLS. RFC 7296 3.8 (method 1), RFC 4754 (9, 10, 11), RFC 7427
 * (14), RFC 8420 (Ed25519, Ed448).
 *
 * To sign and to verify take up to milliseconds: made for threads beside the event loop. Private to ike/.
 */
#ifndef IKE_SIGN_H
#define IKE_SIGN_H

#include <gnutls/abstract.h>

#include "ipsp/types.h"

#define IKE_SIGNATURE_MAX 1200u	/* of an AUTH payload: RSA of 8192 bits with what names it */

/** Numbers of SIGNATURE_HASH_ALGORITHMS as bits: those that we take. RFC 7427 4 */
#define IKE_HASHES_OURS (1u << 2 | 1u << 3 | 1u << 4 | 1u << 5)

/** A way to sign. */
struct ike_scheme;

/** Has IKE a signature by such a key? */
bool ike_key_usable(gnutls_privkey_t key);

/**
 * How to sign.
 * @param hashes  bits of the peer's SIGNATURE_HASH_ALGORITHMS; 0: it sent none, and has no method 14
 * @param pss     RSA: by PSS rather than PKCS #1
 * @return NULL: the peer takes none by that key
 */
const struct ike_scheme *ike_scheme_choose(gnutls_privkey_t key, unsigned hashes, bool pss);

/** The AUTH payload's method. */
uint8_t ike_scheme_method(const struct ike_scheme *s);
/** "RSA PSS with SHA2_256" and so on. */
const char *ike_scheme_name(const struct ike_scheme *s);

/** Authentication data of an AUTH payload. @return IPSP_ECRYPTO: the key's module refuses */
IPSP_MUST_CHECK enum ipsp_err ike_sign(const struct ike_scheme *s, gnutls_privkey_t key,
				       struct ipsp_span octets, uint8_t out[IKE_SIGNATURE_MAX],
				       size_t *len);

/**
 * Is that signature good?
 * @param method  the AUTH payload's, data its authentication data
 * @return NULL; what is wrong, a static text. *name: how it was signed, when it is good
 */
const char *ike_signature_fault(gnutls_pubkey_t key, uint8_t method, struct ipsp_span data,
				struct ipsp_span octets, const char **name);

/** Is it a method that signs? */
bool ike_method_signs(uint8_t method);

#endif
