/*
 * tests/unit/agentx/fake_store.h - stands in for mibs/store.c: a few instances, and transactions
 * that do as the test says and write down what was called.
 */
#ifndef TESTS_AGENTX_FAKE_STORE_H
#define TESTS_AGENTX_FAKE_STORE_H

#include "mibs/store.h"

#define FAKE_TXNS 32

struct mib_txn {
	struct mib_store *store;
	size_t n_set;
};

struct mib_store {
	/* what is there: in OID order */
	const struct fake_instance {
		const uint32_t *oid;
		size_t len;
		struct mib_value value;
		enum mib_err err;	/* reading it gives this; MIB_OK: value */
	} *instances;
	size_t n_instances;

	/* what calls answer; MIB_OK unless set */
	enum mib_err begin, set, prepare, commit, undo;
	size_t set_fails_at;		/* the VarBind that gets `set`, from 1 */
	size_t prepare_varbind;		/* what prepare's diag names */
	bool is_taken;			/* another door has its transaction staged */

	/* what happened */
	char calls[2048];		/* "begin set set prepare commit done ..." */
	char who[64];
	struct mib_txn *open;
	struct mib_waiter *line;
	uint64_t master_start_cs;
	unsigned master_starts;
	enum mib_syntax last_syntax;
};

/** The other door ends its transaction: the first in line may begin. */
void fake_release(struct mib_store *s);

#endif
