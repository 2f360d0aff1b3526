/*
 * engine/internal.h - what the engine's files share. Private to engine/.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "ipsp/engine.h"
#include "ipsp/platform.h"

/** Packets of one SA that go to the crypto provider at once. */
#define IPSP_BATCH 32u

/** Events of one kind that a worker may still send in this second. */
struct ipsp_limiter {
	uint64_t second;
	uint32_t used;
	uint64_t suppressed;	/* since the last event that was sent */
};

struct ipsp_worker {
	struct ipsp_engine *engine;
	/* The epoch in which its packet call began; 0: not in one. */
	_Atomic uint64_t seen;
	/* Written by this worker only. */
	_Atomic uint64_t verdicts[2][4];
	_Atomic uint64_t reasons[2][IPSP_N_REASONS];
	struct ipsp_limiter log, audit;
};

struct ipsp_retired_spd {
	struct ipsp_spd *spd;
	uint64_t epoch;
	struct ipsp_retired_spd *next;
};

struct ipsp_engine {
	struct ipsp_engine_config config;
	struct ipsp_spd_db *spd_db;
	struct ipsp_sad *sad;
	_Atomic(struct ipsp_spd *) spd;		/* NULL: no generation yet */
	_Atomic uint32_t ipv4_id;		/* of outer headers */
	uint64_t updates;			/* applied so far */

	/* Control thread: workers, and what waits until none of them can see it. */
	struct ipsp_worker *workers[IPSP_WORKERS_MAX];
	struct ipsp_engine_stats gone;		/* counts of workers that were freed */
	_Atomic uint64_t epoch;
	struct ipsp_retired_spd *retired_spds;
	struct ipsp_sa *retired_sas;
};

/** A packet call begins and ends: between them, what the worker can see is not freed. */
const struct ipsp_spd *ipsp_worker_enter(struct ipsp_worker *worker);
void ipsp_worker_leave(struct ipsp_worker *worker);

/** Writes a packet's outcome and counts it. */
void ipsp_packet_done(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
		      enum ipsp_verdict verdict, enum ipsp_reason reason);

/** The outcome of a packet that no rule decides: by a match whose result is not IPSP_SPD_RULE. */
void ipsp_packet_unruled(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
			 const struct ipsp_flow *flow, const struct ipsp_spd_match *match);

/** Counts a rule's hit and reports it if the entry says log. Call after ipsp_packet_done. */
void ipsp_rule_hit(struct ipsp_worker *worker, enum ipsp_dir dir, const struct ipsp_packet *packet,
		   const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
		   uint64_t now_s);

/** Reports a refusal that RFC 4301 and 4303 call auditable. flow: the packet as received. */
void ipsp_audit(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		const struct ipsp_flow *flow, uint32_t spi, uint32_t seq, uint64_t now_s);

/** Counts a drop against its SA. */
void ipsp_sa_count_drop(const struct ipsp_sa *sa, enum ipsp_reason reason);

/** Counts a packet that an SA carried. */
void ipsp_sa_count_use(const struct ipsp_sa *sa, uint32_t bytes, uint64_t now_s);

/** Is data .. data + len inside the packet's room? */
bool ipsp_packet_valid(const struct ipsp_packet *packet);

static inline void ipsp_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
