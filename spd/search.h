/*
 * spd/search.h - the first box of a tree that a packet lies in. Private to spd/.
 */
#ifndef SPD_SEARCH_H
#define SPD_SEARCH_H

#include "spd/fit.h"
#include "spd/tree.h"

/** A flow as trees ask for it: enum ipsp_spd_word. */
void ipsp_spd_words_of(const struct ipsp_flow *f, uint64_t words[IPSP_WORDS]);

/** The first so far. */
struct ipsp_spd_found {
	uint64_t order;				/* IPSP_SPD_NO_ORDER: none */
	const struct ipsp_spd_item *item;	/* NULL: none */
	enum ipsp_fit fit;			/* the best of its boxes */
	bool residual;				/* it asks for more than its boxes */
};

/**
 * The first box that a packet lies in, or may lie in.
 * @param w     the flow's words
 * @param from  boxes of lower orders are passed over
 * @param best  in: the best so far, or none with fit SURE; only what is before it counts
 */
void ipsp_spd_search(const struct ipsp_spd_slot *root, const uint64_t w[IPSP_WORDS],
		     const struct ipsp_flow *f, uint64_t from, struct ipsp_spd_found *best);

/** Packets that are searched for at once. */
#define IPSP_SPD_SEARCH_MAX 64u

struct ipsp_spd_search_one {
	const struct ipsp_spd_slot *root;
	const struct ipsp_flow *flow;		/* hides nothing */
	uint64_t words[IPSP_WORDS];
	struct ipsp_spd_found found;		/* in: none; out */
};

/** As ipsp_spd_search from the beginning of their lists, for n of at most IPSP_SPD_SEARCH_MAX. */
void ipsp_spd_search_n(struct ipsp_spd_search_one *ones, uint32_t n);

#endif
