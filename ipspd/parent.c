/*
 * ipspd/parent.c - the parent's life: guard first, then children, then their messages, to the end.
 *
 * Whatever ends this process, the guard stays in the kernel.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "ipspd/messages.h"

/* ---- what children say ---- */

static void send_level(struct child *c, int level)
{
	uint8_t octet = (uint8_t)level;

	if (c->chan)
		(void)chan_send(c->chan, MSG_LOG_LEVEL, &octet, 1, NULL, 0);
}

static void set_level(struct parent *p, int level)
{
	log_set_level(level);
	send_level(&p->agent, level);
	send_level(&p->engine, level);
	send_level(&p->ike, level);
}

/* A new channel between agent and engine, one end each. */
static void introduce(struct parent *p)
{
	int fds[2];

	if (!p->agent.chan || !p->engine.chan || !p->ready)
		return;
	int rc = chan_pair(fds);
	if (rc == 0) {
		rc = chan_send(p->engine.chan, MSG_AGENT, NULL, 0, &fds[0], 1);
		if (rc == 0)
			rc = chan_send(p->agent.chan, MSG_ENGINE, NULL, 0, &fds[1], 1);
		close(fds[0]);
		close(fds[1]);
	}
	if (rc < 0)
		ipspd_log(LOG_ERR, "parent", "agent and engine cannot be connected: %s",
			  strerror(-rc));
}

static void tell_ready(struct parent *p)
{
	p->ready = true;
	if (p->ready_fd < 0)
		return;
	if (write(p->ready_fd, "", 1) < 0)
		ipspd_log(LOG_DEBUG, "parent", "nobody waits for this start any more");
	close(p->ready_fd);
	p->ready_fd = -1;
	log_to_syslog();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null >= 0)
		close(null);
}

/* One for each processor this process may use, unless the options say how many. */
static uint8_t count_workers(const struct agent_options *o)
{
	cpu_set_t set;

	if (o->n_workers > 0)
		return o->n_workers;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return (uint8_t)(n < 1 ? 1 : n > ENGINE_WORKERS_MAX ? ENGINE_WORKERS_MAX : n);
}

/* Once a life: later options files change the log level alone. */
static bool attach(struct parent *p, const struct agent_options *o)
{
	const char *text = p->options->n_attach ? p->options->attach[0] :
			   o->n_attach ? o->attach[0] : "tun";
	const char *why = attach_parse(text, &(struct attach){ 0 });
	struct attach a;

	if (why || attach_parse(text, &a)) {
		ipspd_log(LOG_ERR, "parent", "attachment \"%s\": %s", text, why ? why : "bad");
		return false;
	}
	/* The frames of an interface keep their order: one worker has them. */
	p->engine_start.n_workers = a.kind == ATTACH_TUN ? count_workers(o) : 1;
	p->engine_start.offload = o->offload ? ENGINE_OFFLOAD_TUN : 0;
	p->engine_start.crypto = o->crypto;
	p->engine_start.allow_weak = o->allow_weak;
	int rc = open_attachment(&a, &p->engine_start, &why);
	if (rc < 0) {
		ipspd_log(LOG_ERR, "parent", "attachment \"%s\": %s: %s", text, why,
			  strerror(-rc));
		return false;
	}
	const bool fast = o->fast_send != ENGINE_FAST_NO && p->engine_start.tun_ifindex != 0;
	if (fast)
		rc = open_fasts(&p->engine_start);
	if (rc < 0) {
		ipspd_log(LOG_ERR, "parent", "fast-send: packet socket: %s", strerror(-rc));
		return false;
	}
	p->rings = fast && o->fast_send == ENGINE_FAST_RING;
	p->attach = a;
	rc = a.kind == ATTACH_NFQUEUE ? queue_table_open(&p->queue_table, &why) : 0;
	if (rc < 0) {
		ipspd_log(LOG_ERR, "parent", "attachment \"%s\": this kernel leads no packets into "
			  "queues: %s", text, why);
		return false;
	}
	guard_steer(p->guard, a.kind != ATTACH_NFQUEUE);
	rc = guard_set_tun(p->guard, p->engine_start.tun_ifindex, p->engine_start.tun_name, &why);
	if (rc == 0)
		rc = queues_follow(p, &why);
	if (rc < 0) {
		ipspd_log(LOG_ERR, "guard", "%s", why);
		return false;
	}
	p->attached = true;
	return true;
}

