/*
 * tests/unit/ipspd/check_ike_conns.c - connections as the agent says them to the ike process: which are in force, which
 * are begun, what a change ends, and what becomes of messages that are not the agent's. ipspd/ike_conns.c
 *
 * The world is a real one, with its peer in the same process (tests/unit/ike/pair.h); routes and PF_KEY are the test's.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "ipspd/ike.h"
#include "ipspd/ike_cred_wire.h"
#include "ipspd/ike_wire.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/faults/nomem.h"
#include "tests/unit/ike/pair.h"

#define REQID 7u

static struct pair pair;
static struct ike_role role;
static struct chan *agent;		/* the other end of role.agent */
static uint64_t applied;		/* as the agent was told last */
static char fault[3][IKE_WHY_TEXT + IKE_NAME];	/* likewise */
static unsigned n_faults;
static struct ike_wire_next next_try;	/* as it was told last */
static unsigned n_next;

/* ---- routes and PF_KEY, as the test plays them ---- */

static bool no_way, registered;
static unsigned n_ways;			/* how often one was asked for */
static uint32_t orphans, rekeyed, ended, row_gone;	/* reqids; 0: none */
static unsigned n_rows_gone;
static struct ipsp_addr ended_with, earlier;	/* family 0: nobody */

uint64_t ike_now_ms(void)
{
	return pair.now_ms;
}

bool ike_net_path(struct ike_role *r, const struct ike_conn *c, const struct ipsp_addr *remote,
		  struct ike_path *out)
{
	must(r == &role && c);
	n_ways++;
	*out = (struct ike_path){ pair.ends[0].addr, *remote, 500, 500 };
	return !no_way;
}

bool ike_pfkey_is_registered(const struct ike_role *r)
{
	(void)r;
	return registered;
}

bool ike_pfkey_has_orphans(const struct ike_role *r, uint32_t reqid)
{
	(void)r;
	return orphans == reqid;
}

unsigned ike_pfkey_end_orphans(struct ike_role *r, uint32_t reqid, const struct ipsp_addr *remote)
{
	(void)r;
	ended = reqid;
	if (remote)
		ended_with = *remote;
	return 1;
}

size_t ike_pfkey_earlier(const struct ike_role *r, uint32_t reqid, struct ipsp_addr *remotes, size_t max)
{
	(void)r;
	ck_assert_uint_ge(max, 1);
	if (earlier.family == 0 || reqid != REQID)
		return 0;
	remotes[0] = earlier;
	return 1;
}

void ike_pfkey_row_gone(struct ike_role *r, uint32_t reqid)
{
	(void)r;
	row_gone = reqid;
	n_rows_gone++;
}

void ike_pfkey_rekey(struct ike_role *r, uint32_t reqid)
{
	(void)r;
	rekeyed = reqid;
}

/* ---- the agent ---- */

static void on_told(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	if (m->type == MSG_IKE_APPLIED) {
		applied = chan_get_u64(&r);
	} else if (m->type == MSG_IKE_NEXT) {
		ck_assert(ike_wire_next_get(&r, &next_try));
		n_next++;
	} else {
		ck_assert_uint_eq(m->type, MSG_IKE_FAULT);
		for (size_t i = 0; i < 3; i++)
			ck_assert(chan_get_text(&r, fault[i], sizeof(fault[i])));
		n_faults++;
	}
	ck_assert(chan_reader_done(&r));
}

static void on_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void settle(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(role.base, EVLOOP_NONBLOCK);
}

static struct chan_writer writer;
static uint8_t octets[CHAN_PAYLOAD_MAX];

static struct chan_writer *begin_message(void)
{
	writer = (struct chan_writer){ .data = octets, .size = sizeof(octets) };
	return &writer;
}

static bool say_some(uint16_t type, size_t len)
{
	const struct chan_msg m = { .type = type, .data = octets, .len = len };

	return ike_conns_message(&role, &m);
}

static bool say(uint16_t type)
{
	must(!writer.overflow);
	return say_some(type, writer.len);
}

static bool say_begin(void)
{
	begin_message();
	return say(MSG_IKE_BEGIN);
}

/* A connection of these names that is else the pair's. */
static struct ike_conn *conn_named(const char *ipsec, const char *ike)
{
	struct ike_conn *const c = pair.ends[0].conn;

	snprintf(c->ipsec, sizeof(c->ipsec), "%s", ipsec);
	snprintf(c->ike, sizeof(c->ike), "%s", ike);
	c->life = c->child.life = (struct ike_life){ .hard_s = 3600, .soft_percent = 90, .soft_kb_percent = 90 };
	c->child.reqid = REQID;
	c->child.window_log2 = 10;
	c->child.handling = (struct ike_handling){ .df = IPSP_DF_COPY, .dscp = -1 };
	return c;
}

static bool say_conn(struct ike_conn *c, bool start)
{
	const struct ike_wire_conn wire = { .conn = c, .start = start };

	ike_wire_conn_put(begin_message(), &wire);
	return say(MSG_IKE_CONN);
}

static bool say_commit(uint64_t generation, uint32_t n)
{
	begin_message();
	chan_put_u64(&writer, generation);
	chan_put_u32(&writer, n);
	return say(MSG_IKE_COMMIT);
}

