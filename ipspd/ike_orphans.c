/*
 * ipspd/ike_orphans.c - SAs that an earlier ike process made. A dump tells of them; they go on until there is something in
 * their place, or the rows that asked for them are gone.
 */
#include "config.h"

#include <stdlib.h>

#include "ipspd/ike_orphans.h"

struct ike_orphan *ike_orphan_find(const struct ike_orphans *list, uint8_t satype, uint32_t spi,
				   const struct ipsp_addr *dst)
{
	struct ike_orphan *o;

	LIST_FOREACH(o, list, entry) {
		if (o->satype == satype && o->spi == spi && ipsp_addr_cmp(&o->dst, dst) == 0)
			break;
	}
	return o;
}

const struct ike_orphan *ike_orphan_add(struct ike_orphans *list, const struct pfkey_msg *m)
{
	const uint64_t needed = PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_SRC) |
				PFKEY_HAS(SADB_EXT_ADDRESS_DST) | PFKEY_HAS(SADB_X_EXT_SA2);
	struct ike_orphan *o;

	if (m->err || (m->has & needed) != needed || m->sa2.reqid == 0 ||
	    m->sa.state == SADB_SASTATE_LARVAL || ike_orphan_find(list, m->satype, m->sa.spi, &m->dst.addr))
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	*o = (struct ike_orphan){ .satype = m->satype, .spi = m->sa.spi, .reqid = m->sa2.reqid,
				  .src = m->src.addr, .dst = m->dst.addr };
	LIST_INSERT_HEAD(list, o, entry);
	return o;
}

void ike_orphan_remove(struct ike_orphan *o)
{
	LIST_REMOVE(o, entry);
	free(o);
}

bool ike_orphan_is(const struct ike_orphan *o, uint32_t reqid, const struct ipsp_addr *remote)
{
	return o->reqid == reqid && (!remote || ipsp_addr_cmp(&o->src, remote) == 0 ||
				     ipsp_addr_cmp(&o->dst, remote) == 0);
}

bool ike_orphans_carry(const struct ike_orphans *list, uint32_t reqid, const struct ipsp_addr *remote)
{
	const struct ike_orphan *o;

	/* IPComp alone carries nothing. */
	LIST_FOREACH(o, list, entry) {
		if (o->satype != SADB_X_SATYPE_IPCOMP && ike_orphan_is(o, reqid, remote))
			return true;
	}
	return false;
}

void ike_orphans_forget(struct ike_orphans *list)
{
	while (!LIST_EMPTY(list))
		ike_orphan_remove(LIST_FIRST(list));
}
