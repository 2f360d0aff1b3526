/* ike/keys.c - keys derived: see keys.h. */
#include "ike/keys.h"

#include <string.h>

#include "engine/crypto/algorithm.h"
#include "engine/crypto/locked.h"
#include "ike/algs.h"

/* SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr at their longest. */
#define KEYMAT_MAX (3u * IKE_PRF_MAX + 4u * IPSP_KEY_MAX)

/* RFC 7296 2.14: of these two functions the key is eight octets of each nonce. */
#define NONCE_HALF 8u

static struct ipsp_span shortened(struct ipsp_span nonce)
{
	return (struct ipsp_span){ nonce.data, nonce.len < NONCE_HALF ? nonce.len : NONCE_HALF };
}

static bool key_is_fixed(uint16_t prf)
{
	return prf == IKE_PRF_AES128_XCBC || prf == IKE_PRF_AES128_CMAC;
}

/* SKEYSEED of a first IKE SA: prf(Ni | Nr, g^ir). */
static enum ipsp_err seed_first(struct ike_prfs *prfs, const struct ike_key_source *s, uint8_t *out)
{
	const bool fixed = key_is_fixed(s->suite->prf);
	const struct ipsp_span ni = fixed ? shortened(s->nonce_i) : s->nonce_i;
	const struct ipsp_span nr = fixed ? shortened(s->nonce_r) : s->nonce_r;
	uint8_t key[2 * IKE_NONCE_MAX];

	if (ni.len > IKE_NONCE_MAX || nr.len > IKE_NONCE_MAX)
		return IPSP_EINVAL;
	memcpy(key, ni.data, ni.len);
	memcpy(key + ni.len, nr.data, nr.len);
	return ike_prf(prfs, s->suite->prf, (struct ipsp_span){ key, ni.len + nr.len }, &s->shared, 1,
		       out);
}

/* Of a rekeyed one: prf(SK_d (old), g^ir (new) | Ni | Nr [| SK(1) ...]), with the old one's function. */
static enum ipsp_err seed_again(struct ike_prfs *prfs, const struct ike_key_source *s,
				const struct ike_keys *old, uint8_t *out)
{
	const struct ipsp_span data[] = { s->shared, s->nonce_i, s->nonce_r, s->further };

	return ike_prf(prfs, old->prf, (struct ipsp_span){ old->sk_d, old->prf_len }, data, 4, out);
}

struct key_lens {
	size_t prf, integ, encr;
};

static enum ipsp_err find_lens(const struct ike_suite *suite, struct ike_algs *algs,
			       struct key_lens *out)
{
	struct crypto_suite found;
	enum ipsp_err err = ike_algs_of(suite, algs) ?
				    crypto_suite_find(IPSP_PROTO_ESP, algs->encr,
						      algs->encr_key_bits, algs->integ, &found) :
				    IPSP_ENOTSUP;

	if (err != IPSP_OK)
		return err;
	*out = (struct key_lens){ ike_prf_len(suite->prf), crypto_integ_key_len(&found),
				  crypto_encr_key_len(&found) };
	return out->prf > 0 ? IPSP_OK : IPSP_ENOTSUP;
}

static struct ipsp_span take(const uint8_t **at, size_t n)
{
	const struct ipsp_span s = { *at, n };

	*at += n;
	return s;
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr}. */
static enum ipsp_err spread(const struct ipsp_crypto *crypto, const struct ike_algs *algs,
			    const struct key_lens *lens, const uint8_t *keymat, struct ike_keys *k)
{
	const uint8_t *at = keymat;
	const struct ipsp_span d = take(&at, lens->prf);
	const struct ipsp_span ai = take(&at, lens->integ), ar = take(&at, lens->integ);
	const struct ipsp_span ei = take(&at, lens->encr), er = take(&at, lens->encr);
	const struct ipsp_span pi = take(&at, lens->prf), pr = take(&at, lens->prf);
	enum ipsp_err err;

	k->prf_len = (uint8_t)lens->prf;
	memcpy(k->sk_d, d.data, d.len);
	memcpy(k->sk_pi, pi.data, pi.len);
	memcpy(k->sk_pr, pr.data, pr.len);
	err = ike_seal_init(&k->of_initiator, crypto, algs->encr, algs->encr_key_bits,
			    algs->integ, ei, ai);
	if (err == IPSP_OK)
		err = ike_seal_init(&k->of_responder, crypto, algs->encr, algs->encr_key_bits,
				    algs->integ, er, ar);
	return err;
}

