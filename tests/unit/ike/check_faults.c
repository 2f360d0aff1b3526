/*
 * tests/unit/ike/check_faults.c - messages that are not as RFC 7296 has them: other versions and payloads that nobody
 * knows (2.5), what is malformed (2.21).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

#define UNKNOWN 200u	/* of payloads */
#define NOTIFY_LEN 8u

static struct pair pair;
static struct pair_datagram first;	/* IKE_SA_INIT, on its way to end 1 */
static struct pair_datagram last;	/* what end 1 sent last */

static unsigned keep(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	*(d->to == 1 ? &first : &last) = *d;
	return 0;
}

static void setup(void)
{
	pair_init(&pair);
	pair.fate = keep;
	pair_initiate(&pair, 0);
}

static void teardown(void)
{
	pair_fini(&pair);
}

/* ---- IKE_SA_INIT ---- */

/* Puts a payload before all others. */
static void prepend(uint8_t type, uint8_t flags)
{
	uint8_t *const at = first.octets + IKE_HEADER_LEN;

	memmove(at + 4, at, first.len - IKE_HEADER_LEN);
	at[0] = first.octets[16];
	at[1] = flags;
	be16enc(at + 2, 4);
	first.octets[16] = type;
	first.len += 4;
	be32enc(first.octets + 24, (uint32_t)first.len);
}

/* End 1 gets it. @return how much it sent */
static unsigned answers(void)
{
	const unsigned n = pair.ends[1].n_sent;

	ike_receive(pair.ends[1].world, &first.path,
		    (struct ipsp_span){ first.octets, first.len }, pair.now_ms);
	return pair.ends[1].n_sent - n;
}

/* The answer is one notification, and nothing was kept for it. */
static void refused_with(uint16_t notify, struct ipsp_span data)
{
	const uint8_t *const n = last.octets + IKE_HEADER_LEN;

	ck_assert_uint_eq(answers(), 1);
	ck_assert_uint_eq(last.len, IKE_HEADER_LEN + NOTIFY_LEN + data.len);
	ck_assert_mem_eq(last.octets, first.octets, IKE_SPI_LEN);
	ck_assert_uint_eq(last.octets[16], IKE_PAYLOAD_N);
	ck_assert_uint_eq(last.octets[17], 0x20);
	ck_assert_uint_eq(last.octets[18], IKE_EXCHANGE_IKE_SA_INIT);
	ck_assert_uint_eq(last.octets[19], IKE_FLAG_RESPONSE);
	ck_assert_uint_eq(be16dec(n + 6), notify);
	if (data.len > 0)
		ck_assert_mem_eq(n + NOTIFY_LEN, data.data, data.len);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
}

START_TEST(test_a_later_version_is_told_which_is_ours)
{
	first.octets[17] = 0x30;
	refused_with(IKE_N_INVALID_MAJOR_VERSION, (struct ipsp_span){ 0 });
}
END_TEST

START_TEST(test_an_answer_of_a_later_version_has_no_answer)
{
	first.octets[17] = 0x30;
	first.octets[19] = IKE_FLAG_RESPONSE;
	ck_assert_uint_eq(answers(), 0);
}
END_TEST

START_TEST(test_a_later_minor_version_is_as_ours)
{
	first.octets[17] = 0x2f;
	ck_assert_uint_eq(answers(), 1);
	ck_assert_uint_eq(last.octets[17], 0x20);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 1);
}
END_TEST

START_TEST(test_a_payload_that_must_be_known_is_refused_by_its_number)
{
	static const uint8_t type = UNKNOWN;

	prepend(UNKNOWN, IKE_FLAG_CRITICAL);
	refused_with(IKE_N_UNSUPPORTED_CRITICAL_PAYLOAD, (struct ipsp_span){ &type, 1 });
}
END_TEST

START_TEST(test_another_that_is_not_known_is_passed_over)
{
	prepend(UNKNOWN, 0);
	ck_assert_uint_eq(answers(), 1);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 1);
}
END_TEST

/* 2.5: of payloads that are known the flag means nothing. */
START_TEST(test_a_critical_payload_that_is_known_is_read)
{
	prepend(IKE_PAYLOAD_V, IKE_FLAG_CRITICAL);
	ck_assert_uint_eq(answers(), 1);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 1);
}
END_TEST

/* 2.21.1: a stranger's message without sense is worth no answer. */
START_TEST(test_a_malformed_first_message_has_no_answer)
{
	prepend(IKE_PAYLOAD_V, 0);
	be16enc(first.octets + IKE_HEADER_LEN + 2, 3);
	ck_assert_uint_eq(answers(), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
}
END_TEST

/* ---- behind it ---- */

static void establish(void)
{
	pair.fate = NULL;
	first.path.remote_port = first.path.local_port = 500;
	ck_assert_uint_eq(answers(), 1);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 1);
}

