/*
 * mibs/row_names.c - committed rows by their index, at the same cost however many there are.
 *
 * A tree of 100,000 rows is 17 steps deep, each of them a miss of the processor's cache. So tables
 * that have more than a few rows keep a hash table beside it. It grows while a transaction is
 * prepared, never in a commit, which must not fail.
 */
#include <string.h>

#include "mibs/store_int.h"

#define FEW 64		/* rows: the tree does as well */
#define PER_PLACE 2	/* names for each place, before there are more places */

static uint32_t hash_of(const struct mib_store *s, const uint32_t *index, size_t len)
{
	uint64_t h = s->name_seed ^ len;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ index[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return (uint32_t)(h >> 16);
}

static struct mib_row **place_of(const struct mib_shelf *shelf, uint32_t hash)
{
	return &shelf->names[hash & (shelf->n_names - 1)];
}

static void put(const struct mib_shelf *shelf, struct mib_row *r)
{
	struct mib_row **place = place_of(shelf, r->name_hash);

	r->same_place = *place;
	*place = r;
}

bool mib_shelf_reserve(struct mib_shelf *shelf, size_t n)
{
	const size_t need = shelf->n_rows + n;
	struct mib_row **names, *r;
	size_t places = FEW;

	if (need <= FEW || need <= PER_PLACE * shelf->n_names)
		return true;
	while (places < need)
		places *= 2;
	names = mib_alloc(places, sizeof(names[0]));
	if (names == NULL)
		return false;
	mib_free(shelf->names);
	shelf->names = names;
	shelf->n_names = places;
	RB_FOREACH(r, mib_row_tree, &shelf->rows) {
		r->name_hash = hash_of(shelf->store, r->index, r->index_len);
		put(shelf, r);
	}
	return true;
}

void mib_shelf_name_add(struct mib_shelf *shelf, struct mib_row *r)
{
	if (shelf->n_names == 0)
		return;
	r->name_hash = hash_of(shelf->store, r->index, r->index_len);
	put(shelf, r);
}

void mib_shelf_name_remove(struct mib_shelf *shelf, struct mib_row *r)
{
	struct mib_row **at;

	if (shelf->n_names == 0)
		return;
	at = place_of(shelf, r->name_hash);
	while (*at != r)
		at = &(*at)->same_place;
	*at = r->same_place;
}

struct mib_row *mib_shelf_find(const struct mib_shelf *shelf, const uint32_t *index, size_t len)
{
	struct mib_row *r;
	uint32_t hash;

	if (shelf->n_names == 0)
		return mib_rows_find(&shelf->rows, index, len);
	hash = hash_of(shelf->store, index, len);
	r = *place_of(shelf, hash);
	while (r != NULL && (r->name_hash != hash ||
			     mib_oid_cmp(r->index, r->index_len, index, len) != 0))
		r = r->same_place;
	return r;
}
