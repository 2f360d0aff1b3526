/*
 * policy/boxes.c - box sets: see boxes.h.
 *
 * Sets are arrays: they are small nearly always, and each operation looks at every pair anyway.
 */
#include "policy/boxes.h"

#include <stdlib.h>
#include <string.h>

static int num_cmp(const struct pol_num *a, const struct pol_num *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return 0;
}

static struct pol_num num_next(struct pol_num n)
{
	n.lo++;
	if (n.lo == 0)
		n.hi++;
	return n;
}

static struct pol_num num_before(struct pol_num n)
{
	if (n.lo == 0)
		n.hi--;
	n.lo--;
	return n;
}

static struct pol_num num_small(uint32_t n)
{
	return (struct pol_num){ .lo = n };
}

static struct pol_num num_from_addr(const struct ipsp_addr *a, uint8_t family)
{
	struct pol_num n = { 0, 0 };

	for (size_t i = 0; i < ipsp_addr_size(family); i++) {
		n.hi = n.hi << 8 | n.lo >> 56;
		n.lo = n.lo << 8 | a->octets[i];
	}
	return n;
}

static void num_to_addr(struct pol_num n, uint8_t family, struct ipsp_addr *out)
{
	*out = (struct ipsp_addr){ .family = family };
	for (size_t i = ipsp_addr_size(family); i-- > 0;) {
		out->octets[i] = (uint8_t)n.lo;
		n.lo = n.lo >> 8 | n.hi << 56;
		n.hi >>= 8;
	}
}

void pol_box_from_selector(const struct ipsp_selector *s, struct pol_box *out)
{
	*out = (struct pol_box){ .family = s->family };
	out->lo[POL_DIM_PROTO] = num_small(s->proto_lo);
	out->hi[POL_DIM_PROTO] = num_small(s->proto_hi);
	out->lo[POL_DIM_DSCP] = num_small(s->dscp_lo);
	out->hi[POL_DIM_DSCP] = num_small(s->dscp_hi);
	out->lo[POL_DIM_HIDES] = num_small(s->hides == IPSP_HIDES_ONLY);
	out->hi[POL_DIM_HIDES] = num_small(s->hides != IPSP_HIDES_NEVER);
	out->lo[POL_DIM_FLOW] = num_small(s->flow_lo);
	out->hi[POL_DIM_FLOW] = num_small(s->flow_hi);
	out->lo[POL_DIM_SPORT] = num_small(s->sport_lo);
	out->hi[POL_DIM_SPORT] = num_small(s->sport_hi);
	out->lo[POL_DIM_DPORT] = num_small(s->dport_lo);
	out->hi[POL_DIM_DPORT] = num_small(s->dport_hi);
	out->lo[POL_DIM_SRC] = num_from_addr(&s->src_lo, s->family);
	out->hi[POL_DIM_SRC] = num_from_addr(&s->src_hi, s->family);
	out->lo[POL_DIM_DST] = num_from_addr(&s->dst_lo, s->family);
	out->hi[POL_DIM_DST] = num_from_addr(&s->dst_hi, s->family);
}

void pol_box_to_selector(const struct pol_box *b, struct ipsp_selector *out)
{
	memset(out, 0, sizeof(*out));
	out->family = b->family;
	out->proto_lo = (uint8_t)b->lo[POL_DIM_PROTO].lo;
	out->proto_hi = (uint8_t)b->hi[POL_DIM_PROTO].lo;
	out->dscp_lo = (uint8_t)b->lo[POL_DIM_DSCP].lo;
	out->dscp_hi = (uint8_t)b->hi[POL_DIM_DSCP].lo;
	out->hides = b->lo[POL_DIM_HIDES].lo == 1 ? IPSP_HIDES_ONLY :
		     b->hi[POL_DIM_HIDES].lo == 0 ? IPSP_HIDES_NEVER : IPSP_HIDES_ANY;
	out->flow_lo = (uint32_t)b->lo[POL_DIM_FLOW].lo;
	out->flow_hi = (uint32_t)b->hi[POL_DIM_FLOW].lo;
	out->sport_lo = (uint32_t)b->lo[POL_DIM_SPORT].lo;
	out->sport_hi = (uint32_t)b->hi[POL_DIM_SPORT].lo;
	out->dport_lo = (uint32_t)b->lo[POL_DIM_DPORT].lo;
	out->dport_hi = (uint32_t)b->hi[POL_DIM_DPORT].lo;
	num_to_addr(b->lo[POL_DIM_SRC], b->family, &out->src_lo);
	num_to_addr(b->hi[POL_DIM_SRC], b->family, &out->src_hi);
	num_to_addr(b->lo[POL_DIM_DST], b->family, &out->dst_lo);
	num_to_addr(b->hi[POL_DIM_DST], b->family, &out->dst_hi);
}

