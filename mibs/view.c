/*
 * mibs/view.c - finding rows in the committed state or in what a transaction would make of it.
 *
 * A staged view is the committed rows overlaid with the transaction's versions, merged in index
 * order. Nothing here changes a row.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mibs/meaning.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

struct mib_row *mib_rows_seek(const struct mib_row_tree *tree, const uint32_t *index, size_t len,
			      bool strict)
{
	struct mib_row *found = NULL;
	struct mib_row *at = RB_ROOT(tree);

	while (at != NULL) {
		const int c = mib_oid_cmp(at->index, at->index_len, index, len);

		if (c > 0 || (c == 0 && !strict)) {
			found = at;
			at = RB_LEFT(at, link);
		} else {
			at = RB_RIGHT(at, link);
		}
	}
	return found;
}

struct mib_row *mib_rows_find(const struct mib_row_tree *tree, const uint32_t *index, size_t len)
{
	struct mib_row *at = RB_ROOT(tree);

	while (at != NULL) {
		const int c = mib_oid_cmp(at->index, at->index_len, index, len);

		if (c == 0)
			return at;
		at = c > 0 ? RB_LEFT(at, link) : RB_RIGHT(at, link);
	}
	return NULL;
}

const struct mib_view *mib_row_home(const struct mib_row *r)
{
	const struct mib_store *s = r->shelf->store;

	return r->committed || s->txn == NULL ? &s->view : &s->txn->view;
}

/* What a transaction leaves of a row it touches. */
static const struct mib_row *outcome(const struct mib_staged *st)
{
	return st->same ? st->before : st->after;
}

struct mib_view *mib_view_told(const struct mib_view *v, const struct mib_reader *reader)
{
	struct mib_view *told = malloc(sizeof(*told));

	if (told != NULL)
		*told = (struct mib_view){ .store = v->store, .txn = v->txn, .reader = reader };
	return told;
}

void mib_view_told_free(struct mib_view *v)
{
	free(v);
}

static void tell(const struct mib_view *v, const struct mib_table *base, const uint32_t *index,
		 size_t len)
{
	if (v->reader != NULL)
		v->reader->read(v->reader->arg, base, index, len);
}

const struct mib_row *mib_view_row(const struct mib_view *v, const struct mib_table *t,
				   const uint32_t *index, size_t len)
{
	const struct mib_shelf *shelf = mib_store_shelf(v->store, t);

	tell(v, shelf->table, index, len);
	if (v->txn != NULL) {
		const struct mib_staged *st = mib_txn_find(v->txn, shelf, index, len);

		if (st != NULL)
			return outcome(st);
	}
	return mib_shelf_find(shelf, index, len);
}

static bool has_prefix(const uint32_t *index, size_t len, const struct mib_oid *prefix)
{
	return prefix == NULL ||
	       (len >= prefix->len && mib_oid_cmp(index, prefix->len, prefix->ids, prefix->len) == 0);
}

/* The next row of the staged view; both sides are walked at once, the transaction's word counts. */
static const struct mib_row *next_staged(const struct mib_view *v, const struct mib_shelf *shelf,
					 const uint32_t *from, size_t len, bool strict)
{
	struct mib_row *r = mib_rows_seek(&shelf->rows, from, len, strict);
	struct mib_staged *st = mib_txn_seek(v->txn, shelf, from, len, strict);

	while (st != NULL) {
		const int c = r == NULL ? 1 : mib_oid_cmp(r->index, r->index_len, st->index,
							  st->index_len);

		if (c < 0)
			return r;
		if (outcome(st) != NULL)
			return outcome(st);
		if (c == 0)
			r = RB_NEXT(mib_row_tree, NULL, r);
		st = RB_NEXT(mib_staged_tree, NULL, st);
		if (st != NULL && st->shelf != shelf)
			st = NULL;
	}
	return r;
}

const struct mib_row *mib_view_next(const struct mib_view *v, const struct mib_table *t,
				    const struct mib_oid *prefix, const struct mib_oid *after)
{
	const struct mib_shelf *shelf = mib_store_shelf(v->store, t);
	const uint32_t *from = NULL;
	size_t len = 0;
	bool strict = false;

	tell(v, shelf->table, prefix != NULL ? prefix->ids : NULL, prefix != NULL ? prefix->len : 0);
	if (after != NULL && (prefix == NULL || mib_oid_cmp(after->ids, after->len, prefix->ids,
							     prefix->len) >= 0)) {
		from = after->ids;
		len = after->len;
		strict = true;
	} else if (prefix != NULL) {
		from = prefix->ids;
		len = prefix->len;
	}

	const struct mib_row *r = v->txn != NULL ? next_staged(v, shelf, from, len, strict) :
						    mib_rows_seek(&shelf->rows, from, len, strict);

	return r != NULL && has_prefix(r->index, r->index_len, prefix) ? r : NULL;
}

static enum mib_err check_mandatory(const struct mib_row *r, struct mib_diag *d)
{
	const struct mib_shelf *shelf = r->shelf;

	for (size_t slot = 0; slot < shelf->n_slots; slot++) {
		struct mib_value v;

		if (shelf->meanings[slot] == NULL || !shelf->meanings[slot]->mandatory ||
		    mib_row_get(r, shelf->cols[slot], &v))
			continue;
		mib_diag_set(d, shelf->cols[slot], r->index, r->index_len,
			     "it must be set before the row can be active (RFC 2579 RowStatus)");
		return MIB_INCONSISTENT_VALUE;
	}
	return MIB_OK;
}

enum mib_err mib_row_check_active(const struct mib_view *v, const struct mib_row *r,
				  const struct mib_column **at, struct mib_diag *d)
{
	const struct mib_shelf *shelf = r->shelf;
	enum mib_err err = check_mandatory(r, d);

	*at = shelf->status;
	if (err != MIB_OK)
		return err;
	err = mib_refs_check(v, r, at, d);
	if (err != MIB_OK)
		return err;
	*at = shelf->status;
	if (shelf->special != NULL && shelf->special->check != NULL) {
		err = shelf->special->check(v, r, d);
		if (err != MIB_OK)
			return err;
	}
	for (size_t i = 0; i < shelf->n_binders; i++) {
		if (shelf->binders[i]->check == NULL)
			continue;
		err = shelf->binders[i]->check(v, r, d);
		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}

enum mib_row_status mib_row_status(const struct mib_view *v, const struct mib_row *r,
				   struct mib_diag *d)
{
	const struct mib_column *at;

	if (r->doomed)
		return MIB_RS_NOT_IN_SERVICE;
	if (r->active)
		return MIB_RS_ACTIVE;
	return mib_row_check_active(v, r, &at, d) == MIB_OK ? MIB_RS_NOT_IN_SERVICE :
							       MIB_RS_NOT_READY;
}

bool mib_row_is_durable(const struct mib_row *r)
{
	const struct mib_column *storage = r->shelf->storage;

	return storage == NULL ||
	       mib_row_number(r, storage, MIB_ST_NON_VOLATILE) != MIB_ST_VOLATILE;
}
