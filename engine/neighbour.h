/*
 * engine/neighbour.h - Neighbour Discovery, without which nothing is found on a link. RFC 4861. Private to
 * engine/.
 *
 * It passes whatever entries say of all packets, or of all IPv6: only one that names ICMPv6, and no other
 * protocol beside it, is about it. The hop limit says that no router has forwarded it, nor will.
 */
#ifndef ENGINE_NEIGHBOUR_H
#define ENGINE_NEIGHBOUR_H

#include "engine/internal.h"

/** A whole message of it: ICMPv6 133 to 137, hop limit 255. */
bool ipsp_is_neighbour_discovery(const struct ipsp_packet *packet, const struct ipsp_flow *flow);

/**
 * What stands for such a packet.
 * @param own  what lookup said of it
 * @return that of the first entry that names it; IPSP_SPD_NO_POLICY: it passes; own at the end of a list,
 *	   and if it is no such packet
 */
struct ipsp_spd_match ipsp_neighbour_match(const struct ipsp_worker *worker,
					   const struct ipsp_spd *spd, enum ipsp_dir dir,
					   const struct ipsp_packet *packet,
					   const struct ipsp_flow *flow,
					   const struct ipsp_spd_match *own);

#endif
