/*
 * tests/bench/bench_spd.c - SPD lookups and builds at 100, 10,000 and 100,000 entries.
 *
 * spd.lookup.N.mlps: million first-match lookups a second, one thread's processor time, each for
 * another flow of 65,536 made beforehand, without any cache of flows: over three kinds of sets
 * (tests/bench/rules.h), in vectors as the engine has them. spd.lookup.N.KIND.mlps: of one kind
 * alone, and of v6; spd.lookup_one.N.mlps: one by one. spd.build.N.ms: the snapshot from nothing;
 * spd.update.N.ms: the next one, with one entry changed. spd.bytes_per_entry.N: what a snapshot takes.
 */
#include <stdlib.h>

#include "engine/crypto/hosted.h"
#include "ipsp/platform.h"
#include "ipsp/spd.h"
#include "tests/bench/bench.h"
#include "tests/bench/rules.h"

#define IFINDEX 1u
#define FLOWS 65536u
#define VECTOR 64u
#define SEED 0x1d872b41c5e6f093ull

static const struct scale {
	const char *name;
	uint32_t n;
} scales[] = {
	{ "100", 100 },
	{ "10k", 10000 },
	{ "100k", 100000 },
};

/* ---- memory that is counted ---- */

struct counted {
	struct ipsp_platform hosted;
	size_t octets;
};

static void *counted_alloc(void *ctx, size_t size)
{
	struct counted *c = ctx;

	c->octets += size;
	return c->hosted.alloc(c->hosted.ctx, size);
}

static void counted_free(void *ctx, void *mem, size_t size)
{
	struct counted *c = ctx;

	c->octets -= mem ? size : 0;
	c->hosted.free(c->hosted.ctx, mem, size);
}

/* ---- lookups ---- */

struct spent {
	double lookups, seconds;
};

static double mlps(const struct spent *s)
{
	return s->lookups / s->seconds / 1e6;
}

static uint32_t look_up_all(const struct ipsp_spd *spd, const struct ipsp_flow *flows)
{
	struct ipsp_spd_query queries[VECTOR];
	uint32_t decided = 0;

	for (uint32_t i = 0; i < FLOWS; i += VECTOR) {
		for (uint32_t j = 0; j < VECTOR; j++)
			queries[j] = (struct ipsp_spd_query){ .ifindex = IFINDEX,
							      .dir = IPSP_OUTBOUND,
							      .flow = &flows[i + j] };
		ipsp_spd_lookup_n(spd, queries, VECTOR);
		for (uint32_t j = 0; j < VECTOR; j++)
			decided += queries[j].match.result == IPSP_SPD_RULE &&
				   queries[j].match.rule->id != 0;
	}
	return decided;
}

static uint32_t look_up_singly(const struct ipsp_spd *spd, const struct ipsp_flow *flows)
{
	uint32_t decided = 0;

	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct ipsp_spd_match m = ipsp_spd_lookup(spd, IFINDEX, IPSP_OUTBOUND,
								&flows[i], NULL);

		decided += m.result == IPSP_SPD_RULE && m.rule->id != 0;
	}
	return decided;
}

static struct spent measure(const struct ipsp_spd *spd, const struct ipsp_flow *flows,
			    uint32_t (*look_up)(const struct ipsp_spd *spd,
						const struct ipsp_flow *flows))
{
	const double enough_s = bench_enough_s(0.5);
	struct spent s = { 0, 0 };
	uint32_t decided = 0;

	while (s.seconds < enough_s) {
		const double from = bench_cpu_s();

		decided = look_up(spd, flows);
		s.seconds += bench_cpu_s() - from;
		s.lookups += FLOWS;
	}
	bench_must(decided > FLOWS / 2, "few flows met an entry");
	return s;
}

/* ---- builds ---- */

static double build_ms(struct ipsp_spd_db *db, struct ipsp_spd_entry *entries, uint32_t n,
		       struct ipsp_spd **out)
{
	const struct ipsp_spd_list list = {
		.ifindex = IFINDEX, .dir = IPSP_OUTBOUND, .n_entries = n, .entries = entries,
	};
	const struct ipsp_spd_update update = { .generation = 1, .n_lists = 1, .lists = &list };
	const double from = bench_cpu_s();

	bench_must(ipsp_spd_build(db, NULL, &update, out) == IPSP_OK, "the SPD is not built");
	return (bench_cpu_s() - from) * 1e3;
}

