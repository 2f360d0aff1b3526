/*
 * ipspd/engine_icmp.c - ICMP errors that came to this device: what they say of the paths of SAs.
 *
 * The kernel has delivered them, and has a use of its own for them; the engine looks at copies. Which
 * of them come here at all is the guard's matter, and the filters' that the parent has set.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/outer.h"
#include "ipspd/engine.h"

#define MESSAGES_A_TURN 16

static uint8_t proto_of(enum outer_family family)
{
	return family == OUTER_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static void hear(struct engine_worker *w, int fd, enum outer_family family)
{
	/* Between turns of packets their rooms are free. */
	struct ipsp_packet *const packets = w->packets;
	struct io_stats uncounted = { 0 };
	const size_t n = outer_read(fd, family, proto_of(family), packets, MESSAGES_A_TURN,
				    &uncounted);

	ipsp_engine_icmp(w->core, packets, n, engine_now_s());
}

static void on_icmp4(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	hear(arg, fd, OUTER_IPV4);
}

static void on_icmp6(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	hear(arg, fd, OUTER_IPV6);
}

int engine_icmp_start(struct engine_worker *w, int fd, bool is_v6)
{
	const enum outer_family family = is_v6 ? OUTER_IPV6 : OUTER_IPV4;
	const int err = outer_in_init(fd, family, proto_of(family));

	if (err)
		return err;
	struct event *e = event_new(w->base, fd, EV_READ | EV_PERSIST,
				    is_v6 ? on_icmp6 : on_icmp4, w);

	if (!e || event_add(e, NULL) < 0) {
		if (e)
			event_free(e);
		return -ENOMEM;
	}
	w->icmp_event[is_v6] = e;
	return 0;
}

void engine_icmp_stop(struct engine_worker *w)
{
	for (int i = 0; i < 2; i++) {
		if (!w->icmp_event[i])
			continue;
		close(event_get_fd(w->icmp_event[i]));
		event_free(w->icmp_event[i]);
		w->icmp_event[i] = NULL;
	}
}
