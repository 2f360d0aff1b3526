/*
 * tests/unit/mibs/check_walk_grid.c - every table's rows through RFC 2579's whole diagram, and
 * through the failure of every phase and every allocation.
 *
 * What each table's row needs first is what stands before it in the fixture's policy.
 */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "mibs/mem.h"
#include "mibs/schema_gen.h"
#include "suite.h"

#define OTHER 0		/* not RowStatus but another column is set */

/* The first row of each table in the policy. */
static const struct fx_row *subjects[64];
static size_t n_subjects;

static void find_subjects(void)
{
	for (const struct fx_row *row = fx_policy; row->table != NULL; row++) {
		bool known = false;

		for (size_t i = 0; i < n_subjects; i++)
			known = known || strcmp(subjects[i]->table, row->table) == 0;
		if (!known)
			subjects[n_subjects++] = row;
	}
}

/*
 * Tables whose rows need nothing to be complete: an empty row of theirs is never notReady. From the
 * modules: no column without DEFVAL or decided default is mandatory, and no reference is.
 */
static const char *const never_unready[] = {
	"spdTimeFilterTable", "spdCompoundFilterTable", "spdCompoundActionTable",
	"ipiaSaNegotiationParametersTable", "ipiaIkeIdentityTable", "ipiaCredMngCRLTable",
	"ipiaRevokedCertificateTable",
};

static bool is_never_unready(const char *table)
{
	for (size_t i = 0; i < sizeof(never_unready) / sizeof(never_unready[0]); i++) {
		if (strcmp(never_unready[i], table) == 0)
			return true;
	}
	return false;
}

/* The owner of a list keeps its last member while it is active, so it is taken out of service. */
static const struct {
	const char *member, *owner, *index;
} owners[] = {
	{ "spdSubfiltersTable", "spdCompoundFilterTable", "both" },
	{ "spdSubactionsTable", "spdCompoundActionTable", "vpn-b" },
	{ "ipiaIkeActionProposalsTable", "ipiaIkeActionTable", "ike-b" },
};

/* A store with all that the subject needs, but without it. */
static struct mib_store *store_before(const struct fx_row *subject)
{
	struct mib_store *s = fx_store();

	for (const struct fx_row *row = fx_policy; row != subject; row++) {
		const bool whole = strcmp(row->index, "long") != 0;

		ck_assert_int_eq(fx_make(s, row, whole ? MIB_RS_CREATE_AND_GO :
						  MIB_RS_CREATE_AND_WAIT, NULL), MIB_OK);
	}
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (strcmp(owners[i].member, subject->table) == 0)
			ck_assert_int_eq(fx_set(s, owners[i].owner, owners[i].index, "",
						MIB_RS_NOT_IN_SERVICE, NULL), MIB_OK);
	}
	return s;
}

static void bring_to(struct mib_store *s, const struct fx_row *row, int state)
{
	enum mib_err err = MIB_OK;

	switch (state) {
	case MIB_RS_NOT_READY:
		err = fx_set(s, row->table, row->index, "", MIB_RS_CREATE_AND_WAIT, NULL);
		break;
	case MIB_RS_NOT_IN_SERVICE:
		err = fx_make(s, row, MIB_RS_CREATE_AND_WAIT, NULL);
		break;
	case MIB_RS_ACTIVE:
		err = fx_make(s, row, MIB_RS_CREATE_AND_GO, NULL);
		break;
	default:
		break;
	}
	ck_assert_msg(err == MIB_OK && fx_status(s, row->table, row->index) == state, "%s to %d",
		      row->table, state);
}

