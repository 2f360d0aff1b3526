/*
 * spd/fit.h - does a packet lie in a box? Private to spd/. ipsp/spd.h says what fragments hide.
 */
#ifndef SPD_FIT_H
#define SPD_FIT_H

#include "spd/table.h"

/* A truth, in order: AND is the lower, OR the higher of two. */
enum ipsp_fit { IPSP_FIT_NOT, IPSP_FIT_MAYBE, IPSP_FIT_SURE };

/* Are all source or destination ports there that a packet of that protocol might hide? */
static inline bool ipsp_fit_hidden(const struct ipsp_flow *f, uint32_t lo, uint32_t hi)
{
	if (!f->proto_known)
		return lo == 0 && hi == IPSP_PORT_NONE;
	if (ipsp_proto_has_messages(f->proto))
		return lo <= IPSP_PORT_MESSAGE && hi >= IPSP_PORT_MESSAGE_MAX;
	return lo == 0 && hi >= IPSP_PORT_MAX;
}

static inline enum ipsp_fit ipsp_fit_sport(const struct ipsp_flow *f, uint32_t lo, uint32_t hi)
{
	if (f->ports_known)
		return lo <= f->sport && f->sport <= hi ? IPSP_FIT_SURE : IPSP_FIT_NOT;
	if (f->proto_known && ipsp_proto_has_messages(f->proto) &&
	    (hi < IPSP_PORT_MESSAGE || lo > IPSP_PORT_MESSAGE_MAX))
		return IPSP_FIT_NOT;
	return ipsp_fit_hidden(f, lo, hi) ? IPSP_FIT_SURE : IPSP_FIT_MAYBE;
}

/* Messages have no destination port, and nothing to hide there. */
static inline enum ipsp_fit ipsp_fit_dport(const struct ipsp_flow *f, uint32_t lo, uint32_t hi)
{
	if (f->ports_known || (f->proto_known && ipsp_proto_has_messages(f->proto)))
		return lo <= f->dport && f->dport <= hi ? IPSP_FIT_SURE : IPSP_FIT_NOT;
	return ipsp_fit_hidden(f, lo, hi) ? IPSP_FIT_SURE : IPSP_FIT_MAYBE;
}

static inline bool ipsp_fit_hides(const struct ipsp_flow *f, uint8_t hides)
{
	return hides == IPSP_HIDES_ANY || f->ports_known == (hides == IPSP_HIDES_NEVER);
}

static inline enum ipsp_fit ipsp_fit_proto(const struct ipsp_flow *f,
					   const struct ipsp_spd_box *box)
{
	if (f->proto_known)
		return box->proto_lo <= f->proto && f->proto <= box->proto_hi ? IPSP_FIT_SURE :
										IPSP_FIT_NOT;
	return box->proto_lo == 0 && box->proto_hi == 255 ? IPSP_FIT_SURE : IPSP_FIT_MAYBE;
}

/** src and dst: the flow's, as ipsp_spd_words gives them. The family is the caller's matter. */
static inline enum ipsp_fit ipsp_fit_box(const struct ipsp_flow *f, const uint64_t src[2],
					 const uint64_t dst[2], const struct ipsp_spd_box *box)
{
	enum ipsp_fit proto, sport, dport;

	if (!ipsp_spd_words_le(box->src_lo, src) || !ipsp_spd_words_le(src, box->src_hi) ||
	    !ipsp_spd_words_le(box->dst_lo, dst) || !ipsp_spd_words_le(dst, box->dst_hi) ||
	    f->dscp < box->dscp_lo || f->dscp > box->dscp_hi || !ipsp_fit_hides(f, box->hides))
		return IPSP_FIT_NOT;
	if (f->family == 6 && (f->flow_label < box->flow_lo || f->flow_label > box->flow_hi))
		return IPSP_FIT_NOT;
	proto = ipsp_fit_proto(f, box);
	sport = ipsp_fit_sport(f, box->sport_lo, box->sport_hi);
	dport = ipsp_fit_dport(f, box->dport_lo, box->dport_hi);
	if (proto == IPSP_FIT_NOT || sport == IPSP_FIT_NOT || dport == IPSP_FIT_NOT)
		return IPSP_FIT_NOT;
	return proto == IPSP_FIT_SURE && sport == IPSP_FIT_SURE && dport == IPSP_FIT_SURE ?
		IPSP_FIT_SURE : IPSP_FIT_MAYBE;
}

#endif
