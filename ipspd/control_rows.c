/*
 * ipspd/control_rows.c - rows at the command line: rows, get, set, create, delete.
 *
 * The same transactions as SNMP's, by the same rules. No table is known by name here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/control_client.h"

#define VALUE_TEXT_MAX 4096	/* longer values are cut, and said to be */
#define ROWS_A_STEP 200

/* ---- reading ---- */

static void add_value(struct json_object *values, const struct mib_column *col,
		      const struct mib_value *v)
{
	char text[VALUE_TEXT_MAX];

	if (mib_value_print(col, v, false, text, sizeof(text)) >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	control_json_add(values, col->name, control_json_text(text));
}

static void add_columns(struct control_client *c, struct json_object *values,
			const struct mib_table *t, const struct mib_oid *index)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		struct mib_value v;
		enum mib_err err;

		if (t->columns[i].access < MIB_ACC_READ)
			continue;
		err = mib_read(agent_store(c->agent), &t->columns[i], index->ids, index->len, &v);
		if (err == MIB_OK)
			add_value(values, &t->columns[i], &v);
		else if (err == MIB_RESOURCE_UNAVAILABLE)
			control_json_lacks();
	}
}

static struct json_object *row_item(struct control_client *c, const struct mib_table *t,
				    const struct mib_oid *index)
{
	struct json_object *item = json_object_new_object();
	struct json_object *values = json_object_new_object();
	char text[512];

	mib_index_print(t, index->ids, index->len, text, sizeof(text));
	add_columns(c, values, t, index);
	for (size_t i = 0; i < mib_n_tables; i++)
		if (mib_tables[i]->augments == t)
			add_columns(c, values, mib_tables[i], index);
	control_json_add(item, "table", json_object_new_string(t->name));
	control_json_add(item, "index", control_json_text(text));
	control_json_add(item, "values", values);
	return item;
}

/* Walks one table, or all; rows may come and go between two steps. */
static bool rows_step(struct control_client *c)
{
	const char *only = request_text(c->request, "table");

	for (size_t i = 0; i < ROWS_A_STEP; i++) {
		const struct mib_table *t;
		struct mib_oid after = c->at;

		if (c->at_table >= mib_n_tables)
			return true;
		t = mib_tables[c->at_table];
		if (t->augments || (only && strcmp(only, t->name) != 0) ||
		    !mib_next_index(agent_store(c->agent), t, after.len ? &after : NULL, &c->at)) {
			c->at_table++;
			c->at.len = 0;
			continue;
		}
		client_item(c, row_item(c, t, &c->at));
	}
	return false;
}

static void rows(struct control_client *c, struct json_object *request, int fd)
{
	const char *only = request_text(request, "table");

	(void)fd;
	if (only && !mib_table_by_name(only)) {
		client_usage(c, "no such table");
		return;
	}
	c->at_table = 0;
	c->at.len = 0;
	client_stream(c, rows_step);
}

/* ---- naming a row ---- */

/* The row a request names; false: the answer has been given. */
static bool named_row(struct control_client *c, struct json_object *request,
		      const struct mib_table **t, struct mib_oid *index)
{
	const char *name = request_text(request, "table");
	const char *text = request_text(request, "index");
	struct mib_diag d = { 0 };
	enum mib_err err;

	*t = name ? mib_table_by_name(name) : NULL;
	if (!*t) {
		client_usage(c, "no such table");
		return false;
	}
	if (!text) {
		if (!(*t)->is_scalars) {
			client_usage(c, "an index is needed");
			return false;
		}
		*index = (struct mib_oid){ .len = 1 };
		return true;
	}
	err = mib_index_parse(*t, text, index, &d);
	if (err)
		client_refuse(c, err, &d);
	return err == MIB_OK;
}

static void get(struct control_client *c, struct json_object *request, int fd)
{
	const struct mib_table *t;
	struct mib_oid index;
	struct mib_diag d = { 0 };
	struct json_object *item, *values;

	(void)fd;
	if (!named_row(c, request, &t, &index))
		return;
	item = row_item(c, t, &index);
	if (json_object_object_get_ex(item, "values", &values) &&
	    json_object_object_length(values) > 0) {
		client_item(c, item);
		client_end(c);
		return;
	}
	json_object_put(item);
	mib_diag_set(&d, NULL, NULL, 0, "no such row: %s.%.64s", t->name,
		     request_text(request, "index") ? request_text(request, "index") : "0");
	client_refuse(c, MIB_NO_SUCH_INSTANCE, &d);
}

/* ---- changing ---- */

/* One COLUMN=VALUE of the request. */
static enum mib_err stage_value(struct mib_txn *txn, const struct mib_table *t,
				const struct mib_oid *index, const char *name, const char *text,
				struct mib_diag *d)
{
	_Alignas(8) unsigned char space[CHAN_PAYLOAD_MAX];
	const struct mib_column *col = mib_column_by_name(name);
	struct mib_value v;
	enum mib_err err;

