/*
 * spd/table.c - one list as a table: copied, checked, counted; and compared with the next one.
 */
#include "ipsp/program.h"
#include "spd/residual.h"

void ipsp_spd_box_set(struct ipsp_spd_box *box, const struct ipsp_selector *s, uint32_t order)
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
	box->proto_lo = s->proto_lo;
	box->proto_hi = s->proto_hi;
	box->dscp_lo = s->dscp_lo;
	box->dscp_hi = s->dscp_hi;
	box->family = s->family;
}

static bool words_equal(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

bool ipsp_spd_box_is(const struct ipsp_spd_box *box, const struct ipsp_selector *s,
		     uint32_t order)
{
	struct ipsp_spd_box b;

	ipsp_spd_box_set(&b, s, order);
	return words_equal(b.src_lo, box->src_lo) && words_equal(b.src_hi, box->src_hi) &&
	       words_equal(b.dst_lo, box->dst_lo) && words_equal(b.dst_hi, box->dst_hi) &&
	       b.sport_lo == box->sport_lo && b.sport_hi == box->sport_hi &&
	       b.dport_lo == box->dport_lo && b.dport_hi == box->dport_hi &&
	       b.flow_lo == box->flow_lo && b.flow_hi == box->flow_hi && b.order == box->order &&
	       b.proto_lo == box->proto_lo && b.proto_hi == box->proto_hi &&
	       b.dscp_lo == box->dscp_lo && b.dscp_hi == box->dscp_hi && b.family == box->family;
}

static bool steps_equal(const struct ipsp_step *a, const struct ipsp_step *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (a[i].kind != b[i].kind || a[i].log != b[i].log ||
		    a[i].may_decide != b[i].may_decide || a[i].end != b[i].end ||
		    a[i].action_id != b[i].action_id || a[i].sa_id != b[i].sa_id)
			return false;
	}
	return true;
}

bool ipsp_spd_table_is(const struct ipsp_spd_table *table, const struct ipsp_spd_list *list)
{
	uint32_t n = 0;

	if (table->n_rules != list->n_entries)
		return false;
	for (uint32_t i = 0; i < list->n_entries; i++) {
		const struct ipsp_spd_entry *e = &list->entries[i];
		const struct ipsp_spd_rule *r = &table->rules[i];

		if (r->id != e->id || r->action != e->action || r->log != e->log ||
		    r->sa_id != e->sa_id || r->action_id != e->action_id ||
		    table->n_selectors[i] != e->n_selectors || r->n_steps != e->n_steps ||
		    !steps_equal(r->steps, e->steps, e->n_steps) ||
		    !ipsp_spd_residual_is(r->residual, e))
			return false;
		for (uint32_t j = 0; j < e->n_selectors; j++, n++) {
			if (!ipsp_spd_box_is(&table->boxes[table->place[n]], &e->selectors[j], i))
				return false;
		}
	}
	return true;
}

static enum ipsp_err list_check(const struct ipsp_spd_list *list, uint32_t *n_boxes,
				uint32_t *n_steps)
{
	uint64_t n = 0, steps = 0;

	if ((list->dir != IPSP_INBOUND && list->dir != IPSP_OUTBOUND) ||
	    list->n_entries == UINT32_MAX)
		return IPSP_EINVAL;
	for (uint32_t i = 0; i < list->n_entries; i++) {
		const struct ipsp_spd_entry *e = &list->entries[i];

		if (e->id == 0 || e->action > IPSP_PROTECT ||
		    (e->predicate && !ipsp_predicate_valid(e->predicate)))
			return IPSP_EINVAL;
		if (e->n_steps > 0 && !ipsp_steps_valid(e->steps, e->n_steps))
			return IPSP_EINVAL;
		steps += e->n_steps;
		for (uint32_t j = 0; j < e->n_selectors; j++) {
			if (!ipsp_selector_valid(&e->selectors[j]))
				return IPSP_EINVAL;
		}
		n += e->n_selectors;
	}
	if (n >= UINT32_MAX / 4 || steps >= UINT32_MAX / 4)
		return IPSP_EINVAL;
	*n_boxes = (uint32_t)n;
	*n_steps = (uint32_t)steps;
	return IPSP_OK;
}

