/*
 * tests/unit/agentx/fake_store.c - a store that does as the test says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/agentx/fake_store.h"

static void note(struct mib_store *s, const char *call)
{
	const size_t len = strlen(s->calls);

	snprintf(s->calls + len, sizeof(s->calls) - len, "%s%s", len ? " " : "", call);
}

/** Lets the first in line try. */
static void next_in_line(struct mib_store *s)
{
	struct mib_waiter *w = s->line;

	if (!w)
		return;
	s->line = w->next;
	w->free(w);
}

void fake_release(struct mib_store *s)
{
	s->is_taken = false;
	next_in_line(s);
}

enum mib_err mib_get(struct mib_store *s, const uint32_t *oid, size_t len, struct mib_value *out)
{
	for (size_t i = 0; i < s->n_instances; i++) {
		const struct fake_instance *in = &s->instances[i];

		if (mib_oid_cmp(in->oid, in->len, oid, len) == 0) {
			*out = in->value;
			return in->err;
		}
	}
	return len > 8 ? MIB_NO_SUCH_INSTANCE : MIB_NO_SUCH_OBJECT;
}

enum mib_err mib_next(struct mib_store *s, const uint32_t *oid, size_t len, bool include,
		      const uint32_t *end, size_t end_len, struct mib_oid *name,
		      struct mib_value *out)
{
	for (size_t i = 0; i < s->n_instances; i++) {
		const struct fake_instance *in = &s->instances[i];
		const int cmp = mib_oid_cmp(in->oid, in->len, oid, len);

		if (cmp < 0 || (cmp == 0 && !include))
			continue;
		if (end_len && mib_oid_cmp(in->oid, in->len, end, end_len) >= 0)
			break;
		name->len = in->len;
		memcpy(name->ids, in->oid, in->len * sizeof(*in->oid));
		*out = in->value;
		return in->err;
	}
	return MIB_END_OF_VIEW;
}

enum mib_err mib_txn_begin(struct mib_store *s, enum mib_door door, const char *who,
			   struct mib_txn **out)
{
	(void)door;
	if (s->is_taken || s->open) {
		note(s, "busy");
		return MIB_BUSY;
	}
	note(s, "begin");
	snprintf(s->who, sizeof(s->who), "%s", who);
	if (s->begin != MIB_OK)
		return s->begin;
	s->open = calloc(1, sizeof(*s->open));
	if (!s->open)
		abort();
	s->open->store = s;
	*out = s->open;
	return MIB_OK;
}

enum mib_err mib_txn_set(struct mib_txn *t, const uint32_t *oid, size_t len,
			 const struct mib_value *v, struct mib_diag *d)
{
	(void)oid;
	(void)len;
	note(t->store, "set");
	t->store->last_syntax = v->syntax;
	if (++t->n_set == t->store->set_fails_at) {
		mib_diag_set(d, NULL, NULL, 0, "as the test says");
		return t->store->set;
	}
	return MIB_OK;
}

enum mib_err mib_txn_prepare(struct mib_txn *t, struct mib_diag *d)
{
	note(t->store, "prepare");
	d->varbind = t->store->prepare_varbind;
	return t->store->prepare;
}

enum mib_err mib_txn_commit(struct mib_txn *t, struct mib_diag *d)
{
	(void)d;
	note(t->store, "commit");
	return t->store->commit;
}

enum mib_err mib_txn_undo(struct mib_txn *t, struct mib_diag *d)
{
	(void)d;
	note(t->store, "undo");
	return t->store->undo;
}

void mib_txn_done(struct mib_txn *t)
{
	struct mib_store *s = t->store;

	note(s, "done");
	if (t != s->open)
		abort();
	s->open = NULL;
	free(t);
	next_in_line(s);
}

void mib_store_when_free(struct mib_store *s, struct mib_waiter *w)
{
	struct mib_waiter **at = &s->line;

	while (*at)
		at = &(*at)->next;
	w->next = NULL;
	*at = w;
}

void mib_store_forget_waiter(struct mib_store *s, struct mib_waiter *w)
{
	for (struct mib_waiter **at = &s->line; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			return;
		}
	}
}

void mib_store_set_master_start(struct mib_store *s, uint64_t boottime_cs)
{
	s->master_start_cs = boottime_cs;
	s->master_starts++;
}
