/*
 * ipspd/agent_stats.c - questions to engine and parent, and those who wait for the answers.
 *
 * One STATS_GET is on its way at a time; who asks meanwhile gets the next answer, so that it is never
 * older than the question.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define POLL_S 5		/* for the drop counters that SNMP reads */
#define STATS_MAX (1u << 19)	/* entries, or SAs, of an answer */
#define GUARD_TEXT_MAX (16u << 20)

/* ---- counters ---- */

static void coming_clear(struct questions *q)
{
	q->coming.n_entries = 0;
	q->coming.n_sas = 0;
	memset(q->coming.drops, 0, AGENT_N_DROPS * sizeof(*q->coming.drops));
}

static void ask_engine(struct agent *a)
{
	struct questions *q = &a->questions;
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (q->asked || !a->engine)
		return;
	q->coming_serial = ++q->serial;
	coming_clear(q);
	chan_put_u32(&w, q->coming_serial);
	q->asked = chan_send(a->engine, MSG_STATS_GET, buf, w.len, NULL, 0) == 0;
}

/* Answers all whose question is not younger than the answer; NULL: nobody will answer. */
static void answer(struct agent *a, const struct agent_stats *s, uint32_t serial)
{
	struct questions *q = &a->questions;
	struct agent_question **at = &q->engine;

	while (*at) {
		struct agent_question *one = *at;

		if (s && (int32_t)(one->serial - serial) > 0) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		one->stats(one, s);
		at = &q->engine;	/* the callback may have changed the list */
	}
}

static int cmp_entries(const void *x, const void *y)
{
	const struct wire_entry_stats *a = (const struct wire_entry_stats *)x;
	const struct wire_entry_stats *b = (const struct wire_entry_stats *)y;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int cmp_sas(const void *x, const void *y)
{
	const struct wire_sa_stats *a = (const struct wire_sa_stats *)x;
	const struct wire_sa_stats *b = (const struct wire_sa_stats *)y;

	return a->id < b->id ? -1 : a->id > b->id;
}

const struct wire_entry_stats *agent_stats_entry(const struct agent_stats *s, uint64_t id)
{
	struct wire_entry_stats key = { .id = id };

	return s->n_entries ? (const struct wire_entry_stats *)bsearch(
				      &key, s->entries, s->n_entries, sizeof(key), cmp_entries) :
			      NULL;
}

const struct wire_sa_stats *agent_stats_sa(const struct agent_stats *s, uint64_t id)
{
	struct wire_sa_stats key = { .id = id };

	return s->n_sas ? (const struct wire_sa_stats *)bsearch(&key, s->sas, s->n_sas,
								sizeof(key), cmp_sas) : NULL;
}

static void all_came(struct agent *a, uint64_t generation)
{
	struct questions *q = &a->questions;
	struct agent_stats *s = &q->coming;

	s->generation = generation;
	if (s->n_entries)
		qsort(s->entries, s->n_entries, sizeof(*s->entries), cmp_entries);
	if (s->n_sas)
		qsort(s->sas, s->n_sas, sizeof(*s->sas), cmp_sas);
	for (size_t i = 0; i < AGENT_N_DROPS; i++)
		q->drops[i] = q->drops_before[i] + s->drops[i];
	q->asked = false;
	answer(a, s, q->coming_serial);
	if (q->engine)
		ask_engine(a);
}

/* Room for one more in an array of the coming answer. */
static bool room_for(void **items, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return true;
	if (n >= STATS_MAX)
		return false;
	size_t more = *room ? *room * 2 : 64;
	void *grown = reallocarray(*items, more, size);

	if (!grown)
		return false;
	*items = grown;
	*room = more;
	return true;
}

static bool take_entry(struct questions *q, const struct chan_msg *m)
{
	struct wire_entry_stats e;
	uint32_t serial;
	void *items = q->coming.entries;

	if (!report_entry_read(m, &serial, &e))
		return false;
	if (serial == q->coming_serial && q->asked &&
	    room_for(&items, q->coming.n_entries, &q->room_entries, sizeof(e))) {
		q->coming.entries = (struct wire_entry_stats *)items;
		q->coming.entries[q->coming.n_entries++] = e;
	}
	return true;
}

static bool take_sa(struct questions *q, const struct chan_msg *m)
{
	struct wire_sa_stats s;
	uint32_t serial;
	void *items = q->coming.sas;

	if (!report_sa_read(m, &serial, &s))
		return false;
	if (serial == q->coming_serial && q->asked &&
	    room_for(&items, q->coming.n_sas, &q->room_sas, sizeof(s))) {
		q->coming.sas = (struct wire_sa_stats *)items;
		q->coming.sas[q->coming.n_sas++] = s;
	}
	return true;
}

static bool take_drop(struct questions *q, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);
	uint16_t reason = chan_get_u16(&r);
	uint64_t packets = chan_get_u64(&r);

	if (!chan_reader_done(&r) || reason >= AGENT_N_DROPS)
		return false;
	if (serial == q->coming_serial && q->asked)
		q->coming.drops[reason] = packets;
	return true;
}

