/* Tests of pfkey/policies.c, migrate.c, flows.c: what key managers ask and hear of policies. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pfkey/managers.h"

static void put_policy(uint16_t type, uint8_t dir, uint32_t index,
		       const struct pfkey_request *asks)
{
	struct pfkey_policy p = { .type = type, .dir = dir, .id = index, .priority = 9 };

	if (asks) {
		p.n_requests = 1;
		p.requests[0] = *asks;
	}
	pfkey_put_policy(&w, &p);
}

static const struct pfkey_request tunnel = {
	.proto = 50, .mode = IPSEC_MODE_TUNNEL, .level = IPSEC_LEVEL_UNIQUE, .reqid = 7,
	.src = { 4, { 192, 0, 2, 1 } }, .dst = { 4, { 198, 51, 100, 2 } },
};

/* Between 10.1.0.0/16 and 10.2.0.0/16, outbound. */
static void ask_policy(int who, uint8_t type, uint16_t policy_type,
		       const struct pfkey_request *asks)
{
	const struct pfkey_address src = { .addr = { 4, { 10, 1 } }, .proto = 255,
					   .prefix_len = 16 };
	const struct pfkey_address dst = { .addr = { 4, { 10, 2 } }, .proto = 255,
					   .prefix_len = 16 };

	begin(type, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	put_policy(policy_type, IPSEC_DIR_OUTBOUND, 0, asks);
	ask(who);
}

START_TEST(test_a_policy_is_answered_when_it_is_in_force)
{
	struct pfkey_msg m;

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	silence();
	ck_assert_int_eq(told.n, 1);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_PROTECT);
	ck_assert_uint_eq(told.policy.templates[0].reqid, 7);
	ck_assert_uint_eq(told.policy.selector.dst_hi.octets[3], 255);
	pfkey_server_applied(server, told.serial);
	for (int i = 0; i < CLIENTS; i++) {
		m = answered(i, SADB_X_SPDADD, 0);
		ck_assert_uint_eq(m.policy.id, told.policy.index);
		ck_assert_uint_eq(m.policy.id & 7, IPSEC_DIR_OUTBOUND);
		ck_assert_uint_eq(m.policy.n_requests, 1);
		ck_assert_uint_eq(m.policy.requests[0].dst.octets[0], 198);
		ck_assert_uint_eq(m.src.prefix_len, 16);
	}
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	answered(0, SADB_X_SPDADD, EEXIST);
	silence();
}
END_TEST

START_TEST(test_an_update_keeps_the_index_and_is_told_again)
{
	ask_policy(0, SADB_X_SPDUPDATE, IPSEC_POLICY_IPSEC, &tunnel);
	const uint32_t index = told.policy.index;

	ask_policy(0, SADB_X_SPDUPDATE, IPSEC_POLICY_DISCARD, NULL);
	ck_assert_uint_eq(told.policy.index, index);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_DISCARD);
	pfkey_server_applied(server, told.serial);
	hears(0, SADB_X_SPDUPDATE, 0);
	answered(0, SADB_X_SPDUPDATE, 0);
}
END_TEST

START_TEST(test_policies_are_got_and_deleted_by_index_and_by_selector)
{
	struct pfkey_msg m;

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	const uint32_t index = told.policy.index;

	pfkey_server_applied(server, told.serial);
	forget_all();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	m = answered(1, SADB_X_SPDGET, 0);
	ck_assert_uint_eq(m.policy.requests[0].reqid, 7);
	silence();
	begin(SADB_X_SPDDELETE2, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	ck_assert(told.gone);
	silence();
	pfkey_server_applied(server, told.serial);
	answered(2, SADB_X_SPDDELETE2, 0);
	forget_all();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, index, NULL);
	ask(1);
	answered(1, SADB_X_SPDGET, ENOENT);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	ck_assert_uint_ne(told.policy.index, index);
	ask_policy(0, SADB_X_SPDDELETE, 0, NULL);
	ck_assert_int_eq(told.n, 0);
	ask_policy(0, SADB_X_SPDDELETE, 0, NULL);
	answered(0, SADB_X_SPDDELETE, ENOENT);
}
END_TEST

