/*
 * mibs/rows.c - rows: their cells, defaults and index values. See rows.h.
 *
 * Knows no transaction and no other row, but for what a few columns mirror (mibs/special.h).
 */
#include "mibs/rows.h"

#include <string.h>

#include "mibs/meaning.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

/* The octets of the index's strings stand behind its sub-identifiers. */
static uint8_t *row_octets(const struct mib_row *r)
{
	return (uint8_t *)(uintptr_t)&r->index[r->index_len];
}

int mib_row_cmp(const struct mib_row *a, const struct mib_row *b)
{
	return mib_oid_cmp(a->index, a->index_len, b->index, b->index_len);
}

RB_GENERATE(mib_row_tree, mib_row, link, mib_row_cmp)

static bool is_octets(const struct mib_column *col)
{
	return col->syntax == MIB_SYN_OCTETS || col->syntax == MIB_SYN_BITS;
}

static bool has_blob(const struct mib_column *col)
{
	return is_octets(col) || col->syntax == MIB_SYN_OID;
}

/* RFC 2578 7.7: a string of one possible size has no length before it. */
static bool is_fixed_size(const struct mib_column *col)
{
	return is_octets(col) && col->n_ranges == 1 && col->ranges[0].min == col->ranges[0].max;
}

struct mib_row *mib_row_new(struct mib_shelf *shelf, const uint32_t *index, size_t len)
{
	struct mib_row *r = mib_alloc(1, sizeof(*r) + len * sizeof(uint32_t) + len);

	if (r == NULL)
		return NULL;
	r->shelf = shelf;
	r->index_len = (uint8_t)len;
	memcpy(r->index, index, len * sizeof(uint32_t));
	/* Octet k of a string stands at the place of its sub-identifier k. */
	for (size_t i = 0; i < len; i++)
		row_octets(r)[i] = (uint8_t)index[i];
	/* RowStatus is the store's; tables without it are in force as they are. */
	r->active = shelf->status == NULL;
	return r;
}

struct mib_row *mib_row_clone(const struct mib_row *r)
{
	struct mib_row *copy = mib_row_new(r->shelf, r->index, r->index_len);

	if (copy == NULL)
		return NULL;
	copy->cells = mib_alloc(r->n_cells, sizeof(copy->cells[0]));
	if (copy->cells == NULL) {
		mib_row_free(copy);
		return NULL;
	}
	for (size_t i = 0; i < r->n_cells; i++) {
		copy->cells[i] = r->cells[i];
		if (has_blob(r->shelf->cols[r->cells[i].slot]))
			mib_blob_ref(copy->cells[i].blob);
	}
	copy->n_cells = r->n_cells;
	copy->changed_cs = r->changed_cs;
	copy->segments_changed_cs = r->segments_changed_cs;
	copy->lost = r->lost;
	copy->active = r->active;
	copy->doomed = r->doomed;
	return copy;
}

void mib_row_free(struct mib_row *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_cells; i++) {
		if (has_blob(r->shelf->cols[r->cells[i].slot]))
			mib_blob_unref(r->cells[i].blob);
	}
	mib_free(r->cells);
	mib_free(r->edges);
	mib_free(r);
}

size_t mib_shelf_slot(const struct mib_shelf *shelf, const struct mib_column *col)
{
	for (size_t i = 0; i < shelf->n_parts; i++) {
		if (shelf->parts[i].table == col->table)
			return shelf->parts[i].offset + col->pos;
	}
	return SIZE_MAX;
}

