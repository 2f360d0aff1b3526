/*
 * ipspd/engine.h - the engine process inside: what its parts share. Not for other processes.
 *
 *	engine_main.c     life: channels, start, end
 *	engine_policy.c   generations from the agent, put in force in one piece
 *	engine_worker.c   threads that packets pass through
 *	engine_mail.c     what they tell the control thread
 *	engine_packets.c  the attachment, and the turns of packets through the core
 *	engine_hold.c     packets that wait for an SA
 *	engine_reserve.c  which sequence numbers may be used
 *	engine_report.c   counters and events to the agent
 *	engine_observe.c  packets that the guard decided in the kernel, for the log
 *	engine_icmp.c     what ICMP errors say of the paths of SAs
 *	engine_handover.c packets that the guard cannot judge
 *	engine_pfkey.c    sockets of key managers
 *	engine_crypto.c   what algorithms there are, told to log and agent
 *	engine_sad.c      their SAs, told to the agent
 *
 * Of the control thread's event loop but for what takes a worker: see engine_worker.h.
 */
#ifndef IPSPD_ENGINE_H
#define IPSPD_ENGINE_H

#include "chan/chan.h"
#include "engine/io/attach.h"
#include "ipsp/counters.h"
#include "ipsp/engine.h"
#include "ipsp/platform.h"
#include "ipspd/engine_hold.h"
#include "ipspd/engine_reserve.h"
#include "ipspd/engine_worker.h"
#include "ipspd/packet_log.h"
#include "ipspd/report.h"
#include "ipspd/start.h"

struct event;
struct event_base;
struct engine_pfkey;
struct wire_builder;

/** Number spaces that the region of counters has room for (three quarters get used). */
#define ENGINE_COUNTER_SLOTS (1u << 15)

struct engine_role {
	struct event_base *base;
	struct chan *parent;
	struct chan *agent;		/* NULL: none now; packets go on with what is in force */
	int status;			/* exit status */

	/* from START on */
	bool started;
	struct ipsp_platform platform;
	bool allow_weak;		/* algorithms that RFC 8221 advises against */
	struct ipsp_engine *engine;
	void *counters_region;
	size_t counters_size;
	struct ipsp_counters counters;	/* of that region; to look, the engine writes */
	struct event *tick;

	struct engine_worker *workers;	/* none when attached to nothing */
	size_t n_workers;
	struct mailbox mail;		/* from them */
	struct event *mail_event;
	_Atomic bool is_gone;		/* the attachment, for good */

	/* engine_policy.c */
	struct wire_builder *builder;	/* a generation that is coming in; NULL: none */
	uint64_t coming;		/* its number */
	_Atomic bool has_policy;	/* a generation is in force (0 is the empty store's) */
	bool can_follow;		/* and this agent knows which: it may send what changes */

	struct engine_reserve *reserve;
	struct engine_hold *hold;

	/* engine_observe.c */
	struct packet_log observe;

	struct engine_pfkey *pfkey;	/* NULL: nobody listens */

	/* engine_sad.c */
	struct ipsp_sad_cursor sad_cursor;
	bool sad_walks;			/* the cursor is in use */
};

/** Seconds since boot: the one clock of SAs. It goes on over restarts of this process. */
uint64_t engine_now_s(void);

/** Seconds since 1970 UTC, by the wall clock: for entries that have their times. */
uint64_t engine_wall_s(void);

/* ---- engine_packets.c ---- */

/** Fills role->platform. @return 0, or negative when the crypto library is not fit for use */
int engine_platform_init(struct engine_role *role, const struct engine_start *s);

/**
 * Makes workers that are attached to what START brought, taking those of s->fds. Control thread.
 * @return 0, -errno
 */
int engine_attach(struct engine_role *role, struct engine_start *s);

/** Frees them. Their threads do not run. */
void engine_detach(struct engine_role *role);

/**
 * Writes outbound packets that were judged. The reservations of the SAs that they used are looked after;
 * what none covers is not sent. In a turn of the worker's.
 */
void engine_worker_write(struct engine_worker *w, struct ipsp_packet *packets, size_t n);

/** Judges clear packets on their way out, and writes or holds them. Likewise. */
void engine_worker_outbound(struct engine_worker *w, struct ipsp_packet *packets, size_t n,
			    uint64_t now_s);

/* ---- engine_policy.c ---- */

/** GEN_BEGIN .. GEN_COMMIT from the agent. Whatever is wrong with one changes nothing in force. */
void engine_policy_message(struct engine_role *role, const struct chan_msg *m);

