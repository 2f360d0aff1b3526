/* tests/unit/engine/check_icmp.c - ICMP errors, written and read. RFC 792, 1812, 4443. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/icmp.h"
#include "tests/unit/engine_io/packets.h"

static uint8_t room[64 + 2048 + 64], before[2048];
static struct ipsp_packet p;
static struct ipsp_flow flow;

static enum ipsp_reason make(int family, uint8_t proto, uint32_t len)
{
	memset(room, 0x5a, sizeof(room));
	p = (struct ipsp_packet){
		.room = room, .room_len = sizeof(room), .data = room + 64, .len = len,
	};
	packets_header(p.data, family, proto, len);
	memcpy(before, p.data, len);
	return ipsp_flow_parse((struct ipsp_span){ p.data, len }, &flow);
}

START_TEST(test_ipv4_sender_learns_the_size_that_fits)
{
	ck_assert_int_eq(make(4, 17, 1500), IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1422, NULL));
	const uint8_t *const out = p.data;

	ck_assert_uint_eq(p.len, 576);	/* RFC 1812 4.3.2.3 */
	ck_assert(packets_sums_right(out, p.len, 20, 1));
	ck_assert_uint_eq(out[9], 1);
	ck_assert_mem_eq(out + 12, before + 16, 4);
	ck_assert_mem_eq(out + 16, before + 12, 4);
	ck_assert_uint_eq(out[20] << 8 | out[21], 3 << 8 | 4);
	ck_assert_uint_eq(out[26] << 8 | out[27], 1422);
	ck_assert_mem_eq(out + 28, before, 576 - 28);
}
END_TEST

START_TEST(test_ipv6_sender_learns_the_size_that_fits)
{
	ck_assert_int_eq(make(6, 17, 1500), IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1400, NULL));
	const uint8_t *const out = p.data;

	ck_assert_uint_eq(p.len, 1280);
	ck_assert(packets_sums_right(out, p.len, 40, 58));
	ck_assert_mem_eq(out + 8, before + 24, 16);
	ck_assert_mem_eq(out + 24, before + 8, 16);
	ck_assert_uint_eq(out[40] << 8 | out[41], 2 << 8);
	ck_assert_uint_eq(out[46] << 8 | out[47], 1400);
	ck_assert_mem_eq(out + 48, before, 1280 - 48);
	/* Nothing below 1280 is ever asked for: RFC 8200 5. */
	ck_assert_int_eq(make(6, 17, 1500), IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1200, NULL));
	ck_assert_uint_eq(p.data[46] << 8 | p.data[47], 1280);
}
END_TEST

START_TEST(test_who_counts_hops_learns_our_address)
{
	const struct ipsp_addr ours = { _i ? 6 : 4, { 203, 0, 113, 9 } };

	ck_assert_int_eq(make(_i ? 6 : 4, 17, 100), IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TIME_EXCEEDED, 0, &ours));
	ck_assert_uint_eq(p.len, (_i ? 48 : 28) + 100);
	ck_assert_mem_eq(p.data + (_i ? 8 : 12), ours.octets, _i ? 16 : 4);
	ck_assert(packets_sums_right(p.data, p.len, _i ? 40 : 20, _i ? 58 : 1));
	ck_assert_uint_eq(p.data[_i ? 40 : 20], _i ? 3 : 11);
	ck_assert_uint_eq(p.data[_i ? 41 : 21], 0);
}
END_TEST

static const struct {
	const char *name;
	int family;
	uint8_t proto;
	uint32_t at;		/* this octet becomes */
	uint8_t value;		/* that */
	bool told;
} senders[] = {
	{ "IPv4", 4, 17, 0, 0x45, true },
	{ "an echo request", 4, 1, 20, 8, true },
	{ "an ICMP error", 4, 1, 20, 3, false },
	{ "an unknown ICMP message", 4, 1, 20, 99, false },
	{ "a first fragment", 4, 17, 6, 0x20, true },
	{ "a later fragment", 4, 17, 7, 1, false },
	{ "to a group", 4, 17, 16, 224, false },
	{ "to all", 4, 17, 16, 255, false },
	{ "from a group", 4, 17, 12, 239, false },
	{ "from a loopback", 4, 17, 12, 127, false },
	{ "IPv6", 6, 17, 0, 0x60, true },
	{ "an ICMPv6 echo request", 6, 58, 40, 128, true },
	{ "an ICMPv6 error", 6, 58, 40, 1, false },
	{ "a redirect", 6, 58, 40, 137, false },
	{ "from a group, IPv6", 6, 17, 8, 0xff, false },
	{ "to a group, IPv6", 6, 17, 24, 0xff, false },
};

START_TEST(test_errors_are_not_about_errors_groups_or_fragments)
{
	ck_assert_int_eq(make(senders[_i].family, senders[_i].proto, 1500), IPSP_REASON_NONE);
	p.data[senders[_i].at] = senders[_i].value;
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &flow),
			 IPSP_REASON_NONE);
	ck_assert_msg(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1400, NULL) ==
			      senders[_i].told, "%s", senders[_i].name);
	if (!senders[_i].told) {
		ck_assert_ptr_eq(p.data, room + 64);
		ck_assert_uint_eq(p.len, 1500);
	}
}
END_TEST

