/*
 * engine/crypto/gcrypt_ctx.c - contexts of the libgcrypt providers and the work on packets. RFC 4303
 * 3.3.2, 3.4.4; RFC 3602 (AES-CBC), 3686 (AES-CTR), 4106 (AES-GCM), 4309 (AES-CCM).
 *
 * Which algorithms there are is not known here: the providers' tables say it. Keys go into
 * secure-memory handles at once and nowhere else. A context is for one thread.
 */
#include <string.h>

#include "engine/crypto/gcrypt_ctx.h"
#include "spd/octets.h"

#define ESP_HEADER 8u
#define COUNTER_IV 8u	/* the explicit IV of CTR, GCM and CCM */
#define SALT_MAX 4u
#define AES_BLOCK 16u

struct ipsp_crypto_ctx {
	gcry_cipher_hd_t cipher;	/* NULL: ENCR_NULL */
	gcry_mac_hd_t mac;		/* NULL: combined mode, or an ICV that is not looked at */
	struct ipsp_crypto_shape shape;
	int mode;
	uint8_t salt_len;
	uint8_t salt[SALT_MAX];
};

enum ipsp_err gcrypt_suite_shape(const struct gcrypt_suite *suite, struct ipsp_crypto_shape *out)
{
	const struct gcrypt_encr *e = suite->encr;
	const struct gcrypt_integ *i = suite->integ;

	if (!e || (e->icv_len > 0) == (i != NULL))
		return IPSP_ENOTSUP;
	*out = (struct ipsp_crypto_shape){
		.iv_len = e->iv_len,
		.icv_len = e->icv_len ? e->icv_len : i->icv_len,
		.block_len = e->block_len,
		.iv_is_counter = e->mode == GCRY_CIPHER_MODE_CTR ||
				 e->mode == GCRY_CIPHER_MODE_GCM || e->mode == GCRY_CIPHER_MODE_CCM,
	};
	return IPSP_OK;
}

static enum ipsp_err err_of(gcry_error_t err)
{
	switch (gcry_err_code(err)) {
	case GPG_ERR_NO_ERROR:
		return IPSP_OK;
	case GPG_ERR_ENOMEM:
		return IPSP_ENOMEM;
	case GPG_ERR_CHECKSUM:
		return IPSP_EICV;
	default:
		return IPSP_ECRYPTO;
	}
}

static enum ipsp_err open_cipher(struct ipsp_crypto_ctx *ctx, const struct gcrypt_encr *e,
				 const struct ipsp_key *key)
{
	size_t key_len = e->key_bits / 8u;
	gcry_error_t err;

	if (key->len != key_len + e->salt_len || key->len > IPSP_KEY_MAX)
		return IPSP_EKEYLEN;
	if (!e->cipher)
		return IPSP_OK;
	ctx->mode = e->mode;
	ctx->salt_len = e->salt_len;
	memcpy(ctx->salt, key->octets + key_len, e->salt_len);
	err = gcry_cipher_open(&ctx->cipher, e->cipher, e->mode, GCRY_CIPHER_SECURE);
	if (!err)
		err = gcry_cipher_setkey(ctx->cipher, key->octets, key_len);
	return err_of(err);
}

static enum ipsp_err open_mac(struct ipsp_crypto_ctx *ctx, const struct gcrypt_integ *i,
			      const struct ipsp_key *key)
{
	gcry_error_t err;

	if (key->len != (i ? i->key_len : 0))
		return IPSP_EKEYLEN;
	if (!i || !i->mac)
		return IPSP_OK;
	err = gcry_mac_open(&ctx->mac, i->mac, GCRY_MAC_FLAG_SECURE, NULL);
	if (!err)
		err = gcry_mac_setkey(ctx->mac, key->octets, i->key_len);
	return err_of(err);
}

/* libgcrypt wipes handles and secure memory as it frees them. */
void gcrypt_ctx_free(struct ipsp_crypto_ctx *ctx)
{
	if (!ctx)
		return;
	gcry_cipher_close(ctx->cipher);
	gcry_mac_close(ctx->mac);
	gcry_free(ctx);
}

enum ipsp_err gcrypt_ctx_new(const struct gcrypt_suite *suite, const struct ipsp_sa_config *sa,
			     struct ipsp_crypto_ctx **out)
{
	struct ipsp_crypto_shape shape;
	enum ipsp_err err = gcrypt_suite_shape(suite, &shape);

	if (err != IPSP_OK)
		return err;
	struct ipsp_crypto_ctx *ctx = gcry_calloc_secure(1, sizeof(*ctx));

	if (!ctx)
		return IPSP_ENOMEM;
	ctx->shape = shape;
	err = open_cipher(ctx, suite->encr, &sa->encr_key);
	if (err == IPSP_OK)
		err = open_mac(ctx, suite->integ, &sa->integ_key);
	if (err != IPSP_OK) {
		gcrypt_ctx_free(ctx);
		return err;
	}
	*out = ctx;
	return IPSP_OK;
}

