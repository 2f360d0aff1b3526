/*
 * ipsp-pcap/process.c - frames through the engine. RFC 4303; RFC 3948 for ESP in UDP.
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
	uint8_t room[ROOM];
};

/* What a step of decapsulation found. */
enum step {
	STEP_TAKEN,	/* a layer less */
	STEP_END,	/* nothing to take away: pass says why */
	STEP_DROP,	/* refused: packet->reason */
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

/* Where ESP begins, in UDP or not; else *pass. */
static bool find_esp(const struct ipsp_packet *packet, const struct ipsp_flow *flow,
		     uint32_t *at, enum pc_pass *pass)
{
	*pass = PC_PASS_OTHER;
	*at = flow->l4_offset;
	if (flow->proto_known && flow->proto == IPSP_PROTO_ESP) {
		if (flow->frag != IPSP_FRAG_NONE)
			*pass = PC_PASS_FRAGMENT;
		else
			return true;
	} else if (is_udp_encap(flow)) {
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

static enum step take_layer(struct pc_processor *p, struct ipsp_packet *packet,
			    enum pc_pass *pass)
{
	struct ipsp_flow flow;
	uint32_t at, ifindex;

	*pass = PC_PASS_UNREADABLE;
	if (ipsp_flow_parse(span_of(packet), &flow) != IPSP_REASON_NONE ||
	    !find_esp(packet, &flow, &at, pass))
		return STEP_END;
	*pass = PC_PASS_NO_SA;
	if (flow.total_len - at < 4 ||
	    !pc_world_find(p->world, be32dec(packet->data + at), &flow.dst, &ifindex))
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
