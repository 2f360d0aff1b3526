/*
 * spd/hits.c - hit counters by list and entry id, shared by all snapshots that hold them.
 *
 * The hash is the control thread's. Packet paths reach counters by pointer only, so it may grow
 * while they count. Counters that no snapshot holds any more, and that counted something, stay until
 * ipsp_spd_hits_forget, so that what a policy counted last is not lost with it.
 */
#include "spd/table.h"

#define FIRST_BUCKETS 256u

static uint32_t bucket_of(const struct ipsp_spd_key *list, uint64_t id, uint32_t n_buckets)
{
	uint64_t key = id ^ ((uint64_t)list->ifindex << 2 | list->dir) * 0xff51afd7ed558ccdull;

	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & (n_buckets - 1);
}

static uint32_t bucket_of_hits(const struct ipsp_spd_hits *h, uint32_t n_buckets)
{
	const struct ipsp_spd_key list = { h->ifindex, h->dir };

	return bucket_of(&list, h->id, n_buckets);
}

/* Longer chains are the only price when there is no memory for more buckets. */
static void grow(struct ipsp_spd_db *db)
{
	uint32_t n = db->n_buckets * 2;
	struct ipsp_spd_hits **buckets = ipsp_alloc_array(db->platform, n, sizeof(*buckets));

	if (!buckets)
		return;
	for (uint32_t i = 0; i < db->n_buckets; i++) {
		struct ipsp_spd_hits *next;

		for (struct ipsp_spd_hits *h = db->buckets[i]; h; h = next) {
			uint32_t to = bucket_of_hits(h, n);

			next = h->next;
			h->next = buckets[to];
			buckets[to] = h;
		}
	}
	ipsp_free_array(db->platform, db->buckets, db->n_buckets, sizeof(*buckets));
	db->buckets = buckets;
	db->n_buckets = n;
}

struct ipsp_spd_hits *ipsp_spd_hits_ref(struct ipsp_spd_db *db, const struct ipsp_spd_key *list,
					uint64_t id)
{
	uint32_t at = bucket_of(list, id, db->n_buckets);
	struct ipsp_spd_hits *h;

	for (h = db->buckets[at]; h; h = h->next) {
		if (h->id == id && h->ifindex == list->ifindex && h->dir == list->dir) {
			h->refs++;
			return h;
		}
	}
	if (db->n_hits >= db->n_buckets && db->n_buckets < 1u << 24) {
		grow(db);
		at = bucket_of(list, id, db->n_buckets);
	}
	h = ipsp_alloc_array(db->platform, 1, sizeof(*h));
	if (!h)
		return NULL;
	h->id = id;
	h->ifindex = list->ifindex;
	h->dir = list->dir;
	h->refs = 1;
	atomic_init(&h->packets, 0);
	atomic_init(&h->bytes, 0);
	h->next = db->buckets[at];
	db->buckets[at] = h;
	db->n_hits++;
	return h;
}

static void free_hits(struct ipsp_spd_db *db, struct ipsp_spd_hits **at)
{
	struct ipsp_spd_hits *h = *at;

	*at = h->next;
	db->n_hits--;
	ipsp_free_array(db->platform, h, 1, sizeof(*h));
}

void ipsp_spd_hits_unref(struct ipsp_spd_db *db, struct ipsp_spd_hits *hits)
{
	struct ipsp_spd_hits **at = &db->buckets[bucket_of_hits(hits, db->n_buckets)];

	if (--hits->refs > 0 ||
	    atomic_load_explicit(&hits->packets, memory_order_relaxed) > 0)
		return;
	while (*at != hits)
		at = &(*at)->next;
	free_hits(db, at);
}

void ipsp_spd_hits_forget(struct ipsp_spd_db *db)
{
	for (uint32_t i = 0; i < db->n_buckets; i++) {
		struct ipsp_spd_hits **at = &db->buckets[i];

		while (*at) {
			if ((*at)->refs == 0)
				free_hits(db, at);
			else
				at = &(*at)->next;
		}
	}
}

enum ipsp_err ipsp_spd_db_new(const struct ipsp_platform *platform, struct ipsp_spd_db **out)
{
	struct ipsp_spd_db *db = ipsp_alloc_array(platform, 1, sizeof(*db));

	if (!db)
		return IPSP_ENOMEM;
	db->platform = platform;
	db->n_buckets = FIRST_BUCKETS;
	db->buckets = ipsp_alloc_array(platform, db->n_buckets, sizeof(*db->buckets));
	if (!db->buckets) {
		ipsp_free_array(platform, db, 1, sizeof(*db));
		return IPSP_ENOMEM;
	}
	*out = db;
	return IPSP_OK;
}

void ipsp_spd_db_free(struct ipsp_spd_db *db)
{
	if (!db)
		return;
	ipsp_spd_hits_forget(db);
	ipsp_free_array(db->platform, db->buckets, db->n_buckets, sizeof(*db->buckets));
	ipsp_free_array(db->platform, db, 1, sizeof(*db));
}

void ipsp_spd_hits_each(const struct ipsp_spd_db *db,
			void (*each)(void *arg, const struct ipsp_spd_hits *hits), void *arg)
{
	for (uint32_t i = 0; i < db->n_buckets; i++) {
		for (const struct ipsp_spd_hits *h = db->buckets[i]; h; h = h->next)
			each(arg, h);
	}
}

void ipsp_spd_hit(struct ipsp_spd_hits *hits, uint64_t packets, uint64_t bytes)
{
	atomic_fetch_add_explicit(&hits->packets, packets, memory_order_relaxed);
	atomic_fetch_add_explicit(&hits->bytes, bytes, memory_order_relaxed);
}
