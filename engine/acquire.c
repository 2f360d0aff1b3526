/*
 * engine/acquire.c - needs, wants and acquires: see acquire.h.
 */
#include "engine/acquire.h"

#include <string.h>

#include "engine/template.h"

#define SLOTS 4096u		/* four for each acquire there may be */
#define PROBES 16u
#define WANTS 32u
#define FORGET_S 600u		/* after so long without a packet, how often it failed is forgotten */

enum need_state {
	NEED_WAITS = 1,		/* asked for */
	NEED_FAILED,		/* not asked for again for a while */
	NEED_IDLE,		/* may be asked for, but it failed before */
};

/** What workers see of a need. A slot without an id is free. */
struct need_slot {
	_Atomic uint64_t id;
	_Atomic uint8_t state;	/* enum need_state */
};

struct pending {
	struct ipsp_acquire a;
	uint8_t state;		/* enum need_state */
	uint32_t failures;	/* since the last success */
	uint64_t until_s;	/* when that is looked at again */
	struct need_slot *slot;
	struct pending *prev, *next;
};

struct ipsp_acquires {
	uint64_t seed;
	_Atomic bool has_manager;
	uint32_t last_seq;
	uint32_t n;
	struct pending *first;
	struct need_slot slots[SLOTS];
};

/* One writer, the worker; one reader, the control thread. */
struct ipsp_wants {
	_Atomic uint32_t head, tail;	/* written so far, read so far */
	struct ipsp_acquire wants[WANTS];
};

static void *take_memory(const struct ipsp_engine *engine, size_t size)
{
	const struct ipsp_platform *p = engine->config.platform;

	return p->alloc(p->ctx, size);
}

static void give_memory(const struct ipsp_engine *engine, void *mem, size_t size)
{
	const struct ipsp_platform *p = engine->config.platform;

	p->free(p->ctx, mem, size);
}

enum ipsp_err ipsp_acquires_new(struct ipsp_engine *engine)
{
	const struct ipsp_platform *p = engine->config.platform;
	struct ipsp_acquires *all = take_memory(engine, sizeof(*all));

	if (!all)
		return IPSP_ENOMEM;
	enum ipsp_err err = p->random(p->ctx, (uint8_t *)&all->seed, sizeof(all->seed));

	if (err != IPSP_OK) {
		give_memory(engine, all, sizeof(*all));
		return err;
	}
	engine->acquires = all;
	return IPSP_OK;
}

struct ipsp_wants *ipsp_wants_new(const struct ipsp_engine *engine)
{
	return take_memory(engine, sizeof(struct ipsp_wants));
}

void ipsp_wants_free(const struct ipsp_engine *engine, struct ipsp_wants *wants)
{
	give_memory(engine, wants, sizeof(*wants));
}

/* ---- packet calls ---- */

bool ipsp_has_key_manager(const struct ipsp_engine *engine)
{
	return atomic_load_explicit(&engine->acquires->has_manager, memory_order_relaxed);
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0xff51afd7ed558ccdull;
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 29;
}

static uint64_t mix_addr(uint64_t h, const struct ipsp_addr *a)
{
	uint64_t words[2];

	memcpy(words, a->octets, sizeof(words));
	return mix(mix(h, words[0]), words[1]);
}

/* All that any of the templates takes from the packet. */
static uint8_t pfp_of(const struct ipsp_spd_rule *rule)
{
	uint8_t pfp = 0;

	for (uint32_t i = 0; i < rule->n_templates; i++) {
		pfp |= rule->templates[i].pfp;
		if (rule->templates[i].remote.family == 0)
			pfp |= IPSP_PFP_DESTINATION;
	}
	return pfp;
}

