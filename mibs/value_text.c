/*
 * mibs/value_text.c - values, indexes and object names as text for people and XML.
 *
 * RFC 2579 3.1 (DISPLAY-HINT), RFC 6643 (XML form). Secrets are the callers' concern: nothing here
 * knows which octets are one.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "mibs/text.h"
#include "mibs/utf8.h"

/* A snprintf that can go on: counts what would have been written. */
struct text_out {
	char *buf;
	size_t size;
	size_t len;
};

static void out_start(struct text_out *o, char *buf, size_t size)
{
	o->buf = buf;
	o->size = size;
	o->len = 0;
	if (size > 0)
		buf[0] = '\0';
}

static void out_octets(struct text_out *o, const void *s, size_t n)
{
	if (o->len + 1 < o->size) {
		const size_t room = o->size - 1 - o->len;
		const size_t fits = n < room ? n : room;

		memcpy(o->buf + o->len, s, fits);
		o->buf[o->len + fits] = '\0';
	}
	o->len += n;
}

static void out_text(struct text_out *o, const char *s)
{
	out_octets(o, s, strlen(s));
}

static void out_number(struct text_out *o, int64_t n)
{
	char s[24];

	snprintf(s, sizeof(s), "%lld", (long long)n);
	out_text(o, s);
}

static void out_dotted(struct text_out *o, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			out_text(o, ".");
		out_number(o, ids[i]);
	}
}

static void out_hex(struct text_out *o, const uint8_t *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	out_text(o, "0x");
	for (size_t i = 0; i < n; i++) {
		const char pair[2] = { digits[s[i] >> 4], digits[s[i] & 15] };

		out_octets(o, pair, 2);
	}
}

/* RFC 4648 section 4. */
static void out_base64(struct text_out *o, const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		const size_t have = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)s[i] << 16;

		if (have > 1)
			bits |= (uint32_t)s[i + 1] << 8;
		if (have > 2)
			bits |= s[i + 2];

		const char quad[4] = {
			mib_base64_digits[bits >> 18 & 63],
			mib_base64_digits[bits >> 12 & 63],
			have > 1 ? mib_base64_digits[bits >> 6 & 63] : '=',
			have > 2 ? mib_base64_digits[bits & 63] : '=',
		};

		out_octets(o, quad, 4);
	}
}

const char mib_base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool mib_column_hints_text(const struct mib_column *col)
{
	const size_t n = col->hint != NULL ? strlen(col->hint) : 0;

	/* "255t", "255a": one run of UTF-8 or ASCII. */
	return col->syntax == MIB_SYN_OCTETS && n > 0 &&
	       (col->hint[n - 1] == 't' || col->hint[n - 1] == 'a') &&
	       strspn(col->hint, "0123456789") == n - 1;
}

static void out_address(struct text_out *o, const uint8_t *s, size_t n)
{
	char text[INET6_ADDRSTRLEN];

	if (n == 4 && inet_ntop(AF_INET, s, text, sizeof(text)) != NULL)
		out_text(o, text);
	else if (n == 16 && inet_ntop(AF_INET6, s, text, sizeof(text)) != NULL)
		out_text(o, text);
	else
		out_hex(o, s, n);
}

static void out_value_octets(struct text_out *o, const struct mib_column *col,
			     const struct mib_value *v, bool xml)
{
	const uint8_t *s = v->octets.data;
	const size_t n = v->octets.len;

	if (mib_column_hints_text(col) || (!xml && mib_column_is_text(col)))
		out_octets(o, s, n);
	else if (xml)
		out_base64(o, s, n);
	else if (col->tc == MIB_TC_INET_ADDRESS && n > 0)
		out_address(o, s, n);
	else
		out_hex(o, s, n);
}

