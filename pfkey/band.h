/*
 * pfkey/band.h - policies that came by PF_KEY, as they go to who compiles them, and come back.
 *
 * They stand in a band of their own behind all entries of MIB rows, in the order of priority (lower
 * first), then of their coming, in every list of their direction.
 */
#ifndef PFKEY_BAND_H
#define PFKEY_BAND_H

#include "ipsp/types.h"

#define PFKEY_TEMPLATES_MAX 4u
#define PFKEY_POLICIES_MAX 16384u

enum pfkey_band_dir { PFKEY_DIR_IN = 1, PFKEY_DIR_OUT = 2, PFKEY_DIR_FWD = 3 };	/* Linux's */
enum pfkey_band_action {
	PFKEY_BAND_DISCARD = 0,
	PFKEY_BAND_BYPASS = 1,
	PFKEY_BAND_PROTECT = 2,
};

/** One transformation, innermost first. */
struct pfkey_band_template {
	uint8_t proto;			/* IP protocol */
	bool tunnel;
	bool optional;			/* level "use": without an SA packets go on without it */
	uint32_t reqid;			/* 0: any */
	struct ipsp_addr src, dst;	/* of the outer header; family 0: the packet's own */
};

struct pfkey_band_policy {
	uint32_t index;			/* unique, never 0; its low three bits are the direction */
	uint8_t dir;			/* enum pfkey_band_dir; fwd counts as inbound */
	uint8_t action;			/* enum pfkey_band_action */
	uint32_t priority;
	uint32_t order;			/* among those of one priority */
	uint64_t life_s;		/* from its coming on; 0: for ever */
	uint64_t life_use_s;
	struct ipsp_selector selector;	/* of packets in its direction */
	uint8_t n_templates;		/* PROTECT: at least one */
	struct pfkey_band_template templates[PFKEY_TEMPLATES_MAX];
};

/** The id of the SPD entry of that policy: of no row of a MIB, by its upper half. */
#define PFKEY_ENTRY_ID(index) (UINT64_C(0x70666b65) << 32 | (index))

/** The index, or 0: no policy of ours. */
static inline uint32_t pfkey_entry_index(uint64_t entry_id)
{
	return entry_id >> 32 == 0x70666b65 ? (uint32_t)entry_id : 0;
}

#endif
