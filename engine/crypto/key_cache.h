/*
 * engine/crypto/key_cache.h - expanded keys of the contexts that a thread used last.
 *
 * A key schedule is many times the size of its key, so a hundred thousand SAs keep keys only, and
 * each thread expands those of the SAs it is busy with. One cache belongs to one thread, which
 * claims a slot for the time of a batch. The control thread comes in only to wipe the slot of a
 * context that was freed, which no thread uses any more: nobody ever waits for a slot.
 */
#ifndef ENGINE_CRYPTO_KEY_CACHE_H
#define ENGINE_CRYPTO_KEY_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_slot {
	_Atomic uint64_t owner;		/* serial of the context whose keys are there; 0: none */
	_Atomic bool claimed;
	uint64_t used;			/* of the owning thread: the higher the later */
	void *keys;
};

/** How a kind of slot is wiped; keys as made with the cache. */
typedef void key_wipe(void *keys, size_t size);

struct key_cache {
	unsigned n_slots;		/* a power of two, at least 4 */
	size_t size;			/* octets of a slot's keys */
	size_t mapped;			/* octets of all */
	uint64_t tick;			/* of the owning thread: claims so far */
	key_wipe *wipe;
	struct key_slot slots[];
};

/**
 * A cache in locked memory.
 * @param n_slots  a power of two, at least 4
 * @param size     of a slot's keys, which are zeroed and aligned to 64
 * @return NULL: no memory
 */
struct key_cache *key_cache_new(unsigned n_slots, size_t size, key_wipe *wipe);

/** Gives back one that was never used; its slots have nothing left. NULL is fine. */
void key_cache_free(struct key_cache *cache);

/**
 * The slot of a context, claimed. Owning thread.
 * @param serial  not 0
 * @param fresh   out: its keys are those of another or of nobody, for the caller to overwrite
 */
struct key_slot *key_cache_claim(struct key_cache *cache, uint64_t serial, bool *fresh);

/** Gives it back. If its keys could not be expanded, its owner is set to 0 before. */
void key_cache_release(struct key_slot *slot);

/** Wipes what there is of a context that nobody uses any more. Control thread. */
void key_cache_forget(struct key_cache *cache, uint64_t serial);

#endif
