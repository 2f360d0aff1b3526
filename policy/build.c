/*
 * policy/build.c - a generation while it is made, and look-ups in one that is ready.
 *
 * Origins and problems are kept in trees while rows come in any order, and become sorted arrays at
 * the end. Box selectors belong to entries, entries to pol_entries, which lists borrow.
 */
#include "policy/build.h"

#include <bsd/sys/tree.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/boxes.h"
#include "policy/ids.h"

struct origin_node {
	RB_ENTRY(origin_node) link;
	struct pol_origin origin;
};

struct problem_node {
	RB_ENTRY(problem_node) link;
	struct pol_problem problem;
};

RB_HEAD(pol_origin_tree, origin_node);
RB_HEAD(pol_problem_tree, problem_node);

/* What callers see, and the entries behind its lists. */
struct owner {
	struct pol_generation g;
	struct pol_entries *entries;
};

struct pol_build {
	const struct mib_view *view;
	struct owner *owner;
	struct pol_origin_tree origins;
	size_t n_origins;
	struct pol_problem_tree problems;
	size_t n_problems;
	size_t cap_lists;
	size_t cap_sas;
	size_t n_boxes;
};

static int origin_cmp(const struct origin_node *a, const struct origin_node *b)
{
	return a->origin.id < b->origin.id ? -1 : a->origin.id > b->origin.id;
}

static int problem_key_cmp(const struct pol_problem *p, const struct mib_table *t,
			   const uint32_t *index, size_t len)
{
	if (p->table != t)
		return p->table->number < t->number ? -1 : 1;
	return mib_oid_cmp(p->index.ids, p->index.len, index, len);
}

static int problem_cmp(const struct problem_node *a, const struct problem_node *b)
{
	return problem_key_cmp(&a->problem, b->problem.table, b->problem.index.ids,
			       b->problem.index.len);
}

RB_PROTOTYPE(pol_origin_tree, origin_node, link, origin_cmp)
RB_GENERATE(pol_origin_tree, origin_node, link, origin_cmp)
RB_PROTOTYPE(pol_problem_tree, problem_node, link, problem_cmp)
RB_GENERATE(pol_problem_tree, problem_node, link, problem_cmp)

static void entry_fini(struct ipsp_spd_entry *e)
{
	free((void *)(uintptr_t)e->selectors);
	free((void *)(uintptr_t)e->steps);
}

static void entries_free(struct pol_entries *e)
{
	while (e) {
		struct pol_entries *next = e->next;

		for (uint32_t i = 0; i < e->n; i++)
			entry_fini(&e->v[i]);
		free(e->v);
		free(e);
		e = next;
	}
}

void pol_generation_free(struct pol_generation *g)
{
	/* g is the first member of its owner: pol_build_finish made it so. */
	struct owner *o = (struct owner *)g;

	if (!o)
		return;
	for (size_t i = 0; i < g->n_sas; i++) {
		ipsp_key_wipe(&g->sas[i].encr_key);
		ipsp_key_wipe(&g->sas[i].integ_key);
	}
	free(g->sas);
	free(g->lists);
	free(g->origins);
	free(g->problems);
	entries_free(o->entries);
	free(o);
}

static void free_nodes(struct pol_build *b)
{
	struct origin_node *o;
	struct problem_node *p;

	while ((o = RB_ROOT(&b->origins))) {
		RB_REMOVE(pol_origin_tree, &b->origins, o);
		free(o);
	}
	while ((p = RB_ROOT(&b->problems))) {
		RB_REMOVE(pol_problem_tree, &b->problems, p);
		free(p);
	}
}

struct pol_build *pol_build_new(const struct mib_view *v, uint64_t number)
{
	struct pol_build *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->owner = calloc(1, sizeof(*b->owner));
	if (!b->owner) {
		free(b);
		return NULL;
	}
	b->view = v;
	b->owner->g.number = number;
	RB_INIT(&b->origins);
	RB_INIT(&b->problems);
	return b;
}

void pol_build_free(struct pol_build *b)
{
	if (!b)
		return;
	pol_generation_free(&b->owner->g);
	free_nodes(b);
	free(b);
}

static int list_cmp(const void *a, const void *b)
{
	const struct ipsp_spd_list *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return x->dir < y->dir ? -1 : x->dir > y->dir;
}

