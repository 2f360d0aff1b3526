/*
 * engine/io/egress.c - routing lookups with the bypass mark, cached.
 *
 * Two rtnetlink sockets: one asks (RTM_GETROUTE), one hears of changes. The cache is a fixed table
 * of small sets, so a sweep over many destinations costs questions but no memory. Emptying it is
 * one increment: entries of an older epoch do not count.
 *
 * It must not add routes or rules: steering belongs to the parent.
 */
#include "engine/io/egress.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "engine/io/ask.h"

#define WAYS 4
#define SETS (EGRESS_CACHE_ENTRIES / WAYS)

/** One answer; a negative one (err) is kept as well. */
struct cache_entry {
	uint64_t epoch;
	struct ipsp_addr src;
	struct ipsp_addr dst;
	int err;
	struct egress_route route;
};

struct cache_set {
	struct cache_entry way[WAYS];
	uint8_t next;			/* the way to overwrite */
};

struct egress {
	struct nl_sock *ask;
	struct nl_sock *events;
	uint32_t mark;
	uint32_t tun_ifindex;
	uint64_t epoch;
	uint64_t seed;
	struct egress_stats stats;
	struct cache_set *sets;
};

static const int change_groups[] = {
	RTNLGRP_LINK,
	RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE,
	RTNLGRP_NEXTHOP,
};

int egress_new(uint32_t mark, uint32_t tun_ifindex, struct egress **out)
{
	struct egress *e = calloc(1, sizeof(*e));
	int err = -ENOMEM;

	if (!e)
		return -ENOMEM;
	e->mark = mark;
	e->tun_ifindex = tun_ifindex;
	e->epoch = 1;
	e->sets = calloc(SETS, sizeof(*e->sets));
	if (!e->sets)
		goto out;
	if (getrandom(&e->seed, sizeof(e->seed), 0) != (ssize_t)sizeof(e->seed)) {
		err = -EIO;
		goto out;
	}
	err = ask_open(&e->ask);
	if (err)
		goto out;
	err = ask_listen(change_groups, sizeof(change_groups) / sizeof(change_groups[0]),
			 &e->events);
	if (err)
		goto out;
	*out = e;
	return 0;
out:
	egress_free(e);
	return err;
}

void egress_free(struct egress *e)
{
	if (!e)
		return;
	nl_socket_free(e->events);
	nl_socket_free(e->ask);
	free(e->sets);
	free(e);
}

int egress_fd(const struct egress *e)
{
	return nl_socket_get_fd(e->events);
}

void egress_refresh(struct egress *e)
{
	if (ask_changed(e->events)) {
		e->epoch++;
		e->stats.flushes++;
	}
}

uint64_t egress_epoch(const struct egress *e)
{
	return e->epoch;
}

/** FNV-1a over both addresses, from a secret start so that nobody outside can pick a set. */
uint64_t egress_hash(const struct egress *e, const struct ipsp_addr *src,
		     const struct ipsp_addr *dst)
{
	const struct ipsp_addr *const both[] = { src, dst };
	uint64_t h = e->seed;

	for (size_t i = 0; i < 2; i++) {
		h = (h ^ both[i]->family) * 0x100000001b3ULL;
		for (size_t j = 0; j < sizeof(src->octets); j++)
			h = (h ^ both[i]->octets[j]) * 0x100000001b3ULL;
	}
	return h ^ (h >> 32);
}

static bool same_addr(const struct ipsp_addr *a, const struct ipsp_addr *b)
{
	return a->family == b->family &&
	       memcmp(a->octets, b->octets, ipsp_addr_size(a->family)) == 0;
}

static void take_addr(struct nlattr *attr, uint8_t family, struct ipsp_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (!attr || nla_len(attr) != (int)ipsp_addr_size(family))
		return;
	out->family = family;
	memcpy(out->octets, nla_data(attr), ipsp_addr_size(family));
}

/** What the route itself says, as it was set or as the kernel has learned it. 0: nothing */
static uint32_t route_mtu(struct nlattr *metrics)
{
	struct nlattr *attrs[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(attrs, RTAX_MAX, metrics, NULL) < 0 || !attrs[RTAX_MTU] ||
	    nla_len(attrs[RTAX_MTU]) != 4)
		return 0;
	return nla_get_u32(attrs[RTAX_MTU]);
}

/** Reads one RTM_NEWROUTE. A route out of the host by an interface other than the TUN, or not. */
static int parse_route(const struct egress *e, struct nlmsghdr *h, uint8_t family,
		       struct egress_route *out)
{
	struct nlattr *attrs[RTA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(h, sizeof(struct rtmsg), attrs, RTA_MAX, NULL) < 0)
		return -EIO;
	const struct rtmsg *rtm = nlmsg_data(h);
	const uint32_t ifindex = attrs[RTA_OIF] && nla_len(attrs[RTA_OIF]) == 4 ?
				 nla_get_u32(attrs[RTA_OIF]) : 0;