/** The agent is gone: so is what it had not finished. */
void engine_policy_forget(struct engine_role *role);

/** RESERVED from the agent. */
void engine_reserved_message(struct engine_role *role, const struct chan_msg *m);

/** SETTINGS: in force from the next packet on; what cannot be read changes nothing. */
void engine_settings_message(struct engine_role *role, const struct chan_msg *m);

/** HOLD: likewise, of packets that wait. */
void engine_hold_message(struct engine_role *role, const struct chan_msg *m);

/** Asks the agent for numbers where they run low: one SA, all of them, those it has not answered. */
void engine_reserve_ask(struct engine_role *role, const struct ipsp_sa *sa);
void engine_reserve_ask_all(struct engine_role *role);
void engine_reserve_ask_again(struct engine_role *role);

/* ---- engine_report.c ---- */

/** What the core tells; for struct ipsp_engine_config. */
struct ipsp_engine_events engine_events(struct engine_role *role);

/** State and counters of one SA, as reports have them. */
struct wire_sa_stats engine_sa_stats(const struct ipsp_engine *engine, const struct ipsp_sa *sa,
				     uint64_t now_s);

/** STATS_GET from the agent. */
void engine_stats_message(struct engine_role *role, const struct chan_msg *m);

/** Tells the agent of a logged packet; any thread. Fills e->packet from its headers. flow NULL: not known. */
void engine_report_packet(struct engine_role *role, struct wire_event *e,
			  const struct ipsp_flow *flow);

/* ---- engine_crypto.c ---- */

/** Says what computes, and what does not for want of a right answer. */
void engine_crypto_log(bool allow_weak);

/** Tells the agent, which has just come. */
void engine_crypto_tell(struct engine_role *role);

/* ---- engine_sad.c ---- */

/** SAD_GET from the agent. */
void engine_sad_message(struct engine_role *role, const struct chan_msg *m);

/** Nobody asks on. While the engine's SAD is there. */
void engine_sad_forget(struct engine_role *role);

/* ---- engine_icmp.c ---- */

/** Hears ICMP errors from now on; takes fd on success. @return 0, -errno */
int engine_icmp_start(struct engine_worker *w, int fd, bool is_v6);
void engine_icmp_stop(struct engine_worker *w);

/* ---- engine_observe.c ---- */

/** Reads the kernel's packet log from now on; takes fd on success. @return 0, -ENOMEM */
int engine_observe_start(struct engine_role *role, int fd);
void engine_observe_stop(struct engine_role *role);

/**
 * Reports the packets of one datagram of the log.
 * @param data  aligned as struct nlmsghdr; whatever may stand there
 * @return how many of its messages were malformed and passed over
 */
size_t engine_observe_datagram(struct engine_role *role, void *data, size_t len);

/* ---- engine_handover.c ---- */

/** Takes packets from the guard from now on; takes fd on success. @return 0, -ENOMEM */
int engine_handover_start(struct engine_worker *w, int fd);
void engine_handover_stop(struct engine_worker *w);

/**
 * Judges the packets of one datagram, and sends on or delivers what passes.
 * @param data  aligned as struct nlmsghdr; whatever may stand there
 * @return how many of its messages were malformed and passed over
 */
size_t engine_handover_datagram(struct engine_worker *w, void *data, size_t len);

/* ---- engine_pfkey.c ---- */

/** Serves PF_KEY on that listening socket from now on; takes fd on success. @return 0 or -errno */
int engine_pfkey_start(struct engine_role *role, int fd);
void engine_pfkey_stop(struct engine_role *role);

/** BAND_PUT, BAND_ALL, BAND_APPLIED from the agent. */
void engine_pfkey_message(struct engine_role *role, const struct chan_msg *m);

/** Another agent: it hears of policies when it has said BAND_ALL. */
void engine_pfkey_agent_came(struct engine_role *role);
void engine_pfkey_tick(struct engine_role *role);

/** What key managers are to be told. */
void engine_pfkey_expired(struct engine_role *role, const struct ipsp_life_event *event);
void engine_pfkey_acquire(struct engine_role *role, const struct ipsp_acquire *acquire);
void engine_pfkey_sa_gone(struct engine_role *role, const struct ipsp_sa *sa);
void engine_pfkey_moved(struct engine_role *role, uint64_t sa_id, const struct ipsp_addr *addr,
			uint16_t port);

#endif
