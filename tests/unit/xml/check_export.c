/*
 * tests/unit/xml/check_export.c - what an export says: xml/export.c.
 *
 * The expected fragments are written by hand from RFC 6643 (7.1 and 7.2 scalars, 7.3 and 7.4
 * tables, 7.5 and 7.6 augmentation, 5 textual conventions) and RFC 7950 9 (lexical forms),
 * base64 by coreutils.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libxml/parser.h>

#include "mibs/schema_gen.h"
#include "tests/unit/xml/fixture.h"
#include "xml/names.h"

static struct mib_store *store;

static void setup(void)
{
	store = store_on(NULL);
}

static void teardown(void)
{
	mib_store_free(store);
}

#define MAX_ROWS 12

static const struct {
	const char *name;
	struct assignment rows[MAX_ROWS];
	const char *fragment;
} fragments[] = {
	{ "a scalar stands in the container of its parent",
	  { { "spdIngressPolicyGroupName", "", "wan in" }, { NULL, NULL, NULL } },
	  "  <IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">\n"
	  "    <spdLocalConfigObjects>\n"
	  "      <spdIngressPolicyGroupName>wan in</spdIngressPolicyGroupName>\n" },
	{ "a row is an entry with its keys first; pointers are dotted, with a readable comment",
	  { { "spdRuleDefDescription", "web", "x" },
	    { "spdRuleDefFilter", "web", "spdTrueFilter.0" },
	    { "spdRuleDefAction", "web", "spdDropAction.0" },
	    { "spdRuleDefRowStatus", "web", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "    <spdRuleDefinitionTable>\n"
	  "      <spdRuleDefinitionEntry>\n"
	  "        <spdRuleDefName>web</spdRuleDefName>\n"
	  "        <spdRuleDefDescription>x</spdRuleDefDescription>\n"
	  "        <!-- spdTrueFilter.0 -->\n"
	  "        <spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>\n"
	  "        <spdRuleDefFilterNegated>false</spdRuleDefFilterNegated>\n"
	  "        <!-- spdDropAction.0 -->\n"
	  "        <spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>\n"
	  "        <spdRuleDefAdminStatus>enabled</spdRuleDefAdminStatus>\n"
	  "        <spdRuleDefStorageType>nonVolatile</spdRuleDefStorageType>\n"
	  "        <spdRuleDefRowStatus>active</spdRuleDefRowStatus>\n"
	  "        <ipspdRuleOptFallback xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">drop"
	  "</ipspdRuleOptFallback>\n"
	  "        <ipspdRuleOptAcceptClear xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">false"
	  "</ipspdRuleOptAcceptClear>\n"
	  "        <ipspdRuleOptClearSeconds xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">300"
	  "</ipspdRuleOptClearSeconds>\n"
	  "        <ipspdRuleOptFragState xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">true"
	  "</ipspdRuleOptFragState>\n"
	  "      </spdRuleDefinitionEntry>\n"
	  "    </spdRuleDefinitionTable>\n" },
	{ "addresses are base64 with a readable comment",
	  { { "diffServMultiFieldClfrAddrType", "7", "ipv4" },
	    { "diffServMultiFieldClfrDstAddr", "7", "10.1.2.0" },
	    { "diffServMultiFieldClfrDstPrefixLength", "7", "24" },
	    { "diffServMultiFieldClfrStatus", "7", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <diffServMultiFieldClfrId>7</diffServMultiFieldClfrId>\n"
	  "        <diffServMultiFieldClfrAddrType>ipv4</diffServMultiFieldClfrAddrType>\n"
	  "        <!-- 10.1.2.0 -->\n"
	  "        <diffServMultiFieldClfrDstAddr>CgECAA==</diffServMultiFieldClfrDstAddr>\n"
	  "        <diffServMultiFieldClfrDstPrefixLength>24"
	  "</diffServMultiFieldClfrDstPrefixLength>\n"
	  "        <diffServMultiFieldClfrSrcPrefixLength>0"
	  "</diffServMultiFieldClfrSrcPrefixLength>\n"
	  "        <diffServMultiFieldClfrDscp>-1</diffServMultiFieldClfrDscp>\n" },
	{ "an IPv6 address too",
	  { { "diffServMultiFieldClfrAddrType", "8", "ipv6" },
	    { "diffServMultiFieldClfrDstAddr", "8", "2001:db8::1" },
	    { "diffServMultiFieldClfrStatus", "8", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <!-- 2001:db8::1 -->\n"
	  "        <diffServMultiFieldClfrDstAddr>IAENuAAAAAAAAAAAAAAAAQ=="
	  "</diffServMultiFieldClfrDstAddr>\n" },
	{ "BITS are labels with spaces between, by position",
	  { { "spdTimeFiltDayOfWeekMask", "t", "friday monday" },
	    { "spdTimeFiltRowStatus", "t", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <spdTimeFiltDayOfWeekMask>monday friday</spdTimeFiltDayOfWeekMask>\n" },
	{ "octets without a text hint are base64",
	  { { "spdIpOffFiltOffset", "o", "9" },
	    { "spdIpOffFiltType", "o", "equal" },
	    { "spdIpOffFiltValue", "o", "0x06" },
	    { "spdIpOffFiltRowStatus", "o", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <spdIpOffFiltValue>Bg==</spdIpOffFiltValue>\n" },
	{ "octets with a text hint are a string",
	  { { "spdTimeFiltPeriod", "t", "THISANDPRIOR/20301231T235959" },
	    { "spdTimeFiltRowStatus", "t", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <spdTimeFiltPeriod>THISANDPRIOR/20301231T235959</spdTimeFiltPeriod>\n" },
	{ "columns that augment stand in the base entry, in their own namespace",
	  { { "ipspdIkeActVersion", "i", "v1" },
	    { "ipiaIkeActRowStatus", "i", "createAndWait" },
	    { NULL, NULL, NULL } },
	  "        <ipiaIkeActRowStatus>notReady</ipiaIkeActRowStatus>\n"
	  "        <ipspdIkeActVersion xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">v1"
	  "</ipspdIkeActVersion>\n"
	  "        <ipspdIkeActAggressivePsk xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">"
	  "false</ipspdIkeActAggressivePsk>\n"
	  "        <ipspdIkeActNatTraversal xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">"
	  "auto</ipspdIkeActNatTraversal>\n"
	  "        <ipspdIkeActReauthentication xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">"
	  "0</ipspdIkeActReauthentication>\n"
	  "        <ipspdIkeActRetransmit xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">"
	  "2</ipspdIkeActRetransmit>\n"
	  "        <ipspdIkeActTries xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">"
	  "8</ipspdIkeActTries>\n"
	  "      </ipiaIkeActionEntry>\n" },
	{ "a key of another table stands in the entry, in the table's namespace, in index order",
	  { { "spdCompFiltRowStatus", "both", "createAndGo" },
	    { "spdSubFiltSubfilter", "both,10", "spdTrueFilter.0" },
	    { "spdSubFiltRowStatus", "both,10", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "      <spdSubfiltersEntry>\n"
	  "        <spdCompFiltName>both</spdCompFiltName>\n"
	  "        <spdSubFiltPriority>10</spdSubFiltPriority>\n"
	  "        <!-- spdTrueFilter.0 -->\n" },
	{ "a row that could be active and is not is notInService",
	  { { "spdTimeFiltRowStatus", "t", "createAndWait" }, { NULL, NULL, NULL } },
	  "        <spdTimeFiltRowStatus>notInService</spdTimeFiltRowStatus>\n" },
	{ "a volatile row says so",
	  { { "spdTimeFiltStorageType", "t", "volatile" },
	    { "spdTimeFiltRowStatus", "t", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <spdTimeFiltStorageType>volatile</spdTimeFiltStorageType>\n" },
	{ "what XML takes for markup is escaped, and so is a carriage return",
	  { { "spdRuleDefDescription", "web", "a<b&c]]>\r\n\td" },
	    { "spdRuleDefRowStatus", "web", "createAndWait" },
	    { NULL, NULL, NULL } },
	  "<spdRuleDefDescription>a&lt;b&amp;c]]&gt;&#13;\n\td</spdRuleDefDescription>" },
	{ "UTF-8 stands as it is",
	  { { "spdRuleDefDescription", "web", "Gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x94\x92" },
	    { "spdRuleDefRowStatus", "web", "createAndWait" },
	    { NULL, NULL, NULL } },
	  "<spdRuleDefDescription>Gr\xc3\xbc\xc3\x9f"
	  "e \xf0\x9f\x94\x92</spdRuleDefDescription>" },
	{ "an X.509 certificate is no secret",
	  { { "ipsaCredType", "cert", "x509" },
	    { "ipsaCredCredential", "cert", "0x308201" },
	    { "ipsaCredRowStatus", "cert", "createAndGo" },
	    { NULL, NULL, NULL } },
	  "        <ipsaCredCredential>MIIB</ipsaCredCredential>\n" },
};

START_TEST(test_fragment_is_as_rfc_6643_has_it)
{
	char *text;

	store_set(store, fragments[_i].rows);
	text = export_of(store);
	ck_assert_msg(strstr(text, fragments[_i].fragment) != NULL, "%s: wanted\n%s\nin\n%s",
		      fragments[_i].name, fragments[_i].fragment, text);
	free(text);
}
END_TEST

START_TEST(test_document_has_one_root_and_the_modules_in_it)
{
	const char *begin = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			    "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n";
	char *text = export_of(store);

	ck_assert_int_eq(strncmp(text, begin, strlen(begin)), 0);
	ck_assert_str_eq(text + strlen(text) - strlen("</data>\n"), "</data>\n");
	free(text);
}
END_TEST

static const char *const unsaid[] = {
	"LastChanged", "ipspdRuleInForce", "ipspdVersion", "spdDropAction>", "ipspdClosure",
	"ipsaCredSize", "NextFree",
};

START_TEST(test_observed_objects_are_not_configuration)
{
	char *text;

	store_set(store, secrets);
	store_set(store, tunnel);
	text = export_of(store);
	for (size_t i = 0; i < sizeof(unsaid) / sizeof(unsaid[0]); i++)
		ck_assert_msg(!strstr(text, unsaid[i]), "%s", unsaid[i]);
	free(text);
}
END_TEST

START_TEST(test_secrets_are_never_exported)
{
	/* Of the fixture's two keys: in base64 at each of the three alignments, in hex, raw. */
	static const char *const forms[] = {
		"ZWZnaGlqa2xtbm9w", "ZmdoaWprbG1ub3Bx", "ZGVmZ2hpamtsbW5v", "656667686", "efghijkl",
		"hYaHiImKi4yN", "hoeIiYqLjI2O", "hIWGh4iJiouM", "858687888",
		"ipsaCredCredential", "ipsaCredSegValue",
	};
	static const struct assignment segments[] = {
		{ "ipsaCredType", "long", "sharedSecret" },
		{ "ipsaCredRowStatus", "long", "createAndWait" },
		{ "ipsaCredSegValue", "long,1", "0x65666768696a6b6c6d6e6f70" },
		{ "ipsaCredSegRowStatus", "long,1", "createAndGo" },
		{ "ipiaCredFiltCredentialType", "f", "sharedSecret" },
		{ "ipiaCredFiltMatchFieldValue", "f", "efghijklmnop" },
		{ "ipiaCredFiltRowStatus", "f", "createAndWait" },
		{ NULL, NULL, NULL },
	};
	char *text;

	store_set(store, secrets);
	store_set(store, segments);
	text = export_of(store);
	ck_assert_ptr_nonnull(strstr(text, "<ipsaCredName>enc</ipsaCredName>"));
	ck_assert_ptr_nonnull(strstr(text, "<ipsaCredSegIndex>1</ipsaCredSegIndex>"));
	ck_assert_ptr_nonnull(strstr(text, "<ipiaCredFiltName>f</ipiaCredFiltName>"));
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		ck_assert_msg(!strstr(text, forms[i]), "%s stands in the export", forms[i]);
	free(text);
}
END_TEST

