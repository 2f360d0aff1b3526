/*
 * mibs/edges.c - the edges between rows, in trees by what they aim at. See edges.h.
 */
#include "mibs/edges.h"

#include <assert.h>
#include <string.h>

#include "mibs/store_int.h"

/* No row has more: what it refers to, twice where a name may stand in two tables, lists, nesting,
 * numbers it is found by. */
#define EDGES_MAX 24

uint16_t mib_edge_kind_ref(const struct mib_ref *ref)
{
	return (uint16_t)(ref - mib_refs);
}

uint16_t mib_edge_kind_list(const struct mib_list *list)
{
	return (uint16_t)(mib_n_refs + (size_t)(list - mib_lists));
}

uint16_t mib_edge_kind_nest(const struct mib_ref *ref)
{
	return (uint16_t)(mib_n_refs + mib_n_lists + (size_t)(ref - mib_refs));
}

uint16_t mib_edge_kind_found_by(const struct mib_at *at)
{
	return (uint16_t)(2 * mib_n_refs + mib_n_lists + (size_t)(at - mib_found_by));
}

static int place_cmp(const struct mib_edge *a, uint16_t kind, uint16_t target, const uint32_t *key,
		     size_t key_len)
{
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	if (a->target != target)
		return a->target < target ? -1 : 1;
	return mib_oid_cmp(a->key, a->key_len, key, key_len);
}

int mib_edge_cmp(const struct mib_edge *a, const struct mib_edge *b)
{
	const int place = place_cmp(a, b->kind, b->target, b->key, b->key_len);

	if (place != 0)
		return place;
	if (a->source->active != b->source->active)
		return a->source->active ? -1 : 1;
	if (a->source->shelf != b->source->shelf)
		return a->source->shelf < b->source->shelf ? -1 : 1;
	return mib_row_cmp(a->source, b->source);
}

RB_GENERATE(mib_edge_tree, mib_edge, link, mib_edge_cmp)

/* What a row's edges are to be, before there is memory for them. */
struct plan {
	struct {
		uint16_t kind, target;
		size_t at, len;		/* key in ids */
	} edges[EDGES_MAX];
	size_t n;
	uint32_t ids[EDGES_MAX * MIB_OID_MAX];
	size_t n_ids;
};

static void plan_edge(struct plan *p, uint16_t kind, const struct mib_table *target,
		      const uint32_t *key, size_t len)
{
	assert(p->n < EDGES_MAX);
	p->edges[p->n].kind = kind;
	p->edges[p->n].target = (uint16_t)target->number;
	p->edges[p->n].at = p->n_ids;
	p->edges[p->n].len = len;
	p->n++;
	if (len > 0)
		memcpy(&p->ids[p->n_ids], key, len * sizeof(key[0]));
	p->n_ids += len;
}

static void plan_ref(struct plan *p, const struct mib_ref *ref, const struct mib_row *r)
{
	struct mib_ref_target to;

	if (mib_ref_resolve(ref, r, &to) != MIB_REF_AIMS)
		return;
	for (size_t i = 0; i < to.n_tables; i++)
		plan_edge(p, mib_edge_kind_ref(ref), to.table[i], to.key.ids, to.key.len);
	if (ref->nests == NULL || to.table[0] != ref->nests)
		return;

	const uint32_t *container;
	size_t len;

	mib_list_key(ref->members, r, &container, &len);
	plan_edge(p, mib_edge_kind_nest(ref), ref->nests, container, len);
}

static void plan_number(struct plan *p, const struct mib_at *at, const struct mib_row *r)
{
	const struct mib_column *col = mib_at(at);

	if (at->table != r->shelf->table || !mib_row_is_set(r, col))
		return;

	const uint32_t number = (uint32_t)mib_row_number(r, col, 0);

	plan_edge(p, mib_edge_kind_found_by(at), at->table, &number, 1);
}

bool mib_edges_make(struct mib_row *r)
{
	const struct mib_shelf *shelf = r->shelf;
	struct plan p;

	p.n = 0;
	p.n_ids = 0;
	for (size_t i = 0; i < shelf->n_refs_out; i++)
		plan_ref(&p, shelf->refs_out[i], r);
	for (size_t i = 0; i < shelf->n_lists; i++) {
		const uint32_t *key;
		size_t len;

		mib_list_key(shelf->lists[i], r, &key, &len);
		plan_edge(&p, mib_edge_kind_list(shelf->lists[i]), shelf->table, key, len);
	}
	for (size_t i = 0; i < mib_n_found_by; i++)
		plan_number(&p, &mib_found_by[i], r);
	mib_free(r->edges);
	r->edges = NULL;
	r->n_edges = 0;
	if (p.n == 0)
		return true;

	/* The keys stand behind the edges, in the same piece. */
	r->edges = mib_alloc(1, p.n * sizeof(r->edges[0]) + p.n_ids * sizeof(uint32_t));
	if (r->edges == NULL)
		return false;

	uint32_t *ids = (uint32_t *)(void *)&r->edges[p.n];

	memcpy(ids, p.ids, p.n_ids * sizeof(ids[0]));
	for (size_t i = 0; i < p.n; i++) {
		r->edges[i].kind = p.edges[i].kind;
		r->edges[i].target = p.edges[i].target;
		r->edges[i].key = &ids[p.edges[i].at];
		r->edges[i].key_len = (uint8_t)p.edges[i].len;
		r->edges[i].source = r;
	}
	r->n_edges = (uint16_t)p.n;
	return true;
}

