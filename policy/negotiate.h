/*
 * policy/negotiate.h - what a rule asks a key manager for: IPsec actions as templates.
 *
 * RFC 4301 4.4.1; draft-ietf-ipsp-ikeaction-mib. Whoever negotiates, by PF_KEY, makes the SAs; nothing
 * here knows if anybody does.
 */
#ifndef POLICY_NEGOTIATE_H
#define POLICY_NEGOTIATE_H

#include "ipsp/config.h"
#include "policy/rows.h"

#define POL_NEGOTIATE_TEXT 200

/** The reqid of the SAs that a row of ipiaIpsecActionTable asks for. 0: no memory */
uint32_t pol_negotiate_reqid(const struct mib_row *r);

/** IPSP_PFP_*: which selectors of its SAs are one packet's alone. */
uint8_t pol_negotiate_pfp(const struct mib_row *r);

/**
 * Is an active row of ipiaIpsecActionTable a tunnel whose list of gateways has peers, but no address, so that they
 * may be anywhere? RFC 4301 4.4.3
 */
bool pol_negotiate_anyone(const struct mib_view *v, const struct mib_row *r);

/** The SAs of one IPsec action, innermost first. */
struct pol_negotiated {
	uint32_t n;
	struct ipsp_template templates[IPSP_TEMPLATES_MAX];
};

/**
 * The templates of an active row of ipiaIpsecActionTable. Their reqid is of the row, so the SAs of both
 * directions have the same.
 * @param why  out: why it cannot be asked for, as a part of a sentence: "names ..."; "" if it can
 * @return false: no memory
 */
bool pol_negotiate(const struct mib_view *v, const struct mib_row *r, struct pol_negotiated *out,
		   char why[POL_NEGOTIATE_TEXT]);

#endif
