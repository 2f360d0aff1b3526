/*
 * ipspd/totals.c - totals from differences: see totals.h.
 *
 * Two trees. Counts stand by (row id, direction, interface); direction 0 is the row's own sum, so all
 * that a row has is one run of the tree. What the engine said last stands beside each total; what a
 * report leaves out counts from nothing when it is there again.
 */
#include "config.h"

#include "ipspd/totals.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#define DIR_ROW 0	/* no direction: the row's sum */
#define COUNTS_MAX (1u << 20)	/* an engine that invents ids gets no further */
#define SAS_MAX (1u << 19)

struct count_node {
	RB_ENTRY(count_node) link;
	uint64_t id;
	uint32_t ifindex;
	uint8_t dir;
	uint32_t report;		/* the last one it was in */
	uint64_t packets, bytes;	/* as that said */
	struct totals_count count;
};

struct sa_node {
	RB_ENTRY(sa_node) link;
	uint64_t id;
	uint32_t report;
	struct totals_sa sa;
};

RB_HEAD(totals_counts, count_node);
RB_HEAD(totals_sas, sa_node);

struct totals {
	struct totals_counts counts;
	struct totals_sas sas;
	size_t n_counts, n_sas;
	uint32_t report;
	uint64_t drops[TOTALS_N_DROPS];
	uint64_t drops_now[TOTALS_N_DROPS];	/* as the engine said last */
	uint64_t icmp[IPSP_N_ICMP_COUNTS], icmp_now[IPSP_N_ICMP_COUNTS];	/* likewise */
	uint64_t fast, fast_now;
};

