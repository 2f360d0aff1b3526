/*
 * tests/unit/xml/check_import.c - reading a file as one transaction: xml/import.c, import_rows.c,
 * reader.c.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mibs/mem.h"
#include "mibs/schema_gen.h"
#include "tests/unit/xml/fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct disk disk;
static struct mib_store *store;

static void setup(void)
{
	disk = (struct disk){ 0 };
	store = store_new(&disk);
}

static void teardown(void)
{
	mib_store_free(store);
}

/* A rule entry on lines of its own; the first line is line 5 of DOC(RULES(..)). */
#define RULE(name, rest)                                                                           \
	"<spdRuleDefinitionEntry>\n<spdRuleDefName>" name "</spdRuleDefName>\n" rest               \
	"</spdRuleDefinitionEntry>\n"
#define FILTER "<spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>\n"
#define ACTION "<spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>\n"
#define ACTIVE "<spdRuleDefRowStatus>active</spdRuleDefRowStatus>\n"
#define NOT_IN_SERVICE "<spdRuleDefRowStatus>notInService</spdRuleDefRowStatus>\n"
#define GOOD(name) RULE(name, FILTER ACTION ACTIVE)

static const struct assignment old_rule[] = {
	{ "spdRuleDefDescription", "old", "as it was" },
	{ "spdRuleDefFilter", "old", "spdTrueFilter.0" },
	{ "spdRuleDefAction", "old", "spdDropAction.0" },
	{ "spdRuleDefAdminStatus", "old", "disabled" },
	{ "spdRuleDefRowStatus", "old", "createAndGo" },
	{ NULL, NULL, NULL },
};

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
		"<diffServMultiFieldClfrDstPrefixLength>\t24</diffServMultiFieldClfrDstPrefixLength>\n"
		"<diffServMultiFieldClfrStatus>active</diffServMultiFieldClfrStatus>\n"
		"</diffServMultiFieldClfrEntry></diffServMultiFieldClfrTable></DIFFSERV-MIB>\n"), 0);
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
		"<m:IPSEC-IKEACTION-MIB xmlns:m=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-IKEACTION-MIB\" "
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
	struct mib_store *other = store_new(NULL);
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

START_TEST(test_credential_without_its_secret_is_refused_by_name)
{
	struct mib_store *other = store_new(NULL);
	struct outcome o;
	char *text;

	store_set(store, secrets);
	text = export_of(store);
	o = import_text(other, text, 0);
	ck_assert_int_eq(o.err, MIB_INCONSISTENT_VALUE);
	ck_assert_str_eq(o.d.diag.object, "ipsaCredCredential.\"enc\"");
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "secret"));
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "first"));
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "notInService"));
	ck_assert_uint_gt(o.d.line, 0);
	ck_assert_uint_eq(mib_store_generation(other), 0);
	mib_store_free(other);
	free(text);
}
END_TEST