START_TEST(test_name_with_two_hyphens_gets_no_comment)
{
	static const struct assignment rows[] = {
		{ "spdCompFiltRowStatus", "a--b", "createAndGo" },
		{ "spdRuleDefFilter", "r", "spdCompFiltDescription.\"a--b\"" },
		{ "spdRuleDefRowStatus", "r", "createAndWait" },
		{ NULL, NULL, NULL },
	};
	char *text;
	xmlDocPtr doc;

	store_set(store, rows);
	text = export_of(store);
	doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
	ck_assert_ptr_nonnull(doc);
	xmlFreeDoc(doc);
	free(text);
}
END_TEST

/*
 * Values that some column of a type takes; what a column refuses is left out. Credentials become
 * certificates: no secret, so all of them comes back.
 */
static const char *const candidates[] = {
	" <&>\"'\xc3\xa9\r\n]]>-- x ", "x509", "spdTrueFilter.0", "spdDropActionLog.0", "1", "2",
	"v1", "3", "0xff00fe", "10.0.0.1", "2", "0", "65535",
	"20000101T000000/20010101T000000", "4096",
};

static size_t fill_row(struct mib_store *s, const struct mib_table *t, const char *index)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct mib_column *col = &t->columns[i];
		bool taken = false;

		if (col->access < MIB_ACC_WRITE || col->tc == MIB_TC_ROW_STATUS)
			continue;
		for (size_t k = 0; k < sizeof(candidates) / sizeof(candidates[0]) && !taken; k++) {
			const struct assignment a[] = { { col->name, index, candidates[k] },
							{ NULL, NULL, NULL } };

			taken = store_try(s, a) == MIB_OK;
		}
		n += taken;
	}
	return n;
}