uint64_t ipsp_need_of(const struct ipsp_engine *engine, const struct ipsp_spd_rule *rule,
		      const struct ipsp_flow *flow)
{
	const uint8_t pfp = pfp_of(rule);
	uint64_t h = mix(mix(engine->acquires->seed, rule->id), (uint64_t)pfp << 8 | flow->family);

	if (pfp & IPSP_PFP_SOURCE)
		h = mix_addr(h, &flow->src);
	if (pfp & IPSP_PFP_DESTINATION)
		h = mix_addr(h, &flow->dst);
	if (pfp & IPSP_PFP_PROTOCOL)
		h = mix(h, flow->proto);
	if (pfp & IPSP_PFP_SOURCE_PORT)
		h = mix(h, flow->sport);
	if (pfp & IPSP_PFP_DESTINATION_PORT)
		h = mix(h, flow->dport);
	return h ? h : 1;
}

static struct need_slot *slot_near(struct ipsp_acquires *all, uint64_t need, uint32_t i)
{
	return &all->slots[((uint32_t)(need >> 32) + i) % SLOTS];
}

static struct need_slot *slot_of(struct ipsp_acquires *all, uint64_t need)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct need_slot *slot = slot_near(all, need, i);

		if (atomic_load_explicit(&slot->id, memory_order_acquire) == need)
			return slot;
	}
	return NULL;
}

/* 0: nothing is known. */
static uint8_t state_of(const struct ipsp_engine *engine, uint64_t need)
{
	struct need_slot *slot = slot_of(engine->acquires, need);

	return slot ? atomic_load_explicit(&slot->state, memory_order_relaxed) : 0;
}

bool ipsp_need_failed(const struct ipsp_engine *engine, uint64_t need)
{
	return state_of(engine, need) == NEED_FAILED;
}

/* The selectors that the packet gives in the place of the entry's. False: it hides one. */
static bool narrow(uint8_t pfp, const struct ipsp_flow *f, struct ipsp_selector *s)
{
	if (((pfp & IPSP_PFP_PROTOCOL) && !f->proto_known) ||
	    ((pfp & (IPSP_PFP_SOURCE_PORT | IPSP_PFP_DESTINATION_PORT)) && !f->ports_known))
		return false;
	if (pfp & IPSP_PFP_SOURCE)
		s->src_lo = s->src_hi = f->src;
	if (pfp & IPSP_PFP_DESTINATION)
		s->dst_lo = s->dst_hi = f->dst;
	if (pfp & IPSP_PFP_PROTOCOL)
		s->proto_lo = s->proto_hi = f->proto;
	if (pfp & IPSP_PFP_SOURCE_PORT)
		s->sport_lo = s->sport_hi = f->sport;
	if (pfp & IPSP_PFP_DESTINATION_PORT)
		s->dport_lo = s->dport_hi = f->dport;
	return true;
}

/* Where an SA of a template goes is the packet's matter, if the entry does not say. */
static void fill_templates(const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
			   struct ipsp_acquire *a)
{
	const struct ipsp_addr *src = &flow->src, *dst = &flow->dst;

	a->n_templates = rule->n_templates;
	for (uint32_t i = 0; i < rule->n_templates; i++) {
		struct ipsp_template *t = &a->templates[i];

		*t = rule->templates[i];
		if (t->remote.family == 0)
			t->remote = *dst;
		if (t->local.family == 0 && t->mode == IPSP_MODE_TRANSPORT)
			t->local = *src;
		if (t->mode == IPSP_MODE_TUNNEL) {
			src = &t->local;
			dst = &t->remote;
		}
	}
}

static bool is_wanted(const struct ipsp_wants *w, uint64_t need, uint32_t tail, uint32_t head)
{
	for (; tail != head; tail++) {
		if (w->wants[tail % WANTS].id == need)
			return true;
	}
	return false;
}

/* A multicast or broadcast address: nobody is there with whom an SA could be negotiated. */
static bool is_group(const struct ipsp_addr *a)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (a->family == 6)
		return a->octets[0] == 0xff;
	return a->octets[0] >> 4 == 14 || memcmp(a->octets, broadcast, sizeof(broadcast)) == 0;
}

