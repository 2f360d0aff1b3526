/*
 * xml/import_int.h - an import under way, as its halves share it: import.c is the transaction,
 * import_rows.c the assignments. Inside xml/ only.
 */
#ifndef XML_IMPORT_INT_H
#define XML_IMPORT_INT_H

#include <bsd/sys/tree.h>

#include "xml/import.h"

/** A row, or a container of scalars, that the file has named. */
struct xml_named {
	RB_ENTRY(xml_named) link;
	const struct mib_table *table;
	unsigned line;
	bool active;		/* the file says it is */
	size_t len;
	uint32_t index[];
};
RB_HEAD(xml_named_tree, xml_named);

struct xml_import {
	struct xml_sink sink;
	struct mib_store *store;
	struct mib_txn *txn;
	const struct xml_import_options *options;
	struct xml_diag *diag;
	struct xml_named_tree named;
	struct xml_named *row;		/* the one whose columns come; NULL: none */
	const struct mib_row *old;	/* of it; NULL: it is not there yet */
	const struct mib_column *columns[XML_LEAVES_MAX];	/* of it, that came */
	size_t n_columns;
	bool sealed, seal_ended;	/* a list of secrets has begun; has ended */
	unsigned *lines;		/* line of each assignment, by its number - 1 */
	size_t n_lines, lines_size;
};

/** Fills the diag with line, object and why. @return err */
enum mib_err xml_import_refuse(struct xml_import *im, unsigned line, enum mib_err err,
			       const char *object, const char *why);

/** What the file named, by rising table and index. */
struct xml_named *xml_named_next(struct xml_import *im, struct xml_named *n);
void xml_named_free(struct xml_import *im);

/* The sink's functions. */
enum mib_err xml_take_row(void *arg, const struct mib_table *t, const struct mib_oid *index,
			  unsigned line);
enum mib_err xml_take_value(void *arg, const struct mib_column *col, const struct mib_value *v,
			    unsigned line);
enum mib_err xml_take_row_end(void *arg);
enum mib_err xml_take_secret(void *arg, const struct xml_secret *s);

/** Stages that what the file did not name goes: rows are destroyed, scalars forget. */
MIB_MUST_CHECK enum mib_err xml_drop_others(struct xml_import *im);

#endif