static void take_options(struct parent *p, struct child *c, const struct chan_msg *m)
{
	struct agent_options o;

	if (!agent_options_read(m, &o)) {
		child_kill(c, "malformed options");
		return;
	}
	set_level(p, o.log_level);
	if (!p->attached && !attach(p, &o)) {
		p->status = 1;
		event_base_loopbreak(p->base);
		return;
	}
	if (!p->ready)
		tell_ready(p);
	if (p->engine.pid == 0 && !evtimer_pending(p->engine.restart, NULL))
		child_start(&p->engine);
	else
		introduce(p);
	parent_ike_introduce(p);
}

/* The options file; -1: there is none, which only the default one may do. */
static int open_options_file(const struct options *o)
{
	const char *path = o->file ? o->file : IPSPD_SYSCONFDIR "/ipspd.conf";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && (o->file || errno != ENOENT))
		ipspd_log(LOG_ERR, "parent", "%s: %s", path, strerror(errno));
	return fd;
}

/* The agent hears of it in any case: without a descriptor, there is no file to be read. */
static void reload(struct parent *p)
{
	int fd = open_options_file(p->options);

	if (p->agent.chan)
		(void)chan_send(p->agent.chan, MSG_RELOAD, NULL, 0, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void agent_message(struct parent *p, struct child *c, struct chan_msg *m)
{
	if (m->type == MSG_OPTIONS) {
		take_options(p, c, m);
	} else if (m->type == MSG_LOG_LEVEL && m->len == 1 && m->data[0] <= LOG_DEBUG) {
		set_level(p, m->data[0]);
		ipspd_log(LOG_NOTICE, "parent", "log level is now %s", log_level_name(m->data[0]));
	} else if (m->type == MSG_RELOAD && m->len == 0) {
		reload(p);
	} else if (m->type == MSG_IKE_WANTED) {
		if (!parent_ike_message(p, m))
			child_kill(c, "malformed message");
	} else if (m->type == MSG_IMPORT_START || m->type == MSG_IMPORT_STOP) {
		if (!parent_import_message(p, m))
			child_kill(c, "malformed message");
	} else if (!parent_guard_message(p, m)) {
		child_kill(c, "malformed message");
	}
}

/* The engine has nothing to say to the parent but its log, and ike little. */
static void engine_message(struct parent *p, struct child *c, struct chan_msg *m)
{
	(void)p;
	(void)m;
	child_kill(c, "malformed message");
}

static void ike_message(struct parent *p, struct child *c, struct chan_msg *m)
{
	if (m->type == MSG_FETCHER && m->len == 0)
		parent_fetch_wanted(p);
	else if (m->type == MSG_AGENT && m->len == 0)
		parent_ike_introduce(p);
	else
		child_kill(c, "malformed message");
}

/* ---- starting children ---- */

static int open_import_file(const struct parent *p)
{
	const char *path = p->options->import;

	if (!path || p->agent_was_started)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		ipspd_log(LOG_ERR, "parent", "%s: %s", path, strerror(errno));
	return fd;
}

static void agent_begin(struct parent *p, struct child *c)
{
	struct agent_start s = { .log_level = (uint8_t)log_level(),
				 .first = !p->agent_was_started,
				 .background = !p->options->foreground,
				 .guard_generation = guard_generation(p->guard) };
	int options_fd = open_options_file(p->options), import_fd = open_import_file(p);

	snprintf(s.statedir, sizeof(s.statedir), "%s", p->options->statedir);
	snprintf(s.master, sizeof(s.master), "%s", p->options->master);
	snprintf(s.control_path, sizeof(s.control_path), "%s", p->options->control_path);
	snprintf(s.import_name, sizeof(s.import_name), "%s",
		 p->options->import ? p->options->import : "");
	s.fds[AGENT_FD_OPTIONS] = options_fd;
	s.fds[AGENT_FD_CONTROL] = p->control_fd;
	s.fds[AGENT_FD_IMPORT] = import_fd;
	guard_inherit(p->guard);
	bool missing = (p->options->file && options_fd < 0) ||
		       (p->options->import && !p->agent_was_started && import_fd < 0);
	if (missing && !p->ready) {
		p->status = 1;
		event_base_loopbreak(p->base);
	} else if (agent_start_send(c->chan, &s) < 0) {
		child_kill(c, "cannot be told to start");
	} else {
		parent_watch_tell(p);
	}
	p->agent_was_started = true;
	if (options_fd >= 0)
		close(options_fd);
	if (import_fd >= 0)
		close(import_fd);
}

/* Each engine gets packet sockets and queues of its own: an interface may have gone and come, what waited
 * for the last engine is old, and where the kernel looks in a ring only who used it knows. */
static bool open_for_engine(struct parent *p)
{
	const char *why;
	int rc = 0;

	if (p->attach.kind == ATTACH_PCAP) {
		rc = open_wire(&p->attach, &p->engine_start, &why);
		if (rc < 0)
			ipspd_log(LOG_ERR, "parent", "attachment pcap:%s,%s: %s: %s", p->attach.red,
				  p->attach.black, why, strerror(-rc));
	} else if (p->attach.kind == ATTACH_NFQUEUE) {
		rc = queues_open(p, &why);
		if (rc < 0)
			ipspd_log(LOG_ERR, "parent", "attachment nfqueue: %s: %s", why,
				  strerror(-rc));
	}
	if (p->rings)
		open_rings(&p->engine_start);
	return rc == 0;
}

/* Tried anew for each engine: that of a parent that was killed may have had it until now. */
static void open_log(int *fd, bool whole, const char *without)
{
	const char *why;

	if (*fd >= 0)
		return;
	*fd = open_packet_log(whole, &why);
	if (*fd >= 0)
		return;
	ipspd_log(LOG_WARNING, "parent", "packet log of the kernel: %s: %s", why, without);
	*fd = -1;
}

static void engine_begin(struct parent *p, struct child *c)
{
	open_log(&p->engine_start.fds[ENGINE_FD_PACKET_LOG][0], false,
		 "what the guard decides is not logged");
	if (p->attach.kind == ATTACH_TUN || p->attach.kind == ATTACH_NFQUEUE)
		open_log(&p->engine_start.fds[ENGINE_FD_HANDOVER][0], true,
			 "what only the engine can judge is dropped");
	p->engine_start.log_level = (uint8_t)log_level();
	if (!open_for_engine(p)) {
		child_kill(c, "it has nothing to work on");
		return;
	}
	if (engine_start_send(c->chan, &p->engine_start) < 0)
		child_kill(c, "cannot be told to start");
	close_wire(&p->engine_start);
	close_queues(&p->engine_start);
	engine_start_close(&p->engine_start, ENGINE_FD_RING);
	introduce(p);
	parent_ike_engine(p);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	child_start((struct child *)arg);
}

/* ---- signals ---- */

static void on_stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = (struct parent *)arg;

	(void)fd;
	(void)what;
	if (p->agent.pid)
		child_kill(&p->agent, "it does not stop");
	if (p->engine.pid)
		child_kill(&p->engine, "it does not stop");
	if (p->ike.pid)
		child_kill(&p->ike, "it does not stop");
}

static void stop(struct parent *p)
{
	const struct timeval limit = { .tv_sec = STOP_WAIT_S };

	if (p->stopping)
		return;
	ipspd_log(LOG_INFO, "parent", "stopping; the guard stays");
	children_stop(p);
	evtimer_add(p->stop_timer, &limit);
	if (children_are_gone(p))
		event_base_loopbreak(p->base);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct parent *p = (struct parent *)arg;

	(void)what;
	switch (number) {
	case SIGCHLD:
		children_reap(p);
		if (p->stopping && children_are_gone(p))
			event_base_loopbreak(p->base);
		break;
	case SIGHUP:
		reload(p);
		break;
	default:
		stop(p);
	}
}

/* ---- life ---- */

static void child_init(struct parent *p, struct child *c, const char *name, const char *argument,
		       void (*message)(struct parent *, struct child *, struct chan_msg *),
		       void (*begin)(struct parent *, struct child *))
{
	*c = (struct child){ .parent = p, .name = name, .argument = argument, .message = message,
			     .begin = begin };
	c->restart = evtimer_new(p->base, on_restart, c);
}

static bool start_loop(struct parent *p)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };

	p->base = event_base_new();
	if (!p->base)
		return false;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p);
		if (!p->signals[i] || evsignal_add(p->signals[i], NULL) < 0)
			return false;
	}
	p->stop_timer = evtimer_new(p->base, on_stop_timeout, p);
	child_init(p, &p->agent, "agent", "--role=agent", agent_message, agent_begin);
	child_init(p, &p->engine, "engine", "--role=engine", engine_message, engine_begin);
	child_init(p, &p->ike, "ike", "--role=ike", ike_message, parent_ike_begin);
	return p->stop_timer && p->agent.restart && p->engine.restart && p->ike.restart &&
	       import_init(p) == 0;
}

