/* ike/ts.c - traffic selectors: see ts.h. */
#include "ike/ts.h"

#include <stdio.h>
#include <string.h>

#define PORT_ANY_LO 0u
#define PORT_ANY_HI 65535u

enum { PROTO_ICMP = 1, PROTO_ICMPV6 = 58, PROTO_MH = 135 };

bool ike_has_messages(uint8_t protocol)
{
	return protocol == PROTO_ICMP || protocol == PROTO_ICMPV6 || protocol == PROTO_MH;
}

static bool any_port(const struct ike_selector *s)
{
	return s->port_lo == PORT_ANY_LO && s->port_hi == PORT_ANY_HI;
}

/* RFC 7296 3.13.1: from 65535 to 0. */
static bool is_opaque(const struct ike_selector *s)
{
	return s->port_lo > s->port_hi;
}

/* ---- payloads: RFC 7296 3.13 ---- */

static struct ipsp_addr address(struct ipsp_span octets)
{
	struct ipsp_addr a = { .family = octets.len == 4 ? 4 : 6 };

	memcpy(a.octets, octets.data, octets.len);
	return a;
}

static bool read_one(const struct ike_ts *ts, struct ike_selector *out)
{
	if (ts->type != IKE_TS_IPV4_ADDR_RANGE && ts->type != IKE_TS_IPV6_ADDR_RANGE)
		return false;
	*out = (struct ike_selector){
		.protocol = ts->protocol, .port_lo = ts->port_lo, .port_hi = ts->port_hi,
		.lo = address(ts->addr_lo), .hi = address(ts->addr_hi),
	};
	return ipsp_addr_cmp(&out->lo, &out->hi) <= 0 &&
	       (!is_opaque(out) || (out->port_lo == PORT_ANY_HI && out->port_hi == PORT_ANY_LO));
}

bool ike_selectors_read(struct ipsp_span body, struct ike_selectors *out, struct ike_fault *why)
{
	const uint8_t *const start = body.data;
	struct ipsp_span head;
	struct ike_ts ts;
	enum ike_step step;
	unsigned n = 0;

	out->n = 0;
	if (!ike_take(&body, 4, &head)) {
		*why = (struct ike_fault){ "a TS payload is cut short", start };
		return false;
	}
	while ((step = ike_ts_next(&body, &ts, why)) == IKE_STEP_ITEM) {
		if (out->n < IKE_TS_MAX)
			out->n += read_one(&ts, &out->s[out->n]);
		n++;
	}
	if (step == IKE_STEP_END && n != head.data[0]) {
		*why = (struct ike_fault){ "a TS payload has not as many selectors as it says", start };
		return false;
	}
	return step == IKE_STEP_END;
}

static void write_one(const struct ike_selector *s, struct ike_builder *b)
{
	const size_t size = ipsp_addr_size(s->lo.family);

	ike_build_u8(b, size == 4 ? IKE_TS_IPV4_ADDR_RANGE : IKE_TS_IPV6_ADDR_RANGE);
	ike_build_u8(b, s->protocol);
	ike_build_u16(b, (uint16_t)(8 + 2 * size));
	ike_build_u16(b, s->port_lo);
	ike_build_u16(b, s->port_hi);
	ike_build_octets(b, (struct ipsp_span){ s->lo.octets, size });
	ike_build_octets(b, (struct ipsp_span){ s->hi.octets, size });
}

void ike_selectors_write(const struct ike_selectors *s, uint8_t payload, struct ike_builder *b)
{
	ike_build_payload(b, payload);
	ike_build_u8(b, s->n);
	ike_build_u8(b, 0);
	ike_build_u16(b, 0);
	for (unsigned i = 0; i < s->n; i++)
		write_one(&s->s[i], b);
}

/* ---- sets ---- */

