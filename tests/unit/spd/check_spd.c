/*
 * tests/unit/spd/check_spd.c - snapshots: which list a packet meets, sharing, refusals, counters.
 */
#include <check.h>
#include <string.h>

#include "ipsp/spd.h"
#include "tests/unit/spd/memory.h"

static struct memory memory;
static struct ipsp_spd_db *db;
static struct ipsp_selector any4;

static const struct ipsp_flow packet4 = {
	.family = 4, .proto = 1, .proto_known = true, .ports_known = true,
	.sport = IPSP_PORT_NONE, .dport = IPSP_PORT_NONE, .src.family = 4, .dst.family = 4,
};

/* A list of one entry for all of IPv4. */
struct one {
	struct ipsp_spd_entry entry;
	struct ipsp_spd_list list;
};

static void one_init(struct one *o, uint32_t ifindex, enum ipsp_dir dir, uint64_t id)
{
	*o = (struct one){
		.entry = { .id = id, .action = IPSP_BYPASS, .n_selectors = 1, .selectors = &any4 },
		.list = { .ifindex = ifindex, .dir = (uint8_t)dir, .n_entries = 1 },
	};
	o->list.entries = &o->entry;
}

static struct ipsp_spd *build(const struct ipsp_spd *prev, bool full, uint32_t n,
			      const struct ipsp_spd_list *lists)
{
	struct ipsp_spd_update update = { .full = full, .n_lists = n, .lists = lists };
	struct ipsp_spd *spd = NULL;

	ck_assert_int_eq(ipsp_spd_build(db, prev, &update, &spd), IPSP_OK);
	return spd;
}

/* The entry that decides, 0: the default, -1: untouched. */
static int64_t decides(const struct ipsp_spd *spd, uint32_t ifindex, enum ipsp_dir dir)
{
	struct ipsp_spd_match m = ipsp_spd_lookup(spd, ifindex, dir, &packet4, NULL);

	ck_assert_int_eq(m.result == IPSP_SPD_NO_POLICY, !ipsp_spd_has_policy(spd, ifindex, dir));
	return m.result == IPSP_SPD_NO_POLICY ? -1 : m.rule ? (int64_t)m.rule->id : 0;
}

START_TEST(test_an_interface_uses_its_own_list_or_else_the_default)
{
	struct one o[3];
	struct ipsp_spd_list lists[4];
	struct ipsp_spd *spd;

	one_init(&o[0], 0, IPSP_OUTBOUND, 10);
	one_init(&o[1], 7, IPSP_OUTBOUND, 17);
	one_init(&o[2], 7, IPSP_INBOUND, 27);
	for (int i = 0; i < 3; i++)
		lists[i] = o[i].list;
	lists[3] = (struct ipsp_spd_list){ .ifindex = 8, .dir = IPSP_OUTBOUND };
	spd = build(NULL, true, 4, lists);
	ck_assert_int_eq(decides(spd, 7, IPSP_OUTBOUND), 17);
	ck_assert_int_eq(decides(spd, 6, IPSP_OUTBOUND), 10);
	ck_assert_int_eq(decides(spd, 0, IPSP_OUTBOUND), 10);
	ck_assert_int_eq(decides(spd, 7, IPSP_INBOUND), 27);
	ck_assert_int_eq(decides(spd, 6, IPSP_INBOUND), -1);
	ck_assert_int_eq(decides(spd, 8, IPSP_OUTBOUND), 0);
	ipsp_spd_free(spd);
}
END_TEST

START_TEST(test_a_difference_keeps_what_it_does_not_name)
{
	struct one o[3];
	struct ipsp_spd_list lists[2];
	const struct ipsp_spd_key gone = { 2, IPSP_OUTBOUND };
	struct ipsp_spd_update update = {
		.generation = 9, .n_lists = 1, .n_removed = 1, .removed = &gone,
	};
	struct ipsp_spd *first, *second;

	one_init(&o[0], 1, IPSP_OUTBOUND, 1);
	one_init(&o[1], 2, IPSP_OUTBOUND, 2);
	lists[0] = o[0].list;
	lists[1] = o[1].list;
	first = build(NULL, true, 2, lists);
	ck_assert_uint_eq(ipsp_spd_built(first), 2);
	one_init(&o[2], 3, IPSP_OUTBOUND, 3);
	update.lists = &o[2].list;
	ck_assert_int_eq(ipsp_spd_build(db, first, &update, &second), IPSP_OK);
	ck_assert_uint_eq(ipsp_spd_generation(second), 9);
	ck_assert_uint_eq(ipsp_spd_built(second), 1);
	ck_assert_int_eq(decides(second, 1, IPSP_OUTBOUND), 1);
	ck_assert_int_eq(decides(second, 2, IPSP_OUTBOUND), -1);
	ck_assert_int_eq(decides(second, 3, IPSP_OUTBOUND), 3);
	/* The one before is as it was, also without the other. */
	ipsp_spd_free(second);
	ck_assert_int_eq(decides(first, 2, IPSP_OUTBOUND), 2);
	ck_assert_int_eq(decides(first, 3, IPSP_OUTBOUND), -1);
	ipsp_spd_free(first);
}
END_TEST

