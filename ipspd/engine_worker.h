/*
 * ipspd/engine_worker.h - the threads that packets pass through, and what they and the control thread
 * tell each other.
 *
 *	control thread	channels, generations, PF_KEY, lifetimes, reports, packets that wait for an SA
 *	worker		its queue of the TUN, its sockets, its answers of routing, its worker of the core
 *	the first one	also ICMP errors, what the guard hands over, and what the control thread sends
 *
 * What they share is the engine (ipsp/engine.h) and what is fixed before threads begin. All else goes by
 * mail: nobody waits for anybody, and nothing in the way of a packet takes a lock.
 */
#ifndef IPSPD_ENGINE_WORKER_H
#define IPSPD_ENGINE_WORKER_H

#include <pthread.h>

#include "engine/io/attach.h"
#include "ipsp/engine.h"
#include "ipspd/engine_random.h"
#include "ipspd/mailbox.h"
#include "ipspd/packet_log.h"

struct engine_role;
struct event;
struct event_base;
struct wire_event;

/** Reservations that a worker remembers to have asked for. */
#define ENGINE_ASKED 16u

struct engine_worker {
	struct engine_role *role;
	unsigned number;
	struct event_base *base;	/* its loop */
	struct ipsp_worker *core;
	struct mailbox mail;		/* from the control thread */
	struct event *mail_event;
	pthread_t thread;
	bool runs;			/* the control thread's */
	_Atomic bool ends;		/* the control thread wants that */

	/* engine_packets.c */
	struct io_attachment *io;
	struct event *source_event[IO_SOURCES_MAX];
	struct event *changes_event;
	struct ipsp_packet *packets;	/* IO_BATCH of them, their rooms behind one another */
	uint8_t *rooms;
	uint8_t *arena;			/* the core worker's, for ESP packets of large segments */
	struct { uint64_t sa_id, ceiling, asked_s; } asked[ENGINE_ASKED];

	/* The first one's. engine_icmp.c: IPv4, IPv6; engine_handover.c */
	struct event *icmp_event[2];
	struct packet_log handover;	/* packets the guard cannot judge */
	bool handover_begun;
	uint32_t handover_next;		/* number of the next one */
};

/** The worker whose thread this is; NULL: another thread. */
struct engine_worker *engine_self(void);

/** The calling thread's randomness. */
struct engine_random *engine_pool(void);

/**
 * Makes a worker, without attachment, whose thread does not run yet. w is zeroed but for role and number.
 * @return 0 or -errno: then as far as it came, to be freed
 */
int engine_worker_init(struct engine_worker *w);
void engine_worker_fini(struct engine_worker *w);

/** Lets the threads of all workers begin, or ends them. @return 0 or -errno */
int engine_workers_start(struct engine_role *role);
void engine_workers_stop(struct engine_role *role);

/* ---- to a worker; control thread ---- */

/** Has a copy of a clear packet judged by policy once more, and sent. What has to be held again is dropped. */
void engine_worker_send(struct engine_worker *w, const struct ipsp_packet *packet);

/** Has a dummy packet made and sent; for ipsp_engine_dummies, arg is the role. */
void engine_dummy(void *arg, uint64_t sa_id);

/** Has a NAT keepalive sent; for ipsp_engine_keepalives, arg is the role. */
void engine_keepalive(void *arg, const struct ipsp_flow *datagram);

/* ---- to the control thread; from any worker's ---- */

/** Takes what workers have sent from now on. @return 0 or -errno */
int engine_mail_start(struct engine_role *role);
void engine_mail_stop(struct engine_role *role);

/** An event for the agent. One that finds no room is lost: its counters still count. */
void engine_mail_event(struct engine_role *role, const struct wire_event *e);

/** The numbers of an SA run low: engine_reserve_ask. */
void engine_mail_low(struct engine_role *role, uint64_t sa_id);

/** The peer of a key manager's SA is elsewhere: engine_pfkey_moved. */
void engine_mail_moved(struct engine_role *role, uint64_t sa_id, const struct ipsp_addr *addr,
		       uint16_t port);

/** A packet that is to be held: engine_hold_take. */
void engine_mail_hold(struct engine_role *role, const struct ipsp_packet *packet);

/** The attachment is gone for good: the process ends, and starts anew. */
void engine_mail_gone(struct engine_role *role);

/** A line of the log, for log_of_thread; arg is the role. */
void engine_mail_line(void *arg, int priority, const char *category, const char *text);

#endif
