/*
 * sad/sad.c - SAs in and out of the SAD, and found there. RFC 4301 4.4.2, 4.1.
 *
 * A new SA is in the indexes before the one it replaces is out of them, so a reader finds the one or
 * the other. Freeing is the caller's, later.
 */
#include <string.h>

#include "ipsp/platform.h"
#include "sad/sad.h"

#define SENDERS_MIN 16u

static uint64_t hash_id(const struct ipsp_sad *sad, uint64_t id)
{
	return ipsp_sa_hash(sad->seed, id);
}

/* Inbound SAs may be for any address of ours. The SPIs of others are their choice: so not alone. */
static uint64_t hash_name(const struct ipsp_sad *sad, uint8_t dir, uint8_t proto, uint32_t spi,
			  const struct ipsp_addr *dst)
{
	uint64_t h = ipsp_sa_hash(sad->seed, (uint64_t)dir << 40 | (uint64_t)proto << 32 | spi);
	uint64_t words[2];

	if (dir == IPSP_INBOUND)
		return h;
	memcpy(words, dst->octets, sizeof(words));
	return ipsp_sa_hash(ipsp_sa_hash(h, words[0]), words[1]);
}

static uint64_t hash_sa_name(const struct ipsp_sad *sad, const struct ipsp_sa *sa)
{
	return hash_name(sad, sa->dir, sa->proto, sa->spi, &sa->remote);
}

static bool is_sender(const struct ipsp_sa *sa)
{
	return sa->dir == IPSP_OUTBOUND && (sa->dummy_s > 0 || sa->encap.keepalive_s > 0);
}

static void free_senders(struct ipsp_sad *sad)
{
	sad->platform->free(sad->platform->ctx, sad->senders,
			    sad->senders_room * sizeof(struct ipsp_sa *));
}

/* One more must not fail when it comes. */
static bool reserve_senders(struct ipsp_sad *sad)
{
	const uint32_t room = sad->senders_room ? 2 * sad->senders_room : SENDERS_MIN;

	if (sad->n_senders < sad->senders_room)
		return true;
	struct ipsp_sa **senders = sad->platform->alloc(sad->platform->ctx,
							room * sizeof(struct ipsp_sa *));

	if (!senders)
		return false;
	if (sad->n_senders > 0)
		memcpy(senders, sad->senders, sad->n_senders * sizeof(struct ipsp_sa *));
	free_senders(sad);
	sad->senders = senders;
	sad->senders_room = room;
	return true;
}

bool ipsp_sad_reserve(struct ipsp_sad *sad)
{
	return ipsp_sa_index_reserve(sad->platform, &sad->by_id, &sad->garbage) &&
	       ipsp_sa_index_reserve(sad->platform, &sad->by_name, &sad->garbage) &&
	       ipsp_sa_index_reserve(sad->platform, &sad->by_traffic, &sad->garbage) &&
	       ipsp_sa_due_reserve(sad->platform, &sad->due, sad->n_sas + 1) &&
	       reserve_senders(sad);
}

static void link_sender(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	if (!is_sender(sa))
		return;
	sa->sender_at = sad->n_senders;
	sad->senders[sad->n_senders++] = sa;
}

/* The last one takes its place. */
static void unlink_sender(struct ipsp_sad *sad, const struct ipsp_sa *sa)
{
	if (!is_sender(sa))
		return;
	struct ipsp_sa *const last = sad->senders[--sad->n_senders];

	sad->senders[sa->sender_at] = last;
	last->sender_at = sa->sender_at;
}

void ipsp_sad_each_sender(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
			  void *arg)
{
	for (uint32_t i = 0; i < sad->n_senders; i++)
		each(arg, sad->senders[i]);
}

void ipsp_sad_link(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old)
{
	struct ipsp_sa_list *list = &sad->lists[sa->origin];

	sa->prev = list->last;
	sa->next = NULL;
	*(list->last ? &list->last->next : &list->first) = sa;
	list->last = sa;
	ipsp_sa_index_put(&sad->by_name, hash_sa_name(sad, sa), sa);
	ipsp_sa_index_put(&sad->by_id, hash_id(sad, sa->id), sa);
	ipsp_sad_file_traffic(sad, sa, old);
	link_sender(sad, sa);
	sad->n_sas++;
	ipsp_sa_schedule(sa);
}

/* The first SA of an origin or of one behind it, in the order of walks. */
static struct ipsp_sa *first_from(const struct ipsp_sad *sad, unsigned origin)
{
	while (origin < IPSP_N_ORIGINS && !sad->lists[origin].first)
		origin++;
	return origin < IPSP_N_ORIGINS ? sad->lists[origin].first : NULL;
}