/* Where the cell of that slot stands, or would have to. */
static size_t cell_place(const struct mib_row *r, size_t slot)
{
	size_t low = 0, high = r->n_cells;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (r->cells[mid].slot < slot)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct mib_cell *mib_row_cell(const struct mib_row *r, size_t slot)
{
	const size_t at = cell_place(r, slot);

	return at < r->n_cells && r->cells[at].slot == slot ? &r->cells[at] : NULL;
}

static struct mib_blob *blob_of(const struct mib_row *r, size_t slot, const struct mib_value *v)
{
	if (v->syntax == MIB_SYN_OID)
		return mib_blob_new(v->oid.ids, v->oid.len * sizeof(uint32_t), false);
	return mib_blob_new(v->octets.data, v->octets.len,
			    mib_meaning_may_be_secret(r->shelf->meanings[slot]));
}

bool mib_row_set(struct mib_row *r, size_t slot, const struct mib_value *v)
{
	const struct mib_column *col = r->shelf->cols[slot];
	struct mib_blob *blob = NULL;

	if (has_blob(col)) {
		blob = blob_of(r, slot, v);
		if (blob == NULL)
			return false;
	}

	const size_t at = cell_place(r, slot);

	if (at == r->n_cells || r->cells[at].slot != slot) {
		struct mib_cell *cells = mib_resize(r->cells, r->n_cells + 1u, sizeof(cells[0]));

		if (cells == NULL) {
			mib_blob_unref(blob);
			return false;
		}
		r->cells = cells;
		memmove(&cells[at + 1], &cells[at], (r->n_cells - at) * sizeof(cells[0]));
		r->n_cells++;
	} else if (blob != NULL) {
		mib_blob_unref(r->cells[at].blob);
	}
	r->cells[at].slot = (uint16_t)slot;
	if (blob != NULL)
		r->cells[at].blob = blob;
	else if (col->syntax == MIB_SYN_COUNTER64)
		r->cells[at].counter64 = v->counter64;
	else
		r->cells[at].number = v->number;
	return true;
}

static void cell_value(const struct mib_column *col, const struct mib_cell *c,
		       struct mib_value *out)
{
	out->syntax = col->syntax;
	if (col->syntax == MIB_SYN_OID) {
		/* A blob's data stand at a multiple of eight. */
		out->oid.ids = (const uint32_t *)(const void *)c->blob->data;
		out->oid.len = c->blob->len / sizeof(uint32_t);
	} else if (is_octets(col)) {
		out->octets.data = c->blob->data;
		out->octets.len = c->blob->len;
	} else if (col->syntax == MIB_SYN_COUNTER64) {
		out->counter64 = c->counter64;
	} else {
		out->number = c->number;
	}
}

bool mib_row_same(const struct mib_row *a, const struct mib_row *b)
{
	if (a->active != b->active || a->doomed != b->doomed || a->lost != b->lost ||
	    a->n_cells != b->n_cells)
		return false;
	for (size_t i = 0; i < a->n_cells; i++) {
		const struct mib_column *col = a->shelf->cols[a->cells[i].slot];
		struct mib_value va, vb;

		if (a->cells[i].slot != b->cells[i].slot)
			return false;
		cell_value(col, &a->cells[i], &va);
		cell_value(col, &b->cells[i], &vb);
		if (!mib_value_equal(&va, &vb))
			return false;
	}
	return true;
}

bool mib_row_index_value(const struct mib_row *r, const struct mib_column *col,
			 struct mib_value *out)
{
	const struct mib_table *t = r->shelf->table;
	size_t at = 0;

	for (size_t i = 0; i < t->n_index; i++) {
		const struct mib_column *part = t->index[i];
		const bool wide = is_octets(part) || part->syntax == MIB_SYN_OID;
		size_t len = 1;

		if (is_fixed_size(part))
			len = (size_t)part->ranges[0].min;
		else if (wide)
			len = r->index[at++];
		if (part == col) {
			out->syntax = part->syntax;
			if (part->syntax == MIB_SYN_OID) {
				out->oid.ids = &r->index[at];
				out->oid.len = len;
			} else if (wide) {
				out->octets.data = row_octets(r) + at;
				out->octets.len = len;
			} else {
				out->number = r->index[at];
			}
			return true;
		}
		at += len;
	}
	return false;
}

const struct mib_table *mib_row_table(const struct mib_row *r)
{
	return r->shelf->table;
}

const uint32_t *mib_row_index(const struct mib_row *r, size_t *len)
{
	*len = r->index_len;
	return r->index;
}

void mib_row_index_copy(const struct mib_row *r, struct mib_oid *out)
{
	out->len = r->index_len;
	memcpy(out->ids, r->index, r->index_len * sizeof(uint32_t));
}

bool mib_row_active(const struct mib_row *r)
{
	return r->active;
}

bool mib_row_lost(const struct mib_row *r)
{
	return r->lost != MIB_LOST_NOT;
}

bool mib_row_lost_values(const struct mib_row *r)
{
	return r->lost == MIB_LOST_VALUES;
}

static bool default_value(const struct mib_column *col, const struct mib_default *def,
			  struct mib_value *out)
{
	out->syntax = col->syntax;
	switch (def->kind) {
	case MIB_DEF_NUMBER:
		if (col->syntax == MIB_SYN_COUNTER64)
			out->counter64 = (uint64_t)def->number;
		else
			out->number = def->number;
		return true;
	case MIB_DEF_OCTETS:
		out->octets.data = def->octets;
		out->octets.len = def->len;
		return true;
	case MIB_DEF_OID:
		out->oid.ids = def->oid;
		out->oid.len = def->len;
		return true;
	default:
		return false;
	}
}

static int32_t row_state(const struct mib_row *r)
{
	if (r->doomed)
		return MIB_RS_DESTROY;
	return r->active ? MIB_RS_ACTIVE : MIB_RS_NOT_IN_SERVICE;
}

bool mib_row_get(const struct mib_row *r, const struct mib_column *col, struct mib_value *out)
{
	const struct mib_shelf *shelf = r->shelf;
	const size_t slot = mib_shelf_slot(shelf, col);

	if (mib_row_index_value(r, col, out))
		return true;
	if (slot == SIZE_MAX)
		return false;
	if (col == shelf->status) {
		*out = mib_value_integer(row_state(r));
		return true;
	}
	if (shelf->special != NULL && shelf->special->mirror != NULL &&
	    shelf->special->mirror(r, col, out))
		return true;

	const struct mib_cell *c = mib_row_cell(r, slot);

	if (c != NULL) {
		cell_value(col, c, out);
		return true;
	}
	return mib_column_default(shelf->store, col, out);
}

bool mib_column_default(const struct mib_store *s, const struct mib_column *col,
			struct mib_value *out)
{
	const struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	const size_t slot = mib_shelf_slot(shelf, col);

	if (default_value(col, &col->def, out))
		return true;
	return slot != SIZE_MAX && shelf->meanings[slot] != NULL &&
	       default_value(col, &shelf->meanings[slot]->def, out);
}

int64_t mib_row_number(const struct mib_row *r, const struct mib_column *col, int64_t fallback)
{
	struct mib_value v;

	if (!mib_row_get(r, col, &v))
		return fallback;
	switch (v.syntax) {
	case MIB_SYN_COUNTER64:
		return (int64_t)v.counter64;
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
	case MIB_SYN_OID:
		return fallback;
	default:
		return v.number;
	}
}

size_t mib_row_text(const struct mib_row *r, const struct mib_column *col, char *buf, size_t size)
{
	struct mib_value v;

	if (size > 0)
		buf[0] = '\0';
	if (!mib_row_get(r, col, &v) || v.syntax != MIB_SYN_OCTETS)
		return 0;
	if (size > 0) {
		const size_t n = v.octets.len < size - 1 ? v.octets.len : size - 1;

		memcpy(buf, v.octets.data, n);
		buf[n] = '\0';
	}
	return v.octets.len;
}

bool mib_row_is_set(const struct mib_row *r, const struct mib_column *col)
{
	const size_t slot = mib_shelf_slot(r->shelf, col);

	if (slot == SIZE_MAX)
		return false;
	return col == r->shelf->status || mib_row_cell(r, slot) != NULL;
}

bool mib_column_may_be_secret(const struct mib_store *s, const struct mib_column *col)
{
	const struct mib_shelf *shelf = mib_store_shelf(s, col->table);
	const size_t slot = mib_shelf_slot(shelf, col);

	return slot != SIZE_MAX && mib_meaning_may_be_secret(shelf->meanings[slot]);
}

static bool is_secret_in(const struct mib_view *v, const struct mib_row *r, size_t slot)
{
	const struct mib_meaning *m = r->shelf->meanings[slot];

	return mib_meaning_may_be_secret(m) && m->is_secret(v, r);
}

bool mib_row_is_secret(const struct mib_row *r, const struct mib_column *col)
{
	const struct mib_store *s = r->shelf->store;
	const size_t slot = mib_shelf_slot(r->shelf, col);

	if (slot == SIZE_MAX)
		return false;
	/* While a change of the credential's type is staged, either view's word keeps it secret. */
	return is_secret_in(&s->view, r, slot) ||
	       (s->txn != NULL && is_secret_in(mib_txn_view(s->txn), r, slot));
}

uint64_t mib_row_changed_cs(const struct mib_row *r)
{
	return r->changed_cs;
}
