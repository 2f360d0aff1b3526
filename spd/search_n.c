/*
 * spd/search_n.c - many packets through their trees at once.
 *
 * What a packet needs next is fetched while the others are looked at: nodes and leaves of a large list
 * are far away, and one packet alone mostly waits. Each goes its way as in spd/search.c, all of them in
 * step: in turns those whose next slot is at hand, and those whose leaf is. What a slot leads to differs
 * from packet to packet, and a jump that the processor foresees wrongly is dearer than a line of memory
 * that others wait for too: so a packet is written to the end of each queue that it might go on in, and
 * counted in the one where it does.
 */
#include "spd/in_leaf.h"

#include <string.h>

/* Of a leaf two lines are fetched: few packets need more, and what is behind follows by itself. */
#define LINE 64u

/* A packet on its way. */
struct lane {
	struct ipsp_spd_search_one *one;
	const struct ipsp_spd_slot *slot;
	uint32_t bound;		/* ipsp_spd_first_of the best so far */
	uint8_t family;
	struct ipsp_spd_waiters waiters;
};

struct queue {
	uint32_t n;
	struct lane *at[IPSP_SPD_SEARCH_MAX + 1];	/* one more: who is not counted is written too */
};

struct search {
	struct queue slots, leaves;	/* whose slot, or leaf, is on its way */
	struct queue back;		/* who goes on with what waits */
};

static inline void put(struct queue *to, struct lane *l, bool really)
{
	to->at[to->n] = l;
	to->n += really;
}

static inline void pass_slot(struct search *s, struct lane *l)
{
	const struct ipsp_spd_slot *const slot = l->slot;
	const bool worth = ipsp_spd_worth(slot, l->bound);
	const bool is_node = worth & (slot->kind == IPSP_SLOT_NODE);
	const bool is_leaf = worth & (slot->kind == IPSP_SLOT_LEAF);
	const struct ipsp_spd_slot *const child = ipsp_spd_child(slot, l->one->words);
	const uintptr_t next = is_node ? (uintptr_t)child :
					 (uintptr_t)slot->to + IPSP_SPD_LEAF_HEADER;

	put(&s->slots, l, is_node);
	put(&s->leaves, l, is_leaf);
	put(&s->back, l, !worth);
	ipsp_spd_wait(&l->waiters, slot, l->bound, is_node);
	l->slot = is_node ? child : slot;
	__builtin_prefetch((const void *)next);
	__builtin_prefetch((const void *)(next + (is_leaf & (slot->n > 1) ? LINE : 0)));
}

/* To the one that waits and came last; if there is none, this packet has arrived. */
static inline void go_back(struct search *s, struct lane *l)
{
	const struct ipsp_spd_slot *const slot = ipsp_spd_next_waiter(&l->waiters, l->bound);

	if (!slot)
		return;
	l->slot = slot;
	__builtin_prefetch(slot);
	put(&s->slots, l, true);
}

static inline void pass_leaf(struct search *s, struct lane *l)
{
	struct ipsp_spd_search_one *const one = l->one;

	ipsp_spd_in_leaf(l->slot, l->family, one->words, one->flow, 0, &one->found);
	l->bound = ipsp_spd_first_of(one->found.order);
	go_back(s, l);
}

static inline void begin(struct search *s, struct lane *l, struct ipsp_spd_search_one *one)
{
	l->one = one;
	l->slot = one->root;
	l->bound = ipsp_spd_first_of(one->found.order);
	l->family = one->flow->family;
	ipsp_spd_none_waits(&l->waiters);
	pass_slot(s, l);
}

void ipsp_spd_search_n(struct ipsp_spd_search_one *ones, uint32_t n)
{
	struct lane lanes[IPSP_SPD_SEARCH_MAX];
	struct search s;

	s.slots.n = s.leaves.n = s.back.n = 0;
	for (uint32_t i = 0; i < n; i++)
		begin(&s, &lanes[i], &ones[i]);
	while (s.slots.n + s.leaves.n > 0) {
		const uint32_t n_slots = s.slots.n, n_leaves = s.leaves.n;

		/* Who goes on is put where a place is free by then, and passed in the next turn. */
		s.slots.n = s.back.n = 0;
		for (uint32_t i = 0; i < n_slots; i++)
			pass_slot(&s, s.slots.at[i]);
		for (uint32_t i = 0; i < s.back.n; i++)
			go_back(&s, s.back.at[i]);
		for (uint32_t i = 0; i < n_leaves; i++)
			pass_leaf(&s, s.leaves.at[i]);
		s.leaves.n -= n_leaves;
		memmove(s.leaves.at, s.leaves.at + n_leaves, s.leaves.n * sizeof(s.leaves.at[0]));
	}
}
