/*
 * engine/engine.c - the control side: generations in, workers, totals, and freeing by epochs.
 *
 * A worker notes the epoch when a packet call begins. What is taken out of service is unlinked
 * first, then the epoch moves on: only calls that noted an earlier epoch can still see it. The
 * orders are sequentially consistent, so a worker that was found outside of a call sees the new
 * state in its next one.
 */
#include <string.h>

#include "engine/acquire.h"
#include "engine/frag.h"
#include "engine/stream.h"
#include "engine/unasked.h"

static void *engine_alloc(const struct ipsp_platform *p, size_t size)
{
	return p->alloc(p->ctx, size);
}

static void set_defaults(struct ipsp_engine *engine)
{
	struct ipsp_engine_settings s;

	ipsp_engine_settings_default(&s);
	(void)!ipsp_engine_set(engine, &s);
}

enum ipsp_err ipsp_engine_new(const struct ipsp_engine_config *config, struct ipsp_engine **out)
{
	const struct ipsp_platform *p = config->platform;
	enum ipsp_err err;

	if (!p || !p->crypto)
		return IPSP_EINVAL;
	struct ipsp_engine *engine = engine_alloc(p, sizeof(*engine));

	if (!engine)
		return IPSP_ENOMEM;
	engine->config = *config;
	set_defaults(engine);
	atomic_init(&engine->epoch, 1);
	err = ipsp_spd_db_new(p, &engine->spd_db);
	if (err == IPSP_OK)
		err = ipsp_sad_new(p, config->counters, config->counters_size, &engine->sad);
	if (err == IPSP_OK)
		err = ipsp_acquires_new(engine);
	if (err != IPSP_OK) {
		ipsp_sad_free(engine->sad);
		ipsp_spd_db_free(engine->spd_db);
		p->free(p->ctx, engine, sizeof(*engine));
		return err;
	}
	*out = engine;
	return IPSP_OK;
}

