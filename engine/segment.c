/*
 * engine/segment.c - large segments cut: each segment gets a copy of the headers, with its own
 * lengths, IPv4 identification, sequence number and checksums. FIN and PSH belong to the last
 * segment, CWR to the first (RFC 3168 6.1.2).
 */
#include "engine/segment.h"

#include <string.h>

#include "engine/header.h"
#include "engine/sum.h"
#include "spd/octets.h"

#define TCP_HEADER 20u
#define UDP_HEADER 8u
#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u

static bool is_ipv4(const uint8_t *p)
{
	return p[0] >> 4 == 4;
}

/** The IP header is whole and ends where TCP or UDP begins, or before, in IPv6. */
static bool ip_valid(const uint8_t *p, uint32_t len, uint32_t l4, uint8_t proto)
{
	if (len < IPSP_V4_HEADER || l4 >= len)
		return false;
	if (is_ipv4(p))
		return (p[0] & 15u) * 4 == l4 && l4 >= IPSP_V4_HEADER && p[9] == proto &&
		       get_be16(p + 2) == len && (get_be16(p + 6) & 0x3fff) == 0;
	/* Behind extension headers the protocol is not looked up: a wrong one only costs a checksum. */
	return p[0] >> 4 == 6 && l4 >= IPSP_V6_HEADER &&
	       get_be16(p + 4) + IPSP_V6_HEADER == len &&
	       (l4 > IPSP_V6_HEADER || p[6] == proto);
}

bool ipsp_segment_begin(struct ipsp_segmenter *s, enum ipsp_segment_kind kind,
			const uint8_t *packet, uint32_t len, uint32_t l4, uint32_t size)
{
	const uint32_t least = kind == IPSP_SEGMENT_TCP ? TCP_HEADER : UDP_HEADER;
	uint32_t header = UDP_HEADER;

	if ((kind != IPSP_SEGMENT_TCP && kind != IPSP_SEGMENT_UDP) || size == 0 || len > UINT16_MAX ||
	    !ip_valid(packet, len, l4, kind == IPSP_SEGMENT_TCP ? 6 : 17) || len - l4 < least)
		return false;
	if (kind == IPSP_SEGMENT_TCP)
		header = (packet[l4 + 12] >> 4) * 4u;
	if (header < least || header >= len - l4)
		return false;
	*s = (struct ipsp_segmenter) {
		.packet = packet, .l4 = l4, .payload = l4 + header, .len = len,
		.at = l4 + header, .size = size, .kind = kind,
	};
	return true;
}

/** What is the same of all segments: the IP header but length, identification and checksum. */
static void sum_headers(struct ipsp_segmenter *s)
{
	const uint8_t *const p = s->packet;
	const bool v4 = is_ipv4(p);

	s->pseudo_sum = ipsp_sum_fold((uint64_t)ipsp_sum(p + (v4 ? 12 : 8), v4 ? 8 : 32) +
				      (s->kind == IPSP_SEGMENT_TCP ? 6 : 17));
	if (v4)
		s->ip_sum = ipsp_sum_fold((uint64_t)get_be16(p) + get_be16(p + 6) +
					  get_be16(p + 8) + ipsp_sum(p + 12, s->l4 - 12));
}

static void finish_ip(const struct ipsp_segmenter *s, uint8_t *out, uint32_t len)
{
	if (!is_ipv4(out)) {
		put_be16(out + 4, (uint16_t)(len - IPSP_V6_HEADER));
		return;
	}
	const uint16_t id = (uint16_t)(get_be16(out + 4) + s->number);

	put_be16(out + 2, (uint16_t)len);
	put_be16(out + 4, id);
	put_be16(out + 10, (uint16_t)~ipsp_sum_fold((uint64_t)s->ip_sum + len + id));
}

static void finish_l4(const struct ipsp_segmenter *s, uint8_t *out, uint32_t len, bool last)
{
	const uint32_t l4_len = len - s->l4;
	const uint32_t offset = s->kind == IPSP_SEGMENT_TCP ? 16 : 6;
	uint8_t *const l4 = out + s->l4;

	if (s->kind == IPSP_SEGMENT_TCP) {
		put_be32(l4 + 4, get_be32(l4 + 4) + (s->at - s->payload));
		if (!last)
			l4[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
		if (s->number > 0)
			l4[13] &= (uint8_t)~TCP_CWR;
	} else {
		put_be16(l4 + 4, (uint16_t)l4_len);
	}
	/* What stands in the checksum's place is summed up as the pseudo header. */
	put_be16(l4 + offset, ipsp_sum_fold((uint64_t)s->pseudo_sum + l4_len));
	(void)ipsp_checksum_finish(out, len, s->l4, offset);
}

uint32_t ipsp_segment_next(struct ipsp_segmenter *s, uint8_t *out, uint32_t room)
{
	const uint32_t left = s->len - s->at;
	const uint32_t size = left < s->size ? left : s->size;
	const uint32_t len = s->payload + size;

	if (left == 0 || len > room)
		return 0;
	/* The first one says what all have: until then the packet may have been changed. */
	if (s->number == 0)
		sum_headers(s);
	memcpy(out, s->packet, s->payload);
	memcpy(out + s->payload, s->packet + s->at, size);
	finish_ip(s, out, len);
	finish_l4(s, out, len, size == left);
	s->at += size;
	s->number++;
	return len;
}
