/*
 * spd/residual.h - what an entry asks beyond its boxes, ready to be asked: private to spd/.
 */
#ifndef SPD_RESIDUAL_H
#define SPD_RESIDUAL_H

#include "spd/fit.h"

struct ipsp_spd_residual {
	uint64_t from_s, until_s;	/* as in struct ipsp_spd_entry */
	struct ipsp_predicate predicate;	/* its arrays are owned; n_nodes 0: there is none */
	struct ipsp_spd_box *boxes;	/* the predicate's selectors; order is their family's place */
};

/** Does the entry ask for more than its boxes? */
bool ipsp_spd_residual_needed(const struct ipsp_spd_entry *e);

/** A copy of what the entry asks; its predicate is valid. NULL: no memory. */
struct ipsp_spd_residual *ipsp_spd_residual_new(const struct ipsp_platform *p,
						const struct ipsp_spd_entry *e);
void ipsp_spd_residual_free(const struct ipsp_platform *p, struct ipsp_spd_residual *r);

/** Does r (NULL: nothing) ask just what the entry asks? */
bool ipsp_spd_residual_is(const struct ipsp_spd_residual *r, const struct ipsp_spd_entry *e);

/**
 * @param src    with dst: the flow's addresses as words
 * @param seen   NULL: not known
 * @param sa_id  the SA that the packet is under, or that this entry would put it under; 0: none
 */
enum ipsp_fit ipsp_spd_residual_ask(const struct ipsp_spd_residual *r,
				    const struct ipsp_flow *flow, const uint64_t src[2],
				    const uint64_t dst[2], const struct ipsp_spd_seen *seen,
				    uint64_t sa_id);

#endif
