/*
 * ipspd/agent_int.h - the agent process inside: what its parts share. Not for other processes.
 *
 *	agent.c			life: start, messages, end
 *	agent_apply.c		policy into force: guard, engine, guard
 *	agent_clock.c		policy that changes with the time of day
 *	agent_send.c		generations to engine and guard, whole or what changes
 *	agent_commits.c		what was committed, in the log
 *	agent_problems.c	what is not in force, in the log
 *	agent_reserve.c		sequence numbers of manual SAs
 *	agent_stats.c		counters, asked of engine and parent
 *	agent_sad.c		SAs of key managers, asked of the engine
 *	agent_crypto.c		algorithms that the engine offers
 *	agent_guard.c		what the parent says of the guard
 *	agent_sources.c		observed objects of IPSPD-MIB
 *	agent_import.c		files, read by a process of their own
 *	agent_operations.c	what a manager can have done
 *	agent_jobs.c		imports and exports that a manager asks for
 *	agent_connections.c	connections, and why they are down
 *	agent_ike.c		the ike process: connections to it, IKE SAs from it
 *	agent_ike_conn.c	one connection as that takes it
 *	agent_ike_cred.c	private keys, certificates and CAs that connections name
 *	agent_ike_sas.c		IKE SAs for managers
 *	agent_notify.c		notifications about packets, actions and SAs
 *	agent_news.c		notifications about ipspd itself
 *	agent_rows.c		rows of all tables that are not in force
 */
#ifndef IPSPD_AGENT_INT_H
#define IPSPD_AGENT_INT_H

#include "agentx/subagent.h"
#include "chan/chan.h"
#include "ipspd/agent.h"
#include "ipspd/ike_wire.h"
#include "ipspd/options.h"
#include "ipspd/start.h"
#include "ipspd/watch.h"
#include "mibs/persist.h"
#include "pfkey/band.h"
#include "policy/band.h"
#include "policy/connection.h"

struct control;
struct event;

/* ---- agent_apply.c ---- */

enum apply_state {
	APPLY_IDLE,		/* all that was compiled is in force, or nothing was compiled yet */
	APPLY_TIGHTENING,	/* the guard gets the coming generation beside the one in force */
	APPLY_NO_ENGINE,	/* the guard is tight, the engine is away */
	APPLY_SENT,		/* the engine has the coming generation and has not answered */
	APPLY_SENT_AGAIN,	/* a new engine has the one in force and has not answered */
	APPLY_LOOSENING,	/* in force; the guard is asked to forget the one before */
	APPLY_FAILED,		/* guard or engine refused: waits to try again */
	APPLY_STATES
};

/* ---- agent_spent.c ---- */

struct spent_sa;

/** SAs of which the engine has told that their lifetime is over. */
struct spent {
	struct spent_sa *items;
	size_t n;
	size_t room;
};

/** The SA with that id in g is over. @return 1: that is new; 0: known, or no such SA; -ENOMEM */
int spent_add(struct spent *spent, const struct pol_generation *g, uint64_t sa_id);
/** Forgets those that are not in g as they were. */
void spent_keep(struct spent *spent, const struct pol_generation *g);
/**
 * The action by which the guard goes for an entry of g, now that those SAs fail.
 * @param in_clear  so does what is negotiated
 */
uint8_t spent_action(const struct spent *spent, const struct pol_generation *g,
		     const struct ipsp_spd_entry *e, bool in_clear);
void spent_fini(struct spent *spent);

/* ---- agent_clear.c ---- */

#define CLEAR_PEERS_MAX 256	/* each is a box of the guard for each entry that lets it pass */

struct clear_peer {
	uint32_t reqid;
	struct ipsp_addr remote;
	uint64_t until_s;	/* by the wall clock */
};

/** Peers whose packets pass in clear, as no SA came for them. */
struct clear_peers {
	struct clear_peer items[CLEAR_PEERS_MAX];
	size_t n;
};

