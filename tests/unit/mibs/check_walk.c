/*
 * tests/unit/mibs/check_walk.c - every column of every table: reading, and each way to be refused.
 *
 * One expected tree is made from the policy's text and the schema alone; GET and GETNEXT must both
 * give it. RFC 3416 4.2.1, 4.2.2, 4.2.5.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

#define TREE_MAX 1024

struct leaf {
	struct mib_oid name;
	const struct mib_column *col;
	char value[256];
};

static struct mib_store *store;
static struct leaf tree[TREE_MAX];
static size_t tree_n;

/* Columns that read otherwise than they were set, and what no row's text says. */
static const struct {
	const char *column, *index, *value;
} exceptions[] = {
	{ "ipsaCredCredential", "ab-enc", "0x" },
	{ "ipsaCredCredential", "ab-auth", "0x" },
	{ "ipsaCredCredential", "long", "0x" },
	{ "ipsaCredSize", "ab-enc", "0" },
	{ "ipsaCredSize", "ab-auth", "0" },
	{ "ipsaCredSize", "ca-cert", "4" },
	{ "ipsaCredSize", "long", "2" },
	{ "ipsaCredRowStatus", "long", "notInService" },
	{ "ipsaCredSegStorageType", "long,1", "nonVolatile" },
};

/* Scalars, none of which has a row in the policy's text. */
static const struct {
	const char *name, *value;
} scalars[] = {
	{ "diffServMultiFieldClfrNextFree", "21" },
	{ "spdIngressPolicyGroupName", "" },
	{ "spdEgressPolicyGroupName", "" },
	{ "spdTrueFilter", "1" },
	{ "spdDropAction", "1" },
	{ "spdDropActionLog", "1" },
	{ "spdAcceptAction", "1" },
	{ "spdAcceptActionLog", "1" },
	{ "ipiaIkePhase1Filter", "1" },
	{ "ipiaIkePhase2Filter", "1" },
	{ "ipiaRejectIKEAction", "1" },
	{ "ipiaRejectIKEActionLog", "1" },
	{ "ipspdDefaultWithoutPolicy", "untouched" },
	{ "ipspdDefaultResponse", "false" },
	{ "ipspdDefaultResponseAction", "" },
	{ "ipspdDefaultResponseIkeAction", "" },
	{ "ipspdNotifyInterval", "60" },
	{ "ipspdNotifyRate", "20" },
	{ "ipspdPathFragTimeout", "30" },
	{ "ipspdPathMtuAge", "600" },
	{ "ipspdPathMtuListen", "true" },
	{ "ipspdPathIcmpRate", "100" },
	{ "ipspdPathIcmpByQuote", "unmatched" },
	{ "ipspdExemptLevel", "3" },
	{ "ipspdExemptInboundMulticast", "false" },
	{ "ipspdDefaultInbound", "discard" },
	{ "ipspdDefaultOutbound", "discard" },
	{ "ipspdIcmpClear", "false" },
	{ "ipspdIcmpReassemblyTimeout", "60" },
	{ "ipspdHoldDepth", "1" },
	{ "ipspdHoldKbytes", "4096" },
	{ "ipspdHoldSeconds", "60" },
	{ "ipspdGroupDestroy", "" },
	{ "ipspdGroupDestroyWithRules", "" },
};

static void add_leaf(const struct mib_column *col, const struct mib_oid *index, const char *value)
{
	struct leaf *l = &tree[tree_n++];

	ck_assert_uint_lt(tree_n, TREE_MAX);
	l->name.len = 0;
	l->col = col;
	ck_assert(mib_oid_append(&l->name, col->table->entry_oid, col->table->entry_oid_len));
	ck_assert(mib_oid_append(&l->name, &col->id, 1));
	ck_assert(mib_oid_append(&l->name, index->ids, index->len));
	snprintf(l->value, sizeof(l->value), "%s", value);
}

