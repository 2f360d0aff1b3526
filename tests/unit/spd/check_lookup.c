/*
 * tests/unit/spd/check_lookup.c - lookup against a plain first-match model, over random policies
 * and packets; the iterator; fragments. RFC 4301 4.4.1.
 */
#include <check.h>
#include <string.h>

#include "tests/unit/spd/memory.h"
#include "ipsp/spd.h"

#define ENTRIES_MAX 60
#define BOXES_MAX 4

static struct memory memory;
static struct ipsp_spd_db *db;

static uint64_t random_state = 1;

static uint32_t rnd(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % n;
}

/* One of few values, so that packets meet boxes and their edges. */
static uint32_t edge(uint32_t max)
{
	static const uint32_t values[] = { 0, 1, 6, 17, 53, 80, 443, 65534, 65535, 65536 };
	uint32_t v = values[rnd(sizeof(values) / sizeof(values[0]))];

	return v > max ? rnd(max + 1) : v;
}

static struct ipsp_addr random_addr(uint8_t family)
{
	static const uint8_t octets[] = { 0, 1, 10, 127, 128, 192, 254, 255 };
	struct ipsp_addr a = { .family = family };

	for (size_t i = 0; i < ipsp_addr_size(family); i++)
		a.octets[i] = i < 2 || i + 2 >= ipsp_addr_size(family) ?
			octets[rnd(rnd(4) ? 3 : 8)] : 0;
	return a;
}

/* A prefix of any length, an arbitrary range, a single address, or everything. */
static void random_range(uint8_t family, struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	struct ipsp_addr a = random_addr(family), b = random_addr(family);
	unsigned bits = family == 4 ? 32 : 128;

	switch (rnd(4)) {
	case 0:
		*lo = ipsp_addr_cmp(&a, &b) <= 0 ? a : b;
		*hi = ipsp_addr_cmp(&a, &b) <= 0 ? b : a;
		break;
	case 1:
		*lo = *hi = a;
		break;
	default:
		if (ipsp_addr_prefix(&a, rnd(4) ? rnd(bits + 1) : 0, lo, hi) != IPSP_OK)
			ck_abort_msg("prefix");
		break;
	}
}

static void random_interval(uint32_t max, uint32_t *lo, uint32_t *hi)
{
	uint32_t a = edge(max), b = edge(max);

	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
}

static void random_messages(uint32_t *lo, uint32_t *hi)
{
	random_interval(IPSP_PORT_MAX, lo, hi);
	*lo += IPSP_PORT_MESSAGE;
	*hi += IPSP_PORT_MESSAGE;
}

static void random_box(struct ipsp_selector *s)
{
	uint32_t lo, hi;

	ipsp_selector_any(rnd(2) ? 4 : 6, s);
	random_range(s->family, &s->src_lo, &s->src_hi);
	random_range(s->family, &s->dst_lo, &s->dst_hi);
	if (rnd(2)) {
		random_interval(255, &lo, &hi);
		s->proto_lo = (uint8_t)lo;
		s->proto_hi = (uint8_t)(rnd(3) ? lo : hi);
	}
	if (rnd(3) == 0)
		random_interval(IPSP_PORT_NONE, &s->sport_lo, &s->sport_hi);
	else if (rnd(4) == 0)
		random_messages(&s->sport_lo, &s->sport_hi);
	if (rnd(3) == 0)
		random_interval(IPSP_PORT_NONE, &s->dport_lo, &s->dport_hi);
	if (rnd(12) == 0)
		s->hides = rnd(2) ? IPSP_HIDES_ONLY : IPSP_HIDES_NEVER;
	if (rnd(8) == 0) {
		random_interval(IPSP_DSCP_MAX, &lo, &hi);
		s->dscp_lo = (uint8_t)lo;
		s->dscp_hi = (uint8_t)hi;
	}
	if (s->family == 6 && rnd(8) == 0)
		random_interval(IPSP_FLOW_MAX, &s->flow_lo, &s->flow_hi);
}

static struct ipsp_flow random_flow(void)
{
	static const uint8_t messengers[] = { 1, 58, 135 };
	struct ipsp_flow f = { .family = rnd(2) ? 4 : 6, .proto_known = true };

