/*
 * engine/io/nfqueue.c - the attachment `nfqueue`: reads queues, and lets go what the engine lets pass.
 *
 * It must not decide what may pass: verdicts are the engine's. Each packet that was read gets one
 * verdict: accepted if the engine says BYPASS, else dropped, by the next read at the latest.
 */
#include "config.h"
#include "engine/io/nfqueue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A packet is read to where the engine wants it, behind what netlink says of it. */
#define MESSAGE_ALIGN 4u
#define MESSAGE_MAX (IO_ROOM - IPSP_HEADROOM - IPSP_TAILROOM - (MESSAGE_ALIGN - 1))

/** A packet that waits for its verdict; its mark is its place in the table, from 1. */
struct waiting {
	uint32_t id;
	uint16_t mark_low;
	uint8_t dir;
	bool open;
};

struct nfqueue {
	struct io_attachment base;	/* first: they are one address */
	struct nfqueue_config config;
	struct io_attachment *outside;
	size_t n_outside;		/* sources that are its own; the queues follow */
	struct waiting waiting[IO_BATCH];
	size_t n_waiting;
	struct nfqueue_verdict verdicts[NFQUEUE_VERDICTS_MAX];
	size_t n_verdicts;
};

static struct nfqueue *nfqueue_of(struct io_attachment *a)
{
	return (struct nfqueue *)a;
}

/** Gives what stands in one counter to another. */
static void move_count(_Atomic uint64_t *from, _Atomic uint64_t *to)
{
	io_count(to, atomic_load_explicit(from, memory_order_relaxed));
	atomic_store_explicit(from, 0, memory_order_relaxed);
}

/** What the outside has counted counts here. */
static void take_stats(struct nfqueue *q)
{
	struct io_stats *const from = &q->outside->stats, *const to = &q->base.stats;

	for (int i = 0; i < 2; i++) {
		move_count(&from->packets_in[i], &to->packets_in[i]);
		move_count(&from->packets_out[i], &to->packets_out[i]);
	}
	move_count(&from->fast, &to->fast);
	for (int i = 0; i < IO_N_REASONS; i++)
		move_count(&from->drops[i], &to->drops[i]);
}

static size_t nfqueue_sources(const struct io_attachment *a, struct io_source out[IO_SOURCES_MAX])
{
	const struct nfqueue *q = (const struct nfqueue *)a;
	size_t n = q->outside->ops->sources(q->outside, out);

	for (int i = 0; i < NFQUEUE_QUEUES; i++) {
		out[n++] = (struct io_source) {
			.fd = q->config.queue_fd[i], .dir = (enum ipsp_dir)(i + 1),
		};
	}
	return n;
}

/* ---- verdicts ---- */

