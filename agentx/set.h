/*
 * agentx/set.h - SET: the phases of RFC 2741 7.2.4 mapped to transactions of the store.
 *
 *	TestSet     mib_txn_begin, mib_txn_set a VarBind, mib_txn_prepare
 *	CommitSet   mib_txn_commit
 *	UndoSet     mib_txn_undo, mib_txn_done
 *	CleanupSet  mib_txn_done
 *
 * A SET is known by session and transaction id. A phase asked again gets the answer it got before;
 * one that cannot come in the SET's state gets the error that phase has (genErr, commitFailed,
 * undoFailed) and changes nothing. While another transaction is staged, ours or another door's, a
 * TestSet waits in the store's line, up to a deadline: resourceUnavailable. A SET whose next phase
 * does not come is ended, so that a hung master never keeps the other doors out: what was tested
 * is dropped, what was committed stays. Loss of the session does the same: where 7.3.1 would undo
 * a commit, we keep what has been made durable.
 */
#ifndef AGENTX_SET_H
#define AGENTX_SET_H

#include <event2/event.h>

#include "agentx/log.h"
#include "agentx/pdu.h"
#include "mibs/store.h"

/** SETs remembered at one time; a TestSet beyond is resourceUnavailable. */
#define AX_SETS_MAX 16

struct ax_sets;

struct ax_sets_ops {
	/** The answer to a phase, at once or later. index from 1; 0: none. */
	void (*answer)(void *arg, const struct ax_header *request, uint16_t error,
		       uint16_t index);
};

/** Phases so far, for the subagent's counters. */
struct ax_sets_stats {
	uint64_t tested;	/* SETs that came */
	uint64_t refused;	/* of these, TestSets answered with an error */
	uint64_t committed;
	uint64_t undone;
	uint64_t expired;	/* given up because the next phase did not come */
};

/**
 * @param wait_ms  how long a TestSet waits for the store
 * @param hold_ms  how long a SET may stand between two phases
 * @param ops, log borrowed for life
 * @return MIB_OK with *out; MIB_RESOURCE_UNAVAILABLE
 */
MIB_MUST_CHECK enum mib_err ax_sets_new(struct event_base *base, struct mib_store *store,
					unsigned wait_ms, unsigned hold_ms,
					const struct ax_sets_ops *ops, void *arg,
					struct ax_log *log, struct ax_sets **out);

/** Before the store is freed. Ends what is open as ax_sets_session_lost does. */
void ax_sets_free(struct ax_sets *sets);

/** Takes a TestSet, CommitSet, UndoSet or CleanupSet. */
void ax_sets_request(struct ax_sets *sets, const struct ax_pdu *p);

/** Nobody will hear an answer any more: ends all SETs. */
void ax_sets_session_lost(struct ax_sets *sets);

const struct ax_sets_stats *ax_sets_stats(const struct ax_sets *sets);

#endif
