/*
 * xml/import.c - what an XML file's elements mean (RFC 6643), and the transaction they make.
 *
 * The file is hostile (xml/reader.h bounds what comes from it); whatever does not fit the schema
 * refuses the whole file with its line and object. Nothing changes before the last line was read
 * and the whole was judged. Comments, CDATA sections and the order of elements say nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xml/import.h"
#include "xml/names.h"
#include "xml/reader.h"

/* ---- elements ---- */

static bool is_module_ns(const char *ns, const char *module)
{
	char wanted[XML_NS_MAX];

	xml_namespace(module, wanted, sizeof(wanted));
	return strcmp(ns, wanted) == 0;
}

static enum mib_err open_root(struct xml_import *im, const char *name, const char *ns,
			      unsigned line)
{
	if (strcmp(name, XML_ROOT) != 0 || strcmp(ns, XML_ROOT_NS) != 0)
		return xml_refuse_element(im, line, MIB_WRONG_VALUE, name,
					  "the document element must be <" XML_ROOT
					  "> of the namespace " XML_ROOT_NS);
	im->place = IN_ROOT;
	return MIB_OK;
}

static enum mib_err open_module(struct xml_import *im, const char *name, const char *ns,
				unsigned line)
{
	for (size_t i = 0; i < mib_n_modules; i++) {
		im->module = &mib_modules[i];
		if (strcmp(im->module->name, name) == 0 && is_module_ns(ns, name)) {
			im->place = IN_MODULE;
			return MIB_OK;
		}
	}
	return xml_refuse_element(im, line, MIB_NO_SUCH_OBJECT, name,
				  "there is no module of that name and namespace");
}

static enum mib_err open_container(struct xml_import *im, const char *name, const char *ns,
				   unsigned line)
{
	im->table = mib_table_by_name(name);
	if (!im->table || strcmp(im->table->module, im->module->name) != 0 ||
	    !is_module_ns(ns, im->module->name) || im->table->augments)
		return xml_refuse_element(
			im, line, MIB_NO_SUCH_OBJECT, name,
			"the module has no table or parent of scalars of that name "
			"and namespace");
	if (!xml_is_config(im->table))
		return xml_refuse_element(im, line, MIB_NOT_WRITABLE, name,
					  "nothing in it can be configured");
	im->entry_line = line;
	im->place = IN_CONTAINER;
	return MIB_OK;
}

/* A column that may stand in this table's entry or container: its own, a key, an augmenting one. */
static const struct mib_column *column_here(const struct xml_import *im, const char *name,
					    const char *ns)
{
	const struct mib_column *col = mib_column_by_name(name);

	if (!col)
		return NULL;
	if (xml_is_key(im->table, col))
		return is_module_ns(ns, im->module->name) ? col : NULL;
	if (col->table != im->table && col->table->augments != im->table)
		return NULL;
	return is_module_ns(ns, col->table->module) ? col : NULL;
}

static enum mib_err open_leaf(struct xml_import *im, const char *name, const char *ns,
			      unsigned line)
{
	const struct mib_column *col = column_here(im, name, ns);

	if (!col)
		return xml_refuse_element(im, line, MIB_NO_SUCH_OBJECT, name,
					  "no object of that name and namespace belongs here");
	if (!xml_is_key(im->table, col) && col->access < MIB_ACC_WRITE)
		return xml_refuse(im, line, MIB_NOT_WRITABLE, col, "this object is read-only");
	if (xml_leaf_find(im, col))
		return xml_refuse(im, line, MIB_INCONSISTENT_VALUE, col,
				  "this object stands here twice");
	if (im->n_leaves == XML_LEAVES_MAX)
		return xml_refuse(im, line, MIB_RESOURCE_UNAVAILABLE, col, "too many objects");
	im->open = &im->leaves[im->n_leaves++];
	*im->open = (struct xml_leaf){ .col = col, .line = line };
	im->place = IN_LEAF;
	return MIB_OK;
}

static enum mib_err open_below_container(struct xml_import *im, const char *name, const char *ns,
					 unsigned line)
{
	if (im->table->is_scalars)
		return open_leaf(im, name, ns, line);
	if (strcmp(name, im->table->entry_name) != 0 || !is_module_ns(ns, im->module->name))
		return xml_refuse_element(im, line, MIB_NO_SUCH_OBJECT, name,
					  "only entries of the table belong here");
	im->entry_line = line;
	im->place = IN_ENTRY;
	return MIB_OK;
}

static enum mib_err element_opened(void *arg, const char *name, const char *ns, unsigned line)
{
	struct xml_import *im = arg;

	switch (im->place) {
	case AT_TOP:
		return open_root(im, name, ns, line);
	case IN_ROOT:
		return open_module(im, name, ns, line);
	case IN_MODULE:
		return open_container(im, name, ns, line);
	case IN_CONTAINER:
		return open_below_container(im, name, ns, line);
	case IN_ENTRY:
		return open_leaf(im, name, ns, line);
	default:
		return xml_refuse(im, line, MIB_WRONG_VALUE, im->open->col,
				  "this object holds text, not elements");
	}
}

static enum mib_err element_closed(void *arg, unsigned line)
{
	struct xml_import *im = arg;

