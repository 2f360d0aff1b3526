/*
 * persist_fake.h - a schema and a store just large enough to judge mibs/persist.c alone: one column
 * of every syntax, a secret, an augmenting table, scalars.
 */
#ifndef PERSIST_FAKE_H
#define PERSIST_FAKE_H

#include "mibs/persist.h"

enum {
	FAKE_INDEX,
	FAKE_INTEGER,
	FAKE_UNSIGNED,
	FAKE_COUNTER32,
	FAKE_COUNTER64,
	FAKE_TICKS,
	FAKE_OCTETS,
	FAKE_BITS,
	FAKE_OID,
	FAKE_SECRET,
	FAKE_LAST_CHANGED,
	FAKE_STORAGE,
	FAKE_STATUS,
	FAKE_N_COLUMNS
};

extern const struct mib_table fake_scalars;	/* fakeName.0 */
extern const struct mib_table fake_table;
extern const struct mib_table fake_more_table;	/* augments it: fakeMore */
extern const struct mib_column fake_columns[FAKE_N_COLUMNS];
extern const struct mib_column fake_more;
extern const struct mib_column fake_name;

#define FAKE_OCTETS_MAX 70000
#define FAKE_ROWS_MAX 64

/** A row of ours; the store owns it. */
struct mib_row *fake_row(struct mib_store *s, const struct mib_table *t, const uint32_t *index,
			 size_t len);
struct mib_row *fake_row1(struct mib_store *s, uint32_t index);
/** The row, or NULL. */
struct mib_row *fake_find(struct mib_store *s, uint32_t index);
/** Sets a column, copying; v NULL: it is not set any more. */
void fake_set(struct mib_row *r, const struct mib_column *col, const struct mib_value *v);
void fake_set_number(struct mib_row *r, int column, int64_t n);
void fake_set_text(struct mib_row *r, int column, const char *text);
void fake_set_status(struct mib_row *r, enum mib_row_status status);
enum mib_row_status fake_status(const struct mib_row *r);
/** Lost at load; with values of its own? */
void fake_set_lost(struct mib_row *r, bool values);

struct mib_store *fake_store_new(void);
void fake_store_free(struct mib_store *s);
size_t fake_store_rows(const struct mib_store *s);
/** Rows in the order in which their first cell was loaded. */
struct mib_row *fake_store_row(const struct mib_store *s, size_t i);
uint64_t fake_store_generation(const struct mib_store *s);
uint64_t fake_store_on_disk(const struct mib_store *s);
/** The nth cell loaded from now on, from 1, meets a lack of memory. */
void fake_store_fail_load(struct mib_store *s, unsigned int nth);
/** Same rows, same values? */
bool fake_store_equal(const struct mib_store *a, const struct mib_store *b);

/* ---- a state directory and its database ---- */

struct fake_db {
	char dir[64];
	char path[96];
	char key[96];
	struct mib_seal *seal;
	struct mib_db *db;
};

/** Makes a directory of its own; fails the test if it cannot. */
void fake_db_init(struct fake_db *f);
/** Closes and removes it all. */
void fake_db_fini(struct fake_db *f);
/** Opens key and database. @return what mib_db_open or mib_seal_open says */
enum mib_err fake_db_open(struct fake_db *f, struct mib_diag *d);
void fake_db_close(struct fake_db *f);
/** Writes one change through the journal. */
enum mib_err fake_write(struct fake_db *f, uint64_t generation, const struct mib_row *before,
			const struct mib_row *after, struct mib_diag *d);
/** Loads into a new store; counts reports and keeps the text of the last. */
struct mib_store *fake_load(struct fake_db *f, unsigned int *reports, struct mib_diag *last);
/** Runs SQL on the closed database by an ordinary connection. */
void fake_sql(const struct fake_db *f, const char *sql);
/** Octets of a file below the directory; the caller frees. NULL: there is none. */
unsigned char *fake_slurp(const struct fake_db *f, const char *name, size_t *len);
/** Is that text in any file below the directory? */
bool fake_grep(const struct fake_db *f, const char *text);

#endif
