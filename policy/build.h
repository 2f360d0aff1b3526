/*
 * policy/build.h - what one cell of a policy gives while it is made: origins and problems of rows.
 *
 * Used by compile.c, group.c and action.c only. Cells share what they say of a row on a board, so
 * that the same is said once, and until the last of them takes it back. A call that finds no memory
 * says so; the compiler throws everything away then.
 */
#ifndef POLICY_BUILD_H
#define POLICY_BUILD_H

#include "policy/items.h"
#include "policy/rows.h"

struct pol_build;

/** What cells say now. */
struct pol_board {
	struct pol_map origins;
	struct pol_map problems;
};

/** What one cell has said: internal. Zeroed: nothing. */
struct pol_said {
	void **items;
	uint32_t n_origins, n_problems;
};

/** @param v, board  borrowed. NULL: no memory. */
struct pol_build *pol_build_new(const struct mib_view *v, struct pol_board *board);
/** NULL is allowed. */
void pol_build_free(struct pol_build *b);

/** Begins a cell: nothing was said. */
void pol_build_begin(struct pol_build *b);

/**
 * Ends it: what was said since the beginning takes the place of what it had said.
 * @return false: no memory; the board is of no use any more
 */
bool pol_build_end(struct pol_build *b, struct pol_said *said);

/** The cell goes, with what it said. @return false: as above */
bool pol_build_forget(struct pol_build *b, struct pol_said *said);

const struct mib_view *pol_build_view(const struct pol_build *b);

/** The moment it is made for, in seconds since 1970 UTC. 0 until set. */
void pol_build_set_now(struct pol_build *b, int64_t now_s);
int64_t pol_build_now(const struct pol_build *b);

/** Something in it changes at that moment. */
void pol_build_changes_at(struct pol_build *b, int64_t at_s);

/**
 * The system's own addresses, and that this cell depends on them.
 * @return false: they are not known
 */
bool pol_build_addresses(const struct pol_build *b, const struct ipsp_addr **v, size_t *n);

/** From now on. v: borrowed until the next time; NULL: they are not known */
void pol_build_set_addresses(struct pol_build *b, const struct ipsp_addr *v, size_t n);

/** What stands for them where dependencies are noted: no row has that index. */
extern const uint32_t pol_addresses_index[1];

/** The first moment of those told since it was set; POL_NEVER: none. */
int64_t pol_build_next_change(const struct pol_build *b);
void pol_build_set_next_change(struct pol_build *b, int64_t at_s);

/**
 * The origin of a row, said by this cell. Internal, do not free; sa_id may be set.
 * @return NULL: no memory
 */
struct pol_origin *pol_build_origin(struct pol_build *b, const struct mib_row *r);

/** The origin of a static action: its index is the scalar's arc and 0. NULL: no memory */
struct pol_origin *pol_build_scalar(struct pol_build *b, const struct mib_column *scalar);

/**
 * The id of a row of ipsaSaPreconfiguredActionTable, and that of its SA; 0: it is not in force.
 * @return false: no memory
 */
bool pol_build_sa(const struct pol_build *b, const struct mib_row *r, uint64_t *id,
		  uint64_t *sa_id);

/** Has any cell said an origin of the row? @return false: no memory */
bool pol_build_has_origin(const struct pol_build *b, const struct mib_row *r, bool *has);

/**
 * Notes why a row is not in force; the first reason of a cell for a row stays. Reads as a sentence
 * without its subject: "uses a time filter ...".
 * @return false: no memory
 */
bool pol_build_problem(struct pol_build *b, const struct mib_row *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Notes of a lost row why it is not active. @return false: no memory */
bool pol_build_lost(struct pol_build *b, const struct mib_row *r);

#endif
