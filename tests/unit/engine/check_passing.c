/*
 * tests/unit/engine/check_passing.c - packets between two others on a link (IPSP_PKT_PASSING): whose ESP
 * it is, and Neighbour Discovery at the end of a list.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define SPI 0x2001u

static struct world w;

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_fini(&w);
}

/* ---- ESP ---- */

static const struct {
	const char *name;
	uint32_t spi;
	bool passing, fragment;
	enum ipsp_verdict verdict;
	enum ipsp_reason reason;
} esp_cases[] = {
	{ "an SA's, and its ICV is wrong", SPI, true, false, IPSP_VERDICT_DROP, IPSP_REASON_ICV },
	{ "nobody's, and it passes", 0x3333, true, false, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE },
	{ "nobody's, and it is for us", 0x3333, false, false, IPSP_VERDICT_DROP,
	  IPSP_REASON_SA_NOT_FOUND },
	{ "a fragment that passes", SPI, true, true, IPSP_VERDICT_BYPASS, IPSP_REASON_NONE },
	{ "a fragment for us", SPI, false, true, IPSP_VERDICT_DROP, IPSP_REASON_ESP_FRAGMENT },
};

START_TEST(test_passing_esp_is_ours_only_when_an_sa_is)
{
	static const struct world_rule bypass = { 31, IPSP_BYPASS, 0, IPSP_PORT_NONE, false };
	const struct ipsp_sa_config sa = world_sa(2, IPSP_INBOUND, SPI);
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, &bypass, 1, &sa, 1, NULL), IPSP_OK);
	world_udp(&p, IPSP_INBOUND, 53, 64);
	p.data[9] = IPSP_PROTO_ESP;
	put_be32(p.data + 20, esp_cases[_i].spi);
	put_be32(p.data + 24, 1);
	put_be16(p.data + 6, esp_cases[_i].fragment ? 0x2000 : 0x4000);
	p.flags = esp_cases[_i].passing ? IPSP_PKT_PASSING : 0;
	ck_assert_msg(world_pass(&w, IPSP_INBOUND, &p) == esp_cases[_i].reason, "%s: %s",
		      esp_cases[_i].name, ipsp_reason_key(p.reason));
	ck_assert_int_eq(p.verdict, esp_cases[_i].verdict);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_passing_esp_of_nobody_is_dropped_where_policy_says_so)
{
	static const struct world_rule rules[] = {
		{ 31, IPSP_PROTECT, 2, IPSP_PORT_NONE, false },
		{ 31, IPSP_DISCARD, 0, IPSP_PORT_NONE, false },
	};
	static const enum ipsp_reason reasons[] = { IPSP_REASON_POLICY_CLEAR,
						    IPSP_REASON_POLICY_DISCARD };
	const struct ipsp_sa_config sa = world_sa(2, IPSP_INBOUND, SPI);
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, &rules[_i], 1, &sa, 1, NULL), IPSP_OK);
	world_udp(&p, IPSP_INBOUND, 53, 64);
	p.data[9] = IPSP_PROTO_ESP;
	p.flags = IPSP_PKT_PASSING;
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), reasons[_i]);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	world_packet_free(&p);
}
END_TEST

/* ---- Neighbour Discovery ---- */

static const struct {
	const char *name;
	uint8_t type, hops, proto;
	bool passing;
	enum ipsp_verdict verdict;
} nd_cases[] = {
	{ "router solicitation", 133, 255, 58, true, IPSP_VERDICT_BYPASS },
	{ "redirect", 137, 255, 58, true, IPSP_VERDICT_BYPASS },
	{ "below them", 132, 255, 58, true, IPSP_VERDICT_DROP },
	{ "above them", 138, 255, 58, true, IPSP_VERDICT_DROP },
	{ "from afar", 135, 254, 58, true, IPSP_VERDICT_DROP },
	{ "another protocol", 135, 255, 59, true, IPSP_VERDICT_DROP },
	{ "where the kernel sees to it", 135, 255, 58, false, IPSP_VERDICT_DROP },
};

static void solicitation(struct ipsp_packet *p, uint8_t type, uint8_t hops, uint8_t proto)
{
	*p = (struct ipsp_packet){ .ifindex = WORLD_IF, .len = 64 };
	p->room_len = IPSP_HEADROOM + p->len + IPSP_TAILROOM;
	p->room = calloc(1, p->room_len);
	p->data = p->room + IPSP_HEADROOM;
	p->data[0] = 0x60;
	p->data[5] = 24;
	p->data[6] = proto;
	p->data[7] = hops;
	p->data[8] = 0xfe;
	p->data[9] = 0x80;
	p->data[23] = 1;
	p->data[24] = 0xff;
	p->data[25] = 2;
	p->data[39] = 1;
	p->data[40] = type;
}

