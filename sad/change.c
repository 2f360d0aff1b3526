/*
 * sad/change.c - SAs of key managers: an SPI found, keys put in, terms changed. RFC 2367 3.1.1 - 3.1.3.
 *
 * An SA does not change under those who use it: another one comes into its place.
 */
#include <string.h>

#include "ipsp/platform.h"
#include "sad/sad.h"

#define SPI_MIN 256u		/* those below are IANA's, 0 is for local use: RFC 4303 2.1 */
#define CPI_MAX 61439u		/* of IPComp; those above are private: RFC 3173 3.3 */
#define SPI_TRIES 64u		/* by chance; then one after the other */
#define SPI_STEPS 65536u

/* Ids of rows are hashes: one may have any number. */
static uint64_t new_id(struct ipsp_sad *sad)
{
	do
		sad->last_id++;
	while (sad->last_id == 0 || ipsp_sad_find(sad, sad->last_id));
	return sad->last_id;
}

/* A number space that ends with its SA. */
static enum ipsp_err own_counter(struct ipsp_sad *sad, struct ipsp_sa *sa, uint64_t now_s)
{
	const struct ipsp_platform *p = sad->platform;
	const uint32_t window = sa->replay ? sa->replay_window_pkts : IPSP_REPLAY_MIN;
	struct ipsp_counter *counter = p->alloc(p->ctx, IPSP_COUNTER_SIZE(window));
	enum ipsp_err err;

	if (!counter)
		return IPSP_ENOMEM;
	err = ipsp_replay_init(&counter->replay, IPSP_REPLAY_RING(window), window, sa->seq_floor);
	if (err != IPSP_OK) {
		p->free(p->ctx, counter, IPSP_COUNTER_SIZE(window));
		return err;
	}
	counter->born_s = now_s;
	sa->counter = counter;
	sa->own_counter = true;
	return IPSP_OK;
}

/* The new one before the old one goes. */
static void put(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old)
{
	ipsp_sa_begin(sa);
	ipsp_sad_link(sad, sa, old);
	if (old)
		ipsp_sad_unlink(sad, old);
}

/* Gives it its number space and its place, that of old if there is one; or frees it. */
static enum ipsp_err enter(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old,
			   uint64_t now_s, struct ipsp_sa **out)
{
	const enum ipsp_err err = own_counter(sad, sa, now_s);

	if (err != IPSP_OK) {
		ipsp_sa_free(sad, sa);
		return err;
	}
	put(sad, sa, old);
	*out = sa;
	return IPSP_OK;
}

/* One without keys. NULL: no memory */
static struct ipsp_sa *new_keyless(struct ipsp_sad *sad, enum ipsp_sa_origin origin,
				   enum ipsp_dir dir, enum ipsp_sa_state state)
{
	const struct ipsp_platform *p = sad->platform;
	struct ipsp_sa *sa = ipsp_sad_reserve(sad) ? p->alloc(p->ctx, sizeof(*sa)) : NULL;

	if (!sa)
		return NULL;
	sa->sad = sad;
	sa->due_at = IPSP_SA_NOT_DUE;
	sa->dead_at_s = UINT64_MAX;
	sa->origin = (uint8_t)origin;
	sa->dir = (uint8_t)dir;
	sa->id = sa->counter_id = new_id(sad);
	atomic_init(&sa->state, state);
	return sa;
}

enum ipsp_err ipsp_sad_add_negotiated(struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
				      struct ipsp_sa *old, uint64_t now_s, struct ipsp_sa **out)
{
	const struct ipsp_platform *p = sad->platform;
	struct ipsp_crypto_shape shape;
	struct ipsp_sa_config named = *cfg;
	enum ipsp_err err = IPSP_EINVAL;

	named.id = old ? old->id : cfg->id ? cfg->id : new_id(sad);
	named.counter_id = named.id;
	/* Packets to and from it are known by these. */
	if (cfg->origin == IPSP_ORIGIN_PFKEY && cfg->local.family && cfg->remote.family)
		err = ipsp_sa_config_check(p, &named, &shape);
	if (err == IPSP_OK && (ipsp_sad_name_taken(sad, &named, old) ||
			       (!old && ipsp_sad_find(sad, named.id))))
		err = IPSP_EEXIST;
	struct ipsp_sa *sa = err != IPSP_OK || !ipsp_sad_reserve(sad) ?
				     NULL : p->alloc(p->ctx, sizeof(*sa));

