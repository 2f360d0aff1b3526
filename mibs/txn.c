/*
 * mibs/txn.c - a transaction: staging assignments. Judging and committing are in txn_prepare.c and
 * txn_commit.c.
 *
 * RFC 3416 4.2.5, steps 1 to 9, in that order, for each assignment; what needs the whole
 * transaction waits for prepare.
 */
#include <stdio.h>
#include <string.h>

#include "mibs/meaning.h"
#include "mibs/store_int.h"

int mib_staged_cmp(const struct mib_staged *a, const struct mib_staged *b)
{
	if (a->shelf != b->shelf)
		return a->shelf < b->shelf ? -1 : 1;
	return mib_oid_cmp(a->index, a->index_len, b->index, b->index_len);
}

RB_GENERATE(mib_staged_tree, mib_staged, link, mib_staged_cmp)

struct mib_staged *mib_txn_seek(const struct mib_txn *t, const struct mib_shelf *shelf,
				const uint32_t *index, size_t len, bool strict)
{
	struct mib_staged *found = NULL;
	struct mib_staged *at = RB_ROOT(&t->staged);

	while (at != NULL) {
		int c;

		if (at->shelf != shelf)
			c = at->shelf < shelf ? -1 : 1;
		else
			c = mib_oid_cmp(at->index, at->index_len, index, len);
		if (c > 0 || (c == 0 && !strict)) {
			found = at;
			at = RB_LEFT(at, link);
		} else {
			at = RB_RIGHT(at, link);
		}
	}
	return found != NULL && found->shelf == shelf ? found : NULL;
}

struct mib_staged *mib_txn_find(const struct mib_txn *t, const struct mib_shelf *shelf,
				const uint32_t *index, size_t len)
{
	struct mib_staged *st = t->found;

	if (st != NULL && st->shelf == shelf &&
	    mib_oid_cmp(st->index, st->index_len, index, len) == 0)
		return st;
	st = mib_txn_seek(t, shelf, index, len, false);
	return st != NULL && mib_oid_cmp(st->index, st->index_len, index, len) == 0 ? st : NULL;
}

enum mib_err mib_txn_begin(struct mib_store *s, enum mib_door door, const char *who,
			   struct mib_txn **out)
{
	struct mib_txn *t;

	if (s->txn != NULL)
		return MIB_BUSY;
	t = mib_alloc(1, sizeof(*t));
	if (t == NULL)
		return MIB_RESOURCE_UNAVAILABLE;
	t->store = s;
	t->view = (struct mib_view){ .store = s, .txn = t };
	t->door = door;
	snprintf(t->who, sizeof(t->who), "%s", who);
	RB_INIT(&t->staged);
	TAILQ_INIT(&t->order);
	RB_INIT(&t->edges);
	RB_INIT(&t->parked);
	s->txn = t;
	*out = t;
	return MIB_OK;
}

void mib_txn_may_lack_secrets(struct mib_txn *t)
{
	t->may_lack_secrets = true;
}

const struct mib_txn *mib_store_staged(const struct mib_store *s)
{
	return s->txn;
}

const char *mib_txn_who(const struct mib_txn *t)
{
	return t->who;
}

enum mib_door mib_txn_door(const struct mib_txn *t)
{
	return t->door;
}

const struct mib_view *mib_txn_view(const struct mib_txn *t)
{
	return &t->view;
}

void mib_txn_refused(struct mib_txn *t)
{
	if (!t->refused)
		t->store->refusals++;
	t->refused = true;
}

void mib_store_refused(struct mib_store *s)
{
	s->refusals++;
}

/* The row's place in the transaction; a row not touched before starts as it is, or as new. */
static struct mib_staged *stage(struct mib_txn *t, struct mib_shelf *shelf, const uint32_t *index,
				size_t len)
{
	struct mib_staged *st = mib_txn_find(t, shelf, index, len);

	if (st != NULL) {
		t->found = st;
		return st;
	}
	st = mib_alloc(1, sizeof(*st) + len * sizeof(index[0]));
	if (st == NULL)
		return NULL;
	st->shelf = shelf;
	st->index_len = len;
	memcpy(st->index, index, len * sizeof(index[0]));
	st->before = mib_shelf_find(shelf, index, len);
	st->after = st->before != NULL ? mib_row_clone(st->before) :
					 mib_row_new(shelf, index, len);
	if (st->after == NULL) {
		mib_free(st);
		return NULL;
	}
	RB_INSERT(mib_staged_tree, &t->staged, st);
	TAILQ_INSERT_TAIL(&t->order, st, order);
	t->found = st;
	return st;
}

