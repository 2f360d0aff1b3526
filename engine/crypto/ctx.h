/*
 * engine/crypto/ctx.h - contexts: keys of one SA, and who works with them. Private to
 * engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_CTX_H
#define ENGINE_CRYPTO_CTX_H

#include "engine/crypto/algorithm.h"

#define CRYPTO_THREADS_MAX 64u
#define CRYPTO_ENCR_KEY_MAX 40u	/* AES-256 with a salt */

/** A library that computes. Its state is per thread and made by the control thread. */
struct crypto_backend {
	const char *name;

	/** Can it do that at all? */
	bool (*has)(const struct crypto_suite *suite);

	/** Makes what a thread needs for that. Again is fine. IPSP_OK; IPSP_ENOMEM; IPSP_ECRYPTO */
	enum ipsp_err (*ready)(unsigned thread, const struct crypto_suite *suite);

	/** Wipes what was expanded for a context that is being freed. */
	void (*forget)(const struct ipsp_crypto_ctx *ctx);

	/** Gives back what threads were readied with. There is no context of it. */
	void (*idle)(void);

	/* as in struct ipsp_crypto; a thread is readied for the context's suite */
	void (*seal)(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		     struct ipsp_crypto_op *ops, size_t n);
	void (*open)(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		     struct ipsp_crypto_op *ops, size_t n);
	void (*auth)(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n);
	void (*verify)(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		       struct ipsp_auth_op *ops, size_t n);
};

/** In locked memory; nothing in it changes while it is used. */
struct ipsp_crypto_ctx {
	const struct crypto_backend *backend;
	struct crypto_suite suite;
	struct ipsp_crypto_shape shape;
	uint64_t serial;	/* never used again: what key caches know it by */
	uint8_t encr_key[CRYPTO_ENCR_KEY_MAX];	/* with salt */
	uint8_t integ_key[IPSP_KEY_MAX];	/* AES-GMAC: with salt */
};

/**
 * A context of a known suite.
 * @return IPSP_OK; IPSP_EKEYLEN; IPSP_ECRYPTO: a weak key of DES or 3DES; IPSP_EINVAL: more threads
 *	   than CRYPTO_THREADS_MAX; those of backend->ready
 */
IPSP_MUST_CHECK enum ipsp_err crypto_ctx_new(const struct crypto_backend *backend,
					     const struct crypto_suite *suite,
					     const struct ipsp_sa_config *sa, unsigned n_threads,
					     struct ipsp_crypto_ctx **out);

/* What every table of struct ipsp_crypto has in common. */
void crypto_ctx_free(struct ipsp_crypto_ctx *ctx);
void crypto_ctx_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);
void crypto_ctx_open(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n);
void crypto_ctx_auth(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n);
void crypto_ctx_verify(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		       size_t n);

/** The salt of combined and counter modes. */
static inline const uint8_t *crypto_ctx_salt(const struct ipsp_crypto_ctx *ctx)
{
	return ctx->encr_key + ctx->suite.encr->key_bits / 8u;
}

/** Equal octets? In a time that depends on n alone. */
bool crypto_equal(const uint8_t *a, const uint8_t *b, size_t n);

/** Do aad, IV, sealed text and ICV of an op stand in a row? Separate integrity needs it. */
static inline bool crypto_op_in_a_row(const struct ipsp_crypto_op *op, const uint8_t *sealed,
				      size_t iv_len)
{
	return op->iv == op->aad + CRYPTO_ESP_HEADER && sealed == op->iv + iv_len &&
	       op->icv == sealed + op->text_len;
}

/**
 * What a combined mode authenticates beside: SPI, [high half,] sequence number. RFC 4106 5.
 * @return octets written to out: 8 or 12
 */
size_t crypto_op_aad(const struct ipsp_crypto_op *op, uint8_t out[CRYPTO_ESP_HEADER + 4]);

/** Is it a key no DES or 3DES should have: weak, semi-weak, or fewer than three? RFC 2451 2.3. */
bool crypto_key_weak(const struct crypto_suite *suite, const uint8_t *key);

#endif
