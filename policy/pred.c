/*
 * policy/pred.c - predicates while they are made: see pred.h.
 */
#include "policy/pred.h"

#include <stdlib.h>
#include <string.h>

void pol_pred_fini(struct pol_pred *p)
{
	free((void *)(uintptr_t)p->p.nodes);
	free((void *)(uintptr_t)p->p.octets);
	free((void *)(uintptr_t)p->p.ids);
	free((void *)(uintptr_t)p->p.selectors);
	*p = (struct pol_pred){ 0 };
}

/* Room for more items behind the n there are. @return the array, wherever it stands now */
static void *grow(const void *array, uint32_t n, uint32_t *cap, size_t more, size_t size,
		  uint32_t max, enum pol_calc *rc)
{
	void *v = (void *)(uintptr_t)array;

	*rc = POL_CALC_COMPLEX;
	if (more > max || n > max - more)
		return v;
	*rc = POL_CALC_OK;
	if (n + more <= *cap)
		return v;
	uint32_t want = *cap ? *cap * 2 : 8;

	if (want < n + more)
		want = n + (uint32_t)more;
	void *grown = reallocarray(v, want, size);

	if (!grown) {
		*rc = POL_CALC_NO_MEMORY;
		return v;
	}
	*cap = want;
	return grown;
}

#define GROW(pred, what, more, max, rc)                                                            \
	((pred)->p.what = grow((pred)->p.what, (pred)->p.n_##what, &(pred)->cap_##what, more,      \
			       sizeof(*(pred)->p.what), max, rc))

static void *end_of(const void *array, size_t n, size_t size)
{
	return (uint8_t *)(uintptr_t)array + n * size;
}

static enum pol_calc add_node(struct pol_pred *p, const struct ipsp_pred_node *n)
{
	enum pol_calc rc;

	GROW(p, nodes, 1, IPSP_PRED_NODES_MAX, &rc);
	if (rc == POL_CALC_OK)
		memcpy(end_of(p->p.nodes, p->p.n_nodes++, sizeof(*n)), n, sizeof(*n));
	return rc;
}

static enum pol_calc add_octets(struct pol_pred *p, const uint8_t *v, size_t n)
{
	enum pol_calc rc;

	GROW(p, octets, n, IPSP_PRED_OCTETS_MAX, &rc);
	if (rc == POL_CALC_OK && n > 0)
		memcpy(end_of(p->p.octets, p->p.n_octets, 1), v, n);
	if (rc == POL_CALC_OK)
		p->p.n_octets += (uint32_t)n;
	return rc;
}

static enum pol_calc add_ids(struct pol_pred *p, const uint64_t *v, size_t n)
{
	enum pol_calc rc;

	GROW(p, ids, n, IPSP_PRED_IDS_MAX, &rc);
	if (rc == POL_CALC_OK && n > 0)
		memcpy(end_of(p->p.ids, p->p.n_ids, sizeof(*v)), v, n * sizeof(*v));
	if (rc == POL_CALC_OK)
		p->p.n_ids += (uint32_t)n;
	return rc;
}

static enum pol_calc add_selectors(struct pol_pred *p, const struct ipsp_selector *v, size_t n)
{
	enum pol_calc rc;

	GROW(p, selectors, n, IPSP_PRED_SELECTORS_MAX, &rc);
	if (rc == POL_CALC_OK && n > 0)
		memcpy(end_of(p->p.selectors, p->p.n_selectors, sizeof(*v)), v, n * sizeof(*v));
	if (rc == POL_CALC_OK)
		p->p.n_selectors += (uint32_t)n;
	return rc;
}

enum pol_calc pol_pred_leaf(struct pol_pred *p, struct ipsp_pred_node leaf)
{
	return add_node(p, &leaf);
}

enum pol_calc pol_pred_octets(struct pol_pred *p, uint16_t offset, enum ipsp_pred_cmp cmp,
			      const uint8_t *value, size_t len)
{
	const struct ipsp_pred_node n = {
		.op = IPSP_PRED_OCTETS, .arg = (uint8_t)cmp, .offset = offset,
		.first = p->p.n_octets, .count = (uint32_t)len,
	};
	enum pol_calc rc = add_octets(p, value, len);

	return rc == POL_CALC_OK ? add_node(p, &n) : rc;
}

enum pol_calc pol_pred_sas(struct pol_pred *p, const uint64_t *ids, size_t n_ids)
{
	const struct ipsp_pred_node n = {
		.op = IPSP_PRED_SA, .first = p->p.n_ids, .count = (uint32_t)n_ids,
	};
	enum pol_calc rc = add_ids(p, ids, n_ids);

	return rc == POL_CALC_OK ? add_node(p, &n) : rc;
}

enum pol_calc pol_pred_boxes(struct pol_pred *p, const struct pol_boxes *boxes)
{
	const struct ipsp_pred_node n = {
		.op = IPSP_PRED_SELECTORS, .first = p->p.n_selectors, .count = (uint32_t)boxes->n,
	};
	enum pol_calc rc = POL_CALC_OK;

	for (size_t i = 0; rc == POL_CALC_OK && i < boxes->n; i++) {
		struct ipsp_selector s;

		pol_box_to_selector(&boxes->v[i], &s);
		rc = add_selectors(p, &s, 1);
	}
	return rc == POL_CALC_OK ? add_node(p, &n) : rc;
}

/* What a leaf refers to stands behind what was there before. */
static void shift(struct ipsp_pred_node *n, const struct ipsp_predicate *before)
{
	switch (n->op) {
	case IPSP_PRED_OCTETS:
		n->first += before->n_octets;
		break;
	case IPSP_PRED_SA:
		n->first += before->n_ids;
		break;
	case IPSP_PRED_SELECTORS:
		n->first += before->n_selectors;
		break;
	default:
		break;
	}
}

enum pol_calc pol_pred_append(struct pol_pred *p, const struct pol_pred *other)
{
	const struct ipsp_predicate before = p->p;
	const struct ipsp_predicate *o = &other->p;
	enum pol_calc rc = add_octets(p, o->octets, o->n_octets);

	if (rc == POL_CALC_OK)
		rc = add_ids(p, o->ids, o->n_ids);
	if (rc == POL_CALC_OK)
		rc = add_selectors(p, o->selectors, o->n_selectors);
	for (uint32_t i = 0; rc == POL_CALC_OK && i < o->n_nodes; i++) {
		struct ipsp_pred_node n = o->nodes[i];

		shift(&n, &before);
		rc = add_node(p, &n);
	}
	return rc;
}

enum pol_calc pol_pred_op(struct pol_pred *p, enum ipsp_pred_op op)
{
	const struct ipsp_pred_node n = { .op = (uint8_t)op };

	return add_node(p, &n);
}
