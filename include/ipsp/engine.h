/*
 * ipsp/engine.h - packets in, packets out: IPsec processing by RFC 4301 5; ESP by RFC
 * 4303, AH by RFC 4302, IPComp by RFC 3173, and bundles of them.
 *
 * One engine holds an SPD and a SAD. Control calls (apply, tick, show) come from one thread. Packet
 * calls come from any thread, each with a worker of its own; they take vectors, work in place, take
 * no lock and allocate nothing. What a control call takes out of service is freed once every worker
 * has been outside of a packet call since.
 *
 * SAs are shared by all workers: outbound ones give their numbers by one atomic step a batch, inbound
 * ones have windows that several may write at once (ipsp/replay.h). Any packet may go to any worker;
 * those of one SA go fastest through one, whose caches then have it, and stay in order.
 *
 * An ordinary packet stays where it is: headers grow or shrink in front of it. A large segment
 * (segment_size above 0: TCP or UDP over either IP, as a TUN with offload gives it) is cut into the
 * packets its sender meant, and their ESP packets stand back to back in the worker's arena:
 *
 *	packet   [inner headers][ payload .......................... ]       segment_size
 *	arena    [outer ESP inner payload ICV][outer ESP inner payload ICV][outer ESP .. ICV]
 *	         |<------- piece_len ------->|<------- piece_len ------->|<-- no longer --->|
 *
 * so that one SA's packets leave in one send. The arena may hold less than what a vector comes to:
 *
 *	ipsp_worker_set_arena(worker, octets, size);
 *	for (at = 0; at < n; at += judged) {
 *		judged = ipsp_engine_outbound(worker, packets + at, n - at, now_s);
 *		send(packets + at, judged);	// before the arena is used anew
 *	}
 */
#ifndef IPSP_ENGINE_H
#define IPSP_ENGINE_H

#include "ipsp/config.h"
#include "ipsp/flow.h"
#include "ipsp/reason.h"
#include "ipsp/sad.h"
#include "ipsp/spd.h"

struct ipsp_platform;
struct ipsp_engine;
struct ipsp_worker;

/**
 * Room before and behind a packet that any outbound processing fits into, but tfc_pad: IPv6 header,
 * AH, UDP header, ESP header and IV, IPComp header in front; padding, trailer and ICV behind; and all that of
 * one bundle around another.
 */
#define IPSP_HEADROOM 256
#define IPSP_TAILROOM 128

/** What becomes of a packet. */
enum ipsp_verdict {
	IPSP_VERDICT_DROP = 0,	/* see reason */
	IPSP_VERDICT_BYPASS,	/* send on, or deliver, as it is */
	IPSP_VERDICT_ESP_OUT,	/* data is the outer packet: send it */
	IPSP_VERDICT_DELIVER,	/* data is the packet that came under ESP: deliver or forward it */
	/* Not to be sent: keep a copy if you like, for when the SA is there that acquire_id names
	 * (events.acquire_over says so), and give it to ipsp_engine_outbound again then */
	IPSP_VERDICT_HOLD,
	IPSP_VERDICT_TAKEN,	/* a fragment; the engine has it and waits for the others */
	/* The packet is dropped for reason, and data is the ICMP error that tells its sender: send it
	 * back where the packet came from; what came out of a tunnel, as a packet of your own to
	 * ipsp_engine_outbound. Its source is an address of ours, or of the packet's destination where
	 * the platform knows none. */
	IPSP_VERDICT_ERROR,
	IPSP_N_VERDICTS
};

