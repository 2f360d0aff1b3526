/*
 * policy/timed.c - what filters match over time: see timed.h.
 */
#include "policy/timed.h"

#include "policy/build.h"

void pol_timed_fini(struct pol_timed *t)
{
	for (unsigned i = 0; i < t->n; i++)
		pol_match_fini(&t->times[i].match);
	t->n = 0;
	pol_match_fini(&t->ever);
}

void pol_timed_move(struct pol_timed *to, struct pol_timed *from)
{
	pol_timed_fini(to);
	*to = *from;
	*from = (struct pol_timed){ 0 };
}

bool pol_timed_same(const struct pol_timed *a, const struct pol_timed *b)
{
	if (a->n != b->n || !pol_match_same(&a->ever, &b->ever))
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct pol_time *x = &a->times[i], *y = &b->times[i];

		if (x->from_s != y->from_s || x->until_s != y->until_s ||
		    !pol_match_same(&x->match, &y->match))
			return false;
	}
	return true;
}

enum pol_calc pol_timed_all(struct pol_timed *t)
{
	pol_timed_fini(t);
	return pol_match_all(&t->ever);
}

/* ---- one filter ---- */

struct filter {
	struct pol_build *build;
	const struct mib_row *row;
	const struct mib_column *col;
	bool negate;
};

/* @param until_s  out: before then the answer stays what it is */
static enum pol_calc filter_at(const struct filter *f, int64_t at_s, int64_t *until_s,
			       struct pol_match *out)
{
	struct pol_asked q = { .view = pol_build_view(f->build), .at_s = at_s,
			       .until_s = POL_NEVER, .build = f->build };
	struct pol_budget budget = POL_BUDGET_INIT;
	enum pol_calc rc = pol_filter_of(&q, f->row, f->col, &budget, out);

	if (rc == POL_CALC_OK && f->negate)
		rc = pol_match_negate(out, &budget);
	*until_s = q.until_s;
	return rc;
}

static enum pol_calc filter_over_time(const struct filter *f, struct pol_timed *out)
{
	const int64_t now_s = pol_build_now(f->build);
	int64_t at_s = now_s > POL_LOOK_BACK_S ? now_s - POL_LOOK_BACK_S : 0, until_s;
	enum pol_calc rc = filter_at(f, at_s, &until_s, &out->ever);

	while (rc == POL_CALC_OK && until_s <= now_s) {
		at_s = until_s;
		rc = filter_at(f, at_s, &until_s, &out->ever);
	}
	if (rc != POL_CALC_OK || until_s == POL_NEVER)
		return rc;
	while (rc == POL_CALC_OK && out->n < POL_TIMES_MAX) {
		struct pol_time *t = &out->times[out->n++];

		t->from_s = at_s;
		rc = filter_at(f, at_s, &t->until_s, &t->match);
		at_s = t->until_s;
		if (at_s == POL_NEVER)
			break;
	}
	return rc == POL_CALC_OK ? filter_at(f, POL_TIME_UNKNOWN, &until_s, &out->ever) : rc;
}

/* ---- two of them ---- */

static enum pol_calc both(const struct pol_match *a, const struct pol_match *b,
			  struct pol_match *out)
{
	struct pol_budget budget = POL_BUDGET_INIT;
	enum pol_calc rc = pol_match_copy(a, out);

	if (rc == POL_CALC_OK)
		rc = pol_match_and(out, b, &budget);
	if (rc == POL_CALC_OK && !pol_pred_none(&out->pred) && !ipsp_predicate_valid(&out->pred.p))
		rc = pol_match_unknown(out, "has a filter too complex to compile");
	return rc;
}

/* What a matches at a moment, from when, until when. NULL: out of sight */
static const struct pol_match *at_moment(const struct pol_timed *t, int64_t at_s, int64_t *from_s,
					 int64_t *until_s)
{
	*from_s = INT64_MIN;
	*until_s = POL_NEVER;
	if (t->n == 0)
		return &t->ever;
	for (unsigned i = 0; i < t->n; i++) {
		if (at_s < t->times[i].from_s || at_s >= t->times[i].until_s)
			continue;
		*from_s = t->times[i].from_s;
		*until_s = t->times[i].until_s;
		return &t->times[i].match;
	}
	return NULL;
}

static enum pol_calc and_timed(const struct pol_timed *a, const struct pol_timed *b, int64_t now_s,
			       struct pol_timed *out)
{
	enum pol_calc rc = both(&a->ever, &b->ever, &out->ever);

	if (a->n == 0 && b->n == 0)
		return rc;
	for (int64_t at_s = now_s; rc == POL_CALC_OK && out->n < POL_TIMES_MAX;) {
		struct pol_time *t = &out->times[out->n];
		int64_t from_a, from_b, until_a, until_b;
		const struct pol_match *x = at_moment(a, at_s, &from_a, &until_a);
		const struct pol_match *y = at_moment(b, at_s, &from_b, &until_b);

		if (!x || !y)
			break;
		out->n++;
		*t = (struct pol_time){ .from_s = from_a > from_b ? from_a : from_b,
					.until_s = until_a < until_b ? until_a : until_b };
		rc = both(x, y, &t->match);
		at_s = t->until_s;
	}
	return rc;
}

enum pol_calc pol_timed_filter(struct pol_build *b, const struct mib_row *r,
			       const struct mib_column *col, bool negate,
			       const struct pol_timed *guard, struct pol_timed *out)
{
	const struct filter f = { .build = b, .row = r, .col = col, .negate = negate };
	struct pol_timed own = { 0 };
	enum pol_calc rc = filter_over_time(&f, &own);

	/* "and" keeps the first one's reason: the filter's own before those of its guards. */
	if (rc == POL_CALC_OK)
		rc = and_timed(&own, guard, pol_build_now(b), out);
	if (rc == POL_CALC_OK)
		pol_build_changes_at(b, pol_timed_until(out));
	pol_timed_fini(&own);
	return rc;
}
