/* Tests of ipspd/guard_pairs.c and ipspd/guard_boxes.c: covers may grow, and never leave a gap. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/guard_boxes.h"
#include "ipspd/guard_pairs.h"
#include "samples.h"

static bool in_prefix(const struct ipsp_addr *a, const struct ipsp_addr *net, uint8_t len)
{
	for (unsigned bit = 0; bit < len; bit++) {
		unsigned shift = 7 - bit % 8;

		if ((a->octets[bit / 8] >> shift & 1) != (net->octets[bit / 8] >> shift & 1))
			return false;
	}
	return a->family == net->family;
}

static size_t covered_by(const struct guard_pairs *p, const char *src, const char *dst)
{
	struct ipsp_addr s = sample_addr(src), d = sample_addr(dst);
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += in_prefix(&s, &p->items[i].src, p->items[i].src_len) &&
		     in_prefix(&d, &p->items[i].dst, p->items[i].dst_len);
	return n;
}

START_TEST(test_prefixes_stay_what_they_are)
{
	struct guard_pairs p = { NULL, 0, 0 };
	struct ipsp_selector v4 = sample_box("10.1.0.0", "10.1.255.255", "0.0.0.0", "255.255.255.255");
	struct ipsp_selector v6 = sample_box("fd00::", "fd00::ffff", "2001:db8::1", "2001:db8::1");

	ck_assert(guard_pairs_add(&p, &v4) && guard_pairs_add(&p, &v6) && guard_pairs_add(&p, &v4));
	guard_pairs_reduce(&p, 100);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_uint_eq(p.items[0].family, 4);
	ck_assert_uint_eq(p.items[0].src_len, 16);
	ck_assert_uint_eq(p.items[0].dst_len, 0);
	ck_assert_uint_eq(p.items[1].src_len, 112);
	ck_assert_uint_eq(p.items[1].dst_len, 128);
	guard_pairs_fini(&p);
}
END_TEST

static const struct {
	const char *name;
	const char *lo, *hi;	/* of the source; any destination */
	const char *below, *above;	/* just outside */
	bool exact;
} ranges[] = {
	{ "one address", "10.0.0.7", "10.0.0.7", "10.0.0.6", "10.0.0.8", true },
	{ "across a prefix", "10.0.0.1", "10.0.0.6", "10.0.0.0", "10.0.0.7", true },
	{ "from the bottom", "0.0.0.0", "9.255.255.255", NULL, "10.0.0.0", true },
	{ "to the top", "10.1.0.0", "255.255.255.255", "10.0.255.255", NULL, true },
	{ "everything", "0.0.0.0", "255.255.255.255", NULL, NULL, true },
	{ "everything of IPv6", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, true },
	{ "more prefixes than wanted", "0.0.0.1", "255.255.255.254", NULL, NULL, false },
	{ "an odd end of IPv6", "2001:db8::1", "2001:db8::fffe:ffff", NULL, NULL, false },
};

START_TEST(test_a_range_is_covered_to_its_ends)
{
	const char *dst = strchr(ranges[_i].lo, ':') ? "::1" : "192.0.2.1";
	struct guard_pairs p = { NULL, 0, 0 };
	struct ipsp_selector s;

	ipsp_selector_any(strchr(ranges[_i].lo, ':') ? 6 : 4, &s);
	s.src_lo = sample_addr(ranges[_i].lo);
	s.src_hi = sample_addr(ranges[_i].hi);
	ck_assert(guard_pairs_add(&p, &s));
	ck_assert_msg(covered_by(&p, ranges[_i].lo, dst) == 1, "%s: lo", ranges[_i].name);
	ck_assert_msg(covered_by(&p, ranges[_i].hi, dst) == 1, "%s: hi", ranges[_i].name);
	if (ranges[_i].exact && ranges[_i].below)
		ck_assert_uint_eq(covered_by(&p, ranges[_i].below, dst), 0);
	if (ranges[_i].exact && ranges[_i].above)
		ck_assert_uint_eq(covered_by(&p, ranges[_i].above, dst), 0);
	guard_pairs_fini(&p);
}
END_TEST

START_TEST(test_too_many_pairs_become_fewer_and_cover_all_they_did)
{
	struct guard_pairs p = { NULL, 0, 0 };
	char src[20], dst[20];

	for (unsigned i = 0; i < 3000; i++) {
		snprintf(src, sizeof(src), "10.%u.%u.0", i / 256, i % 256);
		snprintf(dst, sizeof(dst), "172.16.%u.%u", i / 256, i % 256);
		struct ipsp_selector s = sample_box(src, src, dst, dst);
		ck_assert(guard_pairs_add(&p, &s));
	}
	struct ipsp_selector six = sample_box("fd00::1", "fd00::1", "fd00::2", "fd00::2");
	ck_assert(guard_pairs_add(&p, &six));
	guard_pairs_reduce(&p, 50);
	ck_assert_uint_le(p.n, 50);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(src, sizeof(src), "10.%u.%u.0", i / 256, i % 256);
		snprintf(dst, sizeof(dst), "172.16.%u.%u", i / 256, i % 256);
		ck_assert_msg(covered_by(&p, src, dst) >= 1, "%s > %s is lost", src, dst);
	}
	ck_assert_uint_ge(covered_by(&p, "fd00::1", "fd00::2"), 1);
	guard_pairs_fini(&p);
}
END_TEST

