/*
 * tests/unit/ike/check_followup.c - further key exchanges of CREATE_CHILD_SA (RFC 9370 2.2.4), for Child SAs and for the IKE
 * SA itself, with groups in the place of KEMs: ike/v2_followup.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;

/* Two for each, with a type between that neither has. */
static void setup(void)
{
	pair_init(&pair);
	for (unsigned i = 0; i < 2; i++) {
		struct ike_conn *const c = pair.ends[i].conn;
		struct ike_offer *const all[] = { &c->offers.offers[0], &c->child.offers.offers[0] };

		for (size_t k = 0; k < 2; k++) {
			ike_offer_add(all[k], IKE_TRANSFORM_ADDKE1, IKE_KE_ECP_256, 0);
			ike_offer_add(all[k], IKE_TRANSFORM_ADDKE3, IKE_KE_ECP_384, 0);
		}
	}
	pair_establish(&pair);
}

static void teardown(void)
{
	pair_fini(&pair);
}

static unsigned exchanges[256];

static unsigned count_exchanges(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	exchanges[d->octets[18]]++;
	return 1;
}

static void count(void)
{
	memset(exchanges, 0, sizeof(exchanges));
	pair.fate = count_exchanges;
}

enum what { A_CHILD, A_CHILD_REKEY, AN_IKE_REKEY, WHATS };

static void begin(enum what what, unsigned end)
{
	struct ike_sa *const sa = pair_sa(&pair, end);

	ck_assert_int_eq(what == AN_IKE_REKEY ? ike_rekey_begin(sa, pair.now_ms) :
			 ike_child_begin(sa, what == A_CHILD ? NULL : sa->children, pair.now_ms), IPSP_OK);
}

static void must_be_whole(unsigned n_children)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_str_eq(pair_view(&pair, i).state, "established");
		ck_assert_ptr_null(pair_sa(&pair, i)->exchanges);
		ck_assert_uint_eq(pair_view(&pair, i).n_children, n_children);
		ck_assert_uint_eq(pair_count(&pair, i), n_children);
	}
	ck_assert_mem_eq(pair_sa(&pair, 0)->keys->sk_d, pair_sa(&pair, 1)->keys->sk_d, 32);
	pair_agree(&pair);
}

/* _i: what, by which end. */
START_TEST(test_each_further_key_exchange_follows_up)
{
	const enum what what = (enum what)(_i / 2);
	uint8_t spi[IKE_SPI_LEN];

	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	count();
	begin(what, (unsigned)_i % 2);
	pair_settle(&pair);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_CREATE_CHILD_SA], 2);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_FOLLOWUP_KE], 4);
	must_be_whole(what == A_CHILD ? 2 : 1);
	ck_assert_int_eq(memcmp(pair_view(&pair, 0).spi_i, spi, sizeof(spi)) != 0, what == AN_IKE_REKEY);
	if (what == AN_IKE_REKEY)
		ck_assert_uint_eq(pair_sa(&pair, 0)->suite.add_ke[2], IKE_KE_ECP_384);
	/* ... and again, by what came of it. */
	begin(what, (unsigned)_i % 2);
	pair_settle(&pair);
	must_be_whole(what == A_CHILD ? 3 : 1);
}
END_TEST

/* The first Child SA has the key exchanges of its IKE SA. */
START_TEST(test_ike_auth_has_none_for_its_child_sa)
{
	ck_assert(!ike_suite_has_more(&pair.ends[0].children[0].suite));
	begin(A_CHILD_REKEY, 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair.ends[0].children[1].suite.add_ke[0], IKE_KE_ECP_256);
}
END_TEST

/* _i: what, and which datagram. */
START_TEST(test_whichever_message_is_lost_is_sent_again)
{
	const enum what what = (enum what)(_i / 8);
	unsigned n = (unsigned)_i % 8;

	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	begin(what, 0);
	/* Who has forgotten an IKE SA answers no DELETE of it. */
	pair_pass(&pair, 300 * 1000);
	must_be_whole(what == A_CHILD ? 2 : 1);
}
END_TEST

START_TEST(test_repeated_messages_make_nothing_twice)
{
	pair.fate = pair_twice;
	begin((enum what)_i, 0);
	pair_settle(&pair);
	must_be_whole(_i == A_CHILD ? 2 : 1);
}
END_TEST

/* Jobs of both ends, one of each at a time, so that neither is done before the other has begun. */
static void go_on_by_turns(void)
{
	for (unsigned idle = 0; idle < 2;) {
		idle++;
		for (unsigned end = 0; end < 2; end++) {
			struct pair_end *const e = &pair.ends[end];
			struct ike_job *job;

			if (e->n_jobs == 0)
				continue;
			job = e->jobs[0];
			memmove(e->jobs, e->jobs + 1, --e->n_jobs * sizeof(e->jobs[0]));
			idle = 0;
			ike_job_run(job);
			ike_job_done(e->world, job, pair.now_ms);
		}
		pair_settle(&pair);
	}
}

