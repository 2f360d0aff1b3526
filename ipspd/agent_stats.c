/*
 * ipspd/agent_stats.c - counters: asked of engine and parent, added to the totals, and those who wait.
 *
 * One question is on its way at a time; who asks meanwhile gets the next answer, so that it is never
 * older than the question. Both are asked every AGENT_POLL_S seconds, so that little is lost with an
 * engine that dies, and every AGENT_FRESH_S while totals are read: however many varbinds that are.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define STATS_MAX (1u << 19)	/* entries, or SAs, of an answer */

static int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t now_s(void)
{
	return clock_ms(CLOCK_BOOTTIME) / 1000;
}

/* ---- asking ---- */

static bool is_asked(const struct counting *c)
{
	return c->engine_asked || c->guard_asked;
}

static void ask(struct agent *a)
{
	struct counting *c = &a->counting;
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (is_asked(c))
		return;
	c->asked_ms = clock_ms(CLOCK_MONOTONIC);
	c->n_entries = 0;
	c->n_sas = 0;
	c->cut = false;
	memset(c->drops, 0, sizeof(c->drops));
	memset(c->icmp, 0, sizeof(c->icmp));
	c->fast = 0;
	if (++c->serial == REPORT_UNASKED)
		c->serial++;
	chan_put_u32(&w, c->serial);
	c->engine_asked = a->engine &&
			  chan_send(a->engine, MSG_STATS_GET, buf, w.len, NULL, 0) == 0;
	c->guard_asked = chan_send(a->parent, MSG_GUARD_COUNT, buf, w.len, NULL, 0) == 0;
}

/* Answers all whose question is not younger than the answer. */
static void answer(struct agent *a)
{
	struct counting *c = &a->counting;
	struct agent_question **at = &c->questions;

	while (*at) {
		struct agent_question *one = *at;

		if ((int32_t)(one->serial - c->serial) > 0) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		one->counted(one);
		at = &c->questions;	/* the callback may have changed the list */
	}
}

/* Somebody has answered, or never will. */
static void settle(struct agent *a)
{
	const struct timeval now = { 0, 0 };

	if (is_asked(&a->counting))
		return;
	answer(a);
	if (!a->counting.questions)
		return;
	ask(a);
	if (!is_asked(&a->counting))
		evtimer_add(a->counting.poll, &now);
}

/* ---- the engine's answer ---- */

static void all_came(struct agent *a)
{
	struct counting *c = &a->counting;
	const struct totals_report r = {
		.entries = c->entries, .n_entries = c->n_entries,
		.sas = c->sas, .n_sas = c->n_sas,
		.drops = c->drops, .icmp = c->icmp, .fast = c->fast,
	};

	/* Half an answer would be taken for counters that began anew. */
	if (c->cut || !totals_take(c->totals, &r, now_s()))
		ipspd_log(LOG_ERR, "agent", "counters are not up to date: no memory");
	c->engine_asked = false;
	settle(a);
}

/* Room for n more in an array of the coming answer. */
static void *room_for(void *items, size_t have, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room : 1024;

	if (n > STATS_MAX - have)
		return NULL;
	while (more < have + n)
		more *= 2;
	if (more == *room)
		return items;
	void *grown = reallocarray(items, more, size);

	if (grown)
		*room = more;
	return grown;
}

/* Is it of the answer that is awaited? */
static bool is_awaited(const struct counting *c, uint32_t serial)
{
	return c->engine_asked && serial == c->serial;
}

static bool take_entries(struct counting *c, const struct chan_msg *m)
{
	struct wire_entry_stats got[REPORT_ENTRIES_MAX], *v;
	uint32_t serial;
	size_t n;

	if (!report_entries_read(m, &serial, got, &n))
		return false;
	if (n == 0 || !is_awaited(c, serial))
		return true;
	v = (struct wire_entry_stats *)room_for(c->entries, c->n_entries, n, &c->room_entries,
						sizeof(*v));
	c->cut |= !v;
	if (c->cut)
		return true;
	c->entries = v;
	memcpy(v + c->n_entries, got, n * sizeof(*v));
	c->n_entries += n;
	return true;
}

