/*
 * engine/crypto/analysis.c - weak algorithms, and ICVs that are not looked at: for captures only.
 * RFC 2405 (DES), 2451 (3DES, CAST-128, Blowfish), 2403 (HMAC-MD5-96).
 */
#include "engine/crypto/analysis.h"
#include "engine/crypto/gcrypt_ctx.h"

#define CBC GCRY_CIPHER_MODE_CBC

static const struct gcrypt_encr weak_encr[] = {
	{ ANALYSIS_ENCR_DES_CBC, 64, GCRY_CIPHER_DES, CBC, 0, 8, 8, 0 },
	{ ANALYSIS_ENCR_3DES_CBC, 192, GCRY_CIPHER_3DES, CBC, 0, 8, 8, 0 },
	{ ANALYSIS_ENCR_CAST_CBC, 128, GCRY_CIPHER_CAST5, CBC, 0, 8, 8, 0 },
	{ ANALYSIS_ENCR_BLOWFISH_CBC, 128, GCRY_CIPHER_BLOWFISH, CBC, 0, 8, 8, 0 },
};

static const struct gcrypt_integ weak_integ = {
	ANALYSIS_INTEG_HMAC_MD5_96, GCRY_MAC_HMAC_MD5, 16, 12,
};

/* A suite, and room for the row of an ICV that is not looked at. */
struct analysis_suite {
	struct gcrypt_suite suite;
	struct gcrypt_integ unchecked;
};

static enum ipsp_err find_encr(uint8_t proto, uint16_t encr, uint16_t key_bits,
			       const struct gcrypt_encr **out)
{
	for (size_t i = 0; i < sizeof(weak_encr) / sizeof(weak_encr[0]); i++) {
		if (proto != IPSP_PROTO_ESP || weak_encr[i].encr != encr)
			continue;
		if (weak_encr[i].key_bits != key_bits)
			return IPSP_EKEYLEN;
		*out = &weak_encr[i];
		return IPSP_OK;
	}
	return gcrypt_encr_find(proto, encr, key_bits, out);
}

static enum ipsp_err suite_find(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
				uint16_t integ, struct analysis_suite *out)
{
	struct gcrypt_suite *suite = &out->suite;

	if (integ >= ANALYSIS_INTEG_UNCHECKED &&
	    integ <= ANALYSIS_INTEG_UNCHECKED + IPSP_ICV_MAX) {
		out->unchecked = (struct gcrypt_integ){
			.integ = integ, .icv_len = (uint8_t)(integ - ANALYSIS_INTEG_UNCHECKED),
		};
		suite->integ = &out->unchecked;
	} else if (integ == weak_integ.integ) {
		suite->integ = &weak_integ;
	} else {
		suite->integ = gcrypt_integ_find(integ);
		if (!suite->integ && integ != IPSP_INTEG_NONE)
			return IPSP_ENOTSUP;
	}
	return find_encr(proto, encr, encr_key_bits, &suite->encr);
}

static enum ipsp_err shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	struct analysis_suite found;
	enum ipsp_err err = suite_find(proto, encr, encr_key_bits, integ, &found);

	return err == IPSP_OK ? gcrypt_suite_shape(&found.suite, out) : err;
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
			     struct ipsp_crypto_ctx **out)
{
	struct analysis_suite found;
	enum ipsp_err err = suite_find(sa->proto, sa->encr, sa->encr_key_bits, sa->integ, &found);

	return err == IPSP_OK ? gcrypt_ctx_new(&found.suite, sa, n_threads, out) : err;
}

static const struct ipsp_crypto provider = {
	.name = "libgcrypt, for analysis",
	.shape = shape,
	.ctx_new = ctx_new,
	.ctx_free = gcrypt_ctx_free,
	.seal = gcrypt_ctx_seal,
	.open = gcrypt_ctx_open,
	.auth = gcrypt_ctx_auth,
	.verify = gcrypt_ctx_verify,
};

const struct ipsp_crypto *ipsp_crypto_analysis(void)
{
	return &provider;
}
