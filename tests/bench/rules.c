/* tests/bench/rules.c - filter sets and packets for them: see rules.h. */
#include "tests/bench/rules.h"

#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/bench/bench.h"

const char *const rules_names[RULES_KINDS] = { "acl", "fw", "ipc" };

/* One of a few values, each with its share in percent. */
struct share {
	uint32_t value;
	uint32_t percent;
};

/* Prefix lengths of source and destination, of IPv4: source * 100 + destination. */
#define PAIR(src, dst) ((src) * 100 + (dst))

enum ports { ANY, ONE, HIGH, LOW, SOME };

static const struct family {
	struct share pairs[20];
	struct share sports[6], dports[6];
	struct share protocols[8];	/* 0: any */
} families[RULES_KINDS] = {
	[RULES_ACL] = {
		{ { PAIR(32, 32), 16 }, { PAIR(24, 32), 13 }, { PAIR(28, 32), 7 }, { PAIR(16, 32), 9 },
		  { PAIR(0, 32), 7 }, { PAIR(27, 32), 4 }, { PAIR(22, 32), 4 }, { PAIR(24, 24), 8 },
		  { PAIR(32, 24), 6 }, { PAIR(16, 24), 6 }, { PAIR(0, 24), 2 }, { PAIR(21, 27), 4 },
		  { PAIR(32, 28), 4 }, { PAIR(24, 30), 3 }, { PAIR(20, 16), 3 }, { PAIR(32, 16), 2 },
		  { PAIR(8, 24), 1 }, { PAIR(32, 0), 1 } },
		{ { ANY, 98 }, { ONE, 1 }, { HIGH, 1 } },
		{ { ANY, 28 }, { ONE, 58 }, { HIGH, 2 }, { SOME, 12 } },
		{ { 6, 77 }, { 17, 14 }, { 1, 4 }, { 0, 4 }, { 47, 1 } },
	},
	[RULES_FW] = {
		{ { PAIR(0, 32), 20 }, { PAIR(32, 0), 14 }, { PAIR(32, 32), 19 }, { PAIR(0, 24), 6 },
		  { PAIR(24, 0), 6 }, { PAIR(24, 32), 8 }, { PAIR(32, 24), 6 }, { PAIR(16, 32), 5 },
		  { PAIR(32, 16), 4 }, { PAIR(28, 32), 3 }, { PAIR(16, 0), 2 }, { PAIR(0, 28), 3 },
		  { PAIR(8, 32), 1 }, { PAIR(24, 24), 3 } },
		{ { ANY, 74 }, { ONE, 12 }, { HIGH, 11 }, { LOW, 1 }, { SOME, 2 } },
		{ { ANY, 30 }, { ONE, 46 }, { HIGH, 9 }, { LOW, 2 }, { SOME, 13 } },
		{ { 6, 52 }, { 17, 28 }, { 0, 11 }, { 1, 6 }, { 50, 2 }, { 47, 1 } },
	},
	[RULES_IPC] = {
		{ { PAIR(32, 32), 25 }, { PAIR(24, 32), 11 }, { PAIR(32, 24), 10 }, { PAIR(0, 32), 8 },
		  { PAIR(32, 0), 6 }, { PAIR(24, 24), 9 }, { PAIR(16, 16), 6 }, { PAIR(26, 32), 5 },
		  { PAIR(32, 27), 5 }, { PAIR(20, 24), 5 }, { PAIR(16, 32), 4 }, { PAIR(19, 25), 3 },
		  { PAIR(8, 16), 2 }, { PAIR(0, 24), 1 } },
		{ { ANY, 70 }, { ONE, 19 }, { HIGH, 6 }, { LOW, 1 }, { SOME, 4 } },
		{ { ANY, 42 }, { ONE, 43 }, { HIGH, 5 }, { LOW, 1 }, { SOME, 9 } },
		{ { 6, 48 }, { 17, 27 }, { 1, 12 }, { 0, 8 }, { 50, 2 }, { 89, 2 }, { 2, 1 } },
	},
};

static uint32_t draw(uint64_t *state, const struct share *shares)
{
	uint32_t at = bench_below(state, 100);

	while (shares[1].percent && at >= shares->percent)
		at -= shares++->percent;
	return shares->value;
}

/* ---- addresses ---- */

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 31) * 0x9fb21c651e98df25ull;
	return v ^ v >> 29;
}

