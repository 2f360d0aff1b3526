/*
 * mibs/txn_prepare.c - judges the state that a whole transaction would produce (TestSet).
 *
 * First every touched row is settled: what it becomes, by RowStatus. Then what follows from that is
 * staged. Only then is anything judged, so that the order of assignments never matters. RFC 2579
 * RowStatus; RFC 3416 4.2.5 steps 8 to 11. Changes nothing outside the transaction.
 */
#include <stdio.h>

#include "mibs/rowstatus.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

static enum mib_err refuse(const struct mib_staged *st, const struct mib_column *at,
			   enum mib_err err, struct mib_diag *d)
{
	if (d != NULL)
		d->varbind = mib_staged_varbind(st, at);
	return err;
}

static enum mib_err no_memory(const struct mib_staged *st, struct mib_diag *d)
{
	mib_diag_set(d, st->shelf->status, st->index, st->index_len, "out of memory");
	return refuse(st, NULL, MIB_RESOURCE_UNAVAILABLE, d);
}

static const struct mib_row *outcome(const struct mib_staged *st)
{
	return st->same ? st->before : st->after;
}

static enum mib_rs_state state_of(const struct mib_txn *t, const struct mib_staged *st,
				  int32_t asked)
{
	if (st->before == NULL || (st->anew && asked != MIB_RS_DESTROY))
		return MIB_RS_STATE_ABSENT;
	if (st->before->active && !st->before->doomed)
		return MIB_RS_STATE_ACTIVE;
	/* Only this action tells the two apart, and finding out costs. */
	if (asked == MIB_RS_NOT_IN_SERVICE &&
	    mib_row_status(&t->store->view, st->before, NULL) == MIB_RS_NOT_READY)
		return MIB_RS_STATE_NOT_READY;
	return MIB_RS_STATE_NOT_IN_SERVICE;
}

/* The system names the state it wants; whether the row has to be made first is ours to see. */
static int32_t asked_of(const struct mib_staged *st)
{
	const bool absent = st->before == NULL || st->anew;

	if (!st->forced || !absent)
		return st->asked;
	switch (st->asked) {
	case MIB_RS_ACTIVE:
		return MIB_RS_CREATE_AND_GO;
	case 0:
	case MIB_RS_NOT_IN_SERVICE:
		return MIB_RS_CREATE_AND_WAIT;
	default:
		return st->asked;
	}
}

static void drop_after(struct mib_staged *st)
{
	mib_row_free(st->after);
	st->after = NULL;
}

static enum mib_err settle_status(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	const int32_t asked = asked_of(st);
	enum mib_err err = MIB_OK;
	const char *why = NULL;

	st->rule = mib_rs_find(state_of(t, st, asked), asked, &err, &why);
	if (st->rule == NULL) {
		mib_diag_set(d, st->shelf->status, st->index, st->index_len, "%s", why);
		return refuse(st, st->shelf->status, err, d);
	}
	switch (st->rule->to) {
	case MIB_RS_TO_ABSENT:
		drop_after(st);
		break;
	case MIB_RS_TO_IDLE:
		/* A doomed row goes on serving those that point at it. */
		if (st->after->doomed)
			break;
		st->after->active = false;
		/* Out of service by a manager's word, no longer for what a load had to leave out. */
		if (asked == MIB_RS_NOT_IN_SERVICE)
			st->after->lost = MIB_LOST_NOT;
		break;
	case MIB_RS_TO_ACTIVE:
		st->after->active = true;
		st->after->doomed = false;
		st->after->lost = MIB_LOST_NOT;
		break;
	}
	return MIB_OK;
}

/* While a row has another version, its own edges count in the committed view only. */
static void park(struct mib_txn *t, struct mib_staged *st, bool away)
{
	if (st->before == NULL || st->parked == away)
		return;
	if (away) {
		mib_edges_remove(&t->store->edges, st->before);
		mib_edges_insert(&t->parked, st->before);
	} else {
		mib_edges_remove(&t->parked, st->before);
		mib_edges_insert(&t->store->edges, st->before);
	}
	st->parked = away;
}

