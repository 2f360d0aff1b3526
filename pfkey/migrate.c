/*
 * pfkey/migrate.c - MIGRATE: one end of a policy's tunnels has moved (MOBIKE, Mobile IPv6). As Linux
 * has it: the policy's transformations come in pairs, what was and what is, and their SAs move too.
 *
 * Ours alone: with an SA extension it is that one SA that moves, whosesoever policy it serves, in or out of UDP as
 * the message's NAT-T extensions say. So peers behind one NAT stay apart, which addresses would not tell. It may be
 * one in transport mode, as what stands around a tunnel of IPComp is.
 */
#include <errno.h>
#include <linux/ipsec.h>

#include "pfkey/algs.h"
#include "pfkey/policies.h"

static bool same(const struct ipsp_addr *a, const struct ipsp_addr *b)
{
	return ipsp_addr_cmp(a, b) == 0;
}

static bool is_pair(const struct pfkey_request *old, const struct pfkey_request *new)
{
	return old->src.family && new->src.family && old->proto == new->proto &&
	       old->mode == new->mode;
}

static bool is_pair_of_tunnels(const struct pfkey_request *old, const struct pfkey_request *new)
{
	return is_pair(old, new) && old->mode == IPSEC_MODE_TUNNEL;
}

static bool is_old(const struct pfkey_band_template *t, const struct pfkey_request *old)
{
	return t->tunnel && t->proto == old->proto && same(&t->src, &old->src) &&
	       same(&t->dst, &old->dst) && (old->reqid == 0 || old->reqid == t->reqid);
}

static uint8_t mode_of(const struct pfkey_request *r)
{
	return r->mode == IPSEC_MODE_TUNNEL ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT;
}

static bool is_theirs(const struct ipsp_sa *sa, const struct pfkey_request *old)
{
	const bool in = sa->dir == IPSP_INBOUND;

	return sa->origin == IPSP_ORIGIN_PFKEY && sa->proto == old->proto &&
	       sa->mode == mode_of(old) && (old->reqid == 0 || old->reqid == sa->reqid) &&
	       same(in ? &sa->remote : &sa->local, &old->src) &&
	       same(in ? &sa->local : &sa->remote, &old->dst);
}

/* Each that is between the old ends; the walk stands again behind one that was replaced. */
static void move_sas(struct pfkey_server *s, const struct pfkey_request *old,
		     const struct pfkey_request *new)
{
	struct ipsp_sad_cursor cursor;
	const struct ipsp_sa *sa;

	ipsp_sad_cursor_init(&cursor, ipsp_engine_sad(s->config.engine));
	while ((sa = ipsp_sad_cursor_next(&cursor))) {
		if (is_theirs(sa, old))
			(void)pfkey_sa_move(s, sa, &new->src, &new->dst, NULL);
	}
	ipsp_sad_cursor_fini(&cursor);
}

static int move_one(struct pfkey_client *c, const struct pfkey_msg *m)
{
	const struct pfkey_request *const old = &m->policy.requests[0], *const new = old + 1;
	struct pfkey_server *const s = c->server;
	const struct ipsp_sa_name name = { pfkey_proto_of(m->satype), m->sa.spi, m->dst.addr };
	const struct ipsp_sa *sa;
	int err;

	if (m->policy.n_requests != 2 || !is_pair(old, new) || old->proto != name.proto ||
	    !same(&old->src, &m->src.addr) || !same(&old->dst, &m->dst.addr))
		return EINVAL;
	sa = ipsp_engine_sa_get(s->config.engine, &name);
	if (!sa)
		return ESRCH;
	if (!is_theirs(sa, old))
		return EPERM;
	err = pfkey_sa_move(s, sa, &new->src, &new->dst, m);
	if (!err)
		pfkey_answer(c, PFKEY_TO_ALL, m,
			     PFKEY_HAS(SADB_EXT_SA) | PFKEY_HAS(SADB_EXT_ADDRESS_SRC) |
				     PFKEY_HAS(SADB_EXT_ADDRESS_DST));
	return err;
}

int pfkey_migrate(struct pfkey_client *c, const struct pfkey_msg *m)
{
	if (m->has & PFKEY_HAS(SADB_EXT_SA))
		return move_one(c, m);

	struct pfkey_server *s = c->server;
	const struct pfkey_policy *moves = &m->policy;
	struct ipsp_selector selector;
	struct pfkey_held *held;

	if (moves->n_requests == 0 || moves->n_requests % 2 != 0 ||
	    !pfkey_selector_of(&m->src, &m->dst, m->src.proto, &selector))
		return EINVAL;
	held = pfkey_policy_of(s->policies, moves->dir, &selector);
	if (!held)
		return ENOENT;
	struct pfkey_band_policy next = held->policy;

	for (unsigned i = 0; i < moves->n_requests; i += 2) {
		const struct pfkey_request *old = &moves->requests[i], *new = old + 1;

		if (!is_pair_of_tunnels(old, new))
			return EINVAL;
		for (unsigned k = 0; k < next.n_templates; k++) {
			if (!is_old(&held->policy.templates[k], old))
				continue;
			next.templates[k].src = new->src;
			next.templates[k].dst = new->dst;
		}
	}
	const int err = pfkey_policy_put(c, m, &next, true);

	for (unsigned i = 0; !err && i < moves->n_requests; i += 2)
		move_sas(s, &moves->requests[i], &moves->requests[i + 1]);
	return err;
}
