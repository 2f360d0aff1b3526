/*
 * tests/unit/engine_io/check_ring.c - frames put into a ring and what becomes of them, in memory of our own: the
 * test is the kernel. With the real one: check_fast.c.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/nexthop.h"
#include "engine/io/ring.h"

static _Alignas(16) uint8_t memory[RING_FRAMES * RING_FRAME];
static struct ring ring;
static struct io_stats stats;
static uint8_t octets[IO_BATCH][RING_PACKET_MAX];
static struct outer_send packets[IO_BATCH];
static struct nexthop hops[IO_BATCH];

static struct tpacket2_hdr *frame(size_t at)
{
	return (void *)(memory + at % RING_FRAMES * RING_FRAME);
}

static void setup(void)
{
	memset(memory, 0, sizeof(memory));
	memset(&stats, 0, sizeof(stats));
	ring = (struct ring) { .fd = -1, .memory = memory };
	for (size_t i = 0; i < IO_BATCH; i++) {
		memset(octets[i], (int)(i + 1), sizeof(octets[i]));
		packets[i] = (struct outer_send) { .data = octets[i], .len = (uint32_t)(100 + i) };
		hops[i] = (struct nexthop) {
			.ifindex = 3, .lladdr = { 2, 0, 0, 0, 0, (uint8_t)i }, .own = { 2, 0, 0, 0, 1, (uint8_t)i },
		};
	}
}

static void all_are_free(void)
{
	for (size_t i = 0; i < RING_FRAMES; i++)
		ck_assert_uint_eq(frame(i)->tp_status, TP_STATUS_AVAILABLE);
}

START_TEST(test_frames_stand_where_the_kernel_reads_them)
{
	const enum outer_family family = (enum outer_family)_i;

	ring.at = RING_FRAMES - 2;	/* and round the end */
	packets[3].len = RING_PACKET_MAX;
	ck_assert_uint_eq(ring_put(&ring, family, hops, packets, 4), 4);
	for (size_t i = 0; i < 4; i++) {
		const struct tpacket2_hdr *const h = frame(ring.at + i);
		const uint8_t *const virtio = (const uint8_t *)h + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
		const uint8_t *const ether = virtio + 10;
		uint16_t copied;

		ck_assert_uint_eq(h->tp_status, TP_STATUS_SEND_REQUEST);
		ck_assert_uint_eq(h->tp_len, 10 + 14 + packets[i].len);
		ck_assert_uint_eq(virtio[0] | virtio[1], 0);	/* nothing to finish, nothing to cut */
		memcpy(&copied, virtio + 2, sizeof(copied));
		ck_assert_uint_eq(copied, 14 + packets[i].len);
		ck_assert_mem_eq(ether, hops[i].lladdr, 6);
		ck_assert_mem_eq(ether + 6, hops[i].own, 6);
		ck_assert_uint_eq(ether[12] << 8 | ether[13], family == OUTER_IPV4 ? 0x0800 : 0x86dd);
		ck_assert_mem_eq(ether + 14, octets[i], packets[i].len);
	}
	ck_assert_uint_eq(frame(ring.at + 4)->tp_status, TP_STATUS_AVAILABLE);
	ck_assert_uint_eq(RING_CONTENT + 10 + 14 + RING_PACKET_MAX, RING_FRAME);
}
END_TEST

static const struct {
	const char *name;
	uint32_t status[4];	/* of the frames after the call */
	size_t taken;
} calls[] = {
	{ "all sent", { TP_STATUS_AVAILABLE, TP_STATUS_AVAILABLE, TP_STATUS_AVAILABLE, TP_STATUS_AVAILABLE }, 4 },
	{ "all under way", { TP_STATUS_SENDING, TP_STATUS_SENDING, TP_STATUS_SENDING, TP_STATUS_SENDING }, 4 },
	{ "all but the last",
	  { TP_STATUS_SENDING, TP_STATUS_AVAILABLE, TP_STATUS_SENDING, TP_STATUS_SEND_REQUEST }, 3 },
	{ "with a time of sending", { TP_STATUS_AVAILABLE | TP_STATUS_TS_SOFTWARE, TP_STATUS_SENDING,
				      TP_STATUS_AVAILABLE, TP_STATUS_AVAILABLE }, 4 },
	{ "none", { TP_STATUS_SEND_REQUEST, TP_STATUS_SEND_REQUEST, TP_STATUS_SEND_REQUEST,
		    TP_STATUS_SEND_REQUEST }, 0 },
	{ "one is wrong", { TP_STATUS_AVAILABLE, TP_STATUS_WRONG_FORMAT, TP_STATUS_SEND_REQUEST,
			    TP_STATUS_SEND_REQUEST }, 1 },
	{ "the first is wrong", { TP_STATUS_WRONG_FORMAT, TP_STATUS_SEND_REQUEST, TP_STATUS_SEND_REQUEST,
				  TP_STATUS_SEND_REQUEST }, 0 },
};
#define N_CALLS (int)(sizeof(calls) / sizeof(calls[0]))

