/*
 * ipspd/agent_sad.c - SAs of no row, asked of the engine: see ipspd/sad_picture.h.
 *
 * A walk over them asks for the next ones when those before have come, so neither process does much
 * at once, however many there are. The next walk begins some time after, the longer the last one
 * took: they cost a small part of the time at most.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "mibs/schema_gen.h"
#include "policy/negotiate.h"
#include "policy/rows.h"

#define REST_READ 4	/* times as long as a walk took, while somebody reads */
#define REST_POLL 20
#define NAME_OTHERS "PF_KEY"	/* of SAs that no row asked for */

/** Whose SAs have a reqid. */
struct sad_name {
	uint32_t reqid;
	char name[SAD_PICTURE_NAME_MAX + 1];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- names ---- */

static int name_cmp(const void *a, const void *b)
{
	const struct sad_name *x = a, *y = b;

	return x->reqid < y->reqid ? -1 : x->reqid > y->reqid;
}

static bool add_name(struct sad_watching *s, size_t *room, const struct mib_row *r)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	struct sad_name *to;

	if (s->n_names == *room) {
		*room = *room ? *room * 2 : 64;
		to = reallocarray(s->names, *room, sizeof(*to));
		if (!to)
			return false;
		s->names = to;
	}
	to = &s->names[s->n_names];
	*to = (struct sad_name){ .reqid = pol_negotiate_reqid(r) };
	/* The index is the name behind its length. */
	for (size_t i = 1; i < len && i <= SAD_PICTURE_NAME_MAX; i++)
		to->name[i - 1] = (char)index[i];
	s->n_names += to->reqid != 0;
	return true;
}

/* The names of all actions that may ask for SAs, as they are now. */
static void learn_names(struct agent *a)
{
	struct sad_watching *s = &a->sad;
	struct pol_walk walk = { .view = mib_store_view(agent_store(a)),
				 .table = &mib_t_ipiaIpsecActionTable };
	const uint64_t generation = mib_store_generation(agent_store(a));
	const struct mib_row *r;
	size_t room = 0;

	if (s->names && s->names_generation == generation)
		return;
	free(s->names);
	s->names = NULL;
	s->n_names = 0;
	s->names_generation = generation;
	while ((r = pol_walk_next(&walk)) && add_name(s, &room, r))
		;
	if (s->n_names > 0)
		qsort(s->names, s->n_names, sizeof(*s->names), name_cmp);
}

static const struct sad_name *find_name(const struct sad_watching *s, uint32_t reqid)
{
	const struct sad_name key = { .reqid = reqid };

	return s->n_names == 0 ? NULL :
		bsearch(&key, s->names, s->n_names, sizeof(*s->names), name_cmp);
}

static const char *name_of(const struct sad_watching *s, uint32_t reqid)
{
	const struct sad_name *n = find_name(s, reqid);

	return n && n->name[0] ? n->name : NAME_OTHERS;
}

bool sad_action_of(struct agent *a, uint32_t reqid, struct mib_oid *row)
{
	uint32_t index[1 + SAD_PICTURE_NAME_MAX];
	const struct sad_name *n;

	learn_names(a);
	n = find_name(&a->sad, reqid);
	if (!n)
		return false;
	index[0] = (uint32_t)strlen(n->name);
	for (uint32_t i = 0; i < index[0]; i++)
		index[1 + i] = (uint8_t)n->name[i];
	return pol_row_pointer(&mib_t_ipiaIpsecActionTable, index, 1 + index[0], row);
}

/* ---- walks ---- */

static bool ask(struct agent *a, bool from_first)
{
	uint8_t buf[5];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, a->sad.serial);
	chan_put_u8(&w, from_first);
	return chan_send(a->engine, MSG_SAD_GET, buf, w.len, NULL, 0) == 0;
}

