/* Tests of ipspd/ike_spd.c: SPD entries of the default response in the words of PF_KEY, read by the reader of the server. */
#include "config.h"

#include <check.h>
#include <linux/ipsec.h>
#include <stdlib.h>
#include <string.h>

#include "ike/registry.h"
#include "ipspd/ike_spd.h"
#include "pfkey/msg.h"

#define SAID_MAX 32u

static struct ike_spd_list list;
static struct ike_selectors ours, theirs;
static struct ike_child_config config;
static struct ike_child_sa child;
static struct {
	uint8_t octets[512];
	struct pfkey_msg m;
	uint32_t ends;		/* whose Child SA does when it is refused */
} said[SAID_MAX];
static unsigned n_said, n_most;

static uint32_t seq(void *arg, uint8_t protocol, uint32_t spi_in)
{
	(void)arg;
	ck_assert_uint_eq(protocol, IKE_PROTOCOL_ESP);
	ck_assert_uint_lt(n_said, SAID_MAX);
	said[n_said].ends = spi_in;
	return 100 + n_said;
}

static bool put(void *arg, const uint8_t *message, size_t len)
{
	(void)arg;
	if (n_said == n_most)
		return false;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(len, sizeof(said[n_said].octets));
	memcpy(said[n_said].octets, message, len);
	ck_assert_int_eq(pfkey_msg_read(said[n_said].octets, len, &said[n_said].m), 0);
	ck_assert_int_eq(pfkey_msg_check_request(&said[n_said].m), 0);
	ck_assert_uint_eq(said[n_said].m.seq, 100 + n_said);
	n_said++;
	return true;
}

static const struct ike_spd_way way = { .pid = 4711, .seq = seq, .put = put };

static struct ike_selector host(uint8_t last, uint8_t protocol, uint16_t lo, uint16_t hi)
{
	const struct ipsp_addr a = { 4, { 192, 0, 2, last } };

	return (struct ike_selector){ .protocol = protocol, .lo = a, .hi = a, .port_lo = lo, .port_hi = hi };
}

static void setup(void)
{
	LIST_INIT(&list);
	n_said = 0;
	n_most = SAID_MAX;
	ours = (struct ike_selectors){ 1, { host(1, 0, 0, UINT16_MAX) } };
	theirs = (struct ike_selectors){ 1, { host(2, 0, 0, UINT16_MAX) } };
	config = (struct ike_child_config){ .reqid = 0x40000007, .answers = true, .life = { 3600, 0, 80, 80 } };
	child = (struct ike_child_sa){ .protocol = IKE_PROTOCOL_ESP, .spi_in = 0x1001, .ours = &ours, .theirs = &theirs,
				       .config = &config, .transport = true };
}

static void teardown(void)
{
	ike_spd_forget(&list);
}

START_TEST(test_there_is_one_entry_a_direction_behind_all_others)
{
	ck_assert(ike_spd_add(&way, &list, &child));
	ck_assert_uint_eq(n_said, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct pfkey_msg *const m = &said[i].m;
		const bool in = m->policy.dir == IPSEC_DIR_INBOUND;

		ck_assert_uint_eq(m->type, SADB_X_SPDUPDATE);
		ck_assert_uint_eq(said[i].ends, 0x1001);
		ck_assert_int_eq(in, i == 0);
		ck_assert_uint_eq(m->policy.type, IPSEC_POLICY_IPSEC);
		ck_assert_uint_eq(m->policy.priority, UINT32_MAX);
		ck_assert_uint_eq(m->policy.n_requests, 1);
		ck_assert_uint_eq(m->policy.requests[0].proto, 50);
		ck_assert_uint_eq(m->policy.requests[0].mode, IPSEC_MODE_TRANSPORT);
		ck_assert_uint_eq(m->policy.requests[0].level, IPSEC_LEVEL_UNIQUE);
		ck_assert_uint_eq(m->policy.requests[0].reqid, 0x40000007);
		ck_assert_uint_eq(m->src.addr.octets[3], in ? 2 : 1);
		ck_assert_uint_eq(m->dst.addr.octets[3], in ? 1 : 2);
		ck_assert_uint_eq(m->src.prefix_len, 32);
		ck_assert_uint_eq(m->dst.prefix_len, 32);
		/* It does not stay for ever. */
		ck_assert_uint_ge(m->hard.add_s, 3600);
		ck_assert_uint_lt(m->hard.add_s, 3700);
	}
}
END_TEST

