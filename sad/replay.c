/*
 * sad/replay.c - the anti-replay window. RFC 4303 3.4.3, appendix A2.
 *
 * A word of the ring is only ever replaced as a whole, by one of the same lap with more bits or by one of
 * a later lap. So a number that was recorded stays so until a number a lap ahead is, and then it lies
 * left of the window, which is shorter than the ring. The right edge follows the words, not before
 * them: who sees it too far left takes a number for fresh that its word then refuses.
 *
 * Orders are relaxed: a verdict is about one word, and one exchange decides it.
 */
#include "ipsp/replay.h"

/* A lap is kept by its low half; that is enough for 2^37 numbers between two of one word. */
#define LAP_SHIFT 32

static bool window_valid(uint32_t window_pkts)
{
	return window_pkts >= IPSP_REPLAY_MIN && window_pkts <= IPSP_REPLAY_MAX &&
	       (window_pkts & (window_pkts - 1)) == 0;
}

/* The ring stands behind the structure. */
static _Atomic uint64_t *word_at(const struct ipsp_replay *r, uint64_t block)
{
	return (_Atomic uint64_t *)(uintptr_t)(r + 1) + block % r->n_blocks;
}

static uint32_t lap_of(const struct ipsp_replay *r, uint64_t block)
{
	return (uint32_t)(block / r->n_blocks);
}

static uint64_t word_of(uint32_t lap, uint32_t bits)
{
	return (uint64_t)lap << LAP_SHIFT | bits;
}

static uint32_t bit_of(uint64_t seq)
{
	return 1u << seq % IPSP_REPLAY_BLOCK;
}

/* Is that lap later than this one? As serial numbers are, RFC 1982. */
static bool is_later(uint32_t that, uint32_t lap)
{
	return that != lap && that - lap < 1u << 31;
}

static uint32_t window_of(const struct ipsp_replay *r)
{
	return atomic_load_explicit(&r->window_pkts, memory_order_relaxed);
}

static uint64_t top_of(const struct ipsp_replay *r)
{
	return atomic_load_explicit(&r->top, memory_order_relaxed);
}

/* All numbers up to floor, as far as the ring goes back. */
static void fill(struct ipsp_replay *r, uint64_t floor)
{
	const uint64_t last = floor / IPSP_REPLAY_BLOCK;

	for (uint64_t i = 0; i < r->n_blocks; i++)
		atomic_init(word_at(r, i), 0);
	if (floor == 0)
		return;
	for (uint64_t i = 0; i < r->n_blocks && i <= last; i++) {
		const uint32_t bits = i > 0 ? UINT32_MAX :
					      UINT32_MAX >> (31 - floor % IPSP_REPLAY_BLOCK);

		atomic_init(word_at(r, last - i), word_of(lap_of(r, last - i), bits));
	}
}

enum ipsp_err ipsp_replay_init(struct ipsp_replay *r, size_t ring_octets, uint32_t window_pkts,
			       uint64_t floor)
{
	if (!window_valid(window_pkts) || ring_octets % sizeof(uint64_t) != 0 ||
	    ring_octets < IPSP_REPLAY_RING(window_pkts) ||
	    ring_octets > IPSP_REPLAY_RING(IPSP_REPLAY_MAX))
		return IPSP_EINVAL;
	atomic_init(&r->top, floor);
	atomic_init(&r->window_pkts, window_pkts);
	r->n_blocks = (uint32_t)(ring_octets / sizeof(uint64_t));
	fill(r, floor);
	return IPSP_OK;
}

enum ipsp_err ipsp_replay_resize(struct ipsp_replay *r, uint32_t window_pkts)
{
	if (!window_valid(window_pkts) ||
	    IPSP_REPLAY_RING(window_pkts) > r->n_blocks * sizeof(uint64_t))
		return IPSP_EINVAL;
	atomic_store_explicit(&r->window_pkts, window_pkts, memory_order_relaxed);
	return IPSP_OK;
}

static bool is_old(uint64_t seq, uint64_t top, uint32_t window)
{
	return seq == 0 || (seq <= top && top - seq >= window);
}

