/*
 * sad/counters.c - number spaces in a region that outlives the process. RFC 4303 3.3.3.
 *
 * A slot's id is written last, so a process killed in between leaves a free slot, not half a one.
 */
#include <string.h>

#include "ipsp/counters.h"

#define MIN_SLOTS 16u
#define SLOT_SIZE IPSP_COUNTER_SLOT

static uint32_t first_slot(const struct ipsp_counters *c, uint64_t counter_id)
{
	return (uint32_t)((counter_id * 0x9e3779b97f4a7c15ull) >> 32) & c->mask;
}

static struct ipsp_counter *slot_at(const struct ipsp_counters *c, uint32_t at)
{
	return (struct ipsp_counter *)(c->slots + (size_t)at * SLOT_SIZE);
}

static uint64_t slot_id(const struct ipsp_counter *slot)
{
	return atomic_load_explicit(&slot->id, memory_order_acquire);
}

size_t ipsp_counters_size(uint32_t n_slots)
{
	return sizeof(struct ipsp_counters_header) + (size_t)n_slots * SLOT_SIZE;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

enum ipsp_err ipsp_counters_attach(void *region, size_t size, struct ipsp_counters *out)
{
	struct ipsp_counters_header *h = region;

	if (!region || (uintptr_t)region % 64 != 0 || size < ipsp_counters_size(MIN_SLOTS))
		return IPSP_EINVAL;
	if (all_zero(region, size)) {
		h->n_slots = MIN_SLOTS;
		while (h->n_slots < 1u << 30 && ipsp_counters_size(h->n_slots * 2) <= size)
			h->n_slots *= 2;
		h->version = IPSP_COUNTERS_VERSION;
		h->slot_size = SLOT_SIZE;
		h->magic = IPSP_COUNTERS_MAGIC;
	}
	if (h->magic != IPSP_COUNTERS_MAGIC || h->version != IPSP_COUNTERS_VERSION ||
	    h->slot_size != SLOT_SIZE || h->n_slots < MIN_SLOTS ||
	    (h->n_slots & (h->n_slots - 1)) != 0 || ipsp_counters_size(h->n_slots) > size)
		return IPSP_EMALFORMED;
	out->header = h;
	out->slots = (uint8_t *)(h + 1);
	out->mask = h->n_slots - 1;
	return IPSP_OK;
}

/*
 * The slot of an id, or NULL. place, if asked for: where it would go, NULL if nowhere. Probing ends
 * at a free slot; a region full of dropped ones is walked once.
 */
static struct ipsp_counter *probe(const struct ipsp_counters *c, uint64_t counter_id,
				  struct ipsp_counter **place)
{
	uint32_t at = first_slot(c, counter_id);
	struct ipsp_counter *first_dropped = NULL;

	for (uint32_t n = 0; n <= c->mask; n++, at = (at + 1) & c->mask) {
		struct ipsp_counter *slot = slot_at(c, at);
		uint64_t id = slot_id(slot);

		if (id == counter_id)
			return slot;
		if (id == IPSP_COUNTER_DROPPED && !first_dropped)
			first_dropped = slot;
		if (id == 0) {
			if (place)
				*place = first_dropped ? first_dropped : slot;
			return NULL;
		}
	}
	if (place)
		*place = first_dropped;
	return NULL;
}

static bool id_valid(uint64_t counter_id)
{
	return counter_id != 0 && counter_id != IPSP_COUNTER_DROPPED;
}

struct ipsp_counter *ipsp_counters_find(const struct ipsp_counters *c, uint64_t counter_id)
{
	return id_valid(counter_id) ? probe(c, counter_id, NULL) : NULL;
}

enum ipsp_err ipsp_counters_get(struct ipsp_counters *c, uint64_t counter_id,
				struct ipsp_counter **out, bool *fresh)
{
	struct ipsp_counter *place = NULL;
	struct ipsp_counter *slot;

	if (!id_valid(counter_id))
		return IPSP_EINVAL;
	slot = probe(c, counter_id, &place);
	*fresh = false;
	if (!slot) {
		if (!place || ipsp_counters_used(c) >= (c->mask + 1) / 4 * 3)
			return IPSP_ENOSPC;
		slot = place;
		atomic_store_explicit(&slot->seq, 0, memory_order_relaxed);
		atomic_store_explicit(&slot->packets, 0, memory_order_relaxed);
		atomic_store_explicit(&slot->bytes, 0, memory_order_relaxed);
		slot->born_s = 0;
		slot->reserved = 0;
		memset(&slot->replay, 0, SLOT_SIZE - offsetof(struct ipsp_counter, replay));
		atomic_store_explicit(&slot->id, counter_id, memory_order_release);
		*fresh = true;
	}
	*out = slot;
	return IPSP_OK;
}

/* A dropped slot with nothing behind it needs no probing on: it and those before it are free. */
static void free_tail(struct ipsp_counters *c, uint32_t at)
{
	for (uint32_t n = 0; n <= c->mask; n++) {
		if (slot_id(slot_at(c, (at + 1) & c->mask)) != 0 ||
		    slot_id(slot_at(c, at)) != IPSP_COUNTER_DROPPED)
			return;
		atomic_store_explicit(&slot_at(c, at)->id, 0, memory_order_release);
		at = (at - 1) & c->mask;
	}
}

uint32_t ipsp_counters_drop_unused(struct ipsp_counters *c,
				   bool (*in_use)(void *arg, uint64_t counter_id), void *arg)
{
	uint32_t dropped = 0;

	for (uint32_t i = 0; i <= c->mask; i++) {
		uint64_t id = slot_id(slot_at(c, i));

		if (!id_valid(id) || in_use(arg, id))
			continue;
		atomic_store_explicit(&slot_at(c, i)->id, IPSP_COUNTER_DROPPED, memory_order_release);
		dropped++;
	}
	for (uint32_t i = 0; dropped > 0 && i <= c->mask; i++)
		free_tail(c, i);
	return dropped;
}

uint32_t ipsp_counters_used(const struct ipsp_counters *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i <= c->mask; i++)
		n += id_valid(slot_id(slot_at(c, i)));
	return n;
}

