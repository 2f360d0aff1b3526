/* engine/crypto/xcbc.c - AES-XCBC-MAC upon libgcrypt: see xcbc.h. RFC 3566 4. */
#include <string.h>

#include "engine/crypto/xcbc.h"

gcry_error_t xcbc_open(struct xcbc *x)
{
	return gcry_cipher_open(&x->cbc, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC,
				GCRY_CIPHER_SECURE | GCRY_CIPHER_CBC_MAC);
}

/* K1, K2, K3: octets of 1, of 2 and of 3, each one block under the key. */
static gcry_error_t derive(struct xcbc *x, uint8_t octet, uint8_t out[XCBC_BLOCK])
{
	uint8_t block[XCBC_BLOCK];
	gcry_error_t err = gcry_cipher_setiv(x->cbc, NULL, 0);

	memset(block, octet, sizeof(block));
	return err ? err : gcry_cipher_encrypt(x->cbc, out, XCBC_BLOCK, block, sizeof(block));
}

gcry_error_t xcbc_setkey(struct xcbc *x, const uint8_t key[XCBC_BLOCK])
{
	uint8_t k1[XCBC_BLOCK];
	gcry_error_t err = gcry_cipher_setkey(x->cbc, key, XCBC_BLOCK);

	if (!err)
		err = derive(x, 1, k1);
	if (!err)
		err = derive(x, 2, x->k2);
	if (!err)
		err = derive(x, 3, x->k3);
	if (!err)
		err = gcry_cipher_setkey(x->cbc, k1, sizeof(k1));
	explicit_bzero(k1, sizeof(k1));
	return err;
}

gcry_error_t xcbc_begin(struct xcbc *x)
{
	x->n_last = 0;
	return gcry_cipher_setiv(x->cbc, NULL, 0);
}

/* len: of whole blocks. */
static gcry_error_t blocks(struct xcbc *x, const uint8_t *data, size_t len)
{
	uint8_t out[XCBC_BLOCK];

	return len > 0 ? gcry_cipher_encrypt(x->cbc, out, sizeof(out), data, len) : 0;
}

gcry_error_t xcbc_add(struct xcbc *x, const uint8_t *data, size_t len)
{
	const size_t space = XCBC_BLOCK - x->n_last;
	gcry_error_t err;
	size_t whole;

	if (len <= space) {
		if (len > 0)
			memcpy(x->last + x->n_last, data, len);
		x->n_last += len;
		return 0;
	}
	if (x->n_last > 0) {
		memcpy(x->last + x->n_last, data, space);
		err = blocks(x, x->last, XCBC_BLOCK);
		if (err)
			return err;
		data += space;
		len -= space;
	}
	/* The last block, whole or not, waits for the end. */
	whole = (len - 1) / XCBC_BLOCK * XCBC_BLOCK;
	err = blocks(x, data, whole);
	x->n_last = len - whole;
	memcpy(x->last, data + whole, x->n_last);
	return err;
}

gcry_error_t xcbc_end(struct xcbc *x, uint8_t mac[XCBC_BLOCK])
{
	const uint8_t *const key = x->n_last == XCBC_BLOCK ? x->k2 : x->k3;

	if (x->n_last < XCBC_BLOCK) {
		x->last[x->n_last] = 0x80;
		memset(x->last + x->n_last + 1, 0, XCBC_BLOCK - x->n_last - 1);
	}
	for (size_t i = 0; i < XCBC_BLOCK; i++)
		x->last[i] ^= key[i];
	return gcry_cipher_encrypt(x->cbc, mac, XCBC_BLOCK, x->last, XCBC_BLOCK);
}