START_TEST(test_credential_without_its_secret_comes_in_not_active)
{
	struct outcome o = import_text(store, DOC(
		"<IPSEC-IPSECACTION-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-IPSECACTION-MIB\">"
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
	struct mib_store *empty = store_new(NULL);
	struct outcome o;
	char *a, *b;

	store_set(store, secrets);
	store_set(store, tunnel);
	store_set(store, (const struct assignment[]){ { "spdIngressPolicyGroupName", "", "wan-out" },
						      { NULL, NULL, NULL } });
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

/* ---- refusals ---- */

static const struct {
	const char *name, *text;
	unsigned line;
	const char *object, *reason;
	enum mib_err err;
} refusals[] = {
	{ "unknown element in an entry", DOC(RULES(RULE("web", "<spdRuleDefNonsense/>\n" ACTIVE))),
	  7, "spdRuleDefNonsense", "belongs", MIB_NO_SUCH_OBJECT },
	{ "column of another table",
	  DOC(RULES(RULE("web", "<spdCompFiltLogicType>and</spdCompFiltLogicType>"))), 7,
	  "spdCompFiltLogicType", "belongs", MIB_NO_SUCH_OBJECT },
	{ "unknown table", DOC(SPD("\n<spdNonsenseTable/>\n")), 5, "spdNonsenseTable", "no table",
	  MIB_NO_SUCH_OBJECT },
	{ "table of another module", DOC(SPD("<ipsaCredentialTable/>\n")), 4,
	  "ipsaCredentialTable", "no table", MIB_NO_SUCH_OBJECT },
	{ "augmenting table as a table",
	  DOC("<IPSPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\"><ipspdIkeActTable/>"
	      "</IPSPD-MIB>"),
	  3, "ipspdIkeActTable", "no table", MIB_NO_SUCH_OBJECT },
	{ "unknown module",
	  DOC("<IF-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IF-MIB\"/>\n"), 3, "IF-MIB",
	  "no module", MIB_NO_SUCH_OBJECT },
	{ "module in a wrong namespace", DOC("\n<IPSEC-SPD-MIB xmlns=\"urn:x\"/>\n"), 4,
	  "IPSEC-SPD-MIB", "no module", MIB_NO_SUCH_OBJECT },
	{ "module in the root's namespace", DOC("<IPSEC-SPD-MIB/>"), 3, "IPSEC-SPD-MIB",
	  "no module", MIB_NO_SUCH_OBJECT },
	{ "table in no namespace", DOC(SPD("<spdRuleDefinitionTable xmlns=\"\"/>")), 4,
	  "spdRuleDefinitionTable", "namespace", MIB_NO_SUCH_OBJECT },
	{ "entry in a wrong namespace", DOC(RULES("<spdRuleDefinitionEntry xmlns=\"urn:x\"/>")), 5,
	  "spdRuleDefinitionEntry", "entries", MIB_NO_SUCH_OBJECT },
	{ "column in a wrong namespace",
	  DOC(RULES(RULE("web", "<spdRuleDefDescription xmlns=\"urn:x\"/>"))), 7,
	  "spdRuleDefDescription", "namespace", MIB_NO_SUCH_OBJECT },
	{ "entry of another table", DOC(RULES("<spdSubfiltersEntry/>")), 5, "spdSubfiltersEntry",
	  "entries", MIB_NO_SUCH_OBJECT },
	{ "table that only shows",
	  DOC("<IPSPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\"><ipspdDropTable/>"
	      "</IPSPD-MIB>"),
	  3, "ipspdDropTable", "configured", MIB_NOT_WRITABLE },
	{ "wrong root", "<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"/>", 1, "config",
	  "document element", MIB_WRONG_VALUE },
	{ "root in no namespace", "\n\n<data/>", 3, "data", "namespace", MIB_WRONG_VALUE },
	{ "bad number",
	  DOC(SPD("<spdGroupContentsTable><spdGroupContentsEntry>\n"
		  "<spdGroupContName>g</spdGroupContName>\n"
		  "<spdGroupContPriority>ten</spdGroupContPriority>\n"
		  "</spdGroupContentsEntry></spdGroupContentsTable>")),
	  6, "spdGroupContPriority", "ten", MIB_WRONG_TYPE },
	{ "number out of range",
	  DOC(SPD("<spdGroupContentsTable><spdGroupContentsEntry>\n"
		  "<spdGroupContName>g</spdGroupContName>\n"
		  "<spdGroupContPriority>65536</spdGroupContPriority>\n"
		  "</spdGroupContentsEntry></spdGroupContentsTable>")),
	  6, "spdGroupContPriority", "65536", MIB_WRONG_VALUE },
	{ "bad label",
	  DOC(RULES(RULE("web", FILTER "<spdRuleDefAdminStatus>perhaps</spdRuleDefAdminStatus>"
			ACTIVE))),
	  8, "spdRuleDefAdminStatus", "perhaps", MIB_WRONG_VALUE },
	{ "number where a label belongs",
	  DOC(RULES(RULE("web", "<spdRuleDefAdminStatus>1</spdRuleDefAdminStatus>" ACTIVE))), 7,
	  "spdRuleDefAdminStatus", "label", MIB_WRONG_VALUE },
	{ "white space inside a label",
	  DOC(RULES(RULE("web", "<spdRuleDefAdminStatus>ena bled</spdRuleDefAdminStatus>" ACTIVE))),
	  7,
	  "spdRuleDefAdminStatus", "label", MIB_WRONG_VALUE },
	{ "bad bits",
	  DOC(SPD("<spdTimeFilterTable><spdTimeFilterEntry><spdTimeFiltName>t</spdTimeFiltName>\n"
		  "<spdTimeFiltDayOfWeekMask>monday doomsday</spdTimeFiltDayOfWeekMask>"
		  "<spdTimeFiltRowStatus>active</spdTimeFiltRowStatus>"
		  "</spdTimeFilterEntry></spdTimeFilterTable>")),
	  5, "spdTimeFiltDayOfWeekMask", "doomsday", MIB_WRONG_VALUE },
	{ "bad base64",
	  DOC(SPD("<spdIpOffsetFilterTable><spdIpOffsetFilterEntry>"
		  "<spdIpOffFiltName>o</spdIpOffFiltName>\n"
		  "<spdIpOffFiltValue>B</spdIpOffFiltValue>"
		  "<spdIpOffFiltRowStatus>notReady</spdIpOffFiltRowStatus>"
		  "</spdIpOffsetFilterEntry></spdIpOffsetFilterTable>")),
	  5, "spdIpOffFiltValue", "base64", MIB_WRONG_VALUE },
	{ "bad OID", DOC(RULES(RULE("web", "<spdRuleDefFilter>1.3.x</spdRuleDefFilter>" ACTIVE))), 7,
	  "spdRuleDefFilter", "1.3.x", MIB_WRONG_VALUE },
	{ "object name where an OID belongs",
	  DOC(RULES(RULE("web", "<spdRuleDefFilter>spdTrueFilter.0</spdRuleDefFilter>" ACTIVE))), 7,
	  "spdRuleDefFilter", "dotted", MIB_WRONG_VALUE },
	{ "text too long for its size",
	  DOC(RULES(RULE("123456789012345678901234567890123", ACTIVE))), 6, "spdRuleDefName", "33",
	  MIB_WRONG_LENGTH },
	{ "empty key", DOC(RULES(RULE("", ACTIVE))), 6, "spdRuleDefName", "0 octets",
	  MIB_WRONG_LENGTH },
	{ "key missing",
	  DOC(RULES("<spdRuleDefinitionEntry>\n" ACTIVE "</spdRuleDefinitionEntry>\n")), 5,
	  "spdRuleDefName", "missing", MIB_NO_CREATION },
	{ "RowStatus missing", DOC(RULES(GOOD("one") RULE("two", FILTER ACTION))), 11,
	  "spdRuleDefRowStatus", "missing", MIB_INCONSISTENT_VALUE },
	{ "RowStatus that is an action",
	  DOC(RULES(RULE("web", "<spdRuleDefRowStatus>destroy</spdRuleDefRowStatus>"))), 7,
	  "spdRuleDefRowStatus", "active, notInService", MIB_WRONG_VALUE },
	{ "duplicate leaf", DOC(RULES(RULE("web", FILTER ACTION FILTER ACTIVE))), 9,
	  "spdRuleDefFilter", "twice", MIB_INCONSISTENT_VALUE },
	{ "duplicate key", DOC(RULES(RULE("web", "<spdRuleDefName>web</spdRuleDefName>"))), 7,
	  "spdRuleDefName", "twice", MIB_INCONSISTENT_VALUE },
	{ "duplicate scalar",
	  DOC(SPD("<spdLocalConfigObjects>\n"
		  "<spdIngressPolicyGroupName>a</spdIngressPolicyGroupName>\n"
		  "<spdIngressPolicyGroupName>b</spdIngressPolicyGroupName>\n"
		  "</spdLocalConfigObjects>\n")),
	  6, "spdIngressPolicyGroupName", "twice", MIB_INCONSISTENT_VALUE },
	{ "duplicate scalar in a second container",
	  DOC(SPD("<spdLocalConfigObjects>\n"
		  "<spdIngressPolicyGroupName>a</spdIngressPolicyGroupName>\n"
		  "</spdLocalConfigObjects>\n<spdLocalConfigObjects>\n"
		  "<spdIngressPolicyGroupName>b</spdIngressPolicyGroupName>\n"
		  "</spdLocalConfigObjects>\n")),
	  7, "spdLocalConfigObjects", "already", MIB_INCONSISTENT_VALUE },
	{ "duplicate entry", DOC(RULES(GOOD("web") GOOD("web"))), 11, "spdRuleDefinitionTable",
	  "already", MIB_INCONSISTENT_VALUE },
	{ "read-only column",
	  DOC(RULES(RULE("web", "<spdRuleDefLastChanged>0</spdRuleDefLastChanged>"))), 7,
	  "spdRuleDefLastChanged", "read-only", MIB_NOT_WRITABLE },
	{ "read-only augmenting column",
	  DOC(RULES(RULE("web", "<ipspdRuleReason xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:"
				"IPSPD-MIB\">x</ipspdRuleReason>"))),
	  7, "ipspdRuleReason", "read-only", MIB_NOT_WRITABLE },
	{ "read-only scalar",
	  DOC("<IPSPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\"><ipspdSystem>\n"
	      "<ipspdVersion>9</ipspdVersion></ipspdSystem></IPSPD-MIB>"),
	  4, "ipspdVersion", "read-only", MIB_NOT_WRITABLE },
	{ "text where elements belong", DOC(RULES(GOOD("one") "stray" GOOD("two"))), 11, "",
	  "text stands", MIB_WRONG_VALUE },
	{ "CDATA where elements belong", DOC("<![CDATA[x]]>"), 3, "", "text stands",
	  MIB_WRONG_VALUE },
	{ "element where text belongs",
	  DOC(RULES(RULE("web", "<spdRuleDefDescription>a<b/></spdRuleDefDescription>"))), 7,
	  "spdRuleDefDescription", "not elements", MIB_WRONG_VALUE },
	{ "attribute", DOC(RULES("<spdRuleDefinitionEntry operation=\"delete\">"
				 "</spdRuleDefinitionEntry>")),
	  5, "", "attributes", MIB_WRONG_ENCODING },
	{ "processing instruction", "<?run me?>" DOC(""), 1, "", "instruction",
	  MIB_WRONG_ENCODING },
	{ "storage that cannot be set",
	  DOC(RULES(RULE("web", "<spdRuleDefStorageType>readOnly</spdRuleDefStorageType>" ACTIVE))),
	  7, "spdRuleDefStorageType.\"web\"", "volatile", MIB_WRONG_VALUE },
	{ "pointer at nothing",
	  DOC(RULES(GOOD("one") RULE("two", ACTION "<spdRuleDefFilter>1.3.6.1.2.1.97.1.2.6.1.2.99"
						   "</spdRuleDefFilter>\n" ACTIVE))),
	  14, "spdRuleDefFilter.\"two\"", "", MIB_INCONSISTENT_NAME },
	{ "name of nothing",
	  DOC(SPD("<spdGroupContentsTable><spdGroupContentsEntry>\n"
		  "<spdGroupContName>g</spdGroupContName>\n"
		  "<spdGroupContPriority>5</spdGroupContPriority>\n"
		  "<spdGroupContComponentName>nowhere</spdGroupContComponentName>\n"
		  "<spdGroupContRowStatus>active</spdGroupContRowStatus>\n"
		  "</spdGroupContentsEntry></spdGroupContentsTable>")),
	  7, "spdGroupContComponentName.\"g\",5", "", MIB_INCONSISTENT_VALUE },
	{ "mandatory column missing", DOC(RULES(RULE("web", FILTER ACTIVE))), 8,
	  "spdRuleDefAction.\"web\"", "", MIB_INCONSISTENT_VALUE },
	{ "not well-formed: tags that cross", DOC(SPD("\n</wrong>\n")), 5, "", "well-formed",
	  MIB_WRONG_ENCODING },
	{ "not well-formed: cut", "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n\n", 3,
	  "", "well-formed", MIB_WRONG_ENCODING },
	{ "not well-formed: second root", DOC("") "<data/>", 4, "", "well-formed",
	  MIB_WRONG_ENCODING },
	{ "empty file", "", 1, "", "well-formed", MIB_WRONG_ENCODING },
	{ "no XML at all", "{ \"command\": 1 }", 1, "", "well-formed", MIB_WRONG_ENCODING },
	{ "prefix without a namespace", DOC("<x:y/>"), 3, "", "x", MIB_WRONG_ENCODING },
	{ "undefined entity", DOC(RULES(RULE("&web;", ACTIVE))), 6, "", "web",
	  MIB_WRONG_ENCODING },
	{ "control character", DOC(RULES(RULE("a&#1;", ACTIVE))), 6, "", "well-formed",
	  MIB_WRONG_ENCODING },
	{ "not UTF-8", DOC(RULES(RULE("a\xff", ACTIVE))), 6, "", "well-formed",
	  MIB_WRONG_ENCODING },
	{ "surrogate in UTF-8", DOC(RULES(RULE("a\xed\xa0\x80", ACTIVE))), 6, "", "well-formed",
	  MIB_WRONG_ENCODING },
	{ "another encoding declared",
	  "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<data xmlns=\"urn:ietf:params:xml:ns:"
	  "netconf:base:1.0\"/>\n",
	  1, "", "UTF-8", MIB_WRONG_ENCODING },
	{ "UTF-7 declared",
	  "<?xml version=\"1.0\" encoding=\"UTF-7\"?>\n<data xmlns=\"urn:ietf:params:xml:ns:"
	  "netconf:base:1.0\"/>\n",
	  1, "", "UTF-8", MIB_WRONG_ENCODING },
	{ "document type", "<!DOCTYPE data>\n" DOC(""), 1, "", "document type",
	  MIB_WRONG_ENCODING },
	{ "document type with an entity",
	  "<?xml version=\"1.0\"?>\n<!DOCTYPE data [<!ENTITY a \"b\">]>\n"
	  "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">&a;</data>",
	  2, "", "document type", MIB_WRONG_ENCODING },
	{ "billion laughs",
	  "<!DOCTYPE data [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
	  "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
	  "]>\n<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" x=\"&d;\">&d;</data>",
	  1, "", "document type", MIB_WRONG_ENCODING },
	{ "external entity of a file",
	  "<!DOCTYPE data [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n"
	  "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">&a;</data>",
	  1, "", "document type", MIB_WRONG_ENCODING },
	{ "external entity of the network",
	  "<!DOCTYPE data [<!ENTITY % a SYSTEM \"http://127.0.0.1:9/x\"> %a;]>\n"
	  "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"/>",
	  1, "", "document type", MIB_WRONG_ENCODING },
	{ "external document type",
	  "<!DOCTYPE data SYSTEM \"http://127.0.0.1:9/x.dtd\">\n"
	  "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"/>",
	  1, "", "document type", MIB_WRONG_ENCODING },
};

static void must_be_refused(const struct outcome *o, const char *name, enum mib_err err,
			    unsigned line, const char *object, const char *reason)
{
	const char *said = mib_err_name(o->err);

	ck_assert_msg(o->err == err, "%s: %s, not %s: line %u %s: %s", name, said,
		      mib_err_name(err), o->d.line, o->d.diag.object, o->d.diag.text);
	ck_assert_msg(o->d.line == line, "%s: line %u, not %u: %s", name, o->d.line, line,
		      o->d.diag.text);
	ck_assert_msg(strcmp(o->d.diag.object, object) == 0, "%s: object '%s', not '%s'", name,
		      o->d.diag.object, object);
	ck_assert_msg(strstr(o->d.diag.text, reason) != NULL, "%s: '%s' does not say '%s'", name,
		      o->d.diag.text, reason);
	ck_assert_msg(o->d.diag.text[0] != '\0', "%s: no reason", name);
}

START_TEST(test_bad_file_is_refused_with_line_and_object)
{
	char *before, *after;
	uint64_t generation, refused;

	store_set(store, old_rule);
	before = export_of(store);
	generation = mib_store_generation(store);
	for (unsigned flags = 0; flags <= (REPLACE | DRY_RUN); flags++) {
		struct outcome o;

		refused = mib_store_refusals(store);
		o = import_text(store, refusals[_i].text, flags);
		must_be_refused(&o, refusals[_i].name, refusals[_i].err, refusals[_i].line,
				refusals[_i].object, refusals[_i].reason);
		ck_assert_uint_eq(mib_store_refusals(store), refused + 1);
		ck_assert_uint_eq(o.sum.generation, 0);
	}
	after = export_of(store);
	must_equal(before, after);
	ck_assert_uint_eq(mib_store_generation(store), generation);
	free(before);
	free(after);
}
END_TEST

/* Whoever opens a pipe without a writer waits for ever, so this would not end. */
START_TEST(test_external_entity_of_a_file_is_never_opened)
{
	char dir[] = "/tmp/check_import.XXXXXX", pipe_path[64], file[512];
	struct outcome o;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", dir);
	ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
	snprintf(file, sizeof(file),
		 "<!DOCTYPE data SYSTEM \"file://%s\" [<!ENTITY a SYSTEM \"file://%s\">]>\n"
		 "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">&a;</data>",
		 pipe_path, pipe_path);
	o = import_text(store, file, 0);
	ck_assert_int_eq(o.err, MIB_WRONG_ENCODING);
	unlink(pipe_path);
	rmdir(dir);
}
END_TEST

START_TEST(test_external_entity_of_the_network_is_never_fetched)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);
	struct outcome o;
	char file[512];

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	snprintf(file, sizeof(file),
		 "<!DOCTYPE data SYSTEM \"http://127.0.0.1:%u/dtd\" "
		 "[<!ENTITY %% p SYSTEM \"http://127.0.0.1:%u/p\"> %%p; "
		 "<!ENTITY a SYSTEM \"http://127.0.0.1:%u/a\">]>\n"
		 "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">&a;</data>",
		 ntohs(at.sin_port), ntohs(at.sin_port), ntohs(at.sin_port));
	o = import_text(store, file, 0);
	ck_assert_int_eq(o.err, MIB_WRONG_ENCODING);
	ck_assert_int_eq(accept(listener, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(listener);
}
END_TEST

START_TEST(test_nul_octet_is_refused_with_its_line)
{
	static const char text[] = DOC("\n\n\0\n");
	struct outcome o = import_octets(store, text, sizeof(text) - 1, 0);

	must_be_refused(&o, "NUL", MIB_WRONG_ENCODING, 5, "", "NUL");
}
END_TEST

static const struct {
	const char *name, *octets;
	size_t len;
} encodings[] = {
	{ "UTF-16 little endian with mark", "\xff\xfe<\0d\0/\0>\0", 10 },
	{ "UTF-16 big endian with mark", "\xfe\xff\0<\0d\0/\0>", 10 },
	{ "UTF-16 without mark", "<\0d\0/\0>\0", 8 },
	{ "UTF-32", "\0\0\0<\0\0\0d", 8 },
	{ "EBCDIC", "\x4c\x6f\xa7\x94\x93\x40", 6 },
};

START_TEST(test_other_encodings_are_refused)
{
	struct outcome o = import_octets(store, encodings[_i].octets, encodings[_i].len, 0);

	must_be_refused(&o, encodings[_i].name, MIB_WRONG_ENCODING, 1, "", "UTF-8");
}
END_TEST

/* head, then n times piece, then tail. */
static struct outcome import_long(const char *head, const char *piece, size_t n, const char *tail)
{
	size_t len = strlen(head) + n * strlen(piece) + strlen(tail);
	char *text = malloc(len + 1), *at = text;
	struct outcome o;

	ck_assert_ptr_nonnull(text);
	at = stpcpy(at, head);
	while (n--)
		at = stpcpy(at, piece);
	strcpy(at, tail);
	o = import_octets(store, text, len, 0);
	free(text);
	return o;
}

START_TEST(test_deep_nesting_is_refused)
{
	struct outcome o = import_long("<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">",
				       "<a>", 100000, "");

	ck_assert_int_eq(o.err, MIB_NO_SUCH_OBJECT);
}
END_TEST

START_TEST(test_huge_text_is_refused)
{
	struct outcome o = import_long(
		"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n"
		"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">\n"
		"<spdRuleDefinitionTable><spdRuleDefinitionEntry>\n<spdRuleDefDescription>",
		"0123456789", 200000, "</spdRuleDefDescription>");

	must_be_refused(&o, "huge text", MIB_WRONG_LENGTH, 4, "spdRuleDefDescription", "too long");
}
END_TEST

START_TEST(test_huge_tag_is_refused)
{
	struct outcome o = import_long("<data ", "                ", 100000, "/>");

	ck_assert_int_eq(o.err, MIB_WRONG_LENGTH);
	ck_assert_ptr_nonnull(strstr(o.d.diag.text, "tag"));
}
END_TEST

START_TEST(test_huge_comment_is_refused)
{
	struct outcome o = import_long("<!--", "0123456789abcdef", 100000, "-->" DOC(""));

	ck_assert_int_eq(o.err, MIB_WRONG_LENGTH);
}
END_TEST

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

START_TEST(test_huge_file_is_refused_unread)
{
	int fd = memfd_create("huge", MFD_CLOEXEC);
	const struct xml_import_options options = { .who = "test" };
	struct xml_summary sum;
	struct xml_diag d;

	ck_assert_int_eq(ftruncate(fd, (off_t)XML_FILE_MAX + 1), 0);
	ck_assert_int_eq(xml_import(store, fd, &options, &sum, &d), MIB_WRONG_LENGTH);
	ck_assert_uint_eq(d.line, 0);
	ck_assert_ptr_nonnull(strstr(d.diag.text, "larger"));
	close(fd);
}
END_TEST

START_TEST(test_only_regular_files_are_read)
{
	const struct xml_import_options options = { .who = "test" };
	struct xml_summary sum;
	struct xml_diag d;
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(xml_import(store, pipes[0], &options, &sum, &d), MIB_WRONG_VALUE);
	ck_assert_ptr_nonnull(strstr(d.diag.text, "regular"));
	ck_assert_int_eq(xml_import(store, -1, &options, &sum, &d), MIB_WRONG_VALUE);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

/* ---- all or nothing ---- */

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

START_TEST(test_every_failing_allocation_changes_nothing)
{
	static const char text[] = DOC(RULES(GOOD("one") RULE("old",
		"<spdRuleDefDescription>new</spdRuleDefDescription>" ACTIVE)));
	unsigned long begun = mib_mem_count(), n;
	struct outcome o;
	char *before;

	store_set(store, old_rule);
	before = export_of(store);
	begun = mib_mem_count();
	o = import_text(store, text, DRY_RUN);
	must_import(&o);
	n = mib_mem_count() - begun;
	ck_assert_uint_gt(n, 5);
	for (unsigned long i = 1; i <= n; i++) {
		char *after;

		mib_mem_fail_at(i);
		o = import_text(store, text, 0);
		mib_mem_fail_at(0);
		ck_assert_msg(o.err == MIB_RESOURCE_UNAVAILABLE, "allocation %lu: %s", i,
			      mib_err_name(o.err));
		after = export_of(store);
		must_equal(before, after);
		free(after);
	}
	o = import_text(store, text, 0);
	must_import(&o);
	free(before);
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
	tcase_add_test(c, test_credential_without_its_secret_is_refused_by_name);
	tcase_add_test(c, test_credential_without_its_secret_comes_in_not_active);
	tcase_add_test(c, test_secret_in_the_store_outlives_a_replace);
	tcase_add_test(c, test_merge_keeps_what_the_file_does_not_say);
	tcase_add_test(c, test_replace_destroys_what_the_file_does_not_name);
	tcase_add_test(c, test_replace_by_nothing_leaves_nothing);
	tcase_add_test(c, test_replace_sets_unnamed_columns_back_to_their_defaults);
	tcase_add_test(c, test_replace_must_say_what_cannot_be_taken_away);
	tcase_add_test(c, test_dry_run_says_everything_and_does_nothing);
	tcase_add_test(c, test_active_row_is_taken_out_of_service_and_back);
	tcase_add_loop_test(c, test_bad_file_is_refused_with_line_and_object, 0, COUNT(refusals));
	tcase_add_test(c, test_external_entity_of_a_file_is_never_opened);
	tcase_add_test(c, test_external_entity_of_the_network_is_never_fetched);
	tcase_add_test(c, test_nul_octet_is_refused_with_its_line);
	tcase_add_loop_test(c, test_other_encodings_are_refused, 0, COUNT(encodings));
	tcase_add_test(c, test_deep_nesting_is_refused);
	tcase_add_test(c, test_huge_text_is_refused);
	tcase_add_test(c, test_huge_tag_is_refused);
	tcase_add_test(c, test_huge_comment_is_refused);
	tcase_add_test(c, test_many_rows_are_one_transaction);
	tcase_add_test(c, test_huge_file_is_refused_unread);
	tcase_add_test(c, test_only_regular_files_are_read);
	tcase_add_test(c, test_bad_last_row_undoes_the_good_ones);
	tcase_add_test(c, test_broken_disk_changes_nothing);
	tcase_add_test(c, test_every_failing_allocation_changes_nothing);
	tcase_add_test(c, test_staged_transaction_makes_an_import_wait);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
