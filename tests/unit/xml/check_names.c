/* tests/unit/xml/check_names.c - names and namespaces: xml/names.c. RFC 6643 sections 4 and 7. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "xml/names.h"
#include "xml/xml.h"

START_TEST(test_namespace_is_the_one_of_rfc_6643)
{
	char buf[XML_NS_MAX];

	/* RFC 6643 4.2 prints the one of IF-MIB. */
	ck_assert_uint_eq(xml_namespace("IF-MIB", buf, sizeof(buf)), strlen(buf));
	ck_assert_str_eq(buf, "urn:ietf:params:xml:ns:yang:smiv2:IF-MIB");
}
END_TEST

START_TEST(test_every_namespace_fits)
{
	char buf[XML_NS_MAX];

	for (size_t i = 0; i < mib_n_modules; i++)
		ck_assert_uint_lt(xml_namespace(mib_modules[i].name, buf, sizeof(buf)),
				  sizeof(buf));
}
END_TEST

static const struct {
	const char *table, *column;
	bool is_key;
} keys[] = {
	{ "spdRuleDefinitionTable", "spdRuleDefName", true },
	{ "spdRuleDefinitionTable", "spdRuleDefFilter", false },
	{ "spdGroupContentsTable", "spdGroupContPriority", true },
	/* A key that is a column of another table. */
	{ "spdSubfiltersTable", "spdCompFiltName", true },
	{ "spdSubfiltersTable", "spdCompFiltLogicType", false },
	{ "ipspdRuleTable", "spdRuleDefName", true },
};

START_TEST(test_keys_are_the_index_columns)
{
	const struct mib_table *t = mib_table_by_name(keys[_i].table);
	const struct mib_column *col = mib_column_by_name(keys[_i].column);

	ck_assert_ptr_nonnull(t);
	ck_assert_ptr_nonnull(col);
	ck_assert_int_eq(xml_is_key(t, col), keys[_i].is_key);
}
END_TEST

static const struct {
	const char *table;
	bool is_config;
} configs[] = {
	{ "spdRuleDefinitionTable", true },
	{ "ipsaCredentialSegmentTable", true },
	{ "spdLocalConfigObjects", true },	/* writable scalars */
	{ "spdStaticActions", false },		/* read-only scalars */
	{ "ipspdSystem", true },		/* one writable among read-only ones */
	{ "ipspdClosureTable", false },		/* the system's own rows */
	{ "ipspdDropTable", false },		/* observed */
	{ "ipspdOperationTable", false },	/* observed, though it can be written */
	{ "ipspdGroupControl", false },		/* orders, which are not kept */
	{ "ipspdTransactions", false },
	{ "ipspdJobTable", false },		/* volatile by nature */
	{ "ipspdIkeActTable", false },		/* stands in the table it augments */
};

START_TEST(test_configuration_is_what_a_manager_can_make)
{
	const struct mib_table *t = mib_table_by_name(configs[_i].table);

	ck_assert_msg(t != NULL, "%s", configs[_i].table);
	ck_assert_msg(xml_is_config(t) == configs[_i].is_config, "%s", configs[_i].table);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xml/names");
	TCase *c = tcase_create("names");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, test_namespace_is_the_one_of_rfc_6643);
	tcase_add_test(c, test_every_namespace_fits);
	tcase_add_loop_test(c, test_keys_are_the_index_columns, 0,
			    sizeof(keys) / sizeof(keys[0]));
	tcase_add_loop_test(c, test_configuration_is_what_a_manager_can_make, 0,
			    sizeof(configs) / sizeof(configs[0]));
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