/* A generation of the pair's connection alone. */
static void generation(uint64_t nr, bool start)
{
	ck_assert(say_begin());
	ck_assert(say_conn(conn_named("child", "ike"), start));
	ck_assert(say_commit(nr, 1));
	pair_settle(&pair);
	settle();
}

static void generation_of_none(uint64_t nr)
{
	ck_assert(say_begin() && say_commit(nr, 0));
	pair_settle(&pair);
	settle();
}

static bool say_request(uint8_t request, const char *ipsec, const char *ike)
{
	bool good;

	begin_message();
	chan_put_u8(&writer, request);
	chan_put_text(&writer, ipsec);
	chan_put_text(&writer, ike);
	good = say(MSG_IKE_REQUEST);
	pair_settle(&pair);
	return good;
}

static void setup(void)
{
	const struct chan_handler told = { on_told, on_closed, NULL }, nothing = { NULL, on_closed, NULL };
	int fds[2];

	pair_init(&pair);
	role = (struct ike_role){ .world = pair.ends[0].world, .base = event_base_new() };
	ck_assert(ike_creds_start(&role));
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(role.base, fds[0], &nothing, &role.agent), 0);
	ck_assert_int_eq(chan_new(role.base, fds[1], &told, &agent), 0);
	registered = true;
	no_way = false;
	orphans = rekeyed = ended = row_gone = n_rows_gone = n_ways = n_faults = n_next = 0;
	applied = 0;
	earlier.family = 0;
}

static void teardown(void)
{
	ike_conns_fini(&role);
	ike_creds_fini(&role);
	pair_fini(&pair);
	chan_free(role.agent);
	chan_free(agent);
	event_base_free(role.base);
}

/* ---- what is seen ---- */

static bool is_up(void)
{
	return pair_ike_sas(&pair, 0) == 1 && !strcmp(pair_view(&pair, 0).state, "established");
}

static void second_by_second(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		ike_conns_tick(&role, pair.now_ms);
		pair_pass(&pair, 1000);
	}
}

static const struct ipsp_addr *peer(void)
{
	return &pair.ends[1].addr;
}

static const struct ipsp_addr stranger = { 4, { 203, 0, 113, 1 } };

/* ---- generations ---- */

START_TEST(test_a_connection_that_starts_is_begun_with_its_generation)
{
	generation(1, true);
	ck_assert(is_up());
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	pair_agree(&pair);
	ck_assert_uint_eq(applied, 1);
}
END_TEST

START_TEST(test_the_agent_is_told_once_the_engine_knows_who_negotiates)
{
	registered = false;
	generation(5, false);
	ck_assert_uint_eq(applied, 0);
	ike_conns_tell(&role);
	settle();
	ck_assert_uint_eq(applied, 0);
	registered = true;
	ike_conns_tell(&role);
	settle();
	ck_assert_uint_eq(applied, 5);
	applied = 0;
	ike_conns_tell(&role);
	settle();
	ck_assert_uint_eq(applied, 0);
}
END_TEST

START_TEST(test_a_connection_as_before_stays_the_same)
{
	const struct ike_conn *before;
	struct ike_view view;

	generation(1, true);
	before = role.entries[0].conn;
	view = pair_view(&pair, 0);
	generation(2, true);
	ck_assert_ptr_eq(role.entries[0].conn, before);
	ck_assert(is_up());
	ck_assert_mem_eq(pair_view(&pair, 0).spi_i, view.spi_i, IKE_SPI_LEN);
	ck_assert_uint_eq(applied, 2);
}
END_TEST

START_TEST(test_another_lifetime_leaves_the_ike_sa_and_counts_for_it)
{
	const struct ike_conn *before;
	struct ike_view view;

	generation(1, true);
	before = role.entries[0].conn;
	view = pair_view(&pair, 0);
	pair.ends[0].conn->liveness_s = 30;
	generation(2, true);
	ck_assert_ptr_ne(role.entries[0].conn, before);
	ck_assert(is_up());
	ck_assert_mem_eq(pair_view(&pair, 0).spi_i, view.spi_i, IKE_SPI_LEN);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, role.entries[0].conn);
}
END_TEST

/* What is proved by it, and whom. */
static void change_secret(struct ike_conn *c)
{
	static const uint8_t other[] = "another secret";

	ike_secret_unref(c->peers[0].secret);
	c->peers[0].secret = ike_secret_new((struct ipsp_span){ other, sizeof(other) });
}

static void change_peer_id(struct ike_conn *c)
{
	ck_assert(ike_identity_make(IKE_ID_FQDN, "c.example", &c->peers[0].id));
}

static void change_own_id(struct ike_conn *c)
{
	ck_assert(ike_identity_make(IKE_ID_FQDN, "d.example", &c->local_id));
}

static void change_ppk(struct ike_conn *c)
{
	static const uint8_t key[] = "a postquantum key";

	c->peers[0].ppk = ike_secret_new((struct ipsp_span){ key, sizeof(key) });
	c->peers[0].ppk_id_len = 1;
	c->peers[0].ppk_id[0] = 'p';
}

