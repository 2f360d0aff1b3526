/*
 * Tests of ipspd/import_wire.c: what a file says arrives as it was told, and whatever else a
 * taken-over import process might send is refused before anyone sees it.
 */
#include "config.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/import_wire.h"
#include "mibs/schema_gen.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a sink that writes down what it is told ---- */

struct told {
	char text[4096];
	enum mib_err refuse;	/* at the nth call */
	unsigned at, calls;
};

static enum mib_err note(struct told *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static enum mib_err note(struct told *t, const char *fmt, ...)
{
	size_t len = strlen(t->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->text + len, sizeof(t->text) - len, fmt, ap);
	va_end(ap);
	return ++t->calls == t->at ? t->refuse : MIB_OK;
}

static enum mib_err note_row(void *arg, const struct mib_table *t, const struct mib_oid *index,
			     unsigned line)
{
	char where[256];

	mib_index_print(t, index->ids, index->len, where, sizeof(where));
	return note(arg, "%u row %s.%s\n", line, t->name, where);
}

static enum mib_err note_value(void *arg, const struct mib_column *col, const struct mib_value *v,
			       unsigned line)
{
	char text[256];

	mib_value_print(col, v, true, text, sizeof(text));
	return note(arg, "%u %s=%s\n", line, col->name, text);
}

static enum mib_err note_row_end(void *arg)
{
	return note(arg, "end\n");
}

static enum mib_err note_seal(void *arg, const struct xml_seal *seal)
{
	return note(arg, "%u seal %d %02x %02x\n", seal->line, (int)seal->head.kind,
		    seal->head.salt[15], seal->head.key_check[47]);
}

static enum mib_err note_secret(void *arg, const struct xml_secret *s)
{
	return note(arg, "%u secret %s %zu %02x\n", s->line, s->col->name, s->len, s->blob[0]);
}

static enum mib_err note_seal_end(void *arg, const uint8_t *check, unsigned line)
{
	return note(arg, "%u list %02x\n", line, check[0]);
}

static struct xml_sink sink_of(struct told *t)
{
	return (struct xml_sink){ note_row, note_value, note_row_end, note_seal, note_secret,
				  note_seal_end, t };
}

/* ---- a file, told to the writer ---- */

static bool keep(void *arg, const uint8_t *octets, size_t len)
{
	return import_records_add(arg, octets, len);
}

static const struct mib_column *rule_col(size_t pos)
{
	return &mib_t_spdRuleDefinitionTable.columns[pos];
}

static void tell(const struct xml_sink *to, const struct mib_column *col, struct mib_value v,
		 unsigned line)
{
	ck_assert_int_eq(to->value(to->arg, col, &v, line), MIB_OK);
}

static void write_rows(const struct xml_sink *to)
{
	static const struct mib_oid web = { .len = 4, .ids = { 3, 'w', 'e', 'b' } },
				    zero = { .len = 1 };
	static const uint32_t oid[] = { 1, 3, 6, 4294967295u };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &web, 7), MIB_OK);
	tell(to, rule_col(MIB_C_spdRuleDefDescription), mib_value_octets("d\0d", 3), 8);
	tell(to, rule_col(MIB_C_spdRuleDefFilter), mib_value_oid(oid, 4), 9);
	tell(to, rule_col(MIB_C_spdRuleDefRowStatus), mib_value_integer(1), 10);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
	ck_assert_int_eq(to->row(to->arg, &mib_t_spdLocalConfigObjects, &zero, 4000000000u), MIB_OK);
	tell(to, MIB_COL(spdLocalConfigObjects, spdIngressPolicyGroupName),
	     mib_value_octets("", 0), 12);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void write_secrets(const struct xml_sink *to)
{
	static const uint8_t blob[20] = { 0xab }, check[MIB_FILE_SEAL_CHECK] = { 0xcd };
	struct xml_seal seal = { .line = 20, .head.kind = MIB_FILE_SEAL_KEYFILE };
	const struct xml_secret secret = {
		.line = 21, .col = MIB_COL(ipsaCredentialTable, ipsaCredCredential),
		.index = { .len = 2, .ids = { 1, 'k' } }, .blob = blob, .len = sizeof(blob),
	};

	seal.head.salt[15] = 0x51;
	seal.head.key_check[47] = 0xcc;
	ck_assert_int_eq(to->seal(to->arg, &seal), MIB_OK);
	ck_assert_int_eq(to->secret(to->arg, &secret), MIB_OK);
	ck_assert_int_eq(to->seal_end(to->arg, check, 22), MIB_OK);
}

