/*
 * sad/sa.c - one SA: what configurations can be one, its states, its lifetime. RFC 4301 4.4.2.1.
 */
#include <string.h>

#include "ipsp/platform.h"
#include "sad/sa.h"

/* RFC 2367 1.1; dead is for good: its number space and keys are used up. */
static const struct {
	enum ipsp_sa_state from, to;
} moves[] = {
	{ IPSP_SA_LARVAL, IPSP_SA_MATURE },	/* keys came: SADB_UPDATE, SADB_ADD */
	{ IPSP_SA_LARVAL, IPSP_SA_DEAD },	/* larval timeout */
	{ IPSP_SA_MATURE, IPSP_SA_DYING },	/* soft lifetime */
	{ IPSP_SA_MATURE, IPSP_SA_DEAD },	/* hard lifetime */
	{ IPSP_SA_DYING, IPSP_SA_DEAD },	/* hard lifetime */
};

const char *ipsp_sa_state_text(enum ipsp_sa_state state)
{
	static const char *const texts[] = {
		[IPSP_SA_LARVAL] = "larval",
		[IPSP_SA_MATURE] = "mature",
		[IPSP_SA_DYING] = "dying",
		[IPSP_SA_DEAD] = "dead",
	};

	return (size_t)state < sizeof(texts) / sizeof(texts[0]) ? texts[state] : "unknown";
}

bool ipsp_sa_may_move(enum ipsp_sa_state from, enum ipsp_sa_state to)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (moves[i].from == from && moves[i].to == to)
			return true;
	}
	return from == to;
}

static bool addr_valid(const struct ipsp_addr *a)
{
	return a->family == 0 || ipsp_addr_size(a->family) > 0;
}

static bool numbers_valid(const struct ipsp_sa_config *cfg)
{
	if (cfg->dir == IPSP_OUTBOUND)
		return true;
	if (!cfg->replay)
		return !cfg->esn;
	return cfg->replay_window_pkts >= IPSP_REPLAY_MIN &&
	       cfg->replay_window_pkts <= IPSP_REPLAY_MAX &&
	       (cfg->replay_window_pkts & (cfg->replay_window_pkts - 1)) == 0;
}

static bool mode_valid(const struct ipsp_sa_config *cfg)
{
	if (cfg->mode == IPSP_MODE_TRANSPORT)
		return true;
	if (cfg->mode == IPSP_MODE_ANY)
		return cfg->dir == IPSP_INBOUND;
	return cfg->mode == IPSP_MODE_TUNNEL && cfg->df >= IPSP_DF_COPY &&
	       cfg->df <= IPSP_DF_CLEAR && cfg->ecn <= IPSP_ECN_NONE &&
	       cfg->dscp <= IPSP_DSCP_MAX && cfg->tfc_pad <= IPSP_TFC_PAD_MAX;
}

enum ipsp_err ipsp_sa_config_check(const struct ipsp_platform *platform,
				   const struct ipsp_sa_config *cfg,
				   struct ipsp_crypto_shape *shape)
{
	/* SPIs 1..255 are IANA's, 0 is for local use: RFC 4303 2.1. */
	if (cfg->id == 0 || cfg->spi < 256 ||
	    (cfg->dir != IPSP_INBOUND && cfg->dir != IPSP_OUTBOUND))
		return IPSP_EINVAL;
	if (!addr_valid(&cfg->local) || !addr_valid(&cfg->remote) ||
	    (cfg->local.family && cfg->remote.family && cfg->local.family != cfg->remote.family))
		return IPSP_EINVAL;
	if (!mode_valid(cfg) || !numbers_valid(cfg))
		return IPSP_EINVAL;
	if (cfg->proto != IPSP_PROTO_ESP)
		return IPSP_ENOTSUP;
	return platform->crypto->shape(cfg->proto, cfg->encr, cfg->encr_key_bits, cfg->integ, shape);
}

