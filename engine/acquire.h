/*
 * engine/acquire.h - SAs that packets need and nobody has made yet. RFC 4301 4.4.1 (populate from
 * packet), 5.1; RFC 2367 3.1.6. Private to engine/.
 *
 * A need is an entry and what of the packet its SAs depend on: all packets of one need wait for the
 * same SAs. Workers see in a table, without a lock, what is known of a need; of one that is new they
 * put a want into a ring of theirs. The control thread takes wants up, asks, and writes the table.
 *
 *	worker   -- want -->  control thread  -- events.acquire -->  key manager
 *	   ^                        |   ^                                |
 *	   +---- table of needs ----+   +------- an SA, or a failure ----+
 */
#ifndef ENGINE_ACQUIRE_H
#define ENGINE_ACQUIRE_H

#include "engine/internal.h"

/** IPSP_OK, IPSP_ENOMEM, or that there is no randomness. */
enum ipsp_err ipsp_acquires_new(struct ipsp_engine *engine);
void ipsp_acquires_free(struct ipsp_engine *engine);

/** A worker's ring. NULL: no memory. */
struct ipsp_wants *ipsp_wants_new(const struct ipsp_engine *engine);
void ipsp_wants_free(const struct ipsp_engine *engine, struct ipsp_wants *wants);

/* ---- packet calls ---- */

bool ipsp_has_key_manager(const struct ipsp_engine *engine);

/** The need of an outbound packet by a rule with templates; not 0. */
uint64_t ipsp_need_of(const struct ipsp_engine *engine, const struct ipsp_spd_rule *rule,
		      const struct ipsp_flow *flow);

/** Did its negotiation fail a short time ago? */
bool ipsp_need_failed(const struct ipsp_engine *engine, uint64_t need);

/**
 * Asks for the SAs of a packet that its rule's templates do not find.
 * @param need  out: which need it is
 * @return IPSP_REASON_NONE: it is asked for, now or before; NO_KEY_MANAGER, ACQUIRE_FAILED,
 *	   ACQUIRE_FULL; POLICY_FRAGMENT: what the SAs depend on is hidden
 */
enum ipsp_reason ipsp_need_ask(struct ipsp_worker *worker, const struct ipsp_spd_rule *rule,
			       const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			       uint64_t now_s, uint64_t *need);

/* ---- control thread ---- */

/**
 * An outbound SA of a key manager is there: who waited for it has it, and its reqid's packets with that
 * peer pass in clear no more. The caller turns the epoch.
 */
void ipsp_acquires_answered(struct ipsp_engine *engine, const struct ipsp_sa *sa, uint64_t now_s);

/** Asks again, gives up, lets failures be forgotten. */
void ipsp_acquires_tick(struct ipsp_engine *engine, uint64_t now_s);

#endif
