/*
 * sad/sa.c - one SA: what configurations can be one, its states, its lifetime. RFC 4301 4.4.2.1.
 */
#include <string.h>

#include "ipsp/compress.h"
#include "ipsp/platform.h"
#include "ipsp/spd.h"
#include "sad/sad.h"

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

const char *ipsp_proto_text(uint8_t proto)
{
	switch (proto) {
	case IPSP_PROTO_ESP:
		return "ESP";
	case IPSP_PROTO_AH:
		return "AH";
	case IPSP_PROTO_IPCOMP:
		return "IPComp";
	default:
		return "none";
	}
}

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
		return !(cfg->esn && cfg->seq_rollover);
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
	       cfg->dscp <= IPSP_DSCP_MAX && cfg->tfc_pad <= IPSP_TFC_PAD_MAX &&
	       cfg->flow_label <= IPSP_FLOW_COPY;
}

/* What hides traffic is for ESP in tunnel mode, whose inner packets know their length. */
static bool hiding_valid(const struct ipsp_sa_config *cfg)
{
	if (!cfg->tfc_random && !cfg->dummy_s)
		return true;
	return cfg->proto == IPSP_PROTO_ESP && cfg->mode == IPSP_MODE_TUNNEL &&
	       cfg->tfc_random <= IPSP_TFC_RANDOM_MAX && cfg->dummy_len <= IPSP_DUMMY_LEN_MAX;
}

/* No AH over a NAT: RFC 3948 1. */
static bool encap_valid(const struct ipsp_sa_config *cfg)
{
	const struct ipsp_encap *e = &cfg->encap;

	if (e->type == IPSP_ENCAP_NONE)
		return true;
	return e->type == IPSP_ENCAP_UDP && cfg->proto == IPSP_PROTO_ESP && e->sport && e->dport &&
	       addr_valid(&e->orig_src) && addr_valid(&e->orig_dst);
}

/* RFC 3173 3.3: well-known numbers are the transforms' own, others below 256 nobody's. */
static bool cpi_valid(const struct ipsp_sa_config *cfg)
{
	return cfg->spi <= UINT16_MAX && (cfg->spi >= 256 || cfg->spi == cfg->encr);
}

/* What can be said of one SA of a chain alone. */
static bool chain_valid(const struct ipsp_sa_config *cfg)
{
	const bool is_inside = cfg->bundle_id == 0 || cfg->bundle_id == cfg->id;

	if (cfg->next_id == cfg->id || (!is_inside && cfg->mode != IPSP_MODE_TRANSPORT))
		return false;
	/* Compression protects nothing. What is around SAs of key managers, templates say. */
	return cfg->proto != IPSP_PROTO_IPCOMP || cfg->origin == IPSP_ORIGIN_PFKEY ||
	       (is_inside && cfg->next_id != 0);
}

static bool ipcomp_valid(const struct ipsp_sa_config *cfg)
{
	return cpi_valid(cfg) && !cfg->esn && !cfg->replay && cfg->tfc_pad == 0;
}

bool ipsp_sa_traffic_valid(const struct ipsp_sa_config *cfg)
{
	bool valid = (cfg->sel.family == 0 || ipsp_selector_valid(&cfg->sel)) &&
		     cfg->n_boxes <= IPSP_SA_BOXES_MAX;

	for (uint32_t i = 0; valid && i < cfg->n_boxes; i++)
		valid = ipsp_selector_valid(&cfg->boxes[i]);
	return valid;
}

bool ipsp_sa_carries(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	if (sa->sel.family != 0 && !ipsp_selector_has(&sa->sel, flow))
		return false;
	for (uint32_t i = 0; i < sa->n_boxes; i++) {
		if (ipsp_selector_has(&sa->boxes[i], flow))
			return true;
	}
	return sa->n_boxes == 0;
}

enum ipsp_err ipsp_sa_config_check(const struct ipsp_platform *platform,
				   const struct ipsp_sa_config *cfg,
				   struct ipsp_crypto_shape *shape)
{
	/* SPIs 1..255 are IANA's, 0 is for local use: RFC 4303 2.1. */
	if (cfg->id == 0 || (cfg->spi < 256 && cfg->proto != IPSP_PROTO_IPCOMP) ||
	    (cfg->dir != IPSP_INBOUND && cfg->dir != IPSP_OUTBOUND))
		return IPSP_EINVAL;
	if (!addr_valid(&cfg->local) || !addr_valid(&cfg->remote) ||
	    (cfg->local.family && cfg->remote.family && cfg->local.family != cfg->remote.family))
		return IPSP_EINVAL;
	if (!mode_valid(cfg) || !numbers_valid(cfg) || !encap_valid(cfg) ||
	    !chain_valid(cfg) || !hiding_valid(cfg) || cfg->origin >= IPSP_ORIGIN_CLEAR ||
	    !ipsp_sa_traffic_valid(cfg))
		return IPSP_EINVAL;
	if (cfg->proto == IPSP_PROTO_IPCOMP) {
		*shape = (struct ipsp_crypto_shape){ 0 };
		if (!platform->compress || !platform->compress->offers(cfg->encr))
			return IPSP_ENOTSUP;
		return ipcomp_valid(cfg) ? IPSP_OK : IPSP_EINVAL;
	}
	if (cfg->proto != IPSP_PROTO_ESP && cfg->proto != IPSP_PROTO_AH)
		return IPSP_ENOTSUP;
	return platform->crypto->shape(cfg->proto, cfg->encr, cfg->encr_key_bits, cfg->integ, shape);
}

