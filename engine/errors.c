/* engine/errors.c - ICMP errors: sent, let through, learned from. */
#include "engine/errors.h"
#include "engine/pmtu.h"

/* ---- sent ---- */

static bool may_send(struct ipsp_worker *worker, uint64_t now_s)
{
	struct ipsp_limiter *const l = &worker->errors;

	if (l->second != now_s) {
		l->second = now_s;
		l->used = 0;
	}
	if (l->used >= worker->engine->settings.icmp_per_s)
		return false;
	l->used++;
	return true;
}

/*
 * That it was too long for a path is said in the destination's name: the policy for answers is then
 * the policy for this one, and a device of its own address is not needed. Who counts hops wants ours.
 */
static const struct ipsp_addr *source_of(const struct ipsp_worker *worker,
					 const struct ipsp_packet *packet,
					 const struct ipsp_flow *flow, enum ipsp_icmp_error error,
					 struct ipsp_addr *ours)
{
	const struct ipsp_platform *p = worker->engine->config.platform;

	if (error == IPSP_ICMP_TOO_BIG || (packet->flags & IPSP_PKT_PASSING) || !p->local_addr ||
	    p->local_addr(p->ctx, &flow->src, ours) != IPSP_OK || ours->family != flow->family)
		return NULL;
	return ours;
}

void ipsp_drop_telling(struct ipsp_worker *worker, enum ipsp_dir dir, struct ipsp_packet *packet,
		       const struct ipsp_flow *flow, enum ipsp_reason reason,
		       enum ipsp_icmp_error error, uint32_t mtu, uint64_t now_s)
{
	struct ipsp_addr ours;
	const struct ipsp_addr *const source = source_of(worker, packet, flow, error, &ours);
	const bool told = may_send(worker, now_s) &&
			  ipsp_icmp_write(packet, flow, error, mtu, source);

	ipsp_count(&worker->icmp[!told ? IPSP_ICMP_NOT_SENT :
				 error == IPSP_ICMP_TOO_BIG ? IPSP_ICMP_SENT_TOO_BIG :
							      IPSP_ICMP_SENT_TIME], 1);
	ipsp_packet_done(worker, dir, packet, told ? IPSP_VERDICT_ERROR : IPSP_VERDICT_DROP,
			 reason);
}

/* ---- crossing ---- */

static bool may_ask_quote(const struct ipsp_worker *worker, const struct ipsp_spd_match *own)
{
	const uint8_t when = worker->engine->settings.icmp_by_quote;

	if (own->result == IPSP_SPD_DEFAULT)
		return when != IPSP_ICMP_QUOTE_NEVER;
	if (own->result != IPSP_SPD_RULE || when == IPSP_ICMP_QUOTE_NEVER)
		return false;
	return own->rule->action != IPSP_DISCARD || when == IPSP_ICMP_QUOTE_DISCARDED;
}

struct ipsp_spd_match ipsp_match_by_quote(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					  enum ipsp_dir dir, const struct ipsp_packet *packet,
					  const struct ipsp_flow *flow,
					  const struct ipsp_spd_match *own)
{
	struct ipsp_spd_match match;
	struct ipsp_icmp icmp;

	if (!may_ask_quote(worker, own) || !ipsp_icmp_read(packet, flow, &icmp) ||
	    ipsp_addr_cmp(&icmp.flow.src, &flow->dst) != 0)
		return *own;
	/* What answers the quoted packet goes the way that the error does. Of its octets nothing is
	 * known, so an entry that asks for more than selectors is in doubt. */
	ipsp_flow_reverse(&icmp.flow);
	match = ipsp_spd_lookup(spd, packet->ifindex, dir, &icmp.flow, NULL);
	if (match.result != IPSP_SPD_RULE || match.rule->action != IPSP_PROTECT)
		return *own;
	ipsp_count(&worker->icmp[IPSP_ICMP_BY_QUOTE], 1);
	return match;
}

enum ipsp_reason ipsp_judge_clear_error(struct ipsp_worker *worker, const struct ipsp_spd *spd,
					const struct ipsp_packet *packet,
					const struct ipsp_flow *flow, uint64_t now_s)
{
	struct ipsp_spd_match match;
	enum ipsp_path_heard heard;
	struct ipsp_icmp icmp;

	if (!ipsp_icmp_read(packet, flow, &icmp))
		return IPSP_REASON_NONE;
	heard = ipsp_path_hear(worker->engine, &icmp, now_s);
	if (heard != IPSP_PATH_NOT_OURS) {
		ipsp_count(&worker->icmp[heard == IPSP_PATH_LEARNED ? IPSP_ICMP_LEARNED :
								      IPSP_ICMP_IGNORED], 1);
		return IPSP_REASON_ICMP_CLEAR;
	}
	if (worker->engine->settings.icmp_clear)
		return IPSP_REASON_NONE;
	match = ipsp_spd_lookup(spd, packet->ifindex, IPSP_OUTBOUND, &icmp.flow, NULL);
	/* In doubt as well. */
	return match.rule && match.rule->action == IPSP_PROTECT ? IPSP_REASON_ICMP_CLEAR :
								  IPSP_REASON_NONE;
}

void ipsp_engine_icmp(struct ipsp_worker *worker, const struct ipsp_packet *packets, size_t n,
		      uint64_t now_s)
{
	const struct ipsp_spd *spd = ipsp_worker_enter(worker);

	for (size_t i = 0; spd && i < n; i++) {
		const struct ipsp_span span = { packets[i].data, packets[i].len };
		struct ipsp_flow flow;

		if (ipsp_packet_valid(&packets[i]) &&
		    ipsp_flow_parse(span, &flow) == IPSP_REASON_NONE)
			(void)ipsp_judge_clear_error(worker, spd, &packets[i], &flow, now_s);
	}
	ipsp_worker_leave(worker);
}
