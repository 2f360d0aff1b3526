/*
 * policy/build.c - origins and problems that cells say, and the board they stand on: see build.h.
 */
#include "policy/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/ids.h"

#define REASON_MAX 200

/* A growing array of what the cell in work has said; each item with a reference. */
struct saying {
	void **v;
	size_t n, cap;
};

struct pol_build {
	const struct mib_view *view;
	struct pol_board *board;
	struct saying origins;
	struct saying problems;
	int64_t now_s, next_change_s;
	const struct ipsp_addr *addresses;	/* NULL: not known */
	size_t n_addresses;
};

const uint32_t pol_addresses_index[1] = { 0 };

bool pol_build_addresses(const struct pol_build *b, const struct ipsp_addr **v, size_t *n)
{
	(void)mib_view_row(b->view, &mib_t_diffServMultiFieldClfrTable, pol_addresses_index, 1);
	*v = b->addresses;
	*n = b->n_addresses;
	return b->addresses != NULL;
}

void pol_build_set_addresses(struct pol_build *b, const struct ipsp_addr *v, size_t n)
{
	b->addresses = v;
	b->n_addresses = n;
}

static bool say(struct saying *s, void *item)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 8;
		void **v = reallocarray(s->v, cap, sizeof(*v));

		if (!v)
			return false;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = item;
	return true;
}

struct pol_build *pol_build_new(const struct mib_view *v, struct pol_board *board)
{
	struct pol_build *b = calloc(1, sizeof(*b));

	if (b) {
		b->view = v;
		b->board = board;
		b->next_change_s = POL_NEVER;
	}
	return b;
}

void pol_build_begin(struct pol_build *b)
{
	for (size_t i = 0; i < b->origins.n; i++)
		pol_origin_unref(b->origins.v[i]);
	for (size_t i = 0; i < b->problems.n; i++)
		pol_problem_unref(b->problems.v[i]);
	b->origins.n = b->problems.n = 0;
}

void pol_build_free(struct pol_build *b)
{
	if (!b)
		return;
	pol_build_begin(b);
	free(b->origins.v);
	free(b->problems.v);
	free(b);
}

void pol_build_set_now(struct pol_build *b, int64_t now_s)
{
	b->now_s = now_s;
}

int64_t pol_build_now(const struct pol_build *b)
{
	return b->now_s;
}

void pol_build_changes_at(struct pol_build *b, int64_t at_s)
{
	if (at_s < b->next_change_s)
		b->next_change_s = at_s;
}

int64_t pol_build_next_change(const struct pol_build *b)
{
	return b->next_change_s;
}

void pol_build_set_next_change(struct pol_build *b, int64_t at_s)
{
	b->next_change_s = at_s;
}

const struct mib_view *pol_build_view(const struct pol_build *b)
{
	return b->view;
}

/* ---- the board ---- */

/* One more cell says the same as o: gives the one that stands there. NULL: no memory */
static struct pol_origin *put_origin(struct pol_board *board, struct pol_origin *o)
{
	struct pol_origin *there = pol_map_find(&board->origins, o);

	if (!there && pol_map_put(&board->origins, o))
		there = o;
	if (there)
		there->uses++;
	return there;
}

static struct pol_problem *put_problem(struct pol_board *board, struct pol_problem *p)
{
	struct pol_problem *there = pol_map_find(&board->problems, p);

	if (!there && pol_map_put(&board->problems, p))
		there = p;
	if (there)
		there->uses++;
	return there;
}

static bool take_back(struct pol_board *board, struct pol_said *said)
{
	bool good = true;

	for (size_t i = 0; i < said->n_origins; i++) {
		struct pol_origin *o = said->items[i];

		if (--o->uses == 0)
			good = pol_map_remove(&board->origins, o) && good;
	}
	for (size_t i = 0; i < said->n_problems; i++) {
		struct pol_problem *p = said->items[said->n_origins + i];

		if (--p->uses == 0)
			good = pol_map_remove(&board->problems, p) && good;
	}
	free(said->items);
	*said = (struct pol_said){ 0 };
	return good;
}

