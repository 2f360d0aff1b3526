/*
 * ipspd/parent_ike.c - the ike process: it runs while the agent has something for it, and has UDP 500 only
 * then, so that another IKE daemon may have it on a system without such rows.
 *
 *	agent --- IKE_WANTED --->|
 *	                         |--- START, its sockets ---> ike
 *	agent <--- IKE ----------|--- AGENT ----------------> ike    one end each of a channel
 *	                         |--- PFKEY ----------------> ike    a socket to the engine
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/messages.h"

/*
 * Connected in the engine's name: the engine accepts it in its next turn, or its successor does, since the
 * listening socket is ours. @return fd, or -errno
 */
static int connect_pfkey(const struct parent *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *const path = p->options->pfkey_path;

	if (p->engine_start.fds[ENGINE_FD_PFKEY][0] < 0)
		return -ENOENT;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		const int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

void parent_ike_engine(struct parent *p)
{
	if (!p->ike.chan || !p->engine.chan)
		return;
	int fd = connect_pfkey(p);
	int rc = fd < 0 ? fd : chan_send(p->ike.chan, MSG_PFKEY, NULL, 0, &fd, 1);

	if (rc < 0)
		ipspd_log(LOG_ERR, "parent", "ike and engine cannot be connected: %s", strerror(-rc));
	if (fd >= 0)
		close(fd);
}

void parent_ike_introduce(struct parent *p)
{
	int fds[2];

	if (!p->agent.chan || !p->ike.chan || !p->ready)
		return;
	int rc = chan_pair(fds);

	if (rc == 0) {
		rc = chan_send(p->ike.chan, MSG_AGENT, NULL, 0, &fds[0], 1);
		if (rc == 0)
			rc = chan_send(p->agent.chan, MSG_IKE, NULL, 0, &fds[1], 1);
		close(fds[0]);
		close(fds[1]);
	}
	if (rc < 0)
		ipspd_log(LOG_ERR, "parent", "agent and ike cannot be connected: %s", strerror(-rc));
}

void parent_ike_begin(struct parent *p, struct child *c)
{
	p->ike_start.log_level = (uint8_t)log_level();
	if (open_ike_sockets(&p->engine_start, &p->ike_start) < 0) {
		child_kill(c, "it has no socket");
		return;
	}
	if (ike_start_send(c->chan, &p->ike_start) < 0) {
		child_kill(c, "cannot be told to start");
		return;
	}
	parent_ike_engine(p);
	parent_ike_introduce(p);
}

bool parent_ike_message(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t wanted = chan_get_u8(&r);

	if (!chan_reader_done(&r) || wanted > 1)
		return false;
	if (wanted == p->ike_wanted)
		return true;
	p->ike_wanted = wanted;
	if (!wanted) {
		child_stop(&p->ike);
		close_ike_sockets(&p->ike_start);
	} else if (p->ike.pid == 0) {
		child_start(&p->ike);
	}
	return true;
}
