/*
 * sad/sa.h - making and comparing SAs: private to sad/.
 */
#ifndef SAD_SA_H
#define SAD_SA_H

#include "ipsp/sad.h"

/** Can this configuration be an SA here? As ipsp_sad_add; also gives its shape. */
IPSP_MUST_CHECK enum ipsp_err ipsp_sa_config_check(const struct ipsp_platform *platform,
						   const struct ipsp_sa_config *cfg,
						   struct ipsp_crypto_shape *shape);

/**
 * Fills an SA's fixed fields, mature, with a provider's context but no counter.
 * @return IPSP_OK; what the provider says: then sa is to be forgotten
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sa_init(struct ipsp_sad *sad,
					   const struct ipsp_sa_config *cfg,
					   const struct ipsp_crypto_shape *shape,
					   struct ipsp_sa *sa);

/** Can that be what an SA carries? */
bool ipsp_sa_traffic_valid(const struct ipsp_sa_config *cfg);

/**
 * Fills what may change while its keys stay: lifetimes, addresses, reqid, what it carries. Boxes that it had before
 * are not freed.
 * @return IPSP_OK; IPSP_ENOMEM
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sa_set_terms(struct ipsp_sad *sad, struct ipsp_sa *sa,
						const struct ipsp_sa_config *cfg);

void ipsp_sa_free_boxes(struct ipsp_sad *sad, struct ipsp_sa *sa);

/** Its counter is there: when do its lifetimes end? */
void ipsp_sa_begin(struct ipsp_sa *sa);

/** Was it made from an equal configuration? The counter_id speaks for the keys. */
bool ipsp_sa_is(const struct ipsp_sa *sa, const struct ipsp_sa_config *cfg);

/** May it go from one state to the other? */
bool ipsp_sa_may_move(enum ipsp_sa_state from, enum ipsp_sa_state to);

#endif
