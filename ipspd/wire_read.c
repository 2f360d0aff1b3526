/*
 * ipspd/wire_read.c - builds a generation from messages, and believes none of them.
 *
 * While it grows, lists and entries know their parts by number, since arrays move; the pointers are
 * set once at the end. Order on the wire: SAs, then each list with its entries, each entry with its
 * action in full, if that was sent, and its selectors; then edits, and their runs with entries. Must not
 * be changed to accept less than a whole generation: an entry cut short would match less than policy says.
 */
#include "config.h"

#include "ipspd/wire.h"
#include "ipspd/wire_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan/chan.h"
#include "ipsp/program.h"
#include "ipspd/messages.h"

/* A growing array; doubled when full, up to a bound. */
struct array {
	void *items;
	size_t n;
	size_t room;
};

struct wire_builder {
	uint64_t number;
	struct array lists;		/* struct ipsp_spd_list, entries NULL */
	struct array entries;		/* struct ipsp_spd_entry, selectors and steps NULL */
	struct array selectors;		/* struct ipsp_selector: each entry's, its predicate's */
	struct array steps;		/* struct ipsp_step */
	struct array templates;		/* struct ipsp_template */
	struct array predicates;	/* struct ipsp_predicate, arrays NULL */
	struct array nodes;		/* struct ipsp_pred_node, of all predicates */
	struct array octets;
	struct array ids;		/* uint64_t */
	struct array sas;		/* struct ipsp_sa_config */
	/* of a generation that follows another */
	bool follows;
	struct array edits;		/* struct ipsp_spd_edit, runs NULL */
	struct array runs;		/* struct ipsp_spd_run, entries NULL */
	struct array lists_gone;	/* struct ipsp_spd_key */
	struct array sas_gone;		/* uint64_t */
	/* What the last entry still lacks. */
	uint32_t missing;		/* selectors, its predicate's with them */
	uint32_t missing_nodes, missing_octets, missing_ids;
	bool wants_action;		/* its GEN_ACTION */
	const char *why;
};

/* ---- memory ---- */

/* Room for one more zeroed item. @return it, or NULL with *rc */
static void *array_add(struct array *a, size_t size, size_t max, int *rc)
{
	if (a->n >= max) {
		*rc = -E2BIG;
		return NULL;
	}
	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 16;
		void *items = calloc(room, size);

		if (!items) {
			*rc = -ENOMEM;
			return NULL;
		}
		/* Not realloc: what it leaves behind may hold keys. */
		if (a->n > 0)
			memcpy(items, a->items, a->n * size);
		if (a->items)
			explicit_bzero(a->items, a->n * size);
		free(a->items);
		a->items = items;
		a->room = room;
	}
	*rc = 0;
	return (uint8_t *)a->items + a->n++ * size;
}

static void array_free(struct array *a, size_t size)
{
	if (a->items)
		explicit_bzero(a->items, a->n * size);
	free(a->items);
}

struct wire_builder *wire_builder_new(uint64_t number)
{
	struct wire_builder *b = (struct wire_builder *)calloc(1, sizeof(*b));

	if (b) {
		b->number = number;
		b->why = "nothing";
	}
	return b;
}

void wire_builder_free(struct wire_builder *b)
{
	if (!b)
		return;
	array_free(&b->lists, sizeof(struct ipsp_spd_list));
	array_free(&b->entries, sizeof(struct ipsp_spd_entry));
	array_free(&b->selectors, sizeof(struct ipsp_selector));
	array_free(&b->steps, sizeof(struct ipsp_step));
	array_free(&b->templates, sizeof(struct ipsp_template));
	array_free(&b->predicates, sizeof(struct ipsp_predicate));
	array_free(&b->nodes, sizeof(struct ipsp_pred_node));
	array_free(&b->octets, 1);
	array_free(&b->ids, sizeof(uint64_t));
	array_free(&b->sas, sizeof(struct ipsp_sa_config));
	array_free(&b->edits, sizeof(struct ipsp_spd_edit));
	array_free(&b->runs, sizeof(struct ipsp_spd_run));
	array_free(&b->lists_gone, sizeof(struct ipsp_spd_key));
	array_free(&b->sas_gone, sizeof(uint64_t));
	free(b);
}

void wire_gen_free(struct wire_gen *g)
{
	if (!g)
		return;
	if (g->sas)
		explicit_bzero(g->sas, g->n_sas * sizeof(*g->sas));
	free(g->lists);
	free(g->entries);
	free(g->selectors);
	free(g->steps);
	free(g->templates);
	free(g->predicates);
	free(g->nodes);
	free(g->octets);
	free(g->ids);
	free(g->sas);
	free(g->edits);
	free(g->runs);
	free(g->lists_gone);
	free(g->sas_gone);
	free(g);
}

