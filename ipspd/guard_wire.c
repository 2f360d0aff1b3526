/* ipspd/guard_wire.c - ip rules that forbid forwarding between the interfaces of a bump in the wire. */
#include "config.h"

#include "ipspd/guard_wire.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ipspd/marks.h"

static const int families[] = { AF_INET, AF_INET6 };
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

static int fail(const char **why, int err)
{
	static char said[120];

	snprintf(said, sizeof(said), "ip rule of a bump in the wire: %s", nl_geterror(err));
	*why = said;
	return err == -NLE_NOMEM ? -ENOMEM : -EIO;
}

static int add_rule(struct nl_sock *sk, int family, const char *iif, unsigned *changed)
{
	struct rtnl_rule *r = rtnl_rule_alloc();

	if (!r)
		return -NLE_NOMEM;
	rtnl_rule_set_family(r, family);
	rtnl_rule_set_prio(r, IPSPD_RULE_PREF_WIRE);
	rtnl_rule_set_action(r, FR_ACT_BLACKHOLE);
	int err = rtnl_rule_set_iif(r, iif);
	if (err == 0)
		err = rtnl_rule_add(sk, r, NLM_F_EXCL);
	rtnl_rule_put(r);
	*changed += err == 0;
	/* Without IPv6 in this kernel there is nothing of it to forward. */
	if (family == AF_INET6 && (err == -NLE_AF_NOSUPPORT || err == -NLE_OPNOTSUPP))
		return 0;
	return err == -NLE_EXIST ? 0 : err;
}

static bool is_wanted(struct rtnl_rule *r, const char *red, const char *black)
{
	const char *iif = rtnl_rule_get_iif(r);

	return red && iif && (strcmp(iif, red) == 0 || strcmp(iif, black) == 0);
}

static int remove_others(struct nl_sock *sk, const char *red, const char *black, unsigned *changed)
{
	struct nl_cache *have;
	int err = rtnl_rule_alloc_cache(sk, AF_UNSPEC, &have);

	if (err < 0)
		return err;
	for (struct nl_object *o = nl_cache_get_first(have); o && err == 0;
	     o = nl_cache_get_next(o)) {
		struct rtnl_rule *r = (struct rtnl_rule *)o;

		if (rtnl_rule_get_prio(r) != IPSPD_RULE_PREF_WIRE || is_wanted(r, red, black))
			continue;
		err = rtnl_rule_delete(sk, r, 0);
		*changed += err == 0;
		if (err == -NLE_OBJ_NOTFOUND)
			err = 0;
	}
	nl_cache_free(have);
	return err;
}

int guard_wire_apply(const char *red, const char *black, unsigned *changed, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();
	int err = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	*changed = 0;
	for (size_t i = 0; err == 0 && red && i < N_FAMILIES; i++) {
		err = add_rule(sk, families[i], red, changed);
		if (err == 0)
			err = add_rule(sk, families[i], black, changed);
	}
	if (err == 0)
		err = remove_others(sk, red, black, changed);
	nl_socket_free(sk);
	return err < 0 ? fail(why, err) : 0;
}
