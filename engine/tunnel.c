/*
 * engine/tunnel.c - tunnel and transport mode, whatever the protocol: see tunnel.h. RFC 4301 5.1.2
 * for outer headers; RFC 6040 for ECN.
 */
#include <string.h>

#include "engine/header.h"
#include "engine/nat.h"
#include "engine/tunnel.h"

#define DEFAULT_TTL 64u

enum ipsp_reason ipsp_tunnel_ends(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				  const struct ipsp_flow *flow, struct ipsp_addr *src,
				  struct ipsp_addr *dst)
{
	*dst = sa->remote.family ? sa->remote : flow->dst;
	if (sa->local.family) {
		*src = sa->local;
	} else if (!platform->local_addr ||
		   platform->local_addr(platform->ctx, dst, src) != IPSP_OK) {
		return IPSP_REASON_TUNNEL_LOCAL;
	}
	return src->family == dst->family ? IPSP_REASON_NONE : IPSP_REASON_TUNNEL_LOCAL;
}

enum ipsp_reason ipsp_transport_takes(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	if ((sa->local.family && ipsp_addr_cmp(&sa->local, &flow->src) != 0) ||
	    (sa->remote.family && ipsp_addr_cmp(&sa->remote, &flow->dst) != 0))
		return IPSP_REASON_TRANSPORT_ADDRESS;
	/* RFC 4303 3.3.4, RFC 4302 3.3.4: whole datagrams only. */
	return flow->frag == IPSP_FRAG_NONE ? IPSP_REASON_NONE : IPSP_REASON_TRANSPORT_FRAGMENT;
}

/*
 * RFC 4301 5.1.2.1 (4). IPv6 is never cut on the way, so its outer IPv4 is not either; but what every
 * link must take may be, where one does not (RFC 2473 7.1).
 */
bool ipsp_tunnel_df(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	switch (sa->df) {
	case IPSP_DF_SET:
		return true;
	case IPSP_DF_CLEAR:
		return false;
	default:
		return flow->family == 6 ? flow->total_len > IPSP_V6_LINK_MIN : flow->df;
	}
}

/* RFC 4301 5.1.2.1 (5) for the DSCP; RFC 6040 4.1 for ECN. */
static uint8_t outer_tos(const struct ipsp_sa *sa, const struct ipsp_flow *flow)
{
	const uint8_t dscp = sa->dscp_set ? sa->dscp : flow->dscp;
	const uint8_t ecn = sa->ecn == IPSP_ECN_NORMAL ? flow->ecn : 0;

	return (uint8_t)(dscp << 2 | ecn);
}

static uint8_t outer_ttl(const struct ipsp_engine *engine, const struct ipsp_sa *sa)
{
	if (sa->outer_ttl)
		return sa->outer_ttl;
	return engine->config.outer_ttl ? engine->config.outer_ttl : DEFAULT_TTL;
}

void ipsp_tunnel_write(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
		       const struct ipsp_flow *inner, const struct ipsp_tunnel_outer *outer,
		       uint8_t *p)
{
	const struct ipsp_outer header = {
		.src = *outer->src,
		.dst = *outer->dst,
		.total_len = outer->total_len,
		.proto = outer->proto,
		.ipv4_id = outer->ipv4_id,
		.tos = outer_tos(sa, inner),
		.flow_label = sa->flow_label == IPSP_FLOW_COPY ? inner->flow_label :
								 sa->flow_label,
		.ttl = outer_ttl(engine, sa),
		.df = ipsp_tunnel_df(sa, inner),
	};

	ipsp_outer_write(p, &header);
}

bool ipsp_tunnel_is_from_peer(const struct ipsp_sa *sa, const struct ipsp_flow *outer)
{
	return sa->remote.family == 0 || ipsp_sa_in_udp(sa) ||
	       ipsp_addr_cmp(&sa->remote, &outer->src) == 0;
}

enum ipsp_reason ipsp_tunnel_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
				    uint8_t *payload, uint32_t payload_len, uint8_t next_header,
				    struct ipsp_packet *packet, struct ipsp_flow *inner)
{
	const struct ipsp_span span = { payload, payload_len };
	uint8_t ecn = 0;

	if (!ipsp_tunnel_is_from_peer(sa, outer))
		return IPSP_REASON_TUNNEL_ADDRESS;
	if (next_header != IPSP_NH_IPV4 && next_header != IPSP_NH_IPV6)
		return IPSP_REASON_NEXT_HEADER;
	if (ipsp_flow_parse(span, inner) != IPSP_REASON_NONE ||
	    inner->family != (next_header == IPSP_NH_IPV4 ? 4 : 6))
		return IPSP_REASON_INNER;
	if (sa->ecn == IPSP_ECN_NONE)
		ecn = inner->ecn;
	else if (!ipsp_ecn_combine(outer->ecn, inner->ecn, &ecn))
		return IPSP_REASON_ECN;
	if (ecn != inner->ecn) {
		ipsp_ecn_set(payload, inner->family, ecn);
		inner->ecn = ecn;
	}
	packet->data = payload;
	packet->len = inner->total_len;
	return IPSP_REASON_NONE;
}

/* Moves the headers up to the payload; data and len become the packet without what stood between. */
static enum ipsp_reason transport_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
					 uint8_t *payload, uint32_t payload_len,
					 uint8_t next_header, struct ipsp_packet *packet,
					 struct ipsp_flow *inner)
{
	uint32_t total_len = outer->l4_offset + payload_len;
	uint8_t *p = payload - outer->l4_offset;
	const struct ipsp_span span = { p, total_len };

	if (sa->remote.family && ipsp_addr_cmp(&sa->remote, &outer->src) != 0)
		return IPSP_REASON_TRANSPORT_ADDRESS;
	memmove(p, packet->data, outer->l4_offset);
	ipsp_header_update(p, outer->family, outer->l4_nh_offset, next_header, total_len);
	if (ipsp_flow_parse(span, inner) != IPSP_REASON_NONE)
		return IPSP_REASON_INNER;
	packet->data = p;
	packet->len = total_len;
	return IPSP_REASON_NONE;
}

enum ipsp_reason ipsp_mode_unwrap(const struct ipsp_sa *sa, const struct ipsp_flow *outer,
				  uint8_t *payload, uint32_t payload_len, uint8_t next_header,
				  struct ipsp_packet *packet, struct ipsp_flow *inner)
{
	if (ipsp_mode_tunnels(sa, next_header))
		return ipsp_tunnel_unwrap(sa, outer, payload, payload_len, next_header, packet,
					  inner);
	if (packet->outer)
		return ipsp_nat_transport(sa, payload, payload_len, next_header, packet, inner);
	return transport_unwrap(sa, outer, payload, payload_len, next_header, packet, inner);
}
