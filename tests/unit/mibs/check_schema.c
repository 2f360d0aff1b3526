/*
 * Tests of mibs/schema.c and of what the generator emitted: the order and the cross-references
 * that every user of the descriptors relies on, the look-ups, and facts as RFC 4807, RFC 3289 and
 * the two action drafts print them.
 */
#include "config.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/schema.h"
#include "mibs/schema_gen.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int compare_oids(const uint32_t *a, size_t a_len, const uint32_t *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return a_len == b_len ? 0 : a_len < b_len ? -1 : 1;
}

static bool is_below(const uint32_t *oid, size_t len, const uint32_t *top, size_t top_len)
{
	return len >= top_len && !compare_oids(oid, top_len, top, top_len);
}

/** "1.3.6" as arcs; the number of them. */
static size_t parse_oid(const char *text, uint32_t *oid)
{
	size_t n = 0;

	while (*text) {
		char *end;

		ck_assert_uint_lt(n, MIB_OID_MAX);
		oid[n++] = (uint32_t)strtoul(text, &end, 10);
		ck_assert_ptr_ne(end, text);
		text = *end ? end + 1 : end;
	}
	return n;
}

static const struct mib_column *must_find(const char *name)
{
	const struct mib_column *c = mib_column_by_name(name);

	ck_assert_msg(c != NULL, "%s is missing", name);
	return c;
}

/* ---- shape ---- */

START_TEST(test_tables_rise_by_oid_and_know_their_number)
{
	ck_assert_uint_gt(mib_n_tables, 0);
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		ck_assert_uint_eq(t->number, i);
		ck_assert_uint_gt(t->n_columns, 0);
		ck_assert(t->is_scalars == !t->entry_name);
		if (i > 0)
			ck_assert_int_lt(compare_oids(mib_tables[i - 1]->entry_oid,
						      mib_tables[i - 1]->entry_oid_len,
						      t->entry_oid, t->entry_oid_len), 0);
	}
}
END_TEST

START_TEST(test_columns_rise_by_id_and_know_their_place)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		for (size_t k = 0; k < t->n_columns; k++) {
			const struct mib_column *c = &t->columns[k];

			ck_assert_ptr_eq(c->table, t);
			ck_assert_uint_eq(c->pos, k);
			if (k > 0)
				ck_assert_uint_lt(t->columns[k - 1].id, c->id);
		}
	}
}
END_TEST

static size_t longest_index(const struct mib_column *c)
{
	if (c->syntax == MIB_SYN_OID)
		return MIB_OID_MAX;
	if (c->syntax != MIB_SYN_OCTETS)
		return 1;
	ck_assert_msg(c->n_ranges > 0, "index %s is not bounded", c->name);
	return 1 + (size_t)c->ranges[c->n_ranges - 1].max;
}

START_TEST(test_index_columns_stand_in_a_table_and_fit_an_oid)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		size_t len = t->entry_oid_len + 1;

		ck_assert_msg(t->is_scalars == (t->n_index == 0), "%s", t->name);
		for (size_t k = 0; k < t->n_index; k++) {
			const struct mib_column *c = t->index[k];

			ck_assert_ptr_eq(&c->table->columns[c->pos], c);
			ck_assert(!c->table->is_scalars);
			ck_assert_msg(c->access == MIB_ACC_NONE || c->table != t,
				      "%s: own index %s can be accessed", t->name, c->name);
			ck_assert_msg(!c->n_ranges || c->ranges[0].min >= 0, "%s", c->name);
			ck_assert_msg(!c->n_labels || c->labels[0].number >= 0, "%s", c->name);
			len += longest_index(c);
		}
		ck_assert_msg(len <= MIB_OID_MAX, "%s: instances of %zu arcs", t->name, len);
	}
}
END_TEST

START_TEST(test_augmenting_table_has_the_index_of_its_base)
{
	size_t found = 0;

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		if (!t->augments)
			continue;
		found++;
		ck_assert_ptr_null(t->augments->augments);
		ck_assert_uint_eq(t->n_index, t->augments->n_index);
		for (size_t k = 0; k < t->n_index; k++)
			ck_assert_ptr_eq(t->index[k], t->augments->index[k]);
	}
	ck_assert_uint_eq(found, 13);	/* states of rules and SAs, choices for nine tables */
}
END_TEST

