/*
 * mibs/index.c - instance identifiers: from values and back. RFC 2578 7.7.
 *
 * A string or OID has its length before it unless its size is fixed; nothing here is IMPLIED.
 */
#include <string.h>

#include "mibs/utf8.h"
#include "mibs/value.h"

static bool is_octets(const struct mib_column *col)
{
	return col->syntax == MIB_SYN_OCTETS || col->syntax == MIB_SYN_BITS;
}

static bool is_fixed_size(const struct mib_column *col)
{
	return is_octets(col) && col->n_ranges == 1 && col->ranges[0].min == col->ranges[0].max;
}

/* The index is what is wrong, so the refusal names the table's first column and says which part. */
static enum mib_err refuse(struct mib_diag *d, const struct mib_table *t,
			   const struct mib_column *part, const char *why)
{
	mib_diag_set(d, NULL, NULL, 0, "index %s: %s (RFC 2578 7.7)",
		     part != NULL ? part->name : "of a scalar", why);
	if (d != NULL)
		memccpy(d->object, t->name, '\0', sizeof(d->object) - 1);
	return MIB_NO_CREATION;
}

static enum mib_err decode_octets(const struct mib_table *t, const struct mib_column *part,
				  const uint32_t *ids, size_t n, struct mib_index_scratch *scratch,
				  size_t *used, struct mib_value *out, struct mib_diag *d)
{
	uint8_t *to = &scratch->octets[*used];

	for (size_t i = 0; i < n; i++) {
		if (ids[i] > UINT8_MAX)
			return refuse(d, t, part, "a sub-identifier is no octet");
		to[i] = (uint8_t)ids[i];
	}
	*used += n;
	out->octets.data = to;
	out->octets.len = n;
	return MIB_OK;
}

static enum mib_err decode_part(const struct mib_table *t, const struct mib_column *part,
				const uint32_t *index, size_t len, size_t *at,
				struct mib_index_scratch *scratch, size_t *used,
				struct mib_value *out, struct mib_diag *d)
{
	size_t n = 1;

	out->syntax = part->syntax;
	if (is_fixed_size(part)) {
		n = (size_t)part->ranges[0].min;
	} else if (is_octets(part) || part->syntax == MIB_SYN_OID) {
		if (*at == len)
			return refuse(d, t, part, "its length is missing");
		n = index[(*at)++];
	}
	if (n > len - *at)
		return refuse(d, t, part, "too short");

	const uint32_t *ids = &index[*at];

	*at += n;
	if (is_octets(part)) {
		const enum mib_err err = decode_octets(t, part, ids, n, scratch, used, out, d);

		if (err != MIB_OK)
			return err;
	} else if (part->syntax == MIB_SYN_OID) {
		memcpy(&scratch->ids[*at - n], ids, n * sizeof(ids[0]));
		out->oid.ids = &scratch->ids[*at - n];
		out->oid.len = n;
	} else {
		out->number = ids[0];
	}

	struct mib_diag why = { 0 };

	if (mib_value_check(part, out, &why) != MIB_OK)
		return refuse(d, t, part, why.text);
	return MIB_OK;
}

enum mib_err mib_index_decode(const struct mib_table *t, const uint32_t *index, size_t len,
			      struct mib_value out[MIB_INDEX_MAX],
			      struct mib_index_scratch *scratch, struct mib_diag *d)
{
	size_t at = 0, used = 0;

	if (t->is_scalars)
		return len == 1 && index[0] == 0 ? MIB_OK : refuse(d, t, NULL, "only 0 is");
	if (len > MIB_OID_MAX - t->entry_oid_len - 1)
		return refuse(d, t, t->index[0], "too long for an object's name");
	for (size_t i = 0; i < t->n_index; i++) {
		const enum mib_err err = decode_part(t, t->index[i], index, len, &at, scratch, &used,
						     &out[i], d);

		if (err != MIB_OK)
			return err;
	}
	if (at != len)
		return refuse(d, t, t->index[t->n_index - 1], "something follows it");
	return MIB_OK;
}

static bool encode_octets(const struct mib_column *part, const struct mib_value *v,
			  struct mib_oid *out)
{
	const uint32_t n = (uint32_t)v->octets.len;

	if (v->octets.len > MIB_OID_MAX)
		return false;
	if (!is_fixed_size(part) && !mib_oid_append(out, &n, 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		const uint32_t id = v->octets.data[i];

		if (!mib_oid_append(out, &id, 1))
			return false;
	}
	return true;
}

bool mib_index_encode_part(const struct mib_column *part, const struct mib_value *v,
			   struct mib_oid *out)
{
	if (is_octets(part))
		return encode_octets(part, v, out);
	if (part->syntax == MIB_SYN_OID) {
		const uint32_t n = (uint32_t)v->oid.len;

		return mib_oid_append(out, &n, 1) && mib_oid_append(out, v->oid.ids, v->oid.len);
	}

	const uint32_t id = (uint32_t)v->number;

	return mib_oid_append(out, &id, 1);
}

bool mib_index_encode(const struct mib_table *t, const struct mib_value *parts, size_t n,
		      struct mib_oid *out)
{
	out->len = 0;
	if (t->is_scalars) {
		const uint32_t zero = 0;

		return mib_oid_append(out, &zero, 1);
	}
	for (size_t i = 0; i < n; i++) {
		if (!mib_index_encode_part(t->index[i], &parts[i], out))
			return false;
	}
	return out->len <= MIB_OID_MAX - t->entry_oid_len - 1;
}
