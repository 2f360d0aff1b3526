/*
 * ipspd/guard_route.c - the steering half of the guard: ip rules and one route table.
 *
 *   26990  fwmark bypass           lookup main      what the engine has let pass, and its own
 *   26991  iif TUN                 lookup main      what it has decapsulated
 *   26992  from SRC to DST         lookup 26992     what it must see: default dev TUN,
 *                                                   and behind that: blackhole default
 *
 * With the TUN gone its route goes too, and the blackhole is what is left. Changes are made as a
 * difference, new rules first, so that there is no moment without one of them. Touches only rules
 * with our preferences and tables, and our table's routes.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipspd/marks.h"

#define TUN_METRIC 1

static const int families[] = { AF_INET, AF_INET6 };

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
	return sk;
}

/* ---- one rule ---- */

static struct nl_addr *make_addr(int family, const struct ipsp_addr *a, unsigned len)
{
	struct nl_addr *addr = nl_addr_build(family, a->octets, family == AF_INET ? 4 : 16);

	if (addr)
		nl_addr_set_prefixlen(addr, (int)len);
	return addr;
}

static struct rtnl_rule *make_rule(int family, uint32_t pref, uint32_t table)
{
	struct rtnl_rule *r = rtnl_rule_alloc();

	if (!r)
		return NULL;
	rtnl_rule_set_family(r, family);
	rtnl_rule_set_prio(r, pref);
	rtnl_rule_set_table(r, table);
	rtnl_rule_set_action(r, FR_ACT_TO_TBL);
	return r;
}

static struct rtnl_rule *make_bypass_rule(int family)
{
	struct rtnl_rule *r = make_rule(family, IPSPD_RULE_PREF_BYPASS, RT_TABLE_MAIN);

	if (r) {
		rtnl_rule_set_mark(r, IPSPD_MARK_BYPASS);
		rtnl_rule_set_mask(r, IPSPD_MARK_MASK);
	}
	return r;
}

static struct rtnl_rule *make_tun_rule(int family, const char *tun)
{
	struct rtnl_rule *r = make_rule(family, IPSPD_RULE_PREF_TUN, RT_TABLE_MAIN);

	if (r && rtnl_rule_set_iif(r, tun) < 0) {
		rtnl_rule_put(r);
		return NULL;
	}
	return r;
}

static struct rtnl_rule *make_steer_rule(const struct guard_pair *p)
{
	int family = p->family == 4 ? AF_INET : AF_INET6;
	struct rtnl_rule *r = make_rule(family, IPSPD_RULE_PREF_STEER, IPSPD_ROUTE_TABLE);
	struct nl_addr *src = make_addr(family, &p->src, p->src_len);
	struct nl_addr *dst = make_addr(family, &p->dst, p->dst_len);
	bool good = r && src && dst;

	/* Length 0 is not given: the kernel takes it for an address. */
	if (good && p->src_len > 0)
		good = rtnl_rule_set_src(r, src) == 0;
	if (good && p->dst_len > 0)
		good = rtnl_rule_set_dst(r, dst) == 0;
	if (src)
		nl_addr_put(src);
	if (dst)
		nl_addr_put(dst);
	if (!good && r) {
		rtnl_rule_put(r);
		r = NULL;
	}
	return r;
}

/* ---- what is there ---- */

static bool is_ours(struct rtnl_rule *r)
{
	uint32_t pref = rtnl_rule_get_prio(r), table = rtnl_rule_get_table(r);

	return (pref == IPSPD_RULE_PREF_STEER && table == IPSPD_ROUTE_TABLE) ||
	       (pref == IPSPD_RULE_PREF_BYPASS && table == RT_TABLE_MAIN) ||
	       (pref == IPSPD_RULE_PREF_TUN && table == RT_TABLE_MAIN);
}

