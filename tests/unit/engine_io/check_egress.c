/*
 * tests/unit/engine_io/check_egress.c - egress lookups against a real kernel in a namespace.
 *
 *   lan 10.1.0.1/16, fd00:1::1/32    wan 192.0.2.1/24, 2001:db8::1/64 (default routes)
 *   alt 203.0.113.1/24, for what comes from 10.1.7.0/24 or fd00:1:7::/48
 *   steering: all that does not bear the mark goes to the TUN, by a rule before the main table
 */
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/io/egress.h"
#include "tests/unit/engine_io/netns.h"

#define MARK 0x1950

static struct egress *e;

static void veth(const char *name)
{
	netns_run("ip link add %s type veth peer name %s-far", name, name);
	netns_run("ip link set %s-far up; ip link set %s up", name, name);
}

static void setup(void)
{
	netns_enter();
	(void)netns_tun("tun0");
	netns_run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	netns_run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tun0.rp_filter=0");
	veth("lan");
	veth("wan");
	veth("alt");
	netns_run("ip link set tun0 up");
	netns_run("ip addr add 10.1.0.1/16 dev lan; ip addr add fd00:1::1/32 dev lan nodad");
	netns_run("ip addr add 192.0.2.1/24 dev wan; ip addr add 2001:db8::1/64 dev wan nodad");
	netns_run("ip addr add 203.0.113.1/24 dev alt; ip addr add 2001:db8:1::1/64 dev alt nodad");
	netns_run("ip route add default via 192.0.2.254 dev wan");
	netns_run("ip -6 route add default via 2001:db8::fe");
	netns_run("ip route add 10.66.0.0/16 dev tun0; ip -6 route add fd00:66::/32 dev tun0");
	netns_run("ip route add blackhole 10.77.0.0/16; ip -6 route add blackhole fd00:77::/32");
	netns_run("ip rule add pref 5 from 10.1.7.0/24 lookup 70");
	netns_run("ip route add default via 203.0.113.254 table 70");
	netns_run("ip -6 rule add pref 5 from fd00:1:7::/48 lookup 70");
	netns_run("ip -6 route add default via 2001:db8:1::fe table 70");
	netns_run("ip rule add pref 3 not fwmark %d lookup 99", MARK);
	netns_run("ip route add default dev tun0 table 99");
	netns_run("ip -6 rule add pref 3 not fwmark %d lookup 99", MARK);
	netns_run("ip -6 route add default dev tun0 table 99");
	ck_assert_int_eq(egress_new(MARK, if_nametoindex("tun0"), &e), 0);
}

static void teardown(void)
{
	egress_free(e);
}

static int ask(const char *src, const char *dst, struct egress_route *out)
{
	const struct ipsp_addr s = netns_addr(src), d = netns_addr(dst);

	return egress_lookup(e, &s, &d, out);
}

static const struct {
	const char *name, *src, *dst;
	int err;
	const char *interface;
} cases[] = {
	{ "forwarded to the default route", "10.1.0.9", "10.2.0.2", 0, "wan" },
	{ "forwarded, by the rule for its source", "10.1.7.9", "10.2.0.2", 0, "alt" },
	{ "our own address", "192.0.2.1", "10.2.0.2", 0, "wan" },
	{ "our own, source not chosen yet", "", "10.2.0.2", 0, "wan" },
	{ "on the link", "10.9.0.9", "10.1.0.9", 0, "lan" },
	{ "multicast has an interface", "192.0.2.1", "224.0.0.5", 0, "wan" },
	{ "routed to the TUN by the main table", "10.1.0.9", "10.66.0.1", -ENETUNREACH, NULL },
	{ "blackhole", "10.1.0.9", "10.77.0.1", -ENETUNREACH, NULL },
	{ "our own address as destination", "10.1.0.9", "192.0.2.1", -ENETUNREACH, NULL },
	{ "IPv6 forwarded", "fd00:1::9", "fd00:2::2", 0, "wan" },
	{ "IPv6 by the rule for its source", "fd00:1:7::9", "fd00:2::2", 0, "alt" },
	{ "IPv6 source not chosen yet", "", "fd00:2::2", 0, "wan" },
	{ "IPv6 on the link", "fd00:9::9", "fd00:1::9", 0, "lan" },
	{ "IPv6 routed to the TUN", "fd00:1::9", "fd00:66::1", -ENETUNREACH, NULL },
	{ "IPv6 blackhole", "fd00:1::9", "fd00:77::1", -ENETUNREACH, NULL },
	{ "two families", "10.1.0.9", "fd00:2::2", -EINVAL, NULL },
	{ "no destination", "10.1.0.9", "", -EINVAL, NULL },
};