START_TEST(test_table_whose_rows_managers_make_has_status_and_storage)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		const struct mib_column *status = mib_table_column_tc(t, MIB_TC_ROW_STATUS);
		bool create = false;

		for (size_t k = 0; k < t->n_columns; k++) {
			ck_assert(!t->is_scalars || t->columns[k].access < MIB_ACC_CREATE);
			ck_assert(!t->is_scalars || t->columns[k].access > MIB_ACC_NONE);
			create |= t->columns[k].access == MIB_ACC_CREATE;
		}
		if (t->augments) {
			ck_assert_ptr_null(status);
			continue;
		}
		ck_assert_msg(create == (status != NULL), "%s", t->name);
		if (!status)
			continue;
		ck_assert_int_eq(status->access, MIB_ACC_CREATE);
		ck_assert_msg(mib_table_column_tc(t, MIB_TC_STORAGE_TYPE) != NULL, "%s", t->name);
	}
}
END_TEST

/* ---- types ---- */

static void syntax_limits(const struct mib_column *c, int64_t *min, int64_t *max)
{
	switch (c->syntax) {
	case MIB_SYN_INTEGER:
		*min = INT32_MIN;
		*max = INT32_MAX;
		break;
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		*min = 0;
		*max = 65535;
		break;
	default:
		*min = 0;
		*max = UINT32_MAX;
		break;
	}
}

START_TEST(test_ranges_rise_within_the_syntax)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		for (size_t k = 0; k < mib_tables[i]->n_columns; k++) {
			const struct mib_column *c = &mib_tables[i]->columns[k];
			int64_t low, high;

			ck_assert_int_eq(c->ranges == NULL, c->n_ranges == 0);
			syntax_limits(c, &low, &high);
			for (size_t r = 0; r < c->n_ranges; r++) {
				ck_assert_msg(c->ranges[r].min >= low, "%s", c->name);
				ck_assert_msg(c->ranges[r].max >= c->ranges[r].min, "%s", c->name);
				low = c->ranges[r].max + 1;
			}
			ck_assert_msg(low <= high + 1, "%s", c->name);
		}
	}
}
END_TEST

START_TEST(test_labels_rise_and_translate_both_ways)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		for (size_t k = 0; k < mib_tables[i]->n_columns; k++) {
			const struct mib_column *c = &mib_tables[i]->columns[k];
			int32_t number;

			ck_assert_int_eq(c->labels == NULL, c->n_labels == 0);
			for (size_t l = 0; l < c->n_labels; l++) {
				const struct mib_label *label = &c->labels[l];

				ck_assert(l == 0 || c->labels[l - 1].number < label->number);
				ck_assert(mib_label_number(c, label->name, &number));
				ck_assert_int_eq(number, label->number);
				ck_assert_str_eq(mib_label_name(c, number), label->name);
			}
			number = 4711;
			ck_assert(!mib_label_number(c, "noSuchLabel", &number));
			ck_assert_int_eq(number, 4711);
			ck_assert_ptr_null(mib_label_name(c, 4711));
		}
	}
}
END_TEST

START_TEST(test_bits_are_bounded_by_their_labels)
{
	size_t found = 0;

	for (size_t i = 0; i < mib_n_tables; i++) {
		for (size_t k = 0; k < mib_tables[i]->n_columns; k++) {
			const struct mib_column *c = &mib_tables[i]->columns[k];

			if (c->syntax != MIB_SYN_BITS)
				continue;
			found++;
			ck_assert_uint_eq(c->n_ranges, 1);
			ck_assert_int_eq(c->ranges[0].min, 0);
			ck_assert_int_eq(c->ranges[0].max,
					 c->labels[c->n_labels - 1].number / 8 + 1);
		}
	}
	ck_assert_uint_eq(found, 4);	/* months, weekdays, IPSO columns, selectors */
}
END_TEST

static bool in_ranges(const struct mib_column *c, int64_t value)
{
	for (size_t r = 0; r < c->n_ranges; r++) {
		if (value >= c->ranges[r].min && value <= c->ranges[r].max)
			return true;
	}
	return c->n_ranges == 0;
}

START_TEST(test_defaults_are_values_the_column_can_have)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		for (size_t k = 0; k < mib_tables[i]->n_columns; k++) {
			const struct mib_column *c = &mib_tables[i]->columns[k];

			switch (c->def.kind) {
			case MIB_DEF_NONE:
				break;
			case MIB_DEF_NUMBER:
				ck_assert(c->syntax == MIB_SYN_INTEGER ||
					  c->syntax == MIB_SYN_UNSIGNED);
				if (c->n_labels)
					ck_assert_ptr_nonnull(
						mib_label_name(c, (int32_t)c->def.number));
				ck_assert_msg(in_ranges(c, c->def.number), "%s", c->name);
				break;
			case MIB_DEF_OCTETS:
				ck_assert(c->syntax == MIB_SYN_OCTETS || c->syntax == MIB_SYN_BITS);
				ck_assert_ptr_nonnull(c->def.octets);
				ck_assert_msg(in_ranges(c, (int64_t)c->def.len), "%s", c->name);
				break;
			case MIB_DEF_OID:
				ck_assert_int_eq(c->syntax, MIB_SYN_OID);
				ck_assert_uint_gt(c->def.len, 1);
				break;
			}
		}
	}
}
END_TEST

