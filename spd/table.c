/*
 * spd/table.c - lists as tables: made from nothing, or from the one before by edits.
 */
#include "spd/tree.h"

/* Room between two entries: so many more can come, one between the last two each time. */
#define GAP (UINT64_C(1) << 40)

static void table_free(struct ipsp_spd_db *db, struct ipsp_spd_table *t)
{
	for (unsigned f = 0; f < 2; f++)
		ipsp_spd_tree_unref(db->platform, f ? 6 : 4, &t->family[f].root);
	ipsp_spd_items_free(db, t);
	if (t->end)
		ipsp_spd_hits_unref(db, t->end);
	ipsp_free_array(db->platform, t, 1, sizeof(*t));
}

void ipsp_spd_table_unref(struct ipsp_spd_db *db, struct ipsp_spd_table *table)
{
	if (--table->refs == 0)
		table_free(db, table);
}

bool ipsp_spd_table_is(const struct ipsp_spd_table *table, const struct ipsp_spd_list *list)
{
	uint32_t n = 0;

	if (table->n_rules != list->n_entries)
		return false;
	for (uint32_t b = 0; b < table->n_blocks; b++) {
		for (uint32_t i = 0; i < table->blocks[b]->n; i++) {
			if (!ipsp_spd_item_is(table->blocks[b]->items[i], &list->entries[n++]))
				return false;
		}
	}
	return true;
}

static bool key_valid(uint8_t dir)
{
	return dir == IPSP_INBOUND || dir == IPSP_OUTBOUND;
}

/* Adds up boxes. False: an entry that is not valid, or too many. */
static bool entries_valid(const struct ipsp_spd_entry *entries, uint32_t n, uint64_t *n_boxes)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!ipsp_spd_entry_valid(&entries[i]))
			return false;
		*n_boxes += entries[i].n_selectors;
	}
	return *n_boxes <= IPSP_SPD_BOXES_MAX;
}

static enum ipsp_err table_alloc(struct ipsp_spd_db *db, const struct ipsp_spd_key *key,
				 struct ipsp_spd_table **out)
{
	struct ipsp_spd_table *t = ipsp_alloc_array(db->platform, 1, sizeof(*t));

	if (!t)
		return IPSP_ENOMEM;
	t->key = *key;
	t->refs = 1;
	t->end = ipsp_spd_hits_ref(db, key, 0);
	if (!t->end) {
		table_free(db, t);
		return IPSP_ENOMEM;
	}
	*out = t;
	return IPSP_OK;
}

/* ---- filing ---- */

static struct ipsp_spd_index *index_for(struct ipsp_spd_table *t, const struct ipsp_spd_box *box)
{
	return &t->family[box->family == 6];
}

/* A box that asks for one protocol: the first such entry stands for all with the protocol hidden. */
static void note_one_proto(struct ipsp_spd_index *index, const struct ipsp_spd_box *box)
{
	if (box->proto_lo == box->proto_hi &&
	    (!index->one_proto || box->order < index->one_proto->order))
		index->one_proto = box->item;
}

static bool file_item(const struct ipsp_platform *p, struct ipsp_spd_table *t,
		      const struct ipsp_spd_item *item)
{
	for (uint32_t i = 0; i < item->n_boxes; i++) {
		struct ipsp_spd_index *index = index_for(t, &item->boxes[i]);

		if (!ipsp_spd_tree_add(p, &index->root, &item->boxes[i]))
			return false;
		note_one_proto(index, &item->boxes[i]);
	}
	return true;
}

static bool unfile_item(const struct ipsp_platform *p, struct ipsp_spd_table *t,
			const struct ipsp_spd_item *item)
{
	for (uint32_t i = 0; i < item->n_boxes; i++) {
		struct ipsp_spd_index *index = index_for(t, &item->boxes[i]);

		if (!ipsp_spd_tree_remove(p, &index->root, &item->boxes[i]))
			return false;
		if (index->one_proto == item) {
			index->one_proto = NULL;
			index->look_again = true;
		}
	}
	return true;
}

/* The boxes of one family of all items, in order; sets *n. NULL: no memory. */
static const struct ipsp_spd_box **list_boxes(const struct ipsp_platform *p,
					      struct ipsp_spd_table *t, unsigned f, uint32_t *n)
{
	const struct ipsp_spd_box **boxes = ipsp_alloc_array(p, t->n_boxes,
							     sizeof(struct ipsp_spd_box *));

