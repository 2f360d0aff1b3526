/*
 * policy/group.h - groups of rules as ordered SPD entries.
 *
 * RFC 4807 3 (how a group is evaluated), RFC 4301 4.4.1. The end of the outermost group discards.
 * IPv6 Neighbor Discovery (RFC 4861) is not mentioned in any list: engine and guard let it pass by
 * themselves, since an address that cannot be resolved would cut off what policy does allow.
 *
 * A tree is what one group is in one direction, for all lists that are bound to it: a nest for the
 * group and for each group in it, as often as it is reached; in it a place for each contents row.
 * Places are made again one by one when what they have read changes.
 *
 *	tree -> nest (group) -> place (contents row) -> nothing, an entry, or a nest
 */
#ifndef POLICY_GROUP_H
#define POLICY_GROUP_H

#include <bsd/sys/tree.h>

#include "policy/build.h"
#include "policy/deps.h"

/** Entries and boxes of one generation, contents rows met in one tree. More is cut off. */
#define POL_ENTRIES_MAX (1u << 18)
#define POL_BOXES_MAX_ALL (1u << 19)
#define POL_PLACES_MAX (1u << 19)

#define POL_GROUP_TEXT 33

/** What kind of cell it is, so that its owner can tell. */
enum pol_cell_kind {
	POL_CELL_BINDINGS,	/* which lists there are */
	POL_CELL_SA,
	POL_CELL_NEST,		/* never dirty itself: its places are */
	POL_CELL_PLACE,
};

/** What trees are made with. */
struct pol_work {
	struct pol_build *build;
	struct pol_deps *deps;
	const struct mib_view *view;	/* nobody listens to it */
	struct pol_cells dirty;		/* places */
	size_t n_entries, n_boxes;	/* of all trees */
	size_t n_made;			/* cells made, for tests */
	bool cutting;			/* what becomes too large is cut; else POL_STEP_FULL */
	bool cut;			/* something was */
};

/** How a step of the work ended. */
enum pol_step {
	POL_STEP_OK,
	POL_STEP_FULL,		/* over a limit: begin anew, and cut */
	POL_STEP_NO_MEMORY,
};

struct pol_nest;

struct pol_tree {
	RB_ENTRY(pol_tree) link;	/* compile.c's */
	char group[POL_GROUP_TEXT];	/* "": no group, no entries: all packets are discarded */
	enum ipsp_dir dir;
	struct pol_map entries;		/* struct pol_entry */
	size_t n_places;
	struct pol_nest *root;
	struct pol_said said;		/* that it was cut */
	bool wanted;			/* compile.c's */
};

/**
 * Makes the tree of a group.
 * @param group  its name, at most 32 octets
 * @param out    out: the tree, also if it is not whole; NULL: no memory for any
 */
enum pol_step pol_tree_make(struct pol_work *w, const char *group, enum ipsp_dir dir,
			    struct pol_tree **out);

/** @param all  everything goes: nobody asks what the tree had said, or read */
bool pol_tree_free(struct pol_work *w, struct pol_tree *t, bool all);

/** A row of spdGroupContentsTable has changed that a nest has read, or anything else a place has. */
bool pol_group_touched(struct pol_work *w, struct pol_cell *c, const uint32_t *index, size_t len);

/** Makes the places that are dirty. */
enum pol_step pol_group_work(struct pol_work *w);

#endif