	(void)line;
	switch (im->place) {
	case IN_LEAF:
		im->open = NULL;
		im->place = im->table->is_scalars ? IN_CONTAINER : IN_ENTRY;
		return MIB_OK;
	case IN_ENTRY:
		im->place = IN_CONTAINER;
		return xml_entry_finish(im);
	case IN_CONTAINER:
		im->place = IN_MODULE;
		return im->table->is_scalars ? xml_scalars_finish(im) : MIB_OK;
	case IN_MODULE:
		im->place = IN_ROOT;
		return MIB_OK;
	default:
		im->place = AT_TOP;
		return MIB_OK;
	}
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!xml_is_space(text[i]))
			return false;
	return true;
}

/* Makes room for len octets more and a NUL; what is let go is wiped. */
static bool leaf_grow(struct xml_leaf *l, size_t len)
{
	size_t size = l->size ? l->size : 64;
	char *grown;

	if (l->len + len < l->size)
		return true;
	while (size <= l->len + len)
		size *= 2;
	grown = malloc(size);
	if (!grown)
		return false;
	if (l->text) {
		memcpy(grown, l->text, l->len);
		explicit_bzero(l->text, l->len);
		free(l->text);
	}
	l->text = grown;
	l->size = size;
	return true;
}

static enum mib_err text_read(void *arg, const char *text, size_t len, unsigned line)
{
	struct xml_import *im = arg;
	struct xml_leaf *l = im->open;

	if (!l) {
		if (is_blank(text, len))
			return MIB_OK;
		return xml_refuse(im, line, MIB_WRONG_VALUE, NULL,
				  "text stands where an element belongs");
	}
	if (len >= XML_TEXT_MAX - l->len)
		return xml_refuse(im, l->line, MIB_WRONG_LENGTH, l->col, "the text is too long");
	if (!leaf_grow(l, len))
		return xml_refuse(im, l->line, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	memcpy(l->text + l->len, text, len);
	l->len += len;
	l->text[l->len] = '\0';
	return MIB_OK;
}

/* ---- the whole file ---- */

static void say_difference(const struct xml_import *im, const struct mib_change *c)
{
	const struct mib_row *r = c->after ? c->after : c->before;
	char index[512], line[640];
	size_t len;
	const uint32_t *ids = mib_row_index(r, &len);

	if (!im->options->difference)
		return;
	mib_index_print(c->table, ids, len, index, sizeof(index));
	snprintf(line, sizeof(line), "%c %s.%s",
		 !c->before ? '+'
		 : c->after ? '~'
			    : '-',
		 c->table->name, index);
	im->options->difference(im->options->arg, line);
}

static void count_changes(struct xml_import *im, struct xml_summary *sum)
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

/* The row and column that a refusal of the whole names, if it is a secret without a value. */
static bool lacks_secret(const struct xml_import *im)
{
	const char *object = im->diag->diag.object;
	const char *dot = strchr(object, '.');
	const struct mib_column *col;
	const struct mib_row *r;
	struct mib_oid index;
	struct mib_value v;
	char name[80];

	if (!dot || (size_t)(dot - object) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(dot - object), object);
	col = mib_column_by_name(name);
	if (!col || mib_index_parse(col->table, dot + 1, &index, NULL) != MIB_OK)
		return false;
	r = mib_view_row(mib_txn_view(im->txn), col->table, index.ids, index.len);
	return r && mib_row_is_secret(r, col) && (!mib_row_get(r, col, &v) || v.octets.len == 0);
}

static void explain_secret(struct mib_diag *d)
{
	char reason[128];

	snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, d->text);
	snprintf(d->text, sizeof(d->text),
		 "the secret of this row is missing, and an exported file has none: create the row "
		 "with its secret first, or import it as notInService and set the secret then (%s)",
		 reason);
}

static enum mib_err apply(struct xml_import *im, struct xml_summary *sum)
{
	enum mib_err err;

	if (im->options->replace && (err = xml_drop_others(im)) != MIB_OK)
		return err;
	im->diag->line = 0;
	err = mib_txn_prepare(im->txn, &im->diag->diag);
	if (err) {
		size_t nr = im->diag->diag.varbind;

		im->diag->line = nr >= 1 && nr <= im->n_lines ? im->lines[nr - 1] : 0;
		if (lacks_secret(im))
			explain_secret(&im->diag->diag);
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

static enum mib_err run(struct xml_import *im, int fd, struct xml_summary *sum)
{
	const struct xml_handler handler = { element_opened, text_read, element_closed, im };
	enum mib_err err;

	im->seen = xmlHashCreate(1024);
	if (!im->seen)
		return xml_refuse(im, 0, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	err = xml_read(fd, &handler, im->diag);
	return err ? err : apply(im, sum);
}

enum mib_err xml_import(struct mib_store *s, int fd, const struct xml_import_options *o,
			struct xml_summary *sum, struct xml_diag *d)
{
	struct xml_summary made = { 0 };
	struct xml_import *im;
	enum mib_err err;

	*d = (struct xml_diag){ 0 };
	err = check_file(fd, d);
	if (err)
		return err;
	im = calloc(1, sizeof(*im));
	if (!im) {
		mib_diag_set(&d->diag, NULL, NULL, 0, "out of memory");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	im->store = s;
	im->options = o;
	im->diag = d;
	err = mib_txn_begin(s, MIB_DOOR_XML, o->who, &im->txn);
	if (!err) {
		err = run(im, fd, &made);
		if (err)
			mib_txn_refused(im->txn);
		mib_txn_done(im->txn);
	}
	xml_leaves_free(im);
	if (im->seen)
		xmlHashFree(im->seen, NULL);
	free(im->lines);
	free(im);
	if (!err)
		*sum = made;
	return err;
}
