/*
 * tests/fuzz/fuzz_values.c - values and indexes as text: what people and XML files write.
 *
 * The first line chooses: "x NAME" the XML form of that column, "c NAME" its command-line form,
 * "i NAME" the index of its table. The rest is the text. What is read is good by the schema, prints
 * as text that reads as the same, and what is refused leaves nothing behind but the reason.
 */
#include "config.h"

#include <string.h>

#include "mibs/value.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX_LEN (96u * 1024)
#define SPACE 65536u

/* The column of that name; of any other name, some column, so that mutations find all of them. */
static const struct mib_column *column_of(const char *name)
{
	const struct mib_column *col = mib_column_by_name(name);
	size_t n = 0;

	if (col)
		return col;
	for (; *name; name++)
		n = n * 31 + (unsigned char)*name;
	const struct mib_table *t = mib_tables[n % mib_n_tables];

	return &t->columns[n / mib_n_tables % t->n_columns];
}

static enum mib_err parse(const struct mib_column *col, const char *text, bool xml, void *space,
			  struct mib_value *v)
{
	const struct mib_value untouched = { .syntax = MIB_SYN_OID, .oid = { NULL, 4711 } };
	struct mib_diag d = { 0 };
	enum mib_err err;

	*v = untouched;
	err = mib_value_parse(col, text, xml, space, SPACE, v, &d);
	must(err == MIB_OK || d.text[0] != '\0');
	must(err == MIB_OK || (v->syntax == untouched.syntax && v->oid.ids == NULL &&
			       v->oid.len == untouched.oid.len));
	return err;
}

/* An object's name with an instance that no row can have is printed for people, not to be read. */
static bool is_for_people(const struct mib_value *v, bool xml)
{
	const struct mib_column *col = NULL;
	const uint32_t *index = NULL;
	size_t len = 0;
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;

	if (xml || v->syntax != MIB_SYN_OID)
		return false;
	const struct mib_table *t = mib_table_by_oid(v->oid.ids, v->oid.len, &col, &index, &len);

	return t && col && len > 0 &&
	       mib_index_decode(t, index, len, parts, &scratch, NULL) != MIB_OK;
}

static void try_value(const struct mib_column *col, const char *text, bool xml)
{
	static _Alignas(8) uint8_t space[2][SPACE];
	static char printed[2][TEXT_MAX_LEN];
	struct mib_value v, again;

	if (parse(col, text, xml, space[0], &v) != MIB_OK)
		return;
	must(mib_value_check(col, &v, NULL) == MIB_OK);
	must(mib_value_print(col, &v, xml, printed[0], TEXT_MAX_LEN) < TEXT_MAX_LEN);
	if (is_for_people(&v, xml))
		return;
	must(parse(col, printed[0], xml, space[1], &again) == MIB_OK);
	must(mib_value_equal(&v, &again));
	must(mib_value_print(col, &again, xml, printed[1], TEXT_MAX_LEN) < TEXT_MAX_LEN);
	must(strcmp(printed[0], printed[1]) == 0);
}

static void try_index(const struct mib_table *t, const char *text)
{
	const struct mib_oid untouched = { .len = 4711 };
	char printed[16 * MIB_OID_MAX];
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	struct mib_oid index = untouched, again;
	struct mib_diag d = { 0 };

	if (mib_index_parse(t, text, &index, &d) != MIB_OK) {
		must(d.text[0] != '\0' && index.len == untouched.len);
		return;
	}
	must(index.len <= MIB_OID_MAX);
	must(t->is_scalars || mib_index_decode(t, index.ids, index.len, parts, &scratch, NULL) ==
				      MIB_OK);
	must(mib_index_print(t, index.ids, index.len, printed, sizeof(printed)) < sizeof(printed));
	must(mib_index_parse(t, printed, &again, NULL) == MIB_OK);
	must(mib_oid_cmp(index.ids, index.len, again.ids, again.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	char name[80] = "", *text;
	size_t head;

	if (!end || end - data < 2 || end - data >= (ptrdiff_t)sizeof(name) ||
	    size >= TEXT_MAX_LEN / 2)
		return 0;
	head = (size_t)(end - data);
	memcpy(name, data + 2, head - 2);
	text = malloc(size - head);
	must(text != NULL);
	memcpy(text, end + 1, size - head - 1);
	text[size - head - 1] = '\0';
	const struct mib_column *col = column_of(name);

	if (data[0] == 'i')
		try_index(col->table, text);
	else
		try_value(col, text, data[0] == 'x');
	free(text);
	return 0;
}