START_TEST(test_policies_that_cannot_be_are_refused)
{
	struct pfkey_request r = tunnel;

	r.src.family = r.dst.family = 0;
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &r);	/* a tunnel from nowhere */
	answered(0, SADB_X_SPDADD, EINVAL);
	r = tunnel;
	r.proto = 17;
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &r);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, NULL);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_DISCARD, &tunnel);
	answered(0, SADB_X_SPDADD, EINVAL);
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_ENTRUST, NULL);
	answered(0, SADB_X_SPDADD, EINVAL);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

START_TEST(test_an_answer_does_not_wait_for_ever)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_NONE, NULL);
	now_s += 9;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	silence();
	now_s += 1;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	answered(0, SADB_X_SPDADD, ETIMEDOUT);
	pfkey_server_applied(server, told.serial);
	silence();
}
END_TEST

START_TEST(test_a_policys_time_ends_and_all_hear_of_it)
{
	const struct pfkey_lifetime life = { .add_s = 60 };
	const struct pfkey_address a = { .addr = { 4, { 10, 1 } }, .prefix_len = 32, .proto = 1,
					 .port = 8 };

	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &life);
	put_addresses(&a, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_FWD, 0, NULL);
	ask(0);
	ck_assert_uint_eq(told.policy.selector.sport_lo, IPSP_PORT_MESSAGE + 8 * 256);
	ck_assert_uint_eq(told.policy.selector.sport_hi, IPSP_PORT_MESSAGE + 8 * 256 + 255);
	pfkey_server_applied(server, told.serial);
	forget_all();
	now_s += 59;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	silence();
	now_s += 1;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
	const struct pfkey_msg m = hears(2, SADB_X_SPDEXPIRE, 0);

	ck_assert_uint_eq(m.hard.add_s, 60);
	ck_assert_uint_eq(m.src.port, 8);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

/* As a packet that the policy told last decides. */
static void hit_policy(uint64_t packets)
{
	const struct ipsp_spd_key list = { 3, IPSP_OUTBOUND };
	struct ipsp_spd_db *db = ipsp_engine_spd_db(engine);
	struct ipsp_spd_hits *hits = ipsp_spd_hits_ref(db, &list, PFKEY_ENTRY_ID(told.policy.index));

	ck_assert_ptr_nonnull(hits);
	ipsp_spd_hit(hits, packets, packets * 100);
	ipsp_spd_hits_unref(db, hits);
}

static void tick(uint64_t seconds)
{
	now_s += seconds;
	pfkey_server_tick(server, now_s, WALL_S + now_s);
}

START_TEST(test_a_policy_that_is_not_used_for_its_time_ends)
{
	const struct pfkey_lifetime life = { .use_s = 30 };
	struct pfkey_msg m;

	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	pfkey_put_lifetime(&w, SADB_EXT_LIFETIME_HARD, &life);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_OUTBOUND, 0, NULL);
	ask(0);
	pfkey_server_applied(server, told.serial);
	forget_all();
	tick(20);
	hit_policy(3);
	tick(5);
	const uint64_t used_wall_s = WALL_S + now_s;

	tick(29);
	silence();
	begin(SADB_X_SPDGET, SADB_SATYPE_UNSPEC);
	put_policy(0, IPSEC_DIR_OUTBOUND, told.policy.index, NULL);
	ask(1);
	m = answered(1, SADB_X_SPDGET, 0);
	ck_assert_uint_eq(m.current.allocations, 3);
	ck_assert_uint_eq(m.current.bytes, 300);
	ck_assert_uint_eq(m.current.use_s, used_wall_s);
	ck_assert_uint_eq(m.hard.use_s, 30);
	tick(1);
	m = hears(2, SADB_X_SPDEXPIRE, 0);
	ck_assert_uint_eq(m.current.use_s, used_wall_s);
	ck_assert_int_eq(told.n, 0);
}
END_TEST

