/*
 * xml/parse_rows.c - entries and scalars of a file as typed values.
 *
 * Must not know a table. White space: significant in text (RFC 7950 9.4), tolerated around all
 * other values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xml/names.h"
#include "xml/parse_int.h"

enum mib_err xml_refuse_element(struct xml_parse *p, unsigned line, enum mib_err err,
				const char *name, const char *why)
{
	p->diag->line = line;
	mib_diag_set(&p->diag->diag, NULL, NULL, 0, "%s", why);
	snprintf(p->diag->diag.object, sizeof(p->diag->diag.object), "%s", name);
	return err;
}

enum mib_err xml_refuse(struct xml_parse *p, unsigned line, enum mib_err err,
			const struct mib_column *col, const char *why)
{
	return xml_refuse_element(p, line, err, col ? col->name : "", why);
}

void xml_leaves_free(struct xml_parse *p)
{
	for (size_t i = 0; i < p->n_leaves; i++) {
		struct xml_leaf *l = &p->leaves[i];

		if (l->text)
			explicit_bzero(l->text, l->len);
		free(l->text);
		*l = (struct xml_leaf){ 0 };
	}
	p->n_leaves = 0;
	p->open = NULL;
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

enum mib_err xml_leaf_parse(struct xml_parse *p, struct xml_leaf *l, void *space, size_t size,
			    struct mib_value *v)
{
	trim(l);
	p->diag->line = l->line;
	return mib_value_parse(l->col, l->text ? l->text : "", true, space, size, v,
			       &p->diag->diag);
}

struct xml_leaf *xml_leaf_find(struct xml_parse *p, const struct mib_column *col)
{
	for (size_t i = 0; i < p->n_leaves; i++)
		if (p->leaves[i].col == col)
			return &p->leaves[i];
	return NULL;
}

/* ---- entries ---- */

static enum mib_err entry_index(struct xml_parse *p, struct mib_oid *index)
{
	const struct mib_table *t = p->table;
	struct mib_value parts[MIB_INDEX_MAX];
	size_t used = 0;

	for (size_t i = 0; i < t->n_index; i++) {
		struct xml_leaf *l = xml_leaf_find(p, t->index[i]);
		enum mib_err err;
		size_t room;

		if (!l)
			return xml_refuse(p, p->entry_line, MIB_NO_CREATION, t->index[i],
					  "this key is missing in the entry");
		/* Each part has its own piece: a character gives one sub-identifier at most. */
		room = (l->len + 1) * sizeof(uint32_t);
		if (room > sizeof(p->space) - used)
			return xml_refuse(p, l->line, MIB_WRONG_LENGTH, l->col,
					  "too long for a key");
		err = xml_leaf_parse(p, l, p->space + used, room, &parts[i]);
		if (err)
			return err;
		used += room;
	}
	if (!mib_index_encode(t, parts, t->n_index, index))
		return xml_refuse_element(p, p->entry_line, MIB_NO_CREATION, t->name,
					  "the keys are too long for an index");
	return MIB_OK;
}

/* notReady cannot be asked for, it is what an unfinished row reads as. */
static enum mib_err check_status(struct xml_parse *p, const struct xml_leaf *l,
				 const struct mib_value *v)
{
	if (v->number == MIB_RS_ACTIVE || v->number == MIB_RS_NOT_IN_SERVICE ||
	    v->number == MIB_RS_NOT_READY)
		return MIB_OK;
	return xml_refuse(p, l->line, MIB_WRONG_VALUE, l->col,
			  "a file says active, notInService or notReady");
}

static enum mib_err tell_leaf(struct xml_parse *p, struct xml_leaf *l)
{
	struct mib_value v;
	enum mib_err err = xml_leaf_parse(p, l, p->space, sizeof(p->space), &v);

	if (!err && l->col->tc == MIB_TC_ROW_STATUS)
		err = check_status(p, l, &v);
	if (!err)
		err = p->to.value(p->to.arg, l->col, &v, l->line);
	explicit_bzero(p->space, l->len < sizeof(p->space) ? l->len : sizeof(p->space));
	return err;
}

static enum mib_err tell_row(struct xml_parse *p, const struct mib_oid *index)
{
	enum mib_err err = p->to.row(p->to.arg, p->table, index, p->entry_line);

	for (size_t i = 0; i < p->n_leaves && !err; i++)
		if (p->table->is_scalars || !xml_is_key(p->table, p->leaves[i].col))
			err = tell_leaf(p, &p->leaves[i]);
	return err ? err : p->to.row_end(p->to.arg);
}

enum mib_err xml_entry_finish(struct xml_parse *p)
{
	const struct mib_column *status = mib_table_column_tc(p->table, MIB_TC_ROW_STATUS);
	struct mib_oid index;
	enum mib_err err = entry_index(p, &index);

	if (!err && !xml_leaf_find(p, status))
		err = xml_refuse(p, p->entry_line, MIB_INCONSISTENT_VALUE, status,
				 "this column is missing in the entry");
	if (!err)
		err = tell_row(p, &index);
	xml_leaves_free(p);
	return err;
}

enum mib_err xml_scalars_finish(struct xml_parse *p)
{
	static const struct mib_oid instance_zero = { .len = 1 };
	enum mib_err err = tell_row(p, &instance_zero);

	xml_leaves_free(p);
	return err;
}
