/*
 * mibs/store.c - a store: its shelves, who listens, who waits. See store.h.
 */
#include "mibs/store.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "mibs/meaning.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

/* The table whose rows a table's columns stand in. */
static const struct mib_table *base_of(const struct mib_table *t)
{
	while (t->augments != NULL)
		t = t->augments;
	return t;
}

static const struct mib_column *part_column(const struct mib_shelf *shelf, enum mib_tc tc)
{
	for (size_t i = 0; i < shelf->n_parts; i++) {
		const struct mib_column *col = mib_table_column_tc(shelf->parts[i].table, tc);

		if (col != NULL)
			return col;
	}
	return NULL;
}

static bool shelf_add_parts(struct mib_shelf *shelf)
{
	shelf->parts = mib_alloc(mib_n_tables, sizeof(shelf->parts[0]));
	if (shelf->parts == NULL)
		return false;
	shelf->parts[shelf->n_parts++] = (struct mib_shelf_part){ shelf->table, 0 };
	shelf->n_slots = shelf->table->n_columns;
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		if (t == shelf->table || base_of(t) != shelf->table)
			continue;
		shelf->parts[shelf->n_parts++] = (struct mib_shelf_part){ t, shelf->n_slots };
		shelf->n_slots += t->n_columns;
	}
	return true;
}

static bool shelf_add_columns(struct mib_shelf *shelf)
{
	shelf->cols = mib_alloc(shelf->n_slots, sizeof(shelf->cols[0]));
	shelf->meanings = mib_alloc(shelf->n_slots, sizeof(shelf->meanings[0]));
	shelf->n_set = mib_alloc(shelf->n_slots, sizeof(shelf->n_set[0]));
	if (shelf->cols == NULL || shelf->meanings == NULL || shelf->n_set == NULL)
		return false;
	for (size_t i = 0; i < shelf->n_parts; i++) {
		for (size_t k = 0; k < shelf->parts[i].table->n_columns; k++)
			shelf->cols[shelf->parts[i].offset + k] = &shelf->parts[i].table->columns[k];
	}
	for (size_t i = 0; i < mib_n_meanings; i++) {
		const size_t slot = mib_shelf_slot(shelf, mib_at(&mib_meanings[i].at));

		if (slot != SIZE_MAX)
			shelf->meanings[slot] = &mib_meanings[i];
	}
	shelf->status = part_column(shelf, MIB_TC_ROW_STATUS);
	shelf->storage = part_column(shelf, MIB_TC_STORAGE_TYPE);
	shelf->stamp = part_column(shelf, MIB_TC_TIME_STAMP);
	shelf->special = mib_special_of(shelf->table);
	return true;
}

static bool ref_aims_at(const struct mib_ref *ref, const struct mib_table *t)
{
	if (ref->target == t || ref->other == t)
		return true;
	for (size_t i = 0; i < ref->n_aims; i++) {
		if (ref->aims[i].table == t && !t->is_scalars)
			return true;
	}
	return false;
}

static bool shelf_add_refs(struct mib_shelf *shelf)
{
	shelf->refs_out = mib_alloc(mib_n_refs, sizeof(shelf->refs_out[0]));
	shelf->refs_in = mib_alloc(mib_n_refs, sizeof(shelf->refs_in[0]));
	shelf->lists = mib_alloc(mib_n_lists, sizeof(shelf->lists[0]));
	if (shelf->refs_out == NULL || shelf->refs_in == NULL || shelf->lists == NULL)
		return false;
	for (size_t i = 0; i < mib_n_refs; i++) {
		if (base_of(mib_refs[i].at.table) == shelf->table)
			shelf->refs_out[shelf->n_refs_out++] = &mib_refs[i];
		if (ref_aims_at(&mib_refs[i], shelf->table))
			shelf->refs_in[shelf->n_refs_in++] = &mib_refs[i];
	}
	for (size_t i = 0; i < mib_n_lists; i++) {
		if (mib_lists[i].table == shelf->table)
			shelf->lists[shelf->n_lists++] = &mib_lists[i];
	}
	return true;
}

