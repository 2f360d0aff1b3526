/*
 * engine/crypto/gcrypt_keys.h - handles of libgcrypt that have the keys of busy contexts. Private to
 * engine/crypto/.
 *
 * A handle of libgcrypt is for one thread at a time and has its algorithm for life, but takes another
 * key without asking for memory. So each thread keeps some of each algorithm in use.
 */
#ifndef ENGINE_CRYPTO_GCRYPT_KEYS_H
#define ENGINE_CRYPTO_GCRYPT_KEYS_H

#include "engine/crypto/ctx.h"
#include "engine/crypto/xcbc.h"

/** Integrity by itself. */
struct gcrypt_mac {
	gcry_mac_hd_t mac;	/* HMAC, CMAC; one of the three is there */
	gcry_cipher_hd_t gcm;	/* AES-GMAC of AH */
	struct xcbc xcbc;
	size_t key_len;		/* with a salt */
};

/** What one batch works with. */
struct gcrypt_keys {
	gcry_cipher_hd_t cipher;	/* NULL: none */
	struct gcrypt_mac *mac;		/* NULL: combined mode, or an ICV that is not looked at */
	struct key_slot *slots[2];	/* claimed; NULL: none */
};

/** Makes handles for a thread. IPSP_OK; IPSP_ENOMEM; IPSP_ECRYPTO: the library does not have it. */
IPSP_MUST_CHECK enum ipsp_err gcrypt_keys_ready(unsigned thread, const struct crypto_suite *suite);

/** Keyed handles for a batch. @return false: the library refused; nothing is held */
bool gcrypt_keys_claim(const struct ipsp_crypto_ctx *ctx, unsigned thread,
		       struct gcrypt_keys *out);

/** Gives them back. */
void gcrypt_keys_release(struct gcrypt_keys *keys);

/** Closes all handles. There is no context. */
void gcrypt_keys_idle(void);

/** Overwrites a context's keys wherever they are. */
void gcrypt_keys_forget(const struct ipsp_crypto_ctx *ctx);

#endif