static void (*const changes[])(struct ike_conn *c) = {
	change_secret, change_peer_id, change_own_id, change_ppk,
};

START_TEST(test_another_proof_ends_the_ike_sa_and_begins_anew)
{
	uint8_t before[IKE_SPI_LEN];

	generation(1, false);
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	pair_settle(&pair);
	ck_assert(is_up());
	memcpy(before, pair_view(&pair, 0).spi_i, sizeof(before));
	changes[_i](pair.ends[0].conn);
	pair.fate = pair_drop_all;	/* so that the new one is still to be seen */
	generation(2, false);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert(ike_conn_lives(role.world, role.entries[0].conn));
	ck_assert_int_ge(pair_ike_sas(&pair, 0), 1);
}
END_TEST

START_TEST(test_one_that_is_gone_takes_its_SAs_along_at_both_ends)
{
	generation(1, true);
	ck_assert(is_up());
	generation_of_none(2);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert_uint_eq(applied, 2);
	ck_assert_uint_eq(row_gone, REQID);
	ck_assert(!ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
}
END_TEST

static bool say_unfit(const char *ipsec, const char *ike)
{
	begin_message();
	chan_put_text(&writer, ipsec);
	chan_put_text(&writer, ike);
	return say(MSG_IKE_UNFIT);
}

START_TEST(test_one_whose_rows_are_at_fault_ends_at_once)
{
	generation(1, true);
	ck_assert(say_begin() && say_unfit("child", "ike") && say_unfit("none", "ike") && say_commit(2, 0));
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(row_gone, 0);
}
END_TEST

START_TEST(test_SAs_that_another_connection_asks_for_stay_asked_for)
{
	generation(1, true);
	ck_assert(say_begin() && say_conn(conn_named("other", "ike"), false) && say_commit(2, 1));
	pair_settle(&pair);
	ck_assert_uint_eq(row_gone, 0);
}
END_TEST

START_TEST(test_who_is_not_believed_any_more_has_SAs_of_an_earlier_process_ended)
{
	generation(1, false);
	ike_conns_disbelieved(&role, role.entries[0].conn, peer());
	ck_assert_uint_eq(ended, REQID);
	ck_assert_int_eq(ipsp_addr_cmp(&ended_with, peer()), 0);
}
END_TEST

START_TEST(test_until_it_is_whole_a_generation_changes_nothing)
{
	generation(1, true);
	ck_assert(say_begin());
	ck_assert(is_up());
	ck_assert(ike_conns_living(&role, REQID));
	ike_conns_forget(&role);	/* the agent goes */
	ck_assert(!say_commit(2, 0));
	ck_assert(is_up());
	ck_assert_uint_eq(role.n_entries, 1);
	/* One that begins twice begins anew. */
	ck_assert(say_begin() && say_conn(conn_named("other", "ike"), false));
	ck_assert(say_begin() && say_conn(conn_named("child", "ike"), true) && say_commit(3, 1));
	settle();
	ck_assert(is_up());
	ck_assert_uint_eq(role.n_entries, 1);
	ck_assert_uint_eq(applied, 3);
}
END_TEST

START_TEST(test_one_whose_key_cannot_be_used_is_told_and_the_others_go_on)
{
	const struct ike_wire_own own = { .key = 1, .raw_key = 1 };
	struct ike_wire_conn wire = { .conn = conn_named("bad", "ike"), .start = true };

	ck_assert(say_begin());
	begin_message();
	chan_put_u8(&writer, 1);
	chan_put_raw(&writer, "no key", 6);
	ck_assert(say(MSG_IKE_OCTETS));
	ike_wire_own_put(begin_message(), &own);
	ck_assert(say(MSG_IKE_OWN));
	wire.proofs[0] = (struct ike_wire_proof){ .n_owns = 1, .owns = { 1 } };
	ike_wire_conn_put(begin_message(), &wire);
	ck_assert(say(MSG_IKE_CONN));
	ck_assert(say_conn(conn_named("child", "ike"), true));
	ck_assert(say_commit(1, 2));
	pair_settle(&pair);
	settle();
	ck_assert_uint_eq(n_faults, 1);
	ck_assert_str_eq(fault[0], "bad");
	ck_assert_str_eq(fault[1], "ike");
	ck_assert_str_ne(fault[2], "");
	ck_assert_uint_eq(role.n_entries, 1);
	ck_assert(is_up());
	ck_assert_uint_eq(applied, 1);
}
END_TEST

/* RFC 8410 10.3 */
#define ED25519_KEY "-----BEGIN PRIVATE KEY-----\n" \
	"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n" \
	"-----END PRIVATE KEY-----\n"

START_TEST(test_one_of_several_keys_that_cannot_be_used_is_passed_over)
{
	static const char *const keys[] = { "no key", ED25519_KEY };
	struct ike_wire_conn wire = { .conn = conn_named("child", "ike") };

	ck_assert(say_begin());
	for (uint32_t i = 0; i < 2; i++) {
		const struct ike_wire_own own = { .key = i + 1 };

		begin_message();
		chan_put_u8(&writer, 1);
		chan_put_raw(&writer, keys[i], strlen(keys[i]));
		ck_assert(say(MSG_IKE_OCTETS));
		ike_wire_own_put(begin_message(), &own);
		ck_assert(say(MSG_IKE_OWN));
	}
	wire.proofs[0] = (struct ike_wire_proof){ .n_owns = 2, .owns = { 1, 2 } };
	ike_wire_conn_put(begin_message(), &wire);
	ck_assert(say(MSG_IKE_CONN));
	ck_assert(say_commit(1, 1));
	settle();
	ck_assert_uint_eq(n_faults, 0);
	ck_assert_uint_eq(role.n_entries, 1);
	ck_assert_uint_eq(role.entries[0].conn->peers[0].n_credentials, 1);
	ck_assert_uint_eq(applied, 1);
}
END_TEST

/* Another lifetime, and one more connection. @return whether it came into force */
static bool change_all(uint64_t nr)
{
	pair.ends[0].conn->liveness_s = 30;
	return say_begin() && say_conn(conn_named("child", "ike"), true) &&
	       say_conn(conn_named("more", "ike"), false) && say_commit(nr, 2);
}

START_TEST(test_a_generation_that_finds_no_memory_changes_nothing)
{
	unsigned n_refused = 0;
	bool happened = true, good;

	/* Every allocation fails in turn, until there are no more of them. */
	for (unsigned long nth = 1; happened; nth++) {
		pair.ends[0].conn->liveness_s = 0;
		generation(1, true);
		nomem_arm(NOMEM_OURS, NOMEM_ONCE, nth);
		good = change_all(2);
		nomem_disarm();
		happened = nomem_happened();
		if (!good) {
			ck_assert(happened);
			n_refused++;
			ike_conns_forget(&role);
			ck_assert_uint_eq(role.n_entries, 1);
			ck_assert_uint_eq(role.entries[0].conn->liveness_s, 0);
		}
		second_by_second(2);
		ck_assert(is_up());
	}
	settle();
	ck_assert_uint_ge(n_refused, 4);
	ck_assert_uint_eq(role.n_entries, 2);
	ck_assert_uint_eq(applied, 2);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, role.entries[0].conn);
}
END_TEST

