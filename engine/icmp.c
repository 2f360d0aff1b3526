/* engine/icmp.c - ICMP errors, read and written. */
#include <string.h>

#include "engine/header.h"
#include "engine/icmp.h"
#include "engine/sum.h"
#include "spd/octets.h"

#define ICMP_HEADER 8u
#define TTL 64

/* RFC 792, RFC 791: what no path may be below. */
#define V4_MTU_MIN 68u
#define V6_MTU_MIN 1280u

/* Of an error: RFC 1812 4.3.2.3, RFC 4443 2.4 (c). */
#define V4_ERROR_MAX 576u
#define V6_ERROR_MAX 1280u

enum { UNREACHABLE = 3, FRAG_NEEDED = 4, QUENCH = 4, TIME_EXCEEDED = 11, PARAMETER = 12 };
enum { V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_FIRST_INFO = 128, V6_REDIRECT = 137 };

/* ---- reading ---- */

static bool is_error_type(uint8_t family, uint8_t type)
{
	if (family == 6)
		return type < V6_FIRST_INFO;
	return type == UNREACHABLE || type == QUENCH || type == TIME_EXCEEDED || type == PARAMETER;
}

static bool checksum_good(const uint8_t *icmp, uint32_t len, const struct ipsp_flow *f)
{
	if (f->family == 4)
		return ipsp_sum(icmp, len) == 0xffff;
	/* Over a message with its checksum in it, what comes out is nothing. */
	return ipsp_upper_checksum(&f->src, &f->dst, IPSP_PROTO_ICMPV6, icmp, len) == 0xffff;
}

/*
 * The quoted packet is cut short, so its own length is made to say what is there. Its next header
 * and ports are read only where they are.
 */
static bool read_quote(const uint8_t *q, uint32_t len, struct ipsp_icmp *out)
{
	uint8_t copy[IPSP_QUOTE_MAX];
	const uint8_t family = len > 0 ? q[0] >> 4 : 0;

	if (len > sizeof(copy))
		len = sizeof(copy);
	memcpy(copy, q, len);
	if (family == 4 && len >= IPSP_V4_HEADER) {
		out->quoted_len = get_be16(copy + 2);
		if (out->quoted_len > len)
			put_be16(copy + 2, (uint16_t)len);
	} else if (family == 6 && len >= IPSP_V6_HEADER) {
		out->quoted_len = IPSP_V6_HEADER + get_be16(copy + 4);
		if (out->quoted_len > len)
			put_be16(copy + 4, (uint16_t)(len - IPSP_V6_HEADER));
	} else {
		return false;
	}
	if (ipsp_flow_parse((struct ipsp_span){ copy, len }, &out->flow) != IPSP_REASON_NONE)
		return false;
	out->l4_len = out->flow.total_len - out->flow.l4_offset;
	memcpy(out->l4, copy + out->flow.l4_offset,
	       out->l4_len < sizeof(out->l4) ? out->l4_len : sizeof(out->l4));
	return true;
}

bool ipsp_icmp_read(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
		    struct ipsp_icmp *out)
{
	const uint32_t len = flow->total_len - flow->l4_offset;
	const uint8_t *const icmp = packet->data + flow->l4_offset;

	if (!ipsp_flow_is_icmp(flow) || len < ICMP_HEADER || !is_error_type(flow->family, icmp[0]) ||
	    !checksum_good(icmp, len, flow))
		return false;
	*out = (struct ipsp_icmp){ 0 };
	if (flow->family == 4 && icmp[0] == UNREACHABLE && icmp[1] == FRAG_NEEDED) {
		out->too_big = true;
		out->mtu = get_be16(icmp + 6);
	} else if (flow->family == 6 && icmp[0] == V6_TOO_BIG) {
		out->too_big = true;
		out->mtu = get_be32(icmp + 4);
	}
	return read_quote(icmp + ICMP_HEADER, len - ICMP_HEADER, out) &&
	       out->flow.family == flow->family;
}

void ipsp_flow_reverse(struct ipsp_flow *flow)
{
	const struct ipsp_addr src = flow->src;
	const uint32_t sport = flow->sport;

	flow->src = flow->dst;
	flow->dst = src;
	flow->sport = flow->dport;
	flow->dport = sport;
}

/* ---- writing ---- */

