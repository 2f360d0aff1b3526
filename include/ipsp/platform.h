/*
 * ipsp/platform.h - all that libipsp needs from where it runs.
 *
 * Filled by the embedder and passed at init; borrowed for the life of what was made with it. The
 * packet path calls only random, local_addr and the providers of crypto and compression.
 */
#ifndef IPSP_PLATFORM_H
#define IPSP_PLATFORM_H

#include "ipsp/types.h"

struct ipsp_compress;
struct ipsp_crypto;

struct ipsp_platform {
	void *ctx;	/* given back to each call */

	/** Zeroed memory, aligned for any type; NULL: none. Control path only. */
	void *(*alloc)(void *ctx, size_t size);

	/** Gives back what alloc gave, with the same size. mem may be NULL. */
	void (*free)(void *ctx, void *mem, size_t size);

	/** Unpredictable octets (RFC 3602 3: IVs). Anything but IPSP_OK drops the packets. */
	enum ipsp_err (*random)(void *ctx, uint8_t *out, size_t len);

	/** Overwrites memory so that a compiler cannot leave it out. */
	void (*wipe)(void *ctx, void *mem, size_t len);

	/**
	 * The address of ours that routing would use towards remote; same family as remote. Asked
	 * in the packet path for SAs without a local address: must not wait. May be NULL: such
	 * packets are dropped (IPSP_REASON_TUNNEL_LOCAL). IPSP_ENOENT: none.
	 */
	enum ipsp_err (*local_addr)(void *ctx, const struct ipsp_addr *remote,
				    struct ipsp_addr *local);

	/**
	 * The largest packet that leaves towards dst without being cut, as far as the system knows:
	 * the link's MTU, or the route's. Asked in the packet path: must not wait. 0: not known. May
	 * be NULL: nothing is.
	 */
	uint32_t (*path_mtu)(void *ctx, const struct ipsp_addr *dst);

	const struct ipsp_crypto *crypto;
	const struct ipsp_compress *compress;	/* NULL: IPComp is not offered */

	/** Threads that will have a worker each: crypto contexts are made for as many. 0: one. */
	unsigned n_threads;
};

/** The same, of which 0 is none. */
static inline unsigned ipsp_platform_threads(const struct ipsp_platform *p)
{
	return p->n_threads ? p->n_threads : 1;
}

#endif
