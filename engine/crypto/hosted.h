/*
 * engine/crypto/hosted.h - a platform table for programs with a C library. Not part of the core.
 */
#ifndef ENGINE_CRYPTO_HOSTED_H
#define ENGINE_CRYPTO_HOSTED_H

#include "ipsp/platform.h"

/** Fills alloc, free, random (getrandom) and wipe; local_addr is NULL, crypto as given. */
void ipsp_platform_hosted(struct ipsp_platform *out, const struct ipsp_crypto *crypto);

#endif
