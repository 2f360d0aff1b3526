/*
 * mibs/utf8.h - which octets are text, and which columns hold text.
 *
 * Every door must be able to carry every text, so the strictest one decides: UTF-8 (RFC 3629) of
 * characters that XML 1.0 section 2.2 allows.
 */
#ifndef MIBS_UTF8_H
#define MIBS_UTF8_H

#include "mibs/schema.h"

/** Well-formed, shortest-form UTF-8 of characters XML allows? The empty text is. */
bool mib_utf8_is_text(const uint8_t *s, size_t len);

/** Does the column's type say that its octets are text for people? */
bool mib_column_is_text(const struct mib_column *col);

#endif