/* Parts that fit any index column, made one text: the second row differs in its parts. */
static void index_text(const struct mib_table *t, unsigned nr, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < t->n_index; i++) {
		const struct mib_column *col = t->index[i];
		const char *comma = i ? "," : "";

		if (col->syntax == MIB_SYN_OCTETS && col->tc != MIB_TC_INET_ADDRESS)
			len += (size_t)snprintf(buf + len, size - len, "%s\"a<%u>&\\\"\xc3\xa9\"",
						comma, nr);
		else if (col->n_labels)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", comma,
						col->labels[col->n_labels - nr].name);
		else
			len += (size_t)snprintf(buf + len, size - len, "%s%u", comma, 1 + nr);
	}
}

static size_t fill_table(struct mib_store *s, const struct mib_table *t, unsigned nr)
{
	const struct mib_column *status = mib_table_column_tc(t, MIB_TC_ROW_STATUS);
	char index[256] = "";
	size_t n;

	if (!t->is_scalars) {
		const struct assignment a[] = { { status->name, index, "createAndWait" },
						{ NULL, NULL, NULL } };

		index_text(t, nr, index, sizeof(index));
		if (store_try(s, a) != MIB_OK)
			return 0;
	}
	n = fill_row(s, t, index);
	for (size_t i = 0; i < mib_n_tables; i++)
		if (mib_tables[i]->augments == t)
			n += fill_row(s, mib_tables[i], index);
	return n;
}

