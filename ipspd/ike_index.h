/*
 * ipspd/ike_index.h - the connections of a generation by name and by reqid: sorted once, so that ten thousand of them
 * find what was there before them in as many looks as there are times ld of it.
 */
#ifndef IPSPD_IKE_INDEX_H
#define IPSPD_IKE_INDEX_H

#include "ike/config.h"

struct ike_entry;

/** Zeroed: of none. */
struct ike_index {
	size_t n;
	struct ike_entry **by_name;	/* point into the array that it is of */
	size_t n_reqids;
	uint32_t *reqids;		/* of Child SAs, sorted */
};

/**
 * @param entries  stay where they are, with their connections, as long as the index is used
 * @return false: no memory
 */
IPSP_MUST_CHECK bool ike_index_init(struct ike_index *x, struct ike_entry *entries, size_t n);
void ike_index_fini(struct ike_index *x);

/** The connection of the names of both rows; of several the first one. NULL: there is none. */
struct ike_entry *ike_index_find(const struct ike_index *x, const struct ike_conn *names);

/** Does one ask for Child SAs of that reqid? */
bool ike_index_asks_for(const struct ike_index *x, uint32_t reqid);

#endif