/* RFC 2579 RowStatus. state 0: the row does not exist. columns: the PDU completes the row. */
static const struct {
	int state, asked;
	bool columns;
	enum mib_err err;
	int then;
} grid[] = {
	{ 0, MIB_RS_CREATE_AND_GO, true, MIB_OK, MIB_RS_ACTIVE },
	{ 0, MIB_RS_CREATE_AND_GO, false, MIB_INCONSISTENT_VALUE, 0 },
	{ 0, MIB_RS_CREATE_AND_WAIT, true, MIB_OK, MIB_RS_NOT_IN_SERVICE },
	{ 0, MIB_RS_CREATE_AND_WAIT, false, MIB_OK, MIB_RS_NOT_READY },
	{ 0, MIB_RS_ACTIVE, true, MIB_INCONSISTENT_VALUE, 0 },
	{ 0, MIB_RS_NOT_IN_SERVICE, true, MIB_INCONSISTENT_VALUE, 0 },
	{ 0, MIB_RS_NOT_READY, true, MIB_WRONG_VALUE, 0 },
	{ 0, MIB_RS_DESTROY, false, MIB_OK, 0 },
	{ 0, MIB_RS_DESTROY, true, MIB_OK, 0 },
	{ 0, OTHER, true, MIB_INCONSISTENT_NAME, 0 },

	{ MIB_RS_NOT_READY, MIB_RS_CREATE_AND_GO, true, MIB_INCONSISTENT_VALUE, MIB_RS_NOT_READY },
	{ MIB_RS_NOT_READY, MIB_RS_CREATE_AND_WAIT, true, MIB_INCONSISTENT_VALUE,
	  MIB_RS_NOT_READY },
	{ MIB_RS_NOT_READY, MIB_RS_ACTIVE, false, MIB_INCONSISTENT_VALUE, MIB_RS_NOT_READY },
	{ MIB_RS_NOT_READY, MIB_RS_ACTIVE, true, MIB_OK, MIB_RS_ACTIVE },
	{ MIB_RS_NOT_READY, MIB_RS_NOT_IN_SERVICE, false, MIB_INCONSISTENT_VALUE,
	  MIB_RS_NOT_READY },
	{ MIB_RS_NOT_READY, MIB_RS_NOT_IN_SERVICE, true, MIB_OK, MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_NOT_READY, MIB_RS_NOT_READY, false, MIB_WRONG_VALUE, MIB_RS_NOT_READY },
	{ MIB_RS_NOT_READY, MIB_RS_DESTROY, false, MIB_OK, 0 },
	{ MIB_RS_NOT_READY, OTHER, true, MIB_OK, MIB_RS_NOT_IN_SERVICE },

	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_CREATE_AND_GO, false, MIB_INCONSISTENT_VALUE,
	  MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_CREATE_AND_WAIT, false, MIB_INCONSISTENT_VALUE,
	  MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_ACTIVE, false, MIB_OK, MIB_RS_ACTIVE },
	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_NOT_IN_SERVICE, false, MIB_OK, MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_NOT_READY, false, MIB_WRONG_VALUE, MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_NOT_IN_SERVICE, MIB_RS_DESTROY, false, MIB_OK, 0 },
	{ MIB_RS_NOT_IN_SERVICE, OTHER, true, MIB_OK, MIB_RS_NOT_IN_SERVICE },

	{ MIB_RS_ACTIVE, MIB_RS_CREATE_AND_GO, true, MIB_INCONSISTENT_VALUE, MIB_RS_ACTIVE },
	{ MIB_RS_ACTIVE, MIB_RS_CREATE_AND_WAIT, true, MIB_INCONSISTENT_VALUE, MIB_RS_ACTIVE },
	{ MIB_RS_ACTIVE, MIB_RS_ACTIVE, false, MIB_OK, MIB_RS_ACTIVE },
	{ MIB_RS_ACTIVE, MIB_RS_NOT_IN_SERVICE, false, MIB_OK, MIB_RS_NOT_IN_SERVICE },
	{ MIB_RS_ACTIVE, MIB_RS_NOT_READY, false, MIB_WRONG_VALUE, MIB_RS_ACTIVE },
	{ MIB_RS_ACTIVE, MIB_RS_DESTROY, false, MIB_OK, 0 },
	{ MIB_RS_ACTIVE, OTHER, true, MIB_OK, MIB_RS_ACTIVE },
};

