/*
 * ipspd/guard_rules.c - the guard's ip rules: one list of what is wanted, one of what is there.
 *
 *   26990  fwmark bypass           lookup main      what the engine has let pass, and its own
 *   26991  iif TUN                 lookup main      what it has decapsulated
 *   26992  from SRC to DST         lookup 26992     what the engine must see
 *
 * The preferences are ours alone: whatever else stands there is taken away. A rule that is ours but
 * for one more condition is not ours, or it would stand in for the one that was deleted.
 */
#include "config.h"

#include "ipspd/guard_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipspd/marks.h"

#define ROUNDS_MAX 8

/** One rule, as far as ours say anything. Compared and sorted octet by octet: no holes inside. */
struct rule {
	uint32_t pref;
	uint32_t family;	/* AF_INET, AF_INET6 */
	uint32_t action;	/* FR_ACT_* */
	uint32_t table;
	uint32_t mark, mask;
	char iif[IFNAMSIZ];
	uint8_t src[16], dst[16];
	uint32_t src_len, dst_len;
};

/** What is there, compared with what is wanted as it comes. */
struct survey {
	const struct rule *wanted;	/* sorted */
	bool *seen;			/* of wanted */
	size_t n_wanted;
	struct nl_msg **unwanted;	/* requests that delete it */
	size_t n_unwanted, room;
	bool no_memory;
};

static int cmp_rules(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rule));
}

/* ---- what is wanted ---- */

static struct rule lookup(int family, uint32_t pref, uint32_t table)
{
	struct rule r;

	memset(&r, 0, sizeof(r));
	r.pref = pref;
	r.family = (uint32_t)family;
	r.action = FR_ACT_TO_TBL;
	r.table = table;
	return r;
}

static void set_pair(struct rule *r, const struct guard_pair *p)
{
	size_t size = ipsp_addr_size(p->family);

	memcpy(r->src, p->src.octets, size);
	memcpy(r->dst, p->dst.octets, size);
	r->src_len = p->src_len;
	r->dst_len = p->dst_len;
}

static int family_of(const struct guard_pair *p)
{
	return p->family == 4 ? AF_INET : AF_INET6;
}

/* @return how many; *out is the caller's to free; NULL: no memory */
static size_t list_wanted(const struct guard_view *v, struct rule **out)
{
	static const int families[] = { AF_INET, AF_INET6 };
	size_t n = 0, room = 4 + v->steered.n;
	struct rule *rules = (struct rule *)calloc(room, sizeof(*rules));

	*out = rules;
	if (!rules)
		return 0;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		rules[n] = lookup(families[i], IPSPD_RULE_PREF_BYPASS, RT_TABLE_MAIN);
		rules[n].mark = IPSPD_MARK_BYPASS;
		rules[n++].mask = IPSPD_MARK_MASK;
		if (!v->tun_ifindex)
			continue;
		rules[n] = lookup(families[i], IPSPD_RULE_PREF_TUN, RT_TABLE_MAIN);
		snprintf(rules[n++].iif, IFNAMSIZ, "%s", v->tun_name);
	}
	for (size_t i = 0; i < v->steered.n; i++) {
		const struct guard_pair *p = &v->steered.items[i];

		rules[n] = lookup(family_of(p), IPSPD_RULE_PREF_STEER, IPSPD_ROUTE_TABLE);
		set_pair(&rules[n++], p);
	}
	qsort(rules, n, sizeof(*rules), cmp_rules);
	return n;
}

/* ---- what is there ---- */

static bool is_our_preference(uint32_t pref)
{
	return pref == IPSPD_RULE_PREF_BYPASS || pref == IPSPD_RULE_PREF_TUN ||
	       pref == IPSPD_RULE_PREF_STEER;
}

static uint32_t number(struct nlattr *a)
{
	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

/* Conditions and effects that no rule of ours has. What a later kernel may add is not known here. */
static bool asks_for_more(const struct fib_rule_hdr *h, struct nlattr **a)
{
	static const int others[] = { FRA_GOTO, FRA_FLOW, FRA_TUN_ID, FRA_SUPPRESS_IFGROUP,
				      FRA_OIFNAME, FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO,
				      FRA_SPORT_RANGE, FRA_DPORT_RANGE };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (a[others[i]])
			return true;
	}
	return h->tos != 0 || (h->flags & FIB_RULE_INVERT) ||
	       (a[FRA_SUPPRESS_PREFIXLEN] && number(a[FRA_SUPPRESS_PREFIXLEN]) != UINT32_MAX);
}

static void read_prefix(struct nlattr *a, unsigned len, uint8_t to[16], uint32_t *to_len)
{
	if (!a || nla_len(a) > 16)
		return;
	memcpy(to, nla_data(a), (size_t)nla_len(a));
	*to_len = len;
}

