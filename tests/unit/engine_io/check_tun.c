/*
 * tests/unit/engine_io/check_tun.c - the attachment, its verdicts given by the test.
 *
 *	far:  wan-far 192.0.2.254/24, 2001:db8::fe/64, alt-far 203.0.113.254/24
 *	      and 198.51.100.9, 2001:db8:9::9 on both ways
 *	here: wan 192.0.2.1/24, 2001:db8::1/64 (default routes), alt 203.0.113.1/24, tun0 (steering)
 *
 * Real sockets at both ends are the judges: what a verdict lets go must arrive, whole.
 */
#include "config.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/tun.h"
#include "tests/unit/engine_io/netns.h"

#define MARK 0x1950u
#define PORT 5000
#define WAIT_MS 20000

static struct io_attachment *a;
static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static int far_udp, here_udp;

static int udp_any(void)
{
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

static int raw_out(int family)
{
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	const uint32_t mark = MARK;
	const int on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	if (family == AF_INET6)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, 36 /* IPV6_HDRINCL */, &on,
					    sizeof(on)), 0);
	return fd;
}

static void setup(void)
{
	struct tun_config config = { .udp_fd = { -1, -1 }, .fast_fd = -1, .mark = MARK };

	netns_enter();
	netns_run("ip link add wan-far type veth peer name wan; ip link set wan-far up");
	netns_run("ip link add alt-far type veth peer name alt; ip link set alt-far up");
	netns_run("ip addr add 192.0.2.254/24 dev wan-far; ip addr add 203.0.113.254/24 dev alt-far");
	netns_run("ip addr add 2001:db8::fe/64 dev wan-far nodad; ip addr add 2001:db8:9::9 dev lo");
	netns_run("ip addr add 198.51.100.9 dev lo");
	netns_run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.alt-far.rp_filter=0");
	/* A packet that is put on the wrong wire as if its receiver were there finds nobody. */
	netns_run("sysctl -qw net.ipv4.conf.all.arp_ignore=1");
	far_udp = udp_any();
	netns_enter_with((const char *const[]){ "wan", "alt", NULL });
	netns_run("sysctl -qw net.ipv4.conf.all.rp_filter=0");
	config.tun_fd = netns_tun("tun0");
	config.tun_ifindex = if_nametoindex("tun0");
	netns_run("sysctl -qw net.ipv4.conf.tun0.rp_filter=0");
	netns_run("ip link set tun0 up; ip link set wan up; ip link set alt up");
	netns_run("ip addr add 192.0.2.1/24 dev wan; ip addr add 203.0.113.1/24 dev alt");
	netns_run("ip addr add 2001:db8::1/64 dev wan nodad");
	netns_run("ip route add default via 192.0.2.254; ip -6 route add default via 2001:db8::fe");
	netns_run("ip rule add pref 3 not fwmark %u lookup 99", MARK);
	netns_run("ip route add 198.51.100.0/24 dev tun0 src 192.0.2.1 table 99");
	netns_run("ip -6 rule add pref 3 not fwmark %u lookup 99", MARK);
	netns_run("ip -6 route add 2001:db8:9::/48 dev tun0 src 2001:db8::1 table 99");
	here_udp = udp_any();
	config.ah_in_fd[0] = config.ah_in_fd[1] = config.esp_in_fd[0] = config.esp_in_fd[1] = -1;
	config.raw_out_fd[0] = raw_out(AF_INET);
	config.raw_out_fd[1] = raw_out(AF_INET6);
	ck_assert_int_eq(tun_attach(&config, &a), 0);
	for (size_t i = 0; i < IO_BATCH; i++) {
		packets[i].room = rooms[i];
		packets[i].room_len = IO_ROOM;
	}
}

static void teardown(void)
{
	a->ops->free(a);
}

