/*
 * policy/match.c - three-valued match sets: see match.h.
 *
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

typedef enum pol_calc (*set_op)(const struct pol_boxes *a, const struct pol_boxes *b,
				struct pol_boxes *out, struct pol_budget *budget);

void pol_match_fini(struct pol_match *m)
{
	pol_boxes_fini(&m->may);
	pol_boxes_fini(&m->must);
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
	out->unsure = m->unsure;
	memcpy(out->reason, m->reason, sizeof(out->reason));
	return rc;
}

bool pol_match_same(const struct pol_match *a, const struct pol_match *b)
{
	return a->unsure == b->unsure && strcmp(a->reason, b->reason) == 0 &&
	       pol_boxes_same(&a->may, &b->may) && pol_boxes_same(&a->must, &b->must);
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
 * The result of a calculation in two halves; what is too complex is not known any more. Where both
 * bounds meet it is known again: "false and unknown" is false.
 */
static enum pol_calc settle(struct pol_match *m, enum pol_calc rc, struct pol_boxes *may,
			    struct pol_boxes *must)
{
	if (rc == POL_CALC_OK) {
		pol_boxes_move(&m->may, may);
		pol_boxes_move(&m->must, must);
		if (m->unsure && covered(&m->may, &m->must)) {
			pol_boxes_fini(&m->must);
			m->unsure = false;
		}
	}
	pol_boxes_fini(may);
	pol_boxes_fini(must);
	if (rc == POL_CALC_COMPLEX)
		return pol_match_unknown(m, "has a filter too complex to compile");
	return rc;
}

enum pol_calc pol_match_negate(struct pol_match *m, struct pol_budget *budget)
{
	struct pol_boxes may = { 0 }, must = { 0 };
	enum pol_calc rc;

	if (m->unsure) {
		rc = pol_boxes_complement(&m->must, &may, budget);
		if (rc == POL_CALC_OK)
			rc = pol_boxes_complement(&m->may, &must, budget);
	} else {
		rc = pol_boxes_complement(&m->may, &may, budget);
	}
	return settle(m, rc, &may, &must);
}

static enum pol_calc combine(struct pol_match *m, const struct pol_match *other, set_op op,
			     struct pol_budget *budget)
{
	struct pol_boxes may = { 0 }, must = { 0 };
	bool unsure = m->unsure || other->unsure;
	enum pol_calc rc = op(&m->may, &other->may, &may, budget);

	if (rc == POL_CALC_OK && unsure)
		rc = op(m->unsure ? &m->must : &m->may, other->unsure ? &other->must : &other->may,
			&must, budget);
	if (!m->unsure && other->unsure)
		memcpy(m->reason, other->reason, sizeof(m->reason));
	m->unsure = unsure;
	return settle(m, rc, &may, &must);
}

enum pol_calc pol_match_and(struct pol_match *m, const struct pol_match *other,
			    struct pol_budget *budget)
{
	return combine(m, other, pol_boxes_intersect, budget);
}

enum pol_calc pol_match_or(struct pol_match *m, const struct pol_match *other,
			   struct pol_budget *budget)
{
	return combine(m, other, pol_boxes_union, budget);
}