static void send_verdicts(struct nfqueue *q)
{
	const size_t size = q->n_verdicts * sizeof(q->verdicts[0]);

	/* Its buffer has room for a verdict of each packet that the queues hold. */
	if (size && send(q->config.verdict_fd, q->verdicts, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		io_count(&q->base.stats.drops[IO_REASON_SEND_QUEUE], q->n_verdicts);
	q->n_verdicts = 0;
}

static void give(struct nfqueue *q, struct waiting *w, bool pass)
{
	if (!w->open)
		return;
	w->open = false;
	q->verdicts[q->n_verdicts++] = (struct nfqueue_verdict) {
		.id = w->id, .mark_low = w->mark_low, .dir = w->dir, .pass = pass,
	};
	if (pass)
		io_count(&q->base.stats.packets_out[w->dir - 1], 1);
	if (q->n_verdicts == NFQUEUE_VERDICTS_MAX)
		send_verdicts(q);
}

/** What nobody let pass until now does not. */
static void give_up(struct nfqueue *q)
{
	for (size_t i = 0; i < q->n_waiting; i++)
		give(q, &q->waiting[i], false);
	send_verdicts(q);
	q->n_waiting = 0;
}

/* ---- reading ---- */

/** The packet's name in its queue. @return false: the message is not about a packet */
static bool read_name(struct nlattr **tb, struct waiting *w, enum ipsp_dir dir, uint32_t *ifindex)
{
	const struct nfqnl_msg_packet_hdr *const hdr = nla_data(tb[NFQA_PACKET_HDR]);
	const bool in = dir == IPSP_INBOUND;
	struct nlattr *const dev = tb[in ? NFQA_IFINDEX_INDEV : NFQA_IFINDEX_OUTDEV];
	const uint32_t mark = tb[NFQA_MARK] ? ntohl(nla_get_u32(tb[NFQA_MARK])) : 0;

	*w = (struct waiting) {
		.id = ntohl(hdr->packet_id), .mark_low = (uint16_t)mark, .dir = (uint8_t)dir,
		.open = true,
	};
	*ifindex = dev ? ntohl(nla_get_u32(dev)) : 0;
	return hdr->hook == (in ? NF_INET_PRE_ROUTING : NF_INET_POST_ROUTING) && *ifindex != 0;
}

/** All of it there, and nothing left to a device? @return a reason to drop it; IO_N_REASONS: none */
static enum io_reason read_payload(struct nlattr **tb, struct ipsp_packet *p)
{
	const uint32_t info = tb[NFQA_SKB_INFO] ? ntohl(nla_get_u32(tb[NFQA_SKB_INFO])) : 0;

	if (!tb[NFQA_PAYLOAD] || nla_len(tb[NFQA_PAYLOAD]) <= 0 || tb[NFQA_CAP_LEN])
		return IO_REASON_READ_CUT;
	if (info & (NFQA_SKB_GSO | NFQA_SKB_CSUMNOTREADY))
		return IO_REASON_OFFLOAD;
	p->data = nla_data(tb[NFQA_PAYLOAD]);
	p->len = (uint32_t)nla_len(tb[NFQA_PAYLOAD]);
	return IO_N_REASONS;
}

/** @return true: p is a packet; false: what came is dealt with otherwise */
static bool take_message(struct nfqueue *q, enum ipsp_dir dir, struct nlmsghdr *nlh, size_t len,
			 struct ipsp_packet *p)
{
	static struct nla_policy policy[NFQA_MAX + 1] = {
		[NFQA_PACKET_HDR] = { .minlen = sizeof(struct nfqnl_msg_packet_hdr) },
		[NFQA_MARK] = { .type = NLA_U32 },
		[NFQA_IFINDEX_INDEV] = { .type = NLA_U32 },
		[NFQA_IFINDEX_OUTDEV] = { .type = NLA_U32 },
		[NFQA_SKB_INFO] = { .type = NLA_U32 },
	};
	struct nlattr *tb[NFQA_MAX + 1];
	struct waiting *const w = &q->waiting[q->n_waiting];
	uint32_t ifindex;

	/* Else it is the kernel's answer to a verdict on a packet that it has not any more. */
	if (!nlmsg_ok(nlh, (int)len) ||
	    nlh->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
	    nlmsg_parse(nlh, sizeof(struct nfgenmsg), tb, NFQA_MAX, policy) < 0 ||
	    !tb[NFQA_PACKET_HDR])
		return false;
	io_count(&q->base.stats.packets_in[dir - 1], 1);
	const bool named = read_name(tb, w, dir, &ifindex);
	const enum io_reason reason = read_payload(tb, p);

	q->n_waiting++;
	if (named && reason == IO_N_REASONS) {
		p->ifindex = ifindex;
		p->mark = (uint32_t)q->n_waiting;
		return true;
	}
	io_count(&q->base.stats.drops[named ? reason : IO_REASON_READ_CUT], 1);
	give(q, w, false);
	return false;
}

static uint8_t *message_in(uint8_t *room)
{
	const uintptr_t beyond = (uintptr_t)room % MESSAGE_ALIGN;

	return room + IPSP_HEADROOM + (beyond ? MESSAGE_ALIGN - beyond : 0);
}

static size_t read_queue(struct nfqueue *q, enum ipsp_dir dir, struct ipsp_packet *packets,
			 size_t n)
{
	struct mmsghdr msgs[IO_BATCH];
	struct iovec iov[IO_BATCH];
	struct sockaddr_nl from[IO_BATCH];
	size_t good = 0;

	memset(msgs, 0, n * sizeof(msgs[0]));
	memset(from, 0, n * sizeof(from[0]));
	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec) { message_in(packets[i].room), MESSAGE_MAX };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_iov = &iov[i], .msg_iovlen = 1,
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]),
		};
	}
	const int fd = q->config.queue_fd[dir - 1];
	const int got = recvmmsg(fd, msgs, (unsigned)n, MSG_DONTWAIT, NULL);

	for (int i = 0; i < got; i++) {
		struct ipsp_packet p = {
			.room = packets[i].room, .room_len = packets[i].room_len,
			/* ESP for this machine is not queued, and nobody but us lets Neighbour
			 * Discovery pass. */
			.flags = IPSP_PKT_TRANSIT | IPSP_PKT_PASSING,
		};

		/* Only the kernel, whose number is 0, has packets. */
		if (from[i].nl_pid != 0 ||
		    !take_message(q, dir, iov[i].iov_base, msgs[i].msg_len, &p))
			continue;
		/* Rooms change places, so that each stays in the vector once. */
		packets[i].room = packets[good].room;
		packets[i].room_len = packets[good].room_len;
		packets[good++] = p;
	}
	return good;
}

