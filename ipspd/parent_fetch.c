/*
 * ipspd/parent_fetch.c - the fetch process: started when ike asks, connected to it alone, and ended with it. It is not
 * started again by itself: who asks of it hears that it ended.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/messages.h"

void fetcher_stop(struct parent *p)
{
	p->fetcher.wanted = false;
	if (p->fetcher.pid > 0)
		p->fetcher.stopped = kill(p->fetcher.pid, SIGKILL) == 0;
}

/* @return ike's end of the channel to it, or -errno */
static int spawn(struct parent *p)
{
	int fds[2];
	int hold_fd = guard_hold(p->guard);
	int rc = hold_fd < 0 ? hold_fd : chan_pair(fds);

	if (rc == 0) {
		p->fetcher.pid = fork();
		if (p->fetcher.pid == 0)
			child_become("--role=crl", fds[1], hold_fd);
		rc = p->fetcher.pid < 0 ? -errno : fds[0];
		close(fds[1]);
		if (rc < 0) {
			close(fds[0]);
			p->fetcher.pid = 0;
		}
	}
	if (hold_fd >= 0)
		close(hold_fd);
	return rc;
}

static void start(struct parent *p)
{
	int fds[2] = { spawn(p), -1 };

	p->fetcher.wanted = false;
	if (fds[0] >= 0)
		fds[1] = open(p->options->statedir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds[1] < 0)
		ipspd_log(LOG_ERR, "parent", "fetch: not started: %s",
			  strerror(fds[0] < 0 ? -fds[0] : errno));
	/* Without both, ike knows that there is none. */
	if (p->ike.chan &&
	    chan_send(p->ike.chan, MSG_FETCHER, NULL, 0, fds, fds[1] < 0 ? 0 : 2) < 0)
		fetcher_stop(p);
	for (size_t i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

void parent_fetch_wanted(struct parent *p)
{
	fetcher_stop(p);	/* of an ike process before this one, or of no use to it */
	p->fetcher.wanted = true;
	if (p->fetcher.pid == 0 && !p->stopping)
		start(p);
}

void fetcher_reap(struct parent *p)
{
	int status;

	if (p->fetcher.pid <= 0 || waitpid(p->fetcher.pid, &status, WNOHANG) != p->fetcher.pid)
		return;
	if (!p->fetcher.stopped && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		child_log_end("fetch", p->fetcher.pid, status);
	p->fetcher.stopped = false;
	p->fetcher.pid = 0;
	if (p->fetcher.wanted && !p->stopping)
		start(p);
}
