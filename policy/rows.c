/* policy/rows.c - references between rows: see rows.h. */
#include "policy/rows.h"

#include <stdio.h>
#include <string.h>

enum { TRUTH_TRUE = 1, ADMIN_ENABLED = 1 };

void pol_target_of(const struct mib_view *v, const struct mib_row *r, const struct mib_column *col,
		   struct pol_target *out)
{
	struct mib_value ptr;
	const struct mib_column *first;
	const uint32_t *index;
	size_t index_len;

	*out = (struct pol_target){ 0 };
	if (!mib_row_get(r, col, &ptr) || ptr.syntax != MIB_SYN_OID)
		return;
	out->table = mib_table_by_oid(ptr.oid.ids, ptr.oid.len, &first, &index, &index_len);
	if (!out->table)
		return;
	if (out->table->is_scalars) {
		if (index_len == 1 && index[0] == 0)
			out->scalar = first;
		return;
	}
	out->row = mib_view_row(v, out->table, index, index_len);
	if (out->row && !mib_row_active(out->row))
		out->row = NULL;
}

static bool pointer(const struct mib_column *col, const uint32_t *index, size_t len,
		    struct mib_oid *out)
{
	*out = (struct mib_oid){ 0 };
	return mib_oid_append(out, col->table->entry_oid, col->table->entry_oid_len) &&
	       mib_oid_append(out, &col->id, 1) && mib_oid_append(out, index, len);
}

bool pol_row_pointer(const struct mib_table *t, const uint32_t *index, size_t len,
		     struct mib_oid *out)
{
	size_t i = 0;

	while (i < t->n_columns && t->columns[i].access == MIB_ACC_NONE)
		i++;
	return i < t->n_columns && pointer(&t->columns[i], index, len, out);
}

bool pol_scalar_pointer(const struct mib_column *scalar, struct mib_oid *out)
{
	static const uint32_t index[] = { 0 };

	return pointer(scalar, index, 1, out);
}

const char *pol_row_text(const struct mib_table *t, const uint32_t *index, size_t len,
			 char buf[POL_ROW_TEXT])
{
	int n = snprintf(buf, POL_ROW_TEXT, "%s.", t->name);

	if (n > 0 && n < POL_ROW_TEXT)
		mib_index_print(t, index, len, buf + n, POL_ROW_TEXT - (size_t)n);
	return buf;
}

const char *pol_row_name(const struct mib_row *r, char buf[POL_ROW_TEXT])
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	return pol_row_text(mib_row_table(r), index, len, buf);
}


bool pol_index_by_name(const struct mib_row *r, const struct mib_column *col,
		       const struct mib_table *t, struct mib_oid *out)
{
	struct mib_value name;

	return mib_row_get(r, col, &name) && name.syntax == MIB_SYN_OCTETS &&
	       name.octets.len > 0 && mib_index_encode(t, &name, 1, out);
}

const struct mib_row *pol_row_by_name(const struct mib_view *v, const struct mib_row *r,
				      const struct mib_column *col, const struct mib_table *t)
{
	struct mib_oid index;

	if (!pol_index_by_name(r, col, t, &index))
		return NULL;
	return mib_view_row(v, t, index.ids, index.len);
}

bool pol_row_meant(const struct mib_row *r)
{
	return mib_row_active(r) || mib_row_lost(r);
}

const char *pol_lost_reason(const struct mib_view *v, const struct mib_row *r,
			    char buf[POL_LOST_TEXT])
{
	struct mib_diag d = { 0 };

	if (mib_row_lost_values(r))
		snprintf(buf, POL_LOST_TEXT, "lost values at start: its packets are dropped");
	else if (mib_row_status(v, r, &d) == MIB_RS_NOT_READY)
		snprintf(buf, POL_LOST_TEXT, "is lost, its packets are dropped: %.150s",
			 d.text);
	else
		snprintf(buf, POL_LOST_TEXT, "is lost, its packets are dropped: it "
			 "could be active again");
	return buf;
}

const struct mib_row *pol_walk_next(struct pol_walk *w)
{
	const struct mib_row *r;

	do {
		r = mib_view_next(w->view, w->table, w->prefix, w->begun ? &w->at : NULL);
		if (!r)
			return NULL;
		mib_row_index_copy(r, &w->at);
		w->begun = true;
	} while (!mib_row_active(r) && !(w->with_lost && mib_row_lost(r)));
	return r;
}

const struct mib_row *pol_first_meant(const struct mib_view *v, const struct mib_table *t,
				      const struct mib_oid *prefix)
{
	struct pol_walk walk = { .view = v, .table = t, .prefix = prefix, .with_lost = true };

	return pol_walk_next(&walk);
}

bool pol_row_truth(const struct mib_row *r, const struct mib_column *col, bool fallback)
{
	int64_t n = mib_row_number(r, col, -1);

	return n < 0 ? fallback : n == TRUTH_TRUE;
}

bool pol_row_enabled(const struct mib_row *r, const struct mib_column *col)
{
	return mib_row_number(r, col, -1) == ADMIN_ENABLED;
}

size_t pol_row_octets(const struct mib_row *r, const struct mib_column *col,
		      const uint8_t **data)
{
	struct mib_value v;

	*data = NULL;
	if (!mib_row_get(r, col, &v) || (v.syntax != MIB_SYN_OCTETS && v.syntax != MIB_SYN_BITS))
		return 0;
	*data = v.octets.data;
	return v.octets.len;
}
