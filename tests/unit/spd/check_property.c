/*
 * tests/unit/spd/check_property.c - lookup against a plain first match, on sets like real ones.
 *
 * Lists of all kinds of tests/bench/rules.h and both families at once, with predicates and times,
 * edited again and again; packets that entries are for, some of them fragments that hide their ports
 * or even their protocol. The model asks each entry in turn by the words of ipsp/spd.h and shares
 * nothing with spd/. In `make check` some hundred thousand packets; `make property` runs ten million,
 * or PROPERTY_PACKETS. The seed is printed; PROPERTY_SEED repeats a run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "ipsp/platform.h"
#include "ipsp/spd.h"
#include "tests/bench/bench.h"
#include "tests/bench/rules.h"

#define ENTRIES_MAX 600u
#define BOXES_MAX 3u
#define POOL 2048u
#define VECTOR_MAX 70u
#define WALL_S 1000000u
#define TTL_AT 8u	/* in IPv4; the hop limit is an octet before it */

static uint64_t state;

static uint32_t rnd(uint32_t n)
{
	return bench_below(&state, n);
}

/* ---- lists ---- */

struct entry {
	struct ipsp_spd_entry spd;
	struct ipsp_selector boxes[BOXES_MAX];
	bool has_predicate, negated;
	uint8_t octet;			/* the predicate: the octet at TTL_AT is that, or is not */
	struct ipsp_predicate predicate;
	struct ipsp_pred_node nodes[2];
};

static struct ipsp_selector pool[POOL];
static struct entry *list[ENTRIES_MAX];
static uint32_t n_list;
static uint64_t last_id;

static void make_pool(void)
{
	const enum rules_kind kind = (enum rules_kind)rnd(RULES_KINDS);
	const uint32_t half = POOL / 2;

	rules_make(&state, kind, 4, pool, half);
	rules_make(&state, kind, 6, pool + half, half);
}

static void set_predicate(struct entry *e)
{
	e->has_predicate = true;
	e->negated = rnd(2);
	e->octet = (uint8_t)(64 + rnd(2));
	e->nodes[0] = (struct ipsp_pred_node){ .op = IPSP_PRED_OCTETS, .arg = IPSP_CMP_EQUAL,
					       .offset = TTL_AT, .count = 1 };
	e->nodes[1].op = IPSP_PRED_NOT;
	e->predicate = (struct ipsp_predicate){ .n_nodes = e->negated ? 2 : 1, .nodes = e->nodes,
						.n_octets = 1, .octets = &e->octet };
	e->spd.predicate = &e->predicate;
}

static void set_time(struct entry *e)
{
	if (rnd(2))
		e->spd.from_s = WALL_S - 1 + rnd(3);
	if (rnd(2))
		e->spd.until_s = WALL_S + rnd(3);
}

static struct entry *make_entry(void)
{
	struct entry *e = calloc(1, sizeof(*e));

	bench_must(e != NULL, "no memory");
	e->spd = (struct ipsp_spd_entry){ .id = ++last_id, .action = (uint8_t)rnd(3),
					  .n_selectors = rnd(20) ? 1 : rnd(BOXES_MAX + 1),
					  .selectors = e->boxes };
	for (uint32_t i = 0; i < e->spd.n_selectors; i++) {
		struct ipsp_selector *s = &e->boxes[i];

		*s = pool[rnd(POOL)];
		if (rnd(40) == 0)
			s->dscp_hi = (uint8_t)rnd(64);
		if (rnd(40) == 0)
			s->hides = rnd(2) ? IPSP_HIDES_ONLY : IPSP_HIDES_NEVER;
		if (s->family == 6 && rnd(40) == 0)
			s->flow_hi = rnd(IPSP_FLOW_MAX);
	}
	if (rnd(10) == 0)
		set_predicate(e);
	if (rnd(20) == 0)
		set_time(e);
	return e;
}

/* Entries out and in at one place of the model's list. */
static void replace(uint32_t at, uint32_t remove, struct entry *const *with, uint32_t n)
{
	for (uint32_t i = 0; i < remove; i++)
		free(list[at + i]);
	memmove(&list[at + n], &list[at + remove], (n_list - at - remove) * sizeof(list[0]));
	if (n > 0)
		memcpy(&list[at], with, n * sizeof(list[0]));
	n_list = n_list - remove + n;
}

