/*
 * ipspd/engine_hold.h - packets that wait for an SA: copies, until it is there or will not be.
 *
 * Of each need (struct ipsp_acquire) the newest few are kept; all together are bounded in octets, and none
 * is kept for long. Nothing of the network waits for us meanwhile: a packet that is not kept was lost,
 * as on any path. The secrets of clear packets: their octets are wiped.
 */
#ifndef IPSPD_ENGINE_HOLD_H
#define IPSPD_ENGINE_HOLD_H

#include "ipsp/engine.h"

struct engine_role;
struct engine_hold;

/** As managers set it (ipspdHold). */
struct hold_settings {
	uint32_t depth;		/* packets of one need: the newest; 0: none is held */
	uint32_t octets_max;	/* of all */
	uint32_t seconds;	/* what waits longer is of no use to anybody */
};

#define HOLD_DEPTH_MAX 1024u
#define HOLD_OCTETS_MAX (64u << 20)
#define HOLD_S_MAX 600u

/** Before anybody has set it: 1, 4 MiB, 60. */
#define HOLD_SETTINGS ((struct hold_settings){ 1, 4u << 20, 60 })

/** @return 0, -ENOMEM */
int engine_hold_new(struct engine_role *role);
/** Drops all. NULL in role is fine. */
void engine_hold_free(struct engine_role *role);

/** In force for packets that come from now on. False: no such values, nothing changed */
bool engine_hold_set(struct engine_hold *h, const struct hold_settings *s);

/** Takes copies of those packets that are to be held. What they need has been taken up: ipsp_engine_turn. */
void engine_hold_take(struct engine_role *role, const struct ipsp_packet *packets, size_t n,
		      uint64_t now_s);

/**
 * What a need waited for is over. Packets that may go now do so at the next turn of the loop; the others
 * are dropped and counted.
 */
void engine_hold_over(struct engine_role *role, const struct ipsp_acquire *a,
		      enum ipsp_acquire_end why);

/** Drops what waits too long. About once a second. */
void engine_hold_tick(struct engine_role *role, uint64_t now_s);

/** Packets that wait now. */
size_t engine_hold_count(const struct engine_hold *h);

#endif
