/* engine/crypto/message.c - messages of IKE: see message.h. */
#include <string.h>

#include "engine/crypto/gcrypt_calls.h"
#include "engine/crypto/message.h"

typedef gcry_error_t work(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			  const struct crypto_message *m);

static gcry_error_t aead_open(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			      const struct crypto_message *m)
{
	gcry_error_t err = gcrypt_aead_start(ctx, keys->cipher, m->iv, m->head, m->text_len);

	if (!err)
		err = gcry_cipher_decrypt(keys->cipher, m->dst, m->text_len, m->src, m->text_len);
	if (!err)
		err = gcry_cipher_checktag(keys->cipher, m->icv, ctx->shape.icv_len);
	/* These modes decrypt as they go: leave nothing that was not proved. */
	if (err)
		memset(m->dst, 0, m->text_len);
	return err;
}

static gcry_error_t mac(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			const struct crypto_message *m, uint8_t out[GCRYPT_MAC_MAX])
{
	gcry_error_t err = gcrypt_mac_begin(keys->mac, NULL);

	if (!err)
		err = gcrypt_mac_add(keys->mac, m->head.data, m->head.len);
	if (!err)
		err = gcrypt_mac_add(keys->mac, m->iv, ctx->shape.iv_len + m->text_len);
	return err ? err : gcrypt_mac_end(keys->mac, out);
}

static gcry_error_t plain_open(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			       const struct crypto_message *m)
{
	uint8_t icv[GCRYPT_MAC_MAX];
	gcry_error_t err;

	if (!keys->mac || m->src != m->iv + ctx->shape.iv_len)
		return GPG_ERR_INV_ARG;
	err = mac(ctx, keys, m, icv);
	if (!err && !crypto_equal(icv, m->icv, ctx->shape.icv_len))
		err = GPG_ERR_CHECKSUM;
	if (err)
		return err;
	if (!keys->cipher) {
		memmove(m->dst, m->src, m->text_len);
		return 0;
	}
	err = gcrypt_plain_start(ctx, keys->cipher, m->iv);
	return err ? err : gcry_cipher_decrypt(keys->cipher, m->dst, m->text_len, m->src,
					       m->text_len);
}

static gcry_error_t aead_seal(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			      const struct crypto_message *m)
{
	gcry_error_t err = gcrypt_aead_start(ctx, keys->cipher, m->iv, m->head, m->text_len);
	uint8_t icv[GCRYPT_BLOCK];

	if (!err)
		err = gcry_cipher_encrypt(keys->cipher, m->dst, m->text_len, m->src, m->text_len);
	if (!err)
		err = gcry_cipher_gettag(keys->cipher, icv,
					 ctx->suite.encr->mode == CRYPTO_CCM ? ctx->shape.icv_len :
									       sizeof(icv));
	if (!err)
		memcpy(m->icv, icv, ctx->shape.icv_len);
	return err;
}

static gcry_error_t plain_seal(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			       const struct crypto_message *m)
{
	uint8_t icv[GCRYPT_MAC_MAX];
	gcry_error_t err = 0;

	if (!keys->mac || m->dst != m->iv + ctx->shape.iv_len)
		return GPG_ERR_INV_ARG;
	if (keys->cipher)
		err = gcrypt_plain_start(ctx, keys->cipher, m->iv);
	else
		memmove(m->dst, m->src, m->text_len);
	if (!err && keys->cipher)
		err = gcry_cipher_encrypt(keys->cipher, m->dst, m->text_len, m->src, m->text_len);
	if (!err)
		err = mac(ctx, keys, m, icv);
	if (!err)
		memcpy(m->icv, icv, ctx->shape.icv_len);
	return err;
}

static enum ipsp_err with_keys(struct ipsp_crypto_ctx *ctx, unsigned thread,
			       const struct crypto_message *m, work *combined, work *plain)
{
	struct gcrypt_keys keys;
	gcry_error_t err;

	if (!gcrypt_keys_claim(ctx, thread, &keys))
		return IPSP_ECRYPTO;
	err = (crypto_suite_combined(&ctx->suite) ? combined : plain)(ctx, &keys, m);
	gcrypt_keys_release(&keys);
	return gcrypt_err(err);
}

enum ipsp_err crypto_message_open(struct ipsp_crypto_ctx *ctx, unsigned thread,
				  const struct crypto_message *m)
{
	return with_keys(ctx, thread, m, aead_open, plain_open);
}

enum ipsp_err crypto_message_seal(struct ipsp_crypto_ctx *ctx, unsigned thread,
				  const struct crypto_message *m)
{
	return with_keys(ctx, thread, m, aead_seal, plain_seal);
}
