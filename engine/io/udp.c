/*
 * engine/io/udp.c - see udp.h. udp(7), UDP_SEGMENT and UDP_GRO; RFC 3542 for IPv6's ancillary data.
 */
#include "config.h"
#include "engine/io/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "spd/octets.h"

#define MESSAGES 8u		/* datagrams, or trains of them, that are read at once */
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define UDP_HEADER 8u
#define ESP_MIN 8u		/* SPI and sequence number */
#define SEGMENTS_MAX 64u	/* datagrams of a train that every kernel takes */
#define TRAIN_MAX 65000u	/* octets of one, below what a UDP datagram can have */
#define CONTROL_SIZE 192
#define DF 0x4000u

union control {
	struct cmsghdr align;
	uint8_t octets[CONTROL_SIZE];
};

union any_addr {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/** A datagram or a train of them, as it was read. */
struct message {
	uint8_t data[IO_PACKET_MAX];
	uint32_t len, size;		/* octets of all, and of each datagram but the last */
	uint32_t ifindex;
	struct ipsp_flow outer;
};

/** A train that waits to be sent. */
struct train {
	struct ipsp_flow to;		/* src, dst, sport, dport, dscp, ecn, ttl, df */
	uint32_t size, len;		/* octets of each but the last, and of all */
	size_t n;
	bool closed;			/* a shorter one is its last */
	struct iovec iov[SEGMENTS_MAX];
	uint32_t headers;		/* octets before each payload */
	const uint8_t *first;		/* the headers of the first one */
};

struct udp_socket {
	int fd, raw_fd;
	enum outer_family family;
	uint16_t port;
	uint32_t ifindex;		/* what is sent leaves by it; 0: as routing says */
	int df;				/* as the socket is set; -1: not yet */
	size_t sent;
	struct train train;
	/* read: messages that were filled, the one whose turn it is, and how far it was given out */
	size_t n_messages, message;
	uint32_t at;
	struct message messages[MESSAGES];
};

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_up(int fd, enum outer_family family)
{
	static const int options4[] = { IP_PKTINFO, IP_RECVTOS, IP_RECVTTL };
	static const int options6[] = { IPV6_RECVPKTINFO, IPV6_RECVTCLASS, IPV6_RECVHOPLIMIT };
	const int *const options = family == OUTER_IPV4 ? options4 : options6;
	const int level = family == OUTER_IPV4 ? IPPROTO_IP : IPPROTO_IPV6;
	int err = 0;

	for (size_t i = 0; i < 3 && !err; i++)
		err = set_option(fd, level, options[i], 1);
	/* A kernel without it gives one datagram at a time. */
	(void)set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
	return err;
}

int udp_socket_new(int fd, int raw_fd, enum outer_family family, uint32_t ifindex,
		   struct udp_socket **out)
{
	union any_addr own;
	socklen_t len = sizeof(own);
	struct udp_socket *u;
	const int err = set_up(fd, family);

	if (err)
		return err;
	memset(&own, 0, sizeof(own));
	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->fd = fd;
	u->raw_fd = raw_fd;
	u->family = family;
	u->ifindex = ifindex;
	u->port = ntohs(family == OUTER_IPV4 ? own.v4.sin_port : own.v6.sin6_port);
	u->df = -1;
	*out = u;
	return 0;
}

void udp_socket_free(struct udp_socket *u)
{
	if (u)
		explicit_bzero(u, sizeof(*u));
	free(u);
}

/* ---- read ---- */

static int number_of(struct cmsghdr *c)
{
	int v = 0;

	/* The kernel's numbers here are an int or, IP_TOS, one octet. */
	memcpy(&v, CMSG_DATA(c), c->cmsg_len >= CMSG_LEN(sizeof(v)) ? sizeof(v) : 1);
	return v;
}

static void set_addr(struct ipsp_addr *a, enum outer_family family, const void *octets)
{
	*a = (struct ipsp_addr) { .family = family == OUTER_IPV4 ? 4 : 6 };
	memcpy(a->octets, octets, ipsp_addr_size(a->family));
}

static void take_tos(struct ipsp_flow *f, int tos)
{
	f->dscp = (uint8_t)(tos & 0xff) >> 2;
	f->ecn = (uint8_t)tos & 3;
}

static void take_control(struct message *m, struct cmsghdr *c)
{
	struct in_pktinfo info4;
	struct in6_pktinfo info6;

	if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
		m->size = (uint32_t)number_of(c);
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info4, CMSG_DATA(c), sizeof(info4));
		m->ifindex = (uint32_t)info4.ipi_ifindex;
		set_addr(&m->outer.dst, OUTER_IPV4, &info4.ipi_addr);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(c), sizeof(info6));
		m->ifindex = info6.ipi6_ifindex;
		set_addr(&m->outer.dst, OUTER_IPV6, &info6.ipi6_addr);
	} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
		   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
		take_tos(&m->outer, number_of(c));
	} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
		m->outer.ttl = (uint8_t)number_of(c);
	}
}