/** A WIRE_EVENT_CLEAR came. @return the guard is not as it should be any more */
bool clear_take(struct clear_peers *c, const struct wire_event *e, uint64_t now_s);
/** The engine is another one. @return likewise */
bool clear_forget_all(struct clear_peers *c);
/**
 * Puts before the entries of an inbound list what passes of such peers.
 * @param l      its entries are replaced, when any has to be put in: the old array is freed
 * @param boxes  out: the new entries' boxes, to be freed behind the list; NULL: none
 * @return false: no memory, and nothing is changed
 */
bool clear_widen(const struct clear_peers *c, const struct spent *spent,
		 const struct pol_generation *g, uint64_t now_s, struct ipsp_spd_list *l,
		 struct ipsp_selector **boxes);

/* ---- agent_apply.c ---- */

struct apply {
	enum apply_state state;
	struct spent spent;
	struct clear_peers clear;
	bool guard_stale;			/* an SA is over, or a peer passes in clear or not any more */
	struct pol_compiler *compiler;		/* from the first compilation on */
	struct pol_generation *in_force;	/* in the engine, or was in the one that is gone */
	struct pol_generation *coming;
	struct pol_generation *wanted;		/* newer than coming */
	uint64_t applied;			/* number of in_force once the guard is loose */
	uint64_t in_engine;			/* what the engine that runs now has acknowledged */
	bool engine_follows;			/* it has in_force: it can be sent what changes */
	uint64_t unasked_until_s;		/* it may have SAs till then that no entry asks for; since boot */
	uint32_t serial;			/* of the last guard change */
	uint32_t in_force_serial;		/* layer of in_force; GUARD_KEEP_INHERITED at first */
	uint32_t coming_serial;
	struct pol_band *band;			/* key managers' entries; NULL: none ever */
	uint32_t band_serial;			/* of its last change */
	struct event *compile;			/* once a turn of the loop */
	struct event *retry;
	uint64_t unexpected;			/* events no state expected */
	char problem[256];
};

/* ---- agent_band.c ---- */

/** Policies of key managers, so that another engine gets them again. */
struct band {
	struct pfkey_band_policy *policies;	/* ordered by index */
	size_t n, room;
	bool told;			/* this engine has said which there are */
	struct pfkey_band_policy *coming;	/* until then: what it has said so far */
	size_t n_coming, room_coming;
};

/* ---- agent_reserve.c ---- */

struct number_space;

struct reservations {
	struct number_space *items;	/* by counter_id */
	size_t n;
	size_t room;
};

/* ---- agent_stats.c ---- */

struct counting {
	struct totals *totals;
	struct agent_question *questions;	/* wait for counters */
	struct event *poll;
	uint32_t serial;		/* of the newest question to engine and parent */
	bool engine_asked, guard_asked;	/* have not answered it */
	int64_t asked_ms;		/* when it went out, by a clock that never goes back */
	/* the engine's answer as it comes */
	bool cut;			/* there was no room for all of it */
	struct wire_entry_stats *entries;
	size_t n_entries, room_entries;
	struct wire_sa_stats *sas;
	size_t n_sas, room_sas;
	uint64_t drops[TOTALS_N_DROPS];
	uint64_t icmp[IPSP_N_ICMP_COUNTS];
	uint64_t fast;
};

/* ---- agent_sad.c ---- */

struct sad_name;

struct sad_watching {
	struct sad_picture *picture;
	struct agent_question *questions;	/* wait for a walk that begins after them */
	struct event *poll;
	uint32_t serial;		/* of the newest walk */
	bool walks;			/* it is not over */
	bool lacks;			/* there was no room for all that came */
	int64_t begun_ms, took_ms;	/* by a clock that never goes back */
	struct sad_name *names;		/* by reqid */
	size_t n_names;
	uint64_t names_generation;
};

/* ---- agent_crypto.c ---- */

#define CRYPTO_SOURCES 3

struct crypto_offered {
	struct wire_crypto *told;	/* NULL: by no engine yet */
	struct mib_source sources[CRYPTO_SOURCES];
};

