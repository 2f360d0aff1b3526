/*
 * tests/unit/engine/check_compress.c - DEFLATE by zlib, as IPComp uses it. RFC 2394, 3173.
 */
#include <check.h>
#include <string.h>

#include "engine/compress/zlib.h"

#define SIZE 65535u

static const struct ipsp_compress *c;
static struct ipsp_compress_ctx *ctx;
static uint8_t clear[SIZE], packed[SIZE + 1024], back[SIZE + 16];

static void setup(void)
{
	c = ipsp_compress_zlib();
	ck_assert_int_eq(c->ctx_new(&ctx), IPSP_OK);
}

static void teardown(void)
{
	c->ctx_free(ctx);
}

static size_t pack(size_t len, size_t room)
{
	return c->compress(ctx, IPSP_COMP_DEFLATE, (struct ipsp_span){ clear, len }, packed, room);
}

static size_t unpack(const uint8_t *in, size_t len, size_t room)
{
	memset(back, 0xee, sizeof(back));
	return c->decompress(ctx, IPSP_COMP_DEFLATE, (struct ipsp_span){ in, len }, back, room);
}

/* Octets that no algorithm makes shorter. */
static void fill_noise(void)
{
	uint32_t x = 2463534242u;

	for (size_t i = 0; i < SIZE; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		clear[i] = (uint8_t)x;
	}
}

START_TEST(test_only_deflate_is_offered)
{
	ck_assert(c->offers(IPSP_COMP_DEFLATE));
	ck_assert(!c->offers(1));
	ck_assert(!c->offers(3));
}
END_TEST

START_TEST(test_what_was_compressed_comes_back)
{
	static const size_t lengths[] = { 1, 100, 1500, SIZE };
	size_t len = lengths[_i], n;

	memset(clear, 'a', len);
	memcpy(clear, "GET / HTTP/1.1", len < 14 ? len : 14);
	n = pack(len, sizeof(packed));
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(unpack(packed, n, SIZE), len);
	ck_assert_mem_eq(back, clear, len);
}
END_TEST

/* RFC 1951 3.2.6: fixed codes; no header of zlib's, no sum. "a" in one final block. */
START_TEST(test_the_stream_is_raw)
{
	static const uint8_t raw[] = { 0x4b, 0x04, 0x00 };

	ck_assert_uint_eq(unpack(raw, sizeof(raw), SIZE), 1);
	ck_assert_uint_eq(back[0], 'a');
}
END_TEST

START_TEST(test_packets_stand_alone)
{
	size_t first, second;

	fill_noise();
	first = pack(1000, sizeof(packed));
	second = pack(1000, sizeof(packed));
	ck_assert_uint_gt(first, 1000);
	ck_assert_uint_eq(first, second);
	ck_assert_uint_eq(unpack(packed, second, SIZE), 1000);
}
END_TEST

START_TEST(test_what_does_not_fit_is_not_compressed)
{
	fill_noise();
	ck_assert_uint_eq(pack(1000, 995), 0);
	memset(clear, 0, 1000);
	ck_assert_uint_gt(pack(1000, 995), 0);
}
END_TEST

START_TEST(test_a_bomb_ends_at_the_room)
{
	size_t n;

	memset(clear, 0, SIZE);
	n = pack(SIZE, sizeof(packed));
	ck_assert_uint_lt(n, 400);
	ck_assert_uint_eq(unpack(packed, n, SIZE - 1), 0);
	ck_assert_uint_eq(back[SIZE - 1], 0xee);
	ck_assert_uint_eq(unpack(packed, n, SIZE), SIZE);
}
END_TEST

START_TEST(test_damaged_streams_are_refused)
{
	size_t n;

	memset(clear, 'x', 500);
	fill_noise();
	memset(clear + 200, 'x', 300);
	n = pack(500, sizeof(packed));
	ck_assert_uint_gt(n, 0);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_uint_eq(unpack(packed, cut, SIZE), 0);
	packed[0] |= 6;	/* a block type that is reserved */
	ck_assert_uint_eq(unpack(packed, n, SIZE), 0);
	ck_assert_uint_eq(back[SIZE], 0xee);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/compress");
	TCase *t = tcase_create("zlib");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_only_deflate_is_offered);
	tcase_add_loop_test(t, test_what_was_compressed_comes_back, 0, 4);
	tcase_add_test(t, test_the_stream_is_raw);
	tcase_add_test(t, test_packets_stand_alone);
	tcase_add_test(t, test_what_does_not_fit_is_not_compressed);
	tcase_add_test(t, test_a_bomb_ends_at_the_room);
	tcase_add_test(t, test_damaged_streams_are_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? 1 : 0;
}
