/*
 * tests/unit/ike/check_life.c - what ends IKE SAs and what is done before: authentication anew (ike/reauth.c), octets
 * (ike/life.c), requests that have no answer (ike/window.c).
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
}

static void teardown(void)
{
	pair_fini(&pair);
}

/* ---- authentication anew ---- */

static unsigned exchanges[256], n_gaps;

/* Counts; and is there a Child SA at both ends, while they talk? */
static unsigned watch(struct pair *p, const struct pair_datagram *d)
{
	exchanges[d->octets[18]]++;
	n_gaps += pair_count(p, 0) == 0 || pair_count(p, 1) == 0;
	return 1;
}

static void establish_watched(void)
{
	pair_establish(&pair);
	memset(exchanges, 0, sizeof(exchanges));
	n_gaps = 0;
	pair.fate = watch;
}

static void must_be_one(unsigned n_children)
{
	for (unsigned i = 0; i < 2; i++)
		ck_assert_str_eq(pair_view(&pair, i).state, "established");
	ck_assert_uint_eq(pair_count(&pair, 0), n_children);
	ck_assert_uint_eq(pair_view(&pair, 0).n_children, n_children);
	pair_agree(&pair);
}

/* The one of the two that is there. */
static const struct pair_child *child(unsigned end)
{
	const struct pair_child *c = pair.ends[end].children;

	while (!c->there)
		c++;
	return c;
}

