/* xml/names.h - what reader and writer must agree on. RFC 6643 section 4; RFC 6241 for the root. */
#ifndef XML_NAMES_H
#define XML_NAMES_H

#include "mibs/schema.h"

#define XML_NS_MAX 128
#define XML_ROOT "data"
#define XML_ROOT_NS "urn:ietf:params:xml:ns:netconf:base:1.0"

/** Is this column one of the table's index columns? */
bool xml_is_key(const struct mib_table *t, const struct mib_column *col);

/**
 * Does the table hold configuration of its own: scalars that can be written, or rows that a
 * manager can make? (Augmenting tables stand inside their base.)
 */
bool xml_is_config(const struct mib_table *t);

#endif
