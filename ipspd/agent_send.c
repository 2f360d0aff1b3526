/*
 * ipspd/agent_send.c - generations on their way to the engine and to the guard.
 *
 * To an engine that has the one in force goes what changes; two generations have in common what did not
 * (policy/vmap.h), so finding that costs what it is. Any other engine gets the whole.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/unasked.h"
#include "ipspd/wire.h"

static int emit(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	return chan_send((struct chan *)arg, type, data, len, NULL, 0);
}

/* ---- whole ---- */

/* A generation as arrays. */
struct flat {
	struct ipsp_spd_list *lists;
	struct ipsp_selector **boxes;	/* of each list: what clear_widen made; NULL: nothing */
	size_t n_lists;
	struct ipsp_sa_config *sas;
	size_t n_sas;
};

static void flat_free(struct flat *f)
{
	for (size_t i = 0; i < f->n_lists; i++)
		free((void *)(uintptr_t)f->lists[i].entries);
	for (size_t i = 0; f->boxes && i < f->n_lists; i++)
		free(f->boxes[i]);
	free(f->boxes);
	free(f->lists);
	if (f->sas)
		explicit_bzero(f->sas, f->n_sas * sizeof(*f->sas));
	free(f->sas);
}

static bool flatten(const struct pol_generation *g, struct flat *f)
{
	size_t n_sas = pol_map_count(&g->sas);
	const struct pol_sa *sa;
	struct pol_map_walk w;

	*f = (struct flat){ .lists = (struct ipsp_spd_list *)calloc(g->n_lists + 1,
								    sizeof(*f->lists)),
			    .sas = (struct ipsp_sa_config *)calloc(n_sas + 1, sizeof(*f->sas)) };
	if (!f->lists || !f->sas) {
		flat_free(f);
		return false;
	}
	pol_map_walk_start(&w, &g->sas, 0);
	while ((sa = (const struct pol_sa *)pol_map_walk_next(&w)))
		f->sas[f->n_sas++] = sa->config;
	for (; f->n_lists < g->n_lists; f->n_lists++) {
		if (!pol_list_flat(&g->lists[f->n_lists], &f->lists[f->n_lists])) {
			flat_free(f);
			return false;
		}
	}
	return true;
}

/* For the guard, an entry with several actions is what can still come of it. */
static void set_actions(const struct agent *a, const struct pol_generation *g,
			const struct ipsp_spd_list *l)
{
	/* The array is ours: flatten made it. */
	struct ipsp_spd_entry *entries = (struct ipsp_spd_entry *)(uintptr_t)l->entries;

	for (uint32_t i = 0; i < l->n_entries; i++) {
		if (entries[i].n_steps > 0)
			entries[i].action = spent_action(&a->apply.spent, g, &entries[i], false);
	}
}

/* Without memory for it the guard stays tighter than policy. */
static void let_clear_in(const struct agent *a, const struct pol_generation *g, struct flat *f)
{
	const uint64_t now_s = (uint64_t)clock_now_s();
	bool good;

	f->boxes = (struct ipsp_selector **)calloc(f->n_lists + 1, sizeof(struct ipsp_selector *));
	good = f->boxes != NULL;
	for (size_t i = 0; good && i < f->n_lists; i++)
		good = clear_widen(&a->apply.clear, &a->apply.spent, g, now_s, &f->lists[i],
				   &f->boxes[i]);
	if (!good)
		ipspd_log(LOG_ERR, "apply", "no memory: the guard stays tighter than policy");
}

int send_layer(struct agent *a, const struct pol_generation *g)
{
	struct flat f;
	int rc;

	if (!flatten(g, &f))
		return -ENOMEM;
	for (size_t i = 0; i < f.n_lists; i++)
		set_actions(a, g, &f.lists[i]);
	let_clear_in(a, g, &f);
	rc = wire_put_lists(f.lists, f.n_lists, emit, a->parent);
	flat_free(&f);
	return rc;
}

static int send_whole(struct agent *a, const struct pol_generation *g)
{
	struct flat f;
	int rc = -EAGAIN;

	if (!flatten(g, &f))
		return -ENOMEM;
	if (reserve_prepare(a, f.sas, f.n_sas)) {
		reserve_send(a, f.sas, f.n_sas);
		rc = wire_put_generation(g->number, f.lists, f.n_lists, f.sas, f.n_sas, emit,
					 a->engine);
	}
	flat_free(&f);
	return rc;
}

/* ---- what changes ---- */

/* SAs that are new, are not what they were, or that the engine did not take. */
struct changed_sas {
	struct ipsp_sa_config *sas;
	size_t n;
};

static void changed_sas_free(struct changed_sas *c)
{
	if (c->sas)
		explicit_bzero(c->sas, c->n * sizeof(*c->sas));
	free(c->sas);
}

static bool find_changed_sas(const struct agent *a, const struct pol_generation *base,
			     const struct pol_generation *g, struct changed_sas *c)
{
	struct pol_map_diff d;
	uint64_t id = 0;
	size_t n = 0;

	while ((id = pol_status_next_refused(a->pol_status, id)))
		n++;
	pol_map_diff_start(&d, &base->sas, &g->sas);
	while (pol_map_diff_next(&d))
		n += d.is != NULL;
	*c = (struct changed_sas){
		.sas = (struct ipsp_sa_config *)calloc(n + 1, sizeof(*c->sas)),
	};
	if (!c->sas)
		return false;
	pol_map_diff_start(&d, &base->sas, &g->sas);
	while (pol_map_diff_next(&d)) {
		if (d.is)
			c->sas[c->n++] = ((const struct pol_sa *)d.is)->config;
	}
	while ((id = pol_status_next_refused(a->pol_status, id))) {
		const struct pol_sa *sa = pol_sa_find(g, id);

		if (sa && sa == pol_sa_find(base, id))
			c->sas[c->n++] = sa->config;
	}
	return true;
}

