/*
 * tests/unit/mibs/check_value.c - OIDs, comparison, text forms of values, refusals in words.
 */
#include <string.h>

#include "mibs/utf8.h"
#include "mibs/value.h"
#include "suite.h"

START_TEST(test_oids_compare_lexicographically)
{
	static const struct {
		struct mib_oid a, b;
		int order;
	} cases[] = {
		{ { 2, { 1, 3 } }, { 2, { 1, 3 } }, 0 },
		{ { 2, { 1, 3 } }, { 3, { 1, 3, 0 } }, -1 },
		{ { 3, { 1, 3, 9 } }, { 2, { 1, 4 } }, -1 },
		{ { 2, { 1, 4294967295 } }, { 2, { 1, 2147483647 } }, 1 },
		{ { 0, { 0 } }, { 1, { 0 } }, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(mib_oid_cmp(cases[i].a.ids, cases[i].a.len, cases[i].b.ids,
					     cases[i].b.len), cases[i].order);
		ck_assert_int_eq(mib_oid_cmp(cases[i].b.ids, cases[i].b.len, cases[i].a.ids,
					     cases[i].a.len), -cases[i].order);
	}
}
END_TEST

START_TEST(test_an_oid_never_grows_over_its_maximum)
{
	struct mib_oid o = { .len = MIB_OID_MAX - 1 };
	const uint32_t ids[] = { 1, 2 };

	ck_assert(!mib_oid_append(&o, ids, 2));
	ck_assert_uint_eq(o.len, MIB_OID_MAX - 1);
	ck_assert(mib_oid_append(&o, ids, 1));
	ck_assert(!mib_oid_append(&o, ids, 1));
}
END_TEST

START_TEST(test_errors_have_the_names_of_rfc_3416)
{
	ck_assert_str_eq(mib_err_name(MIB_INCONSISTENT_NAME), "inconsistentName");
	ck_assert_str_eq(mib_err_name(MIB_NO_CREATION), "noCreation");
	ck_assert_str_eq(mib_err_name(MIB_UNDO_FAILED), "undoFailed");
	ck_assert_str_eq(mib_err_name((enum mib_err)999), "genErr");
}
END_TEST

/* RFC 3629 section 4 and the edges of each of its forms; XML 1.0 section 2.2. */
static const struct {
	const char *what, *octets;
	bool good;
} texts[] = {
	{ "ASCII", "wan-out", true },
	{ "nothing", "", true },
	{ "tab, newline, return", "\t\n\r", true },
	{ "escape", "\x1b", false },
	{ "delete is a character of XML", "\x7f", true },
	{ "umlaut", "\xc3\xbc", true },
	{ "euro", "\xe2\x82\xac", true },
	{ "last of the basic plane that XML allows", "\xef\xbf\xbd", true },
	{ "U+FFFE", "\xef\xbf\xbe", false },
	{ "U+FFFF", "\xef\xbf\xbf", false },
	{ "outside the basic plane", "\xf0\x9f\x94\x92", true },
	{ "U+10FFFF", "\xf4\x8f\xbf\xbf", true },
	{ "above U+10FFFF", "\xf4\x90\x80\x80", false },
	{ "overlong slash in two", "\xc0\xaf", false },
	{ "overlong in three", "\xe0\x9f\xbf", false },
	{ "overlong in four", "\xf0\x8f\xbf\xbf", false },
	{ "surrogate", "\xed\xa0\x80", false },
	{ "before the surrogates", "\xed\x9f\xbf", true },
	{ "cut", "\xe2\x82", false },
	{ "lone continuation", "\x80", false },
	{ "Latin-1", "M\xfcnchen", false },
	{ "five octets", "\xf8\x88\x80\x80\x80", false },
};

START_TEST(test_text_is_utf8_that_xml_can_carry)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(mib_utf8_is_text((const uint8_t *)texts[i].octets,
					       strlen(texts[i].octets)) == texts[i].good, "%s",
			      texts[i].what);
	ck_assert(!mib_utf8_is_text((const uint8_t *)"a\0b", 3));
}
END_TEST