	*n = 0;
	for (uint32_t b = 0; boxes && b < t->n_blocks; b++) {
		for (uint32_t i = 0; i < t->blocks[b]->n; i++) {
			const struct ipsp_spd_item *item = t->blocks[b]->items[i];

			for (uint32_t j = 0; j < item->n_boxes; j++) {
				if (index_for(t, &item->boxes[j]) != &t->family[f])
					continue;
				boxes[(*n)++] = &item->boxes[j];
				note_one_proto(&t->family[f], &item->boxes[j]);
			}
		}
	}
	return boxes;
}

/* Files all items of a table that has none filed. */
static enum ipsp_err file_all(const struct ipsp_platform *p, struct ipsp_spd_table *t)
{
	for (unsigned f = 0; f < 2; f++) {
		uint32_t n;
		const struct ipsp_spd_box **boxes = list_boxes(p, t, f, &n);
		bool good = boxes && ipsp_spd_tree_build(p, f ? 6 : 4, &t->family[f].root, boxes, n);

		if (boxes)
			ipsp_free_array(p, boxes, t->n_boxes, sizeof(struct ipsp_spd_box *));
		if (!good)
			return IPSP_ENOMEM;
	}
	return IPSP_OK;
}

static bool has_one_proto(const struct ipsp_spd_item *item, uint8_t family)
{
	for (uint32_t i = 0; i < item->n_boxes; i++) {
		const struct ipsp_spd_box *box = &item->boxes[i];

		if (box->family == family && box->proto_lo == box->proto_hi)
			return true;
	}
	return false;
}

/* What was the first entry for one protocol has gone: which is it now? */
static void look_again(struct ipsp_spd_table *t, unsigned f)
{
	struct ipsp_spd_index *index = &t->family[f];

	if (!index->look_again)
		return;
	index->look_again = false;
	index->one_proto = NULL;
	for (uint32_t b = 0; b < t->n_blocks; b++) {
		for (uint32_t i = 0; i < t->blocks[b]->n; i++) {
			if (has_one_proto(t->blocks[b]->items[i], f ? 6 : 4)) {
				index->one_proto = t->blocks[b]->items[i];
				return;
			}
		}
	}
}

/* ---- from nothing ---- */

static bool append(struct ipsp_spd_db *db, struct ipsp_spd_table *t,
		   const struct ipsp_spd_entry *e)
{
	struct ipsp_spd_item *item = ipsp_spd_item_new(db, &t->key, e,
						       ((uint64_t)t->n_rules + 1) * GAP);
	bool good = item && ipsp_spd_items_insert(db, t, t->n_rules, item);

	if (item)
		ipsp_spd_item_unref(db, item);
	return good;
}

enum ipsp_err ipsp_spd_table_new(struct ipsp_spd_db *db, const struct ipsp_spd_list *list,
				 struct ipsp_spd_table **out)
{
	const struct ipsp_platform *p = db->platform;
	const struct ipsp_spd_key key = { list->ifindex, list->dir };
	struct ipsp_spd_table *t;
	uint64_t n_boxes = 0;
	enum ipsp_err err;

	if (!key_valid(list->dir) || list->n_entries >= IPSP_SPD_ENTRIES_MAX ||
	    !entries_valid(list->entries, list->n_entries, &n_boxes))
		return IPSP_EINVAL;
	err = table_alloc(db, &key, &t);
	if (err != IPSP_OK)
		return err;
	for (uint32_t i = 0; err == IPSP_OK && i < list->n_entries; i++)
		err = append(db, t, &list->entries[i]) ? IPSP_OK : IPSP_ENOMEM;
	if (err == IPSP_OK)
		err = file_all(p, t);
	if (err != IPSP_OK) {
		table_free(db, t);
		return err;
	}
	*out = t;
	return IPSP_OK;
}

/* ---- from the one before ---- */

static bool edit_valid(const struct ipsp_spd_table *prev, const struct ipsp_spd_edit *edit)
{
	uint64_t at = 0, n = prev->n_rules, n_boxes = prev->n_boxes;

	for (uint32_t i = 0; i < edit->n_runs; i++) {
		const struct ipsp_spd_run *run = &edit->runs[i];

		at += (uint64_t)run->keep + run->remove;
		n += run->n_entries;
		if (at > prev->n_rules || n >= IPSP_SPD_ENTRIES_MAX ||
		    !entries_valid(run->entries, run->n_entries, &n_boxes))
			return false;
	}
	return true;
}

/* Orders for n entries at a position: the first, and the step to the next. 0: there is no room. */
static uint64_t orders_at(const struct ipsp_spd_table *t, uint32_t at, uint32_t n, uint64_t *first)
{
	uint64_t lo = at > 0 ? ipsp_spd_items_at(t, at - 1)->order : 0;
	uint64_t step = GAP;

	if (at < t->n_rules)
		step = (ipsp_spd_items_at(t, at)->order - lo) / ((uint64_t)n + 1);
	else if (lo > UINT64_MAX - ((uint64_t)n + 1) * GAP)
		step = 0;
	*first = lo + step;
	return step;
}