enum ipsp_reason ipsp_need_ask(struct ipsp_worker *worker, const struct ipsp_spd_rule *rule,
			       const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			       uint64_t now_s, uint64_t *need)
{
	const struct ipsp_engine *engine = worker->engine;
	struct ipsp_wants *w = worker->wants;
	const uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);
	const uint32_t tail = atomic_load_explicit(&w->tail, memory_order_acquire);
	struct ipsp_acquire *a = &w->wants[head % WANTS];
	struct ipsp_negotiated found;
	uint8_t state;

	if (is_group(&flow->dst))
		return IPSP_REASON_POLICY_NO_SA;
	if (!ipsp_has_key_manager(engine))
		return IPSP_REASON_NO_KEY_MANAGER;
	*need = ipsp_need_of(engine, rule, flow);
	state = state_of(engine, *need);
	if (state == NEED_FAILED)
		return IPSP_REASON_ACQUIRE_FAILED;
	if (state == NEED_WAITS || is_wanted(w, *need, tail, head))
		return IPSP_REASON_NONE;
	if (head - tail == WANTS)
		return IPSP_REASON_ACQUIRE_FULL;
	ipsp_templates_find(engine->sad, rule->templates, rule->n_templates, flow, now_s, &found);
	*a = (struct ipsp_acquire){
		.id = *need, .entry_id = rule->id,
		.generation = ipsp_spd_generation(atomic_load(&engine->spd)),
		.ifindex = packet->ifindex, .missing = found.missing, .flow = *flow,
		.clear_s = rule->clear_s,
	};
	fill_templates(rule, flow, a);
	if (!ipsp_spd_rule_selector(rule, flow, &a->sel) ||
	    !narrow(rule->templates[0].pfp, flow, &a->sel))
		return IPSP_REASON_POLICY_FRAGMENT;
	atomic_store_explicit(&w->head, head + 1, memory_order_release);
	return IPSP_REASON_NONE;
}

bool ipsp_worker_wants(const struct ipsp_worker *worker)
{
	const struct ipsp_wants *w = worker->wants;

	return atomic_load_explicit(&w->head, memory_order_relaxed) !=
	       atomic_load_explicit(&w->tail, memory_order_relaxed);
}

/* ---- control thread ---- */

bool ipsp_engine_needs(const struct ipsp_engine *engine, uint64_t acquire_id)
{
	return state_of(engine, acquire_id) == NEED_WAITS;
}

static void set_state(struct pending *p, enum need_state state, uint64_t until_s)
{
	p->state = (uint8_t)state;
	p->until_s = until_s;
	atomic_store_explicit(&p->slot->state, (uint8_t)state, memory_order_relaxed);
}

static void forget(struct ipsp_engine *engine, struct pending *p)
{
	struct ipsp_acquires *all = engine->acquires;

	atomic_store_explicit(&p->slot->id, 0, memory_order_release);
	*(p->prev ? &p->prev->next : &all->first) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	all->n--;
	give_memory(engine, p, sizeof(*p));
}

void ipsp_acquires_free(struct ipsp_engine *engine)
{
	while (engine->acquires->first)
		forget(engine, engine->acquires->first);
	give_memory(engine, engine->acquires, sizeof(*engine->acquires));
}

static void tell_over(const struct ipsp_engine *engine, const struct ipsp_acquire *a,
		      enum ipsp_acquire_end why)
{
	const struct ipsp_engine_events *events = &engine->config.events;

	if (events->acquire_over)
		events->acquire_over(events->ctx, a, why);
}

static uint32_t wait_s(const struct ipsp_engine *engine)
{
	return engine->config.acquire_s ? engine->config.acquire_s : IPSP_LARVAL_S;
}

/* Asks the key manager. */
static void ask(struct ipsp_engine *engine, struct pending *p, uint64_t now_s)
{
	const struct ipsp_engine_events *events = &engine->config.events;

	p->a.attempts++;
	set_state(p, NEED_WAITS, now_s + wait_s(engine));
	if (events->acquire)
		events->acquire(events->ctx, &p->a);
}

