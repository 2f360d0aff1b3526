/*
 * policy/filter.h - filter expressions of RFC 4807 as match sets.
 *
 * spdTrueFilter, diffServMultiFieldClfrTable (RFC 3289) and spdCompoundFilterTable are boxes; a time
 * filter is true or false at the moment that is asked for; what is to be read in the packet, or
 * is known of the SA it came under, becomes a predicate. What is not known (rows that are lost,
 * expressions too large) is bounded (policy/match.h): every packet that might match is in, and the
 * reason says why.
 */
#ifndef POLICY_FILTER_H
#define POLICY_FILTER_H

#include "policy/match.h"
#include "policy/rows.h"

/** No moment: a time filter may be true or false. */
#define POL_TIME_UNKNOWN INT64_MIN

struct pol_build;

/** What filters are judged by. */
struct pol_asked {
	const struct mib_view *view;
	int64_t at_s;		/* seconds since 1970 UTC, or POL_TIME_UNKNOWN */
	int64_t until_s;	/* lowered to the moment before which the answer stays what it is */
	struct pol_build *build;	/* gives SAs their ids */
};

/**
 * What the filter that a pointer column of r names does match.
 * @param budget  work it may cost; used up: the answer is "unknown"
 * @param out     initialised by the caller; what it held is freed
 * @return POL_CALC_OK or POL_CALC_NO_MEMORY
 */
enum pol_calc pol_filter_of(struct pol_asked *q, const struct mib_row *r,
			    const struct mib_column *col, struct pol_budget *budget,
			    struct pol_match *out);

/**
 * The box of one multi-field classifier row.
 * @return NULL, with *out; or what is wrong with the row, in words
 */
const char *pol_classifier_box(const struct mib_row *r, struct pol_box *out);

#endif
