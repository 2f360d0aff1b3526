/*
 * engine/crypto/gcrypt.c - crypto by libgcrypt. RFC 3602 (AES-CBC), 2410 (NULL), 4106 (AES-GCM),
 * 2404 (HMAC-SHA1-96), 4868 (HMAC-SHA2-256-128).
 *
 * Keys go into secure-memory handles at once and nowhere else. A context is for one thread.
 */
#include <gcrypt.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "spd/octets.h"

#define ESP_HEADER 8u
#define GCM_SALT 4u
#define GCM_NONCE 12u

struct encr_alg {
	uint16_t encr;
	int mode;	/* GCRY_CIPHER_MODE_*; 0: no cipher */
	uint8_t salt_len, iv_len, block_len;
	uint8_t icv_len;	/* combined mode; 0: takes an integrity algorithm */
};

static const struct encr_alg encr_algs[] = {
	{ IPSP_ENCR_NULL, 0, 0, 0, 4, 0 },
	{ IPSP_ENCR_AES_CBC, GCRY_CIPHER_MODE_CBC, 0, 16, 16, 0 },
	{ IPSP_ENCR_AES_GCM_16, GCRY_CIPHER_MODE_GCM, GCM_SALT, 8, 4, 16 },
};

struct integ_alg {
	uint16_t integ;
	int mac;
	uint8_t key_len, icv_len;
};

static const struct integ_alg integ_algs[] = {
	{ IPSP_INTEG_HMAC_SHA1_96, GCRY_MAC_HMAC_SHA1, 20, 12 },
	{ IPSP_INTEG_HMAC_SHA2_256_128, GCRY_MAC_HMAC_SHA256, 32, 16 },
};

struct ipsp_crypto_ctx {
	gcry_cipher_hd_t cipher;	/* NULL: ENCR_NULL */
	gcry_mac_hd_t mac;		/* NULL: combined mode */
	struct ipsp_crypto_shape shape;
	uint8_t salt[GCM_SALT];
};

static const struct encr_alg *encr_find(uint16_t encr)
{
	for (size_t i = 0; i < sizeof(encr_algs) / sizeof(encr_algs[0]); i++) {
		if (encr_algs[i].encr == encr)
			return &encr_algs[i];
	}
	return NULL;
}

static const struct integ_alg *integ_find(uint16_t integ)
{
	for (size_t i = 0; i < sizeof(integ_algs) / sizeof(integ_algs[0]); i++) {
		if (integ_algs[i].integ == integ)
			return &integ_algs[i];
	}
	return NULL;
}

static int aes_of(uint16_t key_bits)
{
	switch (key_bits) {
	case 128:
		return GCRY_CIPHER_AES128;
	case 192:
		return GCRY_CIPHER_AES192;
	case 256:
		return GCRY_CIPHER_AES256;
	default:
		return GCRY_CIPHER_NONE;
	}
}