enum ipsp_err ipsp_sa_set_terms(struct ipsp_sad *sad, struct ipsp_sa *sa,
				const struct ipsp_sa_config *cfg)
{
	const struct ipsp_platform *p = sad->platform;
	const size_t size = cfg->n_boxes * sizeof(*sa->boxes);

	sa->boxes = size > 0 ? p->alloc(p->ctx, size) : NULL;
	sa->n_boxes = sa->boxes ? cfg->n_boxes : 0;
	if (sa->n_boxes != cfg->n_boxes)
		return IPSP_ENOMEM;
	if (size > 0)
		memcpy(sa->boxes, cfg->boxes, size);
	sa->local = cfg->local;
	sa->remote = cfg->remote;
	sa->reqid = cfg->reqid;
	sa->sel = cfg->sel;
	sa->life_s = cfg->life_s;
	sa->life_use_s = cfg->life_use_s;
	sa->life_bytes = cfg->life_bytes;
	sa->life_packets = cfg->life_packets;
	sa->soft_s = cfg->soft_s;
	sa->soft_use_s = cfg->soft_use_s;
	sa->soft_bytes = cfg->soft_bytes;
	sa->soft_packets = cfg->soft_packets;
	sa->idle_s = cfg->idle_s;
	sa->idle_with = cfg->idle_with;
	sa->counts_down = cfg->life_bytes || cfg->life_packets || cfg->soft_bytes ||
			  cfg->soft_packets || cfg->life_use_s || cfg->soft_use_s;
	return IPSP_OK;
}

void ipsp_sa_free_boxes(struct ipsp_sad *sad, struct ipsp_sa *sa)
{
	if (sa->boxes)
		sad->platform->free(sad->platform->ctx, sa->boxes,
				    sa->n_boxes * sizeof(*sa->boxes));
	sa->boxes = NULL;
	sa->n_boxes = 0;
}

void ipsp_sa_begin(struct ipsp_sa *sa)
{
	const uint64_t born_s = sa->counter->born_s;

	sa->dead_at_s = sa->life_s && sa->life_s <= UINT64_MAX - born_s ? born_s + sa->life_s :
									   UINT64_MAX;
}

enum ipsp_err ipsp_sa_init(struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
			   const struct ipsp_crypto_shape *shape, struct ipsp_sa *sa)
{
	enum ipsp_err err;

	memset(sa, 0, sizeof(*sa));
	sa->sad = sad;
	sa->due_at = IPSP_SA_NOT_DUE;
	sa->dead_at_s = UINT64_MAX;
	sa->origin = cfg->origin;
	sa->id = cfg->id;
	sa->counter_id = cfg->counter_id;
	sa->next_id = cfg->next_id;
	sa->bundle_id = cfg->bundle_id;
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
	sa->tfc_random = cfg->tfc_random;
	sa->dummy_s = cfg->dummy_s;
	sa->dummy_len = cfg->dummy_len;
	sa->flow_label = cfg->flow_label;
	sa->pad_unchecked = cfg->pad_unchecked;
	sa->seq_rollover = cfg->seq_rollover;
	sa->esn = cfg->esn;
	sa->frag_before = cfg->frag_before;
	sa->replay = cfg->replay;
	sa->encr = cfg->encr;
	sa->encr_key_bits = cfg->encr_key_bits;
	sa->integ = cfg->integ;
	sa->replay_window_pkts = cfg->replay_window_pkts;
	sa->seq_floor = cfg->seq_floor;
	if (cfg->encap.type != IPSP_ENCAP_NONE)
		sa->encap = cfg->encap;
	err = ipsp_sa_set_terms(sad, sa, cfg);
	if (err != IPSP_OK)
		return err;
	sa->shape = *shape;
	atomic_init(&sa->state, IPSP_SA_MATURE);
	atomic_init(&sa->packet_log, cfg->packet_log);
	atomic_init(&sa->seq_ceiling, cfg->seq_ceiling);
	if (cfg->proto == IPSP_PROTO_IPCOMP)
		return IPSP_OK;
	err = sad->platform->crypto->ctx_new(cfg, ipsp_platform_threads(sad->platform),
					     &sa->crypto);
	if (err != IPSP_OK)
		ipsp_sa_free_boxes(sad, sa);
	return err;
}

