/*
 * xml/import_rows.c - entries and scalars of a file as assignments of one transaction.
 *
 * Must not know a table. White space: significant in text (RFC 7950 9.4), tolerated around all
 * other values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xml/import.h"
#include "xml/names.h"

enum mib_err xml_refuse_element(struct xml_import *im, unsigned line, enum mib_err err,
				const char *name, const char *why)
{
	im->diag->line = line;
	mib_diag_set(&im->diag->diag, NULL, NULL, 0, "%s", why);
	snprintf(im->diag->diag.object, sizeof(im->diag->diag.object), "%s", name);
	return err;
}

enum mib_err xml_refuse(struct xml_import *im, unsigned line, enum mib_err err,
			const struct mib_column *col, const char *why)
{
	return xml_refuse_element(im, line, err, col ? col->name : "", why);
}

void xml_leaves_free(struct xml_import *im)
{
	for (size_t i = 0; i < im->n_leaves; i++) {
		struct xml_leaf *l = &im->leaves[i];

		if (l->text)
			explicit_bzero(l->text, l->len);
		free(l->text);
		*l = (struct xml_leaf){ 0 };
	}
	im->n_leaves = 0;
	im->open = NULL;
}

/* ---- assignments ---- */

static enum mib_err remember_line(struct xml_import *im, unsigned line)
{
	if (im->n_lines == im->lines_size) {
		size_t size = im->lines_size ? im->lines_size * 2 : 1024;
		unsigned *lines = reallocarray(im->lines, size, sizeof(*lines));

		if (!lines)
			return xml_refuse(im, line, MIB_RESOURCE_UNAVAILABLE, NULL,
					  "out of memory");
		im->lines = lines;
		im->lines_size = size;
	}
	im->lines[im->n_lines++] = line;
	return MIB_OK;
}

/* Every assignment goes through here, so that its number leads back to its line. */
static enum mib_err assign(struct xml_import *im, unsigned line, const struct mib_column *col,
			   const struct mib_oid *index, const struct mib_value *v)
{
	enum mib_err err = remember_line(im, line);

	if (err)
		return err;
	im->diag->line = line;
	return mib_txn_set_column(im->txn, col, index->ids, index->len, v, &im->diag->diag);
}

/* Base64 skips white space by itself; in text it counts. */
static void trim(struct xml_leaf *l)
{
	size_t skip = 0;

	if (l->col->syntax == MIB_SYN_OCTETS || !l->text)
		return;
	while (l->len > 0 && xml_is_space(l->text[l->len - 1]))
		l->len--;
	while (skip < l->len && xml_is_space(l->text[skip]))
		skip++;
	l->len -= skip;
	memmove(l->text, l->text + skip, l->len);
	l->text[l->len] = '\0';
}

static enum mib_err parse(struct xml_import *im, struct xml_leaf *l, void *space, size_t size,
			  struct mib_value *v)
{
	trim(l);
	im->diag->line = l->line;
	return mib_value_parse(l->col, l->text ? l->text : "", true, space, size, v,
			       &im->diag->diag);
}

/* What a row holds already, set or by default, is not set once more: it stays as it is. */
static bool holds(const struct mib_row *r, const struct mib_column *col, const struct mib_value *v)
{
	struct mib_value has;

	return r && mib_row_get(r, col, &has) && mib_value_equal(&has, v);
}

static enum mib_err assign_leaf(struct xml_import *im, struct xml_leaf *l,
				const struct mib_oid *index, const struct mib_row *old)
{
	struct mib_value v;
	enum mib_err err = parse(im, l, im->space, sizeof(im->space), &v);

	if (!err && !holds(old, l->col, &v))
		err = assign(im, l->line, l->col, index, &v);
	explicit_bzero(im->space, l->len < sizeof(im->space) ? l->len : sizeof(im->space));
	return err;
}

/*
 * RowStatus in a file says how the row is to end: made so when it is not there, else led there.
 * notReady cannot be asked for, it is what an unfinished row reads as.
 */
