/*
 * mibs/precondition.c - ipspdIfGeneration: a SET that holds only while nothing else has changed.
 *
 * The object is the low half of the committed generation, so it rises with every change through
 * whichever door. A transaction that sets it is refused unless it has that value: of two managers that
 * change what both have read before, one is told so. Setting it alone changes nothing.
 */
#include "mibs/schema_gen.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

static uint32_t current(const struct mib_row *r)
{
	return (uint32_t)mib_store_generation(r->shelf->store);
}

static const struct mib_cell *asked_of(const struct mib_row *r)
{
	return mib_row_cell(r, mib_shelf_slot(r->shelf, MIB_COL(ipspdTransactions,
								ipspdIfGeneration)));
}

/* Only in a transaction that sets it does the row have a number of its own. */
static bool precondition_mirror(const struct mib_row *r, const struct mib_column *col,
				struct mib_value *out)
{
	if (col != MIB_COL(ipspdTransactions, ipspdIfGeneration) || asked_of(r) != NULL)
		return false;
	*out = mib_value_unsigned(current(r));
	return true;
}

static enum mib_err precondition_derive(struct mib_txn *t, const struct mib_change *c,
					struct mib_diag *d)
{
	const struct mib_column *col = MIB_COL(ipspdTransactions, ipspdIfGeneration);
	const struct mib_cell *asked = asked_of(c->after);
	static const uint32_t index[] = { 0 };

	if (asked == NULL)
		return MIB_OK;
	if (asked->number != current(c->after)) {
		mib_diag_set(d, col, index, 1, "it is %u now: something has changed meanwhile",
			     (unsigned int)current(c->after));
		return MIB_INCONSISTENT_VALUE;
	}
	/* It has held; nothing of it is kept. */
	return mib_txn_force(t, col, index, 1, NULL);
}

const struct mib_special mib_special_precondition = {
	.table = &mib_t_ipspdTransactions,
	.mirror = precondition_mirror,
	.derive = precondition_derive,
};
