/*
 * policy/vmap.c - versions of ordered sets: see vmap.h.
 *
 * Bodies and blocks are counted. What only one handle has is changed in place, anything else is
 * copied first; so a long row of changes to a new version copies each block once.
 */
#include "policy/vmap.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ITEMS 64u

struct block {
	uint32_t refs;
	uint32_t n;
	void *items[BLOCK_ITEMS];
};

struct slot {
	struct block *block;
	size_t start;		/* items before this block */
};

struct pol_map_body {
	uint32_t refs;
	size_t n;		/* slots; none is empty */
	size_t cap;
	size_t count;		/* items */
	struct slot slots[];
};

/* ---- blocks and bodies ---- */

static void block_unref(const struct pol_map_type *type, struct block *b)
{
	if (--b->refs > 0)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		type->unref(b->items[i]);
	free(b);
}

/* The block in that slot, and nobody else's. NULL: no memory. */
static struct block *own_block(const struct pol_map_type *type, struct slot *slot)
{
	struct block *b = slot->block;
	struct block *copy;

	if (b->refs == 1)
		return b;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	memcpy(copy, b, sizeof(*copy));
	copy->refs = 1;
	for (uint32_t i = 0; i < copy->n; i++)
		type->ref(copy->items[i]);
	b->refs--;
	slot->block = copy;
	return copy;
}

static struct pol_map_body *body_new(size_t cap)
{
	struct pol_map_body *body = malloc(sizeof(*body) + cap * sizeof(body->slots[0]));

	if (body)
		*body = (struct pol_map_body){ .refs = 1, .cap = cap };
	return body;
}

static void body_unref(const struct pol_map_type *type, struct pol_map_body *body)
{
	if (!body || --body->refs > 0)
		return;
	for (size_t i = 0; i < body->n; i++)
		block_unref(type, body->slots[i].block);
	free(body);
}

/* A body of m alone with room for one slot more. @return false: no memory */
static bool own_body(struct pol_map *m)
{
	struct pol_map_body *old = m->body, *body;
	size_t n = old ? old->n : 0;

	if (old && old->refs == 1 && n < old->cap)
		return true;
	body = body_new(n + n / 8 + 8);
	if (!body)
		return false;
	if (old) {
		memcpy(body->slots, old->slots, n * sizeof(body->slots[0]));
		body->n = n;
		body->count = old->count;
		/* An old one of m alone hands its blocks on. */
		if (old->refs > 1) {
			for (size_t i = 0; i < n; i++)
				body->slots[i].block->refs++;
			old->refs--;
		} else {
			free(old);
		}
	}
	m->body = body;
	return true;
}

/* What stands behind slot `from` has moved. */
static void renumber(struct pol_map_body *body, size_t from)
{
	size_t start = from == 0 ? 0 : body->slots[from - 1].start + body->slots[from - 1].block->n;

	for (size_t i = from; i < body->n; i++) {
		body->slots[i].start = start;
		start += body->slots[i].block->n;
	}
	body->count = start;
}

static void drop_slots(const struct pol_map_type *type, struct pol_map_body *body, size_t at,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		block_unref(type, body->slots[at + i].block);
	memmove(&body->slots[at], &body->slots[at + n],
		(body->n - at - n) * sizeof(body->slots[0]));
	body->n -= n;
}

/* ---- places ---- */

