/*
 * ipsp/program.h - what an SPD entry with several actions comes to, for one packet. RFC 4807
 * spdCompoundActionTable.
 *
 * Actions run one after the other. A drop or accept always succeeds, a PROTECT while its SA is usable,
 * an IPSP_STEP_FAIL never.
 *
 *	compound		runs				succeeds	decides
 *	UNTIL_SUCCESS		until one succeeds		if one did	the one that succeeded
 *	UNTIL_FAILURE		until one fails			if none failed	the strictest that ran
 *	ALL			all				always		the strictest that ran
 *
 * DISCARD is stricter than PROTECT, that than BYPASS; of several SAs the first decides. In ALL, what
 * failed is stricter than BYPASS: a packet that an SA should have carried does not leave in clear
 * because another action ran as well. A drop that ran is never undone, also if its compound failed
 * after it. A compound without actions fails. When the outer one fails the packet drops. No recursion,
 * no memory, no clock.
 */
#ifndef IPSP_PROGRAM_H
#define IPSP_PROGRAM_H

#include "ipsp/config.h"

/** What a program came to. */
struct ipsp_outcome {
	uint8_t action;		/* enum ipsp_action */
	bool failed;		/* DISCARD because an action that was wanted could not be done */
	bool waits;		/* PROTECT: by SAs that are not there yet */
	bool asks;		/* for SAs that would be used as well if they were there */
	uint8_t reason;		/* of failed: enum ipsp_reason, if one is known better */
	uint32_t step;		/* that decided, unless failed */
	uint64_t sa_id;		/* PROTECT; 0: by the entry's templates */
	uint64_t ran[IPSP_STEPS_MAX / 64];	/* a bit for each action that ran and succeeded */
};

/** Did that action run, with success? */
static inline bool ipsp_step_ran(const struct ipsp_outcome *v, uint32_t step)
{
	return v->ran[step / 64] >> (step % 64) & 1;
}

/**
 * Is it well formed: kinds known, a compound first that ends at n, all others whole inside of theirs,
 * not too deep, ids where they belong?
 */
bool ipsp_steps_valid(const struct ipsp_step *steps, uint32_t n);

/**
 * Runs a program that is valid.
 * @param usable  can a packet go through that SA now? Asked of each PROTECT step that is run; 0 is for
 *		  one by templates
 */
void ipsp_steps_run(const struct ipsp_step *steps, bool (*usable)(void *arg, uint64_t sa_id),
		    void *arg, struct ipsp_outcome *out);

#endif
