/*
 * engine/ah_fields.c - what of the headers AH covers: see ah_fields.h. RFC 4302 A1, A2; RFC 791
 * for IPv4 options; RFC 8200 4.2, RFC 5095 and RFC 6275 6.4 for IPv6's.
 */
#include <string.h>

#include "engine/ah_fields.h"
#include "spd/octets.h"

#define V4_HEADER 20u
#define V6_HEADER 40u

enum {
	NH_HOP_BY_HOP = 0,
	NH_ROUTING = 43,
	NH_DSTOPTS = 60,
};

/* IPv4 options, RFC 4302 A1. Those that are not here are zeroed, the unknown ones too. */
enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_SECURITY = 130,
	OPT_LOOSE_ROUTE = 131,
	OPT_EXTENDED_SECURITY = 133,
	OPT_COMMERCIAL_SECURITY = 134,
	OPT_STRICT_ROUTE = 137,
	OPT_ROUTER_ALERT = 148,
	OPT_SENDER_DIRECTED = 149,
};

static bool option_immutable(uint8_t type)
{
	return type == OPT_SECURITY || type == OPT_EXTENDED_SECURITY ||
	       type == OPT_COMMERCIAL_SECURITY || type == OPT_ROUTER_ALERT ||
	       type == OPT_SENDER_DIRECTED;
}

/* Where a source route ends, if it has stations left. RFC 791: type, length, pointer, addresses. */
static enum ipsp_reason route_end(const uint8_t *option, uint32_t len, bool final, uint8_t *dst)
{
	if (len < 3 || (len - 3) % 4 != 0 || option[2] < 4)
		return IPSP_REASON_MALFORMED;
	if (option[2] > len)
		return IPSP_REASON_NONE;
	/* A pointer into the middle of an address points at none. */
	if (final || option[2] % 4 != 0)
		return IPSP_REASON_MALFORMED;
	memcpy(dst, option + len - 4, 4);
	return IPSP_REASON_NONE;
}

static enum ipsp_reason v4_options(uint8_t *p, uint32_t len, bool final)
{
	enum ipsp_reason reason;

	for (uint32_t at = V4_HEADER; at < len && p[at] != OPT_END;) {
		uint8_t type = p[at];
		uint32_t option_len;

		if (type == OPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at)
			return IPSP_REASON_MALFORMED;
		option_len = p[at + 1];
		if (type == OPT_LOOSE_ROUTE || type == OPT_STRICT_ROUTE) {
			reason = route_end(p + at, option_len, final, p + 16);
			if (reason != IPSP_REASON_NONE)
				return reason;
		}
		if (!option_immutable(type))
			memset(p + at, 0, option_len);
		at += option_len;
	}
	return IPSP_REASON_NONE;
}

static enum ipsp_reason v4_fields(uint8_t *p, uint32_t len, bool final)
{
	p[1] = 0;
	put_be16(p + 6, 0);
	p[8] = 0;
	put_be16(p + 10, 0);
	return v4_options(p, len, final);
}

/* One hop-by-hop or destination options header of len octets. */
static enum ipsp_reason v6_options(uint8_t *p, uint32_t len)
{
	enum { PAD1 = 0, MAY_CHANGE = 0x20 };

	for (uint32_t at = 2; at < len;) {
		if (p[at] == PAD1) {
			at++;
			continue;
		}
		if (len - at < 2 || p[at + 1] > len - at - 2)
			return IPSP_REASON_MALFORMED;
		if (p[at] & MAY_CHANGE)
			memset(p + at + 2, 0, p[at + 1]);
		at += 2u + p[at + 1];
	}
	return IPSP_REASON_NONE;
}

/*
 * A routing header as it is behind its last station. Each station puts the packet's destination in
 * the place of the address that becomes the next one: RFC 2460 4.4, RFC 6275 6.4.
 */
static enum ipsp_reason routing_final(uint8_t *ip, uint8_t *p, uint32_t len, bool final)
{
	enum { TYPE_SOURCE_ROUTE = 0, TYPE_HOME_ADDRESS = 2 };
	uint32_t n = (len - 8) / 16;
	uint32_t left = p[3];
	uint8_t end[16];
	uint8_t *rest;

	if (p[2] != TYPE_SOURCE_ROUTE && p[2] != TYPE_HOME_ADDRESS)
		return IPSP_REASON_EXTENSIONS;
	if ((len - 8) % 16 != 0 || left > n || (p[2] == TYPE_HOME_ADDRESS && n != 1))
		return IPSP_REASON_MALFORMED;
	if (left == 0)
		return IPSP_REASON_NONE;
	if (final)
		return IPSP_REASON_MALFORMED;
	rest = p + 8 + (n - left) * 16;
	memcpy(end, p + len - 16, 16);
	memmove(rest + 16, rest, (left - 1) * 16);
	memcpy(rest, ip + 24, 16);
	memcpy(ip + 24, end, 16);
	p[3] = 0;
	return IPSP_REASON_NONE;
}

static enum ipsp_reason v6_fields(uint8_t *p, uint32_t len, bool final)
{
	uint8_t nh = p[6];
	enum ipsp_reason reason = IPSP_REASON_NONE;

	put_be32(p, 6u << 28);
	p[7] = 0;
	for (uint32_t at = V6_HEADER; at < len && reason == IPSP_REASON_NONE;) {
		uint32_t header_len;

		if (len - at < 8)
			return IPSP_REASON_EXTENSIONS;
		header_len = (p[at + 1] + 1u) * 8;
		if (header_len > len - at)
			return IPSP_REASON_EXTENSIONS;
		if (nh == NH_HOP_BY_HOP || nh == NH_DSTOPTS)
			reason = v6_options(p + at, header_len);
		else if (nh == NH_ROUTING)
			reason = routing_final(p, p + at, header_len, final);
		else
			reason = IPSP_REASON_EXTENSIONS;
		nh = p[at];
		at += header_len;
	}
	return reason;
}

enum ipsp_reason ipsp_ah_fields(const uint8_t *headers, uint32_t len, bool final, uint8_t *out)
{
	if (len > IPSP_AH_HEADERS_MAX)
		return IPSP_REASON_EXTENSIONS;
	memcpy(out, headers, len);
	return headers[0] >> 4 == 4 ? v4_fields(out, len, final) : v6_fields(out, len, final);
}