static void out_bits(struct text_out *o, const struct mib_column *col, const struct mib_value *v)
{
	bool first = true;

	for (size_t bit = 0; bit < v->octets.len * 8; bit++) {
		if (!(v->octets.data[bit / 8] & (0x80 >> bit % 8)))
			continue;

		const char *name = mib_label_name(col, (int32_t)bit);

		if (!first)
			out_text(o, " ");
		first = false;
		if (name != NULL)
			out_text(o, name);
		else
			out_number(o, (int64_t)bit);
	}
}

static void out_integer(struct text_out *o, const struct mib_column *col, int64_t n)
{
	const char *name = col->n_labels > 0 ? mib_label_name(col, (int32_t)n) : NULL;

	if (name != NULL)
		out_text(o, name);
	else
		out_number(o, n);
}

size_t mib_value_print(const struct mib_column *col, const struct mib_value *v, bool xml, char *buf,
		       size_t size)
{
	struct text_out o;

	out_start(&o, buf, size);
	switch (col->syntax) {
	case MIB_SYN_OCTETS:
		out_value_octets(&o, col, v, xml);
		break;
	case MIB_SYN_BITS:
		out_bits(&o, col, v);
		break;
	case MIB_SYN_OID:
		if (xml) {
			out_dotted(&o, v->oid.ids, v->oid.len);
		} else {
			const size_t n = mib_oid_print(v->oid.ids, v->oid.len, buf, size);

			return n;
		}
		break;
	case MIB_SYN_COUNTER64: {
		char s[24];

		snprintf(s, sizeof(s), "%llu", (unsigned long long)v->counter64);
		out_text(&o, s);
		break;
	}
	default:
		out_integer(&o, col, v->number);
	}
	return o.len;
}

static void out_quoted(struct text_out *o, const uint8_t *s, size_t n)
{
	out_text(o, "\"");
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			out_text(o, "\\");
		out_octets(o, &s[i], 1);
	}
	out_text(o, "\"");
}

static void out_index_part(struct text_out *o, const struct mib_column *part,
			   const struct mib_value *v)
{
	if (part->syntax == MIB_SYN_OID) {
		out_dotted(o, v->oid.ids, v->oid.len);
	} else if (part->syntax == MIB_SYN_BITS) {
		out_hex(o, v->octets.data, v->octets.len);
	} else if (part->syntax == MIB_SYN_OCTETS) {
		if (mib_column_is_text(part))
			out_quoted(o, v->octets.data, v->octets.len);
		else if (part->tc == MIB_TC_INET_ADDRESS)
			out_address(o, v->octets.data, v->octets.len);
		else
			out_hex(o, v->octets.data, v->octets.len);
	} else {
		out_integer(o, part, v->number);
	}
}

size_t mib_index_print(const struct mib_table *t, const uint32_t *index, size_t len, char *buf,
		       size_t size)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	struct text_out o;

	out_start(&o, buf, size);
	if (t->is_scalars || mib_index_decode(t, index, len, parts, &scratch, NULL) != MIB_OK) {
		out_dotted(&o, index, len);
		return o.len;
	}
	for (size_t i = 0; i < t->n_index; i++) {
		if (i > 0)
			out_text(&o, ",");
		out_index_part(&o, t->index[i], &parts[i]);
	}
	return o.len;
}

size_t mib_oid_print(const uint32_t *oid, size_t len, char *buf, size_t size)
{
	const struct mib_column *col = NULL;
	const uint32_t *index = NULL;
	size_t index_len = 0;
	const struct mib_table *t = mib_table_by_oid(oid, len, &col, &index, &index_len);
	struct text_out o;

	out_start(&o, buf, size);
	if (t == NULL || col == NULL) {
		out_dotted(&o, oid, len);
		return o.len;
	}
	out_text(&o, col->name);
	if (index_len > 0) {
		char instance[4 * MIB_OID_MAX * 3];

		mib_index_print(t, index, index_len, instance, sizeof(instance));
		out_text(&o, ".");
		out_text(&o, instance);
	}
	return o.len;
}
