/* tests/unit/engine_io/check_toobig.c - fragments and ICMP errors of packets that a link does not take. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/toobig.h"
#include "tests/unit/engine_io/packets.h"

static uint8_t packet[2048], out[2048];

static void make(int family, uint8_t proto, uint32_t len)
{
	memset(packet, 0x5a, sizeof(packet));
	packets_header(packet, family, proto, len);
}

/* ---- errors ---- */

START_TEST(test_ipv4_sender_learns_the_size_that_fits)
{
	make(4, 17, 1500);
	const uint32_t n = toobig_error(packet, TOOBIG_QUOTE_MAX, 1422, out);

	ck_assert_uint_eq(n, 576);	/* RFC 1812 4.3.2.3 */
	ck_assert(packets_sums_right(out, n, 20, 1));
	ck_assert_uint_eq(out[9], 1);
	ck_assert_mem_eq(out + 12, packet + 16, 4);
	ck_assert_mem_eq(out + 16, packet + 12, 4);
	ck_assert_uint_eq(out[20] << 8 | out[21], 3 << 8 | 4);
	ck_assert_uint_eq(out[26] << 8 | out[27], 1422);
	ck_assert_mem_eq(out + 28, packet, 576 - 28);
}
END_TEST

START_TEST(test_ipv6_sender_learns_the_size_that_fits)
{
	make(6, 17, 1500);
	const uint32_t n = toobig_error(packet, TOOBIG_QUOTE_MAX, 1400, out);

	ck_assert_uint_eq(n, 1280);
	ck_assert(packets_sums_right(out, n, 40, 58));
	ck_assert_mem_eq(out + 8, packet + 24, 16);
	ck_assert_mem_eq(out + 24, packet + 8, 16);
	ck_assert_uint_eq(out[40] << 8 | out[41], 2 << 8);
	ck_assert_uint_eq(out[46] << 8 | out[47], 1400);
	ck_assert_mem_eq(out + 48, packet, 1280 - 48);
	/* Nothing below 1280 is ever asked for: RFC 8200 5. */
	ck_assert_uint_gt(toobig_error(packet, TOOBIG_QUOTE_MAX, 1200, out), 0);
	ck_assert_uint_eq(out[46] << 8 | out[47], 1280);
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
	{ "a later fragment", 4, 17, 7, 1, false },
	{ "to a group", 4, 17, 16, 224, false },
	{ "from a group", 4, 17, 12, 239, false },
	{ "from a loopback", 4, 17, 12, 127, false },
	{ "an impossible header", 4, 17, 0, 0x44, false },
	{ "a header longer than what is there", 4, 17, 0, 0x4f, false },
	{ "IPv6", 6, 17, 0, 0x60, true },
	{ "an ICMPv6 echo request", 6, 58, 40, 128, true },
	{ "an ICMPv6 error", 6, 58, 40, 1, false },
	{ "from a group, IPv6", 6, 17, 8, 0xff, false },
	{ "to a group, IPv6", 6, 17, 24, 0xff, false },
};

START_TEST(test_errors_are_not_about_errors_groups_or_damage)
{
	const uint32_t quote = senders[_i].family == 4 ? 64 : 60;

	make(senders[_i].family, senders[_i].proto, 1500);
	packet[senders[_i].at] = senders[_i].value;
	ck_assert_msg((toobig_error(packet, quote, 1400, out) > 0) == senders[_i].told, "%s",
		      senders[_i].name);
	for (uint32_t n = 0; n < (senders[_i].family == 4 ? 28 : 48); n++)
		ck_assert_uint_eq(toobig_error(packet, n, 1400, out), 0);
}
END_TEST

