/*
 * ipspd/agent.h - the agent process, as its parts and the control socket see it.
 *
 * The agent owns the MIB state. A commit from any door is compiled once per turn of the event loop
 * and brought into force by ipspd/agent_apply.c: guard, engine, guard. Nothing here waits.
 */
#ifndef IPSPD_AGENT_H
#define IPSPD_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsp/types.h"
#include "ipspd/crypto_wire.h"
#include "ipspd/import_wire.h"
#include "ipspd/report.h"
#include "ipspd/sad_picture.h"
#include "ipspd/totals.h"
#include "mibs/store.h"
#include "policy/status.h"

struct agent;
struct event_base;

struct event_base *agent_base(const struct agent *a);
struct mib_store *agent_store(const struct agent *a);

/** Is the AgentX session open, and all registered? */
bool agent_snmp_open(const struct agent *a);

/* ---- policy, and how far it is in force ---- */

/** ipspdEngineState. */
enum agent_engine_state {
	AGENT_ENGINE_DOWN = 1,
	AGENT_ENGINE_APPLYING = 2,
	AGENT_ENGINE_IN_FORCE = 3,
};
enum agent_engine_state agent_engine_state(const struct agent *a);

/** Generation of the last commit that is in force in guard and engine; 0: none yet. */
uint64_t agent_applied_generation(const struct agent *a);

/** Is that generation, or a later one, in force in the guard and in the engine that runs now? */
bool agent_in_force(const struct agent *a, uint64_t generation);

/** Does the ike process have the connections of that generation, or is there none to have? */
bool agent_ike_in_force(const struct agent *a, uint64_t generation);

/**
 * The policy in force, or, while the engine is down, the newest that was compiled. NULL before the
 * first. Borrowed until the event loop's next turn.
 */
const struct pol_generation *agent_policy(const struct agent *a);

#define AGENT_ADDRESSES_MAX 1024	/* of a system whose rules may ask for its own addresses */

/**
 * The system's own addresses, all but those of the loopback, in order.
 * @param out  room for AGENT_ADDRESSES_MAX
 * @return false: they are not known, or too many
 */
bool agent_addresses(const struct agent *a, struct ipsp_addr *out, size_t *n);

/** Why rows are or are not in force. Never NULL; internal, do not free. */
const struct pol_status *agent_status(const struct agent *a);

/** Why the last try to bring policy into force failed (guard or engine); "" when it did not. */
const char *agent_apply_problem(const struct agent *a);

/** Told when the applied generation, the engine's state or the AgentX session changes. Caller's
 * memory. */
struct agent_watcher {
	void (*changed)(struct agent_watcher *w);
	struct agent_watcher *next;
};
void agent_watch(struct agent *a, struct agent_watcher *w);
void agent_forget_watcher(struct agent *a, struct agent_watcher *w);

/** Told of what the engine reports (logged packets). Caller's memory. */
struct agent_event_listener {
	void (*event)(struct agent_event_listener *l, const struct wire_event *e);
	struct agent_event_listener *next;
};
void agent_listen_events(struct agent *a, struct agent_event_listener *l);
void agent_forget_event_listener(struct agent *a, struct agent_event_listener *l);

/* ---- questions to engine and parent ---- */

/**
 * What engines and guard have counted since the agent runs: at most AGENT_POLL_S old, at most
 * AGENT_FRESH_S while somebody asks (agent_totals_wanted). Never NULL; internal, do not free.
 */
const struct totals *agent_totals(const struct agent *a);

#define AGENT_POLL_S 5
#define AGENT_FRESH_S 1

/** Somebody reads them now, and will go on: asks engine and parent when it is time to. */
void agent_totals_wanted(struct agent *a);

/** The row of that id was destroyed: what it counted is forgotten. */
void agent_forget_totals(struct agent *a, uint64_t id);

/**
 * The SAs of key managers, and what may pass in clear: as the engine told last, which is some seconds
 * ago, more where there are very many. Never NULL; internal, do not free.
 */
const struct sad_picture *agent_sad(const struct agent *a);

/** Somebody reads that now, and will go on: asks the engine when it is time to. */
void agent_sad_wanted(struct agent *a);

