/*
 * engine/template.c - templates against SAs and packets: see template.h.
 *
 * Innermost first, what an SA is made of is the packet, until one in tunnel mode: what goes into the
 * next is then from one end of that tunnel to the other.
 */
#include "engine/template.h"

/* The peer that a template is about, for this packet. */
static const struct ipsp_addr *peer_of(const struct ipsp_template *t, const struct ipsp_flow *flow,
				       enum ipsp_dir dir)
{
	if (t->remote.family)
		return &t->remote;
	return dir == IPSP_OUTBOUND ? &flow->dst : &flow->src;
}

/* What the SA before makes of a packet. */
static void enter_tunnel(const struct ipsp_addr *local, const struct ipsp_addr *remote,
			 struct ipsp_flow *flow)
{
	*flow = (struct ipsp_flow){ .family = remote->family, .src = *local, .dst = *remote };
}

/* Compression is agreed on with what stands around it, or left out there: RFC 7296 2.22. */
static bool is_left_to_peers(const struct ipsp_template *t)
{
	return t->proto == IPSP_PROTO_IPCOMP && t->level == IPSP_LEVEL_USE;
}

/* Where it is left out, what stands around it makes the tunnel. */
static bool owes_tunnel(const struct ipsp_template *t, uint8_t mode)
{
	return is_left_to_peers(t) && mode == IPSP_MODE_TUNNEL;
}

/* Whoever asked for it. */
static bool is_like(const struct ipsp_template *t, uint8_t mode, const struct ipsp_sa *sa)
{
	return t->proto == sa->proto && (sa->mode == mode || sa->mode == IPSP_MODE_ANY) &&
	       (t->local.family == 0 || ipsp_addr_cmp(&t->local, &sa->local) == 0) &&
	       (t->remote.family == 0 || ipsp_addr_cmp(&t->remote, &sa->remote) == 0);
}

/* Is the remote end of its tunnel whoever has such an SA? */
static bool is_for_anyone(const struct ipsp_template *t, uint8_t mode)
{
	return t->anyone && mode == IPSP_MODE_TUNNEL;
}

static bool fits(const struct ipsp_template *t, uint8_t mode, const struct ipsp_sa *sa)
{
	return t->reqid == sa->reqid && is_like(t, mode, sa);
}

/* IPComp protects nothing, and of several tunnels between two ends what is not compressed does not say which it was:
 * whose it is, what is around it says. */
static bool came_by(const struct ipsp_template *t, uint8_t mode, const struct ipsp_sa *sa)
{
	return t->proto == IPSP_PROTO_IPCOMP ? is_like(t, mode, sa) : fits(t, mode, sa);
}

/* The SA for one template. One inside may know which one is around it. */
static const struct ipsp_sa *find_one(const struct ipsp_sad *sad, const struct ipsp_template *t,
				      const struct ipsp_sa_query *q, const struct ipsp_sa *last,
				      uint64_t now_s)
{
	const struct ipsp_sa *sa;

	if (!last || last->next_id == 0)
		return ipsp_sad_find_traffic(sad, q, now_s);
	sa = ipsp_sad_find(sad, last->next_id);
	return sa && sa->dir == IPSP_OUTBOUND && fits(t, q->mode, sa) &&
			       ipsp_sa_usable(sa, now_s) == IPSP_REASON_NONE ? sa : NULL;
}

void ipsp_templates_find(const struct ipsp_sad *sad, const struct ipsp_template *templates,
			 uint32_t n, const struct ipsp_flow *flow, uint64_t now_s,
			 struct ipsp_negotiated *out)
{
	const struct ipsp_sa *last = NULL;
	uint8_t owed_pfp = 0;
	bool owed = false;
	struct ipsp_flow outer;

	out->n = 0;
	out->missing = 0;
	out->waits = false;
	out->unasked = false;
	for (uint32_t i = 0; i < n; i++) {
		const struct ipsp_template *t = &templates[i];
		struct ipsp_sa_query q = {
			.reqid = t->reqid, .proto = t->proto,
			.mode = owed ? IPSP_MODE_TUNNEL : t->mode,
			.pfp = flow == &outer ? 0 : t->pfp | owed_pfp, .local = t->local,
			.remote = *peer_of(t, flow, IPSP_OUTBOUND), .flow = flow,
		};
		const struct ipsp_sa *sa;

		if (is_for_anyone(t, q.mode))
			q.remote = (struct ipsp_addr){ 0 };
		sa = find_one(sad, t, &q, last, now_s);
		if (!sa) {
			if (n == 1 || !is_left_to_peers(t))
				out->missing |= (uint8_t)(1u << i);
			out->waits |= t->level != IPSP_LEVEL_USE;
			out->unasked |= t->anyone;
		} else {
			out->sas[out->n++] = sa;
			last = sa;
		}
		owed = !sa && owes_tunnel(t, q.mode);
		owed_pfp = owed ? q.pfp : 0;
		if (q.mode == IPSP_MODE_TUNNEL && (sa || t->level != IPSP_LEVEL_USE)) {
			const struct ipsp_addr peer = sa ? sa->remote : q.remote;

			enter_tunnel(sa ? &sa->local : &t->local, &peer, &outer);
			flow = &outer;
		}
	}
}

bool ipsp_templates_fit(const struct ipsp_spd_rule *rule, const struct ipsp_sa *const *sas,
			uint32_t n)
{
	bool owed = false;

	/* Templates are innermost first. */
	for (uint32_t i = 0; i < rule->n_templates; i++) {
		const struct ipsp_template *t = &rule->templates[i];
		const uint8_t mode = owed ? IPSP_MODE_TUNNEL : t->mode;

		owed = false;
		if (n > 0 && sas[n - 1]->origin == IPSP_ORIGIN_PFKEY && came_by(t, mode, sas[n - 1]))
			n--;
		else if (t->level != IPSP_LEVEL_USE && t->proto != IPSP_PROTO_IPCOMP)
			return false;
		else
			owed = owes_tunnel(t, mode);
	}
	return n == 0;
}

bool ipsp_templates_clear(const struct ipsp_sad *sad, const struct ipsp_spd_rule *rule,
			  enum ipsp_dir dir, const struct ipsp_flow *flow, uint64_t now_s)
{
	const struct ipsp_template *t = &rule->templates[0];
	const struct ipsp_sa_query q = {
		.reqid = t->reqid, .remote = *peer_of(t, flow, dir), .flow = flow,
	};

	return rule->clear_s > 0 && ipsp_sad_find_traffic(sad, &q, now_s) != NULL;
}
