/*
 * ipspd/guard_route.c - the steering half of the guard: one route table, and the ip rules to it.
 *
 *   table 26992	default dev TUN			what the engine must see
 *			blackhole default		behind it, for when the TUN is gone
 *
 * With the TUN gone its route goes too, and the blackhole is what is left. What is missing is added
 * before anything is taken away, so that there is no moment without one of them. The table is ours
 * alone: other routes in it would lead packets past the engine.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipspd/guard_rules.h"
#include "ipspd/marks.h"

#define TUN_METRIC 1
#define FOREIGN_MAX 64	/* routes that are taken away in one round */
#define ROUNDS_MAX 8

/** A default route of our table. */
struct route {
	int family;
	uint8_t type;		/* RTN_UNICAST: to the TUN; RTN_BLACKHOLE */
	uint32_t metric;
	uint32_t oif;
	bool seen;
};

/** What is there, compared with what is wanted as it comes. */
struct survey {
	struct route wanted[4];
	size_t n_wanted;
	struct nl_msg *foreign[FOREIGN_MAX];	/* requests that delete it */
	size_t n_foreign;
	FILE *print;				/* NULL, or where all of it goes as text */
};

/* What went wrong last, for *why. */
static char said[160];

static int fail(const char **why, const char *what, int nlerr)
{
	snprintf(said, sizeof(said), "%s: %s", what, nl_geterror(nlerr));
	*why = said;
	return nlerr == -NLE_NOMEM ? -ENOMEM : -EIO;
}

/* Without IPv6 in this kernel there are no IPv6 packets to guard against. */
static bool family_is_absent(int family, int nlerr)
{
	return family == AF_INET6 && (nlerr == -NLE_AF_NOSUPPORT || nlerr == -NLE_OPNOTSUPP);
}

static struct nl_sock *open_rtnl(const char **why)
{
	const int on = 1;
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk) {
		*why = "netlink: no memory";
		return NULL;
	}
	int err = nl_connect(sk, NETLINK_ROUTE);
	if (err < 0) {
		fail(why, "netlink", err);
		nl_socket_free(sk);
		return NULL;
	}
	/* Lets us ask for one table; a kernel that cannot sends them all. */
	(void)setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return sk;
}

/* ---- what is wanted ---- */

static void want(struct survey *s, int family, uint8_t type, uint32_t metric, uint32_t oif)
{
	s->wanted[s->n_wanted++] = (struct route){ .family = family, .type = type,
						   .metric = metric, .oif = oif };
}

/* The blackholes first: the table is never without a route. */
static void want_all(struct survey *s, const struct guard_view *v)
{
	want(s, AF_INET, RTN_BLACKHOLE, IPSPD_BLACKHOLE_METRIC, 0);
	want(s, AF_INET6, RTN_BLACKHOLE, IPSPD_BLACKHOLE_METRIC, 0);
	if (!v->tun_ifindex)
		return;
	want(s, AF_INET, RTN_UNICAST, TUN_METRIC, v->tun_ifindex);
	want(s, AF_INET6, RTN_UNICAST, TUN_METRIC, v->tun_ifindex);
}

/* ---- what is there ---- */

static uint32_t number(struct nlattr *a)
{
	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

static bool is_wanted(struct survey *s, const struct rtmsg *h, struct nlattr **a)
{
	/* The kernel gives an IPv6 blackhole a device, which means nothing. */
	uint32_t oif = h->rtm_type == RTN_BLACKHOLE ? 0 : number(a[RTA_OIF]);

	if (h->rtm_dst_len != 0 || h->rtm_src_len != 0 || h->rtm_tos != 0 || a[RTA_GATEWAY] ||
	    a[RTA_MULTIPATH] || a[RTA_ENCAP])
		return false;
	for (size_t i = 0; i < s->n_wanted; i++) {
		struct route *w = &s->wanted[i];

		if (w->family != h->rtm_family || w->type != h->rtm_type ||
		    w->metric != number(a[RTA_PRIORITY]) || w->oif != oif)
			continue;
		w->seen = true;
		return true;
	}
	return false;
}

static void print_route(FILE *f, const struct rtmsg *h, struct nlattr **a)
{
	fprintf(f, "%s route table %d: ", h->rtm_family == AF_INET ? "ip" : "ip -6",
		IPSPD_ROUTE_TABLE);
	if (h->rtm_type == RTN_BLACKHOLE)
		fputs("blackhole default\n", f);
	else
		fprintf(f, "default dev %u\n", number(a[RTA_OIF]));
}

static int take_route(struct nl_msg *m, void *arg)
{
	struct survey *s = (struct survey *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(m);
	struct nlattr *a[RTA_MAX + 1];
	const struct rtmsg *h = (const struct rtmsg *)nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(nlh, sizeof(*h), a, RTA_MAX, NULL) < 0 ||
	    (a[RTA_TABLE] ? number(a[RTA_TABLE]) : h->rtm_table) != IPSPD_ROUTE_TABLE ||
	    (h->rtm_flags & RTM_F_CLONED))
		return NL_OK;
	if (s->print) {
		print_route(s->print, h, a);
		return NL_OK;
	}
	if (is_wanted(s, h, a) || s->n_foreign == FOREIGN_MAX)
		return NL_OK;
	struct nl_msg *request = nlmsg_alloc_simple(RTM_DELROUTE, 0);
	if (request && nlmsg_append(request, nlmsg_data(nlh), (size_t)nlmsg_datalen(nlh),
				    NLMSG_ALIGNTO) == 0)
		s->foreign[s->n_foreign++] = request;
	else
		nlmsg_free(request);	/* the next round has it again */
	return NL_OK;
}

static int dump(struct nl_sock *sk, int family, struct survey *s)
{
	struct rtmsg h = { .rtm_family = (unsigned char)family };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);

	if (!m || nlmsg_append(m, &h, sizeof(h), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, RTA_TABLE, IPSPD_ROUTE_TABLE) < 0) {
		nlmsg_free(m);
		return -NLE_NOMEM;
	}
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, take_route, s);
	int err = nl_send_auto(sk, m);
	err = err < 0 ? err : nl_recvmsgs_default(sk);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	nlmsg_free(m);
	/* A table without routes need not exist. */
	return err == -NLE_OBJ_NOTFOUND || family_is_absent(family, err) ? 0 : err;
}