static bool store_add_shelves(struct mib_store *s)
{
	s->shelves = mib_alloc(mib_n_tables, sizeof(s->shelves[0]));
	s->by_table = mib_alloc(mib_n_tables, sizeof(s->by_table[0]));
	s->sources = mib_alloc(mib_n_tables, sizeof(s->sources[0]));
	if (s->shelves == NULL || s->by_table == NULL || s->sources == NULL)
		return false;
	for (size_t i = 0; i < mib_n_tables; i++) {
		struct mib_shelf *shelf = &s->shelves[s->n_shelves];

		if (mib_tables[i]->augments != NULL)
			continue;
		s->n_shelves++;
		shelf->store = s;
		shelf->table = mib_tables[i];
		RB_INIT(&shelf->rows);
		if (!shelf_add_parts(shelf) || !shelf_add_columns(shelf) || !shelf_add_refs(shelf))
			return false;
		for (size_t k = 0; k < shelf->n_parts; k++)
			s->by_table[shelf->parts[k].table->number] = shelf;
	}
	return true;
}

static int walk_column_cmp(const void *a, const void *b)
{
	const struct mib_walk_column *ca = a, *cb = b;

	return mib_oid_cmp(ca->oid.ids, ca->oid.len, cb->oid.ids, cb->oid.len);
}

/* Scalars of one node may stand on both sides of a table below it, so columns are sorted alone. */
static bool store_add_walk(struct mib_store *s)
{
	size_t n = 0;

	for (size_t i = 0; i < mib_n_tables; i++)
		n += mib_tables[i]->n_columns;
	s->columns = mib_alloc(n, sizeof(s->columns[0]));
	if (s->columns == NULL)
		return false;
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		for (size_t k = 0; k < t->n_columns; k++) {
			struct mib_walk_column *w = &s->columns[s->n_columns];

			if (t->columns[k].access < MIB_ACC_READ)
				continue;
			w->col = &t->columns[k];
			if (!mib_oid_append(&w->oid, t->entry_oid, t->entry_oid_len) ||
			    !mib_oid_append(&w->oid, &w->col->id, 1))
				return false;
			s->n_columns++;
		}
	}
	qsort(s->columns, s->n_columns, sizeof(s->columns[0]), walk_column_cmp);
	return true;
}

static bool store_add_scalars(struct mib_store *s)
{
	static const uint32_t zero[1];

	for (size_t i = 0; i < s->n_shelves; i++) {
		if (!s->shelves[i].table->is_scalars)
			continue;

		struct mib_row *r = mib_row_new(&s->shelves[i], zero, 1);

		if (r == NULL || !mib_edges_make(r)) {
			mib_row_free(r);
			return false;
		}
		mib_store_insert(s, r);
	}
	return true;
}

enum mib_err mib_store_new(const struct mib_journal *journal, uint64_t (*boottime_cs)(void),
			   struct mib_store **out)
{
	struct mib_store *s;

	if (!mib_mem_init())
		return MIB_RESOURCE_UNAVAILABLE;
	s = mib_alloc(1, sizeof(*s));
	if (s == NULL)
		return MIB_RESOURCE_UNAVAILABLE;
	s->view.store = s;
	s->journal = journal;
	s->boottime_cs = boottime_cs;
	RB_INIT(&s->edges);
	LIST_INIT(&s->idle);
	/* Fewer than 256 octets never come short (getrandom(2)). */
	if (getrandom(&s->name_seed, sizeof(s->name_seed), 0) != (ssize_t)sizeof(s->name_seed) ||
	    !store_add_shelves(s) || !store_add_walk(s) || !store_add_scalars(s)) {
		mib_store_free(s);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	*out = s;
	return MIB_OK;
}

static void shelf_fini(struct mib_shelf *shelf)
{
	struct mib_row *r;

	while ((r = RB_ROOT(&shelf->rows)) != NULL) {
		RB_REMOVE(mib_row_tree, &shelf->rows, r);
		mib_row_free(r);
	}
	mib_free(shelf->names);
	mib_free(shelf->parts);
	mib_free(shelf->cols);
	mib_free(shelf->meanings);
	mib_free(shelf->n_set);
	mib_free(shelf->binders);
	mib_free(shelf->refs_out);
	mib_free(shelf->refs_in);
	mib_free(shelf->lists);
}

void mib_store_free(struct mib_store *s)
{
	if (s == NULL)
		return;
	assert(s->txn == NULL);
	for (size_t i = 0; i < s->n_shelves; i++)
		shelf_fini(&s->shelves[i]);
	mib_free(s->shelves);
	mib_free(s->by_table);
	mib_free(s->sources);
	mib_free(s->columns);
	mib_free(s->listeners);
	mib_free(s);
}

void mib_store_insert(struct mib_store *s, struct mib_row *r)
{
	struct mib_shelf *shelf = r->shelf;

	RB_INSERT(mib_row_tree, &shelf->rows, r);
	mib_shelf_name_add(shelf, r);
	mib_edges_insert(&s->edges, r);
	if (!r->active)
		LIST_INSERT_HEAD(&s->idle, r, idle);
	for (size_t i = 0; i < r->n_cells; i++)
		shelf->n_set[r->cells[i].slot]++;
	shelf->n_rows++;
	r->committed = true;
}

void mib_store_remove(struct mib_store *s, struct mib_row *r)
{
	struct mib_shelf *shelf = r->shelf;

	if (s->walked == r)
		s->walked = NULL;
	RB_REMOVE(mib_row_tree, &shelf->rows, r);
	mib_shelf_name_remove(shelf, r);
	mib_edges_remove(&s->edges, r);
	if (!r->active)
		LIST_REMOVE(r, idle);
	for (size_t i = 0; i < r->n_cells; i++)
		shelf->n_set[r->cells[i].slot]--;
	shelf->n_rows--;
	r->committed = false;
}

const struct mib_view *mib_store_view(const struct mib_store *s)
{
	return &s->view;
}

enum mib_err mib_store_add_binder(struct mib_store *s, const struct mib_binder *b)
{
	struct mib_shelf *shelf = mib_store_shelf(s, b->table);
	const struct mib_binder **binders =
		mib_resize(shelf->binders, shelf->n_binders + 1, sizeof(binders[0]));

