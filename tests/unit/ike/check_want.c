/*
 * tests/unit/ike/check_want.c - what the SAD and the configuration ask of IKE SAs: a Child SA for a packet, another
 * configuration, an end. ike/want.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;
static struct ike_world *world;
static struct ike_conn *conn;

static void setup(void)
{
	pair_init(&pair);
	world = pair.ends[0].world;
	conn = pair.ends[0].conn;
}

static void teardown(void)
{
	pair_fini(&pair);
}

static struct ike_path path_to(const struct ipsp_addr *remote)
{
	return (struct ike_path){ pair.ends[0].addr, *remote, 500, 500 };
}

static enum ipsp_err want(void)
{
	const struct ike_path path = path_to(&pair.ends[1].addr);

	return ike_want_child(world, conn, 0, &path, NULL, pair.now_ms);
}

static const char *state(void)
{
	return pair_view(&pair, 0).state;
}

/* The same but for its lifetime; one reference. */
static struct ike_conn *changed(void)
{
	struct ike_conn *const c = ike_conn_new();
	const unsigned refs = c->refs;

	*c = *conn;
	c->refs = refs;
	ike_secret_ref(c->peers[0].secret);
	c->life.hard_s = 100000;
	return c;
}

/* ---- a packet ---- */

START_TEST(test_the_first_packet_begins_an_ike_sa_and_the_next_ones_wait_for_it)
{
	ck_assert(!ike_conn_lives(world, conn));
	ck_assert_int_eq(want(), IPSP_OK);
	ck_assert(ike_conn_lives(world, conn));
	ck_assert_int_eq(want(), IPSP_OK);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	pair_settle(&pair);
	ck_assert_str_eq(state(), "established");
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_packet_later_has_a_child_sa_of_the_ike_sa_that_is_there)
{
	pair_establish(&pair);
	ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_packets_that_come_meanwhile_have_no_more_of_them)
{
	pair_establish(&pair);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
}
END_TEST

START_TEST(test_while_a_child_sa_is_renewed_a_packet_waits_for_it)
{
	pair_establish(&pair);
	ike_child_expired(world, IKE_PROTOCOL_ESP, pair.ends[0].children[0].spi_in, false, pair.now_ms);
	ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_packet_for_another_address_has_an_ike_sa_of_its_own)
{
	const struct ipsp_addr other = { 4, { 198, 51, 100, 99 } };
	const struct ike_path path = path_to(&other);

	pair_establish(&pair);
	pair.fate = pair_drop_all;
	ck_assert_int_eq(ike_want_child(world, conn, 0, &path, NULL, pair.now_ms), IPSP_OK);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 2);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_peer_that_is_none_is_refused)
{
	const struct ike_path path = path_to(&pair.ends[1].addr);

	ck_assert_int_eq(ike_want_child(world, conn, conn->n_peers, &path, NULL, pair.now_ms), IPSP_EINVAL);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}
END_TEST

START_TEST(test_one_that_is_being_deleted_is_no_help)
{
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	ike_end_all(world, conn, pair.now_ms);
	ck_assert(!ike_conn_lives(world, conn));
	ck_assert_int_eq(want(), IPSP_OK);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 2);
	ck_assert(ike_conn_lives(world, conn));
}
END_TEST

/* ---- another configuration ---- */

START_TEST(test_an_ike_sa_goes_on_with_another_configuration)
{
	struct ike_conn *const fresh = changed();

	pair_establish(&pair);
	pair_replace(world, conn, fresh, pair.now_ms);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, fresh);
	ck_assert(!ike_conn_lives(world, conn));
	ck_assert(ike_conn_lives(world, fresh));
	ike_conn_unref(fresh);		/* the IKE SA has it */
	pair_pass(&pair, 1000);
	ck_assert_str_eq(state(), "established");
}
END_TEST

START_TEST(test_of_another_connection_nothing_is_replaced)
{
	struct ike_conn *const other = changed(), *const fresh = changed();

	pair_establish(&pair);
	pair_replace(world, other, fresh, pair.now_ms);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, conn);
	ike_conn_unref(other);
	ike_conn_unref(fresh);
}
END_TEST

START_TEST(test_a_setup_ends_as_it_began)
{
	struct ike_conn *const fresh = changed();

	ck_assert_int_eq(want(), IPSP_OK);
	pair_replace(world, conn, fresh, pair.now_ms);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, conn);
	pair_settle(&pair);
	ck_assert_str_eq(state(), "established");
	ike_conn_unref(fresh);
}
END_TEST

/* ---- an end ---- */

