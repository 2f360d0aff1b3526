/*
 * engine/crypto/gcrypt.h - the libgcrypt provider, for hosted programs. Not part of the core.
 */
#ifndef ENGINE_CRYPTO_GCRYPT_H
#define ENGINE_CRYPTO_GCRYPT_H

#include "ipsp/crypto.h"

/**
 * Readies libgcrypt and proves each algorithm on published vectors. Once, before
 * ipsp_crypto_gcrypt and before privileges that allow locked memory are given up.
 * @param secmem_bytes  locked memory to begin with; it grows when needed
 * @return IPSP_OK; IPSP_ENOTSUP: the library is older than we were built for; IPSP_ECRYPTO: an
 *	   answer was wrong, use nothing
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_crypto_gcrypt_init(size_t secmem_bytes);

/** The provider table. Contexts, with all key material, live in locked memory. */
const struct ipsp_crypto *ipsp_crypto_gcrypt(void);

/** The vectors alone, against any provider. IPSP_OK, IPSP_ECRYPTO. */
IPSP_MUST_CHECK enum ipsp_err ipsp_crypto_self_test(const struct ipsp_crypto *crypto);

#endif
