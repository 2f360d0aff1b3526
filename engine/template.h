/*
 * engine/template.h - entries whose SAs are negotiated: which SAs there are for a packet, and whether a
 * packet came out of the right ones. RFC 4301 4.4.1, 5.1, 5.2. Private to engine/.
 */
#ifndef ENGINE_TEMPLATE_H
#define ENGINE_TEMPLATE_H

#include "engine/internal.h"

/** The SAs that an outbound packet goes through, innermost first. */
struct ipsp_negotiated {
	uint32_t n;
	const struct ipsp_sa *sas[IPSP_TEMPLATES_MAX];
	uint8_t missing;	/* templates without an SA: a bit each */
	bool waits;		/* for one that it cannot do without */
	bool unasked;		/* nobody is to be asked for one that is missing */
};

/**
 * Looks for them; out->n SAs are there. Where IPComp is only to be used, and there is none, the one around it
 * is in its mode, and IPComp by itself is not asked for. An SA that names the one around it goes with that one.
 * Any thread.
 */
void ipsp_templates_find(const struct ipsp_sad *sad, const struct ipsp_template *templates,
			 uint32_t n, const struct ipsp_flow *flow, uint64_t now_s,
			 struct ipsp_negotiated *out);

/**
 * Did an inbound packet come out of the SAs that the entry's templates ask for, in their order? Those
 * that only are to be used where they are there may be missing, and IPComp (RFC 3173 2.2); where that is only to
 * be used, the one around it is then in its mode.
 * @param sas  n SAs, outermost first
 */
bool ipsp_templates_fit(const struct ipsp_spd_rule *rule, const struct ipsp_sa *const *sas,
			uint32_t n);

/** May packets of the entry with this peer pass in clear now, as a negotiation failed? */
bool ipsp_templates_clear(const struct ipsp_sad *sad, const struct ipsp_spd_rule *rule,
			  enum ipsp_dir dir, const struct ipsp_flow *flow, uint64_t now_s);

#endif
