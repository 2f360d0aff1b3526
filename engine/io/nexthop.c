/*
 * engine/io/nexthop.c - next hops, cached: see nexthop.h.
 *
 * Whether a route has several next hops is told only of the route as it was written; where it leads now,
 * after redirects and learned MTUs, only of the route as it is used. So both are asked.
 */
#include "engine/io/nexthop.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/io/ask.h"
#include "engine/io/egress.h"

#define WAYS 4
#define SETS 256

struct entry {
	uint64_t route_epoch, neighbour_epoch;	/* 0: never asked */
	struct ipsp_addr src, dst;
	struct ipsp_addr next;		/* whose link address it is; family 0: the kernel must send */
	bool is_sure;			/* the neighbour is there, and hop is good */
	struct nexthop hop;
};

struct set {
	struct entry way[WAYS];
	uint8_t next;			/* the way to overwrite */
};

struct nexthops {
	struct nl_sock *ask;
	struct nl_sock *events;		/* of neighbours */
	struct egress *egress;
	uint32_t mark;
	uint64_t epoch;			/* of neighbours */
	uint64_t questions;
	struct set *sets;
};

int nexthops_new(uint32_t mark, struct egress *egress, struct nexthops **out)
{
	static const int group = RTNLGRP_NEIGH;
	struct nexthops *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->mark = mark;
	n->egress = egress;
	n->epoch = 1;
	n->sets = calloc(SETS, sizeof(*n->sets));
	err = n->sets ? ask_open(&n->ask) : -ENOMEM;
	if (!err)
		err = ask_listen(&group, 1, &n->events);
	if (err) {
		nexthops_free(n);
		return err;
	}
	*out = n;
	return 0;
}

void nexthops_free(struct nexthops *n)
{
	if (!n)
		return;
	nl_socket_free(n->events);
	nl_socket_free(n->ask);
	free(n->sets);
	free(n);
}

void nexthops_refresh(struct nexthops *n)
{
	egress_refresh(n->egress);
	if (ask_changed(n->events))
		n->epoch++;
}

uint64_t nexthops_questions(const struct nexthops *n)
{
	return n->questions;
}

/* ---- questions ---- */

static bool route_of(struct nexthops *n, const struct entry *e, bool as_written,
		     struct nexthop_route *out)
{
	const struct ask_route route = {
		.src = &e->src, .dst = &e->dst, .mark = n->mark, .as_written = as_written,
	};
	unsigned char *data;
	uint32_t seq;
	int len;

	n->questions++;
	if (ask_route(n->ask, &route, &seq) != 0)
		return false;
	struct nlmsghdr *const h = ask_answer(n->ask, seq, &data, &len);
	const bool good = h && nexthop_read_route(h, e->dst.family, out);

	free(data);
	return good;
}

static bool link_of(struct nexthops *n, uint32_t ifindex, uint32_t *mtu, uint8_t own[NEXTHOP_LLADDR])
{
	unsigned char *data;
	uint32_t seq;
	int len;

	n->questions++;
	if (ask_link(n->ask, ifindex, &seq) != 0)
		return false;
	struct nlmsghdr *const h = ask_answer(n->ask, seq, &data, &len);
	const bool good = h && nexthop_read_link(h, ifindex, mtu, own);

	free(data);
	return good;
}

static bool neighbour_of(struct nexthops *n, uint32_t ifindex, const struct ipsp_addr *addr,
			 uint8_t lladdr[NEXTHOP_LLADDR])
{
	struct ndmsg ndm = {
		.ndm_family = addr->family == 4 ? AF_INET : AF_INET6, .ndm_ifindex = (int)ifindex,
	};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_REQUEST);
	const bool made = m && nlmsg_append(m, &ndm, sizeof(ndm), NLMSG_ALIGNTO) == 0 &&
			  nla_put(m, NDA_DST, (int)ipsp_addr_size(addr->family),
				  addr->octets) == 0;
	unsigned char *data;
	uint32_t seq;
	int len;

	n->questions++;
	if (ask_send(n->ask, m, made, &seq) != 0)
		return false;
	struct nlmsghdr *const h = ask_answer(n->ask, seq, &data, &len);
	const bool good = h && nexthop_read_neighbour(h, ifindex, addr, lladdr);

	free(data);
	return good;
}

/* Anew, all of it but the neighbour. Next stays of no family if anything is not plain. */
static void ask_way(struct nexthops *n, struct entry *e)
{
	struct nexthop_route used, written;
	uint32_t mtu;

	e->next = (struct ipsp_addr) { 0 };
	if (!route_of(n, e, false, &used) || !route_of(n, e, true, &written) ||
	    used.ifindex != written.ifindex || !link_of(n, used.ifindex, &mtu, e->hop.own))
		return;
	e->hop.ifindex = used.ifindex;
	e->hop.mtu = used.mtu > 0 && used.mtu < mtu ? used.mtu : mtu;
	e->next = used.gateway.family ? used.gateway : e->dst;
}

/* ---- the cache ---- */

static bool same_addr(const struct ipsp_addr *a, const struct ipsp_addr *b)
{
	return a->family == b->family &&
	       memcmp(a->octets, b->octets, ipsp_addr_size(a->family)) == 0;
}

static struct entry *entry_of(struct nexthops *n, const struct ipsp_addr *src,
			      const struct ipsp_addr *dst)
{
	struct set *const set = &n->sets[egress_hash(n->egress, src, dst) % SETS];

	for (size_t i = 0; i < WAYS; i++) {
		struct entry *const e = &set->way[i];

		if (e->route_epoch && same_addr(&e->dst, dst) && same_addr(&e->src, src))
			return e;
	}
	struct entry *const e = &set->way[set->next];

	set->next = (set->next + 1) % WAYS;
	*e = (struct entry) { .src = *src, .dst = *dst };
	return e;
}

const struct nexthop *nexthops_find(struct nexthops *n, const struct ipsp_addr *src,
				    const struct ipsp_addr *dst)
{
	if (!ipsp_addr_size(dst->family) || src->family != dst->family)
		return NULL;
	struct entry *const e = entry_of(n, src, dst);
	const uint64_t epoch = egress_epoch(n->egress);

	if (e->route_epoch != epoch) {
		ask_way(n, e);
		e->route_epoch = epoch;
		e->neighbour_epoch = 0;
	}
	if (e->next.family && e->neighbour_epoch != n->epoch) {
		e->is_sure = neighbour_of(n, e->hop.ifindex, &e->next, e->hop.lladdr);
		e->neighbour_epoch = n->epoch;
	}
	return e->next.family && e->is_sure ? &e->hop : NULL;
}
