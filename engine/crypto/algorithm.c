/*
 * engine/crypto/algorithm.c - the algorithms of ESP and AH. RFC 8221 says which are weak.
 *
 * RFC 2405 (DES), 2410 (NULL), 2451 (3DES, CAST, Blowfish), 3602 (AES-CBC), 3686 (AES-CTR), 4106
 * (AES-GCM), 4309 (AES-CCM), 4312 (Camellia), 4543 (AES-GMAC), 7634 (ChaCha20-Poly1305); 2403
 * (HMAC-MD5), 2404 (HMAC-SHA1), 2857 (HMAC-RIPEMD-160), 3566 (AES-XCBC), 4494 (AES-CMAC), 4868
 * (HMAC-SHA2).
 */
#include "engine/crypto/algorithm.h"

/* One row a key size. */
#define SIZES(name, encr, cipher, mode, salt, iv, block, icv) \
	{ name "-128", encr, 128, cipher, mode, salt, iv, block, icv, false }, \
	{ name "-192", encr, 192, cipher, mode, salt, iv, block, icv, false }, \
	{ name "-256", encr, 256, cipher, mode, salt, iv, block, icv, false }

const struct crypto_encr crypto_encrs[] = {
	/*                                                     salt iv block icv */
	{ "null", IPSP_ENCR_NULL, 0, CRYPTO_CIPHER_NONE, CRYPTO_PLAIN, 0, 0, 4, 0, false },
	SIZES("aes-cbc", IPSP_ENCR_AES_CBC, CRYPTO_AES, CRYPTO_CBC, 0, 16, 16, 0),
	SIZES("aes-ctr", IPSP_ENCR_AES_CTR, CRYPTO_AES, CRYPTO_CTR, 4, 8, 4, 0),
	SIZES("aes-ccm-8", IPSP_ENCR_AES_CCM_8, CRYPTO_AES, CRYPTO_CCM, 3, 8, 4, 8),
	SIZES("aes-ccm-12", IPSP_ENCR_AES_CCM_12, CRYPTO_AES, CRYPTO_CCM, 3, 8, 4, 12),
	SIZES("aes-ccm-16", IPSP_ENCR_AES_CCM_16, CRYPTO_AES, CRYPTO_CCM, 3, 8, 4, 16),
	SIZES("aes-gcm-8", IPSP_ENCR_AES_GCM_8, CRYPTO_AES, CRYPTO_GCM, 4, 8, 4, 8),
	SIZES("aes-gcm-12", IPSP_ENCR_AES_GCM_12, CRYPTO_AES, CRYPTO_GCM, 4, 8, 4, 12),
	SIZES("aes-gcm-16", IPSP_ENCR_AES_GCM_16, CRYPTO_AES, CRYPTO_GCM, 4, 8, 4, 16),
	SIZES("null-aes-gmac", IPSP_ENCR_NULL_AES_GMAC, CRYPTO_AES, CRYPTO_GMAC, 4, 8, 4, 16),
	{ "chacha20-poly1305", IPSP_ENCR_CHACHA20_POLY1305, 256, CRYPTO_CHACHA20, CRYPTO_POLY1305,
	  4, 8, 4, 16, false },
	SIZES("camellia-cbc", IPSP_ENCR_CAMELLIA_CBC, CRYPTO_CAMELLIA, CRYPTO_CBC, 0, 16, 16, 0),
	{ "des-cbc", IPSP_ENCR_DES_CBC, 64, CRYPTO_DES, CRYPTO_CBC, 0, 8, 8, 0, true },
	{ "3des-cbc", IPSP_ENCR_3DES_CBC, 192, CRYPTO_3DES, CRYPTO_CBC, 0, 8, 8, 0, true },
	{ "cast-cbc", IPSP_ENCR_CAST_CBC, 128, CRYPTO_CAST, CRYPTO_CBC, 0, 8, 8, 0, true },
	{ "blowfish-cbc", IPSP_ENCR_BLOWFISH_CBC, 128, CRYPTO_BLOWFISH, CRYPTO_CBC, 0, 8, 8, 0,
	  true },
};
const size_t crypto_n_encrs = sizeof(crypto_encrs) / sizeof(crypto_encrs[0]);