/** Sends a datagram from here; "x" or longer is what stands in it. */
static void say(const char *to, const char *text)
{
	const struct ipsp_addr addr = netns_addr(to);
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

	if (addr.family == 4) {
		sin6.sin6_addr.s6_addr[10] = sin6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(sin6.sin6_addr.s6_addr + 12, addr.octets, 4);
	} else {
		memcpy(&sin6.sin6_addr, addr.octets, 16);
	}
	ck_assert_int_eq(sendto(here_udp, text, strlen(text), 0, (const struct sockaddr *)&sin6,
				sizeof(sin6)), (ssize_t)strlen(text));
}

/** What a socket hears next; fails the test when it stays silent. */
static void expect(int fd, const char *text)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char got[2000];

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	const ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, text);
}

/** Reads from the TUN until UDP to our port comes; what else the kernel says there is skipped. */
static struct ipsp_packet *from_tun(void)
{
	struct io_source sources[IO_SOURCES_MAX];

	ck_assert_uint_eq(a->ops->sources(a, sources), 1);
	ck_assert_int_eq(sources[0].dir, IPSP_OUTBOUND);
	for (;;) {
		struct pollfd p = { .fd = sources[0].fd, .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
		const size_t n = a->ops->read(a, 0, packets, 1);
		const size_t proto = packets[0].data && packets[0].data[0] >> 4 == 4 ? 9 : 6;

		if (n == 1 && packets[0].data[proto] == IPPROTO_UDP)
			return &packets[0];
	}
}

static const char *const far_addrs[] = { "198.51.100.9", "2001:db8:9::9" };

START_TEST(test_tun_bypassed_packet_arrives_whole)
{
	say(far_addrs[_i], "first");
	struct ipsp_packet *p = from_tun();

	ck_assert_uint_eq(p->ifindex, if_nametoindex("wan"));
	ck_assert_uint_ge(p->data - p->room, IPSP_HEADROOM);
	ck_assert_uint_ge(p->room + p->room_len - (p->data + p->len), IPSP_TAILROOM);
	p->verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	expect(far_udp, "first");
	ck_assert_uint_eq(a->stats.packets_out[IPSP_OUTBOUND - 1], 1);
}
END_TEST

START_TEST(test_tun_dropped_packet_does_not_arrive)
{
	say(far_addrs[_i], "dropped");
	struct ipsp_packet *p = from_tun();

	p->verdict = IPSP_VERDICT_DROP;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	say(far_addrs[_i], "next");
	p = from_tun();
	p->verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	expect(far_udp, "next");
}
END_TEST

START_TEST(test_tun_packet_of_a_forwarded_host_is_sent_with_its_own_source)
{
	say("198.51.100.9", "for another");
	struct ipsp_packet *p = from_tun();

	/* 192.0.2.1 -> 10.1.0.9; both checksums follow the kernel's and ours. */
	memcpy(p->data + 12, netns_addr("10.1.0.9").octets, 4);
	p->data[26] = p->data[27] = 0;
	p->verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	struct pollfd poll_far = { .fd = far_udp, .events = POLLIN };
	struct sockaddr_in6 from;
	socklen_t size = sizeof(from);
	char text[100];

	ck_assert_int_eq(poll(&poll_far, 1, WAIT_MS), 1);
	ck_assert_int_gt(recvfrom(far_udp, text, sizeof(text), 0, (struct sockaddr *)&from, &size),
			 0);
	ck_assert_mem_eq(from.sin6_addr.s6_addr + 12, netns_addr("10.1.0.9").octets, 4);
}
END_TEST

START_TEST(test_tun_bypassed_packet_does_not_leave_by_an_interface_it_was_not_judged_for)
{
	say("198.51.100.9", "judged for wan");
	struct ipsp_packet *p = from_tun();

	ck_assert_uint_eq(p->ifindex, if_nametoindex("wan"));
	netns_run("ip route replace default via 203.0.113.254 dev alt");
	p->verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	say("198.51.100.9", "judged for alt");
	p = from_tun();
	ck_assert_uint_eq(p->ifindex, if_nametoindex("alt"));
	p->verdict = IPSP_VERDICT_BYPASS;
	a->ops->write(a, IPSP_OUTBOUND, p, 1);
	/* Had the first gone by alt, it would have been heard before the second. */
	expect(far_udp, "judged for alt");
}
END_TEST

START_TEST(test_tun_packet_without_a_route_is_counted_and_not_shown)
{
	netns_run("ip route del default; ip -6 route del default");
	say(far_addrs[_i], "nowhere");
	for (struct pollfd p = { .fd = -1 }; !a->stats.drops[IO_REASON_NO_ROUTE];) {
		struct io_source sources[IO_SOURCES_MAX];

		ck_assert_uint_eq(a->ops->sources(a, sources), 1);
		p = (struct pollfd) { .fd = sources[0].fd, .events = POLLIN };
		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
		ck_assert_uint_eq(a->ops->read(a, 0, packets, IO_BATCH), 0);
	}
}
END_TEST

START_TEST(test_tun_delivered_packet_reaches_a_socket_here)
{
	const enum ipsp_verdict others[] = { IPSP_VERDICT_DROP, IPSP_VERDICT_BYPASS };

	/* Our own words come back to us: source and destination change places, ports are equal. */
	for (size_t i = 0; i < 3; i++) {
		say(far_addrs[_i], i < 2 ? "not this one" : "delivered");
		struct ipsp_packet *p = from_tun();
		const size_t at = _i == 0 ? 12 : 8, size = _i == 0 ? 4 : 16;
		uint8_t src[16];

		memcpy(src, p->data + at, size);
		memmove(p->data + at, p->data + at + size, size);
		memcpy(p->data + at + size, src, size);
		p->verdict = i < 2 ? others[i] : IPSP_VERDICT_DELIVER;
		a->ops->write(a, IPSP_INBOUND, p, 1);
	}
	expect(here_udp, "delivered");
	ck_assert_uint_eq(a->stats.packets_out[IPSP_INBOUND - 1], 1);
}
END_TEST

START_TEST(test_tun_that_is_down_takes_nothing_and_that_is_counted)
{
	say(far_addrs[0], "delivered nowhere");
	struct ipsp_packet *p = from_tun();

	netns_run("ip link set tun0 down");
	p->verdict = IPSP_VERDICT_DELIVER;
	a->ops->write(a, IPSP_INBOUND, p, 1);
	ck_assert_uint_eq(a->stats.drops[IO_REASON_TUN], 1);
	ck_assert_uint_eq(a->stats.packets_out[IPSP_INBOUND - 1], 0);
}
END_TEST

START_TEST(test_tun_names_our_address_towards_a_peer)
{
	const struct ipsp_addr peer = netns_addr(_i == 0 ? "198.51.100.9" : "2001:db8:9::9");
	const struct ipsp_addr want = netns_addr(_i == 0 ? "192.0.2.1" : "2001:db8::1");
	struct ipsp_addr local = { 0 };

	ck_assert_int_eq(a->ops->local_addr(a, &peer, &local), IPSP_OK);
	ck_assert_int_eq(ipsp_addr_cmp(&local, &want), 0);
	netns_run("ip route del default; ip -6 route del default");
	ck_assert(a->ops->changed(a));
	ck_assert_int_eq(a->ops->local_addr(a, &peer, &local), IPSP_ENOENT);
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/tun");
	TCase *t = tcase_create("tun");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_tun_bypassed_packet_arrives_whole, 0, 2);
	tcase_add_loop_test(t, test_tun_dropped_packet_does_not_arrive, 0, 2);
	tcase_add_test(t, test_tun_packet_of_a_forwarded_host_is_sent_with_its_own_source);
	tcase_add_test(t, test_tun_bypassed_packet_does_not_leave_by_an_interface_it_was_not_judged_for);
	tcase_add_loop_test(t, test_tun_packet_without_a_route_is_counted_and_not_shown, 0, 2);
	tcase_add_loop_test(t, test_tun_delivered_packet_reaches_a_socket_here, 0, 2);
	tcase_add_test(t, test_tun_that_is_down_takes_nothing_and_that_is_counted);
	tcase_add_loop_test(t, test_tun_names_our_address_towards_a_peer, 0, 2);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
