/*
 * tests/unit/mibs/fixture.h - stores, rows written as text, and a policy with a row in every table.
 */
#ifndef TESTS_MIBS_FIXTURE_H
#define TESTS_MIBS_FIXTURE_H

#include "mibs/store.h"

/** A row as a person would write it: columns as "name=value" with blanks between; values without. */
struct fx_row {
	const char *table;
	const char *index;
	const char *columns;
};

/**
 * A legal policy in order of reference: what is named comes before what names it. Every table with
 * a RowStatus has at least one row in it; ends with a row whose table is NULL.
 */
extern const struct fx_row fx_policy[];

/** The test's clock, in centiseconds. */
extern uint64_t fx_now_cs;
uint64_t fx_clock(void);

/** A store without a journal. */
struct mib_store *fx_store(void);

/** A journal that counts, and refuses its call number `refuse_at` (1: the next). */
struct fx_journal {
	struct mib_journal journal;
	unsigned int calls;
	unsigned int refuse_at;
	size_t last_n;
	uint64_t last_generation;
};
void fx_journal_init(struct fx_journal *j);

/** Stages a row's columns, and RowStatus when status is not 0. */
enum mib_err fx_stage(struct mib_txn *t, const struct fx_row *row, int status, struct mib_diag *d);

/** Stages "column=value" pairs of an existing or new row; aborts on a text that does not parse. */
enum mib_err fx_stage_columns(struct mib_txn *t, const char *table, const char *index,
			      const char *columns, struct mib_diag *d);

/** One transaction with one row: stage, prepare, commit. What went wrong first is returned. */
enum mib_err fx_make(struct mib_store *s, const struct fx_row *row, int status, struct mib_diag *d);

/** One transaction that sets columns and, when it is not 0, the status of one row. */
enum mib_err fx_set(struct mib_store *s, const char *table, const char *index, const char *columns,
		    int status, struct mib_diag *d);

/** Ends a transaction as prepare and commit would; done in any case. */
enum mib_err fx_finish(struct mib_txn *t, struct mib_diag *d);

/** Begins a transaction; aborts when it cannot. */
struct mib_txn *fx_begin(struct mib_store *s);

/** Makes rows of fx_policy up to and including the first of that table; NULL: all. */
void fx_make_policy(struct mib_store *s, const char *until_table);

/** RowStatus as read, or 0 when there is no such row. */
int fx_status(struct mib_store *s, const char *table, const char *index);

/** The value as text, or "(none)"; good until the next call. */
const char *fx_get(struct mib_store *s, const char *column, const char *index);

/** All that can be read but the generation, and which rows there are, as one allocated text. */
char *fx_dump(struct mib_store *s);

/** Aborts the test at the first line in which two dumps differ. */
void fx_expect_same(const char *a, const char *b);

/** Aborts the test when the store's trees and counts contradict one another. */
void fx_check_invariants(struct mib_store *s);

#endif