bool pol_build_end(struct pol_build *b, struct pol_said *said)
{
	struct pol_said now = { 0 };
	size_t n = b->origins.n + b->problems.n;
	bool good = true;

	now.items = n > 0 ? calloc(n, sizeof(*now.items)) : NULL;
	if (n > 0 && !now.items)
		return false;
	for (size_t i = 0; good && i < b->origins.n; i++) {
		now.items[i] = put_origin(b->board, b->origins.v[i]);
		now.n_origins += now.items[i] != NULL;
		good = now.items[i] != NULL;
	}
	for (size_t i = 0; good && i < b->problems.n; i++) {
		now.items[now.n_origins + i] = put_problem(b->board, b->problems.v[i]);
		now.n_problems += now.items[now.n_origins + i] != NULL;
		good = now.items[now.n_origins + i] != NULL;
	}
	good = take_back(b->board, said) && good;
	*said = now;
	pol_build_begin(b);
	return good;
}

bool pol_build_forget(struct pol_build *b, struct pol_said *said)
{
	return take_back(b->board, said);
}

/* ---- saying ---- */

/* An id may be another row's, if a person took pains: then the next one. 0: no memory. */
static uint64_t id_of(const struct pol_build *b, const struct mib_table *t, const uint32_t *index,
		      size_t len, const struct pol_origin **there)
{
	for (uint32_t salt = 0;; salt++) {
		uint64_t id = pol_id_of_row(t, index, len, salt);

		*there = id ? pol_origins_find(&b->board->origins, id) : NULL;
		if (!*there || pol_origin_is(*there, t, index, len))
			return id;
	}
}

/* name NULL: that of the row. */
static struct pol_origin *origin_of(struct pol_build *b, const struct mib_table *t,
				    const uint32_t *index, size_t len, const char *name)
{
	const struct pol_origin *there;
	struct pol_origin *o;
	uint64_t id;

	for (size_t i = 0; i < b->origins.n; i++)
		if (pol_origin_is(b->origins.v[i], t, index, len))
			return b->origins.v[i];
	id = id_of(b, t, index, len, &there);
	o = id ? pol_origin_new(id, t, index, len, name) : NULL;
	if (o && !say(&b->origins, o)) {
		pol_origin_unref(o);
		o = NULL;
	}
	return o;
}

struct pol_origin *pol_build_origin(struct pol_build *b, const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return origin_of(b, mib_row_table(r), index, len, NULL);
}

struct pol_origin *pol_build_scalar(struct pol_build *b, const struct mib_column *scalar)
{
	const uint32_t index[] = { scalar->id, 0 };
	char name[POL_ROW_TEXT];
	struct pol_origin *o;

	snprintf(name, sizeof(name), "%s.0", scalar->name);
	o = origin_of(b, scalar->table, index, 2, name);
	if (o)
		o->scalar = scalar;
	return o;
}

static bool origin_there(const struct pol_build *b, const struct mib_row *r,
			 const struct pol_origin **there)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return id_of(b, mib_row_table(r), index, len, there) != 0;
}

bool pol_build_sa(const struct pol_build *b, const struct mib_row *r, uint64_t *id,
		  uint64_t *sa_id)
{
	const struct pol_origin *there;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	*id = id_of(b, mib_row_table(r), index, len, &there);
	*sa_id = there ? there->sa_id : 0;
	return *id != 0;
}

bool pol_build_has_origin(const struct pol_build *b, const struct mib_row *r, bool *has)
{
	const struct pol_origin *there;

	if (!origin_there(b, r, &there))
		return false;
	*has = there != NULL;
	return true;
}

bool pol_build_problem(struct pol_build *b, const struct mib_row *r, const char *fmt, ...)
{
	const struct mib_table *t = mib_row_table(r);
	char reason[REASON_MAX];
	struct pol_problem *p;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	va_list ap;

	for (size_t i = 0; i < b->problems.n; i++) {
		p = b->problems.v[i];
		if (p->table == t && mib_oid_cmp(p->index.ids, p->index.len, index, len) == 0)
			return true;
	}
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	p = pol_problem_new(t, index, len, reason);
	if (p && !say(&b->problems, p)) {
		pol_problem_unref(p);
		p = NULL;
	}
	return p != NULL;
}

bool pol_build_lost(struct pol_build *b, const struct mib_row *r)
{
	char why[POL_LOST_TEXT];

	return pol_build_problem(b, r, "%s", pol_lost_reason(pol_build_view(b), r, why));
}
