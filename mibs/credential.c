/*
 * mibs/credential.c - secrets: which values are one, and the rules of credentials and segments.
 *
 * draft-ietf-ipsp-ipsecaction-mib, ipsaCredentialTable and ipsaCredentialSegmentTable. Whatever is
 * not an X.509 certificate is a secret, and stays one: a type may not make a stored secret readable.
 */
#include "mibs/schema_gen.h"
#include "mibs/special.h"
#include "mibs/store_int.h"

#define TYPE_SHARED_SECRET 2
#define TYPE_X509 3
#define ADMIN_ENABLED 1
#define SEGMENT_OCTETS 1024

static const struct mib_table *const credentials = &mib_t_ipsaCredentialTable;
static const struct mib_table *const segments = &mib_t_ipsaCredentialSegmentTable;

static const struct mib_column *cred_col(size_t pos)
{
	return &credentials->columns[pos];
}

static bool is_x509(const struct mib_row *cred)
{
	return mib_row_number(cred, cred_col(MIB_C_ipsaCredType), 0) == TYPE_X509;
}

bool mib_credential_is_secret(const struct mib_view *v, const struct mib_row *r)
{
	(void)v;
	return !is_x509(r);
}

/* The credential that a segment is part of: the first part of its index is the name. */
static const struct mib_row *credential_of(const struct mib_view *v, const struct mib_row *segment)
{
	return mib_view_row(v, credentials, segment->index, 1 + segment->index[0]);
}

bool mib_segment_is_secret(const struct mib_view *v, const struct mib_row *r)
{
	const struct mib_row *cred = credential_of(v, r);

	return cred == NULL || !is_x509(cred);
}

bool mib_filter_value_is_secret(const struct mib_view *v, const struct mib_row *r)
{
	const struct mib_column *type =
		MIB_COL(ipiaCredentialFilterTable, ipiaCredFiltCredentialType);

	(void)v;
	return mib_row_number(r, type, TYPE_SHARED_SECRET) == TYPE_SHARED_SECRET;
}

/* The segment after *at (NULL: the first) of that credential; *at follows it. */
static const struct mib_row *next_segment(const struct mib_view *v, const struct mib_row *cred,
					  struct mib_oid *at, bool first)
{
	struct mib_oid name;

	mib_row_index_copy(cred, &name);

	const struct mib_row *seg = mib_view_next(v, segments, &name, first ? NULL : at);

	if (seg != NULL)
		mib_row_index_copy(seg, at);
	return seg;
}

static size_t value_len(const struct mib_row *r, const struct mib_column *col)
{
	struct mib_value v;

	return mib_row_get(r, col, &v) && v.syntax == MIB_SYN_OCTETS ? v.octets.len : 0;
}

static size_t own_len(const struct mib_row *cred)
{
	return mib_row_is_set(cred, cred_col(MIB_C_ipsaCredCredential)) ?
	       value_len(cred, cred_col(MIB_C_ipsaCredCredential)) : 0;
}

static size_t segments_len(const struct mib_view *v, const struct mib_row *cred)
{
	const struct mib_column *value = MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue);
	struct mib_oid at;
	size_t sum = 0;

	for (const struct mib_row *s = next_segment(v, cred, &at, true); s != NULL;
	     s = next_segment(v, cred, &at, false))
		sum += value_len(s, value);
	return sum;
}

static bool credential_mirror(const struct mib_row *r, const struct mib_column *col,
			      struct mib_value *out)
{
	const struct mib_view *v = mib_row_home(r);
	struct mib_oid at;

	if (col == cred_col(MIB_C_ipsaCredSize)) {
		size_t size = 0;

		if (is_x509(r)) {
			size = own_len(r);
			if (size == 0)
				size = segments_len(v, r);
		}
		*out = mib_value_integer((int32_t)size);
		return true;
	}
	/* A value that came in segments reads as empty here. */
	if (col == cred_col(MIB_C_ipsaCredCredential) && !mib_row_is_set(r, col) &&
	    next_segment(v, r, &at, true) != NULL) {
		*out = mib_value_octets("", 0);
		return true;
	}
	return false;
}

