/*
 * ipspd/unasked.c - SAs that entries ask for no more: see unasked.h.
 *
 * Entries of key managers' own policies are passed over: who deletes such a policy deletes its SAs, too.
 */
#include "config.h"

#include <stdlib.h>

#include "ipspd/unasked.h"
#include "ipspd/wire.h"
#include "policy/band.h"

/** That an entry asks for an SA. */
struct mention {
	uint64_t sa_id;
	uint32_t reqid;
	uint8_t n;			/* as in struct ipsp_unasked */
	bool is_new;
	const struct ipsp_spd_entry *entry;
};

struct mentions {
	struct mention *items;
	size_t n, room;
	bool failed;
};

static int cmp(const void *a, const void *b)
{
	const struct mention *const x = a, *const y = b;

	if (x->sa_id != y->sa_id)
		return x->sa_id < y->sa_id ? -1 : 1;
	return (x->reqid > y->reqid) - (x->reqid < y->reqid);
}

/* Calls each(arg, m) for every SA that an entry asks for. */
static void each_mention(const struct pol_entry *e,
			 void (*each)(void *arg, const struct mention *m), void *arg)
{
	const struct ipsp_spd_entry *const s = &e->spd;
	struct mention of_templates = { .entry = s }, m = { .entry = s, .sa_id = s->sa_id };
	bool negotiated = s->n_steps == 0 && s->n_templates > 0;

	if (e->band != POL_BAND_ROWS || s->action == IPSP_BYPASS)
		return;
	if (m.sa_id)
		each(arg, &m);
	for (uint32_t i = 0; i < s->n_steps; i++) {
		const struct ipsp_step *const step = &s->steps[i];

		m.sa_id = step->kind == IPSP_STEP_PROTECT && step->may_decide ? step->sa_id : 0;
		negotiated |= step->negotiated && step->may_decide;
		if (m.sa_id)
			each(arg, &m);
	}
	for (uint32_t i = 0; i < s->n_templates; i++) {
		of_templates.reqid = s->templates[i].reqid;
		of_templates.n += s->templates[i].proto != IPSP_PROTO_IPCOMP;
	}
	if (negotiated && of_templates.reqid)
		each(arg, &of_templates);
}

struct collecting {
	struct mentions *all;
	bool is_new;
};

static void collect(void *arg, const struct mention *m)
{
	const struct collecting *const c = arg;
	struct mentions *const all = c->all;

	if (all->n == all->room) {
		const size_t room = all->room ? 2 * all->room : 16;
		struct mention *const grown = reallocarray(all->items, room, sizeof(*grown));

		all->failed |= !grown;
		if (!grown)
			return;
		all->items = grown;
		all->room = room;
	}
	all->items[all->n] = *m;
	all->items[all->n++].is_new = c->is_new;
}

static void collect_changes(const struct pol_map *was, const struct pol_map *is, bool again,
			    struct mentions *all)
{
	struct collecting c = { .all = all };
	struct pol_map_diff d;

	pol_map_diff_start(&d, was, is);
	while (pol_map_diff_next(&d)) {
		c.is_new = false;
		if (d.was)
			each_mention(d.was, collect, &c);
		c.is_new = true;
		if (d.is && (d.was || again))
			each_mention(d.is, collect, &c);
	}
}

/* In all inbound lists, one with the other of its place. */
static void collect_all(const struct pol_generation *base, const struct pol_generation *g, bool again,
			struct mentions *all)
{
	for (size_t i = 0; i < base->n_lists; i++) {
		const struct pol_list *const was = &base->lists[i];
		const struct pol_map none = pol_map_empty(was->entries.type);
		const struct pol_list *const is = pol_generation_list(g, was->ifindex, was->dir);

		if (was->dir == IPSP_INBOUND)
			collect_changes(&was->entries, is ? &is->entries : &none, again, all);
	}
	for (size_t i = 0; again && i < g->n_lists; i++) {
		const struct pol_list *const is = &g->lists[i];
		const struct pol_map none = pol_map_empty(is->entries.type);

		if (is->dir == IPSP_INBOUND && !pol_generation_list(base, is->ifindex, is->dir))
			collect_changes(&none, &is->entries, true, all);
	}
	if (all->n > 0)
		qsort(all->items, all->n, sizeof(*all->items), cmp);
}

