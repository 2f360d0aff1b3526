/*
 * xml/memory.c - libxml2's allocator: the C library's, with its failures counted. See memory.h.
 */
#include "xml/memory.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/xmlmemory.h>

static unsigned long lacks;

static void *noted(void *p)
{
	lacks += !p;
	return p;
}

static void *allocate(size_t size)
{
	return noted(malloc(size));
}

static void *reallocate(void *p, size_t size)
{
	return noted(realloc(p, size));
}

static char *duplicate(const char *text)
{
	return noted(strdup(text));
}

unsigned long xml_memory_lacks(void)
{
	/* What libxml2 has of the C library by now may be freed and grown by these as well. */
	xmlMemSetup(free, allocate, reallocate, duplicate);
	return lacks;
}