/* ---- agent_guard.c ---- */

struct guard_questions {
	struct agent_question *questions;	/* wait for the guard's text */
	uint32_t serial;
	char *text;			/* as it arrives */
	size_t text_len;
	uint64_t restored;		/* how often the parent put it back */
};

/* ---- agent_import.c ---- */

struct imports {
	struct agent_parse *line;	/* the first is being read */
	bool asked;			/* for it, a process has been asked for */
	uint32_t serial;		/* of that process */
	struct chan *chan;		/* to it; NULL: it has not come yet */
	struct import_records records;
	struct agent_parse start;	/* -i */
};

/* ---- agent_operations.c ---- */

/** ipspdOperationState, ipspdJobState. */
enum operation_state {
	OPERATION_NEVER = 1,
	OPERATION_RUNNING = 2,
	OPERATION_SUCCEEDED = 3,
	OPERATION_FAILED = 4,
};

#define AGENT_OPERATIONS 9	/* one more than the last ipspdOperation */

struct operation {
	enum operation_state state;
	bool due;			/* to be run in the loop's next turn */
	char text[400];
	char owner[48];
	uint32_t runs;
	uint64_t ended_cs;
};

struct operations {
	struct operation list[AGENT_OPERATIONS];	/* by ipspdOperation */
	struct mib_source source;
	struct event *soon;
	struct mib_waiter waiter;
	bool in_line;
};

/* ---- agent_jobs.c ---- */

struct job;

struct jobs {
	struct job *list;
	struct mib_source source;
	struct mib_listener listener;
	struct mib_waiter waiter;	/* rows are looked at when the store is free */
	bool in_line;
	char who[48];			/* changed a row last */
};

/* ---- agent_connections.c ---- */

struct connections {
	struct mib_source source;
	struct mib_listener listener;
	struct pol_conn_set set;	/* of IKE */
	bool stale;			/* set is of an older state */
	struct pol_connection *made;	/* the one that was read last; NULL: none */
	const struct pol_conn_key *made_of;
	uint64_t made_at;		/* generation of the store */
	char text[POL_CONN_COLUMN];	/* what the last read borrows */
	struct ipsp_addr address;
};

/* ---- agent_ike.c ---- */

/** A connection that is not in force, and why. */
struct agent_ike_fault {
	char ipsec[POL_CONN_NAME], ike[POL_CONN_NAME];
	char why[IKE_WHY_TEXT];
};

struct agent_ike {
	struct chan *chan;		/* NULL: it is away */
	struct event *update;		/* once a turn of the loop */
	bool wanted;			/* there are connections */
	bool told;			/* the parent knows that */
	uint64_t looked_at;		/* generation whose connections were last found */
	uint64_t applied;		/* ... that ike has; 0: none */
	/* connections of that generation whose credentials cannot be used, as ike says or we found */
	struct agent_ike_fault *faults;
	size_t n_faults, room_faults;
	uint64_t reached;		/* the newest that was in force, or did not concern it */
	/* its IKE SAs, as it told last, by number */
	struct ike_wire_sa *sas;
	size_t n_sas;
	struct ike_wire_sa *coming;	/* as they arrive */
	size_t n_coming, room_coming;
	bool asked;
	uint32_t serial;
	int64_t asked_ms;		/* by a clock that never goes back */
	struct event *poll;
	struct mib_source source;
	struct agent_tracer *tracer;	/* agent_ike_news.c; NULL: nobody looks */
	struct ike_failure *failures;	/* agent_ike_news.c: of connections that are not up, and when they are begun again */
	size_t n_failures;
	char text[IKE_IDENTITY_TEXT];	/* what the last read borrows */
};

/* ---- agent_rows.c ---- */

struct not_in_force;

/** The rows that are not in force, at one moment. */
struct picture {
	struct not_in_force **list;	/* in the order of their tables and indexes */
	struct not_in_force **by_number;	/* the same */
	size_t n, cap;
	bool taken;
	uint64_t generation, applied, told;	/* what it is of */
};

