/*
 * tests/unit/spd/check_flow.c - header reading on packets drawn octet by octet from the RFCs.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/flow.h"

/* Hex with spaces, so that headers can be told apart. */
static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	while (*hex) {
		char pair[3] = { 0 };

		if (*hex == ' ') {
			hex++;
			continue;
		}
		memcpy(pair, hex, 2);
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

/* An exact copy, so that a sanitizer sees an octet read too far. */
static enum ipsp_reason parse(const uint8_t *data, size_t len, struct ipsp_flow *flow)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum ipsp_reason reason;

	memcpy(copy, data, len);
	reason = ipsp_flow_parse((struct ipsp_span){ copy, len }, flow);
	free(copy);
	return reason;
}

#define V4(len, frag, proto) "45b8" len "0001" frag "40" proto "0000 0a000001 0a000002 "
#define V6(len, nh) "6ba12345" len nh "40 20010db8000000000000000000000001 " \
		    "20010db8000000000000000000000002 "
#define PORTS "0050 01bb "
#define NONE IPSP_PORT_NONE

static const struct {
	const char *name, *packet;
	uint8_t proto, frag;
	bool proto_known, ports_known;
	uint32_t sport, dport, l4_offset, l4_nh_offset, esp_offset, esp_nh_offset;
} cases[] = {
	/* IPv4 */
	{ "tcp", V4("0018", "4000", "06") PORTS, 6, IPSP_FRAG_NONE, true, true, 80, 443, 20, 9,
	  20, 9 },
	{ "udp behind options",
	  "47b80020000140004011 0000 0a000001 0a000002 0101010101010100 " PORTS,
	  17, IPSP_FRAG_NONE, true, true, 80, 443, 28, 9, 28, 9 },
	{ "icmp has type and code", V4("001c", "0000", "01") "0801000000000000", 1,
	  IPSP_FRAG_NONE, true, true, IPSP_PORT_MESSAGE + 0x801, NONE, 20, 9, 20, 9 },
	{ "icmp of two octets", V4("0016", "0000", "01") "ffff", 1, IPSP_FRAG_NONE, true, true,
	  IPSP_PORT_MESSAGE_MAX, NONE, 20, 9, 20, 9 },
	{ "first fragment of icmp without its code", V4("0015", "2000", "01") "08", 1,
	  IPSP_FRAG_FIRST, true, false, NONE, NONE, 20, 9, 20, 9 },
	{ "esp has no ports", V4("0014", "0000", "32"), 50, IPSP_FRAG_NONE, true, true, NONE,
	  NONE, 20, 9, 20, 9 },
	{ "sctp", V4("0018", "0000", "84") PORTS, 132, IPSP_FRAG_NONE, true, true, 80, 443, 20,
	  9, 20, 9 },
	{ "first fragment", V4("001c", "2000", "11") PORTS "00000000", 17, IPSP_FRAG_FIRST,
	  true, true, 80, 443, 20, 9, 20, 9 },
	{ "first fragment without ports", V4("0016", "2000", "11") "0050", 17, IPSP_FRAG_FIRST,
	  true, false, NONE, NONE, 20, 9, 20, 9 },
	{ "later fragment", V4("001c", "2001", "11") PORTS "00000000", 17, IPSP_FRAG_LATER,
	  true, false, NONE, NONE, 20, 9, 20, 9 },
	{ "last fragment", V4("001c", "0001", "06") PORTS "00000000", 6, IPSP_FRAG_LATER, true,
	  false, NONE, NONE, 20, 9, 20, 9 },
	{ "later fragment of icmp", V4("001c", "0001", "01") PORTS "00000000", 1,
	  IPSP_FRAG_LATER, true, false, NONE, NONE, 20, 9, 20, 9 },
	{ "link padding behind", V4("0018", "4000", "06") PORTS "000000000000", 6,
	  IPSP_FRAG_NONE, true, true, 80, 443, 20, 9, 20, 9 },
	/* IPv6 */
	{ "v6 udp", V6("0008", "11") PORTS "00080000", 17, IPSP_FRAG_NONE, true, true, 80, 443,
	  40, 6, 40, 6 },
	{ "v6 icmp behind options", V6("0010", "3c") "3a00010400000000 " "8700000000000000", 58,
	  IPSP_FRAG_NONE, true, true, IPSP_PORT_MESSAGE + 0x8700, NONE, 48, 40, 40, 6 },
	{ "v6 mobility header has a type", V6("0008", "87") "3b00050700000000", 135,
	  IPSP_FRAG_NONE, true, true, IPSP_PORT_MESSAGE + 0x500, NONE, 40, 6, 40, 6 },
	{ "v6 no next header", V6("0000", "3b"), 59, IPSP_FRAG_NONE, true, true, NONE, NONE, 40,
	  6, 40, 6 },
	{ "v6 hop-by-hop", V6("000c", "00") "1100010400000000 " PORTS, 17, IPSP_FRAG_NONE, true,
	  true, 80, 443, 48, 40, 48, 40 },
	{ "v6 hop-by-hop, routing, options", V6("002c", "00") "2b00010400000000 "
	  "3c02040000000000 20010db8000000000000000000000003 " "0600010400000000 " PORTS, 6,
	  IPSP_FRAG_NONE, true, true, 80, 443, 80, 72, 72, 48 },
	{ "v6 options, routing", V6("0014", "3c") "2b00010400000000 " "0600000000000000 " PORTS, 6,
	  IPSP_FRAG_NONE, true, true, 80, 443, 56, 48, 56, 48 },
	{ "v6 atomic fragment", V6("000c", "2c") "1100000000000001 " PORTS, 17, IPSP_FRAG_NONE,
	  true, true, 80, 443, 48, 40, 48, 40 },
	{ "v6 first fragment", V6("000c", "2c") "1100000100000001 " PORTS, 17, IPSP_FRAG_FIRST,
	  true, true, 80, 443, 48, 40, 48, 40 },
	{ "v6 later fragment", V6("000c", "2c") "1100000800000001 " PORTS, 17, IPSP_FRAG_LATER,
	  true, false, NONE, NONE, 48, 40, 48, 40 },
	{ "v6 later fragment of options", V6("000c", "2c") "3c00000800000001 " PORTS, 0,
	  IPSP_FRAG_LATER, false, false, NONE, NONE, 48, 40, 48, 40 },
	{ "v6 first fragment ends in options", V6("0010", "2c") "3c00000100000001 "
	  "1101010400000000", 0, IPSP_FRAG_FIRST, false, false, NONE, NONE, 48, 40, 48, 40 },
	{ "v6 ah is not passed over", V6("000c", "33") "110400000000000000000000", 51,
	  IPSP_FRAG_NONE, true, true, NONE, NONE, 40, 6, 40, 6 },
};

