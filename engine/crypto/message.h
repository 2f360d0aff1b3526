/*
 * engine/crypto/message.h - one message of a protocol that is no packet of IPsec: IKE. RFC 7296 3.14,
 * RFC 5282 5.1. By libgcrypt.
 *
 * A context is the same as an SA's: keys in locked memory, computed with by handles that all share.
 */
#ifndef ENGINE_CRYPTO_MESSAGE_H
#define ENGINE_CRYPTO_MESSAGE_H

#include "ipsp/crypto.h"

struct crypto_message {
	struct ipsp_span head;	/* all that is authenticated in front of the IV */
	const uint8_t *iv;
	const uint8_t *src;	/* text: right behind the IV unless the mode is combined */
	uint8_t *dst;		/* as many octets: src, or apart from it */
	size_t text_len;	/* a multiple of the shape's block_len, but for combined and counter modes */
	uint8_t *icv;
};

/**
 * Checks the ICV and decrypts.
 * @param ctx  made by the table of ipsp_crypto_gcrypt
 * @return IPSP_OK; IPSP_EICV: dst holds nothing of the text; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err crypto_message_open(struct ipsp_crypto_ctx *ctx, unsigned thread,
						  const struct crypto_message *m);

/**
 * Encrypts and writes the ICV. The IV stands there already; those of counter modes never repeat.
 * @return IPSP_OK; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err crypto_message_seal(struct ipsp_crypto_ctx *ctx, unsigned thread,
						  const struct crypto_message *m);

#endif
