/*
 * engine/nest.h - what is put around a packet that is protected already. RFC 4301 appendix E. Private to
 * engine/.
 *
 * What a bundle made is looked up once more, as the packet it is now. If the first entry that matches
 * protects it by a tunnel towards another gateway than the one it goes to, it goes through that too;
 * anything else such an entry says is about packets that were not protected yet. An SA is never
 * applied twice, and IPSP_NEST_MAX bundles are the most.
 */
#ifndef ENGINE_NEST_H
#define ENGINE_NEST_H

#include "engine/bundle.h"

/** SAs of one packet at most. */
#define IPSP_LAYERS_MAX (IPSP_NEST_MAX * IPSP_BUNDLE_MAX)

/** Those that it went through, or will: innermost first. */
struct ipsp_applied {
	uint32_t n;
	const struct ipsp_sa *sas[IPSP_LAYERS_MAX];
};

/**
 * The bundle that an entry puts around what a packet has become.
 * @param match    IPSP_SPD_RULE, and the entry
 * @param flow     of what it is now
 * @param outcome  out: what the entry came to
 * @param next     out: n is 0: none
 * @return IPSP_REASON_NONE; POLICY_NO_SA: one that is not there
 */
enum ipsp_reason ipsp_nest_by(const struct ipsp_bundle_job *job, const struct ipsp_spd_match *match,
			      const struct ipsp_flow *flow, const struct ipsp_applied *applied,
			      struct ipsp_outcome *outcome, struct ipsp_bundle *next);

/**
 * Makes of a packet's headers those of what an SA makes of it, as far as selectors and the SAs around
 * look at them; total_len is what it has without compression or padding that hides its length.
 * @return false: the SA will refuse it
 */
bool ipsp_nest_outside(const struct ipsp_worker *worker, const struct ipsp_sa *sa,
		       struct ipsp_flow *flow);

#endif