/* The value that the row's text gives a column. */
static bool written(const struct fx_row *row, const char *name, char *value, size_t size)
{
	const size_t n = strlen(name);

	for (const char *at = row->columns; at != NULL; at = strchr(at, ' ')) {
		at += strspn(at, " ");
		if (strncmp(at, name, n) != 0 || at[n] != '=')
			continue;
		snprintf(value, size, "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
		return true;
	}
	return false;
}

/* Values are compared as the store prints them, so what was written is read and printed once. */
static void normalise(const struct mib_column *col, char *value, size_t size)
{
	_Alignas(8) uint8_t space[2048];
	struct mib_value v;

	ck_assert_int_eq(mib_value_parse(col, value, false, space, sizeof(space), &v, NULL), MIB_OK);
	mib_value_print(col, &v, false, value, size);
}

static void add_column(const struct fx_row *row, const struct mib_oid *index,
		       const struct mib_column *col)
{
	char value[256];
	struct mib_value v;

	if (col->access < MIB_ACC_READ)
		return;
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (strcmp(exceptions[i].column, col->name) == 0 &&
		    strcmp(exceptions[i].index, row->index) == 0) {
			add_leaf(col, index, exceptions[i].value);
			return;
		}
	}
	if (written(row, col->name, value, sizeof(value))) {
		normalise(col, value, sizeof(value));
		add_leaf(col, index, value);
	} else if (col->tc == MIB_TC_ROW_STATUS) {
		add_leaf(col, index, "active");
	} else if (col->tc == MIB_TC_TIME_STAMP) {
		add_leaf(col, index, "4000");
	} else if (mib_column_default(store, col, &v)) {
		mib_value_print(col, &v, false, value, sizeof(value));
		add_leaf(col, index, value);
	}
}

static int leaf_cmp(const void *a, const void *b)
{
	const struct leaf *la = a, *lb = b;

	return mib_oid_cmp(la->name.ids, la->name.len, lb->name.ids, lb->name.len);
}

static void make_tree(void)
{
	const struct mib_oid zero = { .len = 1 };
	char generation[16];

	tree_n = 0;
	for (const struct fx_row *row = fx_policy; row->table != NULL; row++) {
		const struct mib_table *t = mib_table_by_name(row->table);
		struct mib_oid index;

		ck_assert_int_eq(mib_index_parse(t, row->index, &index, NULL), MIB_OK);
		for (size_t i = 0; i < mib_n_tables; i++) {
			if (mib_tables[i] != t && mib_tables[i]->augments != t)
				continue;
			for (size_t k = 0; k < mib_tables[i]->n_columns; k++)
				add_column(row, &index, &mib_tables[i]->columns[k]);
		}
	}
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
		add_leaf(mib_column_by_name(scalars[i].name), &zero, scalars[i].value);
	snprintf(generation, sizeof(generation), "%u", (unsigned int)mib_store_generation(store));
	add_leaf(MIB_COL(ipspdTransactions, ipspdIfGeneration), &zero, generation);
	qsort(tree, tree_n, sizeof(tree[0]), leaf_cmp);
}

static void setup(void)
{
	fx_now_cs = 100000;
	store = fx_store();
	mib_store_set_master_start(store, 96000);
	fx_make_policy(store, NULL);
	make_tree();
}

static void teardown(void)
{
	fx_check_invariants(store);
	mib_store_free(store);
}

static void expect_leaf(const struct leaf *l, const struct mib_oid *name, const struct mib_value *v)
{
	char text[512], where[512];

	mib_oid_print(l->name.ids, l->name.len, where, sizeof(where));
	if (name != NULL)
		ck_assert_msg(mib_oid_cmp(l->name.ids, l->name.len, name->ids, name->len) == 0, "%s",
			      where);
	mib_value_print(l->col, v, false, text, sizeof(text));
	ck_assert_msg(strcmp(text, l->value) == 0, "%s: '%s' is not '%s'", where, text, l->value);
	ck_assert_int_eq(mib_value_check(l->col, v, NULL) == MIB_OK ||
			 v->octets.len == 0, true);
}

START_TEST(test_get_gives_the_expected_tree)
{
	for (size_t i = 0; i < tree_n; i++) {
		struct mib_value v;

		ck_assert_msg(mib_get(store, tree[i].name.ids, tree[i].name.len, &v) == MIB_OK,
			      "%s %s", tree[i].col->name, tree[i].value);
		expect_leaf(&tree[i], NULL, &v);
	}
}
END_TEST

