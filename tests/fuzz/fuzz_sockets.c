/*
 * tests/fuzz/fuzz_sockets.c - any datagrams and frames that sockets of an attachment may give, with any
 * trains, sizes, extension headers and offloads that the kernel may say of them.
 *
 * The first octet chooses the reader. Then messages, one behind the other: an octet of flags, two of the
 * train's size, two of the length of what is said beside the data, two of the data's length; and both. The
 * kernel's calls stand in this file.
 */
#include "config.h"

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/header.h"
#include "engine/io/frame.h"
#include "engine/io/outer.h"
#include "engine/io/udp.h"
#include "engine/segment.h"
#include "spd/octets.h"
#include "tests/fuzz/fuzz.h"

enum { FLAG_TRUNC = 1, FLAG_CTRUNC = 2, FLAG_NO_INFO = 4, FLAG_TRAIN = 8, FLAG_OURS = 16 };

/** Octets from the input: less than asked for at its end. */
struct input {
	const uint8_t *at;
	size_t left;
};

static struct input input;
static int family;		/* AF_INET, AF_INET6, AF_PACKET */

/* What was given out as data so far, for those who are to give it on unchanged. */
static uint8_t given[1 << 17];
static size_t n_given;

static size_t take(const uint8_t **out, size_t asked)
{
	const size_t n = asked < input.left ? asked : input.left;

	*out = input.at;
	input.at += n;
	input.left -= n;
	return n;
}

static unsigned take_number(unsigned octets)
{
	const uint8_t *p;
	unsigned v = 0;

	for (size_t n = take(&p, octets); n > 0; n--)
		v = v << 8 | *p++;
	return v;
}

/* ---- the kernel's side ---- */

static void put_control(struct msghdr *h, size_t *at, int level, int type, const void *data,
			size_t len)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
	uint8_t *const to = (uint8_t *)h->msg_control + *at;

	if (*at + CMSG_SPACE(len) > h->msg_controllen) {
		h->msg_flags |= MSG_CTRUNC;
		return;
	}
	memset(to, 0, CMSG_SPACE(len));
	memcpy(to, &c, sizeof(c));
	if (len > 0)
		memcpy(to + CMSG_LEN(0), data, len);
	*at += CMSG_SPACE(len);
}

