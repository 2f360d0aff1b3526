/*
 * tests/unit/faults/world.h - the agent's state as it really is: store, binders and database,
 * behind SNMP's SET phases; and its whole content as a text, to compare before and after.
 */
#ifndef TESTS_UNIT_FAULTS_WORLD_H
#define TESTS_UNIT_FAULTS_WORLD_H

#include <event2/event.h>

#include "agentx/set.h"
#include "mibs/persist.h"

struct world {
	char dir[64];
	char path[96];
	char *first;		/* the database as it was after world_init, with its log */
	size_t first_len, first_log_len;
	struct mib_seal *seal;
	struct mib_db *db;
	struct mib_store *store;
	struct event_base *base;
	struct ax_sets *sets;
	struct ax_log log;
	/* The last answer to a phase. */
	unsigned int answers;
	uint16_t error, index;
};

/** A policy with a rule, a compound filter and a manual SA in use; and an unused rule "spare". */
extern const char world_rows[];

/** A second policy in seven tables, what names others before what is named. */
extern const char world_many_tables[];

/** Binders beside those of policy/, for world_init and after; ends with NULL. NULL: none. */
extern const struct mib_binder *const *world_binders;

/** Begins with those rows (tests/unit/policy/rowtext.h). Aborts the test when it cannot. */
void world_init(struct world *w, const char *rows);
void world_fini(struct world *w);

/** The state of world_init again, read from disk. */
void world_reset(struct world *w);

/** Closes the store and its database, for tests that open it themselves; and opens it again. */
void world_close(struct world *w);
void world_open(struct world *w);

/**
 * Everything there is: what a walk reads, the generation, the compiled policy, and the database as
 * another program reads it. The caller frees it.
 */
char *world_state(struct world *w);

/** A TestSet of those rows' assignments, as octets; the caller frees it with ax_buf_fini. */
void world_pdu(struct ax_buf *out, const char *rows);

/** How many VarBinds it has. */
size_t world_pdu_varbinds(const struct ax_buf *pdu);

/** Sends a phase: AX_TEST_SET with the octets, the others with none. @return the error answered */
uint16_t world_phase(struct world *w, uint8_t type, const struct ax_buf *pdu);

#endif
