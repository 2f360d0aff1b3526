/*
 * xml/import.h - what a file says, as one transaction on a store.
 *
 * Takes typed values from a parser that may have been taken over by the file: whatever comes is
 * judged here as an SNMP SET is. Nothing changes before all of it was judged as a whole.
 */
#ifndef XML_IMPORT_H
#define XML_IMPORT_H

#include "xml/sink.h"

/** What an import did, or would do. */
struct xml_summary {
	size_t created;
	size_t changed;
	size_t destroyed;
	size_t not_ready;	/* rows the file says are active, and that cannot be */
	uint64_t generation;	/* that it made; 0: dry run, or nothing to change */
};

struct xml_import_options {
	bool replace;		/* the file is the whole: see xml_import_begin */
	bool dry_run;		/* everything but the commit */
	const char *who;	/* for the log */
	/** Opens the file's sealed secrets; NULL: they are passed over. Borrowed to the end. */
	struct mib_file_seal *seal;
	/** One line a changed row: "+ table.index", "~ ..", "- ..". May be NULL. */
	void (*difference)(void *arg, const char *line);
	/** One line a row that came in notReady, with the reason. May be NULL. */
	void (*not_ready)(void *arg, const char *line);
	void *arg;
};

struct xml_import;

/**
 * Begins the transaction. A row that is not there is created; columns that the file does not name
 * keep their value, or take their default in a new row. With replace, what the file does not name
 * goes: rows are destroyed, columns and scalars take their defaults; secrets stay, for a file may
 * have none.
 *
 * A row that the file says is active, and that lacks nothing but its secret, comes in notReady and
 * lost (mib_row_lost), and so does what refers to it: out of force, and what they might have matched
 * is dropped.
 * @param o     borrowed to the end
 * @param diag  borrowed to the end; says why and in which line when something refuses
 * @return MIB_OK with *out; MIB_BUSY: try when the store is free; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err xml_import_begin(struct mib_store *s,
					     const struct xml_import_options *o,
					     struct xml_diag *diag, struct xml_import **out);

/** Takes the rows. Internal, do not free; good until the end. */
const struct xml_sink *xml_import_sink(struct xml_import *im);

/**
 * Judges the whole and commits; ends the transaction and frees im in any case.
 * @param err  what the sink's feeding ended with: not MIB_OK undoes it all, and is returned
 * @return MIB_OK with *sum; else nothing has changed
 */
MIB_MUST_CHECK enum mib_err xml_import_end(struct xml_import *im, enum mib_err err,
					   struct xml_summary *sum);

#endif
