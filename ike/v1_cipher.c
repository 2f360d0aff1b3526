/* ike/v1_cipher.c - CBC of ISAKMP by libgcrypt: see v1_cipher.h. */
#include "ike/v1_cipher.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_MAX 64u

static const struct cipher {
	uint16_t encr;
	uint8_t block_len;
	bool weak;
	struct {
		uint16_t bits;		/* 0: no more sizes; the first one is meant when none is named */
		int algorithm;		/* of libgcrypt */
	} sizes[3];
} ciphers[] = {
	{ IKE_V1_ENCR_DES, 8, true, { { 64, GCRY_CIPHER_DES } } },
	{ IKE_V1_ENCR_3DES, 8, true, { { 192, GCRY_CIPHER_3DES } } },
	{ IKE_V1_ENCR_BLOWFISH, 8, true, { { 128, GCRY_CIPHER_BLOWFISH } } },
	{ IKE_V1_ENCR_CAST, 8, true, { { 128, GCRY_CIPHER_CAST5 } } },
	{ IKE_V1_ENCR_AES, 16, false,
	  { { 128, GCRY_CIPHER_AES128 }, { 192, GCRY_CIPHER_AES192 }, { 256, GCRY_CIPHER_AES256 } } },
	{ IKE_V1_ENCR_CAMELLIA, 16, false,
	  { { 128, GCRY_CIPHER_CAMELLIA128 }, { 192, GCRY_CIPHER_CAMELLIA192 },
	    { 256, GCRY_CIPHER_CAMELLIA256 } } },
};

static const struct digest {
	uint16_t hash;
	bool weak;
	int algorithm;
} digests[] = {
	{ IKE_V1_HASH_MD5, true, GCRY_MD_MD5 },
	{ IKE_V1_HASH_SHA1, false, GCRY_MD_SHA1 },
	{ IKE_V1_HASH_SHA2_256, false, GCRY_MD_SHA256 },
	{ IKE_V1_HASH_SHA2_384, false, GCRY_MD_SHA384 },
	{ IKE_V1_HASH_SHA2_512, false, GCRY_MD_SHA512 },
};

struct ike_v1_cipher {
	gcry_cipher_hd_t cbc;
	size_t block_len;
};

static const struct cipher *find_cipher(uint16_t encr)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (ciphers[i].encr == encr)
			return &ciphers[i];
	}
	return NULL;
}

static const struct digest *find_digest(uint16_t hash)
{
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		if (digests[i].hash == hash)
			return &digests[i];
	}
	return NULL;
}

size_t ike_v1_block_len(uint16_t encr)
{
	const struct cipher *const c = find_cipher(encr);

	return c ? c->block_len : 0;
}

bool ike_v1_weak(uint16_t encr, uint16_t hash)
{
	const struct cipher *const c = find_cipher(encr);
	const struct digest *const d = find_digest(hash);

	return (c && c->weak) || (d && d->weak);
}

enum ipsp_err ike_v1_iv(uint16_t hash, const struct ipsp_span parts[2], size_t len, uint8_t *iv)
{
	const struct digest *const d = find_digest(hash);
	uint8_t octets[DIGEST_MAX];
	gcry_md_hd_t md;

	if (!d)
		return IPSP_ENOTSUP;
	if (gcry_md_open(&md, d->algorithm, 0))
		return IPSP_ECRYPTO;
	for (size_t i = 0; i < 2; i++)
		gcry_md_write(md, parts[i].data, parts[i].len);
	memcpy(octets, gcry_md_read(md, d->algorithm), gcry_md_get_algo_dlen(d->algorithm));
	gcry_md_close(md);
	memcpy(iv, octets, len);
	return IPSP_OK;
}

/* libgcrypt's; 0: there is no such size. */
static int algorithm_of(const struct cipher *cipher, uint16_t key_bits)
{
	if (key_bits == 0)
		return cipher->sizes[0].algorithm;
	for (size_t i = 0; i < sizeof(cipher->sizes) / sizeof(cipher->sizes[0]); i++) {
		if (cipher->sizes[i].bits == key_bits)
			return cipher->sizes[i].algorithm;
	}
	return 0;
}

enum ipsp_err ike_v1_cipher_new(uint16_t encr, uint16_t key_bits, struct ipsp_span key,
				struct ike_v1_cipher **out)
{
	const struct cipher *const cipher = find_cipher(encr);
	struct ike_v1_cipher *c;
	int algorithm;

	if (!cipher)
		return IPSP_ENOTSUP;
	algorithm = algorithm_of(cipher, key_bits);
	if (!algorithm || gcry_cipher_get_algo_keylen(algorithm) != key.len)
		return IPSP_EKEYLEN;
	c = calloc(1, sizeof(*c));
	if (!c)
		return IPSP_ENOMEM;
	c->block_len = cipher->block_len;
	if (gcry_cipher_open(&c->cbc, algorithm, GCRY_CIPHER_MODE_CBC, GCRY_CIPHER_SECURE) ||
	    gcry_cipher_setkey(c->cbc, key.data, key.len)) {
		ike_v1_cipher_free(c);
		return IPSP_ECRYPTO;
	}
	*out = c;
	return IPSP_OK;
}

void ike_v1_cipher_free(struct ike_v1_cipher *c)
{
	if (!c)
		return;
	gcry_cipher_close(c->cbc);
	free(c);
}

enum ipsp_err ike_v1_decrypt(const struct ike_v1_cipher *c, const uint8_t *iv,
			     struct ipsp_span sealed, uint8_t *clear)
{
	if (sealed.len == 0 || sealed.len % c->block_len != 0)
		return IPSP_EMALFORMED;
	if (gcry_cipher_setiv(c->cbc, iv, c->block_len) ||
	    gcry_cipher_decrypt(c->cbc, clear, sealed.len, sealed.data, sealed.len))
		return IPSP_ECRYPTO;
	return IPSP_OK;
}
