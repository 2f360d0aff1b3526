/*
 * xml/export.c - writes the configuration part of the MIB state as XML (RFC 6643).
 *
 * Walks the generated schema; must not know a table. Columns that are secret in their row are left
 * out of it; with a key they follow sealed, in an element of their own (mibs/file_seal.h).
 */
#include "xml/xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxml/xmlwriter.h>

#include "mibs/utf8.h"
#include "xml/memory.h"
#include "xml/names.h"

/* A printed value: octets of 64 KiB in base64, and some. */
#define TEXT_MAX (96u * 1024)

struct export {
	struct mib_store *store;
	int fd;
	xmlTextWriterPtr w;
	char *text;		/* TEXT_MAX octets */
	struct mib_file_seal *seal;	/* NULL: no secrets */
	unsigned long lacks;	/* of memory, when it began */
	bool failed;
};

static void check(struct export *e, int rc)
{
	if (rc < 0 || xml_memory_lacks() != e->lacks)
		e->failed = true;
}

static void start(struct export *e, const char *name)
{
	check(e, xmlTextWriterStartElement(e->w, BAD_CAST name));
}

static void start_in(struct export *e, const char *name, const char *module)
{
	char ns[XML_NS_MAX];

	xml_namespace(module, ns, sizeof(ns));
	check(e, xmlTextWriterStartElementNS(e->w, NULL, BAD_CAST name, BAD_CAST ns));
}

static void end(struct export *e)
{
	check(e, xmlTextWriterEndElement(e->w));
}

/*
 * Addresses are base64 and pointers dotted numbers: a person wants to read them too. "--" cannot
 * stand in a comment, so a name that has it goes without.
 */
static void readable(struct export *e, const struct mib_column *col, const struct mib_value *v)
{
	char text[512];

	if (col->tc != MIB_TC_VARIABLE_POINTER &&
	    (col->tc != MIB_TC_INET_ADDRESS || v->octets.len == 0))
		return;
	if (mib_value_print(col, v, false, text, sizeof(text)) >= sizeof(text) ||
	    strstr(text, "--"))
		return;
	check(e, xmlTextWriterWriteFormatComment(e->w, " %s ", text));
}

static void value(struct export *e, const struct mib_column *col, const struct mib_value *v)
{
	if (mib_value_print(col, v, true, e->text, TEXT_MAX) >= TEXT_MAX) {
		e->failed = true;
		return;
	}
	check(e, xmlTextWriterWriteString(e->w, BAD_CAST e->text));
}

/*
 * A row that was destroyed but is in use until its last pointer goes reads notInService; to a file
 * it counts as what it still is, or what points at it could not come in again. A lost row is meant to
 * be active: a file that said otherwise would open elsewhere what it closes here.
 */
static enum mib_row_status status_of(const struct export *e, const struct mib_row *r)
{
	if (mib_row_active(r) || (mib_row_lost(r) && !mib_row_lost_values(r)))
		return MIB_RS_ACTIVE;
	return mib_row_status(mib_store_view(e->store), r, NULL);
}

static void leaf(struct export *e, const struct mib_row *r, const struct mib_column *col,
		 const char *module)
{
	struct mib_value v;

	if (col->access < MIB_ACC_WRITE || mib_row_is_secret(r, col))
		return;
	if (col->tc == MIB_TC_ROW_STATUS)
		v = mib_value_integer(status_of(e, r));
	else if (!mib_row_get(r, col, &v))
		return;
	readable(e, col, &v);
	if (module)
		start_in(e, col->name, module);
	else
		start(e, col->name);
	value(e, col, &v);
	end(e);
}

static void keys(struct export *e, const struct mib_row *r)
{
	const struct mib_table *t = mib_row_table(r);
	struct mib_value v;

	for (size_t i = 0; i < t->n_index; i++) {
		if (!mib_row_get(r, t->index[i], &v)) {
			e->failed = true;
			return;
		}
		start(e, t->index[i]->name);
		value(e, t->index[i], &v);
		end(e);
	}
}

static void columns(struct export *e, const struct mib_row *r)
{
	const struct mib_table *t = mib_row_table(r);

	for (size_t i = 0; i < t->n_columns; i++)
		if (!xml_is_key(t, &t->columns[i]))
			leaf(e, r, &t->columns[i], NULL);
	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *a = mib_tables[i];

		if (a->augments != t)
			continue;
		for (size_t k = 0; k < a->n_columns; k++)
			leaf(e, r, &a->columns[k], a->module);
	}
}

static void table(struct export *e, const struct mib_table *t)
{
	const struct mib_view *view = mib_store_view(e->store);
	const struct mib_row *r = mib_view_next(view, t, NULL, NULL);
	struct mib_oid at;

	if (!r)
		return;
	start(e, t->name);
	for (; r && !e->failed; r = mib_view_next(view, t, NULL, &at)) {
		mib_row_index_copy(r, &at);
		if (t->is_scalars) {
			columns(e, r);
			continue;
		}
		start(e, t->entry_name);
		keys(e, r);
		columns(e, r);
		end(e);
	}
	end(e);
}

static void module(struct export *e, const struct mib_module *m)
{
	start_in(e, m->name, m->name);
	for (size_t i = 0; i < mib_n_tables; i++)
		if (strcmp(mib_tables[i]->module, m->name) == 0 && xml_is_config(mib_tables[i]))
			table(e, mib_tables[i]);
	end(e);
}

/* ---- sealed secrets ---- */

static void sealed_leaf(struct export *e, const struct mib_column *col, struct mib_value v)
{
	start(e, col->name);
	value(e, col, &v);
	end(e);
}

