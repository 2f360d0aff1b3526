/*
 * engine/ah_fields.h - the headers of a packet as the ICV of AH covers them. RFC 4302 3.3.3.1 and
 * appendix A. Private to engine/. No allocation; reads hostile headers.
 *
 * What may change on the way is zero, what changes in a known way stands as at the final
 * destination, the rest is as it is:
 *
 *	IPv4		zero: TOS, flags and fragment offset, TTL, checksum, and every option but
 *			those that A1 calls immutable; final: destination, if a source route is left
 *	IPv6		zero: traffic class, flow label, hop limit; final: destination, if routing
 *			segments are left
 *	options		of hop-by-hop and destination options headers: data of those that may
 *			change en route (the third bit of their type) is zero
 *	routing		types 0 and 2 in final form; others are refused, as nobody knows theirs
 *	fragment	refused: AH is of whole datagrams
 */
#ifndef ENGINE_AH_FIELDS_H
#define ENGINE_AH_FIELDS_H

#include "ipsp/flow.h"

/** Octets of headers before AH, at most: all that IPv6 has in practice, several times. */
#define IPSP_AH_HEADERS_MAX 4096u

/**
 * Writes the covered form of the headers that stand before AH.
 * @param headers  from the IP header on; its own lengths were checked by ipsp_flow_parse
 * @param len      octets up to where AH is or goes; at most IPSP_AH_HEADERS_MAX
 * @param final    the packet is where it is going to: a route that has more stations is refused
 * @param out      len octets; not headers itself
 * @return IPSP_REASON_NONE; MALFORMED: options of impossible lengths; EXTENSIONS: too long, or an
 *	   extension header of which nobody knows what may change
 */
IPSP_MUST_CHECK enum ipsp_reason ipsp_ah_fields(const uint8_t *headers, uint32_t len, bool final,
						uint8_t *out);

#endif
