/*
 * tests/unit/crypto/check_key_cache.c - expanded keys: found again, thrown out, wiped, and never
 * those of another.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/key_cache.h"

#define SLOTS 8u
#define SIZE 40u

static void wipe(void *keys, size_t size)
{
	memset(keys, 0, size);
}

static void use(struct key_cache *cache, uint64_t serial, bool want_fresh)
{
	bool fresh;
	struct key_slot *const slot = key_cache_claim(cache, serial, &fresh);

	ck_assert_int_eq(fresh, want_fresh);
	if (fresh)
		memset(slot->keys, (int)serial, SIZE);
	ck_assert_uint_eq(*(uint8_t *)slot->keys, serial);
	ck_assert_uint_eq((uintptr_t)slot->keys % 64, 0);
	key_cache_release(slot);
}

static bool has(const struct key_cache *cache, uint8_t octet)
{
	for (unsigned i = 0; i < cache->n_slots; i++) {
		if (*(const uint8_t *)cache->slots[i].keys == octet)
			return true;
	}
	return false;
}

START_TEST(test_keys_are_found_again_until_others_need_their_place)
{
	struct key_cache *const cache = key_cache_new(SLOTS, SIZE, wipe);

	ck_assert_ptr_nonnull(cache);
	for (uint64_t serial = 1; serial <= SLOTS; serial++)
		use(cache, serial, true);
	for (uint64_t serial = 1; serial <= SLOTS; serial++)
		use(cache, serial, false);
	/* Four contexts of one set take the places of the four before them. */
	for (uint64_t serial = 9; serial <= 15; serial += 2)
		use(cache, serial, true);
	use(cache, 2, false);
	use(cache, 1, true);
	key_cache_free(cache);
}
END_TEST

START_TEST(test_keys_of_a_freed_context_are_wiped)
{
	struct key_cache *const cache = key_cache_new(SLOTS, SIZE, wipe);

	ck_assert_ptr_nonnull(cache);
	use(cache, 5, true);
	use(cache, 7, true);
	key_cache_forget(cache, 5);
	ck_assert(!has(cache, 5));
	ck_assert(has(cache, 7));
	key_cache_forget(cache, 99);
	use(cache, 7, false);
	use(cache, 5, true);
	key_cache_free(cache);
}
END_TEST

/* The slot stands for one that the control thread is wiping. */
START_TEST(test_a_slot_in_use_is_left_to_whoever_is_in_it)
{
	struct key_cache *const cache = key_cache_new(SLOTS, SIZE, wipe);
	struct key_slot *slot;
	bool fresh;

	ck_assert_ptr_nonnull(cache);
	slot = key_cache_claim(cache, 2, &fresh);
	ck_assert(fresh);
	memset(slot->keys, 0x77, SIZE);
	key_cache_forget(cache, 2);
	ck_assert_uint_eq(*(uint8_t *)slot->keys, 0x77);
	for (uint64_t serial = 4; serial <= 16; serial += 2)
		use(cache, serial, true);
	ck_assert_uint_eq(*(uint8_t *)slot->keys, 0x77);
	key_cache_release(slot);
	use(cache, 18, true);
	ck_assert(!has(cache, 0x77));
	key_cache_free(cache);
}
END_TEST

/* A thread at work, and the control thread that frees contexts which nobody uses any more. */
struct shared {
	struct key_cache *cache;
	_Atomic uint64_t past;	/* serials below are done with */
};

static void *work(void *arg)
{
	struct shared *const s = arg;

	for (uint64_t serial = 1; serial < 50000; serial++) {
		for (uint64_t back = 0; back < 3 && back < serial; back++) {
			bool fresh;
			struct key_slot *const slot =
				key_cache_claim(s->cache, serial - back, &fresh);
			uint64_t *const keys = slot->keys;

			if (fresh)
				keys[0] = keys[3] = serial - back;
			if (keys[0] != serial - back || keys[3] != serial - back)
				abort();
			key_cache_release(slot);
		}
		if (serial > 2)
			atomic_store(&s->past, serial - 2);
	}
	atomic_store(&s->past, UINT64_MAX);
	return NULL;
}

START_TEST(test_wiping_goes_on_beside_a_thread_at_work)
{
	struct shared s = { .cache = key_cache_new(SLOTS, SIZE, wipe) };
	uint64_t done = 0, past = 0;
	pthread_t thread;

	ck_assert_ptr_nonnull(s.cache);
	ck_assert_int_eq(pthread_create(&thread, NULL, work, &s), 0);
	while (past != UINT64_MAX) {
		past = atomic_load(&s.past);
		for (; done < past && done < 49990; done++)
			key_cache_forget(s.cache, done);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	key_cache_free(s.cache);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key_cache");
	TCase *tc = tcase_create("key_cache");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_keys_are_found_again_until_others_need_their_place);
	tcase_add_test(tc, test_keys_of_a_freed_context_are_wiped);
	tcase_add_test(tc, test_a_slot_in_use_is_left_to_whoever_is_in_it);
	tcase_add_test(tc, test_wiping_goes_on_beside_a_thread_at_work);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
