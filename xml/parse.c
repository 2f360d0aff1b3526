/*
 * xml/parse.c - what an XML file's elements mean (RFC 6643). See parse.h.
 *
 * Must not know a store. Comments, CDATA sections and the order of elements say nothing; only the
 * sealed secrets (xml/parse_sealed.c) have an order among themselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xml/names.h"
#include "xml/parse_int.h"
#include "xml/xml.h"

#define READ_SIZE 65536

_Static_assert(XML_FILE_MAX == 64u << 20, "as the refusal says");

/* ---- elements ---- */

static bool is_module_ns(const char *ns, const char *module)
{
	char wanted[XML_NS_MAX];

	xml_namespace(module, wanted, sizeof(wanted));
	return strcmp(ns, wanted) == 0;
}

static enum mib_err open_root(struct xml_parse *p, const char *name, const char *ns,
			      unsigned line)
{
	if (strcmp(name, XML_ROOT) != 0 || strcmp(ns, XML_ROOT_NS) != 0)
		return xml_refuse_element(p, line, MIB_WRONG_VALUE, name,
					  "the document element must be <" XML_ROOT
					  "> of the namespace " XML_ROOT_NS);
	p->place = IN_ROOT;
	return MIB_OK;
}

static enum mib_err open_sealed(struct xml_parse *p, unsigned line)
{
	if (p->sealed_seen)
		return xml_refuse_element(p, line, MIB_INCONSISTENT_VALUE, XML_SEALED,
					  "this element stands here twice");
	p->sealed_seen = true;
	p->entry_line = line;
	p->place = IN_SEALED;
	return MIB_OK;
}

static enum mib_err open_below_sealed(struct xml_parse *p, const char *name, const char *ns,
				      unsigned line)
{
	if (strcmp(ns, XML_SEALED_NS) != 0)
		return xml_refuse_element(p, line, MIB_NO_SUCH_OBJECT, name,
					  "no element of that namespace belongs here");
	if (p->place == IN_SEALED && strcmp(name, XML_SECRET) == 0)
		return xml_secret_open(p, line);
	return xml_sealed_leaf_open(p, name, line);
}

static enum mib_err open_module(struct xml_parse *p, const char *name, const char *ns,
				unsigned line)
{
	if (strcmp(name, XML_SEALED) == 0 && strcmp(ns, XML_SEALED_NS) == 0)
		return open_sealed(p, line);
	for (size_t i = 0; i < mib_n_modules; i++) {
		p->module = &mib_modules[i];
		if (strcmp(p->module->name, name) == 0 && is_module_ns(ns, name)) {
			p->place = IN_MODULE;
			return MIB_OK;
		}
	}
	return xml_refuse_element(p, line, MIB_NO_SUCH_OBJECT, name,
				  "there is no module of that name and namespace");
}

static enum mib_err open_container(struct xml_parse *p, const char *name, const char *ns,
				   unsigned line)
{
	p->table = mib_table_by_name(name);
	if (!p->table || strcmp(p->table->module, p->module->name) != 0 ||
	    !is_module_ns(ns, p->module->name) || p->table->augments)
		return xml_refuse_element(
			p, line, MIB_NO_SUCH_OBJECT, name,
			"the module has no table or parent of scalars of that name "
			"and namespace");
	if (!xml_is_config(p->table))
		return xml_refuse_element(p, line, MIB_NOT_WRITABLE, name,
					  "nothing in it can be configured");
	p->entry_line = line;
	p->place = IN_CONTAINER;
	return MIB_OK;
}

/* A column that may stand in this table's entry or container: its own, a key, an augmenting one. */
static const struct mib_column *column_here(const struct xml_parse *p, const char *name,
					    const char *ns)
{
	const struct mib_column *col = mib_column_by_name(name);

	if (!col)
		return NULL;
	if (xml_is_key(p->table, col))
		return is_module_ns(ns, p->module->name) ? col : NULL;
	if (col->table != p->table && col->table->augments != p->table)
		return NULL;
	return is_module_ns(ns, col->table->module) ? col : NULL;
}

static enum mib_err open_leaf(struct xml_parse *p, const char *name, const char *ns,
			      unsigned line)
{
	const struct mib_column *col = column_here(p, name, ns);

	if (!col)
		return xml_refuse_element(p, line, MIB_NO_SUCH_OBJECT, name,
					  "no object of that name and namespace belongs here");
	if (!xml_is_key(p->table, col) && col->access < MIB_ACC_WRITE)
		return xml_refuse(p, line, MIB_NOT_WRITABLE, col, "this object is read-only");
	if (xml_leaf_find(p, col))
		return xml_refuse(p, line, MIB_INCONSISTENT_VALUE, col,
				  "this object stands here twice");
	if (p->n_leaves == XML_LEAVES_MAX)
		return xml_refuse(p, line, MIB_RESOURCE_UNAVAILABLE, col, "too many objects");
	p->open = &p->leaves[p->n_leaves++];
	*p->open = (struct xml_leaf){ .col = col, .line = line };
	p->place = IN_LEAF;
	return MIB_OK;
}

