/* ipspd/import_wire.c - see import_wire.h. */
#include "config.h"

#include "ipspd/import_wire.h"

#include <stdlib.h>
#include <string.h>

#include "xml/names.h"

enum record { REC_ROW = 1, REC_VALUE, REC_ROW_END, REC_SEAL, REC_SECRET, REC_SEAL_END };

/* ---- messages ---- */

int import_job_send(struct chan *c, const struct import_job *j)
{
	uint8_t buf[IMPORT_URL_MAX + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, j->seconds);
	chan_put_text(&w, j->url);
	return chan_send(c, IMPORT_JOB, buf, w.len, &j->fd, j->fd >= 0 ? 1 : 0);
}

bool import_job_read(struct chan_msg *m, struct import_job *j)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	j->seconds = chan_get_u32(&r);
	if (!chan_get_text(&r, j->url, sizeof(j->url)) || !chan_reader_done(&r) ||
	    m->n_fds != (j->url[0] ? 0 : 1) || j->seconds == 0 ||
	    j->seconds > IMPORT_SECONDS_MAX)
		return false;
	j->fd = -1;
	if (m->n_fds == 1) {
		j->fd = m->fds[0];
		m->fds[0] = -1;
	}
	return true;
}

int import_refused_send(struct chan *c, enum mib_err err, const struct xml_diag *d)
{
	uint8_t buf[sizeof(d->diag) + 32];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, (uint32_t)err);
	chan_put_u32(&w, d->line);
	chan_put_text(&w, d->diag.object);
	chan_put_text(&w, d->diag.text);
	return chan_send(c, IMPORT_REFUSED, buf, w.len, NULL, 0);
}

bool import_refused_read(const struct chan_msg *m, enum mib_err *err, struct xml_diag *d)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint32_t said = chan_get_u32(&r);

	*d = (struct xml_diag){ .line = chan_get_u32(&r) };
	if (!chan_get_text(&r, d->diag.object, sizeof(d->diag.object)) ||
	    !chan_get_text(&r, d->diag.text, sizeof(d->diag.text)) || !chan_reader_done(&r))
		return false;
	*err = (enum mib_err)said;
	return said != MIB_OK && said < MIB_BUSY;
}

/* ---- writing ---- */

static enum mib_err put(struct import_writer *w, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		size_t n = sizeof(w->octets) - w->len;

		if (n > len)
			n = len;
		memcpy(w->octets + w->len, at, n);
		w->len += n;
		at += n;
		len -= n;
		if (w->len == sizeof(w->octets) && !import_writer_end(w)) {
			mib_diag_set(&w->diag->diag, NULL, NULL, 0,
				     "what the file says cannot be passed on");
			return MIB_RESOURCE_UNAVAILABLE;
		}
	}
	return MIB_OK;
}

bool import_writer_end(struct import_writer *w)
{
	bool sent = w->len == 0 || w->flush(w->arg, w->octets, w->len);

	explicit_bzero(w->octets, w->len);	/* it may have been a secret */
	w->written += w->len;
	w->len = 0;
	return sent;
}

static enum mib_err put_index(struct import_writer *w, const struct mib_oid *index)
{
	uint8_t buf[2 + 4 * MIB_OID_MAX];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };

	chan_put_u16(&to, (uint16_t)index->len);
	for (size_t i = 0; i < index->len; i++)
		chan_put_u32(&to, index->ids[i]);
	return put(w, buf, to.len);
}

static enum mib_err put_row(void *arg, const struct mib_table *t, const struct mib_oid *index,
			    unsigned line)
{
	uint8_t buf[8];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };
	enum mib_err err;

	chan_put_u8(&to, REC_ROW);
	chan_put_u16(&to, (uint16_t)t->number);
	chan_put_u32(&to, line);
	err = put(arg, buf, to.len);
	return err ? err : put_index(arg, index);
}

/* A column by its table's number and its place there. */
static void put_column(struct chan_writer *to, const struct mib_column *col, unsigned line)
{
	chan_put_u16(to, (uint16_t)col->table->number);
	chan_put_u16(to, (uint16_t)col->pos);
	chan_put_u32(to, line);
}

