/*
 * ipspd/guard_boxes.c - flattens an SPD list, and makes it smaller when it is too long.
 *
 * A box that passes may be left out, one that drops may grow and then asks and logs no more and
 * holds at all times, as it is no longer one entry's; nothing else is ever done to them.
 */
#include "config.h"

#include "ipspd/guard_boxes.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/guard_pairs.h"

size_t guard_boxes_count(const struct ipsp_spd_list *l)
{
	size_t n = 0;

	for (uint32_t i = 0; i < l->n_entries; i++)
		n += l->entries[i].n_selectors;
	return n;
}

/* Does a packet in the clear pass? */
static bool passes(const struct ipsp_spd_list *l, const struct ipsp_spd_entry *e)
{
	return e->action == IPSP_BYPASS ||
	       (e->action == IPSP_PROTECT && e->accept_clear && l->dir == IPSP_INBOUND);
}

static bool flatten(const struct ipsp_spd_list *l, struct guard_boxes *out)
{
	size_t n = guard_boxes_count(l);

	*out = (struct guard_boxes){ NULL, 0 };
	if (n == 0)
		return true;
	out->items = (struct guard_box *)calloc(n, sizeof(*out->items));
	if (!out->items)
		return false;
	for (uint32_t i = 0; i < l->n_entries; i++) {
		const struct ipsp_spd_entry *e = &l->entries[i];

		for (uint32_t j = 0; j < e->n_selectors; j++)
			out->items[out->n++] = (struct guard_box){
				.pass = passes(l, e) && !e->predicate,
				.ask = e->predicate != NULL,
				.discard = e->action == IPSP_DISCARD,
				.id = e->id, .log = e->log, .from_s = e->from_s,
				.until_s = e->until_s, .s = e->selectors[j],
			};
	}
	return true;
}

/*
 * Merges one run of n boxes that drop into at most max (2 or more), written to `to`, which is the
 * run itself or stands before it.
 */
static bool merge_run(const struct guard_box *run, size_t n, size_t max, struct guard_box *to,
		      size_t *n_to)
{
	struct guard_pairs pairs = { NULL, 0, 0 };
	bool discard = true;

	*n_to = n;
	if (n <= max) {
		memmove(to, run, n * sizeof(*run));
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!guard_pairs_add(&pairs, &run[i].s)) {
			guard_pairs_fini(&pairs);
			return false;
		}
	}
	guard_pairs_reduce(&pairs, max);
	for (size_t i = 0; i < n; i++)
		discard &= run[i].discard;
	for (size_t i = 0; i < pairs.n; i++) {
		to[i] = (struct guard_box){ .pass = false, .discard = discard };
		guard_pair_box(&pairs.items[i], &to[i].s);
	}
	*n_to = pairs.n;
	guard_pairs_fini(&pairs);
	return true;
}

/* Merges each run of dropping boxes, in place. The share of a run is by its length. */
static bool merge_runs(struct guard_boxes *b, size_t max)
{
	size_t total = b->n, n = 0;

	for (size_t i = 0; i < total;) {
		size_t end = i, got;

		while (end < total && !b->items[end].pass)
			end++;
		if (end == i) {
			b->items[n++] = b->items[i++];
			continue;
		}
		size_t share = max * (end - i) / total;
		if (!merge_run(&b->items[i], end - i, share > 2 ? share : 2, &b->items[n], &got))
			return false;
		n += got;
		i = end;
	}
	b->n = n;
	return true;
}

/* Leaves out the last boxes that pass until few enough boxes are left. */
static void drop_passing(struct guard_boxes *b, size_t max)
{
	size_t surplus = b->n > max ? b->n - max : 0, n = 0, passing = 0, seen = 0;

	for (size_t i = 0; i < b->n; i++)
		passing += b->items[i].pass;
	size_t keep = passing > surplus ? passing - surplus : 0;
	for (size_t i = 0; i < b->n; i++) {
		if (b->items[i].pass && seen++ >= keep)
			continue;
		b->items[n++] = b->items[i];
	}
	b->n = n;
}

bool guard_boxes_make(const struct ipsp_spd_list *l, size_t max, struct guard_boxes *out)
{
	if (!flatten(l, out))
		return false;
	if (out->n <= max)
		return true;
	bool good = merge_runs(out, max);
	if (good && out->n > max) {
		drop_passing(out, max);
		/* What passed between them is gone, so runs have grown together. */
		good = merge_runs(out, max);
	}
	if (good && out->n > max)
		drop_passing(out, max);
	if (!good)
		guard_boxes_fini(out);
	return good;
}

void guard_boxes_fini(struct guard_boxes *b)
{
	free(b->items);
	*b = (struct guard_boxes){ NULL, 0 };
}