static enum mib_err open_below_container(struct xml_parse *p, const char *name, const char *ns,
					 unsigned line)
{
	if (p->table->is_scalars)
		return open_leaf(p, name, ns, line);
	if (strcmp(name, p->table->entry_name) != 0 || !is_module_ns(ns, p->module->name))
		return xml_refuse_element(p, line, MIB_NO_SUCH_OBJECT, name,
					  "only entries of the table belong here");
	p->entry_line = line;
	p->place = IN_ENTRY;
	return MIB_OK;
}

static enum mib_err element_opened(void *arg, const char *name, const char *ns, unsigned line)
{
	struct xml_parse *p = arg;

	switch (p->place) {
	case AT_TOP:
		return open_root(p, name, ns, line);
	case IN_ROOT:
		return open_module(p, name, ns, line);
	case IN_MODULE:
		return open_container(p, name, ns, line);
	case IN_CONTAINER:
		return open_below_container(p, name, ns, line);
	case IN_ENTRY:
		return open_leaf(p, name, ns, line);
	case IN_SEALED:
	case IN_SECRET:
		return open_below_sealed(p, name, ns, line);
	default:
		return xml_refuse(p, line, MIB_WRONG_VALUE, p->open->col,
				  "this object holds text, not elements");
	}
}

static enum mib_err element_closed(void *arg, unsigned line)
{
	struct xml_parse *p = arg;

	(void)line;
	switch (p->place) {
	case IN_LEAF:
		p->open = NULL;
		p->place = p->table->is_scalars ? IN_CONTAINER : IN_ENTRY;
		return MIB_OK;
	case IN_ENTRY:
		p->place = IN_CONTAINER;
		return xml_entry_finish(p);
	case IN_CONTAINER:
		p->place = IN_MODULE;
		return p->table->is_scalars ? xml_scalars_finish(p) : MIB_OK;
	case IN_MODULE:
		p->place = IN_ROOT;
		return MIB_OK;
	case IN_SEALED_LEAF:
	case IN_SECRET_LEAF:
		p->open = NULL;
		p->place = p->place == IN_SECRET_LEAF ? IN_SECRET : IN_SEALED;
		return MIB_OK;
	case IN_SECRET:
		p->place = IN_SEALED;
		return xml_secret_finish(p);
	case IN_SEALED:
		p->place = IN_ROOT;
		return xml_sealed_finish(p);
	default:
		p->place = AT_TOP;
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
	struct xml_parse *p = arg;
	struct xml_leaf *l = p->open;

	if (!l) {
		if (is_blank(text, len))
			return MIB_OK;
		return xml_refuse(p, line, MIB_WRONG_VALUE, NULL,
				  "text stands where an element belongs");
	}
	if (len >= XML_TEXT_MAX - l->len)
		return xml_refuse(p, l->line, MIB_WRONG_LENGTH, l->col, "the text is too long");
	if (!leaf_grow(l, len))
		return xml_refuse(p, l->line, MIB_RESOURCE_UNAVAILABLE, NULL, "out of memory");
	memcpy(l->text + l->len, text, len);
	l->len += len;
	l->text[l->len] = '\0';
	return MIB_OK;
}

/* ---- the whole file ---- */

enum mib_err xml_parse_new(const struct xml_sink *to, struct xml_diag *diag, struct xml_parse **out)
{
	struct xml_parse *p = calloc(1, sizeof(*p));
	const struct xml_handler handler = { element_opened, text_read, element_closed, p };
	enum mib_err err;

	*diag = (struct xml_diag){ 0 };
	if (!p) {
		mib_diag_set(&diag->diag, NULL, NULL, 0, "out of memory");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	p->to = *to;
	p->diag = diag;
	err = xml_reader_new(&handler, diag, &p->reader);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return MIB_OK;
}

void xml_parse_free(struct xml_parse *p)
{
	if (!p)
		return;
	xml_leaves_free(p);
	xml_reader_free(p->reader);
	explicit_bzero(p->space, sizeof(p->space));
	free(p);
}

enum mib_err xml_parse_feed(struct xml_parse *p, const void *octets, size_t len)
{
	return xml_reader_feed(p->reader, octets, len);
}

enum mib_err xml_parse_end(struct xml_parse *p)
{
	return xml_reader_end(p->reader);
}

static enum mib_err check_file(struct xml_parse *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
		return xml_refuse(p, 0, MIB_WRONG_VALUE, NULL, "not a regular file");
	if (st.st_size > (off_t)XML_FILE_MAX)
		return xml_refuse(p, 0, MIB_WRONG_LENGTH, NULL, "the file is larger than 64 MiB");
	return MIB_OK;
}

enum mib_err xml_parse_fd(struct xml_parse *p, int fd)
{
	unsigned char piece[READ_SIZE];
	enum mib_err err = check_file(p, fd);
	ssize_t n;

	if (err)
		return err;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			err = xml_parse_feed(p, piece, (size_t)n);
	} while (!err && (n > 0 || (n < 0 && errno == EINTR)));
	explicit_bzero(piece, sizeof(piece)); /* it may have been a secret */
	if (!err && n < 0)
		return xml_refuse(p, 0, MIB_RESOURCE_UNAVAILABLE, NULL,
				  "the file could not be read");
	return err ? err : xml_parse_end(p);
}