START_TEST(test_what_was_taken_is_gone_on_behind_and_the_rest_taken_back)
{
	ring.at = RING_FRAMES - 2;
	ck_assert_uint_eq(ring_put(&ring, OUTER_IPV4, hops, packets, 4), 4);
	for (size_t i = 0; i < 4; i++)
		frame(ring.at + i)->tp_status = calls[_i].status[i];
	ck_assert_msg(ring_settle(&ring, 4) == calls[_i].taken, "%s", calls[_i].name);
	ck_assert_uint_eq(ring.at, (RING_FRAMES - 2 + calls[_i].taken) % RING_FRAMES);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(frame(RING_FRAMES - 2 + i)->tp_status,
				  i < calls[_i].taken ? calls[_i].status[i] : TP_STATUS_AVAILABLE);
}
END_TEST

START_TEST(test_a_frame_that_is_under_way_is_not_touched)
{
	struct tpacket2_hdr *const h = frame(2);
	size_t sent = 9;

	h->tp_status = TP_STATUS_SENDING;
	h->tp_len = 7;
	ck_assert_uint_eq(ring_put(&ring, OUTER_IPV4, hops, packets, 4), 2);
	ck_assert_uint_eq(h->tp_status, TP_STATUS_SENDING);
	ck_assert_uint_eq(h->tp_len, 7);
	frame(0)->tp_status = frame(1)->tp_status = TP_STATUS_AVAILABLE;
	ring.at = 2;
	ck_assert_uint_eq(ring_send(&ring, OUTER_IPV4, hops, packets, 4, &stats, &sent), 0);
	ck_assert_uint_eq(sent, 0);
	ck_assert_uint_eq(ring.at, 2);
	ck_assert(!ring.is_lost);
}
END_TEST

START_TEST(test_a_call_that_fails_drops_all_and_leaves_nothing_behind)
{
	size_t sent = 9;

	ring.at = 100;
	ck_assert_uint_eq(ring_send(&ring, OUTER_IPV4, hops, packets, IO_BATCH, &stats, &sent), IO_BATCH);
	ck_assert_uint_eq(sent, 0);
	ck_assert_uint_eq(stats.drops[IO_REASON_SEND], IO_BATCH);
	ck_assert_uint_eq(ring.at, 100);
	ck_assert(!ring.is_lost);
	all_are_free();
}
END_TEST

START_TEST(test_a_lost_ring_takes_nothing)
{
	size_t sent = 9;

	ring.is_lost = true;
	ck_assert_uint_eq(ring_send(&ring, OUTER_IPV4, hops, packets, 1, &stats, &sent), 0);
	ck_assert_uint_eq(sent, 0);
	all_are_free();
}
END_TEST

START_TEST(test_no_ring_comes_of_what_is_no_packet_socket)
{
	struct ring *out = NULL;

	ck_assert_int_eq(ring_prepare(-1), -EBADF);
	ck_assert_int_eq(ring_new(-1, &out), -EBADF);
	ck_assert_ptr_null(out);
	ring_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/io/ring");
	TCase *t = tcase_create("ring");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, test_frames_stand_where_the_kernel_reads_them, 0, 2);
	tcase_add_loop_test(t, test_what_was_taken_is_gone_on_behind_and_the_rest_taken_back, 0, N_CALLS);
	tcase_add_test(t, test_a_frame_that_is_under_way_is_not_touched);
	tcase_add_test(t, test_a_call_that_fails_drops_all_and_leaves_nothing_behind);
	tcase_add_test(t, test_a_lost_ring_takes_nothing);
	tcase_add_test(t, test_no_ring_comes_of_what_is_no_packet_socket);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
