/*
 * spd/search.c - the first box of a tree that a packet lies in, from some place of the list on.
 *
 * Takes no lock, allocates nothing, changes nothing but the caller's answer. Packets that show all
 * that selectors ask for go the short way: one slot at each node, and plain comparisons in leaves.
 * The others meet every slot of a node that asks for what they hide.
 */
#include "spd/in_leaf.h"

void ipsp_spd_words_of(const struct ipsp_flow *f, uint64_t words[IPSP_WORDS])
{
	ipsp_spd_words(&f->src, words + IPSP_WORD_SRC);
	ipsp_spd_words(&f->dst, words + IPSP_WORD_DST);
	words[IPSP_WORD_SPORT] = f->sport;
	words[IPSP_WORD_DPORT] = f->dport;
	words[IPSP_WORD_PROTO] = f->proto;
}

/* ---- a packet that hides nothing ---- */

static inline void search_shown(const struct ipsp_spd_slot *slot, uint8_t family,
				const uint64_t w[IPSP_WORDS], const struct ipsp_flow *f,
				uint64_t from, struct ipsp_spd_found *best)
{
	uint32_t bound = ipsp_spd_first_of(best->order);
	struct ipsp_spd_waiters waiters;

	ipsp_spd_none_waits(&waiters);
	for (; slot; slot = ipsp_spd_next_waiter(&waiters, bound)) {
		while (slot->kind == IPSP_SLOT_NODE && ipsp_spd_worth(slot, bound)) {
			ipsp_spd_wait(&waiters, slot, bound, true);
			__builtin_prefetch(slot->to);
			slot = ipsp_spd_child(slot, w);
		}
		if (ipsp_spd_worth(slot, bound)) {
			ipsp_spd_in_leaf(slot, family, w, f, from, best);
			bound = ipsp_spd_first_of(best->order);
		}
	}
}

/* ---- one that does ---- */

/* Of an entry the box that fits best counts. */
static void take(const struct ipsp_spd_tag *tag, enum ipsp_fit fit, struct ipsp_spd_found *best)
{
	if (fit != IPSP_FIT_NOT && (tag->order < best->order ||
				    (tag->order == best->order && fit > best->fit)))
		*best = (struct ipsp_spd_found){ tag->order, tag->item, fit, tag->residual };
}

/* With its protocol hidden, the list's first entry for one stands for all of these. */
static void in_leaf_hidden(const struct ipsp_spd_slot *slot, const uint64_t w[IPSP_WORDS],
			   const struct ipsp_flow *f, uint64_t from, struct ipsp_spd_found *best)
{
	const uint32_t n = slot->n;

	for (uint32_t i = ipsp_spd_leaf_from(slot, f->family, from); i < n; i++) {
		const struct ipsp_spd_tag *tag = ipsp_spd_tag(slot->to, f->family, i);
		const struct ipsp_spd_box *box = &tag->item->boxes[tag->at];

		if (tag->order > best->order)
			return;
		if (f->proto_known || box->proto_lo != box->proto_hi)
			take(tag, ipsp_fit_box(f, w + IPSP_WORD_SRC, w + IPSP_WORD_DST, box), best);
	}
}

static bool hides_word(const struct ipsp_flow *f, uint8_t word)
{
	switch (word) {
	case IPSP_WORD_SPORT:
	case IPSP_WORD_DPORT:
		return true;
	case IPSP_WORD_PROTO:
		return !f->proto_known;
	default:
		return false;
	}
}

static void search_hidden(const struct ipsp_spd_slot *slot, const uint64_t w[IPSP_WORDS],
			  const struct ipsp_flow *f, uint64_t from, struct ipsp_spd_found *best)
{
	/* Slots of the nodes passed that are still to be looked at. */
	struct {
		const struct ipsp_spd_slot *next, *end;
	} left[IPSP_SPD_DEPTH_MAX];
	uint32_t n = 0;

	for (;;) {
		const bool worth = ipsp_spd_worth(slot, ipsp_spd_first_of(best->order));

		if (worth && slot->kind == IPSP_SLOT_LEAF) {
			in_leaf_hidden(slot, w, f, from, best);
		} else if (worth && slot->kind == IPSP_SLOT_NODE) {
			const struct ipsp_spd_node *node = slot->to;
			const bool all = hides_word(f, slot->cut_word);

			left[n].next = node->slots;
			left[n++].end = node->slots + (all ? node->n_slots : 1);
			if (!all) {
				slot = ipsp_spd_child(slot, w);
				continue;
			}
		}
		while (n > 0 && left[n - 1].next == left[n - 1].end)
			n--;
		if (n == 0)
			return;
		slot = left[n - 1].next++;
	}
}

void ipsp_spd_search(const struct ipsp_spd_slot *root, const uint64_t w[IPSP_WORDS],
		     const struct ipsp_flow *f, uint64_t from, struct ipsp_spd_found *best)
{
	if (!f->ports_known)
		search_hidden(root, w, f, from, best);
	else if (f->family == 4)
		search_shown(root, 4, w, f, from, best);
	else
		search_shown(root, 6, w, f, from, best);
}
