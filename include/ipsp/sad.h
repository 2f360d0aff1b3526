/*
 * ipsp/sad.h - the SAD: SAs, found by SPI (inbound) or id (outbound). RFC 4301 4.4.2.
 *
 * One control thread adds and removes; any number of threads find and use SAs meanwhile, without a
 * lock. What is taken out is handed back to the caller, who frees it when no thread can still see
 * it (the engine does that by epochs). Keys live in the provider's contexts only.
 *
 * SAs are of a generation of policy or of a key manager (enum ipsp_sa_origin). The number spaces of
 * the first outlive the process (ipsp/counters.h), those of the second end with their SA.
 */
#ifndef IPSP_SAD_H
#define IPSP_SAD_H

#include <stdatomic.h>

#include "ipsp/config.h"
#include "ipsp/counters.h"
#include "ipsp/crypto.h"
#include "ipsp/flow.h"
#include "ipsp/peer.h"
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

/** "ESP", "AH", "IPComp"; of other numbers, as of what passes in clear, "none". */
const char *ipsp_proto_text(uint8_t proto);

/** Which lifetime of an SA is over. */
enum ipsp_life {
	IPSP_LIFE_LARVAL,	/* no keys came in time: RFC 2367 3.1.1 */
	IPSP_LIFE_SOFT,
	IPSP_LIFE_HARD,
	IPSP_LIFE_IDLE,		/* it carried nothing for too long */
};

/** By what it was measured. */
enum ipsp_life_unit {
	IPSP_LIFE_SECONDS,
	IPSP_LIFE_USE_SECONDS,
	IPSP_LIFE_BYTES,
	IPSP_LIFE_PACKETS,
};

/** "larval", "soft", "hard", "idle". */
const char *ipsp_life_text(enum ipsp_life life);

/** A lifetime that is over. Borrowed for the call. */
struct ipsp_life_event {
	const struct ipsp_sa *sa;	/* in its new state: dying or dead */
	uint8_t life;			/* enum ipsp_life */
	uint8_t unit;			/* enum ipsp_life_unit */
};

/** What an SA is known by on the wire: RFC 4301 4.1. dst is that of its packets. */
struct ipsp_sa_name {
	uint8_t proto;		/* enum ipsp_proto */
	uint32_t spi;
	struct ipsp_addr dst;
};

/** What is known of the path to an outbound SA's peer: see engine/pmtu.h. Read relaxed. */
struct ipsp_path {
	_Atomic uint32_t link_mtu;	/* of the way out; 0: not known */
	_Atomic uint32_t learned_mtu;	/* by an ICMP error; 0: nothing */
	_Atomic uint64_t link_s;	/* when it was asked for last, one more; 0: never */
	_Atomic uint64_t learned_s;
};

/** Memory of the SAD's own that nobody finds any more, but may still be reading. */
struct ipsp_sad_garbage {
	struct ipsp_sad_garbage *next;
	uint64_t epoch;		/* for whoever waits */
	size_t size;
};

/** What may still come in under an SA that no entry asks for: struct ipsp_unasked. Does not change. */
struct ipsp_sa_unasked {
	struct ipsp_sad_garbage garbage;	/* first */
	uint64_t until_s;
	uint8_t n;
	uint32_t n_boxes;
	struct ipsp_selector boxes[];
};

/** An SA as it is in the SAD. For everyone but the SAD itself only to be read. In this order it has no gaps: there may be very many. */
struct ipsp_sa {
	/* fixed at installation; meanings as in struct ipsp_sa_config */
	uint64_t id;
	uint64_t counter_id;
	uint64_t next_id, bundle_id;
	uint32_t spi;
	uint8_t dir, proto, mode, df, ecn;
	uint8_t dscp, outer_ttl;
	bool dscp_set, esn, replay, frag_before, pad_unchecked, seq_rollover;
	uint8_t origin;
	uint16_t tfc_pad, tfc_random, dummy_s, dummy_len;
	uint16_t encr, encr_key_bits, integ;
	uint32_t flow_label;
	uint32_t replay_window_pkts;
	uint32_t reqid;
	uint32_t idle_s, idle_with;
	struct ipsp_addr local, remote;
	bool counts_down;		/* internal: has lifetimes that packets use up */
	bool own_counter;		/* internal: counter is its own memory */
	struct ipsp_selector sel;
	uint32_t n_boxes;
	struct ipsp_selector *boxes;	/* its own */
	uint64_t seq_floor;
	uint64_t life_s, life_use_s, life_bytes, life_packets;
	uint64_t soft_s, soft_use_s, soft_bytes, soft_packets;
	struct ipsp_encap encap;
	struct ipsp_crypto_shape shape;