static enum mib_err put_octets(struct import_writer *w, const uint8_t *data, size_t len)
{
	uint8_t buf[4];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };
	enum mib_err err;

	chan_put_u32(&to, (uint32_t)len);
	err = put(w, buf, to.len);
	return err ? err : put(w, data, len);
}

static enum mib_err put_value(void *arg, const struct mib_column *col, const struct mib_value *v,
			      unsigned line)
{
	uint8_t buf[32];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };
	struct mib_oid oid;
	enum mib_err err;

	chan_put_u8(&to, REC_VALUE);
	put_column(&to, col, line);
	if (v->syntax == MIB_SYN_COUNTER64)
		chan_put_u64(&to, v->counter64);
	else if (v->syntax != MIB_SYN_OCTETS && v->syntax != MIB_SYN_BITS &&
		 v->syntax != MIB_SYN_OID)
		chan_put_u64(&to, (uint64_t)v->number);
	err = put(arg, buf, to.len);
	if (!err && (v->syntax == MIB_SYN_OCTETS || v->syntax == MIB_SYN_BITS))
		err = put_octets(arg, v->octets.data, v->octets.len);
	if (!err && v->syntax == MIB_SYN_OID) {
		oid.len = v->oid.len;
		memcpy(oid.ids, v->oid.ids, v->oid.len * sizeof(oid.ids[0]));
		err = put_index(arg, &oid);
	}
	return err;
}

static enum mib_err put_row_end(void *arg)
{
	const uint8_t kind = REC_ROW_END;

	return put(arg, &kind, 1);
}

static enum mib_err put_seal(void *arg, const struct xml_seal *seal)
{
	uint8_t buf[8 + MIB_FILE_SEAL_SALT + MIB_FILE_SEAL_CHECK];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };

	chan_put_u8(&to, REC_SEAL);
	chan_put_u32(&to, seal->line);
	chan_put_u8(&to, (uint8_t)seal->head.kind);
	chan_put_raw(&to, seal->head.salt, sizeof(seal->head.salt));
	chan_put_raw(&to, seal->head.key_check, sizeof(seal->head.key_check));
	return put(arg, buf, to.len);
}

static enum mib_err put_secret(void *arg, const struct xml_secret *s)
{
	uint8_t buf[16];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };
	enum mib_err err;

	chan_put_u8(&to, REC_SECRET);
	put_column(&to, s->col, s->line);
	err = put(arg, buf, to.len);
	if (!err)
		err = put_index(arg, &s->index);
	return err ? err : put_octets(arg, s->blob, s->len);
}

static enum mib_err put_seal_end(void *arg, const uint8_t list_check[MIB_FILE_SEAL_CHECK],
				 unsigned line)
{
	uint8_t buf[8 + MIB_FILE_SEAL_CHECK];
	struct chan_writer to = { .data = buf, .size = sizeof(buf) };

	chan_put_u8(&to, REC_SEAL_END);
	chan_put_u32(&to, line);
	chan_put_raw(&to, list_check, MIB_FILE_SEAL_CHECK);
	return put(arg, buf, to.len);
}

struct xml_sink import_writer_sink(struct import_writer *w)
{
	return (struct xml_sink){ put_row, put_value, put_row_end, put_seal, put_secret,
				  put_seal_end, w };
}

/* ---- reading ---- */

/* What is let go is wiped, so not realloc. */
bool import_records_add(struct import_records *r, const uint8_t *octets, size_t len)
{
	size_t size = r->size ? r->size : CHAN_PAYLOAD_MAX;
	uint8_t *grown;

	if (len > IMPORT_RECORDS_MAX - r->len)
		return false;
	while (size < r->len + len)
		size *= 2;
	if (size > r->size) {
		grown = malloc(size);
		if (!grown)
			return false;
		if (r->data) {
			memcpy(grown, r->data, r->len);
			explicit_bzero(r->data, r->len);
			free(r->data);
		}
		r->data = grown;
		r->size = size;
	}
	memcpy(r->data + r->len, octets, len);
	r->len += len;
	return true;
}

void import_records_fini(struct import_records *r)
{
	if (r->data)
		explicit_bzero(r->data, r->len);
	free(r->data);
	*r = (struct import_records){ 0 };
}