/** @return false: cut, or without what has to be known of it */
static bool take_message(struct udp_socket *u, struct message *m, struct mmsghdr *h,
			 const union any_addr *from)
{
	m->len = h->msg_len;
	m->size = 0;
	m->ifindex = 0;
	m->outer = (struct ipsp_flow) {
		.family = u->family == OUTER_IPV4 ? 4 : 6, .proto = IPPROTO_UDP,
		.proto_known = true, .ports_known = true, .dport = u->port,
	};
	if (h->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h->msg_hdr); c; c = CMSG_NXTHDR(&h->msg_hdr, c))
		take_control(m, c);
	if (u->family == OUTER_IPV4) {
		set_addr(&m->outer.src, u->family, &from->v4.sin_addr);
		m->outer.sport = ntohs(from->v4.sin_port);
	} else {
		set_addr(&m->outer.src, u->family, &from->v6.sin6_addr);
		m->outer.sport = ntohs(from->v6.sin6_port);
	}
	if (m->size == 0)
		m->size = m->len;
	return m->ifindex != 0 && m->outer.dst.family == m->outer.family;
}

/** Reads into the messages, when all of them have been given out. */
static void refill(struct udp_socket *u, struct io_stats *stats)
{
	struct mmsghdr msgs[MESSAGES];
	struct iovec iov[MESSAGES];
	union any_addr from[MESSAGES];
	union control control[MESSAGES];

	memset(msgs, 0, sizeof(msgs));
	for (size_t i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec) { u->messages[i].data, sizeof(u->messages[i].data) };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i], .msg_iovlen = 1,
			.msg_control = &control[i], .msg_controllen = sizeof(control[i]),
		};
	}
	const int got = recvmmsg(u->fd, msgs, MESSAGES, MSG_DONTWAIT, NULL);

	u->message = 0;
	u->at = 0;
	u->n_messages = got > 0 ? (size_t)got : 0;
	for (size_t i = 0; i < u->n_messages; i++) {
		if (take_message(u, &u->messages[i], &msgs[i], &from[i]))
			continue;
		io_count(&stats->drops[IO_REASON_READ_CUT], 1);
		u->messages[i].len = 0;
	}
}

/** Is the payload ESP? What is not is counted. RFC 3948 2.2, 2.3, 3.1 */
static bool is_esp(const uint8_t *payload, uint32_t len, struct io_stats *stats)
{
	if (len == 1 && payload[0] == 0xff)
		io_count(&stats->drops[IO_REASON_KEEPALIVE], 1);
	else if (len >= 4 && get_be32(payload) == 0)
		io_count(&stats->drops[IO_REASON_NO_IKE], 1);
	else if (len < ESP_MIN)
		io_count(&stats->drops[IO_REASON_READ_CUT], 1);
	else
		return true;
	return false;
}

bool udp_has_more(const struct udp_socket *u)
{
	return u->message < u->n_messages;
}

