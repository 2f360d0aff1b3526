/*
 * spd/search_n.c - many packets through their trees at once.
 *
 * What a packet needs next is fetched while the others are looked at: nodes and leaves of a large list
 * are far away, and one packet alone mostly waits. Each goes its way as in spd/search.c. Ways differ in
 * length, so whenever one packet has arrived the next one begins: there are always enough to wait for.
 */
#include "spd/in_leaf.h"

/* Packets on their way at a time: as many as the processor can wait for. */
#define LANES 48u

/* Boxes of a leaf that are fetched: few have more, and what comes behind follows by itself. */
#define LEAF_BOXES 4u
#define LINE 64u

/* How far a packet has come. */
enum stage {
	STAGE_CHILD,	/* its slot and the wide one of the node before are at hand */
	STAGE_LEAF,	/* the leaf of its slot is */
	STAGE_DONE,
};

struct lane {
	struct ipsp_spd_search_one *one;
	enum stage stage;
	uint32_t n_later;
	const struct ipsp_spd_slot *slot, *wide;
	const struct ipsp_spd_slot *later[IPSP_SPD_DEPTH_MAX];	/* as in spd/search.c */
};

static inline void fetch_leaf(const struct ipsp_spd_slot *slot, uint8_t family)
{
	const uint8_t *const at = (const uint8_t *)slot->to + IPSP_SPD_LEAF_HEADER;
	const uint32_t n = ipsp_spd_leaf_n(slot);
	const size_t size = (n < LEAF_BOXES ? n : LEAF_BOXES) * ipsp_spd_record_size(family);

	for (size_t i = 0; i < size; i += LINE)
		__builtin_prefetch(at + i);
}

/* What a slot leads to is fetched, or the next one that waits is gone to. */
static inline void enter(struct lane *l)
{
	const struct ipsp_spd_search_one *const one = l->one;

	while (!ipsp_spd_worth(l->slot, &one->found)) {
		if (l->n_later == 0) {
			l->stage = STAGE_DONE;
			return;
		}
		l->slot = l->later[--l->n_later];
	}
	if (l->slot->kind == IPSP_SLOT_LEAF) {
		fetch_leaf(l->slot, one->flow->family);
		l->stage = STAGE_LEAF;
		return;
	}
	l->wide = &((const struct ipsp_spd_node *)l->slot->to)->slots[0];
	l->slot = ipsp_spd_child(l->slot, one->words);
	__builtin_prefetch(l->wide);
	__builtin_prefetch(l->slot);
	l->stage = STAGE_CHILD;
}

static inline void begin(struct lane *l, struct ipsp_spd_search_one *one)
{
	l->one = one;
	l->n_later = 0;
	l->slot = one->root;
	enter(l);
}

static const struct ipsp_spd_slot nothing = { .kind = IPSP_SLOT_EMPTY };

static inline void step(struct lane *l)
{
	struct ipsp_spd_search_one *const one = l->one;

	if (l->stage == STAGE_LEAF) {
		ipsp_spd_in_leaf(l->slot, one->flow->family, one->words, one->flow, 0,
				 &one->found);
		l->slot = &nothing;
	} else if (ipsp_spd_worth(l->wide, &one->found)) {
		l->later[l->n_later++] = l->wide;
	}
	enter(l);
}

void ipsp_spd_search_n(struct ipsp_spd_search_one *ones, uint32_t n)
{
	struct lane lanes[LANES];
	struct lane *on_way[LANES];	/* lanes in use, in no order */
	uint32_t n_on_way = 0, next = 0;

	for (; next < n && next < LANES; next++) {
		on_way[n_on_way] = &lanes[n_on_way];
		begin(on_way[n_on_way++], &ones[next]);
	}
	while (n_on_way > 0) {
		for (uint32_t i = 0; i < n_on_way;) {
			struct lane *const l = on_way[i];

			if (l->stage != STAGE_DONE)
				step(l);
			/* Another packet takes the place of one that has arrived. */
			if (l->stage == STAGE_DONE && next < n)
				begin(l, &ones[next++]);
			else if (l->stage == STAGE_DONE)
				on_way[i] = on_way[--n_on_way];
			else
				i++;
		}
	}
}
