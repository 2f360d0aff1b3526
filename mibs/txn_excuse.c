/*
 * mibs/txn_excuse.c - rows that a file says are active and that lack their secret: they come in
 * lost (mib_row_lost) instead of being refused, and so does what refers to them.
 *
 * They count as active until everything has been judged, so that whatever else is wrong with a file
 * is still refused. Only then are they taken out of force, and after them, link by link, what cannot
 * be active without them.
 */
#include "mibs/meaning.h"
#include "mibs/store_int.h"

static bool has_value(const struct mib_row *r, const struct mib_column *col)
{
	struct mib_value v;

	return mib_row_get(r, col, &v) && (v.syntax != MIB_SYN_OCTETS || v.octets.len > 0);
}

/* A column is a secret in this row and has no value; no other mandatory one has none. */
static bool lacks_secret_only(const struct mib_view *v, const struct mib_row *r)
{
	const struct mib_shelf *shelf = r->shelf;
	bool lacks = false;

	for (size_t slot = 0; slot < shelf->n_slots; slot++) {
		const struct mib_meaning *m = shelf->meanings[slot];

		if (m == NULL || has_value(r, shelf->cols[slot]))
			continue;
		if (mib_meaning_may_be_secret(m) && m->is_secret(v, r))
			lacks = true;
		else if (m->mandatory && !mib_row_get(r, shelf->cols[slot], &(struct mib_value){ 0 }))
			return false;
	}
	return lacks;
}

static bool refers_to_excused(const struct mib_txn *t, const struct mib_row *r)
{
	for (size_t i = 0; i < r->shelf->n_refs_out; i++) {
		const struct mib_ref *ref = r->shelf->refs_out[i];
		struct mib_ref_target to;

		if (ref->list != NULL || mib_ref_resolve(ref, r, &to) != MIB_REF_AIMS)
			continue;
		for (size_t k = 0; k < to.n_tables; k++) {
			const struct mib_row *row = mib_view_row(&t->view, to.table[k], to.key.ids,
								 to.key.len);

			if (row != NULL && mib_txn_excuses(t, row))
				return true;
		}
	}
	return false;
}

bool mib_txn_excuses(const struct mib_txn *t, const struct mib_row *r)
{
	const struct mib_staged *st = mib_txn_find(t, r->shelf, r->index, r->index_len);
	const struct mib_column *at;

	if (!t->may_lack_secrets || st == NULL || st->after != r || !r->active)
		return false;
	if (st->before != NULL && st->before->active)
		return false;
	return lacks_secret_only(&t->view, r) && mib_refs_check(&t->view, r, &at, NULL) == MIB_OK;
}

bool mib_txn_may_stay_lost(const struct mib_txn *t, const struct mib_staged *st)
{
	const struct mib_row *r = st->after;
	const struct mib_column *at;

	if (!t->may_lack_secrets || r == NULL || !r->active)
		return false;
	if (st->before != NULL && mib_row_lost(st->before))
		return true;
	if (mib_txn_excuses(t, r))
		return true;
	/* What a binder asks of a secret, as a key's length, is asked in vain while it is missing. */
	return mib_refs_check(&t->view, r, &at, NULL) == MIB_OK && refers_to_excused(t, r);
}

/* Out of force and lost, with its edges in the order that this makes; or as it was before. */
static enum mib_err lose(struct mib_txn *t, struct mib_staged *st, struct mib_diag *d)
{
	mib_edges_remove(&t->edges, st->after);
	st->indexed = false;
	st->after->active = false;
	st->after->lost = st->before != NULL && mib_row_lost(st->before) ? st->before->lost :
									   MIB_LOST_TARGET;
	return mib_txn_settle_edges(t, st, d);
}

/* An active row outside the transaction that refers to this one, or NULL. */
static const struct mib_row *outside_user(const struct mib_txn *t, const struct mib_row *r)
{
	for (size_t i = 0; i < r->shelf->n_refs_in; i++) {
		const struct mib_ref *ref = r->shelf->refs_in[i];
		const uint32_t *key = r->index;
		size_t len = r->index_len;
		const struct mib_edge *e;
		struct mib_edge_walk w;

		if (ref->flags & MIB_REF_EXISTS)
			continue;
		if (ref->list != NULL)
			mib_list_key(ref->list, r, &key, &len);
		mib_edge_walk_start(&w, &t->view, mib_edge_kind_ref(ref), r->shelf->table, key, len,
				    true);
		while ((e = mib_edge_walk_next(&w)) != NULL)
			if (e->source->committed &&
			    mib_txn_find(t, e->source->shelf, e->source->index,
					 e->source->index_len) == NULL)
				return e->source;
	}
	return NULL;
}

/* What was active and refers to a row that was, too: it has to be looked at with the rest. */
static enum mib_err take_users_along(struct mib_txn *t, const struct mib_row *r, struct mib_diag *d)
{
	const struct mib_row *user;
	enum mib_err err = MIB_OK;

	while (err == MIB_OK && (user = outside_user(t, r)) != NULL) {
		err = mib_txn_touch(t, user);
		if (err == MIB_OK)
			err = mib_txn_settle(t, d);
		else
			mib_diag_set(d, NULL, NULL, 0, "out of memory");
	}
	return err;
}

static bool must_go(const struct mib_txn *t, const struct mib_staged *st)
{
	const struct mib_column *at;

	return st->after != NULL && !st->same && st->after->active && st->shelf->status != NULL &&
	       (st->excused || mib_row_check_active(&t->view, st->after, &at, NULL) != MIB_OK);
}

/* What refers to a row that went and stays active all the same keeps it: the whole is refused. */
static enum mib_err check_kept(const struct mib_txn *t, struct mib_diag *d)
{
	struct mib_staged *st;

	TAILQ_FOREACH(st, &t->order, order) {
		enum mib_err err = MIB_OK;

		if (st->before != NULL && st->before->active && st->after != NULL &&
		    mib_row_lost(st->after))
			err = mib_refs_check_leave(&t->view, st->before, d);
		if (err != MIB_OK) {
			if (d != NULL)
				d->varbind = mib_staged_varbind(st, st->shelf->status);
			return err;
		}
	}
	return MIB_OK;
}

enum mib_err mib_txn_lose_excused(struct mib_txn *t, struct mib_diag *d)
{
	bool again = false;
	struct mib_staged *st;

	TAILQ_FOREACH(st, &t->order, order)
		again = again || st->excused;
	/* As many rounds as the longest chain of references has links. */
	while (again) {
		again = false;
		TAILQ_FOREACH(st, &t->order, order) {
			const struct mib_row *was = st->before;
			enum mib_err err;

			if (!must_go(t, st))
				continue;
			again = true;
			st->excused = false;
			err = lose(t, st, d);
			if (err == MIB_OK && was != NULL && was->active)
				err = take_users_along(t, was, d);
			if (err != MIB_OK)
				return err;
		}
	}
	return check_kept(t, d);
}