static int list_cmp(const struct pol_list *a, const struct pol_list *b)
{
	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (a->dir > b->dir) - (a->dir < b->dir);
}

/* Are so many of the entries new that the list had better be sent whole? */
static bool is_another(const struct pol_list *was, const struct pol_list *is)
{
	const size_t most = pol_map_count(&is->entries) / 2 + 16;
	struct pol_map_diff d;
	size_t n = 0;

	pol_map_diff_start(&d, &was->entries, &is->entries);
	while (n <= most && pol_map_diff_next(&d))
		n++;
	return n > most;
}

static void put_whole(struct wire_change *c, const struct pol_list *l)
{
	const struct pol_entry *e;
	struct pol_map_walk w;

	wire_change_list(c, l->ifindex, l->dir);
	pol_map_walk_start(&w, &l->entries, 0);
	while ((e = (const struct pol_entry *)pol_map_walk_next(&w)))
		wire_change_entry(c, &e->spd);
}

static void put_edit(struct wire_change *c, const struct pol_list *was, const struct pol_list *is)
{
	struct pol_map_diff d;
	size_t at = 0;		/* in the list that was */

	wire_change_edit(c, is->ifindex, is->dir);
	pol_map_diff_start(&d, &was->entries, &is->entries);
	while (pol_map_diff_next(&d)) {
		wire_change_run(c, (uint32_t)(d.was_at - at), d.was != NULL);
		at = d.was_at + (d.was != NULL);
		if (d.is)
			wire_change_entry(c, &((const struct pol_entry *)d.is)->spd);
	}
}

/* The kinds of what is said of lists, in the order of the wire. */
enum list_pass { PASS_WHOLE, PASS_GONE, PASS_EDIT, PASSES };

static void put_lists(struct wire_change *c, const struct pol_generation *base,
		      const struct pol_generation *g, enum list_pass pass)
{
	size_t i = 0, j = 0;

	while (i < base->n_lists || j < g->n_lists) {
		const struct pol_list *was = i < base->n_lists ? &base->lists[i] : NULL;
		const struct pol_list *is = j < g->n_lists ? &g->lists[j] : NULL;
		int cmp = !was ? 1 : !is ? -1 : list_cmp(was, is);

		i += cmp <= 0;
		j += cmp >= 0;
		if (cmp < 0 && pass == PASS_GONE)
			wire_change_list_gone(c, was->ifindex, was->dir);
		else if (cmp > 0 && pass == PASS_WHOLE)
			put_whole(c, is);
		if (cmp != 0 || pass == PASS_GONE || pol_map_same(&was->entries, &is->entries))
			continue;
		if (is_another(was, is) != (pass == PASS_WHOLE))
			continue;
		if (pass == PASS_WHOLE)
			put_whole(c, is);
		else
			put_edit(c, was, is);
	}
}

static uint64_t boot_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec;
}

/* Without memory for it nothing comes in that no entry is for. */
static void put_unasked(struct agent *a, struct wire_change *c, const struct pol_generation *base,
			const struct pol_generation *g)
{
	const uint64_t now_s = boot_s();
	struct unasked u;

	if (!unasked_find(&u, base, g, now_s < a->apply.unasked_until_s))
		return;
	for (size_t i = 0; i < u.n; i++) {
		wire_change_unasked(c, &u.items[i]);
		if (!u.items[i].again)
			a->apply.unasked_until_s = now_s + IPSP_UNASKED_S + 1;
	}
	unasked_fini(&u);
}

static int send_change(struct agent *a, const struct pol_generation *base,
		       const struct pol_generation *g)
{
	struct changed_sas changed;
	struct wire_change c;
	struct pol_map_diff d;

	if (!find_changed_sas(a, base, g, &changed))
		return -ENOMEM;
	if (!reserve_prepare(a, changed.sas, changed.n)) {
		changed_sas_free(&changed);
		return -EAGAIN;
	}
	reserve_send(a, changed.sas, changed.n);
	wire_change_begin(&c, g->number, base->number, emit, a->engine);
	for (size_t i = 0; i < changed.n; i++)
		wire_change_sa(&c, &changed.sas[i]);
	changed_sas_free(&changed);
	pol_map_diff_start(&d, &base->sas, &g->sas);
	while (pol_map_diff_next(&d)) {
		if (!d.is)
			wire_change_sa_gone(&c, ((const struct pol_sa *)d.was)->config.id);
	}
	put_unasked(a, &c, base, g);
	for (int pass = PASS_WHOLE; pass < PASSES; pass++)
		put_lists(&c, base, g, (enum list_pass)pass);
	return wire_change_commit(&c, g->number);
}

int send_policy(struct agent *a, const struct pol_generation *base, const struct pol_generation *g)
{
	return base ? send_change(a, base, g) : send_whole(a, g);
}
