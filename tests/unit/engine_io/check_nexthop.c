/*
 * tests/unit/engine_io/check_nexthop.c - next hops: what messages of rtnetlink say, good and bad ones, and what
 * a real kernel in a namespace says as its routes and neighbours change.
 */
#include <check.h>
#include <net/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/egress.h"
#include "engine/io/nexthop.h"
#include "tests/unit/engine_io/netns.h"

#define MARK 0x1950

/* ---- messages ---- */

/** One attribute; len 0: none. */
struct attr {
	int type, len;
	uint8_t octets[24];
};

struct message {
	const char *name;
	uint8_t kind;			/* of the header below: rtm_type, ndm_state */
	struct attr attrs[4];
	bool good;
};

static struct nl_msg *message(int type, const void *head, size_t head_len,
			      const struct attr attrs[4])
{
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(nlmsg_append(m, (void *)(uintptr_t)head, head_len, NLMSG_ALIGNTO), 0);
	for (size_t i = 0; i < 4 && attrs[i].len > 0; i++)
		ck_assert_int_eq(nla_put(m, attrs[i].type, attrs[i].len, attrs[i].octets), 0);
	return m;
}

#define OIF { RTA_OIF, 4, { 3 } }
#define GATEWAY4 { RTA_GATEWAY, 4, { 192, 0, 2, 254 } }
#define GATEWAY6 { RTA_GATEWAY, 16, { 0xfe, 0x80, [15] = 1 } }

static const struct message routes4[] = {
	{ "by a gateway", RTN_UNICAST, { OIF, GATEWAY4 }, true },
	{ "on the link", RTN_UNICAST, { OIF }, true },
	{ "by a gateway of the other family", RTN_UNICAST,
	  { OIF, { RTA_VIA, 18, { AF_INET6, 0, 0xfe, 0x80, [17] = 1 } } }, true },
	{ "an MTU of its own", RTN_UNICAST,
	  { OIF, { RTA_METRICS, 8, { 8, 0, RTAX_MTU, 0, 0x14, 5 } } }, true },
	{ "without an interface", RTN_UNICAST, { GATEWAY4 }, false },
	{ "interface 0", RTN_UNICAST, { { RTA_OIF, 4, { 0 } }, GATEWAY4 }, false },
	{ "an interface cut short", RTN_UNICAST, { { RTA_OIF, 2, { 3 } }, GATEWAY4 }, false },
	{ "several next hops", RTN_UNICAST, { OIF, { RTA_MULTIPATH, 8, { 8 } } }, false },
	{ "a next hop by number", RTN_UNICAST, { OIF, GATEWAY4, { RTA_NH_ID, 4, { 1 } } }, false },
	{ "encapsulated", RTN_UNICAST, { OIF, GATEWAY4, { RTA_ENCAP_TYPE, 2, { 1 } } }, false },
	{ "a gateway of the wrong length", RTN_UNICAST, { OIF, GATEWAY6 }, false },
	{ "two gateways", RTN_UNICAST,
	  { OIF, GATEWAY4, { RTA_VIA, 18, { AF_INET6, 0, 0xfe } } }, false },
	{ "via nothing", RTN_UNICAST, { OIF, { RTA_VIA, 1, { AF_INET6 } } }, false },
	{ "via half an address", RTN_UNICAST, { OIF, { RTA_VIA, 10, { AF_INET6 } } }, false },
	{ "via a family nobody knows", RTN_UNICAST, { OIF, { RTA_VIA, 18, { 77 } } }, false },
	{ "an MTU cut short", RTN_UNICAST,
	  { OIF, { RTA_METRICS, 6, { 6, 0, RTAX_MTU, 0, 5 } } }, false },
	{ "local", RTN_LOCAL, { OIF }, false },
	{ "multicast", RTN_MULTICAST, { OIF }, false },
	{ "broadcast", RTN_BROADCAST, { OIF }, false },
	{ "blackhole", RTN_BLACKHOLE, { OIF }, false },
};