START_TEST(test_flush_and_dump_of_policies)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_INBOUND, 0, NULL);
	ask(0);
	pfkey_server_applied(server, told.serial);
	forget_all();
	begin(SADB_X_SPDDUMP, SADB_SATYPE_UNSPEC);
	ask(1);
	pfkey_client_dump(clients[1], 9, now_s, WALL_S + now_s);
	ck_assert_uint_eq(hears(1, SADB_X_SPDDUMP, 0).seq, 1);
	ck_assert_uint_eq(hears(1, SADB_X_SPDDUMP, 0).seq, 0);
	begin(SADB_X_SPDFLUSH, SADB_SATYPE_UNSPEC);
	ask(1);
	silence();
	ck_assert_int_eq(told.n, 0);
	pfkey_server_applied(server, told.serial);
	for (int i = 0; i < CLIENTS; i++)
		answered(i, SADB_X_SPDFLUSH, 0);
	begin(SADB_X_SPDFLUSH, SADB_SATYPE_UNSPEC);
	ask(1);
	answered(1, SADB_X_SPDFLUSH, 0);
}
END_TEST

START_TEST(test_restored_policies_keep_their_index_and_place)
{
	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	struct pfkey_band_policy p = told.policy;

	ck_assert(!pfkey_server_restore(server, &p, now_s, WALL_S + now_s));
	p.selector.proto_lo = p.selector.proto_hi = 17;
	p.index = 99u << 3 | IPSEC_DIR_OUTBOUND;
	p.order = 50;
	ck_assert(pfkey_server_restore(server, &p, now_s, WALL_S + now_s));
	pfkey_server_tell_policies(server);
	ck_assert_int_eq(told.n, 3);	/* one, and both of them */
	begin(SADB_X_SPDADD, SADB_SATYPE_UNSPEC);
	put_addresses(&ours, &peer);
	put_policy(IPSEC_POLICY_NONE, IPSEC_DIR_INBOUND, 0, NULL);
	ask(0);
	ck_assert_uint_eq(told.policy.index, 100u << 3 | IPSEC_DIR_INBOUND);
	ck_assert_uint_eq(told.policy.order, 51);
}
END_TEST

START_TEST(test_migrate_moves_a_policy_and_its_sas)
{
	struct pfkey_policy p = { .dir = IPSEC_DIR_OUTBOUND, .n_requests = 2 };
	const struct pfkey_sa2 mode = { .mode = IPSEC_MODE_TUNNEL, .reqid = 7 };
	const struct pfkey_address src = { .addr = { 4, { 10, 1 } }, .proto = 255,
					   .prefix_len = 16 };
	const struct pfkey_address dst = { .addr = { 4, { 10, 2 } }, .proto = 255,
					   .prefix_len = 16 };

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&ours, &peer);
	put_keys();
	pfkey_put_sa2(&w, &mode);
	ask(0);
	answered(0, SADB_ADD, 0);
	forget_all();
	p.requests[0] = p.requests[1] = tunnel;
	p.requests[1].dst.octets[3] = 3;
	begin(SADB_X_MIGRATE, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	pfkey_put_policy(&w, &p);
	ask(0);
	ck_assert_uint_eq(told.policy.templates[0].dst.octets[3], 3);
	ask_about(0, SADB_GET, 0x1000, false);
	answered(0, SADB_GET, ESRCH);
	const struct ipsp_sa_name name = { 50, 0x1000, { 4, { 198, 51, 100, 3 } } };

	ck_assert_ptr_nonnull(ipsp_engine_sa_get(engine, &name));
	p.n_requests = 1;
	begin(SADB_X_MIGRATE, SADB_SATYPE_UNSPEC);
	put_addresses(&src, &dst);
	pfkey_put_policy(&w, &p);
	ask(0);
	answered(0, SADB_X_MIGRATE, EINVAL);
}
END_TEST

static void move_one(uint32_t spi, const struct pfkey_request requests[2], uint16_t port)
{
	struct pfkey_policy p = { .dir = IPSEC_DIR_OUTBOUND, .n_requests = 2 };
	const struct pfkey_address src = { .addr = requests[0].src, .prefix_len = 32 };
	const struct pfkey_address dst = { .addr = requests[0].dst, .prefix_len = 32 };

	p.requests[0] = requests[0];
	p.requests[1] = requests[1];
	forget_all();
	begin(SADB_X_MIGRATE, SADB_SATYPE_ESP);
	put_sa(spi);
	put_addresses(&src, &dst);
	pfkey_put_policy(&w, &p);
	if (port) {
		pfkey_put_natt_type(&w, UDP_ENCAP_ESPINUDP);
		pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_SPORT, 4500);
		pfkey_put_natt_port(&w, SADB_X_EXT_NAT_T_DPORT, port);
	}
	ask(0);
}

