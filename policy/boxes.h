/*
 * policy/boxes.h - exact sets of packets as unions of boxes: and, or, not.
 *
 * A box is an interval in each of the eight selector dimensions of one family (RFC 4301 4.4.1.1),
 * so a set is exact, not an approximation: what a box set says matches is what lookup matches. The
 * complement of a box has at most 16 boxes a family.
 *
 * Every operation is bounded twice: by the boxes of its result (POL_BOXES_MAX) and by a budget of
 * work that its caller shares out. No I/O; memory from the heap.
 */
#ifndef POLICY_BOXES_H
#define POLICY_BOXES_H

#include "ipsp/types.h"

/** Boxes of any one set. */
#define POL_BOXES_MAX 2048

/** Comparisons of two boxes that one rule's or one guard's filter may cost. */
#define POL_BUDGET_WORK (1u << 22)

/** Rows that it may lead to: a row that is named twice on each of 16 levels is met 2^16 times. */
#define POL_BUDGET_ROWS (1u << 14)

/** What became of a calculation. */
enum pol_calc {
	POL_CALC_OK,
	POL_CALC_COMPLEX,	/* over POL_BOXES_MAX, or the budget is used up */
	POL_CALC_NO_MEMORY,
};

/** Dimensions of a box, in the order they are cut. */
enum pol_dim {
	POL_DIM_PROTO,
	POL_DIM_DSCP,
	POL_DIM_HIDES,	/* 0: shows all that selectors ask for; 1: does not */
	POL_DIM_FLOW,
	POL_DIM_SPORT,
	POL_DIM_DPORT,
	POL_DIM_SRC,
	POL_DIM_DST,
	POL_DIMS,
};

/** An unsigned number of 128 bits. */
struct pol_num {
	uint64_t hi;
	uint64_t lo;
};

/** One box: struct ipsp_selector with all dimensions alike. */
struct pol_box {
	uint8_t family;			/* 4 or 6 */
	struct pol_num lo[POL_DIMS];
	struct pol_num hi[POL_DIMS];
};

/** A union of boxes, of both families; they may overlap. Zeroed: the empty set. */
struct pol_boxes {
	struct pol_box *v;
	size_t n;
	size_t cap;
};

/** Comparisons and rows left. */
struct pol_budget {
	uint32_t work;
	uint32_t rows;
};

#define POL_BUDGET_INIT { POL_BUDGET_WORK, POL_BUDGET_ROWS }

void pol_box_from_selector(const struct ipsp_selector *s, struct pol_box *out);
void pol_box_to_selector(const struct pol_box *b, struct ipsp_selector *out);

/** Frees its memory; it is the empty set then. */
void pol_boxes_fini(struct pol_boxes *b);

/** Moves from into to, whose own boxes are freed; from is the empty set then. */
void pol_boxes_move(struct pol_boxes *to, struct pol_boxes *from);

/** Is it the empty set? */
bool pol_boxes_none(const struct pol_boxes *b);

/** Are they made of the same boxes, in the same order? */
bool pol_boxes_same(const struct pol_boxes *a, const struct pol_boxes *b);

/** Is the box inside one box of the set? False says nothing: two boxes together may hold it. */
bool pol_boxes_cover(const struct pol_boxes *b, const struct pol_box *box);

/** Makes it the set of all packets of both families. */
enum pol_calc pol_boxes_all(struct pol_boxes *b);

/** Puts a box in, unless it is inside another; boxes inside it go. */
enum pol_calc pol_boxes_add(struct pol_boxes *b, const struct pol_box *box,
			    struct pol_budget *budget);

/* All below: out is another set than the arguments; what it held is freed, whatever happens. */

enum pol_calc pol_boxes_copy(const struct pol_boxes *a, struct pol_boxes *out);
enum pol_calc pol_boxes_union(const struct pol_boxes *a, const struct pol_boxes *b,
			      struct pol_boxes *out, struct pol_budget *budget);
enum pol_calc pol_boxes_intersect(const struct pol_boxes *a, const struct pol_boxes *b,
				  struct pol_boxes *out, struct pol_budget *budget);

/** All packets that are not in a. */
enum pol_calc pol_boxes_complement(const struct pol_boxes *a, struct pol_boxes *out,
				   struct pol_budget *budget);

#endif
