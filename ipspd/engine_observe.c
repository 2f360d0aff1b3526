/*
 * ipspd/engine_observe.c - what the guard logs: packets that the kernel decided without the engine.
 *
 * Tells the agent of each packet of the kernel's packet log as of those the engine itself logs. The
 * rate is the guard's matter (ipspd/guard_nft.c).
 */
#include "config.h"

#include <string.h>

#include "ipsp/flow.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define DATAGRAMS_A_TURN 16

/* ---- the packet ---- */

/*
 * The kernel gives the first octets of a packet. Its own length is made to say what stands here, so
 * that it reads as a whole one; a length that is impossible stays.
 */
static void shorten(uint8_t *p, size_t len)
{
	if (len >= 20 && p[0] >> 4 == 4 && (size_t)(p[2] << 8 | p[3]) > len) {
		p[2] = (uint8_t)(len >> 8);
		p[3] = (uint8_t)len;
	} else if (len >= 40 && p[0] >> 4 == 6 && (size_t)(p[4] << 8 | p[5]) > len - 40) {
		p[4] = (uint8_t)((len - 40) >> 8);
		p[5] = (uint8_t)(len - 40);
	}
}

/* What the fixed header alone says, for packets whose headers go on behind what is here. */
static bool read_fixed_header(const uint8_t *p, size_t len, struct ipsp_flow *f)
{
	const uint8_t version = len > 0 ? p[0] >> 4 : 0;

	if (!(version == 4 && len >= 20) && !(version == 6 && len >= 40))
		return false;
	*f = (struct ipsp_flow){
		.family = version, .proto = p[version == 4 ? 9 : 6], .ttl = p[version == 4 ? 8 : 7],
		.src.family = version, .dst.family = version,
	};
	const size_t size = ipsp_addr_size(version);

	memcpy(f->src.octets, p + (version == 4 ? 12 : 8), size);
	memcpy(f->dst.octets, p + (version == 4 ? 16 : 24), size);
	return true;
}

/* @return false: not even an IP header */
static bool read_flow(const uint8_t *data, size_t len, struct ipsp_flow *f)
{
	uint8_t packet[IPSPD_LOG_COPY];

	if (len > sizeof(packet))
		len = sizeof(packet);
	if (len > 0)
		memcpy(packet, data, len);
	shorten(packet, len);
	return ipsp_flow_parse((struct ipsp_span){ packet, len }, f) == IPSP_REASON_NONE ||
	       read_fixed_header(packet, len, f);
}

/* ---- the message ---- */

/* -1: none */
static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1f 0": id and action of the entry. */
static bool read_prefix(const char *text, uint64_t *id, uint8_t *action)
{
	size_t n = 0;

	*id = 0;
	for (; hex_value(text[n]) >= 0; n++) {
		if (n == 16)
			return false;
		*id = *id << 4 | (uint64_t)hex_value(text[n]);
	}
	if (*id == 0 || text[n] != ' ' || text[n + 1] < '0' || text[n + 1] > '2' ||
	    text[n + 2] != '\0')
		return false;
	*action = (uint8_t)(text[n + 1] - '0');
	return true;
}

/* As the engine reports its own: what became of the packet, and why. */
static void set_outcome(struct wire_event *e, uint8_t action)
{
	static const uint16_t reasons[] = {
		[IPSP_DISCARD] = IPSP_REASON_POLICY_DISCARD,
		[IPSP_BYPASS] = IPSP_REASON_NONE,
		[IPSP_PROTECT] = IPSP_REASON_POLICY_CLEAR,
	};

	e->action = action == IPSP_BYPASS ? IPSP_BYPASS : IPSP_DISCARD;
	e->reason = reasons[action];
}

/* @return false: malformed, nothing was reported */
static bool take_packet(void *arg, const struct logged_packet *p)
{
	struct wire_event e = { .kind = WIRE_EVENT_PACKET, .dir = p->dir, .ifindex = p->ifindex };
	struct ipsp_flow flow;
	uint8_t action;

	if (!read_prefix(p->prefix, &e.id, &action))
		return false;
	set_outcome(&e, action);
	const bool known = read_flow(p->data, p->len, &flow);

	engine_report_packet(arg, &e, known ? &flow : NULL);
	return true;
}

static const struct packet_log_use use = {
	.take = take_packet,
	.datagrams_a_turn = DATAGRAMS_A_TURN,
	.end_priority = LOG_WARNING,
	.bad = "malformed messages in the kernel's packet log",
	.end = "the kernel's packet log has ended",
};

size_t engine_observe_datagram(struct engine_role *role, void *data, size_t len)
{
	return packet_log_datagram(&use, role, data, len);
}

int engine_observe_start(struct engine_role *role, int fd)
{
	return packet_log_start(&role->observe, &use, role, role->base, fd);
}

void engine_observe_stop(struct engine_role *role)
{
	packet_log_stop(&role->observe);
}