static void box_any(uint8_t family, struct pol_box *out)
{
	struct ipsp_selector any;

	ipsp_selector_any(family, &any);
	pol_box_from_selector(&any, out);
}

static bool box_inside(const struct pol_box *inner, const struct pol_box *outer)
{
	if (inner->family != outer->family)
		return false;
	for (size_t d = 0; d < POL_DIMS; d++)
		if (num_cmp(&inner->lo[d], &outer->lo[d]) < 0 ||
		    num_cmp(&inner->hi[d], &outer->hi[d]) > 0)
			return false;
	return true;
}

static bool box_intersect(const struct pol_box *a, const struct pol_box *b, struct pol_box *out)
{
	if (a->family != b->family)
		return false;
	out->family = a->family;
	for (size_t d = 0; d < POL_DIMS; d++) {
		out->lo[d] = num_cmp(&a->lo[d], &b->lo[d]) > 0 ? a->lo[d] : b->lo[d];
		out->hi[d] = num_cmp(&a->hi[d], &b->hi[d]) < 0 ? a->hi[d] : b->hi[d];
		if (num_cmp(&out->lo[d], &out->hi[d]) > 0)
			return false;
	}
	return true;
}

static bool budget_take(struct pol_budget *budget, size_t work)
{
	if (work > budget->work) {
		budget->work = 0;
		return false;
	}
	budget->work -= (uint32_t)work;
	return true;
}

void pol_boxes_fini(struct pol_boxes *b)
{
	free(b->v);
	*b = (struct pol_boxes){ 0 };
}

void pol_boxes_move(struct pol_boxes *to, struct pol_boxes *from)
{
	free(to->v);
	*to = *from;
	*from = (struct pol_boxes){ 0 };
}

bool pol_boxes_none(const struct pol_boxes *b)
{
	return b->n == 0;
}

bool pol_boxes_same(const struct pol_boxes *a, const struct pol_boxes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!box_inside(&a->v[i], &b->v[i]) || !box_inside(&b->v[i], &a->v[i]))
			return false;
	return true;
}

bool pol_boxes_cover(const struct pol_boxes *b, const struct pol_box *box)
{
	for (size_t i = 0; i < b->n; i++)
		if (box_inside(box, &b->v[i]))
			return true;
	return false;
}

/* Puts it at the end without looking at the others. */
static enum pol_calc append(struct pol_boxes *b, const struct pol_box *box)
{
	if (b->n == POL_BOXES_MAX)
		return POL_CALC_COMPLEX;
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 4;
		struct pol_box *v = reallocarray(b->v, cap, sizeof(*v));

		if (!v)
			return POL_CALC_NO_MEMORY;
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = *box;
	return POL_CALC_OK;
}

enum pol_calc pol_boxes_all(struct pol_boxes *b)
{
	static const uint8_t families[] = { 4, 6 };

	b->n = 0;
	for (size_t i = 0; i < sizeof(families); i++) {
		struct pol_box any;
		enum pol_calc rc;

		box_any(families[i], &any);
		rc = append(b, &any);
		if (rc != POL_CALC_OK)
			return rc;
	}
	return POL_CALC_OK;
}

