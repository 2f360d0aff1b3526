/*
 * spd/tree.h - the boxes of one family of a list, cut into a tree for lookup. Private to spd/.
 *
 * A node asks for some bits of one word of a packet: of an address, a port, the protocol. Boxes that
 * have one value of these bits and of all above them are under the slot of that value; those that
 * have several are under the wide slot, where other words are asked. So each box is in one leaf, and
 * a packet meets at each node the slot of its value and the wide one, which it need not look at when
 * all there come behind the best match so far. Where that is, the slot that leads to the node says
 * already: mostly a packet finds its match without the line of memory that the wide slot is in.
 *
 *	slot -> node: [wide][0][1]..[2^bits - 1] -> ... -> leaf: [records by order]
 *
 * Which bits a node asks is chosen when it is built, by what its boxes then are: those that leave the
 * fewest boxes to look at. A part whose boxes have doubled, or nearly gone, since is built anew. What
 * two trees share is counted and never changed.
 */
#ifndef SPD_TREE_H
#define SPD_TREE_H

#include "spd/table.h"

/** Words of a packet that nodes ask, as numbers. IPv4 addresses stand in the upper half of a word. */
enum ipsp_spd_word {
	IPSP_WORD_SRC = 0,	/* and 1: the lower half of an IPv6 address */
	IPSP_WORD_DST = 2,	/* and 3 */
	IPSP_WORD_SPORT = 4,
	IPSP_WORD_DPORT = 5,
	IPSP_WORD_PROTO = 6,
	IPSP_WORDS = 7,
};

/** Levels of a tree. */
#define IPSP_SPD_DEPTH_MAX 32u

#define IPSP_SPD_CUT_BITS_MAX 12u

/** Whose box a record is. */
struct ipsp_spd_tag {
	uint64_t order;
	const struct ipsp_spd_item *item;
	uint32_t at;		/* of the item's boxes */
	bool residual;		/* the item asks for more than its boxes */
};

/** A box as a leaf of IPv4 has it: x is in it when x - lo <= span, as unsigned numbers. */
struct ipsp_spd_box4 {
	uint32_t src_lo, src_span, dst_lo, dst_span;
	uint32_t sport_lo, sport_span, dport_lo, dport_span;
	uint8_t proto_lo, proto_span, dscp_lo, dscp_span;
	bool only_hidden;	/* IPSP_HIDES_ONLY */
	struct ipsp_spd_tag tag;
};

struct ipsp_spd_box6 {
	uint64_t src_lo[2], src_hi[2], dst_lo[2], dst_hi[2];
	uint32_t sport_lo, sport_span, dport_lo, dport_span;
	uint32_t flow_lo, flow_span;
	uint8_t proto_lo, proto_span, dscp_lo, dscp_span;
	bool only_hidden;
	struct ipsp_spd_tag tag;
};

/** Records by order, as many as its slot says; room for more. */
struct ipsp_spd_leaf {
	uint32_t refs;
	uint32_t room;
	uint32_t built;		/* how many it was built of */
};

struct ipsp_spd_node {
	uint32_t refs;
	uint32_t n;		/* boxes under it */
	uint32_t built;
	uint32_t n_slots;
	struct ipsp_spd_slot slots[];	/* the wide one first */
};

/** Behind the first of every order: what is said of a slot that is empty. */
#define IPSP_SPD_NO_FIRST 0xffffffu

/** What slots keep of an order: each entry has one of its own, but those that came between two. */
static inline uint32_t ipsp_spd_first_of(uint64_t order)
{
	const uint32_t first = (uint32_t)(order >> 40);

	return first < IPSP_SPD_NO_FIRST ? first : IPSP_SPD_NO_FIRST - 1;
}

static inline struct ipsp_spd_cut ipsp_spd_cut_of(const struct ipsp_spd_slot *slot)
{
	return (struct ipsp_spd_cut){ slot->cut_word, slot->cut_shift, slot->cut_bits };
}