const struct crypto_integ crypto_integs[] = {
	/* key, IV, ICV */
	{ "hmac-sha1-96", IPSP_INTEG_HMAC_SHA1_96, CRYPTO_HMAC_SHA1, 20, 0, 12, false, false },
	{ "hmac-sha2-256-128", IPSP_INTEG_HMAC_SHA2_256_128, CRYPTO_HMAC_SHA256, 32, 0, 16, false,
	  false },
	{ "hmac-sha2-384-192", IPSP_INTEG_HMAC_SHA2_384_192, CRYPTO_HMAC_SHA384, 48, 0, 24, false,
	  false },
	{ "hmac-sha2-512-256", IPSP_INTEG_HMAC_SHA2_512_256, CRYPTO_HMAC_SHA512, 64, 0, 32, false,
	  false },
	{ "hmac-sha2-256-96", IPSP_INTEG_HMAC_SHA2_256_96, CRYPTO_HMAC_SHA256, 32, 0, 12, false,
	  false },
	{ "hmac-sha2-384-96", IPSP_INTEG_HMAC_SHA2_384_96, CRYPTO_HMAC_SHA384, 48, 0, 12, false,
	  false },
	{ "hmac-sha2-512-96", IPSP_INTEG_HMAC_SHA2_512_96, CRYPTO_HMAC_SHA512, 64, 0, 12, false,
	  false },
	{ "aes-xcbc-96", IPSP_INTEG_AES_XCBC_96, CRYPTO_XCBC, 16, 0, 12, false, false },
	{ "aes-cmac-96", IPSP_INTEG_AES_CMAC_96, CRYPTO_CMAC, 16, 0, 12, false, false },
	{ "aes-128-gmac", IPSP_INTEG_AES_128_GMAC, CRYPTO_MAC_GMAC, 20, 8, 16, false, true },
	{ "aes-192-gmac", IPSP_INTEG_AES_192_GMAC, CRYPTO_MAC_GMAC, 28, 8, 16, false, true },
	{ "aes-256-gmac", IPSP_INTEG_AES_256_GMAC, CRYPTO_MAC_GMAC, 36, 8, 16, false, true },
	{ "hmac-md5-96", IPSP_INTEG_HMAC_MD5_96, CRYPTO_HMAC_MD5, 16, 0, 12, true, false },
	{ "hmac-ripemd-160-96", IPSP_INTEG_HMAC_RIPEMD_160_96, CRYPTO_HMAC_RIPEMD160, 20, 0, 12,
	  true, false },
};
const size_t crypto_n_integs = sizeof(crypto_integs) / sizeof(crypto_integs[0]);

enum ipsp_err crypto_encr_find(uint16_t encr, uint16_t key_bits, const struct crypto_encr **out)
{
	enum ipsp_err err = IPSP_ENOTSUP;

	for (size_t i = 0; i < crypto_n_encrs; i++) {
		if (crypto_encrs[i].encr != encr)
			continue;
		if (crypto_encrs[i].key_bits == key_bits) {
			*out = &crypto_encrs[i];
			return IPSP_OK;
		}
		err = IPSP_EKEYLEN;
	}
	return err;
}

static const struct crypto_integ *integ_find(uint16_t integ)
{
	for (size_t i = 0; i < crypto_n_integs; i++) {
		if (crypto_integs[i].integ == integ)
			return &crypto_integs[i];
	}
	return NULL;
}

enum ipsp_err crypto_suite_find(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
				uint16_t integ, struct crypto_suite *out)
{
	struct crypto_suite suite = { NULL, integ_find(integ) };
	enum ipsp_err err;

	if (!suite.integ && integ != IPSP_INTEG_NONE)
		return IPSP_ENOTSUP;
	if (proto == IPSP_PROTO_AH) {
		if (encr != 0 || encr_key_bits != 0 || !suite.integ)
			return IPSP_ENOTSUP;
		*out = suite;
		return IPSP_OK;
	}
	if (proto != IPSP_PROTO_ESP || (suite.integ && suite.integ->ah_only))
		return IPSP_ENOTSUP;
	err = crypto_encr_find(encr, encr_key_bits, &suite.encr);
	if (err != IPSP_OK)
		return err;
	if (crypto_suite_combined(&suite) == (suite.integ != NULL))
		return IPSP_ENOTSUP;
	*out = suite;
	return IPSP_OK;
}

static bool encr_is_weak(uint16_t encr)
{
	for (size_t i = 0; i < crypto_n_encrs; i++) {
		if (crypto_encrs[i].encr == encr)
			return crypto_encrs[i].weak;
	}
	return false;
}

enum ipsp_err crypto_suite_find_for(bool allow_weak, uint8_t proto, uint16_t encr,
				    uint16_t encr_key_bits, uint16_t integ,
				    struct crypto_suite *out)
{
	struct crypto_suite suite;
	enum ipsp_err err = crypto_suite_find(proto, encr, encr_key_bits, integ, &suite);

	if (!allow_weak && (encr_is_weak(encr) || (err == IPSP_OK && crypto_suite_weak(&suite))))
		return IPSP_ENOTSUP;
	if (err == IPSP_OK)
		*out = suite;
	return err;
}

bool crypto_suite_weak(const struct crypto_suite *suite)
{
	return (suite->encr && suite->encr->weak) || (suite->integ && suite->integ->weak);
}

struct ipsp_crypto_shape crypto_suite_shape(const struct crypto_suite *suite)
{
	const struct crypto_encr *e = suite->encr;
	const struct crypto_integ *i = suite->integ;

	if (!e)
		return (struct ipsp_crypto_shape){
			.iv_len = i->iv_len, .icv_len = i->icv_len, .block_len = 4,
			.iv_is_counter = i->iv_len > 0,
		};
	return (struct ipsp_crypto_shape){
		.iv_len = e->iv_len,
		.icv_len = i ? i->icv_len : e->icv_len,
		.block_len = e->block_len,
		.iv_is_counter = e->mode >= CRYPTO_CTR,
	};
}

size_t crypto_encr_key_len(const struct crypto_suite *suite)
{
	return suite->encr ? suite->encr->key_bits / 8u + suite->encr->salt_len : 0;
}

size_t crypto_integ_key_len(const struct crypto_suite *suite)
{
	return suite->integ ? suite->integ->key_len : 0;
}
