/*
 * ipsp-pcap/process.c - frames through the engine. RFC 4302, 4303; RFC 3948 for ESP in UDP.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ipsp-pcap/link.h"
#include "ipsp-pcap/process.h"
#include "ipsp/udp_encap.h"

#define PROTO_UDP 17
#define IP_MAX (65535u + 40u)
#define LINK_MAX 65536u		/* a radiotap or PPI header counts its octets in 16 bits */
#define HEADROOM (IPSP_HEADROOM + IPSP_UDP_HEADER)
#define ROOM (LINK_MAX + HEADROOM + IP_MAX + IPSP_TAILROOM)

struct pc_processor {
	enum ipsp_dir dir;
	int dlt;
	struct pc_world *world;
	struct pc_counts *counts;
	uint64_t now_s;		/* the latest time that a frame has had */
	uint8_t room[ROOM];
};

/* What a step of decapsulation found. */
enum step {
	STEP_TAKEN,	/* a layer less */
	STEP_END,	/* nothing to take away: pass says why */
	STEP_DROP,	/* refused: packet->reason */
	STEP_HELD,	/* a fragment: others must come */
};

struct pc_processor *pc_processor_new(enum ipsp_dir dir, int dlt, struct pc_world *world,
				      struct pc_counts *counts)
{
	struct pc_processor *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->dir = dir;
	p->dlt = dlt;
	p->world = world;
	p->counts = counts;
	return p;
}

void pc_processor_free(struct pc_processor *p)
{
	free(p);
}

static struct ipsp_span span_of(const struct ipsp_packet *packet)
{
	return (struct ipsp_span){ packet->data, packet->len };
}

static bool is_udp_encap(const struct ipsp_flow *flow)
{
	return flow->proto_known && flow->proto == PROTO_UDP && flow->frag == IPSP_FRAG_NONE &&
	       (flow->sport == IPSP_UDP_PORT || flow->dport == IPSP_UDP_PORT);
}

static bool is_ipsec(const struct ipsp_flow *flow)
{
	return flow->proto_known &&
	       (flow->proto == IPSP_PROTO_ESP || flow->proto == IPSP_PROTO_AH);
}

/* Where the SPI of ESP stands, in UDP or not, or of AH; else *pass. RFC 4303 2, RFC 4302 2. */
static bool find_spi(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     uint32_t *at, enum pc_pass *pass)
{
	*pass = PC_PASS_OTHER;
	*at = flow->l4_offset;
	if (is_ipsec(flow)) {
		*at += flow->proto == IPSP_PROTO_AH ? 4 : 0;
		return true;
	}
	if (is_udp_encap(flow)) {
		*at += IPSP_UDP_HEADER;
		switch (ipsp_udp_kind(span_of(packet), flow)) {
		case IPSP_UDP_ESP:
			return true;
		case IPSP_UDP_KEEPALIVE:
			*pass = PC_PASS_KEEPALIVE;
			break;
		case IPSP_UDP_IKE:
			*pass = PC_PASS_IKE;
			break;
		default:
			break;
		}
	}
	return false;
}

/* The SA of a packet that is whole, or begins. */
static bool find_sa(struct pc_processor *p, const struct ipsp_packet *packet,
		    const struct ipsp_flow *flow, uint32_t *ifindex, enum pc_pass *pass)
{
	uint32_t at;

	if (!find_spi(packet, flow, &at, pass))
		return false;
	*pass = PC_PASS_NO_SA;
	return at <= flow->total_len && flow->total_len - at >= 4 &&
	       pc_world_find(p->world, flow->proto == IPSP_PROTO_AH ? IPSP_PROTO_AH : IPSP_PROTO_ESP,
			     be32dec(packet->data + at), &flow->dst, ifindex);
}

/* A fragment: of an SA that is known, or of a datagram whose first one was. On STEP_TAKEN it is whole. */
static enum step join(struct pc_processor *p, struct ipsp_packet *packet, struct ipsp_flow *flow,
		      enum pc_pass *pass)
{
	enum ipsp_reason reason = IPSP_REASON_NONE;
	uint32_t ifindex;

	*pass = PC_PASS_FRAGMENT;
	if (flow->frag == IPSP_FRAG_LATER ? !pc_world_has(p->world, flow, p->now_s) :
					    !find_sa(p, packet, flow, &ifindex, pass))
		return STEP_END;
	switch (pc_world_join(p->world, packet, flow, p->now_s, &reason)) {
	case IPSP_REASSEMBLY_HELD:
		return STEP_HELD;
	case IPSP_REASSEMBLY_WHOLE:
		p->counts->joined++;
		reason = ipsp_flow_parse(span_of(packet), flow);
		break;
	default:
		break;
	}
	packet->reason = (uint8_t)reason;
	return reason == IPSP_REASON_NONE ? STEP_TAKEN : STEP_DROP;
}

static enum step take_layer(struct pc_processor *p, struct ipsp_packet *packet,
			    enum pc_pass *pass)
{
	struct ipsp_flow flow;
	enum step step;
	uint32_t ifindex;