START_TEST(test_egress_answers_as_the_routing_table_does_for_marked_packets)
{
	struct egress_route route = { .ifindex = 4711 };
	const int err = ask(cases[_i].src, cases[_i].dst, &route);

	ck_assert_msg(err == cases[_i].err, "%s: %d", cases[_i].name, err);
	/* Refused: the caller's value is as it was. */
	ck_assert_msg(route.ifindex ==
		      (err ? 4711 : if_nametoindex(cases[_i].interface)), "%s: interface %u",
		      cases[_i].name, route.ifindex);
}
END_TEST

START_TEST(test_egress_gives_the_source_for_our_own_packets)
{
	const char *const pairs[][2] = {
		{ "198.51.100.1", "192.0.2.1" }, { "2001:db8:b::1", "2001:db8::1" },
		{ "10.1.0.9", "10.1.0.1" }, { "fd00:1::9", "fd00:1::1" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct ipsp_addr want = netns_addr(pairs[i][1]);
		struct egress_route route;

		ck_assert_int_eq(ask("", pairs[i][0], &route), 0);
		ck_assert_msg(ipsp_addr_cmp(&route.source, &want) == 0, "to %s", pairs[i][0]);
	}
}
END_TEST

START_TEST(test_egress_strict_reverse_path_filter_leaves_the_destination_to_decide)
{
	struct egress_route route;

	netns_run("sysctl -qw net.ipv4.conf.tun0.rp_filter=1");
	ck_assert_int_eq(ask("10.1.0.9", "10.2.0.2", &route), 0);
	ck_assert_uint_eq(route.ifindex, if_nametoindex("wan"));
}
END_TEST

static uint64_t queries(void)
{
	struct egress_stats s;

	egress_stats_get(e, &s);
	return s.queries;
}

START_TEST(test_egress_asks_the_kernel_once_while_nothing_changes)
{
	struct egress_route route;

	for (int i = 0; i < 100; i++) {
		egress_refresh(e);
		ck_assert_int_eq(ask("10.1.0.9", "10.2.0.2", &route), 0);
		ck_assert_uint_eq(route.ifindex, if_nametoindex("wan"));
		ck_assert_int_eq(ask("10.1.0.9", "10.77.0.1", &route), -ENETUNREACH);
	}
	ck_assert_uint_eq(queries(), 2);
}
END_TEST

static const struct {
	const char *name, *command;
	const char *dst;
	int err;
	const char *interface;		/* after the command; before it: wan */
} changes[] = {
	{ "route added", "ip route add 10.2.0.0/16 via 203.0.113.254 dev alt", "10.2.0.2", 0, "alt" },
	{ "route deleted", "ip route del default", "10.2.0.2", -ENETUNREACH, NULL },
	{ "rule added", "ip rule add pref 4 to 10.2.0.0/16 lookup 70", "10.2.0.2", 0, "alt" },
	{ "link down", "ip link set wan down", "10.2.0.2", -ENETUNREACH, NULL },
	{ "far end down", "sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1;"
	  " ip route append default via 203.0.113.254 dev alt;"
	  " ip link set wan-far down", "10.2.0.2", 0, "alt" },
	{ "address with a nearer prefix", "ip addr add 10.2.0.1/24 dev alt", "10.2.0.2", 0, "alt" },
	{ "IPv6 route added", "ip -6 route add fd00:2::/32 via 2001:db8:1::fe dev alt", "fd00:2::2", 0,
	  "alt" },
	{ "IPv6 rule added", "ip -6 rule add pref 4 to fd00:2::/32 lookup 70", "fd00:2::2", 0,
	  "alt" },
	{ "IPv6 link down", "ip link set wan down", "fd00:2::2", -ENETUNREACH, NULL },
};

START_TEST(test_egress_follows_a_change_of_routing)
{
	const char *const src = changes[_i].dst[0] == 'f' ? "fd00:1::9" : "10.1.0.9";
	struct egress_route route;

	ck_assert_int_eq(ask(src, changes[_i].dst, &route), 0);
	ck_assert_uint_eq(route.ifindex, if_nametoindex("wan"));
	netns_run("%s", changes[_i].command);
	/* The kernel may notice a lost carrier later than the command ends; it says when. */
	struct pollfd said = { .fd = egress_fd(e), .events = POLLIN };
	bool good;

	do {
		egress_refresh(e);
		good = ask(src, changes[_i].dst, &route) == changes[_i].err &&
		       (changes[_i].err ||
			route.ifindex == if_nametoindex(changes[_i].interface));
	} while (!good && poll(&said, 1, 10000) > 0);
	ck_assert_msg(good, "%s", changes[_i].name);
}
END_TEST

START_TEST(test_egress_lost_events_empty_the_cache)
{
	struct egress_route route;
	struct egress_stats before, after;
	const int tiny = 1;

	ck_assert_int_eq(ask("10.1.0.9", "10.2.0.2", &route), 0);
	egress_refresh(e);
	egress_stats_get(e, &before);
	ck_assert_int_eq(setsockopt(egress_fd(e), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	netns_run("for i in $(seq 1 60); do echo route add 10.$i.0.0/24 via 203.0.113.254 dev alt; done |"
		  "ip -force -batch -");
	netns_run("ip route add 10.2.0.2 via 203.0.113.254 dev alt");
	egress_refresh(e);
	egress_stats_get(e, &after);
	ck_assert_uint_eq(after.flushes, before.flushes + 1);
	ck_assert_int_eq(ask("10.1.0.9", "10.2.0.2", &route), 0);
	ck_assert_uint_eq(route.ifindex, if_nametoindex("alt"));
}
END_TEST

START_TEST(test_egress_cache_stays_bounded_and_right_under_a_sweep)
{
	struct egress_route route;
	char dst[32];

	for (unsigned i = 0; i < 2 * EGRESS_CACHE_ENTRIES; i++) {
		snprintf(dst, sizeof(dst), "10.%u.%u.%u", 100 + i / 65536, i / 256 % 256, i % 256);
		ck_assert_int_eq(ask("10.1.0.9", dst, &route), 0);
		ck_assert_uint_eq(route.ifindex, if_nametoindex("wan"));
	}
	ck_assert_int_eq(ask("10.1.7.9", dst, &route), 0);
	ck_assert_uint_eq(route.ifindex, if_nametoindex("alt"));
}
END_TEST

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/egress");
	TCase *t = tcase_create("egress");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, test_egress_answers_as_the_routing_table_does_for_marked_packets, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, test_egress_gives_the_source_for_our_own_packets);
	tcase_add_test(t, test_egress_strict_reverse_path_filter_leaves_the_destination_to_decide);
	tcase_add_test(t, test_egress_asks_the_kernel_once_while_nothing_changes);
	tcase_add_loop_test(t, test_egress_follows_a_change_of_routing, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(t, test_egress_lost_events_empty_the_cache);
	tcase_add_test(t, test_egress_cache_stays_bounded_and_right_under_a_sweep);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