START_TEST(test_a_route_of_one_plain_next_hop_is_one)
{
	const struct message *const c = &routes4[_i];
	const struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_type = c->kind };
	struct nexthop_route route = { .ifindex = 4711 };
	struct nl_msg *const m = message(RTM_NEWROUTE, &rtm, sizeof(rtm), c->attrs);

	ck_assert_msg(nexthop_read_route(nlmsg_hdr(m), 4, &route) == c->good, "%s", c->name);
	ck_assert_uint_eq(route.ifindex, c->good ? 3 : 4711);
	if (c->good)
		ck_assert_uint_eq(route.mtu, c->attrs[1].type == RTA_METRICS ? 1300 : 0);
	if (c->good && c->attrs[1].type == RTA_GATEWAY)
		ck_assert_mem_eq(route.gateway.octets, c->attrs[1].octets, 4);
	if (c->good && c->attrs[1].type == RTA_VIA) {
		ck_assert_uint_eq(route.gateway.family, 6);
		ck_assert_mem_eq(route.gateway.octets, c->attrs[1].octets + 2, 16);
	}
	/* Of the other family, or gone. */
	ck_assert(!nexthop_read_route(nlmsg_hdr(m), 6, &route));
	nlmsg_hdr(m)->nlmsg_type = RTM_DELROUTE;
	ck_assert(!nexthop_read_route(nlmsg_hdr(m), 4, &route));
	nlmsg_free(m);
}
END_TEST

static const struct message routes6[] = {
	{ "by a gateway", RTN_UNICAST, { OIF, GATEWAY6 }, true },
	{ "on the link", RTN_UNICAST, { OIF }, true },
	{ "a gateway of IPv4", RTN_UNICAST, { OIF, GATEWAY4 }, false },
	{ "several next hops", RTN_UNICAST, { OIF, GATEWAY6, { RTA_MULTIPATH, 8, { 8 } } }, false },
	{ "local", RTN_LOCAL, { OIF }, false },
};

START_TEST(test_a_route_of_ipv6_is_read_likewise)
{
	const struct message *const c = &routes6[_i];
	const struct rtmsg rtm = { .rtm_family = AF_INET6, .rtm_type = c->kind };
	struct nexthop_route route;
	struct nl_msg *const m = message(RTM_NEWROUTE, &rtm, sizeof(rtm), c->attrs);

	ck_assert_msg(nexthop_read_route(nlmsg_hdr(m), 6, &route) == c->good, "%s", c->name);
	if (c->good && c->attrs[1].len)
		ck_assert_mem_eq(route.gateway.octets, c->attrs[1].octets, 16);
	nlmsg_free(m);
}
END_TEST

#define WHO { NDA_DST, 4, { 192, 0, 2, 254 } }
#define LLADDR { NDA_LLADDR, 6, { 2, 0, 0, 0, 0, 9 } }

static const struct message neighbours[] = {
	{ "reachable", NUD_REACHABLE, { WHO, LLADDR }, true },
	{ "permanent", NUD_PERMANENT, { WHO, LLADDR }, true },
	{ "not asked for", NUD_NOARP, { WHO, LLADDR }, true },
	{ "stale", NUD_STALE, { WHO, LLADDR }, false },
	{ "delayed", NUD_DELAY, { WHO, LLADDR }, false },
	{ "probed", NUD_PROBE, { WHO, LLADDR }, false },
	{ "failed", NUD_FAILED, { WHO, LLADDR }, false },
	{ "none", NUD_NONE, { WHO, LLADDR }, false },
	{ "without a link address", NUD_NOARP, { WHO }, false },
	{ "a link address of another length", NUD_REACHABLE,
	  { WHO, { NDA_LLADDR, 8, { 2 } } }, false },
	{ "a link address cut short", NUD_REACHABLE, { WHO, { NDA_LLADDR, 5, { 2 } } }, false },
	{ "nobody's link address", NUD_REACHABLE, { WHO, { NDA_LLADDR, 6, { 0 } } }, false },
	{ "a group's link address", NUD_REACHABLE,
	  { WHO, { NDA_LLADDR, 6, { 1, 0, 0x5e } } }, false },
	{ "without an address", NUD_REACHABLE, { LLADDR }, false },
	{ "somebody else", NUD_REACHABLE, { { NDA_DST, 4, { 192, 0, 2, 9 } }, LLADDR }, false },
	{ "an address of the other family", NUD_REACHABLE,
	  { { NDA_DST, 16, { 192, 0, 2, 254 } }, LLADDR }, false },
};