/* What is no packet. */
static const struct {
	const char *name, *packet;
	enum ipsp_reason reason;
} refused[] = {
	{ "nothing", "", IPSP_REASON_TRUNCATED },
	{ "version 5", "55000014", IPSP_REASON_VERSION },
	{ "v4 header cut", "45000014000100004006000000", IPSP_REASON_TRUNCATED },
	{ "v4 header length 4", "44000014000100004006 0000 0a0000010a000002",
	  IPSP_REASON_MALFORMED },
	{ "v4 total below header", V4("0013", "0000", "06"), IPSP_REASON_MALFORMED },
	{ "v4 options beyond total", "4f000014000100004006 0000 0a0000010a000002",
	  IPSP_REASON_MALFORMED },
	{ "v4 shorter than total", V4("0019", "0000", "06") PORTS, IPSP_REASON_TRUNCATED },
	{ "v4 tcp without ports", V4("0016", "0000", "06") "0050", IPSP_REASON_MALFORMED },
	{ "v4 fragment beyond 65535", V4("001c", "1fff", "11") "0000000000000000",
	  IPSP_REASON_MALFORMED },
	{ "v6 header cut", "60000000000011400000", IPSP_REASON_TRUNCATED },
	{ "v6 shorter than payload", V6("0009", "11") PORTS "00080000", IPSP_REASON_TRUNCATED },
	{ "v6 jumbogram", V6("0000", "00") "11c2000000010000", IPSP_REASON_JUMBO },
	{ "v6 extension cut", V6("0004", "3c") "11000000", IPSP_REASON_TRUNCATED },
	{ "v6 extension longer than packet", V6("000c", "3c") "11020104000000000000 0000",
	  IPSP_REASON_TRUNCATED },
	{ "v6 hop-by-hop not first", V6("0014", "3c") "0000000000000000 1100000000000000 " PORTS,
	  IPSP_REASON_EXTENSIONS },
	{ "v6 two fragment headers", V6("0014", "2c") "2c00000100000001 1100000100000001 " PORTS,
	  IPSP_REASON_EXTENSIONS },
	{ "v6 fragment beyond 65535", V6("0010", "2c") "1100fff800000001 0000000000000000",
	  IPSP_REASON_MALFORMED },
	{ "v4 icmp without a code", V4("0015", "0000", "01") "08", IPSP_REASON_MALFORMED },
	{ "v6 mobility header without a type", V6("0002", "87") "3b00", IPSP_REASON_MALFORMED },
	{ "v6 udp without ports", V6("0003", "11") "005001", IPSP_REASON_MALFORMED },
};

