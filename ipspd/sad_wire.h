/*
 * ipspd/sad_wire.h - SAs that are of no row, as the engine tells the agent of them: those of key
 * managers, and what may pass in clear for a time. No keys.
 *
 * There may be very many. So they are asked for some at a time, and nobody is kept from other work:
 * each answer goes on where the one before ended.
 */
#ifndef IPSPD_SAD_WIRE_H
#define IPSPD_SAD_WIRE_H

#include "ipsp/config.h"
#include "ipspd/report.h"

#define SAD_WIRE_SAS_MAX 128u	/* in one message */

/** One SA. */
struct wire_sad_sa {
	struct wire_sa_stats stats;
	uint8_t origin;			/* enum ipsp_sa_origin; not IPSP_ORIGIN_POLICY */
	uint8_t proto, mode;		/* IPSP_ORIGIN_CLEAR: 0 */
	bool esn, in_udp;
	uint32_t window_pkts;		/* 0: none is kept */
	uint32_t reqid;
	uint16_t encr, encr_key_bits, integ;
	struct ipsp_addr local, remote;	/* family 0: any */
	struct ipsp_selector sel;	/* family 0: whatever its entry says */
	uint64_t life_s, life_use_s, life_bytes, life_packets;
	uint64_t soft_s, soft_use_s, soft_bytes, soft_packets;
	uint64_t idle_s;
};

/** Writes one MSG_SAD_SAS of at most SAD_WIRE_SAS_MAX. */
void sad_wire_put(struct chan_writer *w, uint32_t serial, bool more, const struct wire_sad_sa *sas,
		  size_t n);

/** Sends one; @return what chan_send says. */
int sad_wire_send(struct chan *c, uint32_t serial, bool more, const struct wire_sad_sa *sas,
		  size_t n);

/** Reads one. @return false: malformed */
bool sad_wire_read(const struct chan_msg *m, uint32_t *serial, bool *more,
		   struct wire_sad_sa sas[SAD_WIRE_SAS_MAX], size_t *n);

#endif
