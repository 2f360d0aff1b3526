/*
 * ipspd/parent_import.c - the import process: started when the agent asks, ended at its deadline.
 *
 * One at a time, connected to the agent alone; the parent hears nothing of it. It is never started
 * again: whoever asked hears that it ended.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipspd/import_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define GRACE_S 2	/* it has a deadline of its own, and can say more about it */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = (struct parent *)arg;

	(void)fd;
	(void)what;
	if (p->import.pid == 0)
		return;
	ipspd_log(LOG_ERR, "parent", "import (process %d) is killed: it took too long",
		  (int)p->import.pid);
	kill(p->import.pid, SIGKILL);
}

int import_init(struct parent *p)
{
	p->import.deadline = evtimer_new(p->base, on_deadline, p);
	return p->import.deadline ? 0 : -ENOMEM;
}

void import_fini(struct parent *p)
{
	import_stop(p);
	if (p->import.deadline)
		event_free(p->import.deadline);
	p->import.deadline = NULL;
}

void import_stop(struct parent *p)
{
	p->import.wanted = false;
	if (p->import.pid > 0)
		p->import.stopped = kill(p->import.pid, SIGKILL) == 0;
}

/* @return the agent's end of the channel to it, or -errno */
static int spawn(struct parent *p)
{
	struct timeval limit = { .tv_sec = p->import.seconds + GRACE_S };
	int fds[2];
	int hold_fd = guard_hold(p->guard);
	int rc = hold_fd < 0 ? hold_fd : chan_pair(fds);

	if (rc < 0)
		goto out;
	p->import.pid = fork();
	if (p->import.pid == 0)
		child_become(p->import.network ? "--role=fetch" : "--role=import", fds[1], hold_fd);
	rc = p->import.pid < 0 ? -errno : fds[0];
	close(fds[1]);
	if (rc < 0) {
		close(fds[0]);
		p->import.pid = 0;
		goto out;
	}
	evtimer_add(p->import.deadline, &limit);
out:
	if (hold_fd >= 0)
		close(hold_fd);
	return rc;
}

static void start(struct parent *p)
{
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	int fd = spawn(p);

	p->import.wanted = false;
	if (fd < 0)
		ipspd_log(LOG_ERR, "parent", "import: not started: %s", strerror(-fd));
	else
		ipspd_log(LOG_INFO, "parent", "import started (process %d)", (int)p->import.pid);
	chan_put_u32(&w, p->import.serial);
	if (p->agent.chan && chan_send(p->agent.chan, MSG_IMPORT, buf, w.len, &fd, fd >= 0) < 0)
		import_stop(p);
	if (fd >= 0)
		close(fd);
}

bool parent_import_message(struct parent *p, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t serial = chan_get_u32(&r);

	if (m->type == MSG_IMPORT_STOP) {
		if (chan_reader_done(&r) && serial == p->import.serial)
			import_stop(p);
		return chan_reader_done(&r);
	}
	uint8_t network = chan_get_u8(&r);
	uint32_t seconds = chan_get_u32(&r);

	if (!chan_reader_done(&r) || network > 1 || seconds == 0 || seconds > IMPORT_SECONDS_MAX)
		return false;
	/* The one before has answered, or is not wanted; its end may not have been seen yet. */
	import_stop(p);
	p->import.serial = serial;
	p->import.network = network;
	p->import.seconds = seconds;
	p->import.wanted = true;
	if (p->import.pid == 0 && !p->stopping)
		start(p);
	return true;
}

void import_reap(struct parent *p)
{
	int status;

	if (p->import.pid <= 0 || waitpid(p->import.pid, &status, WNOHANG) != p->import.pid)
		return;
	evtimer_del(p->import.deadline);
	if (!p->import.stopped)
		child_log_end("import", p->import.pid, status);
	p->import.stopped = false;
	p->import.pid = 0;
	if (p->import.wanted && !p->stopping)
		start(p);
}