START_TEST(test_protocol_and_port_are_what_was_agreed_on)
{
	ours.s[0] = host(1, 6, 80, 80);
	theirs.s[0] = host(2, 6, 0, UINT16_MAX);
	ck_assert(ike_spd_add(&way, &list, &child));
	ck_assert_uint_eq(said[0].m.dst.port, 80);
	ck_assert_uint_eq(said[0].m.src.port, 0);
	ck_assert_uint_eq(said[0].m.src.proto, 6);
	ck_assert_uint_eq(said[1].m.src.port, 80);
}
END_TEST

START_TEST(test_only_pairs_of_one_protocol_have_entries)
{
	ours = (struct ike_selectors){ 2, { host(1, 6, 80, 80), host(1, 17, 53, 53) } };
	theirs = (struct ike_selectors){ 2, { host(2, 6, 0, UINT16_MAX), host(2, 17, 0, UINT16_MAX) } };
	ck_assert(ike_spd_add(&way, &list, &child));
	ck_assert_uint_eq(n_said, 4);
	ours.n = theirs.n = 1;
	theirs.s[0] = host(2, 17, 0, UINT16_MAX);
	ck_assert(!ike_spd_add(&way, &list, &child));
}
END_TEST

START_TEST(test_they_go_with_the_last_child_sa_that_has_them)
{
	ck_assert(ike_spd_add(&way, &list, &child));
	child.spi_in = 0x1002;
	ck_assert(ike_spd_add(&way, &list, &child));
	n_said = 0;
	ike_spd_end(&way, &list, IKE_PROTOCOL_ESP, 0x1001);
	ck_assert_uint_eq(n_said, 0);
	ike_spd_end(&way, &list, IKE_PROTOCOL_ESP, 0x1001);
	ike_spd_end(&way, &list, IKE_PROTOCOL_ESP, 0x1002);
	ck_assert_uint_eq(n_said, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(said[i].m.type, SADB_X_SPDDELETE);
		ck_assert_uint_eq(said[i].ends, 0);
		ck_assert_uint_eq(said[i].m.policy.dir, i ? IPSEC_DIR_INBOUND : IPSEC_DIR_OUTBOUND);
		ck_assert_uint_eq(said[i].m.src.addr.octets[3], i ? 2 : 1);
	}
}
END_TEST

/* As the server tells of what was said. */
static struct pfkey_msg dumped(unsigned i)
{
	struct pfkey_msg m = said[i].m;

	m.type = SADB_X_SPDDUMP;
	m.has |= PFKEY_HAS(SADB_EXT_LIFETIME_HARD);
	return m;
}

/* What an earlier process has said, of one Child SA. */
static void say_earlier(struct pfkey_msg m[2])
{
	ck_assert(ike_spd_add(&way, &list, &child));
	m[0] = dumped(0);
	m[1] = dumped(1);
	ike_spd_forget(&list);
	n_said = 0;
}

START_TEST(test_those_of_an_earlier_process_end_when_this_one_says_so)
{
	const struct ipsp_addr *const peer = &theirs.s[0].lo;
	struct ipsp_addr remotes[2], remote;
	struct pfkey_msg m[2];
	uint32_t reqid;

	ours.s[0] = host(1, 6, 80, 80);
	say_earlier(m);
	ck_assert(ike_spd_adopt(&list, &m[_i], &remote, &reqid));
	ck_assert_uint_eq(reqid, config.reqid);
	ck_assert_int_eq(ipsp_addr_cmp(&remote, peer), 0);
	ck_assert(!ike_spd_adopt(&list, &m[!_i], &remote, &reqid));
	ck_assert_uint_eq(ike_spd_earlier(&list, config.reqid, remotes, 2), 1);
	ck_assert_int_eq(ipsp_addr_cmp(&remotes[0], peer), 0);
	ck_assert_uint_eq(ike_spd_earlier(&list, config.reqid + 1, remotes, 2), 0);
	ike_spd_end_earlier(&way, &list, config.reqid + 1, peer);
	ike_spd_end_earlier(&way, &list, config.reqid, &ours.s[0].lo);
	ike_spd_end(&way, &list, IKE_PROTOCOL_ESP, 0);
	ck_assert_uint_eq(n_said, 0);
	ike_spd_end_earlier(&way, &list, config.reqid, peer);
	ck_assert_uint_eq(n_said, 2);
	ck_assert_uint_eq(said[0].m.type, SADB_X_SPDDELETE);
	ck_assert_uint_eq(said[0].m.src.port, 80);
	ck_assert_uint_eq(said[0].m.src.proto, 6);
	ck_assert(LIST_EMPTY(&list));
}
END_TEST

