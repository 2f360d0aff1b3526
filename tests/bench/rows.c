/*
 * tests/bench/rows.c - transactions of benchmarks: see rows.h.
 */
#include "tests/bench/rows.h"

#include "tests/bench/bench.h"

uint64_t rows_no_clock(void)
{
	return 1;
}

void rows_must(enum mib_err err, const struct mib_diag *d)
{
	if (err != MIB_OK)
		bench_must(false, d->text);
}

struct mib_txn *rows_begin(struct mib_store *s)
{
	struct mib_txn *t;

	bench_must(mib_txn_begin(s, MIB_DOOR_SYSTEM, "bench", &t) == MIB_OK, "busy");
	return t;
}

void rows_finish(struct mib_txn *t)
{
	struct mib_diag d = { 0 };

	rows_must(mib_txn_prepare(t, &d), &d);
	rows_must(mib_txn_commit(t, &d), &d);
	mib_txn_done(t);
}

void rows_set(struct mib_txn *t, const struct mib_column *col, const uint32_t *index, size_t len,
	      struct mib_value v)
{
	struct mib_diag d = { 0 };

	rows_must(mib_txn_set_column(t, col, index, len, &v, &d), &d);
}