START_TEST(test_conventions_with_a_meaning_have_their_syntax)
{
	static const struct {
		enum mib_tc tc;
		enum mib_syntax syntax;
		const char *module;
	} cases[] = {
		{ MIB_TC_ROW_STATUS, MIB_SYN_INTEGER, "SNMPv2-TC" },
		{ MIB_TC_STORAGE_TYPE, MIB_SYN_INTEGER, "SNMPv2-TC" },
		{ MIB_TC_TIME_STAMP, MIB_SYN_TIMETICKS, "SNMPv2-TC" },
		{ MIB_TC_TRUTH_VALUE, MIB_SYN_INTEGER, "SNMPv2-TC" },
		{ MIB_TC_ADMIN_STRING, MIB_SYN_OCTETS, "SNMP-FRAMEWORK-MIB" },
		{ MIB_TC_VARIABLE_POINTER, MIB_SYN_OID, "SNMPv2-TC" },
		{ MIB_TC_INET_ADDRESS_TYPE, MIB_SYN_INTEGER, "INET-ADDRESS-MIB" },
		{ MIB_TC_INET_ADDRESS, MIB_SYN_OCTETS, "INET-ADDRESS-MIB" },
		{ MIB_TC_INTERFACE_INDEX, MIB_SYN_INTEGER, "IF-MIB" },
		{ MIB_TC_IDENTITY_FILTER, MIB_SYN_OCTETS, "IPSEC-IPSECACTION-MIB" },
		{ MIB_TC_TIME_PERIOD, MIB_SYN_OCTETS, "IPSEC-SPD-MIB" },
	};

	for (size_t n = 0; n < COUNT(cases); n++) {
		size_t found = 0;

		for (size_t i = 0; i < mib_n_tables; i++) {
			for (size_t k = 0; k < mib_tables[i]->n_columns; k++) {
				const struct mib_column *c = &mib_tables[i]->columns[k];

				if (c->tc != cases[n].tc)
					continue;
				found++;
				ck_assert_msg(c->syntax == cases[n].syntax, "%s", c->name);
				ck_assert_str_eq(c->type_module, cases[n].module);
			}
		}
		ck_assert_msg(found > 0, "no column of convention %d", (int)cases[n].tc);
	}
}
END_TEST

/* ---- look-ups ---- */

START_TEST(test_names_find_what_bears_them_and_nothing_else)
{
	size_t columns = 0;

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		ck_assert_ptr_eq(mib_table_by_name(t->name), t);
		ck_assert_ptr_null(mib_column_by_name(t->name));
		columns += t->n_columns;
		for (size_t k = 0; k < t->n_columns; k++) {
			char longer[128];

			ck_assert_ptr_eq(mib_column_by_name(t->columns[k].name), &t->columns[k]);
			ck_assert_ptr_null(mib_table_by_name(t->columns[k].name));
			snprintf(longer, sizeof(longer), "%sX", t->columns[k].name);
			ck_assert_ptr_null(mib_column_by_name(longer));
		}
	}
	ck_assert_uint_eq(columns, mib_n_columns);
	ck_assert_ptr_null(mib_table_by_name(""));
	ck_assert_ptr_null(mib_column_by_name(""));
	ck_assert_ptr_null(mib_column_by_name("zzz"));
	ck_assert_ptr_null(mib_column_by_name("SPDRULEDEFFILTER"));
}
END_TEST

START_TEST(test_column_ids_find_their_column_and_nothing_else)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		uint32_t last = t->columns[t->n_columns - 1].id;

		for (uint32_t id = 0; id <= last + 1; id++) {
			const struct mib_column *want = NULL;

			for (size_t k = 0; k < t->n_columns; k++) {
				if (t->columns[k].id == id)
					want = &t->columns[k];
			}
			ck_assert_ptr_eq(mib_table_column(t, id), want);
		}
		ck_assert_ptr_null(mib_table_column(t, UINT32_MAX));
	}
}
END_TEST

