/*
 * xml/import.c - the transaction that a file makes: its beginning, sealed secrets, its end.
 *
 * Must not read XML: that is done elsewhere, and what comes from there is not believed.
 */
#include "xml/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xml/import_int.h"

enum mib_err xml_import_refuse(struct xml_import *im, unsigned line, enum mib_err err,
			       const char *object, const char *why)
{
	im->diag->line = line;
	mib_diag_set(&im->diag->diag, NULL, NULL, 0, "%s", why);
	snprintf(im->diag->diag.object, sizeof(im->diag->diag.object), "%s", object);
	return err;
}

/* ---- sealed secrets ---- */

static enum mib_err take_seal(void *arg, const struct xml_seal *seal)
{
	struct xml_import *im = arg;
	enum mib_err err = MIB_OK;

	if (im->sealed)
		return xml_import_refuse(im, seal->line, MIB_INCONSISTENT_VALUE, "sealedSecrets",
					 "this element stands here twice");
	im->sealed = true;
	im->diag->line = seal->line;
	if (im->options->seal)
		err = mib_file_seal_check(im->options->seal, &seal->head, &im->diag->diag);
	return err;
}

static enum mib_err take_seal_end(void *arg, const uint8_t list_check[MIB_FILE_SEAL_CHECK],
				  unsigned line)
{
	struct xml_import *im = arg;
	uint8_t wanted[MIB_FILE_SEAL_CHECK];

	im->seal_ended = true;
	if (!im->options->seal)
		return MIB_OK;
	if (mib_file_seal_end(im->options->seal, wanted) != MIB_OK)
		return xml_import_refuse(im, line, MIB_RESOURCE_UNAVAILABLE, "listCheck",
					 "the list of secrets cannot be checked");
	if (memcmp(wanted, list_check, sizeof(wanted)) != 0)
		return xml_import_refuse(im, line, MIB_WRONG_VALUE, "listCheck",
					 "the sealed secrets are not those that were written here: "
					 "some are missing, or stand in another order");
	return MIB_OK;
}

/* ---- the whole file ---- */

static void row_text(const struct mib_table *t, const uint32_t *ids, size_t len, char *buf,
		     size_t size)
{
	char index[512];

	mib_index_print(t, ids, len, index, sizeof(index));
	snprintf(buf, size, "%s.%s", t->name, index);
}

static void say_difference(const struct xml_import *im, const struct mib_change *c)
{
	char row[600], line[640];
	size_t len;
	const uint32_t *ids = mib_row_index(c->after ? c->after : c->before, &len);

	if (!im->options->difference)
		return;
	row_text(c->table, ids, len, row, sizeof(row));
	snprintf(line, sizeof(line), "%c %s", !c->before ? '+' : c->after ? '~' : '-', row);
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

/* Rows that the file wants active and that the transaction leaves out of force. */
static void count_not_ready(struct xml_import *im, struct xml_summary *sum)
{
	const struct mib_view *v = mib_txn_view(im->txn);

	for (struct xml_named *n = xml_named_next(im, NULL); n; n = xml_named_next(im, n)) {
		const struct mib_row *r = mib_view_row(v, n->table, n->index, n->len);
		struct mib_diag d = { 0 };
		char row[600], line[1024];

		if (!n->active || !r || mib_row_active(r))
			continue;
		sum->not_ready++;
		if (!im->options->not_ready)
			continue;
		(void)mib_row_status(v, r, &d);
		row_text(n->table, n->index, n->len, row, sizeof(row));
		snprintf(line, sizeof(line), "%s: %s", row, d.text);
		im->options->not_ready(im->options->arg, line);
	}
}

static enum mib_err prepare(struct xml_import *im)
{
	enum mib_err err;
	size_t nr;

	if (im->options->replace && (err = xml_drop_others(im)) != MIB_OK)
		return err;
	im->diag->line = 0;
	err = mib_txn_prepare(im->txn, &im->diag->diag);
	if (err) {
		nr = im->diag->diag.varbind;
		im->diag->line = nr >= 1 && nr <= im->n_lines ? im->lines[nr - 1] : 0;
	}
	return err;
}

static enum mib_err apply(struct xml_import *im, struct xml_summary *sum)
{
	enum mib_err err;

	if (im->row || (im->sealed && !im->seal_ended))
		return xml_import_refuse(im, 0, MIB_GEN_ERR, "",
					 "the file's rows ended in the middle");
	err = prepare(im);
	if (err)
		return err;
	count_changes(im, sum);
	count_not_ready(im, sum);
	if (im->options->dry_run || !mib_txn_is_change(im->txn))
		return MIB_OK;
	err = mib_txn_commit(im->txn, &im->diag->diag);
	if (!err)
		sum->generation = mib_store_generation(im->store);
	return err;
}

enum mib_err xml_import_begin(struct mib_store *s, const struct xml_import_options *o,
			      struct xml_diag *diag, struct xml_import **out)
{
	struct xml_import *im = calloc(1, sizeof(*im));
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;

	*diag = (struct xml_diag){ 0 };
	if (im)
		err = mib_txn_begin(s, MIB_DOOR_XML, o->who, &im->txn);
	if (err) {
		mib_diag_set(&diag->diag, NULL, NULL, 0, "%s",
			     err == MIB_BUSY ? "another transaction is open" : "out of memory");
		free(im);
		return err;
	}
	mib_txn_may_lack_secrets(im->txn);
	im->store = s;
	im->options = o;
	im->diag = diag;
	RB_INIT(&im->named);
	im->sink = (struct xml_sink){ xml_take_row, xml_take_value, xml_take_row_end, take_seal,
				      xml_take_secret, take_seal_end, im };
	*out = im;
	return MIB_OK;
}

const struct xml_sink *xml_import_sink(struct xml_import *im)
{
	return &im->sink;
}

enum mib_err xml_import_end(struct xml_import *im, enum mib_err err, struct xml_summary *sum)
{
	struct xml_summary made = { 0 };

	if (!err)
		err = apply(im, &made);
	if (err)
		mib_txn_refused(im->txn);
	mib_txn_done(im->txn);
	xml_named_free(im);
	free(im->lines);
	free(im);
	if (!err)
		*sum = made;
	return err;
}
