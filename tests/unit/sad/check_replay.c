/*
 * tests/unit/sad/check_replay.c - the window as lists of (number, verdict). RFC 4303 3.4.3, A2.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/replay.h"

/* A window with the widest ring behind it. */
struct ringed {
	struct ipsp_replay r;
	uint64_t ring[IPSP_REPLAY_MAX / IPSP_REPLAY_BLOCK + 1];
};

#define RING sizeof(((struct ringed *)0)->ring)

#define K 0x100000000ull	/* one subspace of numbers */
#define OK IPSP_OK
#define SEEN IPSP_EREPLAY
#define OLD IPSP_EOLD

/* A packet with a number arrives authentic: the verdict of check, then accept. */
struct step {
	uint64_t seq;
	enum ipsp_err want;
};

/* Window of 64, as a peer would send and an attacker repeat. */
static const struct {
	const char *name;
	bool esn;
	uint64_t floor;
	struct step steps[16];	/* to the first of number 0 and verdict OK */
} tables[] = {
	{ "in order", false, 0, { { 1, OK }, { 2, OK }, { 3, OK }, { 4, OK } } },
	{ "number 0 is never sent", false, 0, { { 0, OLD }, { 1, OK }, { 0, OLD } } },
	{ "repeats", false, 0, { { 1, OK }, { 1, SEEN }, { 2, OK }, { 1, SEEN }, { 2, SEEN } } },
	{ "out of order", false, 0, { { 5, OK }, { 3, OK }, { 4, OK }, { 3, SEEN }, { 1, OK } } },
	{ "left edge", false, 0, { { 100, OK }, { 36, OLD }, { 37, OK }, { 37, SEEN },
	  { 38, OK } } },
	{ "right edge accepts", false, 0, { { 64, OK }, { 1, OK }, { 65, OK }, { 1, OLD },
	  { 2, OK } } },
	{ "a jump as long as the window", false, 0, { { 10, OK }, { 74, OK }, { 10, OLD },
	  { 11, OK }, { 73, OK }, { 74, SEEN } } },
	{ "a jump over the ring", false, 0, { { 10, OK }, { 10 + 4096, OK }, { 10, OLD },
	  { 4096 + 9, OK }, { 4096 + 10, SEEN } } },
	{ "a jump over several rings", false, 0, { { 7, OK }, { 7 + 5 * 4096, OK },
	  { 6 + 5 * 4096, OK }, { 8 + 5 * 4096, OK }, { 7 + 5 * 4096, SEEN } } },
	{ "the end of 32 bits", false, 0, { { K - 2, OK }, { K - 1, OK }, { K - 1, SEEN },
	  { 1, OLD }, { 0, OLD } } },
	{ "a floor counts as seen", false, 1000, { { 1000, SEEN }, { 990, SEEN }, { 1001, OK },
	  { 1001, SEEN }, { 900, OLD } } },
	{ "esn from the start", true, 0, { { 1, OK }, { 2, OK }, { 1, SEEN } } },
	{ "esn into the second subspace", true, 0, { { 0x7fffff00, OK }, { 0xffffff00, OK },
	  { K - 1, OK }, { K, OK }, { K + 1, OK }, { K - 1, SEEN }, { K - 2, OK }, { K, SEEN },
	  { K + 70, OK }, { K + 6, OLD } } },
	{ "esn: window over the edge", true, K + 4, { { K + 4, SEEN }, { K + 5, OK },
	  { K - 20, SEEN }, { K - 59, OLD } } },
	{ "esn: late subspaces", true, 5 * K - 3, { { 5 * K - 2, OK }, { 5 * K + 1, OK },
	  { 5 * K - 1, OK }, { 5 * K, OK }, { 5 * K - 1, SEEN } } },
	{ "esn: the last numbers", true, UINT64_MAX - 2, { { UINT64_MAX - 1, OK },
	  { UINT64_MAX, OK }, { UINT64_MAX, SEEN } } },
};

START_TEST(test_windows_judge_numbers_as_listed)
{
	const struct step *s = tables[_i].steps;
	struct ringed r;

	ck_assert_int_eq(ipsp_replay_init(&r.r, RING, 64, tables[_i].floor), IPSP_OK);
	for (; s->seq != 0 || s->want != OK; s++) {
		uint64_t seq = 0xdead;
		struct ringed before = r;
		enum ipsp_err err = ipsp_replay_check(&r.r, (uint32_t)s->seq, tables[_i].esn, &seq);

		ck_assert_mem_eq(&before, &r, sizeof(r));
		/* Left of an ESN window means: taken for a number of the next subspace. */
		if (tables[_i].esn && s->want == OLD) {
			ck_assert_uint_eq(seq, s->seq + K);
			ck_assert_int_eq(ipsp_replay_accept(&r.r, s->seq), OLD);
			continue;
		}
		ck_assert_msg(err == s->want, "%s: check %llx", tables[_i].name,
			      (unsigned long long)s->seq);
		if (err == IPSP_OK)
			ck_assert_uint_eq(seq, s->seq);
		else
			ck_assert_uint_eq(seq, 0xdead);
		ck_assert_msg(ipsp_replay_accept(&r.r, s->seq) == s->want, "%s: accept %llx",
			      tables[_i].name, (unsigned long long)s->seq);
	}
}
END_TEST

