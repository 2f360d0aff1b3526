/*
 * ipspd/guard_watch.c - netlink's multicast groups, sieved: nftables, ip rules, routes, links.
 *
 * A router with many routes, or a program with busy tables of its own, must not make us look at the
 * guard each time: messages are read only as far as it takes to see that they are not about it.
 */
#include "config.h"

#include "ipspd/guard_watch.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <netinet/in.h>	/* before its kernel twin */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipspd/marks.h"

#define DATAGRAMS_A_TURN 256
#define BUFFER (1 << 20)
#define COMM_LEN 16

struct guard_watch {
	struct nl_sock *socket[GUARD_WATCH_SOCKETS];
	unsigned seen;			/* in this turn */
	bool batch_is_ours;		/* our table was named since the last end of a batch */
	char who[COMM_LEN];
};

/* ---- nftables ---- */

/* The end of a batch names the program it came from. */
static void take_batch_end(struct guard_watch *w, struct nlmsghdr *nlh)
{
	struct nlattr *name = nlmsg_find_attr(nlh, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);

	if (w->batch_is_ours && name)
		nla_strlcpy(w->who, name, sizeof(w->who));
	w->batch_is_ours = false;
}

static int take_nft(struct nl_msg *m, void *arg)
{
	struct guard_watch *w = (struct guard_watch *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(m);
	const struct nfgenmsg *head = (const struct nfgenmsg *)nlmsg_data(nlh);

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || !nlmsg_valid_hdr(nlh, sizeof(*head)))
		return NL_OK;
	if ((nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN) {
		take_batch_end(w, nlh);
		return NL_OK;
	}
	/* All kinds of objects name their table first. */
	struct nlattr *table = nlmsg_find_attr(nlh, sizeof(*head), NFTA_TABLE_NAME);
	if (head->nfgen_family != NFPROTO_INET || !table ||
	    nla_strcmp(table, IPSPD_NFT_TABLE) != 0)
		return NL_OK;
	w->seen |= GUARD_TABLE;
	w->batch_is_ours = true;
	return NL_OK;
}

/* ---- routing ---- */

static uint32_t number(struct nlmsghdr *nlh, size_t head, int type)
{
	struct nlattr *a = nlmsg_valid_hdr(nlh, (int)head) ?
				   nlmsg_find_attr(nlh, (int)head, type) : NULL;

	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

static bool rule_is_ours(struct nlmsghdr *nlh)
{
	uint32_t pref = number(nlh, sizeof(struct fib_rule_hdr), FRA_PRIORITY);

	return pref == IPSPD_RULE_PREF_WIRE || pref == IPSPD_RULE_PREF_BYPASS ||
	       pref == IPSPD_RULE_PREF_TUN || pref == IPSPD_RULE_PREF_STEER;
}

static int take_route(struct nl_msg *m, void *arg)
{
	struct guard_watch *w = (struct guard_watch *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(m);

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* The kernel does not tell of each route and rule that goes with a device. */
		w->seen |= GUARD_LINKS | GUARD_ROUTES;
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		w->seen |= rule_is_ours(nlh) ? GUARD_ROUTES : 0;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (number(nlh, sizeof(struct rtmsg), RTA_TABLE) == IPSPD_ROUTE_TABLE)
			w->seen |= GUARD_ROUTES;
		break;
	default:
		break;
	}
	return NL_OK;
}

/* ---- sockets ---- */

static const struct {
	int protocol;
	int (*take)(struct nl_msg *m, void *arg);
	int groups[6];		/* ends with 0 */
} sources[GUARD_WATCH_SOCKETS] = {
	{ NETLINK_NETFILTER, take_nft, { NFNLGRP_NFTABLES } },
	{ NETLINK_ROUTE, take_route,
	  { RTNLGRP_LINK, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE,
	    RTNLGRP_IPV6_ROUTE } },
};

static int open_socket(struct guard_watch *w, size_t which)
{
	const int size = BUFFER;
	struct nl_sock *sk = nl_socket_alloc();

	w->socket[which] = sk;
	if (!sk)
		return -NLE_NOMEM;
	nl_socket_disable_seq_check(sk);
	int err = nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, sources[which].take, w);
	err = err < 0 ? err : nl_connect(sk, sources[which].protocol);
	for (size_t i = 0; err >= 0 && i < 6 && sources[which].groups[i]; i++)
		err = nl_socket_add_membership(sk, sources[which].groups[i]);
	err = err < 0 ? err : nl_socket_set_nonblocking(sk);
	/* The usual bound stays when the kernel does not give more. */
	if (err >= 0)
		(void)setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVBUFFORCE, &size,
				 sizeof(size));
	return err;
}

int guard_watch_open(struct guard_watch **out, const char **why)
{
	struct guard_watch *w = (struct guard_watch *)calloc(1, sizeof(*w));
	int err = w ? 0 : -NLE_NOMEM;

	for (size_t i = 0; err >= 0 && i < GUARD_WATCH_SOCKETS; i++)
		err = open_socket(w, i);
	if (err < 0) {
		*why = nl_geterror(err);
		guard_watch_close(w);
		return err == -NLE_NOMEM ? -ENOMEM : -EIO;
	}
	*out = w;
	return 0;
}

void guard_watch_close(struct guard_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < GUARD_WATCH_SOCKETS; i++) {
		if (w->socket[i])
			nl_socket_free(w->socket[i]);
	}
	free(w);
}

int guard_watch_fd(const struct guard_watch *w, size_t which)
{
	return nl_socket_get_fd(w->socket[which]);
}

unsigned guard_watch_read(struct guard_watch *w, size_t which)
{
	int err = 0;

	w->seen = 0;
	for (unsigned i = 0; err >= 0 && i < DATAGRAMS_A_TURN; i++)
		err = nl_recvmsgs_default(w->socket[which]);
	/* No room for a message, in the kernel or here: there is no knowing what it said. */
	return err < 0 && err != -NLE_AGAIN ? GUARD_ALL : w->seen;
}

const char *guard_watch_who(const struct guard_watch *w)
{
	return w->who;
}
