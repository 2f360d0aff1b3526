/*
 * ipspd/guard_count.c - what the guard's rules have counted, by SPD entry.
 *
 * A rule that counts bears a comment that says whose packets those are: "p o 3 1a2b" is a pass by entry
 * 0x1a2b of interface 3's outbound list. Rules of one comment are one count. The kernel counts from
 * nothing whenever the table is written, so counters are read before that, and differences are kept
 * until somebody takes them.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <bsd/sys/tree.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>	/* before its kernel twin */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/marks.h"

#define COMMENT_MAX 64
#define COMMENT_TYPE 0	/* libnftnl's NFTNL_UDATA_RULE_COMMENT */
#define NODES_MAX (1u << 16)

struct count_node {
	RB_ENTRY(count_node) link;
	struct wire_guard_count key;	/* packets and bytes: read, and not taken yet */
	uint64_t packets, bytes;	/* as the kernel said last */
	uint64_t sum_packets, sum_bytes;	/* of its rules, while they are read */
};

RB_HEAD(guard_count_tree, count_node);

struct guard_counts {
	struct guard_count_tree nodes;
	size_t n;
};

static int node_cmp(const struct count_node *a, const struct count_node *b)
{
	const struct wire_guard_count *x = &a->key, *y = &b->key;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return x->what < y->what ? -1 : x->what > y->what;
}

RB_PROTOTYPE(guard_count_tree, count_node, link, node_cmp)
RB_GENERATE(guard_count_tree, count_node, link, node_cmp)

/* ---- comments ---- */

static const char whats[WIRE_GUARD_WHATS] = {
	[WIRE_GUARD_PASSED] = 'p',
	[WIRE_GUARD_DISCARDED] = 'd',
	[WIRE_GUARD_UNPROTECTED] = 'u',
	[WIRE_GUARD_END] = 'e',
	[WIRE_GUARD_FRAGMENT] = 'f',
	[WIRE_GUARD_HIDDEN] = 'h',
	[WIRE_GUARD_SHORT] = 's',
};

void guard_counts_mark(FILE *f, uint8_t what, uint64_t id, uint32_t ifindex, uint8_t dir)
{
	fprintf(f, " comment \"%c %c %" PRIu32 " %" PRIx64 "\"", whats[what],
		dir == IPSP_INBOUND ? 'i' : 'o', ifindex, id);
}

static bool read_mark(const char *text, struct wire_guard_count *out)
{
	char what, dir;

	*out = (struct wire_guard_count){ .what = 0 };
	if (sscanf(text, "%c %c %" SCNu32 " %" SCNx64, &what, &dir, &out->ifindex, &out->id) != 4 ||
	    (dir != 'i' && dir != 'o'))
		return false;
	out->dir = dir == 'i' ? IPSP_INBOUND : IPSP_OUTBOUND;
	for (uint8_t i = 1; i < WIRE_GUARD_WHATS; i++) {
		if (whats[i] == what)
			out->what = i;
	}
	return out->what != 0;
}

/* ---- one rule, as the kernel sends it ---- */

/* nft keeps a rule's comment in user data: type, length, octets with their NUL. */
static bool rule_comment(struct nlattr *user, char text[COMMENT_MAX])
{
	const uint8_t *at = user ? (const uint8_t *)nla_data(user) : NULL;
	size_t left = user ? (size_t)nla_len(user) : 0;

	while (left >= 2 && left - 2 >= at[1]) {
		size_t len = at[1];

		if (at[0] == COMMENT_TYPE && len > 0 && len <= COMMENT_MAX && at[1 + len] == 0) {
			memcpy(text, at + 2, len);
			return true;
		}
		at += 2 + len;
		left -= 2 + len;
	}
	return false;
}

static bool rule_counter(struct nlattr *list, uint64_t *packets, uint64_t *bytes)
{
	struct nlattr *element;
	int left;

	if (!list)
		return false;
	nla_for_each_nested(element, list, left) {
		struct nlattr *a[NFTA_EXPR_MAX + 1], *c[NFTA_COUNTER_MAX + 1];

		if (nla_parse_nested(a, NFTA_EXPR_MAX, element, NULL) < 0 || !a[NFTA_EXPR_NAME] ||
		    !a[NFTA_EXPR_DATA] || nla_strcmp(a[NFTA_EXPR_NAME], "counter") != 0)
			continue;
		if (nla_parse_nested(c, NFTA_COUNTER_MAX, a[NFTA_EXPR_DATA], NULL) < 0 ||
		    !c[NFTA_COUNTER_PACKETS] || !c[NFTA_COUNTER_BYTES] ||
		    nla_len(c[NFTA_COUNTER_PACKETS]) < 8 || nla_len(c[NFTA_COUNTER_BYTES]) < 8)
			return false;
		*packets = be64toh(nla_get_u64(c[NFTA_COUNTER_PACKETS]));
		*bytes = be64toh(nla_get_u64(c[NFTA_COUNTER_BYTES]));
		return true;
	}
	return false;
}

