/*
 * ipspd/wire_build.c - the memory of a generation that grows, and its end: see wire_builder.h. What does not
 * fit together is no generation.
 */
#include "config.h"

#include "ipspd/wire_builder.h"

#include <stdlib.h>
#include <string.h>

void *wire_array_add(struct wire_array *a, size_t size, size_t max, int *rc)
{
	if (a->n >= max) {
		*rc = -E2BIG;
		return NULL;
	}
	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 16;
		void *items = calloc(room, size);

		if (!items) {
			*rc = -ENOMEM;
			return NULL;
		}
		/* Not realloc: what it leaves behind may hold keys. */
		if (a->n > 0)
			memcpy(items, a->items, a->n * size);
		if (a->items)
			explicit_bzero(a->items, a->n * size);
		free(a->items);
		a->items = items;
		a->room = room;
	}
	*rc = 0;
	return (uint8_t *)a->items + a->n++ * size;
}

static void array_free(struct wire_array *a, size_t size)
{
	if (a->items)
		explicit_bzero(a->items, a->n * size);
	free(a->items);
}

struct wire_builder *wire_builder_new(uint64_t number)
{
	struct wire_builder *b = (struct wire_builder *)calloc(1, sizeof(*b));

	if (b) {
		b->number = number;
		b->why = "nothing";
	}
	return b;
}

void wire_builder_free(struct wire_builder *b)
{
	if (!b)
		return;
	array_free(&b->lists, sizeof(struct ipsp_spd_list));
	array_free(&b->entries, sizeof(struct ipsp_spd_entry));
	array_free(&b->selectors, sizeof(struct ipsp_selector));
	array_free(&b->steps, sizeof(struct ipsp_step));
	array_free(&b->templates, sizeof(struct ipsp_template));
	array_free(&b->predicates, sizeof(struct ipsp_predicate));
	array_free(&b->nodes, sizeof(struct ipsp_pred_node));
	array_free(&b->octets, 1);
	array_free(&b->ids, sizeof(uint64_t));
	array_free(&b->sas, sizeof(struct ipsp_sa_config));
	array_free(&b->edits, sizeof(struct ipsp_spd_edit));
	array_free(&b->runs, sizeof(struct ipsp_spd_run));
	array_free(&b->lists_gone, sizeof(struct ipsp_spd_key));
	array_free(&b->sas_gone, sizeof(uint64_t));
	array_free(&b->unasked, sizeof(struct ipsp_unasked));
	array_free(&b->unasked_selectors, sizeof(struct ipsp_selector));
	free(b);
}

void wire_gen_free(struct wire_gen *g)
{
	if (!g)
		return;
	if (g->sas)
		explicit_bzero(g->sas, g->n_sas * sizeof(*g->sas));
	free(g->lists);
	free(g->entries);
	free(g->selectors);
	free(g->steps);
	free(g->templates);
	free(g->predicates);
	free(g->nodes);
	free(g->octets);
	free(g->ids);
	free(g->sas);
	free(g->edits);
	free(g->runs);
	free(g->lists_gone);
	free(g->sas_gone);
	free(g->unasked);
	free(g->unasked_selectors);
	free(g);
}

const char *wire_builder_why(const struct wire_builder *b)
{
	return b->why;
}

/* ---- the end ---- */

static int cmp_u64(const void *a, const void *b)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	return *x < *y ? -1 : *x > *y;
}

/* 0 names none. */
static bool is_known(uint64_t sa_id, const uint64_t *ids, size_t n)
{
	return sa_id == 0 || (n > 0 && bsearch(&sa_id, ids, n, sizeof(*ids), cmp_u64) != NULL);
}