	*pass = PC_PASS_UNREADABLE;
	if (ipsp_flow_parse(span_of(packet), &flow) != IPSP_REASON_NONE)
		return STEP_END;
	if (flow.frag != IPSP_FRAG_NONE && is_ipsec(&flow)) {
		step = join(p, packet, &flow, pass);
		if (step != STEP_TAKEN)
			return step;
	}
	if (!find_sa(p, packet, &flow, &ifindex, pass))
		return STEP_END;
	if (flow.proto == PROTO_UDP)
		ipsp_udp_strip(packet, &flow);
	pc_world_process(p->world, packet, ifindex);
	return packet->verdict == IPSP_VERDICT_DELIVER ? STEP_TAKEN : STEP_DROP;
}

static enum pc_outcome dropped(struct pc_processor *p, enum ipsp_reason reason)
{
	p->counts->dropped[reason]++;
	return PC_DROPPED;
}

static enum pc_outcome passed(struct pc_processor *p, enum pc_pass pass)
{
	p->counts->passed[pass]++;
	return PC_UNCHANGED;
}

/* Layer by layer, until no SA is known, or it is deep enough for anything honest. */
static enum pc_outcome decap(struct pc_processor *p, struct ipsp_packet *packet, uint32_t *layers)
{
	enum pc_pass pass = PC_PASS_OTHER;
	enum step step = STEP_TAKEN;

	while (step == STEP_TAKEN && *layers < PC_DEPTH_MAX) {
		step = take_layer(p, packet, &pass);
		if (step == STEP_TAKEN)
			(*layers)++;
	}
	if (step == STEP_HELD) {
		p->counts->held++;
		return PC_HELD;
	}
	if (step == STEP_DROP)
		return dropped(p, (enum ipsp_reason)packet->reason);
	return *layers > 0 ? PC_CHANGED : passed(p, pass);
}

static enum pc_outcome encap(struct pc_processor *p, struct ipsp_packet *packet, uint32_t *layers)
{
	const struct pc_secret *secret;
	enum ipsp_reason reason = IPSP_REASON_NONE;
	struct ipsp_flow flow;

	if (ipsp_flow_parse(span_of(packet), &flow) != IPSP_REASON_NONE)
		return passed(p, PC_PASS_UNREADABLE);
	pc_world_process(p->world, packet, 0);
	if (packet->verdict == IPSP_VERDICT_BYPASS)
		return passed(p, PC_PASS_OTHER);
	if (packet->verdict != IPSP_VERDICT_ESP_OUT)
		return dropped(p, (enum ipsp_reason)packet->reason);
	secret = pc_world_secret(p->world, packet->sa);
	if (secret->udp) {
		reason = ipsp_flow_parse(span_of(packet), &flow);
		if (reason == IPSP_REASON_NONE)
			reason = ipsp_udp_wrap(packet, &flow, secret->udp_sport,
					       secret->udp_dport);
	}
	if (reason != IPSP_REASON_NONE)
		return dropped(p, reason);
	*layers = 1;
	return PC_CHANGED;
}

/* The link header before the packet that came out. */
static bool put_link(const struct pc_frame *in, const struct pc_link_view *view,
		     const struct ipsp_packet *packet, struct pc_frame *out)
{
	uint8_t *header = packet->data - view->ip_at;

	memcpy(header, in->data, view->ip_at);
	if (!pc_link_fit(view, header, packet->data[0] >> 4, packet->len))
		return false;
	*out = *in;
	out->data = header;
	out->caplen = out->len = view->ip_at + packet->len;
	return true;
}

enum pc_outcome pc_process(struct pc_processor *p, const struct pc_frame *in,
			   struct pc_frame *out)
{
	struct ipsp_packet packet = {
		.room = p->room + LINK_MAX, .room_len = ROOM - LINK_MAX,
		.data = p->room + LINK_MAX + HEADROOM,
	};
	struct pc_link_view view;
	enum pc_outcome outcome;
	uint32_t layers = 0;

	*out = *in;
	if (in->time_s > 0 && (uint64_t)in->time_s > p->now_s)
		p->now_s = (uint64_t)in->time_s;
	if (in->caplen < in->len)
		return passed(p, PC_PASS_TRUNCATED);
	switch (pc_link_parse(p->dlt, (struct ipsp_span){ in->data, in->caplen }, &view)) {
	case PC_LINK_IP:
		break;
	case PC_LINK_SHORT:
		return passed(p, PC_PASS_SHORT);
	default:
		return passed(p, PC_PASS_LINK);
	}
	if (view.ip_at > LINK_MAX || in->caplen - view.ip_at > IP_MAX)
		return passed(p, PC_PASS_LARGE);
	packet.len = in->caplen - view.ip_at;
	memcpy(packet.data, in->data + view.ip_at, packet.len);
	outcome = p->dir == IPSP_INBOUND ? decap(p, &packet, &layers) :
					   encap(p, &packet, &layers);
	if (outcome != PC_CHANGED)
		return outcome;
	if (!put_link(in, &view, &packet, out))
		return passed(p, PC_PASS_LINK_FIT);
	p->counts->changed++;
	p->counts->layers += layers;
	return PC_CHANGED;
}