/* What is to be changed once more is no longer settled. */
static bool reopen(struct mib_txn *t, struct mib_staged *st)
{
	if (st->indexed)
		mib_edges_remove(&t->edges, st->after);
	st->indexed = false;
	st->settled = false;
	st->same = false;
	if (st->after != NULL)
		return true;
	st->after = st->anew || st->before == NULL ?
		    mib_row_new(st->shelf, st->index, st->index_len) : mib_row_clone(st->before);
	return st->after != NULL;
}

static bool note_assigned(struct mib_staged *st, size_t slot, size_t varbind)
{
	for (size_t i = 0; i < st->n_assigned; i++) {
		if (st->assigned[i].slot == slot) {
			st->assigned[i].varbind = varbind;
			return true;
		}
	}

	struct mib_assigned *a = mib_resize(st->assigned, st->n_assigned + 1, sizeof(a[0]));

	if (a == NULL)
		return false;
	st->assigned = a;
	a[st->n_assigned++] = (struct mib_assigned){ (uint16_t)slot, varbind };
	return true;
}

static enum mib_err assign(struct mib_txn *t, const struct mib_column *col, const uint32_t *index,
			   size_t len, const struct mib_value *v, size_t varbind, bool forced)
{
	struct mib_shelf *shelf = mib_store_shelf(t->store, col->table);
	struct mib_staged *st = stage(t, shelf, index, len);
	const size_t slot = mib_shelf_slot(shelf, col);

	if (st == NULL || !reopen(t, st))
		return MIB_RESOURCE_UNAVAILABLE;
	if (st->first_varbind == 0)
		st->first_varbind = varbind;
	st->forced = st->forced || forced;
	if (col == shelf->status) {
		st->asked = (int32_t)v->number;
		st->asked_varbind = varbind;
		return MIB_OK;
	}
	if (!note_assigned(st, slot, varbind) || !mib_row_set(st->after, slot, v))
		return MIB_RESOURCE_UNAVAILABLE;
	return MIB_OK;
}

/*
 * RFC 3416 4.2.5: all assignments of a request take place as if at once, so what is assigned twice
 * needs one value. What the system stages itself does not count.
 */
static bool contradicts(struct mib_txn *t, const struct mib_column *col, const uint32_t *index,
			size_t len, const struct mib_value *v)
{
	const struct mib_shelf *shelf = mib_store_shelf(t->store, col->table);
	const struct mib_staged *st = mib_txn_find(t, shelf, index, len);
	struct mib_value had, now = *v;

	if (st == NULL || st->forced || st->after == NULL)
		return false;
	if (col == shelf->status)
		return st->asked_varbind != 0 && st->asked != v->number;
	if (!mib_txn_assigns(t, st->after, col) || !mib_row_get(st->after, col, &had))
		return false;
	now.syntax = had.syntax;	/* BITS come as octets */
	return !mib_value_equal(&had, &now);
}

/* RFC 2579: values that status and storage columns can never be set to. */
static enum mib_err check_tc(const struct mib_column *col, const struct mib_value *v,
			     const char **why)
{
	if (col->tc == MIB_TC_ROW_STATUS && v->number == MIB_RS_NOT_READY) {
		*why = "notReady is a state, not an action (RFC 2579 RowStatus)";
		return MIB_WRONG_VALUE;
	}
	if (col->tc == MIB_TC_STORAGE_TYPE && v->number != MIB_ST_VOLATILE &&
	    v->number != MIB_ST_NON_VOLATILE) {
		*why = "only volatile and nonVolatile can be set (RFC 2579 StorageType)";
		return MIB_WRONG_VALUE;
	}
	return MIB_OK;
}

/* All that is wrong with a value under all circumstances. */
static enum mib_err check_value(const struct mib_shelf *shelf, const struct mib_column *col,
				const struct mib_value *v, struct mib_diag *d)
{
	const struct mib_meaning *m = shelf->meanings[mib_shelf_slot(shelf, col)];
	enum mib_err err = mib_value_check(col, v, d);

	if (err == MIB_OK && m != NULL && m->value != NULL)
		err = m->value(col, v, d);
	for (size_t i = 0; err == MIB_OK && i < shelf->n_binders; i++) {
		if (shelf->binders[i]->table == col->table && shelf->binders[i]->value != NULL)
			err = shelf->binders[i]->value(col, v, d);
	}
	return err;
}

static enum mib_err check_index(const struct mib_shelf *shelf, const uint32_t *index, size_t len,
				struct mib_diag *d)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	enum mib_err err = mib_index_decode(shelf->table, index, len, parts, &scratch, d);

	if (err == MIB_OK)
		err = mib_meaning_index(shelf->table, parts, d);
	return err;
}

