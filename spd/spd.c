/*
 * spd/spd.c - snapshots: which tables are in force together, shared from one to the next.
 */
#include "spd/table.h"

struct ipsp_spd {
	struct ipsp_spd_db *db;
	uint64_t generation;
	uint32_t built;
	uint32_t n_tables;
	uint32_t room;		/* of tables */
	struct ipsp_spd_table **tables;	/* by direction and interface */
};

static int key_cmp(const struct ipsp_spd_key *a, const struct ipsp_spd_key *b)
{
	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

/* Where a key stands, or would stand. */
static uint32_t table_place(const struct ipsp_spd *spd, const struct ipsp_spd_key *key)
{
	uint32_t lo = 0, hi = spd->n_tables;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (key_cmp(&spd->tables[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct ipsp_spd_table *table_find(const struct ipsp_spd *spd, uint32_t ifindex, uint8_t dir)
{
	const struct ipsp_spd_key key = { ifindex, dir };
	uint32_t at = table_place(spd, &key);

	if (at < spd->n_tables && key_cmp(&spd->tables[at]->key, &key) == 0)
		return spd->tables[at];
	return NULL;
}

/* Takes the caller's reference. False: the key is there already. */
static bool table_insert(struct ipsp_spd *spd, struct ipsp_spd_table *table)
{
	uint32_t at = table_place(spd, &table->key);

	if (at < spd->n_tables && key_cmp(&spd->tables[at]->key, &table->key) == 0)
		return false;
	for (uint32_t i = spd->n_tables++; i > at; i--)
		spd->tables[i] = spd->tables[i - 1];
	spd->tables[at] = table;
	return true;
}

static bool is_removed(const struct ipsp_spd_update *update, const struct ipsp_spd_key *key)
{
	if (update->full)
		return true;
	for (uint32_t i = 0; i < update->n_removed; i++) {
		if (key_cmp(&update->removed[i], key) == 0)
			return true;
	}
	return false;
}

static enum ipsp_err put_list(struct ipsp_spd *spd, const struct ipsp_spd *prev,
			      const struct ipsp_spd_list *list)
{
	struct ipsp_spd_table *table = prev ? table_find(prev, list->ifindex, list->dir) : NULL;
	enum ipsp_err err;

	if (table && ipsp_spd_table_is(table, list)) {
		table->refs++;
	} else {
		err = ipsp_spd_table_new(spd->db, list, &table);
		if (err != IPSP_OK)
			return err;
		spd->built++;
	}
	if (table_insert(spd, table))
		return IPSP_OK;
	ipsp_spd_table_unref(spd->db, table);
	return IPSP_EINVAL;
}

static enum ipsp_err put_edit(struct ipsp_spd *spd, const struct ipsp_spd *prev,
			      const struct ipsp_spd_edit *edit)
{
	struct ipsp_spd_table *before = prev ? table_find(prev, edit->key.ifindex, edit->key.dir) :
					       NULL;
	struct ipsp_spd_table *table;
	enum ipsp_err err = before ? IPSP_OK : IPSP_EINVAL;

	if (err == IPSP_OK)
		err = ipsp_spd_table_edit(spd->db, before, edit, &table);
	if (err != IPSP_OK)
		return err;
	spd->built++;
	if (table_insert(spd, table))
		return IPSP_OK;
	ipsp_spd_table_unref(spd->db, table);
	return IPSP_EINVAL;
}

enum ipsp_err ipsp_spd_build(struct ipsp_spd_db *db, const struct ipsp_spd *prev,
			     const struct ipsp_spd_update *update, struct ipsp_spd **out)
{
	const struct ipsp_platform *p = db->platform;
	uint32_t n_prev = prev ? prev->n_tables : 0;
	enum ipsp_err err = IPSP_OK;

	if (update->n_lists > UINT32_MAX / 4 || update->n_edits > UINT32_MAX / 4 ||
	    n_prev > UINT32_MAX / 4)
		return IPSP_EINVAL;
	struct ipsp_spd *spd = ipsp_alloc_array(p, 1, sizeof(*spd));

	if (!spd)
		return IPSP_ENOMEM;
	spd->db = db;
	spd->generation = update->generation;
	spd->room = update->n_lists + update->n_edits + n_prev;
	spd->tables = ipsp_alloc_array(p, spd->room, sizeof(struct ipsp_spd_table *));
	if (!spd->tables)
		err = IPSP_ENOMEM;
	for (uint32_t i = 0; err == IPSP_OK && i < update->n_lists; i++)
		err = put_list(spd, prev, &update->lists[i]);
	for (uint32_t i = 0; err == IPSP_OK && i < update->n_edits; i++)
		err = put_edit(spd, prev, &update->edits[i]);
	if (err != IPSP_OK) {
		ipsp_spd_free(spd);
		return err;
	}
	for (uint32_t i = 0; i < n_prev; i++) {
		struct ipsp_spd_table *table = prev->tables[i];

		if (!is_removed(update, &table->key) && table_insert(spd, table))
			table->refs++;
	}
	*out = spd;
	return IPSP_OK;
}

void ipsp_spd_free(struct ipsp_spd *spd)
{
	if (!spd)
		return;
	for (uint32_t i = 0; i < spd->n_tables; i++)
		ipsp_spd_table_unref(spd->db, spd->tables[i]);
	const struct ipsp_platform *p = spd->db->platform;

	ipsp_free_array(p, spd->tables, spd->room, sizeof(struct ipsp_spd_table *));
	ipsp_free_array(p, spd, 1, sizeof(*spd));
}

uint64_t ipsp_spd_generation(const struct ipsp_spd *spd)
{
	return spd->generation;
}

uint32_t ipsp_spd_built(const struct ipsp_spd *spd)
{
	return spd->built;
}

const struct ipsp_spd_table *ipsp_spd_table_for(const struct ipsp_spd *spd, uint32_t ifindex,
						enum ipsp_dir dir)
{
	const struct ipsp_spd_table *table = table_find(spd, ifindex, (uint8_t)dir);

	return table || ifindex == 0 ? table : table_find(spd, 0, (uint8_t)dir);
}

bool ipsp_spd_has_policy(const struct ipsp_spd *spd, uint32_t ifindex, enum ipsp_dir dir)
{
	return ipsp_spd_table_for(spd, ifindex, dir) != NULL;
}
