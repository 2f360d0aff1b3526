/*
 * tests/fuzz/fuzz_fragments.c - packets, one behind the other (two octets of length, then that many):
 * fragments put together and followed, ICMP errors read and written, packets cut.
 *
 * What is put together is a packet that parses, within its room. What is cut comes together again as it
 * was. An error that is written can be read, and quotes the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/hosted.h"
#include "engine/frag.h"
#include "engine/icmp.h"
#include "ipsp/fragment.h"
#include "ipsp/reassemble.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (IPSP_HEADROOM + 65575u + IPSP_TAILROOM)
#define MTU 600u

static struct ipsp_platform platform;
static uint8_t room[ROOM];
static uint8_t fragment[MTU];

/* A packet alone in memory, so that whatever is read behind it is seen. */
static struct ipsp_packet place(const uint8_t *octets, uint32_t len)
{
	memcpy(room + 64, octets, len);
	return (struct ipsp_packet){ .room = room, .room_len = ROOM, .data = room + 64, .len = len };
}

static void put_together(struct ipsp_reassembly *r, struct ipsp_packet p,
			 const struct ipsp_flow *flow)
{
	enum ipsp_reason reason;
	struct ipsp_flow whole;

	switch (ipsp_reassemble(r, &p, flow, 1, &reason)) {
	case IPSP_REASSEMBLY_WHOLE:
		must(p.data >= room && p.data + p.len <= room + ROOM);
		if (ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &whole) ==
		    IPSP_REASON_NONE)
			must(whole.frag == IPSP_FRAG_NONE && whole.total_len == p.len);
		break;
	case IPSP_REASSEMBLY_DROP:
		must(reason != IPSP_REASON_NONE);
		break;
	default:
		must(reason == IPSP_REASON_NONE);
		break;
	}
}

static void follow(struct ipsp_frag_table *t, struct ipsp_flow flow)
{
	if (flow.frag == IPSP_FRAG_FIRST)
		(void)!ipsp_frag_first(t, &flow, IPSP_INBOUND, 1, 0, 1, 30);
	else if (ipsp_frag_follow(t, &flow, IPSP_INBOUND, 1, 0, 1, 30) == IPSP_FRAG_KNOWN)
		must(flow.ports_known && flow.proto_known);
}

static void tell(struct ipsp_packet p, const struct ipsp_flow *flow)
{
	const uint32_t len = p.len;
	struct ipsp_icmp icmp;
	struct ipsp_flow back;

	(void)ipsp_icmp_read(&p, flow, &icmp);
	if (!ipsp_icmp_write(&p, flow, IPSP_ICMP_TOO_BIG, 1400, NULL))
		return;
	must(p.data >= room && p.len <= 1280 && p.len > 28);
	must(ipsp_flow_parse((struct ipsp_span){ p.data, p.len }, &back) == IPSP_REASON_NONE);
	must(ipsp_addr_cmp(&back.dst, &flow->src) == 0);
	if (ipsp_icmp_read(&p, &back, &icmp))
		must(icmp.too_big && icmp.mtu == 1400 && icmp.quoted_len <= len);
}

static void cut(struct ipsp_reassembly *r, const uint8_t *octets, const struct ipsp_flow *flow)
{
	enum ipsp_reassembly_result result = IPSP_REASSEMBLY_HELD;
	enum ipsp_reason reason;
	struct ipsp_packet p = { 0 };
	struct ipsp_cutter c;
	uint32_t n;

	if (flow->frag != IPSP_FRAG_NONE || flow->total_len <= MTU ||
	    !ipsp_cut_begin(&c, octets, flow, MTU, 7))
		return;
	while ((n = ipsp_cut_next(&c, fragment)) > 0) {
		struct ipsp_flow f;

		must(n <= MTU);
		/* More headers than anyone keeps, or others of this id came before. */
		if (result != IPSP_REASSEMBLY_HELD)
			return;
		must(ipsp_flow_parse((struct ipsp_span){ fragment, n }, &f) == IPSP_REASON_NONE);
		p = place(fragment, n);
		result = ipsp_reassemble(r, &p, &f, 1, &reason);
	}
	if (result == IPSP_REASSEMBLY_WHOLE)
		must(p.len == flow->total_len &&
		     memcmp(p.data + flow->l4_offset, octets + flow->l4_offset,
			    p.len - flow->l4_offset) == 0);
}

static void take(struct ipsp_reassembly *r, struct ipsp_frag_table *t, const uint8_t *octets,
		 uint32_t len)
{
	struct ipsp_flow flow;

	if (ipsp_flow_parse((struct ipsp_span){ octets, len }, &flow) != IPSP_REASON_NONE)
		return;
	tell(place(octets, len), &flow);
	if (flow.frag != IPSP_FRAG_NONE) {
		follow(t, flow);
		put_together(r, place(octets, len), &flow);
	}
	cut(r, octets, &flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ipsp_frag_table table;
	struct ipsp_reassembly *r;

	ipsp_platform_hosted(&platform, NULL);
	memset(&table, 0, sizeof(table));
	must(ipsp_reassembly_new(&platform, 4, 60, &r) == IPSP_OK);
	while (size > 2) {
		const size_t said = (size_t)data[0] << 8 | data[1];
		const size_t len = said < size - 2 ? said : size - 2;
		uint8_t *const copy = malloc(len ? len : 1);

		memcpy(copy, data + 2, len);
		take(r, &table, copy, (uint32_t)len);
		free(copy);
		data += 2 + len;
		size -= 2 + len;
	}
	ipsp_reassembly_free(&platform, r);
	return 0;
}
