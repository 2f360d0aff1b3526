/* engine/nest.c - bundles around bundles: see nest.h. */
#include "engine/header.h"
#include "engine/nat.h"
#include "engine/nest.h"
#include "engine/pmtu.h"
#include "engine/tunnel.h"

static bool was_applied(const struct ipsp_applied *applied, const struct ipsp_bundle *bundle)
{
	for (uint32_t i = 0; i < applied->n; i++)
		for (uint32_t j = 0; j < bundle->n; j++)
			if (applied->sas[i]->id == bundle->sas[j]->id)
				return true;
	return false;
}

static bool leads_elsewhere(const struct ipsp_bundle *bundle, const struct ipsp_addr *dst)
{
	const struct ipsp_sa *sa = bundle->sas[0];

	return sa->mode == IPSP_MODE_TUNNEL && sa->remote.family != 0 &&
	       ipsp_addr_cmp(&sa->remote, dst) != 0;
}

static bool template_leads_elsewhere(const struct ipsp_spd_rule *rule, const struct ipsp_addr *dst)
{
	const struct ipsp_template *t = rule->templates;

	return rule->n_templates > 0 && t->mode == IPSP_MODE_TUNNEL && t->remote.family != 0 &&
	       ipsp_addr_cmp(&t->remote, dst) != 0;
}

enum ipsp_reason ipsp_nest_by(const struct ipsp_bundle_job *job, const struct ipsp_spd_match *match,
			      const struct ipsp_flow *flow, const struct ipsp_applied *applied,
			      struct ipsp_outcome *outcome, struct ipsp_bundle *next)
{
	const struct ipsp_spd_rule *rule = match->rule;

	next->n = 0;
	ipsp_rule_decide(job->worker, IPSP_OUTBOUND, rule, flow, job->now_s, outcome);
	if (outcome->action != IPSP_PROTECT)
		return IPSP_REASON_NONE;
	/* It is not held for SAs that are not there: its numbers would grow old. */
	if (outcome->waits)
		return template_leads_elsewhere(rule, &flow->dst) ? IPSP_REASON_POLICY_NO_SA :
								    IPSP_REASON_NONE;
	if (!ipsp_bundle_of(job->worker->engine->sad, rule, outcome, flow, job->now_s, next)) {
		next->n = 0;
		return IPSP_REASON_POLICY_NO_SA;
	}
	if (was_applied(applied, next) || !leads_elsewhere(next, &flow->dst))
		next->n = 0;
	return IPSP_REASON_NONE;
}

/* ---- is there anything around? ---- */

bool ipsp_nest_outside(const struct ipsp_worker *worker, const struct ipsp_sa *sa,
		       struct ipsp_flow *flow)
{
	const struct ipsp_flow inner = *flow;

	flow->proto = ipsp_nat_proto(sa);
	flow->proto_known = flow->ports_known = true;
	flow->sport = ipsp_sa_in_udp(sa) ? sa->encap.sport : IPSP_PORT_NONE;
	flow->dport = ipsp_sa_in_udp(sa) ? sa->encap.dport : IPSP_PORT_NONE;
	if (sa->mode == IPSP_MODE_TUNNEL) {
		if (ipsp_tunnel_ends(worker->engine->config.platform, sa, &inner, &flow->src,
				     &flow->dst) != IPSP_REASON_NONE)
			return false;
		ipsp_nat_dst(sa, &flow->dst);
		flow->family = flow->dst.family;
		flow->flow_label = flow->family == 4 ? 0 :
				   sa->flow_label == IPSP_FLOW_COPY ? inner.flow_label :
								      sa->flow_label;
		flow->dscp = sa->dscp_set ? sa->dscp : inner.dscp;
		flow->frag = IPSP_FRAG_NONE;
		flow->df = ipsp_tunnel_df(sa, &inner);
		flow->esp_offset = ipsp_outer_len(flow->family);
	}
	flow->total_len = ipsp_path_outer(sa, flow->family, flow->esp_offset, inner.total_len);
	return true;
}

static bool cache_knows(const struct ipsp_nest_cache *cache, const struct ipsp_sa *sa,
			const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	if (cache->sa != sa || cache->ifindex != packet->ifindex || cache->dscp != flow->dscp)
		return false;
	/* The ends of such a tunnel are its own. */
	if (sa->mode == IPSP_MODE_TUNNEL && sa->remote.family != 0 &&
	    sa->flow_label != IPSP_FLOW_COPY)
		return true;
	return cache->flow_label == flow->flow_label &&
	       ipsp_addr_cmp(&cache->src, &flow->src) == 0 &&
	       ipsp_addr_cmp(&cache->dst, &flow->dst) == 0;
}

/* An entry that names one SA: one that is there, and leads nowhere else, puts nothing around. */
static bool rule_may_nest(const struct ipsp_worker *worker, const struct ipsp_spd_rule *rule,
			  const struct ipsp_sa *sa, const struct ipsp_addr *dst)
{
	struct ipsp_bundle bundle;

	if (rule->n_steps > 0)
		return true;
	if (rule->action != IPSP_PROTECT || rule->sa_id == sa->id)
		return false;
	return rule->n_templates > 0 ||
	       !ipsp_bundle_find(worker->engine->sad, rule->sa_id, IPSP_OUTBOUND, &bundle) ||
	       leads_elsewhere(&bundle, dst);
}

bool ipsp_nest_possible(const struct ipsp_worker *worker, const struct ipsp_spd *spd,
			const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			const struct ipsp_sa *sa, struct ipsp_nest_cache *cache)
{
	struct ipsp_spd_match match;
	struct ipsp_flow outside = *flow;

	if (packet->flags & IPSP_PKT_ONE_BUNDLE)
		return false;
	if (cache_knows(cache, sa, packet, flow))
		return cache->nested;
	if (!ipsp_nest_outside(worker, sa, &outside))
		return false;
	match = ipsp_spd_lookup(spd, packet->ifindex, IPSP_OUTBOUND, &outside, NULL);
	*cache = (struct ipsp_nest_cache){
		.sa = sa, .ifindex = packet->ifindex, .dscp = flow->dscp, .src = flow->src,
		.dst = flow->dst, .flow_label = flow->flow_label,
		.nested = match.result == IPSP_SPD_FRAGMENT ||
			  (match.result == IPSP_SPD_RULE &&
			   rule_may_nest(worker, match.rule, sa, &outside.dst)),
	};
	return cache->nested;
}
