/*
 * engine/crypto/analysis.c - weak algorithms, and ICVs that are not looked at: for captures only.
 */
#include "engine/crypto/analysis.h"
#include "engine/crypto/backends.h"

/* One for each length; what is not said in them is 0. */
static struct crypto_integ unchecked[IPSP_ICV_MAX + 1];

static const struct crypto_integ *unchecked_find(uint16_t integ)
{
	const unsigned icv_len = integ - ANALYSIS_INTEG_UNCHECKED;

	if (integ < ANALYSIS_INTEG_UNCHECKED || icv_len > IPSP_ICV_MAX)
		return NULL;
	unchecked[icv_len] = (struct crypto_integ){
		.name = "unchecked", .integ = integ, .mac = CRYPTO_MAC_NONE,
		.icv_len = (uint8_t)icv_len,
	};
	return &unchecked[icv_len];
}

static enum ipsp_err find(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			  struct crypto_suite *out)
{
	struct crypto_suite suite = { NULL, unchecked_find(integ) };
	enum ipsp_err err;

	if (!suite.integ || proto != IPSP_PROTO_ESP)
		return crypto_suite_find(proto, encr, encr_key_bits, integ, out);
	err = crypto_encr_find(encr, encr_key_bits, &suite.encr);
	if (err == IPSP_OK && crypto_suite_combined(&suite))
		err = IPSP_ENOTSUP;
	if (err == IPSP_OK)
		*out = suite;
	return err;
}

static enum ipsp_err shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			   struct ipsp_crypto_shape *out)
{
	struct crypto_suite suite;
	enum ipsp_err err = find(proto, encr, encr_key_bits, integ, &suite);

	if (err == IPSP_OK)
		*out = crypto_suite_shape(&suite);
	return err;
}

static enum ipsp_err ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
			     struct ipsp_crypto_ctx **out)
{
	struct crypto_suite suite;
	enum ipsp_err err = find(sa->proto, sa->encr, sa->encr_key_bits, sa->integ, &suite);

	return err == IPSP_OK ? crypto_ctx_new(&crypto_gcrypt, &suite, sa, n_threads, out) : err;
}

static const struct ipsp_crypto provider = {
	.name = "libgcrypt, for analysis",
	.shape = shape,
	.ctx_new = ctx_new,
	.ctx_free = crypto_ctx_free,
	.seal = crypto_ctx_seal,
	.open = crypto_ctx_open,
	.auth = crypto_ctx_auth,
	.verify = crypto_ctx_verify,
};

const struct ipsp_crypto *ipsp_crypto_analysis(void)
{
	return &provider;
}