/* The last slot that does not begin behind the key; 0 if all do. */
static size_t slot_of(const struct pol_map *m, const void *key)
{
	size_t lo = 1, hi = m->body->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->type->cmp(m->body->slots[mid].block->items[0], key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/* The first item of a block that is not before the key. */
static uint32_t item_of(const struct pol_map_type *type, const struct block *b, const void *key,
			bool *equal)
{
	uint32_t lo = 0, hi = b->n;

	*equal = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = type->cmp(b->items[mid], key);

		if (c == 0) {
			*equal = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- the whole ---- */

struct pol_map pol_map_share(const struct pol_map *m)
{
	if (m->body)
		m->body->refs++;
	return *m;
}

void pol_map_fini(struct pol_map *m)
{
	body_unref(m->type, m->body);
	m->body = NULL;
}

size_t pol_map_count(const struct pol_map *m)
{
	return m->body ? m->body->count : 0;
}

void *pol_map_find(const struct pol_map *m, const void *key)
{
	const struct block *b;
	bool equal;
	uint32_t at;

	if (pol_map_count(m) == 0)
		return NULL;
	b = m->body->slots[slot_of(m, key)].block;
	at = item_of(m->type, b, key, &equal);
	return equal ? b->items[at] : NULL;
}

size_t pol_map_position(const struct pol_map *m, const void *key)
{
	const struct slot *slot;
	bool equal;

	if (pol_map_count(m) == 0)
		return 0;
	slot = &m->body->slots[slot_of(m, key)];
	return slot->start + item_of(m->type, slot->block, key, &equal);
}

/* The slot that holds a position below the count. */
static size_t slot_at(const struct pol_map_body *body, size_t position)
{
	size_t lo = 1, hi = body->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (body->slots[mid].start <= position)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

void *pol_map_at(const struct pol_map *m, size_t position)
{
	struct pol_map_walk w;

	pol_map_walk_start(&w, m, position);
	return pol_map_walk_next(&w);
}

/* ---- changes ---- */

/* Splits a full block, so that there is room on either side. @return false: no memory */
static bool split(struct pol_map *m, size_t at)
{
	struct pol_map_body *body = m->body;
	struct block *b = body->slots[at].block;
	/* Where items come in order, blocks stay full but for the last. */
	uint32_t keep = at + 1 == body->n ? BLOCK_ITEMS - 4 : BLOCK_ITEMS / 2;
	struct block *behind = malloc(sizeof(*behind));

	if (!behind)
		return false;
	*behind = (struct block){ .refs = 1, .n = b->n - keep };
	memcpy(behind->items, &b->items[keep], behind->n * sizeof(b->items[0]));
	b->n = keep;
	memmove(&body->slots[at + 2], &body->slots[at + 1],
		(body->n - at - 1) * sizeof(body->slots[0]));
	body->slots[at + 1].block = behind;
	body->n++;
	renumber(body, at + 1);
	return true;
}

static bool put_first(struct pol_map *m, void *item)
{
	struct block *b = malloc(sizeof(*b));

	if (!b)
		return false;
	*b = (struct block){ .refs = 1, .n = 1, .items = { item } };
	m->type->ref(item);
	m->body->slots[0] = (struct slot){ .block = b };
	m->body->n = 1;
	m->body->count = 1;
	return true;
}

bool pol_map_put(struct pol_map *m, void *item)
{
	struct block *b;
	uint32_t i;
	size_t at;
	bool equal;

	if (!own_body(m))
		return false;
	if (m->body->n == 0)
		return put_first(m, item);
	at = slot_of(m, item);
	b = own_block(m->type, &m->body->slots[at]);
	if (!b)
		return false;
	i = item_of(m->type, b, item, &equal);
	if (equal) {
		m->type->ref(item);
		m->type->unref(b->items[i]);
		b->items[i] = item;
		return true;
	}
	if (b->n == BLOCK_ITEMS) {
		if (!split(m, at))
			return false;
		if (i > b->n) {
			i -= b->n;
			b = m->body->slots[++at].block;
		}
	}
	memmove(&b->items[i + 1], &b->items[i], (b->n - i) * sizeof(b->items[0]));
	b->items[i] = item;
	b->n++;
	m->type->ref(item);
	renumber(m->body, at + 1);
	return true;
}

/* Small neighbours become one block. Without memory they stay two, which is as good. */
static void join(struct pol_map *m, size_t at)
{
	struct pol_map_body *body = m->body;
	struct block *a, *b;

	if (at + 1 >= body->n || body->slots[at].block->n + body->slots[at + 1].block->n >
	    BLOCK_ITEMS / 2)
		return;
	a = own_block(m->type, &body->slots[at]);
	b = a ? body->slots[at + 1].block : NULL;
	if (!b)
		return;
	for (uint32_t i = 0; i < b->n; i++) {
		m->type->ref(b->items[i]);
		a->items[a->n++] = b->items[i];
	}
	drop_slots(m->type, body, at + 1, 1);
}

bool pol_map_remove(struct pol_map *m, const void *key)
{
	struct block *b;
	uint32_t i;
	size_t at;
	bool equal;

	if (!pol_map_find(m, key))
		return true;
	if (!own_body(m))
		return false;
	at = slot_of(m, key);
	b = own_block(m->type, &m->body->slots[at]);
	if (!b)
		return false;
	i = item_of(m->type, b, key, &equal);
	m->type->unref(b->items[i]);
	b->n--;
	memmove(&b->items[i], &b->items[i + 1], (b->n - i) * sizeof(b->items[0]));
	if (b->n == 0)
		drop_slots(m->type, m->body, at, 1);
	else
		join(m, at);
	renumber(m->body, at);
	return true;
}

/* ---- walks ---- */

void pol_map_walk_start(struct pol_map_walk *w, const struct pol_map *m, size_t position)
{
	*w = (struct pol_map_walk){ .body = m->body };
	if (position >= pol_map_count(m)) {
		w->slot = m->body ? m->body->n : 0;
		return;
	}
	w->slot = slot_at(m->body, position);
	w->i = position - m->body->slots[w->slot].start;
}

/* What the walk would give next, or NULL. */
static void *peek(const struct pol_map_walk *w)
{
	return w->body && w->slot < w->body->n ? w->body->slots[w->slot].block->items[w->i] : NULL;
}

void *pol_map_walk_next(struct pol_map_walk *w)
{
	void *item = peek(w);

	if (item && ++w->i == w->body->slots[w->slot].block->n) {
		w->slot++;
		w->i = 0;
	}
	return item;
}

void pol_map_diff_start(struct pol_map_diff *d, const struct pol_map *before,
			const struct pol_map *after)
{
	*d = (struct pol_map_diff){ .type = after->type };
	pol_map_walk_start(&d->before, before, 0);
	pol_map_walk_start(&d->after, after, 0);
}

/* Passes over blocks that both have. */
static void skip_common(struct pol_map_diff *d)
{
	struct pol_map_walk *a = &d->before, *b = &d->after;

	while (a->i == 0 && b->i == 0 && peek(a) && peek(b) &&
	       a->body->slots[a->slot].block == b->body->slots[b->slot].block) {
		uint32_t n = a->body->slots[a->slot].block->n;

		d->before_at += n;
		d->after_at += n;
		a->slot++;
		b->slot++;
	}
}

bool pol_map_diff_next(struct pol_map_diff *d)
{
	for (;;) {
		void *was, *is;
		int c;

		skip_common(d);
		was = peek(&d->before);
		is = peek(&d->after);
		if (!was && !is)
			return false;
		c = !was ? 1 : !is ? -1 : was == is ? 0 : d->type->cmp(was, is);
		d->was = c <= 0 ? was : NULL;
		d->is = c >= 0 ? is : NULL;
		d->was_at = d->before_at;
		d->is_at = d->after_at;
		if (d->was) {
			pol_map_walk_next(&d->before);
			d->before_at++;
		}
		if (d->is) {
			pol_map_walk_next(&d->after);
			d->after_at++;
		}
		if (d->was != d->is)
			return true;
	}
}
