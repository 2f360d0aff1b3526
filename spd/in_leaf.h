/*
 * spd/in_leaf.h - packets that hide nothing and the records of a leaf. Private to spd/.
 */
#ifndef SPD_IN_LEAF_H
#define SPD_IN_LEAF_H

#include "spd/search.h"

static inline bool ipsp_in_span32(uint64_t x, uint32_t lo, uint32_t span)
{
	return (uint32_t)x - lo <= span;
}

static inline bool ipsp_in_span8(uint64_t x, uint8_t lo, uint8_t span)
{
	return (uint8_t)((uint8_t)x - lo) <= span;
}

/* All comparisons are made: one jump that may be foreseen wrongly is dearer. */
static inline bool ipsp_spd_has4(const struct ipsp_spd_box4 *b, const uint64_t w[IPSP_WORDS],
			const struct ipsp_flow *f)
{
	return ipsp_in_span32(w[IPSP_WORD_SRC] >> 32, b->src_lo, b->src_span) &
	       ipsp_in_span32(w[IPSP_WORD_DST] >> 32, b->dst_lo, b->dst_span) &
	       ipsp_in_span32(w[IPSP_WORD_SPORT], b->sport_lo, b->sport_span) &
	       ipsp_in_span32(w[IPSP_WORD_DPORT], b->dport_lo, b->dport_span) &
	       ipsp_in_span8(w[IPSP_WORD_PROTO], b->proto_lo, b->proto_span) &
	       ipsp_in_span8(f->dscp, b->dscp_lo, b->dscp_span) & !b->only_hidden;
}

static inline bool ipsp_spd_has6(const struct ipsp_spd_box6 *b, const uint64_t w[IPSP_WORDS],
			const struct ipsp_flow *f)
{
	return ipsp_spd_words_le(b->src_lo, w + IPSP_WORD_SRC) &&
	       ipsp_spd_words_le(w + IPSP_WORD_SRC, b->src_hi) &&
	       ipsp_spd_words_le(b->dst_lo, w + IPSP_WORD_DST) &&
	       ipsp_spd_words_le(w + IPSP_WORD_DST, b->dst_hi) &&
	       (ipsp_in_span32(w[IPSP_WORD_SPORT], b->sport_lo, b->sport_span) &
		ipsp_in_span32(w[IPSP_WORD_DPORT], b->dport_lo, b->dport_span) &
		ipsp_in_span32(f->flow_label, b->flow_lo, b->flow_span) &
		ipsp_in_span8(w[IPSP_WORD_PROTO], b->proto_lo, b->proto_span) &
		ipsp_in_span8(f->dscp, b->dscp_lo, b->dscp_span) & !b->only_hidden);
}

/* The first of a leaf whose order is not below that. */
static inline uint32_t ipsp_spd_leaf_from(const struct ipsp_spd_slot *slot, uint8_t family, uint64_t order)
{
	uint32_t lo = 0, hi = slot->n;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (ipsp_spd_tag(slot->to, family, mid)->order < order)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Leaves that are longer are looked at only up to the best match so far. */
#define IPSP_SPD_LEAF_LONG 32u

static inline void ipsp_spd_in_leaf(const struct ipsp_spd_slot *slot, uint8_t family,
			   const uint64_t w[IPSP_WORDS], const struct ipsp_flow *f, uint64_t from,
			   struct ipsp_spd_found *best)
{
	uint32_t i = from > 0 ? ipsp_spd_leaf_from(slot, family, from) : 0, n = slot->n;
	const struct ipsp_spd_tag *tag;

	if (n > IPSP_SPD_LEAF_LONG && best->item)
		n = ipsp_spd_leaf_from(slot, family, best->order);
	if (family == 4) {
		while (i < n && !ipsp_spd_has4(&ipsp_spd_boxes4(slot->to)[i], w, f))
			i++;
	} else {
		while (i < n && !ipsp_spd_has6(&ipsp_spd_boxes6(slot->to)[i], w, f))
			i++;
	}
	if (i >= n)
		return;
	tag = ipsp_spd_tag(slot->to, family, i);
	if (tag->order < best->order)
		*best = (struct ipsp_spd_found){ tag->order, tag->item, IPSP_FIT_SURE,
						 tag->residual };
}

/* ---- what waits ---- */

/** A wide slot that was passed, for later; the first of it and of all that wait before it. */
struct ipsp_spd_waiting {
	const struct ipsp_spd_slot *slot;
	uint32_t first;
};

/** Of the nodes passed, of each depth at most one; the one before them all is never worth it. */
struct ipsp_spd_waiters {
	uint32_t n;
	struct ipsp_spd_waiting at[IPSP_SPD_DEPTH_MAX + 1];
};

static inline void ipsp_spd_none_waits(struct ipsp_spd_waiters *w)
{
	w->n = 0;
	w->at[0].first = IPSP_SPD_NO_FIRST;
}

/*
 * Takes note of the wide slot of a node, if a box there may come before the best match so far. It is
 * written in any case, and then counted or not: no jump that has to be foreseen.
 * @param really  the slot does lead to a node
 */
static inline void ipsp_spd_wait(struct ipsp_spd_waiters *w, const struct ipsp_spd_slot *slot,
				 uint32_t bound, bool really)
{
	const uint32_t first = slot->wide_first, before = w->at[w->n].first;
	struct ipsp_spd_waiting *const next = &w->at[w->n + 1];

	next->slot = ipsp_spd_wide(slot);
	next->first = first < before ? first : before;
	w->n += really & (first <= bound);
}

/* The one that came last. NULL: none that waits may have a box before the best so far. */
static inline const struct ipsp_spd_slot *ipsp_spd_next_waiter(struct ipsp_spd_waiters *w,
							       uint32_t bound)
{
	return w->at[w->n].first <= bound ? w->at[w->n--].slot : NULL;
}

/* The bound of a search: might a box before the best so far be under the slot? */
static inline bool ipsp_spd_worth(const struct ipsp_spd_slot *slot, uint32_t bound)
{
	return slot->first <= bound;
}

#endif
