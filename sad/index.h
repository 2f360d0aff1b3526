/*
 * sad/index.h - SAs by a hash, for any number of readers and one writer without a lock: private to
 * sad/.
 *
 * Open addressing with linear probing. A slot is filled once and may become dead; a table that is
 * three quarters full of either is copied into another one, which readers find at their next look.
 * The old one is garbage then: it stays as it was, for those still in it.
 */
#ifndef SAD_INDEX_H
#define SAD_INDEX_H

#include "ipsp/sad.h"

struct ipsp_sa_slot {
	_Atomic uint64_t hash;
	_Atomic(struct ipsp_sa *) sa;	/* NULL: never filled, where probing ends */
};

struct ipsp_sa_table {
	struct ipsp_sad_garbage garbage;
	uint32_t mask;			/* slots - 1; slots are a power of two */
	struct ipsp_sa_slot slots[];
};

struct ipsp_sa_index {
	_Atomic(struct ipsp_sa_table *) table;	/* NULL: nothing was ever in it */
	uint32_t n_live, n_filled;	/* filled: live or dead */
};

/** Makes room for one more. old, if there is garbage now, is put before *garbage. False: no memory */
bool ipsp_sa_index_reserve(const struct ipsp_platform *platform, struct ipsp_sa_index *index,
			   struct ipsp_sad_garbage **garbage);

/** Puts an SA in, for which there is room. */
void ipsp_sa_index_put(struct ipsp_sa_index *index, uint64_t hash, struct ipsp_sa *sa);

/** Puts sa into the place of another of that hash, which is there. */
void ipsp_sa_index_replace(struct ipsp_sa_index *index, uint64_t hash, const struct ipsp_sa *old,
			   struct ipsp_sa *sa);

/** Takes out one that is there. */
void ipsp_sa_index_remove(struct ipsp_sa_index *index, uint64_t hash, const struct ipsp_sa *sa);

/** Nobody may be using it. */
void ipsp_sa_index_free(const struct ipsp_platform *platform, struct ipsp_sa_index *index);

/** What stands in slots whose SA has gone. */
#define IPSP_SA_GONE ((struct ipsp_sa *)(uintptr_t)1)

/** Walks the SAs of one hash. */
struct ipsp_sa_walk {
	struct ipsp_sa_table *table;
	uint64_t hash;
	uint32_t at;
};

static inline struct ipsp_sa_walk ipsp_sa_index_walk(const struct ipsp_sa_index *index,
						     uint64_t hash)
{
	struct ipsp_sa_table *table = atomic_load_explicit(&index->table, memory_order_acquire);

	return (struct ipsp_sa_walk){ table, hash, table ? (uint32_t)hash & table->mask : 0 };
}

/** The next one, in no order; others may be of another key with that hash. NULL: the end. */
static inline struct ipsp_sa *ipsp_sa_walk_next(struct ipsp_sa_walk *w)
{
	while (w->table) {
		struct ipsp_sa_slot *slot = &w->table->slots[w->at];
		struct ipsp_sa *sa = atomic_load_explicit(&slot->sa, memory_order_acquire);

		if (!sa)
			break;
		w->at = (w->at + 1) & w->table->mask;
		if (sa != IPSP_SA_GONE &&
		    atomic_load_explicit(&slot->hash, memory_order_relaxed) == w->hash)
			return sa;
	}
	return NULL;
}

/** Mixes a word into a hash. */
static inline uint64_t ipsp_sa_hash(uint64_t seed, uint64_t word)
{
	uint64_t h = (seed ^ word) * 0xff51afd7ed558ccdull;

	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 29;
}

#endif