static void put_ipv4(struct msghdr *h, size_t *at, unsigned flags)
{
	const struct in_pktinfo info = { .ipi_ifindex = 3, .ipi_addr.s_addr = htonl(0x0a000001) };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(4500) };
	const uint8_t tos = 3;

	memcpy(h->msg_name, &from, sizeof(from));
	h->msg_namelen = sizeof(from);
	if (!(flags & FLAG_NO_INFO))
		put_control(h, at, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	put_control(h, at, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
}

/* beside: extension headers, each behind an octet that says which. */
static void put_ipv6(struct msghdr *h, size_t *at, unsigned flags, const uint8_t *beside, size_t n)
{
	static const int kinds[] = { IPV6_HOPOPTS, IPV6_RTHDR, IPV6_DSTOPTS, IPV6_TCLASS };
	const struct in6_pktinfo info = { .ipi6_ifindex = 3 };
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	const int hops = 64;

	memcpy(h->msg_name, &from, sizeof(from));
	h->msg_namelen = sizeof(from);
	if (!(flags & FLAG_NO_INFO))
		put_control(h, at, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	put_control(h, at, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	while (n > 2) {
		const size_t said = (beside[2] + 1u) * 8, len = said < n - 1 ? said : n - 1;

		put_control(h, at, IPPROTO_IPV6, kinds[beside[0] % 4], beside + 1, len);
		beside += 1 + len;
		n -= 1 + len;
	}
}

static void put_link(struct msghdr *h, size_t *at, unsigned flags)
{
	const struct sockaddr_ll from = {
		.sll_family = AF_PACKET,
		.sll_pkttype = flags & FLAG_OURS ? PACKET_HOST : PACKET_OTHERHOST,
	};
	const struct tpacket_auxdata aux = { .tp_status = flags & FLAG_TRAIN ? TP_STATUS_VLAN_VALID :
									       TP_STATUS_USER };

	memcpy(h->msg_name, &from, sizeof(from));
	h->msg_namelen = sizeof(from);
	if (!(flags & FLAG_NO_INFO))
		put_control(h, at, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

static unsigned put_data(struct msghdr *h, const uint8_t *data, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < h->msg_iovlen && done < n; i++) {
		const size_t room = h->msg_iov[i].iov_len, left = n - done;
		const size_t part = left < room ? left : room;

		memcpy(h->msg_iov[i].iov_base, data + done, part);
		done += part;
	}
	return (unsigned)done;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int how, struct timespec *timeout);

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int how, struct timespec *timeout)
{
	unsigned got = 0;

	(void)fd;
	(void)timeout;
	must(how & MSG_DONTWAIT);
	for (; got < n && input.left > 0; got++) {
		struct msghdr *const h = &msgs[got].msg_hdr;
		const unsigned flags = take_number(1);
		const int train = (int)take_number(2);
		const unsigned n_beside = take_number(2), n_data = take_number(2);
		const uint8_t *beside, *data;
		const size_t beside_len = take(&beside, n_beside), data_len = take(&data, n_data);
		size_t at = 0;

		h->msg_flags = 0;
		if (family == AF_INET)
			put_ipv4(h, &at, flags);
		else if (family == AF_INET6)
			put_ipv6(h, &at, flags, beside, beside_len);
		else
			put_link(h, &at, flags);
		if (family != AF_PACKET && (flags & FLAG_TRAIN))
			put_control(h, &at, IPPROTO_UDP, UDP_GRO, &train, sizeof(train));
		h->msg_controllen = at;
		h->msg_flags |= flags & FLAG_TRUNC ? MSG_TRUNC : 0;
		h->msg_flags |= flags & FLAG_CTRUNC ? MSG_CTRUNC : 0;
		msgs[got].msg_len = put_data(h, data, data_len);
		memcpy(given + n_given, data, msgs[got].msg_len);
		n_given += msgs[got].msg_len;
	}
	return (int)got;
}

/* ---- the readers ---- */

static struct ipsp_packet packets[IO_BATCH];
static uint8_t rooms[IO_BATCH][IO_ROOM];
static struct io_stats stats;

static uint64_t dropped(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < IO_N_REASONS; i++)
		n += stats.drops[i];
	return n;
}

static void reset_packets(void)
{
	for (size_t i = 0; i < IO_BATCH; i++)
		packets[i] = (struct ipsp_packet){ .room = rooms[i], .room_len = IO_ROOM };
}

/* Every payload is part of what came, in order; what is not ESP is counted. */
static void read_udp(struct udp_socket *u)
{
	uint64_t total = 0;
	size_t at = 0;

	for (size_t turn = 0; input.left > 0 || turn == 0 || at > 0; turn++) {
		reset_packets();
		const size_t n = udp_read(u, packets, 1 + turn % IO_BATCH, &stats);

		at = n;
		for (size_t i = 0; i < n; i++) {
			must(packets[i].len >= 8 && packets[i].outer != NULL);
			must(get_be32(packets[i].data) != 0);
			must(packets[i].outer->dst.family == packets[i].outer->family);
			must(memmem(given, n_given, packets[i].data, packets[i].len) != NULL);
			must(packets[i].room == rooms[i]);
		}
		total += n;
	}
	must(total <= n_given);
}

static void read_outer(enum outer_family which, uint8_t proto)
{
	while (input.left > 0) {
		reset_packets();
		const size_t n = outer_read(-1, which, proto, packets, IO_BATCH, &stats);

		for (size_t i = 0; i < n; i++) {
			const struct ipsp_packet *const p = &packets[i];

			must(p->data >= p->room && p->len <= p->room + p->room_len - p->data);
			must(p->ifindex == 3);
			for (size_t j = 0; j < i; j++)
				must(packets[j].room != p->room);
			if (which == OUTER_IPV4)
				continue;
			must(p->data[0] >> 4 == 6 && get_be16(p->data + 4) == p->len - 40);
		}
		must(stats.packets_in[IPSP_INBOUND - 1] == dropped() + n);
		memset(&stats, 0, sizeof(stats));
	}
}

/* What an attachment does with a frame: finishes its checksum, or cuts it. */
static void use_frame(struct frame *f)
{
	struct ipsp_segmenter s;
	uint64_t octets = 0;

	if (f->segment == IPSP_SEGMENT_NONE) {
		if (f->csum_partial)
			(void)ipsp_checksum_finish(f->data, f->len, f->csum_start, f->csum_offset);
		return;
	}
	if (!f->csum_partial || !ipsp_segment_begin(&s, f->segment, f->data, f->len, f->csum_start,
						    f->segment_size))
		return;
	for (uint32_t len; (len = ipsp_segment_next(&s, rooms[0], IO_PACKET_MAX)) > 0;) {
		must(len <= IO_PACKET_MAX && len > s.payload);
		octets += len - s.payload;
	}
	must(octets <= f->len - s.payload);
}

static void read_frames(void)
{
	struct frame_reader *const r = frame_reader_new();
	struct frame f;

	must(r != NULL);
	while (frame_read(r, -1, &stats, &f)) {
		must(f.len <= IO_PACKET_MAX);
		use_frame(&f);
	}
	frame_reader_free(r);
}

/* The sockets are asked for options and address only. */
static struct udp_socket *udp_of(int which)
{
	static struct udp_socket *sockets[2];
	const int at = which == AF_INET6;

	if (!sockets[at]) {
		const int fd = socket(which, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd >= 0)
			must(udp_socket_new(fd, -1, at ? OUTER_IPV6 : OUTER_IPV4, 0,
					    &sockets[at]) == 0);
	}
	return sockets[at];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > sizeof(given))
		return 0;
	input = (struct input){ data + 1, size - 1 };
	n_given = 0;
	memset(&stats, 0, sizeof(stats));
	family = data[0] % 6 == 5 ? AF_PACKET : data[0] % 6 < 2 ? AF_INET : AF_INET6;
	switch (data[0] % 6) {
	case 0:
	case 2:
		if (udp_of(family))
			read_udp(udp_of(family));
		break;
	case 1:
		read_outer(OUTER_IPV4, IPPROTO_ESP);
		break;
	case 3:
		read_outer(OUTER_IPV6, IPPROTO_ESP);
		break;
	case 4:
		read_outer(OUTER_IPV6, IPPROTO_AH);
		break;
	default:
		read_frames();
		break;
	}
	return 0;
}
