/*
 * spd/table.h - one ordered list made ready for lookup: private to spd/.
 *
 * Each selector is a box; the boxes of a family are cut into a tree (spd/tree.h).
 *
 *	blocks[] -> items, in list order	index.root -> nodes -> leaves -> box, in its item
 *
 * A table that follows another by a few edits shares with it all blocks, nodes and leaves in which
 * nothing changed. They are counted, and what more than one table has is never changed. Items have
 * orders with room between them, so that one can come between two others without a number for all
 * that stand behind.
 */
#ifndef SPD_TABLE_H
#define SPD_TABLE_H

#include "ipsp/platform.h"
#include "ipsp/spd.h"

#define IPSP_SPD_NO_ORDER UINT64_MAX

struct ipsp_spd_item;

/** A selector in comparable form. IPv4 addresses are the highest 32 bits of the first word. */
struct ipsp_spd_box {
	uint64_t src_lo[2], src_hi[2], dst_lo[2], dst_hi[2];
	uint32_t sport_lo, sport_hi, dport_lo, dport_hi;
	uint32_t flow_lo, flow_hi;
	uint64_t order;		/* of its entry in the list */
	const struct ipsp_spd_item *item;
	uint8_t proto_lo, proto_hi;
	uint8_t dscp_lo, dscp_hi;
	uint8_t hides;		/* enum ipsp_hides */
	uint8_t family;
};

/** An entry, with its boxes. Fixed once made, but for refs. */
struct ipsp_spd_item {
	struct ipsp_spd_rule rule;
	uint64_t order;
	uint32_t refs;
	uint32_t n_boxes;
	struct ipsp_spd_box *boxes;
};

#define IPSP_SPD_BLOCK_ITEMS 128u

/** A part of a list. */
struct ipsp_spd_block {
	uint32_t refs;
	uint32_t n;
	struct ipsp_spd_item *items[IPSP_SPD_BLOCK_ITEMS];
};

/** What a node leads to: see spd/tree.h. */
enum ipsp_spd_slot_kind { IPSP_SLOT_EMPTY = 0, IPSP_SLOT_LEAF, IPSP_SLOT_NODE };

/** Bits of one word of a packet. */
struct ipsp_spd_cut {
	uint8_t word, shift, bits;
};

/** All that is asked before one goes there, in sixteen octets: four to a line of the cache. */
struct ipsp_spd_slot {
	void *to;			/* struct ipsp_spd_node or ipsp_spd_leaf */
	uint32_t first : 24;		/* no box under it is before: ipsp_spd_first_of its order */
	uint32_t kind : 2;		/* enum ipsp_spd_slot_kind */
	uint32_t cut_shift : 6;		/* of a node: struct ipsp_spd_cut */
	union {
		uint32_t n : 24;	/* boxes of a leaf */
		struct {
			uint32_t wide_first : 24;	/* of a node: first of its wide slot */
			uint32_t cut_word : 3;
			uint32_t cut_bits : 4;
		};
	};
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct ipsp_spd_slot) == 16, "four to a line");

/** Boxes that a list may have: a slot counts no further. */
#define IPSP_SPD_BOXES_MAX ((1u << 24) - 1)

/** One family's part of a table. */
struct ipsp_spd_index {
	struct ipsp_spd_slot root;
	const struct ipsp_spd_item *one_proto;	/* first with a box for one protocol; NULL: none */
	bool look_again;		/* while edited: one_proto has gone */
};

struct ipsp_spd_table {
	struct ipsp_spd_key key;
	uint32_t refs;
	uint32_t n_rules;
	uint32_t n_boxes;
	uint32_t n_blocks, room_blocks;
	struct ipsp_spd_block **blocks;	/* none is empty */
	struct ipsp_spd_hits *end;	/* of packets that no rule matches */
	struct ipsp_spd_index family[2];	/* IPv4, IPv6 */
};

/** What snapshots share. */
struct ipsp_spd_db {
	const struct ipsp_platform *platform;
	struct ipsp_spd_hits **buckets;
	uint32_t n_buckets;	/* a power of two */
	uint32_t n_hits;
};

/** The counters of an entry id in a list, with one more reference; NULL: no memory. */
struct ipsp_spd_hits *ipsp_spd_hits_ref(struct ipsp_spd_db *db, const struct ipsp_spd_key *list,
					uint64_t id);