	/* changes; atomics are read relaxed */
	_Atomic uint8_t state;		/* enum ipsp_sa_state */
	_Atomic bool is_noted;		/* internal: stands in the list of those packets told of */
	bool lives_on;			/* internal: crypto and counter are another SA's now */
	bool is_out;			/* internal: of the SAD */
	_Atomic uint32_t packet_log;	/* as in struct ipsp_sa_config */
	_Atomic uint32_t icv_run;	/* failed one after the other; see engine/resync.h */
	_Atomic uint64_t packet_log_s;	/* when a packet was last reported */
	_Atomic uint64_t seq_ceiling;	/* see ipsp_sad_raise_ceiling */
	_Atomic uint64_t first_used_s;	/* 0: not since it was installed here */
	_Atomic uint64_t last_used_s;	/* likewise */
	struct ipsp_peer peer;		/* where the peer was seen last, if it moved */
	union {
		uint64_t keepalive_s;	/* outbound: when the last one was due; the control thread's */
		_Atomic(struct ipsp_sa_unasked *) unasked;	/* inbound; NULL: entries ask for it */
	};
	uint64_t dummy_at_s;		/* when the next one is due; 0: not chosen; likewise */
	_Atomic uint64_t dummies;	/* sent or received */
	_Atomic uint64_t drops_icv, drops_replay, drops_other;
	_Atomic uint64_t resync_s;	/* when that was last tried */
	struct ipsp_path path;
	_Atomic uint32_t comp_failures, comp_pass_over;	/* IPComp: what its packets are like */
	struct ipsp_counter *counter;	/* number, window, packets, bytes, birth */
	struct ipsp_crypto_ctx *crypto;

	/* internal */
	struct ipsp_sad *sad;
	struct ipsp_sa *prev, *next;		/* of one origin, in order of installation */
	struct ipsp_sa *newer;			/* of those that the same packets look for */
	_Atomic(struct ipsp_sa *) older;
	uint64_t dead_at_s;			/* UINT64_MAX: no hard lifetime in seconds */
	uint64_t larval_until_s;
	uint64_t due_s;				/* when its lifetimes are looked at again */
	uint32_t due_at;			/* its place among those; UINT32_MAX: none */
	uint32_t sender_at;			/* its place among those that send by themselves */
	struct ipsp_sa *next_noted;
	struct ipsp_sa *next_retired;
	uint64_t retired_epoch;
	uint64_t update;	/* the last ipsp_engine_apply that named it */
};

/** Is a packet one that the SA may carry? RFC 4301 4.4.2.1, 5.2 step 4. */
bool ipsp_sa_carries(const struct ipsp_sa *sa, const struct ipsp_flow *flow);

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
 *	   (RFC 4303 3.4.3), a CPI that is no number of an association, or IPComp with nothing
 *	   around it; IPSP_EEXIST: another inbound SA has that SPI and address;
 *	   IPSP_ENOTSUP: another proto, or an algorithm not offered; IPSP_EKEYLEN;
 *	   IPSP_ENOMEM; IPSP_ENOSPC: no free counter slot; IPSP_ECRYPTO
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_add(struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
					   uint64_t now_s, struct ipsp_sa **replaced);

