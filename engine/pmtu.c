/* engine/pmtu.c - the path of an SA: how large its packets can be. */
#include "engine/ah.h"
#include "engine/esp.h"
#include "engine/header.h"
#include "engine/nat.h"
#include "engine/pmtu.h"
#include "engine/tunnel.h"
#include "ipsp/udp_encap.h"
#include "spd/octets.h"

#define PROTO_UDP 17

/* RFC 1191 7.1: what an error of an old router, which names no size, can mean. */
static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508 };

static uint32_t relaxed(const _Atomic uint32_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* The link's, asked for once a second at most; also when it is not known. */
static uint32_t link_mtu(const struct ipsp_engine *engine, struct ipsp_path *path,
			 const struct ipsp_addr *dst, uint64_t now_s)
{
	const struct ipsp_platform *p = engine->config.platform;
	uint32_t mtu;

	if (atomic_load_explicit(&path->link_s, memory_order_relaxed) == now_s + 1)
		return relaxed(&path->link_mtu);
	mtu = p->path_mtu ? p->path_mtu(p->ctx, dst) : 0;
	atomic_store_explicit(&path->link_mtu, mtu, memory_order_relaxed);
	atomic_store_explicit(&path->link_s, now_s + 1, memory_order_relaxed);
	return mtu;
}

uint32_t ipsp_engine_path_learned(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
				  uint64_t now_s)
{
	const uint32_t mtu = relaxed(&sa->path.learned_mtu);
	const uint64_t age_s = engine->settings.pmtu_age_s;
	uint64_t learned_s;

	if (mtu == 0 || age_s == 0)
		return mtu;
	learned_s = atomic_load_explicit(&sa->path.learned_s, memory_order_relaxed);
	return now_s - learned_s < age_s ? mtu : 0;
}

uint32_t ipsp_path_mtu(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		       const struct ipsp_addr *dst, uint64_t now_s)
{
	/* What is known of the path is a part of an SA that packets do change. */
	struct ipsp_path *const path = (struct ipsp_path *)(uintptr_t)&sa->path;
	const uint32_t link = link_mtu(engine, path, dst, now_s);
	const uint32_t learned = ipsp_engine_path_learned(engine, sa, now_s);

	if (link == 0 || (learned != 0 && learned < link))
		return learned ? learned : UINT32_MAX;
	return link;
}

uint32_t ipsp_path_mtu_of(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
			  const struct ipsp_flow *flow, uint64_t now_s)
{
	struct ipsp_addr src, dst = flow->dst;

	if (sa->mode == IPSP_MODE_TUNNEL) {
		if (ipsp_tunnel_ends(engine->config.platform, sa, flow, &src, &dst) !=
		    IPSP_REASON_NONE)
			return UINT32_MAX;
		ipsp_nat_dst(sa, &dst);
	}
	return ipsp_path_mtu(engine, sa, &dst, now_s);
}

enum ipsp_path_fit ipsp_path_judge(const struct ipsp_sa *sa, const struct ipsp_flow *flow,
				   uint32_t outer_len, uint32_t mtu)
{
	const bool is_tunnel = sa->mode == IPSP_MODE_TUNNEL;
	bool df;

	if (outer_len <= mtu)
		return IPSP_PATH_FITS;
	if (is_tunnel)
		df = ipsp_tunnel_df(sa, flow);
	else
		df = flow->family == 6 ? flow->total_len > IPSP_V6_LINK_MIN : flow->df;
	if (is_tunnel && flow->family == 4 && !flow->df && (sa->frag_before || df))
		return IPSP_PATH_CUT_INNER;
	return df ? IPSP_PATH_TELL : IPSP_PATH_CUT;
}

/* What ESP puts around its text, the headers before it included. */
static uint32_t esp_around(const struct ipsp_sa *sa, uint32_t headers_len)
{
	return headers_len + ipsp_nat_len(sa) + IPSP_ESP_HEADER + sa->shape.iv_len +
	       sa->shape.icv_len;
}

/* What AH adds, or IPComp to what it does not compress. */
static uint32_t added(const struct ipsp_sa *sa, uint8_t family, uint32_t headers_len)
{
	return (sa->mode == IPSP_MODE_TUNNEL ? headers_len : 0) +
	       (sa->proto == IPSP_PROTO_AH ? ipsp_ah_size(sa, family) : 0);
}

uint32_t ipsp_path_inner(const struct ipsp_sa *sa, uint8_t family, uint32_t headers_len,
			 uint32_t mtu)
{
	const uint32_t around = sa->proto == IPSP_PROTO_ESP ? esp_around(sa, headers_len) :
							      added(sa, family, headers_len);
	uint32_t text;

	if (mtu == UINT32_MAX)
		return mtu;
	if (mtu <= around)
		return 0;
	if (sa->proto != IPSP_PROTO_ESP)
		return mtu - around;
	text = (mtu - around) / sa->shape.block_len * sa->shape.block_len;
	if (text <= IPSP_ESP_TRAILER)
		return 0;
	return text - IPSP_ESP_TRAILER + (sa->mode == IPSP_MODE_TUNNEL ? 0 : headers_len);
}

uint32_t ipsp_path_outer(const struct ipsp_sa *sa, uint8_t family, uint32_t headers_len,
			 uint32_t len)
{
	const uint32_t payload = len - (sa->mode == IPSP_MODE_TUNNEL ? 0 : headers_len);
	const uint32_t block = sa->shape.block_len;

	if (sa->proto != IPSP_PROTO_ESP)
		return len + added(sa, family, headers_len);
	return esp_around(sa, headers_len) +
	       (payload + IPSP_ESP_TRAILER + block - 1) / block * block;
}

/* ---- what errors say ---- */

/* SAs whose packets go to no one peer alone are named without one. */
static struct ipsp_sa *outbound_sa(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				   const struct ipsp_flow *f)
{
	static const struct ipsp_addr none;
	struct ipsp_sa *sa = ipsp_sad_find_outbound(sad, spi, proto, &f->dst);

	if (!sa)
		sa = ipsp_sad_find_outbound(sad, spi, proto, &none);
	return sa && (sa->local.family == 0 || ipsp_addr_cmp(&sa->local, &f->src) == 0) ? sa :
											  NULL;
}

/* What an error says of the packet that it quotes. */
struct quoted {
	struct ipsp_sa *sa;	/* that made it */
	bool has_seq;
	uint32_t seq;		/* low half of its number */
};

/* Where SPI and number stand: RFC 4303 2, RFC 4302 2. Of AH the number may have been cut off. */
static bool read_quoted(const struct ipsp_engine *engine, const struct ipsp_icmp *icmp,
			struct quoted *out)
{
	const struct ipsp_flow *f = &icmp->flow;
	const bool in_udp = f->proto_known && f->proto == PROTO_UDP &&
			    (f->sport == IPSP_UDP_PORT || f->dport == IPSP_UDP_PORT);
	const bool is_ah = f->proto_known && f->proto == IPSP_PROTO_AH;
	const uint32_t at = in_udp ? IPSP_UDP_HEADER : is_ah ? 4 : 0;

	if (!f->proto_known || (f->proto != IPSP_PROTO_ESP && !is_ah && !in_udp) ||
	    f->frag == IPSP_FRAG_LATER || icmp->l4_len < at + 4)
		return false;
	out->sa = outbound_sa(engine->sad, get_be32(icmp->l4 + at),
			      is_ah ? IPSP_PROTO_AH : IPSP_PROTO_ESP, f);
	out->has_seq = icmp->l4_len >= at + 8;
	if (out->has_seq)
		out->seq = get_be32(icmp->l4 + at + 4);
	return out->sa && (ipsp_nat_len(out->sa) > 0) == in_udp;
}

/* Only who saw a packet of late knows such a number. */
static bool is_recent(const struct quoted *q)
{
	return q->has_seq && (uint32_t)ipsp_sa_seq_last(q->sa) - q->seq < IPSP_QUOTE_WINDOW;
}

/* 0: nothing to be learned from it. */
static uint32_t said_mtu(const struct ipsp_icmp *icmp)
{
	const uint32_t least = icmp->flow.family == 4 ? IPSP_PATH_V4_MIN : IPSP_PATH_V6_MIN;
	uint32_t mtu = icmp->mtu;

	for (size_t i = 0; mtu == 0 && i < sizeof(plateaus) / sizeof(plateaus[0]); i++) {
		if (plateaus[i] < icmp->quoted_len)
			mtu = plateaus[i];
	}
	/* It was too long for what it came to: anything else is no answer to it. */
	if (mtu >= icmp->quoted_len)
		return 0;
	return mtu < least ? least : mtu;
}

enum ipsp_path_heard ipsp_path_hear(struct ipsp_engine *engine, const struct ipsp_icmp *icmp,
				    uint64_t now_s)
{
	struct quoted q = { .has_seq = false };
	uint32_t mtu;

	if (!read_quoted(engine, icmp, &q))
		return IPSP_PATH_NOT_OURS;
	mtu = icmp->too_big ? said_mtu(icmp) : 0;
	if (mtu == 0 || !engine->settings.pmtu_listen || !is_recent(&q) ||
	    mtu >= ipsp_path_mtu(engine, q.sa, &icmp->flow.dst, now_s))
		return IPSP_PATH_IGNORED;
	atomic_store_explicit(&q.sa->path.learned_s, now_s, memory_order_relaxed);
	atomic_store_explicit(&q.sa->path.learned_mtu, mtu, memory_order_relaxed);
	return IPSP_PATH_LEARNED;
}
