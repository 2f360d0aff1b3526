/*
 * mibs/schema.c - looks things up in the generated descriptors.
 *
 * All arrays searched here are sorted by the generator, so there is no state and no start-up work.
 */
#include "mibs/schema.h"

#include <string.h>

#include "mibs/schema_gen.h"

/** Lexicographic order of OIDs; a prefix comes before what extends it. */
static int oid_compare(const uint32_t *a, size_t a_len, const uint32_t *b, size_t b_len)
{
	size_t common = a_len < b_len ? a_len : b_len;

	for (size_t i = 0; i < common; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return (a_len > b_len) - (a_len < b_len);
}

static bool oid_begins_with(const uint32_t *oid, size_t len, const uint32_t *prefix,
			    size_t prefix_len)
{
	return len >= prefix_len && !memcmp(oid, prefix, prefix_len * sizeof(*oid));
}

const struct mib_table *mib_table_by_name(const char *name)
{
	size_t low = 0, high = mib_n_tables;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, mib_tables_by_name[mid]->name);

		if (!order)
			return mib_tables_by_name[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct mib_column *mib_column_by_name(const char *name)
{
	size_t low = 0, high = mib_n_columns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, mib_columns_by_name[mid]->name);

		if (!order)
			return mib_columns_by_name[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct mib_column *mib_table_column(const struct mib_table *t, uint32_t id)
{
	size_t low = 0, high = t->n_columns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->columns[mid].id == id)
			return &t->columns[mid];
		if (id < t->columns[mid].id)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct mib_column *mib_table_column_tc(const struct mib_table *t, enum mib_tc tc)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i].tc == tc)
			return &t->columns[i];
	}
	return NULL;
}

/*
 * Scalars may stand beside tables, so one entry OID can begin another: the innermost wins. The
 * last table that does not come after the OID lies inside every table that holds the OID, so
 * going outwards from it finds the innermost of them first.
 */
const struct mib_table *mib_table_by_oid(const uint32_t *oid, size_t len,
					 const struct mib_column **col, const uint32_t **index,
					 size_t *index_len)
{
	size_t low = 0, high = mib_n_tables;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct mib_table *t = mib_tables[mid];

		if (oid_compare(t->entry_oid, t->entry_oid_len, oid, len) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (int i = (int)low - 1; i >= 0; i = mib_enclosing[i]) {
		const struct mib_table *t = mib_tables[i];
		size_t rest = t->entry_oid_len;

		if (!oid_begins_with(oid, len, t->entry_oid, rest))
			continue;
		*col = NULL;
		if (len > rest)
			*col = mib_table_column(t, oid[rest++]);
		*index = oid + rest;
		*index_len = len - rest;
		return t;
	}
	return NULL;
}

const char *mib_label_name(const struct mib_column *col, int32_t number)
{
	for (size_t i = 0; i < col->n_labels; i++) {
		if (col->labels[i].number == number)
			return col->labels[i].name;
	}
	return NULL;
}

bool mib_label_number(const struct mib_column *col, const char *name, int32_t *number)
{
	for (size_t i = 0; i < col->n_labels; i++) {
		if (!strcmp(col->labels[i].name, name)) {
			*number = col->labels[i].number;
			return true;
		}
	}
	return false;
}
