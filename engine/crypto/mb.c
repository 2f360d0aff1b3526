/*
 * engine/crypto/mb.c - crypto by Intel's ipsec-mb: managers, keys, and who does what.
 *
 * Each thread has a manager and a cache of expanded keys, all in locked memory. The library takes
 * what it needs from the processor when a manager is made, and makes no system call.
 */
#include <string.h>

#include "engine/crypto/backends.h"
#include "engine/crypto/locked.h"
#include "engine/crypto/mb.h"

#define SLOTS 64u
#define PAGE 4096u
#define HMAC_BLOCK_MAX 128u

static struct mb_thread threads[CRYPTO_THREADS_MAX];

struct mb_thread *mb_thread(unsigned thread)
{
	return &threads[thread];
}

/* AES-CCM with 192-bit keys is not in the library; neither are Camellia and what is weak. */
static bool has_encr(const struct crypto_encr *e)
{
	switch (e->cipher) {
	case CRYPTO_CIPHER_NONE:
	case CRYPTO_CHACHA20:
		return true;
	case CRYPTO_AES:
		return e->mode != CRYPTO_CCM || e->key_bits != 192;
	default:
		return false;
	}
}

static bool has_integ(const struct crypto_integ *i)
{
	return i->mac != CRYPTO_MAC_NONE && i->mac != CRYPTO_HMAC_MD5 &&
	       i->mac != CRYPTO_HMAC_RIPEMD160;
}

static bool has(const struct crypto_suite *suite)
{
	return (!suite->encr || has_encr(suite->encr)) &&
	       (!suite->integ || has_integ(suite->integ));
}

static void wipe(void *keys, size_t size)
{
	explicit_bzero(keys, size);
}

static enum ipsp_err make_manager(struct mb_thread *t)
{
	const size_t size = (imb_get_mb_mgr_size() + PAGE - 1) / PAGE * PAGE;
	void *const mem = crypto_locked_map(size);
	IMB_MGR *mgr;

	if (!mem)
		return IPSP_ENOMEM;
	mgr = imb_set_pointers_mb_mgr(mem, 0, 1);
	if (mgr)
		init_mb_mgr_auto(mgr, NULL);
	if (!mgr || imb_get_errno(mgr) != 0) {
		crypto_locked_unmap(mem, size);
		return IPSP_ECRYPTO;
	}
	t->mgr = mgr;
	return IPSP_OK;
}

static enum ipsp_err ready(unsigned thread, const struct crypto_suite *suite)
{
	struct mb_thread *const t = &threads[thread];
	enum ipsp_err err = t->mgr ? IPSP_OK : make_manager(t);

	(void)suite;
	if (err != IPSP_OK)
		return err;
	if (!t->keys)
		t->keys = key_cache_new(SLOTS, sizeof(struct mb_keys), wipe);
	if (!t->gather)
		t->gather = crypto_locked_map(MB_GATHER);
	return t->keys && t->gather ? IPSP_OK : IPSP_ENOMEM;
}

static void forget(const struct ipsp_crypto_ctx *ctx)
{
	for (unsigned i = 0; i < CRYPTO_THREADS_MAX; i++) {
		if (threads[i].keys)
			key_cache_forget(threads[i].keys, ctx->serial);
	}
}

/* A thread's state is there for its life. */
static void idle(void)
{
}

/* ---- key schedules ---- */

static void expand_gcm(IMB_MGR *mgr, const uint8_t *key, unsigned key_bits,
		       struct gcm_key_data *out)
{
	switch (key_bits) {
	case 128:
		IMB_AES128_GCM_PRE(mgr, key, out);
		break;
	case 192:
		IMB_AES192_GCM_PRE(mgr, key, out);
		break;
	default:
		IMB_AES256_GCM_PRE(mgr, key, out);
		break;
	}
}

static void expand_aes(IMB_MGR *mgr, const uint8_t *key, unsigned key_bits, struct mb_keys *out)
{
	switch (key_bits) {
	case 128:
		IMB_AES_KEYEXP_128(mgr, key, out->encr.aes.enc, out->encr.aes.dec);
		break;
	case 192:
		IMB_AES_KEYEXP_192(mgr, key, out->encr.aes.enc, out->encr.aes.dec);
		break;
	default:
		IMB_AES_KEYEXP_256(mgr, key, out->encr.aes.enc, out->encr.aes.dec);
		break;
	}
}

static void one_block(IMB_MGR *mgr, uint8_t mac, const uint8_t *block, uint8_t *out)
{
	switch (mac) {
	case CRYPTO_HMAC_SHA1:
		IMB_SHA1_ONE_BLOCK(mgr, block, out);
		break;
	case CRYPTO_HMAC_SHA256:
		IMB_SHA256_ONE_BLOCK(mgr, block, out);
		break;
	case CRYPTO_HMAC_SHA384:
		IMB_SHA384_ONE_BLOCK(mgr, block, out);
		break;
	default:
		IMB_SHA512_ONE_BLOCK(mgr, block, out);
		break;
	}
}