static enum mib_err assign_status(struct xml_import *im, struct xml_leaf *l,
				  const struct mib_oid *index, const struct mib_row *old)
{
	struct mib_value v;
	bool active;
	enum mib_err err = parse(im, l, im->space, sizeof(im->space), &v);

	if (err)
		return err;
	active = v.number == MIB_RS_ACTIVE;
	if (!active && v.number != MIB_RS_NOT_IN_SERVICE && v.number != MIB_RS_NOT_READY)
		return xml_refuse(im, l->line, MIB_WRONG_VALUE, l->col,
				  "a file says active, notInService or notReady");
	if (old && active == mib_row_active(old))
		return MIB_OK;
	if (old)
		v = mib_value_integer(active ? MIB_RS_ACTIVE : MIB_RS_NOT_IN_SERVICE);
	else
		v = mib_value_integer(active ? MIB_RS_CREATE_AND_GO : MIB_RS_CREATE_AND_WAIT);
	return assign(im, l->line, l->col, index, &v);
}

struct xml_leaf *xml_leaf_find(struct xml_import *im, const struct mib_column *col)
{
	for (size_t i = 0; i < im->n_leaves; i++)
		if (im->leaves[i].col == col)
			return &im->leaves[i];
	return NULL;
}

/*
 * A row that is to be replaced forgets what the file does not say. Secrets are never in a file, so
 * they stay; an object without default cannot be taken away.
 */
static enum mib_err reset_column(struct xml_import *im, unsigned line, const struct mib_column *col,
				 const struct mib_row *old)
{
	struct mib_value v;
	struct mib_oid index;

	if (col->access < MIB_ACC_WRITE || col->tc == MIB_TC_ROW_STATUS || xml_leaf_find(im, col) ||
	    !mib_row_is_set(old, col) || mib_row_is_secret(old, col))
		return MIB_OK;
	if (!mib_column_default(im->store, col, &v))
		return xml_refuse(
			im, line, MIB_INCONSISTENT_VALUE, col,
			"the row has this object and the file does not: a file that replaces "
			"the row must say it");
	if (holds(old, col, &v))
		return MIB_OK;
	mib_row_index_copy(old, &index);
	return assign(im, line, col, &index, &v);
}

static enum mib_err reset_others(struct xml_import *im, unsigned line, const struct mib_row *old)
{
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < mib_n_tables && !err; i++) {
		const struct mib_table *t = mib_tables[i];

		if (t != im->table && t->augments != im->table)
			continue;
		for (size_t k = 0; k < t->n_columns && !err; k++)
			err = reset_column(im, line, &t->columns[k], old);
	}
	return err;
}

/* ---- entries ---- */

/* Room for a table number and MIB_OID_MAX hexadecimal sub-identifiers. */
#define SEEN_KEY_MAX (24 + MIB_OID_MAX * 9)

static void seen_key(const struct mib_table *t, const struct mib_oid *index, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%zu", t->number);

	for (size_t i = 0; i < index->len && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, ".%x", index->ids[i]);
}

static bool was_seen(const struct xml_import *im, const struct mib_table *t,
		     const struct mib_oid *index)
{
	char key[SEEN_KEY_MAX];

	seen_key(t, index, key, sizeof(key));
	return xmlHashLookup(im->seen, BAD_CAST key) != NULL;
}

static enum mib_err mark_seen(struct xml_import *im, const struct mib_oid *index)
{
	char key[SEEN_KEY_MAX];

	if (was_seen(im, im->table, index))
		return xml_refuse_element(im, im->entry_line, MIB_INCONSISTENT_VALUE,
					  im->table->name, "this row is in the file already");
	seen_key(im->table, index, key, sizeof(key));
	if (xmlHashAddEntry(im->seen, BAD_CAST key, im) != 0)
		return xml_refuse(im, im->entry_line, MIB_RESOURCE_UNAVAILABLE, NULL,
				  "out of memory");
	return MIB_OK;
}

static enum mib_err entry_index(struct xml_import *im, struct mib_oid *index)
{
	const struct mib_table *t = im->table;
	struct mib_value parts[MIB_INDEX_MAX];
	size_t used = 0;

