/*
 * ipspd/wire.c - writes generations as messages.
 *
 * Selectors travel many to a message; addresses take 4 or 16 octets each by family. Whatever may
 * hold a key is wiped before it is left. The reader is ipspd/wire_read.c.
 */
#include "config.h"

#include "ipspd/wire.h"
#include "ipspd/wire_format.h"

#include <errno.h>
#include <string.h>

#include "chan/chan.h"
#include "ipspd/messages.h"

static void put_addr(struct chan_writer *w, const struct ipsp_addr *a)
{
	chan_put_raw(w, a->octets, ipsp_addr_size(a->family));
}

void wire_selector_put(struct chan_writer *w, const struct ipsp_selector *s)
{
	chan_put_u8(w, s->family);
	chan_put_u8(w, s->proto_lo);
	chan_put_u8(w, s->proto_hi);
	chan_put_u8(w, s->dscp_lo);
	chan_put_u8(w, s->dscp_hi);
	chan_put_u8(w, s->hides);
	chan_put_u32(w, s->flow_lo);
	chan_put_u32(w, s->flow_hi);
	chan_put_u32(w, s->sport_lo);
	chan_put_u32(w, s->sport_hi);
	chan_put_u32(w, s->dport_lo);
	chan_put_u32(w, s->dport_hi);
	put_addr(w, &s->src_lo);
	put_addr(w, &s->src_hi);
	put_addr(w, &s->dst_lo);
	put_addr(w, &s->dst_hi);
}

static int put_selectors(const struct ipsp_selector *s, uint32_t n, wire_emit emit, void *arg)
{
	uint8_t buf[WIRE_SELECTORS_A_MESSAGE * WIRE_SELECTOR_MAX + 2];

	for (uint32_t done = 0; done < n;) {
		struct chan_writer w = { .data = buf, .size = sizeof(buf) };
		uint32_t part = n - done < WIRE_SELECTORS_A_MESSAGE ? n - done :
								      WIRE_SELECTORS_A_MESSAGE;

		chan_put_u16(&w, (uint16_t)part);
		for (uint32_t i = 0; i < part; i++)
			wire_selector_put(&w, &s[done + i]);
		if (w.overflow)
			return -EMSGSIZE;
		int rc = emit(arg, MSG_GEN_SELECTORS, buf, w.len);
		if (rc < 0)
			return rc;
		done += part;
	}
	return 0;
}

static void put_step(struct chan_writer *w, const struct ipsp_step *s)
{
	chan_put_u8(w, s->kind);
	chan_put_u8(w, (uint8_t)(s->log | s->may_decide << 1 | s->negotiated << 2));
	chan_put_u16(w, s->end);
	chan_put_u64(w, s->action_id);
	chan_put_u64(w, s->sa_id);
}

static void put_template(struct chan_writer *w, const struct ipsp_template *t)
{
	chan_put_u8(w, t->proto);
	chan_put_u8(w, t->mode);
	chan_put_u8(w, (uint8_t)(t->level | t->anyone << 7));
	chan_put_u8(w, t->pfp);
	chan_put_u32(w, t->reqid);
	chan_put_u8(w, t->local.family);
	put_addr(w, &t->local);
	chan_put_u8(w, t->remote.family);
	put_addr(w, &t->remote);
}

static int put_action(const struct ipsp_spd_entry *e, wire_emit emit, void *arg)
{
	uint8_t buf[16 + IPSP_STEPS_MAX * WIRE_STEP + IPSP_TEMPLATES_MAX * WIRE_TEMPLATE_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, e->action_id);
	chan_put_u16(&w, (uint16_t)e->n_steps);
	for (uint32_t i = 0; i < e->n_steps; i++)
		put_step(&w, &e->steps[i]);
	chan_put_u32(&w, e->clear_s);
	chan_put_u8(&w, (uint8_t)e->n_templates);
	for (uint32_t i = 0; i < e->n_templates; i++)
		put_template(&w, &e->templates[i]);
	return w.overflow ? -EMSGSIZE : emit(arg, MSG_GEN_ACTION, buf, w.len);
}

static void put_node(struct chan_writer *w, const struct ipsp_pred_node *n)
{
	chan_put_u8(w, n->op);
	chan_put_u8(w, n->arg);
	chan_put_u8(w, n->level);
	chan_put_u8(w, n->authority);
	chan_put_u16(w, n->offset);
	chan_put_u32(w, n->first);
	chan_put_u32(w, n->count);
}

