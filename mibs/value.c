/*
 * mibs/value.c - comparing and judging single values, and refusals in words.
 *
 * RFC 2578 7.1 (syntaxes, sizes, ranges, labels), RFC 3416 4.2.5 (which error comes first). Says
 * nothing of access, of rows or of other values.
 */
#include "mibs/value.h"

#include <gcrypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mibs/utf8.h"

const char *mib_err_name(enum mib_err err)
{
	static const char *const names[] = {
		[MIB_OK] = "noError",
		[MIB_NO_SUCH_OBJECT] = "noSuchObject",
		[MIB_NO_SUCH_INSTANCE] = "noSuchInstance",
		[MIB_END_OF_VIEW] = "endOfMibView",
		[MIB_NO_ACCESS] = "noAccess",
		[MIB_NOT_WRITABLE] = "notWritable",
		[MIB_WRONG_TYPE] = "wrongType",
		[MIB_WRONG_LENGTH] = "wrongLength",
		[MIB_WRONG_ENCODING] = "wrongEncoding",
		[MIB_WRONG_VALUE] = "wrongValue",
		[MIB_NO_CREATION] = "noCreation",
		[MIB_INCONSISTENT_NAME] = "inconsistentName",
		[MIB_INCONSISTENT_VALUE] = "inconsistentValue",
		[MIB_RESOURCE_UNAVAILABLE] = "resourceUnavailable",
		[MIB_COMMIT_FAILED] = "commitFailed",
		[MIB_UNDO_FAILED] = "undoFailed",
		[MIB_GEN_ERR] = "genErr",
		[MIB_BUSY] = "busy",
	};

	if ((size_t)err >= sizeof(names) / sizeof(names[0]))
		return "genErr";
	return names[err];
}