/* Leaves begin with a header, then records: each of IPv4 is a line of the cache where leaves begin with one. */
#define IPSP_SPD_LEAF_HEADER 64u

_Static_assert(sizeof(struct ipsp_spd_leaf) <= IPSP_SPD_LEAF_HEADER, "records come behind it");

static inline const struct ipsp_spd_box4 *ipsp_spd_boxes4(const struct ipsp_spd_leaf *leaf)
{
	return (const struct ipsp_spd_box4 *)(const void *)
		((const uint8_t *)leaf + IPSP_SPD_LEAF_HEADER);
}

static inline const struct ipsp_spd_box6 *ipsp_spd_boxes6(const struct ipsp_spd_leaf *leaf)
{
	return (const struct ipsp_spd_box6 *)(const void *)
		((const uint8_t *)leaf + IPSP_SPD_LEAF_HEADER);
}

static inline size_t ipsp_spd_record_size(uint8_t family)
{
	return family == 4 ? sizeof(struct ipsp_spd_box4) : sizeof(struct ipsp_spd_box6);
}

static inline const struct ipsp_spd_tag *ipsp_spd_tag(const struct ipsp_spd_leaf *leaf,
						      uint8_t family, uint32_t at)
{
	return family == 4 ? &ipsp_spd_boxes4(leaf)[at].tag : &ipsp_spd_boxes6(leaf)[at].tag;
}

/*
 * The slots of the node that a slot leads to: the wide one, and the one for a packet. Reckoned with
 * numbers, as searches reckon before they know that it leads to a node: then this is not to be used.
 */
static inline const struct ipsp_spd_slot *ipsp_spd_wide(const struct ipsp_spd_slot *slot)
{
	return (const struct ipsp_spd_slot *)((uintptr_t)slot->to +
					      offsetof(struct ipsp_spd_node, slots));
}

static inline const struct ipsp_spd_slot *ipsp_spd_child(const struct ipsp_spd_slot *slot,
							 const uint64_t words[IPSP_WORDS])
{
	const uint64_t bits = words[slot->cut_word] >> slot->cut_shift &
			      ((1u << slot->cut_bits) - 1);

	return (const struct ipsp_spd_slot *)((uintptr_t)ipsp_spd_wide(slot) +
					      (1 + bits) * sizeof(struct ipsp_spd_slot));
}

/**
 * Cuts boxes into a tree.
 * @param slot   out: empty if there are none
 * @param boxes  of one family, by order; in another order when it is back
 * @return false: no memory, slot is empty
 */
bool ipsp_spd_tree_build(const struct ipsp_platform *p, uint8_t family, struct ipsp_spd_slot *slot,
			 const struct ipsp_spd_box **boxes, uint32_t n);

/** Puts one more in. @return false: no memory; the tree is good for ipsp_spd_tree_unref only */
bool ipsp_spd_tree_add(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
		       const struct ipsp_spd_box *box);

/** Takes one out that is there. As ipsp_spd_tree_add. */
bool ipsp_spd_tree_remove(const struct ipsp_platform *p, struct ipsp_spd_slot *slot,
			  const struct ipsp_spd_box *box);

/** One more has what is under the slot. */
void ipsp_spd_tree_ref(const struct ipsp_spd_slot *slot);

/** One less; the slot is empty then. */
void ipsp_spd_tree_unref(const struct ipsp_platform *p, uint8_t family,
			 struct ipsp_spd_slot *slot);

/* ---- cut.c ---- */

/** The cut that leaves the fewest boxes to look at. @return false: none is worth a node */
bool ipsp_spd_cut_choose(const struct ipsp_spd_box *const *boxes, uint32_t n,
			 struct ipsp_spd_cut *out);

/** The slot of a node that cuts so which a box is under: 0: the wide one. */
uint32_t ipsp_spd_cut_slot(const struct ipsp_spd_box *box, struct ipsp_spd_cut cut);

#endif