/* Where a full number stands to the window. */
static enum ipsp_err judge(const struct ipsp_replay *r, uint64_t top, uint32_t window,
			   uint64_t seq)
{
	const uint64_t block = seq / IPSP_REPLAY_BLOCK;
	uint64_t word;

	if (is_old(seq, top, window))
		return IPSP_EOLD;
	/* Ahead of all that came, as most are. */
	if (seq > top)
		return IPSP_OK;
	word = atomic_load_explicit(word_at(r, block), memory_order_relaxed);
	if (is_later((uint32_t)(word >> LAP_SHIFT), lap_of(r, block)))
		return IPSP_EOLD;
	return (uint32_t)(word >> LAP_SHIFT) == lap_of(r, block) && ((uint32_t)word & bit_of(seq)) ?
		       IPSP_EREPLAY : IPSP_OK;
}

/*
 * A2.2: the high half that puts low nearest to the window without being left of it. Case A is a
 * window within one subspace of 2^32 numbers, case B one that spans two. False: the number would
 * lie before the first subspace.
 */
static bool guess_high(uint64_t top, uint32_t window, uint32_t low, uint64_t *seq)
{
	uint32_t top_low = (uint32_t)top;
	uint32_t high = (uint32_t)(top >> 32);
	uint32_t bottom_low = top_low - window + 1;	/* may wrap: case B */

	if (top_low >= window - 1) {
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
	const uint64_t top = top_of(r);
	const uint32_t window = window_of(r);
	uint64_t full = low;
	enum ipsp_err err;

	if (esn && !guess_high(top, window, low, &full))
		return IPSP_EOLD;
	err = judge(r, top, window, full);
	if (err == IPSP_OK)
		*seq = full;
	return err;
}

/*
 * Sets bits of a block.
 * @param had  out: which of them were set before
 * @return false: its place is another block's by now, so all of them are left of the window
 */
static bool mark(struct ipsp_replay *r, uint64_t block, uint32_t bits, uint32_t *had)
{
	_Atomic uint64_t *const at = word_at(r, block);
	const uint32_t lap = lap_of(r, block);
	uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
	uint32_t before;

	do {
		const uint32_t that = (uint32_t)(word >> LAP_SHIFT);

		if (is_later(that, lap))
			return false;
		before = that == lap ? (uint32_t)word : 0;
	} while (!atomic_compare_exchange_weak_explicit(at, &word, word_of(lap, before | bits),
							memory_order_relaxed,
							memory_order_relaxed));
	*had = before & bits;
	return true;
}

static void raise_top(struct ipsp_replay *r, uint64_t to)
{
	uint64_t top = top_of(r);

	while (top < to && !atomic_compare_exchange_weak_explicit(&r->top, &top, to,
								  memory_order_relaxed,
								  memory_order_relaxed))
		;
}

/*
 * Those from the first on that are of its block and in the window, none of them before another one of
 * their number.
 * @param top  of the window, those before them included; raised
 * @return how many, one at least
 */
static uint32_t accept_some(struct ipsp_replay *r, const uint64_t *seqs, enum ipsp_err *errs,
			    uint32_t n, uint64_t *top)
{
	const uint32_t window = window_of(r);
	const uint64_t block = seqs[0] / IPSP_REPLAY_BLOCK;
	uint32_t bits = 0, had = 0, some = 0;

	if (is_old(seqs[0], *top, window)) {
		errs[0] = IPSP_EOLD;
		return 1;
	}
	for (; some < n && seqs[some] / IPSP_REPLAY_BLOCK == block; some++) {
		if (is_old(seqs[some], *top, window) || (bits & bit_of(seqs[some])))
			break;
		bits |= bit_of(seqs[some]);
		if (seqs[some] > *top)
			*top = seqs[some];
	}
	const bool marked = mark(r, block, bits, &had);

	for (uint32_t i = 0; i < some; i++)
		errs[i] = !marked ? IPSP_EOLD : had & bit_of(seqs[i]) ? IPSP_EREPLAY : IPSP_OK;
	return some;
}

void ipsp_replay_accept_n(struct ipsp_replay *r, const uint64_t *seqs, enum ipsp_err *errs,
			  uint32_t n)
{
	const uint64_t before = top_of(r);
	uint64_t top = before;

	for (uint32_t i = 0; i < n;)
		i += accept_some(r, seqs + i, errs + i, n - i, &top);
	if (top > before)
		raise_top(r, top);
}

enum ipsp_err ipsp_replay_accept(struct ipsp_replay *r, uint64_t seq)
{
	enum ipsp_err err;

	ipsp_replay_accept_n(r, &seq, &err, 1);
	return err;
}