START_TEST(test_neighbour_discovery_passes_at_the_end_of_a_list)
{
	const enum ipsp_dir dirs[] = { IPSP_INBOUND, IPSP_OUTBOUND };
	struct ipsp_packet p;

	ck_assert_int_eq(world_apply(&w, NULL, 0, NULL, 0, NULL), IPSP_OK);
	for (size_t i = 0; i < 2; i++) {
		solicitation(&p, nd_cases[_i].type, nd_cases[_i].hops, nd_cases[_i].proto);
		p.flags = nd_cases[_i].passing ? IPSP_PKT_PASSING : 0;
		(void)world_pass(&w, dirs[i], &p);
		ck_assert_msg(p.verdict == nd_cases[_i].verdict, "%s", nd_cases[_i].name);
		world_packet_free(&p);
	}
}
END_TEST

/* H118: only an entry that names ICMPv6 has a say. The second one stands behind the first. */
static const struct {
	const char *name;
	enum ipsp_action first, second;
	uint8_t proto_lo, proto_hi;	/* of the second */
	uint8_t type;			/* that it is about; 0: any */
	uint8_t sent, hops;
	enum ipsp_verdict verdict;
} overrides[] = {
	{ "all of IPv6 is protected", IPSP_PROTECT, IPSP_BYPASS, 6, 6, 0, 135, 255,
	  IPSP_VERDICT_BYPASS },
	{ "all of IPv6 is discarded", IPSP_DISCARD, IPSP_BYPASS, 6, 6, 0, 136, 255,
	  IPSP_VERDICT_BYPASS },
	{ "from afar", IPSP_DISCARD, IPSP_BYPASS, 6, 6, 0, 135, 254, IPSP_VERDICT_DROP },
	{ "another message", IPSP_DISCARD, IPSP_BYPASS, 6, 6, 0, 128, 255, IPSP_VERDICT_DROP },
	{ "some protocols", IPSP_DISCARD, IPSP_DISCARD, 50, 60, 0, 135, 255, IPSP_VERDICT_BYPASS },
	{ "ICMPv6 is discarded", IPSP_BYPASS, IPSP_DISCARD, 58, 58, 0, 135, 255, IPSP_VERDICT_DROP },
	{ "this message is discarded", IPSP_BYPASS, IPSP_DISCARD, 58, 58, 135, 135, 255,
	  IPSP_VERDICT_DROP },
	{ "another one is", IPSP_DISCARD, IPSP_DISCARD, 58, 58, 134, 135, 255, IPSP_VERDICT_BYPASS },
	{ "ICMPv6 is protected", IPSP_BYPASS, IPSP_PROTECT, 58, 58, 0, 135, 255, IPSP_VERDICT_DROP },
};

START_TEST(test_only_an_entry_that_names_icmpv6_has_a_say_in_neighbour_discovery)
{
	const enum ipsp_dir dirs[] = { IPSP_INBOUND, IPSP_OUTBOUND };
	struct ipsp_selector boxes[2];
	struct ipsp_spd_entry entries[2] = {
		{ .id = 1, .action = (uint8_t)overrides[_i].first, .n_selectors = 1,
		  .selectors = &boxes[0] },
		{ .id = 2, .action = (uint8_t)overrides[_i].second, .n_selectors = 1,
		  .selectors = &boxes[1] },
	};
	struct ipsp_spd_list lists[2];
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 2, .lists = lists },
	};

	ipsp_selector_any(6, &boxes[0]);
	ipsp_selector_any(6, &boxes[1]);
	boxes[1].proto_lo = overrides[_i].proto_lo;
	boxes[1].proto_hi = overrides[_i].proto_hi;
	if (overrides[_i].type) {
		boxes[1].sport_lo = IPSP_PORT_MESSAGE | overrides[_i].type * 256u;
		boxes[1].sport_hi = boxes[1].sport_lo + 255;
	}
	for (size_t i = 0; i < 2; i++)
		lists[i] = (struct ipsp_spd_list){ .ifindex = WORLD_IF, .dir = (uint8_t)dirs[i],
						   .n_entries = 2, .entries = entries };
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
	for (size_t i = 0; i < 2; i++) {
		struct ipsp_packet p;

		solicitation(&p, overrides[_i].sent, overrides[_i].hops, 58);
		p.flags = IPSP_PKT_PASSING;
		(void)world_pass(&w, dirs[i], &p);
		ck_assert_msg(p.verdict == overrides[_i].verdict, "%s, direction %zu",
			      overrides[_i].name, i);
		world_packet_free(&p);
	}
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/passing");
	TCase *t = tcase_create("passing");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_passing_esp_is_ours_only_when_an_sa_is, 0, N_OF(esp_cases));
	tcase_add_loop_test(t, test_passing_esp_of_nobody_is_dropped_where_policy_says_so, 0, 2);
	tcase_add_loop_test(t, test_neighbour_discovery_passes_at_the_end_of_a_list, 0,
			    N_OF(nd_cases));
	tcase_add_loop_test(t, test_only_an_entry_that_names_icmpv6_has_a_say_in_neighbour_discovery, 0,
			    N_OF(overrides));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