static void read_prefix(struct nl_addr *from, uint8_t family, struct ipsp_addr *to, uint8_t *len)
{
	to->family = family;
	*len = 0;
	if (!from || nl_addr_get_len(from) != ipsp_addr_size(family))
		return;
	memcpy(to->octets, nl_addr_get_binary_addr(from), ipsp_addr_size(family));
	*len = (uint8_t)nl_addr_get_prefixlen(from);
}

static struct guard_pair read_pair(struct rtnl_rule *r)
{
	struct guard_pair p = { .family = rtnl_rule_get_family(r) == AF_INET ? 4 : 6 };

	read_prefix(rtnl_rule_get_src(r), p.family, &p.src, &p.src_len);
	read_prefix(rtnl_rule_get_dst(r), p.family, &p.dst, &p.dst_len);
	return p;
}

static int cmp_pairs(const void *a, const void *b)
{
	return guard_pair_cmp((const struct guard_pair *)a, (const struct guard_pair *)b);
}

static bool is_steered(const struct guard_view *v, const struct guard_pair *p)
{
	return v->steered.n > 0 && bsearch(p, v->steered.items, v->steered.n, sizeof(*p),
					   cmp_pairs) != NULL;
}

/* Does v ask for this rule of ours? */
static bool is_wanted(const struct guard_view *v, struct rtnl_rule *r)
{
	switch (rtnl_rule_get_prio(r)) {
	case IPSPD_RULE_PREF_BYPASS:
		return rtnl_rule_get_mark(r) == IPSPD_MARK_BYPASS &&
		       rtnl_rule_get_mask(r) == IPSPD_MARK_MASK;
	case IPSPD_RULE_PREF_TUN: {
		const char *iif = rtnl_rule_get_iif(r);

		return v->tun_ifindex && iif && strcmp(iif, v->tun_name) == 0;
	}
	default: {
		struct guard_pair p = read_pair(r);

		return is_steered(v, &p);
	}
	}
}

/* ---- rules ---- */

static int add_rule(struct nl_sock *sk, struct rtnl_rule *r, int family, const char **why)
{
	if (!r) {
		*why = "ip rule: no memory";
		return -ENOMEM;
	}
	int err = rtnl_rule_add(sk, r, NLM_F_EXCL);
	rtnl_rule_put(r);
	if (err < 0 && err != -NLE_EXIST && !family_is_absent(family, err))
		return fail(why, "ip rule", err);
	return 0;
}

static int add_missing(struct nl_sock *sk, const struct guard_view *v, struct nl_cache *have,
		       const char **why)
{
	struct guard_pairs there = { NULL, 0, 0 };
	int rc = 0;

	/* What is there is looked up by address, not by one question to the kernel for each. */
	there.items = (struct guard_pair *)calloc((size_t)nl_cache_nitems(have) + 1,
						  sizeof(*there.items));
	if (!there.items) {
		*why = "ip rule: no memory";
		return -ENOMEM;
	}
	for (struct nl_object *o = nl_cache_get_first(have); o; o = nl_cache_get_next(o)) {
		struct rtnl_rule *r = (struct rtnl_rule *)o;

		if (is_ours(r) && rtnl_rule_get_prio(r) == IPSPD_RULE_PREF_STEER)
			there.items[there.n++] = read_pair(r);
	}
	if (there.n > 0)
		qsort(there.items, there.n, sizeof(*there.items), cmp_pairs);
	for (size_t i = 0; rc == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
		rc = add_rule(sk, make_bypass_rule(families[i]), families[i], why);
		if (rc == 0 && v->tun_ifindex)
			rc = add_rule(sk, make_tun_rule(families[i], v->tun_name), families[i],
				      why);
	}
	for (size_t i = 0; rc == 0 && i < v->steered.n; i++) {
		const struct guard_pair *p = &v->steered.items[i];

		if (there.n > 0 && bsearch(p, there.items, there.n, sizeof(*p), cmp_pairs))
			continue;
		rc = add_rule(sk, make_steer_rule(p), p->family == 4 ? AF_INET : AF_INET6, why);
	}
	guard_pairs_fini(&there);
	return rc;
}

