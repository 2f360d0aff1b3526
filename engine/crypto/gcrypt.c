/*
 * engine/crypto/gcrypt.c - crypto by libgcrypt: packets. RFC 4303 3.3.2, 3.4.4; RFC 4302 3.3.3.
 *
 * Handles with their keys come from engine/crypto/gcrypt_keys.c, what is done with them for one message
 * from engine/crypto/gcrypt_calls.c.
 */
#include <string.h>

#include "engine/crypto/backends.h"
#include "engine/crypto/gcrypt_calls.h"
#include "spd/octets.h"

/* ---- combined modes ---- */

/*
 * RFC 4106 5, RFC 4309 5: SPI, [high half,] sequence number are authenticated. GMAC authenticates IV and
 * text as well: RFC 4543 3.3.
 */
static gcry_error_t aead_start(const struct ipsp_crypto_ctx *ctx, gcry_cipher_hd_t cipher,
			       const struct ipsp_crypto_op *op)
{
	uint8_t aad[CRYPTO_ESP_HEADER + 4];
	const size_t aad_len = crypto_op_aad(op, aad);
	gcry_error_t err = gcrypt_aead_start(ctx, cipher, op->iv,
					     (struct ipsp_span){ aad, aad_len }, op->text_len);

	if (!err && ctx->suite.encr->mode == CRYPTO_GMAC)
		err = gcry_cipher_authenticate(cipher, op->iv, CRYPTO_COUNTER_IV);
	if (!err && ctx->suite.encr->mode == CRYPTO_GMAC)
		err = gcry_cipher_authenticate(cipher, op->src, op->text_len);
	return err;
}

/* Text that is not encrypted. */
static void copy(const struct ipsp_crypto_op *op)
{
	if (op->src != op->dst)
		memcpy(op->dst, op->src, op->text_len);
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

static gcry_error_t aead_seal(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			      struct ipsp_crypto_op *op)
{
	gcry_error_t err = aead_start(ctx, keys->cipher, op);
	uint8_t icv[GCRYPT_BLOCK];

	if (!err && ctx->suite.encr->mode == CRYPTO_GMAC)
		copy(op);
	else if (!err)
		err = encrypt(keys->cipher, op);
	if (!err)
		err = gcry_cipher_gettag(keys->cipher, icv,
					 ctx->suite.encr->mode == CRYPTO_CCM ? ctx->shape.icv_len :
									       sizeof(icv));
	if (!err)
		memcpy(op->icv, icv, ctx->shape.icv_len);
	return err;
}

static gcry_error_t aead_open(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			      struct ipsp_crypto_op *op)
{
	const bool clear = ctx->suite.encr->mode == CRYPTO_GMAC;
	gcry_error_t err = aead_start(ctx, keys->cipher, op);

	if (!err && !clear)
		err = decrypt(keys->cipher, op);
	if (!err)
		err = gcry_cipher_checktag(keys->cipher, op->icv, ctx->shape.icv_len);
	if (!err && clear)
		copy(op);
	/* These modes decrypt as they go: leave nothing that was not proved. */
	if (err && !clear)
		memset(op->dst, 0, op->text_len);
	return err;
}

/* ---- a cipher and integrity ---- */

/* The sealed packet, which stands in a row, and the high half. */
static gcry_error_t mac_packet(const struct ipsp_crypto_ctx *ctx, struct gcrypt_mac *m,
			       const struct ipsp_crypto_op *op, const uint8_t *sealed,
			       uint8_t out[GCRYPT_MAC_MAX])
{
	const size_t iv_len = ctx->shape.iv_len;
	uint8_t seq_hi[4];
	gcry_error_t err;

	if (!crypto_op_in_a_row(op, sealed, iv_len))
		return GPG_ERR_INV_ARG;
	err = gcrypt_mac_begin(m, NULL);
	if (!err)
		err = gcrypt_mac_add(m, op->aad, CRYPTO_ESP_HEADER + iv_len + op->text_len);
	put_be32(seq_hi, op->seq_hi);
	if (!err && op->esn)
		err = gcrypt_mac_add(m, seq_hi, sizeof(seq_hi));
	return err ? err : gcrypt_mac_end(m, out);
}

static gcry_error_t plain_seal(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			       struct ipsp_crypto_op *op)
{
	uint8_t icv[GCRYPT_MAC_MAX];
	gcry_error_t err = 0;

	if (!keys->mac && ctx->shape.icv_len > 0)
		return GPG_ERR_MISSING_KEY;
	if (keys->cipher)
		err = gcrypt_plain_start(ctx, keys->cipher, op->iv);
	else
		copy(op);
	if (!err && keys->cipher)
		err = encrypt(keys->cipher, op);
	if (!err && keys->mac)
		err = mac_packet(ctx, keys->mac, op, op->dst, icv);
	if (!err && keys->mac)
		memcpy(op->icv, icv, ctx->shape.icv_len);
	return err;
}

static gcry_error_t plain_open(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			       struct ipsp_crypto_op *op)
{
	uint8_t icv[GCRYPT_MAC_MAX];
	gcry_error_t err = 0;

	if (keys->mac)
		err = mac_packet(ctx, keys->mac, op, op->src, icv);
	if (!err && keys->mac && !crypto_equal(icv, op->icv, ctx->shape.icv_len))
		err = GPG_ERR_CHECKSUM;
	if (!err && keys->cipher)
		err = gcrypt_plain_start(ctx, keys->cipher, op->iv);
	if (!err && keys->cipher)
		err = decrypt(keys->cipher, op);
	else if (!err)
		copy(op);
	return err;
}

/* ---- batches ---- */

typedef gcry_error_t work(const struct ipsp_crypto_ctx *ctx, const struct gcrypt_keys *keys,
			  struct ipsp_crypto_op *op);

static void each_op(const struct ipsp_crypto_ctx *ctx, unsigned thread, work *do_it,
		    struct ipsp_crypto_op *ops, size_t n)
{
	struct gcrypt_keys keys;

	if (!gcrypt_keys_claim(ctx, thread, &keys)) {
		for (size_t i = 0; i < n; i++)
			ops[i].err = IPSP_ECRYPTO;
		return;
	}
	for (size_t i = 0; i < n; i++)
		ops[i].err = gcrypt_err(do_it(ctx, &keys, &ops[i]));
	gcrypt_keys_release(&keys);
}

static void seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	each_op(ctx, thread, crypto_suite_combined(&ctx->suite) ? aead_seal : plain_seal, ops, n);
}

