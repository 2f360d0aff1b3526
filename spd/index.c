/*
 * spd/index.c - files the boxes of a list under tuples and groups (tuple space search).
 *
 * How: choose the tuples of each family, coarser if there would be too many; sort the boxes by
 * (family, tuple, key, order); cut them into groups; hash the groups. See spd/table.h.
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

static uint64_t group_hash(uint64_t seed, uint32_t tuple, const uint64_t src[2],
			   const uint64_t dst[2], uint8_t proto)
{
	uint64_t h = mix(seed, (uint64_t)tuple << 8 | proto);

	h = mix(h, src[0]);
	h = mix(h, src[1]);
	h = mix(h, dst[0]);
	return mix(h, dst[1]);
}

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

static uint32_t tuple_find(const struct ipsp_spd_index *index, const struct ipsp_spd_tuple *t)
{
	uint32_t i = 0;

	while (i < index->n_tuples && (index->tuples[i].src_len != t->src_len ||
				       index->tuples[i].dst_len != t->dst_len ||
				       index->tuples[i].one_proto != t->one_proto))
		i++;
	return i;
}

/*
 * Boxes stand in list order still, so tuples are met, and kept, by their lowest order. False: more
 * than there is room for.
 */
static bool collect_tuples(const struct ipsp_spd_table *table, uint8_t family, unsigned quantum,
			   struct ipsp_spd_index *index)
{
	index->n_tuples = 0;
	index->min_one_proto = UINT32_MAX;
	for (uint32_t i = 0; i < table->n_boxes; i++) {
		const struct ipsp_spd_box *box = &table->boxes[i];

		if (box->family != family)
			continue;
		struct ipsp_spd_tuple t = tuple_of(box, quantum);
		uint32_t at = tuple_find(index, &t);

		if (at == IPSP_SPD_TUPLES_MAX)
			return false;
		if (at == index->n_tuples)
			index->tuples[index->n_tuples++] = t;
		if (t.one_proto && index->min_one_proto == UINT32_MAX)
			index->min_one_proto = box->order;
	}
	return true;
}

/* A box with what it is sorted by. */
struct filed {
	struct ipsp_spd_group key;	/* first: the box's number in the list */
	uint8_t family;
	uint32_t order;
};

static int filed_cmp(const struct filed *a, const struct filed *b)
{
	const uint64_t ka[] = { a->family, a->key.tuple, a->key.proto, a->key.src[0],
				a->key.src[1], a->key.dst[0], a->key.dst[1], a->order,
				a->key.first };
	const uint64_t kb[] = { b->family, b->key.tuple, b->key.proto, b->key.src[0],
				b->key.src[1], b->key.dst[0], b->key.dst[1], b->order,
				b->key.first };

	for (size_t i = 0; i < sizeof(ka) / sizeof(ka[0]); i++) {
		if (ka[i] != kb[i])
			return ka[i] < kb[i] ? -1 : 1;
	}
	return 0;
}

static void sift_down(struct filed *f, size_t root, size_t n)
{
	for (;;) {
		size_t child = 2 * root + 1;

		if (child >= n)
			return;
		if (child + 1 < n && filed_cmp(&f[child], &f[child + 1]) < 0)
			child++;
		if (filed_cmp(&f[root], &f[child]) >= 0)
			return;
		struct filed moved = f[root];

		f[root] = f[child];
		f[child] = moved;
		root = child;
	}
}

/* Heapsort: in place, no recursion, no bad case. */
static void filed_sort(struct filed *f, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(f, i, n);
	for (size_t end = n; end-- > 1;) {
		struct filed last = f[0];

		f[0] = f[end];
		f[end] = last;
		sift_down(f, 0, end);
	}
}

static bool same_group(const struct filed *a, const struct filed *b)
{
	return a->family == b->family && a->key.tuple == b->key.tuple &&
	       a->key.proto == b->key.proto &&
	       !memcmp(a->key.src, b->key.src, sizeof(a->key.src)) &&
	       !memcmp(a->key.dst, b->key.dst, sizeof(a->key.dst));
}

static void file_boxes(const struct ipsp_spd_table *table, const unsigned quanta[2],
		       struct filed *filed)
{
	for (uint32_t i = 0; i < table->n_boxes; i++) {
		const struct ipsp_spd_box *box = &table->boxes[i];
		const struct ipsp_spd_index *index = ipsp_spd_index_of(table, box->family);
		struct ipsp_spd_tuple t = tuple_of(box, quanta[box->family == 6]);
		struct filed *f = &filed[i];

		f->family = box->family;
		f->order = box->order;
		f->key.first = i;
		f->key.tuple = (uint8_t)tuple_find(index, &t);
		f->key.proto = t.one_proto ? box->proto_lo : 0;
		mask_words(box->src_lo, t.src_len, f->key.src);
		mask_words(box->dst_lo, t.dst_len, f->key.dst);
	}
	filed_sort(filed, table->n_boxes);
}

