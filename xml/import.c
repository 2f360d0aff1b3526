/*
 * xml/import.c - reads MIB state from XML (RFC 6643) into one transaction.
 *
 * The file is hostile: no DTD, no entities, no network, bounded size, depth and text; whatever does
 * not fit the schema refuses the whole file with its line and object. Nothing changes before the
 * last line was read and the whole was judged.
 */
#include "xml/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxml/hash.h>
#include <libxml/xmlreader.h>

#include "xml/names.h"

#define TEXT_MAX (96u * 1024)	/* of one leaf */
#define LEAVES_MAX 64		/* of one entry: more columns than any row has */

/* Where in the document the reader stands; also its depth. */
enum place { AT_TOP, IN_ROOT, IN_MODULE, IN_CONTAINER, IN_ENTRY, IN_LEAF };

struct leaf {
	const struct mib_column *col;
	unsigned line;
	char *text;		/* malloc'ed; wiped: it may be a secret somebody wrote by hand */
	size_t len;
};

struct import {
	struct mib_store *store;
	struct mib_txn *txn;
	const struct xml_import_options *options;
	struct xml_diag *diag;
	xmlTextReaderPtr reader;
	enum place place;
	const struct mib_module *module;
	const struct mib_table *table;
	unsigned entry_line;
	struct leaf leaves[LEAVES_MAX];
	size_t n_leaves;
	struct leaf *open;	/* the leaf whose text is being read */
	xmlHashTablePtr seen;	/* entries named so far: table and printed index */
	unsigned *lines;	/* line of each assignment, by its number - 1 */
	size_t n_lines, lines_size;
	_Alignas(8) unsigned char space[TEXT_MAX];
};

static unsigned here(const struct import *im)
{
	int line = xmlTextReaderGetParserLineNumber(im->reader);

	return line > 0 ? (unsigned)line : 0;
}

static enum mib_err refuse(struct import *im, unsigned line, enum mib_err err,
			   const struct mib_column *col, const char *why)
{
	im->diag->line = line;
	mib_diag_set(&im->diag->diag, col, NULL, 0, "%s", why);
	return err;
}

static void leaf_free(struct leaf *l)
{
	if (l->text)
		explicit_bzero(l->text, l->len);
	free(l->text);
	*l = (struct leaf){ 0 };
}

static void leaves_free(struct import *im)
{
	for (size_t i = 0; i < im->n_leaves; i++)
		leaf_free(&im->leaves[i]);
	im->n_leaves = 0;
	im->open = NULL;
}

/* ---- assignments ---- */

static enum mib_err remember_line(struct import *im, unsigned line)
{
	if (im->n_lines == im->lines_size) {
		size_t size = im->lines_size ? im->lines_size * 2 : 1024;
		unsigned *lines = reallocarray(im->lines, size, sizeof(*lines));

		if (!lines)
			return refuse(im, line, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
		im->lines = lines;
		im->lines_size = size;
	}
	im->lines[im->n_lines++] = line;
	return MIB_OK;
}

/* Every assignment goes through here, so that its number leads back to its line. */
static enum mib_err assign(struct import *im, unsigned line, const struct mib_column *col,
			   const struct mib_oid *index, const struct mib_value *v)
{
	enum mib_err err = remember_line(im, line);

	if (err)
		return err;
	im->diag->line = line;
	return mib_txn_set_column(im->txn, col, index->ids, index->len, v, &im->diag->diag);
}

static enum mib_err parse(struct import *im, const struct leaf *l, void *space, size_t size,
			  struct mib_value *v)
{
	im->diag->line = l->line;
	return mib_value_parse(l->col, l->text ? l->text : "", true, space, size, v,
			       &im->diag->diag);
}

/*
 * RowStatus in a file says how the row is to end. A row that is not there is created so; notReady
 * cannot be asked for, it is what an unfinished row reads as.
 */
static struct mib_value status_to_ask(const struct mib_row *old, int64_t wanted)
{
	if (!old)
		return mib_value_integer(wanted == MIB_RS_ACTIVE ? MIB_RS_CREATE_AND_GO :
								  MIB_RS_CREATE_AND_WAIT);
	if (wanted == MIB_RS_ACTIVE)
		return mib_value_integer(MIB_RS_ACTIVE);
	return mib_value_integer(MIB_RS_NOT_IN_SERVICE);
}

static enum mib_err assign_status(struct import *im, const struct leaf *l,
				  const struct mib_oid *index, const struct mib_row *old)
{
	struct mib_value v;
	enum mib_err err = parse(im, l, im->space, sizeof(im->space), &v);

	if (err)
		return err;
	if (v.number != MIB_RS_ACTIVE && v.number != MIB_RS_NOT_IN_SERVICE &&
	    v.number != MIB_RS_NOT_READY)
		return refuse(im, l->line, MIB_WRONG_VALUE, l->col,
			      "a file says active, notInService or notReady");
	/* A row that is out of service already, and perhaps cannot be made ready, stays so. */
	if (old && v.number != MIB_RS_ACTIVE && !mib_row_active(old))
		return MIB_OK;
	v = status_to_ask(old, v.number);
	return assign(im, l->line, l->col, index, &v);
}

static enum mib_err assign_leaf(struct import *im, const struct leaf *l,
				const struct mib_oid *index)
{
	struct mib_value v;
	enum mib_err err = parse(im, l, im->space, sizeof(im->space), &v);

	if (!err)
		err = assign(im, l->line, l->col, index, &v);
	explicit_bzero(im->space, l->len < sizeof(im->space) ? l->len : sizeof(im->space));
	return err;
}

/* ---- entries ---- */

static const struct leaf *find_leaf(const struct import *im, const struct mib_column *col)
{
	for (size_t i = 0; i < im->n_leaves; i++)
		if (im->leaves[i].col == col)
			return &im->leaves[i];
	return NULL;
}

static enum mib_err entry_index(struct import *im, struct mib_oid *index)
{
	const struct mib_table *t = im->table;
	struct mib_value parts[MIB_INDEX_MAX];
	size_t used = 0;

