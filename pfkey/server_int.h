/*
 * pfkey/server_int.h - the server inside: what its files share. Theirs alone.
 *
 *	server.c	clients, who hears what, dispatch
 *	sas.c		GETSPI .. FLUSH, EXPIRE
 *	acquire.c	ACQUIRE, both ways
 *	records.c	what the SAD does not keep of an SA: keys for GET, identities, addresses
 *	dump.c		DUMP and SPDDUMP, some messages at a time
 *	policies.c	the SPD's messages
 *	migrate.c	policies and SAs whose peers move
 *	flows.c		FreeS/WAN's flows, as policies
 */
#ifndef PFKEY_SERVER_INT_H
#define PFKEY_SERVER_INT_H

#include <sys/queue.h>

#include "pfkey/server.h"

/* ---- records.c ---- */

/** An SA's message, as GET answers it, but for what changes. By the SA's id. */
struct pfkey_record {
	struct pfkey_record *next;	/* in its bucket */
	uint64_t sa_id;
	uint64_t made_wall_s;
	uint32_t len;
	uint8_t message[];
};

struct pfkey_records {
	struct pfkey_record **buckets;
	size_t n_buckets;		/* a power of two */
	size_t n;
};

struct pfkey_record *pfkey_record_find(const struct pfkey_records *r, uint64_t sa_id);

/**
 * Keeps what m says of the SA in the place of what was kept: addresses, keys, identities, labels.
 * @return false: no memory, nothing changed
 */
bool pfkey_record_put(struct pfkey_records *r, uint64_t sa_id, const struct pfkey_msg *m,
		      uint64_t made_wall_s);

/** Wipes and forgets it. Fine if there is none. */
void pfkey_record_drop(struct pfkey_records *r, uint64_t sa_id);

/** Wipes and forgets those of an SA type; SADB_SATYPE_UNSPEC: all. */
void pfkey_records_drop_type(struct pfkey_records *r, uint8_t satype);

/** Wipes and forgets all. */
void pfkey_records_fini(struct pfkey_records *r);

/** Its message. Borrowed from the record. */
void pfkey_record_read(const struct pfkey_record *record, struct pfkey_msg *out);

/* ---- dump.c ---- */

struct pfkey_dump {
	uint8_t type, satype;
	uint32_t seq, pid;
	struct pfkey_filter filter;
	bool filtered;
	struct ipsp_sad_cursor cursor;	/* DUMP */
	uint32_t after;			/* SPDDUMP: the index of the last policy told */
	uint32_t n;			/* messages sent */
	size_t len;			/* of the one that goes next, or last; 0: none yet */
	uint8_t message[PFKEY_MSG_MAX];
};

/** Begins one. @return errno */
int pfkey_dump_begin(struct pfkey_client *c, const struct pfkey_msg *m);
void pfkey_dump_end(struct pfkey_client *c);

/* ---- server.c ---- */

struct pfkey_client {
	TAILQ_ENTRY(pfkey_client) entry;
	struct pfkey_server *server;
	void *socket;
	bool privileged, promiscuous;
	bool lost;			/* messages, since the last one that got through */
	uint32_t registered;		/* bits of SA types */
	struct pfkey_dump *dump;	/* NULL: none */
};

struct pfkey_policies;

struct pfkey_server {
	struct pfkey_server_config config;
	TAILQ_HEAD(pfkey_clients, pfkey_client) clients;
	size_t n_clients;
	struct pfkey_records records;
	struct pfkey_policies *policies;
	uint64_t now_s, wall_s;		/* of the call that runs */
};

enum pfkey_to { PFKEY_TO_ONE, PFKEY_TO_ALL, PFKEY_TO_REGISTERED };

/** Sends a message to whom it concerns, and to promiscuous sockets. len 0: it had no room. */
void pfkey_tell(struct pfkey_server *s, enum pfkey_to to, struct pfkey_client *one, uint8_t satype,
		const void *data, size_t len);

/** Answers a request by its own extensions, as far as the mask names them. */
void pfkey_answer(struct pfkey_client *c, enum pfkey_to to, const struct pfkey_msg *m,
		  uint64_t mask);

/** How an error of the core is told. */
int pfkey_errno(enum ipsp_err err);

/* ---- sas.c: each answers by itself when it returns 0, else the errno is answered ---- */

int pfkey_getspi(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_update(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_add(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_delete(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_get(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_acquire(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_flush(struct pfkey_client *c, const struct pfkey_msg *m);

/** The message that tells all of an SA, into a buffer. @return its octets; 0: it has no room */
size_t pfkey_sa_message(struct pfkey_server *s, const struct ipsp_sa *sa, bool with_keys,
			uint8_t type, uint32_t seq, uint32_t pid, uint8_t *out, size_t size);

/* ---- policies.c ---- */

int pfkey_spd_add(struct pfkey_client *c, const struct pfkey_msg *m);	/* and UPDATE, SETIDX */
int pfkey_spd_delete(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_spd_by_index(struct pfkey_client *c, const struct pfkey_msg *m);	/* GET, DELETE2 */
int pfkey_spd_acquire(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_spd_flush(struct pfkey_client *c, const struct pfkey_msg *m);

/**
 * Gives an SA of a key manager other ends; one that cannot have them stays where it is.
 * @param natt  its NAT-T extensions say whether it is in UDP, and its ports; NULL: as it was
 * @return 0; EEXIST: its SPI is in use there; EPERM: it is policy's own; EINVAL, ENOMEM
 */
int pfkey_sa_move(struct pfkey_server *s, const struct ipsp_sa *sa, const struct ipsp_addr *src,
		  const struct ipsp_addr *dst, const struct pfkey_msg *natt);

/* ---- migrate.c ---- */

int pfkey_migrate(struct pfkey_client *c, const struct pfkey_msg *m);

/* ---- flows.c: FreeS/WAN's ---- */

int pfkey_flow_add(struct pfkey_client *c, const struct pfkey_msg *m);
int pfkey_flow_delete(struct pfkey_client *c, const struct pfkey_msg *m);

/* ---- policies.c ---- */

struct pfkey_policies *pfkey_policies_new(void);
void pfkey_policies_free(struct pfkey_policies *p);

/** Looks at what packets the policies have decided. Costs what the SPD has of entries. */
void pfkey_policies_look(struct pfkey_server *s);

/** No answer that waits is for this client any more. */
void pfkey_policies_forget_client(struct pfkey_server *s, const struct pfkey_client *c);

/** The next policy's message behind that index (0: the first). @return its index; 0: no more */
uint32_t pfkey_policies_next(struct pfkey_server *s, uint32_t after, uint8_t type, uint32_t seq,
			     uint32_t pid, uint8_t *out, size_t size, size_t *len);

#endif
