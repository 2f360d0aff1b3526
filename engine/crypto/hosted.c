/*
 * engine/crypto/hosted.c - the platform's table from the C library and Linux.
 */
#include <string.h>
#include <sys/random.h>

#include "engine/crypto/hosted.h"
#include "engine/crypto/hosted_memory.h"

static void *hosted_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return hosted_memory_get(size);
}

static void hosted_free(void *ctx, void *mem, size_t size)
{
	(void)ctx;
	hosted_memory_put(mem, size);
}

/* In pieces that the kernel never cuts short: getrandom(2), up to 256 octets. */
static enum ipsp_err hosted_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	while (len > 0) {
		size_t piece = len < 256 ? len : 256;

		if (getrandom(out, piece, 0) != (ssize_t)piece)
			return IPSP_ECRYPTO;
		out += piece;
		len -= piece;
	}
	return IPSP_OK;
}

static void hosted_wipe(void *ctx, void *mem, size_t len)
{
	(void)ctx;
	explicit_bzero(mem, len);
}

void ipsp_platform_hosted(struct ipsp_platform *out, const struct ipsp_crypto *crypto)
{
	*out = (struct ipsp_platform){
		.alloc = hosted_alloc,
		.free = hosted_free,
		.random = hosted_random,
		.wipe = hosted_wipe,
		.crypto = crypto,
	};
}
