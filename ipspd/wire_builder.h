/*
 * ipspd/wire_builder.h - a generation that grows out of messages: what ipspd/wire_read.c, wire_read_sa.c
 * and wire_build.c share. No one else's.
 *
 * While it grows, lists and entries know their parts by number, since arrays move; the pointers are set
 * once at the end.
 */
#ifndef IPSPD_WIRE_BUILDER_H
#define IPSPD_WIRE_BUILDER_H

#include <errno.h>

#include "chan/chan.h"
#include "ipspd/wire.h"

/** A growing array; doubled when full, up to a bound. */
struct wire_array {
	void *items;
	size_t n;
	size_t room;
};

struct wire_builder {
	uint64_t number;
	struct wire_array lists;		/* struct ipsp_spd_list, entries NULL */
	struct wire_array entries;		/* struct ipsp_spd_entry, selectors and steps NULL */
	struct wire_array selectors;		/* struct ipsp_selector: each entry's, its predicate's */
	struct wire_array steps;		/* struct ipsp_step */
	struct wire_array templates;		/* struct ipsp_template */
	struct wire_array predicates;	/* struct ipsp_predicate, arrays NULL */
	struct wire_array nodes;		/* struct ipsp_pred_node, of all predicates */
	struct wire_array octets;
	struct wire_array ids;		/* uint64_t */
	struct wire_array sas;		/* struct ipsp_sa_config */
	/* of a generation that follows another */
	bool follows;
	struct wire_array edits;		/* struct ipsp_spd_edit, runs NULL */
	struct wire_array runs;		/* struct ipsp_spd_run, entries NULL */
	struct wire_array lists_gone;	/* struct ipsp_spd_key */
	struct wire_array sas_gone;		/* uint64_t */
	struct wire_array unasked;		/* struct ipsp_unasked, selectors NULL */
	struct wire_array unasked_selectors;	/* struct ipsp_selector */
	/* What the last entry still lacks. */
	uint32_t missing;		/* selectors, its predicate's with them */
	uint32_t missing_nodes, missing_octets, missing_ids;
	bool wants_action;		/* its GEN_ACTION */
	const char *why;
};

/** Room for one more zeroed item. @return it, or NULL with *rc: -E2BIG, -ENOMEM */
void *wire_array_add(struct wire_array *a, size_t size, size_t max, int *rc);

/** MSG_GEN_SA, MSG_GEN_UNASKED. @return 0, or what ends the generation */
int wire_add_sa(struct wire_builder *b, struct chan_reader *r);
int wire_add_unasked(struct wire_builder *b, struct chan_reader *r);

/* ---- what ends it ---- */

static inline int refuse(struct wire_builder *b, const char *why)
{
	b->why = why;
	return -EINVAL;
}

static inline int no_room(struct wire_builder *b, int rc)
{
	b->why = rc == -E2BIG ? "more than its bound allows" : "no memory";
	return rc;
}

/** Does the last entry lack any of its parts? */
static inline bool is_incomplete(const struct wire_builder *b)
{
	return b->missing || b->missing_nodes || b->missing_octets || b->missing_ids ||
	       b->wants_action;
}

/* ---- what several messages have ---- */

static inline bool is_bool(uint8_t v)
{
	return v <= 1;
}

/** An address of a family that was said elsewhere. */
static inline void get_addr(struct chan_reader *r, uint8_t family, struct ipsp_addr *a)
{
	a->family = family;
	chan_get_raw(r, a->octets, ipsp_addr_size(family));
}

/** An address behind its family; 0: none. @return false: no such family */
static inline bool get_family(struct chan_reader *r, struct ipsp_addr *a)
{
	const uint8_t family = chan_get_u8(r);

	get_addr(r, family, a);
	return family == 0 || family == 4 || family == 6;
}

#endif