/* Two with the same ends and reqid: peers behind one NAT. */
START_TEST(test_migrate_with_an_sa_moves_that_one_alone)
{
	const struct pfkey_sa2 mode = { .mode = IPSEC_MODE_TUNNEL, .reqid = 7 };
	struct pfkey_request requests[2] = { tunnel, tunnel };
	const struct ipsp_sa_name moved = { 50, 0x1000, { 4, { 198, 51, 100, 3 } } };
	const struct ipsp_sa *sa;

	for (uint32_t spi = 0x1000; spi <= 0x1001; spi++) {
		begin(SADB_ADD, SADB_SATYPE_ESP);
		put_sa(spi);
		put_addresses(&ours, &peer);
		put_keys();
		pfkey_put_sa2(&w, &mode);
		ask(0);
	}
	requests[1].dst.octets[3] = 3;
	move_one(0x1000, requests, 24500);
	answered(0, SADB_X_MIGRATE, 0);
	sa = ipsp_engine_sa_get(engine, &moved);
	ck_assert_ptr_nonnull(sa);
	ck_assert_uint_eq(sa->encap.type, IPSP_ENCAP_UDP);
	ck_assert_uint_eq(sa->encap.dport, 24500);
	ask_about(0, SADB_GET, 0x1001, false);
	answered(0, SADB_GET, 0);
	/* Back, and out of UDP. */
	requests[0].dst.octets[3] = 3;
	requests[1].dst = tunnel.dst;
	move_one(0x1000, requests, 0);
	answered(0, SADB_X_MIGRATE, 0);
	ask_about(0, SADB_GET, 0x1000, false);
	answered(0, SADB_GET, 0);
	/* Not there; not from where it is said to come; nowhere else than where one of its SPI is. */
	move_one(0x1002, (struct pfkey_request[2]){ tunnel, tunnel }, 0);
	answered(0, SADB_X_MIGRATE, ESRCH);
	requests[1].mode = IPSEC_MODE_TRANSPORT;
	requests[0] = tunnel;
	move_one(0x1000, requests, 0);
	answered(0, SADB_X_MIGRATE, EINVAL);
}
END_TEST

/* As what stands around a tunnel of IPComp is. */
START_TEST(test_migrate_with_an_sa_moves_one_in_transport_mode_too)
{
	const struct ipsp_sa_name moved = { 50, 0x1000, { 4, { 198, 51, 100, 3 } } };
	struct pfkey_request requests[2] = { tunnel, tunnel };

	begin(SADB_ADD, SADB_SATYPE_ESP);
	put_sa(0x1000);
	put_addresses(&ours, &peer);
	put_keys();
	ask(0);
	requests[0].reqid = 0;
	requests[1].dst.octets[3] = 3;
	move_one(0x1000, requests, 0);
	answered(0, SADB_X_MIGRATE, EPERM);	/* it is no tunnel */
	requests[0].mode = requests[1].mode = IPSEC_MODE_TRANSPORT;
	move_one(0x1000, requests, 24500);
	answered(0, SADB_X_MIGRATE, 0);
	ck_assert_ptr_nonnull(ipsp_engine_sa_get(engine, &moved));
	ck_assert_uint_eq(ipsp_engine_sa_get(engine, &moved)->mode, IPSP_MODE_TRANSPORT);
}
END_TEST

/* ---- FreeS/WAN ---- */