enum {
	/* in: the checksum at csum_start + csum_offset is of the pseudo header only: finish it */
	IPSP_PKT_CSUM_PARTIAL = 1 << 0,
	/* in: lower the TTL or hop limit of what goes into or comes out of a tunnel, as nobody else
	 * does for this forwarded packet: RFC 4301 5.1.2.1. Where none is left, verdict ERROR */
	IPSP_PKT_DECREMENT_TTL = 1 << 1,
	/* in, inbound: not addressed to this device, so ESP or AH in it is a protocol like any other */
	IPSP_PKT_TRANSIT = 1 << 2,
	/* in: on its link between two others. Inbound, ESP or AH that no SA of ours is for is a protocol
	 * like any other. Neighbour Discovery (RFC 4861: ICMPv6 133 - 137, hop limit 255) that no
	 * entry matches passes, as there would be no link without it; that an entry matches which does
	 * not name ICMPv6 passes in any case */
	IPSP_PKT_PASSING = 1 << 3,
	/* in: one bundle is all. Outbound, nothing is put around it; inbound, another one inside stays */
	IPSP_PKT_ONE_BUNDLE = 1 << 4,
};

/** One packet of a vector. The buffer is the caller's, changed in place. */
struct ipsp_packet {
	/* in; data and len also out, within the room */
	uint8_t *room;		/* start of the buffer: head room is room .. data */
	uint8_t *data;		/* IP header; need not be aligned */
	uint32_t len;		/* octets at data */
	uint32_t room_len;	/* octets at room: tail room is what is left behind the packet */
	uint32_t ifindex;	/* outbound: egress; inbound: where the outer packet came in */
	uint32_t mark;		/* the caller's; carried, not used */
	uint32_t link_mtu;	/* outbound: what its interface takes; 0: not known */
	uint32_t flags;		/* IPSP_PKT_* */
	/* Outbound: payload octets of each segment; 0: one ordinary packet. A large segment that is
	 * not protected stays one: who sends it on cuts it, or hands it on with its size. */
	uint16_t segment_size;
	/* From data; IPSP_PKT_CSUM_PARTIAL. Checksums of segments are always finished. */
	uint16_t csum_start, csum_offset;
	/* Inbound: the headers that an ESP packet came under where they do not stand in front of it,
	 * as ipsp_flow_parse says of them: UDP for ESP in UDP, RFC 3948. Then data is the ESP header,
	 * which may stand anywhere; a packet in transport mode is put together in the room. Borrowed
	 * for the call; many packets of one datagram that the kernel put together may name the same.
	 * NULL: the headers stand at data; also on return when the packet is in its room. */
	const struct ipsp_flow *outer;

	/* out */
	uint32_t path_mtu;	/* outbound, sent on: longer than that, it is to be cut; 0: not known */
	uint8_t verdict;	/* enum ipsp_verdict */
	uint8_t reason;		/* enum ipsp_reason: why it was dropped */
	/* ESP_OUT: packets at data. 1: one, of len octets, in place. More: those of a large segment,
	 * len octets in the arena, piece_len each but the last, which may be shorter. */
	uint16_t pieces;
	uint32_t piece_len;
	uint64_t entry_id;	/* the SPD entry that decided; 0: none */
	uint64_t acquire_id;	/* HOLD: of the struct ipsp_acquire it waits for */
	const struct ipsp_sa *sa;	/* until the worker's turn ends; NULL: none */
};

/** A packet that an entry with log decided, rate-limited. Borrowed for the call. */
struct ipsp_log_event {
	uint64_t entry_id;
	uint64_t action_id;	/* of the action that says so: one event each, if several do */
	uint8_t dir;		/* enum ipsp_dir */
	uint8_t verdict;	/* enum ipsp_verdict */
	uint8_t reason;		/* enum ipsp_reason */
	uint32_t ifindex;
	uint32_t len;		/* of the clear packet */
	const struct ipsp_flow *flow;	/* its headers */
	uint64_t sa_id;		/* 0: none */
	uint64_t suppressed;	/* such events left out since the last one */
};

/** A packet that passed an SA with packet_log, rate-limited. Borrowed for the call. */
struct ipsp_passed_event {
	const struct ipsp_sa *sa;
	uint64_t entry_id;
	uint32_t ifindex;
	const struct ipsp_flow *flow;	/* of the clear packet */
	struct ipsp_span octets;	/* its first ones: no more than asked, IPSP_PASSED_OCTETS_MAX */
	uint64_t suppressed;		/* such events left out since the last one */
};

