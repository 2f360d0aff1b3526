/*
 * ike/timer.c - a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): see timer.h.
 */
#include "ike/timer.h"

static void hang(struct ike_timer **at, struct ike_timer *t)
{
	*at = t;
	if (t)
		t->link = at;
}

/* Of two heaps one; neither has siblings. */
static struct ike_timer *meld(struct ike_timer *a, struct ike_timer *b)
{
	struct ike_timer *top = a, *below = b;

	if (!a || !b)
		return a ? a : b;
	if (b->due_ms < a->due_ms) {
		top = b;
		below = a;
	}
	hang(&below->sibling, top->child);
	hang(&top->child, below);
	return top;
}

/* A row of siblings becomes one heap: in pairs from the left, then all from the right. */
static struct ike_timer *meld_row(struct ike_timer *row)
{
	struct ike_timer *pairs = NULL, *all = NULL;

	while (row) {
		struct ike_timer *const a = row, *const b = row->sibling;

		row = b ? b->sibling : NULL;
		a->sibling = NULL;
		if (b)
			b->sibling = NULL;
		a->link = NULL;
		struct ike_timer *const pair = meld(a, b);

		pair->sibling = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct ike_timer *const next = pairs->sibling;

		pairs->sibling = NULL;
		all = meld(all, pairs);
		pairs = next;
	}
	return all;
}

void ike_timer_stop(struct ike_timers *all, struct ike_timer *t)
{
	struct ike_timer *inside;

	if (!ike_timer_runs(t))
		return;
	hang(t->link, t->sibling);
	inside = meld_row(t->child);
	t->child = t->sibling = NULL;
	t->link = NULL;
	hang(&all->root, meld(all->root, inside));
}

void ike_timer_start(struct ike_timers *all, struct ike_timer *t, uint64_t due_ms,
		     void (*fire)(struct ike_timer *t, uint64_t now_ms))
{
	ike_timer_stop(all, t);
	t->due_ms = due_ms;
	t->fire = fire;
	hang(&all->root, meld(all->root, t));
}

uint64_t ike_timers_due(const struct ike_timers *all)
{
	return all->root ? all->root->due_ms : IKE_NEVER;
}

void ike_timers_run(struct ike_timers *all, uint64_t now_ms)
{
	while (all->root && all->root->due_ms <= now_ms) {
		struct ike_timer *const t = all->root;

		ike_timer_stop(all, t);
		t->fire(t, now_ms);
	}
}
