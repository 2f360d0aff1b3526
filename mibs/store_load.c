/*
 * mibs/store_load.c - fills a store from disk, before it serves anyone.
 *
 * The disk is not trusted to fit the schema: each cell is judged as a value is, and which rows can
 * be active is settled anew at the end. Those that were and cannot be are lost (mib_row_lost): they
 * must not pass for rows that a manager took out.
 */
#include "mibs/meaning.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

/* While loading, rows stand in their tables only: no edges, no counts. */
static void start_loading(struct mib_store *s)
{
	for (size_t i = 0; i < s->n_shelves; i++) {
		struct mib_shelf *shelf = &s->shelves[i];
		struct mib_row *r = RB_ROOT(&shelf->rows);

		/* An empty store has scalars only, one row each. */
		if (r != NULL) {
			mib_store_remove(s, r);
			RB_INSERT(mib_row_tree, &shelf->rows, r);
		}
	}
	s->loading = true;
}

static enum mib_err refuse(const struct mib_column *col, const uint32_t *index, size_t len,
			   enum mib_err err, struct mib_diag *d, const char *why)
{
	mib_diag_set(d, col, index, len, "%s", why);
	return err;
}

/* Until loading ends, active tells what the row was on disk. */
static enum mib_err load_status(struct mib_row *r, const struct mib_value *v)
{
	r->active = v->number == MIB_RS_ACTIVE || v->number == MIB_RS_DESTROY ||
		    v->number == MIB_RS_NOT_READY;
	r->doomed = v->number == MIB_RS_DESTROY;
	if (v->number == MIB_RS_NOT_READY)
		r->lost = MIB_LOST_VALUES;
	return MIB_OK;
}

static enum mib_err check_index(const struct mib_shelf *shelf, const uint32_t *index, size_t len,
				struct mib_diag *d)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	enum mib_err err = mib_index_decode(shelf->table, index, len, parts, &scratch, d);

	return err == MIB_OK ? mib_meaning_index(shelf->table, parts, d) : err;
}

/* The row of a good index, made when it is not there yet. */
static enum mib_err row_at(struct mib_store *s, const struct mib_column *col,
			   const uint32_t *index, size_t len, struct mib_row **out,
			   struct mib_diag *d)
{
	struct mib_shelf *shelf = mib_store_shelf(s, col->table);

	if (s->generation != 0 || s->txn != NULL)
		return refuse(col, index, len, MIB_GEN_ERR, d, "the store is in use");
	if (!s->loading)
		start_loading(s);
	*out = mib_rows_find(&shelf->rows, index, len);
	if (*out != NULL)
		return MIB_OK;
	*out = mib_row_new(shelf, index, len);
	if (*out == NULL)
		return refuse(col, index, len, MIB_RESOURCE_UNAVAILABLE, d, "out of memory");
	RB_INSERT(mib_row_tree, &shelf->rows, *out);
	return MIB_OK;
}

enum mib_err mib_store_load_lost(struct mib_store *s, const struct mib_column *col,
				 const uint32_t *index, size_t index_len, struct mib_diag *d)
{
	const struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	enum mib_err err = check_index(shelf, index, index_len, d);
	struct mib_row *r;

	if (err != MIB_OK || shelf->status == NULL)
		return err;
	err = row_at(s, col, index, index_len, &r, d);
	if (err != MIB_OK)
		return err;
	r->lost = MIB_LOST_VALUES;
	/* What may have been active is taken for it: only so it can be lost. */
	if (col == shelf->status)
		r->active = true;
	return MIB_OK;
}

enum mib_err mib_store_load_cell(struct mib_store *s, const struct mib_column *col,
				 const uint32_t *index, size_t index_len,
				 const struct mib_value *v, struct mib_diag *d)
{
	struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	const size_t slot = mib_shelf_slot(shelf, col);
	const struct mib_meaning *m = shelf->meanings[slot];
	enum mib_err err = check_index(shelf, index, index_len, d);
	struct mib_row *r;

	if (err != MIB_OK)
		return err;
	if (col->tc == MIB_TC_TIME_STAMP || col->access < MIB_ACC_READ)
		return refuse(col, index, index_len, MIB_WRONG_VALUE, d, "it is not kept");
	err = mib_value_check(col, v, d);
	if (err == MIB_OK && m != NULL && m->value != NULL)
		err = m->value(col, v, d);
	if (err != MIB_OK)
		return mib_store_load_lost(s, col, index, index_len, NULL) ==
		       MIB_RESOURCE_UNAVAILABLE ? MIB_RESOURCE_UNAVAILABLE : err;
	err = row_at(s, col, index, index_len, &r, d);
	if (err != MIB_OK)
		return err;
	if (col == shelf->status)
		return load_status(r, v);
	if (!mib_row_set(r, slot, v))
		return refuse(col, index, index_len, MIB_RESOURCE_UNAVAILABLE, d, "out of memory");
	return MIB_OK;
}