static void end_loop(struct parent *p)
{
	if (!p->base)
		return;
	chan_free(p->agent.chan);
	chan_free(p->engine.chan);
	chan_free(p->ike.chan);
	import_fini(p);
	for (size_t i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++) {
		if (p->signals[i])
			event_free(p->signals[i]);
	}
	if (p->stop_timer)
		event_free(p->stop_timer);
	if (p->agent.restart)
		event_free(p->agent.restart);
	if (p->engine.restart)
		event_free(p->engine.restart);
	if (p->ike.restart)
		event_free(p->ike.restart);
	event_base_free(p->base);
}

static bool fail(const char *what, int rc, const char *why)
{
	ipspd_log(LOG_CRIT, "parent", "%s: %s", what, why ? why : strerror(-rc));
	return false;
}

/*
 * The process that was started waits until the daemon serves, and ends as it went.
 * @return true in the daemon
 */
static bool go_to_background(struct parent *p, int *status)
{
	int fds[2];
	char octet;

	if (pipe2(fds, O_CLOEXEC) < 0 || fflush(NULL) != 0) {
		*status = 1;
		return fail("background", -errno, NULL);
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		setsid();
		p->ready_fd = fds[1];
		return true;
	}
	close(fds[1]);
	*status = pid > 0 && read(fds[0], &octet, 1) == 1 ? 0 : 1;
	return false;
}

