/* tests/unit/policy/boxset.c - packets and boxes by chance: see boxset.h. */
#include "boxset.h"

#include <string.h>

/* xorshift64*, Vigna 2016: any seed but 0 */
uint32_t dice_roll(struct dice *d, uint32_t n)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return (uint32_t)((d->state * 2685821657736338717u) >> 32) % n;
}

static uint32_t port(struct dice *d)
{
	static const uint32_t ports[] = { 0, 1, 22, 23, 24, 79, 80, 443, 65534, 65535,
					  IPSP_PORT_MESSAGE, IPSP_PORT_MESSAGE + 2048,
					  IPSP_PORT_MESSAGE_MAX, IPSP_PORT_NONE };

	return ports[dice_roll(d, sizeof(ports) / sizeof(ports[0]))];
}

/* Few values in few octets, so that random prefixes and addresses meet. */
static void addr(struct dice *d, uint8_t family, struct ipsp_addr *out)
{
	static const uint8_t octets[] = { 0, 1, 10, 127, 128, 255 };

	*out = (struct ipsp_addr){ .family = family };
	for (size_t i = 0; i < ipsp_addr_size(family); i++)
		if (i < 2 || i + 2 > ipsp_addr_size(family))
			out->octets[i] = octets[dice_roll(d, sizeof(octets))];
}

void dice_packet(struct dice *d, struct packet *out)
{
	static const uint8_t protos[] = { 0, 1, 6, 7, 17, 50, 58, 254, 255 };
	static const uint8_t dscps[] = { 0, 1, 45, 46, 47, 63 };
	static const uint32_t flows[] = { 0, 1, 0x12345, IPSP_FLOW_MAX };

	out->family = dice_roll(d, 2) ? 4 : 6;
	out->proto = protos[dice_roll(d, sizeof(protos))];
	out->dscp = dscps[dice_roll(d, sizeof(dscps))];
	out->flow = out->family == 6 ? flows[dice_roll(d, 4)] : 0;
	out->sport = port(d);
	out->dport = out->sport == IPSP_PORT_NONE ? IPSP_PORT_NONE : port(d);
	out->hides = dice_roll(d, 4) == 0;
	addr(d, out->family, &out->src);
	addr(d, out->family, &out->dst);
}

static void port_range(struct dice *d, uint32_t *lo, uint32_t *hi)
{
	uint32_t a = port(d), b = port(d);

	if (dice_roll(d, 2) == 0)
		return;
	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
}

static void addr_range(struct dice *d, uint8_t family, struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	struct ipsp_addr a, b;
	bool swap;

	if (dice_roll(d, 2) == 0)
		return;
	addr(d, family, &a);
	addr(d, family, &b);
	swap = memcmp(a.octets, b.octets, sizeof(a.octets)) > 0;
	*lo = swap ? b : a;
	*hi = swap ? a : b;
}

void dice_selector(struct dice *d, struct ipsp_selector *out)
{
	struct packet p;

	dice_packet(d, &p);
	ipsp_selector_any(p.family, out);
	if (dice_roll(d, 2))
		out->proto_lo = out->proto_hi = p.proto;
	if (dice_roll(d, 3) == 0)
		out->dscp_lo = out->dscp_hi = p.dscp;
	if (p.family == 6 && dice_roll(d, 3) == 0)
		out->flow_lo = out->flow_hi = p.flow;
	if (dice_roll(d, 4) == 0)
		out->hides = p.hides ? IPSP_HIDES_ONLY : IPSP_HIDES_NEVER;
	port_range(d, &out->sport_lo, &out->sport_hi);
	port_range(d, &out->dport_lo, &out->dport_hi);
	addr_range(d, p.family, &out->src_lo, &out->src_hi);
	addr_range(d, p.family, &out->dst_lo, &out->dst_hi);
}

bool selector_has(const struct ipsp_selector *s, const struct packet *p)
{
	const size_t size = sizeof(p->src.octets);

	return s->family == p->family && p->proto >= s->proto_lo && p->proto <= s->proto_hi &&
	       p->dscp >= s->dscp_lo && p->dscp <= s->dscp_hi &&
	       (s->hides == IPSP_HIDES_ANY || p->hides == (s->hides == IPSP_HIDES_ONLY)) &&
	       p->flow >= s->flow_lo && p->flow <= s->flow_hi &&
	       p->sport >= s->sport_lo && p->sport <= s->sport_hi &&
	       p->dport >= s->dport_lo && p->dport <= s->dport_hi &&
	       memcmp(p->src.octets, s->src_lo.octets, size) >= 0 &&
	       memcmp(p->src.octets, s->src_hi.octets, size) <= 0 &&
	       memcmp(p->dst.octets, s->dst_lo.octets, size) >= 0 &&
	       memcmp(p->dst.octets, s->dst_hi.octets, size) <= 0;
}

bool selectors_have(const struct ipsp_selector *s, size_t n, const struct packet *p)
{
	for (size_t i = 0; i < n; i++)
		if (selector_has(&s[i], p))
			return true;
	return false;
}

bool boxes_have(const struct pol_boxes *b, const struct packet *p)
{
	for (size_t i = 0; i < b->n; i++) {
		struct ipsp_selector s;

		pol_box_to_selector(&b->v[i], &s);
		if (selector_has(&s, p))
			return true;
	}
	return false;
}
