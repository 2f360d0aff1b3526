/*
 * sad/sad.c - the SAD's two indexes. RFC 4301 4.4.2, 4.1.
 *
 * Hash chains are changed by the control thread with single atomic stores: a new SA is linked
 * before the one it replaces is unlinked, and an unlinked SA still points on, so a reader in the
 * middle of a chain sees either the old or the new state of it. Freeing is the caller's, later.
 */
#include <string.h>

#include "ipsp/platform.h"
#include "sad/sa.h"

#define BUCKETS 4096u

struct ipsp_sad {
	const struct ipsp_platform *platform;
	struct ipsp_counters counters;
	uint32_t n_sas;
	_Atomic(struct ipsp_sa *) by_id[BUCKETS];
	_Atomic(struct ipsp_sa *) by_spi[BUCKETS];	/* inbound only */
};

static uint32_t bucket_of(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40) % BUCKETS;
}

static struct ipsp_sa *chain_load(const _Atomic(struct ipsp_sa *) *link)
{
	return atomic_load_explicit(link, memory_order_acquire);
}

static void chain_store(_Atomic(struct ipsp_sa *) *link, struct ipsp_sa *sa)
{
	atomic_store_explicit(link, sa, memory_order_release);
}

static void link_sa(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	_Atomic(struct ipsp_sa *) *head = &sad->by_id[bucket_of(sa->id)];

	chain_store(&sa->next_by_id, chain_load(head));
	chain_store(head, sa);
	if (sa->dir == IPSP_INBOUND) {
		head = &sad->by_spi[bucket_of(sa->spi)];
		chain_store(&sa->next_by_spi, chain_load(head));
		chain_store(head, sa);
	}
	sad->n_sas++;
}

static void unlink_sa(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	_Atomic(struct ipsp_sa *) *at = &sad->by_id[bucket_of(sa->id)];

	while (chain_load(at) != sa)
		at = &chain_load(at)->next_by_id;
	chain_store(at, chain_load(&sa->next_by_id));
	if (sa->dir == IPSP_INBOUND) {
		at = &sad->by_spi[bucket_of(sa->spi)];
		while (chain_load(at) != sa)
			at = &chain_load(at)->next_by_spi;
		chain_store(at, chain_load(&sa->next_by_spi));
	}
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
	*out = sad;
	return IPSP_OK;
}

void ipsp_sa_free(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	const struct ipsp_platform *p = sad->platform;

	p->crypto->ctx_free(sa->crypto);
	p->wipe(p->ctx, sa, sizeof(*sa));
	p->free(p->ctx, sa, sizeof(*sa));
}

void ipsp_sad_free(struct ipsp_sad *sad)
{
	if (!sad)
		return;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct ipsp_sa *next;

		for (struct ipsp_sa *sa = chain_load(&sad->by_id[i]); sa; sa = next) {
			next = chain_load(&sa->next_by_id);
			ipsp_sa_free(sad, sa);
		}
	}
	sad->platform->free(sad->platform->ctx, sad, sizeof(*sad));
}

struct ipsp_sa *ipsp_sad_find(const struct ipsp_sad *sad, uint64_t id)
{
	struct ipsp_sa *sa = chain_load(&sad->by_id[bucket_of(id)]);

	while (sa && sa->id != id)
		sa = chain_load(&sa->next_by_id);
	return sa;
}

struct ipsp_sa *ipsp_sad_find_inbound(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				      const struct ipsp_addr *dst)
{
	struct ipsp_sa *sa = chain_load(&sad->by_spi[bucket_of(spi)]);

	while (sa && !(sa->spi == spi && sa->proto == proto &&
		       (sa->local.family == 0 || ipsp_addr_cmp(&sa->local, dst) == 0)))
		sa = chain_load(&sa->next_by_spi);
	return sa;
}

/* Would packets of one be taken for packets of the other? */
static bool inbound_clash(const struct ipsp_sad *sad, const struct ipsp_sa_config *cfg)
{
	struct ipsp_sa *sa = chain_load(&sad->by_spi[bucket_of(cfg->spi)]);

	for (; sa; sa = chain_load(&sa->next_by_spi)) {
		if (sa->id != cfg->id && sa->spi == cfg->spi && sa->proto == cfg->proto &&
		    (sa->local.family == 0 || cfg->local.family == 0 ||
		     ipsp_addr_cmp(&sa->local, &cfg->local) == 0))
			return true;
	}
	return false;
}

void ipsp_sad_each(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
		   void *arg)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct ipsp_sa *next;

		for (struct ipsp_sa *sa = chain_load(&sad->by_id[i]); sa; sa = next) {
			next = chain_load(&sa->next_by_id);
			each(arg, sa);
		}
	}
}

uint32_t ipsp_sad_count(const struct ipsp_sad *sad)
{
	return sad->n_sas;
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

	ipsp_sad_each(arg, match_counter, &w);
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
	if (fresh) {
		counter->born_s = now_s;
		err = ipsp_replay_init(&counter->replay, window, sa->seq_floor);
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
	enum ipsp_err err = ipsp_sa_config_check(p, cfg, &shape);

	if (err != IPSP_OK)
		return err;
	if (old && ipsp_sa_is(old, cfg)) {
		raise_ceiling(old, cfg->seq_ceiling);
		atomic_store_explicit(&old->packet_log, cfg->packet_log, memory_order_relaxed);
		*replaced = NULL;
		return IPSP_OK;
	}
	if (cfg->dir == IPSP_INBOUND && inbound_clash(sad, cfg))
		return IPSP_EEXIST;
	struct ipsp_sa *sa = p->alloc(p->ctx, sizeof(*sa));

	if (!sa)
		return IPSP_ENOMEM;
	err = ipsp_sa_init(p, cfg, &shape, sa);
	if (err != IPSP_OK) {
		p->free(p->ctx, sa, sizeof(*sa));
		return err;
	}
	err = take_counter(sad, sa, now_s);
	if (err != IPSP_OK) {
		ipsp_sa_free(sad, sa);
		return err;
	}
	link_sa(sad, sa);
	if (old)
		unlink_sa(sad, old);
	*replaced = old;
	return IPSP_OK;
}

struct ipsp_sa *ipsp_sad_remove(struct ipsp_sad *sad, uint64_t id)
{
	struct ipsp_sa *sa = ipsp_sad_find(sad, id);

	if (sa)
		unlink_sa(sad, sa);
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
	return IPSP_OK;
}

struct expiry {
	uint64_t now_s;
	void (*expired)(void *arg, const struct ipsp_sa *sa);
	void *arg;
};

static void expire_sa(void *arg, struct ipsp_sa *sa)
{
	const struct expiry *e = arg;

	if (ipsp_sa_usable(sa, e->now_s) != IPSP_REASON_SA_EXPIRED)
		return;
	atomic_store_explicit(&sa->state, IPSP_SA_DEAD, memory_order_relaxed);
	e->expired(e->arg, sa);
}

void ipsp_sad_expire(struct ipsp_sad *sad, uint64_t now_s,
		     void (*expired)(void *arg, const struct ipsp_sa *sa), void *arg)
{
	struct expiry e = { now_s, expired, arg };

	ipsp_sad_each(sad, expire_sa, &e);
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
