/*
 * ike/world.h - an IKEv2 daemon without its I/O: datagrams, times and answers go in by calls, datagrams and
 * questions come out by a table of the caller's. RFC 7296.
 *
 * So that one process can hold both ends, with a wire and a clock of a test's own. One thread calls; long
 * computations are handed out as jobs, which any thread may run, and come back by ike_job_done.
 * Calls out of the table may come from within any call; none of them may call back but as said.
 */
#ifndef IKE_WORLD_H
#define IKE_WORLD_H

#include "ike/config.h"
#include "ike/prf.h"
#include "ike/timer.h"
#include "ipsp/crypto.h"

struct ike_world;

/** Where a datagram goes or came from: addresses and UDP ports. */
struct ike_path {
	struct ipsp_addr local, remote;
	uint16_t local_port, remote_port;
};

/** A computation. */
struct ike_job;

/** What the SAD may be asked for beside the protocols of proposals: the CPI of an IPComp SA. */
#define IKE_SAD_IPCOMP 108u

/** A Child SA as the SAD gets it: both directions. Borrowed for the call. */
struct ike_child_sa {
	uint8_t protocol;		/* IKE_PROTOCOL_ESP, IKE_PROTOCOL_AH */
	uint32_t spi_in, spi_out;
	uint16_t cpi_in, cpi_out;	/* of IPComp SAs inside, by DEFLATE; both 0: there are none */
	const struct ike_suite *suite;
	struct ipsp_span encr_in, integ_in, encr_out, integ_out;	/* keys, salts last */
	const struct ike_selectors *ours, *theirs;
	const struct ike_path *path;
	const struct ike_child_config *config;	/* lifetimes, window, reqid */
	bool transport;
	bool udp;			/* there is a NAT: RFC 3948 */
	bool no_tfc;			/* the peer takes no TFC padding: ESP_TFC_PADDING_NOT_SUPPORTED */
	/* Fragments but the first may go by it though its selectors have ports: NON_FIRST_FRAGMENTS_ALSO,
	 * RFC 4301 7. Of selectors without ports it says nothing. */
	bool fragments_also;
	/* The SPI (inbound) of the one that the peer puts it in the place of, and will delete once it can
	 * receive by it, RFC 7296 2.8: until then that one is to be sent on. 0: none */
	uint32_t replaces;
};

/** What somebody who watches is told of an IKE SA as it happens. */
enum ike_event_kind {
	IKE_EVENT_UP = 1,		/* established; not one that takes the place of another */
	IKE_EVENT_DOWN,			/* one that was, and has no successor, is gone */
	IKE_EVENT_AUTH_FAILED,		/* the peer's proof is not good, or ours is not for it */
	IKE_EVENT_UNREACHABLE,		/* no answer comes */
	IKE_EVENT_FAILED,		/* a negotiation that we began has come to nothing otherwise */
	IKE_EVENTS
};

/** Why one is gone; the numbers are those of ipspdNotifyDownReason. */
enum ike_end {
	IKE_END_REMOVED = 1,		/* its configuration went, or somebody asked for it */
	IKE_END_EXPIRED = 3,
	IKE_END_BY_PEER = 5,
	IKE_END_UNREACHABLE = 6,
	IKE_END_FAILED = 7,
};

/** Borrowed for the call. */
struct ike_event {
	enum ike_event_kind kind;
	enum ike_end end;		/* of IKE_EVENT_DOWN */
	bool initiator;
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	const struct ike_path *path;
	const struct ike_conn *conn;	/* NULL: none */
	const struct ike_identity *remote;	/* as the peer says; NULL: it has not said */
	const char *text;		/* for people; "" when all is well */
};

enum ike_level { IKE_LOG_ERROR, IKE_LOG_WARNING, IKE_LOG_NOTICE, IKE_LOG_INFO, IKE_LOG_DEBUG };

/** A message as it came, or goes, in clear. Borrowed for the call. */
struct ike_trace {
	const struct ike_path *path;
	bool sent;
	bool sealed;			/* it was, or will be, encrypted */
	uint8_t first;			/* sealed: type of the first payload */
	struct ipsp_span header;	/* as on the wire; of a sealed one, its next payload and length are not meant */
	struct ipsp_span chain;		/* of payloads */
};

