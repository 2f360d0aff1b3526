/*
 * engine/crypto/gcrypt_calls.h - the calls of libgcrypt that one message needs, with keys that were
 * claimed. RFC 4106, 4309, 7634, 3686. Private to engine/crypto/.
 *
 * Every start sets all that a handle remembers of a message anew.
 */
#ifndef ENGINE_CRYPTO_GCRYPT_CALLS_H
#define ENGINE_CRYPTO_GCRYPT_CALLS_H

#include "engine/crypto/gcrypt_keys.h"

#define GCRYPT_BLOCK 16u	/* of AES; octets of the longest tag */
#define GCRYPT_MAC_MAX 64u	/* octets of the longest digest */

enum ipsp_err gcrypt_err(gcry_error_t err);

/** A combined mode: nonce is salt and IV, aad is authenticated. RFC 4106 4, RFC 4309 4, RFC 7634 2. */
gcry_error_t gcrypt_aead_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
			       const uint8_t *iv, struct ipsp_span aad, size_t text_len);

/** Others: the IV itself, or RFC 3686 4: salt, IV, and a block counter that begins with 1. */
gcry_error_t gcrypt_plain_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
				const uint8_t *iv);

/** Integrity by itself: begin, any number of pieces, end. nonce: AES-GMAC's salt and IV, else unused. */
gcry_error_t gcrypt_mac_begin(struct gcrypt_mac *m, const uint8_t *nonce);
gcry_error_t gcrypt_mac_add(struct gcrypt_mac *m, const uint8_t *data, size_t len);
gcry_error_t gcrypt_mac_end(struct gcrypt_mac *m, uint8_t out[GCRYPT_MAC_MAX]);

#endif