	for (size_t i = 0; i < t->n_index; i++) {
		const struct leaf *l = find_leaf(im, t->index[i]);
		enum mib_err err;
		size_t room;

		if (!l)
			return refuse(im, im->entry_line, MIB_NO_CREATION, t->index[i],
				      "this key is missing in the entry");
		/* Each part borrows from its own piece: a character gives one sub-identifier at most. */
		room = (l->len + 1) * sizeof(uint32_t);
		if (room > sizeof(im->space) - used)
			return refuse(im, l->line, MIB_WRONG_LENGTH, l->col, "too long for a key");
		err = parse(im, l, im->space + used, room, &parts[i]);
		if (!err)
			err = mib_value_check(l->col, &parts[i], &im->diag->diag);
		if (err)
			return err;
		used += room;
	}
	if (!mib_index_encode(t, parts, t->n_index, index))
		return refuse(im, im->entry_line, MIB_NO_CREATION, NULL,
			      "the keys are too long for an index");
	return MIB_OK;
}

static void seen_key(const struct mib_table *t, const struct mib_oid *index, char *buf,
		     size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%zu", t->number);

	for (size_t i = 0; i < index->len && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, ".%x", index->ids[i]);
}

/* Room for a table number and MIB_OID_MAX hexadecimal sub-identifiers. */
#define SEEN_KEY_MAX (24 + MIB_OID_MAX * 9)

static enum mib_err mark_seen(struct import *im, const struct mib_oid *index)
{
	char key[SEEN_KEY_MAX];

	seen_key(im->table, index, key, sizeof(key));
	if (xmlHashLookup(im->seen, BAD_CAST key))
		return refuse(im, im->entry_line, MIB_INCONSISTENT_VALUE, NULL,
			      "this row is in the file already");
	if (xmlHashAddEntry(im->seen, BAD_CAST key, im) != 0)
		return refuse(im, im->entry_line, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	return MIB_OK;
}

static enum mib_err finish_entry(struct import *im)
{
	const struct mib_column *status = mib_table_column_tc(im->table, MIB_TC_ROW_STATUS);
	const struct mib_row *old;
	struct mib_oid index;
	enum mib_err err = entry_index(im, &index);

	if (!err)
		err = mark_seen(im, &index);
	if (err)
		return err;
	if (!find_leaf(im, status))
		return refuse(im, im->entry_line, MIB_INCONSISTENT_VALUE, status,
			      "this column is missing in the entry");
	old = mib_view_row(mib_store_view(im->store), im->table, index.ids, index.len);
	for (size_t i = 0; i < im->n_leaves && !err; i++) {
		const struct leaf *l = &im->leaves[i];

		if (l->col == status)
			err = assign_status(im, l, &index, old);
		else if (!xml_is_key(im->table, l->col))
			err = assign_leaf(im, l, &index);
	}
	leaves_free(im);
	return err;
}

static enum mib_err finish_scalar(struct import *im)
{
	static const struct mib_oid zero = { .len = 1 };
	enum mib_err err = assign_leaf(im, &im->leaves[0], &zero);