static int check_sas(struct wire_builder *b)
{
	const struct ipsp_sa_config *sas = (const struct ipsp_sa_config *)b->sas.items;
	const struct ipsp_spd_entry *entries = (const struct ipsp_spd_entry *)b->entries.items;
	const struct ipsp_step *steps = (const struct ipsp_step *)b->steps.items;
	uint64_t *ids = (uint64_t *)calloc(b->sas.n + 1, sizeof(*ids));
	int rc = 0;

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < b->sas.n; i++)
		ids[i] = sas[i].id;
	qsort(ids, b->sas.n, sizeof(*ids), cmp_u64);
	for (size_t i = 1; rc == 0 && i < b->sas.n; i++) {
		if (ids[i] == ids[i - 1])
			rc = refuse(b, "two SAs of one id");
	}
	/* One that follows may name an SA that stays. Where it does not, the core drops. */
	for (size_t i = 0; rc == 0 && !b->follows && i < b->entries.n; i++) {
		if (!is_known(entries[i].sa_id, ids, b->sas.n))
			rc = refuse(b, "entry names an SA that is not there");
	}
	for (size_t i = 0; rc == 0 && !b->follows && i < b->steps.n; i++) {
		if (!is_known(steps[i].sa_id, ids, b->sas.n))
			rc = refuse(b, "program names an SA that is not there");
	}
	free(ids);
	return rc;
}

/* Pointers may not be added to, not even 0, when there is nothing. */
static struct ipsp_selector *next_selectors(struct wire_gen *g, size_t *at, uint32_t n)
{
	*at += n;
	return n > 0 ? g->selectors + (*at - n) : NULL;
}

/* Entries and predicates get their parts, which stand in the order they came. */
static void set_entry_parts(struct wire_gen *g)
{
	size_t selector = 0, step = 0, template = 0, predicate = 0, node = 0, octet = 0, id = 0;

	for (size_t i = 0; i < g->n_entries; i++) {
		struct ipsp_spd_entry *e = &g->entries[i];

		e->selectors = next_selectors(g, &selector, e->n_selectors);
		e->steps = e->n_steps > 0 ? g->steps + step : NULL;
		step += e->n_steps;
		e->templates = e->n_templates > 0 ? g->templates + template : NULL;
		template += e->n_templates;
		if (!e->predicate)
			continue;
		struct ipsp_predicate *p = &g->predicates[predicate++];

		e->predicate = p;
		p->selectors = next_selectors(g, &selector, p->n_selectors);
		p->nodes = g->nodes + node;
		p->octets = p->n_octets > 0 ? g->octets + octet : NULL;
		p->ids = p->n_ids > 0 ? g->ids + id : NULL;
		node += p->n_nodes;
		octet += p->n_octets;
		id += p->n_ids;
	}
}

static bool predicates_valid(const struct wire_gen *g)
{
	for (size_t i = 0; i < g->n_predicates; i++) {
		if (!ipsp_predicate_valid(&g->predicates[i]))
			return false;
	}
	return true;
}

/* Lists and runs get their entries: those of lists came first. */
static void set_entries(struct wire_gen *g)
{
	struct ipsp_spd_entry *e = g->entries;
	size_t run = 0;

	/* Without any, it is null and must not be added to, not even 0. */
	for (size_t i = 0; i < g->n_lists; i++) {
		if (g->lists[i].n_entries == 0)
			continue;
		g->lists[i].entries = e;
		e += g->lists[i].n_entries;
	}
	for (size_t i = 0; i < g->n_runs; i++) {
		if (g->runs[i].n_entries == 0)
			continue;
		g->runs[i].entries = e;
		e += g->runs[i].n_entries;
	}
	for (size_t i = 0; i < g->n_edits; i++) {
		if (g->edits[i].n_runs == 0)
			continue;
		g->edits[i].runs = &g->runs[run];
		run += g->edits[i].n_runs;
	}
}

static void set_unasked(struct wire_gen *g)
{
	size_t selector = 0;

	for (size_t i = 0; i < g->n_unasked; i++) {
		if (g->unasked[i].n_selectors > 0)
			g->unasked[i].selectors = g->unasked_selectors + selector;
		selector += g->unasked[i].n_selectors;
	}
}

