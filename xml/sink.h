/*
 * xml/sink.h - what a file says, as typed values with their lines, on the way to the store.
 *
 * The parser (xml/parse.h) gives them, without a store, in a process of its own; the importer
 * (xml/import.h) takes them, where the store is, and believes nothing. What is between the two is
 * their caller's: nothing at all in tests, a channel in the daemon (ipspd/import_wire.h).
 */
#ifndef XML_SINK_H
#define XML_SINK_H

#include "mibs/file_seal.h"
#include "mibs/store.h"

#define XML_FILE_MAX (64u << 20)	/* octets of a file that is imported */
#define XML_TEXT_MAX (96u * 1024)	/* of one leaf */
#define XML_LEAVES_MAX 64		/* of one entry: more columns than any row has */

/** Where and why an import was refused. */
struct xml_diag {
	unsigned line;		/* from 1; 0: the file as a whole */
	struct mib_diag diag;
};

/** The beginning of the element that holds sealed secrets. At most one a file, before secrets. */
struct xml_seal {
	unsigned line;
	struct mib_file_seal_head head;
};

/** One sealed secret. */
struct xml_secret {
	unsigned line;
	const struct mib_column *col;
	struct mib_oid index;
	const uint8_t *blob;		/* borrowed for the call */
	size_t len;
};

/**
 * Takes what a file says, in its order. Pointers are borrowed for the call. What is not MIB_OK ends
 * the import; the caller's struct xml_diag says why then.
 */
struct xml_sink {
	/** A row begins: of a table with RowStatus, or the only row {0} of scalars. */
	enum mib_err (*row)(void *arg, const struct mib_table *t, const struct mib_oid *index,
			    unsigned line);
	/** A column of that row, of its table or of one that augments it; no column comes twice. */
	enum mib_err (*value)(void *arg, const struct mib_column *col, const struct mib_value *v,
			      unsigned line);
	enum mib_err (*row_end)(void *arg);
	enum mib_err (*seal)(void *arg, const struct xml_seal *seal);
	enum mib_err (*secret)(void *arg, const struct xml_secret *s);
	enum mib_err (*seal_end)(void *arg, const uint8_t list_check[MIB_FILE_SEAL_CHECK],
				 unsigned line);
	void *arg;
};

#endif
