/*
 * tests/unit/xml/check_import.c - a good file as one transaction: xml/import.c, import_rows.c. Bad
 * ones are refused in check_reader.c, secrets are in check_secrets.c.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema_gen.h"
#include "tests/unit/xml/fixture.h"

static struct disk disk;
static struct mib_store *store;

static void setup(void)
{
	disk = (struct disk){ 0 };
	store = store_on(&disk);
}

static void teardown(void)
{
	mib_store_free(store);
}

static const struct mib_row *rule(const char *name)
{
	struct mib_oid index;

	ck_assert_int_eq(mib_index_parse(&mib_t_spdRuleDefinitionTable, name, &index, NULL),
			 MIB_OK);
	return mib_view_row(mib_store_view(store), &mib_t_spdRuleDefinitionTable, index.ids,
			    index.len);
}

static void description_is(const char *name, const char *text)
{
	char buf[300];

	ck_assert_ptr_nonnull(rule(name));
	mib_row_text(rule(name), MIB_COL(spdRuleDefinitionTable, spdRuleDefDescription), buf,
		     sizeof(buf));
	ck_assert_str_eq(buf, text);
}

/* ---- what is accepted ---- */

START_TEST(test_rule_is_created)
{
	struct outcome o = import_text(store, DOC(RULES(GOOD("web"))), 0);

	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 1);
	ck_assert_uint_eq(o.sum.changed + o.sum.destroyed, 0);
	ck_assert_uint_eq(o.sum.generation, mib_store_generation(store));
	ck_assert_uint_eq(disk.writes, 1);
	ck_assert_ptr_nonnull(rule("web"));
	ck_assert(mib_row_active(rule("web")));
	ck_assert_str_eq(o.lines, "+ spdRuleDefinitionTable.\"web\"\n");
}
END_TEST

static const struct {
	const char *name, *text, *description;
} texts[] = {
	{ "white space counts in text",
	  "<spdRuleDefDescription> a\n\tb </spdRuleDefDescription>\n", " a\n\tb " },
	{ "text of nothing but spaces is text",
	  "<spdRuleDefDescription>   </spdRuleDefDescription>\n", "   " },
	{ "an empty element is an empty text", "<spdRuleDefDescription/>\n", "" },
	{ "CDATA is text", "<spdRuleDefDescription>a<![CDATA[<&]]>b</spdRuleDefDescription>\n",
	  "a<&b" },
	{ "a comment in the middle is not",
	  "<spdRuleDefDescription>a<!-- no -->b</spdRuleDefDescription>\n", "ab" },
	{ "character references are characters",
	  "<spdRuleDefDescription>&#65;&#x20ac;&lt;&amp;&quot;&apos;&gt;&#13;"
	  "</spdRuleDefDescription>\n",
	  "A\xe2\x82\xac<&\"'>\r" },
	{ "any prefix may stand for the namespace",
	  "<x:spdRuleDefDescription xmlns:x=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">p"
	  "</x:spdRuleDefDescription>\n",
	  "p" },
	{ "white space around labels, OIDs and booleans is passed over",
	  "<spdRuleDefDescription>w</spdRuleDefDescription><spdRuleDefAdminStatus>\n\tenabled "
	  "</spdRuleDefAdminStatus><spdRuleDefFilterNegated> true\r\n</spdRuleDefFilterNegated>\n",
	  "w" },
};

START_TEST(test_text_is_read_as_written)
{
	char file[2048];
	struct outcome o;

	snprintf(file, sizeof(file), DOC(RULES(RULE("web", "%s" FILTER ACTION ACTIVE))),
		 texts[_i].text);
	o = import_text(store, file, 0);
	must_import(&o);
	description_is("web", texts[_i].description);
}
END_TEST

