/*
 * tests/unit/ike/check_anyone.c - peers that may be anywhere: end 1 is the gateway of clients that it knows by their names
 * alone. All of them are connections of end 0, each with an address and a name of its own.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "ike/internal.h"
#include "tests/unit/ike/pair.h"

enum { A, C, D, N_CLIENTS };

static const char *const names[N_CLIENTS] = { "a.example", "c.example", "d.example" };

static struct pair pair;
static struct pair_end *const clients = &pair.ends[0], *const gateway = &pair.ends[1];
static struct ike_conn *conns[N_CLIENTS];

/* Addresses inside: of a client's network, from one to another. */
static void ask_for(unsigned who, uint8_t lo, uint8_t hi)
{
	struct ike_selectors *const ours = &conns[who]->child.ours;

	*ours = (struct ike_selectors){ .n = 1, .s = { { .lo = { 4, { 10, 1, 0, lo } }, .hi = { 4, { 10, 1, 0, hi } },
							  .port_hi = UINT16_MAX } } };
}

static void add_client(unsigned who)
{
	struct ike_conn *const c = who == A ? ike_conn_ref(clients->conn) : ike_conn_new();

	ck_assert_ptr_nonnull(c);
	if (who != A) {
		*c = *clients->conn;
		c->refs = 1;
		c->peers[0].secret = ike_secret_ref(c->peers[0].secret);
	}
	ck_assert(ike_identity_make(IKE_ID_FQDN, names[who], &c->local_id));
	c->local.octets[3] = (uint8_t)(clients->addr.octets[3] + who);
	conns[who] = c;
	ask_for(who, (uint8_t)(1 + who), (uint8_t)(1 + who));
}

static void setup(void)
{
	struct ike_conn *g;

	pair_init(&pair);
	g = gateway->conn;
	g->child.anyone = true;
	g->n_peers = N_CLIENTS;
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		add_client(i);
		if (i > 0)
			g->peers[i].secret = ike_secret_ref(g->peers[0].secret);
		g->peers[i].address.family = 0;
		ck_assert(ike_identity_make(IKE_ID_FQDN, names[i], &g->peers[i].id));
	}
	ck_assert_int_eq(ike_world_configure(clients->world, conns, N_CLIENTS), IPSP_OK);
	ck_assert_int_eq(ike_world_configure(gateway->world, &gateway->conn, 1), IPSP_OK);
}

static void teardown(void)
{
	for (unsigned i = 0; i < N_CLIENTS; i++)
		ike_conn_unref(conns[i]);
	pair_fini(&pair);
}

