/*
 * tests/unit/xml/check_rfc6643.c - what we write is what our YANG modules allow, and what they
 * forbid we refuse. RFC 6643; RFC 7950 9 for the text of values.
 *
 * yanglint is the judge, as -t config: with the module of deviations it knows what can be
 * configured. It wants the modules' containers without the element around them.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/xml/fixture.h"
#include "xml/names.h"

extern char **environ;

static const char *const modules[] = {
	"DIFFSERV-MIB", "IPSEC-SPD-MIB", "IPSEC-IPSECACTION-MIB", "IPSEC-IKEACTION-MIB",
	"IPSPD-MIB", "ipspd-deviations",
};

static struct mib_store *store;
static char *every;	/* an export of rows in every table that is configuration */

/* ---- the judge ---- */

static const char *from_environment(const char *name)
{
	const char *v = getenv(name);

	ck_assert_msg(v != NULL, "%s is not set", name);
	return v;
}

/* The text between the outermost tags, in a file; the caller unlinks it. */
static void write_inner(const char *xml, char path[static 32])
{
	const char *from = strchr(strstr(xml, "<data "), '>') + 1;
	const char *to = strstr(from, "</data>");
	int fd;

	ck_assert_ptr_nonnull(to);
	strcpy(path, "/tmp/ipspd-yang-XXXXXX.xml");
	fd = mkstemps(path, 4);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, from, (size_t)(to - from)), to - from);
	close(fd);
}

static int run(const char *const *argv)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	ck_assert_msg(posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv, environ) == 0,
		      "yanglint is not installed (scripts/deps)");
	posix_spawn_file_actions_destroy(&files);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Is it valid? Whatever happens, yanglint exits: 0 for yes. */
static bool yanglint_takes(const char *type, const char *xml)
{
	char made[512], given[512], files[COUNT(modules)][600], path[32];
	const char *argv[10 + COUNT(modules)] = { "yanglint", "-p", made, "-p", given, "-t",
						  type };
	size_t n = 7;
	int status;

	snprintf(made, sizeof(made), "%s/mibs/yang", from_environment("TB_BUILD"));
	snprintf(given, sizeof(given), "%s/mibs/yang", from_environment("TB_SRC"));
	for (size_t i = 0; i < COUNT(modules); i++) {
		snprintf(files[i], sizeof(files[i]), "%s/%s.yang", made, modules[i]);
		argv[n++] = files[i];
	}
	write_inner(xml, path);
	argv[n] = path;
	status = run(argv);
	unlink(path);
	return status == 0;
}

/* ---- what is judged ---- */

static char *read_seed(const char *name)
{
	char path[600];
	char *text = calloc(1, 1u << 18);
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/seeds/xml/%s", from_environment("TB_SRC"),
		 name);
	f = fopen(path, "r");
	ck_assert_msg(f && text, "%s", path);
	ck_assert_uint_gt(fread(text, 1, (1u << 18) - 1, f), 0);
	fclose(f);
	return text;
}

static void setup(void)
{
	char *seed = read_seed("every-table.xml");
	struct outcome o;

	store = store_on(NULL);
	o = import_text(store, seed, 0);
	must_import(&o);
	free(seed);
	every = export_of(store);
}

static void teardown(void)
{
	free(every);
	mib_store_free(store);
}

START_TEST(test_rows_of_every_table_are_valid)
{
	char entry[100];

	for (size_t i = 0; i < mib_n_tables; i++) {
		if (!xml_is_config(mib_tables[i]))
			continue;
		snprintf(entry, sizeof(entry), "<%s>", mib_tables[i]->name);
		ck_assert_msg(strstr(every, entry) != NULL, "no %s in it", entry);
	}
	ck_assert(yanglint_takes("config", every));
	ck_assert(yanglint_takes("data", every));
}
END_TEST

START_TEST(test_empty_store_and_a_tunnel_are_valid)
{
	struct mib_store *s = store_on(NULL);
	char *text = export_of(s);

	ck_assert(yanglint_takes("config", text));
	free(text);
	store_set(s, secrets);
	store_set(s, tunnel);
	store_set(s, old_rule);
	text = export_of(s);
	ck_assert(yanglint_takes("config", text));
	free(text);
	mib_store_free(s);
}
END_TEST