START_TEST(test_packets_read_as_drawn)
{
	uint8_t packet[256];
	size_t len = unhex(cases[_i].packet, packet);
	struct ipsp_flow f;
	bool v6 = packet[0] >> 4 == 6;

	ck_assert_msg(parse(packet, len, &f) == IPSP_REASON_NONE, "%s", cases[_i].name);
	ck_assert_uint_eq(f.family, v6 ? 6 : 4);
	ck_assert_uint_eq(f.dscp, 46);
	ck_assert_uint_eq(f.ecn, v6 ? 2 : 0);
	ck_assert_uint_eq(f.ttl, 64);
	ck_assert_uint_eq(f.flow_label, v6 ? 0x12345 : 0);
	ck_assert_uint_eq(f.src.octets[v6 ? 15 : 3], 1);
	ck_assert_uint_eq(f.dst.octets[v6 ? 15 : 3], 2);
	ck_assert_msg(f.proto_known == cases[_i].proto_known, "%s", cases[_i].name);
	if (f.proto_known)
		ck_assert_uint_eq(f.proto, cases[_i].proto);
	ck_assert_uint_eq(f.frag, cases[_i].frag);
	ck_assert_msg(f.ports_known == cases[_i].ports_known, "%s", cases[_i].name);
	ck_assert_uint_eq(f.sport, cases[_i].sport);
	ck_assert_uint_eq(f.dport, cases[_i].dport);
	ck_assert_uint_eq(f.l4_offset, cases[_i].l4_offset);
	ck_assert_uint_eq(f.l4_nh_offset, cases[_i].l4_nh_offset);
	ck_assert_uint_eq(f.esp_offset, cases[_i].esp_offset);
	ck_assert_uint_eq(f.esp_nh_offset, cases[_i].esp_nh_offset);
}
END_TEST

START_TEST(test_what_is_no_packet_is_refused_with_its_reason)
{
	uint8_t packet[256];
	size_t len = unhex(refused[_i].packet, packet);
	struct ipsp_flow f;

	ck_assert_msg(parse(packet, len, &f) == refused[_i].reason, "%s", refused[_i].name);
}
END_TEST

START_TEST(test_any_cut_of_a_packet_is_refused)
{
	uint8_t packet[256];
	size_t len = unhex(cases[_i].packet, packet);
	struct ipsp_flow f;

	ck_assert_int_eq(parse(packet, len, &f), IPSP_REASON_NONE);
	for (size_t cut = 0; cut < f.total_len; cut++) {
		struct ipsp_flow g;

		ck_assert_msg(parse(packet, cut, &g) != IPSP_REASON_NONE, "%s at %zu",
			      cases[_i].name, cut);
	}
}
END_TEST

START_TEST(test_extension_chains_have_a_limit)
{
	uint8_t packet[40 + 8 * (IPSP_FLOW_EXTENSIONS_MAX + 1) + 4] = { 0x60 };
	struct ipsp_flow f;

	for (unsigned n = IPSP_FLOW_EXTENSIONS_MAX; n <= IPSP_FLOW_EXTENSIONS_MAX + 1; n++) {
		size_t len = 40 + 8 * n + 4;

		packet[5] = (uint8_t)(len - 40);
		packet[6] = 60;
		for (unsigned i = 0; i < n; i++)
			packet[40 + 8 * i] = i + 1 < n ? 60 : 17;
		ck_assert_int_eq(parse(packet, len, &f), n > IPSP_FLOW_EXTENSIONS_MAX ?
				 IPSP_REASON_EXTENSIONS : IPSP_REASON_NONE);
	}
}
END_TEST

START_TEST(test_random_octets_never_read_outside)
{
	uint8_t packet[96];

	srand(2);
	for (int i = 0; i < 100000; i++) {
		size_t len = (size_t)rand() % sizeof(packet);
		struct ipsp_flow f;

		for (size_t j = 0; j < len; j++)
			packet[j] = (uint8_t)(rand() % 5 ? rand() % 64 : rand());
		if (len > 6) {
			packet[0] = rand() & 1 ? 0x45 : 0x60;
			packet[packet[0] == 0x45 ? 2 : 4] = 0;
		}
		if (parse(packet, len, &f) != IPSP_REASON_NONE)
			continue;
		ck_assert_uint_le(f.total_len, len);
		ck_assert_uint_le(f.l4_offset, f.total_len);
		ck_assert_uint_le(f.esp_offset, f.l4_offset);
		ck_assert_uint_lt(f.l4_nh_offset, f.l4_offset);
		ck_assert_uint_lt(f.esp_nh_offset, f.esp_offset);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow");
	TCase *tc = tcase_create("flow");
	SRunner *runner = srunner_create(suite);
	const int n = sizeof(cases) / sizeof(cases[0]);
	int failed;

	tcase_add_loop_test(tc, test_packets_read_as_drawn, 0, n);
	tcase_add_loop_test(tc, test_what_is_no_packet_is_refused_with_its_reason, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_loop_test(tc, test_any_cut_of_a_packet_is_refused, 0, n);
	tcase_add_test(tc, test_extension_chains_have_a_limit);
	tcase_add_test(tc, test_random_octets_never_read_outside);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
