/*
 * tests/bench/ceiling.c - what this machine's kernel leaves to any gateway in user space: a TUN to
 * socket forwarder that protects nothing.
 *
 *	ceiling single|batch|offload TUN LOCAL REMOTE
 *
 *	single	one packet a system call, in UDP datagrams
 *	batch	sendmmsg and recvmmsg, in packets of protocol 50
 *	offload	large segments from and to the TUN, cut and joined here; UDP_SEGMENT and UDP_GRO
 *
 * It makes the TUN, which goes with it, and one socket from LOCAL to REMOTE (IPv4). The other end is
 * trusted: offload sums nothing, as only this program reads what it sends.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MTU 1400
#define BATCH 64
#define PACKET_MAX 65535u
#define HEADERS_MAX 120u
#define SEGMENTS_MAX 64u	/* what every kernel with UDP_SEGMENT takes at once */
#define DATAGRAM_MAX 65000u
#define PORT 4500
#define BUFFER (4 << 20)

/* Those of <linux/if_tun.h> and <linux/virtio_net.h> since Linux 6.2. */
#define OFFLOAD_USO4 0x20
#define OFFLOAD_USO6 0x40
#define GSO_UDP_L4 5

static int tun, sock;

static void die(const char *what)
{
	fprintf(stderr, "ceiling: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* ---- descriptors ---- */

static void open_tun(const char *name, bool offload)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	const unsigned long all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (offload)
		ifr.ifr_flags |= IFF_VNET_HDR;
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr) < 0)
		die("TUN");
	if (offload && ioctl(tun, TUNSETOFFLOAD, all | OFFLOAD_USO4 | OFFLOAD_USO6) < 0 &&
	    ioctl(tun, TUNSETOFFLOAD, all) < 0)
		die("TUNSETOFFLOAD");
	const int s = socket(AF_INET, SOCK_DGRAM, 0);

	ifr.ifr_mtu = MTU;
	if (s < 0 || ioctl(s, SIOCSIFMTU, &ifr) < 0)
		die("MTU");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
		die("up");
	close(s);
}

static void open_socket(const char *local, const char *remote, bool raw, bool offload)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	const int size = BUFFER, on = 1;

	if (!raw)
		from.sin_port = to.sin_port = htons(PORT);
	if (inet_pton(AF_INET, local, &from.sin_addr) != 1 ||
	    inet_pton(AF_INET, remote, &to.sin_addr) != 1)
		die("address");
	sock = socket(AF_INET, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK, raw ? 50 : 0);
	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(sock, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    (offload && setsockopt(sock, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0))
		die("socket");
}

/* ---- one packet a system call ---- */

static bool single_out(void)
{
	static uint8_t packet[PACKET_MAX];
	const ssize_t len = read(tun, packet, sizeof(packet));

	return len > 0 && send(sock, packet, (size_t)len, MSG_DONTWAIT) >= 0;
}

static bool single_in(void)
{
	static uint8_t packet[PACKET_MAX];
	const ssize_t len = recv(sock, packet, sizeof(packet), MSG_DONTWAIT);

	return len > 0 && write(tun, packet, (size_t)len) >= 0;
}

/* ---- many a system call; a TUN has no such call ---- */

static uint8_t batch_room[BATCH][2048];

static bool batch_out(void)
{
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	unsigned n = 0, done = 0;

	for (; n < BATCH; n++) {
		const ssize_t len = read(tun, batch_room[n], sizeof(batch_room[n]));

		if (len <= 0)
			break;
		iov[n] = (struct iovec){ batch_room[n], (size_t)len };
		msgs[n].msg_hdr.msg_iov = &iov[n];
		msgs[n].msg_hdr.msg_iovlen = 1;
	}
	while (done < n) {
		const int sent = sendmmsg(sock, msgs + done, n - done, MSG_DONTWAIT);

		done += sent > 0 ? (unsigned)sent : 1;
	}
	return n > 0;
}