/** Octets of one packet that an event brings at most. */
#define IPSP_PASSED_OCTETS_MAX 1024u

/** What an update did to an SA. */
enum ipsp_sa_change {
	IPSP_SA_INSTALLED,	/* new, or in the place of one that was replaced just before */
	IPSP_SA_REMOVED,
	IPSP_SA_REPLACED,	/* another configuration of the same id comes */
};

/** An auditable refusal of an ESP packet (RFC 4303 3.4.2 - 3.4.4), rate-limited. */
struct ipsp_audit_event {
	uint8_t reason;		/* enum ipsp_reason */
	uint8_t proto;		/* enum ipsp_proto, of the SA; without one, as the packet says */
	uint32_t ifindex;
	uint32_t spi;		/* as received */
	uint32_t seq;		/* low half, as received; 0: the packet had none */
	struct ipsp_addr src, dst;	/* of the outer packet */
	uint64_t sa_id;		/* 0: none */
	uint64_t suppressed;
};

/** SAs that are needed and asked of a key manager. RFC 2367 3.1.6. */
struct ipsp_acquire {
	uint64_t id;		/* of the need: entry, and what of the packet its SAs depend on */
	uint32_t seq;		/* sadb_msg_seq: not 0, another one for each that begins */
	uint32_t attempts;	/* how often it was asked for; from 1 */
	uint64_t entry_id;
	uint64_t generation;	/* when the packet came */
	uint32_t ifindex;	/* its egress */
	uint8_t n_templates;
	uint8_t missing;	/* templates without an SA: a bit each */
	struct ipsp_template templates[IPSP_TEMPLATES_MAX];	/* remote always, local if known */
	struct ipsp_selector sel;	/* what the SAs are to carry: the entry's, narrowed by pfp */
	struct ipsp_flow flow;		/* of the packet that asked first */
	uint32_t clear_s;		/* the entry's */
};

/** Why an acquire is over. */
enum ipsp_acquire_end {
	IPSP_ACQUIRE_DONE,		/* the SAs are there: packets may go */
	IPSP_ACQUIRE_FAILED,		/* the key manager says so, or is silent */
	IPSP_ACQUIRE_CLEAR,		/* as that, but the entry lets packets pass in clear now */
	IPSP_ACQUIRE_NO_MANAGER,	/* nobody is there to ask */
	IPSP_ACQUIRE_FULL,		/* too many are under way */
};

/** SAs asked for at one time, at most. */
#define IPSP_ACQUIRES_MAX 1024u

/** Who is silent is asked again, so often in all, a larval lifetime apart. */
#define IPSP_ACQUIRE_ATTEMPTS 3u

/** What failed is not asked for again at once: for so long at first, doubled each time up to the most. */
#define IPSP_ACQUIRE_BACKOFF_S 4u
#define IPSP_ACQUIRE_BACKOFF_MAX_S 256u

/** An authenticated packet came from where the peer was not before, RFC 7296 2.23. Rate-limited. */
struct ipsp_moved_event {
	const struct ipsp_sa *sa;	/* it came under */
	const struct ipsp_flow *outer;	/* the datagram it came in */
	const struct ipsp_sa *follows;	/* the outbound SA that now goes there; NULL: none does */
};

/** A dummy packet came in under an SA, RFC 4303 2.6: to look at what its peer makes them of. Rate-limited. */
struct ipsp_dummy_event {
	const struct ipsp_sa *sa;
	struct ipsp_span octets;	/* what it held */
};

/**
 * Called from packet calls (log, passed, audit, moved, dummy: must not wait), from calls that change SAs (sa_changed;
 * larval ones are no change yet) and from ipsp_engine_tick (sa_expired; of a key manager's SA that is
 * dead then sa_changed follows, as it is removed). Any may be NULL.
 */
