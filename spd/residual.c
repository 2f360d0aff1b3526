/*
 * spd/residual.c - predicates and times of entries: copied, compared, asked. See residual.h.
 *
 * Asking takes no lock, allocates nothing and changes nothing.
 */
#include "spd/residual.h"

#include <string.h>

#include "spd/leaves.h"

bool ipsp_spd_residual_needed(const struct ipsp_spd_entry *e)
{
	return e->predicate || e->from_s != 0 || e->until_s != 0;
}

/* ---- copied and compared ---- */

/* NULL also for none of them. @return false: no memory */
static bool copy(const struct ipsp_platform *p, const void *from, uint32_t n, size_t size,
		 void **out)
{
	if (n == 0)
		return true;
	*out = ipsp_alloc_array(p, n, size);
	if (*out)
		memcpy(*out, from, n * size);
	return *out != NULL;
}

static void release(const struct ipsp_platform *p, const void *mem, uint32_t n, size_t size)
{
	if (mem)
		ipsp_free_array(p, (void *)(uintptr_t)mem, n, size);
}

static bool copy_predicate(const struct ipsp_platform *p, const struct ipsp_predicate *from,
			   struct ipsp_spd_residual *r)
{
	struct ipsp_predicate *to = &r->predicate;
	void *nodes = NULL, *octets = NULL, *ids = NULL, *selectors = NULL, *boxes = NULL;

	bool good = copy(p, from->nodes, from->n_nodes, sizeof(*from->nodes), &nodes) &&
		    copy(p, from->octets, from->n_octets, 1, &octets) &&
		    copy(p, from->ids, from->n_ids, sizeof(*from->ids), &ids) &&
		    copy(p, from->selectors, from->n_selectors, sizeof(*from->selectors),
			 &selectors);
	if (good && from->n_selectors > 0) {
		boxes = ipsp_alloc_array(p, from->n_selectors, sizeof(*r->boxes));
		good = boxes != NULL;
	}
	*to = *from;
	to->nodes = nodes;
	to->octets = octets;
	to->ids = ids;
	to->selectors = selectors;
	r->boxes = boxes;
	for (uint32_t i = 0; good && i < from->n_selectors; i++)
		ipsp_spd_box_set(&r->boxes[i], &from->selectors[i], 0);
	return good;
}

struct ipsp_spd_residual *ipsp_spd_residual_new(const struct ipsp_platform *p,
						const struct ipsp_spd_entry *e)
{
	struct ipsp_spd_residual *r = ipsp_alloc_array(p, 1, sizeof(*r));

	if (!r)
		return NULL;
	r->from_s = e->from_s;
	r->until_s = e->until_s;
	if (e->predicate && !copy_predicate(p, e->predicate, r)) {
		ipsp_spd_residual_free(p, r);
		return NULL;
	}
	return r;
}

void ipsp_spd_residual_free(const struct ipsp_platform *p, struct ipsp_spd_residual *r)
{
	if (!r)
		return;
	const struct ipsp_predicate *q = &r->predicate;

	release(p, q->nodes, q->n_nodes, sizeof(*q->nodes));
	release(p, q->octets, q->n_octets, 1);
	release(p, q->ids, q->n_ids, sizeof(*q->ids));
	release(p, q->selectors, q->n_selectors, sizeof(*q->selectors));
	release(p, r->boxes, q->n_selectors, sizeof(*r->boxes));
	ipsp_free_array(p, r, 1, sizeof(*r));
}

static bool node_is(const struct ipsp_pred_node *a, const struct ipsp_pred_node *b)
{
	return a->op == b->op && a->arg == b->arg && a->level == b->level &&
	       a->authority == b->authority && a->offset == b->offset && a->first == b->first &&
	       a->count == b->count;
}

