/*
 * policy/group.c - trees of places: see group.h. What becomes of one contents row is in place.c.
 *
 * Nested groups are walked with a stack of POL_DEPTH_MAX frames. What a nest's guards let in is
 * kept as a match set, so a rule's boxes are those of its filter and of all guards above it. A
 * subgroup in which nothing runs leads on to the next row of the outer group, which first match in
 * one flat list does by itself.
 */
#include "policy/group.h"

#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "policy/place.h"

struct place {
	struct pol_cell cell;		/* first */
	RB_ENTRY(place) link;
	struct pol_nest *in;
	struct pol_nest *nest;		/* what it leads to; NULL: no group */
	struct pol_entry *entries[POL_PIECES_MAX];	/* NULL: none; counted */
	struct pol_said said;
	uint16_t priority;
};

RB_HEAD(pol_places, place);

struct pol_nest {
	struct pol_cell cell;		/* first */
	struct pol_tree *tree;
	struct pol_places places;
	struct pol_outcome what;	/* its group, guard, and how it was reached */
	uint8_t depth;			/* 1: the tree's root */
	uint16_t path[POL_DEPTH_MAX];	/* of the places that lead here: depth - 1 */
};

static int place_cmp(const struct place *a, const struct place *b)
{
	return (a->priority > b->priority) - (a->priority < b->priority);
}

RB_PROTOTYPE(pol_places, place, link, place_cmp)
RB_GENERATE(pol_places, place, link, place_cmp)

/* ---- entries ---- */

static void path_of(const struct place *p, uint16_t path[POL_DEPTH_MAX])
{
	memcpy(path, p->in->path, sizeof(p->in->path));
	path[p->in->depth - 1] = p->priority;
}

static size_t boxes_of(const struct ipsp_spd_entry *e)
{
	return e->n_selectors + (e->predicate ? e->predicate->n_selectors : 0);
}

static bool drop_entry(struct pol_work *w, struct place *p, uint8_t piece)
{
	struct pol_entry *e = p->entries[piece];
	bool good;

	if (!e)
		return true;
	w->n_entries--;
	w->n_boxes -= boxes_of(&e->spd);
	good = pol_map_remove(&p->in->tree->entries, e);
	pol_entry_unref(e);
	p->entries[piece] = NULL;
	return good;
}

static bool drop_entries(struct pol_work *w, struct place *p)
{
	bool good = true;

	for (uint8_t i = 0; i < POL_PIECES_MAX; i++)
		good = drop_entry(w, p, i) && good;
	return good;
}

/* An entry that does what the one before did stays the same object. */
static enum pol_step set_entry(struct pol_work *w, struct place *p, uint8_t piece,
			       const struct ipsp_spd_entry *spd)
{
	struct pol_entry *old = p->entries[piece];
	const size_t old_boxes = old ? boxes_of(&old->spd) : 0;
	uint16_t path[POL_DEPTH_MAX];
	struct pol_entry *e;

	if (!spd)
		return drop_entry(w, p, piece) ? POL_STEP_OK : POL_STEP_NO_MEMORY;
	if (old && pol_entry_same(&old->spd, spd))
		return POL_STEP_OK;
	if (w->n_entries - (old != NULL) >= POL_ENTRIES_MAX ||
	    w->n_boxes - old_boxes + boxes_of(spd) > POL_BOXES_MAX_ALL)
		return POL_STEP_FULL;
	path_of(p, path);
	e = pol_entry_new(spd, path, p->in->depth, piece);
	if (!e || !pol_map_put(&p->in->tree->entries, e)) {
		pol_entry_unref(e);
		return POL_STEP_NO_MEMORY;
	}
	if (old) {
		w->n_entries--;
		w->n_boxes -= old_boxes;
		pol_entry_unref(old);
	}
	p->entries[piece] = e;
	w->n_entries++;
	w->n_boxes += boxes_of(spd);
	return POL_STEP_OK;
}

static enum pol_step set_entries(struct pol_work *w, struct place *p,
				 const struct pol_outcome *what)
{
	enum pol_step rc = POL_STEP_OK;

	for (uint8_t i = 0; rc == POL_STEP_OK && i < POL_PIECES_MAX; i++)
		rc = set_entry(w, p, i, i < what->n_entries ? &what->entries[i] : NULL);
	return rc;
}

/* ---- nests and places ---- */

static void mark(struct pol_work *w, struct place *p)
{
	if (p->cell.dirty)
		return;
	p->cell.dirty = true;
	TAILQ_INSERT_TAIL(&w->dirty, &p->cell, link);
}

