/*
 * policy/deps.c - cells by what they have read: see deps.h.
 */
#include "policy/deps.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024u
#define KEYS_MAX 4096u	/* of a cell; what it reads beyond counts as all rows of the table */

/* That a cell has read something. */
struct pol_dep {
	uint64_t key;
	struct pol_cell *cell;
	struct pol_dep *next;
	struct pol_dep **at;	/* what points here */
};

/* Lengths that indexes, or beginnings of them, were read by in one table. */
struct lengths {
	uint64_t bits[MIB_OID_MAX / 64 + 1];
};

struct pol_deps {
	struct mib_reader reader;
	struct pol_dep **buckets;
	size_t n_buckets;	/* a power of two */
	size_t n_deps;
	struct lengths *lengths;	/* by table; bits are never taken back */
	uint64_t *keys;		/* read since the beginning */
	size_t n_keys;
	size_t cap_keys;
	bool *whole;		/* by table: any row of it was read, without a key in keys */
	bool lacks;		/* a key found no memory */
};

static uint64_t mix(uint64_t h, uint32_t v)
{
	h = (h ^ v) * 0x9fb21c651e98df25u;
	return h ^ h >> 29;
}

/* The key of a table; mixed with an index, or its beginning, that of the rows. */
static uint64_t begin_key(const struct mib_table *t)
{
	return mix(0x2545f4914f6cdd1du, (uint32_t)t->number);
}

static void on_read(void *arg, const struct mib_table *t, const uint32_t *index, size_t len)
{
	pol_deps_read(arg, t, index, len);
}

struct pol_deps *pol_deps_new(void)
{
	struct pol_deps *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->reader = (struct mib_reader){ .read = on_read, .arg = d };
	d->n_buckets = FIRST_BUCKETS;
	d->buckets = calloc(d->n_buckets, sizeof(struct pol_dep *));
	d->lengths = calloc(mib_n_tables, sizeof(*d->lengths));
	d->whole = calloc(mib_n_tables, sizeof(*d->whole));
	if (!d->buckets || !d->lengths || !d->whole) {
		pol_deps_free(d);
		return NULL;
	}
	return d;
}

void pol_deps_free(struct pol_deps *d)
{
	if (!d)
		return;
	free(d->buckets);
	free(d->lengths);
	free(d->whole);
	free(d->keys);
	free(d);
}

const struct mib_reader *pol_deps_reader(struct pol_deps *d)
{
	return &d->reader;
}

void pol_deps_begin(struct pol_deps *d)
{
	d->n_keys = 0;
	d->lacks = false;
	memset(d->whole, 0, mib_n_tables * sizeof(*d->whole));
}

static void add_key(struct pol_deps *d, const struct mib_table *t, size_t len, uint64_t key)
{
	if (d->n_keys == d->cap_keys) {
		size_t cap = d->cap_keys ? d->cap_keys * 2 : 16;
		uint64_t *keys = reallocarray(d->keys, cap, sizeof(*keys));

		if (!keys) {
			d->lacks = true;
			return;
		}
		d->keys = keys;
		d->cap_keys = cap;
	}
	d->lengths[t->number].bits[len / 64] |= UINT64_C(1) << len % 64;
	d->keys[d->n_keys++] = key;
}

void pol_deps_read(struct pol_deps *d, const struct mib_table *t, const uint32_t *index,
		   size_t len)
{
	uint64_t key = begin_key(t);

	for (size_t i = 0; i < len; i++)
		key = mix(key, index[i]);
	/* A walk tells the same again and again. */
	if (d->n_keys > 0 && d->keys[d->n_keys - 1] == key)
		return;
	if (d->n_keys > 1 && d->keys[d->n_keys - 2] == key)
		return;
	if (d->n_keys >= KEYS_MAX)
		d->whole[t->number] = true;
	else
		add_key(d, t, len, key);
}

static void link_dep(struct pol_deps *d, struct pol_dep *dep)
{
	struct pol_dep **head = &d->buckets[dep->key & (d->n_buckets - 1)];

	dep->next = *head;
	dep->at = head;
	if (dep->next)
		dep->next->at = &dep->next;
	*head = dep;
}

/* Longer chains are the only price when there is no memory. */
static void grow(struct pol_deps *d)
{
	size_t n = d->n_buckets;
	struct pol_dep **old = d->buckets, **buckets = calloc(n * 2, sizeof(struct pol_dep *));

	if (!buckets)
		return;
	d->buckets = buckets;
	d->n_buckets = n * 2;
	for (size_t i = 0; i < n; i++) {
		struct pol_dep *next;

		for (struct pol_dep *dep = old[i]; dep; dep = next) {
			next = dep->next;
			link_dep(d, dep);
		}
	}
	free(old);
}

static void unfile(struct pol_deps *d, struct pol_cell *c)
{
	for (uint16_t i = 0; i < c->n_deps; i++) {
		struct pol_dep *dep = &c->deps[i];

		*dep->at = dep->next;
		if (dep->next)
			dep->next->at = dep->at;
	}
	d->n_deps -= c->n_deps;
	c->n_deps = 0;
}

static bool same_keys(const struct pol_deps *d, const struct pol_cell *c)
{
	if (d->n_keys != c->n_deps)
		return false;
	for (size_t i = 0; i < d->n_keys; i++)
		if (c->deps[i].key != d->keys[i])
			return false;
	return true;
}

bool pol_deps_end(struct pol_deps *d, struct pol_cell *c)
{
	for (size_t i = 0; d->n_keys >= KEYS_MAX && i < mib_n_tables; i++)
		if (d->whole[i])
			add_key(d, mib_tables[i], 0, begin_key(mib_tables[i]));
	if (d->lacks)
		return false;
	if (same_keys(d, c))
		return true;
	unfile(d, c);
	free(c->deps);
	c->deps = calloc(d->n_keys + 1, sizeof(*c->deps));
	if (!c->deps)
		return false;
	c->n_deps = (uint16_t)d->n_keys;
	d->n_deps += d->n_keys;
	for (size_t i = 0; i < d->n_keys; i++) {
		c->deps[i] = (struct pol_dep){ .key = d->keys[i], .cell = c };
		link_dep(d, &c->deps[i]);
	}
	if (d->n_deps > d->n_buckets)
		grow(d);
	return true;
}

void pol_deps_forget(struct pol_deps *d, struct pol_cell *c)
{
	unfile(d, c);
	free(c->deps);
	c->deps = NULL;
}

static void touch_key(struct pol_deps *d, uint64_t key,
		      void (*each)(void *arg, struct pol_cell *c), void *arg)
{
	for (struct pol_dep *dep = d->buckets[key & (d->n_buckets - 1)]; dep; dep = dep->next)
		if (dep->key == key)
			each(arg, dep->cell);
}

void pol_deps_touch(struct pol_deps *d, const struct mib_table *t, const uint32_t *index,
		    size_t len, void (*each)(void *arg, struct pol_cell *c), void *arg)
{
	const struct lengths *read = &d->lengths[t->number];
	uint64_t key = begin_key(t);

	for (size_t i = 0; i <= len; i++) {
		if (read->bits[i / 64] >> i % 64 & 1)
			touch_key(d, key, each, arg);
		if (i < len)
			key = mix(key, index[i]);
	}
}
