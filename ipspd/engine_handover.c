/*
 * ipspd/engine_handover.c - packets that the guard cannot judge itself: what an entry with a predicate
 * may match.
 *
 * The kernel drops such a packet and gives us a whole copy by its packet log (nfnetlink_log), of a
 * group of its own. The copy is judged like any other packet; what passes goes on where the packet
 * was: into the TUN, or out by its interface, in both cases past the guard. A copy that is lost is
 * a packet that is dropped, and counted.
 *
 * A copy is not quite the packet that was on the wire: the kernel may have put several TCP segments
 * together, and a sender on this machine leaves the checksum to its device.
 */
#include "config.h"

#include <string.h>

#include "engine/header.h"
#include "engine/segment.h"
#include "ipsp/flow.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define DATAGRAMS_A_TURN 64
#define WHOLE_MAX 1500u		/* a TCP packet above this was put together from several */
#define SEGMENT_LEN 1280u	/* what is cut again fits every link that IPv6 may use, RFC 8200 5 */
#define PROTO_TCP 6
#define PROTO_UDP 17

/* One packet as handed over. */
struct handed {
	enum ipsp_dir dir;
	uint32_t ifindex;
	bool own;		/* of IKE, ESP or AH, and for this machine */
	const uint8_t *data;
	size_t len;
	struct ipsp_flow flow;
};

/* ---- checksums ---- */

