/*
 * tests/unit/policy/check_compile.c - which lists a view gives: groups, guards, closures, and the
 * worked examples (a) and (b): bypass all, and discard telnet before it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "rowtext.h"

static const char bypass[] =
	"+ rule bypass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ contents wan-out,1000 ComponentName=bypass\n"
	"+ endpoint 2,2 Name=wan-out";

static const char no_telnet[] =
	"+ clfr 7 AddrType=ipv4 DstAddr=10.2.0.0 DstPrefixLength=16 SrcAddr=0.0.0.0 Protocol=6 "
	"DstL4PortMin=23 DstL4PortMax=23\n"
	"+ rule no-telnet Filter=diffServMultiFieldClfrAddrType.7 Action=spdDropActionLog.0\n"
	"+ contents wan-out,10 ComponentName=no-telnet";

/* Four disjoint kinds of packets. */
static struct packet telnet(void)
{
	return packet("10.1.0.1", "10.2.0.1", 6, 40000, 23);
}

static struct packet http(void)
{
	return packet("10.1.0.1", "10.2.0.1", 6, 40000, 80);
}

static struct packet dns(void)
{
	return packet("10.1.0.1", "10.2.0.1", 17, 40000, 53);
}

static struct packet ping6(void)
{
	return packet("2001:db8::1", "2001:db8::2", 58, IPSP_PORT_NONE, IPSP_PORT_NONE);
}

static int out2(const struct pol_generation *g, struct packet p)
{
	return verdict(list_of(g, 2, IPSP_OUTBOUND), &p);
}

static const struct pol_origin *origin_of_row(struct mib_store *s, const struct pol_generation *g,
					      const char *table, const char *index)
{
	const struct mib_row *r = row_of(s, table, index);
	size_t len;
	const uint32_t *ids = mib_row_index(r, &len);

	return pol_origin_of(g, mib_row_table(r), ids, len);
}

