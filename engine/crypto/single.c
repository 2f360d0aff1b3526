/* engine/crypto/single.c - each library as a provider of its own: see single.h and gcrypt.h. */
#include "engine/crypto/backends.h"
#include "engine/crypto/self_test.h"
#include "engine/crypto/single.h"

static enum ipsp_err find(const struct crypto_backend *backend, uint8_t proto, uint16_t encr,
			  uint16_t encr_key_bits, uint16_t integ, struct crypto_suite *out)
{
	enum ipsp_err err = crypto_suite_find_for(false, proto, encr, encr_key_bits, integ, out);

	if (err == IPSP_OK && !backend->has(out))
		err = IPSP_ENOTSUP;
	return err;
}

static enum ipsp_err shape_of(const struct crypto_backend *backend, uint8_t proto, uint16_t encr,
			      uint16_t encr_key_bits, uint16_t integ,
			      struct ipsp_crypto_shape *out)
{
	struct crypto_suite suite;
	enum ipsp_err err = find(backend, proto, encr, encr_key_bits, integ, &suite);

	if (err == IPSP_OK)
		*out = crypto_suite_shape(&suite);
	return err;
}

static enum ipsp_err ctx_of(const struct crypto_backend *backend, const struct ipsp_sa_config *sa,
			    unsigned n_threads, struct ipsp_crypto_ctx **out)
{
	struct crypto_suite suite;
	enum ipsp_err err = find(backend, sa->proto, sa->encr, sa->encr_key_bits, sa->integ,
				 &suite);

	return err == IPSP_OK ? crypto_ctx_new(backend, &suite, sa, n_threads, out) : err;
}

static enum ipsp_err gcrypt_shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits,
				  uint16_t integ, struct ipsp_crypto_shape *out)
{
	return shape_of(&crypto_gcrypt, proto, encr, encr_key_bits, integ, out);
}

static enum ipsp_err gcrypt_ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
				    struct ipsp_crypto_ctx **out)
{
	return ctx_of(&crypto_gcrypt, sa, n_threads, out);
}

static enum ipsp_err all_shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			       struct ipsp_crypto_shape *out)
{
	struct crypto_suite suite;
	enum ipsp_err err = crypto_suite_find(proto, encr, encr_key_bits, integ, &suite);

	if (err == IPSP_OK)
		*out = crypto_suite_shape(&suite);
	return err;
}

static enum ipsp_err all_ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
				 struct ipsp_crypto_ctx **out)
{
	struct crypto_suite suite;
	enum ipsp_err err = crypto_suite_find(sa->proto, sa->encr, sa->encr_key_bits, sa->integ, &suite);

	return err == IPSP_OK ? crypto_ctx_new(&crypto_gcrypt, &suite, sa, n_threads, out) : err;
}

static enum ipsp_err mb_shape(uint8_t proto, uint16_t encr, uint16_t encr_key_bits, uint16_t integ,
			      struct ipsp_crypto_shape *out)
{
	return shape_of(crypto_ipsec_mb(), proto, encr, encr_key_bits, integ, out);
}

static enum ipsp_err mb_ctx_new(const struct ipsp_sa_config *sa, unsigned n_threads,
				struct ipsp_crypto_ctx **out)
{
	return ctx_of(crypto_ipsec_mb(), sa, n_threads, out);
}

static const struct ipsp_crypto gcrypt_provider = {
	.name = "gcrypt",
	.shape = gcrypt_shape,
	.ctx_new = gcrypt_ctx_new,
	.ctx_free = crypto_ctx_free,
	.seal = crypto_ctx_seal,
	.open = crypto_ctx_open,
	.auth = crypto_ctx_auth,
	.verify = crypto_ctx_verify,
};

static const struct ipsp_crypto all_provider = {
	.name = "gcrypt, all",
	.shape = all_shape,
	.ctx_new = all_ctx_new,
	.ctx_free = crypto_ctx_free,
	.seal = crypto_ctx_seal,
	.open = crypto_ctx_open,
	.auth = crypto_ctx_auth,
	.verify = crypto_ctx_verify,
};

static const struct ipsp_crypto mb_provider = {
	.name = "ipsecmb",
	.shape = mb_shape,
	.ctx_new = mb_ctx_new,
	.ctx_free = crypto_ctx_free,
	.seal = crypto_ctx_seal,
	.open = crypto_ctx_open,
	.auth = crypto_ctx_auth,
	.verify = crypto_ctx_verify,
};

const struct ipsp_crypto *ipsp_crypto_gcrypt(void)
{
	return &gcrypt_provider;
}

const struct ipsp_crypto *ipsp_crypto_gcrypt_all(void)
{
	return &all_provider;
}

const struct ipsp_crypto *ipsp_crypto_ipsec_mb(void)
{
	return crypto_ipsec_mb() ? &mb_provider : NULL;
}

enum ipsp_err ipsp_crypto_gcrypt_init(size_t secmem_bytes)
{
	static bool proved;
	struct crypto_proof proof;
	enum ipsp_err err = crypto_gcrypt_start(secmem_bytes);

	if (err != IPSP_OK || proved)
		return err;
	crypto_self_test(&crypto_gcrypt, &proof);
	crypto_gcrypt.idle();
	proved = proof.n_wrong == 0;
	return proved ? IPSP_OK : IPSP_ECRYPTO;
}
