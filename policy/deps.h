/*
 * policy/deps.h - which results depend on which rows, there or not.
 *
 * A cell is something that was made from rows: an SA, the entry of a rule in its place. While it is
 * made, the view tells what is read (mib_reader), and the cell is filed under each of that. When a
 * row changes, all cells that have read it become dirty. Rows are known by hashes: two rows of one
 * hash make more work, never less.
 */
#ifndef POLICY_DEPS_H
#define POLICY_DEPS_H

#include <bsd/sys/queue.h>

#include "mibs/store.h"

struct pol_dep;
struct pol_deps;

/** Part of what was made. Zeroed: not filed, not dirty. */
struct pol_cell {
	TAILQ_ENTRY(pol_cell) link;	/* while dirty */
	struct pol_dep *deps;
	uint16_t n_deps;
	uint8_t kind;			/* for the owner */
	bool dirty;
};

TAILQ_HEAD(pol_cells, pol_cell);

/** NULL: no memory. */
struct pol_deps *pol_deps_new(void);
/** All cells must have been forgotten. NULL is allowed. */
void pol_deps_free(struct pol_deps *d);

/** For mib_view_told: what is read from now on. Internal, do not free. */
const struct mib_reader *pol_deps_reader(struct pol_deps *d);

/** Begins to note what is read. */
void pol_deps_begin(struct pol_deps *d);

/** Notes as a reading: rows of t whose index begins so. */
void pol_deps_read(struct pol_deps *d, const struct mib_table *t, const uint32_t *index,
		   size_t len);

/**
 * Files the cell under what was read since the beginning, and under nothing else any more.
 * @return false: no memory; it may be filed under less
 */
bool pol_deps_end(struct pol_deps *d, struct pol_cell *c);

/** The cell goes. */
void pol_deps_forget(struct pol_deps *d, struct pol_cell *c);

/** Calls each(arg, cell) for all cells that have read that row, or one of its whole table. */
void pol_deps_touch(struct pol_deps *d, const struct mib_table *t, const uint32_t *index,
		    size_t len, void (*each)(void *arg, struct pol_cell *c), void *arg);

#endif
