/*
 * spd/fit.h - does a packet lie in a box? Private to spd/. ipsp/spd.h says what fragments hide.
 */
#ifndef SPD_FIT_H
#define SPD_FIT_H

#include "spd/table.h"

/* A truth, in order: AND is the lower, OR the higher of two. */
enum ipsp_fit { IPSP_FIT_NOT, IPSP_FIT_MAYBE, IPSP_FIT_SURE };

static inline enum ipsp_fit ipsp_fit_ports(const struct ipsp_flow *f, uint32_t lo, uint32_t hi,
					   uint32_t port)
{
	if (f->ports_known)
		return lo <= port && port <= hi ? IPSP_FIT_SURE : IPSP_FIT_NOT;
	if (lo == 0 && (hi == IPSP_PORT_NONE || (hi == IPSP_PORT_NONE - 1 && f->proto_known)))
		return IPSP_FIT_SURE;
	return IPSP_FIT_MAYBE;
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
	    f->dscp < box->dscp_lo || f->dscp > box->dscp_hi)
		return IPSP_FIT_NOT;
	if (f->family == 6 && (f->flow_label < box->flow_lo || f->flow_label > box->flow_hi))
		return IPSP_FIT_NOT;
	proto = ipsp_fit_proto(f, box);
	sport = ipsp_fit_ports(f, box->sport_lo, box->sport_hi, f->sport);
	dport = ipsp_fit_ports(f, box->dport_lo, box->dport_hi, f->dport);
	if (proto == IPSP_FIT_NOT || sport == IPSP_FIT_NOT || dport == IPSP_FIT_NOT)
		return IPSP_FIT_NOT;
	return proto == IPSP_FIT_SURE && sport == IPSP_FIT_SURE && dport == IPSP_FIT_SURE ?
		IPSP_FIT_SURE : IPSP_FIT_MAYBE;
}

#endif
