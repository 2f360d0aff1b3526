/*
 * xml/import.h - an import under way, as its two halves share it: import.c follows the document's
 * elements, import_rows.c turns entries into assignments. Inside xml/ only.
 */
#ifndef XML_IMPORT_H
#define XML_IMPORT_H

#include <libxml/hash.h>

#include "xml/xml.h"

#define XML_TEXT_MAX (96u * 1024)	/* of one leaf */
#define XML_LEAVES_MAX 64		/* of one entry: more columns than any row has */

/* Where in the document the reader stands; also its depth. */
enum xml_place { AT_TOP, IN_ROOT, IN_MODULE, IN_CONTAINER, IN_ENTRY, IN_LEAF };

struct xml_leaf {
	const struct mib_column *col;
	unsigned line;
	char *text;		/* malloc'ed; wiped: it may be a secret somebody wrote by hand */
	size_t len, size;
};

struct xml_import {
	struct mib_store *store;
	struct mib_txn *txn;
	const struct xml_import_options *options;
	struct xml_diag *diag;
	enum xml_place place;
	const struct mib_module *module;
	const struct mib_table *table;
	unsigned entry_line;
	struct xml_leaf leaves[XML_LEAVES_MAX];
	size_t n_leaves;
	struct xml_leaf *open;	/* the leaf whose text is being read */
	xmlHashTablePtr seen;	/* entries and scalars named so far */
	unsigned *lines;	/* line of each assignment, by its number - 1 */
	size_t n_lines, lines_size;
	_Alignas(8) unsigned char space[XML_TEXT_MAX];
};

/** Fills the diag with line, object and why. @return err */
enum mib_err xml_refuse_element(struct xml_import *im, unsigned line, enum mib_err err,
				const char *name, const char *why);
enum mib_err xml_refuse(struct xml_import *im, unsigned line, enum mib_err err,
			const struct mib_column *col, const char *why);

static inline bool xml_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** The entry's leaf of that column, or NULL. */
struct xml_leaf *xml_leaf_find(struct xml_import *im, const struct mib_column *col);

/** Forgets the leaves read so far. */
void xml_leaves_free(struct xml_import *im);

/** Stages what the leaves of an entry say, or those of a container of scalars; forgets them. */
MIB_MUST_CHECK enum mib_err xml_entry_finish(struct xml_import *im);
MIB_MUST_CHECK enum mib_err xml_scalars_finish(struct xml_import *im);

/** Stages that what the file did not name goes: rows are destroyed, scalars forget. */
MIB_MUST_CHECK enum mib_err xml_drop_others(struct xml_import *im);

#endif
