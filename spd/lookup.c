/*
 * spd/lookup.c - the packet's way through a list: candidates in list order. RFC 4301 4.4.1, 5.1.
 *
 * Takes no lock, allocates nothing, changes nothing but the caller's iterator.
 */
#include "spd/residual.h"
#include "spd/search.h"

/* The next entry with a box that fits, or may fit. */
static struct ipsp_spd_found next_by_boxes(const struct ipsp_spd_iter *it,
					   const struct ipsp_spd_index *index)
{
	struct ipsp_spd_found best = { .order = IPSP_SPD_NO_ORDER, .fit = IPSP_FIT_SURE };

	if (!it->flow->proto_known && index->one_proto && index->one_proto->order >= it->next_order)
		best = (struct ipsp_spd_found){ index->one_proto->order, index->one_proto,
						IPSP_FIT_MAYBE,
						index->one_proto->rule.residual != NULL };
	ipsp_spd_search(&index->root, it->words, it->flow, it->next_order, &best);
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

	return ipsp_spd_residual_ask(rule->residual, it->flow, it->words + IPSP_WORD_SRC,
				     it->words + IPSP_WORD_DST, it->seen, sa_id);
}

const struct ipsp_spd_rule *ipsp_spd_iter_next(struct ipsp_spd_iter *it, bool *sure)
{
	const struct ipsp_spd_index *index = ipsp_spd_index_of(it->table, it->flow->family);

	for (;;) {
		const struct ipsp_spd_found best = next_by_boxes(it, index);
		const struct ipsp_spd_rule *rule;
		enum ipsp_fit fit;

		if (!best.item)
			return NULL;
		it->next_order = best.order + 1;
		rule = &best.item->rule;
		fit = best.fit;
		/* This one stands for all that follow for one protocol: it cannot be passed over. */
		bool stands_for_others = !it->flow->proto_known && best.item == index->one_proto;
		it->asked |= best.residual;
		if (best.residual && !stands_for_others) {
			enum ipsp_fit residual = ask_residual(it, rule);

			fit = residual < fit ? residual : fit;
		} else if (best.residual) {
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
	ipsp_spd_words_of(flow, it->words);
	it->next_order = 0;
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

/* Packets of a list that one search is enough for. */
struct batch {
	uint32_t n;
	struct ipsp_spd_query *queries[IPSP_SPD_SEARCH_MAX];
	const struct ipsp_spd_table *tables[IPSP_SPD_SEARCH_MAX];
	struct ipsp_spd_search_one ones[IPSP_SPD_SEARCH_MAX];
};

static void lookup_one(const struct ipsp_spd *spd, struct ipsp_spd_query *q)
{
	q->match = ipsp_spd_lookup(spd, q->ifindex, q->dir, q->flow, q->seen);
}

static void batch_flush(const struct ipsp_spd *spd, struct batch *b)
{
	ipsp_spd_search_n(b->ones, b->n);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct ipsp_spd_found *found = &b->ones[i].found;
		struct ipsp_spd_query *q = b->queries[i];

		if (found->item && found->residual) {
			lookup_one(spd, q);
			continue;
		}
		q->match = (struct ipsp_spd_match){ .result = IPSP_SPD_DEFAULT, .fixed = true };
		if (found->item) {
			__builtin_prefetch(&found->item->rule);
			q->match.result = IPSP_SPD_RULE;
			q->match.rule = &found->item->rule;
		} else {
			q->match.end = b->tables[i]->end;
		}
	}
	b->n = 0;
}

void ipsp_spd_lookup_n(const struct ipsp_spd *spd, struct ipsp_spd_query *queries, size_t n)
{
	struct batch b;

	b.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct ipsp_spd_query *q = &queries[i];
		const struct ipsp_spd_table *table = ipsp_spd_table_for(spd, q->ifindex, q->dir);
		struct ipsp_spd_search_one *one = &b.ones[b.n];

		if (!table || !q->flow->ports_known) {
			lookup_one(spd, q);
			continue;
		}
		one->root = &ipsp_spd_index_of(table, q->flow->family)->root;
		one->flow = q->flow;
		one->found = (struct ipsp_spd_found){ .order = IPSP_SPD_NO_ORDER,
						      .fit = IPSP_FIT_SURE };
		ipsp_spd_words_of(q->flow, one->words);
		b.tables[b.n] = table;
		b.queries[b.n++] = q;
		if (b.n == IPSP_SPD_SEARCH_MAX)
			batch_flush(spd, &b);
	}
	batch_flush(spd, &b);
}
