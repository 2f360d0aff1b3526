/* engine/crypto/ctx.c - contexts: see ctx.h. */
#include <string.h>

#include "engine/crypto/ctx.h"
#include "engine/crypto/locked.h"
#include "spd/octets.h"

/* Of the control thread. */
static struct crypto_pool pool = { .object_size = (sizeof(struct ipsp_crypto_ctx) + 15) / 16 * 16 };
static uint64_t last_serial;

static bool keys_fit(const struct crypto_suite *suite, const struct ipsp_sa_config *sa)
{
	return sa->encr_key.len == crypto_encr_key_len(suite) &&
	       sa->encr_key.len <= CRYPTO_ENCR_KEY_MAX &&
	       sa->integ_key.len == crypto_integ_key_len(suite) &&
	       sa->integ_key.len <= IPSP_KEY_MAX;
}

enum ipsp_err crypto_ctx_new(const struct crypto_backend *backend,
			     const struct crypto_suite *suite, const struct ipsp_sa_config *sa,
			     unsigned n_threads, struct ipsp_crypto_ctx **out)
{
	struct ipsp_crypto_ctx *ctx;

	if (n_threads > CRYPTO_THREADS_MAX)
		return IPSP_EINVAL;
	if (!keys_fit(suite, sa))
		return IPSP_EKEYLEN;
	if (crypto_key_weak(suite, sa->encr_key.octets))
		return IPSP_ECRYPTO;
	for (unsigned i = 0; i < n_threads; i++) {
		enum ipsp_err err = backend->ready(i, suite);

		if (err != IPSP_OK)
			return err;
	}
	ctx = crypto_pool_get(&pool);
	if (!ctx)
		return IPSP_ENOMEM;
	ctx->backend = backend;
	ctx->suite = *suite;
	ctx->shape = crypto_suite_shape(suite);
	ctx->serial = ++last_serial;
	memcpy(ctx->encr_key, sa->encr_key.octets, sa->encr_key.len);
	memcpy(ctx->integ_key, sa->integ_key.octets, sa->integ_key.len);
	*out = ctx;
	return IPSP_OK;
}

void crypto_ctx_free(struct ipsp_crypto_ctx *ctx)
{
	if (!ctx)
		return;
	ctx->backend->forget(ctx);
	crypto_pool_put(&pool, ctx);
}

void crypto_ctx_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n)
{
	ctx->backend->seal(ctx, thread, ops, n);
}

void crypto_ctx_open(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n)
{
	ctx->backend->open(ctx, thread, ops, n);
}

void crypto_ctx_auth(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n)
{
	ctx->backend->auth(ctx, thread, ops, n);
}

void crypto_ctx_verify(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		       size_t n)
{
	ctx->backend->verify(ctx, thread, ops, n);
}

bool crypto_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	volatile uint64_t result;
	uint64_t differs = 0;
	size_t at = 0;

	for (; n - at >= sizeof(differs); at += sizeof(differs)) {
		uint64_t x, y;

		memcpy(&x, a + at, sizeof(x));
		memcpy(&y, b + at, sizeof(y));
		differs |= x ^ y;
	}
	for (; at < n; at++)
		differs |= (uint64_t)(a[at] ^ b[at]);
	result = differs;
	return result == 0;
}

size_t crypto_op_aad(const struct ipsp_crypto_op *op, uint8_t out[CRYPTO_ESP_HEADER + 4])
{
	if (!op->esn) {
		memcpy(out, op->aad, CRYPTO_ESP_HEADER);
		return CRYPTO_ESP_HEADER;
	}
	memcpy(out, op->aad, 4);
	put_be32(out + 4, op->seq_hi);
	memcpy(out + 8, op->aad + 4, 4);
	return CRYPTO_ESP_HEADER + 4;
}
