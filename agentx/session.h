/*
 * agentx/session.h - one AgentX session with a master. RFC 2741 7.1 (our side of it), 7.2.
 *
 *	ax_session_start      Open --> Register, one a module --> up
 *	up                    serves Get, GetNext, GetBulk and SETs; Ping when idle; Notify
 *	lost                  reported once; ax_session_start may follow with another socket
 *
 * The object outlives connections. It knows a connected socket, not how it came to be, and does
 * all its work in the event loop: nothing here waits for the master.
 */
#ifndef AGENTX_SESSION_H
#define AGENTX_SESSION_H

#include "agentx/log.h"
#include "agentx/notes.h"
#include "agentx/set.h"
#include "agentx/stream.h"

/** Notify PDUs sent and not yet answered. */
#define AX_NOTES_UNANSWERED_MAX 16

/** How long, in milliseconds. */
struct ax_timing {
	unsigned idle_ms;	/* nothing heard: Ping, and try refused registrations again */
	unsigned reply_ms;	/* nothing heard while an answer is due: the session is lost */
	unsigned set_wait_ms;	/* TestSet in the store's line */
	unsigned set_hold_ms;	/* between two phases of a SET */
};

/**
 * What a daemon uses. set_wait_ms is below Net-SNMP's 1 s for a first answer. set_hold_ms is above the
 * 6 s that its master gives another subagent that hangs (1 s, and 5 times again) before it sends us
 * UndoSet or CleanupSet, and below the 10 s that the command line waits for its turn.
 */
extern const struct ax_timing ax_timing_default;

struct ax_session;

struct ax_session_ops {
	/** Open was answered, and so was each Register. */
	void (*up)(void *arg);
	/** The session is over; why is borrowed for the call. The socket is no longer watched. */
	void (*lost)(void *arg, const char *why);
};

struct ax_session_stats {
	uint64_t requests;	/* PDUs of the master, all kinds */
	uint64_t parse_errors;	/* of these, malformed */
	uint64_t registrations_refused;
	uint64_t pings;
	uint64_t notes_sent;
	uint64_t notes_acknowledged;	/* of these, taken by the master */
	uint64_t notes_refused;		/* of these, answered with an error */
	uint64_t notes_unanswered;	/* of these, when the session was lost: not sent again */
	uint64_t notes_coalesced;	/* gave an equal one that waited their place */
	uint64_t notes_dropped;		/* queue full, no memory, or waited too long */
	size_t notes_waiting;
};

/**
 * @param base, store, timing, ops, log  borrowed for life. store NULL: it registers and serves
 *					 nothing, and is there for notifications alone
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_session_new(struct event_base *base, struct mib_store *store,
					   const struct ax_timing *timing,
					   const struct ax_session_ops *ops, void *arg,
					   struct ax_log *log, struct ax_session **out);

/** Ends the session (ax_session_stop) and frees it; before the store. */
void ax_session_free(struct ax_session *s);

/**
 * Begins a session over a connected stream socket, which stays the caller's until lost or stop.
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_session_start(struct ax_session *s, int fd);

/** Says Close, if the socket takes it at once, and forgets the connection. No lost is reported. */
void ax_session_stop(struct ax_session *s, enum ax_reason reason);

/** Is it up? */
bool ax_session_is_up(const struct ax_session *s);

/**
 * Sends a notification, now or when the master takes it: no more than AX_NOTES_UNANSWERED_MAX go
 * unanswered, each answer is the credit for the next. What waits survives a lost session; what was
 * sent and not answered is not sent again.
 * @param objects  in the order of the notification's OBJECTS
 * @param n_key    as for ax_notes_add
 * @return MIB_OK; MIB_RESOURCE_UNAVAILABLE: dropped, and counted
 */
MIB_MUST_CHECK enum mib_err ax_session_notify(struct ax_session *s,
					      const struct mib_notification *n,
					      const struct ax_note_object *objects,
					      size_t n_objects, size_t n_key);

void ax_session_stats(const struct ax_session *s, struct ax_session_stats *out);
const struct ax_sets_stats *ax_session_sets_stats(const struct ax_session *s);

#endif