struct rows_seen {
	struct mib_source source, count;
	struct picture picture;
	uint64_t old_us, next_us;	/* it is old then; not before that is another one taken */
	uint32_t last_number;
	char text[256];			/* what the last read borrows */
	struct mib_oid pointer;
};

/* ---- agent_notify.c ---- */

struct notifying {
	struct notify_limit *limit;
	struct addresses *addresses;	/* NULL: they cannot be had */
	struct agent_event_listener events;
	struct mib_source source;
	uint64_t suppressed;		/* held back by the limits */
};

/* ---- agent_news.c ---- */

#define NEWS_AUTHORS_MAX 8

/** Commits of one author that are not told yet. */
struct news_commits {
	enum mib_door door;
	char who[64];
	uint64_t generation;	/* of the last */
	uint64_t commits;
	uint64_t rows;
};

/** ipspdNotifyTrouble. */
enum news_trouble {
	NEWS_WRITE = 1,
	NEWS_OPEN = 2,
	NEWS_SECRET = 3,
	NEWS_ROW = 4,
	NEWS_TROUBLES
};

struct news_troubles {
	uint64_t n;
	char text[256];		/* of the first */
};

struct news {
	struct event *flush;
	struct event *last;		/* looks whether the last words are heard */
	unsigned last_left;		/* how often it still looks */
	struct news_commits commits[NEWS_AUTHORS_MAX];
	size_t n_commits;
	struct news_troubles troubles[NEWS_TROUBLES];
	bool guard_known;		/* the parent has told the count once */
	bool restored;
	enum agent_engine_state engine;	/* as last told; 0: it was never there */
	struct agent_watcher watcher;
};

/* ---- agent_commits.c ---- */

struct commit_log {
	struct event *timer;		/* pending: no line before it ends */
	uint64_t generation;		/* of the last commit without a line */
	size_t rows;			/* of those without a line */
	size_t commits;
};

struct agent {
	struct event_base *base;
	struct chan *parent;
	struct chan *engine;		/* NULL: it is away */
	struct chan *engine_met;	/* one that has not said yet which policies it has */
	int status;			/* exit status */
	bool started;
	bool serves;			/* its doors are open */
	bool ending;			/* has nothing to serve, and tells so */
	bool options_read;
	struct agent_start start;
	struct options_file options;

	struct mib_seal *seal;
	struct mib_db *db;
	struct mib_store *store;
	struct mib_listener listener;
	struct mib_source system_source;
	struct mib_source drop_source;
	struct mib_source icmp_source;
	struct pol_status *pol_status;
	struct watch *watch;
	struct ax_subagent *subagent;
	bool snmp_was_open;
	struct event *snmp_check;
	struct control *control;
	struct event *idle;		/* the store's housekeeping */
	struct commit_log commits;

	struct apply apply;
	struct event *clock;		/* agent_clock.c: a timer by the wall clock */
	struct band band;
	struct reservations reservations;
	struct counting counting;
	struct sad_watching sad;
	struct crypto_offered crypto;
	uint8_t n_workers;		/* as the engine that is there tells; 0: none is */
	struct guard_questions guard;
	struct imports imports;
	struct operations operations;
	struct jobs jobs;
	struct connections connections;
	struct agent_ike ike;
	struct notifying notify;
	struct news news;
	struct mib_journal journal;	/* the database's, with troubles told */
	struct rows_seen rows_seen;
	struct agent_watcher *watchers;
	struct agent_event_listener *event_listeners;
};

/** Ends the process with that status: there is no way on. The parent starts it again. */
void agent_give_up(struct agent *a, int status);

/** All that comes before the doors is done: opens them, and brings policy into force. */
void agent_serve(struct agent *a);

/** Tells watchers. */
void agent_tell_changed(struct agent *a);

/** The directory that managers name files in. Internal, good until the options are read again. */
const char *agent_import_directory(struct agent *a);