/* The last number that may be given out, and what stands in the way of more. */
static uint64_t last_allowed(uint64_t ceiling, bool esn, enum ipsp_seq_limit *limit)
{
	uint64_t end = esn ? UINT64_MAX : UINT32_MAX;

	*limit = ceiling != 0 && ceiling < end ? IPSP_SEQ_CEILING : IPSP_SEQ_END;
	return *limit == IPSP_SEQ_CEILING ? ceiling : end;
}

uint32_t ipsp_counter_take(struct ipsp_counter *counter, uint32_t n, uint64_t floor,
			   uint64_t ceiling, bool esn, uint64_t *first,
			   enum ipsp_seq_limit *limit)
{
	enum ipsp_seq_limit why;
	uint64_t last = last_allowed(ceiling, esn, &why);
	uint64_t seen = atomic_load_explicit(&counter->seq, memory_order_relaxed);
	uint64_t from, taken;

	/* An exchange, not an add: numbers beyond the limit must stay unused, not be burnt. */
	do {
		from = seen > floor ? seen : floor;
		taken = from >= last ? 0 : last - from;
		if (taken > n)
			taken = n;
		if (taken == 0)
			break;
	} while (!atomic_compare_exchange_weak_explicit(&counter->seq, &seen, from + taken,
							memory_order_relaxed,
							memory_order_relaxed));
	*limit = taken < n ? why : IPSP_SEQ_FREE;
	if (taken > 0)
		*first = from + 1;
	return (uint32_t)taken;
}

uint64_t ipsp_counter_left(const struct ipsp_counter *counter, uint64_t floor, uint64_t ceiling,
			   bool esn)
{
	enum ipsp_seq_limit why;
	uint64_t last = last_allowed(ceiling, esn, &why);
	uint64_t seen = atomic_load_explicit(&counter->seq, memory_order_relaxed);
	uint64_t from = seen > floor ? seen : floor;

	return from >= last ? 0 : last - from;
}