/** What mib_table_by_oid must find, by looking at all tables: the longest entry OID wins. */
static const struct mib_table *naive_table(const uint32_t *oid, size_t len)
{
	const struct mib_table *best = NULL;

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		if (is_below(oid, len, t->entry_oid, t->entry_oid_len) &&
		    (!best || t->entry_oid_len > best->entry_oid_len))
			best = t;
	}
	return best;
}

static void check_oid(const uint32_t *oid, size_t len)
{
	const struct mib_column *col = NULL;
	const uint32_t *index = NULL;
	size_t index_len = 0;
	const struct mib_table *want = naive_table(oid, len);
	const struct mib_table *got = mib_table_by_oid(oid, len, &col, &index, &index_len);

	ck_assert_ptr_eq(got, want);
	if (!want)
		return;
	size_t used = want->entry_oid_len;
	const struct mib_column *want_col = NULL;

	if (len > used)
		want_col = mib_table_column(want, oid[used++]);
	ck_assert_ptr_eq(col, want_col);
	ck_assert_ptr_eq(index, oid + used);
	ck_assert_uint_eq(index_len, len - used);
}

START_TEST(test_oid_finds_the_innermost_table_around_it)
{
	uint32_t oid[MIB_OID_MAX];

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		size_t len = t->entry_oid_len;

		memcpy(oid, t->entry_oid, len * sizeof(*oid));
		for (size_t k = 0; k < t->n_columns; k++) {
			const struct mib_column *col;
			const uint32_t *index;
			size_t index_len;

			oid[len] = t->columns[k].id;
			oid[len + 1] = 7;
			ck_assert_ptr_eq(mib_table_by_oid(oid, len + 2, &col, &index, &index_len),
					 t);
			ck_assert_ptr_eq(col, &t->columns[k]);
			ck_assert_uint_eq(index_len, 1);
			ck_assert_uint_eq(index[0], 7);
			check_oid(oid, len + 1);
		}
		oid[len] = t->columns[t->n_columns - 1].id + 1;
		check_oid(oid, len + 1);
		oid[len] = 0;
		check_oid(oid, len + 1);
		oid[len] = UINT32_MAX;
		check_oid(oid, len + 1);
	}
}
END_TEST

START_TEST(test_oid_beside_or_above_a_table_does_not_hit_it)
{
	uint32_t oid[MIB_OID_MAX];

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];

		for (size_t len = 0; len <= t->entry_oid_len; len++) {
			memcpy(oid, t->entry_oid, len * sizeof(*oid));
			check_oid(oid, len);
			if (len == 0)
				continue;
			ck_assert(len == t->entry_oid_len || naive_table(oid, len) != t);
			oid[len - 1]++;
			oid[len] = 1;
			check_oid(oid, len);
			check_oid(oid, len + 1);
			ck_assert_ptr_ne(naive_table(oid, len), t);
			oid[len - 1] -= 2;
			check_oid(oid, len);
			check_oid(oid, len + 1);
			ck_assert_ptr_ne(naive_table(oid, len), t);
		}
	}
}
END_TEST

/* ---- notifications and modules ---- */

START_TEST(test_notification_objects_are_columns_that_can_be_sent)
{
	ck_assert_uint_gt(mib_n_notifications, 0);
	for (size_t i = 0; i < mib_n_notifications; i++) {
		const struct mib_notification *n = &mib_notifications[i];

		ck_assert_uint_gt(n->n_objects, 0);
		for (size_t k = 0; k < n->n_objects; k++) {
			const struct mib_column *c = n->objects[k];

			ck_assert_ptr_eq(&c->table->columns[c->pos], c);
			ck_assert_int_ne(c->access, MIB_ACC_NONE);
		}
	}
}
END_TEST

START_TEST(test_table_lies_below_what_its_module_serves)
{
	size_t found = 0;

	for (size_t m = 0; m < mib_n_modules; m++) {
		const struct mib_module *mod = &mib_modules[m];

		ck_assert_uint_eq(strlen(mod->last_updated), strlen("2026-11-21"));
		ck_assert(mod->last_updated[4] == '-' && mod->last_updated[7] == '-');
		for (size_t i = 0; i < mib_n_tables; i++) {
			const struct mib_table *t = mib_tables[i];

			if (strcmp(t->module, mod->name))
				continue;
			found++;
			ck_assert_msg(is_below(t->entry_oid, t->entry_oid_len, mod->oid,
					       mod->oid_len), "%s", t->name);
		}
	}
	ck_assert_uint_eq(found, mib_n_tables);
}
END_TEST

