/*
 * policy/compile.c - generation after generation: which lists there are, and what must be made anew.
 *
 * Cells that have read a row that changed are dirty (policy/deps.h). SAs come first, as rules say
 * whether theirs is in force; then lists, then places (policy/group.h). Whatever runs out of memory
 * on the way, or over a limit, leaves all of this to be made from nothing.
 *
 *     row or scalar                                   list
 *     active spdEndpointToGroupTable[dir, if]         (if, dir) with its group
 *     ... lost at start                               (if, dir) without entries
 *     ipspdExempt                                     entries in every list that has a group
 *     ipspdClosureTable[dir, if], no active endpoint  (if, dir) without entries: all is discarded
 *     spdIngress/EgressPolicyGroupName not empty      (0, dir) with that group
 *     ... empty, but ipspdClosureTable[dir, 0] or
 *     ipspdDefaultWithoutPolicy = drop                (0, dir) without entries
 *
 * A closed interface does not fall back to the system-wide group: that might open what a removed
 * endpoint row had closed. Only ipspdClosureRelease does.
 */
#include "policy/policy.h"

#include <bsd/sys/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mibs/schema_gen.h"
#include "policy/action.h"
#include "policy/exempt.h"
#include "policy/group.h"

enum { WITHOUT_POLICY_DROP = 2 };

/* A list to be, and what is bound there. */
struct binding {
	uint32_t ifindex;
	enum ipsp_dir dir;
	char group[POL_GROUP_TEXT];	/* "": none, all is discarded */
	struct pol_tree *tree;
};

/* A preconfigured action, and its SA or bundle. */
struct sa_cell {
	struct pol_cell cell;		/* first */
	RB_ENTRY(sa_cell) link;
	struct pol_sa *sas[IPSP_BUNDLE_MAX];	/* NULL from one on; none: not in force; counted */
	struct pol_said said;
	struct pol_index index;
	uint32_t ids[];
};

RB_HEAD(pol_sa_cells, sa_cell);
RB_HEAD(pol_trees, pol_tree);

struct pol_compiler {
	const struct mib_view *view;
	struct mib_view *told;
	struct pol_deps *deps;
	struct pol_board board;
	struct pol_work work;
	struct pol_sa_cells sas;
	struct pol_cells dirty_sas;
	struct pol_map sa_set;		/* struct pol_sa */
	struct pol_cell bindings_cell;
	struct pol_said bindings_said;
	struct binding *bindings;	/* by ifindex and direction */
	size_t n_bindings, cap_bindings;
	struct pol_exempt exempt;
	struct ipsp_addr *addresses;	/* the system's own; NULL: not known */
	size_t n_addresses;
	struct pol_trees trees;
	struct pol_said *cut;		/* of rules that were cut off, one each */
	size_t n_cut, cap_cut;
	bool stale;			/* make everything from nothing */
};

static int sa_cell_cmp(const struct sa_cell *a, const struct sa_cell *b)
{
	return mib_oid_cmp(a->index.ids, a->index.len, b->index.ids, b->index.len);
}

static int tree_cmp(const struct pol_tree *a, const struct pol_tree *b)
{
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	return strcmp(a->group, b->group);
}

RB_PROTOTYPE(pol_sa_cells, sa_cell, link, sa_cell_cmp)
RB_GENERATE(pol_sa_cells, sa_cell, link, sa_cell_cmp)
RB_PROTOTYPE(pol_trees, pol_tree, link, tree_cmp)
RB_GENERATE(pol_trees, pol_tree, link, tree_cmp)

/* ---- SAs ---- */

static void mark_sa(struct pol_compiler *c, struct sa_cell *cell)
{
	if (cell->cell.dirty)
		return;
	cell->cell.dirty = true;
	TAILQ_INSERT_TAIL(&c->dirty_sas, &cell->cell, link);
}

/* The cell of that row becomes dirty, and is made if there is none. @return false: no memory */
static bool mark_sa_row(struct pol_compiler *c, const uint32_t *index, size_t len)
{
	struct sa_cell key = { .index = { index, len } };
	struct sa_cell *cell = RB_FIND(pol_sa_cells, &c->sas, &key);

	if (!cell) {
		cell = calloc(1, sizeof(*cell) + len * sizeof(*index));
		if (!cell)
			return false;
		cell->cell.kind = POL_CELL_SA;
		memcpy(cell->ids, index, len * sizeof(*index));
		cell->index = (struct pol_index){ cell->ids, len };
		RB_INSERT(pol_sa_cells, &c->sas, cell);
	}
	mark_sa(c, cell);
	return true;
}