struct ike_ops {
	/** Sends a message, from its header on; the non-ESP marker is the callee's. */
	void (*send)(void *arg, const struct ike_path *path, struct ipsp_span message);
	/** Sends the one octet that keeps a NAT's mapping, RFC 3948 2.3, 4; no message, so no marker. */
	void (*keepalive)(void *arg, const struct ike_path *path);
	/** Octets that nobody can foretell. */
	void (*random)(void *arg, uint8_t *out, size_t n);
	/** Has ike_job_run called with it, now or later, then ike_job_done by the thread of the world. */
	void (*run)(void *arg, struct ike_job *job);
	/**
	 * Asks the SAD for an SPI; ike_spi_done tells it, now or later.
	 * @param ticket    names the question
	 * @param protocol  IKE_PROTOCOL_ESP, IKE_PROTOCOL_AH, IKE_SAD_IPCOMP
	 */
	void (*get_spi)(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path);
	/** Adds both directions; inbound it has the SPI of get_spi, and the CPI if there is one. */
	enum ipsp_err (*child_add)(void *arg, const struct ike_child_sa *child);
	/** Takes away an SPI that was asked for, or an SA and (spi_out not 0) the other direction, with the IPComp SAs
	 *  inside. */
	void (*child_delete)(void *arg, uint8_t protocol, const struct ike_path *path, uint32_t spi_in,
			     uint32_t spi_out);
	/** Gives both directions of one that was added other ends, or puts them in or out of UDP; likewise. */
	void (*child_move)(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to,
			   bool udp);
	/** The address of ours that a packet to remote goes out by. False: there is no way to it. */
	bool (*source)(void *arg, const struct ipsp_addr *remote, struct ipsp_addr *out);
	/** A line for people, about one IKE SA or (who empty) none. */
	void (*log)(void *arg, enum ike_level level, const char *who, const char *text);
	/** Seconds since 1970, for certificates. */
	int64_t (*wall_s)(void *arg);
	/**
	 * Asks for a CRL or an OCSP answer; ike_fetch_done tells it, now or later, but always and once.
	 * The URL is a CA's, the post (application/ocsp-request; empty: none, a GET) ours: borrowed. What a GET
	 * brings may be kept by the callee; it is not asked for again before its time (ike_crl_next_s). NULL:
	 * nothing can be fetched.
	 */
	void (*fetch)(void *arg, uint64_t ticket, const char *url, struct ipsp_span post);
	/** Something happened to an IKE SA. NULL: nobody watches. */
	void (*event)(void *arg, const struct ike_event *e);
	/** A message came whole, or is made; not when it is repeated. NULL: nobody looks. */
	void (*trace)(void *arg, const struct ike_trace *t);
};

/**
 * @param ops     copied; arg is given to each of it
 * @param crypto  for encrypted payloads: ipsp_crypto_gcrypt
 * @return NULL: no memory
 */
struct ike_world *ike_world_new(const struct ike_ops *ops, void *arg,
				const struct ipsp_crypto *crypto);
/** Ends all IKE SAs without a word. No job may be out. */
void ike_world_free(struct ike_world *w);

/** The connections from now on, counted by the world; those there were before end as their SAs do. */
IPSP_MUST_CHECK enum ipsp_err ike_world_configure(struct ike_world *w, struct ike_conn *const *conns,
						  size_t n);

/** A datagram came, without a non-ESP marker. */
void ike_receive(struct ike_world *w, const struct ike_path *path, struct ipsp_span message,
		 uint64_t now_ms);

/**
 * Begins with one peer of a connection.
 * @param peer  its place among conn's, with an address
 */
IPSP_MUST_CHECK enum ipsp_err ike_initiate(struct ike_world *w, struct ike_conn *conn, size_t peer,
					   const struct ike_path *path, uint64_t now_ms);

