/*
 * policy/pred.h - a predicate (ipsp/predicate.h) while it is made.
 *
 * Postfix: what is appended later stands on top of the stack. A call that returns POL_CALC_COMPLEX
 * (over the bounds of a program) or POL_CALC_NO_MEMORY leaves the predicate good for pol_pred_fini
 * alone.
 */
#ifndef POLICY_PRED_H
#define POLICY_PRED_H

#include "ipsp/predicate.h"
#include "policy/boxes.h"

/** Zeroed: empty, which is no program yet. Owns its arrays. */
struct pol_pred {
	struct ipsp_predicate p;
	uint32_t cap_nodes, cap_octets, cap_ids, cap_selectors;
};

void pol_pred_fini(struct pol_pred *p);

static inline bool pol_pred_none(const struct pol_pred *p)
{
	return p->p.n_nodes == 0;
}

/** Appends a leaf as it is; first and count are set to what follows. */
enum pol_calc pol_pred_leaf(struct pol_pred *p, struct ipsp_pred_node leaf);

/** Appends "value OP packet". */
enum pol_calc pol_pred_octets(struct pol_pred *p, uint16_t offset, enum ipsp_pred_cmp cmp,
			      const uint8_t *value, size_t len);

/** Appends "under one of these SAs"; ids in rising order, none twice. */
enum pol_calc pol_pred_sas(struct pol_pred *p, const uint64_t *ids, size_t n);

/** Appends "inside these boxes". */
enum pol_calc pol_pred_boxes(struct pol_pred *p, const struct pol_boxes *boxes);

/** Appends a whole program. */
enum pol_calc pol_pred_append(struct pol_pred *p, const struct pol_pred *other);

/** Appends IPSP_PRED_AND, OR or NOT. */
enum pol_calc pol_pred_op(struct pol_pred *p, enum ipsp_pred_op op);

#endif
