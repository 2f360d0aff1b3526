/*
 * xml/reader.h - reads a hostile XML file as elements, text and lines; knows nothing of MIBs.
 *
 * XML 1.0 and Namespaces in XML 1.0 as data models need them (RFC 7950 section 7 has no use for the
 * rest): UTF-8 only; no document type, so no entity but XML's five; no attributes but xmlns; no
 * processing instructions. Nothing but the descriptor is ever opened or fetched.
 */
#ifndef XML_READER_H
#define XML_READER_H

#include "xml/xml.h"

#define XML_MARKUP_MAX (64u << 10)	/* octets of one tag or comment */

/** Told of the document in order. What is not MIB_OK ends the reading; the diag is set then. */
struct xml_handler {
	/** name without prefix; ns "" when the element is in no namespace. */
	enum mib_err (*open)(void *arg, const char *name, const char *ns, unsigned line);
	/** A piece of text, not NUL-terminated; an element's text comes in any number of pieces. */
	enum mib_err (*text)(void *arg, const char *text, size_t len, unsigned line);
	enum mib_err (*close)(void *arg, unsigned line);
	void *arg;
};

/**
 * Reads from the descriptor's position to its end.
 * @return MIB_OK; what the handler refused with; MIB_WRONG_ENCODING with *d: not well-formed, or
 *         more than is accepted; MIB_WRONG_LENGTH: over XML_FILE_MAX; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err xml_read(int fd, const struct xml_handler *h, struct xml_diag *d);

#endif