	for (size_t i = 0; i < t->n_index; i++) {
		struct xml_leaf *l = xml_leaf_find(im, t->index[i]);
		enum mib_err err;
		size_t room;

		if (!l)
			return xml_refuse(im, im->entry_line, MIB_NO_CREATION, t->index[i],
					  "this key is missing in the entry");
		/* Each part has its own piece: a character gives one sub-identifier at most. */
		room = (l->len + 1) * sizeof(uint32_t);
		if (room > sizeof(im->space) - used)
			return xml_refuse(im, l->line, MIB_WRONG_LENGTH, l->col,
					  "too long for a key");
		err = parse(im, l, im->space + used, room, &parts[i]);
		if (err)
			return err;
		used += room;
	}
	if (!mib_index_encode(t, parts, t->n_index, index))
		return xml_refuse_element(im, im->entry_line, MIB_NO_CREATION, t->name,
					  "the keys are too long for an index");
	return MIB_OK;
}

static enum mib_err assign_entry(struct xml_import *im, const struct mib_column *status,
				 const struct mib_oid *index)
{
	const struct mib_row *old = mib_view_row(mib_store_view(im->store), im->table, index->ids,
						 index->len);
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < im->n_leaves && !err; i++) {
		struct xml_leaf *l = &im->leaves[i];

		if (l->col == status)
			err = assign_status(im, l, index, old);
		else if (!xml_is_key(im->table, l->col))
			err = assign_leaf(im, l, index, old);
	}
	if (!err && old && im->options->replace)
		err = reset_others(im, im->entry_line, old);
	return err;
}

enum mib_err xml_entry_finish(struct xml_import *im)
{
	const struct mib_column *status = mib_table_column_tc(im->table, MIB_TC_ROW_STATUS);
	struct mib_oid index;
	enum mib_err err = entry_index(im, &index);

	if (!err)
		err = mark_seen(im, &index);
	if (!err && !xml_leaf_find(im, status))
		err = xml_refuse(im, im->entry_line, MIB_INCONSISTENT_VALUE, status,
				 "this column is missing in the entry");
	if (!err)
		err = assign_entry(im, status, &index);
	xml_leaves_free(im);
	return err;
}

static const struct mib_oid instance_zero = { .len = 1 };

enum mib_err xml_scalars_finish(struct xml_import *im)
{
	const struct mib_row *old = mib_view_row(mib_store_view(im->store), im->table,
						 instance_zero.ids, instance_zero.len);
	enum mib_err err = mark_seen(im, &instance_zero);

	for (size_t i = 0; i < im->n_leaves && !err; i++)
		err = assign_leaf(im, &im->leaves[i], &instance_zero, old);
	if (!err && old && im->options->replace)
		err = reset_others(im, im->entry_line, old);
	xml_leaves_free(im);
	return err;
}

/* What the file did not name, when it is to replace what is there: rows go, scalars forget. */
static enum mib_err drop_unseen(struct xml_import *im, const struct mib_row *r)
{
	const struct mib_column *status = mib_table_column_tc(im->table, MIB_TC_ROW_STATUS);
	struct mib_value destroy = mib_value_integer(MIB_RS_DESTROY);
	struct mib_oid index;

	mib_row_index_copy(r, &index);
	if (was_seen(im, im->table, &index))
		return MIB_OK;
	if (im->table->is_scalars)
		return reset_others(im, 0, r);
	return assign(im, 0, status, &index, &destroy);
}

enum mib_err xml_drop_others(struct xml_import *im)
{
	const struct mib_view *view = mib_store_view(im->store);
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < mib_n_tables && !err; i++) {
		const struct mib_row *r;
		struct mib_oid at;

		im->table = mib_tables[i];
		r = xml_is_config(im->table) ? mib_view_next(view, im->table, NULL, NULL) : NULL;
		for (; r && !err; r = mib_view_next(view, im->table, NULL, &at)) {
			mib_row_index_copy(r, &at);
			err = drop_unseen(im, r);
		}
	}
	return err;
}
