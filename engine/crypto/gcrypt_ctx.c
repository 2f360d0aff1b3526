/*
 * engine/crypto/gcrypt_ctx.c - contexts of the libgcrypt providers and the work on packets. RFC 4303
 * 3.3.2, 3.4.4; RFC 3602 (AES-CBC), 3686 (AES-CTR), 4106 (AES-GCM), 4309 (AES-CCM).
 *
 * Which algorithms there are is not known here: the providers' tables say it. Keys go into
 * secure-memory handles at once and nowhere else; each thread has handles of its own.
 */
#include <string.h>

#include "engine/crypto/gcrypt_ctx.h"
#include "spd/octets.h"

#define ESP_HEADER 8u
#define COUNTER_IV 8u	/* the explicit IV of CTR, GCM and CCM */
#define SALT_MAX 4u
#define AES_BLOCK 16u

/* What one thread works with. */
struct handles {
	gcry_cipher_hd_t cipher;	/* NULL: ENCR_NULL, AH */
	gcry_mac_hd_t mac;		/* NULL: combined mode, or an ICV that is not looked at */
};

struct ipsp_crypto_ctx {
	struct ipsp_crypto_shape shape;
	int mode;
	uint8_t salt_len;
	uint8_t salt[SALT_MAX];
	unsigned n_threads;
	struct handles threads[];
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

static enum ipsp_err open_cipher(struct handles *h, const struct gcrypt_encr *e,
				 const struct ipsp_key *key)
{
	gcry_error_t err;

	if (!e->cipher)
		return IPSP_OK;
	err = gcry_cipher_open(&h->cipher, e->cipher, e->mode, GCRY_CIPHER_SECURE);
	if (!err)
		err = gcry_cipher_setkey(h->cipher, key->octets, e->key_bits / 8u);
	return err_of(err);
}

static enum ipsp_err open_mac(struct handles *h, const struct gcrypt_integ *i,
			      const struct ipsp_key *key)
{
	gcry_error_t err;

	if (!i || !i->mac)
		return IPSP_OK;
	err = gcry_mac_open(&h->mac, i->mac, GCRY_MAC_FLAG_SECURE, NULL);
	if (!err)
		err = gcry_mac_setkey(h->mac, key->octets, i->key_len);
	return err_of(err);
}

/* libgcrypt wipes handles and secure memory as it frees them. */
void gcrypt_ctx_free(struct ipsp_crypto_ctx *ctx)
{
	if (!ctx)
		return;
	for (unsigned i = 0; i < ctx->n_threads; i++) {
		gcry_cipher_close(ctx->threads[i].cipher);
		gcry_mac_close(ctx->threads[i].mac);
	}
	gcry_free(ctx);
}

static bool keys_fit(const struct gcrypt_suite *suite, const struct ipsp_sa_config *sa)
{
	return sa->encr_key.len == suite->encr->key_bits / 8u + suite->encr->salt_len &&
	       sa->encr_key.len <= IPSP_KEY_MAX &&
	       sa->integ_key.len == (suite->integ ? suite->integ->key_len : 0);
}

enum ipsp_err gcrypt_ctx_new(const struct gcrypt_suite *suite, const struct ipsp_sa_config *sa,
			     unsigned n_threads, struct ipsp_crypto_ctx **out)
{
	struct ipsp_crypto_shape shape;
	enum ipsp_err err = gcrypt_suite_shape(suite, &shape);

	if (err != IPSP_OK)
		return err;
	if (!keys_fit(suite, sa))
		return IPSP_EKEYLEN;
	struct ipsp_crypto_ctx *ctx =
		gcry_calloc_secure(1, sizeof(*ctx) + n_threads * sizeof(ctx->threads[0]));

	if (!ctx)
		return IPSP_ENOMEM;
	ctx->shape = shape;
	ctx->mode = suite->encr->mode;
	ctx->salt_len = suite->encr->salt_len;
	memcpy(ctx->salt, sa->encr_key.octets + suite->encr->key_bits / 8u, ctx->salt_len);
	ctx->n_threads = n_threads;
	for (unsigned i = 0; i < n_threads && err == IPSP_OK; i++) {
		err = open_cipher(&ctx->threads[i], suite->encr, &sa->encr_key);
		if (err == IPSP_OK)
			err = open_mac(&ctx->threads[i], suite->integ, &sa->integ_key);
	}
	if (err != IPSP_OK) {
		gcrypt_ctx_free(ctx);
		return err;
	}
	*out = ctx;
	return IPSP_OK;
}

/*
 * RFC 4106 4 and 5, RFC 4309 4 and 5: nonce is salt and IV; SPI, [high half,] sequence number are
 * authenticated.
 */
static gcry_error_t aead_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
			       const struct ipsp_crypto_op *op)
{
	uint8_t nonce[SALT_MAX + COUNTER_IV];
	uint8_t aad[ESP_HEADER + 4];
	size_t aad_len = ESP_HEADER;
	gcry_error_t err;

	memcpy(nonce, ctx->salt, ctx->salt_len);
	memcpy(nonce + ctx->salt_len, op->iv, COUNTER_IV);
	memcpy(aad, op->aad, 4);
	if (op->esn) {
		put_be32(aad + 4, op->seq_hi);
		aad_len += 4;
	}
	memcpy(aad + aad_len - 4, op->aad + 4, 4);
	err = gcry_cipher_setiv(cipher, nonce, ctx->salt_len + COUNTER_IV);
	if (!err && ctx->mode == GCRY_CIPHER_MODE_CCM) {
		uint64_t lengths[3] = { op->text_len, aad_len, ctx->shape.icv_len };

		err = gcry_cipher_ctl(cipher, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof(lengths));
	}
	if (!err)
		err = gcry_cipher_authenticate(cipher, aad, aad_len);
	return err;
}

