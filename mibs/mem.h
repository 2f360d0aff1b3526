/*
 * mibs/mem.h - the store's allocations, and octets that rows share.
 *
 * Everything a transaction allocates goes through here, so that tests can make each single
 * allocation fail. Blobs are counted: a new version of a row shares what did not change. Secret
 * blobs live in libgcrypt's secure memory (locked, not swapped) and are wiped when the last row lets go.
 */
#ifndef MIBS_MEM_H
#define MIBS_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zeroed memory of n * size octets, or NULL; mib_free frees it. */
void *mib_alloc(size_t n, size_t size);

/** Resizes an array to n * size octets; new room is not zeroed. NULL: p is as it was. */
void *mib_resize(void *p, size_t n, size_t size);

void mib_free(void *p);

/** Fault injection: the nth allocation from now fails (1: the next), once. 0: none fails. */
void mib_mem_fail_at(unsigned long n);

/** How many allocations were asked for since the process began. */
unsigned long mib_mem_count(void);

/** Makes sure that there is secure memory (mibs/secmem.h). @return false: there is none. */
bool mib_mem_init(void);

/** Octets (or sub-identifiers) that are never changed once made. */
struct mib_blob {
	uint32_t refs;
	uint32_t len : 31;	/* octets */
	uint32_t secret : 1;	/* in secure memory */
	_Alignas(8) uint8_t data[];
};

/** A copy of len octets with one reference; NULL: no memory. */
struct mib_blob *mib_blob_new(const void *data, size_t len, bool secret);
struct mib_blob *mib_blob_ref(struct mib_blob *b);
/** Lets go; the last one wipes a secret. NULL is allowed. */
void mib_blob_unref(struct mib_blob *b);

#endif
