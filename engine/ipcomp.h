/*
 * engine/ipcomp.h - one packet into IPComp and out of it. RFC 3173. Private to engine/.
 */
#ifndef ENGINE_IPCOMP_H
#define ENGINE_IPCOMP_H

#include "engine/internal.h"

/**
 * Compresses a packet, if that makes it smaller; tunnel mode puts the outer header around it in any
 * case. data and len become the outer packet's.
 * @param fixed_len  its length must depend on its headers alone: it is never compressed
 * @return IPSP_REASON_NONE; TRANSPORT_ADDRESS, TRANSPORT_FRAGMENT, TUNNEL_LOCAL, TOO_BIG, NO_ROOM
 */
enum ipsp_reason ipsp_ipcomp_seal(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				  struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  bool fixed_len);

/**
 * Decompresses one. On IPSP_REASON_NONE data and len are the clear packet's and inner has its headers.
 * @param flow  protocol IPComp, no fragment
 * @return IPSP_REASON_NONE; IPCOMP: another CPI, damaged, or more than an IP packet; NO_ROOM; those of
 *	   ipsp_mode_unwrap
 */
enum ipsp_reason ipsp_ipcomp_open(struct ipsp_worker *worker, const struct ipsp_sa *sa,
				  struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  struct ipsp_flow *inner);

#endif
