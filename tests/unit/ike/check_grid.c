/*
 * tests/unit/ike/check_grid.c - every kind of message in every state of an IKE SA, sealed with the right keys
 * and with the right number. What no table names changes nothing and is not answered. RFC 7296 2.2, 2.21.
 */
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

/* What may come when. Responder: its INIT_ANSWERED; initiator: the states of waiting. */
static bool may_ask(enum ike_state state, uint8_t exchange)
{
	switch (exchange) {
	case IKE_EXCHANGE_IKE_AUTH:
		return state == IKE_SA_INIT_ANSWERED;
	case IKE_EXCHANGE_CREATE_CHILD_SA:
	case IKE_EXCHANGE_IKE_FOLLOWUP_KE:
	case IKE_EXCHANGE_INFORMATIONAL:
		return state == IKE_SA_ESTABLISHED || state == IKE_SA_REKEYED ||
		       state == IKE_SA_DELETING;
	default:
		return false;
	}
}

/* A message from end 0 to end 1, empty inside. */
static void inject(uint8_t exchange, bool response, uint32_t id)
{
	struct ike_sa *const from = pair_sa(&pair, 0), *const to = pair_sa(&pair, 1);
	const struct ike_path path = { pair.ends[1].addr, pair.ends[0].addr, 500, 500 };
	struct ike_header_fields h = { .exchange = exchange, .message_id = id,
				       .flags = (uint8_t)(IKE_FLAG_INITIATOR |
							  (response ? IKE_FLAG_RESPONSE : 0)) };
	uint8_t out[256], iv[IPSP_IV_MAX] = { 0 };

	memcpy(h.spi_i, to->spi_i, IKE_SPI_LEN);
	memcpy(h.spi_r, to->spi_r, IKE_SPI_LEN);
	ck_assert_int_eq(ike_seal(&from->keys->of_initiator, &h, 0, (struct ipsp_span){ 0 },
				  (struct ike_fragment){ 0 }, iv, out), IPSP_OK);
	ike_receive(pair.ends[1].world, &path,
		    (struct ipsp_span){ out, ike_seal_len(&from->keys->of_initiator, 0, false) },
		    pair.now_ms);
}

static const uint8_t exchanges[] = {
	IKE_EXCHANGE_IKE_SA_INIT, IKE_EXCHANGE_IKE_AUTH, IKE_EXCHANGE_CREATE_CHILD_SA,
	IKE_EXCHANGE_INFORMATIONAL, IKE_EXCHANGE_IKE_SESSION_RESUME,
	IKE_EXCHANGE_IKE_INTERMEDIATE, IKE_EXCHANGE_IKE_FOLLOWUP_KE, 200,
};

static unsigned keep_answer(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	(void)d;
	return 0;
}

/* _i: the state of end 1's IKE SA. */
START_TEST(test_a_request_is_answered_only_where_a_table_says_so)
{
	const enum ike_state state = (enum ike_state)_i;

	for (size_t k = 0; k < sizeof(exchanges) / sizeof(exchanges[0]); k++) {
		struct ike_sa *sa;
		unsigned n_sent;

		teardown();
		setup();
		pair_initiate(&pair, 0);
		pair_settle(&pair);
		pair.fate = keep_answer;
		sa = pair_sa(&pair, 1);
		sa->state = state;
		n_sent = pair.ends[1].n_sent;
		inject(exchanges[k], false, sa->expected_id);
		/* A setup that is over has nothing left that could be asked for. */
		ck_assert_uint_eq(pair.ends[1].n_sent - n_sent,
				  may_ask(state, exchanges[k]) &&
					  exchanges[k] != IKE_EXCHANGE_IKE_AUTH);
		ck_assert_ptr_nonnull(pair_sa(&pair, 1));
		ck_assert_int_eq(pair_sa(&pair, 1)->state, state);
	}
}
END_TEST

START_TEST(test_an_answer_to_nothing_changes_nothing)
{
	const enum ike_state state = (enum ike_state)_i;

	for (size_t k = 0; k < sizeof(exchanges) / sizeof(exchanges[0]); k++) {
		for (uint32_t id = 0; id < 3; id++) {
			unsigned n_sent;

			teardown();
			setup();
			pair_initiate(&pair, 0);
			pair_settle(&pair);
			pair_sa(&pair, 1)->state = state;
			n_sent = pair.ends[1].n_sent;
			inject(exchanges[k], true, id);
			ck_assert_uint_eq(pair.ends[1].n_sent, n_sent);
			ck_assert_ptr_nonnull(pair_sa(&pair, 1));
			ck_assert_int_eq(pair_sa(&pair, 1)->state, state);
			ck_assert_uint_eq(pair_count(&pair, 1), 1);
		}
	}
}
END_TEST

START_TEST(test_numbers_beyond_the_window_are_not_taken)
{
	struct ike_sa *sa;
	unsigned n_sent;

	pair_initiate(&pair, 0);
	pair_settle(&pair);
	pair.fate = keep_answer;
	sa = pair_sa(&pair, 1);
	n_sent = pair.ends[1].n_sent;
	inject(IKE_EXCHANGE_INFORMATIONAL, false, sa->expected_id + IKE_WINDOW);
	ck_assert_uint_eq(pair.ends[1].n_sent, n_sent);
	/* In any order within it, each once; again: the same answer again. */
	for (unsigned i = IKE_WINDOW; i > 0; i--)
		inject(IKE_EXCHANGE_INFORMATIONAL, false, 2 + i - 1);
	ck_assert_uint_eq(pair.ends[1].n_sent, n_sent + IKE_WINDOW);
	ck_assert_uint_eq(sa->expected_id, 2 + IKE_WINDOW);
	inject(IKE_EXCHANGE_INFORMATIONAL, false, 2 + IKE_WINDOW - 1);
	ck_assert_uint_eq(pair.ends[1].n_sent, n_sent + IKE_WINDOW + 1);
}
END_TEST

int main(void)
{
	Suite *const suite = suite_create("ike grid");
	TCase *const tc = tcase_create("grid");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_a_request_is_answered_only_where_a_table_says_so, 0,
			    IKE_SA_DEAD);
	tcase_add_loop_test(tc, test_an_answer_to_nothing_changes_nothing, 0, IKE_SA_DEAD);
	tcase_add_test(tc, test_numbers_beyond_the_window_are_not_taken);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