/* libgcrypt takes a source apart from the destination, and NULL for the same one. */
static gcry_error_t encrypt(gcry_cipher_hd_t cipher, const struct ipsp_crypto_op *op)
{
	const bool apart = op->src != op->dst;

	return gcry_cipher_encrypt(cipher, op->dst, op->text_len, apart ? op->src : NULL,
				   apart ? op->text_len : 0);
}

static gcry_error_t decrypt(gcry_cipher_hd_t cipher, const struct ipsp_crypto_op *op)
{
	const bool apart = op->src != op->dst;

	return gcry_cipher_decrypt(cipher, op->dst, op->text_len, apart ? op->src : NULL,
				   apart ? op->text_len : 0);
}

static gcry_error_t aead_seal(const struct ipsp_crypto_ctx *ctx, const struct handles *h,
			      struct ipsp_crypto_op *op)
{
	gcry_error_t err = aead_start(ctx, h->cipher, op);

	if (!err)
		err = encrypt(h->cipher, op);
	if (!err)
		err = gcry_cipher_gettag(h->cipher, op->icv, ctx->shape.icv_len);
	return err;
}

static gcry_error_t aead_open(const struct ipsp_crypto_ctx *ctx, const struct handles *h,
			      struct ipsp_crypto_op *op)
{
	gcry_error_t err = aead_start(ctx, h->cipher, op);

	if (!err)
		err = decrypt(h->cipher, op);
	if (!err)
		err = gcry_cipher_checktag(h->cipher, op->icv, ctx->shape.icv_len);
	/* These modes decrypt as they go: leave nothing that was not proved. */
	if (err)
		memset(op->dst, 0, op->text_len);
	return err;
}

/* The sealed packet, which stands in a row, and the high half. */
static gcry_error_t mac_packet(const struct ipsp_crypto_ctx *ctx, gcry_mac_hd_t mac,
			       const struct ipsp_crypto_op *op, const uint8_t *sealed)
{
	uint8_t seq_hi[4];
	gcry_error_t err;

	if (op->iv != op->aad + ESP_HEADER || sealed != op->iv + ctx->shape.iv_len ||
	    op->icv != sealed + op->text_len)
		return GPG_ERR_INV_ARG;
	err = gcry_mac_reset(mac);
	if (!err)
		err = gcry_mac_write(mac, op->aad, ESP_HEADER + ctx->shape.iv_len + op->text_len);
	if (!err && op->esn) {
		put_be32(seq_hi, op->seq_hi);
		err = gcry_mac_write(mac, seq_hi, sizeof(seq_hi));
	}
	return err;
}