START_TEST(test_only_a_neighbour_that_is_surely_there_has_a_link_address)
{
	static const uint8_t before[NEXTHOP_LLADDR] = { 1, 2, 3, 4, 5, 6 };
	const struct message *const c = &neighbours[_i];
	struct ndmsg ndm = { .ndm_family = AF_INET, .ndm_ifindex = 3, .ndm_state = c->kind };
	const struct ipsp_addr who = netns_addr("192.0.2.254");
	uint8_t lladdr[NEXTHOP_LLADDR];
	struct nl_msg *m = message(RTM_NEWNEIGH, &ndm, sizeof(ndm), c->attrs);

	memcpy(lladdr, before, sizeof(lladdr));
	ck_assert_msg(nexthop_read_neighbour(nlmsg_hdr(m), 3, &who, lladdr) == c->good, "%s",
		      c->name);
	ck_assert_mem_eq(lladdr, c->good ? c->attrs[1].octets : before, sizeof(lladdr));
	ck_assert(!nexthop_read_neighbour(nlmsg_hdr(m), 4, &who, lladdr));
	nlmsg_free(m);
	ndm.ndm_flags = NTF_PROXY;
	m = message(RTM_NEWNEIGH, &ndm, sizeof(ndm), c->attrs);
	ck_assert(!nexthop_read_neighbour(nlmsg_hdr(m), 3, &who, lladdr));
	nlmsg_free(m);
}
END_TEST

#define MTU { IFLA_MTU, 4, { 0xdc, 5 } }
#define OWN { IFLA_ADDRESS, 6, { 2, 0, 0, 0, 0, 1 } }

static const struct {
	const char *name;
	unsigned short type;
	unsigned flags;
	int index;
	struct attr attrs[4];
	bool good;
} links[] = {
	{ "Ethernet", ARPHRD_ETHER, IFF_UP, 3, { OWN, MTU }, true },
	{ "down", ARPHRD_ETHER, 0, 3, { OWN, MTU }, false },
	{ "a loopback", ARPHRD_ETHER, IFF_UP | IFF_LOOPBACK, 3, { OWN, MTU }, false },
	{ "point to point", ARPHRD_ETHER, IFF_UP | IFF_POINTOPOINT, 3, { OWN, MTU }, false },
	{ "no Ethernet", ARPHRD_NONE, IFF_UP, 3, { OWN, MTU }, false },
	{ "another", ARPHRD_ETHER, IFF_UP, 4, { OWN, MTU }, false },
	{ "without an address", ARPHRD_ETHER, IFF_UP, 3, { MTU }, false },
	{ "a longer address", ARPHRD_ETHER, IFF_UP, 3, { { IFLA_ADDRESS, 8, { 2 } }, MTU }, false },
	{ "without an MTU", ARPHRD_ETHER, IFF_UP, 3, { OWN }, false },
	{ "an MTU cut short", ARPHRD_ETHER, IFF_UP, 3, { OWN, { IFLA_MTU, 2, { 1 } } }, false },
};

START_TEST(test_only_an_ethernet_that_is_up_is_sent_by)
{
	const struct ifinfomsg ifi = { .ifi_type = links[_i].type, .ifi_flags = links[_i].flags,
				       .ifi_index = links[_i].index };
	uint32_t mtu = 0;
	uint8_t own[NEXTHOP_LLADDR] = { 0 };
	struct nl_msg *const m = message(RTM_NEWLINK, &ifi, sizeof(ifi), links[_i].attrs);

	ck_assert_msg(nexthop_read_link(nlmsg_hdr(m), 3, &mtu, own) == links[_i].good, "%s",
		      links[_i].name);
	if (links[_i].good) {
		ck_assert_uint_eq(mtu, 1500);
		ck_assert_mem_eq(own, links[_i].attrs[0].octets, sizeof(own));
	}
	nlmsg_free(m);
}
END_TEST

