/*
 * tests/unit/mibs/check_model.c - random transactions against a naive model of what must come out.
 *
 * The model knows four tables and decides by plain loops over arrays what the store finds through
 * its trees. The seed is fixed and printed, so that what fails once fails again.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/schema_gen.h"
#include "suite.h"

#define N 4	/* names of each kind */

/* A row of the model: is it there, active, and whom does it name (0: unset)? */
struct model_row {
	bool there, active;
	int names;
};

/*
 * Rules name a time filter 1..N; contents (group, priority 1..2) name a rule; endpoints (interface)
 * name a group.
 */
struct model {
	struct model_row filter[N + 1];
	struct model_row rule[N + 1];
	struct model_row contents[N + 1][3];
	struct model_row endpoint[N + 1];
};

enum kind { FILTER, RULE, CONTENTS, ENDPOINT, KINDS };

struct op {
	enum kind kind;
	int a, b;		/* index */
	int names;		/* 0: not set */
	int status;		/* 0: not set */
};

static uint32_t seed;

static int pick(int n)
{
	seed = seed * 1664525 + 1013904223;
	return (int)(seed >> 16) % n;
}

static struct op random_op(void)
{
	static const int statuses[] = { 0, 1, 2, 4, 4, 4, 5, 6, 6 };
	struct op op = { .kind = (enum kind)pick(KINDS), .a = 1 + pick(N), .b = 1 + pick(2) };

	op.status = statuses[pick(9)];
	op.names = op.kind == FILTER ? 0 : pick(N + 2) % (N + 1);
	if (op.status == 0 && op.names == 0)
		op.status = MIB_RS_DESTROY;
	return op;
}

static struct model_row *row_of(struct model *m, const struct op *op)
{
	switch (op->kind) {
	case FILTER:
		return &m->filter[op->a];
	case RULE:
		return &m->rule[op->a];
	case CONTENTS:
		return &m->contents[op->a][op->b];
	default:
		return &m->endpoint[op->a];
	}
}

static bool group_is_active(const struct model *m, int group)
{
	return m->contents[group][1].active || m->contents[group][2].active;
}

/* May a row of that kind be active, naming that? */
static bool may_be_active(const struct model *m, enum kind kind, int names)
{
	switch (kind) {
	case FILTER:
		return true;
	case RULE:
		return names != 0 && m->filter[names].active;
	case CONTENTS:
		return names != 0 && m->rule[names].active;
	default:
		return names != 0 && group_is_active(m, names);
	}
}

/* No active row refers to one that is not. */
static bool model_is_legal(const struct model *m)
{
	for (int i = 1; i <= N; i++) {
		if (m->rule[i].active && !may_be_active(m, RULE, m->rule[i].names))
			return false;
		if (m->endpoint[i].active && !may_be_active(m, ENDPOINT, m->endpoint[i].names))
			return false;
		for (int k = 1; k <= 2; k++) {
			if (m->contents[i][k].active &&
			    !may_be_active(m, CONTENTS, m->contents[i][k].names))
				return false;
		}
	}
	return true;
}

/* One assignment, by RFC 2579's diagram; what depends on other rows is judged at the end. */
static bool model_apply(const struct model *was, struct model *m, const struct op *op)
{
	const struct model_row before = *row_of((struct model *)(uintptr_t)was, op);
	struct model_row *r = row_of(m, op);

	if (!before.there) {
		if (op->status == MIB_RS_DESTROY)
			return true;
		if (op->status != MIB_RS_CREATE_AND_GO && op->status != MIB_RS_CREATE_AND_WAIT)
			return false;
		*r = (struct model_row){ true, op->status == MIB_RS_CREATE_AND_GO, op->names };
		return true;
	}
	if (op->names != 0)
		r->names = op->names;
	switch (op->status) {
	case 0:
		return true;
	case MIB_RS_ACTIVE:
		r->active = true;
		return true;
	case MIB_RS_NOT_IN_SERVICE:
		r->active = false;
		return true;
	case MIB_RS_DESTROY:
		*r = (struct model_row){ 0 };
		return true;
	default:
		return false;
	}
}

/* What needs the whole result: completed rows, and pointers at rows that must exist. */
static bool model_judge(const struct model *was, const struct model *m, const struct op *ops,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct model_row before = *row_of((struct model *)(uintptr_t)was, &ops[i]);
		const struct model_row r = *row_of((struct model *)(uintptr_t)m, &ops[i]);

		if (ops[i].kind == RULE && ops[i].names != 0 && r.there &&
		    !m->filter[ops[i].names].there)
			return false;
		/* notInService of a row that is notReady needs it to be complete. */
		if (before.there && !before.active && ops[i].status == MIB_RS_NOT_IN_SERVICE &&
		    !may_be_active(was, ops[i].kind, before.names) &&
		    !may_be_active(m, ops[i].kind, r.names))
			return false;
	}
	return model_is_legal(m);
}