/* In tables whose empty rows are complete, what depends on completeness comes out otherwise. */
static bool applies(size_t g, const char *table, int *then)
{
	*then = grid[g].then;
	if (!is_never_unready(table))
		return true;
	if (grid[g].state == MIB_RS_NOT_READY)
		return false;
	if (grid[g].asked == MIB_RS_CREATE_AND_GO && grid[g].state == 0 && !grid[g].columns)
		return false;
	if (*then == MIB_RS_NOT_READY)
		*then = MIB_RS_NOT_IN_SERVICE;
	return true;
}

static void walk_grid(const struct fx_row *row)
{
	for (size_t g = 0; g < sizeof(grid) / sizeof(grid[0]); g++) {
		struct mib_store *s;
		struct mib_diag d = { 0 };
		int then;

		if (!applies(g, row->table, &then))
			continue;
		s = store_before(row);
		bring_to(s, row, grid[g].state);

		char *before = fx_dump(s);
		const enum mib_err err = fx_set(s, row->table, row->index,
						grid[g].columns ? row->columns : "",
						grid[g].asked, &d);

		ck_assert_msg(err == grid[g].err, "%s, state %d, asked %d%s: %s (%s)", row->table,
			      grid[g].state, grid[g].asked, grid[g].columns ? " with columns" : "",
			      mib_err_name(err), d.text);
		ck_assert_msg(fx_status(s, row->table, row->index) == then,
			      "%s, state %d, asked %d%s: then %d", row->table, grid[g].state,
			      grid[g].asked, grid[g].columns ? " with columns" : "",
			      fx_status(s, row->table, row->index));
		if (err != MIB_OK) {
			char *after = fx_dump(s);

			fx_expect_same(before, after);
			ck_assert_uint_gt(d.varbind, 0);
			ck_assert(d.text[0] != '\0');
			free(after);
		}
		fx_check_invariants(s);
		free(before);
		mib_store_free(s);
	}
}

START_TEST(test_rows_of_every_table_live_as_rfc_2579_draws)
{
	walk_grid(subjects[_i]);
}
END_TEST

START_TEST(test_every_table_with_rowstatus_is_walked)
{
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_column *storage = mib_table_column_tc(mib_tables[i],
								       MIB_TC_STORAGE_TYPE);
		bool walked = false;

		/* What is never kept has no journal to fail. */
		if (mib_table_column_tc(mib_tables[i], MIB_TC_ROW_STATUS) == NULL ||
		    (storage != NULL && storage->def.number == MIB_ST_VOLATILE))
			continue;
		for (size_t k = 0; k < n_subjects; k++)
			walked = walked || mib_table_by_name(subjects[k]->table) == mib_tables[i];
		ck_assert_msg(walked, "%s", mib_tables[i]->name);
	}
}
END_TEST

/* The same row, made in a store whose journal is given. */
static struct mib_store *journalled(const struct fx_row *subject, struct fx_journal *j)
{
	struct mib_store *s = NULL;

	fx_journal_init(j);
	ck_assert_int_eq(mib_store_new(&j->journal, fx_clock, &s), MIB_OK);
	for (const struct fx_row *row = fx_policy; row != subject; row++)
		ck_assert_int_eq(fx_make(s, row, strcmp(row->index, "long") != 0 ?
					 MIB_RS_CREATE_AND_GO : MIB_RS_CREATE_AND_WAIT, NULL),
				 MIB_OK);
	return s;
}

