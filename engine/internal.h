/*
 * engine/internal.h - what the engine's files share. Private to engine/.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "engine/cache.h"
#include "ipsp/compress.h"
#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "ipsp/program.h"
#include "ipsp/reassemble.h"

/** The longest plain packet that may come out of compression, or be a piece of a large segment. */
#define IPSP_PLAIN_MAX 65535u
#define IPSP_PIECE_ROOM (IPSP_HEADROOM + IPSP_PLAIN_MAX + IPSP_TAILROOM)

/** Packets of one SA that go to the crypto provider at once. */
#define IPSP_BATCH 32u

/** Events of one kind that a worker may still send in this second. */
struct ipsp_limiter {
	uint64_t second;
	uint32_t used;
	uint64_t suppressed;	/* since the last event that was sent */
};

/** Where the ESP packets of large segments go: see ipsp_worker_set_arena. */
struct ipsp_arena {
	uint8_t *octets;	/* NULL: none, and size is 0 */
	size_t size;
	size_t used;		/* by the packet call that runs */
};

struct ipsp_wants;
struct ipsp_acquires;
struct ipsp_frag_table;
struct ipsp_streams;

/** What the control thread may set while packets pass. */
struct ipsp_settings {
	_Atomic uint32_t frag_timeout_s, reassembly_timeout_s, pmtu_age_s, icmp_per_s;
	_Atomic bool pmtu_listen, icmp_clear;
	_Atomic uint8_t icmp_by_quote;	/* enum ipsp_icmp_by_quote */
};

/** Hits of entries that a packet call has counted and not yet added up; by their addresses. */
#define IPSP_PENDING_HITS 16u

struct ipsp_pending_hits {
	struct ipsp_spd_hits *hits;	/* NULL: none */
	uint64_t packets, bytes;
};

/** Identifications of outer headers that a worker takes at once. */
#define IPSP_IPV4_IDS 256u

struct ipsp_worker {
	struct ipsp_engine *engine;
	unsigned thread;	/* its number, below the platform's threads */
	struct ipsp_frag_table *frags;
	struct ipsp_reassembly *reassembly;	/* NULL: not wanted */
	/* The epoch in which its packet call or turn began; 0: not in one. */
	_Atomic uint64_t seen;
	bool in_turn;		/* seen is the turn's, not the call's */
	uint64_t epoch;		/* what its caches are good for in this packet call */
	uint64_t wall_s;	/* as its thread told it last */
	uint32_t ipv4_id;	/* the next one */
	uint32_t ipv4_ids;	/* how many it has */
	uint32_t pending;	/* a bit for each of the hits that is in use */
	struct ipsp_pending_hits hits[IPSP_PENDING_HITS];
	/* Written by this worker only. */
	_Atomic uint64_t verdicts[2][IPSP_N_VERDICTS];
	_Atomic uint64_t reasons[2][IPSP_N_REASONS];
	_Atomic uint64_t icmp[IPSP_N_ICMP_COUNTS];
	struct ipsp_limiter log, passed, audit, moved, dummies, errors;
	struct ipsp_wants *wants;	/* SAs that its packets need, for the control thread */
	struct ipsp_arena arena;
	struct ipsp_cache caches[2];	/* [enum ipsp_dir - 1] */
	struct ipsp_streams *streams;	/* engine/stream.h */
	/* The clear form of one outbound packet that will be reported once it is sealed. */
	uint8_t sample[IPSP_PASSED_OCTETS_MAX];
	/* For one packet at a time: a segment that goes through a bundle; and what (de)compression
	 * writes, or a packet whose number is looked for (engine/resync.h). */
	uint8_t piece[IPSP_PIECE_ROOM];
	uint8_t plain[IPSP_PLAIN_MAX];
	struct ipsp_compress_ctx *compress;	/* NULL: not offered */
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
	struct ipsp_acquires *acquires;
	_Atomic uint32_t ipv4_id;		/* of outer headers */
	struct ipsp_settings settings;
	uint64_t updates;			/* applied so far */
	uint64_t unasked_until_s;		/* when the last SA that no entry asks for is so no more */

	/* Control thread: workers, and what waits until none of them can see it. */
	struct ipsp_worker *workers[IPSP_WORKERS_MAX];
	struct ipsp_engine_stats gone;		/* counts of workers that were freed */
	_Atomic uint64_t held_drops[IPSP_N_REASONS];	/* of packets that were held, by any thread */
	_Atomic uint64_t epoch;
	struct ipsp_retired_spd *retired_spds;
	struct ipsp_sa *retired_sas;
	struct ipsp_sad_garbage *retired_garbage;
};