/* RFC 7296 2.8.1, 2.8.2: of two made at once one stays. _i: who has a head start, of so many jobs. */
START_TEST(test_rekeys_of_both_ends_at_once_leave_one)
{
	const enum what what = _i % 2 ? AN_IKE_REKEY : A_CHILD_REKEY;
	const unsigned first = (unsigned)_i / 2 % 2, start = (unsigned)_i / 4;

	pair.keep_jobs = true;
	begin(what, first);
	begin(what, !first);
	for (unsigned i = 0; i < start && pair.ends[first].n_jobs > 0; i++) {
		struct pair_end *const e = &pair.ends[first];
		struct ike_job *const job = e->jobs[0];

		memmove(e->jobs, e->jobs + 1, --e->n_jobs * sizeof(e->jobs[0]));
		ike_job_run(job);
		ike_job_done(e->world, job, pair.now_ms);
	}
	go_on_by_turns();
	pair.keep_jobs = false;
	pair_pass(&pair, 300 * 1000);
	must_be_whole(1);
}
END_TEST

static unsigned exchange_lost;

static unsigned drop_exchange(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	return d->octets[18] != exchange_lost;
}

/* All of what follows is lost, both ways, till the other has forgotten. */
static void stop_short(enum what what)
{
	exchange_lost = IKE_EXCHANGE_IKE_FOLLOWUP_KE;
	pair.fate = drop_exchange;
	begin(what, 0);
	pair_pass(&pair, 125 * 1000);
	ck_assert_ptr_null(pair_sa(&pair, 1)->exchanges);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "does not go on"));
	pair.fate = NULL;
}

START_TEST(test_what_is_not_followed_up_is_forgotten_and_begun_again)
{
	stop_short((enum what)_i);
	pair_pass(&pair, 120 * 1000);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "STATE_NOT_FOUND"));
	must_be_whole(1);
	/* A rekey is tried again, one more is not. */
	ck_assert_int_eq(pair.ends[0].children[1].there && _i == A_CHILD_REKEY, _i == A_CHILD_REKEY);
	if (_i == AN_IKE_REKEY)
		ck_assert_uint_eq(pair_sa(&pair, 0)->next_id, 0);
}
END_TEST

/* What a peer begins and leaves takes little, however often. */
START_TEST(test_who_begins_and_never_goes_on_is_refused_in_time)
{
	unsigned n = 0;

	exchange_lost = IKE_EXCHANGE_IKE_FOLLOWUP_KE;
	pair.fate = drop_exchange;
	for (unsigned i = 0; i < 20; i++) {
		begin(A_CHILD, 0);
		pair_settle(&pair);
		/* As if our end had given it up. */
		if (pair_sa(&pair, 0)->exchanges)
			ike_exchange_free(pair_sa(&pair, 0)->exchanges);
		while (pair_sa(&pair, 0)->requests) {
			struct ike_exchange *x;
			struct ike_request *const r = pair_sa(&pair, 0)->requests;

			ck_assert(ike_request_answered(pair_sa(&pair, 0), r->type, r->id, &x));
			/* The number is not used up for the other end. */
			pair_sa(&pair, 0)->next_id = pair_sa(&pair, 1)->expected_id;
		}
	}
	for (const struct ike_exchange *x = pair_sa(&pair, 1)->exchanges; x; x = x->next)
		n++;
	ck_assert_uint_eq(n, 8);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "TEMPORARY_FAILURE"));
	pair_pass(&pair, 125 * 1000);
	ck_assert_ptr_null(pair_sa(&pair, 1)->exchanges);
}
END_TEST

/* A request of end 0 to end 1 with a name of its own, and a value; what comes back is looked for in its log. */
static void follow_nothing(struct ipsp_span link)
{
	struct ike_sa *const sa = pair_sa(&pair, 0);
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_CHILD, true);
	struct ike_builder b;

	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	x->job.method = IKE_KE_ECP_256;
	x->job.ours_len = 64;
	ike_build_ke(&b, &x->job);
	if (link.data)
		ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_ADDITIONAL_KEY_EXCHANGE, link);
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_IKE_FOLLOWUP_KE, &b, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].last_log, "STATE_NOT_FOUND"));
}

START_TEST(test_a_name_of_nothing_is_state_not_found)
{
	static const uint8_t octets[4] = { 1, 2, 3, 4 };

	follow_nothing((struct ipsp_span){ 0 });
	follow_nothing((struct ipsp_span){ octets, 4 });
	follow_nothing((struct ipsp_span){ octets, 0 });
	must_be_whole(1);
}
END_TEST

