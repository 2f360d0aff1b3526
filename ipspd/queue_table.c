/*
 * ipspd/queue_table.c - writes the queues' nftables table by netlink: one transaction a change.
 *
 * Not in nft's words as the guard's, because nft cannot say the target NFQUEUE of xtables, which is
 * what kernels without nft's own "queue" have.
 */
#include "config.h"

#include "ipspd/queue_table.h"

#include <errno.h>
#include <netinet/in.h>	/* before its kernel twin */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/marks.h"

#define BATCH_SIZE (256u << 10)	/* octets: some hundred rules */
#define ANSWERS_MAX 1024
#define FLAG_OWNER 2		/* NFT_TABLE_F_OWNER of <linux/netfilter/nf_tables.h>, since Linux 5.12 */
#define XT_INFO_SIZE 8		/* that of the target, as the kernel aligns it */
#define PROTO_ESP 50
#define PROTO_AH 51

struct queue_table {
	struct nl_sock *sk;
	bool by_target;		/* the kernel has no "queue" of nft */
};

/** Messages on their way to the kernel. */
struct batch {
	struct queue_table *table;
	uint8_t *data;
	size_t len;
	size_t last;		/* where the last message stands */
	uint32_t seq;		/* of the last message */
	uint32_t answered;	/* of the one that the kernel answers in any case */
	bool full;
	struct nl_msg *rule;	/* being written */
	struct nlattr *expressions;
};

static char said[160];	/* what went wrong last, for *why */

/* ---- messages ---- */

static struct nl_msg *begin(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
			    uint16_t resource)
{
	const struct nfgenmsg head = { .nfgen_family = family, .version = NFNETLINK_V0,
				       .res_id = htons(resource) };
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!m || nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		b->full = true;
		return NULL;
	}
	nlmsg_hdr(m)->nlmsg_seq = ++b->seq;
	return m;
}

static struct nl_msg *begin_nft(struct batch *b, unsigned message, uint16_t flags)
{
	return begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, NFPROTO_INET, 0);
}

/* Takes m. */
static void add(struct batch *b, struct nl_msg *m)
{
	const struct nlmsghdr *const h = m ? nlmsg_hdr(m) : NULL;
	const size_t len = h ? NLMSG_ALIGN(h->nlmsg_len) : 0;

	if (!h || len > BATCH_SIZE - b->len) {
		b->full = true;
	} else {
		memset(b->data + b->len, 0, len);
		memcpy(b->data + b->len, h, h->nlmsg_len);
		b->last = b->len;
		b->len += len;
	}
	nlmsg_free(m);
}

static void put_u32_be(struct nl_msg *m, int attr, uint32_t value)
{
	(void)nla_put_u32(m, attr, htonl(value));
}