/* Mentions of one SA stand together; one that is new says so of all. @return where the next one's begin */
static size_t group_of(struct mentions *all, size_t first)
{
	size_t end = first;
	bool is_new = false;

	while (end < all->n && cmp(&all->items[end], &all->items[first]) == 0)
		is_new |= all->items[end++].is_new;
	for (size_t i = first; i < end; i++)
		all->items[i].is_new = is_new;
	return end;
}

static void still_there(void *arg, const struct mention *m)
{
	const struct mentions *const all = arg;
	size_t low = 0, high = all->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (cmp(&all->items[middle], m) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < all->n && cmp(&all->items[low], m) == 0; low++)
		all->items[low].is_new = true;
}

/* Does any of g, new or not, ask for what is mentioned? */
static void ask_all(const struct pol_generation *g, struct mentions *all)
{
	const struct pol_entry *e;
	struct pol_map_walk w;

	for (size_t i = 0; i < g->n_lists; i++) {
		if (g->lists[i].dir != IPSP_INBOUND)
			continue;
		pol_map_walk_start(&w, &g->lists[i].entries, 0);
		while ((e = pol_map_walk_next(&w)))
			each_mention(e, still_there, all);
	}
}

/* Entries that stood for less than their boxes say let nothing in. */
static uint32_t boxes_of(const struct mention *m)
{
	const struct ipsp_spd_entry *const e = m->entry;

	return m->is_new || e->predicate || e->from_s || e->until_s ? 0 : e->n_selectors;
}

static void put_item(struct unasked *u, size_t *n_boxes, const struct mentions *all, size_t first,
		     size_t end)
{
	struct ipsp_unasked *const item = &u->items[u->n++];
	const struct mention *const m = &all->items[first];

	*item = (struct ipsp_unasked){
		.sa_id = m->sa_id, .reqid = m->reqid, .again = m->is_new, .n = m->n,
		.selectors = u->boxes + *n_boxes,
	};
	for (size_t i = first; i < end; i++) {
		const uint32_t n = boxes_of(&all->items[i]);

		if (item->n_selectors + n > WIRE_UNASKED_SELECTORS)
			continue;
		for (uint32_t j = 0; j < n; j++)
			u->boxes[(*n_boxes)++] = all->items[i].entry->selectors[j];
		item->n_selectors += n;
	}
}

static bool put_all(struct unasked *u, struct mentions *all, bool again)
{
	size_t n_boxes = 0;

	for (size_t i = 0; i < all->n; i++)
		n_boxes += boxes_of(&all->items[i]);
	u->items = calloc(all->n + 1, sizeof(*u->items));
	u->boxes = calloc(n_boxes + 1, sizeof(*u->boxes));
	if (!u->items || !u->boxes)
		return false;
	n_boxes = 0;
	for (size_t i = 0, end; i < all->n && u->n < WIRE_SAS_MAX; i = end) {
		end = group_of(all, i);
		if (again || !all->items[i].is_new)
			put_item(u, &n_boxes, all, i, end);
	}
	return true;
}

bool unasked_find(struct unasked *u, const struct pol_generation *base,
		  const struct pol_generation *g, bool again)
{
	struct mentions all = { 0 };
	bool gone = false, good;

	*u = (struct unasked){ 0 };
	collect_all(base, g, again, &all);
	for (size_t i = 0; i < all.n; i = group_of(&all, i))
		;
	for (size_t i = 0; i < all.n; i++)
		gone |= !all.items[i].is_new;
	if (gone)
		ask_all(g, &all);
	good = !all.failed && put_all(u, &all, again);
	free(all.items);
	if (!good)
		unasked_fini(u);
	return good;
}

void unasked_fini(struct unasked *u)
{
	free(u->items);
	free(u->boxes);
	*u = (struct unasked){ 0 };
}
