/*
 * sad/replay.c - the anti-replay window. RFC 4303 3.4.3, appendix A2.
 *
 * The ring has the last ring_pkts numbers up to top, one bit each; moving top clears the bits of the
 * numbers it passes.
 */
#include <string.h>

#include "ipsp/replay.h"

static bool window_valid(uint32_t window_pkts)
{
	return window_pkts >= IPSP_REPLAY_MIN && window_pkts <= IPSP_REPLAY_MAX &&
	       (window_pkts & (window_pkts - 1)) == 0;
}

/* The ring stands behind the structure. */
static uint64_t *word_of(struct ipsp_replay *r, uint64_t seq)
{
	return (uint64_t *)(r + 1) + (seq & (r->ring_pkts - 1)) / 64;
}

static uint64_t bit_of(uint64_t seq)
{
	return 1ull << seq % 64;
}

/* Forgets first .. last, at most a ring of them, a word at a time. */
static void forget(struct ipsp_replay *r, uint64_t first, uint64_t last)
{
	if (last - first >= r->ring_pkts - 1) {
		memset(r + 1, 0, r->ring_pkts / 8);
		return;
	}
	for (uint64_t seq = first;;) {
		uint64_t word_end = seq | 63;
		uint64_t mask = UINT64_MAX << seq % 64;

		if (word_end >= last) {
			*word_of(r, seq) &= ~(mask & UINT64_MAX >> (63 - last % 64));
			return;
		}
		*word_of(r, seq) &= ~mask;
		seq = word_end + 1;
	}
}

enum ipsp_err ipsp_replay_init(struct ipsp_replay *r, size_t ring_octets, uint32_t window_pkts,
			       uint64_t floor)
{
	if (!window_valid(window_pkts) || ring_octets < IPSP_REPLAY_RING(window_pkts) ||
	    ring_octets > IPSP_REPLAY_RING(IPSP_REPLAY_MAX) ||
	    (ring_octets & (ring_octets - 1)) != 0)
		return IPSP_EINVAL;
	r->top = floor;
	r->window_pkts = window_pkts;
	r->ring_pkts = (uint32_t)ring_octets * 8;
	memset(r + 1, floor > 0 ? 0xff : 0, ring_octets);
	return IPSP_OK;
}

enum ipsp_err ipsp_replay_resize(struct ipsp_replay *r, uint32_t window_pkts)
{
	if (!window_valid(window_pkts) || window_pkts > r->ring_pkts)
		return IPSP_EINVAL;
	r->window_pkts = window_pkts;
	return IPSP_OK;
}

/* Where a full number stands to the window. */
static enum ipsp_err judge(const struct ipsp_replay *r, uint64_t seq)
{
	if (seq == 0)
		return IPSP_EOLD;
	if (seq > r->top)
		return IPSP_OK;
	if (r->top - seq >= r->window_pkts)
		return IPSP_EOLD;
	if (((const uint64_t *)(r + 1))[(seq & (r->ring_pkts - 1)) / 64] & bit_of(seq))
		return IPSP_EREPLAY;
	return IPSP_OK;
}

/*
 * A2.2: the high half that puts low nearest to the window without being left of it. Case A is a
 * window within one subspace of 2^32 numbers, case B one that spans two. False: the number would
 * lie before the first subspace.
 */
static bool guess_high(const struct ipsp_replay *r, uint32_t low, uint64_t *seq)
{
	uint32_t top_low = (uint32_t)r->top;
	uint32_t high = (uint32_t)(r->top >> 32);
	uint32_t bottom_low = top_low - r->window_pkts + 1;	/* may wrap: case B */

	if (top_low >= r->window_pkts - 1) {
		if (low < bottom_low) {
			if (high == UINT32_MAX)
				return false;
			high++;
		}
	} else if (low >= bottom_low) {
		if (high == 0)
			return false;
		high--;
	}
	*seq = (uint64_t)high << 32 | low;
	return true;
}

enum ipsp_err ipsp_replay_check(const struct ipsp_replay *r, uint32_t low, bool esn,
				uint64_t *seq)
{
	uint64_t full = low;
	enum ipsp_err err;

	if (esn && !guess_high(r, low, &full))
		return IPSP_EOLD;
	err = judge(r, full);
	if (err == IPSP_OK)
		*seq = full;
	return err;
}

enum ipsp_err ipsp_replay_accept(struct ipsp_replay *r, uint64_t seq)
{
	enum ipsp_err err = judge(r, seq);

	if (err != IPSP_OK)
		return err;
	if (seq > r->top) {
		forget(r, r->top + 1, seq);
		r->top = seq;
	}
	*word_of(r, seq) |= bit_of(seq);
	return IPSP_OK;
}