static bool segment_mirror(const struct mib_row *r, const struct mib_column *col,
			   struct mib_value *out)
{
	const struct mib_row *cred;

	if (col != MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegStorageType))
		return false;
	cred = credential_of(mib_row_home(r), r);
	return cred != NULL && mib_row_get(cred, cred_col(MIB_C_ipsaCredStorageType), out);
}

/* One time for all segments of a credential. */
static uint64_t segment_changed_cs(const struct mib_row *r)
{
	const struct mib_row *cred = credential_of(mib_row_home(r), r);

	return cred != NULL ? cred->segments_changed_cs : r->changed_cs;
}

static enum mib_err refuse(const struct mib_row *r, const struct mib_column *col,
			   struct mib_diag *d, const char *why)
{
	mib_diag_set(d, col, r->index, r->index_len, "%s", why);
	return MIB_INCONSISTENT_VALUE;
}

/* Segments 1, 2, 3 ...: all active, all but the last full. */
static enum mib_err check_segments(const struct mib_view *v, const struct mib_row *cred,
				   struct mib_diag *d)
{
	const struct mib_column *value = MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue);
	struct mib_oid at;
	uint32_t number = 0;
	size_t last = SEGMENT_OCTETS;

	for (const struct mib_row *s = next_segment(v, cred, &at, true); s != NULL;
	     s = next_segment(v, cred, &at, false)) {
		if (at.ids[at.len - 1] != ++number)
			return refuse(s, value, d, "segments must be numbered from 1 without a gap");
		if (last != SEGMENT_OCTETS)
			return refuse(s, value, d, "every segment but the last must have 1024 octets");
		if (!s->active)
			return refuse(s, value, d, "a segment is not active");
		last = value_len(s, value);
	}
	return MIB_OK;
}

static enum mib_err credential_check(const struct mib_view *v, const struct mib_row *r,
				     struct mib_diag *d)
{
	const struct mib_column *value = cred_col(MIB_C_ipsaCredCredential);
	struct mib_oid at;
	const bool has_segments = next_segment(v, r, &at, true) != NULL;

	if (own_len(r) == 0 && !has_segments)
		return refuse(r, value, d, "it needs a value, here or in segments");
	if (own_len(r) > 0 && has_segments)
		return refuse(r, value, d, "the value is either here or in segments, not both");
	if (mib_row_number(r, cred_col(MIB_C_ipsaCredAdminStatus), 0) != ADMIN_ENABLED)
		return MIB_OK;
	return check_segments(v, r, d);
}

/* Nothing that was stored as a secret may become readable by a new type. */
static enum mib_err credential_judge(const struct mib_txn *t, const struct mib_change *c,
				     struct mib_diag *d)
{
	const struct mib_column *type = cred_col(MIB_C_ipsaCredType);
	const struct mib_column *value = cred_col(MIB_C_ipsaCredCredential);
	const struct mib_column *segment = MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue);
	struct mib_oid at;

	if (c->after == NULL || !is_x509(c->after) || (c->before != NULL && is_x509(c->before)))
		return MIB_OK;
	if (mib_row_is_set(c->after, value) && !mib_txn_assigns(t, c->after, value))
		return refuse(c->after, type, d,
			      "a secret stays secret: set ipsaCredCredential anew with the type");
	for (const struct mib_row *s = next_segment(mib_txn_view(t), c->after, &at, true); s != NULL;
	     s = next_segment(mib_txn_view(t), c->after, &at, false)) {
		if (!mib_txn_assigns(t, s, segment))
			return refuse(c->after, type, d,
				      "a secret stays secret: set its segments anew with the type");
	}
	return MIB_OK;
}

static bool number_differs(const struct mib_change *c, const struct mib_column *col)
{
	return c->before != NULL && c->after != NULL &&
	       mib_row_number(c->before, col, 0) != mib_row_number(c->after, col, 0);
}