size_t udp_read(struct udp_socket *u, struct ipsp_packet *packets, size_t n, struct io_stats *stats)
{
	size_t good = 0, came = 0;

	if (!udp_has_more(u))
		refill(u, stats);
	while (good < n && udp_has_more(u)) {
		struct message *const m = &u->messages[u->message];
		const uint32_t left = m->len - u->at, len = left < m->size ? left : m->size;
		struct ipsp_packet *const p = &packets[good];

		if (left == 0) {
			u->message++;
			u->at = 0;
			continue;
		}
		/* What came together goes on together. */
		if (u->at == 0 && good > 0 && (left + m->size - 1) / m->size > n - good)
			break;
		*p = (struct ipsp_packet) {
			.room = p->room, .room_len = p->room_len,
			.data = m->data + u->at, .len = len,
			.ifindex = m->ifindex, .outer = &m->outer,
		};
		u->at += len;
		came++;
		if (is_esp(p->data, len, stats))
			good++;
	}
	io_count(&stats->packets_in[IPSP_INBOUND - 1], came);
	return good;
}

/* ---- write ---- */

/** Reads the headers that the engine wrote. @return their length; 0: not headers of that kind */
static uint32_t read_headers(const struct udp_socket *u, const uint8_t *p, uint32_t len,
			     struct ipsp_flow *to)
{
	const bool v4 = u->family == OUTER_IPV4;
	const uint32_t l4 = v4 ? IPV4_HEADER : IPV6_HEADER;

	if (len < l4 + UDP_HEADER + ESP_MIN || (v4 ? p[0] != 0x45 : p[0] >> 4 != 6) ||
	    p[v4 ? 9 : 6] != IPPROTO_UDP)
		return 0;
	*to = (struct ipsp_flow) {
		.ttl = p[v4 ? 8 : 7], .df = v4 && (get_be16(p + 6) & DF) != 0,
		.sport = get_be16(p + l4), .dport = get_be16(p + l4 + 2),
	};
	take_tos(to, v4 ? p[1] : (get_be16(p) >> 4) & 0xff);
	set_addr(&to->src, u->family, p + (v4 ? 12 : 8));
	set_addr(&to->dst, u->family, p + (v4 ? 16 : 24));
	return to->sport == u->port ? l4 + UDP_HEADER : 0;
}

static bool has_room(const struct train *t, uint32_t len)
{
	return !t->closed && t->n < SEGMENTS_MAX && len <= t->size && t->len + len <= TRAIN_MAX;
}

static struct cmsghdr *put_control(struct msghdr *h, struct cmsghdr *c, int level, int type,
				   const void *data, size_t size)
{
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	h->msg_controllen += CMSG_SPACE(size);
	return (struct cmsghdr *)((uint8_t *)c + CMSG_SPACE(size));
}

/** Where a datagram goes, from where. h->msg_name and msg_control are there, the latter zeroed. */
static struct cmsghdr *address(struct msghdr *h, uint32_t ifindex, const struct ipsp_flow *to)
{
	struct cmsghdr *const c = (struct cmsghdr *)h->msg_control;

