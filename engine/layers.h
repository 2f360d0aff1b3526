/*
 * engine/layers.h - the SAs that a packet will go through, innermost first, found before anything is
 * done to it: how long what each of them makes may be, and what becomes of a packet that is longer. RFC
 * 4301 8.2.1; RFC 2473 7. Private to engine/.
 *
 *	clear packet > IPComp > ESP > AH > [ the packet of a bundle ] > ESP > [ that of one around it ] > link
 *
 * Only what the last SA of a bundle made is seen on a path, by whose errors it is learned how long it may
 * be; the outermost also has the link it leaves by. Compression is not counted on: what is told must
 * hold for the next packet too.
 */
#ifndef ENGINE_LAYERS_H
#define ENGINE_LAYERS_H

#include "engine/nest.h"
#include "engine/pmtu.h"

struct ipsp_layer {
	const struct ipsp_sa *sa;
	uint8_t family;		/* of what it makes */
	bool ends_bundle;
	bool cuttable;		/* what it makes may be cut into fragments */
	uint32_t headers_len;	/* that stand before it */
	uint32_t made_len;	/* of what it makes of the packet */
	uint32_t own;		/* that much its own path takes; UINT32_MAX: not known, or not seen there */
	uint32_t most;		/* that much may be what it makes, all around it counted */
};

struct ipsp_layers {
	uint32_t n;		/* 0: the packet will be refused */
	struct ipsp_layer of[IPSP_LAYERS_MAX];
};

/** What becomes of the packet. */
struct ipsp_layers_fit {
	enum ipsp_path_fit what;
	uint32_t bundles;	/* CUT_INNER: through so many of them it goes before */
	uint32_t most;		/* CUT_INNER: of each fragment */
	uint32_t tell;		/* in the clear, what would fit */
};

/**
 * Finds them. An entry around the packet that asks for more than selectors is taken to match.
 * @param len  of the packet, or of each but the last of its segments
 */
void ipsp_layers_find(const struct ipsp_bundle_job *job, uint32_t len, struct ipsp_layers *out);

/** @param flow  the packet's, with the length that layers were found for */
void ipsp_layers_judge(const struct ipsp_layers *layers, const struct ipsp_flow *flow,
		       struct ipsp_layers_fit *out);

#endif
