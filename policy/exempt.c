/*
 * policy/exempt.c - exemptions and defaults: see exempt.h.
 *
 *	path ()			exemptions: before any path
 *	path (p), (p, q) ...	what rows give
 *	path (65535 ...)	the default: behind any path, and behind what key managers say
 */
#include "policy/exempt.h"
#include "policy/band.h"

#include <string.h>

#include "mibs/schema_gen.h"

#define SCALAR(column) MIB_COL(ipspdExempt, column)

enum { LEVEL_ALL = 0, LEVEL_NO_KERBEROS = 1, LEVEL_NO_MULTICAST = 2, LEVEL_OWN_IKE = 3 };
enum { TRUE_VALUE = 1, DEFAULT_PASS = 2 };
enum { TCP = 6, UDP = 17, RSVP = 46 };

#define BOXES_MAX 8	/* of one exemption */

struct boxes {
	struct ipsp_selector v[BOXES_MAX];
	uint32_t n;
};

static void add_port(struct boxes *b, uint8_t family, uint8_t proto, uint32_t sport, uint32_t dport)
{
	struct ipsp_selector *s = &b->v[b->n++];

	ipsp_selector_any(family, s);
	s->proto_lo = s->proto_hi = proto;
	if (sport)
		s->sport_lo = s->sport_hi = sport;
	if (dport)
		s->dport_lo = s->dport_hi = dport;
}

static void add_kerberos(struct boxes *b, uint8_t family)
{
	add_port(b, family, TCP, 88, 0);
	add_port(b, family, TCP, 0, 88);
	add_port(b, family, UDP, 88, 0);
	add_port(b, family, UDP, 0, 88);
}

static void add_rsvp(struct boxes *b, uint8_t family)
{
	add_port(b, family, RSVP, 0, 0);
}

static void add_ike(struct boxes *b, uint8_t family)
{
	add_port(b, family, UDP, 500, 500);
	add_port(b, family, UDP, 4500, 0);
	add_port(b, family, UDP, 0, 4500);
}

/* 224.0.0.0/4 and ff00::/8 (RFC 5771, RFC 4291 2.7); all of 255.255.255.255. */
static void add_multicast(struct boxes *b, uint8_t family)
{
	struct ipsp_selector *s = &b->v[b->n++];

	ipsp_selector_any(family, s);
	s->dst_lo.octets[0] = family == 4 ? 0xe0 : 0xff;
	if (family == 6)
		return;
	s->dst_hi.octets[0] = 0xef;
	s = &b->v[b->n++];
	ipsp_selector_any(family, s);
	s->dst_lo = s->dst_hi;
}

static bool add_entry(struct pol_exempt *x, enum ipsp_dir dir, const struct pol_origin *origin,
		      const struct boxes *boxes, bool is_default)
{
	static const uint8_t pieces = UINT8_MAX;
	const struct ipsp_spd_entry spd = {
		.id = origin->id, .action = IPSP_BYPASS,
		.n_selectors = boxes->n, .selectors = boxes->v,
	};
	size_t *n = &x->n[dir - 1];
	uint16_t last[POL_DEPTH_MAX];
	struct pol_entry *e;

	memset(last, 0xff, sizeof(last));
	e = pol_entry_new(&spd, last, is_default ? POL_DEPTH_MAX : 0,
			  is_default ? pieces : (uint8_t)*n);
	/* What key managers say stands before defaults. */
	if (e && is_default)
		e->band = POL_BAND_OPEN;
	if (!e)
		return false;
	x->entries[dir - 1][(*n)++] = e;
	return true;
}

/* Multicast comes in when either scalar says so; all else is of the level alone, both ways. */
static const struct exemption {
	void (*add)(struct boxes *b, uint8_t family);
	unsigned levels;	/* bits */
	bool is_multicast;
} exemptions[] = {
	{ add_ike, 1u << LEVEL_ALL | 1u << LEVEL_NO_KERBEROS | 1u << LEVEL_NO_MULTICAST, false },
	{ add_kerberos, 1u << LEVEL_ALL | 1u << LEVEL_NO_MULTICAST, false },
	{ add_rsvp, 1u << LEVEL_ALL | 1u << LEVEL_NO_MULTICAST, false },
	{ add_multicast, 1u << LEVEL_ALL | 1u << LEVEL_NO_KERBEROS, true },
};

static bool add_exemption(struct pol_build *b, struct pol_exempt *x, enum ipsp_dir dir,
			  const struct exemption *e, const struct mib_column *by)
{
	const struct pol_origin *origin = pol_build_scalar(b, by);
	struct boxes boxes = { .n = 0 };

	e->add(&boxes, 4);
	e->add(&boxes, 6);
	return origin && add_entry(x, dir, origin, &boxes, false);
}

static bool add_default(struct pol_build *b, struct pol_exempt *x, enum ipsp_dir dir,
			const struct mib_column *by)
{
	const struct pol_origin *origin = pol_build_scalar(b, by);
	struct boxes boxes = { .n = 2 };

	ipsp_selector_any(4, &boxes.v[0]);
	ipsp_selector_any(6, &boxes.v[1]);
	return origin && add_entry(x, dir, origin, &boxes, true);
}

static bool make_way(struct pol_build *b, const struct mib_row *r, enum ipsp_dir dir,
		     struct pol_exempt *x)
{
	const int64_t level = mib_row_number(r, SCALAR(ipspdExemptLevel), LEVEL_OWN_IKE);
	const bool lets_in = dir == IPSP_INBOUND &&
			     mib_row_number(r, SCALAR(ipspdExemptInboundMulticast), 0) == TRUE_VALUE;
	const struct mib_column *by_default = dir == IPSP_INBOUND ? SCALAR(ipspdDefaultInbound) :
								    SCALAR(ipspdDefaultOutbound);
	bool good = true;

	for (size_t i = 0; good && i < sizeof(exemptions) / sizeof(exemptions[0]); i++) {
		const struct exemption *e = &exemptions[i];

		if (level >= 0 && level < LEVEL_OWN_IKE && e->levels >> level & 1)
			good = add_exemption(b, x, dir, e, SCALAR(ipspdExemptLevel));
		else if (e->is_multicast && lets_in)
			good = add_exemption(b, x, dir, e, SCALAR(ipspdExemptInboundMulticast));
	}
	if (good && mib_row_number(r, by_default, 0) == DEFAULT_PASS)
		good = add_default(b, x, dir, by_default);
	return good;
}

bool pol_exempt_make(struct pol_build *b, struct pol_exempt *x)
{
	static const uint32_t scalar[] = { 0 };
	const struct mib_row *r = mib_view_row(pol_build_view(b), &mib_t_ipspdExempt, scalar, 1);

	pol_exempt_fini(x);
	return !r || (make_way(b, r, IPSP_INBOUND, x) && make_way(b, r, IPSP_OUTBOUND, x));
}

void pol_exempt_fini(struct pol_exempt *x)
{
	for (unsigned way = 0; way < 2; way++) {
		while (x->n[way] > 0)
			pol_entry_unref(x->entries[way][--x->n[way]]);
	}
}

bool pol_exempt_put(const struct pol_exempt *x, enum ipsp_dir dir, struct pol_map *entries)
{
	for (size_t i = 0; i < x->n[dir - 1]; i++) {
		if (!pol_map_put(entries, x->entries[dir - 1][i]))
			return false;
	}
	return true;
}
