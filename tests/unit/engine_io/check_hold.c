/*
 * tests/unit/engine_io/check_hold.c - packets that wait for an SA: which are kept, and what becomes of
 * them. RFC 4301 5.1; the newest of a need is kept.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/attach.h"
#include "ipsp/crypto.h"
#include "tests/unit/engine_io/role.h"

#define IF 3u
#define LEN 60u

static struct engine_role role;
static struct engine_worker worker;	/* of this thread, and the role's loop */
static struct ipsp_packet packets[8];
static uint8_t rooms[8][IPSP_HEADROOM + LEN + IPSP_TAILROOM];

/* What the attachment was given to send. */
static struct io_attachment io;
static unsigned n_sent;
static uint8_t sent_verdict, sent_tag;

static void on_write(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *p, size_t n)
{
	(void)a;
	ck_assert_int_eq(dir, IPSP_OUTBOUND);
	ck_assert_uint_eq(n, 1);
	n_sent++;
	sent_verdict = p->verdict;
	sent_tag = p->data[p->len - 1];
}

static const struct io_attachment_ops ops = { .name = "test", .write = on_write };

static void setup(void)
{
	role_setup(&role);
	worker = (struct engine_worker){ .role = &role, .base = role.base, .io = &io };
	ck_assert_int_eq(engine_worker_init(&worker), 0);
	role.workers = &worker;
	role.n_workers = 1;
	ck_assert_int_eq(engine_hold_new(&role), 0);
	io = (struct io_attachment){ .ops = &ops };
	n_sent = 0;
	ipsp_engine_set_key_manager(role.engine, true, 0);
}

static void teardown(void)
{
	engine_hold_free(&role);
	engine_worker_fini(&worker);
	role_teardown(&role);
}

static void apply(uint8_t pfp, uint32_t clear_s)
{
	static uint64_t generation;
	const struct ipsp_template t = {
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TRANSPORT, .reqid = 9, .pfp = pfp,
	};
	struct ipsp_selector any;
	const struct ipsp_spd_entry entry = {
		.id = 5, .action = IPSP_PROTECT, .n_selectors = 1, .selectors = &any,
		.n_templates = 1, .templates = &t, .clear_s = clear_s,
	};
	const struct ipsp_spd_list list = {
		.ifindex = IF, .dir = IPSP_OUTBOUND, .n_entries = 1, .entries = &entry,
	};
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 1, .lists = &list },
	};

	ipsp_selector_any(4, &any);
	ck_assert_int_eq(ipsp_engine_apply(role.engine, &update, 0, NULL), IPSP_OK);
}

/* One outbound packet whose last octet is tag, to a port: judged. */
static void judge(uint8_t tag, uint8_t port)
{
	static const uint8_t header[24] = {
		0x45, 0, 0, LEN, 0, 1, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
		0x13, 0x88,
	};
	struct ipsp_packet *p = &packets[0];

	*p = (struct ipsp_packet){ .ifindex = IF, .len = LEN, .mark = 77,
				   .room = rooms[0], .room_len = sizeof(rooms[0]),
				   .data = rooms[0] + IPSP_HEADROOM };
	memset(rooms[0], 0, sizeof(rooms[0]));
	memcpy(p->data, header, sizeof(header));
	p->data[23] = port;
	p->data[25] = LEN - 20;
	p->data[LEN - 1] = tag;
	ipsp_engine_outbound(worker.core, p, 1, 0);
	ipsp_engine_turn(role.engine, 0);
}

/* And, if it is to be, held. */
static void turn(uint8_t tag, uint8_t port)
{
	judge(tag, port);
	engine_hold_take(&role, packets, 1, 0);
}

static void add_sa(void)
{
	const struct ipsp_sa_config c = {
		.origin = IPSP_ORIGIN_PFKEY, .dir = IPSP_OUTBOUND, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TRANSPORT, .spi = 0x1000, .reqid = 9, .encr = IPSP_ENCR_NULL,
		.integ = IPSP_INTEG_HMAC_SHA1_96, .integ_key = { 20, { 1 } },
		.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 192, 0, 2, 2 } },
	};
	const struct ipsp_sa *sa;

	ck_assert_int_eq(ipsp_engine_sa_add(role.engine, &c, 0, &sa), IPSP_OK);
}

static uint64_t dropped(enum ipsp_reason reason)
{
	struct ipsp_engine_stats s;

	ipsp_engine_stats(role.engine, &s);
	return s.reasons[IPSP_OUTBOUND - 1][reason];
}

START_TEST(test_of_five_packets_the_last_is_sent_once_the_sa_is_there)
{
	apply(0, 0);
	for (uint8_t tag = 1; tag <= 5; tag++)
		turn(tag, 1);
	ck_assert_uint_eq(engine_hold_count(role.hold), 1);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_DISPLACED), 4);
	add_sa();
	/* Not from within the key manager's call. */
	ck_assert_uint_eq(n_sent, 0);
	role_settle(&role);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(sent_verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(engine_hold_count(role.hold), 0);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_OVER), 0);
}
END_TEST

