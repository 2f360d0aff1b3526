/* xml/names.h - what reader and writer must agree on. RFC 6643 section 4; RFC 6241 for the root. */
#ifndef XML_NAMES_H
#define XML_NAMES_H

#include "mibs/schema.h"

#define XML_NS_MAX 128
#define XML_ROOT "data"
#define XML_ROOT_NS "urn:ietf:params:xml:ns:netconf:base:1.0"

/* The element of sealed secrets, ours alone: it stands beside the modules' containers. */
#define XML_SEALED "sealedSecrets"
#define XML_SEALED_NS "urn:ipspd:sealed-secrets:1"
#define XML_SECRET "secret"
/* Its leaves, read and written as columns are. */
extern const struct mib_column xml_sealed_scheme, xml_sealed_salt, xml_sealed_key_check,
	xml_sealed_list_check, xml_secret_object, xml_secret_value;

/** Is this column one of the table's index columns? */
bool xml_is_key(const struct mib_table *t, const struct mib_column *col);

/**
 * Does the table hold configuration of its own: scalars that can be written, and keep what they are
 * given, or rows that a manager can make and that are volatile only by his choice? (Augmenting tables stand inside their
 * base.)
 */
bool xml_is_config(const struct mib_table *t);

#endif
