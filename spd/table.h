/*
 * spd/table.h - one ordered list made ready for lookup: private to spd/.
 *
 * Each selector is a box. A box is filed under a tuple: how many leading bits its source and its
 * destination intervals have in common, and whether it is for one protocol. Boxes of one tuple
 * with the same leading bits (and protocol) form a group, found by hash; inside a group they stand
 * in list order. So a packet meets at most one group a tuple.
 *
 *	tuples[], by first order       slots[hash(key)] -> groups[] -> boxes[first .. first + count)
 *
 * All arrays are fixed once built; only refs changes, on the control thread.
 */
#ifndef SPD_TABLE_H
#define SPD_TABLE_H

#include "ipsp/platform.h"
#include "ipsp/spd.h"

/** A selector in comparable form. IPv4 addresses are the highest 32 bits of the first word. */
struct ipsp_spd_box {
	uint64_t src_lo[2], src_hi[2], dst_lo[2], dst_hi[2];
	uint32_t sport_lo, sport_hi, dport_lo, dport_hi;
	uint32_t flow_lo, flow_hi;
	uint32_t order;		/* of its entry in the list */
	uint8_t proto_lo, proto_hi;
	uint8_t dscp_lo, dscp_hi;
	uint8_t family;
};

struct ipsp_spd_tuple {
	uint32_t min_order;
	uint8_t src_len, dst_len;	/* bits */
	bool one_proto;
};

struct ipsp_spd_group {
	uint64_t src[2], dst[2];	/* masked to the tuple's lengths */
	uint32_t first, count;		/* boxes */
	uint8_t tuple;
	uint8_t proto;			/* 0 unless the tuple is for one protocol */
};

/** One family's part of a table. */
struct ipsp_spd_index {
	uint32_t n_tuples;
	uint32_t min_one_proto;		/* lowest order in tuples for one protocol; or UINT32_MAX */
	uint32_t n_groups;
	uint32_t mask;			/* slots - 1 */
	struct ipsp_spd_tuple tuples[IPSP_SPD_TUPLES_MAX];
	struct ipsp_spd_group *groups;
	uint32_t *slots;		/* group + 1; 0: empty */
};

struct ipsp_spd_table {
	struct ipsp_spd_key key;
	uint32_t refs;
	uint32_t n_rules;
	uint32_t n_boxes;
	uint32_t n_steps;
	struct ipsp_spd_rule *rules;	/* in list order */
	struct ipsp_step *steps;	/* of all rules, one after the other */
	struct ipsp_spd_hits *end;	/* of packets that no rule matches */
	uint32_t *n_selectors;		/* of each rule */
	struct ipsp_spd_box *boxes;	/* by family, tuple, key, order */
	uint32_t *place;		/* where the list's n-th selector stands in boxes */
	uint64_t seed;			/* of the hash */
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

/** A table with one reference. IPSP_EINVAL, IPSP_ENOMEM. */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_table_new(struct ipsp_spd_db *db,
						 const struct ipsp_spd_list *list,
						 struct ipsp_spd_table **out);
void ipsp_spd_table_unref(struct ipsp_spd_db *db, struct ipsp_spd_table *table);

/** The list that packets of an interface and direction meet; NULL: none. */
const struct ipsp_spd_table *ipsp_spd_table_for(const struct ipsp_spd *spd, uint32_t ifindex,
						enum ipsp_dir dir);

/** Was it built from an equal list? */
bool ipsp_spd_table_is(const struct ipsp_spd_table *table, const struct ipsp_spd_list *list);

/** Files the table's boxes (which stand in list order). IPSP_ENOMEM. */
IPSP_MUST_CHECK enum ipsp_err ipsp_spd_index_build(const struct ipsp_platform *platform,
						   struct ipsp_spd_table *table);
void ipsp_spd_index_free(const struct ipsp_platform *platform, struct ipsp_spd_table *table);

/** The group a packet meets in a tuple, or NULL. src and dst need not be masked. */
const struct ipsp_spd_group *ipsp_spd_group_find(const struct ipsp_spd_table *table,
						 const struct ipsp_spd_index *index,
						 uint32_t tuple, const uint64_t src[2],
						 const uint64_t dst[2], uint8_t proto);

static inline const struct ipsp_spd_index *ipsp_spd_index_of(const struct ipsp_spd_table *table,
							      uint8_t family)
{
	return &table->family[family == 6];
}

/** A selector in comparable form. */
void ipsp_spd_box_set(struct ipsp_spd_box *box, const struct ipsp_selector *s, uint32_t order);

/** Is the box that selector, with that order? */
bool ipsp_spd_box_is(const struct ipsp_spd_box *box, const struct ipsp_selector *s,
		     uint32_t order);

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