START_TEST(test_as_many_wait_as_managers_say)
{
	struct hold_settings s = HOLD_SETTINGS;

	apply(0, 0);
	s.depth = 3;
	ck_assert(engine_hold_set(role.hold, &s));
	for (uint8_t tag = 1; tag <= 5; tag++)
		turn(tag, 1);
	ck_assert_uint_eq(engine_hold_count(role.hold), 3);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_DISPLACED), 2);
	/* Those too many go with the next one. */
	s.depth = 2;
	ck_assert(engine_hold_set(role.hold, &s));
	turn(6, 1);
	ck_assert_uint_eq(engine_hold_count(role.hold), 2);
	s.depth = 0;
	ck_assert(engine_hold_set(role.hold, &s));
	turn(7, 2);
	ck_assert_uint_eq(engine_hold_count(role.hold), 0);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_DISPLACED), 7);
	s = HOLD_SETTINGS;
	s.seconds = 0;
	ck_assert(!engine_hold_set(role.hold, &s));
	s.seconds = 60;
	s.octets_max = UINT32_MAX;
	ck_assert(!engine_hold_set(role.hold, &s));
}
END_TEST

/* The control thread hears of it later than the worker has judged it. */
START_TEST(test_what_comes_to_be_held_when_its_sa_is_there_is_sent_at_once)
{
	apply(0, 0);
	judge(1, 1);
	ck_assert_uint_eq(packets[0].verdict, IPSP_VERDICT_HOLD);
	add_sa();
	role_settle(&role);
	engine_hold_take(&role, packets, 1, 0);
	role_settle(&role);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(sent_verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(engine_hold_count(role.hold), 0);
}
END_TEST

START_TEST(test_each_need_keeps_its_own)
{
	apply(IPSP_PFP_DESTINATION_PORT, 0);
	for (uint8_t port = 1; port <= 6; port++)
		turn(port, port);
	ck_assert_uint_eq(engine_hold_count(role.hold), 6);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_DISPLACED), 0);
}
END_TEST

START_TEST(test_a_failure_drops_what_waited)
{
	apply(0, 0);
	turn(1, 1);
	ck_assert_int_eq(ipsp_engine_acquire_failed(role.engine, 1, engine_now_s()), IPSP_OK);
	ck_assert_uint_eq(engine_hold_count(role.hold), 0);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_OVER), 1);
	role_settle(&role);
	ck_assert_uint_eq(n_sent, 0);
}
END_TEST

START_TEST(test_what_waited_passes_in_clear_only_where_the_entry_says_so)
{
	apply(0, 60);
	turn(9, 1);
	ck_assert_int_eq(ipsp_engine_acquire_failed(role.engine, 1, engine_now_s()), IPSP_OK);
	role_settle(&role);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(sent_verdict, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(sent_tag, 9);
}
END_TEST

START_TEST(test_policy_that_changed_meanwhile_has_the_last_word)
{
	const struct ipsp_update none = { .spd = { .generation = 99, .full = true } };
	const struct ipsp_spd_list list = { .ifindex = IF, .dir = IPSP_OUTBOUND };
	struct ipsp_update update = none;

	apply(0, 0);
	turn(1, 1);
	update.spd.n_lists = 1;
	update.spd.lists = &list;
	add_sa();
	ck_assert_int_eq(ipsp_engine_apply(role.engine, &update, 0, NULL), IPSP_OK);
	role_settle(&role);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(sent_verdict, IPSP_VERDICT_DROP);
}
END_TEST

START_TEST(test_nothing_waits_for_ever)
{
	apply(0, 0);
	turn(1, 1);
	engine_hold_tick(&role, HOLD_SETTINGS.seconds - 1);
	ck_assert_uint_eq(engine_hold_count(role.hold), 1);
	engine_hold_tick(&role, HOLD_SETTINGS.seconds);
	ck_assert_uint_eq(engine_hold_count(role.hold), 0);
	ck_assert_uint_eq(dropped(IPSP_REASON_HOLD_OVER), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_io/hold");
	TCase *tc = tcase_create("hold");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_of_five_packets_the_last_is_sent_once_the_sa_is_there);
	tcase_add_test(tc, test_as_many_wait_as_managers_say);
	tcase_add_test(tc, test_what_comes_to_be_held_when_its_sa_is_there_is_sent_at_once);
	tcase_add_test(tc, test_each_need_keeps_its_own);
	tcase_add_test(tc, test_a_failure_drops_what_waited);
	tcase_add_test(tc, test_what_waited_passes_in_clear_only_where_the_entry_says_so);
	tcase_add_test(tc, test_policy_that_changed_meanwhile_has_the_last_word);
	tcase_add_test(tc, test_nothing_waits_for_ever);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