/* Rows in every table that takes them, with values in (nearly) all columns, in either order. */
static size_t fill(struct mib_store *s, bool backwards)
{
	size_t n = 0;

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		if (t->augments || (!t->is_scalars && !mib_table_column_tc(t, MIB_TC_ROW_STATUS)))
			continue;
		n += fill_table(s, t, backwards ? 2 : 1);
		n += t->is_scalars ? 0 : fill_table(s, t, backwards ? 1 : 2);
	}
	return n;
}

START_TEST(test_every_table_is_exported_well_formed)
{
	size_t n = fill(store, false);
	char *text = export_of(store);
	xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);

	ck_assert_uint_gt(n, 200);
	ck_assert_ptr_nonnull(doc);
	xmlFreeDoc(doc);
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		char tag[128];

		if (t->is_scalars || !xml_is_config(t))
			continue;
		snprintf(tag, sizeof(tag), "<%s>", t->entry_name);
		ck_assert_msg(strstr(text, tag) != NULL, "no row in %s", t->name);
	}
	free(text);
}
END_TEST

START_TEST(test_same_state_gives_same_octets_however_it_came_to_be)
{
	struct mib_store *other = store_on(NULL);
	char *a, *b, *again;

	fill(store, false);
	fill(other, true);
	a = export_of(store);
	b = export_of(other);
	again = export_of(store);
	must_equal(a, b);
	must_equal(a, again);
	mib_store_free(other);
	free(a);
	free(b);
	free(again);
}
END_TEST