/* An index from another table whose row there is gone. */
START_TEST(test_index_need_not_exist_in_the_table_it_comes_from)
{
	static const struct assignment rows[] = {
		{ "ipiaIkeIdRowStatus", "7,3,nowhere", "createAndWait" },
		{ NULL, NULL, NULL },
	};
	struct mib_store *s = store_on(NULL);
	char *text;

	store_set(s, rows);
	text = export_of(s);
	ck_assert_ptr_nonnull(strstr(text, "<spdEndGroupInterface>7<"));
	ck_assert(yanglint_takes("config", text));
	free(text);
	mib_store_free(s);
}
END_TEST

/* ---- what neither takes ---- */

/* A copy with the first old replaced; the caller frees it. */
static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	char *copy = malloc(strlen(text) + strlen(new) + 1);

	ck_assert_msg(at && copy, "'%s' is not in it", old);
	sprintf(copy, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
	return copy;
}

static const struct {
	const char *name, *old, *new;
} wrong[] = {
	{ "no label of the enumeration", "<spdRuleDefAdminStatus>enabled<",
	  "<spdRuleDefAdminStatus>on<" },
	{ "a number for a label", "<spdRuleDefAdminStatus>enabled<", "<spdRuleDefAdminStatus>1<" },
	{ "number beyond the range", "<diffServMultiFieldClfrDscp>1<",
	  "<diffServMultiFieldClfrDscp>64<" },
	{ "number below the range", "<diffServMultiFieldClfrDscp>1<",
	  "<diffServMultiFieldClfrDscp>-2<" },
	{ "neither true nor false", "<spdRuleDefFilterNegated>true<",
	  "<spdRuleDefFilterNegated>1<" },
	{ "no object identifier", "<spdRuleDefFilter>1.3.", "<spdRuleDefFilter>spdTrueFilter.3." },
	{ "octets that are not base64", "<ipiaIkePropVendorId>",
	  "<ipiaIkePropVendorId>=" },
	{ "an object that does not exist", "<spdRuleDefFilterNegated>true</spdRuleDefFilterNegated>",
	  "<spdRuleDefColour>red</spdRuleDefColour>" },
	{ "an object of another table", "<spdRuleDefFilterNegated>true</spdRuleDefFilterNegated>",
	  "<spdGroupContFilter>1.3</spdGroupContFilter>" },
	{ "a table that does not exist", "<spdSubactionsTable>", "<spdSuperactionsTable/>"
	  "<spdSubactionsTable>" },
	{ "what can only be read", "<spdRuleDefFilterNegated>true</spdRuleDefFilterNegated>",
	  "<spdRuleDefLastChanged>1</spdRuleDefLastChanged>" },
	{ "a table that can only be read", "<ipspdSystem>",
	  "<ipspdDropTable/><ipspdSystem>" },
	{ "a module in another namespace", "smiv2:IPSEC-SPD-MIB", "smiv2:IPSEC-SPD-MIB2" },
	{ "a leaf in another namespace", "<spdRuleDefFilterNegated>",
	  "<spdRuleDefFilterNegated xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:DIFFSERV-MIB\">" },
	{ "an augmenting leaf in the base module's namespace",
	  "<ipspdIkeActVersion xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSPD-MIB\">",
	  "<ipspdIkeActVersion>" },
	{ "a leaf twice", "<spdRuleDefFilterNegated>",
	  "<spdRuleDefFilterNegated>true</spdRuleDefFilterNegated><spdRuleDefFilterNegated>" },
	{ "a row without its key", "<spdRuleDefName>a&lt;1&gt;&amp;&quot;\u00e9</spdRuleDefName>",
	  "" },
	{ "two rows with one key", "<spdRuleDefName>a&lt;2&gt;", "<spdRuleDefName>a&lt;1&gt;" },
	{ "text longer than its object", "<spdRuleDefName>a",
	  "<spdRuleDefName>abcdefghijklmnopqrstuvwxyzabcdefghi" },
	{ "text where elements belong", "<spdRuleDefinitionTable>",
	  "<spdRuleDefinitionTable>x" },
	{ "elements where text belongs", "<spdRuleDefFilterNegated>true<",
	  "<spdRuleDefFilterNegated><a/><" },
};

