/*
 * engine/crypto/gcrypt_ctx.h - what the libgcrypt providers share: rows of their algorithm tables,
 * contexts made from two rows, and the work on packets. Private to engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_GCRYPT_CTX_H
#define ENGINE_CRYPTO_GCRYPT_CTX_H

#include <gcrypt.h>

#include "ipsp/crypto.h"

/** A cipher with one key size. */
struct gcrypt_encr {
	uint16_t encr, key_bits;
	int cipher;		/* GCRY_CIPHER_*; 0: none */
	int mode;		/* GCRY_CIPHER_MODE_* */
	uint8_t salt_len, iv_len, block_len;
	uint8_t icv_len;	/* combined mode; 0: takes an integrity algorithm */
};

struct gcrypt_integ {
	uint16_t integ;
	int mac;		/* GCRY_MAC_*; 0: an ICV that is there and not looked at */
	uint8_t key_len, icv_len;
};

/** Both halves of a pair; integ is NULL with a combined mode, and only with one. */
struct gcrypt_suite {
	const struct gcrypt_encr *encr;
	const struct gcrypt_integ *integ;
};

/**
 * Looks a cipher up in the table that every SA may use; AH's is none at all.
 * @return IPSP_OK; IPSP_ENOTSUP: unknown; IPSP_EKEYLEN: known, but not with such keys
 */
IPSP_MUST_CHECK enum ipsp_err gcrypt_encr_find(uint8_t proto, uint16_t encr,
					       uint16_t key_bits,
					       const struct gcrypt_encr **out);

/** The same for integrity. @return NULL: unknown, or IPSP_INTEG_NONE */
const struct gcrypt_integ *gcrypt_integ_find(uint16_t integ);

/** IPSP_OK; IPSP_ENOTSUP: the halves do not fit together, or one is not there. */
IPSP_MUST_CHECK enum ipsp_err gcrypt_suite_shape(const struct gcrypt_suite *suite,
						 struct ipsp_crypto_shape *out);

/** The rest is as struct ipsp_crypto says of its calls. */
IPSP_MUST_CHECK enum ipsp_err gcrypt_ctx_new(const struct gcrypt_suite *suite,
					     const struct ipsp_sa_config *sa, unsigned n_threads,
					     struct ipsp_crypto_ctx **out);
void gcrypt_ctx_free(struct ipsp_crypto_ctx *ctx);
void gcrypt_ctx_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);
void gcrypt_ctx_open(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);
void gcrypt_ctx_auth(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n);
void gcrypt_ctx_verify(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		       size_t n);

#endif