	if (err == IPSP_OK && !sa)
		err = IPSP_ENOMEM;
	if (err == IPSP_OK) {
		err = ipsp_sa_init(sad, &named, &shape, sa);
		if (err != IPSP_OK)
			p->free(p->ctx, sa, sizeof(*sa));
	}
	ipsp_key_wipe(&named.encr_key);
	ipsp_key_wipe(&named.integ_key);
	return err == IPSP_OK ? enter(sad, sa, old, now_s, out) : err;
}

/* ---- SPIs ---- */

static bool request_valid(const struct ipsp_spi_request *r)
{
	return (r->proto == IPSP_PROTO_ESP || r->proto == IPSP_PROTO_AH ||
		(r->proto == IPSP_PROTO_IPCOMP && r->spi_max <= CPI_MAX)) &&
	       ipsp_addr_size(r->dst.family) > 0 && r->src.family == r->dst.family &&
	       r->spi_min <= r->spi_max && r->spi_max >= SPI_MIN;
}

static bool spi_free(const struct ipsp_sad *sad, const struct ipsp_spi_request *r, uint32_t spi)
{
	const struct ipsp_sa_config wanted = {
		.dir = IPSP_INBOUND, .proto = r->proto, .spi = spi, .local = r->dst,
	};

	return !ipsp_sad_name_taken(sad, &wanted, NULL);
}

static enum ipsp_err find_spi(const struct ipsp_sad *sad, const struct ipsp_spi_request *r,
			      uint32_t *spi)
{
	const struct ipsp_platform *p = sad->platform;
	const uint32_t min = r->spi_min > SPI_MIN ? r->spi_min : SPI_MIN;
	const uint64_t range = (uint64_t)r->spi_max - min + 1;
	uint32_t chance = 0;

	for (uint32_t i = 0; range > 1 && i < SPI_TRIES; i++) {
		if (p->random(p->ctx, (uint8_t *)&chance, sizeof(chance)) != IPSP_OK)
			return IPSP_ECRYPTO;
		*spi = min + (uint32_t)(chance % range);
		if (spi_free(sad, r, *spi))
			return IPSP_OK;
	}
	for (uint64_t i = 0; i < range && i < SPI_STEPS; i++) {
		*spi = min + (uint32_t)((chance + i) % range);
		if (spi_free(sad, r, *spi))
			return IPSP_OK;
	}
	return range == 1 ? IPSP_EEXIST : IPSP_ENOSPC;
}

enum ipsp_err ipsp_sad_getspi(struct ipsp_sad *sad, const struct ipsp_spi_request *request,
			      uint64_t now_s, struct ipsp_sa **out)
{
	enum ipsp_err err;
	uint32_t spi = 0;

	if (!request_valid(request))
		return IPSP_EINVAL;
	err = find_spi(sad, request, &spi);
	if (err != IPSP_OK)
		return err;
	struct ipsp_sa *sa = new_keyless(sad, IPSP_ORIGIN_PFKEY, IPSP_INBOUND, IPSP_SA_LARVAL);

	if (!sa)
		return IPSP_ENOMEM;
	sa->proto = request->proto;
	sa->mode = request->mode ? request->mode : IPSP_MODE_ANY;
	sa->spi = spi;
	sa->reqid = request->reqid;
	sa->local = request->dst;
	sa->remote = request->src;
	sa->larval_until_s = now_s + (request->larval_s ? request->larval_s : IPSP_LARVAL_S);
	return enter(sad, sa, NULL, now_s, out);
}

/* ---- in clear ---- */

