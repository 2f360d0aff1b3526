/*
 * xml/parse_sealed.c - the element of sealed secrets: octets and places, without a key.
 *
 *   <sealedSecrets xmlns="urn:ipspd:sealed-secrets:1">
 *     <scheme>scrypt-aes-siv</scheme> <salt>..</salt> <keyCheck>..</keyCheck>
 *     <secret> <object>1.3.6.1...</object> <value>..</value> </secret> ..
 *     <listCheck>..</listCheck>
 *
 * What they mean stands in mibs/file_seal.h. The three of the head come before the secrets.
 */
#include <string.h>

#include "xml/names.h"
#include "xml/parse_int.h"

static bool is_of_secret(const struct mib_column *col)
{
	return col == &xml_secret_object || col == &xml_secret_value;
}

enum mib_err xml_sealed_leaf_open(struct xml_parse *p, const char *name, unsigned line)
{
	const struct mib_column *const here[] = { &xml_sealed_scheme, &xml_sealed_salt,
						  &xml_sealed_key_check, &xml_sealed_list_check,
						  &xml_secret_object, &xml_secret_value };
	const bool in_secret = p->place == IN_SECRET;

	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		if (is_of_secret(here[i]) != in_secret || strcmp(here[i]->name, name) != 0)
			continue;
		if (xml_leaf_find(p, here[i]))
			return xml_refuse(p, line, MIB_INCONSISTENT_VALUE, here[i],
					  "this element stands here twice");
		/* Four of the head, two of a secret: there is always room. */
		p->open = &p->leaves[p->n_leaves++];
		*p->open = (struct xml_leaf){ .col = here[i], .line = line };
		p->place = in_secret ? IN_SECRET_LEAF : IN_SEALED_LEAF;
		return MIB_OK;
	}
	return xml_refuse_element(p, line, MIB_NO_SUCH_OBJECT, name,
				  "no element of that name belongs here");
}

/* The value of a leaf that must be there; *v borrows from p->space. */
static enum mib_err read_leaf(struct xml_parse *p, const struct mib_column *col,
			      struct mib_value *v)
{
	struct xml_leaf *l = xml_leaf_find(p, col);

	if (!l)
		return xml_refuse(p, p->entry_line, MIB_INCONSISTENT_VALUE, col,
				  "this part of the sealed secrets is missing: they are not whole");
	return xml_leaf_parse(p, l, p->space, sizeof(p->space), v);
}

static enum mib_err read_octets(struct xml_parse *p, const struct mib_column *col, uint8_t *out)
{
	struct mib_value v;
	enum mib_err err = read_leaf(p, col, &v);

	/* The column's range gives the length, which is out's. */
	if (!err)
		memcpy(out, v.octets.data, v.octets.len);
	return err;
}

static enum mib_err read_head(struct xml_parse *p)
{
	struct xml_seal seal = { .line = p->entry_line };
	struct mib_value v;
	enum mib_err err = read_leaf(p, &xml_sealed_scheme, &v);

	if (!err) {
		seal.head.kind = (enum mib_file_seal_kind)v.number;
		err = read_octets(p, &xml_sealed_salt, seal.head.salt);
	}
	if (!err)
		err = read_octets(p, &xml_sealed_key_check, seal.head.key_check);
	if (err)
		return err;
	p->seal_told = true;
	return p->to.seal(p->to.arg, &seal);
}

enum mib_err xml_secret_open(struct xml_parse *p, unsigned line)
{
	enum mib_err err = MIB_OK;

	if (!p->seal_told)
		err = read_head(p);
	else if (xml_leaf_find(p, &xml_sealed_list_check))
		err = xml_refuse_element(p, line, MIB_INCONSISTENT_VALUE, XML_SECRET,
					 "it stands behind the end of the list");
	if (err)
		return err;
	/* What the head said is told: the leaves are those of one secret from here on. */
	xml_leaves_free(p);
	p->entry_line = line;
	p->place = IN_SECRET;
	return MIB_OK;
}

/* An OID of ours: a column that rows have, and an index that reads. */
static enum mib_err read_object(struct xml_parse *p, struct xml_secret *out)
{
	struct mib_value parts[MIB_INDEX_MAX], oid;
	struct mib_index_scratch scratch;
	const uint32_t *index;
	size_t len;
	enum mib_err err = read_leaf(p, &xml_secret_object, &oid);

	if (err)
		return err;
	if (!mib_table_by_oid(oid.oid.ids, oid.oid.len, &out->col, &index, &len) || !out->col)
		return xml_refuse(p, p->diag->line, MIB_NO_SUCH_OBJECT, &xml_secret_object,
				  "this is not the number of an object that there is here");
	err = mib_index_decode(out->col->table, index, len, parts, &scratch, &p->diag->diag);
	if (err)
		return err;
	memcpy(out->index.ids, index, len * sizeof(index[0]));
	out->index.len = len;
	return MIB_OK;
}

enum mib_err xml_secret_finish(struct xml_parse *p)
{
	struct xml_secret s = { .line = p->entry_line };
	enum mib_err err = read_object(p, &s);
	struct mib_value v;

	if (!err)
		err = read_leaf(p, &xml_secret_value, &v);
	if (!err) {
		s.blob = v.octets.data;
		s.len = v.octets.len;
		err = p->to.secret(p->to.arg, &s);
	}
	xml_leaves_free(p);
	return err;
}

enum mib_err xml_sealed_finish(struct xml_parse *p)
{
	uint8_t check[MIB_FILE_SEAL_CHECK];
	enum mib_err err = p->seal_told ? MIB_OK : read_head(p);

	if (!err)
		err = read_octets(p, &xml_sealed_list_check, check);
	if (!err)
		err = p->to.seal_end(p->to.arg, check, p->diag->line);
	xml_leaves_free(p);
	return err;
}