static struct ipsp_sa *next_of(const struct ipsp_sad *sad, const struct ipsp_sa *sa)
{
	return sa->next ? sa->next : first_from(sad, sa->origin + 1u);
}

void ipsp_sad_unlink(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	struct ipsp_sa_list *list = &sad->lists[sa->origin];

	for (struct ipsp_sad_cursor *c = sad->cursors; c; c = c->next) {
		if (c->at == sa)
			c->at = next_of(sad, sa);
	}
	*(sa->prev ? &sa->prev->next : &list->first) = sa->next;
	*(sa->next ? &sa->next->prev : &list->last) = sa->prev;
	ipsp_sa_index_remove(&sad->by_id, hash_id(sad, sa->id), sa);
	ipsp_sa_index_remove(&sad->by_name, hash_sa_name(sad, sa), sa);
	ipsp_sad_unfile_traffic(sad, sa);
	unlink_sender(sad, sa);
	ipsp_sa_due_set(&sad->due, sa, UINT64_MAX);
	sa->is_out = true;
	sad->n_sas--;
}

enum ipsp_err ipsp_sad_new(const struct ipsp_platform *platform, void *region, size_t region_size,
			   struct ipsp_sad **out)
{
	struct ipsp_counters counters;
	enum ipsp_err err = ipsp_counters_attach(region, region_size, &counters);

	if (err != IPSP_OK)
		return err;
	struct ipsp_sad *sad = platform->alloc(platform->ctx, sizeof(*sad));

	if (!sad)
		return IPSP_ENOMEM;
	sad->platform = platform;
	sad->counters = counters;
	err = platform->random(platform->ctx, (uint8_t *)&sad->seed, sizeof(sad->seed));
	if (err != IPSP_OK) {
		platform->free(platform->ctx, sad, sizeof(*sad));
		return err;
	}
	*out = sad;
	return IPSP_OK;
}

void ipsp_sa_free(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	const struct ipsp_platform *p = sad->platform;
	struct ipsp_sa_unasked *const unasked =
		sa->dir == IPSP_INBOUND ? atomic_load_explicit(&sa->unasked, memory_order_relaxed) : NULL;

	if (!sa->lives_on) {
		p->crypto->ctx_free(sa->crypto);
		if (sa->own_counter)
			p->free(p->ctx, sa->counter,
				sizeof(*sa->counter) +
					sa->counter->replay.n_blocks * sizeof(uint64_t));
	}
	ipsp_sa_free_boxes(sad, sa);
	if (unasked)
		p->free(p->ctx, unasked, unasked->garbage.size);
	p->wipe(p->ctx, sa, sizeof(*sa));
	p->free(p->ctx, sa, sizeof(*sa));
}

static void free_one(void *arg, struct ipsp_sa *sa)
{
	struct ipsp_sad *sad = arg;

	ipsp_sa_free(sad, sa);
}

void ipsp_sad_free(struct ipsp_sad *sad)
{
	if (!sad)
		return;
	ipsp_sad_each(sad, free_one, sad);
	ipsp_sa_index_free(sad->platform, &sad->by_id);
	ipsp_sa_index_free(sad->platform, &sad->by_name);
	ipsp_sa_index_free(sad->platform, &sad->by_traffic);
	free_senders(sad);
	ipsp_sa_due_free(sad->platform, &sad->due);
	ipsp_sad_free_garbage(sad, ipsp_sad_take_garbage(sad));
	sad->platform->free(sad->platform->ctx, sad, sizeof(*sad));
}

struct ipsp_sad_garbage *ipsp_sad_take_garbage(struct ipsp_sad *sad)
{
	struct ipsp_sad_garbage *g = sad->garbage;

	sad->garbage = NULL;
	return g;
}

void ipsp_sad_free_garbage(struct ipsp_sad *sad, struct ipsp_sad_garbage *g)
{
	while (g) {
		struct ipsp_sad_garbage *next = g->next;

		sad->platform->free(sad->platform->ctx, g, g->size);
		g = next;
	}
}

struct ipsp_sa *ipsp_sad_find(const struct ipsp_sad *sad, uint64_t id)
{
	struct ipsp_sa_walk w = ipsp_sa_index_walk(&sad->by_id, hash_id(sad, id));
	struct ipsp_sa *sa;

	do
		sa = ipsp_sa_walk_next(&w);
	while (sa && sa->id != id);
	return sa;
}

struct ipsp_sa *ipsp_sad_find_inbound(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				      const struct ipsp_addr *dst)
{
	struct ipsp_sa_walk w = ipsp_sa_index_walk(
		&sad->by_name, hash_name(sad, IPSP_INBOUND, proto, spi, NULL));
	struct ipsp_sa *sa;