enum ipsp_err ipsp_sad_add_clear(struct ipsp_sad *sad, uint32_t reqid,
				 const struct ipsp_addr *local, const struct ipsp_addr *remote,
				 uint64_t clear_s, uint64_t now_s, struct ipsp_sa **out)
{
	const struct ipsp_sa_config cfg = {
		.local = *local, .remote = *remote, .reqid = reqid, .life_s = clear_s,
	};
	const struct ipsp_platform *p = sad->platform;

	if (clear_s == 0 || ipsp_addr_size(remote->family) == 0)
		return IPSP_EINVAL;
	struct ipsp_sa *sa = new_keyless(sad, IPSP_ORIGIN_CLEAR, IPSP_OUTBOUND, IPSP_SA_MATURE);

	if (!sa)
		return IPSP_ENOMEM;
	if (ipsp_sa_set_terms(sad, sa, &cfg) != IPSP_OK) {
		p->free(p->ctx, sa, sizeof(*sa));
		return IPSP_ENOMEM;
	}
	return enter(sad, sa, NULL, now_s, out);
}

/* ---- terms ---- */

static void copy_count(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
	atomic_init(to, atomic_load_explicit(from, memory_order_relaxed));
}

/*
 * All but what belongs to its place in the SAD, and what packets of the old one have taught of its way
 * and its peer. Packets go on with the old one meanwhile; what they count there from now on is
 * lost, but for numbers, packets and octets.
 */
static void copy_sa(struct ipsp_sa *to, const struct ipsp_sa *from)
{
	memcpy(to, from, offsetof(struct ipsp_sa, state));
	atomic_init(&to->state, atomic_load_explicit(&from->state, memory_order_relaxed));
	atomic_init(&to->packet_log, atomic_load_explicit(&from->packet_log,
							  memory_order_relaxed));
	copy_count(&to->packet_log_s, &from->packet_log_s);
	copy_count(&to->seq_ceiling, &from->seq_ceiling);
	copy_count(&to->first_used_s, &from->first_used_s);
	copy_count(&to->last_used_s, &from->last_used_s);
	copy_count(&to->drops_icv, &from->drops_icv);
	copy_count(&to->drops_replay, &from->drops_replay);
	copy_count(&to->drops_other, &from->drops_other);
	to->counter = from->counter;
	to->crypto = from->crypto;
	to->sad = from->sad;
	to->own_counter = from->own_counter;
	to->due_at = IPSP_SA_NOT_DUE;
}

/* In UDP or not, as it is found to need. No AH over a NAT: RFC 3948 1. */
static bool encap_may_be(const struct ipsp_sa *sa, const struct ipsp_encap *e)
{
	return e->type == IPSP_ENCAP_NONE || (e->type == IPSP_ENCAP_UDP &&
					      sa->proto == IPSP_PROTO_ESP && e->sport && e->dport);
}

enum ipsp_err ipsp_sad_change(struct ipsp_sad *sad, struct ipsp_sa *old,
			      const struct ipsp_sa_config *cfg, struct ipsp_sa **out)
{
	const struct ipsp_platform *p = sad->platform;
	const struct ipsp_sa_config named = {
		.dir = old->dir, .proto = old->proto, .spi = old->spi, .origin = old->origin,
		.local = cfg->local, .remote = cfg->remote,
	};

	if (old->origin != IPSP_ORIGIN_PFKEY || old->lives_on ||
	    atomic_load_explicit(&old->state, memory_order_relaxed) == IPSP_SA_LARVAL ||
	    ipsp_addr_size(cfg->local.family) == 0 || cfg->local.family != cfg->remote.family ||
	    !ipsp_sa_traffic_valid(cfg) || !encap_may_be(old, &cfg->encap))
		return IPSP_EINVAL;
	if (ipsp_sad_name_taken(sad, &named, old))
		return IPSP_EEXIST;
	struct ipsp_sa *sa = ipsp_sad_reserve(sad) ? p->alloc(p->ctx, sizeof(*sa)) : NULL;

	if (!sa)
		return IPSP_ENOMEM;
	copy_sa(sa, old);
	if (ipsp_sa_set_terms(sad, sa, cfg) != IPSP_OK) {
		p->free(p->ctx, sa, sizeof(*sa));
		return IPSP_ENOMEM;
	}
	sa->encap.type = cfg->encap.type;
	sa->encap.sport = cfg->encap.sport;
	sa->encap.dport = cfg->encap.dport;
	old->lives_on = true;
	put(sad, sa, old);
	*out = sa;
	return IPSP_OK;
}
