/*
 * tests/unit/pcap/seed.h - a seed of the decoder's fuzzer as a capture: a table of keys, and messages in the order in
 * which they came. They are real exchanges of two strongSwans, which tshark opens alike.
 */
#ifndef TESTS_UNIT_PCAP_SEED_H
#define TESTS_UNIT_PCAP_SEED_H

#include "ipsp/types.h"

#define SEED_MESSAGES_MAX 64u

struct seed {
	char table[512];
	size_t n;
	struct ipsp_span messages[SEED_MESSAGES_MAX];
	uint8_t octets[8192];
};

/** Reads tests/fuzz/seeds/ikedecode/NAME; the messages point into *seed. */
void seed_read(const char *name, struct seed *seed);

#endif