/* Items [first, first + n) of one array. */
static void put_items(struct chan_writer *w, const struct ipsp_predicate *p, enum wire_part part,
		      uint32_t first, uint32_t n)
{
	chan_put_u8(w, (uint8_t)part);
	chan_put_u32(w, n);
	if (part == WIRE_PART_OCTETS)
		chan_put_raw(w, p->octets + first, n);
	for (uint32_t i = first; part == WIRE_PART_NODES && i < first + n; i++)
		put_node(w, &p->nodes[i]);
	for (uint32_t i = first; part == WIRE_PART_IDS && i < first + n; i++)
		chan_put_u64(w, p->ids[i]);
}

static int put_part(const struct ipsp_predicate *p, enum wire_part part, uint32_t n,
		    uint32_t item_size, wire_emit emit, void *arg)
{
	uint8_t buf[WIRE_PART_MAX + 8];
	const uint32_t most = WIRE_PART_MAX / item_size;

	for (uint32_t done = 0; done < n;) {
		struct chan_writer w = { .data = buf, .size = sizeof(buf) };
		uint32_t now = n - done < most ? n - done : most;

		put_items(&w, p, part, done, now);
		if (w.overflow)
			return -EMSGSIZE;
		int rc = emit(arg, MSG_GEN_PREDICATE, buf, w.len);
		if (rc < 0)
			return rc;
		done += now;
	}
	return 0;
}

/* All but its selectors, which come behind the entry's own. */
static int put_predicate(const struct ipsp_predicate *p, wire_emit emit, void *arg)
{
	int rc = put_part(p, WIRE_PART_NODES, p->n_nodes, WIRE_NODE_SIZE, emit, arg);

	if (rc >= 0)
		rc = put_part(p, WIRE_PART_OCTETS, p->n_octets, 1, emit, arg);
	if (rc >= 0)
		rc = put_part(p, WIRE_PART_IDS, p->n_ids, sizeof(*p->ids), emit, arg);
	return rc;
}

/* The guard decides by the entry's own action, and tells nobody which rows it came from. */
static int put_entry(const struct ipsp_spd_entry *e, bool whole, wire_emit emit, void *arg)
{
	static const struct ipsp_predicate none;
	const struct ipsp_predicate *p = e->predicate ? e->predicate : &none;
	uint8_t buf[64];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	const bool action = whole && (e->n_steps > 0 || e->log || e->n_templates > 0);

	chan_put_u64(&w, e->id);
	chan_put_u8(&w, e->action);
	chan_put_u8(&w, (uint8_t)((e->log ? WIRE_ENTRY_LOG : 0) |
				  (action ? WIRE_ENTRY_ACTION : 0) |
				  (e->accept_clear ? WIRE_ENTRY_ACCEPT_CLEAR : 0) |
				  (e->no_frag_state ? WIRE_ENTRY_NO_FRAG_STATE : 0)));
	chan_put_u64(&w, e->sa_id);
	chan_put_u64(&w, e->from_s);
	chan_put_u64(&w, e->until_s);
	chan_put_u32(&w, e->n_selectors);
	chan_put_u32(&w, p->n_nodes);
	chan_put_u32(&w, p->n_octets);
	chan_put_u32(&w, p->n_ids);
	chan_put_u32(&w, p->n_selectors);
	int rc = w.overflow ? -EMSGSIZE : emit(arg, MSG_GEN_ENTRY, buf, w.len);
	if (rc >= 0 && action)
		rc = put_action(e, emit, arg);
	if (rc >= 0)
		rc = put_predicate(p, emit, arg);
	if (rc >= 0)
		rc = put_selectors(e->selectors, e->n_selectors, emit, arg);
	return rc < 0 ? rc : put_selectors(p->selectors, p->n_selectors, emit, arg);
}

static int put_list(const struct ipsp_spd_list *l, bool whole, wire_emit emit, void *arg)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, l->ifindex);
	chan_put_u8(&w, l->dir);
	int rc = emit(arg, MSG_GEN_LIST, buf, w.len);
	for (uint32_t i = 0; rc >= 0 && i < l->n_entries; i++)
		rc = put_entry(&l->entries[i], whole, emit, arg);
	return rc;
}

