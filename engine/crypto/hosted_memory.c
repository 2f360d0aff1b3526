/*
 * engine/crypto/hosted_memory.c - see hosted_memory.h.
 *
 * Small pieces come in multiples of a line, with a list of free ones for each length, from chunks of
 * huge pages that are never given back: what one policy left the next one takes. Large ones are the
 * kernel's or the C library's business.
 */
#include "engine/crypto/hosted_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64u
#define SMALL_MAX 8192u
#define HUGE_PAGE ((size_t)2 << 20)
#define CHUNK (2 * HUGE_PAGE)

static struct {
	pthread_mutex_t lock;
	uint8_t *at;		/* what is left of the last chunk */
	size_t left;
	void *free[SMALL_MAX / LINE + 1];	/* by length in lines; each begins with the next one */
	size_t used;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t rounded(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

/* Zeroed, in huge pages if there are any. size: whole ones */
static void *map(size_t size)
{
	const size_t all = size + HUGE_PAGE;
	uint8_t *const mem = all < size ? MAP_FAILED :
				    mmap(NULL, all, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (mem == MAP_FAILED)
		return NULL;
	before = rounded((uintptr_t)mem, HUGE_PAGE) - (uintptr_t)mem;
	if (before > 0)
		munmap(mem, before);
	if (before < HUGE_PAGE)
		munmap(mem + before + size, HUGE_PAGE - before);
	/* Without them it is as good, but slower. */
	(void)madvise(mem + before, size, MADV_HUGEPAGE);
	return mem + before;
}

/* From the last chunk, or a new one: what is left of the last is lost, less than a piece. */
static void *cut(size_t size)
{
	void *piece;

	if (pool.left < size) {
		uint8_t *const chunk = map(CHUNK);

		if (!chunk)
			return NULL;
		pool.at = chunk;
		pool.left = CHUNK;
	}
	piece = pool.at;
	pool.at += size;
	pool.left -= size;
	return piece;
}

static void *get_small(size_t size)
{
	void **const first = &pool.free[size / LINE];
	void *const piece = *first;

	if (!piece)
		return cut(size);
	memcpy(first, piece, sizeof(*first));
	return memset(piece, 0, size);
}

/* Neither small nor worth a huge page. */
static bool is_for_library(size_t size)
{
	return size > SMALL_MAX && size < HUGE_PAGE;
}

/* What another piece takes. */
static size_t taken(size_t size)
{
	return rounded(size ? size : 1, size > SMALL_MAX ? HUGE_PAGE : LINE);
}

void *hosted_memory_get(size_t size)
{
	const size_t takes = taken(size);
	void *piece;

	if (is_for_library(size))
		return calloc(1, size);
	if (takes < size)
		return NULL;
	pthread_mutex_lock(&pool.lock);
	piece = takes <= SMALL_MAX ? get_small(takes) : map(takes);
	if (piece)
		pool.used += takes;
	pthread_mutex_unlock(&pool.lock);
	return piece;
}

void hosted_memory_put(void *mem, size_t size)
{
	const size_t takes = taken(size);

	if (!mem)
		return;
	if (is_for_library(size)) {
		free(mem);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	if (takes <= SMALL_MAX) {
		memcpy(mem, &pool.free[takes / LINE], sizeof(void *));
		pool.free[takes / LINE] = mem;
	} else {
		munmap(mem, takes);
	}
	pool.used -= takes;
	pthread_mutex_unlock(&pool.lock);
}

size_t hosted_memory_used(void)
{
	size_t used;

	pthread_mutex_lock(&pool.lock);
	used = pool.used;
	pthread_mutex_unlock(&pool.lock);
	return used;
}
