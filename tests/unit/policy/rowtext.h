/*
 * tests/unit/policy/rowtext.h - a real store with the binders, fed by lines of text.
 *
 * A text is one transaction; a line is one row:
 *
 *     + rule bypass Filter=spdTrueFilter.0 Action=spdAcceptAction.0      createAndGo
 *     ~ rule later Action=spdDropAction.0                                createAndWait
 *     = rule bypass AdminStatus=disabled                                 set columns only
 *     - rule bypass                                                      destroy
 *
 * Tables have short names (see table_names), columns are named by their ends. Values are written
 * as at the command line, without spaces; 0x.. are octets, 0x..*N is N times those octets. Of a column
 * that a line gives twice the last value counts.
 */
#ifndef TESTS_POLICY_ROWTEXT_H
#define TESTS_POLICY_ROWTEXT_H

#include "boxset.h"
#include "policy/policy.h"

/** A store without a journal, all binders in. Aborts the test on failure. */
struct mib_store *store_new(void);

/** One assignment; the value lives until it returns. Anything but MIB_OK ends the reading. */
typedef enum mib_err rows_assign(void *arg, const struct mib_column *col,
				 const struct mib_oid *index, const struct mib_value *v,
				 struct mib_diag *d);

/** Tells the assignments of a text, RowStatus last in each row. */
enum mib_err rows_each(const char *text, rows_assign *assign, void *arg, struct mib_diag *d);

/** Stages and, if prepare likes it, commits the text. */
enum mib_err rows_try(struct mib_store *s, const char *text, struct mib_diag *d);

/** The same; the test fails, with the reason, if the text is refused. */
void rows_put(struct mib_store *s, const char *text);

/** A value that cannot be read from disk, by short table name, index and the column's end. */
struct loss {
	const char *table;
	const char *index;
	const char *column;
};

/**
 * What a restart makes of a store: all its rows go through a load into a new one, but for volatile
 * rows and one value. Frees s.
 * @param loss  NULL, or its table NULL: every value can be read
 */
struct mib_store *store_restart(struct mib_store *s, const struct loss *loss);

/** The row of a short table name and index, or NULL. */
const struct mib_row *row_of(struct mib_store *s, const char *table, const char *index);

/** Compiles what is committed, as it is at that time; without one, at the beginning of 1970. */
struct pol_generation *compile_at(struct mib_store *s, int64_t now_s);
struct pol_generation *compile(struct mib_store *s);

/** The list of that interface and direction, or NULL; good as long as g is. */
const struct ipsp_spd_list *list_of(const struct pol_generation *g, uint32_t ifindex,
				    enum ipsp_dir dir);

/** The SA at that position, by id. */
const struct ipsp_sa_config *sa_at(const struct pol_generation *g, size_t nr);

/** The first entry that matches; NULL: the end of the list, discard. */
const struct ipsp_spd_entry *first_match(const struct ipsp_spd_list *l, const struct packet *p);

/** What happens to the packet: enum ipsp_action. */
int verdict(const struct ipsp_spd_list *l, const struct packet *p);

/** A packet with ports (or IPSP_PORT_NONE) between two addresses in text. */
struct packet packet(const char *src, const char *dst, uint8_t proto, uint32_t sport,
		     uint32_t dport);

/** The reason why a row is not in force, "" if the compiler has no problem with it. */
const char *problem_of(struct mib_store *s, const struct pol_generation *g, const char *table,
		       const char *index);

#endif