START_TEST(test_white_space_around_numbers_and_in_base64_is_passed_over)
{
	struct outcome o = import_text(store, DOC(
		"<DIFFSERV-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:DIFFSERV-MIB\">\n"
		"<diffServMultiFieldClfrTable><diffServMultiFieldClfrEntry>\n"
		"<diffServMultiFieldClfrId> 7\n</diffServMultiFieldClfrId>\n"
		"<diffServMultiFieldClfrAddrType> ipv4 </diffServMultiFieldClfrAddrType>\n"
		"<diffServMultiFieldClfrDstAddr>\n  CgEC\n  AA== <!-- 10.1.2.0 -->\n"
		"</diffServMultiFieldClfrDstAddr>\n"
		"<diffServMultiFieldClfrDstPrefixLength>\t24"
		"</diffServMultiFieldClfrDstPrefixLength>\n"
		"<diffServMultiFieldClfrStatus>active</diffServMultiFieldClfrStatus>\n"
		"</diffServMultiFieldClfrEntry></diffServMultiFieldClfrTable>\n"
		"</DIFFSERV-MIB>\n"), 0);
	const uint32_t seven = 7;
	const uint8_t network[] = { 10, 1, 2, 0 };
	const struct mib_row *r;
	struct mib_value v;

	must_import(&o);
	r = mib_view_row(mib_store_view(store), &mib_t_diffServMultiFieldClfrTable, &seven, 1);
	ck_assert_ptr_nonnull(r);
	ck_assert(mib_row_get(r, MIB_COL(diffServMultiFieldClfrTable,
					 diffServMultiFieldClfrDstAddr), &v));
	ck_assert_uint_eq(v.octets.len, 4);
	ck_assert_mem_eq(v.octets.data, network, 4);
	ck_assert_int_eq(mib_row_number(r, MIB_COL(diffServMultiFieldClfrTable,
						   diffServMultiFieldClfrDstPrefixLength), -1), 24);
}
END_TEST

START_TEST(test_order_of_elements_says_nothing)
{
	/* The group before its rule, the keys last. */
	struct outcome o = import_text(store, DOC(SPD(
		"<spdGroupContentsTable><spdGroupContentsEntry>\n"
		"<spdGroupContRowStatus>active</spdGroupContRowStatus>\n"
		"<spdGroupContComponentName>web</spdGroupContComponentName>\n"
		"<spdGroupContPriority>5</spdGroupContPriority>\n"
		"<spdGroupContName>g</spdGroupContName>\n"
		"</spdGroupContentsEntry></spdGroupContentsTable>\n"
		"<spdRuleDefinitionTable>" GOOD("web") "</spdRuleDefinitionTable>\n")), 0);

	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 2);
}
END_TEST

START_TEST(test_byte_order_mark_is_accepted)
{
	struct outcome o = import_text(store, "\xef\xbb\xbf" DOC(RULES(GOOD("web"))), 0);

	must_import(&o);
	ck_assert_ptr_nonnull(rule("web"));
}
END_TEST

START_TEST(test_augmenting_columns_are_taken_from_the_base_entry)
{
	struct outcome o = import_text(store, DOC(
		"<m:IPSEC-IKEACTION-MIB "
		"xmlns:m=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-IKEACTION-MIB\" "
		"xmlns:i=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">\n"
		"<m:ipiaIkeActionTable><m:ipiaIkeActionEntry>\n"
		"<m:ipiaIkeActName>a</m:ipiaIkeActName>\n"
		"<i:ipspdIkeActVersion>v1</i:ipspdIkeActVersion>\n"
		"<m:ipiaIkeActRowStatus>notReady</m:ipiaIkeActRowStatus>\n"
		"</m:ipiaIkeActionEntry></m:ipiaIkeActionTable></m:IPSEC-IKEACTION-MIB>\n"), 0);
	const uint32_t a[] = { 1, 'a' };

	must_import(&o);
	ck_assert_int_eq(mib_row_number(mib_view_row(mib_store_view(store),
						     &mib_t_ipspdIkeActTable, a, 2),
					MIB_COL(ipspdIkeActTable, ipspdIkeActVersion), -1), 2);
}
END_TEST

/* ---- round trips ---- */