static uint32_t new_seq(struct ipsp_acquires *all)
{
	if (++all->last_seq == 0)
		all->last_seq = 1;
	return all->last_seq;
}

static void begin(struct ipsp_engine *engine, struct pending *p, uint64_t now_s)
{
	p->a.seq = new_seq(engine->acquires);
	p->a.attempts = 0;
	ask(engine, p, now_s);
}

static bool lets_pass_in_clear(struct ipsp_engine *engine, const struct ipsp_acquire *a,
			       uint64_t now_s)
{
	const struct ipsp_template *t = &a->templates[0];
	struct ipsp_sa *sa;

	if (a->clear_s == 0 || ipsp_sad_add_clear(engine->sad, t->reqid, &t->local, &t->remote,
						  a->clear_s, now_s, &sa) != IPSP_OK)
		return false;
	ipsp_engine_tell_changed(engine, sa, IPSP_SA_INSTALLED);
	return true;
}

static void fail(struct ipsp_engine *engine, struct pending *p, uint64_t now_s)
{
	uint64_t backoff_s = IPSP_ACQUIRE_BACKOFF_S;

	if (lets_pass_in_clear(engine, &p->a, now_s)) {
		tell_over(engine, &p->a, IPSP_ACQUIRE_CLEAR);
		forget(engine, p);
		return;
	}
	for (uint32_t i = 0; i < p->failures && backoff_s < IPSP_ACQUIRE_BACKOFF_MAX_S; i++)
		backoff_s *= 2;
	p->failures++;
	set_state(p, NEED_FAILED, now_s + backoff_s);
	tell_over(engine, &p->a, IPSP_ACQUIRE_FAILED);
}

static struct pending *pending_of(const struct ipsp_acquires *all, uint64_t need)
{
	struct pending *p = all->first;

	while (p && p->a.id != need)
		p = p->next;
	return p;
}

static struct pending *pending_new(struct ipsp_engine *engine, const struct ipsp_acquire *want)
{
	struct ipsp_acquires *all = engine->acquires;
	struct need_slot *slot = NULL;
	struct pending *p;

	for (uint32_t i = 0; !slot && i < PROBES; i++) {
		struct need_slot *near = slot_near(all, want->id, i);

		if (atomic_load_explicit(&near->id, memory_order_relaxed) == 0)
			slot = near;
	}
	p = slot && all->n < IPSP_ACQUIRES_MAX ? take_memory(engine, sizeof(*p)) : NULL;
	if (!p)
		return NULL;
	p->a = *want;
	p->slot = slot;
	p->next = all->first;
	if (p->next)
		p->next->prev = p;
	all->first = p;
	all->n++;
	atomic_store_explicit(&slot->state, NEED_WAITS, memory_order_relaxed);
	atomic_store_explicit(&slot->id, want->id, memory_order_release);
	return p;
}

static void take_want(struct ipsp_engine *engine, const struct ipsp_acquire *want, uint64_t now_s)
{
	struct pending *p;

	if (!ipsp_has_key_manager(engine)) {
		tell_over(engine, want, IPSP_ACQUIRE_NO_MANAGER);
		return;
	}
	p = pending_of(engine->acquires, want->id);
	if (p && p->state != NEED_IDLE)
		return;
	if (p) {
		/* The entry may have changed since. */
		p->a = *want;
	} else {
		p = pending_new(engine, want);
	}
	if (p)
		begin(engine, p, now_s);
	else
		tell_over(engine, want, IPSP_ACQUIRE_FULL);
}

void ipsp_engine_turn(struct ipsp_engine *engine, uint64_t now_s)
{
	for (size_t i = 0; i < IPSP_WORKERS_MAX; i++) {
		struct ipsp_wants *w = engine->workers[i] ? engine->workers[i]->wants : NULL;

		if (!w)
			continue;
		uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);

		while (tail != atomic_load_explicit(&w->head, memory_order_acquire)) {
			take_want(engine, &w->wants[tail % WANTS], now_s);
			atomic_store_explicit(&w->tail, ++tail, memory_order_release);
		}
	}
}

