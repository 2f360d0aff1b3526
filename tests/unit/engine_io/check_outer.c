/*
 * tests/unit/engine_io/check_outer.c - raw sockets over a veth pair, the kernel in between.
 *
 * Packets are built here octet by octet, sent with their header from one end's namespace and read
 * at the other: what is read must be what was sent, IPv6 headers made again included.
 */
#include "config.h"
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/outer.h"
#include "tests/unit/engine_io/netns.h"

static int in_fd[2], out_fd[2];
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static struct io_stats stats;
static uint32_t receiver_ifindex;

static int raw(int family, int proto)
{
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, proto);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void setup(void)
{
	netns_enter();
	netns_run("ip link add v0 type veth peer name v1; ip link set v0 up");
	netns_run("ip addr add 192.0.2.1/24 dev v0; ip addr add 2001:db8::1/64 dev v0 nodad");
	in_fd[OUTER_IPV4] = raw(AF_INET, IPPROTO_ESP);
	in_fd[OUTER_IPV6] = raw(AF_INET6, IPPROTO_ESP);
	receiver_ifindex = if_nametoindex("v0");
	netns_enter_with((const char *const[]){ "v1", NULL });
	netns_run("ip link set v1 up");
	netns_run("ip addr add 192.0.2.2/24 dev v1; ip addr add 2001:db8::2/64 dev v1 nodad");
	out_fd[OUTER_IPV4] = raw(AF_INET, IPPROTO_RAW);
	out_fd[OUTER_IPV6] = raw(AF_INET6, IPPROTO_RAW);
	for (int f = OUTER_IPV4; f <= OUTER_IPV6; f++) {
		ck_assert_int_eq(outer_in_init(in_fd[f], (enum outer_family)f, IPPROTO_ESP), 0);
		ck_assert_int_eq(outer_out_init(out_fd[f], (enum outer_family)f), 0);
	}
	const int on = 1;

	ck_assert_int_eq(setsockopt(out_fd[OUTER_IPV6], IPPROTO_IPV6, 36 /* IPV6_HDRINCL */, &on,
				    sizeof(on)), 0);
	for (size_t i = 0; i < IO_BATCH; i++) {
		packets[i].room = rooms[i];
		packets[i].room_len = IO_ROOM;
	}
	memset(&stats, 0, sizeof(stats));
}

/** Waits for the first, then reads up to n. */
static size_t receive(enum outer_family family, size_t n)
{
	struct pollfd p = { .fd = in_fd[family], .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	return outer_read(in_fd[family], family, IPPROTO_ESP, packets, n, &stats);
}

static void make_ipv6(uint8_t *p, uint8_t tclass, uint32_t label, uint8_t hops, uint16_t payload)
{
	const struct ipsp_addr from = netns_addr("2001:db8::2"), to = netns_addr("2001:db8::1");

	memset(p, 0, 40u + payload);
	p[0] = (uint8_t)(0x60 | tclass >> 4);
	p[1] = (uint8_t)((tclass & 15) << 4 | label >> 16);
	p[2] = (uint8_t)(label >> 8);
	p[3] = (uint8_t)label;
	p[4] = (uint8_t)(payload >> 8);
	p[5] = (uint8_t)payload;
	p[6] = 50;
	p[7] = hops;
	memcpy(p + 8, from.octets, 16);
	memcpy(p + 24, to.octets, 16);
	for (size_t i = 0; i < payload; i++)
		p[40 + i] = (uint8_t)(i * 7);
}

static void make_ipv4(uint8_t *p, uint8_t tos, uint8_t ttl, uint16_t payload)
{
	const struct ipsp_addr from = netns_addr("192.0.2.2"), to = netns_addr("192.0.2.1");
	const uint16_t total = (uint16_t)(20 + payload);

	memset(p, 0, total);
	p[0] = 0x45;
	p[1] = tos;
	p[2] = (uint8_t)(total >> 8);
	p[3] = (uint8_t)total;
	p[4] = 0x12;
	p[5] = 0x34;
	p[8] = ttl;
	p[9] = 50;
	memcpy(p + 12, from.octets, 4);
	memcpy(p + 16, to.octets, 4);
	for (size_t i = 0; i < payload; i++)
		p[20 + i] = (uint8_t)(i * 7);
}

static const struct {
	const char *name;
	uint8_t tclass;
	uint32_t label;
	uint8_t hops;
	uint16_t payload;
} headers6[] = {
	{ "all zero", 0, 0, 1, 40 },
	{ "traffic class alone", 0xb9, 0, 64, 40 },
	{ "flow label alone", 0, 0xabcde, 64, 40 },
	{ "every bit", 0xff, 0xfffff, 255, 1400 },
	{ "no payload", 0x01, 1, 64, 0 },
};

START_TEST(test_outer_ipv6_header_is_made_again_as_it_was)
{
	uint8_t sent[40 + 1400];

	make_ipv6(sent, headers6[_i].tclass, headers6[_i].label, headers6[_i].hops,
		  headers6[_i].payload);
	const struct outer_send s = { .data = sent, .len = 40u + headers6[_i].payload };

	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV6], OUTER_IPV6, &s, 1, &stats), 1);
	ck_assert_uint_eq(receive(OUTER_IPV6, IO_BATCH), 1);
	ck_assert_uint_eq(packets[0].len, s.len);
	ck_assert_msg(memcmp(packets[0].data, sent, s.len) == 0, "%s", headers6[_i].name);
	ck_assert_uint_eq(packets[0].ifindex, receiver_ifindex);
	ck_assert_uint_ge(packets[0].data - packets[0].room, IPSP_HEADROOM);
}
END_TEST