START_TEST(test_getnext_walks_the_expected_tree_and_nothing_else)
{
	struct mib_oid name = { 0 };
	struct mib_value v;

	for (size_t i = 0; i < tree_n; i++) {
		ck_assert_int_eq(mib_next(store, name.ids, name.len, false, NULL, 0, &name, &v),
				 MIB_OK);
		expect_leaf(&tree[i], &name, &v);
	}
	ck_assert_int_eq(mib_next(store, name.ids, name.len, false, NULL, 0, &name, &v),
			 MIB_END_OF_VIEW);
}
END_TEST

/* The first leaf at or after, by a plain search of the expected tree. */
static size_t expected_next(const struct mib_oid *from, bool include)
{
	for (size_t i = 0; i < tree_n; i++) {
		const int c = mib_oid_cmp(tree[i].name.ids, tree[i].name.len, from->ids, from->len);

		if (c > 0 || (c == 0 && include))
			return i;
	}
	return tree_n;
}

static void expect_next(const struct mib_oid *from, bool include)
{
	const size_t i = expected_next(from, include);
	struct mib_oid name;
	struct mib_value v;
	const enum mib_err err = mib_next(store, from->ids, from->len, include, NULL, 0, &name, &v);

	ck_assert_int_eq(err, i < tree_n ? MIB_OK : MIB_END_OF_VIEW);
	if (err == MIB_OK)
		expect_leaf(&tree[i], &name, &v);
}

START_TEST(test_getnext_finds_its_place_from_any_name)
{
	for (size_t i = 0; i < tree_n; i++) {
		const struct leaf *l = &tree[i];

		/* Every prefix, and every name just beside one. */
		for (size_t n = 1; n <= l->name.len; n++) {
			struct mib_oid from = l->name;

			from.len = n;
			expect_next(&from, false);
			expect_next(&from, true);
			from.ids[n - 1]++;
			expect_next(&from, false);
			from.ids[n - 1] = UINT32_MAX;
			expect_next(&from, true);
			from.ids[n - 1] = 0;
			expect_next(&from, false);
		}

		struct mib_oid longer = l->name;
		const uint32_t zero = 0;

		ck_assert(mib_oid_append(&longer, &zero, 1));
		expect_next(&longer, false);
	}
}
END_TEST

START_TEST(test_getnext_stops_before_its_end)
{
	for (size_t i = 0; i + 1 < tree_n; i++) {
		const struct mib_oid *end = &tree[i + 1].name;
		struct mib_oid name;
		struct mib_value v;

		ck_assert_int_eq(mib_next(store, tree[i].name.ids, tree[i].name.len, false, end->ids,
					  end->len, &name, &v), MIB_END_OF_VIEW);
		ck_assert_int_eq(mib_next(store, tree[i].name.ids, tree[i].name.len, true, end->ids,
					  end->len, &name, &v), MIB_OK);
		expect_leaf(&tree[i], &name, &v);
	}
}
END_TEST

START_TEST(test_what_is_not_there_has_its_exception)
{
	static const struct {
		const char *what;
		struct mib_oid oid;
		enum mib_err err;
	} cases[] = {
		{ "outside", { 3, { 1, 3, 6 } }, MIB_NO_SUCH_OBJECT },
		{ "an entry", { 10, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1 } }, MIB_NO_SUCH_OBJECT },
		{ "no such column", { 12, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 99, 1 } },
		  MIB_NO_SUCH_OBJECT },
		{ "an index column", { 13, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 1, 1, 98 } },
		  MIB_NO_SUCH_OBJECT },
		{ "notify only", { 11, { 1, 3, 6, 1, 2, 1, 153, 2, 1, 1, 0 } },
		  MIB_NO_SUCH_OBJECT },
		{ "no such row", { 13, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 3, 1, 98 } },
		  MIB_NO_SUCH_INSTANCE },
		{ "a scalar's column", { 10, { 1, 3, 6, 1, 2, 1, 153, 1, 1, 1 } },
		  MIB_NO_SUCH_INSTANCE },
		{ "a scalar's second", { 11, { 1, 3, 6, 1, 2, 1, 153, 1, 1, 1, 1 } },
		  MIB_NO_SUCH_INSTANCE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_value v;

		ck_assert_msg(mib_get(store, cases[i].oid.ids, cases[i].oid.len, &v) == cases[i].err,
			      "%s", cases[i].what);
	}
}
END_TEST