struct ipsp_engine_events {
	void *ctx;
	void (*log)(void *ctx, const struct ipsp_log_event *event);
	void (*passed)(void *ctx, const struct ipsp_passed_event *event);
	void (*audit)(void *ctx, const struct ipsp_audit_event *event);
	void (*moved)(void *ctx, const struct ipsp_moved_event *event);
	void (*dummy)(void *ctx, const struct ipsp_dummy_event *event);
	void (*sa_changed)(void *ctx, const struct ipsp_sa *sa, enum ipsp_sa_change change);
	void (*sa_expired)(void *ctx, const struct ipsp_life_event *event);
	/* From ipsp_engine_turn, _tick and calls that change SAs. acquire: ask the key manager;
	 * once for each need, and again while it is silent. acquire_over: of one that was asked
	 * for, or of what packets were told to wait for; packets are not to be sent from in it. */
	void (*acquire)(void *ctx, const struct ipsp_acquire *acquire);
	void (*acquire_over)(void *ctx, const struct ipsp_acquire *acquire,
			     enum ipsp_acquire_end why);
};

struct ipsp_engine_config {
	const struct ipsp_platform *platform;	/* borrowed for the engine's life */
	struct ipsp_engine_events events;
	void *counters;			/* region for ipsp_counters_attach; borrowed likewise */
	size_t counters_size;
	uint8_t outer_ttl;		/* 0: 64 */
	/* Datagrams whose fragments a worker puts together at a time before ESP is undone, about 66
	 * kB each; 0: the caller gives whole packets, and fragments of ESP are dropped. */
	uint32_t reassembly;
	/* Events of each kind that a worker may send; 0: 20. As many logs again, one of an entry, are
	 * for entries that had none in that second. */
	uint32_t events_per_s;
	uint32_t acquire_s;	/* how long a key manager may be silent; 0: IPSP_LARVAL_S */
};

/** @return IPSP_OK; IPSP_ENOMEM; IPSP_EINVAL: no platform; those of ipsp_counters_attach */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_new(const struct ipsp_engine_config *config,
					      struct ipsp_engine **out);

/** Frees the engine, its SPD and SAs. All workers must be freed before. NULL is fine. */
void ipsp_engine_free(struct ipsp_engine *engine);

#define IPSP_WORKERS_MAX 64

/**
 * A worker for one thread.
 * @return IPSP_OK; IPSP_ENOMEM; IPSP_ENOSPC: there are as many as the platform has threads, or
 *	   IPSP_WORKERS_MAX. Control thread.
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_worker_new(struct ipsp_engine *engine, struct ipsp_worker **out);

/** Its counts stay in the engine's totals. Control thread. NULL is fine. */
void ipsp_worker_free(struct ipsp_worker *worker);

/**
 * Where the worker's ESP packets of large segments go, from now on. Without one they are dropped
 * (IPSP_REASON_NO_ROOM). By the worker's own thread.
 * @param octets  borrowed until another is set; what stands there is good until the worker's next
 *		  ipsp_engine_outbound
 * @param size    IPSP_ARENA_MIN or more; enough for several large segments is faster
 */
void ipsp_worker_set_arena(struct ipsp_worker *worker, uint8_t *octets, size_t size);

/** Holds what any large segment of at least IPSP_SEGMENT_MIN comes to (but with tfc_pad). */
#define IPSP_ARENA_MIN (2u << 20)
#define IPSP_SEGMENT_MIN 8u	/* smaller segment_sizes are refused */

/**
 * A turn: packet calls, and what is done about their outcomes. Whatever they named (struct ipsp_packet.sa,
 * and what the SAD finds meanwhile) stays there until it ends, though it be out of service already.
 * Without one, that is until the packet call ends, if the control thread is another one. By the worker's
 * own thread.
 */
void ipsp_worker_begin(struct ipsp_worker *worker);
void ipsp_worker_end(struct ipsp_worker *worker);

/** Has it asked for SAs that ipsp_engine_turn has not yet taken up? By the worker's own thread. */
bool ipsp_worker_wants(const struct ipsp_worker *worker);

/**
 * The wall clock for the worker's packet calls from now on: entries that stand in their list for
 * some time only are judged by it. Seconds since 1970 UTC; 0 until told. By the worker's own thread.
 */
void ipsp_worker_set_wall_clock(struct ipsp_worker *worker, uint64_t wall_s);

