/*
 * tests/unit/ike/check_ipcomp.c - how two ends agree on compression, and what of the other end's words is taken up.
 * RFC 7296 2.22, RFC 3173 3.3.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

static void setup(void)
{
	pair_init(&pair);
	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->child.compress = true;
}

static void teardown(void)
{
	pair_fini(&pair);
}

/* The Child SA of an end that compresses, the only one that it has. NULL: it does not */
static const struct pair_child *compressed(unsigned end)
{
	const struct pair_child *found = NULL;

	ck_assert_uint_eq(pair_count(&pair, end), 1);
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		if (pair.ends[end].children[i].there && pair.ends[end].children[i].cpi_in)
			found = &pair.ends[end].children[i];
	}
	return found;
}

/* Nobody compresses, and no CPI is left behind. */
static void expect_none(void)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_ptr_null(compressed(i));
		ck_assert_uint_eq(pair.ends[i].n_cpis, 0);
	}
}

START_TEST(test_both_ends_name_a_cpi_and_use_the_others)
{
	pair_establish(&pair);
	pair_agree(&pair);
	ck_assert_uint_eq(compressed(0)->cpi_in, 0x2001);
	ck_assert_uint_eq(compressed(0)->cpi_out, 0x4001);
	ck_assert_uint_eq(compressed(1)->cpi_in, 0x4001);
}
END_TEST

/* How many IPCOMP_SUPPORTED stand in the message that an end saw last, and what the last of them has for data. */
static unsigned on_the_wire(unsigned end, struct ipsp_span *data)
{
	const struct pair_end *const e = &pair.ends[end];
	struct ike_chain chain = { .rest = { e->traced + IKE_HEADER_LEN, e->traced_len - IKE_HEADER_LEN },
				   .next = e->traced[16] };
	struct ike_payload p;
	struct ike_fault why;
	struct ike_notify n;
	unsigned count = 0;

	while (ike_payload_next(&chain, &p, &why) == IKE_STEP_ITEM) {
		if (p.type != IKE_PAYLOAD_N || !ike_notify_read(&p, &n) ||
		    n.type != IKE_N_IPCOMP_SUPPORTED)
			continue;
		ck_assert_uint_eq(n.protocol, 0);
		ck_assert_uint_eq(n.spi.len, 0);
		*data = n.data;
		count++;
	}
	return count;
}

START_TEST(test_the_notification_has_a_cpi_and_the_transform)
{
	static const uint8_t answer[] = { 0x40, 0x01, 2 };
	struct ipsp_span data;

	pair_establish(&pair);
	ck_assert_uint_eq(on_the_wire(0, &data), 1);
	ck_assert_uint_eq(data.len, sizeof(answer));
	ck_assert_mem_eq(data.data, answer, sizeof(answer));
}
END_TEST

START_TEST(test_a_rekey_has_new_cpis)
{
	pair_establish(&pair);
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, compressed((unsigned)_i)->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(compressed(i)->cpi_in, 0x2000u * (i + 1) + 2);
		ck_assert_uint_eq(pair.ends[i].n_cpis, 1);
	}
}
END_TEST

START_TEST(test_a_rekey_may_go_without)
{
	pair_establish(&pair);
	pair.ends[!_i].conn->child.compress = false;
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, compressed((unsigned)_i)->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
	expect_none();
}
END_TEST

START_TEST(test_its_end_takes_the_cpi_along)
{
	pair_establish(&pair);
	ike_child_expired(pair.ends[0].world, IKE_PROTOCOL_ESP, compressed(0)->spi_in, true,
			  pair.now_ms);
	pair_settle(&pair);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(pair_count(&pair, i), 0);
		ck_assert_uint_eq(pair.ends[i].n_cpis, 0);
	}
}
END_TEST

START_TEST(test_one_alone_does_not_compress)
{
	pair.ends[_i].conn->child.compress = false;
	pair_establish(&pair);
	pair_agree(&pair);
	expect_none();
}
END_TEST

START_TEST(test_without_a_cpi_there_is_a_child_sa_all_the_same)
{
	pair.ends[_i].no_cpi = true;
	pair_establish(&pair);
	pair_agree(&pair);
	expect_none();
}
END_TEST

