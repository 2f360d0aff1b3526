/*
 * ipspd/notify_limit.c - the interval an action, and the rate over all.
 *
 * Actions stand in a tree to be found and in a queue by the time of their last notification, so those
 * whose interval is over are at its head; they go when there is no room for others.
 */
#include "config.h"

#include "ipspd/notify_limit.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

struct notify_action {
	RB_ENTRY(notify_action) link;
	TAILQ_ENTRY(notify_action) order;
	const struct mib_notification *kind;
	uint64_t last_ms;
	uint64_t held;
	size_t len;
	uint32_t ids[];
};

RB_HEAD(notify_action_tree, notify_action);
TAILQ_HEAD(notify_action_queue, notify_action);

struct notify_limit {
	struct notify_action_tree actions;
	struct notify_action_queue order;	/* the one that was longest ago first */
	size_t n;
	uint64_t interval_ms;
	uint64_t rate;
	uint64_t tokens;		/* thousandths of a notification */
	uint64_t filled_ms;		/* when tokens was right */
};

static int action_cmp(const struct notify_action *a, const struct notify_action *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return mib_oid_cmp(a->ids, a->len, b->ids, b->len);
}

RB_PROTOTYPE(notify_action_tree, notify_action, link, action_cmp)
RB_GENERATE(notify_action_tree, notify_action, link, action_cmp)

static void forget(struct notify_limit *l, struct notify_action *a)
{
	RB_REMOVE(notify_action_tree, &l->actions, a);
	TAILQ_REMOVE(&l->order, a, order);
	l->n--;
	free(a);
}

static void forget_old(struct notify_limit *l, uint64_t now_ms)
{
	struct notify_action *a;

	while ((a = TAILQ_FIRST(&l->order)) && now_ms - a->last_ms >= l->interval_ms)
		forget(l, a);
}

struct notify_limit *notify_limit_new(void)
{
	struct notify_limit *l = (struct notify_limit *)calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	RB_INIT(&l->actions);
	TAILQ_INIT(&l->order);
	return l;
}

void notify_limit_free(struct notify_limit *l)
{
	struct notify_action *a;

	if (!l)
		return;
	while ((a = TAILQ_FIRST(&l->order)))
		forget(l, a);
	free(l);
}

static uint64_t tokens_max(const struct notify_limit *l)
{
	return l->rate * NOTIFY_BURST_S * 1000;
}

void notify_limit_set(struct notify_limit *l, uint32_t interval_s, uint32_t rate)
{
	l->interval_ms = (uint64_t)interval_s * 1000;
	if (rate == l->rate)
		return;
	/* A new rate begins with a full bucket, as after a start. */
	l->rate = rate;
	l->tokens = tokens_max(l);
}

static bool has_token(struct notify_limit *l, uint64_t now_ms)
{
	if (l->rate == 0)
		return true;
	const uint64_t room = tokens_max(l) - l->tokens, passed = now_ms - l->filled_ms;

	/* A thousandth for each millisecond, times the rate; no product beyond what is missing. */
	l->tokens += passed > room / l->rate ? room : passed * l->rate;
	l->filled_ms = now_ms;
	return l->tokens >= 1000;
}

static void take_token(struct notify_limit *l)
{
	if (l->rate > 0)
		l->tokens -= 1000;
}

bool notify_limit_any(struct notify_limit *l, uint64_t now_ms)
{
	if (!has_token(l, now_ms))
		return false;
	take_token(l);
	return true;
}

bool notify_limit_action(struct notify_limit *l, const struct mib_notification *kind,
			 const struct mib_oid *action, uint64_t now_ms, uint64_t *held)
{
	const size_t size = action->len * sizeof(action->ids[0]);
	struct notify_action *new = (struct notify_action *)calloc(1, sizeof(*new) + size), *old;

	if (!new)
		return false;
	new->kind = kind;
	new->len = action->len;
	memcpy(new->ids, action->ids, size);
	old = RB_FIND(notify_action_tree, &l->actions, new);
	if (!old && l->n >= NOTIFY_ACTIONS_MAX)
		forget_old(l, now_ms);
	if ((old && now_ms - old->last_ms < l->interval_ms) ||
	    (!old && l->n >= NOTIFY_ACTIONS_MAX) || !notify_limit_any(l, now_ms)) {
		if (old)
			old->held++;
		free(new);
		return false;
	}
	*held = old ? old->held : 0;
	if (old)
		forget(l, old);
	new->last_ms = now_ms;
	RB_INSERT(notify_action_tree, &l->actions, new);
	TAILQ_INSERT_TAIL(&l->order, new, order);
	l->n++;
	return true;
}
