/*
 * spd/lookup.c - the packet's way through a list: candidates in list order. RFC 4301 4.4.1, 5.1.
 *
 * Takes no lock, allocates nothing, changes nothing but the caller's iterator.
 */
#include "spd/residual.h"

static enum ipsp_fit fit_box(const struct ipsp_spd_iter *it, const struct ipsp_spd_box *box)
{
	return ipsp_fit_box(it->flow, it->src, it->dst, box);
}

/*
 * Moves a cursor to its first box that fits and is not behind next_order. An entry fits surely if
 * any of its boxes does, so boxes of the same order behind it are asked too.
 */
static enum ipsp_fit cursor_settle(struct ipsp_spd_iter *it, uint32_t cursor)
{
	const struct ipsp_spd_box *const **at = &it->cursor[cursor].at;
	const struct ipsp_spd_box *const *end = it->cursor[cursor].end;
	enum ipsp_fit fit = IPSP_FIT_NOT;

	for (; *at < end; (*at)++) {
		if ((**at)->order < it->next_order)
			continue;
		fit = fit_box(it, **at);
		if (fit != IPSP_FIT_NOT)
			break;
	}
	if (fit != IPSP_FIT_MAYBE)
		return fit;
	for (const struct ipsp_spd_box *const *b = *at + 1; b < end && (*b)->order == (**at)->order;
	     b++) {
		if (fit_box(it, *b) == IPSP_FIT_SURE)
			return IPSP_FIT_SURE;
	}
	return IPSP_FIT_MAYBE;
}

static void cursor_open(struct ipsp_spd_iter *it, const struct ipsp_spd_index *index,
			uint32_t tuple)
{
	const struct ipsp_spd_group *g = NULL;

	/* With its protocol hidden, one_proto stands for all of these. */
	if (it->flow->proto_known || !index->tuples[tuple].one_proto)
		g = ipsp_spd_group_find(it->table, index, &index->tuples[tuple], it->src, it->dst,
					it->flow->proto);
	it->cursor[tuple].at = g ? g->boxes : NULL;
	it->cursor[tuple].end = g ? g->boxes + g->n : NULL;
}

/* The lowest candidate so far. */
struct best {
	const struct ipsp_spd_item *item;
	uint64_t order;		/* IPSP_SPD_NO_ORDER: none */
	bool sure;
};

static void best_take(struct best *best, const struct ipsp_spd_item *item, uint64_t order,
		      bool sure)
{
	if (order < best->order) {
		best->item = item;
		best->order = order;
		best->sure = sure;
	} else if (order == best->order && sure) {
		best->sure = true;
	}
}

/* The next entry with a box that fits, or may fit. */
static struct best next_by_boxes(struct ipsp_spd_iter *it, const struct ipsp_spd_index *index)
{
	struct best best = { NULL, IPSP_SPD_NO_ORDER, false };

	if (!it->flow->proto_known && index->one_proto && index->one_proto->order >= it->next_order)
		best_take(&best, index->one_proto, index->one_proto->order, false);
	for (uint32_t i = 0; i < index->n_tuples; i++) {
		enum ipsp_fit fit;

		if (i >= it->n_open) {
			/* Tuples stand by their lowest order: nothing further on can be lower. */
			if (index->tuples[i].min_order > best.order)
				break;
			cursor_open(it, index, i);
			it->n_open = i + 1;
		}
		fit = cursor_settle(it, i);
		if (fit != IPSP_FIT_NOT)
			best_take(&best, (*it->cursor[i].at)->item, (*it->cursor[i].at)->order,
				  fit == IPSP_FIT_SURE);
	}
	return best;
}

/* The SA that an entry would put a packet under; of several the one it tries first. 0: none. */
static uint64_t own_sa(const struct ipsp_spd_rule *rule)
{
	uint64_t sa_id = rule->sa_id;

	for (uint32_t i = 0; i < rule->n_steps && sa_id == 0; i++)
		sa_id = rule->steps[i].sa_id;
	return sa_id;
}

static enum ipsp_fit ask_residual(const struct ipsp_spd_iter *it, const struct ipsp_spd_rule *rule)
{
	uint64_t sa_id = it->table->key.dir == IPSP_OUTBOUND ? own_sa(rule) :
			 it->seen ? it->seen->sa_id : 0;

	return ipsp_spd_residual_ask(rule->residual, it->flow, it->src, it->dst, it->seen, sa_id);
}

const struct ipsp_spd_rule *ipsp_spd_iter_next(struct ipsp_spd_iter *it, bool *sure)
{
	const struct ipsp_spd_index *index = ipsp_spd_index_of(it->table, it->flow->family);

	for (;;) {
		struct best best = next_by_boxes(it, index);
		const struct ipsp_spd_rule *rule;
		enum ipsp_fit fit;

		if (!best.item)
			return NULL;
		it->next_order = best.order + 1;
		rule = &best.item->rule;
		fit = best.sure ? IPSP_FIT_SURE : IPSP_FIT_MAYBE;
		/* This one stands for all that follow for one protocol: it cannot be passed over. */
		bool stands_for_others = !it->flow->proto_known && best.item == index->one_proto;
		it->asked |= rule->residual != NULL;
		if (rule->residual && !stands_for_others) {
			enum ipsp_fit residual = ask_residual(it, rule);

			fit = residual < fit ? residual : fit;
		} else if (rule->residual) {
			fit = IPSP_FIT_MAYBE;
		}
		if (fit != IPSP_FIT_NOT) {
			*sure = fit == IPSP_FIT_SURE;
			return rule;
		}
	}
}

bool ipsp_spd_iter_init(struct ipsp_spd_iter *it, const struct ipsp_spd *spd, uint32_t ifindex,
			enum ipsp_dir dir, const struct ipsp_flow *flow,
			const struct ipsp_spd_seen *seen)
{
	const struct ipsp_spd_table *table = ipsp_spd_table_for(spd, ifindex, dir);

	if (!table)
		return false;
	it->table = table;
	it->flow = flow;
	it->seen = seen;
	ipsp_spd_words(&flow->src, it->src);
	ipsp_spd_words(&flow->dst, it->dst);
	it->next_order = 0;
	it->n_open = 0;
	it->asked = false;
	return true;
}

struct ipsp_spd_match ipsp_spd_lookup(const struct ipsp_spd *spd, uint32_t ifindex,
				      enum ipsp_dir dir, const struct ipsp_flow *flow,
				      const struct ipsp_spd_seen *seen)
{
	struct ipsp_spd_match match = { .result = IPSP_SPD_NO_POLICY, .fixed = true };
	struct ipsp_spd_iter it;
	bool sure = false;

	if (!ipsp_spd_iter_init(&it, spd, ifindex, dir, flow, seen))
		return match;
	match.rule = ipsp_spd_iter_next(&it, &sure);
	match.result = !match.rule ? IPSP_SPD_DEFAULT : sure ? IPSP_SPD_RULE : IPSP_SPD_FRAGMENT;
	if (!match.rule)
		match.end = it.table->end;
	match.fixed = !it.asked;
	return match;
}