static void open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	each_op(ctx, thread, crypto_suite_combined(&ctx->suite) ? aead_open : plain_open, ops, n);
}

static gcry_error_t mac_spans(const struct ipsp_crypto_ctx *ctx, struct gcrypt_mac *m,
			      const struct ipsp_auth_op *op, uint8_t out[GCRYPT_MAC_MAX])
{
	uint8_t nonce[CRYPTO_SALT_MAX + CRYPTO_COUNTER_IV] = { 0 };
	gcry_error_t err;

	if (m->gcm) {
		memcpy(nonce, ctx->integ_key + m->key_len - CRYPTO_SALT_MAX, CRYPTO_SALT_MAX);
		memcpy(nonce + CRYPTO_SALT_MAX, op->iv, CRYPTO_COUNTER_IV);
	}
	err = gcrypt_mac_begin(m, nonce);
	for (uint32_t i = 0; i < op->n_spans && !err; i++)
		err = gcrypt_mac_add(m, op->spans[i].data, op->spans[i].len);
	return err ? err : gcrypt_mac_end(m, out);
}

/* Makes the ICV of each, and does with it what is asked for. */
static void mac_all(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		    size_t n, void (*use)(struct ipsp_auth_op *op, const uint8_t *icv, size_t len))
{
	struct gcrypt_keys keys;
	const bool keyed = gcrypt_keys_claim(ctx, thread, &keys);

	for (size_t i = 0; i < n; i++) {
		uint8_t icv[GCRYPT_MAC_MAX];

		ops[i].err = IPSP_ECRYPTO;
		if (keyed && keys.mac)
			ops[i].err = gcrypt_err(mac_spans(ctx, keys.mac, &ops[i], icv));
		if (ops[i].err == IPSP_OK)
			use(&ops[i], icv, ctx->shape.icv_len);
	}
	gcrypt_keys_release(&keys);
}

static void write_icv(struct ipsp_auth_op *op, const uint8_t *icv, size_t len)
{
	memcpy(op->icv, icv, len);
}

static void compare_icv(struct ipsp_auth_op *op, const uint8_t *icv, size_t len)
{
	if (!crypto_equal(icv, op->icv, len))
		op->err = IPSP_EICV;
}

static void auth(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		 size_t n)
{
	mac_all(ctx, thread, ops, n, write_icv);
}

static void verify(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		   size_t n)
{
	mac_all(ctx, thread, ops, n, compare_icv);
}

/* ---- the library ---- */

/* libgcrypt has them all; one that was built without some fails its self-test. */
static bool has(const struct crypto_suite *suite)
{
	(void)suite;
	return true;
}

const struct crypto_backend crypto_gcrypt = {
	.name = "libgcrypt",
	.has = has,
	.ready = gcrypt_keys_ready,
	.forget = gcrypt_keys_forget,
	.idle = gcrypt_keys_idle,
	.seal = seal,
	.open = open,
	.auth = auth,
	.verify = verify,
};

enum ipsp_err crypto_gcrypt_start(size_t secmem_bytes)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return IPSP_OK;
	if (!gcry_check_version(GCRYPT_VERSION))
		return IPSP_ENOTSUP;
	gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, secmem_bytes);
	gcry_control(GCRYCTL_INIT_SECMEM, secmem_bytes, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return IPSP_OK;
}
