/*
 * engine/crypto/backends.h - the libraries there are. Private to engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_BACKENDS_H
#define ENGINE_CRYPTO_BACKENDS_H

#include "engine/crypto/ctx.h"

/** libgcrypt: has every algorithm. */
extern const struct crypto_backend crypto_gcrypt;

/**
 * Readies libgcrypt. Again is fine.
 * @param secmem_bytes  locked memory to begin with; it grows when needed
 * @return IPSP_OK; IPSP_ENOTSUP: the library is older than we were built for
 */
IPSP_MUST_CHECK enum ipsp_err crypto_gcrypt_start(size_t secmem_bytes);

/** Intel's ipsec-mb: what is common in ESP. NULL: not built in. */
const struct crypto_backend *crypto_ipsec_mb(void);

#endif
