/* engine/crypto/gcrypt_keys.c - keyed handles of libgcrypt: see gcrypt_keys.h. */
#include <assert.h>
#include <string.h>

#include "engine/crypto/gcrypt_keys.h"
#include "engine/crypto/key_cache.h"

#define SLOTS 8u
#define ROWS_MAX 64u	/* of either table of algorithms */

/* Each thread's handles, by the row of their algorithm. Made by the control thread before a context
 * that needs them is seen by any other. */
static struct {
	struct key_cache *encr[ROWS_MAX], *integ[ROWS_MAX];
} threads[CRYPTO_THREADS_MAX];

static int cipher_of(const struct crypto_encr *e)
{
	switch (e->cipher) {
	case CRYPTO_AES:
		return e->key_bits == 128 ? GCRY_CIPHER_AES128 :
		       e->key_bits == 192 ? GCRY_CIPHER_AES192 : GCRY_CIPHER_AES256;
	case CRYPTO_CAMELLIA:
		return e->key_bits == 128 ? GCRY_CIPHER_CAMELLIA128 :
		       e->key_bits == 192 ? GCRY_CIPHER_CAMELLIA192 : GCRY_CIPHER_CAMELLIA256;
	case CRYPTO_CHACHA20:
		return GCRY_CIPHER_CHACHA20;
	case CRYPTO_DES:
		return GCRY_CIPHER_DES;
	case CRYPTO_3DES:
		return GCRY_CIPHER_3DES;
	case CRYPTO_BLOWFISH:
		return GCRY_CIPHER_BLOWFISH;
	default:
		return GCRY_CIPHER_CAST5;
	}
}

static int mode_of(const struct crypto_encr *e)
{
	switch (e->mode) {
	case CRYPTO_CTR:
		return GCRY_CIPHER_MODE_CTR;
	case CRYPTO_GCM:
	case CRYPTO_GMAC:
		return GCRY_CIPHER_MODE_GCM;
	case CRYPTO_CCM:
		return GCRY_CIPHER_MODE_CCM;
	case CRYPTO_POLY1305:
		return GCRY_CIPHER_MODE_POLY1305;
	default:
		return GCRY_CIPHER_MODE_CBC;
	}
}

static int mac_of(const struct crypto_integ *i)
{
	switch (i->mac) {
	case CRYPTO_HMAC_MD5:
		return GCRY_MAC_HMAC_MD5;
	case CRYPTO_HMAC_RIPEMD160:
		return GCRY_MAC_HMAC_RMD160;
	case CRYPTO_HMAC_SHA1:
		return GCRY_MAC_HMAC_SHA1;
	case CRYPTO_HMAC_SHA256:
		return GCRY_MAC_HMAC_SHA256;
	case CRYPTO_HMAC_SHA384:
		return GCRY_MAC_HMAC_SHA384;
	case CRYPTO_HMAC_SHA512:
		return GCRY_MAC_HMAC_SHA512;
	default:
		return GCRY_MAC_CMAC_AES;
	}
}

static int gmac_cipher_of(const struct crypto_integ *i)
{
	const unsigned key_len = i->key_len - CRYPTO_SALT_MAX;

	return key_len == 16 ? GCRY_CIPHER_AES128 :
	       key_len == 24 ? GCRY_CIPHER_AES192 : GCRY_CIPHER_AES256;
}

/* One handle of a cipher: what a slot of the first kind of cache has. */
struct cipher {
	gcry_cipher_hd_t handle;
	size_t key_len;
};

/* A handle has no call that forgets its key, so another one takes its place. */
static void overwrite_cipher(gcry_cipher_hd_t handle, size_t key_len)
{
	uint8_t nobodys[CRYPTO_ENCR_KEY_MAX];

	memset(nobodys, 0x5a, sizeof(nobodys));
	(void)gcry_cipher_setkey(handle, nobodys, key_len);
}

static void wipe_cipher(void *keys, size_t size)
{
	const struct cipher *const c = keys;

	(void)size;
	overwrite_cipher(c->handle, c->key_len);
}

static void wipe_mac(void *keys, size_t size)
{
	static const uint8_t nobodys[IPSP_KEY_MAX];
	struct gcrypt_mac *const m = keys;

	(void)size;
	if (m->mac)
		(void)gcry_mac_setkey(m->mac, nobodys, m->key_len);
	else if (m->gcm)
		overwrite_cipher(m->gcm, m->key_len - CRYPTO_SALT_MAX);
	else
		(void)xcbc_setkey(&m->xcbc, nobodys);
	explicit_bzero(m->xcbc.last, sizeof(m->xcbc.last));
}

static gcry_error_t open_cipher(void *keys, const void *row)
{
	const struct crypto_encr *const e = row;
	struct cipher *const c = keys;

	c->key_len = e->key_bits / 8u;
	return gcry_cipher_open(&c->handle, cipher_of(e), mode_of(e), GCRY_CIPHER_SECURE);
}

static gcry_error_t open_mac(void *keys, const void *row)
{
	const struct crypto_integ *const i = row;
	struct gcrypt_mac *const m = keys;

	m->key_len = i->key_len;
	if (i->mac == CRYPTO_XCBC)
		return xcbc_open(&m->xcbc);
	if (i->mac == CRYPTO_MAC_GMAC)
		return gcry_cipher_open(&m->gcm, gmac_cipher_of(i), GCRY_CIPHER_MODE_GCM,
					GCRY_CIPHER_SECURE);
	return gcry_mac_open(&m->mac, mac_of(i), GCRY_MAC_FLAG_SECURE, NULL);
}

static void close_cipher(void *keys)
{
	gcry_cipher_close(((struct cipher *)keys)->handle);
}

