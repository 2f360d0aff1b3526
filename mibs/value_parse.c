/*
 * mibs/value_parse.c - reads what value_text.c writes, and what people write instead.
 *
 * The text is hostile. Every value read is judged by mib_value_check before it is handed out.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mibs/text.h"
#include "mibs/utf8.h"

static enum mib_err refuse(struct mib_diag *d, enum mib_err err, const char *object,
			   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static enum mib_err refuse(struct mib_diag *d, enum mib_err err, const char *object,
			   const char *fmt, ...)
{
	if (d == NULL)
		return err;
	snprintf(d->object, sizeof(d->object), "%s", object);

	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return err;
}

/* Decimal digits with an optional minus, the whole of s[0..n). */
static bool read_number(const char *s, size_t n, int64_t *out)
{
	char copy[24];
	char *end;

	if (n == 0 || n >= sizeof(copy) || strspn(s, "-0123456789") < n)
		return false;
	memcpy(copy, s, n);
	copy[n] = '\0';
	errno = 0;
	*out = strtoll(copy, &end, 10);
	return errno == 0 && end == copy + n && isdigit((unsigned char)end[-1]);
}

static bool read_label(const struct mib_column *col, const char *s, size_t n, int64_t *out)
{
	char name[80];
	int32_t number;

	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, s, n);
	name[n] = '\0';
	if (!mib_label_number(col, name, &number))
		return false;
	*out = number;
	return true;
}

static bool read_integer(const struct mib_column *col, const char *s, size_t n, bool xml,
			 int64_t *out)
{
	if (col->n_labels > 0) {
		if (read_label(col, s, n, out))
			return true;
		if (xml)
			return false;
	}
	/* RFC 7950 9.2.1: a plus may stand before. */
	if (xml && n > 1 && s[0] == '+' && isdigit((unsigned char)s[1]))
		return read_number(s + 1, n - 1, out);
	return read_number(s, n, out);
}

