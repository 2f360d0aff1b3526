/*
 * agentx/connector.h - opens the transport to the master without ever holding the event loop.
 *
 * Net-SNMP's transports resolve names and connect while their caller waits: a TCP connection to a
 * host that is silent takes minutes, and a unix socket whose listener is stopped with its backlog
 * full takes for ever. They are therefore opened in a thread of its own that shares no memory with
 * the loop: a socket pair carries "open" there and the transport back. libnetsnmp is used in that
 * thread only, but for closing what it gave. An attempt that hangs is simply still on its way.
 *
 * The thread is made in ax_connector_new and none later. Drop privileges before (capabilities are a
 * thread's own); a seccomp filter put on after it must be for all threads (TSYNC), and must leave
 * socket, connect, setsockopt and name resolution.
 */
#ifndef AGENTX_CONNECTOR_H
#define AGENTX_CONNECTOR_H

#include <event2/event.h>

#include "mibs/value.h"

struct ax_connector;
struct ax_transport;

/**
 * Told how an attempt ended.
 * @param t    the transport, the callback's to close; NULL: failed
 * @param err  failed: an errno; EPROTONOSUPPORT: the transport is no stream; 0: Net-SNMP finds no
 *             such transport or host and does not say why
 */
typedef void ax_connected_fn(void *arg, struct ax_transport *t, int err);

/**
 * @param address  in Net-SNMP's notation: "unix:PATH", "PATH", "tcp:HOST:PORT", "tcp6:...";
 *                 empty: its default for AgentX, unix:/var/agentx/master; copied
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_connector_new(struct event_base *base, const char *address,
					     ax_connected_fn *done, void *arg,
					     struct ax_connector **out);

/** Does not wait for an attempt under way; what that opens is closed. */
void ax_connector_free(struct ax_connector *c);

/** Begins an attempt, told to done from the loop. Not while another is under way. */
void ax_connector_open(struct ax_connector *c);

/** Its connected stream socket, of the transport. */
int ax_transport_fd(const struct ax_transport *t);

/** Closes and frees it. */
void ax_transport_close(struct ax_transport *t);

#endif