/* ---- refusals of single values ---- */

/* One SET of one column of a row that exists or, for some tables, does not; nothing may change. */
static void expect_refusal(const struct mib_column *col, const struct mib_oid *index,
			   const struct mib_value *v, enum mib_err expected, const char *what)
{
	const uint64_t generation = mib_store_generation(store);
	const uint64_t refusals = mib_store_refusals(store);
	struct mib_txn *t = fx_begin(store);
	struct mib_diag d = { 0 };
	enum mib_err err = mib_txn_set_column(t, col, index->ids, index->len, v, &d);

	if (err == MIB_OK)
		err = mib_txn_prepare(t, &d);
	mib_txn_done(t);
	ck_assert_msg(err == expected, "%s, %s: %s, not %s (%s)", col->name, what, mib_err_name(err),
		      mib_err_name(expected), d.text);
	ck_assert_uint_eq(d.varbind, 1);
	ck_assert_msg(d.text[0] != '\0' && d.object[0] != '\0', "%s, %s", col->name, what);
	ck_assert_uint_eq(mib_store_generation(store), generation);
	ck_assert_uint_eq(mib_store_refusals(store), refusals + 1);
}

typedef void each_fn(const struct mib_column *col, const struct mib_oid *index);

/* Calls fn for every column of every table with rows, with the index of one. */
static void for_each_column(each_fn *fn)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		struct mib_oid index = { .len = 1 };
		const struct mib_table *base = t->augments != NULL ? t->augments : t;

		if (!t->is_scalars && !mib_next_index(store, base, NULL, &index))
			continue;
		for (size_t k = 0; k < t->n_columns; k++)
			fn(&t->columns[k], &index);
	}
}

static struct mib_value any_of(enum mib_syntax syntax)
{
	static const uint8_t octets[] = "text";
	static const uint32_t ids[] = { 1, 3, 6, 1 };

	switch (syntax) {
	case MIB_SYN_OCTETS:
		return mib_value_octets(octets, 4);
	case MIB_SYN_OID:
		return mib_value_oid(ids, 4);
	case MIB_SYN_COUNTER64:
		return mib_value_counter64(1);
	default:
		return (struct mib_value){ .syntax = syntax, .number = 1 };
	}
}

static void wrong_access(const struct mib_column *col, const struct mib_oid *index)
{
	const struct mib_value v = any_of(col->syntax);

	if (col->access < MIB_ACC_WRITE)
		expect_refusal(col, index, &v, MIB_NOT_WRITABLE, "not for writing");
}

static void wrong_type(const struct mib_column *col, const struct mib_oid *index)
{
	static const enum mib_syntax all[] = { MIB_SYN_INTEGER, MIB_SYN_UNSIGNED, MIB_SYN_COUNTER32,
					       MIB_SYN_COUNTER64, MIB_SYN_TIMETICKS,
					       MIB_SYN_OCTETS, MIB_SYN_OID };

	if (col->access < MIB_ACC_WRITE)
		return;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct mib_value v = any_of(all[i]);

		/* BITS travel as an OCTET STRING. */
		if (all[i] == col->syntax || (all[i] == MIB_SYN_OCTETS && col->syntax == MIB_SYN_BITS))
			continue;
		expect_refusal(col, index, &v, MIB_WRONG_TYPE, "another type");
	}
}

static void wrong_length(const struct mib_column *col, const struct mib_oid *index)
{
	static uint8_t octets[70000];

	memset(octets, 'a', sizeof(octets));
	if (col->access < MIB_ACC_WRITE || col->syntax != MIB_SYN_OCTETS)
		return;
	for (size_t i = 0; i < col->n_ranges; i++) {
		const size_t min = (size_t)col->ranges[i].min, max = (size_t)col->ranges[i].max;
		struct mib_value v = mib_value_octets(octets, max + 1);

		if (i + 1 == col->n_ranges)
			expect_refusal(col, index, &v, MIB_WRONG_LENGTH, "one octet too long");
		v.octets.len = min - 1;
		if (i == 0 && min > 0)
			expect_refusal(col, index, &v, MIB_WRONG_LENGTH, "one octet too short");
	}

	const struct mib_value v = mib_value_octets(octets, sizeof(octets));

	expect_refusal(col, index, &v, MIB_WRONG_LENGTH, "longer than any octet string");
}

