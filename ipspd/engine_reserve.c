/* ipspd/engine_reserve.c - ceilings of sequence numbers by number space. */
#include "config.h"

#include "ipspd/engine_reserve.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <errno.h>
#include <stdlib.h>

#include "ipspd/messages.h"

struct space {
	RB_ENTRY(space) link;
	LIST_ENTRY(space) waiting;	/* while asked_s is not 0 */
	uint64_t counter_id;
	uint64_t ceiling;	/* 0: nothing allowed yet */
	uint64_t asked_s;	/* when the agent was last asked; 0: it owes no answer */
	uint64_t sa_id;		/* for which SA it was asked last; 0: it never was */
};

RB_HEAD(engine_reserve_tree, space);

struct engine_reserve {
	struct engine_reserve_tree tree;
	LIST_HEAD(, space) waiting;	/* those that the agent owes an answer */
	size_t n;
};

static int space_cmp(const struct space *a, const struct space *b)
{
	return a->counter_id < b->counter_id ? -1 : a->counter_id > b->counter_id;
}

RB_PROTOTYPE(engine_reserve_tree, space, link, space_cmp)
RB_GENERATE(engine_reserve_tree, space, link, space_cmp)

struct engine_reserve *engine_reserve_new(void)
{
	struct engine_reserve *r = calloc(1, sizeof(*r));

	if (r) {
		RB_INIT(&r->tree);
		LIST_INIT(&r->waiting);
	}
	return r;
}

static void set_asked(struct engine_reserve *r, struct space *s, uint64_t asked_s)
{
	if (asked_s && !s->asked_s)
		LIST_INSERT_HEAD(&r->waiting, s, waiting);
	else if (!asked_s && s->asked_s)
		LIST_REMOVE(s, waiting);
	s->asked_s = asked_s;
}

static void drop(struct engine_reserve *r, struct space *s)
{
	set_asked(r, s, 0);
	RB_REMOVE(engine_reserve_tree, &r->tree, s);
	r->n--;
	free(s);
}

static bool none(void *arg, uint64_t counter_id)
{
	(void)arg;
	(void)counter_id;
	return false;
}

void engine_reserve_free(struct engine_reserve *r)
{
	if (!r)
		return;
	engine_reserve_prune(r, none, NULL);
	free(r);
}

static struct space *find(const struct engine_reserve *r, uint64_t counter_id)
{
	struct space key = { .counter_id = counter_id };

	/* Finding changes nothing; the macro's function does not say so. */
	return RB_FIND(engine_reserve_tree, (struct engine_reserve_tree *)(uintptr_t)&r->tree, &key);
}

/** NULL: no memory, or too many. */
static struct space *find_or_add(struct engine_reserve *r, uint64_t counter_id)
{
	struct space *s = find(r, counter_id);

	if (s || r->n >= RESERVE_SPACES_MAX)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->counter_id = counter_id;
	RB_INSERT(engine_reserve_tree, &r->tree, s);
	r->n++;
	return s;
}

int engine_reserve_grant(struct engine_reserve *r, uint64_t counter_id, uint64_t ceiling)
{
	struct space *s = find_or_add(r, counter_id);

	if (!s)
		return r->n >= RESERVE_SPACES_MAX ? -E2BIG : -ENOMEM;
	if (ceiling > s->ceiling)
		s->ceiling = ceiling;
	set_asked(r, s, 0);
	return 0;
}

uint64_t engine_reserve_asker(const struct engine_reserve *r, uint64_t counter_id)
{
	const struct space *s = find(r, counter_id);

	return s ? s->sa_id : 0;
}

void engine_reserve_each_waiting(struct engine_reserve *r, bool (*each)(void *arg, uint64_t sa_id),
				 void *arg)
{
	struct space *s, *next;

	for (s = LIST_FIRST(&r->waiting); s; s = next) {
		next = LIST_NEXT(s, waiting);
		if (!each(arg, s->sa_id))
			set_asked(r, s, 0);
	}
}

uint64_t engine_reserve_ceiling(const struct engine_reserve *r, uint64_t counter_id)
{
	const struct space *s = find(r, counter_id);

	return s ? s->ceiling : 0;
}

void engine_reserve_prepare(const struct engine_reserve *r, const struct ipsp_sad *sad,
		     const struct ipsp_counters *counters, struct ipsp_sa_config *sa)
{
	if (sa->dir != IPSP_OUTBOUND)
		return;
	const struct ipsp_sa *const now = ipsp_sad_find(sad, sa->id);
	const struct ipsp_counter *const kept = ipsp_counters_find(counters, sa->counter_id);
	const uint64_t allowed = engine_reserve_ceiling(r, sa->counter_id);

	if (now && now->counter_id == sa->counter_id)
		sa->seq_floor = now->seq_floor;
	else if (kept && atomic_load_explicit(&kept->seq, memory_order_relaxed) > 0)
		sa->seq_floor = 0;
	if (allowed > sa->seq_ceiling)
		sa->seq_ceiling = allowed;
	/* Nothing allowed: the floor is the ceiling. A ceiling of 0 would not be one to the core. */
	if (!sa->seq_ceiling)
		sa->seq_ceiling = sa->seq_floor ? sa->seq_floor : RESERVE_NOTHING;
}

/* The numbers of a key manager's SA end with it. */
bool engine_reserve_is_low(const struct ipsp_sa *sa)
{
	return sa->dir == IPSP_OUTBOUND && sa->origin == IPSP_ORIGIN_POLICY &&
	       ipsp_sa_seq_left(sa) < RESERVE_BLOCK / 2;
}

bool engine_reserve_check(struct engine_reserve *r, struct ipsp_sad *sad, const struct ipsp_sa *sa,
		   uint64_t now_s, uint64_t *next)
{
	if (!engine_reserve_is_low(sa))
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
	set_asked(r, s, now_s ? now_s : 1);
	s->sa_id = sa->id;
	*next = ipsp_sa_seq_last(sa) + 1;
	return true;
}

void engine_reserve_forget_asked(struct engine_reserve *r)
{
	while (!LIST_EMPTY(&r->waiting))
		set_asked(r, LIST_FIRST(&r->waiting), 0);
}

void engine_reserve_prune(struct engine_reserve *r, bool (*in_use)(void *arg, uint64_t counter_id),
			  void *arg)
{
	struct space *s, *next;

	RB_FOREACH_SAFE(s, engine_reserve_tree, &r->tree, next) {
		if (!in_use(arg, s->counter_id))
			drop(r, s);
	}
}
