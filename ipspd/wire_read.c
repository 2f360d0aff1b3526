/*
 * ipspd/wire_read.c - reads the messages of a generation, and believes none of them; SAs are read by
 * ipspd/wire_read_sa.c.
 *
 * Order on the wire: SAs, then each list with its entries, each entry with its action in full, if that
 * was sent, and its selectors; then edits, and their runs with entries. Must not be changed to accept
 * less than a whole generation: an entry cut short would match less than policy says.
 */
#include "config.h"

#include "ipspd/wire_builder.h"
#include "ipspd/wire_format.h"

#include "ipsp/program.h"
#include "ipspd/messages.h"

/* ---- one message each ---- */

/* Is something said of that list already? */
static bool is_known_list(const struct wire_builder *b, const struct ipsp_spd_key *key)
{
	const struct ipsp_spd_list *lists = (const struct ipsp_spd_list *)b->lists.items;
	const struct ipsp_spd_edit *edits = (const struct ipsp_spd_edit *)b->edits.items;
	const struct ipsp_spd_key *gone = (const struct ipsp_spd_key *)b->lists_gone.items;

	for (size_t i = 0; i < b->lists.n; i++) {
		if (lists[i].ifindex == key->ifindex && lists[i].dir == key->dir)
			return true;
	}
	for (size_t i = 0; i < b->edits.n; i++) {
		if (edits[i].key.ifindex == key->ifindex && edits[i].key.dir == key->dir)
			return true;
	}
	for (size_t i = 0; i < b->lists_gone.n; i++) {
		if (gone[i].ifindex == key->ifindex && gone[i].dir == key->dir)
			return true;
	}
	return false;
}

/* What all that names a list has in common. @return 0, or what ends it */
static int get_list_key(struct wire_builder *b, struct chan_reader *r, struct ipsp_spd_key *key)
{
	*key = (struct ipsp_spd_key){ .ifindex = chan_get_u32(r) };
	key->dir = chan_get_u8(r);
	if (!chan_reader_done(r))
		return refuse(b, "list of the wrong size");
	if (is_incomplete(b))
		return refuse(b, "list before the last entry's parts");
	if (key->dir != IPSP_INBOUND && key->dir != IPSP_OUTBOUND)
		return refuse(b, "list of no direction");
	if (is_known_list(b, key))
		return refuse(b, "second list of one interface and direction");
	return 0;
}

