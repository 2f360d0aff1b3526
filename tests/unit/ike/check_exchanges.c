/* tests/unit/ike/check_exchanges.c - IKEv2 between two daemons of this process. RFC 7296 1, 2. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

static void setup(void)
{
	pair_init(&pair);
}

static void teardown(void)
{
	pair_fini(&pair);
}

static void establish(void)
{
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
}

static struct ike_sa *only_sa(unsigned end)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		if (pair.ends[end].world->by_spi[i])
			return pair.ends[end].world->by_spi[i];
	}
	return NULL;
}

START_TEST(test_two_ends_with_one_secret_have_an_ike_sa_and_a_child_sa)
{
	establish();
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_eq(pair.ends[0].n_sent, 2);
	ck_assert_uint_eq(pair.ends[1].n_sent, 2);
}
END_TEST

START_TEST(test_another_secret_is_refused)
{
	static const char other[] = "another";

	ike_secret_unref(pair.ends[1].conn->peers[0].secret);
	pair.ends[1].conn->peers[0].secret =
		ike_secret_new((struct ipsp_span){ (const uint8_t *)other, 7 });
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "AUTHENTICATION_FAILED"));
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "the shared keys differ"));
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

/* Drops the n-th datagram. */
static unsigned drop_nth(struct pair *p, const struct pair_datagram *d)
{
	unsigned *const n = p->fate_arg;

	(void)d;
	return (*n)-- != 0;
}

START_TEST(test_whichever_message_is_lost_is_sent_again)
{
	unsigned n = (unsigned)_i;

	pair.fate = drop_nth;
	pair.fate_arg = &n;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 10000);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	pair_agree(&pair);
}
END_TEST

static unsigned twice(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 2;
}

START_TEST(test_repeated_messages_make_nothing_twice)
{
	pair.fate = twice;
	establish();
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

static unsigned drop_all(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 0;
}

START_TEST(test_a_peer_without_an_answer_is_gone)
{
	establish();
	pair.fate = drop_all;
	ck_assert_int_eq(ike_delete_begin(only_sa(0), NULL, pair.now_ms), IPSP_OK);
	pair_pass(&pair, 600000);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
}
END_TEST

START_TEST(test_a_delete_ends_both)
{
	establish();
	ck_assert(ike_terminate(pair.ends[0].world, only_sa(0)->spi_i, pair.now_ms));
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_a_child_sa_at_its_end_is_rekeyed)
{
	uint32_t spi;

	establish();
	spi = only_sa(_i)->children->spi_in;
	ike_child_expired(pair.ends[_i].world, IKE_PROTOCOL_ESP, spi, false, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_ne(only_sa(_i)->children->spi_in, spi);
}
END_TEST

START_TEST(test_a_child_sa_rekeyed_by_both_at_once_is_one_again)
{
	establish();
	for (unsigned i = 0; i < 2; i++)
		ike_child_expired(pair.ends[i].world, IKE_PROTOCOL_ESP, only_sa(i)->children->spi_in,
				  false, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_is_rekeyed_and_its_children_move)
{
	uint32_t spi;

	establish();
	spi = only_sa(0)->children->spi_in;
	ck_assert_int_eq(ike_rekey_begin(only_sa(_i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert_uint_eq(only_sa(0)->children->spi_in, spi);
	pair_agree(&pair);
	/* The keys of the new one work. */
	ike_child_expired(pair.ends[1].world, IKE_PROTOCOL_ESP, only_sa(1)->children->spi_in, false,
			  pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_an_ike_sa_rekeyed_by_both_at_once_is_one_again)
{
	establish();
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(ike_rekey_begin(only_sa(i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_the_responder_asks_for_another_group)
{
	struct ike_offer *const a = &pair.ends[0].conn->offers.offers[0];
	struct ike_offer *const b = &pair.ends[1].conn->offers.offers[0];

	a->choices[2].id = IKE_KE_MODP_2048;
	ike_offer_add(a, IKE_TRANSFORM_KE, IKE_KE_ECP_256, 0);
	b->choices[2].id = IKE_KE_ECP_256;
	establish();
	ck_assert_uint_eq(pair_view(&pair, 0).suite.ke, IKE_KE_ECP_256);
	ck_assert_uint_eq(pair.ends[0].n_sent, 3);
}
END_TEST

START_TEST(test_under_a_flood_a_cookie_is_asked_for)
{
	struct pair_end *const a = &pair.ends[0];
	struct ike_path path = { a->addr, pair.ends[1].addr, 500, 500 };

	/* Half open ones from many ports, whose answers are lost. */
	for (unsigned i = 0; i < 100; i++) {
		path.local_port = (uint16_t)(1000 + i);
		ck_assert_int_eq(ike_initiate(a->world, a->conn, 0, &path, pair.now_ms), IPSP_OK);
	}
	pair.fate = drop_all;
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[1].world->n_half_open, 64);
	pair.fate = NULL;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike exchanges");
	TCase *const tc = tcase_create("exchanges");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_two_ends_with_one_secret_have_an_ike_sa_and_a_child_sa);
	tcase_add_test(tc, test_another_secret_is_refused);
	tcase_add_loop_test(tc, test_whichever_message_is_lost_is_sent_again, 0, 4);
	tcase_add_test(tc, test_repeated_messages_make_nothing_twice);
	tcase_add_test(tc, test_a_peer_without_an_answer_is_gone);
	tcase_add_test(tc, test_a_delete_ends_both);
	tcase_add_loop_test(tc, test_a_child_sa_at_its_end_is_rekeyed, 0, 2);
	tcase_add_test(tc, test_a_child_sa_rekeyed_by_both_at_once_is_one_again);
	tcase_add_loop_test(tc, test_an_ike_sa_is_rekeyed_and_its_children_move, 0, 2);
	tcase_add_test(tc, test_an_ike_sa_rekeyed_by_both_at_once_is_one_again);
	tcase_add_test(tc, test_the_responder_asks_for_another_group);
	tcase_add_test(tc, test_under_a_flood_a_cookie_is_asked_for);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