START_TEST(test_what_a_child_sa_of_ours_has_too_stays_when_those_of_an_earlier_process_end)
{
	struct pfkey_msg m[2];
	struct ipsp_addr remote;
	uint32_t reqid;

	/* One side alone says the protocol. */
	ours.s[0] = host(1, 6, 80, 80);
	say_earlier(m);
	ck_assert(ike_spd_adopt(&list, &m[0], &remote, &reqid));
	ck_assert(ike_spd_add(&way, &list, &child));
	n_said = 0;
	ike_spd_end_earlier(&way, &list, reqid, &remote);
	ck_assert_uint_eq(n_said, 0);
	ike_spd_end(&way, &list, IKE_PROTOCOL_ESP, child.spi_in);
	ck_assert_uint_eq(n_said, 2);
}
END_TEST

/* Each alone makes it somebody else's. */
static void another_priority(struct pfkey_msg *m) { m->policy.priority--; }
static void another_reqid(struct pfkey_msg *m) { m->policy.requests[0].reqid |= 0x80000000; }
static void reqid_of_few_bits(struct pfkey_msg *m) { m->policy.requests[0].reqid = 7; }
static void another_level(struct pfkey_msg *m) { m->policy.requests[0].level = IPSEC_LEVEL_REQUIRE; }
static void another_mode(struct pfkey_msg *m) { m->policy.requests[0].mode = IPSEC_MODE_TUNNEL; }
static void another_direction(struct pfkey_msg *m) { m->policy.dir = IPSEC_DIR_FWD; }
static void two_requests(struct pfkey_msg *m) { m->policy.n_requests = 2; }
static void no_request(struct pfkey_msg *m) { m->policy.n_requests = 0; }
static void a_bypass(struct pfkey_msg *m) { m->policy.type = IPSEC_POLICY_NONE; }
static void a_network(struct pfkey_msg *m) { m->src.prefix_len = 24; }
static void no_end(struct pfkey_msg *m) { m->hard.add_s = 0; }
static void an_error(struct pfkey_msg *m) { m->err = 2; }
static void no_policy(struct pfkey_msg *m) { m->has &= ~PFKEY_HAS(SADB_X_EXT_POLICY); }
static void no_address(struct pfkey_msg *m) { m->has &= ~PFKEY_HAS(SADB_EXT_ADDRESS_DST); }

static void (*const others[])(struct pfkey_msg *m) = {
	another_priority, another_reqid, reqid_of_few_bits, another_level, another_mode, another_direction, two_requests,
	no_request, a_bypass, a_network, no_end, an_error, no_policy, no_address,
};

START_TEST(test_what_somebody_else_has_said_is_left_alone)
{
	struct ipsp_addr remote;
	struct pfkey_msg m[2];
	uint32_t reqid;

	say_earlier(m);
	others[_i](&m[0]);
	ck_assert(!ike_spd_adopt(&list, &m[0], &remote, &reqid));
	ck_assert(LIST_EMPTY(&list));
}
END_TEST

START_TEST(test_what_cannot_be_sent_leaves_nothing)
{
	n_most = (unsigned)_i;
	ck_assert(!ike_spd_add(&way, &list, &child));
	ck_assert(LIST_EMPTY(&list));
}
END_TEST

int main(void)
{
	Suite *const s = suite_create("ipspd/ike_spd");
	TCase *const t = tcase_create("entries");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_there_is_one_entry_a_direction_behind_all_others);
	tcase_add_test(t, test_protocol_and_port_are_what_was_agreed_on);
	tcase_add_test(t, test_only_pairs_of_one_protocol_have_entries);
	tcase_add_test(t, test_they_go_with_the_last_child_sa_that_has_them);
	tcase_add_loop_test(t, test_what_cannot_be_sent_leaves_nothing, 0, 2);
	tcase_add_loop_test(t, test_those_of_an_earlier_process_end_when_this_one_says_so, 0, 2);
	tcase_add_test(t, test_what_a_child_sa_of_ours_has_too_stays_when_those_of_an_earlier_process_end);
	tcase_add_loop_test(t, test_what_somebody_else_has_said_is_left_alone, 0, sizeof(others) / sizeof(others[0]));
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
