/*
 * tests/unit/spd/memory.h - a platform whose memory is counted and can be made to run out.
 */
#ifndef TESTS_UNIT_SPD_MEMORY_H
#define TESTS_UNIT_SPD_MEMORY_H

#include "ipsp/platform.h"

struct memory {
	struct ipsp_platform platform;
	size_t octets;		/* given out now */
	long fail_at;		/* the n-th alloc from now gets nothing; negative: none */
	bool random_fails;
};

/** Fills platform; its ctx is m. Random octets are a fixed sequence. */
void memory_init(struct memory *m, const struct ipsp_crypto *crypto);

#endif
