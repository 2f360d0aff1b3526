/*
 * tests/bench/bench_policy.c - policy from rows to an SPD: from nothing, and one rule of many.
 *
 * Rules with a classifier each, in groups of 50,000 that one group nests, bound outbound. No disk and
 * no processes: a committed change, compiled, found among the generation's entries and put into the
 * SPD.
 *
 *	policy.compile_N_ms		all of it from nothing
 *	policy.update_one_of_N_ms	one rule changes: commit, compile, SPD
 *	policy.insert_one_of_N_ms	a contents row with a rule comes in the middle
 *	policy.memory_per_rule_bytes	what the compiler and one generation hold, at the largest N
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "ipsp/spd.h"
#include "mibs/schema_gen.h"
#include "policy/policy.h"
#include "tests/bench/bench.h"
#include "tests/bench/rows.h"

#define GROUP_RULES 50000u
#define BATCH 1000u
#define TIMES 50u
#define IFINDEX 2u

static const struct scale {
	const char *name;
	uint32_t n;
} scales[] = {
	{ "1k", 1000 },
	{ "10k", 10000 },
	{ "100k", 100000 },
};

static const uint32_t drop_action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, 1, 0 };
static const uint32_t accept_action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, 3, 0 };

struct bench {
	struct mib_store *store;
	struct mib_listener listener;
	struct pol_compiler *compiler;
	struct ipsp_platform platform;
	struct ipsp_spd_db *db;
	struct ipsp_spd *spd;
	struct pol_generation *g;
};

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct bench *b = arg;

	(void)generation;
	pol_compiler_changed(b->compiler, changes, n);
}

/* ---- rows ---- */

static void set(struct mib_txn *t, const struct mib_column *col, const struct mib_oid *index,
		struct mib_value v)
{
	rows_set(t, col, index->ids, index->len, v);
}

/* An index that begins with a text of a number, and may end with a number. */
static struct mib_oid named(char letter, uint32_t nr, int64_t last)
{
	struct mib_oid oid = { .len = 8, .ids = { 7, (uint8_t)letter } };

	for (unsigned i = 0; i < 6; i++, nr /= 10)
		oid.ids[7 - i] = '0' + nr % 10;
	if (last >= 0)
		oid.ids[oid.len++] = (uint32_t)last;
	return oid;
}

static struct mib_value name_of(const struct mib_oid *index, uint8_t text[7])
{
	for (unsigned i = 0; i < 7; i++)
		text[i] = (uint8_t)index->ids[i + 1];
	return mib_value_octets(text, 7);
}

#define CLFR(column) MIB_COL(diffServMultiFieldClfrTable, column)
#define RULE(column) MIB_COL(spdRuleDefinitionTable, column)
#define CONT(column) MIB_COL(spdGroupContentsTable, column)

static void stage_classifier(struct mib_txn *t, uint32_t nr)
{
	const struct mib_oid index = { .len = 1, .ids = { nr + 1 } };
	const uint8_t src[] = { 10, (uint8_t)(nr >> 16), (uint8_t)(nr >> 8), (uint8_t)nr };

	set(t, CLFR(diffServMultiFieldClfrAddrType), &index, mib_value_integer(1));
	set(t, CLFR(diffServMultiFieldClfrSrcAddr), &index, mib_value_octets(src, 4));
	set(t, CLFR(diffServMultiFieldClfrSrcPrefixLength), &index, mib_value_unsigned(32));
	set(t, CLFR(diffServMultiFieldClfrProtocol), &index, mib_value_unsigned(nr % 2 ? 6 : 17));
	set(t, CLFR(diffServMultiFieldClfrStatus), &index, mib_value_integer(MIB_RS_CREATE_AND_GO));
}

