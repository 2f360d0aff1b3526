/*
 * xml/parse.h - an XML file as typed values: what its elements mean (RFC 6643), without a store.
 *
 * The file is hostile (xml/reader.h bounds what comes from it); whatever does not fit the schema
 * refuses it with its line and object.
 */
#ifndef XML_PARSE_H
#define XML_PARSE_H

#include "xml/sink.h"

struct xml_parse;

/**
 * @param to    copied; told of each row when its entry ends
 * @param diag  borrowed; written when a call refuses
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err xml_parse_new(const struct xml_sink *to, struct xml_diag *diag,
					  struct xml_parse **out);
/** Wipes what it holds of the file. NULL is allowed. */
void xml_parse_free(struct xml_parse *p);

/** The next octets. @return MIB_OK; else the file is refused, and every later call says so too */
MIB_MUST_CHECK enum mib_err xml_parse_feed(struct xml_parse *p, const void *octets, size_t len);

/** The file has ended. @return MIB_OK: it is whole, and all of it was told */
MIB_MUST_CHECK enum mib_err xml_parse_end(struct xml_parse *p);

/** Feeds a regular file of at most XML_FILE_MAX octets from its beginning, then xml_parse_end. */
MIB_MUST_CHECK enum mib_err xml_parse_fd(struct xml_parse *p, int fd);

#endif
