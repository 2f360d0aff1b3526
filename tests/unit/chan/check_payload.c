/* Tests of chan/payload.c: order of octets, and that neither side ever passes its end. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "chan/chan.h"

START_TEST(test_numbers_are_big_endian)
{
	uint8_t buf[15];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	static const uint8_t expected[15] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
					      0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f };

	chan_put_u8(&w, 0x01);
	chan_put_u16(&w, 0x0203);
	chan_put_u32(&w, 0x04050607);
	chan_put_u64(&w, 0x08090a0b0c0d0e0f);
	ck_assert(!w.overflow);
	ck_assert_uint_eq(w.len, sizeof(expected));
	ck_assert_mem_eq(buf, expected, sizeof(expected));

	struct chan_reader r = { .data = buf, .len = sizeof(buf) };
	ck_assert_uint_eq(chan_get_u8(&r), 0x01);
	ck_assert_uint_eq(chan_get_u16(&r), 0x0203);
	ck_assert_uint_eq(chan_get_u32(&r), 0x04050607);
	ck_assert(!chan_reader_done(&r));
	ck_assert_uint_eq(chan_get_u64(&r), 0x08090a0b0c0d0e0f);
	ck_assert(chan_reader_done(&r));
}
END_TEST

START_TEST(test_octets_carry_their_length)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	size_t len;

	chan_put_octets(&w, "abc", 3);
	chan_put_octets(&w, "", 0);
	ck_assert(!w.overflow);
	ck_assert_uint_eq(w.len, 11);
	struct chan_reader r = { .data = buf, .len = w.len };
	const uint8_t *at = chan_get_octets(&r, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(at, "abc", 3);
	chan_get_octets(&r, &len);
	ck_assert_uint_eq(len, 0);
	ck_assert(chan_reader_done(&r));
}
END_TEST

START_TEST(test_writer_remembers_overflow_and_writes_nothing_more)
{
	uint8_t buf[6] = { 0, 0, 0, 0, 0xee, 0xee };
	struct chan_writer w = { .data = buf, .size = 4 };

	chan_put_u16(&w, 1);
	chan_put_u32(&w, 0x11223344);	/* does not fit */
	chan_put_u16(&w, 2);		/* would fit, but the message is spoilt */
	ck_assert(w.overflow);
	ck_assert_uint_eq(w.len, 2);
	ck_assert_uint_eq(buf[4], 0xee);

	struct chan_writer o = { .data = buf, .size = 4 };
	chan_put_octets(&o, "a", 1);
	ck_assert(o.overflow);
	ck_assert_uint_eq(o.len, 0);
}
END_TEST

START_TEST(test_reader_gives_zeros_after_running_short)
{
	static const uint8_t buf[3] = { 0xff, 0xff, 0xff };
	struct chan_reader r = { .data = buf, .len = sizeof(buf) };
	uint8_t raw[2] = { 9, 9 };

	ck_assert_uint_eq(chan_get_u32(&r), 0);
	ck_assert(r.short_read);
	ck_assert_uint_eq(chan_get_u8(&r), 0);
	chan_get_raw(&r, raw, sizeof(raw));
	ck_assert_uint_eq(raw[0] | raw[1], 0);
	ck_assert(!chan_reader_done(&r));
}
END_TEST

START_TEST(test_octets_longer_than_the_message_are_refused)
{
	static const struct {
		const char *name;
		uint8_t octets[6];
		size_t len;
	} cases[] = {
		{ "one too many", { 0, 0, 0, 3, 'a', 'b' }, 6 },
		{ "all bits set", { 0xff, 0xff, 0xff, 0xff, 'a', 'b' }, 6 },
		{ "length cut", { 0, 0, 0 }, 3 },
	};
	size_t len = 7;

	struct chan_reader r = { .data = cases[_i].octets, .len = cases[_i].len };
	ck_assert_msg(chan_get_octets(&r, &len) == NULL, "%s", cases[_i].name);
	ck_assert_uint_eq(len, 0);
	ck_assert(r.short_read);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chan/payload");
	TCase *tc = tcase_create("payload");

	tcase_add_test(tc, test_numbers_are_big_endian);
	tcase_add_test(tc, test_octets_carry_their_length);
	tcase_add_test(tc, test_writer_remembers_overflow_and_writes_nothing_more);
	tcase_add_test(tc, test_reader_gives_zeros_after_running_short);
	tcase_add_loop_test(tc, test_octets_longer_than_the_message_are_refused, 0, 3);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
