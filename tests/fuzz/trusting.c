/* tests/fuzz/trusting.c - see trusting.h. */
#include "tests/fuzz/trusting.h"

#include <string.h>

static enum ipsp_err trusting_shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
				    uint16_t integ, struct ipsp_crypto_shape *out)
{
	(void)proto;
	(void)encr_key_bits;
	(void)integ;
	*out = (struct ipsp_crypto_shape){ .icv_len = 12, .block_len = 4 };
	if (encr == IPSP_ENCR_AES_CBC) {
		out->iv_len = 16;
		out->block_len = 16;
	}
	return IPSP_OK;
}

static enum ipsp_err trusting_ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
				      struct ipsp_crypto_ctx **out)
{
	(void)n_threads;
	(void)sa;
	*out = NULL;
	return IPSP_OK;
}

static void trusting_ctx_free(struct ipsp_crypto_ctx *ctx)
{
	(void)ctx;
}

static void trusting_work(struct ipsp_crypto_ctx *ctx, unsigned thread,
			  struct ipsp_crypto_op *ops, size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++)
		ops[i].err = IPSP_OK;
}

static void trusting_auth(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
			  size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++) {
		memset(ops[i].icv, 0, 12);
		ops[i].err = IPSP_OK;
	}
}

static void trusting_verify(struct ipsp_crypto_ctx *ctx, unsigned thread,
			    struct ipsp_auth_op *ops, size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++)
		ops[i].err = IPSP_OK;
}

static const struct ipsp_crypto trusting = {
	.name = "trusting", .shape = trusting_shape, .ctx_new = trusting_ctx_new,
	.ctx_free = trusting_ctx_free, .seal = trusting_work, .open = trusting_work,
	.auth = trusting_auth, .verify = trusting_verify,
};

const struct ipsp_crypto *fuzz_trusting(void)
{
	return &trusting;
}