	f.src = random_addr(f.family);
	f.dst = random_addr(f.family);
	f.proto = (uint8_t)(rnd(6) ? edge(255) : messengers[rnd(3)]);
	f.dscp = (uint8_t)edge(IPSP_DSCP_MAX);
	f.flow_label = f.family == 6 ? edge(IPSP_FLOW_MAX) : 0;
	f.sport = f.dport = IPSP_PORT_NONE;
	f.ports_known = true;
	if (ipsp_proto_has_ports(f.proto)) {
		f.ports_known = rnd(4) != 0;
		if (f.ports_known) {
			f.sport = edge(65535);
			f.dport = edge(65535);
		}
	} else if (f.proto == 1 || f.proto == 58 || f.proto == 135) {
		f.ports_known = rnd(4) != 0;
		if (f.ports_known)
			f.sport = IPSP_PORT_MESSAGE + edge(65535);
	}
	if (f.family == 6 && rnd(20) == 0) {
		f.proto_known = f.ports_known = false;
		f.proto = 0;
		f.sport = f.dport = IPSP_PORT_NONE;
	}
	return f;
}

/* ---- the model: each entry in turn, each box in turn, by the words of ipsp/spd.h ---- */

enum answer { NO, MAYBE, YES };

static bool is_messenger(const struct ipsp_flow *f)
{
	return f->proto_known && (f->proto == 1 || f->proto == 58 || f->proto == 135);
}

static enum answer model_ports(const struct ipsp_flow *f, uint32_t lo, uint32_t hi, uint32_t port)
{
	if (f->ports_known)
		return port >= lo && port <= hi ? YES : NO;
	if (lo > 0 || hi < 65535)
		return MAYBE;
	return f->proto_known || hi == IPSP_PORT_NONE ? YES : MAYBE;
}

/* A message is between 0x10000 and 0x1ffff, and has no destination port. */
static enum answer model_messages(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	if (f->dport < s->dport_lo || f->dport > s->dport_hi)
		return NO;
	if (f->ports_known)
		return f->sport >= s->sport_lo && f->sport <= s->sport_hi ? YES : NO;
	if (s->sport_hi < 0x10000 || s->sport_lo > 0x1ffff)
		return NO;
	return s->sport_lo <= 0x10000 && s->sport_hi >= 0x1ffff ? YES : MAYBE;
}

static enum answer least(enum answer a, enum answer b)
{
	return a < b ? a : b;
}

static enum answer model_box(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	enum answer a;

	if (f->family != s->family || ipsp_addr_cmp(&f->src, &s->src_lo) < 0 ||
	    ipsp_addr_cmp(&f->src, &s->src_hi) > 0 || ipsp_addr_cmp(&f->dst, &s->dst_lo) < 0 ||
	    ipsp_addr_cmp(&f->dst, &s->dst_hi) > 0)
		return NO;
	if (f->dscp < s->dscp_lo || f->dscp > s->dscp_hi ||
	    (f->family == 6 && (f->flow_label < s->flow_lo || f->flow_label > s->flow_hi)))
		return NO;
	if (f->proto_known)
		a = f->proto >= s->proto_lo && f->proto <= s->proto_hi ? YES : NO;
	else
		a = s->proto_lo == 0 && s->proto_hi == 255 ? YES : MAYBE;
	if ((s->hides == IPSP_HIDES_ONLY && f->ports_known) ||
	    (s->hides == IPSP_HIDES_NEVER && !f->ports_known))
		return NO;
	if (is_messenger(f))
		return least(a, model_messages(f, s));
	a = least(a, model_ports(f, s->sport_lo, s->sport_hi, f->sport));
	return least(a, model_ports(f, s->dport_lo, s->dport_hi, f->dport));
}

static bool one_proto(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	return s->family == f->family && s->proto_lo == s->proto_hi;
}

/* With the protocol hidden, doubt stands at the first entry for one protocol, and only there. */
static uint32_t model_doubt(const struct ipsp_flow *f, const struct ipsp_spd_list *list)
{
	for (uint32_t i = 0; !f->proto_known && i < list->n_entries; i++) {
		for (uint32_t j = 0; j < list->entries[i].n_selectors; j++) {
			if (one_proto(f, &list->entries[i].selectors[j]))
				return i;
		}
	}
	return UINT32_MAX;
}