/**
 * As ipsp_sad_add, for a key manager's SA: in the place of old, whose id it gets, or new.
 * @param cfg   id 0: one is found; origin must be IPSP_ORIGIN_PFKEY
 * @param old   larval, or NULL; on success out of the SAD: ipsp_sa_free it once unseen
 * @return as ipsp_sad_add, but IPSP_EEXIST for outbound SAs of the same SPI and destination, too
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_add_negotiated(struct ipsp_sad *sad,
						      const struct ipsp_sa_config *cfg,
						      struct ipsp_sa *old, uint64_t now_s,
						      struct ipsp_sa **out);

/** What an outbound packet asks for, by a template. */
struct ipsp_sa_query {
	uint32_t reqid;
	uint8_t proto;			/* enum ipsp_proto; 0: may it pass in clear? */
	uint8_t mode;			/* enum ipsp_mode */
	uint8_t pfp;			/* IPSP_PFP_*: selectors that must be this packet's alone */
	struct ipsp_addr local;		/* family 0: any */
	struct ipsp_addr remote;	/* of tunnels of a reqid, family 0: any */
	const struct ipsp_flow *flow;
};

/**
 * The outbound SA of a key manager that a packet goes through: the newest that is usable, has reqid,
 * protocol, mode and ends, and whose sel the packet is in. Any thread.
 */
const struct ipsp_sa *ipsp_sad_find_traffic(const struct ipsp_sad *sad,
					    const struct ipsp_sa_query *query, uint64_t now_s);

/**
 * The inbound tunnel of IPComp in which a packet came that the peer did not compress, RFC 3173 2.2: the newest that
 * is usable, between these ends, and carries what is inside; if there is one, of the reqid. Any thread.
 */
const struct ipsp_sa *ipsp_sad_find_tunnel(const struct ipsp_sad *sad, uint32_t reqid,
					   const struct ipsp_flow *outer,
					   const struct ipsp_flow *inner, uint64_t now_s);

/**
 * Lets the packets of a reqid to and from a peer pass in clear for some seconds: an SA of
 * IPSP_ORIGIN_CLEAR.
 * @return IPSP_OK; IPSP_EINVAL: addresses, no seconds; IPSP_ENOMEM
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_add_clear(struct ipsp_sad *sad, uint32_t reqid,
						 const struct ipsp_addr *local,
						 const struct ipsp_addr *remote, uint64_t clear_s,
						 uint64_t now_s, struct ipsp_sa **out);

/** What a key manager wants an SPI for: RFC 2367 3.1.1. */
struct ipsp_spi_request {
	uint8_t proto;			/* enum ipsp_proto */
	uint8_t mode;			/* enum ipsp_mode, as far as it is known */
	uint32_t reqid;
	struct ipsp_addr src, dst;	/* of the packets to come; dst is ours */
	uint32_t spi_min, spi_max;	/* both included; below 256 is never given */
	uint64_t larval_s;		/* the keys must come within; 0: IPSP_LARVAL_S */
};

#define IPSP_LARVAL_S 30u

/**
 * Makes a larval inbound SA with an SPI that no other SA to that address has, by chance within the
 * range.
 * @return IPSP_OK; IPSP_EINVAL: protocol, addresses, range; IPSP_EEXIST: the range is one SPI, in
 *	   use; IPSP_ENOSPC: none found free; IPSP_ENOMEM; IPSP_ECRYPTO: no randomness
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_getspi(struct ipsp_sad *sad,
					      const struct ipsp_spi_request *request,
					      uint64_t now_s, struct ipsp_sa **out);

/**
 * Puts an SA with the same keys, numbers and counts in the place of old, that is another in what cfg
 * says of lifetimes, addresses, reqid, sel, whether it is in UDP and by which ports; all else of cfg is not looked at.
 * @param old  mature or dying, of a key manager; afterwards to be freed once unseen
 * @return IPSP_OK; IPSP_EINVAL; IPSP_EEXIST: its SPI is in use at the new address; IPSP_ENOMEM
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_change(struct ipsp_sad *sad, struct ipsp_sa *old,
					      const struct ipsp_sa_config *cfg,
					      struct ipsp_sa **out);

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

/**
 * The outbound SA whose packets to dst bear that SPI.
 * @param dst  family 0: one whose packets go to no one peer alone
 * @return NULL: none. Any thread.
 */