/*
 * Bit by bit down a tree that is the same for all: at many places it goes one way only, and at others
 * more often one way than the other. So addresses crowd, as they do in real sets.
 */
static void draw_address(uint64_t *state, uint64_t tree, struct ipsp_addr *out, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++) {
		const uint64_t h = mix(tree);
		const uint32_t only = i < 8 ? 75 : i < 20 ? 40 : 15;
		uint32_t ones = h >> 8 & 1 ? 70 : 30;

		if (h % 100 < only)
			ones = h >> 9 & 1 ? 100 : 0;
		const uint8_t bit = bench_below(state, 100) < ones;

		out->octets[i / 8] |= (uint8_t)(bit << (7 - i % 8));
		tree = mix(tree * 2 + bit + 1);
	}
}

/* Of IPv6, prefixes are of the sites and subnets that IPv4's stand for. */
static unsigned length_of(uint8_t family, unsigned v4)
{
	if (family == 4)
		return v4;
	return v4 == 0 ? 0 : v4 <= 8 ? 32 : v4 <= 16 ? 40 + (v4 - 8) / 2 * 2 : v4 < 24 ? 48 + v4 - 16 :
	       v4 < 32 ? 56 + (v4 - 24) * 2 : 128;
}

static void draw_prefix(uint64_t *state, uint8_t family, uint64_t tree, unsigned length,
			struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	struct ipsp_addr at = { .family = family };

	draw_address(state, tree, &at, length);
	bench_must(ipsp_addr_prefix(&at, length, lo, hi) == IPSP_OK, "prefix");
}

/* ---- ports ---- */

/* Those of services are met again and again. */
static uint32_t draw_port(uint64_t *state)
{
	static const uint32_t services[] = { 80, 443, 53, 25, 22, 23, 21, 110, 123, 161, 1433, 1521,
					     3389, 8080, 5060, 389 };

	if (bench_below(state, 100) < 55)
		return services[bench_below(state, sizeof(services) / sizeof(services[0]))];
	return bench_below(state, bench_below(state, 3) ? 1024 : 65536);
}

static void draw_ports(uint64_t *state, uint32_t form, uint32_t *lo, uint32_t *hi)
{
	switch (form) {
	case ONE:
		*lo = *hi = draw_port(state);
		break;
	case HIGH:
		*lo = 1024;
		*hi = IPSP_PORT_MAX;
		break;
	case LOW:
		*lo = 0;
		*hi = 1023;
		break;
	case SOME:
		*lo = draw_port(state);
		*hi = *lo + 1 + bench_below(state, bench_below(state, 3) ? 30 : 5000);
		*hi = *hi < IPSP_PORT_MAX ? *hi : IPSP_PORT_MAX;
		break;
	default:
		break;
	}
}

static void draw_box(uint64_t *state, const struct family *f, uint8_t family,
		     struct ipsp_selector *s)
{
	const uint32_t pair = draw(state, f->pairs);
	uint32_t proto = draw(state, f->protocols);

	ipsp_selector_any(family, s);
	draw_prefix(state, family, 0x51a7, length_of(family, pair / 100), &s->src_lo, &s->src_hi);
	draw_prefix(state, family, 0x6b2d, length_of(family, pair % 100), &s->dst_lo, &s->dst_hi);
	if (proto == 0)
		return;
	if (proto == 1 && family == 6)
		proto = 58;
	s->proto_lo = s->proto_hi = (uint8_t)proto;
	if (ipsp_proto_has_ports(s->proto_lo)) {
		draw_ports(state, draw(state, f->sports), &s->sport_lo, &s->sport_hi);
		draw_ports(state, draw(state, f->dports), &s->dport_lo, &s->dport_hi);
	} else if (ipsp_proto_has_messages(s->proto_lo) && bench_below(state, 2)) {
		s->sport_lo = IPSP_PORT_MESSAGE + bench_below(state, 20) * 256;
		s->sport_hi = s->sport_lo + 255;
	}
}

/* ---- sets ---- */

static int by_octets(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ipsp_selector));
}

static unsigned common_bits(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	unsigned n = 0;

	while (n < ipsp_addr_size(lo->family) * 8 &&
	       !((lo->octets[n / 8] ^ hi->octets[n / 8]) & 0x80 >> n % 8))
		n++;
	return n;
}