/* What becomes of a step of an edit. */
enum edited { EDITED, EDIT_NO_MEMORY, EDIT_ANEW };

static enum edited put_entries(struct ipsp_spd_db *db, struct ipsp_spd_table *t, uint32_t at,
			       const struct ipsp_spd_run *run)
{
	uint64_t order, step = orders_at(t, at, run->n_entries, &order);

	if (step == 0)
		return EDIT_ANEW;
	for (uint32_t i = 0; i < run->n_entries; i++, order += step) {
		struct ipsp_spd_item *item = ipsp_spd_item_new(db, &t->key, &run->entries[i], order);
		bool good = item && ipsp_spd_items_insert(db, t, at + i, item) &&
			    file_item(db->platform, t, item);

		if (item)
			ipsp_spd_item_unref(db, item);
		if (!good)
			return EDIT_NO_MEMORY;
	}
	return EDITED;
}

static enum edited make_edits(struct ipsp_spd_db *db, struct ipsp_spd_table *t,
			      const struct ipsp_spd_edit *edit)
{
	enum edited rc = EDITED;
	uint32_t at = 0;

	for (uint32_t i = 0; rc == EDITED && i < edit->n_runs; i++) {
		const struct ipsp_spd_run *run = &edit->runs[i];

		at += run->keep;
		for (uint32_t n = 0; n < run->remove; n++) {
			if (!unfile_item(db->platform, t, ipsp_spd_items_at(t, at)) ||
			    !ipsp_spd_items_remove(db, t, at))
				return EDIT_NO_MEMORY;
		}
		if (run->n_entries > 0)
			rc = put_entries(db, t, at, run);
		at += run->n_entries;
	}
	for (unsigned f = 0; f < 2; f++)
		look_again(t, f);
	return rc;
}

/* The same entries and orders with room again, all filed anew. */
static enum ipsp_err edit_anew(struct ipsp_spd_db *db, const struct ipsp_spd_table *prev,
			       const struct ipsp_spd_edit *edit, struct ipsp_spd_table *t)
{
	uint32_t from = 0;
	bool good = true;

	for (uint32_t i = 0; good && i <= edit->n_runs; i++) {
		const struct ipsp_spd_run *run = i < edit->n_runs ? &edit->runs[i] : NULL;
		uint32_t keep = run ? run->keep : prev->n_rules - from;

		for (uint32_t n = 0; good && n < keep; n++) {
			struct ipsp_spd_item *item =
				ipsp_spd_item_again(db, ipsp_spd_items_at(prev, from++),
						    ((uint64_t)t->n_rules + 1) * GAP);

			good = item && ipsp_spd_items_insert(db, t, t->n_rules, item);
			if (item)
				ipsp_spd_item_unref(db, item);
		}
		from += run ? run->remove : 0;
		for (uint32_t n = 0; good && run && n < run->n_entries; n++)
			good = append(db, t, &run->entries[n]);
	}
	return good ? file_all(db->platform, t) : IPSP_ENOMEM;
}

enum ipsp_err ipsp_spd_table_edit(struct ipsp_spd_db *db, const struct ipsp_spd_table *prev,
				  const struct ipsp_spd_edit *edit, struct ipsp_spd_table **out)
{
	const struct ipsp_platform *p = db->platform;
	enum edited rc = EDITED;
	struct ipsp_spd_table *t;
	enum ipsp_err err;

	if (!edit_valid(prev, edit))
		return IPSP_EINVAL;
	err = table_alloc(db, &prev->key, &t);
	if (err != IPSP_OK)
		return err;
	if (!ipsp_spd_items_share(p, t, prev))
		rc = EDIT_NO_MEMORY;
	for (unsigned f = 0; f < 2; f++) {
		t->family[f] = prev->family[f];
		ipsp_spd_tree_ref(&t->family[f].root);
	}
	if (rc == EDITED)
		rc = make_edits(db, t, edit);
	if (rc == EDIT_ANEW) {
		table_free(db, t);
		err = table_alloc(db, &prev->key, &t);
		if (err != IPSP_OK)
			return err;
		err = edit_anew(db, prev, edit, t);
	} else if (rc == EDIT_NO_MEMORY) {
		err = IPSP_ENOMEM;
	}
	if (err != IPSP_OK) {
		table_free(db, t);
		return err;
	}
	*out = t;
	return IPSP_OK;
}