/* Both ends fit only with what all of them gave. */
START_TEST(test_keys_hang_on_every_one_of_them)
{
	uint8_t *more;

	pair.keep_jobs = true;
	begin(A_CHILD_REKEY, 0);
	for (unsigned i = 0; i < 40 && pair.ends[0].n_jobs + pair.ends[1].n_jobs > 0; i++) {
		for (unsigned end = 0; end < 2; end++) {
			struct pair_end *const e = &pair.ends[end];

			if (e->n_jobs == 0)
				continue;
			struct ike_job *const job = e->jobs[--e->n_jobs];

			ike_job_run(job);
			more = end == 1 && pair_sa(&pair, 1)->exchanges ? pair_sa(&pair, 1)->exchanges->more : NULL;
			/* The first, then the second secret of one end is another one. */
			if (more && pair_sa(&pair, 1)->exchanges->at_more == (unsigned)_i * 2)
				more[_i ? pair_sa(&pair, 1)->exchanges->first_len : 0] ^= 1;
			ike_job_done(e->world, job, pair.now_ms);
		}
		pair_settle(&pair);
	}
	pair.keep_jobs = false;
	ck_assert(pair.ends[0].children[1].there && pair.ends[1].children[1].there);
	ck_assert_mem_ne(pair.ends[0].children[1].keys_in, pair.ends[1].children[1].keys_out, 32);
}
END_TEST

START_TEST(test_an_end_that_has_none_of_them_gets_none)
{
	pair.ends[1].conn->child.offers.offers[0].n -= 2;
	begin(A_CHILD, 0);
	pair_settle(&pair);
	must_be_whole(1);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "NO_PROPOSAL_CHOSEN"));
	ike_offer_add(&pair.ends[0].conn->child.offers.offers[0], IKE_TRANSFORM_ADDKE1, 0, 0);
	ike_offer_add(&pair.ends[0].conn->child.offers.offers[0], IKE_TRANSFORM_ADDKE3, 0, 0);
	begin(A_CHILD, 0);
	pair_settle(&pair);
	must_be_whole(2);
	ck_assert(!ike_suite_has_more(&pair.ends[0].children[1].suite));
}
END_TEST

/* RFC 7296 2.8.2: the winner deletes the old one before the loser's answer has come. */
START_TEST(test_a_delete_of_what_was_rekeyed_leaves_its_child_sas)
{
	struct ike_sa *const old = pair_sa(&pair, 1);
	unsigned n = 3;

	pair.keep_jobs = true;
	for (unsigned i = 0; i < 2; i++) {
		pair.ends[i].conn->offers.offers[0].n -= 2;
		pair.ends[i].conn->liveness_s = 30;
		begin(AN_IKE_REKEY, i);
	}
	/* That of end 1 loses, and the answer to it is lost. */
	memset(old->exchanges->nonce_i, 0, IKE_NONCE_LEN);
	pair.keep_jobs = false;
	pair.fate = pair_drop_nth;
	pair.fate_arg = &n;
	for (unsigned i = 0; i < 2; i++) {
		ike_job_run(pair.ends[i].jobs[0]);
		ike_job_done(pair.ends[i].world, pair.ends[i].jobs[0], pair.now_ms);
	}
	/* End 0 has theirs from end 1, and its own. */
	pair_settle(&pair);
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "the peer deletes it"));
	ck_assert_uint_eq(pair_view(&pair, 1).n_children, 1);
	pair_agree(&pair);
	/* What lost, and is known to end 0 alone, is asked for a sign of life. */
	pair_pass(&pair, 600 * 1000);
	must_be_whole(1);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike followup");
	TCase *const tc = tcase_create("followup");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_each_further_key_exchange_follows_up, 0, 2 * WHATS);
	tcase_add_test(tc, test_ike_auth_has_none_for_its_child_sa);
	tcase_add_loop_test(tc, test_whichever_message_is_lost_is_sent_again, 0, 8 * WHATS);
	tcase_add_loop_test(tc, test_repeated_messages_make_nothing_twice, 0, WHATS);
	tcase_add_loop_test(tc, test_rekeys_of_both_ends_at_once_leave_one, 0, 24);
	tcase_add_loop_test(tc, test_what_is_not_followed_up_is_forgotten_and_begun_again, 0, WHATS);
	tcase_add_test(tc, test_who_begins_and_never_goes_on_is_refused_in_time);
	tcase_add_test(tc, test_a_name_of_nothing_is_state_not_found);
	tcase_add_loop_test(tc, test_keys_hang_on_every_one_of_them, 0, 2);
	tcase_add_test(tc, test_an_end_that_has_none_of_them_gets_none);
	tcase_add_test(tc, test_a_delete_of_what_was_rekeyed_leaves_its_child_sas);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