/* A2.2's two cases, by hand: top, window, low half as received, full number (0: refused). */
static const struct {
	const char *name;
	uint64_t top;
	uint32_t window, low;
	uint64_t seq;
} guesses[] = {
	{ "case A, in the window", 3 * K + 100, 64, 90, 3 * K + 90 },
	{ "case A, left edge", 3 * K + 100, 64, 37, 3 * K + 37 },
	{ "case A, left of it is the next subspace", 3 * K + 100, 64, 36, 4 * K + 36 },
	{ "case A, ahead", 3 * K + 100, 64, 0xffffffff, 3 * K + 0xffffffff },
	{ "case A, window just fits", 3 * K + 63, 64, 0, 3 * K },
	{ "case B, before the edge", 3 * K + 10, 64, 0xffffffff, 2 * K + 0xffffffff },
	{ "case B, left edge", 3 * K + 10, 64, (uint32_t)(11 - 64), 3 * K + 11 - 64 },
	{ "case B, left of it is ahead", 3 * K + 10, 64, (uint32_t)(10 - 64), 4 * K + 10 - 64 },
	{ "case B, after the edge", 3 * K + 10, 64, 5, 3 * K + 5 },
	{ "before the first subspace", 10, 64, 0xffffffff, 0 },
	{ "beyond the last subspace", 0xffffffffull * K + 100, 64, 5, 0 },
};

START_TEST(test_the_high_half_is_guessed_as_appendix_a_says)
{
	struct ringed r;
	uint64_t seq = 0;

	ck_assert_int_eq(ipsp_replay_init(&r.r, RING, guesses[_i].window, 0), IPSP_OK);
	r.r.top = guesses[_i].top;
	ck_assert_msg((ipsp_replay_check(&r.r, guesses[_i].low, true, &seq) == IPSP_OK) ==
		      (guesses[_i].seq != 0), "%s", guesses[_i].name);
	ck_assert_uint_eq(seq, guesses[_i].seq);
}
END_TEST

/* The plainest model: a list of everything ever accepted. */
START_TEST(test_random_traffic_agrees_with_a_list_of_numbers)
{
	static const uint32_t windows[] = { 32, 64, 128, 1024, 4096 };
	enum { SPAN = 40000 };
	static bool accepted[SPAN];
	uint32_t window = windows[_i];
	struct ringed r;
	uint64_t top = 0;

	srand((unsigned)_i);
	memset(accepted, 0, sizeof(accepted));
	ck_assert_int_eq(ipsp_replay_init(&r.r, RING, window, 0), IPSP_OK);
	for (int i = 0; i < 200000; i++) {
		uint32_t back = (uint32_t)rand() % (2 * window);
		uint64_t seq = top + 1 + (rand() % 200 ? 0 : (unsigned)rand() % 500);
		enum ipsp_err want, err;
		uint64_t full = 0;

		if (rand() % 8)
			seq = top > back ? top - back : 0;
		if (seq >= SPAN)
			break;
		want = seq == 0 || (seq <= top && top - seq >= window) ? IPSP_EOLD :
		       accepted[seq] ? IPSP_EREPLAY : IPSP_OK;
		err = ipsp_replay_check(&r.r, (uint32_t)seq, false, &full);
		if (err != want || ipsp_replay_accept(&r.r, seq) != want)
			ck_abort_msg("number %llu, top %llu, window %u",
				     (unsigned long long)seq, (unsigned long long)top, window);
		if (want == IPSP_OK)
			accepted[seq] = true;
		if (want == IPSP_OK && seq > top)
			top = seq;
	}
	ck_assert_uint_gt(top, 4 * 4096);
}
END_TEST

