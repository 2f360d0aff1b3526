/*
 * spd/index.c - files the boxes of a list under tuples and groups (tuple space search).
 *
 * Groups are found by a directory of pages. A page or group that another table has too is copied
 * before it is changed. See spd/table.h.
 */
#include <string.h>

#include "spd/octets.h"
#include "spd/table.h"

void ipsp_spd_words(const struct ipsp_addr *a, uint64_t out[2])
{
	if (a->family == 4) {
		out[0] = (uint64_t)get_be32(a->octets) << 32;
		out[1] = 0;
		return;
	}
	out[0] = get_be64(a->octets);
	out[1] = get_be64(a->octets + 8);
}

static unsigned leading_zeros(uint64_t v)
{
	return v == 0 ? 64 : (unsigned)__builtin_clzll(v);
}

/* Leading bits that both ends of an interval share: the prefix that encloses it. */
static unsigned common_bits(const uint64_t lo[2], const uint64_t hi[2], unsigned bits)
{
	unsigned n = leading_zeros(lo[0] ^ hi[0]);

	if (n == 64)
		n += leading_zeros(lo[1] ^ hi[1]);
	return n < bits ? n : bits;
}

static uint64_t mask_word(unsigned bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

static void mask_words(const uint64_t in[2], unsigned bits, uint64_t out[2])
{
	out[0] = in[0] & mask_word(bits);
	out[1] = in[1] & mask_word(bits > 64 ? bits - 64 : 0);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9fb21c651e98df25ull;
	return h ^ h >> 32;
}

static uint64_t hash_of(uint64_t seed, const struct ipsp_spd_group_key *key)
{
	uint64_t h = mix(seed, (uint64_t)key->tuple << 8 | key->proto);

	h = mix(h, key->src[0]);
	h = mix(h, key->src[1]);
	h = mix(h, key->dst[0]);
	return mix(h, key->dst[1]);
}

static bool key_is(const struct ipsp_spd_group_key *a, const struct ipsp_spd_group_key *b)
{
	return a->tuple == b->tuple && a->proto == b->proto && a->src[0] == b->src[0] &&
	       a->src[1] == b->src[1] && a->dst[0] == b->dst[0] && a->dst[1] == b->dst[1];
}

/* Which page, which slot to begin with, and what stands for the hash there: never 0. */
static uint32_t page_at(const struct ipsp_spd_index *index, uint64_t hash)
{
	return (uint32_t)(hash >> 6) & (index->n_pages - 1);
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

/* ---- tuples ---- */

static struct ipsp_spd_tuple tuple_of(const struct ipsp_spd_box *box, unsigned quantum)
{
	unsigned bits = box->family == 4 ? 32 : 128;
	unsigned src_len = common_bits(box->src_lo, box->src_hi, bits);
	unsigned dst_len = common_bits(box->dst_lo, box->dst_hi, bits);

	return (struct ipsp_spd_tuple){
		.min_order = box->order,
		.src_len = (uint8_t)(src_len - src_len % quantum),
		.dst_len = (uint8_t)(dst_len - dst_len % quantum),
		.one_proto = box->proto_lo == box->proto_hi,
	};
}

/* Where such a tuple stands; n_tuples: nowhere. */
static uint32_t tuple_find(const struct ipsp_spd_index *index, const struct ipsp_spd_tuple *t)
{
	uint32_t i = 0;

	while (i < index->n_tuples && (index->tuples[i].src_len != t->src_len ||
				       index->tuples[i].dst_len != t->dst_len ||
				       index->tuples[i].one_proto != t->one_proto))
		i++;
	return i;
}

static uint8_t free_id(const struct ipsp_spd_index *index)
{
	uint64_t used = 0;
	uint8_t id = 0;

	for (uint32_t i = 0; i < index->n_tuples; i++)
		used |= UINT64_C(1) << index->tuples[i].id;
	while (used >> id & 1)
		id++;
	return id;
}

/* Tuples stand by the lowest order they may have: the one at `at` may have moved forward. */
static uint32_t tuple_move(struct ipsp_spd_index *index, uint32_t at)
{
	const struct ipsp_spd_tuple t = index->tuples[at];

	for (; at > 0 && index->tuples[at - 1].min_order > t.min_order; at--)
		index->tuples[at] = index->tuples[at - 1];
	index->tuples[at] = t;
	return at;
}

/* The tuple of one more box. NULL: there is no room for it. */
static const struct ipsp_spd_tuple *tuple_take(struct ipsp_spd_index *index,
					       const struct ipsp_spd_box *box)
{
	struct ipsp_spd_tuple t = tuple_of(box, index->quantum);
	uint32_t at = tuple_find(index, &t);

	if (at == index->n_tuples) {
		if (at == IPSP_SPD_TUPLES_MAX)
			return NULL;
		t.id = free_id(index);
		index->tuples[index->n_tuples++] = t;
	}
	index->tuples[at].n_boxes++;
	if (box->order < index->tuples[at].min_order)
		index->tuples[at].min_order = box->order;
	return &index->tuples[tuple_move(index, at)];
}

/* One box less. What is left may all stand further back; being early costs a look, no more. */
static void tuple_give_back(struct ipsp_spd_index *index, uint32_t at)
{
	if (--index->tuples[at].n_boxes > 0)
		return;
	memmove(&index->tuples[at], &index->tuples[at + 1],
		(--index->n_tuples - at) * sizeof(index->tuples[0]));
}

static struct ipsp_spd_group_key key_of(const struct ipsp_spd_tuple *t,
					const struct ipsp_spd_box *box)
{
	struct ipsp_spd_group_key key = { .tuple = t->id,
					  .proto = t->one_proto ? box->proto_lo : 0 };

	mask_words(box->src_lo, t->src_len, key.src);
	mask_words(box->dst_lo, t->dst_len, key.dst);
	return key;
}

/* ---- groups ---- */

static size_t group_size(uint32_t room)
{
	return sizeof(struct ipsp_spd_group) + room * sizeof(const struct ipsp_spd_box *);
}

static void group_unref(const struct ipsp_platform *p, struct ipsp_spd_group *g)
{
	if (--g->refs == 0)
		ipsp_free_array(p, g, 1, group_size(g->room));
}

/* The group in a slot as this table's alone, with room for one more. NULL: no memory. */
static struct ipsp_spd_group *own_group(const struct ipsp_platform *p,
					struct ipsp_spd_group **slot)
{
	struct ipsp_spd_group *g = *slot, *copy;
	uint32_t room = g->n + g->n / 4 + 1;

	if (g->refs == 1 && g->n < g->room)
		return g;
	copy = ipsp_alloc_array(p, 1, group_size(room));
	if (!copy)
		return NULL;
	copy->key = g->key;
	copy->refs = 1;
	copy->n = g->n;
	copy->room = room;
	memcpy(copy->boxes, g->boxes, g->n * sizeof(g->boxes[0]));
	group_unref(p, g);
	*slot = copy;
	return copy;
}

static struct ipsp_spd_group *group_new(const struct ipsp_platform *p,
					const struct ipsp_spd_group_key *key)
{
	struct ipsp_spd_group *g = ipsp_alloc_array(p, 1, group_size(1));

	if (!g)
		return NULL;
	g->key = *key;
	g->refs = 1;
	g->room = 1;
	return g;
}

/* Behind those of the same order: an entry's boxes stand as they do in the entry. */
static void group_add(struct ipsp_spd_group *g, const struct ipsp_spd_box *box)
{
	uint32_t lo = 0, hi = g->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (g->boxes[mid]->order <= box->order)
			lo = mid + 1;
		else
			hi = mid;
	}
	memmove(&g->boxes[lo + 1], &g->boxes[lo], (g->n - lo) * sizeof(g->boxes[0]));
	g->boxes[lo] = box;
	g->n++;
}

static void group_remove(struct ipsp_spd_group *g, const struct ipsp_spd_box *box)
{
	uint32_t lo = 0, hi = g->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (g->boxes[mid]->order < box->order)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (g->boxes[lo] != box)
		lo++;
	g->n--;
	memmove(&g->boxes[lo], &g->boxes[lo + 1], (g->n - lo) * sizeof(g->boxes[0]));
}

/* ---- pages ---- */

static void page_unref(const struct ipsp_platform *p, struct ipsp_spd_page *page)
{
	if (--page->refs > 0)
		return;
	for (uint32_t i = 0; i < IPSP_SPD_PAGE_SLOTS; i++) {
		if (page->tags[i])
			group_unref(p, page->groups[i]);
	}
	ipsp_free_array(p, page, 1, sizeof(*page));
}

static struct ipsp_spd_page *own_page(const struct ipsp_platform *p, struct ipsp_spd_page **slot)
{
	struct ipsp_spd_page *page = *slot, *copy;

	if (page->refs == 1)
		return page;
	copy = ipsp_alloc_array(p, 1, sizeof(*copy));
	if (!copy)
		return NULL;
	memcpy(copy, page, sizeof(*copy));
	copy->refs = 1;
	for (uint32_t i = 0; i < IPSP_SPD_PAGE_SLOTS; i++) {
		if (copy->tags[i])
			copy->groups[i]->refs++;
	}
	page->refs--;
	*slot = copy;
	return copy;
}

/* The slot of a group, or the empty one where it would stand. A page is never full. */
static uint32_t slot_of(const struct ipsp_spd_page *page, uint64_t hash,
			const struct ipsp_spd_group_key *key)
{
	const uint32_t tag = tag_of(hash);
	uint32_t at = hash & (IPSP_SPD_PAGE_SLOTS - 1);

	while (page->tags[at] &&
	       (page->tags[at] != tag || !key_is(&page->groups[at]->key, key)))
		at = (at + 1) & (IPSP_SPD_PAGE_SLOTS - 1);
	return at;
}

static void page_put(struct ipsp_spd_page *page, uint64_t hash, struct ipsp_spd_group *g)
{
	uint32_t at = slot_of(page, hash, &g->key);

	page->tags[at] = tag_of(hash);
	page->groups[at] = g;
	page->n++;
}

/* Takes a group out of an own page; those behind it close up. */
static void page_take(uint64_t seed, struct ipsp_spd_page *page, uint32_t at)
{
	uint32_t hole = at;

	page->n--;
	for (;;) {
		uint32_t home;

		at = (at + 1) & (IPSP_SPD_PAGE_SLOTS - 1);
		if (!page->tags[at])
			break;
		home = hash_of(seed, &page->groups[at]->key) & (IPSP_SPD_PAGE_SLOTS - 1);
		/* It may go into the hole unless its own place is behind that. */
		if (((at - home) & (IPSP_SPD_PAGE_SLOTS - 1)) <
		    ((at - hole) & (IPSP_SPD_PAGE_SLOTS - 1)))
			continue;
		page->tags[hole] = page->tags[at];
		page->groups[hole] = page->groups[at];
		hole = at;
	}
	page->tags[hole] = 0;
	page->groups[hole] = NULL;
}

static void pages_free(const struct ipsp_platform *p, struct ipsp_spd_page **pages, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (pages[i])
			page_unref(p, pages[i]);
	}
	if (pages)
		ipsp_free_array(p, pages, n, sizeof(struct ipsp_spd_page *));
}