START_TEST(test_an_ipv6_group_is_told_of_by_an_address_of_ours)
{
	const struct ipsp_addr ours = { 6, { 0x20, 1 } };

	ck_assert_int_eq(make(6, 17, 1500), IPSP_REASON_NONE);
	flow.dst.octets[0] = 0xff;
	ck_assert(!ipsp_icmp_write(&p, &flow, IPSP_ICMP_TIME_EXCEEDED, 0, &ours));
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1400, &ours));
}
END_TEST

START_TEST(test_without_head_room_nothing_is_written)
{
	const uint32_t need = _i ? 48 : 28;

	ck_assert_int_eq(make(_i ? 6 : 4, 17, 1000), IPSP_REASON_NONE);
	p.room = p.data - need + 1;
	ck_assert(!ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 900, NULL));
	p.room = p.data - need;
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 900, NULL));
}
END_TEST

START_TEST(test_what_was_written_is_read)
{
	struct ipsp_icmp icmp;

	ck_assert_int_eq(make(_i ? 6 : 4, 17, 1500), IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_write(&p, &flow, IPSP_ICMP_TOO_BIG, 1422, NULL));
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &flow),
			 IPSP_REASON_NONE);
	ck_assert(ipsp_icmp_read(&p, &flow, &icmp));
	ck_assert(icmp.too_big);
	ck_assert_uint_eq(icmp.mtu, 1422);
	ck_assert_uint_eq(icmp.quoted_len, 1500);
	ck_assert_uint_eq(icmp.flow.proto, 17);
	ck_assert_uint_eq(icmp.flow.sport, 0x5a5a);
	ck_assert_uint_eq(icmp.l4[15], 0x5a);
	ck_assert_int_eq(ipsp_addr_cmp(&icmp.flow.src, &flow.dst), 0);
	/* Each octet of it counts. */
	for (uint32_t i = _i ? 40 : 20; i < p.len; i++) {
		p.data[i] ^= 0x10;
		ck_assert(!ipsp_icmp_read(&p, &flow, &icmp));
		p.data[i] ^= 0x10;
	}
}
END_TEST

/* Cut at every octet: read or refused, and nothing behind the end is looked at. */
START_TEST(test_a_short_quote_is_read_as_far_as_it_goes)
{
	for (uint32_t quoted = 0; quoted <= 64; quoted++) {
		uint8_t *const exact = malloc(28 + quoted + 1);
		struct ipsp_packet q = {
			.room = exact, .room_len = 28 + quoted, .data = exact, .len = 28 + quoted,
		};
		struct ipsp_icmp icmp;

		ck_assert_int_eq(make(4, 17, 1500), IPSP_REASON_NONE);
		packets_header(exact, 4, 1, 28 + quoted);
		memset(exact + 20, 0, 8);
		exact[20] = 3;
		memcpy(exact + 28, before, quoted);
		const uint16_t sum = (uint16_t)~packets_sum(0, exact + 20, 8 + quoted);

		exact[22] = (uint8_t)(sum >> 8);
		exact[23] = (uint8_t)sum;
		ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ exact, q.len }, &flow),
				 IPSP_REASON_NONE);
		const bool good = ipsp_icmp_read(&q, &flow, &icmp);

		ck_assert_int_eq(good, quoted >= 24);
		if (good)
			ck_assert_uint_eq(icmp.l4_len, quoted - 20);
		free(exact);
	}
}
END_TEST

START_TEST(test_back_is_the_other_way_round)
{
	ck_assert_int_eq(make(4, 17, 100), IPSP_REASON_NONE);
	struct ipsp_flow back = flow;

	back.sport = 1;
	back.dport = 2;
	ipsp_flow_reverse(&back);
	ck_assert_uint_eq(back.sport, 2);
	ck_assert_uint_eq(back.dport, 1);
	ck_assert_int_eq(ipsp_addr_cmp(&back.src, &flow.dst), 0);
	ck_assert_int_eq(ipsp_addr_cmp(&back.dst, &flow.src), 0);
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/icmp");
	TCase *t = tcase_create("icmp");

	tcase_add_test(t, test_ipv4_sender_learns_the_size_that_fits);
	tcase_add_test(t, test_ipv6_sender_learns_the_size_that_fits);
	tcase_add_loop_test(t, test_who_counts_hops_learns_our_address, 0, 2);
	tcase_add_loop_test(t, test_errors_are_not_about_errors_groups_or_fragments, 0,
			    N_OF(senders));
	tcase_add_test(t, test_an_ipv6_group_is_told_of_by_an_address_of_ours);
	tcase_add_loop_test(t, test_without_head_room_nothing_is_written, 0, 2);
	tcase_add_loop_test(t, test_what_was_written_is_read, 0, 2);
	tcase_add_test(t, test_a_short_quote_is_read_as_far_as_it_goes);
	tcase_add_test(t, test_back_is_the_other_way_round);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
