/*
 * policy/program.h - what a program of an SPD entry may come to, whatever its SAs are doing.
 *
 * The guard must not pass what the engine might protect or drop, and the engine takes what came under
 * an SA only if the entry may choose that SA. Both want to know it before there is a packet.
 */
#ifndef POLICY_PROGRAM_H
#define POLICY_PROGRAM_H

#include "ipsp/config.h"

/** What some state of the SAs makes a program come to. */
struct pol_prospects {
	bool bypass;
	bool protect;
	bool drop;	/* by a drop, or because it failed */
};

/** What an entry says of such a program to those who cannot run it: struct ipsp_spd_entry. */
static inline enum ipsp_action pol_prospects_action(const struct pol_prospects *may)
{
	if (may->protect || (may->bypass && may->drop))
		return IPSP_PROTECT;
	return may->bypass ? IPSP_BYPASS : IPSP_DISCARD;
}

/**
 * Judges a valid program, each SA on its own: one that stands twice may be usable and not. Sets
 * may_decide of its steps.
 */
void pol_program_judge(struct ipsp_step *steps, uint32_t n, struct pol_prospects *out);

#endif
