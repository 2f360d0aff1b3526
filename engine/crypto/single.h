/*
 * engine/crypto/single.h - each library as a provider of its own: for tests and benchmarks, which
 * compare them.
 */
#ifndef ENGINE_CRYPTO_SINGLE_H
#define ENGINE_CRYPTO_SINGLE_H

#include "engine/crypto/gcrypt.h"

/** ipsec-mb. NULL: not built in. Ready when ipsp_crypto_gcrypt_init was called. */
const struct ipsp_crypto *ipsp_crypto_ipsec_mb(void);

#endif
