/*
 * ipsp/compress.h - the table a provider of compression fills, for IPComp. RFC 3173, 2394.
 */
#ifndef IPSP_COMPRESS_H
#define IPSP_COMPRESS_H

#include "ipsp/types.h"

/** Compression: the IPComp transform numbers of the IPsec DOI, also the well-known CPIs. */
enum ipsp_comp {
	IPSP_COMP_DEFLATE = 2,	/* RFC 2394 */
};

struct ipsp_compress_ctx;

/** A provider. Each packet stands alone: nothing is remembered from one to the next (RFC 3173 2). */
struct ipsp_compress {
	const char *name;

	/** Is that transform offered? */
	bool (*offers)(uint16_t transform);

	/**
	 * What one thread needs for all its packets, both ways. Control path only.
	 * @return IPSP_OK; IPSP_ENOMEM
	 */
	enum ipsp_err (*ctx_new)(struct ipsp_compress_ctx **out);

	/** NULL is fine. */
	void (*ctx_free)(struct ipsp_compress_ctx *ctx);

	/**
	 * Compresses, without allocation.
	 * @return octets at out; 0: they would be more than size, or the library failed
	 */
	size_t (*compress)(struct ipsp_compress_ctx *ctx, uint16_t transform, struct ipsp_span in,
			   uint8_t *out, size_t size);

	/**
	 * Decompresses what a peer sent, without allocation. Never writes more than size.
	 * @return octets at out; 0: damaged, unfinished, or more than size
	 */
	size_t (*decompress)(struct ipsp_compress_ctx *ctx, uint16_t transform, struct ipsp_span in,
			     uint8_t *out, size_t size);
};

#endif