/* ---- boxes ---- */

/* What the first box that holds the pair of addresses does; the end of a list drops. */
static bool passes(const struct guard_boxes *b, const char *src, const char *dst)
{
	struct ipsp_addr s = sample_addr(src), d = sample_addr(dst);

	for (size_t i = 0; i < b->n; i++) {
		const struct ipsp_selector *x = &b->items[i].s;

		if (x->family == s.family && ipsp_addr_cmp(&s, &x->src_lo) >= 0 &&
		    ipsp_addr_cmp(&s, &x->src_hi) <= 0 && ipsp_addr_cmp(&d, &x->dst_lo) >= 0 &&
		    ipsp_addr_cmp(&d, &x->dst_hi) <= 0)
			return b->items[i].pass;
	}
	return false;
}

enum { MANY = 6000 };
static struct ipsp_selector many[MANY];
static struct ipsp_spd_entry many_entries[MANY];

/* Entry i is for 10.x.y.0 with i = x.y, and what action says. */
static struct ipsp_spd_list long_list(enum ipsp_action (*action)(unsigned i))
{
	char text[20];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0", i / 256, i % 256);
		many[i] = sample_box(text, text, "0.0.0.0", "255.255.255.255");
		many_entries[i] = (struct ipsp_spd_entry){ .id = i + 1, .action = action(i),
							   .n_selectors = 1, .selectors = &many[i] };
	}
	return (struct ipsp_spd_list){ .ifindex = 1, .dir = IPSP_INBOUND, .n_entries = MANY,
				       .entries = many_entries };
}

static enum ipsp_action all_protect(unsigned i)
{
	(void)i;
	return IPSP_PROTECT;
}

static enum ipsp_action protect_then_bypass(unsigned i)
{
	return i < MANY - 2 ? IPSP_PROTECT : IPSP_BYPASS;
}

static enum ipsp_action alternate(unsigned i)
{
	return i % 2 ? IPSP_BYPASS : IPSP_DISCARD;
}

static enum ipsp_action all_bypass(unsigned i)
{
	(void)i;
	return IPSP_BYPASS;
}

static const struct {
	const char *name;
	enum ipsp_action (*action)(unsigned i);
} long_lists[] = {
	{ "all protect", all_protect },
	{ "protect, two bypass at the end", protect_then_bypass },
	{ "discard and bypass in turn", alternate },
	{ "all bypass", all_bypass },
};

START_TEST(test_long_list_is_bounded_and_opens_nothing)
{
	struct ipsp_spd_list l = long_list(long_lists[_i].action);
	struct guard_boxes b;
	char text[20];

	ck_assert(guard_boxes_make(&l, 100, &b));
	ck_assert_msg(b.n <= 100, "%s: %zu boxes", long_lists[_i].name, b.n);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0", i / 256, i % 256);
		if (long_lists[_i].action(i) != IPSP_BYPASS)
			ck_assert_msg(!passes(&b, text, "1.1.1.1"), "%s: %s is open",
				      long_lists[_i].name, text);
	}
	ck_assert(!passes(&b, "11.0.0.0", "1.1.1.1"));
	guard_boxes_fini(&b);
}
END_TEST

START_TEST(test_short_list_stays_in_order_and_exact)
{
	struct ipsp_spd_list l = long_list(alternate);
	struct guard_boxes b;

	l.n_entries = 20;
	ck_assert(guard_boxes_make(&l, 100, &b));
	ck_assert_uint_eq(b.n, 20);
	for (size_t i = 0; i < b.n; i++) {
		ck_assert_uint_eq(b.items[i].pass, i % 2);
		ck_assert_uint_eq(b.items[i].discard, i % 2 == 0);
		ck_assert_mem_eq(&b.items[i].s, &many[i], sizeof(many[i]));
	}
	guard_boxes_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/guard_pairs");
	TCase *tc = tcase_create("pairs");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_prefixes_stay_what_they_are);
	tcase_add_loop_test(tc, test_a_range_is_covered_to_its_ends, 0,
			    sizeof(ranges) / sizeof(ranges[0]));
	tcase_add_test(tc, test_too_many_pairs_become_fewer_and_cover_all_they_did);
	tcase_add_loop_test(tc, test_long_list_is_bounded_and_opens_nothing, 0,
			    sizeof(long_lists) / sizeof(long_lists[0]));
	tcase_add_test(tc, test_short_list_stays_in_order_and_exact);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