struct ipsp_sa *ipsp_sad_find_outbound(const struct ipsp_sad *sad, uint32_t spi, uint8_t proto,
				       const struct ipsp_addr *dst);

/** The SA of that name, inbound or outbound, in any state; NULL: none. Any thread. */
struct ipsp_sa *ipsp_sad_find_name(const struct ipsp_sad *sad, const struct ipsp_sa_name *name);

/**
 * Calls each(arg, sa) for every SA: policy's first, then those of key managers, then what may pass in
 * clear, each in order of installation. Control thread; each may remove that very SA.
 */
void ipsp_sad_each(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
		   void *arg);

/** SAs in it, of every origin and in every state. Control thread. */
/**
 * The same for those outbound SAs alone that send something by themselves: NAT keepalives or dummy
 * packets. Costs what there are of them. Control thread; each must not add or remove any.
 */
void ipsp_sad_each_sender(const struct ipsp_sad *sad, void (*each)(void *arg, struct ipsp_sa *sa),
			  void *arg);

uint32_t ipsp_sad_count(const struct ipsp_sad *sad);

/** A walk as by ipsp_sad_each that may rest while SAs come and go. Fields are internal. */
struct ipsp_sad_cursor {
	struct ipsp_sad *sad;
	struct ipsp_sa *at;		/* the one that comes next */
	struct ipsp_sad_cursor *next;
};

/** Begins. The cursor is borrowed until ipsp_sad_cursor_fini. Control thread. */
void ipsp_sad_cursor_init(struct ipsp_sad_cursor *c, struct ipsp_sad *sad);

/** The next SA: none is left out that was there all the time. NULL: the end. */
const struct ipsp_sa *ipsp_sad_cursor_next(struct ipsp_sad_cursor *c);
void ipsp_sad_cursor_fini(struct ipsp_sad_cursor *c);

/**
 * Moves an SA to another state: larval to mature or dead, mature to dying or dead, dying to dead.
 * @return IPSP_OK (also if it is there already); IPSP_ENOENT; IPSP_EINVAL: no such move
 */
IPSP_MUST_CHECK enum ipsp_err ipsp_sad_set_state(struct ipsp_sad *sad, uint64_t id,
						 enum ipsp_sa_state state);

/**
 * Moves SAs on whose lifetimes are over, and calls over(arg, event) for each; over may remove that SA.
 * Costs what is due, not what is there.
 */
void ipsp_sad_expire(struct ipsp_sad *sad, uint64_t now_s,
		     void (*over)(void *arg, const struct ipsp_life_event *event), void *arg);

/**
 * No entry asks for an inbound SA any more: policy's goes on being there; a key manager's ends when that
 * time is over, as by a hard lifetime. Without memory, it is as if nothing could still come in.
 * @param u      NULL: it is asked for (again)
 */
void ipsp_sa_set_unasked(struct ipsp_sa *sa, const struct ipsp_unasked *u, uint64_t now_s);

/** A packet was counted for the SA: looks after what packets use up. Any thread. */
void ipsp_sa_note_use(struct ipsp_sa *sa, uint64_t now_s);

/** What has become garbage since it was last asked; to be freed once unseen. */
struct ipsp_sad_garbage *ipsp_sad_take_garbage(struct ipsp_sad *sad);
void ipsp_sad_free_garbage(struct ipsp_sad *sad, struct ipsp_sad_garbage *g);

/** What packets noted so far is looked at, so that no SA to be freed is left among it. */
void ipsp_sad_forget_notes(struct ipsp_sad *sad);

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

/** Do its numbers go on above 2^32 - 1, whether the packets show it or not? */
static inline bool ipsp_sa_counts_64(const struct ipsp_sa *sa)
{
	return sa->esn || sa->seq_rollover;
}

/** May it carry a packet now? IPSP_REASON_NONE, SA_NOT_USABLE or SA_EXPIRED. Any thread. */
enum ipsp_reason ipsp_sa_usable(const struct ipsp_sa *sa, uint64_t now_s);

#endif