START_TEST(test_no_policy_gives_no_lists)
{
	struct mib_store *s = store_new();
	struct pol_generation *g = compile(s);

	ck_assert_uint_eq(g->n_lists, 0);
	ck_assert_uint_eq(pol_map_count(&g->sas), 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_example_a_passes_everything_out_of_one_interface)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	const struct ipsp_spd_list *l;

	rows_put(s, bypass);
	g = compile(s);
	ck_assert_uint_eq(g->n_lists, 1);
	l = list_of(g, 2, IPSP_OUTBOUND);
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(l->n_entries, 1);
	ck_assert_int_eq(l->entries[0].action, IPSP_BYPASS);
	ck_assert(!l->entries[0].log);
	ck_assert_uint_ne(l->entries[0].id, 0);
	ck_assert_int_eq(out2(g, telnet()), IPSP_BYPASS);
	ck_assert_int_eq(out2(g, ping6()), IPSP_BYPASS);
	ck_assert_str_eq(pol_origin_find(g, l->entries[0].id)->name,
			 "spdRuleDefinitionTable.\"bypass\"");
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_example_b_discards_telnet_before_the_bypass)
{
	struct mib_store *s = store_new();
	const struct packet p = telnet();
	struct pol_generation *g;

	rows_put(s, bypass);
	rows_put(s, no_telnet);
	g = compile(s);
	ck_assert_uint_eq(list_of(g, 2, IPSP_OUTBOUND)->n_entries, 2);
	ck_assert_int_eq(out2(g, telnet()), IPSP_DISCARD);
	ck_assert(first_match(list_of(g, 2, IPSP_OUTBOUND), &p)->log);
	ck_assert_int_eq(out2(g, http()), IPSP_BYPASS);
	ck_assert_int_eq(out2(g, dns()), IPSP_BYPASS);
	ck_assert_int_eq(out2(g, ping6()), IPSP_BYPASS);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* What is written, and what becomes of the packets: B bypass, D discard. */
static const struct {
	const char *name;
	const char *rows;
	const char *verdicts;	/* telnet, http, dns, ping6 */
} cases[] = {
	{ "the end of a list discards",
	  "+ clfr 1 AddrType=ipv4 Protocol=6\n"
	  "+ rule r Filter=diffServMultiFieldClfrAddrType.1 Action=spdAcceptAction.0\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "BBDD" },
	{ "the lowest priority number comes first",
	  "+ clfr 1 AddrType=ipv4 Protocol=6\n"
	  "+ rule drop Filter=diffServMultiFieldClfrAddrType.1 Action=spdDropAction.0\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents g,20 ComponentName=drop\n+ contents g,10 ComponentName=pass\n"
	  "+ endpoint 2,2 Name=g", "BBBB" },
	{ "a disabled rule is passed over",
	  "+ rule drop Filter=spdTrueFilter.0 Action=spdDropAction.0 AdminStatus=disabled\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents g,1 ComponentName=drop\n+ contents g,2 ComponentName=pass\n"
	  "+ endpoint 2,2 Name=g", "BBBB" },
	{ "a negated filter",
	  "+ clfr 1 AddrType=ipv4 Protocol=6\n"
	  "+ rule r Filter=diffServMultiFieldClfrAddrType.1 FilterNegated=true "
	  "Action=spdAcceptAction.0\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "DDBB" },
	{ "a guard narrows its rule",
	  "+ clfr 1 AddrType=ipv4 Protocol=6\n+ clfr 2 AddrType=ipv4 DstL4PortMin=0 "
	  "DstL4PortMax=60\n"
	  "+ rule r Filter=diffServMultiFieldClfrAddrType.1 Action=spdAcceptAction.0\n"
	  "+ contents g,1 Filter=diffServMultiFieldClfrAddrType.2 ComponentName=r\n"
	  "+ endpoint 2,2 Name=g", "BDDD" },
	{ "a nested group ends the outer one only when a rule fires",
	  "+ clfr 1 AddrType=ipv4 Protocol=17\n"
	  "+ rule drop Filter=diffServMultiFieldClfrAddrType.1 Action=spdDropAction.0\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents inner,1 ComponentName=drop\n"
	  "+ contents g,1 ComponentType=group ComponentName=inner\n"
	  "+ contents g,2 ComponentName=pass\n+ endpoint 2,2 Name=g", "BBDB" },
	{ "guards of nested groups add up",
	  "+ clfr 1 AddrType=ipv4 Protocol=6\n+ clfr 2 AddrType=ipv4 DstL4PortMin=0 "
	  "DstL4PortMax=60\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents inner,1 Filter=diffServMultiFieldClfrAddrType.2 ComponentName=pass\n"
	  "+ contents g,1 Filter=diffServMultiFieldClfrAddrType.1 ComponentType=group "
	  "ComponentName=inner\n+ endpoint 2,2 Name=g", "BDDD" },
	{ "a group used twice under different guards",
	  "+ clfr 1 AddrType=ipv4 Protocol=17\n+ clfr 2 AddrType=ipv6\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "+ contents inner,1 ComponentName=pass\n"
	  "+ contents g,1 Filter=diffServMultiFieldClfrAddrType.1 ComponentType=group "
	  "ComponentName=inner\n"
	  "+ contents g,2 Filter=diffServMultiFieldClfrAddrType.2 ComponentType=group "
	  "ComponentName=inner\n+ endpoint 2,2 Name=g", "DDBB" },
	{ "contents rows that are not active do nothing",
	  "+ rule drop Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
	  "+ rule pass Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	  "~ contents g,1 ComponentName=drop\n+ contents g,2 ComponentName=pass\n"
	  "+ endpoint 2,2 Name=g", "BBBB" },
	{ "a compound action of one accept accepts",
	  "+ action a\n+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	  "+ rule r Filter=spdTrueFilter.0 Action=spdCompActExecutionStrategy.\"a\"\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "BBBB" },
	{ "so does one nested in another",
	  "+ action a ExecutionStrategy=doAll\n+ action b ExecutionStrategy=doUntilFailure\n"
	  "+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	  "+ subaction b,1 SubActionName=spdCompActExecutionStrategy.\"a\"\n"
	  "+ rule r Filter=spdTrueFilter.0 Action=spdCompActExecutionStrategy.\"b\"\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "BBBB" },
	{ "an empty compound action drops",
	  "+ action a\n"
	  "+ rule r Filter=spdTrueFilter.0 Action=spdCompActExecutionStrategy.\"a\"\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "DDDD" },
	{ "a compound action goes by the first that succeeds",
	  "+ action a\n+ subaction a,1 SubActionName=spdAcceptAction.0\n"
	  "+ subaction a,2 SubActionName=spdAcceptActionLog.0\n"
	  "+ rule r Filter=spdTrueFilter.0 Action=spdCompActExecutionStrategy.\"a\"\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "BBBB" },
	{ "reject of IKE drops",
	  "+ rule r Filter=spdTrueFilter.0 Action=ipiaRejectIKEAction.0\n"
	  "+ contents g,1 ComponentName=r\n+ endpoint 2,2 Name=g", "DDDD" },
};

START_TEST(test_a_group_does_what_rfc_4807_says)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char got[5];

	rows_put(s, cases[_i].rows);
	g = compile(s);
	got[0] = "DBP"[out2(g, telnet())];
	got[1] = "DBP"[out2(g, http())];
	got[2] = "DBP"[out2(g, dns())];
	got[3] = "DBP"[out2(g, ping6())];
	got[4] = '\0';
	ck_assert_msg(strcmp(got, cases[_i].verdicts) == 0, "%s: %s, not %s", cases[_i].name, got,
		      cases[_i].verdicts);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_ids_stay_when_other_rows_come_and_go)
{
	struct mib_store *s = store_new();
	struct pol_generation *a, *b;

	rows_put(s, bypass);
	a = compile(s);
	rows_put(s, no_telnet);
	b = compile(s);
	ck_assert_uint_eq(origin_of_row(s, a, "rule", "bypass")->id,
			  origin_of_row(s, b, "rule", "bypass")->id);
	ck_assert_uint_ne(origin_of_row(s, b, "rule", "no-telnet")->id,
			  origin_of_row(s, b, "rule", "bypass")->id);
	ck_assert_ptr_null(origin_of_row(s, a, "rule", "no-telnet"));
	pol_generation_free(a);
	pol_generation_free(b);
	mib_store_free(s);
}
END_TEST

START_TEST(test_origins_and_lists_are_in_order)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char line[128];

	rows_put(s, bypass);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(line, sizeof(line),
			 "+ rule r%u Filter=spdTrueFilter.0 Action=spdDropAction.0\n"
			 "+ contents wan-out,%u ComponentName=r%u\n"
			 "+ endpoint %u,%u Name=wan-out", i, i, i, 1 + i % 2, 50 - i);
		rows_put(s, line);
	}
	g = compile(s);
	ck_assert_uint_eq(pol_map_count(&g->origins), 21);
	for (size_t i = 1; i < pol_map_count(&g->origins); i++) {
		const struct pol_origin *a = pol_map_at(&g->origins, i - 1);
		const struct pol_origin *b = pol_map_at(&g->origins, i);

		ck_assert_uint_lt(a->id, b->id);
	}
	ck_assert_uint_eq(g->n_lists, 21);
	for (size_t i = 1; i < g->n_lists; i++)
		ck_assert(g->lists[i - 1].ifindex < g->lists[i].ifindex ||
			  g->lists[i - 1].dir < g->lists[i].dir);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_destroyed_endpoint_leaves_its_interface_closed)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	const struct ipsp_spd_list *l;

	rows_put(s, bypass);
	rows_put(s, "- endpoint 2,2");
	g = compile(s);
	l = list_of(g, 2, IPSP_OUTBOUND);
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(l->n_entries, 0);
	pol_generation_free(g);
	rows_put(s, "= closure 2,2 Release=true");
	g = compile(s);
	ck_assert_uint_eq(g->n_lists, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_endpoint_out_of_service_leaves_its_interface_closed)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, bypass);
	rows_put(s, "= endpoint 2,2 RowStatus=notInService");
	g = compile(s);
	ck_assert_uint_eq(list_of(g, 2, IPSP_OUTBOUND)->n_entries, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_endpoint_that_never_was_active_closes_nothing)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "~ endpoint 2,2 Name=later");
	g = compile(s);
	ck_assert_uint_eq(g->n_lists, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_system_wide_groups_are_for_interfaces_without_a_list)
{
	struct mib_store *s = store_new();
	struct packet p = telnet();
	struct pol_generation *g;

	rows_put(s, bypass);
	rows_put(s, "= groups 0 spdIngressPolicyGroupName=wan-out");
	g = compile(s);
	ck_assert_uint_eq(g->n_lists, 2);
	ck_assert_int_eq(verdict(list_of(g, 0, IPSP_INBOUND), &p), IPSP_BYPASS);
	ck_assert_ptr_null(list_of(g, 0, IPSP_OUTBOUND));
	pol_generation_free(g);
	rows_put(s, "= groups 0 spdIngressPolicyGroupName=");
	g = compile(s);
	ck_assert_uint_eq(list_of(g, 0, IPSP_INBOUND)->n_entries, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_a_closed_interface_does_not_fall_back_to_the_system_wide_group)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, bypass);
	rows_put(s, "= groups 0 spdEgressPolicyGroupName=wan-out");
	rows_put(s, "- endpoint 2,2");
	g = compile(s);
	ck_assert_int_eq(out2(g, telnet()), IPSP_DISCARD);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_default_without_policy_drop_closes_all_other_interfaces)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "= system 0 DefaultWithoutPolicy=drop");
	g = compile(s);
	ck_assert_uint_eq(g->n_lists, 2);
	ck_assert_uint_eq(list_of(g, 0, IPSP_INBOUND)->n_entries, 0);
	ck_assert_uint_eq(list_of(g, 0, IPSP_OUTBOUND)->n_entries, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_unknown_system_wide_group_drops)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "= groups 0 spdEgressPolicyGroupName=nobody");
	g = compile(s);
	ck_assert_uint_eq(list_of(g, 0, IPSP_OUTBOUND)->n_entries, 0);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* Groups that name the next one twice have 4^14 rules; the list is cut, and its end discards. */
