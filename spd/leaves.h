/*
 * spd/leaves.h - the leaves of predicates that read the packet's own octets. Private to spd/.
 *
 * Only octets of the packet itself count (flow->total_len), not link padding. What a fragment does
 * not show is IPSP_FIT_MAYBE: what a later one has behind its headers are not the octets that
 * an offset means, and what a first one lacks follows in another.
 */
#ifndef SPD_LEAVES_H
#define SPD_LEAVES_H

#include "spd/fit.h"

/** RFC 4807, spdIpOffsetFilterTable: value OP packet, as unsigned numbers; past the end: not. */
enum ipsp_fit ipsp_leaf_octets(const struct ipsp_flow *flow, struct ipsp_span packet,
			       const struct ipsp_pred_node *n, const uint8_t *value);

/** RFC 1108 2. An option list that cannot be read, or two such options: IPSP_FIT_MAYBE. */
enum ipsp_fit ipsp_leaf_ipso(const struct ipsp_flow *flow, struct ipsp_span packet,
			     const struct ipsp_pred_node *n);

/**
 * IKE by UDP 500, or 4500 behind four zero octets (RFC 3948 2.2), either port. Phase 1: main and
 * aggressive mode, IKE_SA_INIT and IKE_AUTH; phase 2: quick mode, CREATE_CHILD_SA.
 */
enum ipsp_fit ipsp_leaf_ike(const struct ipsp_flow *flow, struct ipsp_span packet,
			    const struct ipsp_pred_node *n);

#endif