enum pol_calc pol_boxes_add(struct pol_boxes *b, const struct pol_box *box,
			    struct pol_budget *budget)
{
	size_t keep = 0;

	if (!budget_take(budget, b->n + 1))
		return POL_CALC_COMPLEX;
	if (pol_boxes_cover(b, box))
		return POL_CALC_OK;
	for (size_t i = 0; i < b->n; i++)
		if (!box_inside(&b->v[i], box))
			b->v[keep++] = b->v[i];
	b->n = keep;
	return append(b, box);
}

enum pol_calc pol_boxes_copy(const struct pol_boxes *a, struct pol_boxes *out)
{
	pol_boxes_fini(out);
	for (size_t i = 0; i < a->n; i++) {
		enum pol_calc rc = append(out, &a->v[i]);

		if (rc != POL_CALC_OK)
			return rc;
	}
	return POL_CALC_OK;
}

enum pol_calc pol_boxes_union(const struct pol_boxes *a, const struct pol_boxes *b,
			      struct pol_boxes *out, struct pol_budget *budget)
{
	enum pol_calc rc = pol_boxes_copy(a, out);

	for (size_t i = 0; rc == POL_CALC_OK && i < b->n; i++)
		rc = pol_boxes_add(out, &b->v[i], budget);
	return rc;
}

enum pol_calc pol_boxes_intersect(const struct pol_boxes *a, const struct pol_boxes *b,
				  struct pol_boxes *out, struct pol_budget *budget)
{
	pol_boxes_fini(out);
	for (size_t i = 0; i < a->n; i++) {
		if (!budget_take(budget, b->n))
			return POL_CALC_COMPLEX;
		for (size_t j = 0; j < b->n; j++) {
			struct pol_box both;
			enum pol_calc rc;

			if (!box_intersect(&a->v[i], &b->v[j], &both))
				continue;
			rc = pol_boxes_add(out, &both, budget);
			if (rc != POL_CALC_OK)
				return rc;
		}
	}
	return POL_CALC_OK;
}

/*
 * Appends what is in box but not in hole: cuts off, one dimension after the other, what lies below
 * and above the hole. The pieces do not overlap, and two dimensions' worth of ends never wrap, as
 * a piece is cut only where box reaches beyond hole.
 */
static enum pol_calc cut(const struct pol_box *box, const struct pol_box *hole,
			 struct pol_boxes *out)
{
	struct pol_box rest = *box;
	struct pol_box common;

	if (!box_intersect(box, hole, &common))
		return append(out, box);
	for (size_t d = 0; d < POL_DIMS; d++) {
		enum pol_calc rc = POL_CALC_OK;

		if (num_cmp(&rest.lo[d], &common.lo[d]) < 0) {
			struct pol_box piece = rest;

			piece.hi[d] = num_before(common.lo[d]);
			rc = append(out, &piece);
			rest.lo[d] = common.lo[d];
		}
		if (rc == POL_CALC_OK && num_cmp(&rest.hi[d], &common.hi[d]) > 0) {
			struct pol_box piece = rest;

			piece.lo[d] = num_next(common.hi[d]);
			rc = append(out, &piece);
			rest.hi[d] = common.hi[d];
		}
		if (rc != POL_CALC_OK)
			return rc;
	}
	return POL_CALC_OK;
}

enum pol_calc pol_boxes_complement(const struct pol_boxes *a, struct pol_boxes *out,
				   struct pol_budget *budget)
{
	struct pol_boxes next = { 0 };
	enum pol_calc rc;

	pol_boxes_fini(out);
	rc = pol_boxes_all(out);
	for (size_t i = 0; rc == POL_CALC_OK && i < a->n; i++) {
		if (!budget_take(budget, out->n + 1)) {
			rc = POL_CALC_COMPLEX;
			break;
		}
		for (size_t j = 0; rc == POL_CALC_OK && j < out->n; j++)
			rc = cut(&out->v[j], &a->v[i], &next);
		if (rc == POL_CALC_OK)
			pol_boxes_move(out, &next);
	}
	pol_boxes_fini(&next);
	return rc;
}
