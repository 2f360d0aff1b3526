/*
 * tests/unit/spd/memory.c - see memory.h.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/spd/memory.h"

static void *memory_alloc(void *ctx, size_t size)
{
	struct memory *m = ctx;

	if (m->fail_at >= 0 && m->fail_at-- == 0)
		return NULL;
	m->octets += size;
	return calloc(1, size);
}

/* A wrong size shows as octets that are never 0 again. */
static void memory_free(void *ctx, void *mem, size_t size)
{
	struct memory *m = ctx;

	if (!mem)
		return;
	m->octets -= size;
	free(mem);
}

static enum ipsp_err memory_random(void *ctx, uint8_t *out, size_t len)
{
	struct memory *m = ctx;

	if (m->random_fails)
		return IPSP_ECRYPTO;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 37 + 11);
	return IPSP_OK;
}

static void memory_wipe(void *ctx, void *mem, size_t len)
{
	(void)ctx;
	memset(mem, 0, len);
}

void memory_init(struct memory *m, const struct ipsp_crypto *crypto)
{
	*m = (struct memory){
		.platform = {
			.ctx = m,
			.alloc = memory_alloc,
			.free = memory_free,
			.random = memory_random,
			.wipe = memory_wipe,
			.crypto = crypto,
		},
		.fail_at = -1,
	};
}