enum ipsp_err ipsp_sa_init(const struct ipsp_platform *platform, const struct ipsp_sa_config *cfg,
			   const struct ipsp_crypto_shape *shape, struct ipsp_sa *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->id = cfg->id;
	sa->counter_id = cfg->counter_id;
	sa->next_id = cfg->next_id;
	sa->spi = cfg->spi;
	sa->dir = cfg->dir;
	sa->proto = cfg->proto;
	sa->mode = cfg->mode;
	sa->df = cfg->df;
	sa->ecn = cfg->ecn;
	sa->dscp_set = cfg->dscp_set;
	sa->dscp = cfg->dscp;
	sa->outer_ttl = cfg->outer_ttl;
	sa->tfc_pad = cfg->tfc_pad;
	sa->esn = cfg->esn;
	sa->replay = cfg->replay;
	sa->encr = cfg->encr;
	sa->encr_key_bits = cfg->encr_key_bits;
	sa->integ = cfg->integ;
	sa->replay_window_pkts = cfg->replay_window_pkts;
	sa->seq_floor = cfg->seq_floor;
	sa->life_s = cfg->life_s;
	sa->life_bytes = cfg->life_bytes;
	sa->local = cfg->local;
	sa->remote = cfg->remote;
	sa->shape = *shape;
	atomic_init(&sa->state, IPSP_SA_MATURE);
	atomic_init(&sa->packet_log, cfg->packet_log);
	atomic_init(&sa->seq_ceiling, cfg->seq_ceiling);
	return platform->crypto->ctx_new(cfg, ipsp_platform_threads(platform), &sa->crypto);
}

bool ipsp_sa_is(const struct ipsp_sa *sa, const struct ipsp_sa_config *cfg)
{
	/* Floor and ceiling are left out: they only speak of numbers that are behind it. So is what
	 * it reports, which changes nothing about its packets. */
	return sa->id == cfg->id && sa->counter_id == cfg->counter_id &&
	       sa->next_id == cfg->next_id && sa->spi == cfg->spi &&
	       sa->dir == cfg->dir && sa->proto == cfg->proto && sa->mode == cfg->mode &&
	       sa->df == cfg->df && sa->ecn == cfg->ecn && sa->dscp_set == cfg->dscp_set &&
	       sa->dscp == cfg->dscp && sa->outer_ttl == cfg->outer_ttl &&
	       sa->tfc_pad == cfg->tfc_pad && sa->esn == cfg->esn && sa->replay == cfg->replay &&
	       sa->encr == cfg->encr && sa->encr_key_bits == cfg->encr_key_bits &&
	       sa->integ == cfg->integ && sa->replay_window_pkts == cfg->replay_window_pkts &&
	       sa->life_s == cfg->life_s && sa->life_bytes == cfg->life_bytes &&
	       ipsp_addr_cmp(&sa->local, &cfg->local) == 0 &&
	       ipsp_addr_cmp(&sa->remote, &cfg->remote) == 0;
}

enum ipsp_reason ipsp_sa_usable(const struct ipsp_sa *sa, uint64_t now_s)
{
	uint8_t state = atomic_load_explicit(&sa->state, memory_order_relaxed);

	if (state != IPSP_SA_MATURE && state != IPSP_SA_DYING)
		return IPSP_REASON_SA_NOT_USABLE;
	if (sa->life_s && now_s >= sa->counter->born_s && now_s - sa->counter->born_s >= sa->life_s)
		return IPSP_REASON_SA_EXPIRED;
	if (sa->life_bytes && atomic_load_explicit(&sa->counter->bytes, memory_order_relaxed) >=
				      sa->life_bytes)
		return IPSP_REASON_SA_EXPIRED;
	return IPSP_REASON_NONE;
}

uint64_t ipsp_sa_seq_left(const struct ipsp_sa *sa)
{
	uint64_t ceiling = atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed);

	return ipsp_counter_left(sa->counter, sa->seq_floor, ceiling, sa->esn);
}

uint64_t ipsp_sa_seq_last(const struct ipsp_sa *sa)
{
	uint64_t seq = atomic_load_explicit(&sa->counter->seq, memory_order_relaxed);

	return seq > sa->seq_floor ? seq : sa->seq_floor;
}