	h->msg_controllen = 0;
	if (to->dst.family == 4) {
		struct sockaddr_in *const name = h->msg_name;
		struct in_pktinfo info = { .ipi_ifindex = (int)ifindex };

		*name = (struct sockaddr_in) { .sin_family = AF_INET,
					       .sin_port = htons((uint16_t)to->dport) };
		memcpy(&name->sin_addr, to->dst.octets, 4);
		memcpy(&info.ipi_spec_dst, to->src.octets, 4);
		h->msg_namelen = sizeof(*name);
		return put_control(h, c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	struct sockaddr_in6 *const name = h->msg_name;
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };

	*name = (struct sockaddr_in6) { .sin6_family = AF_INET6,
					.sin6_port = htons((uint16_t)to->dport) };
	memcpy(&name->sin6_addr, to->dst.octets, 16);
	memcpy(&info.ipi6_addr, to->src.octets, 16);
	h->msg_namelen = sizeof(*name);
	return put_control(h, c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/** DF is the socket's, not the message's. Either way the kernel's own idea of the path is left out. */
static void set_df(struct udp_socket *u, bool df)
{
	if (u->family != OUTER_IPV4 || u->df == df)
		return;
	(void)set_option(u->fd, IPPROTO_IP, IP_MTU_DISCOVER,
			 df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT);
	u->df = df;
}

static int send_train(struct udp_socket *u, struct train *t)
{
	union any_addr name;
	union control control;
	struct msghdr h = { .msg_name = &name, .msg_iov = t->iov, .msg_iovlen = t->n,
			    .msg_control = &control };
	const bool v4 = u->family == OUTER_IPV4;
	const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	const int tos = t->to.dscp << 2 | t->to.ecn, ttl = t->to.ttl;
	const uint16_t size = (uint16_t)t->size;
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = address(&h, u->ifindex, &t->to);
	c = put_control(&h, c, level, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
	c = put_control(&h, c, level, v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (t->n > 1)
		(void)put_control(&h, c, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	set_df(u, t->to.df);
	for (;;) {
		if (sendmsg(u->fd, &h, MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return errno;
	}
}

/** One by one, headers and all: which of them cannot go, and why, is the raw socket's to find out. */
static void send_train_raw(struct udp_socket *u, const struct train *t, struct io_stats *stats)
{
	struct outer_send send[SEGMENTS_MAX];

	for (size_t i = 0; i < t->n; i++) {
		send[i] = (struct outer_send) {
			.data = (uint8_t *)t->iov[i].iov_base - t->headers,
			.len = (uint32_t)t->iov[i].iov_len + t->headers,
			.ifindex = u->ifindex,
		};
	}
	u->sent += outer_write(u->raw_fd, u->family, send, t->n, stats);
}

static void flush_train(struct udp_socket *u, struct io_stats *stats)
{
	struct train *const t = &u->train;

	if (t->n == 0)
		return;
	const int err = send_train(u, t);

	if (err == 0)
		u->sent += t->n;
	else if (err == EAGAIN || err == ENOBUFS || err == ENOMEM || u->raw_fd < 0)
		io_count(&stats->drops[IO_REASON_SEND_QUEUE], t->n);
	else
		send_train_raw(u, t, stats);
	t->n = 0;
}

/** Does it go on with the train by its octets? All of its headers but lengths and checksums. */
static bool goes_on(const struct train *t, const uint8_t *p, uint32_t len)
{
	const uint8_t *const q = t->first;

	if (t->n == 0 || len < t->headers + ESP_MIN || !has_room(t, len - t->headers) ||
	    memcmp(p, q, 2) != 0)
		return false;
	return t->headers == IPV4_HEADER + UDP_HEADER ?
		       memcmp(p + 6, q + 6, 4) == 0 && memcmp(p + 12, q + 12, 12) == 0 :
		       memcmp(p + 2, q + 2, 2) == 0 && memcmp(p + 6, q + 6, 2) == 0 &&
			       memcmp(p + 8, q + 8, 32) == 0 && memcmp(p + 40, q + 40, 4) == 0;
}

bool udp_add(struct udp_socket *u, uint8_t *packet, uint32_t len, struct io_stats *stats)
{
	struct train *const t = &u->train;

	if (!goes_on(t, packet, len)) {
		struct ipsp_flow to;
		const uint32_t headers = read_headers(u, packet, len, &to);

		if (headers == 0)
			return false;
		flush_train(u, stats);
		t->to = to;
		t->size = len - headers;
		t->len = 0;
		t->headers = headers;
		t->first = packet;
		t->closed = false;
	}
	const uint32_t payload = len - t->headers;

	t->iov[t->n++] = (struct iovec) { packet + t->headers, payload };
	t->len += payload;
	t->closed = payload < t->size;
	return true;
}

size_t udp_flush(struct udp_socket *u, struct io_stats *stats)
{
	flush_train(u, stats);
	const size_t sent = u->sent;

	u->sent = 0;
	return sent;
}

void udp_keepalive(int fd, uint32_t ifindex, const struct ipsp_flow *datagram)
{
	static const uint8_t octet = 0xff;
	union any_addr name;
	union control control;
	struct iovec iov = { (void *)(uintptr_t)&octet, 1 };
	struct msghdr h = { .msg_name = &name, .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control };

	memset(&control, 0, sizeof(control));
	(void)address(&h, ifindex, datagram);
	/* One that is lost is followed by the next. */
	(void)sendmsg(fd, &h, MSG_DONTWAIT);
}