/* @return false: no rule of IPv4 or IPv6, or not at a preference of ours */
static bool read_rule(struct nlmsghdr *nlh, struct rule *r, bool *strange)
{
	struct nlattr *a[FRA_DPORT_RANGE + 1];
	const struct fib_rule_hdr *h = (const struct fib_rule_hdr *)nlmsg_data(nlh);

	memset(r, 0, sizeof(*r));
	if (nlh->nlmsg_type != RTM_NEWRULE || !nlmsg_valid_hdr(nlh, sizeof(*h)) ||
	    nlmsg_parse(nlh, sizeof(*h), a, FRA_DPORT_RANGE, NULL) < 0)
		return false;
	r->pref = number(a[FRA_PRIORITY]);
	r->family = h->family;
	if (!is_our_preference(r->pref) || (h->family != AF_INET && h->family != AF_INET6))
		return false;
	r->action = h->action;
	r->table = a[FRA_TABLE] ? number(a[FRA_TABLE]) : h->table;
	r->mark = number(a[FRA_FWMARK]);
	r->mask = number(a[FRA_FWMASK]);
	if (a[FRA_IIFNAME])
		nla_strlcpy(r->iif, a[FRA_IIFNAME], IFNAMSIZ);
	read_prefix(a[FRA_SRC], h->src_len, r->src, &r->src_len);
	read_prefix(a[FRA_DST], h->dst_len, r->dst, &r->dst_len);
	*strange = asks_for_more(h, a);
	return true;
}

static bool remember_unwanted(struct survey *s, struct nlmsghdr *nlh)
{
	if (s->n_unwanted == s->room) {
		size_t room = s->room ? s->room * 2 : 16;
		struct nl_msg **grown = (struct nl_msg **)reallocarray(s->unwanted, room,
								       sizeof(*grown));

		if (!grown)
			return false;
		s->unwanted = grown;
		s->room = room;
	}
	/* Everything it says, so that the kernel finds no other one. */
	struct nl_msg *m = nlmsg_alloc_simple(RTM_DELRULE, 0);
	if (!m || nlmsg_append(m, nlmsg_data(nlh), (size_t)nlmsg_datalen(nlh), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return false;
	}
	s->unwanted[s->n_unwanted++] = m;
	return true;
}

static int take_rule(struct nl_msg *m, void *arg)
{
	struct survey *s = (struct survey *)arg;
	struct nlmsghdr *nlh = nlmsg_hdr(m);
	struct rule r;
	bool strange;

	if (!read_rule(nlh, &r, &strange))
		return NL_OK;
	const struct rule *w = s->n_wanted && !strange ?
				       (const struct rule *)bsearch(&r, s->wanted, s->n_wanted,
								    sizeof(r), cmp_rules) : NULL;
	if (w && !s->seen[w - s->wanted])
		s->seen[w - s->wanted] = true;
	else if (!remember_unwanted(s, nlh))
		s->no_memory = true;
	return NL_OK;
}

/* ---- one look and what follows from it ---- */

static char said[160];	/* what went wrong last, for *why */

static int fail(const char **why, int nlerr)
{
	snprintf(said, sizeof(said), "ip rule: %s", nl_geterror(nlerr));
	*why = said;
	return nlerr == -NLE_NOMEM ? -ENOMEM : -EIO;
}

static int dump(struct nl_sock *sk, int (*take)(struct nl_msg *m, void *arg), void *arg)
{
	struct fib_rule_hdr all = { .family = AF_UNSPEC };

	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, take, arg);
	int err = nl_send_simple(sk, RTM_GETRULE, NLM_F_DUMP, &all, sizeof(all));
	err = err < 0 ? err : nl_recvmsgs_default(sk);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return err;
}

static struct nl_msg *make_request(const struct rule *r)
{
	const struct fib_rule_hdr h = {
		.family = (uint8_t)r->family, .action = (uint8_t)r->action,
		.src_len = (uint8_t)r->src_len, .dst_len = (uint8_t)r->dst_len,
	};
	int size = r->family == AF_INET ? 4 : 16;
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);

	if (!m)
		return NULL;
	bool good = nlmsg_append(m, (void *)(uintptr_t)&h, sizeof(h), NLMSG_ALIGNTO) == 0 &&
		    nla_put_u32(m, FRA_PRIORITY, r->pref) == 0 &&
		    nla_put_u32(m, FRA_TABLE, r->table) == 0 &&
		    (!r->mask || (nla_put_u32(m, FRA_FWMARK, r->mark) == 0 &&
				  nla_put_u32(m, FRA_FWMASK, r->mask) == 0)) &&
		    (!r->iif[0] || nla_put_string(m, FRA_IIFNAME, r->iif) == 0) &&
		    /* Length 0 is not given: the kernel takes it for an address. */
		    (!r->src_len || nla_put(m, FRA_SRC, size, r->src) == 0) &&
		    (!r->dst_len || nla_put(m, FRA_DST, size, r->dst) == 0);
	if (!good) {
		nlmsg_free(m);
		m = NULL;
	}
	return m;
}

