/*
 * spd/items.c - the entries of a table in their order, in blocks that tables share.
 */
#include <string.h>

#include "ipsp/program.h"
#include "spd/octets.h"
#include "spd/residual.h"

void ipsp_spd_words(const struct ipsp_addr *a, uint64_t out[2])
{
	if (a->family == 4) {
		out[0] = (uint64_t)get_be32(a->octets) << 32;
		out[1] = 0;
		return;
	}
	out[0] = get_be64(a->octets);
	out[1] = get_be64(a->octets + 8);
}

void ipsp_spd_box_set(struct ipsp_spd_box *box, const struct ipsp_selector *s, uint64_t order)
{
	ipsp_spd_words(&s->src_lo, box->src_lo);
	ipsp_spd_words(&s->src_hi, box->src_hi);
	ipsp_spd_words(&s->dst_lo, box->dst_lo);
	ipsp_spd_words(&s->dst_hi, box->dst_hi);
	box->sport_lo = s->sport_lo;
	box->sport_hi = s->sport_hi;
	box->dport_lo = s->dport_lo;
	box->dport_hi = s->dport_hi;
	box->flow_lo = s->flow_lo;
	box->flow_hi = s->flow_hi;
	box->order = order;
	box->item = NULL;
	box->proto_lo = s->proto_lo;
	box->proto_hi = s->proto_hi;
	box->dscp_lo = s->dscp_lo;
	box->dscp_hi = s->dscp_hi;
	box->hides = s->hides;
	box->family = s->family;
}

static bool words_equal(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

bool ipsp_spd_box_is(const struct ipsp_spd_box *box, const struct ipsp_selector *s,
		     uint64_t order)
{
	struct ipsp_spd_box b;

	ipsp_spd_box_set(&b, s, order);
	return words_equal(b.src_lo, box->src_lo) && words_equal(b.src_hi, box->src_hi) &&
	       words_equal(b.dst_lo, box->dst_lo) && words_equal(b.dst_hi, box->dst_hi) &&
	       b.sport_lo == box->sport_lo && b.sport_hi == box->sport_hi &&
	       b.dport_lo == box->dport_lo && b.dport_hi == box->dport_hi &&
	       b.flow_lo == box->flow_lo && b.flow_hi == box->flow_hi && b.order == box->order &&
	       b.proto_lo == box->proto_lo && b.proto_hi == box->proto_hi &&
	       b.dscp_lo == box->dscp_lo && b.dscp_hi == box->dscp_hi &&
	       b.hides == box->hides && b.family == box->family;
}

static bool steps_equal(const struct ipsp_step *a, const struct ipsp_step *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (a[i].kind != b[i].kind || a[i].log != b[i].log ||
		    a[i].may_decide != b[i].may_decide || a[i].negotiated != b[i].negotiated || a[i].end != b[i].end ||
		    a[i].action_id != b[i].action_id || a[i].sa_id != b[i].sa_id)
			return false;
	}
	return true;
}

bool ipsp_template_equal(const struct ipsp_template *a, const struct ipsp_template *b)
{
	return a->proto == b->proto && a->mode == b->mode && a->level == b->level &&
	       a->pfp == b->pfp && a->reqid == b->reqid && a->anyone == b->anyone &&
	       ipsp_addr_cmp(&a->local, &b->local) == 0 &&
	       ipsp_addr_cmp(&a->remote, &b->remote) == 0;
}

static bool templates_equal(const struct ipsp_spd_rule *r, const struct ipsp_spd_entry *e)
{
	if (r->n_templates != e->n_templates || r->clear_s != e->clear_s ||
	    r->accept_clear != e->accept_clear || r->no_frag_state != e->no_frag_state)
		return false;
	for (uint32_t i = 0; i < e->n_templates; i++) {
		if (!ipsp_template_equal(&r->templates[i], &e->templates[i]))
			return false;
	}
	return true;
}

static bool family_valid(uint8_t family)
{
	return family == 0 || ipsp_addr_size(family) > 0;
}

bool ipsp_template_valid(const struct ipsp_template *t)
{
	return (t->proto == IPSP_PROTO_ESP || t->proto == IPSP_PROTO_AH ||
		t->proto == IPSP_PROTO_IPCOMP) &&
	       (t->mode == IPSP_MODE_TUNNEL || t->mode == IPSP_MODE_TRANSPORT) &&
	       t->level <= IPSP_LEVEL_UNIQUE && t->pfp <= IPSP_PFP_ALL &&
	       !(t->anyone && t->remote.family) &&
	       family_valid(t->local.family) && family_valid(t->remote.family) &&
	       (t->local.family == 0 || t->remote.family == 0 ||
		t->local.family == t->remote.family);
}

