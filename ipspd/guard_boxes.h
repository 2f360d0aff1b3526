/*
 * ipspd/guard_boxes.h - an SPD list as the guard's own ordered boxes: pass, ask or drop, bounded.
 */
#ifndef IPSPD_GUARD_BOXES_H
#define IPSPD_GUARD_BOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "ipsp/config.h"

struct guard_box {
	bool pass;	/* BYPASS, of all its packets; else it drops */
	bool ask;	/* some of its packets only: the engine judges them */
	bool discard;	/* DISCARD */
	uint64_t id;		/* of the entry; 0: it has grown beyond one entry's packets */
	bool log;		/* the entry says so */
	uint64_t from_s, until_s;	/* when it holds, as in struct ipsp_spd_entry */
	struct ipsp_selector s;
};

struct guard_boxes {
	struct guard_box *items;
	size_t n;
};

/** How many boxes the list has as it is. */
size_t guard_boxes_count(const struct ipsp_spd_list *l);

/**
 * The list's boxes in order, at most max (at least 8) of them. Too many: neighbours that drop are
 * merged into prefixes; when that is not enough, the last that pass are left out.
 * @return false: no memory
 */
bool guard_boxes_make(const struct ipsp_spd_list *l, size_t max, struct guard_boxes *out);
void guard_boxes_fini(struct guard_boxes *b);

#endif
