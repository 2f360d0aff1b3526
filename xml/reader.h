/*
 * xml/reader.h - reads a hostile XML file as elements, text and lines; knows nothing of MIBs.
 *
 * XML 1.0 and Namespaces in XML 1.0 as data models need them (RFC 7950 section 7 has no use for the
 * rest): UTF-8 only; no document type, so no entity but XML's five; no attributes but xmlns; no
 * processing instructions. It is fed, and opens or fetches nothing.
 */
#ifndef XML_READER_H
#define XML_READER_H

#include "xml/sink.h"

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

struct xml_reader;

/**
 * @param h     copied
 * @param diag  borrowed
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE with *diag
 */
MIB_MUST_CHECK enum mib_err xml_reader_new(const struct xml_handler *h, struct xml_diag *diag,
					   struct xml_reader **out);
/** NULL is allowed. */
void xml_reader_free(struct xml_reader *r);

/**
 * The file's next octets.
 * @return MIB_OK; what the handler refused with; MIB_WRONG_ENCODING with the diag: not well-formed,
 *         or more than is accepted; MIB_WRONG_LENGTH: over XML_FILE_MAX, or a tag is too long;
 *         MIB_RESOURCE_UNAVAILABLE. The first refusal is repeated by every later call.
 */
MIB_MUST_CHECK enum mib_err xml_reader_feed(struct xml_reader *r, const unsigned char *octets,
					    size_t len);

/** The file has ended: was it whole? */
MIB_MUST_CHECK enum mib_err xml_reader_end(struct xml_reader *r);

#endif