static enum answer model_entry(const struct ipsp_flow *f, const struct ipsp_spd_list *list,
			       uint32_t i, uint32_t doubt)
{
	const struct ipsp_spd_entry *e = &list->entries[i];
	enum answer best = i == doubt ? MAYBE : NO;

	for (uint32_t j = 0; j < e->n_selectors && best != YES; j++) {
		const struct ipsp_selector *s = &e->selectors[j];

		if (f->proto_known || !one_proto(f, s)) {
			enum answer a = model_box(f, s);

			best = a > best ? a : best;
		}
	}
	return best;
}

struct policy {
	struct ipsp_selector boxes[ENTRIES_MAX][BOXES_MAX];
	struct ipsp_spd_entry entries[ENTRIES_MAX];
	struct ipsp_spd_list list;
	struct ipsp_spd *spd;
};

static void policy_build(struct policy *p)
{
	struct ipsp_spd_update update = {
		.generation = 1, .full = true, .n_lists = 1, .lists = &p->list,
	};

	p->list.entries = p->entries;
	for (uint32_t i = 0; i < p->list.n_entries; i++)
		p->entries[i].selectors = p->boxes[i];
	ck_assert_int_eq(ipsp_spd_build(db, NULL, &update, &p->spd), IPSP_OK);
}

static void policy_random(struct policy *p, uint32_t entries_max)
{
	memset(p, 0, sizeof(*p));
	p->list.ifindex = rnd(3);
	p->list.dir = IPSP_OUTBOUND;
	p->list.n_entries = rnd(entries_max + 1);
	for (uint32_t i = 0; i < p->list.n_entries; i++) {
		struct ipsp_spd_entry *e = &p->entries[i];

		e->id = 1000 + i;
		e->action = (uint8_t)rnd(3);
		e->n_selectors = rnd(BOXES_MAX + 1);
		for (uint32_t j = 0; j < e->n_selectors; j++)
			random_box(&p->boxes[i][j]);
	}
	policy_build(p);
}

/* All candidates in list order, as the iterator must give them. */
static bool walk_agrees(const struct policy *p, const struct ipsp_flow *f)
{
	uint32_t doubt = model_doubt(f, &p->list);
	struct ipsp_spd_iter it;
	bool sure;

	if (!ipsp_spd_iter_init(&it, p->spd, p->list.ifindex, IPSP_OUTBOUND, f, NULL))
		return false;
	for (uint32_t i = 0; i < p->list.n_entries; i++) {
		enum answer a = model_entry(f, &p->list, i, doubt);
		const struct ipsp_spd_rule *r;

		if (a == NO)
			continue;
		r = ipsp_spd_iter_next(&it, &sure);
		if (!r || r->id != p->entries[i].id || r->action != p->entries[i].action ||
		    sure != (a == YES))
			return false;
	}
	return !ipsp_spd_iter_next(&it, &sure) && !ipsp_spd_iter_next(&it, &sure);
}

static bool lookup_agrees(const struct policy *p, const struct ipsp_flow *f)
{
	struct ipsp_spd_match m = ipsp_spd_lookup(p->spd, p->list.ifindex, IPSP_OUTBOUND, f, NULL);
	uint32_t doubt = model_doubt(f, &p->list);

	/* None of these has a predicate or a time. */
	if (!m.fixed)
		return false;
	for (uint32_t i = 0; i < p->list.n_entries; i++) {
		enum answer a = model_entry(f, &p->list, i, doubt);

		if (a != NO)
			return m.result == (a == YES ? IPSP_SPD_RULE : IPSP_SPD_FRAGMENT) &&
			       m.rule->id == p->entries[i].id;
	}
	return m.result == IPSP_SPD_DEFAULT && !m.rule;
}