/* The mean of updates that each replace one entry by another one, generation after generation. */
static double edit_ms(struct ipsp_spd_db *db, uint64_t *seed, struct ipsp_spd **spd,
		      const struct ipsp_spd_entry *entries, uint32_t n)
{
	enum { TIMES = 200 };
	double spent = 0;

	for (int i = 0; i < TIMES; i++) {
		const struct ipsp_spd_run run = { .keep = bench_below(seed, n), .remove = 1,
						  .n_entries = 1,
						  .entries = &entries[bench_below(seed, n)] };
		const struct ipsp_spd_edit edit = { .key = { IFINDEX, IPSP_OUTBOUND }, .n_runs = 1,
						    .runs = &run };
		const struct ipsp_spd_update update = { .generation = 2, .n_edits = 1,
							.edits = &edit };
		const double from = bench_cpu_s();
		struct ipsp_spd *next;

		bench_must(ipsp_spd_build(db, *spd, &update, &next) == IPSP_OK,
			   "the SPD is not edited");
		ipsp_spd_free(*spd);
		*spd = next;
		spent += bench_cpu_s() - from;
	}
	return spent * 1e3 / TIMES;
}

/* ---- one set ---- */

struct sums {
	struct spent all, one;
	double build_ms, update_ms, bytes;
};

static void add(struct spent *to, const struct spent *s)
{
	to->lookups += s->lookups;
	to->seconds += s->seconds;
}

static void measure_set(enum rules_kind kind, uint8_t family, uint32_t n, struct spent *all,
			struct sums *sums)
{
	struct counted memory = { .octets = 0 };
	struct ipsp_platform platform;
	uint64_t seed = SEED;
	struct ipsp_selector *boxes = calloc(n, sizeof(*boxes));
	struct ipsp_spd_entry *entries = calloc(n, sizeof(*entries));
	struct ipsp_flow *flows = calloc(FLOWS, sizeof(*flows));
	struct ipsp_spd_db *db;
	struct ipsp_spd *spd;

	ipsp_platform_hosted(&memory.hosted, NULL);
	platform = memory.hosted;
	platform.ctx = &memory;
	platform.alloc = counted_alloc;
	platform.free = counted_free;
	bench_must(boxes && entries && flows && ipsp_spd_db_new(&platform, &db) == IPSP_OK,
		   "no memory");
	rules_make(&seed, kind, family, boxes, n);
	for (uint32_t i = 0; i < n; i++)
		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1, .action = i % 3 ? IPSP_BYPASS : IPSP_DISCARD,
			.n_selectors = 1, .selectors = &boxes[i],
		};
	for (uint32_t i = 0; i < FLOWS; i++)
		rules_flow(&seed, boxes, n, &flows[i]);
	const double built_ms = build_ms(db, entries, n, &spd);
	const double bytes = (double)memory.octets / n;

	*all = measure(spd, flows, look_up_all);
	if (family == 4) {
		const struct spent one = measure(spd, flows, look_up_singly);

		add(&sums->all, all);
		add(&sums->one, &one);
		sums->build_ms += built_ms / RULES_KINDS;
		sums->bytes += bytes / RULES_KINDS;
		sums->update_ms += edit_ms(db, &seed, &spd, entries, n) / RULES_KINDS;
	}
	ipsp_spd_free(spd);
	ipsp_spd_db_free(db);
	free(flows);
	free(entries);
	free(boxes);
}

static void measure_scale(const struct scale *scale)
{
	struct sums sums = { .build_ms = 0 };
	struct spent s;

	for (unsigned kind = 0; kind < RULES_KINDS; kind++) {
		measure_set((enum rules_kind)kind, 4, scale->n, &s, &sums);
		bench_line(mlps(&s), "Mlookup/s", "spd.lookup.%s.%s.mlps", scale->name,
			   rules_names[kind]);
	}
	measure_set(RULES_ACL, 6, scale->n, &s, &sums);
	bench_line(mlps(&s), "Mlookup/s", "spd.lookup.%s.v6.mlps", scale->name);
	bench_line(mlps(&sums.all), "Mlookup/s", "spd.lookup.%s.mlps", scale->name);
	bench_line(mlps(&sums.one), "Mlookup/s", "spd.lookup_one.%s.mlps", scale->name);
	bench_line(sums.build_ms, "ms", "spd.build.%s.ms", scale->name);
	bench_line(sums.update_ms, "ms", "spd.update.%s.ms", scale->name);
	bench_line(sums.bytes, "octets", "spd.bytes_per_entry.%s", scale->name);
}

int main(void)
{
	const size_t n = bench_is_quick() ? 1 : sizeof(scales) / sizeof(scales[0]);

	for (size_t i = 0; i < n; i++)
		measure_scale(&scales[i]);
	return EXIT_SUCCESS;
}
