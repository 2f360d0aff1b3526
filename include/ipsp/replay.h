/*
 * ipsp/replay.h - the anti-replay window of one inbound SA. RFC 4303 3.4.3 and appendix A2.
 *
 * No clock, no I/O, no allocation, no lock: any number of threads may ask and write a window at the
 * same time, and of the packets that bear one number exactly one is accepted, whoever has them.
 * Behind the structure stands its ring, of as many numbers as the owner made room for: a window may
 * be made wider or narrower within it, as the ring remembers all its numbers.
 *
 * The ring's words have 32 numbers each, a block, and beside their bits which lap around the ring the
 * block is of:
 *
 *	 63          32 31                0
 *	[ lap           | a bit a number   ]	number = (lap * blocks of the ring + place) * 32 + bit
 *
 * So nothing has to be cleared when the window moves on, which no two threads could do at once: who
 * writes the first number of a block puts a whole new word in the place of the one a lap before.
 */
#ifndef IPSP_REPLAY_H
#define IPSP_REPLAY_H

#include <stdatomic.h>
#include <stddef.h>

#include "ipsp/types.h"

#define IPSP_REPLAY_MIN 32u
#define IPSP_REPLAY_MAX 4096u
#define IPSP_REPLAY_BLOCK 32u

struct ipsp_replay {
	_Atomic uint64_t top;		/* highest authenticated number; 0: none yet */
	_Atomic uint32_t window_pkts;	/* 32 .. IPSP_REPLAY_MAX, a power of two */
	uint32_t n_blocks;		/* words behind this structure */
};

/** Octets of the ring that a window needs: one block more, as its edges are within blocks. */
#define IPSP_REPLAY_RING(window_pkts) \
	((size_t)((window_pkts) / IPSP_REPLAY_BLOCK + 1u) * sizeof(uint64_t))

/**
 * An empty window, which nobody else uses yet.
 * @param r         with ring_octets of memory behind it, aligned for 64-bit words
 * @param floor     every number up to it counts as seen; 0: none
 * @return IPSP_OK; IPSP_EINVAL: window_pkts is not 32..4096 or no power of two, or the ring has no
 *	   whole words, too few for the window, or more than the widest one needs
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_replay_init(struct ipsp_replay *r, size_t ring_octets,
					       uint32_t window_pkts, uint64_t floor);

/** Another size, same memory of what was seen. One thread. IPSP_EINVAL: as ipsp_replay_init. */
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

/**
 * The same for many, one after the other, at the price of a few: those of one block are written at once.
 * @param seqs  0: not to be recorded, IPSP_EOLD
 * @param errs  out: of each what ipsp_replay_accept says
 */
void ipsp_replay_accept_n(struct ipsp_replay *r, const uint64_t *seqs, enum ipsp_err *errs,
			  uint32_t n);

#endif