static void wrong_number(const struct mib_column *col, const struct mib_oid *index)
{
	struct mib_value v = { .syntax = col->syntax };

	if (col->access < MIB_ACC_WRITE ||
	    (col->syntax != MIB_SYN_INTEGER && col->syntax != MIB_SYN_UNSIGNED))
		return;
	if (col->n_labels > 0) {
		int32_t high = 0;

		for (size_t i = 0; i < col->n_labels; i++)
			high = col->labels[i].number > high ? col->labels[i].number : high;
		v.number = (int64_t)high + 1;
		expect_refusal(col, index, &v, MIB_WRONG_VALUE, "beyond its labels");
		v.number = -1;
		expect_refusal(col, index, &v, MIB_WRONG_VALUE, "below its labels");
	}
	if (col->n_ranges > 0) {
		v.number = col->ranges[col->n_ranges - 1].max + 1;
		expect_refusal(col, index, &v, MIB_WRONG_VALUE, "above its range");
		v.number = col->ranges[0].min - 1;
		expect_refusal(col, index, &v, MIB_WRONG_VALUE, "below its range");
	}
	v.number = INT64_C(1) << 40;
	expect_refusal(col, index, &v, MIB_WRONG_VALUE, "of no 32 bits");
}

static void wrong_text(const struct mib_column *col, const struct mib_oid *index)
{
	static const char *const bad[] = { "a\x01", "\xff", "a\xc0\x80", "\xed\xa0\x80", "\xef\xbf\xbe" };

	if (col->access < MIB_ACC_WRITE ||
	    (col->tc != MIB_TC_ADMIN_STRING && col->tc != MIB_TC_IDENTITY_FILTER))
		return;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct mib_value v = mib_value_octets(bad[i], strlen(bad[i]));

		expect_refusal(col, index, &v, MIB_WRONG_VALUE, "no text");
	}
}

static void wrong_bits(const struct mib_column *col, const struct mib_oid *index)
{
	static const uint8_t all[] = { 0xff, 0xff, 0xff, 0xff };
	struct mib_value v = mib_value_octets(all, 0);

	if (col->access < MIB_ACC_WRITE || col->syntax != MIB_SYN_BITS)
		return;
	/* Spare bits of the last octet are ignored (check_txn.c); none stand between named ones. */
	v.octets.len = (col->n_labels + 7) / 8 + 1;
	expect_refusal(col, index, &v, MIB_WRONG_LENGTH, "an octet without named bits");
}

static void wrong_oid(const struct mib_column *col, const struct mib_oid *index)
{
	static const uint32_t none[] = { 3, 1, 4 }, second[] = { 1, 40, 1 };
	static const uint32_t outside[] = { 1, 3, 6, 1, 99 };
	struct mib_value v = mib_value_oid(none, 3);

	if (col->access < MIB_ACC_WRITE || col->syntax != MIB_SYN_OID)
		return;
	expect_refusal(col, index, &v, MIB_WRONG_ENCODING, "first arc");
	v = mib_value_oid(second, 3);
	expect_refusal(col, index, &v, MIB_WRONG_ENCODING, "second arc");
	v = mib_value_oid(none, 1);
	expect_refusal(col, index, &v, MIB_WRONG_ENCODING, "one arc");
	v = mib_value_oid(outside, 5);
	expect_refusal(col, index, &v, MIB_INCONSISTENT_VALUE, "a pointer out of our objects");
}