/** The SA is out of the SAD: it is freed when no worker can see it. NULL is fine. Control thread. */
void ipsp_engine_retire_sa(struct ipsp_engine *engine, struct ipsp_sa *sa);

/** Begins another epoch for what was retired, and frees what nobody can see any more. Likewise. */
void ipsp_engine_turn_epoch(struct ipsp_engine *engine);

/** Takes a key manager's SA out. told: its being there was no secret, as a larval one's is. */
void ipsp_engine_sa_drop(struct ipsp_engine *engine, uint64_t id, bool told);

/** Tells the embedder of a change; sa may be NULL. */
void ipsp_engine_tell_changed(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
			      enum ipsp_sa_change change);

struct ipsp_undone;	/* engine/bundle.h */

/** A packet call begins and ends: between them, what the worker can see is not freed. */
const struct ipsp_spd *ipsp_worker_enter(struct ipsp_worker *worker);
void ipsp_worker_leave(struct ipsp_worker *worker);

/**
 * The rule that stands for a packet, by its own octets and the worker's wall clock; what the worker
 * remembers of its flow if it can.
 */
struct ipsp_spd_match ipsp_packet_match(struct ipsp_worker *worker,
					const struct ipsp_spd *spd, enum ipsp_dir dir,
					const struct ipsp_packet *packet,
					const struct ipsp_flow *flow, uint64_t sa_id);

/**
 * The same for any packet: what a fragment hides is taken from its first fragment, where an entry asks
 * for it (engine/frag.h).
 * @param flow     changed if that was needed
 * @param refused  out: IPSP_REASON_NONE; FRAG_OVERLAP: drop it, whatever the match says
 */
struct ipsp_spd_match ipsp_fragment_match(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					  enum ipsp_dir dir, const struct ipsp_packet *packet,
					  struct ipsp_flow *flow, uint64_t sa_id, uint64_t now_s,
					  enum ipsp_reason *refused);

static inline struct ipsp_spd_match ipsp_match(struct ipsp_worker *worker,
					       const struct ipsp_spd *spd, enum ipsp_dir dir,
					       const struct ipsp_packet *packet,
					       struct ipsp_flow *flow, uint64_t sa_id,
					       uint64_t now_s, enum ipsp_reason *refused)
{
	*refused = IPSP_REASON_NONE;
	return flow->frag == IPSP_FRAG_NONE ?
		       ipsp_packet_match(worker, spd, dir, packet, flow, sa_id) :
		       ipsp_fragment_match(worker, spd, dir, packet, flow, sa_id, now_s, refused);
}

/** Gives the worker IPSP_IPV4_IDS identifications more. */
void ipsp_take_ipv4_ids(struct ipsp_worker *worker);

/** The identification of the next outer header. Never 0: kernels take that for one still to be chosen. */
static inline uint16_t ipsp_next_ipv4_id(struct ipsp_worker *worker)
{
	uint16_t id;

	do {
		if (worker->ipv4_ids == 0)
			ipsp_take_ipv4_ids(worker);
		worker->ipv4_ids--;
		id = (uint16_t)worker->ipv4_id++;
	} while (id == 0);
	return id;
}

/** Counts hits of an entry, or of a list's end: at the latest when the packet call ends. */
void ipsp_hit(struct ipsp_worker *worker, struct ipsp_spd_hits *hits, uint64_t packets,
	      uint64_t bytes);

/** Writes a packet's outcome and counts it, or its pieces. */
void ipsp_packet_done(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
		      enum ipsp_verdict verdict, enum ipsp_reason reason);

/** The outcome of a packet that no rule decides: by a match whose result is not IPSP_SPD_RULE. */
void ipsp_packet_unruled(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
			 const struct ipsp_flow *flow, const struct ipsp_spd_match *match);

/** What a rule does with a packet now. ran is written for rules with steps only. */
void ipsp_rule_decide(const struct ipsp_worker *worker, enum ipsp_dir dir,
		      const struct ipsp_spd_rule *rule, const struct ipsp_flow *flow,
		      uint64_t now_s, struct ipsp_outcome *out);

/**
 * Is a packet that came under an SA what its rule asks for? RFC 4301 5.2 step 4: any SA is right
 * that the rule may choose, as the peer may not have chosen by the same state as ours.
 * @param flow  of what came out of it
 * @param path  the SAs that were undone
 * @param head  by which entries name them
 * @param out   as from ipsp_rule_decide; if it is right, of its SA
 * @return IPSP_REASON_NONE; POLICY_DISCARD, ACTION_FAILED, POLICY_MISMATCH, SA_SELECTOR
 */
enum ipsp_reason ipsp_rule_judge_sa(const struct ipsp_worker *worker,
				    const struct ipsp_spd_rule *rule, const struct ipsp_undone *path,
				    const struct ipsp_sa *head, const struct ipsp_flow *flow,
				    uint64_t now_s, struct ipsp_outcome *out);

