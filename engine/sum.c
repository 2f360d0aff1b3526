/*
 * engine/sum.c - RFC 1071, several octets at a time.
 *
 * The sum does not depend on the order of octets but for the last step (RFC 1071 2, B), so words of
 * this machine's order are added: 32 bits each into 64, which holds 2^32 of them without a carry.
 */
#include "engine/sum.h"

#include <string.h>

typedef uint64_t lane_pair __attribute__((vector_size(16)));

/* Sixteen octets are two lanes of two words each. */
static inline lane_pair words_of(const uint8_t *p)
{
	lane_pair v;

	memcpy(&v, p, sizeof(v));
	return (v & 0xffffffffu) + (v >> 32);
}

static uint64_t sum_words(const uint8_t *p, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t word;

	for (; n >= sizeof(word); p += sizeof(word), n -= (uint32_t)sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

uint16_t ipsp_sum(const uint8_t *p, uint32_t n)
{
	lane_pair a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	uint8_t octets[2];

	for (; n >= 64; p += 64, n -= 64) {
		a += words_of(p);
		b += words_of(p + 16);
		c += words_of(p + 32);
		d += words_of(p + 48);
	}
	a += b + c + d;
	const uint64_t words = ipsp_sum_fold(a[0]) + ipsp_sum_fold(a[1]);
	const uint16_t sum = ipsp_sum_fold(words + ipsp_sum_fold(sum_words(p, n)));

	memcpy(octets, &sum, sizeof(sum));
	return (uint16_t)(octets[0] << 8 | octets[1]);
}
