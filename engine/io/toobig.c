/* engine/io/toobig.c - fragments and ICMP errors of packets too big for their link. */
#include "engine/io/toobig.h"

#include <string.h>

#include "engine/header.h"
#include "spd/octets.h"

#define ICMP_HEADER 8u
#define ICMP4_UNREACHABLE 3u
#define ICMP4_FRAG_NEEDED 4u
#define ICMP6_TOO_BIG 2u
#define PROTO_ICMP4 1u
#define PROTO_ICMP6 58u
#define TTL 64u

#define V4_DF 0x4000u
#define V4_MF 0x2000u
#define V4_OFFSET 0x1fffu

/* RFC 792, RFC 791: what no reassembly and no path may be below. */
#define V4_MTU_MIN 68u
#define V6_MTU_MIN 1280u
#define V4_QUOTE_MAX (576u - IPSP_V4_HEADER - ICMP_HEADER)	/* RFC 1812 4.3.2.3 */

/* Padding hides how much of a block is in use. */
#define BLOCK_MAX 16u

uint32_t toobig_inside_mtu(uint32_t clear_len, uint32_t wire_len, uint32_t mtu)
{
	const uint32_t excess = wire_len - mtu + (wire_len > clear_len ? BLOCK_MAX - 1 : 0);

	return clear_len > excess ? clear_len - excess : 0;
}

static bool is_zero(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static bool v4_may_tell(const uint8_t *q, uint32_t len)
{
	const uint32_t l4 = len > 0 ? (q[0] & 15u) * 4 : 0;

	if (len < IPSP_V4_HEADER || l4 < IPSP_V4_HEADER || len < l4 + 8 ||
	    (get_be16(q + 6) & V4_OFFSET) != 0)
		return false;
	/* From somebody to somebody: neither is a group, nor all, nor nobody. */
	if (q[12] >= 224 || q[16] >= 224 || q[12] == 127 || is_zero(q + 12, 4))
		return false;
	return q[9] != PROTO_ICMP4 || q[l4] == 0 || q[l4] == 8 || (q[l4] >= 13 && q[l4] <= 18);
}

static bool v6_may_tell(const uint8_t *q, uint32_t len)
{
	if (len < IPSP_V6_HEADER + 8 || q[8] == 0xff || is_zero(q + 8, 16))
		return false;
	/* Errors are below 128; behind extension headers nobody looks, and errors there are rare. */
	return q[6] != PROTO_ICMP6 || q[IPSP_V6_HEADER] >= 128;
}

static void put_checksum(uint8_t *out, uint32_t l4, uint32_t len, uint32_t pseudo)
{
	while (pseudo >> 16)
		pseudo = (pseudo & 0xffff) + (pseudo >> 16);
	put_be16(out + l4 + 2, (uint16_t)pseudo);
	(void)ipsp_checksum_finish(out, len, l4, 2);
}

static uint32_t v4_error(const uint8_t *q, uint32_t quote_len, uint32_t mtu, uint8_t *out)
{
	const uint32_t quoted = quote_len < V4_QUOTE_MAX ? quote_len : V4_QUOTE_MAX;
	const uint32_t len = IPSP_V4_HEADER + ICMP_HEADER + quoted;
	uint8_t *const icmp = out + IPSP_V4_HEADER;

	if (!v4_may_tell(q, quote_len))
		return 0;
	memset(out, 0, IPSP_V4_HEADER + ICMP_HEADER);
	out[0] = 0x45;
	out[8] = TTL;
	memcpy(out + 12, q + 16, 4);
	memcpy(out + 16, q + 12, 4);
	ipsp_header_update(out, 4, 9, PROTO_ICMP4, len);
	icmp[0] = ICMP4_UNREACHABLE;
	icmp[1] = ICMP4_FRAG_NEEDED;
	put_be16(icmp + 6, (uint16_t)(mtu < V4_MTU_MIN ? V4_MTU_MIN : mtu));
	memcpy(icmp + ICMP_HEADER, q, quoted);
	put_checksum(out, IPSP_V4_HEADER, len, 0);
	return len;
}

static uint32_t v6_error(const uint8_t *q, uint32_t quote_len, uint32_t mtu, uint8_t *out)
{
	const uint32_t icmp_len = ICMP_HEADER + quote_len;
	uint8_t *const icmp = out + IPSP_V6_HEADER;
	uint32_t pseudo = icmp_len + PROTO_ICMP6;

	if (!v6_may_tell(q, quote_len))
		return 0;
	memset(out, 0, IPSP_V6_HEADER + ICMP_HEADER);
	out[0] = 0x60;
	put_be16(out + 4, (uint16_t)icmp_len);
	out[6] = PROTO_ICMP6;
	out[7] = TTL;
	/* Of a group there is no source (RFC 4443 2.4 (e.3) allows the error all the same). */
	if (q[24] == 0xff)
		return 0;
	memcpy(out + 8, q + 24, 16);
	memcpy(out + 24, q + 8, 16);
	icmp[0] = ICMP6_TOO_BIG;
	put_be32(icmp + 4, mtu < V6_MTU_MIN ? V6_MTU_MIN : mtu);
	memcpy(icmp + ICMP_HEADER, q, quote_len);
	for (uint32_t i = 8; i < IPSP_V6_HEADER; i += 2)
		pseudo += get_be16(out + i);
	put_checksum(out, IPSP_V6_HEADER, IPSP_V6_HEADER + icmp_len, pseudo);
	return IPSP_V6_HEADER + icmp_len;
}

uint32_t toobig_error(const uint8_t *quote, uint32_t quote_len, uint32_t mtu, uint8_t *out)
{
	if (quote_len > TOOBIG_QUOTE_MAX)
		quote_len = TOOBIG_QUOTE_MAX;
	if (quote_len == 0)
		return 0;
	return quote[0] >> 4 == 4 ? v4_error(quote, quote_len, mtu, out) :
				    v6_error(quote, quote_len, mtu, out);
}

bool toobig_may_cut(const uint8_t *packet, uint32_t len)
{
	return len >= IPSP_V4_HEADER && packet[0] == 0x45 && get_be16(packet + 2) == len &&
	       (get_be16(packet + 6) & V4_DF) == 0;
}

uint32_t toobig_cut(const uint8_t *packet, uint32_t len, uint32_t mtu, uint32_t *at, uint8_t *out)
{
	const uint16_t before = get_be16(packet + 6);
	const uint32_t left = len - IPSP_V4_HEADER - *at;
	uint32_t size = (mtu - IPSP_V4_HEADER) & ~7u;

	if (left == 0 || mtu < V4_MTU_MIN)
		return 0;
	const bool last = left <= size;

	if (last)
		size = left;
	memcpy(out, packet, IPSP_V4_HEADER);
	memcpy(out + IPSP_V4_HEADER, packet + IPSP_V4_HEADER + *at, size);
	/* What is cut may be a fragment itself. */
	put_be16(out + 6, (uint16_t)(((before & V4_OFFSET) + *at / 8) |
				     (last ? before & V4_MF : V4_MF)));
	ipsp_header_update(out, 4, 9, packet[9], IPSP_V4_HEADER + size);
	*at += size;
	return IPSP_V4_HEADER + size;
}
