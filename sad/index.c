/*
 * sad/index.c - the table of SAs by a hash: see index.h.
 */
#include "sad/index.h"

#include "ipsp/platform.h"

#define SLOTS_MIN 64u
#define SLOTS_MAX (1u << 28)

static struct ipsp_sa_table *table_of(const struct ipsp_sa_index *index)
{
	return atomic_load_explicit(&index->table, memory_order_relaxed);
}

static size_t table_size(uint32_t n_slots)
{
	return sizeof(struct ipsp_sa_table) + (size_t)n_slots * sizeof(struct ipsp_sa_slot);
}

static struct ipsp_sa *sa_of(const struct ipsp_sa_slot *slot)
{
	return atomic_load_explicit(&slot->sa, memory_order_relaxed);
}

static void fill(struct ipsp_sa_table *t, uint64_t hash, struct ipsp_sa *sa)
{
	uint32_t at = (uint32_t)hash & t->mask;

	while (sa_of(&t->slots[at]))
		at = (at + 1) & t->mask;
	atomic_store_explicit(&t->slots[at].hash, hash, memory_order_relaxed);
	atomic_store_explicit(&t->slots[at].sa, sa, memory_order_release);
}

bool ipsp_sa_index_reserve(const struct ipsp_platform *platform, struct ipsp_sa_index *index,
			   struct ipsp_sad_garbage **garbage)
{
	struct ipsp_sa_table *old = table_of(index);
	uint32_t n = SLOTS_MIN;

	if (old && (uint64_t)index->n_filled + 1 <= ((uint64_t)old->mask + 1) / 4 * 3)
		return true;
	/* Half full at most, so that the next copy is as far away again. */
	while (n < SLOTS_MAX && n / 2 < index->n_live + 1)
		n *= 2;
	if (n / 2 < index->n_live + 1)
		return false;
	struct ipsp_sa_table *t = platform->alloc(platform->ctx, table_size(n));

	if (!t)
		return false;
	t->garbage.size = table_size(n);
	t->mask = n - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++) {
		struct ipsp_sa_slot *slot = &old->slots[i];
		struct ipsp_sa *sa = sa_of(slot);

		if (sa && sa != IPSP_SA_GONE)
			fill(t, atomic_load_explicit(&slot->hash, memory_order_relaxed), sa);
	}
	index->n_filled = index->n_live;
	atomic_store_explicit(&index->table, t, memory_order_release);
	if (old) {
		old->garbage.next = *garbage;
		*garbage = &old->garbage;
	}
	return true;
}

void ipsp_sa_index_put(struct ipsp_sa_index *index, uint64_t hash, struct ipsp_sa *sa)
{
	fill(table_of(index), hash, sa);
	index->n_live++;
	index->n_filled++;
}

/* The slot that holds one that is there. */
static struct ipsp_sa_slot *slot_of(struct ipsp_sa_index *index, uint64_t hash,
				    const struct ipsp_sa *sa)
{
	struct ipsp_sa_table *t = table_of(index);
	uint32_t at = (uint32_t)hash & t->mask;

	while (sa_of(&t->slots[at]) != sa)
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

void ipsp_sa_index_replace(struct ipsp_sa_index *index, uint64_t hash, const struct ipsp_sa *old,
			   struct ipsp_sa *sa)
{
	atomic_store_explicit(&slot_of(index, hash, old)->sa, sa, memory_order_release);
}

void ipsp_sa_index_remove(struct ipsp_sa_index *index, uint64_t hash, const struct ipsp_sa *sa)
{
	atomic_store_explicit(&slot_of(index, hash, sa)->sa, IPSP_SA_GONE, memory_order_release);
	index->n_live--;
}

void ipsp_sa_index_free(const struct ipsp_platform *platform, struct ipsp_sa_index *index)
{
	struct ipsp_sa_table *t = table_of(index);

	if (t)
		platform->free(platform->ctx, t, t->garbage.size);
}
