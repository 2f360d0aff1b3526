/* policy/band.c - entries behind those of rows: see band.h. */
#include "policy/band.h"

#include <stdlib.h>
#include <string.h>

#include "policy/items.h"

#define OPEN_ID (UINT64_C(0x70666b66) << 32)	/* of no row, and of no key manager */

/* A list as it was given to the last generation. */
struct made {
	uint32_t ifindex;
	uint8_t dir;
	struct pol_map rows;	/* what rows gave, */
	struct pol_map whole;	/* and what became of it */
};

struct pol_band {
	struct pol_map entries[2];	/* by enum ipsp_dir - 1 */
	struct made *made;	/* ordered as lists are */
	size_t n_made;
	bool changed;		/* since those were made */
};

static struct pol_map *of_dir(struct pol_band *b, enum ipsp_dir dir)
{
	return &b->entries[dir - IPSP_INBOUND];
}

struct pol_band *pol_band_new(void)
{
	struct pol_band *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		b->entries[i] = pol_map_empty(&pol_entries_type);
	return b;
}

static void forget_made(struct made *made, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pol_map_fini(&made[i].rows);
		pol_map_fini(&made[i].whole);
	}
	free(made);
}

void pol_band_free(struct pol_band *b)
{
	if (!b)
		return;
	pol_band_clear(b);
	forget_made(b->made, b->n_made);
	free(b);
}

/* ---- the band itself ---- */

static void place_path(uint64_t place, uint16_t path[4])
{
	for (int i = 0; i < 4; i++)
		path[i] = (uint16_t)(place >> (48 - 16 * i));
}

static struct pol_entry *new_entry(const struct ipsp_spd_entry *spd, uint64_t place,
				   enum pol_band_kind kind)
{
	uint16_t path[4];

	place_path(place, path);
	struct pol_entry *e = pol_entry_new(spd, path, 4, 0);

	if (e)
		e->band = kind;
	return e;
}

bool pol_band_put(struct pol_band *b, enum ipsp_dir dir, uint64_t place,
		  const struct ipsp_spd_entry *spd)
{
	struct pol_entry *e = new_entry(spd, place, POL_BAND_KEY_MANAGER);
	const bool good = e && pol_map_put(of_dir(b, dir), e);

	pol_entry_unref(e);
	b->changed |= good;
	return good;
}

bool pol_band_remove(struct pol_band *b, enum ipsp_dir dir, uint64_t place)
{
	struct pol_entry key = { .band = POL_BAND_KEY_MANAGER, .depth = 4 };

	place_path(place, key.path);
	const bool good = pol_map_remove(of_dir(b, dir), &key);

	b->changed |= good;
	return good;
}

void pol_band_clear(struct pol_band *b)
{
	for (size_t i = 0; i < 2; i++)
		pol_map_fini(&b->entries[i]);
	b->changed = true;
}

/* ---- into a generation ---- */

static bool put_all(struct pol_map *to, const struct pol_map *from)
{
	struct pol_map_walk w;
	void *e;

	pol_map_walk_start(&w, from, 0);
	while ((e = pol_map_walk_next(&w))) {
		if (!pol_map_put(to, e))
			return false;
	}
	return true;
}

/* Everything else passes. */
static bool put_open_end(struct pol_map *to)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ipsp_selector any;
		const struct ipsp_spd_entry spd = { .id = OPEN_ID | (i + 1), .action = IPSP_BYPASS,
						    .n_selectors = 1, .selectors = &any };

		ipsp_selector_any(i == 0 ? 4 : 6, &any);
		struct pol_entry *e = new_entry(&spd, i, POL_BAND_OPEN);
		const bool good = e && pol_map_put(to, e);

		pol_entry_unref(e);
		if (!good)
			return false;
	}
	return true;
}

static bool is_before(const struct made *m, const struct pol_list *l)
{
	return m->ifindex != l->ifindex ? m->ifindex < l->ifindex : m->dir < l->dir;
}

/* NULL: it was not there, or was made of other entries. */
static const struct made *made_before(const struct pol_band *b, const struct pol_list *l)
{
	size_t lo = 0, hi = b->n_made;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (is_before(&b->made[mid], l))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (b->changed || lo == b->n_made || b->made[lo].ifindex != l->ifindex ||
	    b->made[lo].dir != l->dir || !pol_map_same(&b->made[lo].rows, &l->entries))
		return NULL;
	return &b->made[lo];
}

static bool is_wanted(struct pol_band *b, uint8_t dir)
{
	return pol_map_count(of_dir(b, (enum ipsp_dir)dir)) > 0;
}

/* @param open  no row made it */
static bool complete(struct pol_band *b, struct pol_list *l, bool open, struct made *out)
{
	const struct made *before = made_before(b, l);

	*out = (struct made){ .ifindex = l->ifindex, .dir = l->dir,
			      .rows = pol_map_share(&l->entries) };
	if (before) {
		pol_map_fini(&l->entries);
		l->entries = pol_map_share(&before->whole);
	} else if (!put_all(&l->entries, of_dir(b, (enum ipsp_dir)l->dir)) ||
		   (open && !put_open_end(&l->entries))) {
		return false;
	}
	out->whole = pol_map_share(&l->entries);
	return true;
}

/* The lists for interfaces that no row is about, where the band has something for them. */
static bool add_open_lists(struct pol_band *b, struct pol_generation *g, bool opened[2])
{
	for (unsigned dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		size_t at = 0;

		opened[dir - 1] = is_wanted(b, (uint8_t)dir) &&
				  !pol_generation_list(g, 0, (enum ipsp_dir)dir);
		if (!opened[dir - 1])
			continue;
		struct pol_list *lists = realloc(g->lists, (g->n_lists + 1) * sizeof(*lists));

		if (!lists)
			return false;
		g->lists = lists;
		while (at < g->n_lists && lists[at].ifindex == 0 && lists[at].dir < dir)
			at++;
		memmove(&lists[at + 1], &lists[at], (g->n_lists - at) * sizeof(*lists));
		lists[at] = (struct pol_list){ .dir = (uint8_t)dir,
					       .entries = pol_map_empty(&pol_entries_type) };
		g->n_lists++;
	}
	return true;
}

bool pol_band_apply(struct pol_band *b, struct pol_generation *g)
{
	bool opened[2], good = add_open_lists(b, g, opened);
	struct made *made = calloc(g->n_lists + 1, sizeof(*made));
	size_t n = 0;

	good = good && made;
	for (size_t i = 0; good && i < g->n_lists; i++) {
		struct pol_list *l = &g->lists[i];

		if (is_wanted(b, l->dir))
			good = complete(b, l, l->ifindex == 0 && opened[l->dir - 1], &made[n++]);
	}
	if (!good) {
		if (made)
			forget_made(made, n);
		return false;
	}
	forget_made(b->made, b->n_made);
	b->made = made;
	b->n_made = n;
	b->changed = false;
	return true;
}