static uint32_t sum_octets(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

/* The sum of the pseudo header alone: what a sender writes who leaves the rest to its device. */
static uint16_t pseudo_sum(const struct ipsp_flow *f)
{
	const size_t size = ipsp_addr_size(f->family);
	uint32_t sum = f->proto + (f->total_len - f->l4_offset);

	sum = sum_octets(f->src.octets, size, sum);
	sum = sum_octets(f->dst.octets, size, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A wrong checksum stays wrong: only one that nobody has finished is finished. */
static void finish_checksum(uint8_t *p, const struct ipsp_flow *f)
{
	const uint32_t place = f->proto == PROTO_TCP ? 16 : f->proto == PROTO_UDP ? 6 : 0;

	if (!f->proto_known || f->frag != IPSP_FRAG_NONE || !place ||
	    f->l4_offset + place + 2 > f->total_len)
		return;
	const uint8_t *at = p + f->l4_offset + place;

	if ((uint16_t)(at[0] << 8 | at[1]) == pseudo_sum(f))
		(void)ipsp_checksum_finish(p, f->total_len, f->l4_offset, place);
}

/* ---- judgement and what follows ---- */

static void judge(struct engine_worker *w, const struct handed *h, size_t n)
{
	const uint64_t now_s = engine_now_s();

	ipsp_worker_set_wall_clock(w->core, engine_wall_s());
	ipsp_worker_begin(w->core);
	if (!h->own && h->dir == IPSP_OUTBOUND) {
		engine_worker_outbound(w, w->packets, n, now_s);
		ipsp_worker_end(w->core);
		return;
	}
	if (h->own)
		ipsp_engine_own(w->core, w->packets, n, now_s);
	else
		ipsp_engine_inbound(w->core, w->packets, n, now_s);
	/* Nobody but us delivers it: the kernel has dropped the packet itself. */
	for (size_t i = 0; h->dir == IPSP_INBOUND && i < n; i++) {
		if (w->packets[i].verdict == IPSP_VERDICT_BYPASS)
			w->packets[i].verdict = IPSP_VERDICT_DELIVER;
	}
	w->io->ops->write(w->io, h->dir, w->packets, n);
	ipsp_worker_end(w->core);
}

static uint8_t *room_for(struct engine_worker *w, size_t i, const struct handed *h)
{
	struct ipsp_packet *const p = &w->packets[i];

	*p = (struct ipsp_packet){
		.room = p->room, .room_len = p->room_len, .data = p->room + IPSP_HEADROOM,
		.ifindex = h->ifindex,
		/* ESP was taken out by the guard where it is ours; and what ends a list lets
		 * Neighbour Discovery pass. */
		.flags = IPSP_PKT_TRANSIT | IPSP_PKT_PASSING,
	};
	return p->data;
}

/* @return false: not cut, the packet is none that was put together */
static bool judge_segments(struct engine_worker *w, const struct handed *h)
{
	const struct ipsp_flow *f = &h->flow;
	struct ipsp_segmenter s;
	size_t n = 0;

	if (!f->proto_known || f->proto != PROTO_TCP || f->frag != IPSP_FRAG_NONE ||
	    f->total_len <= WHOLE_MAX || f->l4_offset + 20 > f->total_len)
		return false;
	const uint32_t headers = f->l4_offset + (uint32_t)(h->data[f->l4_offset + 12] >> 4) * 4;

	if (headers + 8 > SEGMENT_LEN ||
	    !ipsp_segment_begin(&s, IPSP_SEGMENT_TCP, h->data, f->total_len, f->l4_offset,
				SEGMENT_LEN - headers))
		return false;
	for (uint32_t len;;) {
		len = ipsp_segment_next(&s, room_for(w, n, h), IO_PACKET_MAX);
		if (len == 0)
			break;
		w->packets[n++].len = len;
		if (n == IO_BATCH) {
			judge(w, h, n);
			n = 0;
		}
	}
	judge(w, h, n);
	return true;
}

static void take(struct engine_worker *w, struct handed *h)
{
	const struct ipsp_span span = { h->data, h->len };

	if (!w->role->has_policy) {
		io_count(&w->io->stats.drops[IO_REASON_NOT_READY], 1);
		return;
	}
	io_count(&w->io->stats.packets_in[h->dir - 1], 1);
	const bool known = ipsp_flow_parse(span, &h->flow) == IPSP_REASON_NONE;

	if (known && judge_segments(w, h))
		return;
	memcpy(room_for(w, 0, h), h->data, h->len);
	w->packets[0].len = (uint32_t)h->len;
	if (known)
		finish_checksum(w->packets[0].data, &h->flow);
	judge(w, h, 1);
}

/* ---- the message ---- */

static bool read_prefix(const char *text, struct handed *h)
{
	h->own = strcmp(text, IPSPD_HANDOVER_OWN) == 0;
	return h->own || strcmp(text, IPSPD_HANDOVER) == 0;
}

/* The kernel numbers what it logs: what is missing was lost. */
static void count_lost(struct engine_worker *w, const struct logged_packet *p)
{
	if (!p->numbered)
		return;
	if (w->handover_begun)
		io_count(&w->io->stats.drops[IO_REASON_HANDOVER_LOST],
			 p->number - w->handover_next);
	w->handover_begun = true;
	w->handover_next = p->number + 1;
}

/* @return false: malformed, nothing passes because of it */
static bool take_packet(void *arg, const struct logged_packet *p)
{
	struct handed h = { .dir = p->dir, .ifindex = p->ifindex, .data = p->data, .len = p->len };
	struct engine_worker *w = arg;

	count_lost(w, p);
	if (!read_prefix(p->prefix, &h) || h.len > IO_PACKET_MAX)
		return false;
	take(w, &h);
	return true;
}

static const struct packet_log_use use = {
	.take = take_packet,
	.datagrams_a_turn = DATAGRAMS_A_TURN,
	.end_priority = LOG_ERR,
	.bad = "malformed packets handed over by the guard",
	.end = "the guard cannot hand over packets any more",
};

size_t engine_handover_datagram(struct engine_worker *w, void *data, size_t len)
{
	return packet_log_datagram(&use, w, data, len);
}

int engine_handover_start(struct engine_worker *w, int fd)
{
	return packet_log_start(&w->handover, &use, w, w->base, fd);
}

void engine_handover_stop(struct engine_worker *w)
{
	packet_log_stop(&w->handover);
}
