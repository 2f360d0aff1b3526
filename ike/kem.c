/*
 * ike/kem.c - ML-KEM by libgcrypt 1.11 and later.
 */
#include "ike/kem.h"

#include <gcrypt.h>

#include "ike/registry.h"

struct method {
	struct ike_ke_info info;
	enum gcry_kem_algos algorithm;
	size_t secret_len;
};

#define ML_KEM(n) \
	{ { IKE_KE_ML_KEM_##n, GCRY_KEM_MLKEM##n##_PUBKEY_LEN, GCRY_KEM_MLKEM##n##_CIPHER_LEN, \
	    GCRY_KEM_MLKEM##n##_SHARED_LEN, false }, GCRY_KEM_MLKEM##n, GCRY_KEM_MLKEM##n##_SECKEY_LEN }

static const struct method methods[] = { ML_KEM(512), ML_KEM(768), ML_KEM(1024) };

struct ike_kem {
	const struct method *method;
	uint8_t secret[];
};

static const struct method *find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i].info.method == number)
			return &methods[i];
	}
	return NULL;
}

const struct ike_ke_info *ike_kem_find(uint16_t method)
{
	const struct method *const m = find(method);

	return m ? &m->info : NULL;
}

enum ipsp_err ike_kem_begin(uint16_t method, struct ike_kem **out, uint8_t *public)
{
	const struct method *const m = find(method);
	struct ike_kem *kem;

	if (!m)
		return IPSP_ENOTSUP;
	kem = gcry_malloc_secure(sizeof(*kem) + m->secret_len);
	if (!kem)
		return IPSP_ENOMEM;
	kem->method = m;
	if (gcry_kem_keypair(m->algorithm, public, m->info.public_len, kem->secret, m->secret_len)) {
		ike_kem_free(kem);
		return IPSP_ECRYPTO;
	}
	*out = kem;
	return IPSP_OK;
}

enum ipsp_err ike_kem_finish(const struct ike_kem *kem, struct ipsp_span answer, uint8_t *shared)
{
	const struct method *const m = kem->method;

	if (answer.len != m->info.answer_len)
		return IPSP_EMALFORMED;
	return gcry_kem_decap(m->algorithm, kem->secret, m->secret_len, answer.data, answer.len, shared,
			      m->info.shared_len, NULL, 0) ? IPSP_ECRYPTO : IPSP_OK;
}

#define PRIME 3329u
#define SEED_LEN 32u	/* behind the coefficients, twelve bits each */

/* FIPS 203 7.2: coefficients that are not reduced are no key. libgcrypt would reduce them. */
static bool is_reduced(struct ipsp_span key)
{
	for (size_t i = 0; i + 3 <= key.len - SEED_LEN; i += 3) {
		const uint8_t *const p = key.data + i;

		if ((p[0] | (p[1] & 0x0fu) << 8) >= PRIME || (p[1] >> 4 | (unsigned)p[2] << 4) >= PRIME)
			return false;
	}
	return true;
}

enum ipsp_err ike_kem_answer(uint16_t method, struct ipsp_span public, uint8_t *answer, uint8_t *shared)
{
	const struct method *const m = find(method);

	if (!m)
		return IPSP_ENOTSUP;
	if (public.len != m->info.public_len || !is_reduced(public))
		return IPSP_EMALFORMED;
	return gcry_kem_encap(m->algorithm, public.data, public.len, answer, m->info.answer_len, shared,
			      m->info.shared_len, NULL, 0) ? IPSP_ECRYPTO : IPSP_OK;
}

void ike_kem_free(struct ike_kem *kem)
{
	/* Locked memory is wiped by who gives it back. */
	gcry_free(kem);
}
