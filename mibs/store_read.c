/*
 * mibs/store_read.c - reading as a door does: GET and GETNEXT over stored and observed objects.
 *
 * RFC 3416 4.2.1, 4.2.2; RFC 2741 7.2.3. Secrets read as zero octets here, and only here: what
 * acts on them reads rows.
 */
#include <string.h>

#include "mibs/meaning.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

/* RFC 2579 TimeStamp, in the master's sysUpTime; 0 for what is older than the master, or restored. */
static uint32_t stamp_of(const struct mib_store *s, const struct mib_row *r)
{
	const struct mib_special *special = r->shelf->special;
	const uint64_t cs = special != NULL && special->changed_cs != NULL ?
			    special->changed_cs(r) : r->changed_cs;

	return mib_store_time_stamp(s, cs);
}

/* The value a door sees, of a row that is there. */
static bool door_value(const struct mib_store *s, const struct mib_row *r,
		       const struct mib_column *col, struct mib_value *out)
{
	const struct mib_shelf *shelf = r->shelf;

	if (col == shelf->status) {
		*out = mib_value_integer(mib_row_status(&s->view, r, NULL));
		return true;
	}
	if (col == shelf->stamp) {
		*out = (struct mib_value){ .syntax = MIB_SYN_TIMETICKS, .number = stamp_of(s, r) };
		return true;
	}
	if (!mib_row_get(r, col, out))
		return false;
	if (mib_row_is_secret(r, col))
		*out = mib_value_octets("", 0);
	return true;
}

/* Of a table without stored rows: what is written is acted on and not kept. */
static enum mib_err read_momentary(struct mib_store *s, const struct mib_source *src,
				   const struct mib_column *col, const uint32_t *index, size_t len,
				   struct mib_value *out)
{
	if (src->has == NULL || !src->has(src->arg, index, len) ||
	    !mib_column_default(s, col, out))
		return MIB_NO_SUCH_INSTANCE;
	return MIB_OK;
}

static enum mib_err read_observed(struct mib_store *s, const struct mib_source *src,
				  const struct mib_column *col, const uint32_t *index, size_t len,
				  struct mib_value *out)
{
	if (col->access >= MIB_ACC_WRITE)
		return read_momentary(s, src, col, index, len, out);
	return src->read != NULL && col->access == MIB_ACC_READ ?
	       src->read(src->arg, col, index, len, out) : MIB_NO_SUCH_INSTANCE;
}

/* A column of a row that the store has; what is observed of it comes from the source. */
static enum mib_err read_row(struct mib_store *s, const struct mib_column *col,
			     const struct mib_row *r, struct mib_value *out)
{
	const struct mib_source *src = s->sources[col->table->number];

	if (src != NULL && src->read != NULL && col->access == MIB_ACC_READ) {
		const enum mib_err err = src->read(src->arg, col, r->index, r->index_len, out);

		if (err != MIB_NO_SUCH_INSTANCE)
			return err;
	}
	return door_value(s, r, col, out) ? MIB_OK : MIB_NO_SUCH_INSTANCE;
}

static enum mib_err read_instance(struct mib_store *s, const struct mib_column *col,
				  const uint32_t *index, size_t len, struct mib_value *out)
{
	const struct mib_source *src = s->sources[col->table->number];
	const struct mib_row *r;

	if (src != NULL && src->next != NULL)
		return read_observed(s, src, col, index, len, out);
	r = mib_shelf_find(mib_store_shelf(s, col->table), index, len);
	return r != NULL ? read_row(s, col, r, out) : MIB_NO_SUCH_INSTANCE;
}

enum mib_err mib_read(struct mib_store *s, const struct mib_column *col, const uint32_t *index,
		      size_t index_len, struct mib_value *out)
{
	if (col->access < MIB_ACC_READ)
		return MIB_NO_SUCH_OBJECT;
	return read_instance(s, col, index, index_len, out);
}

enum mib_err mib_get(struct mib_store *s, const uint32_t *oid, size_t len, struct mib_value *out)
{
	const struct mib_column *col = NULL;
	const uint32_t *index;
	size_t index_len;

	if (mib_table_by_oid(oid, len, &col, &index, &index_len) == NULL || col == NULL)
		return MIB_NO_SUCH_OBJECT;
	return mib_read(s, col, index, index_len, out);
}

/* Is it known without looking at rows that none has a value for this column? */
static bool column_is_empty(const struct mib_store *s, const struct mib_column *col)
{
	const struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	const size_t slot = mib_shelf_slot(shelf, col);

	if (s->sources[col->table->number] != NULL || shelf->table->is_scalars)
		return false;
	if (shelf->n_set[slot] > 0 || col->def.kind != MIB_DEF_NONE)
		return false;
	if (shelf->meanings[slot] != NULL && shelf->meanings[slot]->def.kind != MIB_DEF_NONE)
		return false;
	if (shelf->special != NULL && shelf->special->mirror != NULL)
		return false;
	if (col == shelf->status || col == shelf->stamp)
		return false;
	for (size_t i = 0; i < shelf->table->n_index; i++) {
		if (shelf->table->index[i] == col)
			return false;
	}
	return true;
}

bool mib_next_index(struct mib_store *s, const struct mib_table *t, const struct mib_oid *after,
		    struct mib_oid *out)
{
	const struct mib_source *src = s->sources[t->number];