/* End 0 asks something of end 1: INFORMATIONAL, of these payloads. */
static void ask(uint8_t type, struct ipsp_span payloads)
{
	struct ike_sa *const from = pair_sa(&pair, 0);
	struct ike_exchange *const x = ike_exchange_new(from, IKE_FOR_LIVENESS, true);
	struct ike_builder b;

	ck_assert_ptr_nonnull(x);
	ike_build_begin(&b, from->world->chain, IKE_CLEAR_MAX);
	ike_build_octets(&b, payloads);
	b.first = type;
	ck_assert_int_eq(ike_request_send(x, IKE_EXCHANGE_INFORMATIONAL, &b, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	pair_pass(&pair, 1);
}

START_TEST(test_a_request_with_what_must_be_known_is_refused_and_no_more)
{
	static const uint8_t critical[] = { 0, IKE_FLAG_CRITICAL, 0, 4 };

	establish();
	ask(UNKNOWN, (struct ipsp_span){ critical, sizeof(critical) });
	ck_assert_ptr_nonnull(strstr(pair.ends[1].logs, "a critical payload 200"));
	ck_assert_str_eq(pair_view(&pair, 0).state, "established");
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
	pair_agree(&pair);
}
END_TEST

START_TEST(test_a_request_with_what_need_not_be_known_is_answered)
{
	static const uint8_t unknown[] = { 0, 0, 0, 4 };

	establish();
	ask(UNKNOWN, (struct ipsp_span){ unknown, sizeof(unknown) });
	ck_assert_ptr_null(pair_sa(&pair, 0)->requests);
	ck_assert_str_eq(pair_view(&pair, 1).state, "established");
}
END_TEST

/* 2.21.3: both know that it is over, so that neither deletes it. */
START_TEST(test_a_malformed_request_ends_the_ike_sa_at_both_ends)
{
	static const uint8_t broken[] = { 0, 0, 0, 3 };
	unsigned n_sent;

	establish();
	n_sent = pair.ends[0].n_sent + pair.ends[1].n_sent;
	ask(IKE_PAYLOAD_N, (struct ipsp_span){ broken, sizeof(broken) });
	ck_assert_uint_eq(pair_ike_sas(&pair, 0) + pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 0) + pair_count(&pair, 1), 0);
	ck_assert_uint_eq(pair.ends[0].n_sent + pair.ends[1].n_sent, n_sent + 2);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "INVALID_SYNTAX"));
}
END_TEST

/* Runs what an end computes, and then says that it came to nothing. */
static void compute(unsigned end, enum ipsp_err err)
{
	struct pair_end *const e = &pair.ends[end];

	ck_assert_uint_eq(e->n_jobs, 1);
	e->n_jobs = 0;
	ike_job_run(e->jobs[0]);
	if (err != IPSP_OK)
		e->jobs[0]->err = err;
	ike_job_done(e->world, e->jobs[0], pair.now_ms);
	pair_settle(&pair);
	pair_pass(&pair, 1);
}

/* _i: whose fault it is that a key exchange came to nothing: ours, or the peer's. */
START_TEST(test_want_of_memory_is_no_fault_of_the_peer)
{
	establish();
	pair.keep_jobs = true;
	ck_assert_int_eq(ike_rekey_begin(pair_sa(&pair, 0), pair.now_ms), IPSP_OK);
	compute(0, IPSP_OK);
	compute(1, _i == 0 ? IPSP_ENOMEM : IPSP_EMALFORMED);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), _i == 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), _i == 0);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, _i == 0 ? "TEMPORARY_FAILURE" :
								  "INVALID_SYNTAX"));
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike faults");
	TCase *const tc = tcase_create("faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_later_version_is_told_which_is_ours);
	tcase_add_test(tc, test_an_answer_of_a_later_version_has_no_answer);
	tcase_add_test(tc, test_a_later_minor_version_is_as_ours);
	tcase_add_test(tc, test_a_payload_that_must_be_known_is_refused_by_its_number);
	tcase_add_test(tc, test_another_that_is_not_known_is_passed_over);
	tcase_add_test(tc, test_a_critical_payload_that_is_known_is_read);
	tcase_add_test(tc, test_a_malformed_first_message_has_no_answer);
	tcase_add_test(tc, test_a_request_with_what_must_be_known_is_refused_and_no_more);
	tcase_add_test(tc, test_a_request_with_what_need_not_be_known_is_answered);
	tcase_add_test(tc, test_a_malformed_request_ends_the_ike_sa_at_both_ends);
	tcase_add_loop_test(tc, test_want_of_memory_is_no_fault_of_the_peer, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