	leaves_free(im);
	return err;
}

/* Rows of configuration that the file did not name go, when it is to replace what is there. */
static enum mib_err destroy_others(struct import *im)
{
	const struct mib_view *view = mib_store_view(im->store);
	struct mib_value destroy = mib_value_integer(MIB_RS_DESTROY);
	char key[SEEN_KEY_MAX];

	for (size_t i = 0; i < mib_n_tables; i++) {
		const struct mib_table *t = mib_tables[i];
		const struct mib_row *r;
		struct mib_oid at;

		if (t->is_scalars || !xml_is_config(t))
			continue;
		for (r = mib_view_next(view, t, NULL, NULL); r;
		     r = mib_view_next(view, t, NULL, &at)) {
			enum mib_err err;

			mib_row_index_copy(r, &at);
			seen_key(t, &at, key, sizeof(key));
			if (xmlHashLookup(im->seen, BAD_CAST key))
				continue;
			err = assign(im, 0, mib_table_column_tc(t, MIB_TC_ROW_STATUS), &at, &destroy);
			if (err)
				return err;
		}
	}
	return MIB_OK;
}

/* ---- elements ---- */

static bool in_namespace(const struct import *im, const char *module)
{
	char ns[XML_NS_MAX];
	const xmlChar *found = xmlTextReaderConstNamespaceUri(im->reader);

	xml_namespace(module, ns, sizeof(ns));
	return found && strcmp((const char *)found, ns) == 0;
}

static enum mib_err open_root(struct import *im, const char *name)
{
	const xmlChar *ns = xmlTextReaderConstNamespaceUri(im->reader);

	if (strcmp(name, XML_ROOT) != 0 || !ns || strcmp((const char *)ns, XML_ROOT_NS) != 0)
		return refuse(im, here(im), MIB_WRONG_VALUE, NULL,
			      "the document element is not <data> of the NETCONF base namespace");
	return MIB_OK;
}

static enum mib_err open_module(struct import *im, const char *name)
{
	for (size_t i = 0; i < mib_n_modules; i++) {
		im->module = &mib_modules[i];
		if (strcmp(im->module->name, name) == 0 && in_namespace(im, name))
			return MIB_OK;
	}
	return refuse(im, here(im), MIB_NO_SUCH_OBJECT, NULL,
		      "no module of ours has that name and namespace");
}

static enum mib_err open_container(struct import *im, const char *name)
{
	im->table = mib_table_by_name(name);
	if (!im->table || strcmp(im->table->module, im->module->name) != 0 ||
	    !in_namespace(im, im->module->name) || !xml_is_config(im->table))
		return refuse(im, here(im), MIB_NO_SUCH_OBJECT, NULL,
			      "no table or scalar container of that module that can be written");
	return MIB_OK;
}

/* A column that may stand in this table's entry (or container): its own, a key, an augmenting one. */
static const struct mib_column *column_here(const struct import *im, const char *name)
{
	const struct mib_column *col = mib_column_by_name(name);

	if (!col)
		return NULL;
	if (xml_is_key(im->table, col))
		return in_namespace(im, im->module->name) ? col : NULL;
	if (col->table != im->table && col->table->augments != im->table)
		return NULL;
	return in_namespace(im, col->table->module) ? col : NULL;
}

static enum mib_err open_leaf(struct import *im, const char *name)
{
	const struct mib_column *col = column_here(im, name);

