/*
 * spd/selector.c - selector boxes and key octets as values, and the texts of error codes.
 */
#include <string.h>

#include "ipsp/config.h"

void ipsp_selector_any(uint8_t family, struct ipsp_selector *out)
{
	memset(out, 0, sizeof(*out));
	out->family = family;
	out->proto_hi = 255;
	out->dscp_hi = IPSP_DSCP_MAX;
	out->flow_hi = IPSP_FLOW_MAX;
	out->sport_hi = IPSP_PORT_NONE;
	out->dport_hi = IPSP_PORT_NONE;
	out->src_lo.family = out->src_hi.family = family;
	out->dst_lo.family = out->dst_hi.family = family;
	memset(out->src_hi.octets, 0xff, ipsp_addr_size(family));
	memset(out->dst_hi.octets, 0xff, ipsp_addr_size(family));
}

bool ipsp_selector_has_ports(const struct ipsp_selector *s)
{
	return s->sport_lo > 0 || s->sport_hi < IPSP_PORT_NONE ||
	       s->dport_lo > 0 || s->dport_hi < IPSP_PORT_NONE;
}

static bool addr_range_valid(uint8_t family, const struct ipsp_addr *lo,
			     const struct ipsp_addr *hi)
{
	return lo->family == family && hi->family == family && ipsp_addr_cmp(lo, hi) <= 0;
}

bool ipsp_selector_valid(const struct ipsp_selector *s)
{
	if (ipsp_addr_size(s->family) == 0)
		return false;
	if (s->family == 4 && (s->flow_lo != 0 || s->flow_hi != IPSP_FLOW_MAX))
		return false;
	return s->proto_lo <= s->proto_hi && s->hides <= IPSP_HIDES_NEVER &&
	       s->dscp_lo <= s->dscp_hi && s->dscp_hi <= IPSP_DSCP_MAX &&
	       s->flow_lo <= s->flow_hi && s->flow_hi <= IPSP_FLOW_MAX &&
	       s->sport_lo <= s->sport_hi && s->sport_hi <= IPSP_PORT_NONE &&
	       s->dport_lo <= s->dport_hi && s->dport_hi <= IPSP_PORT_NONE &&
	       addr_range_valid(s->family, &s->src_lo, &s->src_hi) &&
	       addr_range_valid(s->family, &s->dst_lo, &s->dst_hi);
}

void ipsp_key_wipe(struct ipsp_key *k)
{
	/* Through volatile, or the stores before a free might be left out. */
	volatile uint8_t *at = (volatile uint8_t *)k;

	for (size_t i = 0; i < sizeof(*k); i++)
		at[i] = 0;
}

const char *ipsp_err_text(enum ipsp_err err)
{
	static const char *const texts[] = {
		[IPSP_OK] = "no error",
		[IPSP_EINVAL] = "invalid argument",
		[IPSP_ENOMEM] = "no memory",
		[IPSP_EEXIST] = "exists already",
		[IPSP_ENOENT] = "not found",
		[IPSP_ENOTSUP] = "not offered",
		[IPSP_EKEYLEN] = "key length",
		[IPSP_EREPLAY] = "replay",
		[IPSP_EOLD] = "left of the window",
		[IPSP_EICV] = "integrity check",
		[IPSP_EOVERFLOW] = "sequence numbers used up",
		[IPSP_EMALFORMED] = "malformed",
		[IPSP_ENOSPC] = "no space",
		[IPSP_ECRYPTO] = "crypto provider",
		[IPSP_EEXPIRED] = "lifetime over",
		[IPSP_EPOLICY] = "not allowed by policy",
		[IPSP_EAGAIN] = "not now",
		[IPSP_ETOOBIG] = "too long for its path",
		[IPSP_EIO] = "input or output failed",
	};

	if ((size_t)err >= sizeof(texts) / sizeof(texts[0]))
		return "unknown error";
	return texts[err];
}
