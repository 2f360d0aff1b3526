/*
 * ipsp/counters.h - sequence numbers and replay windows, in memory that outlives the process.
 *
 * The caller gives a region (a memfd that its parent also holds) and attaches to it at each start.
 * A number space is named by its counter_id, which changes exactly when key or SPI change: an
 * engine that comes back goes on where the last one stopped, so no number is used twice and no
 * packet is taken twice under one key. RFC 4303 3.3.3, 3.4.3.
 *
 * Layout: a header, then slots in an open-addressed table (linear probing from the id's hash).
 * Slots never move while attached. Find, add and drop: one control thread. All in host order, for
 * one machine and one boot.
 */
#ifndef IPSP_COUNTERS_H
#define IPSP_COUNTERS_H

#include <stdatomic.h>

#include "ipsp/replay.h"

#define IPSP_COUNTERS_MAGIC 0x69707370636e7472ull	/* "ipspcntr" */
#define IPSP_COUNTERS_VERSION 3u

/** One number space. In a region its ring has room for any window; one of an SA's own, for that SA's. */
struct ipsp_counter {
	_Atomic uint64_t id;		/* 0: free; IPSP_COUNTER_DROPPED: free, but probe on */
	_Atomic uint64_t seq;		/* outbound: the last number given out */
	_Atomic uint64_t packets;	/* through the SA, either direction */
	_Atomic uint64_t bytes;		/* that the cipher was applied to: RFC 4301 4.4.2.1 */
	uint64_t born_s;		/* now_s of the first installation */
	uint64_t reserved;		/* 0 */
	struct ipsp_replay replay;	/* inbound */
	uint64_t ring[];		/* of replay */
};

/** Octets of one whose ring has room for that window. */
#define IPSP_COUNTER_SIZE(window_pkts) \
	(sizeof(struct ipsp_counter) + IPSP_REPLAY_RING(window_pkts))

/** Octets of a region's slot: whole cache lines, so that workers of two SAs do not meet in one. */
#define IPSP_COUNTER_SLOT ((IPSP_COUNTER_SIZE(IPSP_REPLAY_MAX) + 63u) / 64u * 64u)

#define IPSP_COUNTER_DROPPED UINT64_MAX

struct ipsp_counters_header {
	uint64_t magic;
	uint32_t version;
	uint32_t slot_size;
	uint32_t n_slots;	/* a power of two */
	uint32_t reserved[11];	/* 0 */
};

_Static_assert(IPSP_COUNTER_SLOT == 1152, "layout of IPSP_COUNTERS_VERSION");
_Static_assert(sizeof(struct ipsp_counters_header) == 64, "layout of IPSP_COUNTERS_VERSION");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "numbers must be lock-free to be shared");

/** An attached region. Made by ipsp_counters_attach; nothing to free. */
struct ipsp_counters {
	struct ipsp_counters_header *header;
	uint8_t *slots;		/* of IPSP_COUNTER_SLOT octets each */
	uint32_t mask;		/* n_slots - 1 */
};

/** Size of a region for n_slots (a power of two). At most three quarters get used. */
size_t ipsp_counters_size(uint32_t n_slots);

/**
 * Attaches. A region of zeros only is formatted for as many slots as fit.
 * @param region  aligned to 64; must stay mapped while any SA uses it
 * @param size    octets
 * @return IPSP_OK; IPSP_EINVAL: not aligned, or too small for 16 slots; IPSP_EMALFORMED: not of
 *	   this version or size
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_counters_attach(void *region, size_t size,
						   struct ipsp_counters *out);

/** @return the slot, or NULL. */
struct ipsp_counter *ipsp_counters_find(const struct ipsp_counters *c, uint64_t counter_id);

/**
 * The slot of an id, made (all zero but the id) if there is none.
 * @param counter_id  neither 0 nor IPSP_COUNTER_DROPPED
 * @param fresh       out: it was made just now
 * @return IPSP_OK; IPSP_EINVAL; IPSP_ENOSPC: three quarters of the slots are in use
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_counters_get(struct ipsp_counters *c, uint64_t counter_id,
						struct ipsp_counter **out, bool *fresh);

/** Frees the slots for which in_use(arg, counter_id) is false. @return how many. */
uint32_t ipsp_counters_drop_unused(struct ipsp_counters *c,
				   bool (*in_use)(void *arg, uint64_t counter_id), void *arg);

/** Slots in use. */
uint32_t ipsp_counters_used(const struct ipsp_counters *c);

enum ipsp_seq_limit {
	IPSP_SEQ_FREE,		/* nothing in the way */
	IPSP_SEQ_CEILING,	/* the reservation ends here: raise it */
	IPSP_SEQ_END,		/* the number space ends here: new keys are needed */
};

/**
 * Takes up to n consecutive numbers, by one atomic exchange. No number is ever given out twice.
 * @param floor    numbers up to it are not used
 * @param ceiling  highest number reserved; 0: no reservation in force
 * @param esn      the space ends at 2^64 - 1, else at 2^32 - 1
 * @param first    out: the first number, if any was taken
 * @param limit    out: why fewer than n were taken
 * @return how many, 0..n
 */
uint32_t ipsp_counter_take(struct ipsp_counter *counter, uint32_t n, uint64_t floor,
			   uint64_t ceiling, bool esn, uint64_t *first,
			   enum ipsp_seq_limit *limit);

/** How many numbers are left before ceiling or end. */
uint64_t ipsp_counter_left(const struct ipsp_counter *counter, uint64_t floor, uint64_t ceiling,
			   bool esn);

#endif
