/*
 * xml/import_rows.c - rows of a file as assignments of one transaction.
 *
 * Must not know a table.
 */
#include <stdlib.h>
#include <string.h>

#include "xml/import_int.h"
#include "xml/names.h"

/* ---- what the file has named ---- */

static int named_cmp(const struct xml_named *a, const struct xml_named *b)
{
	if (a->table != b->table)
		return a->table->number < b->table->number ? -1 : 1;
	return mib_oid_cmp(a->index, a->len, b->index, b->len);
}

RB_PROTOTYPE(xml_named_tree, xml_named, link, named_cmp)
RB_GENERATE(xml_named_tree, xml_named, link, named_cmp)

struct xml_named *xml_named_next(struct xml_import *im, struct xml_named *n)
{
	return n ? RB_NEXT(xml_named_tree, &im->named, n) : RB_MIN(xml_named_tree, &im->named);
}

void xml_named_free(struct xml_import *im)
{
	struct xml_named *n;

	while ((n = RB_ROOT(&im->named)) != NULL) {
		RB_REMOVE(xml_named_tree, &im->named, n);
		free(n);
	}
}

static struct xml_named *named_new(const struct mib_table *t, const uint32_t *index, size_t len,
				   unsigned line)
{
	struct xml_named *n = calloc(1, sizeof(*n) + len * sizeof(index[0]));

	if (!n)
		return NULL;
	n->table = t;
	n->line = line;
	n->len = len;
	memcpy(n->index, index, len * sizeof(index[0]));
	return n;
}

/* ---- assignments ---- */

static enum mib_err no_memory(struct xml_import *im, unsigned line)
{
	return xml_import_refuse(im, line, MIB_RESOURCE_UNAVAILABLE, "", "out of memory");
}

static enum mib_err remember_line(struct xml_import *im, unsigned line)
{
	if (im->n_lines == im->lines_size) {
		size_t size = im->lines_size ? im->lines_size * 2 : 1024;
		unsigned *lines = reallocarray(im->lines, size, sizeof(*lines));

		if (!lines)
			return no_memory(im, line);
		im->lines = lines;
		im->lines_size = size;
	}
	im->lines[im->n_lines++] = line;
	return MIB_OK;
}

/* Every assignment goes through here, so that its number leads back to its line. */
static enum mib_err assign(struct xml_import *im, unsigned line, const struct mib_column *col,
			   const uint32_t *index, size_t len, const struct mib_value *v)
{
	enum mib_err err = remember_line(im, line);

	if (err)
		return err;
	im->diag->line = line;
	return mib_txn_set_column(im->txn, col, index, len, v, &im->diag->diag);
}

/* What a row holds already, set or by default, is not set once more: it stays as it is. */
static bool holds(const struct mib_row *r, const struct mib_column *col, const struct mib_value *v)
{
	struct mib_value has;

	return r && mib_row_get(r, col, &has) && mib_value_equal(&has, v);
}

/*
 * RowStatus in a file says how the row is to end: made so when it is not there, else led there.
 * notReady cannot be asked for, it is what an unfinished row reads as.
 */
static enum mib_err assign_status(struct xml_import *im, const struct mib_column *col,
				  const struct mib_value *asked, unsigned line)
{
	const bool active = asked->number == MIB_RS_ACTIVE;
	struct mib_value v;

	if (asked->syntax != MIB_SYN_INTEGER ||
	    (!active && asked->number != MIB_RS_NOT_IN_SERVICE &&
	     asked->number != MIB_RS_NOT_READY))
		return xml_import_refuse(im, line, MIB_WRONG_VALUE, col->name,
					 "a file says active, notInService or notReady");
	im->row->active = active;
	if (im->old && active == mib_row_active(im->old))
		return MIB_OK;
	if (im->old)
		v = mib_value_integer(active ? MIB_RS_ACTIVE : MIB_RS_NOT_IN_SERVICE);
	else
		v = mib_value_integer(active ? MIB_RS_CREATE_AND_GO : MIB_RS_CREATE_AND_WAIT);
	return assign(im, line, col, im->row->index, im->row->len, &v);
}

/* ---- a row as it comes ---- */

enum mib_err xml_take_row(void *arg, const struct mib_table *t, const struct mib_oid *index,
			  unsigned line)
{
	struct xml_import *im = arg;
	struct xml_named *n = named_new(t, index->ids, index->len, line);

	if (!n)
		return no_memory(im, line);
	if (RB_INSERT(xml_named_tree, &im->named, n)) {
		free(n);
		return xml_import_refuse(im, line, MIB_INCONSISTENT_VALUE, t->name,
					 "this row is in the file already");
	}
	im->row = n;
	im->n_columns = 0;
	im->old = mib_view_row(mib_store_view(im->store), t, index->ids, index->len);
	return MIB_OK;
}

static bool is_column_named(const struct xml_import *im, const struct mib_column *col)
{
	for (size_t i = 0; i < im->n_columns; i++)
		if (im->columns[i] == col)
			return true;
	return false;
}

