/*
 * tests/fuzz/fuzz_nexthop.c - any octets as messages of rtnetlink about routes, links and neighbours.
 *
 * The first octet says the family of the question; the message follows. What is taken is what was asked for:
 * a next hop that has an interface, and a link address that is of one receiver.
 */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/nexthop_read.h"
#include "tests/fuzz/fuzz.h"

#define IFINDEX 3u

static void read_message(struct nlmsghdr *h, uint8_t family)
{
	/* 0x20 everywhere, so that a seed can name it. */
	struct ipsp_addr who = { .family = family };
	uint8_t lladdr[NEXTHOP_LLADDR];
	struct nexthop_route route;
	uint32_t mtu = 0;

	memset(who.octets, 0x20, ipsp_addr_size(family));
	if (nexthop_read_route(h, family, &route))
		must(route.ifindex > 0 && (route.gateway.family == 0 ||
					   ipsp_addr_size(route.gateway.family) > 0));
	if (nexthop_read_link(h, IFINDEX, &mtu, lladdr))
		must(mtu > 0);
	if (nexthop_read_neighbour(h, IFINDEX, &who, lladdr))
		must(!(lladdr[0] & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 + sizeof(struct nlmsghdr) || size > 65536)
		return 0;
	const size_t len = size - 1;
	struct nlmsghdr *const h = (struct nlmsghdr *)malloc(len);

	must(h != NULL);
	memcpy(h, data + 1, len);
	/* The socket gives whole messages alone. */
	if (h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= len)
		read_message(h, data[0] & 1 ? 6 : 4);
	free(h);
	return 0;
}