static void stage_rule(struct mib_txn *t, uint32_t nr, const uint32_t *action)
{
	const struct mib_oid index = named('r', nr, -1);
	const struct mib_column *col = CLFR(diffServMultiFieldClfrAddrType);
	uint32_t filter[MIB_OID_MAX];
	size_t len = mib_t_diffServMultiFieldClfrTable.entry_oid_len;

	memcpy(filter, mib_t_diffServMultiFieldClfrTable.entry_oid, len * sizeof(filter[0]));
	filter[len++] = col->id;
	filter[len++] = nr + 1;
	set(t, RULE(spdRuleDefFilter), &index, mib_value_oid(filter, len));
	set(t, RULE(spdRuleDefAction), &index, mib_value_oid(action, 11));
	set(t, RULE(spdRuleDefRowStatus), &index, mib_value_integer(MIB_RS_CREATE_AND_GO));
}

static void stage_contents(struct mib_txn *t, uint32_t group, uint32_t priority, int type,
			   const struct mib_oid *component)
{
	const struct mib_oid index = named('g', group, priority);
	uint8_t text[7];

	set(t, CONT(spdGroupContComponentType), &index, mib_value_integer(type));
	set(t, CONT(spdGroupContComponentName), &index, name_of(component, text));
	set(t, CONT(spdGroupContRowStatus), &index, mib_value_integer(MIB_RS_CREATE_AND_GO));
}

/* The priority in the middle of each group that no rule has. */
static uint32_t free_priority(uint32_t n)
{
	return (n < GROUP_RULES ? n : GROUP_RULES) / 2;
}

/* Group 999999 nests the groups that have the rules. */
static void fill(struct bench *b, uint32_t n)
{
	const struct mib_oid root = named('g', 999999, -1);
	const struct mib_oid bound = { .len = 2, .ids = { IPSP_OUTBOUND, IFINDEX } };
	uint8_t text[7];
	struct mib_txn *t;

	for (uint32_t nr = 0; nr < n;) {
		t = rows_begin(b->store);
		for (uint32_t i = 0; i < BATCH && nr < n; i++, nr++) {
			const struct mib_oid rule = named('r', nr, -1);
			const uint32_t at = nr % GROUP_RULES;

			stage_classifier(t, nr);
			stage_rule(t, nr, accept_action);
			stage_contents(t, nr / GROUP_RULES, at + (at >= free_priority(n)), 2,
				       &rule);
		}
		rows_finish(t);
	}
	t = rows_begin(b->store);
	for (uint32_t group = 0; group * GROUP_RULES < n; group++) {
		const struct mib_oid nested = named('g', group, -1);

		stage_contents(t, 999999, group + 1, 1, &nested);
	}
	set(t, MIB_COL(spdEndpointToGroupTable, spdEndGroupName), &bound, name_of(&root, text));
	set(t, MIB_COL(spdEndpointToGroupTable, spdEndGroupRowStatus), &bound,
	    mib_value_integer(MIB_RS_CREATE_AND_GO));
	rows_finish(t);
}

/* ---- into the SPD ---- */

static struct pol_generation *compile(struct bench *b)
{
	struct pol_generation *g;

	bench_must(pol_compiler_run(b->compiler, mib_store_generation(b->store), 0, &g) == MIB_OK,
		   "no memory to compile");
	return g;
}

/* What changed, as the agent would send it. */
static void edit_spd(struct bench *b, const struct pol_generation *next)
{
	struct ipsp_spd_run runs[16];
	struct ipsp_spd_edit edit = { .key = { IFINDEX, IPSP_OUTBOUND }, .runs = runs };
	const struct ipsp_spd_update update = { .generation = next->number, .n_edits = 1,
						.edits = &edit };
	struct pol_map_diff d;
	struct ipsp_spd *spd;
	size_t at = 0;

	pol_map_diff_start(&d, &b->g->lists[0].entries, &next->lists[0].entries);
	while (pol_map_diff_next(&d)) {
		bench_must(edit.n_runs < 16, "more has changed than should have");
		runs[edit.n_runs++] = (struct ipsp_spd_run){
			.keep = (uint32_t)(d.was_at - at), .remove = d.was != NULL,
			.n_entries = d.is != NULL,
			.entries = d.is ? &((const struct pol_entry *)d.is)->spd : NULL,
		};
		at = d.was_at + (d.was != NULL);
	}
	bench_must(ipsp_spd_build(b->db, b->spd, &update, &spd) == IPSP_OK, "the SPD refuses");
	ipsp_spd_free(b->spd);
	b->spd = spd;
}

