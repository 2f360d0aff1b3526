/*
 * agentx/subagent.c - connecting, and connecting again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agentx/connector.h"
#include "agentx/subagent.h"

struct ax_subagent {
	struct ax_log log;
	struct ax_connector *connector;
	struct ax_session *session;
	struct ax_transport *transport;	/* NULL: not connected */
	struct event *retry;
	unsigned retry_ms;
	bool told;			/* the log knows that the master is not there */
	uint64_t since_cs;
	uint64_t connections;
	uint64_t losses;
	char master[];
};

static void try_later(struct ax_subagent *a)
{
	const struct timeval tv = { a->retry_ms / 1000, a->retry_ms % 1000 * 1000 };

	event_add(a->retry, &tv);
	a->retry_ms = a->retry_ms * 2 < AX_RETRY_MAX_MS ? a->retry_ms * 2 : AX_RETRY_MAX_MS;
}

/** Says once, until it changes, that there is no master. */
static void tell(struct ax_subagent *a, const char *why)
{
	if (!a->told)
		ax_log(&a->log, LOG_WARNING, "master %s: %s; will keep trying", a->master,
		       why);
	a->told = true;
}

static void drop_transport(struct ax_subagent *a)
{
	ax_transport_close(a->transport);
	a->transport = NULL;
}

static void on_connected(void *arg, struct ax_transport *t, int err)
{
	struct ax_subagent *a = arg;

	a->transport = t;
	if (t && ax_session_start(a->session, ax_transport_fd(t)) == MIB_OK)
		return;
	drop_transport(a);
	tell(a, t ? strerror(ENOMEM) : err ? strerror(err) : "no such transport or host");
	try_later(a);
}

static void on_up(void *arg)
{
	struct ax_subagent *a = arg;

	a->retry_ms = AX_RETRY_MIN_MS;
	a->told = false;
	a->connections++;
	a->since_cs = ax_boottime_cs();
	ax_log(&a->log, LOG_NOTICE, "connected to master %s", a->master);
}

static void on_lost(void *arg, const char *why)
{
	struct ax_subagent *a = arg;

	if (a->connections > a->losses) {
		a->losses++;
		a->since_cs = ax_boottime_cs();
	}
	drop_transport(a);
	tell(a, why);
	try_later(a);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct ax_subagent *a = arg;

	(void)fd;
	(void)what;
	ax_connector_open(a->connector);
}

enum mib_err ax_subagent_new(struct event_base *base, struct mib_store *store, const char *address,
			     ax_logger *log, void *log_arg, struct ax_subagent **out)
{
	static const struct ax_session_ops ops = { on_up, on_lost };
	static const struct timeval now = { 0, 0 };
	const size_t size = strlen(address) + 1;
	struct ax_subagent *a = calloc(1, sizeof(*a) + size);

	if (!a)
		return MIB_RESOURCE_UNAVAILABLE;
	memcpy(a->master, address, size);
	a->log.log = log;
	a->log.arg = log_arg;
	a->retry_ms = AX_RETRY_MIN_MS;
	a->since_cs = ax_boottime_cs();
	a->retry = evtimer_new(base, on_retry, a);
	if (!a->retry ||
	    ax_session_new(base, store, &ax_timing_default, &ops, a, &a->log, &a->session) !=
		    MIB_OK ||
	    ax_connector_new(base, address, on_connected, a, &a->connector) != MIB_OK ||
	    event_add(a->retry, &now)) {
		ax_subagent_free(a);
		return MIB_RESOURCE_UNAVAILABLE;
	}
	*out = a;
	return MIB_OK;
}

void ax_subagent_free(struct ax_subagent *a)
{
	if (!a)
		return;
	ax_session_free(a->session);
	drop_transport(a);
	ax_connector_free(a->connector);
	if (a->retry)
		event_free(a->retry);
	free(a);
}

void ax_subagent_state(const struct ax_subagent *a, struct ax_state *out)
{
	*out = (struct ax_state){
		.is_connected = ax_session_is_up(a->session),
		.since_cs = a->since_cs,
		.master = a->master,
		.connections = a->connections,
		.losses = a->losses,
		.sets = *ax_session_sets_stats(a->session),
	};
	ax_session_stats(a->session, &out->session);
}

enum mib_err ax_notify(struct ax_subagent *a, const struct mib_notification *n,
		       const struct ax_note_object *objects, size_t n_objects, size_t n_key)
{
	return ax_session_notify(a->session, n, objects, n_objects, n_key);
}