START_TEST(test_outer_ipv4_packet_comes_whole_with_its_interface)
{
	uint8_t sent[20 + 1000];

	make_ipv4(sent, 0xb9, 17, 1000);
	const struct outer_send s = { .data = sent, .len = sizeof(sent) };

	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, &s, 1, &stats), 1);
	ck_assert_uint_eq(receive(OUTER_IPV4, IO_BATCH), 1);
	ck_assert_uint_eq(packets[0].len, sizeof(sent));
	/* The checksum is the kernel's. */
	ck_assert_mem_eq(packets[0].data, sent, 10);
	ck_assert_mem_eq(packets[0].data + 12, sent + 12, sizeof(sent) - 12);
	ck_assert_uint_eq(packets[0].ifindex, receiver_ifindex);
}
END_TEST

START_TEST(test_outer_batch_keeps_order_and_every_room)
{
	uint8_t sent[IO_BATCH][60];
	struct outer_send s[IO_BATCH];
	bool seen[IO_BATCH] = { false };

	for (size_t i = 0; i < IO_BATCH; i++) {
		make_ipv4(sent[i], 0, 64, 40);
		sent[i][20] = (uint8_t)i;
		s[i] = (struct outer_send) { .data = sent[i], .len = 60 };
	}
	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, s, IO_BATCH, &stats),
			  IO_BATCH);
	for (size_t got = 0; got < IO_BATCH;) {
		const size_t n = receive(OUTER_IPV4, IO_BATCH / 3);

		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, IO_BATCH / 3);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(packets[i].data[20], got++);
	}
	for (size_t i = 0; i < IO_BATCH; i++) {
		const size_t room = (size_t)(packets[i].room - rooms[0]) / IO_ROOM;

		ck_assert(!seen[room]);
		seen[room] = true;
	}
}
END_TEST

START_TEST(test_outer_packet_the_kernel_refuses_does_not_hold_up_the_rest)
{
	uint8_t good[2][60], big[20 + 2000], nowhere[60];
	struct outer_send s[] = {
		{ .data = good[0], .len = 60 },
		{ .data = big, .len = sizeof(big), .ifindex = if_nametoindex("v1") },
		{ .data = nowhere, .len = 60 },
		{ .data = good[1], .len = 60 },
	};

	make_ipv4(good[0], 0, 64, 40);
	make_ipv4(good[1], 0, 64, 40);
	make_ipv4(big, 0, 64, 2000);
	memcpy(big + 16, netns_addr("192.0.2.77").octets, 4);
	make_ipv4(nowhere, 0, 64, 40);
	memcpy(nowhere + 16, netns_addr("198.51.100.1").octets, 4);
	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, s, 4, &stats), 2);
	ck_assert_uint_eq(stats.drops[IO_REASON_PATH_TOO_BIG], 1);
	ck_assert_uint_eq(stats.drops[IO_REASON_NO_ROUTE], 1);
	for (size_t got = 0; got < 2;)
		got += receive(OUTER_IPV4, 1);
}
END_TEST