static const char all_told[] =
	"7 row spdRuleDefinitionTable.\"web\"\n8 spdRuleDefDescription=d";	/* .. a NUL */

static struct import_records records_of(void (*write)(const struct xml_sink *to),
					void (*then)(const struct xml_sink *to))
{
	struct import_writer *w = calloc(1, sizeof(*w));
	struct import_records r = { 0 };
	struct xml_diag d;
	struct xml_sink to;

	w->flush = keep;
	w->arg = &r;
	w->diag = &d;
	to = import_writer_sink(w);
	write(&to);
	if (then)
		then(&to);
	ck_assert(import_writer_end(w));
	ck_assert_uint_eq(w->written, r.len);
	free(w);
	return r;
}

static bool read_into(struct told *t, const uint8_t *octets, size_t len, enum mib_err *err)
{
	const struct xml_sink to = sink_of(t);

	return import_records_read(octets, len, &to, err);
}

START_TEST(test_what_was_told_arrives)
{
	struct import_records r = records_of(write_rows, write_secrets);
	struct told t = { 0 };
	enum mib_err err;

	ck_assert(read_into(&t, r.data, r.len, &err));
	ck_assert_int_eq(err, MIB_OK);
	ck_assert_int_eq(strncmp(t.text, all_told, strlen(all_told)), 0);
	ck_assert_ptr_nonnull(strstr(t.text, "9 spdRuleDefFilter=1.3.6.4294967295\n"
					     "10 spdRuleDefRowStatus=active\nend\n"
					     "4000000000 row spdLocalConfigObjects.0\n"
					     "12 spdIngressPolicyGroupName=\nend\n"
					     "20 seal 2 51 cc\n21 secret ipsaCredCredential 20 ab\n"
					     "22 list cd\n"));
	import_records_fini(&r);
}
END_TEST

START_TEST(test_seal_is_found)
{
	struct import_records with = records_of(write_rows, write_secrets),
			      without = records_of(write_rows, NULL);
	struct xml_seal seal;

	ck_assert(import_records_seal(&with, &seal));
	ck_assert_uint_eq(seal.line, 20);
	ck_assert_int_eq(seal.head.kind, MIB_FILE_SEAL_KEYFILE);
	ck_assert(!import_records_seal(&without, &seal));
	import_records_fini(&with);
	import_records_fini(&without);
}
END_TEST

START_TEST(test_refusal_of_the_sink_ends_the_reading)
{
	struct import_records r = records_of(write_rows, write_secrets);

	for (unsigned at = 1; at <= 10; at++) {
		struct told t = { .refuse = MIB_WRONG_VALUE, .at = at };
		enum mib_err err;

		ck_assert(read_into(&t, r.data, r.len, &err));
		ck_assert_int_eq(err, MIB_WRONG_VALUE);
		ck_assert_uint_eq(t.calls, at);
	}
	import_records_fini(&r);
}
END_TEST

START_TEST(test_every_cut_is_noticed)
{
	struct import_records r = records_of(write_rows, write_secrets);
	size_t whole = 0;

	for (size_t len = 0; len < r.len; len++) {
		uint8_t *cut = malloc(len ? len : 1);	/* its end is the end of memory */
		struct told t = { 0 };
		enum mib_err err;

		memcpy(cut, r.data, len);
		whole += read_into(&t, cut, len, &err);
		free(cut);
	}
	/* Nothing; after one row; after both. */
	ck_assert_uint_eq(whole, 3);
	import_records_fini(&r);
}
END_TEST

/* Whatever octet is changed to whatever: no crash, and what gets through fits the schema. */
START_TEST(test_changed_octets_do_no_harm)
{
	static const uint8_t by[] = { 0, 1, 2, 3, 6, 7, 0x7f, 0x80, 0xff };
	struct import_records r = records_of(write_rows, write_secrets);

	for (size_t i = 0; i < r.len; i++) {
		for (size_t k = 0; k < COUNT(by); k++) {
			const uint8_t was = r.data[i];
			struct told t = { 0 };
			enum mib_err err;

			r.data[i] = by[k];
			(void)!read_into(&t, r.data, r.len, &err);
			r.data[i] = was;
		}
	}
	import_records_fini(&r);
}
END_TEST

