/*
 * mibs/rowstatus.c - the life of a row. RFC 2579 section 2, RowStatus.
 *
 * Needs are judged with the whole transaction staged, so notes 2 and 3 (other varbinds of the PDU
 * complete the row) need no code. notReady(3) as a value never comes here: it is wrongValue at once.
 */
#include "mibs/rowstatus.h"

#define A (1u << MIB_RS_STATE_ABSENT)
#define B (1u << MIB_RS_STATE_NOT_READY)
#define C (1u << MIB_RS_STATE_NOT_IN_SERVICE)
#define D (1u << MIB_RS_STATE_ACTIVE)

static const struct mib_rs_rule rules[] = {
	{ A, MIB_RS_CREATE_AND_GO, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_ACTIVE,
	  MIB_INCONSISTENT_VALUE, "created" },
	{ A, MIB_RS_CREATE_AND_WAIT, MIB_RS_NEEDS_NOTHING, MIB_RS_TO_IDLE, MIB_OK, "begun" },
	{ A, MIB_RS_DESTROY, MIB_RS_NEEDS_NOTHING, MIB_RS_TO_ABSENT, MIB_OK, "is not there" },
	{ B, MIB_RS_ACTIVE, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_ACTIVE, MIB_INCONSISTENT_VALUE,
	  "completed" },
	{ B, MIB_RS_NOT_IN_SERVICE, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_IDLE,
	  MIB_INCONSISTENT_VALUE, "completed, not in service" },
	{ C, MIB_RS_ACTIVE, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_ACTIVE, MIB_INCONSISTENT_VALUE,
	  "activated" },
	{ C, MIB_RS_NOT_IN_SERVICE, MIB_RS_NEEDS_NOTHING, MIB_RS_TO_IDLE, MIB_OK,
	  "not in service" },
	{ D, MIB_RS_ACTIVE, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_ACTIVE, MIB_INCONSISTENT_VALUE,
	  "active" },
	{ D, MIB_RS_NOT_IN_SERVICE, MIB_RS_NEEDS_UNREFERENCED, MIB_RS_TO_IDLE,
	  MIB_INCONSISTENT_VALUE, "suspended" },
	{ B | C, MIB_RS_DESTROY, MIB_RS_NEEDS_NOTHING, MIB_RS_TO_ABSENT, MIB_OK, "destroyed" },
	{ D, MIB_RS_DESTROY, MIB_RS_NEEDS_UNREFERENCED, MIB_RS_TO_ABSENT,
	  MIB_INCONSISTENT_VALUE, "destroyed" },
	{ B | C, 0, MIB_RS_NEEDS_NOTHING, MIB_RS_TO_IDLE, MIB_OK, "changed" },
	{ D, 0, MIB_RS_NEEDS_COMPLETE, MIB_RS_TO_ACTIVE, MIB_INCONSISTENT_VALUE, "changed" },
};

const struct mib_rs_rule *mib_rs_find(enum mib_rs_state from, int32_t asked, enum mib_err *err,
				      const char **why)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].asked == asked && (rules[i].from & 1u << from) != 0)
			return &rules[i];
	}
	*err = MIB_INCONSISTENT_VALUE;
	if (from != MIB_RS_STATE_ABSENT) {
		*why = "the row exists already (RFC 2579 RowStatus)";
	} else if (asked == 0) {
		/* Note 4: a row begins with its status column only. */
		*err = MIB_INCONSISTENT_NAME;
		*why = "there is no such row; create it by its RowStatus (RFC 2579)";
	} else {
		*why = "there is no such row; use createAndGo or createAndWait (RFC 2579 RowStatus)";
	}
	return NULL;
}