	if ((rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_MULTICAST &&
	     rtm->rtm_type != RTN_BROADCAST && rtm->rtm_type != RTN_ANYCAST) ||
	    !ifindex || ifindex == e->tun_ifindex)
		return -ENETUNREACH;
	out->ifindex = ifindex;
	out->mtu = route_mtu(attrs[RTA_METRICS]);
	take_addr(attrs[RTA_PREFSRC], family, &out->source);
	return 0;
}

/** Of an interface; 0: not known. A change of it is one of links, which empties the cache. */
static uint32_t link_mtu(struct egress *e, uint32_t ifindex)
{
	struct nlattr *attrs[IFLA_MAX + 1];
	unsigned char *data;
	uint32_t mtu = 0, seq;
	int len;
	struct nlmsghdr *const h = ask_link(e->ask, ifindex, &seq) == 0 ?
					   ask_answer(e->ask, seq, &data, &len) : NULL;

	if (!h)
		return 0;
	if (h->nlmsg_type == RTM_NEWLINK &&
	    nlmsg_parse(h, sizeof(struct ifinfomsg), attrs, IFLA_MAX, NULL) >= 0 &&
	    attrs[IFLA_MTU] && nla_len(attrs[IFLA_MTU]) == 4)
		mtu = nla_get_u32(attrs[IFLA_MTU]);
	free(data);
	return mtu;
}

/** The kernel's negative answers that are about the route, not about the question. */
static bool is_unreachable(int err)
{
	return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EAGAIN ||
	       err == -ESRCH || err == -ENODEV;
}

/** @return 0, -ENETUNREACH, the kernel's refusal as it is, or -EIO */
static int query(struct egress *e, const struct ipsp_addr *src, const struct ipsp_addr *dst,
		 uint32_t iif, struct egress_route *out)
{
	uint32_t seq;
	const int sent = ask_route(e->ask, &(struct ask_route){
		.src = src, .dst = dst, .mark = e->mark, .iif = iif,
	}, &seq);

	if (sent)
		return sent;
	unsigned char *data;
	int len, err;
	struct nlmsghdr *const h = ask_answer(e->ask, seq, &data, &len);

	if (!h)
		return -EIO;
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *no = nlmsg_data(h);

		err = nlmsg_datalen(h) >= (int)sizeof(*no) && no->error < 0 ? no->error : -EIO;
		if (is_unreachable(err))
			err = -ENETUNREACH;
	} else {
		err = parse_route(e, h, dst->family, out);
	}
	free(data);
	return err;
}

/**
 * Asks in the forms the kernel needs. IPv4 takes a source that is not our own address only as that
 * of a forwarded packet, for which the packets of the TUN are a stand-in (else EINVAL, or
 * ENETUNREACH since Linux 6.12). Strict reverse path filtering there refuses sources that live
 * elsewhere (EXDEV, now EINVAL), and then the destination decides.
 */
static int ask_kernel(struct egress *e, const struct ipsp_addr *src, const struct ipsp_addr *dst,
		      struct egress_route *out)
{
	static const struct ipsp_addr none;
	int err = query(e, src, dst, 0, out);

	if (src->family == 4 && (err == -EINVAL || err == -ENETUNREACH)) {
		err = query(e, src, dst, e->tun_ifindex, out);
		if (err == -EXDEV || err == -EINVAL)
			err = query(e, &none, dst, 0, out);
	}
	return err == -EINVAL || err == -EXDEV ? -ENETUNREACH : err;
}

int egress_lookup(struct egress *e, const struct ipsp_addr *src, const struct ipsp_addr *dst,
		  struct egress_route *out)
{
	if (!ipsp_addr_size(dst->family) || (src->family && src->family != dst->family))
		return -EINVAL;
	struct cache_set *set = &e->sets[egress_hash(e, src, dst) % SETS];

	e->stats.lookups++;
	for (size_t i = 0; i < WAYS; i++) {
		const struct cache_entry *c = &set->way[i];

		if (c->epoch != e->epoch || !same_addr(&c->dst, dst) || !same_addr(&c->src, src))
			continue;
		if (!c->err)
			*out = c->route;
		return c->err;
	}
	struct egress_route route = { 0 };

	e->stats.queries++;
	const int err = ask_kernel(e, src, dst, &route);

	if (err && err != -ENETUNREACH)
		return err;
	if (!err && route.mtu == 0)
		route.mtu = link_mtu(e, route.ifindex);
	set->way[set->next] = (struct cache_entry) {
		.epoch = e->epoch, .src = *src, .dst = *dst, .err = err, .route = route,
	};
	set->next = (set->next + 1) % WAYS;
	if (!err)
		*out = route;
	return err;
}

void egress_stats_get(const struct egress *e, struct egress_stats *out)
{
	*out = e->stats;
}
