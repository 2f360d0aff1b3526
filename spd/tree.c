/*
 * spd/tree.c - trees of boxes built, and changed box by box. See spd/tree.h.
 *
 * A node or leaf that another tree has too is copied before it is changed. Walks keep their own
 * stacks, which the depth bounds.
 */
#include "spd/tree.h"

#include <string.h>

/* A part is built anew when its boxes are so many times those it was built of, and this more. */
#define GROWN_TIMES 2u
#define GROWN_MORE 16u
#define SHRUNK_TIMES 4u

static const struct ipsp_spd_slot empty = { .first = IPSP_SPD_NO_FIRST, .kind = IPSP_SLOT_EMPTY };

/* ---- leaves ---- */

static size_t leaf_size(uint8_t family, uint32_t room)
{
	return IPSP_SPD_LEAF_HEADER + room * ipsp_spd_record_size(family);
}

static uint8_t *record_at(struct ipsp_spd_leaf *leaf, uint8_t family, uint32_t at)
{
	return (uint8_t *)leaf + IPSP_SPD_LEAF_HEADER + at * ipsp_spd_record_size(family);
}

static struct ipsp_spd_leaf *leaf_new(const struct ipsp_platform *p, uint8_t family, uint32_t room)
{
	struct ipsp_spd_leaf *leaf = ipsp_alloc_array(p, 1, leaf_size(family, room));

	if (!leaf)
		return NULL;
	leaf->refs = 1;
	leaf->room = room;
	return leaf;
}

static void leaf_free(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_leaf *leaf)
{
	ipsp_free_array(p, leaf, 1, leaf_size(family, leaf->room));
}

static void set_leaf(struct ipsp_spd_slot *slot, struct ipsp_spd_leaf *leaf, uint32_t n)
{
	slot->to = leaf;
	slot->kind = IPSP_SLOT_LEAF;
	slot->n = n & IPSP_SPD_BOXES_MAX;
}

static struct ipsp_spd_tag tag_of(const struct ipsp_spd_box *b)
{
	return (struct ipsp_spd_tag){ .order = b->order, .item = b->item,
				      .at = (uint32_t)(b - b->item->boxes),
				      .residual = b->item->rule.residual != NULL };
}

static void set_record4(struct ipsp_spd_box4 *to, const struct ipsp_spd_box *b)
{
	to->src_lo = (uint32_t)(b->src_lo[0] >> 32);
	to->src_span = (uint32_t)((b->src_hi[0] - b->src_lo[0]) >> 32);
	to->dst_lo = (uint32_t)(b->dst_lo[0] >> 32);
	to->dst_span = (uint32_t)((b->dst_hi[0] - b->dst_lo[0]) >> 32);
	to->sport_lo = b->sport_lo;
	to->sport_span = b->sport_hi - b->sport_lo;
	to->dport_lo = b->dport_lo;
	to->dport_span = b->dport_hi - b->dport_lo;
	to->proto_lo = b->proto_lo;
	to->proto_span = (uint8_t)(b->proto_hi - b->proto_lo);
	to->dscp_lo = b->dscp_lo;
	to->dscp_span = (uint8_t)(b->dscp_hi - b->dscp_lo);
	to->only_hidden = b->hides == IPSP_HIDES_ONLY;
	to->tag = tag_of(b);
}

static void set_record6(struct ipsp_spd_box6 *to, const struct ipsp_spd_box *b)
{
	memcpy(to->src_lo, b->src_lo, sizeof(to->src_lo));
	memcpy(to->src_hi, b->src_hi, sizeof(to->src_hi));
	memcpy(to->dst_lo, b->dst_lo, sizeof(to->dst_lo));
	memcpy(to->dst_hi, b->dst_hi, sizeof(to->dst_hi));
	to->sport_lo = b->sport_lo;
	to->sport_span = b->sport_hi - b->sport_lo;
	to->dport_lo = b->dport_lo;
	to->dport_span = b->dport_hi - b->dport_lo;
	to->flow_lo = b->flow_lo;
	to->flow_span = b->flow_hi - b->flow_lo;
	to->proto_lo = b->proto_lo;
	to->proto_span = (uint8_t)(b->proto_hi - b->proto_lo);
	to->dscp_lo = b->dscp_lo;
	to->dscp_span = (uint8_t)(b->dscp_hi - b->dscp_lo);
	to->only_hidden = b->hides == IPSP_HIDES_ONLY;
	to->tag = tag_of(b);
}

