/*
 * engine/large.h - the ESP packets of one large segment, back to back. Private to engine/.
 *
 * All segments but the last are of one size, so their ESP packets are too. Each is cut into its place
 * in the arena and laid out there by the same calls as an ordinary packet.
 */
#ifndef ENGINE_LARGE_H
#define ENGINE_LARGE_H

#include "engine/esp.h"
#include "engine/segment.h"
#include "ipsp/fragment.h"

struct ipsp_large {
	struct ipsp_segmenter cut;
	struct ipsp_cutter frag;
	bool is_frag;		/* fragments, not segments */
	uint32_t headers_len;	/* of each piece, its fragment header included */
	uint32_t data_len;	/* of each piece but the last */
	uint32_t clear_total;	/* of the packet that is cut */
	uint32_t pieces;
	uint32_t total_len;	/* of all ESP packets */
	uint32_t text_len;	/* that the cipher is applied to, in all */
	uint32_t clear_len;	/* of all segments, with their headers */
	uint8_t *next;		/* where the next one goes */
};

/**
 * Begins to cut a packet with a segment_size.
 * @return IPSP_REASON_NONE: pieces says in how many, 1: it is an ordinary packet; SEGMENTS
 */
enum ipsp_reason ipsp_large_begin(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				  struct ipsp_large *large);

/**
 * Begins to cut a packet into fragments of mtu octets at most, each of which will be protected.
 * @param flow   one that may be cut; IPv6: of our own making
 * @param v6_id  IPv6: of its fragments
 * @return false: it has IPv4 options, so that its fragments would not be of one length; or the mtu is
 *	   too small
 */
bool ipsp_large_fragment(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			 uint32_t mtu, uint32_t v6_id, struct ipsp_large *large);

/**
 * The next piece in the clear.
 * @param out  of at least room octets
 * @return its length; 0: that was all, or it does not fit the room
 */
uint32_t ipsp_large_next(struct ipsp_large *large, uint8_t *out, uint32_t room);

/**
 * How its segments go through an SA.
 * @param most  as that of ipsp_esp_plan
 * @param plan  out: of each segment but the last
 * @return those of ipsp_esp_plan
 */
enum ipsp_reason ipsp_large_plan(const struct ipsp_platform *platform, const struct ipsp_sa *sa,
				 const struct ipsp_packet *packet, const struct ipsp_flow *flow,
				 uint32_t most, struct ipsp_large *large,
				 struct ipsp_esp_plan *plan);

/** Cuts and lays out the next one; parameters as those of ipsp_esp_layout. At most pieces times. */
void ipsp_large_layout(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		       const struct ipsp_flow *flow, const struct ipsp_esp_plan *plan,
		       struct ipsp_large *large, uint64_t seq, const uint8_t *iv,
		       struct ipsp_crypto_op *op);

#endif
