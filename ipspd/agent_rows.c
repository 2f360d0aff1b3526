/*
 * ipspd/agent_rows.c - ipspdProblemTable: the rows of all tables that are not in force, and why.
 *
 * What is told is a picture of one moment, so that GETNEXT finds its place in it at any size. It is taken
 * anew when somebody reads after a change; not more often than that taking it costs a tenth of the time. A
 * row that was in the one before keeps its number.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"

#define REST 10	/* times as long as the last picture took to take */
#define CHEAP_US 5000	/* one that takes less is taken whenever rows have changed */
#define OLD_US 5000000	/* SAs end by themselves */

enum { STATE_NOT_IN_SERVICE = 1, STATE_NOT_READY = 2, STATE_LOST = 3, STATE_NOT_IN_FORCE = 4 };

/* One row, in one piece of memory. */
struct not_in_force {
	const struct mib_table *table;
	uint32_t order;		/* as found: of two of one row the first stays */
	uint32_t number;	/* its index */
	uint8_t state;
	uint8_t index_len;
	char *reason;
	uint32_t index[];
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The row's pointer, as its table's first column has it. @return false: too long */
static bool pointer_of(const struct not_in_force *n, struct mib_oid *out)
{
	size_t first = 0;

	while (first < n->table->n_columns && n->table->columns[first].access < MIB_ACC_READ)
		first++;
	*out = (struct mib_oid){ 0 };
	return first < n->table->n_columns &&
	       mib_oid_append(out, n->table->entry_oid, n->table->entry_oid_len) &&
	       mib_oid_append(out, &n->table->columns[first].id, 1) &&
	       mib_oid_append(out, n->index, n->index_len);
}

static int row_cmp(const struct not_in_force *a, const struct not_in_force *b)
{
	if (a->table != b->table)
		return a->table->number < b->table->number ? -1 : 1;
	return mib_oid_cmp(a->index, a->index_len, b->index, b->index_len);
}

static int sort_cmp(const void *x, const void *y)
{
	const struct not_in_force *a = *(struct not_in_force *const *)x;
	const struct not_in_force *b = *(struct not_in_force *const *)y;
	const int c = row_cmp(a, b);

	return c != 0 ? c : a->order < b->order ? -1 : a->order > b->order;
}

static int number_cmp(const void *x, const void *y)
{
	const struct not_in_force *a = *(struct not_in_force *const *)x;
	const struct not_in_force *b = *(struct not_in_force *const *)y;

	return a->number < b->number ? -1 : a->number > b->number;
}

/* ---- taking the picture ---- */

static void item_free(struct not_in_force *n)
{
	if (n)
		free(n->reason);
	free(n);
}

static void picture_fini(struct picture *p)
{
	for (size_t i = 0; i < p->n; i++)
		item_free(p->list[i]);
	free(p->list);
	free(p->by_number);
	*p = (struct picture){ 0 };
}

static bool add(struct picture *p, const struct mib_row *r, int state, const char *reason)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	struct not_in_force *n, **grown;

	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;

		grown = reallocarray(p->list, cap, sizeof(*grown));
		if (!grown)
			return false;
		p->list = grown;
		p->cap = cap;
	}
	n = calloc(1, sizeof(*n) + len * sizeof(index[0]));
	if (n)
		n->reason = strdup(reason);
	if (!n || !n->reason) {
		item_free(n);
		return false;
	}
	n->table = mib_row_table(r);
	n->order = (uint32_t)p->n;
	n->state = (uint8_t)state;
	n->index_len = (uint8_t)len;
	memcpy(n->index, index, len * sizeof(index[0]));
	p->list[p->n++] = n;
	return true;
}

static int state_of(const struct mib_view *v, const struct mib_row *r)
{
	if (mib_row_lost(r))
		return STATE_LOST;
	if (mib_row_active(r))
		return STATE_NOT_IN_FORCE;
	return mib_row_status(v, r, NULL) == MIB_RS_NOT_READY ? STATE_NOT_READY :
								STATE_NOT_IN_SERVICE;
}

