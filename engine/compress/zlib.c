/*
 * engine/compress/zlib.c - IPComp's DEFLATE by zlib: see zlib.h. RFC 2394 2: the stream is raw, as
 * RFC 1951 has it, with neither zlib's header nor its sum.
 *
 * Streams are set up once and reset for each packet, which allocates nothing.
 */
#include "engine/compress/zlib.h"

#include <stdlib.h>
#include <zlib.h>

/* Packets are small: speed counts more than the last octet. Windows of 32 KiB, the most there is. */
#define LEVEL 3
#define RAW_WINDOW_BITS (-15)
#define MEMORY_LEVEL 8

struct ipsp_compress_ctx {
	z_stream deflate, inflate;
};

static bool offers(uint16_t transform)
{
	return transform == IPSP_COMP_DEFLATE;
}

static enum ipsp_err ctx_new(struct ipsp_compress_ctx **out)
{
	struct ipsp_compress_ctx *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return IPSP_ENOMEM;
	if (deflateInit2(&ctx->deflate, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(ctx);
		return IPSP_ENOMEM;
	}
	if (inflateInit2(&ctx->inflate, RAW_WINDOW_BITS) != Z_OK) {
		deflateEnd(&ctx->deflate);
		free(ctx);
		return IPSP_ENOMEM;
	}
	*out = ctx;
	return IPSP_OK;
}

static void ctx_free(struct ipsp_compress_ctx *ctx)
{
	if (!ctx)
		return;
	deflateEnd(&ctx->deflate);
	inflateEnd(&ctx->inflate);
	free(ctx);
}

static void stream_set(z_stream *z, struct ipsp_span in, uint8_t *out, size_t size)
{
	z->next_in = (z_const Bytef *)(uintptr_t)in.data;
	z->avail_in = (uInt)in.len;
	z->next_out = out;
	z->avail_out = (uInt)size;
}

static size_t compress_packet(struct ipsp_compress_ctx *ctx, uint16_t transform,
			      struct ipsp_span in, uint8_t *out, size_t size)
{
	(void)transform;
	if (deflateReset(&ctx->deflate) != Z_OK)
		return 0;
	stream_set(&ctx->deflate, in, out, size);
	return deflate(&ctx->deflate, Z_FINISH) == Z_STREAM_END ?
		       size - ctx->deflate.avail_out : 0;
}

static size_t decompress_packet(struct ipsp_compress_ctx *ctx, uint16_t transform,
				struct ipsp_span in, uint8_t *out, size_t size)
{
	(void)transform;
	if (inflateReset(&ctx->inflate) != Z_OK)
		return 0;
	stream_set(&ctx->inflate, in, out, size);
	return inflate(&ctx->inflate, Z_FINISH) == Z_STREAM_END ?
		       size - ctx->inflate.avail_out : 0;
}

static const struct ipsp_compress provider = {
	.name = "zlib",
	.offers = offers,
	.ctx_new = ctx_new,
	.ctx_free = ctx_free,
	.compress = compress_packet,
	.decompress = decompress_packet,
};

const struct ipsp_compress *ipsp_compress_zlib(void)
{
	return &provider;
}