static bool open_guard(struct parent *p, const struct passwd *pw)
{
	const char *why = NULL;
	int fd = open_directory(p->options->statedir, 0700, pw->pw_uid, pw->pw_gid);

	if (fd < 0)
		return fail(p->options->statedir, fd, NULL);
	int rc = guard_open(fd, &p->guard);
	close(fd);
	if (rc == -EWOULDBLOCK)
		why = "another ipspd runs on this state directory";
	else if (rc == -EBUSY)
		why = "processes of an earlier ipspd on this state directory do not end";
	else if (rc == -EPERM)
		why = "its directory \"guard\" is not root's alone; it may have been tampered with";
	if (rc < 0)
		return fail(p->options->statedir, rc, why);
	if (!p->options->guard_only)
		guard_own(p->guard);
	rc = guard_apply(p->guard, &why);
	return rc == 0 || fail("guard", rc, why);
}

static bool open_all(struct parent *p, const struct passwd *pw)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const char *why;

	engine_start_init(&p->engine_start);
	for (int i = 0; i < IKE_FDS; i++)
		p->ike_start.fds[i] = -1;
	p->control_fd = open_listener(p->options->control_path, pw->pw_gid, 0660, &why);
	if (p->control_fd < 0)
		return fail(p->options->control_path, p->control_fd, why);
	int rc = open_listener(p->options->pfkey_path, 0, 0600, &why);
	if (rc < 0 && p->options->pfkey_given)
		return fail(p->options->pfkey_path, rc, why);
	if (rc < 0)
		ipspd_log(LOG_WARNING, "pfkey", "%s: %s: no key manager can connect",
			  p->options->pfkey_path, why);
	else
		p->engine_start.fds[ENGINE_FD_PFKEY][0] = rc;
	rc = open_counters();
	if (rc < 0)
		return fail("counters", rc, NULL);
	p->engine_start.fds[ENGINE_FD_COUNTERS][0] = rc;
	rc = p->options->pidfile ? write_pidfile(p->options->pidfile) : 0;
	if (rc < 0)
		return fail(p->options->pidfile, rc, NULL);
	/* Children lock all of their memory; they inherit this and cannot raise it themselves. */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0)
		ipspd_log(LOG_WARNING, "parent", "RLIMIT_MEMLOCK: %s", strerror(errno));
	return keep_least_privilege() || fail("capabilities", 0, "cannot be given up");
}