START_TEST(test_a_group_that_grows_without_bound_is_cut_and_drops)
{
	struct mib_store *s = store_new();
	struct packet p = telnet();
	const struct ipsp_spd_list *l;
	struct pol_generation *g;
	char text[512];

	rows_put(s, "+ clfr 1 AddrType=ipv4 Protocol=17\n"
		    "+ rule r Filter=diffServMultiFieldClfrAddrType.1 Action=spdAcceptAction.0\n"
		    "+ rule last Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
		    "+ contents g0,1 ComponentName=r");
	for (unsigned i = 1; i < 14; i++) {
		int n = 0;

		for (unsigned j = 0; j < 4; j++)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
				      "+ contents g%u,%u ComponentType=group ComponentName=g%u\n",
				      i, j, i - 1);
		rows_put(s, text);
	}
	rows_put(s, "+ contents g13,9 ComponentName=last\n+ endpoint 2,2 Name=g13");
	g = compile(s);
	l = list_of(g, 2, IPSP_OUTBOUND);
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(verdict(l, &p), IPSP_DISCARD);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "last"), "too large"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/compile");
	TCase *c = tcase_create("compile");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_no_policy_gives_no_lists);
	tcase_add_test(c, test_example_a_passes_everything_out_of_one_interface);
	tcase_add_test(c, test_example_b_discards_telnet_before_the_bypass);
	tcase_add_loop_test(c, test_a_group_does_what_rfc_4807_says, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(c, test_ids_stay_when_other_rows_come_and_go);
	tcase_add_test(c, test_origins_and_lists_are_in_order);
	tcase_add_test(c, test_a_destroyed_endpoint_leaves_its_interface_closed);
	tcase_add_test(c, test_an_endpoint_out_of_service_leaves_its_interface_closed);
	tcase_add_test(c, test_an_endpoint_that_never_was_active_closes_nothing);
	tcase_add_test(c, test_system_wide_groups_are_for_interfaces_without_a_list);
	tcase_add_test(c, test_a_closed_interface_does_not_fall_back_to_the_system_wide_group);
	tcase_add_test(c, test_default_without_policy_drop_closes_all_other_interfaces);
	tcase_add_test(c, test_an_unknown_system_wide_group_drops);
	tcase_add_test(c, test_a_group_that_grows_without_bound_is_cut_and_drops);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