/* Puts all groups of a page into pages of their own. @return false: one of them is full */
static bool spread(uint64_t seed, const struct ipsp_spd_page *from, struct ipsp_spd_index *to)
{
	for (uint32_t i = 0; i < IPSP_SPD_PAGE_SLOTS; i++) {
		struct ipsp_spd_group *g = from->groups[i];
		uint64_t hash;

		if (!from->tags[i])
			continue;
		hash = hash_of(seed, &g->key);
		if (to->pages[page_at(to, hash)]->n == IPSP_SPD_PAGE_SLOTS - 1)
			return false;
		page_put(to->pages[page_at(to, hash)], hash, g);
		g->refs++;
	}
	return true;
}

/* Twice as many pages, or more, until none is full. @return false: no memory */
static bool grow(const struct ipsp_platform *p, uint64_t seed, struct ipsp_spd_index *index)
{
	struct ipsp_spd_index to = *index;
	bool good = false;

	to.n_pages = index->n_pages > 0 ? index->n_pages : 1;
	do {
		if (index->n_pages > 0)
			to.n_pages *= 2;
		to.pages = ipsp_alloc_array(p, to.n_pages, sizeof(struct ipsp_spd_page *));
		if (!to.pages)
			return false;
		good = true;
		for (uint32_t i = 0; i < to.n_pages; i++) {
			to.pages[i] = ipsp_alloc_array(p, 1, sizeof(*to.pages[i]));
			if (!to.pages[i]) {
				pages_free(p, to.pages, to.n_pages);
				return false;
			}
			to.pages[i]->refs = 1;
		}
		for (uint32_t i = 0; good && i < index->n_pages; i++)
			good = spread(seed, index->pages[i], &to);
		if (!good)
			pages_free(p, to.pages, to.n_pages);
	} while (!good);
	pages_free(p, index->pages, index->n_pages);
	index->pages = to.pages;
	index->n_pages = to.n_pages;
	return true;
}