static bool within_bounds(const struct ipsp_spd_list *lists, size_t n, size_t *n_entries)
{
	size_t entries = 0, selectors = 0, steps = 0, nodes = 0, octets = 0, ids = 0;

	if (n > WIRE_LISTS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		entries += lists[i].n_entries;
		if (entries > WIRE_ENTRIES_MAX)
			return false;
		for (uint32_t j = 0; j < lists[i].n_entries; j++) {
			const struct ipsp_spd_entry *e = &lists[i].entries[j];

			selectors += e->n_selectors;
			steps += e->n_steps;
			if (e->predicate) {
				selectors += e->predicate->n_selectors;
				nodes += e->predicate->n_nodes;
				octets += e->predicate->n_octets;
				ids += e->predicate->n_ids;
			}
			if (selectors > WIRE_SELECTORS_MAX || steps > WIRE_STEPS_MAX ||
			    nodes > WIRE_NODES_MAX || octets > WIRE_OCTETS_MAX ||
			    ids > WIRE_IDS_MAX)
				return false;
		}
	}
	*n_entries = entries;
	return true;
}

int wire_put_lists(const struct ipsp_spd_list *lists, size_t n, wire_emit emit, void *arg)
{
	size_t n_entries;
	int rc = 0;

	if (!within_bounds(lists, n, &n_entries))
		return -E2BIG;
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = put_list(&lists[i], false, emit, arg);
	return rc < 0 ? rc : 0;
}

static void put_key(struct chan_writer *w, const struct ipsp_key *k)
{
	chan_put_octets(w, k->octets, k->len <= IPSP_KEY_MAX ? k->len : 0);
}

static void put_encap(struct chan_writer *w, const struct ipsp_encap *e)
{
	chan_put_u8(w, e->type);
	chan_put_u16(w, e->sport);
	chan_put_u16(w, e->dport);
	chan_put_u16(w, e->keepalive_s);
	chan_put_u64(w, e->follow_id);
	chan_put_u8(w, e->orig_src.family);
	put_addr(w, &e->orig_src);
	chan_put_u8(w, e->orig_dst.family);
	put_addr(w, &e->orig_dst);
}

/* A lifetime in each of its units. */
static void put_life(struct chan_writer *w, uint64_t s, uint64_t use_s, uint64_t bytes,
		     uint64_t packets)
{
	chan_put_u64(w, s);
	chan_put_u64(w, use_s);
	chan_put_u64(w, bytes);
	chan_put_u64(w, packets);
}

/* Of policy: what only a key manager's SAs have is not among it. */
static int put_sa(const struct ipsp_sa_config *sa, wire_emit emit, void *arg)
{
	uint8_t buf[WIRE_SA_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, sa->id);
	chan_put_u64(&w, sa->counter_id);
	chan_put_u8(&w, sa->dir);
	chan_put_u8(&w, sa->proto);
	chan_put_u8(&w, sa->mode);
	chan_put_u8(&w, sa->df);
	chan_put_u8(&w, sa->ecn);
	chan_put_u8(&w, sa->dscp_set);
	chan_put_u8(&w, sa->dscp);
	chan_put_u8(&w, sa->outer_ttl);
	chan_put_u16(&w, sa->tfc_pad);
	chan_put_u8(&w, sa->esn);
	chan_put_u8(&w, sa->replay);
	chan_put_u32(&w, sa->spi);
	chan_put_u32(&w, sa->replay_window_pkts);
	chan_put_u64(&w, sa->seq_floor);
	put_life(&w, sa->life_s, sa->life_use_s, sa->life_bytes, sa->life_packets);
	put_life(&w, sa->soft_s, sa->soft_use_s, sa->soft_bytes, sa->soft_packets);
	chan_put_u32(&w, sa->idle_s);
	chan_put_u32(&w, sa->packet_log);
	chan_put_u64(&w, sa->next_id);
	chan_put_u64(&w, sa->bundle_id);
	chan_put_u8(&w, sa->local.family);
	put_addr(&w, &sa->local);
	chan_put_u8(&w, sa->remote.family);
	put_addr(&w, &sa->remote);
	chan_put_u16(&w, sa->encr);
	chan_put_u16(&w, sa->encr_key_bits);
	chan_put_u16(&w, sa->integ);
	put_key(&w, &sa->encr_key);
	put_key(&w, &sa->integ_key);
	put_encap(&w, &sa->encap);
	chan_put_u8(&w, sa->frag_before);
	chan_put_u16(&w, sa->tfc_random);
	chan_put_u16(&w, sa->dummy_s);
	chan_put_u16(&w, sa->dummy_len);
	chan_put_u32(&w, sa->flow_label);
	chan_put_u8(&w, sa->pad_unchecked);
	chan_put_u8(&w, sa->seq_rollover);
	int rc = w.overflow ? -EMSGSIZE : emit(arg, MSG_GEN_SA, buf, w.len);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

int wire_put_generation(uint64_t generation, const struct ipsp_spd_list *lists, size_t n_lists,
			const struct ipsp_sa_config *sas, size_t n_sas, wire_emit emit, void *arg)
{
	uint8_t buf[20];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	size_t n_entries;

	if (!within_bounds(lists, n_lists, &n_entries) || n_sas > WIRE_SAS_MAX)
		return -E2BIG;
	chan_put_u64(&w, generation);
	int rc = emit(arg, MSG_GEN_BEGIN, buf, w.len);
	for (size_t i = 0; rc >= 0 && i < n_sas; i++)
		rc = put_sa(&sas[i], emit, arg);
	for (size_t i = 0; rc >= 0 && i < n_lists; i++)
		rc = put_list(&lists[i], true, emit, arg);
	if (rc < 0)
		return rc;
	chan_put_u32(&w, (uint32_t)n_lists);
	chan_put_u32(&w, (uint32_t)n_entries);
	chan_put_u32(&w, (uint32_t)n_sas);
	rc = emit(arg, MSG_GEN_COMMIT, buf, w.len);
	return rc < 0 ? rc : 0;
}

/* ---- what changes ---- */

static void put_change(struct wire_change *c, uint16_t type, const struct chan_writer *w)
{
	if (c->rc >= 0)
		c->rc = c->emit(c->arg, type, w->data, w->len);
}

void wire_change_begin(struct wire_change *c, uint64_t generation, uint64_t base, wire_emit emit,
		       void *arg)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	*c = (struct wire_change){ .emit = emit, .arg = arg };
	chan_put_u64(&w, generation);
	chan_put_u64(&w, base);
	put_change(c, MSG_GEN_FOLLOW, &w);
}