static void whole_spd(struct bench *b)
{
	struct ipsp_spd_list list;
	const struct ipsp_spd_update update = { .full = true, .n_lists = 1, .lists = &list };

	bench_must(pol_list_flat(&b->g->lists[0], &list), "no memory");
	bench_must(ipsp_spd_build(b->db, NULL, &update, &b->spd) == IPSP_OK, "the SPD refuses");
	free((void *)(uintptr_t)list.entries);
}

static void follow(struct bench *b)
{
	struct pol_generation *next = compile(b);

	edit_spd(b, next);
	pol_generation_free(b->g);
	b->g = next;
}

/* ---- figures ---- */

static double update_ms(struct bench *b, uint32_t n)
{
	double spent = 0;

	for (uint32_t i = 0; i < TIMES; i++) {
		const double from = bench_cpu_s();
		const struct mib_oid index = named('r', n / 2 + i, -1);
		struct mib_txn *t = rows_begin(b->store);

		set(t, RULE(spdRuleDefAction), &index, mib_value_oid(drop_action, 11));
		rows_finish(t);
		follow(b);
		spent += bench_cpu_s() - from;
	}
	return spent * 1e3 / TIMES;
}

static double insert_ms(struct bench *b, uint32_t n)
{
	const uint32_t priority = free_priority(n);
	double spent = 0;

	for (uint32_t i = 0; i < TIMES; i++) {
		const struct mib_oid rule = named('r', i, -1), place = named('g', 0, priority);
		struct mib_txn *t = rows_begin(b->store);
		const double from = bench_cpu_s();

		stage_contents(t, 0, priority, 2, &rule);
		rows_finish(t);
		follow(b);
		spent += bench_cpu_s() - from;
		t = rows_begin(b->store);
		set(t, CONT(spdGroupContRowStatus), &place, mib_value_integer(MIB_RS_DESTROY));
		rows_finish(t);
		follow(b);
	}
	return spent * 1e3 / TIMES;
}

static size_t in_use(void)
{
	const struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void measure(const struct scale *scale, bool memory)
{
	static struct bench b;
	size_t before;
	double from;

	memset(&b, 0, sizeof(b));
	ipsp_platform_hosted(&b.platform, NULL);
	bench_must(ipsp_spd_db_new(&b.platform, &b.db) == IPSP_OK, "no memory");
	bench_must(mib_store_new(NULL, rows_no_clock, &b.store) == MIB_OK, "no memory");
	bench_must(pol_bind(b.store) == MIB_OK, "no memory");
	b.compiler = pol_compiler_new(mib_store_view(b.store));
	bench_must(b.compiler != NULL, "no memory");
	b.listener = (struct mib_listener){ .committed = committed, .arg = &b };
	bench_must(mib_store_add_listener(b.store, &b.listener) == MIB_OK, "no memory");
	fill(&b, scale->n);
	before = in_use();
	from = bench_cpu_s();
	b.g = compile(&b);
	bench_line((bench_cpu_s() - from) * 1e3, "ms", "policy.compile_%s_ms", scale->name);
	if (memory)
		bench_line((double)(in_use() - before) / scale->n, "octet",
			   "policy.memory_per_rule_bytes");
	bench_must(pol_map_count(&b.g->lists[0].entries) == scale->n, "rules are missing");
	whole_spd(&b);
	bench_line(update_ms(&b, scale->n), "ms", "policy.update_one_of_%s_ms", scale->name);
	bench_line(insert_ms(&b, scale->n), "ms", "policy.insert_one_of_%s_ms", scale->name);
	pol_generation_free(b.g);
	pol_compiler_free(b.compiler);
	mib_store_free(b.store);
	ipsp_spd_free(b.spd);
	ipsp_spd_db_free(b.db);
}

int main(void)
{
	const size_t n = bench_is_quick() ? 1 : sizeof(scales) / sizeof(scales[0]);

	for (size_t i = 0; i < n; i++)
		measure(&scales[i], i + 1 == n);
	return EXIT_SUCCESS;
}