const char *wire_builder_why(const struct wire_builder *b)
{
	return b->why;
}

static int refuse(struct wire_builder *b, const char *why)
{
	b->why = why;
	return -EINVAL;
}

static int no_room(struct wire_builder *b, int rc)
{
	b->why = rc == -E2BIG ? "more than its bound allows" : "no memory";
	return rc;
}

/* ---- one message each ---- */

static bool is_bool(uint8_t v)
{
	return v <= 1;
}

/* Does the last entry lack any of its parts? */
static bool is_incomplete(const struct wire_builder *b)
{
	return b->missing || b->missing_nodes || b->missing_octets || b->missing_ids ||
	       b->wants_action;
}

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
		(struct ipsp_spd_list *)array_add(&b->lists, sizeof(*to), WIRE_LISTS_MAX, &rc);
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
	struct ipsp_spd_key *to = (struct ipsp_spd_key *)array_add(&b->lists_gone, sizeof(*to),
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
	struct ipsp_spd_edit *to = (struct ipsp_spd_edit *)array_add(&b->edits, sizeof(*to),
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
	struct ipsp_spd_run *to = (struct ipsp_spd_run *)array_add(&b->runs, sizeof(run),
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
	uint64_t *to = (uint64_t *)array_add(&b->sas_gone, sizeof(*to), WIRE_SAS_MAX, &rc);
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

static void get_addr(struct chan_reader *r, uint8_t family, struct ipsp_addr *a)
{
	a->family = family;
	chan_get_raw(r, a->octets, ipsp_addr_size(family));
}

static bool get_family(struct chan_reader *r, struct ipsp_addr *a)
{
	const uint8_t family = chan_get_u8(r);

	get_addr(r, family, a);
	return family == 0 || family == 4 || family == 6;
}

static bool get_template(struct chan_reader *r, struct ipsp_template *t)
{
	bool good;

	*t = (struct ipsp_template){ .proto = chan_get_u8(r) };
	t->mode = chan_get_u8(r);
	t->level = chan_get_u8(r);
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
		struct ipsp_template *to = (struct ipsp_template *)array_add(
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
		struct ipsp_step *to = (struct ipsp_step *)array_add(&b->steps, sizeof(*to),
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
	struct ipsp_predicate *to = (struct ipsp_predicate *)array_add(
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
	e.sa_id = chan_get_u64(r);
	e.from_s = chan_get_u64(r);
	e.until_s = chan_get_u64(r);
	e.n_selectors = chan_get_u32(r);
	p.n_nodes = chan_get_u32(r);
	p.n_octets = chan_get_u32(r);
	p.n_ids = chan_get_u32(r);
	p.n_selectors = chan_get_u32(r);
	if (!chan_reader_done(r) || flags > (WIRE_ENTRY_LOG | WIRE_ENTRY_ACTION |
						 WIRE_ENTRY_ACCEPT_CLEAR))
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
		(struct ipsp_spd_entry *)array_add(&b->entries, sizeof(e), WIRE_ENTRIES_MAX, &rc);
	if (!to)
		return no_room(b, rc);
	*to = e;
	b->missing = e.n_selectors + p.n_selectors;
	b->wants_action = flags & WIRE_ENTRY_ACTION;
	++*entries_of_last(b);
	return 0;
}

static void get_selector(struct chan_reader *r, struct ipsp_selector *s)
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

		get_selector(r, &s);
		if (r->short_read)
			return refuse(b, "selectors cut short");
		if (!ipsp_selector_valid(&s))
			return refuse(b, "selector that is not valid");
		struct ipsp_selector *to = (struct ipsp_selector *)array_add(
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
	struct ipsp_pred_node *n = (struct ipsp_pred_node *)array_add(&b->nodes, sizeof(*n),
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
	uint8_t *to = (uint8_t *)array_add(&b->octets, 1, WIRE_OCTETS_MAX, &rc);

	if (!to)
		return rc;
	*to = chan_get_u8(r);
	return 0;
}

static int add_id(struct wire_builder *b, struct chan_reader *r)
{
	int rc;
	uint64_t *to = (uint64_t *)array_add(&b->ids, sizeof(*to), WIRE_IDS_MAX, &rc);

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

/* @return false: longer than any key; the reader is then spoilt too */
static bool get_key(struct chan_reader *r, struct ipsp_key *k)
{
	size_t len;
	const uint8_t *octets = chan_get_octets(r, &len);

	if (!octets || len > IPSP_KEY_MAX)
		return false;
	k->len = (uint16_t)len;
	memcpy(k->octets, octets, len);
	return true;
}

static bool sa_is_valid(const struct ipsp_sa_config *sa)
{
	uint32_t w = sa->replay_window_pkts;

	if (sa->id == 0 || sa->counter_id == 0)
		return false;
	if (sa->dir != IPSP_INBOUND && sa->dir != IPSP_OUTBOUND)
		return false;
	if (sa->proto != IPSP_PROTO_ESP && sa->proto != IPSP_PROTO_AH &&
	    sa->proto != IPSP_PROTO_IPCOMP)
		return false;
	if (sa->next_id == sa->id)
		return false;
	if (sa->mode != IPSP_MODE_TUNNEL && sa->mode != IPSP_MODE_TRANSPORT)
		return false;
	if (sa->df > IPSP_DF_CLEAR || sa->ecn > IPSP_ECN_NONE || sa->dscp > IPSP_DSCP_MAX ||
	    sa->tfc_pad > IPSP_TFC_PAD_MAX || sa->tfc_random > IPSP_TFC_RANDOM_MAX ||
	    sa->dummy_len > IPSP_DUMMY_LEN_MAX || sa->flow_label > IPSP_FLOW_COPY)
		return false;
	if (sa->spi == 0)	/* RFC 4303 2.1: never on the wire */
		return false;
	if (sa->replay && (w < 32 || w > 4096 || (w & (w - 1)) != 0))
		return false;
	return sa->local.family == 0 || sa->remote.family == 0 ||
	       sa->local.family == sa->remote.family;
}

static bool get_encap(struct chan_reader *r, struct ipsp_encap *e)
{
	e->type = chan_get_u8(r);
	e->sport = chan_get_u16(r);
	e->dport = chan_get_u16(r);
	e->keepalive_s = chan_get_u16(r);
	e->follow_id = chan_get_u64(r);
	bool good = get_family(r, &e->orig_src);
	good = get_family(r, &e->orig_dst) && good;
	return good && (e->type == IPSP_ENCAP_NONE || e->type == IPSP_ENCAP_UDP);
}

static void get_life(struct chan_reader *r, uint64_t *s, uint64_t *use_s, uint64_t *bytes,
		     uint64_t *packets)
{
	*s = chan_get_u64(r);
	*use_s = chan_get_u64(r);
	*bytes = chan_get_u64(r);
	*packets = chan_get_u64(r);
}

static bool get_hiding(struct chan_reader *r, struct ipsp_sa_config *sa)
{
	sa->tfc_random = chan_get_u16(r);
	sa->dummy_s = chan_get_u16(r);
	sa->dummy_len = chan_get_u16(r);
	sa->flow_label = chan_get_u32(r);
	const uint8_t pad_unchecked = chan_get_u8(r);
	const uint8_t seq_rollover = chan_get_u8(r);

	sa->pad_unchecked = pad_unchecked == 1;
	sa->seq_rollover = seq_rollover == 1;
	return is_bool(pad_unchecked) && is_bool(seq_rollover);
}

/* Reads everything; the core judges algorithms and key sizes when it installs the SA. */
static bool get_sa(struct chan_reader *r, struct ipsp_sa_config *sa)
{
	sa->id = chan_get_u64(r);
	sa->counter_id = chan_get_u64(r);
	sa->dir = chan_get_u8(r);
	sa->proto = chan_get_u8(r);
	sa->mode = chan_get_u8(r);
	sa->df = chan_get_u8(r);
	sa->ecn = chan_get_u8(r);
	uint8_t dscp_set = chan_get_u8(r);
	sa->dscp_set = dscp_set == 1;
	sa->dscp = chan_get_u8(r);
	sa->outer_ttl = chan_get_u8(r);
	sa->tfc_pad = chan_get_u16(r);
	uint8_t esn = chan_get_u8(r);
	uint8_t replay = chan_get_u8(r);
	sa->esn = esn == 1;
	sa->replay = replay == 1;
	sa->spi = chan_get_u32(r);
	sa->replay_window_pkts = chan_get_u32(r);
	sa->seq_floor = chan_get_u64(r);
	get_life(r, &sa->life_s, &sa->life_use_s, &sa->life_bytes, &sa->life_packets);
	get_life(r, &sa->soft_s, &sa->soft_use_s, &sa->soft_bytes, &sa->soft_packets);
	sa->idle_s = chan_get_u64(r);
	sa->packet_log = chan_get_u32(r);
	sa->next_id = chan_get_u64(r);
	sa->bundle_id = chan_get_u64(r);
	bool good = get_family(r, &sa->local);
	good = get_family(r, &sa->remote) && good;
	sa->encr = chan_get_u16(r);
	sa->encr_key_bits = chan_get_u16(r);
	sa->integ = chan_get_u16(r);
	good = get_key(r, &sa->encr_key) && good;
	good = get_key(r, &sa->integ_key) && good;
	good = get_encap(r, &sa->encap) && good;
	uint8_t frag_before = chan_get_u8(r);
	sa->frag_before = frag_before == 1;
	good = get_hiding(r, sa) && good;
	return good && is_bool(dscp_set) && is_bool(frag_before) && is_bool(esn) && is_bool(replay) &&
	       chan_reader_done(r);
}

static int add_sa(struct wire_builder *b, struct chan_reader *r)
{
	int rc;

	if (b->lists.n > 0 || b->edits.n > 0)
		return refuse(b, "SA after the first list");
	struct ipsp_sa_config *sa = (struct ipsp_sa_config *)array_add(&b->sas, sizeof(*sa),
								       WIRE_SAS_MAX, &rc);
	if (!sa)
		return no_room(b, rc);
	if (!get_sa(r, sa))
		return refuse(b, "SA of the wrong form");
	if (!sa_is_valid(sa))
		return refuse(b, "SA that is not valid");
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
	{ MSG_GEN_SA, false, add_sa },
	{ MSG_GEN_SA_GONE, true, add_sa_gone },
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

/* ---- the end ---- */

static int cmp_u64(const void *a, const void *b)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	return *x < *y ? -1 : *x > *y;
}

/* 0 names none. */
static bool is_known(uint64_t sa_id, const uint64_t *ids, size_t n)
{
	return sa_id == 0 || (n > 0 && bsearch(&sa_id, ids, n, sizeof(*ids), cmp_u64) != NULL);
}

static int check_sas(struct wire_builder *b)
{
	const struct ipsp_sa_config *sas = (const struct ipsp_sa_config *)b->sas.items;
	const struct ipsp_spd_entry *entries = (const struct ipsp_spd_entry *)b->entries.items;
	const struct ipsp_step *steps = (const struct ipsp_step *)b->steps.items;
	uint64_t *ids = (uint64_t *)calloc(b->sas.n + 1, sizeof(*ids));
	int rc = 0;

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < b->sas.n; i++)
		ids[i] = sas[i].id;
	qsort(ids, b->sas.n, sizeof(*ids), cmp_u64);
	for (size_t i = 1; rc == 0 && i < b->sas.n; i++) {
		if (ids[i] == ids[i - 1])
			rc = refuse(b, "two SAs of one id");
	}
	/* One that follows may name an SA that stays. Where it does not, the core drops. */
	for (size_t i = 0; rc == 0 && !b->follows && i < b->entries.n; i++) {
		if (!is_known(entries[i].sa_id, ids, b->sas.n))
			rc = refuse(b, "entry names an SA that is not there");
	}
	for (size_t i = 0; rc == 0 && !b->follows && i < b->steps.n; i++) {
		if (!is_known(steps[i].sa_id, ids, b->sas.n))
			rc = refuse(b, "program names an SA that is not there");
	}
	free(ids);
	return rc;
}

/* Pointers may not be added to, not even 0, when there is nothing. */
static struct ipsp_selector *next_selectors(struct wire_gen *g, size_t *at, uint32_t n)
{
	*at += n;
	return n > 0 ? g->selectors + (*at - n) : NULL;
}

/* Entries and predicates get their parts, which stand in the order they came. */
static void set_entry_parts(struct wire_gen *g)
{
	size_t selector = 0, step = 0, template = 0, predicate = 0, node = 0, octet = 0, id = 0;

	for (size_t i = 0; i < g->n_entries; i++) {
		struct ipsp_spd_entry *e = &g->entries[i];

		e->selectors = next_selectors(g, &selector, e->n_selectors);
		e->steps = e->n_steps > 0 ? g->steps + step : NULL;
		step += e->n_steps;
		e->templates = e->n_templates > 0 ? g->templates + template : NULL;
		template += e->n_templates;
		if (!e->predicate)
			continue;
		struct ipsp_predicate *p = &g->predicates[predicate++];

		e->predicate = p;
		p->selectors = next_selectors(g, &selector, p->n_selectors);
		p->nodes = g->nodes + node;
		p->octets = p->n_octets > 0 ? g->octets + octet : NULL;
		p->ids = p->n_ids > 0 ? g->ids + id : NULL;
		node += p->n_nodes;
		octet += p->n_octets;
		id += p->n_ids;
	}
}

static bool predicates_valid(const struct wire_gen *g)
{
	for (size_t i = 0; i < g->n_predicates; i++) {
		if (!ipsp_predicate_valid(&g->predicates[i]))
			return false;
	}
	return true;
}

/* Lists and runs get their entries: those of lists came first. */
static void set_entries(struct wire_gen *g)
{
	struct ipsp_spd_entry *e = g->entries;
	size_t run = 0;

	/* Without any, it is null and must not be added to, not even 0. */
	for (size_t i = 0; i < g->n_lists; i++) {
		if (g->lists[i].n_entries == 0)
			continue;
		g->lists[i].entries = e;
		e += g->lists[i].n_entries;
	}
	for (size_t i = 0; i < g->n_runs; i++) {
		if (g->runs[i].n_entries == 0)
			continue;
		g->runs[i].entries = e;
		e += g->runs[i].n_entries;
	}
	for (size_t i = 0; i < g->n_edits; i++) {
		if (g->edits[i].n_runs == 0)
			continue;
		g->edits[i].runs = &g->runs[run];
		run += g->edits[i].n_runs;
	}
}

static struct wire_gen *take(struct wire_builder *b)
{
	struct wire_gen *g = (struct wire_gen *)calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct wire_gen){
		.number = b->number,
		.lists = (struct ipsp_spd_list *)b->lists.items, .n_lists = b->lists.n,
		.entries = (struct ipsp_spd_entry *)b->entries.items, .n_entries = b->entries.n,
		.selectors = (struct ipsp_selector *)b->selectors.items,
		.n_selectors = b->selectors.n,
		.predicates = (struct ipsp_predicate *)b->predicates.items,
		.n_predicates = b->predicates.n,
		.nodes = (struct ipsp_pred_node *)b->nodes.items,
		.octets = (uint8_t *)b->octets.items, .ids = (uint64_t *)b->ids.items,
		.steps = (struct ipsp_step *)b->steps.items, .n_steps = b->steps.n,
		.templates = (struct ipsp_template *)b->templates.items,
		.n_templates = b->templates.n,
		.sas = (struct ipsp_sa_config *)b->sas.items, .n_sas = b->sas.n,
	};
	g->follows = b->follows;
	g->edits = (struct ipsp_spd_edit *)b->edits.items;
	g->n_edits = b->edits.n;
	g->runs = (struct ipsp_spd_run *)b->runs.items;
	g->n_runs = b->runs.n;
	g->lists_gone = (struct ipsp_spd_key *)b->lists_gone.items;
	g->n_lists_gone = b->lists_gone.n;
	g->sas_gone = (uint64_t *)b->sas_gone.items;
	g->n_sas_gone = b->sas_gone.n;
	set_entry_parts(g);
	set_entries(g);
	b->edits = b->runs = b->lists_gone = b->sas_gone = (struct array){ NULL, 0, 0 };
	b->lists = b->entries = b->selectors = b->steps = b->sas = (struct array){ NULL, 0, 0 };
	b->predicates = b->nodes = b->octets = b->ids = b->templates = (struct array){ NULL, 0, 0 };
	return g;
}

/* Of a whole generation, or of lists alone. */
static int take_checked(struct wire_builder *b, struct wire_gen **out)
{
	struct wire_gen *g = take(b);

	if (!g)
		return -ENOMEM;
	if (!predicates_valid(g)) {
		wire_gen_free(g);
		return -EINVAL;
	}
	*out = g;
	return 0;
}

int wire_builder_finish_lists(struct wire_builder *b, struct wire_gen **out)
{
	int rc = is_incomplete(b) || b->sas.n > 0 ? -EINVAL : take_checked(b, out);

	wire_builder_free(b);
	return rc;
}

int wire_builder_finish(struct wire_builder *b, const uint8_t *commit, size_t len,
			struct wire_gen **out)
{
	struct chan_reader r = { .data = commit, .len = len };
	uint64_t number = chan_get_u64(&r);
	uint32_t lists = chan_get_u32(&r);
	uint32_t entries = chan_get_u32(&r);
	uint32_t sas = chan_get_u32(&r);
	const size_t of_change[] = { b->sas_gone.n, b->lists_gone.n, b->edits.n, b->runs.n };
	bool same = true;
	int rc = -EINVAL;

	for (size_t i = 0; b->follows && i < 4; i++)
		same = chan_get_u32(&r) == of_change[i] && same;
	if (same && chan_reader_done(&r) && number == b->number && lists == b->lists.n &&
	    entries == b->entries.n && sas == b->sas.n && !is_incomplete(b))
		rc = check_sas(b);
	if (rc == 0)
		rc = take_checked(b, out);
	wire_builder_free(b);
	return rc;
}