static void unref_sas(struct pol_sa *sas[IPSP_BUNDLE_MAX])
{
	for (size_t i = 0; i < IPSP_BUNDLE_MAX; i++)
		pol_sa_unref(sas[i]);
}

static void free_sa_cell(struct pol_compiler *c, struct sa_cell *cell)
{
	pol_deps_forget(c->deps, &cell->cell);
	RB_REMOVE(pol_sa_cells, &c->sas, cell);
	unref_sas(cell->sas);
	free(cell);
}

/* Rules that use an SA ask whether it is in force, not what it is. */
static void touch_place(void *arg, struct pol_cell *cell)
{
	struct pol_compiler *c = arg;

	if (cell->kind == POL_CELL_PLACE)
		(void)pol_group_touched(&c->work, cell, NULL, 0);
}

/* The place of the SA of that id among them, or IPSP_BUNDLE_MAX. */
static size_t place_of(struct pol_sa *const sas[IPSP_BUNDLE_MAX], uint64_t id)
{
	size_t i = 0;

	while (i < IPSP_BUNDLE_MAX && !(sas[i] && sas[i]->config.id == id))
		i++;
	return i;
}

/* Takes sas, whatever comes of it. What is as it was stays the same item. */
static bool exchange_sas(struct pol_compiler *c, struct sa_cell *cell,
			 struct pol_sa *sas[IPSP_BUNDLE_MAX])
{
	const bool was = cell->sas[0] != NULL, is = sas[0] != NULL;
	bool good = true;

	for (size_t i = 0; i < IPSP_BUNDLE_MAX && cell->sas[i]; i++)
		if (place_of(sas, cell->sas[i]->config.id) == IPSP_BUNDLE_MAX)
			good = good && pol_map_remove(&c->sa_set, cell->sas[i]);
	for (size_t i = 0; i < IPSP_BUNDLE_MAX && sas[i]; i++) {
		const size_t at = place_of(cell->sas, sas[i]->config.id);

		if (at < IPSP_BUNDLE_MAX && pol_sa_same(&cell->sas[at]->config, &sas[i]->config)) {
			pol_sa_unref(sas[i]);
			sas[i] = cell->sas[at];
			cell->sas[at] = NULL;
		} else {
			good = good && pol_map_put(&c->sa_set, sas[i]);
		}
	}
	unref_sas(cell->sas);
	memcpy(cell->sas, sas, sizeof(cell->sas));
	if (was != is)
		pol_deps_touch(c->deps, &mib_t_ipsaSaPreconfiguredActionTable, cell->index.ids,
			       cell->index.len, touch_place, c);
	return good;
}

static bool make_sa(struct pol_compiler *c, struct sa_cell *cell)
{
	struct pol_build *b = c->work.build;
	const struct mib_row *r;
	struct pol_sa *sas[IPSP_BUNDLE_MAX] = { NULL };
	bool good;

	cell->cell.dirty = false;
	TAILQ_REMOVE(&c->dirty_sas, &cell->cell, link);
	c->work.n_made++;
	pol_deps_begin(c->deps);
	pol_build_begin(b);
	r = mib_view_row(pol_build_view(b), &mib_t_ipsaSaPreconfiguredActionTable,
			 cell->index.ids, cell->index.len);
	if (r && !mib_row_active(r))
		r = NULL;
	good = !r || pol_action_sas(b, r, sas);
	good = good && pol_build_end(b, &cell->said) && pol_deps_end(c->deps, &cell->cell);
	if (!good) {
		unref_sas(sas);
		return false;
	}
	good = exchange_sas(c, cell, sas);
	if (!r)
		free_sa_cell(c, cell);
	return good;
}

static bool make_sas(struct pol_compiler *c)
{
	struct pol_cell *cell;

	while ((cell = TAILQ_FIRST(&c->dirty_sas)))
		if (!make_sa(c, (struct sa_cell *)cell))
			return false;
	return true;
}

