/*
 * tests/unit/engine_io/check_udp.c - ESP in UDP over a real kernel: trains taken apart and put together,
 * and what arrives on the port that is no ESP. RFC 3948 2, 3; udp(7).
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/udp.h"
#include "tests/unit/engine_io/netns.h"

#define WAIT_MS 20000
#define HEADERS 28u		/* IPv4 and UDP */

static int in_fd, out_fd;
static uint16_t in_port, out_port;
static struct udp_socket *in;
static struct ipsp_packet packets[IO_BATCH];
static struct io_stats stats;

static int udp_at(const char *address, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void setup(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	netns_enter();
	netns_run("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up");
	netns_run("ip addr add 192.0.2.1/24 dev v0");
	in_fd = udp_at("127.0.0.1", &in_port);
	out_fd = udp_at("127.0.0.2", &out_port);
	to.sin_port = htons(in_port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(out_fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(udp_socket_new(in_fd, -1, OUTER_IPV4, 0, &in), 0);
	memset(&stats, 0, sizeof(stats));
	memset(packets, 0, sizeof(packets));
}

static void teardown(void)
{
	udp_socket_free(in);
	close(in_fd);
	close(out_fd);
}

/* Waits for the first, then reads up to n; datagrams that are no ESP may have come before. */
static size_t receive(size_t n)
{
	for (size_t got = 0;;) {
		struct pollfd p = { .fd = in_fd, .events = POLLIN };

		got = udp_read(in, packets, n, &stats);
		if (got > 0)
			return got;
		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	}
}

static void send_octets(const void *octets, size_t n)
{
	ck_assert_int_eq(send(out_fd, octets, n, 0), (ssize_t)n);
}

static const uint8_t esp[16] = { 0, 0, 0x10, 1, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8 };

START_TEST(test_udp_what_is_no_esp_is_counted_and_left_out)
{
	static const uint8_t keepalive[1] = { 0xff }, other[1] = { 0xfe }, ike[32] = { 0 };

	send_octets(keepalive, 1);
	send_octets(ike, sizeof(ike));
	send_octets(ike, 4);
	send_octets(other, 1);
	send_octets(esp, 7);
	send_octets(esp, sizeof(esp));
	ck_assert_uint_eq(receive(IO_BATCH), 1);
	ck_assert_uint_eq(packets[0].len, sizeof(esp));
	ck_assert_mem_eq(packets[0].data, esp, sizeof(esp));
	ck_assert_uint_eq(stats.drops[IO_REASON_KEEPALIVE], 1);
	ck_assert_uint_eq(stats.drops[IO_REASON_NO_IKE], 2);
	ck_assert_uint_eq(stats.drops[IO_REASON_READ_CUT], 2);
	ck_assert_uint_eq(stats.packets_in[IPSP_INBOUND - 1], 6);
}
END_TEST

START_TEST(test_udp_a_train_is_taken_apart)
{
	static const int tos = 0xb9, ttl = 33, size = 100;
	const struct ipsp_addr from = netns_addr("127.0.0.2"), to = netns_addr("127.0.0.1");
	uint8_t train[10 * 100 + 30];

	for (size_t i = 0; i < sizeof(train); i++)
		train[i] = (uint8_t)(i % 100 + i / 100 + 1);
	ck_assert_int_eq(setsockopt(out_fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	ck_assert_int_eq(setsockopt(out_fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	ck_assert_int_eq(setsockopt(out_fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	send_octets(train, sizeof(train));
	/* In parts, as a turn may be shorter than a train. */
	for (size_t got = 0; got < 11;) {
		const size_t n = receive(4);

		for (size_t i = 0; i < n; i++) {
			const struct ipsp_packet *const p = &packets[i];

			ck_assert_uint_eq(p->len, got + i < 10 ? 100 : 30);
			ck_assert_mem_eq(p->data, train + (got + i) * 100, p->len);
			ck_assert_int_eq(ipsp_addr_cmp(&p->outer->src, &from), 0);
			ck_assert_int_eq(ipsp_addr_cmp(&p->outer->dst, &to), 0);
			ck_assert_uint_eq(p->outer->sport, out_port);
			ck_assert_uint_eq(p->outer->dport, in_port);
			ck_assert_uint_eq(p->outer->dscp, 0x2e);
			ck_assert_uint_eq(p->outer->ecn, 1);
			ck_assert_uint_eq(p->outer->ttl, 33);
			ck_assert_uint_ne(p->ifindex, 0);
		}
		got += n;
	}
	ck_assert_uint_eq(stats.packets_in[IPSP_INBOUND - 1], 11);
}
END_TEST

/* An ESP packet in UDP as the engine writes it, from in's port. */
static uint32_t make(uint8_t p[256], const char *from, const char *to, uint16_t dport, uint8_t n)
{
	const struct ipsp_addr src = netns_addr(from), dst = netns_addr(to);
	const uint32_t len = HEADERS + n;

	memset(p, 0, 256);
	p[0] = 0x45;
	p[3] = (uint8_t)len;
	p[8] = 64;
	p[9] = 17;
	memcpy(p + 12, src.octets, 4);
	memcpy(p + 16, dst.octets, 4);
	p[20] = (uint8_t)(in_port >> 8);
	p[21] = (uint8_t)in_port;
	p[22] = (uint8_t)(dport >> 8);
	p[23] = (uint8_t)dport;
	p[25] = (uint8_t)(8 + n);
	memset(p + HEADERS, 0x5a, n);
	return len;
}

START_TEST(test_udp_what_leaves_arrives_one_by_one_in_order)
{
	static const uint8_t sizes[] = { 80, 80, 40, 80, 90, 90, 90, 12 };
	uint8_t sent[sizeof(sizes)][256], got[256];

	for (size_t i = 0; i < sizeof(sizes); i++) {
		const uint32_t len = make(sent[i], "127.0.0.1", "127.0.0.2", out_port, sizes[i]);

		sent[i][HEADERS] = (uint8_t)i;
		ck_assert(udp_add(in, sent[i], len, &stats));
	}
	ck_assert_uint_eq(udp_flush(in, &stats), sizeof(sizes));
	for (size_t i = 0; i < sizeof(sizes); i++) {
		struct pollfd p = { .fd = out_fd, .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
		ck_assert_int_eq(recv(out_fd, got, sizeof(got), 0), sizes[i]);
		ck_assert_mem_eq(got, sent[i] + HEADERS, sizes[i]);
	}
}
END_TEST

START_TEST(test_udp_what_is_not_ours_is_sent_otherwise)
{
	uint8_t p[256];
	uint32_t len = make(p, "127.0.0.1", "127.0.0.2", out_port, 80);

	p[21] ^= 1;
	ck_assert(!udp_add(in, p, len, &stats));
	p[21] ^= 1;
	p[0] = 0x46;
	ck_assert(!udp_add(in, p, len, &stats));
	p[0] = 0x45;
	p[9] = 50;
	ck_assert(!udp_add(in, p, len, &stats));
	p[9] = 17;
	ck_assert(!udp_add(in, p, HEADERS + 7, &stats));
	ck_assert(udp_add(in, p, HEADERS + 8, &stats));
	ck_assert_uint_eq(udp_flush(in, &stats), 1);
}
END_TEST

/* Packets that wait for a neighbour who never answers fill the socket's share. */
START_TEST(test_udp_a_full_send_queue_drops_and_counts)
{
	static const int least = 1;
	struct udp_socket *out;
	uint8_t p[256];
	uint64_t sent = 0, tried = 0;

	udp_socket_free(in);
	close(in_fd);
	in_fd = udp_at("192.0.2.1", &in_port);
	ck_assert_int_eq(setsockopt(in_fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
	ck_assert_int_eq(udp_socket_new(in_fd, -1, OUTER_IPV4, 0, &out), 0);
	in = out;
	while (stats.drops[IO_REASON_SEND_QUEUE] == 0 && tried < 1000) {
		ck_assert(udp_add(in, p, make(p, "192.0.2.1", "192.0.2.77", 4500, 200), &stats));
		sent += udp_flush(in, &stats);
		tried++;
	}
	ck_assert_uint_eq(stats.drops[IO_REASON_SEND_QUEUE], 1);
	ck_assert_uint_eq(sent, tried - 1);
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/udp");
	TCase *t = tcase_create("udp");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_udp_what_is_no_esp_is_counted_and_left_out);
	tcase_add_test(t, test_udp_a_train_is_taken_apart);
	tcase_add_test(t, test_udp_what_leaves_arrives_one_by_one_in_order);
	tcase_add_test(t, test_udp_what_is_not_ours_is_sent_otherwise);
	tcase_add_test(t, test_udp_a_full_send_queue_drops_and_counts);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
