/* ipspd/engine_reserve.c - ceilings of sequence numbers by number space. */
#include "config.h"

#include "ipspd/engine_reserve.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <stdlib.h>

#include "ipspd/messages.h"

struct space {
	RB_ENTRY(space) link;
	uint64_t counter_id;
	uint64_t ceiling;	/* 0: nothing allowed yet */
	uint64_t asked_s;	/* when the agent was last asked; 0: it owes no answer */
};

RB_HEAD(reserve_tree, space);

struct reserve {
	struct reserve_tree tree;
	size_t n;
};

static int space_cmp(const struct space *a, const struct space *b)
{
	return a->counter_id < b->counter_id ? -1 : a->counter_id > b->counter_id;
}

RB_PROTOTYPE(reserve_tree, space, link, space_cmp)
RB_GENERATE(reserve_tree, space, link, space_cmp)

struct reserve *reserve_new(void)
{
	struct reserve *r = calloc(1, sizeof(*r));

	if (r)
		RB_INIT(&r->tree);
	return r;
}

static void drop(struct reserve *r, struct space *s)
{
	RB_REMOVE(reserve_tree, &r->tree, s);
	r->n--;
	free(s);
}

static bool none(void *arg, uint64_t counter_id)
{
	(void)arg;
	(void)counter_id;
	return false;
}

void reserve_free(struct reserve *r)
{
	if (!r)
		return;
	reserve_prune(r, none, NULL);
	free(r);
}

static struct space *find(const struct reserve *r, uint64_t counter_id)
{
	struct space key = { .counter_id = counter_id };

	/* Finding changes nothing; the macro's function does not say so. */
	return RB_FIND(reserve_tree, (struct reserve_tree *)(uintptr_t)&r->tree, &key);
}

/** NULL: no memory, or too many. */
static struct space *find_or_add(struct reserve *r, uint64_t counter_id)
{
	struct space *s = find(r, counter_id);

	if (s || r->n >= RESERVE_SPACES_MAX)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->counter_id = counter_id;
	RB_INSERT(reserve_tree, &r->tree, s);
	r->n++;
	return s;
}

int reserve_grant(struct reserve *r, uint64_t counter_id, uint64_t ceiling)
{
	struct space *s = find_or_add(r, counter_id);

	if (!s)
		return r->n >= RESERVE_SPACES_MAX ? -E2BIG : -ENOMEM;
	if (ceiling > s->ceiling)
		s->ceiling = ceiling;
	s->asked_s = 0;
	return 0;
}

uint64_t reserve_ceiling(const struct reserve *r, uint64_t counter_id)
{
	const struct space *s = find(r, counter_id);

	return s ? s->ceiling : 0;
}

void reserve_prepare(const struct reserve *r, const struct ipsp_sad *sad,
		     const struct ipsp_counters *counters, struct ipsp_sa_config *sa)
{
	if (sa->dir != IPSP_OUTBOUND)
		return;
	const struct ipsp_sa *const now = ipsp_sad_find(sad, sa->id);
	const struct ipsp_counter *const kept = ipsp_counters_find(counters, sa->counter_id);
	const uint64_t allowed = reserve_ceiling(r, sa->counter_id);

	if (now && now->counter_id == sa->counter_id)
		sa->seq_floor = now->seq_floor;
	else if (kept && atomic_load_explicit(&kept->seq, memory_order_relaxed) > 0)
		sa->seq_floor = 0;
	if (allowed > sa->seq_ceiling)
		sa->seq_ceiling = allowed;
	if (sa->seq_ceiling)
		return;
	/* To the core a ceiling of 0 is none. Nothing allowed: let the ceiling be the floor. */
	if (!sa->seq_floor)
		sa->seq_floor = 1;
	sa->seq_ceiling = sa->seq_floor;
}

bool reserve_check(struct reserve *r, struct ipsp_sad *sad, const struct ipsp_sa *sa,
		   uint64_t now_s, uint64_t *next)
{
	if (sa->dir != IPSP_OUTBOUND || ipsp_sa_seq_left(sa) >= RESERVE_BLOCK / 2)
		return false;
	struct space *s = find_or_add(r, sa->counter_id);

	if (!s)
		return false;
	if (s->ceiling > atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed) &&
	    ipsp_sad_raise_ceiling(sad, sa->id, s->ceiling) == IPSP_OK &&
	    ipsp_sa_seq_left(sa) >= RESERVE_BLOCK / 2)
		return false;
	if (s->asked_s && now_s - s->asked_s < RESERVE_ASK_AGAIN_S)
		return false;
	s->asked_s = now_s ? now_s : 1;
	*next = ipsp_sa_seq_last(sa) + 1;
	return true;
}

void reserve_forget_asked(struct reserve *r)
{
	struct space *s;

	RB_FOREACH(s, reserve_tree, &r->tree)
		s->asked_s = 0;
}

void reserve_prune(struct reserve *r, bool (*in_use)(void *arg, uint64_t counter_id), void *arg)
{
	struct space *s, *next;

	RB_FOREACH_SAFE(s, reserve_tree, &r->tree, next) {
		if (!in_use(arg, s->counter_id))
			drop(r, s);
	}
}
