/*
 * engine/crypto/mb_gcm.c - AES-GCM and AES-GMAC by ipsec-mb's direct calls, one packet at a time:
 * a packet fills the processor by itself. RFC 4106 3 to 5, RFC 4543 3.
 */
#include <string.h>

#include "engine/crypto/mb.h"

#define NONCE_ROOM 16u	/* 12 octets, for a library that reads whole registers */

/* The library's calls for one key size. */
struct gcm_calls {
	aes_gcm_enc_dec_t seal, open;
	aes_gmac_init_t gmac_init;
	aes_gmac_update_t gmac_update;
	aes_gmac_finalize_t gmac_end;
};

static struct gcm_calls calls_of(const IMB_MGR *mgr, unsigned key_bits)
{
	switch (key_bits) {
	case 128:
		return (struct gcm_calls){ mgr->gcm128_enc, mgr->gcm128_dec, mgr->gmac128_init,
					   mgr->gmac128_update, mgr->gmac128_finalize };
	case 192:
		return (struct gcm_calls){ mgr->gcm192_enc, mgr->gcm192_dec, mgr->gmac192_init,
					   mgr->gmac192_update, mgr->gmac192_finalize };
	default:
		return (struct gcm_calls){ mgr->gcm256_enc, mgr->gcm256_dec, mgr->gmac256_init,
					   mgr->gmac256_update, mgr->gmac256_finalize };
	}
}

static void make_nonce(uint8_t nonce[NONCE_ROOM], const uint8_t *salt, const uint8_t *iv)
{
	memcpy(nonce, salt, CRYPTO_SALT_MAX);
	memcpy(nonce + CRYPTO_SALT_MAX, iv, CRYPTO_COUNTER_IV);
	memset(nonce + CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV, 0, 4);
}

/* SPI, [high half,] sequence number, IV and text: RFC 4543 3.3. */
static void gmac(const struct gcm_calls *calls, const struct gcm_key_data *key,
		 const struct ipsp_crypto_op *op, const uint8_t nonce[NONCE_ROOM],
		 uint8_t icv[IMB_AES_BLOCK_SIZE])
{
	uint8_t front[CRYPTO_ESP_HEADER + 4 + CRYPTO_COUNTER_IV];
	const size_t aad_len = crypto_op_aad(op, front);
	struct gcm_context_data state;

	memcpy(front + aad_len, op->iv, CRYPTO_COUNTER_IV);
	calls->gmac_init(key, &state, nonce, CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV);
	calls->gmac_update(key, &state, front, aad_len + CRYPTO_COUNTER_IV);
	if (op->text_len > 0)
		calls->gmac_update(key, &state, op->src, op->text_len);
	calls->gmac_end(key, &state, icv, IMB_AES_BLOCK_SIZE);
}

static void copy(const struct ipsp_crypto_op *op)
{
	if (op->src != op->dst)
		memcpy(op->dst, op->src, op->text_len);
}

void mb_gcm_seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	const struct mb_thread *const t = mb_thread(thread);
	const struct gcm_calls calls = calls_of(t->mgr, ctx->suite.encr->key_bits);
	const bool clear = ctx->suite.encr->mode == CRYPTO_GMAC;
	struct key_slot *slot;
	const struct gcm_key_data *const key = &mb_keys_claim(t, ctx, &slot)->encr.gcm;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_crypto_op *const op = &ops[i];
		uint8_t nonce[NONCE_ROOM], aad[16], icv[IMB_AES_BLOCK_SIZE];
		struct gcm_context_data state;

		make_nonce(nonce, crypto_ctx_salt(ctx), op->iv);
		if (clear) {
			gmac(&calls, key, op, nonce, icv);
			copy(op);
			memcpy(op->icv, icv, ctx->shape.icv_len);
		} else {
			calls.seal(key, &state, op->dst, op->src, op->text_len, nonce, aad,
				   crypto_op_aad(op, aad), op->icv, ctx->shape.icv_len);
		}
		op->err = IPSP_OK;
	}
	key_cache_release(slot);
}

void mb_gcm_open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	const struct mb_thread *const t = mb_thread(thread);
	const struct gcm_calls calls = calls_of(t->mgr, ctx->suite.encr->key_bits);
	const bool clear = ctx->suite.encr->mode == CRYPTO_GMAC;
	struct key_slot *slot;
	const struct gcm_key_data *const key = &mb_keys_claim(t, ctx, &slot)->encr.gcm;

	for (size_t i = 0; i < n; i++) {
		struct ipsp_crypto_op *const op = &ops[i];
		uint8_t nonce[NONCE_ROOM], aad[16], icv[IMB_AES_BLOCK_SIZE];
		struct gcm_context_data state;

		make_nonce(nonce, crypto_ctx_salt(ctx), op->iv);
		if (clear)
			gmac(&calls, key, op, nonce, icv);
		else
			calls.open(key, &state, op->dst, op->src, op->text_len, nonce, aad,
				   crypto_op_aad(op, aad), icv, sizeof(icv));
		op->err = crypto_equal(icv, op->icv, ctx->shape.icv_len) ? IPSP_OK : IPSP_EICV;
		if (op->err == IPSP_OK && clear)
			copy(op);
		/* Decrypted as it was authenticated: leave nothing that was not proved. */
		else if (op->err != IPSP_OK && !clear)
			memset(op->dst, 0, op->text_len);
	}
	key_cache_release(slot);
}

void mb_gmac_spans(const struct ipsp_crypto_ctx *ctx, const struct mb_thread *t,
		   const struct mb_keys *keys, const struct ipsp_auth_op *op,
		   uint8_t icv[IMB_AES_BLOCK_SIZE])
{
	const size_t key_len = ctx->suite.integ->key_len - CRYPTO_SALT_MAX;
	const struct gcm_calls calls = calls_of(t->mgr, (unsigned)key_len * 8);
	struct gcm_context_data state;
	uint8_t nonce[NONCE_ROOM];

	make_nonce(nonce, ctx->integ_key + key_len, op->iv);
	calls.gmac_init(&keys->encr.gcm, &state, nonce, CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV);
	for (uint32_t i = 0; i < op->n_spans; i++) {
		if (op->spans[i].len > 0)
			calls.gmac_update(&keys->encr.gcm, &state, op->spans[i].data,
					  op->spans[i].len);
	}
	calls.gmac_end(&keys->encr.gcm, &state, icv, IMB_AES_BLOCK_SIZE);
}