/* An own page with room for the group of that hash. NULL: no memory. */
static struct ipsp_spd_page *page_for(const struct ipsp_platform *p, uint64_t seed,
				      struct ipsp_spd_index *index, uint64_t hash)
{
	while (index->n_pages == 0 || index->n_groups >= index->n_pages * IPSP_SPD_PAGE_SLOTS / 2 ||
	       index->pages[page_at(index, hash)]->n == IPSP_SPD_PAGE_SLOTS - 1) {
		if (!grow(p, seed, index))
			return NULL;
	}
	return own_page(p, &index->pages[page_at(index, hash)]);
}

/* ---- the whole ---- */

void ipsp_spd_index_init(struct ipsp_spd_index *index, unsigned quantum)
{
	memset(index, 0, sizeof(*index));
	index->quantum = quantum;
}

bool ipsp_spd_index_share(const struct ipsp_platform *p, struct ipsp_spd_index *index,
			  const struct ipsp_spd_index *from)
{
	*index = *from;
	index->pages = NULL;
	if (from->n_pages == 0)
		return true;
	index->pages = ipsp_alloc_array(p, from->n_pages, sizeof(struct ipsp_spd_page *));
	if (!index->pages) {
		index->n_pages = 0;
		return false;
	}
	for (uint32_t i = 0; i < from->n_pages; i++) {
		index->pages[i] = from->pages[i];
		index->pages[i]->refs++;
	}
	return true;
}

