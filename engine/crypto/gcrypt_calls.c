/* engine/crypto/gcrypt_calls.c - one message's worth of calls of libgcrypt: see gcrypt_calls.h. */
#include <string.h>

#include "engine/crypto/gcrypt_calls.h"

enum ipsp_err gcrypt_err(gcry_error_t err)
{
	switch (gcry_err_code(err)) {
	case GPG_ERR_NO_ERROR:
		return IPSP_OK;
	case GPG_ERR_CHECKSUM:
		return IPSP_EICV;
	default:
		return IPSP_ECRYPTO;
	}
}

gcry_error_t gcrypt_aead_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
			       const uint8_t *iv, struct ipsp_span aad, size_t text_len)
{
	const struct crypto_encr *const e = ctx->suite.encr;
	uint8_t nonce[CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV];
	gcry_error_t err;

	memcpy(nonce, crypto_ctx_salt(ctx), e->salt_len);
	memcpy(nonce + e->salt_len, iv, CRYPTO_COUNTER_IV);
	err = gcry_cipher_setiv(cipher, nonce, e->salt_len + CRYPTO_COUNTER_IV);
	if (!err && e->mode == CRYPTO_CCM) {
		uint64_t lengths[3] = { text_len, aad.len, e->icv_len };

		err = gcry_cipher_ctl(cipher, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof(lengths));
	}
	return err ? err : gcry_cipher_authenticate(cipher, aad.data, aad.len);
}

gcry_error_t gcrypt_plain_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
				const uint8_t *iv)
{
	const struct crypto_encr *const e = ctx->suite.encr;
	uint8_t counter[GCRYPT_BLOCK] = { 0 };

	if (e->mode != CRYPTO_CTR)
		return gcry_cipher_setiv(cipher, iv, e->iv_len);
	memcpy(counter, crypto_ctx_salt(ctx), e->salt_len);
	memcpy(counter + e->salt_len, iv, CRYPTO_COUNTER_IV);
	counter[GCRYPT_BLOCK - 1] = 1;
	return gcry_cipher_setctr(cipher, counter, sizeof(counter));
}

gcry_error_t gcrypt_mac_begin(struct gcrypt_mac *m, const uint8_t *nonce)
{
	if (m->mac)
		return gcry_mac_reset(m->mac);
	if (m->gcm)
		return gcry_cipher_setiv(m->gcm, nonce, CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV);
	return xcbc_begin(&m->xcbc);
}

gcry_error_t gcrypt_mac_add(struct gcrypt_mac *m, const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (m->mac)
		return gcry_mac_write(m->mac, data, len);
	if (m->gcm)
		return gcry_cipher_authenticate(m->gcm, data, len);
	return xcbc_add(&m->xcbc, data, len);
}

gcry_error_t gcrypt_mac_end(struct gcrypt_mac *m, uint8_t out[GCRYPT_MAC_MAX])
{
	size_t len = GCRYPT_MAC_MAX;

	if (m->mac)
		return gcry_mac_read(m->mac, out, &len);
	if (m->gcm)
		return gcry_cipher_gettag(m->gcm, out, GCRYPT_BLOCK);
	return xcbc_end(&m->xcbc, out);
}
