/*
 * engine/crypto/hosted_memory.h - memory for the core in programs with a C library. Not part of the core.
 *
 * A large SPD or SAD is many small pieces, of which a packet meets a dozen, each somewhere else. In pages
 * of 4 KiB the processor would look up where each of them lies; so they are cut from huge pages,
 * and each begins with a line of the cache. What is given back is given out again, and stays with the
 * process. Builds with sanitizers have the C library's instead (hosted_memory_plain.c), so that these
 * watch every piece.
 */
#ifndef ENGINE_CRYPTO_HOSTED_MEMORY_H
#define ENGINE_CRYPTO_HOSTED_MEMORY_H

#include <stddef.h>

/** Zeroed; NULL: none. Any thread. */
void *hosted_memory_get(size_t size);

/** Gives back what hosted_memory_get gave, with the same size. NULL is fine. */
void hosted_memory_put(void *mem, size_t size);

/** Octets given out now that are not from the C library, with what each piece is rounded up by. */
size_t hosted_memory_used(void);

#endif