static void op_text(const struct op *op, const char **table, char *index, size_t index_size,
		    char *columns, size_t size)
{
	static const char *const tables[] = { "spdTimeFilterTable", "spdRuleDefinitionTable",
					      "spdGroupContentsTable", "spdEndpointToGroupTable" };

	*table = tables[op->kind];
	columns[0] = '\0';
	switch (op->kind) {
	case FILTER:
		snprintf(index, index_size, "f%d", op->a);
		break;
	case RULE:
		snprintf(index, index_size, "r%d", op->a);
		if (op->names != 0)
			snprintf(columns, size, "spdRuleDefFilter=spdTimeFiltPeriod.\"f%d\" "
				 "spdRuleDefAction=spdDropAction.0", op->names);
		break;
	case CONTENTS:
		snprintf(index, index_size, "g%d,%d", op->a, op->b);
		if (op->names != 0)
			snprintf(columns, size, "spdGroupContComponentName=r%d", op->names);
		break;
	default:
		snprintf(index, index_size, "inbound,%d", op->a);
		if (op->names != 0)
			snprintf(columns, size, "spdEndGroupName=g%d", op->names);
	}
}

static void compare(struct mib_store *s, const struct model *m, enum kind kind, int a, int b)
{
	const struct op op = { .kind = kind, .a = a, .b = b };
	const struct model_row r = *row_of((struct model *)(uintptr_t)m, &op);
	char index[32], columns[128];
	const char *table;
	int expected = 0;

	op_text(&op, &table, index, sizeof(index), columns, sizeof(columns));
	if (r.there && r.active)
		expected = MIB_RS_ACTIVE;
	else if (r.there)
		expected = may_be_active(m, kind, r.names) ? MIB_RS_NOT_IN_SERVICE :
							      MIB_RS_NOT_READY;
	ck_assert_msg(fx_status(s, table, index) == expected, "%s.%s is %d, not %d", table, index,
		      fx_status(s, table, index), expected);
}

static void compare_all(struct mib_store *s, const struct model *m)
{
	for (int a = 1; a <= N; a++) {
		compare(s, m, FILTER, a, 0);
		compare(s, m, RULE, a, 0);
		compare(s, m, CONTENTS, a, 1);
		compare(s, m, CONTENTS, a, 2);
		compare(s, m, ENDPOINT, a, 0);
	}
}

static bool same_row(const struct op *a, const struct op *b)
{
	return a->kind == b->kind && a->a == b->a && (a->kind != CONTENTS || a->b == b->b);
}

/* Up to five rows a transaction, each row once. */
static size_t random_ops(struct op *ops)
{
	const size_t want = 1 + (size_t)pick(5);
	size_t n = 0;

	while (n < want) {
		bool again = false;

		ops[n] = random_op();
		for (size_t i = 0; i < n; i++)
			again = again || same_row(&ops[i], &ops[n]);
		n += again ? 0 : 1;
	}
	return n;
}

static enum mib_err run(struct mib_store *s, const struct op *ops, size_t n, bool undo)
{
	struct mib_txn *t = fx_begin(s);
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < n && err == MIB_OK; i++) {
		char index[32], columns[128];
		struct fx_row row = { .index = index, .columns = columns };

		op_text(&ops[i], &row.table, index, sizeof(index), columns, sizeof(columns));
		err = fx_stage(t, &row, ops[i].status, NULL);
	}
	if (err == MIB_OK)
		err = mib_txn_prepare(t, NULL);
	if (err == MIB_OK)
		err = mib_txn_commit(t, NULL);
	if (err == MIB_OK && undo)
		ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_OK);
	mib_txn_done(t);
	return err;
}

START_TEST(test_random_transactions_do_what_the_model_does)
{
	struct mib_store *s = fx_store();
	struct model m = { 0 };
	unsigned int taken = 0;

	seed = 4807u + (uint32_t)_i;
	for (int round = 0; round < 800; round++) {
		struct model next = m;
		struct op ops[5];
		const size_t n = random_ops(ops);
		const bool undo = pick(10) == 0;
		bool good = true;
		enum mib_err err;

		for (size_t i = 0; i < n; i++)
			good = model_apply(&m, &next, &ops[i]) && good;
		good = good && model_judge(&m, &next, ops, n);
		err = run(s, ops, n, undo);
		ck_assert_msg((err == MIB_OK) == good, "seed %d, round %d: %s", _i, round,
			      mib_err_name(err));
		if (good && !undo)
			m = next;
		taken += good ? 1 : 0;
		compare_all(s, &m);
		if (round % 50 == 0)
			fx_check_invariants(s);
	}
	/* Both outcomes have been seen often enough to mean something. */
	ck_assert_uint_gt(taken, 80);
	ck_assert_uint_lt(taken, 720);
	fx_check_invariants(s);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("model");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_random_transactions_do_what_the_model_does, 0, 4);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
