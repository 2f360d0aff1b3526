/*
 * tests/unit/policy/check_me.c - filters that ask for the system's own addresses (ipspdClfrMe): what they
 * come to, and that they follow.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "rowtext.h"

static const struct ipsp_addr one = { 4, { 192, 0, 2, 1 } }, two = { 4, { 192, 0, 2, 2 } },
			      six = { 6, { 0xfd, [15] = 1 } };

static struct mib_store *store;
static struct pol_compiler *compiler;
static struct pol_generation *g;

static void setup(void)
{
	store = store_new();
	rows_put(store, "+ clfr 7 AddrType=ipv4 DstAddr=10.0.0.0 DstPrefixLength=8\n= clfropt 7 Me=source\n"
			"+ rule r Filter=diffServMultiFieldClfrAddrType.7 Action=spdAcceptAction.0\n"
			"+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g");
	compiler = pol_compiler_new(mib_store_view(store));
	ck_assert_ptr_nonnull(compiler);
	g = NULL;
}

static void teardown(void)
{
	pol_generation_free(g);
	pol_compiler_free(compiler);
	mib_store_free(store);
}

/* Outbound on interface 2, after another run. */
static const struct ipsp_spd_list *run(void)
{
	static uint64_t number;

	pol_generation_free(g);
	ck_assert_int_eq(pol_compiler_run(compiler, ++number, 0, &g), MIB_OK);
	return list_of(g, 2, IPSP_OUTBOUND);
}

static bool tell(const struct ipsp_addr *a, const struct ipsp_addr *b, const struct ipsp_addr *c)
{
	struct ipsp_addr v[3];
	size_t n = 0;

	if (a)
		v[n++] = *a;
	if (b)
		v[n++] = *b;
	if (c)
		v[n++] = *c;
	return pol_compiler_addresses(compiler, v, n);
}

/* The entry passes packets from that address to 10.0.0.0/8, and no others. */
static void check_box(const struct ipsp_selector *s, const struct ipsp_addr *src)
{
	ck_assert_int_eq(ipsp_addr_cmp(&s->src_lo, src), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&s->src_hi, src), 0);
	ck_assert_uint_eq(s->dst_lo.octets[0], 10);
	ck_assert_uint_eq(s->dst_hi.octets[3], 255);
}

START_TEST(test_it_is_each_address_of_the_type)
{
	const struct ipsp_spd_list *l;

	(void)tell(&one, &two, &six);
	l = run();
	ck_assert_uint_eq(l->n_entries, 1);
	ck_assert_uint_eq(l->entries[0].action, IPSP_BYPASS);
	ck_assert_uint_eq(l->entries[0].n_selectors, 2);
	check_box(&l->entries[0].selectors[0], &one);
	check_box(&l->entries[0].selectors[1], &two);
}
END_TEST

START_TEST(test_it_follows_addresses_that_come_and_go)
{
	const struct ipsp_spd_list *l;

	(void)tell(&one, NULL, NULL);
	ck_assert_uint_eq(run()->entries[0].n_selectors, 1);
	ck_assert(tell(&one, &two, NULL));
	ck_assert_uint_eq(run()->entries[0].n_selectors, 2);
	ck_assert(!tell(&one, &two, NULL));
	ck_assert(tell(&two, NULL, NULL));
	l = run();
	ck_assert_uint_eq(l->entries[0].n_selectors, 1);
	check_box(&l->entries[0].selectors[0], &two);
	ck_assert(tell(NULL, NULL, NULL));
	ck_assert_uint_eq(run()->n_entries, 0);
}
END_TEST

/* Fail closed: what it might match is dropped. */
START_TEST(test_addresses_that_are_not_known_drop_what_they_might_match)
{
	const struct ipsp_spd_list *l = run();

	ck_assert_uint_eq(l->entries[0].action, IPSP_DISCARD);
	ck_assert(tell(&one, NULL, NULL));
	ck_assert_uint_eq(run()->entries[0].action, IPSP_BYPASS);
	ck_assert(pol_compiler_addresses(compiler, NULL, 0));
	ck_assert_uint_eq(run()->entries[0].action, IPSP_DISCARD);
}
END_TEST

START_TEST(test_it_may_be_the_destination)
{
	rows_put(store, "= clfr 7 DstAddr=0x DstPrefixLength=0\n= clfropt 7 Me=destination");
	(void)tell(&one, NULL, NULL);
	const struct ipsp_selector *s = run()->entries[0].selectors;

	ck_assert_int_eq(ipsp_addr_cmp(&s->dst_lo, &one), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&s->dst_hi, &one), 0);
	ck_assert_uint_eq(s->src_hi.octets[0], 255);
}
END_TEST

START_TEST(test_who_does_not_ask_is_not_made_anew)
{
	rows_put(store, "= clfropt 7 Me=no");
	(void)run();
	ck_assert(!tell(&one, NULL, NULL));
}
END_TEST

START_TEST(test_a_side_has_one_address_only)
{
	struct mib_diag d;

	ck_assert_int_eq(rows_try(store, "= clfropt 7 Me=destination", &d), MIB_INCONSISTENT_VALUE);
	ck_assert_ptr_nonnull(strstr(d.text, "prefix"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/me");
	TCase *t = tcase_create("me");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_it_is_each_address_of_the_type);
	tcase_add_test(t, test_it_follows_addresses_that_come_and_go);
	tcase_add_test(t, test_addresses_that_are_not_known_drop_what_they_might_match);
	tcase_add_test(t, test_it_may_be_the_destination);
	tcase_add_test(t, test_who_does_not_ask_is_not_made_anew);
	tcase_add_test(t, test_a_side_has_one_address_only);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