static const struct ipsp_step some_steps[] = {
	{ .kind = IPSP_STEP_ALL, .end = 2 }, { .kind = IPSP_STEP_BYPASS },
};

static void change_action_id(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->action_id++; }
static void change_steps(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->n_steps = 2; e->steps = some_steps; }
static void change_id(struct ipsp_spd_entry *e, struct ipsp_selector *s) { (void)s; e->id++; }
static void change_action(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->action = IPSP_DISCARD; }
static void change_log(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->log = true; }
static void change_sa(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->sa_id = 5; }
static void change_count(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)s; e->n_selectors = 0; }
static void change_proto(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->proto_hi = 254; }
static void change_dscp(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->dscp_lo = 1; }
static void change_flow(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->flow_hi = 1; }
static void change_hides(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->hides = IPSP_HIDES_ONLY; }
static void change_sport(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->sport_hi = 80; }
static void change_dport(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->dport_lo = 80; }
static void change_src(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->src_hi.octets[15] = 1; }
static void change_dst(struct ipsp_spd_entry *e, struct ipsp_selector *s)
{ (void)e; s->dst_lo.octets[15] = 1; }

static const struct {
	const char *what;
	void (*change)(struct ipsp_spd_entry *e, struct ipsp_selector *s);
} changes[] = {
	{ "action id", change_action_id }, { "steps", change_steps },
	{ "id", change_id }, { "action", change_action }, { "log", change_log },
	{ "SA", change_sa }, { "number of selectors", change_count }, { "protocol", change_proto },
	{ "what is hidden", change_hides }, { "dscp", change_dscp }, { "flow label", change_flow }, { "source port", change_sport },
	{ "destination port", change_dport }, { "source", change_src },
	{ "destination", change_dst },
};

START_TEST(test_equal_lists_are_shared_and_any_change_builds_anew)
{
	struct ipsp_selector s;
	struct ipsp_spd *first, *same, *changed;
	struct one o;

	ipsp_selector_any(6, &s);
	one_init(&o, 1, IPSP_OUTBOUND, 1);
	o.entry.selectors = &s;
	first = build(NULL, true, 1, &o.list);
	same = build(first, true, 1, &o.list);
	ck_assert_uint_eq(ipsp_spd_built(same), 0);
	changes[_i].change(&o.entry, &s);
	changed = build(same, true, 1, &o.list);
	ck_assert_msg(ipsp_spd_built(changed) == 1, "%s", changes[_i].what);
	ipsp_spd_free(first);
	ipsp_spd_free(same);
	ipsp_spd_free(changed);
}
END_TEST

static void bad_dir(struct one *o, struct ipsp_selector *s) { (void)s; o->list.dir = 3; }
static void bad_id(struct one *o, struct ipsp_selector *s) { (void)s; o->entry.id = 0; }
static void bad_action(struct one *o, struct ipsp_selector *s) { (void)s; o->entry.action = 3; }
static void bad_box(struct one *o, struct ipsp_selector *s) { (void)o; s->sport_hi = IPSP_PORT_NONE + 1; }

static const struct {
	const char *what;
	void (*spoil)(struct one *o, struct ipsp_selector *s);
} spoilers[] = {
	{ "direction", bad_dir }, { "id", bad_id }, { "action", bad_action },
	{ "selector", bad_box },
};