/* _i: who asks for it. The other one, who answered, knows by AUTH_LIFETIME alone; or not at all. */
START_TEST(test_who_began_authenticates_anew_before_the_old_one_goes)
{
	const uint32_t number = (pair.ends[_i].conn->reauth_s = 1000);
	uint8_t spi[IKE_SPI_LEN];
	struct ike_view before;

	pair.ends[0].conn->life.soft_percent = 80;
	establish_watched();
	before = pair_view(&pair, 0);
	memcpy(spi, before.spi_i, sizeof(spi));
	pair_pass(&pair, 719 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 0);
	pair_pass(&pair, 82 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	ck_assert_mem_ne(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	ck_assert_uint_eq(pair_view(&pair, 0).number, before.number);
	must_be_one(1);
	ck_assert_uint_eq(n_gaps, 0);
	/* Who answers sends by the old one until that goes: RFC 7296 2.8. */
	ck_assert_uint_eq(child(1)->replaces, 0x2001);
	ck_assert_uint_eq(child(0)->replaces, 0);
	/* One that goes on: who watches was told of it once. */
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
	pair_pass(&pair, 1000 * 1000 * (uint64_t)number / 1000 * 9);
	ck_assert_uint_ge(exchanges[IKE_EXCHANGE_IKE_AUTH], 20);
	ck_assert_uint_eq(n_gaps, 0);
	must_be_one(1);
}
END_TEST

START_TEST(test_the_shorter_of_two_times_counts)
{
	pair.ends[0].conn->reauth_s = _i ? 100 : 1000;
	pair.ends[1].conn->reauth_s = _i ? 1000 : 100;
	establish_watched();
	pair_pass(&pair, 100 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	must_be_one(1);
}
END_TEST

START_TEST(test_all_child_sas_are_made_anew)
{
	pair.ends[0].conn->reauth_s = 1000;
	pair_establish(&pair);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
		pair_settle(&pair);
	}
	ck_assert_uint_eq(pair_count(&pair, 0), 3);
	pair_pass(&pair, 905 * 1000);
	must_be_one(3);
	ck_assert_uint_eq(pair.ends[0].next_spi, 0x1006);
	/* Each of the old ones has one in its place. */
	ck_assert_uint_eq(pair.ends[1].children[3].replaces + pair.ends[1].children[4].replaces +
				  pair.ends[1].children[5].replaces,
			  0x2001 + 0x2002 + 0x2003);
}
END_TEST

/* 4478 2: "the time limit applies to the new SA". */
START_TEST(test_a_rekey_does_not_make_the_time_longer)
{
	for (unsigned i = 0; i < 2; i++)
		pair.ends[i].conn->life = (struct ike_life){ .hard_s = 300, .soft_percent = 90 };
	pair.ends[1].conn->reauth_s = 1000;
	establish_watched();
	pair_pass(&pair, 700 * 1000);
	ck_assert_uint_ge(exchanges[IKE_EXCHANGE_CREATE_CHILD_SA], 4);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 0);
	pair_pass(&pair, 299 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	must_be_one(1);
	ck_assert_uint_eq(n_gaps, 0);
}
END_TEST

/* Also while it is rekeyed by the other end. */
START_TEST(test_it_goes_on_when_the_old_one_is_rekeyed_meanwhile)
{
	pair.ends[0].conn->reauth_s = 1000;
	pair_establish(&pair);
	pair.keep_jobs = true;
	pair_pass(&pair, 905 * 1000);
	ck_assert_uint_eq(pair.ends[0].n_jobs, 1);
	pair.keep_jobs = false;
	struct ike_sa *const old = pair_sa(&pair, 1);

	ck_assert_int_eq(ike_rekey_begin(old, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ike_job_run(pair.ends[0].jobs[0]);
	ike_job_done(pair.ends[0].world, pair.ends[0].jobs[0], pair.now_ms);
	pair_pass(&pair, 1000);
	must_be_one(1);
	ck_assert_uint_eq(pair_sa(&pair, 0)->proved_ms, pair.now_ms - 1000);
}
END_TEST

static unsigned drop_inits(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	return d->octets[18] != IKE_EXCHANGE_IKE_SA_INIT;
}

/* _i: whose time it is. */
START_TEST(test_what_is_not_authenticated_anew_in_time_ends)
{
	pair.ends[_i].conn->reauth_s = 1000;
	pair_establish(&pair);
	pair.fate = drop_inits;
	pair_pass(&pair, 999 * 1000);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
	pair_pass(&pair, 1000);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[_i].logs, "not authenticated anew in time"));
}
END_TEST

/* The first ones are lost for good. */
START_TEST(test_an_attempt_that_came_to_nothing_is_made_again)
{
	pair.ends[0].conn->reauth_s = 10000;
	pair.ends[0].conn->tries = 2;
	pair_establish(&pair);
	pair.fate = drop_inits;
	pair_pass(&pair, 9050 * 1000);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair.fate = NULL;
	pair_pass(&pair, 30 * 1000);
	must_be_one(1);
	ck_assert_uint_ge(pair_sa(&pair, 0)->proved_ms, 9000 * 1000);
}
END_TEST

START_TEST(test_the_old_one_stays_when_the_new_one_has_no_child_sa)
{
	struct ike_selectors theirs = pair.ends[1].conn->child.theirs;

	pair.ends[0].conn->reauth_s = 1000;
	pair_establish(&pair);
	pair.ends[1].conn->child.theirs.s[0].protocol = 17;
	pair.ends[1].conn->child.theirs.s[0].lo.octets[3] = 77;
	pair.ends[1].conn->child.theirs.s[0].hi = pair.ends[1].conn->child.theirs.s[0].lo;
	pair.ends[1].conn->child.theirs.s[0].lo.octets[0] = 11;
	pair.ends[1].conn->child.theirs.s[0].hi.octets[0] = 11;
	pair_pass(&pair, 905 * 1000);
	must_be_one(1);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "the one before it stays"));
	ck_assert_uint_eq(pair_sa(&pair, 0)->proved_ms, 0);
	pair.ends[1].conn->child.theirs = theirs;
	pair_pass(&pair, 30 * 1000);
	must_be_one(1);
	ck_assert_uint_gt(pair_sa(&pair, 0)->proved_ms, 900 * 1000);
}
END_TEST

static void change(uint32_t reauth_s)
{
	struct ike_conn *const fresh = ike_conn_new();

	ck_assert_ptr_nonnull(fresh);
	*fresh = *pair.ends[0].conn;
	fresh->refs = 1;
	fresh->peers[0].secret = ike_secret_ref(fresh->peers[0].secret);
	fresh->reauth_s = reauth_s;
	pair_replace(pair.ends[0].world, pair.ends[0].conn, fresh, pair.now_ms);
	ike_conn_unref(pair.ends[0].conn);
	pair.ends[0].conn = fresh;
	pair_configure(&pair);
	pair_pass(&pair, 0);
}

