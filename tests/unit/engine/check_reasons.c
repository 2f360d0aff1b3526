/*
 * tests/unit/engine/check_reasons.c - a packet for each fault: dropped for the one reason it is due,
 * counted under it, and told once, with its SPI, when it came under an SA or claims to.
 *
 * Packets are written octet by octet. The provider takes whatever stands there for authentic, or,
 * where a case says so, for forged: what the ICV covers may then be wrong too. RFC 4302 3.4, RFC 4303
 * 3.4, RFC 3173 2; RFC 4301 5.2. Faults that need more than one packet's octets have suites of their
 * own.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "spd/octets.h"
#include "tests/fuzz/trusting.h"
#include "tests/unit/engine/world.h"

#define ROOM 512u
#define ICV 12u			/* of the provider, as are blocks of 4 octets without an IV */

/* Inbound SAs from 192.0.2.2. */
enum {
	TUNNEL = 0x1001,
	TRANSPORT = 0x1002,
	IN_UDP = 0x1003,
	ESP_OF_AH = 0x1004,	/* ESP that AH must be around */
	AH_OF_ESP = 0x1005,	/* that AH */
	AH = 0x1006,
	ESP_OF_IPCOMP = 0x1007,	/* ESP around IPComp */
	NOBODYS = 0x1fff,
	CPI = 2,
};

static struct world w;
static struct ipsp_crypto provider;
static enum ipsp_err verdict_of_icv;
static uint8_t room[ROOM];
static struct ipsp_packet packet;

/* ---- the provider ---- */

static void open_as_told(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
			 size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++)
		ops[i].err = verdict_of_icv;
}

static void verify_as_told(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
			   size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++)
		ops[i].err = verdict_of_icv;
}

/* ---- the world ---- */

static struct ipsp_sa_config inbound(uint32_t spi, uint8_t proto, enum ipsp_mode mode)
{
	struct ipsp_sa_config sa = world_sa(spi, IPSP_INBOUND, spi);

	sa.proto = proto;
	sa.mode = (uint8_t)mode;
	sa.df = IPSP_DF_COPY;
	if (proto == IPSP_PROTO_AH)
		sa.encr = 0;
	return sa;
}

static void chain(struct ipsp_sa_config *inner, struct ipsp_sa_config *outer)
{
	inner->next_id = outer->id;
	inner->bundle_id = outer->bundle_id = inner->id;
}

static void setup(void)
{
	struct ipsp_sa_config sas[] = {
		inbound(TUNNEL, IPSP_PROTO_ESP, IPSP_MODE_TUNNEL),
		inbound(TRANSPORT, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT),
		inbound(IN_UDP, IPSP_PROTO_ESP, IPSP_MODE_TUNNEL),
		inbound(ESP_OF_AH, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT),
		inbound(AH_OF_ESP, IPSP_PROTO_AH, IPSP_MODE_TRANSPORT),
		inbound(AH, IPSP_PROTO_AH, IPSP_MODE_TUNNEL),
		inbound(CPI, IPSP_PROTO_IPCOMP, IPSP_MODE_TRANSPORT),
		inbound(ESP_OF_IPCOMP, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT),
		world_sa(9, IPSP_OUTBOUND, 0x2009),
	};
	const struct world_rule rules[] = {
		{ 1, IPSP_PROTECT, 9, 7, false }, { 2, IPSP_PROTECT, TUNNEL, IPSP_PORT_NONE, false },
	};
	const uint32_t n = sizeof(sas) / sizeof(sas[0]);
	enum ipsp_err results[sizeof(sas) / sizeof(sas[0])];

	world_init(&w);
	provider = *fuzz_trusting();
	provider.open = open_as_told;
	provider.verify = verify_as_told;
	w.memory.platform.crypto = &provider;
	w.memory.platform.compress = ipsp_compress_zlib();
	world_restart(&w);
	verdict_of_icv = IPSP_OK;
	sas[2].encap = (struct ipsp_encap){ .type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4500 };
	chain(&sas[3], &sas[4]);
	sas[6].encr = IPSP_COMP_DEFLATE;
	sas[6].integ = 0;
	sas[6].integ_key.len = 0;
	sas[6].replay = false;
	chain(&sas[6], &sas[7]);
	ck_assert_int_eq(world_apply(&w, rules, 2, sas, n, results), IPSP_OK);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_msg(results[i] == IPSP_OK, "SA %#x: %s", sas[i].spi,
			      ipsp_err_text(results[i]));
}

