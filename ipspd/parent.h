/*
 * ipspd/parent.h - the parent process inside: what its parts share.
 *
 *	parent.c		life: start, signals, what children say, end
 *	parent_children.c	starting, watching and restarting children
 *	parent_open.c		directories, sockets, TUN: everything that takes privilege
 *	parent_wire.c		the two interfaces of a bump in the wire
 *	parent_queue.c		the kernel's queues, and the process that gives verdicts
 *	parent_guard.c		the agent's layers on their way into the guard
 *	parent_import.c		the import process
 *	parent_fetch.c		the fetch process, which ike asks for
 *	parent_ike.c		the ike process, which runs while there are connections
 *	parent_watch.c		what other programs took from the guard is put back
 *
 * It alone keeps root. It parses its arguments and checks numbers and names that the agent sends;
 * it reads no packet, file or MIB.
 */
#ifndef IPSPD_PARENT_H
#define IPSPD_PARENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "chan/chan.h"
#include "ipspd/guard.h"
#include "ipspd/options.h"
#include "ipspd/queue_table.h"
#include "ipspd/roles.h"
#include "ipspd/start.h"

struct event;
struct event_base;
struct parent;
struct parent_watch;

/** Runs the daemon. @return exit status */
int parent_main(const struct options *o);

/*
 * Between a child's end and its next start: doubles from the first to the last. A child that lived
 * RESTART_CALM times as long as it had been waited for begins at the first again. So one that cannot
 * live costs little, and one that is killed now and then is hardly missed: without the engine no
 * protected packet passes.
 */
#define RESTART_MIN_MS 100
#define RESTART_MAX_MS 30000
#define RESTART_CALM 10
#define STOP_WAIT_S 5		/* then children are killed */

struct child {
	struct parent *parent;
	const char *name;		/* "agent" */
	const char *argument;		/* "--role=agent" */
	pid_t pid;			/* 0: does not run */
	struct chan *chan;
	struct event *restart;
	unsigned delay_ms;		/* before its last start; 0: it was calm before, or is the first */
	uint64_t started_ms;		/* CLOCK_BOOTTIME */
	void (*message)(struct parent *p, struct child *c, struct chan_msg *m);
	void (*begin)(struct parent *p, struct child *c);	/* sends START */
};

/** A guard change as it comes in. */
struct guard_intake {
	bool open;
	uint32_t serial;
	uint32_t keep;
	struct guard_layer layers[GUARD_LAYERS_MAX];
	size_t n_layers;
	struct wire_builder *builder;	/* of the last layer */
	bool bad;
};

/** The import process: one at a time, at the agent's wish. */
struct import_child {
	pid_t pid;			/* 0: does not run */
	uint32_t serial;		/* the agent's number of it */
	bool network;
	uint32_t seconds;
	bool wanted;			/* to be started when the one before has gone */
	bool stopped;			/* by us: its end is nothing to report */
	struct event *deadline;
};

struct parent {
	const struct options *options;
	struct event_base *base;
	struct guard *guard;
	struct guard_intake intake;
	struct parent_watch *watch;	/* NULL before and after the event loop */
	struct child agent;
	struct child engine;
	struct child ike;
	bool ike_wanted;		/* the agent has connections for it */
	struct ike_start ike_start;	/* its descriptors are ours, while it is wanted */
	struct import_child import;
	struct {
		pid_t pid;		/* 0: it does not run */
		bool stopped, wanted;	/* its end is our doing; ike waits for it */
	} fetcher;
	bool stopping;
	int status;
	int ready_fd;			/* who started us in the background waits here; -1 */
	bool ready;			/* the first OPTIONS have come */
	bool agent_was_started;
	bool attached;			/* attach has been opened */
	struct attach attach;		/* then: what it is */
	bool rings;			/* each engine gets packet sockets with rings to send by */
	struct queue_table *queue_table;	/* NULL: attached otherwise */
	pid_t verdict_pid;		/* 0: does not run */
	int control_fd;
	struct engine_start engine_start;	/* its descriptors are ours, for life */
	struct event *signals[4];
	struct event *stop_timer;
};

/* ---- parent_children.c ---- */

/** Starts it; failing is like a child that dies at once. */
void child_start(struct child *c);
/** Reaps whatever has ended, and plans restarts. */
void children_reap(struct parent *p);
/** Asks all to stop, then makes them. */
void children_stop(struct parent *p);
bool children_are_gone(const struct parent *p);
/** Asks one to stop; it is not started again before child_start. */
void child_stop(struct child *c);
/** The channel is closed for good: what is malformed on it can only be a taken-over child. */
void child_kill(struct child *c, const char *why);

/** In a new process: becomes that role, with nothing of the parent's but channel and hold. */
void child_become(const char *argument, int channel_fd, int hold_fd)
	__attribute__((noreturn));
/** Logs how a process ended. */
void child_log_end(const char *name, pid_t pid, int status);

