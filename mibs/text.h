/*
 * mibs/text.h - what printing and parsing of values share; internal to mibs/.
 */
#ifndef MIBS_TEXT_H
#define MIBS_TEXT_H

#include "mibs/value.h"

/** RFC 4648 section 4. */
extern const char mib_base64_digits[];

/** Does the column's DISPLAY-HINT say that the octets are one run of text? */
bool mib_column_hints_text(const struct mib_column *col);

#endif