static void teardown(void)
{
	world_fini(&w);
}

/* ---- packets, octet by octet ---- */

static void begin(uint8_t proto)
{
	static const uint8_t header[20] = {
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 0, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1,
	};

	packet = (struct ipsp_packet){ .ifindex = WORLD_IF, .room = room, .room_len = ROOM,
				       .data = room + IPSP_HEADROOM, .len = sizeof(header) };
	memcpy(packet.data, header, sizeof(header));
	packet.data[9] = proto;
}

static void put(const void *octets, uint32_t n)
{
	ck_assert_uint_le(IPSP_HEADROOM + packet.len + n + IPSP_TAILROOM, ROOM);
	memcpy(packet.data + packet.len, octets, n);
	packet.len += n;
	put_be16(packet.data + 2, (uint16_t)packet.len);
}

static void put_zeros(uint32_t n)
{
	static const uint8_t zeros[64];

	put(zeros, n);
}

static void put_words(uint32_t first, uint32_t second)
{
	uint8_t octets[8];

	put_be32(octets, first);
	put_be32(octets + 4, second);
	put(octets, sizeof(octets));
}

/* UDP from 192.0.2.2 to 192.0.2.1 in IPv4, of 28 octets. */
static void put_inner(uint8_t tos)
{
	const uint8_t inner[28] = {
		0x45, tos, 0, 28, 0, 2, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1,
		0, 1, 0, 2, 0, 8, 0, 0,
	};

	put(inner, sizeof(inner));
}

/* ESP in tunnel mode, up to its trailer. */
static void begin_tunnel(uint32_t seq)
{
	begin(IPSP_PROTO_ESP);
	put_words(TUNNEL, seq);
	put_inner(0);
}

/* Padding of two octets, so that blocks are whole. */
static void put_trailer(uint8_t pad2, uint8_t pad_len, uint8_t next_header)
{
	put((const uint8_t[]){ 1, pad2, pad_len, next_header }, 4);
	put_zeros(ICV);
}

static void good(void)
{
	begin_tunnel(1);
	put_trailer(2, 2, 4);
}

static void esp_without_a_number(void)
{
	begin(IPSP_PROTO_ESP);
	put((const uint8_t[]){ 0, 0, 0x10, 1 }, 4);
}

static void esp_of_half_a_block(void)
{
	good();
	put_zeros(2);
}

static void unknown_spi(void)
{
	good();
	put_be32(packet.data + 20, NOBODYS);
}

static void number_left_of_the_window(void)
{
	begin_tunnel(200);
	put_trailer(2, 2, 4);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &packet), IPSP_REASON_NONE);
	good();
}

static void number_seen_before(void)
{
	good();
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &packet), IPSP_REASON_NONE);
	good();
}

static void forged(void)
{
	good();
	verdict_of_icv = IPSP_EICV;
}

static void no_crypto(void)
{
	good();
	verdict_of_icv = IPSP_ECRYPTO;
}

static void padding_that_does_not_count_up(void)
{
	begin_tunnel(1);
	put_trailer(9, 2, 4);
}

static void padding_longer_than_its_text(void)
{
	begin_tunnel(1);
	put_trailer(2, 200, 4);
}

static void tunnel_of_udp(void)
{
	begin_tunnel(1);
	put_trailer(2, 2, 17);
}