struct reading {
	struct chan_reader r;
	const struct xml_sink *to;
	const struct mib_table *table;	/* of the row that is open, or NULL */
	const struct mib_column *named[XML_LEAVES_MAX];
	size_t n_named;
	bool seal_open, seal_ended;
};

static bool get_index(struct reading *in, struct mib_oid *out)
{
	out->len = chan_get_u16(&in->r);
	if (out->len > MIB_OID_MAX)
		return false;
	for (size_t i = 0; i < out->len; i++)
		out->ids[i] = chan_get_u32(&in->r);
	return !in->r.short_read;
}

static bool index_reads(const struct mib_table *t, const struct mib_oid *index)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;

	if (t->is_scalars)
		return index->len == 1 && index->ids[0] == 0;
	return mib_index_decode(t, index->ids, index->len, parts, &scratch, NULL) == MIB_OK;
}

static const struct mib_column *get_column(struct reading *in)
{
	uint16_t table = chan_get_u16(&in->r), pos = chan_get_u16(&in->r);

	if (in->r.short_read || table >= mib_n_tables || pos >= mib_tables[table]->n_columns)
		return NULL;
	return &mib_tables[table]->columns[pos];
}

static bool read_row(struct reading *in, enum mib_err *err)
{
	uint16_t table = chan_get_u16(&in->r);
	uint32_t line = chan_get_u32(&in->r);
	struct mib_oid index;

	if (in->table || !get_index(in, &index) || table >= mib_n_tables ||
	    !xml_is_config(mib_tables[table]) || !index_reads(mib_tables[table], &index))
		return false;
	in->table = mib_tables[table];
	in->n_named = 0;
	*err = in->to->row(in->to->arg, in->table, &index, line);
	return true;
}

/* May it stand in the open row, and has it not yet? */
static bool belongs(struct reading *in, const struct mib_column *col)
{
	if (!in->table || !col || col->access < MIB_ACC_WRITE ||
	    (col->table != in->table && col->table->augments != in->table) ||
	    in->n_named == XML_LEAVES_MAX)
		return false;
	for (size_t i = 0; i < in->n_named; i++)
		if (in->named[i] == col)
			return false;
	in->named[in->n_named++] = col;
	return true;
}

static bool read_content(struct reading *in, const struct mib_column *col, struct mib_oid *oid,
			 struct mib_value *v)
{
	*v = (struct mib_value){ .syntax = col->syntax };
	switch (col->syntax) {
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		v->octets.data = chan_get_octets(&in->r, &v->octets.len);
		return v->octets.data != NULL && v->octets.len <= XML_TEXT_MAX;
	case MIB_SYN_OID:
		v->oid.ids = oid->ids;
		if (!get_index(in, oid))
			return false;
		v->oid.len = oid->len;
		return true;
	case MIB_SYN_COUNTER64:
		v->counter64 = chan_get_u64(&in->r);
		return !in->r.short_read;
	default:
		v->number = (int64_t)chan_get_u64(&in->r);
		return !in->r.short_read;
	}
}

static bool read_value(struct reading *in, enum mib_err *err)
{
	const struct mib_column *col = get_column(in);
	uint32_t line = chan_get_u32(&in->r);
	struct mib_value v;
	struct mib_oid oid;

	if (!belongs(in, col) || !read_content(in, col, &oid, &v))
		return false;
	*err = in->to->value(in->to->arg, col, &v, line);
	return true;
}

static bool read_row_end(struct reading *in, enum mib_err *err)
{
	if (!in->table)
		return false;
	in->table = NULL;
	*err = in->to->row_end(in->to->arg);
	return true;
}

static bool read_seal(struct reading *in, enum mib_err *err)
{
	struct xml_seal seal = { .line = chan_get_u32(&in->r) };
	uint8_t kind = chan_get_u8(&in->r);

	chan_get_raw(&in->r, seal.head.salt, sizeof(seal.head.salt));
	chan_get_raw(&in->r, seal.head.key_check, sizeof(seal.head.key_check));
	if (in->r.short_read || in->table || in->seal_open || in->seal_ended ||
	    (kind != MIB_FILE_SEAL_PASSPHRASE && kind != MIB_FILE_SEAL_KEYFILE))
		return false;
	in->seal_open = true;
	seal.head.kind = (enum mib_file_seal_kind)kind;
	*err = in->to->seal(in->to->arg, &seal);
	return true;
}