static bool is_answered(const struct ipsp_engine *engine, const struct ipsp_acquire *a,
			uint64_t now_s)
{
	struct ipsp_negotiated found;

	ipsp_templates_find(engine->sad, a->templates, a->n_templates, &a->flow, now_s, &found);
	return found.missing == 0;
}

/* With an SA nothing of its reqid passes in clear any more: what it is not for asks for its own. */
static void end_clear(struct ipsp_engine *engine, const struct ipsp_sa *sa, uint64_t now_s)
{
	const struct ipsp_flow none = { .family = sa->remote.family };
	const struct ipsp_sa_query q = {
		.reqid = sa->reqid, .remote = sa->remote, .flow = &none,
	};
	const struct ipsp_sa *clear;

	while ((clear = ipsp_sad_find_traffic(engine->sad, &q, now_s)))
		ipsp_engine_sa_drop(engine, clear->id, true);
}

void ipsp_acquires_answered(struct ipsp_engine *engine, const struct ipsp_sa *sa, uint64_t now_s)
{
	struct pending *next;

	if (sa->dir != IPSP_OUTBOUND)
		return;
	end_clear(engine, sa, now_s);
	for (struct pending *p = engine->acquires->first; p; p = next) {
		bool asks = false;

		next = p->next;
		for (uint32_t i = 0; i < p->a.n_templates; i++)
			asks |= p->a.templates[i].reqid == sa->reqid;
		if (!asks || !is_answered(engine, &p->a, now_s))
			continue;
		tell_over(engine, &p->a, IPSP_ACQUIRE_DONE);
		forget(engine, p);
	}
}

void ipsp_acquires_tick(struct ipsp_engine *engine, uint64_t now_s)
{
	struct pending *next;

	for (struct pending *p = engine->acquires->first; p; p = next) {
		next = p->next;
		if (now_s < p->until_s)
			continue;
		if (p->state == NEED_FAILED)
			set_state(p, NEED_IDLE, now_s + FORGET_S);
		else if (p->state == NEED_IDLE)
			forget(engine, p);
		else if (p->a.attempts < IPSP_ACQUIRE_ATTEMPTS)
			ask(engine, p, now_s);
		else
			fail(engine, p, now_s);
	}
}

void ipsp_engine_set_key_manager(struct ipsp_engine *engine, bool present, uint64_t now_s)
{
	struct pending *next;

	atomic_store_explicit(&engine->acquires->has_manager, present, memory_order_relaxed);
	ipsp_engine_turn(engine, now_s);
	for (struct pending *p = engine->acquires->first; p && !present; p = next) {
		next = p->next;
		if (p->state == NEED_WAITS)
			tell_over(engine, &p->a, IPSP_ACQUIRE_NO_MANAGER);
		forget(engine, p);
	}
}

static struct pending *pending_by_seq(const struct ipsp_engine *engine, uint32_t seq)
{
	struct pending *p = engine->acquires->first;

	while (p && (p->a.seq != seq || p->state != NEED_WAITS))
		p = p->next;
	return p;
}

const struct ipsp_acquire *ipsp_engine_acquire(const struct ipsp_engine *engine, uint32_t seq)
{
	const struct pending *p = pending_by_seq(engine, seq);

	return p ? &p->a : NULL;
}

enum ipsp_err ipsp_engine_acquire_failed(struct ipsp_engine *engine, uint32_t seq, uint64_t now_s)
{
	struct pending *p = pending_by_seq(engine, seq);

	if (!p)
		return IPSP_ENOENT;
	fail(engine, p, now_s);
	return IPSP_OK;
}

void ipsp_engine_count_held(struct ipsp_engine *engine, enum ipsp_reason reason, uint64_t packets)
{
	ipsp_count(&engine->held_drops[reason], packets);
}