static void tunnel_of_no_packet(void)
{
	good();
	packet.data[28] = 0x65;
}

static void tunnel_of_another_family(void)
{
	begin_tunnel(1);
	put_trailer(2, 2, 41);
}

static void congestion_without_ecn(void)
{
	good();
	packet.data[1] = 3;
}

static void dummy(void)
{
	begin_tunnel(1);
	put_trailer(2, 2, 59);
}

static void from_another_gateway(void)
{
	good();
	packet.data[15] = 3;
}

static void transport_from_another_host(void)
{
	begin(IPSP_PROTO_ESP);
	put_words(TRANSPORT, 1);
	put_zeros(8);
	put_trailer(2, 2, 17);
	packet.data[15] = 3;
}

static void a_fragment_of_esp(void)
{
	good();
	packet.data[6] = 0x20;
}

static void not_in_udp(void)
{
	good();
	put_be32(packet.data + 20, IN_UDP);
}

static void large_segment_of_esp(void)
{
	good();
	packet.segment_size = 10;
}

static void esp_without_its_ah(void)
{
	begin(IPSP_PROTO_ESP);
	put_words(ESP_OF_AH, 1);
	put_zeros(8);
	put_trailer(2, 2, 17);
}

/* A header of 24 octets. */
static void begin_ah(uint32_t spi, uint8_t next_header, uint8_t len)
{
	begin(IPSP_PROTO_AH);
	put((const uint8_t[]){ next_header, len, 0, 0 }, 4);
	put_words(spi, 1);
	put_zeros(ICV);
}

static void ah_without_its_esp(void)
{
	begin_ah(AH_OF_ESP, 17, 4);
	put((const uint8_t[]){ 0, 1, 0, 2, 0, 8, 0, 0 }, 8);
}

static void ah_cut_short(void)
{
	begin(IPSP_PROTO_AH);
	put((const uint8_t[]){ 4, 4, 0, 0, 0, 0 }, 6);
}

static void ah_of_another_length(void)
{
	begin_ah(AH, 4, 9);
	put_inner(0);
}

static void ah_of_an_unknown_spi(void)
{
	begin_ah(NOBODYS, 4, 4);
	put_inner(0);
}

static void a_fragment_of_ah(void)
{
	begin_ah(AH, 4, 4);
	put_inner(0);
	packet.data[6] = 0x20;
}

static void forged_ah(void)
{
	begin_ah(AH, 4, 4);
	put_inner(0);
	verdict_of_icv = IPSP_EICV;
}

static void ah_behind_an_impossible_option(void)
{
	begin_ah(AH, 4, 4);
	put_inner(0);
	/* Room for four octets of options: a record route of 60. */
	memmove(packet.data + 24, packet.data + 20, packet.len - 20);
	memcpy(packet.data + 20, (const uint8_t[]){ 7, 60, 4, 0 }, 4);
	packet.data[0] = 0x46;
	packet.len += 4;
	put_be16(packet.data + 2, (uint16_t)packet.len);
}

static void compressed_data_that_is_none(void)
{
	begin(IPSP_PROTO_ESP);
	put_words(ESP_OF_IPCOMP, 1);
	put((const uint8_t[]){ 17, 0, 0, CPI, 0xff, 0xff, 0xff, 0xff }, 8);
	put_trailer(2, 2, IPSP_PROTO_IPCOMP);
}