static bool same_octets(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool predicate_is(const struct ipsp_spd_residual *r, const struct ipsp_predicate *b)
{
	const struct ipsp_predicate *a = &r->predicate;

	if (a->n_nodes != b->n_nodes || a->n_octets != b->n_octets || a->n_ids != b->n_ids ||
	    a->n_selectors != b->n_selectors || !same_octets(a->octets, b->octets, a->n_octets) ||
	    !same_octets(a->ids, b->ids, a->n_ids * sizeof(*a->ids)))
		return false;
	for (uint32_t i = 0; i < a->n_nodes; i++) {
		if (!node_is(&a->nodes[i], &b->nodes[i]))
			return false;
	}
	for (uint32_t i = 0; i < a->n_selectors; i++) {
		if (!ipsp_spd_box_is(&r->boxes[i], &b->selectors[i], 0))
			return false;
	}
	return true;
}

bool ipsp_spd_residual_is(const struct ipsp_spd_residual *r, const struct ipsp_spd_entry *e)
{
	if (!r)
		return !ipsp_spd_residual_needed(e);
	if (r->from_s != e->from_s || r->until_s != e->until_s)
		return false;
	return e->predicate ? predicate_is(r, e->predicate) : r->predicate.n_nodes == 0;
}

/* ---- asked ---- */

struct question {
	const struct ipsp_spd_residual *residual;
	const struct ipsp_flow *flow;
	const uint64_t *src, *dst;
	const struct ipsp_spd_seen *seen;
	uint64_t sa_id;
};

static enum ipsp_fit ask_selectors(const struct question *q, const struct ipsp_pred_node *n)
{
	enum ipsp_fit best = IPSP_FIT_NOT;

	for (uint32_t i = n->first; i < n->first + n->count && best != IPSP_FIT_SURE; i++) {
		const struct ipsp_spd_box *box = &q->residual->boxes[i];
		enum ipsp_fit fit = box->family != q->flow->family ? IPSP_FIT_NOT :
				    ipsp_fit_box(q->flow, q->src, q->dst, box);

		if (fit > best)
			best = fit;
	}
	return best;
}

static enum ipsp_fit ask_sa(const struct question *q, const struct ipsp_pred_node *n)
{
	const uint64_t *ids = q->residual->predicate.ids + n->first;
	uint32_t lo = 0, hi = q->sa_id != 0 ? n->count : 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ids[mid] == q->sa_id)
			return IPSP_FIT_SURE;
		if (ids[mid] < q->sa_id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return IPSP_FIT_NOT;
}

static enum ipsp_fit ask_leaf(const struct question *q, const struct ipsp_pred_node *n)
{
	const struct ipsp_predicate *p = &q->residual->predicate;

	switch (n->op) {
	case IPSP_PRED_SELECTORS:
		return ask_selectors(q, n);
	case IPSP_PRED_OCTETS:
		return ipsp_leaf_octets(q->flow, q->seen->packet, n, p->octets + n->first);
	case IPSP_PRED_IPSO:
		return ipsp_leaf_ipso(q->flow, q->seen->packet, n);
	case IPSP_PRED_IKE:
		return ipsp_leaf_ike(q->flow, q->seen->packet, n);
	default:
		return ask_sa(q, n);
	}
}

/* The program is valid: it never takes what is not there, nor more than there is room for. */
static enum ipsp_fit run(const struct question *q)
{
	const struct ipsp_predicate *p = &q->residual->predicate;
	enum ipsp_fit stack[IPSP_PRED_STACK_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_nodes; i++) {
		const struct ipsp_pred_node *node = &p->nodes[i];

		switch (node->op) {
		case IPSP_PRED_AND:
			n--;
			if (stack[n] < stack[n - 1])
				stack[n - 1] = stack[n];
			break;
		case IPSP_PRED_OR:
			n--;
			if (stack[n] > stack[n - 1])
				stack[n - 1] = stack[n];
			break;
		case IPSP_PRED_NOT:
			stack[n - 1] = (enum ipsp_fit)(IPSP_FIT_SURE - stack[n - 1]);
			break;
		default:
			stack[n++] = ask_leaf(q, node);
		}
	}
	return stack[0];
}

enum ipsp_fit ipsp_spd_residual_ask(const struct ipsp_spd_residual *r,
				    const struct ipsp_flow *flow, const uint64_t src[2],
				    const uint64_t dst[2], const struct ipsp_spd_seen *seen,
				    uint64_t sa_id)
{
	const struct question q = { r, flow, src, dst, seen, sa_id };

	if (!seen)
		return IPSP_FIT_MAYBE;
	if (seen->wall_s < r->from_s || (r->until_s != 0 && seen->wall_s >= r->until_s))
		return IPSP_FIT_NOT;
	return r->predicate.n_nodes > 0 ? run(&q) : IPSP_FIT_SURE;
}
