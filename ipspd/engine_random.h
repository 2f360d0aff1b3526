/*
 * ipspd/engine_random.h - the kernel's randomness, fetched for many packets at once. One thread has a
 * pool; no octet is given out twice, and what was given out stands there no more.
 */
#ifndef IPSPD_ENGINE_RANDOM_H
#define IPSPD_ENGINE_RANDOM_H

#include "ipsp/types.h"

#define ENGINE_RANDOM_POOL 256u	/* what getrandom(2) never cuts short */

struct engine_random {
	uint8_t octets[ENGINE_RANDOM_POOL];
	size_t left;		/* at their end, that nobody has had */
};

/** @return IPSP_OK; IPSP_ECRYPTO: the kernel has none */
IPSP_MUST_CHECK enum ipsp_err engine_random_take(struct engine_random *pool, uint8_t *out,
						 size_t len);

/** Wipes it, when its thread ends. */
void engine_random_forget(struct engine_random *pool);

#endif
