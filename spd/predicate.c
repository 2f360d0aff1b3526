/*
 * spd/predicate.c - is a predicate well formed? See ipsp/predicate.h.
 */
#include "ipsp/predicate.h"

static bool in_pool(const struct ipsp_pred_node *n, uint32_t size)
{
	return n->first <= size && n->count <= size - n->first;
}

static bool ids_rise(const struct ipsp_predicate *p, const struct ipsp_pred_node *n)
{
	for (uint32_t i = 0; i < n->count; i++) {
		uint64_t id = p->ids[n->first + i];

		if (id == 0 || (i > 0 && id <= p->ids[n->first + i - 1]))
			return false;
	}
	return true;
}

static bool leaf_valid(const struct ipsp_predicate *p, const struct ipsp_pred_node *n)
{
	switch (n->op) {
	case IPSP_PRED_SELECTORS:
		return in_pool(n, p->n_selectors);
	case IPSP_PRED_OCTETS:
		return n->arg >= IPSP_CMP_EQUAL && n->arg <= IPSP_CMP_LESS_OR_EQUAL &&
		       n->count > 0 && n->count <= IPSP_PRED_VALUE_MAX && in_pool(n, p->n_octets);
	case IPSP_PRED_IPSO:
		return n->arg > 0 && n->arg <= (IPSP_IPSO_LEVEL | IPSP_IPSO_AUTHORITY) &&
		       (n->authority & (n->authority - 1)) == 0 &&
		       (n->authority != 0) == ((n->arg & IPSP_IPSO_AUTHORITY) != 0);
	case IPSP_PRED_IKE:
		return n->arg == 1 || n->arg == 2;
	case IPSP_PRED_SA:
		return in_pool(n, p->n_ids) && ids_rise(p, n);
	default:
		return false;
	}
}

bool ipsp_predicate_valid(const struct ipsp_predicate *p)
{
	uint32_t height = 0;

	if (p->n_nodes == 0 || p->n_nodes > IPSP_PRED_NODES_MAX ||
	    p->n_octets > IPSP_PRED_OCTETS_MAX || p->n_ids > IPSP_PRED_IDS_MAX ||
	    p->n_selectors > IPSP_PRED_SELECTORS_MAX)
		return false;
	for (uint32_t i = 0; i < p->n_selectors; i++) {
		if (!ipsp_selector_valid(&p->selectors[i]))
			return false;
	}
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		const struct ipsp_pred_node *n = &p->nodes[i];

		if (n->op == IPSP_PRED_AND || n->op == IPSP_PRED_OR) {
			if (height < 2)
				return false;
			height--;
		} else if (n->op == IPSP_PRED_NOT) {
			if (height < 1)
				return false;
		} else if (!leaf_valid(p, n) || height++ == IPSP_PRED_STACK_MAX) {
			return false;
		}
	}
	return height == 1;
}