static enum ipsp_err shape(uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	const struct encr_alg *e = encr_find(encr);
	const struct integ_alg *i = integ_find(integ);

	if (!e)
		return IPSP_ENOTSUP;
	if (e->icv_len ? integ != IPSP_INTEG_NONE : !i)
		return IPSP_ENOTSUP;
	if (e->mode ? aes_of(encr_key_bits) == GCRY_CIPHER_NONE : encr_key_bits != 0)
		return IPSP_EKEYLEN;
	*out = (struct ipsp_crypto_shape){
		.iv_len = e->iv_len,
		.icv_len = e->icv_len ? e->icv_len : i->icv_len,
		.block_len = e->block_len,
		.iv_is_counter = e->mode == GCRY_CIPHER_MODE_GCM,
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

static enum ipsp_err open_cipher(struct ipsp_crypto_ctx *ctx, const struct ipsp_sa_config *sa)
{
	const struct encr_alg *e = encr_find(sa->encr);
	size_t key_len = sa->encr_key_bits / 8u;
	gcry_error_t err;

	if (sa->encr_key.len != key_len + e->salt_len || sa->encr_key.len > IPSP_KEY_MAX)
		return IPSP_EKEYLEN;
	if (!e->mode)
		return IPSP_OK;
	memcpy(ctx->salt, sa->encr_key.octets + key_len, e->salt_len);
	err = gcry_cipher_open(&ctx->cipher, aes_of(sa->encr_key_bits), e->mode,
			       GCRY_CIPHER_SECURE);
	if (!err)
		err = gcry_cipher_setkey(ctx->cipher, sa->encr_key.octets, key_len);
	return err_of(err);
}

static enum ipsp_err open_mac(struct ipsp_crypto_ctx *ctx, const struct ipsp_sa_config *sa)
{
	const struct integ_alg *i = integ_find(sa->integ);
	gcry_error_t err;

	if (sa->integ_key.len != (i ? i->key_len : 0))
		return IPSP_EKEYLEN;
	if (!i)
		return IPSP_OK;
	err = gcry_mac_open(&ctx->mac, i->mac, GCRY_MAC_FLAG_SECURE, NULL);
	if (!err)
		err = gcry_mac_setkey(ctx->mac, sa->integ_key.octets, i->key_len);
	return err_of(err);
}

/* libgcrypt wipes handles and secure memory as it frees them. */
static void ctx_free(struct ipsp_crypto_ctx *ctx)
{
	if (!ctx)
		return;
	gcry_cipher_close(ctx->cipher);
	gcry_mac_close(ctx->mac);
	gcry_free(ctx);
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, struct ipsp_crypto_ctx **out)
{
	struct ipsp_crypto_shape s;
	enum ipsp_err err = shape(sa->encr, sa->encr_key_bits, sa->integ, &s);

	if (err != IPSP_OK)
		return err;
	struct ipsp_crypto_ctx *ctx = gcry_calloc_secure(1, sizeof(*ctx));

	if (!ctx)
		return IPSP_ENOMEM;
	ctx->shape = s;
	err = open_cipher(ctx, sa);
	if (err == IPSP_OK)
		err = open_mac(ctx, sa);
	if (err != IPSP_OK) {
		ctx_free(ctx);
		return err;
	}
	*out = ctx;
	return IPSP_OK;
}

static uint8_t *op_text(const struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	return op->esp + ESP_HEADER + ctx->shape.iv_len;
}

/* RFC 4106 4 and 5: nonce is salt and IV; SPI, [high half,] sequence number are authenticated. */
static gcry_error_t gcm_start(struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	uint8_t nonce[GCM_NONCE];
	uint8_t aad[12];
	size_t aad_len = ESP_HEADER;
	gcry_error_t err;

	memcpy(nonce, ctx->salt, GCM_SALT);
	memcpy(nonce + GCM_SALT, op->esp + ESP_HEADER, GCM_NONCE - GCM_SALT);
	memcpy(aad, op->esp, 4);
	if (op->esn) {
		put_be32(aad + 4, op->seq_hi);
		aad_len += 4;
	}
	memcpy(aad + aad_len - 4, op->esp + 4, 4);
	err = gcry_cipher_setiv(ctx->cipher, nonce, sizeof(nonce));
	if (!err)
		err = gcry_cipher_authenticate(ctx->cipher, aad, aad_len);
	return err;
}

static gcry_error_t gcm_seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = gcm_start(ctx, op);

	if (!err)
		err = gcry_cipher_encrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err)
		err = gcry_cipher_gettag(ctx->cipher, text + op->text_len, ctx->shape.icv_len);
	return err;
}

static gcry_error_t gcm_open(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = gcm_start(ctx, op);

	if (!err)
		err = gcry_cipher_decrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err)
		err = gcry_cipher_checktag(ctx->cipher, text + op->text_len, ctx->shape.icv_len);
	/* This mode decrypts as it goes: leave nothing that was not proved. */
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

static gcry_error_t cbc_start(struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op)
{
	return gcry_cipher_setiv(ctx->cipher, op->esp + ESP_HEADER, ctx->shape.iv_len);
}

static gcry_error_t plain_seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	size_t icv_len = ctx->shape.icv_len;
	gcry_error_t err = 0;

	if (ctx->cipher)
		err = cbc_start(ctx, op);
	if (!err && ctx->cipher)
		err = gcry_cipher_encrypt(ctx->cipher, text, op->text_len, NULL, 0);
	if (!err)
		err = mac_packet(ctx, op);
	if (!err)
		err = gcry_mac_read(ctx->mac, text + op->text_len, &icv_len);
	return err;
}

static gcry_error_t plain_open(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *op)
{
	uint8_t *text = op_text(ctx, op);
	gcry_error_t err = mac_packet(ctx, op);

	if (!err)
		err = gcry_mac_verify(ctx->mac, text + op->text_len, ctx->shape.icv_len);
	if (!err && ctx->cipher)
		err = cbc_start(ctx, op);
	if (!err && ctx->cipher)
		err = gcry_cipher_decrypt(ctx->cipher, text, op->text_len, NULL, 0);
	return err;
}

static void seal(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(ctx->mac ? plain_seal(ctx, &ops[i]) : gcm_seal(ctx, &ops[i]));
}

static void open_(struct ipsp_crypto_ctx *ctx, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(ctx->mac ? plain_open(ctx, &ops[i]) : gcm_open(ctx, &ops[i]));
}

static const struct ipsp_crypto provider = {
	.name = "libgcrypt",
	.shape = shape,
	.ctx_new = ctx_new,
	.ctx_free = ctx_free,
	.seal = seal,
	.open = open_,
};

const struct ipsp_crypto *ipsp_crypto_gcrypt(void)
{
	return &provider;
}

enum ipsp_err ipsp_crypto_gcrypt_init(size_t secmem_bytes)
{
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		if (!gcry_check_version(GCRYPT_VERSION))
			return IPSP_ENOTSUP;
		gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, secmem_bytes);
		gcry_control(GCRYCTL_INIT_SECMEM, secmem_bytes, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	return ipsp_crypto_self_test(&provider);
}
