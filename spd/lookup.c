/*
 * spd/lookup.c - the packet's way through a list: candidates in list order. RFC 4301 4.4.1, 5.1.
 *
 * Takes no lock, allocates nothing, changes nothing but the caller's iterator.
 */
#include "spd/table.h"

enum fit { FIT_NOT, FIT_MAYBE, FIT_SURE };

static enum fit fit_ports(const struct ipsp_flow *f, uint32_t lo, uint32_t hi, uint32_t port)
{
	if (f->ports_known)
		return lo <= port && port <= hi ? FIT_SURE : FIT_NOT;
	if (lo == 0 && (hi == IPSP_PORT_NONE || (hi == IPSP_PORT_NONE - 1 && f->proto_known)))
		return FIT_SURE;
	return FIT_MAYBE;
}

static enum fit fit_proto(const struct ipsp_flow *f, const struct ipsp_spd_box *box)
{
	if (f->proto_known)
		return box->proto_lo <= f->proto && f->proto <= box->proto_hi ? FIT_SURE : FIT_NOT;
	return box->proto_lo == 0 && box->proto_hi == 255 ? FIT_SURE : FIT_MAYBE;
}

static enum fit fit_box(const struct ipsp_spd_iter *it, const struct ipsp_spd_box *box)
{
	const struct ipsp_flow *f = it->flow;
	enum fit proto, sport, dport;

	if (!ipsp_spd_words_le(box->src_lo, it->src) || !ipsp_spd_words_le(it->src, box->src_hi) ||
	    !ipsp_spd_words_le(box->dst_lo, it->dst) || !ipsp_spd_words_le(it->dst, box->dst_hi) ||
	    f->dscp < box->dscp_lo || f->dscp > box->dscp_hi)
		return FIT_NOT;
	if (f->family == 6 && (f->flow_label < box->flow_lo || f->flow_label > box->flow_hi))
		return FIT_NOT;
	proto = fit_proto(f, box);
	sport = fit_ports(f, box->sport_lo, box->sport_hi, f->sport);
	dport = fit_ports(f, box->dport_lo, box->dport_hi, f->dport);
	if (proto == FIT_NOT || sport == FIT_NOT || dport == FIT_NOT)
		return FIT_NOT;
	return proto == FIT_SURE && sport == FIT_SURE && dport == FIT_SURE ? FIT_SURE : FIT_MAYBE;
}

/*
 * Moves a cursor to its first box that fits and is not behind next_order. An entry fits surely if
 * any of its boxes does, so boxes of the same order behind it are asked too.
 */
static enum fit cursor_settle(struct ipsp_spd_iter *it, uint32_t cursor)
{
	const struct ipsp_spd_box **at = &it->cursor[cursor].at;
	const struct ipsp_spd_box *end = it->cursor[cursor].end;
	enum fit fit = FIT_NOT;

	for (; *at < end; (*at)++) {
		if ((*at)->order < it->next_order)
			continue;
		fit = fit_box(it, *at);
		if (fit != FIT_NOT)
			break;
	}
	if (fit != FIT_MAYBE)
		return fit;
	for (const struct ipsp_spd_box *b = *at + 1; b < end && b->order == (*at)->order; b++) {
		if (fit_box(it, b) == FIT_SURE)
			return FIT_SURE;
	}
	return FIT_MAYBE;
}

static void cursor_open(struct ipsp_spd_iter *it, const struct ipsp_spd_index *index,
			uint32_t tuple)
{
	const struct ipsp_spd_group *g = NULL;

	/* With its protocol hidden, min_one_proto stands for all of these. */
	if (it->flow->proto_known || !index->tuples[tuple].one_proto)
		g = ipsp_spd_group_find(it->table, index, tuple, it->src, it->dst,
					it->flow->proto);
	it->cursor[tuple].at = g ? it->table->boxes + g->first : it->table->boxes;
	it->cursor[tuple].end = it->cursor[tuple].at + (g ? g->count : 0);
}

/* The lowest candidate so far. */
struct best {
	uint32_t order;		/* UINT32_MAX: none */
	bool sure;
};

static void best_take(struct best *best, uint32_t order, bool sure)
{
	if (order < best->order) {
		best->order = order;
		best->sure = sure;
	} else if (order == best->order && sure) {
		best->sure = true;
	}
}

const struct ipsp_spd_rule *ipsp_spd_iter_next(struct ipsp_spd_iter *it, bool *sure)
{
	const struct ipsp_spd_index *index = ipsp_spd_index_of(it->table, it->flow->family);
	struct best best = { UINT32_MAX, false };

	if (!it->flow->proto_known && index->min_one_proto >= it->next_order)
		best_take(&best, index->min_one_proto, false);
	for (uint32_t i = 0; i < index->n_tuples; i++) {
		enum fit fit;

		if (i >= it->n_open) {
			/* Tuples stand by their lowest order: nothing further on can be lower. */
			if (index->tuples[i].min_order > best.order)
				break;
			cursor_open(it, index, i);
			it->n_open = i + 1;
		}
		fit = cursor_settle(it, i);
		if (fit != FIT_NOT)
			best_take(&best, it->cursor[i].at->order, fit == FIT_SURE);
	}
	if (best.order == UINT32_MAX)
		return NULL;
	it->next_order = best.order + 1;
	*sure = best.sure;
	return &it->table->rules[best.order];
}

bool ipsp_spd_iter_init(struct ipsp_spd_iter *it, const struct ipsp_spd *spd, uint32_t ifindex,
			enum ipsp_dir dir, const struct ipsp_flow *flow)
{
	const struct ipsp_spd_table *table = ipsp_spd_table_for(spd, ifindex, dir);

	if (!table)
		return false;
	it->table = table;
	it->flow = flow;
	ipsp_spd_words(&flow->src, it->src);
	ipsp_spd_words(&flow->dst, it->dst);
	it->next_order = 0;
	it->n_open = 0;
	return true;
}

struct ipsp_spd_match ipsp_spd_lookup(const struct ipsp_spd *spd, uint32_t ifindex,
				      enum ipsp_dir dir, const struct ipsp_flow *flow)
{
	struct ipsp_spd_match match = { IPSP_SPD_NO_POLICY, NULL, NULL };
	struct ipsp_spd_iter it;
	bool sure = false;

	if (!ipsp_spd_iter_init(&it, spd, ifindex, dir, flow))
		return match;
	match.rule = ipsp_spd_iter_next(&it, &sure);
	match.result = !match.rule ? IPSP_SPD_DEFAULT : sure ? IPSP_SPD_RULE : IPSP_SPD_FRAGMENT;
	if (!match.rule)
		match.end = it.table->end;
	return match;
}