/* The earliest epoch any worker may still be in. */
static uint64_t oldest_epoch(const struct ipsp_engine *engine)
{
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < IPSP_WORKERS_MAX; i++) {
		uint64_t seen = engine->workers[i] ? atomic_load(&engine->workers[i]->seen) : 0;

		if (seen != 0 && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

/* Frees what was retired at or before the oldest epoch that anyone is in. */
static void reclaim(struct ipsp_engine *engine)
{
	const struct ipsp_platform *p = engine->config.platform;
	uint64_t oldest = oldest_epoch(engine);

	for (struct ipsp_retired_spd **at = &engine->retired_spds; *at;) {
		struct ipsp_retired_spd *r = *at;

		if (r->epoch > oldest) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		ipsp_spd_free(r->spd);
		p->free(p->ctx, r, sizeof(*r));
	}
	for (struct ipsp_sad_garbage **at = &engine->retired_garbage; *at;) {
		struct ipsp_sad_garbage *g = *at;

		if (g->epoch > oldest) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		g->next = NULL;
		ipsp_sad_free_garbage(engine->sad, g);
	}
	if (engine->retired_sas)
		ipsp_sad_forget_notes(engine->sad);
	for (struct ipsp_sa **at = &engine->retired_sas; *at;) {
		struct ipsp_sa *sa = *at;

		if (sa->retired_epoch > oldest) {
			at = &sa->next_retired;
			continue;
		}
		*at = sa->next_retired;
		ipsp_sa_free(engine->sad, sa);
	}
}

void ipsp_engine_retire_sa(struct ipsp_engine *engine, struct ipsp_sa *sa)
{
	if (!sa)
		return;
	sa->retired_epoch = UINT64_MAX;
	sa->next_retired = engine->retired_sas;
	engine->retired_sas = sa;
}

void ipsp_engine_tell_changed(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
			      enum ipsp_sa_change change)
{
	const struct ipsp_engine_events *events = &engine->config.events;

	if (sa && events->sa_changed)
		events->sa_changed(events->ctx, sa, change);
}

static void remove_sa(struct ipsp_engine *engine, uint64_t id, enum ipsp_sa_change change)
{
	struct ipsp_sa *sa = ipsp_sad_remove(engine->sad, id);

	ipsp_engine_tell_changed(engine, sa, change);
	ipsp_engine_retire_sa(engine, sa);
}

static void remove_unnamed(void *arg, struct ipsp_sa *sa)
{
	struct ipsp_engine *engine = arg;

	if (sa->origin == IPSP_ORIGIN_POLICY && sa->update != engine->updates)
		remove_sa(engine, sa->id, IPSP_SA_REMOVED);
}

/*
 * What must go before new SAs come, so that one may take an SPI that another gives up in the same
 * update.
 */
static void remove_old_sas(struct ipsp_engine *engine, const struct ipsp_update *update)
{
	for (uint32_t i = 0; i < update->n_sas; i++) {
		const struct ipsp_sa_config *cfg = &update->sas[i];
		struct ipsp_sa *sa = ipsp_sad_find(engine->sad, cfg->id);

		if (!sa || sa->origin != IPSP_ORIGIN_POLICY)
			continue;
		sa->update = engine->updates;
		if (sa->spi != cfg->spi || sa->dir != cfg->dir || sa->proto != cfg->proto ||
		    ipsp_addr_cmp(&sa->local, &cfg->local) != 0)
			remove_sa(engine, cfg->id, IPSP_SA_REPLACED);
	}
	if (update->spd.full) {
		ipsp_sad_each(engine->sad, remove_unnamed, engine);
		return;
	}
	for (uint32_t i = 0; i < update->n_removed_sas; i++)
		remove_sa(engine, update->removed_sas[i], IPSP_SA_REMOVED);
}

static void add_sas(struct ipsp_engine *engine, const struct ipsp_update *update, uint64_t now_s,
		    enum ipsp_err *sa_results)
{
	for (uint32_t i = 0; i < update->n_sas; i++) {
		const uint64_t id = update->sas[i].id;
		const struct ipsp_sa *before = ipsp_sad_find(engine->sad, id);
		struct ipsp_sa *replaced = NULL;

		sa_results[i] = ipsp_sad_add(engine->sad, &update->sas[i], now_s, &replaced);
		if (sa_results[i] != IPSP_OK) {
			remove_sa(engine, id, IPSP_SA_REPLACED);
			continue;
		}
		const struct ipsp_sa *now = ipsp_sad_find(engine->sad, id);

		ipsp_engine_tell_changed(engine, replaced, IPSP_SA_REPLACED);
		ipsp_engine_retire_sa(engine, replaced);
		if (now != before)
			ipsp_engine_tell_changed(engine, now, IPSP_SA_INSTALLED);
	}
}

/* Everything retired so far is unlinked now: calls that begin from here on cannot see it. */
static void next_epoch(struct ipsp_engine *engine)
{
	uint64_t epoch = atomic_fetch_add(&engine->epoch, 1) + 1;

	for (struct ipsp_retired_spd *r = engine->retired_spds; r; r = r->next) {
		if (r->epoch == UINT64_MAX)
			r->epoch = epoch;
	}
	/* The newest stand first, so that what had its epoch already is not walked again. */
	for (struct ipsp_sa *sa = engine->retired_sas; sa && sa->retired_epoch == UINT64_MAX;
	     sa = sa->next_retired)
		sa->retired_epoch = epoch;
	for (struct ipsp_sad_garbage *g = ipsp_sad_take_garbage(engine->sad), *next; g; g = next) {
		next = g->next;
		g->epoch = epoch;
		g->next = engine->retired_garbage;
		engine->retired_garbage = g;
	}
}

void ipsp_engine_turn_epoch(struct ipsp_engine *engine)
{
	next_epoch(engine);
	reclaim(engine);
}

enum ipsp_err ipsp_engine_apply(struct ipsp_engine *engine, const struct ipsp_update *update,
				uint64_t now_s, enum ipsp_err *sa_results)
{
	const struct ipsp_platform *p = engine->config.platform;
	struct ipsp_retired_spd *retired;
	struct ipsp_spd *spd;
	enum ipsp_err err;

	if (update->n_sas > 0 && !sa_results)
		return IPSP_EINVAL;
	retired = engine_alloc(p, sizeof(*retired));
	if (!retired)
		return IPSP_ENOMEM;
	err = ipsp_spd_build(engine->spd_db, atomic_load(&engine->spd), &update->spd, &spd);
	if (err != IPSP_OK) {
		p->free(p->ctx, retired, sizeof(*retired));
		return err;
	}
	engine->updates++;
	remove_old_sas(engine, update);
	add_sas(engine, update, now_s, sa_results);
	retired->spd = atomic_exchange(&engine->spd, spd);
	retired->epoch = UINT64_MAX;
	retired->next = engine->retired_spds;
	engine->retired_spds = retired;
	ipsp_unasked_apply(engine, update, now_s);
	ipsp_engine_turn_epoch(engine);
	return IPSP_OK;
}

uint64_t ipsp_engine_generation(const struct ipsp_engine *engine)
{
	const struct ipsp_spd *spd = atomic_load(&engine->spd);

	return spd ? ipsp_spd_generation(spd) : 0;
}

/* Policy's dead SAs stay, so that their traffic drops; a key manager's are gone. RFC 2367 3.1.8. */
static void life_over(void *arg, const struct ipsp_life_event *event)
{
	struct ipsp_engine *engine = arg;
	const struct ipsp_engine_events *events = &engine->config.events;
	const struct ipsp_sa *sa = event->sa;

	if (events->sa_expired)
		events->sa_expired(events->ctx, event);
	if (sa->origin != IPSP_ORIGIN_POLICY && event->life != IPSP_LIFE_SOFT)
		ipsp_engine_sa_drop(engine, sa->id, event->life != IPSP_LIFE_LARVAL);
}

void ipsp_engine_tick(struct ipsp_engine *engine, uint64_t now_s)
{
	ipsp_sad_expire(engine->sad, now_s, life_over, engine);
	ipsp_engine_turn(engine, now_s);
	ipsp_acquires_tick(engine, now_s);
	ipsp_engine_turn_epoch(engine);
}

struct ipsp_sad *ipsp_engine_sad(struct ipsp_engine *engine)
{
	return engine->sad;
}

struct ipsp_spd_db *ipsp_engine_spd_db(const struct ipsp_engine *engine)
{
	return engine->spd_db;
}

static void add_worker(const struct ipsp_worker *w, struct ipsp_engine_stats *out)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		for (unsigned v = 0; v < IPSP_N_VERDICTS; v++)
			out->verdicts[dir][v] += atomic_load_explicit(&w->verdicts[dir][v],
								      memory_order_relaxed);
		for (unsigned r = 0; r < IPSP_N_REASONS; r++)
			out->reasons[dir][r] += atomic_load_explicit(&w->reasons[dir][r],
								     memory_order_relaxed);
	}
	for (unsigned i = 0; i < IPSP_N_ICMP_COUNTS; i++)
		out->icmp[i] += atomic_load_explicit(&w->icmp[i], memory_order_relaxed);
}