static void set_record(struct ipsp_spd_leaf *leaf, uint8_t family, uint32_t at,
		       const struct ipsp_spd_box *box)
{
	uint8_t *record = record_at(leaf, family, at);

	if (family == 4)
		set_record4((struct ipsp_spd_box4 *)(void *)record, box);
	else
		set_record6((struct ipsp_spd_box6 *)(void *)record, box);
}

static const struct ipsp_spd_box *box_at(const struct ipsp_spd_leaf *leaf, uint8_t family,
					 uint32_t at)
{
	const struct ipsp_spd_tag *tag = ipsp_spd_tag(leaf, family, at);

	return &tag->item->boxes[tag->at];
}

/* The leaf of a slot as this tree's alone, with room for so many. NULL: no memory. */
static struct ipsp_spd_leaf *own_leaf(const struct ipsp_platform *p, uint8_t family,
				      struct ipsp_spd_slot *slot, uint32_t room)
{
	struct ipsp_spd_leaf *leaf = slot->to, *copy;
	const uint32_t n = slot->n;

	if (leaf->refs == 1 && room <= leaf->room)
		return leaf;
	copy = leaf_new(p, family, room + room / 4);
	if (!copy)
		return NULL;
	copy->built = leaf->built;
	memcpy(record_at(copy, family, 0), record_at(leaf, family, 0),
	       n * ipsp_spd_record_size(family));
	if (--leaf->refs == 0)
		leaf_free(p, family, leaf);
	slot->to = copy;
	return copy;
}

/* ---- nodes ---- */

static size_t node_size(uint32_t n_slots)
{
	return sizeof(struct ipsp_spd_node) + n_slots * sizeof(struct ipsp_spd_slot);
}

static struct ipsp_spd_node *node_new(const struct ipsp_platform *p, uint32_t n_slots)
{
	struct ipsp_spd_node *node = ipsp_alloc_array(p, 1, node_size(n_slots));

	if (!node)
		return NULL;
	node->refs = 1;
	node->n_slots = n_slots;
	for (uint32_t i = 0; i < n_slots; i++)
		node->slots[i] = empty;
	return node;
}

static uint32_t *refs_of(const struct ipsp_spd_slot *slot)
{
	return slot->kind == IPSP_SLOT_LEAF ? &((struct ipsp_spd_leaf *)slot->to)->refs :
					      &((struct ipsp_spd_node *)slot->to)->refs;
}

void ipsp_spd_tree_ref(const struct ipsp_spd_slot *slot)
{
	if (slot->kind != IPSP_SLOT_EMPTY)
		++*refs_of(slot);
}

static struct ipsp_spd_node *own_node(const struct ipsp_platform *p, struct ipsp_spd_slot *slot)
{
	struct ipsp_spd_node *node = slot->to, *copy;

	if (node->refs == 1)
		return node;
	copy = ipsp_alloc_array(p, 1, node_size(node->n_slots));
	if (!copy)
		return NULL;
	memcpy(copy, node, node_size(node->n_slots));
	copy->refs = 1;
	for (uint32_t i = 0; i < copy->n_slots; i++)
		ipsp_spd_tree_ref(&copy->slots[i]);
	node->refs--;
	slot->to = copy;
	return copy;
}

/* Nodes on the way down, and which slot of each comes next. */
struct walk {
	uint32_t n;
	struct {
		struct ipsp_spd_node *node;
		uint32_t next;
	} at[IPSP_SPD_DEPTH_MAX];
};