static bool mark_all_sas(struct pol_compiler *c)
{
	struct pol_walk walk = { .view = c->view, .table = &mib_t_ipsaSaPreconfiguredActionTable };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		size_t len;
		const uint32_t *index = mib_row_index(r, &len);

		if (!mark_sa_row(c, index, len))
			return false;
	}
	return true;
}

/* ---- which lists ---- */

static bool add_binding(struct pol_compiler *c, uint32_t ifindex, enum ipsp_dir dir,
			const char *group)
{
	struct binding *to;

	if (c->n_bindings == c->cap_bindings) {
		size_t cap = c->cap_bindings ? c->cap_bindings * 2 : 8;
		struct binding *v = reallocarray(c->bindings, cap, sizeof(*v));

		if (!v)
			return false;
		c->bindings = v;
		c->cap_bindings = cap;
	}
	to = &c->bindings[c->n_bindings++];
	*to = (struct binding){ .ifindex = ifindex, .dir = dir };
	snprintf(to->group, sizeof(to->group), "%s", group);
	return true;
}

/* Both tables have the index (direction, interface). */
static void bound_to(const struct mib_row *r, enum ipsp_dir *dir, uint32_t *ifindex)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	*dir = index[0] == IPSP_OUTBOUND ? IPSP_OUTBOUND : IPSP_INBOUND;
	*ifindex = index[len - 1];
}

static bool endpoints(struct pol_compiler *c)
{
	struct pol_build *b = c->work.build;
	struct pol_walk walk = { .view = pol_build_view(b),
				 .table = &mib_t_spdEndpointToGroupTable, .with_lost = true };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		char group[POL_GROUP_TEXT];
		enum ipsp_dir dir;
		uint32_t ifindex;

		bound_to(r, &dir, &ifindex);
		mib_row_text(r, MIB_COL(spdEndpointToGroupTable, spdEndGroupName), group,
			     sizeof(group));
		if (mib_row_lost(r)) {
			group[0] = '\0';
			if (!pol_build_lost(b, r))
				return false;
		}
		if (!add_binding(c, ifindex, dir, group))
			return false;
	}
	return true;
}

static bool system_wide(struct pol_compiler *c)
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_view *v = pol_build_view(c->work.build);
	const struct mib_row *names = mib_view_row(v, &mib_t_spdLocalConfigObjects, scalar, 1);
	const struct mib_row *sys = mib_view_row(v, &mib_t_ipspdSystem, scalar, 1);
	const struct {
		enum ipsp_dir dir;
		const struct mib_column *name;
	} dirs[] = {
		{ IPSP_INBOUND, MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName) },
		{ IPSP_OUTBOUND, MIB_COL(spdLocalConfigObjects, spdEgressPolicyGroupName) },
	};
	bool drop = sys && mib_row_number(sys, MIB_COL(ipspdSystem, ipspdDefaultWithoutPolicy),
					  0) == WITHOUT_POLICY_DROP;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		const uint32_t closure[] = { dirs[i].dir, 0 };
		char group[POL_GROUP_TEXT] = "";

		if (names)
			mib_row_text(names, dirs[i].name, group, sizeof(group));
		if (group[0] == '\0' && !drop &&
		    !mib_view_row(v, &mib_t_ipspdClosureTable, closure, 2))
			continue;
		if (!add_binding(c, 0, dirs[i].dir, group))
			return false;
	}
	return true;
}

static bool closures(struct pol_compiler *c)
{
	const struct mib_view *v = pol_build_view(c->work.build);
	struct pol_walk walk = { .view = v, .table = &mib_t_ipspdClosureTable };
	const struct mib_row *r;

	while ((r = pol_walk_next(&walk))) {
		const struct mib_row *endpoint;
		enum ipsp_dir dir;
		uint32_t ifindex;

		bound_to(r, &dir, &ifindex);
		endpoint = mib_view_row(v, &mib_t_spdEndpointToGroupTable,
					(const uint32_t[]){ dir, ifindex }, 2);
		if (ifindex == 0 || (endpoint && pol_row_meant(endpoint)))
			continue;
		if (!add_binding(c, ifindex, dir, ""))
			return false;
	}
	return true;
}

