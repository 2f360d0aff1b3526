/*
 * spd/program.c - entries with several actions: see ipsp/program.h.
 *
 * A program is a compound action written down in the order of its parts, so it is run by one index
 * that only moves forward and a stack of the compounds it is in.
 */
#include "ipsp/program.h"

/* Looser to stricter; what a compound has come to so far. */
enum rank {
	RANK_NONE,	/* nothing ran */
	RANK_BYPASS,
	RANK_FAILED,	/* something that was wanted could not be done */
	RANK_PROTECT,
	RANK_DISCARD,
};

struct result {
	bool success;
	enum rank rank;
	uint32_t step;		/* that gave the rank */
};

/* A compound that is being run. */
struct frame {
	uint8_t kind;
	uint32_t end;
	struct result so_far;
};

static bool is_compound(uint8_t kind)
{
	return kind >= IPSP_STEP_ALL && kind <= IPSP_STEP_UNTIL_FAILURE;
}

static bool step_valid(const struct ipsp_step *s)
{
	if (s->kind > IPSP_STEP_UNTIL_FAILURE)
		return false;
	if (s->kind != IPSP_STEP_PROTECT && (s->sa_id != 0 || s->may_decide || s->negotiated))
		return false;
	if (s->negotiated && s->sa_id != 0)
		return false;
	return is_compound(s->kind) ? !s->log : s->end == 0;
}

bool ipsp_steps_valid(const struct ipsp_step *steps, uint32_t n)
{
	uint32_t ends[IPSP_STEP_DEPTH_MAX];
	uint32_t depth = 0;

	if (n == 0 || n > IPSP_STEPS_MAX || !is_compound(steps[0].kind) || steps[0].end != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		while (depth > 0 && ends[depth - 1] == i)
			depth--;
		if (!step_valid(&steps[i]))
			return false;
		if (!is_compound(steps[i].kind))
			continue;
		if (depth == IPSP_STEP_DEPTH_MAX || steps[i].end <= i ||
		    steps[i].end > (depth > 0 ? ends[depth - 1] : n))
			return false;
		ends[depth++] = steps[i].end;
	}
	return true;
}

/* Takes one part's result into its compound. True: the compound runs no further. */
static bool take(struct frame *f, const struct result *part)
{
	struct result *so_far = &f->so_far;
	enum rank rank = part->rank;

	/* A packet that was dropped stays so, whatever failed after that. */
	if (!part->success && rank != RANK_DISCARD)
		rank = f->kind == IPSP_STEP_UNTIL_SUCCESS ? RANK_NONE : RANK_FAILED;
	if (rank > so_far->rank) {
		so_far->rank = rank;
		so_far->step = part->step;
	}
	so_far->success = f->kind == IPSP_STEP_ALL || part->success;
	return (f->kind == IPSP_STEP_UNTIL_SUCCESS && part->success) ||
	       (f->kind == IPSP_STEP_UNTIL_FAILURE && !part->success);
}

static struct result run_action(const struct ipsp_step *s, uint32_t at,
				bool (*usable)(void *arg, uint64_t sa_id), void *arg)
{
	switch (s->kind) {
	case IPSP_STEP_DISCARD:
		return (struct result){ true, RANK_DISCARD, at };
	case IPSP_STEP_BYPASS:
		return (struct result){ true, RANK_BYPASS, at };
	case IPSP_STEP_PROTECT:
		return (struct result){ (s->sa_id != 0 || s->negotiated) && usable(arg, s->sa_id),
					RANK_PROTECT, at };
	default:
		return (struct result){ false, RANK_FAILED, at };
	}
}

static void conclude(const struct ipsp_step *steps, const struct result *r,
		     struct ipsp_outcome *out)
{
	out->step = r->step;
	if (r->success && r->rank == RANK_BYPASS) {
		out->action = IPSP_BYPASS;
	} else if (r->success && r->rank == RANK_PROTECT) {
		out->action = IPSP_PROTECT;
		out->sa_id = steps[r->step].sa_id;
	} else {
		out->failed = !r->success || r->rank != RANK_DISCARD;
	}
}

void ipsp_steps_run(const struct ipsp_step *steps, bool (*usable)(void *arg, uint64_t sa_id),
		    void *arg, struct ipsp_outcome *out)
{
	struct frame frames[IPSP_STEP_DEPTH_MAX];
	struct result part = { false, RANK_NONE, 0 };
	uint32_t depth = 0, at = 0;

	*out = (struct ipsp_outcome){ .action = IPSP_DISCARD };
	do {
		if (depth == 0 || at < frames[depth - 1].end) {
			const struct ipsp_step *s = &steps[at];

			if (is_compound(s->kind)) {
				frames[depth++] = (struct frame){ .kind = s->kind, .end = s->end };
				at++;
				continue;
			}
			part = run_action(s, at, usable, arg);
			if (part.success)
				out->ran[at / 64] |= UINT64_C(1) << (at % 64);
			at++;
		} else {
			part = frames[--depth].so_far;
		}
		if (depth > 0 && take(&frames[depth - 1], &part))
			at = frames[depth - 1].end;
	} while (depth > 0);
	conclude(steps, &part, out);
}
