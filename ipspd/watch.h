/*
 * ipspd/watch.h - the tables in which a manager watches the system: IPSPD-MIB arcs 7 to 10, and the
 * counters of rules.
 *
 *	watch.c		what they share, and the counters of rules
 *	watch_spd.c	SPD entries, their selectors, their lists
 *	watch_sa.c	SAs
 *	watch_peer.c	peers
 *
 * Everything is read from what the agent has already: the compiled policy, the rows, the totals. No
 * read asks anybody; the first one makes the agent ask for newer totals (agent_totals_wanted).
 */
#ifndef IPSPD_WATCH_H
#define IPSPD_WATCH_H

#include "ipspd/agent.h"

struct watch;

/**
 * Makes it and registers its sources and its listener; before the store's first transaction.
 * @param a  borrowed for life, and with it agent_store(a), agent_status(a)
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err watch_new(struct agent *a, struct pol_status *status,
				      struct watch **out);
/** The store must be gone, or nobody may read it any more. NULL is allowed. */
void watch_free(struct watch *w);

/** How things stand with an SA, for all doors. */
enum watch_sa_state {
	WATCH_SA_DOWN = 1,
	WATCH_SA_LARVAL,
	WATCH_SA_MATURE,
	WATCH_SA_DYING,
	WATCH_SA_DEAD,
};

/**
 * The state of the SA that a row of ipsaSaPreconfiguredActionTable configures.
 * @param id   out: of its totals
 * @param why  out: why it cannot be used; "" when it can
 */
enum watch_sa_state watch_sa_state(struct agent *a, const struct mib_row *r, uint64_t *id,
				   char why[POL_STATUS_TEXT]);

/**
 * An SA of no row as if a row configured it, without keys, and what it counted.
 * @param cfg  out: id, names, algorithms, lifetimes; what the engine does not tell is 0
 */
void watch_negotiated(const struct sad_picture_sa *n, struct ipsp_sa_config *cfg,
		      struct totals_sa *counted);

/** Its state. @param why  out: why it cannot be used; "" when it can. Internal, do not free */
enum watch_sa_state watch_negotiated_state(const struct sad_picture_sa *n, const char **why);

#endif
