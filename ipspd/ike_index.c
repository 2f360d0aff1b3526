/* ipspd/ike_index.c - connections by name and reqid: see ike_index.h. */
#include "config.h"

#include "ipspd/ike_index.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/ike.h"

static int compare_names(const struct ike_conn *a, const struct ike_conn *b)
{
	const int ipsec = strcmp(a->ipsec, b->ipsec);

	return ipsec ? ipsec : strcmp(a->ike, b->ike);
}

/* Of one name, as they stand in their array. */
static int compare_entries(const void *a, const void *b)
{
	const struct ike_entry *const x = *(struct ike_entry *const *)a;
	const struct ike_entry *const y = *(struct ike_entry *const *)b;
	const int names = compare_names(x->conn, y->conn);

	return names ? names : (x > y) - (x < y);
}

static int compare_reqids(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool ike_index_init(struct ike_index *x, struct ike_entry *entries, size_t n)
{
	*x = (struct ike_index){ .n = n };
	if (n == 0)
		return true;
	x->by_name = reallocarray(NULL, n, sizeof(struct ike_entry *));
	x->reqids = reallocarray(NULL, n, sizeof(*x->reqids));
	if (!x->by_name || !x->reqids) {
		ike_index_fini(x);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		x->by_name[i] = &entries[i];
		if (entries[i].conn->has_child)
			x->reqids[x->n_reqids++] = entries[i].conn->child.reqid;
	}
	qsort(x->by_name, n, sizeof(struct ike_entry *), compare_entries);
	qsort(x->reqids, x->n_reqids, sizeof(*x->reqids), compare_reqids);
	return true;
}

void ike_index_fini(struct ike_index *x)
{
	free(x->by_name);
	free(x->reqids);
	*x = (struct ike_index){ 0 };
}

struct ike_entry *ike_index_find(const struct ike_index *x, const struct ike_conn *names)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (compare_names(x->by_name[mid]->conn, names) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && compare_names(x->by_name[lo]->conn, names) == 0 ? x->by_name[lo] : NULL;
}

bool ike_index_asks_for(const struct ike_index *x, uint32_t reqid)
{
	return x->n_reqids > 0 &&
	       bsearch(&reqid, x->reqids, x->n_reqids, sizeof(*x->reqids), compare_reqids);
}
