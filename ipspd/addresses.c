/* ipspd/addresses.c - the addresses of interfaces: see addresses.h. */
#include "config.h"

#include "ipspd/addresses.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAMS_A_TURN 256
#define ADDRESSES_MAX 65536	/* more than that are not looked at */

struct address {
	uint32_t ifindex;
	uint8_t rank;		/* lower is better, within a family */
	struct ipsp_addr addr;
};

struct addresses {
	struct nl_sock *ask;
	struct nl_sock *watch;
	struct event *changed;
	bool known;		/* v is what the kernel has */
	struct address *v;
	size_t n;
	size_t room;
	void (*tell)(void *arg);
	void *tell_arg;
};

/* Secondary and deprecated ones after the others, those of the link alone last. */
static uint8_t rank_of(const struct ifaddrmsg *m)
{
	return (uint8_t)((m->ifa_flags & (IFA_F_SECONDARY | IFA_F_DEPRECATED) ? 1 : 0) +
			 (m->ifa_scope >= RT_SCOPE_LINK ? 2 : 0));
}

static struct address *add(struct addresses *a)
{
	if (a->n == a->room) {
		const size_t room = a->room ? a->room * 2 : 32;
		struct address *v = room <= ADDRESSES_MAX ?
			(struct address *)reallocarray(a->v, room, sizeof(*v)) : NULL;

		if (!v)
			return NULL;
		a->v = v;
		a->room = room;
	}
	return &a->v[a->n++];
}

static int take(struct nl_msg *msg, void *arg)
{
	struct addresses *a = (struct addresses *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	const struct ifaddrmsg *m = (const struct ifaddrmsg *)nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWADDR || !nlmsg_valid_hdr(nlh, sizeof(*m)) ||
	    m->ifa_flags & IFA_F_TENTATIVE)
		return NL_OK;
	/* Of a point-to-point link IFA_ADDRESS is the other end. */
	const struct nlattr *at = nlmsg_find_attr(nlh, sizeof(*m), IFA_LOCAL);
	if (!at)
		at = nlmsg_find_attr(nlh, sizeof(*m), IFA_ADDRESS);
	const uint8_t family = m->ifa_family == AF_INET ? 4 : m->ifa_family == AF_INET6 ? 6 : 0;
	if (!at || family == 0 || (size_t)nla_len(at) != ipsp_addr_size(family))
		return NL_OK;
	struct address *to = add(a);
	if (!to)
		return NL_SKIP;
	*to = (struct address){ .ifindex = m->ifa_index, .rank = rank_of(m),
				.addr.family = family };
	memcpy(to->addr.octets, nla_data(at), ipsp_addr_size(family));
	return NL_OK;
}

static void on_changed(evutil_socket_t fd, short what, void *arg)
{
	struct addresses *a = (struct addresses *)arg;

	(void)fd;
	(void)what;
	a->known = false;
	/* What it says does not matter, nor whether some of it was lost. */
	for (unsigned i = 0; i < DATAGRAMS_A_TURN && nl_recvmsgs_default(a->watch) >= 0; i++)
		;
	if (a->tell)
		a->tell(a->tell_arg);
}

void addresses_on_change(struct addresses *a, void (*changed)(void *arg), void *arg)
{
	a->tell = changed;
	a->tell_arg = arg;
}

static struct nl_sock *open_socket(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk && nl_connect(sk, NETLINK_ROUTE) >= 0)
		return sk;
	nl_socket_free(sk);
	return NULL;
}

struct addresses *addresses_new(struct event_base *base)
{
	struct addresses *a = (struct addresses *)calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->ask = open_socket();
	a->watch = open_socket();
	if (!a->ask || !a->watch)
		goto fail;
	nl_socket_disable_seq_check(a->watch);
	if (nl_socket_modify_cb(a->ask, NL_CB_VALID, NL_CB_CUSTOM, take, a) < 0 ||
	    nl_socket_add_memberships(a->watch, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_NONE) < 0 ||
	    nl_socket_set_nonblocking(a->watch) < 0)
		goto fail;
	a->changed = event_new(base, nl_socket_get_fd(a->watch), EV_READ | EV_PERSIST, on_changed,
			       a);
	if (!a->changed || event_add(a->changed, NULL) < 0)
		goto fail;
	return a;
fail:
	addresses_free(a);
	return NULL;
}

void addresses_free(struct addresses *a)
{
	if (!a)
		return;
	if (a->changed)
		event_free(a->changed);
	if (a->ask)
		nl_socket_free(a->ask);
	if (a->watch)
		nl_socket_free(a->watch);
	free(a->v);
	free(a);
}

/* The kernel answers at once. */
static void look(struct addresses *a)
{
	const struct rtgenmsg all = { .rtgen_family = AF_UNSPEC };

	a->n = 0;
	a->known = nl_send_simple(a->ask, RTM_GETADDR, NLM_F_DUMP, (void *)(uintptr_t)&all,
				  sizeof(all)) >= 0 &&
		   nl_recvmsgs_default(a->ask) >= 0;
}

bool addresses_find(struct addresses *a, uint32_t ifindex, uint8_t family, struct ipsp_addr *out)
{
	const struct address *best = NULL;

	if (!a->known)
		look(a);
	for (size_t i = 0; i < a->n; i++) {
		const struct address *at = &a->v[i];
		const bool fits = at->addr.family == family;

		if (at->ifindex != ifindex)
			continue;
		if (!best || (fits && best->addr.family != family) ||
		    (fits == (best->addr.family == family) && at->rank < best->rank))
			best = at;
	}
	if (best)
		*out = best->addr;
	return best != NULL;
}

static bool is_loopback(const struct ipsp_addr *a)
{
	static const struct ipsp_addr one = { 6, { [15] = 1 } };

	return a->family == 4 ? a->octets[0] == 127 : ipsp_addr_cmp(a, &one) == 0;
}

static int cmp(const void *a, const void *b)
{
	return ipsp_addr_cmp((const struct ipsp_addr *)a, (const struct ipsp_addr *)b);
}

bool addresses_all(struct addresses *a, struct ipsp_addr *out, size_t max, size_t *n)
{
	size_t have = 0, once = 0;

	if (!a->known)
		look(a);
	for (size_t i = 0; i < a->n; i++)
		have += !is_loopback(&a->v[i].addr);
	if (!a->known || have > max)
		return false;
	have = 0;
	for (size_t i = 0; i < a->n; i++)
		if (!is_loopback(&a->v[i].addr))
			out[have++] = a->v[i].addr;
	qsort(out, have, sizeof(*out), cmp);
	for (size_t i = 0; i < have; i++)
		if (once == 0 || cmp(&out[once - 1], &out[i]) != 0)
			out[once++] = out[i];
	*n = once;
	return true;
}