/* A value that the column's syntax and module allow; what it has now where it has something. */
static bool good_value(const struct mib_column *col, struct mib_value *v)
{
	struct mib_oid index = { .len = 1 };
	bool more = col->table->is_scalars || mib_next_index(store, col->table, NULL, &index);

	while (more) {
		if (mib_read(store, col, index.ids, index.len, v) == MIB_OK &&
		    mib_value_check(col, v, NULL) == MIB_OK)
			return true;

		const struct mib_oid at = index;

		more = !col->table->is_scalars && mib_next_index(store, col->table, &at, &index);
	}
	return false;
}

static void wrong_index(const struct mib_column *col, const struct mib_oid *index)
{
	const struct mib_table *base = col->table->augments ? col->table->augments : col->table;
	struct mib_oid bad = *index;
	const uint32_t one = 1;
	struct mib_value v;

	if (col->access < MIB_ACC_WRITE || col->tc == MIB_TC_ROW_STATUS || !good_value(col, &v))
		return;
	ck_assert(mib_oid_append(&bad, &one, 1));
	expect_refusal(col, &bad, &v, MIB_NO_CREATION, "something behind the index");
	bad.len = index->len - 1;
	expect_refusal(col, &bad, &v, MIB_NO_CREATION, "a cut index");
	bad.len = 0;
	expect_refusal(col, &bad, &v, MIB_NO_CREATION, "no index");
	bad = *index;
	bad.ids[0] = UINT32_MAX;
	expect_refusal(col, &bad, &v,
		       strcmp(base->name, "diffServMultiFieldClfrTable") == 0 ?
		       MIB_INCONSISTENT_NAME : MIB_NO_CREATION, "a huge first part");
}

static void missing_row(const struct mib_column *col, const struct mib_oid *index)
{
	struct mib_oid other = *index;
	struct mib_value v;

	if (col->access < MIB_ACC_WRITE || col->table->is_scalars || !good_value(col, &v) ||
	    col->tc == MIB_TC_ROW_STATUS)
		return;
	/* Another name of the same length, or another number: no row of the policy has it. */
	if (col->table->index[0]->syntax == MIB_SYN_OCTETS)
		other.ids[1] = '#';
	else if (col->table->index[col->table->n_index - 1]->syntax == MIB_SYN_OCTETS)
		other.ids[0] += 1000;
	else
		other.ids[other.len - 1] += 1000;
	expect_refusal(col, &other, &v, MIB_INCONSISTENT_NAME, "no such row");
}

static const struct {
	const char *name;
	each_fn *fn;
} refusals[] = {
	{ "access", wrong_access }, { "type", wrong_type },	  { "length", wrong_length },
	{ "number", wrong_number }, { "text", wrong_text },	  { "bits", wrong_bits },
	{ "oid", wrong_oid },	    { "index", wrong_index },	  { "row", missing_row },
};

START_TEST(test_every_column_refuses_what_is_wrong_and_nothing_changes)
{
	char *before = fx_dump(store);

	for_each_column(refusals[_i].fn);

	char *after = fx_dump(store);

	fx_expect_same(before, after);
	free(before);
	free(after);
}
END_TEST

START_TEST(test_unknown_names_are_not_writable)
{
	static const struct mib_oid names[] = {
		{ 3, { 1, 3, 6 } },
		{ 13, { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1, 99, 1, 98 } },
	};
	const struct mib_value v = mib_value_integer(1);

	for (size_t i = 0; i < 2; i++) {
		struct mib_txn *t = fx_begin(store);
		struct mib_diag d = { 0 };

		ck_assert_int_eq(mib_txn_set(t, names[i].ids, names[i].len, &v, &d),
				 MIB_NOT_WRITABLE);
		ck_assert_uint_eq(d.varbind, 1);
		mib_txn_done(t);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("walk");
	TCase *tc = tcase_create("every column");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_get_gives_the_expected_tree);
	tcase_add_test(tc, test_getnext_walks_the_expected_tree_and_nothing_else);
	tcase_add_test(tc, test_getnext_finds_its_place_from_any_name);
	tcase_add_test(tc, test_getnext_stops_before_its_end);
	tcase_add_test(tc, test_what_is_not_there_has_its_exception);
	tcase_add_loop_test(tc, test_every_column_refuses_what_is_wrong_and_nothing_changes, 0,
			    (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(tc, test_unknown_names_are_not_writable);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