static struct count_node *node_for(struct guard_counts *c, const struct wire_guard_count *key)
{
	struct count_node probe = { .key = *key }, *n;

	n = RB_FIND(guard_count_tree, &c->nodes, &probe);
	if (n || c->n == NODES_MAX)
		return n;
	n = (struct count_node *)calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->key = *key;
	RB_INSERT(guard_count_tree, &c->nodes, n);
	c->n++;
	return n;
}

static int take_rule(struct nl_msg *m, void *arg)
{
	struct guard_counts *c = (struct guard_counts *)arg;
	struct nlattr *a[NFTA_RULE_MAX + 1];
	struct wire_guard_count key;
	struct count_node *n;
	uint64_t packets, bytes;
	char text[COMMENT_MAX];

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(struct nfgenmsg), a, NFTA_RULE_MAX, NULL) < 0 ||
	    !a[NFTA_RULE_TABLE] || nla_strcmp(a[NFTA_RULE_TABLE], IPSPD_NFT_TABLE) != 0 ||
	    !rule_comment(a[NFTA_RULE_USERDATA], text) || !read_mark(text, &key) ||
	    !rule_counter(a[NFTA_RULE_EXPRESSIONS], &packets, &bytes) || packets == 0)
		return NL_OK;
	n = node_for(c, &key);
	if (n) {
		n->sum_packets += packets;
		n->sum_bytes += bytes;
	}
	return NL_OK;
}

/* ---- all of them ---- */

static int dump(struct nl_sock *sk, struct guard_counts *c)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
					      NLM_F_DUMP);

	if (!m || nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(m, NFTA_RULE_TABLE, IPSPD_NFT_TABLE) < 0) {
		nlmsg_free(m);
		return -NLE_NOMEM;
	}
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, take_rule, c);
	int err = nl_send_auto(sk, m);
	nlmsg_free(m);
	err = err < 0 ? err : nl_recvmsgs_default(sk);
	return err == -NLE_OBJ_NOTFOUND ? 0 : err;
}

/* A counter that ran back began anew. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static void settle(struct guard_counts *c)
{
	struct count_node *n;

	RB_FOREACH(n, guard_count_tree, &c->nodes) {
		n->key.packets += since(n->sum_packets, n->packets);
		n->key.bytes += since(n->sum_bytes, n->bytes);
		n->packets = n->sum_packets;
		n->bytes = n->sum_bytes;
	}
}

int guard_counts_read(struct guard_counts *c, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct count_node *n;

	if (!sk) {
		*why = "netlink: no memory";
		return -ENOMEM;
	}
	RB_FOREACH(n, guard_count_tree, &c->nodes) {
		n->sum_packets = 0;
		n->sum_bytes = 0;
	}
	nl_socket_disable_auto_ack(sk);
	int err = nl_connect(sk, NETLINK_NETFILTER);
	err = err < 0 ? err : dump(sk, c);
	nl_socket_free(sk);
	if (err < 0) {
		*why = nl_geterror(err);
		return -EIO;
	}
	settle(c);
	return 0;
}

void guard_counts_anew(struct guard_counts *c)
{
	struct count_node *n;

	RB_FOREACH(n, guard_count_tree, &c->nodes) {
		n->packets = 0;
		n->bytes = 0;
	}
}

void guard_counts_take(struct guard_counts *c,
		       void (*each)(void *arg, const struct wire_guard_count *one), void *arg)
{
	struct count_node *n, *next;

	for (n = RB_MIN(guard_count_tree, &c->nodes); n; n = next) {
		next = RB_NEXT(guard_count_tree, &c->nodes, n);
		if (n->key.packets > 0)
			each(arg, &n->key);
		n->key.packets = 0;
		n->key.bytes = 0;
		if (n->packets > 0)
			continue;
		RB_REMOVE(guard_count_tree, &c->nodes, n);
		c->n--;
		free(n);
	}
}

struct guard_counts *guard_counts_new(void)
{
	struct guard_counts *c = (struct guard_counts *)calloc(1, sizeof(*c));

	if (c)
		RB_INIT(&c->nodes);
	return c;
}

void guard_counts_free(struct guard_counts *c)
{
	struct count_node *n;

	if (!c)
		return;
	while ((n = RB_ROOT(&c->nodes))) {
		RB_REMOVE(guard_count_tree, &c->nodes, n);
		free(n);
	}
	free(c);
}