void ipsp_engine_stats(const struct ipsp_engine *engine, struct ipsp_engine_stats *out)
{
	*out = engine->gone;
	for (unsigned r = 0; r < IPSP_N_REASONS; r++) {
		const uint64_t n = atomic_load_explicit(&engine->held_drops[r],
							memory_order_relaxed);

		out->reasons[IPSP_OUTBOUND - 1][r] += n;
		out->verdicts[IPSP_OUTBOUND - 1][IPSP_VERDICT_DROP] += n;
	}
	for (size_t i = 0; i < IPSP_WORKERS_MAX; i++) {
		if (engine->workers[i])
			add_worker(engine->workers[i], out);
	}
}

/* What a worker knows of streams, and of fragments: those in places that nobody outside can choose. */
static enum ipsp_err make_tables(struct ipsp_worker *worker)
{
	const struct ipsp_engine *engine = worker->engine;
	const struct ipsp_platform *p = engine->config.platform;

	worker->frags = engine_alloc(p, sizeof(*worker->frags));
	worker->streams = engine_alloc(p, sizeof(*worker->streams));
	if (!worker->frags || !worker->streams)
		return IPSP_ENOMEM;
	if (p->random(p->ctx, worker->frags->key, sizeof(worker->frags->key)) != IPSP_OK)
		return IPSP_ECRYPTO;
	if (engine->config.reassembly == 0)
		return IPSP_OK;
	return ipsp_reassembly_new(p, engine->config.reassembly,
				   engine->settings.reassembly_timeout_s, &worker->reassembly);
}

static void free_worker(struct ipsp_worker *worker)
{
	const struct ipsp_platform *p = worker->engine->config.platform;

	ipsp_reassembly_free(p, worker->reassembly);
	p->free(p->ctx, worker->streams, sizeof(*worker->streams));
	p->free(p->ctx, worker->frags, sizeof(*worker->frags));
	if (worker->compress)
		p->compress->ctx_free(worker->compress);
	p->wipe(p->ctx, worker, sizeof(*worker));
	p->free(p->ctx, worker, sizeof(*worker));
}

enum ipsp_err ipsp_worker_new(struct ipsp_engine *engine, struct ipsp_worker **out)
{
	const struct ipsp_platform *p = engine->config.platform;
	const unsigned n_threads = ipsp_platform_threads(p);
	unsigned at = 0;
	enum ipsp_err err;

	while (at < IPSP_WORKERS_MAX && at < n_threads && engine->workers[at])
		at++;
	if (at == IPSP_WORKERS_MAX || at == n_threads)
		return IPSP_ENOSPC;
	struct ipsp_worker *worker = engine_alloc(p, sizeof(*worker));

	if (!worker)
		return IPSP_ENOMEM;
	worker->wants = ipsp_wants_new(engine);
	if (!worker->wants ||
	    (p->compress && p->compress->ctx_new(&worker->compress) != IPSP_OK)) {
		ipsp_wants_free(engine, worker->wants);
		p->free(p->ctx, worker, sizeof(*worker));
		return IPSP_ENOMEM;
	}
	worker->engine = engine;
	worker->thread = at;
	err = make_tables(worker);
	if (err != IPSP_OK) {
		ipsp_wants_free(engine, worker->wants);
		free_worker(worker);
		return err;
	}
	engine->workers[at] = worker;
	*out = worker;
	return IPSP_OK;
}

