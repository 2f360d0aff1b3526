/*
 * mibs/txn_commit.c - makes a prepared transaction durable and visible, and takes it back.
 *
 * RFC 2741 7.2.4.2, 7.2.4.3. Nothing here allocates, so after the journal has answered nothing can
 * fail. Rows of both versions live until the transaction is done.
 */
#include "mibs/special.h"
#include "mibs/store_int.h"

static struct mib_row *writable(const struct mib_row *r)
{
	return (struct mib_row *)(uintptr_t)r;
}

static void exchange(struct mib_txn *t)
{
	struct mib_store *s = t->store;

	for (size_t i = 0; i < t->n_changes; i++) {
		if (t->changes[i].before != NULL)
			mib_store_remove(s, writable(t->changes[i].before));
	}
	for (size_t i = 0; i < t->n_changes; i++) {
		if (t->changes[i].after != NULL)
			mib_store_insert(s, writable(t->changes[i].after));
	}
}

static void announce(struct mib_txn *t, uint64_t now_cs)
{
	struct mib_store *s = t->store;

	for (size_t i = 0; i < t->n_changes; i++) {
		const struct mib_shelf *shelf = mib_store_shelf(s, t->changes[i].table);

		if (shelf->special != NULL && shelf->special->committed != NULL)
			shelf->special->committed(&s->view, &t->changes[i], now_cs);
	}
	s->generation++;
	if (t->n_durable > 0)
		s->on_disk = s->generation;
	for (size_t i = 0; i < s->n_listeners; i++)
		s->listeners[i]->committed(s->listeners[i]->arg, s->generation, t->changes,
					   t->n_changes);
}

static enum mib_err journal_write(const struct mib_txn *t, struct mib_diag *d)
{
	const struct mib_journal *j = t->store->journal;

	if (j == NULL)
		return MIB_OK;
	/* Also when all rows are volatile: their generation must not be given again. */
	return j->write(j->arg, t->store->generation + 1, t->durable, t->n_durable, d);
}

enum mib_err mib_txn_commit(struct mib_txn *t, struct mib_diag *d)
{
	const uint64_t now_cs = t->store->boottime_cs();

	if (t->state != MIB_TXN_PREPARED) {
		mib_diag_set(d, NULL, NULL, 0, "the transaction has not been prepared");
		return MIB_GEN_ERR;
	}
	if (t->n_changes > 0 && journal_write(t, d) != MIB_OK) {
		t->state = MIB_TXN_ENDED;
		mib_txn_refused(t);
		return MIB_COMMIT_FAILED;
	}
	t->state = MIB_TXN_COMMITTED;
	if (t->n_changes == 0)
		return MIB_OK;
	for (size_t i = 0; i < t->n_changes; i++) {
		if (t->changes[i].after != NULL)
			writable(t->changes[i].after)->changed_cs = now_cs;
	}
	/* The versions' edges move to the store's tree, all of them. */
	RB_INIT(&t->edges);
	mib_txn_unpark(t);
	t->view.txn = NULL;
	exchange(t);
	announce(t, now_cs);
	return MIB_OK;
}

static void reverse(struct mib_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct mib_row *after = changes[i].after;

		changes[i].after = changes[i].before;
		changes[i].before = after;
	}
}

enum mib_err mib_txn_undo(struct mib_txn *t, struct mib_diag *d)
{
	if (t->state != MIB_TXN_COMMITTED) {
		mib_diag_set(d, NULL, NULL, 0, "the transaction has not been committed");
		return MIB_GEN_ERR;
	}
	if (t->n_changes == 0) {
		t->state = MIB_TXN_ENDED;
		return MIB_OK;
	}
	reverse(t->durable, t->n_durable);
	if (journal_write(t, d) != MIB_OK) {
		reverse(t->durable, t->n_durable);
		mib_txn_refused(t);
		return MIB_UNDO_FAILED;
	}
	reverse(t->changes, t->n_changes);
	t->state = MIB_TXN_ENDED;
	exchange(t);
	announce(t, t->store->boottime_cs());
	return MIB_OK;
}
