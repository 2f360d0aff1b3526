/*
 * engine/like.c - see like.h.
 */
#include "engine/like.h"

/* The octets that count, by family. */
static const uint8_t v4_mask[IPSP_LIKE_V4] = {
	0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};
static const uint8_t v6_mask[IPSP_LIKE_V6] = {
	0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

bool ipsp_like_of(const uint8_t *packet, const struct ipsp_flow *flow, uint32_t selected,
		  struct ipsp_like *out)
{
	const uint32_t octets = flow->family == 4 ? IPSP_LIKE_V4 : IPSP_LIKE_V6;
	uint8_t mask[IPSP_LIKE_V6] = { 0 };

	if (flow->frag != IPSP_FRAG_NONE || !flow->proto_known || flow->total_len < octets ||
	    flow->l4_offset != octets - 4 || selected > 4)
		return false;
	memcpy(mask, flow->family == 4 ? v4_mask : v6_mask, octets);
	memset(mask + octets - 4, 0xff, selected);
	*out = (struct ipsp_like){ .octets = octets };
	for (uint32_t i = 0; i < IPSP_LIKE_WORDS && ipsp_like_at(i) + 8 <= octets; i++) {
		out->words[i] = ipsp_like_word(packet + ipsp_like_at(i));
		out->masks[i] = ipsp_like_word(mask + ipsp_like_at(i));
	}
	return true;
}
