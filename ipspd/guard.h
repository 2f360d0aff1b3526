/*
 * ipspd/guard.h - what the kernel itself enforces: an over-approximation of the SPD.
 *
 * Two parts, kept by the parent, so that nothing leaks while the engine is away:
 *   - nftables table inet ipspd_guard: drops what may match PROTECT or DISCARD and did not come from
 *     the engine (RFC 4301 5.1, 5.2 judged coarsely);
 *   - ip rules and one route table: lead what must be protected into our TUN, and into a blackhole
 *     when that is gone.
 * PROTECT and DISCARD are never made narrower, BYPASS never wider. Stopping or crashing leaves the
 * guard in place; only guard_remove takes it away. It is saved in STATEDIR/guard.
 */
#ifndef IPSPD_GUARD_H
#define IPSPD_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipspd/report.h"
#include "ipspd/wire.h"

#define GUARD_LAYERS_MAX 8
#define GUARD_BOXES_MAX 4096	/* of all chains together; beyond that they are merged */
#define GUARD_PAIRS_MAX 1024	/* ip rules that steer; beyond that they are merged */

/** One policy that packets must pass. A packet must pass every layer. */
struct guard_layer {
	uint32_t serial;	/* who brought it: MSG_GUARD_BEGIN's, 0 for one of an earlier agent */
	uint64_t generation;	/* the newest on disk whose rows it has */
	struct wire_gen *gen;	/* owned */
};

/** What was not as it should be, and is again. */
struct guard_changes {
	bool table;		/* nftables table, or something in it */
	unsigned rules_missing, rules_foreign;
	unsigned routes_missing, routes_foreign;
};

struct guard;

/**
 * Locks STATEDIR/guard against other daemons and guard_remove, and loads what is saved there. A
 * saved guard that cannot be read is replaced by one that drops everything, with a log line. Waits a
 * bounded time for what holds guard_hold's lock still: processes of a parent that was killed.
 * @param statedir_fd  the state directory
 * @return 0; -EWOULDBLOCK: another daemon has it; -EBUSY: processes of an earlier one do not end;
 *         -EPERM: the directory is not root's alone; -errno
 */
int guard_open(int statedir_fd, struct guard **out);

/**
 * For a child of the parent: as long as a copy of this descriptor is open anywhere, no other daemon
 * gets past guard_open. @return fd, the caller's; -errno
 */
int guard_hold(struct guard *g);

/** Forgets it; what the kernel and the disk hold stays. */
void guard_free(struct guard *g);

/**
 * From the next change until guard_free the kernel holds the table twice, and nobody but this process
 * can touch the second one. Kernels before 5.12 cannot: logs that.
 */
void guard_own(struct guard *g);

/** Brings the kernel to what g holds. @return 0 or -errno with *why (static or internal) */
int guard_apply(struct guard *g, const char **why);

/**
 * Looks whether the kernel has what g holds, and puts back what it has not. What is right is not
 * touched, so that the messages our own changes make lead to nothing.
 * @param parts  GUARD_TABLE, GUARD_ROUTES of ipspd/guard_watch.h: where to look
 * @param found  out: what was put back, as far as it came when it fails
 * @return 0; -EAGAIN: put in place, but other programs change nftables so often that it is not known
 *	   whether it stayed: ask again soon; -errno; with *why
 */
int guard_check(struct guard *g, unsigned parts, struct guard_changes *found, const char **why);

/** Our TUN, which is exempt and which steering leads to; 0 and "": there is none. Applies. */
int guard_set_tun(struct guard *g, uint32_t ifindex, const char *name, const char **why);

/**
 * From the next change on: does routing lead what must be protected to the TUN? At first it does. An
 * attachment that takes packets behind routing wants it not to; the filters are all that holds then.
 */
void guard_steer(struct guard *g, bool steer);

/** Calls each(arg, ifindex, dir) for each list of each layer; 0: of all other interfaces. */
void guard_each_list(const struct guard *g,
		     void (*each)(void *arg, uint32_t ifindex, uint8_t dir), void *arg);

/**
 * The newest generation of the database that it holds: policy that was in force, or about to be. A
 * database that has not reached it is not what this guard was made for. 0: no policy so far.
 */
uint64_t guard_generation(const struct guard *g);

/** Marks all layers as inherited: a new agent counts its serials anew. */
void guard_inherit(struct guard *g);

/**
 * Keeps the layers of that serial, adds n new ones, applies, saves. On failure the layers are as
 * they were, in kernel, memory and on disk as far as the kernel and the disk allow. When there is no
 * room for those that are kept, one layer that lets nothing pass stands for them.
 * @param layers  taken on success
 * @param n       below GUARD_LAYERS_MAX
 * @return 0; -E2BIG: n is larger; -errno with *why
 */
int guard_change(struct guard *g, uint32_t keep_serial, struct guard_layer *layers, size_t n,
		 const char **why);

/** The guard as the kernel has it, as text for people. Caller frees. NULL: no memory */
char *guard_show(struct guard *g);

/**
 * What the guard's rules have decided since this was last called, however often the table was written
 * meanwhile; but for packets that were decided in the moment of a writing.
 * @param each  called for each count that is not 0
 */
void guard_count(struct guard *g, void (*each)(void *arg, const struct wire_guard_count *c),
		 void *arg);

/**
 * Takes the guard away: table, rules, routes, saved file. Opens the machine.
 * @return 0; -EWOULDBLOCK: a daemon runs; -errno with *why
 */
int guard_remove(const char *statedir, const char **why);

#endif