/* Segments have no life of their own: they go with the credential, and are kept on disk as it is. */
static enum mib_err credential_derive(struct mib_txn *t, const struct mib_change *c,
				      struct mib_diag *d)
{
	const struct mib_column *segment = MIB_COL(ipsaCredentialSegmentTable, ipsaCredSegValue);
	const struct mib_row *cred = c->after != NULL ? c->after : c->before;
	const struct mib_view *v = mib_txn_view(t);
	enum mib_err err = MIB_OK;
	struct mib_oid at;

	if (c->after != NULL && !number_differs(c, cred_col(MIB_C_ipsaCredStorageType)) &&
	    !number_differs(c, cred_col(MIB_C_ipsaCredType)))
		return MIB_OK;
	for (const struct mib_row *s = next_segment(v, cred, &at, true);
	     s != NULL && err == MIB_OK; s = next_segment(v, cred, &at, false)) {
		if (c->after == NULL)
			err = mib_txn_force(t, segment, at.ids, at.len, NULL);
		else
			err = mib_txn_touch(t, s);
	}
	if (err != MIB_OK)
		mib_diag_set(d, segment, at.ids, at.len, "out of memory");
	return err;
}

/* A segment of a credential in use stays; and what it becomes must make the credential whole. */
static enum mib_err segment_judge(const struct mib_txn *t, const struct mib_change *c,
				  struct mib_diag *d)
{
	const struct mib_view *v = mib_txn_view(t);
	const struct mib_row *r = c->after != NULL ? c->after : c->before;
	const struct mib_row *cred = credential_of(v, r);

	if (cred == NULL || !cred->active)
		return MIB_OK;
	if (c->before != NULL && c->before->active && (c->after == NULL || !c->after->active) &&
	    mib_row_number(cred, cred_col(MIB_C_ipsaCredAdminStatus), 0) == ADMIN_ENABLED)
		return refuse(r, r->shelf->status, d,
			      "its credential is enabled; set ipsaCredAdminStatus to disabled first");
	/* A file without secrets: it is not to stay active, and the segment lacks its own. */
	if (mib_txn_excuses(t, cred))
		return MIB_OK;
	return credential_check(v, cred, d);
}

static void segment_committed(const struct mib_view *v, const struct mib_change *c, uint64_t now_cs)
{
	const struct mib_row *r = c->after != NULL ? c->after : c->before;
	struct mib_row *cred = mib_shelf_find(mib_store_shelf(v->store, credentials), r->index,
					     1 + r->index[0]);

	if (cred != NULL)
		cred->segments_changed_cs = now_cs;
}

static enum mib_err filter_judge(const struct mib_txn *t, const struct mib_change *c,
				 struct mib_diag *d)
{
	const struct mib_column *type =
		MIB_COL(ipiaCredentialFilterTable, ipiaCredFiltCredentialType);
	const struct mib_column *value =
		MIB_COL(ipiaCredentialFilterTable, ipiaCredFiltMatchFieldValue);

	if (c->before == NULL || c->after == NULL ||
	    mib_row_number(c->before, type, 0) != TYPE_SHARED_SECRET ||
	    mib_row_number(c->after, type, 0) == TYPE_SHARED_SECRET ||
	    !mib_row_is_set(c->after, value) || mib_txn_assigns(t, c->after, value))
		return MIB_OK;
	return refuse(c->after, type, d,
		      "a secret stays secret: set ipiaCredFiltMatchFieldValue anew with the type");
}

const struct mib_special mib_special_credential = {
	.table = &mib_t_ipsaCredentialTable,
	.mirror = credential_mirror,
	.check = credential_check,
	.judge = credential_judge,
	.derive = credential_derive,
};

const struct mib_special mib_special_segment = {
	.table = &mib_t_ipsaCredentialSegmentTable,
	.mirror = segment_mirror,
	.changed_cs = segment_changed_cs,
	.judge = segment_judge,
	.committed = segment_committed,
};

const struct mib_special mib_special_credential_filter = {
	.table = &mib_t_ipiaCredentialFilterTable,
	.judge = filter_judge,
};
