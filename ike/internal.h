/*
 * ike/internal.h - IKE SAs from within. Private to ike/.
 *
 *	ike_world --- ike_sa (by our SPI) --- ike_child
 *	                 |--- ike_request: ours that wait for their answer
 *	                 |--- ike_exchange: what is being worked on, either side's
 *
 * An exchange that has to wait for a computation or an SPI names what it goes on with (resume) and
 * counts what it waits for (pending). While it waits, its IKE SA may die: the exchange then ends when the
 * last answer comes.
 */
#ifndef IKE_INTERNAL_H
#define IKE_INTERNAL_H

#include "ike/ke.h"
#include "ike/keys.h"
#include "ike/timer.h"
#include "ike/world.h"

#define IKE_NONCE_LEN 32u	/* of ours: at least half the longest PRF's key, RFC 7296 2.10 */
#define IKE_MESSAGE_MAX 65535u
#define IKE_CLEAR_MAX 16384u	/* of the payloads that we put together */
#define IKE_WINDOW 4u		/* requests of theirs that we take at once, RFC 7296 2.3 */

/* ---- states, and the words for them ---- */

#define IKE_STATES(X) \
	X(BEGUN, "begun")		/* its key exchange is being computed */ \
	X(INIT_SENT, "init-sent")	/* IKE_SA_INIT waits for its answer */ \
	X(INIT_ANSWERED, "init-answered") /* the responder's: IKE_AUTH is to come */ \
	X(AUTH_SENT, "auth-sent") \
	X(ESTABLISHED, "established") \
	X(REKEYED, "rekeyed")		/* another one has taken its children */ \
	X(DELETING, "deleting")		/* our DELETE waits for its answer */ \
	X(DEAD, "dead")

#define IKE_STATE_ENUM(name, text) IKE_SA_##name,
enum ike_state { IKE_STATES(IKE_STATE_ENUM) IKE_N_STATES };
#undef IKE_STATE_ENUM

/* ---- what is being worked on ---- */

struct ike_sa;
struct ike_exchange;
struct ike_parsed;

struct ike_claim;	/* ike/anyone.c */
struct ike_proof;	/* ike/proof.h */

enum ike_job_kind {
	IKE_JOB_KE_BEGIN,
	IKE_JOB_KE_ANSWER,
	IKE_JOB_KE_FINISH,
	IKE_JOB_SIGN,
	IKE_JOB_VERIFY,
	IKE_JOB_REVOCATION,
};

/** Handed to the thread that computes, and back. */
struct ike_job {
	struct ike_exchange *owner;
	enum ike_job_kind kind;
	uint16_t method;
	struct ike_ke *ke;		/* begin: made; finish: used */
	uint16_t theirs_len, ours_len, shared_len;
	uint8_t theirs[IKE_KE_PUBLIC_MAX], ours[IKE_KE_PUBLIC_MAX];
	uint8_t *shared;		/* in locked memory; IKE_KE_SHARED_MAX octets */
	struct ike_proof *proof;	/* the exchange's: sign, verify, revocation */
	enum ipsp_err err;
};

enum ike_purpose {
	IKE_FOR_SETUP,		/* IKE_SA_INIT and IKE_AUTH */
	IKE_FOR_CHILD,		/* a Child SA more */
	IKE_FOR_CHILD_REKEY,
	IKE_FOR_IKE_REKEY,
	IKE_FOR_DELETE_CHILD,
	IKE_FOR_DELETE_IKE,
	IKE_FOR_LIVENESS,
	IKE_FOR_MOVE,		/* UPDATE_SA_ADDRESSES */
	IKE_FOR_ROUTABILITY,	/* is the peer where it says it is? */
};

