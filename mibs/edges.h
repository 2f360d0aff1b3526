/*
 * mibs/edges.h - who refers to whom, found from the target in O(log n); internal to mibs/.
 *
 * Every version of a row carries its edges: one a reference it makes, one a list it is a member
 * of, one a nesting, one a number that it can be found by. They stand in three trees: those of rows that no transaction touches, those of
 * the versions a transaction makes, and those it would replace. So each view is a union of two
 * trees, and nothing has to be skipped. Among edges with one key those of active rows come first.
 */
#ifndef MIBS_EDGES_H
#define MIBS_EDGES_H

#include "mibs/references.h"
#include "mibs/rows.h"

int mib_edge_cmp(const struct mib_edge *a, const struct mib_edge *b);
RB_PROTOTYPE(mib_edge_tree, mib_edge, link, mib_edge_cmp)

/** Kinds of edges, as their numbers run. */
uint16_t mib_edge_kind_ref(const struct mib_ref *ref);
uint16_t mib_edge_kind_list(const struct mib_list *list);
uint16_t mib_edge_kind_nest(const struct mib_ref *ref);
uint16_t mib_edge_kind_found_by(const struct mib_at *at);

/** Computes r's edges anew; they must stand in no tree. @return false: no memory */
MIB_MUST_CHECK bool mib_edges_make(struct mib_row *r);

void mib_edges_insert(struct mib_edge_tree *tree, struct mib_row *r);
void mib_edges_remove(struct mib_edge_tree *tree, struct mib_row *r);

/** Walks the edges of one kind and key in a view; active rows first within each of its two trees. */
struct mib_edge_walk {
	uint16_t kind;
	uint16_t target;
	const uint32_t *key;
	size_t key_len;
	bool active_only;
	const struct mib_edge *at[2];
};

void mib_edge_walk_start(struct mib_edge_walk *w, const struct mib_view *v, uint16_t kind,
			 const struct mib_table *target, const uint32_t *key, size_t key_len,
			 bool active_only);
/** The next edge, or NULL. */
const struct mib_edge *mib_edge_walk_next(struct mib_edge_walk *w);

/** The first row whose edge of that kind has the key, or NULL. */
const struct mib_row *mib_edges_first(const struct mib_view *v, uint16_t kind,
				      const struct mib_table *target, const uint32_t *key,
				      size_t key_len, bool active_only);

#endif