/* Every row of every table that can be out of force. */
static bool see_rows(struct agent *a, struct picture *p)
{
	const struct mib_view *v = mib_store_view(a->store);
	char reason[POL_STATUS_TEXT];

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		const struct mib_row *r;
		struct mib_oid at;

		if (t->augments || !mib_table_column_tc(t, MIB_TC_ROW_STATUS) ||
		    t == &mib_t_ipspdJobTable)
			continue;
		for (r = mib_view_next(v, t, NULL, NULL); r; r = mib_view_next(v, t, NULL, &at)) {
			mib_row_index_copy(r, &at);
			if (!pol_status_row(a->pol_status, r, reason) &&
			    !add(p, r, state_of(v, r), reason))
				return false;
		}
	}
	return true;
}

static bool see_named(struct agent *a, struct picture *p, const struct mib_table *t,
		      const char *name, const char *reason)
{
	const struct mib_value part = mib_value_octets(name, strlen(name));
	const struct mib_row *r;
	struct mib_oid index;

	if (!name[0] || !mib_index_encode(t, &part, 1, &index))
		return true;
	r = mib_view_row(mib_store_view(a->store), t, index.ids, index.len);
	return !r || !mib_row_active(r) || add(p, r, STATE_NOT_IN_FORCE, reason);
}

static bool see_starts(struct agent *a, struct picture *p, const struct pol_conn_key *k,
		       const char *reason)
{
	const struct mib_view *const v = mib_store_view(a->store);

	for (size_t i = 0; i < k->n_uses; i++) {
		const uint32_t index = k->uses[i].autostart;
		const struct mib_row *const r = k->uses[i].rule[0] ? NULL :
			mib_view_row(v, &mib_t_ipiaAutostartIkeTable, &index, 1);

		if (r && mib_row_active(r) && !add(p, r, STATE_NOT_IN_FORCE, reason))
			return false;
	}
	return true;
}

/* Actions of connections that cannot be negotiated, and what is to start them. */
static bool see_connections(struct agent *a, struct picture *p)
{
	const struct pol_conn_set *set = connections_set(a);
	const struct mib_view *v = mib_store_view(a->store);
	bool good = set != NULL;

	for (size_t i = 0; good && i < set->n_keys; i++) {
		const struct pol_conn_key *k = &set->keys[i];
		struct pol_connection *c;
		struct ike_wire_conn wire;
		const char *reason;

		if (!pol_connection_make(v, k, &c))
			return false;
		reason = agent_ike_compile(v, k, c, &wire);
		if (!reason) {
			ike_conn_unref(wire.conn);
			reason = agent_ike_fault(a, k->ipsec, k->ike);
		}
		if (reason)
			good = see_named(a, p, &mib_t_ipiaIpsecActionTable, k->ipsec, reason) &&
			       see_named(a, p, &mib_t_ipiaIkeActionTable, k->ike, reason) &&
			       see_starts(a, p, k, reason);
		pol_connection_free(c);
	}
	return good;
}

/* One row may have been found in more than one way: the first stays. */
static void drop_doubles(struct picture *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (kept > 0 && row_cmp(p->list[kept - 1], p->list[i]) == 0)
			item_free(p->list[i]);
		else
			p->list[kept++] = p->list[i];
	}
	p->n = kept;
}

/* Numbers: those of the picture before, and new ones. @return false: no memory */
static bool number_all(struct rows_seen *seen, struct picture *p)
{
	const struct picture *old = &seen->picture;
	size_t k = 0;

	p->by_number = calloc(p->n + 1, sizeof(*p->by_number));
	if (!p->by_number)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		while (k < old->n && row_cmp(old->list[k], p->list[i]) < 0)
			k++;
		if (k < old->n && row_cmp(old->list[k], p->list[i]) == 0)
			p->list[i]->number = old->list[k]->number;
		else
			p->list[i]->number = ++seen->last_number;
		p->by_number[i] = p->list[i];
	}
	if (p->n > 0)
		qsort(p->by_number, p->n, sizeof(*p->by_number), number_cmp);
	return true;
}

static bool is_fresh(const struct agent *a, const struct picture *p)
{
	return p->generation == mib_store_generation(a->store) &&
	       p->applied == agent_applied_generation(a) &&
	       p->told == pol_status_changes(a->pol_status);
}