/* Ports of protocols that differ in having them are not compared: any protocol has all ports. */
static bool meet_ports(const struct ike_selector *a, const struct ike_selector *b,
		       struct ike_selector *out)
{
	if (any_port(a) || any_port(b)) {
		const struct ike_selector *const tighter = any_port(a) ? b : a;

		out->port_lo = tighter->port_lo;
		out->port_hi = tighter->port_hi;
		return true;
	}
	if (is_opaque(a) || is_opaque(b)) {
		out->port_lo = PORT_ANY_HI;
		out->port_hi = PORT_ANY_LO;
		return is_opaque(a) && is_opaque(b);
	}
	out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
	out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
	return out->port_lo <= out->port_hi;
}

bool ike_selector_meet(const struct ike_selector *a, const struct ike_selector *b,
		       struct ike_selector *out)
{
	if (a->lo.family != b->lo.family ||
	    (a->protocol && b->protocol && a->protocol != b->protocol))
		return false;
	out->protocol = a->protocol ? a->protocol : b->protocol;
	out->lo = ipsp_addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
	out->hi = ipsp_addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
	return ipsp_addr_cmp(&out->lo, &out->hi) <= 0 && meet_ports(a, b, out);
}

static bool same(const struct ike_selector *a, const struct ike_selector *b)
{
	return a->protocol == b->protocol && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
	       ipsp_addr_cmp(&a->lo, &b->lo) == 0 && ipsp_addr_cmp(&a->hi, &b->hi) == 0;
}

bool ike_selector_within(const struct ike_selector *a, const struct ike_selector *b)
{
	struct ike_selector both;

	return ike_selector_meet(a, b, &both) && same(&both, a);
}

static bool within_any(const struct ike_selector *a, const struct ike_selectors *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		if (ike_selector_within(a, &set->s[i]))
			return true;
	}
	return false;
}

bool ike_selectors_within(const struct ike_selectors *a, const struct ike_selectors *b)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (!within_any(&a->s[i], b))
			return false;
	}
	return a->n > 0;
}

/* Adds one, and takes away what is inside it. False: no room. */
static bool add(struct ike_selectors *set, const struct ike_selector *s)
{
	uint8_t kept = 0;

	if (within_any(s, set))
		return true;
	for (unsigned i = 0; i < set->n; i++) {
		if (!ike_selector_within(&set->s[i], s))
			set->s[kept++] = set->s[i];
	}
	set->n = kept;
	if (set->n == IKE_TS_MAX)
		return false;
	set->s[set->n++] = *s;
	return true;
}

bool ike_selectors_narrow(const struct ike_selectors *theirs, const struct ike_selectors *ours,
			  struct ike_selectors *out)
{
	struct ike_selector both;

	out->n = 0;
	for (unsigned i = 0; i < theirs->n; i++) {
		for (unsigned k = 0; k < ours->n; k++) {
			if (ike_selector_meet(&theirs->s[i], &ours->s[k], &both) && !add(out, &both))
				return false;
		}
	}
	return out->n > 0;
}

/* ---- boxes of the SPD ---- */

/* A box's interval of ports on the line of include/ipsp/types.h. */
static bool ports_of_line(const struct ipsp_selector *box, uint32_t lo, uint32_t hi,
			  struct ike_selector *out)
{
	out->port_lo = PORT_ANY_LO;
	out->port_hi = PORT_ANY_HI;
	if (lo == 0 && hi == IPSP_PORT_NONE)
		return true;
	if (lo >= IPSP_PORT_MESSAGE && hi <= IPSP_PORT_MESSAGE_MAX) {
		out->port_lo = (uint16_t)(lo - IPSP_PORT_MESSAGE);
		out->port_hi = (uint16_t)(hi - IPSP_PORT_MESSAGE);
		return ike_has_messages(box->proto_lo);
	}
	if (lo == IPSP_PORT_NONE && hi == IPSP_PORT_NONE)
		return ike_has_messages(box->proto_lo);
	out->port_lo = (uint16_t)lo;
	out->port_hi = (uint16_t)hi;
	return hi <= IPSP_PORT_MAX;
}

