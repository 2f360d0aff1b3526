/*
 * ipspd/agent_news.c - notifications about ipspd itself: policy changed, trouble of the store, the
 * engine away or back, the guard restored.
 *
 * What comes in bursts is collected for a second and told together: commits of one author, troubles
 * of one kind. Before the agent's doors are open it is collected too.
 */
#include "config.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/agent_note.h"

#define COLLECT_S 1

static void collect(struct agent *a)
{
	const struct timeval delay = { .tv_sec = COLLECT_S };

	if (!evtimer_pending(a->news.flush, NULL))
		evtimer_add(a->news.flush, &delay);
}

/* ---- policy ---- */

/* Commits of that author; when there are more authors than places, the last place is theirs. */
static struct news_commits *commits_of(struct news *n, enum mib_door door, const char *who)
{
	for (size_t i = 0; i < n->n_commits; i++) {
		if (n->commits[i].door == door && strcmp(n->commits[i].who, who) == 0)
			return &n->commits[i];
	}
	if (n->n_commits == NEWS_AUTHORS_MAX) {
		struct news_commits *last = &n->commits[NEWS_AUTHORS_MAX - 1];

		snprintf(last->who, sizeof(last->who), "several");
		return last;
	}
	struct news_commits *new = &n->commits[n->n_commits++];

	*new = (struct news_commits){ .door = door };
	snprintf(new->who, sizeof(new->who), "%s", who);
	return new;
}

void news_committed(struct agent *a, uint64_t generation, size_t n_rows)
{
	const struct mib_txn *t = mib_store_staged(a->store);
	struct news_commits *c = commits_of(&a->news, t ? mib_txn_door(t) : MIB_DOOR_SYSTEM,
					    t ? mib_txn_who(t) : "");

	c->generation = generation;
	c->commits++;
	c->rows += n_rows;
	collect(a);
}

static uint32_t at_most_u32(uint64_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void tell_commits(struct agent *a, const struct news_commits *c)
{
	/* ipspdNotifyDoor counts from 1. */
	static const uint8_t doors[] = { [MIB_DOOR_SNMP] = 1, [MIB_DOOR_CONTROL] = 2,
					 [MIB_DOOR_XML] = 3, [MIB_DOOR_SYSTEM] = 4 };
	struct agent_note n;

	if (!notify_may(a))
		return;
	note_begin(&n, MIB_N_ipspdPolicyChanged);
	note_add(&n, mib_value_integer(doors[c->door]));
	note_add_text(&n, c->who);
	note_add(&n, mib_value_counter64(c->generation));
	note_add(&n, mib_value_unsigned(at_most_u32(c->commits)));
	note_add(&n, mib_value_unsigned(at_most_u32(c->rows)));
	note_send(a, &n, n.n);
}

/* ---- the store ---- */

void news_trouble(struct agent *a, enum news_trouble kind, const char *object, const char *text)
{
	struct news_troubles *t = &a->news.troubles[kind];

	if (t->n++ == 0)
		snprintf(t->text, sizeof(t->text), "%s%s%s", object, object[0] ? ": " : "", text);
	collect(a);
}

static void tell_troubles(struct agent *a, enum news_trouble kind)
{
	const struct news_troubles *t = &a->news.troubles[kind];
	struct agent_note n;

	if (t->n == 0 || !notify_may(a))
		return;
	note_begin(&n, MIB_N_ipspdStoreTrouble);
	note_add(&n, mib_value_integer(kind));
	note_add(&n, mib_value_unsigned(at_most_u32(t->n)));
	note_add_text(&n, t->text);
	note_send(a, &n, n.n);
}

/* ---- engine and guard ---- */

static void engine_moved(struct agent_watcher *w)
{
	struct agent *a = (struct agent *)((char *)w - offsetof(struct agent, news.watcher));
	const enum agent_engine_state state = agent_engine_state(a);
	struct agent_note n;

	/* At the start it is away until it is there for the first time, which is no news. */
	if (state == AGENT_ENGINE_APPLYING || state == a->news.engine ||
	    (a->news.engine == 0 && state == AGENT_ENGINE_DOWN))
		return;
	const bool is_news = a->news.engine != 0;
	a->news.engine = state;
	if (!is_news || !notify_may(a))
		return;
	note_begin(&n, MIB_N_ipspdEngineStateChanged);
	note_add(&n, mib_value_integer(state));
	note_send(a, &n, n.n);
}

void news_guard_restored(struct agent *a)
{
	/* The first count that is told is that of before this process. */
	if (a->news.guard_known) {
		a->news.restored = true;
		collect(a);
	}
	a->news.guard_known = true;
}

static void tell_restored(struct agent *a)
{
	struct agent_note n;

	if (!a->news.restored || !notify_may(a))
		return;
	note_begin(&n, MIB_N_ipspdGuardRestored);
	note_add(&n, mib_value_counter64(agent_guard_restored(a)));
	note_send(a, &n, n.n);
}

/* ---- life ---- */

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	struct news *n = &a->news;

	(void)fd;
	(void)what;
	if (!a->subagent)
		return;		/* news_serve comes later */
	for (size_t i = 0; i < n->n_commits; i++)
		tell_commits(a, &n->commits[i]);
	for (size_t i = 0; i < NEWS_TROUBLES; i++)
		tell_troubles(a, (enum news_trouble)i);
	tell_restored(a);
	n->n_commits = 0;
	memset(n->troubles, 0, sizeof(n->troubles));
	n->restored = false;
}

/* ---- the end ---- */

#define LAST_LOOK_MS 50
#define LAST_LOOKS 40

static void look_again(struct agent *a)
{
	const struct timeval delay = { .tv_usec = LAST_LOOK_MS * 1000 };

	evtimer_add(a->news.last, &delay);
}

static void on_last_look(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	struct agent_note_stats n;

	(void)fd;
	(void)what;
	agent_notes(a, &n);
	if (--a->news.last_left == 0 ||
	    (n.waiting == 0 && n.sent == n.acknowledged + n.refused + n.unanswered))
		agent_give_up(a, 1);
	else
		look_again(a);
}

/* Whoever started the daemon sees its log and its end; a manager only this. */
void news_last_words(struct agent *a)
{
	const char *master = a->start.master[0] ? a->start.master : a->options.master;

	a->ending = true;
	a->news.last_left = LAST_LOOKS;
	a->news.last = evtimer_new(a->base, on_last_look, a);
	if (!a->news.last ||
	    ax_subagent_new(a->base, NULL, master, NULL, NULL, &a->subagent) != MIB_OK) {
		agent_give_up(a, 1);
		return;
	}
	on_flush(-1, 0, a);
	look_again(a);
}

void news_serve(struct agent *a)
{
	collect(a);
}

bool news_init(struct agent *a)
{
	a->news.flush = evtimer_new(a->base, on_flush, a);
	if (!a->news.flush)
		return false;
	a->news.watcher.changed = engine_moved;
	agent_watch(a, &a->news.watcher);
	return true;
}

void news_fini(struct agent *a)
{
	if (!a->news.flush)
		return;
	if (a->news.last)
		event_free(a->news.last);
	agent_forget_watcher(a, &a->news.watcher);
	event_free(a->news.flush);
}
