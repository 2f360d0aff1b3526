/*
 * ipspd/agent_clear.c - peers whose packets pass in clear for a time, as the engine has told, and what
 * the guard lets in of them.
 *
 * Clear packets come in past the engine where the attachment is a TUN, so what ipspdRuleOptFallback
 * says of them is for the guard: before the box of an inbound entry that lets them pass stands one
 * for the peer's packets alone, which ends when the engine's time does. The kernel ends it by its own
 * clock, whatever becomes of us; the engine tells when it ends before. A peer that is not known here
 * (the message was lost, the agent is another one, too many of them) comes in no more than before.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/report.h"

static bool is(const struct clear_peer *p, uint32_t reqid, const struct ipsp_addr *remote)
{
	return p->reqid == reqid && ipsp_addr_cmp(&p->remote, remote) == 0;
}

/* Those whose time is over, too. */
static bool forget(struct clear_peers *c, uint32_t reqid, const struct ipsp_addr *remote,
		   uint64_t now_s)
{
	size_t n = 0;
	const size_t was = c->n;

	for (size_t i = 0; i < was; i++) {
		if (now_s < c->items[i].until_s && !is(&c->items[i], reqid, remote))
			c->items[n++] = c->items[i];
	}
	c->n = n;
	return n != was;
}

bool clear_take(struct clear_peers *c, const struct wire_event *e, uint64_t now_s)
{
	const uint32_t reqid = (uint32_t)e->action_id;
	const bool gone = forget(c, reqid, &e->dst, now_s);

	if (e->id == 0)
		return gone;
	if (c->n == CLEAR_PEERS_MAX) {
		ipspd_log(LOG_WARNING, "guard", "more than %d peers pass in clear: packets of another "
			  "one do not come in", CLEAR_PEERS_MAX);
		return gone;
	}
	c->items[c->n++] = (struct clear_peer){
		.reqid = reqid, .remote = e->dst, .until_s = now_s + e->id,
	};
	return true;
}

bool clear_forget_all(struct clear_peers *c)
{
	const bool any = c->n > 0;

	c->n = 0;
	return any;
}

/* ---- boxes for the guard ---- */

/* Might clear packets of that peer pass by the entry? What asks the engine is judged there. */
static bool allows(const struct ipsp_spd_entry *e, const struct clear_peer *p, uint64_t now_s)
{
	const struct ipsp_template *t = e->templates;

	return e->clear_s > 0 && e->n_templates > 0 && !e->predicate && !e->accept_clear &&
	       now_s < p->until_s && t->reqid == p->reqid &&
	       (t->remote.family == 0 || ipsp_addr_cmp(&t->remote, &p->remote) == 0);
}

/* The part of a box that comes from the peer, if the entry is for any peer. */
static bool from_peer(const struct ipsp_spd_entry *e, const struct clear_peer *p,
		      struct ipsp_selector *s)
{
	if (e->templates->remote.family != 0)
		return true;
	if (s->family != p->remote.family || ipsp_addr_cmp(&s->src_lo, &p->remote) > 0 ||
	    ipsp_addr_cmp(&s->src_hi, &p->remote) < 0)
		return false;
	s->src_lo = s->src_hi = p->remote;
	return true;
}

static uint64_t sooner(uint64_t a_s, uint64_t b_s)
{
	return a_s && a_s < b_s ? a_s : b_s;
}

static bool passes(const struct spent *spent, const struct pol_generation *g,
		   const struct ipsp_spd_entry *e)
{
	return e->action == IPSP_PROTECT &&
	       (e->n_steps == 0 || spent_action(spent, g, e, true) == IPSP_BYPASS);
}

/* @return how many of the entry's boxes come from the peer; to NULL: only counts */
static uint32_t put_boxes(const struct ipsp_spd_entry *e, const struct clear_peer *p,
			  struct ipsp_selector *to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n_selectors; i++) {
		struct ipsp_selector s = e->selectors[i];

		if (!from_peer(e, p, &s))
			continue;
		if (to)
			to[n] = s;
		n++;
	}
	return n;
}

struct widened {
	struct ipsp_spd_entry *entries;	/* NULL: only counts */
	struct ipsp_selector *boxes;
	size_t n_entries, n_boxes;
};

static void widen_for(struct widened *to, const struct ipsp_spd_entry *e,
		      const struct clear_peer *p)
{
	struct ipsp_selector *boxes = to->boxes ? to->boxes + to->n_boxes : NULL;
	const uint32_t n = put_boxes(e, p, boxes);

	if (n == 0)
		return;
	if (to->entries)
		to->entries[to->n_entries] = (struct ipsp_spd_entry){
			.id = e->id, .action = IPSP_BYPASS, .log = e->log,
			.action_id = e->action_id, .from_s = e->from_s,
			.until_s = sooner(e->until_s, p->until_s), .n_selectors = n,
			.selectors = boxes,
		};
	to->n_entries++;
	to->n_boxes += n;
}

static void widen(const struct clear_peers *c, const struct spent *spent,
		  const struct pol_generation *g, const struct ipsp_spd_list *l, uint64_t now_s,
		  struct widened *to)
{
	for (uint32_t i = 0; i < l->n_entries; i++) {
		const struct ipsp_spd_entry *e = &l->entries[i];

		for (size_t k = 0; k < c->n; k++) {
			if (allows(e, &c->items[k], now_s) && passes(spent, g, e))
				widen_for(to, e, &c->items[k]);
		}
		if (to->entries)
			to->entries[to->n_entries] = *e;
		to->n_entries++;
	}
}

bool clear_widen(const struct clear_peers *c, const struct spent *spent,
		 const struct pol_generation *g, uint64_t now_s, struct ipsp_spd_list *l,
		 struct ipsp_selector **boxes)
{
	struct widened all = { 0 };

	*boxes = NULL;
	if (c->n == 0 || l->dir != IPSP_INBOUND)
		return true;
	widen(c, spent, g, l, now_s, &all);
	if (all.n_boxes == 0)
		return true;
	struct widened to = {
		.entries = (struct ipsp_spd_entry *)calloc(all.n_entries, sizeof(*to.entries)),
		.boxes = (struct ipsp_selector *)calloc(all.n_boxes, sizeof(*to.boxes)),
	};
	if (!to.entries || !to.boxes) {
		free(to.entries);
		free(to.boxes);
		return false;
	}
	widen(c, spent, g, l, now_s, &to);
	/* The caller's own array: it is flat. */
	free((void *)(uintptr_t)l->entries);
	l->entries = to.entries;
	l->n_entries = (uint32_t)to.n_entries;
	*boxes = to.boxes;
	return true;
}