static void put_flow(bool with_sa, uint32_t spi, uint32_t flags)
{
	static const struct {
		uint16_t ext;
		struct pfkey_address a;
	} sides[] = {
		{ PFKEY_FS_EXT_SRC_FLOW, { .addr = { 4, { 10, 1 } } } },
		{ PFKEY_FS_EXT_DST_FLOW, { .addr = { 4, { 10, 2 } } } },
		{ PFKEY_FS_EXT_SRC_MASK, { .addr = { 4, { 255, 255 } } } },
		{ PFKEY_FS_EXT_DST_MASK, { .addr = { 4, { 255, 255 } } } },
	};
	const struct pfkey_sa sa = { .spi = spi, .state = 1, .flags = flags };

	if (with_sa) {
		pfkey_put_sa(&w, &sa);
		put_addresses(&ours, &peer);
	}
	for (size_t i = 0; i < 4; i++)
		pfkey_put_address(&w, sides[i].ext, &sides[i].a);
}

START_TEST(test_flows_are_policies_through_their_sa)
{
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	answered(0, PFKEY_FS_ADDFLOW, ESRCH);
	ask_add(0, 0x1000, false);
	forget_all();
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_PROTECT);
	ck_assert_uint_eq(told.policy.dir, PFKEY_DIR_OUT);
	ck_assert_uint_eq(told.policy.selector.src_hi.octets[3], 255);
	ck_assert_uint_eq(told.policy.templates[0].dst.octets[0], 198);
	pfkey_server_applied(server, told.serial);
	hears(0, PFKEY_FS_ADDFLOW, 0);
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, 0);
	ask(0);
	hears(0, PFKEY_FS_ADDFLOW, EEXIST);
	begin(PFKEY_FS_ADDFLOW, PFKEY_FS_SATYPE_INT);
	put_flow(true, PFKEY_FS_SPI_DROP, PFKEY_FS_FLAG_REPLACEFLOW);
	ask(0);
	ck_assert_uint_eq(told.policy.action, PFKEY_BAND_DISCARD);
	ck_assert_int_eq(told.n, 2);	/* told twice, one policy */
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_ESP);
	put_flow(false, 0, 0);
	ask(0);
	ck_assert(told.gone);
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_ESP);
	put_flow(false, 0, 0);
	ask(0);
	ck_assert_int_eq(told.n, 1);
}
END_TEST

START_TEST(test_all_flows_can_be_cleared_and_policies_stay)
{
	const struct pfkey_sa clear = { .flags = PFKEY_FS_FLAG_CLEARFLOW };

	ask_policy(0, SADB_X_SPDADD, IPSEC_POLICY_IPSEC, &tunnel);
	ask_add(0, 0x1000, false);
	begin(PFKEY_FS_ADDFLOW, SADB_SATYPE_ESP);
	put_flow(true, 0x1000, PFKEY_FS_FLAG_INFLOW);
	ask(0);
	ck_assert_uint_eq(told.policy.dir, PFKEY_DIR_IN);
	ck_assert_int_eq(told.n, 2);
	begin(PFKEY_FS_DELFLOW, SADB_SATYPE_UNSPEC);
	pfkey_put_sa(&w, &clear);
	ask(0);
	ck_assert_int_eq(told.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pfkey/policies");
	TCase *tc = tcase_create("policies");

	tcase_add_checked_fixture(tc, managers_setup, managers_teardown);
	tcase_add_test(tc, test_a_policy_is_answered_when_it_is_in_force);
	tcase_add_test(tc, test_an_update_keeps_the_index_and_is_told_again);
	tcase_add_test(tc, test_policies_are_got_and_deleted_by_index_and_by_selector);
	tcase_add_test(tc, test_policies_that_cannot_be_are_refused);
	tcase_add_test(tc, test_an_answer_does_not_wait_for_ever);
	tcase_add_test(tc, test_a_policys_time_ends_and_all_hear_of_it);
	tcase_add_test(tc, test_a_policy_that_is_not_used_for_its_time_ends);
	tcase_add_test(tc, test_flush_and_dump_of_policies);
	tcase_add_test(tc, test_restored_policies_keep_their_index_and_place);
	tcase_add_test(tc, test_migrate_moves_a_policy_and_its_sas);
	tcase_add_test(tc, test_migrate_with_an_sa_moves_that_one_alone);
	tcase_add_test(tc, test_migrate_with_an_sa_moves_one_in_transport_mode_too);
	tcase_add_test(tc, test_flows_are_policies_through_their_sa);
	tcase_add_test(tc, test_all_flows_can_be_cleared_and_policies_stay);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
