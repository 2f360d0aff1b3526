/*
 * pfkey/server.h - the PF_KEY v2 key engine: RFC 2367, with the SPD messages of KAME and Linux and
 * FreeS/WAN's flows. No sockets, no clock, no event loop: messages come in with the time and go out
 * by a call. Everything is called from the engine's control thread.
 *
 * Who hears an answer (RFC 2367 3.1, and Linux where it is silent):
 *
 *	the asking socket	errors, GET, DUMP, SPDGET, SPDDUMP
 *	all sockets		GETSPI, UPDATE, ADD, DELETE, FLUSH, all that changes the SPD
 *	registered ones		ACQUIRE, EXPIRE, REGISTER: those of that SA type
 *
 * A promiscuous socket hears everything. Keys are told to nobody but who asks for them by GET and
 * DUMP. An answer bears the request's seq and pid; what nobody asked for has pid 0.
 */
#ifndef PFKEY_SERVER_H
#define PFKEY_SERVER_H

#include "ipsp/engine.h"
#include "pfkey/band.h"
#include "pfkey/msg.h"

struct pfkey_server;
struct pfkey_client;

struct pfkey_server_config {
	struct ipsp_engine *engine;		/* all borrowed for the server's life */
	const struct ipsp_crypto *crypto;	/* what is offered */
	const struct ipsp_compress *compress;	/* NULL: no IPComp */
	void *ctx;				/* given back to each call */

	/** A message for that socket. @return false: there is no room, and it is lost */
	bool (*send)(void *ctx, void *socket, const void *data, size_t len);

	/** Is it an address of this device? SAs to such addresses are inbound. */
	bool (*is_local)(void *ctx, const struct ipsp_addr *a);

	/** There is somebody registered who makes SAs of ours, or nobody any more. NULL is fine. */
	void (*manager)(void *ctx, bool present);

	/**
	 * A policy came, or is another now; gone: it is no more. It is in force when
	 * pfkey_server_applied says the serial. NULL: there are no policies.
	 */
	void (*policy)(void *ctx, uint32_t serial, const struct pfkey_band_policy *p, bool gone);
};

/** @return NULL: no memory */
struct pfkey_server *pfkey_server_new(const struct pfkey_server_config *config);
/** All clients must be gone. The SAs stay in the engine. NULL is fine. */
void pfkey_server_free(struct pfkey_server *s);

/**
 * A socket came.
 * @param socket	for calls about it
 * @param privileged	it may read keys
 * @return NULL: no memory, or PFKEY_CLIENTS_MAX are there
 */
struct pfkey_client *pfkey_client_new(struct pfkey_server *s, void *socket, bool privileged);
#define PFKEY_CLIENTS_MAX 64u

/** It is closed. Its SAs and policies stay. */
void pfkey_client_free(struct pfkey_client *c);

/**
 * One message from it; the answers go out before this returns, but those of dumps and of policies.
 * @param now_s	  the engine's clock
 * @param wall_s  seconds since 1970, for people
 */
void pfkey_client_message(struct pfkey_client *c, const void *data, size_t len, uint64_t now_s,
			  uint64_t wall_s);

/** Is a dump going on? Then pfkey_client_dump is to be called whenever its socket has room. */
bool pfkey_client_dumps(const struct pfkey_client *c);

/** Sends some more of the dump, no more than n messages. */
void pfkey_client_dump(struct pfkey_client *c, size_t n, uint64_t now_s, uint64_t wall_s);

/** Sockets that are there. */
size_t pfkey_server_clients(const struct pfkey_server *s);

/* ---- what the engine tells ---- */

/** A lifetime is over: EXPIRE. */
void pfkey_server_expired(struct pfkey_server *s, const struct ipsp_life_event *event,
			  uint64_t now_s, uint64_t wall_s);

/** An SA is needed: ACQUIRE, to those that make SAs of its type. */
void pfkey_server_acquire(struct pfkey_server *s, const struct ipsp_acquire *acquire);

/**
 * Authenticated packets of an SA in UDP come from another address or port than it was installed with:
 * X_NAT_T_NEW_MAPPING. Its key manager gives it those by UPDATE, if it believes that.
 */
void pfkey_server_moved(struct pfkey_server *s, const struct ipsp_sa *sa,
			const struct ipsp_addr *addr, uint16_t port);

/** An SA of a key manager is no more. */
void pfkey_server_sa_gone(struct pfkey_server *s, const struct ipsp_sa *sa);

/* ---- policies ---- */

/** All that was told up to that serial is in force: answers what waited for it. */
void pfkey_server_applied(struct pfkey_server *s, uint32_t serial);

/** A policy of a server before this one; its time begins anew. @return false: no memory, or it cannot be */
bool pfkey_server_restore(struct pfkey_server *s, const struct pfkey_band_policy *p,
			  uint64_t now_s, uint64_t wall_s);

/** Tells of all policies by config.policy, as if they came now. @return the serial of them all */
uint32_t pfkey_server_tell_policies(struct pfkey_server *s);

/** Policies whose time is over; answers that waited too long. About once a second. */
void pfkey_server_tick(struct pfkey_server *s, uint64_t now_s, uint64_t wall_s);

#endif