enum mib_err mib_txn_settle_edges(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	const bool equal = st->before != NULL && st->after != NULL && !st->touched &&
			   mib_row_same(st->before, st->after);

	if (equal || (st->before == NULL && st->after == NULL)) {
		drop_after(st);
		st->same = true;
		park(t, st, false);
		return MIB_OK;
	}
	park(t, st, true);
	if (st->after == NULL)
		return MIB_OK;
	if (!mib_edges_make(st->after))
		return no_memory(st, d);
	mib_edges_insert(&t->edges, st->after);
	st->indexed = true;
	return MIB_OK;
}

enum mib_err mib_txn_settle(struct mib_txn *t, struct mib_diag *d)
{
	struct mib_staged *st;

	TAILQ_FOREACH(st, &t->order, order) {
		enum mib_err err = MIB_OK;

		if (st->settled)
			continue;
		if (st->shelf->status != NULL)
			err = settle_status(t, st, d);
		if (err == MIB_OK)
			err = mib_txn_settle_edges(t, st, d);
		if (err != MIB_OK)
			return err;
		st->settled = true;
	}
	return MIB_OK;
}

/* RFC 3289: a classifier element that is pointed at is destroyed when nothing points at it. */
static enum mib_err postpone(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	if (st->shelf->special == NULL || !st->shelf->special->delays_destroy)
		return MIB_OK;
	if (st->before == NULL || st->after != NULL || st->same ||
	    !mib_refs_is_referred(&t->view, st->before))
		return MIB_OK;
	st->after = mib_row_clone(st->before);
	if (st->after == NULL)
		return no_memory(st, d);
	st->after->doomed = true;
	st->rule = NULL;
	return mib_txn_settle_edges(t, st, d);
}

/* What this row pointed at and is doomed goes now, if this was the last pointer. */
static enum mib_err release(struct mib_txn *t, struct mib_staged *st)
{
	if (st->before == NULL || st->same)
		return MIB_OK;
	for (size_t i = 0; i < st->before->n_edges; i++) {
		const struct mib_edge *e = &st->before->edges[i];
		const struct mib_table *target = mib_tables[e->target];
		const struct mib_shelf *shelf = mib_store_shelf(t->store, target);

		if (e->kind >= mib_n_refs || shelf->special == NULL ||
		    !shelf->special->delays_destroy)
			continue;

		const struct mib_row *r = mib_view_row(&t->view, target, e->key, e->key_len);

		if (r == NULL || !r->doomed || mib_refs_is_referred(&t->view, r))
			continue;

		const enum mib_err err = mib_txn_force(t, &target->columns[0], e->key, e->key_len,
						       NULL);

		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}

/* What was assigned to a row that is only observed is a request: heard, and not kept. */
static enum mib_err hear(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	const struct mib_source *src = t->store->sources[st->shelf->table->number];
	enum mib_err err;

	if (src == NULL || src->asked == NULL || st->after == NULL)
		return MIB_OK;
	err = src->asked(src->arg, t, st->after, d);
	if (err != MIB_OK)
		return err;
	return mib_txn_force(t, &st->shelf->table->columns[0], st->index, st->index_len, NULL);
}

static enum mib_err derive(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	const struct mib_shelf *shelf = st->shelf;
	const struct mib_change change = { shelf->table, st->before, st->after };
	enum mib_err err;

	st->derived = true;
	if (st->same)
		return MIB_OK;
	t->deriving = st->asked_varbind != 0 ? st->asked_varbind : st->first_varbind;
	err = release(t, st);
	if (err != MIB_OK)
		return no_memory(st, d);
	err = hear(t, st, d);
	if (err == MIB_OK && shelf->special != NULL && shelf->special->derive != NULL)
		err = shelf->special->derive(t, &change, d);
	for (size_t i = 0; err == MIB_OK && i < shelf->n_binders; i++) {
		if (shelf->binders[i]->derive != NULL)
			err = shelf->binders[i]->derive(t, &change, d);
	}
	t->deriving = 0;
	return err == MIB_OK ? MIB_OK : refuse(st, NULL, err, d);
}

/* Settles and derives until nothing new is staged. Each row is derived once, so this ends. */
static enum mib_err work_out(struct mib_txn *t, struct mib_diag *d)
{
	bool more = true;