static void hash_group(const struct ipsp_spd_table *table, struct ipsp_spd_index *index,
		       uint32_t group)
{
	const struct ipsp_spd_group *g = &index->groups[group];
	uint64_t at = group_hash(table->seed, g->tuple, g->src, g->dst, g->proto);

	while (index->slots[at & index->mask])
		at++;
	index->slots[at & index->mask] = group + 1;
}

static enum ipsp_err alloc_groups(const struct ipsp_platform *p, struct ipsp_spd_index *index)
{
	uint32_t n_slots = 2;

	while (n_slots < 2 * index->n_groups)
		n_slots *= 2;
	index->groups = ipsp_alloc_array(p, index->n_groups, sizeof(*index->groups));
	index->slots = ipsp_alloc_array(p, n_slots, sizeof(*index->slots));
	index->mask = n_slots - 1;
	return index->groups && index->slots ? IPSP_OK : IPSP_ENOMEM;
}

static void fill_groups(struct ipsp_spd_table *table, const struct filed *filed)
{
	uint32_t filled[2] = { 0, 0 };

	for (uint32_t i = 0; i < table->n_boxes; i++) {
		unsigned which = filed[i].family == 6;
		struct ipsp_spd_index *index = &table->family[which];

		if (i == 0 || !same_group(&filed[i - 1], &filed[i])) {
			struct ipsp_spd_group *g = &index->groups[filled[which]++];

			*g = filed[i].key;
			g->first = i;
			g->count = 0;
			hash_group(table, index, filled[which] - 1);
		}
		index->groups[filled[which] - 1].count++;
	}
}

enum ipsp_err ipsp_spd_index_build(const struct ipsp_platform *platform,
				   struct ipsp_spd_table *table)
{
	struct ipsp_spd_box *sorted = ipsp_alloc_array(platform, table->n_boxes, sizeof(*sorted));
	struct filed *filed = ipsp_alloc_array(platform, table->n_boxes, sizeof(*filed));
	enum ipsp_err err = IPSP_ENOMEM;
	unsigned quanta[2] = { 1, 1 };

	if (!sorted || !filed)
		goto out;
	/* 32 always fits: at most 5 x 5 x 2 tuples. */
	for (unsigned f = 0; f < 2; f++) {
		while (!collect_tuples(table, f ? 6 : 4, quanta[f], &table->family[f]))
			quanta[f] *= 2;
	}
	file_boxes(table, quanta, filed);
	for (uint32_t i = 0; i < table->n_boxes; i++) {
		table->place[filed[i].key.first] = i;
		sorted[i] = table->boxes[filed[i].key.first];
		if (i == 0 || !same_group(&filed[i - 1], &filed[i]))
			table->family[filed[i].family == 6].n_groups++;
	}
	for (unsigned f = 0; f < 2; f++) {
		err = alloc_groups(platform, &table->family[f]);
		if (err != IPSP_OK)
			goto out;
	}
	fill_groups(table, filed);
	memcpy(table->boxes, sorted, table->n_boxes * sizeof(*sorted));
out:
	ipsp_free_array(platform, filed, table->n_boxes, sizeof(*filed));
	ipsp_free_array(platform, sorted, table->n_boxes, sizeof(*sorted));
	return err;
}

void ipsp_spd_index_free(const struct ipsp_platform *platform, struct ipsp_spd_table *table)
{
	for (unsigned f = 0; f < 2; f++) {
		struct ipsp_spd_index *index = &table->family[f];

		ipsp_free_array(platform, index->groups, index->n_groups, sizeof(*index->groups));
		ipsp_free_array(platform, index->slots, (size_t)index->mask + 1,
				sizeof(*index->slots));
	}
}

const struct ipsp_spd_group *ipsp_spd_group_find(const struct ipsp_spd_table *table,
						 const struct ipsp_spd_index *index,
						 uint32_t tuple, const uint64_t src[2],
						 const uint64_t dst[2], uint8_t proto)
{
	const struct ipsp_spd_tuple *t = &index->tuples[tuple];
	uint64_t s[2], d[2];

	if (!t->one_proto)
		proto = 0;
	mask_words(src, t->src_len, s);
	mask_words(dst, t->dst_len, d);
	for (uint64_t at = group_hash(table->seed, tuple, s, d, proto);; at++) {
		uint32_t slot = index->slots[at & index->mask];

		if (slot == 0)
			return NULL;
		const struct ipsp_spd_group *g = &index->groups[slot - 1];

		if (g->tuple == tuple && g->proto == proto && g->src[0] == s[0] &&
		    g->src[1] == s[1] && g->dst[0] == d[0] && g->dst[1] == d[1])
			return g;
	}
}
