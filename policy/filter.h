/*
 * policy/filter.h - filter expressions of RFC 4807 as box sets.
 *
 * spdTrueFilter, diffServMultiFieldClfrTable (RFC 3289) and spdCompoundFilterTable are exact. All
 * other kinds, and expressions too large, are bounded (policy/match.h): every packet that might
 * match is in, and the reason says what is not evaluated.
 */
#ifndef POLICY_FILTER_H
#define POLICY_FILTER_H

#include "policy/match.h"
#include "policy/rows.h"

/**
 * What the filter that a pointer column of r names does match.
 * @param budget  work it may cost; used up: the answer is "unknown"
 * @param out     initialised by the caller; what it held is freed
 * @return POL_CALC_OK or POL_CALC_NO_MEMORY
 */
enum pol_calc pol_filter_of(const struct mib_view *v, const struct mib_row *r,
			    const struct mib_column *col, struct pol_budget *budget,
			    struct pol_match *out);

/**
 * The box of one multi-field classifier row.
 * @return NULL, with *out; or what is wrong with the row, in words
 */
const char *pol_classifier_box(const struct mib_row *r, struct pol_box *out);

#endif