START_TEST(test_a_cpi_that_comes_too_late_goes_back)
{
	pair.ends[0].late_cpi = true;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ike_end_all(pair.ends[0].world, NULL, pair.now_ms);
	pair_pass(&pair, 600000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ike_spi_done(pair.ends[0].world, pair.ends[0].cpi_ticket, 0x2001, pair.now_ms);
	ck_assert_uint_eq(pair.ends[0].n_cpis, 0);
}
END_TEST

START_TEST(test_transport_mode_compresses_too)
{
	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->child.transport = true;
	pair_establish(&pair);
	pair_agree(&pair);
	ck_assert(compressed(0)->transport);
	ck_assert_ptr_nonnull(compressed(1));
}
END_TEST

START_TEST(test_behind_a_nat_it_is_the_same)
{
	pair.nat = true;
	pair.nat_shift = 20000;
	pair.ends[1].conn->peers[0].address.family = 0;
	pair_establish(&pair);
	pair_agree(&pair);
	ck_assert(compressed(0)->udp);
	ck_assert_ptr_nonnull(compressed(1));
}
END_TEST

/* ---- what of a message is taken up ---- */

/* Notifications of it, one behind the other: each its length in one octet, then its data. */
struct words {
	const char *name;
	uint8_t said[20];
	uint16_t cpi;			/* that is taken from a request; 0: none */
	bool good;			/* as an answer */
};

static const struct words words[] = {
	{ "nothing", { 0xff }, 0, true },
	{ "the least CPI", { 3, 1, 0, 2, 0xff }, 256, true },
	{ "the greatest CPI", { 3, 0xef, 0xff, 2, 0xff }, 61439, true },
	{ "CPI 0", { 3, 0, 0, 2, 0xff }, 0, false },
	{ "the well-known CPI of it", { 3, 0, 2, 2, 0xff }, 0, false },
	{ "a reserved CPI", { 3, 0, 0xff, 2, 0xff }, 0, false },
	{ "a private CPI", { 3, 0xf0, 0, 2, 0xff }, 0, false },
	{ "OUI", { 3, 0x30, 0, 1, 0xff }, 0, false },
	{ "LZS", { 3, 0x30, 0, 3, 0xff }, 0, false },
	{ "a transform that nobody knows", { 3, 0x30, 0, 200, 0xff }, 0, false },
	{ "no data", { 0, 0xff }, 0, false },
	{ "too little", { 2, 0x30, 0, 0xff }, 0, false },
	{ "too much", { 4, 0x30, 0, 2, 0, 0xff }, 0, false },
	{ "several, of which one fits", { 3, 0x30, 0, 3, 3, 0x30, 1, 2, 3, 0x30, 2, 4, 0xff }, 0x3001, false },
	{ "two that fit", { 3, 0x30, 1, 2, 3, 0x30, 2, 2, 0xff }, 0x3001, false },
};

static uint8_t octets[512];

static void say(const struct words *t, struct ike_parsed *m)
{
	struct ike_chain chain;
	struct ike_fault why;
	struct ike_builder b;
	struct ipsp_span all;

	ike_build_begin(&b, octets, sizeof(octets));
	for (const uint8_t *at = t->said; *at != 0xff; at += 1 + *at)
		ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_IPCOMP_SUPPORTED,
				 (struct ipsp_span){ at + 1, *at });
	ck_assert(ike_build_end(&b, &all));
	*m = (struct ike_parsed){ 0 };
	chain = (struct ike_chain){ .rest = all, .next = b.first };
	while (ike_payload_next(&chain, &m->payloads[m->n], &why) == IKE_STEP_ITEM)
		m->n++;
}

START_TEST(test_of_a_request_what_fits_is_taken)
{
	const struct words *const t = &words[_i];
	struct ike_conn conn = { .child.compress = true };
	struct ike_sa sa = { .conn = &conn };
	struct ike_exchange x = { .sa = &sa, .cpi_out = 77 };
	struct ike_parsed m;

	say(t, &m);
	ike_ipcomp_choose(&x, &m);
	ck_assert_msg(x.cpi_out == t->cpi, "%s: %u", t->name, x.cpi_out);
	conn.child.compress = false;
	ike_ipcomp_choose(&x, &m);
	ck_assert_uint_eq(x.cpi_out, 0);
}
END_TEST

START_TEST(test_an_answer_is_one_that_was_asked_for)
{
	const struct words *const t = &words[_i];
	struct ike_conn conn = { .child.compress = true };
	struct ike_sa sa = { .conn = &conn };
	struct ike_exchange x = { .sa = &sa, .cpi_in = 0x2001, .ours = true };
	struct ike_parsed m;

	say(t, &m);
	ck_assert_msg(!ike_ipcomp_accept(&x, &m) == t->good, "%s", t->name);
	if (t->good)
		ck_assert_uint_eq(x.cpi_out, t->cpi);
	/* To one who did not ask, nothing is to be said. */
	x.cpi_in = 0;
	ck_assert_msg(!ike_ipcomp_accept(&x, &m) == (t->said[0] == 0xff), "%s", t->name);
}
END_TEST

/* Whatever the SAD gives, only numbers that are negotiated are told. */
START_TEST(test_a_cpi_of_ours_is_one_that_is_negotiated)
{
	static const uint32_t given[] = { 0, 2, 255, 61440, 65536 + 256, UINT32_MAX };
	struct ike_exchange x = { 0 };

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		ike_ipcomp_got_cpi(&x, given[i]);
		ck_assert_uint_eq(x.cpi_in, 0);
	}
	ike_ipcomp_got_cpi(&x, 61439);
	ck_assert_uint_eq(x.cpi_in, 61439);
}
END_TEST

int main(void)
{
	const int n_words = sizeof(words) / sizeof(words[0]);
	Suite *const s = suite_create("ike ipcomp");
	TCase *tc = tcase_create("agreed");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_both_ends_name_a_cpi_and_use_the_others);
	tcase_add_test(tc, test_the_notification_has_a_cpi_and_the_transform);
	tcase_add_loop_test(tc, test_a_rekey_has_new_cpis, 0, 2);
	tcase_add_loop_test(tc, test_a_rekey_may_go_without, 0, 2);
	tcase_add_test(tc, test_its_end_takes_the_cpi_along);
	tcase_add_loop_test(tc, test_one_alone_does_not_compress, 0, 2);
	tcase_add_loop_test(tc, test_without_a_cpi_there_is_a_child_sa_all_the_same, 0, 2);
	tcase_add_test(tc, test_a_cpi_that_comes_too_late_goes_back);
	tcase_add_test(tc, test_transport_mode_compresses_too);
	tcase_add_test(tc, test_behind_a_nat_it_is_the_same);
	suite_add_tcase(s, tc);
	tc = tcase_create("taken up");
	tcase_add_loop_test(tc, test_of_a_request_what_fits_is_taken, 0, n_words);
	tcase_add_loop_test(tc, test_an_answer_is_one_that_was_asked_for, 0, n_words);
	tcase_add_test(tc, test_a_cpi_of_ours_is_one_that_is_negotiated);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