	if (binders == NULL)
		return MIB_RESOURCE_UNAVAILABLE;
	shelf->binders = binders;
	shelf->binders[shelf->n_binders++] = b;
	return MIB_OK;
}

enum mib_err mib_store_add_listener(struct mib_store *s, const struct mib_listener *l)
{
	const struct mib_listener **listeners =
		mib_resize(s->listeners, s->n_listeners + 1, sizeof(listeners[0]));

	if (listeners == NULL)
		return MIB_RESOURCE_UNAVAILABLE;
	s->listeners = listeners;
	s->listeners[s->n_listeners++] = l;
	return MIB_OK;
}

enum mib_err mib_store_add_source(struct mib_store *s, const struct mib_source *src)
{
	if (s->sources[src->table->number] != NULL)
		return MIB_INCONSISTENT_NAME;
	s->sources[src->table->number] = src;
	return MIB_OK;
}

uint64_t mib_store_generation(const struct mib_store *s)
{
	return s->generation;
}

uint64_t mib_store_generation_on_disk(const struct mib_store *s)
{
	return s->on_disk;
}

uint64_t mib_store_refusals(const struct mib_store *s)
{
	return s->refusals;
}

size_t mib_store_rows_not_ready(const struct mib_store *s)
{
	const struct mib_row *r;
	size_t n = 0;

	LIST_FOREACH(r, &s->idle, idle) {
		if (mib_row_status(&s->view, r, NULL) == MIB_RS_NOT_READY)
			n++;
	}
	return n;
}

void mib_store_set_master_start(struct mib_store *s, uint64_t boottime_cs)
{
	s->master_start_cs = boottime_cs;
}

uint32_t mib_store_time_stamp(const struct mib_store *s, uint64_t boottime_cs)
{
	return boottime_cs <= s->master_start_cs ? 0 : (uint32_t)(boottime_cs - s->master_start_cs);
}

uint64_t mib_store_now_cs(const struct mib_store *s)
{
	return s->boottime_cs();
}

/* Lets those who wait try, the longest waiting first, until one takes the store. */
void mib_store_wake(struct mib_store *s)
{
	if (s->waking)
		return;
	s->waking = true;
	while (s->txn == NULL && s->waiters != NULL) {
		struct mib_waiter *w = s->waiters;

		s->waiters = w->next;
		w->next = NULL;
		w->free(w);
	}
	s->waking = false;
}

void mib_store_when_free(struct mib_store *s, struct mib_waiter *w)
{
	struct mib_waiter **at = &s->waiters;

	while (*at != NULL)
		at = &(*at)->next;
	w->next = NULL;
	*at = w;
	mib_store_wake(s);
}

void mib_store_forget_waiter(struct mib_store *s, struct mib_waiter *w)
{
	for (struct mib_waiter **at = &s->waiters; *at != NULL; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			w->next = NULL;
			return;
		}
	}
}
