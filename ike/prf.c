/* ike/prf.c - pseudorandom functions by libgcrypt: see prf.h. */
#include "ike/prf.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/xcbc.h"
#include "ike/registry.h"

#define BLOCK 16u	/* of AES */

struct function {
	uint16_t prf;
	uint8_t len;
	bool weak;
	int mac;	/* of libgcrypt; 0: XCBC, by ourselves upon its AES */
};

static const struct function functions[] = {
	{ IKE_PRF_HMAC_MD5, 16, true, GCRY_MAC_HMAC_MD5 },
	{ IKE_PRF_HMAC_SHA1, 20, false, GCRY_MAC_HMAC_SHA1 },
	{ IKE_PRF_AES128_XCBC, 16, false, 0 },
	{ IKE_PRF_HMAC_SHA2_256, 32, false, GCRY_MAC_HMAC_SHA256 },
	{ IKE_PRF_HMAC_SHA2_384, 48, false, GCRY_MAC_HMAC_SHA384 },
	{ IKE_PRF_HMAC_SHA2_512, 64, false, GCRY_MAC_HMAC_SHA512 },
	{ IKE_PRF_AES128_CMAC, 16, false, GCRY_MAC_CMAC_AES },
};

#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

struct ike_prfs {
	gcry_mac_hd_t macs[N_FUNCTIONS];	/* opened when first asked for */
	struct xcbc xcbc;
};

static const struct function *find(uint16_t prf)
{
	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		if (functions[i].prf == prf)
			return &functions[i];
	}
	return NULL;
}

size_t ike_prf_len(uint16_t prf)
{
	const struct function *const f = find(prf);

	return f ? f->len : 0;
}

bool ike_prf_weak(uint16_t prf)
{
	const struct function *const f = find(prf);

	return f && f->weak;
}

struct ike_prfs *ike_prfs_new(void)
{
	return calloc(1, sizeof(struct ike_prfs));
}

void ike_prfs_free(struct ike_prfs *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		gcry_mac_close(p->macs[i]);
	gcry_cipher_close(p->xcbc.cbc);
	explicit_bzero(p, sizeof(*p));
	free(p);
}

static enum ipsp_err err_of(gcry_error_t err)
{
	return !err ? IPSP_OK : gcry_err_code(err) == GPG_ERR_ENOMEM ? IPSP_ENOMEM : IPSP_ECRYPTO;
}

/* ---- HMAC, and CMAC with a key of one block ---- */

static gcry_error_t by_library(struct ike_prfs *p, const struct function *f, struct ipsp_span key,
			       const struct ipsp_span *data, size_t n, uint8_t *out)
{
	gcry_mac_hd_t *const mac = &p->macs[f - functions];
	gcry_error_t err = *mac ? 0 : gcry_mac_open(mac, f->mac, GCRY_MAC_FLAG_SECURE, NULL);
	size_t len = f->len;

	/* Of CMAC's handle another key is no beginning anew. */
	if (!err)
		err = gcry_mac_reset(*mac);
	if (!err)
		err = gcry_mac_setkey(*mac, key.data, key.len);
	for (size_t i = 0; i < n && !err; i++) {
		if (data[i].len > 0)
			err = gcry_mac_write(*mac, data[i].data, data[i].len);
	}
	return err ? err : gcry_mac_read(*mac, out, &len);
}

static gcry_error_t by_xcbc(struct ike_prfs *p, const uint8_t key[BLOCK],
			    const struct ipsp_span *data, size_t n, uint8_t *out)
{
	gcry_error_t err = p->xcbc.cbc ? 0 : xcbc_open(&p->xcbc);

	if (!err)
		err = xcbc_setkey(&p->xcbc, key);
	if (!err)
		err = xcbc_begin(&p->xcbc);
	for (size_t i = 0; i < n && !err; i++)
		err = xcbc_add(&p->xcbc, data[i].data, data[i].len);
	return err ? err : xcbc_end(&p->xcbc, out);
}

/* ---- functions that take one block as key: RFC 4434 2, RFC 4615 3 ---- */

static gcry_error_t of_block(struct ike_prfs *p, const struct function *f, const uint8_t key[BLOCK],
			     const struct ipsp_span *data, size_t n, uint8_t *out)
{
	return f->mac ? by_library(p, f, (struct ipsp_span){ key, BLOCK }, data, n, out) :
			by_xcbc(p, key, data, n, out);
}

static bool takes_block(const struct function *f)
{
	return f->prf == IKE_PRF_AES128_XCBC || f->prf == IKE_PRF_AES128_CMAC;
}

/* A longer key is hashed with a key of zeros. A shorter one: XCBC pads it, CMAC hashes that, too. */
static gcry_error_t with_any_key(struct ike_prfs *p, const struct function *f, struct ipsp_span key,
				 const struct ipsp_span *data, size_t n, uint8_t *out)
{
	const bool pads = f->prf == IKE_PRF_AES128_XCBC;
	uint8_t zeros[BLOCK] = { 0 }, block[BLOCK] = { 0 };
	gcry_error_t err = 0;

	if (key.len == BLOCK || (pads && key.len < BLOCK))
		memcpy(block, key.data, key.len);
	else
		err = of_block(p, f, zeros, &key, 1, block);
	if (!err)
		err = of_block(p, f, block, data, n, out);
	explicit_bzero(block, sizeof(block));
	return err;
}

enum ipsp_err ike_prf(struct ike_prfs *p, uint16_t prf, struct ipsp_span key,
		      const struct ipsp_span *data, size_t n, uint8_t *out)
{
	const struct function *const f = find(prf);

	if (!f)
		return IPSP_ENOTSUP;
	return err_of(takes_block(f) ? with_any_key(p, f, key, data, n, out) :
				       by_library(p, f, key, data, n, out));
}

/* T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2) ... */
enum ipsp_err ike_prf_plus(struct ike_prfs *p, uint16_t prf, struct ipsp_span key,
			   const struct ipsp_span *seed, size_t n, uint8_t *out, size_t len)
{
	const size_t prf_len = ike_prf_len(prf);
	struct ipsp_span data[IKE_PRF_SEEDS_MAX + 2];
	enum ipsp_err err = IPSP_OK;
	uint8_t t[IKE_PRF_MAX], counter = 1;

	if (prf_len == 0)
		return IPSP_ENOTSUP;
	if (n > IKE_PRF_SEEDS_MAX || len > 255 * prf_len)
		return IPSP_EINVAL;
	data[0] = (struct ipsp_span){ t, 0 };
	if (n > 0)
		memcpy(data + 1, seed, n * sizeof(*seed));
	data[n + 1] = (struct ipsp_span){ &counter, 1 };
	while (len > 0 && err == IPSP_OK) {
		const size_t some = len < prf_len ? len : prf_len;

		err = ike_prf(p, prf, key, data, n + 2, t);
		if (err != IPSP_OK)
			break;
		memcpy(out, t, some);
		out += some;
		len -= some;
		data[0].len = prf_len;
		counter++;
	}
	explicit_bzero(t, sizeof(t));
	return err;
}