START_TEST(test_messages_cut_anywhere_are_refused_or_say_no_more_than_they_hold)
{
	static const struct attr attrs[3][4] = {
		{ GATEWAY4, OIF }, { LLADDR, WHO }, { MTU, OWN },
	};
	const struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_type = RTN_UNICAST };
	const struct ndmsg ndm = { .ndm_family = AF_INET, .ndm_ifindex = 3,
				   .ndm_state = NUD_REACHABLE };
	const struct ifinfomsg ifi = { .ifi_type = ARPHRD_ETHER, .ifi_flags = IFF_UP,
				       .ifi_index = 3 };
	struct nl_msg *const all[] = {
		message(RTM_NEWROUTE, &rtm, sizeof(rtm), attrs[0]),
		message(RTM_NEWNEIGH, &ndm, sizeof(ndm), attrs[1]),
		message(RTM_NEWLINK, &ifi, sizeof(ifi), attrs[2]),
	};
	const struct ipsp_addr who = netns_addr("192.0.2.254");

	for (size_t i = 0; i < 3; i++) {
		const uint32_t whole = nlmsg_hdr(all[i])->nlmsg_len;

		for (uint32_t len = NLMSG_HDRLEN; len < whole; len++) {
			/* As long as it says and not an octet more, so that a sanitizer sees. */
			struct nlmsghdr *const h = malloc(len);
			uint8_t lladdr[NEXTHOP_LLADDR];
			struct nexthop_route route;
			uint32_t mtu;

			memcpy(h, nlmsg_hdr(all[i]), len);
			h->nlmsg_len = len;
			/* What is needed last stands last: without its end there is none of it. */
			if (len + (i == 2 ? 2u : 0u) < whole) {
				ck_assert(!nexthop_read_route(h, 4, &route));
				ck_assert(!nexthop_read_neighbour(h, 3, &who, lladdr));
				ck_assert(!nexthop_read_link(h, 3, &mtu, lladdr));
			}
			free(h);
		}
		nlmsg_free(all[i]);
	}
}
END_TEST

/* ---- a kernel ---- */

static struct egress *e;
static struct nexthops *hops;

static void setup(void)
{
	netns_enter();
	netns_run("for i in wan alt; do ip link add $i type veth peer name $i-far; "
		  "ip link set $i-far up; ip link set $i up; done");
	netns_run("ip addr add 192.0.2.1/24 dev wan; ip addr add 203.0.113.1/24 dev alt");
	netns_run("ip addr add 2001:db8::1/64 dev wan nodad; ip addr add 2001:db8:1::1/64 dev alt nodad");
	netns_run("ip route add default via 192.0.2.254; ip -6 route add default via 2001:db8::fe");
	netns_run("ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev wan nud permanent");
	netns_run("ip neigh add 2001:db8::fe lladdr 02:00:00:00:00:fe dev wan nud permanent");
	netns_run("ip neigh add 203.0.113.254 lladdr 02:00:00:00:00:aa dev alt nud permanent");
	netns_run("ip neigh add 2001:db8:1::fe lladdr 02:00:00:00:00:aa dev alt nud permanent");
	ck_assert_int_eq(egress_new(MARK, 0, &e), 0);
	ck_assert_int_eq(nexthops_new(MARK, e, &hops), 0);
}

static void teardown(void)
{
	nexthops_free(hops);
	egress_free(e);
}

static const struct {
	const char *ip, *src, *dst, *gateway, *alt;
} ends[] = {
	{ "ip", "192.0.2.1", "198.51.100.1", "192.0.2.254", "203.0.113.254" },
	{ "ip -6", "2001:db8::1", "2001:db8:9::1", "2001:db8::fe", "2001:db8:1::fe" },
};

/** The last octet of the link address as it is after the changes so far, or -1. */
static int hop_of(int family)
{
	const struct ipsp_addr src = netns_addr(ends[family].src), dst = netns_addr(ends[family].dst);

	nexthops_refresh(hops);
	const struct nexthop *const hop = nexthops_find(hops, &src, &dst);

	return hop ? hop->lladdr[5] : -1;
}

START_TEST(test_a_next_hop_is_asked_for_once_while_nothing_changes)
{
	ck_assert_int_eq(hop_of(_i), 0xfe);
	const uint64_t before = nexthops_questions(hops);

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(hop_of(_i), 0xfe);
	ck_assert_uint_eq(nexthops_questions(hops), before);
}
END_TEST

START_TEST(test_a_change_of_a_neighbour_asks_for_it_alone)
{
	ck_assert_int_eq(hop_of(_i), 0xfe);
	const uint64_t before = nexthops_questions(hops);

	netns_run("ip neigh replace %s lladdr 02:00:00:00:00:77 dev wan nud reachable",
		  ends[_i].gateway);
	ck_assert_int_eq(hop_of(_i), 0x77);
	ck_assert_uint_eq(nexthops_questions(hops), before + 1);
	netns_run("ip neigh change %s dev wan nud stale", ends[_i].gateway);
	ck_assert_int_eq(hop_of(_i), -1);
	netns_run("ip neigh change %s dev wan nud reachable", ends[_i].gateway);
	ck_assert_int_eq(hop_of(_i), 0x77);
	netns_run("ip neigh del %s dev wan", ends[_i].gateway);
	ck_assert_int_eq(hop_of(_i), -1);
}
END_TEST