static void look(struct agent *a)
{
	struct rows_seen *seen = &a->rows_seen;
	const uint64_t began_us = now_us();
	uint64_t took_us;
	struct picture p = {
		.taken = true,
		.generation = mib_store_generation(a->store),
		.applied = agent_applied_generation(a),
		.told = pol_status_changes(a->pol_status),
	};

	if (seen->picture.taken &&
	    ((is_fresh(a, &seen->picture) && began_us < seen->old_us) ||
	     began_us < seen->next_us))
		return;
	if (!see_rows(a, &p) || !see_connections(a, &p)) {
		picture_fini(&p);	/* no memory: the old one stays */
		return;
	}
	if (p.n > 0)
		qsort(p.list, p.n, sizeof(*p.list), sort_cmp);
	drop_doubles(&p);
	if (!number_all(seen, &p)) {
		picture_fini(&p);
		return;
	}
	picture_fini(&seen->picture);
	seen->picture = p;
	took_us = now_us() - began_us;
	seen->old_us = began_us + took_us + OLD_US;
	seen->next_us = took_us < CHEAP_US ? 0 : began_us + (REST + 1) * took_us;
}

/* ---- reading ---- */

/* The first with that number or a higher one. */
static size_t seek(const struct picture *p, uint32_t number)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (p->by_number[mid]->number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool next_problem(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	struct agent *a = (struct agent *)arg;
	const struct picture *p = &a->rows_seen.picture;
	size_t at = 0;

	look(a);
	if (after && after->len > 0) {
		if (after->ids[0] == UINT32_MAX)
			return false;
		at = seek(p, after->ids[0] + 1);
	}
	if (at >= p->n)
		return false;
	*out = (struct mib_oid){ .len = 1, .ids = { p->by_number[at]->number } };
	return true;
}

static struct mib_value text_of(const char *text)
{
	return mib_value_octets(text, strlen(text));
}

static enum mib_err read_problem(void *arg, const struct mib_column *col, const uint32_t *index,
				 size_t len, struct mib_value *out)
{
	struct agent *a = (struct agent *)arg;
	struct rows_seen *seen = &a->rows_seen;
	const struct not_in_force *n;
	size_t at;

	look(a);
	at = len == 1 ? seek(&seen->picture, index[0]) : seen->picture.n;
	n = at < seen->picture.n ? seen->picture.by_number[at] : NULL;
	if (!n || n->number != index[0])
		return MIB_NO_SUCH_INSTANCE;
	switch (col->pos) {
	case MIB_C_ipspdProblemRow:
		if (!pointer_of(n, &seen->pointer))
			return MIB_NO_SUCH_INSTANCE;
		*out = mib_value_oid(seen->pointer.ids, seen->pointer.len);
		return MIB_OK;
	case MIB_C_ipspdProblemObject:
		*out = text_of(n->table->name);
		return MIB_OK;
	case MIB_C_ipspdProblemIndex:
		mib_index_print(n->table, n->index, n->index_len, seen->text, sizeof(seen->text));
		*out = text_of(seen->text);
		return MIB_OK;
	case MIB_C_ipspdProblemState:
		*out = mib_value_integer(n->state);
		return MIB_OK;
	case MIB_C_ipspdProblemReason:
		*out = text_of(n->reason);
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

static enum mib_err read_count(void *arg, const struct mib_column *col, const uint32_t *index,
			       size_t len, struct mib_value *out)
{
	struct agent *a = (struct agent *)arg;

	(void)index;
	(void)len;
	if (col->pos != MIB_C_ipspdRowsNotInForce)
		return MIB_NO_SUCH_INSTANCE;
	look(a);
	*out = mib_value_unsigned((uint32_t)a->rows_seen.picture.n);
	return MIB_OK;
}

enum mib_err rows_add(struct agent *a)
{
	struct rows_seen *seen = &a->rows_seen;
	enum mib_err err;

	seen->source = (struct mib_source){ .table = &mib_t_ipspdProblemTable,
					    .next = next_problem, .read = read_problem, .arg = a };
	seen->count = (struct mib_source){ .table = &mib_t_ipspdConnections, .read = read_count,
					   .arg = a };
	err = mib_store_add_source(a->store, &seen->source);
	return err == MIB_OK ? mib_store_add_source(a->store, &seen->count) : err;
}

void rows_fini(struct agent *a)
{
	picture_fini(&a->rows_seen.picture);
}
