/*
 * tests/unit/xml/check_reader.c - bad files: refused with line and object, and nothing has changed.
 * xml/reader.c, and what xml/import.c says of elements.
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

#include "tests/unit/xml/fixture.h"
#include "xml/parse.h"

static struct mib_store *store;

static void setup(void)
{
	store = store_on(NULL);
}

static void teardown(void)
{
	mib_store_free(store);
}

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
	{ "bad OID",
	  DOC(RULES(RULE("web", "<spdRuleDefFilter>1.3.x</spdRuleDefFilter>" ACTIVE))), 7,
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
	  "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">"
	  "<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
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

static enum mib_err parse_fd(int fd, struct xml_diag *d)
{
	static const struct xml_sink none;	/* no row may get so far */
	struct xml_parse *p;
	enum mib_err err;

	ck_assert_int_eq(xml_parse_new(&none, d, &p), MIB_OK);
	err = xml_parse_fd(p, fd);
	xml_parse_free(p);
	return err;
}

START_TEST(test_huge_file_is_refused_unread)
{
	int fd = memfd_create("huge", MFD_CLOEXEC);
	struct xml_diag d;

	ck_assert_int_eq(ftruncate(fd, (off_t)XML_FILE_MAX + 1), 0);
	ck_assert_int_eq(parse_fd(fd, &d), MIB_WRONG_LENGTH);
	ck_assert_uint_eq(d.line, 0);
	ck_assert_ptr_nonnull(strstr(d.diag.text, "larger"));
	close(fd);
}
END_TEST

START_TEST(test_only_regular_files_are_read)
{
	struct xml_diag d;
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(parse_fd(pipes[0], &d), MIB_WRONG_VALUE);
	ck_assert_ptr_nonnull(strstr(d.diag.text, "regular"));
	ck_assert_int_eq(parse_fd(-1, &d), MIB_WRONG_VALUE);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xml/reader");
	TCase *c = tcase_create("reader");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_bad_file_is_refused_with_line_and_object, 0, COUNT(refusals));
	tcase_add_test(c, test_external_entity_of_a_file_is_never_opened);
	tcase_add_test(c, test_external_entity_of_the_network_is_never_fetched);
	tcase_add_test(c, test_nul_octet_is_refused_with_its_line);
	tcase_add_loop_test(c, test_other_encodings_are_refused, 0, COUNT(encodings));
	tcase_add_test(c, test_deep_nesting_is_refused);
	tcase_add_test(c, test_huge_text_is_refused);
	tcase_add_test(c, test_huge_tag_is_refused);
	tcase_add_test(c, test_huge_comment_is_refused);
	tcase_add_test(c, test_huge_file_is_refused_unread);
	tcase_add_test(c, test_only_regular_files_are_read);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