void ipsp_worker_free(struct ipsp_worker *worker)
{
	if (!worker)
		return;
	struct ipsp_engine *engine = worker->engine;

	add_worker(worker, &engine->gone);
	for (size_t i = 0; i < IPSP_WORKERS_MAX; i++) {
		if (engine->workers[i] == worker)
			engine->workers[i] = NULL;
	}
	ipsp_wants_free(engine, worker->wants);
	free_worker(worker);
}

void ipsp_engine_free(struct ipsp_engine *engine)
{
	if (!engine)
		return;
	const struct ipsp_platform *p = engine->config.platform;

	ipsp_acquires_free(engine);
	ipsp_engine_turn_epoch(engine);
	ipsp_spd_free(atomic_load(&engine->spd));
	ipsp_sad_free(engine->sad);
	ipsp_spd_db_free(engine->spd_db);
	p->free(p->ctx, engine, sizeof(*engine));
}

const struct ipsp_spd *ipsp_worker_enter(struct ipsp_worker *worker)
{
	struct ipsp_engine *engine = worker->engine;

	if (!worker->in_turn)
		atomic_store(&worker->seen, atomic_load(&engine->epoch));
	/*
	 * Again, now that ours is seen: what was remembered in this epoch was found before it was
	 * unlinked, if it was, and is freed in a later one. Before the SPD is looked at: what a new
	 * one says is remembered for the old epoch at the most.
	 */
	worker->epoch = atomic_load(&engine->epoch);
	return atomic_load(&engine->spd);
}

void ipsp_worker_leave(struct ipsp_worker *worker)
{
	for (unsigned i = 0; worker->pending >> i; i++) {
		struct ipsp_pending_hits *p = &worker->hits[i];

		if (worker->pending >> i & 1)
			ipsp_spd_hit(p->hits, p->packets, p->bytes);
		p->hits = NULL;
	}
	worker->pending = 0;
	if (!worker->in_turn)
		atomic_store_explicit(&worker->seen, 0, memory_order_release);
}

void ipsp_worker_begin(struct ipsp_worker *worker)
{
	atomic_store(&worker->seen, atomic_load(&worker->engine->epoch));
	worker->in_turn = true;
}

void ipsp_worker_end(struct ipsp_worker *worker)
{
	worker->in_turn = false;
	atomic_store_explicit(&worker->seen, 0, memory_order_release);
}

void ipsp_hit(struct ipsp_worker *worker, struct ipsp_spd_hits *hits, uint64_t packets,
	      uint64_t bytes)
{
	const unsigned at = (unsigned)((uintptr_t)hits >> 6) % IPSP_PENDING_HITS;
	struct ipsp_pending_hits *p = &worker->hits[at];

	if (p->hits != hits) {
		if (p->hits)
			ipsp_spd_hit(p->hits, p->packets, p->bytes);
		*p = (struct ipsp_pending_hits){ .hits = hits };
		worker->pending |= 1u << at;
	}
	p->packets += packets;
	p->bytes += bytes;
}

void ipsp_take_ipv4_ids(struct ipsp_worker *worker)
{
	worker->ipv4_id = atomic_fetch_add_explicit(&worker->engine->ipv4_id, IPSP_IPV4_IDS,
						    memory_order_relaxed);
	worker->ipv4_ids = IPSP_IPV4_IDS;
}

void ipsp_worker_set_arena(struct ipsp_worker *worker, uint8_t *octets, size_t size)
{
	worker->arena = (struct ipsp_arena){ .octets = octets, .size = octets ? size : 0 };
}

void ipsp_worker_set_wall_clock(struct ipsp_worker *worker, uint64_t wall_s)
{
	worker->wall_s = wall_s;
}

struct ipsp_spd_match ipsp_packet_match(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					enum ipsp_dir dir, const struct ipsp_packet *packet,
					const struct ipsp_flow *flow, uint64_t sa_id)
{
	struct ipsp_cache *cache = &worker->caches[dir - 1];
	const struct ipsp_spd_seen seen = {
		.packet = { packet->data, packet->len }, .wall_s = worker->wall_s, .sa_id = sa_id,
	};

	uint64_t key[IPSP_CACHE_WORDS];

	ipsp_cache_key(flow, packet->ifindex, key);
	const uint32_t set = ipsp_cache_set(key);
	const struct ipsp_spd_match *kept = ipsp_cache_find(cache, set, worker->epoch, key);

	if (kept)
		return *kept;
	const struct ipsp_spd_match match = ipsp_spd_lookup(spd, packet->ifindex, dir, flow,
							    &seen);

	if (match.fixed)
		ipsp_cache_put(cache, set, worker->epoch, key, &match);
	return match;
}