START_TEST(test_two_of_one_name_are_no_harm)
{
	generation(1, true);
	ck_assert(say_begin());
	ck_assert(say_conn(conn_named("child", "ike"), true));
	pair.ends[0].conn->liveness_s = 30;
	ck_assert(say_conn(conn_named("child", "ike"), true));
	ck_assert(say_commit(2, 2));
	pair_settle(&pair);
	generation(3, true);
	second_by_second(2);
	ck_assert_uint_eq(role.n_entries, 1);
	ck_assert(ike_conns_living(&role, REQID));
}
END_TEST

#define MANY 4000u

/* The i-th of many, in no order of its name; of two IPsec actions with one IKE action, and of one with two. */
static struct ike_conn *one_of_many(unsigned i)
{
	const unsigned nr = i * 7919u % MANY;
	char ipsec[IKE_NAME], ike[IKE_NAME];
	struct ike_conn *c;

	snprintf(ipsec, sizeof(ipsec), "child-%u", nr / 2);
	snprintf(ike, sizeof(ike), "ike-%u", (nr + 1) / 2);
	c = conn_named(ipsec, ike);
	c->child.reqid = 1 + nr;
	return c;
}

static bool say_many(uint64_t nr, unsigned from, unsigned step)
{
	uint32_t n = 0;

	if (!say_begin())
		return false;
	for (unsigned i = from; i < MANY; i += step, n++) {
		if (!say_conn(one_of_many(i), false))
			return false;
	}
	return say_commit(nr, n);
}

START_TEST(test_thousands_know_what_was_there_before_them)
{
	static struct ike_conn *before[1 + MANY];	/* by reqid */

	ck_assert(say_many(1, 0, 1));
	ck_assert_uint_eq(role.n_entries, MANY);
	for (size_t i = 0; i < MANY; i++)
		before[role.entries[i].conn->child.reqid] = role.entries[i].conn;
	/* Half of them stay, with the one that is asked for; the others go. */
	ck_assert(say_many(2, 1, 2));
	ck_assert_uint_eq(role.n_entries, MANY / 2);
	ck_assert_uint_eq(n_rows_gone, MANY / 2);
	for (size_t i = 0; i < MANY / 2; i++)
		ck_assert_ptr_eq(role.entries[i].conn, before[role.entries[i].conn->child.reqid]);
	ck_assert(say_request(IKE_WIRE_REKEY, role.entries[7].conn->ipsec, role.entries[7].conn->ike));
	ck_assert_uint_eq(rekeyed, role.entries[7].conn->child.reqid);
	rekeyed = 0;
	ck_assert(say_request(IKE_WIRE_REKEY, role.entries[7].conn->ipsec, "ike"));
	ck_assert_uint_eq(rekeyed, 0);
	settle();
	ck_assert_uint_eq(applied, 2);
}
END_TEST

static struct ike_conn *named(const char *ipsec)
{
	for (size_t i = 0; i < role.n_entries; i++) {
		if (!strcmp(role.entries[i].conn->ipsec, ipsec))
			return role.entries[i].conn;
	}
	ck_abort_msg("there is no \"%s\"", ipsec);
}