/* What a value is called at the command line and in XML (RFC 6643), and back. */
static const struct {
	const char *column, *command, *xml;
} forms[] = {
	{ "spdRuleDefAdminStatus", "disabled", "disabled" },
	{ "spdRuleDefFilterNegated", "true", "true" },
	{ "ipsaEspTranCipherKeyLength", "4294967295", "4294967295" },
	{ "diffServMultiFieldClfrDscp", "-1", "-1" },
	{ "spdRuleDefDescription", "two words", "two words" },
	{ "spdRuleDefDescription", "0xno hex", "0xno hex" },
	{ "spdTimeFiltDayOfWeekMask", "sunday saturday", "sunday saturday" },
	{ "spdTimeFiltDayOfWeekMask", "", "" },
	{ "spdTimeFiltPeriod", "THISANDPRIOR/20301231T235959", "THISANDPRIOR/20301231T235959" },
	{ "spdTimeFiltDayOfMonthMask", "0xfffffffffffffffe", "//////////4=" },
	{ "spdIpOffFiltValue", "0x00", "AA==" },
	{ "spdIpOffFiltValue", "0x666f6f626172", "Zm9vYmFy" },
	{ "spdIpOffFiltValue", "0x666f6f6261", "Zm9vYmE=" },
	{ "diffServMultiFieldClfrDstAddr", "10.2.0.0", "CgIAAA==" },
	{ "diffServMultiFieldClfrDstAddr", "2001:db8::1", "IAENuAAAAAAAAAAAAAAAAQ==" },
	{ "spdRuleDefFilter", "spdTrueFilter.0", "1.3.6.1.2.1.153.1.7.1.0" },
	{ "spdRuleDefFilter", "spdCompFiltDescription.\"web\"",
	  "1.3.6.1.2.1.153.1.5.1.2.3.119.101.98" },
	{ "spdRuleDefAction", "ipsaSaPreActActionDescription.\"tun-b\",outbound",
	  "1.3.6.1.2.1.153.4.1.1.1.1.3.5.116.117.110.45.98.2" },
	{ "spdRuleDefFilter", "1.3.6.1.4.1.1", "1.3.6.1.4.1.1" },
	{ "ipspdCommittedGeneration", "18446744073709551615", "18446744073709551615" },
};

START_TEST(test_values_are_printed_and_read_back)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct mib_column *col = mib_column_by_name(forms[i].column);

		for (int from_xml = 0; from_xml < 2; from_xml++) {
			_Alignas(8) uint8_t space[512];
			struct mib_diag d = { 0 };
			struct mib_value v;
			char text[512];

			ck_assert_msg(mib_value_parse(col, from_xml ? forms[i].xml : forms[i].command,
						      from_xml, space, sizeof(space), &v, &d) == MIB_OK,
				      "%s: %s", forms[i].column, d.text);
			ck_assert_uint_eq(mib_value_print(col, &v, false, text, sizeof(text)),
					  strlen(forms[i].command));
			ck_assert_str_eq(text, forms[i].command);
			ck_assert_uint_eq(mib_value_print(col, &v, true, text, sizeof(text)),
					  strlen(forms[i].xml));
			ck_assert_str_eq(text, forms[i].xml);
			/* A short buffer is cut, never overrun, and the length still told. */
			ck_assert_uint_eq(mib_value_print(col, &v, true, text, 3),
					  strlen(forms[i].xml));
			ck_assert_uint_lt(strlen(text), 3);
		}
	}
}
END_TEST