struct pol_generation *pol_build_finish(struct pol_build *b)
{
	struct pol_generation *g = &b->owner->g;
	struct origin_node *o;
	struct problem_node *p;

	/* One more than there are: an array of none is an array, too. */
	g->origins = calloc(b->n_origins + 1, sizeof(*g->origins));
	g->problems = calloc(b->n_problems + 1, sizeof(*g->problems));
	if (!g->origins || !g->problems)
		return NULL;
	RB_FOREACH(o, pol_origin_tree, &b->origins)
		g->origins[g->n_origins++] = o->origin;
	RB_FOREACH(p, pol_problem_tree, &b->problems)
		g->problems[g->n_problems++] = p->problem;
	if (g->n_lists > 0)
		qsort(g->lists, g->n_lists, sizeof(*g->lists), list_cmp);
	free_nodes(b);
	free(b);
	return g;
}

const struct mib_view *pol_build_view(const struct pol_build *b)
{
	return b->view;
}

static bool origin_is(const struct pol_origin *o, const struct mib_table *t,
		      const uint32_t *index, size_t len)
{
	return o->table == t && mib_oid_cmp(o->index.ids, o->index.len, index, len) == 0;
}

static struct pol_origin *origin_of(struct pol_build *b, const struct mib_table *t,
				    const uint32_t *index, size_t len)
{
	struct origin_node *node = calloc(1, sizeof(*node));
	struct origin_node *there = NULL;
	uint32_t salt = 0;

	if (!node)
		return NULL;
	node->origin.table = t;
	node->origin.index.len = len;
	memcpy(node->origin.index.ids, index, len * sizeof(*index));
	pol_row_text(t, index, len, node->origin.name);
	do {
		node->origin.id = pol_id_of_row(t, index, len, salt++);
		if (node->origin.id == 0) {
			free(node);
			return NULL;
		}
		there = RB_INSERT(pol_origin_tree, &b->origins, node);
	} while (there && !origin_is(&there->origin, t, index, len));
	if (there) {
		free(node);
		return &there->origin;
	}
	b->n_origins++;
	return &node->origin;
}

struct pol_origin *pol_build_origin(struct pol_build *b, const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return origin_of(b, mib_row_table(r), index, len);
}

struct pol_origin *pol_build_scalar(struct pol_build *b, const struct mib_column *scalar)
{
	const uint32_t index[] = { scalar->id, 0 };
	struct pol_origin *o = origin_of(b, scalar->table, index, 2);

	if (o && !o->scalar) {
		o->scalar = scalar;
		snprintf(o->name, sizeof(o->name), "%s.0", scalar->name);
	}
	return o;
}

bool pol_build_has_origin(const struct pol_build *b, const struct mib_row *r)
{
	/* The tree macros know no const. */
	struct pol_build *w = (struct pol_build *)(uintptr_t)b;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	for (uint32_t salt = 0;; salt++) {
		struct origin_node key = { .origin.id = pol_id_of_row(mib_row_table(r), index, len,
								      salt) };
		const struct origin_node *o = RB_FIND(pol_origin_tree, &w->origins, &key);

		if (!o || origin_is(&o->origin, mib_row_table(r), index, len))
			return o != NULL;
	}
}

bool pol_build_problem(struct pol_build *b, const struct mib_row *r, const char *fmt, ...)
{
	struct problem_node *node = calloc(1, sizeof(*node));
	va_list ap;

	if (!node)
		return false;
	node->problem.table = mib_row_table(r);
	mib_row_index_copy(r, &node->problem.index);
	va_start(ap, fmt);
	vsnprintf(node->problem.reason, sizeof(node->problem.reason), fmt, ap);
	va_end(ap);
	if (RB_INSERT(pol_problem_tree, &b->problems, node))
		free(node);
	else
		b->n_problems++;
	return true;
}

bool pol_build_lost(struct pol_build *b, const struct mib_row *r)
{
	char why[POL_LOST_TEXT];

	return pol_build_problem(b, r, "%s", pol_lost_reason(pol_build_view(b), r, why));
}

bool pol_build_reserve_sas(struct pol_build *b, size_t n)
{
	/* Allocated once: a buffer that grows leaves keys behind in freed memory. */
	b->owner->g.sas = calloc(n + 1, sizeof(*b->owner->g.sas));
	b->cap_sas = b->owner->g.sas ? n : 0;
	return b->owner->g.sas != NULL;
}

