/*
 * policy/action.h - what the action of a rule does with a packet.
 *
 * RFC 4807 (static and compound actions). Whatever cannot be done as it says discards, with the
 * reason.
 */
#ifndef POLICY_ACTION_H
#define POLICY_ACTION_H

#include "policy/build.h"

struct pol_decision {
	enum ipsp_action action;
	bool log;
	uint64_t sa_id;		/* PROTECT: 0 when the SA is not in force */
	char reason[180];	/* "": done as configured */
};

/**
 * Gives the generation an SA for each active row of ipsaSaPreconfiguredActionTable, or the reason
 * why it has none. Before any pol_action_of.
 * @return false: no memory
 */
bool pol_action_sas(struct pol_build *b);

/**
 * What the action of a rule does in a list of that direction.
 *
 * A compound action is flattened: its active subactions, and theirs. When exactly one of them
 * decides about the packet (drop, accept, preconfigured SA) the compound does what that one does,
 * under each execution strategy, since nothing stands before it that could fail and nothing after
 * it could change the outcome. None, as in an empty compound, or several that decide: discard.
 * @return false: no memory
 */
bool pol_action_of(struct pol_build *b, const struct mib_row *rule, enum ipsp_dir dir,
		   struct pol_decision *out);

#endif
