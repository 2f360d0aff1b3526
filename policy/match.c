/*
 * policy/match.c - match sets with bounds and predicates: see match.h.
 *
 * A predicate counts inside of may alone, which "and" keeps true; "or" and "not" put may into it.
 * With may(f) and must(f), the bounds of f from above and below:
 *
 *     may(not f) = not must(f)            must(not f) = not may(f)
 *     may(f and g) = may(f) and may(g)    must(f and g) = must(f) and must(g)
 *     may(f or g) = may(f) or may(g)      must(f or g) = must(f) or must(g)
 */
#include "policy/match.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/items.h"

/* Bounds of more boxes than this are not worth their place beside a predicate. */
#define BOUNDS_MAX 64

typedef enum pol_calc (*set_op)(const struct pol_boxes *a, const struct pol_boxes *b,
				struct pol_boxes *out, struct pol_budget *budget);

void pol_match_fini(struct pol_match *m)
{
	pol_boxes_fini(&m->may);
	pol_boxes_fini(&m->must);
	pol_pred_fini(&m->pred);
	m->unsure = false;
	m->reason[0] = '\0';
}

void pol_match_move(struct pol_match *to, struct pol_match *from)
{
	pol_match_fini(to);
	*to = *from;
	*from = (struct pol_match){ 0 };
}

enum pol_calc pol_match_all(struct pol_match *m)
{
	pol_match_fini(m);
	return pol_boxes_all(&m->may);
}

enum pol_calc pol_match_unknown(struct pol_match *m, const char *fmt, ...)
{
	char reason[POL_REASON_MAX];
	va_list ap;

	/* Made apart: an argument may be the reason that m had. */
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	pol_match_fini(m);
	memcpy(m->reason, reason, sizeof(reason));
	m->unsure = true;
	return pol_boxes_all(&m->may);
}

enum pol_calc pol_match_copy(const struct pol_match *m, struct pol_match *out)
{
	enum pol_calc rc;

	pol_match_fini(out);
	rc = pol_boxes_copy(&m->may, &out->may);
	if (rc == POL_CALC_OK)
		rc = pol_boxes_copy(&m->must, &out->must);
	if (rc == POL_CALC_OK)
		rc = pol_pred_append(&out->pred, &m->pred);
	out->unsure = m->unsure;
	memcpy(out->reason, m->reason, sizeof(out->reason));
	return rc;
}

bool pol_match_same(const struct pol_match *a, const struct pol_match *b)
{
	return a->unsure == b->unsure && strcmp(a->reason, b->reason) == 0 &&
	       pol_boxes_same(&a->may, &b->may) && pol_boxes_same(&a->must, &b->must) &&
	       pol_predicate_same(&a->pred.p, &b->pred.p);
}

enum pol_calc pol_match_residual(struct pol_match *m, struct pol_boxes *may, struct pol_pred *pred)
{
	struct pol_boxes boxes = { 0 };
	enum pol_calc rc = POL_CALC_OK;

	if (may)
		pol_boxes_move(&boxes, may);
	else
		rc = pol_boxes_all(&boxes);
	pol_match_fini(m);
	m->may = boxes;
	m->pred = *pred;
	*pred = (struct pol_pred){ 0 };
	return rc;
}

static bool is_exact(const struct pol_match *m)
{
	return !m->unsure && pol_pred_none(&m->pred);
}

/* Is every box of a inside one box of b? Then a is a subset of b (not the other way about). */
static bool covered(const struct pol_boxes *a, const struct pol_boxes *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!pol_boxes_cover(b, &a->v[i]))
			return false;
	return true;
}

/*
 * The result of a calculation in its parts; what is too complex is not known any more. Where both
 * bounds meet it is exact again: "false and unknown" is false.
 */
static enum pol_calc settle(struct pol_match *m, enum pol_calc rc, struct pol_boxes *may,
			    struct pol_boxes *must, struct pol_pred *pred)
{
	if (rc == POL_CALC_OK) {
		pol_boxes_move(&m->may, may);
		pol_boxes_move(&m->must, must);
		pol_pred_fini(&m->pred);
		m->pred = *pred;
		*pred = (struct pol_pred){ 0 };
		if (!is_exact(m) && covered(&m->may, &m->must)) {
			pol_boxes_fini(&m->must);
			pol_pred_fini(&m->pred);
			m->unsure = false;
		}
	}
	pol_boxes_fini(may);
	pol_boxes_fini(must);
	pol_pred_fini(pred);
	if (rc == POL_CALC_COMPLEX)
		return pol_match_unknown(m, "has a filter too complex to compile");
	return rc;
}

static bool is_all(const struct pol_boxes *b)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct ipsp_selector any;
		struct pol_box box;

		ipsp_selector_any((uint8_t)family, &any);
		pol_box_from_selector(&any, &box);
		if (!pol_boxes_cover(b, &box))
			return false;
	}
	return true;
}

/* Appends what tells m's packets from all others. */
static enum pol_calc append_whole(const struct pol_match *m, struct pol_pred *out)
{
	enum pol_calc rc;

