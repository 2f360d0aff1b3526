/*
 * agentx/connector.c - Net-SNMP's transports, opened aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/snmp_service.h>
#include <net-snmp/library/snmp_transport.h>

#include "agentx/connector.h"

/** Enough for a resolver; the thread's pages may be locked with the rest of the process. */
#define STACK_SIZE (256 * 1024)

/** An ax_transport is Net-SNMP's own, seen from outside. */
#define NETSNMP(t) ((netsnmp_transport *)(void *)(t))

/** What the thread sends back. */
struct outcome {
	struct ax_transport *transport;
	int err;
};

/** The thread's own memory; it frees it. */
struct worker {
	int fd;
	char address[];
};

struct ax_connector {
	int fd;
	struct event *readable;
	ax_connected_fn *done;
	void *arg;
};

int ax_transport_fd(const struct ax_transport *t)
{
	return ((const netsnmp_transport *)(const void *)t)->sock;
}

void ax_transport_close(struct ax_transport *t)
{
	if (!t)
		return;
	NETSNMP(t)->f_close(NETSNMP(t));
	netsnmp_transport_free(NETSNMP(t));
}

/** Makes Net-SNMP know its transports and AgentX's defaults; it reads no configuration files. */
static void init_netsnmp(void)
{
	netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_LOAD_HOST_FILES, 1);
	netsnmp_tdomain_init();
	netsnmp_register_default_domain("agentx", "unix tcp");
	netsnmp_register_default_target("agentx", "unix", "/var/agentx/master");
	netsnmp_register_default_target("agentx", "tcp", "localhost:705");
}

/** We read and write the socket ourselves, so it must be a plain stream. */
static bool is_plain_stream(const netsnmp_transport *t)
{
	return t->sock >= 0 && t->flags & NETSNMP_TRANSPORT_FLAG_STREAM &&
	       !(t->flags & NETSNMP_TRANSPORT_FLAG_TUNNELED);
}

static struct outcome open_transport(const char *address)
{
	errno = 0;

	netsnmp_transport *t = netsnmp_transport_open_client("agentx", address);

	if (!t)
		return (struct outcome){ NULL, errno };
	if (!is_plain_stream(t)) {
		ax_transport_close((struct ax_transport *)(void *)t);
		return (struct outcome){ NULL, EPROTONOSUPPORT };
	}
	fcntl(t->sock, F_SETFD, FD_CLOEXEC);
	return (struct outcome){ (struct ax_transport *)(void *)t, 0 };
}

/** Opens when told to, until the other end is closed. */
static void *run(void *arg)
{
	struct worker *w = arg;
	char told;

	while (recv(w->fd, &told, 1, 0) == 1) {
		const struct outcome o = open_transport(w->address);

		if (send(w->fd, &o, sizeof(o), MSG_NOSIGNAL) != (ssize_t)sizeof(o)) {
			ax_transport_close(o.transport);
			break;
		}
	}
	close(w->fd);
	free(w);
	return NULL;
}

static bool start_thread(struct worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	if (pthread_attr_init(&attr))
		return false;
	sigfillset(&all);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the loop's */

	const int failed = pthread_create(&thread, &attr, run, w);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return !failed;
}

static void on_outcome(evutil_socket_t fd, short what, void *arg)
{
	struct ax_connector *c = arg;
	struct outcome o;

	(void)what;
	if (recv(fd, &o, sizeof(o), MSG_DONTWAIT) == (ssize_t)sizeof(o))
		c->done(c->arg, o.transport, o.err);
}

enum mib_err ax_connector_new(struct event_base *base, const char *address, ax_connected_fn *done,
			      void *arg, struct ax_connector **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const size_t size = strlen(address) + 1;
	struct ax_connector *c = calloc(1, sizeof(*c));
	struct worker *w = malloc(sizeof(*w) + size);
	int pair[2] = { -1, -1 };

	if (!c || !w || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		goto out;
	c->fd = pair[0];
	c->done = done;
	c->arg = arg;
	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_outcome, c);
	w->fd = pair[1];
	memcpy(w->address, address, size);
	pthread_once(&once, init_netsnmp);
	if (!c->readable || event_add(c->readable, NULL) || !start_thread(w))
		goto out;
	*out = c;
	return MIB_OK;
out:
	if (c && c->readable)
		event_free(c->readable);
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	free(w);
	free(c);
	return MIB_RESOURCE_UNAVAILABLE;
}

void ax_connector_free(struct ax_connector *c)
{
	struct outcome o;

	if (!c)
		return;
	event_free(c->readable);
	/* What the thread sends from now on fails, and it closes it; what it has sent, we close. */
	shutdown(c->fd, SHUT_RD);
	while (recv(c->fd, &o, sizeof(o), MSG_DONTWAIT) == (ssize_t)sizeof(o))
		ax_transport_close(o.transport);
	close(c->fd);
	free(c);
}

void ax_connector_open(struct ax_connector *c)
{
	/* At most one attempt is under way, so the socket has room for this. */
	if (send(c->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		c->done(c->arg, NULL, errno);
}