static void close_mac(void *keys)
{
	const struct gcrypt_mac *const m = keys;

	gcry_cipher_close(m->xcbc.cbc);
	gcry_cipher_close(m->gcm);
	gcry_mac_close(m->mac);
}

/* The two kinds of cache. */
static const struct kind {
	size_t size;
	gcry_error_t (*open)(void *keys, const void *row);
	void (*close)(void *keys);
	key_wipe *wipe;
} ciphers = { sizeof(struct cipher), open_cipher, close_cipher, wipe_cipher },
  macs = { sizeof(struct gcrypt_mac), open_mac, close_mac, wipe_mac };

static void close_cache(const struct kind *kind, struct key_cache *cache, unsigned n)
{
	while (n > 0)
		kind->close(cache->slots[--n].keys);
	key_cache_free(cache);
}

/* A cache of opened handles. Without all of them there is none. */
static enum ipsp_err make_cache(const struct kind *kind, const void *row, struct key_cache **out)
{
	struct key_cache *cache;
	gcry_error_t err = 0;
	unsigned n = 0;

	if (*out)
		return IPSP_OK;
	cache = key_cache_new(SLOTS, kind->size, kind->wipe);
	if (!cache)
		return IPSP_ENOMEM;
	while (n < SLOTS && !err)
		err = kind->open(cache->slots[n++].keys, row);
	if (!err) {
		*out = cache;
		return IPSP_OK;
	}
	close_cache(kind, cache, n);
	return gcry_err_code(err) == GPG_ERR_ENOMEM ? IPSP_ENOMEM : IPSP_ECRYPTO;
}

static struct key_cache **encr_cache(unsigned thread, const struct crypto_suite *suite)
{
	const struct crypto_encr *const e = suite->encr;

	return e && e->cipher != CRYPTO_CIPHER_NONE ?
		       &threads[thread].encr[e - crypto_encrs] : NULL;
}

static struct key_cache **integ_cache(unsigned thread, const struct crypto_suite *suite)
{
	const struct crypto_integ *const i = suite->integ;

	return i && i->mac != CRYPTO_MAC_NONE ? &threads[thread].integ[i - crypto_integs] : NULL;
}

enum ipsp_err gcrypt_keys_ready(unsigned thread, const struct crypto_suite *suite)
{
	struct key_cache **const encr = encr_cache(thread, suite);
	struct key_cache **const integ = integ_cache(thread, suite);
	enum ipsp_err err = encr ? make_cache(&ciphers, suite->encr, encr) : IPSP_OK;

	assert(crypto_n_encrs <= ROWS_MAX && crypto_n_integs <= ROWS_MAX);
	if (err == IPSP_OK && integ)
		err = make_cache(&macs, suite->integ, integ);
	return err;
}

static gcry_error_t set_mac_key(struct gcrypt_mac *m, const struct ipsp_crypto_ctx *ctx)
{
	if (m->mac)
		return gcry_mac_setkey(m->mac, ctx->integ_key, m->key_len);
	if (m->gcm)
		return gcry_cipher_setkey(m->gcm, ctx->integ_key, m->key_len - CRYPTO_SALT_MAX);
	return xcbc_setkey(&m->xcbc, ctx->integ_key);
}

/* After a key that was refused nobody's is there. */
static struct key_slot *settle(struct key_slot *slot, gcry_error_t err)
{
	if (!err)
		return slot;
	atomic_store_explicit(&slot->owner, 0, memory_order_relaxed);
	key_cache_release(slot);
	return NULL;
}

bool gcrypt_keys_claim(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		       struct gcrypt_keys *out)
{
	struct key_cache **const encr = encr_cache(thread, &ctx->suite);
	struct key_cache **const integ = integ_cache(thread, &ctx->suite);
	bool fresh;

	*out = (struct gcrypt_keys){ 0 };
	if (encr) {
		struct key_slot *const slot = key_cache_claim(*encr, ctx->serial, &fresh);
		const struct cipher *const c = slot->keys;

		out->cipher = c->handle;
		out->slots[0] = settle(slot, fresh ? gcry_cipher_setkey(c->handle, ctx->encr_key,
									c->key_len) : 0);
		if (!out->slots[0])
			return false;
	}
	if (integ) {
		struct key_slot *const slot = key_cache_claim(*integ, ctx->serial, &fresh);

		out->mac = slot->keys;
		out->slots[1] = settle(slot, fresh ? set_mac_key(out->mac, ctx) : 0);
		if (!out->slots[1]) {
			gcrypt_keys_release(out);
			*out = (struct gcrypt_keys){ 0 };
			return false;
		}
	}
	return true;
}

void gcrypt_keys_release(struct gcrypt_keys *keys)
{
	for (unsigned i = 0; i < 2; i++) {
		if (keys->slots[i])
			key_cache_release(keys->slots[i]);
	}
}

void gcrypt_keys_idle(void)
{
	for (unsigned t = 0; t < CRYPTO_THREADS_MAX; t++) {
		for (unsigned i = 0; i < ROWS_MAX; i++) {
			if (threads[t].encr[i])
				close_cache(&ciphers, threads[t].encr[i], SLOTS);
			if (threads[t].integ[i])
				close_cache(&macs, threads[t].integ[i], SLOTS);
			threads[t].encr[i] = NULL;
			threads[t].integ[i] = NULL;
		}
	}
}

void gcrypt_keys_forget(const struct ipsp_crypto_ctx *ctx)
{
	for (unsigned i = 0; i < CRYPTO_THREADS_MAX; i++) {
		struct key_cache **const encr = encr_cache(i, &ctx->suite);
		struct key_cache **const integ = integ_cache(i, &ctx->suite);

		if (encr && *encr)
			key_cache_forget(*encr, ctx->serial);
		if (integ && *integ)
			key_cache_forget(*integ, ctx->serial);
	}
}