/** A negotiation. Lives until it has come to its end, then its IKE SA is small again. */
struct ike_exchange {
	struct ike_exchange *next;	/* of the same IKE SA */
	struct ike_sa *sa;		/* NULL: it died */
	enum ike_purpose purpose;
	bool ours;			/* we asked */
	bool wants_child;
	bool nat_asked;			/* the initiator looks for a NAT */
	bool only_one;			/* the peer has said INITIAL_CONTACT */
	struct ike_path came;		/* theirs: by which its request came, and its answer goes; or empty */
	uint8_t type;			/* IKE_EXCHANGE_* of the message it goes on with */
	uint32_t id;			/* its message's */
	unsigned pending;
	void (*resume)(struct ike_exchange *x, uint64_t now_ms);
	struct ike_job job;
	uint64_t ticket;		/* of an SPI that is asked for; 0: none */
	struct ike_exchange *next_waiting;	/* for theirs, in the order of asking */
	struct ike_path path;		/* for which it was asked */
	uint32_t spi_in;		/* of the Child SA in the making; 0: none was given */
	bool asks_cpi;			/* the ticket is for its CPI */
	uint16_t cpi_in, cpi_out;	/* ours, theirs; 0: none */
	uint8_t protocol;
	struct ike_suite suite;		/* of the IKE SA in the making */
	struct ike_suite child_suite;	/* of the Child SA in the making */
	uint32_t child_spi_out;		/* theirs */
	struct ike_selectors ours_ts, theirs_ts;
	bool has_packet;		/* it is for one, ... */
	struct ike_pair packet;		/* ... this: ike/packet.c */
	bool wanted;			/* a packet has come since that waits for what it makes */
	bool transport;
	bool no_tfc;			/* the peer takes no TFC padding */
	bool fragments_also;		/* both take fragments without ports */
	struct ike_conn *conn;		/* whose Child SA it is; NULL: the IKE SA's. Counted */
	struct ike_child *rekeyed;	/* the Child SA that this one is to take the place of */
	struct ike_sa *fresh;		/* the IKE SA that is to take the place of this one */
	uint16_t nonce_i_len, nonce_r_len;
	uint8_t nonce_i[IKE_NONCE_MAX], nonce_r[IKE_NONCE_MAX];
	/* of a setup */
	uint8_t *init_request, *init_response;	/* what AUTH signs, RFC 7296 2.15 */
	size_t init_request_len, init_response_len;
	bool proved;			/* its cookie came back: it is where it says */
	uint8_t *cookie;		/* ... and COOKIE2 of RFC 4555 */
	size_t cookie_len;
	unsigned n_inits;		/* requests of IKE_SA_INIT that were sent */
	/* of further key exchanges: ike/v2_more.c */
	bool intermediate;		/* the peer takes IKE_INTERMEDIATE */
	unsigned n_more;		/* that are done, whatever comes of them */
	unsigned at_more;		/* the one that is under way, in add_ke of the suite */
	struct ike_keys *former;	/* the keys before the last one: its request may come again */
	size_t int_auth_len;		/* 0: there was none */
	uint8_t int_auth[2 * IKE_PRF_MAX + 4];	/* the initiator's, the responder's, IKE_AUTH's number */
	/* ike/v2_followup.c */
	uint8_t link_len;		/* 0: nothing is to be followed up */
	uint8_t link[64];		/* by which who answers names the negotiation */
	size_t first_len, more_len;
	uint8_t *more;			/* secrets of all key exchanges, the first one first; in locked memory */
	void (*done)(struct ike_exchange *x, uint64_t now_ms);
	struct ike_timer patience;
	bool late;			/* what it is to replace is replaced: what comes of it goes */
	struct ike_identity id_i, id_r;
	const struct ike_peer *peer;	/* who it should be, of the connection */
	uint16_t their_hashes;		/* bits of SIGNATURE_HASH_ALGORITHMS; 0: it sent none */
	bool uses_ppk;			/* both said USE_PPK; before our answer: it did */
	struct ike_proof *proof;	/* NULL: nothing of it yet */
	uint16_t notify;		/* with which the Child SA fails; 0: it goes well */
};

/**
 * A message as it goes out: one datagram, or as many as there are fragments. Each has its length in front of
 * it, in two octets of network order.
 */
struct ike_wire {
	size_t len;		/* of all octets */
	uint8_t octets[];
};

/** A request of ours: waiting for room in the peer's window (wire NULL), or on its way. */
struct ike_request {
	struct ike_request *next;
	struct ike_exchange *x;		/* NULL: its answer is nobody's */
	struct ike_wire *wire;
	uint32_t id;
	unsigned tries;
	uint64_t due_ms;		/* when it is sent again */
	uint8_t type;			/* IKE_EXCHANGE_* */
	uint8_t first;			/* while it waits: its chain of payloads */
	size_t chain_len;
	uint8_t *chain;
};

/** A request of theirs, and our answer, kept for the case that it was lost. */
struct ike_answer {
	bool taken;
	uint32_t id;
	struct ike_wire *wire;		/* NULL: not sent yet */
};

/** Fragments that have come, of one message. RFC 7383 2.6 */
struct ike_assembly {
	uint32_t id;
	bool response;
	uint8_t first;			/* type of the first payload; of fragment 1 */
	uint16_t total, n;
	size_t len;			/* of all that have come */
	struct ipsp_span *pieces;	/* total of them; data NULL: has not come */
};

/** A Child SA. */
struct ike_child {
	struct ike_child *next;		/* of the same IKE SA */
	struct ike_child *next_by_spi;	/* in its bucket */
	struct ike_sa *sa;
	struct ike_conn *conn;		/* whose it is. Counted */
	uint8_t protocol;
	uint32_t spi_in, spi_out;
	struct ike_pair *packet;	/* whose values it has where they are populated from one; else NULL */
	struct ike_claim *claim;	/* what is its peer's of a connection that is for anyone; else NULL */
	struct ike_exchange *rekey;	/* by us, on its way */
	struct ike_child *rival;	/* the one that the peer's rekey of it made meanwhile */
	bool deleting;			/* our DELETE is on its way */
	bool replaced;			/* the peer has made one in its place, in another IKE SA */
	bool renew;			/* a rekey of it has failed, and is to be tried again */
	uint8_t nonce_min[IKE_NONCE_LEN];	/* the lowest of the exchange that made it, RFC 7296 2.8 */
};