/* The pair's goes on under other rows, while one more ends and another one stays as it is. */
START_TEST(test_what_goes_on_what_ends_and_what_stays_are_told_apart)
{
	const struct ike_conn *stays, *goes_on;

	ck_assert(say_begin() && say_conn(conn_named("stays", "ike"), false));
	ck_assert(say_conn(conn_named("child", "ike"), true) && say_conn(conn_named("ends", "ike"), false));
	ck_assert(say_commit(1, 3));
	pair_settle(&pair);
	ck_assert(is_up());
	stays = named("stays");
	goes_on = named("child");
	ck_assert(say_begin() && say_conn(conn_named("stays", "ike"), false));
	pair.ends[0].conn->liveness_s = 30;
	ck_assert(say_conn(conn_named("child", "ike"), true) && say_commit(2, 2));
	pair_settle(&pair);
	ck_assert(is_up());
	ck_assert_ptr_eq(named("stays"), stays);
	ck_assert_ptr_ne(named("child"), goes_on);
	ck_assert_ptr_eq(pair_view(&pair, 0).conn, named("child"));
	for (size_t i = 0; i < role.n_entries; i++)
		ck_assert(!role.entries[i].conn->heir && !role.entries[i].conn->ends);
	/* It is the one with an IKE SA that ends, then. */
	ck_assert(say_begin() && say_conn(conn_named("stays", "ike"), false) && say_commit(3, 1));
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}
END_TEST

/* ---- beginning ---- */

START_TEST(test_one_that_waits_is_begun_by_a_packet_of_its_own)
{
	generation(1, false);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert(!ike_conns_living(&role, REQID));
	ck_assert(!ike_conns_wanted(&role, REQID + 1, peer(), NULL, pair.now_ms));
	ck_assert(!ike_conns_wanted(&role, REQID, &stranger, NULL, pair.now_ms));
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	ck_assert(ike_conns_living(&role, REQID));
	ck_assert(!ike_conns_living(&role, REQID + 1));
	/* What is under way is enough. */
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	pair_settle(&pair);
	ck_assert(is_up());
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
}
END_TEST

START_TEST(test_a_peer_without_an_address_is_whoever_a_packet_is_for)
{
	pair.ends[0].conn->peers[0].address = (struct ipsp_addr){ 0 };
	generation(1, true);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);	/* there is nobody to begin with */
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	pair_settle(&pair);
	ck_assert(is_up());
}
END_TEST

START_TEST(test_who_cannot_be_reached_is_tried_again_at_growing_distances)
{
	unsigned at = 0, gap = 0, longest = 0, n = 0;

	no_way = true;
	generation(1, true);
	n_ways = 0;
	for (unsigned s = 1; s <= 3600; s++) {
		second_by_second(1);
		if (n_ways == n)
			continue;
		n = n_ways;
		gap = s - at;
		ck_assert_uint_ge(gap, longest);
		longest = gap;
		at = s;
	}
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_le(n, 200);
	/* Once there is a way, it is up after the next try. */
	no_way = false;
	second_by_second(longest);
	ck_assert(is_up());
}
END_TEST

/* What the agent was told last, and how often. */
static void told(unsigned times, uint32_t in_ms)
{
	settle();
	ck_assert_uint_eq(n_next, times);
	ck_assert_uint_eq(next_try.in_ms, in_ms);
	ck_assert_str_eq(next_try.ipsec, "child");
	ck_assert_str_eq(next_try.ike, "ike");
}

START_TEST(test_the_agent_is_told_when_one_is_begun_again)
{
	no_way = true;
	generation(1, true);
	told(1, 1000);
	second_by_second(1);
	ike_conns_tick(&role, pair.now_ms);
	told(2, 2000);
	pair_pass(&pair, 1000);
	ike_conns_tick(&role, pair.now_ms);
	told(2, 2000);		/* it knows that */
	generation(2, true);
	told(2, 2000);
	ike_conns_unknown(&role);	/* there is another agent */
	ike_conns_tick(&role, pair.now_ms);
	told(3, 1000);
	no_way = false;
	second_by_second(3);
	told(4, 0);
	ck_assert(is_up());
	no_way = true;
	ike_end_all(pair.ends[1].world, NULL, pair.now_ms);
	pair_settle(&pair);
	ike_conns_tick(&role, pair.now_ms);
	told(5, 1000);
	ck_assert(say_request(IKE_WIRE_TERMINATE, "child", "ike"));
	ike_conns_tick(&role, pair.now_ms);
	told(6, 0);
}
END_TEST

START_TEST(test_one_that_goes_is_not_begun_again)
{
	no_way = true;
	generation(1, true);
	told(1, 1000);
	generation_of_none(2);
	told(2, 0);
}
END_TEST

static uint8_t last_spi[IKE_SPI_LEN];
static uint64_t begun_ms[256];
static unsigned n_begun;

/* Nobody is there. */
static unsigned note_begun(struct pair *p, const struct pair_datagram *d)
{
	if (d->to == 1 && memcmp(d->octets, last_spi, sizeof(last_spi))) {
		memcpy(last_spi, d->octets, sizeof(last_spi));
		ck_assert_uint_lt(n_begun, 256);
		begun_ms[n_begun++] = p->now_ms;
	}
	return 0;
}