/* agent_clock.c */

/** Before anything is compiled. @return 0; -errno */
int clock_init(struct agent *a);
void clock_fini(struct agent *a);

/** The wall clock, in seconds since 1970 UTC. */
int64_t clock_now_s(void);

/** Compiles anew at that moment, or when the clock is set before. POL_NEVER: at none. */
void clock_wake_at(struct agent *a, int64_t at_s);

/* agent_apply.c */
int apply_init(struct agent *a);
void apply_fini(struct agent *a);
/** The store has changed: compile at the next turn of the loop. */
void apply_commit(struct agent *a, const struct mib_change *changes, size_t n);
/** So have key managers' policies: likewise. */
void apply_band_changed(struct agent *a);
/** arg: the agent. The system's own addresses are others, or may be. */
void apply_addresses_changed(void *arg);
/** An engine is there. What is compiled has to be new if its policies differ. */
void apply_engine_up(struct agent *a);
void apply_engine_down(struct agent *a);
/** GUARD_DONE. @return false: malformed */
bool apply_guard_done(struct agent *a, const struct chan_msg *m);
/** GEN_APPLIED, GEN_REFUSED, SA_REFUSED. @return false: malformed */
bool apply_engine_message(struct agent *a, const struct chan_msg *m);

/** The engine says that the lifetime of that SA is over: it is not in force any more. */
void apply_sa_expired(struct agent *a, uint64_t id);
/** A WIRE_EVENT_CLEAR of the engine. */
void apply_clear_came(struct agent *a, const struct wire_event *e);

/* agent_band.c */
/** Before anything is compiled. @return 0 or -ENOMEM */
int band_init(struct agent *a);
void band_fini(struct agent *a);
/** Tells a new engine what the one before it had. @return 0 or what chan_send says */
int band_greet(struct agent *a, struct chan *engine);
/**
 * BAND_PUT, BAND_GONE, BAND_ALL.
 * @param all  out: it was BAND_ALL
 * @return false: malformed
 */
bool band_message(struct agent *a, const struct chan_msg *m, bool *all);

/* agent_send.c */
/**
 * Sends a generation to the engine.
 * @param base  what the engine has; NULL: not known, all of g is sent
 * @return 0; -EAGAIN: nothing was sent, numbers cannot be reserved on disk; -ENOMEM, -E2BIG, -EPIPE ..
 */
int send_policy(struct agent *a, const struct pol_generation *base, const struct pol_generation *g);
/** Sends the parent the lists of a layer. @return 0; -ENOMEM, -E2BIG, -EPIPE .. */
int send_layer(struct agent *a, const struct pol_generation *g);

/* agent_settings.c */
/** Sends what the scalars of ipspdPath, ipspdIcmp and ipspdHold say to the engine, if it is there. */
void settings_tell(struct agent *a);
/** The same, if they are among what has changed. */
void settings_committed(struct agent *a, const struct mib_change *changes, size_t n);

/* agent_commits.c */
int commit_log_init(struct commit_log *l, struct event_base *base);
void commit_log_fini(struct commit_log *l);
void commit_log_add(struct commit_log *l, uint64_t generation, size_t rows);

/* agent_problems.c */
/** Logs rows whose problem is new in `now`, and rows that had one `before` (may be NULL) only. */
void problems_log(const struct pol_generation *before, const struct pol_generation *now);

/* agent_reserve.c */
/** Sets the floors of outbound SAs, and reserves their first blocks. @return false: disk refuses */
bool reserve_prepare(struct agent *a, struct ipsp_sa_config *sas, size_t n);
/** Sends the ceilings of outbound SAs to the engine. */
void reserve_send(struct agent *a, const struct ipsp_sa_config *sas, size_t n);
/** RESERVE. @return false: malformed */
bool reserve_message(struct agent *a, const struct chan_msg *m);
void reserve_fini(struct agent *a);