	if (!col)
		return refuse(im, here(im), MIB_NO_SUCH_OBJECT, NULL,
			      "no object of that name and namespace belongs here");
	if (!xml_is_key(im->table, col) && col->access < MIB_ACC_WRITE)
		return refuse(im, here(im), MIB_NOT_WRITABLE, col, "this object is read-only");
	if (find_leaf(im, col))
		return refuse(im, here(im), MIB_INCONSISTENT_VALUE, col,
			      "this object stands twice in the entry");
	if (im->n_leaves == LEAVES_MAX)
		return refuse(im, here(im), MIB_RESOURCE_UNAVAILABLE, col, "too many objects");
	im->open = &im->leaves[im->n_leaves++];
	*im->open = (struct leaf){ .col = col, .line = here(im) };
	im->place = IN_LEAF;
	return MIB_OK;
}

static enum mib_err open_below_container(struct import *im, const char *name)
{
	if (im->table->is_scalars)
		return open_leaf(im, name);
	if (strcmp(name, im->table->entry_name) != 0 || !in_namespace(im, im->module->name))
		return refuse(im, here(im), MIB_NO_SUCH_OBJECT, NULL,
			      "only entries of the table belong here");
	im->entry_line = here(im);
	im->place = IN_ENTRY;
	return MIB_OK;
}

static enum mib_err close_element(struct import *im)
{
	switch (im->place) {
	case IN_LEAF:
		im->open = NULL;
		if (!im->table->is_scalars) {
			im->place = IN_ENTRY;
			return MIB_OK;
		}
		im->place = IN_CONTAINER;
		return finish_scalar(im);
	case IN_ENTRY:
		im->place = IN_CONTAINER;
		return finish_entry(im);
	case IN_CONTAINER:
		im->place = IN_MODULE;
		return MIB_OK;
	case IN_MODULE:
		im->place = IN_ROOT;
		return MIB_OK;
	default:
		im->place = AT_TOP;
		return MIB_OK;
	}
}

static enum mib_err open_element(struct import *im)
{
	const char *name = (const char *)xmlTextReaderConstLocalName(im->reader);
	bool empty = xmlTextReaderIsEmptyElement(im->reader) == 1;
	enum mib_err err;

	switch (im->place) {
	case AT_TOP:
		err = open_root(im, name);
		im->place = IN_ROOT;
		break;
	case IN_ROOT:
		err = open_module(im, name);
		im->place = IN_MODULE;
		break;
	case IN_MODULE:
		err = open_container(im, name);
		im->place = IN_CONTAINER;
		break;
	case IN_CONTAINER:
		err = open_below_container(im, name);
		break;
	case IN_ENTRY:
		err = open_leaf(im, name);
		break;
	default:
		return refuse(im, here(im), MIB_WRONG_VALUE, im->open->col,
			      "an object holds text, not elements");
	}
	if (!err && empty)
		err = close_element(im);
	return err;
}

static enum mib_err text(struct import *im)
{
	const char *more = (const char *)xmlTextReaderConstValue(im->reader);
	size_t len = more ? strlen(more) : 0;
	char *grown;

	if (!im->open) {
		if (more && more[strspn(more, " \t\r\n")] != '\0')
			return refuse(im, here(im), MIB_WRONG_VALUE, NULL,
				      "text stands where an element belongs");
		return MIB_OK;
	}
	if (im->open->len + len >= TEXT_MAX)
		return refuse(im, here(im), MIB_WRONG_LENGTH, im->open->col, "the text is too long");
	grown = malloc(im->open->len + len + 1);
	if (!grown)
		return refuse(im, here(im), MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	if (im->open->len)
		memcpy(grown, im->open->text, im->open->len);
	if (len)
		memcpy(grown + im->open->len, more, len);
	grown[im->open->len + len] = '\0';
	if (im->open->text)
		explicit_bzero(im->open->text, im->open->len);
	free(im->open->text);
	im->open->text = grown;
	im->open->len += len;
	return MIB_OK;
}

static enum mib_err node(struct import *im)
{
	switch (xmlTextReaderNodeType(im->reader)) {
	case XML_READER_TYPE_ELEMENT:
		return open_element(im);
	case XML_READER_TYPE_END_ELEMENT:
		return close_element(im);
	case XML_READER_TYPE_TEXT:
	case XML_READER_TYPE_CDATA:
	case XML_READER_TYPE_WHITESPACE:
	case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
		return text(im);
	case XML_READER_TYPE_COMMENT:
	case XML_READER_TYPE_XML_DECLARATION:
		return MIB_OK;
	case XML_READER_TYPE_DOCUMENT_TYPE:
		return refuse(im, here(im), MIB_WRONG_VALUE, NULL,
			      "a document type declaration is not accepted");
	case XML_READER_TYPE_ENTITY_REFERENCE:
		return refuse(im, here(im), MIB_WRONG_VALUE, NULL,
			      "an entity reference is not accepted");
	default:
		return refuse(im, here(im), MIB_WRONG_VALUE, NULL,
			      "only elements, text and comments are accepted");
	}
}

/* ---- the whole file ---- */

static void syntax_error(void *arg, const char *message, xmlParserSeverities severity,
			 xmlTextReaderLocatorPtr locator)
{
	struct import *im = arg;
	int line = xmlTextReaderLocatorLineNumber(locator);

	(void)severity;
	if (im->diag->line)	/* the first error is the cause */
		return;
	im->diag->line = line > 0 ? (unsigned)line : 1;
	mib_diag_set(&im->diag->diag, NULL, NULL, 0, "not well-formed XML: %.*s",
		     (int)strcspn(message, "\n"), message);
}

static enum mib_err read_all(struct import *im)
{
	int rc;