static uint8_t *op_text(const struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	return op->esp + ESP_HEADER + ctx->shape.iv_len;
}

/*
 * RFC 4106 4 and 5, RFC 4309 4 and 5: nonce is salt and IV; SPI, [high half,] sequence number are
 * authenticated.
 */
static gcry_error_t aead_start(struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	uint8_t nonce[SALT_MAX + COUNTER_IV];
	uint8_t aad[12];
	size_t aad_len = ESP_HEADER;
	gcry_error_t err;

	memcpy(nonce, ctx->salt, ctx->salt_len);
	memcpy(nonce + ctx->salt_len, op->esp + ESP_HEADER, COUNTER_IV);
	memcpy(aad, op->esp, 4);
	if (op->esn) {
		put_be32(aad + 4, op->seq_hi);
		aad_len += 4;
	}
	memcpy(aad + aad_len - 4, op->esp + 4, 4);
	err = gcry_cipher_setiv(ctx->cipher, nonce, ctx->salt_len + COUNTER_IV);
	if (!err && ctx->mode == GCRY_CIPHER_MODE_CCM) {
		uint64_t lengths[3] = { op->text_len, aad_len, ctx->shape.icv_len };

		err = gcry_cipher_ctl(ctx->cipher, GCRYCTL_SET_CCM_LENGTHS, lengths,
				      sizeof(lengths));
	}
	if (!err)
		err = gcry_cipher_authenticate(ctx->cipher, aad, aad_len);
	return err;
}

static gcry_error_t aead_seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = aead_start(ctx, op);

	if (!err)
		err = gcry_cipher_encrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err)
		err = gcry_cipher_gettag(ctx->cipher, text + op->text_len, ctx->shape.icv_len);
	return err;
}

static gcry_error_t aead_open(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = aead_start(ctx, op);

	if (!err)
		err = gcry_cipher_decrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err)
		err = gcry_cipher_checktag(ctx->cipher, text + op->text_len, ctx->shape.icv_len);
	/* These modes decrypt as they go: leave nothing that was not proved. */
	if (err)
		memset(text, 0, op->text_len);
	return err;
}

static gcry_error_t mac_packet(struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	uint8_t seq_hi[4];
	gcry_error_t err = gcry_mac_reset(ctx->mac);

	if (!err)
		err = gcry_mac_write(ctx->mac, op->esp,
				     ESP_HEADER + ctx->shape.iv_len + op->text_len);
	if (!err && op->esn) {
		put_be32(seq_hi, op->seq_hi);
		err = gcry_mac_write(ctx->mac, seq_hi, sizeof(seq_hi));
	}
	return err;
}

/* The IV itself, or RFC 3686 4: nonce, IV, and a block counter that begins with 1. */
static gcry_error_t plain_start(struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	uint8_t counter[AES_BLOCK] = { 0 };

	if (ctx->mode != GCRY_CIPHER_MODE_CTR)
		return gcry_cipher_setiv(ctx->cipher, op->esp + ESP_HEADER, ctx->shape.iv_len);
	memcpy(counter, ctx->salt, ctx->salt_len);
	memcpy(counter + ctx->salt_len, op->esp + ESP_HEADER, COUNTER_IV);
	counter[AES_BLOCK - 1] = 1;
	return gcry_cipher_setctr(ctx->cipher, counter, sizeof(counter));
}

static gcry_error_t plain_seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	size_t icv_len = ctx->shape.icv_len;
	gcry_error_t err = 0;

	if (!ctx->mac && icv_len > 0)
		return GPG_ERR_MISSING_KEY;
	if (ctx->cipher)
		err = plain_start(ctx, op);
	if (!err && ctx->cipher)
		err = gcry_cipher_encrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err && ctx->mac)
		err = mac_packet(ctx, op);
	if (!err && ctx->mac)
		err = gcry_mac_read(ctx->mac, text + op->text_len, &icv_len);
	return err;
}

static gcry_error_t plain_open(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = 0;

	if (ctx->mac)
		err = mac_packet(ctx, op);
	if (!err && ctx->mac)
		err = gcry_mac_verify(ctx->mac, text + op->text_len, ctx->shape.icv_len);
	if (!err && ctx->cipher)
		err = plain_start(ctx, op);
	if (!err && ctx->cipher)
		err = gcry_cipher_decrypt(ctx->cipher, text, op->text_len, NULL, 0);
	return err;
}

static bool is_combined(const struct ipsp_crypto_ctx *ctx)
{
	return ctx->mode == GCRY_CIPHER_MODE_GCM || ctx->mode == GCRY_CIPHER_MODE_CCM;
}

void gcrypt_ctx_seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(is_combined(ctx) ? aead_seal(ctx, &ops[i]) :
						       plain_seal(ctx, &ops[i]));
}

void gcrypt_ctx_open(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(is_combined(ctx) ? aead_open(ctx, &ops[i]) :
						       plain_open(ctx, &ops[i]));
}