static void close_all(struct parent *p)
{
	if (p->control_fd >= 0) {
		unlink(p->options->control_path);
		close(p->control_fd);
	}
	if (p->options->pidfile)
		unlink(p->options->pidfile);
	if (p->engine_start.fds[ENGINE_FD_PFKEY][0] >= 0)
		unlink(p->options->pfkey_path);
	engine_start_close_all(&p->engine_start);
	close_ike_sockets(&p->ike_start);
}

/* Without queues nothing takes packets behind routing any more: there they find the blackhole again. */
static void end_queues(struct parent *p)
{
	const char *why;

	if (!p->queue_table)
		return;
	guard_steer(p->guard, true);
	if (guard_set_tun(p->guard, 0, "", &why) < 0)
		ipspd_log(LOG_ERR, "guard", "%s", why);
	queue_table_close(p->queue_table);
}

static int run(struct parent *p, const struct passwd *pw)
{
	p->status = 1;
	if (open_all(p, pw) && start_loop(p) && parent_watch_start(p)) {
		p->status = 0;
		setproctitle("-ipspd: parent");
		ipspd_log(LOG_NOTICE, "parent", "ipspd " PACKAGE_VERSION " starts");
		child_start(&p->agent);
		event_base_dispatch(p->base);
	}
	parent_watch_stop(p);
	end_loop(p);
	parent_guard_forget(p);
	end_queues(p);
	close_all(p);
	return p->status;
}

int parent_main(const struct options *o)
{
	struct parent p = { .options = o, .ready_fd = -1, .control_fd = -1 };
	const struct passwd *pw = getpwnam(IPSPD_USER);
	int status = 1;

	if (geteuid() != 0) {
		fail("ipspd", 0, "must be started by root");
		return 1;
	}
	if (!pw) {
		fail(IPSPD_USER, 0, "there is no such user; it is the daemon's unprivileged account");
		return 1;
	}
	umask(077);
	if (open_guard(&p, pw)) {
		if (o->guard_only)
			status = 0;
		else if (o->foreground || go_to_background(&p, &status))
			status = run(&p, pw);
	}
	guard_free(p.guard);
	return status;
}
