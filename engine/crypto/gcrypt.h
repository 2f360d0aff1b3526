/*
 * engine/crypto/gcrypt.h - libgcrypt by itself, for hosted programs that take it whatever its speed.
 * Not part of the core. Daemons use engine/crypto/provider.h.
 */
#ifndef ENGINE_CRYPTO_GCRYPT_H
#define ENGINE_CRYPTO_GCRYPT_H

#include "ipsp/crypto.h"

/**
 * Readies libgcrypt and proves each algorithm on published vectors. Once, before
 * ipsp_crypto_gcrypt.
 * @param secmem_bytes  locked memory to begin with; it grows when needed
 * @return IPSP_OK; IPSP_ENOTSUP: the library is older than we were built for; IPSP_ECRYPTO: an
 *	   answer was wrong, use nothing
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_crypto_gcrypt_init(size_t secmem_bytes);

/** The provider table, without weak algorithms. */
const struct ipsp_crypto *ipsp_crypto_gcrypt(void);

/** The same with weak ones, for who is told by others which may be used. */
const struct ipsp_crypto *ipsp_crypto_gcrypt_all(void);

#endif
