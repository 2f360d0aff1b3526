/*
 * ipsp/sad.h - the SAD: SAs, found by SPI (inbound) or id (outbound). RFC 4301 4.4.2.
 *
 * One control thread adds and removes; any number of threads find and use SAs meanwhile, without a
 * lock. What is taken out is handed back to the caller, who frees it when no thread can still see
 * it (the engine does that by epochs). Keys live in the provider's contexts only.
 */
#ifndef IPSP_SAD_H
#define IPSP_SAD_H

#include <stdatomic.h>

#include "ipsp/config.h"
#include "ipsp/counters.h"
#include "ipsp/crypto.h"
#include "ipsp/reason.h"

struct ipsp_platform;
struct ipsp_sad;

/** RFC 2367 1.1. Only mature and dying SAs carry packets. */
enum ipsp_sa_state {
	IPSP_SA_LARVAL,
	IPSP_SA_MATURE,
	IPSP_SA_DYING,	/* soft lifetime over: in use until its successor is */
	IPSP_SA_DEAD,	/* hard lifetime over: there, so that its traffic drops, but unusable */
};

/** "larval", "mature", "dying", "dead". */
const char *ipsp_sa_state_text(enum ipsp_sa_state state);

/** An SA as it is in the SAD. For everyone but the SAD itself only to be read. */
struct ipsp_sa {
	/* fixed at installation; meanings as in struct ipsp_sa_config */
	uint64_t id;
	uint64_t counter_id;
	uint64_t next_id;
	uint32_t spi;
	uint8_t dir, proto, mode, df, ecn;
	uint8_t dscp, outer_ttl;
	bool dscp_set, esn, replay;
	uint16_t tfc_pad;
	uint16_t encr, encr_key_bits, integ;
	uint32_t replay_window_pkts;
	uint64_t seq_floor;
	uint64_t life_s, life_bytes;
	struct ipsp_addr local, remote;
	struct ipsp_crypto_shape shape;

	/* changes; atomics are read relaxed */
	_Atomic uint8_t state;		/* enum ipsp_sa_state */
	_Atomic uint32_t packet_log;	/* as in struct ipsp_sa_config */
	_Atomic uint64_t packet_log_s;	/* when a packet was last reported */
	_Atomic uint64_t seq_ceiling;	/* see ipsp_sad_raise_ceiling */
	_Atomic uint64_t last_used_s;	/* 0: not since it was installed here */
	_Atomic uint64_t drops_icv, drops_replay, drops_other;
	struct ipsp_counter *counter;	/* number, window, packets, bytes, birth */
	struct ipsp_crypto_ctx *crypto;

	/* internal: chains of the two indexes, list of those waiting to be freed */
	_Atomic(struct ipsp_sa *) next_by_id, next_by_spi;
	struct ipsp_sa *next_retired;
	uint64_t retired_epoch;
	uint64_t update;	/* the last ipsp_engine_apply that named it */
};

/**
 * An empty SAD.
 * @param platform  borrowed for its life
 * @param region    for ipsp_counters_attach: borrowed for its life
 * @return IPSP_OK; IPSP_ENOMEM; those of ipsp_counters_attach
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_new(const struct ipsp_platform *platform, void *region,
					   size_t region_size, struct ipsp_sad **out);

/** Frees it with all SAs in it. Nobody may be using it. NULL is fine. */
void ipsp_sad_free(struct ipsp_sad *sad);

/**
 * Installs a mature SA. If the id is there with another configuration, the new SA takes its place;
 * with the same, nothing happens but that seq_ceiling is raised and packet_log set. Its number space is that of
 * cfg->counter_id: a known one goes on.
 * @param cfg       borrowed; keys are copied into the provider's context
 * @param now_s     seconds of a clock that does not run back while the region lives
 * @param replaced  out: the SA that lost its place, or NULL: ipsp_sa_free it once unseen
 * @return IPSP_OK; otherwise nothing changed: IPSP_EINVAL: an id, SPI below 256, mode, direction,
 *	   address family, window, DF, ECN, DSCP or padding that cannot be, or 64-bit numbers without a window
 *	   (RFC 4303 3.4.3); IPSP_EEXIST: another inbound SA has that SPI and address;
 *	   IPSP_ENOTSUP: proto other than ESP, or an algorithm not offered; IPSP_EKEYLEN;
 *	   IPSP_ENOMEM; IPSP_ENOSPC: no free counter slot; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_add(struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
					   uint64_t now_s, struct ipsp_sa **replaced);

/** Takes an SA out. @return it, for ipsp_sa_free once unseen; NULL: no such id. */
struct ipsp_sa *ipsp_sad_remove(struct ipsp_sad *sad, uint64_t id);

/** Wipes and frees an SA that is in no SAD. The counter slot stays, for when it comes back. */
void ipsp_sa_free(struct ipsp_sad *sad, struct ipsp_sa *sa);

/** @return the SA, or NULL. Any thread. */
struct ipsp_sa *ipsp_sad_find(const struct ipsp_sad *sad, uint64_t id);

/**
 * The SA of an inbound packet, RFC 4301 4.1. An SA whose local address is set takes only packets to
 * it. Any thread.
 * @return NULL: none
 */
struct ipsp_sa *ipsp_sad_find_inbound(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				      const struct ipsp_addr *dst);

/** Calls each(arg, sa) for every SA, in no order. Control thread; each may remove that very SA. */
void ipsp_sad_each(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
		   void *arg);

uint32_t ipsp_sad_count(const struct ipsp_sad *sad);

/**
 * Moves an SA to another state: larval to mature or dead, mature to dying or dead, dying to dead.
 * @return IPSP_OK (also if it is there already); IPSP_ENOENT; IPSP_EINVAL: no such move
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_set_state(struct ipsp_sad *sad, uint64_t id,
						 enum ipsp_sa_state state);

/** Makes SAs dead whose hard lifetime is over, and calls expired(arg, sa) once for each. */
void ipsp_sad_expire(struct ipsp_sad *sad, uint64_t now_s,
		     void (*expired)(void *arg, const struct ipsp_sa *sa), void *arg);

/**
 * Allows outbound numbers up to ceiling, once the reservation is durable. Never lowers it.
 * @return IPSP_OK; IPSP_ENOENT; IPSP_EINVAL: an inbound SA
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_raise_ceiling(struct ipsp_sad *sad, uint64_t id,
						     uint64_t ceiling);

/** Outbound numbers left before the ceiling or the end of the space. */
uint64_t ipsp_sa_seq_left(const struct ipsp_sa *sa);

/** Last outbound number given out: what reservations are counted from. */
uint64_t ipsp_sa_seq_last(const struct ipsp_sa *sa);

/** May it carry a packet now? IPSP_REASON_NONE, SA_NOT_USABLE or SA_EXPIRED. Any thread. */
enum ipsp_reason ipsp_sa_usable(const struct ipsp_sa *sa, uint64_t now_s);

#endif
