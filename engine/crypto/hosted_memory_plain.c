/*
 * engine/crypto/hosted_memory_plain.c - the C library's memory, for builds in which sanitizers watch it.
 */
#include <stdlib.h>

#include "engine/crypto/hosted_memory.h"

void *hosted_memory_get(size_t size)
{
	return calloc(1, size ? size : 1);
}

void hosted_memory_put(void *mem, size_t size)
{
	(void)size;
	free(mem);
}

size_t hosted_memory_used(void)
{
	return 0;
}