static size_t nfqueue_read(struct io_attachment *a, size_t source, struct ipsp_packet *packets,
			   size_t n)
{
	struct nfqueue *q = nfqueue_of(a);
	size_t good;

	give_up(q);
	if (n > IO_BATCH)
		n = IO_BATCH;
	if (source >= q->n_outside)
		return read_queue(q, (enum ipsp_dir)(source - q->n_outside + 1), packets, n);
	good = q->outside->ops->read(q->outside, source, packets, n);
	/* Marks are ours. */
	for (size_t i = 0; i < good; i++)
		packets[i].mark = 0;
	take_stats(q);
	return good;
}

static bool nfqueue_has_more(const struct io_attachment *a, size_t source)
{
	const struct nfqueue *q = (const struct nfqueue *)a;
	const struct io_attachment_ops *const ops = q->outside->ops;

	return source < q->n_outside && ops->has_more && ops->has_more(q->outside, source);
}

/* ---- writing ---- */

static void nfqueue_write(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *packets,
			  size_t n)
{
	struct nfqueue *q = nfqueue_of(a);

	for (size_t i = 0; i < n; i++) {
		struct ipsp_packet *const p = &packets[i];

		if (p->mark == 0 || p->mark > q->n_waiting)
			continue;
		give(q, &q->waiting[p->mark - 1], p->verdict == IPSP_VERDICT_BYPASS);
		/* It goes on by itself: nobody has anything to send. */
		if (p->verdict == IPSP_VERDICT_BYPASS)
			p->verdict = IPSP_VERDICT_TAKEN;
	}
	send_verdicts(q);
	q->outside->ops->write(q->outside, dir, packets, n);
	take_stats(q);
}

/* ---- the rest is the outside's ---- */

static void nfqueue_keepalive(struct io_attachment *a, const struct ipsp_flow *datagram)
{
	struct io_attachment *const outside = nfqueue_of(a)->outside;

	if (outside->ops->keepalive)
		outside->ops->keepalive(outside, datagram);
}

static enum ipsp_err nfqueue_local_addr(struct io_attachment *a, const struct ipsp_addr *remote,
					struct ipsp_addr *local)
{
	struct io_attachment *const outside = nfqueue_of(a)->outside;

	return outside->ops->local_addr(outside, remote, local);
}

static uint32_t nfqueue_path_mtu(struct io_attachment *a, const struct ipsp_addr *dst)
{
	struct io_attachment *const outside = nfqueue_of(a)->outside;

	return outside->ops->path_mtu(outside, dst);
}

static int nfqueue_changes_fd(const struct io_attachment *a)
{
	const struct nfqueue *q = (const struct nfqueue *)a;

	return q->outside->ops->changes_fd(q->outside);
}

static bool nfqueue_changed(struct io_attachment *a)
{
	struct io_attachment *const outside = nfqueue_of(a)->outside;

	return outside->ops->changed(outside);
}

static void nfqueue_free(struct io_attachment *a)
{
	struct nfqueue *q = nfqueue_of(a);

	q->outside->ops->free(q->outside);
	for (int i = 0; i < NFQUEUE_QUEUES; i++)
		close(q->config.queue_fd[i]);
	close(q->config.verdict_fd);
	free(q);
}

static const struct io_attachment_ops nfqueue_ops = {
	.name = "nfqueue",
	.sources = nfqueue_sources,
	.read = nfqueue_read,
	.has_more = nfqueue_has_more,
	.keepalive = nfqueue_keepalive,
	.write = nfqueue_write,
	.local_addr = nfqueue_local_addr,
	.path_mtu = nfqueue_path_mtu,
	.changes_fd = nfqueue_changes_fd,
	.changed = nfqueue_changed,
	.free = nfqueue_free,
};

int nfqueue_attach(const struct nfqueue_config *config, struct io_attachment *outside,
		   struct io_attachment **out)
{
	struct io_source sources[IO_SOURCES_MAX];
	struct nfqueue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->base.ops = &nfqueue_ops;
	q->config = *config;
	q->outside = outside;
	q->n_outside = outside->ops->sources(outside, sources);
	if (q->n_outside > IO_SOURCES_MAX - NFQUEUE_QUEUES) {
		free(q);
		return -E2BIG;
	}
	*out = &q->base;
	return 0;
}
