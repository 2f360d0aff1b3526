/*
 * tests/unit/engine_io/check_nfqueue.c - the attachment, with this test as the kernel, the process that
 * gives verdicts, and what lies outside.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/nfqueue.h"

#define PACKET "\x45\0\0\x1c a packet, as it was"
#define OUTSIDE_FD 77

static struct io_attachment *a;
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static int kernel[NFQUEUE_QUEUES], verdicts;

/* ---- outside ---- */

static struct io_attachment outside;
static struct ipsp_packet written[IO_BATCH];
static size_t n_written;
static bool is_freed;

static size_t outside_sources(const struct io_attachment *o, struct io_source out[IO_SOURCES_MAX])
{
	(void)o;
	out[0] = (struct io_source) { .fd = OUTSIDE_FD, .dir = IPSP_INBOUND };
	return 1;
}

static size_t outside_read(struct io_attachment *o, size_t source, struct ipsp_packet *p, size_t n)
{
	ck_assert(source == 0 && n > 0);
	p[0].data = p[0].room + IPSP_HEADROOM;
	p[0].len = 20;
	p[0].mark = 5;
	o->stats.packets_in[IPSP_INBOUND - 1] += 3;
	o->stats.drops[IO_REASON_KEEPALIVE] += 2;
	return 1;
}

static void outside_write(struct io_attachment *o, enum ipsp_dir dir, struct ipsp_packet *p,
			  size_t n)
{
	(void)dir;
	for (size_t i = 0; i < n; i++) {
		if (p[i].verdict == IPSP_VERDICT_BYPASS || p[i].verdict == IPSP_VERDICT_ESP_OUT)
			written[n_written++] = p[i];
	}
	o->stats.packets_out[IPSP_OUTBOUND - 1]++;
	o->stats.fast++;
}

static void outside_free(struct io_attachment *o)
{
	(void)o;
	is_freed = true;
}

static const struct io_attachment_ops outside_ops = {
	.name = "outside", .sources = outside_sources, .read = outside_read,
	.write = outside_write, .free = outside_free,
};

/* ---- the kernel ---- */

/** A message that is being written. */
static _Alignas(struct nlmsghdr) uint8_t message[2048];
static size_t message_len;

static void begin(uint16_t type)
{
	const struct nlmsghdr h = { .nlmsg_type = type };

	memset(message, 0, sizeof(message));
	memcpy(message, &h, sizeof(h));
	message_len = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
}

static void put(uint16_t type, const void *data, size_t len)
{
	const struct nlattr attr = { .nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + len) };

	memcpy(message + message_len, &attr, sizeof(attr));
	memcpy(message + message_len + NLA_HDRLEN, data, len);
	message_len += NLA_ALIGN(NLA_HDRLEN + len);
}

static void put_number(uint16_t type, uint32_t number)
{
	number = htonl(number);
	put(type, &number, sizeof(number));
}

static void end(enum ipsp_dir dir)
{
	const uint32_t len = (uint32_t)message_len;

	memcpy(message, &len, sizeof(len));
	ck_assert_int_eq(send(kernel[dir - 1], message, message_len, 0), (ssize_t)message_len);
}

/** All of a packet but its payload. */
static void begin_packet(enum ipsp_dir dir, uint32_t id)
{
	const struct nfqnl_msg_packet_hdr hdr = {
		.packet_id = htonl(id), .hw_protocol = htons(0x0800),
		.hook = dir == IPSP_INBOUND ? NF_INET_PRE_ROUTING : NF_INET_POST_ROUTING,
	};

	begin(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET);
	put(NFQA_PACKET_HDR, &hdr, sizeof(hdr));
	put_number(dir == IPSP_INBOUND ? NFQA_IFINDEX_INDEV : NFQA_IFINDEX_OUTDEV, 9);
}

static void queue(enum ipsp_dir dir, uint32_t id, uint32_t mark)
{
	begin_packet(dir, id);
	if (mark)
		put_number(NFQA_MARK, mark);
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
	end(dir);
}

static size_t read_queue(enum ipsp_dir dir)
{
	return a->ops->read(a, (size_t)dir, packets, IO_BATCH);
}

/** The next message to who gives verdicts must be these: number, and whether it passes. */
static void expect_verdicts(enum ipsp_dir dir, size_t n, const uint32_t *ids, const bool *pass)
{
	struct nfqueue_verdict got[NFQUEUE_VERDICTS_MAX];
	const ssize_t len = recv(verdicts, got, sizeof(got), MSG_DONTWAIT);

	ck_assert_int_eq(len, (ssize_t)(n * sizeof(got[0])));
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(got[i].id, ids[i]);
		ck_assert_uint_eq(got[i].pass, pass[i]);
		ck_assert_uint_eq(got[i].dir, dir);
	}
}

static void expect_no_verdict(void)
{
	uint8_t octet;

	ck_assert_int_lt(recv(verdicts, &octet, 1, MSG_DONTWAIT), 0);
}

/* ---- */

