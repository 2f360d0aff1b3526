/*
 * tests/unit/sad/check_counters.c - number spaces: the region's table, and numbers taken from it.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/counters.h"

#define SLOTS 64u

static void *region;
static size_t region_size;
static struct ipsp_counters counters;

static void setup(void)
{
	region_size = ipsp_counters_size(SLOTS);
	region = aligned_alloc(64, (region_size + 63) / 64 * 64);
	memset(region, 0, region_size);
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &counters), IPSP_OK);
}

static void teardown(void)
{
	free(region);
}

static const struct ipsp_counter *slot(uint32_t at)
{
	return (const struct ipsp_counter *)(counters.slots +
					     at * IPSP_COUNTER_SLOT);
}

static struct ipsp_counter *get(uint64_t id, bool want_fresh)
{
	struct ipsp_counter *slot;
	bool fresh;

	ck_assert_int_eq(ipsp_counters_get(&counters, id, &slot, &fresh), IPSP_OK);
	ck_assert_int_eq(fresh, want_fresh);
	return slot;
}

START_TEST(test_a_region_of_zeros_is_formatted_and_then_recognised)
{
	struct ipsp_counter *slot = get(5, true);
	struct ipsp_counters again;

	ck_assert_uint_eq(counters.mask + 1, SLOTS);
	slot->seq = 77;
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &again), IPSP_OK);
	ck_assert_ptr_eq(ipsp_counters_find(&again, 5), slot);
	ck_assert_uint_eq(slot->seq, 77);
}
END_TEST

START_TEST(test_regions_that_are_not_ours_are_refused)
{
	struct ipsp_counters out = counters;
	struct ipsp_counters_header *h = region;
	struct ipsp_counters_header good = *h;

	ck_assert_int_eq(ipsp_counters_attach(NULL, region_size, &out), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_counters_attach((char *)region + 8, region_size - 8, &out),
			 IPSP_EINVAL);
	ck_assert_int_eq(ipsp_counters_attach(region, ipsp_counters_size(15), &out), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_counters_attach(region, region_size - 1, &out), IPSP_EMALFORMED);
	h->magic++;
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &out), IPSP_EMALFORMED);
	*h = good;
	h->version++;
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &out), IPSP_EMALFORMED);
	*h = good;
	h->slot_size--;
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &out), IPSP_EMALFORMED);
	*h = good;
	h->n_slots = 63;
	ck_assert_int_eq(ipsp_counters_attach(region, region_size, &out), IPSP_EMALFORMED);
}
END_TEST

START_TEST(test_slots_are_found_by_id_up_to_three_quarters)
{
	struct ipsp_counter *slots[SLOTS], *slot;
	bool fresh;
	uint32_t n = 0;

	for (; n < SLOTS / 4 * 3; n++)
		slots[n] = get((uint64_t)n * n * n + 1, true);
	ck_assert_uint_eq(ipsp_counters_used(&counters), n);
	ck_assert_int_eq(ipsp_counters_get(&counters, 1ull << 60, &slot, &fresh), IPSP_ENOSPC);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(ipsp_counters_find(&counters, (uint64_t)i * i * i + 1), slots[i]);
		ck_assert_ptr_eq(get((uint64_t)i * i * i + 1, false), slots[i]);
	}
	ck_assert_ptr_null(ipsp_counters_find(&counters, 1ull << 60));
	ck_assert_ptr_null(ipsp_counters_find(&counters, 0));
	ck_assert_ptr_null(ipsp_counters_find(&counters, IPSP_COUNTER_DROPPED));
	ck_assert_int_eq(ipsp_counters_get(&counters, 0, &slot, &fresh), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_counters_get(&counters, IPSP_COUNTER_DROPPED, &slot, &fresh),
			 IPSP_EINVAL);
}
END_TEST

static bool is_odd(void *arg, uint64_t id)
{
	(void)arg;
	return id & 1;
}

static bool is_none(void *arg, uint64_t id)
{
	(void)arg;
	(void)id;
	return false;
}

START_TEST(test_dropped_slots_come_back_empty_and_the_others_stay)
{
	struct ipsp_counter *odd[SLOTS];

	for (int round = 0; round < 50; round++) {
		uint64_t base = (uint64_t)round * 1000;

		for (uint64_t id = 1; id <= SLOTS / 4 * 3; id++) {
			struct ipsp_counter *slot = get(base + id, true);

			slot->seq = id;
			slot->replay.top = id;
			odd[id - 1] = slot;
		}
		ck_assert_uint_eq(ipsp_counters_drop_unused(&counters, is_odd, NULL),
				  SLOTS / 8 * 3);
		for (uint64_t id = 1; id <= SLOTS / 4 * 3; id++) {
			ck_assert_ptr_eq(ipsp_counters_find(&counters, base + id),
					 id & 1 ? odd[id - 1] : NULL);
			if (id & 1)
				ck_assert_uint_eq(odd[id - 1]->seq, id);
		}
		ck_assert_uint_eq(get(base + 2, true)->seq, 0);
		ck_assert_uint_eq(get(base + 2, false)->replay.top, 0);
		ipsp_counters_drop_unused(&counters, is_none, NULL);
		ck_assert_uint_eq(ipsp_counters_used(&counters), 0);
	}
	/* Nothing is left that probing would have to pass. */
	for (uint32_t i = 0; i < SLOTS; i++)
		ck_assert_uint_eq(slot(i)->id, 0);
}
END_TEST