static const struct {
	const char *column, *text;
	bool xml;
	enum mib_err err;
} unreadable[] = {
	{ "spdRuleDefAdminStatus", "on", false, MIB_WRONG_VALUE },
	{ "spdRuleDefAdminStatus", "1", true, MIB_WRONG_VALUE },
	{ "spdRuleDefAdminStatus", "", false, MIB_WRONG_VALUE },
	{ "ipsaEspTranCipherKeyLength", "many", false, MIB_WRONG_TYPE },
	{ "ipsaEspTranCipherKeyLength", "", false, MIB_WRONG_TYPE },
	{ "ipsaEspTranCipherKeyLength", "-", false, MIB_WRONG_TYPE },
	{ "ipsaEspTranCipherKeyLength", "1 ", false, MIB_WRONG_TYPE },
	{ "ipsaEspTranCipherKeyLength", "4294967296", false, MIB_WRONG_VALUE },
	{ "ipsaEspTranCipherKeyLength", "99999999999999999999", false, MIB_WRONG_TYPE },
	{ "spdTimeFiltDayOfWeekMask", "sunday noday", false, MIB_WRONG_VALUE },
	{ "spdTimeFiltDayOfMonthMask", "0xff", false, MIB_WRONG_LENGTH },
	{ "spdIpOffFiltValue", "0x0", false, MIB_WRONG_VALUE },
	{ "spdIpOffFiltValue", "0x0g", false, MIB_WRONG_VALUE },
	{ "spdIpOffFiltValue", "A===", true, MIB_WRONG_VALUE },
	{ "spdIpOffFiltValue", "AA=A", true, MIB_WRONG_VALUE },
	{ "spdIpOffFiltValue", "AAA", true, MIB_WRONG_VALUE },
	{ "spdIpOffFiltValue", "A*A=", true, MIB_WRONG_VALUE },
	{ "diffServMultiFieldClfrDstAddr", "10.2.0.0/16", false, MIB_WRONG_VALUE },
	{ "diffServMultiFieldClfrDstAddr", "10.2.0", false, MIB_WRONG_VALUE },
	{ "spdRuleDefFilter", "noSuchObject.0", false, MIB_WRONG_VALUE },
	{ "spdRuleDefFilter", "spdTrueFilter.1", false, MIB_WRONG_VALUE },
	{ "spdRuleDefFilter", "spdTrueFilter.0", true, MIB_WRONG_VALUE },
	{ "spdRuleDefFilter", "1..3", false, MIB_WRONG_VALUE },
	{ "spdRuleDefFilter", "9.1.1", false, MIB_WRONG_ENCODING },
	{ "spdEndGroupName", "a-name-of-more-than-thirty-two-octets", false, MIB_WRONG_LENGTH },
	{ "spdEndGroupName", "bell\x07", false, MIB_WRONG_VALUE },
	{ "ipspdCommittedGeneration", "18446744073709551616", false, MIB_WRONG_TYPE },
};

START_TEST(test_what_cannot_be_read_is_refused_with_words)
{
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
		_Alignas(8) uint8_t space[512];
		struct mib_diag d = { 0 };
		struct mib_value v;
		const enum mib_err err =
			mib_value_parse(mib_column_by_name(unreadable[i].column), unreadable[i].text,
					unreadable[i].xml, space, sizeof(space), &v, &d);

		ck_assert_msg(err == unreadable[i].err, "%s '%s': %s", unreadable[i].column,
			      unreadable[i].text, mib_err_name(err));
		ck_assert(d.text[0] != '\0' && d.object[0] != '\0');
	}
}
END_TEST

