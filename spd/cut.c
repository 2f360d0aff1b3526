/*
 * spd/cut.c - by which bits a set of boxes is best told apart. See spd/tree.h.
 *
 * What a cut leaves to look at is counted for a packet that one of the boxes is for: the boxes with
 * the same bits, and all that have no one value of them.
 */
#include <string.h>

#include "spd/tree.h"

/* Boxes that are looked at to choose: enough to see how they lie. */
#define SAMPLE_MAX 1024u

/* Boxes that are better left in one leaf. */
#define LEAF_MAX 4u

/* The lowest and the highest value of a word; what is above the word in the same address. */
struct ends {
	uint64_t lo, hi;
	bool one_above;		/* all above it has one value */
};

static struct ends ends_of(const struct ipsp_spd_box *b, uint8_t word)
{
	switch (word) {
	case IPSP_WORD_SRC:
		return (struct ends){ b->src_lo[0], b->src_hi[0], true };
	case IPSP_WORD_SRC + 1:
		return (struct ends){ b->src_lo[1], b->src_hi[1], b->src_lo[0] == b->src_hi[0] };
	case IPSP_WORD_DST:
		return (struct ends){ b->dst_lo[0], b->dst_hi[0], true };
	case IPSP_WORD_DST + 1:
		return (struct ends){ b->dst_lo[1], b->dst_hi[1], b->dst_lo[0] == b->dst_hi[0] };
	case IPSP_WORD_SPORT:
		return (struct ends){ b->sport_lo, b->sport_hi, true };
	case IPSP_WORD_DPORT:
		return (struct ends){ b->dport_lo, b->dport_hi, true };
	default:
		return (struct ends){ b->proto_lo, b->proto_hi, true };
	}
}

uint32_t ipsp_spd_cut_slot(const struct ipsp_spd_box *box, struct ipsp_spd_cut cut)
{
	const struct ends e = ends_of(box, cut.word);

	if (!e.one_above || (e.lo ^ e.hi) >> cut.shift != 0)
		return 0;
	return 1 + (uint32_t)(e.lo >> cut.shift & ((1u << cut.bits) - 1));
}

static uint8_t bits_of(uint64_t v)
{
	return v == 0 ? 0 : (uint8_t)(64 - __builtin_clzll(v));
}

/* A word of all boxes of the sample. */
struct sample {
	uint32_t n;
	uint8_t top;			/* bits up to the highest that differs between boxes */
	uint64_t shifts;		/* bit n: some box has one value from bit n on, and not from n - 1 */
	uint64_t lo[SAMPLE_MAX];
	uint8_t shift[SAMPLE_MAX];	/* 64: no one value at all */
};

static void sample_word(const struct ipsp_spd_box *const *boxes, uint32_t n, uint8_t word,
			struct sample *s)
{
	const uint32_t step = n / SAMPLE_MAX + 1;
	uint64_t differs = 0;

	s->n = 0;
	s->shifts = 0;
	for (uint32_t i = 0; i < n; i += step) {
		const struct ends e = ends_of(boxes[i], word);
		const uint8_t shift = e.one_above ? bits_of(e.lo ^ e.hi) : 64;

		s->lo[s->n] = e.lo;
		s->shift[s->n] = shift;
		if (shift < 64) {
			s->shifts |= UINT64_C(1) << shift;
			differs |= e.lo ^ s->lo[0];
		}
		s->n++;
	}
	s->top = bits_of(differs);
}

/* Boxes of the sample that a packet of one of them meets, on average, times the sample's size. */
static uint64_t meets(const struct sample *s, uint8_t shift, uint8_t bits)
{
	uint16_t counts[1u << IPSP_SPD_CUT_BITS_MAX];
	const uint64_t mask = (1u << bits) - 1;
	uint64_t wide = 0, sum = 0;

	memset(counts, 0, sizeof(counts[0]) << bits);
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->shift[i] > shift)
			wide++;
		else
			counts[s->lo[i] >> shift & mask]++;
	}
	for (uint32_t i = 0; i <= mask; i++)
		sum += (uint64_t)counts[i] * counts[i];
	return wide * s->n + sum;
}

struct choice {
	struct ipsp_spd_cut cut;
	uint64_t meets;
};

static void try_cut(const struct sample *s, uint8_t word, uint8_t shift, uint8_t bits_max,
		    struct choice *best)
{
	uint8_t bits = s->top - shift < bits_max ? (uint8_t)(s->top - shift) : bits_max;
	const uint64_t m = meets(s, shift, bits);

	if (m < best->meets)
		*best = (struct choice){ { word, shift, bits }, m };
}

/* A node is no larger than what it leads to. */
static uint8_t bits_for(uint32_t n)
{
	uint8_t bits = (uint8_t)(bits_of(n) + 1);

	return bits < IPSP_SPD_CUT_BITS_MAX ? bits : IPSP_SPD_CUT_BITS_MAX;
}

bool ipsp_spd_cut_choose(const struct ipsp_spd_box *const *boxes, uint32_t n,
			 struct ipsp_spd_cut *out)
{
	const uint8_t bits_max = bits_for(n);
	struct choice best = { .meets = UINT64_MAX };
	struct sample s = { .n = 0 };

	if (n <= LEAF_MAX)
		return false;
	for (uint8_t word = 0; word < IPSP_WORDS; word++) {
		sample_word(boxes, n, word, &s);
		if (s.top == 0)
			continue;
		for (uint64_t left = s.shifts; left; left &= left - 1) {
			const uint8_t shift = (uint8_t)__builtin_ctzll(left);

			if (shift < s.top)
				try_cut(&s, word, shift, bits_max, &best);
		}
		if (s.top > bits_max)
			try_cut(&s, word, (uint8_t)(s.top - bits_max), bits_max, &best);
	}
	/* One that takes away less than a quarter is not worth looking at it. */
	if (best.meets == UINT64_MAX || best.meets > (uint64_t)s.n * s.n / 4 * 3)
		return false;
	*out = best.cut;
	return true;
}