/* ESP with blocks of 1 to 16 octets, as RFC 4303 2.4 pads. */
START_TEST(test_the_size_that_fits_does_fit)
{
	static const uint32_t blocks[] = { 1, 4, 8, 16 };

	for (size_t i = 0; i < 4; i++) {
		for (uint32_t clear = 1400; clear <= 1500; clear++) {
			const uint32_t b = blocks[i];
			const uint32_t wire = 20 + 8 + b + (clear + 2 + b - 1) / b * b + 16;

			if (wire <= 1400)
				continue;
			const uint32_t m = toobig_inside_mtu(clear, wire, 1400);

			ck_assert_uint_le(20 + 8 + b + (m + 2 + b - 1) / b * b + 16, 1400);
			ck_assert_uint_ge(m, 1400 - 20 - 8 - b - 2 - 16 - 32);
		}
	}
	ck_assert_uint_eq(toobig_inside_mtu(1500, 1500, 1400), 1400);
	ck_assert_uint_eq(toobig_inside_mtu(100, 3000, 1400), 0);
}
END_TEST

/* ---- fragments ---- */

static const struct {
	uint32_t len, mtu;
	uint16_t frag;		/* of the packet before: flags and offset */
	unsigned pieces;
} cuts[] = {
	{ 1560, 1500, 0, 2 }, { 1500, 1500, 0, 1 }, { 1501, 1500, 0, 2 }, { 1500, 600, 0, 3 },
	{ 1500, 68, 0, 31 }, { 1500, 1000, 0x2010, 2 }, { 1500, 1000, 0x0010, 2 },
};

START_TEST(test_fragments_are_the_payload_in_order)
{
	const uint32_t len = cuts[_i].len;
	uint32_t at = 0, sum = 0, n;
	unsigned pieces = 0;

	make(4, 50, len);
	for (uint32_t i = 20; i < len; i++)
		packet[i] = (uint8_t)(i * 5 + i / 256);
	packet[6] = (uint8_t)(cuts[_i].frag >> 8);
	packet[7] = (uint8_t)cuts[_i].frag;
	ck_assert(toobig_may_cut(packet, len));
	while ((n = toobig_cut(packet, len, cuts[_i].mtu, &at, out)) > 0) {
		const uint32_t frag = (uint32_t)out[6] << 8 | out[7];
		const bool last = sum + n - 20 == len - 20;

		ck_assert_uint_le(n, cuts[_i].mtu);
		ck_assert_uint_eq((uint32_t)out[2] << 8 | out[3], n);
		ck_assert_uint_eq(packets_sum(0, out, 20), 0xffff);
		ck_assert_mem_eq(out + 4, packet + 4, 2);
		ck_assert_uint_eq(frag & 0x1fff, (cuts[_i].frag & 0x1fffu) + sum / 8);
		ck_assert_uint_eq(frag & 0x2000, last ? cuts[_i].frag & 0x2000u : 0x2000);
		ck_assert_mem_eq(out + 20, packet + 20 + sum, n - 20);
		sum += n - 20;
		pieces++;
	}
	ck_assert_uint_eq(sum, len - 20);
	ck_assert_uint_eq(pieces, cuts[_i].pieces);
}
END_TEST

START_TEST(test_what_must_not_be_cut_is_not)
{
	make(4, 50, 1500);
	packet[6] = 0x40;
	ck_assert(!toobig_may_cut(packet, 1500));
	make(4, 50, 1500);
	packet[0] = 0x46;
	ck_assert(!toobig_may_cut(packet, 1500));
	make(4, 50, 1500);
	ck_assert(!toobig_may_cut(packet, 1499));
	ck_assert(!toobig_may_cut(packet, 19));
	make(6, 50, 1500);
	ck_assert(!toobig_may_cut(packet, 1500));
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/io/toobig");
	TCase *t = tcase_create("toobig");

	tcase_add_test(t, test_ipv4_sender_learns_the_size_that_fits);
	tcase_add_test(t, test_ipv6_sender_learns_the_size_that_fits);
	tcase_add_loop_test(t, test_errors_are_not_about_errors_groups_or_damage, 0, N_OF(senders));
	tcase_add_test(t, test_the_size_that_fits_does_fit);
	tcase_add_loop_test(t, test_fragments_are_the_payload_in_order, 0, N_OF(cuts));
	tcase_add_test(t, test_what_must_not_be_cut_is_not);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