/* ---- facts, as the documents print them ---- */

static const struct {
	const char *name;	/* of the object */
	const char *oid;	/* of a column or scalar, without its instance */
	enum mib_access access;
	int64_t min, max;	/* of all its ranges; equal to 0, -1: none */
} facts[] = {
	{ "diffServMultiFieldClfrNextFree", "1.3.6.1.2.1.97.1.2.5", MIB_ACC_READ, 0, 4294967295 },
	{ "diffServMultiFieldClfrDscp", "1.3.6.1.2.1.97.1.2.6.1.7", MIB_ACC_CREATE, -1, 63 },
	{ "diffServMultiFieldClfrFlowId", "1.3.6.1.2.1.97.1.2.6.1.8", MIB_ACC_CREATE, 0, 1048575 },
	{ "spdIngressPolicyGroupName", "1.3.6.1.2.1.153.1.1.1", MIB_ACC_WRITE, 0, 32 },
	{ "spdEndGroupInterface", "1.3.6.1.2.1.153.1.2.1.2", MIB_ACC_NONE, 1, 2147483647 },
	{ "spdEndGroupName", "1.3.6.1.2.1.153.1.2.1.3", MIB_ACC_CREATE, 1, 32 },
	{ "spdGroupContPriority", "1.3.6.1.2.1.153.1.3.1.2", MIB_ACC_NONE, 0, 65535 },
	{ "spdRuleDefDescription", "1.3.6.1.2.1.153.1.4.1.2", MIB_ACC_CREATE, 0, 255 },
	{ "spdRuleDefFilter", "1.3.6.1.2.1.153.1.4.1.3", MIB_ACC_CREATE, 0, -1 },
	{ "spdRuleDefLastChanged", "1.3.6.1.2.1.153.1.4.1.7", MIB_ACC_READ, 0, -1 },
	{ "spdTrueFilter", "1.3.6.1.2.1.153.1.7.1", MIB_ACC_READ, 1, 1 },
	{ "spdIpOffFiltValue", "1.3.6.1.2.1.153.1.8.1.4", MIB_ACC_CREATE, 1, 1024 },
	{ "spdTimeFiltDayOfMonthMask", "1.3.6.1.2.1.153.1.9.1.4", MIB_ACC_CREATE, 8, 8 },
	{ "spdAcceptActionLog", "1.3.6.1.2.1.153.1.13.4", MIB_ACC_READ, 1, 1 },
	{ "spdPacketPart", "1.3.6.1.2.1.153.2.1.9", MIB_ACC_NOTIFY, 0, 65535 },
	{ "ipsaSaPreActDoPacketLogging", "1.3.6.1.2.1.153.4.1.1.1.1.7", MIB_ACC_CREATE, -1, 65535 },
	{ "ipsaCredCredential", "1.3.6.1.2.1.153.4.1.1.5.1.3", MIB_ACC_CREATE, 0, 1024 },
	{ "ipsaCredSegStorageType", "1.3.6.1.2.1.153.4.1.1.6.1.4", MIB_ACC_READ, 0, -1 },
	{ "ipsaPeerIdValue", "1.3.6.1.2.1.153.4.1.1.7.1.4", MIB_ACC_CREATE, 1, 256 },
	{ "ipiaIkePhase2Filter", "1.3.6.1.2.1.153.4.2.1.2.2", MIB_ACC_READ, 0, -1 },
	{ "ipiaCredFiltMatchFieldValue", "1.3.6.1.2.1.153.4.2.1.3.1.4", MIB_ACC_CREATE, 1, 4096 },
	{ "ipiaIkeActPropName", "1.3.6.1.2.1.153.4.2.1.9.1.2", MIB_ACC_CREATE, 1, 32 },
	{ "ipiaIkePropLifetimeDerivedKeys", "1.3.6.1.2.1.153.4.2.1.10.1.1", MIB_ACC_CREATE, 0, -1 },
	{ "ipiaRctCertSerialNumber", "1.3.6.1.2.1.153.4.2.1.17.1.1", MIB_ACC_NONE, 0, 4294967295 },
	{ "ipspdClosureInterface", "1.3.6.1.4.1.8072.9999.9999.4807.1.2.1.2", MIB_ACC_NONE, 0,
	  2147483647 },
	{ "ipspdIkeActVersion", "1.3.6.1.4.1.8072.9999.9999.4807.1.5.1.1", MIB_ACC_CREATE, 0, -1 },
	{ "ipspdIkeActReauthentication", "1.3.6.1.4.1.8072.9999.9999.4807.1.5.1.4", MIB_ACC_CREATE, 0,
	  31536000 },
	{ "ipspdIkeActRetransmit", "1.3.6.1.4.1.8072.9999.9999.4807.1.5.1.5", MIB_ACC_CREATE, 1, 300 },
	{ "ipspdIkeActTries", "1.3.6.1.4.1.8072.9999.9999.4807.1.5.1.6", MIB_ACC_CREATE, 1, 16 },
	{ "ipspdPreActOptDscp", "1.3.6.1.4.1.8072.9999.9999.4807.1.15.1.2", MIB_ACC_CREATE, -1, 63 },
	{ "ipspdRuleOptFallback", "1.3.6.1.4.1.8072.9999.9999.4807.1.16.1.1", MIB_ACC_CREATE, 0,
	  -1 },
	{ "ipspdIpsecActTfcPad", "1.3.6.1.4.1.8072.9999.9999.4807.1.17.1.3", MIB_ACC_CREATE, 0,
	  9000 },
	{ "ipspdIkePropAddKe", "1.3.6.1.4.1.8072.9999.9999.4807.1.18.1.3", MIB_ACC_CREATE, 0, 14 },
	{ "ipspdCaCrlLevel", "1.3.6.1.4.1.8072.9999.9999.4807.1.19.1.1", MIB_ACC_CREATE, 0, -1 },
	{ "ipspdCaInRequests", "1.3.6.1.4.1.8072.9999.9999.4807.1.19.1.2", MIB_ACC_CREATE, 0, -1 },
	{ "ipspdPeerOptPpkName", "1.3.6.1.4.1.8072.9999.9999.4807.1.44.1.1", MIB_ACC_CREATE, 0, 32 },
	{ "ipspdIkeIdOptFourthCred", "1.3.6.1.4.1.8072.9999.9999.4807.1.48.1.3", MIB_ACC_CREATE, 0, 32 },
	{ "ipspdCredOptRsaPss", "1.3.6.1.4.1.8072.9999.9999.4807.1.49.1.1", MIB_ACC_CREATE, 0, -1 },
};

