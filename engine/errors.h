/*
 * engine/errors.h - what the engine does about ICMP errors: those it sends, those that cross it, those
 * that speak of its own packets. RFC 4301 6, 8. Private to engine/.
 */
#ifndef ENGINE_ERRORS_H
#define ENGINE_ERRORS_H

#include "engine/icmp.h"
#include "engine/internal.h"

/**
 * Drops a clear packet and makes of it the error that tells its sender, if one may be sent now.
 * In place of ipsp_packet_done.
 * @param mtu  IPSP_ICMP_TOO_BIG: the largest packet that would fit
 */
void ipsp_drop_telling(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
		       const struct ipsp_flow *flow, enum ipsp_reason reason,
		       enum ipsp_icmp_error error, uint32_t mtu, uint64_t now_s);

/**
 * The rule that stands for an ICMP error by what it quotes: that of the traffic which would answer the
 * quoted packet (RFC 4301 6.2). Asked where the error's own headers come to nothing.
 * @param own  what lookup said of its own headers
 * @return IPSP_SPD_RULE with a rule that may carry it; else own
 */
struct ipsp_spd_match ipsp_match_by_quote(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					  enum ipsp_dir dir, const struct ipsp_packet *packet,
					  const struct ipsp_flow *flow,
					  const struct ipsp_spd_match *own);

/**
 * An inbound packet in the clear: is it an ICMP error that speaks of packets of SAs? What it says of
 * their paths is learned.
 * @return IPSP_REASON_NONE; ICMP_CLEAR: it is, and must not go on
 */
enum ipsp_reason ipsp_judge_clear_error(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					const struct ipsp_packet *packet,
					const struct ipsp_flow *flow, uint64_t now_s);

#endif