/* Of the loop's thread, as those of seals are: no others make or free keys. */
static struct crypto_pool pool = { .object_size = (sizeof(struct ike_keys) + 15) / 16 * 16 };

enum ipsp_err ike_keys_make(struct ike_prfs *prfs, const struct ipsp_crypto *crypto,
			    const struct ike_key_source *s, const struct ike_keys *old,
			    struct ike_keys **out)
{
	const struct ipsp_span seed[] = { s->nonce_i, s->nonce_r, { s->spi_i, IKE_SPI_LEN },
					  { s->spi_r, IKE_SPI_LEN } };
	uint8_t skeyseed[IKE_PRF_MAX], keymat[KEYMAT_MAX];
	struct ike_keys *k = NULL;
	struct key_lens lens;
	struct ike_algs algs;
	enum ipsp_err err = find_lens(s->suite, &algs, &lens);

	if (err != IPSP_OK)
		return err;
	k = crypto_pool_get(&pool);
	if (!k)
		return IPSP_ENOMEM;
	k->prf = s->suite->prf;
	err = old ? seed_again(prfs, s, old, skeyseed) : seed_first(prfs, s, skeyseed);
	if (err == IPSP_OK)
		err = ike_prf_plus(prfs, s->suite->prf,
				   (struct ipsp_span){ skeyseed, old ? old->prf_len : lens.prf },
				   seed, 4, keymat, 3 * lens.prf + 2 * lens.integ + 2 * lens.encr);
	if (err == IPSP_OK)
		err = spread(crypto, &algs, &lens, keymat, k);
	explicit_bzero(skeyseed, sizeof(skeyseed));
	explicit_bzero(keymat, sizeof(keymat));
	if (err == IPSP_OK)
		*out = k;
	else
		ike_keys_free(k);
	return err;
}

enum ipsp_err ike_keys_mix_ppk(struct ike_prfs *prfs, struct ike_keys *k, struct ipsp_span ppk)
{
	uint8_t *const mixed[] = { k->sk_d, k->sk_pi, k->sk_pr };
	uint8_t fresh[3][IKE_PRF_MAX];
	enum ipsp_err err = IPSP_OK;

	for (size_t i = 0; i < 3 && err == IPSP_OK; i++)
		err = ike_prf_plus(prfs, k->prf, ppk,
				   &(struct ipsp_span){ mixed[i], k->prf_len }, 1, fresh[i],
				   k->prf_len);
	for (size_t i = 0; i < 3 && err == IPSP_OK; i++)
		memcpy(mixed[i], fresh[i], k->prf_len);
	explicit_bzero(fresh, sizeof(fresh));
	return err;
}

void ike_keys_free(struct ike_keys *k)
{
	if (!k)
		return;
	ike_seal_fini(&k->of_initiator);
	ike_seal_fini(&k->of_responder);
	crypto_pool_put(&pool, k);
}

bool ike_child_key_lens(const struct ike_suite *suite, struct ike_child_key_lens *out)
{
	const uint8_t proto = suite->protocol == IKE_PROTOCOL_AH ? IPSP_PROTO_AH : IPSP_PROTO_ESP;
	struct crypto_suite found;
	struct ike_algs algs;

	if (!ike_algs_of(suite, &algs) || crypto_suite_find(proto, algs.encr, algs.encr_key_bits,
							    algs.integ, &found) != IPSP_OK)
		return false;
	*out = (struct ike_child_key_lens){ (uint8_t)crypto_encr_key_len(&found),
					    (uint8_t)crypto_integ_key_len(&found) };
	return true;
}

enum ipsp_err ike_child_keys(struct ike_prfs *prfs, const struct ike_keys *k,
			     struct ipsp_span shared, struct ipsp_span nonce_i,
			     struct ipsp_span nonce_r, struct ipsp_span further, uint8_t *out, size_t len)
{
	const struct ipsp_span seed[] = { shared, nonce_i, nonce_r, further };

	return ike_prf_plus(prfs, k->prf, (struct ipsp_span){ k->sk_d, k->prf_len }, seed, 4, out,
			    len);
}