/* RFC 2579 StorageType: a permanent row keeps its storage; a readOnly row is not changed at all. */
static enum mib_err check_storage(const struct mib_shelf *shelf, const struct mib_row *r,
				  const struct mib_column *col, const char **why)
{
	if (r == NULL || shelf->storage == NULL)
		return MIB_OK;

	const int64_t storage = mib_row_number(r, shelf->storage, MIB_ST_NON_VOLATILE);

	if (storage != MIB_ST_PERMANENT && storage != MIB_ST_READ_ONLY)
		return MIB_OK;
	if (col == shelf->storage) {
		*why = "the row is permanent or readOnly and stays so (RFC 2579 StorageType)";
		return MIB_WRONG_VALUE;
	}
	if (storage == MIB_ST_READ_ONLY) {
		*why = "the row is readOnly (RFC 2579 StorageType)";
		return MIB_NOT_WRITABLE;
	}
	return MIB_OK;
}

/* Is it a row that a source tells of, rather than a stored one? */
static bool is_observed(const struct mib_store *s, const struct mib_table *t,
			const uint32_t *index, size_t len)
{
	const struct mib_source *src = s->sources[t->number];

	return src != NULL && src->has != NULL && src->has(src->arg, index, len);
}

static enum mib_err set_column(struct mib_txn *t, const struct mib_column *col,
			       const uint32_t *index, size_t len, const struct mib_value *given,
			       struct mib_diag *d)
{
	const struct mib_shelf *shelf = mib_store_shelf(t->store, col->table);
	struct mib_bits room;
	const struct mib_value *v = mib_value_received(col, given, &room);
	const char *why = NULL;
	enum mib_err err;

	if (col->access < MIB_ACC_WRITE) {
		mib_diag_set(d, col, index, len, "it is not for writing (MAX-ACCESS)");
		return MIB_NOT_WRITABLE;
	}
	err = check_value(shelf, col, v, d);
	if (err == MIB_OK) {
		err = check_tc(col, v, &why);
		if (err == MIB_OK)
			err = check_index(shelf, index, len, d);
	}
	if (err != MIB_OK && why == NULL)
		return err;

	const struct mib_row *r = err == MIB_OK ? mib_shelf_find(shelf, index, len) : NULL;

	if (err == MIB_OK && r == NULL && shelf->status == NULL &&
	    mib_txn_find(t, shelf, index, len) == NULL &&
	    !is_observed(t->store, col->table, index, len)) {
		why = "there is no such row, and only the system makes rows of this table";
		err = MIB_INCONSISTENT_NAME;
	}
	if (err == MIB_OK)
		err = check_storage(shelf, r, col, &why);
	if (err == MIB_OK && contradicts(t, col, index, len, v)) {
		why = "it is set twice, to two values (RFC 3416 4.2.5)";
		err = MIB_INCONSISTENT_VALUE;
	}
	if (err == MIB_OK) {
		err = assign(t, col, index, len, v, t->varbinds, false);
		why = "out of memory";
	}
	if (err != MIB_OK)
		mib_diag_set(d, col, index, len, "%s", why);
	return err;
}

enum mib_err mib_txn_set_column(struct mib_txn *t, const struct mib_column *col,
				const uint32_t *index, size_t index_len,
				const struct mib_value *v, struct mib_diag *d)
{
	enum mib_err err;

	t->varbinds++;
	if (t->state != MIB_TXN_OPEN) {
		mib_diag_set(d, col, index, index_len, "the transaction has been prepared already");
		err = MIB_GEN_ERR;
	} else {
		err = set_column(t, col, index, index_len, v, d);
	}
	if (err != MIB_OK) {
		if (d != NULL)
			d->varbind = t->varbinds;
		mib_txn_refused(t);
	}
	return err;
}

enum mib_err mib_txn_set(struct mib_txn *t, const uint32_t *oid, size_t len,
			 const struct mib_value *v, struct mib_diag *d)
{
	const struct mib_column *col = NULL;
	const uint32_t *index;
	size_t index_len;

	if (mib_table_by_oid(oid, len, &col, &index, &index_len) != NULL && col != NULL)
		return mib_txn_set_column(t, col, index, index_len, v, d);
	t->varbinds++;
	mib_txn_refused(t);
	mib_diag_set(d, NULL, NULL, 0, "there is no object of that name");
	if (d != NULL) {
		mib_oid_print(oid, len, d->object, sizeof(d->object));
		d->varbind = t->varbinds;
	}
	return MIB_NOT_WRITABLE;
}

