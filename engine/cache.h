/*
 * engine/cache.h - what a worker remembers of the SPD: the match of each flow it saw last. Private to
 * engine/.
 *
 * Exact match, two ways a set. An entry is good for one epoch: whatever changes policy or SAs turns
 * it (ipsp_engine_turn_epoch), and nothing that a match points to is freed while a worker is in a
 * packet call that began before. Only fixed matches are kept, so an answer is what lookup would say.
 */
#ifndef ENGINE_CACHE_H
#define ENGINE_CACHE_H

#include <string.h>

#include "ipsp/spd.h"

#define IPSP_CACHE_SETS 512u	/* a power of two */
#define IPSP_CACHE_WAYS 2u

/** The flow's key, and the interface. */
#define IPSP_CACHE_WORDS 7u

_Static_assert(IPSP_FLOW_KEY + sizeof(uint32_t) == IPSP_CACHE_WORDS * sizeof(uint64_t),
	       "interface and key fill whole words");

struct ipsp_cached {
	uint64_t epoch;		/* that it is good for; 0: none */
	uint64_t key[IPSP_CACHE_WORDS];
	struct ipsp_spd_match match;
};

/** Of one direction. */
struct ipsp_cache {
	uint8_t oldest[IPSP_CACHE_SETS];	/* the way that is given up next */
	struct ipsp_cached entries[IPSP_CACHE_SETS][IPSP_CACHE_WAYS];
};

static inline void ipsp_cache_key(const struct ipsp_flow *flow, uint32_t ifindex,
				  uint64_t key[IPSP_CACHE_WORDS])
{
	uint32_t last;

	memcpy(key, flow, (IPSP_CACHE_WORDS - 1) * sizeof(*key));
	memcpy(&last, (const uint8_t *)flow + IPSP_FLOW_KEY - sizeof(last), sizeof(last));
	key[IPSP_CACHE_WORDS - 1] = (uint64_t)ifindex << 32 | last;
}

/* Spreads flows over sets. Who chooses flows that meet in one gains slower packets of his own. */
static inline uint32_t ipsp_cache_set(const uint64_t key[IPSP_CACHE_WORDS])
{
	const uint64_t a = (key[0] ^ key[1] * 0x9e3779b97f4a7c15u) + key[2] * 0xc2b2ae3d27d4eb4fu;
	const uint64_t b = (key[3] ^ key[4] * 0x165667b19e3779f9u) + key[5] * 0xff51afd7ed558ccdu;
	uint64_t h = (a ^ (b >> 29 | b << 35)) + key[6] * 0xc4ceb9fe1a85ec53u;

	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 40) & (IPSP_CACHE_SETS - 1);
}

static inline bool ipsp_cache_is(const struct ipsp_cached *c, uint64_t epoch,
				 const uint64_t key[IPSP_CACHE_WORDS])
{
	uint64_t differs = c->epoch ^ epoch;

	for (unsigned i = 0; i < IPSP_CACHE_WORDS; i++)
		differs |= c->key[i] ^ key[i];
	return differs == 0;
}

/** @return what is remembered, or NULL; good until the next ipsp_cache_put */
static inline const struct ipsp_spd_match *ipsp_cache_find(const struct ipsp_cache *cache,
							   uint32_t set, uint64_t epoch,
							   const uint64_t key[IPSP_CACHE_WORDS])
{
	const struct ipsp_cached *c = cache->entries[set];

	for (unsigned way = 0; way < IPSP_CACHE_WAYS; way++) {
		if (ipsp_cache_is(&c[way], epoch, key))
			return &c[way].match;
	}
	return NULL;
}

/** Remembers a match that is fixed. */
static inline void ipsp_cache_put(struct ipsp_cache *cache, uint32_t set, uint64_t epoch,
				  const uint64_t key[IPSP_CACHE_WORDS],
				  const struct ipsp_spd_match *match)
{
	struct ipsp_cached *c = &cache->entries[set][cache->oldest[set]];

	cache->oldest[set] ^= 1;
	c->epoch = epoch;
	memcpy(c->key, key, sizeof(c->key));
	c->match = *match;
}

#endif