START_TEST(test_lookup_gives_what_a_plain_first_match_gives)
{
	static struct policy p;

	for (int round = 0; round < 1000; round++) {
		int agreed = 0;

		/* Short lists for the most part: the model is slow. */
		policy_random(&p, round % 16 ? 12 : ENTRIES_MAX);
		for (int i = 0; i < 2000; i++) {
			struct ipsp_flow f = random_flow();

			agreed += lookup_agrees(&p, &f) && (i % 8 || walk_agrees(&p, &f));
		}
		ck_assert_int_eq(agreed, 2000);
		ipsp_spd_free(p.spd);
	}
}
END_TEST

/* ---- lists that follow one another by edits ---- */

#define RUNS_MAX 6

static uint64_t last_id = 5000;

static void random_entry(struct policy *p, uint32_t at)
{
	struct ipsp_spd_entry *e = &p->entries[at];

	*e = (struct ipsp_spd_entry){ .id = ++last_id, .action = (uint8_t)rnd(3),
				      .n_selectors = rnd(BOXES_MAX + 1),
				      .selectors = p->boxes[at] };
	for (uint32_t j = 0; j < e->n_selectors; j++)
		random_box(&p->boxes[at][j]);
}

static void keep_entries(const struct policy *from, uint32_t at, struct policy *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = to->list.n_entries++;

		to->entries[k] = from->entries[at + i];
		memcpy(to->boxes[k], from->boxes[at + i], sizeof(to->boxes[k]));
		to->entries[k].selectors = to->boxes[k];
	}
}

static void new_entries(struct policy *to, uint32_t n, struct ipsp_spd_run *run)
{
	run->entries = &to->entries[to->list.n_entries];
	run->n_entries = n;
	for (uint32_t i = 0; i < n; i++)
		random_entry(to, to->list.n_entries++);
}

static enum ipsp_err policy_edit(const struct policy *from, struct policy *to,
				 const struct ipsp_spd_run *runs, uint32_t n_runs)
{
	const struct ipsp_spd_edit edit = {
		.key = { from->list.ifindex, from->list.dir }, .n_runs = n_runs, .runs = runs,
	};
	const struct ipsp_spd_update update = { .generation = 2, .n_edits = 1, .edits = &edit };

	return ipsp_spd_build(db, from->spd, &update, &to->spd);
}

/* To, which is zeroed, follows from by some random runs. */
static uint32_t random_runs(const struct policy *from, struct policy *to,
			    struct ipsp_spd_run runs[RUNS_MAX])
{
	uint32_t at = 0, n_runs = rnd(RUNS_MAX + 1);

	to->list = from->list;
	to->list.entries = to->entries;
	to->list.n_entries = 0;
	for (uint32_t i = 0; i < n_runs; i++) {
		uint32_t left = from->list.n_entries - at, after, room;
		struct ipsp_spd_run *run = &runs[i];

		run->keep = rnd(left / (1 + rnd(4)) + 1);
		run->remove = rnd(left - run->keep + 1) / (1 + rnd(4));
		keep_entries(from, at, to, run->keep);
		at += run->keep + run->remove;
		after = from->list.n_entries - at;
		room = ENTRIES_MAX - to->list.n_entries - after;
		new_entries(to, rnd((room < 4 ? room : 4) + 1), run);
	}
	keep_entries(from, at, to, from->list.n_entries - at);
	return n_runs;
}

static bool agrees(const struct policy *p, int flows)
{
	for (int i = 0; i < flows; i++) {
		struct ipsp_flow f = random_flow();

		if (!lookup_agrees(p, &f) || !walk_agrees(p, &f))
			return false;
	}
	return true;
}

START_TEST(test_edited_lists_give_what_a_plain_first_match_gives)
{
	static struct policy policies[2];

	random_state = (uint64_t)_i * 7919 + 3;
	memset(&policies[0], 0, sizeof(policies[0]));
	policy_random(&policies[0], ENTRIES_MAX / 2);
	for (int round = 0; round < 300; round++) {
		struct policy *from = &policies[round % 2], *to = &policies[1 - round % 2];
		struct ipsp_spd_run runs[RUNS_MAX];
		uint32_t n_runs;

		memset(to, 0, sizeof(*to));
		n_runs = random_runs(from, to, runs);
		ck_assert_int_eq(policy_edit(from, to, runs, n_runs), IPSP_OK);
		ck_assert(agrees(to, 100));
		/* The one before is as it was. */
		ck_assert(agrees(from, 30));
		ipsp_spd_free(from->spd);
	}
	ipsp_spd_free(policies[0].spd);
}
END_TEST