void ipsp_spd_tree_unref(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_slot *slot)
{
	struct walk w = { .n = 0 };

	for (;;) {
		if (slot->kind == IPSP_SLOT_LEAF && --*refs_of(slot) == 0) {
			leaf_free(p, family, slot->to);
		} else if (slot->kind == IPSP_SLOT_NODE && --*refs_of(slot) == 0) {
			w.at[w.n].node = slot->to;
			w.at[w.n++].next = 0;
		}
		*slot = empty;
		while (w.n > 0 && w.at[w.n - 1].next == w.at[w.n - 1].node->n_slots) {
			struct ipsp_spd_node *done = w.at[--w.n].node;

			ipsp_free_array(p, done, 1, node_size(done->n_slots));
		}
		if (w.n == 0)
			return;
		slot = &w.at[w.n - 1].node->slots[w.at[w.n - 1].next++];
	}
}

/* ---- building ---- */

/* Boxes that are to come under a slot. */
struct part {
	struct ipsp_spd_slot *slot;
	uint32_t from, n;
	uint32_t depth;
};

struct building {
	const struct ipsp_platform *platform;
	uint8_t family;
	const struct ipsp_spd_box **boxes, **sorted;	/* as many, for sorting */
	uint32_t n_parts;
	struct part *parts;		/* none is empty and no two overlap, so as many do */
};

static bool build_leaf(const struct building *b, const struct part *part)
{
	struct ipsp_spd_leaf *leaf = leaf_new(b->platform, b->family, part->n);

	if (!leaf)
		return false;
	for (uint32_t i = 0; i < part->n; i++)
		set_record(leaf, b->family, i, b->boxes[part->from + i]);
	leaf->built = part->n;
	set_leaf(part->slot, leaf, part->n);
	return true;
}

static uint32_t first_of(const struct ipsp_spd_box *box)
{
	return ipsp_spd_first_of(box->order);
}

/* Sorts a part's boxes by the slots of its node, which keeps their order in each. */
static void spread(struct building *b, const struct part *part, struct ipsp_spd_node *node)
{
	uint32_t ends[1 + (1u << IPSP_SPD_CUT_BITS_MAX)] = { 0 };
	const struct ipsp_spd_box **boxes = b->boxes + part->from;
	const struct ipsp_spd_cut cut = ipsp_spd_cut_of(part->slot);
	uint32_t at = 0;

	for (uint32_t i = 0; i < part->n; i++)
		ends[ipsp_spd_cut_slot(boxes[i], cut)]++;
	for (uint32_t i = 0; i < node->n_slots; i++) {
		const uint32_t n = ends[i];

		ends[i] = at;
		at += n;
		if (n > 0)
			b->parts[b->n_parts++] = (struct part){ &node->slots[i],
								part->from + at - n, n,
								part->depth + 1 };
	}
	for (uint32_t i = 0; i < part->n; i++) {
		const uint32_t slot = ipsp_spd_cut_slot(boxes[i], cut);

		b->sorted[ends[slot]++] = boxes[i];
	}
	memcpy(boxes, b->sorted, part->n * sizeof(*boxes));
	/* Those of the wide slot now stand first, if there are any. */
	if (ends[0] > 0)
		part->slot->wide_first = first_of(boxes[0]) & IPSP_SPD_NO_FIRST;
}

static void lead_to(struct ipsp_spd_slot *slot, struct ipsp_spd_node *node, struct ipsp_spd_cut cut)
{
	slot->to = node;
	slot->kind = IPSP_SLOT_NODE;
	slot->wide_first = IPSP_SPD_NO_FIRST;
	slot->cut_word = cut.word & 7u;
	slot->cut_shift = cut.shift & 63u;
	slot->cut_bits = cut.bits & 15u;
}

static bool build_part(struct building *b, const struct part *part)
{
	struct ipsp_spd_cut cut;
	struct ipsp_spd_node *node;

	part->slot->first = first_of(b->boxes[part->from]) & IPSP_SPD_NO_FIRST;
	if (part->depth + 1 >= IPSP_SPD_DEPTH_MAX ||
	    !ipsp_spd_cut_choose(b->boxes + part->from, part->n, &cut))
		return build_leaf(b, part);
	node = node_new(b->platform, 1 + (1u << cut.bits));
	if (!node)
		return false;
	node->n = node->built = part->n;
	lead_to(part->slot, node, cut);
	spread(b, part, node);
	return true;
}

