/*
 * mibs/rowstatus.h - RFC 2579 RowStatus as one table of transitions; internal to mibs/.
 */
#ifndef MIBS_ROWSTATUS_H
#define MIBS_ROWSTATUS_H

#include "mibs/store.h"

/** The four states of RFC 2579's diagram: A, B, C, D. */
enum mib_rs_state {
	MIB_RS_STATE_ABSENT,
	MIB_RS_STATE_NOT_READY,
	MIB_RS_STATE_NOT_IN_SERVICE,
	MIB_RS_STATE_ACTIVE,
};

/** What must hold, in the state that the whole transaction makes. */
enum mib_rs_needs {
	MIB_RS_NEEDS_NOTHING,
	MIB_RS_NEEDS_COMPLETE,		/* the row could be active */
	MIB_RS_NEEDS_UNREFERENCED,	/* no active row needs it */
};

enum mib_rs_to { MIB_RS_TO_ABSENT, MIB_RS_TO_IDLE, MIB_RS_TO_ACTIVE };

struct mib_rs_rule {
	unsigned int from;		/* states, as bits 1 << state */
	int32_t asked;			/* 0: other columns only */
	enum mib_rs_needs needs;
	enum mib_rs_to to;		/* idle rows read notReady or notInService, as they are */
	enum mib_err otherwise;		/* when what it needs is not there */
	const char *why;		/* for the log: what happened to the row */
};

/** The transition, or NULL: there is none, *err says what to answer and *why why. */
const struct mib_rs_rule *mib_rs_find(enum mib_rs_state from, int32_t asked, enum mib_err *err,
				      const char **why);

#endif