/* The IV itself, or RFC 3686 4: nonce, IV, and a block counter that begins with 1. */
static gcry_error_t plain_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
				const struct ipsp_crypto_op *op)
{
	uint8_t counter[AES_BLOCK] = { 0 };

	if (ctx->mode != GCRY_CIPHER_MODE_CTR)
		return gcry_cipher_setiv(cipher, op->iv, ctx->shape.iv_len);
	memcpy(counter, ctx->salt, ctx->salt_len);
	memcpy(counter + ctx->salt_len, op->iv, COUNTER_IV);
	counter[AES_BLOCK - 1] = 1;
	return gcry_cipher_setctr(cipher, counter, sizeof(counter));
}

/* ENCR_NULL: the text is what it was. */
static void copy(const struct ipsp_crypto_op *op)
{
	if (op->src != op->dst)
		memcpy(op->dst, op->src, op->text_len);
}

static gcry_error_t plain_seal(const struct ipsp_crypto_ctx *ctx, const struct handles *h,
			       struct ipsp_crypto_op *op)
{
	size_t icv_len = ctx->shape.icv_len;
	gcry_error_t err = 0;

	if (!h->mac && icv_len > 0)
		return GPG_ERR_MISSING_KEY;
	if (h->cipher)
		err = plain_start(ctx, h->cipher, op);
	else
		copy(op);
	if (!err && h->cipher)
		err = encrypt(h->cipher, op);
	if (!err && h->mac)
		err = mac_packet(ctx, h->mac, op, op->dst);
	if (!err && h->mac)
		err = gcry_mac_read(h->mac, op->icv, &icv_len);
	return err;
}

static gcry_error_t plain_open(const struct ipsp_crypto_ctx *ctx, const struct handles *h,
			       struct ipsp_crypto_op *op)
{
	gcry_error_t err = 0;

	if (h->mac)
		err = mac_packet(ctx, h->mac, op, op->src);
	if (!err && h->mac)
		err = gcry_mac_verify(h->mac, op->icv, ctx->shape.icv_len);
	if (!err && h->cipher)
		err = plain_start(ctx, h->cipher, op);
	if (!err && h->cipher)
		err = decrypt(h->cipher, op);
	else if (!err)
		copy(op);
	return err;
}

static bool is_combined(const struct ipsp_crypto_ctx *ctx)
{
	return ctx->mode == GCRY_CIPHER_MODE_GCM || ctx->mode == GCRY_CIPHER_MODE_CCM;
}

void gcrypt_ctx_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n)
{
	const struct handles *h = &ctx->threads[thread];

	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(is_combined(ctx) ? aead_seal(ctx, h, &ops[i]) :
						       plain_seal(ctx, h, &ops[i]));
}

void gcrypt_ctx_open(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		     size_t n)
{
	const struct handles *h = &ctx->threads[thread];

	for (size_t i = 0; i < n; i++)
		ops[i].err = err_of(is_combined(ctx) ? aead_open(ctx, h, &ops[i]) :
						       plain_open(ctx, h, &ops[i]));
}

static gcry_error_t mac_spans(gcry_mac_hd_t mac, const struct ipsp_auth_op *op)
{
	gcry_error_t err = mac ? gcry_mac_reset(mac) : GPG_ERR_MISSING_KEY;

	for (uint32_t i = 0; i < op->n_spans && !err; i++)
		err = gcry_mac_write(mac, op->spans[i].data, op->spans[i].len);
	return err;
}

void gcrypt_ctx_auth(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		     size_t n)
{
	gcry_mac_hd_t mac = ctx->threads[thread].mac;

	for (size_t i = 0; i < n; i++) {
		size_t icv_len = ctx->shape.icv_len;
		gcry_error_t err = mac_spans(mac, &ops[i]);

		if (!err)
			err = gcry_mac_read(mac, ops[i].icv, &icv_len);
		ops[i].err = err_of(err);
	}
}

void gcrypt_ctx_verify(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		       size_t n)
{
	gcry_mac_hd_t mac = ctx->threads[thread].mac;

	for (size_t i = 0; i < n; i++) {
		gcry_error_t err = mac_spans(mac, &ops[i]);

		if (!err)
			err = gcry_mac_verify(mac, ops[i].icv, ctx->shape.icv_len);
		ops[i].err = err_of(err);
	}
}
