/*
 * spd/search_n.c - many packets through their trees at once.
 *
 * What a packet needs next is fetched while the others are looked at: nodes and leaves of a large list
 * are far away, and one packet alone mostly waits. Each goes its way as in spd/search.c.
 */
#include "spd/in_leaf.h"

/* How far a packet has come. */
enum stage {
	STAGE_SLOT,	/* its slot is at hand */
	STAGE_CHILD,	/* its slot and the wide one of its node are */
	STAGE_LEAF,	/* the leaf of its slot is */
	STAGE_DONE,
};

struct lane {
	enum stage stage;
	uint32_t n_later;
	const struct ipsp_spd_slot *slot, *wide;
	const struct ipsp_spd_slot *later[IPSP_SPD_DEPTH_MAX];	/* as in spd/search.c */
};

static inline void fetch_leaf(const struct ipsp_spd_slot *slot, uint8_t family)
{
	const uint8_t *at = slot->to;
	const size_t size = IPSP_SPD_LEAF_HEADER +
			    ipsp_spd_leaf_n(slot) * ipsp_spd_record_size(family);

	/* What comes behind follows by itself. */
	for (size_t i = 0; i < size && i < 512; i += 64)
		__builtin_prefetch(at + i);
}

/* What a slot leads to is fetched, or the next one that waits is gone to. */
static inline void enter(struct lane *l, struct ipsp_spd_search_one *one)
{
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

static const struct ipsp_spd_slot nothing = { .kind = IPSP_SLOT_EMPTY };

static inline void step(struct lane *l, struct ipsp_spd_search_one *one)
{
	if (l->stage == STAGE_CHILD && ipsp_spd_worth(l->wide, &one->found)) {
		l->later[l->n_later++] = l->wide;
	} else if (l->stage == STAGE_LEAF) {
		ipsp_spd_in_leaf(l->slot, one->flow->family, one->words, one->flow, 0,
				 &one->found);
		l->slot = &nothing;
	}
	enter(l, one);
}

void ipsp_spd_search_n(struct ipsp_spd_search_one *ones, uint32_t n)
{
	struct lane lanes[IPSP_SPD_SEARCH_MAX];
	uint32_t left = n;

	for (uint32_t i = 0; i < n; i++) {
		lanes[i].stage = STAGE_SLOT;
		lanes[i].n_later = 0;
		lanes[i].slot = ones[i].root;
	}
	while (left > 0) {
		for (uint32_t i = 0; i < n; i++) {
			if (lanes[i].stage == STAGE_DONE)
				continue;
			step(&lanes[i], &ones[i]);
			if (lanes[i].stage == STAGE_DONE)
				left--;
		}
	}
}