	if (!col || (col->table != t && col->table->augments != t)) {
		mib_diag_set(d, NULL, NULL, 0, "%.64s is no column of %s", name, t->name);
		return MIB_NO_SUCH_OBJECT;
	}
	err = mib_value_parse(col, text, false, space, sizeof(space), &v, d);
	if (!err)
		err = mib_txn_set_column(txn, col, index->ids, index->len, &v, d);
	explicit_bzero(space, sizeof(space));	/* it may have been a secret */
	return err;
}

static enum mib_err stage_values(struct mib_txn *txn, const struct mib_table *t,
				 const struct mib_oid *index, struct json_object *values,
				 struct mib_diag *d)
{
	struct json_object_iterator i = json_object_iter_begin(values);
	struct json_object_iterator end = json_object_iter_end(values);

	for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
		struct json_object *v = json_object_iter_peek_value(&i);
		enum mib_err err;

		if (!json_object_is_type(v, json_type_string) || json_text_has_nul(v)) {
			mib_diag_set(d, NULL, NULL, 0, "%.64s: the value is not a text",
				     json_object_iter_peek_name(&i));
			return MIB_WRONG_TYPE;
		}
		err = stage_value(txn, t, index, json_object_iter_peek_name(&i),
				  json_object_get_string(v), d);
		if (err)
			return err;
	}
	return MIB_OK;
}

static enum mib_err stage_status(struct mib_txn *txn, const struct mib_table *t,
				 const struct mib_oid *index, enum mib_row_status status,
				 struct mib_diag *d)
{
	const struct mib_column *col = mib_table_column_tc(t, MIB_TC_ROW_STATUS);
	struct mib_value v = mib_value_integer(status);

	if (!col) {
		mib_diag_set(d, NULL, NULL, 0, "rows of %s cannot be created or deleted", t->name);
		return MIB_NO_CREATION;
	}
	return mib_txn_set_column(txn, col, index->ids, index->len, &v, d);
}

void client_finish(struct control_client *c, struct mib_txn *txn, enum mib_err err,
		   struct mib_diag *d)
{
	struct json_object *item;

	if (!err)
		err = mib_txn_prepare(txn, d);
	if (!err)
		err = mib_txn_commit(txn, d);
	if (err)
		mib_txn_refused(txn);
	mib_txn_done(txn);
	if (err) {
		client_refuse(c, err, d);
		return;
	}
	item = json_object_new_object();
	control_json_add(item, "generation", json_object_new_int64((int64_t)
				       mib_store_generation(agent_store(c->agent))));
	client_item(c, item);
	client_end(c);
}

bool client_begin(struct control_client *c, struct mib_txn **txn)
{
	enum mib_err err = mib_txn_begin(agent_store(c->agent), MIB_DOOR_CONTROL, c->who, txn);

	if (err == MIB_BUSY)
		client_wait_for_store(c);
	else if (err)
		client_no_memory(c);
	return err == MIB_OK;
}

static void change(struct control_client *c, struct json_object *request,
		   enum mib_row_status status)
{
	const struct mib_table *t;
	struct json_object *values;
	struct mib_oid index;
	struct mib_diag d = { 0 };
	struct mib_txn *txn;
	enum mib_err err = MIB_OK;

	if (!named_row(c, request, &t, &index) || !client_begin(c, &txn))
		return;
	if (json_object_object_get_ex(request, "values", &values))
		err = stage_values(txn, t, &index, values, &d);
	if (!err && status)
		err = stage_status(txn, t, &index, status, &d);
	client_finish(c, txn, err, &d);
}

static void set(struct control_client *c, struct json_object *request, int fd)
{
	struct json_object *values;

	(void)fd;
	if (!json_object_object_get_ex(request, "values", &values) ||
	    json_object_object_length(values) == 0)
		client_usage(c, "set needs values");
	else
		change(c, request, 0);
}

static void create(struct control_client *c, struct json_object *request, int fd)
{
	(void)fd;
	change(c, request, MIB_RS_CREATE_AND_GO);
}

static void delete(struct control_client *c, struct json_object *request, int fd)
{
	(void)fd;
	change(c, request, MIB_RS_DESTROY);
}

static const struct control_member table_members[] = {
	{ "table", json_type_string },
	{ NULL, json_type_null },
};
static const struct control_member row_members[] = {
	{ "table", json_type_string },
	{ "index", json_type_string },
	{ NULL, json_type_null },
};
static const struct control_member change_members[] = {
	{ "table", json_type_string },
	{ "index", json_type_string },
	{ "values", json_type_object },
	{ NULL, json_type_null },
};

const struct control_command control_row_commands[] = {
	{ "rows", table_members, rows },
	{ "get", row_members, get },
	{ "set", change_members, set },
	{ "create", change_members, create },
	{ "delete", row_members, delete },
	{ NULL, NULL, NULL },
};
