/*
 * tests/bench/bench_spd.c - SPD lookups and builds at 100, 10,000 and 100,000 entries.
 *
 * spd.lookup.N.mlps: million first-match lookups a second, one thread's processor time, each for
 * another flow of 65,536 made beforehand, without any cache of flows. spd.build.N.ms: the snapshot
 * from nothing; spd.update.N.ms: the next one, with one entry changed.
 *
 * Entries are as in real filters (the distributions that ClassBench found): prefixes of many
 * lengths, specific ones first, most for one protocol and one destination port, some for ranges.
 * Nine flows in ten are drawn from an entry's own box, the rest at random.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "ipsp/platform.h"
#include "ipsp/spd.h"
#include "spd/octets.h"
#include "tests/bench/bench.h"

#define IFINDEX 1u
#define FLOWS 65536u
#define SEED 0x1d872b41c5e6f093ull

static const struct scale {
	const char *name;
	uint32_t n;
} scales[] = {
	{ "100", 100 },
	{ "10k", 10000 },
	{ "100k", 100000 },
};

/* One of a few values, each with its share in percent. */
struct share {
	uint32_t value;
	uint32_t percent;
};

static const struct share source_lengths[] = {
	{ 32, 25 }, { 28, 10 }, { 24, 30 }, { 20, 5 }, { 16, 20 }, { 8, 10 },
};

static const struct share destination_lengths[] = {
	{ 32, 40 }, { 28, 10 }, { 24, 30 }, { 20, 5 }, { 16, 15 },
};

static const struct share protocols[] = {
	{ 6, 60 }, { 17, 25 }, { 1, 5 }, { 0, 10 },	/* 0: any */
};

enum { PORTS_ANY, PORT_ONE, PORTS_HIGH, PORTS_SOME };
static const struct share port_forms[] = {
	{ PORTS_ANY, 25 }, { PORT_ONE, 55 }, { PORTS_HIGH, 10 }, { PORTS_SOME, 10 },
};

static uint32_t draw(uint64_t *seed, const struct share *shares)
{
	uint32_t at = bench_below(seed, 100);

	while (at >= shares->percent)
		at -= shares++->percent;
	return shares->value;
}

static void draw_prefix(uint64_t *seed, uint32_t length, struct ipsp_addr *lo,
			struct ipsp_addr *hi)
{
	struct ipsp_addr at = { .family = 4 };

	/* Sites of one company: all in 10/8. */
	put_be32(at.octets, 10u << 24 | bench_below(seed, 1u << 24));
	bench_must(ipsp_addr_prefix(&at, length, lo, hi) == IPSP_OK, "prefix");
}

static void draw_ports(uint64_t *seed, struct ipsp_selector *s)
{
	switch (draw(seed, port_forms)) {
	case PORT_ONE:
		s->dport_lo = s->dport_hi = 1 + bench_below(seed, 1024);
		break;
	case PORTS_HIGH:
		s->dport_lo = 1024;
		s->dport_hi = 65535;
		break;
	case PORTS_SOME:
		s->dport_lo = bench_below(seed, 60000);
		s->dport_hi = s->dport_lo + bench_below(seed, 5000);
		break;
	default:
		break;
	}
}

static unsigned width(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	return (unsigned)__builtin_popcount(get_be32(lo->octets) ^ get_be32(hi->octets));
}

/* Narrow addresses first, as people write filters. */
static int by_width(const void *a, const void *b)
{
	const struct ipsp_selector *x = a, *y = b;
	const unsigned wx = width(&x->src_lo, &x->src_hi) + width(&x->dst_lo, &x->dst_hi);
	const unsigned wy = width(&y->src_lo, &y->src_hi) + width(&y->dst_lo, &y->dst_hi);

	return (wx > wy) - (wx < wy);
}

static struct ipsp_selector *make_boxes(uint64_t *seed, uint32_t n)
{
	struct ipsp_selector *boxes = calloc(n, sizeof(*boxes));

	bench_must(boxes != NULL, "no memory");
	for (uint32_t i = 0; i < n; i++) {
		struct ipsp_selector *s = &boxes[i];
		uint32_t proto = draw(seed, protocols);

		ipsp_selector_any(4, s);
		draw_prefix(seed, draw(seed, source_lengths), &s->src_lo, &s->src_hi);
		draw_prefix(seed, draw(seed, destination_lengths), &s->dst_lo, &s->dst_hi);
		if (proto == 0)
			continue;
		s->proto_lo = s->proto_hi = (uint8_t)proto;
		if (ipsp_proto_has_ports((uint8_t)proto))
			draw_ports(seed, s);
	}
	qsort(boxes, n, sizeof(*boxes), by_width);
	return boxes;
}

static void draw_addr(uint64_t *seed, const struct ipsp_addr *lo, const struct ipsp_addr *hi,
		      struct ipsp_addr *out)
{
	const uint32_t from = get_be32(lo->octets), span = get_be32(hi->octets) - from;

	*out = (struct ipsp_addr){ .family = 4 };
	put_be32(out->octets, from + bench_below(seed, span + 1));
}

static void draw_flow(uint64_t *seed, const struct ipsp_selector *boxes, uint32_t n,
		      struct ipsp_flow *f)
{
	struct ipsp_selector any;
	const struct ipsp_selector *s = &boxes[bench_below(seed, n)];

