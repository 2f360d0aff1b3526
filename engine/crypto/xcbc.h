/*
 * engine/crypto/xcbc.h - AES-XCBC-MAC of RFC 3566 upon libgcrypt, which does not have it. Private to
 * engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_XCBC_H
#define ENGINE_CRYPTO_XCBC_H

#include <gcrypt.h>
#include <stddef.h>
#include <stdint.h>

#define XCBC_BLOCK 16u

struct xcbc {
	gcry_cipher_hd_t cbc;	/* AES-128 in CBC mode that keeps the last block: under K1 */
	uint8_t k2[XCBC_BLOCK], k3[XCBC_BLOCK];
	uint8_t last[XCBC_BLOCK];	/* octets that may be the last block */
	size_t n_last;
};

/** In secure memory. Close with gcry_cipher_close. */
gcry_error_t xcbc_open(struct xcbc *x);

/** Derives the three keys. RFC 3566 4.1. */
gcry_error_t xcbc_setkey(struct xcbc *x, const uint8_t key[XCBC_BLOCK]);

/** A message: begin, any number of pieces, end. */
gcry_error_t xcbc_begin(struct xcbc *x);
gcry_error_t xcbc_add(struct xcbc *x, const uint8_t *data, size_t len);
gcry_error_t xcbc_end(struct xcbc *x, uint8_t mac[XCBC_BLOCK]);

#endif