/* Batches as a worker has them: mostly in order, some late, some twice. */
START_TEST(test_many_at_once_are_judged_as_one_by_one)
{
	static const uint32_t windows[] = { 32, 64, 256, 4096 };
	struct ringed one, many;
	uint64_t next = 1;

	srand((unsigned)_i);
	/* The narrowest ring: its blocks are overtaken at every turn. */
	ck_assert_int_eq(ipsp_replay_init(&one.r, RING, windows[_i], 0), IPSP_OK);
	ck_assert_int_eq(ipsp_replay_init(&many.r, IPSP_REPLAY_RING(windows[_i]), windows[_i], 0),
			 IPSP_OK);
	for (int turn = 0; turn < 5000; turn++) {
		uint64_t seqs[32];
		enum ipsp_err errs[32];
		const uint32_t n = 1 + (uint32_t)rand() % 32;

		for (uint32_t i = 0; i < n; i++) {
			const uint64_t back = (uint64_t)rand() % (windows[_i] + 40);

			next += rand() % 50 ? 1 : (uint64_t)rand() % 300;
			seqs[i] = rand() % 4 ? next : next > back ? next - back : 0;
		}
		ipsp_replay_accept_n(&many.r, seqs, errs, n);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(errs[i], ipsp_replay_accept(&one.r, seqs[i]));
		ck_assert_uint_eq(many.r.top, one.r.top);
	}
}
END_TEST

/* Of one window and all the same numbers, each thread's turns in an order of its own. */
enum { THREADS = 3, NUMBERS = 200000, TURN = 16 };
static struct ringed shared;
static _Atomic uint8_t accepted_by[NUMBERS + TURN];
static _Atomic unsigned long accepted_in_all;

static void *accept_all(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (uint64_t base = 1; base < NUMBERS; base += TURN) {
		uint64_t seqs[TURN];
		enum ipsp_err errs[TURN];

		for (uint32_t i = 0; i < TURN; i++)
			seqs[i] = base + i;
		for (uint32_t i = TURN - 1; i > 0; i--) {
			const uint32_t j = (uint32_t)rand_r(&seed) % (i + 1);
			const uint64_t seq = seqs[i];

			seqs[i] = seqs[j];
			seqs[j] = seq;
		}
		ipsp_replay_accept_n(&shared.r, seqs, errs, TURN);
		for (uint32_t i = 0; i < TURN; i++) {
			if (errs[i] != IPSP_OK)
				continue;
			accepted_by[seqs[i]]++;
			accepted_in_all++;
		}
	}
	return NULL;
}

START_TEST(test_of_packets_with_one_number_one_is_accepted_whoever_has_them)
{
	pthread_t threads[THREADS];

	ck_assert_int_eq(ipsp_replay_init(&shared.r, IPSP_REPLAY_RING(64), 64, 0), IPSP_OK);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, accept_all, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < NUMBERS; i++)
		ck_assert_uint_le(accepted_by[i], 1);
	/* Whoever is first finds all of its turn fresh but what the others took. */
	ck_assert_uint_ge(accepted_in_all, NUMBERS / 2);
	ck_assert_uint_eq(shared.r.top, NUMBERS);
}
END_TEST

START_TEST(test_a_resized_window_remembers_what_was_seen)
{
	struct ringed r;

	ck_assert_int_eq(ipsp_replay_init(&r.r, RING, 32, 0), IPSP_OK);
	for (uint64_t seq = 1; seq <= 1000; seq++)
		ck_assert_int_eq(ipsp_replay_accept(&r.r, seq), IPSP_OK);
	ck_assert_int_eq(ipsp_replay_accept(&r.r, 500), IPSP_EOLD);
	ck_assert_int_eq(ipsp_replay_resize(&r.r, 1024), IPSP_OK);
	ck_assert_int_eq(ipsp_replay_accept(&r.r, 500), IPSP_EREPLAY);
	ck_assert_int_eq(ipsp_replay_resize(&r.r, 100), IPSP_EINVAL);
	ck_assert_uint_eq(r.r.window_pkts, 1024);
}
END_TEST

START_TEST(test_window_sizes_that_cannot_be_are_refused)
{
	static const uint32_t sizes[] = { 0, 1, 16, 31, 33, 48, 4095, 8192, UINT32_MAX };
	struct ringed r, before;

	memset(&r, 0x5a, sizeof(r));
	before = r;
	ck_assert_int_eq(ipsp_replay_init(&r.r, RING, sizes[_i], 0), IPSP_EINVAL);
	ck_assert_mem_eq(&r, &before, sizeof(r));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("replay");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_windows_judge_numbers_as_listed, 0,
			    sizeof(tables) / sizeof(tables[0]));
	tcase_add_loop_test(tc, test_the_high_half_is_guessed_as_appendix_a_says, 0,
			    sizeof(guesses) / sizeof(guesses[0]));
	tcase_add_loop_test(tc, test_random_traffic_agrees_with_a_list_of_numbers, 0, 5);
	tcase_add_loop_test(tc, test_many_at_once_are_judged_as_one_by_one, 0, 4);
	tcase_add_test(tc, test_of_packets_with_one_number_one_is_accepted_whoever_has_them);
	tcase_add_test(tc, test_a_resized_window_remembers_what_was_seen);
	tcase_add_loop_test(tc, test_window_sizes_that_cannot_be_are_refused, 0, 9);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
