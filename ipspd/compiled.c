/* ipspd/compiled.c - a compiled policy in the order of MIB indexes: see compiled.h. */
#include "config.h"

#include "ipspd/compiled.h"

#include <stdio.h>

#include "pfkey/band.h"

static bool is_before(const struct pol_list *l, uint32_t ifindex, uint32_t dir)
{
	return l->ifindex != ifindex ? l->ifindex < ifindex : l->dir < dir;
}

const struct pol_list *compiled_list_from(const struct pol_generation *g, uint32_t ifindex,
					  uint32_t dir)
{
	size_t lo = 0, hi = g ? g->n_lists : 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (is_before(&g->lists[mid], ifindex, dir))
			lo = mid + 1;
		else
			hi = mid;
	}
	return g && lo < g->n_lists ? &g->lists[lo] : NULL;
}

const char *compiled_entry_name(const struct pol_generation *g, const struct ipsp_spd_entry *e,
				char buf[COMPILED_NAME])
{
	const struct pol_origin *o = e->id ? pol_origin_find(g, e->id) : NULL;
	const uint32_t index = pfkey_entry_index(e->id);

	buf[0] = '\0';
	if (index)
		snprintf(buf, COMPILED_NAME, "PF_KEY policy %u", index);
	return o ? o->name : buf;
}