/* Each time in the half that is left between two orders: they run out of room. */
START_TEST(test_entries_come_in_one_place_again_and_again)
{
	static struct policy policies[2];

	memset(&policies[0], 0, sizeof(policies[0]));
	policy_random(&policies[0], 1);
	policies[0].list.n_entries = 0;
	ipsp_spd_free(policies[0].spd);
	for (uint32_t i = 0; i < 20; i++)
		random_entry(&policies[0], policies[0].list.n_entries++);
	policy_build(&policies[0]);
	for (int round = 0; round < 200; round++) {
		struct policy *from = &policies[round % 2], *to = &policies[1 - round % 2];
		struct ipsp_spd_run runs[2] = { { .keep = 1 }, { .keep = 18, .remove = 1 } };

		memset(to, 0, sizeof(*to));
		to->list = from->list;
		to->list.entries = to->entries;
		to->list.n_entries = 0;
		keep_entries(from, 0, to, 1);
		new_entries(to, 1, &runs[0]);
		keep_entries(from, 1, to, 18);
		ck_assert_int_eq(policy_edit(from, to, runs, 2), IPSP_OK);
		ck_assert(agrees(to, 50));
		ipsp_spd_free(from->spd);
	}
	ipsp_spd_free(policies[0].spd);
}
END_TEST

START_TEST(test_an_edit_without_memory_changes_nothing)
{
	static struct policy from, to;
	struct ipsp_spd_run runs[RUNS_MAX];
	enum ipsp_err err = IPSP_ENOMEM;
	size_t octets;
	uint32_t n_runs = 0;
	long n = 0;

	policy_random(&from, ENTRIES_MAX / 2);
	while (n_runs < 2) {
		memset(&to, 0, sizeof(to));
		n_runs = random_runs(&from, &to, runs);
	}
	octets = memory.octets;
	while (err == IPSP_ENOMEM) {
		memory.fail_at = n++;
		err = policy_edit(&from, &to, runs, n_runs);
		memory.fail_at = -1;
		if (err == IPSP_OK)
			break;
		ck_assert_int_eq(err, IPSP_ENOMEM);
		ipsp_spd_hits_forget(db);
		ck_assert_uint_eq(memory.octets, octets);
		ck_assert(agrees(&from, 20));
	}
	ck_assert_int_gt(n, 5);
	ck_assert(agrees(&to, 100));
	ipsp_spd_free(from.spd);
	ipsp_spd_free(to.spd);
}
END_TEST

static const struct {
	const char *name;
	uint32_t ifindex;
	struct ipsp_spd_run runs[2];
} bad_edits[] = {
	{ "a list that is not there", 7, { { .keep = 0 } } },
	{ "keeps more than there are", 1, { { .keep = 3 } } },
	{ "removes more than there are", 1, { { .keep = 1 }, { .remove = 2 } } },
	{ "counts that wrap", 1, { { .keep = UINT32_MAX }, { .remove = UINT32_MAX } } },
};

START_TEST(test_an_edit_that_does_not_fit_is_refused)
{
	static struct policy p;
	struct policy to;

	memset(&p, 0, sizeof(p));
	p.list = (struct ipsp_spd_list){ .ifindex = 1, .dir = IPSP_OUTBOUND, .n_entries = 2 };
	random_entry(&p, 0);
	random_entry(&p, 1);
	policy_build(&p);
	p.list.ifindex = bad_edits[_i].ifindex;
	ck_assert_msg(policy_edit(&p, &to, bad_edits[_i].runs, 2) == IPSP_EINVAL, "%s",
		      bad_edits[_i].name);
	ipsp_spd_free(p.spd);
}
END_TEST