static bool take_sas(struct counting *c, const struct chan_msg *m)
{
	struct wire_sa_stats got[REPORT_SAS_MAX], *v;
	uint32_t serial;
	size_t n;

	if (!report_sas_read(m, &serial, got, &n))
		return false;
	for (size_t i = 0; serial == REPORT_UNASKED && i < n; i++)
		if (!totals_take_last(c->totals, &got[i], now_s()))
			ipspd_log(LOG_ERR, "agent", "an SA's last counters are lost: no memory");
	if (n == 0 || !is_awaited(c, serial))
		return true;
	v = (struct wire_sa_stats *)room_for(c->sas, c->n_sas, n, &c->room_sas, sizeof(*v));
	c->cut |= !v;
	if (c->cut)
		return true;
	c->sas = v;
	memcpy(v + c->n_sas, got, n * sizeof(*v));
	c->n_sas += n;
	return true;
}

static bool take_drop(struct counting *c, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);
	uint16_t reason = chan_get_u16(&r);
	uint64_t packets = chan_get_u64(&r);

	if (!chan_reader_done(&r) || reason >= TOTALS_N_DROPS)
		return false;
	if (is_awaited(c, serial))
		c->drops[reason] = packets;
	return true;
}

static bool take_icmp(struct counting *c, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);
	uint64_t got[IPSP_N_ICMP_COUNTS];

	for (size_t i = 0; i < IPSP_N_ICMP_COUNTS; i++)
		got[i] = chan_get_u64(&r);
	if (!chan_reader_done(&r))
		return false;
	if (is_awaited(c, serial))
		memcpy(c->icmp, got, sizeof(got));
	return true;
}

static bool take_fast(struct counting *c, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint32_t serial = chan_get_u32(&r);
	const uint64_t packets = chan_get_u64(&r);

	if (!chan_reader_done(&r))
		return false;
	if (is_awaited(c, serial))
		c->fast = packets;
	return true;
}

static bool take_end(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);

	(void)chan_get_u64(&r);		/* the generation in force */
	if (!chan_reader_done(&r))
		return false;
	if (is_awaited(&a->counting, serial))
		all_came(a);
	return true;
}

bool stats_message(struct agent *a, const struct chan_msg *m)
{
	switch (m->type) {
	case MSG_STATS_ENTRIES:
		return take_entries(&a->counting, m);
	case MSG_STATS_SAS:
		return take_sas(&a->counting, m);
	case MSG_STATS_DROP:
		return take_drop(&a->counting, m);
	case MSG_STATS_ICMP:
		return take_icmp(&a->counting, m);
	case MSG_STATS_FAST:
		return take_fast(&a->counting, m);
	default:
		return take_end(a, m);
	}
}

/* ---- the guard's answer ---- */

/* What was dropped, and why, as the engine would say it. */
static void take_guard_count(struct totals *t, const struct wire_guard_count *g)
{
	static const uint16_t reasons[WIRE_GUARD_WHATS] = {
		[WIRE_GUARD_DISCARDED] = IPSP_REASON_POLICY_DISCARD,
		[WIRE_GUARD_UNPROTECTED] = IPSP_REASON_POLICY_CLEAR,
		[WIRE_GUARD_END] = IPSP_REASON_POLICY_DEFAULT,
		[WIRE_GUARD_FRAGMENT] = IPSP_REASON_POLICY_FRAGMENT,
		[WIRE_GUARD_HIDDEN] = IPSP_REASON_EXTENSIONS,
		[WIRE_GUARD_SHORT] = IPSP_REASON_TRUNCATED,
	};
	bool good = true;

	if (g->what == WIRE_GUARD_PASSED || g->what == WIRE_GUARD_DISCARDED ||
	    g->what == WIRE_GUARD_UNPROTECTED ? g->id != 0 : g->what == WIRE_GUARD_END)
		good = totals_kernel(t, g->ifindex, (enum ipsp_dir)g->dir, g->id, g->packets,
				     g->bytes, now_s());
	if (!good)
		ipspd_log(LOG_ERR, "agent", "%" PRIu64 " packets are not counted: no memory",
			  g->packets);
	if (reasons[g->what] != IPSP_REASON_NONE)
		totals_kernel_drops(t, reasons[g->what], g->packets);
}