struct ike_sa {
	struct ike_sa *next_by_spi;	/* in its bucket */
	struct ike_sa *next_half_open, **half_open_link;	/* while it is */
	struct ike_sa *next_by_peer, **by_peer_link;	/* in its bucket, once it is established */
	struct ike_world *world;
	uint32_t number;		/* for people; not 0 */
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	bool initiator;
	bool nat;			/* what goes on is as if one were between the two */
	bool nat_found;			/* and there is one */
	bool nat_here;			/* it is we who are behind it */
	bool natt;			/* both look for one */
	bool mobike;			/* both can move: RFC 4555 */
	bool first;			/* we have begun the first of those that have taken each other's place */
	bool move_again;		/* it has moved while the peer was being told of it */
	bool moved;			/* by the peer, ... */
	uint32_t moved_id;		/* ... with this request of theirs, the newest */
	bool seen;			/* the peer has told where it sees us, ... */
	uint8_t seen_at[20];		/* ... by this hash */
	bool childless;			/* the peer takes an IKE_AUTH without a Child SA: RFC 6023 */
	enum ike_state state;
	struct ike_path path;
	struct ike_conn *conn;
	struct ike_keys *keys;		/* NULL: not yet */
	struct ike_suite suite;
	struct ike_identity *local, *remote;	/* NULL: not yet */
	uint32_t next_id;		/* of our next request */
	uint32_t expected_id;		/* of theirs */
	struct ike_answer answers[IKE_WINDOW];	/* by id modulo the window */
	struct ike_request *requests;	/* the oldest first */
	uint32_t n_derived;		/* Child SAs whose keys were made of its own */
	uint64_t n_octets;		/* that its keys have protected, both ways */
	uint32_t window;		/* requests that the peer takes at once, RFC 7296 2.3 */
	bool fragments;			/* both can: RFC 7383 */
	struct ike_assembly assembly;
	struct ike_exchange *exchanges;
	struct ike_want *wants;		/* packets that wait until it is established; the newest first */
	struct ike_child *children;
	struct ike_timer retry, life, alive, again, keep, reauth;
	bool renew;			/* a rekey of it has failed, and is to be tried again */
	bool told;			/* who watches knows that it is up */
	uint64_t since_ms, heard_ms;
	/* ike/reauth.c */
	struct ike_sa *succeeds, *successor;	/* by authentication anew, while both are there */
	bool is_refused;		/* a Child SA more */
	uint64_t proved_ms;		/* since when it counts that the peers authenticated each other */
	uint64_t reauth_ms, told_ms;	/* when they begin anew, as rows and as the peer want it; IKE_NEVER */
	struct ike_exchange *fresh_of;	/* the rekey that is making it */
	struct ike_sa *rival, *rival_of;	/* the one that the peer's rekey of it made meanwhile */
	uint8_t nonce_min[IKE_NONCE_LEN];	/* of the exchange that made it, RFC 7296 2.8 */
};

/** Whose Child SA an exchange makes. */
static inline struct ike_conn *ike_conn_of(const struct ike_exchange *x)
{
	return x->conn ? x->conn : x->sa->conn;
}

#define IKE_BUCKETS 4096u

/** The last two, by turns. */
struct ike_cookie_secrets {
	uint8_t number;			/* of the newest; 0: none yet */
	uint64_t since_ms;
	uint8_t octets[2][32];
};

/** How many lines strangers have caused. */
struct ike_stranger_limit {
	uint64_t since_ms, unsaid;
	unsigned said;
};

struct ike_world {
	struct ike_ops ops;
	void *arg;
	const struct ipsp_crypto *crypto;
	struct ike_prfs *prfs;
	struct ike_timers timers;
	size_t n_conns;
	struct ike_conn **conns;
	struct ike_sa *by_spi[IKE_BUCKETS];	/* by our SPI */
	struct ike_sa *by_peer[IKE_BUCKETS];	/* by the peer's identity */
	struct ike_child *children[IKE_BUCKETS];	/* by our inbound SPI */
	size_t n_sas, n_half_open;
	struct ike_sa *half_open;	/* all of them */
	struct ike_cookie_secrets cookies;
	struct ike_stranger_limit strangers;
	struct ike_path came;		/* of the message at hand */
	uint64_t next_ticket;
	uint32_t last_number;		/* of an IKE SA */
	struct ike_exchange *waiting, **last_waiting;	/* for SPIs */
	struct ike_fetch *fetches;	/* that have no answer yet */
	struct ike_kept_crl *crls;	/* the newest first */
	struct ike_kept_staple *staples;	/* likewise: ike/staple.c */
	uint8_t clear[IKE_MESSAGE_MAX];	/* of the message at hand */
	uint8_t message[IKE_MESSAGE_MAX];
	uint8_t chain[IKE_CLEAR_MAX];
};

/* ---- ike/sa.c ---- */

struct ike_sa *ike_sa_new(struct ike_world *w, struct ike_conn *conn, const struct ike_path *path,
			  bool initiator, uint64_t now_ms);
/** It is established, and known by its peer's identity. */
void ike_sa_opened(struct ike_sa *sa);
/** Another one that is established with the same peer, by the same identities; NULL: none. */
struct ike_sa *ike_sa_same_peer(const struct ike_sa *sa);
/** The next one behind before (NULL: the first) that is established between the two; NULL: none. */
struct ike_sa *ike_sa_of_two(const struct ike_world *w, const struct ike_identity *remote,
			     const struct ike_identity *local, struct ike_sa *before);
/** Is there one that is established with that peer? */
bool ike_world_knows(const struct ike_world *w, const struct ike_identity *remote);
/** The peer has told that it knows of no other than this one: others with it end, unsaid. RFC 7296 2.4 */
void ike_sa_only_one(struct ike_sa *sa);
/** Ends it: exchanges, requests, Child SAs in the SAD. */
void ike_sa_free(struct ike_sa *sa);
struct ike_sa *ike_sa_find(const struct ike_world *w, const uint8_t spi_i[IKE_SPI_LEN],
			   const uint8_t spi_r[IKE_SPI_LEN], bool initiator);
/** The peer's rekey has made rival (NULL: it is decided) while ours is on its way. */
void ike_sa_set_rival(struct ike_sa *sa, struct ike_sa *rival);
/** Our SPI, whichever role. */
const uint8_t *ike_sa_spi(const struct ike_sa *sa);
const char *ike_state_text(enum ike_state state);

