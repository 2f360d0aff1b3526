/*
 * ipspd/ike.h - the ike process inside: what its parts share.
 *
 *	ike_main.c	life: start, channels, time, end
 *	ike_net.c	datagrams, and the way to a peer
 *	ike_behind.c	datagrams that wait for SAs
 *	ike_trace.c	messages for people to read
 *	ike_jobs.c	threads that compute
 *	ike_pfkey.c	PF_KEY: requests, and what answers them
 *	ike_pfkey_child.c  SAs, by PF_KEY
 *	ike_pfkey_sa.c	one SA as it says it
 *	ike_orphans.c	SAs that an earlier process made
 *	ike_spd.c	SPD entries of the default response, likewise
 *	ike_conns.c	connections: which there are, and which ones are to be up
 *	ike_index.c	... by their names
 *	ike_fetch.c	CRLs and OCSP answers, by another process
 *	ike_creds.c	private keys, certificates and CAs that they name
 *
 * One event loop has the world (ike/world.h); the threads run jobs and touch nothing else.
 */
#ifndef IPSPD_IKE_H
#define IPSPD_IKE_H

#include <gcrypt.h>

#include "chan/chan.h"
#include "ike/world.h"
#include "ipspd/engine_random.h"
#include "ipspd/ike_index.h"
#include "ipspd/start.h"

struct event;
struct event_base;
struct egress;
struct ike_behind;
struct ike_creds;
struct ike_fetcher;
struct ike_jobs;
struct ike_wire_conn;
struct ike_pfkey;

/** A connection that is configured. */
struct ike_entry {
	struct ike_conn *conn;
	bool start;			/* to be up always */
	bool resume;			/* to be up once: it was before */
	bool refused;			/* one of its name is coming that cannot be used */
	bool followed;			/* one of its name has come */
	struct ipsp_addr to;		/* with whom; family 0: the first peer that has an address */
	uint8_t digest[32];		/* of the octets it came as */
	struct ike_entry *before;	/* while its generation is put in force: the one of its name until then */
	uint64_t next_ms;		/* not before is it begun again */
	uint32_t wait_s;
	bool tried;			/* it was begun, and does not stand yet */
	uint64_t told_ms;		/* when it is begun again, as the agent knows; 0: it knows of no such time */
};

struct ike_role {
	struct event_base *base;
	struct chan *parent, *agent;	/* agent NULL: it is away */
	int status;
	bool started;
	struct ike_world *world;
	struct engine_random random;
	struct event *wake;		/* when the world has something to do */
	struct event *second;
	/* ike_net.c */
	int fds[IKE_FDS];		/* -1: none */
	struct event *readable[IKE_FDS];
	struct egress *egress;
	struct ike_behind *behind;	/* datagrams that wait for SAs */
	struct event *routed;		/* addresses or routes have changed */
	/* ike_jobs.c */
	struct ike_jobs *jobs;
	/* ike_pfkey.c */
	struct ike_pfkey *pfkey;
	/* ike_conns.c */
	struct ike_entry *entries;	/* in force */
	size_t n_entries;
	struct ike_index index;		/* of entries */
	struct ike_entry *coming;
	size_t n_coming, room_coming;
	size_t n_refused;		/* of those that come: their credentials cannot be used */
	bool intake;			/* between BEGIN and COMMIT */
	uint64_t generation;		/* of entries */
	bool untold;			/* the agent does not know that it is in force */
	/* ike_trace.c */
	bool traces;			/* somebody looks at messages */
	uint32_t trace_lost;		/* that were not told since the last one that was */
	/* ike_creds.c */
	struct ike_creds *creds;
	/* ike_fetch.c */
	struct ike_fetcher *fetcher;
};

/** CLOCK_BOOTTIME, so that what is due in a sleep is due behind it. */
uint64_t ike_now_ms(void);
/** The world was called: asks it when to call again. */
void ike_role_rearm(struct ike_role *role);

/* ---- ike_net.c ---- */

/** @return 0 or -errno */
int ike_net_start(struct ike_role *role);
void ike_net_stop(struct ike_role *role);
/** struct ike_ops.send: behind the SAs that were asked for before */
void ike_net_send(void *arg, const struct ike_path *path, struct ipsp_span message);
/** struct ike_ops.source */
bool ike_net_source(void *arg, const struct ipsp_addr *remote, struct ipsp_addr *out);
/** struct ike_ops.keepalive */
void ike_net_keepalive(void *arg, const struct ike_path *path);
/** The way to a peer, by routing, from a connection's own address if it has one. False: there is none. */
bool ike_net_path(struct ike_role *role, const struct ike_conn *c, const struct ipsp_addr *remote,
		  struct ike_path *out);

/* ---- ike_trace.c ---- */

/** struct ike_ops.trace */
void ike_trace_message(void *arg, const struct ike_trace *t);
/** IKE_TRACE of the agent. False: malformed. */
bool ike_trace_wanted(struct ike_role *role, const struct chan_msg *m);

/* ---- ike_jobs.c ---- */

/** @return 0 or -errno */
int ike_jobs_start(struct ike_role *role);
/** Waits for those under way; those that wait are done, too. */
void ike_jobs_stop(struct ike_role *role);
/** struct ike_ops.run */
void ike_jobs_put(void *arg, struct ike_job *job);

/* ---- ike_pfkey.c, ike_pfkey_child.c ---- */

