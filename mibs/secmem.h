/*
 * mibs/secmem.h - memory for secrets: locked, wiped when freed; and the one initialisation of
 * libgcrypt in the processes that hold MIB state.
 *
 * Only libgcrypt's secure memory is behind it. Nothing here prints a secret or copies it elsewhere.
 */
#ifndef MIBS_SECMEM_H
#define MIBS_SECMEM_H

#include "mibs/value.h"

/**
 * Size of the locked pool, fixed for the life of the process. A secret takes its length plus some
 * 16 octets; Debian's RLIMIT_MEMLOCK of 8 MiB leaves as much again to others.
 */
#define MIB_SECMEM_BYTES (4u << 20)

enum mib_secmem_flags {
	MIB_SECMEM_MAY_SWAP = 1,	/* for tests and tools: go on without a lock */
};

/**
 * Initialises libgcrypt with its pool of secure memory. Call it first thing in the process; calling
 * again is harmless and answers as the first call did.
 * @param flags  MIB_SECMEM_MAY_SWAP, or 0: memory that cannot be locked is an error
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d: the kernel refused to lock (RLIMIT_MEMLOCK),
 *         libgcrypt is too old, or someone else has initialised it without this pool
 */
MIB_MUST_CHECK enum mib_err mib_secmem_init(unsigned int flags, struct mib_diag *d);

/** Has mib_secmem_init succeeded in this process? */
bool mib_secmem_is_ready(void);

/** A secret; data is in the pool and belongs to the struct. {NULL, 0} owns nothing. */
struct mib_secret {
	uint8_t *data;
	size_t len;
};

/** Takes len zero octets (0 is allowed) from the pool. @return MIB_OK; MIB_RESOURCE_UNAVAILABLE */
MIB_MUST_CHECK enum mib_err mib_secret_init(struct mib_secret *s, size_t len);

/** Wipes and frees; s owns nothing afterwards. */
void mib_secret_fini(struct mib_secret *s);

#endif