struct ike_exchange *ike_exchange_new(struct ike_sa *sa, enum ike_purpose purpose, bool ours);
/** Ends it; if it waits for something, only when that comes. */
void ike_exchange_free(struct ike_exchange *x);
/** Is there one of that purpose, ours or theirs? */
bool ike_exchange_runs(const struct ike_sa *sa, enum ike_purpose purpose, bool ours);
/** The lower nonce of the two, cut to IKE_NONCE_LEN. RFC 7296 2.8 */
void ike_exchange_lowest(const struct ike_exchange *x, uint8_t out[IKE_NONCE_LEN]);
/**
 * Of two that both ends made at once, is ours the one that goes? RFC 7296 2.8
 * @param ours    its lowest nonce
 * @param theirs  that of the peer's; NULL: it is not there
 * @param coming  the exchange that makes the peer's, if that is not done; NULL: none does
 */
bool ike_exchange_lost(const uint8_t ours[IKE_NONCE_LEN], const uint8_t *theirs,
		       const struct ike_exchange *coming);

void ike_say(const struct ike_sa *sa, enum ike_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** The same where there is no IKE SA. */
void ike_say_of(const struct ike_world *w, const struct ike_path *path, enum ike_level level,
		const char *text);

/* ---- ike/ipcomp.c ---- */

/** Is the SAD to be asked for a CPI now? */
bool ike_ipcomp_wants_cpi(const struct ike_exchange *x);
/** It gave that one; 0: none. */
void ike_ipcomp_got_cpi(struct ike_exchange *x, uint32_t cpi);
/** Writes IPCOMP_SUPPORTED, if there is a CPI of ours. */
void ike_ipcomp_write(const struct ike_exchange *x, struct ike_builder *b);
/** As the one who answers: what of the request is taken up, if anything. */
void ike_ipcomp_choose(struct ike_exchange *x, const struct ike_parsed *m);
/** As the one who asked. @return why the answer cannot be taken; NULL: it can */
const char *ike_ipcomp_accept(struct ike_exchange *x, const struct ike_parsed *m);
/** Both have a CPI then, or neither. */
void ike_ipcomp_settle(struct ike_exchange *x);
/** Gives a CPI of ours back that nothing has come of. */
void ike_ipcomp_drop(struct ike_exchange *x);

/* ---- ike/explain.c: what did not fit, for people ---- */

/** A line that a stranger has caused: at most some a second. */
void ike_say_stranger(struct ike_world *w, const struct ike_path *path, const char *text,
		      uint64_t now_ms);
/** IKE_SA_INIT of theirs is refused. near: a connection for these addresses; NULL: there is none */
void ike_explain_init(struct ike_world *w, const struct ike_path *path, const struct ike_conn *near,
		      const struct ike_offers *theirs, uint64_t now_ms);
/** IKE_SA_INIT of ours is refused with NO_PROPOSAL_CHOSEN. */
void ike_explain_offers(const struct ike_sa *sa);
/** A request was sent so often by now, and has no answer yet. */
void ike_explain_wait(const struct ike_sa *sa, unsigned tries);
/** It was sent so often, and the IKE SA ends. */
void ike_explain_silence(const struct ike_sa *sa, unsigned tries);
/** Our IKE_AUTH is refused with AUTHENTICATION_FAILED. */
void ike_explain_disbelief(const struct ike_exchange *x);
/** A Child SA that they ask for is refused with notify. */
void ike_explain_refusal(const struct ike_exchange *x, const struct ike_parsed *m, uint16_t notify);
/** One that we ask for is. */
void ike_explain_refused(const struct ike_exchange *x, uint16_t notify);
/** Who asks by x is nobody whom a connection names. id_r: whom it asks for; type 0: anybody */
void ike_explain_identity(const struct ike_exchange *x, const struct ike_identity *id_r);

/** Asks for the next thing, then goes on with resume when all that is pending has come. */
void ike_run(struct ike_exchange *x, enum ike_job_kind kind);
/** The same: a key exchange by that method, which there is. */
void ike_run_ke(struct ike_exchange *x, uint16_t method);
void ike_ask_spi(struct ike_exchange *x);
void ike_wait(struct ike_exchange *x, void (*resume)(struct ike_exchange *x, uint64_t now_ms),
	      uint64_t now_ms);
/** One of the things that it waits for came. */
void ike_came(struct ike_exchange *x, uint64_t now_ms);

/* ---- ike/event.c: what who watches is told ---- */

void ike_event_up(struct ike_sa *sa);
/** A message in clear, for those who look. */
void ike_trace(const struct ike_world *w, const struct ike_trace *t);
/** Once, and only of one that was told to be up. */
void ike_event_down(struct ike_sa *sa, enum ike_end end, const char *text);
/** Another one goes on in its place. */
void ike_event_inherit(struct ike_sa *from, struct ike_sa *to);
/** @param remote  as it says it is; NULL or of type 0: it has not said */
void ike_event_auth_failed(const struct ike_sa *sa, const struct ike_identity *remote,
			   const char *text);
void ike_event_failed(const struct ike_sa *sa, const char *text);
void ike_event_unreachable(const struct ike_sa *sa, const char *text);

/* ---- ike/window.c ---- */

/**
 * A message in clear (IKE_SA_INIT) or sealed, as a request of ours that is repeated until answered. If the
 * peer's window is full it waits for its turn.
 */
enum ipsp_err ike_request_send(struct ike_exchange *x, uint8_t type, struct ike_builder *b,
			       uint64_t now_ms);
/** ... as an answer, kept. */
enum ipsp_err ike_answer_send(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms);
/** Is it the answer to a request of ours? Then that waits no longer, and *x is whose it was (NULL: nobody's). */
bool ike_request_answered(struct ike_sa *sa, uint8_t type, uint32_t id, struct ike_exchange **x);
/** What a message of ours has for a header. */
struct ike_header_fields ike_header_of(const struct ike_sa *sa, uint8_t type, bool response, uint32_t id);
/** Sends what waited, now that there is room. */
void ike_requests_go_on(struct ike_sa *sa, uint64_t now_ms);
/** The message last made for an exchange of IKE_SA_INIT. */
struct ipsp_span ike_wire_message(const struct ike_wire *w);
/** Did that request come before? Then its answer, if there is one yet, was sent again (if again). */
bool ike_request_repeated(struct ike_sa *sa, uint32_t id, bool again);
/** Takes a new one. False: it is not within the window. */
bool ike_request_take(struct ike_sa *sa, uint32_t id);
void ike_requests_free(struct ike_sa *sa);

/* ---- ike/life.c ---- */

/** It is established: its lifetimes run, and it is asked for a sign of life when it is silent. */
void ike_life_begin(struct ike_sa *sa, uint64_t now_ms);
void ike_life_end(struct ike_sa *sa);
/** One more Child SA has keys of its: when these are all that it may make, it is renewed. */
void ike_life_derived(struct ike_sa *sa);
/** So many more octets were protected by its keys: at the limits it is renewed, or ends. */
void ike_life_octets(struct ike_sa *sa, size_t n);
/** When it is rekeyed, and when it is deleted, if nothing comes between; IKE_NEVER: that is not planned. */
uint64_t ike_life_renew_ms(const struct ike_sa *sa);
uint64_t ike_life_end_ms(const struct ike_sa *sa);
/** A rekey has failed for a reason that may pass: it is tried again. c NULL: of the IKE SA. */
void ike_life_again(struct ike_sa *sa, struct ike_child *c, uint64_t now_ms);
/** It has just been established: what waits for that begins as soon as what is at hand is done. */
void ike_life_soon(struct ike_sa *sa, uint64_t now_ms);
/** RFC 7296 2.21.3: after INVALID_SYNTAX it goes without a word, once what it is at is done. */
void ike_life_spoil(struct ike_sa *sa, uint64_t now_ms);

/* ---- ike/reauth.c ---- */

/** The peers have authenticated each other: how long that counts begins. */
void ike_reauth_begin(struct ike_sa *sa, uint64_t now_ms);
/** Its rows say another time: it counts from then on. */
void ike_reauth_changed(struct ike_sa *sa);
/** One is established that succeeds another: who watches sees it as that one. */
void ike_reauth_up(struct ike_sa *fresh);
/** It is done with one Child SA: asks for the next, or ends the IKE SA before it. Any IKE SA may come. */
void ike_reauth_go_on(struct ike_sa *fresh, uint64_t now_ms);
/** What one of CREATE_CHILD_SA came to; goes on as soon as times are looked at. Likewise. */
void ike_reauth_child(struct ike_sa *fresh, bool good);
/** Writes AUTH_LIFETIME into the answer of IKE_AUTH, if there is one. */
void ike_reauth_build(const struct ike_exchange *x, struct ike_builder *b);
/** Heeds AUTH_LIFETIME, if a message of the peer's has it. */
void ike_reauth_take(struct ike_sa *sa, const struct ike_parsed *m, uint64_t now_ms);
/** A rekeyed IKE SA was authenticated when the one before it was. */
void ike_reauth_inherit(struct ike_sa *to, const struct ike_sa *from);
/** ... and is succeeded by the same one, or succeeds it. */
void ike_reauth_pass(struct ike_sa *from, struct ike_sa *to);
void ike_reauth_end(struct ike_sa *sa);
/** Of theirs: the SPI (inbound) of the Child SA of another IKE SA with that peer that it stands for. 0: none */
uint32_t ike_reauth_replaces(struct ike_exchange *x);

/* ---- ike/fragment.c ---- */

/**
 * Takes a fragment that our keys have opened.
 * @return true: the message is whole; *chain is in the world's buffer, *first its first payload's type
 */
bool ike_assemble(struct ike_sa *sa, const struct ike_header *h, uint8_t first,
		  struct ike_fragment fragment, struct ipsp_span piece, struct ipsp_span *chain,
		  uint8_t *chain_first);
void ike_assembly_free(struct ike_sa *sa);

/* ---- ike/v2.c ---- */

#define IKE_PAYLOADS_MAX 64u

/** A message taken apart: its payloads in order. */
struct ike_parsed {
	struct ike_header header;
	struct ipsp_span message;
	unsigned n;
	struct ike_payload payloads[IKE_PAYLOADS_MAX];
	struct ipsp_span clear;		/* a sealed one's chain, whose first payload's type is first */
	uint8_t first;
};

/** The first one of a type; NULL: none. */
const struct ike_payload *ike_parsed_find(const struct ike_parsed *m, uint8_t type);

/** A notification. */
struct ike_notify {
	uint8_t protocol;
	uint16_t type;
	struct ipsp_span spi, data;
};
/** False: a broken one. */
bool ike_notify_read(const struct ike_payload *p, struct ike_notify *out);
/** The first notification of a type. False: none. */
bool ike_parsed_notify(const struct ike_parsed *m, uint16_t type, struct ike_notify *out);
/** The first error notification. False: none. */
bool ike_parsed_error(const struct ike_parsed *m, struct ike_notify *out);

/** Answers a request with one notification, an error. INVALID_SYNTAX ends the IKE SA: ike_life_spoil. */
void ike_refuse(struct ike_exchange *x, uint16_t notify, struct ipsp_span data, uint64_t now_ms);
/** What is said of a key exchange that came to nothing: that we have no memory now, or that its value is none. */
static inline uint16_t ike_job_refusal(enum ipsp_err err)
{
	return err == IPSP_OK || err == IPSP_ENOMEM ? IKE_N_TEMPORARY_FAILURE : IKE_N_INVALID_SYNTAX;
}
/** Answers IKE_SA_INIT in clear with one notification, and keeps nothing. */
void ike_refuse_init(struct ike_world *w, const struct ike_path *path, const struct ike_header *h,
		     uint16_t notify, struct ipsp_span data);

/* ---- exchanges: v2_init.c, v2_auth.c, v2_child.c, v2_info.c ---- */

/** ike_initiate, for a packet that waits or NULL. */
enum ipsp_err ike_setup_begin(struct ike_world *w, struct ike_conn *conn, size_t peer, const struct ike_path *path,
			      const struct ike_pair *packet, uint64_t now_ms);
void ike_init_begin(struct ike_exchange *x, uint64_t now_ms);
void ike_init_request(struct ike_world *w, const struct ike_path *path, const struct ike_parsed *m,
		      uint64_t now_ms);
void ike_init_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

void ike_auth_begin(struct ike_exchange *x, uint64_t now_ms);
void ike_auth_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
void ike_auth_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

/** A Child SA more, or in the place of another one. */
enum ipsp_err ike_child_begin(struct ike_sa *sa, struct ike_child *rekeyed, uint64_t now_ms);
/** A Child SA more, of a connection with its peer, for a packet that waits or NULL. */
enum ipsp_err ike_child_begin_for(struct ike_sa *sa, struct ike_conn *conn, const struct ike_pair *packet,
				  uint64_t now_ms);
void ike_child_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
void ike_child_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

/* ---- ike/packet.c: the packet that a Child SA is for ---- */

/** What the Child SA of an exchange may carry: the configuration's, narrowed where it is populated from packets. */
void ike_packet_selectors(const struct ike_exchange *x, struct ike_selectors *ours,
			  struct ike_selectors *theirs);
/** Writes TSi and TSr as who asks, the packet's first. */
void ike_packet_write(const struct ike_exchange *x, struct ike_builder *b);
/** As who answers: which packet does the peer ask for? False: none, and there has to be one. */
IPSP_MUST_CHECK bool ike_packet_choose(struct ike_exchange *x, const struct ike_selectors *tsi,
				       const struct ike_selectors *tsr);
/** An exchange is for that packet; NULL: for none. */
void ike_packet_take(struct ike_exchange *x, const struct ike_pair *packet);
/** A Child SA remembers whose it is, for when it is rekeyed. @return IPSP_OK; IPSP_ENOMEM */
IPSP_MUST_CHECK enum ipsp_err ike_packet_keep(const struct ike_exchange *x, struct ike_child *c);
/** Is a Child SA for the same as that of an exchange will be? */
bool ike_packet_is_of(const struct ike_exchange *x, const struct ike_child *c);
/**
 * Of a connection's Child SAs under another IKE SA one's packet for which sa has none; NULL: there is none, or they are
 * for no packets.
 */
const struct ike_pair *ike_packet_missing(const struct ike_sa *sa, const struct ike_sa *of,
					  const struct ike_conn *conn);
/** Is what a packet waits for being made, or going to be? Then it is remembered. packet NULL: any Child SA is enough. */
bool ike_packet_comes(struct ike_sa *sa, const struct ike_pair *packet);
/** A packet waits until the IKE SA is established. @return IPSP_OK; IPSP_ENOMEM; IPSP_ENOSPC: too many */
IPSP_MUST_CHECK enum ipsp_err ike_packet_wait(struct ike_sa *sa, const struct ike_pair *packet);
/** It is: all that wait. */
void ike_packet_begin_all(struct ike_sa *sa, uint64_t now_ms);
void ike_packet_forget_all(struct ike_sa *sa);

/** Asks for a sign of life. */
void ike_liveness_begin(struct ike_sa *sa, uint64_t now_ms);
/** Deletes a Child SA (NULL: the IKE SA), and tells the peer. */
enum ipsp_err ike_delete_begin(struct ike_sa *sa, struct ike_child *c, uint64_t now_ms);
/** A new IKE SA in the place of this one, ike/v2_rekey.c. */
enum ipsp_err ike_rekey_begin(struct ike_sa *sa, uint64_t now_ms);
void ike_rekey_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
void ike_rekey_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

void ike_info_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
void ike_info_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

/* ---- ike/v2_more.c: further key exchanges, RFC 9370, RFC 9242 ---- */

/** Does anything that is offered, or was chosen, have them? */
bool ike_offers_have_more(const struct ike_offers *offers);
bool ike_suite_has_more(const struct ike_suite *suite);
/** Are all of its key exchanges known here? */
bool ike_suite_is_known(const struct ike_suite *suite);
/** Are those of the setup done? */
bool ike_more_done(const struct ike_exchange *x);
/** Goes on with the next one of the setup, then with IKE_AUTH. */
void ike_more_begin(struct ike_exchange *x, uint64_t now_ms);
void ike_more_request(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
void ike_more_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
/** Keys that a request may still be sealed with; NULL: none. */
const struct ike_keys *ike_more_former(const struct ike_sa *sa);

/* ---- ike/v2_followup.c: further key exchanges of CREATE_CHILD_SA, RFC 9370 2.2.4 ---- */

/** Secrets of the key exchanges of CREATE_CHILD_SA: the first one's, then those of all others. Empty: none. */
struct ipsp_span ike_exchange_shared(const struct ike_exchange *x);
struct ipsp_span ike_exchange_further(const struct ike_exchange *x);
/** What the answer says of what follows. @return NULL; what is wrong with it */
const char *ike_followup_take(struct ike_exchange *x, const struct ike_parsed *m);
/** The answer's value is taken: computes, and asks for what follows; then done, with job.err of the last one. */
void ike_followup_finish(struct ike_exchange *x, void (*done)(struct ike_exchange *x, uint64_t now_ms),
			 uint64_t now_ms);
/** As the one who answers, with a suite: is there room? @return 0; the notification to refuse it with */
uint16_t ike_followup_may(struct ike_exchange *x);
/** Writes what follows into the answer; then the exchange waits. False: no memory */
bool ike_followup_offer(struct ike_exchange *x, struct ike_builder *b, uint64_t now_ms);
/** One of theirs that waits for what follows. NULL: none */
struct ike_exchange *ike_followup_waiting(const struct ike_sa *sa, enum ike_purpose purpose,
					  const struct ike_child *rekeyed);
void ike_followup_request(struct ike_exchange *came, const struct ike_parsed *m, uint64_t now_ms);
void ike_followup_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);

/* What was agreed on by CREATE_CHILD_SA, as the one who answers. @return 0; the notification to refuse it with */
uint16_t ike_child_make(struct ike_exchange *x);
uint16_t ike_rekey_make(struct ike_exchange *x, uint64_t now_ms);
/** The answer to the last request is sent; ends x. */
void ike_rekey_settle(struct ike_exchange *x, uint64_t now_ms);
/* As the one who asked: it comes to nothing. */
void ike_child_fail(struct ike_exchange *x, const char *why);
void ike_rekey_fail(struct ike_exchange *x, const char *why, uint64_t now_ms);
/** The peer deletes an IKE SA: what it has rekeyed it by keeps the Child SAs. */
void ike_rekey_before_end(struct ike_sa *sa, uint64_t now_ms);

/* ---- ike/v2_mobike.c: RFC 4555 ---- */

bool ike_path_is(const struct ike_path *a, const struct ike_path *b);

/** Does this end want to move, or to let the peer? */
bool ike_mobike_wants(const struct ike_sa *sa);
/** Writes MOBIKE_SUPPORTED and what belongs to it into IKE_AUTH. */
void ike_mobike_build(const struct ike_exchange *x, struct ike_builder *b);
/** Learns from IKE_AUTH whether the peer does. @return 0; the notification that ends it */
uint16_t ike_mobike_take(struct ike_exchange *x, const struct ike_parsed *m);
/**
 * What an INFORMATIONAL request says of paths, and the answer's part about them.
 * @return true: ike_mobike_check when the answer is sent
 */
bool ike_mobike_request(struct ike_exchange *x, const struct ike_parsed *m, struct ike_builder *b,
			uint64_t now_ms);
/** Asks whether the peer is where the IKE SA says; then its Child SAs go there, too. */
void ike_mobike_check(struct ike_sa *sa, uint64_t now_ms);
/** Tells the peer where we are. */
void ike_mobike_tell(struct ike_sa *sa, uint64_t now_ms);
/** The answer to a request of IKE_FOR_MOVE, IKE_FOR_ROUTABILITY or IKE_FOR_LIVENESS; ends x. */
void ike_mobike_response(struct ike_exchange *x, const struct ike_parsed *m, uint64_t now_ms);
/** Writes what a question for life asks of paths besides. */
void ike_mobike_probe(const struct ike_sa *sa, struct ike_builder *b);
/** Child SAs go where the IKE SA is now. */
void ike_children_move(const struct ike_sa *sa);

/* ---- what they share ---- */

/* Values of key exchanges, ike/v2_init.c. */
void ike_build_ke(struct ike_builder *b, const struct ike_job *job);
void ike_build_nonce(struct ike_builder *b, const uint8_t *nonce, size_t len);
/** The peer's value, for the computation of job->method. False: no memory. */
bool ike_job_take(struct ike_job *job, struct ipsp_span ke);
/** Body of a KE payload. False: cut short, or too long. */
bool ike_ke_read(const struct ike_payload *p, uint16_t *method, struct ipsp_span *ke);
/** The first key exchange of a list that is known here; 0: none. */
uint16_t ike_offers_method(const struct ike_offers *offers);
bool ike_offers_has_method(const struct ike_offers *offers, uint16_t method);
/** Of a nonce payload's length. RFC 7296 3.9 */
bool ike_nonce_good(struct ipsp_span nonce);
/** A Nonce payload's body. False: there is none, or it is not good. */
bool ike_parsed_nonce(const struct ike_parsed *m, uint8_t out[IKE_NONCE_MAX], uint16_t *len);

/** The one of a conn's peers with that address; then one without an address; NULL. */
const struct ike_peer *ike_peer_at(const struct ike_conn *c, const struct ipsp_addr *remote);

/* ---- ike/pick.c ---- */

/**
 * In IKE_AUTH, as the one who answers: sets peer of the exchange, and conn of the IKE SA if another one suits better.
 * @param id_r    whom the peer expects; type 0: anybody
 * @param method  how it proves itself; 0: that is not looked at
 * @return false: it is nobody whom we know
 */
bool ike_pick_peer(struct ike_exchange *x, const struct ike_parsed *m, const struct ike_identity *id_r,
		   uint8_t method);
/** In CREATE_CHILD_SA, as the one who answers: sets conn of the exchange. That of the one to be rekeyed is its own. */
void ike_pick_child(struct ike_exchange *x, const struct ike_parsed *m);

/* Child SAs, ike/child.c: in whichever exchange they are negotiated. */

/** Writes SA, TSi, TSr and what belongs to them, as the one who asks. */
void ike_child_offer(struct ike_exchange *x, struct ike_builder *b);
/** A Child SA as a peer asks for it. */
struct ike_child_asked {
	struct ike_offers offers;
	struct ike_selectors ours, theirs;
	struct ike_selectors seen_ours, seen_theirs;	/* for transport mode: ike_nat_selectors */
	bool setup;			/* in IKE_AUTH, where it has no key exchange of its own */
	bool transport;
};

/** False: it is not whole. */
IPSP_MUST_CHECK bool ike_child_read(const struct ike_sa *sa, const struct ike_parsed *m, bool setup,
				    struct ike_child_asked *out);

#define IKE_SUITS_BEST 9u
/** How well a connection suits what is asked for, up to IKE_SUITS_BEST. 0: it is for other traffic. 1: it is the
 *  default response, which is for what no other one is for. */
unsigned ike_child_suits(const struct ike_conn *c, const struct ike_sa *sa, const struct ike_child_asked *asked);

/* The default response, ike/answer.c. */

#define IKE_ANSWER_SELECTORS_MAX 4u	/* on either side */
/** What is left of any traffic: that between the two ends of an IKE SA. */
void ike_answer_narrow(const struct ike_sa *sa, struct ike_selectors *ours, struct ike_selectors *theirs);
bool ike_answer_suits(const struct ike_conn *c, const struct ike_sa *sa, const struct ike_child_asked *asked);
/**
 * Can what was agreed on be, where it is the default response that is?
 * @param transport  that mode was asked for
 * @return 0; the notification to refuse it with
 */
uint16_t ike_answer_check(const struct ike_exchange *x, bool transport);

/* ---- ike/anyone.c: peers without a known address ---- */

/** Is none of theirs_ts another peer's, where the connection is for anyone? Who authenticates for the first time is id_i. */
bool ike_anyone_takes(const struct ike_exchange *x);
/** Notes theirs_ts as the peer's of this Child SA; ike_child_free frees it. */
IPSP_MUST_CHECK enum ipsp_err ike_anyone_keep(const struct ike_exchange *x, struct ike_child *c);

/**
 * Reads what is asked for, and chooses: suite, selectors, mode, the other's SPI.
 * @return 0; the notification to refuse it with
 */
uint16_t ike_child_choose(struct ike_exchange *x, const struct ike_parsed *m);
/** Writes what was chosen, as the one who answers. */
void ike_child_answer(struct ike_exchange *x, struct ike_builder *b);
/** Reads the answer to what we asked for. @return NULL; what is wrong with it */
const char *ike_child_accept(struct ike_exchange *x, const struct ike_parsed *m);
/** Derives keys and adds it to the SAD, and to the IKE SA's children. */
enum ipsp_err ike_child_install(struct ike_exchange *x);
/** Takes one away. */
void ike_child_remove(struct ike_sa *sa, struct ike_child *c);
/** Adds to, and takes from, the children of an IKE SA; a Child SA in the SAD does not change. */
void ike_child_link(struct ike_sa *sa, struct ike_child *c);
/** Of one that is in no list. */
void ike_child_free(struct ike_child *c);
void ike_child_unlink(struct ike_child *c);
/** By our inbound SPI, in any IKE SA. NULL: none */
struct ike_child *ike_child_of_spi(const struct ike_world *w, uint8_t protocol, uint32_t spi_in);
/** By an SPI of either direction. NULL: none */
struct ike_child *ike_child_find(struct ike_sa *sa, uint8_t protocol, uint32_t spi, bool inbound);

/** AUTH data by a shared key, RFC 7296 2.15: whose says which side's it is. */
enum ipsp_err ike_auth_psk(struct ike_exchange *x, bool initiators, const struct ike_secret *secret,
			   uint8_t out[IKE_PRF_MAX]);

/**
 * What a signature or a shared key proves to know, RFC 7296 2.15: the message, the other's nonce, a hash of
 * the identity, which is in mac, and what was exchanged in between (RFC 9242 3.3.2), or nothing.
 */
#define IKE_AUTH_PARTS 4u
enum ipsp_err ike_auth_octets(struct ike_exchange *x, bool initiators,
			      struct ipsp_span out[IKE_AUTH_PARTS],
			      uint8_t mac[IKE_PRF_MAX]);
/** Seconds since 1970. */
int64_t ike_wall_s(const struct ike_world *w);
/** At the world's end: nobody waits for fetches any more, and no CRL is kept, no OCSP answer. */
void ike_fetches_end(struct ike_world *w);
void ike_staples_end(struct ike_world *w);

/** RFC 7296 2.23: the hash of an end that NAT_DETECTION_* carry. */
#define IKE_NAT_HASH_LEN 20u
void ike_nat_hash(const uint8_t *spi_i, const uint8_t *spi_r, const struct ipsp_addr *addr,
		  uint16_t port, uint8_t out[IKE_NAT_HASH_LEN]);
/** Writes NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP of a path. */
void ike_nat_build(struct ike_builder *b, const struct ike_sa *sa, const struct ike_path *p);
/** Learns from those of a message whether there is a NAT, and whose. False: it has none; nothing is learned. */
bool ike_nat_take(struct ike_sa *sa, const struct ike_parsed *m);
/** Why a Child SA of that protocol cannot be where the IKE SA is; NULL: it can. */
const char *ike_nat_forbids(const struct ike_sa *sa, uint8_t protocol);
/**
 * What the peer says of a transport mode's traffic, as it is seen here: over a NAT each end has other addresses for
 * the two of them. RFC 7296 2.23.1
 */
void ike_nat_selectors(const struct ike_sa *sa, struct ike_selectors *ours, struct ike_selectors *theirs);
/** Keeps a NAT's mapping from then on, if it is we who are behind one. RFC 3948 4 */
void ike_nat_keep(struct ike_sa *sa, uint64_t now_ms);

#endif
