/*
 * engine/crypto/algorithm.h - what algorithms are, whoever computes them. Private to
 * engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_ALGORITHM_H
#define ENGINE_CRYPTO_ALGORITHM_H

#include "ipsp/crypto.h"

#define CRYPTO_SALT_MAX 4u	/* what of a nonce is part of the key */
#define CRYPTO_COUNTER_IV 8u	/* the explicit IV of counter modes */
#define CRYPTO_ESP_HEADER 8u

enum crypto_cipher {
	CRYPTO_CIPHER_NONE,
	CRYPTO_AES,
	CRYPTO_CAMELLIA,
	CRYPTO_CHACHA20,
	CRYPTO_DES,
	CRYPTO_3DES,
	CRYPTO_BLOWFISH,
	CRYPTO_CAST,
};

enum crypto_mode {
	CRYPTO_PLAIN,	/* no cipher */
	CRYPTO_CBC,
	CRYPTO_CTR,
	/* the following have integrity of their own */
	CRYPTO_GCM,
	CRYPTO_GMAC,	/* GCM that authenticates all and encrypts nothing */
	CRYPTO_CCM,
	CRYPTO_POLY1305,
};

enum crypto_mac {
	CRYPTO_MAC_NONE,	/* an ICV that is there and not looked at: engine/crypto/analysis.h */
	CRYPTO_HMAC_MD5,
	CRYPTO_HMAC_RIPEMD160,
	CRYPTO_HMAC_SHA1,
	CRYPTO_HMAC_SHA256,
	CRYPTO_HMAC_SHA384,
	CRYPTO_HMAC_SHA512,
	CRYPTO_XCBC,
	CRYPTO_CMAC,
	CRYPTO_MAC_GMAC,	/* of AH: key and salt; its IV stands before its ICV */
};

/** A cipher with one key size. */
struct crypto_encr {
	const char *name;
	uint16_t encr, key_bits;
	uint8_t cipher, mode;	/* enum crypto_cipher, enum crypto_mode */
	uint8_t salt_len, iv_len, block_len;
	uint8_t icv_len;	/* 0: takes an integrity algorithm */
	bool weak;		/* RFC 8221 5, 6: SHOULD NOT or MUST NOT */
};

struct crypto_integ {
	const char *name;
	uint16_t integ;
	uint8_t mac;		/* enum crypto_mac */
	uint8_t key_len;	/* with a salt */
	uint8_t iv_len, icv_len;
	bool weak;
	bool ah_only;
};

/** What one SA uses. AH has no encr, combined modes have no integ, other ESP has both. */
struct crypto_suite {
	const struct crypto_encr *encr;
	const struct crypto_integ *integ;
};

/** The tables. */
extern const struct crypto_encr crypto_encrs[];
extern const size_t crypto_n_encrs;
extern const struct crypto_integ crypto_integs[];
extern const size_t crypto_n_integs;

/**
 * Looks a pair up. Arguments and errors as struct ipsp_crypto says of shape; weak ones are found too.
 */
IPSP_MUST_CHECK enum ipsp_err crypto_suite_find(uint8_t proto, uint16_t encr,
						uint16_t encr_key_bits, uint16_t integ,
						struct crypto_suite *out);

/** The same, and IPSP_ENOTSUP for what is weak, with any size of key, unless that is allowed. */
IPSP_MUST_CHECK enum ipsp_err crypto_suite_find_for(bool allow_weak, uint8_t proto, uint16_t encr,
						    uint16_t encr_key_bits, uint16_t integ,
						    struct crypto_suite *out);

/** Of ESP, for one who has its integrity already. IPSP_OK; IPSP_ENOTSUP; IPSP_EKEYLEN. */
IPSP_MUST_CHECK enum ipsp_err crypto_encr_find(uint16_t encr, uint16_t key_bits,
					       const struct crypto_encr **out);

bool crypto_suite_weak(const struct crypto_suite *suite);

/** How it shapes packets. */
struct ipsp_crypto_shape crypto_suite_shape(const struct crypto_suite *suite);

/** Octets of key and salt. */
size_t crypto_encr_key_len(const struct crypto_suite *suite);
size_t crypto_integ_key_len(const struct crypto_suite *suite);

/** Is integrity computed along with the cipher, by the mode itself? */
static inline bool crypto_suite_combined(const struct crypto_suite *suite)
{
	return suite->encr && suite->encr->icv_len > 0;
}

#endif