static bool templates_valid(const struct ipsp_spd_entry *e)
{
	if (e->n_templates == 0)
		return e->clear_s == 0 && (!e->accept_clear || e->action == IPSP_PROTECT);
	if (e->n_templates > IPSP_TEMPLATES_MAX || e->sa_id != 0 ||
	    (e->action == IPSP_BYPASS && e->n_steps == 0))
		return false;
	for (uint32_t i = 0; i < e->n_templates; i++) {
		if (!ipsp_template_valid(&e->templates[i]))
			return false;
	}
	return true;
}

bool ipsp_spd_entry_valid(const struct ipsp_spd_entry *e)
{
	if (!templates_valid(e))
		return false;
	if (e->id == 0 || e->action > IPSP_PROTECT ||
	    (e->predicate && !ipsp_predicate_valid(e->predicate)) ||
	    (e->n_steps > 0 && !ipsp_steps_valid(e->steps, e->n_steps)))
		return false;
	for (uint32_t j = 0; j < e->n_selectors; j++) {
		if (!ipsp_selector_valid(&e->selectors[j]))
			return false;
	}
	return true;
}

/* ---- one item ---- */

static void item_free(struct ipsp_spd_db *db, struct ipsp_spd_item *item)
{
	const struct ipsp_platform *p = db->platform;

	if (item->rule.hits)
		ipsp_spd_hits_unref(db, item->rule.hits);
	ipsp_spd_residual_free(p, (struct ipsp_spd_residual *)(uintptr_t)item->rule.residual);
	if (item->rule.templates)
		ipsp_free_array(p, (void *)(uintptr_t)item->rule.templates, item->rule.n_templates,
				sizeof(*item->rule.templates));
	if (item->rule.steps)
		ipsp_free_array(p, (void *)(uintptr_t)item->rule.steps, item->rule.n_steps,
				sizeof(*item->rule.steps));
	if (item->boxes)
		ipsp_free_array(p, item->boxes, item->n_boxes, sizeof(*item->boxes));
	ipsp_free_array(p, item, 1, sizeof(*item));
}

static bool copy_templates(struct ipsp_spd_db *db, const struct ipsp_template *templates, uint32_t n,
			   struct ipsp_spd_item *item)
{
	struct ipsp_template *to;

	if (n == 0)
		return true;
	to = ipsp_alloc_array(db->platform, n, sizeof(*to));
	if (!to)
		return false;
	memcpy(to, templates, n * sizeof(*to));
	item->rule.n_templates = (uint8_t)n;
	item->rule.templates = to;
	return true;
}

/* Copies the arrays of the rule, which is there but for them. */
static bool copy_arrays(struct ipsp_spd_db *db, const struct ipsp_step *steps, uint32_t n_steps,
			const struct ipsp_spd_entry *residual, uint32_t n_boxes,
			struct ipsp_spd_item *item)
{
	const struct ipsp_platform *p = db->platform;

	if (n_steps > 0) {
		struct ipsp_step *to = ipsp_alloc_array(p, n_steps, sizeof(*to));

		if (!to)
			return false;
		memcpy(to, steps, n_steps * sizeof(*to));
		item->rule.n_steps = (uint16_t)n_steps;
		item->rule.steps = to;
	}
	if (ipsp_spd_residual_needed(residual)) {
		item->rule.residual = ipsp_spd_residual_new(p, residual);
		if (!item->rule.residual)
			return false;
	}
	item->boxes = ipsp_alloc_array(p, n_boxes, sizeof(*item->boxes));
	item->n_boxes = item->boxes ? n_boxes : 0;
	return item->boxes != NULL;
}

static struct ipsp_spd_item *item_alloc(struct ipsp_spd_db *db, const struct ipsp_spd_key *key,
					uint64_t id, uint64_t order)
{
	struct ipsp_spd_item *item = ipsp_alloc_array(db->platform, 1, sizeof(*item));

	if (!item)
		return NULL;
	item->refs = 1;
	item->order = order;
	item->rule.id = id;
	item->rule.hits = ipsp_spd_hits_ref(db, key, id);
	if (!item->rule.hits) {
		item_free(db, item);
		return NULL;
	}
	return item;
}

struct ipsp_spd_item *ipsp_spd_item_new(struct ipsp_spd_db *db, const struct ipsp_spd_key *key,
					const struct ipsp_spd_entry *e, uint64_t order)
{
	struct ipsp_spd_item *item = item_alloc(db, key, e->id, order);

	if (!item)
		return NULL;
	item->rule.action_id = e->action_id;
	item->rule.sa_id = e->sa_id;
	item->rule.action = e->action;
	item->rule.log = e->log;
	item->rule.clear_s = e->clear_s;
	item->rule.accept_clear = e->accept_clear;
	item->rule.no_frag_state = e->no_frag_state;
	if (!copy_templates(db, e->templates, e->n_templates, item) ||
	    !copy_arrays(db, e->steps, e->n_steps, e, e->n_selectors, item)) {
		item_free(db, item);
		return NULL;
	}
	for (uint32_t i = 0; i < e->n_selectors; i++) {
		ipsp_spd_box_set(&item->boxes[i], &e->selectors[i], order);
		item->boxes[i].item = item;
	}
	return item;
}