static struct ipsp_spd *build(struct ipsp_spd_db *db)
{
	static struct ipsp_spd_entry entries[ENTRIES_MAX];
	const struct ipsp_spd_list l = { .ifindex = 1, .dir = IPSP_OUTBOUND, .n_entries = n_list,
					 .entries = entries };
	const struct ipsp_spd_update update = { .full = true, .n_lists = 1, .lists = &l };
	struct ipsp_spd *spd;

	for (uint32_t i = 0; i < n_list; i++)
		entries[i] = list[i]->spd;
	bench_must(ipsp_spd_build(db, NULL, &update, &spd) == IPSP_OK, "not built");
	return spd;
}

static void edit(struct ipsp_spd_db *db, struct ipsp_spd **spd)
{
	const uint32_t keep = rnd(n_list + 1), rest = n_list - keep;
	const uint32_t remove = rest > 0 ? rnd(rest < 9 ? rest + 1 : 9) : 0;
	const uint32_t room = ENTRIES_MAX - (n_list - remove);
	const uint32_t n = rnd(room < 9 ? room + 1 : 9);
	struct ipsp_spd_entry entries[9];
	struct entry *made[9];
	const struct ipsp_spd_run run = { keep, remove, n, entries };
	const struct ipsp_spd_edit e = { { 1, IPSP_OUTBOUND }, 1, &run };
	const struct ipsp_spd_update update = { .n_edits = 1, .edits = &e };
	struct ipsp_spd *next;

	for (uint32_t i = 0; i < n; i++) {
		made[i] = make_entry();
		entries[i] = made[i]->spd;
	}
	bench_must(ipsp_spd_build(db, *spd, &update, &next) == IPSP_OK, "not edited");
	ipsp_spd_free(*spd);
	*spd = next;
	replace(keep, remove, made, n);
}

/* ---- packets ---- */

struct packet {
	struct ipsp_flow flow;
	uint8_t octets[64];
	struct ipsp_spd_seen seen;
	bool is_seen;
};

static void make_packet(struct packet *p)
{
	struct ipsp_flow *f = &p->flow;
	const uint32_t half = POOL / 2, family = rnd(2);
	const struct entry *e = n_list > 0 ? list[rnd(n_list)] : NULL;

	/* Mostly one that some entry of the list is for. */
	if (e && e->spd.n_selectors > 0 && rnd(8))
		rules_flow(&state, e->boxes, e->spd.n_selectors, f);
	else
		rules_flow(&state, pool + family * half, half, f);
	f->dscp = (uint8_t)(rnd(4) ? 0 : rnd(64));
	f->flow_label = f->family == 6 ? rnd(IPSP_FLOW_MAX + 1) : 0;
	f->total_len = sizeof(p->octets);
	f->l4_offset = f->family == 4 ? 20 : 40;
	if (rnd(8) == 0 && ipsp_proto_selected(f->proto) > 0) {
		f->frag = IPSP_FRAG_LATER;
		f->ports_known = false;
		f->sport = f->dport = IPSP_PORT_NONE;
	}
	if (f->family == 6 && rnd(30) == 0) {
		f->frag = IPSP_FRAG_LATER;
		f->proto_known = f->ports_known = false;
		f->proto = 0;
		f->sport = f->dport = IPSP_PORT_NONE;
	}
	memset(p->octets, 0, sizeof(p->octets));
	p->octets[TTL_AT] = (uint8_t)(64 + rnd(2));
	p->seen = (struct ipsp_spd_seen){ .packet = { p->octets, sizeof(p->octets) },
					  .wall_s = WALL_S };
	p->is_seen = rnd(16) != 0;
}

/* ---- the model ---- */

enum answer { NO, MAYBE, YES };

static enum answer least(enum answer a, enum answer b)
{
	return a < b ? a : b;
}

static enum answer within(uint32_t x, uint32_t lo, uint32_t hi)
{
	return lo <= x && x <= hi ? YES : NO;
}

