/*
 * tests/bench/outer.c - ways by which packets of protocol 50 may leave and come in user space, with
 * nothing behind them.
 *
 *	outer send|receive raw|packet|ring|xdp IF LOCAL REMOTE LINK-ADDRESS MILLISECONDS
 *
 *	raw	raw sockets, BATCH packets a call
 *	packet	packet sockets, past the queue, BATCH packets a call
 *	ring	packet sockets with a ring (TPACKET_V2 to send, past the queue; TPACKET_V3 to receive)
 *	xdp	AF_XDP, copying; to receive, a program that takes every frame of the interface
 *
 * Says "ready", and at its end how many packets there were and the nanoseconds of processor time that
 * this process used. On one machine much of what receiving costs the kernel is in the sender's time, so
 * the sum of both ends counts. Sending fills each packet, receiving copies it out, as an engine would.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define LEN 1452u		/* an inner packet of 1400 octets in ESP */
#define FRAME 2048u
#define BUFFER (4 << 20)
#define BLOCK (256u << 10)
#define BLOCKS 32u
#define RING_FRAMES (BLOCK / FRAME * BLOCKS)
#define XDP_FRAMES 4096u	/* a power of two */
#define XDP_CALLS 3		/* one call sends half a batch at most */
#define WAIT_MS 50

static struct sockaddr_in local = { .sin_family = AF_INET }, remote = { .sin_family = AF_INET };
static unsigned ifindex;
static uint8_t frame[ETH_HLEN + LEN];
static uint8_t room[BATCH][FRAME];
static int fd;
static unsigned at;		/* of a ring: whose turn it is */

static void die(const char *what)
{
	fprintf(stderr, "outer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void must(bool good, const char *what)
{
	if (!good)
		die(what);
}

static void set(int level, int option, const void *value, socklen_t size, const char *what)
{
	must(setsockopt(fd, level, option, value, size) == 0, what);
}

static unsigned wait_for(short what)
{
	struct pollfd p = { fd, what, 0 };

	(void)poll(&p, 1, WAIT_MS);
	return 0;
}

static bool is_full(void)
{
	return errno == EAGAIN || errno == ENOBUFS || errno == EBUSY;
}

/* The packet in its frame; the link address of this end does not matter. */
static void make_frame(const char *link_address)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 50,
			    .tot_len = htons(LEN), .saddr = local.sin_addr.s_addr,
			    .daddr = remote.sin_addr.s_addr };
	uint16_t words[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(words, &ip, sizeof(ip));
	for (size_t i = 0; i < sizeof(ip) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip.check = (uint16_t)~(sum + (sum >> 16));
	must(sscanf(link_address, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", frame, frame + 1, frame + 2,
		    frame + 3, frame + 4, frame + 5) == 6, "link address");
	frame[6] = 2;
	frame[12] = ETH_P_IP >> 8;
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
}

/* ---- raw sockets ---- */

static void raw_open(bool sends)
{
	const int size = BUFFER;

	fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, sends ? IPPROTO_RAW : 50);
	must(fd >= 0, "raw socket");
	set(SOL_SOCKET, sends ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &size, sizeof(size), "buffer");
}

static void make_messages(struct mmsghdr msgs[BATCH], struct iovec iov[BATCH], size_t len)
{
	memset(msgs, 0, BATCH * sizeof(msgs[0]));
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ room[i], len };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

/* BATCH times the same; to NULL: where the socket is bound. */
static unsigned send_messages(const uint8_t *octets, size_t len, struct sockaddr_in *to)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];

	make_messages(msgs, iov, len);
	for (unsigned i = 0; i < BATCH; i++) {
		memcpy(room[i], octets, len);
		msgs[i].msg_hdr.msg_name = to;
		msgs[i].msg_hdr.msg_namelen = to ? sizeof(*to) : 0;
	}
	const int n = sendmmsg(fd, msgs, BATCH, 0);

	must(n >= 0 || is_full(), "sendmmsg");
	return n > 0 ? (unsigned)n : wait_for(POLLOUT);
}

static unsigned raw_send(void)
{
	return send_messages(frame + ETH_HLEN, LEN, &remote);
}

static unsigned messages_receive(void)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];

	make_messages(msgs, iov, FRAME);
	const int n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);

	return n > 0 ? (unsigned)n : wait_for(POLLIN);
}

/* ---- packet sockets ---- */

/* IPv4 of protocol 50. */
static void packet_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 50, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	set(SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program), "filter");
}

/* A socket of this kind that is not bound yet. */
static void packet_socket(bool sends)
{
	const int on = 1;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	must(fd >= 0, "packet socket");
	if (sends)
		set(SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on), "past the queue");
	else
		packet_filter();
}

static void packet_bind(bool sends)
{
	const struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex,
					  .sll_protocol = sends ? 0 : htons(ETH_P_ALL) };

	must(bind(fd, (const struct sockaddr *)&here, sizeof(here)) == 0, "bind");
}