enum mib_err xml_take_value(void *arg, const struct mib_column *col, const struct mib_value *v,
			    unsigned line)
{
	struct xml_import *im = arg;

	if (im->n_columns == XML_LEAVES_MAX || is_column_named(im, col))
		return xml_import_refuse(im, line, MIB_INCONSISTENT_VALUE, col->name,
					 "this object stands here twice");
	im->columns[im->n_columns++] = col;
	if (col->tc == MIB_TC_ROW_STATUS)
		return assign_status(im, col, v, line);
	if (holds(im->old, col, v))
		return MIB_OK;
	return assign(im, line, col, im->row->index, im->row->len, v);
}

/*
 * A row that is to be replaced forgets what the file does not say. Secrets stay, for a file may have
 * none; an object without default cannot be taken away.
 */
static enum mib_err reset_column(struct xml_import *im, unsigned line, const struct mib_column *col,
				 const struct mib_row *old)
{
	struct mib_value v;
	struct mib_oid index;

	if (col->access < MIB_ACC_WRITE || col->tc == MIB_TC_ROW_STATUS ||
	    is_column_named(im, col) || !mib_row_is_set(old, col) || mib_row_is_secret(old, col))
		return MIB_OK;
	if (!mib_column_default(im->store, col, &v))
		return xml_import_refuse(
			im, line, MIB_INCONSISTENT_VALUE, col->name,
			"the row has this object and the file does not: a file that replaces "
			"the row must say it");
	if (holds(old, col, &v))
		return MIB_OK;
	mib_row_index_copy(old, &index);
	return assign(im, line, col, index.ids, index.len, &v);
}

static enum mib_err reset_others(struct xml_import *im, unsigned line, const struct mib_table *of,
				 const struct mib_row *old)
{
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < mib_n_tables && !err; i++) {
		const struct mib_table *t = mib_tables[i];

		if (t != of && t->augments != of)
			continue;
		for (size_t k = 0; k < t->n_columns && !err; k++)
			err = reset_column(im, line, &t->columns[k], old);
	}
	return err;
}

enum mib_err xml_take_row_end(void *arg)
{
	struct xml_import *im = arg;
	const struct mib_column *status = mib_table_column_tc(im->row->table, MIB_TC_ROW_STATUS);
	enum mib_err err = MIB_OK;

	if (status && !is_column_named(im, status))
		err = xml_import_refuse(im, im->row->line, MIB_INCONSISTENT_VALUE, status->name,
					"this column is missing in the entry");
	if (!err && im->old && im->options->replace)
		err = reset_others(im, im->row->line, im->row->table, im->old);
	im->row = NULL;
	return err;
}

enum mib_err xml_take_secret(void *arg, const struct xml_secret *s)
{
	struct xml_import *im = arg;
	const struct mib_row *old;
	struct mib_secret secret;
	struct mib_value v;
	enum mib_err err;

	im->diag->line = s->line;
	if (!im->options->seal)
		return MIB_OK;
	if (!im->sealed || im->seal_ended || !mib_column_may_be_secret(im->store, s->col))
		return xml_import_refuse(im, s->line, MIB_WRONG_VALUE, s->col->name,
					 "this object is not one that holds secrets");
	err = mib_file_seal_unwrap(im->options->seal, s->col, s->index.ids, s->index.len, s->blob,
				   s->len, &secret, &im->diag->diag);
	if (err)
		return err;
	v = mib_value_octets(secret.data, secret.len);
	old = mib_view_row(mib_store_view(im->store), s->col->table, s->index.ids, s->index.len);
	if (!holds(old, s->col, &v))
		err = assign(im, s->line, s->col, s->index.ids, s->index.len, &v);
	mib_secret_fini(&secret);
	return err;
}

/* ---- replacing ---- */

/* What the file did not name, when it is to replace what is there: rows go, scalars forget. */
static enum mib_err drop_unnamed(struct xml_import *im, const struct mib_table *t,
				 const struct mib_row *r)
{
	const struct mib_column *status = mib_table_column_tc(t, MIB_TC_ROW_STATUS);
	struct mib_value destroy = mib_value_integer(MIB_RS_DESTROY);
	struct mib_oid index;
	struct xml_named *key;
	bool named;

	mib_row_index_copy(r, &index);
	key = named_new(t, index.ids, index.len, 0);
	if (!key)
		return no_memory(im, 0);
	named = RB_FIND(xml_named_tree, &im->named, key) != NULL;
	free(key);
	if (named)
		return MIB_OK;
	im->n_columns = 0;
	if (t->is_scalars)
		return reset_others(im, 0, t, r);
	return assign(im, 0, status, index.ids, index.len, &destroy);
}

enum mib_err xml_drop_others(struct xml_import *im)
{
	const struct mib_view *view = mib_store_view(im->store);
	enum mib_err err = MIB_OK;

	for (size_t i = 0; i < mib_n_tables && !err; i++) {
		const struct mib_table *t = mib_tables[i];
		const struct mib_row *r;
		struct mib_oid at;

		r = xml_is_config(t) ? mib_view_next(view, t, NULL, NULL) : NULL;
		for (; r && !err; r = mib_view_next(view, t, NULL, &at)) {
			mib_row_index_copy(r, &at);
			err = drop_unnamed(im, t, r);
		}
	}
	return err;
}