static int dump_both(struct nl_sock *sk, struct survey *s)
{
	int err = dump(sk, AF_INET, s);

	return err < 0 ? err : dump(sk, AF_INET6, s);
}

/* ---- one look and what follows from it ---- */

static struct nl_msg *make_request(const struct route *r)
{
	const struct rtmsg h = {
		.rtm_family = (unsigned char)r->family, .rtm_type = r->type,
		.rtm_table = RT_TABLE_UNSPEC, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = r->family == AF_INET && r->oif ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
	};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);

	if (m && (nlmsg_append(m, (void *)(uintptr_t)&h, sizeof(h), NLMSG_ALIGNTO) < 0 ||
		  nla_put_u32(m, RTA_TABLE, IPSPD_ROUTE_TABLE) < 0 ||
		  nla_put_u32(m, RTA_PRIORITY, r->metric) < 0 ||
		  (r->oif && nla_put_u32(m, RTA_OIF, r->oif) < 0))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* @return 1: added; 0: cannot be, and need not; -errno */
static int add_route(struct nl_sock *sk, const struct route *r, const char **why)
{
	struct nl_msg *m = make_request(r);
	int err = m ? nl_send_sync(sk, m) : -NLE_NOMEM;

	if (err >= 0 || err == -NLE_EXIST)
		return 1;
	/* A TUN that is down, or has IPv6 switched off: then the blackhole stands, and nothing leaks. */
	if (err != -NLE_NOMEM && (r->oif || family_is_absent(r->family, err)))
		return 0;
	return fail(why, "ip route blackhole", err);
}

static int change_routes(struct nl_sock *sk, struct survey *s, struct guard_changes *changes,
			 const char **why)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		int rc = s->wanted[i].seen ? 0 : add_route(sk, &s->wanted[i], why);

		if (rc < 0)
			return rc;
		changes->routes_missing += (unsigned)rc;
	}
	while (s->n_foreign > 0) {
		int err = nl_send_sync(sk, s->foreign[--s->n_foreign]);

		if (err == 0)
			changes->routes_foreign++;
	}
	return 0;
}

static int apply_routes(struct nl_sock *sk, const struct guard_view *v,
			struct guard_changes *changes, const char **why)
{
	int rc = 0;
	bool all = false;

	for (unsigned round = 0; rc == 0 && !all && round < ROUNDS_MAX; round++) {
		struct survey s = { .n_wanted = 0 };

		if (v)
			want_all(&s, v);
		int err = dump_both(sk, &s);
		if (err < 0 && err != -NLE_DUMP_INTR)
			rc = fail(why, "ip route", err);
		all = err == 0 && s.n_foreign < FOREIGN_MAX;
		if (rc == 0 && err == 0)
			rc = change_routes(sk, &s, changes, why);
		while (s.n_foreign > 0)
			nlmsg_free(s.foreign[--s.n_foreign]);
	}
	return rc;
}

int guard_route_apply(const struct guard_view *v, struct guard_changes *changes, const char **why)
{
	struct nl_sock *sk = open_rtnl(why);

	if (!sk)
		return -EIO;
	int rc = apply_routes(sk, v, changes, why);
	if (rc == 0)
		rc = guard_rules_apply(sk, v, changes, why);
	nl_socket_free(sk);
	return rc;
}

int guard_route_remove(const char **why)
{
	struct guard_changes changes = { .table = false };
	struct nl_sock *sk = open_rtnl(why);

	if (!sk)
		return -EIO;
	/* Rules first: one without its routes would let the next rule decide. */
	int rc = guard_rules_apply(sk, NULL, &changes, why);
	if (rc == 0)
		rc = apply_routes(sk, NULL, &changes, why);
	nl_socket_free(sk);
	return rc;
}

char *guard_route_show(void)
{
	const char *why;
	char *text = NULL;
	size_t size = 0;
	struct nl_sock *sk = open_rtnl(&why);
	FILE *f = open_memstream(&text, &size);
	struct survey s = { .print = f };
	bool good = sk && f && guard_rules_print(sk, f) == 0 && dump_both(sk, &s) == 0;

	if (sk)
		nl_socket_free(sk);
	if (f && fclose(f) != 0)
		good = false;
	if (!good) {
		free(text);
		return NULL;
	}
	return text;
}