/* agent_stats.c */
int stats_init(struct agent *a);
void stats_fini(struct agent *a);
/** STATS_*. @return false: malformed */
bool stats_message(struct agent *a, const struct chan_msg *m);
/** GUARD_COUNTED. @return false: malformed */
bool stats_guard_counted(struct agent *a, const struct chan_msg *m);
void stats_engine_up(struct agent *a);
void stats_engine_down(struct agent *a);

/* agent_sad.c */
int sad_init(struct agent *a);
void sad_fini(struct agent *a);
/** SAD_SAS. @return false: malformed */
bool sad_message(struct agent *a, const struct chan_msg *m);
/** Points at the IPsec action whose SAs have that reqid. @return false: none, *row is as it was */
bool sad_action_of(struct agent *a, uint32_t reqid, struct mib_oid *row);
void sad_engine_up(struct agent *a);
void sad_engine_down(struct agent *a);

/* agent_crypto.c */
/** Adds its sources; before the store's first transaction. */
MIB_MUST_CHECK enum mib_err crypto_init(struct agent *a);
void crypto_fini(struct agent *a);
/** CRYPTO. @return false: malformed */
bool crypto_message(struct agent *a, const struct chan_msg *m);

/* agent_guard.c */
void guard_questions_fini(struct agent *a);
/** GUARD_TEXT. @return false: malformed */
bool guard_text_came(struct agent *a, const struct chan_msg *m);
/** GUARD_RESTORED. @return false: malformed */
bool guard_restored_came(struct agent *a, const struct chan_msg *m);

/* agent_import.c */
/** IMPORT. @return false: malformed */
bool import_came(struct agent *a, struct chan_msg *m);
/** Imports the file of -i, then serves; a file that is refused ends the agent. */
void import_at_start(struct agent *a);
void imports_fini(struct agent *a);

/* agent_operations.c */
int operations_init(struct agent *a);
void operations_fini(struct agent *a);
/** Registers ipspdOperationTable. */
enum mib_err operations_add(struct agent *a);
/** The options file was read again, or why it was not. */
void operations_reloaded(struct agent *a, bool well, const char *text);

/* agent_jobs.c */
/** Registers ipspdJobTable. */
enum mib_err jobs_add(struct agent *a);
void jobs_fini(struct agent *a);

/* agent_connections.c */
/** Registers ipspdConnTable. */
enum mib_err connections_add(struct agent *a);
void connections_fini(struct agent *a);
/** Those of IKE, as the rows are now. Borrowed until rows change; NULL: no memory. */
const struct pol_conn_set *connections_set(struct agent *a);

/* agent_ike.c */
/** @return 0 or -1: no memory */
int agent_ike_init(struct agent *a);
void agent_ike_fini(struct agent *a);
/** Rows have changed, or are served from now on: connections are found anew in the loop's next turn. */
void agent_ike_rows_changed(struct agent *a);
/** IKE: its end of a new channel. */
void agent_ike_came(struct agent *a, struct chan_msg *m);
/** IKE SAs as told last, by number, and asked for again when they are old. Borrowed until the next turn. */
const struct ike_wire_sa *agent_ike_sas(struct agent *a, size_t *n);
/** Has ike what that connection can be asked for by: is it there, and does it know of it? */
bool agent_ike_is_there(const struct agent *a);
/** Asks ike to end what it has negotiated. False: it is not there. */
bool agent_ike_flush(struct agent *a, enum ike_wire_flush what);
/** Asks ike to do that with a connection, if it is there. */
void agent_ike_ask(struct agent *a, enum ike_wire_request request, const char *ipsec, const char *ike);

/** Why a connection that compiles is not in force; NULL: nothing is known against it. */
const char *agent_ike_fault(const struct agent *a, const char *ipsec, const char *ike);
/** Notes one. */
void agent_ike_note_fault(struct agent *a, const char *ipsec, const char *ike, const char *why);
/** The newest generation that the ike process has had in force, or that had nothing for it. */
uint64_t agent_ike_applied(const struct agent *a);

