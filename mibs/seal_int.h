/*
 * mibs/seal_int.h - what the two halves of a seal share: blobs (mibs/seal.c) and the key file
 * (mibs/seal_key.c).
 */
#ifndef MIBS_SEAL_INT_H
#define MIBS_SEAL_INT_H

#include "mibs/seal.h"

#include <gcrypt.h>

struct mib_seal {
	char *dir;
	char *path;
	bool has_key;
	gcry_cipher_hd_t cipher;
};

/** Says "PATH: what". @return MIB_RESOURCE_UNAVAILABLE */
enum mib_err mib_seal_fail(struct mib_diag *d, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * The kernel's generator: complete for so few octets, good after a fork and in a sandbox, and
 * without libgcrypt's pool and its own gathering of entropy.
 * @return false with errno
 */
bool mib_seal_random(uint8_t *out, size_t len);

#endif
