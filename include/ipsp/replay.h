/*
 * ipsp/replay.h - the anti-replay window of one inbound SA. RFC 4303 3.4.3 and appendix A2.
 *
 * No clock, no I/O, no allocation. One worker at a time writes a window; callers see to that. Behind
 * the structure stands its ring, of as many bits as the owner made room for: a window may be made
 * wider or narrower within it, as the ring remembers all its numbers.
 */
#ifndef IPSP_REPLAY_H
#define IPSP_REPLAY_H

#include "ipsp/types.h"

#define IPSP_REPLAY_MIN 32u
#define IPSP_REPLAY_MAX 4096u

struct ipsp_replay {
	uint64_t top;		/* highest authenticated number; 0: none yet */
	uint32_t window_pkts;	/* 32 .. IPSP_REPLAY_MAX, a power of two */
	uint32_t ring_pkts;	/* bits behind this structure: 64 .. IPSP_REPLAY_MAX, a power of two */
};

/** Octets of the ring that a window needs. */
#define IPSP_REPLAY_RING(window_pkts) ((window_pkts) < 64u ? 8u : (window_pkts) / 8u)

/**
 * An empty window.
 * @param r         with ring_octets of memory behind it, aligned for 64-bit words
 * @param floor     every number up to it counts as seen; 0: none
 * @return IPSP_OK; IPSP_EINVAL: window_pkts is not 32..4096 or no power of two, or the ring is not
 *	   8..512 octets, a power of two, or too small for the window
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_init(struct ipsp_replay *r, size_t ring_octets,
					       uint32_t window_pkts, uint64_t floor);

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