/* Builds what comes under a slot at that depth. */
static bool build(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_slot *slot,
		  uint32_t depth, const struct ipsp_spd_box **boxes, uint32_t n)
{
	struct building b = { .platform = p, .family = family, .boxes = boxes };
	bool good = true;

	*slot = empty;
	if (n == 0)
		return true;
	b.sorted = ipsp_alloc_array(p, n, sizeof(struct ipsp_spd_box *));
	b.parts = ipsp_alloc_array(p, n, sizeof(*b.parts));
	good = b.sorted && b.parts;
	if (good)
		b.parts[b.n_parts++] = (struct part){ slot, 0, n, depth };
	while (good && b.n_parts > 0) {
		const struct part part = b.parts[--b.n_parts];

		good = build_part(&b, &part);
	}
	if (b.sorted)
		ipsp_free_array(p, b.sorted, n, sizeof(struct ipsp_spd_box *));
	if (b.parts)
		ipsp_free_array(p, b.parts, n, sizeof(*b.parts));
	if (!good)
		ipsp_spd_tree_unref(p, family, slot);
	return good;
}

bool ipsp_spd_tree_build(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_slot *slot,
			 const struct ipsp_spd_box **boxes, uint32_t n)
{
	return build(p, family, slot, 0, boxes, n);
}

/* ---- building anew ---- */

/* Boxes of one entry stand as they do in the entry. */
static bool is_before(const struct ipsp_spd_box *a, const struct ipsp_spd_box *b)
{
	return a->order != b->order ? a->order < b->order : a < b;
}

static void sift(const struct ipsp_spd_box **boxes, uint32_t at, uint32_t n)
{
	const struct ipsp_spd_box *box = boxes[at];

	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && is_before(boxes[child], boxes[child + 1]))
			child++;
		if (!is_before(box, boxes[child]))
			break;
		boxes[at] = boxes[child];
	}
	boxes[at] = box;
}

/* Heapsort: in place and without recursion. */
static void sort(const struct ipsp_spd_box **boxes, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift(boxes, i, n);
	for (uint32_t i = n; i-- > 1;) {
		const struct ipsp_spd_box *last = boxes[0];

		boxes[0] = boxes[i];
		boxes[i] = last;
		sift(boxes, 0, i);
	}
}

/* All boxes under a slot but one, from *n on. */
static void gather(const struct ipsp_spd_slot *slot, uint8_t family,
		   const struct ipsp_spd_box *but, const struct ipsp_spd_box **boxes, uint32_t *n)
{
	struct walk w = { .n = 0 };

	for (;;) {
		if (slot->kind == IPSP_SLOT_LEAF) {
			for (uint32_t i = 0; i < slot->n; i++) {
				const struct ipsp_spd_box *box = box_at(slot->to, family, i);

				if (box != but)
					boxes[(*n)++] = box;
			}
		} else if (slot->kind == IPSP_SLOT_NODE) {
			w.at[w.n].node = slot->to;
			w.at[w.n++].next = 0;
		}
		while (w.n > 0 && w.at[w.n - 1].next == w.at[w.n - 1].node->n_slots)
			w.n--;
		if (w.n == 0)
			return;
		slot = &w.at[w.n - 1].node->slots[w.at[w.n - 1].next++];
	}
}

static uint32_t count(const struct ipsp_spd_slot *slot)
{
	return slot->kind == IPSP_SLOT_EMPTY ? 0 :
	       slot->kind == IPSP_SLOT_LEAF ? slot->n :
					      ((const struct ipsp_spd_node *)slot->to)->n;
}

/* Builds a part anew with one box more, or one less; either may be NULL. */
static bool rebuild(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_slot *slot,
		    uint32_t depth, const struct ipsp_spd_box *with,
		    const struct ipsp_spd_box *without)
{
	const uint32_t room = count(slot) + 1;
	const struct ipsp_spd_box **boxes = ipsp_alloc_array(p, room,
							     sizeof(struct ipsp_spd_box *));
	struct ipsp_spd_slot anew;
	uint32_t n = 0;
	bool good;

	if (!boxes)
		return false;
	gather(slot, family, without, boxes, &n);
	if (with)
		boxes[n++] = with;
	sort(boxes, n);
	good = build(p, family, &anew, depth, boxes, n);
	ipsp_free_array(p, boxes, room, sizeof(struct ipsp_spd_box *));
	if (!good)
		return false;
	ipsp_spd_tree_unref(p, family, slot);
	*slot = anew;
	return true;
}