static void unmark(struct pol_work *w, struct pol_cell *c)
{
	if (!c->dirty)
		return;
	c->dirty = false;
	TAILQ_REMOVE(&w->dirty, c, link);
}

static struct place *place_get(struct pol_nest *n, uint16_t priority)
{
	struct place key = { .priority = priority };
	struct place *p = RB_FIND(pol_places, &n->places, &key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->cell.kind = POL_CELL_PLACE;
	p->priority = priority;
	p->in = n;
	RB_INSERT(pol_places, &n->places, p);
	n->tree->n_places++;
	return p;
}

/* What its nest holds must be gone. */
static bool place_free(struct pol_work *w, struct place *p, bool all)
{
	bool good = true;

	unmark(w, &p->cell);
	if (all) {
		free(p->said.items);
		for (uint8_t i = 0; i < POL_PIECES_MAX; i++)
			pol_entry_unref(p->entries[i]);
	} else {
		good = drop_entries(w, p);
		good = pol_build_forget(w->build, &p->said) && good;
	}
	pol_deps_forget(w->deps, &p->cell);
	RB_REMOVE(pol_places, &p->in->places, p);
	p->in->tree->n_places--;
	free(p);
	return good;
}

/* Frees a nest and all below it, the deepest first. */
static bool nest_free(struct pol_work *w, struct pol_nest *top, bool all)
{
	struct pol_nest *stack[POL_DEPTH_MAX];
	unsigned depth = 1;
	bool good = true;

	stack[0] = top;
	while (depth > 0) {
		struct pol_nest *n = stack[depth - 1];
		struct place *p = RB_ROOT(&n->places);

		if (p && p->nest) {
			stack[depth++] = p->nest;
			p->nest = NULL;
		} else if (p) {
			good = place_free(w, p, all) && good;
		} else {
			pol_deps_forget(w->deps, &n->cell);
			pol_outcome_fini(&n->what);
			free(n);
			depth--;
		}
	}
	return good;
}

/* Takes what. */
static struct pol_nest *nest_new(struct pol_work *w, struct pol_tree *t, const struct place *by,
				 struct pol_outcome *what)
{
	struct pol_nest *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->cell.kind = POL_CELL_NEST;
	n->tree = t;
	RB_INIT(&n->places);
	n->depth = 1;
	if (by) {
		path_of(by, n->path);
		n->depth = (uint8_t)(by->in->depth + 1);
	}
	pol_outcome_move(&n->what, what);
	pol_deps_begin(w->deps);
	pol_deps_read(w->deps, &mib_t_spdGroupContentsTable, n->what.group.ids, n->what.group.len);
	if (!pol_deps_end(w->deps, &n->cell)) {
		nest_free(w, n, false);
		return NULL;
	}
	return n;
}

/*
 * Makes one place from its contents row, which may be gone.
 * @param opened  out: a nest that it now leads to, and whose places are not made; else NULL
 */
static enum pol_step place_make(struct pol_work *w, struct place *p, struct pol_nest **opened)
{
	struct pol_outcome what = { .kind = POL_OUTCOME_NOTHING };
	struct pol_nest *n = p->in;
	enum pol_step rc = POL_STEP_OK;
	bool gone = false;

	*opened = NULL;
	unmark(w, &p->cell);
	w->n_made++;
	pol_deps_begin(w->deps);
	pol_build_begin(w->build);
	if (!pol_place_judge(w->build, &n->what, n->depth, n->tree->dir, p->priority, &what, &gone) ||
	    !pol_build_end(w->build, &p->said) || !pol_deps_end(w->deps, &p->cell))
		rc = POL_STEP_NO_MEMORY;
	/* A group that is the same as before keeps all that was made of it. */
	if (rc == POL_STEP_OK && p->nest && !pol_outcome_same_group(&p->nest->what, &what)) {
		struct pol_nest *old = p->nest;

		p->nest = NULL;
		if (!nest_free(w, old, false))
			rc = POL_STEP_NO_MEMORY;
	}
	if (rc == POL_STEP_OK)
		rc = set_entries(w, p, &what);
	if (rc == POL_STEP_OK && what.kind == POL_OUTCOME_GROUP && !p->nest) {
		*opened = p->nest = nest_new(w, n->tree, p, &what);
		rc = *opened ? POL_STEP_OK : POL_STEP_NO_MEMORY;
	}
	pol_outcome_fini(&what);
	if (rc == POL_STEP_OK && gone && !place_free(w, p, false))
		rc = POL_STEP_NO_MEMORY;
	return rc;
}

/* One nest whose contents rows are being walked. */
struct frame {
	struct pol_nest *nest;
	struct pol_walk walk;
};

static void open_frame(struct pol_work *w, struct frame *f, struct pol_nest *n)
{
	f->nest = n;
	f->walk = (struct pol_walk){ .view = w->view, .table = &mib_t_spdGroupContentsTable,
				     .prefix = &n->what.group, .with_lost = true };
}

static uint16_t priority_of(const uint32_t *index, size_t len)
{
	return (uint16_t)index[len - 1];
}

/*
 * The list became too long. It ends here, and its end discards; that the rules it does not reach are
 * not in force is compile.c's to say.
 */
static enum pol_step cut_off(struct pol_work *w, struct pol_tree *t, const struct mib_row *at)
{
	w->cut = true;
	pol_build_begin(w->build);
	return pol_build_problem(w->build, at, "makes group \"%s\" too large: what comes after it "
				 "is dropped", t->group) && pol_build_end(w->build, &t->said) ?
	       POL_STEP_OK : POL_STEP_NO_MEMORY;
}

/* Makes all places of a new nest and of those in it, in list order. */
static enum pol_step nest_fill(struct pol_work *w, struct pol_nest *top)
{
	struct frame *frames = calloc(POL_DEPTH_MAX, sizeof(*frames));
	enum pol_step rc = frames ? POL_STEP_OK : POL_STEP_NO_MEMORY;
	unsigned depth = 1;