static bool is_zero(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

/* From somebody to somebody: not from a group, all, nobody or a host to itself. */
static bool v4_may_tell(const struct ipsp_flow *f, const uint8_t *l4)
{
	if (f->dst.octets[0] >= 224 || f->src.octets[0] >= 224 || f->src.octets[0] == 127 ||
	    is_zero(f->src.octets, 4))
		return false;
	if (f->proto != IPSP_PROTO_ICMP)
		return true;
	/* Queries and their answers: RFC 792, 950. */
	return l4[0] == 0 || l4[0] == 8 || (l4[0] >= 13 && l4[0] <= 18);
}

static bool v6_may_tell(const struct ipsp_flow *f, const uint8_t *l4, enum ipsp_icmp_error error,
			const struct ipsp_addr *source)
{
	if (f->src.octets[0] == 0xff || is_zero(f->src.octets, 16) || !f->proto_known)
		return false;
	/* RFC 4443 2.4 (e.3) allows one error about a packet to a group; but a group is no source. */
	if (f->dst.octets[0] == 0xff && (error != IPSP_ICMP_TOO_BIG || !source))
		return false;
	return f->proto != IPSP_PROTO_ICMPV6 ||
	       (l4[0] >= V6_FIRST_INFO && l4[0] != V6_REDIRECT);
}

static bool may_tell(const struct ipsp_packet *packet, const struct ipsp_flow *f,
		     enum ipsp_icmp_error error, const struct ipsp_addr *source)
{
	const uint8_t *const l4 = packet->data + f->l4_offset;

	/* Without its first octet nobody knows what an ICMP message is. */
	if (f->frag == IPSP_FRAG_LATER || f->total_len - f->l4_offset < ICMP_HEADER)
		return false;
	return f->family == 4 ? v4_may_tell(f, l4) : v6_may_tell(f, l4, error, source);
}

static void write_v4(uint8_t *p, uint32_t len, enum ipsp_icmp_error error, uint32_t mtu)
{
	uint8_t *const icmp = p + IPSP_V4_HEADER;

	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = error == IPSP_ICMP_TOO_BIG ? UNREACHABLE : TIME_EXCEEDED;
	if (error == IPSP_ICMP_TOO_BIG) {
		icmp[1] = FRAG_NEEDED;
		mtu = mtu < V4_MTU_MIN ? V4_MTU_MIN : mtu > 65535 ? 65535 : mtu;
		put_be16(icmp + 6, (uint16_t)mtu);
	}
	put_be16(icmp + 2, (uint16_t)~ipsp_sum(icmp, len - IPSP_V4_HEADER));
}

static void write_v6(uint8_t *p, uint32_t len, enum ipsp_icmp_error error, uint32_t mtu,
		     const struct ipsp_outer *outer)
{
	uint8_t *const icmp = p + IPSP_V6_HEADER;

	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = error == IPSP_ICMP_TOO_BIG ? V6_TOO_BIG : V6_TIME_EXCEEDED;
	if (error == IPSP_ICMP_TOO_BIG)
		put_be32(icmp + 4, mtu < V6_MTU_MIN ? V6_MTU_MIN : mtu);
	put_be16(icmp + 2, ipsp_upper_checksum(&outer->src, &outer->dst, IPSP_PROTO_ICMPV6, icmp,
					       len - IPSP_V6_HEADER));
}

bool ipsp_icmp_write(struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     enum ipsp_icmp_error error, uint32_t mtu, const struct ipsp_addr *source)
{
	const bool v4 = flow->family == 4;
	const uint32_t headers = (v4 ? IPSP_V4_HEADER : IPSP_V6_HEADER) + ICMP_HEADER;
	const uint32_t quote_max = (v4 ? V4_ERROR_MAX : V6_ERROR_MAX) - headers;
	const uint32_t quoted = flow->total_len < quote_max ? flow->total_len : quote_max;
	const struct ipsp_outer outer = {
		.src = source ? *source : flow->dst, .dst = flow->src,
		.total_len = headers + quoted, .ttl = TTL,
	};
	uint8_t *const p = packet->data - headers;

	if ((size_t)(packet->data - packet->room) < headers ||
	    !may_tell(packet, flow, error, source))
		return false;
	ipsp_outer_write(p, &outer);
	ipsp_header_update(p, flow->family, v4 ? 9 : 6, v4 ? IPSP_PROTO_ICMP : IPSP_PROTO_ICMPV6,
			   outer.total_len);
	if (v4)
		write_v4(p, outer.total_len, error, mtu);
	else
		write_v6(p, outer.total_len, error, mtu, &outer);
	packet->data = p;
	packet->len = outer.total_len;
	return true;
}
