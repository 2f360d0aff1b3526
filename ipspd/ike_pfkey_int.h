/*
 * ipspd/ike_pfkey_int.h - the client of PF_KEY inside: what its files share. Theirs alone.
 *
 *	ike_pfkey.c		the socket, requests and what answers them, what the engine says by itself
 *	ike_pfkey_child.c	the SAs of Child SAs: that come, move and go, and those of an earlier process
 */
#ifndef IPSPD_IKE_PFKEY_INT_H
#define IPSPD_IKE_PFKEY_INT_H

#include <sys/queue.h>

#include "ipspd/ike.h"
#include "ipspd/ike_orphans.h"
#include "ipspd/ike_spd.h"
#include "ipspd/pfkey_out.h"
#include "pfkey/msg.h"

#define IKE_PFKEY_BUCKETS 4096u

/** A message that is to be sent later. */
struct ike_pfkey_held {
	size_t len;			/* 0: none */
	uint8_t *octets;
};

/** Both directions, as they are in the SAD. */
struct ike_pfkey_made {
	struct ike_pfkey_made *next;	/* in its bucket, by spi_in */
	LIST_ENTRY(ike_pfkey_made) same;	/* in its bucket, by reqid */
	uint8_t protocol;		/* IKE_PROTOCOL_ESP, IKE_PROTOCOL_AH */
	bool transport;
	uint16_t cpi_in, cpi_out;	/* of the IPComp SAs inside; 0: there are none */
	uint32_t spi_in, spi_out, reqid;
	struct ipsp_addr local, remote;
	bool row_gone;			/* the inbound one is left to receive what is on its way */
	/* The outbound one and the IPComp SA inside, while the one that they replace is to be sent on. */
	uint32_t replaces;
	uint64_t held_until_ms;
	struct ike_pfkey_held held[2];
};

/** A request that has no answer yet. */
struct ike_pfkey_request {
	TAILQ_ENTRY(ike_pfkey_request) entry;
	uint8_t type;			/* SADB_GETSPI, SADB_UPDATE, SADB_ADD, SADB_X_MIGRATE, SADB_X_SPDUPDATE */
	uint8_t protocol;
	uint32_t seq;
	uint64_t ticket;		/* GETSPI */
	uint32_t spi_in;		/* the others: of their Child SA */
};

/** An SA that is to go. */
struct ike_pfkey_leaving {
	TAILQ_ENTRY(ike_pfkey_leaving) entry;
	uint8_t satype;
	uint32_t spi;
	struct ipsp_addr src, dst;
	uint64_t due_ms;
};

/** What the engine asked for. */
struct ike_pfkey_acquire {
	LIST_ENTRY(ike_pfkey_acquire) entry;
	uint8_t satype;
	uint32_t seq, reqid;
	uint64_t until_ms;
};

struct ike_pfkey {
	struct ike_role *role;
	int fd;				/* -1: not connected */
	struct event *readable, *writable, *flush;
	struct pfkey_out out;
	bool full;			/* it takes no more until it is writable */
	bool registered;		/* for ESP and AH */
	uint32_t last_seq;
	uint32_t pid;
	struct ike_pfkey_made *buckets[IKE_PFKEY_BUCKETS];
	LIST_HEAD(ike_pfkey_list, ike_pfkey_made) by_reqid[IKE_PFKEY_BUCKETS];
	TAILQ_HEAD(ike_pfkey_requests, ike_pfkey_request) requests;
	TAILQ_HEAD(, ike_pfkey_leaving) leaving;
	struct ike_orphans orphans;
	LIST_HEAD(, ike_pfkey_acquire) acquires;
	struct ike_spd_list entries;	/* of the default response */
};

/* ---- ike_pfkey.c ---- */

/** Sends a message. @return false: not connected, or there is no room */
bool ike_pfkey_put(struct ike_pfkey *p, const uint8_t *message, size_t len);
uint32_t ike_pfkey_next_seq(struct ike_pfkey *p);
/** A request that is about to be sent, by its number. NULL: no memory */
struct ike_pfkey_request *ike_pfkey_expect(struct ike_pfkey *p, uint8_t type, uint8_t protocol);
/** It is answered, or nobody will. What waits for an inbound SA or an SPD entry goes then. */
void ike_pfkey_forget(struct ike_pfkey *p, struct ike_pfkey_request *r);

/* ---- ike_pfkey_child.c ---- */

/** DUMP: an SA that somebody else has made, for one of our rows. */
void ike_pfkey_child_dumped(struct ike_pfkey *p, const struct pfkey_msg *m);
/** SPDDUMP: an entry of a default response that nobody has any more, or an earlier process's. */
void ike_pfkey_child_entry(struct ike_pfkey *p, const struct pfkey_msg *m);
/** EXPIRE. */
void ike_pfkey_child_expired(struct ike_pfkey *p, const struct pfkey_msg *m);
/** What is due by now. */
void ike_pfkey_child_tick(struct ike_pfkey *p, uint64_t now_ms);
/** The engine that had what was to go, and what an earlier process made, is gone. */
void ike_pfkey_child_lose(struct ike_pfkey *p);
void ike_pfkey_child_fini(struct ike_pfkey *p);

#endif