	if (src != NULL && src->next != NULL)
		return src->next(src->arg, after, out);

	const struct mib_shelf *shelf = mib_store_shelf(s, t);
	const struct mib_row *r = mib_rows_seek(&shelf->rows, after != NULL ? after->ids : NULL,
						after != NULL ? after->len : 0, after != NULL);

	if (r == NULL)
		return false;
	mib_row_index_copy(r, out);
	return true;
}

/* Where in one column the walk begins. */
struct start {
	const uint32_t *index;	/* NULL: at its first instance */
	size_t len;
	bool include;		/* index itself counts */
};

/* Tables whose rows the store does not have. */
static bool next_observed(struct mib_store *s, const struct mib_column *col,
			  const struct start *from, struct mib_oid *index, struct mib_value *out)
{
	struct mib_oid at = { .len = from->len };
	bool more;

	if (from->index != NULL)
		memcpy(at.ids, from->index, from->len * sizeof(at.ids[0]));
	if (from->index != NULL && from->include &&
	    read_instance(s, col, at.ids, at.len, out) == MIB_OK) {
		*index = at;
		return true;
	}
	more = mib_next_index(s, col->table, from->index != NULL ? &at : NULL, index);
	while (more) {
		/* A column without a value is skipped; it does not end the walk. */
		if (read_instance(s, col, index->ids, index->len, out) == MIB_OK)
			return true;
		at = *index;
		more = mib_next_index(s, col->table, &at, index);
	}
	return false;
}

/* The first row to look at: walks go from row to row, so that is mostly the one after the last. */
static struct mib_row *start_row(const struct mib_store *s, const struct mib_shelf *shelf,
				 const struct start *from)
{
	struct mib_row *r = s->walked;

	if (from->index == NULL)
		return mib_rows_seek(&shelf->rows, NULL, 0, false);
	if (r == NULL || r->shelf != shelf ||
	    mib_oid_cmp(r->index, r->index_len, from->index, from->len) != 0)
		return mib_rows_seek(&shelf->rows, from->index, from->len, !from->include);
	return from->include ? r : RB_NEXT(mib_row_tree, NULL, r);
}

static bool next_stored(struct mib_store *s, const struct mib_column *col,
			const struct start *from, struct mib_oid *index, struct mib_value *out)
{
	const struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	struct mib_row *r = start_row(s, shelf, from);

	while (r != NULL && read_row(s, col, r, out) != MIB_OK)
		r = RB_NEXT(mib_row_tree, NULL, r);
	if (r == NULL)
		return false;
	s->walked = r;
	mib_row_index_copy(r, index);
	return true;
}

static bool is_below(const struct mib_oid *top, const uint32_t *oid, size_t len)
{
	return len >= top->len && mib_oid_cmp(top->ids, top->len, oid, top->len) == 0;
}

/* The column whose subtree holds oid, else the first after it. Subtrees do not overlap. */
static size_t first_column(const struct mib_store *s, const uint32_t *oid, size_t len)
{
	size_t low = 0, high = s->n_columns;

	if (is_below(&s->columns[s->walked_column].oid, oid, len))
		return s->walked_column;
	while (low < high) {
		const size_t mid = low + (high - low) / 2;
		const struct mib_oid *c = &s->columns[mid].oid;

		if (mib_oid_cmp(c->ids, c->len, oid, len) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && is_below(&s->columns[low - 1].oid, oid, len) ? low - 1 : low;
}

static bool next_in_column(struct mib_store *s, const struct mib_column *col,
			   const struct start *from, struct mib_oid *index, struct mib_value *out)
{
	const struct mib_source *src = s->sources[col->table->number];

	if (column_is_empty(s, col))
		return false;
	return src != NULL && src->next != NULL ? next_observed(s, col, from, index, out) :
						  next_stored(s, col, from, index, out);
}

/* @return false: no name is that long */
static bool name_of(const struct mib_walk_column *w, const struct mib_oid *index,
		    struct mib_oid *name)
{
	name->len = 0;
	return mib_oid_append(name, w->oid.ids, w->oid.len) &&
	       mib_oid_append(name, index->ids, index->len);
}

enum mib_err mib_next(struct mib_store *s, const uint32_t *oid, size_t len, bool include,
		      const uint32_t *end, size_t end_len, struct mib_oid *name,
		      struct mib_value *out)
{
	for (size_t i = first_column(s, oid, len); i < s->n_columns; i++) {
		const struct mib_walk_column *w = &s->columns[i];
		struct start from = { .include = include };
		struct mib_oid index;

		if (end_len > 0 && mib_oid_cmp(w->oid.ids, w->oid.len, end, end_len) >= 0)
			break;
		if (len > w->oid.len && is_below(&w->oid, oid, len)) {
			/* No name is longer than MIB_OID_MAX: what is cut off decides nothing. */
			const size_t rest = len - w->oid.len;

			from.index = oid + w->oid.len;
			from.len = rest < MIB_OID_MAX ? rest : MIB_OID_MAX;
		}
		if (!next_in_column(s, w->col, &from, &index, out) || !name_of(w, &index, name))
			continue;
		if (end_len > 0 && mib_oid_cmp(name->ids, name->len, end, end_len) >= 0)
			break;
		s->walked_column = i;
		return MIB_OK;
	}
	return MIB_END_OF_VIEW;
}