void ipsp_spd_hits_unref(struct ipsp_spd_db *db, struct ipsp_spd_hits *hits);

/* ---- table.c ---- */

/** A table with one reference. IPSP_EINVAL, IPSP_ENOMEM. */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_table_new(struct ipsp_spd_db *db,
						 const struct ipsp_spd_list *list,
						 struct ipsp_spd_table **out);

/** The table that follows prev, which is not changed. IPSP_EINVAL, IPSP_ENOMEM. */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_table_edit(struct ipsp_spd_db *db,
						  const struct ipsp_spd_table *prev,
						  const struct ipsp_spd_edit *edit,
						  struct ipsp_spd_table **out);
void ipsp_spd_table_unref(struct ipsp_spd_db *db, struct ipsp_spd_table *table);

/** The list that packets of an interface and direction meet; NULL: none. */
const struct ipsp_spd_table *ipsp_spd_table_for(const struct ipsp_spd *spd, uint32_t ifindex,
						enum ipsp_dir dir);

/** Was it built from an equal list? */
bool ipsp_spd_table_is(const struct ipsp_spd_table *table, const struct ipsp_spd_list *list);

/* ---- items.c: the entries of a table in their order ---- */

/** Is it good: known action, valid program, predicate and selectors? */
bool ipsp_spd_entry_valid(const struct ipsp_spd_entry *e);

/** An item with one reference. NULL: no memory. */
struct ipsp_spd_item *ipsp_spd_item_new(struct ipsp_spd_db *db, const struct ipsp_spd_key *key,
					const struct ipsp_spd_entry *e, uint64_t order);

/** The same item in another place, with one reference. NULL: no memory. */
struct ipsp_spd_item *ipsp_spd_item_again(struct ipsp_spd_db *db, const struct ipsp_spd_item *from,
					  uint64_t order);

/** Does it do what the entry does? */
bool ipsp_spd_item_is(const struct ipsp_spd_item *item, const struct ipsp_spd_entry *e);

void ipsp_spd_item_unref(struct ipsp_spd_db *db, struct ipsp_spd_item *item);

/** Shares the blocks of another table. @return false: no memory */
bool ipsp_spd_items_share(const struct ipsp_platform *p, struct ipsp_spd_table *t,
			  const struct ipsp_spd_table *from);
void ipsp_spd_items_free(struct ipsp_spd_db *db, struct ipsp_spd_table *t);

/** The item at a position below n_rules. */
struct ipsp_spd_item *ipsp_spd_items_at(const struct ipsp_spd_table *t, uint32_t at);

/** Puts an item in at a position, with a reference of its own. @return false: no memory */
bool ipsp_spd_items_insert(struct ipsp_spd_db *db, struct ipsp_spd_table *t, uint32_t at,
			   struct ipsp_spd_item *item);

/** Takes out the one there. @return false: no memory */
bool ipsp_spd_items_remove(struct ipsp_spd_db *db, struct ipsp_spd_table *t, uint32_t at);

static inline const struct ipsp_spd_index *ipsp_spd_index_of(const struct ipsp_spd_table *table,
							      uint8_t family)
{
	return &table->family[family == 6];
}

/** A selector in comparable form. */
void ipsp_spd_box_set(struct ipsp_spd_box *box, const struct ipsp_selector *s, uint64_t order);

/** Is the box that selector, with that order? */
bool ipsp_spd_box_is(const struct ipsp_spd_box *box, const struct ipsp_selector *s,
		     uint64_t order);

/** An address as two words that compare as numbers. */
void ipsp_spd_words(const struct ipsp_addr *a, uint64_t out[2]);

static inline bool ipsp_spd_words_le(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] < b[0] || (a[0] == b[0] && a[1] <= b[1]);
}

/* The platform's memory, in arrays. */
static inline void *ipsp_alloc_array(const struct ipsp_platform *p, size_t n, size_t size)
{
	if (n == 0)
		n = 1;
	if (n > SIZE_MAX / size)
		return NULL;
	return p->alloc(p->ctx, n * size);
}

static inline void ipsp_free_array(const struct ipsp_platform *p, void *mem, size_t n, size_t size)
{
	p->free(p->ctx, mem, (n == 0 ? 1 : n) * size);
}

#endif
