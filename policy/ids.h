/*
 * policy/ids.h - numbers that stay the same as long as a row does.
 *
 * The first 64 bits of a SHA-256. Never 0, but for want of memory.
 */
#ifndef POLICY_IDS_H
#define POLICY_IDS_H

#include "ipsp/config.h"
#include "mibs/value.h"

/**
 * The id of a row, from its table's OID and its index.
 * @param salt  0; above: the ids of two rows were equal, which a person could only do on purpose
 */
uint64_t pol_id_of_row(const struct mib_table *t, const uint32_t *index, size_t len,
		       uint32_t salt);

/** The id of an SA that is around the innermost one of a row. */
uint64_t pol_id_of_member(uint64_t row_id, uint8_t proto);

/**
 * The counter id of an SA: another one exactly when its row, protocol, SPI or keys change. The keys
 * go in as their SHA-256, so nothing can be told of them.
 */
uint64_t pol_id_of_counters(const struct mib_table *t, const uint32_t *index, size_t len,
			    const struct ipsp_sa_config *sa);

#endif