/* ---- parent_import.c ---- */

/** @return 0 or -errno */
int import_init(struct parent *p);
void import_fini(struct parent *p);
/** Ends it, and forgets one that waits to be started. */
void import_stop(struct parent *p);
/** Notices its end, and starts the next. */
void import_reap(struct parent *p);
/** IMPORT_START, IMPORT_STOP. @return false: malformed; the agent must go */
bool parent_import_message(struct parent *p, const struct chan_msg *m);

/* ---- parent_open.c ---- */

/** Makes the directory (and those above it) when it is not there. @return its fd, or -errno */
int open_directory(const char *path, mode_t mode, uid_t uid, gid_t gid);
/** Listens there, root's and of group gid. @return fd, or -errno with *why */
int open_listener(const char *path, gid_t gid, mode_t mode, const char **why);
/** Opens what the attachment needs into s, and gives up the kernel's way past it.
 *  @return 0 or -errno with *why */
int open_attachment(const struct attach *a, struct engine_start *s, const char **why);
/** Counters' memory. @return fd, or -errno */
int open_counters(void);
/**
 * Socket that gets what the guard logs, or (whole) hands over.
 * @return fd, or -errno with *why (static or internal)
 */
int open_packet_log(bool whole, const char **why);
/** Keeps the least capabilities, for good. */
bool keep_least_privilege(void);
/** @return 0 or -errno; with the calling process's id */
int write_pidfile(const char *path);

/* ---- parent_sockets.c ---- */

/** Opens s->n_workers of each socket into s. UDP may be missing: it is logged. @return 0 or -errno */
int open_sockets(struct engine_start *s, const char **why);

/** Opens s->n_workers packet sockets to send by into s. @return 0 or -errno */
int open_fasts(struct engine_start *s);

/** Likewise such ones with a ring; those that cannot be are logged and left out. */
void open_rings(struct engine_start *s);

/**
 * Opens those that are not open, beside the engine's. What another program has is logged and left out.
 * @return 0; -EADDRINUSE: there is none
 */
int open_ike_sockets(const struct engine_start *engine, struct ike_start *s);
void close_ike_sockets(struct ike_start *s);

/* ---- parent_fetch.c ---- */

/** FETCHER: ike asks for a fetch process. */
void parent_fetch_wanted(struct parent *p);
void fetcher_stop(struct parent *p);
/** After SIGCHLD. */
void fetcher_reap(struct parent *p);

/* ---- parent_ike.c ---- */

/** IKE_WANTED. @return false: malformed; the agent must go */
bool parent_ike_message(struct parent *p, const struct chan_msg *m);
/** An agent is there, or another one: connects it with ike, if that runs. */
void parent_ike_introduce(struct parent *p);
/** An engine is there, or another one: connects ike with it. */
void parent_ike_engine(struct parent *p);
/** struct child */
void parent_ike_begin(struct parent *p, struct child *c);

/* ---- parent_tun.c ---- */

/**
 * Opens the TUN of that name ("%d": the kernel's number), up, into s: s->n_workers queues, with offload
 * if s->offload is not 0; then it says what there is.
 * @return 0 or -errno with *why
 */
int open_tun(const char *name, struct engine_start *s, const char **why);
/** Brings it up if it is down. @return 0 or -errno */
int tun_bring_up(const char *name, bool *was_down);

/* ---- parent_wire.c ---- */

/**
 * Opens packet sockets on both interfaces into s, anew when they are open, and forbids the kernel to
 * forward between them. @return 0; -errno with *why (static or internal), and none is open
 */
int open_wire(const struct attach *a, struct engine_start *s, const char **why);
void close_wire(struct engine_start *s);

/* ---- parent_queue.c ---- */

/**
 * Opens the queues into p->engine_start, anew when they are open, and starts the verdict process.
 * @return 0; -errno with *why (static or internal), and none is open
 */
int queues_open(struct parent *p, const char **why);
void close_queues(struct engine_start *s);
/** Notices the end of the verdict process, which is the engine's, too. */
void queues_reap(struct parent *p);
/** Leads into the queues what the guard has lists for, or what the attachment names; no table: nothing.
 *  @return 0 or -errno with *why */
int queues_follow(struct parent *p, const char **why);

/* ---- parent_guard.c ---- */

/** GUARD_BEGIN .. GUARD_SHOW and their parts. @return false: malformed; the agent must go */
bool parent_guard_message(struct parent *p, const struct chan_msg *m);
/** Forgets a change that the agent did not finish. */
void parent_guard_forget(struct parent *p);

/* ---- parent_watch.c ---- */

/** Watches from now on, in p's loop. @return false: it cannot, which was logged */
bool parent_watch_start(struct parent *p);
void parent_watch_stop(struct parent *p);
/** Tells the agent how often the guard was put back. */
void parent_watch_tell(struct parent *p);

#endif