static bool take_end(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);
	uint64_t generation = chan_get_u64(&r);

	if (!chan_reader_done(&r))
		return false;
	if (serial == a->questions.coming_serial && a->questions.asked)
		all_came(a, generation);
	return true;
}

bool stats_message(struct agent *a, const struct chan_msg *m)
{
	switch (m->type) {
	case MSG_STATS_ENTRY:
		return take_entry(&a->questions, m);
	case MSG_STATS_SA:
		return take_sa(&a->questions, m);
	case MSG_STATS_DROP:
		return take_drop(&a->questions, m);
	default:
		return take_end(a, m);
	}
}

void agent_stats_get(struct agent *a, struct agent_question *question)
{
	struct questions *q = &a->questions;

	question->serial = q->serial + 1;
	question->next = q->engine;
	q->engine = question;
	ask_engine(a);
	if (!a->engine) {
		/* Answered from the loop all the same. */
		const struct timeval now = { 0, 0 };

		evtimer_add(q->poll, &now);
	}
}

void stats_engine_up(struct agent *a)
{
	struct questions *q = &a->questions;

	/* This engine's counters begin at what it kept: nothing, or, after a restart of ours, all. */
	q->asked = false;
	ask_engine(a);
}

void stats_engine_down(struct agent *a)
{
	struct questions *q = &a->questions;

	memcpy(q->drops_before, q->drops, sizeof(q->drops));
	q->asked = false;
	answer(a, NULL, 0);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval delay = { .tv_sec = POLL_S };
	struct agent *a = (struct agent *)arg;

	(void)fd;
	(void)what;
	if (a->engine)
		ask_engine(a);
	else
		answer(a, NULL, 0);
	evtimer_add(a->questions.poll, &delay);
}

/* ---- the guard ---- */

void agent_guard_show(struct agent *a, struct agent_question *question)
{
	struct questions *q = &a->questions;
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	question->serial = ++q->serial;
	question->next = q->guard;
	q->guard = question;
	chan_put_u32(&w, question->serial);
	if (chan_send(a->parent, MSG_GUARD_SHOW, buf, w.len, NULL, 0) < 0)
		ipspd_log(LOG_ERR, "guard", "the parent cannot be asked");
}

static bool text_add(struct questions *q, const uint8_t *text, size_t len)
{
	if (len > GUARD_TEXT_MAX - q->text_len)
		return false;
	char *grown = (char *)realloc(q->text, q->text_len + len + 1);

	if (!grown)
		return false;
	memcpy(grown + q->text_len, text, len);
	q->text = grown;
	q->text_len += len;
	q->text[q->text_len] = '\0';
	return true;
}

static void guard_answer(struct questions *q, uint32_t serial)
{
	for (struct agent_question **at = &q->guard; *at; at = &(*at)->next) {
		struct agent_question *one = *at;

		if (one->serial != serial)
			continue;
		*at = one->next;
		one->guard(one, q->text);
		break;
	}
	free(q->text);
	q->text = NULL;
	q->text_len = 0;
}

bool stats_guard_text(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct questions *q = &a->questions;
	uint32_t serial = chan_get_u32(&r);
	uint8_t more = chan_get_u8(&r);
	size_t len;
	const uint8_t *text = chan_get_octets(&r, &len);

	if (!chan_reader_done(&r) || more > 1)
		return false;
	if (!text_add(q, text, len))
		return false;
	if (!more)
		guard_answer(q, serial);
	return true;
}

bool stats_guard_restored(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint64_t restored = chan_get_u64(&r);

	if (!chan_reader_done(&r))
		return false;
	a->questions.guard_restored = restored;
	return true;
}

uint64_t agent_guard_restored(const struct agent *a)
{
	return a->questions.guard_restored;
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
	forget(&a->questions.engine, q);
	forget(&a->questions.guard, q);
}

int stats_init(struct agent *a)
{
	const struct timeval delay = { .tv_sec = POLL_S };
	struct questions *q = &a->questions;

	q->coming.drops = (uint64_t *)calloc(AGENT_N_DROPS, sizeof(*q->coming.drops));
	q->poll = evtimer_new(a->base, on_poll, a);
	if (!q->coming.drops || !q->poll)
		return -ENOMEM;
	evtimer_add(q->poll, &delay);
	return 0;
}

void stats_fini(struct agent *a)
{
	struct questions *q = &a->questions;

	if (q->poll)
		event_free(q->poll);
	free(q->coming.entries);
	free(q->coming.sas);
	free(q->coming.drops);
	free(q->text);
}
