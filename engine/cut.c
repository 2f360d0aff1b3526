/* engine/cut.c - fragments, made. RFC 791 3.2, RFC 8200 4.5. */
#include <string.h>

#include "engine/header.h"
#include "ipsp/fragment.h"
#include "spd/octets.h"

#define V4_DF 0x4000u
#define V4_MF 0x2000u
#define V4_OFFSET 0x1fffu
#define NH_FRAGMENT 44

/* Options, RFC 791 3.1: one octet alone, or with their length; the first bit: in every fragment. */
enum { OPT_END = 0, OPT_NOP = 1, OPT_COPIED = 0x80 };

bool ipsp_cut_begin(struct ipsp_cutter *c, const uint8_t *packet, const struct ipsp_flow *flow,
		    uint32_t mtu, uint32_t v6_id)
{
	const bool v4 = flow->family == 4;
	const uint32_t data_at = v4 ? flow->l4_offset : flow->esp_offset;
	const uint32_t before = data_at + (v4 ? 0 : IPSP_V6_FRAGMENT_HEADER);

	if (mtu < before + 8 || (!v4 && flow->frag != IPSP_FRAG_NONE))
		return false;
	*c = (struct ipsp_cutter){
		.packet = packet, .len = flow->total_len, .mtu = mtu, .data_at = data_at,
		.nh_offset = flow->esp_nh_offset, .id = v6_id, .family = flow->family,
	};
	return true;
}

/* The header of a fragment that is not the first: of the options, those that are copied. */
static uint32_t later_header(const uint8_t *packet, uint32_t header_len, uint8_t *out)
{
	uint32_t at = IPSP_V4_HEADER, n = IPSP_V4_HEADER;

	memcpy(out, packet, IPSP_V4_HEADER);
	while (at < header_len && packet[at] != OPT_END) {
		uint32_t len = packet[at] == OPT_NOP ? 1 :
			       at + 1 < header_len ? packet[at + 1] : 0;

		if (len == 0 || len > header_len - at || (len == 1 && packet[at] != OPT_NOP))
			break;
		if (packet[at] & OPT_COPIED) {
			memcpy(out + n, packet + at, len);
			n += len;
		}
		at += len;
	}
	while (n % 4 != 0)
		out[n++] = OPT_END;
	out[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

static uint32_t next_v4(struct ipsp_cutter *c, uint8_t *out)
{
	const uint32_t left = c->len - c->data_at - c->at;
	const uint16_t before = get_be16(c->packet + 6);
	uint32_t header = c->data_at, size;

	if (c->at == 0)
		memcpy(out, c->packet, header);
	else
		header = later_header(c->packet, c->data_at, out);
	const bool last = left <= c->mtu - header;

	size = last ? left : (c->mtu - header) & ~7u;
	memcpy(out + header, c->packet + c->data_at + c->at, size);
	put_be16(out + 6, (uint16_t)((before & V4_DF) | ((before & V4_OFFSET) + c->at / 8) |
				     (last ? before & V4_MF : V4_MF)));
	ipsp_header_update(out, 4, 9, out[9], header + size);
	c->at += size;
	return header + size;
}

static uint32_t next_v6(struct ipsp_cutter *c, uint8_t *out)
{
	const uint32_t left = c->len - c->data_at - c->at;
	const uint32_t header = c->data_at + IPSP_V6_FRAGMENT_HEADER;
	const bool last = left <= c->mtu - header;
	const uint32_t size = last ? left : (c->mtu - header) & ~7u;
	uint8_t *const frag = out + c->data_at;

	memcpy(out, c->packet, c->data_at);
	frag[0] = out[c->nh_offset];
	frag[1] = 0;
	put_be16(frag + 2, (uint16_t)(c->at | !last));
	put_be32(frag + 4, c->id);
	memcpy(out + header, c->packet + c->data_at + c->at, size);
	ipsp_header_update(out, 6, c->nh_offset, NH_FRAGMENT, header + size);
	c->at += size;
	return header + size;
}

uint32_t ipsp_cut_next(struct ipsp_cutter *c, uint8_t *out)
{
	if (c->at >= c->len - c->data_at)
		return 0;
	return c->family == 4 ? next_v4(c, out) : next_v6(c, out);
}
