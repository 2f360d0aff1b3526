/*
 * policy/match.h - which packets a filter matches: by boxes, by a predicate, or not known.
 *
 * Not every filter can be said in selectors, and not every expression stays small. Such a filter is
 * kept from both sides: `may` holds every packet that might match, `must` only packets that surely
 * do. Negation swaps and complements them, so an answer stays on the safe side whatever stands
 * around it. What can be told from the packet itself has a predicate besides, which says exactly
 * which packets of `may` match. A filter that is exact needs `may` alone.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/boxes.h"
#include "policy/pred.h"

#define POL_REASON_MAX 160

/** Zeroed: matches nothing, exactly. */
struct pol_match {
	struct pol_boxes may;
	struct pol_boxes must;	/* unless exact */
	struct pol_pred pred;	/* not empty: of packets in may, those that match; never if unsure */
	bool unsure;		/* it is not known which packets of may match */
	char reason[POL_REASON_MAX];	/* unsure: why, "uses a time filter, ..." */
};

void pol_match_fini(struct pol_match *m);

/** Moves from into to; from matches nothing then. */
void pol_match_move(struct pol_match *to, struct pol_match *from);

/* All below give POL_CALC_OK or POL_CALC_NO_MEMORY: what becomes too complex becomes unsure. */

/** Every packet, exactly. */
enum pol_calc pol_match_all(struct pol_match *m);

/** Any packet might match, none surely does. */
enum pol_calc pol_match_unknown(struct pol_match *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * Those of may (NULL: all packets) for which a predicate holds. The predicate is taken.
 * @param may  taken likewise
 */
enum pol_calc pol_match_residual(struct pol_match *m, struct pol_boxes *may,
				 struct pol_pred *pred);

/** m becomes not m. */
enum pol_calc pol_match_negate(struct pol_match *m, struct pol_budget *budget);

/** m becomes m and other. */
enum pol_calc pol_match_and(struct pol_match *m, const struct pol_match *other,
			    struct pol_budget *budget);

/** m becomes m or other. */
enum pol_calc pol_match_or(struct pol_match *m, const struct pol_match *other,
			   struct pol_budget *budget);

/** Are they made of the same boxes, and as sure for the same reason? */
bool pol_match_same(const struct pol_match *a, const struct pol_match *b);

enum pol_calc pol_match_copy(const struct pol_match *m, struct pol_match *out);

#endif
