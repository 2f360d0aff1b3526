/*
 * tests/unit/engine/check_nomem.c - an update of policy and SAs with each allocation failing in turn.
 *
 * Either nothing has changed, or the update is in force; an SA that found no memory is refused by
 * itself, and what it was to protect drops.
 */
#include <check.h>
#include <stdlib.h>

#include "tests/unit/engine/world.h"

#define IN_SPI 0x1002u
#define TRIES_MAX 1000

static const struct world_rule old_rules[] = {
	{ 1, IPSP_PROTECT, 1, 80, false }, { 2, IPSP_BYPASS, 0, 81, false },
};

static const struct world_rule new_rules[] = {
	{ 3, IPSP_DISCARD, 0, 81, false }, { 4, IPSP_PROTECT, 3, 82, false },
};

static struct world w;

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_fini(&w);
}

/* The old rules, with SA 1 out and SA 2 in; nothing of the new ones is left. */
static void begin_with_old(void)
{
	const struct ipsp_sa_config sas[2] = {
		world_sa(1, IPSP_OUTBOUND, 0x1001), world_sa(2, IPSP_INBOUND, IN_SPI),
	};

	ck_assert_int_eq(world_apply(&w, old_rules, 2, sas, 2, NULL), IPSP_OK);
	ipsp_engine_tick(w.engine, 1000);
}

static void expect(uint16_t dport, enum ipsp_verdict verdict, enum ipsp_reason reason)
{
	struct ipsp_packet p;

	world_udp(&p, IPSP_OUTBOUND, dport, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), reason);
	ck_assert_int_eq(p.verdict, verdict);
	world_packet_free(&p);
}

static void expect_old(uint64_t generation, size_t octets)
{
	ck_assert_uint_eq(ipsp_engine_generation(w.engine), generation);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 2);
	ck_assert_uint_eq(w.memory.octets, octets);
	expect(80, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	expect(81, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE);
	expect(82, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
}

static void expect_new(enum ipsp_err sa_result)
{
	expect(80, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DEFAULT);
	expect(81, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_DISCARD);
	if (sa_result == IPSP_OK) {
		expect(82, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
		return;
	}
	ck_assert_int_eq(sa_result, IPSP_ENOMEM);
	expect(82, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA);
}

START_TEST(test_an_update_without_memory_changes_nothing_or_drops)
{
	const struct ipsp_sa_config sas[2] = {
		world_sa(3, IPSP_OUTBOUND, 0x1003), world_sa(2, IPSP_INBOUND, IN_SPI),
	};
	enum ipsp_err results[2] = { IPSP_ENOMEM, IPSP_ENOMEM }, err = IPSP_ENOMEM;
	unsigned refused = 0, refused_sas = 0;

	for (long n = 0; err != IPSP_OK || results[0] != IPSP_OK; n++) {
		uint64_t generation;
		size_t octets;

		ck_assert_int_lt(n, TRIES_MAX);
		begin_with_old();
		generation = ipsp_engine_generation(w.engine);
		octets = w.memory.octets;
		w.memory.fail_at = n;
		err = world_apply(&w, new_rules, 2, sas, 2, results);
		w.memory.fail_at = -1;
		if (err == IPSP_OK) {
			expect_new(results[0]);
			ck_assert_int_eq(results[1], IPSP_OK);
			refused_sas += results[0] != IPSP_OK;
		} else {
			ck_assert_int_eq(err, IPSP_ENOMEM);
			expect_old(generation, octets);
			refused++;
		}
	}
	ck_assert_uint_gt(refused, 5);
	ck_assert_uint_gt(refused_sas, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/nomem");
	TCase *c = tcase_create("nomem");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_an_update_without_memory_changes_nothing_or_drops);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