int mib_oid_cmp(const uint32_t *a, size_t a_len, const uint32_t *b, size_t b_len)
{
	const size_t common = a_len < b_len ? a_len : b_len;

	for (size_t i = 0; i < common; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	if (a_len == b_len)
		return 0;
	return a_len < b_len ? -1 : 1;
}

bool mib_oid_append(struct mib_oid *o, const uint32_t *ids, size_t n)
{
	if (n > MIB_OID_MAX - o->len)
		return false;
	if (n > 0)
		memcpy(&o->ids[o->len], ids, n * sizeof(ids[0]));
	o->len += n;
	return true;
}

/* Compares without leaving early: how long it takes says nothing of where two secrets differ. */
static bool octets_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* Octets of BITS up to the last bit that is set. */
static size_t bits_len(const struct mib_value *v)
{
	size_t len = v->octets.len;

	while (len > 0 && v->octets.data[len - 1] == 0)
		len--;
	return len;
}

bool mib_value_equal(const struct mib_value *a, const struct mib_value *b)
{
	if (a->syntax != b->syntax)
		return false;
	switch (a->syntax) {
	case MIB_SYN_COUNTER64:
		return a->counter64 == b->counter64;
	case MIB_SYN_BITS:
		return bits_len(a) == bits_len(b) &&
		       octets_equal(a->octets.data, b->octets.data, bits_len(a));
	case MIB_SYN_OCTETS:
		return a->octets.len == b->octets.len &&
		       octets_equal(a->octets.data, b->octets.data, a->octets.len);
	case MIB_SYN_OID:
		return mib_oid_cmp(a->oid.ids, a->oid.len, b->oid.ids, b->oid.len) == 0;
	default:
		return a->number == b->number;
	}
}

void mib_diag_set(struct mib_diag *d, const struct mib_column *col, const uint32_t *index,
		  size_t index_len, const char *fmt, ...)
{
	if (d == NULL)
		return;
	d->object[0] = '\0';
	if (col != NULL) {
		char where[120];

		if (col->table->is_scalars)
			snprintf(where, sizeof(where), "0");
		else
			mib_index_print(col->table, index, index_len, where, sizeof(where));
		snprintf(d->object, sizeof(d->object), "%s.%s", col->name, where);
	}

	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

/* A value of no row yet: the object is the column's name alone. */
static enum mib_err refuse(struct mib_diag *d, enum mib_err err, const struct mib_column *col,
			   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static enum mib_err refuse(struct mib_diag *d, enum mib_err err, const struct mib_column *col,
			   const char *fmt, ...)
{
	if (d == NULL)
		return err;
	snprintf(d->object, sizeof(d->object), "%s", col->name);

	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return err;
}

static const char *syntax_name(enum mib_syntax s)
{
	static const char *const names[] = {
		[MIB_SYN_INTEGER] = "Integer32",
		[MIB_SYN_UNSIGNED] = "Unsigned32",
		[MIB_SYN_COUNTER32] = "Counter32",
		[MIB_SYN_COUNTER64] = "Counter64",
		[MIB_SYN_TIMETICKS] = "TimeTicks",
		[MIB_SYN_OCTETS] = "OCTET STRING",
		[MIB_SYN_BITS] = "BITS",
		[MIB_SYN_OID] = "OBJECT IDENTIFIER",
	};

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "an unknown type";
}

static bool in_ranges(const struct mib_column *col, int64_t n)
{
	if (col->n_ranges == 0)
		return true;
	for (size_t i = 0; i < col->n_ranges; i++) {
		if (n >= col->ranges[i].min && n <= col->ranges[i].max)
			return true;
	}
	return false;
}

static void ranges_print(const struct mib_column *col, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < col->n_ranges && at < size; i++) {
		const struct mib_range *r = &col->ranges[i];
		const char *sep = i == 0 ? "" : " | ";

		if (r->min == r->max)
			at += (size_t)snprintf(buf + at, size - at, "%s%lld", sep, (long long)r->min);
		else
			at += (size_t)snprintf(buf + at, size - at, "%s%lld..%lld", sep,
					       (long long)r->min, (long long)r->max);
	}
}

static enum mib_err check_number(const struct mib_column *col, int64_t n, struct mib_diag *d)
{
	const bool is_signed = col->syntax == MIB_SYN_INTEGER;
	const int64_t low = is_signed ? INT32_MIN : 0;
	const int64_t high = is_signed ? INT32_MAX : UINT32_MAX;

	if (n < low || n > high)
		return refuse(d, MIB_WRONG_VALUE, col, "%lld does not fit into %s", (long long)n,
			      syntax_name(col->syntax));
	if (col->n_labels > 0 && mib_label_name(col, (int32_t)n) == NULL)
		return refuse(d, MIB_WRONG_VALUE, col, "%lld is none of its named numbers (RFC 2578 7.1.1)",
			      (long long)n);
	if (!in_ranges(col, n)) {
		char allowed[96];

		ranges_print(col, allowed, sizeof(allowed));
		return refuse(d, MIB_WRONG_VALUE, col, "%lld is outside %s", (long long)n, allowed);
	}
	return MIB_OK;
}

/* The number behind that of the last named bit; labels stand in rising order. */
static size_t n_bits(const struct mib_column *col)
{
	return col->n_labels > 0 ? (size_t)col->labels[col->n_labels - 1].number + 1 : 0;
}

const struct mib_value *mib_value_received(const struct mib_column *col, const struct mib_value *v,
					   struct mib_bits *room)
{
	const size_t bits = n_bits(col), octets = (bits + 7) / 8;
	const bool is_octets = v->syntax == MIB_SYN_OCTETS || v->syntax == MIB_SYN_BITS;

	if (col->syntax != MIB_SYN_BITS || !is_octets || bits % 8 == 0 || v->octets.len != octets)
		return v;
	memcpy(room->octets, v->octets.data, octets);
	room->octets[octets - 1] &= (uint8_t)(0xff00 >> bits % 8);
	room->value = *v;
	room->value.octets.data = room->octets;
	return &room->value;
}

/* RFC 2578 7.1.4: bit 0 is the high-order bit of the first octet. */
static enum mib_err check_bits(const struct mib_column *col, const struct mib_value *v,
			       struct mib_diag *d)
{
	const size_t octets = (n_bits(col) + 7) / 8;

	if (v->octets.len > octets)
		return refuse(d, MIB_WRONG_LENGTH, col, "%zu octets where its named bits need %zu",
			      v->octets.len, octets);
	for (size_t bit = 0; bit < v->octets.len * 8; bit++) {
		const bool on = v->octets.data[bit / 8] & (0x80 >> bit % 8);

		if (on && mib_label_name(col, (int32_t)bit) == NULL)
			return refuse(d, MIB_WRONG_VALUE, col, "bit %zu has no name", bit);
	}
	return MIB_OK;
}

static enum mib_err check_octets(const struct mib_column *col, const struct mib_value *v,
				 struct mib_diag *d)
{
	if (v->octets.len > UINT16_MAX || !in_ranges(col, (int64_t)v->octets.len)) {
		char allowed[96];

		ranges_print(col, allowed, sizeof(allowed));
		return refuse(d, MIB_WRONG_LENGTH, col, "%zu octets; the size must be %s",
			      v->octets.len, allowed[0] != '\0' ? allowed : "at most 65535");
	}
	if (mib_column_is_text(col) && !mib_utf8_is_text(v->octets.data, v->octets.len))
		return refuse(d, MIB_WRONG_VALUE, col,
			      "not UTF-8 text of characters that XML allows (RFC 3411 5, XML 1.0 2.2)");
	return MIB_OK;
}

/* X.660 and RFC 2578 3.5: what no BER encoder could have sent. */
static enum mib_err check_oid(const struct mib_column *col, const struct mib_value *v,
			      struct mib_diag *d)
{
	if (v->oid.len > MIB_OID_MAX)
		return refuse(d, MIB_WRONG_LENGTH, col, "%zu sub-identifiers; at most %d", v->oid.len,
			      MIB_OID_MAX);
	if (v->oid.len < 2 || v->oid.ids[0] > 2 || (v->oid.ids[0] < 2 && v->oid.ids[1] > 39))
		return refuse(d, MIB_WRONG_ENCODING, col,
			      "not an OBJECT IDENTIFIER: its first two arcs cannot be encoded");
	return MIB_OK;
}

enum mib_err mib_value_check(const struct mib_column *col, const struct mib_value *v,
			     struct mib_diag *d)
{
	/* On the wire BITS are an OCTET STRING, so either is the right type. */
	const bool bits = col->syntax == MIB_SYN_BITS && v->syntax == MIB_SYN_OCTETS;

	if (v->syntax != col->syntax && !bits)
		return refuse(d, MIB_WRONG_TYPE, col, "%s where %s belongs", syntax_name(v->syntax),
			      syntax_name(col->syntax));
	switch (col->syntax) {
	case MIB_SYN_COUNTER64:
		return MIB_OK;
	case MIB_SYN_OCTETS:
		return check_octets(col, v, d);
	case MIB_SYN_BITS:
		return check_bits(col, v, d);
	case MIB_SYN_OID:
		return check_oid(col, v, d);
	default:
		return check_number(col, v->number, d);
	}
}