void pol_build_add_sa(struct pol_build *b, const struct ipsp_sa_config *sa)
{
	if (b->owner->g.n_sas < b->cap_sas)
		b->owner->g.sas[b->owner->g.n_sas++] = *sa;
}

struct pol_entries *pol_build_find_entries(struct pol_build *b, const char *group,
					   enum ipsp_dir dir)
{
	struct pol_entries *e = b->owner->entries;

	while (e && (e->dir != dir || strcmp(e->group, group) != 0))
		e = e->next;
	return e;
}

struct pol_entries *pol_build_new_entries(struct pol_build *b, const char *group,
					  enum ipsp_dir dir)
{
	struct pol_entries *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	snprintf(e->group, sizeof(e->group), "%s", group);
	e->dir = dir;
	e->next = b->owner->entries;
	b->owner->entries = e;
	return e;
}

enum pol_put pol_build_add_entry(struct pol_build *b, struct pol_entries *to,
				 const struct ipsp_spd_entry *entry,
				 const struct pol_boxes *boxes)
{
	struct ipsp_selector *selectors;
	struct ipsp_step *steps = NULL;

	if (to->n == POL_LIST_ENTRIES_MAX || boxes->n > POL_GENERATION_BOXES_MAX - b->n_boxes)
		return POL_PUT_FULL;
	if (to->n == to->cap) {
		uint32_t cap = to->cap ? to->cap * 2 : 16;
		struct ipsp_spd_entry *v = reallocarray(to->v, cap, sizeof(*v));

		if (!v)
			return POL_PUT_NO_MEMORY;
		to->v = v;
		to->cap = cap;
	}
	selectors = calloc(boxes->n + 1, sizeof(*selectors));
	if (entry->n_steps > 0)
		steps = calloc(entry->n_steps, sizeof(*steps));
	if (!selectors || (entry->n_steps > 0 && !steps)) {
		free(selectors);
		free(steps);
		return POL_PUT_NO_MEMORY;
	}
	for (size_t i = 0; i < boxes->n; i++)
		pol_box_to_selector(&boxes->v[i], &selectors[i]);
	if (steps)
		memcpy(steps, entry->steps, entry->n_steps * sizeof(*steps));
	to->v[to->n] = *entry;
	to->v[to->n].steps = steps;
	to->v[to->n].n_selectors = (uint32_t)boxes->n;
	to->v[to->n].selectors = selectors;
	to->n++;
	b->n_boxes += boxes->n;
	return POL_PUT_OK;
}

bool pol_build_add_list(struct pol_build *b, uint32_t ifindex, enum ipsp_dir dir,
			const struct pol_entries *entries)
{
	struct pol_generation *g = &b->owner->g;

	if (g->n_lists == b->cap_lists) {
		size_t cap = b->cap_lists ? b->cap_lists * 2 : 8;
		struct ipsp_spd_list *v = reallocarray(g->lists, cap, sizeof(*v));

		if (!v)
			return false;
		g->lists = v;
		b->cap_lists = cap;
	}
	g->lists[g->n_lists++] = (struct ipsp_spd_list){
		.ifindex = ifindex, .dir = (uint8_t)dir,
		.n_entries = entries->n, .entries = entries->v,
	};
	return true;
}

static int origin_id_cmp(const void *key, const void *member)
{
	uint64_t id = *(const uint64_t *)key;
	const struct pol_origin *o = member;

	return id < o->id ? -1 : id > o->id;
}

const struct pol_origin *pol_origin_find(const struct pol_generation *g, uint64_t id)
{
	return bsearch(&id, g->origins, g->n_origins, sizeof(*g->origins), origin_id_cmp);
}

const struct pol_origin *pol_origin_of(const struct pol_generation *g, const struct mib_table *t,
				       const uint32_t *index, size_t len)
{
	for (uint32_t salt = 0;; salt++) {
		const struct pol_origin *o = pol_origin_find(g, pol_id_of_row(t, index, len, salt));

		if (!o || origin_is(o, t, index, len))
			return o;
	}
}

const struct pol_problem *pol_problem_find(const struct pol_generation *g,
					   const struct mib_table *t, const uint32_t *index,
					   size_t len)
{
	size_t lo = 0, hi = g->n_problems;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = problem_key_cmp(&g->problems[mid], t, index, len);

		if (c == 0)
			return &g->problems[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