static int binding_cmp(const void *a, const void *b)
{
	const struct binding *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return x->dir < y->dir ? -1 : x->dir > y->dir;
}

static bool make_bindings(struct pol_compiler *c)
{
	struct pol_build *b = c->work.build;

	if (!c->bindings_cell.dirty)
		return true;
	c->bindings_cell.dirty = false;
	c->n_bindings = 0;
	pol_deps_begin(c->deps);
	pol_build_begin(b);
	if (!endpoints(c) || !system_wide(c) || !closures(c) || !pol_exempt_make(b, &c->exempt) ||
	    !pol_build_end(b, &c->bindings_said) || !pol_deps_end(c->deps, &c->bindings_cell))
		return false;
	if (c->n_bindings > 0)
		qsort(c->bindings, c->n_bindings, sizeof(*c->bindings), binding_cmp);
	return true;
}

/* ---- their trees ---- */

static struct pol_tree *find_tree(struct pol_compiler *c, const struct binding *b)
{
	struct pol_tree key = { .dir = b->dir };

	memcpy(key.group, b->group, sizeof(key.group));
	return RB_FIND(pol_trees, &c->trees, &key);
}

static bool drop_unwanted(struct pol_compiler *c)
{
	struct pol_tree *t, *next;
	bool good = true;

	RB_FOREACH(t, pol_trees, &c->trees)
		t->wanted = false;
	for (size_t i = 0; i < c->n_bindings; i++) {
		t = find_tree(c, &c->bindings[i]);
		if (t)
			t->wanted = true;
	}
	for (t = RB_MIN(pol_trees, &c->trees); t; t = next) {
		next = RB_NEXT(pol_trees, &c->trees, t);
		if (t->wanted)
			continue;
		RB_REMOVE(pol_trees, &c->trees, t);
		good = pol_tree_free(&c->work, t, false) && good;
	}
	return good;
}

static int group_cmp(const void *a, const void *b)
{
	const struct binding *x = *(struct binding *const *)a, *y = *(struct binding *const *)b;

	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return strcmp(x->group, y->group);
}

/* In an order that does not depend on interfaces, so that what is cut does not either. */
static enum pol_step make_trees(struct pol_compiler *c)
{
	struct binding **order = calloc(c->n_bindings + 1, sizeof(*order));
	enum pol_step rc = order ? POL_STEP_OK : POL_STEP_NO_MEMORY;

	for (size_t i = 0; order && i < c->n_bindings; i++)
		order[i] = &c->bindings[i];
	if (order)
		qsort(order, c->n_bindings, sizeof(*order), group_cmp);
	for (size_t i = 0; rc == POL_STEP_OK && i < c->n_bindings; i++) {
		struct binding *b = order[i];

		b->tree = find_tree(c, b);
		if (b->tree)
			continue;
		rc = pol_tree_make(&c->work, b->group, b->dir, &b->tree);
		if (b->tree)
			RB_INSERT(pol_trees, &c->trees, b->tree);
	}
	free(order);
	return rc;
}

/* ---- what was cut off ---- */

static bool say_cut(struct pol_compiler *c, const struct mib_row *r)
{
	struct pol_build *b = c->work.build;

	if (c->n_cut == c->cap_cut) {
		size_t cap = c->cap_cut ? c->cap_cut * 2 : 64;
		struct pol_said *v = reallocarray(c->cut, cap, sizeof(*v));

		if (!v)
			return false;
		c->cut = v;
		c->cap_cut = cap;
	}
	c->cut[c->n_cut] = (struct pol_said){ 0 };
	pol_build_begin(b);
	return pol_build_problem(b, r, "was not compiled, as a group is too large: its packets are "
				 "dropped") &&
	       pol_build_end(b, &c->cut[c->n_cut++]);
}

/* Rules that no list reaches any more must not read as being in force. */
static bool say_all_cut(struct pol_compiler *c)
{
	struct pol_walk walk = { .view = c->view, .table = &mib_t_spdRuleDefinitionTable };
	const struct mib_row *r;

	while (c->work.cut && (r = pol_walk_next(&walk))) {
		bool has;

		if (!pol_build_has_origin(c->work.build, r, &has) || (!has && !say_cut(c, r)))
			return false;
	}
	return true;
}

/* ---- all of it ---- */

