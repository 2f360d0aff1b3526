/*
 * ipspd/engine_reserve.h - which outbound sequence numbers may be used (RFC 4303 3.3.3).
 *
 * A number space outlives this process in the memfd, and the machine in the agent's store: the
 * agent makes a block of numbers durable before any of it goes on the wire, so that after a cold
 * start it can go on above. Here stand the ceilings the agent has given, by counter_id, and whether
 * it has been asked for the next block. Keeps no numbers itself and sends nothing.
 */
#ifndef IPSPD_ENGINE_RESERVE_H
#define IPSPD_ENGINE_RESERVE_H

#include "ipsp/counters.h"
#include "ipsp/sad.h"

#define RESERVE_SPACES_MAX (1u << 17)
#define RESERVE_NOTHING 1		/* the ceiling of an SA that no number is reserved for */
#define RESERVE_ASK_AGAIN_S 5	/* an unanswered question is repeated so often */

struct engine_reserve;

/** NULL: no memory. */
struct engine_reserve *engine_reserve_new(void);
void engine_reserve_free(struct engine_reserve *r);

/** The agent allows numbers up to ceiling. Never lowers. @return 0, -ENOMEM, -E2BIG */
int engine_reserve_grant(struct engine_reserve *r, uint64_t counter_id, uint64_t ceiling);

/** The highest number allowed for a space; 0: none. */
uint64_t engine_reserve_ceiling(const struct engine_reserve *r, uint64_t counter_id);

/**
 * Before an SA is installed: sets its seq_floor and seq_ceiling so that no number is used that is
 * not reserved, and none twice.
 * @param sad       an SA that goes on with its numbers keeps its floor
 * @param counters  a space that is held in memory goes on exactly: no floor
 */
void engine_reserve_prepare(const struct engine_reserve *r, const struct ipsp_sad *sad,
		     const struct ipsp_counters *counters, struct ipsp_sa_config *sa);

/**
 * Has the SA no number reserved at all? Then the core may still give out number 1 (to it a ceiling
 * of 0 means none), and what it made with that must not be sent.
 */
static inline bool engine_reserve_is_empty(const struct ipsp_sa *sa)
{
	return sa->dir == IPSP_OUTBOUND &&
	       atomic_load_explicit(&sa->seq_ceiling, memory_order_relaxed) == RESERVE_NOTHING;
}

/** Is it time to ask for more numbers of an SA? Any thread. */
bool engine_reserve_is_low(const struct ipsp_sa *sa);

/**
 * Raises the SA's ceiling to what is allowed; then: should the agent be asked for more?
 * @param next  out: the number that would come next, to ask with
 */
bool engine_reserve_check(struct engine_reserve *r, struct ipsp_sad *sad, const struct ipsp_sa *sa,
		   uint64_t now_s, uint64_t *next);

/** The SA for which more numbers of that space were asked last; 0: none. It may be gone. */
uint64_t engine_reserve_asker(const struct engine_reserve *r, uint64_t counter_id);

/**
 * Calls each for the SAs for which the agent owes an answer, whatever the number of SAs.
 * @param each  false: there is no such SA, and no answer is waited for any more
 */
void engine_reserve_each_waiting(struct engine_reserve *r, bool (*each)(void *arg, uint64_t sa_id),
				 void *arg);

/** There is a new agent: what the old one was asked counts no more. */
void engine_reserve_forget_asked(struct engine_reserve *r);

/** Forgets the spaces for which in_use(arg, counter_id) is false. */
void engine_reserve_prune(struct engine_reserve *r, bool (*in_use)(void *arg, uint64_t counter_id),
			  void *arg);

#endif