START_TEST(test_everything_comes_back_octet_for_octet)
{
	struct mib_store *other = store_on(NULL);
	struct outcome o;
	char *a, *b;

	fill(store, false);
	a = export_of(store);
	o = import_text(other, a, 0);
	must_import(&o);
	b = export_of(other);
	must_equal(a, b);
	o = import_text(other, a, REPLACE);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created + o.sum.changed + o.sum.destroyed, 0);
	mib_store_free(other);
	free(a);
	free(b);
}
END_TEST

/* RFC 3289, diffServMultiFieldClfrStatus: destroyed while in use, it goes with the last pointer. */
START_TEST(test_row_that_waits_for_its_last_pointer_is_exported_as_in_use)
{
	static const struct assignment rows[] = {
		{ "diffServMultiFieldClfrAddrType", "7", "ipv4" },
		{ "diffServMultiFieldClfrStatus", "7", "createAndGo" },
		{ "spdRuleDefFilter", "web", "diffServMultiFieldClfrAddrType.7" },
		{ "spdRuleDefAction", "web", "spdDropAction.0" },
		{ "spdRuleDefRowStatus", "web", "createAndGo" },
		{ NULL, NULL, NULL },
	};
	static const struct assignment destroy[] = {
		{ "diffServMultiFieldClfrStatus", "7", "destroy" },
		{ NULL, NULL, NULL },
	};
	struct mib_store *other = store_on(NULL);
	struct outcome o;
	char *a, *b;

	store_set(store, rows);
	store_set(store, destroy);
	a = export_of(store);
	ck_assert_ptr_nonnull(strstr(a, "<diffServMultiFieldClfrStatus>active<"));
	o = import_text(store, a, REPLACE);
	must_import(&o);
	ck_assert_uint_eq(o.sum.created + o.sum.changed + o.sum.destroyed, 0);
	o = import_text(other, a, 0);
	must_import(&o);
	b = export_of(other);
	must_equal(a, b);
	mib_store_free(other);
	free(a);
	free(b);
}
END_TEST

START_TEST(test_staged_transaction_is_not_exported)
{
	static const struct assignment rows[] = {
		{ "spdTimeFiltRowStatus", "t", "createAndGo" },
		{ NULL, NULL, NULL },
	};
	const uint32_t t[] = { 1, 'u' };
	const struct mib_value go = mib_value_integer(MIB_RS_CREATE_AND_GO);
	struct mib_diag d;
	struct mib_txn *txn;
	char *before, *during;

	store_set(store, rows);
	before = export_of(store);
	ck_assert_int_eq(mib_txn_begin(store, MIB_DOOR_SNMP, "test", &txn), MIB_OK);
	ck_assert_int_eq(mib_txn_set_column(txn, MIB_COL(spdTimeFilterTable, spdTimeFiltRowStatus),
					    t, 2, &go, &d), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(txn, &d), MIB_OK);
	during = export_of(store);
	mib_txn_done(txn);
	must_equal(before, during);
	free(before);
	free(during);
}
END_TEST

START_TEST(test_file_that_cannot_be_written_is_said)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(xml_export(store, fd, NULL, &d), MIB_RESOURCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(d.text, "written"));
	close(fd);
}
END_TEST

START_TEST(test_full_disk_is_said)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct mib_diag d = { 0 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(xml_export(store, fd, NULL, &d), MIB_RESOURCE_UNAVAILABLE);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xml/export");
	TCase *c = tcase_create("export");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_fragment_is_as_rfc_6643_has_it, 0,
			    sizeof(fragments) / sizeof(fragments[0]));
	tcase_add_test(c, test_document_has_one_root_and_the_modules_in_it);
	tcase_add_test(c, test_observed_objects_are_not_configuration);
	tcase_add_test(c, test_secrets_are_never_exported);
	tcase_add_test(c, test_name_with_two_hyphens_gets_no_comment);
	tcase_add_test(c, test_every_table_is_exported_well_formed);
	tcase_add_test(c, test_same_state_gives_same_octets_however_it_came_to_be);
	tcase_add_test(c, test_everything_comes_back_octet_for_octet);
	tcase_add_test(c, test_row_that_waits_for_its_last_pointer_is_exported_as_in_use);
	tcase_add_test(c, test_staged_transaction_is_not_exported);
	tcase_add_test(c, test_file_that_cannot_be_written_is_said);
	tcase_add_test(c, test_full_disk_is_said);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