	do
		sa = ipsp_sa_walk_next(&w);
	while (sa && !(sa->spi == spi && sa->proto == proto && sa->dir == IPSP_INBOUND &&
		       (sa->local.family == 0 || ipsp_addr_cmp(&sa->local, dst) == 0)));
	return sa;
}

struct ipsp_sa *ipsp_sad_find_outbound(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				     const struct ipsp_addr *dst)
{
	struct ipsp_sa_walk w = ipsp_sa_index_walk(
		&sad->by_name, hash_name(sad, IPSP_OUTBOUND, proto, spi, dst));
	struct ipsp_sa *sa;

	do
		sa = ipsp_sa_walk_next(&w);
	while (sa && !(sa->spi == spi && sa->proto == proto && sa->dir == IPSP_OUTBOUND &&
		       ipsp_addr_cmp(&sa->remote, dst) == 0));
	return sa;
}

struct ipsp_sa *ipsp_sad_find_name(const struct ipsp_sad *sad, const struct ipsp_sa_name *name)
{
	struct ipsp_sa *sa = ipsp_sad_find_inbound(sad, name->spi, name->proto, &name->dst);

	return sa ? sa : ipsp_sad_find_outbound(sad, name->spi, name->proto, &name->dst);
}

/* Would packets of one be taken for packets of the other? */
static bool inbound_clash(const struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
			  const struct ipsp_sa *but)
{
	struct ipsp_sa_walk w = ipsp_sa_index_walk(
		&sad->by_name, hash_name(sad, IPSP_INBOUND, cfg->proto, cfg->spi, NULL));
	struct ipsp_sa *sa;

	while ((sa = ipsp_sa_walk_next(&w))) {
		if (sa != but && sa->spi == cfg->spi && sa->proto == cfg->proto &&
		    sa->dir == IPSP_INBOUND &&
		    (sa->local.family == 0 || cfg->local.family == 0 ||
		     ipsp_addr_cmp(&sa->local, &cfg->local) == 0))
			return true;
	}
	return false;
}

bool ipsp_sad_name_taken(const struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
			 const struct ipsp_sa *but)
{
	if (cfg->dir == IPSP_INBOUND)
		return inbound_clash(sad, cfg, but);
	if (cfg->origin == IPSP_ORIGIN_POLICY)
		return false;
	const struct ipsp_sa *sa = ipsp_sad_find_outbound(sad, cfg->spi, cfg->proto, &cfg->remote);

	return sa && sa != but;
}

static void each_of(const struct ipsp_sa_list *list, void (*each)(void *arg, struct ipsp_sa *sa),
		    void *arg)
{
	struct ipsp_sa *next;

	for (struct ipsp_sa *sa = list->first; sa; sa = next) {
		next = sa->next;
		each(arg, sa);
	}
}

void ipsp_sad_each(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
		   void *arg)
{
	for (unsigned origin = 0; origin < IPSP_N_ORIGINS; origin++)
		each_of(&sad->lists[origin], each, arg);
}

uint32_t ipsp_sad_count(const struct ipsp_sad *sad)
{
	return sad->n_sas;
}

void ipsp_sad_cursor_init(struct ipsp_sad_cursor *c, struct ipsp_sad *sad)
{
	*c = (struct ipsp_sad_cursor){ sad, first_from(sad, 0), sad->cursors };
	sad->cursors = c;
}

const struct ipsp_sa *ipsp_sad_cursor_next(struct ipsp_sad_cursor *c)
{
	const struct ipsp_sa *sa = c->at;

	if (sa)
		c->at = next_of(c->sad, sa);
	return sa;
}