static void set_opaque(struct ike_selector *s)
{
	s->port_lo = PORT_ANY_HI;
	s->port_hi = PORT_ANY_LO;
}

bool ike_selector_of_box(const struct ipsp_selector *box, struct ike_selector *ours,
			 struct ike_selector *theirs)
{
	const bool any_protocol = box->proto_lo == 0 && box->proto_hi == UINT8_MAX;

	if (!any_protocol && box->proto_lo != box->proto_hi)
		return false;
	*ours = (struct ike_selector){ .protocol = any_protocol ? 0 : box->proto_lo,
				       .lo = box->src_lo, .hi = box->src_hi };
	*theirs = (struct ike_selector){ .protocol = ours->protocol,
					 .lo = box->dst_lo, .hi = box->dst_hi };
	if (!ports_of_line(box, box->sport_lo, box->sport_hi, ours) ||
	    !ports_of_line(box, box->dport_lo, box->dport_hi, theirs))
		return false;
	if (box->hides == IPSP_HIDES_ONLY) {
		set_opaque(ours);
		set_opaque(theirs);
	}
	return true;
}

/* Messages are said by either side, and mean the packet: they stand in its source port. */
static bool box_messages(const struct ike_selector *ours, const struct ike_selector *theirs,
			 struct ipsp_selector *out)
{
	struct ike_selector both;

	if (!meet_ports(ours, theirs, &both))
		return false;
	if (any_port(&both))
		return true;
	out->sport_lo = IPSP_PORT_MESSAGE + both.port_lo;
	out->sport_hi = IPSP_PORT_MESSAGE + both.port_hi;
	out->dport_lo = out->dport_hi = IPSP_PORT_NONE;
	return true;
}

static void box_ports(const struct ike_selector *s, uint32_t *lo, uint32_t *hi)
{
	if (any_port(s))
		return;
	*lo = s->port_lo;
	*hi = s->port_hi;
}

bool ike_selector_box(const struct ike_selector *ours, const struct ike_selector *theirs,
		      struct ipsp_selector *out)
{
	const uint8_t protocol = ours->protocol ? ours->protocol : theirs->protocol;

	if (ours->lo.family != theirs->lo.family ||
	    (theirs->protocol && protocol != theirs->protocol))
		return false;
	ipsp_selector_any(ours->lo.family, out);
	if (protocol)
		out->proto_lo = out->proto_hi = protocol;
	out->src_lo = ours->lo;
	out->src_hi = ours->hi;
	out->dst_lo = theirs->lo;
	out->dst_hi = theirs->hi;
	if (is_opaque(ours) || is_opaque(theirs)) {
		out->hides = IPSP_HIDES_ONLY;
		return true;
	}
	if (ike_has_messages(protocol))
		return box_messages(ours, theirs, out);
	box_ports(ours, &out->sport_lo, &out->sport_hi);
	box_ports(theirs, &out->dport_lo, &out->dport_hi);
	return true;
}

/* ---- for people ---- */

const char *ike_selector_text(const struct ike_selector *s, char buf[IKE_SELECTOR_TEXT])
{
	char lo[IPSP_ADDR_TEXT], hi[IPSP_ADDR_TEXT], ports[32] = "";

	if (is_opaque(s))
		snprintf(ports, sizeof(ports), "/opaque");
	else if (!any_port(s) && s->port_lo == s->port_hi)
		snprintf(ports, sizeof(ports), "/%u", s->port_lo);
	else if (!any_port(s))
		snprintf(ports, sizeof(ports), "/%u-%u", s->port_lo, s->port_hi);
	ipsp_addr_print(&s->lo, lo);
	ipsp_addr_print(&s->hi, hi);
	if (s->protocol || ports[0])
		snprintf(buf, IKE_SELECTOR_TEXT, "%s-%s[%u%s]", lo, hi, s->protocol, ports);
	else
		snprintf(buf, IKE_SELECTOR_TEXT, "%s-%s", lo, hi);
	return buf;
}