static void packet_open(bool sends)
{
	const int size = BUFFER;

	packet_socket(sends);
	set(SOL_SOCKET, sends ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &size, sizeof(size), "buffer");
	packet_bind(sends);
}

static unsigned packet_send(void)
{
	return send_messages(frame, sizeof(frame), NULL);
}

/* ---- packet sockets with a ring ---- */

static uint8_t *ring;

static void ring_open(bool sends)
{
	const int version = sends ? TPACKET_V2 : TPACKET_V3;
	struct tpacket_req3 r = { .tp_block_size = BLOCK, .tp_block_nr = BLOCKS,
				  .tp_frame_size = FRAME, .tp_frame_nr = RING_FRAMES };

	packet_socket(sends);
	set(SOL_PACKET, PACKET_VERSION, &version, sizeof(version), "version of the ring");
	if (sends) {
		set(SOL_PACKET, PACKET_TX_RING, &r, sizeof(struct tpacket_req), "ring");
	} else {
		r.tp_retire_blk_tov = 1;
		set(SOL_PACKET, PACKET_RX_RING, &r, sizeof(r), "ring");
	}
	ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
	must(ring != MAP_FAILED, "ring's memory");
	packet_bind(sends);
}

static unsigned ring_send(void)
{
	unsigned n = 0;

	for (; n < BATCH; n++, at = (at + 1) % RING_FRAMES) {
		struct tpacket2_hdr *const h = (void *)(ring + (size_t)at * FRAME);

		if (__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
			break;
		memcpy((uint8_t *)h + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), frame,
		       sizeof(frame));
		h->tp_len = sizeof(frame);
		__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	}
	must(send(fd, NULL, 0, MSG_DONTWAIT) >= 0 || is_full(), "send");
	return n ? n : wait_for(POLLOUT);
}

static unsigned ring_receive(void)
{
	uint8_t *const block = ring + (size_t)at * BLOCK;
	struct tpacket_hdr_v1 *const b = &((struct tpacket_block_desc *)(void *)block)->hdr.bh1;

	if (!(__atomic_load_n(&b->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return wait_for(POLLIN);
	const unsigned n = b->num_pkts;
	const uint8_t *p = block + b->offset_to_first_pkt;

	for (unsigned i = 0; i < n; i++) {
		const struct tpacket3_hdr *const h = (const void *)p;
		const uint32_t len = h->tp_snaplen < FRAME ? h->tp_snaplen : FRAME;

		memcpy(room[i % BATCH], p + h->tp_mac, len);
		p += h->tp_next_offset;
	}
	__atomic_store_n(&b->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	at = (at + 1) % BLOCKS;
	return n;
}

/* ---- AF_XDP ---- */

/** One of the rings shared with the kernel. */
struct xdp_ring {
	uint32_t *producer, *consumer;
	void *items;
};

static uint8_t *frames;
static struct xdp_ring fill, completion, packets;
static uint32_t n_free = XDP_FRAMES;

static void map_ring(struct xdp_ring *r, const struct xdp_ring_offset *o, long long where,
		     size_t size)
{
	uint8_t *const p = mmap(NULL, o->desc + XDP_FRAMES * size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, where);

	must(p != MAP_FAILED, "ring's memory");
	*r = (struct xdp_ring){ (uint32_t *)(void *)(p + o->producer),
				(uint32_t *)(void *)(p + o->consumer), p + o->desc };
}

static int bpf(int command, union bpf_attr *a)
{
	return (int)syscall(SYS_bpf, command, a, sizeof(*a));
}

/* Every frame of the interface's first queue to this socket. */
static void xdp_take_all(void)
{
	const uint32_t first = 0;
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4,
			       .max_entries = 1 };
	const int map_fd = bpf(BPF_MAP_CREATE, &map);
	const struct bpf_insn code[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr program = { .prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)code,
				   .insn_cnt = sizeof(code) / sizeof(code[0]),
				   .license = (uintptr_t)"GPL" };
	const int program_fd = map_fd < 0 ? -1 : bpf(BPF_PROG_LOAD, &program);
	union bpf_attr entry = { .map_fd = (uint32_t)map_fd };
	union bpf_attr link = { .link_create = { .prog_fd = (uint32_t)program_fd,
						 .target_ifindex = ifindex,
						 .attach_type = BPF_XDP } };

	entry.key = (uintptr_t)&first;
	entry.value = (uintptr_t)&fd;
	must(program_fd >= 0 && bpf(BPF_MAP_UPDATE_ELEM, &entry) == 0 &&
	     bpf(BPF_LINK_CREATE, &link) >= 0, "XDP program");
}

static void xdp_open(bool sends)
{
	const int n = XDP_FRAMES;
	struct xdp_mmap_offsets o;
	socklen_t size = sizeof(o);
	const struct sockaddr_xdp here = { .sxdp_family = AF_XDP, .sxdp_ifindex = ifindex,
					   .sxdp_flags = XDP_COPY };

	fd = socket(AF_XDP, SOCK_RAW, 0);
	must(fd >= 0, "AF_XDP");
	frames = mmap(NULL, (size_t)XDP_FRAMES * FRAME, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	must(frames != MAP_FAILED, "frames");
	const struct xdp_umem_reg r = { .addr = (uintptr_t)frames, .chunk_size = FRAME,
					.len = (uint64_t)XDP_FRAMES * FRAME };

	set(SOL_XDP, XDP_UMEM_REG, &r, sizeof(r), "frames");
	set(SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n), "ring");
	set(SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof(n), "ring");
	set(SOL_XDP, sends ? XDP_TX_RING : XDP_RX_RING, &n, sizeof(n), "ring");
	must(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &o, &size) == 0, "rings");
	map_ring(&fill, &o.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t));
	map_ring(&completion, &o.cr, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t));
	map_ring(&packets, sends ? &o.tx : &o.rx, sends ? XDP_PGOFF_TX_RING : XDP_PGOFF_RX_RING,
		 sizeof(struct xdp_desc));
	for (unsigned i = 0; !sends && i < XDP_FRAMES; i++)
		((uint64_t *)fill.items)[i] = (uint64_t)i * FRAME;
	if (!sends)
		__atomic_store_n(fill.producer, XDP_FRAMES, __ATOMIC_RELEASE);
	must(bind(fd, (const struct sockaddr *)&here, sizeof(here)) == 0, "bind");
	if (!sends)
		xdp_take_all();
}