/* v NULL: all of ours. */
static int remove_unwanted(struct nl_sock *sk, const struct guard_view *v, struct nl_cache *have,
			   const char **why)
{
	for (struct nl_object *o = nl_cache_get_first(have); o; o = nl_cache_get_next(o)) {
		struct rtnl_rule *r = (struct rtnl_rule *)o;

		if (!is_ours(r) || (v && is_wanted(v, r)))
			continue;
		int err = rtnl_rule_delete(sk, r, 0);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND)
			return fail(why, "ip rule", err);
	}
	return 0;
}

/* ---- routes ---- */

static struct rtnl_route *make_route(int family, uint8_t type, uint32_t metric)
{
	static const uint8_t zero[16];
	struct rtnl_route *r = rtnl_route_alloc();
	struct nl_addr *all = nl_addr_build(family, zero, family == AF_INET ? 4 : 16);

	if (!r || !all) {
		if (r)
			rtnl_route_put(r);
		if (all)
			nl_addr_put(all);
		return NULL;
	}
	nl_addr_set_prefixlen(all, 0);
	rtnl_route_set_family(r, (uint8_t)family);
	rtnl_route_set_dst(r, all);
	nl_addr_put(all);
	rtnl_route_set_table(r, IPSPD_ROUTE_TABLE);
	rtnl_route_set_type(r, type);
	rtnl_route_set_priority(r, metric);
	rtnl_route_set_protocol(r, RTPROT_STATIC);
	return r;
}

static struct rtnl_route *make_blackhole(int family)
{
	return make_route(family, RTN_BLACKHOLE, IPSPD_BLACKHOLE_METRIC);
}

static struct rtnl_route *make_tun_route(int family, uint32_t ifindex)
{
	struct rtnl_route *r = make_route(family, RTN_UNICAST, TUN_METRIC);
	struct rtnl_nexthop *nh = rtnl_route_nh_alloc();

	if (!r || !nh) {
		if (r)
			rtnl_route_put(r);
		if (nh)
			rtnl_route_nh_free(nh);
		return NULL;
	}
	rtnl_route_set_scope(r, family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
	rtnl_route_nh_set_ifindex(nh, (int)ifindex);
	rtnl_route_add_nexthop(r, nh);
	return r;
}

static int add_route(struct nl_sock *sk, struct rtnl_route *r, int family, const char *what,
		     const char **why)
{
	if (!r) {
		*why = "ip route: no memory";
		return -ENOMEM;
	}
	int err = rtnl_route_add(sk, r, NLM_F_REPLACE);
	rtnl_route_put(r);
	if (err < 0 && !family_is_absent(family, err))
		return fail(why, what, err);
	return 0;
}

/* The blackhole first: the table is never without a route. */
static int add_routes(struct nl_sock *sk, const struct guard_view *v, const char **why)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(families) / sizeof(families[0]); i++)
		rc = add_route(sk, make_blackhole(families[i]), families[i],
			       "ip route blackhole", why);
	if (rc == 0 && v->tun_ifindex)
		rc = add_route(sk, make_tun_route(AF_INET, v->tun_ifindex), AF_INET,
			       "ip route default dev TUN", why);
	/* IPv6 may be switched off on the device: then the blackhole stands, and nothing leaks. */
	if (rc == 0 && v->tun_ifindex)
		(void)add_route(sk, make_tun_route(AF_INET6, v->tun_ifindex), AF_INET6,
				"ip -6 route default dev TUN", why);
	return rc;
}

int guard_route_apply(const struct guard_view *v, const char **why)
{
	struct nl_cache *have = NULL;
	struct nl_sock *sk = open_rtnl(why);

	if (!sk)
		return -EIO;
	int rc = add_routes(sk, v, why);
	if (rc == 0) {
		int err = rtnl_rule_alloc_cache(sk, AF_UNSPEC, &have);

		if (err < 0)
			rc = fail(why, "ip rule", err);
	}
	if (rc == 0)
		rc = add_missing(sk, v, have, why);
	if (rc == 0)
		rc = remove_unwanted(sk, v, have, why);
	if (have)
		nl_cache_free(have);
	nl_socket_free(sk);
	return rc;
}

