/*
 * ipspd/ike_orphans.h - SAs that an earlier ike process made ("orphans"), for rows of ours.
 */
#ifndef IPSPD_IKE_ORPHANS_H
#define IPSPD_IKE_ORPHANS_H

#include <sys/queue.h>

#include "pfkey/msg.h"

struct ike_orphan {
	LIST_ENTRY(ike_orphan) entry;
	uint8_t satype;
	uint32_t spi, reqid;
	struct ipsp_addr src, dst;
};

LIST_HEAD(ike_orphans, ike_orphan);

/** NULL: there is none. */
struct ike_orphan *ike_orphan_find(const struct ike_orphans *list, uint8_t satype, uint32_t spi,
				   const struct ipsp_addr *dst);

/** One that a dump tells of. NULL: it is none that carries packets of a row, is known already, or there is no memory */
const struct ike_orphan *ike_orphan_add(struct ike_orphans *list, const struct pfkey_msg *m);

void ike_orphan_remove(struct ike_orphan *o);

/** Is it of that reqid and, where one is said, with that peer? */
bool ike_orphan_is(const struct ike_orphan *o, uint32_t reqid, const struct ipsp_addr *remote);

/** Do some carry packets for it? remote: NULL: with whomever */
bool ike_orphans_carry(const struct ike_orphans *list, uint32_t reqid, const struct ipsp_addr *remote);

/** They are the engine's affair now. */
void ike_orphans_forget(struct ike_orphans *list);

#endif