/** One generation, or what changed from the one before. Ids and keys as in ipsp/config.h. */
struct ipsp_update {
	struct ipsp_spd_update spd;	/* spd.full is about policy's SAs too: those not named go */
	uint32_t n_sas;
	const struct ipsp_sa_config *sas;	/* new, changed, or as before */
	uint32_t n_removed_sas;			/* ignored if full */
	const uint64_t *removed_sas;		/* ids; an unknown one is fine */
	uint32_t n_unasked;
	const struct ipsp_unasked *unasked;	/* in rising order of sa_id, then reqid; none twice */
};

/**
 * Puts an update in force, in one piece between two packet calls. A packet call that runs at that
 * moment on another thread sees the old SPD or the new one; where an SA has gone already, it drops.
 * An SA that is refused is not in force (also not in an older form): what its entries protect is
 * dropped (IPSP_REASON_POLICY_NO_SA).
 * @param sa_results  out: n_sas results of ipsp_sad_add; may be NULL if n_sas is 0
 * @return IPSP_OK, whatever sa_results say; IPSP_EINVAL, IPSP_ENOMEM (those of ipsp_spd_build):
 *	   nothing changed and sa_results are not written
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_apply(struct ipsp_engine *engine,
						const struct ipsp_update *update, uint64_t now_s,
						enum ipsp_err *sa_results);

/** Generation in force; 0: none yet. */
uint64_t ipsp_engine_generation(const struct ipsp_engine *engine);

/**
 * Takes up what packet calls asked for since: SAs that are needed. Call after packet calls, on the
 * control thread, or when ipsp_worker_wants says so; costs next to nothing when nothing was asked for.
 */
void ipsp_engine_turn(struct ipsp_engine *engine, uint64_t now_s);

/** Expires SAs and frees what no worker can see any more. Call about once a second. */
void ipsp_engine_tick(struct ipsp_engine *engine, uint64_t now_s);

/**
 * The SAD, to show, to raise ceilings (ipsp_sad_raise_ceiling) and to watch what is left. Do not
 * add or remove through it: ipsp_engine_apply does.
 */
struct ipsp_sad *ipsp_engine_sad(struct ipsp_engine *engine);

/* ---- SAs of key managers: RFC 2367. Control thread; beside generations, which leave them alone ---- */

/**
 * A larval inbound SA with an SPI of its own: ipsp_sad_getspi.
 * @param out  out: valid until the next control call
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_sa_getspi(struct ipsp_engine *engine,
						    const struct ipsp_spi_request *request,
						    uint64_t now_s, const struct ipsp_sa **out);

/**
 * A new SA with keys: ipsp_sad_add_negotiated. cfg->id 0: one is found. An outbound SA is used for
 * its traffic from now on, those that are older no more.
 * @return IPSP_OK; those of ipsp_sad_add; IPSP_EEXIST also if it is larval: ipsp_engine_sa_update
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_sa_add(struct ipsp_engine *engine,
						 const struct ipsp_sa_config *cfg, uint64_t now_s,
						 const struct ipsp_sa **out);

/**
 * Gives the larval SA of that name its keys; or, to one that has some, what ipsp_sad_change may
 * change: its keys stay, whatever cfg says of them.
 * @param name  of the SA as it is; cfg may have another destination
 * @return IPSP_OK; IPSP_ENOENT: no such SA of a key manager, or it is dead; those of ipsp_sad_add
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_sa_update(struct ipsp_engine *engine,
						    const struct ipsp_sa_name *name,
						    const struct ipsp_sa_config *cfg,
						    uint64_t now_s, const struct ipsp_sa **out);

/** @return IPSP_OK; IPSP_ENOENT; IPSP_EINVAL: it is policy's */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_sa_delete(struct ipsp_engine *engine,
						    const struct ipsp_sa_name *name);

/** Deletes those of a protocol, or of all (0). @return how many */
uint32_t ipsp_engine_sa_flush(struct ipsp_engine *engine, uint8_t proto);

