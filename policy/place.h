/*
 * policy/place.h - what one contents row gives in its place: nothing, an entry, or a group.
 *
 * Only reads; what it reads, the view tells (policy/deps.h).
 */
#ifndef POLICY_PLACE_H
#define POLICY_PLACE_H

#include "policy/build.h"
#include "policy/timed.h"

enum pol_outcome_kind {
	POL_OUTCOME_NOTHING,
	POL_OUTCOME_ENTRY,
	POL_OUTCOME_GROUP,
};

/** A row whose filters change with time gives an entry for each time, and one before and behind. */
#define POL_PIECES_MAX (POL_TIMES_MAX + 2)

/** Owns what it points to. */
struct pol_outcome {
	enum pol_outcome_kind kind;
	uint8_t n_entries;		/* ENTRY */
	struct ipsp_spd_entry entries[POL_PIECES_MAX];	/* with all they point to */
	struct mib_oid group;		/* GROUP: what its contents rows' indexes begin with */
	struct pol_timed guard;		/* and what gets there */
	char lost[POL_ROW_TEXT];	/* and the lost contents row that leads there; "": none */
};

void pol_outcome_fini(struct pol_outcome *o);

/** Moves from into to, which held nothing. */
void pol_outcome_move(struct pol_outcome *to, struct pol_outcome *from);

/** Are both groups, the same one, reached in the same way? */
bool pol_outcome_same_group(const struct pol_outcome *a, const struct pol_outcome *b);

/**
 * Judges a contents row.
 * @param in     the group it is in
 * @param depth  how deep that is; 1: the outermost
 * @param out    held nothing; pol_outcome_fini it, whatever is returned
 * @param gone   out: there is no such row that is active or lost
 * @return false: no memory
 */
bool pol_place_judge(struct pol_build *b, const struct pol_outcome *in, unsigned depth,
		     enum ipsp_dir dir, uint16_t priority, struct pol_outcome *out, bool *gone);

#endif