/* spi: of the audit event; 0: none is due, or there is no SPI */
static const struct fault {
	void (*make)(void);
	enum ipsp_reason reason;
	uint32_t spi;
	bool silent;
} in_faults[] = {
	{ esp_without_a_number, IPSP_REASON_ESP_SHORT, 0, false },
	{ esp_of_half_a_block, IPSP_REASON_ESP_SHORT, TUNNEL, false },
	{ unknown_spi, IPSP_REASON_SA_NOT_FOUND, NOBODYS, false },
	{ number_left_of_the_window, IPSP_REASON_REPLAY_OLD, TUNNEL, false },
	{ number_seen_before, IPSP_REASON_REPLAY, TUNNEL, false },
	{ forged, IPSP_REASON_ICV, TUNNEL, false },
	{ no_crypto, IPSP_REASON_CRYPTO, TUNNEL, false },
	{ padding_that_does_not_count_up, IPSP_REASON_PADDING, TUNNEL, false },
	{ padding_longer_than_its_text, IPSP_REASON_PADDING, TUNNEL, false },
	{ tunnel_of_udp, IPSP_REASON_NEXT_HEADER, TUNNEL, false },
	{ tunnel_of_no_packet, IPSP_REASON_INNER, TUNNEL, false },
	{ tunnel_of_another_family, IPSP_REASON_INNER, TUNNEL, false },
	{ congestion_without_ecn, IPSP_REASON_ECN, TUNNEL, false },
	{ dummy, IPSP_REASON_DUMMY, 0, true },
	{ from_another_gateway, IPSP_REASON_TUNNEL_ADDRESS, TUNNEL, false },
	{ transport_from_another_host, IPSP_REASON_TRANSPORT_ADDRESS, TRANSPORT, false },
	{ a_fragment_of_esp, IPSP_REASON_ESP_FRAGMENT, 0, false },
	{ not_in_udp, IPSP_REASON_ENCAP, IN_UDP, false },
	{ large_segment_of_esp, IPSP_REASON_SEGMENTS, TUNNEL, false },
	{ esp_without_its_ah, IPSP_REASON_EXPECTED_AH, ESP_OF_AH, false },
	{ ah_without_its_esp, IPSP_REASON_EXPECTED_ESP, AH_OF_ESP, false },
	{ ah_cut_short, IPSP_REASON_AH_SHORT, 0, false },
	{ ah_of_another_length, IPSP_REASON_AH_SHORT, AH, false },
	{ ah_of_an_unknown_spi, IPSP_REASON_AH_SA_NOT_FOUND, NOBODYS, false },
	{ a_fragment_of_ah, IPSP_REASON_AH_FRAGMENT, 0, false },
	{ forged_ah, IPSP_REASON_AH_ICV, AH, false },
	{ ah_behind_an_impossible_option, IPSP_REASON_MALFORMED, AH, false },
	{ compressed_data_that_is_none, IPSP_REASON_IPCOMP, CPI, false },
};

static uint64_t counted(enum ipsp_dir dir, enum ipsp_reason reason)
{
	struct ipsp_engine_stats s;

	ipsp_engine_stats(w.engine, &s);
	return s.reasons[dir - 1][reason];
}

static uint64_t counted_in_all(enum ipsp_dir dir)
{
	uint64_t n = 0;

	for (unsigned i = 1; i < IPSP_N_REASONS; i++)
		n += counted(dir, (enum ipsp_reason)i);
	return n;
}

/* Of the SA at fault, or what the packet says it is. */
static uint8_t proto_of(const struct fault *f)
{
	if (f->spi == CPI)
		return IPSP_PROTO_IPCOMP;
	return f->spi == AH || f->spi == AH_OF_ESP || f->reason == IPSP_REASON_AH_SA_NOT_FOUND ||
			       f->reason == IPSP_REASON_AH_SHORT ||
			       f->reason == IPSP_REASON_AH_FRAGMENT ?
		       IPSP_PROTO_AH : IPSP_PROTO_ESP;
}