START_TEST(test_import_of_the_own_export_changes_nothing)
{
	uint64_t generation;
	struct outcome o;
	unsigned writes;
	char *text;

	store_set(store, secrets);
	store_set(store, tunnel);
	text = export_of(store);
	generation = mib_store_generation(store);
	writes = disk.writes;
	for (unsigned flags = 0; flags <= (REPLACE | DRY_RUN); flags++) {
		o = import_text(store, text, flags);
		must_import(&o);
		ck_assert_uint_eq(o.sum.created + o.sum.changed + o.sum.destroyed, 0);
		ck_assert_uint_eq(o.sum.generation, 0);
		ck_assert_str_eq(o.lines, "");
	}
	ck_assert_uint_eq(mib_store_generation(store), generation);
	ck_assert_uint_eq(disk.writes, writes);
	free(text);
}
END_TEST

START_TEST(test_import_into_a_store_with_the_secrets_gives_the_same_octets)
{
	struct mib_store *other = store_on(NULL);
	struct outcome o;
	char *a, *b;

	store_set(store, secrets);
	store_set(store, tunnel);
	store_set(store, old_rule);
	a = export_of(store);
	store_set(other, secrets);
	o = import_text(other, a, 0);
	must_import(&o);
	b = export_of(other);
	must_equal(a, b);
	mib_store_free(other);
	free(a);
	free(b);
}
END_TEST

START_TEST(test_credential_without_its_secret_comes_in_not_active)
{
	struct outcome o = import_text(store, DOC(
		"<IPSEC-IPSECACTION-MIB "
		"xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-IPSECACTION-MIB\">"
		"<ipsaCredentialTable><ipsaCredentialEntry><ipsaCredName>k</ipsaCredName>"
		"<ipsaCredType>sharedSecret</ipsaCredType>"
		"<ipsaCredRowStatus>notInService</ipsaCredRowStatus>"
		"</ipsaCredentialEntry></ipsaCredentialTable></IPSEC-IPSECACTION-MIB>"), 0);
	const uint32_t k[] = { 1, 'k' };
	const struct mib_row *r;

	must_import(&o);
	r = mib_view_row(mib_store_view(store), &mib_t_ipsaCredentialTable, k, 2);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(mib_row_status(mib_store_view(store), r, NULL), MIB_RS_NOT_READY);
}
END_TEST

START_TEST(test_secret_in_the_store_outlives_a_replace)
{
	const uint32_t enc[] = { 3, 'e', 'n', 'c' };
	const struct mib_row *r;
	struct mib_value v;
	struct outcome o;
	char *text;

	store_set(store, secrets);
	text = export_of(store);
	o = import_text(store, text, REPLACE);
	must_import(&o);
	r = mib_view_row(mib_store_view(store), &mib_t_ipsaCredentialTable, enc, 4);
	ck_assert(mib_row_get(r, MIB_COL(ipsaCredentialTable, ipsaCredCredential), &v));
	ck_assert_uint_eq(v.octets.len, 32);
	free(text);
}
END_TEST

/* ---- merge, replace, dry run ---- */

START_TEST(test_merge_keeps_what_the_file_does_not_say)
{
	struct outcome o;

	store_set(store, old_rule);
	o = import_text(store, DOC(RULES(RULE("old", ACTIVE) GOOD("new"))), 0);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 1);
	ck_assert_uint_eq(o.sum.changed, 0);
	description_is("old", "as it was");
	o = import_text(store, DOC(RULES(RULE("old",
		"<spdRuleDefDescription>new</spdRuleDefDescription>" ACTIVE))), 0);
	must_import(&o);
	ck_assert_uint_eq(o.sum.changed, 1);
	ck_assert_str_eq(o.lines, "~ spdRuleDefinitionTable.\"old\"\n");
	description_is("old", "new");
	ck_assert_int_eq(mib_row_number(rule("old"), MIB_COL(spdRuleDefinitionTable,
							     spdRuleDefAdminStatus), 0), 2);
}
END_TEST