	if (frames)
		open_frame(w, &frames[0], top);
	while (rc == POL_STEP_OK && depth > 0) {
		struct frame *f = &frames[depth - 1];
		const struct mib_row *r = pol_walk_next(&f->walk);
		struct pol_nest *opened = NULL;
		const uint32_t *index;
		struct place *p;
		size_t len;

		if (!r) {
			depth--;
			continue;
		}
		index = mib_row_index(r, &len);
		if (top->tree->n_places >= POL_PLACES_MAX) {
			rc = POL_STEP_FULL;
		} else {
			p = place_get(f->nest, priority_of(index, len));
			rc = p ? place_make(w, p, &opened) : POL_STEP_NO_MEMORY;
		}
		if (rc == POL_STEP_FULL && w->cutting) {
			rc = cut_off(w, top->tree, r);
			break;
		}
		if (opened)
			open_frame(w, &frames[depth++], opened);
	}
	free(frames);
	return rc;
}

/* ---- trees ---- */

enum pol_step pol_tree_make(struct pol_work *w, const char *group, enum ipsp_dir dir,
			    struct pol_tree **out)
{
	const struct mib_value name = mib_value_octets(group, strlen(group));
	struct pol_outcome what = { .kind = POL_OUTCOME_GROUP };
	struct pol_tree *t = calloc(1, sizeof(*t));

	*out = t;
	if (!t)
		return POL_STEP_NO_MEMORY;
	memcpy(t->group, group, strnlen(group, sizeof(t->group) - 1));
	t->dir = dir;
	t->entries = pol_map_empty(&pol_entries_type);
	if (group[0] == '\0' ||
	    !mib_index_encode(&mib_t_spdGroupContentsTable, &name, 1, &what.group))
		return POL_STEP_OK;
	if (pol_timed_all(&what.guard) == POL_CALC_OK)
		t->root = nest_new(w, t, NULL, &what);
	pol_outcome_fini(&what);
	return t->root ? nest_fill(w, t->root) : POL_STEP_NO_MEMORY;
}

bool pol_tree_free(struct pol_work *w, struct pol_tree *t, bool all)
{
	bool good = true;

	if (t->root)
		good = nest_free(w, t->root, all);
	if (all)
		free(t->said.items);
	else
		good = pol_build_forget(w->build, &t->said) && good;
	pol_map_fini(&t->entries);
	free(t);
	return good;
}

bool pol_group_touched(struct pol_work *w, struct pol_cell *c, const uint32_t *index, size_t len)
{
	struct place *p;

	if (c->kind == POL_CELL_PLACE) {
		mark(w, (struct place *)c);
		return true;
	}
	p = place_get((struct pol_nest *)c, priority_of(index, len));
	if (p)
		mark(w, p);
	return p != NULL;
}

enum pol_step pol_group_work(struct pol_work *w)
{
	enum pol_step rc = POL_STEP_OK;
	struct pol_cell *c;

	while (rc == POL_STEP_OK && (c = TAILQ_FIRST(&w->dirty))) {
		struct pol_nest *opened;

		rc = place_make(w, (struct place *)c, &opened);
		if (rc == POL_STEP_OK && opened)
			rc = nest_fill(w, opened);
	}
	return rc;
}