static unsigned xdp_send(void)
{
	const uint32_t done = __atomic_load_n(completion.producer, __ATOMIC_ACQUIRE);
	const uint32_t begin = *packets.producer;
	unsigned n = 0;

	n_free += done - *completion.consumer;
	__atomic_store_n(completion.consumer, done, __ATOMIC_RELEASE);
	for (; n < BATCH && n_free > 0; n++, n_free--, at = (at + 1) % XDP_FRAMES) {
		memcpy(frames + (size_t)at * FRAME, frame, sizeof(frame));
		((struct xdp_desc *)packets.items)[(begin + n) % XDP_FRAMES] =
			(struct xdp_desc){ (uint64_t)at * FRAME, sizeof(frame), 0 };
	}
	__atomic_store_n(packets.producer, begin + n, __ATOMIC_RELEASE);
	for (int i = 0; i < XDP_CALLS; i++)
		must(sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 || is_full(), "sendto");
	return n ? n : wait_for(POLLOUT);
}

static unsigned xdp_receive(void)
{
	const uint32_t begin = *packets.consumer, room_at = *fill.producer;
	const uint32_t there = __atomic_load_n(packets.producer, __ATOMIC_ACQUIRE) - begin;
	const uint32_t n = there < BATCH ? there : BATCH;

	if (n == 0)
		return wait_for(POLLIN);
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *const d =
			&((const struct xdp_desc *)packets.items)[(begin + i) % XDP_FRAMES];

		memcpy(room[i], frames + d->addr, d->len < FRAME ? d->len : FRAME);
		((uint64_t *)fill.items)[(room_at + i) % XDP_FRAMES] =
			d->addr - d->addr % FRAME;
	}
	__atomic_store_n(packets.consumer, begin + n, __ATOMIC_RELEASE);
	__atomic_store_n(fill.producer, room_at + n, __ATOMIC_RELEASE);
	return n;
}

/* ---- */

static const struct way {
	const char *name;
	void (*open)(bool sends);
	unsigned (*send)(void), (*receive)(void);	/* how many packets that were */
} ways[] = {
	{ "raw", raw_open, raw_send, messages_receive },
	{ "packet", packet_open, packet_send, messages_receive },
	{ "ring", ring_open, ring_send, ring_receive },
	{ "xdp", xdp_open, xdp_send, xdp_receive },
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double used_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

int main(int argc, char **argv)
{
	const struct way *w = ways;
	uint64_t n = 0;

	if (argc != 8) {
		fputs("usage: outer send|receive raw|packet|ring|xdp IF LOCAL REMOTE LINK-ADDRESS MS\n",
		      stderr);
		return 2;
	}
	const bool sends = strcmp(argv[1], "send") == 0;

	while (w < ways + sizeof(ways) / sizeof(ways[0]) - 1 && strcmp(w->name, argv[2]) != 0)
		w++;
	ifindex = if_nametoindex(argv[3]);
	must(ifindex && inet_pton(AF_INET, argv[4], &local.sin_addr) == 1 &&
	     inet_pton(AF_INET, argv[5], &remote.sin_addr) == 1, "interface or address");
	make_frame(argv[6]);
	w->open(sends);
	puts("ready");
	fflush(stdout);
	const double begin_ns = used_ns(), end_ms = now_ms() + strtod(argv[7], NULL);

	while (now_ms() < end_ms)
		n += sends ? w->send() : w->receive();
	printf("%llu %.0f\n", (unsigned long long)n, used_ns() - begin_ns);
	return EXIT_SUCCESS;
}