START_TEST(test_replace_destroys_what_the_file_does_not_name)
{
	struct outcome o;

	store_set(store, old_rule);
	o = import_text(store, DOC(RULES(GOOD("new"))), REPLACE);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 1);
	ck_assert_uint_eq(o.sum.destroyed, 1);
	ck_assert_ptr_null(rule("old"));
	ck_assert_ptr_nonnull(rule("new"));
	ck_assert_ptr_nonnull(strstr(o.lines, "- spdRuleDefinitionTable.\"old\"\n"));
	ck_assert_ptr_nonnull(strstr(o.lines, "+ spdRuleDefinitionTable.\"new\"\n"));
}
END_TEST

START_TEST(test_replace_by_nothing_leaves_nothing)
{
	static const struct assignment scalar[] = {
		{ "spdIngressPolicyGroupName", "", "wan-out" },
		{ NULL, NULL, NULL },
	};
	struct mib_store *empty = store_on(NULL);
	struct outcome o;
	char *a, *b;

	store_set(store, secrets);
	store_set(store, tunnel);
	store_set(store, scalar);
	o = import_text(store, DOC(""), REPLACE);
	must_import(&o);
	a = export_of(store);
	b = export_of(empty);
	must_equal(a, b);
	mib_store_free(empty);
	free(a);
	free(b);
}
END_TEST

START_TEST(test_replace_sets_unnamed_columns_back_to_their_defaults)
{
	struct outcome o;

	store_set(store, old_rule);
	o = import_text(store, DOC(RULES(GOOD("old"))), REPLACE);
	must_import(&o);
	description_is("old", "");
	ck_assert_int_eq(mib_row_number(rule("old"), MIB_COL(spdRuleDefinitionTable,
							     spdRuleDefAdminStatus), 0), 1);
}
END_TEST

START_TEST(test_replace_must_say_what_cannot_be_taken_away)
{
	struct outcome o;

	store_set(store, old_rule);
	o = import_text(store, DOC(RULES(RULE("old", ACTION ACTIVE))), REPLACE);
	ck_assert_int_eq(o.err, MIB_INCONSISTENT_VALUE);
	ck_assert_uint_eq(o.d.line, 5);
	ck_assert_str_eq(o.d.diag.object, "spdRuleDefFilter");
	description_is("old", "as it was");
}
END_TEST

START_TEST(test_dry_run_says_everything_and_does_nothing)
{
	char *before, *after;
	uint64_t generation;
	struct outcome o;

	store_set(store, old_rule);
	before = export_of(store);
	generation = mib_store_generation(store);
	o = import_text(store, DOC(RULES(GOOD("new"))), REPLACE | DRY_RUN);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 1);
	ck_assert_uint_eq(o.sum.destroyed, 1);
	ck_assert_uint_eq(o.sum.generation, 0);
	ck_assert_ptr_nonnull(strstr(o.lines, "- spdRuleDefinitionTable.\"old\"\n"));
	after = export_of(store);
	must_equal(before, after);
	ck_assert_uint_eq(mib_store_generation(store), generation);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_active_row_is_taken_out_of_service_and_back)
{
	struct outcome o;

	store_set(store, old_rule);
	o = import_text(store, DOC(RULES(RULE("old", NOT_IN_SERVICE))), 0);
	must_import(&o);
	ck_assert(!mib_row_active(rule("old")));
	o = import_text(store, DOC(RULES(RULE("old", ACTIVE))), 0);
	must_import(&o);
	ck_assert(mib_row_active(rule("old")));
}
END_TEST

/* ---- all or nothing ---- */

START_TEST(test_many_rows_are_one_transaction)
{
	char *text = malloc(2000 * 512 + 1024), *at = text;
	struct outcome o;

	ck_assert_ptr_nonnull(text);
	at = stpcpy(at, "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">"
			"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">"
			"<spdRuleDefinitionTable>\n");
	for (unsigned i = 0; i < 2000; i++)
		at += sprintf(at, RULE("rule-%u", FILTER ACTION ACTIVE), i);
	strcpy(at, "</spdRuleDefinitionTable></IPSEC-SPD-MIB></data>");
	o = import_text(store, text, 0);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created, 2000);
	ck_assert_uint_eq(disk.writes, 1);
	ck_assert_uint_eq(mib_store_generation(store), 1);
	free(text);
}
END_TEST