static void setup(void)
{
	struct nfqueue_config config;
	int fds[2];

	for (int i = 0; i < NFQUEUE_QUEUES; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
		kernel[i] = fds[0];
		config.queue_fd[i] = fds[1];
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	verdicts = fds[0];
	config.verdict_fd = fds[1];
	outside = (struct io_attachment) { .ops = &outside_ops };
	n_written = 0;
	is_freed = false;
	ck_assert_int_eq(nfqueue_attach(&config, &outside, &a), 0);
	for (size_t i = 0; i < IO_BATCH; i++)
		packets[i] = (struct ipsp_packet) { .room = rooms[i], .room_len = IO_ROOM };
}

static void teardown(void)
{
	a->ops->free(a);
	ck_assert(is_freed);
	close(kernel[0]);
	close(kernel[1]);
	close(verdicts);
}

START_TEST(test_a_queued_packet_is_read_with_all_that_is_said_of_it)
{
	const enum ipsp_dir dir = (enum ipsp_dir)_i;

	queue(dir, 1, 0);
	ck_assert_uint_eq(read_queue(dir), 1);
	const struct ipsp_packet *const p = &packets[0];

	ck_assert_uint_eq(p->len, sizeof(PACKET));
	ck_assert_mem_eq(p->data, PACKET, sizeof(PACKET));
	ck_assert_uint_eq(p->ifindex, 9);
	ck_assert_uint_ne(p->mark, 0);
	ck_assert_uint_eq(p->flags, IPSP_PKT_TRANSIT | IPSP_PKT_PASSING);
	ck_assert_int_ge(p->data - p->room, IPSP_HEADROOM);
	ck_assert_int_ge(p->room + p->room_len - (p->data + p->len), IPSP_TAILROOM);
	ck_assert_uint_eq(a->stats.packets_in[dir - 1], 1);
}
END_TEST

START_TEST(test_what_is_bypassed_passes_and_nothing_else)
{
	const enum ipsp_dir dir = (enum ipsp_dir)_i;
	uint32_t ids[IPSP_N_VERDICTS];
	bool pass[IPSP_N_VERDICTS];

	for (uint32_t i = 0; i < IPSP_N_VERDICTS; i++) {
		queue(dir, 100 + i, 0);
		ids[i] = 100 + i;
		pass[i] = i == IPSP_VERDICT_BYPASS;
	}
	ck_assert_uint_eq(read_queue(dir), IPSP_N_VERDICTS);
	for (uint8_t i = 0; i < IPSP_N_VERDICTS; i++)
		packets[i].verdict = i;
	a->ops->write(a, dir, packets, IPSP_N_VERDICTS);
	expect_verdicts(dir, IPSP_N_VERDICTS, ids, pass);
	ck_assert_uint_eq(a->stats.packets_out[dir - 1], dir == IPSP_OUTBOUND ? 2 : 1);
	ck_assert_uint_eq(a->stats.fast, 1);
	expect_no_verdict();
}
END_TEST

START_TEST(test_a_packet_keeps_the_low_half_of_its_mark)
{
	struct nfqueue_verdict got;

	queue(IPSP_OUTBOUND, 7, 0x12345678);
	ck_assert_uint_eq(read_queue(IPSP_OUTBOUND), 1);
	packets[0].verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, packets, 1);
	ck_assert_int_eq(recv(verdicts, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
	ck_assert_uint_eq(got.mark_low, 0x5678);
}
END_TEST

START_TEST(test_what_nobody_judges_is_dropped_by_the_next_read)
{
	queue(IPSP_INBOUND, 1, 0);
	queue(IPSP_INBOUND, 2, 0);
	ck_assert_uint_eq(read_queue(IPSP_INBOUND), 2);
	expect_no_verdict();
	ck_assert_uint_eq(read_queue(IPSP_OUTBOUND), 0);
	expect_verdicts(IPSP_INBOUND, 2, (const uint32_t[]) { 1, 2 }, (const bool[]) { 0, 0 });
	/* Nor is it written any more. */
	packets[0].verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_INBOUND, packets, 1);
	expect_no_verdict();
}
END_TEST

START_TEST(test_of_what_passes_by_itself_the_outside_sends_nothing)
{
	queue(IPSP_OUTBOUND, 1, 0);
	queue(IPSP_OUTBOUND, 2, 0);
	ck_assert_uint_eq(read_queue(IPSP_OUTBOUND), 2);
	packets[0].verdict = IPSP_VERDICT_BYPASS;
	packets[1].verdict = IPSP_VERDICT_ESP_OUT;
	packets[2] = (struct ipsp_packet) { .room = rooms[2], .room_len = IO_ROOM,
					    .verdict = IPSP_VERDICT_BYPASS };
	a->ops->write(a, IPSP_OUTBOUND, packets, 3);
	/* One that is protected, and one that did not come by a queue. */
	ck_assert_uint_eq(n_written, 2);
	ck_assert_uint_eq(written[0].verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_ptr_eq(written[1].room, rooms[2]);
}
END_TEST

static void bad_no_payload(void)
{
	begin_packet(IPSP_OUTBOUND, 3);
}

static void bad_cut(void)
{
	begin_packet(IPSP_OUTBOUND, 3);
	put_number(NFQA_CAP_LEN, 9000);
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
}

static void bad_large(void)
{
	begin_packet(IPSP_OUTBOUND, 3);
	put_number(NFQA_SKB_INFO, NFQA_SKB_GSO);
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
}

static void bad_checksum(void)
{
	begin_packet(IPSP_OUTBOUND, 3);
	put_number(NFQA_SKB_INFO, NFQA_SKB_CSUMNOTREADY);
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
}

static void bad_hook(void)
{
	begin_packet(IPSP_INBOUND, 3);
	put_number(NFQA_IFINDEX_OUTDEV, 9);
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
}

static void bad_no_interface(void)
{
	const struct nfqnl_msg_packet_hdr hdr = { .packet_id = htonl(3),
						  .hook = NF_INET_POST_ROUTING };

	begin(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET);
	put(NFQA_PACKET_HDR, &hdr, sizeof(hdr));
	put(NFQA_PAYLOAD, PACKET, sizeof(PACKET));
}

static const struct {
	const char *name;
	void (*make)(void);
	enum io_reason reason;
} bad[] = {
	{ "without a packet", bad_no_payload, IO_REASON_READ_CUT },
	{ "cut", bad_cut, IO_REASON_READ_CUT },
	{ "a large segment", bad_large, IO_REASON_OFFLOAD },
	{ "an unfinished checksum", bad_checksum, IO_REASON_OFFLOAD },
	{ "of another hook", bad_hook, IO_REASON_READ_CUT },
	{ "of no interface", bad_no_interface, IO_REASON_READ_CUT },
};

START_TEST(test_what_cannot_be_judged_is_dropped_at_once_and_counted)
{
	bad[_i].make();
	end(IPSP_OUTBOUND);
	queue(IPSP_OUTBOUND, 4, 0);
	ck_assert_msg(read_queue(IPSP_OUTBOUND) == 1, "%s", bad[_i].name);
	ck_assert_msg(a->stats.drops[bad[_i].reason] == 1, "%s", bad[_i].name);
	packets[0].verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, packets, 1);
	expect_verdicts(IPSP_OUTBOUND, 2, (const uint32_t[]) { 3, 4 }, (const bool[]) { 0, 1 });
}
END_TEST

START_TEST(test_what_is_no_packet_is_passed_over)
{
	begin(NLMSG_ERROR);
	end(IPSP_INBOUND);
	begin(NFNL_SUBSYS_ULOG << 8 | NFQNL_MSG_PACKET);
	end(IPSP_INBOUND);
	begin(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET);
	end(IPSP_INBOUND);
	ck_assert_int_eq(send(kernel[IPSP_INBOUND - 1], "short", 5, 0), 5);
	begin_packet(IPSP_INBOUND, 1);
	message_len += 8;	/* a message that says it is longer */
	ck_assert_int_eq(send(kernel[IPSP_INBOUND - 1], message, 16, 0), 16);
	ck_assert_uint_eq(read_queue(IPSP_INBOUND), 0);
	(void)read_queue(IPSP_INBOUND);
	expect_no_verdict();
}
END_TEST

START_TEST(test_the_outside_goes_on_and_counts)
{
	struct io_source sources[IO_SOURCES_MAX];

	ck_assert_uint_eq(a->ops->sources(a, sources), 3);
	ck_assert_int_eq(sources[0].fd, OUTSIDE_FD);
	ck_assert_int_eq(sources[1].dir, IPSP_INBOUND);
	ck_assert_int_eq(sources[2].dir, IPSP_OUTBOUND);
	ck_assert_uint_eq(a->ops->read(a, 0, packets, IO_BATCH), 1);
	/* A mark of its own would name a packet of a queue. */
	ck_assert_uint_eq(packets[0].mark, 0);
	ck_assert_uint_eq(a->stats.packets_in[IPSP_INBOUND - 1], 3);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_KEEPALIVE], 2);
	ck_assert_uint_eq(outside.stats.drops[IO_REASON_KEEPALIVE], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_io/nfqueue");
	TCase *tc = tcase_create("nfqueue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_a_queued_packet_is_read_with_all_that_is_said_of_it, IPSP_INBOUND,
			    IPSP_OUTBOUND + 1);
	tcase_add_loop_test(tc, test_what_is_bypassed_passes_and_nothing_else, IPSP_INBOUND,
			    IPSP_OUTBOUND + 1);
	tcase_add_test(tc, test_a_packet_keeps_the_low_half_of_its_mark);
	tcase_add_test(tc, test_what_nobody_judges_is_dropped_by_the_next_read);
	tcase_add_test(tc, test_of_what_passes_by_itself_the_outside_sends_nothing);
	tcase_add_loop_test(tc, test_what_cannot_be_judged_is_dropped_at_once_and_counted, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, test_what_is_no_packet_is_passed_over);
	tcase_add_test(tc, test_the_outside_goes_on_and_counts);
	suite_add_tcase(s, tc);
	SRunner *runner = srunner_create(s);

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