START_TEST(test_an_end_takes_child_sas_at_once_and_tells_the_peer)
{
	pair_establish(&pair);
	ike_end_all(world, conn, pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_str_eq(state(), "deleting");
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_an_end_is_told_once)
{
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	ike_end_all(world, conn, pair.now_ms);
	const unsigned n_sent = pair.ends[0].n_sent;

	ike_end_all(world, conn, pair.now_ms);
	ike_end_all(world, NULL, pair.now_ms);
	ck_assert_uint_eq(pair.ends[0].n_sent, n_sent);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_setup_ends_without_a_word)
{
	ck_assert_int_eq(want(), IPSP_OK);
	const unsigned n_sent = pair.ends[0].n_sent;

	ike_end_all(world, conn, pair.now_ms);
	ck_assert_uint_eq(pair.ends[0].n_sent, n_sent);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	pair_settle(&pair);		/* the answer finds nobody */
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}
END_TEST

START_TEST(test_an_end_of_one_connection_leaves_the_others)
{
	struct ike_conn *const other = changed();

	pair_establish(&pair);
	ike_end_all(world, other, pair.now_ms);
	ck_assert_str_eq(state(), "established");
	ike_conn_unref(other);
	/* All of them: also those that came to us. */
	ike_end_all(pair.ends[1].world, NULL, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 1), 0);
}
END_TEST

START_TEST(test_child_sas_end_alone_and_the_peer_hears_of_it)
{
	pair_establish(&pair);
	ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	ike_end_children(world, IKE_PROTOCOL_AH, pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 2);
	ike_end_children(world, IKE_PROTOCOL_ESP, pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert_str_eq(state(), "established");
	ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
}
END_TEST

START_TEST(test_one_that_is_being_renewed_ends_too)
{
	pair_establish(&pair);
	ike_child_expired(world, IKE_PROTOCOL_ESP, pair.ends[0].children[0].spi_in, false, pair.now_ms);
	ike_end_children(world, 0, pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	pair_settle(&pair);
	pair_pass(&pair, 10000);
	ck_assert_str_eq(state(), "established");
	pair_agree(&pair);
	/* One whose DELETE waits for its answer goes at once. */
	ck_assert_int_eq(want(), IPSP_OK);
	pair_settle(&pair);
	pair.fate = pair_drop_all;
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		if (pair.ends[0].children[i].there)
			ike_child_expired(world, IKE_PROTOCOL_ESP, pair.ends[0].children[i].spi_in, true,
					  pair.now_ms);
	}
	ck_assert_uint_ge(pair_count(&pair, 0), 1);
	ike_end_children(world, 0, pair.now_ms);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	pair.fate = NULL;
	pair_pass(&pair, 10000);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_an_end_while_a_computation_is_out_waits_for_nothing)
{
	pair.keep_jobs = true;
	ck_assert_int_eq(want(), IPSP_OK);
	ck_assert_uint_eq(pair.ends[0].n_jobs, 1);
	ike_end_all(world, NULL, pair.now_ms);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ike_job_run(pair.ends[0].jobs[0]);
	ike_job_done(world, pair.ends[0].jobs[0], pair.now_ms);
	ck_assert_uint_eq(pair.ends[0].n_sent, 0);
}
END_TEST

/* 2.25.1. _i: a packet waits. */
START_TEST(test_a_packet_that_waits_for_a_rekey_in_vain_has_another_child_sa)
{
	pair_establish(&pair);
	pair.fate = pair_drop_all;
	ck_assert_int_eq(ike_child_begin(pair_sa(&pair, 0), pair_sa(&pair, 0)->children, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	if (_i)
		ck_assert_int_eq(want(), IPSP_OK);
	ike_child_remove(pair_sa(&pair, 1), pair_sa(&pair, 1)->children);
	pair.fate = NULL;
	pair_pass(&pair, 10000);
	ck_assert_ptr_nonnull(strstr(pair.ends[0].logs, "does not have the one that is to be rekeyed"));
	ck_assert_uint_eq(pair_count(&pair, 0), (unsigned)_i);
	pair_agree(&pair);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ike/want");
	TCase *tc = tcase_create("want");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_the_first_packet_begins_an_ike_sa_and_the_next_ones_wait_for_it);
	tcase_add_test(tc, test_a_packet_later_has_a_child_sa_of_the_ike_sa_that_is_there);
	tcase_add_test(tc, test_packets_that_come_meanwhile_have_no_more_of_them);
	tcase_add_loop_test(tc, test_a_packet_that_waits_for_a_rekey_in_vain_has_another_child_sa, 0, 2);
	tcase_add_test(tc, test_while_a_child_sa_is_renewed_a_packet_waits_for_it);
	tcase_add_test(tc, test_a_packet_for_another_address_has_an_ike_sa_of_its_own);
	tcase_add_test(tc, test_a_peer_that_is_none_is_refused);
	tcase_add_test(tc, test_one_that_is_being_deleted_is_no_help);
	tcase_add_test(tc, test_an_ike_sa_goes_on_with_another_configuration);
	tcase_add_test(tc, test_of_another_connection_nothing_is_replaced);
	tcase_add_test(tc, test_a_setup_ends_as_it_began);
	tcase_add_test(tc, test_an_end_takes_child_sas_at_once_and_tells_the_peer);
	tcase_add_test(tc, test_an_end_is_told_once);
	tcase_add_test(tc, test_a_setup_ends_without_a_word);
	tcase_add_test(tc, test_an_end_of_one_connection_leaves_the_others);
	tcase_add_test(tc, test_child_sas_end_alone_and_the_peer_hears_of_it);
	tcase_add_test(tc, test_one_that_is_being_renewed_ends_too);
	tcase_add_test(tc, test_an_end_while_a_computation_is_out_waits_for_nothing);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
