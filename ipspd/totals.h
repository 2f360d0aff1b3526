/*
 * ipspd/totals.h - what SPD entries, rules and SAs have counted, over all engines and generations.
 *
 * Engine and guard count since some moment of their own: an engine since it runs, the guard's table
 * since it was written. Here differences are added up, named by rows, so that a total goes on over a
 * restart of the engine, a rewritten guard, rekeying, and while a row is out of force. It lives as
 * long as the agent does, or until its row is destroyed.
 *
 * No I/O, no clock. One thread.
 */
#ifndef IPSPD_TOTALS_H
#define IPSPD_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/io/attach.h"
#include "ipsp/engine.h"
#include "ipsp/types.h"
#include "ipspd/report.h"

/** Reason numbers: the core's (ipsp/reason.h), then the attachments' (engine/io/attach.h). */
#define TOTALS_N_DROPS (IO_REASON_BASE + IO_N_REASONS)

struct totals;

/** What matched an entry of one list, or a row's entries in all lists. */
struct totals_count {
	uint64_t packets;
	uint64_t bytes;
	uint64_t kernel_packets;	/* of packets: those the guard decided */
	int64_t last_s;			/* when that was noticed; 0: never */
};

/** An SA, named by its row's id. */
struct totals_sa {
	bool is_there;			/* in the engine's last report */
	struct wire_sa_stats now;	/* as last reported; zeros before */
	uint64_t packets, bytes;
	uint64_t auth_errors, replay_errors, other_errors, dummies;
	int64_t last_s;			/* its last packet; 0: never */
};

/** What an engine reports at one moment. */
struct totals_report {
	const struct wire_entry_stats *entries;
	size_t n_entries;
	const struct wire_sa_stats *sas;
	size_t n_sas;
	const uint64_t *drops;		/* TOTALS_N_DROPS of them, by reason number */
	const uint64_t *icmp;		/* IPSP_N_ICMP_COUNTS of them */
	uint64_t fast;			/* packets that left by packet sockets */
};

/** @return NULL: no memory */
struct totals *totals_new(void);
/** NULL is allowed. */
void totals_free(struct totals *t);

/**
 * Takes a whole report of the engine that runs now.
 * @param now_s  seconds by a clock that never goes back, more than 0
 * @return false: no memory, or too many of them; nothing was taken, the next report makes up for it
 */
bool totals_take(struct totals *t, const struct totals_report *r, int64_t now_s);

/**
 * Takes the last counters of an SA that goes, or makes way for another of its id.
 * @return false: as above
 */
bool totals_take_last(struct totals *t, const struct wire_sa_stats *s, int64_t now_s);

/** The engine is gone; the next one counts entries, drops, ICMP errors and ways out from nothing. */
void totals_engine_gone(struct totals *t);

/**
 * Adds packets that the guard decided.
 * @param id  of the entry; 0: the end of the list
 * @return false: no memory; nothing was taken
 */
bool totals_kernel(struct totals *t, uint32_t ifindex, enum ipsp_dir dir, uint64_t id,
		   uint64_t packets, uint64_t bytes, int64_t now_s);

/** Adds packets that the guard dropped. reason: below TOTALS_N_DROPS */
void totals_kernel_drops(struct totals *t, unsigned reason, uint64_t packets);

/** The row of that id was destroyed. */
void totals_forget(struct totals *t, uint64_t id);

/** What an entry counted in one list (id 0: its end). Never NULL; good until the next change. */
const struct totals_count *totals_entry(const struct totals *t, uint32_t ifindex,
					enum ipsp_dir dir, uint64_t id);
/** What all entries of a row counted. Never NULL; good until the next change. */
const struct totals_count *totals_row(const struct totals *t, uint64_t id);
/** Never NULL; good until the next change. */
const struct totals_sa *totals_sa(const struct totals *t, uint64_t id);
/** Packets dropped for a reason (below TOTALS_N_DROPS), by engines and guard. */
uint64_t totals_drops(const struct totals *t, unsigned reason);
/** What engines counted of ICMP errors. */
uint64_t totals_icmp(const struct totals *t, enum ipsp_icmp_count what);

/** What engines sent by packet sockets. */
uint64_t totals_fast(const struct totals *t);

#endif