struct ipsp_spd_item *ipsp_spd_item_again(struct ipsp_spd_db *db, const struct ipsp_spd_item *from,
					  uint64_t order)
{
	const struct ipsp_spd_rule *r = &from->rule;
	const struct ipsp_spd_key key = { r->hits->ifindex, r->hits->dir };
	struct ipsp_spd_entry residual = { .id = r->id };
	struct ipsp_spd_item *item = item_alloc(db, &key, r->id, order);

	if (!item)
		return NULL;
	item->rule.action_id = r->action_id;
	item->rule.sa_id = r->sa_id;
	item->rule.action = r->action;
	item->rule.log = r->log;
	item->rule.clear_s = r->clear_s;
	item->rule.accept_clear = r->accept_clear;
	item->rule.no_frag_state = r->no_frag_state;
	if (r->residual) {
		residual.from_s = r->residual->from_s;
		residual.until_s = r->residual->until_s;
		residual.predicate = r->residual->predicate.n_nodes > 0 ?
				     &r->residual->predicate : NULL;
	}
	if (!copy_templates(db, r->templates, r->n_templates, item) ||
	    !copy_arrays(db, r->steps, r->n_steps, &residual, from->n_boxes, item)) {
		item_free(db, item);
		return NULL;
	}
	for (uint32_t i = 0; i < from->n_boxes; i++) {
		item->boxes[i] = from->boxes[i];
		item->boxes[i].order = order;
		item->boxes[i].item = item;
	}
	return item;
}

bool ipsp_spd_item_is(const struct ipsp_spd_item *item, const struct ipsp_spd_entry *e)
{
	const struct ipsp_spd_rule *r = &item->rule;

	if (r->id != e->id || r->action != e->action || r->log != e->log ||
	    r->sa_id != e->sa_id || r->action_id != e->action_id ||
	    item->n_boxes != e->n_selectors || r->n_steps != e->n_steps ||
	    !steps_equal(r->steps, e->steps, e->n_steps) || !templates_equal(r, e) ||
	     !ipsp_spd_residual_is(r->residual, e))
		return false;
	for (uint32_t i = 0; i < e->n_selectors; i++) {
		if (!ipsp_spd_box_is(&item->boxes[i], &e->selectors[i], item->order))
			return false;
	}
	return true;
}

void ipsp_spd_item_unref(struct ipsp_spd_db *db, struct ipsp_spd_item *item)
{
	if (--item->refs == 0)
		item_free(db, item);
}

/* ---- blocks ---- */

static void block_unref(struct ipsp_spd_db *db, struct ipsp_spd_block *b)
{
	if (--b->refs > 0)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		ipsp_spd_item_unref(db, b->items[i]);
	ipsp_free_array(db->platform, b, 1, sizeof(*b));
}

/* The block as this table's alone. NULL: no memory. */
static struct ipsp_spd_block *own_block(const struct ipsp_platform *p, struct ipsp_spd_table *t,
					uint32_t at)
{
	struct ipsp_spd_block *b = t->blocks[at], *copy;

	if (b->refs == 1)
		return b;
	copy = ipsp_alloc_array(p, 1, sizeof(*copy));
	if (!copy)
		return NULL;
	memcpy(copy, b, sizeof(*copy));
	copy->refs = 1;
	for (uint32_t i = 0; i < copy->n; i++)
		copy->items[i]->refs++;
	b->refs--;
	t->blocks[at] = copy;
	return copy;
}

static bool room_for_block(const struct ipsp_platform *p, struct ipsp_spd_table *t)
{
	uint32_t room = t->n_blocks + t->n_blocks / 8 + 4;
	struct ipsp_spd_block **blocks;

	if (t->n_blocks < t->room_blocks)
		return true;
	blocks = ipsp_alloc_array(p, room, sizeof(struct ipsp_spd_block *));
	if (!blocks)
		return false;
	if (t->blocks) {
		memcpy(blocks, t->blocks, t->n_blocks * sizeof(struct ipsp_spd_block *));
		ipsp_free_array(p, t->blocks, t->room_blocks, sizeof(struct ipsp_spd_block *));
	}
	t->blocks = blocks;
	t->room_blocks = room;
	return true;
}