struct placed {
	uint32_t place;
	struct ipsp_selector s;
};

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

/* How far behind a box belongs, by how wide it is. */
static uint32_t place_of(uint64_t *state, const struct ipsp_selector *s)
{
	const unsigned bits = (unsigned)ipsp_addr_size(s->family) * 8;
	unsigned wide = 2 * bits - common_bits(&s->src_lo, &s->src_hi) -
			common_bits(&s->dst_lo, &s->dst_hi);

	wide = wide * 32 / bits;
	wide += (s->proto_lo != s->proto_hi) * 4u + (s->dport_hi != s->dport_lo) * 4u;
	return wide * 1000 + bench_below(state, 12000);
}

void rules_make(uint64_t *state, enum rules_kind kind, uint8_t family, struct ipsp_selector *out,
		uint32_t n)
{
	struct placed *placed = calloc(n, sizeof(*placed));
	uint32_t have = 0;

	bench_must(placed != NULL, "no memory");
	memset(out, 0, n * sizeof(*out));
	while (have < n) {
		uint32_t kept = 0;

		for (uint32_t i = have; i < n; i++)
			draw_box(state, &families[kind], family, &out[i]);
		qsort(out, n, sizeof(*out), by_octets);
		for (uint32_t i = 0; i < n; i++) {
			if (kept == 0 || by_octets(&out[kept - 1], &out[i]) != 0)
				out[kept++] = out[i];
		}
		have = kept;
	}
	for (uint32_t i = 0; i < n; i++)
		placed[i] = (struct placed){ place_of(state, &out[i]), out[i] };
	qsort(placed, n, sizeof(*placed), by_place);
	for (uint32_t i = 0; i < n; i++)
		out[i] = placed[i].s;
	free(placed);
}

/* ---- packets ---- */

static uint32_t within(uint64_t *state, uint32_t lo, uint32_t hi)
{
	return lo + bench_below(state, hi - lo + 1);
}

/* An address of a prefix: the bits that both ends share, and others by chance. */
static void draw_within(uint64_t *state, const struct ipsp_addr *lo, const struct ipsp_addr *hi,
			struct ipsp_addr *out)
{
	*out = *lo;
	for (size_t i = 0; i < ipsp_addr_size(lo->family); i++)
		out->octets[i] |= (uint8_t)(bench_random(state) >> 32) &
				  (lo->octets[i] ^ hi->octets[i]);
}

static void set_ports(uint64_t *state, const struct ipsp_selector *s, struct ipsp_flow *f)
{
	f->sport = f->dport = IPSP_PORT_NONE;
	if (ipsp_proto_has_ports(f->proto)) {
		f->sport = s->sport_hi == IPSP_PORT_NONE ? within(state, 1024, IPSP_PORT_MAX) :
							   within(state, s->sport_lo, s->sport_hi);
		f->dport = s->dport_hi == IPSP_PORT_NONE ? draw_port(state) :
							   within(state, s->dport_lo, s->dport_hi);
	} else if (ipsp_proto_has_messages(f->proto)) {
		f->sport = s->sport_hi == IPSP_PORT_NONE ?
				   IPSP_PORT_MESSAGE + bench_below(state, 20) * 256 :
				   within(state, s->sport_lo, s->sport_hi);
	}
}

void rules_flow(uint64_t *state, const struct ipsp_selector *boxes, uint32_t n,
		struct ipsp_flow *out)
{
	static const uint8_t protocols[] = { 6, 6, 6, 17, 17, 1 };
	const struct ipsp_selector *s = &boxes[bench_below(state, n)];
	struct ipsp_selector any;

	*out = (struct ipsp_flow){
		.family = s->family, .ttl = 64, .proto_known = true, .ports_known = true,
		.proto = s->proto_lo == s->proto_hi ? s->proto_lo :
						      protocols[bench_below(state, 6)],
	};
	draw_within(state, &s->src_lo, &s->src_hi, &out->src);
	draw_within(state, &s->dst_lo, &s->dst_hi, &out->dst);
	if (bench_below(state, 10) == 0) {
		const struct ipsp_selector *other = &boxes[bench_below(state, n)];

		ipsp_selector_any(s->family, &any);
		if (other->family == s->family)
			out->dst = other->dst_lo;
		out->proto = protocols[bench_below(state, 6)];
		s = &any;
	}
	set_ports(state, s, out);
}