/**
 * A packet waits for a Child SA of a connection: by the IKE SA with that address if there is one, else as
 * ike_initiate. What is under way already is enough, if it brings one that the packet may go by.
 * @param packet  whose selectors the peer is told (RFC 7296 2.9); NULL: not known
 */
IPSP_MUST_CHECK enum ipsp_err ike_want_child(struct ike_world *w, struct ike_conn *conn, size_t peer,
					     const struct ike_path *path, const struct ike_pair *packet,
					     uint64_t now_ms);

/** Has a connection an IKE SA, or one in the making? */
bool ike_conn_lives(const struct ike_world *w, const struct ike_conn *conn);
/** Says it, and whether one is established, of all connections in one walk: writes their standing. */
void ike_survey(struct ike_world *w);

/** Ends the IKE SAs of a connection (NULL: all of them): their Child SAs now, and the peers are told. The caller
 *  has a reference. */
void ike_end_all(struct ike_world *w, struct ike_conn *conn, uint64_t now_ms);

/** IKE SAs of all connections that have an heir go on under it, and those of all that end do so; the caller says so in
 *  them, takes it back, and has references to them meanwhile. */
void ike_conns_turn(struct ike_world *w, uint64_t now_ms);

/** Ends the Child SAs of a protocol (0: all of them) now, and the peers are told; IKE SAs stay. */
void ike_end_children(struct ike_world *w, uint8_t protocol, uint64_t now_ms);

/** Does what is due. @return when to call again, in ms; IKE_NEVER */
uint64_t ike_tick(struct ike_world *w, uint64_t now_ms);

void ike_job_run(struct ike_job *job);
void ike_job_done(struct ike_world *w, struct ike_job *job, uint64_t now_ms);

/** The answer to get_spi; 0: there is none. */
void ike_spi_done(struct ike_world *w, uint64_t ticket, uint32_t spi, uint64_t now_ms);

/** The answer to fetch; empty: there is none. Longer than IKE_FETCH_MAX is not looked at. */
void ike_fetch_done(struct ike_world *w, uint64_t ticket, struct ipsp_span answer, uint64_t now_ms);

/** Addresses or routes of ours have changed: IKE SAs that may move (RFC 4555) go where they lead now. */
void ike_paths_changed(struct ike_world *w, uint64_t now_ms);

/** Authenticated ESP of a Child SA in UDP comes from elsewhere: RFC 7296 2.23. By its inbound SPI. */
void ike_child_came_from(struct ike_world *w, uint8_t protocol, uint32_t spi_in,
			 const struct ipsp_addr *remote, uint16_t port);

/** What a Child SA's end asks: renewed when soft, taken away when hard. By its inbound SPI. */
void ike_child_expired(struct ike_world *w, uint8_t protocol, uint32_t spi_in, bool hard,
		       uint64_t now_ms);

/** Ends an IKE SA with a DELETE. By its initiator's SPI. False: no such one. */
bool ike_terminate(struct ike_world *w, const uint8_t spi_i[IKE_SPI_LEN], uint64_t now_ms);

/* ---- to be seen ---- */

/** How far an IKE SA has come. */
enum ike_phase {
	IKE_PHASE_INITIATING,		/* there are no keys yet */
	IKE_PHASE_AUTHENTICATING,
	IKE_PHASE_ESTABLISHED,
	IKE_PHASE_REKEYED,		/* another one has its place */
	IKE_PHASE_DELETING,
};

/** What one IKE SA is. */
struct ike_view {
	uint32_t number;		/* from 1; stays when another one takes its place */
	enum ike_phase phase;
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	bool initiator;
	const char *state;
	struct ike_path path;
	const struct ike_conn *conn;
	struct ike_identity local, remote;
	struct ike_suite suite;
	uint64_t since_ms;
	uint64_t renew_ms, end_ms;	/* when it is rekeyed, and deleted; IKE_NEVER: that is not planned */
	unsigned n_children;
};

/** Calls each with all IKE SAs, until it says false. */
void ike_world_each(const struct ike_world *w, bool (*each)(void *arg, const struct ike_view *v),
		    void *arg);

#endif
