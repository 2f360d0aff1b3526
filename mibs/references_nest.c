/*
 * mibs/references_nest.c - containers in containers: no cycles, and not too deep.
 *
 * Groups in groups, compound filters in compound filters, compound actions in compound actions
 * (RFC 4807 leaves cycles open). Judged for every nesting row, active or not, so that nothing a
 * later activation relies on can be a cycle. Levels are walked one by one, each container once a
 * level: no recursion, at most MIB_NEST_MAX levels.
 */
#include <stdio.h>
#include <string.h>

#include "mibs/edges.h"
#include "mibs/store_int.h"

/* A container, by its name as an index part. */
struct node {
	RB_ENTRY(node) link;
	TAILQ_ENTRY(node) order;
	size_t level;
	const uint32_t *key;
	size_t len;
	const struct node *from;	/* one level nearer to the start */
};

RB_HEAD(node_tree, node);
TAILQ_HEAD(node_list, node);

static int node_cmp(const struct node *a, const struct node *b)
{
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return mib_oid_cmp(a->key, a->len, b->key, b->len);
}

RB_GENERATE_INTERNAL(node_tree, node, link, node_cmp, __attribute__((unused)) static)

/* Every container that paths of each length reach, level by level. */
struct levels {
	struct node_tree tree;
	struct node_list order;
	size_t depth;			/* the last level that is not empty */
};

/* @return false: no memory */
static bool node_add(struct levels *l, size_t level, const uint32_t *key, size_t len,
		     const struct node *from)
{
	struct node *n = mib_alloc(1, sizeof(*n));

	if (n == NULL)
		return false;
	n->level = level;
	n->key = key;
	n->len = len;
	n->from = from;
	if (RB_INSERT(node_tree, &l->tree, n) != NULL) {
		mib_free(n);
		return true;
	}
	TAILQ_INSERT_TAIL(&l->order, n, order);
	l->depth = level;
	return true;
}

static void levels_init(struct levels *l)
{
	RB_INIT(&l->tree);
	TAILQ_INIT(&l->order);
	l->depth = 0;
}

static void levels_fini(struct levels *l)
{
	struct node *n;

	while ((n = TAILQ_FIRST(&l->order)) != NULL) {
		TAILQ_REMOVE(&l->order, n, order);
		mib_free(n);
	}
}

/* The container on the other side of the nesting that this edge stands for. */
static bool other_side(const struct mib_ref *ref, const struct mib_edge *e, bool down,
		       const uint32_t **key, size_t *len)
{
	const struct mib_row *row = e->source;

	if (!down) {
		mib_list_key(ref->members, row, key, len);
		return true;
	}
	for (size_t i = 0; i < row->n_edges; i++) {
		if (row->edges[i].kind == mib_edge_kind_ref(ref) &&
		    row->edges[i].target == ref->nests->number) {
			*key = row->edges[i].key;
			*len = row->edges[i].key_len;
			return true;
		}
	}
	return false;
}

static bool expand(const struct mib_view *v, const struct mib_ref *ref, struct levels *l,
		   const struct node *n, bool down)
{
	const uint16_t kind = down ? mib_edge_kind_nest(ref) : mib_edge_kind_ref(ref);
	struct mib_edge_walk w;
	const struct mib_edge *e;

	mib_edge_walk_start(&w, v, kind, ref->nests, n->key, n->len, false);
	while ((e = mib_edge_walk_next(&w)) != NULL) {
		const uint32_t *key;
		size_t len;

		if (other_side(ref, e, down, &key, &len) &&
		    !node_add(l, n->level + 1, key, len, n))
			return false;
	}
	return true;
}

/* @return false: no memory */
static bool levels_walk(const struct mib_view *v, const struct mib_ref *ref, struct levels *l,
			const uint32_t *key, size_t len, bool down)
{
	const struct node *n;

	if (!node_add(l, 0, key, len, NULL))
		return false;
	/* The list grows at its end, by rising level. */
	TAILQ_FOREACH(n, &l->order, order) {
		if (n->level < MIB_NEST_MAX && !expand(v, ref, l, n, down))
			return false;
	}
	return true;
}

static void append_name(char *buf, size_t size, const uint32_t *key, size_t len)
{
	const size_t at = strlen(buf);

	if (at + 4 >= size)
		return;

	size_t n = at;

	buf[n++] = '"';
	for (size_t i = 1; i < len && n + 2 < size; i++)
		buf[n++] = (char)key[i];
	buf[n++] = '"';
	buf[n] = '\0';
}

/* Was the content met on the way up from the container? Then the way back is the cycle. */
static const struct node *find_node(const struct levels *l, const uint32_t *key, size_t len)
{
	const struct node *n;

	TAILQ_FOREACH(n, &l->order, order) {
		if (mib_oid_cmp(n->key, n->len, key, len) == 0)
			return n;
	}
	return NULL;
}

static enum mib_err refuse_cycle(const struct mib_ref *ref, const struct mib_row *r,
				 const struct node *n, struct mib_diag *d)
{
	char way[200] = "";
	const uint32_t *first = n->key;
	const size_t first_len = n->len;

	for (; n != NULL; n = n->from) {
		append_name(way, sizeof(way), n->key, n->len);
		strncat(way, " > ", sizeof(way) - strlen(way) - 1);
	}
	append_name(way, sizeof(way), first, first_len);
	mib_diag_set(d, mib_at(&ref->at), r->index, r->index_len, "a %s would contain itself: %s",
		     ref->nest_word, way);
	return MIB_INCONSISTENT_VALUE;
}

static enum mib_err check_one(const struct mib_view *v, const struct mib_ref *ref,
			      const struct mib_row *r, const struct mib_ref_target *to,
			      struct mib_diag *d)
{
	struct levels up, down;
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;
	const uint32_t *container;
	size_t len;

	levels_init(&up);
	levels_init(&down);
	mib_list_key(ref->members, r, &container, &len);
	if (!levels_walk(v, ref, &up, container, len, false) ||
	    !levels_walk(v, ref, &down, to->key.ids, to->key.len, true)) {
		mib_diag_set(d, mib_at(&ref->at), r->index, r->index_len, "out of memory");
		goto out;
	}

	const struct node *met = find_node(&up, to->key.ids, to->key.len);

	if (met != NULL) {
		err = refuse_cycle(ref, r, met, d);
	} else if (up.depth + 2 + down.depth > MIB_NEST_MAX) {
		mib_diag_set(d, mib_at(&ref->at), r->index, r->index_len,
			     "more than %d levels of %s in %s", MIB_NEST_MAX, ref->nest_word,
			     ref->nest_word);
		err = MIB_INCONSISTENT_VALUE;
	} else {
		err = MIB_OK;
	}
out:
	levels_fini(&up);
	levels_fini(&down);
	return err;
}

enum mib_err mib_refs_check_nesting(const struct mib_view *v, const struct mib_row *r,
				    const struct mib_column **at, struct mib_diag *d)
{
	for (size_t i = 0; i < r->shelf->n_refs_out; i++) {
		const struct mib_ref *ref = r->shelf->refs_out[i];
		struct mib_ref_target to;

		if (ref->nests == NULL || mib_ref_resolve(ref, r, &to) != MIB_REF_AIMS ||
		    to.table[0] != ref->nests)
			continue;
		*at = mib_at(&ref->at);

		const enum mib_err err = check_one(v, ref, r, &to, d);

		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}
