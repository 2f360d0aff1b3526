/*
 * engine/crypto/locked.h - memory for keys: kept out of swap and of core files. One thread at a time.
 *
 * libgcrypt's own secure memory is a list in which each allocation looks for the first that is free. It is for
 * what comes and goes: of what stays, as long as there are SAs, it must not have thousands.
 */
#ifndef ENGINE_CRYPTO_LOCKED_H
#define ENGINE_CRYPTO_LOCKED_H

#include <stddef.h>

/**
 * Zeroed whole pages. Where the limit on locked memory is used up they
 * can be swapped, which is better than a daemon that is out of memory.
 * @return NULL: no memory
 */
void *crypto_locked_map(size_t len);

/** Gives them back, with the same length; they hold no key any more. */
void crypto_locked_unmap(void *mem, size_t len);

/** Objects of one size, out of such pages. Begins as { .object_size = n }, n a multiple of 16. */
struct crypto_pool {
	size_t object_size;
	size_t chunk_size;	/* of the last pages that were mapped */
	void *free;		/* chained through their first octets */
};

/** @return zeroed memory, or NULL */
void *crypto_pool_get(struct crypto_pool *pool);

/** Wipes it and keeps it for the next one. */
void crypto_pool_put(struct crypto_pool *pool, void *object);

#endif