	while ((rc = xmlTextReaderRead(im->reader)) == 1) {
		enum mib_err err = node(im);

		if (err)
			return err;
	}
	if (rc == 0)
		return MIB_OK;
	if (im->diag->line == 0)
		mib_diag_set(&im->diag->diag, NULL, NULL, 0, "the file could not be read");
	return MIB_WRONG_ENCODING;
}

static void say_difference(const struct import *im, const struct mib_change *c)
{
	const struct mib_row *r = c->after ? c->after : c->before;
	char index[512], line[640];
	size_t len;
	const uint32_t *ids = mib_row_index(r, &len);

	if (!im->options->difference)
		return;
	mib_index_print(c->table, ids, len, index, sizeof(index));
	snprintf(line, sizeof(line), "%c %s.%s", !c->before ? '+' : c->after ? '~' : '-',
		 c->table->name, index);
	im->options->difference(im->options->arg, line);
}

static void count_changes(struct import *im, struct xml_summary *sum)
{
	size_t n;
	const struct mib_change *c = mib_txn_changes(im->txn, &n);

	for (size_t i = 0; i < n; i++) {
		if (!c[i].before)
			sum->created++;
		else if (!c[i].after)
			sum->destroyed++;
		else
			sum->changed++;
		say_difference(im, &c[i]);
	}
}

static enum mib_err apply(struct import *im, struct xml_summary *sum)
{
	enum mib_err err;

	if (im->options->replace && (err = destroy_others(im)) != MIB_OK)
		return err;
	im->diag->line = 0;
	err = mib_txn_prepare(im->txn, &im->diag->diag);
	if (err) {
		size_t nr = im->diag->diag.varbind;

		im->diag->line = nr >= 1 && nr <= im->n_lines ? im->lines[nr - 1] : 0;
		return err;
	}
	count_changes(im, sum);
	if (im->options->dry_run || !mib_txn_is_change(im->txn))
		return MIB_OK;
	err = mib_txn_commit(im->txn, &im->diag->diag);
	if (!err)
		sum->generation = mib_store_generation(im->store);
	return err;
}

static enum mib_err check_file(int fd, struct xml_diag *d)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0) {
		mib_diag_set(&d->diag, NULL, NULL, 0, "not a regular file");
		return MIB_WRONG_VALUE;
	}
	if (st.st_size > (off_t)XML_FILE_MAX) {
		mib_diag_set(&d->diag, NULL, NULL, 0, "the file is larger than %u MiB",
			     XML_FILE_MAX >> 20);
		return MIB_WRONG_LENGTH;
	}
	return MIB_OK;
}

static enum mib_err run(struct import *im, int fd, struct xml_summary *sum)
{
	enum mib_err err;

	im->seen = xmlHashCreate(1024);
	im->reader = xmlReaderForFd(fd, NULL, NULL, XML_PARSE_NONET);
	if (!im->seen || !im->reader)
		return refuse(im, 0, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	xmlTextReaderSetErrorHandler(im->reader, syntax_error, im);
	err = read_all(im);
	return err ? err : apply(im, sum);
}

enum mib_err xml_import(struct mib_store *s, int fd, const struct xml_import_options *o,
			struct xml_summary *sum, struct xml_diag *d)
{
	struct xml_summary made = { 0 };
	struct import *im;
	enum mib_err err;

	*d = (struct xml_diag){ 0 };
	err = check_file(fd, d);
	if (err)
		return err;
	im = calloc(1, sizeof(*im));
	if (!im)
		return MIB_RESOURCE_UNAVAILABLE;
	im->store = s;
	im->options = o;
	im->diag = d;
	err = mib_txn_begin(s, MIB_DOOR_XML, o->who, &im->txn);
	if (!err) {
		err = run(im, fd, &made);
		mib_txn_done(im->txn);
	}
	leaves_free(im);
	if (im->reader)
		xmlFreeTextReader(im->reader);
	if (im->seen)
		xmlHashFree(im->seen, NULL);
	free(im->lines);
	free(im);
	if (!err)
		*sum = made;
	return err;
}
