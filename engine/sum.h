/*
 * engine/sum.h - the Internet checksum's sum. RFC 1071. Private to engine/.
 */
#ifndef ENGINE_SUM_H
#define ENGINE_SUM_H

#include <stdint.h>

/** The one's complement sum of n octets as 16-bit numbers in network order; n odd: a 0 behind it. */
uint16_t ipsp_sum(const uint8_t *p, uint32_t n);

/** Sums of parts together; each part but the last has an even number of octets. */
static inline uint16_t ipsp_sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
