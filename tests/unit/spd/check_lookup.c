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
	if (rnd(3) == 0)
		random_interval(IPSP_PORT_NONE, &s->dport_lo, &s->dport_hi);
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
	struct ipsp_flow f = { .family = rnd(2) ? 4 : 6, .proto_known = true };

	f.src = random_addr(f.family);
	f.dst = random_addr(f.family);
	f.proto = (uint8_t)edge(255);
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

static enum answer model_ports(const struct ipsp_flow *f, uint32_t lo, uint32_t hi, uint32_t port)
{
	if (f->ports_known)
		return port >= lo && port <= hi ? YES : NO;
	if (lo > 0 || hi < 65535)
		return MAYBE;
	return f->proto_known || hi == IPSP_PORT_NONE ? YES : MAYBE;
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

/* What a UDP fragment without ports meets: an entry's ports, and the result. */
static const struct {
	const char *name;
	uint32_t lo, hi;	/* dport of the first entry; the second is for any port */
	enum ipsp_spd_result result;
	uint64_t id;
} fragments[] = {
	{ "one port is in doubt", 53, 53, IPSP_SPD_FRAGMENT, 1 },
	{ "a range is in doubt", 1, 65535, IPSP_SPD_FRAGMENT, 1 },
	{ "what a negated range leaves is in doubt", 65536, 65536, IPSP_SPD_FRAGMENT, 1 },
	{ "all ports are sure", 0, 65535, IPSP_SPD_RULE, 1 },
	{ "any port is sure", 0, 65536, IPSP_SPD_RULE, 1 },
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
	tcase_add_test(tc, test_too_many_prefix_lengths_are_still_looked_up_right);
	tcase_add_loop_test(tc, test_a_fragment_is_not_judged_past_an_entry_it_may_match, 0,
			    sizeof(fragments) / sizeof(fragments[0]));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