static void delete_route(struct nl_sock *sk, struct rtnl_route *r)
{
	if (!r)
		return;
	/* Not there is as good as deleted. */
	(void)rtnl_route_delete(sk, r, 0);
	rtnl_route_put(r);
}

int guard_route_remove(const char **why)
{
	struct nl_cache *have = NULL;
	struct nl_sock *sk = open_rtnl(why);

	if (!sk)
		return -EIO;
	int err = rtnl_rule_alloc_cache(sk, AF_UNSPEC, &have);
	int rc = err < 0 ? fail(why, "ip rule", err) : remove_unwanted(sk, NULL, have, why);

	for (size_t i = 0; rc == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
		delete_route(sk, make_route(families[i], RTN_UNICAST, TUN_METRIC));
		delete_route(sk, make_blackhole(families[i]));
	}
	if (have)
		nl_cache_free(have);
	nl_socket_free(sk);
	return rc;
}

static void print_rule(FILE *f, struct rtnl_rule *r)
{
	const char *ip = rtnl_rule_get_family(r) == AF_INET ? "ip" : "ip -6";
	char a[IPSP_ADDR_TEXT], b[IPSP_ADDR_TEXT];

	fprintf(f, "%s rule %" PRIu32 ":", ip, rtnl_rule_get_prio(r));
	switch (rtnl_rule_get_prio(r)) {
	case IPSPD_RULE_PREF_BYPASS:
		fprintf(f, " fwmark 0x%x/0x%x lookup main\n", rtnl_rule_get_mark(r),
			rtnl_rule_get_mask(r));
		break;
	case IPSPD_RULE_PREF_TUN:
		fprintf(f, " iif %s lookup main\n", rtnl_rule_get_iif(r));
		break;
	default: {
		struct guard_pair p = read_pair(r);

		fprintf(f, " from %s/%u to %s/%u lookup %d\n", ipsp_addr_print(&p.src, a),
			p.src_len, ipsp_addr_print(&p.dst, b), p.dst_len, IPSPD_ROUTE_TABLE);
	}
	}
}

static void print_route(FILE *f, struct rtnl_route *r)
{
	const char *ip = rtnl_route_get_family(r) == AF_INET ? "ip" : "ip -6";

	if (rtnl_route_get_table(r) != IPSPD_ROUTE_TABLE)
		return;
	if (rtnl_route_get_type(r) == RTN_BLACKHOLE) {
		fprintf(f, "%s route table %d: blackhole default\n", ip, IPSPD_ROUTE_TABLE);
		return;
	}
	struct rtnl_nexthop *nh = rtnl_route_nexthop_n(r, 0);
	fprintf(f, "%s route table %d: default dev %d\n", ip, IPSPD_ROUTE_TABLE,
		nh ? rtnl_route_nh_get_ifindex(nh) : 0);
}

char *guard_route_show(void)
{
	const char *why;
	char *text = NULL;
	size_t size = 0;
	struct nl_cache *rules = NULL, *routes = NULL;
	struct nl_sock *sk = open_rtnl(&why);
	FILE *f = open_memstream(&text, &size);

	if (sk && f && rtnl_rule_alloc_cache(sk, AF_UNSPEC, &rules) == 0 &&
	    rtnl_route_alloc_cache(sk, AF_UNSPEC, 0, &routes) == 0) {
		for (struct nl_object *o = nl_cache_get_first(rules); o; o = nl_cache_get_next(o)) {
			if (is_ours((struct rtnl_rule *)o))
				print_rule(f, (struct rtnl_rule *)o);
		}
		for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o))
			print_route(f, (struct rtnl_route *)o);
	}
	bool good = routes != NULL;
	if (rules)
		nl_cache_free(rules);
	if (routes)
		nl_cache_free(routes);
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