static void sealed_octets(struct export *e, const struct mib_column *col, const uint8_t *data,
			  size_t len)
{
	sealed_leaf(e, col, mib_value_octets(data, len));
}

/* Names its cell by number, and for people. */
static void secret_object(struct export *e, const struct mib_row *r, const struct mib_column *col)
{
	struct mib_oid oid = { 0 };
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	struct mib_diag readable_name;

	if (!mib_oid_append(&oid, col->table->entry_oid, col->table->entry_oid_len) ||
	    !mib_oid_append(&oid, &col->id, 1) || !mib_oid_append(&oid, index, len)) {
		e->failed = true;
		return;
	}
	mib_diag_set(&readable_name, col, index, len, "%s", "");
	if (!strstr(readable_name.object, "--") &&
	    mib_utf8_is_text((const uint8_t *)readable_name.object, strlen(readable_name.object)))
		check(e, xmlTextWriterWriteFormatComment(e->w, " %s ", readable_name.object));
	sealed_leaf(e, &xml_secret_object, mib_value_oid(oid.ids, oid.len));
}

static void secret(struct export *e, const struct mib_row *r, const struct mib_column *col)
{
	size_t index_len;
	const uint32_t *index = mib_row_index(r, &index_len);
	struct mib_value v;
	uint8_t *blob;

	if (col->access < MIB_ACC_WRITE || !mib_row_is_set(r, col) || !mib_row_is_secret(r, col) ||
	    !mib_row_get(r, col, &v) || v.syntax != MIB_SYN_OCTETS || v.octets.len == 0)
		return;
	blob = malloc(v.octets.len + MIB_FILE_SEAL_OVERHEAD);
	if (!blob || mib_file_seal_wrap(e->seal, col, index, index_len, v.octets.data,
					v.octets.len, blob) != MIB_OK) {
		e->failed = true;
		free(blob);
		return;
	}
	start(e, XML_SECRET);
	secret_object(e, r, col);
	sealed_octets(e, &xml_secret_value, blob, v.octets.len + MIB_FILE_SEAL_OVERHEAD);
	end(e);
	free(blob);
}

static void secrets_of_table(struct export *e, const struct mib_table *t)
{
	const struct mib_view *view = mib_store_view(e->store);
	const struct mib_row *r = mib_view_next(view, t, NULL, NULL);
	struct mib_oid at;

	for (; r && !e->failed; r = mib_view_next(view, t, NULL, &at)) {
		mib_row_index_copy(r, &at);
		for (size_t i = 0; i < t->n_columns; i++)
			secret(e, r, &t->columns[i]);
	}
}

static void sealed_secrets(struct export *e)
{
	struct mib_file_seal_head head;
	uint8_t list_check[MIB_FILE_SEAL_CHECK];

	if (mib_file_seal_begin(e->seal, &head) != MIB_OK) {
		e->failed = true;
		return;
	}
	check(e, xmlTextWriterStartElementNS(e->w, NULL, BAD_CAST XML_SEALED,
					     BAD_CAST XML_SEALED_NS));
	sealed_leaf(e, &xml_sealed_scheme, mib_value_integer((int32_t)head.kind));
	sealed_octets(e, &xml_sealed_salt, head.salt, sizeof(head.salt));
	sealed_octets(e, &xml_sealed_key_check, head.key_check, sizeof(head.key_check));
	for (size_t i = 0; i < mib_n_tables; i++)
		if (xml_is_config(mib_tables[i]))
			secrets_of_table(e, mib_tables[i]);
	if (mib_file_seal_end(e->seal, list_check) != MIB_OK)
		e->failed = true;
	sealed_octets(e, &xml_sealed_list_check, list_check, sizeof(list_check));
	end(e);
}

static void document(struct export *e)
{
	check(e, xmlTextWriterSetIndent(e->w, 1));
	check(e, xmlTextWriterSetIndentString(e->w, BAD_CAST "  "));
	check(e, xmlTextWriterStartDocument(e->w, "1.0", "UTF-8", NULL));
	check(e, xmlTextWriterStartElementNS(e->w, NULL, BAD_CAST XML_ROOT, BAD_CAST XML_ROOT_NS));
	for (size_t i = 0; i < mib_n_modules; i++)
		module(e, &mib_modules[i]);
	if (e->seal)
		sealed_secrets(e);
	check(e, xmlTextWriterEndDocument(e->w));
	check(e, xmlTextWriterFlush(e->w));
}

/*
 * libxml2's own writer takes a short write for a whole one. A failure is for our caller alone:
 * libxml2 would print it.
 */
static int write_all(void *arg, const char *buf, int len)
{
	struct export *e = arg;
	int done = 0;

	check(e, 0);
	while (done < len && !e->failed) {
		ssize_t n = write(e->fd, buf + done, (size_t)(len - done));

		if (n > 0)
			done += (int)n;
		else if (n == 0 || errno != EINTR)
			e->failed = true;
	}
	return len;
}

enum mib_err xml_export(struct mib_store *s, int fd, struct mib_file_seal *seal, struct mib_diag *d)
{
	struct export e = { .store = s, .fd = fd, .seal = seal, .lacks = xml_memory_lacks() };
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;
	xmlOutputBufferPtr out = xmlOutputBufferCreateIO(write_all, NULL, &e, NULL);

	if (!out)
		goto out;
	e.w = xmlNewTextWriter(out);
	if (!e.w) {
		xmlOutputBufferClose(out);
		goto out;
	}
	e.text = malloc(TEXT_MAX);
	if (e.text) {
		document(&e);
		if (!e.failed)
			err = MIB_OK;
	}
	xmlFreeTextWriter(e.w);
out:
	free(e.text);
	if (err)
		mib_diag_set(d, NULL, NULL, 0, "the XML export could not be written");
	return err;
}