/* An attempt takes its time, too: three seconds here. */
START_TEST(test_who_does_not_answer_is_tried_again_at_growing_distances)
{
	uint64_t gap = 0;

	n_begun = 0;
	pair.fate = note_begun;
	pair.ends[0].conn->retransmit_s = 3;
	pair.ends[0].conn->tries = 1;
	generation(1, true);
	second_by_second(1000);
	ck_assert_uint_ge(n_begun, 10);
	ck_assert_uint_le(n_begun, 30);
	for (unsigned i = 1; i < n_begun; i++) {
		ck_assert_uint_ge(begun_ms[i] - begun_ms[i - 1], gap);
		gap = begun_ms[i] - begun_ms[i - 1];
	}
	ck_assert_uint_ge(gap, 60000);
	ck_assert_uint_le(gap, 65000);
	/* One that comes up and goes again is begun at once, though. */
	pair.fate = NULL;
	second_by_second(65);
	ck_assert(is_up());
	ike_end_all(pair.ends[1].world, NULL, pair.now_ms);
	pair_settle(&pair);
	second_by_second(2);
	ck_assert(is_up());
}
END_TEST

START_TEST(test_a_change_of_rows_tries_at_once)
{
	no_way = true;
	generation(1, true);
	second_by_second(300);
	no_way = false;
	pair.ends[0].conn->liveness_s = 30;
	generation(2, true);
	ck_assert(is_up());
}
END_TEST