START_TEST(test_a_change_of_routes_and_links_is_followed)
{
	const struct ipsp_addr src = netns_addr(ends[_i].src), dst = netns_addr(ends[_i].dst);
	const char *const ip = ends[_i].ip;

	ck_assert_int_eq(hop_of(_i), 0xfe);
	netns_run("%s route add %s via %s", ip, ends[_i].dst, ends[_i].alt);
	ck_assert_int_eq(hop_of(_i), 0xaa);
	netns_run("ip link set alt mtu 1400");
	ck_assert_int_eq(hop_of(_i), 0xaa);
	ck_assert_uint_eq(nexthops_find(hops, &src, &dst)->mtu, 1400);
	netns_run("ip link set alt address 02:00:00:00:00:66; ip neigh replace %s lladdr 02:00:00:00:00:aa dev alt "
		  "nud permanent", ends[_i].alt);
	ck_assert_int_eq(hop_of(_i), 0xaa);
	ck_assert_uint_eq(nexthops_find(hops, &src, &dst)->own[5], 0x66);
	netns_run("%s route change %s via %s mtu 1300", ip, ends[_i].dst, ends[_i].alt);
	ck_assert_int_eq(hop_of(_i), 0xaa);
	ck_assert_uint_eq(nexthops_find(hops, &src, &dst)->mtu, 1300);
	netns_run("%s route del %s", ip, ends[_i].dst);
	ck_assert_int_eq(hop_of(_i), 0xfe);
	netns_run("%s route add %s nexthop via %s nexthop via %s", ip, ends[_i].dst,
		  ends[_i].gateway, ends[_i].alt);
	ck_assert_int_eq(hop_of(_i), -1);
	netns_run("%s route del %s; %s route add unreachable %s", ip, ends[_i].dst, ip, ends[_i].dst);
	ck_assert_int_eq(hop_of(_i), -1);
	netns_run("%s route del unreachable %s; %s addr add %s dev lo", ip, ends[_i].dst, ip,
		  ends[_i].dst);
	ck_assert_int_eq(hop_of(_i), -1);
}
END_TEST

START_TEST(test_ipv4_by_a_gateway_of_ipv6)
{
	netns_run("ip -4 route replace default via inet6 2001:db8:1::fe dev alt");
	ck_assert_int_eq(hop_of(0), 0xaa);
}
END_TEST

START_TEST(test_a_sweep_of_addresses_leaves_answers_right)
{
	struct ipsp_addr src = netns_addr("192.0.2.1"), dst = netns_addr("198.51.0.0");

	nexthops_refresh(hops);
	for (unsigned i = 0; i < 3000; i++) {
		dst.octets[2] = (uint8_t)(i >> 8);
		dst.octets[3] = (uint8_t)i;
		ck_assert_ptr_nonnull(nexthops_find(hops, &src, &dst));
	}
	ck_assert_int_eq(hop_of(0), 0xfe);
	src.family = 0;
	ck_assert_ptr_null(nexthops_find(hops, &src, &dst));
}
END_TEST

#define N_OF(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	if (!netns_possible())
		return 77;
	Suite *s = suite_create("engine/io/nexthop");
	TCase *t = tcase_create("messages");

	tcase_add_loop_test(t, test_a_route_of_one_plain_next_hop_is_one, 0, N_OF(routes4));
	tcase_add_loop_test(t, test_a_route_of_ipv6_is_read_likewise, 0, N_OF(routes6));
	tcase_add_loop_test(t, test_only_a_neighbour_that_is_surely_there_has_a_link_address, 0,
			    N_OF(neighbours));
	tcase_add_loop_test(t, test_only_an_ethernet_that_is_up_is_sent_by, 0, N_OF(links));
	tcase_add_test(t, test_messages_cut_anywhere_are_refused_or_say_no_more_than_they_hold);
	suite_add_tcase(s, t);
	t = tcase_create("kernel");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_a_next_hop_is_asked_for_once_while_nothing_changes, 0, 2);
	tcase_add_loop_test(t, test_a_change_of_a_neighbour_asks_for_it_alone, 0, 2);
	tcase_add_loop_test(t, test_a_change_of_routes_and_links_is_followed, 0, 2);
	tcase_add_test(t, test_ipv4_by_a_gateway_of_ipv6);
	tcase_add_test(t, test_a_sweep_of_addresses_leaves_answers_right);
	suite_add_tcase(s, t);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
