/*
 * ipsp/replay.h - the anti-replay window of one inbound SA. RFC 4303 3.4.3 and appendix A2.
 *
 * No clock, no I/O, no allocation. One worker at a time writes a window; callers see to that. The
 * ring always remembers IPSP_REPLAY_MAX numbers, so a window may be made wider or narrower.
 */
#ifndef IPSP_REPLAY_H
#define IPSP_REPLAY_H

#include "ipsp/types.h"

#define IPSP_REPLAY_MIN 32u
#define IPSP_REPLAY_MAX 4096u

struct ipsp_replay {
	uint64_t top;		/* highest authenticated number; 0: none yet */
	uint32_t window_pkts;	/* 32 .. IPSP_REPLAY_MAX, a power of two */
	uint32_t reserved;	/* 0 */
	uint64_t seen[IPSP_REPLAY_MAX / 64];	/* ring of bits, one a packet */
};

/**
 * An empty window.
 * @param floor  every number up to it counts as seen; 0: none
 * @return IPSP_OK; IPSP_EINVAL: window_pkts is not 32..4096 or no power of two
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_init(struct ipsp_replay *r, uint32_t window_pkts,
					       uint64_t floor);

/** Another size, same memory of what was seen. IPSP_EINVAL: as ipsp_replay_init. */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_resize(struct ipsp_replay *r, uint32_t window_pkts);

/**
 * Might this packet be fresh? Ask before its ICV is checked; changes nothing.
 * @param low  sequence number as received: low 32 bits, host order
 * @param esn  64-bit numbers were agreed for this SA
 * @param seq  out: full number to authenticate with (A2.2); written only on IPSP_OK
 * @return IPSP_OK; IPSP_EREPLAY: seen already; IPSP_EOLD: left of the window, or number 0
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_check(const struct ipsp_replay *r, uint32_t low,
						bool esn, uint64_t *seq);

/**
 * Records a number once its ICV is good.
 * @return IPSP_OK; IPSP_EREPLAY, IPSP_EOLD: overtaken since the check, drop the packet
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_accept(struct ipsp_replay *r, uint64_t seq);

#endif
