/*
 * xml/parse_int.h - a file under way, as the halves of the parser share it: parse.c follows the
 * document's elements, parse_rows.c turns entries into typed values. Inside xml/ only.
 */
#ifndef XML_PARSE_INT_H
#define XML_PARSE_INT_H

#include "xml/parse.h"
#include "xml/reader.h"

/* Where in the document the reader stands; also its depth. */
enum xml_place {
	AT_TOP, IN_ROOT, IN_MODULE, IN_CONTAINER, IN_ENTRY, IN_LEAF,
	IN_SEALED, IN_SEALED_LEAF, IN_SECRET, IN_SECRET_LEAF
};

struct xml_leaf {
	const struct mib_column *col;
	unsigned line;
	char *text;		/* malloc'ed; wiped: it may be a secret somebody wrote by hand */
	size_t len, size;
};

struct xml_parse {
	struct xml_sink to;
	struct xml_diag *diag;
	struct xml_reader *reader;
	enum mib_err err;	/* the first refusal */
	enum xml_place place;
	const struct mib_module *module;
	const struct mib_table *table;
	unsigned entry_line;
	struct xml_leaf leaves[XML_LEAVES_MAX];
	size_t n_leaves;
	struct xml_leaf *open;	/* the leaf whose text is being read */
	bool sealed_seen;	/* the element of sealed secrets has begun */
	bool seal_told;		/* its head is complete and was told */
	_Alignas(8) unsigned char space[XML_TEXT_MAX];
};

/** Fills the diag with line, object and why. @return err */
enum mib_err xml_refuse_element(struct xml_parse *p, unsigned line, enum mib_err err,
				const char *name, const char *why);
enum mib_err xml_refuse(struct xml_parse *p, unsigned line, enum mib_err err,
			const struct mib_column *col, const char *why);

static inline bool xml_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** The entry's leaf of that column, or NULL. */
struct xml_leaf *xml_leaf_find(struct xml_parse *p, const struct mib_column *col);
/** Its value, of its column's type; *v borrows from space. Sets the diag's line in any case. */
MIB_MUST_CHECK enum mib_err xml_leaf_parse(struct xml_parse *p, struct xml_leaf *l, void *space,
					   size_t size, struct mib_value *v);
/** Forgets the leaves read so far. */
void xml_leaves_free(struct xml_parse *p);

/** Tells what the leaves of an entry say, or those of a container of scalars; forgets them. */
MIB_MUST_CHECK enum mib_err xml_entry_finish(struct xml_parse *p);
MIB_MUST_CHECK enum mib_err xml_scalars_finish(struct xml_parse *p);

/* parse_sealed.c */
/** The leaf of that name in the element of sealed secrets, or in one secret of it: opens it. */
MIB_MUST_CHECK enum mib_err xml_sealed_leaf_open(struct xml_parse *p, const char *name,
						 unsigned line);
/** A secret begins: the head must be complete. */
MIB_MUST_CHECK enum mib_err xml_secret_open(struct xml_parse *p, unsigned line);
MIB_MUST_CHECK enum mib_err xml_secret_finish(struct xml_parse *p);
MIB_MUST_CHECK enum mib_err xml_sealed_finish(struct xml_parse *p);

#endif
