/*
 * xml/xml.h - the MIB state as XML, in the encoding of RFC 6643 (SMIv2 to YANG) and RFC 7950 9.
 *
 *   <data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
 *     <IPSEC-SPD-MIB xmlns="urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB">
 *       <spdLocalConfigObjects>                           scalars, in their parent's container
 *         <spdIngressPolicyGroupName>..</..>
 *       <spdRuleDefinitionTable>                          one container a table,
 *         <spdRuleDefinitionEntry>                        one list entry a row, keys first
 *           <spdRuleDefName>web</spdRuleDefName> ..
 *
 * Columns of a table that augments another stand in the base table's entry, in their own module's
 * namespace. Configuration is written; secrets, read-only and observed objects are not. Nothing
 * here knows a table by name.
 */
#ifndef XML_XML_H
#define XML_XML_H

#include "mibs/store.h"

#define XML_FILE_MAX (64u << 20)	/* octets of a file that is imported */

/** Where and why an import was refused. */
struct xml_diag {
	unsigned line;		/* from 1; 0: the file as a whole */
	struct mib_diag diag;
};

/** What an import did, or would do. */
struct xml_summary {
	size_t created;
	size_t changed;
	size_t destroyed;
	uint64_t generation;	/* that it made; 0: dry run, or nothing to change */
};

struct xml_import_options {
	bool replace;		/* the file is the whole: see xml_import */
	bool dry_run;		/* everything but the commit */
	const char *who;	/* for the log */
	/** One line a changed row: "+ table.index", "~ ..", "- ..". May be NULL. */
	void (*difference)(void *arg, const char *line);
	void *arg;
};

/**
 * Writes the whole configuration. Same state, same octets.
 * @param fd  written from its current position; stays open. Should not block.
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE with *d: no memory or write failed
 */
MIB_MUST_CHECK enum mib_err xml_export(struct mib_store *s, int fd, struct mib_diag *d);

/**
 * Reads a file as one transaction. A row that is not there is created; columns that the file does
 * not name keep their value, or take their default in a new row. With replace, what the file does
 * not name goes: rows are destroyed, columns and scalars take their defaults; secrets stay, for no
 * export has them.
 * @param fd    a regular file of at most XML_FILE_MAX octets, read from its beginning; stays open
 * @return MIB_OK with *sum; MIB_BUSY: try when the store is free; else *d says what and where, and
 *         nothing has changed
 */
MIB_MUST_CHECK enum mib_err xml_import(struct mib_store *s, int fd,
				       const struct xml_import_options *o,
				       struct xml_summary *sum, struct xml_diag *d);

/** The XML namespace of a module, RFC 6643 4: into buf, as snprintf. */
size_t xml_namespace(const char *module, char *buf, size_t size);

#endif