/* Forgets everything that was made. */
static void reset(struct pol_compiler *c)
{
	struct sa_cell *sa;
	struct pol_tree *t;

	while ((t = RB_ROOT(&c->trees))) {
		RB_REMOVE(pol_trees, &c->trees, t);
		pol_tree_free(&c->work, t, true);
	}
	while ((sa = RB_ROOT(&c->sas))) {
		free(sa->said.items);
		free_sa_cell(c, sa);
	}
	for (size_t i = 0; i < c->n_cut; i++)
		free(c->cut[i].items);
	c->n_cut = 0;
	pol_deps_forget(c->deps, &c->bindings_cell);
	free(c->bindings_said.items);
	c->bindings_said = (struct pol_said){ 0 };
	c->n_bindings = 0;
	pol_exempt_fini(&c->exempt);
	pol_map_fini(&c->sa_set);
	pol_map_fini(&c->board.origins);
	pol_map_fini(&c->board.problems);
	TAILQ_INIT(&c->work.dirty);
	TAILQ_INIT(&c->dirty_sas);
	c->work.n_entries = c->work.n_boxes = 0;
	c->work.cut = c->work.cutting = false;
	pol_build_set_next_change(c->work.build, POL_NEVER);
	c->stale = true;
}

static enum pol_step update(struct pol_compiler *c)
{
	bool moved = c->bindings_cell.dirty;
	enum pol_step rc;

	if (!make_sas(c) || !make_bindings(c) || (moved && !drop_unwanted(c)))
		return POL_STEP_NO_MEMORY;
	rc = pol_group_work(&c->work);
	return rc == POL_STEP_OK && moved ? make_trees(c) : rc;
}

static bool update_all(struct pol_compiler *c)
{
	reset(c);
	c->stale = false;
	c->bindings_cell.dirty = true;
	c->work.cutting = true;
	return mark_all_sas(c) && update(c) == POL_STEP_OK && say_all_cut(c);
}

static struct pol_generation *publish(const struct pol_compiler *c, uint64_t number)
{
	struct pol_generation *g = pol_generation_new(number, c->n_bindings);

	if (!g)
		return NULL;
	for (size_t i = 0; i < c->n_bindings; i++) {
		const struct binding *b = &c->bindings[i];

		struct pol_list *l = &g->lists[g->n_lists++];

		*l = (struct pol_list){ .ifindex = b->ifindex, .dir = (uint8_t)b->dir,
					.entries = pol_map_share(&b->tree->entries) };
		/* What is closed stays closed. */
		if (b->group[0] != '\0' && !pol_exempt_put(&c->exempt, b->dir, &l->entries)) {
			pol_generation_free(g);
			return NULL;
		}
	}
	g->sas = pol_map_share(&c->sa_set);
	g->origins = pol_map_share(&c->board.origins);
	g->problems = pol_map_share(&c->board.problems);
	g->changes_at_s = pol_build_next_change(c->work.build);
	return g;
}

struct touching {
	struct pol_compiler *c;
	const uint32_t *index;
	size_t len;
	bool any;	/* something has read it */
};

static void touch(void *arg, struct pol_cell *cell)
{
	struct touching *t = arg;

	t->any = true;
	switch ((enum pol_cell_kind)cell->kind) {
	case POL_CELL_BINDINGS:
		cell->dirty = true;
		break;
	case POL_CELL_SA:
		mark_sa(t->c, (struct sa_cell *)cell);
		break;
	case POL_CELL_NEST:
	case POL_CELL_PLACE:
		if (!pol_group_touched(&t->c->work, cell, t->index, t->len))
			t->c->stale = true;
		break;
	}
}

/* What reads time filters is made anew when one changes, and when the clock goes back. */
static void note_time(struct pol_compiler *c, int64_t now_s)
{
	struct pol_build *b = c->work.build;
	struct pol_walk walk = { .view = c->view, .table = &mib_t_spdTimeFilterTable };
	const struct mib_row *r;
	bool due = now_s >= pol_build_next_change(b) || now_s < pol_build_now(b);

	pol_build_set_now(b, now_s);
	if (!due || pol_build_next_change(b) == POL_NEVER)
		return;
	pol_build_set_next_change(b, POL_NEVER);
	/* The machine's time zone may be another since the last time. */
	tzset();
	while (!c->stale && (r = pol_walk_next(&walk))) {
		struct touching t = { .c = c };

		t.index = mib_row_index(r, &t.len);
		pol_deps_touch(c->deps, &mib_t_spdTimeFilterTable, t.index, t.len, touch, &t);
	}
}

