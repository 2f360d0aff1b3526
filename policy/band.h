/*
 * policy/band.h - entries that do not come from rows: a key manager's, behind those of rows.
 *
 * Each list of a generation gets them behind its own, before its end. An interface that no row is
 * about has no list, and what no entry matches there passes: with entries of a band, the list for
 * such interfaces consists of them and of a last entry that lets everything pass.
 */
#ifndef POLICY_BAND_H
#define POLICY_BAND_H

#include "policy/policy.h"

/** Where an entry of a list comes from; in this order they stand. */
enum pol_band_kind {
	POL_BAND_ROWS = 0,
	POL_BAND_KEY_MANAGER = 1,
	POL_BAND_OPEN = 2,	/* the end of a list that only a band made */
};

struct pol_band;

/** NULL: no memory. */
struct pol_band *pol_band_new(void);
void pol_band_free(struct pol_band *b);

/**
 * Puts an entry in; one of the same place goes.
 * @param place	 its order in the band of its direction
 * @param spd	 copied, with all it points to
 * @return false: no memory, nothing changed
 */
bool pol_band_put(struct pol_band *b, enum ipsp_dir dir, uint64_t place,
		  const struct ipsp_spd_entry *spd);

/** Takes the entry of that place out. @return false: no memory, nothing changed */
bool pol_band_remove(struct pol_band *b, enum ipsp_dir dir, uint64_t place);

/** Takes all out. */
void pol_band_clear(struct pol_band *b);

/**
 * Puts the band into all lists of a generation that nobody has seen yet. Lists that are what they
 * were in the last one are the same ones again.
 * @return false: no memory; g is good for nothing but pol_generation_free
 */
bool pol_band_apply(struct pol_band *b, struct pol_generation *g);

#endif