void ipsp_sad_cursor_fini(struct ipsp_sad_cursor *c)
{
	struct ipsp_sad_cursor **at = &c->sad->cursors;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

struct wanted {
	uint64_t counter_id;
	bool found;
};

static void match_counter(void *arg, struct ipsp_sa *sa)
{
	struct wanted *w = arg;

	w->found |= sa->counter_id == w->counter_id;
}

static bool counter_in_use(void *arg, uint64_t counter_id)
{
	struct wanted w = { counter_id, false };

	each_of(&((const struct ipsp_sad *)arg)->lists[IPSP_ORIGIN_POLICY], match_counter, &w);
	return w.found;
}

/*
 * The SA's number space. Spaces of SAs that are gone stay for when those come back (a row taken out
 * of service and put back has the same key), until their slots are needed.
 */
static enum ipsp_err take_counter(struct ipsp_sad *sad, struct ipsp_sa *sa, uint64_t now_s)
{
	uint32_t window = sa->replay ? sa->replay_window_pkts : IPSP_REPLAY_MIN;
	struct ipsp_counter *counter;
	bool fresh;
	enum ipsp_err err;

	err = ipsp_counters_get(&sad->counters, sa->counter_id, &counter, &fresh);
	if (err == IPSP_ENOSPC &&
	    ipsp_counters_drop_unused(&sad->counters, counter_in_use, sad) > 0)
		err = ipsp_counters_get(&sad->counters, sa->counter_id, &counter, &fresh);
	if (err != IPSP_OK)
		return err;
	/* Also where a process was killed in between. */
	if (fresh || counter->replay.n_blocks == 0) {
		if (fresh)
			counter->born_s = now_s;
		err = ipsp_replay_init(&counter->replay, IPSP_REPLAY_RING(IPSP_REPLAY_MAX), window,
				       sa->seq_floor);
	} else {
		err = ipsp_replay_resize(&counter->replay, window);
	}
	sa->counter = counter;
	return err;
}

static void raise_ceiling(struct ipsp_sa *sa, uint64_t ceiling)
{
	uint64_t now = atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed);

	if (now != 0 && (ceiling == 0 || ceiling > now))
		atomic_store_explicit(&sa->seq_ceiling, ceiling, memory_order_relaxed);
}

enum ipsp_err ipsp_sad_add(struct ipsp_sad *sad, const struct ipsp_sa_config *cfg, uint64_t now_s,
			   struct ipsp_sa **replaced)
{
	const struct ipsp_platform *p = sad->platform;
	struct ipsp_sa *old = ipsp_sad_find(sad, cfg->id);
	struct ipsp_crypto_shape shape;
	enum ipsp_err err = cfg->origin == IPSP_ORIGIN_POLICY ?
				    ipsp_sa_config_check(p, cfg, &shape) : IPSP_EINVAL;

	if (err != IPSP_OK)
		return err;
	if (old && old->origin != IPSP_ORIGIN_POLICY)
		return IPSP_EEXIST;
	if (old && ipsp_sa_is(old, cfg)) {
		raise_ceiling(old, cfg->seq_ceiling);
		atomic_store_explicit(&old->packet_log, cfg->packet_log, memory_order_relaxed);
		*replaced = NULL;
		return IPSP_OK;
	}
	if (cfg->proto != IPSP_PROTO_IPCOMP && ipsp_sad_name_taken(sad, cfg, old))
		return IPSP_EEXIST;
	struct ipsp_sa *sa = ipsp_sad_reserve(sad) ? p->alloc(p->ctx, sizeof(*sa)) : NULL;

	if (!sa)
		return IPSP_ENOMEM;
	err = ipsp_sa_init(sad, cfg, &shape, sa);
	if (err != IPSP_OK) {
		p->free(p->ctx, sa, sizeof(*sa));
		return err;
	}
	err = take_counter(sad, sa, now_s);
	if (err != IPSP_OK) {
		ipsp_sa_free(sad, sa);
		return err;
	}
	ipsp_sa_begin(sa);
	ipsp_sad_link(sad, sa, old);
	if (old)
		ipsp_sad_unlink(sad, old);
	*replaced = old;
	return IPSP_OK;
}

struct ipsp_sa *ipsp_sad_remove(struct ipsp_sad *sad, uint64_t id)
{
	struct ipsp_sa *sa = ipsp_sad_find(sad, id);

	if (sa)
		ipsp_sad_unlink(sad, sa);
	return sa;
}

enum ipsp_err ipsp_sad_set_state(struct ipsp_sad *sad, uint64_t id, enum ipsp_sa_state state)
{
	struct ipsp_sa *sa = ipsp_sad_find(sad, id);

	if (!sa)
		return IPSP_ENOENT;
	if (!ipsp_sa_may_move(atomic_load_explicit(&sa->state, memory_order_relaxed), state))
		return IPSP_EINVAL;
	atomic_store_explicit(&sa->state, (uint8_t)state, memory_order_relaxed);
	ipsp_sa_schedule(sa);
	return IPSP_OK;
}

enum ipsp_err ipsp_sad_raise_ceiling(struct ipsp_sad *sad, uint64_t id, uint64_t ceiling)
{
	struct ipsp_sa *sa = ipsp_sad_find(sad, id);

	if (!sa)
		return IPSP_ENOENT;
	if (sa->dir != IPSP_OUTBOUND)
		return IPSP_EINVAL;
	raise_ceiling(sa, ceiling);
	return IPSP_OK;
}