	while (more) {
		struct mib_staged *st;
		enum mib_err err = mib_txn_settle(t, d);

		if (err != MIB_OK)
			return err;
		TAILQ_FOREACH(st, &t->order, order) {
			err = postpone(t, st, d);
			if (err != MIB_OK)
				return err;
		}
		more = false;
		TAILQ_FOREACH(st, &t->order, order) {
			/* Rows that derive itself stages come at the list's end. */
			if (!st->settled)
				more = true;
			if (st->derived || !st->settled)
				continue;
			err = derive(t, st, d);
			if (err != MIB_OK)
				return err;
			more = true;
		}
	}
	return MIB_OK;
}

/* References that the SET itself must get right, active or not. */
static enum mib_err judge_assigned(const struct mib_txn *t, const struct mib_staged *st,
				   struct mib_diag *d)
{
	const struct mib_row *r = outcome(st);

	for (size_t i = 0; r != NULL && i < st->n_assigned; i++) {
		const struct mib_column *col = st->shelf->cols[st->assigned[i].slot];
		const enum mib_err err = mib_refs_check_set(&t->view, st->before, r, col, d);

		if (err != MIB_OK)
			return refuse(st, col, err, d);
	}
	return MIB_OK;
}

/*
 * Rows whose legality rests on the content of this one. Those that the transaction touches are
 * judged for themselves.
 */
static enum mib_err judge_users(const struct mib_txn *t, const struct mib_staged *st,
				struct mib_diag *d)
{
	const struct mib_row *r = st->after != NULL ? st->after : st->before;
	const bool was = st->before != NULL && st->before->active;
	const bool is = st->after != NULL && st->after->active;

	for (size_t i = 0; i < st->shelf->n_refs_in; i++) {
		const struct mib_ref *ref = st->shelf->refs_in[i];
		const uint32_t *key = r->index;
		size_t len = r->index_len;
		const struct mib_edge *e;
		struct mib_edge_walk w;

		/* A list changes also by who joins and leaves it. */
		if (!(ref->flags & MIB_REF_CONTENT) || !(ref->list != NULL ? was || is : was && is))
			continue;
		if (ref->list != NULL)
			mib_list_key(ref->list, r, &key, &len);
		mib_edge_walk_start(&w, &t->view, mib_edge_kind_ref(ref), st->shelf->table, key, len,
				    true);
		while ((e = mib_edge_walk_next(&w)) != NULL) {
			const struct mib_column *at;

			if (!e->source->committed)
				continue;

			const enum mib_err err = mib_row_check_active(&t->view, e->source, &at, d);

			if (err != MIB_OK)
				return refuse(st, NULL, err, d);
		}
	}
	return MIB_OK;
}

/* RFC 2579 StorageType: a permanent row can be changed, but not deleted. */
static enum mib_err judge_storage(const struct mib_staged *st, struct mib_diag *d)
{
	const struct mib_column *storage = st->shelf->storage;

