/* tests/unit/engine/check_cut.c - fragments, made. RFC 791 3.2, RFC 8200 4.5. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/fragment.h"
#include "tests/unit/engine_io/packets.h"

static uint8_t packet[4096], out[4096];

static struct ipsp_flow flow_of(uint32_t len)
{
	struct ipsp_flow flow;

	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ packet, len }, &flow),
			 IPSP_REASON_NONE);
	return flow;
}

static void make(int family, uint8_t proto, uint32_t len)
{
	for (uint32_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 5 + i / 256);
	packets_header(packet, family, proto, len);
}

static const struct {
	uint32_t len, mtu;
	uint16_t frag;		/* of the packet before: flags and offset */
	unsigned pieces;
} cuts[] = {
	{ 1560, 1500, 0, 2 }, { 1500, 1500, 0, 1 }, { 1501, 1500, 0, 2 }, { 1500, 600, 0, 3 },
	{ 1500, 68, 0, 31 }, { 1500, 1000, 0x2010, 2 }, { 1500, 1000, 0x0010, 2 },
};

START_TEST(test_ipv4_fragments_are_the_payload_in_order)
{
	const uint32_t len = cuts[_i].len;
	struct ipsp_cutter c;
	uint32_t sum = 0, n;
	unsigned pieces = 0;

	make(4, 50, len);
	packet[6] = (uint8_t)(cuts[_i].frag >> 8);
	packet[7] = (uint8_t)cuts[_i].frag;
	const struct ipsp_flow flow = flow_of(len);

	ck_assert(ipsp_cut_begin(&c, packet, &flow, cuts[_i].mtu, 0));
	while ((n = ipsp_cut_next(&c, out)) > 0) {
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

START_TEST(test_ipv6_fragments_have_a_header_each)
{
	struct ipsp_cutter c;
	uint32_t sum = 0, n;

	make(6, 50, 3000);
	const struct ipsp_flow flow = flow_of(3000);

	ck_assert(ipsp_cut_begin(&c, packet, &flow, 1280, 0xdeadbeef));
	while ((n = ipsp_cut_next(&c, out)) > 0) {
		struct ipsp_flow f;

		ck_assert_uint_le(n, 1280);
		ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ out, n }, &f),
				 IPSP_REASON_NONE);
		ck_assert_int_ne(f.frag, IPSP_FRAG_NONE);
		ck_assert_uint_eq(f.total_len, n);
		ck_assert_uint_eq(f.frag_id, 0xdeadbeef);
		ck_assert_uint_eq(f.frag_offset, sum);
		ck_assert_uint_eq(f.proto, 50);
		ck_assert_int_eq(f.frag_more, sum + n - 48 < 2960);
		ck_assert_mem_eq(out + 48, packet + 40 + sum, n - 48);
		sum += n - 48;
	}
	ck_assert_uint_eq(sum, 2960);
	/* A second fragment header in one packet means nothing. */
	out[43] |= 1;
	ck_assert_int_eq(ipsp_flow_parse((struct ipsp_span){ out, 1280 },
					 &(struct ipsp_flow){ 0 }), IPSP_REASON_NONE);
	memcpy(packet, out, 100);
	packet[4] = 0;
	packet[5] = 60;
	const struct ipsp_flow again = flow_of(100);

	ck_assert(!ipsp_cut_begin(&c, packet, &again, 80, 1));
}
END_TEST

/* RFC 791 3.1: an option goes into every fragment if its first bit says so. */
START_TEST(test_options_are_copied_as_they_say)
{
	static const uint8_t options[12] = { 7, 7, 4, 0, 0, 0, 0, 0x83, 3, 4, 1, 0 };
	static const uint8_t copied[4] = { 0x83, 3, 4, 0 };
	struct ipsp_cutter c;

	make(4, 50, 400);
	packet[0] = 0x48;
	memcpy(packet + 20, options, sizeof(options));
	const struct ipsp_flow flow = flow_of(400);

	ck_assert(ipsp_cut_begin(&c, packet, &flow, 200, 0));
	ck_assert_uint_eq(ipsp_cut_next(&c, out), 200);
	ck_assert_uint_eq(out[0], 0x48);
	ck_assert_mem_eq(out + 20, options, sizeof(options));
	ck_assert_uint_eq(packets_sum(0, out, 32), 0xffff);
	ck_assert_uint_eq(ipsp_cut_next(&c, out), 24 + 176);
	ck_assert_uint_eq(out[0], 0x46);
	ck_assert_mem_eq(out + 20, copied, sizeof(copied));
	ck_assert_uint_eq(packets_sum(0, out, 24), 0xffff);
	ck_assert_mem_eq(out + 24, packet + 32 + 168, 176);
}
END_TEST

/* An option that lies about its length ends them: nothing is read behind the header. */
START_TEST(test_damaged_options_end_where_they_are)
{
	static const uint8_t lengths[] = { 0, 1, 9, 255 };
	struct ipsp_cutter c;

	make(4, 50, 400);
	packet[0] = 0x46;
	packet[20] = 0x83;
	packet[21] = lengths[_i];
	const struct ipsp_flow flow = flow_of(400);

	ck_assert(ipsp_cut_begin(&c, packet, &flow, 200, 0));
	ck_assert_uint_eq(ipsp_cut_next(&c, out), 200);
	ck_assert_uint_gt(ipsp_cut_next(&c, out), 0);
	ck_assert_uint_eq(out[0], 0x45);
}
END_TEST

START_TEST(test_a_link_for_no_data_takes_none)
{
	struct ipsp_cutter c;

	make(4, 50, 400);
	struct ipsp_flow flow = flow_of(400);

	ck_assert(!ipsp_cut_begin(&c, packet, &flow, 27, 0));
	ck_assert(ipsp_cut_begin(&c, packet, &flow, 28, 0));
	make(6, 50, 400);
	flow = flow_of(400);
	ck_assert(!ipsp_cut_begin(&c, packet, &flow, 55, 0));
	ck_assert(ipsp_cut_begin(&c, packet, &flow, 56, 0));
}
END_TEST

#define N_OF(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/cut");
	TCase *t = tcase_create("cut");

	tcase_add_loop_test(t, test_ipv4_fragments_are_the_payload_in_order, 0, N_OF(cuts));
	tcase_add_test(t, test_ipv6_fragments_have_a_header_each);
	tcase_add_test(t, test_options_are_copied_as_they_say);
	tcase_add_loop_test(t, test_damaged_options_end_where_they_are, 0, 4);
	tcase_add_test(t, test_a_link_for_no_data_takes_none);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