enum mib_err pol_compiler_run(struct pol_compiler *c, uint64_t number, int64_t now_s,
			      struct pol_generation **out)
{
	struct pol_generation *g = NULL;
	enum pol_step rc = POL_STEP_FULL;

	note_time(c, now_s);
	c->work.n_made = 0;
	/* What was cut is cut anew: another change may have moved where. */
	if (!c->stale && !c->work.cut) {
		c->work.cutting = false;
		rc = update(c);
	}
	if (rc == POL_STEP_FULL)
		rc = update_all(c) ? POL_STEP_OK : POL_STEP_NO_MEMORY;
	if (rc == POL_STEP_OK)
		g = publish(c, number);
	else
		c->stale = true;
	if (!g)
		return MIB_RESOURCE_UNAVAILABLE;
	*out = g;
	return MIB_OK;
}

void pol_compiler_changed(struct pol_compiler *c, const struct mib_change *changes, size_t n)
{
	for (size_t i = 0; i < n && !c->stale; i++) {
		const struct mib_row *r = changes[i].after ? changes[i].after : changes[i].before;
		struct touching t = { .c = c };

		t.index = mib_row_index(r, &t.len);
		if (mib_row_table(r) == &mib_t_ipsaSaPreconfiguredActionTable &&
		    !mark_sa_row(c, t.index, t.len))
			c->stale = true;
		pol_deps_touch(c->deps, mib_row_table(r), t.index, t.len, touch, &t);
	}
}

bool pol_compiler_addresses(struct pol_compiler *c, const struct ipsp_addr *v, size_t n)
{
	struct touching t = { .c = c, .index = pol_addresses_index, .len = 1 };
	struct ipsp_addr *copy = v ? malloc((n + 1) * sizeof(*copy)) : NULL;

	if (copy && c->addresses && n == c->n_addresses &&
	    (n == 0 || memcmp(v, c->addresses, n * sizeof(*v)) == 0)) {
		free(copy);
		return false;
	}
	if (copy && n > 0)
		memcpy(copy, v, n * sizeof(*copy));
	free(c->addresses);
	c->addresses = copy;
	c->n_addresses = copy ? n : 0;
	pol_build_set_addresses(c->work.build, copy, c->n_addresses);
	pol_deps_touch(c->deps, &mib_t_diffServMultiFieldClfrTable, t.index, t.len, touch, &t);
	return t.any;
}

size_t pol_compiler_work(const struct pol_compiler *c)
{
	return c->work.n_made;
}

struct pol_compiler *pol_compiler_new(const struct mib_view *v)
{
	struct pol_compiler *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->view = c->work.view = v;
	c->stale = true;
	c->sa_set = pol_map_empty(&pol_sas_type);
	c->board.origins = pol_map_empty(&pol_origins_type);
	c->board.problems = pol_map_empty(&pol_problems_type);
	TAILQ_INIT(&c->work.dirty);
	TAILQ_INIT(&c->dirty_sas);
	c->work.deps = c->deps = pol_deps_new();
	c->told = c->deps ? mib_view_told(v, pol_deps_reader(c->deps)) : NULL;
	c->work.build = c->told ? pol_build_new(c->told, &c->board) : NULL;
	if (!c->work.build) {
		pol_compiler_free(c);
		return NULL;
	}
	return c;
}

void pol_compiler_free(struct pol_compiler *c)
{
	if (!c)
		return;
	if (c->work.build)
		reset(c);
	pol_build_free(c->work.build);
	mib_view_told_free(c->told);
	pol_deps_free(c->deps);
	free(c->addresses);
	free(c->bindings);
	free(c->cut);
	free(c);
}

enum mib_err pol_compile(const struct mib_view *v, uint64_t number, int64_t now_s,
			 struct pol_generation **out)
{
	struct pol_compiler *c = pol_compiler_new(v);
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;

	if (c)
		err = pol_compiler_run(c, number, now_s, out);
	pol_compiler_free(c);
	return err;
}