/** The SA of that name, policy's too; NULL: none. For all of them: ipsp_sad_cursor_init. */
const struct ipsp_sa *ipsp_engine_sa_get(const struct ipsp_engine *engine,
					 const struct ipsp_sa_name *name);

/* ---- acquires ---- */

/**
 * Is somebody there who makes SAs? Until told so, nobody is: then entries with templates cannot protect
 * (IPSP_REASON_NO_KEY_MANAGER), and nothing is asked for.
 */
void ipsp_engine_set_key_manager(struct ipsp_engine *engine, bool present, uint64_t now_s);

/** Is that need (struct ipsp_packet.acquire_id) still asked for, so that acquire_over will follow? */
bool ipsp_engine_needs(const struct ipsp_engine *engine, uint64_t acquire_id);

/** The acquire under way with that number, for SAs that come as its answer; NULL: none. */
const struct ipsp_acquire *ipsp_engine_acquire(const struct ipsp_engine *engine, uint32_t seq);

/**
 * The key manager cannot: RFC 2367 3.1.6. Packets of that need are dropped for a while, or pass in clear
 * where their entry says so.
 * @return IPSP_OK; IPSP_ENOENT: no such acquire is under way
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_acquire_failed(struct ipsp_engine *engine, uint32_t seq,
							 uint64_t now_s);

/** Counts drops of outbound packets that were held for a need. Any thread. */
void ipsp_engine_count_held(struct ipsp_engine *engine, enum ipsp_reason reason, uint64_t packets);

/** Hit counters by entry id: for ipsp_spd_hits_each. */
struct ipsp_spd_db *ipsp_engine_spd_db(const struct ipsp_engine *engine);

/**
 * Calls send(arg, datagram) for each outbound SA whose NAT keepalive is due (RFC 3948 4): one octet,
 * 0xff, from its src (family 0: the one that routing chooses) and sport to its dst and dport. Control
 * thread, about once a second.
 */
void ipsp_engine_keepalives(struct ipsp_engine *engine, uint64_t now_s,
			    void (*send)(void *arg, const struct ipsp_flow *datagram),
			    void *arg);

/**
 * Calls send(arg, sa_id) for each outbound SA of which a dummy packet is due (dummy_s of struct
 * ipsp_sa_config): after a time of its own each, at random. Control thread, about once a second.
 */
void ipsp_engine_dummies(struct ipsp_engine *engine, uint64_t now_s,
			 void (*send)(void *arg, uint64_t sa_id), void *arg);

/**
 * Makes a dummy packet of an outbound ESP SA in tunnel mode, RFC 4303 2.6: verdict and reason as from
 * ipsp_engine_outbound. No entry has a say, and it does not keep an idle SA alive.
 * @param packet  room and room_len: IPSP_HEADROOM, dummy_len of its SA and IPSP_TAILROOM
 * @return IPSP_OK: send it; IPSP_EINVAL: there is no such SA, and the packet is as it was; otherwise
 *	   ipsp_reason_err of packet->reason
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_dummy(struct ipsp_worker *worker, uint64_t sa_id,
						struct ipsp_packet *packet, uint64_t now_s);

/** What is counted of ICMP errors, RFC 4301 6 and 8. */
enum ipsp_icmp_count {
	IPSP_ICMP_SENT_TOO_BIG,		/* made for a sender whose packet its path does not take */
	IPSP_ICMP_SENT_TIME,		/* likewise, TTL or hop limit used up */
	IPSP_ICMP_NOT_SENT,		/* not to be sent, or more than were allowed in this second */
	IPSP_ICMP_LEARNED,		/* brought an SA's path MTU down */
	IPSP_ICMP_IGNORED,		/* about an SA's packet, and nothing learned from it */
	IPSP_ICMP_BY_QUOTE,		/* let through by the packet it is about */
	IPSP_N_ICMP_COUNTS
};

