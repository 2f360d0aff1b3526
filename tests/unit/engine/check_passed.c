/*
 * tests/unit/engine/check_passed.c - what the engine tells of packets that passed an SA, and of SAs
 * that come and go.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine/world.h"

#define SPI 0x1001u

static struct world w;
static const struct world_rule out_rule = { 21, IPSP_PROTECT, 1, IPSP_PORT_NONE, false };
static const struct world_rule in_rule = { 22, IPSP_PROTECT, 2, IPSP_PORT_NONE, false };

/* What was told, the octets copied: they are borrowed. */
static struct passed {
	uint64_t sa_id, entry_id, suppressed;
	uint32_t ifindex, len;
	struct ipsp_addr src, dst;
	uint8_t octets[IPSP_PASSED_OCTETS_MAX];
} passed[8];
static unsigned n_passed;

static struct change {
	uint64_t id;
	uint32_t spi;
	enum ipsp_sa_change change;
} changes[16];
static unsigned n_changes;

static void on_passed(void *ctx, const struct ipsp_passed_event *e)
{
	ck_assert_ptr_eq(ctx, &w);
	ck_assert_uint_lt(n_passed, sizeof(passed) / sizeof(passed[0]));
	struct passed *p = &passed[n_passed++];

	*p = (struct passed){ .sa_id = e->sa->id, .entry_id = e->entry_id,
			      .suppressed = e->suppressed, .ifindex = e->ifindex,
			      .len = (uint32_t)e->octets.len, .src = e->flow->src,
			      .dst = e->flow->dst };
	memcpy(p->octets, e->octets.data, e->octets.len);
}

static void on_changed(void *ctx, const struct ipsp_sa *sa, enum ipsp_sa_change change)
{
	ck_assert_ptr_eq(ctx, &w);
	ck_assert_uint_lt(n_changes, sizeof(changes) / sizeof(changes[0]));
	changes[n_changes++] = (struct change){ sa->id, sa->spi, change };
}

static void setup(void)
{
	world_init(&w);
	w.config.events.passed = on_passed;
	w.config.events.sa_changed = on_changed;
	world_restart(&w);
	n_passed = n_changes = 0;
}

static void teardown(void)
{
	world_fini(&w);
}

static void apply(const struct world_rule *rule, uint32_t log)
{
	struct ipsp_sa_config sas[] = {
		world_sa(1, IPSP_OUTBOUND, SPI), world_sa(2, IPSP_INBOUND, SPI),
	};
	enum ipsp_err results[2];

	/* One key and SPI both ways, so that what left can come back; each its own numbers. */
	sas[1].counter_id = 3;
	sas[0].packet_log = sas[1].packet_log = log;
	ck_assert_int_eq(world_apply(&w, rule, 1, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(results[0] | results[1], IPSP_OK);
}

/* A packet of 28 + payload octets out, at that second; the clear one is copied to *clear. */
static void send_at(uint64_t now_s, uint32_t payload, uint8_t *clear, struct ipsp_packet *keep)
{
	struct ipsp_packet p;

	world_udp(&p, IPSP_OUTBOUND, 7, payload);
	memset(p.data + 28, 0xa5, payload);
	if (clear)
		memcpy(clear, p.data, p.len);
	ipsp_engine_outbound(w.worker, &p, 1, now_s);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	if (keep)
		*keep = p;
	else
		world_packet_free(&p);
}

static const struct {
	const char *name;
	uint32_t log, payload, told;
} lengths[] = {
	{ "without octets", 1, 10, 0 },
	{ "the first 20", 21, 10, 20 },
	{ "as long as the packet", 39, 10, 38 },
	{ "more than the packet has", 65536, 10, 38 },
	{ "more than an event brings", 65536, 1200, IPSP_PASSED_OCTETS_MAX },
};

START_TEST(test_a_packet_that_left_under_an_sa_is_told_with_its_clear_octets)
{
	uint8_t clear[1500];

	apply(&out_rule, lengths[_i].log);
	send_at(1000, lengths[_i].payload, clear, NULL);
	ck_assert_uint_eq(n_passed, 1);
	ck_assert_uint_eq(passed[0].sa_id, 1);
	ck_assert_uint_eq(passed[0].entry_id, 21);
	ck_assert_uint_eq(passed[0].ifindex, WORLD_IF);
	ck_assert_uint_eq(passed[0].src.octets[3], 1);
	ck_assert_uint_eq(passed[0].dst.octets[3], 2);
	ck_assert_msg(passed[0].len == lengths[_i].told, "%s: %u", lengths[_i].name,
		      passed[0].len);
	ck_assert_mem_eq(passed[0].octets, clear, passed[0].len);
}
END_TEST

START_TEST(test_a_packet_that_came_under_an_sa_is_told_with_what_was_inside)
{
	struct ipsp_packet p;

	apply(&out_rule, 0);
	send_at(1000, 10, NULL, &p);
	ck_assert_uint_eq(n_passed, 0);
	apply(&in_rule, 65536);
	world_reflect(&p, SPI);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(n_passed, 1);
	ck_assert_uint_eq(passed[0].sa_id, 2);
	ck_assert_uint_eq(passed[0].entry_id, 22);
	ck_assert_uint_eq(passed[0].len, 38);
	ck_assert_mem_eq(passed[0].octets, p.data, 38);
	ck_assert_uint_eq(passed[0].octets[28], 0xa5);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_a_packet_that_is_dropped_after_its_sa_is_not_told)
{
	static const struct world_rule other = { 22, IPSP_PROTECT, 1, IPSP_PORT_NONE, false };
	struct ipsp_packet p;

	apply(&out_rule, 0);
	send_at(1000, 10, NULL, &p);
	apply(&other, 65536);
	world_reflect(&p, SPI);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_POLICY_MISMATCH);
	ck_assert_uint_eq(n_passed, 0);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_one_packet_a_second_is_told_of_an_sa_and_the_rest_counted)
{
	struct ipsp_packet p[40];

	apply(&out_rule, 21);
	for (unsigned i = 0; i < 40; i++) {
		world_udp(&p[i], IPSP_OUTBOUND, 7, 10);
		p[i].data[28] = (uint8_t)i;
	}
	ipsp_engine_outbound(w.worker, p, 40, 1000);
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_int_eq(p[i].verdict, IPSP_VERDICT_ESP_OUT);
		world_packet_free(&p[i]);
	}
	ck_assert_uint_eq(n_passed, 1);
	send_at(1000, 1, NULL, NULL);
	ck_assert_uint_eq(n_passed, 1);
	send_at(1001, 1, NULL, NULL);
	ck_assert_uint_eq(n_passed, 2);
	ck_assert_uint_eq(passed[0].suppressed + passed[1].suppressed, 40);
}
END_TEST

