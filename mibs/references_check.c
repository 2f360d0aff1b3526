/*
 * mibs/references_check.c - what references demand of the rows at both ends.
 *
 * Judged in a view, so that a transaction may bring referrer and target, or take both away, at
 * once. RFC 4807 (status rules of every table), RFC 2579 RowStatus notes 6 and 7.
 */
#include <stdio.h>

#include "mibs/edges.h"
#include "mibs/store_int.h"

/* "spdRuleDefinitionTable.\"web\"" */
static void print_row(const struct mib_table *t, const uint32_t *index, size_t len, char *buf,
		      size_t size)
{
	char where[100];

	mib_index_print(t, index, len, where, sizeof(where));
	snprintf(buf, size, "%s.%s", t->name, where);
}

static void print_target(const struct mib_ref *ref, const struct mib_ref_target *to, char *buf,
			 size_t size)
{
	if (ref->list == NULL) {
		print_row(to->table[0], to->key.ids, to->key.len, buf, size);
	} else {
		char name[80] = "";
		size_t at = 0;

		/* The last part is the name, behind its length; those before it are numbers. */
		for (size_t i = ref->list->parts; i < to->key.len && at + 1 < sizeof(name); i++)
			name[at++] = (char)to->key.ids[i];
		name[at] = '\0';
		snprintf(buf, size, "%s named \"%s\"", to->table[0]->name, name);
	}
}

/* Is what the reference aims at there - and active, when that is asked? */
static bool is_there(const struct mib_view *v, const struct mib_ref *ref,
		     const struct mib_ref_target *to, bool active)
{
	for (size_t i = 0; i < to->n_tables; i++) {
		if (ref->list != NULL) {
			if (mib_edges_first(v, mib_edge_kind_list(ref->list), ref->list->table,
					    to->key.ids, to->key.len, active) != NULL)
				return true;
			continue;
		}

		const struct mib_row *row = mib_view_row(v, to->table[i], to->key.ids, to->key.len);

		if (row != NULL && (row->active || !active))
			return true;
	}
	return false;
}

static enum mib_err blame(const struct mib_row *r, const struct mib_ref *ref, enum mib_err err,
			  struct mib_diag *d, const char *what, const char *target)
{
	mib_diag_set(d, mib_at(&ref->at), r->index, r->index_len, "%s%s%s", what,
		     target[0] != '\0' ? ": " : "", target);
	return err;
}

enum mib_err mib_refs_check(const struct mib_view *v, const struct mib_row *r,
			    const struct mib_column **at, struct mib_diag *d)
{
	for (size_t i = 0; i < r->shelf->n_refs_out; i++) {
		const struct mib_ref *ref = r->shelf->refs_out[i];
		struct mib_ref_target to;
		char target[160] = "";

		*at = mib_at(&ref->at);
		if (ref->flags & MIB_REF_OPTIONAL)
			continue;
		switch (mib_ref_resolve(ref, r, &to)) {
		case MIB_REF_NONE:
		case MIB_REF_ALWAYS:
			continue;
		case MIB_REF_AIMS:
			if (is_there(v, ref, &to, !(ref->flags & MIB_REF_EXISTS)))
				continue;
			print_target(ref, &to, target, sizeof(target));
			return blame(r, ref, MIB_INCONSISTENT_VALUE, d,
				     is_there(v, ref, &to, false) ?
				     "what it refers to is not active" :
				     "what it refers to does not exist", target);
		default:
			return blame(r, ref, MIB_INCONSISTENT_VALUE, d,
				     "what it refers to does not exist or is not supported here", "");
		}
	}
	return MIB_OK;
}

/* RFC 4807, the pointers' DESCRIPTIONs: which error, when a pointer is SET. */
static enum mib_err check_pointer(const struct mib_view *v, const struct mib_ref *ref,
				  const struct mib_row *before, const struct mib_row *r,
				  struct mib_diag *d)
{
	const enum mib_err no_row = ref->flags & MIB_REF_VALUE ? MIB_INCONSISTENT_VALUE :
								  MIB_INCONSISTENT_NAME;
	struct mib_ref_target to;

	switch (mib_ref_resolve(ref, r, &to)) {
	case MIB_REF_UNSUPPORTED:
		return blame(r, ref, MIB_INCONSISTENT_VALUE, d,
			     "it cannot point at an object of that kind", "");
	case MIB_REF_NO_ROW:
		return blame(r, ref, no_row, d,
			     "it must name the first accessible column of an existing row", "");
	case MIB_REF_AIMS:
		break;
	default:
		return MIB_OK;
	}

	const struct mib_row *row = mib_view_row(v, to.table[0], to.key.ids, to.key.len);
	char target[160];

	print_target(ref, &to, target, sizeof(target));
	if (row == NULL)
		return blame(r, ref, no_row, d, "there is no such row", target);
	if (row->doomed) {
		struct mib_value was, is;
		const bool same = before != NULL && mib_row_get(before, mib_at(&ref->at), &was) &&
				  mib_row_get(r, mib_at(&ref->at), &is) &&
				  mib_value_equal(&was, &is);

		if (!same)
			return blame(r, ref, MIB_INCONSISTENT_VALUE, d,
				     "the row is destroyed and goes when its last pointer does",
				     target);
	}
	return MIB_OK;
}