START_TEST(test_one_that_starts_comes_up_again_after_its_end)
{
	generation(1, true);
	ike_end_all(pair.ends[1].world, NULL, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	second_by_second(2);
	ck_assert(is_up());
}
END_TEST

/* The pair's connection as a default response, with whoever it is. */
static void say_response(uint64_t nr)
{
	struct ike_conn *const c = conn_named("child", "ike");

	c->child.answers = c->child.transport = true;
	c->peers[0].address.family = 0;
	pair.ends[1].conn->child.transport = true;
	ck_assert(say_begin() && say_conn(c, false) && say_commit(nr, 1));
	pair_settle(&pair);
}

START_TEST(test_a_default_response_begins_with_nobody)
{
	say_response(1);
	ike_conns_resume(&role, REQID);
	second_by_second(3);
	ck_assert(!ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	ck_assert(say_request(IKE_WIRE_INITIATE, "child", "ike"));
	ck_assert_uint_eq(n_ways, 0);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
}
END_TEST

START_TEST(test_a_default_response_begins_with_those_of_an_earlier_process_until_there_are_none)
{
	say_response(1);
	earlier = *peer();
	no_way = true;
	ike_conns_resume(&role, REQID);
	second_by_second(3);
	ck_assert_uint_eq(n_ways, 2);	/* at once, and 1 s later; then after 2 s more */
	no_way = false;
	second_by_second(1);
	ck_assert(is_up());
	earlier.family = 0;
	n_ways = 0;
	second_by_second(120);
	ck_assert_uint_eq(n_ways, 0);
}
END_TEST

START_TEST(test_SAs_of_an_earlier_process_have_their_connection_up_again_once)
{
	orphans = REQID;
	generation(1, false);
	ck_assert(is_up());
	orphans = 0;
	second_by_second(1);		/* it is seen to be up */
	ike_end_all(pair.ends[1].world, NULL, pair.now_ms);
	pair_settle(&pair);
	second_by_second(300);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	/* They may also come to be known later. */
	ike_conns_resume(&role, REQID + 1);
	second_by_second(2);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ike_conns_resume(&role, REQID);
	second_by_second(1);
	ck_assert(is_up());
}
END_TEST

START_TEST(test_when_the_engine_has_lost_all_what_was_up_comes_up_again)
{
	generation(1, false);
	ike_conns_resume_living(&role);
	second_by_second(1);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);	/* it was not up */
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	pair_settle(&pair);
	ike_conns_resume_living(&role);
	ike_end_all(role.world, NULL, pair.now_ms);
	pair_settle(&pair);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	second_by_second(1);
	ck_assert(is_up());
}
END_TEST

/* ---- what a manager asks for ---- */

START_TEST(test_a_manager_begins_ends_and_renews_by_name)
{
	generation(1, false);
	ck_assert(say_request(IKE_WIRE_INITIATE, "child", "ike"));
	ck_assert(is_up());
	ck_assert(say_request(IKE_WIRE_REKEY, "child", "ike"));
	ck_assert_uint_eq(rekeyed, REQID);
	ck_assert(say_request(IKE_WIRE_TERMINATE, "child", "ike"));
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
}
END_TEST

START_TEST(test_one_that_was_ended_stays_so_until_its_rows_change)
{
	generation(1, true);
	ck_assert(say_request(IKE_WIRE_TERMINATE, "child", "ike"));
	second_by_second(300);
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	pair.ends[0].conn->liveness_s = 30;
	generation(2, true);
	ck_assert(is_up());
}
END_TEST

START_TEST(test_what_went_meanwhile_cannot_be_asked_of_and_is_no_fault)
{
	generation(1, true);
	ck_assert(say_request(IKE_WIRE_TERMINATE, "child", "other"));
	ck_assert(say_request(IKE_WIRE_TERMINATE, "other", "ike"));
	ck_assert(is_up());
}
END_TEST

static bool say_flush(uint8_t what)
{
	bool good;

	begin_message();
	chan_put_u8(&writer, what);
	good = say(MSG_IKE_FLUSH);
	pair_settle(&pair);
	return good;
}

START_TEST(test_a_flush_ends_all_that_was_negotiated_at_both_ends)
{
	generation(1, true);
	ck_assert(say_flush(IKE_WIRE_FLUSH_ALL));
	ck_assert_uint_eq(pair_ike_sas(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert_uint_eq(ended, REQID);
	second_by_second(2);
	ck_assert(is_up());		/* it starts by itself */
}
END_TEST

START_TEST(test_a_flush_of_pairs_leaves_the_ike_sa)
{
	generation(1, false);
	ck_assert(say_request(IKE_WIRE_INITIATE, "child", "ike"));
	ck_assert(say_flush(IKE_WIRE_FLUSH_AH));
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert(say_flush(IKE_WIRE_FLUSH_ESP));
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert(is_up());
	ck_assert(ike_conns_wanted(&role, REQID, peer(), NULL, pair.now_ms));
	pair_settle(&pair);
	ck_assert_uint_eq(pair_count(&pair, 0), 1);
	ck_assert(say_flush(IKE_WIRE_FLUSH_CHILDREN));
	ck_assert_uint_eq(pair_count(&pair, 0), 0);
	ck_assert_uint_eq(pair_count(&pair, 1), 0);
	ck_assert(is_up());
}
END_TEST

/* ---- an agent that has been taken over ---- */

static void refused(const char *what, bool good)
{
	ck_assert_msg(!good, "%s is taken", what);
	ike_conns_forget(&role);	/* as the process does then */
	settle();
	ck_assert_msg(is_up() && role.n_entries == 1 && applied == 1, "%s changes something", what);
}

START_TEST(test_messages_out_of_their_order_are_refused_and_change_nothing)
{
	static const uint16_t inside[] = { MSG_IKE_OCTETS, MSG_IKE_OWN, MSG_IKE_TRUST, MSG_IKE_CONN,
					   MSG_IKE_UNFIT };

	generation(1, true);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		memset(octets, 1, 8);
		refused("a part without a beginning", say_some(inside[i], 8));
	}
	refused("a connection without a beginning", say_conn(conn_named("other", "ike"), true));
	refused("a fault without a beginning", say_unfit("child", "ike"));
	ck_assert(say_begin());
	refused("a fault of a name that is too long",
		say_unfit("a name that is longer than any row's, by far", "ike"));
	refused("an end without a beginning", say_commit(9, 0));
	refused("a message of another kind", say_some(MSG_START, 0));
	refused("flush 0", say_flush(0));
	refused("a flush behind the last one", say_flush(IKE_WIRE_FLUSHES));
	refused("a flush of nothing", say_some(MSG_IKE_FLUSH, 0));
	octets[0] = IKE_WIRE_FLUSH_ALL;
	refused("a flush with more behind it", say_some(MSG_IKE_FLUSH, 2));
	refused("a beginning with octets", say_some(MSG_IKE_BEGIN, 1));
}
END_TEST

START_TEST(test_an_end_that_counts_otherwise_is_refused_and_changes_nothing)
{
	generation(1, true);
	ck_assert(say_begin());
	refused("fewer than it says", say_commit(9, 1));
	ck_assert(say_begin() && say_conn(conn_named("child", "ike"), true));
	refused("more than it says", say_commit(9, 0));
	for (size_t len = 0; len < 13; len++) {
		ck_assert(say_begin());
		memset(octets, 0, 13);
		if (len != 12)
			refused("an end of another length", say_some(MSG_IKE_COMMIT, len));
	}
	ck_assert(say_begin());
	refused("an end with more behind it", say_some(MSG_IKE_COMMIT, 13));
}
END_TEST

START_TEST(test_a_connection_that_is_cut_or_longer_is_refused_and_changes_nothing)
{
	const struct ike_wire_conn wire = { .conn = conn_named("child", "ike") };
	size_t whole;

	generation(1, true);
	ike_wire_conn_put(begin_message(), &wire);
	whole = writer.len;
	for (size_t len = 0; len < whole; len++) {
		ck_assert(say_begin());
		ike_wire_conn_put(begin_message(), &wire);
		refused("a piece of a connection", say_some(MSG_IKE_CONN, len));
	}
	ck_assert(say_begin());
	ike_wire_conn_put(begin_message(), &wire);
	octets[whole] = 0;
	refused("a connection with more behind it", say_some(MSG_IKE_CONN, whole + 1));
}
END_TEST

START_TEST(test_a_connection_that_names_keys_that_did_not_come_is_refused)
{
	struct ike_wire_conn wire = { .conn = conn_named("child", "ike") };

	generation(1, true);
	wire.proofs[0] = (struct ike_wire_proof){ .n_owns = 1, .owns = { 1 } };
	ck_assert(say_begin());
	ike_wire_conn_put(begin_message(), &wire);
	refused("a key of its own", say(MSG_IKE_CONN));
	wire.proofs[0] = (struct ike_wire_proof){ .trust = UINT32_MAX };
	ck_assert(say_begin());
	ike_wire_conn_put(begin_message(), &wire);
	refused("a trust", say(MSG_IKE_CONN));
}
END_TEST

START_TEST(test_a_request_that_is_none_is_refused_and_changes_nothing)
{
	static const char longer[] = "a name that is longer than any row's, by far";
	const size_t whole = 1 + 4 + 5 + 4 + 3;

	generation(1, true);
	refused("request 0", say_request(0, "child", "ike"));
	refused("a request behind the last one", say_request(IKE_WIRE_REQUESTS, "child", "ike"));
	refused("a name that is too long", say_request(IKE_WIRE_TERMINATE, longer, "ike"));
	refused("another name that is too long", say_request(IKE_WIRE_TERMINATE, "child", longer));
	for (size_t len = 0; len <= whole + 1; len++) {
		begin_message();
		chan_put_u8(&writer, IKE_WIRE_TERMINATE);
		chan_put_text(&writer, "child");
		chan_put_text(&writer, "ike");
		chan_put_u8(&writer, 0);
		if (len != whole)
			refused("a request of another length", say_some(MSG_IKE_REQUEST, len));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/ike_conns");
	TCase *tc = tcase_create("connections");
	SRunner *r;
	int failed;

	log_to_channel(NULL);
	log_set_level(LOG_CRIT);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_connection_that_starts_is_begun_with_its_generation);
	tcase_add_test(tc, test_the_agent_is_told_once_the_engine_knows_who_negotiates);
	tcase_add_test(tc, test_a_connection_as_before_stays_the_same);
	tcase_add_test(tc, test_another_lifetime_leaves_the_ike_sa_and_counts_for_it);
	tcase_add_loop_test(tc, test_another_proof_ends_the_ike_sa_and_begins_anew, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tc, test_one_that_is_gone_takes_its_SAs_along_at_both_ends);
	tcase_add_test(tc, test_one_whose_rows_are_at_fault_ends_at_once);
	tcase_add_test(tc, test_SAs_that_another_connection_asks_for_stay_asked_for);
	tcase_add_test(tc, test_who_is_not_believed_any_more_has_SAs_of_an_earlier_process_ended);
	tcase_add_test(tc, test_until_it_is_whole_a_generation_changes_nothing);
	tcase_add_test(tc, test_one_whose_key_cannot_be_used_is_told_and_the_others_go_on);
	tcase_add_test(tc, test_one_of_several_keys_that_cannot_be_used_is_passed_over);
	tcase_add_test(tc, test_a_generation_that_finds_no_memory_changes_nothing);
	tcase_add_test(tc, test_two_of_one_name_are_no_harm);
	tcase_add_test(tc, test_thousands_know_what_was_there_before_them);
	tcase_add_test(tc, test_what_goes_on_what_ends_and_what_stays_are_told_apart);
	tcase_add_test(tc, test_one_that_waits_is_begun_by_a_packet_of_its_own);
	tcase_add_test(tc, test_a_peer_without_an_address_is_whoever_a_packet_is_for);
	tcase_add_test(tc, test_who_cannot_be_reached_is_tried_again_at_growing_distances);
	tcase_add_test(tc, test_who_does_not_answer_is_tried_again_at_growing_distances);
	tcase_add_test(tc, test_the_agent_is_told_when_one_is_begun_again);
	tcase_add_test(tc, test_one_that_goes_is_not_begun_again);
	tcase_add_test(tc, test_a_change_of_rows_tries_at_once);
	tcase_add_test(tc, test_one_that_starts_comes_up_again_after_its_end);
	tcase_add_test(tc, test_a_default_response_begins_with_nobody);
	tcase_add_test(tc, test_a_default_response_begins_with_those_of_an_earlier_process_until_there_are_none);
	tcase_add_test(tc, test_SAs_of_an_earlier_process_have_their_connection_up_again_once);
	tcase_add_test(tc, test_when_the_engine_has_lost_all_what_was_up_comes_up_again);
	tcase_add_test(tc, test_a_manager_begins_ends_and_renews_by_name);
	tcase_add_test(tc, test_one_that_was_ended_stays_so_until_its_rows_change);
	tcase_add_test(tc, test_what_went_meanwhile_cannot_be_asked_of_and_is_no_fault);
	tcase_add_test(tc, test_a_flush_ends_all_that_was_negotiated_at_both_ends);
	tcase_add_test(tc, test_a_flush_of_pairs_leaves_the_ike_sa);
	tcase_add_test(tc, test_messages_out_of_their_order_are_refused_and_change_nothing);
	tcase_add_test(tc, test_an_end_that_counts_otherwise_is_refused_and_changes_nothing);
	tcase_add_test(tc, test_a_connection_that_is_cut_or_longer_is_refused_and_changes_nothing);
	tcase_add_test(tc, test_a_connection_that_names_keys_that_did_not_come_is_refused);
	tcase_add_test(tc, test_a_request_that_is_none_is_refused_and_changes_nothing);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
