/* engine/crypto/locked.c - memory for keys: see locked.h. Pools keep their pages. */
#include <string.h>
#include <sys/mman.h>

#include "engine/crypto/locked.h"

#define CHUNK_MIN 65536u
#define CHUNK_MAX (1u << 20)

void *crypto_locked_map(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	if (mlock(mem, len) < 0 || madvise(mem, len, MADV_DONTDUMP) < 0)
		return mem;	/* as good as it gets */
	return mem;
}

void crypto_locked_unmap(void *mem, size_t len)
{
	munmap(mem, len);
}

/* Few SAs take little, many take large pieces. */
static void grow(struct crypto_pool *pool)
{
	const size_t size = pool->chunk_size == 0 ? CHUNK_MIN :
			    pool->chunk_size < CHUNK_MAX ? pool->chunk_size * 2 : CHUNK_MAX;
	unsigned char *const chunk = crypto_locked_map(size);

	if (!chunk)
		return;
	pool->chunk_size = size;
	for (size_t at = 0; at + pool->object_size <= size; at += pool->object_size) {
		memcpy(chunk + at, &pool->free, sizeof(pool->free));
		pool->free = chunk + at;
	}
}

void *crypto_pool_get(struct crypto_pool *pool)
{
	void *object;

	if (!pool->free)
		grow(pool);
	object = pool->free;
	if (!object)
		return NULL;
	memcpy(&pool->free, object, sizeof(pool->free));
	memset(object, 0, sizeof(pool->free));
	return object;
}

void crypto_pool_put(struct crypto_pool *pool, void *object)
{
	explicit_bzero(object, pool->object_size);
	memcpy(object, &pool->free, sizeof(pool->free));
	pool->free = object;
}