START_TEST(test_a_wrong_list_is_refused_and_changes_nothing)
{
	struct ipsp_selector s = any4;
	struct ipsp_spd *out = (struct ipsp_spd *)&memory, *prev;
	struct ipsp_spd_update update = { .full = true, .n_lists = 2 };
	struct ipsp_spd_list lists[2];
	struct one good, bad;
	size_t octets;

	one_init(&good, 1, IPSP_OUTBOUND, 1);
	prev = build(NULL, true, 1, &good.list);
	octets = memory.octets;
	one_init(&bad, 2, IPSP_OUTBOUND, 2);
	bad.entry.selectors = &s;
	spoilers[_i].spoil(&bad, &s);
	lists[0] = good.list;
	lists[1] = bad.list;
	update.lists = lists;
	ck_assert_msg(ipsp_spd_build(db, prev, &update, &out) == IPSP_EINVAL, "%s",
		      spoilers[_i].what);
	ck_assert_ptr_eq(out, (struct ipsp_spd *)&memory);
	ck_assert_uint_eq(memory.octets, octets);
	ck_assert_int_eq(decides(prev, 1, IPSP_OUTBOUND), 1);
	ipsp_spd_free(prev);
}
END_TEST

START_TEST(test_one_interface_and_direction_twice_is_refused)
{
	struct one o;
	struct ipsp_spd_list lists[2];
	struct ipsp_spd_update update = { .full = true, .n_lists = 2, .lists = lists };
	struct ipsp_spd *spd;

	one_init(&o, 1, IPSP_OUTBOUND, 1);
	lists[0] = lists[1] = o.list;
	ck_assert_int_eq(ipsp_spd_build(db, NULL, &update, &spd), IPSP_EINVAL);
}
END_TEST