/* ---- one more, one less ---- */

static bool has_grown(uint32_t n, uint32_t built)
{
	return n >= built * GROWN_TIMES + GROWN_MORE;
}

/* Where a box stands in a leaf, or would stand. */
static uint32_t place_of(const struct ipsp_spd_slot *slot, const struct ipsp_spd_box *box)
{
	uint32_t lo = 0, hi = slot->n;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (is_before(box_at(slot->to, box->family, mid), box))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool add_to_leaf(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
			const struct ipsp_spd_box *box)
{
	const uint32_t n = slot->n, at = place_of(slot, box);
	struct ipsp_spd_leaf *leaf = own_leaf(p, box->family, slot, n + 1);

	if (!leaf)
		return false;
	memmove(record_at(leaf, box->family, at + 1), record_at(leaf, box->family, at),
		(n - at) * ipsp_spd_record_size(box->family));
	set_record(leaf, box->family, at, box);
	set_leaf(slot, leaf, n + 1);
	return true;
}

bool ipsp_spd_tree_add(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
		       const struct ipsp_spd_box *box)
{
	const uint8_t family = box->family;
	const uint32_t first = first_of(box);

	for (uint32_t depth = 0;; depth++) {
		struct ipsp_spd_node *node;
		uint32_t at;

		if (slot->kind == IPSP_SLOT_EMPTY)
			return rebuild(p, family, slot, depth, box, NULL);
		if (first < slot->first)
			slot->first = first & IPSP_SPD_NO_FIRST;
		if (slot->kind == IPSP_SLOT_LEAF) {
			const struct ipsp_spd_leaf *leaf = slot->to;

			if (has_grown(slot->n + 1, leaf->built))
				return rebuild(p, family, slot, depth, box, NULL);
			return add_to_leaf(p, slot, box);
		}
		node = slot->to;
		if (has_grown(node->n + 1, node->built))
			return rebuild(p, family, slot, depth, box, NULL);
		node = own_node(p, slot);
		if (!node)
			return false;
		node->n++;
		at = ipsp_spd_cut_slot(box, ipsp_spd_cut_of(slot));
		if (at == 0 && first < slot->wide_first)
			slot->wide_first = first & IPSP_SPD_NO_FIRST;
		slot = &node->slots[at];
	}
}

static bool remove_from_leaf(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
			     const struct ipsp_spd_box *box)
{
	const uint32_t n = slot->n, at = place_of(slot, box);
	struct ipsp_spd_leaf *leaf = own_leaf(p, box->family, slot, n);

	if (!leaf)
		return false;
	memmove(record_at(leaf, box->family, at), record_at(leaf, box->family, at + 1),
		(n - 1 - at) * ipsp_spd_record_size(box->family));
	set_leaf(slot, leaf, n - 1);
	return true;
}

bool ipsp_spd_tree_remove(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
			  const struct ipsp_spd_box *box)
{
	const uint8_t family = box->family;

	for (uint32_t depth = 0;; depth++) {
		struct ipsp_spd_node *node;
		uint32_t at;

		if (count(slot) == 1) {
			ipsp_spd_tree_unref(p, family, slot);
			return true;
		}
		if (slot->kind == IPSP_SLOT_LEAF)
			return remove_from_leaf(p, slot, box);
		node = slot->to;
		if (node->n - 1 < node->built / SHRUNK_TIMES)
			return rebuild(p, family, slot, depth, NULL, box);
		node = own_node(p, slot);
		if (!node)
			return false;
		node->n--;
		at = ipsp_spd_cut_slot(box, ipsp_spd_cut_of(slot));
		if (at == 0 && count(&node->slots[0]) == 1)
			slot->wide_first = IPSP_SPD_NO_FIRST;
		slot = &node->slots[at];
	}
}