static bool is_message(uint8_t proto)
{
	return proto == 1 || proto == 58 || proto == 135;
}

static enum answer model_ports(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	const bool all_s = s->sport_lo == 0 && s->sport_hi == IPSP_PORT_NONE;
	const bool all_d = s->dport_lo == 0 && s->dport_hi == IPSP_PORT_NONE;

	if (f->ports_known)
		return least(within(f->sport, s->sport_lo, s->sport_hi),
			     within(f->dport, s->dport_lo, s->dport_hi));
	if (!f->proto_known)
		return all_s && all_d ? YES : MAYBE;
	if (is_message(f->proto)) {
		if (within(IPSP_PORT_NONE, s->dport_lo, s->dport_hi) == NO || s->sport_hi < 0x10000 ||
		    s->sport_lo > 0x1ffff)
			return NO;
		return s->sport_lo <= 0x10000 && s->sport_hi >= 0x1ffff ? YES : MAYBE;
	}
	return s->sport_lo == 0 && s->sport_hi >= 65535 && s->dport_lo == 0 &&
			       s->dport_hi >= 65535 ? YES : MAYBE;
}

static enum answer model_box(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	enum answer proto = within(f->proto, s->proto_lo, s->proto_hi);

	if (f->family != s->family || ipsp_addr_cmp(&f->src, &s->src_lo) < 0 ||
	    ipsp_addr_cmp(&f->src, &s->src_hi) > 0 || ipsp_addr_cmp(&f->dst, &s->dst_lo) < 0 ||
	    ipsp_addr_cmp(&f->dst, &s->dst_hi) > 0 ||
	    within(f->dscp, s->dscp_lo, s->dscp_hi) == NO ||
	    (f->family == 6 && within(f->flow_label, s->flow_lo, s->flow_hi) == NO) ||
	    (s->hides == IPSP_HIDES_ONLY && f->ports_known) ||
	    (s->hides == IPSP_HIDES_NEVER && !f->ports_known))
		return NO;
	if (!f->proto_known)
		proto = s->proto_lo == 0 && s->proto_hi == 255 ? YES : MAYBE;
	return least(proto, model_ports(f, s));
}

static bool one_proto(const struct ipsp_flow *f, const struct ipsp_selector *s)
{
	return s->family == f->family && s->proto_lo == s->proto_hi;
}

/* Where doubt stands for all entries for one protocol, if the packet's is hidden. */
static uint32_t model_doubt(const struct ipsp_flow *f)
{
	for (uint32_t i = 0; !f->proto_known && i < n_list; i++) {
		for (uint32_t j = 0; j < list[i]->spd.n_selectors; j++) {
			if (one_proto(f, &list[i]->boxes[j]))
				return i;
		}
	}
	return UINT32_MAX;
}

static bool is_conditional(const struct entry *e)
{
	return e->has_predicate || e->spd.from_s != 0 || e->spd.until_s != 0;
}

static enum answer model_condition(const struct packet *p, const struct entry *e)
{
	if (!is_conditional(e))
		return YES;
	if (!p->is_seen)
		return MAYBE;
	if (p->seen.wall_s < e->spd.from_s ||
	    (e->spd.until_s != 0 && p->seen.wall_s >= e->spd.until_s))
		return NO;
	return !e->has_predicate || (p->octets[TTL_AT] == e->octet) != e->negated ? YES : NO;
}

static enum answer model_entry(const struct packet *p, uint32_t i, uint32_t doubt)
{
	const struct entry *e = list[i];
	enum answer best = i == doubt ? MAYBE : NO;

	for (uint32_t j = 0; j < e->spd.n_selectors && best != YES; j++) {
		const struct ipsp_selector *s = &e->boxes[j];

		if (p->flow.proto_known || !one_proto(&p->flow, s)) {
			const enum answer a = model_box(&p->flow, s);

			best = a > best ? a : best;
		}
	}
	if (best == NO)
		return NO;
	/* It stands for others, whatever it asks for itself. */
	if (i == doubt)
		return is_conditional(e) ? MAYBE : best;
	return least(best, model_condition(p, e));
}

/* ---- compared ---- */