static bool read_secret(struct reading *in, enum mib_err *err)
{
	struct xml_secret s = { .col = get_column(in) };

	s.line = chan_get_u32(&in->r);
	if (!s.col || !in->seal_open || !get_index(in, &s.index))
		return false;
	s.blob = chan_get_octets(&in->r, &s.len);
	if (!s.blob || s.len > XML_TEXT_MAX || !index_reads(s.col->table, &s.index))
		return false;
	*err = in->to->secret(in->to->arg, &s);
	return true;
}

static bool read_seal_end(struct reading *in, enum mib_err *err)
{
	uint8_t check[MIB_FILE_SEAL_CHECK];
	uint32_t line = chan_get_u32(&in->r);

	chan_get_raw(&in->r, check, sizeof(check));
	if (in->r.short_read || !in->seal_open)
		return false;
	in->seal_open = false;
	in->seal_ended = true;
	*err = in->to->seal_end(in->to->arg, check, line);
	return true;
}

bool import_records_read(const uint8_t *octets, size_t len, const struct xml_sink *to,
			 enum mib_err *err)
{
	static bool (*const readers[])(struct reading *in, enum mib_err *err) = {
		[REC_ROW] = read_row, [REC_VALUE] = read_value, [REC_ROW_END] = read_row_end,
		[REC_SEAL] = read_seal, [REC_SECRET] = read_secret,
		[REC_SEAL_END] = read_seal_end,
	};
	struct reading in = { .r = { .data = octets, .len = len }, .to = to };

	*err = MIB_OK;
	while (!chan_reader_done(&in.r)) {
		uint8_t kind = chan_get_u8(&in.r);

		if (kind < REC_ROW || kind > REC_SEAL_END || !readers[kind](&in, err))
			return false;
		if (*err)
			return true;
	}
	return !in.table && !in.seal_open;
}

enum mib_err import_records_apply(struct mib_store *s, const struct import_records *r,
				  const struct xml_import_options *o, struct xml_summary *sum,
				  struct xml_diag *d)
{
	struct xml_import *im;
	enum mib_err err = xml_import_begin(s, o, d, &im);

	if (err)
		return err;
	if (!import_records_read(r->data, r->len, xml_import_sink(im), &err)) {
		err = MIB_GEN_ERR;
		d->line = 0;
		mib_diag_set(&d->diag, NULL, NULL, 0,
			     "what the import process says of the file is malformed");
	}
	return xml_import_end(im, err, sum);
}

/* ---- looking for a seal ---- */

struct seal_search {
	struct xml_seal *seal;
	bool found;
};

static enum mib_err pass_row(void *arg, const struct mib_table *t, const struct mib_oid *index,
			     unsigned line)
{
	(void)arg;
	(void)t;
	(void)index;
	(void)line;
	return MIB_OK;
}

static enum mib_err pass_value(void *arg, const struct mib_column *col, const struct mib_value *v,
			       unsigned line)
{
	(void)arg;
	(void)col;
	(void)v;
	(void)line;
	return MIB_OK;
}

static enum mib_err pass_row_end(void *arg)
{
	(void)arg;
	return MIB_OK;
}

static enum mib_err note_seal(void *arg, const struct xml_seal *seal)
{
	struct seal_search *s = arg;

	*s->seal = *seal;
	s->found = true;
	return MIB_OK;
}

static enum mib_err pass_secret(void *arg, const struct xml_secret *secret)
{
	(void)arg;
	(void)secret;
	return MIB_OK;
}

static enum mib_err pass_seal_end(void *arg, const uint8_t list_check[MIB_FILE_SEAL_CHECK],
				  unsigned line)
{
	(void)arg;
	(void)list_check;
	(void)line;
	return MIB_OK;
}

bool import_records_seal(const struct import_records *r, struct xml_seal *seal)
{
	struct seal_search search = { .seal = seal };
	const struct xml_sink sink = { pass_row, pass_value, pass_row_end, note_seal, pass_secret,
				       pass_seal_end, &search };
	enum mib_err err;

	/* Malformed records are found again, and refused, by who takes them. */
	(void)!import_records_read(r->data, r->len, &sink, &err);
	return search.found;
}