START_TEST(test_outer_packet_the_kernel_finds_malformed_is_counted)
{
	uint8_t bad[60];
	const struct outer_send s = { .data = bad, .len = 24 };

	make_ipv4(bad, 0, 64, 40);
	bad[0] = 0x4f;	/* a header longer than the packet */
	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, &s, 1, &stats), 0);
	ck_assert_uint_eq(stats.drops[IO_REASON_SEND], 1);
}
END_TEST

/* Packets that wait for a neighbour who never answers fill the socket's share. */
START_TEST(test_outer_full_send_queue_drops_and_counts)
{
	static const int least = 1;
	uint8_t octets[60];
	const struct outer_send s = { .data = octets, .len = 60 };
	size_t sent = 0, tried = 0;

	make_ipv4(octets, 0, 64, 40);
	memcpy(octets + 16, netns_addr("192.0.2.77").octets, 4);
	ck_assert_int_eq(setsockopt(out_fd[OUTER_IPV4], SOL_SOCKET, SO_SNDBUF, &least,
				    sizeof(least)), 0);
	while (stats.drops[IO_REASON_SEND_QUEUE] == 0 && tried++ < 1000)
		sent += outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, &s, 1, &stats);
	ck_assert_uint_eq(stats.drops[IO_REASON_SEND_QUEUE], 1);
	ck_assert_uint_eq(sent, tried - 1);
}
END_TEST

START_TEST(test_outer_empty_socket_gives_nothing)
{
	ck_assert_uint_eq(outer_read(in_fd[OUTER_IPV6], OUTER_IPV6, IPPROTO_ESP, packets, IO_BATCH, &stats),
			  0);
}
END_TEST

START_TEST(test_outer_packet_without_ancillary_data_is_counted_not_used)
{
	uint8_t sent[60];
	const int off = 0;

	make_ipv4(sent, 0, 64, 40);
	const struct outer_send s = { .data = sent, .len = 60 };

	ck_assert_int_eq(setsockopt(in_fd[OUTER_IPV4], IPPROTO_IP, IP_PKTINFO, &off, sizeof(off)),
			 0);
	ck_assert_uint_eq(outer_write(out_fd[OUTER_IPV4], OUTER_IPV4, &s, 1, &stats), 1);
	struct pollfd p = { .fd = in_fd[OUTER_IPV4], .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_uint_eq(outer_read(in_fd[OUTER_IPV4], OUTER_IPV4, IPPROTO_ESP, packets, IO_BATCH, &stats),
			  0);
	ck_assert_uint_eq(stats.drops[IO_REASON_READ_CUT], 1);
}
END_TEST

START_TEST(test_outer_family_needs_a_whole_header)
{
	const uint8_t v4[20] = { 0x45 }, v6[40] = { 0x60 }, v5[40] = { 0x50 };

	ck_assert_int_eq(outer_family_of(v4, 20), OUTER_IPV4);
	ck_assert_int_eq(outer_family_of(v4, 19), -1);
	ck_assert_int_eq(outer_family_of(v6, 40), OUTER_IPV6);
	ck_assert_int_eq(outer_family_of(v6, 39), -1);
	ck_assert_int_eq(outer_family_of(v5, 40), -1);
	ck_assert_int_eq(outer_family_of(v4, 0), -1);
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/outer");
	TCase *t = tcase_create("outer");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_outer_ipv6_header_is_made_again_as_it_was, 0,
			    sizeof(headers6) / sizeof(headers6[0]));
	tcase_add_test(t, test_outer_ipv4_packet_comes_whole_with_its_interface);
	tcase_add_test(t, test_outer_batch_keeps_order_and_every_room);
	tcase_add_test(t, test_outer_packet_the_kernel_refuses_does_not_hold_up_the_rest);
	tcase_add_test(t, test_outer_packet_the_kernel_finds_malformed_is_counted);
	tcase_add_test(t, test_outer_full_send_queue_drops_and_counts);
	tcase_add_test(t, test_outer_empty_socket_gives_nothing);
	tcase_add_test(t, test_outer_packet_without_ancillary_data_is_counted_not_used);
	tcase_add_test(t, test_outer_family_needs_a_whole_header);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