static bool match_agrees(const struct packet *p, const struct ipsp_spd_match *m)
{
	const uint32_t doubt = model_doubt(&p->flow);

	for (uint32_t i = 0; i < n_list; i++) {
		const enum answer a = model_entry(p, i, doubt);

		if (a != NO)
			return m->rule && m->rule->id == list[i]->spd.id &&
			       m->rule->action == list[i]->spd.action &&
			       m->result == (a == YES ? IPSP_SPD_RULE : IPSP_SPD_FRAGMENT);
	}
	return m->result == IPSP_SPD_DEFAULT && !m->rule && m->end;
}

static bool walk_agrees(const struct ipsp_spd *spd, const struct packet *p)
{
	const uint32_t doubt = model_doubt(&p->flow);
	struct ipsp_spd_iter it;
	bool sure;

	if (!ipsp_spd_iter_init(&it, spd, 1, IPSP_OUTBOUND, &p->flow,
				p->is_seen ? &p->seen : NULL))
		return false;
	for (uint32_t i = 0; i < n_list; i++) {
		const enum answer a = model_entry(p, i, doubt);
		const struct ipsp_spd_rule *r = a == NO ? NULL : ipsp_spd_iter_next(&it, &sure);

		if (a != NO && (!r || r->id != list[i]->spd.id || sure != (a == YES)))
			return false;
	}
	return !ipsp_spd_iter_next(&it, &sure);
}

/* A vector of packets, one by one and all at once. @return how many there were */
static uint32_t compare(const struct ipsp_spd *spd)
{
	static struct packet packets[VECTOR_MAX];
	struct ipsp_spd_query queries[VECTOR_MAX];
	const uint32_t n = 1 + rnd(VECTOR_MAX);

	for (uint32_t i = 0; i < n; i++) {
		make_packet(&packets[i]);
		queries[i] = (struct ipsp_spd_query){
			.ifindex = 1, .dir = IPSP_OUTBOUND, .flow = &packets[i].flow,
			.seen = packets[i].is_seen ? &packets[i].seen : NULL,
		};
	}
	ipsp_spd_lookup_n(spd, queries, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct ipsp_spd_match one = ipsp_spd_lookup(spd, 1, IPSP_OUTBOUND,
								  queries[i].flow, queries[i].seen);

		bench_must(match_agrees(&packets[i], &one), "a lookup differs");
		bench_must(one.result == queries[i].match.result &&
				   one.rule == queries[i].match.rule &&
				   one.end == queries[i].match.end &&
				   one.fixed == queries[i].match.fixed,
			   "a lookup among others differs");
		bench_must(i % 8 || walk_agrees(spd, &packets[i]), "a walk differs");
	}
	return n;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
	const uint64_t packets = number("PROPERTY_PACKETS", 150000);
	struct ipsp_platform platform;
	struct ipsp_spd_db *db;
	uint64_t done = 0, rounds = 0;

	ipsp_platform_hosted(&platform, NULL);
	bench_must(ipsp_spd_db_new(&platform, &db) == IPSP_OK, "no memory");
	bench_must(platform.random(platform.ctx, (uint8_t *)&state, sizeof(state)) == IPSP_OK,
		   "no random numbers");
	state = number("PROPERTY_SEED", state | 1);
	printf("PROPERTY_SEED=0x%" PRIx64 " PROPERTY_PACKETS=%" PRIu64 "\n", state, packets);
	fflush(stdout);
	for (; done < packets; rounds++) {
		const uint32_t n = rnd(4) ? rnd(100) : rnd(ENTRIES_MAX + 1);
		struct ipsp_spd *spd;

		make_pool();
		while (n_list < n)
			list[n_list++] = make_entry();
		spd = build(db);
		for (uint32_t i = 0; i < 40 && done < packets; i++) {
			done += compare(spd);
			edit(db, &spd);
		}
		done += compare(spd);
		ipsp_spd_free(spd);
		replace(0, n_list, NULL, 0);
		ipsp_spd_hits_forget(db);
	}
	ipsp_spd_db_free(db);
	printf("%" PRIu64 " packets in %" PRIu64 " lists without a difference\n", done, rounds);
	return EXIT_SUCCESS;
}