#define END32 0xffffffffull

/* What was given out last, floor, ceiling, ESN; how many asked; how many, which, why not more. */
static const struct {
	const char *name;
	uint64_t last, floor, ceiling;
	bool esn;
	uint32_t n, taken;
	uint64_t first;
	enum ipsp_seq_limit limit;
} takes[] = {
	{ "the first is 1", 0, 0, 0, false, 1, 1, 1, IPSP_SEQ_FREE },
	{ "a batch", 10, 0, 0, false, 32, 32, 11, IPSP_SEQ_FREE },
	{ "above the floor", 10, 500, 0, false, 2, 2, 501, IPSP_SEQ_FREE },
	{ "a floor behind it", 600, 500, 0, false, 2, 2, 601, IPSP_SEQ_FREE },
	{ "up to the ceiling", 8, 0, 10, false, 2, 2, 9, IPSP_SEQ_FREE },
	{ "over the ceiling", 8, 0, 10, false, 5, 2, 9, IPSP_SEQ_CEILING },
	{ "at the ceiling", 10, 0, 10, false, 1, 0, 0, IPSP_SEQ_CEILING },
	{ "a floor above the ceiling", 0, 20, 10, false, 1, 0, 0, IPSP_SEQ_CEILING },
	{ "the last of 32 bits", END32 - 1, 0, 0, false, 1, 1, END32, IPSP_SEQ_FREE },
	{ "over the end of 32 bits", END32 - 2, 0, 0, false, 9, 2, END32 - 1, IPSP_SEQ_END },
	{ "at the end of 32 bits", END32, 0, 0, false, 1, 0, 0, IPSP_SEQ_END },
	{ "a ceiling beyond the end", END32, 0, END32 + 5, false, 1, 0, 0, IPSP_SEQ_END },
	{ "esn goes on", END32, 0, 0, true, 2, 2, END32 + 1, IPSP_SEQ_FREE },
	{ "the last of 64 bits", UINT64_MAX - 1, 0, 0, true, 5, 1, UINT64_MAX, IPSP_SEQ_END },
	{ "at the end of 64 bits", UINT64_MAX, 0, 0, true, 5, 0, 0, IPSP_SEQ_END },
};

START_TEST(test_numbers_are_taken_within_their_limits)
{
	struct ipsp_counter *c = get(1, true);
	enum ipsp_seq_limit limit;
	uint64_t first = 0, left;

	c->seq = takes[_i].last;
	left = ipsp_counter_left(c, takes[_i].floor, takes[_i].ceiling, takes[_i].esn);
	ck_assert_msg((left >= takes[_i].n) == (takes[_i].taken == takes[_i].n), "%s",
		      takes[_i].name);
	ck_assert_msg(ipsp_counter_take(c, takes[_i].n, takes[_i].floor, takes[_i].ceiling,
					takes[_i].esn, &first, &limit) == takes[_i].taken, "%s",
		      takes[_i].name);
	ck_assert_uint_eq(first, takes[_i].first);
	ck_assert_int_eq(limit, takes[_i].limit);
	/* What was refused is not used up. */
	if (takes[_i].taken)
		ck_assert_uint_eq(c->seq, first + takes[_i].taken - 1);
	else
		ck_assert_uint_eq(c->seq, takes[_i].last);
}
END_TEST

enum { THREADS = 4, TAKES = 20000 };

struct taker {
	struct ipsp_counter *counter;
	uint8_t *used;
	bool twice;
};

static void *take_many(void *arg)
{
	struct taker *t = arg;

	for (uint32_t i = 0; i < TAKES; i++) {
		enum ipsp_seq_limit limit;
		uint64_t first;
		uint32_t n = ipsp_counter_take(t->counter, 1 + i % 7, 0, 0, false, &first, &limit);

		for (uint32_t j = 0; j < n; j++) {
			if (__atomic_exchange_n(&t->used[first + j], 1, __ATOMIC_RELAXED))
				t->twice = true;
		}
	}
	return NULL;
}

START_TEST(test_threads_never_take_one_number_twice)
{
	struct taker takers[THREADS];
	pthread_t threads[THREADS];
	uint8_t *used = calloc(THREADS * TAKES * 7 + 1, 1);

	for (int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){ i ? takers[0].counter : get(1, true), used, false };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert(!takers[i].twice);
	}
	for (uint64_t seq = 1; seq <= takers[0].counter->seq; seq++) {
		if (!used[seq])
			ck_abort_msg("number %llu was lost", (unsigned long long)seq);
	}
	free(used);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tc = tcase_create("counters");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_a_region_of_zeros_is_formatted_and_then_recognised);
	tcase_add_test(tc, test_regions_that_are_not_ours_are_refused);
	tcase_add_test(tc, test_slots_are_found_by_id_up_to_three_quarters);
	tcase_add_test(tc, test_dropped_slots_come_back_empty_and_the_others_stay);
	tcase_add_loop_test(tc, test_numbers_are_taken_within_their_limits, 0,
			    sizeof(takes) / sizeof(takes[0]));
	tcase_add_test(tc, test_threads_never_take_one_number_twice);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