static int add_list(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_spd_key key;
	int rc = get_list_key(b, r, &key);

	if (rc < 0)
		return rc;
	if (b->edits.n > 0)
		return refuse(b, "list after the first edit");
	struct ipsp_spd_list *to =
		(struct ipsp_spd_list *)wire_array_add(&b->lists, sizeof(*to), WIRE_LISTS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = (struct ipsp_spd_list){ .ifindex = key.ifindex, .dir = key.dir };
	return 0;
}

static int add_list_gone(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_spd_key key;
	int rc = get_list_key(b, r, &key);

	if (rc < 0)
		return rc;
	struct ipsp_spd_key *to = (struct ipsp_spd_key *)wire_array_add(&b->lists_gone, sizeof(*to),
								   WIRE_LISTS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = key;
	return 0;
}

static int add_edit(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_spd_key key;
	int rc = get_list_key(b, r, &key);

	if (rc < 0)
		return rc;
	struct ipsp_spd_edit *to = (struct ipsp_spd_edit *)wire_array_add(&b->edits, sizeof(*to),
								     WIRE_LISTS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = (struct ipsp_spd_edit){ .key = key };
	return 0;
}

static int add_run(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_spd_run run = { .keep = chan_get_u32(r) };
	int rc;

	run.remove = chan_get_u32(r);
	if (!chan_reader_done(r))
		return refuse(b, "run of the wrong size");
	if (is_incomplete(b))
		return refuse(b, "run before the last entry's parts");
	if (b->edits.n == 0)
		return refuse(b, "run outside any edit");
	struct ipsp_spd_run *to = (struct ipsp_spd_run *)wire_array_add(&b->runs, sizeof(run),
								   WIRE_ENTRIES_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = run;
	((struct ipsp_spd_edit *)b->edits.items)[b->edits.n - 1].n_runs++;
	return 0;
}

static int add_sa_gone(struct wire_builder *b, struct chan_reader *r)
{
	uint64_t id = chan_get_u64(r);
	int rc;

	if (!chan_reader_done(r) || id == 0)
		return refuse(b, "gone SA of the wrong form");
	uint64_t *to = (uint64_t *)wire_array_add(&b->sas_gone, sizeof(*to), WIRE_SAS_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = id;
	return 0;
}

/* Where an entry that comes now would go. NULL: nowhere. */
static uint32_t *entries_of_last(struct wire_builder *b)
{
	struct ipsp_spd_edit *edit = (struct ipsp_spd_edit *)b->edits.items;

	if (b->edits.n > 0)
		return edit[b->edits.n - 1].n_runs > 0 ?
			       &((struct ipsp_spd_run *)b->runs.items)[b->runs.n - 1].n_entries :
			       NULL;
	return b->lists.n > 0 ?
		       &((struct ipsp_spd_list *)b->lists.items)[b->lists.n - 1].n_entries : NULL;
}

static bool get_step(struct chan_reader *r, struct ipsp_step *s)
{
	s->kind = chan_get_u8(r);
	uint8_t flags = chan_get_u8(r);
	s->log = flags & 1;
	s->may_decide = flags >> 1 & 1;
	s->negotiated = flags >> 2 & 1;
	s->end = chan_get_u16(r);
	s->action_id = chan_get_u64(r);
	s->sa_id = chan_get_u64(r);
	return flags <= 7;
}

static bool get_template(struct chan_reader *r, struct ipsp_template *t)
{
	uint8_t level;
	bool good;

	*t = (struct ipsp_template){ .proto = chan_get_u8(r) };
	t->mode = chan_get_u8(r);
	level = chan_get_u8(r);
	t->level = level & 0x7f;
	t->anyone = level >> 7;
	t->pfp = chan_get_u8(r);
	t->reqid = chan_get_u32(r);
	good = get_family(r, &t->local);
	good = get_family(r, &t->remote) && good;
	return good && !r->short_read && ipsp_template_valid(t);
}

static int add_templates(struct wire_builder *b, const struct ipsp_template *t, uint8_t n)
{
	int rc;

	for (uint8_t i = 0; i < n; i++) {
		struct ipsp_template *to = (struct ipsp_template *)wire_array_add(
			&b->templates, sizeof(*to), WIRE_TEMPLATES_MAX, &rc);

		if (!to)
			return no_room(b, rc);
		*to = t[i];
	}
	return 0;
}

static int add_steps(struct wire_builder *b, const struct ipsp_step *steps, uint16_t n)
{
	int rc;

	for (uint16_t i = 0; i < n; i++) {
		struct ipsp_step *to = (struct ipsp_step *)wire_array_add(&b->steps, sizeof(*to),
								     WIRE_STEPS_MAX, &rc);
		if (!to)
			return no_room(b, rc);
		*to = steps[i];
	}
	return 0;
}

/* How the actions of an entry stand to its templates. */
static bool templates_fit(const struct ipsp_spd_entry *e, const struct ipsp_step *steps,
			  uint16_t n_steps)
{
	if (e->n_templates > 0)
		return (e->action != IPSP_BYPASS || n_steps > 0) && e->sa_id == 0;
	for (uint16_t i = 0; i < n_steps; i++) {
		if (steps[i].negotiated)
			return false;
	}
	return e->clear_s == 0;
}

/* What the entry before it does in full. */
static int add_action(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_step steps[IPSP_STEPS_MAX];
	struct ipsp_template templates[IPSP_TEMPLATES_MAX];
	struct ipsp_spd_entry a = { .action_id = chan_get_u64(r) };
	uint16_t n = chan_get_u16(r);
	bool good = n <= IPSP_STEPS_MAX;

	for (uint16_t i = 0; good && i < n; i++)
		good = get_step(r, &steps[i]);
	a.clear_s = chan_get_u32(r);
	a.n_templates = chan_get_u8(r);
	good = good && a.n_templates <= IPSP_TEMPLATES_MAX;
	for (uint32_t i = 0; good && i < a.n_templates; i++)
		good = get_template(r, &templates[i]);
	if (!good || !chan_reader_done(r))
		return refuse(b, "action of the wrong form");
	if (!b->wants_action)
		return refuse(b, "action that no entry wants");
	struct ipsp_spd_entry *e = (struct ipsp_spd_entry *)b->entries.items + b->entries.n - 1;
	if (n > 0 && (e->sa_id != 0 || !ipsp_steps_valid(steps, n)))
		return refuse(b, "program that is not valid");
	e->action_id = a.action_id;
	e->n_steps = n;
	e->n_templates = a.n_templates;
	e->clear_s = a.clear_s;
	if (!templates_fit(e, steps, n))
		return refuse(b, "templates that do not fit the entry's actions");
	b->wants_action = false;
	const int rc = add_steps(b, steps, n);

	return rc < 0 ? rc : add_templates(b, templates, (uint8_t)e->n_templates);
}

/* Room for what it promises. @return 0, also when there is none; or what ends it */
static int begin_predicate(struct wire_builder *b, const struct ipsp_predicate *p)
{
	int rc;

	if (p->n_nodes == 0)
		return p->n_octets || p->n_ids || p->n_selectors ?
			       refuse(b, "parts of a predicate that is not there") : 0;
	if (p->n_nodes > IPSP_PRED_NODES_MAX || p->n_octets > IPSP_PRED_OCTETS_MAX ||
	    p->n_ids > IPSP_PRED_IDS_MAX || p->n_selectors > IPSP_PRED_SELECTORS_MAX)
		return no_room(b, -E2BIG);
	struct ipsp_predicate *to = (struct ipsp_predicate *)wire_array_add(
		&b->predicates, sizeof(*p), WIRE_ENTRIES_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = *p;
	b->missing_nodes = p->n_nodes;
	b->missing_octets = p->n_octets;
	b->missing_ids = p->n_ids;
	return 0;
}

static int add_entry(struct wire_builder *b, struct chan_reader *r)
{
	struct ipsp_spd_entry e = { .id = chan_get_u64(r), .action = chan_get_u8(r) };
	struct ipsp_predicate p = { 0 };
	uint8_t flags = chan_get_u8(r);
	int rc;

	e.log = flags & WIRE_ENTRY_LOG;
	e.accept_clear = flags & WIRE_ENTRY_ACCEPT_CLEAR;
	e.no_frag_state = flags & WIRE_ENTRY_NO_FRAG_STATE;
	e.sa_id = chan_get_u64(r);
	e.from_s = chan_get_u64(r);
	e.until_s = chan_get_u64(r);
	e.n_selectors = chan_get_u32(r);
	p.n_nodes = chan_get_u32(r);
	p.n_octets = chan_get_u32(r);
	p.n_ids = chan_get_u32(r);
	p.n_selectors = chan_get_u32(r);
	if (!chan_reader_done(r) || flags > (WIRE_ENTRY_LOG | WIRE_ENTRY_ACTION |
						 WIRE_ENTRY_ACCEPT_CLEAR |
						 WIRE_ENTRY_NO_FRAG_STATE))
		return refuse(b, "entry of the wrong form");
	if (!entries_of_last(b))
		return refuse(b, "entry outside any list");
	if (is_incomplete(b))
		return refuse(b, "entry before the last one's parts");
	if (e.id == 0)
		return refuse(b, "entry with id 0");
	if (e.action > IPSP_PROTECT)
		return refuse(b, "entry with no such action");
	if (e.sa_id != 0 && e.action != IPSP_PROTECT)
		return refuse(b, "SA named by an entry that does not protect");
	if (e.accept_clear && e.action == IPSP_BYPASS)
		return refuse(b, "clear packets accepted by an entry that does not protect");
	if (e.until_s != 0 && e.until_s <= e.from_s)
		return refuse(b, "entry whose time is over before it begins");
	rc = begin_predicate(b, &p);
	if (rc < 0)
		return rc;
	if (e.n_selectors > WIRE_SELECTORS_MAX - b->selectors.n)
		return no_room(b, -E2BIG);
	/* Which one is known at the end, when arrays move no more. */
	static const struct ipsp_predicate has_one;
	e.predicate = p.n_nodes > 0 ? &has_one : NULL;
	struct ipsp_spd_entry *to =
		(struct ipsp_spd_entry *)wire_array_add(&b->entries, sizeof(e), WIRE_ENTRIES_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = e;
	b->missing = e.n_selectors + p.n_selectors;
	b->wants_action = flags & WIRE_ENTRY_ACTION;
	++*entries_of_last(b);
	return 0;
}

void wire_selector_get(struct chan_reader *r, struct ipsp_selector *s)
{
	s->family = chan_get_u8(r);
	s->proto_lo = chan_get_u8(r);
	s->proto_hi = chan_get_u8(r);
	s->dscp_lo = chan_get_u8(r);
	s->dscp_hi = chan_get_u8(r);
	s->hides = chan_get_u8(r);
	s->flow_lo = chan_get_u32(r);
	s->flow_hi = chan_get_u32(r);
	s->sport_lo = chan_get_u32(r);
	s->sport_hi = chan_get_u32(r);
	s->dport_lo = chan_get_u32(r);
	s->dport_hi = chan_get_u32(r);
	get_addr(r, s->family, &s->src_lo);
	get_addr(r, s->family, &s->src_hi);
	get_addr(r, s->family, &s->dst_lo);
	get_addr(r, s->family, &s->dst_hi);
}

static int add_selectors(struct wire_builder *b, struct chan_reader *r)
{
	uint16_t count = chan_get_u16(r);
	int rc;

	if (count == 0 || count > b->missing || b->wants_action)
		return refuse(b, "selectors that no entry wants");
	for (uint16_t i = 0; i < count; i++) {
		struct ipsp_selector s = { .family = 0 };

		wire_selector_get(r, &s);
		if (r->short_read)
			return refuse(b, "selectors cut short");
		if (!ipsp_selector_valid(&s))
			return refuse(b, "selector that is not valid");
		struct ipsp_selector *to = (struct ipsp_selector *)wire_array_add(
			&b->selectors, sizeof(s), WIRE_SELECTORS_MAX, &rc);
		if (!to)
			return no_room(b, rc);
		*to = s;
	}
	if (!chan_reader_done(r))
		return refuse(b, "octets after the selectors");
	b->missing -= count;
	return 0;
}

static int add_node(struct wire_builder *b, struct chan_reader *r)
{
	int rc;
	struct ipsp_pred_node *n = (struct ipsp_pred_node *)wire_array_add(&b->nodes, sizeof(*n),
								      WIRE_NODES_MAX, &rc);

	if (!n)
		return rc;
	n->op = chan_get_u8(r);
	n->arg = chan_get_u8(r);
	n->level = chan_get_u8(r);
	n->authority = chan_get_u8(r);
	n->offset = chan_get_u16(r);
	n->first = chan_get_u32(r);
	n->count = chan_get_u32(r);
	return 0;
}

static int add_octet(struct wire_builder *b, struct chan_reader *r)
{
	int rc;
	uint8_t *to = (uint8_t *)wire_array_add(&b->octets, 1, WIRE_OCTETS_MAX, &rc);

	if (!to)
		return rc;
	*to = chan_get_u8(r);
	return 0;
}

static int add_id(struct wire_builder *b, struct chan_reader *r)
{
	int rc;
	uint64_t *to = (uint64_t *)wire_array_add(&b->ids, sizeof(*to), WIRE_IDS_MAX, &rc);

	if (!to)
		return rc;
	*to = chan_get_u64(r);
	return 0;
}

static int add_predicate(struct wire_builder *b, struct chan_reader *r)
{
	const struct {
		enum wire_part part;
		uint32_t *missing;
		int (*add)(struct wire_builder *b, struct chan_reader *r);
	} arrays[] = {
		{ WIRE_PART_NODES, &b->missing_nodes, add_node },
		{ WIRE_PART_OCTETS, &b->missing_octets, add_octet },
		{ WIRE_PART_IDS, &b->missing_ids, add_id },
	};
	uint8_t part = chan_get_u8(r);
	uint32_t count = chan_get_u32(r);
	size_t which = 0;

	while (which < 3 && arrays[which].part != part)
		which++;
	if (which == 3 || count == 0 || count > *arrays[which].missing)
		return refuse(b, "parts that no predicate wants");
	for (uint32_t i = 0; i < count && !r->short_read; i++) {
		int rc = arrays[which].add(b, r);

		if (rc < 0)
			return no_room(b, rc);
	}
	if (!chan_reader_done(r))
		return refuse(b, "predicate of the wrong size");
	*arrays[which].missing -= count;
	return 0;
}

static const struct {
	uint16_t type;
	bool of_change;		/* only of a generation that follows another */
	int (*add)(struct wire_builder *b, struct chan_reader *r);
} parts[] = {
	{ MSG_GEN_LIST, false, add_list },
	{ MSG_GEN_ENTRY, false, add_entry },
	{ MSG_GEN_ACTION, false, add_action },
	{ MSG_GEN_PREDICATE, false, add_predicate },
	{ MSG_GEN_SELECTORS, false, add_selectors },
	{ MSG_GEN_SA, false, wire_add_sa },
	{ MSG_GEN_SA_GONE, true, add_sa_gone },
	{ MSG_GEN_UNASKED, true, wire_add_unasked },
	{ MSG_GEN_LIST_GONE, true, add_list_gone },
	{ MSG_GEN_EDIT, true, add_edit },
	{ MSG_GEN_RUN, true, add_run },
};

void wire_builder_follow(struct wire_builder *b)
{
	b->follows = true;
}

int wire_builder_add(struct wire_builder *b, uint16_t type, const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].type == type && (b->follows || !parts[i].of_change))
			return parts[i].add(b, &r);
	}
	return refuse(b, "message that is no part of a generation");
}