/* The row goes; what is staged for it is forgotten. */
static enum mib_err force_away(struct mib_txn *t, struct mib_staged *st)
{
	if (!reopen(t, st))
		return MIB_RESOURCE_UNAVAILABLE;
	mib_row_free(st->after);
	/* Scalars are always there: theirs go back to the defaults. */
	st->after = st->shelf->table->is_scalars ?
		    mib_row_new(st->shelf, st->index, st->index_len) : NULL;
	if (st->after == NULL && st->shelf->table->is_scalars)
		return MIB_RESOURCE_UNAVAILABLE;
	st->anew = true;
	st->forced = true;
	st->asked = st->shelf->status != NULL ? MIB_RS_DESTROY : 0;
	st->n_assigned = 0;
	return MIB_OK;
}

enum mib_err mib_txn_force(struct mib_txn *t, const struct mib_column *col, const uint32_t *index,
			   size_t index_len, const struct mib_value *v)
{
	struct mib_shelf *shelf = mib_store_shelf(t->store, col->table);
	enum mib_err err;

	if (t->state != MIB_TXN_OPEN && t->state != MIB_TXN_PREPARING)
		return MIB_GEN_ERR;
	err = check_index(shelf, index, index_len, NULL);
	if (err != MIB_OK)
		return err;
	if (v == NULL) {
		struct mib_staged *st = stage(t, shelf, index, index_len);

		if (st == NULL)
			return MIB_RESOURCE_UNAVAILABLE;
		if (st->first_varbind == 0)
			st->first_varbind = t->deriving;
		return force_away(t, st);
	}
	err = check_value(shelf, col, v, NULL);
	if (err != MIB_OK)
		return err;
	return assign(t, col, index, index_len, v, t->deriving, true);
}

enum mib_err mib_txn_touch(struct mib_txn *t, const struct mib_row *r)
{
	struct mib_staged *st = stage(t, r->shelf, r->index, r->index_len);

	if (st == NULL || !reopen(t, st))
		return MIB_RESOURCE_UNAVAILABLE;
	if (st->first_varbind == 0)
		st->first_varbind = t->deriving;
	st->touched = true;
	return MIB_OK;
}

size_t mib_staged_varbind(const struct mib_staged *st, const struct mib_column *col)
{
	for (size_t i = 0; col != NULL && i < st->n_assigned; i++) {
		if (st->shelf->cols[st->assigned[i].slot] == col)
			return st->assigned[i].varbind;
	}
	return st->asked_varbind != 0 ? st->asked_varbind : st->first_varbind;
}

bool mib_txn_assigns(const struct mib_txn *t, const struct mib_row *r, const struct mib_column *col)
{
	const struct mib_staged *st = mib_txn_find(t, r->shelf, r->index, r->index_len);

	for (size_t i = 0; st != NULL && i < st->n_assigned; i++) {
		if (st->shelf->cols[st->assigned[i].slot] == col)
			return true;
	}
	return false;
}

bool mib_txn_is_change(const struct mib_txn *t)
{
	return t->n_changes > 0;
}

const struct mib_change *mib_txn_changes(const struct mib_txn *t, size_t *n)
{
	*n = t->n_changes;
	return t->changes;
}

void mib_txn_unpark(struct mib_txn *t)
{
	struct mib_staged *st;

	TAILQ_FOREACH(st, &t->order, order) {
		if (st->parked)
			mib_edges_insert(&t->store->edges, st->before);
		st->parked = false;
	}
	RB_INIT(&t->parked);
}

void mib_txn_after(struct mib_txn *t, struct mib_after *a)
{
	a->next = t->afters;
	t->afters = a;
}

/* In the order in which they were asked for. */
static void run_afters(struct mib_after *last, bool committed)
{
	struct mib_after *first = NULL;

	while (last != NULL) {
		struct mib_after *a = last;

		last = a->next;
		a->next = first;
		first = a;
	}
	while (first != NULL) {
		struct mib_after *a = first;

		first = a->next;
		a->next = NULL;
		a->done(a, committed);
	}
}

void mib_txn_done(struct mib_txn *t)
{
	struct mib_store *s;
	struct mib_staged *st;
	struct mib_after *afters;
	bool committed;

	if (t == NULL)
		return;
	s = t->store;
	afters = t->afters;
	committed = t->state == MIB_TXN_COMMITTED;
	mib_txn_unpark(t);
	while ((st = TAILQ_FIRST(&t->order)) != NULL) {
		TAILQ_REMOVE(&t->order, st, order);
		/* Of the two versions one is committed; the other is ours. */
		if (st->before != NULL && !st->before->committed)
			mib_row_free(st->before);
		if (st->after != NULL && !st->after->committed)
			mib_row_free(st->after);
		mib_free(st->assigned);
		mib_free(st);
	}
	mib_free(t->changes);
	mib_free(t->durable);
	mib_free(t);
	s->txn = NULL;
	run_afters(afters, committed);
	mib_store_wake(s);
}
