/*
 * tests/unit/mibs/check_index.c - instance identifiers, RFC 2578 7.7, and their text.
 */
#include <string.h>

#include "mibs/schema_gen.h"
#include "mibs/value.h"
#include "suite.h"

/* Instances as the drafts' and RFC 4807's own index clauses give them, encoded by hand. */
static const struct {
	const char *table, *text;
	struct mib_oid index;
} forms[] = {
	{ "spdRuleDefinitionTable", "\"bypass\"", { 7, { 6, 98, 121, 112, 97, 115, 115 } } },
	{ "spdEndpointToGroupTable", "outbound,2", { 2, { 2, 2 } } },
	{ "spdGroupContentsTable", "\"wan\",100", { 5, { 3, 119, 97, 110, 100 } } },
	{ "diffServMultiFieldClfrTable", "4294967295", { 1, { 4294967295 } } },
	{ "ipsaSaPreconfiguredActionTable", "\"tun-b\",outbound",
	  { 7, { 5, 116, 117, 110, 45, 98, 2 } } },
	{ "ipiaIpsecTransformsTable", "3,\"esp-std\",0",
	  { 10, { 3, 7, 101, 115, 112, 45, 115, 116, 100, 0 } } },
	{ "ipiaIkeIdentityTable", "2,1,\"a,\\\"b\\\\\"", { 8, { 2, 1, 5, 97, 44, 34, 98, 92 } } },
	{ "spdStaticFilters", "0", { 1, { 0 } } },
};

START_TEST(test_indexes_are_printed_read_decoded_and_encoded)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct mib_table *t = mib_table_by_name(forms[i].table);
		struct mib_value parts[MIB_INDEX_MAX];
		struct mib_index_scratch scratch;
		struct mib_oid got;
		char text[128];

		mib_index_print(t, forms[i].index.ids, forms[i].index.len, text, sizeof(text));
		ck_assert_str_eq(text, forms[i].text);
		ck_assert_int_eq(mib_index_parse(t, forms[i].text, &got, NULL), MIB_OK);
		ck_assert_int_eq(mib_oid_cmp(got.ids, got.len, forms[i].index.ids,
					     forms[i].index.len), 0);
		ck_assert_int_eq(mib_index_decode(t, got.ids, got.len, parts, &scratch, NULL), MIB_OK);
		ck_assert(mib_index_encode(t, parts, t->n_index, &got));
		ck_assert_int_eq(mib_oid_cmp(got.ids, got.len, forms[i].index.ids,
					     forms[i].index.len), 0);
	}
}
END_TEST

static const struct {
	const char *what, *table;
	struct mib_oid index;
} malformed[] = {
	{ "nothing", "spdRuleDefinitionTable", { 0, { 0 } } },
	{ "length without string", "spdRuleDefinitionTable", { 1, { 3 } } },
	{ "cut string", "spdRuleDefinitionTable", { 3, { 3, 97, 98 } } },
	{ "something behind", "spdRuleDefinitionTable", { 3, { 1, 97, 98 } } },
	{ "empty name", "spdRuleDefinitionTable", { 1, { 0 } } },
	{ "length beyond all", "spdRuleDefinitionTable", { 2, { 4294967295, 97 } } },
	{ "no octet", "spdRuleDefinitionTable", { 2, { 1, 256 } } },
	{ "no text", "spdRuleDefinitionTable", { 2, { 1, 7 } } },
	{ "name of 33 octets", "spdRuleDefinitionTable",
	  { 34, { 33, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97,
		  97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97, 97 } } },
	{ "no direction", "spdEndpointToGroupTable", { 2, { 3, 2 } } },
	{ "interface 0", "spdEndpointToGroupTable", { 2, { 1, 0 } } },
	{ "interface over its type", "spdEndpointToGroupTable", { 2, { 1, 2147483648 } } },
	{ "part missing", "spdEndpointToGroupTable", { 1, { 1 } } },
	{ "priority over its range", "spdGroupContentsTable", { 3, { 1, 97, 65536 } } },
	{ "id 0", "diffServMultiFieldClfrTable", { 1, { 0 } } },
	{ "scalar 1", "spdStaticFilters", { 1, { 1 } } },
	{ "scalar 0.0", "spdStaticFilters", { 2, { 0, 0 } } },
};

START_TEST(test_malformed_indexes_can_never_be_created)
{
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct mib_value parts[MIB_INDEX_MAX];
		struct mib_index_scratch scratch;
		struct mib_diag d = { 0 };

		ck_assert_msg(mib_index_decode(mib_table_by_name(malformed[i].table),
					       malformed[i].index.ids, malformed[i].index.len, parts,
					       &scratch, &d) == MIB_NO_CREATION, "%s",
			      malformed[i].what);
		ck_assert_msg(d.text[0] != '\0' && d.object[0] != '\0', "%s", malformed[i].what);
	}
}
END_TEST

START_TEST(test_index_texts_that_are_wrong_are_refused)
{
	static const struct {
		const char *table, *text;
	} cases[] = {
		{ "spdEndpointToGroupTable", "outbound" },
		{ "spdEndpointToGroupTable", "outbound,2,3" },
		{ "spdEndpointToGroupTable", "sideways,2" },
		{ "spdRuleDefinitionTable", "\"open" },
		{ "spdRuleDefinitionTable", "" },
		{ "spdRuleDefinitionTable", "\"\"" },
		{ "spdRuleDefinitionTable", "\"a\"b" },
		{ "spdStaticFilters", "1" },
		{ "spdRuleDefinitionTable", "a-name-of-more-than-thirty-two-octets" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_diag d = { 0 };
		struct mib_oid got;

		ck_assert_msg(mib_index_parse(mib_table_by_name(cases[i].table), cases[i].text, &got,
					      &d) == MIB_NO_CREATION, "%s", cases[i].text);
		ck_assert_msg(d.text[0] != '\0', "%s", cases[i].text);
	}
}
END_TEST

START_TEST(test_bare_words_stand_for_strings)
{
	struct mib_oid got;

	ck_assert_int_eq(mib_index_parse(&mib_t_spdGroupContentsTable, "wan-out,100", &got, NULL),
			 MIB_OK);
	ck_assert_uint_eq(got.len, 9);
	/* In quotes even a number is text. */
	ck_assert_int_eq(mib_index_parse(&mib_t_spdRuleDefinitionTable, "\"0x41\"", &got, NULL), MIB_OK);
	ck_assert_uint_eq(got.len, 5);
}
END_TEST

START_TEST(test_object_names_are_printed_with_their_instance)
{
	static const struct {
		struct mib_oid oid;
		const char *text;
	} cases[] = {
		{ { 11, { 1, 3, 6, 1, 2, 1, 153, 1, 7, 1, 0 } }, "spdTrueFilter.0" },
		{ { 13, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 3, 1, 98 } }, "spdRuleDefFilter.\"b\"" },
		{ { 11, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 3 } }, "spdRuleDefFilter" },
		{ { 12, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 3, 9 } }, "spdRuleDefFilter.9" },
		{ { 4, { 1, 3, 6, 1 } }, "1.3.6.1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];

		mib_oid_print(cases[i].oid.ids, cases[i].oid.len, text, sizeof(text));
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("index");
	TCase *tc = tcase_create("index");

	tcase_add_test(tc, test_indexes_are_printed_read_decoded_and_encoded);
	tcase_add_test(tc, test_malformed_indexes_can_never_be_created);
	tcase_add_test(tc, test_index_texts_that_are_wrong_are_refused);
	tcase_add_test(tc, test_bare_words_stand_for_strings);
	tcase_add_test(tc, test_object_names_are_printed_with_their_instance);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
