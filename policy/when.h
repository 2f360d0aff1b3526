/*
 * policy/when.h - rows of spdTimeFilterTable: true now, and until when?
 *
 * RFC 4807 section 4. Five tests, all of which must hold. Local time is the C library's (TZ, or
 * /etc/localtime), with its daylight saving; a period or time of day that ends in Z is UTC. The
 * moment is an argument.
 */
#ifndef POLICY_WHEN_H
#define POLICY_WHEN_H

#include "policy/policy.h"

/**
 * Is the filter true at a moment?
 * @param at_s     seconds since 1970 UTC
 * @param until_s  out: the answer stays the same before this moment, at which it need not change;
 *		   POL_NEVER: it does not change any more
 */
bool pol_when_true(const struct mib_row *r, int64_t at_s, int64_t *until_s);

#endif