void wire_change_sa(struct wire_change *c, const struct ipsp_sa_config *sa)
{
	c->sas++;
	if (c->rc >= 0)
		c->rc = put_sa(sa, c->emit, c->arg);
}

void wire_change_sa_gone(struct wire_change *c, uint64_t id)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	c->sas_gone++;
	chan_put_u64(&w, id);
	put_change(c, MSG_GEN_SA_GONE, &w);
}

void wire_change_unasked(struct wire_change *c, const struct ipsp_unasked *u)
{
	uint8_t buf[WIRE_UNASKED_SELECTORS * WIRE_SELECTOR_MAX + 16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	c->unasked++;
	chan_put_u64(&w, u->sa_id);
	chan_put_u32(&w, u->reqid);
	chan_put_u8(&w, u->again);
	chan_put_u8(&w, u->n);
	chan_put_u16(&w, (uint16_t)u->n_selectors);
	for (uint32_t i = 0; i < u->n_selectors && !w.overflow; i++)
		wire_selector_put(&w, &u->selectors[i]);
	if (w.overflow)
		c->rc = -EMSGSIZE;
	put_change(c, MSG_GEN_UNASKED, &w);
}

static void put_key_of_list(struct wire_change *c, uint16_t type, uint32_t ifindex, uint8_t dir)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, ifindex);
	chan_put_u8(&w, dir);
	put_change(c, type, &w);
}

void wire_change_list(struct wire_change *c, uint32_t ifindex, uint8_t dir)
{
	c->lists++;
	put_key_of_list(c, MSG_GEN_LIST, ifindex, dir);
}

void wire_change_list_gone(struct wire_change *c, uint32_t ifindex, uint8_t dir)
{
	c->lists_gone++;
	put_key_of_list(c, MSG_GEN_LIST_GONE, ifindex, dir);
}

void wire_change_edit(struct wire_change *c, uint32_t ifindex, uint8_t dir)
{
	c->edits++;
	put_key_of_list(c, MSG_GEN_EDIT, ifindex, dir);
}

void wire_change_run(struct wire_change *c, uint32_t keep, uint32_t remove)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	c->runs++;
	chan_put_u32(&w, keep);
	chan_put_u32(&w, remove);
	put_change(c, MSG_GEN_RUN, &w);
}

void wire_change_entry(struct wire_change *c, const struct ipsp_spd_entry *e)
{
	c->entries++;
	if (c->rc >= 0)
		c->rc = put_entry(e, true, c->emit, c->arg);
}

int wire_change_commit(struct wire_change *c, uint64_t generation)
{
	uint8_t buf[44];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, generation);
	chan_put_u32(&w, c->lists);
	chan_put_u32(&w, c->entries);
	chan_put_u32(&w, c->sas);
	chan_put_u32(&w, c->sas_gone);
	chan_put_u32(&w, c->lists_gone);
	chan_put_u32(&w, c->edits);
	chan_put_u32(&w, c->runs);
	chan_put_u32(&w, c->unasked);
	put_change(c, MSG_GEN_COMMIT, &w);
	return c->rc < 0 ? c->rc : 0;
}