/* What is there is not cut off by a row that comes later. */
START_TEST(test_another_time_counts_from_then_on)
{
	establish_watched();
	pair_pass(&pair, 5000 * 1000);
	change(1000);
	pair_pass(&pair, 800 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 0);
	pair_pass(&pair, 110 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	change(0);
	pair_pass(&pair, 5000 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	must_be_one(1);
	ck_assert_uint_eq(n_gaps, 0);
}
END_TEST

static void tell_lifetime(unsigned from, uint32_t s, size_t len)
{
	struct ike_sa *const sa = pair_sa(&pair, from);
	struct ike_exchange *const x = ike_exchange_new(sa, IKE_FOR_LIVENESS, true);
	struct ike_builder b;
	uint8_t octets[4];

	be32enc(octets, s);
	ike_build_begin(&b, sa->world->chain, IKE_CLEAR_MAX);
	ike_build_notify(&b, 0, (struct ipsp_span){ 0 }, IKE_N_AUTH_LIFETIME,
			 (struct ipsp_span){ octets, len });
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
}

START_TEST(test_a_time_may_be_told_later)
{
	establish_watched();
	tell_lifetime(1, 0, 4);
	pair_pass(&pair, 1);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 2);
	must_be_one(1);
	tell_lifetime(1, 50, 4);
	pair_pass(&pair, 50 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 4);
	must_be_one(1);
}
END_TEST

START_TEST(test_a_time_that_is_none_or_of_who_began_is_not_heeded)
{
	establish_watched();
	tell_lifetime(1, 0, 3);
	tell_lifetime(0, 0, 4);
	pair_pass(&pair, 1000 * 1000);
	ck_assert_uint_eq(exchanges[IKE_EXCHANGE_IKE_AUTH], 0);
	must_be_one(1);
}
END_TEST

START_TEST(test_an_end_of_all_takes_both_along)
{
	pair.ends[0].conn->reauth_s = 1000;
	pair_establish(&pair);
	pair.keep_jobs = true;
	pair_pass(&pair, 905 * 1000);
	pair.keep_jobs = false;
	if (_i)
		ike_end_all(pair.ends[0].world, NULL, pair.now_ms);
	else
		ck_assert(ike_terminate(pair.ends[1].world, pair_sa(&pair, 1)->spi_i, pair.now_ms));
	ike_job_run(pair.ends[0].jobs[0]);
	ike_job_done(pair.ends[0].world, pair.ends[0].jobs[0], pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), _i ? 0 : 1);
}
END_TEST

/* ---- octets ---- */

static void talk(unsigned n)
{
	for (unsigned i = 0; i < n && pair_ike_sas(&pair, 0) > 0; i++) {
		ike_liveness_begin(pair_sa(&pair, 0), pair.now_ms);
		pair_pass(&pair, 1000);
	}
}

/* _i: with and without a lifetime in seconds. */
START_TEST(test_an_ike_sa_is_renewed_when_its_keys_have_protected_enough)
{
	uint8_t spi[IKE_SPI_LEN];
	unsigned n = 0;

	pair.ends[0].conn->life = (struct ike_life){ .hard_s = _i ? 100000 : 0, .hard_kb = 4, .soft_percent = 90,
						     .soft_kb_percent = 50 };
	pair_establish(&pair);
	memcpy(spi, pair_view(&pair, 0).spi_i, sizeof(spi));
	while (pair_sa(&pair, 0)->n_octets < 2048 - 100) {
		const uint64_t before = pair_sa(&pair, 0)->n_octets;

		/* A Child SA each time: a question for life alone is nothing but padding. */
		ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms), IPSP_OK);
		pair_pass(&pair, 1000);
		n++;
		if (memcmp(pair_view(&pair, 0).spi_i, spi, sizeof(spi)))
			break;
		ck_assert_uint_gt(pair_sa(&pair, 0)->n_octets, before + 100);
		ck_assert_uint_lt(pair_sa(&pair, 0)->n_octets, 2048);
	}
	ck_assert_mem_ne(pair_view(&pair, 0).spi_i, spi, sizeof(spi));
	ck_assert_uint_lt(pair_sa(&pair, 0)->n_octets, 200);
	must_be_one(n + 1);
	ck_assert_uint_eq(pair.ends[0].n_events, 1);
}
END_TEST

