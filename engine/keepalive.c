/*
 * engine/keepalive.c - which NAT keepalives are due. RFC 3948 4: when the SA has sent nothing else for
 * so long.
 */
#include "engine/nat.h"

struct round {
	uint64_t now_s;
	void (*send)(void *arg, const struct ipsp_flow *datagram);
	void *arg;
};

static bool is_due(const struct ipsp_sa *sa, uint64_t now_s)
{
	const uint64_t used = atomic_load_explicit(&sa->last_used_s, memory_order_relaxed);
	const uint64_t last = used > sa->keepalive_s ? used : sa->keepalive_s;

	return sa->dir == IPSP_OUTBOUND && ipsp_sa_in_udp(sa) && sa->encap.keepalive_s &&
	       sa->remote.family && ipsp_sa_usable(sa, now_s) == IPSP_REASON_NONE &&
	       now_s - last >= sa->encap.keepalive_s;
}

static void send_due(void *arg, struct ipsp_sa *sa)
{
	const struct round *r = arg;
	struct ipsp_flow datagram = {
		.family = sa->remote.family, .proto = 17, .proto_known = true, .ports_known = true,
		.src = sa->local, .dst = sa->remote,
		.sport = sa->encap.sport, .dport = sa->encap.dport,
	};

	uint16_t port;

	if (!is_due(sa, r->now_s))
		return;
	sa->keepalive_s = r->now_s;
	if (ipsp_peer_get(&sa->peer, sa->remote.family, &datagram.dst, &port))
		datagram.dport = port;
	r->send(r->arg, &datagram);
}

void ipsp_engine_keepalives(struct ipsp_engine *engine, uint64_t now_s,
			    void (*send)(void *arg, const struct ipsp_flow *datagram),
			    void *arg)
{
	struct round r = { now_s, send, arg };

	ipsp_sad_each_sender(engine->sad, send_due, &r);
}
