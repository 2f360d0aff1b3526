/*
 * ipspd/guard_look.c - what the kernel has of the guard's nftables table, as one number.
 *
 * The table's flags, its chains and its rules are summed as the kernel sends them, handles included
 * and counters left out: whatever another program does to them, and be it putting back the same
 * rules, the sum is another one. Sets need no look: those in use by our rules are anonymous, which
 * the kernel lets nobody change.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <errno.h>
#include <netinet/in.h>	/* before its kernel twin */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "ipspd/marks.h"

#define TRIES 5		/* while other programs change nftables */
#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static void add_octets(uint64_t *sum, const void *data, size_t len)
{
	const uint8_t *at = (const uint8_t *)data;

	for (size_t i = 0; i < len; i++)
		*sum = (*sum ^ at[i]) * FNV_PRIME;
}

/* Everything of a rule's expressions but what packets change. */
static void add_expressions(uint64_t *sum, struct nlattr *list)
{
	struct nlattr *element;
	int left;

	nla_for_each_nested(element, list, left) {
		struct nlattr *a[NFTA_EXPR_MAX + 1];

		if (nla_parse_nested(a, NFTA_EXPR_MAX, element, NULL) == 0 && a[NFTA_EXPR_NAME] &&
		    nla_strcmp(a[NFTA_EXPR_NAME], "counter") == 0)
			add_octets(sum, nla_data(a[NFTA_EXPR_NAME]),
				   (size_t)nla_len(a[NFTA_EXPR_NAME]));
		else
			add_octets(sum, element, (size_t)element->nla_len);
	}
}

static bool is_ours(struct nlmsghdr *nlh)
{
	const struct nfgenmsg *head = (const struct nfgenmsg *)nlmsg_data(nlh);
	/* The first attribute of tables, chains and rules alike. */
	struct nlattr *name = nlmsg_valid_hdr(nlh, sizeof(*head)) ?
				      nlmsg_find_attr(nlh, sizeof(*head), NFTA_TABLE_NAME) : NULL;

	return name && head->nfgen_family == NFPROTO_INET &&
	       nla_strcmp(name, IPSPD_NFT_TABLE) == 0;
}

static int take_object(struct nl_msg *m, void *arg)
{
	struct guard_sum *s = (struct guard_sum *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(m);
	uint8_t kind = (uint8_t)nlh->nlmsg_type;
	struct nlattr *a;
	int left;

	if (!is_ours(nlh))
		return NL_OK;
	s->there = true;
	add_octets(&s->sum, &kind, sizeof(kind));
	nlmsg_for_each_attr(a, nlh, sizeof(struct nfgenmsg), left) {
		if (kind == NFT_MSG_NEWRULE && nla_type(a) == NFTA_RULE_EXPRESSIONS)
			add_expressions(&s->sum, a);
		else
			add_octets(&s->sum, a, (size_t)a->nla_len);
	}
	return NL_OK;
}

static int take_commits(struct nl_msg *m, void *arg)
{
	struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct nfgenmsg), NFTA_GEN_ID);

	if (a && nla_len(a) >= 4)
		*(uint32_t *)arg = ntohl(nla_get_u32(a));
	return NL_OK;
}

static int ask(struct nl_sock *sk, uint8_t what, int flags, int (*take)(struct nl_msg *, void *),
	       void *arg)
{
	const struct nfgenmsg head = {
		.nfgen_family = what == NFT_MSG_GETGEN ? NFPROTO_UNSPEC : NFPROTO_INET,
		.version = NFNETLINK_V0,
	};
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | what, flags);

	if (!m || nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
	    (what != NFT_MSG_GETGEN && nla_put_string(m, NFTA_TABLE_NAME, IPSPD_NFT_TABLE) < 0)) {
		nlmsg_free(m);
		return -NLE_NOMEM;
	}
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, take, arg);
	int err = nl_send_auto(sk, m);
	nlmsg_free(m);
	return err < 0 ? err : nl_recvmsgs_default(sk);
}

/* @return 0: *out is of one moment; 1: nftables changed meanwhile; or an error of libnl */
static int look_once(struct nl_sock *sk, struct guard_sum *out)
{
	static const uint8_t what[] = { NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE };
	struct guard_sum s = { .there = false, .sum = FNV_START };
	uint32_t after = 0;
	int err = ask(sk, NFT_MSG_GETGEN, 0, take_commits, &s.commits);

	for (size_t i = 0; err >= 0 && i < sizeof(what) / sizeof(what[0]); i++) {
		err = ask(sk, what[i], what[i] == NFT_MSG_GETTABLE ? 0 : NLM_F_DUMP, take_object,
			  &s);
		if (err == -NLE_OBJ_NOTFOUND)
			err = 0;	/* no table, no chains, no rules */
	}
	err = err < 0 ? err : ask(sk, NFT_MSG_GETGEN, 0, take_commits, &after);
	if (err == -NLE_DUMP_INTR || (err >= 0 && after != s.commits))
		return 1;
	if (err >= 0)
		*out = s;
	return err < 0 ? err : 0;
}

int guard_look(struct guard_sum *out, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk) {
		*why = "netlink: no memory";
		return -ENOMEM;
	}
	nl_socket_disable_auto_ack(sk);
	int err = nl_connect(sk, NETLINK_NETFILTER);
	for (unsigned i = 0; err >= 0 && i < TRIES; i++) {
		err = look_once(sk, out);
		if (err == 0)
			break;
	}
	nl_socket_free(sk);
	if (err == 0)
		return 0;
	*why = err > 0 ? "nftables: another program changes it all the time" : nl_geterror(err);
	return err > 0 ? -EAGAIN : -EIO;
}
