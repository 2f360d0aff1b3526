/*
 * agentx/subagent.h - ipspd's AgentX subagent: serves the store through a master, for ever.
 *
 * Connects, serves, and when the master goes or hangs connects again, with a bounded backoff and in
 * any order of starting. Everything happens in the event loop; nothing waits for the master.
 */
#ifndef AGENTX_SUBAGENT_H
#define AGENTX_SUBAGENT_H

#include <event2/event.h>

#include "agentx/session.h"
#include "mibs/store.h"

/** Between two attempts to connect, in milliseconds: doubles from the first to the second. */
#define AX_RETRY_MIN_MS 100
#define AX_RETRY_MAX_MS 5000

struct ax_subagent;

/** Called for each line; text is borrowed. priority as in syslog(3). */
typedef void ax_logger(void *arg, int priority, const char *text);

/** How it stands, for status and MIB. */
struct ax_state {
	bool is_connected;		/* session open and modules registered */
	uint64_t since_cs;		/* CLOCK_BOOTTIME when is_connected last changed */
	const char *master;		/* its address as given; borrowed until free */
	uint64_t connections;		/* sessions that came up */
	uint64_t losses;		/* of these, gone again */
	struct ax_session_stats session;
	struct ax_sets_stats sets;
};

/**
 * Begins to connect from the loop.
 * @param base, store  borrowed for life; free the subagent before the store. store NULL: as for
 *		       ax_session_new
 * @param address      as ax_connector_new takes it; copied
 * @param log          may be NULL
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_subagent_new(struct event_base *base, struct mib_store *store,
					    const char *address, ax_logger *log, void *log_arg,
					    struct ax_subagent **out);

/** Closes the session and frees everything; waits for nobody. */
void ax_subagent_free(struct ax_subagent *a);

void ax_subagent_state(const struct ax_subagent *a, struct ax_state *out);

/** ax_session_notify on its session, connected or not. */
MIB_MUST_CHECK enum mib_err ax_notify(struct ax_subagent *a, const struct mib_notification *n,
				      const struct ax_note_object *objects, size_t n_objects,
				      size_t n_key);

#endif
