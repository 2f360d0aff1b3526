/*
 * spd/flow.c - reads a packet's headers for selectors. RFC 4301 4.4.1.1; RFC 791; RFC 8200 4.
 *
 * The packet is hostile: each length is checked against what is there before it is used.
 */
#include <string.h>

#include "ipsp/flow.h"
#include "spd/octets.h"

enum {
	NH_HOP_BY_HOP = 0,
	NH_ICMP = 1,
	NH_TCP = 6,
	NH_UDP = 17,
	NH_DCCP = 33,
	NH_ROUTING = 43,
	NH_FRAGMENT = 44,
	NH_ICMPV6 = 58,
	NH_DSTOPTS = 60,
	NH_SCTP = 132,
	NH_MOBILITY = 135,
	NH_UDPLITE = 136,
};

#define V4_HEADER 20u
#define V6_HEADER 40u

bool ipsp_proto_has_ports(uint8_t proto)
{
	switch (proto) {
	case NH_TCP:
	case NH_UDP:
	case NH_DCCP:
	case NH_SCTP:
	case NH_UDPLITE:
		return true;
	default:
		return false;
	}
}

bool ipsp_proto_has_messages(uint8_t proto)
{
	return proto == NH_ICMP || proto == NH_ICMPV6 || proto == NH_MOBILITY;
}

uint32_t ipsp_proto_selected(uint8_t proto)
{
	if (ipsp_proto_has_ports(proto))
		return 4;	/* both ports */
	switch (proto) {
	case NH_ICMP:
	case NH_ICMPV6:
		return 2;	/* type, code */
	case NH_MOBILITY:
		return 3;	/* RFC 6275 6.1: its type is the third */
	default:
		return 0;
	}
}

static void addr_set(struct ipsp_addr *a, uint8_t family, const uint8_t *octets)
{
	memset(a, 0, sizeof(*a));
	a->family = family;
	memcpy(a->octets, octets, ipsp_addr_size(family));
}

/* Ports, or a message, stand in the first octets, unless this fragment does not have those. */
static enum ipsp_reason parse_ports(const uint8_t *p, struct ipsp_flow *f)
{
	const uint32_t left = f->total_len - f->l4_offset;
	const uint32_t needs = ipsp_proto_selected(f->proto);

	f->sport = f->dport = IPSP_PORT_NONE;
	f->ports_known = true;
	if (!f->proto_known) {
		f->ports_known = false;
		return IPSP_REASON_NONE;
	}
	if (needs == 0)
		return IPSP_REASON_NONE;
	if (f->frag == IPSP_FRAG_LATER || (f->frag == IPSP_FRAG_FIRST && left < needs)) {
		f->ports_known = false;
		return IPSP_REASON_NONE;
	}
	if (left < needs)
		return IPSP_REASON_MALFORMED;
	p += f->l4_offset;
	if (f->proto == NH_MOBILITY) {
		f->sport = IPSP_PORT_MESSAGE + p[2] * 256u;
	} else if (ipsp_proto_has_messages(f->proto)) {
		f->sport = IPSP_PORT_MESSAGE + get_be16(p);
	} else {
		f->sport = get_be16(p);
		f->dport = get_be16(p + 2);
	}
	return IPSP_REASON_NONE;
}

static enum ipsp_reason parse_v4(struct ipsp_span packet, struct ipsp_flow *f)
{
	const uint8_t *p = packet.data;

	if (packet.len < V4_HEADER)
		return IPSP_REASON_TRUNCATED;
	uint32_t header_len = (p[0] & 15) * 4u;
	uint32_t total_len = get_be16(p + 2);

	if (header_len < V4_HEADER || total_len < header_len)
		return IPSP_REASON_MALFORMED;
	if (total_len > packet.len)
		return IPSP_REASON_TRUNCATED;

	uint16_t frag = get_be16(p + 6);
	uint32_t offset = (frag & 0x1fffu) * 8;

	if (offset + (total_len - header_len) > 65535 - header_len)
		return IPSP_REASON_MALFORMED;	/* would reassemble beyond an IPv4 packet */
	f->family = 4;
	f->dscp = p[1] >> 2;
	f->ecn = p[1] & 3;
	f->ttl = p[8];
	f->proto = p[9];
	f->proto_known = true;
	f->df = (frag & 0x4000) != 0;
	f->frag = offset > 0 ? IPSP_FRAG_LATER :
		  frag & 0x2000 ? IPSP_FRAG_FIRST : IPSP_FRAG_NONE;
	if (f->frag != IPSP_FRAG_NONE) {
		f->frag_id = get_be16(p + 4);
		f->frag_offset = offset;
		f->frag_at = header_len;
		f->frag_more = (frag & 0x2000) != 0;
	}
	f->total_len = total_len;
	f->l4_offset = header_len;
	f->l4_nh_offset = 9;
	f->esp_offset = header_len;
	f->esp_nh_offset = 9;
	addr_set(&f->src, 4, p + 12);
	addr_set(&f->dst, 4, p + 16);
	return parse_ports(p, f);
}

/* What the chain of extension headers says; at and nh_at move along it. */
struct chain {
	uint32_t at;	/* the header that nh names */
	uint32_t nh_at;	/* where nh stands */
	uint8_t nh;
};