START_TEST(test_a_disk_that_refuses_leaves_everything_as_it_was)
{
	const struct fx_row *row = subjects[_i];
	struct fx_journal j;
	struct mib_store *s = journalled(row, &j);
	char *before = fx_dump(s);
	const uint64_t generation = mib_store_generation(s);
	struct mib_diag d = { 0 };

	j.refuse_at = 1;
	ck_assert_int_eq(fx_make(s, row, MIB_RS_CREATE_AND_WAIT, &d), MIB_COMMIT_FAILED);
	ck_assert_str_eq(d.text, "the test's disk is full");

	char *after = fx_dump(s);

	fx_expect_same(before, after);
	ck_assert_uint_eq(mib_store_generation(s), generation);
	fx_check_invariants(s);
	free(before);
	free(after);
	mib_store_free(s);
}
END_TEST

START_TEST(test_undo_restores_and_a_disk_that_refuses_it_keeps_the_commit)
{
	const struct fx_row *row = subjects[_i];
	struct fx_journal j;
	struct mib_store *s = journalled(row, &j);
	char *before = fx_dump(s), *committed, *after;
	const uint64_t generation = mib_store_generation(s);
	struct mib_txn *t = fx_begin(s);

	ck_assert_int_eq(fx_stage(t, row, MIB_RS_CREATE_AND_WAIT, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_prepare(t, NULL), MIB_OK);
	ck_assert_int_eq(mib_txn_commit(t, NULL), MIB_OK);
	committed = fx_dump(s);
	j.refuse_at = 1;
	ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_UNDO_FAILED);
	after = fx_dump(s);
	fx_expect_same(committed, after);
	free(after);
	/* It may be asked again; the disk takes it now. */
	ck_assert_int_eq(mib_txn_undo(t, NULL), MIB_OK);
	ck_assert_uint_eq(j.last_generation, generation + 2);
	mib_txn_done(t);
	after = fx_dump(s);
	fx_expect_same(before, after);
	ck_assert_uint_eq(mib_store_generation(s), generation + 2);
	fx_check_invariants(s);
	free(before);
	free(committed);
	free(after);
	mib_store_free(s);
}
END_TEST

START_TEST(test_no_failed_allocation_changes_anything)
{
	const struct fx_row *row = subjects[_i];
	struct mib_store *s = store_before(row);
	char *before = fx_dump(s);
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;

	for (unsigned long n = 1; err != MIB_OK; n++) {
		struct mib_diag d = { 0 };
		struct mib_txn *t = NULL;

		ck_assert_uint_lt(n, 500);
		mib_mem_fail_at(n);
		err = mib_txn_begin(s, MIB_DOOR_SNMP, "test", &t);
		if (err == MIB_OK) {
			err = fx_stage(t, row, MIB_RS_CREATE_AND_WAIT, &d);
			if (err == MIB_OK)
				err = mib_txn_prepare(t, &d);
			/* What is prepared can be committed without memory. */
			if (err == MIB_OK) {
				mib_mem_fail_at(1);
				ck_assert_int_eq(mib_txn_commit(t, &d), MIB_OK);
				ck_assert_int_eq(mib_txn_undo(t, &d), MIB_OK);
				mib_mem_fail_at(0);
			} else {
				ck_assert_int_eq(err, MIB_RESOURCE_UNAVAILABLE);
				ck_assert_str_eq(d.text, "out of memory");
			}
			mib_txn_done(t);
		}
		mib_mem_fail_at(0);

		char *after = fx_dump(s);

		fx_expect_same(before, after);
		free(after);
	}
	fx_check_invariants(s);
	free(before);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("walk_grid");
	TCase *tc = tcase_create("every table");

	find_subjects();
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_every_table_with_rowstatus_is_walked);
	tcase_add_loop_test(tc, test_rows_of_every_table_live_as_rfc_2579_draws, 0,
			    (int)n_subjects);
	tcase_add_loop_test(tc, test_a_disk_that_refuses_leaves_everything_as_it_was, 0,
			    (int)n_subjects);
	tcase_add_loop_test(tc, test_undo_restores_and_a_disk_that_refuses_it_keeps_the_commit, 0,
			    (int)n_subjects);
	tcase_add_loop_test(tc, test_no_failed_allocation_changes_anything, 0, (int)n_subjects);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