START_TEST(test_every_allocation_that_fails_leaves_all_as_it_was)
{
	struct ipsp_selector boxes[2];
	struct one o[2];
	struct ipsp_spd_list lists[2];
	struct ipsp_spd_update update = { .full = true, .n_lists = 2, .lists = lists };
	struct ipsp_spd *prev, *spd = NULL;
	enum ipsp_err err;
	size_t octets;
	long n = 0;

	ipsp_selector_any(4, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	one_init(&o[0], 1, IPSP_OUTBOUND, 1);
	prev = build(NULL, true, 1, &o[0].list);
	octets = memory.octets;
	one_init(&o[0], 1, IPSP_OUTBOUND, 2);
	one_init(&o[1], 2, IPSP_OUTBOUND, 3);
	o[1].entry.n_selectors = 2;
	o[1].entry.selectors = boxes;
	lists[0] = o[0].list;
	lists[1] = o[1].list;
	do {
		memory.fail_at = n;
		err = ipsp_spd_build(db, prev, &update, &spd);
		if (err == IPSP_OK)
			break;
		ck_assert_int_eq(err, IPSP_ENOMEM);
		ck_assert_uint_eq(memory.octets, octets);
		ck_assert_int_eq(decides(prev, 1, IPSP_OUTBOUND), 1);
	} while (++n < 1000);
	ck_assert_int_gt(n, 10);
	ck_assert_int_eq(decides(spd, 2, IPSP_OUTBOUND), 3);
	memory.fail_at = -1;
	ipsp_spd_free(spd);
	ipsp_spd_free(prev);
}
END_TEST

struct seen {
	uint32_t ifindex;
	uint64_t id, packets, bytes;
	unsigned times;
};

static void see(void *arg, const struct ipsp_spd_hits *hits)
{
	struct seen *s = arg;

	if (hits->id != s->id || hits->ifindex != s->ifindex || hits->dir != IPSP_OUTBOUND)
		return;
	s->times++;
	s->packets = hits->packets;
	s->bytes = hits->bytes;
}

static struct seen seen(uint32_t ifindex, uint64_t id)
{
	struct seen s = { .ifindex = ifindex, .id = id };

	ipsp_spd_hits_each(db, see, &s);
	return s;
}

static void hit(const struct ipsp_spd *spd, uint32_t ifindex, uint32_t bytes)
{
	struct ipsp_spd_match m = ipsp_spd_lookup(spd, ifindex, IPSP_OUTBOUND, &packet4, NULL);

	ipsp_spd_hit(m.rule ? m.rule->hits : m.end, 1, bytes);
}

START_TEST(test_counters_belong_to_the_id_in_its_list_and_outlive_generations)
{
	struct one o[2];
	struct ipsp_spd_list lists[2];
	struct ipsp_spd *spd, *next;

	one_init(&o[0], 1, IPSP_OUTBOUND, 42);
	one_init(&o[1], 2, IPSP_OUTBOUND, 42);
	lists[0] = o[0].list;
	lists[1] = o[1].list;
	spd = build(NULL, true, 2, lists);
	hit(spd, 1, 100);
	hit(spd, 2, 11);
	o[0].entry.action = IPSP_DISCARD;
	next = build(spd, true, 1, &o[0].list);
	ipsp_spd_free(spd);
	hit(next, 1, 1000);
	ck_assert_uint_eq(seen(1, 42).times, 1);
	ck_assert_uint_eq(seen(1, 42).packets, 2);
	ck_assert_uint_eq(seen(1, 42).bytes, 1100);
	ck_assert_uint_eq(seen(2, 42).packets, 1);
	ck_assert_uint_eq(seen(2, 42).bytes, 11);
	ipsp_spd_free(next);
}
END_TEST

START_TEST(test_counters_of_what_is_gone_wait_to_be_read)
{
	struct one o;
	struct ipsp_spd *spd, *empty, *back;

	one_init(&o, 1, IPSP_OUTBOUND, 42);
	spd = build(NULL, true, 1, &o.list);
	hit(spd, 1, 100);
	empty = build(spd, true, 0, NULL);
	ipsp_spd_free(spd);
	ck_assert_uint_eq(seen(1, 42).packets, 1);
	back = build(empty, true, 1, &o.list);
	hit(back, 1, 100);
	ipsp_spd_hits_forget(db);
	ck_assert_uint_eq(seen(1, 42).packets, 2);
	ipsp_spd_free(back);
	ipsp_spd_hits_forget(db);
	ck_assert_uint_eq(seen(1, 42).times, 0);
	ipsp_spd_free(empty);
}
END_TEST

START_TEST(test_the_end_of_each_list_counts_for_itself)
{
	struct ipsp_spd_list lists[] = {
		{ .ifindex = 1, .dir = IPSP_OUTBOUND },
		{ .ifindex = 0, .dir = IPSP_OUTBOUND },
	};
	struct ipsp_spd *spd = build(NULL, true, 2, lists);

	hit(spd, 1, 10);
	hit(spd, 7, 20);
	hit(spd, 8, 30);
	ck_assert_uint_eq(seen(1, 0).packets, 1);
	ck_assert_uint_eq(seen(1, 0).bytes, 10);
	ck_assert_uint_eq(seen(0, 0).packets, 2);
	ck_assert_uint_eq(seen(0, 0).bytes, 50);
	ipsp_spd_free(spd);
}
END_TEST

START_TEST(test_counters_of_many_ids_stay_apart)
{
	enum { N = 3000 };
	static struct ipsp_spd_entry entries[N];
	struct ipsp_spd_list list = { .ifindex = 1, .dir = IPSP_OUTBOUND, .n_entries = N,
				      .entries = entries };
	struct ipsp_spd *spd;

	for (uint32_t i = 0; i < N; i++)
		entries[i] = (struct ipsp_spd_entry){ .id = (uint64_t)(i + 1) << 32 };
	entries[N - 1].n_selectors = 1;
	entries[N - 1].selectors = &any4;
	spd = build(NULL, true, 1, &list);
	hit(spd, 1, 5);
	ck_assert_uint_eq(seen(1, (uint64_t)N << 32).packets, 1);
	ck_assert_uint_eq(seen(1, (uint64_t)(N - 1) << 32).times, 1);
	ck_assert_uint_eq(seen(1, (uint64_t)(N - 1) << 32).packets, 0);
	ipsp_spd_free(spd);
}
END_TEST

static void setup(void)
{
	memory_init(&memory, NULL);
	ipsp_selector_any(4, &any4);
	ck_assert_int_eq(ipsp_spd_db_new(&memory.platform, &db), IPSP_OK);
}

static void teardown(void)
{
	ipsp_spd_db_free(db);
	ck_assert_uint_eq(memory.octets, 0);
}

int main(void)
{
	Suite *suite = suite_create("spd");
	TCase *tc = tcase_create("spd");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_an_interface_uses_its_own_list_or_else_the_default);
	tcase_add_test(tc, test_a_difference_keeps_what_it_does_not_name);
	tcase_add_loop_test(tc, test_equal_lists_are_shared_and_any_change_builds_anew, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_loop_test(tc, test_a_wrong_list_is_refused_and_changes_nothing, 0,
			    sizeof(spoilers) / sizeof(spoilers[0]));
	tcase_add_test(tc, test_one_interface_and_direction_twice_is_refused);
	tcase_add_test(tc, test_every_allocation_that_fails_leaves_all_as_it_was);
	tcase_add_test(tc, test_counters_belong_to_the_id_in_its_list_and_outlive_generations);
	tcase_add_test(tc, test_counters_of_what_is_gone_wait_to_be_read);
	tcase_add_test(tc, test_the_end_of_each_list_counts_for_itself);
	tcase_add_test(tc, test_counters_of_many_ids_stay_apart);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