static struct wire_gen *take(struct wire_builder *b)
{
	struct wire_gen *g = (struct wire_gen *)calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct wire_gen){
		.number = b->number,
		.lists = (struct ipsp_spd_list *)b->lists.items, .n_lists = b->lists.n,
		.entries = (struct ipsp_spd_entry *)b->entries.items, .n_entries = b->entries.n,
		.selectors = (struct ipsp_selector *)b->selectors.items,
		.n_selectors = b->selectors.n,
		.predicates = (struct ipsp_predicate *)b->predicates.items,
		.n_predicates = b->predicates.n,
		.nodes = (struct ipsp_pred_node *)b->nodes.items,
		.octets = (uint8_t *)b->octets.items, .ids = (uint64_t *)b->ids.items,
		.steps = (struct ipsp_step *)b->steps.items, .n_steps = b->steps.n,
		.templates = (struct ipsp_template *)b->templates.items,
		.n_templates = b->templates.n,
		.sas = (struct ipsp_sa_config *)b->sas.items, .n_sas = b->sas.n,
	};
	g->follows = b->follows;
	g->edits = (struct ipsp_spd_edit *)b->edits.items;
	g->n_edits = b->edits.n;
	g->runs = (struct ipsp_spd_run *)b->runs.items;
	g->n_runs = b->runs.n;
	g->lists_gone = (struct ipsp_spd_key *)b->lists_gone.items;
	g->n_lists_gone = b->lists_gone.n;
	g->sas_gone = (uint64_t *)b->sas_gone.items;
	g->n_sas_gone = b->sas_gone.n;
	g->unasked = (struct ipsp_unasked *)b->unasked.items;
	g->n_unasked = b->unasked.n;
	g->unasked_selectors = (struct ipsp_selector *)b->unasked_selectors.items;
	set_unasked(g);
	set_entry_parts(g);
	set_entries(g);
	b->edits = b->runs = b->lists_gone = b->sas_gone = (struct wire_array){ NULL, 0, 0 };
	b->unasked = b->unasked_selectors = (struct wire_array){ NULL, 0, 0 };
	b->lists = b->entries = b->selectors = b->steps = b->sas = (struct wire_array){ NULL, 0, 0 };
	b->predicates = b->nodes = b->octets = b->ids = b->templates = (struct wire_array){ NULL, 0, 0 };
	return g;
}

/* Of a whole generation, or of lists alone. */
static int take_checked(struct wire_builder *b, struct wire_gen **out)
{
	struct wire_gen *g = take(b);

	if (!g)
		return -ENOMEM;
	if (!predicates_valid(g)) {
		wire_gen_free(g);
		return -EINVAL;
	}
	*out = g;
	return 0;
}

int wire_builder_finish_lists(struct wire_builder *b, struct wire_gen **out)
{
	int rc = is_incomplete(b) || b->sas.n > 0 ? -EINVAL : take_checked(b, out);

	wire_builder_free(b);
	return rc;
}

int wire_builder_finish(struct wire_builder *b, const uint8_t *commit, size_t len,
			struct wire_gen **out)
{
	struct chan_reader r = { .data = commit, .len = len };
	uint64_t number = chan_get_u64(&r);
	uint32_t lists = chan_get_u32(&r);
	uint32_t entries = chan_get_u32(&r);
	uint32_t sas = chan_get_u32(&r);
	const size_t of_change[] = { b->sas_gone.n, b->lists_gone.n, b->edits.n, b->runs.n,
				     b->unasked.n };
	bool same = true;
	int rc = -EINVAL;

	for (size_t i = 0; b->follows && i < sizeof(of_change) / sizeof(of_change[0]); i++)
		same = chan_get_u32(&r) == of_change[i] && same;
	if (same && chan_reader_done(&r) && number == b->number && lists == b->lists.n &&
	    entries == b->entries.n && sas == b->sas.n && !is_incomplete(b))
		rc = check_sas(b);
	if (rc == 0)
		rc = take_checked(b, out);
	wire_builder_free(b);
	return rc;
}
