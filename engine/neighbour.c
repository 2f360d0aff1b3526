/* engine/neighbour.c - Neighbour Discovery passes: see neighbour.h. */
#include "engine/icmp.h"
#include "engine/neighbour.h"

enum { FIRST = 133, LAST = 137, HOPS = 255 };

/* Whole, so that nothing else is hidden behind it. */
bool ipsp_is_neighbour_discovery(const struct ipsp_packet *packet, const struct ipsp_flow *flow)
{
	if (flow->family != 6 || !ipsp_flow_is_icmp(flow) || flow->ttl != HOPS ||
	    flow->l4_offset >= flow->total_len)
		return false;
	return packet->data[flow->l4_offset] >= FIRST && packet->data[flow->l4_offset] <= LAST;
}

struct ipsp_spd_match ipsp_neighbour_match(const struct ipsp_worker *worker,
					   const struct ipsp_spd *spd, enum ipsp_dir dir,
					   const struct ipsp_packet *packet,
					   const struct ipsp_flow *flow,
					   const struct ipsp_spd_match *own)
{
	const struct ipsp_spd_seen seen = {
		.packet = { packet->data, packet->len }, .wall_s = worker->wall_s,
	};
	struct ipsp_spd_match match = { .result = IPSP_SPD_NO_POLICY };
	struct ipsp_spd_iter it;
	bool sure = true;

	if (!own->rule || !ipsp_is_neighbour_discovery(packet, flow) ||
	    !ipsp_spd_iter_init(&it, spd, packet->ifindex, dir, flow, &seen))
		return *own;
	do
		match.rule = ipsp_spd_iter_next(&it, &sure);
	while (match.rule && !ipsp_spd_rule_names(match.rule, flow));
	if (match.rule)
		match.result = sure ? IPSP_SPD_RULE : IPSP_SPD_FRAGMENT;
	return match;
}