static int add_rule(struct nl_sock *sk, const struct rule *r, const char **why)
{
	struct nl_msg *m = make_request(r);
	int err = m ? nl_send_sync(sk, m) : -NLE_NOMEM;

	/* Without IPv6 in this kernel there are no IPv6 packets to guard against. */
	if (r->family == AF_INET6 && (err == -NLE_AF_NOSUPPORT || err == -NLE_OPNOTSUPP))
		return 0;
	return err < 0 && err != -NLE_EXIST ? fail(why, err) : 1;
}

static int add_missing(struct nl_sock *sk, const struct survey *s, unsigned *added,
		       const char **why)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		int rc = s->seen[i] ? 0 : add_rule(sk, &s->wanted[i], why);

		if (rc < 0)
			return rc;
		*added += (unsigned)rc;
	}
	return 0;
}

static int remove_unwanted(struct nl_sock *sk, struct survey *s, unsigned *removed,
			   const char **why)
{
	while (s->n_unwanted > 0) {
		int err = nl_send_sync(sk, s->unwanted[--s->n_unwanted]);

		if (err < 0 && err != -NLE_OBJ_NOTFOUND)
			return fail(why, err);
		++*removed;
	}
	return 0;
}

static void survey_fini(struct survey *s)
{
	while (s->n_unwanted > 0)
		nlmsg_free(s->unwanted[--s->n_unwanted]);
	free(s->unwanted);
	free(s->seen);
}

/* One look, and what it asks for. @return how much was changed, or -errno */
static int one_round(struct nl_sock *sk, const struct rule *wanted, size_t n,
		     struct guard_changes *changes, const char **why)
{
	struct survey s = { .wanted = wanted, .n_wanted = n,
			    .seen = (bool *)calloc(n + 1, sizeof(bool)) };
	unsigned added = 0, removed = 0;
	int err = s.seen ? dump(sk, take_rule, &s) : -NLE_NOMEM;
	int rc = err == -NLE_DUMP_INTR ? 1 : err < 0 ? fail(why, err) : 0;

	if (rc == 0 && s.no_memory)
		rc = fail(why, -NLE_NOMEM);
	if (rc == 0)
		rc = add_missing(sk, &s, &added, why);
	if (rc == 0)
		rc = remove_unwanted(sk, &s, &removed, why);
	survey_fini(&s);
	changes->rules_missing += added;
	changes->rules_foreign += removed;
	return rc != 0 ? rc : (int)(added + removed);
}

int guard_rules_apply(struct nl_sock *sk, const struct guard_view *v,
		      struct guard_changes *changes, const char **why)
{
	struct rule *wanted = NULL;
	size_t n = v ? list_wanted(v, &wanted) : 0;

	if (v && !wanted)
		return fail(why, -NLE_NOMEM);
	int rc = 1;
	/* The kernel may take another rule for the one to delete: what is there is looked at again. */
	for (unsigned i = 0; rc > 0 && i < ROUNDS_MAX; i++)
		rc = one_round(sk, wanted, n, changes, why);
	free(wanted);
	return rc > 0 ? 0 : rc;
}

/* ---- for people ---- */

static void print_prefix(FILE *f, const char *word, const struct rule *r, const uint8_t *octets,
			 uint32_t len)
{
	struct ipsp_addr a = { .family = r->family == AF_INET ? 4 : 6 };
	char text[IPSP_ADDR_TEXT];

	memcpy(a.octets, octets, sizeof(a.octets));
	fprintf(f, " %s %s/%" PRIu32, word, ipsp_addr_print(&a, text), len);
}

static int print_rule(struct nl_msg *m, void *arg)
{
	FILE *f = (FILE *)arg;
	struct rule r;
	bool strange;

	if (!read_rule(nlmsg_hdr(m), &r, &strange))
		return NL_OK;
	fprintf(f, "%s rule %" PRIu32 ":", r.family == AF_INET ? "ip" : "ip -6", r.pref);
	if (r.mask)
		fprintf(f, " fwmark 0x%" PRIx32 "/0x%" PRIx32, r.mark, r.mask);
	if (r.iif[0])
		fprintf(f, " iif %s", r.iif);
	if (!r.mask && r.pref != IPSPD_RULE_PREF_TUN) {
		print_prefix(f, "from", &r, r.src, r.src_len);
		print_prefix(f, "to", &r, r.dst, r.dst_len);
	}
	if (r.action == FR_ACT_TO_TBL && r.table == RT_TABLE_MAIN)
		fputs(" lookup main\n", f);
	else if (r.action == FR_ACT_TO_TBL)
		fprintf(f, " lookup %" PRIu32 "\n", r.table);
	else
		fputs(" (not ours)\n", f);
	return NL_OK;
}

int guard_rules_print(struct nl_sock *sk, FILE *f)
{
	return dump(sk, print_rule, f) < 0 ? -EIO : 0;
}