void mib_edges_insert(struct mib_edge_tree *tree, struct mib_row *r)
{
	for (size_t i = 0; i < r->n_edges; i++)
		RB_INSERT(mib_edge_tree, tree, &r->edges[i]);
}

void mib_edges_remove(struct mib_edge_tree *tree, struct mib_row *r)
{
	for (size_t i = 0; i < r->n_edges; i++)
		RB_REMOVE(mib_edge_tree, tree, &r->edges[i]);
}

/* The first edge of that kind and key; those of active rows stand first. */
static const struct mib_edge *first_in(const struct mib_edge_tree *tree,
				       const struct mib_edge_walk *w)
{
	const struct mib_edge *found = NULL;
	const struct mib_edge *at = RB_ROOT(tree);

	while (at != NULL) {
		const int c = place_cmp(at, w->kind, w->target, w->key, w->key_len);

		if (c == 0)
			found = at;
		at = c < 0 ? RB_RIGHT(at, link) : RB_LEFT(at, link);
	}
	return found;
}

static const struct mib_edge *next_in(const struct mib_edge *e, const struct mib_edge_walk *w)
{
	const struct mib_edge *next = RB_NEXT(mib_edge_tree, NULL, (struct mib_edge *)(uintptr_t)e);

	if (next == NULL || place_cmp(next, w->kind, w->target, w->key, w->key_len) != 0)
		return NULL;
	return next;
}

/* Whose rows have edges of that kind. */
static const struct mib_table *source_of(uint16_t kind)
{
	if (kind < mib_n_refs)
		return mib_refs[kind].at.table;
	if (kind < mib_n_refs + mib_n_lists)
		return mib_lists[kind - mib_n_refs].table;
	if (kind < 2 * mib_n_refs + mib_n_lists)
		return mib_refs[kind - mib_n_refs - mib_n_lists].at.table;
	return mib_found_by[kind - 2 * mib_n_refs - mib_n_lists].table;
}

void mib_edge_walk_start(struct mib_edge_walk *w, const struct mib_view *v, uint16_t kind,
			 const struct mib_table *target, const uint32_t *key, size_t key_len,
			 bool active_only)
{
	const struct mib_txn *staged = v->store->txn;

	if (v->reader != NULL)
		v->reader->read(v->reader->arg,
				mib_store_shelf(v->store, source_of(kind))->table, NULL, 0);
	*w = (struct mib_edge_walk){
		.kind = kind, .target = (uint16_t)target->number, .key = key, .key_len = key_len,
		.active_only = active_only,
	};
	if (v->txn != NULL)
		w->at[0] = first_in(&v->txn->edges, w);
	else if (staged != NULL)
		w->at[0] = first_in(&staged->parked, w);
	w->at[1] = first_in(&v->store->edges, w);
}

const struct mib_edge *mib_edge_walk_next(struct mib_edge_walk *w)
{
	for (size_t i = 0; i < 2; i++) {
		const struct mib_edge *e = w->at[i];

		if (e == NULL || (w->active_only && !e->source->active))
			continue;
		w->at[i] = next_in(e, w);
		return e;
	}
	return NULL;
}

const struct mib_row *mib_view_find_number(const struct mib_view *v, const struct mib_column *col,
					   uint32_t number,
					   bool (*fits)(void *arg, const struct mib_row *r),
					   void *arg)
{
	const struct mib_edge *e;
	struct mib_edge_walk w;
	size_t i = 0;

	while (i < mib_n_found_by && mib_at(&mib_found_by[i]) != col)
		i++;
	assert(i < mib_n_found_by);
	mib_edge_walk_start(&w, v, mib_edge_kind_found_by(&mib_found_by[i]), mib_found_by[i].table,
			    &number, 1, true);
	while ((e = mib_edge_walk_next(&w)) != NULL) {
		if (fits(arg, e->source))
			return e->source;
	}
	return NULL;
}

const struct mib_row *mib_edges_first(const struct mib_view *v, uint16_t kind,
				      const struct mib_table *target, const uint32_t *key,
				      size_t key_len, bool active_only)
{
	struct mib_edge_walk w;

	mib_edge_walk_start(&w, v, kind, target, key, key_len, active_only);

	const struct mib_edge *e = mib_edge_walk_next(&w);

	return e != NULL ? e->source : NULL;
}