static void begin(unsigned who)
{
	const struct ike_path path = { conns[who]->local, gateway->addr, 500, 500 };

	ck_assert_int_eq(ike_initiate(clients->world, conns[who], 0, &path, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
}

/* The IKE SA of a client, at its own end or at the gateway. NULL: there is none. */
static struct ike_sa *sa_of(unsigned who, const struct pair_end *end)
{
	for (size_t i = 0; i < IKE_BUCKETS; i++) {
		for (struct ike_sa *sa = end->world->by_spi[i]; sa; sa = sa->next_by_spi) {
			if (ipsp_addr_cmp(end == clients ? &sa->path.local : &sa->path.remote, &conns[who]->local) == 0)
				return sa;
		}
	}
	return NULL;
}

/* Has the client so many Child SAs, by which the gateway sends it what is for these addresses? */
static void has(unsigned who, unsigned n, uint8_t lo, uint8_t hi)
{
	unsigned found = 0;

	pair_agree(&pair);
	for (unsigned i = 0; i < PAIR_CHILDREN_MAX; i++) {
		const struct pair_child *const c = &gateway->children[i];

		if (!c->there || ipsp_addr_cmp(&c->path.remote, &conns[who]->local) != 0)
			continue;
		found++;
		ck_assert_uint_eq(c->theirs.n, 1);
		ck_assert_uint_eq(c->theirs.s[0].lo.octets[3], lo);
		ck_assert_uint_eq(c->theirs.s[0].hi.octets[3], hi);
	}
	ck_assert_uint_eq(found, n);
}

static void has_its_own(unsigned who)
{
	has(who, 1, (uint8_t)(1 + who), (uint8_t)(1 + who));
}

static void is_established(unsigned who)
{
	ck_assert_ptr_nonnull(sa_of(who, clients));
	ck_assert_int_eq(sa_of(who, clients)->state, IKE_SA_ESTABLISHED);
	ck_assert_ptr_nonnull(sa_of(who, gateway));
	ck_assert_int_eq(sa_of(who, gateway)->state, IKE_SA_ESTABLISHED);
}

static bool said(const struct pair_end *end, const char *text)
{
	return strstr(end->logs, text) != NULL;
}

/* What a client asks for is another's: its IKE SA stands all the same. */
static void is_refused(unsigned who)
{
	is_established(who);
	has(who, 0, 0, 0);
	ck_assert_ptr_null(sa_of(who, gateway)->children);
	ck_assert(said(clients, "no Child SA: TS_UNACCEPTABLE"));
}

START_TEST(test_each_client_has_an_address_of_its_own)
{
	for (unsigned i = 0; i < N_CLIENTS; i++)
		begin(i);
	for (unsigned i = 0; i < N_CLIENTS; i++)
		has_its_own(i);
	ck_assert_uint_eq(pair_count(&pair, 1), N_CLIENTS);
}
END_TEST

/* The same, more than that, a part of it; the last address, the first. */
static const struct {
	uint8_t lo, hi;
} overlapping[] = { { 8, 15 }, { 0, 255 }, { 9, 9 }, { 15, 20 }, { 1, 8 } };

START_TEST(test_what_one_has_another_does_not_get)
{
	ask_for(A, 8, 15);
	begin(A);
	ask_for(C, overlapping[_i].lo, overlapping[_i].hi);
	begin(C);
	is_refused(C);
	ck_assert(said(gateway, "the peer asks for traffic that FQDN a.example has"));
	has(A, 1, 8, 15);
}
END_TEST

START_TEST(test_nor_under_an_ike_sa_that_it_has)
{
	begin(A);
	begin(C);
	ask_for(C, 1, 2);
	ck_assert_int_eq(ike_child_begin(sa_of(C, clients), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert(said(clients, "no Child SA: TS_UNACCEPTABLE"));
	has_its_own(A);
	has_its_own(C);
}
END_TEST

START_TEST(test_nor_in_the_place_of_what_it_has)
{
	begin(A);
	begin(C);
	ask_for(C, 1, 2);
	ck_assert_int_eq(ike_child_begin(sa_of(C, clients), sa_of(C, clients)->children, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	has_its_own(A);
	has_its_own(C);
}
END_TEST

START_TEST(test_what_touches_it_but_is_not_in_it_is_free)
{
	ask_for(A, 8, 15);
	begin(A);
	ask_for(C, 16, 16);
	begin(C);
	ask_for(D, 7, 7);
	begin(D);
	has(A, 1, 8, 15);
	has(C, 1, 16, 16);
	has(D, 1, 7, 7);
}
END_TEST

/* From elsewhere, as after a crash; names are the same in any case of letters. */
START_TEST(test_the_same_one_gets_it_again)
{
	begin(A);
	ask_for(C, 1, 1);
	ck_assert(ike_identity_make(IKE_ID_FQDN, _i ? "A.Example" : "a.example", &conns[C]->local_id));
	begin(C);
	has(A, 1, 1, 1);
	has(C, 1, 1, 1);
}
END_TEST

/* RFC 7296 2.4: who says that it is the first leaves nothing of what it had before. */
START_TEST(test_who_begins_anew_has_it_as_the_first_did)
{
	begin(A);
	ike_world_free(clients->world);
	clients->world = ike_world_new(&gateway->world->ops, clients, ipsp_crypto_gcrypt());
	ck_assert_ptr_nonnull(clients->world);
	memset(clients->children, 0, sizeof(clients->children));
	ck_assert_int_eq(ike_world_configure(clients->world, conns, N_CLIENTS), IPSP_OK);
	begin(A);
	has_its_own(A);
	ask_for(C, 1, 1);
	begin(C);
	is_refused(C);
}
END_TEST

static void end_child_sa(struct ike_sa *sa)
{
	ck_assert_int_eq(ike_delete_begin(sa, sa->children, pair.now_ms), IPSP_OK);
}

static void end_ike_sa(struct ike_sa *sa)
{
	ck_assert(ike_terminate(sa->world, sa->spi_i, pair.now_ms));
}

static void let_it_expire(struct ike_sa *sa)
{
	ike_child_expired(sa->world, IKE_PROTOCOL_ESP, sa->children->spi_in, true, pair.now_ms);
}

static void (*const ways_to_end[])(struct ike_sa *sa) = { end_child_sa, end_ike_sa, let_it_expire };

/* By either end. */
START_TEST(test_whatever_ends_it_another_may_have_it_then)
{
	begin(A);
	ask_for(C, 1, 1);
	begin(C);
	is_refused(C);
	ways_to_end[_i / 2](sa_of(A, _i % 2 ? gateway : clients));
	pair_settle(&pair);
	has(A, 0, 0, 0);
	ck_assert_int_eq(ike_child_begin(sa_of(C, clients), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	has(C, 1, 1, 1);
	begin(A);
	has(A, 0, 0, 0);
}
END_TEST

/* By either end; each of them twice. */
START_TEST(test_while_its_child_sa_is_renewed_it_stays_its)
{
	begin(A);
	for (unsigned i = 0; i < 2; i++) {
		const struct ike_sa *const sa = sa_of(A, _i ? gateway : clients);
		const uint32_t before = sa->children->spi_in;

		ike_child_expired(sa->world, IKE_PROTOCOL_ESP, before, false, pair.now_ms);
		pair_settle(&pair);
		has_its_own(A);
		ck_assert_uint_ne(sa->children->spi_in, before);
	}
	ask_for(C, 1, 1);
	begin(C);
	is_refused(C);
}
END_TEST

START_TEST(test_while_its_ike_sa_is_renewed_it_stays_its)
{
	begin(A);
	ck_assert_int_eq(ike_rekey_begin(sa_of(A, _i ? gateway : clients), pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	has_its_own(A);
	ask_for(C, 1, 1);
	begin(C);
	is_refused(C);
	end_ike_sa(sa_of(A, clients));
	pair_settle(&pair);
	ck_assert_int_eq(ike_child_begin(sa_of(C, clients), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	has(C, 1, 1, 1);
}
END_TEST

START_TEST(test_it_stays_its_under_another_configuration)
{
	struct ike_conn *const old = gateway->conn, *const fresh = ike_conn_new();

	ck_assert_ptr_nonnull(fresh);
	*fresh = *old;
	fresh->refs = 1;
	for (unsigned i = 0; i < N_CLIENTS; i++)
		ike_secret_ref(fresh->peers[i].secret);
	begin(A);
	pair_replace(gateway->world, old, fresh, pair.now_ms);
	ck_assert_int_eq(ike_world_configure(gateway->world, (struct ike_conn *const[]){ fresh }, 1), IPSP_OK);
	gateway->conn = fresh;
	ike_conn_unref(old);
	ask_for(C, 1, 1);
	begin(C);
	is_refused(C);
	has_its_own(A);
}
END_TEST

/* The gateway's answer waits for a CPI; ticket is that of the question. */
static uint64_t begin_late(unsigned who)
{
	gateway->cpi_ticket = 0;
	gateway->late_cpi = true;
	begin(who);
	gateway->late_cpi = false;
	ck_assert_uint_ne(gateway->cpi_ticket, 0);
	ck_assert_int_ne(sa_of(who, gateway)->state, IKE_SA_ESTABLISHED);
	return gateway->cpi_ticket;
}

static void go_on(uint64_t ticket)
{
	ike_spi_done(gateway->world, ticket, ++gateway->last_cpi, pair.now_ms);
	pair_settle(&pair);
}

static void compress(void)
{
	for (unsigned i = 0; i < N_CLIENTS; i++)
		conns[i]->child.compress = true;
	gateway->conn->child.compress = true;
}

/* Both may have it when they ask. _i: who is answered first. */
START_TEST(test_of_two_setups_at_once_one_gets_it)
{
	const unsigned first = _i ? C : A, second = _i ? A : C;
	uint64_t tickets[N_CLIENTS];

	compress();
	ask_for(C, 1, 1);
	tickets[A] = begin_late(A);
	tickets[C] = begin_late(C);
	go_on(tickets[first]);
	has(first, 1, 1, 1);
	go_on(tickets[second]);
	is_refused(second);
	has(first, 1, 1, 1);
	ck_assert_uint_eq(clients->n_cpis, 1);
	ck_assert_uint_eq(gateway->n_cpis, 1);
}
END_TEST

START_TEST(test_a_setup_that_waits_has_nothing_yet)
{
	uint64_t ticket;

	compress();
	ask_for(C, 1, 1);
	ticket = begin_late(A);
	begin(C);
	has(C, 1, 1, 1);
	end_ike_sa(sa_of(C, clients));
	pair_settle(&pair);
	go_on(ticket);
	has_its_own(A);
}
END_TEST

/* Each asks for one more under its IKE SA; the answer to C waits for its key exchange, the last one where there are more. */
static void ask_at_once(bool more)
{
	struct ike_job *job = NULL;

	begin(A);
	begin(C);
	ask_for(A, 9, 9);
	ask_for(C, 9, 9);
	ck_assert_int_eq(ike_child_begin(sa_of(C, clients), NULL, pair.now_ms), IPSP_OK);
	pair.keep_jobs = true;
	for (unsigned i = 0; i < 1u + more; i++) {
		pair_settle(&pair);
		ck_assert_uint_eq(clients->n_jobs, i);
		for (; clients->n_jobs > 0; clients->n_jobs--) {
			ike_job_run(clients->jobs[0]);
			ike_job_done(clients->world, clients->jobs[0], pair.now_ms);
		}
		pair_settle(&pair);
		ck_assert_uint_eq(gateway->n_jobs, 1);
		gateway->n_jobs = 0;
		job = gateway->jobs[0];
		if (i < more) {
			ike_job_run(job);
			ike_job_done(gateway->world, job, pair.now_ms);
		}
	}
	pair.keep_jobs = false;
	ck_assert_int_eq(ike_child_begin(sa_of(A, clients), NULL, pair.now_ms), IPSP_OK);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 3);
	ike_job_run(job);
	ike_job_done(gateway->world, job, pair.now_ms);
	pair_settle(&pair);
	pair_agree(&pair);
	ck_assert_uint_eq(pair_count(&pair, 1), 3);
	has_its_own(C);
	is_established(C);
}

START_TEST(test_of_two_that_ask_under_their_ike_sas_at_once_one_gets_it)
{
	ask_at_once(false);
	ck_assert(said(clients, "no Child SA: TS_UNACCEPTABLE"));
}
END_TEST

START_TEST(test_nor_does_the_other_after_further_key_exchanges)
{
	for (unsigned i = 0; i < N_CLIENTS; i++)
		ck_assert(ike_offer_add(&conns[i]->child.offers.offers[0], IKE_TRANSFORM_ADDKE1, IKE_KE_ECP_256, 0));
	ck_assert(ike_offer_add(&gateway->conn->child.offers.offers[0], IKE_TRANSFORM_ADDKE1, IKE_KE_ECP_256, 0));
	ask_at_once(true);
	ck_assert(said(clients, "no Child SA: "));
}
END_TEST

START_TEST(test_who_is_not_listed_has_nothing_at_all)
{
	ck_assert(ike_identity_make(IKE_ID_FQDN, "x.example", &conns[C]->local_id));
	begin(A);
	begin(C);
	ck_assert_ptr_null(sa_of(C, gateway));
	ck_assert(said(clients, "AUTHENTICATION_FAILED"));
	has_its_own(A);
}
END_TEST

START_TEST(test_peers_at_known_addresses_may_share_what_they_ask_for)
{
	gateway->conn->child.anyone = false;
	ask_for(C, 1, 1);
	begin(A);
	begin(C);
	has(A, 1, 1, 1);
	has(C, 1, 1, 1);
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ike anyone");
	TCase *const t = tcase_create("anyone");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_each_client_has_an_address_of_its_own);
	tcase_add_loop_test(t, test_what_one_has_another_does_not_get, 0, sizeof(overlapping) / sizeof(overlapping[0]));
	tcase_add_test(t, test_nor_under_an_ike_sa_that_it_has);
	tcase_add_test(t, test_nor_in_the_place_of_what_it_has);
	tcase_add_test(t, test_what_touches_it_but_is_not_in_it_is_free);
	tcase_add_loop_test(t, test_the_same_one_gets_it_again, 0, 2);
	tcase_add_test(t, test_who_begins_anew_has_it_as_the_first_did);
	tcase_add_loop_test(t, test_whatever_ends_it_another_may_have_it_then, 0,
			    2 * sizeof(ways_to_end) / sizeof(ways_to_end[0]));
	tcase_add_loop_test(t, test_while_its_child_sa_is_renewed_it_stays_its, 0, 2);
	tcase_add_loop_test(t, test_while_its_ike_sa_is_renewed_it_stays_its, 0, 2);
	tcase_add_test(t, test_it_stays_its_under_another_configuration);
	tcase_add_loop_test(t, test_of_two_setups_at_once_one_gets_it, 0, 2);
	tcase_add_test(t, test_a_setup_that_waits_has_nothing_yet);
	tcase_add_test(t, test_of_two_that_ask_under_their_ike_sas_at_once_one_gets_it);
	tcase_add_test(t, test_nor_does_the_other_after_further_key_exchanges);
	tcase_add_test(t, test_who_is_not_listed_has_nothing_at_all);
	tcase_add_test(t, test_peers_at_known_addresses_may_share_what_they_ask_for);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