START_TEST(test_bad_last_row_undoes_the_good_ones)
{
	struct outcome o = import_text(store, DOC(RULES(
		GOOD("one") GOOD("two") RULE("three", FILTER ACTION
		"<spdRuleDefAdminStatus>perhaps</spdRuleDefAdminStatus>" ACTIVE))), 0);

	ck_assert_int_eq(o.err, MIB_WRONG_VALUE);
	ck_assert_ptr_null(rule("one"));
	ck_assert_ptr_null(rule("two"));
	ck_assert_uint_eq(mib_store_generation(store), 0);
	ck_assert_uint_eq(disk.writes, 0);
}
END_TEST

START_TEST(test_broken_disk_changes_nothing)
{
	char *before, *after;
	uint64_t generation;
	struct outcome o;

	store_set(store, old_rule);
	before = export_of(store);
	generation = mib_store_generation(store);
	disk.broken = true;
	o = import_text(store, DOC(RULES(GOOD("new"))), REPLACE);
	ck_assert_int_eq(o.err, MIB_COMMIT_FAILED);
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "disk"));
	after = export_of(store);
	must_equal(before, after);
	ck_assert_uint_eq(mib_store_generation(store), generation);
	disk.broken = false;
	o = import_text(store, DOC(RULES(GOOD("new"))), REPLACE);
	must_import(&o);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_staged_transaction_makes_an_import_wait)
{
	struct mib_txn *txn;
	struct outcome o;

	ck_assert_int_eq(mib_txn_begin(store, MIB_DOOR_SNMP, "test", &txn), MIB_OK);
	o = import_text(store, DOC(RULES(GOOD("web"))), 0);
	ck_assert_int_eq(o.err, MIB_BUSY);
	ck_assert_uint_eq(mib_store_refusals(store), 0);
	mib_txn_done(txn);
	o = import_text(store, DOC(RULES(GOOD("web"))), 0);
	must_import(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xml/import");
	TCase *c = tcase_create("import");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_rule_is_created);
	tcase_add_loop_test(c, test_text_is_read_as_written, 0, COUNT(texts));
	tcase_add_test(c, test_white_space_around_numbers_and_in_base64_is_passed_over);
	tcase_add_test(c, test_order_of_elements_says_nothing);
	tcase_add_test(c, test_byte_order_mark_is_accepted);
	tcase_add_test(c, test_augmenting_columns_are_taken_from_the_base_entry);
	tcase_add_test(c, test_import_of_the_own_export_changes_nothing);
	tcase_add_test(c, test_import_into_a_store_with_the_secrets_gives_the_same_octets);
	tcase_add_test(c, test_credential_without_its_secret_comes_in_not_active);
	tcase_add_test(c, test_secret_in_the_store_outlives_a_replace);
	tcase_add_test(c, test_merge_keeps_what_the_file_does_not_say);
	tcase_add_test(c, test_replace_destroys_what_the_file_does_not_name);
	tcase_add_test(c, test_replace_by_nothing_leaves_nothing);
	tcase_add_test(c, test_replace_sets_unnamed_columns_back_to_their_defaults);
	tcase_add_test(c, test_replace_must_say_what_cannot_be_taken_away);
	tcase_add_test(c, test_dry_run_says_everything_and_does_nothing);
	tcase_add_test(c, test_active_row_is_taken_out_of_service_and_back);
	tcase_add_test(c, test_many_rows_are_one_transaction);
	tcase_add_test(c, test_bad_last_row_undoes_the_good_ones);
	tcase_add_test(c, test_broken_disk_changes_nothing);
	tcase_add_test(c, test_staged_transaction_makes_an_import_wait);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