/* agent_ike_news.c */
/** IKE_EVENT: tells managers, and keeps why a connection does not come up. False: malformed. */
bool agent_ike_event(struct agent *a, const struct chan_msg *m);
/** Likewise: when a connection is begun again. */
bool agent_ike_next(struct agent *a, const struct chan_msg *m);
/** Seconds until then; 0: that is not planned. */
uint32_t agent_ike_next_s(const struct agent *a, const char *ipsec, const char *ike);
void agent_ike_forget_failures(struct agent *a);
/** IKE_TRACED. False: malformed. */
bool agent_ike_traced(struct agent *a, const struct chan_msg *m);
/** Tells an ike process that has just come whether somebody looks. */
void agent_ike_trace_tell(struct agent *a);

/* agent_ike_sas.c */
/** An identity for people, without the word for its type, as ipsaPeerIdValue. @return text, or a part of it */
const char *agent_ike_identity(const struct ike_identity *id, char text[IKE_IDENTITY_TEXT]);
/** Registers ipspdIkeSaTable. */
enum mib_err agent_ike_add(struct agent *a);

/* agent_ike_conn.c */
/**
 * Makes of a connection what ike takes.
 * @param out  its conn is the caller's to let go of
 * @return NULL; why it cannot be negotiated, as a part of a sentence: "has ..."; out has none. Borrowed from c
 */
const char *agent_ike_compile(const struct mib_view *v, const struct pol_conn_key *key,
			     const struct pol_connection *c, struct ike_wire_conn *out);

/* agent_ike_cred.c */
struct agent_ike_creds;
/** Makes the directory of private keys, if it is not there. */
void agent_ike_make_keys(struct agent *a);
/** Of one generation. chan: where it is sent; NULL: nowhere. NULL: no memory */
struct agent_ike_creds *agent_ike_creds_new(struct agent *a, struct chan *chan);
void agent_ike_creds_free(struct agent_ike_creds *creds);
/**
 * Sends what a connection proves itself by and whom it believes, as far as that was not sent for another one, and has
 * wire name it. Of several credentials of ours those that cannot be used are left out, and the log says why.
 * @param why  out: what is wrong with one of its credentials, as a part of a sentence; NULL: nothing
 *             that we know. Borrowed until the next call
 * @return false: it cannot be sent, or no memory
 */
bool agent_ike_creds_prove(struct agent_ike_creds *creds, const struct pol_conn_key *key,
			   const struct pol_connection *c, struct ike_wire_conn *wire, const char **why);

/* agent_rows.c */
/** Registers ipspdProblemTable. */
enum mib_err rows_add(struct agent *a);
void rows_fini(struct agent *a);

/* agent_sources.c */
/** Registers the sources of ipspdSystem and ipspdDropTable. */
enum mib_err sources_add(struct agent *a);

/* agent_notify.c */
bool notify_init(struct agent *a);
void notify_fini(struct agent *a);
/** Registers the source of ipspdNotifySettings' counters. */
enum mib_err notify_add_source(struct agent *a);
/** The store is loaded, or has changed: takes over its limits. */
void notify_set_limits(struct agent *a);
/** May one that is about no action go now? If not, it counts as held back. */
bool notify_may(struct agent *a);
/** The engine does not take that SA. */
void notify_sa_refused(struct agent *a, const struct ipsp_sa_config *sa, const char *why);

/* agent_news.c */
bool news_init(struct agent *a);
void news_fini(struct agent *a);
/** The doors are open: what was collected before can be told. */
void news_serve(struct agent *a);
/** There is no store to serve: tells managers why, for two seconds at most, and ends the process. */
void news_last_words(struct agent *a);
/** Called from within the commit. */
void news_committed(struct agent *a, uint64_t generation, size_t n_rows);
/** @param object  "": none */
void news_trouble(struct agent *a, enum news_trouble kind, const char *object, const char *text);
/** The parent has put the guard back. */
void news_guard_restored(struct agent *a);

#endif