struct reporter {
	void (*report)(void *arg, const struct mib_diag *d);
	void *arg;
};

static void tell(const struct reporter *rep, const struct mib_diag *d)
{
	if (rep->report != NULL)
		rep->report(rep->arg, d);
}

/* Takes a row out of force. Those without RowStatus have nothing else to be. */
static void lose(struct mib_row *r)
{
	if (r->shelf->status == NULL || !r->active)
		return;
	r->active = false;
	if (r->lost == MIB_LOST_NOT)
		r->lost = MIB_LOST_TARGET;
}

/* Puts the loaded rows where the store can find them from all sides. @return false: no memory */
static bool enter_rows(struct mib_store *s)
{
	bool good = true;

	for (size_t i = 0; i < s->n_shelves; i++) {
		struct mib_row_tree loaded = s->shelves[i].rows;
		struct mib_row *r;

		size_t n = 0;

		RB_FOREACH(r, mib_row_tree, &loaded)
			n++;
		RB_INIT(&s->shelves[i].rows);
		good = mib_shelf_reserve(&s->shelves[i], n) && good;
		while ((r = RB_ROOT(&loaded)) != NULL) {
			RB_REMOVE(mib_row_tree, &loaded, r);
			if (!r->active)
				r->lost = MIB_LOST_NOT;
			good = mib_edges_make(r) && good;
			mib_store_insert(s, r);
		}
	}
	return good;
}

/* MIB_RESOURCE_UNAVAILABLE says nothing of the row; any other error that it cannot be active. */
static enum mib_err can_stay(const struct mib_store *s, const struct mib_row *r,
			     struct mib_diag *d)
{
	const struct mib_column *at;
	enum mib_err err;

	if (r->lost == MIB_LOST_VALUES) {
		mib_diag_set(d, r->shelf->status, r->index, r->index_len,
			     "values of it could not be loaded: it is not in force");
		return MIB_INCONSISTENT_VALUE;
	}
	err = mib_row_check_active(&s->view, r, &at, d);
	return err == MIB_OK ? mib_refs_check_nesting(&s->view, r, &at, d) : err;
}

/* @param any  out: a row was taken out of force, so that others may have to follow */
static enum mib_err settle_shelf(struct mib_store *s, struct mib_shelf *shelf,
				 const struct reporter *rep, bool *any)
{
	struct mib_row *r, *next;

	if (shelf->status == NULL)
		return MIB_OK;
	RB_FOREACH_SAFE(r, mib_row_tree, &shelf->rows, next) {
		struct mib_diag d = { 0 };
		const enum mib_err err = r->active ? can_stay(s, r, &d) : MIB_OK;

		if (err == MIB_RESOURCE_UNAVAILABLE)
			return err;
		if (err == MIB_OK)
			continue;
		mib_store_remove(s, r);
		lose(r);
		mib_store_insert(s, r);
		tell(rep, &d);
		*any = true;
	}
	return MIB_OK;
}

static void drop_unpointed(struct mib_store *s)
{
	for (size_t i = 0; i < s->n_shelves; i++) {
		struct mib_row *r, *next;

		if (s->shelves[i].special == NULL || !s->shelves[i].special->delays_destroy)
			continue;
		RB_FOREACH_SAFE(r, mib_row_tree, &s->shelves[i].rows, next) {
			if (r->doomed && !mib_refs_is_referred(&s->view, r)) {
				mib_store_remove(s, r);
				mib_row_free(r);
			}
		}
	}
}

enum mib_err mib_store_load_end(struct mib_store *s, uint64_t generation, uint64_t on_disk,
				void (*report)(void *arg, const struct mib_diag *d), void *arg)
{
	const struct reporter rep = { report, arg };
	bool again = s->loading;

	/* A row out of force for want of memory would be another policy than the one that was set. */
	if (s->loading && !enter_rows(s))
		return MIB_RESOURCE_UNAVAILABLE;
	s->loading = false;
	/* As many rounds as the longest chain of references has links. */
	while (again) {
		again = false;
		for (size_t i = 0; i < s->n_shelves; i++) {
			const enum mib_err err = settle_shelf(s, &s->shelves[i], &rep, &again);

			if (err != MIB_OK)
				return err;
		}
	}
	drop_unpointed(s);
	s->generation = generation;
	s->on_disk = on_disk;
	return MIB_OK;
}
