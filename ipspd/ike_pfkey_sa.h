/*
 * ipspd/ike_pfkey_sa.h - one SA as PF_KEY says it.
 */
#ifndef IPSPD_IKE_PFKEY_SA_H
#define IPSPD_IKE_PFKEY_SA_H

#include "ike/world.h"
#include "ipspd/engine_random.h"
#include "pfkey/msg.h"

/** SADB_SATYPE_* of IKE_PROTOCOL_ESP, IKE_PROTOCOL_AH and IKE_SAD_IPCOMP, and back. */
uint8_t ike_pfkey_satype_of(uint8_t protocol);
uint8_t ike_pfkey_protocol_of(uint8_t satype);

void ike_pfkey_put_ends(struct pfkey_writer *w, const struct ipsp_addr *src, const struct ipsp_addr *dst);
/** UDP, with the ports of a path. in: of the SA by which we receive */
void ike_pfkey_put_nat(struct pfkey_writer *w, const struct ike_path *path, bool in);

/**
 * One direction of a Child SA, with its keys: the caller wipes it.
 * @param type    SADB_UPDATE: the inbound one; SADB_ADD: the outbound one
 * @param random  for soft lifetimes, so that two ends seldom begin to rekey at the same time
 * @return its octets; 0: PF_KEY cannot say it
 */
size_t ike_pfkey_sa_write(const struct ike_child_sa *c, uint8_t type, uint32_t seq, uint32_t pid,
			  struct engine_random *random, uint8_t *message, size_t size);

/** The same of the IPComp SA inside, which is said before the inbound one, and after the outbound one. */
size_t ike_pfkey_ipcomp_write(const struct ike_child_sa *c, uint8_t type, uint32_t seq, uint32_t pid,
			      uint8_t *message, size_t size);

/** The packet that an ACQUIRE is for. False: it says none, or one that no traffic selector can say. */
IPSP_MUST_CHECK bool ike_pfkey_packet_read(const struct pfkey_msg *m, struct ike_pair *out);

/** Says in the log what there is now, and a warning if it is weak. */
void ike_pfkey_sa_log(const struct ike_child_sa *c);

#endif