static bool batch_in(void)
{
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ batch_room[i], sizeof(batch_room[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	const int n = recvmmsg(sock, msgs, BATCH, MSG_DONTWAIT, NULL);

	for (int i = 0; i < n; i++) {
		/* A raw socket of IPv4 gives the outer header, too. */
		const size_t outer = (size_t)(batch_room[i][0] & 15) * 4;

		if (msgs[i].msg_len > outer &&
		    write(tun, batch_room[i] + outer, msgs[i].msg_len - outer) < 0 && errno != EIO)
			die("TUN");
	}
	return n > 0;
}

/* ---- large segments ---- */

/* Where the headers of an IPv4 or IPv6 packet of TCP or UDP end; 0: another one. */
static uint32_t headers_len(const uint8_t *p, uint32_t len, uint32_t *l4, uint8_t *proto)
{
	*l4 = p[0] >> 4 == 4 ? (p[0] & 15u) * 4 : 40;
	if (len < *l4 + 20)
		return 0;
	*proto = p[0] >> 4 == 4 ? p[9] : p[6];
	if (*proto == IPPROTO_TCP)
		return *l4 + (p[*l4 + 12] >> 4) * 4u;
	return *proto == IPPROTO_UDP ? *l4 + 8 : 0;
}

static void put_16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get_32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_32(uint8_t *p, uint32_t v)
{
	put_16(p, v >> 16);
	put_16(p + 2, v);
}

/* Lengths in the headers of a packet of len octets; IPv4's header checksum. */
static void set_len(uint8_t *p, uint32_t l4, uint8_t proto, uint32_t len)
{
	if (p[0] >> 4 == 4) {
		uint32_t sum = 0;

		put_16(p + 2, len);
		put_16(p + 10, 0);
		for (uint32_t i = 0; i < l4; i += 2)
			sum += (uint32_t)(p[i] << 8 | p[i + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		put_16(p + 10, ~(sum + (sum >> 16)));
	} else {
		put_16(p + 4, len - 40);
	}
	if (proto == IPPROTO_UDP)
		put_16(p + l4 + 4, len - l4);
}

/* What a checksum is that the device shall finish: the sum of the pseudo header. */
static void set_pseudo_sum(uint8_t *p, uint32_t l4, uint8_t proto, uint32_t len)
{
	uint32_t sum = proto + len - l4;

	for (uint32_t i = p[0] >> 4 == 4 ? 12 : 8; i < (p[0] >> 4 == 4 ? 20 : 40); i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put_16(p + l4 + (proto == IPPROTO_TCP ? 16 : 6), sum + (sum >> 16));
}

/* Packets of one size, the last one shorter or not, in one call. */
static void send_segments(uint8_t *at, size_t len, uint16_t size)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(size))];
	} control = { .octets = { 0 } };
	struct iovec iov = { at, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *const c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	(void)sendmsg(sock, &h, MSG_DONTWAIT);
}

static bool offload_out(void)
{
	static uint8_t room[sizeof(struct virtio_net_hdr) + PACKET_MAX], out[DATAGRAM_MAX];
	struct virtio_net_hdr vnet;
	const ssize_t got = read(tun, room, sizeof(room));
	uint8_t *const p = room + sizeof(vnet), proto = 0;
	uint32_t l4 = 0;

	if (got <= (ssize_t)sizeof(vnet))
		return false;
	memcpy(&vnet, room, sizeof(vnet));
	const uint32_t len = (uint32_t)got - (uint32_t)sizeof(vnet);
	const uint32_t headers = vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE ?
					 0 : headers_len(p, len, &l4, &proto);

	if (headers == 0) {
		(void)send(sock, p, len, MSG_DONTWAIT);
		return true;
	}
	const uint32_t seq = get_32(p + l4 + 4), whole = headers + vnet.gso_size;
	uint32_t at = headers, filled = 0;

	while (at < len) {
		const uint32_t n = len - at < vnet.gso_size ? len - at : vnet.gso_size;
		uint8_t *const q = out + filled;

		memcpy(q, p, headers);
		memcpy(q + headers, p + at, n);
		set_len(q, l4, proto, headers + n);
		if (proto == IPPROTO_TCP)
			put_32(q + l4 + 4, seq + (at - headers));
		filled += headers + n;
		at += n;
		if (at == len || filled + whole > sizeof(out) || filled / whole == SEGMENTS_MAX) {
			send_segments(out, filled, (uint16_t)whole);
			filled = 0;
		}
	}
	return true;
}

/* Does the packet at q go on where the one at p ends, done octets of payload ago? */
static bool goes_on(const uint8_t *p, const uint8_t *q, uint32_t q_len, uint32_t l4, uint8_t proto,
		    uint32_t headers, uint32_t done)
{
	const uint32_t addrs = p[0] >> 4 == 4 ? 12 : 8;

	return q_len > headers && memcmp(p + addrs, q + addrs, l4 - addrs + 4) == 0 &&
	       (proto == IPPROTO_UDP || get_32(q + l4 + 4) == get_32(p + l4 + 4) + done);
}

/* Writes packets of the datagram that are of one flow as one. @return the octets they had */
static uint32_t join(uint8_t *p, uint32_t len, uint32_t size)
{
	struct virtio_net_hdr vnet = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	struct iovec iov[SEGMENTS_MAX * 2 + 1] = { { &vnet, sizeof(vnet) }, { p, size } };
	uint32_t l4 = 0, used = size < len ? size : len;
	uint8_t proto = 0;
	const uint32_t headers = headers_len(p, used, &l4, &proto);
	uint32_t payload = used - headers;
	int n = 2;

	iov[1].iov_len = used;
	while (headers && used < len && n < (int)SEGMENTS_MAX) {
		uint8_t *const q = p + used;
		const uint32_t q_len = len - used < size ? len - used : size;

		if (!goes_on(p, q, q_len, l4, proto, headers, payload) ||
		    headers + payload + q_len - headers > PACKET_MAX)
			break;
		iov[n++] = (struct iovec){ q + headers, q_len - headers };
		if (proto == IPPROTO_TCP)
			p[l4 + 13] |= q[l4 + 13];
		payload += q_len - headers;
		used += q_len;
	}
	if (n > 2) {
		vnet.gso_type = proto == IPPROTO_UDP ? GSO_UDP_L4 : p[0] >> 4 == 4 ?
				VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		vnet.gso_size = (uint16_t)(size - headers);
		vnet.hdr_len = (uint16_t)headers;
		set_len(p, l4, proto, headers + payload);
	}
	if (headers) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.csum_start = (uint16_t)l4;
		vnet.csum_offset = proto == IPPROTO_TCP ? 16 : 6;
		set_pseudo_sum(p, l4, proto, headers + payload);
	}
	if (writev(tun, iov, n) < 0 && errno != EIO)
		die("TUN");
	return used;
}

static bool offload_in(void)
{
	static uint8_t room[PACKET_MAX];
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { room, sizeof(room) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	const ssize_t got = recvmsg(sock, &h, MSG_DONTWAIT);
	int size = (int)got;

	if (got <= 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	}
	for (uint32_t at = 0; at < (uint32_t)got && size > 0;)
		at += join(room + at, (uint32_t)got - at, (uint32_t)size);
	return true;
}

static const struct mode {
	const char *name;
	bool raw, offload;
	bool (*out)(void), (*in)(void);	/* false: nothing is there */
} modes[] = {
	{ "single", false, false, single_out, single_in },
	{ "batch", true, false, batch_out, batch_in },
	{ "offload", false, true, offload_out, offload_in },
};

int main(int argc, char **argv)
{
	const struct mode *m = modes;

	if (argc != 5) {
		fprintf(stderr, "usage: ceiling single|batch|offload TUN LOCAL REMOTE\n");
		return 2;
	}
	while (m < modes + 2 && strcmp(m->name, argv[1]) != 0)
		m++;
	open_tun(argv[2], m->offload);
	open_socket(argv[3], argv[4], m->raw, m->offload);
	for (;;) {
		struct pollfd fds[2] = { { tun, POLLIN, 0 }, { sock, POLLIN, 0 } };
		bool more = poll(fds, 2, -1) > 0;

		while (more) {
			const bool out = m->out(), in = m->in();

			more = out || in;
		}
	}
}