	if (bench_below(seed, 10) == 0) {
		ipsp_selector_any(4, &any);
		draw_prefix(seed, 8, &any.src_lo, &any.src_hi);
		draw_prefix(seed, 8, &any.dst_lo, &any.dst_hi);
		s = &any;
	}
	*f = (struct ipsp_flow){
		.family = 4, .ttl = 64, .proto_known = true, .ports_known = true,
		.proto = s->proto_lo == s->proto_hi ? s->proto_lo : 6,
		.sport = IPSP_PORT_NONE, .dport = IPSP_PORT_NONE,
	};
	draw_addr(seed, &s->src_lo, &s->src_hi, &f->src);
	draw_addr(seed, &s->dst_lo, &s->dst_hi, &f->dst);
	if (ipsp_proto_has_ports(f->proto)) {
		f->sport = 1024 + bench_below(seed, 64512);
		f->dport = s->dport_hi > 65535 ? bench_below(seed, 1024) :
			   s->dport_lo + bench_below(seed, s->dport_hi - s->dport_lo + 1);
	}
}

static void measure_lookup(const struct ipsp_spd *spd, const struct scale *scale,
			   const struct ipsp_flow *flows)
{
	const double enough_s = bench_enough_s(1.0);
	double lookups = 0, seconds = 0;
	uint64_t decided = 0;

	while (seconds < enough_s) {
		double from = bench_cpu_s();

		for (uint32_t i = 0; i < FLOWS; i++)
			decided += ipsp_spd_lookup(spd, IFINDEX, IPSP_OUTBOUND, &flows[i], NULL)
					   .result == IPSP_SPD_RULE;
		seconds += bench_cpu_s() - from;
		lookups += FLOWS;
	}
	bench_must(decided > 0, "no flow met an entry");
	bench_line(lookups / seconds / 1e6, "Mlookup/s", "spd.lookup.%s.mlps", scale->name);
}

static double build_ms(struct ipsp_spd_db *db, const struct ipsp_spd *prev,
		       struct ipsp_spd_entry *entries, uint32_t n, struct ipsp_spd **out)
{
	const struct ipsp_spd_list list = {
		.ifindex = IFINDEX, .dir = IPSP_OUTBOUND, .n_entries = n, .entries = entries,
	};
	const struct ipsp_spd_update update = { .generation = 1, .n_lists = 1, .lists = &list };
	const double from = bench_cpu_s();

	bench_must(ipsp_spd_build(db, prev, &update, out) == IPSP_OK, "the SPD is not built");
	return (bench_cpu_s() - from) * 1e3;
}

/* The mean of some updates that replace one entry in the middle. */
static double edit_ms(struct ipsp_spd_db *db, const struct ipsp_spd *prev,
		      const struct ipsp_spd_entry *entry, uint32_t at, struct ipsp_spd **out)
{
	enum { TIMES = 20 };
	const struct ipsp_spd_run run = { .keep = at, .remove = 1, .n_entries = 1,
					  .entries = entry };
	const struct ipsp_spd_edit edit = { .key = { IFINDEX, IPSP_OUTBOUND }, .n_runs = 1,
					    .runs = &run };
	const struct ipsp_spd_update update = { .generation = 2, .n_edits = 1, .edits = &edit };
	double spent = 0;

	*out = NULL;
	for (int i = 0; i < TIMES; i++) {
		const double from = bench_cpu_s();

		ipsp_spd_free(*out);
		bench_must(ipsp_spd_build(db, prev, &update, out) == IPSP_OK,
			   "the SPD is not edited");
		spent += bench_cpu_s() - from;
	}
	return spent * 1e3 / TIMES;
}

static void measure_scale(const struct ipsp_platform *platform, const struct scale *scale)
{
	uint64_t seed = SEED;
	struct ipsp_selector *boxes = make_boxes(&seed, scale->n);
	struct ipsp_spd_entry *entries = calloc(scale->n, sizeof(*entries));
	struct ipsp_flow *flows = calloc(FLOWS, sizeof(*flows));
	struct ipsp_spd_db *db;
	struct ipsp_spd *spd, *next;

	bench_must(entries && flows && ipsp_spd_db_new(platform, &db) == IPSP_OK, "no memory");
	for (uint32_t i = 0; i < scale->n; i++)
		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1, .action = i % 3 ? IPSP_BYPASS : IPSP_DISCARD,
			.n_selectors = 1, .selectors = &boxes[i],
		};
	for (uint32_t i = 0; i < FLOWS; i++)
		draw_flow(&seed, boxes, scale->n, &flows[i]);
	bench_line(build_ms(db, NULL, entries, scale->n, &spd), "ms", "spd.build.%s.ms",
		   scale->name);
	measure_lookup(spd, scale, flows);
	entries[scale->n / 2].action = IPSP_PROTECT;
	bench_line(edit_ms(db, spd, &entries[scale->n / 2], scale->n / 2, &next), "ms",
		   "spd.update.%s.ms", scale->name);
	ipsp_spd_free(next);
	ipsp_spd_free(spd);
	ipsp_spd_db_free(db);
	free(flows);
	free(entries);
	free(boxes);
}

int main(void)
{
	struct ipsp_platform platform;
	const size_t n = bench_is_quick() ? 1 : sizeof(scales) / sizeof(scales[0]);

	ipsp_platform_hosted(&platform, NULL);
	for (size_t i = 0; i < n; i++)
		measure_scale(&platform, &scales[i]);
	return EXIT_SUCCESS;
}