static bool chain_step(const uint8_t *p, uint32_t end, uint32_t len, struct chain *c)
{
	if (len > end - c->at)
		return false;
	c->nh_at = c->at;
	c->nh = p[c->at];
	c->at += len;
	return true;
}

static enum ipsp_reason parse_fragment(const uint8_t *p, struct ipsp_flow *f,
				       const struct chain *c)
{
	uint16_t frag = get_be16(p + c->at + 2);
	uint32_t offset = frag & 0xfff8u;

	if (f->frag != IPSP_FRAG_NONE)
		return IPSP_REASON_EXTENSIONS;
	if (offset + (f->total_len - c->at - 8) > 65535)
		return IPSP_REASON_MALFORMED;
	if (offset > 0)
		f->frag = IPSP_FRAG_LATER;
	else if (frag & 1)
		f->frag = IPSP_FRAG_FIRST;
	if (f->frag != IPSP_FRAG_NONE) {
		f->frag_id = get_be32(p + c->at + 4);
		f->frag_offset = offset;
		f->frag_at = c->at + 8;
		f->frag_nh_offset = c->nh_at;
		f->frag_more = (frag & 1) != 0;
	}
	return IPSP_REASON_NONE;
}

/*
 * Walks to the next layer protocol. ESP goes behind hop-by-hop, routing and fragment headers and
 * behind the destination options that come before those; the last options stay with the payload.
 */
static enum ipsp_reason walk_extensions(const uint8_t *p, struct ipsp_flow *f)
{
	struct chain c = { .at = V6_HEADER, .nh_at = 6, .nh = p[6] };

	f->frag = IPSP_FRAG_NONE;
	f->proto_known = true;
	f->esp_offset = c.at;
	f->esp_nh_offset = c.nh_at;
	for (unsigned n = 0;; n++) {
		enum ipsp_reason reason;
		uint8_t nh = c.nh;
		uint32_t len;

		if (nh != NH_HOP_BY_HOP && nh != NH_ROUTING && nh != NH_FRAGMENT &&
		    nh != NH_DSTOPTS)
			break;
		if (f->frag == IPSP_FRAG_LATER) {
			/* Its headers are in the first fragment: nothing here is one. */
			f->proto_known = false;
			break;
		}
		if (n == IPSP_FLOW_EXTENSIONS_MAX || (nh == NH_HOP_BY_HOP && n > 0))
			return IPSP_REASON_EXTENSIONS;
		if (f->total_len - c.at < 8) {
			if (f->frag != IPSP_FRAG_FIRST)
				return IPSP_REASON_TRUNCATED;
			f->proto_known = false;
			break;
		}
		len = nh == NH_FRAGMENT ? 8 : (p[c.at + 1] + 1u) * 8;
		if (nh == NH_FRAGMENT) {
			reason = parse_fragment(p, f, &c);
			if (reason != IPSP_REASON_NONE)
				return reason;
		}
		if (!chain_step(p, f->total_len, len, &c)) {
			if (f->frag != IPSP_FRAG_FIRST)
				return IPSP_REASON_TRUNCATED;
			f->proto_known = false;
			break;
		}
		if (nh != NH_DSTOPTS) {
			f->esp_offset = c.at;
			f->esp_nh_offset = c.nh_at;
		}
	}
	f->proto = f->proto_known ? c.nh : 0;
	f->l4_offset = c.at;
	f->l4_nh_offset = c.nh_at;
	return IPSP_REASON_NONE;
}

static enum ipsp_reason parse_v6(struct ipsp_span packet, struct ipsp_flow *f)
{
	const uint8_t *p = packet.data;
	enum ipsp_reason reason;

	if (packet.len < V6_HEADER)
		return IPSP_REASON_TRUNCATED;
	uint32_t payload_len = get_be16(p + 4);

	if (payload_len == 0 && p[6] == NH_HOP_BY_HOP)
		return IPSP_REASON_JUMBO;
	if (payload_len > packet.len - V6_HEADER)
		return IPSP_REASON_TRUNCATED;
	f->family = 6;
	f->dscp = (uint8_t)((get_be16(p) >> 6) & 63);
	f->ecn = (uint8_t)((get_be16(p) >> 4) & 3);
	f->flow_label = get_be32(p) & IPSP_FLOW_MAX;
	f->ttl = p[7];
	f->total_len = V6_HEADER + payload_len;
	addr_set(&f->src, 6, p + 8);
	addr_set(&f->dst, 6, p + 24);
	reason = walk_extensions(p, f);
	if (reason != IPSP_REASON_NONE)
		return reason;
	return parse_ports(p, f);
}

enum ipsp_reason ipsp_flow_parse(struct ipsp_span packet, struct ipsp_flow *out)
{
	if (packet.len < 1)
		return IPSP_REASON_TRUNCATED;
	/* In place: a copy of what was just written octet by octet would wait for all of it. */
	memset(out, 0, sizeof(*out));
	switch (packet.data[0] >> 4) {
	case 4:
		return parse_v4(packet, out);
	case 6:
		return parse_v6(packet, out);
	default:
		return IPSP_REASON_VERSION;
	}
}