bool stats_guard_counted(struct agent *a, const struct chan_msg *m)
{
	struct wire_guard_count got[REPORT_GUARD_MAX];
	struct counting *c = &a->counting;
	uint32_t serial;
	bool more;
	size_t n;

	if (!report_guard_read(m, &serial, &more, got, &n))
		return false;
	/* Each is told once: an answer that comes late counts all the same. */
	for (size_t i = 0; i < n; i++)
		take_guard_count(c->totals, &got[i]);
	if (!more && serial == c->serial) {
		c->guard_asked = false;
		settle(a);
	}
	return true;
}

/* ---- the engine comes and goes ---- */

void stats_engine_up(struct agent *a)
{
	/* This engine's counters begin at what it kept: nothing, or, after a restart of ours, all. */
	ask(a);
}

void stats_engine_down(struct agent *a)
{
	totals_engine_gone(a->counting.totals);
	a->counting.engine_asked = false;
	settle(a);
}

/* ---- those who ask ---- */

const struct totals *agent_totals(const struct agent *a)
{
	return a->counting.totals;
}

void agent_forget_totals(struct agent *a, uint64_t id)
{
	totals_forget(a->counting.totals, id);
}

int64_t agent_now_s(const struct agent *a)
{
	(void)a;
	return now_s();
}

void agent_totals_wanted(struct agent *a)
{
	const struct counting *c = &a->counting;

	if (!is_asked(c) && clock_ms(CLOCK_MONOTONIC) - c->asked_ms >= AGENT_FRESH_S * 1000)
		ask(a);
}

void agent_count(struct agent *a, struct agent_question *question)
{
	struct counting *c = &a->counting;
	const struct timeval now = { 0, 0 };

	question->serial = c->serial + 1;
	question->next = c->questions;
	c->questions = question;
	ask(a);
	/* With nobody to ask it is answered from the loop all the same. */
	if (!is_asked(c))
		evtimer_add(c->poll, &now);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval delay = { .tv_sec = AGENT_POLL_S };
	struct agent *a = (struct agent *)arg;

	(void)fd;
	(void)what;
	ask(a);
	settle(a);
	evtimer_add(a->counting.poll, &delay);
}

/* ---- life ---- */

static void forget(struct agent_question **list, struct agent_question *q)
{
	for (struct agent_question **at = list; *at; at = &(*at)->next) {
		if (*at == q) {
			*at = q->next;
			return;
		}
	}
}

void agent_forget_question(struct agent *a, struct agent_question *q)
{
	forget(&a->counting.questions, q);
	forget(&a->guard.questions, q);
	forget(&a->sad.questions, q);
}

int stats_init(struct agent *a)
{
	const struct timeval delay = { .tv_sec = AGENT_POLL_S };
	struct counting *c = &a->counting;

	c->totals = totals_new();
	c->poll = evtimer_new(a->base, on_poll, a);
	if (!c->totals || !c->poll)
		return -ENOMEM;
	evtimer_add(c->poll, &delay);
	return 0;
}

void stats_fini(struct agent *a)
{
	struct counting *c = &a->counting;

	if (c->poll)
		event_free(c->poll);
	free(c->entries);
	free(c->sas);
	totals_free(c->totals);
}
