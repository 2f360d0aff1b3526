/*
 * engine/crypto/gcrypt.c - crypto by libgcrypt: what is fit for every SA. RFC 3602 (AES-CBC), 2410
 * (NULL), 3686 (AES-CTR), 4106 (AES-GCM), 4309 (AES-CCM), 2404 (HMAC-SHA1-96), 4868 (HMAC-SHA2).
 *
 * Nothing here is without integrity, and no algorithm that RFC 8221 advises against for its
 * weakness: those are in engine/crypto/analysis.c, which daemons are not linked with.
 */
#include "engine/crypto/gcrypt.h"
#include "engine/crypto/gcrypt_ctx.h"

/* One row a key size. */
#define AES(encr, mode, salt, iv, block, icv) \
	{ encr, 128, GCRY_CIPHER_AES128, mode, salt, iv, block, icv }, \
	{ encr, 192, GCRY_CIPHER_AES192, mode, salt, iv, block, icv }, \
	{ encr, 256, GCRY_CIPHER_AES256, mode, salt, iv, block, icv }

static const struct gcrypt_encr encr_algs[] = {
	/*                                             salt iv block icv */
	{ IPSP_ENCR_NULL, 0, 0, 0, 0, 0, 4, 0 },
	AES(IPSP_ENCR_AES_CBC, GCRY_CIPHER_MODE_CBC,    0, 16, 16, 0),
	AES(IPSP_ENCR_AES_CTR, GCRY_CIPHER_MODE_CTR,    4,  8,  4, 0),
	AES(IPSP_ENCR_AES_CCM_8, GCRY_CIPHER_MODE_CCM,  3,  8,  4, 8),
	AES(IPSP_ENCR_AES_CCM_12, GCRY_CIPHER_MODE_CCM, 3,  8,  4, 12),
	AES(IPSP_ENCR_AES_CCM_16, GCRY_CIPHER_MODE_CCM, 3,  8,  4, 16),
	AES(IPSP_ENCR_AES_GCM_8, GCRY_CIPHER_MODE_GCM,  4,  8,  4, 8),
	AES(IPSP_ENCR_AES_GCM_12, GCRY_CIPHER_MODE_GCM, 4,  8,  4, 12),
	AES(IPSP_ENCR_AES_GCM_16, GCRY_CIPHER_MODE_GCM, 4,  8,  4, 16),
};

static const struct gcrypt_integ integ_algs[] = {
	{ IPSP_INTEG_HMAC_SHA1_96, GCRY_MAC_HMAC_SHA1, 20, 12 },
	{ IPSP_INTEG_HMAC_SHA2_256_128, GCRY_MAC_HMAC_SHA256, 32, 16 },
	{ IPSP_INTEG_HMAC_SHA2_384_192, GCRY_MAC_HMAC_SHA384, 48, 24 },
	{ IPSP_INTEG_HMAC_SHA2_512_256, GCRY_MAC_HMAC_SHA512, 64, 32 },
};

/* AH has no cipher: a row with nothing in it. */
static const struct gcrypt_encr ah_encr;

enum ipsp_err gcrypt_encr_find(uint8_t proto, uint16_t encr, uint16_t key_bits,
			       const struct gcrypt_encr **out)
{
	enum ipsp_err err = IPSP_ENOTSUP;

	if (proto == IPSP_PROTO_AH && encr == 0 && key_bits == 0) {
		*out = &ah_encr;
		return IPSP_OK;
	}
	if (proto != IPSP_PROTO_ESP)
		return IPSP_ENOTSUP;

	for (size_t i = 0; i < sizeof(encr_algs) / sizeof(encr_algs[0]); i++) {
		if (encr_algs[i].encr != encr)
			continue;
		if (encr_algs[i].key_bits == key_bits) {
			*out = &encr_algs[i];
			return IPSP_OK;
		}
		err = IPSP_EKEYLEN;
	}
	return err;
}

const struct gcrypt_integ *gcrypt_integ_find(uint16_t integ)
{
	for (size_t i = 0; i < sizeof(integ_algs) / sizeof(integ_algs[0]); i++) {
		if (integ_algs[i].integ == integ)
			return &integ_algs[i];
	}
	return NULL;
}

static enum ipsp_err suite_find(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
				uint16_t integ, struct gcrypt_suite *out)
{
	out->integ = gcrypt_integ_find(integ);
	if (!out->integ && integ != IPSP_INTEG_NONE)
		return IPSP_ENOTSUP;
	return gcrypt_encr_find(proto, encr, encr_key_bits, &out->encr);
}

static enum ipsp_err shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	struct gcrypt_suite suite;
	enum ipsp_err err = suite_find(proto, encr, encr_key_bits, integ, &suite);

	return err == IPSP_OK ? gcrypt_suite_shape(&suite, out) : err;
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
			     struct ipsp_crypto_ctx **out)
{
	struct gcrypt_suite suite;
	enum ipsp_err err = suite_find(sa->proto, sa->encr, sa->encr_key_bits, sa->integ, &suite);

	return err == IPSP_OK ? gcrypt_ctx_new(&suite, sa, n_threads, out) : err;
}

static const struct ipsp_crypto provider = {
	.name = "libgcrypt",
	.shape = shape,
	.ctx_new = ctx_new,
	.ctx_free = gcrypt_ctx_free,
	.seal = gcrypt_ctx_seal,
	.open = gcrypt_ctx_open,
	.auth = gcrypt_ctx_auth,
	.verify = gcrypt_ctx_verify,
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