/* "1.3.6" into ids. @return how many, or 0 when it is none or too long */
static size_t read_dotted(const char *s, size_t n, uint32_t *ids, size_t max)
{
	size_t count = 0;

	while (n > 0) {
		const char *dot = memchr(s, '.', n);
		const size_t len = dot != NULL ? (size_t)(dot - s) : n;
		int64_t id;

		if (count == max || !read_number(s, len, &id) || id < 0 || id > UINT32_MAX)
			return 0;
		ids[count++] = (uint32_t)id;
		if (dot == NULL)
			return count;
		s += len + 1;
		n -= len + 1;
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* @return octets, or SIZE_MAX when s is not pairs of hexadecimal digits or does not fit */
static size_t read_hex(const char *s, size_t n, uint8_t *out, size_t max)
{
	if (n % 2 != 0 || n / 2 > max)
		return SIZE_MAX;
	for (size_t i = 0; i < n; i += 2) {
		const int high = hex_digit(s[i]), low = hex_digit(s[i + 1]);

		if (high < 0 || low < 0)
			return SIZE_MAX;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return n / 2;
}

/* RFC 4648 section 4; white space between digits is allowed, as XML editors wrap lines. */
static size_t read_base64(const char *s, size_t n, uint8_t *out, size_t max)
{
	uint32_t bits = 0;
	size_t digits = 0, pads = 0, len = 0;

	for (size_t i = 0; i < n; i++) {
		if (isspace((unsigned char)s[i]))
			continue;

		const char *at = s[i] == '=' || s[i] == '\0' ? NULL : strchr(mib_base64_digits, s[i]);

		if (s[i] == '=')
			pads++;
		else if (at == NULL || pads > 0)
			return SIZE_MAX;
		bits = bits << 6 | (at != NULL ? (uint32_t)(at - mib_base64_digits) : 0);
		if (++digits % 4 != 0)
			continue;
		if (pads > 2)
			return SIZE_MAX;
		for (size_t k = 0; k < 3 - pads; k++) {
			if (len == max)
				return SIZE_MAX;
			out[len++] = (uint8_t)(bits >> (16 - 8 * k));
		}
	}
	/* Digits after padding were refused above, so padding ends the last group only. */
	return digits % 4 == 0 && (pads == 0 || pads <= 2) ? len : SIZE_MAX;
}

static size_t read_address(const char *text, uint8_t *out, size_t max)
{
	if (max >= 4 && inet_pton(AF_INET, text, out) == 1)
		return 4;
	if (max >= 16 && inet_pton(AF_INET6, text, out) == 1)
		return 16;
	return SIZE_MAX;
}

static enum mib_err parse_octets(const struct mib_column *col, const char *text, bool xml,
				 uint8_t *space, size_t size, struct mib_value *v,
				 struct mib_diag *d)
{
	const bool literal = mib_column_hints_text(col) || (!xml && mib_column_is_text(col));
	const size_t n = strlen(text);
	size_t len = SIZE_MAX;

	if (!literal && xml) {
		len = read_base64(text, n, space, size);
		if (len == SIZE_MAX)
			return refuse(d, MIB_WRONG_VALUE, col->name,
				      "not base64 (RFC 4648 4), or too long");
	} else if (!literal && n >= 2 && text[0] == '0' && text[1] == 'x') {
		len = read_hex(text + 2, n - 2, space, size);
		if (len == SIZE_MAX)
			return refuse(d, MIB_WRONG_VALUE, col->name,
				      "not pairs of hexadecimal digits, or too long");
	} else if (col->tc == MIB_TC_INET_ADDRESS && n > 0) {
		len = read_address(text, space, size);
		if (len == SIZE_MAX)
			return refuse(d, MIB_WRONG_VALUE, col->name,
				      "not an address; the prefix length has a column of its own");
	} else if (n <= size) {
		memcpy(space, text, n);
		len = n;
	} else {
		return refuse(d, MIB_WRONG_LENGTH, col->name, "%zu octets are too many", n);
	}
	*v = mib_value_octets(space, len);
	return MIB_OK;
}

static enum mib_err parse_bits(const struct mib_column *col, const char *text, bool xml,
			       uint8_t *space, size_t size, struct mib_value *v,
			       struct mib_diag *d)
{
	const char *const between = xml ? " \t\r\n" : " \t\r\n,";
	size_t len = 0;

	for (const char *at = text; *at != '\0';) {
		const size_t skip = strspn(at, between);

		at += skip;
		if (*at == '\0')
			break;

		const size_t n = strcspn(at, between);
		int64_t bit;

		if (!read_integer(col, at, n, xml, &bit) || bit < 0 || bit > UINT16_MAX ||
		    (size_t)bit / 8 >= size)
			return refuse(d, MIB_WRONG_VALUE, col->name, "no bit is called '%.*s'",
				      (int)(n < 64 ? n : 64), at);
		while (len <= (size_t)bit / 8)
			space[len++] = 0;
		if (xml && (space[bit / 8] & (0x80 >> bit % 8))) /* RFC 7950 9.7.2 */
			return refuse(d, MIB_WRONG_VALUE, col->name, "'%.*s' stands here twice",
				      (int)(n < 64 ? n : 64), at);
		space[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		at += n;
	}
	*v = (struct mib_value){ .syntax = MIB_SYN_BITS, .octets = { space, len } };
	return MIB_OK;
}

/* "spdCompFiltDescription.\"web\"", "spdTrueFilter.0", or the instance in numbers. */
static enum mib_err parse_named_oid(const char *text, struct mib_oid *out, struct mib_diag *d)
{
	char name[80];
	const size_t n = strcspn(text, ".");

	if (n == 0 || n >= sizeof(name))
		return refuse(d, MIB_WRONG_VALUE, text, "neither an OID nor an object's name");
	memcpy(name, text, n);
	name[n] = '\0';

	const struct mib_column *col = mib_column_by_name(name);

	if (col == NULL)
		return refuse(d, MIB_WRONG_VALUE, name, "there is no object of that name");
	out->len = 0;
	if (!mib_oid_append(out, col->table->entry_oid, col->table->entry_oid_len) ||
	    !mib_oid_append(out, &col->id, 1))
		return refuse(d, MIB_WRONG_VALUE, name, "too long for an OID");
	if (text[n] == '\0')
		return MIB_OK;

	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	struct mib_oid index;

	index.len = read_dotted(text + n + 1, strlen(text + n + 1), index.ids, MIB_OID_MAX);
	if (index.len == 0 ||
	    mib_index_decode(col->table, index.ids, index.len, parts, &scratch, NULL) != MIB_OK) {
		if (mib_index_parse(col->table, text + n + 1, &index, d) != MIB_OK)
			return MIB_WRONG_VALUE;
	}
	if (!mib_oid_append(out, index.ids, index.len))
		return refuse(d, MIB_WRONG_VALUE, name, "too long for an OID");
	return MIB_OK;
}

/* The form of RFC 6991 object-identifier: no leading zeros; the first two arcs are X.660's. */
static bool is_strict_oid(const char *text, const struct mib_oid *oid)
{
	if (oid->len < 2 || oid->ids[0] > 2 || (oid->ids[0] < 2 && oid->ids[1] > 39))
		return false;
	for (const char *at = text; at != NULL; at = strchr(at, '.')) {
		at += *at == '.';
		if (at[0] == '0' && isdigit((unsigned char)at[1]))
			return false;
	}
	return text[0] != '.';
}

static enum mib_err parse_oid(const struct mib_column *col, const char *text, bool xml, void *space,
			      size_t size, struct mib_value *v, struct mib_diag *d)
{
	const char *digits = text[0] == '.' ? text + 1 : text;
	struct mib_oid oid;

	oid.len = read_dotted(digits, strlen(digits), oid.ids, MIB_OID_MAX);
	if (xml && oid.len > 0 && !is_strict_oid(text, &oid))
		oid.len = 0;
	if (oid.len == 0) {
		if (xml)
			return refuse(d, MIB_WRONG_VALUE, col->name,
				      "'%.64s' is not an OID in dotted numbers", text);

		const enum mib_err err = parse_named_oid(text, &oid, d);

		if (err != MIB_OK)
			return err;
	}
	if (oid.len * sizeof(oid.ids[0]) > size)
		return refuse(d, MIB_WRONG_LENGTH, col->name, "too many sub-identifiers");
	memcpy(space, oid.ids, oid.len * sizeof(oid.ids[0]));
	*v = mib_value_oid(space, oid.len);
	return MIB_OK;
}

static enum mib_err parse_number(const struct mib_column *col, const char *text, bool xml,
				 struct mib_value *v, struct mib_diag *d)
{
	size_t n = strlen(text);
	int64_t number;

	if (!xml && text[0] == '/' && col->type_name != NULL &&
	    strcmp(col->type_name, "InetAddressPrefixLength") == 0) {
		text++;
		n--;
	}
	if (!read_integer(col, text, n, xml, &number)) {
		const bool number_too = read_number(text, n, &number);

		return refuse(d, col->n_labels > 0 || number_too ? MIB_WRONG_VALUE : MIB_WRONG_TYPE,
			      col->name, "'%.64s' is %s", text,
			      col->n_labels > 0 ? "none of its labels" : "no number");
	}
	*v = (struct mib_value){ .syntax = col->syntax, .number = number };
	return MIB_OK;
}

static enum mib_err parse_counter64(const struct mib_column *col, const char *text,
				    struct mib_value *v, struct mib_diag *d)
{
	char *end;

	errno = 0;

	const unsigned long long n = strtoull(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0)
		return refuse(d, MIB_WRONG_TYPE, col->name, "'%.64s' is no number", text);
	*v = mib_value_counter64(n);
	return MIB_OK;
}

enum mib_err mib_value_parse(const struct mib_column *col, const char *text, bool xml, void *space,
			     size_t space_size, struct mib_value *v, struct mib_diag *d)
{
	struct mib_value got;
	enum mib_err err;

	switch (col->syntax) {
	case MIB_SYN_OCTETS:
		err = parse_octets(col, text, xml, space, space_size, &got, d);
		break;
	case MIB_SYN_BITS:
		err = parse_bits(col, text, xml, space, space_size, &got, d);
		break;
	case MIB_SYN_OID:
		err = parse_oid(col, text, xml, space, space_size, &got, d);
		break;
	case MIB_SYN_COUNTER64:
		err = parse_counter64(col, text, &got, d);
		break;
	default:
		err = parse_number(col, text, xml, &got, d);
	}
	if (err != MIB_OK)
		return err;
	err = mib_value_check(col, &got, d);
	if (err == MIB_OK)
		*v = got;
	return err;
}

/*
 * One part of an index as text: up to the next comma, or in quotes. What it says goes to token.
 * @return where the part ends, or NULL when a quote is open or it is too long
 */
static const char *index_token(const char *s, char *token, size_t size, bool *quoted)
{
	size_t n = 0;

	*quoted = *s == '"';
	if (*quoted)
		s++;
	for (; *s != '\0'; s++) {
		if (*quoted && *s == '"')
			break;
		if (!*quoted && *s == ',')
			break;
		if (*quoted && *s == '\\' && s[1] != '\0')
			s++;
		if (n + 1 >= size)
			return NULL;
		token[n++] = *s;
	}
	token[n] = '\0';
	if (!*quoted)
		return s;
	return *s == '"' ? s + 1 : NULL;
}

enum mib_err mib_index_parse(const struct mib_table *t, const char *text, struct mib_oid *out,
			     struct mib_diag *d)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;
	_Alignas(8) uint8_t space[4 * MIB_OID_MAX];
	struct mib_oid oid = { 0 };

	if (t->is_scalars) {
		if (strcmp(text, "0") != 0 && text[0] != '\0')
			return refuse(d, MIB_NO_CREATION, t->name, "a scalar's instance is 0");
		*out = (struct mib_oid){ .len = 1 };
		return MIB_OK;
	}
	for (size_t i = 0; i < t->n_index; i++) {
		const struct mib_column *part = t->index[i];
		char token[4 * MIB_OID_MAX];
		struct mib_value v;
		bool quoted;

		if (i > 0 && *text++ != ',')
			return refuse(d, MIB_NO_CREATION, t->name, "%zu index parts are needed: %s is missing",
				      t->n_index, part->name);
		text = index_token(text, token, sizeof(token), &quoted);
		if (text == NULL)
			return refuse(d, MIB_NO_CREATION, t->name, "%s: too long, or a quote is open",
				      part->name);
		/* In quotes it is text, whatever it looks like. */
		if (quoted && part->syntax == MIB_SYN_OCTETS)
			v = mib_value_octets(token, strlen(token));
		else if (mib_value_parse(part, token, false, space, sizeof(space), &v, d) != MIB_OK)
			return MIB_NO_CREATION;
		if (!mib_index_encode_part(part, &v, &oid))
			return refuse(d, MIB_NO_CREATION, t->name, "too long for an OID");
	}
	if (*text != '\0')
		return refuse(d, MIB_NO_CREATION, t->name, "'%.64s' follows its %zu index parts", text,
			      t->n_index);

	const enum mib_err err = mib_index_decode(t, oid.ids, oid.len, parts, &scratch, d);

	if (err == MIB_OK)
		*out = oid;
	return err;
}