/* Each prefix length pair is a tuple of its own: far more than there is room for. */
START_TEST(test_too_many_prefix_lengths_are_still_looked_up_right)
{
	enum { N = 129 * 8 };
	static struct ipsp_selector boxes[N];
	static struct ipsp_spd_entry entries[N];
	struct ipsp_spd_list list = {
		.dir = IPSP_INBOUND, .n_entries = N, .entries = entries,
	};
	struct ipsp_spd_update update = { .full = true, .n_lists = 1, .lists = &list };
	struct ipsp_spd *spd;

	for (uint32_t i = 0; i < N; i++) {
		struct ipsp_addr a = random_addr(6), b = random_addr(6);

		ipsp_selector_any(6, &boxes[i]);
		ck_assert_int_eq(ipsp_addr_prefix(&a, 128 - i / 8, &boxes[i].src_lo,
						  &boxes[i].src_hi), IPSP_OK);
		ck_assert_int_eq(ipsp_addr_prefix(&b, rnd(129), &boxes[i].dst_lo,
						  &boxes[i].dst_hi), IPSP_OK);
		entries[i].id = i + 1;
		entries[i].n_selectors = 1;
		entries[i].selectors = &boxes[i];
	}
	ck_assert_int_eq(ipsp_spd_build(db, NULL, &update, &spd), IPSP_OK);
	for (int n = 0; n < 5000; n++) {
		struct ipsp_flow f = random_flow();
		struct ipsp_spd_match m;
		uint32_t i = 0;

		f.family = 6;
		f.src = random_addr(6);
		f.dst = random_addr(6);
		m = ipsp_spd_lookup(spd, 9, IPSP_INBOUND, &f, NULL);
		while (i < N && model_entry(&f, &list, i, UINT32_MAX) == NO)
			i++;
		if ((m.rule ? m.rule->id : 0) != (i < N ? i + 1 : 0))
			ck_abort_msg("packet %d: entry %u", n, i + 1);
	}
	ipsp_spd_free(spd);
}
END_TEST

/*
 * One entry is for any destination, 256 are for one destination and source port each, and 16 for one
 * destination: so at the end of a packet's way its destination's last entry waits, too late to matter,
 * and before that the first of all.
 */
START_TEST(test_the_first_entry_is_found_behind_one_that_comes_too_late)
{
	enum { SIDE = 16, N = 1 + SIDE * SIDE + SIDE };
	static struct ipsp_selector boxes[N];
	static struct ipsp_spd_entry entries[N];
	const struct ipsp_spd_list list = {
		.dir = IPSP_OUTBOUND, .n_entries = N, .entries = entries,
	};
	const struct ipsp_spd_update update = { .full = true, .n_lists = 1, .lists = &list };
	struct ipsp_flow f = { .family = 4, .proto = 17, .proto_known = true, .ports_known = true };
	struct ipsp_spd *spd;

	for (uint32_t i = 0; i < N; i++) {
		ipsp_selector_any(4, &boxes[i]);
		entries[i] = (struct ipsp_spd_entry){ .id = i + 1, .n_selectors = 1,
						      .selectors = &boxes[i] };
		if (i == 0) {
			boxes[i].dport_lo = boxes[i].dport_hi = 53;
			continue;
		}
		boxes[i].dst_lo.octets[3] = boxes[i].dst_hi.octets[3] = (uint8_t)((i - 1) % SIDE);
		memset(boxes[i].dst_hi.octets, 0, 3);
		if (i <= SIDE * SIDE)
			boxes[i].sport_lo = boxes[i].sport_hi = (i - 1) / SIDE;
	}
	f.src.family = f.dst.family = 4;
	ck_assert_int_eq(ipsp_spd_build(db, NULL, &update, &spd), IPSP_OK);
	for (uint32_t i = 0; i < SIDE * SIDE; i++) {
		struct ipsp_spd_query among = { .dir = IPSP_OUTBOUND, .flow = &f };

		f.dst.octets[3] = (uint8_t)(i % SIDE);
		f.sport = i / SIDE;
		for (f.dport = 53; f.dport < 55; f.dport++) {
			const uint64_t id = f.dport == 53 ? 1 : i + 2;

			ck_assert_uint_eq(ipsp_spd_lookup(spd, 0, IPSP_OUTBOUND, &f, NULL).rule->id,
					  id);
			ipsp_spd_lookup_n(spd, &among, 1);
			ck_assert_uint_eq(among.match.rule->id, id);
		}
	}
	ipsp_spd_free(spd);
}
END_TEST