/* RFC 2104 2: the first block of each hash is known with the key. Keys are no longer than one. */
static void expand_hmac(IMB_MGR *mgr, const struct crypto_integ *i, const uint8_t *key,
			struct mb_keys *out)
{
	const size_t block_len = i->mac == CRYPTO_HMAC_SHA384 || i->mac == CRYPTO_HMAC_SHA512 ?
				       IMB_SHA_512_BLOCK_SIZE : IMB_SHA1_BLOCK_SIZE;
	uint8_t inner[HMAC_BLOCK_MAX], outer[HMAC_BLOCK_MAX];

	memset(inner, 0x36, block_len);
	memset(outer, 0x5c, block_len);
	for (size_t n = 0; n < i->key_len; n++) {
		inner[n] ^= key[n];
		outer[n] ^= key[n];
	}
	one_block(mgr, i->mac, inner, out->integ.hmac.ipad);
	one_block(mgr, i->mac, outer, out->integ.hmac.opad);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
}

static void expand_cmac(IMB_MGR *mgr, const uint8_t *key, struct mb_keys *out)
{
	uint8_t unused[MB_SCHEDULE] __attribute__((aligned(16)));

	IMB_AES_KEYEXP_128(mgr, key, out->integ.cbc_mac.k1, unused);
	IMB_AES_CMAC_SUBKEY_GEN_128(mgr, out->integ.cbc_mac.k1, out->integ.cbc_mac.k2,
				    out->integ.cbc_mac.k3);
	explicit_bzero(unused, sizeof(unused));
}

static void expand_integ(IMB_MGR *mgr, const struct ipsp_crypto_ctx *ctx, struct mb_keys *out)
{
	const struct crypto_integ *const i = ctx->suite.integ;

	switch (i->mac) {
	case CRYPTO_XCBC:
		IMB_AES_XCBC_KEYEXP(mgr, ctx->integ_key, out->integ.cbc_mac.k1,
				    out->integ.cbc_mac.k2, out->integ.cbc_mac.k3);
		break;
	case CRYPTO_CMAC:
		expand_cmac(mgr, ctx->integ_key, out);
		break;
	case CRYPTO_MAC_GMAC:
		expand_gcm(mgr, ctx->integ_key, (i->key_len - CRYPTO_SALT_MAX) * 8u,
			   &out->encr.gcm);
		break;
	default:
		expand_hmac(mgr, i, ctx->integ_key, out);
		break;
	}
}

/* ChaCha20's key is its own schedule. */
static void expand(IMB_MGR *mgr, const struct ipsp_crypto_ctx *ctx, struct mb_keys *out)
{
	const struct crypto_encr *const e = ctx->suite.encr;

	memset(out, 0, sizeof(*out));
	if (e && (e->mode == CRYPTO_GCM || e->mode == CRYPTO_GMAC))
		expand_gcm(mgr, ctx->encr_key, e->key_bits, &out->encr.gcm);
	else if (e && e->cipher == CRYPTO_AES)
		expand_aes(mgr, ctx->encr_key, e->key_bits, out);
	if (ctx->suite.integ)
		expand_integ(mgr, ctx, out);
}

const struct mb_keys *mb_keys_claim(const struct mb_thread *t, const struct ipsp_crypto_ctx *ctx,
				    struct key_slot **slot)
{
	bool fresh;

	*slot = key_cache_claim(t->keys, ctx->serial, &fresh);
	if (fresh)
		expand(t->mgr, ctx, (*slot)->keys);
	return (*slot)->keys;
}

/* ---- who does what ---- */

static bool by_gcm(const struct ipsp_crypto_ctx *ctx)
{
	const uint8_t mode = ctx->suite.encr->mode;

	return mode == CRYPTO_GCM || mode == CRYPTO_GMAC;
}

static void seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	if (by_gcm(ctx))
		mb_gcm_seal(ctx, thread, ops, n);
	else
		mb_job_seal(ctx, thread, ops, n);
}

static void open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	if (by_gcm(ctx))
		mb_gcm_open(ctx, thread, ops, n);
	else
		mb_job_open(ctx, thread, ops, n);
}

static const struct crypto_backend backend = {
	.name = "ipsec-mb",
	.has = has,
	.ready = ready,
	.forget = forget,
	.idle = idle,
	.seal = seal,
	.open = open,
	.auth = mb_job_auth,
	.verify = mb_job_verify,
};

const struct crypto_backend *crypto_ipsec_mb(void)
{
	return &backend;
}