static void table_free(struct ipsp_spd_db *db, struct ipsp_spd_table *t)
{
	const struct ipsp_platform *p = db->platform;

	for (uint32_t i = 0; t->rules && i < t->n_rules; i++) {
		if (t->rules[i].hits)
			ipsp_spd_hits_unref(db, t->rules[i].hits);
		ipsp_spd_residual_free(p, (struct ipsp_spd_residual *)(uintptr_t)
					  t->rules[i].residual);
	}
	if (t->end)
		ipsp_spd_hits_unref(db, t->end);
	ipsp_spd_index_free(p, t);
	ipsp_free_array(p, t->rules, t->n_rules, sizeof(*t->rules));
	ipsp_free_array(p, t->steps, t->n_steps, sizeof(*t->steps));
	ipsp_free_array(p, t->n_selectors, t->n_rules, sizeof(*t->n_selectors));
	ipsp_free_array(p, t->boxes, t->n_boxes, sizeof(*t->boxes));
	ipsp_free_array(p, t->place, t->n_boxes, sizeof(*t->place));
	ipsp_free_array(p, t, 1, sizeof(*t));
}

static enum ipsp_err table_fill(struct ipsp_spd_db *db, struct ipsp_spd_table *t,
				const struct ipsp_spd_list *list)
{
	struct ipsp_step *steps = t->steps;
	uint32_t n = 0;

	t->end = ipsp_spd_hits_ref(db, &t->key, 0);
	if (!t->end)
		return IPSP_ENOMEM;
	for (uint32_t i = 0; i < list->n_entries; i++) {
		const struct ipsp_spd_entry *e = &list->entries[i];
		struct ipsp_spd_rule *r = &t->rules[i];

		r->id = e->id;
		r->action_id = e->action_id;
		r->sa_id = e->sa_id;
		r->action = e->action;
		r->log = e->log;
		r->n_steps = (uint16_t)e->n_steps;
		r->steps = steps;
		for (uint32_t j = 0; j < e->n_steps; j++)
			*steps++ = e->steps[j];
		r->hits = ipsp_spd_hits_ref(db, &t->key, e->id);
		if (!r->hits)
			return IPSP_ENOMEM;
		if (ipsp_spd_residual_needed(e)) {
			r->residual = ipsp_spd_residual_new(db->platform, e);
			if (!r->residual)
				return IPSP_ENOMEM;
		}
		t->n_selectors[i] = e->n_selectors;
		for (uint32_t j = 0; j < e->n_selectors; j++)
			ipsp_spd_box_set(&t->boxes[n++], &e->selectors[j], i);
	}
	return IPSP_OK;
}

enum ipsp_err ipsp_spd_table_new(struct ipsp_spd_db *db, const struct ipsp_spd_list *list,
				 struct ipsp_spd_table **out)
{
	const struct ipsp_platform *p = db->platform;
	uint32_t n_boxes, n_steps;
	enum ipsp_err err = list_check(list, &n_boxes, &n_steps);

	if (err != IPSP_OK)
		return err;
	struct ipsp_spd_table *t = ipsp_alloc_array(p, 1, sizeof(*t));

	if (!t)
		return IPSP_ENOMEM;
	t->key.ifindex = list->ifindex;
	t->key.dir = list->dir;
	t->refs = 1;
	t->n_rules = list->n_entries;
	t->n_boxes = n_boxes;
	t->n_steps = n_steps;
	t->rules = ipsp_alloc_array(p, t->n_rules, sizeof(*t->rules));
	t->steps = ipsp_alloc_array(p, n_steps, sizeof(*t->steps));
	t->n_selectors = ipsp_alloc_array(p, t->n_rules, sizeof(*t->n_selectors));
	t->boxes = ipsp_alloc_array(p, t->n_boxes, sizeof(*t->boxes));
	t->place = ipsp_alloc_array(p, t->n_boxes, sizeof(*t->place));
	err = t->rules && t->steps && t->n_selectors && t->boxes && t->place ? IPSP_OK : IPSP_ENOMEM;
	if (err == IPSP_OK)
		err = p->random(p->ctx, (uint8_t *)&t->seed, sizeof(t->seed));
	if (err == IPSP_OK)
		err = table_fill(db, t, list);
	if (err == IPSP_OK)
		err = ipsp_spd_index_build(p, t);
	if (err != IPSP_OK) {
		table_free(db, t);
		return err;
	}
	*out = t;
	return IPSP_OK;
}

void ipsp_spd_table_unref(struct ipsp_spd_db *db, struct ipsp_spd_table *table)
{
	if (--table->refs == 0)
		table_free(db, table);
}