/** Why DISCARD? */
static inline enum ipsp_reason ipsp_outcome_reason(const struct ipsp_outcome *o)
{
	if (o->failed && o->reason != IPSP_REASON_NONE)
		return (enum ipsp_reason)o->reason;
	return o->failed ? IPSP_REASON_ACTION_FAILED : IPSP_REASON_POLICY_DISCARD;
}

/**
 * Counts a rule's hit and reports what it says to log. Call after ipsp_packet_done.
 * @param outcome    rules with steps: what they came to; not read of others
 * @param clear_len  octets of the clear packet, or of all its segments
 */
void ipsp_rule_hit(struct ipsp_worker *worker, enum ipsp_dir dir, const struct ipsp_packet *packet,
		   const struct ipsp_spd_rule *rule, const struct ipsp_outcome *outcome,
		   const struct ipsp_flow *flow, uint32_t clear_len, uint64_t now_s);

/**
 * Is a packet of that SA to be reported if it passes? Takes an event of this second's, and of the
 * SA's own, of which it has one a second: a busy SA must not keep another one's from being seen.
 */
bool ipsp_passed_wanted(struct ipsp_worker *worker, const struct ipsp_sa *sa, uint64_t now_s);

/** The clear packet's first octets, as many as the SA asks for. */
struct ipsp_span ipsp_passed_octets(const struct ipsp_sa *sa, const uint8_t *packet,
				    const struct ipsp_flow *flow);

/** Reports a packet that passed packet->sa. After ipsp_passed_wanted said so. */
void ipsp_passed(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		 const struct ipsp_flow *flow, struct ipsp_span octets);

/** Reports a refusal that RFC 4301 and 4303 call auditable. flow: the packet as received. */
void ipsp_audit(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		const struct ipsp_flow *flow, uint32_t spi, uint32_t seq, uint64_t now_s);

/** Reports that an SA's peer is elsewhere now. follows: see struct ipsp_moved_event */
void ipsp_moved(struct ipsp_worker *worker, const struct ipsp_sa *sa,
		const struct ipsp_flow *outer, const struct ipsp_sa *follows, uint64_t now_s);

/** Reports a dummy packet that was opened in place. flow: the packet as received */
void ipsp_dummy_came(struct ipsp_worker *worker, const struct ipsp_packet *packet,
		     const struct ipsp_flow *flow, uint64_t now_s);

/** Counts a drop against its SA. */
void ipsp_sa_count_drop(const struct ipsp_sa *sa, enum ipsp_reason reason);

/** Counts packets that an SA carried: a batch at once. */
void ipsp_sa_count_use(const struct ipsp_sa *sa, uint64_t packets, uint64_t bytes,
		       uint64_t now_s);

/** Is data .. data + len inside the packet's room? */
static inline bool ipsp_packet_valid(const struct ipsp_packet *packet)
{
	const uintptr_t room = (uintptr_t)packet->room;
	const uintptr_t data = (uintptr_t)packet->data;

	return data >= room && data - room <= packet->room_len &&
	       packet->len <= packet->room_len - (data - room);
}

/**
 * Will packets that wait for the crypto take the SA past its lifetime? Then they go now, as they
 * must be counted before another packet is asked for.
 * @param packets  how many they are
 * @param bytes    that the cipher is applied to, in all of them
 */
static inline bool ipsp_sa_near_end(const struct ipsp_sa *sa, uint32_t packets, uint64_t bytes)
{
	return (sa->life_bytes &&
		atomic_load_explicit(&sa->counter->bytes, memory_order_relaxed) + bytes >=
			sa->life_bytes) ||
	       (sa->life_packets &&
		atomic_load_explicit(&sa->counter->packets, memory_order_relaxed) + packets >=
			sa->life_packets);
}

/** Headers are fetched so many packets ahead. */
#define IPSP_AHEAD 4u

static inline void ipsp_prefetch(const void *p)
{
	__builtin_prefetch(p);
}

/** Those of the packets that come behind at. */
static inline void ipsp_prefetch_ahead(const struct ipsp_packet *packets, size_t at, size_t n)
{
	if (at + IPSP_AHEAD < n)
		ipsp_prefetch(packets[at + IPSP_AHEAD].data);
}

static inline void ipsp_prefetch_first(const struct ipsp_packet *packets, size_t n)
{
	for (size_t i = 0; i < n && i < IPSP_AHEAD; i++)
		ipsp_prefetch(packets[i].data);
}

/** Counts what one worker alone writes, and others read. */
static inline void ipsp_count_own(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void ipsp_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