/** @return 0 or -errno */
int ike_pfkey_start(struct ike_role *role);
/** Sends what waits; from then on nothing goes to the engine. */
void ike_pfkey_close(struct ike_role *role);
void ike_pfkey_stop(struct ike_role *role);
/** Another socket to the engine, which it takes. */
void ike_pfkey_connect(struct ike_role *role, int fd);
/** What is due by now. */
void ike_pfkey_tick(struct ike_role *role, uint64_t now_ms);
/** Does the engine know that there is who negotiates? Before, packets do not wait. */
bool ike_pfkey_is_registered(const struct ike_role *role);
/** Are there SAs of an earlier process for it? */
bool ike_pfkey_has_orphans(const struct ike_role *role, uint32_t reqid);
/**
 * Those of an earlier process end.
 * @param remote  only those with that peer; NULL: all with the reqid
 * @return how many there were
 */
unsigned ike_pfkey_end_orphans(struct ike_role *role, uint32_t reqid, const struct ipsp_addr *remote);
/** With whom an earlier process had a default response's SAs that are there yet. @return how many, up to max */
size_t ike_pfkey_earlier(const struct ike_role *role, uint32_t reqid, struct ipsp_addr *remotes, size_t max);
/**
 * The rows that asked for a reqid's SAs are gone, and they are about to be ended. Then the outbound ones go at
 * once; what the peers have sent by then can still come in.
 */
void ike_pfkey_row_gone(struct ike_role *role, uint32_t reqid);
/** Renews the Child SAs with a reqid. */
void ike_pfkey_rekey(struct ike_role *role, uint32_t reqid);
/* struct ike_ops */
void ike_pfkey_get_spi(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path);
enum ipsp_err ike_pfkey_add(void *arg, const struct ike_child_sa *child);
void ike_pfkey_move(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to, bool udp);
void ike_pfkey_delete(void *arg, uint8_t protocol, const struct ike_path *path, uint32_t spi_in,
		      uint32_t spi_out);

/* ---- ike_fetch.c ---- */

/** False: no memory */
bool ike_fetch_start(struct ike_role *role);
void ike_fetch_fini(struct ike_role *role);
/** struct ike_ops.fetch */
void ike_fetch_put(void *arg, uint64_t ticket, const char *url, struct ipsp_span post);
/** FETCHER: the other process, or that there is none. */
void ike_fetch_came(struct ike_role *role, struct chan_msg *m);
/** Who waits for too long has no answer. */
void ike_fetch_tick(struct ike_role *role, uint64_t now_ms);

/* ---- ike_creds.c ---- */

/** False: no memory */
bool ike_creds_start(struct ike_role *role);
void ike_creds_fini(struct ike_role *role);
/** IKE_OCTETS, IKE_OWN, IKE_TRUST. False: malformed, or no memory */
bool ike_creds_message(struct ike_role *role, const struct chan_msg *m);
/**
 * Gives a connection's peers what they name.
 * @param md   is fed with what tells it from others
 * @param why  out: what is wrong with one of them; NULL: nothing is. Borrowed until the next commit
 * @return false: there is none of such a number
 */
bool ike_creds_attach(struct ike_role *role, struct ike_wire_conn *conn, gcry_md_hd_t md,
		      const char **why);
/** What came is in force. */
void ike_creds_commit(struct ike_role *role);
/** What came is forgotten. */
void ike_creds_forget(struct ike_role *role);
/** Have both the same private keys and trust? */
bool ike_creds_same(const struct ike_peer *a, const struct ike_peer *b);

/* ---- ike_conns.c ---- */

/** IKE_BEGIN, IKE_OCTETS, IKE_OWN, IKE_TRUST, IKE_CONN, IKE_UNFIT, IKE_COMMIT, IKE_REQUEST, IKE_FLUSH.
 *  False: malformed; the agent must go. */
bool ike_conns_message(struct ike_role *role, const struct chan_msg *m);
/** The agent went: what it had not said to the end is forgotten. */
void ike_conns_forget(struct ike_role *role);
/** ... and of those that are in force it knows nothing any more. */
void ike_conns_unknown(struct ike_role *role);
void ike_conns_fini(struct ike_role *role);
/** Tells the agent that its generation is in force, once that is so for the engine, too. */
void ike_conns_tell(struct ike_role *role);
/** Begins those that are to be up and are not. */
void ike_conns_tick(struct ike_role *role, uint64_t now_ms);
/**
 * An ACQUIRE. remote: the SA's other end; packet: which one waits, or NULL. False: nobody's, or it cannot be begun.
 */
bool ike_conns_wanted(struct ike_role *role, uint32_t reqid, const struct ipsp_addr *remote,
		      const struct ike_pair *packet, uint64_t now_ms);
/** Has a connection with that reqid an IKE SA, or one in the making? */
bool ike_conns_living(const struct ike_role *role, uint32_t reqid);
/** There are SAs of an earlier process with that reqid: its connection is to be up again. */
void ike_conns_resume(struct ike_role *role, uint32_t reqid);
/**
 * An IKE SA that we began fails to be authenticated, here or there: SAs of an earlier process with that peer end. One
 * that does not answer leaves them be, and so does whoever comes to us and only says who it is.
 */
void ike_conns_disbelieved(struct ike_role *role, const struct ike_conn *c, const struct ipsp_addr *remote);
/** The engine has lost all SAs: those that were up are to be up again. */
void ike_conns_resume_living(struct ike_role *role);

#endif
