/*
 * ipspd/parent_children.c - starts children, notices their end, starts them again.
 *
 * Each child alone: neither the other child nor the guard takes part in its restart. A child that
 * keeps dying is started ever more slowly, and never given up.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/messages.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- starting ---- */

/* In the new process: nothing of the parent's but channel, hold and stderr goes along. */
void child_become(const char *argument, int channel_fd, int hold_fd)
{
	char name[] = "ipspd", role[32];
	char *argv[] = { name, role, NULL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	/* Until it has given up root, which clears this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	strncpy(role, argument, sizeof(role) - 1);
	role[sizeof(role) - 1] = '\0';
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(127);
	/* Out of the way of the fixed numbers first: dup2 would close what stands there. */
	channel_fd = fcntl(channel_fd, F_DUPFD, ROLE_HOLD_FD + 1);
	hold_fd = fcntl(hold_fd, F_DUPFD, ROLE_HOLD_FD + 1);
	if (channel_fd < 0 || hold_fd < 0 || dup2(channel_fd, ROLE_CHANNEL_FD) < 0 ||
	    dup2(hold_fd, ROLE_HOLD_FD) < 0)
		_exit(127);
	close_range(ROLE_HOLD_FD + 1, ~0u, 0);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void take_log(struct child *c, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	char category[64], text[LOG_TEXT_MAX];
	uint8_t priority = chan_get_u8(&r);
	size_t len;
	const uint8_t *at = chan_get_octets(&r, &len);

	len = len < sizeof(category) ? len : sizeof(category) - 1;
	if (len > 0)
		memcpy(category, at, len);
	category[len] = '\0';
	at = chan_get_octets(&r, &len);
	len = len < sizeof(text) ? len : sizeof(text) - 1;
	if (len > 0)
		memcpy(text, at, len);
	text[len] = '\0';
	if (chan_reader_done(&r))
		log_from_child(c->name, priority, category, text);
	else
		child_kill(c, "malformed log line");
}

static void on_message(void *arg, struct chan_msg *m)
{
	struct child *c = (struct child *)arg;

	if (m->type == MSG_LOG)
		take_log(c, m);
	else
		c->message(c->parent, c, m);
}

static void on_closed(void *arg, int why)
{
	struct child *c = (struct child *)arg;

	chan_free(c->chan);
	c->chan = NULL;
	if (why != 0 && !c->parent->stopping)
		child_kill(c, strerror(-why));
}

void child_kill(struct child *c, const char *why)
{
	ipspd_log(LOG_ERR, "parent", "%s (process %d) is killed: %s", c->name, (int)c->pid, why);
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

/* @return 0 or -errno */
static int spawn(struct child *c)
{
	struct chan_handler handler = { on_message, on_closed, c };
	int fds[2];
	int hold_fd = guard_hold(c->parent->guard);
	int rc = hold_fd < 0 ? hold_fd : chan_pair(fds);

	if (rc < 0)
		goto out;
	rc = chan_new(c->parent->base, fds[0], &handler, &c->chan);
	if (rc < 0) {
		close(fds[0]);
		close(fds[1]);
		goto out;
	}
	c->pid = fork();
	if (c->pid == 0)
		child_become(c->argument, fds[1], hold_fd);
	rc = c->pid < 0 ? -errno : 0;
	close(fds[1]);
	if (rc < 0) {
		chan_free(c->chan);
		c->chan = NULL;
		c->pid = 0;
	}
out:
	if (hold_fd >= 0)
		close(hold_fd);
	return rc;
}

static void plan_restart(struct child *c)
{
	c->delay_ms = c->delay_ms ? c->delay_ms * 2 : RESTART_MIN_MS;
	if (c->delay_ms > RESTART_MAX_MS)
		c->delay_ms = RESTART_MAX_MS;
	struct timeval delay = { .tv_sec = c->delay_ms / 1000,
				 .tv_usec = c->delay_ms % 1000 * 1000 };
	evtimer_add(c->restart, &delay);
}

void child_start(struct child *c)
{
	int rc = spawn(c);

	if (rc < 0) {
		ipspd_log(LOG_ERR, "parent", "%s: not started: %s", c->name, strerror(-rc));
		plan_restart(c);
		return;
	}
	c->started_ms = now_ms();
	ipspd_log(LOG_INFO, "parent", "%s started (process %d)", c->name, (int)c->pid);
	c->begin(c->parent, c);
}

/* ---- ending ---- */

void child_log_end(const char *name, pid_t pid, int status)
{
	const char *extra = "";

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		extra = ": a system call its sandbox forbids; the kernel's audit log names it";
	if (WIFSIGNALED(status))
		ipspd_log(LOG_ERR, "parent", "%s (process %d) ended by signal %d%s", name,
			  (int)pid, WTERMSIG(status), extra);
	else
		ipspd_log(WEXITSTATUS(status) ? LOG_ERR : LOG_INFO, "parent",
			  "%s (process %d) ended with status %d", name, (int)pid,
			  WEXITSTATUS(status));
}

static void child_ended(struct child *c, int status)
{
	struct parent *p = c->parent;

	child_log_end(c->name, c->pid, status);
	c->pid = 0;
	chan_free(c->chan);
	c->chan = NULL;
	if (c == &p->agent) {
		parent_guard_forget(p);
		import_stop(p);
	}
	if (c == &p->ike)
		fetcher_stop(p);
	if (p->stopping)
		return;
	if (c == &p->ike && !p->ike_wanted)
		return;
	if (!p->ready) {
		/* It never served: better to say so than to try for ever. */
		p->status = 1;
		event_base_loopbreak(p->base);
		return;
	}
	uint64_t waited_ms = c->delay_ms ? c->delay_ms : RESTART_MIN_MS;
	if (now_ms() - c->started_ms >= RESTART_CALM * waited_ms)
		c->delay_ms = 0;
	plan_restart(c);
}

void children_reap(struct parent *p)
{
	struct child *children[] = { &p->agent, &p->engine, &p->ike };

	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
		struct child *c = children[i];
		int status;

		if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) {
			/* What it said last is still in the channel. */
			if (c->chan)
				chan_drain(c->chan);
			child_ended(c, status);
		}
	}
	import_reap(p);
	fetcher_reap(p);
	queues_reap(p);
}

void child_stop(struct child *c)
{
	if (c->restart)
		evtimer_del(c->restart);
	if (c->chan)
		(void)chan_send(c->chan, MSG_STOP, NULL, 0, NULL, 0);
}

void children_stop(struct parent *p)
{
	struct child *children[] = { &p->agent, &p->engine, &p->ike };

	p->stopping = true;
	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++)
		child_stop(children[i]);
	import_stop(p);
	fetcher_stop(p);
}

bool children_are_gone(const struct parent *p)
{
	return p->agent.pid == 0 && p->engine.pid == 0 && p->ike.pid == 0 && p->import.pid == 0 &&
	       p->verdict_pid == 0 && p->fetcher.pid == 0;
}
