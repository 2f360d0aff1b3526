/*
 * tests/unit/ike/check_more.c - further key exchanges of an IKE SA (RFC 9370) in IKE_INTERMEDIATE (RFC 9242), with groups in
 * the place of KEMs.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

static void add(unsigned end, uint8_t type, uint16_t method)
{
	ike_offer_add(&pair.ends[end].conn->offers.offers[0], type, method, 0);
}

/* Two of them, with a type between that neither has. */
static void setup(void)
{
	pair_init(&pair);
	for (unsigned i = 0; i < 2; i++) {
		add(i, IKE_TRANSFORM_ADDKE1, IKE_KE_ECP_256);
		add(i, IKE_TRANSFORM_ADDKE3, IKE_KE_MODP_2048);
	}
}

static void teardown(void)
{
	pair_fini(&pair);
}

static void must_be_established(void)
{
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}

static unsigned exchanges[256];

static unsigned count_exchanges(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	exchanges[d->octets[18]]++;
	return 1;
}

START_TEST(test_each_further_key_exchange_is_one_message_each_way)
{
	memset(exchanges, 0, sizeof(exchanges));
	pair.fate = count_exchanges;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	must_be_established();
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_INTERMEDIATE], 4);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	ck_assert_uint_eq(pair_sa(&pair, 0)->suite.add_ke[0], IKE_KE_ECP_256);
	ck_assert_uint_eq(pair_sa(&pair, 0)->suite.add_ke[2], IKE_KE_MODP_2048);
}
END_TEST

/* An answer that is lost had new keys in it: its request comes again under the old ones. */
START_TEST(test_whichever_message_is_lost_is_sent_again)
{
	unsigned n = (unsigned)_i;

	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 10000);
	must_be_established();
}
END_TEST

START_TEST(test_repeated_messages_make_nothing_twice)
{
	pair.fate = pair_twice;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	must_be_established();
}
END_TEST

/* RFC 9242 3.3.2: it is authenticated by AUTH alone. _i: whose part of it is not what was said. */
START_TEST(test_what_was_exchanged_in_between_is_signed)
{
	struct ike_exchange *x;

	pair.keep_jobs = true;
	pair_initiate(&pair, 0);
	for (unsigned round = 0; round < 20 && pair_ike_sas(&pair, 0) > 0; round++) {
		for (unsigned end = 0; end < 2; end++) {
			struct pair_end *const e = &pair.ends[end];

			while (e->n_jobs > 0) {
				struct ike_job *const job = e->jobs[--e->n_jobs];

				ike_job_run(job);
				ike_job_done(e->world, job, pair.now_ms);
			}
		}
		pair_settle(&pair);
		x = pair_sa(&pair, 1) ? pair_sa(&pair, 1)->exchanges : NULL;
		if (x && x->int_auth_len > 0)
			x->int_auth[_i == 0 ? 0 : pair_sa(&pair, 1)->keys->prf_len] ^= 1;
		if (x && x->n_more == 2)
			break;
	}
	pair.keep_jobs = false;
	for (unsigned end = 0; end < 2; end++) {
		struct pair_end *const e = &pair.ends[end];

		while (e->n_jobs > 0) {
			struct ike_job *const job = e->jobs[--e->n_jobs];

			ike_job_run(job);
			ike_job_done(e->world, job, pair.now_ms);
		}
	}
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "the shared keys differ"));
}
END_TEST

static unsigned hide_intermediate(struct pair *p, const struct pair_datagram *d)
{
	struct pair_datagram *const here = (struct pair_datagram *)(uintptr_t)d;
	const unsigned to = *(const unsigned *)p->fate_arg;

	/* N(INTERMEDIATE_EXCHANGE_SUPPORTED), as one of a type that nobody knows. */
	for (size_t i = 0; d->octets[18] == IKE_EXCHANGE_IKE_SA_INIT && d->to == to && i + 2 <= d->len; i++) {
		if (here->octets[i] == IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED >> 8 &&
		    here->octets[i + 1] == (IKE_N_INTERMEDIATE_EXCHANGE_SUPPORTED & 0xff))
			here->octets[i] = 0xf0;
	}
	return 1;
}

START_TEST(test_who_has_no_exchange_for_them_gets_none)
{
	unsigned to = (unsigned)_i;

	pair.fate = hide_intermediate;
	pair.fate_arg = &to;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, to ? "NO_PROPOSAL_CHOSEN" : "no exchange for them"));
}
END_TEST

START_TEST(test_who_has_none_of_them_may_be_enough)
{
	add(0, IKE_TRANSFORM_ADDKE1, 0);
	add(0, IKE_TRANSFORM_ADDKE3, 0);
	pair.ends[1].conn->offers.offers[0].n -= 2;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	must_be_established();
	ck_assert(!ike_suite_has_more(&pair_sa(&pair, 0)->suite));
}
END_TEST

START_TEST(test_who_wants_them_takes_no_less)
{
	pair.ends[0].conn->offers.offers[0].n -= 2;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "NO_PROPOSAL_CHOSEN"));
}
END_TEST

START_TEST(test_an_ike_sa_that_has_them_is_rekeyed)
{
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, _i), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	must_be_established();
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), pair_sa(&pair, 0)->children, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	must_be_established();
}
END_TEST

/* A peer that answers with another exchange than it was asked in. */
static unsigned another_exchange(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	if (d->to == 0 && d->octets[18] == IKE_EXCHANGE_IKE_INTERMEDIATE) {
		struct ike_sa *const sa = pair_sa(&pair, 1);
		const struct ike_header_fields h = ike_header_of(sa, IKE_EXCHANGE_IKE_AUTH, true, 1);
		struct pair_datagram *const here = (struct pair_datagram *)(uintptr_t)d;
		const uint8_t iv[IPSP_IV_MAX] = { 0 };

		ck_assert_int_eq(ike_seal(&sa->keys->of_responder, &h, 0, (struct ipsp_span){ 0 },
					  (struct ike_fragment){ 0 }, iv, here->octets), IPSP_OK);
		here->len = ike_seal_len(&sa->keys->of_responder, 0, false);
	}
	return 1;
}

START_TEST(test_an_answer_in_another_exchange_is_none)
{
	pair.fate = another_exchange;
	pair_initiate(&pair, 0);
	pair_settle(&pair);
	ck_assert_str_eq(pair_view(&pair, 0).state, "auth-sent");
	ck_assert_ptr_nonnull(pair_sa(&pair, 0)->requests);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike more");
	TCase *const tc = tcase_create("more");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_each_further_key_exchange_is_one_message_each_way);
	tcase_add_loop_test(tc, test_whichever_message_is_lost_is_sent_again, 0, 8);
	tcase_add_test(tc, test_repeated_messages_make_nothing_twice);
	tcase_add_loop_test(tc, test_what_was_exchanged_in_between_is_signed, 0, 2);
	tcase_add_loop_test(tc, test_who_has_no_exchange_for_them_gets_none, 0, 2);
	tcase_add_test(tc, test_who_has_none_of_them_may_be_enough);
	tcase_add_test(tc, test_who_wants_them_takes_no_less);
	tcase_add_loop_test(tc, test_an_ike_sa_that_has_them_is_rekeyed, 0, 2);
	tcase_add_test(tc, test_an_answer_in_another_exchange_is_none);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
