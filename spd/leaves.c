/*
 * spd/leaves.c - octets at an offset, IPSO, IKE: see leaves.h. Reads a hostile packet.
 */
#include "spd/leaves.h"

#include <string.h>

#include "spd/octets.h"

#define IPV4_HEADER 20u
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_BASIC_SECURITY 130	/* RFC 1108 2.1 */
#define AUTHORITY_GOES_ON 0x01		/* another octet of flags follows */

#define PROTO_UDP 17
#define UDP_HEADER 8u
#define IKE_PORT 500
#define IKE_NAT_PORT 4500
#define NON_ESP_MARKER 4u
#define IKE_VERSION 17u			/* offsets in its header, RFC 7296 3.1 */
#define IKE_EXCHANGE 18u
#define IKE_HEADER 28u

static enum ipsp_fit truth(bool yes)
{
	return yes ? IPSP_FIT_SURE : IPSP_FIT_NOT;
}

/* ---- octets at an offset ---- */

static bool compares(int value_to_packet, uint8_t cmp)
{
	switch (cmp) {
	case IPSP_CMP_EQUAL:
		return value_to_packet == 0;
	case IPSP_CMP_NOT_EQUAL:
		return value_to_packet != 0;
	case IPSP_CMP_LESS:
		return value_to_packet < 0;
	case IPSP_CMP_GREATER_OR_EQUAL:
		return value_to_packet >= 0;
	case IPSP_CMP_GREATER:
		return value_to_packet > 0;
	default:
		return value_to_packet <= 0;
	}
}

enum ipsp_fit ipsp_leaf_octets(const struct ipsp_flow *flow, struct ipsp_span packet,
			       const struct ipsp_pred_node *n, const uint8_t *value)
{
	uint32_t end = (uint32_t)n->offset + n->count;

	if (flow->frag == IPSP_FRAG_LATER && end > flow->l4_offset)
		return IPSP_FIT_MAYBE;
	if (end > flow->total_len || end > packet.len)
		return flow->frag == IPSP_FRAG_FIRST ? IPSP_FIT_MAYBE : IPSP_FIT_NOT;
	return truth(compares(memcmp(value, packet.data + n->offset, n->count), n->arg));
}

/* ---- IPSO ---- */

/* The flags may go on over several octets; the named ones are all in the first. */
static enum ipsp_fit option_fits(const uint8_t *option, uint32_t len,
				 const struct ipsp_pred_node *n)
{
	if ((n->arg & IPSP_IPSO_LEVEL) && option[2] != n->level)
		return IPSP_FIT_NOT;
	if ((n->arg & IPSP_IPSO_AUTHORITY) && (len < 4 || !(option[3] & n->authority)))
		return IPSP_FIT_NOT;
	return IPSP_FIT_SURE;
}

/* Do its flags end where the option does? */
static bool option_is_whole(const uint8_t *option, uint32_t len)
{
	for (uint32_t i = 3; i < len; i++) {
		if (((option[i] & AUTHORITY_GOES_ON) != 0) != (i + 1 < len))
			return false;
	}
	return len >= 3;
}

enum ipsp_fit ipsp_leaf_ipso(const struct ipsp_flow *flow, struct ipsp_span packet,
			     const struct ipsp_pred_node *n)
{
	enum ipsp_fit fit = IPSP_FIT_NOT;
	bool met = false;
	uint32_t len;

	if (flow->family != 4)
		return IPSP_FIT_NOT;
	const uint32_t end = (uint32_t)(packet.data[0] & 0x0f) * 4;

	if (end > packet.len)
		return IPSP_FIT_MAYBE;
	for (uint32_t at = IPV4_HEADER; at < end && packet.data[at] != OPTION_END; at += len) {
		const uint8_t *option = packet.data + at;

		len = 1;
		if (option[0] == OPTION_NOP)
			continue;
		if (end - at < 2 || option[1] < 2 || option[1] > end - at)
			return IPSP_FIT_MAYBE;
		len = option[1];
		if (option[0] != OPTION_BASIC_SECURITY)
			continue;
		if (met || !option_is_whole(option, len))
			return IPSP_FIT_MAYBE;
		met = true;
		fit = option_fits(option, len, n);
	}
	return fit;
}

/* ---- IKE ---- */

static uint8_t phase_of(uint8_t version, uint8_t exchange)
{
	static const struct {
		uint8_t major, exchange, phase;
	} phases[] = {
		{ 1, 2, 1 },	/* identity protection: main mode */
		{ 1, 4, 1 },	/* aggressive */
		{ 1, 32, 2 },	/* quick mode */
		{ 2, 34, 1 },	/* IKE_SA_INIT */
		{ 2, 35, 1 },	/* IKE_AUTH */
		{ 2, 36, 2 },	/* CREATE_CHILD_SA */
	};

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (phases[i].major == version >> 4 && phases[i].exchange == exchange)
			return phases[i].phase;
	}
	return 0;
}

enum ipsp_fit ipsp_leaf_ike(const struct ipsp_flow *flow, struct ipsp_span packet,
			    const struct ipsp_pred_node *n)
{
	static const uint8_t marker[NON_ESP_MARKER];
	uint32_t at = flow->l4_offset + UDP_HEADER;
	bool nat;

	if (!flow->proto_known)
		return IPSP_FIT_MAYBE;
	if (flow->proto != PROTO_UDP)
		return IPSP_FIT_NOT;
	if (!flow->ports_known)
		return IPSP_FIT_MAYBE;
	nat = flow->sport == IKE_NAT_PORT || flow->dport == IKE_NAT_PORT;
	if (!nat && flow->sport != IKE_PORT && flow->dport != IKE_PORT)
		return IPSP_FIT_NOT;
	const uint32_t end = at + (nat ? NON_ESP_MARKER : 0) + IKE_HEADER;

	if (end > flow->total_len || end > packet.len)
		return flow->frag == IPSP_FRAG_FIRST ? IPSP_FIT_MAYBE : IPSP_FIT_NOT;
	if (nat) {
		if (memcmp(packet.data + at, marker, NON_ESP_MARKER) != 0)
			return IPSP_FIT_NOT;
		at += NON_ESP_MARKER;
	}
	return truth(phase_of(packet.data[at + IKE_VERSION], packet.data[at + IKE_EXCHANGE]) ==
		     n->arg);
}