static int count_cmp(const struct count_node *a, const struct count_node *b)
{
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

static int sa_cmp(const struct sa_node *a, const struct sa_node *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_PROTOTYPE(totals_counts, count_node, link, count_cmp)
RB_GENERATE(totals_counts, count_node, link, count_cmp)
RB_PROTOTYPE(totals_sas, sa_node, link, sa_cmp)
RB_GENERATE(totals_sas, sa_node, link, sa_cmp)

/* ---- nodes ---- */

static struct count_node *find_count(const struct totals *t, uint64_t id, uint8_t dir,
				     uint32_t ifindex)
{
	struct count_node key = { .id = id, .dir = dir, .ifindex = ifindex };

	/* The tree macros know no const. */
	return RB_FIND(totals_counts, &((struct totals *)(uintptr_t)t)->counts, &key);
}

static struct sa_node *find_sa(const struct totals *t, uint64_t id)
{
	struct sa_node key = { .id = id };

	return RB_FIND(totals_sas, &((struct totals *)(uintptr_t)t)->sas, &key);
}

static bool make_count(struct totals *t, uint64_t id, uint8_t dir, uint32_t ifindex)
{
	struct count_node *n;

	if (find_count(t, id, dir, ifindex))
		return true;
	n = t->n_counts < COUNTS_MAX ? (struct count_node *)calloc(1, sizeof(*n)) : NULL;
	if (!n)
		return false;
	t->n_counts++;
	n->id = id;
	n->dir = dir;
	n->ifindex = ifindex;
	RB_INSERT(totals_counts, &t->counts, n);
	return true;
}

/* For an entry of a list, and for its row's sum; the end of a list is no row's. */
static bool make_counts(struct totals *t, uint64_t id, uint8_t dir, uint32_t ifindex)
{
	return make_count(t, id, dir, ifindex) && (id == 0 || make_count(t, id, DIR_ROW, 0));
}

static bool make_sa(struct totals *t, uint64_t id)
{
	struct sa_node *n;

	if (find_sa(t, id))
		return true;
	n = t->n_sas < SAS_MAX ? (struct sa_node *)calloc(1, sizeof(*n)) : NULL;
	if (!n)
		return false;
	t->n_sas++;
	n->id = id;
	RB_INSERT(totals_sas, &t->sas, n);
	return true;
}

/* ---- differences ---- */

/* What came since `before`; a counter that ran back began anew. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static void add(struct totals *t, struct count_node *n, uint64_t packets, uint64_t bytes,
		uint64_t kernel_packets, int64_t now_s)
{
	struct count_node *row = n->id ? find_count(t, n->id, DIR_ROW, 0) : NULL;
	struct totals_count *const both[] = { &n->count, row ? &row->count : NULL };

	for (size_t i = 0; packets > 0 && i < 2 && both[i]; i++) {
		both[i]->packets += packets;
		both[i]->bytes += bytes;
		both[i]->kernel_packets += kernel_packets;
		both[i]->last_s = now_s;
	}
}

static void take_entry(struct totals *t, const struct wire_entry_stats *e, int64_t now_s)
{
	struct count_node *n = find_count(t, e->id, e->dir, e->ifindex);

	if (!n)
		return;
	add(t, n, since(e->packets, n->packets), since(e->bytes, n->bytes), 0, now_s);
	n->packets = e->packets;
	n->bytes = e->bytes;
	n->report = t->report;
}

static void take_sa(struct totals *t, const struct wire_sa_stats *s, int64_t now_s)
{
	struct sa_node *n = find_sa(t, s->id);
	struct totals_sa *sa;
	const struct wire_sa_stats *was;

	if (!n)
		return;
	sa = &n->sa;
	was = &sa->now;
	if (s->counter_id == was->counter_id) {
		sa->packets += since(s->packets, was->packets);
		sa->bytes += since(s->bytes, was->bytes);
	} else {
		sa->packets += s->packets;
		sa->bytes += s->bytes;
	}
	sa->auth_errors += since(s->auth_errors, was->auth_errors);
	sa->replay_errors += since(s->replay_errors, was->replay_errors);
	sa->other_errors += since(s->other_errors, was->other_errors);
	sa->dummies += since(s->dummies, was->dummies);
	if (s->idle_s != REPORT_NEVER_USED && (int64_t)s->idle_s < now_s)
		sa->last_s = now_s - (int64_t)s->idle_s;
	sa->now = *s;
	sa->is_there = true;
	n->report = t->report;
}

/* Its errors are counted by the engine's own SA, its packets in memory that outlives that. */
static void forget_errors(struct totals_sa *sa)
{
	sa->now.auth_errors = 0;
	sa->now.replay_errors = 0;
	sa->now.other_errors = 0;
	sa->now.dummies = 0;
}

static void without_report(struct totals *t)
{
	struct count_node *n;
	struct sa_node *s;

	RB_FOREACH(n, totals_counts, &t->counts) {
		if (n->report != t->report) {
			n->packets = 0;
			n->bytes = 0;
		}
	}
	RB_FOREACH(s, totals_sas, &t->sas) {
		if (s->report != t->report) {
			s->sa.is_there = false;
			forget_errors(&s->sa);
		}
	}
}

bool totals_take(struct totals *t, const struct totals_report *r, int64_t now_s)
{
	for (size_t i = 0; i < r->n_entries; i++) {
		const struct wire_entry_stats *e = &r->entries[i];

		if (!make_counts(t, e->id, e->dir, e->ifindex))
			return false;
	}
	for (size_t i = 0; i < r->n_sas; i++)
		if (!make_sa(t, r->sas[i].id))
			return false;
	t->report++;
	for (size_t i = 0; i < r->n_entries; i++)
		take_entry(t, &r->entries[i], now_s);
	for (size_t i = 0; i < r->n_sas; i++)
		take_sa(t, &r->sas[i], now_s);
	without_report(t);
	for (size_t i = 0; i < TOTALS_N_DROPS; i++) {
		t->drops[i] += since(r->drops[i], t->drops_now[i]);
		t->drops_now[i] = r->drops[i];
	}
	for (size_t i = 0; i < IPSP_N_ICMP_COUNTS; i++) {
		t->icmp[i] += since(r->icmp[i], t->icmp_now[i]);
		t->icmp_now[i] = r->icmp[i];
	}
	t->fast += since(r->fast, t->fast_now);
	t->fast_now = r->fast;
	return true;
}

bool totals_take_last(struct totals *t, const struct wire_sa_stats *s, int64_t now_s)
{
	struct sa_node *n;

	if (!make_sa(t, s->id))
		return false;
	take_sa(t, s, now_s);
	n = find_sa(t, s->id);
	/* The next one of its id counts errors from nothing. */
	if (n)
		forget_errors(&n->sa);
	return true;
}

void totals_engine_gone(struct totals *t)
{
	t->report++;
	without_report(t);
	memset(t->drops_now, 0, sizeof(t->drops_now));
	memset(t->icmp_now, 0, sizeof(t->icmp_now));
	t->fast_now = 0;
}

bool totals_kernel(struct totals *t, uint32_t ifindex, enum ipsp_dir dir, uint64_t id,
		   uint64_t packets, uint64_t bytes, int64_t now_s)
{
	if (!make_counts(t, id, (uint8_t)dir, ifindex))
		return false;
	add(t, find_count(t, id, (uint8_t)dir, ifindex), packets, bytes, packets, now_s);
	return true;
}

void totals_kernel_drops(struct totals *t, unsigned reason, uint64_t packets)
{
	t->drops[reason] += packets;
}

void totals_forget(struct totals *t, uint64_t id)
{
	struct count_node key = { .id = id }, *n, *next;
	struct sa_node *sa = find_sa(t, id);

	for (n = RB_NFIND(totals_counts, &t->counts, &key); n && n->id == id; n = next) {
		next = RB_NEXT(totals_counts, &t->counts, n);
		RB_REMOVE(totals_counts, &t->counts, n);
		t->n_counts--;
		free(n);
	}
	if (sa) {
		RB_REMOVE(totals_sas, &t->sas, sa);
		t->n_sas--;
		free(sa);
	}
}

/* ---- reading ---- */

const struct totals_count *totals_entry(const struct totals *t, uint32_t ifindex,
					enum ipsp_dir dir, uint64_t id)
{
	static const struct totals_count nothing;
	const struct count_node *n = find_count(t, id, (uint8_t)dir, ifindex);

	return n ? &n->count : &nothing;
}

const struct totals_count *totals_row(const struct totals *t, uint64_t id)
{
	static const struct totals_count nothing;
	const struct count_node *n = find_count(t, id, DIR_ROW, 0);

	return n ? &n->count : &nothing;
}

const struct totals_sa *totals_sa(const struct totals *t, uint64_t id)
{
	static const struct totals_sa nothing;
	const struct sa_node *n = find_sa(t, id);

	return n ? &n->sa : &nothing;
}

uint64_t totals_drops(const struct totals *t, unsigned reason)
{
	return t->drops[reason];
}

struct totals *totals_new(void)
{
	struct totals *t = (struct totals *)calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	RB_INIT(&t->counts);
	RB_INIT(&t->sas);
	return t;
}

void totals_free(struct totals *t)
{
	struct count_node *n;
	struct sa_node *s;

	if (!t)
		return;
	while ((n = RB_ROOT(&t->counts))) {
		RB_REMOVE(totals_counts, &t->counts, n);
		free(n);
	}
	while ((s = RB_ROOT(&t->sas))) {
		RB_REMOVE(totals_sas, &t->sas, s);
		free(s);
	}
	free(t);
}

uint64_t totals_icmp(const struct totals *t, enum ipsp_icmp_count what)
{
	return t->icmp[what];
}

uint64_t totals_fast(const struct totals *t)
{
	return t->fast;
}