START_TEST(test_what_an_sa_tells_may_change_without_another_sa)
{
	apply(&out_rule, 0);
	send_at(1000, 1, NULL, NULL);
	n_changes = 0;
	apply(&out_rule, 1);
	ck_assert_uint_eq(n_changes, 0);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(ipsp_engine_sad(w.engine), 1)), 1);
	send_at(1000, 1, NULL, NULL);
	ck_assert_uint_eq(n_passed, 1);
}
END_TEST

START_TEST(test_sas_that_come_and_go_are_told_once)
{
	struct ipsp_sa_config sas[] = {
		world_sa(1, IPSP_OUTBOUND, SPI), world_sa(2, IPSP_INBOUND, SPI),
	};
	enum ipsp_err results[2];
	static const struct change told[] = {
		{ 1, SPI, IPSP_SA_INSTALLED }, { 2, SPI, IPSP_SA_INSTALLED },
		/* another key, which is another number space */
		{ 1, SPI, IPSP_SA_REPLACED }, { 1, SPI, IPSP_SA_INSTALLED },
		/* another SPI */
		{ 2, SPI, IPSP_SA_REPLACED }, { 2, SPI + 1, IPSP_SA_INSTALLED },
		/* a cipher that is not offered: the old one goes, no new one comes */
		{ 1, SPI, IPSP_SA_REPLACED },
		{ 2, SPI + 1, IPSP_SA_REMOVED },
	};

	ck_assert_int_eq(world_apply(&w, &out_rule, 1, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(world_apply(&w, &out_rule, 1, sas, 2, results), IPSP_OK);
	sas[0].counter_id = 5;
	ck_assert_int_eq(world_apply(&w, &out_rule, 1, sas, 2, results), IPSP_OK);
	sas[1].spi = SPI + 1;
	ck_assert_int_eq(world_apply(&w, &out_rule, 1, sas, 2, results), IPSP_OK);
	sas[0].encr = 3;
	ck_assert_int_eq(world_apply(&w, &out_rule, 1, sas, 2, results), IPSP_OK);
	ck_assert_int_eq(results[0], IPSP_ENOTSUP);
	ck_assert_int_eq(world_apply(&w, &out_rule, 1, NULL, 0, results), IPSP_OK);
	ck_assert_uint_eq(n_changes, sizeof(told) / sizeof(told[0]));
	for (unsigned i = 0; i < n_changes; i++) {
		ck_assert_msg(changes[i].id == told[i].id && changes[i].spi == told[i].spi &&
			      changes[i].change == told[i].change, "change %u: SA %u, %d", i,
			      (unsigned)changes[i].id, (int)changes[i].change);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/passed");
	TCase *t = tcase_create("events");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_a_packet_that_left_under_an_sa_is_told_with_its_clear_octets, 0,
			    sizeof(lengths) / sizeof(lengths[0]));
	tcase_add_test(t, test_a_packet_that_came_under_an_sa_is_told_with_what_was_inside);
	tcase_add_test(t, test_a_packet_that_is_dropped_after_its_sa_is_not_told);
	tcase_add_test(t, test_one_packet_a_second_is_told_of_an_sa_and_the_rest_counted);
	tcase_add_test(t, test_what_an_sa_tells_may_change_without_another_sa);
	tcase_add_test(t, test_sas_that_come_and_go_are_told_once);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
