/*
 * engine/segment.h - cuts a large segment into the packets its sender meant.
 *
 * Senders on the same machine leave that to their device, and a TUN or a bump in the wire stands
 * where the device would be. Sizes are the sender's: it knows the receiver's MSS and the path. RFC 9293
 * 3.1 for TCP; UDP datagrams that were sent as one. Nothing here trusts a length. Private to engine/ and
 * the attachments.
 */
#ifndef ENGINE_SEGMENT_H
#define ENGINE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

enum ipsp_segment_kind {
	IPSP_SEGMENT_NONE,
	IPSP_SEGMENT_TCP,
	IPSP_SEGMENT_UDP,
	IPSP_SEGMENT_UNKNOWN,
};

/** A large segment that is being cut. */
struct ipsp_segmenter {
	const uint8_t *packet;	/* IP header; borrowed until the last segment */
	uint32_t l4;		/* where TCP or UDP begins */
	uint32_t payload;	/* where its payload does */
	uint32_t len;		/* of all */
	uint32_t at;		/* the first octet of payload that no segment had */
	uint32_t size;		/* payload octets of each but the last */
	uint16_t number;	/* of the next segment, from 0 */
	uint16_t ip_sum;	/* IPv4: of the header but length, identification and checksum */
	uint16_t pseudo_sum;	/* of the pseudo header but the length */
	enum ipsp_segment_kind kind;
};

/**
 * @param packet  IP header; stays as it is
 * @param l4      where its TCP or UDP header begins
 * @return false: not what the lengths and headers in it say
 */
bool ipsp_segment_begin(struct ipsp_segmenter *s, enum ipsp_segment_kind kind,
			const uint8_t *packet, uint32_t len, uint32_t l4, uint32_t size);

/**
 * Writes the next segment, with headers and checksums of its own.
 * @param out  of at least room octets
 * @return its length; 0: that was all, or it does not fit the room
 */
uint32_t ipsp_segment_next(struct ipsp_segmenter *s, uint8_t *out, uint32_t room);

#endif
