/*
 * engine/crypto/provider.h - the crypto of a hosted program: of the libraries there are, the one that
 * is right and fastest, algorithm by algorithm. Not part of the core.
 *
 * What is computed where is found out once, by published vectors and a short measurement.
 */
#ifndef ENGINE_CRYPTO_PROVIDER_H
#define ENGINE_CRYPTO_PROVIDER_H

#include "ipsp/crypto.h"

enum ipsp_crypto_choice {
	IPSP_CRYPTO_AUTO,	/* the faster one */
	IPSP_CRYPTO_GCRYPT,	/* libgcrypt alone */
	IPSP_CRYPTO_IPSEC_MB,	/* ipsec-mb where it has the algorithm, else libgcrypt */
};

struct ipsp_crypto_options {
	size_t secmem_bytes;	/* of libgcrypt's locked memory to begin with; it grows */
	bool allow_weak;	/* offer what RFC 8221 advises against */
	enum ipsp_crypto_choice choice;
};

/**
 * Readies the libraries and finds out what they are good for: some milliseconds. Once, before
 * ipsp_crypto_provider. Control thread; before a sandbox that forbids to map memory.
 * @return IPSP_OK; IPSP_ENOTSUP: libgcrypt is older than we were built for, or the choice is not
 *	   built in; IPSP_ENOMEM; IPSP_ECRYPTO: no algorithm gave the published answers
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_crypto_init(const struct ipsp_crypto_options *options);

/** The table. Contexts, with all key material, live in locked memory. */
const struct ipsp_crypto *ipsp_crypto_provider(void);

/** A library as ipsp_crypto_init found it. */
struct ipsp_crypto_library {
	const char *name;
	unsigned n_wrong;	/* published vectors to which it gave another answer */
};

/** The libraries by number from 0. @return false: no more */
bool ipsp_crypto_library(unsigned number, struct ipsp_crypto_library *out);

/** A cipher and integrity, or integrity alone (AH), as offered. */
struct ipsp_crypto_suite {
	uint8_t proto;		/* enum ipsp_proto */
	uint16_t encr, encr_key_bits, integ;
	const char *encr_name;	/* NULL: AH */
	const char *integ_name;	/* NULL: combined mode */
	const char *library;	/* NULL: none gives the published answers, so it is not offered */
	uint32_t mbits;		/* a second of that library's on this machine; 0: not measured */
	bool weak;
};

/**
 * What is offered, by number from 0, and what is not for want of a right answer. Weak ones only
 * when they are allowed.
 * @return false: no more
 */
bool ipsp_crypto_suite(unsigned number, struct ipsp_crypto_suite *out);

/** Is that ipsec-mb built in? */
bool ipsp_crypto_has_ipsec_mb(void);

#endif
