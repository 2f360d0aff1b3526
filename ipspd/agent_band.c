/*
 * ipspd/agent_band.c - policies of key managers: on their way from the engine's PF_KEY server into
 * generations, and back to an engine that has lost them.
 *
 *	agent                                engine
 *	  |-- BAND_PUT .. BAND_ALL ----------->|  what an engine before this one had
 *	  |<------------ BAND_PUT .. BAND_ALL -|  all there are; only now generations go to it
 *	  |<------------ BAND_PUT, BAND_GONE --|  changes
 *	  |-- BAND_APPLIED ------------------->|  in force: the key manager gets its answer
 *
 * An agent that was started anew has none until the engine has told it: no generation without them
 * may replace one that had them.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/band_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

/* ---- as entries ---- */

static enum ipsp_dir dir_of(const struct pfkey_band_policy *p)
{
	return p->dir == PFKEY_DIR_OUT ? IPSP_OUTBOUND : IPSP_INBOUND;
}

static uint64_t place_of(const struct pfkey_band_policy *p)
{
	return (uint64_t)p->priority << 32 | p->order;
}

static struct ipsp_template template_of(const struct pfkey_band_template *t, enum ipsp_dir dir)
{
	return (struct ipsp_template){
		.proto = t->proto, .mode = t->tunnel ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT,
		.level = t->optional ? IPSP_LEVEL_USE : IPSP_LEVEL_REQUIRE, .reqid = t->reqid,
		.local = dir == IPSP_OUTBOUND ? t->src : t->dst,
		.remote = dir == IPSP_OUTBOUND ? t->dst : t->src,
	};
}

static bool add_entry(struct pol_band *band, const struct pfkey_band_policy *p)
{
	static const uint8_t actions[] = {
		[PFKEY_BAND_DISCARD] = IPSP_DISCARD,
		[PFKEY_BAND_BYPASS] = IPSP_BYPASS,
		[PFKEY_BAND_PROTECT] = IPSP_PROTECT,
	};
	struct ipsp_template templates[PFKEY_TEMPLATES_MAX];
	struct ipsp_spd_entry e = {
		.id = PFKEY_ENTRY_ID(p->index), .action = actions[p->action],
		.n_templates = p->n_templates, .templates = templates,
		.n_selectors = 1, .selectors = &p->selector,
	};

	for (unsigned i = 0; i < p->n_templates; i++)
		templates[i] = template_of(&p->templates[i], dir_of(p));
	return pol_band_put(band, dir_of(p), place_of(p), &e);
}

/* ---- the policies ---- */

/* The first that is not before that index. */
static size_t find(const struct band *b, uint32_t index)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (b->policies[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct band *b, size_t at, uint32_t index)
{
	return at < b->n && b->policies[at].index == index;
}

/* @param list, room  of policies; NULL and 0 at first */
static bool make_room(struct pfkey_band_policy **list, size_t *room, size_t n)
{
	const size_t more = *room ? *room * 2 : 64;

	if (n < *room)
		return true;
	struct pfkey_band_policy *p = (struct pfkey_band_policy *)realloc(*list,
									  more * sizeof(*p));

	if (!p)
		return false;
	*list = p;
	*room = more;
	return true;
}

static bool remove_at(struct agent *a, size_t at)
{
	struct band *b = &a->band;
	const struct pfkey_band_policy *p = &b->policies[at];

	if (!pol_band_remove(a->apply.band, dir_of(p), place_of(p)))
		return false;
	memmove(&b->policies[at], &b->policies[at + 1], (b->n - at - 1) * sizeof(*b->policies));
	b->n--;
	return true;
}

static bool put(struct agent *a, const struct pfkey_band_policy *p)
{
	struct band *b = &a->band;
	size_t at = find(b, p->index);

	if (b->n >= PFKEY_POLICIES_MAX && !is_at(b, at, p->index))
		return false;
	/* In its old place first: a policy may get another priority. */
	if (is_at(b, at, p->index) && !remove_at(a, at))
		return false;
	if (!make_room(&b->policies, &b->room, b->n) || !add_entry(a->apply.band, p))
		return false;
	memmove(&b->policies[at + 1], &b->policies[at], (b->n - at) * sizeof(*b->policies));
	b->policies[at] = *p;
	b->n++;
	return true;
}

/* ---- messages ---- */

static int send_put(struct chan *engine, const struct pfkey_band_policy *p)
{
	uint8_t buf[4 + BAND_POLICY_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, 0);
	band_policy_put(&w, p);
	return w.overflow ? -EMSGSIZE : chan_send(engine, MSG_BAND_PUT, buf, w.len, NULL, 0);
}

int band_greet(struct agent *a, struct chan *engine)
{
	static const uint8_t none[4];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->band.n; i++)
		rc = send_put(engine, &a->band.policies[i]);
	a->band.told = false;
	a->band.n_coming = 0;
	return rc < 0 ? rc : chan_send(engine, MSG_BAND_ALL, none, sizeof(none), NULL, 0);
}

/* Half of them are another policy: kept aside until all have come. */
static bool take_coming(struct band *b, const struct pfkey_band_policy *p)
{
	if (b->n_coming >= PFKEY_POLICIES_MAX ||
	    !make_room(&b->coming, &b->room_coming, b->n_coming))
		return false;
	b->coming[b->n_coming++] = *p;
	return true;
}

static bool take_all(struct agent *a)
{
	struct band *b = &a->band;

	if (b->told)
		return true;
	pol_band_clear(a->apply.band);
	b->n = 0;
	for (size_t i = 0; i < b->n_coming; i++) {
		if (!put(a, &b->coming[i]))
			return false;
	}
	b->n_coming = 0;
	b->told = true;
	return true;
}

static bool drop(struct agent *a, uint32_t index)
{
	const size_t at = find(&a->band, index);

	return !is_at(&a->band, at, index) || remove_at(a, at);
}

bool band_message(struct agent *a, const struct chan_msg *m, bool *all)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint32_t serial = chan_get_u32(&r);
	struct band *b = &a->band;
	struct pfkey_band_policy p;
	bool good;

	*all = m->type == MSG_BAND_ALL;
	if (m->type == MSG_BAND_PUT) {
		if (!band_policy_get(&r, &p))
			return false;
		good = b->told ? put(a, &p) : take_coming(b, &p);
	} else {
		const uint32_t index = *all ? 0 : chan_get_u32(&r);

		if (!chan_reader_done(&r) || (!*all && !b->told))
			return false;
		good = *all ? take_all(a) : drop(a, index);
	}
	if (good) {
		/* What is kept aside is in no generation: one made meanwhile is not of that serial. */
		if (b->told)
			a->apply.band_serial = serial;
		return true;
	}
	/* A new agent hears all of them again. */
	ipspd_log(LOG_CRIT, "pfkey", "no room for a key manager's policy");
	agent_give_up(a, 1);
	return true;
}

int band_init(struct agent *a)
{
	a->apply.band = pol_band_new();
	return a->apply.band ? 0 : -ENOMEM;
}

void band_fini(struct agent *a)
{
	free(a->band.policies);
	free(a->band.coming);
	a->band = (struct band){ 0 };
}
