/*
 * policy/items.c - origins, problems, entries and SAs: see items.h and policy.h.
 */
#include "policy/items.h"

#include <stdlib.h>
#include <string.h>

#include "ipsp/predicate.h"
#include "ipsp/spd.h"
#include "policy/ids.h"
#include "policy/rows.h"

#define ITEM(name) \
	void pol_##name##_unref(void *item) \
	{ \
		struct pol_##name *o = item; \
\
		if (o && --o->refs == 0) \
			name##_free(o); \
	} \
\
	static void name##_ref(void *item) \
	{ \
		((struct pol_##name *)item)->refs++; \
	}

static void origin_free(struct pol_origin *o)
{
	free(o);
}

static void problem_free(struct pol_problem *p)
{
	free(p);
}

static void entry_free(struct pol_entry *e)
{
	free(e);
}

static void sa_free(struct pol_sa *sa)
{
	ipsp_key_wipe(&sa->config.encr_key);
	ipsp_key_wipe(&sa->config.integ_key);
	free(sa);
}

ITEM(origin)
ITEM(problem)
ITEM(entry)
ITEM(sa)

/* ---- order ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int entry_cmp(const void *item, const void *key)
{
	const struct pol_entry *a = item, *b = key;
	uint8_t depth = a->depth < b->depth ? a->depth : b->depth;

	if (a->band != b->band)
		return a->band < b->band ? -1 : 1;
	for (uint8_t i = 0; i < depth; i++)
		if (a->path[i] != b->path[i])
			return a->path[i] < b->path[i] ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	return (a->piece > b->piece) - (a->piece < b->piece);
}

static int sa_cmp(const void *item, const void *key)
{
	const struct pol_sa *a = item, *b = key;

	return cmp_u64(a->config.id, b->config.id);
}

static int origin_cmp(const void *item, const void *key)
{
	const struct pol_origin *a = item, *b = key;

	if (a->id != b->id)
		return cmp_u64(a->id, b->id);
	if ((a->sa_id == 0) != (b->sa_id == 0))
		return a->sa_id == 0 ? 1 : -1;
	return cmp_u64(a->sa_id, b->sa_id);
}

static int row_cmp(const struct mib_table *t, const struct pol_index *index,
		   const struct mib_table *u, const struct pol_index *other)
{
	if (t != u)
		return t->number < u->number ? -1 : 1;
	return mib_oid_cmp(index->ids, index->len, other->ids, other->len);
}

static int problem_cmp(const void *item, const void *key)
{
	const struct pol_problem *a = item, *b = key;
	int c = row_cmp(a->table, &a->index, b->table, &b->index);

	return c ? c : strcmp(a->reason, b->reason);
}

const struct pol_map_type pol_entries_type = { entry_cmp, entry_ref, pol_entry_unref };
const struct pol_map_type pol_sas_type = { sa_cmp, sa_ref, pol_sa_unref };
const struct pol_map_type pol_origins_type = { origin_cmp, origin_ref, pol_origin_unref };
const struct pol_map_type pol_problems_type = { problem_cmp, problem_ref, pol_problem_unref };

/* ---- making ---- */

struct pol_origin *pol_origin_new(uint64_t id, const struct mib_table *t, const uint32_t *index,
				  size_t len, const char *name)
{
	char row[POL_ROW_TEXT];
	size_t name_len = strlen(name ? name : pol_row_text(t, index, len, row));
	struct pol_origin *o = malloc(sizeof(*o) + len * sizeof(*index) + name_len + 1);
	uint32_t *ids;

	if (!o)
		return NULL;
	ids = (uint32_t *)(o + 1);
	*o = (struct pol_origin){ .refs = 1, .id = id, .table = t, .index = { ids, len } };
	memcpy(ids, index, len * sizeof(*index));
	o->name = memcpy(ids + len, name ? name : row, name_len + 1);
	return o;
}

struct pol_problem *pol_problem_new(const struct mib_table *t, const uint32_t *index, size_t len,
				    const char *reason)
{
	size_t reason_len = strlen(reason);
	struct pol_problem *p = malloc(sizeof(*p) + len * sizeof(*index) + reason_len + 1);
	uint32_t *ids;

	if (!p)
		return NULL;
	ids = (uint32_t *)(p + 1);
	*p = (struct pol_problem){ .refs = 1, .table = t, .index = { ids, len } };
	memcpy(ids, index, len * sizeof(*index));
	p->reason = memcpy(ids + len, reason, reason_len + 1);
	return p;
}

/* Arrays behind one another, each where any of their members may stand. */
#define ROUND_UP(octets) (((octets) + 7) & ~(size_t)7)

static size_t room_of(const struct ipsp_spd_entry *e)
{
	const struct ipsp_predicate *p = e->predicate;
	size_t room = ROUND_UP(e->n_steps * sizeof(*e->steps)) +
		      ROUND_UP(e->n_templates * sizeof(*e->templates)) +
		      ROUND_UP(e->n_selectors * sizeof(*e->selectors));

	if (p)
		room += ROUND_UP(sizeof(*p)) + ROUND_UP(p->n_nodes * sizeof(*p->nodes)) +
			ROUND_UP(p->n_octets) + ROUND_UP(p->n_ids * sizeof(*p->ids)) +
			ROUND_UP(p->n_selectors * sizeof(*p->selectors));
	return room;
}

/* A copy of an array at *at, which moves behind it. */
static void *carve(uint8_t **at, const void *from, size_t octets)
{
	void *to = *at;

	if (octets > 0)
		memcpy(to, from, octets);
	*at += ROUND_UP(octets);
	return octets > 0 ? to : NULL;
}

struct pol_entry *pol_entry_new(const struct ipsp_spd_entry *spd, const uint16_t *path,
				uint8_t depth, uint8_t piece)
{
	const struct ipsp_predicate *from = spd->predicate;
	struct ipsp_predicate *p;
	struct pol_entry *e = malloc(ROUND_UP(sizeof(*e)) + room_of(spd));
	uint8_t *at;

	if (!e)
		return NULL;
	*e = (struct pol_entry){ .refs = 1, .depth = depth, .piece = piece, .spd = *spd };
	memcpy(e->path, path, depth * sizeof(*path));
	at = (uint8_t *)e + ROUND_UP(sizeof(*e));
	e->spd.steps = carve(&at, spd->steps, spd->n_steps * sizeof(*spd->steps));
	e->spd.templates = carve(&at, spd->templates, spd->n_templates * sizeof(*spd->templates));
	e->spd.selectors = carve(&at, spd->selectors, spd->n_selectors * sizeof(*spd->selectors));
	if (!from)
		return e;
	e->spd.predicate = p = carve(&at, from, sizeof(*from));
	p->nodes = carve(&at, from->nodes, from->n_nodes * sizeof(*from->nodes));
	p->octets = carve(&at, from->octets, from->n_octets);
	p->ids = carve(&at, from->ids, from->n_ids * sizeof(*from->ids));
	p->selectors = carve(&at, from->selectors, from->n_selectors * sizeof(*from->selectors));
	return e;
}

struct pol_sa *pol_sa_new(const struct ipsp_sa_config *config)
{
	struct pol_sa *sa = malloc(sizeof(*sa));

	if (sa)
		*sa = (struct pol_sa){ .refs = 1, .config = *config };
	return sa;
}

/* ---- comparing ---- */

static bool selector_same(const struct ipsp_selector *a, const struct ipsp_selector *b)
{
	return a->family == b->family &&
	       a->proto_lo == b->proto_lo && a->proto_hi == b->proto_hi &&
	       a->dscp_lo == b->dscp_lo && a->dscp_hi == b->dscp_hi &&
	       a->hides == b->hides &&
	       a->flow_lo == b->flow_lo && a->flow_hi == b->flow_hi &&
	       a->sport_lo == b->sport_lo && a->sport_hi == b->sport_hi &&
	       a->dport_lo == b->dport_lo && a->dport_hi == b->dport_hi &&
	       ipsp_addr_cmp(&a->src_lo, &b->src_lo) == 0 &&
	       ipsp_addr_cmp(&a->src_hi, &b->src_hi) == 0 &&
	       ipsp_addr_cmp(&a->dst_lo, &b->dst_lo) == 0 &&
	       ipsp_addr_cmp(&a->dst_hi, &b->dst_hi) == 0;
}

static bool step_same(const struct ipsp_step *a, const struct ipsp_step *b)
{
	return a->kind == b->kind && a->log == b->log && a->may_decide == b->may_decide &&
	       a->end == b->end && a->action_id == b->action_id && a->sa_id == b->sa_id &&
	       a->negotiated == b->negotiated;
}

static bool selectors_same(const struct ipsp_selector *a, const struct ipsp_selector *b,
			   uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!selector_same(&a[i], &b[i]))
			return false;
	return true;
}

static bool node_same(const struct ipsp_pred_node *a, const struct ipsp_pred_node *b)
{
	return a->op == b->op && a->arg == b->arg && a->level == b->level &&
	       a->authority == b->authority && a->offset == b->offset && a->first == b->first &&
	       a->count == b->count;
}

bool pol_predicate_same(const struct ipsp_predicate *a, const struct ipsp_predicate *b)
{
	if (!a || !b)
		return a == b;
	if (a->n_nodes != b->n_nodes || a->n_octets != b->n_octets || a->n_ids != b->n_ids ||
	    a->n_selectors != b->n_selectors)
		return false;
	for (uint32_t i = 0; i < a->n_nodes; i++)
		if (!node_same(&a->nodes[i], &b->nodes[i]))
			return false;
	for (uint32_t i = 0; i < a->n_ids; i++)
		if (a->ids[i] != b->ids[i])
			return false;
	return (a->n_octets == 0 || memcmp(a->octets, b->octets, a->n_octets) == 0) &&
	       selectors_same(a->selectors, b->selectors, a->n_selectors);
}

bool pol_entry_same(const struct ipsp_spd_entry *a, const struct ipsp_spd_entry *b)
{
	if (a->id != b->id || a->action != b->action || a->log != b->log ||
	    a->action_id != b->action_id || a->sa_id != b->sa_id || a->n_steps != b->n_steps ||
	    a->from_s != b->from_s || a->until_s != b->until_s ||
	    a->n_selectors != b->n_selectors || a->n_templates != b->n_templates ||
	    a->clear_s != b->clear_s || a->accept_clear != b->accept_clear ||
	    a->no_frag_state != b->no_frag_state)
		return false;
	for (uint32_t i = 0; i < a->n_templates; i++)
		if (!ipsp_template_equal(&a->templates[i], &b->templates[i]))
			return false;
	for (uint32_t i = 0; i < a->n_steps; i++)
		if (!step_same(&a->steps[i], &b->steps[i]))
			return false;
	return selectors_same(a->selectors, b->selectors, a->n_selectors) &&
	       pol_predicate_same(a->predicate, b->predicate);
}

static bool key_same(const struct ipsp_key *a, const struct ipsp_key *b)
{
	return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static bool same_encap(const struct ipsp_encap *a, const struct ipsp_encap *b)
{
	return a->type == b->type && a->sport == b->sport && a->dport == b->dport &&
	       a->keepalive_s == b->keepalive_s && a->follow_id == b->follow_id &&
	       ipsp_addr_cmp(&a->orig_src, &b->orig_src) == 0 &&
	       ipsp_addr_cmp(&a->orig_dst, &b->orig_dst) == 0;
}

bool pol_sa_same(const struct ipsp_sa_config *a, const struct ipsp_sa_config *b)
{
	return a->id == b->id && a->counter_id == b->counter_id && a->next_id == b->next_id &&
	       a->bundle_id == b->bundle_id && a->dir == b->dir &&
	       a->proto == b->proto && a->mode == b->mode && a->df == b->df && a->ecn == b->ecn &&
	       a->dscp_set == b->dscp_set && a->dscp == b->dscp &&
	       a->outer_ttl == b->outer_ttl && a->tfc_pad == b->tfc_pad && a->esn == b->esn &&
	       same_encap(&a->encap, &b->encap) &&
	       a->frag_before == b->frag_before && a->tfc_random == b->tfc_random &&
	       a->dummy_s == b->dummy_s && a->dummy_len == b->dummy_len &&
	       a->flow_label == b->flow_label && a->pad_unchecked == b->pad_unchecked &&
	       a->seq_rollover == b->seq_rollover && a->next_id == b->next_id &&
	       a->replay == b->replay && a->spi == b->spi &&
	       a->replay_window_pkts == b->replay_window_pkts && a->seq_floor == b->seq_floor &&
	       a->seq_ceiling == b->seq_ceiling && a->life_s == b->life_s &&
	       a->life_use_s == b->life_use_s && a->life_bytes == b->life_bytes &&
	       a->life_packets == b->life_packets && a->soft_s == b->soft_s &&
	       a->soft_use_s == b->soft_use_s && a->soft_bytes == b->soft_bytes &&
	       a->soft_packets == b->soft_packets && a->idle_s == b->idle_s &&
	       a->packet_log == b->packet_log &&
	       ipsp_addr_cmp(&a->local, &b->local) == 0 &&
	       ipsp_addr_cmp(&a->remote, &b->remote) == 0 && a->encr == b->encr &&
	       a->encr_key_bits == b->encr_key_bits && a->integ == b->integ &&
	       key_same(&a->encr_key, &b->encr_key) && key_same(&a->integ_key, &b->integ_key);
}

/* ---- look-ups ---- */

struct pol_generation *pol_generation_new(uint64_t number, size_t n_lists)
{
	struct pol_generation *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	/* One more than there are: an array of none is an array, too. */
	g->lists = calloc(n_lists + 1, sizeof(*g->lists));
	if (!g->lists) {
		free(g);
		return NULL;
	}
	g->number = number;
	g->sas = pol_map_empty(&pol_sas_type);
	g->origins = pol_map_empty(&pol_origins_type);
	g->problems = pol_map_empty(&pol_problems_type);
	return g;
}

void pol_generation_free(struct pol_generation *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_lists; i++)
		pol_map_fini(&g->lists[i].entries);
	free(g->lists);
	pol_map_fini(&g->sas);
	pol_map_fini(&g->origins);
	pol_map_fini(&g->problems);
	free(g);
}

const struct pol_list *pol_generation_list(const struct pol_generation *g, uint32_t ifindex,
					   enum ipsp_dir dir)
{
	size_t lo = 0, hi = g->n_lists;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct pol_list *l = &g->lists[mid];

		if (l->ifindex == ifindex && l->dir == dir)
			return l;
		if (l->ifindex < ifindex || (l->ifindex == ifindex && l->dir < dir))
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool pol_list_flat(const struct pol_list *l, struct ipsp_spd_list *out)
{
	size_t n = 0;
	struct ipsp_spd_entry *entries = calloc(pol_map_count(&l->entries) + 1, sizeof(*entries));
	const struct pol_entry *e;
	struct pol_map_walk w;

	if (!entries)
		return false;
	pol_map_walk_start(&w, &l->entries, 0);
	while ((e = pol_map_walk_next(&w)))
		entries[n++] = e->spd;
	*out = (struct ipsp_spd_list){ .ifindex = l->ifindex, .dir = l->dir,
				       .n_entries = (uint32_t)n, .entries = entries };
	return true;
}

const struct pol_sa *pol_sa_find(const struct pol_generation *g, uint64_t id)
{
	struct pol_sa key;

	key.config.id = id;
	return pol_map_find(&g->sas, &key);
}

uint64_t pol_sa_head(const struct pol_generation *g, uint64_t id)
{
	const struct pol_sa *sa = pol_sa_find(g, id);

	return sa && sa->config.bundle_id ? sa->config.bundle_id : id;
}

struct pol_origin *pol_origins_find(const struct pol_map *origins, uint64_t id)
{
	/* No SA has this id's place before the others'. */
	const struct pol_origin key = { .id = id, .sa_id = 1 };
	struct pol_origin *o = pol_map_at(origins, pol_map_position(origins, &key));

	return o && o->id == id ? o : NULL;
}

const struct pol_origin *pol_origin_find(const struct pol_generation *g, uint64_t id)
{
	return pol_origins_find(&g->origins, id);
}

bool pol_origin_is(const struct pol_origin *o, const struct mib_table *t, const uint32_t *index,
		   size_t len)
{
	return o->table == t && mib_oid_cmp(o->index.ids, o->index.len, index, len) == 0;
}

const struct pol_origin *pol_origin_of(const struct pol_generation *g, const struct mib_table *t,
				       const uint32_t *index, size_t len)
{
	for (uint32_t salt = 0;; salt++) {
		const struct pol_origin *o = pol_origin_find(g, pol_id_of_row(t, index, len, salt));

		if (!o || pol_origin_is(o, t, index, len))
			return o;
	}
}

const struct pol_problem *pol_problem_find(const struct pol_generation *g,
					   const struct mib_table *t, const uint32_t *index,
					   size_t len, bool has_manager)
{
	const struct pol_problem key = { .table = t, .index = { index, len }, .reason = "" };
	const size_t at = pol_map_position(&g->problems, &key);
	const struct pol_problem *p = pol_map_at(&g->problems, at);

	/* There may be another one behind it. */
	if (p && has_manager && strcmp(p->reason, POL_NEEDS_MANAGER) == 0)
		p = pol_map_at(&g->problems, at + 1);
	return p && row_cmp(p->table, &p->index, t, &key.index) == 0 ? p : NULL;
}

const struct pol_problem *pol_problem_next(const struct pol_generation *g,
					   const struct pol_problem *after)
{
	size_t at = after ? pol_map_position(&g->problems, after) : 0;
	const struct pol_problem *p;

	while ((p = pol_map_at(&g->problems, at)) && after &&
	       row_cmp(p->table, &p->index, after->table, &after->index) == 0)
		at++;
	return p;
}