/**
 * Why the last attempt at a connection of IKE came to nothing; "": there is no such attempt. Good until the next
 * turn of the loop.
 */
const char *agent_ike_failure(const struct agent *a, const char *ipsec, const char *ike);

/** Who looks at messages of IKE. */
struct agent_tracer {
	/** A message that came or went, as a line for people, and behind it one a field; lost: so many before it. */
	void (*traced)(struct agent_tracer *t, uint32_t lost, const char *lines);
};

/** Has the ike process, this one and later ones, tell its messages. One looks at a time. NULL: nobody. */
void agent_ike_trace(struct agent *a, struct agent_tracer *t);

/** The clock of totals: seconds since boot. */
int64_t agent_now_s(const struct agent *a);

/**
 * One question, to be forgotten by agent_forget_question when the asker goes first. Caller's memory,
 * out of the list when its callback runs.
 */
struct agent_question {
	/**
	 * agent_totals, or agent_sad, is no older than the question, as far as engine and parent have
	 * answered.
	 */
	void (*counted)(struct agent_question *q);
	/** What the kernel's guard holds, as text for people; NULL: the parent failed to say. */
	void (*guard)(struct agent_question *q, const char *text);
	uint32_t serial;	/* internal */
	struct agent_question *next;
};

/** Asks for new counters: q->counted is called from the event loop, never from within. */
void agent_count(struct agent *a, struct agent_question *q);

/** Asks for all SAs of key managers: q->counted is called when agent_sad is no older than this. */
void agent_sad_look(struct agent *a, struct agent_question *q);

/** Asks the parent what the guard holds: q->guard is called from the event loop. */
void agent_guard_show(struct agent *a, struct agent_question *q);

/** How often the parent has put back what other programs took from the guard. */
uint64_t agent_guard_restored(const struct agent *a);

/** ipspdNotifySettings: what became of notifications since this process started. */
struct agent_note_stats {
	uint64_t sent, acknowledged, coalesced, suppressed, dropped, refused, unanswered;
	uint64_t waiting;
};
void agent_notes(const struct agent *a, struct agent_note_stats *out);

void agent_forget_question(struct agent *a, struct agent_question *q);

/** What the engine offers, and who computes it. Never NULL; internal, do not free. */
const struct wire_crypto *agent_crypto(const struct agent *a);

/** Threads that packets pass through now. */
uint32_t agent_workers(const struct agent *a);

/* ---- reading files, in a process of its own (ipspd/agent_import.c) ---- */

#define AGENT_PARSE_WAIT_S 30	/* for the files before it, then it is refused */

/** A file to be read: one at a time, the others wait in line. Caller's memory. */
struct agent_parse {
	/** From the caller, borrowed until done or forgotten: a descriptor (-1: none) or a URL. */
	int fd;
	const char *url;
	uint32_t seconds;	/* 1 .. IMPORT_SECONDS_MAX, once its turn has come */
	/**
	 * Called once, from the event loop; q is out of the line. err MIB_OK: r is all that the file
	 * says, unchecked but for its form; taken by copying *r and clearing it. Else *d says why.
	 */
	void (*done)(struct agent_parse *q, enum mib_err err, struct import_records *r,
		     const struct xml_diag *d);
	struct event *timer;	/* internal */
	struct agent_parse *next;
};

void agent_parse_start(struct agent *a, struct agent_parse *q);
/** Its caller goes first. Harmless when it is not in line. */
void agent_forget_parse(struct agent *a, struct agent_parse *q);

/* ---- the salt under which secrets leave in files ---- */

/** The store's, made now if it has none. @return false with *d: the disk refuses */
bool agent_file_salt(struct agent *a, uint8_t salt[MIB_FILE_SEAL_SALT], struct mib_diag *d);
/** A store without one takes it, so that its files are the same as those it came from. */
void agent_adopt_file_salt(struct agent *a, const uint8_t salt[MIB_FILE_SEAL_SALT]);

/** Asks the parent to set the log level of all processes. */
void agent_set_log_level(struct agent *a, int level);

#endif
