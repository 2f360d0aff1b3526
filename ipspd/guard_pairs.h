/*
 * ipspd/guard_pairs.h - selector boxes as pairs of source and destination prefix, never smaller.
 */
#ifndef IPSPD_GUARD_PAIRS_H
#define IPSPD_GUARD_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsp/types.h"

/** All packets of a family from one prefix to another. Bits behind a prefix's length are zero. */
struct guard_pair {
	uint8_t family;		/* 4 or 6 */
	uint8_t src_len, dst_len;
	struct ipsp_addr src, dst;
};

struct guard_pairs {
	struct guard_pair *items;	/* sorted, unique after guard_pairs_reduce */
	size_t n;
	size_t room;
};

/**
 * Adds pairs that together cover the box: exactly when that takes few of them, else by the one
 * prefix that covers each range. @return false: no memory
 */
bool guard_pairs_add(struct guard_pairs *p, const struct ipsp_selector *s);

/** Sorts, drops what others cover, and while there are more than max makes prefixes shorter. */
void guard_pairs_reduce(struct guard_pairs *p, size_t max);

void guard_pairs_fini(struct guard_pairs *p);

/** Order for sorting and searching. */
int guard_pair_cmp(const struct guard_pair *a, const struct guard_pair *b);

/** The box of a pair: any protocol, any port. */
void guard_pair_box(const struct guard_pair *p, struct ipsp_selector *out);

#endif
