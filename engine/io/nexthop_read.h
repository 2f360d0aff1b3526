/*
 * engine/io/nexthop_read.h - what rtnetlink says of a route, a link and a neighbour, as far as it makes a
 * next hop that frames can be addressed to without the kernel's help.
 *
 * Each refuses whatever is not plain: then the kernel sends, who knows all there is. A message is one that
 * nlmsg_ok has found whole.
 */
#ifndef ENGINE_IO_NEXTHOP_READ_H
#define ENGINE_IO_NEXTHOP_READ_H

#include <stdbool.h>

#include "ipsp/types.h"

struct nlmsghdr;

#define NEXTHOP_LLADDR 6

struct nexthop_route {
	uint32_t ifindex;
	struct ipsp_addr gateway;	/* of either family; family 0: the destination itself */
	uint32_t mtu;			/* 0: the link's */
};

/**
 * One next hop, to one receiver, unchanged.
 * @param family  4 or 6, of the destination
 * @return false: multipath, a next hop by number, encapsulation, or no unicast
 */
bool nexthop_read_route(struct nlmsghdr *h, uint8_t family, struct nexthop_route *out);

/** @return false: not that link, no Ethernet, a loopback, or down */
bool nexthop_read_link(struct nlmsghdr *h, uint32_t ifindex, uint32_t *mtu, uint8_t own[NEXTHOP_LLADDR]);

/** @return false: not that neighbour, or one that the kernel is not sure of */
bool nexthop_read_neighbour(struct nlmsghdr *h, uint32_t ifindex, const struct ipsp_addr *addr,
			    uint8_t lladdr[NEXTHOP_LLADDR]);

#endif
