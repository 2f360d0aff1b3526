/*
 * tests/bench/rules.h - filter sets like those of real firewalls, and packets for them.
 *
 * By the distributions that ClassBench (Taylor and Turner, 2007) found in twelve real sets and keeps
 * as seeds of three families: prefix lengths of both addresses together, the classes of both ports,
 * protocols, and how addresses crowd under few prefixes. What is here follows them in the large;
 * it is no copy of a seed. No two boxes are the same, and mostly, not always, the narrower come first.
 */
#ifndef TESTS_BENCH_RULES_H
#define TESTS_BENCH_RULES_H

#include "ipsp/flow.h"
#include "ipsp/types.h"

enum rules_kind {
	RULES_ACL,	/* access lists of routers: most name both ends and a destination port */
	RULES_FW,	/* firewalls: many are open on one side, with ports and ranges on both */
	RULES_IPC,	/* chains of Linux hosts: in between, of many protocols */
	RULES_KINDS,
};

extern const char *const rules_names[RULES_KINDS];

/**
 * @param state   of the numbers: the same gives the same
 * @param family  4 or 6
 * @param out     room for n
 */
void rules_make(uint64_t *state, enum rules_kind kind, uint8_t family, struct ipsp_selector *out,
		uint32_t n);

/** A packet that the box is for, or (one in ten) one that resembles those only by its addresses. */
void rules_flow(uint64_t *state, const struct ipsp_selector *boxes, uint32_t n,
		struct ipsp_flow *out);

#endif