/** What became of packets. */
struct ipsp_engine_stats {
	uint64_t verdicts[2][IPSP_N_VERDICTS];	/* [enum ipsp_dir - 1][enum ipsp_verdict] */
	uint64_t reasons[2][IPSP_N_REASONS];	/* [enum ipsp_dir - 1][enum ipsp_reason] */
	uint64_t icmp[IPSP_N_ICMP_COUNTS];	/* [enum ipsp_icmp_count] */
};

/** Totals over all workers, those that were freed included. Control thread. */
void ipsp_engine_stats(const struct ipsp_engine *engine, struct ipsp_engine_stats *out);

/** ICMP errors that no entry allows by their own headers: RFC 4301 6.2. */
enum ipsp_icmp_by_quote {
	IPSP_ICMP_QUOTE_NEVER,		/* drop */
	IPSP_ICMP_QUOTE_UNMATCHED,	/* no entry matches: as what would answer the quoted packet */
	IPSP_ICMP_QUOTE_DISCARDED,	/* so also if an entry says DISCARD */
};

struct ipsp_engine_settings {
	uint32_t frag_timeout_s;	/* how long a first fragment stands for those that follow */
	uint32_t reassembly_timeout_s;	/* how long ESP fragments may take */
	uint32_t pmtu_age_s;		/* how long a path MTU that was learned is good; 0: always */
	uint32_t icmp_per_s;		/* ICMP errors that a worker may make; 0: none */
	bool pmtu_listen;		/* learn from ICMP errors in the clear */
	bool icmp_clear;		/* let ICMP errors in the clear about protected traffic in */
	uint8_t icmp_by_quote;		/* enum ipsp_icmp_by_quote */
};

/** What a new engine has: 30, 60, 600, 100, true, false, UNMATCHED. */
void ipsp_engine_settings_default(struct ipsp_engine_settings *s);

/** In force from the next packet on. Control thread. IPSP_EINVAL: a time of 0, an unknown value. */
IPSP_MUST_CHECK enum ipsp_err ipsp_engine_set(struct ipsp_engine *engine,
					      const struct ipsp_engine_settings *s);

/**
 * Clear packets that are to leave on their ifindex: RFC 4301 5.1. Sets verdict (DROP, BYPASS,
 * ESP_OUT), reason, entry_id and sa of each; for ESP_OUT data and len are the outer packet.
 * Interfaces without policy: BYPASS with entry_id 0, unread. Before the first ipsp_engine_apply
 * everything is dropped.
 * @param now_s  as in ipsp_sad_add
 * @return how many were judged, from the first on: n, or fewer (at least one) when the arena is full
 *	   and what stands in it must be sent first. The others are as they were.
 */
size_t ipsp_engine_outbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			  uint64_t now_s);

/**
 * Packets that came in on their ifindex, outer header included: RFC 4301 5.2. ESP for this device
 * is undone and checked against the policy for what was inside: DELIVER only if the first entry
 * that matches the inner packet says PROTECT with that very SA. Anything else is looked up as it
 * is: BYPASS or DROP. An interface without policy: clear packets BYPASS, ESP of known SAs is still
 * undone but then has no entry to match, so it drops. What struct ipsp_unasked says may come in is
 * DELIVERed, too, with reason SA_UNASKED.
 */
void ipsp_engine_inbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			 uint64_t now_s);

/**
 * Inbound packets for this device that SAs are for, not selectors: IKE, and ESP and AH that come as
 * clear packets do. BYPASS, unless an entry with a predicate discards them and says so of this very
 * packet: RFC 4301 5.2 leaves them to their own processing, and an explicit entry may drop them.
 */
void ipsp_engine_own(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
		     uint64_t now_s);

/**
 * ICMP packets that came to this device in the clear, and that the system has delivered itself: what
 * they say of the paths of SAs is learned (RFC 4301 8.2). Sets no verdicts, changes no packet.
 */
void ipsp_engine_icmp(struct ipsp_worker *worker, const struct ipsp_packet *packets, size_t n,
		      uint64_t now_s);

/** What was so learned of an outbound SA's path and is still good; 0: nothing. Any thread. */
uint32_t ipsp_engine_path_learned(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
				  uint64_t now_s);

#endif