	if (st->forced || st->before == NULL || outcome(st) != NULL || storage == NULL ||
	    mib_row_number(st->before, storage, MIB_ST_NON_VOLATILE) != MIB_ST_PERMANENT)
		return MIB_OK;
	mib_diag_set(d, st->shelf->status, st->index, st->index_len,
		     "the row is permanent (RFC 2579 StorageType)");
	return refuse(st, st->shelf->status, MIB_INCONSISTENT_VALUE, d);
}

static enum mib_err judge(const struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	const struct mib_change change = { st->shelf->table, st->before, st->after };
	const struct mib_row *r = outcome(st);
	const struct mib_column *at = NULL;
	enum mib_err err = judge_assigned(t, st, d);

	if (err == MIB_OK)
		err = judge_storage(st, d);
	if (err != MIB_OK)
		return err;
	/* Also when nothing changes: notInService is refused while the row is notReady. */
	if (r != NULL && ((!st->same && r->active) ||
			  (st->rule != NULL && st->rule->needs == MIB_RS_NEEDS_COMPLETE))) {
		err = mib_row_check_active(&t->view, r, &at, d);
		st->excused = err != MIB_OK && mib_txn_may_stay_lost(t, st);
		if (err != MIB_OK && !st->excused)
			return refuse(st, at, err, d);
	}
	if (st->same)
		return MIB_OK;
	if (st->before != NULL && st->before->active && (r == NULL || !r->active)) {
		err = mib_refs_check_leave(&t->view, st->before, d);
		if (err != MIB_OK)
			return refuse(st, st->shelf->status, err, d);
	}
	if (r != NULL) {
		err = mib_refs_check_nesting(&t->view, r, &at, d);
		if (err != MIB_OK)
			return refuse(st, at, err, d);
	}
	if (st->shelf->special != NULL && st->shelf->special->judge != NULL) {
		err = st->shelf->special->judge(t, &change, d);
		if (err != MIB_OK)
			return refuse(st, NULL, err, d);
	}
	return judge_users(t, st, d);
}

/* All that commit and undo need, so that neither allocates. */
static enum mib_err collect(struct mib_txn *t, struct mib_diag *d)
{
	struct mib_staged *st;
	size_t n = 0;

	RB_FOREACH(st, mib_staged_tree, &t->staged)
		n += st->same ? 0 : 1;
	RB_FOREACH(st, mib_staged_tree, &t->staged) {
		if (st->after != NULL && !mib_shelf_reserve(st->shelf, n)) {
			mib_diag_set(d, NULL, NULL, 0, "out of memory");
			return MIB_RESOURCE_UNAVAILABLE;
		}
	}
	t->changes = mib_alloc(n, sizeof(t->changes[0]));
	t->durable = mib_alloc(n, sizeof(t->durable[0]));
	if (t->changes == NULL || t->durable == NULL) {
		mib_diag_set(d, NULL, NULL, 0, "out of memory");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	RB_FOREACH(st, mib_staged_tree, &t->staged) {
		struct mib_change c = { st->shelf->table, st->before, st->after };

		if (st->same)
			continue;
		t->changes[t->n_changes++] = c;
		if (c.before != NULL && !mib_row_is_durable(c.before))
			c.before = NULL;
		if (c.after != NULL && !mib_row_is_durable(c.after))
			c.after = NULL;
		if (c.before != NULL || c.after != NULL)
			t->durable[t->n_durable++] = c;
	}
	return MIB_OK;
}

enum mib_err mib_txn_prepare(struct mib_txn *t, struct mib_diag *d)
{
	struct mib_staged *st;
	enum mib_err err;

	if (t->state != MIB_TXN_OPEN) {
		mib_diag_set(d, NULL, NULL, 0, "the transaction has been prepared already");
		return MIB_GEN_ERR;
	}
	t->state = MIB_TXN_PREPARING;
	if (d != NULL)
		d->varbind = 0;
	err = work_out(t, d);
	for (st = TAILQ_FIRST(&t->order); err == MIB_OK && st != NULL; st = TAILQ_NEXT(st, order))
		err = judge(t, st, d);
	if (err == MIB_OK)
		err = mib_txn_lose_excused(t, d);
	if (err == MIB_OK)
		err = collect(t, d);
	if (err != MIB_OK) {
		t->state = MIB_TXN_ENDED;
		mib_txn_refused(t);
		return err;
	}
	t->state = MIB_TXN_PREPARED;
	return MIB_OK;
}