/* Moves what stands from `from` on in a block into a new one behind it. */
static bool split(const struct ipsp_platform *p, struct ipsp_spd_table *t, uint32_t at,
		  uint32_t from)
{
	struct ipsp_spd_block *b, *behind;

	if (!room_for_block(p, t))
		return false;
	behind = ipsp_alloc_array(p, 1, sizeof(*behind));
	if (!behind)
		return false;
	b = t->blocks[at];
	behind->refs = 1;
	behind->n = b->n - from;
	memcpy(behind->items, &b->items[from], behind->n * sizeof(b->items[0]));
	b->n = from;
	memmove(&t->blocks[at + 2], &t->blocks[at + 1],
		(t->n_blocks - at - 1) * sizeof(struct ipsp_spd_block *));
	t->blocks[at + 1] = behind;
	t->n_blocks++;
	return true;
}

/* The block that has, or would have at its end, that position; *at becomes the place in it. */
static uint32_t block_of(const struct ipsp_spd_table *t, uint32_t *at, bool end_counts)
{
	uint32_t i = 0;

	while (i + 1 < t->n_blocks && *at + !end_counts > t->blocks[i]->n)
		*at -= t->blocks[i++]->n;
	return i;
}

bool ipsp_spd_items_share(const struct ipsp_platform *p, struct ipsp_spd_table *t,
			  const struct ipsp_spd_table *from)
{
	t->blocks = ipsp_alloc_array(p, from->n_blocks + 1, sizeof(struct ipsp_spd_block *));
	if (!t->blocks)
		return false;
	t->room_blocks = from->n_blocks + 1;
	for (; t->n_blocks < from->n_blocks; t->n_blocks++) {
		t->blocks[t->n_blocks] = from->blocks[t->n_blocks];
		t->blocks[t->n_blocks]->refs++;
	}
	t->n_rules = from->n_rules;
	t->n_boxes = from->n_boxes;
	return true;
}

void ipsp_spd_items_free(struct ipsp_spd_db *db, struct ipsp_spd_table *t)
{
	for (uint32_t i = 0; i < t->n_blocks; i++)
		block_unref(db, t->blocks[i]);
	if (t->blocks)
		ipsp_free_array(db->platform, t->blocks, t->room_blocks,
				sizeof(struct ipsp_spd_block *));
}

struct ipsp_spd_item *ipsp_spd_items_at(const struct ipsp_spd_table *t, uint32_t at)
{
	uint32_t block = block_of(t, &at, false);

	return t->blocks[block]->items[at];
}

bool ipsp_spd_items_insert(struct ipsp_spd_db *db, struct ipsp_spd_table *t, uint32_t at,
			   struct ipsp_spd_item *item)
{
	const struct ipsp_platform *p = db->platform;
	struct ipsp_spd_block *b;
	uint32_t block;

	if (t->n_blocks == 0) {
		if (!room_for_block(p, t))
			return false;
		b = ipsp_alloc_array(p, 1, sizeof(*b));
		if (!b)
			return false;
		b->refs = 1;
		t->blocks[t->n_blocks++] = b;
	}
	block = block_of(t, &at, true);
	b = own_block(p, t, block);
	if (!b)
		return false;
	if (b->n == IPSP_SPD_BLOCK_ITEMS) {
		/* A list that grows at its end leaves full blocks behind. */
		uint32_t from = at == b->n && block + 1 == t->n_blocks ? b->n - 1 : b->n / 2;

		if (!split(p, t, block, from))
			return false;
		if (at > from) {
			at -= from;
			b = t->blocks[block + 1];
		}
	}
	memmove(&b->items[at + 1], &b->items[at], (b->n - at) * sizeof(b->items[0]));
	b->items[at] = item;
	b->n++;
	item->refs++;
	t->n_rules++;
	t->n_boxes += item->n_boxes;
	return true;
}

bool ipsp_spd_items_remove(struct ipsp_spd_db *db, struct ipsp_spd_table *t, uint32_t at)
{
	uint32_t block = block_of(t, &at, false);
	struct ipsp_spd_block *b = own_block(db->platform, t, block);
	struct ipsp_spd_item *item;

	if (!b)
		return false;
	item = b->items[at];
	b->n--;
	memmove(&b->items[at], &b->items[at + 1], (b->n - at) * sizeof(b->items[0]));
	if (b->n == 0) {
		block_unref(db, b);
		t->n_blocks--;
		memmove(&t->blocks[block], &t->blocks[block + 1],
			(t->n_blocks - block) * sizeof(struct ipsp_spd_block *));
	}
	t->n_rules--;
	t->n_boxes -= item->n_boxes;
	ipsp_spd_item_unref(db, item);
	return true;
}