/* Records by hand: a kind, then octets. */
static const struct {
	const char *name;
	const char *octets;
	size_t len;
} malformed[] = {
#define CASE(name, octets) { name, octets, sizeof(octets) - 1 }
	CASE("record of no kind", "\0"),
	CASE("record of an unknown kind", "\7"),
	CASE("table that there is not", "\1\377\377\0\0\0\1\0\1\0\0\0\0"),
	CASE("value without a row", "\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"),
	CASE("end without a row", "\3"),
	CASE("secret without a seal", "\5\0\0\0\0\0\0\0\1\0\1\0\0\0\0\0\0\0\20"),
	CASE("end of no list", "\6\0\0\0\1"),
	CASE("index longer than any", "\1\0\0\0\0\0\1\377\377"),
};

START_TEST(test_malformed_records_are_refused)
{
	struct told t = { 0 };
	enum mib_err err;

	ck_assert_msg(!read_into(&t, (const uint8_t *)malformed[_i].octets, malformed[_i].len,
				 &err), "%s", malformed[_i].name);
	ck_assert_str_eq(t.text, "");
}
END_TEST

/* Told by a writer that was taken over: well-formed, but not what a parser would say. */
static void twice_the_column(const struct xml_sink *to)
{
	static const struct mib_oid web = { .len = 4, .ids = { 3, 'w', 'e', 'b' } };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &web, 1), MIB_OK);
	tell(to, rule_col(MIB_C_spdRuleDefRowStatus), mib_value_integer(1), 1);
	tell(to, rule_col(MIB_C_spdRuleDefRowStatus), mib_value_integer(1), 1);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void column_of_another(const struct xml_sink *to)
{
	static const struct mib_oid web = { .len = 4, .ids = { 3, 'w', 'e', 'b' } };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &web, 1), MIB_OK);
	tell(to, MIB_COL(ipsaCredentialTable, ipsaCredCredential), mib_value_octets("x", 1), 1);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void read_only_column(const struct xml_sink *to)
{
	static const struct mib_oid web = { .len = 4, .ids = { 3, 'w', 'e', 'b' } };
	const struct mib_value v = { .syntax = MIB_SYN_TIMETICKS, .number = 1 };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &web, 1), MIB_OK);
	tell(to, rule_col(MIB_C_spdRuleDefLastChanged), v, 1);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void index_that_does_not_read(const struct xml_sink *to)
{
	static const struct mib_oid bad = { .len = 4, .ids = { 9, 'w', 'e', 'b' } };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &bad, 1), MIB_OK);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void observed_table(const struct xml_sink *to)
{
	static const struct mib_oid one = { .len = 1, .ids = { 1 } };

	ck_assert_int_eq(to->row(to->arg, &mib_t_ipspdDropTable, &one, 1), MIB_OK);
	ck_assert_int_eq(to->row_end(to->arg), MIB_OK);
}

static void row_in_a_row(const struct xml_sink *to)
{
	static const struct mib_oid web = { .len = 4, .ids = { 3, 'w', 'e', 'b' } };

	ck_assert_int_eq(to->row(to->arg, &mib_t_spdRuleDefinitionTable, &web, 1), MIB_OK);
	write_rows(to);
}

static void seal_twice(const struct xml_sink *to)
{
	write_secrets(to);
	write_secrets(to);
}

static void (*const lies[])(const struct xml_sink *to) = {
	twice_the_column, column_of_another, read_only_column, index_that_does_not_read,
	observed_table, row_in_a_row, seal_twice,
};

START_TEST(test_lies_are_refused)
{
	struct import_records r = records_of(lies[_i], NULL);
	struct told t = { 0 };
	enum mib_err err;

	ck_assert_msg(!read_into(&t, r.data, r.len, &err), "lie %d", _i);
	import_records_fini(&r);
}
END_TEST

START_TEST(test_records_have_a_bound)
{
	static const uint8_t octets[1 << 20];
	struct import_records r = { 0 };
	size_t n = 0;

	while (import_records_add(&r, octets, sizeof(octets)))
		n++;
	ck_assert_uint_eq(n, IMPORT_RECORDS_MAX >> 20);
	import_records_fini(&r);
	ck_assert_ptr_null(r.data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/import_wire");
	TCase *tc = tcase_create("import_wire");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_what_was_told_arrives);
	tcase_add_test(tc, test_seal_is_found);
	tcase_add_test(tc, test_refusal_of_the_sink_ends_the_reading);
	tcase_add_test(tc, test_every_cut_is_noticed);
	tcase_add_test(tc, test_changed_octets_do_no_harm);
	tcase_add_loop_test(tc, test_malformed_records_are_refused, 0, COUNT(malformed));
	tcase_add_loop_test(tc, test_lies_are_refused, 0, COUNT(lies));
	tcase_add_test(tc, test_records_have_a_bound);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