void ipsp_spd_index_free(const struct ipsp_platform *p, struct ipsp_spd_index *index)
{
	pages_free(p, index->pages, index->n_pages);
	index->pages = NULL;
	index->n_pages = 0;
}

enum ipsp_spd_filed ipsp_spd_index_add(const struct ipsp_platform *p, uint64_t seed,
				       struct ipsp_spd_index *index,
				       const struct ipsp_spd_box *box)
{
	const struct ipsp_spd_tuple *t = tuple_take(index, box);
	struct ipsp_spd_group_key key;
	struct ipsp_spd_page *page;
	struct ipsp_spd_group *g;
	uint64_t hash;
	uint32_t at;

	if (!t)
		return IPSP_SPD_CROWDED;
	key = key_of(t, box);
	hash = hash_of(seed, &key);
	page = page_for(p, seed, index, hash);
	if (!page)
		return IPSP_SPD_NO_MEMORY;
	at = slot_of(page, hash, &key);
	if (page->tags[at]) {
		g = own_group(p, &page->groups[at]);
	} else {
		g = group_new(p, &key);
		if (g) {
			page_put(page, hash, g);
			index->n_groups++;
		}
	}
	if (!g)
		return IPSP_SPD_NO_MEMORY;
	group_add(g, box);
	if (t->one_proto && (!index->one_proto || box->order < index->one_proto->order))
		index->one_proto = box->item;
	return IPSP_SPD_FILED;
}

bool ipsp_spd_index_remove(const struct ipsp_platform *p, uint64_t seed,
			   struct ipsp_spd_index *index, const struct ipsp_spd_box *box)
{
	struct ipsp_spd_tuple t = tuple_of(box, index->quantum);
	uint32_t tuple = tuple_find(index, &t), at;
	const struct ipsp_spd_group_key key = key_of(&index->tuples[tuple], box);
	uint64_t hash = hash_of(seed, &key);
	struct ipsp_spd_page *page = own_page(p, &index->pages[page_at(index, hash)]);
	struct ipsp_spd_group *g;

	if (!page)
		return false;
	at = slot_of(page, hash, &key);
	if (page->groups[at]->n == 1) {
		group_unref(p, page->groups[at]);
		page_take(seed, page, at);
		index->n_groups--;
	} else {
		g = own_group(p, &page->groups[at]);
		if (!g)
			return false;
		group_remove(g, box);
	}
	if (index->one_proto == box->item && t.one_proto) {
		index->one_proto = NULL;
		index->look_again = true;
	}
	tuple_give_back(index, tuple);
	return true;
}

const struct ipsp_spd_group *ipsp_spd_group_find(const struct ipsp_spd_table *table,
						 const struct ipsp_spd_index *index,
						 const struct ipsp_spd_tuple *tuple,
						 const uint64_t src[2], const uint64_t dst[2],
						 uint8_t proto)
{
	struct ipsp_spd_group_key key = { .tuple = tuple->id,
					  .proto = tuple->one_proto ? proto : 0 };
	const struct ipsp_spd_page *page;
	uint64_t hash;
	uint32_t at;

	mask_words(src, tuple->src_len, key.src);
	mask_words(dst, tuple->dst_len, key.dst);
	hash = hash_of(table->seed, &key);
	page = index->pages[page_at(index, hash)];
	at = slot_of(page, hash, &key);
	return page->tags[at] ? page->groups[at] : NULL;
}
