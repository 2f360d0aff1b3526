/* engine/crypto/key_cache.c - expanded keys of busy contexts: see key_cache.h. */
#include "engine/crypto/key_cache.h"
#include "engine/crypto/locked.h"

#define WAYS 4u		/* slots that one context may be in */
#define ALIGNMENT 64u

static size_t aligned(size_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct key_cache *key_cache_new(unsigned n_slots, size_t size, key_wipe *wipe)
{
	const size_t head = aligned(sizeof(struct key_cache) +
				    n_slots * sizeof(struct key_slot));
	const size_t stride = aligned(size);
	const size_t mapped = head + n_slots * stride;
	unsigned char *const mem = crypto_locked_map(mapped);
	struct key_cache *const cache = (struct key_cache *)mem;

	if (!mem)
		return NULL;
	cache->n_slots = n_slots;
	cache->size = size;
	cache->mapped = mapped;
	cache->wipe = wipe;
	for (unsigned i = 0; i < n_slots; i++) {
		atomic_init(&cache->slots[i].owner, 0);
		atomic_init(&cache->slots[i].claimed, false);
		cache->slots[i].keys = mem + head + i * stride;
	}
	return cache;
}

void key_cache_free(struct key_cache *cache)
{
	if (cache)
		crypto_locked_unmap(cache, cache->mapped);
}

static struct key_slot *set_of(struct key_cache *cache, uint64_t serial)
{
	return &cache->slots[serial % (cache->n_slots / WAYS) * WAYS];
}

static bool claim(struct key_slot *slot)
{
	return !atomic_exchange_explicit(&slot->claimed, true, memory_order_acquire);
}

void key_cache_release(struct key_slot *slot)
{
	atomic_store_explicit(&slot->claimed, false, memory_order_release);
}

/* The slot longest unused but for one; nobody's are the first to be taken. */
static struct key_slot *victim(struct key_slot *set, const struct key_slot *but)
{
	struct key_slot *oldest = NULL;
	uint64_t oldest_used = UINT64_MAX;

	for (unsigned i = 0; i < WAYS; i++) {
		const uint64_t owner = atomic_load_explicit(&set[i].owner, memory_order_relaxed);
		const uint64_t used = owner ? set[i].used : 0;

		if (&set[i] != but && used < oldest_used) {
			oldest = &set[i];
			oldest_used = used;
		}
	}
	return oldest;
}

struct key_slot *key_cache_claim(struct key_cache *cache, uint64_t serial, bool *fresh)
{
	struct key_slot *const set = set_of(cache, serial);
	struct key_slot *slot = NULL;

	*fresh = false;
	for (unsigned i = 0; i < WAYS && !slot; i++) {
		if (atomic_load_explicit(&set[i].owner, memory_order_relaxed) == serial)
			slot = &set[i];
	}
	if (!slot) {
		*fresh = true;
		slot = victim(set, NULL);
	}
	/* The control thread may be wiping that one; it is never in two. */
	while (!claim(slot)) {
		*fresh = true;
		slot = victim(set, slot);
	}
	atomic_store_explicit(&slot->owner, serial, memory_order_relaxed);
	slot->used = ++cache->tick;
	return slot;
}

void key_cache_forget(struct key_cache *cache, uint64_t serial)
{
	struct key_slot *const set = set_of(cache, serial);

	for (unsigned i = 0; i < WAYS; i++) {
		struct key_slot *const slot = &set[i];

		/* Claimed: its thread is putting another context's keys over them. */
		if (atomic_load_explicit(&slot->owner, memory_order_relaxed) != serial ||
		    !claim(slot))
			continue;
		if (atomic_load_explicit(&slot->owner, memory_order_relaxed) == serial) {
			cache->wipe(slot->keys, cache->size);
			atomic_store_explicit(&slot->owner, 0, memory_order_relaxed);
		}
		key_cache_release(slot);
	}
}
