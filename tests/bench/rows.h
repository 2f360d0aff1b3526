/*
 * tests/bench/rows.h - what benchmarks of the MIB state share: transactions that must succeed.
 *
 * Whatever is refused ends the program with the reason.
 */
#ifndef TESTS_BENCH_ROWS_H
#define TESTS_BENCH_ROWS_H

#include "mibs/store.h"

/** A clock that stands still: what is measured asks for no time. */
uint64_t rows_no_clock(void);

void rows_must(enum mib_err err, const struct mib_diag *d);

/** Begins a transaction; rows_finish commits and ends it. */
struct mib_txn *rows_begin(struct mib_store *s);
void rows_finish(struct mib_txn *t);

void rows_set(struct mib_txn *t, const struct mib_column *col, const uint32_t *index, size_t len,
	      struct mib_value v);

#endif