enum mib_err mib_refs_check_set(const struct mib_view *v, const struct mib_row *before,
				const struct mib_row *r, const struct mib_column *col,
				struct mib_diag *d)
{
	for (size_t i = 0; i < r->shelf->n_refs_out; i++) {
		const struct mib_ref *ref = r->shelf->refs_out[i];
		enum mib_err err = MIB_OK;
		struct mib_ref_target to;

		if (mib_at(&ref->at) != col)
			continue;
		if (ref->n_from == 0) {
			err = check_pointer(v, ref, before, r, d);
		} else if (ref->flags & MIB_REF_KNOWN) {
			const enum mib_ref_state state = mib_ref_resolve(ref, r, &to);

			if (state == MIB_REF_NO_ROW ||
			    (state == MIB_REF_AIMS && !is_there(v, ref, &to, false)))
				err = blame(r, ref, MIB_INCONSISTENT_VALUE, d,
					    "there is no row of that name in", ref->target->name);
		}
		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}

static enum mib_err in_use(const struct mib_row *r, const struct mib_row *by,
			   const struct mib_column *through, struct mib_diag *d)
{
	char user[200];

	print_row(by->shelf->table, by->index, by->index_len, user, sizeof(user));
	mib_diag_set(d, r->shelf->status, r->index, r->index_len,
		     "it is in use: %s, which is active, refers to it%s%s", user,
		     through != NULL ? " by " : "", through != NULL ? through->name : "");
	return MIB_INCONSISTENT_VALUE;
}

/* What r offers to that reference: its whole index, or the part of it that is a list's name. */
static void offered_key(const struct mib_ref *ref, const struct mib_row *r, const uint32_t **key,
			size_t *len)
{
	if (ref->list != NULL) {
		mib_list_key(ref->list, r, key, len);
	} else {
		*key = r->index;
		*len = r->index_len;
	}
}

/* Is the name good without r, because it also stands in the reference's other table? */
static bool has_stand_in(const struct mib_view *v, const struct mib_ref *ref,
			 const struct mib_row *r)
{
	if (ref->other == NULL)
		return false;

	const struct mib_table *other = r->shelf->table == ref->other ? ref->target : ref->other;
	const struct mib_row *row = mib_view_row(v, other, r->index, r->index_len);

	return row != NULL && row->active;
}

/* The last active member of a list stays while the row that owns the list is active. */
static enum mib_err check_owner(const struct mib_view *v, const struct mib_list *list,
				const struct mib_row *r, struct mib_diag *d)
{
	const uint32_t *key;
	size_t len;

	if (list->owner == NULL)
		return MIB_OK;
	mib_list_key(list, r, &key, &len);

	const struct mib_row *owner = mib_view_row(v, list->owner, key, len);

	if (owner == NULL || !owner->active ||
	    mib_edges_first(v, mib_edge_kind_list(list), list->table, key, len, true) != NULL)
		return MIB_OK;

	char user[200];

	print_row(list->owner, key, len, user, sizeof(user));
	mib_diag_set(d, r->shelf->status, r->index, r->index_len,
		     "it is the last active row of %s, which is active", user);
	return MIB_INCONSISTENT_VALUE;
}

enum mib_err mib_refs_check_leave(const struct mib_view *v, const struct mib_row *r,
				  struct mib_diag *d)
{
	for (size_t i = 0; i < r->shelf->n_refs_in; i++) {
		const struct mib_ref *ref = r->shelf->refs_in[i];
		const uint32_t *key;
		size_t len;

		if (ref->flags & MIB_REF_EXISTS)
			continue;
		offered_key(ref, r, &key, &len);
		if (ref->list != NULL && !(ref->flags & MIB_REF_EACH) &&
		    mib_edges_first(v, mib_edge_kind_list(ref->list), ref->list->table, key, len,
				    true) != NULL)
			continue;
		if (has_stand_in(v, ref, r))
			continue;

		const struct mib_row *by = mib_edges_first(v, mib_edge_kind_ref(ref),
							   r->shelf->table, key, len, true);

		if (by != NULL)
			return in_use(r, by, mib_at(&ref->at), d);
	}
	for (size_t i = 0; i < r->shelf->n_lists; i++) {
		const enum mib_err err = check_owner(v, r->shelf->lists[i], r, d);

		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}

bool mib_refs_is_referred(const struct mib_view *v, const struct mib_row *r)
{
	for (size_t i = 0; i < r->shelf->n_refs_in; i++) {
		const struct mib_ref *ref = r->shelf->refs_in[i];

		if (ref->list == NULL &&
		    mib_edges_first(v, mib_edge_kind_ref(ref), r->shelf->table, r->index,
				    r->index_len, false) != NULL)
			return true;
	}
	return false;
}