static void add_table(struct batch *b)
{
	struct nl_msg *m = begin_nft(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (m) {
		(void)nla_put_string(m, NFTA_TABLE_NAME, IPSPD_NFT_QUEUE);
		put_u32_be(m, NFTA_TABLE_FLAGS, FLAG_OWNER);
	}
	add(b, m);
}

static void add_no_rules(struct batch *b)
{
	struct nl_msg *m = begin_nft(b, NFT_MSG_DELRULE, 0);

	if (m)
		(void)nla_put_string(m, NFTA_RULE_TABLE, IPSPD_NFT_QUEUE);
	add(b, m);
}

/* priority 0: no hook, rules jump there */
static void add_chain(struct batch *b, const char *name, uint32_t hook, int32_t priority)
{
	struct nl_msg *m = begin_nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	if (m) {
		(void)nla_put_string(m, NFTA_CHAIN_TABLE, IPSPD_NFT_QUEUE);
		(void)nla_put_string(m, NFTA_CHAIN_NAME, name);
	}
	if (m && priority) {
		struct nlattr *nest = nla_nest_start(m, NFTA_CHAIN_HOOK);

		put_u32_be(m, NFTA_HOOK_HOOKNUM, hook);
		put_u32_be(m, NFTA_HOOK_PRIORITY, (uint32_t)priority);
		if (nest)
			nla_nest_end(m, nest);
		(void)nla_put_string(m, NFTA_CHAIN_TYPE, "filter");
	}
	add(b, m);
}

/* ---- rules: expressions one after the other, all of which must hold ---- */

static void rule_begin(struct batch *b, const char *chain)
{
	b->rule = begin_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	b->expressions = NULL;
	if (!b->rule)
		return;
	(void)nla_put_string(b->rule, NFTA_RULE_TABLE, IPSPD_NFT_QUEUE);
	(void)nla_put_string(b->rule, NFTA_RULE_CHAIN, chain);
	b->expressions = nla_nest_start(b->rule, NFTA_RULE_EXPRESSIONS);
	b->full |= !b->expressions;
}

static void rule_end(struct batch *b)
{
	if (b->expressions)
		nla_nest_end(b->rule, b->expressions);
	add(b, b->rule);
	b->rule = NULL;
}

/** An expression that is being written. */
struct expression {
	struct nlattr *element, *data;
};

static struct expression expression_begin(struct batch *b, const char *name)
{
	struct expression e = { NULL, NULL };

	if (!b->rule)
		return e;
	e.element = nla_nest_start(b->rule, NFTA_LIST_ELEM);
	(void)nla_put_string(b->rule, NFTA_EXPR_NAME, name);
	e.data = nla_nest_start(b->rule, NFTA_EXPR_DATA);
	b->full |= !e.element || !e.data;
	return e;
}

static void expression_end(struct batch *b, const struct expression *e)
{
	if (e->data)
		nla_nest_end(b->rule, e->data);
	if (e->element)
		nla_nest_end(b->rule, e->element);
}

static void put_value(struct batch *b, int attr, const void *value, int len)
{
	struct nlattr *nest = b->rule ? nla_nest_start(b->rule, attr) : NULL;

	b->full |= !nest || nla_put(b->rule, NFTA_DATA_VALUE, len, value) < 0;
	if (nest)
		nla_nest_end(b->rule, nest);
}

static void put_number(struct batch *b, int attr, uint32_t value)
{
	b->full |= !b->rule || nla_put_u32(b->rule, attr, htonl(value)) < 0;
}

static void load_meta(struct batch *b, enum nft_meta_keys key)
{
	const struct expression e = expression_begin(b, "meta");

	put_number(b, NFTA_META_DREG, NFT_REG_1);
	put_number(b, NFTA_META_KEY, key);
	expression_end(b, &e);
}

static void is(struct batch *b, const void *value, int len)
{
	const struct expression e = expression_begin(b, "cmp");

	put_number(b, NFTA_CMP_SREG, NFT_REG_1);
	put_number(b, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(b, NFTA_CMP_DATA, value, len);
	expression_end(b, &e);
}

static void is_octet(struct batch *b, uint8_t octet)
{
	is(b, &octet, sizeof(octet));
}

static void meta_is_number(struct batch *b, enum nft_meta_keys key, uint32_t number)
{
	load_meta(b, key);
	is(b, &number, sizeof(number));
}

static void meta_is_name(struct batch *b, enum nft_meta_keys key, const char *name)
{
	char whole[IF_NAMESIZE] = "";

	memcpy(whole, name, strnlen(name, sizeof(whole) - 1));
	load_meta(b, key);
	is(b, whole, sizeof(whole));
}

static void meta_is_octet(struct batch *b, enum nft_meta_keys key, uint8_t octet)
{
	load_meta(b, key);
	is_octet(b, octet);
}

/* Register 1 is what it was, of these bits. */
static void keep_bits(struct batch *b, uint32_t mask)
{
	static const uint32_t nothing;
	const struct expression e = expression_begin(b, "bitwise");

	put_number(b, NFTA_BITWISE_SREG, NFT_REG_1);
	put_number(b, NFTA_BITWISE_DREG, NFT_REG_1);
	put_number(b, NFTA_BITWISE_LEN, sizeof(mask));
	put_value(b, NFTA_BITWISE_MASK, &mask, sizeof(mask));
	put_value(b, NFTA_BITWISE_XOR, &nothing, sizeof(nothing));
	expression_end(b, &e);
}

static void mark_is(struct batch *b, uint32_t mark)
{
	load_meta(b, NFT_META_MARK);
	keep_bits(b, IPSPD_MARK_MASK);
	is(b, &mark, sizeof(mark));
}

static void octets_are(struct batch *b, enum nft_payload_bases base, uint32_t offset,
		       const void *value, int len)
{
	const struct expression e = expression_begin(b, "payload");

	put_number(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_number(b, NFTA_PAYLOAD_BASE, base);
	put_number(b, NFTA_PAYLOAD_OFFSET, offset);
	put_number(b, NFTA_PAYLOAD_LEN, (uint32_t)len);
	expression_end(b, &e);
	is(b, value, len);
}

static void is_for_this_machine(struct batch *b)
{
	const uint32_t local = RTN_LOCAL;
	const struct expression e = expression_begin(b, "fib");

	put_number(b, NFTA_FIB_DREG, NFT_REG_1);
	put_number(b, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put_number(b, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expression_end(b, &e);
	is(b, &local, sizeof(local));
}

/* ---- what a rule does ---- */

static void verdict(struct batch *b, int32_t code, const char *chain)
{
	const struct expression e = expression_begin(b, "immediate");
	struct nlattr *data, *nest;

	put_number(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = b->rule ? nla_nest_start(b->rule, NFTA_IMMEDIATE_DATA) : NULL;
	nest = data ? nla_nest_start(b->rule, NFTA_DATA_VERDICT) : NULL;
	put_number(b, NFTA_VERDICT_CODE, (uint32_t)code);
	b->full |= !nest || (chain && nla_put_string(b->rule, NFTA_VERDICT_CHAIN, chain) < 0);
	if (nest)
		nla_nest_end(b->rule, nest);
	if (data)
		nla_nest_end(b->rule, data);
	expression_end(b, &e);
}

static void pass(struct batch *b)
{
	verdict(b, NF_ACCEPT, NULL);
}

static void take_mark_off(struct batch *b)
{
	load_meta(b, NFT_META_MARK);
	keep_bits(b, ~IPSPD_MARK_MASK);
	const struct expression e = expression_begin(b, "meta");

	put_number(b, NFTA_META_SREG, NFT_REG_1);
	put_number(b, NFTA_META_KEY, NFT_META_MARK);
	expression_end(b, &e);
}

static void queue_by_target(struct batch *b, uint16_t number)
{
	union {
		struct xt_NFQ_info info;
		uint8_t octets[XT_INFO_SIZE];
	} u = { .octets = { 0 } };
	const struct expression e = expression_begin(b, "target");

	u.info.queuenum = number;
	b->full |= !b->rule || nla_put_string(b->rule, NFTA_TARGET_NAME, "NFQUEUE") < 0 ||
		   nla_put_u32(b->rule, NFTA_TARGET_REV, 0) < 0 ||
		   nla_put(b->rule, NFTA_TARGET_INFO, sizeof(u), &u) < 0;
	expression_end(b, &e);
}

static void queue(struct batch *b, uint16_t number)
{
	if (b->table->by_target) {
		queue_by_target(b, number);
		return;
	}
	const struct expression e = expression_begin(b, "queue");

	b->full |= !b->rule || nla_put_u16(b->rule, NFTA_QUEUE_NUM, htons(number)) < 0 ||
		   nla_put_u16(b->rule, NFTA_QUEUE_TOTAL, htons(1)) < 0;
	expression_end(b, &e);
}

/* ---- chains ---- */

/* What sockets read, once it is known to be for this machine: the same as in the guard's lists. */
static void add_own(struct batch *b)
{
	static const uint8_t protocols[] = { PROTO_ESP, PROTO_AH };
	static const uint16_t ports[] = { 500, 4500 };
	static const uint8_t quoted[] = { IPPROTO_UDP, PROTO_ESP, PROTO_AH };
	/* Type and code, RFC 792 and RFC 4443; where the protocol of the packet stands that is quoted. */
	static const uint8_t frag_needed[] = { 3, 4 }, too_big[] = { 2 };
	const uint32_t quoted_at4 = 8 + 9, quoted_at6 = 8 + 6;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		rule_begin(b, "own");
		meta_is_octet(b, NFT_META_L4PROTO, protocols[i]);
		pass(b);
		rule_end(b);
	}
	/* nft looks behind AH in IPv6. */
	rule_begin(b, "own");
	meta_is_octet(b, NFT_META_NFPROTO, NFPROTO_IPV6);
	octets_are(b, NFT_PAYLOAD_NETWORK_HEADER, 6, &protocols[1], 1);
	pass(b);
	rule_end(b);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const uint16_t port_be = htons(ports[i]);

		rule_begin(b, "own");
		meta_is_octet(b, NFT_META_L4PROTO, IPPROTO_UDP);
		octets_are(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, &port_be, sizeof(port_be));
		pass(b);
		rule_end(b);
	}
	for (size_t i = 0; i < sizeof(quoted); i++) {
		rule_begin(b, "own");
		meta_is_octet(b, NFT_META_L4PROTO, IPPROTO_ICMP);
		octets_are(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, frag_needed, sizeof(frag_needed));
		octets_are(b, NFT_PAYLOAD_TRANSPORT_HEADER, quoted_at4, &quoted[i], 1);
		pass(b);
		rule_end(b);
		rule_begin(b, "own");
		meta_is_octet(b, NFT_META_L4PROTO, IPPROTO_ICMPV6);
		octets_are(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, too_big, sizeof(too_big));
		octets_are(b, NFT_PAYLOAD_TRANSPORT_HEADER, quoted_at6, &quoted[i], 1);
		pass(b);
		rule_end(b);
	}
}

static void add_place(struct batch *b, const struct queue_place *p)
{
	const bool in = p->dir == IPSP_INBOUND;

	rule_begin(b, in ? "in" : "out");
	if (p->ifindex)
		meta_is_number(b, in ? NFT_META_IIF : NFT_META_OIF, p->ifindex);
	else if (p->name[0])
		meta_is_name(b, in ? NFT_META_IIFNAME : NFT_META_OIFNAME, p->name);
	queue(b, in ? IPSPD_QUEUE_IN : IPSPD_QUEUE_OUT);
	rule_end(b);
}

static void add_way(struct batch *b, bool in, const struct queue_place *places, size_t n,
		    uint32_t tun_ifindex)
{
	const char *const chain = in ? "in" : "out", *const done = in ? "in_done" : "out_done";

	rule_begin(b, chain);
	meta_is_name(b, in ? NFT_META_IIFNAME : NFT_META_OIFNAME, "lo");
	pass(b);
	rule_end(b);
	if (tun_ifindex) {
		rule_begin(b, chain);
		meta_is_number(b, in ? NFT_META_IIF : NFT_META_OIF, tun_ifindex);
		pass(b);
		rule_end(b);
	}
	rule_begin(b, chain);
	mark_is(b, IPSPD_MARK_BYPASS);
	pass(b);
	rule_end(b);
	if (in) {
		rule_begin(b, chain);
		is_for_this_machine(b);
		verdict(b, NFT_JUMP, "own");
		rule_end(b);
	}
	for (size_t i = 0; i < n; i++) {
		if ((places[i].dir == IPSP_INBOUND) == in)
			add_place(b, &places[i]);
	}
	rule_begin(b, done);
	mark_is(b, IPSPD_MARK_JUDGED);
	take_mark_off(b);
	rule_end(b);
}

/* ---- one change ---- */

/* The first answer that is an error, or the one that comes in any case. @return 0 or -errno */
static int read_answer(struct nl_sock *sk, uint32_t seq)
{
	for (unsigned i = 0; i < ANSWERS_MAX; i++) {
		struct sockaddr_nl from;
		unsigned char *data = NULL;
		int left = nl_recv(sk, &from, &data, NULL);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)data;
		int rc = left <= 0 ? -EIO : 1;

		for (; rc == 1 && nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = (const struct nlmsgerr *)nlmsg_data(h);

			if (h->nlmsg_type != NLMSG_ERROR || !nlmsg_valid_hdr(h, sizeof(*e)))
				continue;
			if (e->error != 0 || h->nlmsg_seq == seq)
				rc = e->error;
		}
		free(data);
		if (rc <= 0)
			return rc;
	}
	return -EIO;
}

static int send_batch(struct queue_table *t, struct batch *b, const char **why)
{
	if (b->full) {
		*why = "nftables: no memory, or too many interfaces";
		return -ENOMEM;
	}
	int rc = nl_sendto(t->sk, b->data, b->len);
	if (rc < 0) {
		*why = nl_geterror(rc);
		return -EIO;
	}
	rc = read_answer(t->sk, b->answered);
	if (rc < 0) {
		snprintf(said, sizeof(said), "nftables table " IPSPD_NFT_QUEUE ": %s",
			 strerror(-rc));
		*why = said;
	}
	return rc;
}

/* The kernel answers the last message so far, besides those that are wrong. */
static void ask_for_answer(struct batch *b)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->data + b->last);

	h->nlmsg_flags |= NLM_F_ACK;
	b->answered = b->seq;
}

static void fill(struct batch *b, const struct queue_place *places, size_t n, uint32_t tun_ifindex)
{
	add(b, begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	add_table(b);
	add_chain(b, "own", 0, 0);
	add_chain(b, "in", NF_INET_PRE_ROUTING, -351);
	add_chain(b, "in_done", NF_INET_PRE_ROUTING, -348);
	add_chain(b, "out", NF_INET_POST_ROUTING, 299);
	add_chain(b, "out_done", NF_INET_POST_ROUTING, 302);
	add_no_rules(b);
	add_own(b);
	add_way(b, true, places, n, tun_ifindex);
	add_way(b, false, places, n, tun_ifindex);
	ask_for_answer(b);
	add(b, begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

int queue_table_apply(struct queue_table *t, const struct queue_place *places, size_t n,
		      uint32_t tun_ifindex, const char **why)
{
	struct batch b = { .table = t, .data = (uint8_t *)calloc(1, BATCH_SIZE) };

	if (!b.data) {
		*why = "no memory";
		return -ENOMEM;
	}
	fill(&b, places, n, tun_ifindex);
	int rc = send_batch(t, &b, why);
	free(b.data);
	return rc;
}

/* ---- life ---- */

int queue_table_open(struct queue_table **out, const char **why)
{
	/* An interface that is not there, so that the kernel reads a rule and no packet is queued. */
	static const struct queue_place nowhere = { .dir = IPSP_INBOUND, .ifindex = INT32_MAX };
	struct queue_table *t = (struct queue_table *)calloc(1, sizeof(*t));
	int err = -NLE_NOMEM;

	if (t) {
		t->sk = nl_socket_alloc();
		err = t->sk ? nl_connect(t->sk, NETLINK_NETFILTER) : -NLE_NOMEM;
	}
	if (err < 0) {
		*why = nl_geterror(err);
		queue_table_close(t);
		return err == -NLE_NOMEM ? -ENOMEM : -EIO;
	}
	int rc = queue_table_apply(t, &nowhere, 1, 0, why);
	if (rc < 0) {
		t->by_target = true;
		rc = queue_table_apply(t, &nowhere, 1, 0, why);
	}
	if (rc == 0)
		rc = queue_table_apply(t, NULL, 0, 0, why);
	if (rc < 0) {
		queue_table_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void queue_table_close(struct queue_table *t)
{
	if (!t)
		return;
	nl_socket_free(t->sk);
	free(t);
}
