/*
 * policy/action.h - what the action of a rule does with a packet.
 *
 * RFC 4807 (static and compound actions). Whatever cannot be done as it says discards, with the
 * reason.
 */
#ifndef POLICY_ACTION_H
#define POLICY_ACTION_H

#include "policy/build.h"
#include "policy/negotiate.h"

struct pol_decision {
	enum ipsp_action action;	/* steps: what they may come to, as struct ipsp_spd_entry says */
	bool log;
	bool accept_clear;	/* as struct ipsp_spd_entry says */
	bool no_frag_state;	/* likewise */
	uint64_t action_id;	/* what is logged is of that row; 0: nothing is */
	uint64_t sa_id;		/* PROTECT: 0 when the SA is not in force */
	struct pol_negotiated negotiated;	/* SAs that a key manager makes; n 0: none */
	uint32_t clear_s;	/* as in struct ipsp_spd_entry */
	uint32_t n_steps;	/* 0: one action */
	struct ipsp_step steps[IPSP_STEPS_MAX];
	char reason[180];	/* "": done as configured */
};

/**
 * The SAs of an active row of ipsaSaPreconfiguredActionTable, or the reason why it has none.
 * @param out  one reference each, the caller's, innermost first, NULL behind; none: not in force
 * @return false: no memory
 */
bool pol_action_sas(struct pol_build *b, const struct mib_row *r,
		    struct pol_sa *out[IPSP_BUNDLE_MAX]);

/**
 * What the action of a rule does in a list of that direction. The SAs it may name have been made.
 *
 * A compound action becomes a program (ipsp/program.h) of its active subactions and theirs, so that
 * it is decided for each packet which of them succeed: drops and accepts do, an SA while it is in
 * force and usable, an IPsec action while its SAs are there or are being negotiated. An IKE action
 * before an IPsec action says how, and is no action of its own; alone it fails. A rule has SAs of one
 * IPsec action. One that comes to the same whatever its SAs do is decided here. ipiaRejectIKEAction
 * drops.
 *
 * Where the reason is not empty the packets are dropped, or, of a compound, all of them.
 * @return false: no memory
 */
bool pol_action_of(struct pol_build *b, const struct mib_row *rule, enum ipsp_dir dir,
		   struct pol_decision *out);

#endif