START_TEST(test_an_ike_sa_that_may_not_be_renewed_ends_with_its_octets)
{
	pair.ends[0].conn->life = (struct ike_life){ .hard_kb = 1, .soft_percent = 100, .soft_kb_percent = 100 };
	pair_establish(&pair);
	talk(3);
	must_be_one(1);
	while (pair_ike_sas(&pair, 0) > 0 && pair_count(&pair, 0) < 10) {
		(void)ike_child_begin(pair_sa(&pair, 0), NULL, pair.now_ms);
		pair_pass(&pair, 1000);
	}
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
	ck_assert_int_eq(pair.ends[0].events[1].kind, IKE_EVENT_DOWN);
	ck_assert_int_eq(pair.ends[0].events[1].end, IKE_END_EXPIRED);
}
END_TEST

/* ---- requests ---- */

static uint64_t sent_ms[16];
static unsigned n_requests;

static unsigned note(struct pair *p, const struct pair_datagram *d)
{
	(void)d;
	ck_assert_uint_lt(n_requests, 16);
	sent_ms[n_requests++] = p->now_ms;
	return 0;
}

static void must_be_repeated(unsigned n, uint64_t gap_ms)
{
	ck_assert_uint_eq(n_requests, n);
	for (unsigned i = 1; i < n; i++, gap_ms = gap_ms * 9 / 5)
		ck_assert_uint_eq(sent_ms[i] - sent_ms[i - 1], gap_ms);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}

START_TEST(test_requests_are_repeated_as_their_row_says)
{
	n_requests = 0;
	pair.fate = note;
	pair.ends[0].conn->retransmit_s = 5;
	pair.ends[0].conn->tries = 4;
	pair_initiate(&pair, 0);
	pair_pass(&pair, 3600 * 1000);
	must_be_repeated(4, 5000);
}
END_TEST

START_TEST(test_requests_of_an_ike_sa_are_repeated_as_usual)
{
	n_requests = 0;
	pair_establish(&pair);
	pair.fate = note;
	ike_liveness_begin(pair_sa(&pair, 0), pair.now_ms);
	pair_pass(&pair, 3600 * 1000);
	must_be_repeated(8, 2000);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike life");
	TCase *const anew = tcase_create("authentication anew"), *const octets = tcase_create("octets");
	TCase *const requests = tcase_create("requests");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(anew, setup, teardown);
	tcase_add_loop_test(anew, test_who_began_authenticates_anew_before_the_old_one_goes, 0, 2);
	tcase_add_loop_test(anew, test_the_shorter_of_two_times_counts, 0, 2);
	tcase_add_test(anew, test_all_child_sas_are_made_anew);
	tcase_add_test(anew, test_a_rekey_does_not_make_the_time_longer);
	tcase_add_test(anew, test_it_goes_on_when_the_old_one_is_rekeyed_meanwhile);
	tcase_add_loop_test(anew, test_what_is_not_authenticated_anew_in_time_ends, 0, 2);
	tcase_add_test(anew, test_an_attempt_that_came_to_nothing_is_made_again);
	tcase_add_test(anew, test_the_old_one_stays_when_the_new_one_has_no_child_sa);
	tcase_add_test(anew, test_another_time_counts_from_then_on);
	tcase_add_test(anew, test_a_time_may_be_told_later);
	tcase_add_test(anew, test_a_time_that_is_none_or_of_who_began_is_not_heeded);
	tcase_add_loop_test(anew, test_an_end_of_all_takes_both_along, 0, 2);
	suite_add_tcase(suite, anew);
	tcase_add_checked_fixture(octets, setup, teardown);
	tcase_add_loop_test(octets, test_an_ike_sa_is_renewed_when_its_keys_have_protected_enough, 0, 2);
	tcase_add_test(octets, test_an_ike_sa_that_may_not_be_renewed_ends_with_its_octets);
	suite_add_tcase(suite, octets);
	tcase_add_checked_fixture(requests, setup, teardown);
	tcase_add_test(requests, test_requests_are_repeated_as_their_row_says);
	tcase_add_test(requests, test_requests_of_an_ike_sa_are_repeated_as_usual);
	suite_add_tcase(suite, requests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