	if (!pol_pred_none(&m->pred) && is_all(&m->may))
		return pol_pred_append(out, &m->pred);
	rc = pol_pred_boxes(out, &m->may);
	if (rc != POL_CALC_OK || pol_pred_none(&m->pred))
		return rc;
	rc = pol_pred_append(out, &m->pred);
	return rc == POL_CALC_OK ? pol_pred_op(out, IPSP_PRED_AND) : rc;
}

static bool too_many(enum pol_calc rc, const struct pol_boxes *may, const struct pol_pred *pred)
{
	return rc == POL_CALC_COMPLEX ||
	       (rc == POL_CALC_OK && !pol_pred_none(pred) && may->n > BOUNDS_MAX);
}

/*
 * Where boxes become too many, the predicate alone says all.
 * @param other  NULL: op is IPSP_PRED_NOT
 */
static enum pol_calc by_predicate(const struct pol_match *m, const struct pol_match *other,
				  enum ipsp_pred_op op, struct pol_boxes *may,
				  struct pol_boxes *must, struct pol_pred *pred)
{
	enum pol_calc rc = pol_boxes_all(may);

	pol_boxes_fini(must);
	pol_pred_fini(pred);
	if (rc == POL_CALC_OK)
		rc = append_whole(m, pred);
	if (rc == POL_CALC_OK && other)
		rc = append_whole(other, pred);
	return rc == POL_CALC_OK ? pol_pred_op(pred, op) : rc;
}

static enum pol_calc negate_pred(const struct pol_match *m, struct pol_pred *out)
{
	enum pol_calc rc = append_whole(m, out);

	return rc == POL_CALC_OK ? pol_pred_op(out, IPSP_PRED_NOT) : rc;
}

enum pol_calc pol_match_negate(struct pol_match *m, struct pol_budget *budget)
{
	struct pol_boxes may = { 0 }, must = { 0 };
	struct pol_pred pred = { 0 };
	enum pol_calc rc;

	if (is_exact(m)) {
		rc = pol_boxes_complement(&m->may, &may, budget);
	} else {
		rc = pol_boxes_complement(&m->must, &may, budget);
		if (rc == POL_CALC_OK)
			rc = pol_boxes_complement(&m->may, &must, budget);
		if (rc == POL_CALC_OK && !m->unsure)
			rc = negate_pred(m, &pred);
	}
	if (!m->unsure && too_many(rc, &may, &pred))
		rc = by_predicate(m, NULL, IPSP_PRED_NOT, &may, &must, &pred);
	return settle(m, rc, &may, &must, &pred);
}

/* Inside of both, only what has a predicate is left to be asked. */
static enum pol_calc and_pred(const struct pol_match *m, const struct pol_match *other,
			      struct pol_pred *out)
{
	enum pol_calc rc = pol_pred_append(out, &m->pred);

	if (rc == POL_CALC_OK)
		rc = pol_pred_append(out, &other->pred);
	if (rc == POL_CALC_OK && !pol_pred_none(&m->pred) && !pol_pred_none(&other->pred))
		rc = pol_pred_op(out, IPSP_PRED_AND);
	return rc;
}

static enum pol_calc or_pred(const struct pol_match *m, const struct pol_match *other,
			     struct pol_pred *out)
{
	enum pol_calc rc = append_whole(m, out);

	if (rc == POL_CALC_OK)
		rc = append_whole(other, out);
	return rc == POL_CALC_OK ? pol_pred_op(out, IPSP_PRED_OR) : rc;
}

struct operation {
	enum ipsp_pred_op op;
	set_op boxes;
	enum pol_calc (*pred)(const struct pol_match *m, const struct pol_match *other,
			      struct pol_pred *out);
};

static enum pol_calc combine(struct pol_match *m, const struct pol_match *other,
			     const struct operation *op, struct pol_budget *budget)
{
	struct pol_boxes may = { 0 }, must = { 0 };
	struct pol_pred pred = { 0 };
	bool unsure = m->unsure || other->unsure;
	bool exact = is_exact(m) && is_exact(other);
	enum pol_calc rc = op->boxes(&m->may, &other->may, &may, budget);

	if (rc == POL_CALC_OK && !exact)
		rc = op->boxes(is_exact(m) ? &m->may : &m->must,
			       is_exact(other) ? &other->may : &other->must, &must, budget);
	if (rc == POL_CALC_OK && !exact && !unsure)
		rc = op->pred(m, other, &pred);
	if (!unsure && too_many(rc, &may, &pred))
		rc = by_predicate(m, other, op->op, &may, &must, &pred);
	if (!m->unsure && other->unsure)
		memcpy(m->reason, other->reason, sizeof(m->reason));
	m->unsure = unsure;
	return settle(m, rc, &may, &must, &pred);
}

enum pol_calc pol_match_and(struct pol_match *m, const struct pol_match *other,
			    struct pol_budget *budget)
{
	static const struct operation and = { IPSP_PRED_AND, pol_boxes_intersect, and_pred };

	return combine(m, other, &and, budget);
}

enum pol_calc pol_match_or(struct pol_match *m, const struct pol_match *other,
			   struct pol_budget *budget)
{
	static const struct operation or = { IPSP_PRED_OR, pol_boxes_union, or_pred };

	return combine(m, other, &or, budget);
}