START_TEST(test_wrong_file_is_refused_by_both)
{
	char *text = replaced(every, wrong[_i].old, wrong[_i].new);
	struct outcome o = import_text(store, text, DRY_RUN);

	ck_assert_msg(!yanglint_takes("config", text), "yanglint takes %s", wrong[_i].name);
	ck_assert_msg(o.err != MIB_OK, "we take %s", wrong[_i].name);
	ck_assert_msg(o.d.line > 0 && o.d.diag.text[0], "%s: no line or reason", wrong[_i].name);
	free(text);
}
END_TEST

/* ---- the text of values ---- */

/* The export with another text in the first row that has the column; the caller frees it. */
static char *with_text(const char *column, const char *text)
{
	char tag[100];
	const char *from;
	char *copy = malloc(strlen(every) + strlen(text) + 1);

	snprintf(tag, sizeof(tag), "<%s>", column);
	from = strstr(every, tag);
	ck_assert_msg(copy && from, "no %s in it", column);
	from += strlen(tag);
	sprintf(copy, "%.*s%s%s", (int)(from - every), every, text, strchr(from, '<'));
	return copy;
}

#define FILTER_OID "1.3.6.1.2.1.153.1.7.1.0"

/* Each has texts that both take and texts that neither takes. White space inside base64 is left
 * out: yanglint takes only line feeds there, we take all of it; and so around labels, where a
 * person's editor may put it. */
static const struct {
	const char *column;
	const char *texts[12];
} forms[] = {
	{ "spdRuleDefFilterNegated",
	  { "true", "false", "True", "1", "", "yes", "truefalse" } },
	{ "spdRuleDefAdminStatus",
	  { "enabled", "disabled", "Enabled", "1", "", "enabled disabled" } },
	{ "diffServMultiFieldClfrDscp",
	  { "-1", "0", "63", "64", "-2", "+5", "+-5", "007", "1.0", "0x1", "- 1", "" } },
	{ "diffServMultiFieldClfrFlowId",
	  { "0", "-0", "1048575", "1048576", "-1", "99999999999999999999", " 1\n", "1 2", "+" } },
	{ "ipsaSaPreActActionLifetimeSec", { "4294967295", "4294967296", "+4294967295", "1e3" } },
	{ "spdIpsoHeadFiltType",
	  { "classificationLevel", "protectionAuthority classificationLevel",
	    " classificationLevel\n\tprotectionAuthority ",
	    "classificationLevel,protectionAuthority", "classificationLevel classificationLevel",
	    "0", "level" } },
	{ "spdIpOffFiltValue",
	  { "AA==", "AAA=", "AAAA", "AAA", "AA=", "A===", "====", "AA==AA==", "A-_A", "" } },
	{ "spdRuleDefFilter",
	  { FILTER_OID, "." FILTER_OID, FILTER_OID ".", "1.03.6.1.2.1.153.1.7.1.0",
	    "1.3.6.1.2.1.153.1.7.1.00", "7.3.6.1", "1.40.6",
	    "1..3.6.1.2.1.153.1.7.1.0", "spdTrueFilter.0", "" } },
	{ "spdRuleDefDescription", { "", " ", "a\nb", "\u00e9\u6f22", "&lt;&amp;" } },
};

START_TEST(test_texts_are_taken_by_both_or_by_neither)
{
	for (size_t i = 0; i < COUNT(forms[_i].texts) && forms[_i].texts[i]; i++) {
		char *xml = with_text(forms[_i].column, forms[_i].texts[i]);
		struct outcome o = import_text(store, xml, DRY_RUN);

		ck_assert_msg(yanglint_takes("config", xml) == (o.err == MIB_OK),
			      "%s '%s': we say %s %s", forms[_i].column, forms[_i].texts[i],
			      mib_err_name(o.err), o.d.diag.text);
		free(xml);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xml/rfc6643");
	TCase *tc = tcase_create("yanglint");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_rows_of_every_table_are_valid);
	tcase_add_test(tc, test_empty_store_and_a_tunnel_are_valid);
	tcase_add_test(tc, test_index_need_not_exist_in_the_table_it_comes_from);
	tcase_add_loop_test(tc, test_wrong_file_is_refused_by_both, 0, (int)COUNT(wrong));
	tcase_add_loop_test(tc, test_texts_are_taken_by_both_or_by_neither, 0,
			    (int)COUNT(forms));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