START_TEST(test_reasons_protected_packets_that_come_in)
{
	const struct fault *f = &in_faults[_i];
	enum ipsp_reason got;

	f->make();
	got = world_pass(&w, IPSP_INBOUND, &packet);
	ck_assert_msg(got == f->reason, "%s, not %s", ipsp_reason_key(got),
		      ipsp_reason_key(f->reason));
	ck_assert_int_eq(packet.verdict, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(counted(IPSP_INBOUND, f->reason), 1);
	ck_assert_uint_eq(counted_in_all(IPSP_INBOUND), 1);
	ck_assert_uint_eq(w.audits, f->silent ? 0 : 1);
	if (f->silent)
		return;
	ck_assert_uint_eq(w.last_audit.reason, f->reason);
	ck_assert_uint_eq(w.last_audit.spi, f->spi);
	ck_assert_uint_eq(w.last_audit.proto, proto_of(f));
	ck_assert_uint_eq(w.last_audit.ifindex, WORLD_IF);
	ck_assert_mem_eq(w.last_audit.dst.octets, ((const uint8_t[]){ 192, 0, 2, 1 }), 4);
}
END_TEST

START_TEST(test_reasons_without_a_fault_nothing_is_dropped_or_told)
{
	good();
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &packet), IPSP_REASON_NONE);
	ck_assert_int_eq(packet.verdict, IPSP_VERDICT_DELIVER);
	ck_assert_uint_eq(packet.len, 28);
	ck_assert_uint_eq(w.audits, 0);
}
END_TEST

/* ---- what is no packet, or none that an SA takes ---- */

static const struct {
	const char *name;
	enum ipsp_dir dir;
	enum ipsp_reason reason;
	uint32_t len;
	uint8_t octets[64];
} header_faults[] = {
	{ "version 5", IPSP_INBOUND, IPSP_REASON_VERSION, 20, { 0x55 } },
	{ "shorter than it says", IPSP_INBOUND, IPSP_REASON_TRUNCATED, 20, { 0x45, 0, 0, 40 } },
	{ "a header of four words", IPSP_INBOUND, IPSP_REASON_MALFORMED, 20, { 0x44, 0, 0, 20 } },
	{ "hop-by-hop behind routing", IPSP_INBOUND, IPSP_REASON_EXTENSIONS, 56,
	  { 0x60, 0, 0, 0, 0, 16, 43, 64, [40] = 0, [48] = 59 } },
	{ "a jumbogram", IPSP_INBOUND, IPSP_REASON_JUMBO, 48,
	  { 0x60, 0, 0, 0, 0, 0, 0, 64, [40] = 59, 0, 0xc2, 4, 0, 1, 0, 0 } },
	{ "transport mode of a fragment", IPSP_OUTBOUND, IPSP_REASON_TRANSPORT_FRAGMENT, 28,
	  { 0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
	    0, 1, 0, 7, 0, 8 } },
	{ "transport mode to another host", IPSP_OUTBOUND, IPSP_REASON_TRANSPORT_ADDRESS, 28,
	  { 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 3,
	    0, 1, 0, 7, 0, 8 } },
};

START_TEST(test_reasons_headers)
{
	const enum ipsp_dir dir = header_faults[_i].dir;
	enum ipsp_reason got;

	begin(0);
	memcpy(packet.data, header_faults[_i].octets, header_faults[_i].len);
	packet.len = header_faults[_i].len;
	got = world_pass(&w, dir, &packet);
	ck_assert_msg(got == header_faults[_i].reason, "%s: %s, not %s", header_faults[_i].name,
		      ipsp_reason_key(got), ipsp_reason_key(header_faults[_i].reason));
	ck_assert_int_eq(packet.verdict, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(counted(dir, header_faults[_i].reason), 1);
	ck_assert_uint_eq(counted_in_all(dir), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/reasons");
	TCase *tc = tcase_create("reasons");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_reasons_protected_packets_that_come_in, 0,
			    sizeof(in_faults) / sizeof(in_faults[0]));
	tcase_add_test(tc, test_reasons_without_a_fault_nothing_is_dropped_or_told);
	tcase_add_loop_test(tc, test_reasons_headers, 0,
			    sizeof(header_faults) / sizeof(header_faults[0]));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