START_TEST(test_object_stands_where_its_document_puts_it)
{
	const struct mib_column *c = must_find(facts[_i].name), *col;
	uint32_t oid[MIB_OID_MAX];
	size_t len = parse_oid(facts[_i].oid, oid), index_len;
	const uint32_t *index;

	ck_assert_ptr_eq(mib_table_by_oid(oid, len, &col, &index, &index_len), c->table);
	ck_assert_ptr_eq(col, c);
	ck_assert_uint_eq(index_len, 0);
	ck_assert_int_eq(c->access, facts[_i].access);
	if (facts[_i].max < facts[_i].min) {
		ck_assert_uint_eq(c->n_ranges, 0);
	} else {
		ck_assert_uint_gt(c->n_ranges, 0);
		ck_assert_int_eq(c->ranges[0].min, facts[_i].min);
		ck_assert_int_eq(c->ranges[c->n_ranges - 1].max, facts[_i].max);
	}
}
END_TEST

static const struct {
	const char *column;
	enum mib_def_kind kind;
	int64_t number;		/* MIB_DEF_NUMBER */
	const char *octets;	/* MIB_DEF_OCTETS, len octets; MIB_DEF_OID: as text */
	size_t len;
} defaults[] = {
	{ "spdRuleDefFilter", MIB_DEF_NONE, 0, NULL, 0 },
	{ "spdRuleDefFilterNegated", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "spdRuleDefDescription", MIB_DEF_OCTETS, 0, "", 0 },
	{ "spdRuleDefStorageType", MIB_DEF_NUMBER, 3, NULL, 0 },
	{ "spdGroupContFilter", MIB_DEF_OID, 0, "1.3.6.1.2.1.153.1.7.1.0", 11 },
	{ "spdGroupContComponentType", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "spdCompFiltLogicType", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "spdTimeFiltPeriod", MIB_DEF_OCTETS, 0, "THISANDPRIOR/THISANDFUTURE", 26 },
	{ "spdTimeFiltMonthOfYearMask", MIB_DEF_OCTETS, 0, "\xff\xf0", 2 },
	{ "spdTimeFiltDayOfMonthMask", MIB_DEF_OCTETS, 0, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8 },
	{ "spdTimeFiltDayOfWeekMask", MIB_DEF_OCTETS, 0, "\xfe", 1 },
	{ "diffServMultiFieldClfrDscp", MIB_DEF_NUMBER, -1, NULL, 0 },
	{ "diffServMultiFieldClfrSrcL4PortMax", MIB_DEF_NUMBER, 65535, NULL, 0 },
	{ "diffServMultiFieldClfrFlowId", MIB_DEF_NONE, 0, NULL, 0 },
	{ "ipsaSaPreActActionLifetimeSec", MIB_DEF_NUMBER, 28800, NULL, 0 },
	{ "ipsaCredAdminStatus", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipiaIkeActThresholdDerivedKeys", MIB_DEF_NUMBER, 100, NULL, 0 },
	{ "ipiaIkeActVendorId", MIB_DEF_OCTETS, 0, "", 0 },
	{ "ipspdDefaultWithoutPolicy", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdIkeActVersion", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdIkeActNatTraversal", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdIkeActReauthentication", MIB_DEF_NUMBER, 0, NULL, 0 },
	{ "ipspdIkeActRetransmit", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipspdIkeActTries", MIB_DEF_NUMBER, 8, NULL, 0 },
	{ "ipspdPreActOptEcn", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdPreActOptDscp", MIB_DEF_NUMBER, -1, NULL, 0 },
	{ "ipspdPreActOptEsn", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipspdPreActOptUdpPort", MIB_DEF_NUMBER, 0, NULL, 0 },
	{ "ipspdPreActOptFragBefore", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipspdPathMtuAge", MIB_DEF_NUMBER, 600, NULL, 0 },
	{ "ipspdIcmpReassemblyTimeout", MIB_DEF_NUMBER, 60, NULL, 0 },
	{ "ipspdRuleOptFragState", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdClfrMe", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdRuleOptFallback", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdRuleOptClearSeconds", MIB_DEF_NUMBER, 300, NULL, 0 },
	{ "ipspdRuleOptAcceptClear", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipspdIpsecActEsn", MIB_DEF_NUMBER, 3, NULL, 0 },
	{ "ipspdIkePropAddKe", MIB_DEF_OCTETS, 0, "", 0 },
	{ "ipspdCaCrlLevel", MIB_DEF_NUMBER, 2, NULL, 0 },
	{ "ipspdCaInRequests", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdPeerOptPpkRequired", MIB_DEF_NUMBER, 1, NULL, 0 },
	{ "ipspdIkeIdOptThirdCred", MIB_DEF_OCTETS, 0, "", 0 },
	{ "ipspdCredOptRsaPss", MIB_DEF_NUMBER, 2, NULL, 0 },
};

START_TEST(test_default_is_the_one_its_document_gives)
{
	const struct mib_default *d = &must_find(defaults[_i].column)->def;
	uint32_t oid[MIB_OID_MAX];

	ck_assert_int_eq(d->kind, defaults[_i].kind);
	ck_assert_uint_eq(d->len, defaults[_i].len);
	switch (d->kind) {
	case MIB_DEF_NONE:
		break;
	case MIB_DEF_NUMBER:
		ck_assert_int_eq(d->number, defaults[_i].number);
		break;
	case MIB_DEF_OCTETS:
		ck_assert_mem_eq(d->octets, defaults[_i].octets, d->len);
		break;
	case MIB_DEF_OID:
		ck_assert_uint_eq(parse_oid(defaults[_i].octets, oid), d->len);
		ck_assert_mem_eq(d->oid, oid, d->len * sizeof(*oid));
		break;
	}
}
END_TEST

static const struct {
	const char *table;
	const char *index[4];
} indexes[] = {
	{ "diffServMultiFieldClfrTable", { "diffServMultiFieldClfrId" } },
	{ "spdEndpointToGroupTable", { "spdEndGroupDirection", "spdEndGroupInterface" } },
	{ "spdSubfiltersTable", { "spdCompFiltName", "spdSubFiltPriority" } },
	{ "ipsaCredentialSegmentTable", { "ipsaCredName", "ipsaCredSegIndex" } },
	{ "ipiaIkeProposalTable", { "ipiaIkeActPropName" } },
	{ "ipiaIpsecProposalsTable",
	  { "ipiaIpsecPropName", "ipiaIpsecPropPriority", "ipiaIpsecPropProtocolId" } },
	{ "ipiaIkeIdentityTable",
	  { "spdEndGroupInterface", "ipiaIkeActIdentityType", "ipiaIkeActIdentityContext" } },
	{ "ipspdClosureTable", { "ipspdClosureDirection", "ipspdClosureInterface" } },
	{ "ipspdPreActTable", { "ipsaSaPreActActionName", "ipsaSaPreActSADirection" } },
};

START_TEST(test_index_is_the_one_its_document_gives)
{
	const struct mib_table *t = mib_table_by_name(indexes[_i].table);
	size_t n = 0;

	ck_assert_ptr_nonnull(t);
	while (n < COUNT(indexes[_i].index) && indexes[_i].index[n]) {
		ck_assert_uint_lt(n, t->n_index);
		ck_assert_str_eq(t->index[n]->name, indexes[_i].index[n]);
		n++;
	}
	ck_assert_uint_eq(t->n_index, n);
}
END_TEST

START_TEST(test_packet_notification_carries_what_rfc_4807_lists)
{
	static const char *const objects[] = {
		"spdActionExecuted", "spdIPEndpointAddType", "spdIPEndpointAddress",
		"spdIPSourceType", "spdIPSourceAddress", "spdIPDestinationType",
		"spdIPDestinationAddress", "spdPacketDirection", "spdPacketPart",
	};
	const struct mib_notification *n = NULL;
	uint32_t oid[MIB_OID_MAX];
	size_t len = parse_oid("1.3.6.1.2.1.153.2.0.2", oid);

	for (size_t i = 0; i < mib_n_notifications; i++) {
		if (!strcmp(mib_notifications[i].name, "spdPacketNotification"))
			n = &mib_notifications[i];
	}
	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(compare_oids(n->oid, n->oid_len, oid, len), 0);
	ck_assert_uint_eq(n->n_objects, COUNT(objects));
	for (size_t i = 0; i < COUNT(objects); i++)
		ck_assert_str_eq(n->objects[i]->name, objects[i]);
}
END_TEST

START_TEST(test_emitted_names_say_where_and_what)
{
	ck_assert_str_eq(mib_t_spdRuleDefinitionTable.columns[MIB_C_spdRuleDefFilter].name,
			 "spdRuleDefFilter");
	ck_assert_str_eq(mib_t_spdLocalConfigObjects.columns[MIB_C_spdEgressPolicyGroupName].name,
			 "spdEgressPolicyGroupName");
	ck_assert_int_eq(MIB_C_spdRuleDefFilter, 2);
	ck_assert_int_eq(MIB_L_RowStatus_destroy, 6);
	ck_assert_int_eq(MIB_L_spdGroupContComponentType_rule, 2);
	ck_assert_int_eq(MIB_L_spdTimeFiltDayOfWeekMask_saturday, 6);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mibs/schema");
	TCase *tc = tcase_create("shape");

	tcase_add_test(tc, test_tables_rise_by_oid_and_know_their_number);
	tcase_add_test(tc, test_columns_rise_by_id_and_know_their_place);
	tcase_add_test(tc, test_index_columns_stand_in_a_table_and_fit_an_oid);
	tcase_add_test(tc, test_augmenting_table_has_the_index_of_its_base);
	tcase_add_test(tc, test_table_whose_rows_managers_make_has_status_and_storage);
	tcase_add_test(tc, test_ranges_rise_within_the_syntax);
	tcase_add_test(tc, test_labels_rise_and_translate_both_ways);
	tcase_add_test(tc, test_bits_are_bounded_by_their_labels);
	tcase_add_test(tc, test_defaults_are_values_the_column_can_have);
	tcase_add_test(tc, test_conventions_with_a_meaning_have_their_syntax);
	tcase_add_test(tc, test_notification_objects_are_columns_that_can_be_sent);
	tcase_add_test(tc, test_table_lies_below_what_its_module_serves);
	suite_add_tcase(s, tc);

	tc = tcase_create("look-ups");
	tcase_add_test(tc, test_names_find_what_bears_them_and_nothing_else);
	tcase_add_test(tc, test_column_ids_find_their_column_and_nothing_else);
	tcase_add_test(tc, test_oid_finds_the_innermost_table_around_it);
	tcase_add_test(tc, test_oid_beside_or_above_a_table_does_not_hit_it);
	suite_add_tcase(s, tc);

	tc = tcase_create("facts");
	tcase_add_loop_test(tc, test_object_stands_where_its_document_puts_it, 0, COUNT(facts));
	tcase_add_loop_test(tc, test_default_is_the_one_its_document_gives, 0, COUNT(defaults));
	tcase_add_loop_test(tc, test_index_is_the_one_its_document_gives, 0, COUNT(indexes));
	tcase_add_test(tc, test_packet_notification_carries_what_rfc_4807_lists);
	tcase_add_test(tc, test_emitted_names_say_where_and_what);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