static bool same_selector(const struct ipsp_selector *a, const struct ipsp_selector *b)
{
	if (a->family == 0 || b->family == 0)
		return a->family == b->family;
	return a->family == b->family && a->proto_lo == b->proto_lo && a->proto_hi == b->proto_hi &&
	       a->dscp_lo == b->dscp_lo && a->dscp_hi == b->dscp_hi && a->hides == b->hides &&
	       a->flow_lo == b->flow_lo && a->flow_hi == b->flow_hi && a->sport_lo == b->sport_lo &&
	       a->sport_hi == b->sport_hi && a->dport_lo == b->dport_lo &&
	       a->dport_hi == b->dport_hi && ipsp_addr_cmp(&a->src_lo, &b->src_lo) == 0 &&
	       ipsp_addr_cmp(&a->src_hi, &b->src_hi) == 0 &&
	       ipsp_addr_cmp(&a->dst_lo, &b->dst_lo) == 0 &&
	       ipsp_addr_cmp(&a->dst_hi, &b->dst_hi) == 0;
}

static bool same_traffic(const struct ipsp_sa *sa, const struct ipsp_sa_config *cfg)
{
	bool same = same_selector(&sa->sel, &cfg->sel) && sa->n_boxes == cfg->n_boxes;

	for (uint32_t i = 0; same && i < sa->n_boxes; i++)
		same = same_selector(&sa->boxes[i], &cfg->boxes[i]);
	return same;
}

static bool same_terms(const struct ipsp_sa *sa, const struct ipsp_sa_config *cfg)
{
	return sa->life_s == cfg->life_s && sa->life_use_s == cfg->life_use_s &&
	       sa->life_bytes == cfg->life_bytes && sa->life_packets == cfg->life_packets &&
	       sa->soft_s == cfg->soft_s && sa->soft_use_s == cfg->soft_use_s &&
	       sa->soft_bytes == cfg->soft_bytes && sa->soft_packets == cfg->soft_packets &&
	       sa->idle_s == cfg->idle_s && sa->idle_with == cfg->idle_with && sa->reqid == cfg->reqid &&
	       same_traffic(sa, cfg) &&
	       ipsp_addr_cmp(&sa->local, &cfg->local) == 0 &&
	       ipsp_addr_cmp(&sa->remote, &cfg->remote) == 0;
}

static bool encap_is(const struct ipsp_encap *a, const struct ipsp_encap *b)
{
	if (a->type == IPSP_ENCAP_NONE)
		return b->type == IPSP_ENCAP_NONE;
	return a->type == b->type && a->sport == b->sport && a->dport == b->dport &&
	       a->keepalive_s == b->keepalive_s && a->follow_id == b->follow_id &&
	       ipsp_addr_cmp(&a->orig_src, &b->orig_src) == 0 &&
	       ipsp_addr_cmp(&a->orig_dst, &b->orig_dst) == 0;
}

bool ipsp_sa_is(const struct ipsp_sa *sa, const struct ipsp_sa_config *cfg)
{
	/* Floor and ceiling are left out: they only speak of numbers that are behind it. So is what
	 * it reports, which changes nothing about its packets. */
	return sa->id == cfg->id && sa->counter_id == cfg->counter_id &&
	       sa->next_id == cfg->next_id && sa->bundle_id == cfg->bundle_id &&
	       sa->spi == cfg->spi &&
	       sa->dir == cfg->dir && sa->proto == cfg->proto && sa->mode == cfg->mode &&
	       sa->df == cfg->df && sa->ecn == cfg->ecn && sa->dscp_set == cfg->dscp_set &&
	       sa->dscp == cfg->dscp && sa->outer_ttl == cfg->outer_ttl &&
	       sa->frag_before == cfg->frag_before && sa->tfc_pad == cfg->tfc_pad &&
	       sa->tfc_random == cfg->tfc_random && sa->dummy_s == cfg->dummy_s &&
	       sa->dummy_len == cfg->dummy_len && sa->flow_label == cfg->flow_label &&
	       sa->pad_unchecked == cfg->pad_unchecked && sa->seq_rollover == cfg->seq_rollover &&
	       sa->esn == cfg->esn && sa->replay == cfg->replay &&
	       sa->encr == cfg->encr && sa->encr_key_bits == cfg->encr_key_bits &&
	       sa->integ == cfg->integ && sa->replay_window_pkts == cfg->replay_window_pkts &&
	       sa->origin == cfg->origin && same_terms(sa, cfg) &&
	       encap_is(&sa->encap, &cfg->encap);
}

uint64_t ipsp_sa_seq_left(const struct ipsp_sa *sa)
{
	uint64_t ceiling = atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed);

	return ipsp_counter_left(sa->counter, sa->seq_floor, ceiling, ipsp_sa_counts_64(sa));
}

uint64_t ipsp_sa_seq_last(const struct ipsp_sa *sa)
{
	uint64_t seq = atomic_load_explicit(&sa->counter->seq, memory_order_relaxed);

	return seq > sa->seq_floor ? seq : sa->seq_floor;
}
