/*
 * engine/io/frame.c - packet sockets (packet(7)), a batch of frames a system call.
 *
 * In front of every frame stands a header of virtio (1.2, 5.1.6): whether the checksum is finished,
 * and how large segments are to be cut.
 */
#include "config.h"
#include "engine/io/frame.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine/io/outer.h"

#define DATA_MAX IO_PACKET_MAX
#define GSO_UDP_L4 5	/* VIRTIO_NET_HDR_GSO_UDP_L4, since Linux 6.2 */

/** One frame's room. */
struct slot {
	struct virtio_net_hdr virtio;
	uint8_t head[FRAME_HEADER];
	uint8_t data[DATA_MAX];
	struct sockaddr_ll from;
	union {
		struct cmsghdr align;
		uint8_t octets[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
};

struct frame_reader {
	struct slot slots[FRAME_BATCH];
	uint32_t len[FRAME_BATCH];	/* octets read, and the flags that came with them */
	int flags[FRAME_BATCH];
	size_t control_len[FRAME_BATCH];
	size_t n, next;			/* filled, and the first that was not taken */
};

struct frame_reader *frame_reader_new(void)
{
	return calloc(1, sizeof(struct frame_reader));
}

void frame_reader_free(struct frame_reader *r)
{
	if (r)
		explicit_bzero(r, sizeof(*r));
	free(r);
}

static void refill(struct frame_reader *r, int fd)
{
	struct mmsghdr msgs[FRAME_BATCH];
	struct iovec iov[FRAME_BATCH][3];

	memset(msgs, 0, sizeof(msgs));
	for (size_t i = 0; i < FRAME_BATCH; i++) {
		struct slot *const s = &r->slots[i];

		iov[i][0] = (struct iovec) { &s->virtio, sizeof(s->virtio) };
		iov[i][1] = (struct iovec) { s->head, sizeof(s->head) };
		iov[i][2] = (struct iovec) { s->data, sizeof(s->data) };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &s->from, .msg_namelen = sizeof(s->from),
			.msg_iov = iov[i], .msg_iovlen = 3,
			.msg_control = &s->control, .msg_controllen = sizeof(s->control),
		};
	}
	const int got = recvmmsg(fd, msgs, FRAME_BATCH, MSG_DONTWAIT, NULL);

	r->next = 0;
	r->n = got > 0 ? (size_t)got : 0;
	for (size_t i = 0; i < r->n; i++) {
		r->len[i] = msgs[i].msg_len;
		r->flags[i] = msgs[i].msg_hdr.msg_flags;
		r->control_len[i] = msgs[i].msg_hdr.msg_controllen;
	}
}

/** What the kernel says about a frame beside its octets. @return false: nothing */
static bool auxiliary(struct slot *s, size_t control_len, struct tpacket_auxdata *out)
{
	struct msghdr h = { .msg_control = &s->control, .msg_controllen = control_len };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(*out)))
			continue;
		memcpy(out, CMSG_DATA(c), sizeof(*out));
		return true;
	}
	return false;
}

static enum ipsp_segment_kind kind_of(uint8_t gso_type)
{
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return IPSP_SEGMENT_NONE;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return IPSP_SEGMENT_TCP;
	case GSO_UDP_L4:
		return IPSP_SEGMENT_UDP;
	default:
		return IPSP_SEGMENT_UNKNOWN;
	}
}

static bool take(struct frame_reader *r, size_t i, struct frame *out)
{
	const uint32_t before = sizeof(struct virtio_net_hdr) + FRAME_HEADER;
	struct slot *const s = &r->slots[i];
	struct tpacket_auxdata aux;

	if ((r->flags[i] & (MSG_TRUNC | MSG_CTRUNC)) || r->len[i] < before ||
	    !auxiliary(s, r->control_len[i], &aux))
		return false;
	*out = (struct frame) {
		.type = (uint16_t)(s->head[12] << 8 | s->head[13]),
		.ours = s->from.sll_pkttype == PACKET_HOST,
		.tagged = (aux.tp_status & TP_STATUS_VLAN_VALID) != 0,
		.data = s->data, .len = r->len[i] - before,
		.segment = kind_of(s->virtio.gso_type),
		.segment_size = s->virtio.gso_size,
	};
	memcpy(out->head, s->head, FRAME_HEADER);
	if (!(s->virtio.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	/* From the Ethernet header there, from behind it here. */
	if (s->virtio.csum_start < FRAME_HEADER)
		return false;
	out->csum_partial = true;
	out->csum_start = (uint16_t)(s->virtio.csum_start - FRAME_HEADER);
	out->csum_offset = s->virtio.csum_offset;
	return true;
}

bool frame_read(struct frame_reader *r, int fd, struct io_stats *stats, struct frame *out)
{
	for (;;) {
		if (r->next == r->n)
			refill(r, fd);
		if (r->n == 0)
			return false;
		const size_t i = r->next++;

		/* Our own frames, which a socket without the parent's filter hears again. */
		if (r->slots[i].from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (take(r, i, out))
			return true;
		io_count(&stats->drops[IO_REASON_READ_CUT], 1);
	}
}

size_t frame_write(int fd, const struct frame_send *frames, size_t n, struct io_stats *stats)
{
	static struct virtio_net_hdr plain;	/* all zero: a finished, ordinary frame */
	struct mmsghdr msgs[IO_BATCH];
	struct iovec iov[IO_BATCH][3];

	if (n > IO_BATCH)
		n = IO_BATCH;
	memset(msgs, 0, n * sizeof(msgs[0]));
	for (size_t i = 0; i < n; i++) {
		iov[i][0] = (struct iovec) { &plain, sizeof(plain) };
		iov[i][1] = (struct iovec) { (void *)(uintptr_t)frames[i].head, FRAME_HEADER };
		iov[i][2] = (struct iovec) { frames[i].data, frames[i].len };
		msgs[i].msg_hdr.msg_iov = iov[i];
		msgs[i].msg_hdr.msg_iovlen = 3;
	}
	return outer_send_all(fd, msgs, n, stats);
}