START_TEST(test_small_spaces_are_not_overrun)
{
	static const struct {
		const char *column, *text;
		bool xml;
	} cases[] = {
		{ "spdRuleDefDescription", "four+", false },
		{ "spdIpOffFiltValue", "0x0102030405", false },
		{ "spdIpOffFiltValue", "AQIDBAU=", true },
		{ "spdRuleDefFilter", "1.3.6.1", false },
		{ "diffServMultiFieldClfrDstAddr", "2001:db8::1", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_Alignas(8) uint8_t space[4];
		struct mib_value v;

		ck_assert_msg(mib_value_parse(mib_column_by_name(cases[i].column), cases[i].text,
					      cases[i].xml, space, sizeof(space), &v, NULL) != MIB_OK,
			      "%s", cases[i].text);
	}
}
END_TEST

START_TEST(test_numbers_and_prefixes_are_taken_at_the_command_line)
{
	_Alignas(8) uint8_t space[64];
	struct mib_value v;

	ck_assert_int_eq(mib_value_parse(mib_column_by_name("spdRuleDefAdminStatus"), "2", false, space,
					 sizeof(space), &v, NULL), MIB_OK);
	ck_assert_int_eq(v.number, 2);
	ck_assert_int_eq(mib_value_parse(mib_column_by_name("diffServMultiFieldClfrDstPrefixLength"),
					 "/16", false, space, sizeof(space), &v, NULL), MIB_OK);
	ck_assert_int_eq(v.number, 16);
	ck_assert_int_eq(mib_value_parse(mib_column_by_name("spdRuleDefFilter"),
					 "spdCompFiltDescription.3.119.101.98", false, space,
					 sizeof(space), &v, NULL), MIB_OK);
	ck_assert_uint_eq(v.oid.len, 15);
	ck_assert_uint_eq(v.oid.ids[14], 98);
}
END_TEST

START_TEST(test_refusals_name_column_and_instance)
{
	const uint32_t index[] = { 3, 'w', 'e', 'b' };
	struct mib_diag d = { 0 };

	mib_diag_set(&d, mib_column_by_name("spdRuleDefFilter"), index, 4, "because of %d", 7);
	ck_assert_str_eq(d.object, "spdRuleDefFilter.\"web\"");
	ck_assert_str_eq(d.text, "because of 7");
	mib_diag_set(&d, mib_column_by_name("spdTrueFilter"), NULL, 0, "x");
	ck_assert_str_eq(d.object, "spdTrueFilter.0");
	mib_diag_set(NULL, NULL, NULL, 0, "nobody listens");
}
END_TEST

START_TEST(test_values_are_equal_by_type_and_content)
{
	const struct mib_value a = mib_value_integer(1), b = mib_value_unsigned(1);
	const struct mib_value c = mib_value_octets("ab", 2), d = mib_value_octets("ac", 2);
	const struct mib_value e = mib_value_octets("ab", 1), f = mib_value_octets(NULL, 0);

	ck_assert(mib_value_equal(&a, &a) && !mib_value_equal(&a, &b));
	ck_assert(mib_value_equal(&c, &c) && !mib_value_equal(&c, &d) && !mib_value_equal(&c, &e));
	ck_assert(mib_value_equal(&f, &f));

	static const uint8_t octets[] = { 0x80, 0 };
	struct mib_value bits[] = { mib_value_octets(octets, 0), mib_value_octets(octets + 1, 1),
				    mib_value_octets(octets, 1), mib_value_octets(octets, 2) };

	ck_assert(!mib_value_equal(&bits[0], &bits[1]));
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		bits[i].syntax = MIB_SYN_BITS;
	ck_assert(mib_value_equal(&bits[0], &bits[1]) && mib_value_equal(&bits[2], &bits[3]));
	ck_assert(!mib_value_equal(&bits[1], &bits[2]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("value");
	TCase *tc = tcase_create("value");

	tcase_add_test(tc, test_oids_compare_lexicographically);
	tcase_add_test(tc, test_an_oid_never_grows_over_its_maximum);
	tcase_add_test(tc, test_errors_have_the_names_of_rfc_3416);
	tcase_add_test(tc, test_text_is_utf8_that_xml_can_carry);
	tcase_add_test(tc, test_values_are_printed_and_read_back);
	tcase_add_test(tc, test_what_cannot_be_read_is_refused_with_words);
	tcase_add_test(tc, test_small_spaces_are_not_overrun);
	tcase_add_test(tc, test_numbers_and_prefixes_are_taken_at_the_command_line);
	tcase_add_test(tc, test_refusals_name_column_and_instance);
	tcase_add_test(tc, test_values_are_equal_by_type_and_content);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
