/*
 * policy/program.c - all that a program may come to: see program.h.
 *
 * The run of spd/program.c with sets in the place of results: what a compound may have come to so far
 * is a set of ranks, and each of its parts may succeed or fail with any of a set. No more than the
 * steps times the SAs of work.
 */
#include "policy/program.h"

#include <string.h>

/* The ranks of spd/program.c; that of an SA stands between FAILED and DISCARD, one for each. */
enum low { LOW_NONE, LOW_BYPASS, LOW_FAILED, LOW_DISCARD, N_LOW };

struct set {
	bool low[N_LOW];
	bool any_sa;
	bool sa[IPSP_STEPS_MAX];	/* by step */
};

/* A compound, and how its parts so far may have ended. */
struct frame {
	uint8_t kind;
	uint32_t end;
	bool has_parts;
	struct set running;	/* it goes on, having come to this */
	struct set succeeded;
	struct set failed;
};

static void set_add(struct set *to, const struct set *from, uint32_t n)
{
	for (int i = 0; i < N_LOW; i++)
		to->low[i] |= from->low[i];
	to->any_sa |= from->any_sa;
	for (uint32_t i = 0; from->any_sa && i < n; i++)
		to->sa[i] |= from->sa[i];
}

static bool below_sa(const struct set *s)
{
	return s->low[LOW_NONE] || s->low[LOW_BYPASS] || s->low[LOW_FAILED];
}

/* The stricter of each pair; of two SAs that of a, which was there first. Adds them to out. */
static void set_stricter(const struct set *a, const struct set *b, uint32_t n, struct set *out)
{
	for (int i = 0; i < N_LOW; i++) {
		for (int j = 0; j < N_LOW; j++)
			out->low[i > j ? i : j] |= a->low[i] && b->low[j];
	}
	out->low[LOW_DISCARD] |= (a->any_sa && b->low[LOW_DISCARD]) ||
				 (b->any_sa && a->low[LOW_DISCARD]);
	for (uint32_t i = 0; i < n; i++)
		out->sa[i] |= (a->sa[i] && (below_sa(b) || b->any_sa)) ||
			      (b->sa[i] && below_sa(a));
	out->any_sa |= (a->any_sa && (below_sa(b) || b->any_sa)) || (b->any_sa && below_sa(a));
}

/* What a part that failed leaves in its compound. */
static struct set left_by_failure(const struct set *failed, enum low otherwise)
{
	struct set s = { .any_sa = false };

	s.low[LOW_DISCARD] = failed->low[LOW_DISCARD];
	s.low[otherwise] = failed->any_sa || below_sa(failed);
	return s;
}

static void take(struct frame *f, const struct set *succeeded, const struct set *failed,
		 uint32_t n)
{
	const struct set before = f->running;
	const struct set left = left_by_failure(failed, f->kind == IPSP_STEP_UNTIL_SUCCESS ?
								LOW_NONE : LOW_FAILED);

	f->has_parts = true;
	f->running = (struct set){ .any_sa = false };
	set_stricter(&before, succeeded, n,
		     f->kind == IPSP_STEP_UNTIL_SUCCESS ? &f->succeeded : &f->running);
	set_stricter(&before, &left, n,
		     f->kind == IPSP_STEP_UNTIL_FAILURE ? &f->failed : &f->running);
}

/* It has no more parts. */
static void end(struct frame *f, uint32_t n)
{
	const bool succeeds = f->kind != IPSP_STEP_UNTIL_SUCCESS && f->has_parts;

	set_add(succeeds ? &f->succeeded : &f->failed, &f->running, n);
}

static void judge_action(const struct ipsp_step *s, uint32_t at, struct set *succeeded,
			 struct set *failed)
{
	*succeeded = (struct set){ .any_sa = false };
	*failed = (struct set){ .any_sa = false };
	switch (s->kind) {
	case IPSP_STEP_DISCARD:
		succeeded->low[LOW_DISCARD] = true;
		break;
	case IPSP_STEP_BYPASS:
		succeeded->low[LOW_BYPASS] = true;
		break;
	case IPSP_STEP_PROTECT:
		succeeded->any_sa = succeeded->sa[at] = s->sa_id != 0 || s->negotiated;
		failed->low[LOW_FAILED] = true;
		break;
	default:
		failed->low[LOW_FAILED] = true;
		break;
	}
}

static void conclude(const struct frame *root, struct ipsp_step *steps, uint32_t n,
		     struct pol_prospects *out)
{
	const struct set *s = &root->succeeded;

	for (uint32_t i = 0; i < n; i++)
		steps[i].may_decide = s->sa[i];
	out->bypass = s->low[LOW_BYPASS];
	out->protect = s->any_sa;
	out->drop = s->low[LOW_NONE] || s->low[LOW_FAILED] || s->low[LOW_DISCARD] ||
		    root->failed.any_sa || root->failed.low[LOW_DISCARD] || below_sa(&root->failed);
}

void pol_program_judge(struct ipsp_step *steps, uint32_t n, struct pol_prospects *out)
{
	struct frame frames[IPSP_STEP_DEPTH_MAX];
	uint32_t depth = 0, at = 0;

	for (;;) {
		struct set succeeded, failed;

		if (depth > 0 && frames[depth - 1].end == at) {
			end(&frames[--depth], n);
			if (depth == 0)
				break;
			succeeded = frames[depth].succeeded;
			failed = frames[depth].failed;
		} else if (steps[at].kind >= IPSP_STEP_ALL) {
			struct frame *f = &frames[depth++];

			memset(f, 0, sizeof(*f));
			f->kind = steps[at].kind;
			f->end = steps[at].end;
			f->running.low[LOW_NONE] = true;
			at++;
			continue;
		} else {
			judge_action(&steps[at], at, &succeeded, &failed);
			at++;
		}
		take(&frames[depth - 1], &succeeded, &failed, n);
	}
	conclude(&frames[0], steps, n, out);
}