#define NONE IPSP_PORT_NONE

/* What a UDP fragment without ports meets: an entry's ports, and the result. */
static const struct {
	const char *name;
	uint32_t lo, hi;	/* dport of the first entry; the second is for any port */
	enum ipsp_spd_result result;
	uint64_t id;
} fragments[] = {
	{ "one port is in doubt", 53, 53, IPSP_SPD_FRAGMENT, 1 },
	{ "a range is in doubt", 1, 65535, IPSP_SPD_FRAGMENT, 1 },
	{ "what a negated range leaves is in doubt", NONE, NONE, IPSP_SPD_FRAGMENT, 1 },
	{ "all ports are sure", 0, 65535, IPSP_SPD_RULE, 1 },
	{ "any port is sure", 0, NONE, IPSP_SPD_RULE, 1 },
};

START_TEST(test_a_fragment_is_not_judged_past_an_entry_it_may_match)
{
	static struct policy p;
	struct ipsp_flow f = {
		.family = 4, .proto = 17, .proto_known = true, .frag = IPSP_FRAG_LATER,
		.sport = IPSP_PORT_NONE, .dport = IPSP_PORT_NONE,
		.src.family = 4, .dst.family = 4,
	};
	struct ipsp_spd_match m;

	memset(&p, 0, sizeof(p));
	p.list.dir = IPSP_OUTBOUND;
	p.list.n_entries = 2;
	for (uint32_t i = 0; i < 2; i++) {
		p.entries[i].id = i + 1;
		p.entries[i].n_selectors = 1;
		ipsp_selector_any(4, &p.boxes[i][0]);
	}
	p.boxes[0][0].dport_lo = fragments[_i].lo;
	p.boxes[0][0].dport_hi = fragments[_i].hi;
	policy_build(&p);
	m = ipsp_spd_lookup(p.spd, 0, IPSP_OUTBOUND, &f, NULL);
	ck_assert_msg(m.result == fragments[_i].result, "%s", fragments[_i].name);
	ck_assert_uint_eq(m.rule->id, fragments[_i].id);
	/* A sure entry before it takes the fragment. */
	ipsp_spd_free(p.spd);
	ipsp_selector_any(4, &p.boxes[0][0]);
	p.boxes[1][0].dport_lo = p.boxes[1][0].dport_hi = 53;
	policy_build(&p);
	m = ipsp_spd_lookup(p.spd, 0, IPSP_OUTBOUND, &f, NULL);
	ck_assert_int_eq(m.result, IPSP_SPD_RULE);
	ck_assert_uint_eq(m.rule->id, 1);
	ipsp_spd_free(p.spd);
}
END_TEST

static void setup(void)
{
	memory_init(&memory, NULL);
	ck_assert_int_eq(ipsp_spd_db_new(&memory.platform, &db), IPSP_OK);
}

static void teardown(void)
{
	ipsp_spd_db_free(db);
	ck_assert_uint_eq(memory.octets, 0);
}

int main(void)
{
	Suite *suite = suite_create("lookup");
	TCase *tc = tcase_create("lookup");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_lookup_gives_what_a_plain_first_match_gives);
	tcase_add_loop_test(tc, test_edited_lists_give_what_a_plain_first_match_gives, 0, 4);
	tcase_add_test(tc, test_entries_come_in_one_place_again_and_again);
	tcase_add_test(tc, test_an_edit_without_memory_changes_nothing);
	tcase_add_loop_test(tc, test_an_edit_that_does_not_fit_is_refused, 0,
			    sizeof(bad_edits) / sizeof(bad_edits[0]));
	tcase_add_test(tc, test_too_many_prefix_lengths_are_still_looked_up_right);
	tcase_add_test(tc, test_the_first_entry_is_found_behind_one_that_comes_too_late);
	tcase_add_loop_test(tc, test_a_fragment_is_not_judged_past_an_entry_it_may_match, 0,
			    sizeof(fragments) / sizeof(fragments[0]));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
