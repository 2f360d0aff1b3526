/*
 * policy/status.h - what managers read of the compiler's work: are rules and actions in force?
 *
 * The observed columns of ipspdRuleTable, ipspdPreActTable and ipspdClosureState (IPSPD-MIB). The
 * daemon feeds it with each generation and with what the engine refused.
 */
#ifndef POLICY_STATUS_H
#define POLICY_STATUS_H

#include "policy/policy.h"

struct pol_status;

/**
 * Makes it and registers its three sources and a listener; before the store's first transaction.
 * @param s  borrowed for life; the status must outlive the store's reads
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err pol_status_new(struct mib_store *s, struct pol_status **out);
void pol_status_free(struct pol_status *st);

/**
 * The generation that rows are in force with from now on; forgets what was refused before.
 * @param g  borrowed until the next call; NULL: none, nothing is in force
 */
void pol_status_set_generation(struct pol_status *st, const struct pol_generation *g);

/** All commits up to that generation are in force: rows changed later wait. */
void pol_status_applied(struct pol_status *st, uint64_t number);

/**
 * The engine does not have that SA: refused, or its lifetime is over.
 * @param reason  a sentence without its subject: "has an SPI that is taken"; copied
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err pol_status_refused(struct pol_status *st, uint64_t sa_id,
					       const char *reason);

/** Is a key manager there, who makes the SAs of rules that have them negotiated? At first none is. */
void pol_status_set_manager(struct pol_status *st, bool present);
bool pol_status_has_manager(const struct pol_status *st);

/** Who knows what rules have done. */
struct pol_observer {
	/** A column of ipspdRuleTable that is not about being in force: a mib_source's read. */
	enum mib_err (*rule)(void *arg, const struct mib_column *col, const uint32_t *index,
			     size_t len, struct mib_value *out);
	void *arg;
};

/** @param o  borrowed for life; NULL: nobody */
void pol_status_observe(struct pol_status *st, const struct pol_observer *o);

/** The lowest id above `after` that was named since the generation came, SAs among them; 0: none. */
uint64_t pol_status_next_refused(const struct pol_status *st, uint64_t after);

#define POL_STATUS_TEXT 256

/**
 * Why a row is not in force, for people.
 * @param r  a row of spdRuleDefinitionTable or ipsaSaPreconfiguredActionTable
 * @return true: it is, and buf is empty
 */
bool pol_status_in_force(const struct pol_status *st, const struct mib_row *r,
			 char buf[POL_STATUS_TEXT]);

/** Rises when generation or refusals change, so that what was read before may be old. */
uint64_t pol_status_changes(const struct pol_status *st);

/**
 * The same for a row of any table: is it active, and does it do what it says, as far as can be known of it alone?
 * Rows that nothing refers to stand.
 */
bool pol_status_row(const struct pol_status *st, const struct mib_row *r,
		    char buf[POL_STATUS_TEXT]);

#endif
