/*
 * tests/unit/policy/boxset.h - packets as points, asked of boxes one comparison at a time.
 *
 * The judge of the property tests: it shares nothing with policy/boxes.c but the shape of a
 * selector.
 */
#ifndef TESTS_POLICY_BOXSET_H
#define TESTS_POLICY_BOXSET_H

#include "ipsp/types.h"
#include "policy/boxes.h"

/** What selectors see of a packet. */
struct packet {
	uint8_t family;
	uint8_t proto;
	uint8_t dscp;
	bool hides;
	uint32_t flow;
	uint32_t sport, dport;
	struct ipsp_addr src, dst;
};

/** Numbers that are the same at every run with the same seed. */
struct dice {
	uint64_t state;
};

uint32_t dice_roll(struct dice *d, uint32_t n);

/** A packet near the edges that dice_selector uses, so that both sides of each are met. */
void dice_packet(struct dice *d, struct packet *out);

/** A selector that restricts some dimensions. */
void dice_selector(struct dice *d, struct ipsp_selector *out);

bool selector_has(const struct ipsp_selector *s, const struct packet *p);
bool selectors_have(const struct ipsp_selector *s, size_t n, const struct packet *p);
bool boxes_have(const struct pol_boxes *b, const struct packet *p);

#endif