static void begin(struct agent *a)
{
	struct sad_watching *s = &a->sad;

	if (s->walks || !a->engine)
		return;
	learn_names(a);
	s->serial++;
	s->begun_ms = now_ms();
	s->lacks = false;
	sad_picture_begin(s->picture);
	s->walks = ask(a, true);
}

static void begin_after(struct agent *a, int64_t least_ms, int64_t times)
{
	const struct sad_watching *s = &a->sad;
	const int64_t rest_ms = s->took_ms * times;

	if (now_ms() - s->begun_ms >= (rest_ms > least_ms ? rest_ms : least_ms))
		begin(a);
}

/* Answers all whose question is not younger than the walk that is over. */
static void answer(struct agent *a)
{
	struct sad_watching *s = &a->sad;
	struct agent_question **at = &s->questions;

	while (*at) {
		struct agent_question *one = *at;

		if ((int32_t)(one->serial - s->serial) > 0) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		one->counted(one);
		at = &s->questions;	/* the callback may have changed the list */
	}
}

static void walk_over(struct agent *a)
{
	struct sad_watching *s = &a->sad;

	s->walks = false;
	s->took_ms = now_ms() - s->begun_ms;
	if (s->lacks)
		ipspd_log(LOG_ERR, "agent", "not all SAs of key managers are known: no memory");
	else
		sad_picture_end(s->picture);
	answer(a);
	if (s->questions)
		begin(a);
}

bool sad_message(struct agent *a, const struct chan_msg *m)
{
	struct wire_sad_sa sas[SAD_WIRE_SAS_MAX];
	struct sad_watching *s = &a->sad;
	uint32_t serial;
	size_t n;
	bool more;

	if (!sad_wire_read(m, &serial, &more, sas, &n))
		return false;
	if (!s->walks || serial != s->serial)
		return true;
	for (size_t i = 0; i < n; i++)
		s->lacks |= !sad_picture_take(s->picture, &sas[i], name_of(s, sas[i].reqid),
					      agent_now_s(a));
	if (!more || !ask(a, false))
		walk_over(a);
	return true;
}

/* ---- those who ask ---- */

const struct sad_picture *agent_sad(const struct agent *a)
{
	return a->sad.picture;
}

void agent_sad_wanted(struct agent *a)
{
	begin_after(a, AGENT_FRESH_S * 1000, REST_READ);
}

void agent_sad_look(struct agent *a, struct agent_question *q)
{
	const struct timeval now = { 0, 0 };
	struct sad_watching *s = &a->sad;

	q->serial = s->serial + 1;
	q->next = s->questions;
	s->questions = q;
	begin(a);
	/* With nobody to ask it is answered from the loop all the same. */
	if (!s->walks)
		evtimer_add(s->poll, &now);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval delay = { .tv_sec = AGENT_POLL_S };
	struct agent *a = arg;

	(void)fd;
	(void)what;
	if (a->engine) {
		begin_after(a, AGENT_POLL_S * 1000, REST_POLL);
	} else if (a->sad.questions) {
		a->sad.serial++;
		answer(a);
	}
	evtimer_add(a->sad.poll, &delay);
}

/* ---- life ---- */

void sad_engine_up(struct agent *a)
{
	begin(a);
}

void sad_engine_down(struct agent *a)
{
	struct sad_watching *s = &a->sad;

	sad_picture_clear(s->picture);
	s->walks = false;
	s->serial++;
	answer(a);
}

int sad_init(struct agent *a)
{
	const struct timeval delay = { .tv_sec = AGENT_POLL_S };
	struct sad_watching *s = &a->sad;

	s->picture = sad_picture_new();
	s->poll = evtimer_new(a->base, on_poll, a);
	if (!s->picture || !s->poll)
		return -ENOMEM;
	evtimer_add(s->poll, &delay);
	return 0;
}

void sad_fini(struct agent *a)
{
	struct sad_watching *s = &a->sad;

	if (s->poll)
		event_free(s->poll);
	sad_picture_free(s->picture);
	free(s->names);
}
