/*
 * mibs/mem.c - the store's allocations, with a fault to inject, and shared octets. See mem.h.
 */
#include "mibs/mem.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/secmem.h"

static unsigned long mem_asked;
static unsigned long mem_fail_at;

static bool mem_refused(void)
{
	mem_asked++;
	if (mem_fail_at == 0 || mem_asked != mem_fail_at)
		return false;
	mem_fail_at = 0;
	return true;
}

void mib_mem_fail_at(unsigned long n)
{
	mem_fail_at = n == 0 ? 0 : mem_asked + n;
}

unsigned long mib_mem_count(void)
{
	return mem_asked;
}

void *mib_alloc(size_t n, size_t size)
{
	if (mem_refused())
		return NULL;
	return calloc(n == 0 ? 1 : n, size);
}

void *mib_resize(void *p, size_t n, size_t size)
{
	if (mem_refused())
		return NULL;
	return reallocarray(p, n == 0 ? 1 : n, size);
}

void mib_free(void *p)
{
	free(p);
}

bool mib_mem_init(void)
{
	/* A daemon has locked its pool before; tools and tests may go on when they cannot lock. */
	return mib_secmem_is_ready() || mib_secmem_init(MIB_SECMEM_MAY_SWAP, NULL) == MIB_OK;
}

struct mib_blob *mib_blob_new(const void *data, size_t len, bool secret)
{
	if (len > INT32_MAX - sizeof(struct mib_blob) || mem_refused())
		return NULL;
	struct mib_blob *b = secret ? gcry_malloc_secure(sizeof(*b) + len) : malloc(sizeof(*b) + len);
	if (b == NULL)
		return NULL;
	b->refs = 1;
	b->len = (uint32_t)len;
	b->secret = secret;
	if (len > 0)
		memcpy(b->data, data, len);
	return b;
}

struct mib_blob *mib_blob_ref(struct mib_blob *b)
{
	b->refs++;
	return b;
}

void mib_blob_unref(struct mib_blob *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	if (b->secret) {
		explicit_bzero(b->data, b->len);
		gcry_free(b);
	} else {
		free(b);
	}
}
